//! Roles with their permits: the guide's chapter 21. Below users and groups they are those that somebody holds on the system.

use std::sync::Arc;

use evirt_domain::access::*;
use evirt_domain::ids::RoleId;
use evirt_domain::permit::Permit;
use evirt_domain::world::NameKind;
use evirt_domain::{Decide, World};

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, created, remove};
use super::parts::{first_id, given, listed, shown, text};
use super::representation::body::{Body, need};
use super::representation::place::stands_in;
use super::representation::types::{PERMIT, ROLE};
use super::representation::{Doc, Place};
use super::request::ApiRequest;
use super::route::routes;

stands_in!(RoleId "roles");

routes! { ROUTES:
    "roles" => GET list, POST add [Body::add(&ROLE).needs(&[need("name permits.permit.id")])]: CreateRole::least;
    "roles/{}" => GET get, PUT update [Body::update(&ROLE)]: UpdateRole::least, DELETE delete: RemoveRole::least;
    "roles/{}/permits" => GET list_permits, POST add_permit [Body::only(&PERMIT, "").needs(&[need("id|name")])]: AddPermit::least;
    "roles/{}/permits/{}" => GET get_permit, DELETE delete_permit: RemovePermit::least;
    "groups/{}/roles" => GET list_held, POST grant [Body::only(&ROLE, "").needs(&[need("id|name")])]: GrantPermission::least;
    "groups/{}/roles/{}" => GET get_held, DELETE revoke: RevokePermission::least;
    "groups/{}/roles/{}/permits" =>
        GET list_permits,
        POST add_permit [Body::only(&PERMIT, "").needs(&[need("id|name")])]: AddPermit::least;
    "groups/{}/roles/{}/permits/{}" => GET get_permit, DELETE delete_permit: RemovePermit::least;
    "users/{}/roles" => GET list_held, POST grant [Body::only(&ROLE, "").needs(&[need("id|name")])]: GrantPermission::least;
    "users/{}/roles/{}" => GET get_held, DELETE revoke: RevokePermission::least;
    "users/{}/roles/{}/permits" =>
        GET list_permits,
        POST add_permit [Body::only(&PERMIT, "").needs(&[need("id|name")])]: AddPermit::least;
    "users/{}/roles/{}/permits/{}" => GET get_permit, DELETE delete_permit: RemovePermit::least;
}

/// The role as the API shows it below `parent`, such as `/api/users/{id}`, or the base itself.
fn view(parent: &Place, role: &Role) -> Doc {
    Doc::new()
        .at(&parent.below("roles", role.id))
        .set("name", &role.name)
        .opt("description", text(&role.description))
        .set("mutable", role.mutable)
        .set("administrative", role.administrative)
        .links(&["permits"])
}

/// What the roles of a path stand below.
fn parent(request: &ApiRequest) -> Place {
    match request.segment(0) {
        "roles" => Place::entry(request.base),
        _ => Place::at(request.base, &request.target.segments[..2]),
    }
}

/// A permit of a role.
fn permit_view(request: &ApiRequest, role: &Role, permit: Permit) -> Doc {
    Doc::new()
        .at(&parent(request).below("roles", role.id).below("permits", permit.id()))
        .set("name", permit.name())
        .set("administrative", permit.administrative())
        .reference("role", request.base, role.id)
}

/// The segment that names the role.
fn place(request: &ApiRequest) -> usize {
    if request.segment(0) == "roles" { 1 } else { 3 }
}

/// The role that the path names: any, or one that the path's user or group holds on the system.
fn role<'w>(request: &ApiRequest, world: &'w World) -> Result<&'w Arc<Role>, Answer> {
    let n = place(request);
    let id: RoleId = request.id(n)?;
    if n > 1 {
        holding(request, id)?;
    }
    request.found(world.roles.get(&id), n)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    listed(&request, &ROLE, request.world.roles.values().map(|role| view(&Place::entry(request.base), role)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &ROLE, &view(&Place::entry(request.base), role(&request, &request.world)?))
}

/// The permit that a document names by id or name.
fn named(request: &ApiRequest, sent: &Doc) -> Result<Permit, Answer> {
    let text = sent.text("id").filter(|id| !id.is_empty()).or(sent.text("name")).unwrap_or_default();
    Permit::find(text).ok_or_else(|| request.missing(format!("Permit: {text}")))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&ROLE)?;
    let permits = sent.docs("permits.permit").map(|permit| named(&request, permit)).collect::<Result<_, _>>()?;
    let command = CreateRole {
        name: given(&sent, "name").unwrap_or_default(),
        description: given(&sent, "description").unwrap_or_default(),
        administrative: sent.bool("administrative").unwrap_or(false),
        permits,
    };
    let outcome = request.submit(command).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.roles.get(&id));
    created(&request, &ROLE, &view(&Place::entry(request.base), request.found(made, 0)?))
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let current = role(&request, &request.world)?;
    let sent = request.body(&ROLE)?;
    check_immutable(&request, &ROLE, &view(&Place::entry(request.base), current), &sent)?;
    let changes = RolePatch {
        name: given(&sent, "name"),
        description: given(&sent, "description"),
        administrative: sent.bool("administrative"),
    };
    let permits = sent.docs("permits.permit").map(|permit| named(&request, permit)).collect::<Result<Vec<_>, _>>()?;
    let permits = sent.has("permits").then_some(permits);
    let outcome = request.submit(UpdateRole { role: current.id, changes, permits }).await?;
    shown(&request, &ROLE, &view(&Place::entry(request.base), role(&request, &outcome.world)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let role = role(&request, &request.world)?.id;
    remove(&request, RemoveRole { role }).await
}

async fn list_permits(request: Arc<ApiRequest>) -> Handled {
    let role = role(&request, &request.world)?;
    listed(&request, &PERMIT, role.permits.iter().map(|permit| permit_view(&request, role, *permit)))
}

/// The permit that the path names, where the role holds it.
fn permit(request: &ApiRequest, role: &Role) -> Result<Permit, Answer> {
    let n = place(request) + 2;
    let found = role.permits.iter().find(|permit| permit.id().to_string() == request.segment(n));
    request.found(found.copied(), n)
}

async fn get_permit(request: Arc<ApiRequest>) -> Handled {
    let role = role(&request, &request.world)?;
    shown(&request, &PERMIT, &permit_view(&request, role, permit(&request, role)?))
}

async fn add_permit(request: Arc<ApiRequest>) -> Handled {
    let current = role(&request, &request.world)?.id;
    let sent = request.body(&PERMIT)?;
    let permit = named(&request, &sent)?;
    let outcome = request.submit(AddPermit { role: current, permit }).await?;
    created(&request, &PERMIT, &permit_view(&request, role(&request, &outcome.world)?, permit))
}

async fn delete_permit(request: Arc<ApiRequest>) -> Handled {
    let role = role(&request, &request.world)?;
    remove(&request, RemovePermit { role: role.id, permit: permit(&request, role)? }).await
}

/// The user or group that the path is about.
fn holder(request: &ApiRequest) -> Result<Holder, Answer> {
    let (holder, there) = match request.segment(0) {
        "users" => request.id(1).map(|id| (Holder::User(id), request.world.users.contains(&id))),
        _ => request.id(1).map(|id| (Holder::Group(id), request.world.groups.contains(&id))),
    }?;
    request.found(there.then_some(holder), 1)
}

/// The permission by which the path's user or group holds a role on the system.
fn holding(request: &ApiRequest, role: RoleId) -> Result<&Arc<Permission>, Answer> {
    let held = request.world.held_on(holder(request)?, EntityRef::System).find(|permission| permission.role == role);
    request.found(held, 3)
}

async fn list_held(request: Arc<ApiRequest>) -> Handled {
    let (held, parent) = (request.world.held_on(holder(&request)?, EntityRef::System), parent(&request));
    let roles = held.filter_map(|permission| request.world.roles.get(&permission.role));
    listed(&request, &ROLE, roles.map(|role| view(&parent, role)))
}

async fn get_held(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &ROLE, &view(&parent(&request), role(&request, &request.world)?))
}

async fn grant(request: Arc<ApiRequest>) -> Handled {
    let holder = holder(&request)?;
    let sent = request.body(&ROLE)?;
    let role: RoleId = request.needed(&Doc::new().set("it", sent), "it", NameKind::Role, "Role")?;
    let outcome = request.submit(GrantPermission { holder, role, object: EntityRef::System }).await?;
    created(&request, &ROLE, &view(&parent(&request), request.found(outcome.world.roles.get(&role), 0)?))
}

async fn revoke(request: Arc<ApiRequest>) -> Handled {
    let permission = holding(&request, request.id(3)?)?.id;
    remove(&request, RevokePermission { permission }).await
}
