//! Permissions on every object, and those of users and groups: the guide's chapter 8.4.8.

use std::sync::Arc;

use evirt_domain::access::*;
use evirt_domain::ids::{GroupId, PermissionId, RoleId, UserId};
use evirt_domain::world::NameKind;
use evirt_domain::{Decide, World};

use super::answer::{Answer, Handled};
use super::collection::{created, remove};
use super::parts::{listed, shown};
use super::representation::body::{Body, Way, When, need, not_yet};
use super::representation::place::{self, reference_to};
use super::representation::types::PERMISSION;
use super::representation::{Doc, Fault, Place};
use super::request::ApiRequest;
use super::route::routes;

routes! { ROUTES:
    "permissions" => GET list, POST add [ON]: GrantPermission::least;
    "permissions/{}" => GET get, DELETE delete: RevokePermission::least;
    "clusters/{}/permissions" => GET list, POST add [ON]: GrantPermission::least;
    "clusters/{}/permissions/{}" => GET get, DELETE delete: RevokePermission::least;
    "datacenters/{}/permissions" => GET list, POST add [ON]: GrantPermission::least;
    "datacenters/{}/permissions/{}" => GET get, DELETE delete: RevokePermission::least;
    "disks/{}/permissions" => GET list, POST add [ON]: GrantPermission::least;
    "disks/{}/permissions/{}" => GET get, DELETE delete: RevokePermission::least;
    "groups/{}/permissions" => GET list, POST add [HELD]: GrantPermission::least;
    "groups/{}/permissions/{}" => GET get, DELETE delete: RevokePermission::least;
    "hosts/{}/permissions" => GET list, POST add [ON]: GrantPermission::least;
    "hosts/{}/permissions/{}" => GET get, DELETE delete: RevokePermission::least;
    "networks/{}/permissions" => GET list, POST add [ON]: GrantPermission::least;
    "networks/{}/permissions/{}" => GET get, DELETE delete: RevokePermission::least;
    "storagedomains/{}/permissions" => GET list, POST add [ON]: GrantPermission::least;
    "storagedomains/{}/permissions/{}" => GET get, DELETE delete: RevokePermission::least;
    "templates/{}/permissions" => GET list, POST add [ON]: GrantPermission::least;
    "templates/{}/permissions/{}" => GET get, DELETE delete: RevokePermission::least;
    "users/{}/permissions" => GET list, POST add [HELD]: GrantPermission::least;
    "users/{}/permissions/{}" => GET get, DELETE delete: RevokePermission::least;
    "vms/{}/permissions" => GET list, POST add [ON]: GrantPermission::least;
    "vms/{}/permissions/{}" => GET get, DELETE delete: RevokePermission::least;
    "vnicprofiles/{}/permissions" => GET list, POST add [ON]: GrantPermission::least;
    "vnicprofiles/{}/permissions/{}" => GET get, DELETE delete: RevokePermission::least;
}

/// A permission on the object that the path names. A role may be named instead of identified, which upstream does not take.
const ON: Body = Body::only(&PERMISSION, "").ways(&[
    Way { when: When::Has("role.name"), needs: &[need("role.name"), need("user|group.id")] },
    Way { when: When::Always, needs: &[need("role.id"), need("user|group.id")] },
]);

/// A permission of whom the path names, on an object or on the system.
const HELD: Body = Body::only(
    &PERMISSION,
    "data_center.id|name cluster.id|name host.id|name storage_domain.id|name vm.id|name template.id|name disk.id|name \
     vmpool.id|name",
)
.not_yet(&[not_yet("vmpool")])
.ways(&[
    Way { when: When::Has("role.name"), needs: &[need("role.name")] },
    Way { when: When::Always, needs: &[need("role.id")] },
]);

/// Whose permissions a path is about.
#[derive(Clone, Copy)]
enum Scope {
    /// Those that stand on an object.
    On(EntityRef),
    /// Those that somebody holds.
    Of(Holder),
}

/// What the path's first two segments name, if that exists.
fn scope(request: &ApiRequest) -> Result<Scope, Answer> {
    let world: &World = &request.world;
    let (scope, there) = match request.segment(0) {
        "permissions" => return Ok(Scope::On(EntityRef::System)),
        "groups" => request.id(1).map(|id| (Scope::Of(Holder::Group(id)), world.groups.contains(&id)))?,
        "users" => request.id(1).map(|id| (Scope::Of(Holder::User(id)), world.users.contains(&id)))?,
        collection => {
            let object = (request.found(place::collection(collection), 0)?.object)(request.id(1)?);
            (Scope::On(object), object.exists(world))
        }
    };
    request.found(there.then_some(scope), 1)
}

impl Scope {
    fn holds(self, permission: &Permission) -> bool {
        match self {
            Self::On(object) => permission.object == object,
            Self::Of(holder) => permission.holder == holder,
        }
    }

    /// The permissions of it.
    fn all(self, world: &World) -> Box<dyn Iterator<Item = &Arc<Permission>> + '_> {
        match self {
            Self::On(object) => Box::new(world.granted_on(object)),
            Self::Of(holder) => Box::new(world.held_by(holder)),
        }
    }
}

/// What the permissions of a path stand below, such as `/api/vms/{id}`.
fn parent(request: &ApiRequest) -> Place {
    match request.segment(0) {
        "permissions" => Place::entry(request.base),
        _ => Place::at(request.base, &request.target.segments[..2]),
    }
}

/// The permission as the API shows it below `parent`, such as `/api/vms/{id}`.
pub fn view(base: &str, parent: &Place, permission: &Permission) -> Doc {
    let doc = Doc::new().at(&parent.below("permissions", permission.id)).reference("role", base, permission.role);
    let doc = match permission.holder {
        Holder::User(id) => doc.reference("user", base, id),
        Holder::Group(id) => doc.reference("group", base, id),
    };
    match reference_to(base, permission.object) {
        // The schema has no member for networks and their profiles.
        Some((member, place)) if PERMISSION.field(member).is_some() => doc.reference_to(member, &place),
        _ => doc,
    }
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let (scope, parent) = (scope(&request)?, parent(&request));
    listed(&request, &PERMISSION, scope.all(&request.world).map(|permission| view(request.base, &parent, permission)))
}

/// The permission that the path names, where it is one of its scope.
fn permission(request: &ApiRequest) -> Result<&Arc<Permission>, Answer> {
    let scope = scope(request)?;
    let last = request.target.segments.len() - 1;
    let id: PermissionId = request.id(last)?;
    request.found(request.world.permissions.get(&id).filter(|permission| scope.holds(permission)), last)
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &PERMISSION, &view(request.base, &parent(&request), permission(&request)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let permission = permission(&request)?.id;
    remove(&request, RevokePermission { permission }).await
}

/// The object that a request names; none is the system.
fn sent_object(request: &ApiRequest, sent: &Doc) -> Result<EntityRef, Answer> {
    let mut object = None;
    let mut name = |member: &str, named: EntityRef| match object.replace(named) {
        Some(_) => Err(request.bad(&Fault::failed(format!("A permission is on one object: {member} is one too many")))),
        None => Ok(()),
    };
    macro_rules! named {
        ($($member:literal $kind:ident $class:literal;)*) => {
            $(if let Some(id) = request.reference(sent, $member, NameKind::$kind, $class)? {
                name($member, EntityRef::$kind(id))?;
            })*
        };
    }
    named! {
        "data_center" DataCenter "DataCenter";
        "cluster" Cluster "Cluster";
        "host" Host "Host";
        "storage_domain" StorageDomain "StorageDomain";
        "vm" Vm "VM";
        "template" Template "Template";
        "disk" Disk "Disk";
    }
    Ok(object.unwrap_or(EntityRef::System))
}

/// What a permission of the path's user or group is to be on, where the caller may grant permissions there.
fn granted_on(request: &ApiRequest, sent: &Doc) -> Result<EntityRef, Answer> {
    let object = sent_object(request, sent)?;
    request.refusing(request.cx.may_on(GrantPermission::least(), object))?;
    Ok(object)
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&PERMISSION)?;
    let bad = |fault| request.bad(&fault);
    let role: RoleId = request.needed(&sent, "role", NameKind::Role, "Role")?;
    let (holder, object) = match scope(&request) {
        Ok(Scope::Of(holder)) => (holder, granted_on(&request, &sent)?),
        // Whether there is such a user or group is told to those alone who may grant it something.
        Err(missing) => return Err(granted_on(&request, &sent).err().unwrap_or(missing)),
        Ok(Scope::On(object)) => {
            let user: Option<UserId> = request.reference(&sent, "user", NameKind::User, "User")?;
            let group: Option<GroupId> = request.reference(&sent, "group", NameKind::Group, "Group")?;
            if user.is_some() && group.is_some() {
                return Err(bad(Fault::failed("A permission is a user's or a group's: either user or group has to be left out")));
            }
            let holder = user.map(Holder::User).or(group.map(Holder::Group));
            let neither = || bad(Fault::incomplete_parameters("Permission", ["user|group.id"], "add"));
            (holder.ok_or_else(neither)?, object)
        }
    };
    let outcome = request.submit(GrantPermission { holder, role, object }).await?;
    // Granted already, it is the one that there is.
    let made = outcome.world.held_on(holder, object).find(|permission| permission.role == role);
    created(&request, &PERMISSION, &view(request.base, &parent(&request), request.found(made, 0)?))
}
