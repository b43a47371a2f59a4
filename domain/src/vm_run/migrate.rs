//! Migrations.

use crate::access::EntityRef;
use crate::check::Act;
use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::host::HostStatus;
use crate::ids::*;
use crate::job::Task;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::schedule::{self, Wish};
use crate::vm::Affinity;
use crate::world::World;

use super::*;

/// Moves a running VM to another host.
#[derive(Clone, Debug)]
pub struct MigrateVm {
    /// Which VM.
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
        match vm.affinity() {
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

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::MigrateVm, EntityRef::Vm(self.vm)))
    }
}

/// Calls a migration off.
#[derive(Clone, Debug)]
pub struct CancelMigration {
    /// Which VM.
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

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::MigrateVm, EntityRef::Vm(self.vm)))
    }
}
