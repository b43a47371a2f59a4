//! What collections share: creating, changing, removing and acting, as the API answers them.

use std::sync::Arc;

use axum::http::header;
use evirt_domain::Decide;
use evirt_domain::ids::JobId;
use evirt_domain::job::{Job, JobStatus};
use evirt_domain::world::NameKind;
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::representation::check::unchanged;
use super::representation::description::TypeDef;
use super::representation::types::{ACTION, CREATION};
use super::representation::{Doc, Fault};
use super::request::{Call, jobs};
use crate::engine::Outcome;

/// The answer to a create: 201 with where it is.
pub fn created(call: &Call, of: &'static TypeDef, doc: &Doc) -> Handled {
    let href = doc.text("href").unwrap_or_default().to_owned();
    Ok(Answer::doc(201, of, doc, call.output).with(header::LOCATION, &href))
}

/// The answer to a create that goes on after it: 202 with where to look, or after waiting 201.
pub async fn creating(
    call: &Call,
    of: &'static TypeDef,
    outcome: &Outcome,
    doc: impl Fn(&evirt_domain::World) -> Option<Doc>,
) -> Handled {
    if call.wants_to_wait() {
        let world = call.settle(outcome).await?;
        return created(call, of, &call.found(doc(&world), 0)?);
    }
    let doc = call.found(doc(&outcome.world), 0)?;
    let Some(job) = jobs(outcome).next() else { return created(call, of, &doc) };
    let href = format!("{}/creation_status/{job}", doc.text("href").unwrap_or_default());
    let doc = doc.set_path("creation_status.state", "pending").link("creation_status", href);
    Ok(Answer::doc(202, of, &doc, call.output))
}

/// Refuses a body that changes what cannot change.
pub fn check_immutable(call: &Call, of: &'static TypeDef, current: &Doc, sent: &Doc) -> Result<(), Answer> {
    unchanged(of, current, sent).map_err(|fault| Answer::fault(409, &fault, call.output))
}

/// Refuses a body that says otherwise of what was settled when the resource was made: texts, by their paths, that the resource has.
pub fn check_settled(call: &Call, current: &Doc, sent: &Doc, fields: &[&str]) -> Result<(), Answer> {
    let differs = |field: &&&str| sent.text(field).zip(current.text(field)).is_some_and(|(sent, current)| sent != current);
    match fields.iter().find(differs) {
        Some(field) => Err(Answer::fault(409, &Fault::immutable(field), call.output)),
        None => Ok(()),
    }
}

/// The same for what the resource belongs to, which the body may name by identifier or name.
pub fn check_owner(call: &Call, sent: &Doc, member: &str, kind: NameKind, class: &str, current: Uuid) -> Result<(), Answer> {
    match call.reference::<Uuid>(sent, member, kind, class)? {
        Some(other) if other != current => Err(Answer::fault(409, &Fault::immutable(member), call.output)),
        _ => Ok(()),
    }
}

/// Removes something: 204 without a body as the guide shows it; with an `<action>` 200 and the action, 202 where it goes on.
pub async fn remove(call: &Call, command: impl Decide + 'static) -> Handled {
    let outcome = call.submit(command).await?;
    removed(call, &outcome)
}

/// The answer to a removal.
pub fn removed(call: &Call, outcome: &Outcome) -> Handled {
    let sent = call.sent_action();
    if call.goes_on(&sent)? {
        return Ok(Answer::empty(202));
    }
    if call.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Answer::empty(204));
    }
    let state = if jobs(outcome).next().is_some() { "pending" } else { "complete" };
    let doc = Doc::new().set_path("status.state", state);
    Ok(Answer::doc(if state == "pending" { 202 } else { 200 }, &ACTION, &doc, call.output))
}

/// Carries an action out that is complete once its command is durable; a client that asks for it is told where to see how the job
/// goes on that it opened. `extra` is what the answer holds beside what was sent.
pub async fn act(call: &Arc<Call>, sent: Doc, command: impl Decide + 'static, extra: impl FnOnce(Doc) -> Doc) -> Handled {
    grace(&sent).await;
    let outcome = match call.submit(command).await {
        Ok(outcome) => outcome,
        Err(refused) => return Err(refused.in_action(sent, call.output)),
    };
    match jobs(&outcome).next() {
        Some(job) if call.goes_on(&sent)? => {
            let doc = extra(under_way(call, sent, job)).set_path("status.state", "pending");
            Ok(Answer::doc(202, &ACTION, &doc, call.output))
        }
        _ => Ok(Answer::doc(200, &ACTION, &extra(sent).set_path("status.state", "complete"), call.output)),
    }
}

/// Carries an action out that goes on after its command: 202 with where to look, unless the client says `<async>false</async>`; then
/// the answer waits, and tells by its state whether it came to something.
pub async fn act_later(call: &Arc<Call>, sent: Doc, command: impl Decide + 'static) -> Handled {
    grace(&sent).await;
    let outcome = match call.submit(command).await {
        Ok(outcome) => outcome,
        Err(refused) => return Err(refused.in_action(sent, call.output)),
    };
    let Some(job) = jobs(&outcome).next() else {
        return Ok(Answer::doc(200, &ACTION, &sent.set_path("status.state", "complete"), call.output));
    };
    if sent.bool("async") == Some(false) {
        let ended = call.engine().settle(job).await.unwrap_or(JobStatus::Finished);
        return Ok(Answer::doc(200, &ACTION, &standing(sent, &ended, "Operation Failed"), call.output));
    }
    Ok(Answer::doc(202, &ACTION, &under_way(call, sent, job).set_path("status.state", "pending"), call.output))
}

/// An action that goes on: where to ask how it stands, what it is about, and where to begin it again.
pub fn under_way(call: &Call, sent: Doc, job: JobId) -> Doc {
    let segments = &call.target.segments;
    let job_text = job.to_string();
    let action = if segments.last() == Some(&job_text) { &segments[..segments.len() - 1] } else { segments };
    let href = format!("{}/{}", call.base, action.join("/"));
    let (parent, _) = href.rsplit_once('/').unwrap_or_default();
    sent.set("async", true)
        .set("id", job_text.as_str())
        .link("parent", parent)
        .link("replay", href.as_str())
        .set("href", format!("{href}/{job_text}"))
}

/// How an action stands that went on after its answer. One that is not known any more leads back to what it was about.
pub async fn action_status(call: Arc<Call>) -> Handled {
    let segments = &call.target.segments;
    let Ok((job, _)) = job_of_path(&call) else {
        let parent = segments[..segments.len() - 2].to_vec();
        let href = format!("{}/{}", call.base, parent.join("/"));
        call.look(parent, call.output).await?;
        return Ok(Answer::empty(301).with(header::LOCATION, &href));
    };
    let doc = under_way(&call, Doc::new(), job.id);
    Ok(Answer::doc(200, &ACTION, &standing(doc, &job.status, "Asynchronous task failed"), call.output))
}

/// The job that the last segment names, and the path as a link.
fn job_of_path(call: &Call) -> Result<(Arc<Job>, String), Answer> {
    let last = call.target.segments.len() - 1;
    let id: JobId = call.id(last)?;
    let job = call.found(call.world.jobs.get(&id), last)?.clone();
    Ok((job, format!("{}/{}", call.base, call.target.segments.join("/"))))
}

/// A document with the state of a job, and with a fault where it failed.
fn standing(doc: Doc, status: &JobStatus, reason: &'static str) -> Doc {
    match status {
        JobStatus::Started => doc.set_path("status.state", "in_progress"),
        JobStatus::Finished => doc.set_path("status.state", "complete"),
        JobStatus::Failed(why) => {
            let fault = Doc::new().set("reason", reason).set("detail", why.as_str());
            doc.set_path("status.state", "failed").set("fault", fault)
        }
    }
}

/// The longest time of grace, in milliseconds.
pub const MAX_GRACE_MS: i64 = 60_000;

/// Waits for the time of grace that an action asks for.
pub async fn grace(sent: &Doc) {
    if let Some(expiry) = sent.int("grace_period.expiry").filter(|ms| *ms > 0) {
        tokio::time::sleep(std::time::Duration::from_millis(expiry.min(MAX_GRACE_MS) as u64)).await;
    }
}

/// The state of what a create left to do.
pub async fn creation_status(call: Arc<Call>) -> Handled {
    let (job, href) = job_of_path(&call)?;
    let doc = Doc::new().set("id", job.id.to_string()).set("href", href);
    Ok(Answer::doc(200, &CREATION, &standing(doc, &job.status, "Asynchronous task failed"), call.output))
}
