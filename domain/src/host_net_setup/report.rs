//! What hosts tell of their networks: how a change came out, whether links are up, and what they lack.

use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::host::{HostFacts, HostStatus, status};
use crate::host_net::*;
use crate::ids::*;
use crate::job::JobEnded;
use crate::rejection::Rejection;
use crate::world::World;

/// Ends a change: what the host reports after it is taken in; where it failed, the host is as it was.
#[derive(Clone, Debug)]
pub struct FinishNetworkSetup {
    /// Which host.
    pub host: HostId,
    /// The job that ends.
    pub job: JobId,
    /// What the host reported, or why it could not be asked.
    pub outcome: Result<HostFacts, String>,
}

impl Decide for FinishNetworkSetup {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events = Vec::new();
        if let (Some(host), Ok(facts)) = (world.hosts.get(&self.host), &self.outcome) {
            let (after, news) = report(world, host, facts);
            events.extend(news);
            if host.status == HostStatus::Up && lack(world, &after).is_some() {
                events.push(status(host, HostStatus::NonOperational, NETWORK_UNREACHABLE));
                events.extend(crate::host::spm_without(world, host));
            }
        }
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}

/// Ends the saving of a host's networks.
#[derive(Clone, Debug)]
pub struct FinishNetworkSave {
    /// Which host.
    pub host: HostId,
    /// The job that ends.
    pub job: JobId,
    /// Whether it came about, and if not why.
    pub outcome: Result<(), String>,
}

impl Decide for FinishNetworkSave {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        if self.outcome.is_ok() && world.hosts.contains(&self.host) {
            events.push(HostNetworksCommitted { host: self.host }.into());
        }
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}

/// The link of a host's interface is up or down.
#[derive(Clone, Debug)]
pub struct ReportLink {
    /// Which host.
    pub host: HostId,
    /// The name of the interface.
    pub nic: String,
    /// Whether it is up.
    pub up: bool,
}

impl Decide for ReportLink {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(host) = world.hosts.get(&self.host) else { return Ok(Vec::new()) };
        if !host.facts.nics.iter().any(|n| n.name == self.nic && n.down == self.up) {
            return Ok(Vec::new());
        }
        Ok(vec![HostLinkChanged { host: self.host, nic: self.nic.clone(), up: self.up }.into()])
    }
}

/// Takes a host that is up out of service where it lacks a network that its cluster requires.
#[derive(Clone, Debug)]
pub struct CheckHostNetworks {
    /// Which host.
    pub host: HostId,
}

impl Decide for CheckHostNetworks {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(host) = world.hosts.get(&self.host).filter(|h| h.status == HostStatus::Up) else { return Ok(Vec::new()) };
        if lack(world, host).is_none() {
            return Ok(Vec::new());
        }
        let mut events = vec![status(host, HostStatus::NonOperational, NETWORK_UNREACHABLE)];
        events.extend(crate::host::spm_without(world, host));
        Ok(events)
    }
}
