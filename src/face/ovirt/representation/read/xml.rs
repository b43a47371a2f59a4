//! Reads XML: events of the tokenizer straight into a document, without a tree in between.

use std::borrow::Cow;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error, Reader};

use super::super::description::{FieldDef, TypeDef, flags};
use super::super::doc::Doc;
use super::{Kind, MAX_DEPTH, ReadError, carried, scalar, set_once, wrong_root};

/// Elements of a type that another element usually stands for. A client that looks the root element up by its type, as SDK 3.3 does, may
/// find either.
const SAME_TYPE: [(&str, &str); 5] = [
    ("preview_vm", "vm"),
    ("base_template", "template"),
    ("owner", "user"),
    ("management_network", "network"),
    ("parent_step", "step"),
];

pub(super) fn parse(body: &str, defs: &[&'static TypeDef]) -> Result<(&'static TypeDef, Doc), ReadError> {
    let mut reader = Xml { reader: Reader::from_str(body), depth: 0 };
    let (def, doc) = loop {
        match reader.next()? {
            Event::Start(tag) => break reader.root(&tag, false, defs)?,
            Event::Empty(tag) => break reader.root(&tag, true, defs)?,
            Event::Decl(declaration) => match declaration.encoding() {
                Some(Ok(encoding)) if !["utf-8", "us-ascii"].contains(&encoding.to_ascii_lowercase().as_str()) => {
                    return Err(reader.malformed(format!("the encoding is {encoding}, not UTF-8")));
                }
                Some(Err(error)) => return Err(reader.malformed(error)),
                _ => {}
            },
            other => reader.between(other, "no root element")?,
        }
    };
    loop {
        match reader.next()? {
            Event::Eof => return Ok((def, doc)),
            other => reader.between(other, "something follows the root element")?,
        }
    }
}

struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
}

impl<'a> Xml<'a> {
    fn next(&mut self) -> Result<Event<'a>, ReadError> {
        match self.reader.read_event() {
            // A document type could declare entities that grow without bound; no client has a use for one.
            Ok(Event::DocType(_)) => Err(self.malformed("a document type declaration")),
            Ok(event) => Ok(event),
            Err(error) => Err(ReadError::malformed(position(self.reader.error_position()), error)),
        }
    }

    fn malformed(&self, reason: impl ToString) -> ReadError {
        ReadError::malformed(position(self.reader.buffer_position()), reason)
    }

    /// Passes over what may stand outside of the root element.
    fn between(&self, event: Event<'_>, otherwise: &str) -> Result<(), ReadError> {
        match event {
            Event::Comment(_) | Event::PI(_) => Ok(()),
            Event::Text(text) if text.trim().is_empty() => Ok(()),
            _ => Err(self.malformed(otherwise)),
        }
    }

    fn root(
        &mut self,
        tag: &BytesStart<'_>,
        empty: bool,
        defs: &[&'static TypeDef],
    ) -> Result<(&'static TypeDef, Doc), ReadError> {
        let name = local(tag);
        let usual = SAME_TYPE.iter().find(|(other, _)| *other == name).map_or(name, |(_, usual)| usual);
        match defs.iter().find(|def| def.element == usual) {
            Some(def) => Ok((def, self.object(tag, empty, def)?)),
            None => Err(wrong_root(name, defs)),
        }
    }

    /// Reads an object whose start tag has been read.
    fn object(&mut self, tag: &BytesStart<'_>, empty: bool, def: &'static TypeDef) -> Result<Doc, ReadError> {
        let mut doc = Doc::new();
        self.attributes(tag, |name, value| match def.meant(name) {
            Some(field) if !matches!(field.kind, Kind::Group(_) | Kind::Groups(_) | Kind::Texts) => {
                set_scalar(&mut doc, field, value)
            }
            _ => Ok(()),
        })?;
        if empty {
            return Ok(doc);
        }
        self.enter()?;
        let mut content = String::new();
        loop {
            match self.next()? {
                Event::Start(tag) => self.member(&mut doc, &tag, false, def)?,
                Event::Empty(tag) => self.member(&mut doc, &tag, true, def)?,
                Event::End(_) => break,
                other => self.characters(&mut content, other)?,
            }
        }
        self.depth -= 1;
        if let Some(field) = def.fields.iter().find(|field| field.is(flags::CONTENT) || field.is(flags::ALONE))
            && !content.trim().is_empty()
        {
            set_scalar(&mut doc, field, &content)?;
        }
        Ok(doc)
    }

    fn member(&mut self, doc: &mut Doc, tag: &BytesStart<'_>, empty: bool, def: &'static TypeDef) -> Result<(), ReadError> {
        let Some(field) = def.meant(local(tag)) else {
            return self.text(tag, empty).map(drop);
        };
        match field.kind {
            Kind::Group(def) => {
                let object = self.object(tag, empty, def).map_err(|error| error.within(field.name))?;
                set_once(doc, field, object.into())
            }
            Kind::Groups(def) => {
                let object = self.object(tag, empty, def).map_err(|error| error.within(field.name))?;
                doc.push(field.name, object);
                Ok(())
            }
            Kind::Texts => {
                doc.push(field.name, self.text(tag, empty)?);
                Ok(())
            }
            _ => {
                let text = self.text(tag, empty)?;
                set_scalar(doc, field, &text)
            }
        }
    }

    /// Reads the text of an element whose start tag has been read, and passes over the elements within.
    fn text(&mut self, tag: &BytesStart<'_>, empty: bool) -> Result<String, ReadError> {
        let mut text = String::new();
        self.attributes(tag, |_, _| Ok(()))?;
        if empty {
            return Ok(text);
        }
        self.enter()?;
        loop {
            match self.next()? {
                Event::Start(tag) => drop(self.text(&tag, false)?),
                Event::Empty(tag) => drop(self.text(&tag, true)?),
                Event::End(_) => break,
                other => self.characters(&mut text, other)?,
            }
        }
        self.depth -= 1;
        Ok(text)
    }

    fn characters(&self, text: &mut String, event: Event<'_>) -> Result<(), ReadError> {
        match event {
            Event::Text(more) => text.push_str(&more.xml10_content()),
            Event::CData(more) => text.push_str(&more.xml10_content()),
            Event::GeneralRef(name) => text.push(self.resolve(&name)?),
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => {
                return Err(self.malformed("the document ends before its root element does"));
            }
            Event::Decl(_) => return Err(self.malformed("a declaration that is not at the start")),
            Event::Start(_) | Event::Empty(_) | Event::End(_) | Event::DocType(_) => {
                return Err(self.malformed("a tag out of place"));
            }
        }
        Ok(())
    }

    /// The character that a reference such as `amp` or `#x41` stands for.
    fn resolve(&self, name: &str) -> Result<char, ReadError> {
        let found = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => name
                .strip_prefix('#')
                .and_then(|number| match number.strip_prefix('x') {
                    Some(hex) if hex.starts_with(|c: char| c.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok(),
                    None if number.starts_with(|c: char| c.is_ascii_digit()) => number.parse().ok(),
                    _ => None,
                })
                .and_then(char::from_u32)
                .filter(|c| carried(*c)),
        };
        found.ok_or_else(|| self.malformed(format!("the reference &{name}; stands for nothing allowed")))
    }

    /// Hands on the attributes by name and meaning. Those of other namespaces are not ours to read.
    fn attributes(
        &self,
        tag: &BytesStart<'_>,
        mut each: impl FnMut(&str, &str) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| self.malformed(Error::from(error)))?;
            let value = self.attribute_value(&attribute.value)?;
            let name = attribute.key.0;
            if name != "xmlns" && !name.contains(':') {
                each(name, &value)?;
            }
        }
        Ok(())
    }

    fn attribute_value<'v>(&self, raw: &'v str) -> Result<Cow<'v, str>, ReadError> {
        if !raw.contains(['&', '<', '\n', '\r', '\t']) {
            return Ok(Cow::Borrowed(raw));
        }
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(at) = rest.find(['&', '<', '\n', '\r', '\t']) {
            value.push_str(&rest[..at]);
            rest = &rest[at..];
            match rest.as_bytes() {
                [b'&', ..] => {
                    let Some((name, after)) = rest[1..].split_once(';') else {
                        return Err(self.malformed("a reference without an end"));
                    };
                    value.push(self.resolve(name)?);
                    rest = after;
                }
                [b'<', ..] => return Err(self.malformed("a tag within an attribute")),
                [b'\r', b'\n', ..] => {
                    value.push(' ');
                    rest = &rest[2..];
                }
                _ => {
                    value.push(' ');
                    rest = &rest[1..];
                }
            }
        }
        value.push_str(rest);
        Ok(Cow::Owned(value))
    }

    fn enter(&mut self) -> Result<(), ReadError> {
        self.depth += 1;
        match self.depth > MAX_DEPTH {
            true => Err(ReadError::TooDeep),
            false => Ok(()),
        }
    }
}

fn set_scalar(doc: &mut Doc, field: &FieldDef, text: &str) -> Result<(), ReadError> {
    match scalar(field, text)? {
        Some(value) => set_once(doc, field, value),
        None => Ok(()),
    }
}

/// An element's name without the prefix of its namespace.
fn local<'t>(tag: &'t BytesStart<'_>) -> &'t str {
    let name = tag.name().0;
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn position(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
