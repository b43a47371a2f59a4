//! The RHEV-M/oVirt REST API, version 3.
//!
//! `request` takes a request apart, `route` finds its handler in the collections' tables, `answer` says what came of it. A collection
//! module holds how its resources look (`view`), what a body asks for, its handlers and its routes.

pub mod answer;
mod cache;
mod capabilities;
mod clusters;
mod collection;
mod datacenters;
mod disks;
mod entry;
mod events;
mod hosts;
mod jobs;
mod networks;
mod parts;
mod permissions;
mod probe;
pub mod representation;
pub mod request;
mod roles;
pub mod route;
mod rsdl;
mod schema;
mod storagedomains;
mod tags;
mod templates;
mod users;
mod vm_disks;
mod vm_nics;
mod vms;
mod vnicprofiles;
mod work;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, Request, Response, header, request::Parts};

use self::answer::Answer;
use self::representation::{Fault, Format};
use self::request::{Call, Target};
use self::route::Route;
use super::http::{App, Transport, Unauthorized, authenticate_request};

/// The routes of every collection.
const COLLECTIONS: &[&[Route]] = &[
    capabilities::ROUTES,
    clusters::ROUTES,
    datacenters::ROUTES,
    disks::ROUTES,
    entry::ROUTES,
    events::ROUTES,
    hosts::ROUTES,
    jobs::ROUTES,
    networks::ROUTES,
    permissions::ROUTES,
    roles::ROUTES,
    storagedomains::ROUTES,
    tags::ROUTES,
    templates::ROUTES,
    users::ROUTES,
    vm_disks::ROUTES,
    vm_nics::ROUTES,
    vms::ROUTES,
    vnicprofiles::ROUTES,
];

/// The API under both its bases. Paths carry matrix parameters, so one handler takes them apart and finds the route itself.
pub fn router(app: App) -> Router {
    Router::new().fallback(serve).with_state(app)
}

async fn serve(State(app): State<App>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    // The server's front has read the body within its limits already.
    let body = match axum::body::to_bytes(body, super::http::MAX_BODY).await {
        Ok(body) => body,
        Err(_) => return Answer::fault(413, &Fault::failed("The body is too large"), Format::Xml).into_response(),
    };
    let head = parts.method == Method::HEAD;
    let mut response = answer(app, parts, body).await;
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn answer(app: App, parts: Parts, body: Bytes) -> Response<Body> {
    let output = accepted(&parts);
    let format = output.unwrap_or(Format::Xml);
    let Some((base, target)) = Target::parse(parts.uri.path(), parts.uri.query()) else {
        return Answer::fault(404, &Fault::failed("There is nothing at this path"), format).into_response();
    };
    let (caller, effect) = match authenticate_request(&app, &parts.headers).await {
        Ok(known) => known,
        Err(Unauthorized::Credentials) => {
            return Answer::empty(401).with(header::WWW_AUTHENTICATE, "Basic realm=\"ENGINE\"").into_response();
        }
        Err(Unauthorized::NoPermission) => {
            let fault = Fault::failed("User is not authorized to perform this action.");
            return Answer::fault(403, &fault, format).into_response();
        }
        Err(Unauthorized::Unavailable(why)) => return Answer::fault(503, &Fault::failed(why), format).into_response(),
    };
    let correlation_id = caller.correlation_id.clone();
    let answer = match (route::find(&target.segments), output) {
        (None, _) => Answer::fault(404, &Fault::failed("There is nothing at this path"), format),
        (Some(route), _) if parts.method == Method::OPTIONS => Answer::empty(200).with(header::ALLOW, &route.allow()),
        (Some(_), None) => {
            let detail = "None of the accepted formats can be sent; application/xml and application/json can";
            Answer::fault(406, &Fault::failed(detail), format)
        }
        (Some(route), Some(output)) => match route.handler(&parts.method) {
            None => {
                let detail = format!("{} is not allowed here", parts.method);
                Answer::fault(405, &Fault::failed(detail), format).with(header::ALLOW, &route.allow())
            }
            Some(handler) => {
                let world = app.engine.world();
                let (method, headers) = (parts.method, parts.headers);
                let call = Call { app, caller, method, base, target, headers, body, output, world };
                handler(Arc::new(call)).await.unwrap_or_else(|failed| failed)
            }
        },
    };
    let mut response = answer.with(super::http::CORRELATION_ID, &correlation_id).into_response();
    let secure = parts.extensions.get::<Transport>().is_some_and(|transport| transport.secure);
    effect.write(base, secure, response.headers_mut());
    response
}

/// The format that the client accepts: XML where it does not care; none where it takes neither.
fn accepted(parts: &Parts) -> Option<Format> {
    let mut any = false;
    for value in parts.headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()) {
        for part in value.split(',') {
            any = true;
            match part.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
                "application/xml" | "text/xml" | "*/*" | "application/*" | "text/*" | "" => return Some(Format::Xml),
                "application/json" => return Some(Format::Json),
                _ => {}
            }
        }
    }
    (!any).then_some(Format::Xml)
}
