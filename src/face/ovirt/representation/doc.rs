//! A dynamic document: named values in the order in which they were set.

use std::borrow::Cow;

use super::place::{Link, Place, Resource};

/// A document, or an object within one.
///
/// Names are static because they all come from the tables of types or from the views' code.
#[derive(Clone, Debug, Default)]
pub struct Doc {
    members: Vec<(&'static str, Value)>,
}

/// What a member of a document holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, names of enumerations and dates.
    Text(Cow<'static, str>),
    /// An integer.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// A decimal fraction.
    Decimal(f64),
    /// A link.
    Link(Link),
    /// A nested object.
    Doc(Doc),
    /// A repeated element.
    List(Vec<Value>),
}

/// Two documents are equal if they hold the same members, in whatever order.
impl PartialEq for Doc {
    fn eq(&self, other: &Self) -> bool {
        self.members.len() == other.members.len() && self.members.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Doc {
    /// An empty document.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty document with room for this many members.
    pub fn with_capacity(members: usize) -> Self {
        Self { members: Vec::with_capacity(members) }
    }

    /// The document with this member set.
    #[must_use]
    pub fn set(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.put(name, value);
        self
    }

    /// The document with this member set if there is a value for it.
    #[must_use]
    pub fn opt(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// The document with a member of nested objects set, such as `cpu.topology.cores`; missing objects are made.
    #[must_use]
    pub fn set_path(mut self, path: &'static str, value: impl Into<Value>) -> Self {
        self.put_path(path, value);
        self
    }

    /// As [`Doc::set_path`], if there is a value.
    #[must_use]
    pub fn opt_path(self, path: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set_path(path, value),
            None => self,
        }
    }

    /// The document of the resource at a place: with its link and its identifier.
    #[must_use]
    pub fn at(self, place: &Place) -> Self {
        self.set(HREF, place.link()).set("id", place.id())
    }

    /// The document with a link appended.
    #[must_use]
    pub fn link(mut self, rel: impl Into<Value>, link: Link) -> Self {
        self.push("link", related(rel.into(), link));
        self
    }

    /// The document with links to collections below it.
    #[must_use]
    pub fn links(mut self, rels: &[&'static str]) -> Self {
        for (rel, link) in self.below(rels) {
            self.push("link", related(rel, link));
        }
        self
    }

    /// The document with an action offered elsewhere than below it.
    #[must_use]
    pub fn action(mut self, rel: &'static str, link: Link) -> Self {
        self.nested("actions").push("link", related(Value::fixed(rel), link));
        self
    }

    /// The document with actions offered below it.
    #[must_use]
    pub fn actions(mut self, rels: &[&'static str]) -> Self {
        for (rel, link) in self.below(rels) {
            self.nested("actions").push("link", related(rel, link));
        }
        self
    }

    /// The document with a reference to a resource in the collection of its kind.
    #[must_use]
    pub fn reference(self, name: &'static str, base: &str, resource: impl Into<Resource>) -> Self {
        self.reference_to(name, &Place::of(base, resource))
    }

    /// The document with a reference to the resource at a place.
    #[must_use]
    pub fn reference_to(self, name: &'static str, place: &Place) -> Self {
        self.set(name, Doc::with_capacity(2).at(place))
    }

    /// The document with a value appended to one of its lists.
    #[must_use]
    pub fn item(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.push(name, value);
        self
    }

    /// Sets a member.
    pub fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.get_mut(name) {
            Some(held) => *held = value,
            None => self.members.push((name, value)),
        }
    }

    /// Sets a member of nested objects.
    pub fn put_path(&mut self, path: &'static str, value: impl Into<Value>) {
        match path.split_once('.') {
            Some((first, rest)) => self.nested(first).put_path(rest, value),
            None => self.put(path, value),
        }
    }

    /// Appends a value to a list.
    pub fn push(&mut self, name: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.get_mut(name) {
            Some(Value::List(items)) => items.push(value),
            Some(held) => *held = Value::List(vec![value]),
            None => self.members.push((name, Value::List(vec![value]))),
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.members.iter().position(|(held, _)| *held == name)?;
        Some(self.members.remove(at).1)
    }

    /// The members in the order in which they were set.
    pub fn members(&self) -> &[(&'static str, Value)] {
        &self.members
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// A member by its name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(held, _)| *held == name).map(|(_, value)| value)
    }

    /// A member of nested objects, by a path such as `cpu.topology.cores`.
    pub fn path(&self, path: &str) -> Option<&Value> {
        match path.split_once('.') {
            Some((first, rest)) => self.get(first)?.as_doc()?.path(rest),
            None => self.get(path),
        }
    }

    /// Whether something was set at this path.
    pub fn has(&self, path: &str) -> bool {
        self.path(path).is_some()
    }

    /// The text at this path.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.path(path)?.as_text()
    }

    /// The link to what the document is of, where it says that.
    pub fn href(&self) -> Option<&Link> {
        match self.get(HREF)? {
            Value::Link(link) => Some(link),
            _ => None,
        }
    }

    /// Links to what is below the resource that the document is of; none where it has no place.
    fn below(&self, rels: &[&'static str]) -> Vec<(Value, Link)> {
        let own = self.href();
        debug_assert!(own.is_some(), "what has no place has nothing below it: {rels:?}");
        own.into_iter().flat_map(|own| rels.iter().map(|rel| (Value::fixed(rel), own.below(rel)))).collect()
    }

    /// The integer at this path.
    pub fn int(&self, path: &str) -> Option<i64> {
        match self.path(path)? {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value at this path.
    pub fn bool(&self, path: &str) -> Option<bool> {
        match self.path(path)? {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The fraction at this path.
    pub fn decimal(&self, path: &str) -> Option<f64> {
        match self.path(path)? {
            Value::Decimal(number) => Some(*number),
            _ => None,
        }
    }

    /// The object at this path.
    pub fn doc(&self, path: &str) -> Option<&Doc> {
        self.path(path)?.as_doc()
    }

    /// The items of the list at this path; none if there is no list.
    pub fn list(&self, path: &str) -> &[Value] {
        match self.path(path) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// The objects of the list at this path.
    pub fn docs(&self, path: &str) -> impl Iterator<Item = &Doc> {
        self.list(path).iter().filter_map(Value::as_doc)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.members.iter_mut().find(|(held, _)| *held == name).map(|(_, value)| value)
    }

    fn nested(&mut self, name: &'static str) -> &mut Doc {
        let at = match self.members.iter().position(|(held, _)| *held == name) {
            Some(at) => at,
            None => {
                self.members.push((name, Value::Doc(Doc::new())));
                self.members.len() - 1
            }
        };
        let value = &mut self.members[at].1;
        if !matches!(value, Value::Doc(_)) {
            *value = Value::Doc(Doc::new());
        }
        match value {
            Value::Doc(doc) => doc,
            _ => unreachable!("an object was just put here"),
        }
    }
}

/// The member that says where the resource is.
const HREF: &str = "href";

fn related(rel: Value, link: Link) -> Doc {
    Doc { members: vec![(HREF, link.into()), ("rel", rel)] }
}

impl Value {
    /// Text that lives as long as the program, at no cost.
    pub const fn fixed(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// The object that this is, if it is one.
    pub fn as_doc(&self) -> Option<&Doc> {
        match self {
            Self::Doc(doc) => Some(doc),
            _ => None,
        }
    }

    /// The text that this is, if it is one or a link.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Link(link) => Some(link.as_str()),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Cow::Owned(text.to_owned()))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<Cow<'static, str>> for Value {
    fn from(text: Cow<'static, str>) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Decimal(number)
    }
}

impl From<Link> for Value {
    fn from(link: Link) -> Self {
        Self::Link(link)
    }
}

impl From<Doc> for Value {
    fn from(doc: Doc) -> Self {
        Self::Doc(doc)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

/// Sizes beyond what the wire's signed 64 bits can carry are written as the largest that it can.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

macro_rules! integers {
    ($($integer:ty)*) => { $(
        impl From<$integer> for Value {
            fn from(number: $integer) -> Self {
                Self::Int(number.into())
            }
        }
    )* };
}

integers!(i64 i32 i16 i8 u32 u16 u8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_make_the_objects_they_need() {
        let doc = Doc::new().set_path("cpu.topology.cores", 2).set_path("cpu.topology.sockets", 1).set("name", "a");
        assert_eq!(doc.int("cpu.topology.cores"), Some(2));
        assert_eq!(doc.int("cpu.topology.sockets"), Some(1));
        assert_eq!(doc.text("cpu.topology.cores"), None);
        assert!(doc.has("cpu.topology") && !doc.has("cpu.topology.threads") && !doc.has("name.more"));
    }

    #[test]
    fn setting_again_replaces() {
        let doc = Doc::new().set("memory", 1u64).set("memory", 2u64).opt("name", None::<&str>);
        assert_eq!(doc.members(), [("memory", Value::Int(2))]);
    }

    #[test]
    fn equality_ignores_the_order() {
        assert_eq!(Doc::new().set("a", 1).set("b", 2), Doc::new().set("b", 2).set("a", 1));
        assert_ne!(Doc::new().set("a", 1), Doc::new().set("a", 2));
    }

    #[test]
    fn links_and_actions_gather() {
        let place = Place::entry("/api").below("vms", 1);
        let doc = Doc::new().at(&place).links(&["disks", "nics"]).actions(&["start"]).link("other", Link::open("/o"));
        let of =
            |path: &'static str, name: &'static str| doc.docs(path).filter_map(move |link| link.text(name)).collect::<Vec<_>>();
        assert_eq!(of("link", "rel"), ["disks", "nics", "other"]);
        assert_eq!(of("link", "href"), ["/api/vms/1/disks", "/api/vms/1/nics", "/o"]);
        assert_eq!(of("actions.link", "href"), ["/api/vms/1/start"]);
    }
}
