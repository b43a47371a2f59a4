//! Who somebody is: checks credentials against the directory that knows the user, the internal one or one behind LDAP.

#![warn(clippy::missing_errors_doc)]

mod guard;
mod internal;
pub mod ldap;
mod options;
pub mod passwords;
mod refresh;
pub mod search;
mod single_flight;
mod verified;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use evirt_domain::access::{INTERNAL, LockUser, RefreshUser, RefuseLogin, User};
use evirt_domain::ids::UserId;
use evirt_domain::{Actor, Class, World};
use uuid::Uuid;

use crate::engine::{Clock, Engine, Request, SystemClock};
use guard::Guard;
pub use guard::{DEFAULT_LOGIN_FAILURES, DEFAULT_LOGIN_LOCK_SECONDS, FAILURES_FORGOTTEN, Limits, MAX_DELAY, MAX_FAILING_NAMES};
use ldap::LdapDirectory;
pub use options::LdapOptions;
use passwords::Passwords;
use single_flight::SingleFlight;
use verified::VerifiedCache;
pub use verified::{MAX_VERIFIED, Tag, VERIFIED_TTL};

/// Stands for the stored hash of users whose passwords another directory keeps.
static ELSEWHERE: LazyLock<Arc<str>> = LazyLock::new(|| "kept elsewhere".into());

/// The identifier of a domain in the API: the first bytes of its name, as upstream makes it.
pub fn domain_id(domain: &str) -> Uuid {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(domain.bytes()).for_each(|(byte, letter)| *byte = letter);
    Uuid::from_bytes(bytes)
}

/// Refused logins of one name within this time become one event.
const REFUSAL_INTERVAL: Duration = Duration::from_secs(1);

/// Names whose refusals are remembered; further ones within a second are not recorded.
const MAX_REFUSED_NAMES: usize = 256;

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The name or the password is wrong, or the user is locked; which of them is nobody's business.
    Credentials,
    /// The user may do nothing at all.
    NoPermission,
    /// It cannot be found out just now: what to say.
    Unavailable(String),
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

/// What a check of credentials came to.
#[derive(Clone, Debug)]
enum Checked {
    /// They are right.
    Right(UserId),
    /// They are wrong, and it is said so late.
    Wrong(Duration),
    /// Nothing.
    Not(Refused),
}

/// The directories, and what is remembered of them.
#[derive(Debug, Default)]
pub struct Directory {
    passwords: Passwords,
    verified: VerifiedCache,
    /// The checks under way: who sends the same credentials meanwhile gets the outcome of the same check.
    checks: SingleFlight<Checked>,
    guard: Guard,
    others: Arc<[LdapDirectory]>,
    refused: Mutex<HashMap<String, Instant>>,
}

impl Directory {
    /// The internal directory beside others.
    pub fn new(limits: Limits, others: Vec<LdapDirectory>) -> Self {
        Self { guard: Guard::new(limits), others: others.into(), ..Self::default() }
    }

    /// The directories beside the internal one.
    pub fn others(&self) -> &[LdapDirectory] {
        &self.others
    }

    /// The directory of a domain, unless it is the internal one.
    pub fn other(&self, domain: &str) -> Option<&LdapDirectory> {
        self.others.iter().find(|other| other.domain.eq_ignore_ascii_case(domain))
    }

    /// Asks the other directories from time to time for the users that are known of them, for as long as it is awaited.
    pub fn follow(&self, engine: Engine) -> impl Future<Output = ()> + use<> {
        refresh::follow(engine, self.others.clone())
    }

    /// Whether somebody is who they say. `typed` is `user@domain` or `domain\user`.
    ///
    /// # Errors
    ///
    /// `Credentials`, `NoPermission` or `Unavailable`: see `Refused`.
    pub async fn authenticate(
        &self,
        engine: &Engine,
        typed: &str,
        password: &str,
        correlation_id: &Arc<str>,
    ) -> Result<Verified, Refused> {
        let Some(principal) = internal::principal(typed).filter(|_| !password.is_empty()) else {
            self.record_refusal(engine, typed, correlation_id).await;
            return Err(Refused::Credentials);
        };
        let tag = self.verified.tag(&principal, password);
        if let Some(user) = self.remembered(&engine.world(), &principal, &tag) {
            return Ok(Verified { user, fresh: false, tag });
        }
        if self.guard.is_locked(&principal, Instant::now()) || is_locked(&engine.world(), &principal) {
            self.record_refusal(engine, &principal, correlation_id).await;
            return Err(Refused::Credentials);
        }
        let check = || self.check(engine, &principal, password, &tag, correlation_id);
        match self.checks.join(tag, check).await {
            (Checked::Right(user), fresh) => Ok(Verified { user, fresh, tag }),
            (Checked::Wrong(delay), _) => {
                tokio::time::sleep(delay).await;
                Err(Refused::Credentials)
            }
            (Checked::Not(why), _) => Err(why),
        }
    }

    /// Has the directory of a principal check a password, and remembers what came of it.
    async fn check(&self, engine: &Engine, principal: &str, password: &str, tag: &Tag, correlation_id: &Arc<str>) -> Checked {
        let (name, domain) = principal.split_once('@').unwrap_or_default();
        let verified = match self.other(domain) {
            Some(other) => self.verify_elsewhere(engine, other, name, password, correlation_id).await,
            None => self.verify(engine, principal, password).await,
        };
        match verified {
            Ok((user, hash)) => {
                self.guard.forget(principal);
                self.verified.remember(*tag, user, hash, Instant::now());
                Checked::Right(user)
            }
            Err(Refused::Credentials) => Checked::Wrong(self.punish(engine, principal, correlation_id).await),
            Err(other) => Checked::Not(other),
        }
    }

    /// Checks a password that the log has the hash of.
    async fn verify(&self, engine: &Engine, principal: &str, password: &str) -> Result<(UserId, Arc<str>), Refused> {
        let busy = |_| Refused::Unavailable("Too many log in at once. Please try again later.".into());
        let turn = self.passwords.turn().await.map_err(busy)?;
        let known = internal::find(&engine.world(), principal).map(|(user, hash)| (user.id, hash.clone()));
        let fits = turn.verify(password, known.as_ref().map(|(_, hash)| hash.clone())).await;
        match known {
            Some((user, hash)) if fits => Ok((user, hash)),
            _ => Err(Refused::Credentials),
        }
    }

    /// Has another directory check a password, and takes over what it tells of the user.
    async fn verify_elsewhere(
        &self,
        engine: &Engine,
        other: &LdapDirectory,
        name: &str,
        password: &str,
        correlation_id: &Arc<str>,
    ) -> Result<(UserId, Arc<str>), Refused> {
        let request = Request::system(correlation_id.clone());
        let verified = other.verify(name, password).await;
        // Who is known of it, and not by it, may be gone from there: under that name, or with somebody else of that name.
        let known = internal::user(&engine.world(), &format!("{name}@{}", other.domain)).cloned();
        let doubtful = match &verified {
            Ok(account) => known.filter(|user| user.id != account.id),
            Err(Refused::Credentials) => known.filter(|user| !user.inactive),
            Err(_) => None,
        };
        if let Some(user) = doubtful {
            refresh::check(engine, &request, other, &user).await;
        }
        let account = verified?;
        let user = account.id;
        match engine.submit(&request, RefreshUser { account }).await {
            Ok(_) => Ok((user, ELSEWHERE.clone())),
            Err(rejection) if rejection.class() == Class::Unavailable => Err(Refused::Unavailable(rejection.to_string())),
            Err(_) => Err(Refused::NoPermission),
        }
    }

    /// Forgets credentials that were found right but let nobody in.
    pub fn forget(&self, verified: &Verified) {
        self.verified.forget(&verified.tag);
    }

    fn remembered(&self, world: &World, principal: &str, tag: &Tag) -> Option<UserId> {
        let user = internal::user(world, principal).filter(|user| !user.inactive)?;
        let hash = match (&user.password, user.domain.as_str()) {
            (Some(hash), _) => hash,
            (None, INTERNAL) => return None,
            (None, _) => &ELSEWHERE,
        };
        self.verified.knows(tag, user.id, hash, Instant::now()).then_some(user.id)
    }

    /// Records a wrong password, and locks the user after too many. Gives how late it is to be answered.
    async fn punish(&self, engine: &Engine, principal: &str, correlation_id: &Arc<str>) -> Duration {
        self.record_refusal(engine, principal, correlation_id).await;
        let penalty = self.guard.failed(principal, Instant::now());
        if penalty.locks
            && let Some(user) = internal::user(&engine.world(), principal).map(|user| user.id)
        {
            tracing::warn!(name = %principal.escape_debug(), %correlation_id, "a user is locked after too many wrong passwords");
            let lock = LockUser { user, seconds: self.guard.lock_seconds() };
            if let Err(rejection) = engine.submit(&Request::system(correlation_id.clone()), lock).await {
                tracing::error!(%rejection, "a lock could not be recorded");
            }
        }
        penalty.delay
    }

    /// Records that somebody was not let in.
    pub async fn record_refusal(&self, engine: &Engine, name: &str, correlation_id: &Arc<str>) {
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

/// Whether the log has a user locked now.
fn is_locked(world: &World, principal: &str) -> bool {
    let until = internal::user(world, principal).and_then(|user: &Arc<User>| user.locked_until);
    until.is_some_and(|until| until > SystemClock.now())
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
