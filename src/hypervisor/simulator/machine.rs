//! The engine of the simulated world: takes calls, runs what is due in the order of time, collects what is to be told.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::world::{Laid, Timer, Vm, World};
use crate::hypervisor::estate::{Estate, Fault, FaultKind, HostEntry, call_kind};
use crate::hypervisor::*;

type Waiter = oneshot::Sender<Outcome>;

pub struct Machine {
    pub(super) estate: Estate,
    pub(super) world: World,
    keeps_state: bool,
    changed: bool,
    /// How large the world was when it was last written as a whole; none where the next record has to be the whole.
    world_bytes: Option<usize>,
    /// How much was added since.
    added_bytes: usize,
    /// By number of the timer of the call.
    waiters: BTreeMap<u64, Vec<Waiter>>,
    failures: Vec<(CallKind, DriverError)>,
    answers: Vec<(Waiter, Outcome)>,
    observations: Vec<Observation>,
}

/// How much may have been added to the state file, at the least, before it is written anew.
const MAX_ADDED_BYTES: usize = 1 << 20;

/// What is to be written to the state file, as lines of JSON.
pub enum Record {
    /// All of the world, in place of what is there.
    World(Vec<u8>),
    /// What has become otherwise, behind what is there.
    Changes(Vec<u8>),
}

/// What has happened since the last batch: first keep the state, then answer, then tell.
pub struct Batch {
    pub state: Option<Record>,
    pub answers: Vec<(Waiter, Outcome)>,
    pub observations: Vec<Observation>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.state.is_none() && self.answers.is_empty() && self.observations.is_empty()
    }
}

impl Machine {
    pub fn new(estate: Estate, world: World, keeps_state: bool) -> Machine {
        Machine {
            estate,
            world,
            keeps_state,
            changed: true,
            world_bytes: None,
            added_bytes: 0,
            waiters: BTreeMap::new(),
            failures: Vec::new(),
            answers: Vec::new(),
            observations: Vec::new(),
        }
    }

    /// Takes a call on, joins the same step under way, or answers with what was done before.
    pub fn submit(&mut self, id: OperationId, call: DriverCall) -> oneshot::Receiver<Outcome> {
        let (waiter, answer) = oneshot::channel();
        let key = (id, call.step());
        let remembered = !call.only_reads();
        if remembered && let Some(reply) = self.world.done_index.get(&key) {
            self.answers.push((waiter, Ok(reply.clone())));
        } else if remembered && let Some(number) = self.world.in_flight.get(&key) {
            self.waiters.entry(*number).or_default().push(waiter);
        } else {
            let duration_ms = self.duration_ms(&call);
            let number = self.world.schedule(duration_ms, Timer::DriverCall { id, call });
            if remembered {
                self.world.in_flight.insert(key, number);
                self.changed = true;
            }
            self.waiters.insert(number, vec![waiter]);
        }
        answer
    }

    /// Does all that is due by now, each at its own time.
    pub fn advance(&mut self, now_ms: u64) {
        while let Some(((due_ms, number), timer)) = self.world.timers.pop_first_if(|(due_ms, _)| *due_ms <= now_ms) {
            self.world.now_ms = self.world.now_ms.max(due_ms);
            self.happen(number, timer);
        }
        self.world.now_ms = self.world.now_ms.max(now_ms);
    }

    pub fn next_due_ms(&self) -> Option<u64> {
        self.world.timers.first_key_value().map(|((due_ms, _), _)| *due_ms)
    }

    pub fn take_batch(&mut self) -> Batch {
        let changed = std::mem::take(&mut self.changed);
        Batch {
            state: changed.then(|| self.record()).flatten(),
            answers: std::mem::take(&mut self.answers),
            observations: std::mem::take(&mut self.observations),
        }
    }

    /// What has changed, where that is kept; the whole where so much was added that it costs no more.
    fn record(&mut self) -> Option<Record> {
        let changes = self.world.take_changes();
        if !self.keeps_state {
            return None;
        }
        // Both are plain data: they can always be written.
        let line = |written: serde_json::Result<Vec<u8>>| {
            let mut line = written.unwrap_or_default();
            line.push(b'\n');
            line
        };
        if self.world_bytes.is_some_and(|world_bytes| self.added_bytes <= world_bytes.max(MAX_ADDED_BYTES)) {
            let line = line(serde_json::to_vec(&changes));
            self.added_bytes += line.len();
            return Some(Record::Changes(line));
        }
        let line = line(serde_json::to_vec(&self.world));
        (self.world_bytes, self.added_bytes) = (Some(line.len()), 0);
        Some(Record::World(line))
    }

    /// The state file is not what was written to it: all of the world has to be.
    pub fn write_anew(&mut self) {
        self.world_bytes = None;
        self.touch();
    }

    /// The world is no longer what the state file says.
    pub fn touch(&mut self) {
        self.changed = true;
    }

    pub fn fail_next(&mut self, kind: CallKind, error: DriverError) {
        self.failures.push((kind, error));
    }

    /// A new consumer: what nobody has taken is not for it, but nodes that wait register again, and services offer themselves.
    pub fn begin_observation(&mut self) {
        self.observations.clear();
        for entry in self.estate.hosts.clone() {
            self.register(&entry);
        }
        self.offer_images();
    }

    pub(super) fn tell(&mut self, observation: Observation) {
        self.observations.push(observation);
    }

    /// About as long as it takes, by a tenth more or less.
    pub(super) fn about(&mut self, duration_ms: u64) -> u64 {
        self.world.draws += 1;
        let mut chance = StdRng::seed_from_u64(self.estate.seed ^ self.world.draws.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let spread = duration_ms / 10;
        chance.random_range(duration_ms - spread..=duration_ms.saturating_add(spread))
    }

    fn happen(&mut self, number: u64, timer: Timer) {
        match timer {
            Timer::DriverCall { id, call } => self.finish(number, id, call),
            Timer::HostBooted { name, epoch } => self.host_booted(&name, epoch),
            Timer::HeartbeatLost { name, deaths } => self.heartbeat_lost(&name, deaths),
            Timer::Vm { vm, epoch, turn } => self.turn(vm, epoch, turn),
            Timer::Fault(fault) => self.fault(&fault),
        }
    }

    fn finish(&mut self, number: u64, id: OperationId, call: DriverCall) {
        let key = (id, call.step());
        let (kind, only_reads) = (call.kind(), call.only_reads());
        let failure = self.failures.iter().position(|(of, _)| *of == kind);
        let outcome = match failure {
            Some(index) => Err(self.failures.remove(index).1),
            None => self.perform(call),
        };
        if !only_reads {
            self.world.in_flight.remove(&key);
            if let Ok(reply) = &outcome {
                self.world.remember(key, reply.clone());
            }
            self.changed = true;
        }
        for waiter in self.waiters.remove(&number).unwrap_or_default() {
            self.answers.push((waiter, outcome.clone()));
        }
    }

    fn fault(&mut self, fault: &Fault) {
        self.changed = true;
        let target = fault.target.as_str();
        match fault.kind {
            FaultKind::HostDies => _ = self.kill_host(target),
            FaultKind::HostReturns => _ = self.revive_host(target),
            FaultKind::StorageUnreachable => self.lose_storage(target, fault.host.as_deref()),
            FaultKind::StorageReturns => {
                self.slow_storage(target, 0);
                self.regain_storage(target, fault.host.as_deref());
            }
            FaultKind::StorageSlow => self.slow_storage(target, fault.delay_ms),
            FaultKind::VmCrashes => _ = self.vm_named(target).is_some_and(|vm| self.crash_vm(vm)),
            FaultKind::GuestShutsDown => _ = self.vm_named(target).is_some_and(|vm| self.guest_shutdown(vm)),
            FaultKind::LinkDown => _ = self.set_link(target, false),
            FaultKind::LinkUp => _ = self.set_link(target, true),
            FaultKind::NetworkCut => _ = self.cut_next(target),
            FaultKind::CallFails => {
                if let Some(kind) = call_kind(target) {
                    self.fail_next(kind, failed("a planned fault"));
                }
            }
        }
    }

    fn vm_named(&self, name: &str) -> Option<Uuid> {
        let is_meant = |(id, vm): &(&Uuid, &Vm)| vm.spec.name == name || id.to_string() == name;
        self.world.vms.iter().find(is_meant).map(|(id, _)| *id)
    }

    /// How long a call takes. One whose host does not answer takes as long as the patience for it.
    fn duration_ms(&mut self, call: &DriverCall) -> u64 {
        let times = self.estate.durations.clone();
        let gib = |bytes: u64| bytes.div_ceil(1 << 30);
        let answers = match call {
            DriverCall::Probe { address, .. } | DriverCall::Install { address, .. } | DriverCall::Connect { address, .. } => {
                self.reach(address).is_ok()
            }
            DriverCall::Fence { .. } => true,
            _ => match call.step().host {
                host if self.world.host_names.contains_key(&host) => self.running(host).is_ok(),
                _ => true,
            },
        };
        if !answers {
            return times.unreachable_ms;
        }
        // A change that is taken back takes as long as is waited for the host.
        if let DriverCall::SetupNetworks { host, bonds, networks, rollback_s: Some(seconds) } = call {
            let laid = Laid { bonds: bonds.clone(), networks: networks.clone() };
            if self.cuts(*host, &laid) {
                return u64::from(*seconds) * 1_000;
            }
        }
        let usual_ms = match call {
            DriverCall::Install { .. } => times.install_ms,
            DriverCall::Fence { action: FenceAction::Status, .. } => times.call_ms,
            DriverCall::Fence { .. } => times.fence_ms,
            DriverCall::CreateDomain { .. } | DriverCall::ExtendDomain { .. } | DriverCall::FormatDomain { .. } => {
                times.create_domain_ms
            }
            DriverCall::ActivateDomain { .. } | DriverCall::DeactivateDomain { .. } => times.activate_domain_ms,
            DriverCall::StartSpm { .. } => times.start_spm_ms,
            DriverCall::CreateVolume { .. }
            | DriverCall::DeleteVolume { .. }
            | DriverCall::DeleteDisk { .. }
            | DriverCall::ExtendVolume { .. }
            | DriverCall::MergeVolume { .. }
            | DriverCall::Snapshot { .. }
            | DriverCall::Revert { .. } => times.volume_ms,
            DriverCall::CopyVolume { from, .. } | DriverCall::ExportImage { volume: from, .. } => {
                let size_bytes = self.world.volumes.get(from).map_or(0, |facts| facts.size_bytes);
                times.volume_ms.saturating_add(times.copy_ms_per_gib.saturating_mul(gib(size_bytes)))
            }
            DriverCall::ImportImage { service, image, .. } => {
                let found = self.images(service).unwrap_or_default().into_iter().find(|found| found.id == *image);
                let size_bytes = found.map_or(0, |found| found.size_bytes);
                times.volume_ms.saturating_add(times.copy_ms_per_gib.saturating_mul(gib(size_bytes)))
            }
            DriverCall::Launch { .. } => times.launch_ms,
            DriverCall::Destroy { .. } => times.destroy_ms,
            _ => times.call_ms,
        };
        self.about(usual_ms).saturating_add(self.delay_of(call))
    }

    fn perform(&mut self, call: DriverCall) -> Outcome {
        match call {
            DriverCall::Probe { address, root_password } => self.probe(&address, root_password.as_deref()),
            DriverCall::Install { host, address, root_password, .. } => self.install(host, &address, root_password.as_deref()),
            DriverCall::Connect { host, address } => self.connect(host, &address),
            DriverCall::Disconnect { host } => self.disconnect(host),
            DriverCall::SetupNetworks { host, bonds, networks, rollback_s } => {
                self.setup_networks(host, Laid { bonds, networks }, rollback_s.is_some())
            }
            DriverCall::SetMemoryPolicy { host, ksm, huge_pages, ballooning } => {
                self.set_memory_policy(host, ksm, huge_pages, ballooning)
            }
            DriverCall::SaveNetworks { host } => self.save_networks(host),
            DriverCall::Fence { host, proxy, agent, action } => self.fence(host, proxy, &agent, action),
            DriverCall::StartSpm { host, pool } => self.start_spm(host, pool),
            DriverCall::StopSpm { host, pool } => self.stop_spm(host, pool),

            DriverCall::CheckStorage { host, storage } => self.check_storage(host, &storage),
            DriverCall::CreateDomain { host, domain, name, storage, class, format, overwrite } => {
                self.create_domain(host, &storage, DomainFacts { domain, name, class, format, pool: None }, overwrite)
            }
            DriverCall::AttachDomain { host, pool, domain } => self.attach_domain(host, pool, domain),
            DriverCall::DetachDomain { host, pool, domain } => self.detach_domain(host, pool, domain),
            DriverCall::ActivateDomain { hosts, domain, storage } => self.activate_domain(&hosts, domain, &storage),
            DriverCall::DeactivateDomain { hosts, domain } => self.deactivate_domain(&hosts, domain),
            DriverCall::UpgradeDomain { host, domain, format } => self.upgrade_domain(host, domain, format),
            DriverCall::ExtendDomain { host, domain, storage } => self.extend_domain(host, domain, &storage),
            DriverCall::FormatDomain { host, domain } => self.format_domain(host, domain),
            DriverCall::DomainSpace { domain } => self.domain_space(domain),
            DriverCall::ListFiles { domain } => self.files(domain).map(Reply::Files),
            DriverCall::DiscoverTargets { host, portal, user, password } => {
                self.discover_targets(host, &portal, user.map(|user| (user, password.unwrap_or_default())))
            }
            DriverCall::LoginTarget { host, portal, target, user, password } => {
                self.login_target(host, portal, target, user.zip(password))
            }
            DriverCall::ListLuns { host } => self.list_luns(host),
            DriverCall::CreateVolume { volume, parent, size_bytes, format, sparse } => {
                self.create_volume(VolumeFacts { volume, parent, size_bytes, actual_bytes: 0, format, sparse })
            }
            DriverCall::DeleteVolume { volume } => self.delete_volume(volume),
            DriverCall::DeleteDisk { domain, disk } => self.delete_disk(domain, disk),
            DriverCall::ExtendVolume { volume, size_bytes } => self.extend_volume(volume, size_bytes),
            DriverCall::CopyVolume { from, to, format, sparse } => self.copy_volume(from, to, format, sparse),
            DriverCall::MergeVolume { volume } => self.merge_volume(volume),
            DriverCall::ListVolumes { domain } => self.list_volumes(domain),
            DriverCall::FindImageService { address } => self.find_image_service(&address),
            DriverCall::ListImages { service } => self.images(&service).map(Reply::Images),
            DriverCall::ImportImage { service, image, volume, sparse } => self.import_image(&service, image, volume, sparse),
            DriverCall::ExportImage { volume, service, image, name } => self.export_image(volume, &service, image, name),

            DriverCall::Launch { host, vm } => self.launch(host, *vm),
            DriverCall::Resume { vm } => self.resume(vm),
            DriverCall::Pause { vm } => self.pause(vm),
            DriverCall::Shutdown { vm } => self.shutdown(vm),
            DriverCall::Destroy { vm } => self.destroy(vm),
            DriverCall::Reboot { vm } => self.reboot(vm),
            DriverCall::Suspend { vm, domain } => self.suspend(vm, domain),
            DriverCall::Restore { host, vm } => self.restore(host, *vm),
            DriverCall::DiscardSavedState { vm } => self.discard_saved_state(vm),
            DriverCall::Migrate { vm, from, to } => self.migrate(vm, from, to),
            DriverCall::CancelMigration { vm } => self.cancel_migration(vm),
            DriverCall::SetTicket { vm, value, expiry_s } => self.set_ticket(vm, value, expiry_s),
            DriverCall::HotplugDisk { vm, disk } => self.hotplug_disk(vm, disk),
            DriverCall::HotunplugDisk { vm, disk } => self.hotunplug_disk(vm, disk),
            DriverCall::HotplugNic { vm, nic } => self.hotplug_nic(vm, nic),
            DriverCall::UpdateNic { vm, nic } => self.update_nic(vm, nic),
            DriverCall::HotunplugNic { vm, nic } => self.hotunplug_nic(vm, nic),
            DriverCall::ChangeCd { vm, cd } => self.change_cd(vm, cd),
            DriverCall::Snapshot { vm, disks, memory, .. } => self.snapshot(vm, &disks, memory),
            DriverCall::Revert { vm, volumes } => self.revert(vm, &volumes),
            DriverCall::Freeze { vm } => self.set_frozen(vm, true),
            DriverCall::Thaw { vm } => self.set_frozen(vm, false),
            DriverCall::ListVms { host } => self.list_vms(host),
        }
    }

    /// The estate's entry of a bound host.
    pub(super) fn entry(&self, host: Uuid) -> Result<&HostEntry, DriverError> {
        let unknown = || not_found("host", host);
        let name = self.world.host_names.get(&host).ok_or_else(unknown)?;
        self.estate.hosts.iter().find(|entry| entry.name == *name).ok_or_else(unknown)
    }
}

pub fn not_found(what: &str, id: impl ToString) -> DriverError {
    DriverError::NotFound { what: what.to_owned(), id: id.to_string() }
}

pub fn exists(what: &str, id: impl ToString) -> DriverError {
    DriverError::AlreadyExists { what: what.to_owned(), id: id.to_string() }
}

pub fn failed(message: &str) -> DriverError {
    DriverError::Failed { message: message.to_owned() }
}
