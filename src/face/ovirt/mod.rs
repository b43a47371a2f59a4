//! The RHEV-M/oVirt REST API, version 3.
//!
//! `request` takes a request apart, `route` finds its handler in the collections' tables, `answer` says what came of it. A collection
//! module holds how its resources look (`view`), what a body asks for, its handlers and its routes.

pub mod answer;
mod cache;
mod capabilities;
mod clusters;
mod collection;
mod condition;
mod datacenters;
mod details;
mod disks;
mod domains;
mod entry;
mod events;
mod groups;
mod host_nics;
mod hosts;
mod images;
mod jobs;
mod networks;
mod parts;
mod permissions;
mod quotas;
mod repeat;
pub mod representation;
pub mod request;
mod roles;
pub mod route;
mod rsdl;
mod schema;
mod status;
mod storageconnections;
mod storagedomains;
mod tags;
mod templates;
mod users;
mod visible;
mod vm_disks;
mod vm_guest;
mod vm_nics;
mod vms;
mod vnicprofiles;
mod work;

use std::sync::{Arc, LazyLock};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header, request::Parts};
use evirt_projections::search::Entity;

use self::answer::{Answer, Handled};
use self::cache::RenderCache;
use self::representation::{Fault, Format, TypeDef, types};
use self::request::{ApiRequest, Handler, Target, Unreadable, base_of, named};
use self::route::Route;
use crate::app::event_matches::{self, EventMatches};
use crate::app::{App, OpContext};
use crate::face::http::{
    Answering, Face, MAX_CORRELATION_ID, Transport, Unauthorized, authenticate_request, correlation_id_fits,
};

/// The routes of every collection.
const COLLECTIONS: &[&[Route]] = &[
    capabilities::ROUTES,
    clusters::ROUTES,
    datacenters::ROUTES,
    disks::ROUTES,
    domains::ROUTES,
    entry::ROUTES,
    events::ROUTES,
    groups::ROUTES,
    hosts::ROUTES,
    host_nics::ROUTES,
    images::ROUTES,
    jobs::ROUTES,
    networks::ROUTES,
    permissions::ROUTES,
    quotas::ROUTES,
    roles::ROUTES,
    storageconnections::ROUTES,
    storagedomains::ROUTES,
    tags::ROUTES,
    templates::ROUTES,
    users::ROUTES,
    vm_disks::ROUTES,
    vm_guest::ROUTES,
    vm_nics::ROUTES,
    vms::ROUTES,
    vnicprofiles::ROUTES,
];

/// The API under both its bases. Paths carry matrix parameters, so it takes them apart and finds the route itself.
#[derive(Debug)]
pub struct Api {
    app: App,
    cache: Arc<RenderCache>,
}

impl Api {
    /// The API of an engine.
    pub fn new(app: App) -> Self {
        Self { app, cache: Arc::default() }
    }
}

impl Face for Api {
    fn has(&self, path: &str) -> bool {
        base_of(path).is_some()
    }

    fn answer(&self, request: Request<Bytes>, transport: Transport) -> Answering {
        Box::pin(serve(self.app.clone(), self.cache.clone(), request, transport))
    }
}

async fn serve(app: App, cache: Arc<RenderCache>, request: Request<Bytes>, transport: Transport) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let head = parts.method == Method::HEAD;
    let mut response = answer(app, cache, parts, body, transport).await;
    if head && response.status() != StatusCode::NOT_MODIFIED {
        // The length is that of the body which GET would have.
        let length = HttpBody::size_hint(response.body()).exact().unwrap_or_default();
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        *response.body_mut() = Body::empty();
    }
    response
}

async fn answer(app: App, cache: Arc<RenderCache>, parts: Parts, body: Bytes, Transport { secure }: Transport) -> Response<Body> {
    let output = accepted(&parts.headers);
    let format = output.unwrap_or(Format::Xml);
    let (base, target) = match Target::parse(parts.uri.path(), parts.uri.query()) {
        Ok(read) => read,
        Err(Unreadable::Path) => {
            return Answer::fault(404, &Fault::failed("There is nothing at this path"), format).into_response();
        }
        Err(Unreadable::Parameter(name)) => {
            let detail = format!("The parameter {name} is not percent-encoded UTF-8");
            return Answer::fault(400, &Fault::failed(detail), format).into_response();
        }
    };
    let (caller, effect) = match authenticate_request(&app, &parts.headers).await {
        Ok(known) => known,
        // Who may not log in is told no more than who has the wrong password.
        Err(Unauthorized::Credentials | Unauthorized::NoPermission) => {
            return Answer::empty(401).with(header::WWW_AUTHENTICATE, "Basic realm=\"ENGINE\"").into_response();
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
                let (method, headers) = (parts.method, parts.headers);
                let cx = OpContext::new(caller.user, caller.correlation_id, caller.filter, app.engine.world());
                let request = ApiRequest { app, cx, method, base, secure, target, headers, body, output, cache };
                // In a room of its own: within others it would be moved about with them.
                Box::pin(prepared(request, route, handler)).await.unwrap_or_else(|failed| failed)
            }
        },
    };
    let mut response = answer.with(super::http::CORRELATION_ID, &correlation_id).into_response();
    effect.write(base, secure, response.headers_mut());
    response
}

/// The version of the API that a client wants.
const VERSION: HeaderName = HeaderName::from_static("version");

/// What may come with a deletion: an action, or what clients send of the resource itself.
static DELETIONS: LazyLock<Vec<&'static TypeDef>> =
    LazyLock::new(|| std::iter::once(&types::ACTION).chain(types::all().iter().copied()).collect());

/// Completes a request by what has to be known before its handler is asked, and has it carried out. A change goes on to its end also
/// when its client hangs up.
async fn prepared(mut request: ApiRequest, route: &'static Route, handler: Handler) -> Handled {
    if request.is_read() {
        request.cx.events = event_matches(&request).await?.map(Arc::new);
        let request = Arc::new(request);
        return visible::for_caller(&request.clone(), carry_out(request, route, handler)).await;
    }
    match request.external_step() {
        Ok(step) => request.cx.conditions.lead(step),
        Err(refused) => return Err(within(&request, route, refused)),
    }
    let request = Arc::new(request);
    let changing = async move { visible::for_caller(&request.clone(), carry_out(request, route, handler)).await };
    tokio::spawn(changing).await.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()))
}

/// A refusal as it is answered: that of an action stands within the action.
fn within(request: &ApiRequest, route: &Route, refused: Answer) -> Answer {
    if route.is_action() { refused.in_action(request.sent_action(), request.output) } else { refused }
}

/// What the audit log tells that the request's search refers to, in the collections whose searches may.
async fn event_matches(request: &ApiRequest) -> Result<Option<EventMatches>, Answer> {
    let refers = request.parameter("search").is_some_and(|search| search.to_lowercase().contains("event"));
    if !refers || request.target.segments.len() != 1 || !request.visible().is_everything() {
        return Ok(None);
    }
    let entity = match request.segment(0) {
        "vms" => Entity::Vm,
        "hosts" => Entity::Host,
        "templates" => Entity::Template,
        "users" => Entity::User,
        _ => return Ok(None),
    };
    // What is wrong with the search is told by the handler that lists.
    let Ok(plan) = request.plan_for(entity) else { return Ok(None) };
    request.refusing(event_matches::of(&request.app, &request.cx, entity, &plan).await)
}

/// Asks a handler, on the conditions that the request names. What an action is refused with stands within the action.
async fn carry_out(request: Arc<ApiRequest>, route: &'static Route, handler: Handler) -> Handled {
    if let Err(refused) = permitted(&request, route) {
        return Err(within(&request, route, refused));
    }
    if request.is_read() {
        return Ok(condition::tagged(&request, route, handler(request.clone()).await?));
    }
    Box::pin(change(request, route, handler)).await
}

/// Asks the handler of a change.
async fn change(request: Arc<ApiRequest>, route: &'static Route, handler: Handler) -> Handled {
    if request.method == Method::DELETE {
        // What comes with a deletion is an action, or the like; a malformed one is refused even where nothing of it is read.
        request.optional_body(&DELETIONS)?;
    }
    let changed = async {
        condition::check(&request, route).await?;
        repeat::check(&request, route).await?;
        handler(request.clone()).await
    };
    let tagged = async {
        let answer = changed.await?;
        let is_put = request.method == Method::PUT;
        Handled::Ok(if is_put { condition::tagged_change(&request, route, answer).await } else { answer })
    };
    match tagged.await {
        Err(refused) => Err(within(&request, route, refused)),
        answer => answer,
    }
}

/// What can be refused of any request before its handler sees it: touching what is hidden, and parameters that make no sense, which
/// must not be found out after a command was carried out.
fn permitted(request: &ApiRequest, route: &Route) -> Result<(), Answer> {
    if let Some(version) = request.headers.get(VERSION).filter(|version| !version.as_bytes().is_empty())
        && version.as_bytes().split(|byte| *byte == b'.').next() != Some(b"3")
    {
        let version = String::from_utf8_lossy(version.as_bytes());
        return Err(request.bad(&Fault::failed(format!("Version {version} is not served; this is version 3"))));
    }
    if !request.is_read() && !correlation_id_fits(&request.headers) {
        let detail = format!("Correlation-Id has to be of 1 to {MAX_CORRELATION_ID} letters, digits, hyphens and underscores");
        return Err(request.bad(&Fault::failed(detail)));
    }
    request.flag("async")?;
    visible::check(request, request.is_read())?;
    request.refusing(request.cx.may(route.least(&request.method)))
}

/// The format that the client accepts most: XML where it does not care, none where it takes neither.
fn accepted(headers: &HeaderMap) -> Option<Format> {
    let mut values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if values.peek().is_none() {
        return Some(Format::Xml);
    }
    let mut best = None;
    for range in values.flat_map(|value| value.split(',')) {
        let mut pieces = range.split(';').map(str::trim);
        let format = match pieces.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/xml" | "text/xml" | "*/*" | "application/*" | "text/*" | "" => Format::Xml,
            "application/json" => Format::Json,
            _ => continue,
        };
        let quality = pieces.find_map(|piece| named(piece, "q")).and_then(|q| q.parse().ok()).unwrap_or(1.0_f32);
        if quality > best.map_or(0.0, |(least, _)| least) {
            best = Some((quality, format));
        }
    }
    best.map(|(_, format)| format)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_format_is_what_the_client_likes_most() {
        let choose = |accept: &'static str| accepted(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]));
        assert_eq!(accepted(&HeaderMap::new()), Some(Format::Xml));
        for xml in ["application/xml", "*/*", "text/html, application/xml;q=0.9, */*;q=0.8", "application/xml; detail=disks+nics"]
        {
            assert_eq!(choose(xml), Some(Format::Xml), "{xml}");
        }
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/xml; Q = 0.5, application/json"] {
            assert_eq!(choose(json), Some(Format::Json), "{json}");
        }
        assert_eq!(choose("text/html"), None);
        assert_eq!(choose("application/json;q=0"), None);
    }

    #[test]
    fn a_path_finds_the_route_with_the_most_fixed_segments() {
        let find = |path: &str| {
            let segments: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
            route::find(&segments).map(|route| route.path)
        };
        assert_eq!(find(""), Some(""));
        assert_eq!(find("vms/1"), Some("vms/{}"));
        assert_eq!(find("vms/1/start"), Some("vms/{}/start"));
        assert_eq!(find("vms/1/suspend/2"), Some("vms/{}/suspend/{}"));
        assert_eq!(find("vms/1/start/2"), Some("{}/action/{}"));
        assert_eq!(find("hosts/1/creation_status/2"), Some("{}/creation_status/{}"));
        assert_eq!(find("vms/1/nothing"), None);
        assert_eq!(find("vms/1/start/2/3"), None);
        assert_eq!(find("vms/1/nics/2/activate"), Some("vms/{}/nics/{}/activate"));
        let start = route::find(&["vms".into(), "1".into(), "start".into()]).unwrap();
        assert!(start.handler(&Method::GET).is_none());
        assert_eq!(start.allow(), "POST, OPTIONS");
    }

    #[test]
    fn no_route_stands_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for route in route::all() {
            assert!(seen.insert(route.path), "{}", route.path);
        }
    }

    #[test]
    fn what_the_entry_point_links_is_answered() {
        for (name, _) in entry::LINKS {
            assert!(route::all().any(|route| route.path == *name), "{name}");
        }
    }
}
