//! Deciding: how a command is turned into events, or refused.

use crate::access::{EntityRef, allowed};
use crate::context::{Actor, Context};
use crate::event::{Event, Stream};
use crate::job;
use crate::monitored;
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
}

/// Decides a command: first whether the caller may, then the command itself, and then what follows for whoever leads the jobs that it ends.
pub fn decide(world: &World, cx: &Context, command: &dyn Decide) -> Result<Vec<Event>, Rejection> {
    if let Actor::User(user) = cx.actor {
        let mut needed = command.permit(world).into_iter().chain(command.further_permits(world));
        if !needed.all(|(permit, object)| allowed(world, user, permit, object)) {
            return Err(Key::NotAuthorized.into());
        }
    }
    let mut events = command.decide(world, cx)?;
    job::end_once(world, &mut events);
    events.extend(monitored::ends(world, &events));
    Ok(events)
}

/// A command on the condition that streams are at the versions that its caller saw: decided with it, so that nothing can come between.
#[derive(Debug)]
pub struct Expecting<C> {
    /// What is wanted.
    pub command: C,
    /// The streams with their versions; 0 where there is none.
    pub versions: Vec<(Stream, u64)>,
}

impl<C: Decide> Decide for Expecting<C> {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        for (stream, expected) in &self.versions {
            let found = world.version(stream);
            if found != *expected {
                let stale = Rejection::new(Key::VersionStale).with("what", stream);
                return Err(stale.with("found", found).with("expected", expected));
            }
        }
        self.command.decide(world, cx)
    }

    fn permit(&self, world: &World) -> Option<(Permit, EntityRef)> {
        self.command.permit(world)
    }

    fn further_permits(&self, world: &World) -> Vec<(Permit, EntityRef)> {
        self.command.further_permits(world)
    }
}
