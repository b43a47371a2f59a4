//! How hosts come to be known, what is said of them, and how they go: adding, approving, installing, changing, removing.

use serde::{Deserialize, Serialize};

use super::*;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::event::StreamKind;
use crate::host_net;
use crate::index::{StorageDomainTerm, VmTerm};
use crate::job::JobEnded;
use crate::rejection::{Key, Rejection};
use crate::world::NameKind;

/// A host was added by its address; its installation is a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostAdded {
    /// Which host.
    pub host: HostId,
    /// What a user says of it.
    pub config: HostConfig,
    /// The sealed password of the host's root; empty for none.
    pub sealed_password: String,
    /// What the host reported.
    pub facts: HostFacts,
}

/// A host as it begins.
fn begin(id: HostId, config: &HostConfig, kind: HostType, status: HostStatus, at: &crate::event::EventMetadata) -> Host {
    Host {
        id,
        version: at.version,
        config: config.clone(),
        kind,
        status,
        detail: String::new(),
        before_maintenance: (status, String::new()),
        facts: HostFacts::default(),
        layout: Layout::default(),
        nics: Vec::new(),
        networks: Vec::new(),
        tags: Vec::new(),
        switched: Vec::new(),
        failed_starts: 0,
        status_since: at.at,
        sealed_password: String::new(),
    }
}

fn insert(world: &mut World, mut host: Host, facts: &HostFacts) {
    world.take_name(NameKind::Host, &host.config.name, host.id.0);
    world.take_name(NameKind::HostAddress, &host.config.address, host.id.0);
    (host.facts, host.layout) = host_net::interpret(world, host.config.cluster, facts);
    host.lay();
    world.hosts.insert(host.id, host);
}

fold!(HostAdded, new Host host, |e, world, at| {
    let mut host = begin(e.host, &e.config, HostType::Rhel, HostStatus::Installing, at);
    host.sealed_password = e.sealed_password.clone();
    insert(world, host, &e.facts);
});

/// A hypervisor registered itself and waits for approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostRegistered {
    /// Which host.
    pub host: HostId,
    /// What a user says of it.
    pub config: HostConfig,
    /// What the host reported.
    pub facts: HostFacts,
}

fold!(HostRegistered, Host host, |e, world, at| {
    insert(world, begin(e.host, &e.config, HostType::RhevH, HostStatus::PendingApproval, at), &e.facts);
});

/// A hypervisor that waited was approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostApproved {
    /// Which host.
    pub host: HostId,
    /// Which cluster.
    pub cluster: ClusterId,
}

fold!(HostApproved, Host host, |e, world, at| {
    touch(world, e.host, at, |h| {
        h.config.cluster = e.cluster;
        h.status = HostStatus::Installing;
    });
});

/// A host was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostUpdated {
    /// Which host.
    pub host: HostId,
    /// What changes of it.
    pub changes: HostPatch,
}

fold!(HostUpdated, Host host, |e, world, at| {
    if let Some(old) = world.hosts.get(&e.host).map(|h| h.config.clone()) {
        if let Some(new) = &e.changes.name {
            world.rename(NameKind::Host, &old.name, new, e.host.0);
        }
        if let Some(new) = &e.changes.address {
            world.rename(NameKind::HostAddress, &old.address, new, e.host.0);
        }
    }
    touch(world, e.host, at, |h| h.config.apply(&e.changes));
});

/// A host is being installed anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostInstallationStarted {
    /// Which host.
    pub host: HostId,
    /// The sealed password of the host's root; empty for none.
    pub sealed_password: String,
}

fold!(HostInstallationStarted, Host host, |e, world, at| {
    touch(world, e.host, at, |h| {
        h.status = HostStatus::Installing;
        h.sealed_password = e.sealed_password.clone();
    });
});

/// A host's installation is done; the engine connects to it now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostInstalled {
    /// Which host.
    pub host: HostId,
}

fold!(HostInstalled, Host host, |e, world, at| {
    touch(world, e.host, at, |h| {
        h.status = HostStatus::Initializing;
        h.sealed_password.clear();
    });
});

/// A host was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostRemoved {
    /// Which host.
    pub host: HostId,
    /// What it was called.
    pub name: String,
}

fold!(HostRemoved, Host host, |e, world, at| {
    if let Some(old) = world.hosts.remove(&e.host) {
        world.drop_name(NameKind::Host, &old.config.name, old.id.0);
        world.drop_name(NameKind::HostAddress, &old.config.address, old.id.0);
    }
    let missed: Vec<_> = world.storage_domains.ids_by(StorageDomainTerm::MissedBy(e.host)).collect();
    for domain in missed {
        world.storage_domains.update(&domain, |d| d.unreachable_from.retain(|host| *host != e.host));
    }
    world.close_stream(StreamKind::Host, e.host.0);
});

/// The rule of a host's address, which holds before anybody connects to it. Refused where it can be none.
pub fn check_address(act: Act, address: &str) -> Result<(), Rejection> {
    match check::is_address(address) {
        true => Ok(()),
        false => Err(act.no(Key::HostAddressInvalid).with("field", "address")),
    }
}

fn check_config(act: Act, world: &World, id: Option<HostId>, config: &HostConfig) -> Result<(), Rejection> {
    check::name(act, &config.name, check::HOST_NAME)?;
    crate::data_center::check_local_host(act, world, id, config.cluster)?;
    check::text(act, "comment", &config.comment, check::MAX_TEXT)?;
    if world.exactly_named(NameKind::Host, &config.name).is_some_and(|other| Some(HostId(other)) != id) {
        return Err(act.no(Key::NameAlreadyUsed));
    }
    check_address(act, &config.address)?;
    if world.resolve(NameKind::HostAddress, &config.address).is_some_and(|other| Some(HostId(other)) != id) {
        return Err(act.no(Key::HostAddressInUse).with("address", &config.address));
    }
    world.cluster(config.cluster)?;
    crate::fence::check_power(act, &config.power_management)?;
    config.setup.check(act)?;
    check::range(act, "port", config.port.into(), 1, u16::MAX.into())?;
    check::range(act, "storage_manager.priority", config.spm_priority.into(), -1, 10)
}

/// The host that is the same machine, by whatever address. Costs a walk over the hosts.
fn same_machine<'a>(world: &'a World, facts: &HostFacts) -> Option<&'a Host> {
    let known = |host: &&std::sync::Arc<Host>| host.facts.hardware_uuid == facts.hardware_uuid;
    world.hosts.values().filter(|_| !facts.hardware_uuid.is_empty()).find(known).map(|host| &**host)
}

/// Adds a host by its address; it was asked with the root password before.
#[derive(Clone, Debug)]
pub struct AddHost {
    /// What a user says of it.
    pub config: HostConfig,
    /// Sealed; empty where none was given.
    pub sealed_password: String,
    /// What it reported, or why it could not be asked.
    pub probe: Result<HostFacts, ProbeFailure>,
}

impl Decide for AddHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "Host");
        check_config(act, world, None, &self.config)?;
        if self.sealed_password.is_empty() {
            return Err(act.no(Key::HostEmptyPassword));
        }
        let facts = self.probe.clone().map_err(|failure| match failure {
            ProbeFailure::Unreachable(detail) => {
                act.no(Key::HostUnreachable).with("address", &self.config.address).with("detail", detail)
            }
            ProbeFailure::WrongPassword => act.no(Key::HostAuthentication),
        })?;
        if let Some(same) = same_machine(world, &facts) {
            return Err(act.no(Key::HostUuidInUse).with("address", &self.config.address).with("name", &same.config.name));
        }
        let host: HostId = cx.fresh(0);
        let description = format!("Installing Host {}", self.config.name);
        let added = HostAdded { host, config: self.config.clone(), sealed_password: self.sealed_password.clone(), facts };
        let unfenced = (!self.config.power_management.enabled).then(|| HostFenceUnconfigured { host }.into());
        let job = opened(cx, 1, description, Task::InstallHost { host });
        Ok(std::iter::once(added.into()).chain(unfenced).chain([job]).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateHost, EntityRef::Cluster(self.config.cluster)))
    }

    fn least() -> Option<Permit> {
        Some(Permit::CreateHost)
    }
}

/// A hypervisor announced itself.
#[derive(Clone, Debug)]
pub struct RegisterHost {
    /// What it calls itself.
    pub name: String,
    /// Where it answers.
    pub address: String,
    /// What the host reported.
    pub facts: HostFacts,
}

impl Decide for RegisterHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        if world.resolve(NameKind::HostAddress, &self.address).is_some() || same_machine(world, &self.facts).is_some() {
            return Ok(Vec::new());
        }
        let mut name = self.name.clone();
        let mut n = 1;
        while world.exactly_named(NameKind::Host, &name).is_some() {
            n += 1;
            name = format!("{}-{n}", self.name);
        }
        let config = HostConfig {
            name,
            comment: String::new(),
            address: self.address.clone(),
            port: DEFAULT_PORT,
            cluster: crate::install::DEFAULT_CLUSTER,
            spm_priority: DEFAULT_SPM_PRIORITY,
            power_management: PowerManagement::default(),
            ksm: true,
            transparent_hugepages: true,
            setup: Default::default(),
        };
        check_config(Act("add", "Host"), world, None, &config)?;
        Ok(vec![HostRegistered { host: cx.fresh(0), config, facts: self.facts.clone() }.into()])
    }
}

/// Approves a hypervisor that waits.
#[derive(Clone, Debug)]
pub struct ApproveHost {
    /// Which host.
    pub host: HostId,
    /// The cluster that it joins; the default cluster where none is named.
    pub cluster: Option<ClusterId>,
}

impl Decide for ApproveHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("approve", "Host");
        let host = world.host(self.host)?;
        if host.kind != HostType::RhevH {
            return Err(act.no(Key::HostApproveType));
        }
        if !matches!(host.status, HostStatus::PendingApproval | HostStatus::InstallFailed) {
            return Err(act.no(Key::HostApproveStatus));
        }
        let cluster = self.cluster.unwrap_or(host.config.cluster);
        world.cluster(cluster)?;
        crate::data_center::check_local_host(act, world, Some(self.host), cluster)?;
        let description = format!("Approving Host {}", host.config.name);
        let approved = HostApproved { host: self.host, cluster };
        Ok(vec![approved.into(), opened(cx, 0, description, Task::InstallHost { host: self.host })])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        on(self.host, Permit::CreateHost)
    }
}

/// Changes a host.
#[derive(Clone, Debug)]
pub struct UpdateHost {
    /// Which host.
    pub host: HostId,
    /// What changes of it.
    pub changes: HostPatch,
}

impl Decide for UpdateHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("edit", "Host");
        let host = world.host(self.host)?;
        let changes = self.changes.clone().reduce(&host.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = host.config.clone();
        wanted.apply(&changes);
        check_config(act, world, Some(self.host), &wanted)?;
        if host.status == HostStatus::PendingApproval {
            return Err(act.no(Key::HostUpdateStatus).with("hostStatus", host.status.name()));
        }
        let still = matches!(host.status, HostStatus::Maintenance | HostStatus::InstallFailed);
        for (changed, key) in [
            (changes.address.is_some(), Key::HostnameFixed),
            (changes.port.is_some(), Key::HostPortFixed),
            (changes.cluster.is_some(), Key::HostUpdateCluster),
        ] {
            if changed && !still {
                return Err(act.no(key));
            }
        }
        let tuned = host.status == HostStatus::Up && (changes.ksm.is_some() || changes.transparent_hugepages.is_some());
        let unfenced = host.config.power_management.enabled && !wanted.power_management.enabled;
        let mut events: Vec<Event> = vec![HostUpdated { host: self.host, changes }.into()];
        events.extend(unfenced.then(|| Event::from(HostFenceUnconfigured { host: self.host })));
        if tuned {
            events.push(tuning(cx, 0, self.host, &wanted.name));
        }
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        on(self.host, Permit::EditHostConfiguration)
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, EntityRef)> {
        self.changes.cluster.iter().map(|cluster| (Permit::EditHostConfiguration, EntityRef::Cluster(*cluster))).collect()
    }
}

/// Installs a host anew.
#[derive(Clone, Debug)]
pub struct InstallHost {
    /// Which host.
    pub host: HostId,
    /// The sealed password of the host's root; empty for none.
    pub sealed_password: String,
    /// The image that a hypervisor node is installed from.
    pub image: Option<String>,
}

impl Decide for InstallHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("install", "Host");
        let host = world.host(self.host)?;
        if self.sealed_password.is_empty() && host.kind == HostType::Rhel {
            return Err(act.no(Key::HostEmptyPassword));
        }
        use HostStatus::*;
        if !matches!(host.status, Maintenance | InstallFailed | NonOperational | Down | NonResponsive | Error) {
            return Err(act.no(Key::HostInstallStatus).with("hostStatus", host.status.name()));
        }
        let image = self.image.as_deref().filter(|image| !image.is_empty());
        check::text(act, "image", image.unwrap_or_default(), check::MAX_DESCRIPTION)?;
        if image.is_none() && host.kind == HostType::RhevH {
            return Err(act.no(Key::HostMissingImage));
        }
        let description = match image.filter(|_| host.kind == HostType::RhevH) {
            Some(image) => format!("Installing Host {} from {image}", host.config.name),
            None => format!("Installing Host {}", host.config.name),
        };
        let started = HostInstallationStarted { host: self.host, sealed_password: self.sealed_password.clone() };
        Ok(vec![started.into(), opened(cx, 0, description, Task::InstallHost { host: self.host })])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        on(self.host, Permit::EditHostConfiguration)
    }
}

/// A step of a host's installation or activation came out.
#[derive(Clone, Debug)]
pub struct ReportInstalled {
    /// Which host.
    pub host: HostId,
    /// The job that ends.
    pub job: JobId,
    /// Whether it came about, and if not why.
    pub outcome: Result<(), String>,
}

impl Decide for ReportInstalled {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(host) = world.hosts.get(&self.host).filter(|h| h.status == HostStatus::Installing) else {
            return Ok(Vec::new());
        };
        Ok(match &self.outcome {
            Ok(()) => vec![HostInstalled { host: self.host }.into()],
            Err(why) => {
                vec![status(host, HostStatus::InstallFailed, why), JobEnded { job: self.job, failure: Some(why.clone()) }.into()]
            }
        })
    }
}

/// Removes a host.
#[derive(Clone, Debug)]
pub struct RemoveHost {
    /// Which host.
    pub host: HostId,
}

impl Decide for RemoveHost {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Host");
        let host = world.host(self.host)?;
        use HostStatus::*;
        if !matches!(host.status, Maintenance | InstallFailed | PendingApproval | Down) {
            return Err(act.no(Key::HostCannotRemove));
        }
        if world.vms_on(self.host).next().is_some() {
            return Err(act.no(Key::HostHasVms));
        }
        if world.vms.by(VmTerm::Pinned(self.host)).next().is_some() {
            return Err(act.no(Key::HostHasPinnedVms));
        }
        Ok(vec![HostRemoved { host: self.host, name: host.config.name.clone() }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        on(self.host, Permit::DeleteHost)
    }
}
