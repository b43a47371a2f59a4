//! `Idempotency-Key`: a creation that is sent again is answered with what the first one made.

use axum::http::{HeaderName, Method, header};
use evirt_domain::creation::{Creation, MAX_CREATION_KEY};
use evirt_domain::job::{JobOpened, JobStatus, Task};
use evirt_domain::{Event, Key, Rejection, World};
use ring::digest::{Context, SHA256};
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::collection::begun;
use super::representation::types::DISK;
use super::representation::{Fault, parse};
use super::request::Call;
use super::route::Route;
use crate::log::{EventLog, Record};

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
        return Err(again(call, key).await);
    }
    call.conditions.add(|condition| condition.key = Some((key.into(), digest.into())));
    Ok(())
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

/// The answer to a creation that was carried out before, or while this one waited for its decision: as the first one was answered, with
/// what it made as it is now.
pub async fn again(call: &Call, key: &str) -> Answer {
    answered(call, key).await.unwrap_or_else(|failed| failed)
}

async fn answered(call: &Call, key: &str) -> Handled {
    let events = events(call, find(call, &call.engine().world(), key)?).await?;
    let mut goes_on = None;
    for opened in events.iter().filter_map(opened) {
        match opened.task {
            // A host is there while it is being installed, and also where that fails.
            Task::InstallHost { .. } => {}
            Task::CreateDisk { .. } if !call.wants_to_wait() && call.engine().world().open_jobs.contains(&opened.job) => {
                goes_on = Some(opened.job);
            }
            _ => {
                let ended = call.engine().settle(opened.job).await;
                let forgotten = || find(call, &call.engine().world(), key).ok()?.failure.map(|why| why.to_string());
                let why = match ended {
                    Some(JobStatus::Failed(why)) => Some(why),
                    Some(_) => None,
                    None => forgotten(),
                };
                if let Some(why) = why {
                    return Err(call.bad(&Fault::operation_failed([why])));
                }
            }
        }
    }
    let (href, found) = made(call, &events).await?;
    if let Some(job) = goes_on
        && let Ok(doc) = parse(&found.body, call.output, &DISK)
    {
        return Ok(begun(call, &DISK, doc, job));
    }
    // What was there before was only put where it is.
    let attached = matches!(events.first(), Some((_, Event::DiskAttached(_))));
    Ok(match attached {
        true => Answer::bytes(200, found.body, call.output),
        false => Answer::bytes(201, found.body, call.output).with(header::LOCATION, &href),
    })
}

/// What was created under a key, in a World.
fn find(call: &Call, world: &World, key: &str) -> Result<Creation, Answer> {
    let creation = world.creations.find(call.caller.user, key, chrono::Utc::now().timestamp_micros());
    creation.cloned().ok_or_else(|| Answer::refusal(&Rejection::new(Key::CreationRepeated).with("key", key), call.output))
}

/// The events of a creation, with their positions.
async fn events(call: &Call, creation: Creation) -> Result<Vec<(u64, Event)>, Answer> {
    let count = usize::try_from(creation.keyed.saturating_sub(creation.first)).unwrap_or(0);
    let records = call.engine().log().read(creation.first.saturating_sub(1), count).await;
    let records = records.map_err(|error| Answer::fault(503, &Fault::failed(error.to_string()), call.output))?;
    let decoded = |record: &Record| Some((record.position, Event::decode(&record.kind, &record.payload).ok()?));
    Ok(records.iter().filter_map(decoded).collect())
}

fn opened((_, event): &(u64, Event)) -> Option<&JobOpened> {
    match event {
        Event::JobOpened(opened) => Some(opened),
        _ => None,
    }
}

/// What a creation made, as it is now, and where: the first of the names in its events that answers in the collection.
async fn made(call: &Call, events: &[(u64, Event)]) -> Result<(String, Answer), Answer> {
    let world = call.engine().world();
    for name in events.iter().flat_map(names) {
        let segments = [&call.target.segments[..], std::slice::from_ref(&name)].concat();
        if let Ok(found) = call.look_in(world.clone(), segments.clone(), call.output).await {
            return Ok((format!("{}/{}", call.base, segments.join("/")), found));
        }
    }
    Err(call.missing("what the request with this Idempotency-Key created is not there any more"))
}

/// What an event may call something that was created: by the identifiers that stand in it, a permit by its number, and an entry of the
/// audit log by the position of its event.
fn names((position, event): &(u64, Event)) -> Vec<String> {
    match event {
        Event::RolePermitAdded(added) => vec![added.permit.id().to_string()],
        Event::ExternalEventReported(_) => vec![position.to_string()],
        event => identifiers(&event.payload()).collect(),
    }
}

/// The identifiers in an event, in the order in which they stand there.
fn identifiers(payload: &str) -> impl Iterator<Item = String> + '_ {
    payload.split('"').filter(|text| text.len() == 36 && Uuid::parse_str(text).is_ok()).map(str::to_owned)
}
