//! Keys that clients give their creations, so that one that is sent again is not carried out again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::EntityRef;
use crate::command::Decide;
use crate::context::{Actor, Context};
use crate::event::{Event, EventMetadata, Fold, Stream, StreamKind};
use crate::ids::{Micros, Position, UserId};
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::World;

/// How many keys are remembered; beyond, the oldest are forgotten.
pub const MAX_CREATION_KEYS: usize = 10_000;
/// How long a key is remembered, in microseconds.
pub const KEEP_CREATION_KEYS: Micros = 24 * 60 * 60 * 1_000_000;
/// The longest key, in characters.
pub const MAX_CREATION_KEY: usize = 255;

/// What was created under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// Of the request, in hexadecimal.
    pub digest: Arc<str>,
    /// The position of the first event of the creation.
    pub first: Position,
    /// The position of the key's own event, which follows them.
    pub keyed: Position,
    /// When.
    pub at: Micros,
    /// Why the work came to nothing that it left to do, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Arc<str>>,
}

/// The keys in use, each behind its user's identifier, and in the order of their age.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Creations {
    by_key: imbl::OrdMap<Arc<str>, Creation>,
    by_age: imbl::OrdMap<Position, Arc<str>>,
}

impl Creations {
    /// What a user created under a key, unless that was too long ago.
    pub fn find(&self, user: UserId, key: &str, now: Micros) -> Option<&Creation> {
        self.by_key.get(&name(user, key)).filter(|creation| now - creation.at < KEEP_CREATION_KEYS)
    }

    /// Remembers that the work came to nothing that was begun at a position, where a creation under a key began it.
    pub(crate) fn fail(&mut self, begun: Position, why: &str) {
        let Some((_, key)) = self.by_age.get_next(&begun) else { return };
        if let Some(creation) = self.by_key.get_mut(key).filter(|creation| creation.first <= begun) {
            creation.failure = Some(why.into());
        }
    }

    fn insert(&mut self, name: Arc<str>, creation: Creation) {
        let (at, now) = (creation.keyed, creation.at);
        if let Some(old) = self.by_key.insert(name.clone(), creation) {
            self.by_age.remove(&old.keyed);
        }
        self.by_age.insert(at, name);
        while let Some((oldest, key)) = self.by_age.get_min().cloned() {
            let expired = self.by_key.get(&key).is_none_or(|creation| now - creation.at >= KEEP_CREATION_KEYS);
            if self.by_age.len() <= MAX_CREATION_KEYS && !expired {
                break;
            }
            self.by_age.remove(&oldest);
            self.by_key.remove(&key);
        }
    }
}

/// A user's key among everybody's.
fn name(user: UserId, key: &str) -> Arc<str> {
    format!("{user} {key}").into()
}

/// Something was created under a key: the events before this one, so many of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreationKeyed {
    /// Whose key it is.
    pub user: UserId,
    /// The key.
    pub key: Arc<str>,
    /// Of the request, in hexadecimal.
    pub digest: Arc<str>,
    /// How many events the creation has.
    pub events: u64,
}

impl Fold for CreationKeyed {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, world: &mut World, at: &EventMetadata) {
        let first = at.position.saturating_sub(self.events);
        let creation = Creation { digest: self.digest.clone(), first, keyed: at.position, at: at.at, failure: None };
        world.creations.insert(name(self.user, &self.key), creation);
    }
}

/// A command that creates something, under a key.
#[derive(Debug)]
pub struct Keyed<C> {
    /// What is wanted.
    pub command: C,
    /// The key.
    pub key: Arc<str>,
    /// Of the request, in hexadecimal: the same key with another is refused.
    pub digest: Arc<str>,
}

impl<C: Decide> Decide for Keyed<C> {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let Actor::User(user) = cx.actor else { return self.command.decide(world, cx) };
        if let Some(earlier) = world.creations.find(user, &self.key, cx.now) {
            let key = if earlier.digest == self.digest { Key::CreationRepeated } else { Key::CreationKeyReused };
            return Err(Rejection::new(key).with("key", &self.key));
        }
        let mut events = self.command.decide(world, cx)?;
        if !events.is_empty() {
            let (key, digest) = (self.key.clone(), self.digest.clone());
            events.push(CreationKeyed { user, key, digest, events: events.len() as u64 }.into());
        }
        Ok(events)
    }

    fn permit(&self, world: &World) -> Option<(Permit, EntityRef)> {
        self.command.permit(world)
    }

    fn further_permits(&self, world: &World) -> Vec<(Permit, EntityRef)> {
        self.command.further_permits(world)
    }
}
