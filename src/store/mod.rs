//! What everything that keeps data has in common: the trouble that a store can be in, and SQLite files.

#![warn(clippy::missing_errors_doc)]

pub mod file;
pub mod sqlite;

/// What kind of trouble a store is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no room.
    Full,
    /// It cannot be written to.
    ReadOnly,
    /// The disk or the connection fails.
    Io,
    /// What is stored there is damaged.
    Corrupt,
    /// It is not where it was: it was removed or replaced.
    Gone,
    /// Another process holds it.
    Busy,
    /// Something else.
    Other,
}

/// The store cannot serve just now. It may later: every call tries anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is unavailable ({cause:?}): {detail}")]
pub struct Unavailable {
    /// The kind of trouble.
    pub cause: Cause,
    /// What the store says, for operators.
    pub detail: String,
}
