//! How the jobs of virtual machines are carried out.

use evirt_domain::access::EntityRef;
use evirt_domain::check::Act;
use evirt_domain::hotplug::{Device, DeviceChange, FinishDeviceChange};
use evirt_domain::ids::*;
use evirt_domain::index::JobTerm;
use evirt_domain::job::{EndJob, Job, Task};
use evirt_domain::vm_run::*;
use evirt_domain::{World, vm};

use super::{Carried, Work, done};
use crate::hypervisor::{DriverCall, DriverError, FileRef};
use crate::reactors::driver_mapping;

impl Work<'_> {
    /// Waits until the same that was asked of the machine before has been carried out: what was asked for last is what it has at the end.
    async fn in_turn(&self, vm: VmId, same: impl Fn(&Task) -> bool) {
        let before = |job: &Job| job.position < self.operation.0 && same(&job.task);
        let waits = |world: &World| world.jobs.by(JobTerm::Open(EntityRef::Vm(vm))).any(|job| before(job));
        self.reactor.engine.until(|world| (!waits(world)).then_some(())).await;
    }

    /// Asks something of a machine that runs. Where its host does not know it, the machine is down.
    async fn ask_machine(&self, id: VmId, call: DriverCall) -> Result<(), String> {
        let outcome = self.call(call).await;
        if matches!(&outcome, Err(DriverError::NotFound { id: unknown, .. }) if *unknown == id.to_string()) {
            self.submit(ReportVm { vm: id, generation: None, observed: Observed::Absent }).await;
        }
        outcome.map(drop).map_err(|error| error.to_string())
    }

    /// Has the running machine's drive hold a file, or nothing.
    pub(super) async fn change_cd(&self, id: VmId, file: &str) -> Carried {
        self.in_turn(id, |task| matches!(task, Task::ChangeCd { .. })).await;
        let world = self.reactor.engine.world();
        let cd = match world.vms.get(&id).filter(|_| !file.is_empty()) {
            None => None,
            Some(vm) => {
                let domain =
                    vm::iso_file(Act("change CD of", "VM"), &world, vm.config.cluster, file).map_err(|gone| gone.to_string())?;
                Some(FileRef { domain: domain.0, name: file.to_owned() })
            }
        };
        self.ask_machine(id, DriverCall::ChangeCd { vm: id.0, cd }).await?;
        done(vm::FinishCdChange { job: self.job, vm: id, file: file.to_owned(), outcome: Ok(()) })
    }

    /// Has the machine's console take a ticket.
    pub(super) async fn set_ticket(&self, id: VmId, sealed: &str, expires_s: u32) -> Carried {
        self.in_turn(id, |task| matches!(task, Task::SetTicket { .. })).await;
        let value = self.unseal("ticket", sealed)?;
        self.ask_machine(id, DriverCall::SetTicket { vm: id.0, value, expiry_s: expires_s.into() }).await?;
        done(FinishTicket { job: self.job, vm: id, expires_s, outcome: Ok(()) })
    }

    /// Makes a running machine have a device as the VM is configured now.
    pub(super) async fn change_device(&self, id: VmId, device: Device, change: DeviceChange) -> Carried {
        self.in_turn(id, |task| matches!(task, Task::ChangeDevice { device: same, .. } if *same == device)).await;
        let vm = id.0;
        let spec = driver_mapping::vm_spec(&self.reactor.engine.world(), id);
        let nic = |nic: NicId| spec.as_ref().and_then(|spec| spec.nics.iter().find(|own| own.id == nic.0)).cloned();
        let disk = |disk: DiskId| spec.as_ref().and_then(|spec| spec.disks.iter().find(|own| own.id == disk.0)).cloned();
        let call = match (device, change) {
            (Device::Nic(nic), DeviceChange::Unplug) => Some(DriverCall::HotunplugNic { vm, nic: nic.0 }),
            (Device::Nic(id), DeviceChange::Plug) => nic(id).map(|nic| DriverCall::HotplugNic { vm, nic }),
            (Device::Nic(id), DeviceChange::Rewire) => nic(id).map(|nic| DriverCall::UpdateNic { vm, nic }),
            (Device::Disk(disk), DeviceChange::Unplug) => Some(DriverCall::HotunplugDisk { vm, disk: disk.0 }),
            (Device::Disk(id), _) => disk(id).map(|disk| DriverCall::HotplugDisk { vm, disk }),
        };
        // Without a call it was unplugged or removed meanwhile, or nothing runs any more.
        if let Some(call) = call {
            match self.call(call).await {
                Ok(_) => {}
                Err(DriverError::NotFound { .. }) if change == DeviceChange::Unplug => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        done(FinishDeviceChange { job: self.job, vm: id, device, change, outcome: Ok(()) })
    }

    /// Launches the VM where it has its place; where that fails, wherever it is placed next.
    pub(super) async fn start_vm(&self, id: VmId) -> Carried {
        loop {
            let alone = self.reactor.alone(id).await;
            let world = self.reactor.engine.world();
            let Some((vm, run)) = world.vms.get(&id).and_then(|v| Some((v, v.run.as_ref()?))) else {
                return Err("the VM has no place".to_owned());
            };
            if run.job != Some(self.job) {
                return done(EndJob { job: self.job, failure: None });
            }
            let launched = match (run.before, driver_mapping::vm_spec(&world, id)) {
                (_, None) => Err("the VM cannot be described to the host".to_owned()),
                (VmState::Paused, _) => self.ask(DriverCall::Resume { vm: id.0 }).await,
                (VmState::Suspended, Some(spec)) => self.ask(DriverCall::Restore { host: run.host.0, vm: Box::new(spec) }).await,
                (_, Some(spec)) => self.ask(DriverCall::Launch { host: run.host.0, vm: Box::new(spec) }).await,
            };
            drop(alone);
            match launched {
                Ok(_) => return self.observed("launch").await,
                // What takes it back may give it another place first.
                Err(reason) => {
                    tracing::info!(vm = %vm.config.name, host = %run.host, reason, "a launch failed");
                    if self.reactor.submit(&self.about, self.undo(&reason)).await.is_err() {
                        return Ok(None);
                    }
                }
            }
            let world = self.reactor.engine.world();
            if !world.open_jobs.contains(&self.job) {
                return Ok(None);
            }
            // While its host is not heard of it is tried there again, since it may have been launched.
            if world.vms.get(&id).is_some_and(|vm| vm.state == VmState::Unknown) {
                tokio::time::sleep(self.reactor.timeouts.retry).await;
            }
        }
    }

    /// Records a step as done and waits until an observation has ended the job.
    async fn observed(&self, step: &str) -> Carried {
        self.finished(step).await;
        self.reactor.engine.settle(self.job).await;
        Ok(None)
    }

    /// Asks something of a running VM; the observation that follows ends the job.
    pub(super) async fn act(&self, step: &str, id: VmId, call: DriverCall) -> Carried {
        let alone = self.reactor.alone(id).await;
        let outcome = self.call(call).await;
        drop(alone);
        match outcome {
            Ok(_) => self.observed(step).await,
            Err(DriverError::NotFound { .. }) => self.absent(id).await,
            Err(error) => self.refused(id, error).await,
        }
    }

    /// The driver does not know the VM: then it is down.
    async fn absent(&self, id: VmId) -> Carried {
        self.submit(ReportVm { vm: id, generation: None, observed: Observed::Absent }).await;
        done(EndJob { job: self.job, failure: None })
    }

    /// The driver will not: the job has failed, and what the VM really does is asked of its host.
    async fn refused(&self, id: VmId, error: DriverError) -> Carried {
        tracing::warn!(vm = %id, %error, "the driver refused");
        self.submit(self.undo(&error.to_string())).await;
        if let Some(host) = self.reactor.engine.world().vms.get(&id).and_then(|v| v.host()) {
            self.reactor.reconcile(host).await;
        }
        Ok(None)
    }

    pub(super) async fn suspend_vm(&self, world: &World, id: VmId) -> Carried {
        let Some(domain) = world.vms.get(&id).and_then(|vm| saved_state_domain(world, vm)) else {
            return self.refused(id, DriverError::Failed { message: "there is no storage for its state".into() }).await;
        };
        self.act("save", id, DriverCall::Suspend { vm: id.0, domain: domain.0 }).await
    }

    /// Asks the guest, and stops the VM where the guest takes too long.
    pub(super) async fn shut_down_vm(&self, id: VmId) -> Carried {
        match self.call(DriverCall::Shutdown { vm: id.0 }).await {
            Err(DriverError::NotFound { .. }) => return self.absent(id).await,
            Ok(_) => {
                self.finished("shutdown").await;
                let grace = self.reactor.timeouts.shutdown_grace;
                if tokio::time::timeout(grace, self.reactor.engine.settle(self.job)).await.is_ok() {
                    return Ok(None);
                }
            }
            Err(error) => tracing::info!(vm = %id, %error, "the guest cannot be asked to shut down"),
        }
        self.submit(FallBackToStop { vm: id }).await;
        self.act("shutdown", id, DriverCall::Destroy { vm: id.0 }).await
    }

    pub(super) async fn migrate_vm(&self, id: VmId) -> Carried {
        let world = self.reactor.engine.world();
        let Some((from, to)) = world.vms.get(&id).and_then(|v| v.run.as_ref()).and_then(|r| Some((r.host, r.destination?)))
        else {
            return done(EndJob { job: self.job, failure: None });
        };
        self.ask(DriverCall::Migrate { vm: id.0, from: from.0, to: to.0 }).await?;
        self.finished("migrate").await;
        if self.operation.0 <= self.reactor.began {
            self.reactor.find_migrating(id).await;
        }
        let called_off = self.reactor.engine.until(|world| {
            let open = world.open_jobs.contains(&self.job);
            let off = world.vms.get(&id).and_then(|v| v.run.as_ref()).is_some_and(|r| r.cancelling);
            if !open { Some(false) } else { off.then_some(true) }
        });
        if called_off.await {
            if let Err(error) = self.call(DriverCall::CancelMigration { vm: id.0 }).await {
                tracing::info!(vm = %id, %error, "the migration was not called off");
            }
            self.reactor.engine.settle(self.job).await;
        }
        Ok(None)
    }
}
