//! Keeps clusters as their policies want them: moves VMs from hosts that have too much to do, empties hosts that have too little, and takes
//! VMs off hosts that became non-operational.
//!
//! A host has to be out of bounds for the policy's duration before anything moves, one VM of a cluster moves at a time, and only where
//! the host that takes it stays within its bounds and below the one that gives: so that no VM goes to and fro.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use evirt_domain::World;
use evirt_domain::cluster::{Cluster, SchedulingPolicy};
use evirt_domain::host::{Host, HostStatus};
use evirt_domain::ids::*;
use evirt_domain::index::{HostTerm, VmTerm};
use evirt_domain::schedule::{can_move, to_evacuate};
use evirt_domain::vm::Vm;
use evirt_domain::vm_run::{MigrateVm, VmState};
use uuid::Uuid;

use super::Reactor;
use crate::engine::{Engine, Request};

/// How many ticks lie between two looks at the balance.
const BALANCE_EVERY: u64 = 60;
/// How many ticks lie between two tries to take a VM off a host.
const RETRY_EVERY: u64 = 30;
/// By how many percent of its CPU the host that takes a VM has to stay below the one that gives it.
const MARGIN: u32 = 5;
/// How many moves are tried in a cluster at a time, where the scheduler refuses them.
const MAX_TRIES: usize = 8;

/// Which bound a host is beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beyond {
    High,
    Low,
}

/// Remembers since when hosts are out of bounds; it can be lost.
#[derive(Debug, Default)]
pub struct Balance {
    since: HashMap<HostId, (Beyond, Instant)>,
}

impl Reactor {
    /// Looks at the balance and at failed hosts, again and again.
    pub(super) async fn keep_balance(self) {
        let mut balance = Balance::default();
        let mut tried: HashMap<VmId, u64> = HashMap::new();
        for tick in 0u64.. {
            tokio::time::sleep(self.timeouts.tick).await;
            let world = self.engine.world();
            tried.retain(|_, at| tick - *at < RETRY_EVERY);
            for vm in to_evacuate(&world) {
                if let std::collections::hash_map::Entry::Vacant(entry) = tried.entry(vm) {
                    entry.insert(tick);
                    let command = MigrateVm { vm, host: None, force: false };
                    let _ = self.submit(&about("on-error"), command).await;
                }
            }
            if tick % BALANCE_EVERY == 0 {
                balance.round(&self.engine, &self.engine.host_load(), Instant::now()).await;
            }
        }
    }
}

fn about(what: &str) -> Request {
    Request::system(format!("{what}-{}", Uuid::new_v4().simple()))
}

impl Balance {
    /// Looks at every cluster once, with the hosts' CPU load in percent.
    pub async fn round(&mut self, engine: &Engine, load: &BTreeMap<HostId, u8>, now: Instant) {
        let world = engine.world();
        self.note(&world, load, now);
        for cluster in world.clusters.values().filter(|cluster| cluster.config.policy != SchedulingPolicy::None) {
            for (vm, host) in self.moves(&world, cluster, load, now).into_iter().take(MAX_TRIES) {
                let command = MigrateVm { vm, host: Some(host), force: false };
                if engine.submit(&about("balance"), command).await.is_ok() {
                    // What moves changes the load; the next look begins anew.
                    self.since.retain(|id, _| world.hosts.get(id).is_none_or(|host| host.config.cluster != cluster.id));
                    break;
                }
            }
        }
    }

    /// Notes since when each host is out of bounds.
    fn note(&mut self, world: &World, load: &BTreeMap<HostId, u8>, now: Instant) {
        let kept = |host: &Host| world.clusters.get(&host.config.cluster).filter(|c| c.config.policy != SchedulingPolicy::None);
        self.since.retain(|id, _| world.hosts.get(id).is_some_and(|host| kept(host).is_some()));
        let balanced = world.clusters.values().filter(|cluster| cluster.config.policy != SchedulingPolicy::None);
        for (cluster, host) in balanced.flat_map(|c| world.hosts.by(HostTerm::Cluster(c.id)).map(move |host| (c, host))) {
            let beyond = Some(cluster).filter(|_| host.status == HostStatus::Up).and_then(|cluster| {
                let (config, load) = (&cluster.config, u32::from(load.get(&host.id).copied().unwrap_or(0)));
                match config.policy {
                    SchedulingPolicy::None => None,
                    _ if load > config.policy_high => Some(Beyond::High),
                    SchedulingPolicy::PowerSaving if load < config.policy_low => Some(Beyond::Low),
                    _ => None,
                }
            });
            match beyond {
                None => drop(self.since.remove(&host.id)),
                Some(beyond) => {
                    let known = self.since.get(&host.id).filter(|(known, _)| *known == beyond).map(|(_, at)| *at);
                    self.since.insert(host.id, (beyond, known.unwrap_or(now)));
                }
            }
        }
    }

    /// What could be moved where, the best first.
    fn moves(&self, world: &World, cluster: &Cluster, load: &BTreeMap<HostId, u8>, now: Instant) -> Vec<(VmId, HostId)> {
        if world.vms.by(VmTerm::State(VmState::Migrating)).any(|vm| vm.config.cluster == cluster.id) {
            return Vec::new();
        }
        let of = |host: &Host| u32::from(load.get(&host.id).copied().unwrap_or(0));
        let due = Duration::from_secs(cluster.config.policy_duration_s.into());
        let long = |host: &Host, wanted| {
            self.since.get(&host.id).is_some_and(|(beyond, at)| *beyond == wanted && now.duration_since(*at) >= due)
        };
        let up = |host: &&Arc<Host>| host.status == HostStatus::Up;
        let mut hosts: Vec<&Arc<Host>> = world.hosts.by(HostTerm::Cluster(cluster.id)).filter(up).collect();
        hosts.sort_by_key(|host| (of(host), host.id));
        let busy = |host: &Host| world.placed.share(host.id, None).vms > 0;
        let mut moves = Vec::new();
        // From the busiest to the idlest; where power is saved, to the busiest that can still take it.
        for source in hosts.iter().rev().filter(|host| long(host, Beyond::High)) {
            let mut targets: Vec<&&Arc<Host>> = hosts.iter().filter(|host| of(host) < of(source)).collect();
            if cluster.config.policy == SchedulingPolicy::PowerSaving {
                targets.sort_by_key(|host| (!busy(host), std::cmp::Reverse(of(host))));
            }
            for target in targets {
                let fits =
                    |share: u32| of(target) + share <= cluster.config.policy_high && of(target) + share + MARGIN <= of(source);
                moves.extend(candidates(world, cluster, source, target, of(source), fits));
            }
        }
        // From the idlest to the busiest: one that is behind it in the order, so that two idle ones do not swap.
        for (n, source) in hosts.iter().enumerate().filter(|(_, host)| long(host, Beyond::Low)) {
            for target in hosts[n + 1..].iter().rev().filter(|host| busy(host)) {
                let fits = |share: u32| of(target) + share <= cluster.config.policy_high;
                moves.extend(candidates(world, cluster, source, target, of(source), fits));
            }
        }
        moves
    }
}

/// The VMs of a host that another could take, those first that weigh most. `fits` is asked with the share of the target's CPU in percent that
/// a VM would use: what its virtual CPUs have of the source's load.
fn candidates(
    world: &World,
    cluster: &Cluster,
    source: &Host,
    target: &Host,
    load: u32,
    fits: impl Fn(u32) -> bool,
) -> Vec<(VmId, HostId)> {
    let cpus = |host: &Host| host.cpus(cluster.config.threads_as_cores).max(1);
    let all = world.placed.share(source.id, None).vcpus.max(1);
    let share = |vm: &Vm| load * vm.vcpus() * cpus(source) / (all * cpus(target));
    let mut found: Vec<(u32, VmId)> = world
        .vms_on(source.id)
        .filter(|vm| can_move(vm))
        .map(|vm| (share(vm), vm.id))
        .filter(|(share, _)| fits(*share))
        .collect();
    found.sort_by_key(|(share, id)| (std::cmp::Reverse(*share), *id));
    found.into_iter().map(|(_, vm)| (vm, target.id)).collect()
}
