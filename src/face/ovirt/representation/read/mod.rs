//! Reads documents that clients send, along the tables of their types.
//!
//! Readers are tolerant of what they do not know, as the clients of other versions send it, and strict about what they
//! do: a value that is not what its field holds is an error that names the field.

mod json;
mod xml;

use super::description::{EnumDef, FieldDef, TypeDef, flags};
use super::doc::{Doc, Value};
use super::fault::Fault;
use super::place::Link;
use super::{Format, Kind};

/// Objects do not nest deeper than this in a document that is read.
pub const MAX_DEPTH: usize = 64;

/// A document that is read has no more bytes than this.
pub const MAX_BODY: usize = 1024 * 1024;

/// A text in a document that is read has no more characters than this, unless its field is for longer ones.
pub const MAX_FIELD_TEXT: usize = 4_000;

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The body is not well-formed, or holds what no document may.
    #[error("malformed document at byte {position}: {reason}")]
    Malformed {
        /// Where, in bytes from the start.
        position: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The body is longer than [`MAX_BODY`].
    #[error("the document has {size} bytes, more than {MAX_BODY}")]
    TooLarge {
        /// Its length in bytes.
        size: usize,
    },
    /// The objects nest deeper than [`MAX_DEPTH`].
    #[error("the document nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The document is of another type than is wanted here.
    #[error("the root element is '{found}' where '{expected}' is expected")]
    WrongRoot {
        /// The root elements that would do, with a bar between them.
        expected: String,
        /// The root element that came.
        found: String,
    },
    /// A field holds what its type does not allow.
    #[error("'{value}' is not {expected}, as {field} must be")]
    WrongType {
        /// The path of the field, such as `cpu.topology.cores`.
        field: String,
        /// What came.
        value: String,
        /// What was expected, with its article.
        expected: String,
    },
    /// A text is longer than its field can hold.
    #[error("{field} has more than {MAX_FIELD_TEXT} characters")]
    TooLong {
        /// The path of the field.
        field: String,
    },
    /// A text holds a character that no document can carry.
    #[error("{field} has a control character")]
    WrongCharacter {
        /// The path of the field.
        field: String,
    },
    /// A field that there is one of came twice.
    #[error("{field} is given more than once")]
    GivenTwice {
        /// The path of the field.
        field: String,
    },
    /// A value is none of the names that its field may take.
    #[error("{value} is not a member of {}", .of.class)]
    NotAMember {
        /// The path of the field.
        field: String,
        /// What came.
        value: String,
        /// What it may be.
        of: &'static EnumDef,
    },
}

impl ReadError {
    /// What the client is told.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotAMember { value, of, .. } => Fault::invalid_value(value, of),
            Self::WrongType { .. } | Self::GivenTwice { .. } | Self::TooLong { .. } | Self::WrongCharacter { .. } => {
                Fault::new("Invalid value", self.to_string())
            }
            Self::Malformed { .. } | Self::TooLarge { .. } | Self::TooDeep | Self::WrongRoot { .. } => {
                Fault::new("Malformed request", self.to_string())
            }
        }
    }

    fn malformed(position: usize, reason: impl ToString) -> Self {
        Self::Malformed { position, reason: reason.to_string() }
    }

    /// The error as seen from one object further out.
    fn within(mut self, name: &str) -> Self {
        if let Self::WrongType { field, .. }
        | Self::GivenTwice { field }
        | Self::TooLong { field }
        | Self::WrongCharacter { field }
        | Self::NotAMember { field, .. } = &mut self
        {
            field.insert(0, '.');
            field.insert_str(0, name);
        }
        self
    }
}

/// Reads a document of this type.
pub fn parse(body: &[u8], format: Format, def: &'static TypeDef) -> Result<Doc, ReadError> {
    parse_any(body, format, &[def]).map(|(_, doc)| doc)
}

/// Reads a document of one of these types: the root element says which. JSON that has no root is of the first.
pub fn parse_any(body: &[u8], format: Format, defs: &[&'static TypeDef]) -> Result<(&'static TypeDef, Doc), ReadError> {
    if body.len() > MAX_BODY {
        return Err(ReadError::TooLarge { size: body.len() });
    }
    let body = std::str::from_utf8(body).map_err(|error| ReadError::malformed(error.valid_up_to(), "not UTF-8"))?;
    let body = body.strip_prefix('\u{feff}').unwrap_or(body);
    if let Some(at) = body.find(|c| !carried(c)) {
        return Err(ReadError::malformed(at, "a control character"));
    }
    match format {
        Format::Xml => xml::parse(body, defs),
        Format::Json => json::parse(body, defs),
    }
}

/// Whether XML can carry the character, as a document must in the answer if not in the request.
fn carried(c: char) -> bool {
    !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

fn wrong_root(found: &str, defs: &[&'static TypeDef]) -> ReadError {
    let expected: Vec<_> = defs.iter().map(|def| def.element).collect();
    ReadError::WrongRoot { expected: expected.join("|"), found: found.to_owned() }
}

/// Sets a field that there may be only one of.
fn set_once(doc: &mut Doc, field: &FieldDef, value: Value) -> Result<(), ReadError> {
    if doc.get(field.name).is_some() {
        return Err(ReadError::GivenTwice { field: field.name.to_owned() });
    }
    doc.put(field.name, value);
    Ok(())
}

/// What the text of a scalar field means; nothing if it is empty and the field is not of text.
fn scalar(field: &FieldDef, text: &str) -> Result<Option<Value>, ReadError> {
    if matches!(field.kind, Kind::Text | Kind::Texts | Kind::Link) {
        // Characters are no more than bytes, which are counted at once.
        if text.len() > MAX_FIELD_TEXT && !field.is(flags::LONG) && text.chars().count() > MAX_FIELD_TEXT {
            return Err(ReadError::TooLong { field: field.name.to_owned() });
        }
        if !text.chars().all(carried) {
            return Err(ReadError::WrongCharacter { field: field.name.to_owned() });
        }
        return Ok(Some(if matches!(field.kind, Kind::Link) { Link::sent(text).into() } else { text.into() }));
    }
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let value = match field.kind {
        Kind::Int(least, most) => {
            let number = text.parse::<i64>().ok().filter(|number| (least..=most).contains(number));
            Value::Int(number.ok_or_else(|| wrong_type(field, text))?)
        }
        Kind::Decimal => {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            Value::Decimal(number.ok_or_else(|| wrong_type(field, text))?)
        }
        Kind::Bool => match text {
            "1" => Value::Bool(true),
            "0" => Value::Bool(false),
            _ if text.eq_ignore_ascii_case("true") => Value::Bool(true),
            _ if text.eq_ignore_ascii_case("false") => Value::Bool(false),
            _ => return Err(wrong_type(field, text)),
        },
        Kind::Enum(of) => match of.members.iter().find(|member| member.eq_ignore_ascii_case(text)) {
            Some(member) => Value::fixed(member),
            None => {
                return Err(ReadError::NotAMember { field: field.name.to_owned(), value: text.to_owned(), of });
            }
        },
        Kind::Date | Kind::Text | Kind::Texts | Kind::Link => text.into(),
        Kind::Group(_) | Kind::Groups(_) => return Err(wrong_type(field, text)),
    };
    Ok(Some(value))
}

fn wrong_type(field: &FieldDef, value: &str) -> ReadError {
    let expected = match field.kind {
        Kind::Int(least, most) => format!("an integer from {least} to {most}"),
        Kind::Bool => "true or false".to_owned(),
        Kind::Decimal => "a number".to_owned(),
        Kind::Date => "a date".to_owned(),
        Kind::Enum(of) => format!("a {}", of.class),
        Kind::Text | Kind::Texts | Kind::Link => "text".to_owned(),
        Kind::Group(def) | Kind::Groups(def) => format!("an object of class {}", def.class),
    };
    ReadError::WrongType { field: field.name.to_owned(), value: value.to_owned(), expected }
}
