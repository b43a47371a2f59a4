//! The RSDL: every operation of the route table, as a document.

use axum::http::Method;

use super::answer::{Answer, Handled};
use super::representation::Doc;
use super::representation::types::RSDL;
use super::request::Call;
use super::route;

/// Describes every operation.
pub fn describe(call: &Call) -> Handled {
    let links: Vec<Doc> = route::all()
        .filter(|route| !route.path.is_empty())
        .flat_map(|route| route.methods.iter().map(move |(method, _)| operation(call.base, route.path, method)))
        .collect();
    let doc = Doc::new()
        .set("href", format!("{}?rsdl", call.base))
        .set("rel", "rsdl")
        .set("description", "What this API answers, generated from its table of routes.")
        .set("resources", Doc::new().set("link", links));
    Ok(Answer::doc(200, &RSDL, &doc, call.output))
}

/// One operation: its address with named variables, its relation and its method.
fn operation(base: &str, path: &str, method: &Method) -> Doc {
    let mut before = "";
    let mut parts = Vec::new();
    for part in path.split('/') {
        parts.push(if part == "{}" { format!("{{{}:id}}", before.trim_end_matches('s')) } else { part.to_owned() });
        before = part;
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    let rel = match *method {
        Method::POST if is_action(path) => last,
        Method::POST => "add",
        Method::PUT => "update",
        Method::DELETE => "delete",
        _ => "get",
    };
    Doc::new()
        .set("href", format!("{base}/{}", parts.join("/")))
        .set("rel", rel)
        .set("request", Doc::new().set("http_method", method.as_str()))
}

/// Whether a path ends in an action: its last segment follows a variable, and the path answers nothing but POST.
fn is_action(path: &str) -> bool {
    let route = route::all().find(|route| route.path == path);
    route.is_some_and(|route| route.methods.iter().all(|(method, _)| *method == Method::POST))
}
