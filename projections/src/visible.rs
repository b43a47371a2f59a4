//! What a user may see who is no administrator: what the user, a group of the user's or Everyone holds a permission on.

use std::collections::BTreeSet;

use evirt_domain::World;
use evirt_domain::access::{EVERYONE, Holder, Object, is_administrator, object_path};
use evirt_domain::ids::UserId;

/// Whether a user may see an object: administrators see everything, others what they hold any permission on, or on
/// something above it. Costs a walk over the permissions; for a whole list there is [`Visible`].
pub fn may_see(world: &World, user: UserId, object: Object) -> bool {
    Visible::to(world, user).contains(world, object)
}

/// What one user may see, made ready for many questions.
#[derive(Clone, Debug)]
pub struct Visible {
    /// The objects that the user holds a permission on; none where the user sees everything.
    held: Option<BTreeSet<Object>>,
}

impl Visible {
    /// What a user may see. Costs a walk over the permissions.
    pub fn to(world: &World, user: UserId) -> Self {
        if is_administrator(world, user) {
            return Self { held: None };
        }
        // Who is not known sees nothing, not even what Everyone may.
        let Some(account) = world.users.get(&user) else { return Self { held: Some(BTreeSet::new()) } };
        let holds = |holder| match holder {
            Holder::User(id) => id == user,
            Holder::Group(id) => id == EVERYONE || account.groups.contains(&id),
        };
        let held = world.permissions.values().filter(|permission| holds(permission.holder));
        Self { held: Some(held.map(|permission| permission.object).collect()) }
    }

    /// Whether it is everything.
    pub fn is_everything(&self) -> bool {
        self.held.is_none()
    }

    /// Whether an object belongs to it. Costs a look-up for each object above.
    pub fn contains(&self, world: &World, object: Object) -> bool {
        match &self.held {
            None => true,
            Some(held) => object_path(world, object).iter().any(|above| held.contains(above)),
        }
    }
}
