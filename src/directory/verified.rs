//! Credentials that were just found right, remembered for a short time: a password check is slow, a request must not be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use evirt_domain::ids::UserId;
use ring::hmac;

/// How long credentials are remembered.
pub const VERIFIED_TTL: Duration = Duration::from_secs(60);

/// How many are. A client has one, so that this is as many clients as log in within a minute.
pub const MAX_VERIFIED: usize = 4096;

/// What credentials are remembered by: their HMAC under a key that this process alone has. Whoever reads the memory of another
/// time, or the log, learns no password by it.
pub type Tag = [u8; 32];

#[derive(Clone, Debug)]
struct Entry {
    user: UserId,
    /// The stored hash that the password was checked against. With another one, the entry is void.
    hash: Arc<str>,
    until: Instant,
}

/// The credentials that were just found right.
#[derive(Debug)]
pub struct VerifiedCache {
    key: hmac::Key,
    entries: DashMap<Tag, Entry>,
}

impl Default for VerifiedCache {
    fn default() -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>()), entries: DashMap::new() }
    }
}

impl VerifiedCache {
    /// What credentials are remembered by. A NUL parts the two: no login name has one.
    pub fn tag(&self, principal: &str, password: &str) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(principal.as_bytes());
        context.update(&[0]);
        context.update(password.as_bytes());
        let mut tag = Tag::default();
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    /// Whether the credentials were found right lately for this user, whose stored hash is this one.
    pub fn knows(&self, tag: &Tag, user: UserId, hash: &Arc<str>, now: Instant) -> bool {
        self.entries.get(tag).is_some_and(|entry| entry.user == user && entry.until > now && entry.hash == *hash)
    }

    /// Remembers credentials that were found right.
    pub fn remember(&self, tag: Tag, user: UserId, hash: Arc<str>, now: Instant) {
        if self.entries.len() >= MAX_VERIFIED {
            self.entries.retain(|_, entry| entry.until > now);
            // A thousand clients a second with credentials of their own: forgetting all of them costs each one check more.
            if self.entries.len() >= MAX_VERIFIED {
                self.entries.clear();
            }
        }
        self.entries.insert(tag, Entry { user, hash, until: now + VERIFIED_TTL });
    }

    /// Forgets credentials.
    pub fn forget(&self, tag: &Tag) {
        self.entries.remove(tag);
    }
}

#[cfg(test)]
mod tests {
    use evirt_domain::access::ADMIN;

    use super::*;

    #[test]
    fn credentials_are_known_for_a_minute_and_for_one_hash() {
        let cache = VerifiedCache::default();
        let (now, hash): (_, Arc<str>) = (Instant::now(), "hash".into());
        let tag = cache.tag("admin@internal", "secret");
        assert!(!cache.knows(&tag, ADMIN, &hash, now));
        cache.remember(tag, ADMIN, hash.clone(), now);
        assert!(cache.knows(&tag, ADMIN, &hash, now + VERIFIED_TTL / 2));
        assert!(!cache.knows(&tag, ADMIN, &hash, now + VERIFIED_TTL));
        assert!(!cache.knows(&tag, ADMIN, &"changed".into(), now));
        assert!(!cache.knows(&tag, UserId::default(), &hash, now));
        assert!(!cache.knows(&cache.tag("admin@internal", "other"), ADMIN, &hash, now));
        cache.forget(&tag);
        assert!(!cache.knows(&tag, ADMIN, &hash, now));
    }

    #[test]
    fn it_does_not_grow_without_bound() {
        let cache = VerifiedCache::default();
        let now = Instant::now();
        for n in 0..MAX_VERIFIED + 100 {
            cache.remember(cache.tag("admin@internal", &n.to_string()), ADMIN, "hash".into(), now);
        }
        assert!(cache.entries.len() <= MAX_VERIFIED);
    }

    #[test]
    fn two_processes_tag_differently() {
        assert_ne!(VerifiedCache::default().tag("a", "b"), VerifiedCache::default().tag("a", "b"));
    }
}
