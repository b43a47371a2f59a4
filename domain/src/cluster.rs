//! Clusters of hosts: the guide's chapter 10.

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::data_center::{SUPPORTED_VERSIONS, Version};
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::host::{HostStatus, tuning};
use crate::ids::*;
use crate::index::{HostTerm, NetworkTerm, TemplateTerm};
use crate::levels::Feature;
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::vm_run::VmState;
use crate::world::{NameKind, World};

/// Where VMs go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchedulingPolicy {
    /// As evenly distributed, without balancing.
    #[default]
    None,
    /// To the host that has the least to do.
    EvenlyDistributed,
    /// To the hosts that run VMs already.
    PowerSaving,
}

/// What happens to VMs of a host that becomes non-operational.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// All of them migrate.
    #[default]
    Migrate,
    /// They stay.
    DoNotMigrate,
    /// Highly available ones migrate.
    MigrateHighlyAvailable,
}

patchable! {
    /// What a user says of a cluster.
    pub struct ClusterConfig, ClusterPatch {
        /// What it is called.
        pub name: String,
        /// What it is, for a human.
        pub description: String,
        /// A further word on it.
        pub comment: String,
        /// Which data center.
        pub data_center: Option<DataCenterId>,
        /// The CPU family, such as `Intel Nehalem Family`; empty until the first host decides.
        pub cpu: String,
        /// Version of the resource.
        pub version: Version,
        /// How much of a host's memory VMs may be promised, in percent.
        pub overcommit_percent: u32,
        /// Whether its hosts use huge pages.
        pub transparent_hugepages: bool,
        /// How machines are spread over its hosts.
        pub policy: SchedulingPolicy,
        /// The load of a CPU, in percent, below which a host is idle.
        pub policy_low: u32,
        /// The load of a CPU, in percent, above which a host is too busy.
        pub policy_high: u32,
        /// For how many seconds a host has to be above or below before machines move.
        pub policy_duration_s: u32,
        /// Which machines leave a host that has failed.
        pub on_error: OnError,
        /// Whether its hosts run machines.
        pub virt_service: bool,
        /// Whether its hosts keep Gluster volumes.
        pub gluster_service: bool,
        /// Whether a thread of a CPU counts like a core.
        pub threads_as_cores: bool,
        /// Whether its hosts take memory back from guests.
        pub ballooning: bool,
        /// Whether migrations go through a tunnel of the hypervisors' own.
        pub tunnel_migration: bool,
    }
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            comment: String::new(),
            data_center: None,
            cpu: String::new(),
            version: crate::data_center::CURRENT_VERSION,
            overcommit_percent: 100,
            transparent_hugepages: true,
            policy: SchedulingPolicy::None,
            policy_low: 0,
            policy_high: 0,
            policy_duration_s: 0,
            on_error: OnError::Migrate,
            virt_service: true,
            gluster_service: false,
            threads_as_cores: false,
            ballooning: false,
            tunnel_migration: false,
        }
    }
}

/// A network as a cluster has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterNetwork {
    /// Which network.
    pub network: NetworkId,
    /// Whether a host without it is non-operational.
    pub required: bool,
    /// Whether consoles are reached through it.
    pub display: bool,
    /// Whether migrations go through it.
    pub migration: bool,
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Identifier.
    pub id: ClusterId,
    /// Version of the resource.
    pub version: u64,
    /// What a user says of it.
    pub config: ClusterConfig,
    /// Its networks, with what each is for.
    pub networks: Vec<ClusterNetwork>,
}

/// The CPU families that a cluster may have, with their level among those of the same maker.
pub const CPU_FAMILIES: &[(&str, u32)] = &[
    ("Intel Conroe Family", 3),
    ("Intel Penryn Family", 4),
    ("Intel Nehalem Family", 5),
    ("Intel Westmere Family", 6),
    ("Intel SandyBridge Family", 7),
    ("Intel Haswell", 8),
    ("AMD Opteron G1", 2),
    ("AMD Opteron G2", 3),
    ("AMD Opteron G3", 4),
    ("AMD Opteron G4", 5),
    ("AMD Opteron G5", 6),
];

/// Whether a host whose CPU is of one family can serve in a cluster of another: same maker, and no lower.
pub fn cpu_fits(host: &str, cluster: &str) -> bool {
    let level = |name: &str| CPU_FAMILIES.iter().find(|(n, _)| *n == name).map(|(_, level)| *level);
    let maker = |name: &str| name.split(' ').next().map(str::to_owned);
    cluster.is_empty() || host == cluster || (maker(host) == maker(cluster) && level(host) >= level(cluster))
}

/// A cluster was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterCreated {
    /// Which cluster.
    pub cluster: ClusterId,
    /// What a user says of it.
    pub config: ClusterConfig,
}

fold!(ClusterCreated, new Cluster cluster, |e, world, at| {
    world.take_name(NameKind::Cluster, &e.config.name, e.cluster.0);
    world.clusters.insert(e.cluster, Cluster { id: e.cluster, version: at.version, config: e.config.clone(), networks: Vec::new() });
});

/// A cluster was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterUpdated {
    /// Which cluster.
    pub cluster: ClusterId,
    /// What changes of it.
    pub changes: ClusterPatch,
}

fold!(ClusterUpdated, Cluster cluster, |e, world, at| {
    if let (Some(new), Some(old)) = (&e.changes.name, world.clusters.get(&e.cluster).map(|c| c.config.name.clone())) {
        world.rename(NameKind::Cluster, &old, new, e.cluster.0);
    }
    world.clusters.update(&e.cluster, |c| { c.config.apply(&e.changes); c.version = at.version; });
});

/// A cluster was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterRemoved {
    /// Which cluster.
    pub cluster: ClusterId,
    /// What it was called.
    pub name: String,
}

fold!(ClusterRemoved, Cluster cluster, |e, world, at| {
    if let Some(old) = world.clusters.remove(&e.cluster) {
        world.drop_name(NameKind::Cluster, &old.config.name, old.id.0);
    }
    world.close_stream(StreamKind::Cluster, e.cluster.0);
});

/// A network was given to a cluster, or its use there changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkAssigned {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Which network.
    pub network: ClusterNetwork,
}

fold!(NetworkAssigned, Cluster cluster, |e, world, at| {
    let management = management_of(world, e.cluster);
    world.clusters.update(&e.cluster, |c| {
        c.networks.retain(|n| n.network != e.network.network);
        c.networks.iter_mut().for_each(|n| {
            n.display &= !e.network.display;
            n.migration &= !e.network.migration;
        });
        c.networks.push(e.network);
        c.fall_back_to(management);
        c.version = at.version;
    });
});

/// A network was taken from a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkUnassigned {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Which network.
    pub network: NetworkId,
}

fold!(NetworkUnassigned, Cluster cluster, |e, world, at| {
    let management = management_of(world, e.cluster);
    world.clusters.update(&e.cluster, |c| {
        c.networks.retain(|n| n.network != e.network);
        c.fall_back_to(management);
        c.version = at.version;
    });
});

/// The management network of a cluster's data center.
fn management_of(world: &World, cluster: ClusterId) -> Option<NetworkId> {
    let data_center = world.clusters.get(&cluster)?.config.data_center?;
    world.networks.by(NetworkTerm::DataCenter(data_center)).find(|n| n.management).map(|n| n.id)
}

impl Cluster {
    /// Gives the uses that no network has to the management network.
    fn fall_back_to(&mut self, management: Option<NetworkId>) {
        let (display, migration) = (self.networks.iter().any(|n| n.display), self.networks.iter().any(|n| n.migration));
        if let Some(network) = self.networks.iter_mut().find(|n| Some(n.network) == management) {
            network.display |= !display;
            network.migration |= !migration;
        }
    }
}

fn check(act: Act, world: &World, id: Option<ClusterId>, config: &ClusterConfig) -> Result<(), Rejection> {
    check::name(act, &config.name, check::SHORT_NAME)?;
    check::text(act, "description", &config.description, check::MAX_TEXT)?;
    check::text(act, "comment", &config.comment, check::MAX_TEXT)?;
    if world.exactly_named(NameKind::Cluster, &config.name).is_some_and(|other| Some(ClusterId(other)) != id) {
        return Err(act.no(Key::ClusterNameInUse));
    }
    // The cluster Default comes without a CPU, and takes that of its first host.
    let may_lack = !config.virt_service || id.and_then(|id| world.clusters.get(&id)).is_some_and(|c| c.config.cpu.is_empty());
    let lacks = config.cpu.is_empty() && may_lack;
    if !lacks && !CPU_FAMILIES.iter().any(|(name, _)| *name == config.cpu) {
        return Err(act.no(Key::CpuUnknown).with("cpu", &config.cpu));
    }
    crate::data_center::check_local_cluster(act, world, id, config.data_center)?;
    let lowest = match config.data_center {
        Some(dc) => world.data_center(dc)?.config.version,
        None => SUPPORTED_VERSIONS[0],
    };
    if !SUPPORTED_VERSIONS.contains(&config.version) || config.version < lowest {
        return Err(act.no(Key::VersionUnsupported));
    }
    check::range(act, "memory_policy.overcommit.percent", config.overcommit_percent.into(), 100, 1000)?;
    for (field, percent) in [("low", config.policy_low), ("high", config.policy_high)] {
        if percent > 100 {
            return Err(act.no(Key::UtilizationOutOfRange).with("field", field));
        }
    }
    check::range(act, "scheduling_policy.thresholds.duration", config.policy_duration_s.into(), 0, MAX_DURATION_S.into())?;
    match config.policy {
        SchedulingPolicy::None => {}
        _ if config.policy_high == 0 => return Err(act.no(Key::UtilizationHighMissing)),
        SchedulingPolicy::PowerSaving if config.policy_low == 0 => return Err(act.no(Key::UtilizationLowMissing)),
        _ if config.policy_low >= config.policy_high => return Err(act.no(Key::UtilizationLowNotLower)),
        _ => {}
    }
    if !config.virt_service && !config.gluster_service {
        return Err(act.no(Key::ClusterWithoutService));
    }
    if config.ballooning && !Feature::Ballooning.is_in(config.version) {
        return Err(act.no(Key::BallooningUnsupported));
    }
    if config.gluster_service && !Feature::GlusterService.is_in(config.version) {
        return Err(act.no(Key::GlusterUnsupported));
    }
    Ok(())
}

/// The longest that a host may be out of bounds before VMs move, in seconds.
pub const MAX_DURATION_S: u32 = 24 * 60 * 60;
/// Below this share of its CPU a host has too little to do, in percent, where nothing else is said.
pub const DEFAULT_LOW: u32 = 20;
/// Above this share of its CPU a host has too much to do, in percent, where nothing else is said.
pub const DEFAULT_HIGH: u32 = 80;
/// How long a host is out of bounds before VMs move, in seconds, where nothing else is said.
pub const DEFAULT_DURATION_S: u32 = 120;

/// The bounds of a policy that comes without any.
fn bounds(config: &ClusterConfig) -> ClusterPatch {
    if config.policy == SchedulingPolicy::None || config.policy_high != 0 || config.policy_low != 0 {
        return ClusterPatch::default();
    }
    let low = (config.policy == SchedulingPolicy::PowerSaving).then_some(DEFAULT_LOW);
    let duration = (config.policy_duration_s == 0).then_some(DEFAULT_DURATION_S);
    ClusterPatch { policy_low: low, policy_high: Some(DEFAULT_HIGH), policy_duration_s: duration, ..ClusterPatch::default() }
}

/// The management network that a cluster gets with its data center.
fn join(world: &World, cluster: ClusterId, data_center: Option<DataCenterId>) -> Option<Event> {
    let management = world.networks.by(NetworkTerm::DataCenter(data_center?)).find(|n| n.management)?;
    let network = ClusterNetwork { network: management.id, required: true, display: true, migration: true };
    Some(NetworkAssigned { cluster, network }.into())
}

/// Creates a cluster.
#[derive(Clone, Debug)]
pub struct CreateCluster {
    /// What a user says of it.
    pub config: ClusterConfig,
}

impl Decide for CreateCluster {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let mut config = self.config.clone();
        config.apply(&bounds(&config));
        check(Act("add", "Cluster"), world, None, &config)?;
        let cluster: ClusterId = cx.fresh(0);
        let created = ClusterCreated { cluster, config };
        Ok(std::iter::once(created.into()).chain(join(world, cluster, self.config.data_center)).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateCluster, self.config.data_center.map_or(EntityRef::System, EntityRef::DataCenter)))
    }
}

/// Whether a cluster may take another CPU family: its hosts are of the same maker, none that is up is below it, and no VM waits to go on
/// with the old.
fn check_cpu(act: Act, world: &World, cluster: &Cluster, cpu: &str) -> Result<(), Rejection> {
    let maker = |name: &str| name.split(' ').next().map(str::to_owned);
    let (old, cluster) = (&cluster.config.cpu, cluster.id);
    let other_maker = !old.is_empty() && maker(old) != maker(cpu);
    if other_maker && world.hosts.by(HostTerm::Cluster(cluster)).next().is_some() {
        return Err(act.no(Key::CpuIllegal).with("cpu", cpu));
    }
    let mut hosts = world.hosts.by(HostTerm::Cluster(cluster)).filter(|h| h.status == HostStatus::Up);
    if hosts.any(|h| !cpu_fits(&h.facts.cpu_family, cpu)) {
        return Err(act.no(Key::CpuAboveHosts));
    }
    if world.vms_in(cluster).any(|vm| vm.state == VmState::Suspended) {
        return Err(act.no(Key::CpuWithSuspendedVms));
    }
    Ok(())
}

/// Changes a cluster.
#[derive(Clone, Debug)]
pub struct UpdateCluster {
    /// Which cluster.
    pub cluster: ClusterId,
    /// What changes of it.
    pub changes: ClusterPatch,
}

impl Decide for UpdateCluster {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("edit", "Cluster");
        let current = world.cluster(self.cluster)?;
        let mut wanted = current.config.clone();
        wanted.apply(&self.changes);
        let bounds = bounds(&wanted);
        let begins_to_save = self.changes.policy == Some(SchedulingPolicy::PowerSaving) && wanted.policy_low == 0;
        let low = begins_to_save.then_some(DEFAULT_LOW);
        let changes = ClusterPatch {
            policy_low: bounds.policy_low.or(self.changes.policy_low).or(low),
            policy_high: bounds.policy_high.or(self.changes.policy_high),
            policy_duration_s: bounds.policy_duration_s.or(self.changes.policy_duration_s),
            ..self.changes.clone()
        };
        let changes = changes.reduce(&current.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        wanted.apply(&changes);
        check(act, world, Some(self.cluster), &wanted)?;
        if let Some(cpu) = &changes.cpu {
            check_cpu(act, world, current, cpu)?;
        }
        if changes.virt_service == Some(false) && world.vms_in(self.cluster).next().is_some() {
            return Err(act.no(Key::ClusterVirtInUse));
        }
        if let Some(version) = changes.version
            && let Some(host) =
                world.hosts.by(HostTerm::Cluster(self.cluster)).find(|h| h.status == HostStatus::Up && !h.facts.knows(version))
        {
            return Err(act.no(Key::VersionAboveHosts).with("host", &host.config.name));
        }
        if wanted.version < current.config.version {
            return Err(act.no(Key::VersionDecrease));
        }
        if changes.data_center.is_some() && current.config.data_center.is_some() {
            return Err(act.no(Key::ClusterDataCenterFixed));
        }
        let joined = changes.data_center.flatten().and_then(|dc| join(world, self.cluster, Some(dc)));
        let tuned = changes.ballooning.is_some();
        let up = world.hosts.by(HostTerm::Cluster(self.cluster)).filter(|host| tuned && host.status == HostStatus::Up);
        let tunings = up.zip(0..).map(|(host, n)| tuning(cx, n, host.id, &host.config.name));
        let updated = std::iter::once(ClusterUpdated { cluster: self.cluster, changes }.into());
        Ok(updated.chain(joined).chain(tunings).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::EditClusterConfiguration, EntityRef::Cluster(self.cluster)))
    }
}

/// Removes a cluster that is empty.
#[derive(Clone, Debug)]
pub struct RemoveCluster {
    /// Which cluster.
    pub cluster: ClusterId,
}

impl Decide for RemoveCluster {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Cluster");
        let current = world.cluster(self.cluster)?;
        if self.cluster == crate::install::DEFAULT_CLUSTER {
            return Err(act.no(Key::ClusterIsDefault));
        }
        if world.hosts.by(HostTerm::Cluster(self.cluster)).next().is_some() {
            return Err(act.no(Key::ClusterHasHosts));
        }
        if world.vms_in(self.cluster).next().is_some() {
            return Err(act.no(Key::ClusterHasVms));
        }
        if world.templates.by(TemplateTerm::Cluster(self.cluster)).next().is_some() {
            return Err(act.no(Key::ClusterHasTemplates));
        }
        let limits = current.config.data_center.map(|dc| crate::quota::without_cluster(world, dc, self.cluster));
        let removed = ClusterRemoved { cluster: self.cluster, name: current.config.name.clone() };
        Ok(limits.into_iter().flatten().chain([removed.into()]).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::DeleteCluster, EntityRef::Cluster(self.cluster)))
    }
}

/// Gives a network to a cluster, or changes its use there.
#[derive(Clone, Debug)]
pub struct AssignNetwork {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Which network.
    pub network: ClusterNetwork,
}

impl Decide for AssignNetwork {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let cluster = world.cluster(self.cluster)?;
        let network = world.network(self.network.network)?;
        if cluster.config.data_center != Some(network.data_center) {
            return Err(crate::rejection::not_found(format_args!("Network: id={}", network.id)));
        }
        if network.management && !self.network.required {
            return Err(Act("edit", "Network").no(Key::ManagementRequired).with("NetworkName", &network.config.name));
        }
        if self.network.display && !network.config.vm_network && !network.management {
            return Err(Act("edit", "Network").no(Key::DisplayNotForVms));
        }
        if cluster.networks.contains(&self.network) {
            return Ok(Vec::new());
        }
        let old = cluster.networks.iter().find(|n| n.network == network.id);
        let migrates = self.network.migration && !old.is_some_and(|old| old.migration);
        if migrates && !Feature::MigrationNetwork.is_in(cluster.config.version) {
            return Err(Act("edit", "Network").no(Key::MigrationNetworkUnsupported));
        }
        // That it is for displays from now on is told apart from whatever else changes of it.
        let else_changed = old
            .filter(|old| self.network.display && !old.display)
            .map(|_| ClusterNetwork { display: false, ..self.network })
            .filter(|other| old.is_some_and(|old| old != other));
        let steps = else_changed.into_iter().chain([self.network]);
        Ok(steps.map(|network| NetworkAssigned { cluster: self.cluster, network }.into()).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::AssignClusterNetwork, EntityRef::Network(self.network.network)))
    }
}

/// Takes a network from a cluster.
#[derive(Clone, Debug)]
pub struct UnassignNetwork {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Which network.
    pub network: NetworkId,
}

impl Decide for UnassignNetwork {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Network");
        let cluster = world.cluster(self.cluster)?;
        let network = world.network(self.network)?;
        if !cluster.networks.iter().any(|n| n.network == self.network) {
            return Err(crate::rejection::not_found(format_args!("Network: id={}", network.id)));
        }
        if network.management {
            return Err(act.no(Key::NetworkIsManagement));
        }
        let uses = |nic: &crate::vm::Nic| {
            let profile = nic.profile.and_then(|p| world.vnic_profiles.get(&p));
            profile.is_some_and(|p| p.network == self.network) || nic.port_mirroring.contains(&self.network)
        };
        if let Some(vm) = world.vms_in(self.cluster).find(|vm| vm.nics.iter().any(uses)) {
            return Err(act.no(Key::NetworkInUse).with("users", &vm.config.name));
        }
        Ok(vec![NetworkUnassigned { cluster: self.cluster, network: self.network }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::AssignClusterNetwork, EntityRef::Network(self.network)))
    }
}
