//! Snapshots of the World: files that shorten the next start. They are disposable, and one that does not fit the log is passed over.
//!
//! A file is a line of text (format, position, hash of the log's record there, SHA-256 of the rest) and the World as MessagePack with
//! field names. The format holds a fingerprint of all kinds of events and of this program's version, so that a World folded by other
//! rules is not taken.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use evirt_domain::event::Event;
use evirt_domain::ids::Position;
use evirt_domain::world::World;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::log::{EventLog, SqliteLog};

/// How many snapshots are kept: the newest, and one more in case it is damaged.
const KEPT: usize = 2;
const SUFFIX: &str = ".world";

/// What stands before the World.
#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    position: Position,
    log_hash: String,
    sha256: String,
}

/// The newest World that was written down, whole, and of this log.
pub(super) async fn newest(directory: &Path, log: &SqliteLog) -> Option<World> {
    for (position, path) in stored(directory) {
        match read(path.clone(), position, log).await {
            Ok(world) => return Some(world),
            Err(error) => tracing::warn!(path = %path.display(), error = format!("{error:#}"), "a snapshot is passed over"),
        }
    }
    None
}

/// Writes a World down. What goes wrong is told and changes nothing: the next start takes longer.
pub(super) async fn write(directory: PathBuf, log: Arc<SqliteLog>, world: Arc<World>) {
    if let Err(error) = try_write(directory, &log, world).await {
        tracing::warn!(error = format!("{error:#}"), "a snapshot could not be written");
    }
}

async fn try_write(directory: PathBuf, log: &SqliteLog, world: Arc<World>) -> anyhow::Result<()> {
    let position = world.position;
    let log_hash = hash_at(log, position).await?;
    tokio::task::spawn_blocking(move || {
        let mut body = Vec::new();
        world.serialize(&mut rmp_serde::Serializer::new(&mut body).with_struct_map().with_human_readable())?;
        let header = Header { format: format(), position, log_hash, sha256: hex(digest(&SHA256, &body).as_ref()) };
        let mut bytes = serde_json::to_vec(&header)?;
        bytes.push(b'\n');
        bytes.extend(body);
        std::fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{position:020}{SUFFIX}"));
        let draft = path.with_extension("draft");
        std::fs::write(&draft, bytes)?;
        std::fs::File::open(&draft)?.sync_all()?;
        std::fs::rename(&draft, &path)?;
        for (_, old) in stored(&directory).into_iter().skip(KEPT) {
            std::fs::remove_file(old)?;
        }
        Ok(())
    })
    .await?
}

async fn read(path: PathBuf, position: Position, log: &SqliteLog) -> anyhow::Result<World> {
    let (header, world) = tokio::task::spawn_blocking(move || {
        let bytes = std::fs::read(path)?;
        let end = bytes.iter().position(|byte| *byte == b'\n').context("it has no header")?;
        let header: Header = serde_json::from_slice(&bytes[..end])?;
        let body = &bytes[end + 1..];
        ensure!(header.format == format(), "another version of this program wrote it");
        ensure!(header.sha256 == hex(digest(&SHA256, body).as_ref()), "it is damaged");
        let world = World::deserialize(&mut rmp_serde::Deserializer::from_read_ref(body).with_human_readable())?;
        anyhow::Ok((header, world))
    })
    .await??;
    ensure!(header.position == position && world.position == position, "it is of another position");
    ensure!(header.log_hash == hash_at(log, position).await?, "it is of another log");
    Ok(world)
}

/// The snapshots of a directory, newest first.
fn stored(directory: &Path) -> Vec<(Position, PathBuf)> {
    let mut found: Vec<_> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let position = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.parse().ok()?;
            Some((position, path))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found
}

async fn hash_at(log: &SqliteLog, position: Position) -> anyhow::Result<String> {
    Ok(hex(&log.hash_at(position).await?.context("the log has no such position")?))
}

/// By which rules a World was folded.
fn format() -> String {
    let kinds: String = Event::KINDS.iter().map(|(kind, schema)| format!("{kind}{schema},")).collect();
    format!("1 {} {}", env!("CARGO_PKG_VERSION"), &hex(digest(&SHA256, kinds.as_bytes()).as_ref())[..16])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
