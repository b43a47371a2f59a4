//! The audit log's file: one connection that writes, a few that read.
//!
//! What is written here can be computed again, so a commit does not wait for the disk (`synchronous = NORMAL`): after a power loss the file
//! is whole, and stands where the disk had come to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sqlx::query::Query;
use sqlx::sqlite::{
    Sqlite, SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::checksum::Checksum;
use super::{AuditFilter, AuditQuery, AuditRecord, FormerName, Reference, References, Severity};
use evirt_domain::ids::*;

use crate::log::{Cause, Unavailable};
use crate::store::sqlite::{connected, in_portions, inserts, options, readers, stored, unavailable};

/// The file's name below the data directory.
pub const FILE_NAME: &str = "audit.db";

/// The version of the tables that this program reads and writes; a file of another is made anew.
const FORMAT_VERSION: i64 = 4;

/// How many positions are looked at in one go when it is verified.
const VERIFIED_AT_ONCE: u64 = 4_096;

const SCHEMA: &str = include_str!("../../migrations/audit/schema.sql");

/// The writer's page cache in KiB: the indexes are written at random.
const WRITER_CACHE_KIB: u32 = 64 * 1024;

/// After how many pages the write-ahead log is moved into the file: four times SQLite's default.
const CHECKPOINT_PAGES: u32 = 4000;

const COLUMNS: &str = "position, recorded_at, correlation_id, code, severity, message, origin, custom_id, flood_rate, \
                       user, vm, host, template, cluster, data_center, storage_domain, quota";

/// The columns of an entry's references, in the order of `Reference::ALL`, and where the names behind them begin in a row.
const REFERENCES: [&str; 8] = ["user", "vm", "host", "template", "cluster", "data_center", "storage_domain", "quota"];
const FIRST_FORMER: usize = 17;

/// Columns with the names that what an entry is about had and has no more: of each the one that it lost first behind the entry.
static FORMER: LazyLock<String> = LazyLock::new(|| {
    let column = |(n, column): (usize, &str)| {
        format!(
            ", (SELECT name FROM former_name WHERE reference = {n} AND object = page.{column} \
             AND until > page.position ORDER BY until LIMIT 1)"
        )
    };
    REFERENCES.into_iter().enumerate().map(column).collect()
});

// A transaction whose commit reported a failure may be durable after all; then the same entries come once more.
static INSERT: LazyLock<[Arc<str>; 4]> = LazyLock::new(|| inserts("INSERT OR REPLACE", "audit_log", COLUMNS));

const FORMER_COLUMNS: &str = "reference, object, until, position, name, folded";

static INSERT_FORMER: LazyLock<[Arc<str>; 4]> = LazyLock::new(|| inserts("INSERT OR REPLACE", "former_name", FORMER_COLUMNS));

#[derive(Debug)]
pub(super) struct Store {
    options: SqliteConnectOptions,
    writer: Mutex<Writer>,
    readers: SqlitePool,
}

/// The one connection that writes.
#[derive(Debug, Default)]
struct Writer {
    /// None where it has to be opened again, and where the file is only read.
    connection: Option<SqliteConnection>,
    /// The sum of all rows' checksums; None where it has to be read again.
    checksum: Option<Checksum>,
    /// Whether what was written last may be durable although it failed.
    uncertain: bool,
}

/// How far a file is computed.
#[derive(Clone, Copy)]
struct Reached {
    position: u64,
    checksum: Checksum,
}

impl Store {
    /// Opens an installation's audit log, and tells how far it is computed. What is not this installation's, damaged or of another
    /// format is made anew.
    ///
    /// # Errors
    ///
    /// The file is unavailable.
    pub async fn open(data: &Path, installation: Uuid) -> Result<(Self, u64), Unavailable> {
        let path = data.join(FILE_NAME);
        let options = options(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string());
        let existed = path.exists();
        let (mut connection, reached) = match usable(&options, installation).await {
            Ok((connection, reached)) => (Some(connection), reached),
            Err(error) => {
                if existed {
                    tracing::warn!(%error, "the audit log cannot be used and is computed again");
                }
                (None, None)
            }
        };
        if reached.is_none() {
            drop(connection.take());
            remove(&path).map_err(|error| unavailable(error.into()))?;
            connection = Some(create(&options, installation).await.map_err(unavailable)?);
        }
        let Reached { position, checksum } = reached.unwrap_or(Reached { position: 0, checksum: Checksum::default() });
        let store = Self {
            // When it has to be opened again, a file that is gone must not be replaced by an empty one.
            options: options.create_if_missing(false),
            writer: Mutex::new(Writer { connection, checksum: Some(checksum), uncertain: false }),
            readers: readers(&path, false).await?,
        };
        Ok((store, position))
    }

    /// Removes an audit log that lies below a data directory and is not open.
    ///
    /// # Errors
    ///
    /// A file of it cannot be removed.
    pub fn remove(data: &Path) -> Result<(), Unavailable> {
        remove(&data.join(FILE_NAME)).map_err(|error| unavailable(error.into()))
    }

    /// Puts an audit log that is not open below a data directory, in the place of the one there, which is not open either.
    ///
    /// # Errors
    ///
    /// A file cannot be removed or moved.
    pub fn take_place(new: &Path, data: &Path) -> Result<(), Unavailable> {
        Self::remove(data)?;
        fs::rename(new.join(FILE_NAME), data.join(FILE_NAME)).map_err(|error| unavailable(error.into()))
    }

    /// Opens it beside the engine that writes it. None where there is none.
    ///
    /// # Errors
    ///
    /// The file is unavailable.
    pub async fn open_read_only(data: &Path) -> Result<Option<(Self, u64)>, Unavailable> {
        let path = data.join(FILE_NAME);
        if !path.exists() {
            return Ok(None);
        }
        let (options, writer) = (options(&path).read_only(true), Mutex::default());
        let store = Self { options, writer, readers: readers(&path, false).await? };
        let position = store.reached().await?.position;
        Ok(Some((store, position)))
    }

    /// Writes entries and former names, and that it is computed up to a position.
    ///
    /// # Errors
    ///
    /// The file is unavailable.
    pub async fn append(&self, entries: &[AuditRecord], former: &[FormerName], position: u64) -> Result<(), Unavailable> {
        let mut writer = self.writer.lock().await;
        let result = writer.append(&self.options, entries, former, position).await.map_err(unavailable);
        if result.is_err() {
            writer.give_up().await;
            writer.uncertain = true;
        }
        result
    }

    /// Makes durable what was written.
    ///
    /// # Errors
    ///
    /// The file is unavailable.
    pub async fn sync(&self) -> Result<(), Unavailable> {
        let mut writer = self.writer.lock().await;
        let connection = connected(&mut writer.connection, &self.options).await.map_err(unavailable)?;
        // It syncs the write-ahead log before it moves what it can of it.
        sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)").execute(connection).await.map_err(unavailable).map(drop)
    }

    /// The entry of an id, where there is one.
    ///
    /// # Errors
    ///
    /// The file is unavailable.
    pub async fn entry(&self, id: u64) -> Result<Option<AuditRecord>, Unavailable> {
        let sql = format!("SELECT {COLUMNS} FROM audit_log WHERE position = ?");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(stored(id));
        let row = query.fetch_optional(&self.readers).await.map_err(unavailable)?;
        row.as_ref().map(entry_of).transpose().map_err(unavailable)
    }

    /// The entries that a query asks for.
    ///
    /// # Errors
    ///
    /// The file is unavailable.
    pub async fn find(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, Unavailable> {
        let bound = bind_conditions(sqlx::query(AssertSqlSafe(sql(query))), query);
        let bound = bound.bind(stored(query.limit)).bind(stored(query.offset));
        let rows = bound.fetch_all(&self.readers).await.map_err(unavailable)?;
        rows.iter().map(entry_of).collect::<Result<_, _>>().map_err(unavailable)
    }

    /// What had a name, in lower case, and has it no more.
    ///
    /// # Errors
    ///
    /// The file is unavailable.
    pub async fn formerly_called(&self, reference: Reference, folded: &str, most: u64) -> Result<Vec<Uuid>, Unavailable> {
        let query = sqlx::query(FORMERLY_CALLED).bind(reference as u8).bind(folded).bind(stored(most));
        let rows = query.fetch_all(&self.readers).await.map_err(unavailable)?;
        rows.iter().map(|row| uuid(row.try_get(0)?)).collect::<Result<_, _>>().map_err(unavailable)
    }

    /// The names that events behind a position and up to another took away, in their order.
    ///
    /// # Errors
    ///
    /// The file is unavailable.
    pub async fn former_names(&self, after: u64, until: u64) -> Result<Vec<FormerName>, Unavailable> {
        let sql = "SELECT reference, object, until, position, name FROM former_name WHERE position > ? AND position <= ? \
                   ORDER BY position";
        let query = sqlx::query(sql).bind(stored(after)).bind(stored(until));
        let rows = query.fetch_all(&self.readers).await.map_err(unavailable)?;
        rows.iter().map(former_of).collect::<Result<_, _>>().map_err(unavailable)
    }

    /// How many entries a query finds.
    ///
    /// # Errors
    ///
    /// The file is unavailable.
    pub async fn count(&self, query: &AuditQuery) -> Result<u64, Unavailable> {
        let sql = format!("SELECT count(*) FROM audit_log WHERE {}", conditions(query));
        let query = bind_conditions(sqlx::query(AssertSqlSafe(sql)), query);
        query.fetch_one(&self.readers).await.and_then(|row| row.try_get(0)).map_err(unavailable)
    }

    /// Looks whether all that is kept is what was written, page by page with a rest after each: the file's structure with its indexes, and
    /// the rows by the sum of their checksums. What is wrong, where something is.
    ///
    /// # Errors
    ///
    /// The file is unavailable; one that is damaged is no error.
    pub async fn verify(&self, rest: Duration) -> Result<Option<String>, Unavailable> {
        match self.damage(rest).await {
            Err(error) if error.cause == Cause::Corrupt => Ok(Some(error.detail)),
            found => found,
        }
    }

    async fn damage(&self, rest: Duration) -> Result<Option<String>, Unavailable> {
        // The checksum is that of the rows up to the position: those behind come later.
        let Reached { position, checksum } = self.reached().await?;
        let (mut found, mut after) = (Checksum::default(), 0);
        while after < position {
            let until = position.min(after + VERIFIED_AT_ONCE);
            let sql = format!("SELECT {COLUMNS} FROM audit_log WHERE position > ? AND position <= ?");
            let query = sqlx::query(AssertSqlSafe(sql)).bind(stored(after)).bind(stored(until));
            for row in query.fetch_all(&self.readers).await.map_err(unavailable)? {
                found.add_entry(&entry_of(&row).map_err(unavailable)?);
            }
            for former in self.former_names(after, until).await? {
                found.add_former(&former);
            }
            after = until;
            tokio::time::sleep(rest).await;
        }
        if found != checksum {
            return Ok(Some("its entries are not those that were written".to_owned()));
        }
        let said: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&self.readers).await.map_err(unavailable)?;
        Ok((said != "ok").then_some(said))
    }

    async fn reached(&self) -> Result<Reached, Unavailable> {
        let row = sqlx::query(SELECT_REACHED).fetch_one(&self.readers).await.map_err(unavailable)?;
        reached_of(&row).map_err(unavailable)
    }

    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.lock().await.give_up().await;
    }

    /// Has the next append doubt whether the last one failed.
    #[cfg(test)]
    pub async fn doubt(&self) {
        self.writer.lock().await.uncertain = true;
    }

    /// How SQLite would answer a query.
    #[cfg(test)]
    pub async fn explain(&self, query: &AuditQuery) -> String {
        let explain = format!("EXPLAIN QUERY PLAN {}", sql(query));
        let bound = bind_conditions(sqlx::query(AssertSqlSafe(explain)), query).bind(10).bind(0);
        bound.fetch_all(&self.readers).await.unwrap().iter().map(|row| row.get::<String, _>(3)).collect()
    }
}

const FORMERLY_CALLED: &str = "SELECT DISTINCT object FROM former_name WHERE reference = ? AND folded = ? LIMIT ?";

const SELECT_REACHED: &str = "SELECT installation, position, checksum FROM reached WHERE id = 1";

impl Writer {
    async fn append(
        &mut self,
        options: &SqliteConnectOptions,
        entries: &[AuditRecord],
        former: &[FormerName],
        position: u64,
    ) -> Result<(), sqlx::Error> {
        let connection = connected(&mut self.connection, options).await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let (mut entries, mut former) = (entries, former);
        let mut checksum = match self.checksum {
            Some(checksum) if !self.uncertain => checksum,
            _ => {
                // What was durable after all must not be counted twice.
                let reached = reached_of(&sqlx::query(SELECT_REACHED).fetch_one(&mut *transaction).await?)?;
                if self.uncertain {
                    entries = &entries[entries.partition_point(|entry| entry.id <= reached.position)..];
                    former = &former[former.partition_point(|former| former.position <= reached.position)..];
                }
                reached.checksum
            }
        };
        entries.iter().for_each(|entry| checksum.add_entry(entry));
        former.iter().for_each(|former| checksum.add_former(former));
        let mut remaining = entries.iter();
        for (rows, sql) in in_portions(entries.len(), &INSERT) {
            let query = sqlx::query(AssertSqlSafe(Arc::clone(sql)));
            remaining.by_ref().take(rows).fold(query, bind_entry).execute(&mut *transaction).await?;
        }
        let mut remaining = former.iter();
        for (rows, sql) in in_portions(former.len(), &INSERT_FORMER) {
            let query = sqlx::query(AssertSqlSafe(Arc::clone(sql)));
            remaining.by_ref().take(rows).fold(query, bind_former).execute(&mut *transaction).await?;
        }
        sqlx::query("UPDATE reached SET position = ?, checksum = ?")
            .bind(stored(position))
            .bind(checksum.to_bytes().to_vec())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.checksum = Some(checksum);
        self.uncertain = false;
        Ok(())
    }

    /// Closes the connection, which rolls back what it may have been doing.
    async fn give_up(&mut self) {
        self.checksum = None;
        if let Some(connection) = self.connection.take() {
            // What goes wrong with a connection that is given up anyway changes nothing.
            let _ = connection.close().await;
        }
    }
}

fn reached_of(row: &SqliteRow) -> Result<Reached, sqlx::Error> {
    let checksum = Checksum::from_bytes(row.try_get(2)?).ok_or_else(|| sqlx::Error::Decode("this is no checksum".into()))?;
    Ok(Reached { position: row.try_get(1)?, checksum })
}

/// Opens a file, and tells how far it is computed; None where it is another's.
async fn usable(options: &SqliteConnectOptions, installation: Uuid) -> Result<(SqliteConnection, Option<Reached>), sqlx::Error> {
    let mut connection = options.connect().await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await?;
    if version != FORMAT_VERSION {
        return Ok((connection, None));
    }
    let reached = sqlx::query(SELECT_REACHED).fetch_one(&mut connection).await?;
    let ours = reached.try_get::<&[u8], _>(0)? == installation.as_bytes();
    let reached = reached_of(&reached)?;
    Ok((connection, ours.then_some(reached)))
}

async fn create(options: &SqliteConnectOptions, installation: Uuid) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO reached (id, installation, position, checksum) VALUES (1, ?, 0, ?)")
        .bind(installation.as_bytes().to_vec())
        .bind(Checksum::default().to_bytes().to_vec())
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA user_version = {FORMAT_VERSION}"))).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(connection)
}

/// Removes a database with what belongs to it.
fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match fs::remove_file(PathBuf::from(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn bind_entry<'q>(query: Query<'q, Sqlite, SqliteArguments>, entry: &'q AuditRecord) -> Query<'q, Sqlite, SqliteArguments> {
    let blob = |id: Option<Uuid>| id.map(|id| id.as_bytes().to_vec());
    let of = entry.about;
    query
        .bind(stored(entry.id))
        .bind(entry.recorded_at)
        .bind(Arc::clone(&entry.correlation_id))
        .bind(entry.code)
        .bind(entry.severity as u8)
        .bind(entry.message.as_str())
        .bind(entry.origin.as_str())
        .bind(entry.custom_id)
        .bind(entry.flood_rate)
        .bind(blob(of.user.map(|id| id.0)))
        .bind(blob(of.vm.map(|id| id.0)))
        .bind(blob(of.host.map(|id| id.0)))
        .bind(blob(of.template.map(|id| id.0)))
        .bind(blob(of.cluster.map(|id| id.0)))
        .bind(blob(of.data_center.map(|id| id.0)))
        .bind(blob(of.storage_domain.map(|id| id.0)))
        .bind(blob(of.quota.map(|id| id.0)))
}

fn bind_former<'q>(query: Query<'q, Sqlite, SqliteArguments>, former: &'q FormerName) -> Query<'q, Sqlite, SqliteArguments> {
    query
        .bind(former.reference as u8)
        .bind(former.id.as_bytes().to_vec())
        .bind(stored(former.until))
        .bind(stored(former.position))
        .bind(former.name.as_str())
        .bind(former.name.to_lowercase())
}

fn uuid(bytes: &[u8]) -> Result<Uuid, sqlx::Error> {
    Uuid::from_slice(bytes).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn former_of(row: &SqliteRow) -> Result<FormerName, sqlx::Error> {
    let number: u8 = row.try_get(0)?;
    let reference = Reference::ALL.get(usize::from(number)).copied();
    Ok(FormerName {
        reference: reference.ok_or_else(|| sqlx::Error::Decode(format!("there is no reference {number}").into()))?,
        id: uuid(row.try_get(1)?)?,
        until: row.try_get(2)?,
        position: row.try_get(3)?,
        name: row.try_get(4)?,
    })
}

fn entry_of(row: &SqliteRow) -> Result<AuditRecord, sqlx::Error> {
    let id = |column: usize| row.try_get::<Option<&[u8]>, _>(column)?.map(uuid).transpose();
    let mut former = Vec::new();
    if row.len() > FIRST_FORMER {
        for (n, reference) in Reference::ALL.into_iter().enumerate() {
            former.extend(row.try_get::<Option<String>, _>(FIRST_FORMER + n)?.map(|name| (reference, name)));
        }
    }
    Ok(AuditRecord {
        id: row.try_get(0)?,
        recorded_at: row.try_get(1)?,
        correlation_id: row.try_get::<&str, _>(2)?.into(),
        code: row.try_get(3)?,
        severity: Severity::from_number(row.try_get(4)?).unwrap_or_default(),
        message: row.try_get(5)?,
        origin: row.try_get(6)?,
        custom_id: row.try_get(7)?,
        flood_rate: row.try_get(8)?,
        about: References {
            user: id(9)?.map(UserId),
            vm: id(10)?.map(VmId),
            host: id(11)?.map(HostId),
            template: id(12)?.map(TemplateId),
            cluster: id(13)?.map(ClusterId),
            data_center: id(14)?.map(DataCenterId),
            storage_domain: id(15)?.map(StorageDomainId),
            quota: id(16)?.map(QuotaId),
        },
        former,
    })
}

/// The condition of a query on the audit log, for which `bind_conditions` binds the values. Without a bound there is no condition on
/// the position, so that the planner is free to use a filter's index.
fn conditions(query: &AuditQuery) -> String {
    let mut conditions = vec!["1"];
    conditions.extend(query.after.map(|_| "position > ?"));
    conditions.extend(query.before.map(|_| "position < ?"));
    conditions.push(match query.filter {
        AuditFilter::All | AuditFilter::AtLeast(Severity::Normal) => "1",
        AuditFilter::Code(_) => "code = ?",
        // The index covers what is not normal.
        AuditFilter::AtLeast(_) => "severity > 0 AND severity >= ?",
        AuditFilter::Concerning(Reference::User, _) => "user = ?",
        AuditFilter::Concerning(Reference::Vm, _) => "vm = ?",
        AuditFilter::Concerning(Reference::Host, _) => "host = ?",
        AuditFilter::Concerning(Reference::Template, _) => "template = ?",
        AuditFilter::Concerning(Reference::Cluster, _) => "cluster = ?",
        AuditFilter::Concerning(Reference::DataCenter, _) => "data_center = ?",
        AuditFilter::Concerning(Reference::StorageDomain, _) => "storage_domain = ?",
        AuditFilter::Concerning(Reference::Quota, _) => "quota = ?",
        AuditFilter::Between(..) => "recorded_at >= ? AND recorded_at < ?",
    });
    conditions.join(" AND ")
}

fn sql(query: &AuditQuery) -> String {
    let order = if query.oldest_first { "ASC" } else { "DESC" };
    let conditions = conditions(query);
    let page = format!("SELECT {COLUMNS} FROM audit_log WHERE {conditions} ORDER BY position {order} LIMIT ? OFFSET ?");
    if !query.former {
        return page;
    }
    // Names are looked up for what is on the page alone, and not for all that has to be sorted for it.
    let former = FORMER.as_str();
    format!("WITH page AS MATERIALIZED ({page}) SELECT {COLUMNS}{former} FROM page ORDER BY position {order}")
}

fn bind_conditions<'q>(query: Query<'q, Sqlite, SqliteArguments>, audit: &AuditQuery) -> Query<'q, Sqlite, SqliteArguments> {
    let mut query = query;
    for bound in [audit.after, audit.before].into_iter().flatten() {
        query = query.bind(stored(bound));
    }
    match audit.filter {
        AuditFilter::All | AuditFilter::AtLeast(Severity::Normal) => query,
        AuditFilter::Code(code) => query.bind(code),
        AuditFilter::AtLeast(severity) => query.bind(severity as u8),
        AuditFilter::Concerning(_, id) => query.bind(id.as_bytes().to_vec()),
        AuditFilter::Between(from, to) => query.bind(from).bind(to),
    }
}
