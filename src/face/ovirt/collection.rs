//! What collections share: creating, changing, removing and acting, as the API answers them.

use std::sync::Arc;

use axum::http::header;
use evirt_domain::Intent;
use evirt_domain::ids::JobId;
use evirt_domain::job::JobStatus;
use evirt_domain::world::NameKind;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::representation::check::unchanged;
use super::representation::description::TypeDef;
use super::representation::place::collection;
use super::representation::types::ACTION;
use super::representation::{Doc, Fault, Place};
use super::request::ApiRequest;
use super::status::{standing, under_way};
use super::work::{gone, removed_after};
use crate::app::{Done, Refused};
use crate::engine::Outcome;

/// The answer to a create: 201 with where it is.
pub fn created(request: &ApiRequest, of: &'static TypeDef, doc: &Doc) -> Handled {
    let href = doc.text("href").unwrap_or_default().to_owned();
    Ok(Answer::doc(201, of, doc, request.output).with(header::LOCATION, &href))
}

/// The answer to a create that goes on after it: 202 with where to look, or after waiting 201.
pub async fn creating(
    request: &ApiRequest,
    of: &'static TypeDef,
    outcome: &Outcome,
    doc: impl Fn(&evirt_domain::World) -> Option<Doc>,
) -> Handled {
    if request.wants_to_wait() {
        let world = request.settle(outcome).await?;
        return created(request, of, &request.found(doc(&world), 0)?);
    }
    let doc = request.found(doc(&outcome.world), 0)?;
    match outcome.jobs().next() {
        Some(job) => Ok(begun(request, of, doc, job)),
        None => created(request, of, &doc),
    }
}

/// The answer to a create that goes on: where to see how it stands.
pub fn begun(request: &ApiRequest, of: &'static TypeDef, doc: Doc, job: JobId) -> Answer {
    let status = doc.href().map(|href| href.below(format_args!("creation_status/{job}")));
    let doc = doc.set_path("creation_status.state", "pending");
    let doc = status.into_iter().fold(doc, |doc, status| doc.link("creation_status", status));
    Answer::doc(202, of, &doc, request.output)
}

/// Refuses a body that changes what cannot change.
pub fn check_immutable(request: &ApiRequest, of: &'static TypeDef, current: &Doc, sent: &Doc) -> Result<(), Answer> {
    unchanged(of, current, sent).map_err(|fault| Answer::fault(409, &fault, request.output))
}

/// Refuses a body that says otherwise of what was settled when the resource was made: values, by their paths, that the resource has.
pub fn check_settled(request: &ApiRequest, current: &Doc, sent: &Doc, fields: &[&str]) -> Result<(), Answer> {
    let differs = |field: &&&str| sent.path(field).zip(current.path(field)).is_some_and(|(sent, current)| sent != current);
    match fields.iter().find(differs) {
        Some(field) => Err(Answer::fault(409, &Fault::immutable(field), request.output)),
        None => Ok(()),
    }
}

/// The same for what the resource belongs to, which the body may name by identifier or name.
pub fn check_owner(
    request: &ApiRequest,
    sent: &Doc,
    member: &str,
    kind: NameKind,
    class: &str,
    current: Uuid,
) -> Result<(), Answer> {
    match request.reference::<Uuid>(sent, member, kind, class)? {
        Some(same) if same == current => Ok(()),
        None if sent.doc(member).is_none() => Ok(()),
        // One that is emptied is another one, too.
        _ => Err(Answer::fault(409, &Fault::immutable(member), request.output)),
    }
}

/// Removes something, and what goes with it: see [`removed_after`].
pub fn remove(request: &ApiRequest, command: impl Into<Intent>) -> BoxFuture<'_, Handled> {
    let deciding = request.submit(command);
    Box::pin(async move { removed_after(request, &deciding.await?).await })
}

/// The answer to a removal that leaves no work.
pub fn removed(request: &ApiRequest, done: Result<Done, Refused>) -> Handled {
    request.refusing(done)?;
    Ok(gone(request))
}

/// Carries an action out that is complete once its command is durable; a client that asks for it is told where to see how the job
/// goes on that it opened.
pub fn act(request: &Arc<ApiRequest>, sent: Doc, command: impl Into<Intent>) -> BoxFuture<'_, Handled> {
    Box::pin(acted_upon(request, sent, command.into()))
}

async fn acted_upon(request: &Arc<ApiRequest>, sent: Doc, command: Intent) -> Handled {
    let outcome = match request.submit(command).await {
        Ok(outcome) => outcome,
        Err(refused) => return Err(refused.in_action(sent, request.output)),
    };
    match outcome.jobs().next() {
        Some(job) if request.goes_on(&sent)? => goes_on(request, sent, job),
        _ => complete(request, sent),
    }
}

/// Carries an action out that goes on after its command: 202 with where to look, unless the client says `<async>false</async>`; then
/// the answer waits, and tells by its state whether it came to something.
pub fn act_later(request: &Arc<ApiRequest>, sent: Doc, command: impl Into<Intent>) -> BoxFuture<'_, Handled> {
    Box::pin(acted_upon_later(request, sent, command.into()))
}

async fn acted_upon_later(request: &Arc<ApiRequest>, sent: Doc, command: Intent) -> Handled {
    let outcome = match request.submit(command).await {
        Ok(outcome) => outcome,
        Err(refused) => return Err(refused.in_action(sent, request.output)),
    };
    let Some(job) = outcome.jobs().next() else { return complete(request, sent) };
    if sent.bool("async") == Some(false) {
        let ended = request.engine().settle(job).await.unwrap_or(JobStatus::Finished);
        let sent = on_target(request.base, &request.target.segments, sent);
        return Ok(Answer::doc(200, &ACTION, &standing(sent, &ended, "Operation Failed"), request.output));
    }
    goes_on(request, sent, job)
}

/// The answer to an action that goes on after it: where to see how it stands.
pub fn goes_on(request: &ApiRequest, sent: Doc, job: JobId) -> Handled {
    Ok(Answer::doc(202, &ACTION, &under_way(request, sent, job).set_path("status.state", "pending"), request.output))
}

/// The answer to an action that is done.
pub fn complete(request: &ApiRequest, answer: Doc) -> Handled {
    let answer = on_target(request.base, &request.target.segments, answer).set_path("status.state", "complete");
    Ok(Answer::doc(200, &ACTION, &answer, request.output))
}

/// An action with a reference to what it was carried out on, in the member that is called like it, where an action has such a one.
pub fn on_target(base: &str, action: &[String], mut doc: Doc) -> Doc {
    let Some((_, target)) = action.split_last() else { return doc };
    let [.., name, _] = target else { return doc };
    let member = collection(name).map(|collection| collection.member);
    let Some(member) = member.filter(|member| ACTION.field(member).is_some()) else { return doc };
    doc.remove(member);
    doc.reference_to(member, &Place::at(base, target))
}
