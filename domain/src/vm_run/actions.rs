//! What is done to a VM that runs: stop, shutdown, reboot, suspend.

use crate::access::EntityRef;
use crate::check::Act;
use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::ids::*;
use crate::job::Task;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::vm::Vm;
use crate::world::World;

use super::*;

/// Stops a VM at once; a suspended one loses its saved state.
#[derive(Clone, Debug)]
pub struct StopVm {
    /// Which VM.
    pub vm: VmId,
}

/// Asks a VM's guest to shut down.
#[derive(Clone, Debug)]
pub struct ShutdownVm {
    /// Which VM.
    pub vm: VmId,
}

fn check_stop(act: Act, vm: &Vm) -> Result<(), Rejection> {
    match vm.state {
        VmState::SavingState | VmState::RestoringState => Err(act.no(Key::VmIsSavingRestoring)),
        VmState::Down | VmState::ImageLocked | VmState::Unknown => Err(act.no(Key::VmIsNotRunning)),
        _ => Ok(()),
    }
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

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
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

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        basic(self.vm)
    }
}

/// Records that a guest did not shut down in time.
#[derive(Clone, Debug)]
pub struct FallBackToStop {
    /// Which VM.
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
    /// Which VM.
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

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        basic(self.vm)
    }
}

/// Saves a VM's state to storage and stops it.
#[derive(Clone, Debug)]
pub struct SuspendVm {
    /// Which VM.
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

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        basic(self.vm)
    }
}

/// The storage domain that a VM's state is saved on: its data center's master.
pub fn saved_state_domain(world: &World, vm: &Vm) -> Option<StorageDomainId> {
    world.data_center_of(vm.config.cluster)?.master
}
