//! Made-up load: it changes every few seconds, and is the same for the same seed, subject and time.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::host_net;
use super::machine::Machine;
use super::memory::{HOST_IDLE_BYTES, HOST_SWAP_BYTES};
use super::world::{Vm, World};
use crate::hypervisor::*;

/// How long a sample is good.
const SAMPLE_MS: u64 = 5_000;
const HOST_BUFFERS_BYTES: u64 = 96 << 20;

impl Machine {
    pub fn vm_statistics(&self, id: Uuid, now_ms: u64) -> Option<VmStatistics> {
        let vm = self.world.vms.get(&id)?;
        let busy = vm.state == VmState::Up;
        let mut chance = self.chance(id, now_ms);
        let mut rate = |most: f64| {
            if busy { chance.random_range(0.0..most) } else { 0.0 }
        };
        let nics = (vm.spec.nics.iter())
            .map(|nic| {
                let (received, sent) = if nic.linked { (rate(2e6), rate(1e6)) } else { (0.0, 0.0) };
                let mirrored = if nic.linked && busy { self.traffic(vm, &nic.mirrored, now_ms) } else { 0.0 };
                NicStatistics {
                    name: nic.name.clone(),
                    rx_bytes_per_s: received + mirrored,
                    tx_bytes_per_s: sent,
                    ..NicStatistics::default()
                }
            })
            .collect();
        let disks = (vm.spec.disks.iter())
            .map(|disk| DiskStatistics {
                disk: disk.id,
                read_bytes_per_s: rate(5e6) / self.drag(disk),
                written_bytes_per_s: if disk.read_only { 0.0 } else { rate(3e6) / self.drag(disk) },
            })
            .collect();
        Some(VmStatistics {
            cpu_guest_percent: self.guest_percent(vm, now_ms),
            cpu_hypervisor_percent: rate(3.0),
            memory_installed_bytes: vm.spec.memory_bytes,
            memory_used_bytes: self.used_bytes(vm.host, &vm.spec),
            uptime_s: now_ms.saturating_sub(vm.launched_ms) / 1_000,
            nics,
            disks,
        })
    }

    pub fn host_statistics(&self, id: Uuid, now_ms: u64) -> Option<HostStatistics> {
        let host = self.running(id).ok()?;
        let entry = self.entry(id).ok()?;
        let processors = f64::from(entry.sockets) * f64::from(entry.cores_per_socket) * f64::from(entry.threads_per_core);
        let guests: Vec<&Vm> = residents(&self.world, id).collect();
        let busy: f64 = guests
            .iter()
            .map(|vm| self.guest_percent(vm, now_ms) * f64::from(vm.spec.sockets) * f64::from(vm.spec.cores_per_socket))
            .sum();
        let mut chance = self.chance(id, now_ms);
        let cpu_system_percent = chance.random_range(0.5..2.0);
        let cpu_user_percent = (busy / processors + chance.random_range(0.2..1.0)).min(100.0 - cpu_system_percent);
        let taken = self.taken(id, None).ok()?;
        let used_bytes = (HOST_IDLE_BYTES + taken.bytes).min(entry.memory_bytes);
        let free_bytes = entry.memory_bytes - used_bytes;
        // The more guests there are, the more pages may be equal.
        let ksm_cpu_percent = if host.ksm { 0.1 * guests.len() as f64 } else { 0.0 };
        Some(HostStatistics {
            cpu_user_percent,
            cpu_system_percent,
            cpu_idle_percent: 100.0 - cpu_user_percent - cpu_system_percent,
            load_average: (cpu_user_percent + cpu_system_percent) * processors / 100.0,
            memory_total_bytes: entry.memory_bytes,
            memory_used_bytes: used_bytes,
            swap_total_bytes: HOST_SWAP_BYTES,
            swap_used_bytes: taken.swap_bytes.min(HOST_SWAP_BYTES),
            swap_cached_bytes: 0,
            memory_buffers_bytes: HOST_BUFFERS_BYTES.min(free_bytes),
            memory_cached_bytes: free_bytes / 4,
            ksm_cpu_percent,
            uptime_s: now_ms.saturating_sub(host.booted_ms) / 1_000,
            vms: guests.len() as u32,
            nics: host_net::load(entry, host, |most| chance.random_range(0.0..most) * (1.0 + guests.len() as f64)),
        })
    }

    /// By how much slow storage slows a disk.
    fn drag(&self, disk: &DiskSpec) -> f64 {
        match disk.source {
            DiskSource::Volume(volume) => 1.0 + self.delay_ms(volume.domain) as f64 / 100.0,
            DiskSource::Lun(_) => 1.0,
        }
    }

    /// What the other machines of its host send and receive on some networks, in bytes per second.
    fn traffic(&self, of: &Vm, networks: &[String], now_ms: u64) -> f64 {
        if networks.is_empty() {
            return 0.0;
        }
        let others = residents(&self.world, of.host).filter(|vm| vm.spec.id != of.spec.id && vm.state == VmState::Up);
        let on = |nic: &&NicSpec| nic.linked && nic.network.as_ref().is_some_and(|network| networks.contains(network));
        let carried = others.map(|vm| {
            let mut chance = self.chance(vm.spec.id, now_ms);
            let rates = vm.spec.nics.iter().filter(on).map(|_| chance.random_range(0.0..3e6));
            rates.sum::<f64>()
        });
        carried.sum()
    }

    fn guest_percent(&self, vm: &Vm, now_ms: u64) -> f64 {
        match vm.state {
            VmState::Up => self.chance(vm.spec.id, now_ms).random_range(1.0..40.0),
            VmState::PoweringUp | VmState::RebootInProgress => 60.0,
            _ => 0.0,
        }
    }

    fn chance(&self, subject: Uuid, now_ms: u64) -> StdRng {
        let number = subject.as_u128();
        let folded = (number >> 64) as u64 ^ number as u64;
        StdRng::seed_from_u64(self.estate.seed ^ folded ^ (now_ms / SAMPLE_MS).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

fn residents(world: &World, host: Uuid) -> impl Iterator<Item = &Vm> {
    let ids = world.crowds.get(&host).into_iter().flat_map(|crowd| &crowd.vms);
    ids.filter_map(|id| world.vms.get(id)).filter(move |vm| vm.host == host)
}
