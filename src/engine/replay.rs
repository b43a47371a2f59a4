//! Folding the log at the start: the log reads ahead, one thread decodes and one folds.

use std::sync::Arc;

use evirt_domain::event::RecordedEvent;
use evirt_domain::ids::{Micros, Position};
use evirt_domain::world::World;
use tokio::sync::mpsc;

use super::auditor::Auditor;
use super::codec::Decoder;
use crate::audit::{AuditBatch, AuditLog};
use crate::log::{EventLog, Replay, Unavailable};

/// How many chunks of events may wait to be folded.
const AHEAD: usize = 4;

/// From how many events on they are folded all at once: to make the indexes anew costs about as much as to change them that often.
const MANY: u64 = 50_000;

/// The World that a log leads to.
pub(super) struct Replayed {
    /// It.
    pub world: World,
    /// What remembers the newest entries of the audit log.
    pub auditor: Auditor,
    /// When the last event was recorded.
    pub last_recorded_at: Micros,
}

/// Folds all events behind a World's position into it. An audit log that is given is told what it has not reached.
///
/// # Errors
///
/// A store is unavailable, a record is missing or is no event that this program knows, or the log ends before the World.
pub(super) async fn replay(log: &Arc<dyn EventLog>, mut world: World, audit: Option<&Arc<AuditLog>>) -> anyhow::Result<Replayed> {
    let from = world.position;
    let mut auditor = match audit {
        Some(audit) => Auditor::remember(audit).await?,
        None => Auditor::default(),
    };
    let head = log.head().await?.position;
    anyhow::ensure!(from <= head, "the log ends at {head}, before the World at {from}");
    let last = log.read(head.saturating_sub(1), 1).await?.first().map_or(0, |record| record.recorded_at);
    let mut chunks = Replay::start(log.clone(), from, head);
    let (to_fold, mut decoded) = mpsc::channel::<Vec<RecordedEvent>>(AHEAD);
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
    let (audit, told) = (audit.cloned(), audit.map_or(head, |audit| audit.position().min(head)));
    let room = tokio::runtime::Handle::current();
    let folding = tokio::task::spawn_blocking(move || -> Result<(World, Auditor), Unavailable> {
        let mut new = Vec::new();
        let mut fold_known = |world: &mut World| {
            while world.position < told
                && let Some(mut events) = decoded.blocking_recv()
            {
                new = events.split_off(events.partition_point(|event| event.position <= told));
                events.iter().for_each(|event| world.evolve(event));
            }
        };
        if told.saturating_sub(from) >= MANY {
            world.evolve_many(fold_known)
        } else {
            fold_known(&mut world)
        }
        for events in std::iter::once(new).chain(std::iter::from_fn(|| decoded.blocking_recv())) {
            let mut told = AuditBatch::default();
            events.iter().for_each(|event| evolve_and_tell(&mut world, &mut auditor, event, &mut told));
            if let Some(audit) = &audit {
                room.block_on(audit.room())?;
                audit.offer(told, world.position);
            }
        }
        Ok((world, auditor))
    });
    decoding.await??;
    let (world, auditor) = folding.await??;
    anyhow::ensure!(world.position == head, "the log ends at {head}, but its records at {}", world.position);
    if head > from {
        tracing::info!(from, to = head, "the log was replayed");
    }
    Ok(Replayed { world, auditor, last_recorded_at: last })
}

/// Folds an event in, and notes what the audit log is told of it.
pub(super) fn evolve_and_tell(world: &mut World, auditor: &mut Auditor, event: &RecordedEvent, told: &mut AuditBatch) {
    let before = world.clone();
    world.evolve(event);
    auditor.tell(&before, world, event, told);
}

/// The events behind a position, for catching up while the engine runs.
///
/// # Errors
///
/// The log is unavailable, or a record is no event that this program knows.
pub(super) async fn events_after(log: &Arc<dyn EventLog>, position: Position) -> Result<Vec<RecordedEvent>, Unavailable> {
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
