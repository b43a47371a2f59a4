//! Groups of users, and who belongs to them.

use serde::{Deserialize, Serialize};

use super::*;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::index::UserTerm;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::{NameKind, World};

/// A group of users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Identifier.
    pub id: GroupId,
    /// Version of the resource.
    pub version: u64,
    /// Name.
    pub name: String,
    /// The directory that knows it; Everyone is of none.
    pub domain: String,
    /// Tags.
    pub tags: Vec<TagId>,
}

impl Group {
    /// A group without tags.
    pub fn new(id: GroupId, name: &str, domain: &str) -> Self {
        Self { id, version: 0, name: name.into(), domain: domain.into(), tags: Vec::new() }
    }
}

/// A group was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupAdded {
    /// The group as added.
    pub group: Group,
}

fold!(GroupAdded, new Group group.id, |e, world, at| {
    world.take_name(NameKind::Group, &e.group.name, e.group.id.0);
    world.groups.insert(e.group.id, Group { version: at.version, ..e.group.clone() });
});

/// A group was removed. Those who belonged to it do not any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRemoved {
    /// Which.
    pub group: GroupId,
    /// Its name, for those who read the log.
    pub name: String,
}

fold!(GroupRemoved, Group group, |e, world, at| {
    if let Some(group) = world.groups.remove(&e.group) {
        world.drop_name(NameKind::Group, &group.name, e.group.0);
        // The members of a group of another directory are that directory's to name; and it may come back under the same identifier.
        if group.domain == INTERNAL {
            let members: Vec<UserId> = world.members(e.group).map(|user| user.id).collect();
            for user in members {
                world.users.update(&user, |user| user.groups.retain(|own| *own != e.group));
            }
            world.close_stream(StreamKind::Group, e.group.0);
        }
    }
});

/// A user belongs to a group of the internal directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupMemberAdded {
    /// The group.
    pub group: GroupId,
    /// The user.
    pub user: UserId,
}

fold!(GroupMemberAdded, Group group, |e, world, at| {
    world.groups.update(&e.group, |group| group.version = at.version);
    world.users.update(&e.user, |user| user.groups.push(e.group));
});

/// A user does not belong to a group of the internal directory any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupMemberRemoved {
    /// The group.
    pub group: GroupId,
    /// The user.
    pub user: UserId,
}

fold!(GroupMemberRemoved, Group group, |e, world, at| {
    world.groups.update(&e.group, |group| group.version = at.version);
    world.users.update(&e.user, |user| user.groups.retain(|group| *group != e.group));
});

impl World {
    /// The users of a group, as far as they are known here.
    pub fn members(&self, group: GroupId) -> impl Iterator<Item = &std::sync::Arc<User>> {
        let everyone = (group == EVERYONE).then(|| self.users.values());
        let some = (group != EVERYONE).then(|| self.users.by(UserTerm::Group(group)));
        everyone.into_iter().flatten().chain(some.into_iter().flatten())
    }
}

const RIGHT: Option<(Permit, EntityRef)> = Some((Permit::ManipulateUsers, EntityRef::System));

/// Adds a group: a new one of the internal directory, or one that another directory told of.
#[derive(Clone, Debug)]
pub struct AddGroup {
    /// Its name.
    pub name: String,
    /// Which group of which other directory it is.
    pub of: Option<(GroupId, String)>,
    /// Roles to grant on the system at once.
    pub roles: Vec<RoleId>,
}

impl Decide for AddGroup {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "Group");
        let group = match &self.of {
            Some((id, domain)) => {
                check::text(act, "name", &self.name, check::MAX_TEXT)?;
                Group::new(*id, &self.name, domain)
            }
            None => {
                check::name(act, &self.name, check::GROUP_NAME)?;
                Group::new(cx.fresh(0), &self.name, INTERNAL)
            }
        };
        if world.groups.contains(&group.id) || world.resolve(NameKind::Group, &group.name).is_some() {
            return Err(act.no(Key::GroupExists).with("name", group.name));
        }
        let holder = Holder::Group(group.id);
        let mut events: Vec<Event> = vec![GroupAdded { group }.into()];
        events.extend(users::grants(world, cx, holder, &self.roles)?);
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        RIGHT
    }

    fn least() -> Option<Permit> {
        Some(Permit::ManipulateUsers)
    }
}

/// Removes a group and what it holds.
#[derive(Clone, Debug)]
pub struct RemoveGroup {
    /// Which.
    pub group: GroupId,
}

impl Decide for RemoveGroup {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let group = world.group(self.group)?;
        if self.group == EVERYONE {
            return Err(Act("remove", "Group").no(Key::GroupIsEveryone));
        }
        let mut events: Vec<Event> = revocations_of(world, Holder::Group(self.group)).collect();
        events.push(GroupRemoved { group: self.group, name: group.name.clone() }.into());
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        RIGHT
    }

    fn least() -> Option<Permit> {
        Some(Permit::ManipulateUsers)
    }
}

/// Puts a user into a group of the internal directory, or out of it.
#[derive(Clone, Debug)]
pub struct ChangeMember {
    /// The group.
    pub group: GroupId,
    /// The user.
    pub user: UserId,
    /// Whether the user is to belong to it.
    pub belongs: bool,
}

impl Decide for ChangeMember {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let (group, user) = (world.group(self.group)?, world.user(self.user)?);
        if group.domain != INTERNAL {
            let key = if self.group == EVERYONE { Key::GroupIsEveryone } else { Key::GroupElsewhere };
            return Err(Act("change", "Group").no(key));
        }
        let (belonged, Self { group, user, belongs }) = (user.groups.contains(&self.group), self.clone());
        Ok(match (belonged, belongs) {
            (false, true) => vec![GroupMemberAdded { group, user }.into()],
            (true, false) => vec![GroupMemberRemoved { group, user }.into()],
            _ => Vec::new(),
        })
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        RIGHT
    }
}
