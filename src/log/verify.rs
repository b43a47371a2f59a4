//! Walks the whole log and computes the chain of hashes again, to find the first record that is not what was written.

use std::time::Duration;

use super::chain::{Chain, GENESIS, Hash};
use super::chunk::{Chunk, RecordRef};
use super::{EventLog, Unavailable};

/// How many records are looked at in one go.
const CHUNK_RECORDS: usize = 4096;

/// How far around a bad record one is looked for that was moved.
const NEIGHBOURS: usize = 1024;

/// What is wrong at a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The record was changed: its hash does not fit it.
    Changed,
    /// The record belongs here that is at another position now: they were swapped or moved.
    Moved {
        /// Where it is now.
        now_at: u64,
    },
    /// The record is missing, and there are later ones.
    Missing,
    /// The record is missing, and so are all later ones up to the head that the log has noted.
    Truncated {
        /// The noted head.
        head: u64,
    },
    /// The record is there, but the log has not noted that it was written.
    Unnoted {
        /// The noted head.
        head: u64,
    },
    /// The record is the last one, and its hash is not the one that the log has noted.
    OtherHead,
    /// The record cannot be read.
    Unreadable {
        /// What the store says.
        detail: String,
    },
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed => write!(f, "the record was changed after it was written"),
            Self::Moved { now_at } => write!(f, "another record stands here; the right one is at position {now_at}"),
            Self::Missing => write!(f, "the record is missing"),
            Self::Truncated { head } => write!(f, "the log ends before this record, but was written up to position {head}"),
            Self::Unnoted { head } => {
                write!(f, "the record was added by another hand: the log was written up to position {head}")
            }
            Self::OtherHead => write!(f, "the last record's hash is not the one that was noted"),
            Self::Unreadable { detail } => write!(f, "the record cannot be read: {detail}"),
        }
    }
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub position: u64,
    /// What.
    pub problem: Problem,
}

/// What a walk through the log has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// How many records are in order, from the first.
    pub sound: u64,
    /// The hash of the last one that is: whoever has noted it elsewhere can compare.
    pub hash: Hash,
    /// What comes after them, if not the end.
    pub finding: Option<Finding>,
}

/// Walks through the log. `progress` hears how many records have been looked at, and of how many.
///
/// # Errors
///
/// The log's head cannot be read. A record that cannot be is a finding.
pub async fn verify(log: &dyn EventLog, progress: &mut (dyn FnMut(u64, u64) + Send)) -> Result<Verification, Unavailable> {
    verify_slowly(log, Duration::ZERO, progress).await
}

/// The same beside others' work: it rests after each few thousand records.
///
/// # Errors
///
/// Those of `verify`.
pub async fn verify_slowly(
    log: &dyn EventLog,
    rest: Duration,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Verification, Unavailable> {
    let head = log.head().await?;
    let mut chain = Chain::default();
    let mut sound = 0;
    let mut hash = GENESIS;
    let ended = |sound, hash, problem| Ok(Verification { sound, hash, finding: Some(Finding { position: sound + 1, problem }) });
    while sound < head.position {
        let chunk = match readable(log, sound, head.position).await {
            Ok(chunk) => chunk,
            Err(error) => return ended(sound, hash, Problem::Unreadable { detail: error.detail }),
        };
        if chunk.is_empty() {
            let more = first_after(log, sound).await;
            let problem = if more { Problem::Missing } else { Problem::Truncated { head: head.position } };
            return ended(sound, hash, problem);
        }
        for record in chunk.records() {
            if record.position != sound + 1 {
                return ended(sound, hash, Problem::Missing);
            }
            let expected = chain.hash(&hash, &record);
            if record.hash != Some(expected) {
                let problem = match moved_to(log, &mut chain, sound, &hash).await {
                    Some(now_at) => Problem::Moved { now_at },
                    None => Problem::Changed,
                };
                return ended(sound, hash, problem);
            }
            hash = expected;
            sound += 1;
        }
        progress(sound, head.position);
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
    }
    if hash != head.hash {
        return Ok(Verification { sound, hash, finding: Some(Finding { position: sound, problem: Problem::OtherHead }) });
    }
    // A running engine appends while this looks, and notes what it appends; what stays beyond the head is by another hand.
    loop {
        let head = log.head().await?.position;
        if !first_after(log, head).await {
            break;
        }
        if log.head().await?.position == head {
            let finding = Finding { position: head + 1, problem: Problem::Unnoted { head } };
            return Ok(Verification { sound, hash, finding: Some(finding) });
        }
    }
    Ok(Verification { sound, hash, finding: None })
}

/// The next records that can be read: fewer and fewer, so that the last sound one before a damage is still found.
async fn readable(log: &dyn EventLog, after: u64, until: u64) -> Result<Chunk, Unavailable> {
    let mut max = usize::try_from(until - after).unwrap_or(CHUNK_RECORDS).min(CHUNK_RECORDS);
    loop {
        match log.read_chunk_with_hashes(after, max).await {
            Err(_) if max > 1 => max /= 2,
            result => return result,
        }
    }
}

/// Whether there is any record after a position; one that cannot be read is one.
async fn first_after(log: &dyn EventLog, after: u64) -> bool {
    log.read(after, 1).await.map_or(true, |records| !records.is_empty())
}

/// Where the record is that belongs after a sound one, if it is near: with its right position it fits the chain.
async fn moved_to(log: &dyn EventLog, chain: &mut Chain, sound: u64, hash: &Hash) -> Option<u64> {
    let fits = |chain: &mut Chain, record: &RecordRef<'_>| {
        let link = super::chain::Link { position: sound + 1, ..record.link };
        record.hash == Some(chain.hash(hash, &link))
    };
    let chunk = log.read_chunk_with_hashes(sound, NEIGHBOURS).await.ok()?;
    chunk.records().find(|record| fits(chain, record)).map(|record| record.position)
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
    use sqlx::{ConnectOptions, Connection};

    use super::*;
    use crate::log::fixtures::batch;
    use crate::log::sqlite::{FILE_NAME, SqliteLog};

    const RECORDS: u64 = 20;
    const FLIPS: u64 = 300;

    /// A log of twenty records that somebody has laid hands on.
    async fn after(tampering: &'static str) -> Verification {
        let data = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(data.path()).await.unwrap();
        log.append(batch(0, RECORDS)).await.unwrap();
        let options = SqliteConnectOptions::new().filename(data.path().join(FILE_NAME));
        let mut connection: SqliteConnection = options.connect().await.unwrap();
        sqlx::raw_sql("DROP TRIGGER events_never_change; DROP TRIGGER events_never_go").execute(&mut connection).await.unwrap();
        sqlx::raw_sql(tampering).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        verify(&log, &mut |_, _| {}).await.unwrap()
    }

    async fn finding_after(tampering: &'static str) -> (u64, Problem) {
        let verification = after(tampering).await;
        let finding = verification.finding.expect("tampering is found");
        (finding.position, finding.problem)
    }

    #[tokio::test]
    async fn what_was_left_alone_is_sound() {
        let verification = after("SELECT 1").await;
        assert_eq!((verification.sound, verification.finding), (RECORDS, None));
    }

    #[tokio::test]
    async fn progress_is_told_up_to_the_end() {
        let data = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(data.path()).await.unwrap();
        let count = CHUNK_RECORDS as u64 + 1;
        log.append(batch(0, count)).await.unwrap();
        let mut told = Vec::new();
        verify(&log, &mut |done, of| told.push((done, of))).await.unwrap();
        assert_eq!(told, [(count - 1, count), (count, count)]);
    }

    #[tokio::test]
    async fn any_changed_column_is_found() {
        for change in [
            "UPDATE events SET payload = replace(payload, 'M', 'L') WHERE position = 7",
            "UPDATE events SET actor = 'system' WHERE position = 7",
            "UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 7",
            "UPDATE events SET causation = 3 WHERE position = 7",
            "UPDATE events SET version = 1000 WHERE position = 7",
            "UPDATE events SET hash = randomblob(32) WHERE position = 7",
        ] {
            assert_eq!(finding_after(change).await, (7, Problem::Changed), "{change}");
        }
    }

    #[tokio::test]
    async fn text_that_is_no_text_any_more_is_found_where_it_is() {
        let (position, problem) = finding_after("UPDATE events SET payload = CAST(x'7bff7d' AS TEXT) WHERE position = 7").await;
        assert!(position == 7 && matches!(problem, Problem::Unreadable { .. }), "{position}: {problem}");
    }

    /// The records of a log whose file has these bytes, and what verifying finds.
    async fn read_and_verify(bytes: &[u8]) -> (Result<Vec<crate::log::Record>, String>, Result<Verification, String>) {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join(FILE_NAME), bytes).unwrap();
        let log = match SqliteLog::open_read_only(data.path()).await {
            Ok(log) => log,
            Err(error) => return (Err(error.to_string()), Err(error.to_string())),
        };
        let verified = verify(&log, &mut |_, _| {}).await.map_err(|error| error.to_string());
        let mut read = Vec::new();
        for position in 0..RECORDS {
            match log.read(position, 1).await {
                Ok(records) => read.extend(records),
                Err(error) => return (Err(error.to_string()), verified),
            }
        }
        log.close().await;
        (Ok(read), verified)
    }

    #[tokio::test]
    async fn every_bit_that_flips_in_a_record_is_found() {
        let data = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(data.path()).await.unwrap();
        log.append(batch(0, RECORDS)).await.unwrap();
        log.close().await;
        let whole = std::fs::read(data.path().join(FILE_NAME)).unwrap();
        let (Ok(written), Ok(sound)) = read_and_verify(&whole).await else { panic!("nothing was changed") };
        assert_eq!((sound.finding, written.len() as u64), (None, RECORDS));
        let (mut within, seed) = (0, rand::random::<u64>());
        for n in 0..FLIPS {
            // SplitMix64: the seed that a failure names leads to the same places.
            let mut place = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            place = (place ^ (place >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            place = (place ^ (place >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            place ^= place >> 31;
            let at = usize::try_from(place >> 3).unwrap() % whole.len();
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (place & 7);
            let (read, verified) = read_and_verify(&flipped).await;
            if read.as_ref() == Ok(&written) {
                continue;
            }
            within += 1;
            let missed = verified.as_ref().is_ok_and(|verification| verification.finding.is_none());
            assert!(!missed, "seed {seed}: bit {} of byte {at} flipped, and nothing was found", place & 7);
        }
        assert!(within > 5, "seed {seed}: only {within} flips were in records");
    }

    #[tokio::test]
    async fn a_deleted_record_is_missed() {
        assert_eq!(finding_after("DELETE FROM events WHERE position = 7").await, (7, Problem::Missing));
        assert_eq!(finding_after("DELETE FROM events WHERE position < 19").await, (1, Problem::Missing));
    }

    #[tokio::test]
    async fn a_deleted_tail_is_missed() {
        assert_eq!(finding_after("DELETE FROM events WHERE position > 15").await, (16, Problem::Truncated { head: 20 }));
        assert_eq!(finding_after("DELETE FROM events").await, (1, Problem::Truncated { head: 20 }));
        let hidden = "DELETE FROM events WHERE position > 15; UPDATE head SET position = 15";
        assert_eq!(finding_after(hidden).await, (15, Problem::OtherHead));
    }

    #[tokio::test]
    async fn an_added_tail_is_noticed() {
        let added = "DROP TRIGGER events_move_the_head;
                     INSERT INTO events SELECT 21, 'vm-x', 1, kind, schema, recorded_at, actor, correlation_id, causation, payload, hash \
                     FROM events WHERE position = 20";
        assert_eq!(finding_after(added).await, (21, Problem::Unnoted { head: 20 }));
    }

    #[tokio::test]
    async fn swapped_records_are_found_with_where_they_went() {
        let swapped = "UPDATE events SET position = -1 WHERE position = 7; UPDATE events SET position = 7 WHERE position = 12; \
                       UPDATE events SET position = 12 WHERE position = -1";
        assert_eq!(finding_after(swapped).await, (7, Problem::Moved { now_at: 12 }));
    }
}
