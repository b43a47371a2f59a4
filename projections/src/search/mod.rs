//! The search language of `?search=`: from text to a plan that says which rows match, in which order, on which page.
//!
//! [`mod@parse`] knows the grammar and no entity, [`schema`] knows what each entity may be asked, and [`eval`] puts both
//! together over rows it only sees through [`Searchable`].

pub mod error;
pub mod eval;
pub mod parse;
pub mod pattern;
pub mod schema;

mod dates;

#[cfg(test)]
mod tests;

pub use error::{SearchError, SearchErrorKind};
pub use eval::{Condition, Env, Hint, Plan, Searchable, Seek, Sought, Value, compile};
pub use parse::{Direction, Expr, MAX_DEPTH, MAX_QUERY_LENGTH, MAX_TERMS, Operator, Query, parse};
pub use pattern::Pattern;
pub use schema::{Entity, FieldKind, SearchField};
