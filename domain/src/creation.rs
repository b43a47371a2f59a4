//! Keys that clients give their creations, so that one that is sent again is not carried out again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::context::Context;
use crate::event::{Event, EventMetadata, Fold, Stream, StreamKind};
use crate::host_net::device_id;
use crate::ids::{JobId, Micros, Position, UserId};
use crate::rejection::{Key, Rejection};
use crate::tables::tables;
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
    /// What was made; keys of before did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
    /// The work that it left to do first, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
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

    /// What was created under the key whose own event stands at a position.
    pub fn at(&self, keyed: Position) -> Option<&Creation> {
        self.by_key.get(self.by_age.get(&keyed)?)
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
    /// What was made; keys of before did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
    /// The first job that was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

impl Fold for CreationKeyed {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, world: &mut World, at: &EventMetadata) {
        let first = at.position.saturating_sub(self.events);
        let mut made = self.made;
        if let Some(Made { kind: MadeKind::Event, id }) = &mut made {
            *id = Uuid::from_u128(first.into());
        }
        let creation =
            Creation { digest: self.digest.clone(), first, keyed: at.position, at: at.at, made, job: self.job, failure: None };
        world.creations.insert(name(self.user, &self.key), creation);
    }
}

/// A creation that its client may send again, without it being carried out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotent {
    /// The client's key.
    pub key: Arc<str>,
    /// The digest of the request in hexadecimal: the same key with another digest is refused.
    pub digest: Arc<str>,
}

/// Refuses a key that was used: `CreationRepeated` for the same request, `CreationKeyReused` for another.
pub(crate) fn check(world: &World, cx: &Context, user: UserId, idempotent: &Idempotent) -> Result<(), Rejection> {
    let Some(earlier) = world.creations.find(user, &idempotent.key, cx.now) else { return Ok(()) };
    let key = if earlier.digest == idempotent.digest { Key::CreationRepeated } else { Key::CreationKeyReused };
    Err(Rejection::new(key).with("key", &idempotent.key))
}

/// Adds to the events of a creation that it came under a key; where there was nothing to do, nothing is remembered.
pub(crate) fn remember(user: UserId, idempotent: &Idempotent, made: Option<Made>, events: &mut Vec<Event>) {
    if !events.is_empty() {
        let Idempotent { key, digest } = idempotent.clone();
        let job = events.iter().find_map(|event| match event {
            Event::JobOpened(opened) => Some(opened.job),
            _ => None,
        });
        events.push(CreationKeyed { user, key, digest, events: events.len() as u64, made, job }.into());
    }
}

/// What a creation made, by its kind and the identifier that it has among its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its kind.
    pub kind: MadeKind,
    /// Its identifier; a permit's number and, once it is appended, a reported event's position stand in the low bits.
    pub id: Uuid,
}

macro_rules! made_kinds {
    (
        entities { $($(#[$entity_attr:meta])* $entity:ident $entity_name:literal $entity_one:ident $entity_many:ident: $EntityId:ident => $Entity:ty, $entity_called:literal;)* }
        records { $($(#[$record_attr:meta])* $record:ident $record_name:literal $record_one:ident $record_many:ident: $RecordId:ident => $Record:ty, $record_called:literal;)* }
        parts { $($(#[$part_attr:meta])* $part_one:ident $part_many:ident: $PartId:ident => $Part:ty, $part_called:literal;)* }
    ) => {
        /// What clients can create: aggregates, and what one of them has of another.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)]
        pub enum MadeKind {
            $($entity,)*
            $($record,)*
            AssignedNetwork,
            AttachedConnection,
            AttachedDisk,
            AttachedStorageDomain,
            AttachedTag,
            Event,
            ExternalJob,
            ExternalStep,
            HostNic,
            Nic,
            Permit,
            QuotaLimit,
        }

        impl MadeKind {
            /// The kind of an aggregate that is new with an event of its stream.
            fn of(stream: StreamKind) -> Option<Self> {
                match stream {
                    StreamKind::System => None,
                    $(StreamKind::$entity => Some(Self::$entity),)*
                    $(StreamKind::$record => Some(Self::$record),)*
                }
            }
        }
    };
}

tables!(made_kinds);

macro_rules! made {
    ($($event:ident $kind:ident |$e:ident| $id:expr;)*) => {
        impl Made {
            /// What an event tells of as new; none where it creates nothing that a client can ask for.
            pub fn by(event: &Event) -> Option<Self> {
                match event {
                    $(Event::$event($e) => Some(Self { kind: MadeKind::$kind, id: $id }),)*
                    _ => {
                        let fold = event.as_fold();
                        let stream = fold.creates().then(|| fold.stream())?;
                        Some(Self { kind: MadeKind::of(stream.kind)?, id: stream.id })
                    }
                }
            }
        }
    };
}

// What is not an aggregate of its own.
made! {
    DiskAttached AttachedDisk |e| e.attachment.disk.0;
    ExternalEventReported Event |_e| Uuid::nil();
    ExternalJobAdded ExternalJob |e| e.job.0;
    ExternalStepAdded ExternalStep |e| e.step;
    HostBondSet HostNic |e| device_id(e.host, &e.bond.name).0;
    NetworkAssigned AssignedNetwork |e| e.network.network.0;
    NicAdded Nic |e| e.nic.id.0;
    RolePermitAdded Permit |e| Uuid::from_u128(e.permit.id().into());
    StorageConnectionAttached AttachedConnection |e| e.connection.0;
    StorageDomainAttached AttachedStorageDomain |e| e.domain.0;
    TagAttached AttachedTag |e| e.tag.0;
}
