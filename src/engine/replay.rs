//! Folding the log at the start: the log reads ahead, one thread decodes and one folds.

use std::sync::Arc;

use evirt_domain::event::Recorded;
use evirt_domain::ids::{Micros, Position};
use evirt_domain::world::World;
use tokio::sync::mpsc;

use super::codec::Decoder;
use crate::log::{EventLog, Replay, SqliteLog, Unavailable};

/// How many chunks of events may wait to be folded.
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
    anyhow::ensure!(from <= head, "the log ends at {head}, before the World at {from}");
    let last = log.read(head.saturating_sub(1), 1).await?.first().map_or(0, |record| record.recorded_at);
    let mut chunks = Replay::start(log.clone(), from, head);
    let (to_fold, mut decoded) = mpsc::channel::<Vec<Recorded>>(AHEAD);
    let decoding = tokio::task::spawn_blocking(move || -> Result<(), Unavailable> {
        let mut decoder = Decoder::default();
        while let Some(chunk) = chunks.blocking_next() {
            let events = chunk?.records().map(|record| decoder.event(&record.link)).collect::<Result<Vec<_>, _>>()?;
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
    decoding.await??;
    let world = folding.await?;
    anyhow::ensure!(world.position == head, "the log ends at {head}, but its records at {}", world.position);
    if head > from {
        tracing::info!(from, to = head, "the log was replayed");
    }
    Ok(Replayed { world, last_recorded_at: last })
}

/// The events behind a position, for catching up while the engine runs.
pub(super) async fn events_after(log: &Arc<SqliteLog>, position: Position) -> Result<Vec<Recorded>, Unavailable> {
    let head = log.head().await?.position;
    let mut chunks = Replay::start(log.clone(), position, head);
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    while let Some(chunk) = chunks.next().await {
        for record in chunk?.records() {
            events.push(decoder.event(&record.link)?);
        }
    }
    Ok(events)
}
