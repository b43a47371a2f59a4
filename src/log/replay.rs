//! Reading the log from somewhere to somewhere at the speed of the store: chunks are fetched ahead while earlier ones are folded.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{self, JoinHandle};

use super::chunk::Chunk;
use super::{Cause, EventLog, Unavailable};

/// How many records a chunk has.
pub const CHUNK_RECORDS: usize = 512;

/// How many chunks are being fetched at a time.
const FETCHING: usize = 2;

/// How many chunks wait to be taken.
const WAITING: usize = 2;

/// A chunk that is being fetched.
type Fetch = JoinHandle<Result<Chunk, Unavailable>>;

/// A replay under way. Dropping it ends it.
#[derive(Debug)]
pub struct Replay {
    chunks: mpsc::Receiver<Result<Chunk, Unavailable>>,
}

impl Replay {
    /// Starts to read the records after a position, up to and including another: usually the head.
    pub fn start(log: Arc<dyn EventLog>, after: u64, until: u64) -> Self {
        let (sender, chunks) = mpsc::channel(WAITING);
        task::spawn(async move {
            let mut fetching: VecDeque<(u64, u64, Fetch)> = VecDeque::new();
            let mut begun = after;
            loop {
                while begun < until && fetching.len() < FETCHING {
                    let end = begun.saturating_add(CHUNK_RECORDS as u64).min(until);
                    let (log, from) = (Arc::clone(&log), begun);
                    let max = usize::try_from(end - from).unwrap_or(CHUNK_RECORDS);
                    fetching.push_back((from, end, task::spawn(async move { log.read_chunk(from, max).await })));
                    begun = end;
                }
                let Some((from, end, chunk)) = fetching.pop_front() else { break };
                let chunk = match chunk.await {
                    Ok(chunk) => chunk.and_then(|chunk| without_gaps(chunk, from, end)),
                    Err(error) => Err(Unavailable { cause: Cause::Other, detail: error.to_string() }),
                };
                let failed = chunk.is_err();
                if sender.send(chunk).await.is_err() || failed {
                    break;
                }
            }
        });
        Self { chunks }
    }

    /// The next records, or None when all have been read. After an error there is nothing more.
    ///
    /// # Errors
    ///
    /// The store is unavailable, or a record is missing (`Corrupt`).
    pub async fn next(&mut self) -> Option<Result<Chunk, Unavailable>> {
        self.chunks.recv().await
    }

    /// The same for a thread that is outside the runtime: folding is work for one.
    ///
    /// # Errors
    ///
    /// Those of `next`.
    pub fn blocking_next(&mut self) -> Option<Result<Chunk, Unavailable>> {
        self.chunks.blocking_recv()
    }
}

/// A World must not be folded from a log that lacks records.
fn without_gaps(chunk: Chunk, after: u64, until: u64) -> Result<Chunk, Unavailable> {
    match chunk.first_missing(after, until) {
        Some(position) => {
            Err(Unavailable { cause: Cause::Corrupt, detail: format!("the record at position {position} is missing") })
        }
        None => Ok(chunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::SqliteLog;
    use crate::log::fixtures::{batch, record};

    #[tokio::test]
    async fn everything_comes_in_order() {
        let data = tempfile::tempdir().unwrap();
        let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(data.path()).await.unwrap());
        let count = CHUNK_RECORDS as u64 * 3 + 5;
        log.append(batch(0, count)).await.unwrap();
        for (after, until) in [(0, count), (10, count - 1), (count - 1, count), (count, count)] {
            let mut replay = Replay::start(Arc::clone(&log), after, until);
            let mut expected = after + 1;
            while let Some(chunk) = replay.next().await {
                for found in chunk.unwrap().records() {
                    assert_eq!((found.position, found.payload), (expected, record(expected).payload.as_str()));
                    expected += 1;
                }
            }
            assert_eq!(expected, until + 1);
        }
    }

    #[tokio::test]
    async fn a_gap_ends_it() {
        let data = tempfile::tempdir().unwrap();
        let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(data.path()).await.unwrap());
        log.append(batch(0, 5)).await.unwrap();
        let mut replay = Replay::start(log, 0, 6);
        assert_eq!(replay.next().await.unwrap().unwrap_err().cause, Cause::Corrupt);
        assert!(replay.next().await.is_none());
    }
}
