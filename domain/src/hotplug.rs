//! Devices of a machine while it runs: what is changed of them is asked of its host, by a job.

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::ids::*;
use crate::index::JobTerm;
use crate::job::{JobEnded, JobOpened, Task};
use crate::rejection::Rejection;
use crate::vm::{DiskAttachment, DiskAttachmentUpdated, NicPatch, NicUpdated, Vm};
use crate::world::World;

/// A device that can be plugged while the machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Device {
    Nic(NicId),
    Disk(DiskId),
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChange {
    /// The machine gets it.
    Plug,
    /// The machine loses it.
    Unplug,
    /// It gets another network, or its link goes up or down.
    Rewire,
}

impl DeviceChange {
    /// Plug or unplug.
    pub fn to(plugged: bool) -> Self {
        if plugged { Self::Plug } else { Self::Unplug }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Plug => "Plugging",
            Self::Unplug => "Unplugging",
            Self::Rewire => "Changing",
        }
    }
}

/// The job that a change of a VM's device needs: none while no machine runs.
pub(crate) fn follow(cx: &Context, n: u64, vm: &Vm, device: Device, change: DeviceChange) -> Option<Event> {
    change_job(cx, n, vm, device, change, None)
}

/// The job that rewiring an interface needs, with how it was before.
pub(crate) fn rewire(cx: &Context, vm: &Vm, nic: NicId, before: NicPatch) -> Option<Event> {
    change_job(cx, 0, vm, Device::Nic(nic), DeviceChange::Rewire, Some(Box::new(before)))
}

fn change_job(
    cx: &Context,
    n: u64,
    vm: &Vm,
    device: Device,
    change: DeviceChange,
    before: Option<Box<NicPatch>>,
) -> Option<Event> {
    vm.run.as_ref()?;
    let what = match device {
        Device::Nic(_) => "a Network Interface",
        Device::Disk(_) => "a Disk",
    };
    let description = format!("{} {what} of VM {}", change.verb(), vm.config.name);
    Some(JobOpened { job: cx.fresh(n), description, task: Task::ChangeDevice { vm: vm.id, device, change, before } }.into())
}

/// Ends such a job. What its host refused is configured again as the machine has it.
#[derive(Clone, Debug)]
pub struct FinishDeviceChange {
    /// The job that ends.
    pub job: JobId,
    /// Whose device it is.
    pub vm: VmId,
    /// Which.
    pub device: Device,
    /// What was to happen to it.
    pub change: DeviceChange,
    /// What the host said.
    pub outcome: Result<(), String>,
}

impl FinishDeviceChange {
    /// The event that configures the device as it was before.
    fn taken_back(&self, world: &World, vm: &Vm) -> Option<Event> {
        let plugged = self.change == DeviceChange::Unplug;
        match (self.device, self.change) {
            (Device::Nic(nic), DeviceChange::Rewire) => {
                // What was asked of it since is carried out with all that it has.
                let others = world.jobs.by(JobTerm::Open(EntityRef::Vm(self.vm))).filter(|job| job.id != self.job);
                let asked_since = |task: &Task| matches!(task, Task::ChangeDevice { device, .. } if *device == self.device);
                if others.into_iter().any(|job| asked_since(&job.task)) {
                    return None;
                }
                let Task::ChangeDevice { before: Some(before), .. } = &world.jobs.get(&self.job)?.task else { return None };
                let own = vm.nics.iter().find(|own| own.id == nic)?;
                let changes = before.as_ref().clone().reduce(&own.config);
                (!changes.is_empty()).then(|| NicUpdated { vm: self.vm, nic, changes }.into())
            }
            (Device::Nic(nic), _) => vm.nics.iter().find(|own| own.id == nic && own.plugged != plugged).map(|_| {
                let changes = NicPatch { plugged: Some(plugged), ..NicPatch::default() };
                NicUpdated { vm: self.vm, nic, changes }.into()
            }),
            (Device::Disk(disk), _) => vm.disks.iter().find(|own| own.disk == disk && own.active != plugged).map(|own| {
                let attachment = DiskAttachment { active: plugged, ..*own };
                DiskAttachmentUpdated { vm: self.vm, attachment }.into()
            }),
        }
    }
}

impl Decide for FinishDeviceChange {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        // A machine that is gone has no device that could be wrong.
        let Some(vm) = world.vms.get(&self.vm).filter(|vm| vm.run.is_some()) else {
            return Ok(vec![JobEnded { job: self.job, failure: None }.into()]);
        };
        let taken_back = self.outcome.as_ref().err().and_then(|_| self.taken_back(world, vm));
        let ended = JobEnded { job: self.job, failure: self.outcome.clone().err() };
        Ok(taken_back.into_iter().chain([ended.into()]).collect())
    }
}
