//! Data centers: the guide's chapter 9.

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::cluster::NetworkUnassigned;
use crate::command::Decide;
use crate::context::Context;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::host::HostStatus;
use crate::ids::*;
use crate::index::{HostTerm, NetworkTerm, StorageDomainTerm};
use crate::install::DEFAULT_CLUSTER;
use crate::job::{Task, open_job};
use crate::levels::Feature;
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::storage::{self, AttachmentStatus, DomainClass, StorageDomain, StorageDomainDetached, StorageFormat, StorageKind};
use crate::world::{NameKind, World};

/// A compatibility version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// The number before the dot.
    pub major: u32,
    /// The number behind it.
    pub minor: u32,
}

impl Version {
    /// The version of a text such as `3.3`.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

/// The versions that data centers and clusters may have, lowest first.
pub const SUPPORTED_VERSIONS: [Version; 4] = [
    Version { major: 3, minor: 0 },
    Version { major: 3, minor: 1 },
    Version { major: 3, minor: 2 },
    Version { major: 3, minor: 3 },
];
/// The newest.
pub const CURRENT_VERSION: Version = SUPPORTED_VERSIONS[3];

/// How quotas are enforced in a data center.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaMode {
    /// Quotas say nothing.
    #[default]
    Disabled,
    /// What exceeds a quota is told of.
    Audit,
    /// What exceeds a quota is refused.
    Enabled,
}

patchable! {
    /// What a user says of a data center.
    pub struct DataCenterConfig, DataCenterPatch {
        /// What it is called.
        pub name: String,
        /// What it is, for a human.
        pub description: String,
        /// A further word on it.
        pub comment: String,
        /// The kind of storage that its data domains have.
        pub storage_type: StorageKind,
        /// Version of the resource.
        pub version: Version,
        /// What quotas are to it.
        pub quota_mode: QuotaMode,
    }
}

/// A data center.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataCenter {
    /// Identifier.
    pub id: DataCenterId,
    /// Version of the resource.
    pub version: u64,
    /// What a user says of it.
    pub config: DataCenterConfig,
    /// The storage format, once the first data domain is attached.
    pub storage_format: Option<crate::storage::StorageFormat>,
    /// The master storage domain.
    pub master: Option<StorageDomainId>,
    /// The host that manages the storage pool.
    pub spm: Option<HostId>,
    /// The host that did not become what it was to be, until another host is to.
    #[serde(default)]
    pub spm_failed: Option<HostId>,
}

/// How a data center stands: derived from its master domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DataCenterStatus {
    Uninitialized,
    Up,
    Maintenance,
    NotOperational,
    Problematic,
}

impl DataCenter {
    /// The status (behaviour of a storage pool): no master, uninitialized; else that of the master.
    pub fn status(&self, world: &World) -> DataCenterStatus {
        let Some(master) = self.master.and_then(|id| world.storage_domains.get(&id)) else {
            return DataCenterStatus::Uninitialized;
        };
        match master.attachment_in(self.id).map(|a| a.status) {
            None => DataCenterStatus::Uninitialized,
            Some(AttachmentStatus::Maintenance) => DataCenterStatus::Maintenance,
            Some(AttachmentStatus::Active) if self.spm.is_some() => DataCenterStatus::Up,
            Some(AttachmentStatus::Active) => DataCenterStatus::NotOperational,
            Some(AttachmentStatus::Locked) if self.spm.is_none() => DataCenterStatus::Uninitialized,
            Some(_) => DataCenterStatus::Problematic,
        }
    }
}

/// A data center was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataCenterCreated {
    /// Which data center.
    pub data_center: DataCenterId,
    /// What a user says of it.
    pub config: DataCenterConfig,
}

fold!(DataCenterCreated, new DataCenter data_center, |e, world, at| {
    world.take_name(NameKind::DataCenter, &e.config.name, e.data_center.0);
    let value = DataCenter {
        id: e.data_center, version: at.version, config: e.config.clone(), storage_format: None, master: None, spm: None, spm_failed: None,
    };
    world.data_centers.insert(e.data_center, value);
});

/// A data center was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataCenterUpdated {
    /// Which data center.
    pub data_center: DataCenterId,
    /// What changes of it.
    pub changes: DataCenterPatch,
}

fold!(DataCenterUpdated, DataCenter data_center, |e, world, at| {
    if let (Some(new), Some(old)) = (&e.changes.name, world.data_centers.get(&e.data_center).map(|d| d.config.name.clone())) {
        world.rename(NameKind::DataCenter, &old, new, e.data_center.0);
    }
    world.data_centers.update(&e.data_center, |d| { d.config.apply(&e.changes); d.version = at.version; });
});

/// A data center was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataCenterRemoved {
    /// Which data center.
    pub data_center: DataCenterId,
    /// Its name, for those who read the log.
    pub name: String,
    /// Whether it went by force, with all that its data domains held.
    pub forced: bool,
}

fold!(DataCenterRemoved, DataCenter data_center, |e, world, at| {
    if let Some(old) = world.data_centers.remove(&e.data_center) {
        world.drop_name(NameKind::DataCenter, &old.config.name, old.id.0);
    }
    world.close_stream(StreamKind::DataCenter, e.data_center.0);
});

/// A host became the storage pool manager, or none is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpmSelected {
    /// Which data center.
    pub data_center: DataCenterId,
    /// The host; none where no host can be it.
    pub host: Option<HostId>,
}

fold!(SpmSelected, DataCenter data_center, |e, world, at| {
    world.data_centers.update(&e.data_center, |d| { (d.spm, d.spm_failed) = (e.host, None); d.version = at.version; });
});

fn check(act: Act, world: &World, id: Option<DataCenterId>, config: &DataCenterConfig) -> Result<(), Rejection> {
    check::name(act, &config.name, check::SHORT_NAME)?;
    check::text(act, "description", &config.description, check::MAX_TEXT)?;
    check::text(act, "comment", &config.comment, check::MAX_TEXT)?;
    if world.exactly_named(NameKind::DataCenter, &config.name).is_some_and(|other| Some(DataCenterId(other)) != id) {
        return Err(act.no(Key::DataCenterNameInUse));
    }
    if !SUPPORTED_VERSIONS.contains(&config.version) {
        return Err(act.no(Key::VersionUnsupported));
    }
    match config.storage_type {
        StorageKind::Posixfs if !Feature::PosixStorage.is_in(config.version) => Err(act.no(Key::DataCenterPosixVersion)),
        StorageKind::Glusterfs if !Feature::GlusterStorage.is_in(config.version) => Err(act.no(Key::DataCenterGlusterVersion)),
        StorageKind::Glance => Err(act.no(Key::DataCenterKindUnsupported)),
        _ => Ok(()),
    }
}

fn is_local(world: &World, data_center: Option<DataCenterId>) -> bool {
    let data_center = data_center.and_then(|id| world.data_centers.get(&id));
    data_center.is_some_and(|dc| dc.config.storage_type == StorageKind::Localfs)
}

/// A data center of local storage has one cluster, and not the default one.
pub(crate) fn check_local_cluster(
    act: Act,
    world: &World,
    cluster: Option<ClusterId>,
    data_center: Option<DataCenterId>,
) -> Result<(), Rejection> {
    let Some(id) = data_center.filter(|_| is_local(world, data_center)) else { return Ok(()) };
    if cluster == Some(DEFAULT_CLUSTER) {
        return Err(act.no(Key::ClusterDefaultNotLocal));
    }
    match world.clusters_of(id).any(|c| Some(c.id) != cluster) {
        true => Err(act.no(Key::LocalOneCluster)),
        false => Ok(()),
    }
}

/// The cluster of a data center of local storage has one host.
pub(crate) fn check_local_host(act: Act, world: &World, host: Option<HostId>, cluster: ClusterId) -> Result<(), Rejection> {
    let data_center = world.clusters.get(&cluster).and_then(|c| c.config.data_center);
    let another = |h: &std::sync::Arc<crate::host::Host>| Some(h.id) != host && h.status != HostStatus::PendingApproval;
    match is_local(world, data_center) && world.hosts.by(HostTerm::Cluster(cluster)).any(another) {
        true => Err(act.no(Key::LocalOneHost)),
        false => Ok(()),
    }
}

/// Creates a data center.
#[derive(Clone, Debug)]
pub struct CreateDataCenter {
    /// What a user says of it.
    pub config: DataCenterConfig,
    /// That of its data domains; else that of the first one.
    pub format: Option<StorageFormat>,
}

impl Decide for CreateDataCenter {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        check(Act("add", "Data Center"), world, None, &self.config)?;
        let data_center: DataCenterId = cx.fresh(0);
        let mut events = vec![DataCenterCreated { data_center, config: self.config.clone() }.into()];
        events.extend(crate::network::management_network(cx.fresh(1), cx.fresh(2), data_center));
        if let Some(format) = self.format {
            let (config, storage_format) = (self.config.clone(), None);
            let new =
                DataCenter { id: data_center, version: 0, config, storage_format, master: None, spm: None, spm_failed: None };
            storage::check_asked(Act("add", "Data Center"), &new, format)?;
            events.extend(storage::raised(world, cx, &new, format));
        }
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateStoragePool, EntityRef::System))
    }
}

/// Changes a data center. A newer compatibility version brings its data domains to the storage format that it prefers.
#[derive(Clone, Debug)]
pub struct UpdateDataCenter {
    /// Which data center.
    pub data_center: DataCenterId,
    /// What changes of it.
    pub changes: DataCenterPatch,
    /// The storage format that it is to have, where that is asked for.
    pub format: Option<StorageFormat>,
}

impl UpdateDataCenter {
    /// The events that bring the data center, as it is to be, to another storage format.
    fn storage(&self, act: Act, world: &World, cx: &Context, wanted: &DataCenter, newer: bool) -> Result<Vec<Event>, Rejection> {
        let upgrades = |task: &Task| matches!(task, Task::UpgradeStorage { .. });
        let preferred = storage::preferred(wanted.config.version, wanted.config.storage_type);
        let preferred = (newer && wanted.storage_format.is_some()).then_some(preferred);
        if let Some(format) = self.format {
            storage::check_asked(act, wanted, format)?;
        }
        let Some(format) = preferred.max(self.format) else { return Ok(Vec::new()) };
        let events = storage::raised(world, cx, wanted, format);
        if !events.is_empty() && open_job(world, EntityRef::DataCenter(wanted.id), upgrades).is_some() {
            return Err(Key::StateMoved.into());
        }
        Ok(events)
    }
}

impl Decide for UpdateDataCenter {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("edit", "Data Center");
        let current = world.data_center(self.data_center)?;
        let changes = self.changes.clone().reduce(&current.config);
        let mut wanted = current.config.clone();
        wanted.apply(&changes);
        let to_be = DataCenter { config: wanted.clone(), ..DataCenter::clone(current) };
        let storage = self.storage(act, world, cx, &to_be, changes.version.is_some())?;
        if changes.is_empty() {
            return Ok(storage);
        }
        check(act, world, Some(self.data_center), &wanted)?;
        if wanted.version < current.config.version {
            return Err(act.no(Key::VersionDecrease));
        }
        let behind: Vec<&str> = world
            .clusters_of(self.data_center)
            .filter(|c| c.config.version < wanted.version)
            .map(|c| c.config.name.as_str())
            .collect();
        if !behind.is_empty() {
            return Err(act.no(Key::DataCenterAheadOfClusters).with("ClustersList", behind.join(",")));
        }
        if changes.storage_type.is_some() && current.master.is_some() {
            return Err(act.no(Key::DataCenterTypeFixed));
        }
        if changes.storage_type == Some(StorageKind::Localfs) {
            let clusters: Vec<_> = world.clusters_of(self.data_center).collect();
            if clusters.iter().any(|c| c.id == DEFAULT_CLUSTER) {
                return Err(act.no(Key::DataCenterDefaultNotLocal));
            }
            if clusters.len() > 1 {
                return Err(act.no(Key::LocalOneCluster));
            }
            if world.hosts_in(self.data_center).count() > 1 {
                return Err(act.no(Key::LocalOneHost));
            }
        }
        let updated = DataCenterUpdated { data_center: self.data_center, changes };
        Ok(std::iter::once(updated.into()).chain(storage).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::EditStoragePoolConfiguration, EntityRef::DataCenter(self.data_center)))
    }
}

/// Removes a data center; its clusters stay, without one, its networks go with it, and its master domain is detached.
///
/// By force all its storage domains go: data domains are forgotten with the disks on them and the VMs that had no others, ISO and
/// export domains are detached. Nothing is asked of the storage, so that its hosts have to be in maintenance.
#[derive(Clone, Debug)]
pub struct RemoveDataCenter {
    /// Which data center.
    pub data_center: DataCenterId,
    /// Whether it goes with all that it has.
    pub force: bool,
}

impl RemoveDataCenter {
    /// The events that empty a data center of which nothing is used any more but its master domain.
    fn orderly(&self, world: &World, act: Act, domains: &[&std::sync::Arc<StorageDomain>]) -> Result<Vec<Event>, Rejection> {
        if domains.len() > 1 {
            return Err(act.no(Key::DataCenterHasDomains));
        }
        if domains.iter().any(|d| d.is_active_in(self.data_center)) {
            return Err(act.no(Key::DataCenterHasActiveDomains));
        }
        if domains.iter().any(|d| world.disks_on(d.id).next().is_some()) {
            return Err(act.no(Key::DataCenterHasImages));
        }
        if world.clusters_of(self.data_center).any(|c| world.vms_in(c.id).next().is_some()) {
            return Err(act.no(Key::DataCenterHasClusters));
        }
        Ok(domains.iter().map(|d| self.detached(d)).collect())
    }

    /// The events that empty a data center whatever is in it.
    fn by_force(&self, world: &World, act: Act, domains: &[&std::sync::Arc<StorageDomain>]) -> Result<Vec<Event>, Rejection> {
        if world.hosts_in(self.data_center).any(|h| h.status != HostStatus::Maintenance) {
            return Err(act.no(Key::DataCenterHostsNotInMaintenance));
        }
        let (data, others): (Vec<&StorageDomain>, Vec<&StorageDomain>) =
            domains.iter().map(|d| &***d).partition(|d| d.class == DomainClass::Data);
        let ids: Vec<StorageDomainId> = data.iter().map(|d| d.id).collect();
        let mut events = crate::storage::forgotten(world, act, &ids)?;
        let gone: Vec<VmId> =
            events.iter().filter_map(|event| if let Event::VmRemoved(e) = event { Some(e.vm) } else { None }).collect();
        let clusters = world.clusters_of(self.data_center);
        let left = clusters.flat_map(|cluster| world.vms_in(cluster.id)).filter(|vm| !gone.contains(&vm.id));
        events.extend(left.flat_map(|vm| crate::vm::without_data_center(vm)));
        for domain in data {
            events.extend(crate::storage::gone(world, domain, true));
        }
        events.extend(others.into_iter().map(|d| self.detached(d)));
        Ok(events)
    }

    fn detached(&self, domain: &StorageDomain) -> Event {
        StorageDomainDetached { domain: domain.id, data_center: self.data_center, untold: true }.into()
    }
}

impl Decide for RemoveDataCenter {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Data Center");
        let current = world.data_center(self.data_center)?;
        if current.status(world) == DataCenterStatus::Up {
            return Err(act.no(Key::DataCenterActive));
        }
        let inside = |d: &StorageDomain| d.attachment_in(self.data_center);
        let domains: Vec<_> = world.storage_domains.by(StorageDomainTerm::DataCenter(self.data_center)).collect();
        if domains.iter().any(|d| inside(d).is_some_and(|a| a.status == AttachmentStatus::Locked)) {
            return Err(act.no(Key::DomainStatusIllegal).with("status", "locked"));
        }
        let mut events = if self.force { self.by_force(world, act, &domains)? } else { self.orderly(world, act, &domains)? };
        let clusters: Vec<_> = world.clusters_of(self.data_center).collect();
        let (data_center, name) = (self.data_center, current.config.name.clone());
        for cluster in clusters {
            let networks = cluster.networks.iter().map(|n| n.network);
            events.extend(networks.map(|network| NetworkUnassigned { cluster: cluster.id, network }.into()));
            let changes = crate::cluster::ClusterPatch { data_center: Some(None), ..Default::default() };
            events.push(crate::cluster::ClusterUpdated { cluster: cluster.id, changes }.into());
        }
        for network in world.networks.by(NetworkTerm::DataCenter(self.data_center)) {
            events.extend(crate::network::removal(world, network));
        }
        events.extend(crate::quota::gone(world, data_center));
        events.push(DataCenterRemoved { data_center, name, forced: self.force }.into());
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::DeleteStoragePool, EntityRef::DataCenter(self.data_center)))
    }
}

/// Makes the best host of a data center its storage pool manager, where it has none that is up.
///
/// Candidates are hosts that are up with an SPM priority above -1; the highest priority wins, then the lowest id.
#[derive(Clone, Debug)]
pub struct SelectSpm {
    /// Which data center.
    pub data_center: DataCenterId,
}

impl Decide for SelectSpm {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let current = world.data_center(self.data_center)?;
        Ok(select_spm(world, current, None).into_iter().collect())
    }
}

/// The event that gives a data center the manager it should have; none where nothing changes. `leaving` is no candidate.
pub fn select_spm(world: &World, data_center: &DataCenter, leaving: Option<HostId>) -> Option<Event> {
    let fit = |h: &&std::sync::Arc<crate::host::Host>| {
        h.status == crate::host::HostStatus::Up && h.config.spm_priority >= 0 && Some(h.id) != leaving
    };
    // One that does not answer is waited for.
    let waits = |h: &crate::host::Host| h.status == HostStatus::Connecting && Some(h.id) != leaving;
    let keeps = data_center.spm.and_then(|id| world.hosts.get(&id)).is_some_and(|h| fit(&h) || waits(h));
    if keeps {
        return None;
    }
    let best = if data_center.master.is_none() {
        None
    } else {
        world.hosts_in(data_center.id).filter(fit).max_by_key(|h| (h.config.spm_priority, std::cmp::Reverse(h.id)))
    };
    let host = best.map(|h| h.id);
    (host != data_center.spm).then(|| SpmSelected { data_center: data_center.id, host }.into())
}
