//! Tags, and what carries them: the guide's chapter 23.

use std::sync::Arc;

use evirt_domain::ids::TagId;
use evirt_domain::tag::*;
use evirt_domain::world::NameKind;
use evirt_domain::{Rejection, World};

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, created, remove};
use super::parts::{first_id, given, listed, shown};
use super::representation::Doc;
use super::representation::check::require;
use super::representation::types::TAG;
use super::request::Call;
use super::route::routes;

routes! { ROUTES:
    "tags" => GET list, POST add;
    "tags/{}" => GET get, PUT update, DELETE delete;
    "groups/{}/tags" => GET list_of, POST attach;
    "groups/{}/tags/{}" => GET get_of, DELETE detach;
    "hosts/{}/tags" => GET list_of, POST attach;
    "hosts/{}/tags/{}" => GET get_of, DELETE detach;
    "users/{}/tags" => GET list_of, POST attach;
    "users/{}/tags/{}" => GET get_of, DELETE detach;
}

/// The tag as the API shows it.
pub fn view(base: &str, tag: &Tag) -> Doc {
    let parent = tag.config.parent.unwrap_or(ROOT);
    let parent = Doc::new().reference("tag", parent.to_string(), format!("{base}/tags/{parent}"));
    Doc::new()
        .set("id", tag.id.to_string())
        .set("href", format!("{base}/tags/{}", tag.id))
        .set("name", &tag.config.name)
        .set("description", &tag.config.description)
        .set("parent", parent)
}

/// What a request says of a tag that is to be changed.
fn patch(sent: &Doc, parent: Option<TagId>) -> TagPatch {
    TagPatch { name: given(sent, "name"), description: given(sent, "description"), parent: parent.map(Some) }
}

fn tag<'a>(call: &Call, world: &'a World, n: usize) -> Result<&'a Arc<Tag>, Answer> {
    call.found(world.tags.get(&call.id(n)?), n)
}

async fn list(call: Arc<Call>) -> Handled {
    let mut found: Vec<&Arc<Tag>> = call.world.tags.values().collect();
    found.sort_by(|one, other| one.config.name.cmp(&other.config.name));
    listed(&call, &TAG, found.into_iter().map(|tag| view(call.base, tag)))
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &TAG, &view(call.base, tag(&call, &call.world, 1)?))
}

/// The parent that a request names.
fn parent(call: &Call, sent: &Doc) -> Result<Option<TagId>, Answer> {
    call.reference(sent, "parent.tag", NameKind::Tag, "Tag")
}

async fn add(call: Arc<Call>) -> Handled {
    let sent = call.body(&TAG)?;
    require(&sent, "Tag", "add", &["name"]).map_err(|fault| call.bad(&fault))?;
    let mut config = TagConfig { name: String::new(), description: String::new(), parent: None };
    config.apply(&patch(&sent, parent(&call, &sent)?));
    let outcome = call.submit(CreateTag { config }).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.tags.get(&id));
    created(&call, &TAG, &view(call.base, call.found(made, 0)?))
}

async fn update(call: Arc<Call>) -> Handled {
    let current = tag(&call, &call.world, 1)?;
    let sent = call.body(&TAG)?;
    check_immutable(&call, &TAG, &view(call.base, current), &sent)?;
    // The root is shown as its own parent; sent back as it was shown, that changes nothing.
    let parent = parent(&call, &sent)?.filter(|parent| current.id != ROOT || *parent != ROOT);
    let outcome = call.submit(UpdateTag { tag: current.id, changes: patch(&sent, parent) }).await?;
    shown(&call, &TAG, &view(call.base, tag(&call, &outcome.world, 1)?))
}

async fn delete(call: Arc<Call>) -> Handled {
    let tag = tag(&call, &call.world, 1)?.id;
    remove(&call, RemoveTag { tag }).await
}

/// What the path's first two segments name: the object whose tags it is about, with its member of a tag.
fn tagged(call: &Call) -> Result<(Tagged, &'static str), Answer> {
    Ok(match call.segment(0) {
        "hosts" => (Tagged::Host(call.id(1)?), "host"),
        "groups" => (Tagged::Group(call.id(1)?), "group"),
        _ => (Tagged::User(call.id(1)?), "user"),
    })
}

fn refused(call: &Call, rejection: Rejection) -> Answer {
    Answer::refusal(&rejection, call.output)
}

/// The tag as the API shows it below what has it.
fn tagged_view(call: &Call, member: &'static str, tag: &Tag) -> Doc {
    let (collection, id) = (call.segment(0), call.segment(1));
    let owner = format!("{}/{collection}/{id}", call.base);
    view(call.base, tag).set("href", format!("{owner}/tags/{}", tag.id)).reference(member, id, owner)
}

async fn list_of(call: Arc<Call>) -> Handled {
    let (to, member) = tagged(&call)?;
    let tags = to.tags(&call.world).map_err(|rejection| refused(&call, rejection))?;
    let found = tags.iter().filter_map(|id| call.world.tags.get(id));
    listed(&call, &TAG, found.map(|tag| tagged_view(&call, member, tag)))
}

/// The tag that the path names below what has it.
fn tag_of<'a>(call: &Call, to: Tagged, world: &'a World) -> Result<&'a Arc<Tag>, Answer> {
    let tags = to.tags(world).map_err(|rejection| refused(call, rejection))?;
    let id: TagId = call.id(3)?;
    call.found(world.tags.get(&id).filter(|tag| tags.contains(&tag.id)), 3)
}

async fn get_of(call: Arc<Call>) -> Handled {
    let (to, member) = tagged(&call)?;
    shown(&call, &TAG, &tagged_view(&call, member, tag_of(&call, to, &call.world)?))
}

async fn attach(call: Arc<Call>) -> Handled {
    let (to, member) = tagged(&call)?;
    to.tags(&call.world).map_err(|rejection| refused(&call, rejection))?;
    let sent = call.body(&TAG)?;
    require(&sent, "Tag", "add", &["id|name"]).map_err(|fault| call.bad(&fault))?;
    let tag: TagId = call.needed(&Doc::new().set("it", sent), "it", NameKind::Tag, "Tag")?;
    let outcome = call.submit(AttachTag { tag, to }).await?;
    let attached = call.found(outcome.world.tags.get(&tag), 0)?;
    created(&call, &TAG, &tagged_view(&call, member, attached))
}

async fn detach(call: Arc<Call>) -> Handled {
    let (to, _) = tagged(&call)?;
    let tag = tag_of(&call, to, &call.world)?.id;
    remove(&call, DetachTag { tag, to }).await
}
