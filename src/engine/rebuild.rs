//! Folding the log once more, beside the engine: how what was computed from it is computed again, or compared.

use std::path::Path;
use std::sync::Arc;

use evirt_domain::ids::Position;
use evirt_domain::world::World;
use evirt_projections::audit as facts;

use super::auditor::{Auditor, former};
use super::codec::Decoder;
use super::replay::replay;
use super::snapshot;
use crate::audit::{AuditRecord, FormerName};
use crate::log::EventLog;

/// How many records are read at once.
const CHUNK: u64 = 8_192;

/// A World that is folded from nothing, step by step.
#[derive(Default)]
pub struct Rebuild {
    world: World,
    decoder: Decoder,
    auditor: Auditor,
}

/// What some events come to in the audit log, computed again.
#[derive(Debug, Default)]
pub struct Computed {
    /// What it says of them.
    pub entries: Vec<ComputedEntry>,
    /// The names that they took away.
    pub former: Vec<FormerName>,
}

/// What the audit log says of an event, computed again.
#[derive(Debug)]
pub struct ComputedEntry {
    /// The entry.
    pub entry: AuditRecord,
    /// Whether it repeats an earlier one too soon and is left out.
    pub left_out: bool,
    /// Whether it could be left out at all. After a failed append an engine forgets what it has told, so that which of several repetitions it
    /// kept depends on that.
    pub repeatable: bool,
}

impl Rebuild {
    /// The World as far as it is folded.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Folds some more events, up to a position at most; gives what the audit log is told of them. None where the position is reached.
    ///
    /// # Errors
    ///
    /// The log is unavailable, a record is missing or is no event that this program knows.
    pub async fn advance(&mut self, log: &dyn EventLog, until: Position) -> anyhow::Result<Option<Computed>> {
        let after = self.world.position;
        let most = usize::try_from(until.saturating_sub(after).min(CHUNK))?;
        if most == 0 {
            return Ok(None);
        }
        let chunk = log.read_chunk(after, most).await?;
        anyhow::ensure!(
            chunk.last_position().is_some_and(|last| last > after),
            "the record at position {} is missing",
            after + 1
        );
        let mut computed = Computed::default();
        for record in chunk.records() {
            let recorded = self.decoder.event(&record.link)?;
            let before = self.world.clone();
            self.world.evolve(&recorded);
            let told = self.auditor.entry(&before, &self.world, &recorded);
            let left_out = told.is_none();
            if let Some(entry) = told.or_else(|| Auditor::default().entry(&before, &self.world, &recorded)) {
                let repeatable = facts::entry(&before, &self.world, &recorded).is_some_and(|entry| entry.flood_key.is_some());
                computed.entries.push(ComputedEntry { entry, left_out, repeatable });
            }
            computed.former.extend(former(&before, &self.world, &recorded));
        }
        Ok(Some(computed))
    }
}

/// The World of the newest snapshot in a directory that is whole and fits the log.
pub async fn newest_snapshot(directory: &Path, log: &dyn EventLog) -> Option<World> {
    snapshot::newest(directory, log, Position::MAX).await
}

/// The World that the log leads to by now, without an engine.
///
/// # Errors
///
/// Those of `Rebuild::advance`; a snapshot that does not fit is passed over.
pub async fn world(directory: &Path, log: &Arc<dyn EventLog>) -> anyhow::Result<World> {
    let from = newest_snapshot(directory, &**log).await.unwrap_or_default();
    Ok(replay(log, from, None).await?.world)
}
