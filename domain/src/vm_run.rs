//! How a virtual machine runs: its states, its actions (the guide's section 15.5) and what drivers observe of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::access::Object;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::{Actor, Context};
use crate::data_center::DataCenterStatus;
use crate::event::{Event, Stamp};
use crate::fold;
use crate::host::HostStatus;
use crate::host_error::{count_start, start_failed_on};
use crate::ids::*;
use crate::job::{JobEnded, JobOpened, Task};
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::schedule::{self, Wish};
use crate::vm::{Affinity, BootDevice, DisplayType, Vm, iso_file, named, touch};
use crate::world::World;

named! {
    /// The state of a VM, as the API names it.
    VmState {
        Down "down",
        WaitForLaunch "wait_for_launch",
        PoweringUp "powering_up",
        Up "up",
        PoweringDown "powering_down",
        Paused "paused",
        SavingState "saving_state",
        Suspended "suspended",
        RestoringState "restoring_state",
        Migrating "migrating",
        RebootInProgress "reboot_in_progress",
        ImageLocked "image_locked",
        NotResponding "not_responding",
        Unknown "unknown",
    }
}

/// How many hosts a launch is tried on.
pub const MAX_LAUNCH_HOSTS: usize = 3;
/// How long a console ticket holds where nothing is said, in seconds.
pub const DEFAULT_TICKET_S: u32 = 7200;

/// How a VM runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Where.
    pub host: HostId,
    /// The position of the request: what tells this run from an earlier one.
    pub generation: Position,
    /// Who asked for it.
    pub started_by: Actor,
    /// The open job that works on the VM.
    pub job: Option<JobId>,
    /// What was asked for this run only.
    pub overrides: RunOverrides,
    /// Whether it was asked for on that host and on no other.
    pub only_there: bool,
    /// Hosts where the launch failed.
    pub failed_hosts: Vec<HostId>,
    /// The host that it migrates to.
    pub destination: Option<HostId>,
    /// The state before the start, and once it migrates that before the migration.
    pub before: VmState,
    /// The CD in the drive now.
    pub cdrom: String,
    /// Addresses that the guest told of.
    pub ips: Vec<String>,
    /// The guest's name.
    pub fqdn: String,
    /// Where the console listens: address, port, TLS port.
    pub display: Option<(String, u16, Option<u16>)>,
    /// Why it is paused.
    pub paused_detail: String,
    /// Whether it is being stopped because somebody asked, and not by itself.
    pub stopping: bool,
    /// Whether its migration was called off.
    pub cancelling: bool,
}

impl Run {
    /// The hosts on which it has a place.
    pub fn hosts(&self) -> Vec<HostId> {
        std::iter::once(self.host).chain(self.destination).collect()
    }
}

/// What a start may ask for this run only (the guide's section 15.5, and 000's start with overrides).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunOverrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<Vec<BootDevice>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cdrom: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initrd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<DisplayType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stateless: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

/// Takes the place of a VM on its host away and sets its state.
fn release(world: &mut World, vm: VmId, at: &Stamp, state: VmState) {
    if let Some(run) = world.vms.get(&vm).and_then(|v| v.run.clone()) {
        world.placed.leave(run.host, vm);
        if let Some(destination) = run.destination {
            world.placed.leave(destination, vm);
        }
    }
    touch(world, vm, at, |v| {
        v.run = None;
        v.state = state;
        v.stopped_at = Some(at.at);
    });
}

/// Changes a running VM and its state.
fn running(world: &mut World, vm: VmId, at: &Stamp, state: VmState, change: impl FnOnce(&mut Run)) {
    touch(world, vm, at, |v| {
        if let Some(run) = &mut v.run {
            v.state = state;
            change(run);
        }
    });
}

/// A VM that was heard of runs where it is said to: whatever migration it was in is over.
fn settle(world: &mut World, vm: VmId) {
    let destination = world.vms.get(&vm).and_then(|v| v.run.as_ref()).and_then(|run| run.destination);
    if let Some(destination) = destination {
        world.placed.leave(destination, vm);
        world.vms.update(&vm, |v| v.run.iter_mut().for_each(|run| run.destination = None));
    }
}

/// A start was asked for and a place is taken; from suspended it restores the saved state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmStartRequested {
    pub vm: VmId,
    pub host: HostId,
    pub job: JobId,
    pub overrides: RunOverrides,
    /// Whether a saved state is restored.
    pub restore: bool,
    /// Whether the host was asked for, so that no other does.
    pub only_there: bool,
}

fold!(VmStartRequested, Vm vm, |e, world, at| {
    world.place(e.host, e.vm);
    world.to_restart.remove(&e.vm);
    touch(world, e.vm, at, |v| {
        let before = std::mem::replace(&mut v.state, if e.restore { VmState::RestoringState } else { VmState::WaitForLaunch });
        v.run = Some(Box::new(Run {
            host: e.host, generation: v.run.as_ref().map_or(at.position, |r| r.generation), started_by: at.actor, job: Some(e.job), overrides: e.overrides.clone(),
            only_there: e.only_there, failed_hosts: Vec::new(), destination: None, before,
            cdrom: e.overrides.cdrom.clone().unwrap_or_else(|| v.cdrom.clone()),
            ips: Vec::new(), fqdn: String::new(), display: None, paused_detail: String::new(), stopping: false, cancelling: false,
        }));
    });
});

/// A launch failed on a host and is tried on another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmRelocated {
    pub vm: VmId,
    pub from: HostId,
    pub to: HostId,
    pub reason: String,
}

fold!(VmRelocated, Vm vm, |e, world, at| {
    world.placed.leave(e.from, e.vm);
    world.place(e.to, e.vm);
    count_start(world, e.from, true);
    running(world, e.vm, at, VmState::WaitForLaunch, |run| {
        run.failed_hosts.push(e.from);
        run.host = e.to;
    });
});

/// The machine runs and boots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmPoweringUp {
    pub vm: VmId,
    pub display: Option<(String, u16, Option<u16>)>,
}

fold!(VmPoweringUp, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |v| v.started_at = Some(at.at));
    running(world, e.vm, at, VmState::PoweringUp, |run| run.display = e.display.clone());
});

/// What a guest and its console tell of themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guest {
    pub ips: Vec<String>,
    pub fqdn: String,
    pub display: Option<(String, u16, Option<u16>)>,
}

/// The machine is up: started, rebooted, resumed or restored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmUp {
    pub vm: VmId,
    pub host: HostId,
    /// Whether this ends a start, rather than a reboot or a pause.
    pub started: bool,
    /// Who asked for the start.
    pub started_by: Actor,
    pub guest: Guest,
}

fold!(VmUp, Vm vm, |e, world, at| {
    if e.started {
        touch(world, e.vm, at, |v| v.started_at = v.started_at.or(Some(at.at)));
        count_start(world, e.host, false);
    }
    settle(world, e.vm);
    running(world, e.vm, at, VmState::Up, |run| {
        run.job = None;
        run.ips = e.guest.ips.clone();
        run.fqdn = e.guest.fqdn.clone();
        run.paused_detail.clear();
        if e.guest.display.is_some() {
            run.display = e.guest.display.clone();
        }
    });
});

/// The machine is paused: as asked at its start, or by a storage error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmPaused {
    pub vm: VmId,
    /// none, eio, enospc, ...
    pub detail: String,
}

fold!(VmPaused, Vm vm, |e, world, at| {
    settle(world, e.vm);
    running(world, e.vm, at, VmState::Paused, |run| {
        run.job = None;
        run.paused_detail = e.detail.clone();
    });
});

/// A start came to nothing: the place is given back. A suspended VM stays suspended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmStartFailed {
    pub vm: VmId,
    pub host: HostId,
    pub reason: String,
    pub started_by: Actor,
}

fold!(VmStartFailed, Vm vm, |e, world, at| {
    count_start(world, e.host, true);
    let suspended = world.vms.get(&e.vm).and_then(|v| v.run.as_ref()).is_some_and(|r| r.before == VmState::Suspended);
    release(world, e.vm, at, if suspended { VmState::Suspended } else { VmState::Down });
});

macro_rules! requested {
    ($($(#[$doc:meta])* $name:ident => $state:ident, $stopping:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            pub vm: VmId,
            pub job: JobId,
        }

        fold!($name, Vm vm, |e, world, at| {
            running(world, e.vm, at, VmState::$state, |run| {
                run.job = Some(e.job);
                run.stopping |= $stopping;
            });
        });
    )*};
}

requested! {
    /// A stop was asked for.
    VmStopRequested => PoweringDown, true;
    /// A shutdown of the guest was asked for.
    VmShutdownRequested => PoweringDown, true;
    /// A reboot was asked for.
    VmRebootRequested => RebootInProgress, false;
    /// Saving the state to storage was asked for.
    VmSuspendRequested => SavingState, false;
}

/// The guest did not shut down in time and is being stopped instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmShutdownFellBack {
    pub vm: VmId,
}

fold!(VmShutdownFellBack, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |_| {});
});

/// The state is on storage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmSuspended {
    pub vm: VmId,
}

fold!(VmSuspended, Vm vm, |e, world, at| {
    release(world, e.vm, at, VmState::Suspended);
});

/// The machine is down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmDown {
    pub vm: VmId,
    pub host: Option<HostId>,
    /// Whether it went by itself and not in order.
    pub error: bool,
    pub message: String,
}

fold!(VmDown, Vm vm, |e, world, at| {
    if e.error && world.vms.get(&e.vm).is_some_and(|v| v.config.highly_available) {
        world.to_restart.insert(e.vm);
    }
    release(world, e.vm, at, VmState::Down);
});

/// The driver hears nothing of the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmNotResponding {
    pub vm: VmId,
}

fold!(VmNotResponding, Vm vm, |e, world, at| {
    running(world, e.vm, at, VmState::NotResponding, |_| {});
});

/// Its host is not heard of: nobody knows whether it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmLost {
    pub vm: VmId,
}

fold!(VmLost, Vm vm, |e, world, at| {
    running(world, e.vm, at, VmState::Unknown, |_| {});
});

/// A migration was asked for; the VM has a place on both hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmMigrationRequested {
    pub vm: VmId,
    pub from: HostId,
    pub to: HostId,
    pub job: JobId,
}

fold!(VmMigrationRequested, Vm vm, |e, world, at| {
    world.place(e.to, e.vm);
    let before = world.vms.get(&e.vm).map_or(VmState::Up, |v| v.state);
    running(world, e.vm, at, VmState::Migrating, |run| {
        run.job = Some(e.job);
        run.destination = Some(e.to);
        run.before = before;
        run.cancelling = false;
    });
});

/// A migration was called off; it ends when the driver says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmMigrationCancelRequested {
    pub vm: VmId,
}

fold!(VmMigrationCancelRequested, Vm vm, |e, world, at| {
    running(world, e.vm, at, VmState::Migrating, |run| run.cancelling = true);
});

/// The state that a migration's end leads to: that before it, unless the machine was told to stop meanwhile.
fn state_after_migration(world: &World, vm: VmId) -> VmState {
    let vm = world.vms.get(&vm).and_then(|vm| Some((vm, vm.run.as_ref()?)));
    vm.map_or(VmState::Up, |(vm, run)| if run.stopping { vm.state } else { run.before })
}

fn migrates_no_more(run: &mut Run) {
    run.destination = None;
    if !run.stopping {
        run.job = None;
    }
}

/// The machine runs on another host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmMigrated {
    pub vm: VmId,
    pub from: HostId,
    pub to: HostId,
}

fold!(VmMigrated, Vm vm, |e, world, at| {
    settle(world, e.vm);
    world.placed.leave(e.from, e.vm);
    world.place(e.to, e.vm);
    let state = state_after_migration(world, e.vm);
    running(world, e.vm, at, state, |run| {
        run.host = e.to;
        migrates_no_more(run);
    });
});

/// A migration came to nothing; the machine runs where it ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmMigrationFailed {
    pub vm: VmId,
    pub from: HostId,
    pub to: HostId,
    pub reason: String,
    pub cancelled: bool,
}

fold!(VmMigrationFailed, Vm vm, |e, world, at| {
    world.placed.leave(e.to, e.vm);
    let state = state_after_migration(world, e.vm);
    running(world, e.vm, at, state, migrates_no_more);
});

/// A console ticket was given out; its value is not in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmTicketSet {
    pub vm: VmId,
    pub expires_s: u32,
}

fold!(VmTicketSet, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |_| {});
});

fn open(cx: &Context, n: u64, description: String, task: Task) -> (JobId, Event) {
    let job: JobId = cx.fresh(n);
    (job, JobOpened { job, description, task }.into())
}

fn basic(vm: VmId) -> Option<(Permit, Object)> {
    Some((Permit::VmBasicOperations, Object::Vm(vm)))
}

/// Starts a VM: from down, or from suspended by restoring, or resumes it from paused.
#[derive(Clone, Debug, Default)]
pub struct StartVm {
    pub vm: VmId,
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
        ] {
            check::text(act, field, text.as_deref().unwrap_or_default(), check::MAX_TEXT)?;
        }
        let host = schedule::place(world, cx, act, vm, Wish { host: self.host, except: &[] })?;
        let (job, opened) = open(cx, 0, format!("Launching VM {}", vm.config.name), Task::StartVm { vm: self.vm });
        let strained = crate::quota::consume_cluster(act, world, cx, vm)?;
        let only_there = self.host.is_some();
        let requested = VmStartRequested { vm: self.vm, host, job, overrides: self.overrides.clone(), restore, only_there };
        Ok([requested.into(), opened].into_iter().chain(strained).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        basic(self.vm)
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, Object)> {
        self.host.iter().map(|_| (Permit::EditAdminVmProperties, Object::Vm(self.vm))).collect()
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
    pub vm: VmId,
    pub job: JobId,
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

fn start_failed(vm: &Vm, reason: &str) -> Vec<Event> {
    let Some(run) = &vm.run else { return Vec::new() };
    let failed = VmStartFailed { vm: vm.id, host: run.host, reason: reason.to_owned(), started_by: run.started_by };
    let mut events = vec![failed.into()];
    events.extend(ended(run, Some(reason)));
    events
}

/// The end of the job that works on a VM.
fn ended(run: &Run, failure: Option<&str>) -> Option<Event> {
    run.job.map(|job| JobEnded { job, failure: failure.map(str::to_owned) }.into())
}

/// Stops a VM at once; a suspended one loses its saved state.
#[derive(Clone, Debug)]
pub struct StopVm {
    pub vm: VmId,
}

/// Asks a VM's guest to shut down.
#[derive(Clone, Debug)]
pub struct ShutdownVm {
    pub vm: VmId,
}

fn check_stop(act: Act, vm: &Vm) -> Result<(), Rejection> {
    match vm.state {
        VmState::SavingState | VmState::RestoringState => Err(act.no(Key::VmIsSavingRestoring)),
        VmState::Down | VmState::ImageLocked | VmState::Unknown => Err(act.no(Key::VmIsNotRunning)),
        _ => Ok(()),
    }
}

/// The request, the end of the job it supersedes, and its own job.
fn change(vm: &Vm, cx: &Context, what: &str, task: Task, requested: impl FnOnce(JobId) -> Event) -> Vec<Event> {
    let (job, opened) = open(cx, 0, format!("{what} VM {}", vm.config.name), task);
    let mut events: Vec<Event> = vm.run.as_ref().and_then(|run| ended(run, Some("superseded"))).into_iter().collect();
    events.push(requested(job));
    events.push(opened);
    events
}

impl Decide for StopVm {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let vm = world.vm(self.vm)?;
        check_stop(Act("stop", "VM"), vm)?;
        if vm.state == VmState::Suspended {
            let message = "The saved state was discarded".to_owned();
            return Ok(vec![VmDown { vm: self.vm, host: None, error: false, message }.into()]);
        }
        Ok(change(vm, cx, "Stopping", Task::StopVm { vm: self.vm }, |job| VmStopRequested { vm: self.vm, job }.into()))
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        basic(self.vm)
    }
}

impl Decide for ShutdownVm {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let vm = world.vm(self.vm)?;
        check_stop(Act("shutdown", "VM"), vm)?;
        if vm.state != VmState::Up {
            return StopVm { vm: self.vm }.decide(world, cx);
        }
        Ok(change(vm, cx, "Shutting down", Task::ShutdownVm { vm: self.vm }, |job| {
            VmShutdownRequested { vm: self.vm, job }.into()
        }))
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        basic(self.vm)
    }
}

/// Records that a guest did not shut down in time.
#[derive(Clone, Debug)]
pub struct FallBackToStop {
    pub vm: VmId,
}

impl Decide for FallBackToStop {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let vm = world.vm(self.vm)?;
        let going = vm.state == VmState::PoweringDown;
        Ok(going.then(|| VmShutdownFellBack { vm: self.vm }.into()).into_iter().collect())
    }
}

/// Reboots a VM.
#[derive(Clone, Debug)]
pub struct RebootVm {
    pub vm: VmId,
}

impl Decide for RebootVm {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let vm = world.vm(self.vm)?;
        if !matches!(vm.state, VmState::Up | VmState::PoweringUp) {
            return Err(Act("reboot", "VM").no(Key::VmStatusIllegal).with("vmStatus", vm.state.name()));
        }
        Ok(change(vm, cx, "Rebooting", Task::RebootVm { vm: self.vm }, |job| VmRebootRequested { vm: self.vm, job }.into()))
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        basic(self.vm)
    }
}

/// Saves a VM's state to storage and stops it.
#[derive(Clone, Debug)]
pub struct SuspendVm {
    pub vm: VmId,
}

impl Decide for SuspendVm {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("hibernate", "VM");
        let vm = world.vm(self.vm)?;
        if vm.state != VmState::Up {
            return Err(act.no(Key::VmIsNotUp));
        }
        if vm.run.as_ref().and_then(|run| run.overrides.stateless).unwrap_or(vm.config.stateless) {
            return Err(act.no(Key::VmSuspendStateless));
        }
        if saved_state_domain(world, vm).is_none() {
            return Err(act.no(Key::NoDataDomain));
        }
        Ok(change(vm, cx, "Suspending", Task::SuspendVm { vm: self.vm }, |job| VmSuspendRequested { vm: self.vm, job }.into()))
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        basic(self.vm)
    }
}

/// The storage domain that a VM's state is saved on: its data center's master.
pub fn saved_state_domain(world: &World, vm: &Vm) -> Option<StorageDomainId> {
    world.data_center_of(vm.config.cluster)?.master
}

/// Moves a running VM to another host.
#[derive(Clone, Debug)]
pub struct MigrateVm {
    pub vm: VmId,
    /// Where to; the scheduler picks where none is named.
    pub host: Option<HostId>,
    /// Also where only a user may migrate it.
    pub force: bool,
}

impl Decide for MigrateVm {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("migrate", "VM");
        let vm = world.vm(self.vm)?;
        match vm.config.affinity {
            Affinity::Pinned => return Err(act.no(Key::VmPinned)),
            Affinity::UserMigratable if !self.force => return Err(act.no(Key::VmNotMigratable)),
            _ => {}
        }
        match vm.state {
            VmState::Up | VmState::PoweringUp | VmState::RebootInProgress => {}
            VmState::Migrating => return Err(act.no(Key::MigrationInProgress)),
            VmState::Paused => return Err(act.no(Key::MigratePaused)),
            VmState::Down | VmState::Suspended | VmState::ImageLocked => return Err(act.no(Key::VmIsNotRunning)),
            state => return Err(act.no(Key::VmStatusIllegal).with("vmStatus", state.name())),
        }
        let from = vm.host().ok_or_else(|| act.no(Key::VmIsNotRunning))?;
        if let Some(host) = self.host
            && world.host(host)?.status != HostStatus::Up
        {
            return Err(act.no(Key::HostStatusIllegal).with("hostStatus", "Up"));
        }
        let to = schedule::place(world, cx, act, vm, Wish { host: self.host, except: &[from] })?;
        Ok(change(vm, cx, "Migrating", Task::MigrateVm { vm: self.vm }, |job| {
            VmMigrationRequested { vm: self.vm, from, to, job }.into()
        }))
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::MigrateVm, Object::Vm(self.vm)))
    }
}

/// Calls a migration off.
#[derive(Clone, Debug)]
pub struct CancelMigration {
    pub vm: VmId,
}

impl Decide for CancelMigration {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let vm = world.vm(self.vm)?;
        if vm.state != VmState::Migrating {
            return Err(Act("cancel migration of", "VM").no(Key::NotMigrating));
        }
        Ok(vec![VmMigrationCancelRequested { vm: self.vm }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::MigrateVm, Object::Vm(self.vm)))
    }
}

/// Records that a console ticket was set; the driver gets its value from the caller.
#[derive(Clone, Debug)]
pub struct SetTicket {
    pub vm: VmId,
    pub expires_s: u32,
}

impl Decide for SetTicket {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("set ticket of", "VM");
        let vm = world.vm(self.vm)?;
        check::range(act, "ticket.expiry", self.expires_s.into(), 1, i64::from(u32::MAX))?;
        match vm.state {
            VmState::Up | VmState::Paused | VmState::PoweringUp | VmState::PoweringDown | VmState::RebootInProgress => {
                Ok(vec![VmTicketSet { vm: self.vm, expires_s: self.expires_s }.into()])
            }
            state => Err(act.no(Key::VmStatusIllegal).with("vmStatus", state.name())),
        }
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ConnectToVm, Object::Vm(self.vm)))
    }
}

/// What a driver observed of a VM.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Observed {
    PoweringUp(Guest),
    Up(Guest),
    Paused {
        detail: String,
    },
    PoweringDown,
    RebootInProgress,
    NotResponding,
    Saved,
    Down {
        error: bool,
        message: String,
    },
    Migrated {
        from: HostId,
        to: HostId,
    },
    MigrationFailed {
        cancelled: bool,
        message: String,
    },
    /// The host is not heard of.
    Lost,
    /// The hosts do not know the VM though it should run.
    Absent,
    /// A host does not know the VM. That it does not run says this only if it has its place there and does not leave it.
    Gone {
        host: HostId,
    },
}

/// A driver's observation of a VM: what it means depends on what was asked of the VM.
#[derive(Clone, Debug)]
pub struct ReportVm {
    pub vm: VmId,
    /// The run that it is about; an observation of an earlier run changes nothing.
    pub generation: Option<Position>,
    pub observed: Observed,
}

impl Decide for ReportVm {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some((vm, run)) = world.vms.get(&self.vm).and_then(|v| v.run.as_ref().map(|r| (v, r))) else {
            return Ok(Vec::new());
        };
        if self.generation.is_some_and(|generation| generation != run.generation) {
            return Ok(Vec::new());
        }
        let id = self.vm;
        // What was asked of the machine was refused by its host, and it goes on as before.
        let undisturbed = matches!(vm.state, VmState::SavingState | VmState::PoweringDown)
            && run.job.is_none_or(|job| !world.open_jobs.contains(&job));
        let starting = matches!(vm.state, VmState::WaitForLaunch | VmState::PoweringUp | VmState::RestoringState);
        let mut events: Vec<Event> = Vec::new();
        match &self.observed {
            Observed::PoweringUp(guest) if matches!(vm.state, VmState::WaitForLaunch) => {
                events.push(VmPoweringUp { vm: id, display: guest.display.clone() }.into());
            }
            Observed::Up(guest)
                if starting
                    || undisturbed
                    || matches!(
                        vm.state,
                        VmState::RebootInProgress | VmState::Paused | VmState::NotResponding | VmState::Unknown
                    ) =>
            {
                let up = VmUp { vm: id, host: run.host, started: starting, started_by: run.started_by, guest: guest.clone() };
                events.push(up.into());
                events.extend(ended(run, None));
            }
            Observed::Paused { detail } if vm.state != VmState::Paused && vm.state != VmState::Migrating => {
                events.push(VmPaused { vm: id, detail: detail.clone() }.into());
                events.extend(ended(run, None));
            }
            Observed::NotResponding if matches!(vm.state, VmState::Up | VmState::PoweringUp) => {
                events.push(VmNotResponding { vm: id }.into());
            }
            Observed::Saved if vm.state == VmState::SavingState => {
                events.push(VmSuspended { vm: id }.into());
                events.extend(ended(run, None));
            }
            Observed::Down { error, message } => {
                events.extend(down(vm, run, *error, message));
                if matches!(events.first(), Some(Event::VmStartFailed(_))) {
                    events.extend(start_failed_on(world, run.host, message));
                }
            }
            Observed::Gone { host } if run.host != *host || run.destination.is_some() => {}
            Observed::Absent | Observed::Gone { .. } if vm.state != VmState::WaitForLaunch => {
                events.extend(down(vm, run, !run.stopping, "The host does not run it any more"));
            }
            Observed::Migrated { from, to } if run.destination.is_some() => {
                events.push(VmMigrated { vm: id, from: *from, to: *to }.into());
                events.extend(ended(run, None).filter(|_| !run.stopping));
            }
            Observed::MigrationFailed { cancelled, message } if run.destination.is_some() => {
                let to = run.destination.unwrap_or(run.host);
                let failed = VmMigrationFailed { vm: id, from: run.host, to, reason: message.clone(), cancelled: *cancelled };
                events.push(failed.into());
                events.extend(ended(run, Some(message)).filter(|_| !run.stopping));
            }
            Observed::Lost if !matches!(vm.state, VmState::Unknown) => events.push(VmLost { vm: id }.into()),
            _ => {}
        }
        Ok(events)
    }
}

/// A VM is down: what was asked for, or a crash; a start that never came up has failed.
fn down(vm: &Vm, run: &Run, error: bool, message: &str) -> Vec<Event> {
    let resumes = run.before == VmState::Paused;
    if matches!(vm.state, VmState::WaitForLaunch | VmState::RestoringState) && !run.stopping && !resumes {
        return start_failed(vm, message);
    }
    let error = error && !run.stopping;
    let mut events: Vec<Event> = vec![VmDown { vm: vm.id, host: Some(run.host), error, message: message.to_owned() }.into()];
    events.extend(ended(run, (!run.stopping).then_some(message)));
    events
}

/// The VMs that ran on a host which is dead for certain: they are down, and highly available ones may be started elsewhere.
pub(crate) fn down_with_host(world: &World, host: HostId, message: &str) -> Vec<Event> {
    world
        .vms_on(host)
        .filter(|vm| vm.host() == Some(host))
        .filter_map(|vm: &Arc<Vm>| vm.run.as_ref().map(|run| down(vm, run, true, message)))
        .flatten()
        .collect()
}
