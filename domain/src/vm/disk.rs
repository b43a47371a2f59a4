//! How VMs have disks: the guide's section 15.4.1.

use serde::{Deserialize, Serialize};

use super::{MAX_DEVICES, Vm, touch};
use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::disk::{DiskInterface, DiskStatus};
use crate::event::Event;
use crate::fold;
use crate::hotplug::{Device, DeviceChange, follow};
use crate::ids::*;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection, not_found};
use crate::vm_run::VmState;
use crate::world::World;

/// A disk as a VM has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskAttachment {
    /// Which disk.
    pub disk: DiskId,
    /// The model of its controller.
    pub interface: DiskInterface,
    /// Whether the VM boots from it.
    pub bootable: bool,
    /// Plugged.
    pub active: bool,
}

/// A VM got a disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskAttached {
    /// Which VM.
    pub vm: VmId,
    /// How it is attached.
    pub attachment: DiskAttachment,
}

fold!(DiskAttached, Vm vm, |e, world, at| {
    world.disks.update(&e.attachment.disk, |d| d.vms.push(e.vm));
    touch(world, e.vm, at, |v| v.disks.push(e.attachment));
});

/// How a VM has a disk was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskAttachmentUpdated {
    /// Which VM.
    pub vm: VmId,
    /// How it is attached.
    pub attachment: DiskAttachment,
}

fold!(DiskAttachmentUpdated, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |v| {
        if let Some(old) = v.disks.iter_mut().find(|d| d.disk == e.attachment.disk) {
            *old = e.attachment;
        }
    });
});

/// A disk was taken from a VM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskDetached {
    /// Which VM.
    pub vm: VmId,
    /// Which disk.
    pub disk: DiskId,
}

fold!(DiskDetached, Vm vm, |e, world, at| {
    world.disks.update(&e.disk, |d| d.vms.retain(|vm| *vm != e.vm));
    touch(world, e.vm, at, |v| v.disks.retain(|d| d.disk != e.disk));
});

/// Attaches an existing disk to a VM.
#[derive(Clone, Debug)]
pub struct AttachDisk {
    /// Which VM.
    pub vm: VmId,
    /// How it is attached.
    pub attachment: DiskAttachment,
}

impl Decide for AttachDisk {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("attach", "VM Disk");
        let vm = world.vm(self.vm)?;
        let disk = world.disk(self.attachment.disk)?;
        if disk.vms.contains(&self.vm) {
            return Err(act.no(Key::DiskAttachedAlready));
        }
        if !disk.vms.is_empty() && !disk.config.shareable {
            return Err(act.no(Key::DiskNotShareable));
        }
        let domain = world.storage_domain(disk.storage_domain)?;
        if domain.attachment().map(|a| a.data_center) != world.cluster(vm.config.cluster)?.config.data_center {
            return Err(act.no(Key::DiskElsewhere));
        }
        if disk.status != DiskStatus::Ok {
            return Err(act.no(Key::DiskLocked).with("disk", &disk.config.alias));
        }
        check_attachment(act, vm, &self.attachment)?;
        let plugs = self.attachment.active.then(|| follow(cx, 0, vm, Device::Disk(disk.id), DeviceChange::Plug)).flatten();
        Ok(std::iter::once(DiskAttached { vm: self.vm, attachment: self.attachment }.into()).chain(plugs).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::AttachDisk, EntityRef::Disk(self.attachment.disk)))
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, EntityRef)> {
        vec![(Permit::ConfigureVmStorage, EntityRef::Vm(self.vm))]
    }
}

/// The rules of having a disk: one that boots, not too many, a VM that is not locked.
pub(crate) fn check_attachment(act: Act, vm: &Vm, attachment: &DiskAttachment) -> Result<(), Rejection> {
    if attachment.bootable && vm.disks.iter().any(|d| d.bootable && d.disk != attachment.disk) {
        return Err(act.no(Key::DiskBootInUse));
    }
    if !vm.is_down() && attachment.active && attachment.interface == DiskInterface::Ide {
        return Err(act.no(Key::HotPlugNotVirtio));
    }
    if vm.config.no_virtio_scsi && attachment.interface == DiskInterface::VirtioScsi {
        return Err(act.no(Key::VirtioScsiDisabled));
    }
    let others = vm.disks.iter().filter(|d| d.disk != attachment.disk).count();
    check::range(act, "disks", others as i64, 0, MAX_DEVICES as i64 - 1)?;
    match vm.state {
        VmState::Down | VmState::Up | VmState::Paused => Ok(()),
        VmState::ImageLocked => Err(act.no(Key::VmIsLocked)),
        state => Err(act.no(Key::VmStatusIllegal).with("vmStatus", state.name())),
    }
}

/// Changes how a VM has a disk: its interface, whether it boots, whether it is plugged.
#[derive(Clone, Debug)]
pub struct UpdateDiskAttachment {
    /// Which VM.
    pub vm: VmId,
    /// Which disk.
    pub disk: DiskId,
    /// The model of its controller, where that is to change.
    pub interface: Option<DiskInterface>,
    /// Whether the VM boots from it, where that is to change.
    pub bootable: Option<bool>,
    /// Whether it is plugged, where that is to change.
    pub active: Option<bool>,
}

impl Decide for UpdateDiskAttachment {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("edit", "VM Disk");
        let vm = world.vm(self.vm)?;
        let old =
            vm.disks.iter().find(|d| d.disk == self.disk).ok_or_else(|| not_found(format_args!("Disk: id={}", self.disk)))?;
        let new = DiskAttachment {
            disk: self.disk,
            interface: self.interface.unwrap_or(old.interface),
            bootable: self.bootable.unwrap_or(old.bootable),
            active: self.active.unwrap_or(old.active),
        };
        if new == *old {
            return Ok(Vec::new());
        }
        // A disk that is not plugged is none of the machine that runs.
        if !vm.is_down() && old.active && (new.interface, new.bootable) != (old.interface, old.bootable) {
            return Err(act.no(Key::VmIsRunning));
        }
        check_attachment(act, vm, &new)?;
        let job = (new.active != old.active)
            .then(|| follow(cx, 0, vm, Device::Disk(self.disk), DeviceChange::to(new.active)))
            .flatten();
        Ok(std::iter::once(DiskAttachmentUpdated { vm: self.vm, attachment: new }.into()).chain(job).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConfigureVmStorage, EntityRef::Vm(self.vm)))
    }
}

/// Takes a disk from a VM; the disk stays, floating.
#[derive(Clone, Debug)]
pub struct DetachDisk {
    /// Which VM.
    pub vm: VmId,
    /// Which disk.
    pub disk: DiskId,
}

impl Decide for DetachDisk {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("detach", "VM Disk");
        let vm = world.vm(self.vm)?;
        let old =
            vm.disks.iter().find(|d| d.disk == self.disk).ok_or_else(|| not_found(format_args!("Disk: id={}", self.disk)))?;
        if vm.state == VmState::ImageLocked {
            return Err(act.no(Key::VmIsLocked));
        }
        if !vm.is_down() && old.active {
            return Err(act.no(Key::VmIsRunning));
        }
        Ok(vec![DiskDetached { vm: self.vm, disk: self.disk }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConfigureVmStorage, EntityRef::Vm(self.vm)))
    }
}
