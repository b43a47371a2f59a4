//! Events: the list of every kind, the envelope in which the log keeps them, and their JSON.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::context::Actor;
use crate::ids::{Micros, Position};
use crate::tables::{events, tables};
use crate::upcast::{self, upcast};
use crate::world::World;

macro_rules! stream_kinds {
    (
        entities { $($(#[$entity_attr:meta])* $entity:ident $entity_name:literal $entity_one:ident $entity_many:ident: $EntityId:ident => $Entity:ty, $entity_called:literal;)* }
        records { $($(#[$record_attr:meta])* $record:ident $record_name:literal $record_one:ident $record_many:ident: $RecordId:ident => $Record:ty, $record_called:literal;)* }
        parts { $($(#[$part_attr:meta])* $part_one:ident $part_many:ident: $PartId:ident => $Part:ty, $part_called:literal;)* }
    ) => {
        /// The kinds of aggregates, each with streams of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)]
        pub enum StreamKind { System, $($entity,)* $($record,)* }

        impl StreamKind {
            /// Every kind.
            pub const ALL: &'static [StreamKind] = &[Self::System, $(Self::$entity,)* $(Self::$record,)*];

            /// The name, as it begins the stream's.
            pub fn name(self) -> &'static str {
                match self {
                    Self::System => "system",
                    $(Self::$entity => $entity_name,)*
                    $(Self::$record => $record_name,)*
                }
            }
        }
    };
}

tables!(stream_kinds);

/// One aggregate's stream of events: written `vm-6efc0cfa-8495-4a96-93e5-ee490328cf48`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")] // a text, so that it can be the key of a JSON object
pub struct Stream {
    /// The kind of aggregate.
    pub kind: StreamKind,
    /// The aggregate's identifier.
    pub id: Uuid,
}

impl Stream {
    /// The stream of an aggregate.
    pub fn new(kind: StreamKind, id: Uuid) -> Self {
        Self { kind, id }
    }
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.kind.name(), self.id)
    }
}

impl From<Stream> for String {
    fn from(stream: Stream) -> Self {
        stream.to_string()
    }
}

impl TryFrom<String> for Stream {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for Stream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no stream");
        let (kind, id) = text.split_once('-').ok_or_else(bad)?;
        let kind = StreamKind::ALL.iter().copied().find(|k| k.name() == kind).ok_or_else(bad)?;
        Ok(Self { kind, id: Uuid::parse_str(id).map_err(|_| bad())? })
    }
}

/// An event as the log keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its aggregate.
    pub stream: Stream,
    /// Its place in the stream, from 1.
    pub version: u64,
    /// When it was decided.
    pub recorded_at: Micros,
    /// Who caused it.
    pub actor: Actor,
    /// The request that it belongs to.
    pub correlation_id: Arc<str>,
    /// The position of the event that led to it, where a reactor reacted to one.
    pub causation: Option<Position>,
    /// What happened.
    pub event: Event,
}

/// What an event does to the World. Folding validates nothing and cannot fail: what it meets that cannot be is left alone.
pub trait Fold {
    /// The aggregate that it happened to.
    fn stream(&self) -> Stream;
    /// Whether its aggregate is new with it.
    fn creates(&self) -> bool {
        false
    }
    /// Changes the World. `at` is the envelope's time, position and actor.
    fn fold(&self, world: &mut World, at: &EventMetadata);
}

/// What folding may use of the envelope.
#[derive(Clone, Debug)]
pub struct EventMetadata {
    /// The event's position.
    pub position: Position,
    /// The stream's version with it.
    pub version: u64,
    /// When it was recorded.
    pub at: Micros,
    /// Who caused it.
    pub actor: Actor,
    /// The request that it belongs to.
    pub correlation_id: Arc<str>,
}

/// A kind of event.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What the log calls it.
    pub name: &'static str,
    /// The present version of its shape.
    pub schema: u32,
    /// Reads a payload of that version.
    read: fn(&str) -> serde_json::Result<Event>,
}

/// The kinds of events by their names.
static KINDS_BY_NAME: LazyLock<HashMap<&str, &Kind, FixedState>> =
    LazyLock::new(|| Event::KINDS.iter().map(|kind| (kind.name, kind)).collect());

/// Why a payload is no event that this program knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There is no such kind of event.
    #[error("{0} is no kind of event")]
    UnknownKind(String),
    /// A later version of this program has written it.
    #[error("{kind} has schema version {schema}, and this program knows them up to {present}")]
    Newer {
        /// The kind of event.
        kind: String,
        /// The record's schema version.
        schema: u32,
        /// The greatest that is known.
        present: u32,
    },
    /// A step of `upcast::STEPS` is missing.
    #[error("there is no step from schema version {from} of {kind}")]
    NoStep {
        /// The kind of event.
        kind: String,
        /// The version that cannot be left.
        from: u32,
    },
    /// The payload is no JSON, or not of the kind's shape.
    #[error("{kind}: {detail}")]
    Malformed {
        /// The kind of event.
        kind: String,
        /// What is wrong with it.
        detail: String,
    },
}

macro_rules! event_kinds {
    ($($module:ident :: $name:ident $schema:literal,)*) => {
        /// Everything that can happen. Once written an event never changes: a new shape is a new schema version, and old ones are upcast.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)]
        pub enum Event { $($name(Box<crate::$module::$name>),)* }

        $(impl From<crate::$module::$name> for Event {
            fn from(event: crate::$module::$name) -> Self { Self::$name(Box::new(event)) }
        })*

        impl Event {
            /// Every kind.
            pub const KINDS: &'static [Kind] = &[$(Kind {
                name: stringify!($name),
                schema: $schema,
                read: |payload| serde_json::from_str(payload).map(Self::$name),
            },)*];

            /// The kind, as the log names it.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            /// The schema version that it is written with.
            pub fn schema(&self) -> u32 {
                match self { $(Self::$name(_) => $schema,)* }
            }

            /// The payload as JSON.
            pub fn payload(&self) -> String {
                match self { $(Self::$name(event) => serde_json::to_string(event),)* }.unwrap_or_default()
            }

            /// What happened, as the thing that folds.
            pub fn as_fold(&self) -> &dyn Fold {
                match self { $(Self::$name(event) => &**event,)* }
            }
        }
    };
}

impl Event {
    /// Reads a payload of a kind and schema version as the log keeps them, and brings it to the present shape: the one way from a record to
    /// its event.
    ///
    /// # Errors
    ///
    /// The kind or its schema version is unknown, or the payload is malformed.
    pub fn decode(kind: &str, schema: u32, payload: &str) -> Result<Self, DecodeError> {
        let known = KINDS_BY_NAME.get(kind).ok_or_else(|| DecodeError::UnknownKind(kind.to_owned()))?;
        let upcast = upcast(upcast::STEPS, kind, schema, known.schema, payload)?;
        let event = (known.read)(upcast.as_deref().unwrap_or(payload));
        event.map_err(|error| DecodeError::Malformed { kind: kind.to_owned(), detail: error.to_string() })
    }
}

events!(event_kinds);
