//! Documents of the oVirt API: field descriptions, and reading and writing them as XML and JSON.
//!
//! A type is a table ([`TypeDef`]), a document is a dynamic [`Doc`], and the readers and writers walk the one along the
//! other. Nothing in here knows HTTP or a clock, and of the domain nothing but identifiers: what links lead to.

pub mod body;
pub mod check;
pub mod description;
pub mod doc;
pub mod fault;
pub mod place;
mod read;
pub mod types;
mod write;

pub use description::{FieldDef, Kind, TypeDef};
pub use doc::{Doc, Value};
pub use fault::Fault;
pub use place::{Link, Place};
pub use read::{MAX_BODY, MAX_DEPTH, ReadError, parse, parse_any};
pub use write::{DECLARATION, Placement, render, render_as, render_collection, render_fragment};

/// The two media types that a document can be read from and written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `application/xml`
    Xml,
    /// `application/json`
    Json,
}

#[cfg(test)]
mod tests;
