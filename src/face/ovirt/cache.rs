//! Rendered resources by version: a page of them is then mostly copying bytes.

use std::sync::LazyLock;

use axum::body::Bytes;
use dashmap::DashMap;
use uuid::Uuid;

use super::representation::Format;

/// How many rendered resources are kept; when there are more, all are forgotten and the cache fills anew.
pub const MAX_RENDERED: usize = 20_000;

/// Whose rendering: the resource, the base of its links, the format, and whether it is for a user-level caller.
type Key = (Uuid, &'static str, bool, bool);

static RENDERED: LazyLock<DashMap<Key, (u64, Bytes)>> = LazyLock::new(DashMap::new);

/// The rendered resource of an id and version, from the cache or made now.
pub fn rendered(
    (id, version): (Uuid, u64),
    base: &'static str,
    format: Format,
    filtered: bool,
    make: impl FnOnce() -> Vec<u8>,
) -> Bytes {
    let key = (id, base, format == Format::Json, filtered);
    if let Some(found) = RENDERED.get(&key)
        && found.0 == version
    {
        return found.1.clone();
    }
    let bytes = Bytes::from(make());
    if RENDERED.len() >= MAX_RENDERED {
        RENDERED.clear();
    }
    RENDERED.insert(key, (version, bytes.clone()));
    bytes
}
