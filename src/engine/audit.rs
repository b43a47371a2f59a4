//! What the audit log says of an event: the projections know, and this is the one place that asks them.

use std::collections::HashMap;

use evirt_domain::event::Recorded;
use evirt_domain::ids::Micros;
use evirt_domain::world::World;
use evirt_projections::audit::{self, FloodKey};
use evirt_projections::inventory::OWN_ORIGIN;

use crate::log::{AuditQuery, AuditReferences, AuditRow, EventLog, Severity, SqliteLog, Unavailable};

/// How many entries that must not be repeated are remembered before those are forgotten that may be.
const MAX_REMEMBERED: usize = 10_000;

/// Asks for entries, and leaves out those that repeat an earlier one too soon.
#[derive(Default)]
pub(super) struct Auditor {
    told: HashMap<FloodKey, Micros>,
}

impl Auditor {
    /// One that remembers what the log was told last, up to a time.
    pub async fn remember(log: &SqliteLog, until: Micros) -> Result<Self, Unavailable> {
        let longest = audit::FACTS.iter().map(|fact| fact.flood_seconds).max().unwrap_or(0);
        let since = until.saturating_sub(Micros::from(longest) * 1_000_000);
        // Newest first, by position: a condition on the time would have all entries of that time sorted, and there may be many.
        let newest = log.audit(AuditQuery::newest(MAX_REMEMBERED as u64)).await?;
        let mut told = HashMap::new();
        for entry in newest.into_iter().take_while(|entry| entry.recorded_at >= since) {
            let of = entry.row.references;
            let about = [of.user, of.vm, of.host, of.template, of.cluster, of.data_center, of.storage_domain];
            if let Some(key) = FloodKey::of(entry.row.code, about) {
                // The newest of each key comes first.
                told.entry(key).or_insert(entry.recorded_at);
            }
        }
        Ok(Self { told })
    }

    /// The row of the audit log for an event, where it has one.
    pub fn row(&mut self, before: &World, after: &World, recorded: &Recorded) -> Option<AuditRow> {
        let entry = audit::entry(before, after, recorded)?;
        if let Some(key) = entry.flood_key {
            let now = recorded.recorded_at;
            if self.told.get(&key).is_some_and(|last| too_soon(&key, *last, now)) {
                return None;
            }
            if self.told.len() >= MAX_REMEMBERED {
                self.told.retain(|key, last| too_soon(key, *last, now));
            }
            self.told.insert(key, now);
        }
        Some(AuditRow {
            code: entry.code,
            severity: match entry.severity {
                audit::Severity::Normal => Severity::Normal,
                audit::Severity::Warning => Severity::Warning,
                audit::Severity::Error => Severity::Error,
                audit::Severity::Alert => Severity::Alert,
            },
            message: entry.message,
            references: AuditReferences {
                user: entry.user.map(|id| id.0),
                vm: entry.vm.map(|id| id.0),
                host: entry.host.map(|id| id.0),
                template: entry.template.map(|id| id.0),
                cluster: entry.cluster.map(|id| id.0),
                data_center: entry.data_center.map(|id| id.0),
                storage_domain: entry.storage_domain.map(|id| id.0),
            },
            origin: if entry.origin.is_empty() { OWN_ORIGIN.into() } else { entry.origin },
            custom_id: entry.custom_id,
            flood_rate: entry.flood_rate,
        })
    }

    /// Forgets what was told: an append has failed, and nobody knows which of it.
    pub fn forget(&mut self) {
        self.told.clear();
    }
}

fn too_soon(key: &FloodKey, last: Micros, now: Micros) -> bool {
    now - last < Micros::from(key.seconds) * 1_000_000
}
