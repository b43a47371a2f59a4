//! What drivers observe of VMs, and what follows from it.

use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::host_error::start_failed_on;
use crate::ids::*;
use crate::rejection::Rejection;
use crate::vm::Vm;
use crate::world::World;

use super::*;

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
    /// Which VM.
    pub vm: VmId,
    /// The run that it is about; an observation of an earlier run changes nothing.
    pub generation: Option<Position>,
    /// What was observed.
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
                events.push(VmPoweringUp { vm: id, display: console(world, run.host, guest) }.into());
            }
            Observed::Up(guest)
                if starting
                    || undisturbed
                    || matches!(
                        vm.state,
                        VmState::RebootInProgress | VmState::Paused | VmState::NotResponding | VmState::Unknown
                    ) =>
            {
                let guest = Guest { display: console(world, run.host, guest), ..guest.clone() };
                let up = VmUp { vm: id, host: run.host, started: starting, started_by: run.started_by, guest };
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

/// Where the console of a guest is reached: at the host's address for consoles, where it has one of its own.
fn console(world: &World, host: HostId, guest: &Guest) -> Option<(String, u16, Option<u16>)> {
    let own = world.hosts.get(&host).map(|host| &host.config.setup.display_address).filter(|own| !own.is_empty());
    let told = guest.display.clone();
    told.map(|(address, port, secure)| (own.cloned().unwrap_or(address), port, secure))
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
