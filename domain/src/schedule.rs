//! Scheduling: which host takes a VM. A pure function of the World and the hosts' sampled load (behaviour.md section 13).

use std::sync::Arc;

use crate::check::Act;
use crate::cluster::{Cluster, OnError, SchedulingPolicy};
use crate::context::Context;
use crate::host::{Host, HostStatus};
use crate::ids::*;
use crate::index::HostTerm;
use crate::placement::Share;
use crate::rejection::{Key, Rejection};
use crate::vm::{Affinity, Vm, highest_cpu};
use crate::vm_run::VmState;
use crate::world::World;

/// Memory that a running VM costs beside its own, in bytes.
pub const GUEST_OVERHEAD: i64 = 65 << 20;
/// Memory that a host keeps for itself, in bytes.
pub const HOST_RESERVED: i64 = 256 << 20;
/// The worst score.
const MAX_WEIGHT: i64 = 1000;

/// What a placement asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    /// This host and no other, if it passes the filters.
    pub host: Option<HostId>,
    /// Hosts that are out of the question, such as where it runs, or where the launch failed.
    pub except: &'a [HostId],
}

/// A filter: why a host cannot take the VM.
type Filter = (&'static str, fn(&World, &Cluster, &Host, &Vm) -> Option<String>);

/// The filters in their order.
const FILTERS: &[Filter] = &[
    ("PinToHost", |_, _, host, vm| {
        let elsewhere = vm.config.affinity == Affinity::Pinned && vm.config.pinned_host.is_some_and(|pin| pin != host.id);
        elsewhere.then(|| "the VM is pinned to another host".into())
    }),
    ("CPU", |_, cluster, host, vm| {
        let cpus = host.cpus(cluster.config.threads_as_cores);
        (vm.vcpus() > cpus).then(|| format!("it has {cpus} CPUs, {} are needed", vm.vcpus()))
    }),
    ("CPU pinning", |_, cluster, host, vm| {
        let cpus = host.cpus(cluster.config.threads_as_cores);
        let last = highest_cpu(&vm.config.vcpu_pins).filter(|last| *last >= cpus)?;
        Some(format!("it has {cpus} CPUs, and cpu_tune names CPU {last}"))
    }),
    ("Memory", |world, cluster, host, vm| {
        let free = free_memory(world, cluster, host, Some(vm.id));
        let needed = Share::of(vm).memory;
        (needed > free).then(|| format!("it has {} MiB free, {} MiB are needed", free.max(0) >> 20, needed >> 20))
    }),
    ("CPU-Level", |_, cluster, host, _| {
        let fits = crate::cluster::cpu_fits(&host.facts.cpu_family, &cluster.config.cpu);
        (!fits).then(|| format!("its CPU is not of the cluster's level {}", cluster.config.cpu))
    }),
    ("Network", |world, _, host, vm| {
        vm.nics.iter().filter(|n| n.plugged).find_map(|nic| {
            let profile = world.vnic_profiles.get(&nic.profile?)?;
            let network = world.networks.get(&profile.network)?;
            (!crate::host_net::has(host, network)).then(|| format!("it lacks the network {}", network.config.name))
        })
    }),
];

/// The least memory that any VM counts for, in bytes.
pub(crate) const MIN_FREE_MEMORY: i64 = 1 << 20;

/// What a host can still promise to VMs, in bytes, leaving one VM out of account where it is named.
pub fn free_memory(world: &World, cluster: &Cluster, host: &Host, except: Option<VmId>) -> i64 {
    let promised = world.placed.share(host.id, except).memory;
    host.facts.memory / 100 * i64::from(cluster.config.overcommit_percent) - HOST_RESERVED - promised
}

/// How unfit a host is, from 1; the lowest wins.
fn weight(world: &World, cx: &Context, cluster: &Cluster, host: &Host, vm: &Vm) -> i64 {
    let load = i64::from(cx.host_load.get(&host.id).copied().unwrap_or(0));
    let spm = i64::from(world.data_center_of(cluster.id).is_some_and(|dc| dc.spm == Some(host.id)));
    let running = i64::from(world.placed.share(host.id, None).vcpus);
    let cores = i64::from(host.cpus(cluster.config.threads_as_cores).max(1));
    let even = (load / 10 + (running + i64::from(vm.vcpus()) + spm) * 10 / cores + 1).min(MAX_WEIGHT);
    match cluster.config.policy {
        SchedulingPolicy::None | SchedulingPolicy::EvenlyDistributed => even,
        SchedulingPolicy::PowerSaving if running == 0 => MAX_WEIGHT - 1,
        SchedulingPolicy::PowerSaving => MAX_WEIGHT - 1 - even,
    }
}

/// Picks the host for a VM; the host that the VM is said to belong on comes before the best one. Refused where none fits, with the reason of
/// each, and where no host of the cluster is up.
pub fn place(world: &World, cx: &Context, act: Act, vm: &Vm, wish: Wish<'_>) -> Result<HostId, Rejection> {
    let cluster = world.cluster(vm.config.cluster)?;
    let usable = |h: &&Arc<Host>| h.status == HostStatus::Up && !wish.except.contains(&h.id);
    let candidates: Vec<&Arc<Host>> = world.hosts.by(HostTerm::Cluster(cluster.id)).filter(usable).collect();
    if candidates.is_empty() {
        return Err(act.no(Key::AllHostsFilteredOut).because(vec![act.no(Key::NoHostInCluster)]));
    }
    let mut reasons = Vec::new();
    let mut best: Option<(i64, HostId)> = None;
    for host in candidates {
        let failed = FILTERS.iter().find_map(|(name, filter)| filter(world, cluster, host, vm).map(|why| (*name, why)));
        if let Some((filter, why)) = failed {
            reasons.push(
                Rejection::new(Key::HostFilteredOut)
                    .with("hostName", &host.config.name)
                    .with("filterName", filter)
                    .with("detail", why),
            );
            continue;
        }
        if wish.host.or(vm.config.pinned_host) == Some(host.id) {
            return Ok(host.id);
        }
        let weight = weight(world, cx, cluster, host, vm);
        if best.is_none_or(|(lowest, _)| weight < lowest) {
            best = Some((weight, host.id));
        }
    }
    best.filter(|_| wish.host.is_none()).map(|(_, host)| host).ok_or_else(|| act.no(Key::AllHostsFilteredOut).because(reasons))
}

/// The VMs that are to leave hosts which became non-operational, by what their clusters do on an error.
pub fn to_evacuate(world: &World) -> Vec<VmId> {
    let failed = world.hosts.by(HostTerm::Status(HostStatus::NonOperational));
    let leaves = |host: &Host, vm: &Vm| match world.clusters.get(&host.config.cluster).map(|c| c.config.on_error) {
        Some(OnError::Migrate) => true,
        Some(OnError::MigrateHighlyAvailable) => vm.config.highly_available,
        Some(OnError::DoNotMigrate) | None => false,
    };
    failed.flat_map(|host| world.vms_on(host.id).filter(|vm| can_move(vm) && leaves(host, vm)).map(|vm| vm.id)).collect()
}

/// Whether a VM may be moved without a user's word.
pub fn can_move(vm: &Vm) -> bool {
    vm.state == VmState::Up && vm.affinity() == Affinity::Migratable
}
