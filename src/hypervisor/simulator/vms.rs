//! What virtual machines do.

use std::net::{IpAddr, Ipv4Addr};

use uuid::Uuid;

use super::crowd::Ports;
use super::machine::{Machine, failed, not_found};
use super::world::{Saved, Timer, Turn, Vm, volumes_of};
use crate::hypervisor::*;

/// A migration tells how far it is after each of these.
const MIGRATION_PROGRESS_PERCENT: u8 = 25;

impl Machine {
    pub(super) fn launch(&mut self, host: Uuid, spec: VmSpec) -> Outcome {
        let turn_ms = self.estate.durations.power_up_ms;
        let paused = spec.paused.then_some(VmState::Paused { reason: PauseReason::Requested });
        self.begin(host, spec, paused.unwrap_or(VmState::PoweringUp), turn_ms)
    }

    pub(super) fn restore(&mut self, host: Uuid, spec: VmSpec) -> Outcome {
        let id = spec.id;
        if self.is_same_run(host, &spec) {
            return Ok(Reply::Done);
        }
        let saved = *self.world.saved.get(&id).ok_or_else(|| not_found("saved state", id))?;
        self.check_active(host, saved.domain)?;
        let turn_ms = per_gib(self.estate.durations.restore_ms_per_gib, spec.memory_bytes);
        let reply = self.begin(host, spec, VmState::RestoringState, turn_ms)?;
        self.world.saved.remove(&id);
        self.release(saved.domain, saved.bytes);
        Ok(reply)
    }

    pub(super) fn discard_saved_state(&mut self, id: Uuid) -> Outcome {
        let saved = self.world.saved.remove(&id).ok_or_else(|| not_found("saved state", id))?;
        self.release(saved.domain, saved.bytes);
        Ok(Reply::Done)
    }

    fn is_same_run(&self, host: Uuid, spec: &VmSpec) -> bool {
        (self.world.vms.get(&spec.id)).is_some_and(|vm| vm.host == host && vm.spec.generation == spec.generation)
    }

    fn begin(&mut self, host: Uuid, spec: VmSpec, state: VmState, turn_ms: u64) -> Outcome {
        self.running(host)?;
        let id = spec.id;
        if self.is_same_run(host, &spec) {
            return Ok(Reply::Done);
        }
        if self.world.vms.contains_key(&id) {
            return Err(DriverError::Refused(Refusal::VmRuns));
        }
        self.check_room(host, &spec)?;
        self.check_devices(host, &spec)?;
        self.world.down.retain(|_, report| report.vm != id);
        let vm = Vm {
            host,
            state,
            epoch: 0,
            launched_ms: self.world.now_ms,
            migrating_to: None,
            guest: None,
            port: self.free_port(host),
            frozen: false,
            ticket_hash: None,
            spec,
        };
        let waits = !matches!(vm.state, VmState::Paused { .. });
        self.world.insert_vm(vm);
        self.report(id);
        if waits {
            self.turn_after(id, turn_ms, Turn::Up);
        }
        Ok(Reply::Done)
    }

    /// Memory that a host keeps for virtual machines, those that migrate to it included.
    pub(super) fn committed_bytes(&self, host: Uuid) -> u64 {
        self.world.crowds.get(&host).map_or(0, |crowd| crowd.committed_bytes)
    }

    fn check_devices(&self, host: Uuid, spec: &VmSpec) -> Result<(), DriverError> {
        for disk in &spec.disks {
            self.check_disk(host, spec.id, disk)?;
        }
        for file in [&spec.cdrom, &spec.floppy].into_iter().flatten() {
            self.check_file(host, file)?;
        }
        Ok(())
    }

    fn check_disk(&self, host: Uuid, vm: Uuid, disk: &DiskSpec) -> Result<(), DriverError> {
        match &disk.source {
            DiskSource::Volume(volume) => {
                self.check_active(host, volume.domain)?;
                self.volume(*volume)?;
                let others = self.world.users.get(volume).is_some_and(|users| users.iter().any(|user| *user != vm));
                if others && !disk.shareable && !disk.read_only {
                    return Err(DriverError::Refused(Refusal::VolumeInUse));
                }
                Ok(())
            }
            DiskSource::Lun(lun) => self.iscsi_place(lun).map(|_| ()),
        }
    }

    fn free_port(&self, host: Uuid) -> u16 {
        self.world.crowds.get(&host).map_or_else(|| Ports::default().first_free(), |crowd| crowd.ports.first_free())
    }

    fn vm(&self, id: Uuid) -> Result<&Vm, DriverError> {
        self.world.vms.get(&id).ok_or_else(|| not_found("virtual machine", id))
    }

    /// A virtual machine whose host answers and whose state is one of those in which something can be done.
    fn vm_in(&mut self, id: Uuid, allowed: impl FnOnce(&VmState) -> bool) -> Result<&mut Vm, DriverError> {
        self.running(self.vm(id)?.host)?;
        match self.world.vms.get_mut(&id) {
            Some(vm) if allowed(&vm.state) => Ok(vm),
            Some(_) => Err(DriverError::Refused(Refusal::VmState)),
            None => Err(not_found("virtual machine", id)),
        }
    }

    /// Changes the state, so that what was to come of the old one does not, and says so.
    fn change(&mut self, id: Uuid, state: VmState) {
        if let Some(vm) = self.world.vms.get_mut(&id) {
            vm.state = state;
            vm.epoch += 1;
            self.touch();
            self.report(id);
        }
    }

    fn turn_after(&mut self, id: Uuid, duration_ms: u64, turn: Turn) {
        let after_ms = self.about(duration_ms);
        if let Some(vm) = self.world.vms.get(&id) {
            let timer = Timer::Vm { vm: id, epoch: vm.epoch, turn };
            self.world.schedule(after_ms, timer);
        }
    }

    pub(super) fn turn(&mut self, id: Uuid, epoch: u64, turn: Turn) {
        let Some(vm) = self.world.vms.get_mut(&id).filter(|vm| vm.epoch == epoch) else {
            return;
        };
        match turn {
            Turn::Up => {
                vm.guest = Some(guest_of(&vm.spec));
                self.change(id, VmState::Up);
            }
            Turn::ShutDown => self.go_down(id, ExitStatus::Normal, "The guest has shut down"),
            Turn::Saved { domain } => {
                let bytes = vm.spec.memory_bytes;
                self.world.saved.insert(id, Saved { domain, bytes });
                self.change(id, VmState::Saved);
                self.world.remove_vm(id);
            }
            Turn::Migrated { percent } => self.migrate_on(id, percent),
        }
    }

    pub(super) fn resume(&mut self, id: Uuid) -> Outcome {
        let vm = self.vm_in(id, |state| matches!(state, VmState::Paused { .. }))?;
        let domains: Vec<Uuid> = volumes_of(&vm.spec).map(|volume| volume.domain).collect();
        let (booted, host) = (vm.guest.is_some(), vm.host);
        if domains.iter().any(|domain| self.check_reach(host, *domain).is_err()) {
            return Err(failed("the virtual machine's storage does not answer"));
        }
        self.change(id, if booted { VmState::Up } else { VmState::PoweringUp });
        if !booted {
            self.turn_after(id, self.estate.durations.power_up_ms, Turn::Up);
        }
        Ok(Reply::Done)
    }

    pub(super) fn pause(&mut self, id: Uuid) -> Outcome {
        let vm = self.vm_in(id, |state| matches!(state, VmState::Up | VmState::PoweringUp))?;
        if vm.migrating_to.is_some() {
            return Err(DriverError::Refused(Refusal::VmState));
        }
        self.change(id, VmState::Paused { reason: PauseReason::Requested });
        Ok(Reply::Done)
    }

    pub(super) fn shutdown(&mut self, id: Uuid) -> Outcome {
        self.vm_in(id, |state| matches!(state, VmState::Up | VmState::PoweringUp | VmState::PoweringDown))?;
        self.power_down(id);
        Ok(Reply::Done)
    }

    pub fn guest_shutdown(&mut self, id: Uuid) -> bool {
        let runs = self.world.vms.contains_key(&id);
        self.power_down(id);
        runs
    }

    fn power_down(&mut self, id: Uuid) {
        if self.world.vms.get(&id).is_some_and(|vm| vm.state != VmState::PoweringDown) {
            self.fail_migration(id, "the guest shuts down");
            self.change(id, VmState::PoweringDown);
            self.turn_after(id, self.estate.durations.shutdown_ms, Turn::ShutDown);
        }
    }

    pub(super) fn destroy(&mut self, id: Uuid) -> Outcome {
        let remembered = self.world.down.len();
        self.world.down.retain(|_, report| report.vm != id);
        if self.world.down.len() < remembered {
            return Ok(Reply::Done);
        }
        self.vm_in(id, |_| true)?;
        self.go_down(id, ExitStatus::Normal, "The virtual machine was stopped");
        self.world.down.retain(|_, report| report.vm != id);
        Ok(Reply::Done)
    }

    pub fn crash_vm(&mut self, id: Uuid) -> bool {
        let runs = self.world.vms.contains_key(&id);
        self.go_down(id, ExitStatus::Error, "Lost connection with qemu process");
        runs
    }

    fn go_down(&mut self, id: Uuid, exit: ExitStatus, message: &str) {
        self.fail_migration(id, message);
        self.give_up_saving(id);
        self.change(id, VmState::Down { exit, message: message.to_owned() });
        if let Some(vm) = self.world.remove_vm(id) {
            self.world.remember_down(self.report_of(&vm));
        }
    }

    pub(super) fn reboot(&mut self, id: Uuid) -> Outcome {
        self.vm_in(id, |state| matches!(state, VmState::Up | VmState::PoweringUp))?.guest = None;
        self.fail_migration(id, "the guest reboots");
        self.change(id, VmState::RebootInProgress);
        self.turn_after(id, self.estate.durations.reboot_ms, Turn::Up);
        Ok(Reply::Done)
    }

    pub(super) fn suspend(&mut self, id: Uuid, domain: Uuid) -> Outcome {
        let vm = self.vm_in(id, |state| matches!(state, VmState::Up))?;
        if vm.migrating_to.is_some() {
            return Err(DriverError::Refused(Refusal::VmState));
        }
        let (host, bytes) = (vm.host, vm.spec.memory_bytes);
        self.check_active(host, domain)?;
        self.allocate(domain, bytes)?;
        self.change(id, VmState::SavingState);
        let save_ms = per_gib(self.estate.durations.save_ms_per_gib, bytes);
        self.turn_after(id, save_ms, Turn::Saved { domain });
        Ok(Reply::Done)
    }

    /// Memory that was being saved takes no room any more.
    fn give_up_saving(&mut self, id: Uuid) {
        let Some(vm) = self.world.vms.get(&id).filter(|vm| vm.state == VmState::SavingState) else {
            return;
        };
        let (epoch, bytes) = (vm.epoch, vm.spec.memory_bytes);
        let domain = self.world.timers.values().find_map(|timer| match timer {
            Timer::Vm { vm, epoch: of, turn: Turn::Saved { domain } } if (*vm, *of) == (id, epoch) => Some(*domain),
            _ => None,
        });
        if let Some(domain) = domain {
            self.release(domain, bytes);
        }
    }

    pub(super) fn migrate(&mut self, id: Uuid, from: Uuid, to: Uuid) -> Outcome {
        let vm = self.vm_in(id, |state| matches!(state, VmState::Up | VmState::PoweringUp))?.clone();
        if vm.host != from || from == to || vm.migrating_to.is_some() {
            return Err(DriverError::Refused(Refusal::VmState));
        }
        self.running(to)?;
        self.check_room(to, &vm.spec)?;
        self.check_devices(to, &vm.spec)?;
        self.world.change_vm(id, |vm| {
            vm.migrating_to = Some(to);
            // A guest that was about to be up is taken for up: nothing else may come in between.
            vm.guest = Some(guest_of(&vm.spec));
        });
        self.change(id, VmState::Up);
        self.tell(Observation::MigrationProgress { vm: id, percent: 0 });
        self.migrate_next(id, MIGRATION_PROGRESS_PERCENT);
        Ok(Reply::Done)
    }

    fn migrate_next(&mut self, id: Uuid, percent: u8) {
        let memory_bytes = self.world.vms.get(&id).map_or(0, |vm| vm.spec.memory_bytes);
        let whole_ms = per_gib(self.estate.durations.migrate_ms_per_gib, memory_bytes);
        let part_ms = whole_ms.saturating_mul(MIGRATION_PROGRESS_PERCENT.into()) / 100;
        self.turn_after(id, part_ms, Turn::Migrated { percent });
    }

    fn migrate_on(&mut self, id: Uuid, percent: u8) {
        let Some(vm) = self.world.vms.get(&id) else {
            return;
        };
        let Some(to) = vm.migrating_to else { return };
        let from = vm.host;
        self.touch();
        self.tell(Observation::MigrationProgress { vm: id, percent });
        if percent < 100 {
            return self.migrate_next(id, percent + MIGRATION_PROGRESS_PERCENT);
        }
        let port = self.free_port(to);
        self.world.change_vm(id, |vm| {
            vm.host = to;
            vm.migrating_to = None;
            vm.port = port;
        });
        self.change(id, VmState::Up);
        self.tell(Observation::MigrationFinished { vm: id, from, to });
    }

    pub(super) fn cancel_migration(&mut self, id: Uuid) -> Outcome {
        if self.vm_in(id, |_| true)?.migrating_to.is_none() {
            return Err(DriverError::Refused(Refusal::NotMigrating));
        }
        self.end_migration(id, true, "the migration was cancelled");
        Ok(Reply::Done)
    }

    fn fail_migration(&mut self, id: Uuid, message: &str) {
        self.end_migration(id, false, message);
    }

    fn end_migration(&mut self, id: Uuid, cancelled: bool, message: &str) {
        let Some(vm) = self.world.vms.get(&id) else {
            return;
        };
        let (from, Some(to)) = (vm.host, vm.migrating_to) else {
            return;
        };
        self.world.change_vm(id, |vm| {
            vm.migrating_to = None;
            vm.epoch += 1;
        });
        self.report(id);
        let message = message.to_owned();
        self.tell(Observation::MigrationFailed { vm: id, from, to, cancelled, message });
    }

    /// A host is gone, and what ran there with it.
    pub(super) fn lose_vms(&mut self, host: Uuid) {
        for id in self.world.crowds.get(&host).map(|crowd| crowd.vms.clone()).unwrap_or_default() {
            match self.world.vms.get(&id) {
                Some(vm) if vm.host == host => {
                    self.give_up_saving(id);
                    self.world.remove_vm(id);
                }
                _ => self.fail_migration(id, "the destination does not answer"),
            }
        }
        self.world.down.retain(|_, report| report.host != host);
    }

    /// Storage is gone: guests that use it stand.
    pub(super) fn pause_users(&mut self, domain: Uuid, host: Uuid) {
        for id in self.users_of(domain, host) {
            if matches!(self.world.vms[&id].state, VmState::Up | VmState::PoweringUp | VmState::RebootInProgress) {
                self.fail_migration(id, "the storage does not answer");
                self.change(id, VmState::Paused { reason: PauseReason::Eio });
            }
        }
    }

    /// Storage is back: guests that stood for it go on, unless another storage is still missing.
    pub(super) fn resume_users(&mut self, domain: Uuid, host: Uuid) {
        for id in self.users_of(domain, host) {
            if self.world.vms[&id].state == (VmState::Paused { reason: PauseReason::Eio }) {
                // One that still misses something stays as it is.
                let _ = self.resume(id);
            }
        }
    }

    pub(super) fn set_ticket(&mut self, id: Uuid, value: String, expiry_s: u64) -> Outcome {
        // What is kept of the world is no place for a password.
        let hash = hex::encode(ring::digest::digest(&ring::digest::SHA256, format!("{id} {value}").as_bytes()));
        let until_ms = self.world.now_ms.saturating_add(expiry_s.saturating_mul(1_000));
        self.vm_in(id, |state| !matches!(state, VmState::SavingState | VmState::RestoringState))?.ticket_hash =
            Some((hash, until_ms));
        Ok(Reply::Done)
    }

    pub(super) fn hotplug_disk(&mut self, id: Uuid, disk: DiskSpec) -> Outcome {
        let vm = self.vm_in(id, is_steady)?;
        let host = vm.host;
        if vm.spec.disks.iter().any(|known| known.id == disk.id) {
            return Ok(Reply::Done);
        }
        self.check_disk(host, id, &disk)?;
        self.world.change_vm(id, |vm| vm.spec.disks.push(disk));
        Ok(Reply::Done)
    }

    pub(super) fn hotunplug_disk(&mut self, id: Uuid, disk: Uuid) -> Outcome {
        let vm = self.vm_in(id, is_steady)?;
        if !vm.spec.disks.iter().any(|known| known.id == disk) {
            return Err(not_found("disk", disk));
        }
        self.world.change_vm(id, |vm| vm.spec.disks.retain(|known| known.id != disk));
        Ok(Reply::Done)
    }

    pub(super) fn hotplug_nic(&mut self, id: Uuid, nic: NicSpec) -> Outcome {
        let nics = &mut self.vm_in(id, is_steady)?.spec.nics;
        if !nics.iter().any(|known| known.id == nic.id) {
            nics.push(nic);
        }
        Ok(Reply::Done)
    }

    pub(super) fn update_nic(&mut self, id: Uuid, nic: NicSpec) -> Outcome {
        let nics = &mut self.vm_in(id, is_steady)?.spec.nics;
        let Some(known) = nics.iter_mut().find(|known| known.id == nic.id) else {
            return Err(not_found("network interface", nic.id));
        };
        *known = nic;
        Ok(Reply::Done)
    }

    pub(super) fn hotunplug_nic(&mut self, id: Uuid, nic: Uuid) -> Outcome {
        let nics = &mut self.vm_in(id, is_steady)?.spec.nics;
        let index = nics.iter().position(|known| known.id == nic);
        nics.remove(index.ok_or_else(|| not_found("network interface", nic))?);
        Ok(Reply::Done)
    }

    pub(super) fn change_cd(&mut self, id: Uuid, cd: Option<FileRef>) -> Outcome {
        let host = self.vm_in(id, is_steady)?.host;
        if let Some(file) = &cd {
            self.check_file(host, file)?;
        }
        self.vm_in(id, is_steady)?.spec.cdrom = cd;
        Ok(Reply::Done)
    }

    pub(super) fn set_frozen(&mut self, id: Uuid, frozen: bool) -> Outcome {
        self.vm_in(id, |state| matches!(state, VmState::Up))?.frozen = frozen;
        Ok(Reply::Done)
    }

    pub(super) fn list_vms(&self, host: Uuid) -> Outcome {
        self.running(host)?;
        let residents = self.world.crowds.get(&host).into_iter().flat_map(|crowd| &crowd.vms);
        let running = residents.filter_map(|id| self.world.vms.get(id)).filter(|vm| vm.host == host);
        let down = self.world.down.values().filter(|report| report.host == host).cloned();
        Ok(Reply::Vms(running.map(|vm| self.report_of(vm)).chain(down).collect()))
    }

    fn report(&mut self, id: Uuid) {
        if let Some(vm) = self.world.vms.get(&id) {
            let report = self.report_of(vm);
            self.tell(Observation::VmState(report));
        }
    }

    fn report_of(&self, vm: &Vm) -> VmReport {
        let runs = !matches!(vm.state, VmState::Down { .. } | VmState::Saved);
        let address = self.entry(vm.host).map(|entry| entry.address.to_string()).unwrap_or_default();
        VmReport {
            vm: vm.spec.id,
            generation: vm.spec.generation,
            host: vm.host,
            state: vm.state.clone(),
            migrating_to: vm.migrating_to,
            guest: vm.guest.clone().filter(|_| runs),
            display: runs.then(|| DisplayFacts {
                kind: vm.spec.display.kind,
                address,
                port: vm.port,
                secure_port: (vm.spec.display.kind == DisplayKind::Spice).then_some(vm.port + 1),
            }),
        }
    }
}

fn is_steady(state: &VmState) -> bool {
    matches!(state, VmState::Up | VmState::PoweringUp | VmState::Paused { .. })
}

fn per_gib(each_ms: u64, bytes: u64) -> u64 {
    ((u128::from(each_ms) * u128::from(bytes)) >> 30).min(u64::MAX.into()) as u64
}

/// What the guest of a virtual machine tells: always the same of the same one.
fn guest_of(spec: &VmSpec) -> GuestFacts {
    let bytes = spec.id.as_bytes();
    let wired = spec.nics.iter().any(|nic| nic.linked && nic.network.is_some());
    let ip = IpAddr::V4(Ipv4Addr::new(10, bytes[13], bytes[14], bytes[15].clamp(1, 254)));
    GuestFacts { ips: wired.then_some(ip).into_iter().collect(), fqdn: format!("{}.example.com", spec.name) }
}
