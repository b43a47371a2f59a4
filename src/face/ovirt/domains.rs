//! The directories that know users and groups: the guide's chapter 19.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::access::{Account, Group, INTERNAL};
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::parts::{listed, shown, text};
use super::representation::types::{DOMAIN, GROUP, USER};
use super::representation::{Doc, Fault};
use super::request::ApiRequest;
use super::route::routes;
use crate::directory::domain_id;
use crate::directory::ldap::{DirectoryGroup, Failed, LdapDirectory};
use crate::directory::search::{Fields, GROUP_FIELDS, USER_FIELDS, attribute_of, read};

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
    let href = format!("{base}/domains/{id}");
    let doc = Doc::new().set("id", id.to_string()).set("name", name);
    let links = ["users", "groups"].into_iter().fold(doc, |doc, rel| {
        doc.link(rel, format!("{href}/{rel}")).link(format!("{rel}/search"), format!("{href}/{rel}?search={{query}}"))
    });
    links.set("href", href)
}

/// A reference to a directory, for those who have one.
pub fn reference(base: &str, domain: &str) -> Option<Doc> {
    let id = domain_id(domain);
    (!domain.is_empty()).then(|| Doc::new().set("id", id.to_string()).set("href", format!("{base}/domains/{id}")))
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

/// The answer that a directory did not answer.
pub fn failed(request: &ApiRequest, why: Failed) -> Answer {
    match why {
        Failed::Search(why) => request.bad(&Fault::failed(why)),
        Failed::Unavailable(why) => Answer::fault(503, &Fault::failed(why), request.output),
    }
}

/// The directory that the path names; none is the internal one.
fn domain(request: &ApiRequest) -> Result<Option<&LdapDirectory>, Answer> {
    let id: Uuid = request.id(1)?;
    if id == domain_id(INTERNAL) {
        return Ok(None);
    }
    request.found(request.app.directory.others().iter().find(|other| other.id == id), 1).map(Some)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let others = request.app.directory.others().iter().map(|other| other.domain.as_str());
    listed(&request, &DOMAIN, std::iter::once(INTERNAL).chain(others).map(|name| view(request.base, name)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &DOMAIN, &view(request.base, domain(&request)?.map_or(INTERNAL, |other| &other.domain)))
}

/// A document of a directory's user or group, at its place below the directory.
fn placed(request: &ApiRequest, collection: &str, doc: Doc) -> Doc {
    let href = format!("{}/domains/{}/{collection}/{}", request.base, request.segment(1), doc.text("id").unwrap_or_default());
    doc.set("href", href)
}

fn placed_user(request: &ApiRequest, account: &Account) -> Doc {
    placed(request, "users", user_view(&request.world, request.base, account))
}

fn placed_group(request: &ApiRequest, group: &DirectoryGroup, domain: &str) -> Doc {
    placed(request, "groups", group_view(request.base, group.id.to_string(), &group.name, domain))
}

fn placed_own_group(request: &ApiRequest, group: &Group) -> Doc {
    placed(request, "groups", group_view(request.base, group.id.to_string(), &group.name, INTERNAL))
}

/// What is searched for among what the internal directory knows, by name: what something is called there, and its attributes.
fn own<'a, T: Clone + 'a>(
    request: &ApiRequest,
    fields: Fields,
    all: impl Iterator<Item = &'a T>,
    name: impl Fn(&T) -> String,
    attribute: impl Fn(&T, &str) -> String,
) -> Result<Vec<T>, Answer> {
    let wanted = read(INTERNAL, request.parameter("search").unwrap_or_default(), fields);
    let wanted = wanted.map_err(|why| request.bad(&Fault::failed(why)))?;
    let mut found: Vec<T> = all.filter(|one| wanted.is(&|field| attribute(one, field))).cloned().collect();
    found.sort_by_cached_key(name);
    Ok(found)
}

async fn list_users(request: Arc<ApiRequest>) -> Handled {
    let Some(other) = domain(&request)? else {
        let all: Vec<Account> = request.world.users.values().filter(|u| u.domain == INTERNAL).map(|u| u.account()).collect();
        let own = own(&request, USER_FIELDS, all.iter(), |account| account.name.clone(), attribute_of)?;
        return listed(&request, &USER, own.iter().map(|account| placed_user(&request, account)));
    };
    let found = other.users(request.parameter("search").unwrap_or_default()).await.map_err(|why| failed(&request, why))?;
    listed(&request, &USER, found.iter().map(|account| placed_user(&request, account)))
}

async fn get_user(request: Arc<ApiRequest>) -> Handled {
    let found = match domain(&request)? {
        None => request.world.users.get(&request.id(3)?).filter(|user| user.domain == INTERNAL).map(|user| user.account()),
        Some(other) => other.user(request.id(3)?).await.map_err(|why| failed(&request, why))?,
    };
    shown(&request, &USER, &placed_user(&request, &request.found(found, 3)?))
}

async fn list_groups(request: Arc<ApiRequest>) -> Handled {
    let Some(other) = domain(&request)? else {
        let all = request.world.groups.values().filter(|group| group.domain == INTERNAL);
        let called = |group: &Arc<Group>| group.name.to_string();
        let own =
            own(&request, GROUP_FIELDS, all, called, |group, field| if field == "cn" { called(group) } else { String::new() })?;
        return listed(&request, &GROUP, own.iter().map(|group| placed_own_group(&request, group)));
    };
    let found = other.groups(request.parameter("search").unwrap_or_default()).await.map_err(|why| failed(&request, why))?;
    listed(&request, &GROUP, found.iter().map(|group| placed_group(&request, group, &other.domain)))
}

async fn get_group(request: Arc<ApiRequest>) -> Handled {
    let Some(other) = domain(&request)? else {
        let own = request.world.groups.get(&request.id(3)?).filter(|group| group.domain == INTERNAL);
        return shown(&request, &GROUP, &placed_own_group(&request, request.found(own, 3)?));
    };
    let found = other.group(request.id(3)?).await.map_err(|why| failed(&request, why))?;
    shown(&request, &GROUP, &placed_group(&request, &request.found(found, 3)?, &other.domain))
}
