//! Hosts: the guide's chapter 14.

use serde::{Deserialize, Serialize};

use crate::access::Object;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::data_center::{CURRENT_VERSION, Version, select_spm};
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::host_net::{self, NETWORK_UNREACHABLE};
use crate::ids::*;
use crate::index::{HostTerm, StorageDomainTerm, VmTerm};
use crate::job::{JobEnded, JobOpened, Task};
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::storage::{missed_by, regained};
use crate::vm::{Affinity, named};
use crate::vm_run::VmState;
use crate::world::{NameKind, World};

pub use crate::fence::{
    FenceHost, FenceType, FinishFence, HostContactLost, HostFenceFellBack, HostFenceSkipped, HostFenced, HostFencingStarted,
    Patience, PmProxy, PowerAgent, PowerManagement, ReportSilent,
};
pub use crate::host_net::{Address, Bond, BootProtocol, HostNetwork, HostNic, Layout, NetworkFacts, NicFacts};

named! {
    /// The state of a host, as the API names it.
    HostStatus {
        Unassigned "unassigned",
        Down "down",
        Maintenance "maintenance",
        Up "up",
        NonResponsive "non_responsive",
        Error "error",
        Installing "installing",
        InstallFailed "install_failed",
        Reboot "reboot",
        PreparingForMaintenance "preparing_for_maintenance",
        NonOperational "non_operational",
        PendingApproval "pending_approval",
        Initializing "initializing",
        Connecting "connecting",
    }
}

named! {
    /// What a host runs: RHEL, or the hypervisor that registers itself.
    HostType { Rhel "rhel", RhevH "rhev-h" }
}

patchable! {
    /// What a user says of a host.
    pub struct HostConfig, HostPatch {
        pub name: String,
        pub comment: String,
        pub address: String,
        pub port: u16,
        pub cluster: ClusterId,
        pub spm_priority: i32,
        pub power_management: PowerManagement,
        pub ksm: bool,
        pub transparent_hugepages: bool,
    }
}

/// What a host reports of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFacts {
    pub hardware_uuid: String,
    pub sockets: u32,
    /// For each socket.
    pub cores: u32,
    /// For each core.
    pub threads: u32,
    pub cpu_name: String,
    /// The highest family that it can serve, such as `Intel Nehalem Family`.
    pub cpu_family: String,
    pub cpu_mhz: u32,
    /// In bytes.
    pub memory: i64,
    pub os: String,
    pub kernel: String,
    /// As the package is named, such as `libvirt-0.10.2-18.el6_4.9`.
    pub libvirt: String,
    pub hardware: Hardware,
    pub certificate: Certificate,
    pub hooks: Vec<Hook>,
    pub iscsi_initiator: String,
    /// The compatibility versions that it knows; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Version>,
    /// Whether it has nothing that machines could run with.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_kvm: bool,
    /// Whether its CPU lacks the flag `nx`, which all CPUs of clusters have.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_nx: bool,
    pub nics: Vec<NicFacts>,
    /// Empty once it is taken in: what lies upon the interfaces is told by events of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bonds: Vec<Bond>,
    /// As `bonds`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<NetworkFacts>,
}

impl HostFacts {
    /// The newest compatibility version that it knows.
    pub fn newest(&self) -> Version {
        self.levels.iter().copied().max().unwrap_or(CURRENT_VERSION)
    }

    /// Whether it knows a compatibility version.
    pub fn knows(&self, version: Version) -> bool {
        self.levels.is_empty() || self.levels.contains(&version)
    }
}

/// What a host's board says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Hardware {
    pub manufacturer: String,
    pub product: String,
    pub version: String,
    pub serial: String,
    pub family: String,
}

/// The certificate that a host is known by; empty for none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Certificate {
    pub organization: String,
    pub subject: String,
}

/// A script that a host runs when something happens to its VMs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Hook {
    pub event: String,
    pub name: String,
    pub md5: String,
}

/// Why a host could not be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeFailure {
    /// It does not answer, and how.
    Unreachable(String),
    /// It does not take the password.
    WrongPassword,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    pub id: HostId,
    pub version: u64,
    pub config: HostConfig,
    pub kind: HostType,
    pub status: HostStatus,
    /// Why it is non-operational.
    pub detail: String,
    /// How it was before it was to go into maintenance, with its detail then.
    pub before_maintenance: (HostStatus, String),
    pub facts: HostFacts,
    /// What lies upon its interfaces.
    pub layout: Layout,
    /// Its interfaces, worked out from the two above.
    pub nics: Vec<HostNic>,
    /// The logical networks that it has.
    pub networks: Vec<NetworkId>,
    pub tags: Vec<TagId>,
    /// When its power was last switched, in each way.
    #[serde(default)]
    pub switched: Vec<(FenceType, Micros)>,
    /// How many starts of VMs have failed here since one last came about, or since it came up.
    #[serde(default)]
    pub failed_starts: u32,
    /// Since when it is in its state, for the states that it is brought into by [`HostStatusChanged`].
    #[serde(default)]
    pub status_since: Micros,
    /// The root password, sealed, until the installation has put a key in its place.
    pub sealed_password: String,
}

impl Host {
    /// CPUs that VMs can use: cores, or threads where the cluster counts them so.
    pub fn cpus(&self, threads_as_cores: bool) -> u32 {
        self.facts.sockets * self.facts.cores * if threads_as_cores { self.facts.threads.max(1) } else { 1 }
    }
}

/// A host was added by its address; its installation is a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostAdded {
    pub host: HostId,
    pub config: HostConfig,
    pub sealed_password: String,
    pub facts: HostFacts,
}

/// A host has no power management: it could not be fenced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFenceUnconfigured {
    pub host: HostId,
}

fold!(HostFenceUnconfigured, Host host, |e, world, at| {
    touch(world, e.host, at, |_| {});
});

/// A host has little memory left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostMemoryLow {
    pub host: HostId,
    /// In mebibytes.
    pub free_mib: u64,
}

fold!(HostMemoryLow, Host host, |_e, _world, _at| {});

/// A host's CPU lacks the flag `nx`: it serves no cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostNxMissed {
    pub host: HostId,
}

fold!(HostNxMissed, Host host, |_e, _world, _at| {});

/// Below this a host has little memory left, in mebibytes.
pub const LOW_MEMORY_MIB: u64 = 1_024;

/// A host was found to have little memory left.
#[derive(Clone, Debug)]
pub struct ReportLowMemory {
    pub host: HostId,
    /// In mebibytes.
    pub free_mib: u64,
}

impl Decide for ReportLowMemory {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let low = self.free_mib < LOW_MEMORY_MIB && world.hosts.get(&self.host).is_some_and(|h| h.status == HostStatus::Up);
        Ok(low.then(|| HostMemoryLow { host: self.host, free_mib: self.free_mib }.into()).into_iter().collect())
    }
}

/// A host as it begins.
fn begin(id: HostId, config: &HostConfig, kind: HostType, status: HostStatus, at: &crate::event::Stamp) -> Host {
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

fold!(HostAdded, Host host, |e, world, at| {
    let mut host = begin(e.host, &e.config, HostType::Rhel, HostStatus::Installing, at);
    host.sealed_password = e.sealed_password.clone();
    insert(world, host, &e.facts);
});

/// A hypervisor registered itself and waits for approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostRegistered {
    pub host: HostId,
    pub config: HostConfig,
    pub facts: HostFacts,
}

fold!(HostRegistered, Host host, |e, world, at| {
    insert(world, begin(e.host, &e.config, HostType::RhevH, HostStatus::PendingApproval, at), &e.facts);
});

pub(crate) fn touch(world: &mut World, host: HostId, at: &crate::event::Stamp, change: impl FnOnce(&mut Host)) {
    world.hosts.update(&host, |h| {
        change(h);
        h.version = at.version;
    });
}

/// A hypervisor that waited was approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostApproved {
    pub host: HostId,
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
    pub host: HostId,
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
    pub host: HostId,
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
    pub host: HostId,
}

fold!(HostInstalled, Host host, |e, world, at| {
    touch(world, e.host, at, |h| {
        h.status = HostStatus::Initializing;
        h.sealed_password.clear();
    });
});

/// A host reported what it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFactsReported {
    pub host: HostId,
    pub facts: HostFacts,
}

fold!(HostFactsReported, Host host, |e, world, at| {
    touch(world, e.host, at, |h| {
        h.facts = e.facts.clone();
        h.lay();
    });
});

/// A host is in another state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostStatusChanged {
    pub host: HostId,
    pub from: HostStatus,
    pub to: HostStatus,
    /// Why it is non-operational, or why its installation failed.
    pub detail: String,
}

fold!(HostStatusChanged, Host host, |e, world, at| {
    touch(world, e.host, at, |h| {
        if e.to == HostStatus::PreparingForMaintenance {
            h.before_maintenance = (e.from, h.detail.clone());
        }
        if e.to == HostStatus::Up {
            h.failed_starts = 0;
        }
        h.status = e.to;
        h.status_since = at.at;
        h.detail = e.detail.clone();
    });
});

/// A host was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostRemoved {
    pub host: HostId,
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

/// Why a host is non-operational whose CPU cannot serve its cluster.
pub const CPU_INCOMPATIBLE: &str = "cpu_type_incompatible_with_cluster";

/// Why a host is non-operational that does not know its cluster's compatibility version.
pub const VERSION_INCOMPATIBLE: &str = "version_incompatible_with_cluster";
/// Why a host is non-operational on which no machine can run.
pub const KVM_MISSING: &str = "kvm_not_running";
/// Why a host is non-operational that does not reach a data domain which others reach.
pub const STORAGE_UNREACHABLE: &str = "storage_domain_unreachable";

pub(crate) fn status(host: &Host, to: HostStatus, detail: &str) -> Event {
    HostStatusChanged { host: host.id, from: host.status, to, detail: detail.to_owned() }.into()
}

fn check_config(act: Act, world: &World, id: Option<HostId>, config: &HostConfig) -> Result<(), Rejection> {
    check::name(act, &config.name, check::HOST_NAME)?;
    crate::data_center::check_local_host(act, world, id, config.cluster)?;
    check::text(act, "comment", &config.comment, check::MAX_TEXT)?;
    if world.exactly_named(NameKind::Host, &config.name).is_some_and(|other| Some(HostId(other)) != id) {
        return Err(act.no(Key::NameAlreadyUsed));
    }
    let address = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    if config.address.is_empty() || config.address.len() > 255 || !config.address.chars().all(address) {
        return Err(act.no(Key::HostAddressInvalid).with("field", "address"));
    }
    if world.resolve(NameKind::HostAddress, &config.address).is_some_and(|other| Some(HostId(other)) != id) {
        return Err(act.no(Key::HostAddressInUse).with("address", &config.address));
    }
    world.cluster(config.cluster)?;
    crate::fence::check_power(act, &config.power_management)?;
    check::range(act, "port", config.port.into(), 1, u16::MAX.into())?;
    check::range(act, "storage_manager.priority", config.spm_priority.into(), -1, 10)
}

fn opened(cx: &Context, n: u64, description: String, task: Task) -> Event {
    JobOpened { job: cx.fresh(n), description, task }.into()
}

/// The job that tells a host how it is to use its memory.
pub(crate) fn tuning(cx: &Context, n: u64, host: HostId, name: &str) -> Event {
    opened(cx, n, format!("Setting the memory policy of Host {name}"), Task::TuneHost { host })
}

fn on(host: HostId, permit: Permit) -> Option<(Permit, Object)> {
    Some((permit, Object::Host(host)))
}

/// Adds a host by its address; it was asked with the root password before.
#[derive(Clone, Debug)]
pub struct AddHost {
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
        let host: HostId = cx.fresh(0);
        let description = format!("Installing Host {}", self.config.name);
        let added = HostAdded { host, config: self.config.clone(), sealed_password: self.sealed_password.clone(), facts };
        let unfenced = (!self.config.power_management.enabled).then(|| HostFenceUnconfigured { host }.into());
        let job = opened(cx, 1, description, Task::InstallHost { host });
        Ok(std::iter::once(added.into()).chain(unfenced).chain([job]).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::CreateHost, Object::Cluster(self.config.cluster)))
    }
}

/// A hypervisor announced itself.
#[derive(Clone, Debug)]
pub struct RegisterHost {
    pub name: String,
    pub address: String,
    pub facts: HostFacts,
}

impl Decide for RegisterHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        if world.resolve(NameKind::HostAddress, &self.address).is_some() {
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
        };
        check_config(Act("add", "Host"), world, None, &config)?;
        Ok(vec![HostRegistered { host: cx.fresh(0), config, facts: self.facts.clone() }.into()])
    }
}

/// The port that a host's agent listens on.
pub const DEFAULT_PORT: u16 = 54321;
/// The SPM priority of a host where nothing is said.
pub const DEFAULT_SPM_PRIORITY: i32 = 5;

/// Approves a hypervisor that waits.
#[derive(Clone, Debug)]
pub struct ApproveHost {
    pub host: HostId,
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

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        on(self.host, Permit::CreateHost)
    }
}

/// Changes a host.
#[derive(Clone, Debug)]
pub struct UpdateHost {
    pub host: HostId,
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

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        on(self.host, Permit::EditHostConfiguration)
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, Object)> {
        self.changes.cluster.iter().map(|cluster| (Permit::EditHostConfiguration, Object::Cluster(*cluster))).collect()
    }
}

/// Installs a host anew.
#[derive(Clone, Debug)]
pub struct InstallHost {
    pub host: HostId,
    pub sealed_password: String,
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
        let description = format!("Installing Host {}", host.config.name);
        let started = HostInstallationStarted { host: self.host, sealed_password: self.sealed_password.clone() };
        Ok(vec![started.into(), opened(cx, 0, description, Task::InstallHost { host: self.host })])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        on(self.host, Permit::EditHostConfiguration)
    }
}

/// A step of a host's installation or activation came out.
#[derive(Clone, Debug)]
pub struct ReportInstalled {
    pub host: HostId,
    pub job: JobId,
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

/// The engine has reached a host and prepares it now: it learns what the host has, and brings its storage there.
#[derive(Clone, Debug)]
pub struct ReportReached {
    pub host: HostId,
}

impl Decide for ReportReached {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let awaited = world.hosts.get(&self.host).filter(|h| is_awaited(h));
        Ok(awaited.map(|host| status(host, HostStatus::Initializing, "")).into_iter().collect())
    }
}

/// Whether a host is to come into service as soon as it is reached. One that was not heard of for a while and comes back is up again
/// without a word, or stays out of service for the reason that it had.
pub fn is_awaited(host: &Host) -> bool {
    matches!(host.status, HostStatus::Unassigned | HostStatus::Reboot)
}

/// The engine is connected to a host, which reported what it has, or could not connect.
#[derive(Clone, Debug)]
pub struct ReportConnected {
    pub host: HostId,
    /// The job that this ends, where it belongs to one.
    pub job: Option<JobId>,
    pub outcome: Result<HostFacts, String>,
}

impl Decide for ReportConnected {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(host) = world.hosts.get(&self.host) else { return Ok(Vec::new()) };
        let mut events: Vec<Event> = Vec::new();
        let mut failure = None;
        use HostStatus::*;
        let waiting = matches!(host.status, Unassigned | Initializing | Reboot | Connecting | NonResponsive | NonOperational);
        match &self.outcome {
            Ok(facts) => {
                let (after, news) = host_net::report(world, host, facts);
                events.extend(news);
                if waiting {
                    let cluster = world.cluster(host.config.cluster)?;
                    let fits = !facts.no_nx && crate::cluster::cpu_fits(&facts.cpu_family, &cluster.config.cpu);
                    if fits && cluster.config.cpu.is_empty() && !facts.cpu_family.is_empty() {
                        let cpu = Some(facts.cpu_family.clone());
                        let changes = crate::cluster::ClusterPatch { cpu, ..Default::default() };
                        events.push(crate::cluster::ClusterUpdated { cluster: cluster.id, changes }.into());
                    }
                    let reasons = [
                        (facts.no_kvm, KVM_MISSING),
                        (!fits, CPU_INCOMPATIBLE),
                        (!facts.knows(cluster.config.version), VERSION_INCOMPATIBLE),
                        (host_net::lack(world, &after).is_some(), NETWORK_UNREACHABLE),
                        (missed_by(world, host).is_some(), STORAGE_UNREACHABLE),
                    ];
                    let why = reasons.into_iter().find(|(holds, _)| *holds).map(|(_, why)| why.to_owned());
                    match &why {
                        None => {
                            events.push(status(host, Up, ""));
                            events.extend(regained(world, host));
                            events.extend(spm_with(world, host));
                        }
                        Some(why) if host.status == NonOperational && host.detail == *why => {}
                        Some(why) => {
                            events.extend(facts.no_nx.then(|| Event::from(HostNxMissed { host: host.id })));
                            events.push(status(host, NonOperational, why));
                            events.extend(spm_without(world, host));
                        }
                    }
                    failure = why;
                }
            }
            Err(why) => {
                failure = Some(why.clone());
                // One that is being restarted or waited for has its time.
                if waiting && !matches!(host.status, NonResponsive | Reboot | Connecting) {
                    events.push(status(host, NonResponsive, why));
                }
            }
        }
        events.extend(self.job.map(|job| Event::from(JobEnded { job, failure })));
        Ok(events)
    }
}

/// The engine asked a host, on no job's account. What the host said may be overtaken by what was observed of it meanwhile: then it has to
/// be asked again.
#[derive(Clone, Debug)]
pub struct ReportAsked {
    pub host: HostId,
    /// The host's version when it was asked.
    pub version: u64,
    pub outcome: Result<HostFacts, String>,
}

impl Decide for ReportAsked {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        match world.hosts.get(&self.host) {
            Some(host) if host.version != self.version => Err(Key::StateMoved.into()),
            _ => ReportConnected { host: self.host, job: None, outcome: self.outcome.clone() }.decide(world, cx),
        }
    }
}

/// A host was asked anew what it has, since somebody wished it, and did not say where that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostRefreshed {
    pub host: HostId,
    pub failure: Option<String>,
}

fold!(HostRefreshed, Host host, |_e, _world, _at| {});

/// Takes in what a host says of itself that was asked since somebody wished it.
#[derive(Clone, Debug)]
pub struct RefreshHost {
    pub host: HostId,
    pub outcome: Result<HostFacts, String>,
}

impl Decide for RefreshHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let host = world.host(self.host)?;
        if !matches!(host.status, HostStatus::Up | HostStatus::Maintenance) {
            return Err(Act("refresh", "Host Capabilities").no(Key::HostStatusIllegal).with("hostStatus", "up or maintenance"));
        }
        let mut events = match &self.outcome {
            Ok(_) => ReportConnected { host: self.host, job: None, outcome: self.outcome.clone() }.decide(world, cx)?,
            Err(_) => Vec::new(),
        };
        events.push(HostRefreshed { host: self.host, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        on(self.host, Permit::ManiputlateHost)
    }
}

/// A host that is coming up becomes the storage pool manager where its data center has none.
pub(crate) fn spm_with(world: &World, host: &Host) -> Option<Event> {
    let data_center = world.data_center_of(host.config.cluster)?;
    let wanted = data_center.master.is_some() && data_center.spm.is_none() && host.config.spm_priority >= 0;
    wanted.then(|| crate::data_center::SpmSelected { data_center: data_center.id, host: Some(host.id) }.into())
}

/// The manager of a data center moves off a host that leaves.
pub(crate) fn spm_without(world: &World, host: &Host) -> Option<Event> {
    let data_center = world.data_center_of(host.config.cluster)?;
    (data_center.spm == Some(host.id)).then(|| select_spm(world, data_center, Some(host.id))).flatten()
}

/// Takes a host out of maintenance.
#[derive(Clone, Debug)]
pub struct ActivateHost {
    pub host: HostId,
}

impl Decide for ActivateHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("activate", "Host");
        let host = world.host(self.host)?;
        match host.status {
            HostStatus::Up => return Err(act.no(Key::HostAlreadyUp)),
            HostStatus::NonResponsive => return Err(act.no(Key::HostNonResponsive)),
            HostStatus::Maintenance
            | HostStatus::NonOperational
            | HostStatus::Error
            | HostStatus::InstallFailed
            | HostStatus::PreparingForMaintenance => {}
            other => return Err(act.no(Key::HostCannotActivate).with("hostStatus", other.name())),
        }
        let mut events: Vec<Event> = evacuation(world, self.host)
            .map(|job| JobEnded { job, failure: Some("superseded".into()) }.into())
            .into_iter()
            .collect();
        events.push(status(host, HostStatus::Unassigned, ""));
        events.push(opened(cx, 0, format!("Activating Host {}", host.config.name), Task::ActivateHost { host: self.host }));
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        on(self.host, Permit::ManiputlateHost)
    }
}

fn evacuation(world: &World, host: HostId) -> Option<JobId> {
    crate::job::open_job(world, Object::Host(host), |task| matches!(task, Task::EvacuateHost { .. })).map(|job| job.id)
}

/// Moves a host to maintenance: its VMs migrate away first.
#[derive(Clone, Debug)]
pub struct DeactivateHost {
    pub host: HostId,
}

impl Decide for DeactivateHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("deactivate", "Host");
        let host = world.host(self.host)?;
        use HostStatus::*;
        match host.status {
            Maintenance => return Err(act.no(Key::HostInMaintenance)),
            NonResponsive | Up | Error | Down | NonOperational => {}
            other => return Err(act.no(Key::HostStatusNotOperational).with("hostStatus", other.name())),
        }
        let managed = world.data_center_of(host.config.cluster).filter(|dc| dc.spm == Some(self.host));
        if managed.is_some_and(|dc| crate::spm::storage_at_work(world, dc.id)) {
            return Err(act.no(Key::HostIsBusySpm));
        }
        let running: Vec<_> = world.vms_on(self.host).collect();
        if host.status == NonResponsive && !running.is_empty() {
            return Err(act.no(Key::HostNonResponsiveWithVms));
        }
        let stuck: Vec<_> =
            running.iter().filter(|v| v.config.affinity == Affinity::Pinned).map(|v| v.config.name.clone()).collect();
        if !stuck.is_empty() {
            return Err(act.no(Key::HostNonMigratableVms).with("vms", stuck.join(", ")));
        }
        let another = world.hosts.by(HostTerm::Cluster(host.config.cluster)).any(|h| h.id != self.host && h.status == Up);
        if !running.is_empty() && !another {
            return Err(act.no(Key::HostRunsVmsNoOther));
        }
        let mut events = vec![status(host, PreparingForMaintenance, "")];
        events.extend(spm_without(world, host));
        let description = format!("Moving Host {} to maintenance", host.config.name);
        events.push(opened(cx, 0, description, Task::EvacuateHost { host: self.host }));
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        on(self.host, Permit::ManiputlateHost)
    }
}

/// Ends an evacuation: the host is in maintenance once no VM has a place on it, or it stays as it was before.
#[derive(Clone, Debug)]
pub struct FinishEvacuation {
    pub host: HostId,
    pub job: JobId,
    pub failure: Option<String>,
}

impl Decide for FinishEvacuation {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(host) = world.hosts.get(&self.host).filter(|h| h.status == HostStatus::PreparingForMaintenance) else {
            return Ok(vec![JobEnded { job: self.job, failure: self.failure.clone() }.into()]);
        };
        if self.failure.is_none() && world.vms_on(self.host).next().is_some() {
            return Err(Key::StateMoved.into());
        }
        let (to, detail) = match (&self.failure, &host.before_maintenance) {
            (None, _) => (HostStatus::Maintenance, ""),
            (Some(why), (HostStatus::Up, _)) => (HostStatus::Up, why.as_str()),
            (Some(_), (before, detail)) => (*before, detail.as_str()),
        };
        Ok(vec![status(host, to, detail), JobEnded { job: self.job, failure: self.failure.clone() }.into()])
    }
}

/// A host that is not heard of is given up: nobody knows what its VMs do.
#[derive(Clone, Debug)]
pub struct ReportUnresponsive {
    pub host: HostId,
    pub detail: String,
}

impl Decide for ReportUnresponsive {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        use HostStatus::*;
        let Some(host) = world.hosts.get(&self.host) else { return Ok(Vec::new()) };
        // One that is being restarted is silent for a while.
        if matches!(host.status, NonResponsive | Maintenance | PendingApproval | Installing | InstallFailed | Down | Reboot) {
            return Ok(Vec::new());
        }
        let mut events = vec![status(host, NonResponsive, &self.detail)];
        if !host.config.power_management.enabled {
            events.push(HostFenceSkipped { host: self.host, no_proxy: false }.into());
        }
        events.extend(spm_without(world, host));
        for vm in world.vms_on(self.host).filter(|v| v.host() == Some(self.host) && v.state != VmState::Unknown) {
            events.push(crate::vm_run::VmLost { vm: vm.id }.into());
        }
        Ok(events)
    }
}

/// A host that was restarted did not come back in time.
#[derive(Clone, Debug)]
pub struct ReportNotBack {
    pub host: HostId,
}

impl Decide for ReportNotBack {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(host) = world.hosts.get(&self.host).filter(|h| h.status == HostStatus::Reboot) else { return Ok(Vec::new()) };
        Ok(vec![status(host, HostStatus::NonResponsive, "The host did not come back after its restart")])
    }
}

/// Removes a host.
#[derive(Clone, Debug)]
pub struct RemoveHost {
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

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        on(self.host, Permit::DeleteHost)
    }
}
