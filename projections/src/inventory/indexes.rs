//! What finds the rows of each kind without looking at all of them: one line for each field that an index of the World answers.

use evirt_domain::World;
use evirt_domain::access::{EntityRef, Group, Holder, User, holders};
use evirt_domain::cluster::Cluster;
use evirt_domain::data_center::DataCenter;
use evirt_domain::disk::{Disk, DiskStatus};
use evirt_domain::host::{Host, HostStatus};
use evirt_domain::ids::*;
use evirt_domain::index::*;
use evirt_domain::network::Network;
use evirt_domain::storage::{StorageDomain, StorageStatus};
use evirt_domain::template::{Template, TemplateStatus};
use evirt_domain::vm::Vm;
use evirt_domain::vm_run::VmState;
use evirt_domain::world::NameKind;
use uuid::Uuid;

use super::Resource;
use super::seek::{Find, Follow, Found, Index};
use crate::search::Entity;

/// What an index of the World has VMs under.
#[derive(Clone, Copy, Debug)]
pub enum VmBy {
    /// What their table knows.
    Term(VmTerm),
    /// The host that they have a place on.
    Host(HostId),
    /// Their cluster.
    Cluster(ClusterId),
}

/// What an index of the World has disks under.
#[derive(Clone, Copy, Debug)]
pub enum DiskBy {
    /// What their table knows.
    Term(DiskTerm),
    /// Where they are.
    StorageDomain(StorageDomainId),
}

/// What an index of the World has data centers under.
#[derive(Clone, Copy, Debug)]
pub enum DataCenterBy {
    /// What their table knows.
    Term(DataCenterTerm),
    /// How their master domain stands.
    Master(StorageStatus),
}

const fn own<T: Resource>(field: &'static str, find: Find<T>) -> Index<T> {
    Index { of: None, field: Some(field), find }
}

/// A field of a part, such as a network as a cluster uses it, which has no indices of its own.
const fn part<T: Resource>(of: Entity, field: &'static str, find: Find<T>) -> Index<T> {
    Index { of: Some(of), field: Some(field), find }
}

const fn related<T: Resource>(of: Entity, follow: Follow<T>) -> Index<T> {
    Index { of: Some(of), field: None, find: Find::Related(follow) }
}

/// The data centers that a storage domain is attached to.
fn data_centers_with(world: &World, domain: Uuid) -> impl Iterator<Item = DataCenterId> {
    let domain = world.storage_domains.get(&domain.into());
    domain.into_iter().flat_map(|domain| &domain.attachments).map(|attachment| attachment.data_center)
}

/// The clusters of the data centers that a storage domain is attached to.
fn clusters_with(world: &World, domain: Uuid) -> impl Iterator<Item = ClusterId> {
    data_centers_with(world, domain).flat_map(|id| world.clusters_of(id)).map(|cluster| cluster.id)
}

/// The VMs on which a user holds a permission, alone or through a group.
fn vms_of_user(world: &World, user: Uuid) -> impl Iterator<Item = VmId> {
    let held = holders(world, UserId(user)).flat_map(|holder| world.held_by(holder));
    held.filter_map(|permission| match permission.object {
        EntityRef::Vm(id) => Some(id),
        _ => None,
    })
}

fn host_of(world: &World, vm: VmId) -> Option<HostId> {
    world.vms.get(&vm)?.host()
}

fn template_of(world: &World, vm: VmId) -> Option<TemplateId> {
    Some(world.vms.get(&vm)?.config.template)
}

/// The users who hold a permission, alone or through a group.
fn users_with(world: &World, holder: Holder, found: &mut Found<User>) {
    match holder {
        Holder::User(user) => drop(found.ids.insert(user)),
        Holder::Group(group) => found.ids.extend(world.members(group).map(|user| user.id)),
    }
}

pub const VMS: &[Index<Vm>] = &[
    own("id", Find::Id),
    own("name", Find::Name(NameKind::Vm)),
    own(
        "status",
        Find::Word(|asked| {
            VmState::ALL.iter().filter(|state| asked(state.name())).map(|state| VmBy::Term(VmTerm::State(*state))).collect()
        }),
    ),
    own("cluster", Find::Of(NameKind::Cluster, |_, id, found| found.terms.push(VmBy::Cluster(id.into())))),
    own(
        "datacenter",
        Find::Of(NameKind::DataCenter, |world, id, found| {
            found.terms.extend(world.clusters_of(id.into()).map(|cluster| VmBy::Cluster(cluster.id)));
        }),
    ),
    own("tag", Find::Of(NameKind::Tag, |_, id, found| found.terms.push(VmBy::Term(VmTerm::Tag(id.into()))))),
    related(Entity::Host, |_, id, found| found.terms.push(VmBy::Host(id.into()))),
    related(Entity::Template, |_, id, found| found.terms.push(VmBy::Term(VmTerm::Template(id.into())))),
    related(Entity::User, |world, id, found| found.ids.extend(vms_of_user(world, id))),
    related(Entity::StorageDomain, |world, id, found| {
        found.ids.extend(world.disks_on(id.into()).flat_map(|disk| disk.vms.iter().copied()));
    }),
    part(
        Entity::Nic,
        "network_name",
        Find::Of(NameKind::Network, |world, id, found| {
            let profiles = world.vnic_profiles.ids_by(VnicProfileTerm::Network(id.into()));
            found.terms.extend(profiles.map(|profile| VmBy::Term(VmTerm::Profile(profile))));
        }),
    ),
];

pub const HOSTS: &[Index<Host>] = &[
    own("id", Find::Id),
    own("name", Find::Name(NameKind::Host)),
    own("address", Find::Name(NameKind::HostAddress)),
    own(
        "status",
        Find::Word(|asked| {
            HostStatus::ALL.iter().filter(|status| asked(status.name())).map(|status| HostTerm::Status(*status)).collect()
        }),
    ),
    own("cluster", Find::Of(NameKind::Cluster, |_, id, found| found.terms.push(HostTerm::Cluster(id.into())))),
    own(
        "datacenter",
        Find::Of(NameKind::DataCenter, |world, id, found| {
            found.terms.extend(world.clusters_of(id.into()).map(|cluster| HostTerm::Cluster(cluster.id)));
        }),
    ),
    own("tag", Find::Of(NameKind::Tag, |_, id, found| found.terms.push(HostTerm::Tag(id.into())))),
    related(Entity::Vm, |world, id, found| found.ids.extend(host_of(world, id.into()))),
    related(Entity::Template, |world, id, found| {
        let vms = world.vms.by(VmTerm::Template(id.into()));
        found.ids.extend(vms.filter_map(|vm| vm.host()));
    }),
    related(Entity::User, |world, id, found| {
        found.ids.extend(vms_of_user(world, id).filter_map(|vm| host_of(world, vm)));
    }),
    related(Entity::StorageDomain, |world, id, found| {
        found.terms.extend(clusters_with(world, id).map(HostTerm::Cluster));
    }),
    part(
        Entity::HostNic,
        "network_name",
        Find::Of(NameKind::Network, |_, id, found| {
            found.terms.push(HostTerm::Network(id.into()));
        }),
    ),
];

pub const CLUSTERS: &[Index<Cluster>] = &[
    own("name", Find::Name(NameKind::Cluster)),
    related(Entity::DataCenter, |_, id, found| found.terms.push(ClusterTerm::DataCenter(id.into()))),
    related(Entity::StorageDomain, |world, id, found| found.ids.extend(clusters_with(world, id))),
    part(Entity::ClusterNetwork, "cluster_name", Find::Name(NameKind::Cluster)),
    part(
        Entity::ClusterNetwork,
        "network_name",
        Find::Of(NameKind::Network, |_, id, found| {
            found.terms.push(ClusterTerm::Network(id.into()));
        }),
    ),
];

/// Where the data centers in a state are among; a master that is on its way out is locked, however it is attached.
const DATA_CENTERS_IN: &[(&str, &[DataCenterBy])] = {
    use DataCenterBy::{Master, Term};
    use StorageStatus::{Active, Inactive, Locked, Maintenance, Unknown};
    &[
        ("uninitialized", &[Term(DataCenterTerm::Mastered(false)), Master(Locked)]),
        ("up", &[Master(Active), Master(Locked)]),
        ("maintenance", &[Master(Maintenance), Master(Locked)]),
        ("not_operational", &[Term(DataCenterTerm::Managed(false))]),
        ("problematic", &[Master(Inactive), Master(Unknown), Master(Locked)]),
    ]
};

pub const DATA_CENTERS: &[Index<DataCenter>] = &[
    own("name", Find::Name(NameKind::DataCenter)),
    own(
        "status",
        Find::Word(|asked| DATA_CENTERS_IN.iter().filter(|(word, _)| asked(word)).flat_map(|(_, by)| *by).copied().collect()),
    ),
    related(Entity::Cluster, |world, id, found| {
        found.ids.extend(world.clusters.get(&id.into()).and_then(|cluster| cluster.config.data_center));
    }),
    related(Entity::StorageDomain, |world, id, found| {
        found.ids.extend(data_centers_with(world, id));
    }),
    related(Entity::Network, |world, id, found| {
        found.ids.extend(world.networks.get(&id.into()).map(|network| network.data_center));
    }),
];

pub const STORAGE_DOMAINS: &[Index<StorageDomain>] = &[
    own("name", Find::Name(NameKind::StorageDomain)),
    own(
        "status",
        Find::Word(|asked| {
            let words = StorageStatus::ALL.iter().filter(|status| asked(status.name()));
            words.map(|status| StorageDomainTerm::Status(*status)).collect()
        }),
    ),
    own(
        "datacenter",
        Find::Of(NameKind::DataCenter, |_, id, found| {
            found.terms.push(StorageDomainTerm::DataCenter(id.into()));
        }),
    ),
    related(Entity::Host, |world, id, found| {
        let cluster = world.hosts.get(&id.into()).map(|host| host.config.cluster);
        let data_center = cluster.and_then(|cluster| world.data_center_of(cluster));
        found.terms.extend(data_center.map(|data_center| StorageDomainTerm::DataCenter(data_center.id)));
    }),
    related(Entity::Cluster, |world, id, found| {
        let data_center = world.data_center_of(id.into());
        found.terms.extend(data_center.map(|data_center| StorageDomainTerm::DataCenter(data_center.id)));
    }),
];

pub const DISKS: &[Index<Disk>] = &[
    own("id", Find::Id),
    own("alias", Find::Name(NameKind::Disk)),
    own("name", Find::Name(NameKind::Disk)),
    own(
        "status",
        Find::Word(|asked| {
            let words = DiskStatus::ALL.iter().filter(|status| asked(status.name()));
            words.map(|status| DiskBy::Term(DiskTerm::Status(*status))).collect()
        }),
    ),
    own(
        "vm_names",
        Find::Of(NameKind::Vm, |world, id, found| {
            let disks = world.vms.get(&id.into()).into_iter().flat_map(|vm| &vm.disks);
            found.ids.extend(disks.map(|attached| attached.disk));
        }),
    ),
    related(Entity::StorageDomain, |_, id, found| found.terms.push(DiskBy::StorageDomain(id.into()))),
    related(Entity::DataCenter, |world, id, found| {
        let domains = world.storage_domains.ids_by(StorageDomainTerm::DataCenter(id.into()));
        found.terms.extend(domains.map(DiskBy::StorageDomain));
    }),
];

pub const NETWORKS: &[Index<Network>] = &[
    own("name", Find::Name(NameKind::Network)),
    own("datacenter", Find::Of(NameKind::DataCenter, |_, id, found| found.terms.push(NetworkTerm::DataCenter(id.into())))),
    part(Entity::ClusterNetwork, "network_name", Find::Name(NameKind::Network)),
    part(
        Entity::ClusterNetwork,
        "cluster_name",
        Find::Of(NameKind::Cluster, |world, id, found| {
            let networks = world.clusters.get(&id.into()).into_iter().flat_map(|cluster| &cluster.networks);
            found.ids.extend(networks.map(|network| network.network));
        }),
    ),
    part(
        Entity::HostNetwork,
        "host_name",
        Find::Of(NameKind::Host, |world, id, found| {
            found.ids.extend(world.hosts.get(&id.into()).into_iter().flat_map(|host| host.networks.iter().copied()));
        }),
    ),
];

pub const TEMPLATES: &[Index<Template>] = &[
    own("_vmt_id", Find::Id),
    own("name", Find::Name(NameKind::Template)),
    own(
        "status",
        Find::Word(|asked| {
            let words = TemplateStatus::ALL.iter().filter(|status| asked(status.name()));
            words.map(|status| TemplateTerm::Status(*status)).collect()
        }),
    ),
    own("cluster", Find::Of(NameKind::Cluster, |_, id, found| found.terms.push(TemplateTerm::Cluster(id.into())))),
    own(
        "datacenter",
        Find::Of(NameKind::DataCenter, |world, id, found| {
            found.terms.extend(world.clusters_of(id.into()).map(|cluster| TemplateTerm::Cluster(cluster.id)));
        }),
    ),
    related(Entity::Vm, |world, id, found| found.ids.extend(template_of(world, id.into()))),
    related(Entity::Host, |world, id, found| {
        found.ids.extend(world.vms_on(id.into()).map(|vm| vm.config.template));
    }),
    related(Entity::User, |world, id, found| {
        found.ids.extend(vms_of_user(world, id).filter_map(|vm| template_of(world, vm)));
    }),
];

pub const USERS: &[Index<User>] = &[
    own("name", Find::Name(NameKind::UserCalled)),
    own("login", Find::NameUpTo(NameKind::User, '@')),
    own("usrname", Find::Name(NameKind::User)),
    own("tag", Find::Of(NameKind::Tag, |_, id, found| found.terms.push(UserTerm::Tag(id.into())))),
    own("group", Find::Of(NameKind::Group, |_, id, found| found.terms.push(UserTerm::Group(id.into())))),
    own(
        "role",
        Find::Of(NameKind::Role, |world, id, found| {
            for permission in world.permissions.by(PermissionTerm::Role(id.into())) {
                users_with(world, permission.holder, found);
            }
        }),
    ),
    related(Entity::Vm, |world, id, found| {
        for permission in world.granted_on(EntityRef::Vm(id.into())) {
            users_with(world, permission.holder, found);
        }
    }),
];

pub const GROUPS: &[Index<Group>] = &[
    own("name", Find::Name(NameKind::Group)),
    own("grpname", Find::Name(NameKind::Group)),
    own("tag", Find::Of(NameKind::Tag, |_, id, found| found.terms.push(GroupTerm::Tag(id.into())))),
    own(
        "role",
        Find::Of(NameKind::Role, |world, id, found| {
            found.ids.extend(world.permissions.by(PermissionTerm::Role(id.into())).filter_map(
                |permission| match permission.holder {
                    Holder::Group(group) => Some(group),
                    Holder::User(_) => None,
                },
            ));
        }),
    ),
    related(Entity::Vm, |world, id, found| {
        found.ids.extend(world.granted_on(EntityRef::Vm(id.into())).filter_map(|permission| match permission.holder {
            Holder::Group(group) => Some(group),
            Holder::User(_) => None,
        }));
    }),
];
