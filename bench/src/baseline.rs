//! What the machine can do without an engine: the raw figures that the others are compared with.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use evirt::face::http::HEADER_TIMEOUT;
use futures_util::TryStreamExt;
use hyper_util::rt::TokioTimer;
use serde::de::IgnoredAny;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, Row};
use tokio::sync::Mutex;

/// How often a second the disk makes a few hundred bytes durable.
pub fn fsyncs(directory: &Path, time: Duration) -> Result<f64> {
    let mut file = std::fs::File::create(directory.join("fsyncs"))?;
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < time {
        file.write_all(&[b'x'; 512])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

/// The baseline's log: rows as long as an event, in a table with the keys that an event log cannot do without.
struct Rows {
    connection: SqliteConnection,
    count: u64,
}

impl Rows {
    async fn open(directory: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(directory.join("rows.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut connection = options.connect().await?;
        let table = "CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL,
                     payload TEXT NOT NULL, hash BLOB NOT NULL, UNIQUE (stream, version)) STRICT";
        connection.execute(table).await?;
        Ok(Self { connection, count: 0 })
    }

    /// Adds one by a prepared statement.
    async fn add(&mut self) -> Result<()> {
        const EVENT_BYTES: usize = 900;
        self.count += 1;
        let insert = sqlx::query("INSERT INTO events (stream, version, payload, hash) VALUES (?, 1, ?, zeroblob(32))");
        // A stream of its own for each, spread as random identifiers are.
        let stream = format!("vm-{:032x}", u128::from(self.count).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        insert.bind(stream).bind("x".repeat(EVENT_BYTES)).execute(&mut self.connection).await?;
        Ok(())
    }
}

/// How many rows a second SQLite takes, so many in each durable transaction.
pub async fn group_commits(directory: &Path, time: Duration, group: usize) -> Result<f64> {
    let directory = tempfile::tempdir_in(directory)?;
    let mut rows = Rows::open(directory.path()).await?;
    let started = Instant::now();
    while started.elapsed() < time {
        rows.connection.execute("BEGIN").await?;
        for _ in 0..group {
            rows.add().await?;
        }
        rows.connection.execute("COMMIT").await?;
    }
    let rate = rows.count as f64 / started.elapsed().as_secs_f64();
    rows.connection.close().await?;
    Ok(rate)
}

/// How many events a second can be read from a log one by one, and their payloads as JSON, where nothing is made of them.
pub async fn rows_read(log: &Path) -> Result<f64> {
    let mut connection = SqliteConnectOptions::new().filename(log).read_only(true).connect().await?;
    let started = Instant::now();
    let mut count = 0;
    let mut rows = sqlx::query("SELECT * FROM events ORDER BY position").fetch(&mut connection);
    while let Some(row) = rows.try_next().await? {
        serde_json::from_str::<IgnoredAny>(row.try_get("payload")?)?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

/// Serves a ready-made answer of any length, `/LENGTH`, from the HTTP stack that the engine has; for ever. What is posted to `/api/vms` is
/// answered when one more row is durable in a directory, and does nothing else.
pub async fn serve_ready_made(directory: &str, lengths: &[&str]) -> Result<()> {
    let ready = |length: usize| {
        let body = Bytes::from(vec![b'x'; length]);
        get(move || {
            let body = body.clone();
            async move { ([(CONTENT_TYPE, HeaderValue::from_static("application/xml"))], body).into_response() }
        })
    };
    let rows = Arc::new(Mutex::new(Rows::open(Path::new(directory)).await?));
    let commit = move |body: Bytes| {
        let rows = rows.clone();
        async move {
            let added = rows.lock().await.add().await;
            (if added.is_ok() { StatusCode::CREATED } else { StatusCode::SERVICE_UNAVAILABLE }, body)
        }
    };
    let lengths: Vec<usize> = lengths.iter().map(|length| length.parse()).collect::<Result<_, _>>()?;
    let routes = Router::new().route("/api/vms", post(commit));
    let routes = lengths.into_iter().fold(routes, |routes, length| routes.route(&format!("/{length}"), ready(length)));
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let acceptor = axum_server::accept::NoDelayAcceptor::new();
    let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor).http1_only();
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    server.serve(routes.into_make_service()).await?;
    Ok(())
}
