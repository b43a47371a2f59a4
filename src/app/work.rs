//! Submitting a command, and waiting for the work that it leaves.

use std::sync::Arc;

use evirt_domain::ids::JobId;
use evirt_domain::intent::Intent;
use evirt_domain::job::JobStatus;
use evirt_domain::{Key, Rejection, World};
use futures_util::future::BoxFuture;

use super::idempotent::{self, Repeated};
use super::{App, OpContext};
use crate::engine::Outcome;

/// Why a use case did not come to what was wanted.
#[derive(Clone, Debug)]
pub enum Refused {
    /// It was decided so; nothing has changed.
    Rejected(Rejection),
    /// The work was begun and came to nothing, and why.
    Failed(String),
    /// The creation was carried out before, under the same key.
    Repeated(Repeated),
    /// The search would have to look at more entries of the audit log than it may.
    TooBroad {
        /// How many at most.
        limit: u64,
    },
    /// What was asked of a host did not come about, and why.
    Unreached(String),
    /// Nobody knows what is named, and what that is.
    Unknown(String),
    /// The search of a directory makes no sense, and why.
    BadSearch(String),
    /// The host or directory that has to be asked does not answer, and why.
    Unavailable(String),
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// What a use case waits for before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// That its command is durable.
    Decision,
    /// That the work has ended which its command leaves.
    End,
}

/// What came of a command that was not refused.
#[derive(Clone, Debug)]
pub struct Done {
    /// The command's own outcome.
    pub outcome: Outcome,
    /// The work that goes on, where it was not waited for.
    pub goes_on: Option<JobId>,
    /// A World that has it all.
    pub world: Arc<World>,
}

impl App {
    /// Carries a command out for a caller.
    ///
    /// Refused as the command is decided, where the work fails that was waited for, and where the same creation was carried out before.
    pub fn carry_out<'a>(
        &'a self,
        cx: &'a OpContext,
        wait: Wait,
        command: impl Into<Intent>,
    ) -> BoxFuture<'a, Result<Done, Refused>> {
        // The machinery is compiled once, and not for each command.
        Box::pin(self.carried_out(cx, wait, command.into()))
    }

    async fn carried_out(&self, cx: &OpContext, wait: Wait, command: Intent) -> Result<Done, Refused> {
        let outcome = self.submit(cx, command).await?;
        let job = outcome.jobs().next();
        Ok(match (job, wait) {
            (Some(_), Wait::End) => Done { world: self.settle(&outcome).await?, goes_on: None, outcome },
            (goes_on, _) => Done { world: outcome.world.clone(), goes_on, outcome },
        })
    }

    /// Submits a command as the caller, the first of an operation on the operation's conditions, and after the time of grace that is asked
    /// for. What would be refused is refused before that.
    pub fn submit<'a>(&'a self, cx: &'a OpContext, command: impl Into<Intent>) -> BoxFuture<'a, Result<Outcome, Refused>> {
        Box::pin(self.submitted(cx, command.into()))
    }

    async fn submitted(&self, cx: &OpContext, command: Intent) -> Result<Outcome, Refused> {
        let grace = cx.take_grace();
        let intent = cx.intent(command);
        if !grace.is_zero() {
            self.engine.foresee(&cx.request(), &intent)?;
            tokio::time::sleep(grace).await;
        }
        let key = intent.idempotent.clone();
        match (self.engine.submit(&cx.request(), intent).await, key) {
            (Err(rejection), Some(key)) if rejection.key == Key::CreationRepeated => Err(idempotent::refusal(self, cx, &key)),
            (outcome, _) => outcome.map_err(Refused::from),
        }
    }

    /// Waits for the work that a command left, and gives a World that has its end. Refused where it failed.
    pub async fn settle(&self, outcome: &Outcome) -> Result<Arc<World>, Refused> {
        for job in outcome.jobs() {
            if let Some(JobStatus::Failed(why)) = self.engine.settle(job).await {
                return Err(Refused::Failed(why));
            }
        }
        Ok(self.engine.world())
    }
}
