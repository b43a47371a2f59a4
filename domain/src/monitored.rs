//! Commands that are carried out as steps of an external job: a system outside leads the whole, and the engine does parts of it.

use uuid::Uuid;

use crate::access::EntityRef;
use crate::check::Act;
use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::external::{ExternalStepAdded, ExternalStepEnded, INJECT, WorkStatus, has_room};
use crate::ids::JobId;
use crate::job::JobStatus;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::World;

const ACT: Act = Act("add", "External Step");

/// What kind of step a command is.
const KIND: &str = "executing";

/// A command as a step of an external job. Each job that it opens becomes a step, which ends with it; a command that opens none is a step
/// that is done at once. One that is refused leaves nothing.
#[derive(Debug)]
pub struct Monitored<C> {
    /// What is wanted.
    pub command: C,
    /// What it is a part of; none where nobody leads it.
    pub whole: Option<Whole>,
}

/// What a command is a part of.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The external job; none where the step says which.
    pub job: Option<JobId>,
    /// The step of it.
    pub step: Option<Uuid>,
    /// What a command does that opens no job, in words.
    pub description: String,
}

impl Whole {
    /// The external job, which has to have the step.
    fn job(&self, world: &World) -> Result<Option<JobId>, Rejection> {
        let of_step = self.step.map(|step| world.external_steps.get(&step).copied().ok_or_else(|| ACT.no(Key::StepUnknown)));
        match (self.job, of_step.transpose()?) {
            (Some(job), Some(other)) if job != other => Err(ACT.no(Key::StepUnknown)),
            (job, of_step) => Ok(job.or(of_step)),
        }
    }
}

impl<C: Decide> Decide for Monitored<C> {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(whole) = &self.whole else { return self.command.decide(world, cx) };
        let Some(job) = whole.job(world)? else { return self.command.decide(world, cx) };
        has_room(world, ACT, job, whole.step, 1)?;
        let mut events = self.command.decide(world, cx)?;
        let opened = events.iter().filter_map(|event| match event {
            Event::JobOpened(opened) => Some((opened.description.clone(), Some(opened.job))),
            _ => None,
        });
        let mut steps: Vec<_> = opened.collect();
        if steps.is_empty() {
            steps.push((whole.description.clone(), None));
        }
        has_room(world, ACT, job, whole.step, steps.len())?;
        // Counted from the middle, so that they are neither what the command itself derives nor what its owner is given.
        for (n, (description, carries)) in (1 << 63..).zip(steps) {
            let step = cx.fresh(n);
            events.push(ExternalStepAdded { job, step, parent: whole.step, kind: KIND.into(), description, carries }.into());
            if carries.is_none() {
                events.push(ExternalStepEnded { job, step, status: WorkStatus::Finished }.into());
            }
        }
        Ok(events)
    }

    fn permit(&self, world: &World) -> Option<(Permit, EntityRef)> {
        self.command.permit(world)
    }

    fn further_permits(&self, world: &World) -> Vec<(Permit, EntityRef)> {
        self.command.further_permits(world).into_iter().chain(self.whole.as_ref().map(|_| INJECT)).collect()
    }
}

/// The ends of the steps as which jobs were carried out that end with these events.
pub(crate) fn ends(world: &World, events: &[Event]) -> Vec<Event> {
    let ended = events.iter().filter_map(|event| match event {
        Event::JobEnded(ended) => {
            let status = if ended.failure.is_none() { WorkStatus::Finished } else { WorkStatus::Failed };
            let (job, step) = world.jobs.get(&ended.job).filter(|job| job.status == JobStatus::Started)?.carried_as?;
            let is_open = world.external_jobs.get(&job)?.step(step)?.status == WorkStatus::Started;
            is_open.then(|| ExternalStepEnded { job, step, status }.into())
        }
        _ => None,
    });
    ended.collect()
}
