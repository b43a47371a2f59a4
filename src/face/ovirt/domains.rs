//! The directories that know users and groups: the guide's chapter 19.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::access::{Account, Group, INTERNAL};
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::parts::{listed, shown, text};
use super::representation::types::{DOMAIN, GROUP, USER};
use super::representation::{Doc, Fault};
use super::request::Call;
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
pub fn failed(call: &Call, why: Failed) -> Answer {
    match why {
        Failed::Search(why) => call.bad(&Fault::failed(why)),
        Failed::Unavailable(why) => Answer::fault(503, &Fault::failed(why), call.output),
    }
}

/// The directory that the path names; none is the internal one.
fn domain(call: &Call) -> Result<Option<&LdapDirectory>, Answer> {
    let id: Uuid = call.id(1)?;
    if id == domain_id(INTERNAL) {
        return Ok(None);
    }
    call.found(call.app.directory.others().iter().find(|other| other.id == id), 1).map(Some)
}

async fn list(call: Arc<Call>) -> Handled {
    let others = call.app.directory.others().iter().map(|other| other.domain.as_str());
    listed(&call, &DOMAIN, std::iter::once(INTERNAL).chain(others).map(|name| view(call.base, name)))
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &DOMAIN, &view(call.base, domain(&call)?.map_or(INTERNAL, |other| &other.domain)))
}

/// A document of a directory's user or group, at its place below the directory.
fn placed(call: &Call, collection: &str, doc: Doc) -> Doc {
    let href = format!("{}/domains/{}/{collection}/{}", call.base, call.segment(1), doc.text("id").unwrap_or_default());
    doc.set("href", href)
}

fn placed_user(call: &Call, account: &Account) -> Doc {
    placed(call, "users", user_view(&call.world, call.base, account))
}

fn placed_group(call: &Call, group: &DirectoryGroup, domain: &str) -> Doc {
    placed(call, "groups", group_view(call.base, group.id.to_string(), &group.name, domain))
}

fn placed_own_group(call: &Call, group: &Group) -> Doc {
    placed(call, "groups", group_view(call.base, group.id.to_string(), &group.name, INTERNAL))
}

/// What is searched for among what the internal directory knows, by name: what something is called there, and its attributes.
fn own<'a, T: Clone + 'a>(
    call: &Call,
    fields: Fields,
    all: impl Iterator<Item = &'a T>,
    name: impl Fn(&T) -> String,
    attribute: impl Fn(&T, &str) -> String,
) -> Result<Vec<T>, Answer> {
    let wanted = read(INTERNAL, call.parameter("search").unwrap_or_default(), fields);
    let wanted = wanted.map_err(|why| call.bad(&Fault::failed(why)))?;
    let mut found: Vec<T> = all.filter(|one| wanted.is(&|field| attribute(one, field))).cloned().collect();
    found.sort_by_cached_key(name);
    Ok(found)
}

async fn list_users(call: Arc<Call>) -> Handled {
    let Some(other) = domain(&call)? else {
        let all: Vec<Account> = call.world.users.values().filter(|u| u.domain == INTERNAL).map(|u| u.account()).collect();
        let own = own(&call, USER_FIELDS, all.iter(), |account| account.name.clone(), attribute_of)?;
        return listed(&call, &USER, own.iter().map(|account| placed_user(&call, account)));
    };
    let found = other.users(call.parameter("search").unwrap_or_default()).await.map_err(|why| failed(&call, why))?;
    listed(&call, &USER, found.iter().map(|account| placed_user(&call, account)))
}

async fn get_user(call: Arc<Call>) -> Handled {
    let found = match domain(&call)? {
        None => call.world.users.get(&call.id(3)?).filter(|user| user.domain == INTERNAL).map(|user| user.account()),
        Some(other) => other.user(call.id(3)?).await.map_err(|why| failed(&call, why))?,
    };
    shown(&call, &USER, &placed_user(&call, &call.found(found, 3)?))
}

async fn list_groups(call: Arc<Call>) -> Handled {
    let Some(other) = domain(&call)? else {
        let all = call.world.groups.values().filter(|group| group.domain == INTERNAL);
        let called = |group: &Arc<Group>| group.name.to_string();
        let own =
            own(&call, GROUP_FIELDS, all, called, |group, field| if field == "cn" { called(group) } else { String::new() })?;
        return listed(&call, &GROUP, own.iter().map(|group| placed_own_group(&call, group)));
    };
    let found = other.groups(call.parameter("search").unwrap_or_default()).await.map_err(|why| failed(&call, why))?;
    listed(&call, &GROUP, found.iter().map(|group| placed_group(&call, group, &other.domain)))
}

async fn get_group(call: Arc<Call>) -> Handled {
    let Some(other) = domain(&call)? else {
        let own = call.world.groups.get(&call.id(3)?).filter(|group| group.domain == INTERNAL);
        return shown(&call, &GROUP, &placed_own_group(&call, call.found(own, 3)?));
    };
    let found = other.group(call.id(3)?).await.map_err(|why| failed(&call, why))?;
    shown(&call, &GROUP, &placed_group(&call, &call.found(found, 3)?, &other.domain))
}
