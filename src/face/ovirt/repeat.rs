//! `Idempotency-Key`: a creation that is sent again is answered with what the first one made.

use axum::http::{HeaderName, Method, header};
use evirt_domain::creation::{Creation, MAX_CREATION_KEY};
use evirt_domain::{Event, Key, Rejection};
use ring::digest::{Context, SHA256};
use uuid::Uuid;

use super::answer::Answer;
use super::representation::Fault;
use super::request::Call;
use super::route::Route;
use crate::log::EventLog;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// Answers a creation that was carried out before; else makes its key a condition of the decision.
pub async fn check(call: &Call, route: &Route) -> Result<(), Answer> {
    let Some(key) = call.headers.get(HEADER).filter(|_| call.method == Method::POST && !route.is_action()) else { return Ok(()) };
    let key = key.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > MAX_CREATION_KEY {
        let detail = format!("Idempotency-Key has to be of 1 to {MAX_CREATION_KEY} printable characters");
        return Err(call.bad(&Fault::failed(detail)));
    }
    let digest = digest(call);
    let now = chrono::Utc::now().timestamp_micros();
    if let Some(earlier) = call.world.creations.find(call.caller.user, key, now) {
        if *earlier.digest != *digest {
            return Err(Answer::refusal(&Rejection::new(Key::CreationKeyReused).with("key", key), call.output));
        }
        return Err(made(call, earlier).await);
    }
    call.conditions.add(|condition| condition.key = Some((key.into(), digest.into())));
    Ok(())
}

/// The answer to a creation whose key was taken while it waited for its decision.
pub async fn overtaken(call: &Call, key: &str) -> Answer {
    let world = call.engine().world();
    match world.creations.find(call.caller.user, key, chrono::Utc::now().timestamp_micros()) {
        Some(earlier) => made(call, earlier).await,
        None => Answer::refusal(&Rejection::new(Key::CreationRepeated).with("key", key), call.output),
    }
}

/// What makes a request the same: where it goes and what it says.
fn digest(call: &Call) -> String {
    let mut context = Context::new(&SHA256);
    for segment in &call.target.segments {
        context.update(segment.as_bytes());
        context.update(b"/");
    }
    context.update(&call.body);
    hex::encode(&context.finish().as_ref()[..16])
}

/// What an earlier creation made, as it is now. Its identifier is the first of its events' that answers in the collection.
async fn made(call: &Call, creation: &Creation) -> Answer {
    let count = creation.keyed.saturating_sub(creation.first);
    let records = match call.engine().log().read(creation.first.saturating_sub(1), usize::try_from(count).unwrap_or(0)).await {
        Ok(records) => records,
        Err(error) => return Answer::fault(503, &Fault::failed(error.to_string()), call.output),
    };
    let world = call.engine().world();
    let mut names: Vec<String> = records.iter().flat_map(|record| identifiers(&record.payload)).collect();
    // Entries of the audit log are named by the positions of their events.
    names.push(creation.first.to_string());
    for name in names {
        let segments = [&call.target.segments[..], std::slice::from_ref(&name)].concat();
        if let Ok(found) = call.look_in(world.clone(), segments.clone(), call.output).await {
            let works = records.iter().any(|record| match Event::decode(&record.kind, &record.payload) {
                Ok(Event::JobOpened(opened)) => world.open_jobs.contains(&opened.job),
                _ => false,
            });
            let href = format!("{}/{}", call.base, segments.join("/"));
            return Answer::bytes(if works { 202 } else { 201 }, found.body, call.output).with(header::LOCATION, &href);
        }
    }
    call.missing("what the request with this Idempotency-Key created is not there any more")
}

/// The identifiers in an event, in the order in which they stand there.
fn identifiers(payload: &str) -> impl Iterator<Item = String> + '_ {
    payload.split('"').filter(|text| text.len() == 36 && Uuid::parse_str(text).is_ok()).map(str::to_owned)
}
