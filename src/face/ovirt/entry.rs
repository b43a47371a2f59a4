//! The entry point: links to every collection, special objects, product information and a summary; the guide's chapter 5.

use std::sync::Arc;

use axum::http::{HeaderName, header};
use evirt_domain::tag::ROOT;
use evirt_domain::template::BLANK;
use evirt_projections::inventory::{Count, summary};

use super::LINKS;
use super::answer::{Answer, Handled};
use super::parts::date;
use super::representation::types::API;
use super::representation::{Doc, Link, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::rsdl;
use super::schema;

routes! { ROUTES: "" => GET get; }

/// The relations and addresses of all links.
fn links(base: &str) -> Vec<(String, String)> {
    let mut links = Vec::new();
    for (name, searchable) in LINKS {
        links.push(((*name).to_owned(), format!("{base}/{name}")));
        let search = match *name {
            "events" => format!("{base}/events;from={{event_id}}?search={{query}}"),
            _ => format!("{base}/{name}?search={{query}}"),
        };
        links.extend(searchable.then(|| (format!("{name}/search"), search)));
    }
    links
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    if request.target.query.iter().any(|(name, _)| name == "rsdl") {
        return rsdl::describe(&request);
    }
    if request.target.query.iter().any(|(name, _)| name == "schema") {
        return schema::send();
    }
    let links = links(request.base);
    let special = Doc::new()
        .link("templates/blank", Place::of(request.base, BLANK).link())
        .link("tags/root", Place::of(request.base, ROOT).link());
    let version = Doc::new().set("major", 3).set("minor", 3).set("build", 0).set("revision", 0);
    let product = Doc::new()
        .set("name", "evirt")
        .set("vendor", "evirt")
        .set("version", version)
        // Clients read it as numbers, four at least, and a release: as upstream's `3.3.0-0.46.el6ev`.
        .set("full_version", concat!("3.3.0-", env!("CARGO_PKG_VERSION"), ".evirt"));
    let mut doc = links.iter().fold(Doc::new(), |doc, (rel, href)| doc.link(rel, Link::open(href.as_str())));
    doc.put("special_objects", special);
    doc.put("product_info", product);
    if !request.user_level && request.visible().is_everything() {
        let summary = summary(&request.world);
        let counts = [
            ("vms", &summary.vms),
            ("hosts", &summary.hosts),
            ("users", &summary.users),
            ("storage_domains", &summary.storage_domains),
        ];
        let count = |count: &Count| Doc::new().set("total", count.total as i64).set("active", count.active as i64);
        doc.put("summary", counts.into_iter().fold(Doc::new(), |doc, (name, counted)| doc.set(name, count(counted))));
    }
    doc.put("time", date(chrono::Utc::now().timestamp_micros()));
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if request.secure { "https" } else { "http" };
    let header: Vec<String> = links.iter().map(|(rel, href)| format!("<{scheme}://{host}{href}>; rel={rel}")).collect();
    let link = HeaderName::from_static("link");
    Ok(Answer::doc(200, &API, &doc, request.output).with(link, &header.join(",")))
}
