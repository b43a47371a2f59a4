//! The RHEV-M/oVirt REST API, version 3.
//!
//! `serve` finds out who calls and reads the body, `request` takes a request apart, `route` finds its handler in the collections' tables,
//! `answer` says what came of it. A collection
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
mod etag;
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
mod serve;
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
use std::time::Duration;

use axum::http::Method;
use evirt_domain::access::EntityRef;
use evirt_projections::search::Entity;

use self::answer::{Answer, Handled};
use self::representation::{Fault, TypeDef, types};
use self::request::{ApiRequest, Handler, Route, Routes};
use self::route::Standing;
pub use self::serve::{Api, DeleteAnswers, OvirtOptions};
use crate::app::event_matches::{self, EventMatches};
use crate::face::http::{MAX_CORRELATION_ID, correlation_id_fits};

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

/// The collections that the entry point links, in the order of their links, and whether they can be searched.
const LINKS: &[(&str, bool)] = &[
    ("capabilities", false),
    ("clusters", true),
    ("datacenters", true),
    ("events", true),
    ("hosts", true),
    ("networks", true),
    ("roles", false),
    ("storagedomains", true),
    ("tags", false),
    ("templates", true),
    ("users", true),
    ("groups", true),
    ("domains", false),
    ("vms", true),
    ("disks", true),
    ("jobs", false),
    ("storageconnections", false),
    ("vnicprofiles", false),
];

/// The table of all routes.
static ROUTES: LazyLock<Routes> = LazyLock::new(|| {
    let standing = Standing { action: &status::ACTION_STATUS, creation: &status::CREATION_STATUS };
    Routes::new(COLLECTIONS, standing)
});

/// What may come with a deletion: an action, or what clients send of the resource itself.
static DELETIONS: LazyLock<Vec<&'static TypeDef>> =
    LazyLock::new(|| std::iter::once(&types::ACTION).chain(types::all().iter().copied()).collect());

/// Completes a request by what has to be known before its handler is asked, and has it carried out. A change goes on to its end also
/// when its client hangs up.
async fn prepared(mut request: ApiRequest, route: &'static Route, handler: Handler) -> Handled {
    if request.is_read() {
        request.cx.events = event_matches(&request).await?.map(Arc::new);
        let request = Arc::new(request);
        return visible::for_caller(&request.clone().cx, carry_out(request, route, handler)).await;
    }
    match request.external_step() {
        Ok(step) => request.cx.conditions.lead(step),
        Err(refused) => return Err(within(&request, route, refused)),
    }
    // Few actions ask for a time of grace; the others are not read twice for it. JSON may write names with escapes.
    let may_ask = |body: &[u8]| memchr::memmem::find(body, b"grace_period").is_some() || body.contains(&b'\\');
    if route.is_action() && may_ask(&request.body) {
        let grace = request.sent_action().int("grace_period.expiry").and_then(|ms| u64::try_from(ms).ok());
        request.cx.conditions.grace(Duration::from_millis(grace.unwrap_or_default()));
    }
    let request = Arc::new(request);
    let changing = async move { visible::for_caller(&request.clone().cx, carry_out(request, route, handler)).await };
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
        Err(refused) => Err(within(&request, route, repeat::answered_again(&request, refused).await)),
        answer => answer,
    }
}

/// What can be refused of any request before its handler sees it: touching what is hidden, and parameters that make no sense, which
/// must not be found out after a command was carried out.
fn permitted(request: &ApiRequest, route: &Route) -> Result<(), Answer> {
    serve::check_version(request)?;
    if !request.is_read() && !correlation_id_fits(&request.headers) {
        let detail = format!("Correlation-Id has to be of 1 to {MAX_CORRELATION_ID} letters, digits, hyphens and underscores");
        return Err(request.bad(&Fault::failed(detail)));
    }
    request.flag("async")?;
    request.check_seen(request.is_read())?;
    let least = route.least(&request.method);
    request.refusing(request.cx.may(least))?;
    // What stands in a collection that the caller may not read is for those to change who may do so everywhere: others would learn by their
    // refusals what is there. Permissions may be granted to whom one cannot read.
    let [top, _, below @ ..] = &request.target.segments[..] else { return Ok(()) };
    let unread = !request.is_read() && !visible::may_read(&request.cx, top);
    match unread && below.first().is_none_or(|below| below != "permissions") {
        true => request.refusing(request.cx.may_on(least, EntityRef::System)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_the_route_with_the_most_fixed_segments() {
        let find = |path: &str| {
            let segments: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
            ROUTES.find(&segments).map(|route| route.path)
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
        let start = ROUTES.find(&["vms".into(), "1".into(), "start".into()]).unwrap();
        assert!(start.handler(&Method::GET).is_none());
        assert_eq!(start.allow(), "POST, OPTIONS");
    }

    #[test]
    fn no_route_stands_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for route in ROUTES.all() {
            assert!(seen.insert(route.path), "{}", route.path);
        }
    }

    #[test]
    fn what_the_entry_point_links_is_answered() {
        for (name, _) in LINKS {
            assert!(ROUTES.all().any(|route| route.path == *name), "{name}");
        }
    }
}
