//! The embedded store: one SQLite file with one writing connection and a few that read.
//!
//! An append is one transaction and one fsync (WAL, `synchronous = FULL`). A connection that met an error of the disk is given up and
//! opened again at the next append, so that the log is back when the disk is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use futures_util::TryStreamExt;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::query::Query;
use sqlx::sqlite::{
    Sqlite, SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row, SqlSafeStr};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::chain::{Chain, GENESIS, Hash, Link};
use super::chunk::Chunk;
use super::{AppendError, Appended, Batch, Cause, EventLog, Head, NewRecord, Pending, Record, Unavailable};
use crate::store::file::KnownFile;
use crate::store::sqlite::{connected, in_portions, insert, inserts, options, readers, stored, unavailable};

/// The file's name below the data directory.
pub const FILE_NAME: &str = "events.db";

/// The version of the tables that this program reads and writes.
const FORMAT_VERSION: &str = "1";

/// The writer's page cache in KiB. An index by stream is written at random: with SQLite's 2 MB its pages would be read again each time.
const WRITER_CACHE_KIB: u32 = 64 * 1024;

/// After how many pages the write-ahead log is moved into the file. Four times SQLite's default: a page that is written often is then
/// moved less often.
const CHECKPOINT_PAGES: u32 = 4000;

/// Up to how many records one statement appends, which is a transaction by itself: each statement changes threads twice, which costs about
/// as much as writing a row, and where few write at a time it is what their answers wait for.
const SMALL_BATCH: usize = 64;

/// How many statements a connection keeps prepared: one for each size of a small batch, and the others.
const PREPARED: usize = SMALL_BATCH + 64;

const EVENT_COLUMNS: &str =
    "position, stream, version, kind, schema, recorded_at, actor, correlation_id, causation, payload, hash";
/// A statement for each size of a small batch.
static INSERT_SMALL_BATCH: LazyLock<Vec<Arc<str>>> =
    LazyLock::new(|| (1..=SMALL_BATCH).map(|records| insert("INSERT", "events", EVENT_COLUMNS, records).into()).collect());

static INSERT_EVENTS: LazyLock<[Arc<str>; 4]> = LazyLock::new(|| inserts("INSERT", "events", EVENT_COLUMNS));

/// Records as `Chunk::parse` reads them. Positions have no gaps, so that a range needs no LIMIT and no subquery.
macro_rules! chunk_query {
    ($hash:literal) => {
        concat!(
            "SELECT CAST(group_concat(concat_ws(char(31), position, version, schema, recorded_at, coalesce(causation, ''), ",
            "octet_length(stream), octet_length(kind), octet_length(actor), octet_length(correlation_id), octet_length(payload), ",
            $hash,
            "stream, kind, actor, correlation_id, payload), char(31)) AS BLOB) FROM events WHERE position > ? AND position <= ?"
        )
    };
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A later version of this program has written it.
    #[error("the event log {path} was written by a newer version of this program ({detail})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// What is unknown about it.
        detail: String,
    },
    /// It is not the log that was asked for.
    #[error("the event log {path} belongs to the installation {found} and not to {wanted}")]
    Other {
        /// The file.
        path: PathBuf,
        /// Its installation.
        found: Uuid,
        /// Whose it should be.
        wanted: Uuid,
    },
    /// There is none, and it was to be read only.
    #[error("there is no event log at {0}")]
    Missing(PathBuf),
    /// The store fails.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The log in an SQLite file.
#[derive(Debug)]
pub struct SqliteLog {
    installation_id: Uuid,
    file: KnownFile,
    writer: Mutex<Writer>,
    readers: SqlitePool,
}

/// The one connection that writes.
#[derive(Debug)]
struct Writer {
    file: KnownFile,
    /// Where what was appended stands first.
    wal_path: PathBuf,
    /// The write-ahead log of the connection; None before its first append.
    wal: Option<KnownFile>,
    options: SqliteConnectOptions,
    /// None before the first append and after a failure.
    connection: Option<SqliteConnection>,
    /// What the file says is the last record; None when that has to be read again: after a failure, and when an append was dropped.
    head: Option<Head>,
    chain: Chain,
}

/// The schema's versions, oldest first: what each adds, and its text. One that was released never changes.
const MIGRATIONS: [(i64, &str, &str); 3] = [
    (1, "event log", include_str!("../../migrations/sqlite/0001_event_log.sql")),
    (2, "audit log moves out", include_str!("../../migrations/sqlite/0002_audit_log_moves_out.sql")),
    (3, "head", include_str!("../../migrations/sqlite/0003_head.sql")),
];

/// What sqlx's macro would make of them; the macro's crate would have SQLite compiled a second time.
fn migrations() -> Migrator {
    let migration = |(version, adds, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, adds.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.into_iter().map(migration).collect())
}

impl SqliteLog {
    /// Opens the log below a data directory, and makes it where there is none. Who calls it holds the directory's `EngineLock`.
    ///
    /// # Errors
    ///
    /// `Newer` where a later version of this program has written it; `Unavailable` where the file cannot be opened, read or
    /// brought to the present tables.
    pub async fn open(data: &Path) -> Result<Self, OpenError> {
        Self::open_as(data, None).await
    }

    /// The same for an installation that may be known.
    ///
    /// # Errors
    ///
    /// `Other` where the log is another installation's; else as `open`.
    pub async fn open_as(data: &Path, installation: Option<Uuid>) -> Result<Self, OpenError> {
        let path = data.join(FILE_NAME);
        let options = options(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
            .statement_cache_capacity(PREPARED);
        let mut connection = options.connect().await.map_err(unavailable)?;
        migrations().run(&mut connection).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::VersionMissing(_) | sqlx::migrate::MigrateError::VersionMismatch(_) => {
                OpenError::Newer { path: path.clone(), detail: error.to_string() }
            }
            sqlx::migrate::MigrateError::Execute(error) => unavailable(error).into(),
            sqlx::migrate::MigrateError::ExecuteMigration(error, _) => unavailable(error).into(),
            other => Unavailable { cause: Cause::Other, detail: other.to_string() }.into(),
        })?;
        sqlx::query("INSERT INTO meta (key, value) VALUES ('installation_id', ?) ON CONFLICT DO NOTHING")
            .bind(installation.unwrap_or_else(Uuid::new_v4).to_string())
            .execute(&mut connection)
            .await
            .map_err(unavailable)?;
        // When it has to be opened again, a file that is gone must not be replaced by an empty one.
        let log = Self::with(&path, options.create_if_missing(false), Some(connection), false).await?;
        match installation {
            Some(wanted) if wanted != log.installation_id => Err(OpenError::Other { path, found: log.installation_id, wanted }),
            _ => Ok(log),
        }
    }

    /// Opens a log that an engine may be writing to, for reading. Appends fail.
    ///
    /// # Errors
    ///
    /// `Missing` where there is none; `Newer` and `Unavailable` as `open`.
    pub async fn open_read_only(data: &Path) -> Result<Self, OpenError> {
        let path = data.join(FILE_NAME);
        if !path.exists() {
            return Err(OpenError::Missing(path));
        }
        let writer = options(&path).read_only(true);
        match Self::with(&path, writer.clone(), None, false).await {
            // Readers beside a writer share a file with it, which read-only media do not let them make. Nobody writes there either.
            Err(OpenError::Unavailable(_)) if is_whole(&path) => Self::with(&path, writer, None, true).await,
            opened => opened,
        }
    }

    async fn with(
        path: &Path,
        writer: SqliteConnectOptions,
        connection: Option<SqliteConnection>,
        immutable: bool,
    ) -> Result<Self, OpenError> {
        let readers = readers(path, immutable).await?;
        let version: String = fact(&readers, "format_version").await?;
        if version != FORMAT_VERSION {
            return Err(OpenError::Newer { path: path.to_owned(), detail: format!("format version {version}") });
        }
        let installation_id = Uuid::parse_str(&fact(&readers, "installation_id").await?)
            .map_err(|error| Unavailable { cause: Cause::Corrupt, detail: format!("installation id: {error}") })?;
        let file = KnownFile::at(path)?;
        let wal_path = beside(path, "-wal");
        let writer =
            Writer { file: file.clone(), wal_path, wal: None, options: writer, connection, head: None, chain: Chain::default() };
        Ok(Self { installation_id, file, writer: Mutex::new(writer), readers })
    }

    async fn chunk(&self, query: &'static str, after: u64, max: usize, with_hashes: bool) -> Result<Chunk, Unavailable> {
        let until = after.saturating_add(u64::try_from(max).unwrap_or(u64::MAX));
        let row =
            sqlx::query(query).bind(stored(after)).bind(stored(until)).fetch_one(&self.readers).await.map_err(unavailable)?;
        let bytes: Option<Vec<u8>> = row.try_get(0).map_err(unavailable)?;
        Chunk::parse(bytes.unwrap_or_default(), with_hashes)
    }
}

impl Writer {
    /// Appends a batch. On any failure but a conflict the connection is given up.
    async fn append(&mut self, batch: &Batch, expected: Option<&[Hash]>) -> Result<Appended, AppendError> {
        // A file that was put in this one's place must not even be opened: closing it would take the write-ahead log away from this one.
        if let Err(gone) = self.file.check() {
            self.give_up().await;
            return Err(gone.into());
        }
        let head = self.head().await?;
        self.check().await?;
        if head.position != batch.expected_head {
            return Err(self.conflict(batch).await?);
        }
        let (Some(last), false) = (head.position.checked_add(batch.records.len() as u64), batch.records.is_empty()) else {
            self.head = Some(head);
            return Ok(Appended { first: head.position + 1, last: head.position });
        };
        let mut hashes = Vec::with_capacity(batch.records.len());
        let mut previous = head.hash;
        for (position, record) in (head.position + 1..).zip(&batch.records) {
            previous = self.chain.hash(&previous, &record.link(position));
            hashes.push(previous);
        }
        if let Some(expected) = expected
            && let Some(wrong) = hashes.iter().zip(expected).position(|(hash, expected)| hash != expected)
        {
            self.head = Some(head);
            let detail = format!("the record at position {} does not continue the chain", head.position + 1 + wrong as u64);
            return Err(Unavailable { cause: Cause::Corrupt, detail }.into());
        }
        match self.write(head, batch, &hashes).await {
            Ok(()) => {
                // What went into a file that is gone must not be answered with success.
                self.check().await?;
                self.head = Some(Head { position: last, hash: previous });
                Ok(Appended { first: head.position + 1, last })
            }
            Err(error) => {
                // Whatever was begun is rolled back with the connection.
                self.give_up().await;
                if moved_on(&error) { Err(self.conflict(batch).await?) } else { Err(unavailable(error).into()) }
            }
        }
    }

    /// Whether the connection's files are still those that their paths lead to; else it is given up.
    async fn check(&mut self) -> Result<(), Unavailable> {
        let checked = self.file.check().and_then(|()| match &self.wal {
            Some(wal) => wal.check(),
            None => KnownFile::at(&self.wal_path).map(|wal| self.wal = Some(wal)),
        });
        if checked.is_err() {
            self.give_up().await;
        }
        checked
    }

    /// One transaction; a constraint is broken if the head is not what it is thought to be.
    async fn write(&mut self, head: Head, batch: &Batch, hashes: &[Hash]) -> Result<(), sqlx::Error> {
        let connection = connected(&mut self.connection, &self.options).await?;
        let mut records = (head.position + 1..).zip(batch.records.iter().zip(hashes));
        let mut insert = |rows: usize, sql: &Arc<str>| {
            let query = sqlx::query(AssertSqlSafe(Arc::clone(sql)));
            let rows = records.by_ref().take(rows);
            rows.fold(query, |query, (position, (record, hash))| bind_record(query, position, record, hash))
        };
        let count = batch.records.len();
        if let Some(sql) = count.checked_sub(1).and_then(|at| INSERT_SMALL_BATCH.get(at)) {
            // Its result is all that it yields, and comes when it is durable; to be told that nothing follows would be one more wait.
            return connection.fetch_many(insert(count, sql)).try_next().await.map(drop);
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for (rows, sql) in in_portions(count, &INSERT_EVENTS) {
            insert(rows, sql).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// The last record. It is taken out: an append puts it back when it has succeeded.
    async fn head(&mut self) -> Result<Head, Unavailable> {
        if let Some(head) = self.head.take() {
            return Ok(head);
        }
        let read = match connected(&mut self.connection, &self.options).await {
            Ok(connection) => sqlx::query(SELECT_HEAD).fetch_one(connection).await,
            Err(error) => Err(error),
        };
        match read.and_then(|row| head_of(&row)) {
            Ok(head) => Ok(head),
            Err(error) => {
                self.give_up().await;
                Err(unavailable(error))
            }
        }
    }

    /// What has changed since a batch was decided.
    async fn conflict(&mut self, batch: &Batch) -> Result<AppendError, Unavailable> {
        self.head = None;
        let head = self.head().await?;
        let result = async {
            let connection = connected(&mut self.connection, &self.options).await?;
            let mut streams = Vec::new();
            let written = batch.records.iter().map(|record| (&record.stream, record.version.saturating_sub(1)));
            for (stream, version) in batch.read.iter().map(|(stream, version)| (stream, *version)).chain(written) {
                let now = sqlx::query("SELECT version FROM events WHERE stream = ? AND version > ? LIMIT 1")
                    .bind(stream.as_str())
                    .bind(stored(version))
                    .fetch_optional(&mut *connection)
                    .await?;
                if now.is_some() && !streams.contains(stream) {
                    streams.push(stream.clone());
                }
            }
            Ok(streams)
        };
        match result.await {
            Ok(streams) => {
                self.head = Some(head);
                Ok(AppendError::Conflict { head: head.position, streams })
            }
            Err(error) => {
                self.give_up().await;
                Err(unavailable(error))
            }
        }
    }

    /// Closes the connection, which rolls back what it may have been doing.
    async fn give_up(&mut self) {
        self.head = None;
        self.wal = None;
        if let Some(connection) = self.connection.take() {
            // What goes wrong with a connection that is given up anyway changes nothing.
            let _ = connection.close().await;
        }
    }
}

impl From<Record> for NewRecord {
    fn from(record: Record) -> Self {
        Self {
            stream: record.stream,
            version: record.version,
            kind: record.kind.into(),
            schema: record.schema,
            recorded_at: record.recorded_at,
            actor: record.actor,
            correlation_id: record.correlation_id,
            causation: record.causation,
            payload: record.payload,
        }
    }
}

/// The path of a file that SQLite keeps beside a database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether all of a database is in its file: nothing waits in a write-ahead log.
fn is_whole(path: &Path) -> bool {
    std::fs::metadata(beside(path, "-wal")).map_or(true, |wal| wal.len() == 0)
}

impl NewRecord {
    fn link(&self, position: u64) -> Link<'_> {
        Link {
            position,
            stream: &self.stream,
            version: self.version,
            kind: &self.kind,
            schema: self.schema,
            recorded_at: self.recorded_at,
            actor: &self.actor,
            correlation_id: &self.correlation_id,
            causation: self.causation,
            payload: &self.payload,
        }
    }
}

/// Halves the log until the time is found: times rise with positions, so that no index is needed.
const SEARCH_TIME: &str = "WITH RECURSIVE search (low, high) AS (
    SELECT 0, position FROM head
    UNION ALL
    SELECT iif(recorded_at <= ?1, (low + high + 1) / 2, low), iif(recorded_at <= ?1, high, (low + high - 1) / 2)
    FROM search JOIN events ON position = (low + high + 1) / 2 WHERE low < high
) SELECT low FROM search WHERE low = high";

const SELECT_HEAD: &str = "SELECT position, hash FROM head WHERE id = 1";

async fn fact(readers: &SqlitePool, key: &'static str) -> Result<String, Unavailable> {
    sqlx::query_scalar("SELECT value FROM meta WHERE key = ?").bind(key).fetch_one(readers).await.map_err(unavailable)
}

fn bind_record<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    position: u64,
    record: &'q NewRecord,
    hash: &'q Hash,
) -> Query<'q, Sqlite, SqliteArguments> {
    query
        .bind(stored(position))
        .bind(record.stream.as_str())
        .bind(stored(record.version))
        .bind(record.kind.as_ref())
        .bind(record.schema)
        .bind(record.recorded_at)
        .bind(record.actor.as_str())
        .bind(Arc::clone(&record.correlation_id))
        .bind(record.causation.map(stored))
        .bind(record.payload.as_str())
        .bind(hash.as_slice())
}

fn hash_of(row: &SqliteRow, column: usize) -> Result<Hash, sqlx::Error> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|_| sqlx::Error::Decode("a hash has 32 bytes".into()))
}

fn head_of(row: &SqliteRow) -> Result<Head, sqlx::Error> {
    Ok(Head { position: row.try_get(0)?, hash: hash_of(row, 1)? })
}

fn record_of(row: &SqliteRow) -> Result<Record, sqlx::Error> {
    Ok(Record {
        position: row.try_get(0)?,
        stream: row.try_get(1)?,
        version: row.try_get(2)?,
        kind: row.try_get(3)?,
        schema: row.try_get(4)?,
        recorded_at: row.try_get(5)?,
        actor: row.try_get(6)?,
        correlation_id: row.try_get::<&str, _>(7)?.into(),
        causation: row.try_get(8)?,
        payload: row.try_get(9)?,
        hash: hash_of(row, 10)?,
    })
}

/// Whether an append failed because the log is not where it was thought to be: its head, or a stream's version.
fn moved_on(error: &sqlx::Error) -> bool {
    use sqlx::error::ErrorKind::{NotNullViolation, UniqueViolation};
    error.as_database_error().is_some_and(|error| matches!(error.kind(), NotNullViolation | UniqueViolation))
}

impl EventLog for SqliteLog {
    fn installation_id(&self) -> Uuid {
        self.installation_id
    }

    fn append(&self, batch: Batch) -> Pending<'_, Result<Appended, AppendError>> {
        Box::pin(async move { self.writer.lock().await.append(&batch, None).await })
    }

    fn import(&self, records: Vec<Record>) -> Pending<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            let hashes: Vec<Hash> = records.iter().map(|record| record.hash).collect();
            let expected_head = records.first().map_or(0, |record| record.position.saturating_sub(1));
            let records = records.into_iter().map(NewRecord::from).collect();
            let batch = Batch { records, read: Vec::new(), expected_head };
            self.writer.lock().await.append(&batch, Some(&hashes)).await
        })
    }

    fn head(&self) -> Pending<'_, Result<Head, Unavailable>> {
        Box::pin(async move {
            let row = sqlx::query(SELECT_HEAD).fetch_one(&self.readers).await.map_err(unavailable)?;
            head_of(&row).map_err(unavailable)
        })
    }

    fn read(&self, after: u64, max: usize) -> Pending<'_, Result<Vec<Record>, Unavailable>> {
        Box::pin(async move {
            let sql = "SELECT position, stream, version, kind, schema, recorded_at, actor, correlation_id, causation, payload, hash \
                       FROM events WHERE position > ? ORDER BY position LIMIT ?";
            let query = sqlx::query(sql).bind(stored(after)).bind(i64::try_from(max).unwrap_or(i64::MAX));
            let rows = query.fetch_all(&self.readers).await.map_err(unavailable)?;
            rows.iter().map(record_of).collect::<Result<_, _>>().map_err(unavailable)
        })
    }

    fn read_chunk(&self, after: u64, max: usize) -> Pending<'_, Result<Chunk, Unavailable>> {
        Box::pin(self.chunk(chunk_query!(""), after, max, false))
    }

    fn read_chunk_with_hashes(&self, after: u64, max: usize) -> Pending<'_, Result<Chunk, Unavailable>> {
        Box::pin(self.chunk(chunk_query!("hex(hash), "), after, max, true))
    }

    fn position_at(&self, time: i64) -> Pending<'_, Result<u64, Unavailable>> {
        Box::pin(async move {
            let found =
                sqlx::query_scalar::<_, u64>(SEARCH_TIME).bind(time).fetch_optional(&self.readers).await.map_err(unavailable)?;
            Ok(found.unwrap_or(0))
        })
    }

    fn hash_at(&self, position: u64) -> Pending<'_, Result<Option<Hash>, Unavailable>> {
        Box::pin(async move {
            if position == 0 {
                return Ok(Some(GENESIS));
            }
            let query = sqlx::query("SELECT hash FROM events WHERE position = ?").bind(stored(position));
            let row = query.fetch_optional(&self.readers).await.map_err(unavailable)?;
            row.map(|row| hash_of(&row, 0)).transpose().map_err(unavailable)
        })
    }

    fn check(&self) -> Pending<'_, Result<(), Unavailable>> {
        Box::pin(async { self.file.check() })
    }

    /// The last connection moves what is in the write-ahead log into the file.
    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            self.readers.close().await;
            self.writer.lock().await.give_up().await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::fixtures::{batch, record};

    async fn open() -> (tempfile::TempDir, SqliteLog) {
        let data = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(data.path()).await.unwrap();
        (data, log)
    }

    #[tokio::test]
    async fn what_is_appended_is_read() {
        let (data, log) = open().await;
        assert_eq!(log.append(batch(0, 700)).await, Ok(Appended { first: 1, last: 700 }));
        assert_eq!(log.append(batch(700, 3)).await, Ok(Appended { first: 701, last: 703 }));
        let records = log.read(0, 1000).await.unwrap();
        assert_eq!(records.iter().map(|record| record.position).collect::<Vec<_>>(), (1..=703).collect::<Vec<_>>());
        assert_eq!(records[4].payload, record(5).payload);
        let chunk = log.read_chunk_with_hashes(0, 1000).await.unwrap();
        assert_eq!(chunk.len(), 703);
        for (one, other) in records.iter().zip(chunk.records()) {
            assert_eq!(
                (one.position, &*one.stream, one.version, &*one.kind),
                (other.position, other.stream, other.version, other.kind)
            );
            assert_eq!((&*one.actor, &*one.correlation_id, one.causation), (other.actor, other.correlation_id, other.causation));
            assert_eq!((&*one.payload, Some(one.hash)), (other.payload, other.hash));
        }
        assert_eq!(log.head().await.unwrap(), Head { position: 703, hash: records[702].hash });

        let id = log.installation_id();
        log.close().await;
        let log = SqliteLog::open(data.path()).await.unwrap();
        assert_eq!(log.installation_id(), id);
        assert_eq!(log.append(batch(703, 1)).await, Ok(Appended { first: 704, last: 704 }));
    }

    #[tokio::test]
    async fn a_batch_decided_on_an_old_log_is_refused() {
        let (_data, log) = open().await;
        log.append(batch(0, 3)).await.unwrap();
        let mut late = batch(0, 1);
        late.records[0].stream = "vm-new".into();
        late.read = vec![(record(2).stream, 0), (record(3).stream, record(3).version), ("vm-none".into(), 0)];
        let conflict = AppendError::Conflict { head: 3, streams: vec![record(2).stream] };
        assert_eq!(log.append(late).await, Err(conflict));
        assert_eq!(log.head().await.unwrap().position, 3);
    }

    #[tokio::test]
    async fn a_version_is_taken_once() {
        let (_data, log) = open().await;
        log.append(batch(0, 3)).await.unwrap();
        let mut twice = batch(3, 2);
        twice.records[1] = record(2);
        assert_eq!(log.append(twice).await, Err(AppendError::Conflict { head: 3, streams: vec![record(2).stream] }));
        assert_eq!(log.append(batch(3, 1)).await, Ok(Appended { first: 4, last: 4 }));
    }

    #[tokio::test]
    async fn a_time_leads_to_a_position() {
        let (_data, log) = open().await;
        assert_eq!(log.position_at(i64::MAX).await, Ok(0));
        log.append(batch(0, 100)).await.unwrap();
        assert_eq!(log.position_at(record(1).recorded_at - 1).await, Ok(0));
        for position in 1..=100 {
            assert_eq!(log.position_at(record(position).recorded_at).await, Ok(position));
        }
        assert_eq!(log.position_at(i64::MAX).await, Ok(100));
    }

    /// Has the writing connection opened again with a pragma.
    async fn reopen_with(log: &SqliteLog, key: &'static str, value: &'static str) {
        let mut writer = log.writer.lock().await;
        writer.give_up().await;
        writer.options = writer.options.clone().pragma(key, value);
    }

    async fn refused(log: &SqliteLog, batch: Batch) -> Cause {
        match log.append(batch).await {
            Err(AppendError::Unavailable(unavailable)) => unavailable.cause,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_full_disk_refuses_the_whole_batch_until_there_is_room() {
        let (_data, log) = open().await;
        log.append(batch(0, 10)).await.unwrap();
        reopen_with(&log, "max_page_count", "60").await;
        for _ in 0..3 {
            assert_eq!(refused(&log, batch(10, 1000)).await, Cause::Full);
            assert_eq!(log.head().await.unwrap().position, 10);
            assert_eq!(log.read(0, 1000).await.unwrap().len(), 10);
        }
        assert_eq!(log.append(batch(10, 1)).await, Ok(Appended { first: 11, last: 11 }));
        reopen_with(&log, "max_page_count", "1000000").await;
        assert_eq!(log.append(batch(11, 1000)).await, Ok(Appended { first: 12, last: 1011 }));
        assert_eq!(crate::log::verify(&log, &mut |_, _| {}).await.unwrap().finding, None);
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_written_is_still_read() {
        let (_data, log) = open().await;
        log.append(batch(0, 10)).await.unwrap();
        reopen_with(&log, "query_only", "1").await;
        assert_eq!(refused(&log, batch(10, 5)).await, Cause::ReadOnly);
        assert_eq!(log.read(0, 100).await.unwrap().len(), 10);
        reopen_with(&log, "query_only", "0").await;
        assert_eq!(log.append(batch(10, 5)).await, Ok(Appended { first: 11, last: 15 }));
    }

    #[tokio::test]
    async fn a_disk_that_was_away_and_came_back_serves_again() {
        let (data, log) = open().await;
        log.append(batch(0, 10)).await.unwrap();
        let disk = data.path();
        let away = disk.with_extension("away");
        log.writer.lock().await.give_up().await;
        std::fs::rename(disk, &away).unwrap();
        assert_eq!(refused(&log, batch(10, 5)).await, Cause::Gone);
        std::fs::create_dir(disk).unwrap();
        assert_eq!(refused(&log, batch(10, 5)).await, Cause::Gone, "no new log comes up in place of the old one");
        std::fs::remove_dir(disk).unwrap();
        std::fs::rename(&away, disk).unwrap();
        assert_eq!(log.append(batch(10, 5)).await, Ok(Appended { first: 11, last: 15 }));
    }

    #[tokio::test]
    async fn a_file_that_was_removed_or_replaced_takes_nothing_until_it_is_back() {
        let (data, log) = open().await;
        log.append(batch(0, 10)).await.unwrap();
        let (path, away) = (data.path().join(FILE_NAME), data.path().join("away"));
        std::fs::rename(&path, &away).unwrap();
        assert_eq!(log.check().await.unwrap_err().cause, Cause::Gone);
        assert_eq!(refused(&log, batch(10, 5)).await, Cause::Gone);
        std::fs::copy(&away, &path).unwrap();
        assert_eq!(log.check().await.unwrap_err().cause, Cause::Gone, "a copy is another file");
        assert_eq!(refused(&log, batch(10, 5)).await, Cause::Gone);
        std::fs::rename(&away, &path).unwrap();
        assert_eq!(log.check().await, Ok(()));
        assert_eq!(log.append(batch(10, 5)).await, Ok(Appended { first: 11, last: 15 }));
    }

    #[tokio::test]
    async fn a_write_ahead_log_that_was_removed_takes_nothing() {
        let (data, log) = open().await;
        log.append(batch(0, 10)).await.unwrap();
        std::fs::remove_file(data.path().join(format!("{FILE_NAME}-wal"))).unwrap();
        assert_eq!(refused(&log, batch(10, 5)).await, Cause::Gone);
    }

    #[tokio::test]
    async fn a_log_is_read_where_nothing_can_be_written() {
        let (data, log) = open().await;
        log.append(batch(0, 10)).await.unwrap();
        log.close().await;
        // SQLite cannot make the file that readers and writers share, as on read-only media.
        std::fs::create_dir(data.path().join(format!("{FILE_NAME}-shm"))).unwrap();
        let log = SqliteLog::open_read_only(data.path()).await.unwrap();
        assert_eq!(crate::log::verify(&log, &mut |_, _| {}).await.unwrap().sound, 10);
    }

    #[tokio::test]
    async fn a_copy_goes_on_where_it_ended_and_takes_nothing_else() {
        let (_data, log) = open().await;
        log.append(batch(0, 2_500)).await.unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let copy = SqliteLog::open_as(elsewhere.path(), Some(log.installation_id())).await.unwrap();
        for (until, more) in [(1_200, 1_200), (2_500, 1_300), (2_500, 0)] {
            assert_eq!(crate::log::copy(&log, &copy, until, &mut |_, _| {}).await, Ok(more));
        }
        assert_eq!(copy.head().await, log.head().await);
        assert_eq!(crate::log::verify(&copy, &mut |_, _| {}).await.unwrap().finding, None);
        let mut wrong = log.read(0, 1).await.unwrap();
        wrong[0].position = 2_501;
        let refused = copy.import(wrong).await.unwrap_err().to_string();
        assert!(refused.contains("position 2501 does not continue the chain"), "{refused}");
        let (_other, another) = open().await;
        another.append(batch(0, 3_000)).await.unwrap();
        assert!(SqliteLog::open_as(elsewhere.path(), Some(another.installation_id())).await.is_err());
        log.append(batch(2_500, 1)).await.unwrap();
        copy.append(Batch {
            records: vec![NewRecord { payload: "{}".into(), ..record(2_501) }],
            read: vec![],
            expected_head: 2_500,
        })
        .await
        .unwrap();
        assert!(matches!(crate::log::copy(&log, &copy, 2_501, &mut |_, _| {}).await, Err(AppendError::Conflict { .. })));
    }

    #[tokio::test]
    async fn a_damaged_page_is_told_and_what_comes_before_it_is_read() {
        let (data, log) = open().await;
        log.append(batch(0, 2000)).await.unwrap();
        log.close().await;
        let path = data.path().join(FILE_NAME);
        let mut file = std::fs::read(&path).unwrap();
        let needle = b"\"name\":\"M\xc3\xbcller 1000\"";
        let at = file.windows(needle.len()).position(|window| window == needle).unwrap() / 4096 * 4096;
        file[at..at + 4096].fill(0xa5);
        std::fs::write(&path, file).unwrap();

        let log = SqliteLog::open(data.path()).await.unwrap();
        assert_eq!(log.read(0, 2000).await.unwrap_err().cause, Cause::Corrupt);
        assert_eq!(log.read_chunk(0, 2000).await.unwrap_err().cause, Cause::Corrupt);
        assert_eq!(log.read(0, 900).await.unwrap().len(), 900);
        let found = crate::log::verify(&log, &mut |_, _| {}).await.unwrap();
        assert!((900..1000).contains(&found.sound), "{found:?}");
        assert!(matches!(found.finding.unwrap().problem, crate::log::verify::Problem::Unreadable { .. }));
    }

    #[tokio::test]
    async fn an_append_that_is_dropped_half_way_happened_wholly_or_not() {
        let (_data, log) = open().await;
        let mut head = 0;
        for polls in 0..12 {
            let mut append = log.append(batch(head, 300));
            for _ in 0..polls {
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                if append.as_mut().poll(&mut context).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(append);
            match log.append(batch(head, 2)).await {
                Ok(appended) => head = appended.last,
                Err(AppendError::Conflict { head: now, .. }) => {
                    assert_eq!(now, head + 300);
                    head = now;
                }
                Err(error) => panic!("{error}"),
            }
            assert_eq!(log.head().await.unwrap().position, head);
        }
        assert_eq!(crate::log::verify(&log, &mut |_, _| {}).await.unwrap().sound, head);
    }

    #[tokio::test]
    async fn a_reader_beside_the_engine_sees_what_it_appends() {
        let (data, log) = open().await;
        let reader = SqliteLog::open_read_only(data.path()).await.unwrap();
        log.append(batch(0, 10)).await.unwrap();
        assert_eq!(reader.read(0, 100).await.unwrap().len(), 10);
        assert_eq!(reader.installation_id(), log.installation_id());
        assert_eq!(refused(&reader, batch(10, 1)).await, Cause::ReadOnly);
        let nothing = tempfile::tempdir().unwrap();
        assert!(matches!(SqliteLog::open_read_only(nothing.path()).await, Err(OpenError::Missing(_))));
    }

    #[tokio::test]
    async fn a_newer_log_is_left_alone() {
        let (data, log) = open().await;
        log.close().await;
        let mut connection = options(&data.path().join(FILE_NAME)).connect().await.unwrap();
        sqlx::raw_sql("UPDATE meta SET value = '2' WHERE key = 'format_version'").execute(&mut connection).await.unwrap();
        assert!(matches!(SqliteLog::open(data.path()).await, Err(OpenError::Newer { .. })));
        let migrated = "UPDATE meta SET value = '1' WHERE key = 'format_version';
                        INSERT INTO _sqlx_migrations SELECT 9999, 'later', installed_on, success, checksum, 0 FROM _sqlx_migrations LIMIT 1";
        sqlx::raw_sql(migrated).execute(&mut connection).await.unwrap();
        assert!(matches!(SqliteLog::open(data.path()).await, Err(OpenError::Newer { .. })));
    }

    #[tokio::test]
    async fn events_cannot_be_changed_through_sql() {
        let (data, log) = open().await;
        log.append(batch(0, 1)).await.unwrap();
        let mut connection = options(&data.path().join(FILE_NAME)).connect().await.unwrap();
        for sql in ["UPDATE events SET kind = 'Other'", "DELETE FROM events"] {
            let error = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap_err().to_string();
            assert!(error.contains("an event once written is never"), "{error}");
        }
    }
}
