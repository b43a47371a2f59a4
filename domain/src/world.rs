//! The World: the fold of the log, every aggregate by id, in persistent maps, so that a copy costs next to nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::{EntityRef, Holder};
use crate::cluster::Cluster;
use crate::data_center::DataCenter;
use crate::disk::Disk;
use crate::event::{EventMetadata, RecordedEvent, Stream, StreamKind};
use crate::host::Host;
use crate::ids::*;
use crate::index::{ClusterTerm, HostTerm};
use crate::network::Network;
use crate::placement::Placements;
use crate::rejection::{Rejection, not_found};
use crate::table::Reindex;
use crate::tables::tables;
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

macro_rules! world {
    (
        entities { $($(#[$entity_attr:meta])* $entity:ident $entity_name:literal $entity_one:ident $entity_many:ident: $EntityId:ident => $Entity:ty, $entity_called:literal;)* }
        records { $($(#[$record_attr:meta])* $record:ident $record_name:literal $record_one:ident $record_many:ident: $RecordId:ident => $Record:ty, $record_called:literal;)* }
        parts { $($(#[$part_attr:meta])* $part_one:ident $part_many:ident: $PartId:ident => $Part:ty, $part_called:literal;)* }
    ) => {
        /// State of everything, at a position of the log.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct World {
            /// The position of the last event folded in.
            pub position: Position,
            /// The version of every live stream.
            pub streams: Versions,
            /// Names in use.
            pub names: imbl::OrdSet<NameKey>,
            $($(#[$entity_attr])* pub $entity_many: Table<$EntityId, $Entity>,)*
            $($(#[$record_attr])* pub $record_many: Table<$RecordId, $Record>,)*
            $($(#[$part_attr])* pub $part_many: Table<$PartId, $Part>,)*
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
            /// Permissions by their holders, and on what.
            pub permissions_held: imbl::OrdSet<(Holder, EntityRef, PermissionId)>,
            /// Permissions by what they are on.
            pub permissions_on: imbl::OrdSet<(EntityRef, PermissionId)>,
            /// Jobs that have not ended.
            pub open_jobs: imbl::OrdSet<JobId>,
            /// The MAC address given out last; the search for a free one goes on behind it.
            pub last_mac: u64,
        }

        impl World {
            $(expect! { $entity_one $entity_many $EntityId => $Entity, $entity_called })*
            $(expect! { $record_one $record_many $RecordId => $Record, $record_called })*
            $(expect! { $part_one $part_many $PartId => $Part, $part_called })*

            fn tables(&mut self) -> Vec<&mut dyn Reindex> {
                vec![$(&mut self.$entity_many,)* $(&mut self.$record_many,)* $(&mut self.$part_many,)*]
            }
        }
    };
}

macro_rules! expect {
    ($one:ident $many:ident $id:ty => $of:ty, $called:literal) => {
        /// The aggregate. Refused as not found where there is none of that identifier.
        pub fn $one(&self, id: $id) -> Result<&Arc<$of>, Rejection> {
            self.$many.get(&id).ok_or_else(|| not_found(format_args!(concat!($called, ": id={}"), id)))
        }
    };
}

tables!(world);

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
