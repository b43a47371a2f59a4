//! Rendered resources by version: a page of them is then mostly copying bytes.

use std::sync::LazyLock;

use axum::body::Bytes;
use dashmap::DashMap;
use evirt_domain::access::Object;
use uuid::Uuid;

use super::representation::description::TypeDef;
use super::representation::{Doc, Format, render_fragment};
use super::visible::{Cut, cut, redacted, referred};

/// How many rendered resources are kept; when there are more, all are forgotten and the cache fills anew.
pub const MAX_RENDERED: usize = 20_000;

/// In how many ways a resource is kept that not everybody sees all references of.
pub const MAX_CUTS: usize = 8;

/// Whose rendering: the resource, the base of its links, the format, and whether it is for a user-level caller.
type Key = (Uuid, &'static str, bool, bool);

/// A resource of a version.
struct Entry {
    version: u64,
    /// What it refers to, which decides what is cut out of it.
    refers: Vec<Object>,
    rendered: Vec<(Cut, Bytes)>,
}

static RENDERED: LazyLock<DashMap<Key, Entry>> = LazyLock::new(DashMap::new);

/// The rendered resource of an id and version as its reader may see it, from the cache or made now.
pub fn rendered(
    of: &'static TypeDef,
    (id, version): (Uuid, u64),
    base: &'static str,
    format: Format,
    filtered: bool,
    make: impl FnOnce() -> Doc,
) -> Bytes {
    let key = (id, base, format == Format::Json, filtered);
    if let Some(found) = RENDERED.get(&key)
        && found.version == version
        && let Some(wanted) = cut(&found.refers)
        && let Some((_, bytes)) = found.rendered.iter().find(|(own, _)| *own == wanted)
    {
        return bytes.clone();
    }
    let doc = make();
    let refers = referred(&doc);
    let wanted = cut(&refers);
    let bytes = Bytes::from(render_fragment(of, &redacted(&doc), format));
    let Some(wanted) = wanted else { return bytes };
    if RENDERED.len() >= MAX_RENDERED {
        RENDERED.clear();
    }
    let mut entry = RENDERED.entry(key).or_insert_with(|| Entry { version, refers: Vec::new(), rendered: Vec::new() });
    if entry.version != version || entry.refers != refers || entry.rendered.len() >= MAX_CUTS {
        *entry = Entry { version, refers, rendered: Vec::new() };
    }
    entry.rendered.push((wanted, bytes.clone()));
    bytes
}
