//! What is due: restarts of highly available VMs, fencing of hosts that are not heard of, a pool manager, old jobs, load samples.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use evirt_domain::access::EntityRef;
use evirt_domain::data_center::SelectSpm;
use evirt_domain::fence::SkipFence;
use evirt_domain::host::{FenceHost, FenceType, GiveUpHost, Host, HostStatus, LOW_MEMORY_MIB, ReportLowMemory, ReportNotBack};
use evirt_domain::host_error::{EndHostError, has_rested};
use evirt_domain::host_net::lack;
use evirt_domain::host_net_setup::CheckHostNetworks;
use evirt_domain::ids::*;
use evirt_domain::index::HostTerm;
use evirt_domain::job::{ClearJobs, Task, open_job};
use evirt_domain::spm::FailSpm;
use evirt_domain::storage::CheckHostStorage;
use evirt_domain::vm_run::StartVm;
use evirt_domain::{Key, World};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Reactor;
use super::look::Looked;
use super::tasks::{lacks_networks, misses_storage};
use crate::engine::{Clock, Request, SystemClock};
use crate::hypervisor::{DriverCall, DriverError, OperationId, Refusal};

/// How many ticks lie between two looks at old jobs.
const CLEAR_EVERY: u64 = 30;

/// How often is told of a host that it has little memory left.
const LOW_MEMORY_AGAIN: Duration = Duration::from_secs(30 * 60);

/// What time-keeping remembers; all of it can be lost.
#[derive(Default)]
struct Memory {
    /// Since when a host is waited for.
    connecting: HashMap<HostId, Instant>,
    /// When it was last tried to fence a silent host.
    fenced: HashMap<HostId, Instant>,
    /// The silent hosts of which it was said that no other can reach their power management.
    unreached: HashSet<HostId>,
    /// The hosts that lacked no network when they and their clusters were of these versions.
    whole: HashMap<HostId, (u64, u64)>,
    /// Since when a host does not reach a storage domain.
    missed: HashMap<(HostId, StorageDomainId), Instant>,
    /// When was last told of a host that it has little memory left.
    low: HashMap<HostId, Instant>,
    /// Since when a host is rebooting.
    rebooting: HashMap<HostId, Instant>,
    /// The managers that the driver was told of.
    managers: BTreeMap<DataCenterId, HostId>,
    /// When a host last did not become the manager that it was to be.
    refused: HashMap<DataCenterId, Instant>,
    /// The hosts that are being asked whether they answer again.
    asked: HashSet<HostId>,
    asking: JoinSet<HostId>,
    /// The hosts that are being connected to storage that they do not reach.
    seeking: HashSet<HostId>,
    sought: JoinSet<HostId>,
    looked: Looked,
}

/// Whether a host may still be a pool manager, as far as it was not told otherwise.
fn may_manage(host: &Host) -> bool {
    use HostStatus::*;
    matches!(host.status, Up | NonOperational | Error | PreparingForMaintenance)
}

impl Reactor {
    /// Looks after what is due, again and again.
    pub(super) async fn keep_time(self) {
        let mut memory = Memory::default();
        let mut work = self.engine.subscribe_work();
        for tick in 0u64.. {
            let world = self.engine.world();
            let about = Request::system(format!("timer-{}", Uuid::new_v4().simple()));
            self.sample(&about, &world, &mut memory).await;
            self.restart(&about, &world).await;
            self.give_up(&about, &world, &mut memory).await;
            self.fence_silent(&about, &world, &mut memory).await;
            self.miss_rebooting(&about, &world, &mut memory).await;
            self.end_errors(&about, &world).await;
            self.check_networks(&about, &world, &mut memory);
            self.check_storage(&about, &world, &mut memory).await;
            self.ask_again(&world, &mut memory);
            self.look_around(&world, &mut memory.looked);
            self.select_managers(&about, &world, &mut memory).await;
            if tick % CLEAR_EVERY == 0 {
                let _ = self.submit(&about, ClearJobs).await;
            }
            // A VM that has just gone down is not to wait; one that no host had room for is.
            let tried = world.to_restart.clone();
            let fallen = || self.engine.world().to_restart.iter().any(|vm| !tried.contains(vm));
            let _ = tokio::time::timeout(self.timeouts.tick, work.wait_for(|_| fallen())).await;
        }
    }

    /// Samples the hosts' load, by which VMs are placed, and tells of those with little memory left, of each now and then.
    async fn sample(&self, about: &Request, world: &World, memory: &mut Memory) {
        let (mut load, mut low) = (BTreeMap::new(), Vec::new());
        for host in world.hosts.ids_by(HostTerm::Status(HostStatus::Up)) {
            let Some(statistics) = self.engine.driver().host_statistics(host.0) else { continue };
            load.insert(host, (100.0 - statistics.cpu_idle_percent).clamp(0.0, 100.0) as u8);
            let free_mib = statistics.memory_total_bytes.saturating_sub(statistics.memory_used_bytes) >> 20;
            if free_mib < LOW_MEMORY_MIB {
                low.push((host, free_mib));
            }
        }
        self.engine.set_host_load(load);
        memory.low.retain(|_, at| at.elapsed() < LOW_MEMORY_AGAIN);
        for (host, free_mib) in low {
            if let Entry::Vacant(untold) = memory.low.entry(host) {
                untold.insert(Instant::now());
                let _ = self.submit(about, ReportLowMemory { host, free_mib }).await;
            }
        }
    }

    /// Starts the highly available VMs that went down by themselves, the most important first.
    async fn restart(&self, about: &Request, world: &World) {
        let mut due: Vec<_> = world
            .to_restart
            .iter()
            .filter_map(|id| world.vms.get(id))
            .filter(|vm| vm.is_down() && vm.config.highly_available)
            .collect();
        due.sort_by_key(|vm| (std::cmp::Reverse(vm.config.priority), vm.id));
        for vm in due {
            let _ = self.submit(about, StartVm { vm: vm.id, ..Default::default() }).await;
        }
    }

    /// Gives up hosts that have not answered for as long as they are waited for.
    async fn give_up(&self, about: &Request, world: &World, memory: &mut Memory) {
        memory.connecting.retain(|id, _| world.hosts.has(HostTerm::Status(HostStatus::Connecting), id));
        for host in world.hosts.by(HostTerm::Status(HostStatus::Connecting)) {
            let since = memory.connecting.entry(host.id).or_insert_with(Instant::now);
            if since.elapsed() >= Duration::from_millis(self.timeouts.patience.with(world, host)) {
                let _ = self.submit(about, GiveUpHost { host: host.id }).await;
            }
        }
    }

    /// Fences hosts that were given up and have power management, again and again.
    async fn fence_silent(&self, about: &Request, world: &World, memory: &mut Memory) {
        let silent = |id: &HostId| world.hosts.get(id).is_some_and(|h| h.status == HostStatus::NonResponsive);
        memory.fenced.retain(|id, _| silent(id));
        memory.unreached.retain(silent);
        for host in world.hosts.by(HostTerm::Status(HostStatus::NonResponsive)) {
            let due = memory.fenced.get(&host.id).is_none_or(|at| at.elapsed() >= self.timeouts.fence_again);
            let fencing = open_job(world, EntityRef::Host(host.id), |task| matches!(task, Task::FenceHost { .. }));
            if host.config.power_management.enabled && due && fencing.is_none() {
                memory.fenced.insert(host.id, Instant::now());
                let refused = self.submit(about, FenceHost { host: host.id, fence: FenceType::Restart }).await.err();
                if refused.is_some_and(|r| r.key == Key::FenceNoProxy) && memory.unreached.insert(host.id) {
                    let _ = self.submit(about, SkipFence { host: host.id }).await;
                }
            }
        }
    }

    /// Misses hosts that were restarted and did not come back.
    async fn miss_rebooting(&self, about: &Request, world: &World, memory: &mut Memory) {
        let rebooting = |id: &HostId| world.hosts.get(id).is_some_and(|h| h.status == HostStatus::Reboot);
        memory.rebooting.retain(|id, _| rebooting(id));
        for host in world.hosts.by(HostTerm::Status(HostStatus::Reboot)) {
            if memory.rebooting.entry(host.id).or_insert_with(Instant::now).elapsed() >= self.timeouts.reboot_grace {
                let _ = self.submit(about, ReportNotBack { host: host.id }).await;
            }
        }
    }

    /// Brings hosts back that have rested in error.
    async fn end_errors(&self, about: &Request, world: &World) {
        let (now, rest) = (SystemClock.now(), i64::try_from(self.timeouts.error_rest.as_micros()).unwrap_or(i64::MAX));
        for host in world.hosts.by(HostTerm::Status(HostStatus::Error)).filter(|host| has_rested(host, now, rest)) {
            let _ = self.submit(about, EndHostError { host: host.id, rest }).await;
        }
    }

    /// Takes hosts out of service that lack a network which their cluster has come to require. They are asked before: one whose cluster has
    /// joined another data center may have networks of that by their names.
    fn check_networks(&self, about: &Request, world: &World, memory: &mut Memory) {
        memory.whole.retain(|id, _| world.hosts.has(HostTerm::Status(HostStatus::Up), id));
        for host in world.hosts.by(HostTerm::Status(HostStatus::Up)) {
            let cluster = world.clusters.get(&host.config.cluster).map_or(0, |cluster| cluster.version);
            if memory.whole.get(&host.id) == Some(&(host.version, cluster)) {
                continue;
            }
            if lack(world, host).is_none() {
                memory.whole.insert(host.id, (host.version, cluster));
            } else if memory.asked.insert(host.id) {
                let (reactor, about, id) = (self.clone(), about.clone(), host.id);
                memory.asking.spawn(async move {
                    reactor.on_host_up(id).await;
                    let _ = reactor.submit(&about, CheckHostNetworks { host: id }).await;
                    id
                });
            }
        }
    }

    /// Lets hosts look again for storage that they do not reach, and takes those out of service that have not reached a data domain for as
    /// long as is waited for that.
    async fn check_storage(&self, about: &Request, world: &World, memory: &mut Memory) {
        let up = |host: &HostId| world.hosts.get(host).filter(|h| h.status == HostStatus::Up).is_some();
        let missed: HashSet<(HostId, StorageDomainId)> = (world.storage_domains.values())
            .flat_map(|domain| domain.unreachable_from.iter().map(|host| (*host, domain.id)))
            .filter(|(host, _)| up(host))
            .collect();
        memory.missed.retain(|pair, _| missed.contains(pair));
        while let Some(Ok(host)) = memory.sought.try_join_next() {
            memory.seeking.remove(&host);
        }
        for (id, _) in &missed {
            if memory.seeking.insert(*id) {
                let (reactor, id) = (self.clone(), *id);
                memory.sought.spawn(async move {
                    tokio::time::sleep(reactor.timeouts.retry).await;
                    reactor.seek_storage(id).await;
                    id
                });
            }
        }
        for pair in missed {
            if memory.missed.entry(pair).or_insert_with(Instant::now).elapsed() >= self.timeouts.storage_grace {
                let _ = self.submit(about, CheckHostStorage { host: pair.0 }).await;
            }
        }
    }

    /// Asks hosts that were not heard of or are being restarted whether they answer again, and connects to those that lack no network any more, one question
    /// at a time for each: one that could not be connected to for a reason that has passed says nothing of itself. Nor does one that an
    /// engine which is no more had begun to prepare, where no job prepares it.
    fn ask_again(&self, world: &World, memory: &mut Memory) {
        while let Some(Ok(host)) = memory.asking.try_join_next() {
            memory.asked.remove(&host);
        }
        let due = |h: &Host| {
            let prepares = |task: &Task| matches!(task, Task::InstallHost { .. } | Task::ActivateHost { .. });
            match h.status {
                HostStatus::NonOperational => (lacks_networks(h) && lack(world, h).is_none()) || misses_storage(h),
                HostStatus::Initializing => open_job(world, EntityRef::Host(h.id), prepares).is_none(),
                _ => true,
            }
        };
        use HostStatus::*;
        let out = [Connecting, NonResponsive, Reboot, Initializing, NonOperational];
        let out = out.into_iter().flat_map(|status| world.hosts.by(HostTerm::Status(status)));
        for host in out.filter(|h| due(h)) {
            if memory.asked.insert(host.id) {
                let (reactor, id) = (self.clone(), host.id);
                memory.asking.spawn(async move {
                    reactor.on_host_up(id).await;
                    tokio::time::sleep(reactor.timeouts.retry).await;
                    id
                });
            }
        }
    }

    /// Gives every data center with a master domain a pool manager, and tells the driver which.
    async fn select_managers(&self, about: &Request, world: &World, memory: &mut Memory) {
        for data_center in world.data_centers.values().filter(|dc| dc.master.is_some()) {
            // One that does not answer is waited for.
            let up =
                |id: &HostId| world.hosts.get(id).is_some_and(|h| matches!(h.status, HostStatus::Up | HostStatus::Connecting));
            let Some(manager) = data_center.spm.filter(up) else {
                let _ = self.submit(about, SelectSpm { data_center: data_center.id }).await;
                continue;
            };
            let resting = |at: &Instant| at.elapsed() < self.timeouts.spm_again;
            if memory.managers.get(&data_center.id) == Some(&manager) || memory.refused.get(&data_center.id).is_some_and(resting)
            {
                continue;
            }
            let driver = self.engine.driver();
            let (operation, pool) = (OperationId(world.position), data_center.id.0);
            let start = || driver.call(operation, DriverCall::StartSpm { host: manager.0, pool });
            let stop = |host: HostId| driver.call(operation, DriverCall::StopSpm { host: host.0, pool });
            let former = memory.managers.remove(&data_center.id);
            if let Some(former) = former {
                let _ = stop(former).await;
            }
            let mut started = start().await;
            if former.is_none() && started == Err(DriverError::Refused(Refusal::SpmElsewhere)) {
                // An engine that is no more did not get to tell the former one.
                for host in world.hosts_in(data_center.id).filter(|host| host.id != manager && may_manage(host)) {
                    let _ = stop(host.id).await;
                }
                started = start().await;
            }
            match started {
                Ok(_) => {
                    memory.managers.insert(data_center.id, manager);
                }
                Err(error) => {
                    tracing::info!(host = %manager, %error, "the host did not become the pool manager");
                    memory.refused.insert(data_center.id, Instant::now());
                    let _ = self
                        .submit(about, FailSpm { data_center: data_center.id, host: manager, reason: error.to_string() })
                        .await;
                }
            }
        }
    }
}
