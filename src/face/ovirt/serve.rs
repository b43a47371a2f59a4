//! The way in: finds out who calls, reads the body, has the request carried out, and says what the front refuses in the API's own form.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use serde::Deserialize;

use super::answer::Answer;
use super::cache::RenderCache;
use super::representation::types::ACTION;
use super::representation::{Doc, Fault, Format, MAX_BODY};
use super::request::{ApiRequest, Target, Unreadable, base_of, named};
use super::{ROUTES, prepared};
use crate::app::{App, OpContext};
use crate::face::http::{
    Answering, Asked, CORRELATION_ID, Face, Incoming, Refusal, RequestBody, Transport, Unauthorized, authenticate_request,
};

/// How long a body may take to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The version of the API that a client wants.
const VERSION: HeaderName = HeaderName::from_static("version");

/// What fence_rhevm knows an engine of version 3 by, which it asks for version 4 first: a page of the servlet container, of this title.
const NO_VERSION_4: &str =
    "<html><head><title>Error</title></head><body>Version 4 is not served; this is version 3</body></html>\n";

/// The API under both its bases. Paths carry matrix parameters, so it takes them apart and finds the route itself.
#[derive(Clone, Debug)]
pub struct Api {
    app: App,
    cache: Arc<RenderCache>,
    options: OvirtOptions,
}

/// How the API answers where its clients differ.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct OvirtOptions {
    /// How a DELETE that is done is answered.
    pub delete_answers: DeleteAnswers,
}

/// How a DELETE without a body is answered that is done.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteAnswers {
    /// By 204, as the guide shows it.
    #[default]
    NoContent,
    /// By 200 with a finished action, as upstream does.
    Action,
}

impl Api {
    /// The API of an engine.
    pub fn new(app: App, options: OvirtOptions) -> Self {
        Self { app, cache: Arc::default(), options }
    }
}

impl Face for Api {
    fn has(&self, path: &str) -> bool {
        base_of(path).is_some()
    }

    fn answer(&self, request: Request<RequestBody>, transport: Transport) -> Answering {
        Box::pin(serve(self.clone(), request, transport))
    }

    fn refuse(&self, refusal: &Refusal, asked: &Asked) -> Response<Body> {
        refused(refusal, accepted(asked.accept.iter()).unwrap_or(Format::Xml)).into_response()
    }
}

async fn serve(api: Api, request: Request<RequestBody>, transport: Transport) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let head = parts.method == Method::HEAD;
    let mut response = answer(api, parts, body, transport).await;
    if head && response.status() != StatusCode::NOT_MODIFIED {
        // The length is that of the body which GET would have.
        let length = HttpBody::size_hint(response.body()).exact().unwrap_or_default();
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        *response.body_mut() = Body::empty();
    }
    response
}

async fn answer(api: Api, parts: Parts, body: RequestBody, transport: Transport) -> Response<Body> {
    let Api { app, cache, options } = api;
    let Transport { secure, peer } = transport;
    let output = accepted(parts.headers.get_all(header::ACCEPT));
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
    let incoming = Incoming { method: &parts.method, headers: &parts.headers, peer };
    let (caller, effect) = match authenticate_request(&app, incoming).await {
        Ok(known) => known,
        // A user who may not log in is told no more than a client with the wrong password.
        Err(Unauthorized::Credentials | Unauthorized::NoPermission) => {
            return Answer::empty(401).with(header::WWW_AUTHENTICATE, "Basic realm=\"ENGINE\"").into_response();
        }
        Err(Unauthorized::ForeignOrigin) => {
            let detail = "A page of another site may not change anything with this session";
            return Answer::fault(403, &Fault::failed(detail), format).into_response();
        }
        Err(Unauthorized::Unavailable(why)) => return Answer::fault(503, &Fault::failed(why), format).into_response(),
    };
    let correlation_id = caller.correlation_id.clone();
    let answer = match (ROUTES.find(&target.segments), output) {
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
            Some(handler) => match sent(&parts.method, body).await {
                Err(refusal) => refused(&refusal, format),
                Ok(body) => {
                    let (method, headers) = (parts.method, parts.headers);
                    let deletes = method == Method::DELETE;
                    let cx = OpContext::new(caller.user, caller.correlation_id, caller.filter, app.engine.world());
                    let request =
                        ApiRequest { app, cx, method, base, secure, target, headers, body, output, cache, routes: &ROUTES };
                    // In a room of its own: within others it would be moved about with them.
                    let answer = Box::pin(prepared(request, route, handler)).await.unwrap_or_else(|failed| failed);
                    if deletes { deleted(answer, options.delete_answers, output) } else { answer }
                }
            },
        },
    };
    let mut response = answer.with(CORRELATION_ID, &correlation_id).into_response();
    effect.write(base, secure, response.headers_mut());
    response
}

/// The answer to a DELETE as its clients want it.
fn deleted(answer: Answer, wanted: DeleteAnswers, output: Format) -> Answer {
    match (wanted, answer.status) {
        (DeleteAnswers::Action, 204) => Answer::doc(200, &ACTION, &Doc::new().set_path("status.state", "complete"), output),
        _ => answer,
    }
}

/// The body of a request that may have one: some clients announce one with a GET and never send it.
async fn sent(method: &Method, body: RequestBody) -> Result<Bytes, Refusal> {
    match *method {
        Method::GET | Method::HEAD => Ok(Bytes::new()),
        _ => body.read(MAX_BODY, BODY_TIMEOUT).await,
    }
}

/// A refusal of the front as the API has it.
fn refused(refusal: &Refusal, format: Format) -> Answer {
    Answer::fault(refusal.status().as_u16(), &Fault::failed(refusal.to_string()), format)
}

/// Refuses a version of the API that is not served.
pub fn check_version(request: &ApiRequest) -> Result<(), Answer> {
    let Some(version) = request.headers.get(VERSION).filter(|version| !version.is_empty()) else { return Ok(()) };
    match version.as_bytes().split(|byte| *byte == b'.').next() {
        Some(b"3") => Ok(()),
        Some(b"4") => Err(Answer::bytes(400, NO_VERSION_4, Format::Xml).with(header::CONTENT_TYPE, "text/html; charset=utf-8")),
        _ => {
            let version = String::from_utf8_lossy(version.as_bytes());
            Err(request.bad(&Fault::failed(format!("Version {version} is not served; this is version 3"))))
        }
    }
}

/// The format that the client accepts most: XML where it does not care, none where it takes neither.
fn accepted<'a>(values: impl IntoIterator<Item = &'a HeaderValue>) -> Option<Format> {
    let mut values = values.into_iter().filter_map(|value| value.to_str().ok()).peekable();
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
    use super::*;

    #[test]
    fn the_format_is_what_the_client_likes_most() {
        let choose = |accept: &'static str| accepted(&[HeaderValue::from_static(accept)]);
        assert_eq!(accepted(&[]), Some(Format::Xml));
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
}
