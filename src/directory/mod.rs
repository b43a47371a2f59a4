//! Who somebody is: checks credentials against the directory that knows the user, the internal one or one behind LDAP.

#![warn(clippy::missing_errors_doc)]

mod guard;
mod internal;
pub mod ldap;
mod options;
pub mod passwords;
mod refresh;
mod refusals;
pub mod search;
mod single_flight;
mod verified;

use std::net::IpAddr;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use evirt_domain::access::{INTERNAL, LockUser, RefreshUser, RefuseLogin};
use evirt_domain::ids::UserId;
use evirt_domain::{Actor, Class, World};
use uuid::Uuid;

use crate::engine::{Clock, Engine, Request, SystemClock};
use guard::Guard;
use guard::Locks;
pub use guard::{
    DEFAULT_LOGIN_FAILURES, DEFAULT_LOGIN_LOCK_SECONDS, EVERYWHERE_FACTOR, FAILURES_FORGOTTEN, Limits, MAX_DELAY,
    MAX_FAILING_NAMES, MAX_KNOWN_ADDRESSES,
};
use ldap::LdapDirectory;
pub use options::LdapOptions;
use passwords::Passwords;
use refusals::Refusals;
pub use refusals::{MAX_TOLD_REFUSALS, SUM_INTERVAL, TOLD_AGAIN};
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

/// How often is looked whether refused logins are to be told of.
const SUM_TICK: Duration = Duration::from_secs(5);

/// Who tries to log in: what they typed, from where, and in which request.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The login name: `user@domain` or `domain\\user`.
    pub name: &'a str,
    /// The client's address, or its network where one client has many.
    pub from: IpAddr,
    /// The request.
    pub correlation_id: &'a Arc<str>,
}

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
    /// The user.
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
    refusals: Arc<Refusals>,
    /// Set once the guard knows who was locked before this process began.
    locks_known: OnceLock<()>,
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

    /// Tells of refused logins that were summed up, for as long as it is awaited.
    pub fn sum_up(&self, engine: Engine) -> impl Future<Output = ()> + use<> {
        let refusals = self.refusals.clone();
        async move {
            let mut tick = tokio::time::interval(SUM_TICK);
            loop {
                tick.tick().await;
                let Some(sum) = refusals.due(Instant::now()) else { continue };
                tracing::warn!(count = sum.count, names = ?sum.names, from = ?sum.from, "logins were refused");
                if let Err(rejection) = engine.submit(&Request::system("refused-logins"), sum).await {
                    tracing::error!(%rejection, "refused logins could not be recorded");
                }
            }
        }
    }

    /// Whether somebody is who they say.
    ///
    /// # Errors
    ///
    /// `Credentials`, `NoPermission` or `Unavailable`: see `Refused`.
    pub async fn authenticate(&self, engine: &Engine, attempt: Attempt<'_>, password: &str) -> Result<Verified, Refused> {
        let Some(principal) = internal::principal(attempt.name).filter(|_| !password.is_empty()) else {
            self.record_refusal(engine, attempt).await;
            return Err(Refused::Credentials);
        };
        let attempt = Attempt { name: &principal, ..attempt };
        let tag = self.verified.tag(&principal, password);
        if let Some(user) = self.remembered(&engine.world(), &principal, &tag) {
            return Ok(Verified { user, fresh: false, tag });
        }
        if self.is_locked(engine, attempt) {
            self.record_refusal(engine, attempt).await;
            return Err(Refused::Credentials);
        }
        let check = || self.check(engine, attempt, password, &tag);
        match self.checks.join(tag, check).await {
            (Checked::Right(user), fresh) => Ok(Verified { user, fresh, tag }),
            (Checked::Wrong(delay), _) => {
                tokio::time::sleep(delay).await;
                Err(Refused::Credentials)
            }
            (Checked::Not(why), _) => Err(why),
        }
    }

    /// Whether a name is locked where it is tried from. A lock that an operator took away holds no more.
    fn is_locked(&self, engine: &Engine, Attempt { name, from, .. }: Attempt<'_>) -> bool {
        self.locks_known.get_or_init(|| self.take_over_locks(&engine.world()));
        if !self.guard.is_locked(name, from, Instant::now()) {
            return false;
        }
        let unlocked = || internal::user(&engine.world(), name).is_some_and(|user| user.locked_until.is_none());
        if self.guard.is_recorded(name) && unlocked() {
            self.guard.unlock(name);
            return false;
        }
        true
    }

    /// Lets the guard know who was locked before this process began. From then on its own clock counts, which nobody sets.
    fn take_over_locks(&self, world: &World) {
        let now = SystemClock.now();
        for user in world.users.values() {
            let rest = user.locked_until.map_or(0, |until| until.saturating_sub(now));
            if let Some(rest) = u64::try_from(rest).ok().filter(|rest| *rest > 0) {
                let from = user.locked_from.as_deref().and_then(|from| from.parse().ok());
                let principal = format!("{}@{}", user.name, user.domain);
                self.guard.lock(&principal, from, Duration::from_micros(rest), Instant::now());
                self.guard.recorded(&principal);
            }
        }
    }

    /// Has the directory of a principal check a password, and remembers what came of it.
    async fn check(&self, engine: &Engine, attempt: Attempt<'_>, password: &str, tag: &Tag) -> Checked {
        let (name, domain) = attempt.name.split_once('@').unwrap_or_default();
        let verified = match self.other(domain) {
            Some(other) => self.verify_elsewhere(engine, other, name, password, attempt.correlation_id).await,
            None => self.verify(engine, attempt, password).await,
        };
        match verified {
            // Others have been found wrong meanwhile: among hundreds that were sent at once the right one is to be no use.
            _ if self.is_locked(engine, attempt) => {
                self.record_refusal(engine, attempt).await;
                Checked::Not(Refused::Credentials)
            }
            Ok((user, hash)) => {
                self.guard.succeeded(attempt.name, attempt.from, Instant::now());
                self.verified.remember(*tag, user, hash, Instant::now());
                Checked::Right(user)
            }
            Err(Refused::Credentials) => Checked::Wrong(self.punish(engine, attempt).await),
            Err(other) => Checked::Not(other),
        }
    }

    /// Checks a password that the log has the hash of.
    async fn verify(&self, engine: &Engine, attempt: Attempt<'_>, password: &str) -> Result<(UserId, Arc<str>), Refused> {
        let busy = |_| Refused::Unavailable("Too many log in at once. Please try again later.".into());
        let turn = self.passwords.turn().await.map_err(busy)?;
        // A name may have been locked while its turn was waited for; a check takes long.
        if self.is_locked(engine, attempt) {
            return Err(Refused::Credentials);
        }
        let known = internal::find(&engine.world(), attempt.name).map(|(user, hash)| (user.id, hash.clone()));
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
        // A user who is known of the directory, and not to it, may be gone from there, or somebody else may have that name.
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
    async fn punish(&self, engine: &Engine, attempt: Attempt<'_>) -> Duration {
        self.record_refusal(engine, attempt).await;
        let Attempt { name, from, correlation_id } = attempt;
        let penalty = self.guard.failed(name, from, Instant::now());
        if penalty.locks != Locks::Nothing
            && let Some(user) = internal::user(&engine.world(), name).map(|user| user.id)
        {
            tracing::warn!(name = %name.escape_debug(), %from, %correlation_id, "a user is locked after too many wrong passwords");
            let from = (penalty.locks == Locks::Here).then(|| from.to_string());
            let lock = LockUser { user, seconds: self.guard.lock_seconds(), from };
            match engine.submit(&Request::system(correlation_id.clone()), lock).await {
                Ok(_) => self.guard.recorded(name),
                Err(rejection) => tracing::error!(%rejection, "a lock could not be recorded"),
            }
        }
        penalty.delay
    }

    /// Records that somebody was not let in.
    pub async fn record_refusal(&self, engine: &Engine, Attempt { name, from, correlation_id }: Attempt<'_>) {
        if !self.refusals.told(name, from, Instant::now()) {
            return;
        }
        tracing::warn!(name = %name.escape_debug(), %from, %correlation_id, "a login was refused");
        let request = Request { actor: Actor::System, correlation_id: correlation_id.clone(), causation: None };
        if let Err(rejection) = engine.submit(&request, RefuseLogin { name: name.to_owned(), from: from.to_string() }).await {
            tracing::error!(%rejection, "a refused login could not be recorded");
        }
    }
}
