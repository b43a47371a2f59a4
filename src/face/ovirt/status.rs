//! How work stands that goes on after its answer: below every action, and below everything that is created.

use std::sync::Arc;

use axum::http::{Method, header};
use evirt_domain::ids::JobId;
use evirt_domain::job::{Job, JobStatus, Task};
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::collection::on_target;
use super::representation::types::{ACTION, CREATION};
use super::representation::{Doc, Place};
use super::request::{ApiRequest, Route};
use super::route::{Verb, nothing};
use super::visible::object_at;

/// How an action stands that goes on.
pub static ACTION_STATUS: Route = Route {
    path: "{}/action/{}",
    methods: &[Verb { method: Method::GET, handler: |request| Box::pin(action_status(request)), body: None, least: nothing }],
};

/// How a creation stands that goes on.
pub static CREATION_STATUS: Route = Route {
    path: "{}/creation_status/{}",
    methods: &[Verb { method: Method::GET, handler: |request| Box::pin(creation_status(request)), body: None, least: nothing }],
};

/// An action that goes on: where to ask how it stands, what it is about, and where to begin it again.
pub fn under_way(request: &ApiRequest, sent: Doc, job: JobId) -> Doc {
    let segments = &request.target.segments;
    let job_text = job.to_string();
    let action = if segments.last() == Some(&job_text) { &segments[..segments.len() - 1] } else { segments };
    let (parent, _) = action.split_at(action.len().saturating_sub(1));
    let (parent, replay) = (Place::at(request.base, parent).link(), Place::at(request.base, action).link());
    let doc = on_target(request.base, action, sent).set("async", true).set("id", job_text.as_str());
    doc.set("href", replay.below(&job_text)).link("parent", parent).link("replay", replay)
}

/// How an action stands that went on after its answer. One that is not known any more, or was another, leads back to what it was about.
pub async fn action_status(request: Arc<ApiRequest>) -> Handled {
    let segments = &request.target.segments;
    let (action, parent) = (&segments[..segments.len() - 1], &segments[..segments.len() - 2]);
    let Some(job) = job_of_path(&request).ok().filter(|job| is_of_action(&job.task, action)) else {
        request.look(parent.to_vec(), request.output).await?;
        return Ok(Answer::empty(301).with(header::LOCATION, &format!("{}/{}", request.base, parent.join("/"))));
    };
    let doc = under_way(&request, Doc::new(), job.id);
    Ok(Answer::doc(200, &ACTION, &standing(doc, &job.status, "Asynchronous task failed"), request.output))
}

/// The state of what a create left to do.
pub async fn creation_status(request: Arc<ApiRequest>) -> Handled {
    let segments = &request.target.segments;
    let created = &segments[..segments.len() - 2];
    let job = job_of_path(&request)?;
    let job = Some(job).filter(|job| object_at(created).is_some_and(|object| job.task.object() == object));
    let job = request.found(job, segments.len() - 1)?;
    request.look(created.to_vec(), request.output).await?;
    let doc = Doc::new().at(&Place::at(request.base, segments));
    Ok(Answer::doc(200, &CREATION, &standing(doc, &job.status, "Asynchronous task failed"), request.output))
}

/// The job that the last segment names.
fn job_of_path(request: &ApiRequest) -> Result<Arc<Job>, Answer> {
    let last = request.target.segments.len() - 1;
    let id: JobId = request.id(last)?;
    request.found(request.world.jobs.get(&id), last).cloned()
}

/// A document with the state of a job, and with a fault where it failed.
pub fn standing(doc: Doc, status: &JobStatus, reason: &'static str) -> Doc {
    match status {
        JobStatus::Started => doc.set_path("status.state", "in_progress"),
        JobStatus::Finished => doc.set_path("status.state", "complete"),
        JobStatus::Failed(why) => {
            let fault = Doc::new().set("reason", reason).set("detail", why.as_str());
            doc.set_path("status.state", "failed").set("fault", fault)
        }
    }
}

/// Whether a job is what an action left to do: the path of the action names what the job works on, and then the action.
fn is_of_action(task: &Task, action: &[String]) -> bool {
    let Some((verb, named)) = action.split_last() else { return false };
    let names = |id: &Uuid| named.iter().any(|segment| Uuid::parse_str(segment).as_ref() == Ok(id));
    task.verbs().contains(&verb.as_str()) && task.named().iter().all(names)
}
