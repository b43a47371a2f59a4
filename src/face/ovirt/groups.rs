//! Groups of users: the guide's chapter 20.

use std::sync::Arc;

use evirt_domain::access::*;

use super::answer::{Answer, Handled};
use super::collection::{created, remove};
use super::domains::{failed, group_view};
use super::parts::{first_id, listed, shown};
use super::representation::check::require;
use super::representation::types::GROUP;
use super::representation::{Doc, Fault};
use super::request::Call;
use super::route::routes;
use super::users::{sent_domain, sent_roles};

routes! { ROUTES:
    "groups" => GET list, POST add;
    "groups/{}" => GET get, DELETE delete;
}

/// The group as the API shows it.
pub fn view(base: &str, group: &Group) -> Doc {
    let href = format!("{base}/groups/{}", group.id);
    let doc = group_view(base, group.id.to_string(), &group.name, &group.domain);
    ["tags", "permissions", "roles"].into_iter().fold(doc, |doc, link| doc.link(link, format!("{href}/{link}"))).set("href", href)
}

fn group(call: &Call) -> Result<&Arc<Group>, Answer> {
    call.found(call.world.groups.get(&call.id(1)?), 1)
}

async fn list(call: Arc<Call>) -> Handled {
    let found = call.list::<Group>()?;
    listed(&call, &GROUP, found.iter().map(|group| view(call.base, group)))
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &GROUP, &view(call.base, group(&call)?))
}

/// The directory that a group is of: as named, or as the first part of a name like `example.org/groups/staff` says.
fn domain_of(call: &Call, sent: &Doc, name: &str) -> String {
    let first = name.split_once('/').map(|(domain, _)| domain).filter(|domain| call.app.directory.other(domain).is_some());
    sent_domain(call, sent).or(first.map(str::to_owned)).unwrap_or_else(|| INTERNAL.into())
}

/// Adds a new group of the internal directory, or takes one over from another.
async fn add(call: Arc<Call>) -> Handled {
    let sent = call.body(&GROUP)?;
    require(&sent, "Group", "add", &["name"]).map_err(|fault| call.bad(&fault))?;
    let name = sent.text("name").unwrap_or_default().to_owned();
    let domain = domain_of(&call, &sent, &name);
    let roles = sent_roles(&call, &sent)?;
    let command = if domain == INTERNAL {
        AddGroup { name, of: None, roles }
    } else {
        let unknown = || call.bad(&Fault::failed(format!("No such group: {name} in domain {domain}")));
        let other = call.app.directory.other(&domain).ok_or_else(unknown)?;
        let found = other.group_named(&name).await.map_err(|why| failed(&call, why))?.ok_or_else(unknown)?;
        AddGroup { name: found.name, of: Some((found.id, other.domain.clone())), roles }
    };
    let outcome = call.submit(command).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.groups.get(&id));
    created(&call, &GROUP, &view(call.base, call.found(made, 0)?))
}

async fn delete(call: Arc<Call>) -> Handled {
    let group = group(&call)?.id;
    remove(&call, RemoveGroup { group }).await
}
