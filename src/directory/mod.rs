//! Who somebody is: checks credentials against the directory that knows the user. There is one so far, the internal one.

mod internal;
pub mod passwords;
mod verified;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use evirt_domain::Actor;
use evirt_domain::access::RefuseLogin;
use evirt_domain::ids::UserId;

use crate::engine::{Engine, Request};
use passwords::Passwords;
use verified::VerifiedCache;
pub use verified::{MAX_VERIFIED, Tag, VERIFIED_TTL};

/// Refused logins of one name within this time become one event.
const REFUSAL_INTERVAL: Duration = Duration::from_secs(1);

/// Names whose refusals are remembered; further ones within a second are not recorded.
const MAX_REFUSED_NAMES: usize = 256;

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The name or the password is wrong; which of them is nobody's business.
    Credentials,
    /// Too many log in at once.
    Busy,
}

/// Somebody whose credentials are right.
#[derive(Clone, Copy, Debug)]
pub struct Verified {
    /// Who it is.
    pub user: UserId,
    /// Whether the password was really checked, and not just remembered.
    pub fresh: bool,
    /// By what the credentials are remembered.
    pub tag: Tag,
}

/// The directories, and what is remembered of them.
#[derive(Debug, Default)]
pub struct Directory {
    passwords: Passwords,
    verified: VerifiedCache,
    refused: Mutex<HashMap<String, Instant>>,
}

impl Directory {
    /// Whether somebody is who they say. `typed` is `user@domain` or `domain\user`.
    pub async fn authenticate(
        &self,
        engine: &Engine,
        typed: &str,
        password: &str,
        correlation_id: &Arc<str>,
    ) -> Result<Verified, Refused> {
        let Some(principal) = internal::principal(typed) else {
            self.record_refusal(engine, typed, correlation_id).await;
            return Err(Refused::Credentials);
        };
        let tag = self.verified.tag(&principal, password);
        if let Some(user) = self.remembered(engine, &principal, &tag) {
            return Ok(Verified { user, fresh: false, tag });
        }
        let turn = self.passwords.turn().await.map_err(|_| Refused::Busy)?;
        // Others may have logged in by the same credentials while this one waited: a burst costs one check.
        if let Some(user) = self.remembered(engine, &principal, &tag) {
            return Ok(Verified { user, fresh: false, tag });
        }
        let known = internal::find(&engine.world(), &principal).map(|(user, hash)| (user.id, hash.clone()));
        let fits = turn.verify(password, known.as_ref().map(|(_, hash)| hash.clone())).await;
        match known {
            Some((user, hash)) if fits => {
                self.verified.remember(tag, user, hash, Instant::now());
                Ok(Verified { user, fresh: true, tag })
            }
            _ => {
                self.record_refusal(engine, &principal, correlation_id).await;
                Err(Refused::Credentials)
            }
        }
    }

    /// Forgets credentials that were found right but let nobody in.
    pub fn forget(&self, verified: &Verified) {
        self.verified.forget(&verified.tag);
    }

    fn remembered(&self, engine: &Engine, principal: &str, tag: &Tag) -> Option<UserId> {
        let world = engine.world();
        let (user, hash) = internal::find(&world, principal)?;
        self.verified.knows(tag, user.id, hash, Instant::now()).then_some(user.id)
    }

    async fn record_refusal(&self, engine: &Engine, name: &str, correlation_id: &Arc<str>) {
        tracing::warn!(name = %name.escape_debug(), %correlation_id, "a login was refused");
        if !self.first_refusal(name, Instant::now()) {
            return;
        }
        let request = Request { actor: Actor::System, correlation_id: correlation_id.clone(), causation: None };
        if let Err(rejection) = engine.submit(&request, RefuseLogin { name: name.to_owned() }).await {
            tracing::error!(%rejection, "a refused login could not be recorded");
        }
    }

    /// Whether this is the name's first refusal within the interval.
    fn first_refusal(&self, name: &str, now: Instant) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= MAX_REFUSED_NAMES {
            refused.retain(|_, at| now.duration_since(*at) < REFUSAL_INTERVAL);
        }
        let first = refused.get(name).is_none_or(|at| now.duration_since(*at) >= REFUSAL_INTERVAL);
        if !first || refused.len() >= MAX_REFUSED_NAMES {
            return false;
        }
        refused.insert(name.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_one_name_are_recorded_once_a_second() {
        let (directory, now) = (Directory::default(), Instant::now());
        assert!(directory.first_refusal("a", now));
        assert!(!directory.first_refusal("a", now + REFUSAL_INTERVAL / 2));
        assert!(directory.first_refusal("b", now));
        assert!(directory.first_refusal("a", now + REFUSAL_INTERVAL));
    }

    #[test]
    fn a_flood_of_names_is_not_recorded_without_bound() {
        let (directory, now) = (Directory::default(), Instant::now());
        let recorded = (0..10 * MAX_REFUSED_NAMES).filter(|n| directory.first_refusal(&n.to_string(), now)).count();
        assert_eq!(recorded, MAX_REFUSED_NAMES);
        assert!(directory.first_refusal("later", now + REFUSAL_INTERVAL));
    }
}
