//! What the audit log says of an event: the projections know, and this is the one place that asks them.

use evirt_domain::event::Recorded;
use evirt_domain::world::World;
use evirt_projections::audit;
use evirt_projections::inventory::OWN_ORIGIN;

use crate::log::{AuditReferences, AuditRow, Severity};

/// The row of the audit log for an event, where it has one.
pub(super) fn row(before: &World, after: &World, recorded: &Recorded) -> Option<AuditRow> {
    let entry = audit::entry(before, after, recorded)?;
    let severity = match entry.severity {
        audit::Severity::Normal => Severity::Normal,
        audit::Severity::Warning => Severity::Warning,
        audit::Severity::Error => Severity::Error,
        audit::Severity::Alert => Severity::Alert,
    };
    Some(AuditRow {
        code: entry.code,
        severity,
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
        origin: OWN_ORIGIN.to_owned(),
        custom_id: None,
        flood_rate: None,
    })
}
