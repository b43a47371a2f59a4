//! Waiting for what upstream does before it answers: where a client may go on as soon as it has the answer.

use std::sync::Arc;

use evirt_domain::Intent;
use futures_util::future::BoxFuture;

use super::answer::{Answer, Handled};
use super::collection::{complete, goes_on};
use super::representation::Doc;
use super::representation::types::ACTION;
use super::request::ApiRequest;
use crate::app::{Done, Refused};
use crate::engine::Outcome;

/// Carries an action out and waits for the job that it opens, unless the client said that it would not: then 202 with where to look.
pub fn act_and_wait(request: &Arc<ApiRequest>, command: impl Into<Intent>) -> BoxFuture<'_, Handled> {
    let command = command.into();
    Box::pin(async move { carry_out(request, request.action()?, command).await })
}

/// As [`act_and_wait`], with the action that the answer repeats.
pub fn carry_out(request: &Arc<ApiRequest>, sent: Doc, command: impl Into<Intent>) -> BoxFuture<'_, Handled> {
    let command = command.into();
    Box::pin(async move {
        let done = request.app.carry_out(&request.cx, request.wait(&sent)?, command).await;
        acted(request, sent, done)
    })
}

/// The answer to an action: that it is complete, or where to see how its work goes on.
pub fn acted(request: &ApiRequest, sent: Doc, done: Result<Done, Refused>) -> Handled {
    match request.refusing(done)?.goes_on {
        Some(job) => goes_on(request, sent, job),
        None => complete(request, sent),
    }
}

/// The answer to a removal, after the job that it opened: 204 without a body as the guide shows it, with an `<action>` 200 and the action;
/// 202 at once where the client does not want to wait.
pub async fn removed_after(request: &ApiRequest, outcome: &Outcome) -> Handled {
    if request.goes_on(&request.sent_action())? {
        return Ok(Answer::empty(202));
    }
    request.settle(outcome).await?;
    Ok(gone(request))
}

/// The answer to a removal that is done.
pub fn gone(request: &ApiRequest) -> Answer {
    match request.body.iter().all(u8::is_ascii_whitespace) {
        true => Answer::empty(204),
        false => Answer::doc(200, &ACTION, &Doc::new().set_path("status.state", "complete"), request.output),
    }
}
