use std::collections::BTreeSet;

use super::arguments::ARGUMENTS;
use super::*;

/// What engine 3.3 says of itself: a line for each operation.
const UPSTREAM: &str = include_str!("../../../../tests/data/operations-3.3.tsv");

fn found<'a>(method: &str, path: &str) -> Option<(&'a Route, Method)> {
    let route = route::all().find(|route| route.path == path)?;
    let method = &route.methods.iter().find(|verb| verb.method.as_str() == method)?.method;
    Some((route, method.clone()))
}

#[test]
fn every_parameter_and_header_that_upstream_lists_is_described() {
    let mut described = 0;
    for line in UPSTREAM.lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('\t').collect();
        let [method, path, rel, wanted, named] = parts[..] else { panic!("{line}") };
        let Some((route, method)) = found(method, path) else { continue };
        described += 1;
        assert_eq!(route.relation(&method), rel, "{line}");
        let parameters: BTreeSet<String> = parameters(route, &method)
            .iter()
            .map(|(name, context, kind, _)| format!("{name}:{context}:{}", kind.trim_start_matches("xs:")))
            .collect();
        for parameter in wanted.split(' ').filter(|text| !text.is_empty()) {
            assert!(parameters.contains(parameter), "{parameter} of {line}");
        }
        let headers = headers(route, &method);
        for header in named.split(' ').filter(|text| !text.is_empty()) {
            assert!(headers.iter().any(|(name, ..)| *name == header.trim_end_matches('*')), "{header} of {line}");
        }
    }
    assert!(described > 200, "{described}");
}

#[test]
fn what_a_removed_connection_is_to_leave_is_a_host() {
    let arguments = |path| {
        let (route, method) = found("DELETE", path).unwrap();
        let body = body(route, &method).unwrap();
        let described = body.docs("parameters_set").flat_map(|set| set.docs("parameter"));
        let names: Vec<String> = described.filter_map(|parameter| parameter.text("name")).map(str::to_owned).collect();
        (body.text("type").map(str::to_owned), names)
    };
    assert_eq!(arguments("storageconnections/{}"), (Some("Host".into()), vec!["host.id|name".into()]));
    // A connection that only leaves a storage domain asks no host.
    let of_domain = arguments("storagedomains/{}/storageconnections/{}");
    assert_eq!(of_domain, (Some("Action".into()), vec!["action.async".into()]));
}

#[test]
fn every_argument_is_a_member_of_its_document() {
    let mut unknown = Vec::new();
    for known in ARGUMENTS {
        for path in known.mandatory.iter().flat_map(|set| set.split_whitespace()).chain(known.optional.split_whitespace()) {
            unknown.extend(resolve(known.of, path).is_none().then(|| format!("{} {}: {path}", known.method, known.path)));
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn a_body_has_its_sets_of_arguments() {
    let (route, method) = found("POST", "disks").unwrap();
    let body = body(route, &method).unwrap();
    assert_eq!(body.docs("parameters_set").count(), 2);
    let second = body.docs("parameters_set").nth(1).unwrap();
    let names: Vec<&str> = second.docs("parameter").filter_map(|parameter| parameter.text("name")).collect();
    assert!(names.contains(&"disk.interface") && names.contains(&"disk.lun_storage"), "{names:?}");
    let list = second.docs("parameter").find(|parameter| parameter.text("name") == Some("disk.lun_storage")).unwrap();
    assert_eq!((list.text("type"), list.bool("required")), (Some("collection"), Some(true)));
    let within: Vec<&str> = list.docs("parameters_set.parameter").filter_map(|parameter| parameter.text("name")).collect();
    assert_eq!(within[0], "logical_unit.id");
}

#[test]
fn operations_are_named_by_what_they_do() {
    let show = |path, method: Method| {
        let route = route::all().find(|route| route.path == path).unwrap();
        let doc = operation("/api", route, &method);
        (doc.text("href").unwrap().to_owned(), doc.text("rel").unwrap().to_owned())
    };
    assert_eq!(show("vms/{}/start", Method::POST), ("/api/vms/{vm:id}/start".into(), "start".into()));
    assert_eq!(show("vms/{}/nics", Method::POST), ("/api/vms/{vm:id}/nics".into(), "add".into()));
    assert_eq!(show("clusters", Method::GET), ("/api/clusters".into(), "get".into()));
}

#[test]
fn the_document_is_one_of_the_schema() {
    for format in [Format::Xml, Format::Json] {
        assert!(render(&RSDL, &document("/api"), format).len() > 100_000);
    }
}
