//! Waiting for what upstream does before it answers: where a client may go on as soon as it has the answer.

use std::sync::Arc;

use evirt_domain::Decide;

use super::answer::{Answer, Handled};
use super::collection::{complete, goes_on, grace};
use super::representation::Doc;
use super::representation::types::ACTION;
use super::request::{Call, jobs};
use crate::engine::Outcome;

/// Carries an action out and waits for the job that it opens, unless the client said that it would not: then 202 with where to look.
pub async fn act_and_wait(call: &Arc<Call>, command: impl Decide + 'static) -> Handled {
    carry_out(call, call.action()?, command).await
}

/// As [`act_and_wait`], with the action that the answer repeats.
pub async fn carry_out(call: &Arc<Call>, sent: Doc, command: impl Decide + 'static) -> Handled {
    grace(&sent).await;
    let outcome = call.submit(command).await?;
    if call.goes_on(&sent)?
        && let Some(job) = jobs(&outcome).next()
    {
        return goes_on(call, sent, job);
    }
    call.settle(&outcome).await?;
    complete(call, sent)
}

/// The answer to a removal, after the job that it opened: 204 without a body as the guide shows it, with an `<action>` 200 and the action;
/// 202 at once where the client does not want to wait.
pub async fn removed_after(call: &Call, outcome: &Outcome) -> Handled {
    if call.goes_on(&call.sent_action())? {
        return Ok(Answer::empty(202));
    }
    call.settle(outcome).await?;
    if call.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Answer::empty(204));
    }
    Ok(Answer::doc(200, &ACTION, &Doc::new().set_path("status.state", "complete"), call.output))
}
