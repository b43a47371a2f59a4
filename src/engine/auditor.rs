//! What the audit log says of an event: the projections know, and this is the one place that asks them.

use std::collections::HashMap;

use evirt_domain::event::RecordedEvent;
use evirt_domain::ids::Micros;
use evirt_domain::world::World;
use evirt_projections::audit::{self as facts, FloodKey, FormerName};

use crate::audit::{AuditBatch, AuditLog, AuditQuery, AuditRecord};
use crate::log::Unavailable;

/// How many entries that must not be repeated are remembered before those are forgotten that may be.
const MAX_REMEMBERED: usize = 10_000;

/// Asks for entries, and leaves out those that repeat an earlier one too soon.
#[derive(Default)]
pub(super) struct Auditor {
    told: HashMap<FloodKey, Micros>,
}

impl Auditor {
    /// One that remembers what the audit log was told last.
    ///
    /// # Errors
    ///
    /// The audit log is unavailable.
    pub async fn remember(audit: &AuditLog) -> Result<Self, Unavailable> {
        let longest = facts::FACTS.iter().map(|fact| fact.flood_seconds).max().unwrap_or(0);
        // Newest first, by position: a condition on the time would have all entries of that time sorted, and there may be many.
        let newest = audit.find(AuditQuery::newest(MAX_REMEMBERED as u64)).await?;
        let last = newest.first().map_or(0, |entry| entry.recorded_at);
        let since = last.saturating_sub(Micros::from(longest) * 1_000_000);
        let mut told = HashMap::new();
        for entry in newest.into_iter().take_while(|entry| entry.recorded_at >= since) {
            if let Some(key) = FloodKey::of(entry.code, entry.about) {
                // The newest of each key comes first.
                told.entry(key).or_insert(entry.recorded_at);
            }
        }
        Ok(Self { told })
    }

    /// Notes what the audit log is told of an event.
    pub fn tell(&mut self, before: &World, after: &World, recorded: &RecordedEvent, told: &mut AuditBatch) {
        told.entries.extend(self.entry(before, after, recorded));
        told.former.extend(former(before, after, recorded));
    }

    /// The entry of the audit log for an event, where it has one.
    pub fn entry(&mut self, before: &World, after: &World, recorded: &RecordedEvent) -> Option<AuditRecord> {
        let entry = facts::entry(before, after, recorded)?;
        if let Some(key) = entry.flood_key.clone() {
            let now = recorded.recorded_at;
            if self.told.get(&key).is_some_and(|last| too_soon(&key, *last, now)) {
                return None;
            }
            if self.told.len() >= MAX_REMEMBERED {
                self.told.retain(|key, last| too_soon(key, *last, now));
            }
            self.told.insert(key, now);
        }
        Some(AuditRecord::new(entry, recorded))
    }

    /// Forgets what was told: an append has failed, and nobody knows which of it.
    pub fn forget(&mut self) {
        self.told.clear();
    }
}

/// The name that an event takes away, where it does.
pub(super) fn former(before: &World, after: &World, recorded: &RecordedEvent) -> Option<FormerName> {
    facts::former_name(before, after, recorded)
}

fn too_soon(key: &FloodKey, last: Micros, now: Micros) -> bool {
    now - last < Micros::from(key.seconds) * 1_000_000
}
