//! The RSDL: every operation of the route table, with its parameters, headers and bodies, as a document.

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use axum::body::Bytes;
use axum::http::Method;

use super::LINKS;
use super::answer::{Answer, Handled};
use super::representation::body::Body;
use super::representation::description::TypeDef;
use super::representation::types::{self, ACTION, HOST_NIC, RSDL};
use super::representation::{Doc, Format, Kind, render};
use super::request::{ApiRequest, BASES, Route, Routes};

/// Describes every operation. The documents are made once: of each base in each format.
pub fn describe(request: &ApiRequest) -> Handled {
    static RENDERED: [OnceLock<Bytes>; 4] = [const { OnceLock::new() }; 4];
    let base = BASES.iter().position(|base| *base == request.base).unwrap_or_default();
    let n = base * 2 + usize::from(request.output == Format::Json);
    let body = RENDERED[n].get_or_init(|| render(&RSDL, &document(request.base, request.routes), request.output).into());
    Ok(Answer::bytes(200, body.clone(), request.output))
}

fn document(base: &str, routes: &Routes) -> Doc {
    let described = routes.all().filter(|route| !route.path.is_empty());
    let links: Vec<Doc> =
        described.flat_map(|route| route.methods.iter().map(move |verb| operation(base, routes, route, &verb.method))).collect();
    let version = Doc::new().set("major", 3).set("minor", 3).set("build", 0).set("revision", 0);
    let schema = Doc::new()
        .set("href", format!("{base}?schema"))
        .set("rel", "schema")
        .set("name", super::schema::FILE_NAME)
        .set("description", "oVirt API entities schema.");
    Doc::new()
        .set("href", format!("{base}?rsdl"))
        .set("rel", "rsdl")
        .set("description", "The oVirt RESTful API description language.")
        .set("version", version)
        .set("schema", schema)
        .set("general", general(base))
        .set("links", Doc::new().set("link", links))
}

/// Headers that any request may have.
const GENERAL: &[(&str, &str)] = &[
    ("Accept", "application/xml|json; detail=sub-collections joined by +"),
    ("Accept-Language", "any language"),
    ("Authorization", "Basic credentials"),
    ("Filter", "true|false"),
    ("Prefer", "persistent-auth"),
    ("Session-TTL", "minutes"),
    ("Version", "3"),
];

/// What makes any request that changes something a part of an external job.
const PARTS: &[Parameter] = &[
    ("JobId", "matrix", "xs:string", "the id of an external job"),
    ("StepId", "matrix", "xs:string", "the id of a step of one"),
];

fn general(base: &str) -> Doc {
    let headers = GENERAL.iter().map(|(name, value)| header(name, value, false)).collect::<Vec<_>>();
    let parameters: Vec<Doc> = PARTS.iter().copied().map(url_parameter).collect();
    let request = Doc::new()
        .set("http_method", "GET")
        .set("headers", Doc::new().set("header", headers))
        .set("url", Doc::new().set("parameters_set", vec![Doc::new().set("parameter", parameters)]));
    Doc::new()
        .set("href", format!("{base}/*"))
        .set("rel", "*")
        .set("description", "These apply to all operations.")
        .set("name", "*")
        .set("request", request)
}

/// One operation.
fn operation(base: &str, routes: &Routes, route: &Route, method: &Method) -> Doc {
    let mut request = Doc::new().set("http_method", method.as_str());
    let headers: Vec<Doc> = headers(route, method).into_iter().map(|(name, value, must)| header(name, value, must)).collect();
    if !headers.is_empty() {
        request.put("headers", Doc::new().set("header", headers));
    }
    let parameters: Vec<Doc> = parameters(route, method).into_iter().map(url_parameter).collect();
    if !parameters.is_empty() {
        request.put("url", Doc::new().set("parameters_set", vec![Doc::new().set("parameter", parameters)]));
    }
    if let Some(body) = body(routes, route, method) {
        request.put("body", body);
    }
    Doc::new()
        .set("href", format!("{base}/{}", address(route.path)))
        .set("rel", route.relation(method))
        .set("request", request)
        .opt("response", response(route, method).map(|kind| Doc::new().set("type", kind)))
}

/// The path with named variables.
fn address(path: &str) -> String {
    let mut before = "";
    let mut parts = Vec::new();
    for part in path.split('/') {
        parts.push(if part == "{}" { format!("{{{}:id}}", before.trim_end_matches('s')) } else { part.to_owned() });
        before = part;
    }
    parts.join("/")
}

fn header(name: &'static str, value: &'static str, required: bool) -> Doc {
    Doc::new().set("required", required).set("name", name).set("value", value)
}

/// Whether a path is that of a resource, rather than of a collection or an action.
fn is_resource(route: &Route) -> bool {
    route.path.ends_with("{}")
}

type Header = (&'static str, &'static str, bool);

/// The headers of an operation: name, value, and whether it has to be there.
fn headers(route: &Route, method: &Method) -> Vec<Header> {
    let tag = "an entity tag";
    if *method == Method::GET {
        let mut headers = vec![("Filter", "true|false", false), ("All-Content", "true|false", false)];
        headers.extend(is_resource(route).then_some(("If-None-Match", tag, false)));
        return headers;
    }
    let mut headers = vec![("Correlation-Id", "any string", false)];
    let content = "application/xml|json";
    match *method {
        Method::POST if !route.is_action() => {
            let more =
                [("Content-Type", content, true), ("Expect", "201-created", false), ("X-Ovirt-Expect", "201-created", false)];
            headers.extend(more);
            headers.push(("Idempotency-Key", "any string", false));
        }
        Method::DELETE => {
            headers.extend([("Content-Type", content, false), ("Expect", "202-accepted", false), ("If-Match", tag, false)]);
        }
        _ => headers.extend([("Content-Type", content, true), ("If-Match", tag, false), ("Filter", "true|false", false)]),
    }
    headers
}

/// A URL parameter: its name, where it stands, its type, and what it says.
type Parameter = (&'static str, &'static str, &'static str, &'static str);

/// Collections within others that can be searched.
const SEARCHED: &[&str] = &[
    "groups",
    "storagedomains/{}/files",
    "storagedomains/{}/disks",
    "datacenters/{}/storagedomains/{}/disks",
    "domains/{}/groups",
    "domains/{}/users",
    "clusters/{}/glustervolumes",
];

/// Paths below which there may be disks that lie on a storage domain and are not known, with the methods that reach them.
const UNREGISTERED: &[(&str, &[Method])] = &[
    ("storagedomains/{}/disks", &[Method::GET, Method::POST]),
    ("storagedomains/{}/disks/{}", &[Method::GET]),
    ("datacenters/{}/storagedomains/{}/disks", &[Method::GET, Method::POST]),
    ("datacenters/{}/storagedomains/{}/disks/{}", &[Method::GET]),
];

const ASYNC: Parameter = ("async", "matrix", "xs:boolean", "true|false");

/// The URL parameters of an operation.
fn parameters(route: &Route, method: &Method) -> Vec<Parameter> {
    let current = ("current", "matrix", "xs:boolean", "true|false");
    let mut found = Vec::new();
    match *method {
        Method::DELETE | Method::PUT => found.push(ASYNC),
        Method::POST if !route.is_action() => found.push(ASYNC),
        Method::GET if !is_resource(route) => {
            found.push(("max", "matrix", "xs:int", "max results"));
            if SEARCHED.contains(&route.path) || LINKS.iter().any(|(name, searched)| *searched && *name == route.path) {
                found.push(("search", "query", "xs:string", "search query"));
                found.push(("case_sensitive", "matrix", "xs:boolean", "true|false"));
            }
            if route.path == "events" {
                found.push(("from", "matrix", "xs:string", "the number of an event"));
            }
        }
        _ => {}
    }
    if route.path.ends_with("cdroms/{}") {
        found.push(current);
    }
    if route.path == "hosts/{}" && *method == Method::GET {
        found.push(("force", "matrix", "xs:boolean", "true|false"));
    }
    if UNREGISTERED.iter().any(|(path, methods)| *path == route.path && methods.contains(method)) {
        found.push(("unregistered", "matrix", "xs:boolean", "true|false"));
    }
    found
}

fn url_parameter((name, context, kind, value): Parameter) -> Doc {
    Doc::new().set("required", false).set("type", kind).set("context", context).set("name", name).set("value", value)
}

/// What is said of the body of an operation. What is asked of a cluster below its data center is what is asked of the cluster.
fn body_of(routes: &Routes, route: &Route, method: &Method) -> Option<&'static Body> {
    let inner = || route.path.strip_prefix("datacenters/{}/").and_then(|path| routes.all().find(|other| other.path == path));
    route.body(method).or_else(|| inner().filter(|_| !route.is_action()).and_then(|inner| inner.body(method)))
}

/// The body of an operation with the sets of arguments that it may have.
fn body(routes: &Routes, route: &Route, method: &Method) -> Option<Doc> {
    let Some(known) = body_of(routes, route, method) else {
        let of = if route.is_action() {
            Some(&ACTION)
        } else {
            held(route.path).filter(|_| *method == Method::PUT || *method == Method::POST)
        };
        return of.map(|of| Doc::new().set("required", false).set("type", of.class));
    };
    let set = |(demanded, also): (Vec<String>, Vec<String>)| {
        let mut parameters = described(known.of, &demanded, true);
        parameters.extend(described(known.of, &also, false));
        Doc::new().set("parameter", parameters)
    };
    let sets: Vec<Doc> = known.sets().into_iter().map(set).collect();
    Some(Doc::new().set("required", known.is_needed()).set("type", known.of.class).set("parameters_set", sets))
}

/// Arguments by their paths in a document, with their types; those within a list are gathered in a set of their own.
fn described(of: &'static TypeDef, paths: &[String], required: bool) -> Vec<Doc> {
    let mut found: Vec<Doc> = Vec::new();
    let mut lists: Vec<(String, Vec<Doc>)> = Vec::new();
    for path in paths {
        let Some(argument) = resolve(of, path) else { continue };
        let Argument { list, name, kind, value } = argument;
        let doc = Doc::new().set("required", required).set("type", kind).set("name", name).set("value", value);
        match list {
            None => found.push(doc),
            Some(list) => match lists.iter_mut().find(|(name, _)| *name == list) {
                Some((_, items)) => items.push(doc),
                None => lists.push((list, vec![doc])),
            },
        }
    }
    found.extend(lists.into_iter().map(|(list, items)| {
        let set = Doc::new().set("parameter", items);
        let doc = Doc::new().set("required", required).set("type", "collection").set("name", list).set("value", "a list");
        doc.set("parameters_set", set)
    }));
    found
}

/// An argument of a body.
struct Argument {
    /// The list that it stands in.
    list: Option<String>,
    name: String,
    /// As the schema calls it.
    kind: &'static str,
    /// What it may say, in words.
    value: String,
}

/// What a path means in documents of a type; alternatives at its end are of one kind.
fn resolve(of: &'static TypeDef, path: &str) -> Option<Argument> {
    let (mut def, mut list, mut name) = (of, None, of.element.to_owned());
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        let field = def.field(step.split('|').next().unwrap_or_default())?;
        name = format!("{name}.{step}");
        match field.kind {
            Kind::Group(inner) if steps.peek().is_some() => def = inner,
            Kind::Groups(inner) if steps.peek().is_some() && list.is_some() => def = inner,
            Kind::Groups(inner) if steps.peek().is_some() => {
                // The list is known by what wraps it; its items begin anew.
                list = name.rsplit_once('.').map(|(wrapper, _)| wrapper.to_owned());
                (def, name) = (inner, step.to_owned());
            }
            kind => return Some(Argument { list, name, kind: super::schema::kind(field), value: value(kind) }),
        }
    }
    None
}

/// What a field may say, in words.
fn value(kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Link | Kind::Texts => "any string".into(),
        Kind::Int(least, most) => format!("{least} to {most}"),
        Kind::Bool => "true|false".into(),
        Kind::Decimal => "a number".into(),
        Kind::Date => "a date".into(),
        Kind::Enum(of) => of.members.join("|"),
        Kind::Group(of) | Kind::Groups(of) => format!("a {}", of.element),
    }
}

/// The type of what a collection's path holds.
fn held(path: &str) -> Option<&'static TypeDef> {
    let collection = path.split('/').rfind(|part| *part != "{}")?;
    if collection == "nics" && path.starts_with("hosts/") {
        return Some(&HOST_NIC);
    }
    types::all().iter().find(|def| !def.plural.is_empty() && def.plural.replace('_', "") == collection).copied()
}

/// The type of an operation's answer.
fn response(route: &Route, method: &Method) -> Option<String> {
    if route.is_action() {
        return Some(ACTION.class.to_owned());
    }
    let of = held(route.path)?;
    match *method {
        Method::DELETE => None,
        Method::GET if !is_resource(route) => Some(format!("{}s", of.class)),
        _ => Some(of.class.to_owned()),
    }
}
