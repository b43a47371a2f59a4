//! What is measured of hosts and virtual machines: the load as last sampled.

use evirt_domain::disk::Disk;
use evirt_domain::ids::{HostId, VmId};
use evirt_projections::inventory::{HostLive, Live, VmLive};

use super::App;
use crate::engine::Engine;

pub use crate::hypervisor::{DiskStatistics, HostStatistics, NicStatistics, VmStatistics};

/// What an interface is reckoned to carry, in bytes per second.
const NIC_BYTES_PER_S: f64 = 125_000_000.0;

/// What is measured of a host; none where nothing is known, as of one that is down.
pub fn of_host(app: &App, host: HostId) -> Option<HostStatistics> {
    app.engine.driver().host_statistics(host.0)
}

/// What is measured of a virtual machine; none while it does not run.
pub fn of_vm(app: &App, vm: VmId) -> Option<VmStatistics> {
    app.engine.driver().vm_statistics(vm.0)
}

/// What is measured of a disk: the sum over the virtual machines that run with it.
pub fn of_disk(app: &App, disk: &Disk) -> DiskStatistics {
    let loads = disk.vms.iter().filter_map(|vm| of_vm(app, *vm)).flat_map(|load| load.disks);
    let mut sum = DiskStatistics { disk: disk.id.0, ..DiskStatistics::default() };
    for load in loads.filter(|load| load.disk == disk.id.0) {
        sum.read_bytes_per_s += load.read_bytes_per_s;
        sum.written_bytes_per_s += load.written_bytes_per_s;
    }
    sum
}

impl Live for Engine {
    fn vm(&self, id: VmId) -> Option<VmLive> {
        let seen = self.driver().vm_statistics(id.0)?;
        Some(VmLive {
            cpu_percent: Some((seen.cpu_guest_percent + seen.cpu_hypervisor_percent) as i64),
            memory_percent: percent(seen.memory_used_bytes, seen.memory_installed_bytes),
            network_percent: Some(network(&seen.nics)),
            ..VmLive::default()
        })
    }

    fn host(&self, id: HostId) -> Option<HostLive> {
        let seen = self.driver().host_statistics(id.0)?;
        Some(HostLive {
            cpu_percent: Some((100.0 - seen.cpu_idle_percent) as i64),
            memory_percent: percent(seen.memory_used_bytes, seen.memory_total_bytes),
            network_percent: Some(network(&seen.nics)),
            load: Some(seen.load_average),
        })
    }
}

fn percent(part: u64, whole: u64) -> Option<i64> {
    (whole > 0).then(|| i64::try_from(part.saturating_mul(100) / whole).unwrap_or(100))
}

/// The use of the busiest interface.
fn network(nics: &[NicStatistics]) -> i64 {
    let busiest = nics.iter().map(|nic| nic.rx_bytes_per_s.max(nic.tx_bytes_per_s)).fold(0.0, f64::max);
    (busiest * 100.0 / NIC_BYTES_PER_S) as i64
}
