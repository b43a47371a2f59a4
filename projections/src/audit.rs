//! The audit log: which event raises which entry, about what, in which words.
//!
//! [`facts`] says what each code means, `rules` which event raises which code, `draft` fills in the words; [`entry`] is all of it. An event
//! raises one entry at the most, so that the event's position in the log is the entry's number. [`former_name`] tells what nothing is called
//! any more.

mod draft;
pub mod facts;
mod former;
mod rules;

#[cfg(test)]
mod tests;

use evirt_domain::ids::*;
use evirt_domain::{RecordedEvent, World};
use serde::{Deserialize, Serialize};

use self::draft::Scene;
use self::rules::draft;

pub use facts::{FACTS, Fact, Severity, fact};
pub use former::{FormerName, Reference, former_name};

/// What an entry is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct References {
    /// Who caused it; none where the engine itself did.
    pub user: Option<UserId>,
    /// The virtual machine that it is about.
    pub vm: Option<VmId>,
    /// The host that it is about.
    pub host: Option<HostId>,
    /// The template that it is about.
    pub template: Option<TemplateId>,
    /// The cluster that it is about.
    pub cluster: Option<ClusterId>,
    /// The data center that it is about.
    pub data_center: Option<DataCenterId>,
    /// The storage domain that it is about.
    pub storage_domain: Option<StorageDomainId>,
    /// The quota that it is about.
    pub quota: Option<QuotaId>,
}

/// An entry of the audit log, which the API calls an event. Its number, time and correlation id are those of the event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditEntry {
    /// What it says; see [`fact`].
    pub code: u32,
    /// How grave it is.
    pub severity: Severity,
    /// The message in full.
    pub message: String,
    /// What it is about.
    pub about: References,
    /// Which system outside reports it; empty where it is the engine's own.
    pub origin: String,
    /// The number that a system outside gave it.
    pub custom_id: Option<i64>,
    /// After how many seconds that number may be given again.
    pub flood_rate: Option<i64>,
    /// What must not be repeated too soon, where there is such a thing.
    pub flood_key: Option<FloodKey>,
}

/// Which entries count as repetitions of one another: those of equal keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FloodKey {
    /// The code.
    pub code: u32,
    /// Who and what the entry is about.
    pub about: References,
    /// For how many seconds after an entry no other is written.
    pub seconds: u32,
}

impl FloodKey {
    /// The key of an entry, where it has one.
    pub fn of(code: u32, about: References) -> Option<Self> {
        let seconds = fact(code)?.flood_seconds;
        (seconds > 0).then_some(Self { code, about, seconds })
    }
}

/// The entry that an event raises. `before` and `after` are the World without and with it.
///
/// Costs a look-up for each name in the message; where a reactor reports on storage or on a host, a walk over the open
/// jobs as well, to find out who asked for it.
pub fn entry(before: &World, after: &World, recorded: &RecordedEvent) -> Option<AuditEntry> {
    let scene = Scene { before, after, recorded };
    draft(&scene)?.finish()
}
