//! Storage domains and their attachment to data centers: the guide's chapters 12 and 9.4.

use serde::{Deserialize, Serialize};

use crate::access::Object;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::data_center::DataCenter;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::host::HostStatus;
use crate::ids::*;
use crate::job::{JobEnded, JobOpened, Task};
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection, not_found};
use crate::vm::named;
use crate::world::{NameKind, World};

named! {
    /// The kind of storage.
    StorageKind {
        Nfs "nfs", Iscsi "iscsi", Fcp "fcp", Posixfs "posixfs", Localfs "localfs", Glusterfs "glusterfs", Glance "glance",
    }
}
named! {
    /// The format of what is on it.
    StorageFormat { V1 "v1", V2 "v2", V3 "v3" }
}
named! {
    /// What a domain holds.
    DomainClass { Data "data", Iso "iso", Export "export", Image "image" }
}
named! {
    /// How an attached domain stands in its data center.
    AttachmentStatus { Locked "locked", Active "active", Inactive "inactive", Maintenance "maintenance", Unknown "unknown" }
}

impl StorageKind {
    /// Whether it is made of block devices rather than files.
    pub fn is_block(self) -> bool {
        matches!(self, Self::Iscsi | Self::Fcp)
    }
}

/// Where a domain's storage is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    pub kind: StorageKind,
    pub address: String,
    pub path: String,
    /// Of an iSCSI portal.
    #[serde(default)]
    pub port: u16,
    #[serde(default)]
    pub target: String,
    #[serde(default)]
    pub luns: Vec<String>,
    #[serde(default)]
    pub vfs_type: String,
    #[serde(default)]
    pub mount_options: String,
}

/// A file of an ISO domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainFile {
    pub name: String,
    /// In bytes.
    pub size: i64,
}

/// A domain in a data center.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub data_center: DataCenterId,
    pub status: AttachmentStatus,
}

/// How far a domain's life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainState {
    /// Its storage is being prepared.
    Creating,
    Ready,
    /// Its storage is being wiped.
    Removing,
}

patchable! {
    /// What a user says of a storage domain.
    pub struct StorageDomainConfig, StorageDomainPatch {
        pub name: String,
        pub description: String,
        pub comment: String,
    }
}

/// A storage domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomain {
    pub id: StorageDomainId,
    pub version: u64,
    pub config: StorageDomainConfig,
    pub class: DomainClass,
    pub storage: Storage,
    pub format: StorageFormat,
    pub state: DomainState,
    pub attachment: Option<Attachment>,
    /// In bytes.
    pub available: i64,
    /// In bytes.
    pub used: i64,
    pub files: Vec<DomainFile>,
}

impl StorageDomain {
    /// The sum of its disks' provisioned sizes, in bytes.
    pub fn committed(&self, world: &World) -> i64 {
        world.disks_on(self.id).map(|d| d.config.size).sum()
    }

    /// Whether it is the master of its data center.
    pub fn is_master(&self, world: &World) -> bool {
        self.data_center(world).is_some_and(|dc| dc.master == Some(self.id))
    }

    fn data_center<'a>(&self, world: &'a World) -> Option<&'a DataCenter> {
        self.attachment.and_then(|a| world.data_centers.get(&a.data_center)).map(|dc| &**dc)
    }

    fn is_in(&self, status: AttachmentStatus) -> bool {
        self.attachment.is_some_and(|a| a.status == status)
    }
}

/// A storage domain was added; its storage is being prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainAdded {
    pub domain: StorageDomainId,
    pub config: StorageDomainConfig,
    pub class: DomainClass,
    pub storage: Storage,
    pub format: StorageFormat,
    pub host: HostId,
}

fold!(StorageDomainAdded, StorageDomain domain, |e, world, at| {
    world.take_name(NameKind::StorageDomain, &e.config.name, e.domain.0);
    let domain = StorageDomain {
        id: e.domain, version: at.version, config: e.config.clone(), class: e.class, storage: e.storage.clone(),
        format: e.format, state: DomainState::Creating, attachment: None, available: 0, used: 0, files: Vec::new(),
    };
    world.storage_domains.insert(e.domain, domain);
});

fn touch(world: &mut World, domain: StorageDomainId, at: &crate::event::Stamp, change: impl FnOnce(&mut StorageDomain)) {
    world.storage_domains.update(&domain, |d| {
        change(d);
        d.version = at.version;
    });
}

fn forget(world: &mut World, domain: StorageDomainId) {
    if let Some(old) = world.storage_domains.remove(&domain) {
        world.drop_name(NameKind::StorageDomain, &old.config.name, domain.0);
    }
    world.close_stream(StreamKind::StorageDomain, domain.0);
}

/// A storage domain's storage is ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainCreated {
    pub domain: StorageDomainId,
    pub available: i64,
    pub used: i64,
}

fold!(StorageDomainCreated, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| {
        d.state = DomainState::Ready;
        d.available = e.available;
        d.used = e.used;
    });
});

/// A storage domain's storage could not be prepared: the domain is gone again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainCreationFailed {
    pub domain: StorageDomainId,
    pub name: String,
    pub reason: String,
}

fold!(StorageDomainCreationFailed, StorageDomain domain, |e, world, at| { forget(world, e.domain); });

/// A storage domain was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainUpdated {
    pub domain: StorageDomainId,
    pub changes: StorageDomainPatch,
}

fold!(StorageDomainUpdated, StorageDomain domain, |e, world, at| {
    if let (Some(new), Some(old)) = (&e.changes.name, world.storage_domains.get(&e.domain).map(|d| d.config.name.clone())) {
        world.rename(NameKind::StorageDomain, &old, new, e.domain.0);
    }
    touch(world, e.domain, at, |d| d.config.apply(&e.changes));
});

/// A storage domain was attached to a data center; the first one becomes its master and gives it its format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainAttached {
    pub domain: StorageDomainId,
    pub data_center: DataCenterId,
    pub master: bool,
    /// The format that the domain has from now on.
    pub format: StorageFormat,
}

fold!(StorageDomainAttached, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| {
        d.format = e.format;
        d.attachment = Some(Attachment { data_center: e.data_center, status: AttachmentStatus::Locked });
    });
    if e.master {
        world.data_centers.update(&e.data_center, |dc| {
            dc.master = Some(e.domain);
            dc.storage_format = Some(e.format);
        });
    }
});

/// A storage domain stands otherwise in its data center. Where the master leaves for maintenance another takes its part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainStatusChanged {
    pub domain: StorageDomainId,
    pub from: AttachmentStatus,
    pub to: AttachmentStatus,
    /// The data center's new master, where it changes.
    pub new_master: Option<StorageDomainId>,
    pub reason: String,
}

fold!(StorageDomainStatusChanged, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| if let Some(a) = &mut d.attachment { a.status = e.to });
    let data_center = world.storage_domains.get(&e.domain).and_then(|d| d.attachment).map(|a| a.data_center);
    if let (Some(data_center), Some(master)) = (data_center, e.new_master) {
        world.data_centers.update(&data_center, |dc| dc.master = Some(master));
    }
});

/// A storage domain was detached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainDetached {
    pub domain: StorageDomainId,
    pub data_center: DataCenterId,
}

fold!(StorageDomainDetached, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| d.attachment = None);
    world.data_centers.update(&e.data_center, |dc| {
        if dc.master == Some(e.domain) {
            dc.master = None;
            dc.storage_format = None;
            dc.spm = None;
        }
    });
});

/// How full a storage domain is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainSpaceReported {
    pub domain: StorageDomainId,
    pub available: i64,
    pub used: i64,
}

fold!(StorageDomainSpaceReported, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| { d.available = e.available; d.used = e.used; });
});

/// The files of an ISO domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainFilesListed {
    pub domain: StorageDomainId,
    pub files: Vec<DomainFile>,
}

fold!(StorageDomainFilesListed, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| d.files = e.files.clone());
});

/// A storage domain's storage is being wiped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainRemovalStarted {
    pub domain: StorageDomainId,
}

fold!(StorageDomainRemovalStarted, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| d.state = DomainState::Removing);
});

/// A storage domain was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainRemoved {
    pub domain: StorageDomainId,
    pub name: String,
}

fold!(StorageDomainRemoved, StorageDomain domain, |e, world, at| { forget(world, e.domain); });

fn check_config(act: Act, world: &World, id: Option<StorageDomainId>, config: &StorageDomainConfig) -> Result<(), Rejection> {
    check::name(act, &config.name, check::MEDIUM_NAME)?;
    check::text(act, "description", &config.description, check::MAX_TEXT)?;
    check::text(act, "comment", &config.comment, check::MAX_TEXT)?;
    if world.exactly_named(NameKind::StorageDomain, &config.name).is_some_and(|other| Some(StorageDomainId(other)) != id) {
        return Err(act.no(Key::StorageDomainNameInUse));
    }
    Ok(())
}

fn opened(cx: &Context, n: u64, description: String, task: Task) -> Event {
    JobOpened { job: cx.fresh(n), description, task }.into()
}

fn up(world: &World, act: Act, host: HostId) -> Result<(), Rejection> {
    if world.host(host)?.status == HostStatus::Up { Ok(()) } else { Err(act.no(Key::HostNotUpForStorage)) }
}

/// Creates a storage domain through a host, which was asked before whether it can reach the storage.
#[derive(Clone, Debug)]
pub struct CreateStorageDomain {
    pub config: StorageDomainConfig,
    pub class: DomainClass,
    pub storage: Storage,
    /// v3 for data and v1 for others where nothing is said.
    pub format: Option<StorageFormat>,
    pub host: HostId,
    /// Whether the host can reach it, and if not why.
    pub mount: Result<(), String>,
}

impl Decide for CreateStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "Storage");
        check_config(act, world, None, &self.config)?;
        up(world, act, self.host)?;
        for (field, text) in [("storage.path", &self.storage.path), ("storage.address", &self.storage.address)] {
            check::text(act, field, text, check::MAX_TEXT)?;
        }
        let twin = world.storage_domains.values().find(|d| {
            let (a, b) = (&d.storage, &self.storage);
            (a.kind, &a.address, a.path.trim_end_matches('/'), &a.target, &a.luns)
                == (b.kind, &b.address, b.path.trim_end_matches('/'), &b.target, &b.luns)
        });
        if let Some(twin) = twin {
            return Err(act.no(Key::StorageConnectionExists).with("name", &twin.config.name));
        }
        let data = self.class == DomainClass::Data;
        let format = self.format.unwrap_or(if data { StorageFormat::V3 } else { StorageFormat::V1 });
        let fits = match format {
            StorageFormat::V1 => true,
            StorageFormat::V2 => data && self.storage.kind.is_block(),
            StorageFormat::V3 => data,
        };
        if !fits {
            return Err(act.no(Key::DomainFormatUnsupported).with("format", format.name()));
        }
        if let Err(detail) = &self.mount {
            return Err(act.no(Key::StorageMountFailed).with("detail", detail));
        }
        let domain: StorageDomainId = cx.fresh(0);
        let description = format!("Adding Storage Domain {}", self.config.name);
        let added = StorageDomainAdded {
            domain,
            config: self.config.clone(),
            class: self.class,
            storage: self.storage.clone(),
            format,
            host: self.host,
        };
        Ok(vec![added.into(), opened(cx, 1, description, Task::CreateStorageDomain { domain, host: self.host })])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::CreateStorageDomain, Object::System))
    }
}

/// A domain's storage is ready, with its available and used space, or could not be prepared.
#[derive(Clone, Debug)]
pub struct FinishStorageDomainCreation {
    pub job: JobId,
    pub domain: StorageDomainId,
    pub outcome: Result<(i64, i64), String>,
}

impl Decide for FinishStorageDomainCreation {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        if let Some(domain) = world.storage_domains.get(&self.domain).filter(|d| d.state == DomainState::Creating) {
            events.push(match &self.outcome {
                Ok((available, used)) => StorageDomainCreated { domain: self.domain, available: *available, used: *used }.into(),
                Err(reason) => {
                    let name = domain.config.name.clone();
                    StorageDomainCreationFailed { domain: self.domain, name, reason: reason.clone() }.into()
                }
            });
        }
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}

/// Changes a storage domain.
#[derive(Clone, Debug)]
pub struct UpdateStorageDomain {
    pub domain: StorageDomainId,
    pub changes: StorageDomainPatch,
}

impl Decide for UpdateStorageDomain {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let current = world.storage_domain(self.domain)?;
        let changes = self.changes.clone().reduce(&current.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = current.config.clone();
        wanted.apply(&changes);
        check_config(Act("edit", "Storage"), world, Some(self.domain), &wanted)?;
        Ok(vec![StorageDomainUpdated { domain: self.domain, changes }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::EditStorageDomainConfiguration, Object::StorageDomain(self.domain)))
    }
}

fn manipulate(domain: StorageDomainId) -> Option<(Permit, Object)> {
    Some((Permit::ManipulateStorageDomain, Object::StorageDomain(domain)))
}

/// Attaches a storage domain to a data center; it is activated at once.
#[derive(Clone, Debug)]
pub struct AttachStorageDomain {
    pub domain: StorageDomainId,
    pub data_center: DataCenterId,
}

impl Decide for AttachStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("attach", "Storage");
        let domain = world.storage_domain(self.domain)?;
        let data_center = world.data_center(self.data_center)?;
        if domain.attachment.is_some() {
            return Err(act.no(Key::DomainAlreadyAttached));
        }
        if domain.state != DomainState::Ready {
            return Err(act.no(Key::DomainStatusIllegal).with("status", "locked"));
        }
        let data = domain.class == DomainClass::Data;
        if data_center.master.is_none() && !data {
            return Err(act.no(Key::DomainNeedsData));
        }
        if data && domain.storage.kind != data_center.config.storage_type {
            return Err(act.no(Key::DomainTypeMismatch));
        }
        let attached = |class: DomainClass| {
            world
                .storage_domains
                .values()
                .any(|d| d.class == class && d.attachment.is_some_and(|a| a.data_center == self.data_center))
        };
        match domain.class {
            DomainClass::Iso if attached(DomainClass::Iso) => return Err(act.no(Key::DomainOneIso)),
            DomainClass::Export if attached(DomainClass::Export) => return Err(act.no(Key::DomainOneExport)),
            _ => {}
        }
        if !world.hosts_in(self.data_center).any(|h| h.status == HostStatus::Up) {
            return Err(act.no(Key::NoHostInDataCenter));
        }
        if let Some(master) = data_center.master.and_then(|id| world.storage_domains.get(&id))
            && !master.is_in(AttachmentStatus::Active)
        {
            return Err(act.no(Key::MasterNotActive));
        }
        let format = data_center.storage_format.filter(|_| data).map_or(domain.format, |f| f.max(domain.format));
        let master = data && data_center.master.is_none();
        let description = format!("Attaching Storage Domain {} to Data Center {}", domain.config.name, data_center.config.name);
        Ok(vec![
            StorageDomainAttached { domain: self.domain, data_center: self.data_center, master, format }.into(),
            opened(cx, 0, description, Task::AttachStorageDomain { domain: self.domain }),
        ])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        manipulate(self.domain)
    }
}

/// The domain with its attachment to a data center, or that there is none.
fn attached(world: &World, domain: StorageDomainId) -> Result<(&StorageDomain, Attachment), Rejection> {
    let found = world.storage_domain(domain)?;
    let attachment = found.attachment.ok_or_else(|| not_found(format_args!("StorageDomain: id={domain}")))?;
    Ok((found, attachment))
}

/// The events that lock a domain for a task.
fn lock(cx: &Context, domain: &StorageDomain, from: AttachmentStatus, what: &str, task: Task) -> Vec<Event> {
    let to = AttachmentStatus::Locked;
    vec![
        StorageDomainStatusChanged { domain: domain.id, from, to, new_master: None, reason: String::new() }.into(),
        opened(cx, 0, format!("{what} Storage Domain {}", domain.config.name), task),
    ]
}

/// Activates an attached storage domain.
#[derive(Clone, Debug)]
pub struct ActivateStorageDomain {
    pub domain: StorageDomainId,
}

impl Decide for ActivateStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("activate", "Storage");
        let (domain, attachment) = attached(world, self.domain)?;
        if matches!(attachment.status, AttachmentStatus::Active | AttachmentStatus::Locked) {
            return Err(act.no(Key::DomainStatusIllegal).with("status", attachment.status.name()));
        }
        let master = world.data_center(attachment.data_center)?.master.and_then(|id| world.storage_domains.get(&id));
        if master.is_some_and(|m| m.id != self.domain && !m.is_in(AttachmentStatus::Active)) {
            return Err(act.no(Key::MasterNotActive));
        }
        if !world.hosts_in(attachment.data_center).any(|h| h.status == HostStatus::Up) {
            return Err(act.no(Key::NoHostInDataCenter));
        }
        Ok(lock(cx, domain, attachment.status, "Activating", Task::ActivateStorageDomain { domain: self.domain }))
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        manipulate(self.domain)
    }
}

/// Moves an active storage domain to maintenance.
#[derive(Clone, Debug)]
pub struct DeactivateStorageDomain {
    pub domain: StorageDomainId,
}

impl Decide for DeactivateStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("deactivate", "Storage");
        let (domain, attachment) = attached(world, self.domain)?;
        if attachment.status != AttachmentStatus::Active {
            return Err(act.no(Key::DomainStatusIllegal).with("status", attachment.status.name()));
        }
        if domain.is_master(world) {
            let another = |status| {
                let mut others = world.storage_domains.values().filter(|d| d.id != self.domain);
                others.any(|d| d.attachment == Some(Attachment { status, ..attachment }))
            };
            if another(AttachmentStatus::Locked) {
                return Err(act.no(Key::MasterWithLocked));
            }
            if another(AttachmentStatus::Active) && successor(world, domain).is_none() {
                return Err(act.no(Key::MasterWithOthers));
            }
        }
        let uses = |vm: &crate::vm::Vm| !vm.is_down() && !vm.run.as_ref().map_or(&vm.cdrom, |run| &run.cdrom).is_empty();
        let busy = world
            .disks_on(self.domain)
            .flat_map(|d| d.vms.iter().map(move |vm| (vm, d)))
            .filter_map(|(vm, d)| Some((world.vms.get(vm)?, d)))
            .any(|(vm, d)| !vm.is_down() && vm.disks.iter().any(|a| a.disk == d.id && a.active));
        let iso_busy = domain.class == DomainClass::Iso
            && world
                .clusters
                .values()
                .filter(|c| c.config.data_center == Some(attachment.data_center))
                .any(|c| world.vms_in(c.id).any(|vm| uses(vm)));
        if busy || iso_busy {
            return Err(act.no(Key::DomainHasActiveVms));
        }
        Ok(lock(cx, domain, attachment.status, "Deactivating", Task::DeactivateStorageDomain { domain: self.domain }))
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        manipulate(self.domain)
    }
}

/// The active data domain that takes the master's part when it leaves.
fn successor(world: &World, master: &StorageDomain) -> Option<StorageDomainId> {
    let data_center = master.attachment?.data_center;
    world
        .storage_domains
        .values()
        .filter(|d| d.id != master.id && d.class == DomainClass::Data && d.is_in(AttachmentStatus::Active))
        .find(|d| d.attachment.is_some_and(|a| a.data_center == data_center))
        .map(|d| d.id)
}

/// Takes a storage domain from its data center.
#[derive(Clone, Debug)]
pub struct DetachStorageDomain {
    pub domain: StorageDomainId,
}

impl Decide for DetachStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("detach", "Storage");
        let (domain, attachment) = attached(world, self.domain)?;
        if !matches!(attachment.status, AttachmentStatus::Maintenance | AttachmentStatus::Inactive) {
            return Err(act.no(Key::DomainStatusIllegal).with("status", attachment.status.name()));
        }
        if domain.is_master(world) {
            return Err(act.no(Key::DomainLast));
        }
        if world.disks_on(self.domain).next().is_some() {
            return Err(act.no(Key::DomainHasImages));
        }
        Ok(lock(cx, domain, attachment.status, "Detaching", Task::DetachStorageDomain { domain: self.domain }))
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        manipulate(self.domain)
    }
}

/// Ends an attachment, activation, deactivation or detachment.
#[derive(Clone, Debug)]
pub struct FinishStorageTask {
    pub job: JobId,
    pub domain: StorageDomainId,
    pub outcome: Result<(), String>,
}

impl Decide for FinishStorageTask {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let task = &world.job(self.job)?.task;
        let end: Event = JobEnded { job: self.job, failure: self.outcome.clone().err() }.into();
        let Some(domain) = world.storage_domains.get(&self.domain) else { return Ok(vec![end]) };
        let Some(attachment) = domain.attachment.filter(|a| a.status == AttachmentStatus::Locked) else {
            return Ok(vec![end]);
        };
        let change = |to, new_master, reason: &str| -> Event {
            let (domain, from, reason) = (self.domain, attachment.status, reason.to_owned());
            StorageDomainStatusChanged { domain, from, to, new_master, reason }.into()
        };
        let mut events: Vec<Event> = Vec::new();
        match (task, &self.outcome) {
            (Task::AttachStorageDomain { .. }, Err(_)) => {
                events.push(StorageDomainDetached { domain: self.domain, data_center: attachment.data_center }.into());
            }
            (Task::ActivateStorageDomain { .. }, Err(why)) => events.push(change(AttachmentStatus::Inactive, None, why)),
            (Task::DeactivateStorageDomain { .. }, Err(why)) => events.push(change(AttachmentStatus::Active, None, why)),
            (Task::DetachStorageDomain { .. }, Err(why)) => events.push(change(AttachmentStatus::Maintenance, None, why)),
            (Task::AttachStorageDomain { .. } | Task::ActivateStorageDomain { .. }, Ok(())) => {
                events.push(change(AttachmentStatus::Active, None, ""));
                if domain.is_master(world) {
                    let data_center = world.data_center(attachment.data_center)?;
                    events.extend(crate::data_center::select_spm(world, data_center, None));
                }
            }
            (Task::DetachStorageDomain { .. }, Ok(())) => {
                events.push(StorageDomainDetached { domain: self.domain, data_center: attachment.data_center }.into());
            }
            (_, Ok(())) => {
                let new_master = if domain.is_master(world) { successor(world, domain) } else { None };
                events.push(change(AttachmentStatus::Maintenance, new_master, ""));
            }
            (_, Err(_)) => {}
        }
        events.push(end);
        Ok(events)
    }
}

/// Removes a storage domain that is attached nowhere.
#[derive(Clone, Debug)]
pub struct RemoveStorageDomain {
    pub domain: StorageDomainId,
    /// The host that wipes the storage.
    pub host: Option<HostId>,
    /// Whether the storage is wiped.
    pub format: bool,
    /// Whether it is only forgotten.
    pub destroy: bool,
}

impl Decide for RemoveStorageDomain {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Storage");
        let domain = world.storage_domain(self.domain)?;
        if domain.attachment.is_some() {
            return Err(act.no(Key::DomainAttached));
        }
        if domain.state != DomainState::Ready {
            return Err(act.no(Key::DomainStatusIllegal).with("status", "locked"));
        }
        let Some(host) = self.host.filter(|_| !self.destroy) else {
            return Ok(vec![StorageDomainRemoved { domain: self.domain, name: domain.config.name.clone() }.into()]);
        };
        up(world, act, host)?;
        let task = Task::RemoveStorageDomain { domain: self.domain, host, format: self.format };
        Ok(vec![
            StorageDomainRemovalStarted { domain: self.domain }.into(),
            opened(cx, 0, format!("Removing Storage Domain {}", domain.config.name), task),
        ])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::DeleteStorageDomain, Object::StorageDomain(self.domain)))
    }
}

/// A domain's storage is wiped, or could not be: the domain is ready again.
#[derive(Clone, Debug)]
pub struct FinishStorageDomainRemoval {
    pub job: JobId,
    pub domain: StorageDomainId,
    pub outcome: Result<(), String>,
}

impl Decide for FinishStorageDomainRemoval {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        if let Some(domain) = world.storage_domains.get(&self.domain) {
            events.push(match &self.outcome {
                Ok(()) => StorageDomainRemoved { domain: self.domain, name: domain.config.name.clone() }.into(),
                Err(_) => {
                    let (available, used) = (domain.available, domain.used);
                    StorageDomainCreated { domain: self.domain, available, used }.into()
                }
            });
        }
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}

/// How full a domain is, as a driver observed it.
#[derive(Clone, Debug)]
pub struct ReportDomainSpace {
    pub domain: StorageDomainId,
    pub available: i64,
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
    pub domain: StorageDomainId,
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
