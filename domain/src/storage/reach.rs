//! Which hosts reach a storage domain, and what follows where some do not.

use std::sync::Arc;

use super::attach::{change, sought};
use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::host::{Host, HostStatus, STORAGE_UNREACHABLE};
use crate::ids::*;
use crate::index::StorageDomainTerm;
use crate::rejection::Rejection;
use crate::storage::*;
use crate::world::World;

/// The active data domain that a host does not reach, and has to reach to be of use.
pub fn missed_by<'a>(world: &'a World, host: &Host) -> Option<&'a Arc<StorageDomain>> {
    let data_center = world.data_center_of(host.config.cluster)?.id;
    let matters = |d: &&Arc<StorageDomain>| d.class == DomainClass::Data && d.is_active_in(data_center);
    world.storage_domains.by(StorageDomainTerm::MissedBy(host.id)).find(matters)
}

/// What a host that comes up brings back: the domains that are inactive and that it reaches. One of them takes the master's part where the
/// master is not among them and cannot go on.
pub(crate) fn regained(world: &World, host: &Host) -> Vec<Event> {
    let Some(data_center) = world.data_center_of(host.config.cluster).map(|dc| dc.id) else { return Vec::new() };
    let domains = world.storage_domains.by(StorageDomainTerm::DataCenter(data_center));
    let reached = domains.filter(|d| !d.unreachable_from.contains(&host.id));
    let inactive = reached.filter_map(|d| Some((d.id, d.attachment_in(data_center)?)));
    let back: Vec<_> = inactive.filter(|(_, attachment)| attachment.status == AttachmentStatus::Inactive).collect();
    let changes = back.iter().map(|(domain, attachment)| change(*domain, *attachment, AttachmentStatus::Active, ""));
    let master = world.data_centers.get(&data_center).and_then(|dc| dc.master);
    let is_back = back.iter().any(|(domain, _)| Some(*domain) == master);
    let domains = back.iter().filter_map(|(domain, _)| world.storage_domains.get(domain));
    changes.chain(domains.filter(|_| !is_back).find_map(|domain| taken_over(world, domain, data_center))).collect()
}

/// The event by which a domain that is active again takes the master's part, where the master is not active and nothing could follow it.
fn taken_over(world: &World, domain: &StorageDomain, data_center: DataCenterId) -> Option<Event> {
    let master = world.data_centers.get(&data_center)?.master.filter(|master| *master != domain.id)?;
    let stuck = world.storage_domains.get(&master)?.attachment_in(data_center)?.status == AttachmentStatus::Inactive;
    let found = Some(domain.id).filter(|_| stuck && domain.class == DomainClass::Data)?;
    Some(MasterSought { data_center, found: Some(found) }.into())
}

/// Takes a host that is up out of service where it alone does not reach a data domain.
#[derive(Clone, Debug)]
pub struct CheckHostStorage {
    /// Which host.
    pub host: HostId,
}

impl Decide for CheckHostStorage {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(host) = world.hosts.get(&self.host).filter(|h| h.status == HostStatus::Up) else { return Ok(Vec::new()) };
        if missed_by(world, host).is_none() {
            return Ok(Vec::new());
        }
        let mut events = vec![crate::host::status(host, HostStatus::NonOperational, STORAGE_UNREACHABLE)];
        events.extend(crate::host::spm_without(world, host));
        Ok(events)
    }
}

/// A host does not reach a storage domain any more, or reaches it again, as a driver observed it.
///
/// A domain that no host of its data center reaches becomes inactive, and another takes the master's part where it was the master; it is
/// active again as soon as one host reaches it, and takes the master's part itself where nothing could when the master was lost.
#[derive(Clone, Debug)]
pub struct ReportDomainReach {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which host.
    pub host: HostId,
    /// Whether the host reaches it.
    pub reachable: bool,
}

impl Decide for ReportDomainReach {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(domain) = world.storage_domains.get(&self.domain) else { return Ok(Vec::new()) };
        let data_center = world.hosts.get(&self.host).and_then(|h| world.data_center_of(h.config.cluster));
        let Some(attachment) = data_center.and_then(|dc| domain.attachment_in(dc.id)) else { return Ok(Vec::new()) };
        if domain.unreachable_from.contains(&self.host) != self.reachable {
            return Ok(Vec::new());
        }
        // What it was before says nothing: hosts that reached it may be up no more.
        let mut up = world.hosts_in(attachment.data_center).filter(|h| h.status == HostStatus::Up).map(|h| h.id);
        let reached = up.any(|id| if id == self.host { self.reachable } else { !domain.unreachable_from.contains(&id) });
        let change = |to, reason: &str| change(self.domain, attachment, to, reason);
        let mut events =
            vec![StorageDomainReachChanged { domain: self.domain, host: self.host, reachable: self.reachable }.into()];
        match attachment.status {
            AttachmentStatus::Active if !reached => {
                events.push(change(AttachmentStatus::Inactive, "no host of the data center reaches it"));
                events.extend(sought(world, domain));
            }
            AttachmentStatus::Inactive if reached => {
                events.push(change(AttachmentStatus::Active, ""));
                events.extend(taken_over(world, domain, attachment.data_center));
            }
            _ => {}
        }
        Ok(events)
    }
}

/// How long a storage domain may take to answer a host, in milliseconds.
pub const MAX_DELAY_MS: u64 = 5_000;

/// A storage domain answers a host late, as a driver observed it.
#[derive(Clone, Debug)]
pub struct ReportDomainDelay {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which host.
    pub host: HostId,
    /// How long it takes to answer, in milliseconds.
    pub delay_ms: u64,
}

impl Decide for ReportDomainDelay {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let known = world.storage_domains.contains(&self.domain) && world.hosts.contains(&self.host);
        let late = StorageDomainDelayed { domain: self.domain, host: self.host, delay_ms: self.delay_ms };
        Ok((known && self.delay_ms > MAX_DELAY_MS).then(|| late.into()).into_iter().collect())
    }
}
