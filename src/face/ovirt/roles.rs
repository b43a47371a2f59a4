//! Roles with their permits: the guide's chapter 21. Below users and groups they are those that somebody holds on the system.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::access::*;
use evirt_domain::ids::RoleId;
use evirt_domain::permit::Permit;
use evirt_domain::world::NameKind;

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, created, remove};
use super::parts::{first_id, given, listed, shown};
use super::representation::Doc;
use super::representation::check::require;
use super::representation::types::{PERMIT, ROLE};
use super::request::Call;
use super::route::routes;

routes! { ROUTES:
    "roles" => GET list, POST add;
    "roles/{}" => GET get, PUT update, DELETE delete;
    "roles/{}/permits" => GET list_permits, POST add_permit;
    "roles/{}/permits/{}" => GET get_permit, DELETE delete_permit;
    "groups/{}/roles" => GET list_held, POST grant;
    "groups/{}/roles/{}" => GET get_held, DELETE revoke;
    "groups/{}/roles/{}/permits" => GET list_permits, POST add_permit;
    "groups/{}/roles/{}/permits/{}" => GET get_permit, DELETE delete_permit;
    "users/{}/roles" => GET list_held, POST grant;
    "users/{}/roles/{}" => GET get_held, DELETE revoke;
    "users/{}/roles/{}/permits" => GET list_permits, POST add_permit;
    "users/{}/roles/{}/permits/{}" => GET get_permit, DELETE delete_permit;
}

/// The role as the API shows it below `parent`, such as `/api/users/{id}`, or the base itself.
fn view(parent: &str, role: &Role) -> Doc {
    let href = format!("{parent}/roles/{}", role.id);
    Doc::new()
        .set("id", role.id.to_string())
        .set("name", &role.name)
        .set("description", &role.description)
        .set("mutable", role.mutable)
        .set("administrative", role.administrative)
        .link("permits", format!("{href}/permits"))
        .set("href", href)
}

/// What the roles of a path stand below.
fn parent(call: &Call) -> String {
    match call.segment(0) {
        "roles" => call.base.to_owned(),
        collection => format!("{}/{collection}/{}", call.base, call.segment(1)),
    }
}

/// A permit of a role.
fn permit_view(call: &Call, role: &Role, permit: Permit) -> Doc {
    Doc::new()
        .set("id", permit.id().to_string())
        .set("href", format!("{}/roles/{}/permits/{}", parent(call), role.id, permit.id()))
        .set("name", permit.name())
        .set("administrative", permit.administrative())
        .reference("role", role.id.to_string(), format!("{}/roles/{}", call.base, role.id))
}

/// The segment that names the role.
fn place(call: &Call) -> usize {
    if call.segment(0) == "roles" { 1 } else { 3 }
}

/// The role that the path names: any, or one that the path's user or group holds on the system.
fn role<'w>(call: &Call, world: &'w World) -> Result<&'w Arc<Role>, Answer> {
    let n = place(call);
    let id: RoleId = call.id(n)?;
    if n > 1 {
        holding(call, id)?;
    }
    call.found(world.roles.get(&id), n)
}

async fn list(call: Arc<Call>) -> Handled {
    listed(&call, &ROLE, call.world.roles.values().map(|role| view(call.base, role)))
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &ROLE, &view(call.base, role(&call, &call.world)?))
}

/// The permit that a document names by id or name.
fn named(call: &Call, sent: &Doc) -> Result<Permit, Answer> {
    let text = sent.text("id").filter(|id| !id.is_empty()).or(sent.text("name")).unwrap_or_default();
    Permit::find(text).ok_or_else(|| call.missing(format!("Permit: {text}")))
}

async fn add(call: Arc<Call>) -> Handled {
    let sent = call.body(&ROLE)?;
    require(&sent, "Role", "add", &["name", "permits.id"]).map_err(|fault| call.bad(&fault))?;
    let permits = sent.docs("permits.permit").map(|permit| named(&call, permit)).collect::<Result<_, _>>()?;
    let command = CreateRole {
        name: given(&sent, "name").unwrap_or_default(),
        description: given(&sent, "description").unwrap_or_default(),
        administrative: sent.bool("administrative").unwrap_or(false),
        permits,
    };
    let outcome = call.submit(command).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.roles.get(&id));
    created(&call, &ROLE, &view(call.base, call.found(made, 0)?))
}

async fn update(call: Arc<Call>) -> Handled {
    let current = role(&call, &call.world)?;
    let sent = call.body(&ROLE)?;
    check_immutable(&call, &ROLE, &view(call.base, current), &sent)?;
    let changes = RolePatch {
        name: given(&sent, "name"),
        description: given(&sent, "description"),
        administrative: sent.bool("administrative"),
    };
    let permits = sent.docs("permits.permit").map(|permit| named(&call, permit)).collect::<Result<Vec<_>, _>>()?;
    let permits = sent.has("permits").then_some(permits);
    let outcome = call.submit(UpdateRole { role: current.id, changes, permits }).await?;
    shown(&call, &ROLE, &view(call.base, role(&call, &outcome.world)?))
}

async fn delete(call: Arc<Call>) -> Handled {
    let role = role(&call, &call.world)?.id;
    remove(&call, RemoveRole { role }).await
}

async fn list_permits(call: Arc<Call>) -> Handled {
    let role = role(&call, &call.world)?;
    listed(&call, &PERMIT, role.permits.iter().map(|permit| permit_view(&call, role, *permit)))
}

/// The permit that the path names, where the role holds it.
fn permit(call: &Call, role: &Role) -> Result<Permit, Answer> {
    let n = place(call) + 2;
    let found = role.permits.iter().find(|permit| permit.id().to_string() == call.segment(n));
    call.found(found.copied(), n)
}

async fn get_permit(call: Arc<Call>) -> Handled {
    let role = role(&call, &call.world)?;
    shown(&call, &PERMIT, &permit_view(&call, role, permit(&call, role)?))
}

async fn add_permit(call: Arc<Call>) -> Handled {
    let current = role(&call, &call.world)?.id;
    let sent = call.body(&PERMIT)?;
    require(&sent, "Permit", "add", &["id|name"]).map_err(|fault| call.bad(&fault))?;
    let permit = named(&call, &sent)?;
    let outcome = call.submit(AddPermit { role: current, permit }).await?;
    created(&call, &PERMIT, &permit_view(&call, role(&call, &outcome.world)?, permit))
}

async fn delete_permit(call: Arc<Call>) -> Handled {
    let role = role(&call, &call.world)?;
    remove(&call, RemovePermit { role: role.id, permit: permit(&call, role)? }).await
}

/// The user or group that the path is about.
fn holder(call: &Call) -> Result<Holder, Answer> {
    let (holder, there) = match call.segment(0) {
        "users" => call.id(1).map(|id| (Holder::User(id), call.world.users.contains(&id))),
        _ => call.id(1).map(|id| (Holder::Group(id), call.world.groups.contains(&id))),
    }?;
    call.found(there.then_some(holder), 1)
}

/// The permission by which the path's user or group holds a role on the system.
fn holding(call: &Call, role: RoleId) -> Result<&Arc<Permission>, Answer> {
    let held = call.world.held_on(holder(call)?, Object::System).find(|permission| permission.role == role);
    call.found(held, 3)
}

async fn list_held(call: Arc<Call>) -> Handled {
    let (held, parent) = (call.world.held_on(holder(&call)?, Object::System), parent(&call));
    let roles = held.filter_map(|permission| call.world.roles.get(&permission.role));
    listed(&call, &ROLE, roles.map(|role| view(&parent, role)))
}

async fn get_held(call: Arc<Call>) -> Handled {
    shown(&call, &ROLE, &view(&parent(&call), role(&call, &call.world)?))
}

async fn grant(call: Arc<Call>) -> Handled {
    let holder = holder(&call)?;
    let sent = call.body(&ROLE)?;
    require(&sent, "Role", "add", &["id|name"]).map_err(|fault| call.bad(&fault))?;
    let role: RoleId = call.needed(&Doc::new().set("it", sent), "it", NameKind::Role, "Role")?;
    let outcome = call.submit(GrantPermission { holder, role, object: Object::System }).await?;
    created(&call, &ROLE, &view(&parent(&call), call.found(outcome.world.roles.get(&role), 0)?))
}

async fn revoke(call: Arc<Call>) -> Handled {
    let permission = holding(&call, call.id(3)?)?.id;
    remove(&call, RevokePermission { permission }).await
}
