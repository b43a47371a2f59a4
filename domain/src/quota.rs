//! Quotas: how much of a data center's storage, memory and processors may be consumed. The guide's chapter 9.4.2.
//!
//! A disk or VM names the quota that it consumes. What its data center's mode makes of that: nothing, a warning, or a refusal.

use serde::{Deserialize, Serialize};

use crate::access::{EntityRef, allowed};
use crate::check::{self, Act, NameRule};
use crate::command::Decide;
use crate::context::{Actor, Context};
use crate::creation::{Made, MadeKind};
use crate::data_center::{DataCenter, QuotaMode};
use crate::event::{Event, EventMetadata, Fold, Stream, StreamKind};
use crate::fold;
use crate::ids::*;
use crate::index::{DiskTerm, QuotaTerm, VmTerm};
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection, not_found};
use crate::storage::StorageDomain;
use crate::vm::Vm;
use crate::world::World;

/// A quota's name.
const NAME: NameRule = NameRule { max: 65, special: "._- ", international: true };
/// A limit that is none.
pub const UNLIMITED: i64 = -1;
/// The part of a limit, in percent, from which on it is warned of.
pub const DEFAULT_SOFT_PERCENT: i32 = 80;
/// The part of a limit, in percent, that may be consumed above it.
pub const DEFAULT_HARD_PERCENT: i32 = 20;
/// The most that may be allowed above a limit, in percent.
pub const MAX_HARD_PERCENT: i32 = 1_000;
/// The largest storage limit in GiB, memory limit in MiB, and number of processors.
pub const MAX_LIMIT: i64 = 1 << 40;
/// The most limits of a kind that one quota may have.
pub const MAX_LIMITS: usize = 1_000;

patchable! {
    /// What a user says of a quota.
    pub struct QuotaConfig, QuotaPatch {
        /// What it is called.
        pub name: String,
        /// What it is, for a human.
        pub description: String,
        /// Of the cluster limits: warned of from here on, in percent.
        pub cluster_soft_percent: i32,
        /// Of the cluster limits: allowed above them, in percent.
        pub cluster_hard_percent: i32,
        /// Of the storage limits: warned of from here on, in percent.
        pub storage_soft_percent: i32,
        /// Of the storage limits: allowed above them, in percent.
        pub storage_hard_percent: i32,
    }
}

impl QuotaConfig {
    /// The usual thresholds.
    pub fn named(name: String) -> Self {
        Self {
            name,
            description: String::new(),
            cluster_soft_percent: DEFAULT_SOFT_PERCENT,
            cluster_hard_percent: DEFAULT_HARD_PERCENT,
            storage_soft_percent: DEFAULT_SOFT_PERCENT,
            storage_hard_percent: DEFAULT_HARD_PERCENT,
        }
    }
}

/// A limit on storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageLimit {
    /// Where; none: on all the data center's storage together.
    pub domain: Option<StorageDomainId>,
    /// In GiB, or [`UNLIMITED`].
    pub gib: i64,
}

/// A limit on what running VMs take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterLimit {
    /// Where; none: in all the data center's clusters together.
    pub cluster: Option<ClusterId>,
    /// In MiB, or [`UNLIMITED`].
    pub memory_mib: i64,
    /// Virtual processors, or [`UNLIMITED`].
    pub vcpus: i64,
}

/// A quota.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    /// Identifier.
    pub id: QuotaId,
    /// Version of the resource.
    pub version: u64,
    /// What it is for.
    pub data_center: DataCenterId,
    /// What a user says of it.
    pub config: QuotaConfig,
    /// Limits on storage.
    pub storage: Vec<StorageLimit>,
    /// Limits on clusters.
    pub clusters: Vec<ClusterLimit>,
    /// When the log was told last that somebody was refused storage.
    #[serde(default)]
    pub storage_refused_at: Option<Micros>,
    /// When the log was told last that somebody was refused memory or processors.
    #[serde(default)]
    pub cluster_refused_at: Option<Micros>,
}

impl Quota {
    /// The bytes that its disks take, on one domain or on all.
    pub fn storage_used(&self, world: &World, domain: Option<StorageDomainId>) -> i64 {
        let counts = |d: &&std::sync::Arc<crate::disk::Disk>| domain.is_none_or(|domain| d.storage_domain == domain);
        world.disks.by(DiskTerm::Quota(self.id)).filter(counts).map(|d| d.config.size).sum()
    }

    /// Whether more storage is consumed already than one of its limits allows.
    pub fn is_below_consumption(&self, world: &World) -> bool {
        let below = |l: &StorageLimit| l.gib != UNLIMITED && self.storage_used(world, l.domain) >> 30 > l.gib;
        self.storage.iter().any(below)
    }

    /// The memory in MiB and the virtual processors that its running VMs take, in one cluster or in all.
    pub fn cluster_used(&self, world: &World, cluster: Option<ClusterId>) -> (i64, i64) {
        let counts = |vm: &&std::sync::Arc<Vm>| vm.run.is_some() && cluster.is_none_or(|cluster| vm.config.cluster == cluster);
        let consumers = world.vms.by(VmTerm::Quota(self.id));
        consumers.filter(counts).map(|vm| taken(vm)).fold((0, 0), |(m, c), (memory, cpus)| (m + memory, c + cpus))
    }
}

/// The memory in MiB and the virtual processors that a VM takes.
fn taken(vm: &Vm) -> (i64, i64) {
    (vm.config.memory >> 20, i64::from(vm.config.sockets) * i64::from(vm.config.cores))
}

/// A quota was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaCreated {
    /// Which quota.
    pub quota: QuotaId,
    /// Which data center.
    pub data_center: DataCenterId,
    /// What a user says of it.
    pub config: QuotaConfig,
}

fold!(QuotaCreated, new Quota quota, |e, world, at| {
    let (storage, clusters) = (Vec::new(), Vec::new());
    let config = e.config.clone();
    let quota = Quota {
        id: e.quota, version: at.version, data_center: e.data_center, config, storage, clusters,
        storage_refused_at: None, cluster_refused_at: None,
    };
    world.quotas.insert(e.quota, quota);
});

/// A quota was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaUpdated {
    /// Which quota.
    pub quota: QuotaId,
    /// What changes of it.
    pub changes: QuotaPatch,
}

fold!(QuotaUpdated, Quota quota, |e, world, at| {
    world.quotas.update(&e.quota, |q| { q.config.apply(&e.changes); q.version = at.version; });
});

/// A quota has these limits from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaLimitsSet {
    /// Which quota.
    pub quota: QuotaId,
    /// Limits on storage.
    pub storage: Vec<StorageLimit>,
    /// Limits on clusters.
    pub clusters: Vec<ClusterLimit>,
}

fold!(QuotaLimitsSet, Quota quota, |e, world, at| {
    world.quotas.update(&e.quota, |q| {
        q.storage = e.storage.clone();
        q.clusters = e.clusters.clone();
        q.version = at.version;
    });
});

/// A quota was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaRemoved {
    /// Which quota.
    pub quota: QuotaId,
    /// What it was called.
    pub name: String,
}

fold!(QuotaRemoved, Quota quota, |e, world, at| {
    world.quotas.remove(&e.quota);
    world.close_stream(StreamKind::Quota, e.quota.0);
});

/// What is consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Resource {
    Storage,
    Cluster,
}

/// How near consumption has come to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strain {
    /// No quota was named; the mode is to audit.
    Missing,
    /// Above the soft limit.
    Threshold,
    /// Above the limit, and within what is allowed above it.
    Exceeded,
    /// Above that as well; the mode is to audit.
    GraceExceeded,
    /// Above that as well, and refused; the mode is to enforce.
    Refused,
}

/// Something was consumed that a quota warns of, or was not because of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaStrained {
    /// Which data center.
    pub data_center: DataCenterId,
    /// The quota; none where nobody named one.
    pub quota: Option<QuotaId>,
    /// What is consumed.
    pub resource: Resource,
    /// How much is wrong with that.
    pub strain: Strain,
    /// What was consumed before, in percent of the limit.
    pub used_percent: i64,
    /// What is consumed in addition, in percent of the limit.
    pub requested_percent: i64,
    /// The VM that consumes it.
    pub vm: Option<VmId>,
}

impl Fold for QuotaStrained {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::DataCenter, self.data_center.0)
    }

    fn fold(&self, world: &mut World, at: &EventMetadata) {
        if let Some(quota) = self.quota.filter(|_| self.strain == Strain::Refused) {
            world.quotas.update(&quota, |q| *q.refused_at(self.resource) = Some(at.at));
        }
    }
}

impl Quota {
    fn refused_at(&mut self, resource: Resource) -> &mut Option<Micros> {
        match resource {
            Resource::Storage => &mut self.storage_refused_at,
            Resource::Cluster => &mut self.cluster_refused_at,
        }
    }
}

/// How long nothing more is told of what a quota refuses, in microseconds: whoever tries again and again does not fill the log.
pub const REFUSAL_SILENCE: Micros = 60 * 1_000_000;

/// The event by which the log is told of a refusal, where it is.
pub fn told(world: &World, cx: &Context, refusal: &Rejection) -> Option<Event> {
    let strained = refusal.told.as_deref()?;
    let mut quota = Quota::clone(world.quotas.get(&strained.quota?)?);
    let silent = quota.refused_at(strained.resource).is_some_and(|at| cx.now - at < REFUSAL_SILENCE);
    (!silent).then(|| strained.clone().into())
}

/// A limit with what is used of it and what is wanted in addition, all in the same unit.
struct Demand {
    limit: i64,
    used: i64,
    wanted: i64,
}

impl Demand {
    /// The share of the limit; of one that allows nothing there is none.
    fn percent(&self, amount: i64) -> i64 {
        let share = (i128::from(amount) * 100).checked_div(i128::from(self.limit));
        share.map_or(0, |share| i64::try_from(share).unwrap_or(i64::MAX))
    }

    /// The strain of it; none below the soft limit, and where there is no limit.
    fn strain(&self, soft: i32, hard: i32) -> Option<Strain> {
        if self.limit == UNLIMITED {
            return None;
        }
        let total = i128::from(self.used + self.wanted) * 100;
        let above = |percent: i64| total > i128::from(self.limit) * i128::from(percent);
        match () {
            () if above(100 + i64::from(hard)) => Some(Strain::GraceExceeded),
            () if above(100) => Some(Strain::Exceeded),
            () if above(i64::from(soft)) => Some(Strain::Threshold),
            () => None,
        }
    }
}

/// The quota that is consumed, as the mode demands it; none where nothing is to be counted.
fn consumed<'a>(
    act: Act,
    world: &'a World,
    cx: &Context,
    data_center: &DataCenter,
    quota: Option<QuotaId>,
) -> Result<Option<&'a Quota>, Rejection> {
    let mode = data_center.config.quota_mode;
    check_named(act, world, quota, Some(data_center.id))?;
    let found = quota.and_then(|id| world.quotas.get(&id)).filter(|_| mode != QuotaMode::Disabled);
    let Some(found) = found else {
        return if mode == QuotaMode::Enabled { Err(act.no(Key::QuotaNotValid)) } else { Ok(None) };
    };
    if mode == QuotaMode::Enabled
        && let Actor::User(user) = cx.actor
        && !allowed(world, user, Permit::ConsumeQuota, EntityRef::DataCenter(data_center.id))
    {
        return Err(act.no(Key::QuotaNotAllowed));
    }
    Ok(Some(found))
}

/// The event that tells of the strain, or the refusal where the mode is to enforce.
fn judged(
    act: Act,
    data_center: &DataCenter,
    quota: &Quota,
    resource: Resource,
    demands: &[Demand],
    vm: Option<VmId>,
) -> Result<Option<Event>, Rejection> {
    let (soft, hard, key) = match resource {
        Resource::Storage => (quota.config.storage_soft_percent, quota.config.storage_hard_percent, Key::QuotaStorageExceeded),
        Resource::Cluster => (quota.config.cluster_soft_percent, quota.config.cluster_hard_percent, Key::QuotaClusterExceeded),
    };
    let worst = demands.iter().filter_map(|d| Some((d.strain(soft, hard)?, d))).max_by_key(|(strain, _)| *strain);
    let Some((strain, demand)) = worst else { return Ok(None) };
    let (used_percent, requested_percent) = (demand.percent(demand.used), demand.percent(demand.wanted));
    let (id, quota_id) = (data_center.id, Some(quota.id));
    let strained = QuotaStrained { data_center: id, quota: quota_id, resource, strain, used_percent, requested_percent, vm };
    if strain == Strain::GraceExceeded && data_center.config.quota_mode == QuotaMode::Enabled {
        let strained = QuotaStrained { strain: Strain::Refused, ..strained };
        return Err(act.no(key).with("quotaName", &quota.config.name).telling(strained));
    }
    Ok(Some(strained.into()))
}

/// The event that tells that no quota was named, where the mode is to audit.
fn missing(data_center: &DataCenter, resource: Resource, vm: Option<VmId>) -> Option<Event> {
    let audits = data_center.config.quota_mode == QuotaMode::Audit;
    let strained = QuotaStrained {
        data_center: data_center.id,
        quota: None,
        resource,
        strain: Strain::Missing,
        used_percent: 0,
        requested_percent: 0,
        vm,
    };
    audits.then(|| strained.into())
}

/// What a quota makes of it that a disk takes `bytes` more on a domain: nothing, a warning, or a refusal.
pub(crate) fn consume_storage(
    act: Act,
    world: &World,
    cx: &Context,
    quota: Option<QuotaId>,
    domain: &StorageDomain,
    bytes: i64,
) -> Result<Option<Event>, Rejection> {
    let Some(data_center) = domain.data_center(world) else { return Ok(None) };
    let Some(quota) = consumed(act, world, cx, data_center, quota)? else {
        return Ok(missing(data_center, Resource::Storage, None));
    };
    let limit = quota.storage.iter().find(|l| l.domain.is_none_or(|d| d == domain.id));
    let Some(limit) = limit else {
        return match data_center.config.quota_mode {
            QuotaMode::Enabled => Err(act.no(Key::QuotaNotForDomain).with("quotaName", &quota.config.name)),
            _ => Ok(None),
        };
    };
    // In bytes, so that a disk smaller than a GiB counts as well.
    let bytes_limit = if limit.gib == UNLIMITED { UNLIMITED } else { limit.gib.saturating_mul(1 << 30) };
    let demand = Demand { limit: bytes_limit, used: quota.storage_used(world, limit.domain), wanted: bytes };
    judged(act, data_center, quota, Resource::Storage, &[demand], None)
}

/// What a VM's quota makes of it that it runs: nothing, a warning, or a refusal.
pub(crate) fn consume_cluster(act: Act, world: &World, cx: &Context, vm: &Vm) -> Result<Option<Event>, Rejection> {
    let Some(data_center) = world.data_center_of(vm.config.cluster) else { return Ok(None) };
    let Some(quota) = consumed(act, world, cx, data_center, vm.config.quota)? else {
        return Ok(missing(data_center, Resource::Cluster, Some(vm.id)));
    };
    let Some(limit) = quota.clusters.iter().find(|l| l.cluster.is_none_or(|c| c == vm.config.cluster)) else {
        return match data_center.config.quota_mode {
            QuotaMode::Enabled => Err(act.no(Key::QuotaClusterExceeded).with("quotaName", &quota.config.name)),
            _ => Ok(None),
        };
    };
    let ((memory, cpus), (more_memory, more_cpus)) = (quota.cluster_used(world, limit.cluster), taken(vm));
    let demands = [
        Demand { limit: limit.memory_mib, used: memory, wanted: more_memory },
        Demand { limit: limit.vcpus, used: cpus, wanted: more_cpus },
    ];
    judged(act, data_center, quota, Resource::Cluster, &demands, Some(vm.id))
}

/// Whether a quota that a VM or disk names is one of its data center.
pub(crate) fn check_named(
    act: Act,
    world: &World,
    quota: Option<QuotaId>,
    data_center: Option<DataCenterId>,
) -> Result<(), Rejection> {
    let Some(id) = quota else { return Ok(()) };
    match world.quotas.get(&id).is_some_and(|q| Some(q.data_center) == data_center) {
        true => Ok(()),
        false => Err(act.no(Key::QuotaMissing)),
    }
}

/// The events by which a data center's quotas limit a storage domain no more, which it does not have any longer.
pub(crate) fn without_domain(world: &World, data_center: DataCenterId, domain: StorageDomainId) -> impl Iterator<Item = Event> {
    kept(world, data_center, move |l| l.domain != Some(domain), |_| true)
}

/// The events by which a data center's quotas limit a cluster no more, which is gone.
pub(crate) fn without_cluster(world: &World, data_center: DataCenterId, cluster: ClusterId) -> impl Iterator<Item = Event> {
    kept(world, data_center, |_| true, move |l| l.cluster != Some(cluster))
}

/// The events by which a data center's quotas lose all limits but some.
fn kept(
    world: &World,
    data_center: DataCenterId,
    storage: impl Fn(&StorageLimit) -> bool,
    cluster: impl Fn(&ClusterLimit) -> bool,
) -> impl Iterator<Item = Event> {
    world.quotas.by(QuotaTerm::DataCenter(data_center)).filter_map(move |quota| {
        let mut limits = QuotaLimitsSet { quota: quota.id, storage: quota.storage.clone(), clusters: quota.clusters.clone() };
        limits.storage.retain(&storage);
        limits.clusters.retain(&cluster);
        ((&limits.storage, &limits.clusters) != (&quota.storage, &quota.clusters)).then(|| limits.into())
    })
}

/// The events by which the quotas of a data center are gone.
pub(crate) fn gone(world: &World, data_center: DataCenterId) -> impl Iterator<Item = Event> {
    let own = world.quotas.by(QuotaTerm::DataCenter(data_center));
    own.map(|q| QuotaRemoved { quota: q.id, name: q.config.name.clone() }.into())
}

fn check_config(act: Act, world: &World, id: Option<QuotaId>, config: &QuotaConfig) -> Result<(), Rejection> {
    check::name(act, &config.name, NAME)?;
    check::text(act, "description", &config.description, check::MAX_DESCRIPTION)?;
    for (field, percent, max) in [
        ("cluster_soft_limit_pct", config.cluster_soft_percent, 100),
        ("cluster_hard_limit_pct", config.cluster_hard_percent, MAX_HARD_PERCENT),
        ("storage_soft_limit_pct", config.storage_soft_percent, 100),
        ("storage_hard_limit_pct", config.storage_hard_percent, MAX_HARD_PERCENT),
    ] {
        check::range(act, field, percent.into(), 0, max.into())?;
    }
    match world.quotas.values().any(|q| q.config.name == config.name && Some(q.id) != id) {
        true => Err(act.no(Key::QuotaNameInUse)),
        false => Ok(()),
    }
}

fn configure(data_center: Option<DataCenterId>) -> Option<(Permit, EntityRef)> {
    Some((Permit::ConfigureQuota, data_center.map_or(EntityRef::System, EntityRef::DataCenter)))
}

/// Creates a quota without limits.
#[derive(Clone, Debug)]
pub struct CreateQuota {
    /// Which data center.
    pub data_center: DataCenterId,
    /// What a user says of it.
    pub config: QuotaConfig,
}

impl Decide for CreateQuota {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        world.data_center(self.data_center)?;
        check_config(Act("add", "Quota"), world, None, &self.config)?;
        Ok(vec![QuotaCreated { quota: cx.fresh(0), data_center: self.data_center, config: self.config.clone() }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        configure(Some(self.data_center))
    }
}

/// Changes a quota.
#[derive(Clone, Debug)]
pub struct UpdateQuota {
    /// Which quota.
    pub quota: QuotaId,
    /// What changes of it.
    pub changes: QuotaPatch,
}

impl Decide for UpdateQuota {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let current = world.quota(self.quota)?;
        let changes = self.changes.clone().reduce(&current.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = current.config.clone();
        wanted.apply(&changes);
        check_config(Act("edit", "Quota"), world, Some(self.quota), &wanted)?;
        Ok(vec![QuotaUpdated { quota: self.quota, changes }.into()])
    }

    fn permit(&self, world: &World) -> Option<(Permit, EntityRef)> {
        configure(world.quotas.get(&self.quota).map(|q| q.data_center))
    }
}

/// A limit to set, in place of one on the same thing, or to take away.
#[derive(Clone, Debug)]
pub enum LimitChange {
    /// On storage.
    Storage(StorageLimit),
    /// On clusters.
    Cluster(ClusterLimit),
    /// Takes away the limit on a domain, or on all storage.
    NoStorage(Option<StorageDomainId>),
    /// Takes away the limit on a cluster, or on all of them.
    NoCluster(Option<ClusterId>),
}

/// Changes one limit of a quota.
#[derive(Clone, Debug)]
pub struct ChangeQuotaLimit {
    /// Which quota.
    pub quota: QuotaId,
    /// Which limit, and what it is to be.
    pub change: LimitChange,
}

impl Decide for ChangeQuotaLimit {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("edit", "Quota");
        let current = world.quota(self.quota)?;
        let (mut storage, mut clusters) = (current.storage.clone(), current.clusters.clone());
        let absent = || not_found(format_args!("limit of Quota: id={}", self.quota));
        match &self.change {
            LimitChange::Storage(limit) => {
                check::range(act, "limit", limit.gib, UNLIMITED, MAX_LIMIT)?;
                if let Some(domain) = limit.domain
                    && world.storage_domain(domain)?.attachment_in(current.data_center).is_none()
                {
                    return Err(act.no(Key::QuotaLimitElsewhere).with("field", "storage_domain"));
                }
                storage.retain(|l| l.domain != limit.domain);
                storage.push(limit.clone());
            }
            LimitChange::Cluster(limit) => {
                check::range(act, "memory_limit", limit.memory_mib, UNLIMITED, MAX_LIMIT)?;
                check::range(act, "vcpu_limit", limit.vcpus, UNLIMITED, MAX_LIMIT)?;
                if let Some(cluster) = limit.cluster
                    && world.cluster(cluster)?.config.data_center != Some(current.data_center)
                {
                    return Err(act.no(Key::QuotaLimitElsewhere).with("field", "cluster"));
                }
                clusters.retain(|l| l.cluster != limit.cluster);
                clusters.push(limit.clone());
            }
            LimitChange::NoStorage(domain) => {
                let count = storage.len();
                storage.retain(|l| l.domain != *domain);
                (storage.len() < count).then_some(()).ok_or_else(absent)?;
            }
            LimitChange::NoCluster(cluster) => {
                let count = clusters.len();
                clusters.retain(|l| l.cluster != *cluster);
                (clusters.len() < count).then_some(()).ok_or_else(absent)?;
            }
        }
        let mixed = |general: bool, count: usize| general && count > 1;
        if mixed(storage.iter().any(|l| l.domain.is_none()), storage.len())
            || mixed(clusters.iter().any(|l| l.cluster.is_none()), clusters.len())
        {
            return Err(act.no(Key::QuotaLimitMixed));
        }
        check::range(act, "limits", storage.len().max(clusters.len()) as i64, 0, MAX_LIMITS as i64)?;
        if (&storage, &clusters) == (&current.storage, &current.clusters) {
            return Ok(Vec::new());
        }
        Ok(vec![QuotaLimitsSet { quota: self.quota, storage, clusters }.into()])
    }

    fn permit(&self, world: &World) -> Option<(Permit, EntityRef)> {
        configure(world.quotas.get(&self.quota).map(|q| q.data_center))
    }

    fn made(&self, _: &[Event]) -> Option<Made> {
        let id = match &self.change {
            LimitChange::Storage(limit) => limit.domain.map(|domain| domain.0),
            LimitChange::Cluster(limit) => limit.cluster.map(|cluster| cluster.0),
            LimitChange::NoStorage(_) | LimitChange::NoCluster(_) => return None,
        };
        // A limit on everything goes by its quota's identifier.
        Some(Made { kind: MadeKind::QuotaLimit, id: id.unwrap_or(self.quota.0) })
    }
}

/// Removes a quota that no disk and no VM consumes.
#[derive(Clone, Debug)]
pub struct RemoveQuota {
    /// Which quota.
    pub quota: QuotaId,
}

impl Decide for RemoveQuota {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let current = world.quota(self.quota)?;
        let by_disk = world.disks.by(DiskTerm::Quota(self.quota)).next().is_some();
        let by_vm = world.vms.by(VmTerm::Quota(self.quota)).next().is_some();
        if by_disk || by_vm {
            return Err(Act("remove", "Quota").no(Key::QuotaInUse));
        }
        Ok(vec![QuotaRemoved { quota: self.quota, name: current.config.name.clone() }.into()])
    }

    fn permit(&self, world: &World) -> Option<(Permit, EntityRef)> {
        configure(world.quotas.get(&self.quota).map(|q| q.data_center))
    }
}
