//! What hosts run, asked of them: when they come up, when a migration is over, and now and then, since word of a machine can be lost.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use evirt_domain::host::HostStatus;
use evirt_domain::ids::*;
use evirt_domain::index::{HostTerm, VmTerm};
use evirt_domain::job::JobStatus;
use evirt_domain::vm_run::{Observed, ReportVm, Run, VmState};
use evirt_domain::{Intent, Stream, StreamKind, World};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Reactor;
use super::observe::state_of;
use crate::engine::{Alone, Request};
use crate::hypervisor::{DriverCall, OperationId, Reply, VmReport};

/// The states that a machine is in for a while only.
const PASSING: [VmState; 9] = [
    VmState::WaitForLaunch,
    VmState::PoweringUp,
    VmState::PoweringDown,
    VmState::SavingState,
    VmState::RestoringState,
    VmState::Migrating,
    VmState::RebootInProgress,
    VmState::NotResponding,
    VmState::Unknown,
];

/// How many hosts are asked at once.
const MAX_LOOKS: usize = 64;

/// The hosts that are being asked what they run, or are about to be.
#[derive(Debug)]
pub(super) struct Looks {
    due: Mutex<HashSet<HostId>>,
    alone: Alone<HostId>,
    permits: Semaphore,
}

impl Default for Looks {
    fn default() -> Self {
        Self { due: Mutex::default(), alone: Alone::default(), permits: Semaphore::new(MAX_LOOKS) }
    }
}

impl Looks {
    fn due(&self) -> MutexGuard<'_, HashSet<HostId>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When hosts were last asked what they run.
#[derive(Default)]
pub(super) struct Looked {
    /// Since when machines are in a state that passes.
    passing: HashMap<VmId, (VmState, Instant)>,
    /// When hosts that are up were asked last.
    hosts: HashMap<HostId, Instant>,
    asking: JoinSet<()>,
}

/// Whether the host has taken on what was last asked of it for a machine: before that, that it does not have the machine says nothing.
fn is_launched(world: &World, run: &Run) -> bool {
    run.job.and_then(|job| world.jobs.get(&job)).is_none_or(|job| job.steps_done > 0 || job.status != JobStatus::Started)
}

impl Reactor {
    /// Asks the hosts that have come up, those with machines that have been on their way for long, and each once in a while.
    pub(super) fn look_around(&self, world: &World, looked: &mut Looked) {
        while looked.asking.try_join_next().is_some() {}
        let mut overdue = HashSet::new();
        let mut passing = HashMap::new();
        for (state, vm) in PASSING.iter().flat_map(|state| world.vms.by(VmTerm::State(*state)).map(move |vm| (*state, vm))) {
            let known = looked.passing.get(&vm.id).filter(|(before, _)| *before == state);
            let mut since = known.map_or_else(Instant::now, |(_, since)| *since);
            if since.elapsed() >= self.timeouts.unheard {
                overdue.extend(vm.host());
                since = Instant::now();
            }
            passing.insert(vm.id, (state, since));
        }
        looked.passing = passing;
        looked.hosts.retain(|host, _| world.hosts.has(HostTerm::Status(HostStatus::Up), host));
        for host in world.hosts.ids_by(HostTerm::Status(HostStatus::Up)) {
            let rests = looked.hosts.get(&host).is_some_and(|at| at.elapsed() < self.timeouts.look_round);
            if !rests || overdue.contains(&host) {
                looked.hosts.insert(host, Instant::now());
                self.look_at(host, &mut looked.asking);
            }
        }
    }

    /// Asks a host what it runs, beside what else is done. Where that is about to be asked, this is the same question.
    pub(super) fn look_at(&self, host: HostId, aside: &mut JoinSet<()>) {
        if !self.looks.due().insert(host) {
            return;
        }
        let reactor = self.clone();
        aside.spawn(async move {
            let looks = reactor.looks.clone();
            let _alone = looks.alone.with(host).await;
            let _permit = looks.permits.acquire().await;
            looks.due().remove(&host);
            reactor.reconcile(host).await;
        });
    }

    /// Whether a machine that a host has is one that should run; one that is down already is nobody's any more.
    fn belongs(&self, report: &VmReport) -> bool {
        let gone = matches!(report.state, crate::hypervisor::VmState::Down { .. } | crate::hypervisor::VmState::Saved);
        let world = self.engine.world();
        let run = world.vms.get(&VmId(report.vm)).and_then(|vm| vm.run.as_ref());
        gone || run.is_some_and(|run| run.generation == report.generation)
    }

    /// Ends a machine that nobody knows of: it was given up while its host was not heard of.
    async fn destroy_orphan(&self, vm: Uuid) {
        let _alone = self.alone(VmId(vm)).await;
        let world = self.engine.world();
        if world.vms.get(&VmId(vm)).is_some_and(|vm| vm.run.is_some()) {
            return;
        }
        tracing::warn!(%vm, "a host runs a machine that should not run");
        if let Err(error) = self.engine.driver().call(OperationId(world.position), DriverCall::Destroy { vm }).await {
            tracing::warn!(%vm, %error, "it could not be destroyed");
        }
    }

    /// Takes in what a host says of a machine, unless something was heard of it since it was asked: what it says may be older than that.
    async fn report(&self, before: &World, command: ReportVm) {
        let Some(vm) = before.vms.get(&command.vm) else { return };
        // Most are up and known to be; what is asked again and again is not to fill the queue of commands.
        if vm.state == VmState::Up && matches!(command.observed, Observed::Up(_)) {
            return;
        }
        let seen = (Stream::new(StreamKind::Vm, vm.id.0), vm.version);
        let about = Request::system(format!("reconcile-{}", Uuid::new_v4().simple()));
        let _ = self.engine.submit(&about, Intent::from(command).if_versions(vec![seen])).await;
    }

    /// Asks a host which VMs it runs. What it reports is taken in; a VM that should run there and does not is down.
    pub(super) async fn reconcile(&self, host: HostId) {
        let before = self.engine.world();
        let Ok(Reply::Vms(reports)) = self.engine.driver().call(OperationId(0), DriverCall::ListVms { host: host.0 }).await
        else {
            return;
        };
        for report in &reports {
            match self.belongs(report) {
                true if self.migrates(VmId(report.vm)) => self.find_migrating(VmId(report.vm)).await,
                true => {
                    if let Some(command) = state_of(report) {
                        self.report(&before, command).await;
                    }
                }
                false => self.destroy_orphan(report.vm).await,
            }
        }
        for vm in before.vms_on(host).filter(|v| v.host() == Some(host)) {
            let known = reports.iter().any(|report| report.vm == vm.id.0);
            let Some(run) = vm.run.as_ref().filter(|_| !known) else { continue };
            if self.migrates(vm.id) {
                self.find_migrating(vm.id).await;
            } else if is_launched(&before, run) {
                let observed = Observed::Gone { host };
                self.report(&before, ReportVm { vm: vm.id, generation: Some(run.generation), observed }).await;
            }
        }
    }

    fn migrates(&self, vm: VmId) -> bool {
        self.engine.world().vms.get(&vm).and_then(|vm| vm.run.as_ref()).is_some_and(|run| run.destination.is_some())
    }

    /// Finds out where a machine that migrates is, when word of that may have been lost. Its host is asked before its destination, so
    /// that one which gets there meanwhile is not missed at both. While one of them does not answer nothing is known.
    pub(super) async fn find_migrating(&self, id: VmId) {
        let world = self.engine.world();
        let Some(run) = world.vms.get(&id).and_then(|vm| vm.run.as_deref()) else { return };
        let Some(to) = run.destination else { return };
        let from = run.host;
        // Before the host has taken it on, that it does not migrate says nothing.
        let begun = run.job.and_then(|job| world.jobs.get(&job)).is_some_and(|job| job.steps_done > 0);
        let there =
            async |host: HostId| match self.engine.driver().call(OperationId(0), DriverCall::ListVms { host: host.0 }).await {
                Ok(Reply::Vms(reports)) => Some(reports.into_iter().find(|r| r.vm == id.0 && r.generation == run.generation)),
                _ => None,
            };
        let observed = match there(from).await {
            Some(Some(report)) if report.migrating_to.is_some() || !begun => return,
            Some(Some(_)) => {
                let message = "it did not come about".to_owned();
                Observed::MigrationFailed { cancelled: run.cancelling, message }
            }
            before => match (before, there(to).await) {
                (_, Some(Some(_))) => Observed::Migrated { from, to },
                (Some(None), Some(None)) => Observed::Absent,
                _ => return,
            },
        };
        let about = Request::system(format!("reconcile-{}", Uuid::new_v4().simple()));
        let _ = self.submit(&about, ReportVm { vm: id, generation: Some(run.generation), observed }).await;
    }
}
