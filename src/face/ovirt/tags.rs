//! Tags, and what carries them: the guide's chapter 23.

use std::sync::Arc;

use evirt_domain::ids::TagId;
use evirt_domain::tag::*;
use evirt_domain::world::NameKind;
use evirt_domain::{Decide, Rejection, World};

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, created, remove};
use super::parts::{first_id, given, listed, shown, text};
use super::representation::body::{Body, need};
use super::representation::place::stands_in;
use super::representation::types::TAG;
use super::representation::{Doc, Place};
use super::request::ApiRequest;
use super::route::routes;

stands_in!(TagId "tags");

routes! { ROUTES:
    "tags" => GET list, POST add [Body::add(&TAG).needs(&[need("name")])]: CreateTag::least;
    "tags/{}" => GET get, PUT update [Body::update(&TAG)]: UpdateTag::least, DELETE delete: RemoveTag::least;
    "groups/{}/tags" => GET list_of, POST attach [ATTACHED]: tag_account;
    "groups/{}/tags/{}" => GET get_of, DELETE detach: tag_account;
    "hosts/{}/tags" => GET list_of, POST attach [ATTACHED];
    "hosts/{}/tags/{}" => GET get_of, DELETE detach;
    "users/{}/tags" => GET list_of, POST attach [ATTACHED]: tag_account;
    "users/{}/tags/{}" => GET get_of, DELETE detach: tag_account;
}

/// A tag that is put on something.
pub const ATTACHED: Body = Body::only(&TAG, "").needs(&[need("id|name")]);

/// The tag as the API shows it.
pub fn view(base: &str, tag: &Tag) -> Doc {
    let parent = tag.config.parent.unwrap_or(ROOT);
    Doc::new()
        .at(&Place::of(base, tag.id))
        .set("name", &tag.config.name)
        .opt("description", text(&tag.config.description))
        .set("parent", Doc::new().reference("tag", base, parent))
}

/// What a request says of a tag that is to be changed.
fn patch(sent: &Doc, parent: Option<TagId>) -> TagPatch {
    TagPatch { name: given(sent, "name"), description: given(sent, "description"), parent: parent.map(Some) }
}

fn tag<'a>(request: &ApiRequest, world: &'a World, n: usize) -> Result<&'a Arc<Tag>, Answer> {
    request.found(world.tags.get(&request.id(n)?), n)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let mut found: Vec<&Arc<Tag>> = request.world.tags.values().collect();
    found.sort_by(|one, other| one.config.name.cmp(&other.config.name));
    listed(&request, &TAG, found.into_iter().map(|tag| view(request.base, tag)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &TAG, &view(request.base, tag(&request, &request.world, 1)?))
}

/// The parent that a request names.
fn parent(request: &ApiRequest, sent: &Doc) -> Result<Option<TagId>, Answer> {
    request.reference(sent, "parent.tag", NameKind::Tag, "Tag")
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&TAG)?;
    let mut config = TagConfig { name: String::new(), description: String::new(), parent: None };
    config.apply(&patch(&sent, parent(&request, &sent)?));
    let outcome = request.submit(CreateTag { config }).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.tags.get(&id));
    created(&request, &TAG, &view(request.base, request.found(made, 0)?))
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let current = tag(&request, &request.world, 1)?;
    let sent = request.body(&TAG)?;
    check_immutable(&request, &TAG, &view(request.base, current), &sent)?;
    // The root is shown as its own parent; sent back as it was shown, that changes nothing.
    let parent = parent(&request, &sent)?.filter(|parent| current.id != ROOT || *parent != ROOT);
    let outcome = request.submit(UpdateTag { tag: current.id, changes: patch(&sent, parent) }).await?;
    shown(&request, &TAG, &view(request.base, tag(&request, &outcome.world, 1)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let tag = tag(&request, &request.world, 1)?.id;
    remove(&request, RemoveTag { tag }).await
}

/// What the path's first two segments name: the object whose tags it is about, with its member of a tag.
fn tagged(request: &ApiRequest) -> Result<(Tagged, &'static str), Answer> {
    Ok(match request.segment(0) {
        "hosts" => (Tagged::Host(request.id(1)?), "host"),
        "groups" => (Tagged::Group(request.id(1)?), "group"),
        _ => (Tagged::User(request.id(1)?), "user"),
    })
}

fn refused(request: &ApiRequest, rejection: Rejection) -> Answer {
    Answer::refusal(&rejection, request.output)
}

/// The tag as the API shows it below what has it.
fn tagged_view(request: &ApiRequest, member: &'static str, tag: &Tag) -> Doc {
    let owner = Place::at(request.base, &request.target.segments[..2]);
    view(request.base, tag).at(&owner.below("tags", tag.id)).reference_to(member, &owner)
}

async fn list_of(request: Arc<ApiRequest>) -> Handled {
    let (to, member) = tagged(&request)?;
    let tags = to.tags(&request.world).map_err(|rejection| refused(&request, rejection))?;
    let found = tags.iter().filter_map(|id| request.world.tags.get(id));
    listed(&request, &TAG, found.map(|tag| tagged_view(&request, member, tag)))
}

/// The tag that the path names below what has it.
fn tag_of<'a>(request: &ApiRequest, to: Tagged, world: &'a World) -> Result<&'a Arc<Tag>, Answer> {
    let tags = to.tags(world).map_err(|rejection| refused(request, rejection))?;
    let id: TagId = request.id(3)?;
    request.found(world.tags.get(&id).filter(|tag| tags.contains(&tag.id)), 3)
}

async fn get_of(request: Arc<ApiRequest>) -> Handled {
    let (to, member) = tagged(&request)?;
    shown(&request, &TAG, &tagged_view(&request, member, tag_of(&request, to, &request.world)?))
}

async fn attach(request: Arc<ApiRequest>) -> Handled {
    let (to, member) = tagged(&request)?;
    to.tags(&request.world).map_err(|rejection| refused(&request, rejection))?;
    let sent = request.body(&TAG)?;
    let tag: TagId = request.needed(&Doc::new().set("it", sent), "it", NameKind::Tag, "Tag")?;
    let outcome = request.submit(AttachTag { tag, to }).await?;
    let attached = request.found(outcome.world.tags.get(&tag), 0)?;
    created(&request, &TAG, &tagged_view(&request, member, attached))
}

async fn detach(request: Arc<ApiRequest>) -> Handled {
    let (to, _) = tagged(&request)?;
    let tag = tag_of(&request, to, &request.world)?.id;
    remove(&request, DetachTag { tag, to }).await
}
