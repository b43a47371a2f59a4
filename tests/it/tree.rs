//! Documents as trees, whether they came as XML or as JSON, and whether one holds all that another shows.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;

/// What variables stand for.
pub type Variables = BTreeMap<String, String>;

/// An element, an attribute, or a member of a JSON object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    pub name: String,
    /// Whether XML carries it as an attribute; JSON does not tell.
    pub attribute: Option<bool>,
    pub text: String,
    pub children: Vec<Node>,
}

impl Node {
    /// Reads an XML document.
    pub fn xml(document: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(document);
        let mut open = vec![Node::default()];
        loop {
            let event = reader.read_event().map_err(|error| format!("{error} in {document}"))?;
            match event {
                Event::Start(start) => open.push(Self::started(&start)),
                Event::Empty(start) => open.last_mut().unwrap().children.push(Self::started(&start)),
                Event::Text(text) => open.last_mut().unwrap().text += text.trim(),
                Event::GeneralRef(entity) => {
                    let entity = format!("&{};", &*entity);
                    open.last_mut().unwrap().text += &unescape(&entity).unwrap();
                }
                Event::End(_) => {
                    let ended = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(ended);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        open.pop().unwrap().children.pop().filter(|_| open.is_empty()).ok_or_else(|| format!("no document: {document}"))
    }

    fn started(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let name = attribute.key.local_name().as_ref().to_owned();
            Self { name, attribute: Some(true), text: unescape(&attribute.value).unwrap().into_owned(), ..Self::default() }
        });
        let name = start.local_name().as_ref().to_owned();
        Self { name, attribute: Some(false), children: attributes.collect(), ..Self::default() }
    }

    /// A JSON document under the name that it has as XML.
    pub fn json(name: &str, value: &Value) -> Self {
        let mut node = Self { name: name.to_owned(), ..Self::default() };
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::Array(entries) => node.children.extend(entries.iter().map(|entry| Self::json(name, entry))),
                        member => node.children.push(Self::json(name, member)),
                    }
                }
                // The text between the tags of an element with attributes is a member of its own.
                if let Some(content) = node.children.iter().find(|child| child.name == "value" && child.children.is_empty()) {
                    node.text = content.text.clone();
                }
            }
            Value::String(text) => node.text = text.clone(),
            other => node.text = other.to_string(),
        }
        node
    }

    /// Whether a document has every element and attribute that this one shows; the first difference where it has not.
    ///
    /// A text that is empty here may be anything there, `?name` is taken as a variable's value, and `{name}` has to be it.
    pub fn is_within(&self, other: &Node, variables: &mut Variables) -> Result<(), String> {
        let name = &self.name;
        if self.name != other.name || (other.attribute.is_some() && self.attribute != other.attribute) {
            return Err(format!("<{}> where <{name}> is expected", other.name));
        }
        if let Some(variable) = self.text.strip_prefix('?') {
            variables.insert(variable.to_owned(), other.text.clone());
        } else if !self.text.is_empty() && filled(&self.text, variables) != other.text {
            return Err(format!("{name} is '{}' and not '{}'", other.text, filled(&self.text, variables)));
        }
        let mut unused: Vec<&Node> = other.children.iter().collect();
        for child in &self.children {
            let mut why = format!("no {}", child.name);
            let found = unused.iter().position(|candidate| {
                let mut bound = variables.clone();
                match child.is_within(candidate, &mut bound) {
                    Ok(()) => {
                        *variables = bound;
                        true
                    }
                    Err(error) => {
                        if candidate.name == child.name {
                            why = error;
                        }
                        false
                    }
                }
            });
            match found {
                Some(found) => drop(unused.remove(found)),
                None => return Err(format!("{name}: {why}")),
            }
        }
        Ok(())
    }
}

/// A text with the values of its variables.
pub fn filled(text: &str, variables: &Variables) -> String {
    variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}
