//! The World: the fold of the log, every aggregate by id, in persistent maps, so that a copy costs next to nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::{EntityRef, Group, Holder, Permission, Role, Session, User};
use crate::cluster::Cluster;
use crate::data_center::DataCenter;
use crate::disk::Disk;
use crate::event::{EventMetadata, RecordedEvent, Stream, StreamKind};
use crate::host::Host;
use crate::ids::*;
use crate::index::{ClusterTerm, HostTerm};
use crate::job::Job;
use crate::network::{Network, VnicProfile};
use crate::placement::Placements;
use crate::quota::Quota;
use crate::rejection::{Rejection, not_found};
use crate::storage::StorageDomain;
use crate::storage_connection::StorageConnection;
use crate::table::Reindex;
use crate::tag::Tag;
use crate::template::Template;
use crate::versions::Versions;
use crate::vm::Vm;

pub use crate::table::Table;

/// The kinds of names that have to be unique, each within its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum NameKind {
    DataCenter,
    Cluster,
    Network,
    Host,
    HostAddress,
    StorageDomain,
    Disk,
    Vm,
    Template,
    Tag,
    /// The principal.
    User,
    Group,
    Role,
    Mac,
    /// What a user is called in lists; several may be called the same.
    UserCalled,
}

/// A name in the index: ordered without regard to case first, so that a listing by name walks it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NameKey {
    /// What it names.
    pub kind: NameKind,
    /// The name in lower case.
    pub folded: Arc<str>,
    /// The name as given.
    pub name: Arc<str>,
    /// Whose it is; several may share one where names are unique only within a scope.
    pub id: Uuid,
}

/// State of everything, at a position of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// The position of the last event folded in.
    pub position: Position,
    /// The version of every live stream.
    pub streams: Versions,
    /// Names in use.
    pub names: imbl::OrdSet<NameKey>,
    /// Data centers.
    pub data_centers: Table<DataCenterId, DataCenter>,
    /// Clusters.
    pub clusters: Table<ClusterId, Cluster>,
    /// Networks.
    pub networks: Table<NetworkId, Network>,
    /// vNIC profiles.
    pub vnic_profiles: Table<VnicProfileId, VnicProfile>,
    /// Hosts.
    pub hosts: Table<HostId, Host>,
    /// Storage domains.
    pub storage_domains: Table<StorageDomainId, StorageDomain>,
    /// Storage connections.
    #[serde(default)]
    pub storage_connections: Table<StorageConnectionId, StorageConnection>,
    /// Quotas.
    #[serde(default)]
    pub quotas: Table<QuotaId, Quota>,
    /// Disks.
    pub disks: Table<DiskId, Disk>,
    /// Virtual machines.
    pub vms: Table<VmId, Vm>,
    /// Templates.
    pub templates: Table<TemplateId, Template>,
    /// Tags.
    pub tags: Table<TagId, Tag>,
    /// Users.
    pub users: Table<UserId, User>,
    /// Groups.
    pub groups: Table<GroupId, Group>,
    /// Roles.
    pub roles: Table<RoleId, Role>,
    /// Permissions.
    pub permissions: Table<PermissionId, Permission>,
    /// Login sessions.
    pub sessions: Table<SessionId, Session>,
    /// Jobs.
    pub jobs: Table<JobId, Job>,
    /// Jobs of systems outside.
    pub external_jobs: Table<JobId, crate::external::ExternalJob>,
    /// The external jobs that steps are of.
    #[serde(default)]
    pub external_steps: imbl::OrdMap<Uuid, JobId>,
    /// Events that systems outside reported.
    pub external_events: crate::external::ExternalEvents,
    /// Keys under which clients created things.
    pub creations: crate::creation::Creations,
    /// The places of VMs on hosts.
    pub placed: Placements,
    /// VMs of a cluster: (cluster, VM).
    pub cluster_vms: imbl::OrdSet<(ClusterId, VmId)>,
    /// Disks of a storage domain: (domain, disk).
    pub domain_disks: imbl::OrdSet<(StorageDomainId, DiskId)>,
    /// Highly available VMs that went down by themselves and are to be started again.
    pub to_restart: imbl::OrdSet<VmId>,
    /// Permissions by who holds them, and on what.
    pub permissions_held: imbl::OrdSet<(Holder, EntityRef, PermissionId)>,
    /// Permissions by what they are on.
    pub permissions_on: imbl::OrdSet<(EntityRef, PermissionId)>,
    /// Jobs that have not ended.
    pub open_jobs: imbl::OrdSet<JobId>,
    /// The MAC address given out last; the search for a free one goes on behind it.
    pub last_mac: u64,
}

macro_rules! expect {
    ($($method:ident $table:ident $id:ty => $value:ty, $what:literal;)*) => {
        impl World {
            $(/// The aggregate, or the refusal that it does not exist.
            pub fn $method(&self, id: $id) -> Result<&Arc<$value>, Rejection> {
                self.$table.get(&id).ok_or_else(|| not_found(format_args!(concat!($what, ": id={}"), id)))
            })*
        }
    };
}

expect! {
    data_center data_centers DataCenterId => DataCenter, "DataCenter";
    cluster clusters ClusterId => Cluster, "Cluster";
    network networks NetworkId => Network, "Network";
    vnic_profile vnic_profiles VnicProfileId => VnicProfile, "VnicProfile";
    host hosts HostId => Host, "Host";
    storage_domain storage_domains StorageDomainId => StorageDomain, "StorageDomain";
    storage_connection storage_connections StorageConnectionId => StorageConnection, "StorageConnection";
    quota quotas QuotaId => Quota, "Quota";
    disk disks DiskId => Disk, "Disk";
    vm vms VmId => Vm, "VM";
    template templates TemplateId => Template, "Template";
    tag tags TagId => Tag, "Tag";
    user users UserId => User, "User";
    group groups GroupId => Group, "Group";
    role roles RoleId => Role, "Role";
    permission permissions PermissionId => Permission, "Permission";
    job jobs JobId => Job, "Job";
}

impl World {
    /// Folds one event in. What cannot be is left alone: an event was decided once and is true.
    pub fn evolve(&mut self, recorded: &RecordedEvent) {
        let stamp = EventMetadata {
            position: recorded.position,
            version: recorded.version,
            at: recorded.recorded_at,
            actor: recorded.actor,
            correlation_id: recorded.correlation_id.clone(),
        };
        self.position = recorded.position;
        self.streams.set(recorded.stream, recorded.version);
        recorded.event.as_fold().fold(self, &stamp);
    }

    /// Lets many events be folded in, a log's for instance. It leads to the same as folding each by itself, and costs less where they are
    /// many: what aggregates are found by is put in order only at the end.
    pub fn evolve_many(&mut self, fold: impl FnOnce(&mut Self)) {
        self.streams.put_off();
        self.tables().into_iter().for_each(Reindex::put_index_off);
        fold(self);
        self.streams.settle();
        self.tables().into_iter().for_each(Reindex::make_index);
    }

    /// Whether every index is what the aggregates say. Costs a walk over all of them: for tests.
    pub fn is_indexed(&mut self) -> bool {
        self.tables().into_iter().all(|table| table.is_indexed())
    }

    fn tables(&mut self) -> [&mut dyn Reindex; 19] {
        [
            &mut self.data_centers,
            &mut self.clusters,
            &mut self.networks,
            &mut self.vnic_profiles,
            &mut self.hosts,
            &mut self.storage_domains,
            &mut self.storage_connections,
            &mut self.quotas,
            &mut self.disks,
            &mut self.vms,
            &mut self.templates,
            &mut self.tags,
            &mut self.users,
            &mut self.groups,
            &mut self.roles,
            &mut self.permissions,
            &mut self.sessions,
            &mut self.jobs,
            &mut self.external_jobs,
        ]
    }

    /// The version of a stream; 0 where it has no event.
    pub fn version(&self, stream: &Stream) -> u64 {
        self.streams.get(stream)
    }

    /// Forgets a removed aggregate's stream, and the permissions on it.
    pub(crate) fn close_stream(&mut self, kind: StreamKind, id: Uuid) {
        let stream = Stream::new(kind, id);
        self.streams.forget(&stream);
        if let Some(object) = EntityRef::of(&stream) {
            self.forget_permissions_on(object);
        }
    }

    pub(crate) fn take_name(&mut self, kind: NameKind, name: &str, id: Uuid) {
        self.names.insert(NameKey { kind, folded: name.to_lowercase().into(), name: name.into(), id });
    }

    pub(crate) fn drop_name(&mut self, kind: NameKind, name: &str, id: Uuid) {
        self.names.remove(&NameKey { kind, folded: name.to_lowercase().into(), name: name.into(), id });
    }

    pub(crate) fn rename(&mut self, kind: NameKind, old: &str, new: &str, id: Uuid) {
        if old != new {
            self.drop_name(kind, old, id);
            self.take_name(kind, new, id);
        }
    }

    /// Whose name it is, regardless of case; each with the exact spelling.
    pub fn named<'a>(&'a self, kind: NameKind, name: &str) -> impl Iterator<Item = &'a NameKey> + use<'a> {
        let folded: Arc<str> = name.to_lowercase().into();
        let start = NameKey { kind, folded: folded.clone(), name: "".into(), id: Uuid::nil() };
        self.names.range(start..).take_while(move |key| key.kind == kind && key.folded == folded)
    }

    /// The one of exactly that name.
    pub fn exactly_named(&self, kind: NameKind, name: &str) -> Option<Uuid> {
        self.named(kind, name).find(|key| &*key.name == name).map(|key| key.id)
    }

    /// The one that a reference by name means: of exactly that spelling, else of another case.
    pub fn resolve(&self, kind: NameKind, name: &str) -> Option<Uuid> {
        self.exactly_named(kind, name).or_else(|| self.named(kind, name).next().map(|key| key.id))
    }

    /// Names of a kind in order, those that begin with the prefix in any case.
    pub fn names_from<'a>(&'a self, kind: NameKind, prefix: &str) -> impl Iterator<Item = &'a NameKey> + use<'a> {
        let folded: Arc<str> = prefix.to_lowercase().into();
        let start = NameKey { kind, folded: folded.clone(), name: "".into(), id: Uuid::nil() };
        self.names.range(start..).take_while(move |key| key.kind == kind && key.folded.starts_with(&*folded))
    }

    /// The VMs that have a place on a host.
    pub fn vms_on(&self, host: HostId) -> impl Iterator<Item = &Arc<Vm>> {
        self.placed.on(host).filter_map(|vm| self.vms.get(&vm))
    }

    /// Gives a VM a place on a host.
    pub(crate) fn place(&mut self, host: HostId, vm: VmId) {
        if let Some(vm) = self.vms.get(&vm) {
            self.placed.take(host, vm);
        }
    }

    /// The VMs of a cluster.
    pub fn vms_in(&self, cluster: ClusterId) -> impl Iterator<Item = &Arc<Vm>> {
        self.cluster_vms.range((cluster, VmId(Uuid::nil()))..=(cluster, VmId(Uuid::max()))).filter_map(|(_, vm)| self.vms.get(vm))
    }

    /// The disks on a storage domain.
    pub fn disks_on(&self, domain: StorageDomainId) -> impl Iterator<Item = &Arc<Disk>> {
        self.domain_disks
            .range((domain, DiskId(Uuid::nil()))..=(domain, DiskId(Uuid::max())))
            .filter_map(|(_, disk)| self.disks.get(disk))
    }

    /// The data center of a cluster.
    pub fn data_center_of(&self, cluster: ClusterId) -> Option<&Arc<DataCenter>> {
        self.clusters.get(&cluster).and_then(|c| c.config.data_center).and_then(|id| self.data_centers.get(&id))
    }

    /// The network of a data center by its name.
    pub fn network_named(&self, data_center: DataCenterId, name: &str) -> Option<&Arc<Network>> {
        let named = self.named(NameKind::Network, name).filter_map(|key| self.networks.get(&NetworkId(key.id)));
        named.into_iter().find(|network| network.data_center == data_center && network.config.name == name)
    }

    /// The clusters of a data center.
    pub fn clusters_of(&self, data_center: DataCenterId) -> impl Iterator<Item = &Arc<Cluster>> {
        self.clusters.by(ClusterTerm::DataCenter(data_center))
    }

    /// The hosts of a data center.
    pub fn hosts_in(&self, data_center: DataCenterId) -> impl Iterator<Item = &Arc<Host>> {
        self.clusters_of(data_center).flat_map(|cluster| self.hosts.by(HostTerm::Cluster(cluster.id)))
    }
}
