//! Permissions on every object, and those of users and groups: the guide's chapter 8.4.8.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::access::*;
use evirt_domain::ids::{GroupId, PermissionId, RoleId, UserId};
use evirt_domain::world::NameKind;

use super::answer::{Answer, Handled};
use super::collection::{created, remove};
use super::parts::{listed, shown};
use super::representation::check::require;
use super::representation::types::PERMISSION;
use super::representation::{Doc, Fault};
use super::request::Call;
use super::route::routes;
use super::visible::OBJECTS;

routes! { ROUTES:
    "permissions" => GET list, POST add;
    "permissions/{}" => GET get, DELETE delete;
    "clusters/{}/permissions" => GET list, POST add;
    "clusters/{}/permissions/{}" => GET get, DELETE delete;
    "datacenters/{}/permissions" => GET list, POST add;
    "datacenters/{}/permissions/{}" => GET get, DELETE delete;
    "disks/{}/permissions" => GET list, POST add;
    "disks/{}/permissions/{}" => GET get, DELETE delete;
    "groups/{}/permissions" => GET list, POST add;
    "groups/{}/permissions/{}" => GET get, DELETE delete;
    "hosts/{}/permissions" => GET list, POST add;
    "hosts/{}/permissions/{}" => GET get, DELETE delete;
    "networks/{}/permissions" => GET list, POST add;
    "networks/{}/permissions/{}" => GET get, DELETE delete;
    "storagedomains/{}/permissions" => GET list, POST add;
    "storagedomains/{}/permissions/{}" => GET get, DELETE delete;
    "templates/{}/permissions" => GET list, POST add;
    "templates/{}/permissions/{}" => GET get, DELETE delete;
    "users/{}/permissions" => GET list, POST add;
    "users/{}/permissions/{}" => GET get, DELETE delete;
    "vms/{}/permissions" => GET list, POST add;
    "vms/{}/permissions/{}" => GET get, DELETE delete;
    "vnicprofiles/{}/permissions" => GET list, POST add;
    "vnicprofiles/{}/permissions/{}" => GET get, DELETE delete;
}

/// Whose permissions a path is about.
#[derive(Clone, Copy)]
enum Scope {
    /// Those that stand on an object.
    On(Object),
    /// Those that somebody holds.
    Of(Holder),
}

/// What the path's first two segments name, if that exists.
fn scope(call: &Call) -> Result<Scope, Answer> {
    let world: &World = &call.world;
    let (scope, there) = match call.segment(0) {
        "permissions" => return Ok(Scope::On(Object::System)),
        "groups" => call.id(1).map(|id| (Scope::Of(Holder::Group(id)), world.groups.contains(&id)))?,
        "users" => call.id(1).map(|id| (Scope::Of(Holder::User(id)), world.users.contains(&id)))?,
        collection => {
            let make = OBJECTS.iter().find(|(name, ..)| *name == collection).map(|(.., make)| make);
            let object = call.found(make, 0)?(call.id(1)?);
            (Scope::On(object), object.exists(world))
        }
    };
    call.found(there.then_some(scope), 1)
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
fn parent(call: &Call) -> String {
    match call.segment(0) {
        "permissions" => call.base.to_owned(),
        collection => format!("{}/{collection}/{}", call.base, call.segment(1)),
    }
}

/// Where the API shows an object: the member of a permission, the collection and the id.
pub fn place(object: Object) -> Option<(&'static str, &'static str, String)> {
    let (member, collection, id) = match object {
        Object::System => return None,
        Object::DataCenter(id) => ("data_center", "datacenters", id.0),
        Object::Cluster(id) => ("cluster", "clusters", id.0),
        Object::Network(id) => ("network", "networks", id.0),
        Object::VnicProfile(id) => ("vnic_profile", "vnicprofiles", id.0),
        Object::Host(id) => ("host", "hosts", id.0),
        Object::StorageDomain(id) => ("storage_domain", "storagedomains", id.0),
        Object::Disk(id) => ("disk", "disks", id.0),
        Object::Vm(id) => ("vm", "vms", id.0),
        Object::Template(id) => ("template", "templates", id.0),
    };
    Some((member, collection, id.to_string()))
}

/// The permission as the API shows it below `parent`, such as `/api/vms/{id}`.
pub fn view(base: &str, parent: &str, permission: &Permission) -> Doc {
    let role = permission.role;
    let doc = Doc::new()
        .set("id", permission.id.to_string())
        .set("href", format!("{parent}/permissions/{}", permission.id))
        .reference("role", role.to_string(), format!("{base}/roles/{role}"));
    let doc = match permission.holder {
        Holder::User(id) => doc.reference("user", id.to_string(), format!("{base}/users/{id}")),
        Holder::Group(id) => doc.reference("group", id.to_string(), format!("{base}/groups/{id}")),
    };
    match place(permission.object) {
        // The schema has no member for networks and their profiles.
        Some((member, collection, id)) if !matches!(member, "network" | "vnic_profile") => {
            let href = format!("{base}/{collection}/{id}");
            doc.reference(member, id, href)
        }
        _ => doc,
    }
}

async fn list(call: Arc<Call>) -> Handled {
    let (scope, parent) = (scope(&call)?, parent(&call));
    listed(&call, &PERMISSION, scope.all(&call.world).map(|permission| view(call.base, &parent, permission)))
}

/// The permission that the path names, where it is one of its scope.
fn permission(call: &Call) -> Result<&Arc<Permission>, Answer> {
    let scope = scope(call)?;
    let last = call.target.segments.len() - 1;
    let id: PermissionId = call.id(last)?;
    call.found(call.world.permissions.get(&id).filter(|permission| scope.holds(permission)), last)
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &PERMISSION, &view(call.base, &parent(&call), permission(&call)?))
}

async fn delete(call: Arc<Call>) -> Handled {
    let permission = permission(&call)?.id;
    remove(&call, RevokePermission { permission }).await
}

/// The object that a request names; none is the system.
fn sent_object(call: &Call, sent: &Doc) -> Result<Object, Answer> {
    macro_rules! named {
        ($($member:literal $kind:ident $class:literal;)*) => {
            $(if let Some(id) = call.reference(sent, $member, NameKind::$kind, $class)? {
                return Ok(Object::$kind(id));
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
    Ok(Object::System)
}

async fn add(call: Arc<Call>) -> Handled {
    let scope = scope(&call)?;
    let sent = call.body(&PERMISSION)?;
    let bad = |fault| call.bad(&fault);
    // A role may be named instead, which upstream does not take.
    if !sent.has("role.name") {
        require(&sent, "Permission", "add", &["role.id"]).map_err(bad)?;
    }
    let role: RoleId = call.needed(&sent, "role", NameKind::Role, "Role")?;
    let (holder, object) = match scope {
        Scope::Of(holder) => (holder, sent_object(&call, &sent)?),
        Scope::On(object) => {
            require(&sent, "Permission", "add", &["user|group.id"]).map_err(bad)?;
            let user: Option<UserId> = call.reference(&sent, "user", NameKind::User, "User")?;
            let group: Option<GroupId> = call.reference(&sent, "group", NameKind::Group, "Group")?;
            let holder = user.map(Holder::User).or(group.map(Holder::Group));
            let neither = || bad(Fault::incomplete_parameters("Permission", ["user|group.id"], "add"));
            (holder.ok_or_else(neither)?, object)
        }
    };
    let outcome = call.submit(GrantPermission { holder, role, object }).await?;
    // Granted already, it is the one that there is.
    let made = outcome.world.held_on(holder, object).find(|permission| permission.role == role);
    created(&call, &PERMISSION, &view(call.base, &parent(&call), call.found(made, 0)?))
}
