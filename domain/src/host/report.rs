//! What is heard of hosts: what they have, whether they answer, and what follows from that.

use serde::{Deserialize, Serialize};

use super::*;
use crate::check::Act;
use crate::command::Decide;
use crate::host_net::{self, NETWORK_UNREACHABLE};
use crate::job::JobEnded;
use crate::rejection::{Key, Rejection};
use crate::storage::{missed_by, regained};
use crate::vm_run::VmState;

/// A host has no power management: it could not be fenced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFenceUnconfigured {
    /// Which host.
    pub host: HostId,
}

fold!(HostFenceUnconfigured, Host host, |e, world, at| {
    touch(world, e.host, at, |_| {});
});

/// A host has little memory left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostMemoryLow {
    /// Which host.
    pub host: HostId,
    /// In mebibytes.
    pub free_mib: u64,
}

fold!(HostMemoryLow, Host host, |_e, _world, _at| {});

/// A host's CPU lacks the flag `nx`: it serves no cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostNxMissed {
    /// Which host.
    pub host: HostId,
}

fold!(HostNxMissed, Host host, |_e, _world, _at| {});

/// Below this a host has little memory left, in mebibytes.
pub const LOW_MEMORY_MIB: u64 = 1_024;

/// A host was found to have little memory left.
#[derive(Clone, Debug)]
pub struct ReportLowMemory {
    /// Which host.
    pub host: HostId,
    /// In mebibytes.
    pub free_mib: u64,
}

impl Decide for ReportLowMemory {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let low = self.free_mib < LOW_MEMORY_MIB && world.hosts.get(&self.host).is_some_and(|h| h.status == HostStatus::Up);
        Ok(low.then(|| HostMemoryLow { host: self.host, free_mib: self.free_mib }.into()).into_iter().collect())
    }
}

/// A host reported what it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFactsReported {
    /// Which host.
    pub host: HostId,
    /// What the host reported.
    pub facts: HostFacts,
}

fold!(HostFactsReported, Host host, |e, world, at| {
    touch(world, e.host, at, |h| {
        h.facts = e.facts.clone();
        h.lay();
    });
});

/// Why a host is non-operational whose CPU cannot serve its cluster.
pub const CPU_INCOMPATIBLE: &str = "cpu_type_incompatible_with_cluster";

/// Why a host is non-operational that does not know its cluster's compatibility version.
pub const VERSION_INCOMPATIBLE: &str = "version_incompatible_with_cluster";
/// Why a host is non-operational on which no machine can run.
pub const KVM_MISSING: &str = "kvm_not_running";
/// Why a host is non-operational that does not reach a data domain which others reach.
pub const STORAGE_UNREACHABLE: &str = "storage_domain_unreachable";

/// The engine has reached a host and prepares it now: it learns what the host has, and brings its storage there.
#[derive(Clone, Debug)]
pub struct ReportReached {
    /// Which host.
    pub host: HostId,
}

impl Decide for ReportReached {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let awaited = world.hosts.get(&self.host).filter(|h| is_awaited(h));
        Ok(awaited.map(|host| status(host, HostStatus::Initializing, "")).into_iter().collect())
    }
}

/// Whether a host is to come into service as soon as it is reached. One that was not heard of for a while and comes back is up again
/// without a word, or stays out of service for the reason that it had.
pub fn is_awaited(host: &Host) -> bool {
    matches!(host.status, HostStatus::Unassigned | HostStatus::Reboot)
}

/// The engine is connected to a host, which reported what it has, or could not connect.
#[derive(Clone, Debug)]
pub struct ReportConnected {
    /// Which host.
    pub host: HostId,
    /// The job that this ends, where it belongs to one.
    pub job: Option<JobId>,
    /// What the host reported, or why it could not be asked.
    pub outcome: Result<HostFacts, String>,
}

impl Decide for ReportConnected {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(host) = world.hosts.get(&self.host) else { return Ok(Vec::new()) };
        let mut events: Vec<Event> = Vec::new();
        let mut failure = None;
        use HostStatus::*;
        let waiting = matches!(host.status, Unassigned | Initializing | Reboot | Connecting | NonResponsive | NonOperational);
        match &self.outcome {
            Ok(facts) => {
                let (after, news) = host_net::report(world, host, facts);
                events.extend(news);
                if waiting {
                    let cluster = world.cluster(host.config.cluster)?;
                    let fits = !facts.no_nx && crate::cluster::cpu_fits(&facts.cpu_family, &cluster.config.cpu);
                    if fits && cluster.config.cpu.is_empty() && !facts.cpu_family.is_empty() {
                        let cpu = Some(facts.cpu_family.clone());
                        let changes = crate::cluster::ClusterPatch { cpu, ..Default::default() };
                        events.push(crate::cluster::ClusterUpdated { cluster: cluster.id, changes }.into());
                    }
                    let reasons = [
                        (facts.no_kvm, KVM_MISSING),
                        (!fits, CPU_INCOMPATIBLE),
                        (!facts.knows(cluster.config.version), VERSION_INCOMPATIBLE),
                        (host_net::lack(world, &after).is_some(), NETWORK_UNREACHABLE),
                        (missed_by(world, host).is_some(), STORAGE_UNREACHABLE),
                    ];
                    let why = reasons.into_iter().find(|(holds, _)| *holds).map(|(_, why)| why.to_owned());
                    match &why {
                        None => {
                            events.push(status(host, Up, ""));
                            events.extend(regained(world, host));
                            events.extend(spm_with(world, host));
                        }
                        Some(why) if host.status == NonOperational && host.detail == *why => {}
                        Some(why) => {
                            events.extend(facts.no_nx.then(|| Event::from(HostNxMissed { host: host.id })));
                            events.push(status(host, NonOperational, why));
                            events.extend(spm_without(world, host));
                        }
                    }
                    failure = why;
                }
            }
            Err(why) => {
                failure = Some(why.clone());
                // One that is being restarted or waited for has its time.
                if waiting && !matches!(host.status, NonResponsive | Reboot | Connecting) {
                    events.push(status(host, NonResponsive, why));
                }
            }
        }
        events.extend(self.job.map(|job| Event::from(JobEnded { job, failure })));
        Ok(events)
    }
}

/// The engine asked a host, on no job's account. What the host said may be overtaken by what was observed of it meanwhile: then it has to
/// be asked again.
#[derive(Clone, Debug)]
pub struct ReportAsked {
    /// Which host.
    pub host: HostId,
    /// The host's version when it was asked.
    pub version: u64,
    /// What the host reported, or why it could not be asked.
    pub outcome: Result<HostFacts, String>,
}

impl Decide for ReportAsked {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        match world.hosts.get(&self.host) {
            Some(host) if host.version != self.version => Err(Key::StateMoved.into()),
            _ => ReportConnected { host: self.host, job: None, outcome: self.outcome.clone() }.decide(world, cx),
        }
    }
}

/// A host was asked anew what it has, since somebody wished it, and did not say where that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostRefreshed {
    /// Which host.
    pub host: HostId,
    /// Why it could not be asked, where it could not.
    pub failure: Option<String>,
}

fold!(HostRefreshed, Host host, |_e, _world, _at| {});

/// Takes in what a host says of itself that was asked since somebody wished it.
#[derive(Clone, Debug)]
pub struct RefreshHost {
    /// Which host.
    pub host: HostId,
    /// What the host reported, or why it could not be asked.
    pub outcome: Result<HostFacts, String>,
}

impl Decide for RefreshHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let host = world.host(self.host)?;
        if !matches!(host.status, HostStatus::Up | HostStatus::Maintenance) {
            return Err(Act("refresh", "Host Capabilities").no(Key::HostStatusIllegal).with("hostStatus", "up or maintenance"));
        }
        let mut events = match &self.outcome {
            Ok(_) => ReportConnected { host: self.host, job: None, outcome: self.outcome.clone() }.decide(world, cx)?,
            Err(_) => Vec::new(),
        };
        events.push(HostRefreshed { host: self.host, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        on(self.host, Permit::ManiputlateHost)
    }
}

/// A host that is not heard of is given up: nobody knows what its VMs do.
#[derive(Clone, Debug)]
pub struct ReportUnresponsive {
    /// Which host.
    pub host: HostId,
    /// What was tried.
    pub detail: String,
}

impl Decide for ReportUnresponsive {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        use HostStatus::*;
        let Some(host) = world.hosts.get(&self.host) else { return Ok(Vec::new()) };
        // One that is being restarted is silent for a while.
        if matches!(host.status, NonResponsive | Maintenance | PendingApproval | Installing | InstallFailed | Down | Reboot) {
            return Ok(Vec::new());
        }
        let mut events = vec![status(host, NonResponsive, &self.detail)];
        if !host.config.power_management.enabled {
            events.push(HostFenceSkipped { host: self.host, no_proxy: false }.into());
        }
        events.extend(spm_without(world, host));
        for vm in world.vms_on(self.host).filter(|v| v.host() == Some(self.host) && v.state != VmState::Unknown) {
            events.push(crate::vm_run::VmLost { vm: vm.id }.into());
        }
        Ok(events)
    }
}

/// A host was waited for as long as its patience lasts. One that was heard of since then is not given up.
#[derive(Clone, Debug)]
pub struct GiveUpHost {
    /// Which host.
    pub host: HostId,
}

impl Decide for GiveUpHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let waited_for = world.hosts.get(&self.host).filter(|h| h.status == HostStatus::Connecting);
        let Some(host) = waited_for else { return Ok(Vec::new()) };
        ReportUnresponsive { host: self.host, detail: host.detail.clone() }.decide(world, cx)
    }
}

/// A host that was restarted did not come back in time.
#[derive(Clone, Debug)]
pub struct ReportNotBack {
    /// Which host.
    pub host: HostId,
}

impl Decide for ReportNotBack {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(host) = world.hosts.get(&self.host).filter(|h| h.status == HostStatus::Reboot) else { return Ok(Vec::new()) };
        Ok(vec![status(host, HostStatus::NonResponsive, "The host did not come back after its restart")])
    }
}
