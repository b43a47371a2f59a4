//! Between the domain's events and the log's records.

use std::sync::Arc;

use evirt_domain::context::Actor;
use evirt_domain::event::{Event, RecordedEvent};
use evirt_domain::ids::UserId;
use uuid::Uuid;

use crate::log::chain::Link;
use crate::log::{Cause, NewRecord, Unavailable};

/// What the log calls the engine itself.
const SYSTEM: &str = "system";
/// What the log writes before a user's id.
const USER: &str = "user:";

/// An event as it is appended.
pub(super) fn record(recorded: &RecordedEvent) -> NewRecord {
    NewRecord {
        stream: recorded.stream.to_string(),
        version: recorded.version,
        kind: recorded.event.kind().into(),
        schema: recorded.event.schema(),
        recorded_at: recorded.recorded_at,
        actor: match recorded.actor {
            Actor::System => SYSTEM.to_owned(),
            Actor::User(user) => format!("{USER}{user}"),
        },
        correlation_id: recorded.correlation_id.clone(),
        causation: recorded.causation,
        payload: recorded.event.payload(),
    }
}

/// Reads records; remembers the last correlation id, which neighbours often share.
#[derive(Default)]
pub(super) struct Decoder {
    correlation_id: Option<Arc<str>>,
}

impl Decoder {
    /// An event as it was appended, of whatever schema version.
    ///
    /// # Errors
    ///
    /// `Corrupt` where the record is no event that this program knows, with its position.
    pub(super) fn event(&mut self, link: &Link<'_>) -> Result<RecordedEvent, Unavailable> {
        let corrupt =
            |detail: String| Unavailable { cause: Cause::Corrupt, detail: format!("position {}: {detail}", link.position) };
        let actor = match link.actor.strip_prefix(USER) {
            Some(id) => Actor::User(UserId(Uuid::parse_str(id).map_err(|error| corrupt(error.to_string()))?)),
            None if link.actor == SYSTEM => Actor::System,
            None => return Err(corrupt(format!("{:?} is no actor", link.actor))),
        };
        Ok(RecordedEvent {
            position: link.position,
            stream: link.stream.parse().map_err(corrupt)?,
            version: link.version,
            recorded_at: link.recorded_at,
            actor,
            correlation_id: self.correlation_id(link.correlation_id),
            causation: link.causation,
            event: Event::decode(link.kind, link.schema, link.payload).map_err(|error| corrupt(error.to_string()))?,
        })
    }

    fn correlation_id(&mut self, text: &str) -> Arc<str> {
        match &self.correlation_id {
            Some(last) if **last == *text => last.clone(),
            _ => self.correlation_id.insert(text.into()).clone(),
        }
    }
}
