//! What rows answer when they are asked for a field, and how such values compare.

use std::borrow::Cow;
use std::cmp::Ordering;

use uuid::Uuid;

use super::schema::Entity;

/// What a row answers when asked for a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// Whether there is one is not known: no condition holds for it, and not its opposite.
    Unknown,
    /// A text, or the spelling of an enumeration's member in the API or in the query language.
    Text(Cow<'a, str>),
    /// A whole number.
    Int(i64),
    /// A number.
    Decimal(f64),
    /// A truth.
    Bool(bool),
    /// A moment, in microseconds since the epoch.
    Micros(i64),
    /// A duration.
    Seconds(i64),
    /// A UUID.
    Uuid(Uuid),
    /// Several texts, of which any may match; with `!=`, none may.
    Texts(Vec<Cow<'a, str>>),
}

impl<'a> Value<'a> {
    /// A borrowed text.
    pub fn text(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }

    pub(super) fn is_absent(&self) -> bool {
        match self {
            Value::Null | Value::Unknown => true,
            Value::Text(text) => text.is_empty(),
            Value::Texts(texts) => texts.iter().all(|text| text.is_empty()),
            _ => false,
        }
    }

    /// Whether any text of the value passes the test; numbers count by their digits.
    pub(super) fn any_text(&self, mut test: impl FnMut(&str) -> bool) -> bool {
        match self {
            Value::Null | Value::Unknown => false,
            Value::Text(text) => test(text),
            Value::Texts(texts) => texts.iter().any(|text| test(text)),
            Value::Uuid(id) => test(id.hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Value::Int(number) | Value::Micros(number) | Value::Seconds(number) => test(&number.to_string()),
            Value::Decimal(number) => test(&number.to_string()),
            Value::Bool(truth) => test(if *truth { "true" } else { "false" }),
        }
    }

    pub(super) fn compare_int(&self, other: i64) -> Option<Ordering> {
        match self {
            Value::Int(number) | Value::Micros(number) | Value::Seconds(number) => Some(number.cmp(&other)),
            Value::Decimal(number) => number.partial_cmp(&(other as f64)),
            _ => None,
        }
    }

    pub(super) fn compare_decimal(&self, other: f64) -> Option<Ordering> {
        match self {
            Value::Int(number) => (*number as f64).partial_cmp(&other),
            Value::Decimal(number) => number.partial_cmp(&other),
            _ => None,
        }
    }

    /// The order of two values of one field; text is ordered without regard to case first and then by its characters,
    /// so that an index of names can yield the same.
    pub(super) fn order(&self, other: &Value<'_>) -> Ordering {
        match (self, other) {
            (Value::Text(one), Value::Text(other)) => order_text(one, other),
            (Value::Texts(one), Value::Texts(other)) => one.cmp(other),
            (Value::Uuid(one), Value::Uuid(other)) => one.cmp(other),
            (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
            (one, Value::Int(other) | Value::Micros(other) | Value::Seconds(other)) => {
                one.compare_int(*other).unwrap_or(Ordering::Equal)
            }
            (Value::Decimal(one), Value::Decimal(other)) => one.total_cmp(other),
            (one, Value::Decimal(other)) => one.compare_decimal(*other).unwrap_or(Ordering::Equal),
            _ => Ordering::Equal,
        }
    }
}

/// The order of two texts: that of their lower case, then their own.
fn order_text(one: &str, other: &str) -> Ordering {
    let folded = if one.is_ascii() && other.is_ascii() {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        one.bytes().map(lower).cmp(other.bytes().map(lower))
    } else {
        one.to_lowercase().cmp(&other.to_lowercase())
    };
    folded.then_with(|| one.cmp(other))
}

/// A row, as far as a search sees it.
pub trait Searchable {
    /// The value of a field of [`Entity::fields`] or a name of [`Entity::default_sort`].
    fn field(&self, name: &'static str) -> Value<'_>;

    /// Shows each related row to `visit` until that returns true.
    fn related(&self, reference: Entity, visit: &mut dyn FnMut(&dyn Searchable) -> bool);
}
