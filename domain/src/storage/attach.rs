//! Storage domains in data centers: attaching, activating, deactivating and detaching. The guide's chapter 9.4.

use crate::access::EntityRef;
use crate::check::Act;
use crate::command::Decide;
use crate::context::Context;
use crate::data_center::DataCenter;
use crate::event::Event;
use crate::host::HostStatus;
use crate::ids::*;
use crate::index::{StorageDomainTerm, VmTerm};
use crate::job::{JobEnded, Task};
use crate::permit::Permit;
use crate::rejection::{Key, Rejection, not_found};
use crate::storage::provision::opened;
use crate::storage::*;
use crate::world::World;

const ATTACH: Act = Act("attach", "Storage");

fn manipulate(domain: StorageDomainId) -> Option<(Permit, EntityRef)> {
    Some((Permit::ManipulateStorageDomain, EntityRef::StorageDomain(domain)))
}

/// The events that attach a domain to a data center.
///
/// The first data domain becomes the master and gives the data center its format; later ones are raised to it.
pub(super) fn attach(
    world: &World,
    cx: &Context,
    domain: &StorageDomain,
    data_center: &DataCenter,
) -> Result<Vec<Event>, Rejection> {
    let data = domain.class == DomainClass::Data;
    if domain.class == DomainClass::Image {
        return Err(ATTACH.no(Key::DomainTypeIllegal).with("class", domain.class.name()));
    }
    if data_center.master.is_none() && !data {
        return Err(ATTACH.no(Key::DomainNeedsData));
    }
    if data && domain.storage.kind != data_center.config.storage_type {
        return Err(ATTACH.no(Key::DomainTypeMismatch));
    }
    let one = match domain.class {
        DomainClass::Iso => Some(Key::DomainOneIso),
        DomainClass::Export => Some(Key::DomainOneExport),
        DomainClass::Data | DomainClass::Image => None,
    };
    let twin = |d: &std::sync::Arc<StorageDomain>| {
        d.class == domain.class && d.id != domain.id && d.attachment_in(data_center.id).is_some()
    };
    if let Some(key) = one.filter(|_| world.storage_domains.values().any(twin)) {
        return Err(ATTACH.no(key));
    }
    if !world.hosts_in(data_center.id).any(|h| h.status == HostStatus::Up) {
        return Err(ATTACH.no(Key::NoHostInDataCenter));
    }
    if let Some(master) = data_center.master.and_then(|id| world.storage_domains.get(&id))
        && !master.is_in(AttachmentStatus::Active)
    {
        return Err(ATTACH.no(Key::MasterNotActive));
    }
    let format = data_center.storage_format.filter(|_| data).map_or(domain.format, |f| f.max(domain.format));
    if !upgrade::known(format, data_center.config.version) {
        return Err(ATTACH.no(Key::DomainFormatUnsupported).with("format", format.name()));
    }
    let master = data && data_center.master.is_none();
    let description = format!("Attaching Storage Domain {} to Data Center {}", domain.config.name, data_center.config.name);
    Ok(vec![
        StorageDomainAttached { domain: domain.id, data_center: data_center.id, master, format }.into(),
        opened(cx, 0, description, Task::AttachStorageDomain { domain: domain.id, data_center: data_center.id }),
    ])
}

/// Attaches a storage domain to a data center; it is activated at once. An ISO domain may be in several.
#[derive(Clone, Debug)]
pub struct AttachStorageDomain {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which data center.
    pub data_center: DataCenterId,
}

impl Decide for AttachStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let domain = world.storage_domain(self.domain)?;
        let data_center = world.data_center(self.data_center)?;
        let several = domain.class == DomainClass::Iso;
        if domain.attachments.iter().any(|a| !several || a.data_center == self.data_center) {
            return Err(ATTACH.no(Key::DomainAlreadyAttached));
        }
        if domain.state != DomainState::Ready {
            return Err(ATTACH.no(Key::DomainStatusIllegal).with("status", "locked"));
        }
        attach(world, cx, domain, data_center)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        manipulate(self.domain)
    }
}

/// The domain with its attachment to a data center, or that there is none.
fn attached(
    world: &World,
    domain: StorageDomainId,
    data_center: DataCenterId,
) -> Result<(&StorageDomain, Attachment), Rejection> {
    let found = world.storage_domain(domain)?;
    let attachment = found.attachment_in(data_center);
    Ok((found, attachment.ok_or_else(|| not_found(format_args!("StorageDomain: id={domain}")))?))
}

/// The event by which an attached domain stands otherwise.
pub(super) fn change(domain: StorageDomainId, from: Attachment, to: AttachmentStatus, reason: &str) -> Event {
    let (data_center, from, reason) = (from.data_center, from.status, reason.to_owned());
    StorageDomainStatusChanged { domain, data_center, from, to, reason }.into()
}

/// The events that lock a domain for a task.
fn lock(cx: &Context, domain: &StorageDomain, from: Attachment, what: &str, task: Task) -> Vec<Event> {
    vec![
        change(domain.id, from, AttachmentStatus::Locked, ""),
        opened(cx, 0, format!("{what} Storage Domain {}", domain.config.name), task),
    ]
}

/// Activates an attached storage domain.
#[derive(Clone, Debug)]
pub struct ActivateStorageDomain {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which data center.
    pub data_center: DataCenterId,
}

impl Decide for ActivateStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("activate", "Storage");
        let (domain, attachment) = attached(world, self.domain, self.data_center)?;
        if matches!(attachment.status, AttachmentStatus::Active | AttachmentStatus::Locked) {
            return Err(act.no(Key::DomainStatusIllegal).with("status", attachment.status.name()));
        }
        if domain.state != DomainState::Ready {
            return Err(act.no(Key::DomainStatusIllegal).with("status", "locked"));
        }
        let Some(master) = world.data_center(self.data_center)?.master.and_then(|id| world.storage_domains.get(&id)) else {
            return Err(act.no(Key::DataCenterStatusIllegal));
        };
        if master.id != self.domain && !master.is_in(AttachmentStatus::Active) {
            return Err(act.no(Key::MasterNotActive));
        }
        if !world.hosts_in(attachment.data_center).any(|h| h.status == HostStatus::Up) {
            return Err(act.no(Key::NoHostInDataCenter));
        }
        let task = Task::ActivateStorageDomain { domain: self.domain, data_center: self.data_center };
        Ok(lock(cx, domain, attachment, "Activating", task))
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        manipulate(self.domain)
    }
}

/// Moves an active storage domain to maintenance.
#[derive(Clone, Debug)]
pub struct DeactivateStorageDomain {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which data center.
    pub data_center: DataCenterId,
}

impl Decide for DeactivateStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("deactivate", "Storage");
        let (domain, attachment) = attached(world, self.domain, self.data_center)?;
        if attachment.status != AttachmentStatus::Active {
            return Err(act.no(Key::DomainStatusIllegal).with("status", attachment.status.name()));
        }
        let another = |status| {
            let mut others = world.storage_domains.by(StorageDomainTerm::DataCenter(self.data_center));
            others.any(|d| d.id != self.domain && d.attachment_in(self.data_center).is_some_and(|a| a.status == status))
        };
        if domain.is_master(world) && another(AttachmentStatus::Locked) {
            return Err(act.no(Key::MasterWithLocked));
        }
        // Also of one that is to follow a master on its way out.
        let carries = domain.class == DomainClass::Data;
        if carries && another(AttachmentStatus::Active) && successor(world, domain).is_none() {
            return Err(act.no(Key::MasterWithOthers));
        }
        let busy = world
            .disks_on(self.domain)
            .flat_map(|d| d.vms.iter().map(move |vm| (vm, d)))
            .filter_map(|(vm, d)| Some((world.vms.get(vm)?, d)))
            .any(|(vm, d)| !vm.is_down() && vm.disks.iter().any(|a| a.disk == d.id && a.active));
        // A data center has one ISO domain, so that whatever CD is in use there is of that one.
        let iso_busy = domain.class == DomainClass::Iso
            && world
                .clusters_of(attachment.data_center)
                .any(|cluster| world.vms.ids_by(VmTerm::Inserted(cluster.id)).next().is_some());
        if busy || iso_busy {
            return Err(act.no(Key::DomainHasActiveVms));
        }
        if domain.is_master(world) && crate::spm::storage_at_work(world, self.data_center) {
            return Err(act.no(Key::MasterWithTasks));
        }
        if crate::spm::domain_at_work(world, self.domain) {
            return Err(act.no(Key::DomainWithTasks));
        }
        let task = Task::DeactivateStorageDomain { domain: self.domain, data_center: self.data_center };
        Ok(lock(cx, domain, attachment, "Deactivating", task))
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        manipulate(self.domain)
    }
}

/// The active data domain that takes the master's part when it leaves.
fn successor(world: &World, master: &StorageDomain) -> Option<StorageDomainId> {
    let data_center = master.attachment()?.data_center;
    world
        .storage_domains
        .values()
        .find(|d| d.id != master.id && d.class == DomainClass::Data && d.is_active_in(data_center))
        .map(|d| d.id)
}

/// The event by which a master that cannot go on is followed.
pub(super) fn sought(world: &World, domain: &StorageDomain) -> Option<Event> {
    let data_center = domain.data_center(world).filter(|dc| dc.master == Some(domain.id))?.id;
    Some(MasterSought { data_center, found: successor(world, domain) }.into())
}

/// Takes a storage domain from its data center.
#[derive(Clone, Debug)]
pub struct DetachStorageDomain {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which data center.
    pub data_center: DataCenterId,
}

impl Decide for DetachStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("detach", "Storage");
        let (domain, attachment) = attached(world, self.domain, self.data_center)?;
        if !matches!(attachment.status, AttachmentStatus::Maintenance | AttachmentStatus::Inactive) {
            return Err(act.no(Key::DomainStatusIllegal).with("status", attachment.status.name()));
        }
        if domain.storage.kind == StorageKind::Localfs {
            return Err(act.no(Key::LocalNoDetach));
        }
        if domain.is_master(world) {
            return Err(act.no(Key::DomainLast));
        }
        if world.disks_on(self.domain).next().is_some() {
            return Err(act.no(Key::DomainHasImages));
        }
        let task = Task::DetachStorageDomain { domain: self.domain, data_center: self.data_center };
        Ok(lock(cx, domain, attachment, "Detaching", task))
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        manipulate(self.domain)
    }
}

/// The events by which a domain is in a data center no more, and with it the limits that its quotas had on the domain.
pub(crate) fn detachment(world: &World, domain: StorageDomainId, data_center: DataCenterId) -> Vec<Event> {
    let mut events = vec![StorageDomainDetached { domain, data_center, untold: false }.into()];
    events.extend(crate::quota::without_domain(world, data_center, domain));
    events
}

/// Ends an attachment, activation, deactivation or detachment. What was attached and could not be activated stays attached.
#[derive(Clone, Debug)]
pub struct FinishStorageTask {
    /// The job that ends.
    pub job: JobId,
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Whether it came about, and if not why.
    pub outcome: Result<(), String>,
}

impl Decide for FinishStorageTask {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let job = world.job(self.job)?;
        let task = &job.task;
        let end: Event = JobEnded { job: self.job, failure: self.outcome.clone().err() }.into();
        let (Task::AttachStorageDomain { data_center, .. }
        | Task::ActivateStorageDomain { data_center, .. }
        | Task::DeactivateStorageDomain { data_center, .. }
        | Task::DetachStorageDomain { data_center, .. }) = *task
        else {
            return Ok(vec![end]);
        };
        let Some(domain) = world.storage_domains.get(&self.domain) else { return Ok(vec![end]) };
        let Some(attachment) = domain.attachment_in(data_center).filter(|a| a.status == AttachmentStatus::Locked) else {
            return Ok(vec![end]);
        };
        let change = |to, reason: &str| change(self.domain, attachment, to, reason);
        let mut events: Vec<Event> = Vec::new();
        match (task, &self.outcome) {
            (Task::AttachStorageDomain { .. }, Err(_)) if job.steps_done == 0 => {
                events.extend(detachment(world, self.domain, attachment.data_center));
            }
            (Task::AttachStorageDomain { .. }, Err(_)) => events.push(change(AttachmentStatus::Maintenance, "")),
            (Task::AttachStorageDomain { .. } | Task::ActivateStorageDomain { .. }, Ok(())) => {
                let mut attachment = attachment;
                if matches!(task, Task::AttachStorageDomain { .. }) {
                    events.push(change(AttachmentStatus::Maintenance, ""));
                    attachment.status = AttachmentStatus::Maintenance;
                }
                events.push(self::change(self.domain, attachment, AttachmentStatus::Active, ""));
                // What rested while its data center was upgraded was rewritten on its way.
                let wanted = world.data_centers.get(&data_center).and_then(|dc| dc.storage_format);
                let late = wanted.filter(|format| domain.class == DomainClass::Data && domain.format < *format);
                events.extend(late.map(|format| Event::from(StorageDomainUpgraded { domain: self.domain, format })));
                if domain.is_master(world) {
                    let data_center = world.data_center(attachment.data_center)?;
                    events.extend(crate::data_center::select_spm(world, data_center, None));
                }
            }
            (Task::DetachStorageDomain { .. }, Ok(())) => {
                events.extend(detachment(world, self.domain, attachment.data_center));
            }
            (_, Ok(())) => {
                events.push(change(AttachmentStatus::Maintenance, ""));
                // The last one leaves as the master.
                events.extend(sought(world, domain).filter(|_| successor(world, domain).is_some()));
            }
            (_, Err(why)) => events.push(change(attachment.before.unwrap_or(AttachmentStatus::Inactive), why)),
        }
        events.push(end);
        Ok(events)
    }
}
