//! The questions that can be asked of the audit log.

use evirt_projections::audit::{Reference, Severity};
use uuid::Uuid;

/// What entries are wanted; every one of these is an index seek.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditFilter {
    /// All.
    #[default]
    All,
    /// Those with a code.
    Code(u32),
    /// Those that are at least so grave.
    AtLeast(Severity),
    /// Those that concern something.
    Concerning(Reference, Uuid),
    /// Those of a time: from the first, before the second, in microseconds since 1970.
    Between(i64, i64),
}

/// A page of the audit log. To walk through all of it, set `before` (newest first) or `after` (oldest first) to the last id of each page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only ids greater than this: what the API calls `from`.
    pub after: Option<u64>,
    /// Only ids less than this.
    pub before: Option<u64>,
    /// Oldest first; newest first is the API's order.
    pub oldest_first: bool,
    /// Which entries.
    pub filter: AuditFilter,
    /// How many at most.
    pub limit: u64,
    /// How many to leave out at the beginning.
    pub offset: u64,
    /// Whether the names are wanted that what entries are about had and has no more. Costs a look-up for each reference of an entry.
    pub former: bool,
}

impl AuditQuery {
    /// The newest entries.
    pub fn newest(limit: u64) -> Self {
        Self { limit, ..Self::default() }
    }
}
