//! Folding the log once more, beside the engine: how what was computed from it is computed again, or compared.

use std::path::Path;

use evirt_domain::ids::Position;
use evirt_domain::world::World;

use super::codec::Decoder;
use super::{audit, snapshot};
use crate::log::{AuditEntry, EventLog, SqliteLog};

/// How many records are read at once.
const CHUNK: u64 = 8_192;

/// A World that is folded from nothing, step by step.
#[derive(Default)]
pub struct Refold {
    world: World,
    decoder: Decoder,
    auditor: audit::Auditor,
}

impl Refold {
    /// The World as far as it is folded.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Folds some more events, up to a position at most; gives what the audit log says of them. None where the position is reached.
    pub async fn advance(&mut self, log: &SqliteLog, until: Position) -> anyhow::Result<Option<Vec<AuditEntry>>> {
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
        let mut entries = Vec::new();
        for record in chunk.records() {
            let recorded = self.decoder.event(&record.link)?;
            let before = self.world.clone();
            self.world.evolve(&recorded);
            if let Some(row) = self.auditor.row(&before, &self.world, &recorded) {
                let (id, recorded_at) = (recorded.position, recorded.recorded_at);
                entries.push(AuditEntry { id, recorded_at, correlation_id: recorded.correlation_id, row });
            }
        }
        Ok(Some(entries))
    }
}

/// The World of the newest snapshot in a directory that is whole and fits the log.
pub async fn newest_snapshot(directory: &Path, log: &SqliteLog) -> Option<World> {
    snapshot::newest(directory, log).await
}
