//! How the jobs of hosts are carried out, and how a host is brought into service.

use std::sync::Arc;

use evirt_domain::fence::{ReportFenceFellBack, ReportPoweredOff};
use evirt_domain::host::{
    FenceType, FinishEvacuation, FinishFence, Host, HostFacts, HostStatus, ReportConnected, ReportInstalled, ReportReached,
    STORAGE_UNREACHABLE, is_awaited,
};
use evirt_domain::host_net::NETWORK_UNREACHABLE;
use evirt_domain::host_net_setup::{FinishNetworkSave, FinishNetworkSetup, NetworkSetup};
use evirt_domain::ids::*;
use evirt_domain::index::StorageDomainTerm;
use evirt_domain::job::EndJob;
use evirt_domain::storage::*;
use evirt_domain::vm_run::*;
use evirt_domain::{Key, World};
use uuid::Uuid;

use super::{Carried, Work, done, strange};
use crate::engine::Request;
use crate::hypervisor::{DriverCall, FenceAction, OperationId, Reply};
use crate::reactors::{Reactor, driver_mapping, fence};

impl Work<'_> {
    fn host(&self, id: HostId) -> Result<Arc<Host>, String> {
        self.reactor.engine.world().hosts.get(&id).cloned().ok_or_else(|| "the host is gone".to_owned())
    }

    pub(super) async fn install_host(&self, id: HostId) -> Carried {
        let host = self.host(id)?;
        let root_password = match host.sealed_password.as_str() {
            "" => None,
            sealed => Some(self.unseal("root password", sealed)?),
        };
        self.step("install", async {
            let how = driver_mapping::installation(&host.config.setup);
            let call = DriverCall::Install { host: id.0, address: host.config.address.clone(), root_password, how };
            self.ask(call).await?;
            self.submit(ReportInstalled { host: id, job: self.job, outcome: Ok(()) }).await;
            Ok(())
        })
        .await?;
        self.connect_host(id).await
    }

    pub(super) async fn connect_host(&self, id: HostId) -> Carried {
        let facts = self.reactor.connect(self.operation, &*self.host(id)?).await?;
        done(ReportConnected { host: id, job: Some(self.job), outcome: Ok(facts) })
    }

    /// Migrates every VM away, then lets the host go. A VM that cannot go leaves the host up.
    pub(super) async fn evacuate_host(&self, id: HostId) -> Carried {
        self.step("migrate_vms", self.migrate_all(id)).await?;
        let finish = FinishEvacuation { host: id, job: self.job, failure: None };
        // A VM that got there meanwhile has to leave as well.
        while let Err(refused) = self.reactor.submit(&self.about, finish.clone()).await {
            match refused.key {
                Key::StateMoved => self.migrate_all(id).await?,
                _ => return Err(refused.to_string()),
            }
        }
        self.reactor.engine.disconnect(id).await;
        Ok(None)
    }

    async fn migrate_all(&self, host: HostId) -> Result<(), String> {
        const TRIES: usize = 3;
        for attempt in 1..=TRIES {
            let world = self.reactor.engine.world();
            let here: Vec<VmId> = world.vms_on(host).map(|v| v.id).collect();
            for vm in &here {
                let command = MigrateVm { vm: *vm, host: None, force: true };
                if let Err(refused) = self.reactor.submit(&self.about, command).await {
                    tracing::info!(%vm, %refused, attempt, "a VM does not leave the host");
                }
            }
            for vm in &here {
                self.reactor.engine.until(|world| settled(world, *vm, host)).await;
            }
            if self.reactor.engine.world().vms_on(host).next().is_none() {
                return Ok(());
            }
            tokio::time::sleep(self.reactor.timeouts.retry).await;
        }
        Err("Not all virtual machines could be migrated to other hosts".into())
    }

    /// Switches a host's power. A restart is a stop, after which what ran there can be started elsewhere, and a start.
    pub(super) async fn fence_host(&self, id: HostId, fence: FenceType) -> Carried {
        let actions: &[(&str, FenceAction)] = match fence {
            FenceType::Start => &[("fence", FenceAction::Start)],
            FenceType::Stop => &[("fence", FenceAction::Stop)],
            FenceType::Restart => &[("stop", FenceAction::Stop), ("start", FenceAction::Start)],
            FenceType::Status | FenceType::Manual => &[("fence", FenceAction::Status)],
        };
        for (step, action) in actions.iter().filter(|(step, _)| self.done <= self.place(step)) {
            self.switch(id, fence, *action).await?;
            if *step == "stop" {
                self.submit(ReportPoweredOff { host: id, job: self.job }).await;
            }
        }
        done(FinishFence { host: id, job: self.job, fence, failure: None })
    }

    async fn switch(&self, id: HostId, fence: FenceType, action: FenceAction) -> Result<(), String> {
        let engine = &self.reactor.engine;
        let world = engine.world();
        let host = world.hosts.get(&id).ok_or("the host is gone")?;
        let driver = &**engine.driver();
        if fence::switch(driver, &self.reactor.sealer, &world, self.operation, host, action).await?.fell_back {
            self.submit(ReportFenceFellBack { host: id, fence }).await;
        }
        Ok(())
    }

    /// Asks something of a host, also of one in maintenance; a failure as text.
    async fn ask_host(&self, id: HostId, call: DriverCall) -> Result<Reply, String> {
        let host = self.host(id)?;
        self.reactor.engine.ask_host(&host, self.call(call)).await.map_err(|error| error.to_string())
    }

    pub(super) async fn set_up_networks(&self, world: &World, id: HostId, setup: &NetworkSetup) -> Carried {
        let (bonds, networks) = driver_mapping::layout(world, &setup.layout);
        let rollback_s = setup.rollback_s;
        let facts = match self.ask_host(id, DriverCall::SetupNetworks { host: id.0, bonds, networks, rollback_s }).await? {
            Reply::Host(facts) => driver_mapping::host_facts(&facts),
            other => return Err(strange(&other)),
        };
        self.submit(FinishNetworkSetup { host: id, job: self.job, outcome: Ok(facts) }).await;
        if self.host(id).is_ok_and(|host| lacks_networks(&host)) {
            self.reactor.on_host_up(id).await;
        }
        Ok(None)
    }

    /// Tells a host what its configuration says of memory; one that is not connected is told when it is.
    pub(super) async fn tune_host(&self, id: HostId) -> Carried {
        self.ask(memory_policy(&self.reactor.engine.world(), &*self.host(id)?)).await?;
        done(EndJob { job: self.job, failure: None })
    }

    pub(super) async fn save_networks(&self, id: HostId) -> Carried {
        self.ask_host(id, DriverCall::SaveNetworks { host: id.0 }).await?;
        done(FinishNetworkSave { host: id, job: self.job, outcome: Ok(()) })
    }
}

fn memory_policy(world: &World, host: &Host) -> DriverCall {
    let ballooning = world.clusters.get(&host.config.cluster).is_some_and(|cluster| cluster.config.ballooning);
    DriverCall::SetMemoryPolicy {
        host: host.id.0,
        ksm: host.config.ksm,
        huge_pages: host.config.transparent_hugepages,
        ballooning,
    }
}

/// Whether a host is out of service for a network that it lacks, or lacked.
pub(in crate::reactors) fn lacks_networks(host: &Host) -> bool {
    host.status == HostStatus::NonOperational && host.detail == NETWORK_UNREACHABLE
}

/// Whether a domain is to be usable on the hosts of a data center: one that is active there, or that waits to be reached again.
fn serves(domain: &StorageDomain, pool: DataCenterId) -> bool {
    let status = domain.attachment_in(pool).map(|attachment| attachment.status);
    matches!(status, Some(AttachmentStatus::Active | AttachmentStatus::Inactive))
}

/// Whether a host is out of service for storage that it does not reach, or did not.
pub(in crate::reactors) fn misses_storage(host: &Host) -> bool {
    host.status == HostStatus::NonOperational && host.detail == STORAGE_UNREACHABLE
}

/// Whether a VM has come to rest: it left the host, or it does not migrate any more.
fn settled(world: &World, vm: VmId, host: HostId) -> Option<()> {
    let resting = world
        .vms
        .get(&vm)
        .and_then(|v| v.run.as_ref().map(|run| (v, run)))
        .is_none_or(|(v, run)| run.host != host || (v.state != VmState::Migrating && run.job.is_none()));
    resting.then_some(())
}

impl Reactor {
    /// Reaches a host and learns what it has; one that is to come into service is being prepared from then on.
    pub(in crate::reactors) async fn reach(&self, operation: OperationId, host: &Host) -> Result<HostFacts, String> {
        let facts = match self.engine.connect(operation, host).await.map_err(|error| error.to_string())? {
            Reply::Host(facts) => driver_mapping::host_facts(&facts),
            other => return Err(strange(&other)),
        };
        if is_awaited(host) {
            let about = Request::system(format!("host-{}", Uuid::new_v4().simple()));
            let _ = self.submit(&about, ReportReached { host: host.id }).await;
        }
        Ok(facts)
    }

    /// Connects to a host, makes the storage of its data center usable there, tells which of it the host does not reach, and learns what it has.
    pub(in crate::reactors) async fn connect(&self, operation: OperationId, host: &Host) -> Result<HostFacts, String> {
        let facts = self.reach(operation, host).await?;
        self.engine
            .driver()
            .call(operation, memory_policy(&self.engine.world(), host))
            .await
            .map_err(|error| error.to_string())?;
        let world = self.engine.world();
        let Some(pool) = world.data_center_of(host.config.cluster).map(|dc| dc.id) else { return Ok(facts) };
        for domain in world.storage_domains.by(StorageDomainTerm::DataCenter(pool)).filter(|domain| serves(domain, pool)) {
            self.connect_storage(operation, &world, host, domain).await;
        }
        Ok(facts)
    }

    /// Makes a domain usable on a host, and tells whether the host reaches it.
    async fn connect_storage(&self, operation: OperationId, world: &World, host: &Host, domain: &StorageDomain) {
        let outcome = self.activate_domain(operation, world, domain, vec![host.id.0]).await;
        let reachable = matches!(&outcome, Ok((_, failed)) if failed.is_empty());
        if !reachable {
            tracing::info!(host = %host.config.name, domain = %domain.config.name, ?outcome, "not usable here");
        }
        self.tell_reach(domain, host.id, reachable).await;
    }

    /// Connects a host that is up to the storage domains once more that it does not reach: one that has never been connected to them since
    /// it booted, or since they were lost, does not hear when they answer again.
    pub(in crate::reactors) async fn seek_storage(&self, id: HostId) {
        let world = self.engine.world();
        let Some(host) = world.hosts.get(&id).filter(|host| host.status == HostStatus::Up) else { return };
        let Some(pool) = world.data_center_of(host.config.cluster).map(|dc| dc.id) else { return };
        for domain in world.storage_domains.by(StorageDomainTerm::MissedBy(id)).filter(|domain| serves(domain, pool)) {
            self.connect_storage(OperationId::afresh(), &world, host, domain).await;
        }
    }

    /// Tells whether a host reaches a domain, where that is news.
    pub(in crate::reactors) async fn tell_reach(&self, domain: &StorageDomain, host: HostId, reachable: bool) {
        if domain.unreachable_from.contains(&host) == reachable {
            let about = Request::system(format!("host-{}", Uuid::new_v4().simple()));
            let _ = self.submit(&about, ReportDomainReach { domain: domain.id, host, reachable }).await;
        }
    }
}
