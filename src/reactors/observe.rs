//! What the driver observes, turned into commands; and what is true of a host, asked when it comes back.

use evirt_domain::host::{HostStatus, RegisterHost, ReportConnected, ReportUnresponsive};
use evirt_domain::ids::*;
use evirt_domain::storage::ReportDomainSpace;
use evirt_domain::vm_run::{Observed, ReportVm};
use uuid::Uuid;

use super::{Reactor, speak};
use crate::engine::Request;
use crate::hypervisor::{Call, Observation, OperationId, Reply, VmReport};

impl Reactor {
    /// Reconciles, then takes in observations for as long as the driver lives.
    pub(super) async fn follow_driver(self) {
        let mut observations = self.engine.driver().observe();
        let catching_up = self.clone();
        tokio::spawn(async move { catching_up.reconcile_all().await });
        while let Some(observation) = observations.recv().await {
            self.take_in(observation).await;
        }
    }

    async fn take_in(&self, observation: Observation) {
        let about = Request::system(format!("observed-{}", Uuid::new_v4().simple()));
        // A refusal says that the observation fits nothing any more, and was logged.
        let _ = match observation {
            Observation::HostRegistered { name, address, facts } => {
                self.submit(&about, RegisterHost { name, address, facts: speak::host_facts(&facts) }).await
            }
            Observation::HostUp { host } => {
                let reactor = self.clone();
                tokio::spawn(async move { reactor.welcome(HostId(host)).await });
                return;
            }
            Observation::HostUnresponsive { host } => {
                let detail = "The host does not answer".to_owned();
                self.submit(&about, ReportUnresponsive { host: HostId(host), detail }).await
            }
            Observation::VmState(report) => return self.report(&report).await,
            Observation::MigrationProgress { .. } => return,
            Observation::MigrationFinished { vm, from, to } => {
                let observed = Observed::Migrated { from: HostId(from), to: HostId(to) };
                self.submit(&about, ReportVm { vm: VmId(vm), generation: None, observed }).await
            }
            Observation::MigrationFailed { vm, cancelled, message, .. } => {
                let observed = Observed::MigrationFailed { cancelled, message };
                self.submit(&about, ReportVm { vm: VmId(vm), generation: None, observed }).await
            }
            Observation::DomainSpace { domain, space } => {
                let (available, used) = (space.available_bytes as i64, space.used_bytes as i64);
                self.submit(&about, ReportDomainSpace { domain: StorageDomainId(domain), available, used }).await
            }
            Observation::DomainUnreachable { host, domain } => {
                tracing::warn!(%host, %domain, "a host cannot reach a storage domain");
                return;
            }
            Observation::DomainReachable { host, domain } => {
                tracing::info!(%host, %domain, "a host can reach a storage domain again");
                return;
            }
        };
    }

    async fn report(&self, report: &VmReport) {
        let Some(observed) = speak::observed(report) else { return };
        // Reports of VMs carry the request that they follow from: that of the VM's last start.
        let about = Request::system(format!("observed-{}", Uuid::new_v4().simple()));
        let command = ReportVm { vm: VmId(report.vm), generation: Some(report.generation), observed };
        let _ = self.submit(&about, command).await;
    }

    /// A host that is heard of again: connect to it, and see what it runs.
    async fn welcome(&self, id: HostId) {
        let world = self.engine.world();
        let Some(host) = world.hosts.get(&id) else { return };
        if matches!(host.status, HostStatus::PendingApproval | HostStatus::Installing | HostStatus::Maintenance) {
            return;
        }
        let about = Request::system(format!("host-{}", Uuid::new_v4().simple()));
        let outcome = self.connect(OperationId(world.position), host).await;
        let heard = outcome.is_ok();
        let _ = self.submit(&about, ReportConnected { host: id, job: None, outcome }).await;
        if heard {
            self.reconcile(id).await;
        }
    }

    /// Connects to every host that should be up and reconciles its VMs; after a restart of the engine.
    async fn reconcile_all(&self) {
        let world = self.engine.world();
        for host in world.hosts.values().filter(|h| matches!(h.status, HostStatus::Up | HostStatus::PreparingForMaintenance)) {
            let call = Call::Connect { host: host.id.0, address: host.config.address.clone() };
            match self.engine.driver().call(OperationId(world.position), call).await {
                Ok(_) => self.reconcile(host.id).await,
                Err(error) => {
                    let about = Request::system(format!("host-{}", Uuid::new_v4().simple()));
                    let command = ReportUnresponsive { host: host.id, detail: error.to_string() };
                    let _ = self.submit(&about, command).await;
                }
            }
        }
    }

    /// Asks a host which VMs it runs. What it reports is taken in; a VM that should run there and does not is down.
    pub(super) async fn reconcile(&self, host: HostId) {
        let before = self.engine.world();
        let Ok(Reply::Vms(reports)) = self.engine.driver().call(OperationId(0), Call::ListVms { host: host.0 }).await else {
            return;
        };
        for report in &reports {
            self.report(report).await;
        }
        let about = Request::system(format!("reconcile-{}", Uuid::new_v4().simple()));
        for vm in before.vms_on(host).filter(|v| v.host() == Some(host)) {
            let known = reports.iter().any(|report| report.vm == vm.id.0);
            let Some(run) = vm.run.as_ref().filter(|_| !known) else { continue };
            let command = ReportVm { vm: vm.id, generation: Some(run.generation), observed: Observed::Absent };
            let _ = self.submit(&about, command).await;
        }
    }
}
