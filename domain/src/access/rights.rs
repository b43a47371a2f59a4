//! Who may do what: permissions looked up along the tree of objects, each by its index.

use super::*;
use crate::permit::Permit;
use crate::world::World;

/// What stands directly above an object.
fn above(world: &World, object: EntityRef) -> Option<EntityRef> {
    match object {
        EntityRef::Vm(id) => world.vms.get(&id).map(|v| EntityRef::Cluster(v.config.cluster)),
        EntityRef::Host(id) => world.hosts.get(&id).map(|h| EntityRef::Cluster(h.config.cluster)),
        EntityRef::Cluster(id) => world.clusters.get(&id).and_then(|c| c.config.data_center).map(EntityRef::DataCenter),
        EntityRef::Network(id) => world.networks.get(&id).map(|n| EntityRef::DataCenter(n.data_center)),
        EntityRef::VnicProfile(id) => world.vnic_profiles.get(&id).map(|p| EntityRef::Network(p.network)),
        EntityRef::StorageDomain(id) => {
            world.storage_domains.get(&id).and_then(|d| d.attachment()).map(|a| EntityRef::DataCenter(a.data_center))
        }
        EntityRef::Disk(id) => world.disks.get(&id).map(|d| EntityRef::StorageDomain(d.storage_domain)),
        EntityRef::Template(id) => {
            world.templates.get(&id).and_then(|t| world.data_center_of(t.config.cluster)).map(|dc| EntityRef::DataCenter(dc.id))
        }
        EntityRef::System | EntityRef::DataCenter(_) => None,
    }
}

/// The objects above an object, itself first, the system last: where a permission may stand that covers it.
pub fn object_path(world: &World, object: EntityRef) -> impl Iterator<Item = EntityRef> {
    // An ISO domain is below each of its data centers.
    let domain = match object {
        EntityRef::StorageDomain(id) => world.storage_domains.get(&id),
        _ => None,
    };
    let further = domain.into_iter().flat_map(|d| d.attachments.iter().skip(1)).map(|a| EntityRef::DataCenter(a.data_center));
    let path = std::iter::successors(Some(object), |below| above(world, *below));
    path.chain(further).chain((object != EntityRef::System).then_some(EntityRef::System))
}

/// As whom a user holds permissions: the user, Everyone, and the user's groups. Nobody who is not known.
pub fn holders(world: &World, user: UserId) -> impl Iterator<Item = Holder> + Clone {
    let groups = world.users.get(&user).map(|account| {
        let groups = account.groups.iter().copied().filter(|group| *group != EVERYONE);
        [Holder::User(user), Holder::Group(EVERYONE)].into_iter().chain(groups.map(Holder::Group))
    });
    groups.into_iter().flatten()
}

/// Whether a user holds a permit on an object, through any role, group or object above.
/// Costs a look-up for each object above and each of the user's groups.
pub fn allowed(world: &World, user: UserId, permit: Permit, object: EntityRef) -> bool {
    let holders = holders(world, user);
    object_path(world, object).any(|object| {
        let mut roles = holders.clone().flat_map(|holder| world.held_on(holder, object)).map(|permission| permission.role);
        roles.any(|role| world.roles.get(&role).is_some_and(|role| role.permits.contains(&permit)))
    })
}

/// Whether a user holds a permit on anything at all: what it takes for a question to be asked before a command is decided.
pub fn allowed_somewhere(world: &World, user: UserId, permit: Permit) -> bool {
    let allows = |role: RoleId| world.roles.get(&role).is_some_and(|role| role.permits.contains(&permit));
    holders(world, user).any(|holder| world.held_by(holder).any(|permission| allows(permission.role)))
}

/// Whether a user holds an administrative role on anything, also as one of a group: a user without any has only the user-level API.
pub fn is_administrator(world: &World, user: UserId) -> bool {
    let administrative = |role: RoleId| world.roles.get(&role).is_some_and(|role| role.administrative);
    holders(world, user).any(|holder| world.held_by(holder).any(|permission| administrative(permission.role)))
}

/// Whether a user holds the role SuperUser on the system: only such a user may give and take administrative roles.
pub fn is_super_user(world: &World, user: UserId) -> bool {
    holders(world, user).any(|holder| world.held_on(holder, EntityRef::System).any(|permission| permission.role == SUPER_USER))
}

/// Whether a user may log in: holds the permit login on anything. What Everyone holds does not count, as upstream has it.
pub fn may_log_in(world: &World, user: UserId) -> bool {
    lets_in(world, holders(world, user))
}

/// Whether one of these holds the permit login on anything, Everyone aside.
pub(super) fn lets_in(world: &World, mut holders: impl Iterator<Item = Holder>) -> bool {
    let login = |role: RoleId| world.roles.get(&role).is_some_and(|role| role.permits.contains(&Permit::Login));
    holders.any(|holder| holder != Holder::Group(EVERYONE) && world.held_by(holder).any(|permission| login(permission.role)))
}
