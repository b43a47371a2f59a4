//! Users, groups, and the directory that knows them: the guide's chapters 19, 20 and 22.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::access::*;
use evirt_domain::world::NameKind;
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::collection::{created, remove};
use super::parts::{first_id, listed, shown, text};
use super::representation::check::require;
use super::representation::types::{DOMAIN, GROUP, USER};
use super::representation::{Doc, Fault};
use super::request::Call;
use super::route::routes;
use crate::directory::passwords;

routes! { ROUTES:
    "users" => GET list, POST add;
    "users/{}" => GET get, DELETE delete;
    "groups" => GET list_groups;
    "groups/{}" => GET get_group;
    "domains" => GET list_domains;
    "domains/{}" => GET get_domain;
    "domains/{}/users" => GET list_domain_users;
    "domains/{}/users/{}" => GET get_domain_user;
    "domains/{}/groups" => GET list_domain_groups;
}

/// The identifier of the internal directory: its name, as other directories' ids are made of theirs.
pub const INTERNAL_ID: Uuid = Uuid::from_bytes(*b"internal\0\0\0\0\0\0\0\0");
const LINKS: [&str; 3] = ["permissions", "roles", "tags"];

/// The user as the API shows it.
pub fn view(world: &World, base: &str, user: &User) -> Doc {
    let href = format!("{base}/users/{}", user.id);
    let doc = LINKS.into_iter().fold(plain(world, base, user), |doc, link| doc.link(link, format!("{href}/{link}")));
    doc.set("logged_in", world.sessions.values().any(|s| s.user == user.id)).set("href", href)
}

/// What a directory tells of a user.
fn plain(world: &World, base: &str, user: &User) -> Doc {
    let groups: Vec<Doc> =
        user.groups.iter().filter_map(|id| world.groups.get(id)).map(|group| Doc::new().set("name", &group.name)).collect();
    Doc::new()
        .set("id", user.id.to_string())
        .set("name", &user.name)
        .set("user_name", user.principal())
        .opt("last_name", text(&user.last_name))
        .opt("department", text(&user.department))
        .opt("email", text(&user.email))
        .opt("domain", (user.domain == INTERNAL).then(|| domain_reference(base)))
        .set("groups", Doc::new().set("group", groups))
}

fn domain_reference(base: &str) -> Doc {
    Doc::new().set("id", INTERNAL_ID.to_string()).set("href", format!("{base}/domains/{INTERNAL_ID}"))
}

/// The group as the API shows it.
pub fn group_view(base: &str, group: &Group) -> Doc {
    let href = format!("{base}/groups/{}", group.id);
    // Groups have no tags here, so that link is left out.
    let doc = Doc::new()
        .set("id", group.id.to_string())
        .set("name", &group.name)
        .opt("domain", (group.domain == INTERNAL).then(|| domain_reference(base)));
    ["permissions", "roles"].into_iter().fold(doc, |doc, link| doc.link(link, format!("{href}/{link}"))).set("href", href)
}

/// The internal directory as the API shows it.
pub fn domain_view(base: &str) -> Doc {
    let href = format!("{base}/domains/{INTERNAL_ID}");
    Doc::new()
        .set("id", INTERNAL_ID.to_string())
        .set("name", INTERNAL)
        .link("users", format!("{href}/users"))
        .link("groups", format!("{href}/groups"))
        .set("href", href)
}

/// A user below the directory.
pub fn domain_user_view(world: &World, base: &str, user: &User) -> Doc {
    plain(world, base, user).set("href", format!("{base}/domains/{INTERNAL_ID}/users/{}", user.id))
}

fn user(call: &Call, n: usize) -> Result<&Arc<User>, Answer> {
    call.found(call.world.users.get(&call.id(n)?), n)
}

async fn list(call: Arc<Call>) -> Handled {
    let found = call.list::<User>()?;
    listed(&call, &USER, found.iter().map(|user| view(&call.world, call.base, user)))
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &USER, &view(&call.world, call.base, user(&call, 1)?))
}

/// The name and the directory of a user that a request wants added.
fn sent_name(call: &Call, sent: &Doc) -> Result<(String, String), Answer> {
    let bad = |fault| call.bad(&fault);
    require(sent, "User", "add", &["userName"]).map_err(bad)?;
    let name = sent.text("user_name").unwrap_or_default();
    if let Some((name, domain)) = name.split_once('@') {
        return Ok((name.to_owned(), domain.to_owned()));
    }
    require(sent, "User", "add", &["domain.id|name"]).map_err(bad)?;
    let domain = match sent.text("domain.id") {
        Some(id) if id == INTERNAL_ID.to_string() => INTERNAL,
        Some(id) => id,
        None => sent.text("domain.name").unwrap_or_default(),
    };
    Ok((name.to_owned(), domain.to_owned()))
}

/// Adds a user of the internal directory, which has room for new ones: what upstream only takes over from a directory.
/// Without a password nobody can log in by it until one is set.
async fn add(call: Arc<Call>) -> Handled {
    let sent = call.body(&USER)?;
    let (name, domain) = sent_name(&call, &sent)?;
    if domain != INTERNAL {
        return Err(call.bad(&Fault::failed(format!("No such user: {name} in domain {domain}"))));
    }
    let mut roles = Vec::new();
    for role in sent.docs("roles.role") {
        let role = call.reference(&Doc::new().set("it", role.clone()), "it", NameKind::Role, "Role")?;
        roles.push(call.found(role, 0)?);
    }
    let password = match sent.text("password").filter(|password| !password.is_empty()) {
        Some(password) => passwords::hash(password).await,
        None => passwords::hash(&passwords::generate()).await,
    };
    let mut roles = roles.into_iter();
    let mut outcome = call.submit(AddUser { name, password, role: roles.next() }).await?;
    let id = first_id(&outcome).unwrap_or_default();
    for role in roles {
        outcome = call.submit(GrantPermission { holder: Holder::User(id), role, object: Object::System }).await?;
    }
    let made = call.found(outcome.world.users.get(&id), 0)?;
    created(&call, &USER, &view(&outcome.world, call.base, made))
}

async fn delete(call: Arc<Call>) -> Handled {
    let user = user(&call, 1)?.id;
    remove(&call, RemoveUser { user }).await
}

async fn list_groups(call: Arc<Call>) -> Handled {
    let found = call.list::<Group>()?;
    listed(&call, &GROUP, found.iter().map(|group| group_view(call.base, group)))
}

async fn get_group(call: Arc<Call>) -> Handled {
    let found = call.found(call.world.groups.get(&call.id(1)?), 1)?;
    shown(&call, &GROUP, &group_view(call.base, found))
}

async fn list_domains(call: Arc<Call>) -> Handled {
    listed(&call, &DOMAIN, [domain_view(call.base)])
}

/// Demands that the path names the internal directory.
fn domain(call: &Call) -> Result<(), Answer> {
    let id: Uuid = call.id(1)?;
    call.found((id == INTERNAL_ID).then_some(()), 1)
}

async fn get_domain(call: Arc<Call>) -> Handled {
    domain(&call)?;
    shown(&call, &DOMAIN, &domain_view(call.base))
}

async fn list_domain_users(call: Arc<Call>) -> Handled {
    domain(&call)?;
    let found = call.list::<User>()?;
    let own = found.iter().filter(|user| user.domain == INTERNAL);
    listed(&call, &USER, own.map(|user| domain_user_view(&call.world, call.base, user)))
}

async fn get_domain_user(call: Arc<Call>) -> Handled {
    domain(&call)?;
    shown(&call, &USER, &domain_user_view(&call.world, call.base, user(&call, 3)?))
}

/// The internal directory knows no groups.
async fn list_domain_groups(call: Arc<Call>) -> Handled {
    domain(&call)?;
    listed(&call, &GROUP, [])
}
