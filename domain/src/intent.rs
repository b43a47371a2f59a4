//! Intents: commands with all that they come with, which is what the engine takes.

use std::sync::Arc;

use crate::access::{EntityRef, own};
use crate::command::Decide;
use crate::context::{Actor, Context};
use crate::creation::{self, Idempotent};
use crate::event::{Event, Stream};
use crate::external::INJECT;
use crate::external_step::ExternalStep;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::World;

/// What a caller wants, and on what conditions. All of it is one decision, so that nothing comes between a condition and what rests on it.
#[derive(Debug)]
pub struct Intent {
    /// What is wanted.
    pub command: Box<dyn Decide>,
    /// What must not have changed.
    pub if_versions: IfVersions,
    /// The key that a creation comes under.
    pub idempotent: Option<Idempotent>,
    /// Whether the caller is to own what the command creates: so for the user-level API, but not for an administrator.
    pub owns: bool,
    /// The external job that the command is carried out as a step of.
    pub step: Option<ExternalStep>,
}

/// The streams that a caller has seen, with the versions that they must have still; 0 stands for a stream that there is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IfVersions(pub Vec<(Stream, u64)>);

impl<C: Decide + 'static> From<C> for Intent {
    fn from(command: C) -> Self {
        Self::new(Box::new(command))
    }
}

impl From<Box<dyn Decide>> for Intent {
    fn from(command: Box<dyn Decide>) -> Self {
        Self::new(command)
    }
}

impl Intent {
    /// A command without conditions, by which nobody comes to own anything.
    pub fn new(command: Box<dyn Decide>) -> Self {
        Self { command, if_versions: IfVersions::default(), idempotent: None, owns: false, step: None }
    }

    /// On the condition that streams are at these versions.
    pub fn if_versions(self, versions: Vec<(Stream, u64)>) -> Self {
        Self { if_versions: IfVersions(versions), ..self }
    }

    /// Under a key.
    pub fn idempotent(self, key: impl Into<Arc<str>>, digest: impl Into<Arc<str>>) -> Self {
        Self { idempotent: Some(Idempotent { key: key.into(), digest: digest.into() }), ..self }
    }

    /// For a caller who comes to own what is created.
    pub fn owned(self, owns: bool) -> Self {
        Self { owns, ..self }
    }

    /// As a step of an external job.
    pub fn as_step(self, step: Option<ExternalStep>) -> Self {
        Self { step, ..self }
    }

    /// All that the caller has to hold, each on its object.
    pub fn permits(&self, world: &World) -> Vec<(Permit, EntityRef)> {
        let own = self.command.permit(world).into_iter().chain(self.command.further_permits(world));
        own.chain(self.step.as_ref().map(|_| INJECT)).collect()
    }

    /// The events of the command and of what comes with it.
    ///
    /// Refused as the command is, and where a stream has another version (`VersionStale`), the key was used (`CreationRepeated`,
    /// `CreationKeyReused`), or the external job or step is not open.
    pub(crate) fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let keyed = self.idempotent.as_ref().zip(cx.actor.user());
        if let Some((idempotent, user)) = keyed {
            creation::check(world, cx, user, idempotent)?;
        }
        self.if_versions.check(world)?;
        let led = match &self.step {
            Some(step) => step.job(world)?.map(|job| (step, job)),
            None => None,
        };
        let mut events = self.command.decide(world, cx)?;
        if let (Actor::User(user), true) = (cx.actor, self.owns) {
            own(cx, user, &mut events);
        }
        if let Some((step, job)) = led {
            step.add_steps(world, cx, job, &mut events)?;
        }
        if let Some((idempotent, user)) = keyed {
            creation::remember(user, idempotent, self.command.made(&events), &mut events);
        }
        Ok(events)
    }
}

impl IfVersions {
    fn check(&self, world: &World) -> Result<(), Rejection> {
        let stale = |(stream, expected): &&(Stream, u64)| world.version(stream) != *expected;
        let Some((stream, expected)) = self.0.iter().find(stale) else { return Ok(()) };
        let found = world.version(stream);
        Err(Rejection::new(Key::VersionStale).with("what", stream).with("found", found).with("expected", expected))
    }
}
