//! What the stores in SQLite files have in common: how they are opened and written, and what an error of SQLite means.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions};

use super::{Cause, Unavailable};

/// How many connections read.
const READERS: u32 = 4;

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many rows a reading connection may be ahead of who takes them; each time that it waits costs two changes of threads.
const ROWS_AHEAD: usize = 1024;

/// How many rows one INSERT takes: an append is cut into the largest of these that fit, so that four statements, always prepared, do
/// for every size. 16 columns times 256 is well below SQLite's limit of 32766 bound values.
pub const INSERT_ROWS: [usize; 4] = [256, 64, 8, 1];

/// How a file is opened.
pub fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .row_buffer_size(ROWS_AHEAD)
        .filename(path)
        .foreign_keys(false)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

/// The connection, opened where it was given up.
///
/// # Errors
///
/// The file cannot be opened.
pub async fn connected<'a>(
    connection: &'a mut Option<SqliteConnection>,
    options: &SqliteConnectOptions,
) -> Result<&'a mut SqliteConnection, sqlx::Error> {
    let open = match connection.take() {
        Some(open) => open,
        None => options.connect().await?,
    };
    Ok(connection.insert(open))
}

/// Connections that read a file, beside whoever writes it; one that is immutable nobody writes, and nothing is made beside it.
///
/// # Errors
///
/// The file cannot be opened.
pub async fn readers(path: &Path, immutable: bool) -> Result<SqlitePool, Unavailable> {
    let pool = SqlitePoolOptions::new().max_connections(READERS).test_before_acquire(false);
    pool.connect_with(options(path).read_only(true).immutable(immutable)).await.map_err(unavailable)
}

/// Statements that insert so many rows as `INSERT_ROWS` has.
pub fn inserts(verb: &str, table: &str, columns: &str) -> [Arc<str>; 4] {
    INSERT_ROWS.map(|rows| insert(verb, table, columns, rows).into())
}

/// A statement that inserts rows; `verb` is INSERT, or what else SQLite has of it.
pub fn insert(verb: &str, table: &str, columns: &str, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns.split(',').count()].join(","));
    format!("{verb} INTO {table} ({columns}) VALUES {}", vec![row.as_str(); rows].join(","))
}

/// Cuts `rows` into portions for which there is a statement.
pub fn in_portions(mut rows: usize, statements: &[Arc<str>; 4]) -> impl Iterator<Item = (usize, &Arc<str>)> {
    std::iter::from_fn(move || {
        let (size, sql) = INSERT_ROWS.into_iter().zip(statements).find(|(size, _)| *size <= rows)?;
        rows -= size;
        Some((size, sql))
    })
}

/// SQLite's integers are signed. Positions and versions count from 1 and never come near the end.
pub fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An error of SQLite by the trouble that it means; the low byte of its code is the primary one.
pub fn unavailable(error: sqlx::Error) -> Unavailable {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok()).map(|code| code & 0xff);
    let cause = match (code, &error) {
        (Some(13), _) => Cause::Full,
        (Some(8), _) => Cause::ReadOnly,
        (Some(10 | 14), _) | (None, sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed) => Cause::Io,
        (Some(11 | 26), _) | (None, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }) => Cause::Corrupt,
        (Some(5 | 6), _) | (None, sqlx::Error::PoolTimedOut) => Cause::Busy,
        _ => Cause::Other,
    };
    Unavailable { cause, detail: error.to_string() }
}
