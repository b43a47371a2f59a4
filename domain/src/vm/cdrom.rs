//! The CD in a VM's drive: the configured one, and the one that the running machine has, which its host changes by a job.

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::check::Act;
use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::fold;
use crate::ids::*;
use crate::job::{JobEnded, JobOpened, Task};
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::storage::DomainClass;
use crate::vm::{Vm, touch};
use crate::vm_run::VmState;
use crate::world::World;

const CHANGE: Act = Act("change CD of", "VM");

/// Another CD is in the drive: the configured one, and where `current` is set that of the running VM only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CdRomChanged {
    /// Whose drive it is.
    pub vm: VmId,
    /// File name; empty for none.
    pub file: String,
    /// Whether it is the running machine's alone.
    pub current: bool,
}

fold!(CdRomChanged, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |v| match (&mut v.run, e.current) {
        (Some(run), true) => run.cdrom = e.file.clone(),
        _ => v.cdrom = e.file.clone(),
    });
});

/// Puts a CD into the drive, or takes it out. A running machine's drive is changed by a job, and only what its host has done is recorded.
#[derive(Clone, Debug)]
pub struct ChangeCdRom {
    /// Whose drive it is.
    pub vm: VmId,
    /// File name; empty for none.
    pub file: String,
    /// Whether only the running VM's drive changes.
    pub current: bool,
}

/// Refuses to change the drive of a machine that is in no state for it: one that is neither up nor paused.
pub fn check_drive(vm: &Vm) -> Result<(), Rejection> {
    match vm.state {
        VmState::Up | VmState::Paused => Ok(()),
        _ if vm.run.is_none() => Err(CHANGE.no(Key::VmIsNotRunning)),
        state => Err(CHANGE.no(Key::VmStatusIllegal).with("vmStatus", state.name())),
    }
}

impl Decide for ChangeCdRom {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let vm = world.vm(self.vm)?;
        if self.current {
            check_drive(vm)?;
        }
        if !self.file.is_empty() {
            iso_file(CHANGE, world, vm.config.cluster, &self.file)?;
        }
        if self.current {
            let description = format!("Changing the CD of VM {}", vm.config.name);
            let task = Task::ChangeCd { vm: self.vm, file: self.file.clone() };
            return Ok(vec![JobOpened { job: cx.fresh(0), description, task }.into()]);
        }
        if vm.cdrom == self.file {
            return Ok(Vec::new());
        }
        Ok(vec![CdRomChanged { vm: self.vm, file: self.file.clone(), current: false }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ChangeVmCd, EntityRef::Vm(self.vm)))
    }
}

/// Ends the job of such a change: what the drive holds is recorded where the host has changed it, and stays as it was where it has not.
#[derive(Clone, Debug)]
pub struct FinishCdChange {
    /// The job that ends.
    pub job: JobId,
    /// Whose drive it is.
    pub vm: VmId,
    /// The file that was to be in it; empty for none.
    pub file: String,
    /// What the host said.
    pub outcome: Result<(), String>,
}

impl Decide for FinishCdChange {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let runs = world.vms.get(&self.vm).is_some_and(|vm| vm.run.is_some());
        let outcome = if runs { self.outcome.clone() } else { Err("The machine does not run any more".to_owned()) };
        let changed = CdRomChanged { vm: self.vm, file: self.file.clone(), current: true };
        let mut events: Vec<Event> = outcome.is_ok().then(|| changed.into()).into_iter().collect();
        events.push(JobEnded { job: self.job, failure: outcome.err() }.into());
        Ok(events)
    }
}

/// The ISO domain that has a file, for the VMs of a cluster. Refused where the data center has no active ISO domain, or that has no such
/// file.
pub fn iso_file(act: Act, world: &World, cluster: ClusterId, file: &str) -> Result<StorageDomainId, Rejection> {
    let data_center = world.cluster(cluster)?.config.data_center;
    let iso = world
        .storage_domains
        .values()
        .find(|d| d.class == DomainClass::Iso && data_center.is_some_and(|id| d.is_active_in(id)))
        .ok_or_else(|| act.no(Key::VmNoIsoDomain))?;
    if iso.files.iter().any(|f| f.name == file) { Ok(iso.id) } else { Err(act.no(Key::IsoNotFound).with("file", file)) }
}
