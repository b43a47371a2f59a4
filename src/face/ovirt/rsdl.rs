//! The RSDL: every operation of the route table, as a document.

use axum::http::Method;

use super::answer::{Answer, Handled};
use super::representation::Doc;
use super::representation::types::RSDL;
use super::request::Call;
use super::route;

/// Describes every operation.
pub fn describe(call: &Call) -> Handled {
    Ok(Answer::doc(200, &RSDL, &document(call.base), call.output))
}

fn document(base: &str) -> Doc {
    let links: Vec<Doc> = route::all()
        .filter(|route| !route.path.is_empty())
        .flat_map(|route| route.methods.iter().map(move |(method, _)| operation(base, route.path, method)))
        .collect();
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
        .set("links", Doc::new().set("link", links))
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
    route::all().find(|route| route.path == path).is_some_and(route::Route::is_action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::ovirt::representation::{Format, render};

    #[test]
    fn operations_are_named_by_what_they_do() {
        let show = |path, method| {
            let doc = operation("/api", path, &method);
            (doc.text("href").unwrap().to_owned(), doc.text("rel").unwrap().to_owned())
        };
        assert_eq!(show("vms/{}/start", Method::POST), ("/api/vms/{vm:id}/start".into(), "start".into()));
        assert_eq!(show("vms/{}/nics", Method::POST), ("/api/vms/{vm:id}/nics".into(), "add".into()));
        assert_eq!(show("vms/{}/nics/{}", Method::PUT), ("/api/vms/{vm:id}/nics/{nic:id}".into(), "update".into()));
    }

    #[test]
    fn it_can_be_written() {
        let xml = String::from_utf8(render(&RSDL, &document("/api"), Format::Xml)).unwrap();
        assert!(xml.contains("<link href=\"/api/clusters\" rel=\"get\"><request><http_method>GET</http_method>"), "{xml}");
    }
}
