//! Making, importing, changing and removing storage domains, and what is observed of them. The guide's chapter 12.

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::disk::DiskRemoved;
use crate::event::Event;
use crate::host::HostStatus;
use crate::ids::*;
use crate::index::StorageDomainTerm;
use crate::job::{JobEnded, JobOpened, Task, open_job};
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::storage::*;
use crate::storage_connection::{self, StorageConnectionAdded, StorageConnectionRemoved};
use crate::vm::{DiskDetached, VmRemoved};
use crate::world::{NameKind, World};

/// The most logical units that one storage domain may have.
pub const MAX_LUNS: usize = 256;

pub(crate) fn check_config(
    act: Act,
    world: &World,
    id: Option<StorageDomainId>,
    config: &StorageDomainConfig,
) -> Result<(), Rejection> {
    check::name(act, &config.name, check::MEDIUM_NAME)?;
    check::text(act, "description", &config.description, check::MAX_TEXT)?;
    check::text(act, "comment", &config.comment, check::MAX_TEXT)?;
    if world.exactly_named(NameKind::StorageDomain, &config.name).is_some_and(|other| Some(StorageDomainId(other)) != id) {
        return Err(act.no(Key::StorageDomainNameInUse));
    }
    Ok(())
}

pub(super) fn opened(cx: &Context, n: u64, description: String, task: Task) -> Event {
    JobOpened { job: cx.fresh(n), description, task }.into()
}

fn up(world: &World, act: Act, host: HostId) -> Result<(), Rejection> {
    if world.host(host)?.status == HostStatus::Up { Ok(()) } else { Err(act.no(Key::HostNotUpForStorage)) }
}

/// The first of the fresh identifiers that connections get; those before it are the domain's and the job's.
const FIRST_CONNECTION: u64 = 16;

/// What a new domain's storage consists of, with the connections that have to be made for it.
///
/// A place that a connection leads to already is reached through that one; only iSCSI targets can serve several domains.
fn settle(
    act: Act,
    world: &World,
    cx: &Context,
    host: HostId,
    domain: StorageDomainId,
    asked: &Storage,
) -> Result<(DomainStorage, Vec<Event>), Rejection> {
    let kind = asked.kind();
    let mut storage = DomainStorage::of(kind);
    let mut made: Vec<StorageConnectionAdded> = Vec::new();
    let in_use = |by: &StorageDomain| act.no(Key::StorageConnectionExists).with("name", &by.config.name);
    if kind == StorageKind::Glance {
        return Err(act.no(Key::ConnectionKindUnsupported));
    }
    if !kind.is_block() {
        let mut server = asked.server.clone();
        server.host = (kind == StorageKind::Localfs).then_some(host);
        let known = match asked.connection {
            Some(id) => Some(world.storage_connections.get(&id).ok_or_else(|| act.no(Key::ConnectionMissing))?),
            None => {
                storage_connection::check_config(act, &server)?;
                storage_connection::leading_to(world, &server)
            }
        };
        if let Some(by) = known.and_then(|c| storage_connection::users(world, c.id).next()) {
            return Err(in_use(by));
        }
        storage.connections.push(known.map_or_else(
            || {
                let connection = cx.fresh(FIRST_CONNECTION);
                made.push(StorageConnectionAdded { connection, config: server, made_for: Some(domain) });
                connection
            },
            |c| c.id,
        ));
        return Ok((storage, made.into_iter().map(Event::from).collect()));
    }
    if asked.luns.is_empty() {
        return Err(act.no(Key::DomainWithoutLuns));
    }
    units(act, world, cx, domain, kind, &asked.luns)
}

/// The logical units that a domain gets, with the connections that have to be made for them.
fn units(
    act: Act,
    world: &World,
    cx: &Context,
    domain: StorageDomainId,
    kind: StorageKind,
    luns: &[Lun],
) -> Result<(DomainStorage, Vec<Event>), Rejection> {
    let mut storage = DomainStorage::of(kind);
    let mut made: Vec<StorageConnectionAdded> = Vec::new();
    check::range(act, "storage.logical_unit", luns.len() as i64, 1, MAX_LUNS as i64)?;
    for lun in luns {
        check::text(act, "storage.logical_unit.id", &lun.id, check::MAX_DESCRIPTION)?;
        let has = |d: &&std::sync::Arc<StorageDomain>| d.storage.luns.iter().any(|own| own.id == lun.id);
        if let Some(by) = world.storage_domains.values().find(has) {
            return Err(act.no(Key::StorageConnectionExists).with("name", &by.config.name));
        }
        let mut connection = None;
        if let Some(portal) = lun.portal.as_ref().filter(|_| kind == StorageKind::Iscsi) {
            storage_connection::check_config(act, portal)?;
            let known = storage_connection::leading_to(world, portal).map(|c| c.id);
            let known = known.or_else(|| made.iter().find(|m| m.config.leads_where(portal)).map(|m| m.connection));
            let id = known.unwrap_or_else(|| {
                let connection = cx.fresh(FIRST_CONNECTION + made.len() as u64);
                made.push(StorageConnectionAdded { connection, config: portal.clone(), made_for: Some(domain) });
                connection
            });
            connection = Some(id);
            if !storage.connections.contains(&id) {
                storage.connections.push(id);
            }
        }
        if storage.luns.iter().all(|own| own.id != lun.id) {
            storage.luns.push(DomainLun { id: lun.id.clone(), connection, device: lun.device.clone() });
        }
    }
    Ok((storage, made.into_iter().map(Event::from).collect()))
}

/// Whether a domain of a class may have a format on such storage.
pub(super) fn fits(format: StorageFormat, class: DomainClass, kind: StorageKind) -> bool {
    let data = class == DomainClass::Data;
    match format {
        StorageFormat::V1 => true,
        StorageFormat::V2 => data && kind.is_block(),
        StorageFormat::V3 => data,
    }
}

/// Local storage belongs to the host of a data center of that kind.
fn check_local(act: Act, world: &World, host: HostId, kind: StorageKind) -> Result<(), Rejection> {
    if kind != StorageKind::Localfs {
        return Ok(());
    }
    match world.data_center_of(world.host(host)?.config.cluster) {
        Some(dc) if dc.config.storage_type == StorageKind::Localfs => Ok(()),
        _ => Err(act.no(Key::DataCenterNotLocal)),
    }
}

/// Creates a storage domain through a host, which was asked before whether it can reach the storage.
#[derive(Clone, Debug)]
pub struct CreateStorageDomain {
    /// What a user says of it.
    pub config: StorageDomainConfig,
    /// What it is for.
    pub class: DomainClass,
    /// Where it is to lie.
    pub storage: Storage,
    /// v3 for data and v1 for others where nothing is said.
    pub format: Option<StorageFormat>,
    /// Which host.
    pub host: HostId,
    /// Whether what lies on the logical units, and is no storage domain that is known, is overwritten.
    pub overwrite: bool,
    /// Whether the host can reach it, and if not why.
    pub mount: Result<(), String>,
}

impl Decide for CreateStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "Storage");
        check_config(act, world, None, &self.config)?;
        up(world, act, self.host)?;
        if self.class == DomainClass::Image {
            return Err(act.no(Key::DomainClassUnsupported));
        }
        check_local(act, world, self.host, self.storage.kind())?;
        let domain: StorageDomainId = cx.fresh(0);
        let (storage, connections) = settle(act, world, cx, self.host, domain, &self.storage)?;
        let data = self.class == DomainClass::Data;
        let format = self.format.unwrap_or_else(|| {
            let host = world.hosts.get(&self.host).filter(|_| data);
            let data_center = host.and_then(|h| world.data_center_of(h.config.cluster));
            let usual = if data { StorageFormat::V3 } else { StorageFormat::V1 };
            data_center.map_or(usual, |dc| upgrade::preferred(dc.config.version, self.storage.kind()))
        });
        if !fits(format, self.class, self.storage.kind()) {
            return Err(act.no(Key::DomainFormatUnsupported).with("format", format.name()));
        }
        if let Err(detail) = &self.mount {
            return Err(act.no(Key::StorageMountFailed).with("detail", detail));
        }
        let description = format!("Adding Storage Domain {}", self.config.name);
        let added =
            StorageDomainAdded { domain, config: self.config.clone(), class: self.class, storage, format, host: self.host };
        let mut events = vec![added.into()];
        events.extend(connections);
        events.push(opened(cx, 1, description, Task::CreateStorageDomain { domain, host: self.host, overwrite: self.overwrite }));
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateStorageDomain, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::CreateStorageDomain)
    }
}

/// A storage domain as a host found it on storage.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundDomain {
    /// Identifier.
    pub id: StorageDomainId,
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub class: DomainClass,
    /// The format of its storage.
    pub format: StorageFormat,
    /// In bytes.
    pub available: i64,
    /// In bytes.
    pub used: i64,
}

/// Takes in an ISO or export domain that lies on storage already.
#[derive(Clone, Debug)]
pub struct ImportStorageDomain {
    /// An empty name becomes the one that was found.
    pub config: StorageDomainConfig,
    /// What it is for.
    pub class: DomainClass,
    /// Where it lies.
    pub storage: Storage,
    /// Which host.
    pub host: HostId,
    /// What the host found, or why it could not look.
    pub found: Result<Option<FoundDomain>, String>,
}

impl Decide for ImportStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "Storage");
        up(world, act, self.host)?;
        check_local(act, world, self.host, self.storage.kind())?;
        let found = self.found.as_ref().map_err(|detail| act.no(Key::StorageMountFailed).with("detail", detail))?;
        let found = found.as_ref().ok_or_else(|| act.no(Key::DomainNothingToImport))?;
        if found.class != self.class || !matches!(found.class, DomainClass::Iso | DomainClass::Export) {
            return Err(act.no(Key::DomainTypeIllegal).with("class", found.class.name()));
        }
        if world.storage_domains.contains(&found.id) {
            return Err(act.no(Key::DomainExists));
        }
        let mut config = self.config.clone();
        if config.name.is_empty() {
            config.name = found.name.clone();
        }
        check_config(act, world, None, &config)?;
        let (storage, connections) = settle(act, world, cx, self.host, found.id, &self.storage)?;
        let imported = StorageDomainImported {
            domain: found.id,
            config,
            class: found.class,
            storage,
            format: found.format,
            available: found.available,
            used: found.used,
        };
        // Engines of before left permissions on what was removed.
        let mut events = crate::access::revocations(world, EntityRef::StorageDomain(found.id));
        events.push(imported.into());
        events.extend(connections);
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateStorageDomain, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::CreateStorageDomain)
    }
}

/// A domain's storage is ready, with its available and used space, or could not be prepared.
///
/// Local storage is attached to its host's data center at once: it can be in no other.
#[derive(Clone, Debug)]
pub struct FinishStorageDomainCreation {
    /// The job that ends.
    pub job: JobId,
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// The bytes that are free and in use, or why it came to nothing.
    pub outcome: Result<(i64, i64), String>,
}

impl Decide for FinishStorageDomainCreation {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        if let Some(domain) = world.storage_domains.get(&self.domain).filter(|d| d.state == DomainState::Creating) {
            match &self.outcome {
                Ok((available, used)) => {
                    events.push(StorageDomainCreated { domain: self.domain, available: *available, used: *used }.into());
                    if let Some(host) = domain.storage.located(world).server.host.and_then(|id| world.hosts.get(&id)) {
                        let data_center = world.data_center_of(host.config.cluster);
                        let attached = data_center.map(|dc| super::attach::attach(world, cx, domain, dc));
                        events.extend(attached.into_iter().flatten().flatten());
                    }
                }
                Err(reason) => {
                    let name = domain.config.name.clone();
                    events.push(StorageDomainCreationFailed { domain: self.domain, name, reason: reason.clone() }.into());
                    let own = |id: &&StorageConnectionId| {
                        world.storage_connections.get(id).is_some_and(|c| c.made_for == Some(self.domain))
                    };
                    events.extend(released(world, domain).iter().filter(own).map(removal));
                }
            }
        }
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}

fn removal(connection: &StorageConnectionId) -> Event {
    StorageConnectionRemoved { connection: *connection }.into()
}

/// The connections of a domain that no other uses.
fn released(world: &World, domain: &StorageDomain) -> Vec<StorageConnectionId> {
    let alone = |id: &&StorageConnectionId| storage_connection::users(world, **id).all(|d| d.id == domain.id);
    domain.storage.connections.iter().filter(alone).copied().collect()
}

/// The events by which a domain is gone, with the permissions on it and the connections that led to it alone.
pub(crate) fn gone(world: &World, domain: &StorageDomain, destroyed: bool) -> Vec<Event> {
    // Its stream stays open, so that nothing else takes them away: it may be imported again.
    let mut events = crate::access::revocations(world, EntityRef::StorageDomain(domain.id));
    events.push(StorageDomainRemoved { domain: domain.id, name: domain.config.name.clone(), destroyed }.into());
    events.extend(released(world, domain).iter().map(removal));
    events
}

/// The events by which all that lies on storage domains is forgotten: a VM goes when it has a disk there and none elsewhere.
pub(crate) fn forgotten(world: &World, act: Act, domains: &[StorageDomainId]) -> Result<Vec<Event>, Rejection> {
    let disks: Vec<_> = domains.iter().flat_map(|domain| world.disks_on(*domain)).collect();
    let lost = |disk: &DiskId| disks.iter().any(|d| d.id == *disk);
    let holders: std::collections::BTreeSet<VmId> = disks.iter().flat_map(|d| d.vms.iter().copied()).collect();
    let mut events: Vec<Event> = Vec::new();
    for vm in holders.iter().filter_map(|id| world.vms.get(id)) {
        if vm.run.is_some() {
            return Err(act.no(Key::DomainHasActiveVms));
        }
        if vm.disks.iter().all(|d| lost(&d.disk)) {
            events.push(VmRemoved { vm: vm.id, name: vm.config.name.clone() }.into());
        } else {
            let gone = vm.disks.iter().filter(|d| lost(&d.disk));
            events.extend(gone.map(|d| Event::from(DiskDetached { vm: vm.id, disk: d.disk })));
        }
    }
    events.extend(disks.iter().map(|d| Event::from(DiskRemoved { disk: d.id, alias: d.config.alias.clone() })));
    Ok(events)
}

/// Changes a storage domain.
#[derive(Clone, Debug)]
pub struct UpdateStorageDomain {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// What changes of it.
    pub changes: StorageDomainPatch,
    /// What it is to lie upon in addition; where that is refused nothing is changed.
    pub extension: Option<ExtendStorageDomain>,
}

impl Decide for UpdateStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let current = world.storage_domain(self.domain)?;
        let mut events = Vec::new();
        let changes = self.changes.clone().reduce(&current.config);
        if !changes.is_empty() {
            let mut wanted = current.config.clone();
            wanted.apply(&changes);
            let act = Act("edit", "Storage");
            // An image domain is never attached.
            if current.attachments.is_empty() && current.class != DomainClass::Image {
                return Err(act.no(Key::DomainStatusIllegal).with("status", StorageStatus::Unattached.name()));
            }
            check_config(act, world, Some(self.domain), &wanted)?;
            events.push(StorageDomainUpdated { domain: self.domain, changes }.into());
        }
        if let Some(extension) = &self.extension {
            events.extend(extension.decide(world, cx)?);
        }
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::EditStorageDomainConfiguration, EntityRef::StorageDomain(self.domain)))
    }
}

/// Lays an active domain of block storage upon further logical units.
#[derive(Clone, Debug)]
pub struct ExtendStorageDomain {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// The host that does it.
    pub host: HostId,
    /// Those that it gets in addition.
    pub luns: Vec<Lun>,
}

impl Decide for ExtendStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("extend", "Storage");
        let domain = world.storage_domain(self.domain)?;
        let kind = domain.storage.kind;
        if !kind.is_block() {
            return Err(act.no(Key::DomainTypeIllegal).with("class", kind.name()));
        }
        up(world, act, self.host)?;
        if !domain.is_in(AttachmentStatus::Active) {
            let status = domain.attachment().map_or("unattached", |a| a.status.name());
            return Err(act.no(Key::DomainStatusIllegal).with("status", status));
        }
        if open_job(world, EntityRef::StorageDomain(self.domain), |task| matches!(task, Task::ExtendStorageDomain { .. }))
            .is_some()
        {
            return Err(Key::StateMoved.into());
        }
        let count = domain.storage.luns.len() + self.luns.len();
        check::range(act, "storage.logical_unit", count as i64, 1, MAX_LUNS as i64)?;
        let (more, mut events) = units(act, world, cx, self.domain, kind, &self.luns)?;
        let task = Task::ExtendStorageDomain { domain: self.domain, host: self.host, luns: more.luns };
        events.push(opened(cx, 0, format!("Extending Storage Domain {}", domain.config.name), task));
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::EditStorageDomainConfiguration, EntityRef::StorageDomain(self.domain)))
    }
}

/// A domain lies upon further logical units, with its available and used space, or could not be laid there.
#[derive(Clone, Debug)]
pub struct FinishStorageDomainExtension {
    /// The job that ends.
    pub job: JobId,
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Those that it was to get in addition.
    pub luns: Vec<DomainLun>,
    /// The bytes that are free and in use, or why it came to nothing.
    pub outcome: Result<(i64, i64), String>,
}

impl Decide for FinishStorageDomainExtension {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        match &self.outcome {
            Ok((available, used)) if world.storage_domains.contains(&self.domain) => {
                let (domain, luns, available, used) = (self.domain, self.luns.clone(), *available, *used);
                events.push(StorageDomainExtended { domain, luns, available, used }.into());
            }
            _ => {
                let mut made: Vec<StorageConnectionId> = self.luns.iter().filter_map(|lun| lun.connection).collect();
                made.sort();
                made.dedup();
                let unused = |id: &&StorageConnectionId| {
                    world.storage_connections.get(id).is_some_and(|c| c.made_for == Some(self.domain))
                        && storage_connection::users(world, **id).next().is_none()
                };
                events.extend(made.iter().filter(unused).map(removal));
            }
        }
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}

/// Removes a storage domain that is attached nowhere; local storage is detached with it. What a service keeps stays there.
///
/// Destroying one forgets it together with what lies on it, also where it is attached and not active; its storage keeps the data.
#[derive(Clone, Debug)]
pub struct RemoveStorageDomain {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// The host that wipes the storage.
    pub host: Option<HostId>,
    /// Whether the storage is wiped.
    pub format: bool,
    /// Whether it is only forgotten.
    pub destroy: bool,
}

/// The events by which a domain is in no data center any more.
fn detachments(world: &World, domain: &StorageDomain) -> Vec<Event> {
    domain.attachments.iter().flat_map(|a| detachment(world, domain.id, a.data_center)).collect()
}

impl RemoveStorageDomain {
    /// The events that take the domain from its data centers.
    fn detached(&self, world: &World, act: Act, domain: &StorageDomain) -> Result<Vec<Event>, Rejection> {
        if domain.attachments.is_empty() {
            return Ok(Vec::new());
        }
        if !self.destroy && domain.storage.kind != StorageKind::Localfs {
            return Err(act.no(Key::DomainAttached));
        }
        let idle = [AttachmentStatus::Maintenance, AttachmentStatus::Inactive, AttachmentStatus::Unknown];
        if let Some(busy) = domain.attachments.iter().find(|a| !idle.contains(&a.status)) {
            return Err(act.no(Key::DomainStatusIllegal).with("status", busy.status.name()));
        }
        if self.destroy && domain.is_master(world) {
            return Err(act.no(Key::DomainDestroyLast));
        }
        // Without a data domain the data center could not do anything with the others.
        let alone = |a: &Attachment| world.storage_domains.by(StorageDomainTerm::DataCenter(a.data_center)).count() == 1;
        if domain.is_master(world) && !domain.attachments.iter().all(alone) {
            return Err(act.no(Key::DomainLast));
        }
        if !self.destroy && world.disks_on(domain.id).next().is_some() {
            return Err(act.no(Key::DomainHasImages));
        }
        Ok(detachments(world, domain))
    }
}

impl Decide for RemoveStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Storage");
        let domain = world.storage_domain(self.domain)?;
        if domain.state != DomainState::Ready {
            return Err(act.no(Key::DomainStatusIllegal).with("status", "locked"));
        }
        let detached = self.detached(world, act, domain)?;
        if domain.class == DomainClass::Image && crate::spm::domain_at_work(world, self.domain) {
            return Err(Key::StateMoved.into());
        }
        let Some(host) = self.host.filter(|_| !self.destroy && domain.class != DomainClass::Image) else {
            let mut events = forgotten(world, act, &[self.domain])?;
            events.extend(detached);
            events.extend(gone(world, domain, self.destroy));
            return Ok(events);
        };
        up(world, act, host)?;
        let task = Task::RemoveStorageDomain { domain: self.domain, host, format: self.format };
        // What is attached stays so until the host is done.
        Ok(vec![
            StorageDomainRemovalStarted { domain: self.domain }.into(),
            opened(cx, 0, format!("Removing Storage Domain {}", domain.config.name), task),
        ])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::DeleteStorageDomain, EntityRef::StorageDomain(self.domain)))
    }
}

/// A domain's storage is wiped, or could not be: the domain is ready again.
#[derive(Clone, Debug)]
pub struct FinishStorageDomainRemoval {
    /// The job that ends.
    pub job: JobId,
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Whether it came about, and if not why.
    pub outcome: Result<(), String>,
}

impl Decide for FinishStorageDomainRemoval {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        if let Some(domain) = world.storage_domains.get(&self.domain) {
            match &self.outcome {
                Ok(()) => {
                    events.extend(detachments(world, domain));
                    events.extend(gone(world, domain, false));
                }
                Err(_) => {
                    let (available, used) = (domain.available, domain.used);
                    events.push(StorageDomainCreated { domain: self.domain, available, used }.into());
                }
            }
        }
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}

/// The free part of a domain, in percent, below which it runs low.
pub const LOW_SPACE_PERCENT: i64 = 10;

/// Whether a domain has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceLevel {
    /// It has.
    Enough,
    /// Less than [`LOW_SPACE_PERCENT`] of it is free.
    Low,
    /// So little that it takes no more disks: [`crate::disk::CRITICAL_SPACE`].
    Critical,
}

impl StorageDomain {
    /// Whether it has room.
    pub fn space_level(&self) -> SpaceLevel {
        match () {
            () if !self.class.has_space() => SpaceLevel::Enough,
            () if self.available < crate::disk::CRITICAL_SPACE => SpaceLevel::Critical,
            () if self.available < self.available.saturating_add(self.used) / 100 * LOW_SPACE_PERCENT => SpaceLevel::Low,
            () => SpaceLevel::Enough,
        }
    }
}

/// How full a domain is, as a driver observed it.
#[derive(Clone, Debug)]
pub struct ReportDomainSpace {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Bytes that are free.
    pub available: i64,
    /// Bytes in use.
    pub used: i64,
}

impl Decide for ReportDomainSpace {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(domain) = world.storage_domains.get(&self.domain) else { return Ok(Vec::new()) };
        if (domain.available, domain.used) == (self.available, self.used) {
            return Ok(Vec::new());
        }
        let (available, used) = (self.available, self.used);
        Ok(vec![StorageDomainSpaceReported { domain: self.domain, available, used }.into()])
    }
}

/// The files of an ISO domain, as a driver listed them.
#[derive(Clone, Debug)]
pub struct ReportDomainFiles {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// The files on it.
    pub files: Vec<DomainFile>,
}

impl Decide for ReportDomainFiles {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let same = world.storage_domains.get(&self.domain).is_none_or(|d| d.files == self.files);
        Ok(if same {
            Vec::new()
        } else {
            vec![StorageDomainFilesListed { domain: self.domain, files: self.files.clone() }.into()]
        })
    }
}
