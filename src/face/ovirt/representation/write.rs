//! Writes documents straight into bytes, along the tables of their types, so that members come in the schema's order
//! however the document was put together. XML has one element a line, indented, as upstream has it: there are clients that read by lines.

use std::io::Write;

use super::description::{FieldDef, MAX_FIELDS, TypeDef, flags};
use super::doc::{Doc, Value};
use super::{Format, Kind, types};

/// Clients recognise an XML document of the engine by exactly this beginning.
pub const DECLARATION: &[u8] = br#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;

/// What is written instead of a character that XML cannot carry.
const REPLACEMENT: &str = "\u{fffd}";

/// Where a document stands, which XML shows by its declaration and by how far it is indented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// As a whole response body.
    Alone,
    /// As an item of [`render_collection`].
    Listed,
}

/// A document as a whole response body.
pub fn render(def: &TypeDef, doc: &Doc, format: Format) -> Vec<u8> {
    render_as(Placement::Alone, def, doc, format)
}

/// A document as an item of [`render_collection`].
pub fn render_fragment(def: &TypeDef, doc: &Doc, format: Format) -> Vec<u8> {
    render_as(Placement::Listed, def, doc, format)
}

/// A document as it is written at its place.
pub fn render_as(placement: Placement, def: &TypeDef, doc: &Doc, format: Format) -> Vec<u8> {
    let mut out = Vec::with_capacity(2048);
    match (format, placement) {
        (Format::Json, _) => Json::object(&mut out, def, doc),
        (Format::Xml, Placement::Listed) => Xml::object(&mut out, def.element, def, doc, ITEM_LEVEL),
        (Format::Xml, Placement::Alone) => {
            out.extend_from_slice(DECLARATION);
            line(&mut out, 0);
            Xml::object(&mut out, def.element, def, doc, 0);
            line(&mut out, 0);
        }
    }
    out
}

/// How deep the items of a collection are indented.
const ITEM_LEVEL: usize = 1;
/// How many spaces each level is indented by, as JAXB does.
const INDENT: usize = 4;
/// The end of a line and the indentation of the next, however deep documents go.
const LINE: &[u8] = b"\n                                                                                ";

/// Begins a line.
fn line(out: &mut Vec<u8>, level: usize) {
    out.extend_from_slice(&LINE[..LINE.len().min(1 + INDENT * level)]);
}

/// How long what stands between two items is at the most.
const BETWEEN_ITEMS: usize = 1 + INDENT * ITEM_LEVEL;
/// How long what stands around the items of a collection mostly is.
const AROUND_ITEMS: usize = 1024;

/// A collection as a whole response body, put together from items that [`render_fragment`] wrote in the same format.
///
/// `about` is what the collection says besides its items: `actions`, `total`, `active`.
pub fn render_collection<I>(def: &TypeDef, about: &Doc, items: I, format: Format) -> Vec<u8>
where
    I: IntoIterator<Item: AsRef<[u8]>>,
{
    // A page is hundreds of kilobytes: to copy it again each time that it outgrows its place would cost as much as writing it.
    let items: Vec<I::Item> = items.into_iter().collect();
    let length: usize = items.iter().map(|item| item.as_ref().len() + BETWEEN_ITEMS).sum();
    let mut out = Vec::with_capacity(length + AROUND_ITEMS);
    match format {
        Format::Xml => {
            out.extend_from_slice(DECLARATION);
            line(&mut out, 0);
            Xml::collection(&mut out, def, about, items);
            line(&mut out, 0);
        }
        Format::Json => Json::collection(&mut out, def, about, items),
    }
    out
}

/// The members of one object in the order of its table.
struct Ordered<'a> {
    def: &'static [FieldDef],
    doc: &'a Doc,
    /// Positions of the field and of the member.
    pairs: [(u8, u8); MAX_FIELDS],
    len: usize,
}

impl<'a> Ordered<'a> {
    fn new(def: &TypeDef, doc: &'a Doc) -> Self {
        let mut ordered = Self { def: def.fields, doc, pairs: [(0, 0); MAX_FIELDS], len: 0 };
        let mut hint = 0;
        let mut sorted = true;
        for (member, (name, value)) in doc.members().iter().enumerate().take(MAX_FIELDS) {
            let Some(field) = def.position(name, hint) else {
                debug_assert!(false, "{} has no field {name}", def.class);
                continue;
            };
            debug_assert!(fits(def.fields[field].kind, value), "{}.{name} cannot hold {value:?}", def.class);
            sorted &= field >= hint;
            hint = field + 1;
            if def.fields[field].is(flags::SECRET) {
                continue;
            }
            ordered.pairs[ordered.len] = (field as u8, member as u8);
            ordered.len += 1;
        }
        if !sorted {
            ordered.pairs[..ordered.len].sort_unstable();
        }
        ordered
    }

    fn iter(&self) -> impl Iterator<Item = (&'static FieldDef, &'a Value)> {
        let (fields, members) = (self.def, self.doc.members());
        self.pairs[..self.len].iter().map(move |&(field, member)| (&fields[usize::from(field)], &members[usize::from(member)].1))
    }
}

fn fits(kind: Kind, value: &Value) -> bool {
    match value {
        Value::Text(_) => matches!(kind, Kind::Text | Kind::Enum(_) | Kind::Date),
        // Where a link leads decides what may be seen: text alone would not say it.
        Value::Link(_) => matches!(kind, Kind::Link),
        Value::Int(_) => matches!(kind, Kind::Int(..) | Kind::Decimal),
        Value::Bool(_) => matches!(kind, Kind::Bool),
        Value::Decimal(_) => matches!(kind, Kind::Decimal),
        Value::Doc(_) => matches!(kind, Kind::Group(_)),
        Value::List(items) => match kind {
            Kind::Texts => items.iter().all(|item| item.as_text().is_some()),
            Kind::Groups(_) => items.iter().all(|item| item.as_doc().is_some()),
            _ => false,
        },
    }
}

fn number(out: &mut Vec<u8>, number: impl std::fmt::Display) {
    // Writing to memory does not fail.
    let _ = write!(out, "{number}");
}

/// Fractions without an exponent; what is no number becomes 0, as neither notation can carry it.
fn fraction(out: &mut Vec<u8>, fraction: f64) {
    number(out, if fraction.is_finite() { fraction } else { 0.0 });
}

/// Copies text, putting what `escape` gives for the bytes that it minds in their place.
fn escaped(out: &mut Vec<u8>, text: &str, minded: &[bool; 256], escape: impl Fn(u8) -> &'static str) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if !minded[usize::from(byte)] {
            continue;
        }
        // The lead byte of U+FFFE and U+FFFF leads many harmless characters too.
        let (with, length) = match byte {
            0xef if bytes[at..].starts_with(b"\xef\xbf\xbe") || bytes[at..].starts_with(b"\xef\xbf\xbf") => (REPLACEMENT, 3),
            0xef => continue,
            _ => (escape(byte), 1),
        };
        out.extend_from_slice(&bytes[copied..at]);
        out.extend_from_slice(with.as_bytes());
        copied = at + length;
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// The bytes to mind: the control characters, the lead byte of the two non-characters, and these.
const fn minded(special: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 0x20 {
        table[at] = true;
        at += 1;
    }
    table[0xef] = true;
    let mut at = 0;
    while at < special.len() {
        table[special[at] as usize] = true;
        at += 1;
    }
    table
}

struct Xml;

impl Xml {
    fn text(out: &mut Vec<u8>, text: &str, quoted: bool) {
        static TEXT: [bool; 256] = minded(b"&<>\"");
        escaped(out, text, &TEXT, |byte| match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' if quoted => "&quot;",
            b'"' => "\"",
            b'\r' => "&#13;",
            b'\n' if quoted => "&#10;",
            b'\n' => "\n",
            b'\t' if quoted => "&#9;",
            b'\t' => "\t",
            _ => REPLACEMENT,
        });
    }

    fn scalar(out: &mut Vec<u8>, value: &Value, quoted: bool) {
        match value {
            Value::Text(text) => Self::text(out, text, quoted),
            Value::Link(link) => Self::text(out, link.as_str(), quoted),
            Value::Int(value) => number(out, value),
            Value::Bool(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
            Value::Decimal(value) => fraction(out, *value),
            Value::Doc(_) | Value::List(_) => {}
        }
    }

    /// Writes an element on a line of its own; a list is one line or more for each of its items.
    fn element(out: &mut Vec<u8>, field: &FieldDef, value: &Value, level: usize) {
        match (value, field.kind) {
            (Value::List(items), _) => items.iter().for_each(|item| Self::element(out, field, item, level)),
            (Value::Doc(doc), Kind::Group(def) | Kind::Groups(def)) => {
                line(out, level);
                Self::object(out, field.name, def, doc, level);
            }
            _ => {
                line(out, level);
                open(out, field.name);
                out.push(b'>');
                Self::scalar(out, value, false);
                close(out, field.name);
            }
        }
    }
}

fn open(out: &mut Vec<u8>, name: &str) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
}

fn close(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

impl Xml {
    /// Writes an object whose line has been begun at a level.
    fn object(out: &mut Vec<u8>, name: &str, def: &TypeDef, doc: &Doc, level: usize) {
        let ordered = Ordered::new(def, doc);
        open(out, name);
        let mut attributes = 0;
        for (field, value) in ordered.iter().filter(|(field, _)| field.is(flags::ATTRIBUTE)) {
            out.push(b' ');
            out.extend_from_slice(field.name.as_bytes());
            out.extend_from_slice(b"=\"");
            Self::scalar(out, value, true);
            out.push(b'"');
            attributes += 1;
        }
        if attributes == ordered.len {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        let mut has_elements = false;
        for (field, value) in ordered.iter().filter(|(field, _)| !field.is(flags::ATTRIBUTE)) {
            match field.is(flags::CONTENT) {
                true => Self::scalar(out, value, false),
                false => {
                    Self::element(out, field, value, level + 1);
                    has_elements = true;
                }
            }
        }
        if has_elements {
            line(out, level);
        }
        close(out, name);
    }

    /// Writes a collection around items that are written already.
    fn collection<I>(out: &mut Vec<u8>, def: &TypeDef, about: &Doc, items: I)
    where
        I: IntoIterator<Item: AsRef<[u8]>>,
    {
        open(out, def.plural);
        let about = Ordered::new(&types::COLLECTION, about);
        let mut items = items.into_iter().peekable();
        if about.len == 0 && items.peek().is_none() {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        for (field, value) in about.iter() {
            Self::element(out, field, value, ITEM_LEVEL);
        }
        for item in items {
            line(out, ITEM_LEVEL);
            out.extend_from_slice(item.as_ref());
        }
        line(out, 0);
        close(out, def.plural);
    }
}

struct Json;

impl Json {
    fn value(out: &mut Vec<u8>, field: &FieldDef, value: &Value) {
        match (value, field.kind) {
            (Value::Text(text), _) => Self::string(out, text),
            (Value::Link(link), _) => Self::string(out, link.as_str()),
            (Value::Int(value), _) => number(out, value),
            (Value::Bool(truth), _) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
            (Value::Decimal(value), _) => fraction(out, *value),
            (Value::Doc(doc), Kind::Group(def) | Kind::Groups(def)) => Self::object(out, def, doc),
            (Value::Doc(_), _) => out.extend_from_slice(b"null"),
            (Value::List(items), _) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    Self::value(out, field, item);
                }
                out.push(b']');
            }
        }
    }

    fn string(out: &mut Vec<u8>, text: &str) {
        static TEXT: [bool; 256] = minded(b"\"\\");
        out.push(b'"');
        escaped(out, text, &TEXT, |byte| match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            _ => REPLACEMENT,
        });
        out.push(b'"');
    }

    /// Begins a member of an object that has just been opened or holds something already.
    fn name(out: &mut Vec<u8>, name: &str) {
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
    }

    fn members(out: &mut Vec<u8>, def: &TypeDef, doc: &Doc) {
        for (field, value) in Ordered::new(def, doc).iter() {
            if matches!(value, Value::List(items) if items.is_empty()) {
                continue;
            }
            Self::name(out, field.name);
            Self::value(out, field, value);
        }
    }

    fn object(out: &mut Vec<u8>, def: &TypeDef, doc: &Doc) {
        out.push(b'{');
        Self::members(out, def, doc);
        out.push(b'}');
    }

    /// Writes a collection around items that are written already.
    fn collection<I>(out: &mut Vec<u8>, def: &TypeDef, about: &Doc, items: I)
    where
        I: IntoIterator<Item: AsRef<[u8]>>,
    {
        out.push(b'{');
        Self::members(out, &types::COLLECTION, about);
        let mut items = items.into_iter().peekable();
        if items.peek().is_some() {
            Self::name(out, def.element);
            out.push(b'[');
            for (at, item) in items.enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(item.as_ref());
            }
            out.push(b']');
        }
        out.push(b'}');
    }
}
