//! Users: the guide's chapter 22.

use std::sync::Arc;

use evirt_domain::access::*;
use evirt_domain::ids::{RoleId, UserId};
use evirt_domain::index::SessionTerm;
use evirt_domain::world::NameKind;
use evirt_domain::{Decide, World};
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::collection::{created, remove};
use super::domains::user_view;
use super::parts::{first_id, listed, shown};
use super::representation::body::{Body, Way, When, need};
use super::representation::place::stands_in;
use super::representation::types::USER;
use super::representation::{Doc, Place};
use super::request::ApiRequest;
use super::route::routes;
use crate::app::access;

stands_in!(UserId "users");

routes! { ROUTES:
    "users" => GET list, POST add [NEW]: ImportUser::least;
    "users/{}" => GET get, DELETE delete: RemoveUser::least;
}

/// A new user, whose name may say the directory.
const NEW: Body = Body::only(&USER, "").ways(&[
    Way { when: When::Contains("user_name", '@'), needs: &[need("user_name")] },
    Way { when: When::Always, needs: &[need("user_name"), need("domain.id|name")] },
]);

const LINKS: &[&str] = &["permissions", "roles", "tags"];

/// The user as the API shows it.
pub fn view(world: &World, base: &str, user: &User) -> Doc {
    user_view(world, base, &user.account())
        .at(&Place::of(base, user.id))
        .links(LINKS)
        .set("logged_in", world.sessions.by(SessionTerm::User(user.id)).next().is_some())
}

fn user(request: &ApiRequest) -> Result<&Arc<User>, Answer> {
    request.found(request.world.users.get(&request.id(1)?), 1)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let found = request.list::<User>()?;
    listed(&request, &USER, found.iter().map(|user| view(&request.world, request.base, user)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &USER, &view(&request.world, request.base, user(&request)?))
}

/// The domain that a request names for a user or group, by id or name.
pub fn sent_domain(request: &ApiRequest, sent: &Doc) -> Option<String> {
    if let Some(id) = sent.text("domain.id").filter(|id| !id.is_empty()) {
        let known = Uuid::parse_str(id).ok().and_then(|id| access::directory(&request.app, id));
        return Some(known.map_or_else(|| id.to_owned(), |directory| directory.domain().to_owned()));
    }
    sent.text("domain.name").filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The name and the directory of a user that a request wants added.
fn sent_name(request: &ApiRequest, sent: &Doc) -> Result<(String, String), Answer> {
    let name = sent.text("user_name").unwrap_or_default();
    if let Some((name, domain)) = name.split_once('@') {
        return Ok((name.to_owned(), domain.to_owned()));
    }
    Ok((name.to_owned(), sent_domain(request, sent).unwrap_or_default()))
}

/// The roles that a request wants granted on the system.
pub fn sent_roles(request: &ApiRequest, sent: &Doc) -> Result<Vec<RoleId>, Answer> {
    let mut roles = Vec::new();
    for role in sent.docs("roles.role") {
        roles.push(request.needed(&Doc::new().set("it", role.clone()), "it", NameKind::Role, "Role")?);
    }
    Ok(roles)
}

/// Adds a user: one whom another directory knows, or a new one of the internal directory, which upstream has no room for.
/// Without a password nobody can log in as that until one is set.
async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&USER)?;
    let (name, domain) = sent_name(&request, &sent)?;
    let roles = sent_roles(&request, &sent)?;
    let password = sent.text("password").filter(|password| !password.is_empty());
    let added = access::add_user(&request.app, &request.cx, &domain, name, password, roles).await;
    let done = request.refusing(added)?;
    let made = first_id(&done.outcome).and_then(|id| done.world.users.get(&id));
    created(&request, &USER, &view(&done.world, request.base, request.found(made, 0)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let user = user(&request)?.id;
    remove(&request, RemoveUser { user }).await
}
