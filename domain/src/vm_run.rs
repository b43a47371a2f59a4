//! How a virtual machine runs: its states, its actions (the guide's section 15.5) and what drivers observe of it.

mod actions;
mod migrate;
mod report;
mod start;
mod ticket;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::context::{Actor, Context};
use crate::event::{Event, EventMetadata};
use crate::fold;
use crate::host_error::count_start;
use crate::ids::*;
use crate::job::{JobEnded, JobOpened, SUPERSEDED, Task};
use crate::permit::Permit;
use crate::vm::{Affinity, BootDevice, DisplayType, Payload, Vm, VmConfig, VmPatch, named, touch};
use crate::world::World;

pub use actions::*;
pub use migrate::*;
pub use report::*;
pub use start::*;
pub use ticket::*;

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

/// How a VM runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Where.
    pub host: HostId,
    /// The position of the request: what tells this run from an earlier one.
    pub generation: Position,
    /// The user, or the engine, that asked for it.
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
    /// What it boots from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<Vec<BootDevice>>,
    /// The CD in its drive; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cdrom: Option<String>,
    /// The kernel that it boots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The initial RAM disk of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initrd: Option<String>,
    /// What the kernel is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<String>,
    /// The protocol of its console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<DisplayType>,
    /// Whether what it writes is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stateless: Option<bool>,
    /// Whether it is paused when it has started.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Files that it finds when it boots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payloads: Option<Vec<Payload>>,
    /// The floppy in its drive: a file of an ISO domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floppy: Option<String>,
    /// Who may migrate it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// The domain that a Windows guest joins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

impl RunOverrides {
    /// A configuration as it is for this run.
    fn laid_over(&self, config: &VmConfig) -> VmConfig {
        let mut config = config.clone();
        if let Some(boot) = &self.boot {
            config.boot.clone_from(boot);
        }
        for (of_run, held) in
            [(&self.kernel, &mut config.kernel), (&self.initrd, &mut config.initrd), (&self.cmdline, &mut config.cmdline)]
        {
            if let Some(text) = of_run {
                held.clone_from(text);
            }
        }
        if let Some(payloads) = &self.payloads {
            config.payloads.clone_from(payloads);
        }
        if let Some(domain) = &self.domain {
            config.domain.clone_from(domain);
        }
        config.affinity = self.affinity.unwrap_or(config.affinity);
        config.display = self.display.unwrap_or(config.display);
        config.stateless = self.stateless.unwrap_or(config.stateless);
        config
    }
}

impl Vm {
    /// The configuration that it runs with; while it does not run, the one that it has.
    pub fn running_config(&self) -> Cow<'_, VmConfig> {
        match self.run.as_ref().map(|run| &run.overrides).filter(|overrides| **overrides != RunOverrides::default()) {
            Some(overrides) => Cow::Owned(overrides.laid_over(&self.config)),
            None => Cow::Borrowed(&self.config),
        }
    }

    /// Changes without what they only repeat of this run: who sends a VM back as it is shown does not want it so for ever.
    pub fn said_of_the_run(&self, mut changes: VmPatch) -> VmPatch {
        let Some(overrides) = self.run.as_ref().map(|run| &run.overrides) else { return changes };
        fn drop_repeated<T: PartialEq>(change: &mut Option<T>, of_run: &Option<T>) {
            if of_run.is_some() && *change == *of_run {
                *change = None;
            }
        }
        drop_repeated(&mut changes.boot, &overrides.boot);
        drop_repeated(&mut changes.kernel, &overrides.kernel);
        drop_repeated(&mut changes.initrd, &overrides.initrd);
        drop_repeated(&mut changes.cmdline, &overrides.cmdline);
        drop_repeated(&mut changes.payloads, &overrides.payloads);
        drop_repeated(&mut changes.domain, &overrides.domain);
        drop_repeated(&mut changes.affinity, &overrides.affinity);
        drop_repeated(&mut changes.display, &overrides.display);
        drop_repeated(&mut changes.stateless, &overrides.stateless);
        changes
    }
}

/// Takes the place of a VM on its host away and sets its state.
fn release(world: &mut World, vm: VmId, at: &EventMetadata, state: VmState) {
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
fn running(world: &mut World, vm: VmId, at: &EventMetadata, state: VmState, change: impl FnOnce(&mut Run)) {
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
    /// Which VM.
    pub vm: VmId,
    /// Which host.
    pub host: HostId,
    /// The job that does it.
    pub job: JobId,
    /// What was asked for this run only.
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
    /// Which VM.
    pub vm: VmId,
    /// Where the launch failed.
    pub from: HostId,
    /// Where it is tried next.
    pub to: HostId,
    /// Why.
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
    /// Which VM.
    pub vm: VmId,
    /// Where its console listens: address, port, TLS port.
    pub display: Option<(String, u16, Option<u16>)>,
}

fold!(VmPoweringUp, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |v| v.started_at = Some(at.at));
    running(world, e.vm, at, VmState::PoweringUp, |run| run.display = e.display.clone());
});

/// What a guest and its console tell of themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guest {
    /// Its addresses.
    pub ips: Vec<String>,
    /// Its name; empty where it told none.
    pub fqdn: String,
    /// Where its console listens: address, port, TLS port.
    pub display: Option<(String, u16, Option<u16>)>,
}

/// The machine is up: started, rebooted, resumed or restored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmUp {
    /// Which VM.
    pub vm: VmId,
    /// Which host.
    pub host: HostId,
    /// Whether this ends a start, rather than a reboot or a pause.
    pub started: bool,
    /// The user, or the engine, that asked for the start.
    pub started_by: Actor,
    /// What the guest told.
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
        // A stop that its host refused is over: what ends the machine later ends it by itself.
        run.stopping = false;
        if e.guest.display.is_some() {
            run.display = e.guest.display.clone();
        }
    });
});

/// The machine is paused: as asked at its start, or by a storage error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmPaused {
    /// Which VM.
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
    /// Which VM.
    pub vm: VmId,
    /// Which host.
    pub host: HostId,
    /// Why.
    pub reason: String,
    /// The user, or the engine, that had asked for the start.
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
            /// Which VM.
            pub vm: VmId,
            /// The job that does it.
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
    /// Which VM.
    pub vm: VmId,
}

fold!(VmShutdownFellBack, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |_| {});
});

/// The state is on storage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmSuspended {
    /// Which VM.
    pub vm: VmId,
}

fold!(VmSuspended, Vm vm, |e, world, at| {
    release(world, e.vm, at, VmState::Suspended);
});

/// The machine is down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmDown {
    /// Which VM.
    pub vm: VmId,
    /// Where it ran.
    pub host: Option<HostId>,
    /// Whether it went by itself and not in order.
    pub error: bool,
    /// Why, for a human.
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
    /// Which VM.
    pub vm: VmId,
}

fold!(VmNotResponding, Vm vm, |e, world, at| {
    running(world, e.vm, at, VmState::NotResponding, |_| {});
});

/// Its host is not heard of: nobody knows whether it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmLost {
    /// Which VM.
    pub vm: VmId,
}

fold!(VmLost, Vm vm, |e, world, at| {
    running(world, e.vm, at, VmState::Unknown, |_| {});
});

/// A migration was asked for; the VM has a place on both hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmMigrationRequested {
    /// Which VM.
    pub vm: VmId,
    /// Where it runs.
    pub from: HostId,
    /// Where it is to run.
    pub to: HostId,
    /// The job that does it.
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
    /// Which VM.
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
    /// Which VM.
    pub vm: VmId,
    /// Where it ran.
    pub from: HostId,
    /// Where it runs.
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
    /// Which VM.
    pub vm: VmId,
    /// Where it runs.
    pub from: HostId,
    /// Where it should have gone.
    pub to: HostId,
    /// Why.
    pub reason: String,
    /// Whether somebody called it off.
    pub cancelled: bool,
}

fold!(VmMigrationFailed, Vm vm, |e, world, at| {
    world.placed.leave(e.to, e.vm);
    let state = state_after_migration(world, e.vm);
    running(world, e.vm, at, state, migrates_no_more);
});

fn open(cx: &Context, n: u64, description: String, task: Task) -> (JobId, Event) {
    let job: JobId = cx.fresh(n);
    (job, JobOpened { job, description, task }.into())
}

fn basic(vm: VmId) -> Option<(Permit, EntityRef)> {
    Some((Permit::VmBasicOperations, EntityRef::Vm(vm)))
}

/// The end of the job that works on a VM.
fn ended(run: &Run, failure: Option<&str>) -> Option<Event> {
    run.job.map(|job| JobEnded { job, failure: failure.map(str::to_owned) }.into())
}

/// The request, the end of the job it supersedes, and its own job.
fn change(vm: &Vm, cx: &Context, what: &str, task: Task, requested: impl FnOnce(JobId) -> Event) -> Vec<Event> {
    let (job, opened) = open(cx, 0, format!("{what} VM {}", vm.config.name), task);
    let mut events: Vec<Event> = vm.run.as_ref().and_then(|run| ended(run, Some(SUPERSEDED))).into_iter().collect();
    events.push(requested(job));
    events.push(opened);
    events
}

fn start_failed(vm: &Vm, reason: &str) -> Vec<Event> {
    let Some(run) = &vm.run else { return Vec::new() };
    let failed = VmStartFailed { vm: vm.id, host: run.host, reason: reason.to_owned(), started_by: run.started_by };
    let mut events = vec![failed.into()];
    events.extend(ended(run, Some(reason)));
    events
}
