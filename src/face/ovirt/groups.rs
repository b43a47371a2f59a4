//! Groups of users: the guide's chapter 20.

use std::sync::Arc;

use evirt_domain::Decide;
use evirt_domain::access::*;
use evirt_domain::ids::GroupId;

use super::answer::{Answer, Handled};
use super::collection::{created, remove};
use super::domains::group_view;
use super::parts::{first_id, listed, shown};
use super::representation::body::{Body, need};
use super::representation::place::stands_in;
use super::representation::types::GROUP;
use super::representation::{Doc, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::users::{sent_domain, sent_roles};
use crate::app::access;

stands_in!(GroupId "groups");

routes! { ROUTES:
    "groups" => GET list, POST add [Body::only(&GROUP, "").needs(&[need("name")])]: AddGroup::least;
    "groups/{}" => GET get, DELETE delete: RemoveGroup::least;
}

/// The group as the API shows it.
pub fn view(base: &str, group: &Group) -> Doc {
    let doc = group_view(base, group.id.to_string(), &group.name, &group.domain);
    doc.at(&Place::of(base, group.id)).links(&["tags", "permissions", "roles"])
}

fn group(request: &ApiRequest) -> Result<&Arc<Group>, Answer> {
    request.found(request.world.groups.get(&request.id(1)?), 1)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let found = request.list::<Group>()?;
    listed(&request, &GROUP, found.iter().map(|group| view(request.base, group)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &GROUP, &view(request.base, group(&request)?))
}

/// The directory that a group is of: as named, or as the first part of a name like `example.org/groups/staff` says.
fn domain_of(request: &ApiRequest, sent: &Doc, name: &str) -> String {
    let is_known = |domain: &str| access::directories(&request.app).any(|directory| directory.domain() == domain);
    let first = name.split_once('/').map(|(domain, _)| domain).filter(|domain| is_known(domain));
    sent_domain(request, sent).or(first.map(str::to_owned)).unwrap_or_else(|| INTERNAL.into())
}

/// Adds a new group of the internal directory, or takes one over from another.
async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&GROUP)?;
    let name = sent.text("name").unwrap_or_default().to_owned();
    let domain = domain_of(&request, &sent, &name);
    let roles = sent_roles(&request, &sent)?;
    let done = request.refusing(access::add_group(&request.app, &request.cx, &domain, name, roles).await)?;
    let made = first_id(&done.outcome).and_then(|id| done.world.groups.get(&id));
    created(&request, &GROUP, &view(request.base, request.found(made, 0)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let group = group(&request)?.id;
    remove(&request, RemoveGroup { group }).await
}
