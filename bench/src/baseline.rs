//! What the machine can do without an engine: the raw figures that the others are compared with.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::Router;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use sqlx::{ConnectOptions, Connection, Executor};

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

/// How many rows a second SQLite takes, so many in each durable transaction: as long as an event, in a table with the keys that an
/// event log cannot do without, each by a prepared statement.
pub async fn group_commits(directory: &Path, time: Duration, group: usize) -> Result<f64> {
    const EVENT_BYTES: usize = 900;
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(directory.join("group-commits.db"))
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .synchronous(sqlx::sqlite::SqliteSynchronous::Full);
    let mut connection = options.connect().await?;
    let table = "CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL,
                 payload TEXT NOT NULL, hash BLOB NOT NULL, UNIQUE (stream, version)) STRICT";
    connection.execute(table).await?;
    let payload = "x".repeat(EVENT_BYTES);
    let started = Instant::now();
    let mut count = 0u64;
    while started.elapsed() < time {
        let mut transaction = connection.begin().await?;
        for _ in 0..group {
            count += 1;
            let insert = sqlx::query("INSERT INTO events (stream, version, payload, hash) VALUES (?, 1, ?, zeroblob(32))");
            // A stream of its own for each, spread as random identifiers are.
            let stream = format!("vm-{:032x}", u128::from(count).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
            insert.bind(stream).bind(&payload).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
    }
    let rate = count as f64 / started.elapsed().as_secs_f64();
    connection.close().await?;
    Ok(rate)
}

/// Serves a ready-made answer of any length, `/LENGTH`, from the HTTP stack that the engine has; for ever.
pub async fn serve_ready_made() -> Result<()> {
    let ready = |length: usize| {
        let body = Bytes::from(vec![b'x'; length]);
        get(move || {
            let body = body.clone();
            async move { ([(CONTENT_TYPE, HeaderValue::from_static("application/xml"))], body).into_response() }
        })
    };
    let lengths: Vec<usize> = std::env::args().skip(2).map(|length| length.parse()).collect::<Result<_, _>>()?;
    let routes = lengths.into_iter().fold(Router::new(), |routes, length| routes.route(&format!("/{length}"), ready(length)));
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let acceptor = axum_server::accept::NoDelayAcceptor::new();
    axum_server::from_tcp(listener)?.acceptor(acceptor).http1_only().serve(routes.into_make_service()).await?;
    Ok(())
}
