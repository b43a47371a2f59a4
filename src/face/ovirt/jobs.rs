//! Jobs and their steps: work that takes time.

use std::sync::Arc;

use evirt_domain::job::{Job, JobStatus};
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::parts::{date, listed, shown};
use super::representation::Doc;
use super::representation::types::{JOB, STEP};
use super::request::Call;
use super::route::routes;

routes! { ROUTES:
    "jobs" => GET list;
    "jobs/{}" => GET get;
    "jobs/{}/steps" => GET list_steps;
    "jobs/{}/steps/{}" => GET get_step;
}

/// How a step stands.
fn step_state(job: &Job, step: usize) -> &'static str {
    match &job.status {
        _ if step < job.steps_done => "FINISHED",
        JobStatus::Finished => "FINISHED",
        JobStatus::Failed(_) if step == job.steps_done => "FAILED",
        JobStatus::Failed(_) => "ABORTED",
        JobStatus::Started => "STARTED",
    }
}

/// The job as the API shows it.
pub fn view(base: &str, job: &Job) -> Doc {
    let href = format!("{base}/jobs/{}", job.id);
    let state = match &job.status {
        JobStatus::Started => "STARTED",
        JobStatus::Finished => "FINISHED",
        JobStatus::Failed(_) => "FAILED",
    };
    let mut doc = Doc::new()
        .set("id", job.id.to_string())
        .set("description", &job.description)
        .set_path("status.state", state)
        .set("start_time", date(job.started_at))
        .set("last_updated", date(job.updated_at))
        .opt("end_time", job.ended_at.map(date))
        .set("external", false)
        .set("auto_cleared", true)
        .link("steps", format!("{href}/steps"));
    if let JobStatus::Failed(why) = &job.status {
        doc = doc.set_path("status.detail", why);
    }
    if let Some(owner) = job.owner.user() {
        doc = doc.reference("owner", owner.to_string(), format!("{base}/users/{owner}"));
    }
    doc.set("href", href)
}

/// The identifier of a job's `n`th step: made of the job's.
pub fn step_id(job: &Job, n: usize) -> Uuid {
    Uuid::from_u128(job.id.0.as_u128() ^ (n as u128 + 1))
}

/// The `n`th step of a job as the API shows it, if it has been reached.
pub fn step_view(base: &str, job: &Job, n: usize) -> Option<Doc> {
    let step = job.task.steps().get(n)?;
    let begun = match n {
        0 => Some(job.started_at),
        _ => job.step_times.get(n - 1).copied(),
    }?;
    let job_href = format!("{base}/jobs/{}", job.id);
    let id = step_id(job, n);
    let ended = job.step_times.get(n).copied().or(job.ended_at);
    Some(
        Doc::new()
            .set("id", id.to_string())
            .set("href", format!("{job_href}/steps/{id}"))
            .set("description", step.replace('_', " "))
            .reference("job", job.id.to_string(), job_href)
            .set("type", "EXECUTING")
            .set("number", i64::try_from(n).unwrap_or(i64::MAX))
            .set_path("status.state", step_state(job, n))
            .set("start_time", date(begun))
            .opt("end_time", ended.map(date))
            .set("external", false),
    )
}

fn job(call: &Call) -> Result<&Arc<Job>, Answer> {
    call.found(call.world.jobs.get(&call.id(1)?), 1)
}

/// The newest first, as upstream lists them.
async fn list(call: Arc<Call>) -> Handled {
    let mut found: Vec<&Arc<Job>> = call.world.jobs.values().collect();
    found.sort_unstable_by_key(|job| std::cmp::Reverse((job.started_at, job.id)));
    listed(&call, &JOB, found.into_iter().map(|job| view(call.base, job)))
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &JOB, &view(call.base, job(&call)?))
}

async fn list_steps(call: Arc<Call>) -> Handled {
    let job = job(&call)?;
    listed(&call, &STEP, (0..job.task.steps().len()).filter_map(|n| step_view(call.base, job, n)))
}

async fn get_step(call: Arc<Call>) -> Handled {
    let (job, id): (_, Uuid) = (job(&call)?, call.id(3)?);
    let step = (0..job.task.steps().len()).find(|n| step_id(job, *n) == id);
    let doc = step.and_then(|n| step_view(call.base, job, n));
    shown(&call, &STEP, &call.found(doc, 3)?)
}
