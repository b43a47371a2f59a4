//! Deciding: how a command is turned into events, or refused.

use uuid::Uuid;

use crate::access::{EntityRef, allowed};
use crate::context::{Actor, Context};
use crate::creation::Made;
use crate::event::Event;
use crate::external_step;
use crate::intent::Intent;
use crate::job;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::World;

/// A command: what somebody wants. What it needs to know of the outside (does this host take this password, does this
/// export mount) was asked before and is part of it.
pub trait Decide: std::fmt::Debug + Send + Sync {
    /// The events that carry the command out, or why it is refused. Pure: the same World and context give the same answer.
    /// No events: there is nothing to do.
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection>;

    /// What the caller has to hold, and on what; none where anybody may, or only the engine asks.
    fn permit(&self, _world: &World) -> Option<(Permit, EntityRef)> {
        None
    }

    /// What the caller has to hold beside that, each on an object of its own, such as the network that an interface is put on.
    fn further_permits(&self, _world: &World) -> Vec<(Permit, EntityRef)> {
        Vec::new()
    }

    /// What it has made, where it creates something and these are its events: the first that they tell of, unless the command knows better.
    fn made(&self, events: &[Event]) -> Option<Made> {
        events.iter().find_map(Made::by)
    }

    /// What it takes at least, on whatever it may be. A caller who holds it on nothing is refused before anything is looked up on the
    /// caller's behalf, so that nobody is told what exists, and no host or storage is asked. None where there is nothing to hide.
    fn least() -> Option<Permit>
    where
        Self: Sized,
    {
        None
    }
}

/// Two commands as one: both are carried out, or neither is. Each is decided on the World as it was before, so that they have to be about
/// different things.
#[derive(Debug)]
pub struct Both<A, B>(pub A, pub B);

impl<A: Decide, B: Decide> Decide for Both<A, B> {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events = self.0.decide(world, cx)?;
        // What the second one derives must not be what the first one did.
        events.extend(self.1.decide(world, &Context { seed: cx.fresh::<Uuid>(1 << 62).as_u128(), ..cx.clone() })?);
        Ok(events)
    }

    fn permit(&self, world: &World) -> Option<(Permit, EntityRef)> {
        self.0.permit(world)
    }

    fn further_permits(&self, world: &World) -> Vec<(Permit, EntityRef)> {
        let of_second = self.1.permit(world).into_iter().chain(self.1.further_permits(world));
        self.0.further_permits(world).into_iter().chain(of_second).collect()
    }
}

/// Decides an intent: first whether the caller may, then the command itself and what comes with it, and then what follows for whoever
/// leads the jobs that it ends.
///
/// Refused with `NotAuthorized`, and as [`Intent`] says.
pub fn decide(world: &World, cx: &Context, intent: &Intent) -> Result<Vec<Event>, Rejection> {
    if let Actor::User(user) = cx.actor
        && !intent.permits(world).into_iter().all(|(permit, object)| allowed(world, user, permit, object))
    {
        return Err(Key::NotAuthorized.into());
    }
    let mut events = intent.decide(world, cx)?;
    job::end_once(world, &mut events);
    events.extend(external_step::ends(world, &events));
    Ok(events)
}
