//! The engine's own coming and going, for those who read the log.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::command::Decide;
use crate::context::{Actor, Context};
use crate::event::{Event, EventMetadata, Fold, Stream, StreamKind};
use crate::rejection::{Key, Rejection};
use crate::world::World;

/// An engine began to serve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineStarted {
    /// Version of evirt.
    pub version: String,
}

/// The engine stopped serving in good order; one that was killed leaves no word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineStopped {}

/// What an engine keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// The event log.
    EventLog,
    /// The audit log, which is computed from it.
    AuditLog,
}

/// Something that is kept was found to be other than it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DamageFound {
    /// Which.
    pub kept: Kept,
    /// Where and what is wrong.
    pub problem: String,
}

impl Fold for EngineStarted {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, _: &mut World, _: &EventMetadata) {}
}

impl Fold for EngineStopped {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, _: &mut World, _: &EventMetadata) {}
}

impl Fold for DamageFound {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, _: &mut World, _: &EventMetadata) {}
}

/// Tells of the engine's start or stop, and of what it finds in its files; nobody but the engine does.
#[derive(Clone, Debug)]
pub enum TellOfService {
    /// It serves from now on.
    Start,
    /// It serves no more.
    Stop,
    /// What it keeps is damaged.
    Damage(DamageFound),
}

impl Decide for TellOfService {
    fn decide(&self, _: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        if cx.actor != Actor::System {
            return Err(Key::NotAuthorized.into());
        }
        Ok(vec![match self {
            Self::Start => EngineStarted { version: env!("CARGO_PKG_VERSION").into() }.into(),
            Self::Stop => EngineStopped {}.into(),
            Self::Damage(found) => found.clone().into(),
        }])
    }
}
