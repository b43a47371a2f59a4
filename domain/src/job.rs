//! Jobs: work that takes time, with its steps. Reactors carry open jobs out, and take them up again after a crash.

mod task;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::EntityRef;
use crate::context::Actor;
use crate::event::{Event, EventMetadata, Fold, Stream, StreamKind};
use crate::external::{ExternalJobsCleared, WorkStatus};
use crate::ids::*;
use crate::index::JobTerm;
use crate::world::World;

pub use task::{AnyCommand, Ends, Scene, Step, Task, Told};

/// Why a job came to nothing whose place another request took.
pub const SUPERSEDED: &str = "superseded";

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// At work.
    Started,
    /// Done.
    Finished,
    /// It came to nothing, and why.
    Failed(String),
}

/// Work that takes time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Identifier.
    pub id: JobId,
    /// Version of the resource.
    pub version: u64,
    /// What it does, in words.
    pub description: String,
    /// What it does.
    pub task: Task,
    /// How it stands.
    pub status: JobStatus,
    /// How many of its steps are done.
    pub steps_done: usize,
    /// The user, or the engine, that asked for it.
    pub owner: Actor,
    /// The position of its opening: what names its operations to the drivers.
    pub position: Position,
    /// When it was opened.
    pub started_at: Micros,
    /// When something last changed.
    pub updated_at: Micros,
    /// When each finished step was finished.
    pub step_times: Vec<Micros>,
    /// When it ended.
    pub ended_at: Option<Micros>,
    /// The request that opened it.
    pub correlation_id: Arc<str>,
    /// The external job and the step of that which it is carried out as.
    #[serde(default)]
    pub carried_as: Option<(JobId, Uuid)>,
}

/// How long a finished job is kept, in microseconds.
pub const KEEP_FINISHED: Micros = 10 * 60 * 1_000_000;
/// How long a failed job is kept, in microseconds.
pub const KEEP_FAILED: Micros = 60 * 60 * 1_000_000;
/// How many ended jobs are kept at the most; a busy engine clears the oldest sooner.
pub const MAX_ENDED_JOBS: usize = 10_000;

fn stream(job: JobId) -> Stream {
    Stream::new(StreamKind::Job, job.0)
}

/// A job was opened, with the request that needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobOpened {
    /// Identifier.
    pub job: JobId,
    /// What it does, in words.
    pub description: String,
    /// What it does.
    pub task: Task,
}

impl Fold for JobOpened {
    fn stream(&self) -> Stream {
        stream(self.job)
    }

    fn fold(&self, world: &mut World, at: &EventMetadata) {
        world.open_jobs.insert(self.job);
        world.jobs.insert(
            self.job,
            Job {
                id: self.job,
                version: at.version,
                description: self.description.clone(),
                task: self.task.clone(),
                status: JobStatus::Started,
                steps_done: 0,
                owner: at.actor,
                position: at.position,
                started_at: at.at,
                updated_at: at.at,
                step_times: Vec::new(),
                ended_at: None,
                correlation_id: at.correlation_id.clone(),
                carried_as: None,
            },
        );
    }
}

/// A step of a job was finished; a restart goes on behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobStepFinished {
    /// Which job.
    pub job: JobId,
    /// How many steps are done now.
    pub done: usize,
}

impl Fold for JobStepFinished {
    fn stream(&self) -> Stream {
        stream(self.job)
    }

    fn fold(&self, world: &mut World, at: &EventMetadata) {
        world.jobs.update(&self.job, |job| {
            job.steps_done = self.done;
            job.step_times.resize(self.done, at.at);
            job.updated_at = at.at;
            job.version = at.version;
        });
    }
}

/// A job ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobEnded {
    /// Which.
    pub job: JobId,
    /// Why it came to nothing, where it did.
    pub failure: Option<String>,
}

impl Fold for JobEnded {
    fn stream(&self) -> Stream {
        stream(self.job)
    }

    fn fold(&self, world: &mut World, at: &EventMetadata) {
        // Logs of before hold jobs that ended twice: how a job ended first is how it ended.
        if !world.open_jobs.contains(&self.job) {
            return;
        }
        world.open_jobs.remove(&self.job);
        if let (Some(why), Some(job)) = (&self.failure, world.jobs.get(&self.job)) {
            world.creations.fail(job.position, why);
        }
        world.jobs.update(&self.job, |job| {
            job.status = match &self.failure {
                None => JobStatus::Finished,
                Some(why) => JobStatus::Failed(why.clone()),
            };
            if self.failure.is_none() {
                job.steps_done = job.task.steps().len();
                job.step_times.resize(job.steps_done, at.at);
            }
            job.updated_at = at.at;
            job.ended_at = Some(at.at);
            job.version = at.version;
        });
    }
}

/// A job ends once: leaves out the ends of jobs that have ended already, so that one which has failed is not finished by what is observed
/// later.
pub(crate) fn end_once(world: &World, events: &mut Vec<Event>) {
    let (mut opened_here, mut ended_here) = (BTreeSet::new(), BTreeSet::new());
    events.retain(|event| match event {
        Event::JobOpened(opened) => {
            opened_here.insert(opened.job);
            true
        }
        Event::JobEnded(ended) => {
            (world.open_jobs.contains(&ended.job) || opened_here.contains(&ended.job)) && ended_here.insert(ended.job)
        }
        _ => true,
    });
}

/// Ended jobs were forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobsCleared {
    /// Which.
    pub jobs: Vec<JobId>,
}

impl Fold for JobsCleared {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, world: &mut World, _: &EventMetadata) {
        for job in &self.jobs {
            world.jobs.remove(job);
            world.open_jobs.remove(job);
            world.close_stream(StreamKind::Job, job.0);
        }
    }
}

/// Records that a step of a job is done.
#[derive(Clone, Debug)]
pub struct FinishStep {
    /// Which job.
    pub job: JobId,
    /// How many of its steps are done now.
    pub done: usize,
}

impl crate::command::Decide for FinishStep {
    fn decide(&self, world: &World, _: &crate::context::Context) -> Result<Vec<Event>, crate::rejection::Rejection> {
        let job = world.job(self.job)?;
        if job.status != JobStatus::Started || job.steps_done >= self.done {
            return Ok(Vec::new());
        }
        Ok(vec![JobStepFinished { job: self.job, done: self.done }.into()])
    }
}

/// Ends a job that has nothing else to record.
#[derive(Clone, Debug)]
pub struct EndJob {
    /// Which.
    pub job: JobId,
    /// Why it came to nothing, where it did.
    pub failure: Option<String>,
}

impl crate::command::Decide for EndJob {
    fn decide(&self, world: &World, _: &crate::context::Context) -> Result<Vec<Event>, crate::rejection::Rejection> {
        let job = world.job(self.job)?;
        if job.status != JobStatus::Started {
            return Ok(Vec::new());
        }
        Ok(vec![JobEnded { job: self.job, failure: self.failure.clone() }.into()])
    }
}

/// Forgets the jobs that ended long enough ago.
#[derive(Clone, Debug)]
pub struct ClearJobs;

impl crate::command::Decide for ClearJobs {
    fn decide(&self, world: &World, cx: &crate::context::Context) -> Result<Vec<Event>, crate::rejection::Rejection> {
        let mut ended: Vec<(Micros, JobId, bool)> =
            world.jobs.values().filter_map(|j| Some((j.ended_at?, j.id, matches!(j.status, JobStatus::Failed(_))))).collect();
        ended.sort();
        let surplus = ended.len().saturating_sub(MAX_ENDED_JOBS);
        let jobs: Vec<JobId> = ended
            .into_iter()
            .enumerate()
            .filter(|(n, (at, _, failed))| *n < surplus || cx.now - at > if *failed { KEEP_FAILED } else { KEEP_FINISHED })
            .map(|(_, (_, id, _))| id)
            .collect();
        let external: Vec<JobId> = world
            .external_jobs
            .values()
            .filter(|job| job.auto_cleared)
            .filter_map(|job| {
                let keep = if job.status == WorkStatus::Finished { KEEP_FINISHED } else { KEEP_FAILED };
                (cx.now - job.ended_at? > keep).then_some(job.id)
            })
            .collect();
        let own = (!jobs.is_empty()).then(|| JobsCleared { jobs }.into());
        let external = (!external.is_empty()).then(|| ExternalJobsCleared { jobs: external }.into());
        Ok(own.into_iter().chain(external).collect())
    }
}

/// The open job of some kind that works on something.
pub fn open_job(world: &World, on: EntityRef, wanted: impl Fn(&Task) -> bool) -> Option<&Arc<Job>> {
    world.jobs.by(JobTerm::Open(on)).find(|job| wanted(&job.task))
}
