//! Jobs and their steps: work that takes time, the engine's own and that of systems outside.

use std::sync::Arc;

use evirt_domain::external::*;
use evirt_domain::ids::{JobId, Micros};
use evirt_domain::job::{Job, JobStatus};
use evirt_domain::{Actor, Decide, World};
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::collection::{act, created};
use super::parts::{date, first_id, listed, shown};
use super::representation::body::{Body, need};
use super::representation::description::EnumDef;
use super::representation::place::stands_in;
use super::representation::types::{JOB, STEP};
use super::representation::{Doc, Fault, Place};
use super::request::ApiRequest;
use super::route::routes;

stands_in!(JobId "jobs");

routes! { ROUTES:
    "jobs" => GET list, POST add [Body::add(&JOB).needs(&[need("description")])]: AddExternalJob::least;
    "jobs/{}" => GET get;
    "jobs/{}/end" => POST end [Body::action("force").needs(&[need("status.state").of("end")])]: EndExternalJob::least;
    "jobs/{}/clear" => POST clear: ClearExternalJob::least;
    "jobs/{}/steps" =>
        GET list_steps,
        POST add_step [Body::add(&STEP).needs(&[need("type description")])]: AddExternalStep::least;
    "jobs/{}/steps/{}" => GET get_step;
    "jobs/{}/steps/{}/end" => POST end_step [Body::action("force status.state succeeded")]: EndExternalStep::least;
}

static STEP_TYPE: EnumDef = EnumDef { class: "StepEnum", members: &STEP_TYPES };
static STATUS: EnumDef = EnumDef { class: "JobExecutionStatus", members: &["finished", "failed", "aborted", "unknown"] };

/// A job of either kind.
enum Work<'a> {
    Own(&'a Arc<Job>),
    External(&'a Arc<ExternalJob>),
}

impl Work<'_> {
    fn started(&self) -> (Micros, JobId) {
        match self {
            Self::Own(job) => (job.started_at, job.id),
            Self::External(job) => (job.started_at, job.id),
        }
    }

    fn view(&self, base: &str) -> Doc {
        match self {
            Self::Own(job) => view(base, job),
            Self::External(job) => external_view(base, job),
        }
    }

    fn steps(&self, world: &World, base: &str) -> Vec<Doc> {
        match self {
            Self::Own(job) => (0..job.task.steps().len()).filter_map(|n| step_view(base, job, n)).collect(),
            Self::External(job) => job.steps.iter().flat_map(|step| with_own_steps(world, base, job, step)).collect(),
        }
    }
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

fn with_owner(doc: Doc, base: &str, owner: Actor) -> Doc {
    match owner.user() {
        Some(owner) => doc.reference("owner", base, owner),
        None => doc,
    }
}

/// The job as the API shows it.
pub fn view(base: &str, job: &Job) -> Doc {
    let state = match &job.status {
        JobStatus::Started => "STARTED",
        JobStatus::Finished => "FINISHED",
        JobStatus::Failed(_) => "FAILED",
    };
    let mut doc = Doc::new()
        .at(&Place::of(base, job.id))
        .set("description", &job.description)
        .set_path("status.state", state)
        .set("start_time", date(job.started_at))
        .set("last_updated", date(job.updated_at))
        .opt("end_time", job.ended_at.map(date))
        .set("external", false)
        .set("auto_cleared", true)
        .links(&["steps"]);
    if let JobStatus::Failed(why) = &job.status {
        doc = doc.set_path("status.detail", why);
    }
    with_owner(doc, base, job.owner)
}

/// The external job as the API shows it.
fn external_view(base: &str, job: &ExternalJob) -> Doc {
    let doc = Doc::new()
        .at(&Place::of(base, job.id))
        .set("description", &job.description)
        .set_path("status.state", job.status.name())
        .set("start_time", date(job.started_at))
        .set("last_updated", date(job.updated_at))
        .opt("end_time", job.ended_at.map(date))
        .set("external", true)
        .set("auto_cleared", job.auto_cleared)
        .actions(&["clear", "end"])
        .links(&["steps"]);
    with_owner(doc, base, job.owner)
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
    let place = Place::of(base, job.id);
    let ended = job.step_times.get(n).copied().or(job.ended_at);
    Some(
        Doc::new()
            .at(&place.below("steps", step_id(job, n)))
            .set("description", step.name.replace('_', " "))
            .reference_to("job", &place)
            .set("type", "EXECUTING")
            .set("number", i64::try_from(n).unwrap_or(i64::MAX))
            .set_path("status.state", step_state(job, n))
            .set("start_time", date(begun))
            .opt("end_time", ended.map(date))
            .set("external", false),
    )
}

/// A step of an external job as the API shows it.
fn external_step_view(base: &str, job: &ExternalJob, step: &ExternalStep) -> Doc {
    let place = Place::of(base, job.id);
    let mut doc = Doc::new()
        .at(&place.below("steps", step.id))
        .set("description", &step.description)
        .set("type", step.kind.to_uppercase())
        .set("number", step.number)
        .set_path("status.state", step.status.name())
        .set("start_time", date(step.started_at))
        .opt("end_time", step.ended_at.map(date))
        .set("external", true)
        .actions(&["end"]);
    if let Some(parent) = step.parent {
        doc = doc.reference_to("parent_step", &place.below("steps", parent));
    }
    doc.reference_to("job", &place)
}

/// A step of an external job, and within it the steps of the engine's own job that is carried out as that step.
fn with_own_steps(world: &World, base: &str, whole: &ExternalJob, step: &ExternalStep) -> Vec<Doc> {
    let place = Place::of(base, whole.id);
    let own = step.carries.and_then(|own| world.jobs.get(&own));
    let within = own.into_iter().flat_map(|own| (0..own.task.steps().len()).filter_map(|n| step_view(base, own, n)));
    let within = within.map(|part| {
        let id = part.text("id").unwrap_or_default().to_owned();
        part.at(&place.below("steps", id)).reference_to("job", &place).reference_to("parent_step", &place.below("steps", step.id))
    });
    let within: Vec<Doc> = within.collect();
    std::iter::once(external_step_view(base, whole, step)).chain(within).collect()
}

fn job<'a>(request: &ApiRequest, world: &'a World) -> Result<Work<'a>, Answer> {
    let id = request.id(1)?;
    let own = world.jobs.get(&id).map(Work::Own);
    request.found(own.or_else(|| world.external_jobs.get(&id).map(Work::External)), 1)
}

/// The newest first, as upstream lists them. What is carried out as a step of an external job is not beside it.
async fn list(request: Arc<ApiRequest>) -> Handled {
    let is_part = |job: &Job| job.carried_as.is_some_and(|(whole, _)| request.world.external_jobs.contains(&whole));
    let own = request.world.jobs.values().filter(|job| !is_part(job)).map(Work::Own);
    let mut found: Vec<Work> = own.chain(request.world.external_jobs.values().map(Work::External)).collect();
    found.sort_unstable_by_key(|job| std::cmp::Reverse(job.started()));
    listed(&request, &JOB, found.into_iter().map(|job| job.view(request.base)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &JOB, &job(&request, &request.world)?.view(request.base))
}

async fn list_steps(request: Arc<ApiRequest>) -> Handled {
    listed(&request, &STEP, job(&request, &request.world)?.steps(&request.world, request.base))
}

/// The step that the path names.
fn step(request: &ApiRequest, world: &World) -> Result<Doc, Answer> {
    let id = request.id::<Uuid>(3)?.to_string();
    let steps = job(request, world)?.steps(world, request.base);
    request.found(steps.into_iter().find(|step| step.text("id") == Some(id.as_str())), 3)
}

async fn get_step(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &STEP, &step(&request, &request.world)?)
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&JOB)?;
    let description = sent.text("description").unwrap_or_default().to_owned();
    let auto_cleared = sent.bool("auto_cleared").unwrap_or(true);
    let outcome = request.submit(AddExternalJob { description, auto_cleared }).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.external_jobs.get(&id));
    created(&request, &JOB, &external_view(request.base, request.found(made, 0)?))
}

async fn add_step(request: Arc<ApiRequest>) -> Handled {
    let id: JobId = request.id(1)?;
    job(&request, &request.world)?;
    let sent = request.body(&STEP)?;
    let kind = sent.text("type").unwrap_or_default();
    if !STEP_TYPES.contains(&kind.to_lowercase().as_str()) {
        return Err(request.bad(&Fault::invalid_value(kind, &STEP_TYPE)));
    }
    let parent = match sent.text("parent_step.id").filter(|id| !id.is_empty()) {
        Some(text) => Some(
            Uuid::parse_str(text).map_err(|_| request.bad(&Fault::failed(format!("parent_step: {text} is no identifier"))))?,
        ),
        None => None,
    };
    let (kind, description) = (kind.to_lowercase(), sent.text("description").unwrap_or_default().to_owned());
    let outcome = request.submit(AddExternalStep { job: id, parent, kind, description }).await?;
    let made = outcome.world.external_jobs.get(&id).and_then(|job| {
        let step = outcome.events.iter().find_map(|recorded| match &recorded.event {
            evirt_domain::Event::ExternalStepAdded(added) => job.step(added.step),
            _ => None,
        });
        Some(external_step_view(request.base, job, step?))
    });
    created(&request, &STEP, &request.found(made, 1)?)
}

/// How work ended, as the action says.
fn ending(request: &ApiRequest, sent: &Doc) -> Result<WorkStatus, Answer> {
    let state = sent.text("status.state").unwrap_or_default();
    let ending = WorkStatus::ENDS.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(state));
    ending.map(|(status, _)| status).ok_or_else(|| request.bad(&Fault::invalid_value(state, &STATUS)))
}

async fn end(request: Arc<ApiRequest>) -> Handled {
    let job = job(&request, &request.world)?.started().1;
    let sent = request.action()?;
    let status = ending(&request, &sent)?;
    let force = sent.bool("force").unwrap_or(false);
    act(&request, sent, EndExternalJob { job, status, force }).await
}

async fn clear(request: Arc<ApiRequest>) -> Handled {
    let job = job(&request, &request.world)?.started().1;
    act(&request, request.action()?, ClearExternalJob { job }).await
}

async fn end_step(request: Arc<ApiRequest>) -> Handled {
    let job = job(&request, &request.world)?.started().1;
    step(&request, &request.world)?;
    let sent = request.action()?;
    // A step may say by `succeeded` how it ended, or nothing.
    let status = match sent.has("status.state") {
        true => ending(&request, &sent).map_err(|refused| refused.in_action(sent.clone(), request.output))?,
        false if sent.bool("succeeded") == Some(false) => WorkStatus::Failed,
        false => WorkStatus::Finished,
    };
    act(&request, sent, EndExternalStep { job, step: request.id(3)?, status }).await
}
