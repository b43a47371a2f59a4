//! What the driver observes, turned into commands; and hosts that come back, connected to.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use evirt_domain::host::{HostStatus, RegisterHost, ReportAsked, ReportConnected, ReportSilent};
use evirt_domain::host_net_setup::ReportLink;
use evirt_domain::ids::*;
use evirt_domain::image::ReportImageService;
use evirt_domain::index::HostTerm;
use evirt_domain::storage::{ReportDomainDelay, ReportDomainReach, ReportDomainSpace};
use evirt_domain::vm_run::{Observed, ReportVm};
use evirt_domain::{Class, Decide, Key, Rejection};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Reactor, driver_mapping};
use crate::engine::{Outcome, Request};
use crate::hypervisor::{Observation, OperationId, VmReport};

/// How many observations may wait for their answers before no more are taken in.
const MAX_UNANSWERED: usize = 1_000;

/// How often a host is asked at the most while it changes.
const MAX_ASKED: usize = 5;

/// The answer to a command.
type Answer = Pin<Box<dyn Future<Output = Result<Outcome, Rejection>> + Send>>;

/// An observation whose command was submitted.
struct InFlight {
    /// Submits the command, the first time or again.
    submit: Box<dyn Fn() -> Answer + Send + Sync>,
    answer: Answer,
    /// The machine that is to be asked about behind it.
    then_look_at: Option<VmId>,
}

impl Reactor {
    /// Reconciles, then takes in observations for as long as the driver lives.
    ///
    /// Commands are submitted in the order of the observations and not awaited one by one, so that a thousand machines that come up at
    /// once cost a few transactions and not thousands. Where the log cannot be written, all that is unanswered is submitted again in
    /// the same order: reports say what is, so that one that was taken in before changes nothing the second time.
    pub(super) async fn follow_driver(self) {
        let mut observations = self.engine.driver().observe();
        let mut told: VecDeque<InFlight> = VecDeque::new();
        // Dropped with this task, which ends them as well.
        let mut aside = JoinSet::new();
        let catching_up = self.clone();
        aside.spawn(async move { catching_up.reconcile_all().await });
        loop {
            tokio::select! {
                observation = observations.recv(), if told.len() < MAX_UNANSWERED => match observation {
                    Some(observation) => told.extend(self.take_in(observation, &mut aside)),
                    None => return,
                },
                answer = first(&mut told) => match answer {
                    Err(refused) if refused.class() == Class::Unavailable => {
                        tracing::warn!(%refused, waiting = told.len(), "observations could not be made durable, trying again");
                        tokio::time::sleep(self.timeouts.retry).await;
                        told.iter_mut().for_each(|told| told.answer = (told.submit)());
                    }
                    // A refusal says that the observation fits nothing any more.
                    answer => {
                        let settled = told.pop_front().and_then(|told| told.then_look_at);
                        if let Err(refused) = answer {
                            tracing::debug!(%refused, "an observation was refused");
                        }
                        if let Some(host) = settled.and_then(|vm| self.engine.world().vms.get(&vm)?.host()) {
                            self.look_at(host, &mut aside);
                        }
                    }
                },
                Some(_) = aside.join_next() => {}
            }
        }
    }

    /// Submits a command for what was observed.
    fn tell<C: Decide + Clone + 'static>(&self, command: C) -> Option<InFlight> {
        let engine = self.engine.clone();
        let about = Request::system(format!("observed-{}", Uuid::new_v4().simple()));
        let submit = Box::new(move || -> Answer { Box::pin(engine.submit(&about, command.clone())) });
        let answer = submit();
        Some(InFlight { submit, answer, then_look_at: None })
    }

    /// Submits what was observed of a migration that is over. What the machine did meanwhile was not taken in, so its host is asked behind it.
    fn tell_migrated(&self, vm: VmId, observed: Observed) -> Option<InFlight> {
        let told = self.tell(ReportVm { vm, generation: None, observed })?;
        Some(InFlight { then_look_at: Some(vm), ..told })
    }

    fn take_in(&self, observation: Observation, aside: &mut JoinSet<()>) -> Option<InFlight> {
        match observation {
            Observation::HostRegistered { name, address, facts } => {
                self.tell(RegisterHost { name, address, facts: driver_mapping::host_facts(&facts) })
            }
            Observation::ImageServiceOffered(facts) => {
                self.tell(ReportImageService { service: driver_mapping::image_service(&facts) })
            }
            Observation::HostUp { host } => {
                let reactor = self.clone();
                aside.spawn(async move { reactor.on_host_up(HostId(host)).await });
                None
            }
            Observation::HostUnresponsive { host } => {
                let (host, detail) = (HostId(host), "The host does not answer".to_owned());
                self.tell(ReportSilent { host, detail, patience: self.timeouts.patience })
            }
            Observation::HostLink { host, nic, up } => self.tell(ReportLink { host: HostId(host), nic, up }),
            Observation::VmState(report) => self.tell(state_of(&report)?),
            Observation::MigrationProgress { .. } => None,
            Observation::MigrationFinished { vm, from, to } => {
                self.tell_migrated(VmId(vm), Observed::Migrated { from: HostId(from), to: HostId(to) })
            }
            Observation::MigrationFailed { vm, cancelled, message, .. } => {
                self.tell_migrated(VmId(vm), Observed::MigrationFailed { cancelled, message })
            }
            Observation::DomainSpace { domain, space } => {
                let (available, used) = (space.available_bytes as i64, space.used_bytes as i64);
                self.tell(ReportDomainSpace { domain: StorageDomainId(domain), available, used })
            }
            Observation::DomainUnreachable { host, domain } => {
                tracing::warn!(%host, %domain, "a host cannot reach a storage domain");
                self.tell(ReportDomainReach { domain: StorageDomainId(domain), host: HostId(host), reachable: false })
            }
            Observation::DomainDelay { host, domain, delay_ms } => {
                self.tell(ReportDomainDelay { domain: StorageDomainId(domain), host: HostId(host), delay_ms })
            }
            Observation::DomainReachable { host, domain } => {
                tracing::info!(%host, %domain, "a host can reach a storage domain again");
                self.tell(ReportDomainReach { domain: StorageDomainId(domain), host: HostId(host), reachable: true })
            }
        }
    }

    /// A host that is heard of again: connect to it, and see what it runs.
    pub(super) async fn on_host_up(&self, id: HostId) {
        let about = Request::system(format!("host-{}", Uuid::new_v4().simple()));
        let world = self.engine.world();
        // That it was reached changes it, so what it says of itself is asked behind that.
        if let Some(host) = world.hosts.get(&id).filter(|h| h.status == HostStatus::Reboot)
            && self.reach(OperationId::afresh(), host).await.is_err()
        {
            return;
        }
        for _ in 0..MAX_ASKED {
            let world = self.engine.world();
            let Some(host) = world.hosts.get(&id) else { return };
            if matches!(host.status, HostStatus::PendingApproval | HostStatus::Installing | HostStatus::Maintenance) {
                return;
            }
            let outcome = self.connect(OperationId::afresh(), host).await;
            let heard = outcome.is_ok();
            match self.submit(&about, ReportAsked { host: id, version: host.version, outcome }).await {
                Err(refused) if refused.key == Key::StateMoved => continue,
                _ if heard => return self.reconcile(id).await,
                _ => return,
            }
        }
    }

    /// Connects to every host that should be up and reconciles its VMs; after a restart of the engine.
    async fn reconcile_all(&self) {
        let world = self.engine.world();
        let mut hosts = JoinSet::new();
        for status in [HostStatus::Up, HostStatus::NonOperational, HostStatus::Error, HostStatus::PreparingForMaintenance] {
            for host in world.hosts.ids_by(HostTerm::Status(status)) {
                let reactor = self.clone();
                hosts.spawn(async move {
                    // No more at once than calls for jobs.
                    let _permit = reactor.permits.clone().acquire_owned().await;
                    reactor.come_back(host).await;
                });
            }
        }
        // An engine that is no more may have ended before it let go of them.
        for host in world.hosts.ids_by(HostTerm::Status(HostStatus::Maintenance)) {
            self.engine.disconnect(host).await;
        }
        while hosts.join_next().await.is_some() {}
    }

    /// Connects to a host of which nothing was heard while the engine did not run.
    async fn come_back(&self, id: HostId) {
        let world = self.engine.world();
        let Some(host) = world.hosts.get(&id) else { return };
        let about = Request::system(format!("host-{}", Uuid::new_v4().simple()));
        match self.connect(OperationId::afresh(), host).await {
            // It may have rebooted meanwhile, and lost what was not saved.
            Ok(facts) => {
                let _ = self.submit(&about, ReportConnected { host: id, job: None, outcome: Ok(facts) }).await;
                self.reconcile(id).await;
            }
            Err(detail) => {
                let _ = self.submit(&about, ReportSilent { host: id, detail, patience: self.timeouts.patience }).await;
            }
        }
    }
}

/// The command that takes a report of a VM in.
pub(super) fn state_of(report: &VmReport) -> Option<ReportVm> {
    let observed = driver_mapping::observed(report)?;
    Some(ReportVm { vm: VmId(report.vm), generation: Some(report.generation), observed })
}

/// The answer that is due next; while none is, it never comes.
async fn first(told: &mut VecDeque<InFlight>) -> Result<Outcome, Rejection> {
    match told.front_mut() {
        Some(told) => (&mut told.answer).await,
        None => std::future::pending().await,
    }
}
