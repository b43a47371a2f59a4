//! Tags: names in a tree that VMs, hosts and users may carry.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::Object;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::ids::*;
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::{NameKind, World};

/// The tag above all others.
pub const ROOT: TagId = TagId(Uuid::nil());

patchable! {
    /// What a user says of a tag.
    #[derive(Default)]
    pub struct TagConfig, TagPatch {
        pub name: String,
        pub description: String,
        /// Only the root has none.
        pub parent: Option<TagId>,
    }
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    pub id: TagId,
    pub version: u64,
    #[serde(flatten)]
    pub config: TagConfig,
}

impl std::ops::Deref for Tag {
    type Target = TagConfig;

    fn deref(&self) -> &TagConfig {
        &self.config
    }
}

/// What carries a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tagged {
    Vm(VmId),
    Host(HostId),
    User(UserId),
}

impl Tagged {
    /// Its tags; refused where it does not exist.
    pub fn tags(self, world: &World) -> Result<&[TagId], Rejection> {
        Ok(match self {
            Self::Vm(id) => &world.vm(id)?.tags,
            Self::Host(id) => &world.host(id)?.tags,
            Self::User(id) => &world.user(id)?.tags,
        })
    }

    /// Changes its tags in a fold. Its version stays: that is its own stream's.
    fn change(self, world: &mut World, change: impl FnOnce(&mut Vec<TagId>)) {
        match self {
            Self::Vm(id) => world.vms.update(&id, |v| change(&mut v.tags)),
            Self::Host(id) => world.hosts.update(&id, |h| change(&mut h.tags)),
            Self::User(id) => world.users.update(&id, |u| change(&mut u.tags)),
        }
    }
}

/// What carries a tag itself.
pub fn carriers(world: &World, tag: TagId) -> Vec<Tagged> {
    let vms = world.vms.values().filter(|v| v.tags.contains(&tag)).map(|v| Tagged::Vm(v.id));
    let hosts = world.hosts.values().filter(|h| h.tags.contains(&tag)).map(|h| Tagged::Host(h.id));
    let users = world.users.values().filter(|u| u.tags.contains(&tag)).map(|u| Tagged::User(u.id));
    vms.chain(hosts).chain(users).collect()
}

/// The tags below a tag, parents before their children; without the tag itself.
pub fn descendants(world: &World, tag: TagId) -> Vec<TagId> {
    let mut found = vec![tag];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        let children: Vec<TagId> = world.tags.values().filter(|t| t.parent == Some(parent)).map(|t| t.id).collect();
        found.extend(children.into_iter().filter(|id| !found.contains(id)).collect::<Vec<_>>());
        next += 1;
    }
    found.remove(0);
    found
}

/// A tag was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagCreated {
    pub tag: TagId,
    pub config: TagConfig,
}

fold!(TagCreated, Tag tag, |e, world, at| {
    world.take_name(NameKind::Tag, &e.config.name, e.tag.0);
    world.tags.insert(e.tag, Tag { id: e.tag, version: at.version, config: e.config.clone() });
});

/// A tag was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagUpdated {
    pub tag: TagId,
    pub changes: TagPatch,
}

fold!(TagUpdated, Tag tag, |e, world, at| {
    if let (Some(new), Some(old)) = (&e.changes.name, world.tags.get(&e.tag).map(|t| t.name.clone())) {
        world.rename(NameKind::Tag, &old, new, e.tag.0);
    }
    world.tags.update(&e.tag, |t| { t.config.apply(&e.changes); t.version = at.version; });
});

/// A tag was removed; whatever carried it does no more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagRemoved {
    pub tag: TagId,
    pub name: String,
}

fold!(TagRemoved, Tag tag, |e, world, at| {
    for to in carriers(world, e.tag) {
        to.change(world, |tags| tags.retain(|t| *t != e.tag));
    }
    if let Some(old) = world.tags.remove(&e.tag) {
        world.drop_name(NameKind::Tag, &old.name, old.id.0);
    }
    world.close_stream(StreamKind::Tag, e.tag.0);
});

/// Something got a tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagAttached {
    pub tag: TagId,
    pub to: Tagged,
}

fold!(TagAttached, Tag tag, |e, world, at| {
    e.to.change(world, |tags| if !tags.contains(&e.tag) { tags.push(e.tag) });
    world.tags.update(&e.tag, |t| t.version = at.version);
});

/// Something lost a tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagDetached {
    pub tag: TagId,
    pub to: Tagged,
}

fold!(TagDetached, Tag tag, |e, world, at| {
    e.to.change(world, |tags| tags.retain(|t| *t != e.tag));
    world.tags.update(&e.tag, |t| t.version = at.version);
});

fn check(act: Act, world: &World, id: Option<TagId>, config: &TagConfig) -> Result<(), Rejection> {
    check::name(act, &config.name, check::MEDIUM_NAME)?;
    check::text(act, "description", &config.description, check::MAX_TEXT)?;
    if world.exactly_named(NameKind::Tag, &config.name).is_some_and(|other| Some(TagId(other)) != id) {
        return Err(act.no(Key::TagNameInUse));
    }
    world.tag(config.parent.unwrap_or(ROOT)).map(|_| ())
}

const PERMIT: Option<(Permit, Object)> = Some((Permit::ConfigureEngine, Object::System));

/// Creates a tag, below the root unless another parent is given.
#[derive(Clone, Debug)]
pub struct CreateTag {
    pub config: TagConfig,
}

impl Decide for CreateTag {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        check(Act("add", "Tag"), world, None, &self.config)?;
        let config = TagConfig { parent: self.config.parent.or(Some(ROOT)), ..self.config.clone() };
        Ok(vec![TagCreated { tag: cx.fresh(0), config }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        PERMIT
    }
}

/// Changes a tag; a parent of none means the root.
#[derive(Clone, Debug)]
pub struct UpdateTag {
    pub tag: TagId,
    pub changes: TagPatch,
}

impl Decide for UpdateTag {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("edit", "Tag");
        let current = world.tag(self.tag)?;
        if self.tag == ROOT {
            return Err(act.no(Key::TagRoot));
        }
        let mut changes = self.changes.clone();
        changes.parent = changes.parent.map(|parent| parent.or(Some(ROOT)));
        let changes = changes.reduce(&current.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = current.config.clone();
        wanted.apply(&changes);
        check(act, world, Some(self.tag), &wanted)?;
        if wanted.parent.is_some_and(|parent| parent == self.tag || descendants(world, self.tag).contains(&parent)) {
            return Err(act.no(Key::TagCycle));
        }
        Ok(vec![TagUpdated { tag: self.tag, changes }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        PERMIT
    }
}

/// Removes a tag and all below it.
#[derive(Clone, Debug)]
pub struct RemoveTag {
    pub tag: TagId,
}

impl Decide for RemoveTag {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let current = world.tag(self.tag)?;
        if self.tag == ROOT {
            return Err(Act("remove", "Tag").no(Key::TagRoot));
        }
        let below = descendants(world, self.tag).into_iter().rev().filter_map(|id| world.tags.get(&id));
        let removed = |t: &std::sync::Arc<Tag>| TagRemoved { tag: t.id, name: t.name.clone() }.into();
        Ok(below.chain([current]).map(removed).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        PERMIT
    }
}

/// Gives a tag to something.
#[derive(Clone, Debug)]
pub struct AttachTag {
    pub tag: TagId,
    pub to: Tagged,
}

impl Decide for AttachTag {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        world.tag(self.tag)?;
        if self.to.tags(world)?.contains(&self.tag) {
            return Ok(Vec::new());
        }
        Ok(vec![TagAttached { tag: self.tag, to: self.to }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        PERMIT
    }
}

/// Takes a tag from something.
#[derive(Clone, Debug)]
pub struct DetachTag {
    pub tag: TagId,
    pub to: Tagged,
}

impl Decide for DetachTag {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        if !self.to.tags(world)?.contains(&self.tag) {
            return Err(crate::rejection::not_found(format_args!("Tag: id={}", self.tag)));
        }
        Ok(vec![TagDetached { tag: self.tag, to: self.to }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        PERMIT
    }
}
