//! Permissions: a role that a user or a group holds on an object.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;
use crate::check::Act;
use crate::command::Decide;
use crate::context::{Actor, Context};
use crate::event::{Event, Stream, StreamKind};
use crate::fold;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::tables::tables;
use crate::world::World;

/// Who holds a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A user.
    User(UserId),
    /// All users of a group.
    Group(GroupId),
}

macro_rules! entity_ref {
    (
        entities { $($(#[$entity_attr:meta])* $entity:ident $entity_name:literal $entity_one:ident $entity_many:ident: $EntityId:ident => $Entity:ty, $entity_called:literal;)* }
        records { $($(#[$record_attr:meta])* $record:ident $record_name:literal $record_one:ident $record_many:ident: $RecordId:ident => $Record:ty, $record_called:literal;)* }
        parts { $($(#[$part_attr:meta])* $part_one:ident $part_many:ident: $PartId:ident => $Part:ty, $part_called:literal;)* }
    ) => {
        /// Something that permissions may stand on, and jobs and entries of the audit log be about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)]
        pub enum EntityRef { System, $($entity($EntityId),)* }

        impl EntityRef {
            /// The object that a stream of events is about, where permissions may stand on it.
            pub fn of(stream: &Stream) -> Option<Self> {
                Some(match stream.kind {
                    $(StreamKind::$entity => Self::$entity(stream.id.into()),)*
                    StreamKind::System $(| StreamKind::$record)* => return None,
                })
            }

            /// Whether it exists.
            pub fn exists(self, world: &World) -> bool {
                match self {
                    Self::System => true,
                    $(Self::$entity(id) => world.$entity_many.contains(&id),)*
                }
            }

            /// The stream of what happens to it.
            pub fn stream(self) -> Stream {
                match self {
                    Self::System => Stream::new(StreamKind::System, Uuid::nil()),
                    $(Self::$entity(id) => Stream::new(StreamKind::$entity, id.0),)*
                }
            }
        }
    };
}

tables!(entity_ref);

/// A role granted on an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Permission {
    /// Identifier.
    pub id: PermissionId,
    /// Version of the resource.
    pub version: u64,
    /// Whose it is.
    pub holder: Holder,
    /// The role.
    pub role: RoleId,
    /// On what.
    pub object: EntityRef,
}

const NONE: PermissionId = PermissionId(Uuid::nil());
const LAST: PermissionId = PermissionId(Uuid::max());

impl World {
    /// The permissions that somebody holds, on whatever.
    pub fn held_by(&self, holder: Holder) -> impl Iterator<Item = &Arc<Permission>> {
        let held = self.permissions_held.range((holder, EntityRef::System, NONE)..).take_while(move |(own, ..)| *own == holder);
        held.filter_map(|(.., id)| self.permissions.get(id))
    }

    /// The permissions that somebody holds on an object itself.
    pub fn held_on(&self, holder: Holder, object: EntityRef) -> impl Iterator<Item = &Arc<Permission>> {
        let held = self.permissions_held.range((holder, object, NONE)..=(holder, object, LAST));
        held.filter_map(|(.., id)| self.permissions.get(id))
    }

    /// The permissions that stand on an object itself.
    pub fn granted_on(&self, object: EntityRef) -> impl Iterator<Item = &Arc<Permission>> {
        self.permissions_on.range((object, NONE)..=(object, LAST)).filter_map(|(_, id)| self.permissions.get(id))
    }

    fn forget_permission(&mut self, id: PermissionId) {
        if let Some(permission) = self.permissions.remove(&id) {
            self.permissions_held.remove(&(permission.holder, permission.object, id));
            self.permissions_on.remove(&(permission.object, id));
        }
        self.close_stream(StreamKind::Permission, id.0);
    }

    pub(crate) fn forget_permissions_on(&mut self, object: EntityRef) {
        let on_it: Vec<PermissionId> = self.granted_on(object).map(|permission| permission.id).collect();
        on_it.into_iter().for_each(|id| self.forget_permission(id));
    }
}

/// A role was granted on an object. It ends with the object, or by being revoked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PermissionGranted {
    /// The permission as granted.
    pub permission: Permission,
}

fold!(PermissionGranted, new Permission permission.id, |e, world, at| {
    let permission = Permission { version: at.version, ..e.permission.clone() };
    world.permissions_held.insert((permission.holder, permission.object, permission.id));
    world.permissions_on.insert((permission.object, permission.id));
    world.permissions.insert(permission.id, permission);
});

/// A permission was taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PermissionRevoked {
    /// Which.
    pub permission: PermissionId,
}

fold!(PermissionRevoked, Permission permission, |e, world, at| { world.forget_permission(e.permission); });

/// Grants a role to somebody on an object. Where it is granted already, there is nothing to do.
#[derive(Clone, Debug)]
pub struct GrantPermission {
    /// To whom.
    pub holder: Holder,
    /// Which role.
    pub role: RoleId,
    /// On what.
    pub object: EntityRef,
}

const ADD_PERMISSION: Act = Act("add", "Permission");

/// Refuses that anybody but a SuperUser gives an administrative role away.
pub(super) fn check_giver(act: Act, world: &World, cx: &Context) -> Result<(), Rejection> {
    match cx.actor {
        Actor::User(user) if !is_super_user(world, user) => Err(act.no(Key::PermissionAdminOnly)),
        _ => Ok(()),
    }
}

/// Refuses to give a role to somebody that is not there, or is not the caller's to give.
pub(super) fn check_given(world: &World, cx: &Context, role: RoleId) -> Result<(), Rejection> {
    match world.role(role)?.administrative {
        true => check_giver(ADD_PERMISSION, world, cx),
        false => Ok(()),
    }
}

impl Decide for GrantPermission {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        check_given(world, cx, self.role)?;
        match self.holder {
            Holder::User(id) => world.user(id).map(|_| ())?,
            Holder::Group(id) => world.group(id).map(|_| ())?,
        }
        if !self.object.exists(world) {
            return Err(ADD_PERMISSION.no(Key::PermissionObject));
        }
        if world.held_on(self.holder, self.object).any(|permission| permission.role == self.role) {
            return Ok(Vec::new());
        }
        let permission = Permission { id: cx.fresh(0), version: 0, holder: self.holder, role: self.role, object: self.object };
        Ok(vec![PermissionGranted { permission }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ManipulatePermissions, self.object))
    }

    fn least() -> Option<Permit> {
        Some(Permit::ManipulatePermissions)
    }
}

/// Takes a permission away.
#[derive(Clone, Debug)]
pub struct RevokePermission {
    /// Which.
    pub permission: PermissionId,
}

impl Decide for RevokePermission {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Permission");
        let permission = world.permission(self.permission)?;
        if permission.holder == Holder::User(ADMIN) && permission.role == SUPER_USER && permission.object == EntityRef::System {
            return Err(act.no(Key::UserIsAdmin));
        }
        if let Actor::User(user) = cx.actor
            && world.role(permission.role)?.administrative
            && !is_super_user(world, user)
        {
            return Err(act.no(Key::PermissionRemoveAdminOnly));
        }
        Ok(vec![PermissionRevoked { permission: self.permission }.into()])
    }

    fn permit(&self, world: &World) -> Option<(Permit, EntityRef)> {
        let object = world.permissions.get(&self.permission).map_or(EntityRef::System, |p| p.object);
        Some((Permit::ManipulatePermissions, object))
    }

    fn least() -> Option<Permit> {
        Some(Permit::ManipulatePermissions)
    }
}

/// The events that take away every permission on an object that is being removed.
pub fn revocations(world: &World, object: EntityRef) -> Vec<Event> {
    world.granted_on(object).map(|p| PermissionRevoked { permission: p.id }.into()).collect()
}

/// The events that take away all that somebody holds.
pub(super) fn revocations_of(world: &World, holder: Holder) -> impl Iterator<Item = Event> {
    world.held_by(holder).map(|p| PermissionRevoked { permission: p.id }.into())
}

/// What the owner of a new object gets: UserVmManager, DiskOperator or TemplateOwner.
fn ownership(event: &Event) -> Option<(EntityRef, RoleId)> {
    let role = |low: u128, number: u128| RoleId(Uuid::from_u128((low << 96) | number));
    match event {
        Event::VmCreated(e) => Some((EntityRef::Vm(e.vm), role(0xdef0_0006, 0xdef0_0000_0006))),
        Event::DiskAdded(e) => Some((EntityRef::Disk(e.disk), role(0xdef0_000a, 0xdef0_0000_000b))),
        Event::TemplateCreated(e) => Some((EntityRef::Template(e.template), role(0xdef0_000a, 0xdef0_0000_000f))),
        _ => None,
    }
}

/// Makes a user of the user-level API the owner of what a command of theirs creates.
pub(crate) fn own(cx: &Context, user: UserId, events: &mut Vec<Event>) {
    let owned: Vec<_> = events.iter().filter_map(ownership).collect();
    // Counted from the far end, so that they are not what the command itself derives.
    events.extend((0..).zip(owned).map(|(n, (object, role))| {
        let permission = Permission { id: cx.fresh(u64::MAX - n), version: 0, holder: Holder::User(user), role, object };
        PermissionGranted { permission }.into()
    }));
}
