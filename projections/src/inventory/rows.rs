//! What each kind of aggregate answers to a search: its fields and what it refers to.
//!
//! What the engine does not know of (pools, external providers) is absent.

use std::borrow::Cow;
use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::access::{EVERYONE, EntityRef, Group, Holder, User, holders};
use evirt_domain::cluster::Cluster;
use evirt_domain::data_center::{DataCenter, DataCenterStatus, Version};
use evirt_domain::disk::Disk;
use evirt_domain::host::Host;
use evirt_domain::ids::*;
use evirt_domain::index::*;
use evirt_domain::network::Network;
use evirt_domain::storage::{StorageDomain, StorageKind};
use evirt_domain::template::Template;
use evirt_domain::vm::Vm;
use evirt_domain::vm_run::VmState;
use evirt_domain::world::{NameKind, Table};
use uuid::Uuid;

use super::indexes::{DataCenterBy, DiskBy, VmBy};
use super::{About, AuditRowView, Index, Resource, Row, View, indexes};
use crate::search::{Entity, Searchable, Value};
use crate::visible::Visible;

/// The only architecture that there is.
const ARCHITECTURE: &str = "x86_64";

type Visit<'v> = &'v mut dyn FnMut(&dyn Searchable) -> bool;

fn owned<'a>(text: impl Into<String>) -> Value<'a> {
    Value::Text(Cow::Owned(text.into()))
}

fn text_or_null<'a>(text: Option<&'a str>) -> Value<'a> {
    text.map_or(Value::Null, Value::text)
}

fn int_or_null<'a>(number: Option<i64>) -> Value<'a> {
    number.map_or(Value::Null, Value::Int)
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Value<'a> {
    Value::Texts(texts.map(Cow::Borrowed).collect())
}

fn mebibytes<'a>(bytes: i64) -> Value<'a> {
    Value::Int(bytes >> 20)
}

fn gibibytes<'a>(bytes: i64) -> Value<'a> {
    Value::Int(bytes >> 30)
}

fn version<'a>(version: Version) -> Value<'a> {
    owned(format!("{}.{}", version.major, version.minor))
}

fn tags<'a>(world: &'a World, tags: &'a [TagId]) -> Value<'a> {
    texts(tags.iter().filter_map(|id| world.tags.get(id)).map(|tag| tag.config.name.as_str()))
}

fn cluster_name(view: View<'_>, id: ClusterId) -> Value<'_> {
    let id = Some(id).filter(|id| view.sees(Entity::Cluster, id.0));
    text_or_null(id.and_then(|id| view.world.clusters.get(&id)).map(|cluster| cluster.config.name.as_str()))
}

fn data_center_name(view: View<'_>, id: Option<DataCenterId>) -> Value<'_> {
    let id = id.filter(|id| view.sees(Entity::DataCenter, id.0));
    text_or_null(id.and_then(|id| view.world.data_centers.get(&id)).map(|data_center| data_center.config.name.as_str()))
}

/// The name of the data center of a cluster.
fn data_center_of(view: View<'_>, cluster: ClusterId) -> Value<'_> {
    data_center_name(view, view.world.data_center_of(cluster).map(|data_center| data_center.id))
}

/// The name of a quota in a data center that is seen.
fn quota_name(view: View<'_>, id: Option<QuotaId>) -> Value<'_> {
    let quota = id.and_then(|id| view.world.quotas.get(&id));
    text_or_null(quota.filter(|quota| view.sees(Entity::DataCenter, quota.data_center.0)).map(|quota| quota.config.name.as_str()))
}

/// The name of the network that an interface is on; empty where it is on none, or on one that is not seen.
fn network_name(view: View<'_>, id: Option<NetworkId>) -> &str {
    let id = id.filter(|id| view.sees(Entity::Network, id.0));
    id.and_then(|id| view.world.networks.get(&id)).map_or("", |network| network.config.name.as_str())
}

/// Shows rows until `visit` has seen enough; whether it has.
fn show<'w, T: Resource>(view: View<'_>, items: impl Iterator<Item = &'w Arc<T>>, visit: Visit<'_>) -> bool {
    items.into_iter().filter(|item| view.sees(T::ENTITY, item.id().into())).any(|item| visit(&Row::new(view, &**item)))
}

fn show_events(view: View<'_>, about: About, visit: Visit<'_>) {
    if let Some(events) = view.events {
        events.about(about, &mut |record| visit(&AuditRowView { record, view }));
    }
}

/// The users who hold a permission on a VM itself, on their own or through a group.
fn users_of(world: &World, vm: VmId) -> impl Iterator<Item = &Arc<User>> {
    world.granted_on(EntityRef::Vm(vm)).flat_map(move |permission| {
        let (user, group) = match permission.holder {
            Holder::User(id) => (world.users.get(&id), None),
            Holder::Group(id) => (None, Some(id)),
        };
        user.into_iter().chain(group.into_iter().flat_map(|group| world.members(group)))
    })
}

/// The VMs on which any of these holds a permission.
fn vms_of(world: &World, holders: impl Iterator<Item = Holder>) -> impl Iterator<Item = &Arc<Vm>> {
    holders.flat_map(|holder| world.held_by(holder)).filter_map(|permission| match permission.object {
        EntityRef::Vm(id) => world.vms.get(&id),
        _ => None,
    })
}

/// Shows what a user or group refers to by way of the VMs on which permissions are held.
fn show_by_vms<'w>(view: View<'w>, vms: impl Iterator<Item = &'w Arc<Vm>>, reference: Entity, visit: Visit<'_>) {
    let world = view.world;
    match reference {
        Entity::Vm => show(view, vms, visit),
        Entity::Host => show(view, vms.filter_map(|vm| world.hosts.get(&vm.host()?)), visit),
        Entity::Template => show(view, vms.filter_map(|vm| world.templates.get(&vm.config.template)), visit),
        _ => false,
    };
}

/// The VMs that run on a host; one that migrates to it does not yet.
fn vms_on(world: &World, host: HostId) -> impl Iterator<Item = &Arc<Vm>> {
    world.vms_on(host).filter(move |vm| vm.host() == Some(host))
}

fn domains_in(world: &World, data_center: Option<DataCenterId>) -> impl Iterator<Item = &Arc<StorageDomain>> {
    data_center.into_iter().flat_map(|id| world.storage_domains.by(StorageDomainTerm::DataCenter(id)))
}

/// The storage domains of a VM's disks.
fn domains_of<'w>(world: &'w World, vm: &'w Vm) -> impl Iterator<Item = &'w Arc<StorageDomain>> {
    let disks = vm.disks.iter().filter_map(|attached| world.disks.get(&attached.disk));
    disks.filter_map(|disk| world.storage_domains.get(&disk.storage_domain))
}

/// A row that is nothing but its fields: an interface, or a network as a cluster or a host has it.
struct Fields<'a, const N: usize>([(&'static str, &'a str); N]);

impl<const N: usize> Searchable for Fields<'_, N> {
    fn field(&self, name: &'static str) -> Value<'_> {
        text_or_null(self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| *value))
    }

    fn related(&self, _: Entity, _: Visit<'_>) {}
}

/// What all kinds have in the same way: their table and their identifier.
macro_rules! table {
    ($id:ident, $table:ident, $entity:ident, $names:expr, $indexes:expr) => {
        type Id = $id;
        const ENTITY: Entity = Entity::$entity;
        const NAMES: Option<(NameKind, &'static str)> = $names;
        const INDEXES: &'static [Index<Self>] = $indexes;

        fn table(world: &World) -> &Table<$id, Self> {
            &world.$table
        }

        fn id(&self) -> $id {
            self.id
        }
    };
}

/// What kinds have that no index knows but the one of their table.
macro_rules! found_by_table {
    ($id:ident, $table:ident, $term:ty) => {
        type By = $term;

        fn found_by(world: &World, term: $term) -> Box<dyn Iterator<Item = $id> + '_> {
            Box::new(world.$table.ids_by(term))
        }

        fn is_found_by(world: &World, term: $term, id: $id) -> bool {
            world.$table.has(term, &id)
        }
    };
}

/// What permissions may stand on, of a kind and identifier.
pub(super) fn object(entity: Entity, id: Uuid) -> Option<EntityRef> {
    Some(match entity {
        Entity::Vm => EntityRef::Vm(id.into()),
        Entity::Host => EntityRef::Host(id.into()),
        Entity::Cluster => EntityRef::Cluster(id.into()),
        Entity::DataCenter => EntityRef::DataCenter(id.into()),
        Entity::StorageDomain => EntityRef::StorageDomain(id.into()),
        Entity::Disk => EntityRef::Disk(id.into()),
        Entity::Network => EntityRef::Network(id.into()),
        Entity::Template => EntityRef::Template(id.into()),
        _ => return None,
    })
}

impl Resource for Vm {
    table!(VmId, vms, Vm, Some((NameKind::Vm, "name")), indexes::VMS);
    type By = VmBy;

    fn found_by(world: &World, term: VmBy) -> Box<dyn Iterator<Item = VmId> + '_> {
        match term {
            VmBy::Term(term) => Box::new(world.vms.ids_by(term)),
            VmBy::Host(host) => Box::new(world.vms_on(host).map(|vm| vm.id)),
            VmBy::Cluster(cluster) => Box::new(world.vms_in(cluster).map(|vm| vm.id)),
        }
    }

    fn is_found_by(world: &World, term: VmBy, id: VmId) -> bool {
        match term {
            VmBy::Term(term) => world.vms.has(term, &id),
            VmBy::Host(host) => world.placed.has(host, id),
            VmBy::Cluster(cluster) => world.cluster_vms.contains(&(cluster, id)),
        }
    }

    fn field<'a>(&'a self, view: View<'a>, name: &'static str) -> Value<'a> {
        let world = view.world;
        let live = || view.live.and_then(|live| live.vm(self.id)).unwrap_or_default();
        let run = self.run.as_deref();
        match name {
            "address" | "ip" => run.map_or(Value::Null, |run| texts(run.ips.iter().map(String::as_str))),
            "apps" => Value::Texts(live().apps.into_iter().map(Cow::Owned).collect()),
            "architecture" => Value::text(ARCHITECTURE),
            "cluster" => cluster_name(view, self.config.cluster),
            "comment" => Value::text(&self.config.comment),
            "compatibility_level" => {
                let cluster = Some(self.config.cluster).filter(|id| view.sees(Entity::Cluster, id.0));
                cluster.and_then(|id| world.clusters.get(&id)).map_or(Value::Null, |cluster| version(cluster.config.version))
            }
            "cpu_usage" => int_or_null(live().cpu_percent),
            "creationdate" => Value::Micros(self.created_at),
            "datacenter" => data_center_of(view, self.config.cluster),
            "description" => Value::text(&self.config.description),
            "domain" => Value::text(&self.config.domain),
            "fqdn" => text_or_null(run.map(|run| run.fqdn.as_str())),
            "id" => Value::Uuid(self.id.0),
            "loggedinuser" => owned(live().logged_in_user),
            "memory" => mebibytes(self.config.memory),
            "mem_usage" => int_or_null(live().memory_percent),
            "migration_progress_percent" => int_or_null(live().migration_percent),
            "name" => Value::text(&self.config.name),
            "network_usage" => int_or_null(live().network_percent),
            "os" => Value::text(&self.config.os),
            "quota" => quota_name(view, self.config.quota),
            "status" => Value::text(self.state.name()),
            "tag" => tags(world, &self.tags),
            "type" => Value::text(self.config.kind.name()),
            "uptime" => match (run, self.started_at) {
                (Some(_), Some(started)) => Value::Seconds((view.now - started).max(0) / 1_000_000),
                _ => Value::Null,
            },
            _ => Value::Null,
        }
    }

    fn related(&self, view: View<'_>, reference: Entity, visit: Visit<'_>) {
        let world = view.world;
        match reference {
            Entity::Host => {
                show(view, self.host().and_then(|id| world.hosts.get(&id)).into_iter(), visit);
            }
            Entity::Template => {
                show(view, world.templates.get(&self.config.template).into_iter(), visit);
            }
            Entity::Event => show_events(view, About::Vm(self.id), visit),
            Entity::User => {
                show(view, users_of(world, self.id), visit);
            }
            Entity::StorageDomain => {
                show(view, domains_of(world, self), visit);
            }
            Entity::Nic => {
                self.nics.iter().any(|nic| {
                    let profile = nic.profile.and_then(|id| world.vnic_profiles.get(&id));
                    let network = network_name(view, profile.map(|profile| profile.network));
                    visit(&Fields([("mac", nic.mac.as_str()), ("network_name", network)]))
                });
            }
            _ => {}
        }
    }

    fn seen(world: &World, visible: &Visible) -> Option<Vec<VmId>> {
        visible.vms(world)
    }
}

impl Resource for Host {
    table!(HostId, hosts, Host, Some((NameKind::Host, "name")), indexes::HOSTS);
    found_by_table!(HostId, hosts, HostTerm);

    fn field<'a>(&'a self, view: View<'a>, name: &'static str) -> Value<'a> {
        let world = view.world;
        let live = || view.live.and_then(|live| live.host(self.id)).unwrap_or_default();
        let count = |wanted: fn(VmState) -> bool| {
            vms_on(world, self.id).filter(|vm| view.sees(Entity::Vm, vm.id.0) && wanted(vm.state)).count() as i64
        };
        match name {
            "active_vms" => Value::Int(count(|_| true)),
            "address" => Value::text(&self.config.address),
            "architecture" => Value::text(ARCHITECTURE),
            "cluster" => cluster_name(view, self.config.cluster),
            "comment" => Value::text(&self.config.comment),
            "committed_mem" => mebibytes(vms_on(world, self.id).map(|vm| vm.config.memory_guaranteed).sum()),
            "cpus" => {
                let threads = world.clusters.get(&self.config.cluster).is_some_and(|c| c.config.threads_as_cores);
                Value::Int(self.cpus(threads).into())
            }
            "cpu_model" => Value::text(&self.facts.cpu_name),
            "cpu_speed" => Value::Decimal(self.facts.cpu_mhz.into()),
            "cpu_usage" => int_or_null(live().cpu_percent),
            "datacenter" => data_center_of(view, self.config.cluster),
            "external_status" => Value::text("ok"),
            "id" => Value::Uuid(self.id.0),
            "load" => live().load.map_or(Value::Null, Value::Decimal),
            "memory" => mebibytes(self.facts.memory),
            "mem_usage" => int_or_null(live().memory_percent),
            "migrating_vms" => Value::Int(count(|state| state == VmState::Migrating)),
            "name" => Value::text(&self.config.name),
            "network_usage" => int_or_null(live().network_percent),
            "status" => Value::text(self.status.name()),
            "tag" => tags(world, &self.tags),
            "type" => Value::text(self.kind.name()),
            "update_available" => Value::Bool(false),
            "version" => version(self.facts.newest()),
            _ => Value::Null,
        }
    }

    fn related(&self, view: View<'_>, reference: Entity, visit: Visit<'_>) {
        let world = view.world;
        match reference {
            Entity::Vm => {
                show(view, vms_on(world, self.id), visit);
            }
            Entity::Template => {
                let templates = vms_on(world, self.id).filter_map(|vm| world.templates.get(&vm.config.template));
                show(view, templates, visit);
            }
            Entity::Event => show_events(view, About::Host(self.id), visit),
            Entity::User => {
                show(view, vms_on(world, self.id).flat_map(|vm| users_of(world, vm.id)), visit);
            }
            Entity::StorageDomain => {
                show(view, domains_in(world, world.data_center_of(self.config.cluster).map(|dc| dc.id)), visit);
            }
            Entity::HostNic => {
                self.nics.iter().any(|nic| {
                    let network = network_name(view, nic.network);
                    visit(&Fields([("mac", nic.mac.as_str()), ("network_name", network)]))
                });
            }
            _ => {}
        }
    }
}

impl Resource for Cluster {
    table!(ClusterId, clusters, Cluster, Some((NameKind::Cluster, "name")), indexes::CLUSTERS);
    found_by_table!(ClusterId, clusters, ClusterTerm);

    fn field<'a>(&'a self, _: View<'a>, name: &'static str) -> Value<'a> {
        match name {
            "architecture" if self.config.cpu.is_empty() => Value::text("undefined"),
            "architecture" => Value::text(ARCHITECTURE),
            "comment" => Value::text(&self.config.comment),
            "description" => Value::text(&self.config.description),
            "initialized" => Value::Bool(!self.config.cpu.is_empty()),
            "name" => Value::text(&self.config.name),
            _ => Value::Null,
        }
    }

    fn related(&self, view: View<'_>, reference: Entity, visit: Visit<'_>) {
        let world = view.world;
        match reference {
            Entity::DataCenter => {
                show(view, world.data_center_of(self.id).into_iter(), visit);
            }
            Entity::StorageDomain => {
                show(view, domains_in(world, self.config.data_center), visit);
            }
            Entity::ClusterNetwork => {
                self.networks
                    .iter()
                    .filter(|network| view.sees(Entity::Network, network.network.0))
                    .filter_map(|network| world.networks.get(&network.network))
                    .any(|network| visit(&Fields([("cluster_name", &self.config.name), ("network_name", &network.config.name)])));
            }
            _ => {}
        }
    }
}

impl Resource for DataCenter {
    table!(DataCenterId, data_centers, DataCenter, Some((NameKind::DataCenter, "name")), indexes::DATA_CENTERS);

    type By = DataCenterBy;

    fn found_by(world: &World, by: DataCenterBy) -> Box<dyn Iterator<Item = DataCenterId> + '_> {
        match by {
            DataCenterBy::Term(term) => Box::new(world.data_centers.ids_by(term)),
            DataCenterBy::Master(status) => {
                let domains = world.storage_domains.by(StorageDomainTerm::Status(status));
                Box::new(domains.flat_map(move |domain| {
                    let mastered =
                        move |id: &DataCenterId| world.data_centers.get(id).is_some_and(|dc| dc.master == Some(domain.id));
                    domain.attachments.iter().map(|attachment| attachment.data_center).filter(mastered)
                }))
            }
        }
    }

    fn is_found_by(world: &World, by: DataCenterBy, id: DataCenterId) -> bool {
        match by {
            DataCenterBy::Term(term) => world.data_centers.has(term, &id),
            DataCenterBy::Master(status) => {
                let master = world.data_centers.get(&id).and_then(|data_center| data_center.master);
                master.is_some_and(|master| world.storage_domains.has(StorageDomainTerm::Status(status), &master))
            }
        }
    }

    fn field<'a>(&'a self, view: View<'a>, name: &'static str) -> Value<'a> {
        match name {
            "comment" => Value::text(&self.config.comment),
            "compatibility_version" => version(self.config.version),
            "description" => Value::text(&self.config.description),
            "local" => Value::Bool(self.config.storage_type == StorageKind::Localfs),
            "name" => Value::text(&self.config.name),
            "status" => Value::text(match self.status(view.world) {
                DataCenterStatus::Uninitialized => "uninitialized",
                DataCenterStatus::Up => "up",
                DataCenterStatus::Maintenance => "maintenance",
                DataCenterStatus::NotOperational => "not_operational",
                DataCenterStatus::Problematic => "problematic",
            }),
            "type" => Value::text(self.config.storage_type.name()),
            _ => Value::Null,
        }
    }

    fn related(&self, view: View<'_>, reference: Entity, visit: Visit<'_>) {
        let world = view.world;
        match reference {
            Entity::Cluster => {
                show(view, world.clusters_of(self.id), visit);
            }
            Entity::StorageDomain => {
                show(view, domains_in(world, Some(self.id)), visit);
            }
            Entity::Network => {
                show(view, world.networks.by(NetworkTerm::DataCenter(self.id)), visit);
            }
            _ => {}
        }
    }
}

impl Resource for StorageDomain {
    table!(StorageDomainId, storage_domains, StorageDomain, Some((NameKind::StorageDomain, "name")), indexes::STORAGE_DOMAINS);
    found_by_table!(StorageDomainId, storage_domains, StorageDomainTerm);

    fn field<'a>(&'a self, view: View<'a>, name: &'static str) -> Value<'a> {
        match name {
            "comment" => Value::text(&self.config.comment),
            "committed" => gibibytes(self.committed(view.world)),
            "datacenter" => Value::Texts(
                self.attachments
                    .iter()
                    .filter(|a| view.sees(Entity::DataCenter, a.data_center.0))
                    .filter_map(|a| view.world.data_centers.get(&a.data_center))
                    .map(|dc| dc.config.name.as_str().into())
                    .collect(),
            ),
            "description" => Value::text(&self.config.description),
            "external_status" => Value::text("ok"),
            "name" => Value::text(&self.config.name),
            "size" => gibibytes(self.available),
            "status" => Value::Texts(self.statuses().map(|status| status.name().into()).collect()),
            "type" => Value::text(self.storage.kind.name()),
            "used" => gibibytes(self.used),
            "wipe_after_delete" => Value::Bool(false),
            _ => Value::Null,
        }
    }

    fn related(&self, view: View<'_>, reference: Entity, visit: Visit<'_>) {
        let world = view.world;
        match reference {
            Entity::Host => {
                show(view, self.attachments.iter().flat_map(|a| world.hosts_in(a.data_center)), visit);
            }
            Entity::Cluster => {
                show(view, self.attachments.iter().flat_map(|a| world.clusters_of(a.data_center)), visit);
            }
            _ => {}
        }
    }
}

impl Resource for Disk {
    table!(DiskId, disks, Disk, Some((NameKind::Disk, "alias")), indexes::DISKS);
    type By = DiskBy;

    fn found_by(world: &World, term: DiskBy) -> Box<dyn Iterator<Item = DiskId> + '_> {
        match term {
            DiskBy::Term(term) => Box::new(world.disks.ids_by(term)),
            DiskBy::StorageDomain(domain) => Box::new(world.disks_on(domain).map(|disk| disk.id)),
        }
    }

    fn is_found_by(world: &World, term: DiskBy, id: DiskId) -> bool {
        match term {
            DiskBy::Term(term) => world.disks.has(term, &id),
            DiskBy::StorageDomain(domain) => world.domain_disks.contains(&(domain, id)),
        }
    }

    fn field<'a>(&'a self, view: View<'a>, name: &'static str) -> Value<'a> {
        let vms = self.vms.iter().filter(|id| view.sees(Entity::Vm, id.0)).filter_map(|id| view.world.vms.get(id));
        match name {
            "actual_size" => Value::Int(self.actual_size),
            "alias" | "name" => Value::text(&self.config.alias),
            "bootable" => {
                let mut attachments = vms.flat_map(|vm| vm.disks.iter());
                Value::Bool(attachments.any(|attached| attached.disk == self.id && attached.bootable))
            }
            "creation_date" => Value::Micros(self.created_at),
            "description" => Value::text(&self.config.description),
            "disk_type" => Value::text("image"),
            "id" => Value::Uuid(self.id.0),
            "number_of_vms" => Value::Int(vms.count() as i64),
            "provisioned_size" | "size" => Value::Int(self.config.size),
            "quota" => quota_name(view, self.config.quota),
            "shareable" => Value::Bool(self.config.shareable),
            "status" => Value::text(self.status.name()),
            "vm_names" => texts(vms.map(|vm| vm.config.name.as_str())),
            "wipe_after_delete" => Value::Bool(self.config.wipe_after_delete),
            _ => Value::Null,
        }
    }

    fn related(&self, view: View<'_>, reference: Entity, visit: Visit<'_>) {
        let world = view.world;
        let domain = world.storage_domains.get(&self.storage_domain);
        match reference {
            Entity::StorageDomain => {
                show(view, domain.into_iter(), visit);
            }
            Entity::DataCenter => {
                let data_center = domain.and_then(|domain| world.data_centers.get(&domain.attachment()?.data_center));
                show(view, data_center.into_iter(), visit);
            }
            _ => {}
        }
    }

    fn seen(world: &World, visible: &Visible) -> Option<Vec<DiskId>> {
        visible.disks(world)
    }
}

impl Resource for Network {
    // Networks are listed by their data center first.
    table!(NetworkId, networks, Network, None, indexes::NETWORKS);
    found_by_table!(NetworkId, networks, NetworkTerm);

    fn field<'a>(&'a self, view: View<'a>, name: &'static str) -> Value<'a> {
        match name {
            "comment" => Value::text(&self.config.comment),
            "datacenter" => data_center_name(view, Some(self.data_center)),
            "description" => Value::text(&self.config.description),
            "mtu" => Value::Int(self.config.mtu.into()),
            "name" => Value::text(&self.config.name),
            "stp" => Value::Bool(self.config.stp),
            "vlanid" => int_or_null(self.config.vlan.map(i64::from)),
            "vmnetwork" => Value::Bool(self.config.vm_network),
            _ => Value::Null,
        }
    }

    fn related(&self, view: View<'_>, reference: Entity, visit: Visit<'_>) {
        let world = view.world;
        match reference {
            Entity::ClusterNetwork => {
                world
                    .clusters
                    .by(ClusterTerm::Network(self.id))
                    .filter(|cluster| view.sees(Entity::Cluster, cluster.id.0))
                    .any(|cluster| visit(&Fields([("cluster_name", &cluster.config.name), ("network_name", &self.config.name)])));
            }
            Entity::HostNetwork => {
                let hosts = world.hosts.by(HostTerm::Network(self.id)).filter(|host| view.sees(Entity::Host, host.id.0));
                hosts.into_iter().any(|host| visit(&Fields([("host_name", &host.config.name)])));
            }
            _ => {}
        }
    }
}

impl Resource for Template {
    table!(TemplateId, templates, Template, Some((NameKind::Template, "name")), indexes::TEMPLATES);
    found_by_table!(TemplateId, templates, TemplateTerm);

    fn field<'a>(&'a self, view: View<'a>, name: &'static str) -> Value<'a> {
        let world = view.world;
        match name {
            "architecture" => Value::text(ARCHITECTURE),
            "childcount" => Value::Int(made_from(world, self.id).filter(|vm| view.sees(Entity::Vm, vm.id.0)).count() as i64),
            "cluster" => cluster_name(view, self.config.cluster),
            "comment" => Value::text(&self.config.comment),
            "creationdate" => Value::Micros(self.created_at),
            "datacenter" => data_center_of(view, self.config.cluster),
            "description" => Value::text(&self.config.description),
            "domain" => Value::text(&self.config.domain),
            "mem" => mebibytes(self.config.memory),
            "name" => Value::text(&self.config.name),
            "os" => Value::text(&self.config.os),
            "status" => Value::text(self.status.name()),
            "_vmt_id" => Value::Uuid(self.id.0),
            _ => Value::Null,
        }
    }

    fn related(&self, view: View<'_>, reference: Entity, visit: Visit<'_>) {
        let world = view.world;
        let vms = made_from(world, self.id);
        match reference {
            Entity::Vm => {
                show(view, vms, visit);
            }
            Entity::Host => {
                show(view, vms.filter_map(|vm| world.hosts.get(&vm.host()?)), visit);
            }
            Entity::Event => show_events(view, About::Template(self.id), visit),
            Entity::User => {
                show(view, vms.flat_map(|vm| users_of(world, vm.id)), visit);
            }
            _ => {}
        }
    }
}

/// The VMs that were made from a template.
fn made_from(world: &World, template: TemplateId) -> impl Iterator<Item = &Arc<Vm>> {
    world.vms.by(VmTerm::Template(template))
}

/// The names of the roles that somebody holds on anything.
fn roles(world: &World, mut holders: impl Iterator<Item = Holder>) -> Value<'_> {
    let mut names: Vec<&str> = Vec::new();
    for permission in holders.by_ref().flat_map(|holder| world.held_by(holder)) {
        names.extend(world.roles.get(&permission.role).map(|role| role.name.as_str()));
    }
    texts(names.into_iter())
}

impl Resource for User {
    table!(UserId, users, User, Some((NameKind::UserCalled, "name")), indexes::USERS);
    found_by_table!(UserId, users, UserTerm);

    fn field<'a>(&'a self, view: View<'a>, name: &'static str) -> Value<'a> {
        let world = view.world;
        match name {
            "department" => Value::text(&self.department),
            "directory" => Value::text(&self.domain),
            "group" => texts(self.groups.iter().filter_map(|id| world.groups.get(id)).map(|group| group.name.as_str())),
            "lastname" => Value::text(&self.last_name),
            "name" => Value::text(self.called()),
            "login" => Value::text(&self.name),
            "role" => roles(world, holders(world, self.id).filter(|holder| *holder != Holder::Group(EVERYONE))),
            "status" => Value::text(if self.inactive { "inactive" } else { "active" }),
            "tag" => tags(world, &self.tags),
            "title" => Value::text(&self.title),
            "type" => Value::text("user"),
            "usrname" => owned(self.principal()),
            _ => Value::Null,
        }
    }

    fn related(&self, view: View<'_>, reference: Entity, visit: Visit<'_>) {
        match reference {
            Entity::Event => show_events(view, About::User(self.id), visit),
            _ => show_by_vms(view, vms_of(view.world, holders(view.world, self.id)), reference, visit),
        }
    }
}

impl Resource for Group {
    table!(GroupId, groups, Group, Some((NameKind::Group, "name")), indexes::GROUPS);
    found_by_table!(GroupId, groups, GroupTerm);

    fn field<'a>(&'a self, view: View<'a>, name: &'static str) -> Value<'a> {
        match name {
            "directory" => Value::text(&self.domain),
            "tag" => tags(view.world, &self.tags),
            "grpname" | "name" => Value::text(&self.name),
            "role" => roles(view.world, [Holder::Group(self.id)].into_iter()),
            "status" => Value::text("active"),
            "type" => Value::text("group"),
            _ => Value::Null,
        }
    }

    fn related(&self, view: View<'_>, reference: Entity, visit: Visit<'_>) {
        show_by_vms(view, vms_of(view.world, std::iter::once(Holder::Group(self.id))), reference, visit);
    }
}
