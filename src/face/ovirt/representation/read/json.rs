//! Reads JSON, into a tree first: whether there is a root wrapper shows only afterwards.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::super::description::{FieldDef, TypeDef, flags};
use super::super::doc::Doc;
use super::{Kind, MAX_DEPTH, ReadError, Value, scalar, set_once, wrong_root, wrong_type};

pub(super) fn parse(body: &str, defs: &[&'static TypeDef]) -> Result<(&'static TypeDef, Doc), ReadError> {
    let tree: Tree =
        serde_json::from_str(body).map_err(|error| ReadError::malformed(offset(body, error.line(), error.column()), error))?;
    let Tree::Object(mut members) = tree else {
        return Err(wrong_root(tree.noun(), defs));
    };
    let (def, members) = match (defs, members.as_mut_slice()) {
        (_, [(name, Tree::Object(inner))]) if let Some(def) = wrapped(name, defs) => (def, std::mem::take(inner)),
        ([first, ..], _) => (*first, members),
        ([], _) => return Err(wrong_root("object", defs)),
    };
    Ok((def, object(def, members, 1)?))
}

/// The type whose root element a sole member may be; a member of the first type is not a root.
fn wrapped(name: &str, defs: &[&'static TypeDef]) -> Option<&'static TypeDef> {
    match defs.first() {
        Some(first) if first.field(name).is_none() => defs.iter().find(|def| def.element == name).copied(),
        _ => None,
    }
}

fn object(def: &'static TypeDef, members: Vec<(String, Tree)>, depth: usize) -> Result<Doc, ReadError> {
    if depth > MAX_DEPTH {
        return Err(ReadError::TooDeep);
    }
    let mut doc = Doc::new();
    for (name, tree) in members {
        let Some(field) = def.meant(&name) else {
            continue;
        };
        if doc.get(field.name).is_some() {
            return Err(ReadError::GivenTwice { field: field.name.to_owned() });
        }
        if let Some(value) = value(field, tree, depth)? {
            set_once(&mut doc, field, value)?;
        }
    }
    Ok(doc)
}

fn value(field: &FieldDef, tree: Tree, depth: usize) -> Result<Option<Value>, ReadError> {
    match (field.kind, tree) {
        (_, Tree::Null) => Ok(None),
        (Kind::Texts | Kind::Groups(_), Tree::Array(items)) => {
            let items = items.into_iter().filter_map(|item| one(field, item, depth).transpose());
            Ok(Some(Value::List(items.collect::<Result<_, _>>()?)))
        }
        (Kind::Texts | Kind::Groups(_), tree) => Ok(one(field, tree, depth)?.map(|item| Value::List(vec![item]))),
        (_, tree) => one(field, tree, depth),
    }
}

/// A single value: of a scalar, an object or an item of a list.
fn one(field: &FieldDef, tree: Tree, depth: usize) -> Result<Option<Value>, ReadError> {
    let text = match (field.kind, tree) {
        (_, Tree::Null) => return Ok(None),
        (Kind::Group(def) | Kind::Groups(def), Tree::Object(members)) => {
            let doc = object(def, members, depth + 1).map_err(|error| error.within(field.name))?;
            return Ok(Some(doc.into()));
        }
        (Kind::Group(def) | Kind::Groups(def), tree) => {
            // The text between the tags may stand for the whole object.
            return match def.fields.iter().find(|field| field.is(flags::CONTENT) || field.is(flags::ALONE)) {
                Some(content) => {
                    let held = one(content, tree, depth).map_err(|error| error.within(field.name))?;
                    Ok(held.map(|held| Doc::new().set(content.name, held).into()))
                }
                None => Err(wrong_type(field, tree.noun())),
            };
        }
        (_, Tree::Text(text)) => text,
        (_, Tree::Bool(truth)) => truth.to_string(),
        (_, Tree::Int(number)) => number.to_string(),
        (Kind::Int(..), Tree::Float(number)) if number.fract() == 0.0 && number.abs() < 9e15 => (number as i64).to_string(),
        // How it was written is not known any more, and a text is kept as it was written.
        (Kind::Text | Kind::Texts | Kind::Link | Kind::Date, Tree::Float(_)) => {
            return Err(wrong_type(field, "a number that is no integer of 64 bits"));
        }
        (_, Tree::Float(number)) => number.to_string(),
        (_, tree @ (Tree::Array(_) | Tree::Object(_))) => {
            return Err(wrong_type(field, tree.noun()));
        }
    };
    scalar(field, &text)
}

/// Where a line and column are, in bytes.
fn offset(body: &str, line: usize, column: usize) -> usize {
    let before: usize = body.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (before + column.saturating_sub(1)).min(body.len())
}

/// JSON as it came: unlike the library's own tree it keeps members that are given twice.
enum Tree {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn noun(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "truth value",
            Self::Int(_) | Self::Float(_) => "number",
            Self::Text(_) => "text",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Int(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Int(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Tree::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Tree::Object(object))
    }
}
