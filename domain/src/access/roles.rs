//! Roles: named sets of permits, built in or made by users.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::*;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::index::{PermissionTerm, not_indexed};
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::{NameKind, World};

/// A named set of permits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// Identifier.
    pub id: RoleId,
    /// Version of the resource.
    pub version: u64,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// Whether it lets into the administrative view.
    pub administrative: bool,
    /// Whether it can be changed; built-in roles cannot.
    pub mutable: bool,
    /// Whether its holders see what is below the object that it is on.
    pub shows_children: bool,
    /// What it allows.
    pub permits: Vec<Permit>,
}

not_indexed!(Role);

/// Whether a role of these permits shows what is below the object that it is held on.
pub fn shows_children(permits: &[Permit]) -> bool {
    permits.iter().any(|permit| permit.shows_children())
}

/// A role was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleCreated {
    /// The role as created.
    pub role: Role,
}

fold!(RoleCreated, new Role role.id, |e, world, at| {
    world.take_name(NameKind::Role, &e.role.name, e.role.id.0);
    world.roles.insert(e.role.id, Role { version: at.version, ..e.role.clone() });
});

/// Changes to a role; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RolePatch {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it lets into the administrative view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrative: Option<bool>,
}

/// A role was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleUpdated {
    /// Which.
    pub role: RoleId,
    /// What is new.
    pub changes: RolePatch,
}

fold!(RoleUpdated, Role role, |e, world, at| {
    if let (Some(new), Some(old)) = (&e.changes.name, world.roles.get(&e.role).map(|role| role.name.clone())) {
        world.rename(NameKind::Role, &old, new, e.role.0);
    }
    world.roles.update(&e.role, |role| {
        let RolePatch { name, description, administrative } = e.changes.clone();
        role.name = name.unwrap_or_else(|| std::mem::take(&mut role.name));
        role.description = description.unwrap_or_else(|| std::mem::take(&mut role.description));
        role.administrative = administrative.unwrap_or(role.administrative);
        role.version = at.version;
    });
});

/// A role was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleRemoved {
    /// Which.
    pub role: RoleId,
    /// Its name, for those who read the log.
    pub name: String,
}

fold!(RoleRemoved, Role role, |e, world, at| {
    if let Some(role) = world.roles.remove(&e.role) {
        world.drop_name(NameKind::Role, &role.name, e.role.0);
    }
    world.close_stream(StreamKind::Role, e.role.0);
});

/// A role allows more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolePermitAdded {
    /// Which.
    pub role: RoleId,
    /// What it allows now, too.
    pub permit: Permit,
}

fold!(RolePermitAdded, Role role, |e, world, at| {
    world.roles.update(&e.role, |role| {
        role.permits.push(e.permit);
        role.permits.sort();
        role.permits.dedup();
        role.shows_children = shows_children(&role.permits);
        role.version = at.version;
    });
});

/// A role does not allow something any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolePermitRemoved {
    /// Which.
    pub role: RoleId,
    /// What.
    pub permit: Permit,
}

fold!(RolePermitRemoved, Role role, |e, world, at| {
    world.roles.update(&e.role, |role| {
        role.permits.retain(|permit| *permit != e.permit);
        role.shows_children = shows_children(&role.permits);
        role.version = at.version;
    });
});

const RIGHT: Option<(Permit, EntityRef)> = Some((Permit::ManipulateRoles, EntityRef::System));

fn check_name(act: Act, world: &World, own: Option<RoleId>, name: &str) -> Result<(), Rejection> {
    check::name(act, name, check::ROLE_NAME)?;
    match world.resolve(NameKind::Role, name) {
        Some(other) if Some(RoleId(other)) != own => Err(act.no(Key::NameAlreadyUsed)),
        _ => Ok(()),
    }
}

/// Refuses administrative permits in a role for users.
fn check_permits(act: Act, administrative: bool, permits: &[Permit]) -> Result<(), Rejection> {
    match permits.iter().find(|permit| permit.administrative() && !administrative) {
        Some(permit) => Err(act.no(Key::RolePermitType).with("permit", permit.name())),
        None => Ok(()),
    }
}

/// A role that can be changed.
fn own(act: Act, world: &World, role: RoleId) -> Result<&Role, Rejection> {
    let role = world.role(role)?;
    if role.mutable { Ok(role) } else { Err(act.no(Key::RoleBuiltIn)) }
}

/// Creates a role.
#[derive(Clone, Debug)]
pub struct CreateRole {
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// Whether it lets into the administrative view.
    pub administrative: bool,
    /// What it allows: at least one permit.
    pub permits: Vec<Permit>,
}

impl Decide for CreateRole {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "Role");
        check_name(act, world, None, &self.name)?;
        check::text(act, "description", &self.description, check::MAX_TEXT)?;
        if self.permits.is_empty() {
            return Err(act.no(Key::RoleWithoutPermits));
        }
        check_permits(act, self.administrative, &self.permits)?;
        let mut permits = self.permits.clone();
        permits.sort();
        permits.dedup();
        let role = Role {
            id: cx.fresh(0),
            version: 0,
            name: self.name.clone(),
            description: self.description.clone(),
            administrative: self.administrative,
            mutable: true,
            shows_children: shows_children(&permits),
            permits,
        };
        Ok(vec![RoleCreated { role }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        RIGHT
    }

    fn least() -> Option<Permit> {
        Some(Permit::ManipulateRoles)
    }
}

/// Changes a role.
#[derive(Clone, Debug)]
pub struct UpdateRole {
    /// Which.
    pub role: RoleId,
    /// What is new.
    pub changes: RolePatch,
    /// All that it is to allow, where that changes.
    pub permits: Option<Vec<Permit>>,
}

impl Decide for UpdateRole {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("update", "Role");
        let current = own(act, world, self.role)?;
        let RolePatch { name, description, administrative } = self.changes.clone();
        let changes = RolePatch {
            name: name.filter(|name| *name != current.name),
            description: description.filter(|description| *description != current.description),
            administrative: administrative.filter(|administrative| *administrative != current.administrative),
        };
        if let Some(name) = &changes.name {
            check_name(act, world, Some(self.role), name)?;
        }
        check::text(act, "description", changes.description.as_deref().unwrap_or_default(), check::MAX_TEXT)?;
        if self.permits.as_ref().is_some_and(Vec::is_empty) {
            return Err(act.no(Key::RoleWithoutPermits));
        }
        let permits = self.permits.as_ref().unwrap_or(&current.permits);
        check_permits(act, changes.administrative.unwrap_or(current.administrative), permits)?;
        if changes.administrative == Some(true) && world.permissions.by(PermissionTerm::Role(self.role)).next().is_some() {
            // It makes administrators of its holders.
            super::permissions::check_giver(act, world, cx)?;
        }
        let (role, wanted) = (self.role, permits.iter().copied().collect::<BTreeSet<Permit>>());
        let had: BTreeSet<Permit> = current.permits.iter().copied().collect();
        let mut events: Vec<Event> = Vec::new();
        if changes != RolePatch::default() {
            events.push(RoleUpdated { role, changes }.into());
        }
        events.extend(had.difference(&wanted).map(|permit| RolePermitRemoved { role, permit: *permit }.into()));
        events.extend(wanted.difference(&had).map(|permit| RolePermitAdded { role, permit: *permit }.into()));
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        RIGHT
    }

    fn least() -> Option<Permit> {
        Some(Permit::ManipulateRoles)
    }
}

/// Removes a role that nobody holds. Costs a walk over the permissions.
#[derive(Clone, Debug)]
pub struct RemoveRole {
    /// Which.
    pub role: RoleId,
}

impl Decide for RemoveRole {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Role");
        let role = own(act, world, self.role)?;
        if world.permissions.by(PermissionTerm::Role(self.role)).next().is_some() {
            return Err(act.no(Key::RoleInUse));
        }
        Ok(vec![RoleRemoved { role: self.role, name: role.name.clone() }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        RIGHT
    }

    fn least() -> Option<Permit> {
        Some(Permit::ManipulateRoles)
    }
}

/// Lets a role allow more.
#[derive(Clone, Debug)]
pub struct AddPermit {
    /// Which.
    pub role: RoleId,
    /// What it is to allow.
    pub permit: Permit,
}

impl Decide for AddPermit {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("attach permit to", "Role");
        let role = own(act, world, self.role)?;
        if role.permits.contains(&self.permit) {
            return Err(act.no(Key::RolePermitAttached).with("permit", self.permit.name()));
        }
        check_permits(act, role.administrative, &[self.permit])?;
        Ok(vec![RolePermitAdded { role: self.role, permit: self.permit }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        RIGHT
    }

    fn least() -> Option<Permit> {
        Some(Permit::ManipulateRoles)
    }
}

/// Takes a permit from a role.
#[derive(Clone, Debug)]
pub struct RemovePermit {
    /// Which.
    pub role: RoleId,
    /// What it is not to allow any more.
    pub permit: Permit,
}

impl Decide for RemovePermit {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("detach permit from", "Role");
        let role = own(act, world, self.role)?;
        if !role.permits.contains(&self.permit) {
            return Err(act.no(Key::RolePermitMissing).with("permit", self.permit.name()));
        }
        Ok(vec![RolePermitRemoved { role: self.role, permit: self.permit }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        RIGHT
    }

    fn least() -> Option<Permit> {
        Some(Permit::ManipulateRoles)
    }
}
