//! What the audit log says of an event: the projections know, and this is the one place that asks them.

use evirt_domain::event::Recorded;
use evirt_domain::world::World;

use crate::log::AuditRow;

/// The row of the audit log for an event, where it has one.
pub(super) fn row(_before: &World, _after: &World, _recorded: &Recorded) -> Option<AuditRow> {
    None
}
