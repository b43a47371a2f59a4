//! A request as the collections see it: path and parameters taken apart, the body read, the caller known.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, Method, header};
use evirt_domain::Intent;
use evirt_domain::World;
use evirt_domain::external_step::ExternalStep;
use evirt_domain::ids::JobId;
use evirt_domain::world::NameKind;
use evirt_projections::inventory::{self, Page, Query, Resource, View};
use evirt_projections::search::{self, Plan};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::cache::RenderCache;
use super::representation::body::Body;
use super::representation::description::TypeDef;
use super::representation::types::ACTION;
use super::representation::{Doc, Fault, Format};
use super::representation::{parse, parse_any};
use super::{route, visible};
use crate::app::{App, OpContext, Refused, Wait};
use crate::engine::{Engine, Outcome};

/// The most segments that a path may have.
pub const MAX_SEGMENTS: usize = 16;

const ALL_CONTENT: HeaderName = HeaderName::from_static("all-content");

/// A path with its parameters taken off.
#[derive(Debug, Default, PartialEq)]
pub struct Target {
    /// Decoded segments below the base.
    pub segments: Vec<String>,
    /// Matrix parameters, after whichever segment they stood, names in lower case.
    pub matrix: Vec<(String, String)>,
    /// Query parameters, names in lower case.
    pub query: Vec<(String, String)>,
}

/// The bases that the API answers under, with what a link begins with.
pub const BASES: [&str; 2] = ["/ovirt-engine/api", "/api"];

/// The base that a path is below, if any.
pub fn base_of(path: &str) -> Option<&'static str> {
    below_base(path).map(|(base, _)| base)
}

/// The base that a path is below, and what follows it there. Doubled slashes are taken for one, as clients put bases and paths together.
fn below_base(path: &str) -> Option<(&'static str, &str)> {
    BASES.into_iter().find_map(|base| {
        let mut rest = path;
        for segment in base.split('/').skip(1) {
            rest = rest.strip_prefix('/')?.trim_start_matches('/').strip_prefix(segment)?;
        }
        (rest.is_empty() || rest.starts_with(['/', ';'])).then_some((base, rest))
    })
}

impl Target {
    /// Takes a request's path apart.
    pub fn parse(path: &str, query: Option<&str>) -> Result<(&'static str, Self), Unreadable> {
        let (base, below) = below_base(path).ok_or(Unreadable::Path)?;
        let mut target = Self::default();
        for part in below.split('/') {
            let mut pieces = part.split(';');
            let segment = pieces.next().unwrap_or_default();
            if !segment.is_empty() {
                target.segments.push(decode(segment, false).ok_or(Unreadable::Path)?);
            }
            target.matrix.extend(pieces.filter_map(pair).collect::<Result<Vec<_>, _>>()?);
        }
        target.query = query.unwrap_or_default().split('&').filter_map(pair).collect::<Result<_, _>>()?;
        if target.segments.len() > MAX_SEGMENTS {
            return Err(Unreadable::Path);
        }
        Ok((base, target))
    }
}

/// Why an address cannot be taken apart.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Its path is below no base, is too long, or is no UTF-8: there is nothing there.
    Path,
    /// The parameter of this name, as it was sent, is not percent-encoded UTF-8. It is not left out: that could turn a search for something
    /// into one for everything.
    Parameter(String),
}

/// A name and its value, both decoded; the name in lower case. What has no name says nothing.
fn pair(text: &str) -> Option<Result<(String, String), Unreadable>> {
    let (sent, value) = text.split_once('=').unwrap_or((text, ""));
    let pair = decode(sent, true).zip(decode(value, true)).map(|(name, value)| (name.to_lowercase(), value));
    (!sent.is_empty()).then(|| pair.ok_or_else(|| Unreadable::Parameter(sent.to_owned())))
}

/// Percent-decodes, and where `plus` is set takes `+` for a space.
fn decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                let hex = std::str::from_utf8(rest.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(hex, 16).ok()?);
                rest = &rest[2..];
            }
            b'+' if plus => bytes.push(b' '),
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// A request of the API: an operation of its caller, with what only this dialect knows of it.
pub struct ApiRequest {
    /// What the face works with.
    pub app: App,
    /// The operation; what it says is said of the request.
    pub cx: OpContext,
    /// What is to be done.
    pub method: Method,
    /// What links begin with: the base that the request came by.
    pub base: &'static str,
    /// Whether it came by https.
    pub secure: bool,
    /// With what, and with which parameters.
    pub target: Target,
    /// As they came.
    pub headers: HeaderMap,
    /// As it came.
    pub body: Bytes,
    /// The format of the answer.
    pub output: Format,
    /// The resources that the face has rendered.
    pub cache: Arc<RenderCache>,
    /// Which handler answers what.
    pub routes: &'static Routes,
}

/// A path with its methods.
pub type Route = route::Route<ApiRequest>;

/// All of them.
pub type Routes = route::Routes<ApiRequest>;

/// What a handler is: from a request to its answer.
pub type Handler = route::Handler<ApiRequest>;

impl std::ops::Deref for ApiRequest {
    type Target = OpContext;

    fn deref(&self) -> &OpContext {
        &self.cx
    }
}

impl ApiRequest {
    /// The same request, asked at another place.
    pub fn at(self: &Arc<Self>, target: Target) -> Self {
        let mut cx = self.cx.looking(self.world.clone());
        cx.events = self.events.clone();
        cx.conditions = self.conditions.handed_on();
        Self {
            app: self.app.clone(),
            cx,
            method: self.method.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            target,
            base: self.base,
            secure: self.secure,
            output: self.output,
            cache: self.cache.clone(),
            routes: self.routes,
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.app.engine
    }

    /// Whether it only reads.
    pub fn is_read(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Segment `n` as it stands.
    pub fn segment(&self, n: usize) -> &str {
        self.target.segments.get(n).map_or("", String::as_str)
    }

    /// Segment `n` as an identifier; what is none names nothing.
    pub fn id<T: From<Uuid>>(&self, n: usize) -> Result<T, Answer> {
        Uuid::parse_str(self.segment(n)).map(T::from).map_err(|_| self.missing(self.segment(n)))
    }

    /// The answer that something does not exist. Upstream's has no body; ours says what.
    pub fn missing(&self, what: impl std::fmt::Display) -> Answer {
        Answer::fault(404, &Fault::failed(format!("Entity not found: {what}")), self.output)
    }

    /// What is there, or the answer that it is not.
    pub fn found<T>(&self, value: Option<T>, n: usize) -> Result<T, Answer> {
        value.ok_or_else(|| self.missing(self.segment(n)))
    }

    /// A matrix or query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.target.matrix.iter().chain(&self.target.query);
        parameters.rfind(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter that is true or false is given and true.
    pub fn flag(&self, name: &str) -> Result<bool, Answer> {
        Ok(self.choice(name)?.unwrap_or_default())
    }

    /// What a parameter that is true or false says, where it is given; true, where it is only named.
    fn choice(&self, name: &str) -> Result<Option<bool>, Answer> {
        match self.parameter(name).map(str::to_lowercase).as_deref() {
            None => Ok(None),
            Some("false") => Ok(Some(false)),
            Some("" | "true") => Ok(Some(true)),
            Some(other) => {
                let detail =
                    format!("Illegal value '{other}' for matrix param: '{name}'. Acceptable values are 'true' or 'false'");
                Err(self.bad(&Fault::failed(detail)))
            }
        }
    }

    /// A 400 with a fault.
    pub fn bad(&self, fault: &Fault) -> Answer {
        Answer::fault(400, fault, self.output)
    }

    /// The most results that are wanted; a negative number is no limit.
    pub fn max(&self) -> Result<Option<i64>, Answer> {
        let Some(text) = self.parameter("max") else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| self.bad(&Fault::failed(format!("Max number of results is not a valid number: {text}"))))
    }

    /// The search that is wanted of a kind: a bad one is refused with the place of the error.
    pub fn plan_for(&self, entity: search::Entity) -> Result<Plan, Answer> {
        let sensitive = self.choice("case_sensitive")?.or(self.choice("case-sensitive")?).unwrap_or(true);
        let text = self.parameter("search").unwrap_or_default();
        let world = self.world.clone();
        let tags = move |pattern: &search::Pattern| inventory::tag_names(&world, pattern);
        let view = self.view();
        search::compile(entity, text, &view.env(sensitive, &tags))
            .map_err(|error| self.bad(&Fault::failed(format!("Bad search at {}: {error}", error.position))))
    }

    /// The World as searches look at it.
    pub fn view(&self) -> View<'_> {
        self.cx.view(&self.app)
    }

    /// A page of a collection, as searched for, of what the caller may see.
    pub fn list<T: Resource>(&self) -> Result<Vec<Arc<T>>, Answer> {
        let query = self.query::<T>()?;
        inventory::list(self.view(), &query).map_err(|unknown| self.missing(unknown.0))
    }

    /// What is to be listed: what is searched for, as many as are wanted.
    pub fn query<T: Resource>(&self) -> Result<Query, Answer> {
        Ok(Query::searched(self.plan_for(T::ENTITY)?, Page::of(self.max()?)))
    }

    /// The parts that the client wants within a resource: `Accept: application/xml; detail=disks+nics`.
    pub fn details(&self) -> impl Iterator<Item = &str> {
        let accept = self.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let details = accept.split([';', ',']).filter_map(|piece| named(piece, "detail"));
        details.flat_map(|words| words.split('+')).map(|word| word.trim().trim_matches('"')).filter(|word| !word.is_empty())
    }

    /// Whether the client wants these parts of a resource within it.
    pub fn wants_detail(&self, part: &str) -> bool {
        self.all_content() || self.details().any(|word| word.eq_ignore_ascii_case(part))
    }

    /// Whether the client wants a resource with all that is within it.
    pub fn all_content(&self) -> bool {
        self.headers.get(ALL_CONTENT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
    }

    /// Whether the client does not want to wait for what goes on: by `;async`, `<async>true</async>` or `Expect: 202-accepted`.
    pub fn goes_on(&self, sent: &Doc) -> Result<bool, Answer> {
        Ok(self.flag("async")? || sent.bool("async") == Some(true) || self.expects("202-accepted"))
    }

    /// What the caller's GET of a path would be answered, in the World that this request saw.
    pub async fn look(&self, segments: Vec<String>, output: Format) -> Handled {
        self.look_in(self.world.clone(), segments, output).await
    }

    /// What the caller's GET of a path would be answered in a World. It changes nothing, so that nobody is asked anew by it.
    pub async fn look_in(&self, world: Arc<World>, segments: Vec<String>, output: Format) -> Handled {
        let missing = self.missing(segments.join("/"));
        let handler = self.routes.find(&segments).and_then(|route| route.handler(&Method::GET));
        let Some(handler) = handler else { return Err(missing) };
        let matrix = self.target.matrix.iter().filter(|(name, _)| name != "force").cloned().collect();
        let target = Target { segments, matrix, query: Vec::new() };
        let request = ApiRequest {
            app: self.app.clone(),
            cx: self.cx.looking(world),
            method: Method::GET,
            base: self.base,
            secure: self.secure,
            target,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            output,
            cache: self.cache.clone(),
            routes: self.routes,
        };
        request.check_seen(true)?;
        handler(Arc::new(request)).await
    }

    /// The format of the body, by its content type or by how it begins.
    fn input(&self) -> Result<Format, Answer> {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let first = self.body.iter().find(|b| !b.is_ascii_whitespace());
        match kind {
            "application/xml" | "text/xml" => Ok(Format::Xml),
            "application/json" => Ok(Format::Json),
            "" if first == Some(&b'<') => Ok(Format::Xml),
            "" if matches!(first, Some(b'{')) => Ok(Format::Json),
            "" if self.body.is_empty() => Ok(Format::Xml),
            other => {
                let detail = format!("The content type {other:?} is not understood; send application/xml or application/json");
                Err(Answer::fault(415, &Fault::failed(detail), self.output))
            }
        }
    }

    /// Refuses a request that touches what its caller may not see: what is hidden does not exist. `reads` is whether it only reads.
    pub fn check_seen(&self, reads: bool) -> Result<(), Answer> {
        if reads && !visible::may_read(&self.cx, self.segment(0)) {
            // Upstream's words, in lower case, which it has by an accident that clients have learned.
            return Err(self.bad(&Fault::failed("query execution failed due to insufficient permissions.")));
        }
        visible::hidden_in(&self.cx, &self.target.segments).map_or(Ok(()), |id| Err(self.missing(id)))
    }

    /// Takes a document in without what its sender has no say in, and refuses one that refers by its identifier to something that its
    /// sender may not see, in the words of what does not exist.
    fn admit(&self, of: &TypeDef, doc: Doc) -> Result<Doc, Answer> {
        let doc = if self.user_level { visible::unplaced(doc) } else { doc };
        // What is posted to a collection within a resource may be a reference itself.
        let named = (self.method == Method::POST && self.target.segments.len() > 1).then_some(of.element);
        match visible::unseen(&self.cx, named, &doc) {
            Some(id) => Err(self.missing(id)),
            None => Ok(doc),
        }
    }

    /// The body as a document of a type, which says all that its operation needs.
    pub fn body(&self, of: &'static TypeDef) -> Result<Doc, Answer> {
        let doc = parse(&self.body, self.input()?, of).map_err(|error| self.bad(&error.fault()))?;
        let doc = self.admit(of, doc)?;
        self.checked(doc)
    }

    /// What is said of the body of the request's operation.
    fn described_body(&self) -> Option<&'static Body> {
        self.routes.find(&self.target.segments).and_then(|route| route.body(&self.method))
    }

    /// A document that says all that the operation needs, unless its handler is to decide whether it has to.
    fn checked(&self, doc: Doc) -> Result<Doc, Answer> {
        if let Some(body) = self.described_body().filter(|body| !body.is_dependent()) {
            self.check(body, &doc)?;
        }
        Ok(doc)
    }

    /// Demands that a body says all that it has to.
    pub fn check(&self, body: &Body, sent: &Doc) -> Result<(), Answer> {
        body.check(sent).map_err(|fault| self.bad(&fault))
    }

    /// Demands the same of the operation's, where that depends on what it is carried out on.
    pub fn complete(&self, sent: &Doc) -> Result<(), Answer> {
        self.described_body().map_or(Ok(()), |body| self.check(body, sent))
    }

    /// The body as a document of one of several types; none where there is no body.
    pub fn optional_body(&self, of: &[&'static TypeDef]) -> Result<Option<(&'static TypeDef, Doc)>, Answer> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let (of, doc) = parse_any(&self.body, self.input()?, of).map_err(|error| self.bad(&error.fault()))?;
        Ok(Some((of, self.admit(of, doc)?)))
    }

    /// The body of an action, which says all that it needs; an empty one counts as `<action/>`.
    pub fn action(&self) -> Result<Doc, Answer> {
        self.checked(self.read_action()?)
    }

    fn read_action(&self) -> Result<Doc, Answer> {
        Ok(self.optional_body(&[&ACTION])?.map(|(_, doc)| doc).unwrap_or_default())
    }

    /// The action that was sent, perhaps with a deletion; an empty one where another document came, or none.
    pub fn sent_action(&self) -> Doc {
        self.read_action().unwrap_or_default()
    }

    /// The external job, or the step of it, that the request is to be a part of: `;JobId=` and `;StepId=`.
    pub fn external_step(&self) -> Result<Option<ExternalStep>, Answer> {
        let id = |name: &str| {
            let text = self.parameter(&name.to_lowercase());
            let id = text.map(|text| Uuid::parse_str(text).map_err(|_| format!("{name}: {text} is no identifier")));
            id.transpose().map_err(|detail| self.bad(&Fault::failed(detail)))
        };
        let (job, parent) = (id("JobId")?.map(JobId), id("StepId")?);
        if job.is_none() && parent.is_none() {
            return Ok(None);
        }
        let verb = self.routes.find(&self.target.segments).map_or("", |route| route.relation(&self.method));
        let mut of = self.target.segments.as_slice();
        if let [before @ .., last] = of
            && last == verb
        {
            of = before;
        }
        Ok(Some(ExternalStep { job, parent, description: format!("{verb} {}", of.join("/")) }))
    }

    /// What a use case gives, or the answer that says why it did not come about.
    pub fn refusing<T>(&self, outcome: Result<T, Refused>) -> Result<T, Answer> {
        outcome.map_err(|refused| Answer::refused(&refused, self.output))
    }

    /// What faults call what is done: `update` for a change, `add` for all else.
    pub fn verb(&self) -> &'static str {
        if self.method == Method::PUT { "update" } else { "add" }
    }

    /// Submits a command as the caller.
    pub fn submit(&self, command: impl Into<Intent>) -> BoxFuture<'_, Result<Outcome, Answer>> {
        let deciding = self.app.submit(&self.cx, command);
        Box::pin(async move { self.refusing(deciding.await) })
    }

    /// Waits for the work that a command left; where it failed, that is a refusal.
    pub async fn settle(&self, outcome: &Outcome) -> Result<Arc<World>, Answer> {
        self.refusing(self.app.settle(outcome).await)
    }

    /// What a use case waits for: the end of its work, unless the client does not want to wait.
    pub fn wait(&self, sent: &Doc) -> Result<Wait, Answer> {
        Ok(if self.goes_on(sent)? { Wait::Decision } else { Wait::End })
    }

    /// Whether the client wants to wait until what it creates is ready.
    pub fn wants_to_wait(&self) -> bool {
        self.expects("201-created")
    }

    fn expects(&self, what: &str) -> bool {
        let given = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        ["expect", "x-ovirt-expect"].into_iter().filter_map(given).any(|value| value.trim().eq_ignore_ascii_case(what))
    }

    /// The identifier that a reference in a body means: by id, or by name.
    pub fn reference<T: From<Uuid>>(&self, sent: &Doc, path: &str, kind: NameKind, class: &str) -> Result<Option<T>, Answer> {
        let Some(doc) = sent.doc(path) else { return Ok(None) };
        if let Some(id) = doc.text("id").filter(|id| !id.is_empty()) {
            let id = Uuid::parse_str(id).map_err(|_| self.bad(&Fault::failed(format!("{id} is no identifier"))))?;
            return Ok(Some(T::from(id)));
        }
        let Some(name) = doc.text("name").filter(|name| !name.is_empty()) else { return Ok(None) };
        let world = self.engine().world();
        let visible = |id: Uuid| {
            let object = visible::object_of(kind, id);
            self.visible().is_everything() || object.is_none_or(|object| self.visible().contains(&world, object))
        };
        let meant = world.resolve(kind, name).filter(|id| visible(*id));
        match meant.or_else(|| world.named(kind, name).map(|key| key.id).find(|id| visible(*id))) {
            Some(id) => Ok(Some(T::from(id))),
            None => Err(self.missing(format!("{class}: name={name}"))),
        }
    }

    /// What a reference that there has to be leads to; one that has neither an identifier nor a name is incomplete.
    pub fn needed<T: From<Uuid>>(&self, sent: &Doc, path: &str, kind: NameKind, class: &str) -> Result<T, Answer> {
        let found = self.reference(sent, path, kind, class)?;
        found.ok_or_else(|| self.bad(&Fault::incomplete_parameters(class, ["id|name"], "add")))
    }
}

/// The value of a parameter of a header, where it has this name.
pub fn named<'a>(parameter: &'a str, wanted: &str) -> Option<&'a str> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_off_wherever_they_stand() {
        let (base, target) =
            Target::parse("/api/vms;Max=5/a%20b;case_sensitive=False", Some("search=name%3Da+sortby+name")).unwrap();
        assert_eq!(base, "/api");
        assert_eq!(target.segments, ["vms", "a b"]);
        assert_eq!(target.matrix, [("max".into(), "5".into()), ("case_sensitive".into(), "False".into())]);
        assert_eq!(target.query, [("search".to_owned(), "name=a sortby name".to_owned())]);
    }

    #[test]
    fn a_parameter_that_cannot_be_read_is_named() {
        for (path, query, name) in [
            ("/api/vms", Some("a=1&search=name%3Dvm%"), "search"),
            ("/api/vms;max=%zz", None, "max"),
            ("/api;%ff/vms", None, "%ff"),
        ] {
            assert_eq!(Target::parse(path, query), Err(Unreadable::Parameter(name.to_owned())), "{path}");
        }
        assert_eq!(Target::parse("/api/vms;", Some("=%&")).unwrap().1.query, []);
    }

    #[test]
    fn doubled_slashes_are_taken_for_one() {
        for path in ["//api/vms/1", "/api//vms/1", "/api/vms///1//", "///api//vms/1"] {
            let (base, target) = Target::parse(path, None).unwrap();
            assert_eq!((base, target.segments), ("/api", vec!["vms".to_owned(), "1".to_owned()]), "{path}");
        }
        for path in ["//ovirt-engine/api/vms", "/ovirt-engine//api//vms", "//ovirt-engine//api/vms;max=1"] {
            let (base, target) = Target::parse(path, None).unwrap();
            assert_eq!((base, target.segments), ("/ovirt-engine/api", vec!["vms".to_owned()]), "{path}");
        }
    }

    #[test]
    fn both_bases_answer_and_nothing_else_does() {
        assert_eq!(Target::parse("/ovirt-engine/api", None).unwrap().0, "/ovirt-engine/api");
        assert_eq!(Target::parse("/api/", None).unwrap().1.segments.len(), 0);
        assert_eq!(Target::parse("/api;max=1", None).unwrap().1.matrix.len(), 1);
        for path in [
            "/apix".to_owned(),
            "api".to_owned(),
            "/ovirt-engineapi".to_owned(),
            "/api/%ff".to_owned(),
            format!("/api/{}", "x/".repeat(40)),
        ] {
            assert_eq!(Target::parse(&path, None), Err(Unreadable::Path));
        }
    }
}
