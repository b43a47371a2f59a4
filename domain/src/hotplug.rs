//! Devices of a machine while it runs: what is changed of them is asked of its host, by a job.

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::ids::*;
use crate::job::{JobEnded, JobOpened, Task};
use crate::rejection::Rejection;
use crate::vm::{DiskAttachmentUpdated, NicPatch, NicUpdated, Vm};
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
    vm.run.as_ref()?;
    let what = match device {
        Device::Nic(_) => "a Network Interface",
        Device::Disk(_) => "a Disk",
    };
    let description = format!("{} {what} of VM {}", change.verb(), vm.config.name);
    Some(JobOpened { job: cx.fresh(n), description, task: Task::ChangeDevice { vm: vm.id, device, change } }.into())
}

/// Ends such a job. What could not be plugged or unplugged is configured again as the machine has it.
#[derive(Clone, Debug)]
pub struct FinishDeviceChange {
    pub job: JobId,
    pub vm: VmId,
    pub device: Device,
    pub change: DeviceChange,
    pub outcome: Result<(), String>,
}

impl Decide for FinishDeviceChange {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        // A machine that is gone has no device that could be wrong.
        let Some(vm) = world.vms.get(&self.vm).filter(|vm| vm.run.is_some()) else {
            return Ok(vec![JobEnded { job: self.job, failure: None }.into()]);
        };
        let failed = self.outcome.is_err() && self.change != DeviceChange::Rewire;
        let plugged = self.change == DeviceChange::Unplug;
        let taken_back: Option<Event> = match self.device {
            Device::Nic(nic) => vm.nics.iter().find(|own| own.id == nic && own.plugged != plugged).map(|_| {
                let changes = NicPatch { plugged: Some(plugged), ..NicPatch::default() };
                NicUpdated { vm: self.vm, nic, changes }.into()
            }),
            Device::Disk(disk) => vm.disks.iter().find(|own| own.disk == disk && own.active != plugged).map(|own| {
                let attachment = crate::vm::DiskAttachment { active: plugged, ..*own };
                DiskAttachmentUpdated { vm: self.vm, attachment }.into()
            }),
        };
        let mut events: Vec<Event> = taken_back.filter(|_| failed).into_iter().collect();
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}
