//! `Idempotency-Key`: a creation that is sent again is answered with what the first one made.

use axum::http::{HeaderName, Method, header};
use evirt_domain::creation::{Idempotent, MAX_CREATION_KEY, Made, MadeKind};
use ring::digest::{Context, SHA256};

use super::answer::{Answer, Handled};
use super::collection::begun;
use super::representation::types::DISK;
use super::representation::{Fault, parse};
use super::request::{ApiRequest, Route};
use crate::app::Wait;
use crate::app::idempotent::{self, Repeated};

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
    let key = Idempotent { key: key.into(), digest: digest(request).into() };
    request.refusing(idempotent::check(&request.cx, key))
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
/// what it made as it is now. Other refusals stay as they are.
pub async fn answered_again(request: &ApiRequest, refused: Answer) -> Answer {
    match &refused.repeated {
        Some(repeated) => answered(request, repeated).await.unwrap_or_else(|failed| failed),
        None => refused,
    }
}

async fn answered(request: &ApiRequest, repeated: &Repeated) -> Handled {
    let wait = if request.wants_to_wait() { Wait::End } else { Wait::Decision };
    let again = request.refusing(repeated.again(&request.app, wait).await)?;
    let world = request.engine().world();
    let segments = [&request.target.segments[..], &[name(request, again.made)]].concat();
    let found = request.look_in(world, segments.clone(), request.output).await?;
    if let Some(job) = again.goes_on
        && let Ok(doc) = parse(&found.body, request.output, &DISK)
    {
        return Ok(begun(request, &DISK, doc, job));
    }
    // What was there before was only put where it is.
    Ok(match again.made.kind {
        MadeKind::AttachedDisk => Answer::bytes(200, found.body, request.output),
        _ => {
            let href = format!("{}/{}", request.base, segments.join("/"));
            Answer::bytes(201, found.body, request.output).with(header::LOCATION, &href)
        }
    })
}

/// What something is called in the collection that it was posted to. A user's and a group's roles go by the roles' identifiers, permits
/// and events by numbers.
fn name(request: &ApiRequest, made: Made) -> String {
    let world = request.engine().world();
    let role = || world.permissions.get(&made.id.into()).map(|permission| permission.role.to_string());
    match made.kind {
        MadeKind::Permit | MadeKind::Event => made.id.as_u128().to_string(),
        MadeKind::Permission if request.target.segments.last().is_some_and(|last| last == "roles") => role().unwrap_or_default(),
        _ => made.id.to_string(),
    }
}
