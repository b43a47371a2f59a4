//! Tags: the guide's chapter 23. They form a tree below the root tag and are attached to VMs, hosts, users and groups.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::ids::*;
use crate::index::{GroupTerm, HostTerm, UserTerm, VmTerm, not_indexed};
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::{NameKind, World};

/// What it takes at least to tag a user or a group, whichever it may be.
pub fn tag_account() -> Option<Permit> {
    Some(TAG_ACCOUNT)
}

const TAG_ACCOUNT: Permit = Permit::ManipulateUsers;

/// The tag above all others.
pub const ROOT: TagId = TagId(Uuid::nil());

patchable! {
    /// What a user says of a tag.
    pub struct TagConfig, TagPatch {
        /// What it is called.
        pub name: String,
        /// What it is, for a human.
        pub description: String,
        /// None for the root only.
        pub parent: Option<TagId>,
    }
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    /// Identifier.
    pub id: TagId,
    /// Version of the resource.
    pub version: u64,
    /// What a user says of it.
    pub config: TagConfig,
}

not_indexed!(Tag);

/// What a tag is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Tagged {
    Vm(VmId),
    Host(HostId),
    User(UserId),
    Group(GroupId),
}

impl Tagged {
    /// Changes the tags of what it names.
    fn change(self, world: &mut World, change: impl FnOnce(&mut Vec<TagId>)) {
        match self {
            Self::Vm(id) => world.vms.update(&id, |v| change(&mut v.tags)),
            Self::Host(id) => world.hosts.update(&id, |h| change(&mut h.tags)),
            Self::User(id) => world.users.update(&id, |u| change(&mut u.tags)),
            Self::Group(id) => world.groups.update(&id, |g| change(&mut g.tags)),
        }
    }

    /// The tags of what it names, or the refusal that it does not exist.
    pub fn tags(self, world: &World) -> Result<Vec<TagId>, Rejection> {
        Ok(match self {
            Self::Vm(id) => world.vm(id)?.tags.clone(),
            Self::Host(id) => world.host(id)?.tags.clone(),
            Self::User(id) => world.user(id)?.tags.clone(),
            Self::Group(id) => world.group(id)?.tags.clone(),
        })
    }

    fn permit(self) -> Option<(Permit, EntityRef)> {
        Some(match self {
            Self::Vm(id) => (Permit::EditVmProperties, EntityRef::Vm(id)),
            Self::Host(id) => (Permit::EditHostConfiguration, EntityRef::Host(id)),
            Self::User(_) | Self::Group(_) => (TAG_ACCOUNT, EntityRef::System),
        })
    }
}

/// A tag with all that are below it.
pub fn descendants(world: &World, tag: TagId) -> Vec<TagId> {
    let mut found = vec![tag];
    let mut next = 0;
    while next < found.len() {
        let above = found[next];
        found.extend(world.tags.values().filter(|t| t.config.parent == Some(above) && t.id != above).map(|t| t.id));
        next += 1;
    }
    found
}

/// A tag was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagCreated {
    /// Which tag.
    pub tag: TagId,
    /// What a user says of it.
    pub config: TagConfig,
}

fold!(TagCreated, new Tag tag, |e, world, at| {
    world.take_name(NameKind::Tag, &e.config.name, e.tag.0);
    world.tags.insert(e.tag, Tag { id: e.tag, version: at.version, config: e.config.clone() });
});

/// A tag was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagUpdated {
    /// Which tag.
    pub tag: TagId,
    /// What changes of it.
    pub changes: TagPatch,
}

fold!(TagUpdated, Tag tag, |e, world, at| {
    if let (Some(new), Some(old)) = (&e.changes.name, world.tags.get(&e.tag).map(|t| t.config.name.clone())) {
        world.rename(NameKind::Tag, &old, new, e.tag.0);
    }
    world.tags.update(&e.tag, |t| { t.config.apply(&e.changes); t.version = at.version; });
});

/// A tag was removed, and taken off all that had it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagRemoved {
    /// Which tag.
    pub tag: TagId,
    /// What it was called.
    pub name: String,
}

fold!(TagRemoved, Tag tag, |e, world, at| {
    if let Some(old) = world.tags.remove(&e.tag) {
        world.drop_name(NameKind::Tag, &old.config.name, e.tag.0);
    }
    world.close_stream(StreamKind::Tag, e.tag.0);
});

macro_rules! attachment {
    ($(#[$doc:meta])* $name:ident, |$tag:ident, $tags:ident| $change:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            /// Which tag.
            pub tag: TagId,
            /// What the tag is on, or was.
            pub to: Tagged,
        }

        fold!($name, Tag tag, |e, world, at| {
            let $tag = e.tag;
            e.to.change(world, |$tags| $change);
            world.tags.update(&e.tag, |t| t.version = at.version);
        });
    };
}

attachment! {
    /// A tag was attached to something.
    TagAttached, |tag, tags| if !tags.contains(&tag) { tags.push(tag) }
}
attachment! {
    /// A tag was taken off something.
    TagDetached, |tag, tags| tags.retain(|t| *t != tag)
}

fn check(act: Act, world: &World, id: Option<TagId>, config: &TagConfig) -> Result<(), Rejection> {
    check::name(act, &config.name, check::MEDIUM_NAME)?;
    check::text(act, "description", &config.description, check::MAX_TEXT)?;
    if world.resolve(NameKind::Tag, &config.name).is_some_and(|other| Some(TagId(other)) != id) {
        return Err(act.no(Key::TagNameInUse));
    }
    let parent = config.parent.unwrap_or(ROOT);
    world.tag(parent)?;
    if id.is_some_and(|id| descendants(world, id).contains(&parent)) {
        return Err(act.no(Key::TagCycle));
    }
    Ok(())
}

/// Creates a tag.
#[derive(Clone, Debug)]
pub struct CreateTag {
    /// What a user says of it.
    pub config: TagConfig,
}

impl Decide for CreateTag {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        check(Act("add", "Tag"), world, None, &self.config)?;
        let config = TagConfig { parent: Some(self.config.parent.unwrap_or(ROOT)), ..self.config.clone() };
        Ok(vec![TagCreated { tag: cx.fresh(0), config }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConfigureEngine, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::ConfigureEngine)
    }
}

/// Changes a tag.
#[derive(Clone, Debug)]
pub struct UpdateTag {
    /// Which tag.
    pub tag: TagId,
    /// What changes of it.
    pub changes: TagPatch,
}

impl Decide for UpdateTag {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("update", "Tag");
        let current = world.tag(self.tag)?;
        let mut changes = self.changes.clone();
        if self.tag != ROOT && changes.parent == Some(None) {
            changes.parent = Some(Some(ROOT));
        }
        let changes = changes.reduce(&current.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        if self.tag == ROOT {
            return Err(act.no(Key::TagRoot));
        }
        let mut wanted = current.config.clone();
        wanted.apply(&changes);
        check(act, world, Some(self.tag), &wanted)?;
        Ok(vec![TagUpdated { tag: self.tag, changes }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConfigureEngine, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::ConfigureEngine)
    }
}

/// Removes a tag and all below it.
#[derive(Clone, Debug)]
pub struct RemoveTag {
    /// Which tag.
    pub tag: TagId,
}

impl Decide for RemoveTag {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        world.tag(self.tag)?;
        if self.tag == ROOT {
            return Err(Act("remove", "Tag").no(Key::TagRoot));
        }
        let mut events: Vec<Event> = Vec::new();
        for id in descendants(world, self.tag).into_iter().rev() {
            let tagged = (world.vms.ids_by(VmTerm::Tag(id)).map(Tagged::Vm))
                .chain(world.hosts.ids_by(HostTerm::Tag(id)).map(Tagged::Host))
                .chain(world.users.ids_by(UserTerm::Tag(id)).map(Tagged::User))
                .chain(world.groups.ids_by(GroupTerm::Tag(id)).map(Tagged::Group));
            events.extend(tagged.map(|to| Event::from(TagDetached { tag: id, to })));
            events.push(TagRemoved { tag: id, name: world.tag(id)?.config.name.clone() }.into());
        }
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConfigureEngine, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::ConfigureEngine)
    }
}

/// Attaches a tag to something.
#[derive(Clone, Debug)]
pub struct AttachTag {
    /// Which tag.
    pub tag: TagId,
    /// What gets it.
    pub to: Tagged,
}

impl Decide for AttachTag {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        world.tag(self.tag)?;
        let there = self.to.tags(world)?.contains(&self.tag);
        Ok(if there { Vec::new() } else { vec![TagAttached { tag: self.tag, to: self.to }.into()] })
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        self.to.permit()
    }
}

/// Takes a tag off something.
#[derive(Clone, Debug)]
pub struct DetachTag {
    /// Which tag.
    pub tag: TagId,
    /// What loses it.
    pub to: Tagged,
}

impl Decide for DetachTag {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        if !self.to.tags(world)?.contains(&self.tag) {
            return Err(crate::rejection::not_found(format_args!("Tag: id={}", self.tag)));
        }
        Ok(vec![TagDetached { tag: self.tag, to: self.to }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        self.to.permit()
    }
}
