//! Rendered resources by version: a page of them is then mostly copying bytes.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::HeaderValue;
use dashmap::DashMap;
use evirt_domain::access::EntityRef;
use foldhash::fast::RandomState;
use uuid::Uuid;

use super::condition::Tag;
use super::representation::description::TypeDef;
use super::representation::{Doc, Format, Placement, render_as};
use super::visible::{Cut, cut, redacted, referred};

/// How many rendered resources are kept; when there are more, all are forgotten and the cache fills anew.
pub const MAX_RENDERED: usize = 20_000;

/// In how many ways a resource is kept that not everybody sees all references of.
pub const MAX_CUTS: usize = 8;

/// Whose rendering: the resource, the base of its links, the format, where it stands, and whether it is for a user-level caller. XML in a
/// collection is indented deeper than alone: each is kept as it is copied from.
type Key = (Uuid, &'static str, Format, Placement, bool);

/// A resource of a version.
struct Entry {
    version: u64,
    /// What it refers to, which decides what is cut out of it.
    refers: Vec<EntityRef>,
    rendered: Vec<(Cut, Rendered)>,
}

/// A resource in bytes.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// As it stands at its place.
    pub bytes: Bytes,
    /// Its entity tag, where it is of a version and stands alone.
    pub etag: Option<HeaderValue>,
}

impl Rendered {
    /// What was written for its place.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        bytes.shrink_to_fit();
        Self { bytes: bytes.into(), etag: None }
    }
}

impl AsRef<[u8]> for Rendered {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

static RENDERED: LazyLock<DashMap<Key, Entry, RandomState>> = LazyLock::new(DashMap::default);

/// The rendered resource of an id and version as its reader may see it, from the cache or made now.
pub fn rendered(
    of: &'static TypeDef,
    (id, version): (Uuid, u64),
    base: &'static str,
    (format, placement): (Format, Placement),
    filtered: bool,
    make: impl FnOnce() -> Doc,
) -> Rendered {
    let key = (id, base, format, placement, filtered);
    if let Some(found) = RENDERED.get(&key)
        && found.version == version
        && let Some(wanted) = cut(&found.refers)
        && let Some((_, rendered)) = found.rendered.iter().find(|(own, _)| *own == wanted)
    {
        return rendered.clone();
    }
    let doc = make();
    let refers = referred(&doc);
    let wanted = cut(&refers);
    let mut rendered = Rendered::new(render_as(placement, of, &redacted(&doc), format));
    if placement == Placement::Alone {
        rendered.etag = HeaderValue::from_str(&Tag::new([version], &rendered.bytes).to_string()).ok();
    }
    let Some(wanted) = wanted else { return rendered };
    if RENDERED.len() >= MAX_RENDERED {
        RENDERED.clear();
    }
    let mut entry = RENDERED.entry(key).or_insert_with(|| Entry { version, refers: Vec::new(), rendered: Vec::new() });
    if entry.version != version || entry.refers != refers || entry.rendered.len() >= MAX_CUTS {
        *entry = Entry { version, refers, rendered: Vec::new() };
    }
    entry.rendered.push((wanted, rendered.clone()));
    rendered
}
