//! What a search text can do wrong, and where.

use std::fmt::Display;

/// The rule of the language that a text breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SearchErrorKind {
    /// The text is longer than [`MAX_QUERY_LENGTH`](super::MAX_QUERY_LENGTH) bytes.
    QueryTooLong,
    /// There are more than [`MAX_TERMS`](super::MAX_TERMS) terms.
    TooManyTerms,
    /// Parentheses nest deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
    /// A character that has no place in a search, or not in the middle of a word.
    InvalidCharacter,
    /// A quoted value that never ends.
    UnterminatedQuote,
    /// A parenthesis without its partner.
    UnbalancedParenthesis,
    /// Something other than a criterion where one must stand.
    ExpectedTerm,
    /// An operator with nothing to compare with.
    ExpectedValue,
    /// `sortby` without a field.
    ExpectedSortField,
    /// Something other than a direction or a page after a sort field.
    ExpectedSortDirection,
    /// `page` without a number from 1.
    InvalidPage,
    /// Text after the page, which must come last.
    TrailingText,
    /// A name that no field of the object has, with an operator behind it.
    UnknownField,
    /// An object that this object cannot refer to.
    UnknownReference,
    /// A sort by something that is no field of the object.
    UnknownSortField,
    /// An operator that the field does not know.
    OperatorNotAllowed,
    /// A value that the field cannot have.
    InvalidValue,
    /// A second free text on the same object.
    RepeatedFreeText,
    /// The object before the colon is unknown, or there is no colon.
    UnknownObject,
}

/// Why a text is no search. The message names the position and what would have been right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SearchError {
    /// Where it went wrong: an offset in bytes from 0, at most the length of the text.
    pub position: usize,
    /// Which rule was broken.
    pub kind: SearchErrorKind,
    /// For a person.
    pub message: String,
}

impl SearchError {
    /// An error at `position` where `problem` was found instead of `expected`.
    pub(super) fn new(kind: SearchErrorKind, position: usize, problem: impl Display, expected: impl Display) -> Self {
        Self { position, kind, message: format!("{problem} at position {position}: expected {expected}") }
    }
}
