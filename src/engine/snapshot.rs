//! Snapshots of the World, which shorten the next start. They are disposable, and one that does not fit the log is passed over.
//!
//! The World is kept as MessagePack with field names: unlike JSON it has maps whose keys are not text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use evirt_domain::event::Event;
use evirt_domain::ids::Position;
use evirt_domain::world::World;
use ring::digest::{SHA256, digest};
use serde::Serialize;

use super::Stores;
use crate::log::{EventLog, Snapshot, Snapshots, SqliteLog};

/// What the World's snapshots are called.
const NAME: &str = "world";

/// The newest World up to a position that was written down by these rules, whole, and of this log.
pub(super) async fn newest(data: &Path, log: &SqliteLog, mut until: Position) -> Option<World> {
    while let Some(snapshot) = latest(data.to_owned(), until).await {
        until = snapshot.position.checked_sub(1)?;
        match read(&snapshot, log).await {
            Ok(world) => return Some(world),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(position = snapshot.position, error, "a snapshot of the World is passed over");
            }
        }
    }
    None
}

async fn latest(data: PathBuf, until: u64) -> Option<Snapshot> {
    tokio::task::spawn_blocking(move || Snapshots::open(&data).ok()?.latest(NAME, rules(), until)).await.ok()?
}

async fn read(snapshot: &Snapshot, log: &SqliteLog) -> anyhow::Result<World> {
    let hash = log.hash_at(snapshot.position).await?;
    anyhow::ensure!(hash == Some(snapshot.hash), "it is of another log");
    let world: World = rmp_serde::from_slice(&snapshot.bytes)?;
    anyhow::ensure!(world.position == snapshot.position, "it holds another position");
    Ok(world)
}

/// Writes a World down. What goes wrong is told and changes nothing: the next start takes longer.
pub(super) async fn write(data: PathBuf, stores: Stores, world: Arc<World>) {
    if let Err(error) = try_write(data, &stores, world).await {
        tracing::warn!(error = format!("{error:#}"), "a snapshot of the World could not be written");
    }
}

async fn try_write(data: PathBuf, stores: &Stores, world: Arc<World>) -> anyhow::Result<()> {
    // A start goes on from a World that the audit log has reached.
    stores.audit.make_durable().await?;
    let hash = stores.log.hash_at(world.position).await?.context("the log has no such position")?;
    tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        world.serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map())?;
        let snapshot = Snapshot { version: rules(), position: world.position, hash, bytes };
        anyhow::Ok(Snapshots::open(&data)?.put(NAME, &snapshot)?)
    })
    .await?
}

/// Names the rules that a World was folded by: a fingerprint of this program's version and of all kinds of events.
fn rules() -> u32 {
    let kinds: String = Event::KINDS.iter().map(|(kind, schema)| format!("{kind}{schema},")).collect();
    let fingerprint = digest(&SHA256, format!("{} {kinds}", env!("CARGO_PKG_VERSION")).as_bytes());
    fingerprint.as_ref().iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}
