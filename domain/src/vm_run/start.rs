//! Starts: what is checked, where the VM comes to run, and launches that fail.

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::data_center::DataCenterStatus;
use crate::event::Event;
use crate::host_error::start_failed_on;
use crate::ids::*;
use crate::job::{JobEnded, Task};
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::schedule::{self, Wish};
use crate::vm::{BootDevice, PayloadType, Vm, check_payloads, iso_file};
use crate::world::World;

use super::*;

/// Starts a VM: from down, or from suspended by restoring, or resumes it from paused.
#[derive(Clone, Debug, Default)]
pub struct StartVm {
    /// Which VM.
    pub vm: VmId,
    /// What is asked for this run only.
    pub overrides: RunOverrides,
    /// Whether anything for this run only was said: then it starts from down only.
    pub once: bool,
    /// On this host and no other.
    pub host: Option<HostId>,
}

impl Decide for StartVm {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("run", "VM");
        let vm = world.vm(self.vm)?;
        let restore = match vm.state {
            VmState::Down => false,
            VmState::Suspended | VmState::Paused if self.once => {
                return Err(act.no(Key::VmStatusIllegal).with("vmStatus", vm.state.name()));
            }
            VmState::Suspended => true,
            VmState::Paused => return resume(world, cx, vm),
            VmState::ImageLocked => return Err(act.no(Key::VmIsLocked)),
            state => return Err(act.no(Key::VmStatusIllegal).with("vmStatus", state.name())),
        };
        if self.overrides.stateless == Some(true) && vm.config.highly_available {
            return Err(act.no(Key::VmStatelessHa));
        }
        let boot = self.overrides.boot.as_ref().unwrap_or(&vm.config.boot);
        check_boot(act, world, vm, boot)?;
        let cdrom = self.overrides.cdrom.as_ref().unwrap_or(&vm.cdrom);
        if !cdrom.is_empty() {
            iso_file(act, world, vm.config.cluster, cdrom)?;
        }
        for (field, text) in [
            ("os.kernel", &self.overrides.kernel),
            ("os.initrd", &self.overrides.initrd),
            ("os.cmdline", &self.overrides.cmdline),
            ("domain.name", &self.overrides.domain),
        ] {
            check::text(act, field, text.as_deref().unwrap_or_default(), check::MAX_TEXT)?;
        }
        let payloads = self.overrides.payloads.as_ref().unwrap_or(&vm.config.payloads);
        check_payloads(act, payloads)?;
        if let Some(floppy) = &self.overrides.floppy {
            iso_file(act, world, vm.config.cluster, floppy)?;
            if payloads.iter().any(|payload| payload.kind == PayloadType::Floppy) {
                return Err(act.no(Key::PayloadFloppyExceeded));
            }
        }
        let host = schedule::place(world, cx, act, vm, Wish { host: self.host, except: &[] })?;
        let (job, opened) = open(cx, 0, format!("Launching VM {}", vm.config.name), Task::StartVm { vm: self.vm });
        let strained = crate::quota::consume_cluster(act, world, cx, vm)?;
        let only_there = self.host.is_some();
        let requested = VmStartRequested { vm: self.vm, host, job, overrides: self.overrides.clone(), restore, only_there };
        Ok([requested.into(), opened].into_iter().chain(strained).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        basic(self.vm)
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, EntityRef)> {
        self.host.iter().map(|_| (Permit::EditAdminVmProperties, EntityRef::Vm(self.vm))).collect()
    }
}

/// A paused VM goes on: the same job as a start, whose launch the driver takes as a resume.
fn resume(_: &World, cx: &Context, vm: &Vm) -> Result<Vec<Event>, Rejection> {
    let Some(run) = &vm.run else { return Ok(Vec::new()) };
    let (job, opened) = open(cx, 0, format!("Resuming VM {}", vm.config.name), Task::StartVm { vm: vm.id });
    let overrides = RunOverrides { paused: false, ..run.overrides.clone() };
    let only_there = run.only_there;
    Ok(vec![VmStartRequested { vm: vm.id, host: run.host, job, overrides, restore: false, only_there }.into(), opened])
}

/// Whether the VM has something to boot from, and its disks are there.
fn check_boot(act: Act, world: &World, vm: &Vm, boot: &[BootDevice]) -> Result<(), Rejection> {
    let disks: Vec<_> = vm.disks.iter().filter(|d| d.active).collect();
    match boot.first() {
        Some(BootDevice::Hd) if disks.is_empty() && boot.len() == 1 => return Err(act.no(Key::VmNoDisk)),
        Some(BootDevice::Network) if vm.nics.is_empty() && boot.len() == 1 => return Err(act.no(Key::VmNoNic)),
        Some(BootDevice::CdRom) if boot.len() == 1 => {
            iso_file(act, world, vm.config.cluster, "").or_else(|why| match why.key {
                Key::IsoNotFound => Ok(StorageDomainId::default()),
                _ => Err(why),
            })?;
        }
        _ => {}
    }
    for disk in disks.iter().filter_map(|d| world.disks.get(&d.disk)) {
        let problem = match disk.status {
            crate::disk::DiskStatus::Locked => Some(Key::DiskLocked),
            crate::disk::DiskStatus::Illegal => Some(Key::DiskIllegal),
            crate::disk::DiskStatus::Ok => None,
        };
        if let Some(key) = problem {
            return Err(act.no(key).with("disk", &disk.config.alias));
        }
        let domain = world.storage_domain(disk.storage_domain)?;
        if !domain.is_in(crate::storage::AttachmentStatus::Active) {
            return Err(act.no(Key::DomainNotActive).with("name", &domain.config.name));
        }
    }
    if !disks.is_empty()
        && let Some(data_center) = world.data_center_of(vm.config.cluster)
        && data_center.status(world) != DataCenterStatus::Up
    {
        return Err(act.no(Key::DataCenterStatusIllegal));
    }
    Ok(())
}

/// A launch failed on a host: another is tried, three at the most, or the start has failed. A machine that could not be
/// resumed is still there, paused.
#[derive(Clone, Debug)]
pub struct FailLaunch {
    /// Which VM.
    pub vm: VmId,
    /// The job that ends.
    pub job: JobId,
    /// Why.
    pub reason: String,
}

impl Decide for FailLaunch {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let Some((vm, run)) = world.vms.get(&self.vm).and_then(|v| v.run.as_ref().map(|r| (v, r))) else {
            return Ok(vec![JobEnded { job: self.job, failure: Some(self.reason.clone()) }.into()]);
        };
        // Where its host is not heard of, nobody knows whether it was launched: it must not be launched a second time elsewhere.
        if run.job != Some(self.job) || vm.state == VmState::Unknown {
            return Ok(Vec::new());
        }
        if run.before == VmState::Paused {
            let paused = VmPaused { vm: vm.id, detail: "none".into() };
            return Ok(vec![paused.into(), JobEnded { job: self.job, failure: Some(self.reason.clone()) }.into()]);
        }
        let mut tried = run.failed_hosts.clone();
        tried.push(run.host);
        if tried.len() < MAX_LAUNCH_HOSTS
            && run.before != VmState::Suspended
            && !run.only_there
            && let Ok(to) = schedule::place(world, cx, Act("run", "VM"), vm, Wish { host: None, except: &tried })
        {
            let relocated = VmRelocated { vm: vm.id, from: run.host, to, reason: self.reason.clone() };
            return Ok(std::iter::once(relocated.into()).chain(start_failed_on(world, run.host, &self.reason)).collect());
        }
        let failed = start_failed(vm, &self.reason).into_iter();
        Ok(failed.chain(start_failed_on(world, run.host, &self.reason)).collect())
    }
}
