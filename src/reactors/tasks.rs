//! How jobs are carried out: what each task's steps ask of the driver. Which steps there are, in which order, and what takes them back is
//! the task's own description in the domain.

mod hosts;
mod machines;
mod storage;

use evirt_domain::ids::*;
use evirt_domain::job::{AnyCommand, EndJob, FinishStep, Job, JobStatus, Task};
use evirt_domain::{World, disk, vm};
use futures_util::future::BoxFuture;

use super::Reactor;
use crate::engine::Request;
use crate::hypervisor::{DriverCall, DriverError, OperationId, Reply};

pub(super) use hosts::{lacks_networks, misses_storage};

/// A job while it is carried out.
pub(super) struct Work<'a> {
    reactor: &'a Reactor,
    about: Request,
    job: JobId,
    task: &'a Task,
    operation: OperationId,
    /// Steps that were done before.
    done: usize,
}

/// What came of a job's steps: the command that records it, none where an observation has ended the job or will, or why they failed.
type Carried = Result<Option<AnyCommand>, String>;

/// The end of a job whose steps came about.
fn done(command: impl evirt_domain::Decide + 'static) -> Carried {
    Ok(Some(AnyCommand::new(command)))
}

impl Reactor {
    /// Carries a job out, from behind its last finished step to its end.
    pub(super) async fn perform(&self, id: JobId) {
        let world = self.engine.world();
        let Some(job) = world.jobs.get(&id).filter(|job| job.status == JobStatus::Started) else { return };
        let work = Work {
            reactor: self,
            about: Request { actor: job.owner, correlation_id: job.correlation_id.clone(), causation: Some(job.position) },
            job: id,
            task: &job.task,
            operation: OperationId(job.position),
            done: job.steps_done,
        };
        work.carry_out(job, &world).await;
    }
}

impl Work<'_> {
    /// Carries the steps out and ends the job: by what records that they came about, or by what takes them back.
    async fn carry_out(&self, job: &Job, world: &World) {
        match self.steps(job, world).await {
            Ok(None) => {}
            Ok(Some(ending)) => self.submit(ending).await,
            Err(why) => {
                tracing::info!(job = %self.job, task = job.task.kind(), why, "a job failed");
                self.submit(self.undo(&why)).await;
                // Where there was nothing to take back, such as what is gone meanwhile, the job has failed all the same.
                self.submit(EndJob { job: self.job, failure: Some(why) }).await;
            }
        }
    }

    async fn steps(&self, job: &Job, world: &World) -> Carried {
        let of = self.job;
        match &job.task {
            Task::InstallHost { host } => self.install_host(*host).await,
            Task::ActivateHost { host } => self.connect_host(*host).await,
            Task::EvacuateHost { host } => self.evacuate_host(*host).await,
            Task::FenceHost { host, fence } => self.fence_host(*host, *fence).await,
            Task::SetUpHostNetworks { host, setup } => self.set_up_networks(world, *host, setup).await,
            Task::SaveHostNetworks { host } => self.save_networks(*host).await,
            Task::TuneHost { host } => self.tune_host(*host).await,
            Task::CreateStorageDomain { domain, host, overwrite } => self.create_domain(world, *domain, *host, *overwrite).await,
            Task::AttachStorageDomain { domain, data_center } => self.attach_domain(*domain, *data_center).await,
            Task::ActivateStorageDomain { domain, data_center } => self.activate_in(*domain, *data_center).await,
            Task::DeactivateStorageDomain { domain, data_center } => self.deactivate_domain(world, *domain, *data_center).await,
            Task::DetachStorageDomain { domain, data_center } => self.detach_domain(world, *domain, *data_center).await,
            Task::ExtendStorageDomain { domain, host, luns } => self.extend_domain(world, *domain, *host, luns).await,
            Task::RemoveStorageDomain { domain, host, format } => self.remove_domain(*domain, *host, *format).await,
            Task::UpgradeStorage { data_center, format } => self.upgrade_storage(world, *data_center, *format).await,
            Task::CreateDisk { disk } => self.create_disk(world, *disk).await,
            Task::ExtendDisk { disk, size } => self.extend_disk(world, *disk, *size).await,
            Task::RemoveDisk { disk } => {
                self.delete_disks(world, &[*disk]).await?;
                done(disk::FinishDiskRemoval { job: of, disk: *disk, outcome: Ok(()) })
            }
            Task::ImportImage { disk, from } => self.import_image(world, *disk, from).await,
            Task::ExportDisk { disk, to } => self.export_disk(world, *disk, to).await,
            Task::RemoveVm { vm } => {
                let disks: Vec<DiskId> = world.vms.get(vm).map(|v| v.disks.iter().map(|d| d.disk).collect()).unwrap_or_default();
                self.delete_disks(world, &disks).await?;
                done(vm::FinishVmRemoval { job: of, vm: *vm, outcome: Ok(()) })
            }
            Task::ChangeDevice { vm, device, change, .. } => self.change_device(*vm, *device, *change).await,
            Task::ChangeCd { vm, file } => self.change_cd(*vm, file).await,
            Task::SetTicket { vm, sealed, expires_s } => self.set_ticket(*vm, sealed, *expires_s).await,
            Task::StartVm { vm } => self.start_vm(*vm).await,
            Task::StopVm { vm } => self.act("destroy", *vm, DriverCall::Destroy { vm: vm.0 }).await,
            Task::ShutdownVm { vm } => self.shut_down_vm(*vm).await,
            Task::RebootVm { vm } => self.act("reboot", *vm, DriverCall::Reboot { vm: vm.0 }).await,
            Task::SuspendVm { vm } => self.suspend_vm(world, *vm).await,
            Task::MigrateVm { vm } => self.migrate_vm(*vm).await,
        }
    }

    async fn call(&self, call: DriverCall) -> Result<Reply, DriverError> {
        self.reactor.call(self.job, self.operation, call).await
    }

    /// Asks the driver; a failure as text.
    async fn ask(&self, call: DriverCall) -> Result<Reply, String> {
        self.call(call).await.map_err(|error| error.to_string())
    }

    /// Submits the command that follows; a refusal was logged and changes nothing more.
    fn submit<C: evirt_domain::Decide + Clone + 'static>(&self, command: C) -> BoxFuture<'_, ()> {
        let submitting = self.reactor.submit(&self.about, command);
        Box::pin(async move { drop(submitting.await) })
    }

    /// Runs a step of the description unless it was done before a restart, and records that it is done.
    async fn step<F: Future<Output = Result<(), String>>>(&self, name: &str, step: F) -> Result<(), String> {
        if self.done <= self.place(name) {
            step.await?;
            self.finished(name).await;
        }
        Ok(())
    }

    /// Records that a step is done.
    async fn finished(&self, name: &str) {
        self.submit(FinishStep { job: self.job, done: self.place(name) + 1 }).await;
    }

    /// How many steps are before one.
    fn place(&self, name: &str) -> usize {
        let place = self.task.steps().iter().position(|step| step.name == name);
        debug_assert!(place.is_some(), "{} has no step {name}", self.task.kind());
        place.unwrap_or_default()
    }

    /// What takes back what was done of the job so far.
    fn undo(&self, why: &str) -> AnyCommand {
        let done = self.reactor.engine.world().jobs.get(&self.job).map_or(self.done, |job| job.steps_done);
        self.task.failed(self.job, done, why.to_owned())
    }

    /// The sealed secret in clear, or why it cannot be had.
    fn unseal(&self, what: &str, sealed: &str) -> Result<String, String> {
        self.reactor.sealer.unseal(sealed).map_err(|error| format!("the {what} cannot be unsealed: {error}"))
    }
}

/// The answer that a driver gave to another question.
fn strange(reply: &Reply) -> String {
    tracing::error!(?reply, "a driver gave the answer to another question");
    "the host gave an unexpected answer".to_owned()
}
