//! Commands that are carried out as steps of an external job: a system outside leads the whole, and the engine does parts of it.

use uuid::Uuid;

use crate::check::Act;
use crate::context::Context;
use crate::event::Event;
use crate::external::{ExternalStepAdded, ExternalStepEnded, WorkStatus, has_room};
use crate::ids::JobId;
use crate::job::JobStatus;
use crate::rejection::{Key, Rejection};
use crate::world::World;

const ACT: Act = Act("add", "External Step");

/// What kind of step a command is.
const KIND: &str = "executing";

/// The step of an external job as which a command is carried out. Each job that the command opens becomes a step, which ends with it; a
/// command that opens none is a step that is done at once. One that is refused leaves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalStep {
    /// The external job; none where the step says which.
    pub job: Option<JobId>,
    /// The step that this one is within.
    pub parent: Option<Uuid>,
    /// What a command does that opens no job, in words.
    pub description: String,
}

impl ExternalStep {
    /// The external job, which has to have the step and room for one more; none where nobody leads.
    pub(crate) fn job(&self, world: &World) -> Result<Option<JobId>, Rejection> {
        let of_step = |step| world.external_steps.get(&step).copied().ok_or_else(|| ACT.no(Key::StepUnknown));
        let job = match (self.job, self.parent.map(of_step).transpose()?) {
            (Some(job), Some(other)) if job != other => return Err(ACT.no(Key::StepUnknown)),
            (job, of_step) => job.or(of_step),
        };
        if let Some(job) = job {
            has_room(world, ACT, job, self.parent, 1)?;
        }
        Ok(job)
    }

    /// Adds to a command's events that they are steps of the external job.
    pub(crate) fn add_steps(&self, world: &World, cx: &Context, job: JobId, events: &mut Vec<Event>) -> Result<(), Rejection> {
        let opened = events.iter().filter_map(|event| match event {
            Event::JobOpened(opened) => Some((opened.description.clone(), Some(opened.job))),
            _ => None,
        });
        let mut steps: Vec<_> = opened.collect();
        if steps.is_empty() {
            steps.push((self.description.clone(), None));
        }
        has_room(world, ACT, job, self.parent, steps.len())?;
        // Counted from the middle, so that they are neither what the command itself derives nor what its owner is given.
        for (n, (description, carries)) in (1 << 63..).zip(steps) {
            let step = cx.fresh(n);
            events.push(ExternalStepAdded { job, step, parent: self.parent, kind: KIND.into(), description, carries }.into());
            if carries.is_none() {
                events.push(ExternalStepEnded { job, step, status: WorkStatus::Finished }.into());
            }
        }
        Ok(())
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
