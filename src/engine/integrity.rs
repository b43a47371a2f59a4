//! Looks again and again, beside the work and at a low pace, whether what is kept is what was written. What is found is told, once; a damaged
//! audit log is computed anew at once, and a damaged event log waits for an operator.

use std::time::Duration;

use evirt_domain::service::{DamageFound, Kept, TellOfService};

use super::rebuild::{Computed, Rebuild};
use super::{Engine, Request};
use crate::audit::{AuditBatch, AuditLog};
use crate::log::EventLog;
use crate::log::verify::verify_slowly;

/// How long it rests after each few thousand records while it looks for the first time after a start: most of a core is left to others, and a
/// log of a million events is known to be sound within a minute.
const FIRST_REST: Duration = Duration::from_millis(40);

/// The same afterwards.
const LATER_REST: Duration = Duration::from_secs(1);

/// How long it waits after it has looked through all.
const VERIFY_EVERY: Duration = Duration::from_secs(60 * 60);

/// How long it waits after the audit log could not be computed anew.
const REPAIR_AGAIN: Duration = Duration::from_secs(10);

/// What is known of the files.
#[derive(Clone, Debug, Default)]
pub struct Integrity {
    /// Up to which position the event log was in order when it was looked at last.
    pub verified: u64,
    /// How often it was looked through.
    pub passes: u64,
    /// What is wrong with the event log.
    pub log: Option<String>,
    /// What is wrong with the audit log, for as long as it is being computed anew.
    pub audit: Option<String>,
}

/// Looks for as long as it is awaited.
pub async fn verify_again_and_again(engine: Engine) {
    let mut rest = FIRST_REST;
    loop {
        // Whoever comes upon damage in the audit log does not wait until all was looked through.
        let problem = tokio::select! {
            biased;
            () = engine.audit().until_damaged() => Some("whoever reads or writes it comes upon damage".to_owned()),
            problem = look(&engine, rest) => {
                engine.note(|integrity| integrity.passes += 1);
                rest = LATER_REST;
                problem
            }
        };
        let wait = match problem {
            None => VERIFY_EVERY,
            Some(problem) if repair_audit(&engine, &problem).await => continue,
            Some(_) => REPAIR_AGAIN,
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = engine.audit().until_damaged(), if wait == VERIFY_EVERY => {}
        }
    }
}

/// Looks through all. What is wrong with the audit log, which can be helped.
async fn look(engine: &Engine, rest: Duration) -> Option<String> {
    look_at_log(engine, rest).await;
    let looked = engine.audit().verify(rest).await;
    looked.inspect_err(|error| tracing::warn!(%error, "the audit log could not be verified")).ok().flatten()
}

async fn look_at_log(engine: &Engine, rest: Duration) {
    let noting = engine.clone();
    let looked = verify_slowly(&**engine.log(), rest, &mut |sound, _| noting.note(|integrity| integrity.verified = sound)).await;
    let found = match looked {
        Ok(verification) => {
            engine.note(|integrity| integrity.verified = verification.sound);
            verification.finding.map(|finding| format!("position {}: {}", finding.position, finding.problem))
        }
        // A log that cannot be reached at all is told of by those who need it.
        Err(error) => return tracing::warn!(%error, "the event log could not be verified"),
    };
    let before = engine.integrity().log.clone();
    engine.note(|integrity| integrity.log.clone_from(&found));
    if let (Some(problem), true) = (&found, before != found) {
        tracing::error!(problem, "the event log is damaged: `evirt events repair` says what can be saved");
        tell(engine, Kept::EventLog, problem).await;
    }
}

/// Computes the audit log anew while the engine serves; false where that failed.
async fn repair_audit(engine: &Engine, problem: &str) -> bool {
    tracing::error!(problem, "the audit log is damaged and is computed anew");
    engine.note(|integrity| integrity.audit = Some(problem.to_owned()));
    let computed = recompute(&**engine.log(), engine.audit()).await;
    match &computed {
        Ok(position) => {
            tracing::info!(position, "the audit log was computed anew");
            engine.note(|integrity| integrity.audit = None);
            tell(engine, Kept::AuditLog, problem).await;
        }
        Err(error) => tracing::error!(error = format!("{error:#}"), "the audit log could not be computed anew"),
    }
    computed.is_ok()
}

/// Computes the audit log from position 1 into another file, which takes the place of the present one. Up to which position.
///
/// # Errors
///
/// The event log cannot be read, or the new file cannot be written.
async fn recompute(log: &dyn EventLog, audit: &AuditLog) -> anyhow::Result<u64> {
    let mut rebuild = Rebuild::default();
    let mut replacement = audit.replacement().await?;
    loop {
        let head = log.head().await?.position;
        while let Some(Computed { entries, former }) = rebuild.advance(log, head).await? {
            let entries = entries.into_iter().filter(|computed| !computed.left_out).map(|computed| computed.entry).collect();
            replacement.append(AuditBatch { entries, former }, rebuild.world().position).await?;
        }
        let position = replacement.position();
        match replacement.take_place().await? {
            None => return Ok(position),
            Some(behind) => replacement = behind,
        }
    }
}

async fn tell(engine: &Engine, kept: Kept, problem: &str) {
    let damage = TellOfService::Damage(DamageFound { kept, problem: problem.to_owned() });
    if let Err(error) = engine.submit(&Request::system("integrity"), damage).await {
        tracing::warn!(?error, "the damage could not be recorded");
    }
}
