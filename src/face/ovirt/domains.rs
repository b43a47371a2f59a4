//! The directories that know users and groups: the guide's chapter 19.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::access::Account;

use super::answer::{Answer, Handled};
use super::parts::{listed, shown, text};
use super::representation::types::{DOMAIN, GROUP, USER};
use super::representation::{Doc, Place};
use super::request::ApiRequest;
use super::route::routes;
use crate::app::access::{self, DirectoryGroup, DirectoryRef};
use crate::directory::domain_id;

routes! { ROUTES:
    "domains" => GET list;
    "domains/{}" => GET get;
    "domains/{}/users" => GET list_users;
    "domains/{}/users/{}" => GET get_user;
    "domains/{}/groups" => GET list_groups;
    "domains/{}/groups/{}" => GET get_group;
}

/// The directory as the API shows it.
fn view(base: &str, name: &str) -> Doc {
    let id = domain_id(name);
    let place = Place::entry(base).below("domains", id);
    let doc = Doc::new().at(&place).set("name", name);
    ["users", "groups"].into_iter().fold(doc, |doc, rel| {
        let search = place.link().below(format_args!("{rel}?search={{query}}"));
        doc.links(&[rel]).link(format!("{rel}/search"), search)
    })
}

/// A reference to a directory, for those who have one.
pub fn reference(base: &str, domain: &str) -> Option<Doc> {
    let id = domain_id(domain);
    (!domain.is_empty()).then(|| Doc::new().at(&Place::entry(base).below("domains", id)))
}

/// What a directory tells of a user.
pub fn user_view(world: &World, base: &str, user: &Account) -> Doc {
    let groups = user.groups.iter().filter_map(|id| world.groups.get(id)).map(|group| Doc::new().set("name", &group.name));
    let first_name = if user.first_name.is_empty() { &user.name } else { &user.first_name };
    Doc::new()
        .set("id", user.id.to_string())
        .set("name", first_name)
        .set("user_name", user.principal())
        .opt("last_name", text(&user.last_name))
        .opt("department", text(&user.department))
        .opt("email", text(&user.email))
        .opt("domain", reference(base, &user.domain))
        .set("groups", Doc::new().set("group", groups.collect::<Vec<_>>()))
}

/// What a directory tells of a group.
pub fn group_view(base: &str, id: String, name: &str, domain: &str) -> Doc {
    Doc::new().set("id", id).set("name", name).opt("domain", reference(base, domain))
}

/// The directory that the path names.
fn domain(request: &ApiRequest) -> Result<DirectoryRef<'_>, Answer> {
    request.found(access::directory(&request.app, request.id(1)?), 1)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    listed(&request, &DOMAIN, access::directories(&request.app).map(|directory| view(request.base, directory.domain())))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &DOMAIN, &view(request.base, domain(&request)?.domain()))
}

/// A document of a directory's user or group, at its place below the directory.
fn placed(request: &ApiRequest, collection: &str, doc: Doc) -> Doc {
    let directory = Place::entry(request.base).below("domains", request.segment(1));
    let place = directory.below(collection, doc.text("id").unwrap_or_default());
    doc.at(&place)
}

fn placed_user(request: &ApiRequest, account: &Account) -> Doc {
    placed(request, "users", user_view(&request.world, request.base, account))
}

fn placed_group(request: &ApiRequest, group: &DirectoryGroup, domain: &str) -> Doc {
    placed(request, "groups", group_view(request.base, group.id.to_string(), &group.name, domain))
}

fn search(request: &ApiRequest) -> &str {
    request.parameter("search").unwrap_or_default()
}

async fn list_users(request: Arc<ApiRequest>) -> Handled {
    let found = access::users(&request.world, domain(&request)?, search(&request)).await;
    listed(&request, &USER, request.refusing(found)?.iter().map(|account| placed_user(&request, account)))
}

async fn get_user(request: Arc<ApiRequest>) -> Handled {
    let found = request.refusing(access::user(&request.world, domain(&request)?, request.id(3)?).await)?;
    shown(&request, &USER, &placed_user(&request, &request.found(found, 3)?))
}

async fn list_groups(request: Arc<ApiRequest>) -> Handled {
    let directory = domain(&request)?;
    let found = request.refusing(access::groups(&request.world, directory, search(&request)).await)?;
    listed(&request, &GROUP, found.iter().map(|group| placed_group(&request, group, directory.domain())))
}

async fn get_group(request: Arc<ApiRequest>) -> Handled {
    let directory = domain(&request)?;
    let found = request.refusing(access::group(&request.world, directory, request.id(3)?).await)?;
    shown(&request, &GROUP, &placed_group(&request, &request.found(found, 3)?, directory.domain()))
}
