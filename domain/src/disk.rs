//! Disks: the guide's chapters 15.4 and 16.

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::hotplug::{Device, DeviceChange, follow};
use crate::ids::*;
use crate::image::StoredImage;
use crate::job::{JobEnded, JobOpened, Task};
use crate::patch::patchable;
use crate::permit::Permit;
use crate::quota;
use crate::rejection::{Key, Rejection};
use crate::storage::{AttachmentStatus, DomainClass, StorageDomain};
use crate::vm::{DiskAttached, DiskAttachment, DiskDetached, check_attachment, named};
use crate::world::{NameKind, World};

/// The smallest disk, in bytes.
pub const MIN_DISK: i64 = 1 << 20;
/// The largest disk, in bytes.
pub const MAX_DISK: i64 = 64 << 40;
/// The free space below which a domain takes no more disks, in bytes.
pub const CRITICAL_SPACE: i64 = 5 << 30;

named! {
    /// The format of a disk's image.
    DiskFormat { Cow "cow", Raw "raw" }
}
named! {
    /// How a VM sees a disk.
    DiskInterface { Ide "ide", Virtio "virtio", VirtioScsi "virtio_scsi" }
}
named! {
    /// How a disk stands.
    DiskStatus { Locked "locked", Ok "ok", Illegal "illegal" }
}

patchable! {
    /// What a user says of a disk.
    pub struct DiskConfig, DiskPatch {
        /// What it is called.
        pub alias: String,
        /// What it is, for a human.
        pub description: String,
        /// Provisioned, in bytes.
        pub size: i64,
        /// Whether several VMs may have it at once.
        pub shareable: bool,
        /// Whether it is overwritten when it is deleted.
        pub wipe_after_delete: bool,
        /// Whether errors of its storage reach the guest, instead of pausing the machine.
        pub propagate_errors: bool,
        /// The quota that it consumes.
        pub quota: Option<QuotaId>,
        /// How a VM sees it that is not told otherwise when it is attached; none for the usual.
        #![serde(default, skip_serializing_if = "Option::is_none")]
        pub interface: Option<DiskInterface>,
        /// Whether a VM boots from it that is not told otherwise when it is attached.
        #![serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub bootable: bool,
    }
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// Identifier.
    pub id: DiskId,
    /// Version of the resource.
    pub version: u64,
    /// What a user says of it.
    pub config: DiskConfig,
    /// The format of its volume.
    pub format: DiskFormat,
    /// Whether it takes space only as it is written.
    pub sparse: bool,
    /// Where it lies.
    pub storage_domain: StorageDomainId,
    /// Whether it can be used.
    pub status: DiskStatus,
    /// In bytes.
    pub actual_size: i64,
    /// The volume that holds it.
    pub image: uuid::Uuid,
    /// The VMs that have it.
    pub vms: Vec<VmId>,
    /// When it was made.
    pub created_at: Micros,
}

/// A disk was added; its volume is being created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskAdded {
    /// Which disk.
    pub disk: DiskId,
    /// What a user says of it.
    pub config: DiskConfig,
    /// The format of its volume.
    pub format: DiskFormat,
    /// Whether it takes room as it is written to only.
    pub sparse: bool,
    /// Where it lies.
    pub storage_domain: StorageDomainId,
    /// The identifier of its volume.
    pub image: uuid::Uuid,
    /// The image that it is made from; none for an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<StoredImage>,
}

fold!(DiskAdded, new Disk disk, |e, world, at| {
    world.take_name(NameKind::Disk, &e.config.alias, e.disk.0);
    world.domain_disks.insert((e.storage_domain, e.disk));
    let disk = Disk {
        id: e.disk, version: at.version, config: e.config.clone(), format: e.format, sparse: e.sparse,
        storage_domain: e.storage_domain, status: DiskStatus::Locked, actual_size: 0, image: e.image, vms: Vec::new(),
        created_at: at.at,
    };
    world.disks.insert(e.disk, disk);
});

fn touch(world: &mut World, disk: DiskId, at: &crate::event::EventMetadata, change: impl FnOnce(&mut Disk)) {
    world.disks.update(&disk, |d| {
        change(d);
        d.version = at.version;
    });
}

/// A disk's volume is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskCreated {
    /// Which disk.
    pub disk: DiskId,
    /// What it takes of its storage, in bytes.
    pub actual_size: i64,
}

fold!(DiskCreated, Disk disk, |e, world, at| {
    touch(world, e.disk, at, |d| { d.status = DiskStatus::Ok; d.actual_size = e.actual_size; });
});

/// A disk's volume could not be created; the disk is illegal and can only be removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskCreationFailed {
    /// Which disk.
    pub disk: DiskId,
    /// Why.
    pub reason: String,
}

fold!(DiskCreationFailed, Disk disk, |e, world, at| {
    touch(world, e.disk, at, |d| d.status = DiskStatus::Illegal);
});

/// A disk's volume could not be deleted; the disk is illegal, and may be removed once more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskRemovalFailed {
    /// Which disk.
    pub disk: DiskId,
    /// Why.
    pub reason: String,
}

fold!(DiskRemovalFailed, Disk disk, |e, world, at| {
    touch(world, e.disk, at, |d| d.status = DiskStatus::Illegal);
});

/// A disk was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskUpdated {
    /// Which disk.
    pub disk: DiskId,
    /// What changes of it.
    pub changes: DiskPatch,
}

fold!(DiskUpdated, Disk disk, |e, world, at| {
    if let (Some(new), Some(old)) = (&e.changes.alias, world.disks.get(&e.disk).map(|d| d.config.alias.clone())) {
        world.rename(NameKind::Disk, &old, new, e.disk.0);
    }
    touch(world, e.disk, at, |d| d.config.apply(&e.changes));
});

/// A disk's volume is being made larger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskExtensionStarted {
    /// Which disk.
    pub disk: DiskId,
    /// In bytes.
    pub size: i64,
}

fold!(DiskExtensionStarted, Disk disk, |e, world, at| {
    touch(world, e.disk, at, |d| d.status = DiskStatus::Locked);
});

/// A disk's volume is larger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskExtended {
    /// Which disk.
    pub disk: DiskId,
    /// In bytes.
    pub size: i64,
    /// In bytes.
    pub actual_size: i64,
}

fold!(DiskExtended, Disk disk, |e, world, at| {
    touch(world, e.disk, at, |d| {
        d.status = DiskStatus::Ok;
        d.config.size = e.size;
        d.actual_size = e.actual_size;
    });
});

/// A disk's volume could not be made larger: the disk is as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskExtensionFailed {
    /// Which disk.
    pub disk: DiskId,
    /// Why.
    pub reason: String,
}

fold!(DiskExtensionFailed, Disk disk, |e, world, at| {
    touch(world, e.disk, at, |d| d.status = DiskStatus::Ok);
});

/// A disk's volume is being deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskRemovalStarted {
    /// Which disk.
    pub disk: DiskId,
}

fold!(DiskRemovalStarted, Disk disk, |e, world, at| {
    touch(world, e.disk, at, |d| d.status = DiskStatus::Locked);
});

/// A disk was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskRemoved {
    /// Which disk.
    pub disk: DiskId,
    /// What it was called.
    pub alias: String,
}

fold!(DiskRemoved, Disk disk, |e, world, at| {
    if let Some(old) = world.disks.remove(&e.disk) {
        world.drop_name(NameKind::Disk, &old.config.alias, e.disk.0);
        world.domain_disks.remove(&(old.storage_domain, e.disk));
    }
    world.close_stream(StreamKind::Disk, e.disk.0);
});

/// The VM that a new disk is for.
#[derive(Clone, Copy, Debug)]
pub struct AttachTo {
    /// Which VM.
    pub vm: VmId,
    /// The model of its controller.
    pub interface: DiskInterface,
    /// Whether the VM boots from it.
    pub bootable: bool,
    /// Whether it is plugged.
    pub active: bool,
}

/// Adds a disk, floating or for a VM.
#[derive(Clone, Debug)]
pub struct AddDisk {
    /// An empty alias becomes `{vm}_Disk{n}`.
    pub config: DiskConfig,
    /// The format of its volume.
    pub format: DiskFormat,
    /// Where nothing is said: cow is sparse, raw is on files and not on blocks.
    pub sparse: Option<bool>,
    /// Where nothing is said, and the disk is for a VM: the VM's first disk's, else the active data domain with the most space.
    pub storage_domain: Option<StorageDomainId>,
    /// The VM that it is for.
    pub attach: Option<AttachTo>,
}

const ADD: Act = Act("add", "VM Disk");

impl Decide for AddDisk {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let domain = self.domain(world)?;
        let vm = self.attach.map(|to| world.vm(to.vm)).transpose()?;
        let mut config = self.config.clone();
        if config.alias.is_empty() {
            config.alias = match vm {
                Some(vm) => format!("{}_Disk{}", vm.config.name, vm.disks.len() + 1),
                None => return Err(ADD.no(Key::NameEmpty)),
            };
        }
        check_config(ADD, &config, self.format)?;
        let block = domain.storage.kind.is_block();
        let sparse = self.sparse.unwrap_or(self.format == DiskFormat::Cow || !block);
        let fits = match self.format {
            DiskFormat::Cow => sparse,
            DiskFormat::Raw => !(sparse && block),
        };
        if !fits {
            return Err(ADD.no(Key::DiskFormatCombination).with("format", self.format.name()));
        }
        check_room(ADD, domain, if sparse { 0 } else { config.size })?;
        let strained = quota::consume_storage(ADD, world, cx, config.quota, domain, config.size)?;
        let disk: DiskId = cx.fresh(0);
        let description = format!("Adding Disk {}", config.alias);
        let added =
            DiskAdded { disk, config, format: self.format, sparse, storage_domain: domain.id, image: cx.fresh(1), from: None };
        let mut events: Vec<Event> = vec![added.into()];
        if let (Some(to), Some(vm)) = (self.attach, vm) {
            let attachment = DiskAttachment { disk, interface: to.interface, bootable: to.bootable, active: to.active };
            check_attachment(ADD, vm, &attachment)?;
            events.push(DiskAttached { vm: to.vm, attachment }.into());
        }
        events.push(JobOpened { job: cx.fresh(2), description, task: Task::CreateDisk { disk } }.into());
        events.extend(strained);
        Ok(events)
    }

    fn permit(&self, world: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateDisk, self.domain(world).map_or(EntityRef::System, |domain| EntityRef::StorageDomain(domain.id))))
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, EntityRef)> {
        self.attach.iter().map(|to| (Permit::ConfigureVmStorage, EntityRef::Vm(to.vm))).collect()
    }
}

impl AddDisk {
    /// The storage domain that takes the disk: active, and a data domain of the VM's data center.
    fn domain<'a>(&self, world: &'a World) -> Result<&'a StorageDomain, Rejection> {
        let vm = self.attach.map(|to| world.vm(to.vm)).transpose()?;
        let data_center = vm.and_then(|v| world.data_center_of(v.config.cluster)).map(|dc| dc.id);
        let usable = |d: &StorageDomain| {
            d.class == DomainClass::Data
                && d.attachment()
                    .is_some_and(|a| a.status == AttachmentStatus::Active && (vm.is_none() || Some(a.data_center) == data_center))
        };
        let wanted = self.storage_domain.or_else(|| {
            let first = vm.and_then(|v| v.disks.first()).and_then(|d| world.disks.get(&d.disk)).map(|d| d.storage_domain);
            first.or_else(|| {
                world.storage_domains.values().filter(|d| usable(d)).max_by_key(|d| (d.available, d.id)).map(|d| d.id)
            })
        });
        let domain = world.storage_domain(wanted.ok_or_else(|| ADD.no(Key::NoDataDomain))?)?;
        if usable(domain) { Ok(domain) } else { Err(ADD.no(Key::DomainNotActive).with("name", &domain.config.name)) }
    }
}

/// A disk that lies on a storage domain, as it is found there.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundDisk {
    /// Identifier.
    pub id: DiskId,
    /// The identifier of its volume.
    pub image: uuid::Uuid,
    /// Provisioned, in bytes.
    pub size: i64,
    /// In bytes.
    pub actual_size: i64,
    /// The format of its volume.
    pub format: DiskFormat,
    /// Whether it takes room as it is written to only.
    pub sparse: bool,
}

/// Takes a disk on that lies on a storage domain and is not known.
#[derive(Clone, Debug)]
pub struct RegisterDisk {
    /// Where it was found.
    pub storage_domain: StorageDomainId,
    /// What was found.
    pub found: FoundDisk,
    /// What is said of it beside its size; an empty alias becomes `RegisteredDisk_{id}`.
    pub config: DiskConfig,
}

impl Decide for RegisterDisk {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("import", "VM Disk");
        let (domain, found) = (world.storage_domain(self.storage_domain)?, &self.found);
        if domain.class != DomainClass::Data {
            return Err(act.no(Key::DomainTypeIllegal).with("class", domain.class.name()));
        }
        if domain.attachment().is_none_or(|attachment| attachment.status != AttachmentStatus::Active) {
            return Err(act.no(Key::DomainNotActive).with("name", &domain.config.name));
        }
        if world.disks.contains(&found.id) {
            return Err(Key::StateMoved.into());
        }
        let mut config = DiskConfig { size: found.size, ..self.config.clone() };
        if config.alias.is_empty() {
            config.alias = format!("RegisteredDisk_{}", found.id);
        }
        check_config(act, &config, found.format)?;
        let strained = quota::consume_storage(act, world, cx, config.quota, domain, config.size)?;
        let added = DiskAdded {
            disk: found.id,
            config,
            format: found.format,
            sparse: found.sparse,
            storage_domain: domain.id,
            image: found.image,
            from: None,
        };
        let there = DiskCreated { disk: found.id, actual_size: found.actual_size };
        Ok([added.into(), there.into()].into_iter().chain(strained).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConfigureVmStorage, EntityRef::StorageDomain(self.storage_domain)))
    }
}

/// Whether a domain has room for so many bytes more.
pub(crate) fn check_room(act: Act, domain: &StorageDomain, needed: i64) -> Result<(), Rejection> {
    match domain.available - needed < CRITICAL_SPACE {
        true => Err(act.no(Key::DiskSpaceLow).with("name", &domain.config.name)),
        false => Ok(()),
    }
}

pub(crate) fn check_config(act: Act, config: &DiskConfig, format: DiskFormat) -> Result<(), Rejection> {
    check::name(act, &config.alias, check::ALIAS)?;
    check::text(act, "description", &config.description, check::MAX_DESCRIPTION)?;
    check::range(act, "provisioned_size", config.size, MIN_DISK, MAX_DISK)?;
    if config.shareable && format == DiskFormat::Cow {
        return Err(act.no(Key::DiskShareableCow));
    }
    Ok(())
}

/// A disk's volume is there, or could not be created.
#[derive(Clone, Debug)]
pub struct FinishDiskCreation {
    /// The job that ends.
    pub job: JobId,
    /// Which disk.
    pub disk: DiskId,
    /// The space that it takes, in bytes.
    pub outcome: Result<i64, String>,
}

impl Decide for FinishDiskCreation {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        if let Some(disk) = world.disks.get(&self.disk) {
            events.push(match &self.outcome {
                Ok(actual_size) => DiskCreated { disk: self.disk, actual_size: *actual_size }.into(),
                Err(reason) => DiskCreationFailed { disk: self.disk, reason: reason.clone() }.into(),
            });
            if self.outcome.is_ok() {
                // A machine that runs gets a disk that was made for it now.
                let active = disk.vms.iter().filter_map(|vm| world.vms.get(vm));
                let active = active.filter(|vm| vm.disks.iter().any(|own| own.disk == self.disk && own.active));
                let device = Device::Disk(self.disk);
                events.extend((0..).zip(active).filter_map(|(n, vm)| follow(cx, n, vm, device, DeviceChange::Plug)));
            }
        }
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}

/// Changes a disk. It can grow, for which its storage is asked, and never shrink; while a running VM uses it only its description changes.
#[derive(Clone, Debug)]
pub struct UpdateDisk {
    /// Which disk.
    pub disk: DiskId,
    /// What changes of it.
    pub changes: DiskPatch,
}

impl Decide for UpdateDisk {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("edit", "VM Disk");
        let disk = world.disk(self.disk)?;
        let mut changes = self.changes.clone().reduce(&disk.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = disk.config.clone();
        wanted.apply(&changes);
        check_config(act, &wanted, disk.format)?;
        if wanted.size < disk.config.size {
            return Err(act.no(Key::DiskShrink));
        }
        if disk.status == DiskStatus::Locked {
            return Err(act.no(Key::DiskLocked).with("disk", &disk.config.alias));
        }
        if used(world, disk) && (changes.shareable.is_some() || changes.wipe_after_delete.is_some()) {
            return Err(act.no(Key::DiskInUse));
        }
        let mut events: Vec<Event> = Vec::new();
        let grown = wanted.size - disk.config.size;
        if changes.quota.is_some() || grown > 0 {
            let more = if changes.quota.is_some() { wanted.size } else { grown };
            let domain = world.storage_domain(disk.storage_domain)?;
            events.extend(quota::consume_storage(act, world, cx, wanted.quota, domain, more)?);
        }
        if let Some(size) = changes.size.take() {
            events.extend(extend(act, world, cx, disk, size)?);
        }
        if !changes.is_empty() {
            events.insert(0, DiskUpdated { disk: self.disk, changes }.into());
        }
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::EditDiskProperties, EntityRef::Disk(self.disk)))
    }
}

/// The events that make a disk's volume larger, where its storage is active and has room.
fn extend(act: Act, world: &World, cx: &Context, disk: &Disk, size: i64) -> Result<[Event; 2], Rejection> {
    if disk.status == DiskStatus::Illegal {
        return Err(act.no(Key::DiskIllegal).with("disk", &disk.config.alias));
    }
    let domain = world.storage_domain(disk.storage_domain)?;
    if !domain.is_in(AttachmentStatus::Active) {
        return Err(act.no(Key::DomainNotActive).with("name", &domain.config.name));
    }
    check_room(act, domain, if disk.sparse { 0 } else { size - disk.config.size })?;
    let description = format!("Extending Disk {}", disk.config.alias);
    let task = Task::ExtendDisk { disk: disk.id, size };
    Ok([DiskExtensionStarted { disk: disk.id, size }.into(), JobOpened { job: cx.fresh(0), description, task }.into()])
}

/// A disk's volume is larger, or could not be made so.
#[derive(Clone, Debug)]
pub struct FinishDiskExtension {
    /// The job that ends.
    pub job: JobId,
    /// Which disk.
    pub disk: DiskId,
    /// Its size and the space that it takes, in bytes.
    pub outcome: Result<(i64, i64), String>,
}

impl Decide for FinishDiskExtension {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        if world.disks.contains(&self.disk) {
            events.push(match &self.outcome {
                Ok((size, actual_size)) => DiskExtended { disk: self.disk, size: *size, actual_size: *actual_size }.into(),
                Err(reason) => DiskExtensionFailed { disk: self.disk, reason: reason.clone() }.into(),
            });
        }
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}

/// Whether a running VM has the disk plugged.
fn used(world: &World, disk: &Disk) -> bool {
    disk.vms
        .iter()
        .filter_map(|vm| world.vms.get(vm))
        .any(|vm| !vm.is_down() && vm.disks.iter().any(|d| d.disk == disk.id && d.active))
}

/// Removes a disk: from the VMs that have it, and its volume.
#[derive(Clone, Debug)]
pub struct RemoveDisk {
    /// Which disk.
    pub disk: DiskId,
}

impl Decide for RemoveDisk {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "VM Disk");
        let disk = world.disk(self.disk)?;
        if disk.status == DiskStatus::Locked {
            return Err(act.no(Key::DiskLocked).with("disk", &disk.config.alias));
        }
        if used(world, disk) {
            return Err(act.no(Key::DiskInUse));
        }
        let mut events: Vec<Event> = disk.vms.iter().map(|vm| DiskDetached { vm: *vm, disk: self.disk }.into()).collect();
        events.push(DiskRemovalStarted { disk: self.disk }.into());
        let description = format!("Removing Disk {}", disk.config.alias);
        events.push(JobOpened { job: cx.fresh(0), description, task: Task::RemoveDisk { disk: self.disk } }.into());
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::DeleteDisk, EntityRef::Disk(self.disk)))
    }
}

/// A disk's volume is gone, or could not be deleted.
#[derive(Clone, Debug)]
pub struct FinishDiskRemoval {
    /// The job that ends.
    pub job: JobId,
    /// Which disk.
    pub disk: DiskId,
    /// Whether it came about, and if not why.
    pub outcome: Result<(), String>,
}

impl Decide for FinishDiskRemoval {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        if let Some(disk) = world.disks.get(&self.disk) {
            events.push(match &self.outcome {
                Ok(()) => DiskRemoved { disk: self.disk, alias: disk.config.alias.clone() }.into(),
                Err(reason) => DiskRemovalFailed { disk: self.disk, reason: reason.clone() }.into(),
            });
        }
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}
