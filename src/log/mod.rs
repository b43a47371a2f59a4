//! The event log: raw records in commit order, chained by hashes.
//!
//! The log knows nothing of the domain: a payload is text to it. What is read of it the engine decodes (`evirt_domain::Event::decode`).
//! `EventLog` is what a store must do; `sqlite` is the embedded store. The trait is object-safe (`Arc<dyn EventLog>`): its futures are
//! boxed, which costs one allocation for a batch or a chunk and none for a record.

#![warn(clippy::missing_errors_doc)]

pub mod chain;
pub mod chunk;
pub mod lock;
pub mod replay;
pub mod seal;
pub mod snapshot;
pub mod sqlite;
pub mod verify;

use std::borrow::Cow;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use uuid::Uuid;

pub use chain::{GENESIS, Hash};
pub use chunk::{Chunk, RecordRef};
pub use lock::EngineLock;
pub use replay::Replay;
pub use seal::Sealer;
pub use snapshot::{Snapshot, Snapshots};
pub use sqlite::{OpenError, SqliteLog};
pub use verify::verify;

pub use crate::store::{Cause, Unavailable};

/// How many records are copied in one transaction.
const COPIED_AT_ONCE: usize = 1000;

/// What a log's methods return.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An event that is to be appended.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// Its aggregate's stream, as in `vm-6efc0cfa-8495-4a96-93e5-ee490328cf48`.
    pub stream: String,
    /// Its place in the stream, from 1.
    pub version: u64,
    /// What happened, as in `VmCreated`.
    pub kind: Cow<'static, str>,
    /// The version of the payload's shape.
    pub schema: u32,
    /// When it was decided, in microseconds since 1970.
    pub recorded_at: i64,
    /// Who caused it: `system` or `user:<uuid>`.
    pub actor: String,
    /// The request that it belongs to.
    pub correlation_id: Arc<str>,
    /// The position of the event that led to it.
    pub causation: Option<u64>,
    /// The event as JSON.
    pub payload: String,
}

/// An event as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Record {
    /// Its place in the log, from 1, without gaps.
    pub position: u64,
    pub stream: String,
    pub version: u64,
    pub kind: String,
    pub schema: u32,
    pub recorded_at: i64,
    pub actor: String,
    pub correlation_id: Arc<str>,
    pub causation: Option<u64>,
    pub payload: String,
    /// Covers the previous record's hash and everything above.
    pub hash: Hash,
}

/// What is appended as one: all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The events. The first gets the position `expected_head + 1`.
    pub records: Vec<NewRecord>,
    /// The streams that the decisions read, each with the version that they saw (0: there was none).
    pub read: Vec<(String, u64)>,
    /// The position that the decisions were made at.
    ///
    /// It is the condition of the append: where the log has moved on, nothing is appended and `AppendError::Conflict` tells
    /// which of `read` have changed. While the head is the expected one, no stream can have changed, so they are not looked at.
    pub expected_head: u64,
}

/// Where a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of its first record.
    pub first: u64,
    /// The position of its last record.
    pub last: u64,
}

/// The last record's place and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The position; 0 while the log is empty.
    pub position: u64,
    /// The hash.
    pub hash: Hash,
}

/// Why nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended since the decisions were made: catch up, decide again, try again.
    #[error("the log has moved on to position {head}")]
    Conflict {
        /// Where the log is now.
        head: u64,
        /// Which of the streams that were read or written have changed.
        streams: Vec<String>,
    },
    /// The store failed and nothing of the batch is visible.
    ///
    /// When the failure was in the very act of committing, a store may find on recovery that the batch is durable after all. The next
    /// append is then refused as a conflict and catching up brings the events, so that the World never contradicts the log.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A store for events. All methods can be called at any time from any task; appends queue up. Whatever reads fails with `Unavailable` alone.
pub trait EventLog: Send + Sync + std::fmt::Debug {
    /// Which installation the log belongs to; made when the log was.
    fn installation_id(&self) -> Uuid;

    /// Appends a batch in one transaction; when it returns, the batch is durable.
    ///
    /// # Errors
    ///
    /// `Conflict` where the log has moved on, `Unavailable` where the store failed; either way nothing of the batch is visible.
    fn append(&self, batch: Batch) -> Pending<'_, Result<Appended, AppendError>>;

    /// Appends records as another log of the same installation has them, behind the last one.
    ///
    /// # Errors
    ///
    /// `Unavailable` with `Corrupt` where they do not continue the chain; otherwise as `append`.
    fn import(&self, records: Vec<Record>) -> Pending<'_, Result<Appended, AppendError>>;

    /// The last record's place.
    fn head(&self) -> Pending<'_, Result<Head, Unavailable>>;

    /// At most `max` records after a position, in order.
    fn read(&self, after: u64, max: usize) -> Pending<'_, Result<Vec<Record>, Unavailable>>;

    /// The same in the form that is fastest to read, without the hashes.
    fn read_chunk(&self, after: u64, max: usize) -> Pending<'_, Result<Chunk, Unavailable>>;

    /// The same with the hashes.
    fn read_chunk_with_hashes(&self, after: u64, max: usize) -> Pending<'_, Result<Chunk, Unavailable>>;

    /// The last position that was recorded at a time or before; 0 if there is none. Times are taken to rise with positions.
    fn position_at(&self, time: i64) -> Pending<'_, Result<u64, Unavailable>>;

    /// The hash of the record at a position, if there is one; position 0 has `GENESIS`.
    fn hash_at(&self, position: u64) -> Pending<'_, Result<Option<Hash>, Unavailable>>;

    /// Whether what is stored is still where it was when it was opened, so that what is appended is found again.
    fn check(&self) -> Pending<'_, Result<(), Unavailable>>;

    /// Closes all connections, and leaves what is stored as compact as it gets.
    fn close(&self) -> Pending<'_, ()>;
}

/// Opens the log below a data directory, and makes it where there is none. Who calls it holds the directory's `EngineLock`.
///
/// # Errors
///
/// `Newer` where a later version of this program has written it; `Unavailable` where it cannot be opened, read or brought to the present form.
pub async fn open(data: &Path) -> Result<Arc<dyn EventLog>, OpenError> {
    Ok(Arc::new(SqliteLog::open(data).await?))
}

/// Opens a log that takes an installation's records from another one, and makes it where there is none.
///
/// # Errors
///
/// `Other` where it belongs to another installation; else as `open`.
pub async fn open_copy(directory: &Path, installation: Uuid) -> Result<Arc<dyn EventLog>, OpenError> {
    Ok(Arc::new(SqliteLog::open_as(directory, Some(installation)).await?))
}

/// Copies what one log has behind the end of another, up to a position, and checks the chain on the way. How many records those were.
///
/// # Errors
///
/// `Conflict` and `Corrupt` where the one does not go on where the other ends; a store is unavailable.
pub async fn copy(
    from: &dyn EventLog,
    to: &dyn EventLog,
    until: u64,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<u64, AppendError> {
    let begun = to.head().await?;
    if from.hash_at(begun.position).await? != Some(begun.hash) {
        return Err(AppendError::Conflict { head: begun.position, streams: Vec::new() });
    }
    let mut copied = begun.position;
    while copied < until {
        let most = usize::try_from(until - copied).unwrap_or(COPIED_AT_ONCE).min(COPIED_AT_ONCE);
        let records = from.read(copied, most).await?;
        if records.is_empty() {
            let detail = format!("the record at position {} is missing", copied + 1);
            return Err(Unavailable { cause: Cause::Corrupt, detail }.into());
        }
        copied = to.import(records).await?.last;
        progress(copied, until);
    }
    Ok(copied.saturating_sub(begun.position))
}

/// Opens a log that an engine may be writing to, for reading. Appends fail.
///
/// # Errors
///
/// `Missing` where there is none; `Newer` and `Unavailable` as `open`.
pub async fn open_read_only(data: &Path) -> Result<Arc<dyn EventLog>, OpenError> {
    Ok(Arc::new(SqliteLog::open_read_only(data).await?))
}

#[cfg(test)]
pub(crate) mod fixtures {
    //! Records for the tests of this room: the one for position n is always the same.

    use super::*;

    pub fn record(position: u64) -> NewRecord {
        let vm = Uuid::from_u128(u128::from(position % 10));
        NewRecord {
            stream: format!("vm-{vm}"),
            version: position.div_ceil(10),
            kind: "VmUp".into(),
            schema: 1,
            recorded_at: 1_700_000_000_000_000 + position.cast_signed() * 1_000,
            actor: format!("user:{}", Uuid::from_u128(7)),
            correlation_id: format!("request {position}").into(),
            causation: position.is_multiple_of(3).then(|| position - 1),
            payload: format!(r#"{{"vm":"{vm}","name":"Müller {position}","host":"{}"}}"#, Uuid::from_u128(9)),
        }
    }

    /// The records for the `count` positions after `head`.
    pub fn batch(head: u64, count: u64) -> Batch {
        Batch { records: (head + 1..=head + count).map(record).collect(), read: Vec::new(), expected_head: head }
    }
}
