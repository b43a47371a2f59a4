//! Rendered resources by version: a page of them is then mostly copying bytes.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::HeaderValue;
use evirt_domain::access::EntityRef;
use evirt_projections::visible::Cut;
use quick_cache::sync::Cache;
use uuid::Uuid;

use super::etag::Tag;
use super::representation::description::TypeDef;
use super::representation::{Doc, Format, Placement, render_as};
use super::visible::{cut, redacted, referred};

/// How many rendered resources are kept; of more those go that have been asked for least.
pub const MAX_RENDERED: usize = 20_000;

/// In how many ways a resource is kept that not everybody sees all references of.
pub const MAX_CUTS: usize = 8;

/// Whose rendering: the resource, the base of its links, the format, where it stands, and whether it is for a user-level caller. XML in a
/// collection is indented deeper than alone: each is kept as it is copied from.
type Key = (Uuid, &'static str, Format, Placement, bool);

/// A resource of a version.
#[derive(Clone)]
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

/// The rendered resources of one face.
pub struct RenderCache(Cache<Key, Arc<Entry>>);

impl Default for RenderCache {
    fn default() -> Self {
        Self(Cache::new(MAX_RENDERED))
    }
}

impl std::fmt::Debug for RenderCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RenderCache").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

impl RenderCache {
    /// The rendered resource of an id and version as its reader may see it, from the cache or made now.
    pub fn rendered(
        &self,
        of: &'static TypeDef,
        (id, version): (Uuid, u64),
        base: &'static str,
        (format, placement): (Format, Placement),
        filtered: bool,
        make: impl FnOnce() -> Doc,
    ) -> Rendered {
        let key = (id, base, format, placement, filtered);
        let known = self.0.get(&key).filter(|known| known.version == version);
        if let Some(known) = &known
            && let Some(wanted) = cut(&known.refers)
            && let Some((_, rendered)) = known.rendered.iter().find(|(own, _)| *own == wanted)
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
        if let Some(wanted) = wanted {
            let kept = known.filter(|known| known.refers == refers && known.rendered.len() < MAX_CUTS);
            let mut entry = kept.map_or_else(|| Entry { version, refers, rendered: Vec::new() }, Arc::unwrap_or_clone);
            entry.rendered.push((wanted, rendered.clone()));
            self.0.insert(key, Arc::new(entry));
        }
        rendered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::ovirt::representation::types::TAG;

    fn name(cache: &RenderCache, id: u128, version: u64, name: &str) -> String {
        let make = || Doc::new().set("name", name);
        let rendered =
            cache.rendered(&TAG, (Uuid::from_u128(id), version), "/api", (Format::Json, Placement::Alone), false, make);
        String::from_utf8(rendered.bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_version_is_rendered_once() {
        let cache = RenderCache::default();
        assert!(name(&cache, 1, 1, "first").contains("first"));
        assert!(name(&cache, 1, 1, "again").contains("first"), "it was known");
        assert!(name(&cache, 1, 2, "second").contains("second"), "a new version is another");
        assert!(name(&RenderCache::default(), 1, 2, "third").contains("third"), "another face knows nothing of it");
    }

    #[test]
    fn no_more_is_kept_than_that() {
        let cache = RenderCache::default();
        for id in 0..MAX_RENDERED as u128 + 1_000 {
            name(&cache, id, 1, "x");
        }
        assert!(cache.0.len() <= MAX_RENDERED, "{}", cache.0.len());
        assert!(cache.0.len() > MAX_RENDERED / 2, "{}", cache.0.len());
    }
}
