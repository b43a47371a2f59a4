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
use super::request::ApiRequest;
use super::route::Route;
use crate::log::{EventLog, Record};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// Answers a creation that was carried out before; else makes its key a condition of the decision.
pub async fn check(request: &ApiRequest, route: &Route) -> Result<(), Answer> {
    let Some(key) = request.headers.get(HEADER).filter(|_| request.method == Method::POST && !route.is_action()) else {
        return Ok(());
    };
    let key = key.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > MAX_CREATION_KEY {
        let detail = format!("Idempotency-Key has to be of 1 to {MAX_CREATION_KEY} printable characters");
        return Err(request.bad(&Fault::failed(detail)));
    }
    let digest = digest(request);
    let now = chrono::Utc::now().timestamp_micros();
    if let Some(earlier) = request.world.creations.find(request.caller.user, key, now) {
        if *earlier.digest != *digest {
            return Err(Answer::refusal(&Rejection::new(Key::CreationKeyReused).with("key", key), request.output));
        }
        return Err(again(request, key).await);
    }
    request.conditions.add(|condition| condition.key = Some((key.into(), digest.into())));
    Ok(())
}

/// What makes a request the same: where it goes and what it says.
fn digest(request: &ApiRequest) -> String {
    let mut context = Context::new(&SHA256);
    for segment in &request.target.segments {
        context.update(segment.as_bytes());
        context.update(b"/");
    }
    context.update(&request.body);
    hex::encode(&context.finish().as_ref()[..16])
}

/// The answer to a creation that was carried out before, or while this one waited for its decision: as the first one was answered, with
/// what it made as it is now.
pub async fn again(request: &ApiRequest, key: &str) -> Answer {
    answered(request, key).await.unwrap_or_else(|failed| failed)
}

async fn answered(request: &ApiRequest, key: &str) -> Handled {
    let events = events(request, find(request, &request.engine().world(), key)?).await?;
    let mut goes_on = None;
    for opened in events.iter().filter_map(opened) {
        match opened.task {
            // A host is there while it is being installed, and also where that fails.
            Task::InstallHost { .. } => {}
            Task::CreateDisk { .. } if !request.wants_to_wait() && request.engine().world().open_jobs.contains(&opened.job) => {
                goes_on = Some(opened.job);
            }
            _ => {
                let ended = request.engine().settle(opened.job).await;
                let forgotten = || find(request, &request.engine().world(), key).ok()?.failure.map(|why| why.to_string());
                let why = match ended {
                    Some(JobStatus::Failed(why)) => Some(why),
                    Some(_) => None,
                    None => forgotten(),
                };
                if let Some(why) = why {
                    return Err(request.bad(&Fault::operation_failed([why])));
                }
            }
        }
    }
    let (href, found) = made(request, &events).await?;
    if let Some(job) = goes_on
        && let Ok(doc) = parse(&found.body, request.output, &DISK)
    {
        return Ok(begun(request, &DISK, doc, job));
    }
    // What was there before was only put where it is.
    let attached = matches!(events.first(), Some((_, Event::DiskAttached(_))));
    Ok(match attached {
        true => Answer::bytes(200, found.body, request.output),
        false => Answer::bytes(201, found.body, request.output).with(header::LOCATION, &href),
    })
}

/// What was created under a key, in a World.
fn find(request: &ApiRequest, world: &World, key: &str) -> Result<Creation, Answer> {
    let creation = world.creations.find(request.caller.user, key, chrono::Utc::now().timestamp_micros());
    creation.cloned().ok_or_else(|| Answer::refusal(&Rejection::new(Key::CreationRepeated).with("key", key), request.output))
}

/// The events of a creation, with their positions.
async fn events(request: &ApiRequest, creation: Creation) -> Result<Vec<(u64, Event)>, Answer> {
    let count = usize::try_from(creation.keyed.saturating_sub(creation.first)).unwrap_or(0);
    let records = request.engine().log().read(creation.first.saturating_sub(1), count).await;
    let records = records.map_err(|error| Answer::fault(503, &Fault::failed(error.to_string()), request.output))?;
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
async fn made(request: &ApiRequest, events: &[(u64, Event)]) -> Result<(String, Answer), Answer> {
    let world = request.engine().world();
    for name in events.iter().flat_map(names) {
        let segments = [&request.target.segments[..], std::slice::from_ref(&name)].concat();
        if let Ok(found) = request.look_in(world.clone(), segments.clone(), request.output).await {
            return Ok((format!("{}/{}", request.base, segments.join("/")), found));
        }
    }
    Err(request.missing("what the request with this Idempotency-Key created is not there any more"))
}

/// What an event may request something that was created: by the identifiers that stand in it, a permit by its number, and an entry of the
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
