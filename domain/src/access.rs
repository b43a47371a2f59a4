//! Users, groups, roles, permissions and login sessions, and who may do what.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::check::Act;
use crate::command::Decide;
use crate::context::{Actor, Context};
use crate::event::{Event, Fold, Stamp, Stream, StreamKind};
use crate::ids::*;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::{NameKind, World};

/// Somebody who can log in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Identifier.
    pub id: UserId,
    /// Version of the resource.
    pub version: u64,
    /// Login name without the domain.
    pub name: String,
    /// The directory that knows the user.
    pub domain: String,
    /// Surname.
    pub last_name: String,
    /// Department.
    pub department: String,
    /// E-mail address.
    pub email: String,
    /// argon2 hash in PHC form, for users of the internal directory.
    pub password: Option<Arc<str>>,
    /// Groups the user belongs to, Everyone aside.
    pub groups: Vec<GroupId>,
    /// Tags.
    pub tags: Vec<TagId>,
}

impl User {
    /// `admin@internal`.
    pub fn principal(&self) -> String {
        format!("{}@{}", self.name, self.domain)
    }
}

/// A group of users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Identifier.
    pub id: GroupId,
    /// Version of the resource.
    pub version: u64,
    /// Name.
    pub name: String,
    /// The directory that knows it.
    pub domain: String,
}

/// A named set of permits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// Identifier.
    pub id: RoleId,
    /// Version of the resource.
    pub version: u64,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// Whether it lets into the administrative view.
    pub administrative: bool,
    /// Whether it can be changed; built-in roles cannot.
    pub mutable: bool,
    /// What it allows.
    pub permits: Vec<Permit>,
}

/// Who holds a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A user.
    User(UserId),
    /// All users of a group.
    Group(GroupId),
}

/// What a permission is on; it holds for all that is below, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Object {
    System,
    DataCenter(DataCenterId),
    Cluster(ClusterId),
    Network(NetworkId),
    VnicProfile(VnicProfileId),
    Host(HostId),
    StorageDomain(StorageDomainId),
    Disk(DiskId),
    Vm(VmId),
    Template(TemplateId),
}

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
    pub object: Object,
}

/// A login session (`Prefer: persistent-auth`). When it was last used is live state and not here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Identifier; the cookie's value is another secret, of which only a hash is kept.
    pub id: SessionId,
    /// Version of the resource.
    pub version: u64,
    /// Whose it is.
    pub user: UserId,
    /// Hash of the cookie's value, hexadecimal.
    pub token_hash: Arc<str>,
    /// How long it may be idle, in minutes.
    pub ttl_minutes: u32,
    /// When it was opened.
    pub opened_at: Micros,
}

/// The group that everybody belongs to.
pub const EVERYONE: GroupId = GroupId(Uuid::from_u128(0xeee0_0000_0000_0000_0000_1234_5678_9eee));
/// admin@internal.
pub const ADMIN: UserId = UserId(Uuid::from_u128(0xfdfc_627c_d875_11e0_90f0_83df_133b_58cc));
/// The built-in role SuperUser.
pub const SUPER_USER: RoleId = RoleId(Uuid::from_u128(1));
/// The directory whose users are kept in the log.
pub const INTERNAL: &str = "internal";
/// The most minutes a session may be idle.
pub const MAX_SESSION_TTL_MINUTES: u32 = 7 * 24 * 60;
/// Sessions that may be open at once for one user; the oldest is closed for a further one.
pub const MAX_SESSIONS_PER_USER: usize = 256;

/// The objects above an object, itself first, the system last: where a permission may stand that covers it.
pub fn object_path(world: &World, object: Object) -> Vec<Object> {
    let mut path = vec![object];
    let mut next = object;
    while next != Object::System {
        next = match next {
            Object::Vm(id) => world.vms.get(&id).map(|v| Object::Cluster(v.config.cluster)),
            Object::Host(id) => world.hosts.get(&id).map(|h| Object::Cluster(h.config.cluster)),
            Object::Cluster(id) => world.clusters.get(&id).and_then(|c| c.config.data_center).map(Object::DataCenter),
            Object::Network(id) => world.networks.get(&id).map(|n| Object::DataCenter(n.data_center)),
            Object::VnicProfile(id) => world.vnic_profiles.get(&id).map(|p| Object::Network(p.network)),
            Object::StorageDomain(id) => {
                world.storage_domains.get(&id).and_then(|d| d.attachment.as_ref()).map(|a| Object::DataCenter(a.data_center))
            }
            Object::Disk(id) => world.disks.get(&id).map(|d| Object::StorageDomain(d.storage_domain)),
            Object::System | Object::DataCenter(_) | Object::Template(_) => None,
        }
        .unwrap_or(Object::System);
        path.push(next);
    }
    path
}

/// Whether a user holds a permit on an object, through any role, group or object above.
pub fn allowed(world: &World, user: UserId, permit: Permit, object: Object) -> bool {
    let path = object_path(world, object);
    let Some(account) = world.users.get(&user) else { return false };
    world.permissions.values().any(|permission| {
        let holds = match permission.holder {
            Holder::User(id) => id == user,
            Holder::Group(id) => id == EVERYONE || account.groups.contains(&id),
        };
        holds
            && path.contains(&permission.object)
            && world.roles.get(&permission.role).is_some_and(|role| role.permits.contains(&permit))
    })
}

/// Whether a user holds an administrative role on anything: who does not sees only the user-level API.
pub fn is_administrator(world: &World, user: UserId) -> bool {
    world.permissions.values().any(|permission| {
        permission.holder == Holder::User(user) && world.roles.get(&permission.role).is_some_and(|role| role.administrative)
    })
}

/// A user was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserAdded {
    /// The user as added.
    pub user: User,
}

impl Fold for UserAdded {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::User, self.user.id.0)
    }

    fn fold(&self, world: &mut World, at: &Stamp) {
        let mut user = self.user.clone();
        user.version = at.version;
        world.take_name(NameKind::User, &user.principal(), user.id.0);
        world.users.insert(user.id, user);
    }
}

/// A user of the internal directory has a new password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserPasswordChanged {
    /// Whose.
    pub user: UserId,
    /// argon2 hash.
    pub password: Arc<str>,
}

impl Fold for UserPasswordChanged {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::User, self.user.0)
    }

    fn fold(&self, world: &mut World, at: &Stamp) {
        world.users.update(&self.user, |user| {
            user.password = Some(self.password.clone());
            user.version = at.version;
        });
    }
}

/// A user was removed, and the user's permissions with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRemoved {
    /// Who.
    pub user: UserId,
    /// The login name, for those who read the log.
    pub name: String,
}

impl Fold for UserRemoved {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::User, self.user.0)
    }

    fn fold(&self, world: &mut World, _: &Stamp) {
        if let Some(user) = world.users.remove(&self.user) {
            world.drop_name(NameKind::User, &user.principal(), user.id.0);
        }
        world.close_stream(StreamKind::User, self.user.0);
    }
}

/// A group was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupAdded {
    /// The group as added.
    pub group: Group,
}

impl Fold for GroupAdded {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::Group, self.group.id.0)
    }

    fn fold(&self, world: &mut World, at: &Stamp) {
        let mut group = self.group.clone();
        group.version = at.version;
        world.take_name(NameKind::Group, &group.name, group.id.0);
        world.groups.insert(group.id, group);
    }
}

/// A role was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleCreated {
    /// The role as created.
    pub role: Role,
}

impl Fold for RoleCreated {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::Role, self.role.id.0)
    }

    fn fold(&self, world: &mut World, at: &Stamp) {
        let mut role = self.role.clone();
        role.version = at.version;
        world.take_name(NameKind::Role, &role.name, role.id.0);
        world.roles.insert(role.id, role);
    }
}

/// A role was granted on an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PermissionGranted {
    /// The permission as granted.
    pub permission: Permission,
}

impl Fold for PermissionGranted {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::Permission, self.permission.id.0)
    }

    fn fold(&self, world: &mut World, at: &Stamp) {
        let mut permission = self.permission.clone();
        permission.version = at.version;
        world.permissions.insert(permission.id, permission);
    }
}

/// A permission was taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PermissionRevoked {
    /// Which.
    pub permission: PermissionId,
}

impl Fold for PermissionRevoked {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::Permission, self.permission.0)
    }

    fn fold(&self, world: &mut World, _: &Stamp) {
        world.permissions.remove(&self.permission);
        world.close_stream(StreamKind::Permission, self.permission.0);
    }
}

/// A user logged in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionOpened {
    /// The session.
    pub session: Session,
}

impl Fold for SessionOpened {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::Session, self.session.id.0)
    }

    fn fold(&self, world: &mut World, at: &Stamp) {
        let mut session = self.session.clone();
        session.version = at.version;
        world.sessions.insert(session.id, session);
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// The client logged out.
    LoggedOut,
    /// It was idle for too long.
    Expired,
    /// The user was removed or has a new password, or opened too many.
    Revoked,
}

/// A session ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionClosed {
    /// Which.
    pub session: SessionId,
    /// Whose it was.
    pub user: UserId,
    /// Why.
    pub end: SessionEnd,
}

impl Fold for SessionClosed {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::Session, self.session.0)
    }

    fn fold(&self, world: &mut World, _: &Stamp) {
        world.sessions.remove(&self.session);
        world.close_stream(StreamKind::Session, self.session.0);
    }
}

/// A login was refused. The name is what was typed, cut to a sane length; the password is nowhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoginFailed {
    /// The login name.
    pub name: String,
}

impl Fold for LoginFailed {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, _: &mut World, _: &Stamp) {}
}

/// Opens a session for a user whose password was found right.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// Who logs in.
    pub user: UserId,
    /// Hash of the cookie's value.
    pub token_hash: Arc<str>,
    /// How long it may be idle.
    pub ttl_minutes: u32,
}

impl Decide for OpenSession {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        world.user(self.user)?;
        if !allowed(world, self.user, Permit::Login, Object::System) && !has_any_permission(world, self.user) {
            return Err(Key::NotAuthorized.into());
        }
        let mut events = Vec::new();
        let mut own: Vec<_> = world.sessions.values().filter(|s| s.user == self.user).collect();
        if own.len() >= MAX_SESSIONS_PER_USER {
            own.sort_by_key(|s| (s.opened_at, s.id));
            let oldest = own[0];
            events.push(SessionClosed { session: oldest.id, user: self.user, end: SessionEnd::Revoked }.into());
        }
        events.push(
            SessionOpened {
                session: Session {
                    id: cx.fresh(0),
                    version: 0,
                    user: self.user,
                    token_hash: self.token_hash.clone(),
                    ttl_minutes: self.ttl_minutes.clamp(1, MAX_SESSION_TTL_MINUTES),
                    opened_at: cx.now,
                },
            }
            .into(),
        );
        Ok(events)
    }
}

fn has_any_permission(world: &World, user: UserId) -> bool {
    world.permissions.values().any(|p| p.holder == Holder::User(user))
}

/// Ends a session.
#[derive(Clone, Debug)]
pub struct CloseSession {
    /// Which.
    pub session: SessionId,
    /// Why.
    pub end: SessionEnd,
}

impl Decide for CloseSession {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        Ok(world
            .sessions
            .get(&self.session)
            .map(|s| SessionClosed { session: s.id, user: s.user, end: self.end }.into())
            .into_iter()
            .collect())
    }
}

/// Records that a login was refused.
#[derive(Clone, Debug)]
pub struct RefuseLogin {
    /// The login name as typed.
    pub name: String,
}

impl Decide for RefuseLogin {
    fn decide(&self, _: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let name = self.name.chars().filter(|c| !c.is_control()).take(128).collect();
        Ok(vec![LoginFailed { name }.into()])
    }
}

/// Adds a user of the internal directory.
#[derive(Clone, Debug)]
pub struct AddUser {
    /// Login name, without a domain.
    pub name: String,
    /// argon2 hash of the password.
    pub password: Arc<str>,
    /// A role to grant on the system at once.
    pub role: Option<RoleId>,
}

const ADD_USER: Act = Act("add", "User");

impl Decide for AddUser {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        crate::check::name(ADD_USER, &self.name, crate::check::VM_NAME)?;
        let user = User {
            id: cx.fresh(0),
            version: 0,
            name: self.name.clone(),
            domain: INTERNAL.into(),
            last_name: String::new(),
            department: String::new(),
            email: String::new(),
            password: Some(self.password.clone()),
            groups: Vec::new(),
            tags: Vec::new(),
        };
        if world.exactly_named(NameKind::User, &user.principal()).is_some() {
            return Err(ADD_USER.no(Key::UserExists).with("name", user.principal()));
        }
        let id = user.id;
        let mut events: Vec<Event> = vec![UserAdded { user }.into()];
        if let Some(role) = self.role {
            world.role(role)?;
            let permission = Permission { id: cx.fresh(1), version: 0, holder: Holder::User(id), role, object: Object::System };
            events.push(PermissionGranted { permission }.into());
        }
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ManipulateUsers, Object::System))
    }
}

/// Gives a user of the internal directory a new password; open sessions of the user end.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// Whose.
    pub user: UserId,
    /// argon2 hash.
    pub password: Arc<str>,
}

impl Decide for ChangePassword {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        world.user(self.user)?;
        let mut events = vec![UserPasswordChanged { user: self.user, password: self.password.clone() }.into()];
        events.extend(close_all(world, self.user));
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ManipulateUsers, Object::System))
    }
}

fn close_all(world: &World, user: UserId) -> impl Iterator<Item = Event> {
    world
        .sessions
        .values()
        .filter(move |s| s.user == user)
        .map(|s| SessionClosed { session: s.id, user: s.user, end: SessionEnd::Revoked }.into())
}

/// Removes a user, the user's permissions and sessions.
#[derive(Clone, Debug)]
pub struct RemoveUser {
    /// Who.
    pub user: UserId,
}

const REMOVE_USER: Act = Act("remove", "User");

impl Decide for RemoveUser {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let user = world.user(self.user)?;
        if self.user == ADMIN {
            return Err(REMOVE_USER.no(Key::UserIsAdmin));
        }
        if cx.actor == Actor::User(self.user) {
            return Err(REMOVE_USER.no(Key::UserIsSelf));
        }
        let mut events: Vec<Event> = world
            .permissions
            .values()
            .filter(|p| p.holder == Holder::User(self.user))
            .map(|p| PermissionRevoked { permission: p.id }.into())
            .collect();
        events.extend(close_all(world, self.user));
        events.push(UserRemoved { user: self.user, name: user.principal() }.into());
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ManipulateUsers, Object::System))
    }
}

/// Grants a role to somebody on an object.
#[derive(Clone, Debug)]
pub struct GrantPermission {
    /// To whom.
    pub holder: Holder,
    /// Which role.
    pub role: RoleId,
    /// On what.
    pub object: Object,
}

const ADD_PERMISSION: Act = Act("add", "Permission");

impl Decide for GrantPermission {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let role = world.role(self.role)?;
        match self.holder {
            Holder::User(id) => world.user(id).map(|_| ())?,
            Holder::Group(id) if world.groups.contains(&id) => {}
            Holder::Group(id) => return Err(crate::rejection::not_found(format_args!("Group: id={id}"))),
        }
        if role.administrative
            && let Actor::User(user) = cx.actor
            && !allowed(world, user, Permit::ManipulateRoles, Object::System)
        {
            return Err(ADD_PERMISSION.no(Key::PermissionAdminOnly));
        }
        let same = |p: &&Arc<Permission>| p.holder == self.holder && p.role == self.role && p.object == self.object;
        if world.permissions.values().any(|p| same(&p)) {
            return Err(ADD_PERMISSION.no(Key::PermissionExists));
        }
        let permission = Permission { id: cx.fresh(0), version: 0, holder: self.holder, role: self.role, object: self.object };
        Ok(vec![PermissionGranted { permission }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ManipulatePermissions, self.object))
    }
}

/// Takes a permission away.
#[derive(Clone, Debug)]
pub struct RevokePermission {
    /// Which.
    pub permission: PermissionId,
}

impl Decide for RevokePermission {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let permission = world.permission(self.permission)?;
        if permission.holder == Holder::User(ADMIN) && permission.role == SUPER_USER && permission.object == Object::System {
            return Err(Act("remove", "Permission").no(Key::PermissionLastAdmin));
        }
        Ok(vec![PermissionRevoked { permission: self.permission }.into()])
    }

    fn permit(&self, world: &World) -> Option<(Permit, Object)> {
        let object = world.permissions.get(&self.permission).map_or(Object::System, |p| p.object);
        Some((Permit::ManipulatePermissions, object))
    }
}

/// The events that take away every permission on an object that is being removed.
pub fn revocations(world: &World, object: Object) -> Vec<Event> {
    let on_it = world.permissions.values().filter(|p| p.object == object);
    on_it.map(|p| PermissionRevoked { permission: p.id }.into()).collect()
}
