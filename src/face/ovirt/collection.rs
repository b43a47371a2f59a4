//! What collections share: creating, changing, removing and acting, as the API answers them.

use std::sync::Arc;

use axum::http::header;
use evirt_domain::Decide;

use super::answer::{Answer, Handled};
use super::representation::Doc;
use super::representation::check::unchanged;
use super::representation::description::TypeDef;
use super::representation::types::ACTION;
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

/// Removes something: 204 without a body as the guide shows it; with an `<action>` 200 and the action, 202 where it goes on.
pub async fn remove(call: &Call, command: impl Decide + 'static) -> Handled {
    let outcome = call.submit(command).await?;
    removed(call, &outcome)
}

/// The answer to a removal.
pub fn removed(call: &Call, outcome: &Outcome) -> Handled {
    let asynchronous = call.flag("async")?;
    if asynchronous {
        return Ok(Answer::empty(202));
    }
    if call.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Answer::empty(204));
    }
    let state = if jobs(outcome).next().is_some() { "pending" } else { "complete" };
    let doc = Doc::new().set_path("status.state", state);
    Ok(Answer::doc(if state == "pending" { 202 } else { 200 }, &ACTION, &doc, call.output))
}

/// Carries an action out that is complete once its command is durable. `extra` is what the answer holds beside what was sent.
pub async fn act(call: &Arc<Call>, sent: Doc, command: impl Decide + 'static, extra: impl FnOnce(Doc) -> Doc) -> Handled {
    grace(&sent).await;
    match call.submit(command).await {
        Ok(_) => Ok(Answer::doc(200, &ACTION, &extra(sent).set_path("status.state", "complete"), call.output)),
        Err(refused) => Err(refused.in_action(sent, call.output)),
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
    use evirt_domain::job::JobStatus;
    let last = call.target.segments.len() - 1;
    let id: evirt_domain::ids::JobId = call.id(last)?;
    let job = call.found(call.world.jobs.get(&id), last)?;
    let (state, failure) = match &job.status {
        JobStatus::Started => ("in_progress", None),
        JobStatus::Finished => ("complete", None),
        JobStatus::Failed(why) => ("failed", Some(why)),
    };
    let href = format!("{}/{}", call.base, call.target.segments.join("/"));
    let mut doc = Doc::new().set("id", id.to_string()).set("href", href).set_path("status.state", state);
    if let Some(why) = failure {
        doc = doc.set("fault", Doc::new().set("reason", "Asynchronous task failed").set("detail", why.as_str()));
    }
    Ok(Answer::doc(200, &super::representation::types::CREATION, &doc, call.output))
}
