//! What rows are asked for: filters and orders, made of typed values or of a text in the search language of `?search=`.
//!
//! [`schema`] knows what each entity may be asked, [`filter`] which rows match, and [`order`] which come first, over rows that they only
//! see through [`Searchable`]. [`mod@parse`] knows the grammar of the language and no entity, and [`mod@compile`] makes filter and order of it.

pub mod compile;
pub mod error;
pub mod filter;
pub mod order;
pub mod parse;
pub mod pattern;
pub mod schema;
pub mod value;

mod dates;

#[cfg(test)]
mod tests;

pub use compile::{Env, Plan, compile};
pub use error::{SearchError, SearchErrorKind};
pub use filter::{Condition, Filter, Hint, Mismatch, Operand, Seek, Sought};
pub use order::Order;
pub use parse::{Direction, Expr, MAX_DEPTH, MAX_QUERY_LENGTH, MAX_TERMS, Operator, Search, parse};
pub use pattern::Pattern;
pub use schema::{Entity, FieldKind, SearchField};
pub use value::{Searchable, Value};
