use std::collections::BTreeSet;

use super::super::representation::Value;
use super::*;
use crate::face::ovirt::ROUTES;

/// What engine 3.3 says of itself: a line for each operation.
const UPSTREAM: &str = include_str!("../../../../tests/data/operations-3.3.tsv");

fn found<'a>(method: &str, path: &str) -> Option<(&'a Route, Method)> {
    let route = ROUTES.all().find(|route| route.path == path)?;
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

/// What engine 3.3 lists of the bodies of its operations: a line for each that has any arguments.
const ARGUMENTS: &str = include_str!("../../../../tests/data/arguments-3.3.tsv");

/// Paths that the list prints otherwise than the schema has them, and not by a single name: a path's end, and what it means. Of a body that is
/// an action a storage domain stands below it.
const PRINTED: &[(&str, &str)] = &[
    ("network.address.ip", "network.ip.address"),
    ("network.address.netmask", "network.ip.netmask"),
    ("network.address.gateway", "network.ip.gateway"),
    ("usages.usage.usage", "usages.usage"),
    ("power_management.pm_proxy.propietary", "power_management.pm_proxies.pm_proxy.type"),
    ("ip.mtu", "mtu"),
    ("mac", "mac.address"),
    ("agents.agent", "agents.agent.type"),
    ("options.option", "options.option.name"),
];

/// A printed path as the schema has it.
fn meant(of: &'static TypeDef, path: &str) -> String {
    let whole = PRINTED.iter().find_map(|(printed, meant)| {
        let before = path.strip_suffix(printed).filter(|before| before.is_empty() || before.ends_with('.'))?;
        Some(format!("{before}{meant}"))
    });
    let path = whole.unwrap_or_else(|| path.to_owned());
    let path = if std::ptr::eq(of, &ACTION) && path == "id|name" { "storage_domain.id|name".to_owned() } else { path };
    let mut of = Some(of);
    let step = |step: &str| {
        let alternatives: Vec<&str> = step.split('|').collect();
        let fields: Vec<_> = alternatives.iter().filter_map(|name| of.and_then(|of| of.meant(name))).collect();
        of = fields.first().and_then(|field| match field.kind {
            Kind::Group(inner) | Kind::Groups(inner) => Some(inner),
            _ => None,
        });
        if fields.len() == alternatives.len() {
            fields.iter().map(|field| field.name).collect::<Vec<_>>().join("|")
        } else {
            step.to_owned()
        }
    };
    path.split('.').map(step).collect::<Vec<_>>().join(".")
}

#[test]
fn every_argument_that_upstream_lists_is_described() {
    let (mut checked, mut missing) = (0, Vec::new());
    for line in ARGUMENTS.lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('\t').collect();
        let [method, path, arguments] = parts[..] else { panic!("{line}") };
        let Some((route, method)) = found(method, path) else { continue };
        let Some(body) = body_of(&ROUTES, route, &method) else {
            missing.push(format!("{method} {path} has no body"));
            continue;
        };
        let sets = body.sets();
        let described: BTreeSet<&str> =
            sets.iter().flat_map(|(demanded, also)| demanded.iter().chain(also)).map(String::as_str).collect();
        let takes = |path: &str| {
            let (above, last) = path.rsplit_once('.').map_or((String::new(), path), |(above, last)| (format!("{above}."), last));
            let within = |name: &str| {
                described
                    .iter()
                    .any(|known| known.strip_prefix(above.as_str()).is_some_and(|known| known.split('|').any(|one| one == name)))
            };
            last.split('|').all(within)
        };
        for argument in arguments.split(' ') {
            checked += 1;
            let meant = meant(body.of, argument);
            missing.extend((!takes(&meant)).then(|| format!("{method} {path}: {argument} ({meant})")));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(checked > 400, "{checked}");
}

#[test]
fn what_a_removed_connection_is_to_leave_is_a_host() {
    let arguments = |path| {
        let (route, method) = found("DELETE", path).unwrap();
        let body = body(&ROUTES, route, &method).unwrap();
        let described = body.docs("parameters_set").flat_map(|set| set.docs("parameter"));
        let names: Vec<String> = described.filter_map(|parameter| parameter.text("name")).map(str::to_owned).collect();
        (body.text("type").map(str::to_owned), names)
    };
    assert_eq!(arguments("storageconnections/{}"), (Some("Host".into()), vec!["host.id|name".into()]));
    // A connection that only leaves a storage domain asks no host.
    let of_domain = arguments("storagedomains/{}/storageconnections/{}");
    assert_eq!(of_domain, (Some("Action".into()), vec!["action.async".into()]));
}

/// Every operation whose body is described.
fn bodies() -> impl Iterator<Item = (String, &'static Body)> {
    ROUTES.all().flat_map(|route| {
        route
            .methods
            .iter()
            .filter_map(|verb| Some((format!("{} {}", verb.method, route.path), body_of(&ROUTES, route, &verb.method)?)))
    })
}

#[test]
fn every_argument_is_a_member_of_its_document() {
    let mut unknown = Vec::new();
    for (operation, body) in bodies() {
        for path in body.sets().iter().flat_map(|(demanded, also)| demanded.iter().chain(also)) {
            unknown.extend(resolve(body.of, path).is_none().then(|| format!("{operation}: {path}")));
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// A document that says something at each of some paths.
fn saying(of: &'static TypeDef, paths: &[String]) -> Doc {
    fn say(of: &'static TypeDef, doc: &mut Doc, path: &str) {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let field = of.field(first.split('|').next().unwrap()).unwrap();
        let (Kind::Group(inner) | Kind::Groups(inner)) = field.kind else {
            // A name in which there is something for whoever looks for it.
            return doc.put(field.name, if matches!(field.kind, Kind::Enum(_)) { "data" } else { "x@y" });
        };
        let mut held = match doc.remove(field.name) {
            Some(Value::Doc(held)) => held,
            Some(Value::List(items)) => items[0].as_doc().unwrap().clone(),
            _ => Doc::new(),
        };
        if let Some(rest) = rest {
            say(inner, &mut held, rest);
        }
        match field.kind {
            Kind::Groups(_) => doc.put(field.name, vec![held]),
            _ => doc.put(field.name, held),
        }
    }
    let mut doc = Doc::new();
    paths.iter().for_each(|path| say(of, &mut doc, path));
    doc
}

/// A document without what it says at a path, in each item of a list.
fn without(doc: &Doc, path: &str) -> Doc {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let named = |name: &str| first.split('|').any(|wanted| wanted == name);
    let less = |value: &Value| match (value, rest) {
        (Value::Doc(inner), Some(rest)) => Value::Doc(without(inner, rest)),
        (Value::List(items), Some(rest)) => {
            Value::List(items.iter().filter_map(Value::as_doc).map(|item| Value::Doc(without(item, rest))).collect())
        }
        (other, _) => other.clone(),
    };
    let kept = doc.members().iter().filter(|(name, _)| rest.is_some() || !named(name));
    kept.fold(Doc::new(), |kept, (name, value)| kept.set(name, if named(name) { less(value) } else { value.clone() }))
}

#[test]
fn what_is_described_as_required_is_what_is_checked() {
    let mut checked = 0;
    for (operation, body) in bodies() {
        for (demanded, needs) in body.demands() {
            let check =
                |doc: &Doc| needs.iter().filter(|need| !need.is_conditional()).try_for_each(|need| need.check(body.of, doc));
            let whole = saying(body.of, &demanded);
            assert_eq!(check(&whole), Ok(()), "{operation}: {demanded:?}");
            for path in &demanded {
                assert!(check(&without(&whole, path)).is_err(), "{operation}: {path} is described and not checked");
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn a_body_has_its_sets_of_arguments() {
    let (route, method) = found("POST", "disks").unwrap();
    let body = body(&ROUTES, route, &method).unwrap();
    // The size may be said in two ways, and a disk may be a whole logical unit instead.
    assert_eq!(body.docs("parameters_set").count(), 3);
    let demands = |set: &&Doc, name: &str| {
        set.docs("parameter").any(|parameter| parameter.text("name") == Some(name) && parameter.bool("required") == Some(true))
    };
    let by = |name: &str| body.docs("parameters_set").find(|set| demands(set, name)).unwrap();
    assert!(demands(&by("disk.provisioned_size"), "disk.format") && demands(&by("disk.size"), "disk.format"));
    let second = by("disk.lun_storage");
    let names: Vec<&str> = second.docs("parameter").filter_map(|parameter| parameter.text("name")).collect();
    assert!(names.contains(&"disk.interface") && names.contains(&"disk.lun_storage"), "{names:?}");
    let list = second.docs("parameter").find(|parameter| parameter.text("name") == Some("disk.lun_storage")).unwrap();
    assert_eq!((list.text("type"), list.bool("required")), (Some("collection"), Some(true)));
    let within: Vec<&str> = list.docs("parameters_set.parameter").filter_map(|parameter| parameter.text("name")).collect();
    assert!(within.contains(&"logical_unit.id"), "{within:?}");
}

#[test]
fn operations_are_named_by_what_they_do() {
    let show = |path, method: Method| {
        let route = ROUTES.all().find(|route| route.path == path).unwrap();
        let doc = operation("/api", &ROUTES, route, &method);
        (doc.text("href").unwrap().to_owned(), doc.text("rel").unwrap().to_owned())
    };
    assert_eq!(show("vms/{}/start", Method::POST), ("/api/vms/{vm:id}/start".into(), "start".into()));
    assert_eq!(show("vms/{}/nics", Method::POST), ("/api/vms/{vm:id}/nics".into(), "add".into()));
    assert_eq!(show("clusters", Method::GET), ("/api/clusters".into(), "get".into()));
}

#[test]
fn the_document_is_one_of_the_schema() {
    for format in [Format::Xml, Format::Json] {
        assert!(render(&RSDL, &document("/api", &ROUTES), format).len() > 100_000);
    }
}
