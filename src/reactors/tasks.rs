//! How each job is carried out: its steps in their order, what each asks of the driver, and how it ends when that fails.

mod storage;

use evirt_domain::access::EntityRef;
use evirt_domain::check::Act;
use evirt_domain::fence::{ReportFenceFellBack, ReportPoweredOff};
use evirt_domain::host::{
    FenceType, FinishEvacuation, FinishFence, Host, HostFacts, HostStatus, ReportConnected, ReportInstalled, ReportReached,
    STORAGE_UNREACHABLE, is_awaited,
};
use evirt_domain::host_net::NETWORK_UNREACHABLE;
use evirt_domain::host_net_setup::{FinishNetworkSave, FinishNetworkSetup, NetworkSetup};
use evirt_domain::hotplug::{Device, DeviceChange, FinishDeviceChange};
use evirt_domain::ids::*;
use evirt_domain::index::{JobTerm, StorageDomainTerm};
use evirt_domain::job::{EndJob, FinishStep, Job, JobStatus, Task};
use evirt_domain::storage::*;
use evirt_domain::vm_run::*;
use evirt_domain::{World, disk, vm};
use uuid::Uuid;

use super::{Reactor, driver_mapping};
use crate::engine::Request;
use crate::hypervisor::{DriverCall, DriverError, FenceAction, FileRef, OperationId, Reply};

/// A job while it is carried out.
pub(super) struct Work<'a> {
    reactor: &'a Reactor,
    about: Request,
    job: JobId,
    operation: OperationId,
    /// Steps that were done before.
    done: usize,
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
            operation: OperationId(job.position),
            done: job.steps_done,
        };
        work.carry_out(job, &world).await;
    }
}

impl Work<'_> {
    async fn carry_out(&self, job: &Job, world: &World) {
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
            Task::ActivateStorageDomain { domain, data_center } => {
                let outcome = self.activate(*domain, *data_center).await;
                self.finish_storage(*domain, outcome).await;
            }
            Task::DeactivateStorageDomain { domain, data_center } => {
                let hosts = world.hosts_in(*data_center).map(|h| h.id.0).collect();
                let outcome = self.ask(DriverCall::DeactivateDomain { hosts, domain: domain.0 }).await.map(drop);
                self.finish_storage(*domain, outcome).await;
            }
            Task::DetachStorageDomain { domain, data_center } => self.detach_domain(world, *domain, *data_center).await,
            Task::ExtendStorageDomain { domain, host, luns } => self.extend_domain(world, *domain, *host, luns).await,
            Task::RemoveStorageDomain { domain, host, format } => self.remove_domain(*domain, *host, *format).await,
            Task::UpgradeStorage { data_center, format } => self.upgrade_storage(world, *data_center, *format).await,
            Task::CreateDisk { disk } => self.create_disk(world, *disk).await,
            Task::ExtendDisk { disk, size } => self.extend_disk(world, *disk, *size).await,
            Task::RemoveDisk { disk } => {
                let outcome = self.delete_disks(world, &[*disk]).await;
                self.submit(disk::FinishDiskRemoval { job: self.job, disk: *disk, outcome }).await;
            }
            Task::ImportImage { disk, from } => self.import_image(world, *disk, from).await,
            Task::ExportDisk { disk, to } => self.export_disk(world, *disk, to).await,
            Task::RemoveVm { vm } => {
                let disks: Vec<DiskId> = world.vms.get(vm).map(|v| v.disks.iter().map(|d| d.disk).collect()).unwrap_or_default();
                let outcome = self.delete_disks(world, &disks).await;
                self.submit(vm::FinishVmRemoval { job: self.job, vm: *vm, outcome }).await;
            }
            Task::ChangeDevice { vm, device, change } => self.change_device(*vm, *device, *change).await,
            Task::ChangeCd { vm, file } => self.change_cd(*vm, file).await,
            Task::SetTicket { vm, sealed, expires_s } => self.set_ticket(*vm, sealed, *expires_s).await,
            Task::StartVm { vm } => self.start_vm(*vm).await,
            Task::StopVm { vm } => self.act(*vm, DriverCall::Destroy { vm: vm.0 }).await,
            Task::ShutdownVm { vm } => self.shut_down_vm(*vm).await,
            Task::RebootVm { vm } => self.act(*vm, DriverCall::Reboot { vm: vm.0 }).await,
            Task::SuspendVm { vm } => {
                let domain = world.vms.get(vm).and_then(|v| saved_state_domain(world, v));
                let domain = domain.map_or_else(uuid::Uuid::nil, |d| d.0);
                self.act(*vm, DriverCall::Suspend { vm: vm.0, domain }).await;
            }
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
    async fn submit<C: evirt_domain::Decide + Clone + 'static>(&self, command: C) {
        let _ = self.reactor.submit(&self.about, command).await;
    }

    /// Runs a step unless it was done before a restart, and records that it is done.
    async fn step<F: Future<Output = Result<(), String>>>(&self, n: usize, step: F) -> Result<(), String> {
        if self.done < n {
            step.await?;
            self.submit(FinishStep { job: self.job, done: n }).await;
        }
        Ok(())
    }

    fn host(&self, id: HostId) -> Option<std::sync::Arc<Host>> {
        self.reactor.engine.world().hosts.get(&id).cloned()
    }

    // Hosts

    async fn install_host(&self, id: HostId) {
        let Some(host) = self.host(id) else { return self.end(Some("the host is gone")).await };
        let root_password = match host.sealed_password.as_str() {
            "" => None,
            sealed => match self.reactor.sealer.unseal(sealed) {
                Ok(password) => Some(password),
                Err(error) => {
                    let outcome = Err(format!("the root password cannot be unsealed: {error}"));
                    return self.submit(ReportInstalled { host: id, job: self.job, outcome }).await;
                }
            },
        };
        let installed = self
            .step(1, async {
                let call = DriverCall::Install { host: id.0, address: host.config.address.clone(), root_password };
                self.ask(call).await?;
                self.submit(ReportInstalled { host: id, job: self.job, outcome: Ok(()) }).await;
                Ok(())
            })
            .await;
        match installed {
            Ok(()) => self.connect_host(id).await,
            Err(why) => self.submit(ReportInstalled { host: id, job: self.job, outcome: Err(why) }).await,
        }
    }

    async fn connect_host(&self, id: HostId) {
        let Some(host) = self.host(id) else { return self.end(Some("the host is gone")).await };
        let outcome = self.reactor.connect(self.operation, &host).await;
        self.submit(ReportConnected { host: id, job: Some(self.job), outcome }).await;
    }

    /// Migrates every VM away, then lets the host go. A VM that cannot go leaves the host up.
    async fn evacuate_host(&self, id: HostId) {
        let moved = self.step(1, self.migrate_all(id)).await;
        self.submit(FinishEvacuation { host: id, job: self.job, failure: moved.err() }).await;
        self.reactor.engine.disconnect(id).await;
    }

    async fn migrate_all(&self, host: HostId) -> Result<(), String> {
        const TRIES: usize = 3;
        for attempt in 1..=TRIES {
            let world = self.reactor.engine.world();
            let here: Vec<VmId> = world.vms_on(host).map(|v| v.id).collect();
            for vm in &here {
                let command = MigrateVm { vm: *vm, host: None, force: true };
                if let Err(refused) = self.reactor.submit(&self.about, command).await {
                    tracing::info!(%vm, %refused, attempt, "a VM does not leave the host");
                }
            }
            for vm in &here {
                self.reactor.engine.until(|world| settled(world, *vm, host)).await;
            }
            if self.reactor.engine.world().vms_on(host).next().is_none() {
                return Ok(());
            }
            tokio::time::sleep(self.reactor.timeouts.retry).await;
        }
        Err("Not all virtual machines could be migrated to other hosts".into())
    }

    /// Switches a host's power. A restart is a stop, after which what ran there can be started elsewhere, and a start.
    async fn fence_host(&self, id: HostId, fence: FenceType) {
        let actions: &[FenceAction] = match fence {
            FenceType::Start => &[FenceAction::Start],
            FenceType::Stop => &[FenceAction::Stop],
            FenceType::Restart => &[FenceAction::Stop, FenceAction::Start],
            FenceType::Status | FenceType::Manual => &[FenceAction::Status],
        };
        let mut failure = None;
        for action in actions.iter().skip(self.done) {
            failure = self.switch(id, fence, *action).await.err();
            if failure.is_some() {
                break;
            }
            if actions.len() > 1 && *action == FenceAction::Stop {
                self.submit(ReportPoweredOff { host: id, job: self.job }).await;
            }
        }
        self.submit(FinishFence { host: id, job: self.job, fence, failure }).await;
    }

    async fn switch(&self, id: HostId, fence: FenceType, action: FenceAction) -> Result<(), String> {
        let engine = &self.reactor.engine;
        let world = engine.world();
        let host = world.hosts.get(&id).ok_or("the host is gone")?;
        let driver = &**engine.driver();
        if super::switch(driver, &self.reactor.sealer, &world, self.operation, host, action).await?.fell_back {
            self.submit(ReportFenceFellBack { host: id, fence }).await;
        }
        Ok(())
    }

    /// Asks something of a host, also of one in maintenance; a failure as text.
    async fn ask_host(&self, id: HostId, call: DriverCall) -> Result<Reply, String> {
        let host = self.host(id).ok_or("the host is gone")?;
        self.reactor.engine.ask_host(&host, self.call(call)).await.map_err(|error| error.to_string())
    }

    async fn set_up_networks(&self, world: &World, id: HostId, setup: &NetworkSetup) {
        let (bonds, networks) = driver_mapping::layout(world, &setup.layout);
        let rollback_s = setup.rollback_s;
        let outcome = match self.ask_host(id, DriverCall::SetupNetworks { host: id.0, bonds, networks, rollback_s }).await {
            Ok(Reply::Host(facts)) => Ok(driver_mapping::host_facts(&facts)),
            Ok(other) => Err(format!("the driver answered {other:?}")),
            Err(why) => Err(why),
        };
        self.submit(FinishNetworkSetup { host: id, job: self.job, outcome }).await;
        if self.host(id).is_some_and(|host| lacks_networks(&host)) {
            self.reactor.on_host_up(id).await;
        }
    }

    /// Tells a host what its configuration says of memory; one that is not connected is told when it is.
    async fn tune_host(&self, id: HostId) {
        let Some(host) = self.host(id) else { return self.end(Some("the host is gone")).await };
        let tuned = self.ask(memory_policy(&self.reactor.engine.world(), &host)).await;
        self.end(tuned.err().as_deref()).await;
    }

    async fn save_networks(&self, id: HostId) {
        let outcome = self.ask_host(id, DriverCall::SaveNetworks { host: id.0 }).await.map(drop);
        self.submit(FinishNetworkSave { host: id, job: self.job, outcome }).await;
    }

    // Virtual machines

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
    async fn change_cd(&self, id: VmId, file: &str) {
        self.in_turn(id, |task| matches!(task, Task::ChangeCd { .. })).await;
        let world = self.reactor.engine.world();
        let cd = match world.vms.get(&id).filter(|_| !file.is_empty()) {
            None => Ok(None),
            Some(vm) => vm::iso_file(Act("change CD of", "VM"), &world, vm.config.cluster, file).map(Some),
        };
        let cd = cd.map(|domain| domain.map(|domain| FileRef { domain: domain.0, name: file.to_owned() }));
        let outcome = match cd {
            Ok(cd) => self.ask_machine(id, DriverCall::ChangeCd { vm: id.0, cd }).await,
            Err(gone) => Err(gone.to_string()),
        };
        self.submit(vm::FinishCdChange { job: self.job, vm: id, file: file.to_owned(), outcome }).await;
    }

    /// Has the machine's console take a ticket.
    async fn set_ticket(&self, id: VmId, sealed: &str, expires_s: u32) {
        self.in_turn(id, |task| matches!(task, Task::SetTicket { .. })).await;
        let outcome = match self.reactor.sealer.unseal(sealed) {
            Ok(value) => self.ask_machine(id, DriverCall::SetTicket { vm: id.0, value, expiry_s: expires_s.into() }).await,
            Err(error) => Err(format!("the ticket cannot be unsealed: {error}")),
        };
        self.submit(FinishTicket { job: self.job, vm: id, expires_s, outcome }).await;
    }

    /// Makes a running machine have a device as the VM is configured now.
    async fn change_device(&self, id: VmId, device: Device, change: DeviceChange) {
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
        let outcome = match call {
            // It was unplugged or removed meanwhile, or nothing runs any more.
            None => Ok(()),
            Some(call) => match self.call(call).await {
                Err(DriverError::NotFound { .. }) if change == DeviceChange::Unplug => Ok(()),
                outcome => outcome.map(drop).map_err(|error| error.to_string()),
            },
        };
        self.submit(FinishDeviceChange { job: self.job, vm: id, device, change, outcome }).await;
    }

    /// Launches the VM where it has its place; where that fails, wherever it is placed next.
    async fn start_vm(&self, id: VmId) {
        loop {
            let alone = self.reactor.alone(id).await;
            let world = self.reactor.engine.world();
            let Some((vm, run)) = world.vms.get(&id).and_then(|v| Some((v, v.run.as_ref()?))) else {
                return self.end(Some("the VM has no place")).await;
            };
            if run.job != Some(self.job) {
                return self.end(None).await;
            }
            let launched = match (run.before, driver_mapping::vm_spec(&world, id)) {
                (_, None) => Err("the VM cannot be described to the host".to_owned()),
                (VmState::Paused, _) => self.ask(DriverCall::Resume { vm: id.0 }).await,
                (VmState::Suspended, Some(spec)) => self.ask(DriverCall::Restore { host: run.host.0, vm: Box::new(spec) }).await,
                (_, Some(spec)) => self.ask(DriverCall::Launch { host: run.host.0, vm: Box::new(spec) }).await,
            };
            drop(alone);
            match launched {
                Ok(_) => return self.settle(1).await,
                Err(reason) => {
                    tracing::info!(vm = %vm.config.name, host = %run.host, reason, "a launch failed");
                    let failed = FailLaunch { vm: id, job: self.job, reason };
                    if self.reactor.submit(&self.about, failed).await.is_err() {
                        return;
                    }
                }
            }
            let world = self.reactor.engine.world();
            if !world.open_jobs.contains(&self.job) {
                return;
            }
            // While its host is not heard of it is tried there again, since it may have been launched.
            if world.vms.get(&id).is_some_and(|vm| vm.state == VmState::Unknown) {
                tokio::time::sleep(self.reactor.timeouts.retry).await;
            }
        }
    }

    /// Records the first step as done and waits until an observation has ended the job.
    async fn settle(&self, done: usize) {
        self.submit(FinishStep { job: self.job, done }).await;
        self.reactor.engine.settle(self.job).await;
    }

    /// Asks something of a running VM; the observation that follows ends the job.
    async fn act(&self, id: VmId, call: DriverCall) {
        let alone = self.reactor.alone(id).await;
        let outcome = self.call(call).await;
        drop(alone);
        match outcome {
            Ok(_) => self.settle(1).await,
            Err(DriverError::NotFound { .. }) => self.absent(id).await,
            Err(error) => self.refused(id, error).await,
        }
    }

    /// The driver does not know the VM: then it is down.
    async fn absent(&self, id: VmId) {
        self.submit(ReportVm { vm: id, generation: None, observed: Observed::Absent }).await;
        self.end(None).await;
    }

    /// The driver will not: the job has failed, and what the VM really does is asked of its host.
    async fn refused(&self, id: VmId, error: DriverError) {
        tracing::warn!(vm = %id, %error, "the driver refused");
        self.end(Some(&error.to_string())).await;
        if let Some(host) = self.reactor.engine.world().vms.get(&id).and_then(|v| v.host()) {
            self.reactor.reconcile(host).await;
        }
    }

    /// Asks the guest, and stops the VM where the guest takes too long.
    async fn shut_down_vm(&self, id: VmId) {
        match self.call(DriverCall::Shutdown { vm: id.0 }).await {
            Err(DriverError::NotFound { .. }) => return self.absent(id).await,
            Ok(_) => {
                self.submit(FinishStep { job: self.job, done: 1 }).await;
                let grace = self.reactor.timeouts.shutdown_grace;
                if tokio::time::timeout(grace, self.reactor.engine.settle(self.job)).await.is_ok() {
                    return;
                }
            }
            Err(error) => tracing::info!(vm = %id, %error, "the guest cannot be asked to shut down"),
        }
        self.submit(FallBackToStop { vm: id }).await;
        self.act(id, DriverCall::Destroy { vm: id.0 }).await;
    }

    async fn migrate_vm(&self, id: VmId) {
        let world = self.reactor.engine.world();
        let Some((from, to)) = world.vms.get(&id).and_then(|v| v.run.as_ref()).and_then(|r| Some((r.host, r.destination?)))
        else {
            return self.end(None).await;
        };
        if let Err(error) = self.call(DriverCall::Migrate { vm: id.0, from: from.0, to: to.0 }).await {
            let observed = Observed::MigrationFailed { cancelled: false, message: error.to_string() };
            return self.submit(ReportVm { vm: id, generation: None, observed }).await;
        }
        self.submit(FinishStep { job: self.job, done: 1 }).await;
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
    }

    async fn end(&self, failure: Option<&str>) {
        self.submit(EndJob { job: self.job, failure: failure.map(str::to_owned) }).await;
    }
}

fn memory_policy(world: &World, host: &Host) -> DriverCall {
    let ballooning = world.clusters.get(&host.config.cluster).is_some_and(|cluster| cluster.config.ballooning);
    DriverCall::SetMemoryPolicy {
        host: host.id.0,
        ksm: host.config.ksm,
        huge_pages: host.config.transparent_hugepages,
        ballooning,
    }
}

/// Whether a host is out of service for a network that it lacks, or lacked.
pub(super) fn lacks_networks(host: &Host) -> bool {
    host.status == HostStatus::NonOperational && host.detail == NETWORK_UNREACHABLE
}

/// Whether a domain is to be usable on the hosts of a data center: one that is active there, or that waits to be reached again.
fn serves(domain: &StorageDomain, pool: DataCenterId) -> bool {
    let status = domain.attachment_in(pool).map(|attachment| attachment.status);
    matches!(status, Some(AttachmentStatus::Active | AttachmentStatus::Inactive))
}

/// Whether a host is out of service for storage that it does not reach, or did not.
pub(super) fn misses_storage(host: &Host) -> bool {
    host.status == HostStatus::NonOperational && host.detail == STORAGE_UNREACHABLE
}

/// Whether a VM has come to rest: it left the host, or it does not migrate any more.
fn settled(world: &World, vm: VmId, host: HostId) -> Option<()> {
    let resting = world
        .vms
        .get(&vm)
        .and_then(|v| v.run.as_ref().map(|run| (v, run)))
        .is_none_or(|(v, run)| run.host != host || (v.state != VmState::Migrating && run.job.is_none()));
    resting.then_some(())
}

impl Reactor {
    /// Reaches a host and learns what it has; one that is to come into service is being prepared from then on.
    pub(super) async fn reach(&self, operation: OperationId, host: &Host) -> Result<HostFacts, String> {
        let facts = match self.engine.connect(operation, host).await.map_err(|error| error.to_string())? {
            Reply::Host(facts) => driver_mapping::host_facts(&facts),
            other => return Err(format!("the driver answered {other:?}")),
        };
        if is_awaited(host) {
            let about = Request::system(format!("host-{}", Uuid::new_v4().simple()));
            let _ = self.submit(&about, ReportReached { host: host.id }).await;
        }
        Ok(facts)
    }

    /// Connects to a host, makes the storage of its data center usable there, tells which of it the host does not reach, and learns what it has.
    pub(super) async fn connect(&self, operation: OperationId, host: &Host) -> Result<HostFacts, String> {
        let facts = self.reach(operation, host).await?;
        self.engine
            .driver()
            .call(operation, memory_policy(&self.engine.world(), host))
            .await
            .map_err(|error| error.to_string())?;
        let world = self.engine.world();
        let Some(pool) = world.data_center_of(host.config.cluster).map(|dc| dc.id) else { return Ok(facts) };
        for domain in world.storage_domains.by(StorageDomainTerm::DataCenter(pool)).filter(|domain| serves(domain, pool)) {
            self.connect_storage(operation, &world, host, domain).await;
        }
        Ok(facts)
    }

    /// Makes a domain usable on a host, and tells whether the host reaches it.
    async fn connect_storage(&self, operation: OperationId, world: &World, host: &Host, domain: &StorageDomain) {
        let outcome = self.activate_domain(operation, world, domain, vec![host.id.0]).await;
        let reachable = matches!(&outcome, Ok((_, failed)) if failed.is_empty());
        if !reachable {
            tracing::info!(host = %host.config.name, domain = %domain.config.name, ?outcome, "not usable here");
        }
        self.tell_reach(domain, host.id, reachable).await;
    }

    /// Connects a host that is up to the storage domains once more that it does not reach: one that has never been connected to them since
    /// it booted, or since they were lost, does not hear when they answer again.
    pub(super) async fn seek_storage(&self, id: HostId) {
        let world = self.engine.world();
        let Some(host) = world.hosts.get(&id).filter(|host| host.status == HostStatus::Up) else { return };
        let Some(pool) = world.data_center_of(host.config.cluster).map(|dc| dc.id) else { return };
        for domain in world.storage_domains.by(StorageDomainTerm::MissedBy(id)).filter(|domain| serves(domain, pool)) {
            self.connect_storage(OperationId::afresh(), &world, host, domain).await;
        }
    }

    /// Tells whether a host reaches a domain, where that is news.
    pub(super) async fn tell_reach(&self, domain: &StorageDomain, host: HostId, reachable: bool) {
        if domain.unreachable_from.contains(&host) == reachable {
            let about = Request::system(format!("host-{}", Uuid::new_v4().simple()));
            let _ = self.submit(&about, ReportDomainReach { domain: domain.id, host, reachable }).await;
        }
    }
}
