//! Folding the log at the start: one task reads, one thread decodes and one folds, each ahead of the next.

use std::sync::Arc;

use evirt_domain::event::Recorded;
use evirt_domain::ids::{Micros, Position};
use evirt_domain::world::World;
use tokio::sync::mpsc;

use super::codec::Decoder;
use crate::log::{Chunk, EventLog, SqliteLog, Unavailable};

/// How many records are read at once.
const CHUNK: usize = 8_192;
/// How many chunks may wait between two stages.
const AHEAD: usize = 4;

/// The World that a log leads to.
pub(super) struct Replayed {
    /// It.
    pub world: World,
    /// When the last event was recorded.
    pub last_recorded_at: Micros,
}

/// Folds all events behind a World's position into it.
pub(super) async fn replay(log: &Arc<SqliteLog>, mut world: World) -> anyhow::Result<Replayed> {
    let from = world.position;
    let head = log.head().await?.position;
    let last = log.read(head.saturating_sub(1), 1).await?.first().map_or(0, |record| record.recorded_at);
    let (to_decode, mut chunks) = mpsc::channel::<Chunk>(AHEAD);
    let (to_fold, mut decoded) = mpsc::channel::<Vec<Recorded>>(AHEAD);
    let decoding = tokio::task::spawn_blocking(move || -> Result<(), Unavailable> {
        let mut decoder = Decoder::default();
        while let Some(chunk) = chunks.blocking_recv() {
            let events = chunk.records().map(|record| decoder.event(&record.link)).collect::<Result<Vec<_>, _>>()?;
            if to_fold.blocking_send(events).is_err() {
                break;
            }
        }
        Ok(())
    });
    let folding = tokio::task::spawn_blocking(move || {
        while let Some(events) = decoded.blocking_recv() {
            events.iter().for_each(|event| world.evolve(event));
        }
        world
    });
    let reading = read(log, from, head, to_decode).await;
    // Decoding fails first where both fail: then nobody takes what is read.
    decoding.await??;
    let world = folding.await?;
    reading?;
    anyhow::ensure!(world.position == head, "the log ends at {head}, but its records at {}", world.position);
    if head > from {
        tracing::info!(from, to = head, "the log was replayed");
    }
    Ok(Replayed { world, last_recorded_at: last })
}

async fn read(log: &SqliteLog, mut after: Position, head: Position, to: mpsc::Sender<Chunk>) -> Result<(), Unavailable> {
    while after < head {
        let chunk = log.read_chunk(after, CHUNK).await?;
        let Some(last) = chunk.last_position() else { break };
        after = last;
        if to.send(chunk).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The events behind a position, for catching up while the engine runs.
pub(super) async fn events_after(log: &SqliteLog, position: Position) -> Result<Vec<Recorded>, Unavailable> {
    let mut events = Vec::new();
    let mut decoder = Decoder::default();
    let mut after = position;
    loop {
        let chunk = log.read_chunk(after, CHUNK).await?;
        let Some(last) = chunk.last_position() else { return Ok(events) };
        after = last;
        for record in chunk.records() {
            events.push(decoder.event(&record.link)?);
        }
    }
}
