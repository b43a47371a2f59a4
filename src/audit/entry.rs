//! What the audit log holds, and the questions that can be asked of it.

use std::sync::Arc;

use uuid::Uuid;

/// How grave an entry is, by the numbers that the API's clients know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Severity {
    #[default]
    Normal,
    Warning,
    Error,
    Alert,
}

impl Severity {
    /// The number.
    pub fn number(self) -> u8 {
        match self {
            Self::Normal => 0,
            Self::Warning => 1,
            Self::Error => 2,
            Self::Alert => 10,
        }
    }

    /// The severity of a number; what is between two is taken as the lesser.
    pub fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Normal,
            1 => Self::Warning,
            2..10 => Self::Error,
            10.. => Self::Alert,
        }
    }
}

/// What an entry concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AuditReferences {
    pub user: Option<Uuid>,
    pub vm: Option<Uuid>,
    pub host: Option<Uuid>,
    pub template: Option<Uuid>,
    pub cluster: Option<Uuid>,
    pub data_center: Option<Uuid>,
    pub storage_domain: Option<Uuid>,
}

/// What the audit log says of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditRow {
    /// The number of the message's kind, as in 153 for a VM that has started.
    pub code: u32,
    /// How grave it is.
    pub severity: Severity,
    /// The message.
    pub message: String,
    /// What it concerns.
    pub references: AuditReferences,
    /// Which system reports it.
    pub origin: String,
    /// The number that an external system gave it.
    pub custom_id: Option<i64>,
    /// After how many seconds an external system may report it again.
    pub flood_rate: Option<i64>,
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The position of its event.
    pub id: u64,
    /// When the event was recorded, in microseconds since 1970.
    pub recorded_at: i64,
    /// The request that it belongs to.
    pub correlation_id: Arc<str>,
    /// What it says.
    pub row: AuditRow,
}

/// A kind of thing that entries refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reference {
    User,
    Vm,
    Host,
    Template,
    Cluster,
    DataCenter,
    StorageDomain,
}

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
}

impl AuditQuery {
    /// The newest entries.
    pub fn newest(limit: u64) -> Self {
        Self { limit, ..Self::default() }
    }
}
