//! Who wants something and how: what goes through every use case.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use evirt_domain::access::{EntityRef, allowed, allowed_somewhere};
use evirt_domain::context::Actor;
use evirt_domain::creation::Idempotent;
use evirt_domain::external_step::ExternalStep;
use evirt_domain::ids::UserId;
use evirt_domain::intent::{IfVersions, Intent};
use evirt_domain::permit::Permit;
use evirt_domain::{Key, World};
use evirt_projections::inventory::View;
use evirt_projections::visible::Visible;

use super::event::EventMatches;
use super::{App, Refused};
use crate::engine::{Clock, Request, SystemClock};

/// The longest time of grace.
pub const MAX_GRACE: Duration = Duration::from_secs(60);

/// One operation of one caller.
#[derive(Debug)]
pub struct OpContext {
    /// The user who wants it.
    pub user: UserId,
    /// Names the operation in events, jobs and logs.
    pub correlation_id: Arc<str>,
    /// Whether the caller sees only what it holds permissions on, and owns what it creates.
    pub user_level: bool,
    /// The World when the operation began.
    pub world: Arc<World>,
    /// What its commands are decided on.
    pub conditions: Conditions,
    /// What the audit log tells, where the operation's search refers to that.
    pub events: Option<Arc<EventMatches>>,
    /// What the caller sees of the World, once that was asked for.
    seen: OnceLock<Visible>,
}

/// What the commands of an operation are decided on. Expected versions and the key of a creation are the first command's: a second one
/// would find that the first has changed what they speak of.
#[derive(Debug, Default)]
pub struct Conditions {
    first: Mutex<First>,
    step: Option<ExternalStep>,
}

/// The conditions of an operation's first command.
#[derive(Debug, Default)]
struct First {
    if_versions: IfVersions,
    idempotent: Option<Idempotent>,
    grace: Duration,
}

impl Conditions {
    /// What must not have changed.
    pub fn expect(&self, versions: IfVersions) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).if_versions = versions;
    }

    /// The key that the creation comes under.
    pub fn key(&self, key: Idempotent) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).idempotent = Some(key);
    }

    /// How long is to be waited before it is carried out, if it is not refused before.
    pub fn grace(&self, grace: Duration) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).grace = grace.min(MAX_GRACE);
    }

    /// The external job that the operation is a part of.
    pub fn lead(&mut self, step: Option<ExternalStep>) {
        self.step = step;
    }

    /// What the operation has not used yet of its conditions, for a part of it that carries it out.
    pub fn handed_on(&self) -> Self {
        Self { first: Mutex::new(self.take()), step: self.step.clone() }
    }

    fn take(&self) -> First {
        std::mem::take(&mut *self.first.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl OpContext {
    /// An operation that begins now.
    pub fn new(user: UserId, correlation_id: Arc<str>, user_level: bool, world: Arc<World>) -> Self {
        let (conditions, events, seen) = (Conditions::default(), None, OnceLock::new());
        Self { user, correlation_id, user_level, world, conditions, events, seen }
    }

    /// The same caller's look at a World, without conditions.
    pub fn looking(&self, world: Arc<World>) -> Self {
        let same = Arc::ptr_eq(&world, &self.world);
        let seen = if same { self.seen.clone() } else { OnceLock::new() };
        let (conditions, events) = (Conditions::default(), None);
        Self {
            user: self.user,
            correlation_id: self.correlation_id.clone(),
            user_level: self.user_level,
            world,
            conditions,
            events,
            seen,
        }
    }

    /// What the caller sees.
    pub fn visible(&self) -> &Visible {
        self.seen.get_or_init(|| Visible::to(&self.world, self.user, self.user_level))
    }

    /// The World as the caller's searches look at it.
    pub fn view<'a>(&'a self, app: &'a App) -> View<'a> {
        let events = self.events.as_deref().map(|events| events as &dyn evirt_projections::inventory::Events);
        let now = SystemClock.now();
        View { live: Some(&app.engine), events, visible: Some(self.visible()), ..View::new(&self.world, now) }
    }

    /// Refuses a caller who holds a permit on nothing at all (`NotAuthorized`): on whose behalf nothing is looked up, and no host or
    /// storage is asked.
    pub fn may(&self, least: Option<Permit>) -> Result<(), Refused> {
        match least.is_none_or(|permit| allowed_somewhere(&self.world, self.user, permit)) {
            true => Ok(()),
            false => Err(Refused::Rejected(Key::NotAuthorized.into())),
        }
    }

    /// Refuses a caller who does not hold a permit on an object (`NotAuthorized`), or where none would do.
    pub fn may_on(&self, permit: Option<Permit>, object: EntityRef) -> Result<(), Refused> {
        match permit.is_some_and(|permit| allowed(&self.world, self.user, permit, object)) {
            true => Ok(()),
            false => Err(Refused::Rejected(Key::NotAuthorized.into())),
        }
    }

    /// What commands of the operation come with.
    pub(super) fn request(&self) -> Request {
        Request { actor: Actor::User(self.user), correlation_id: self.correlation_id.clone(), causation: None }
    }

    /// A command with the operation's conditions.
    pub(super) fn intent(&self, command: impl Into<Intent>) -> Intent {
        let First { if_versions, idempotent, .. } = self.conditions.take();
        Intent { if_versions, idempotent, owns: self.user_level, step: self.conditions.step.clone(), ..command.into() }
    }

    /// How long is to be waited before the operation's first command is carried out.
    pub(super) fn take_grace(&self) -> Duration {
        std::mem::take(&mut self.conditions.first.lock().unwrap_or_else(PoisonError::into_inner).grace)
    }
}
