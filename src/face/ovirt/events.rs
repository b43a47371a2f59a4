//! The audit log, which the API calls events: the guide's chapter 24.

use std::sync::Arc;

use evirt_domain::external::{EventSeverity, RemoveExternalEvent, Report, ReportExternalEvent};
use evirt_domain::world::NameKind;
use evirt_domain::{Decide, World};
use evirt_projections::inventory::{NO_CUSTOM_ID, Page};
use evirt_projections::search::Entity;

use super::answer::{Answer, Handled};
use super::collection::{created, removed};
use super::parts::{date, given, listed, shown, text};
use super::representation::body::{Body, need};
use super::representation::description::EnumDef;
use super::representation::place::Resource;
use super::representation::types::EVENT;
use super::representation::{Doc, Fault, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::visible::object_of;
use crate::app::event::{self, AuditRecord};

routes! { ROUTES:
    "events" =>
        GET list,
        POST add [Body::add(&EVENT).needs(&[need("origin severity custom_id description")])]: ReportExternalEvent::least;
    "events/{}" => GET get, DELETE delete: RemoveExternalEvent::least;
}

/// After how many seconds an entry may be repeated, as the API shows it where nothing else is known.
const FLOOD_RATE: i64 = 30;

/// The entry as the API shows it.
pub fn view(world: &World, base: &str, entry: &AuditRecord) -> Doc {
    let doc = Doc::with_capacity(20)
        .at(&Place::entry(base).below("events", entry.id))
        .set("description", &entry.message)
        .set("code", entry.code)
        .set("severity", entry.severity.name())
        .set("time", date(entry.recorded_at))
        .set("correlation_id", &*entry.correlation_id)
        .set("origin", &entry.origin)
        .set("custom_id", entry.custom_id.unwrap_or(NO_CUSTOM_ID))
        .set("flood_rate", entry.flood_rate.unwrap_or(FLOOD_RATE));
    let doc = match world.external_events.get(entry.id) {
        Some(event) => doc.opt("custom_data", text(&event.custom_data)),
        None => doc,
    };
    let of = entry.about;
    let references: [(&str, Option<Resource>); 7] = [
        ("user", of.user.map(Resource::from)),
        ("vm", of.vm.map(Resource::from)),
        ("storage_domain", of.storage_domain.map(Resource::from)),
        ("host", of.host.map(Resource::from)),
        ("template", of.template.map(Resource::from)),
        ("cluster", of.cluster.map(Resource::from)),
        ("data_center", of.data_center.map(Resource::from)),
    ];
    let known = references.into_iter().filter_map(|(member, resource)| Some((member, resource?)));
    known.fold(doc, |doc, (member, resource)| doc.reference(member, base, resource))
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let plan = request.plan_for(Entity::Event)?;
    let from = request.parameter("from").filter(|from| !from.is_empty()).map(str::parse).transpose();
    let from = from.map_err(|_| request.bad(&Fault::failed("The parameter from has to be the number of an event")))?;
    let page = Page::of(request.max()?);
    let found = request.refusing(event::list(&request.app, &request.cx, &plan, from, page.max).await)?;
    listed(&request, &EVENT, found.iter().map(|entry| view(&request.world, request.base, entry)))
}

/// The entry that the path names.
async fn entry(request: &ApiRequest) -> Result<AuditRecord, Answer> {
    let id = request.found(request.segment(1).parse().ok(), 1)?;
    request.found(request.refusing(event::entry(&request.app, &request.cx, id).await)?, 1)
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    let entry = entry(&request).await?;
    shown(&request, &EVENT, &view(&request.world, request.base, &entry))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let entry = entry(&request).await?;
    removed(&request, event::remove(&request.app, &request.cx, entry.id).await)
}

static SEVERITY: EnumDef = EnumDef { class: "EventSeverity", members: &["normal", "warning", "error", "alert"] };

/// What an external event may be about: the members of its document, and what names there are of.
const ABOUT: &[(&str, NameKind)] = &[
    ("vm", NameKind::Vm),
    ("host", NameKind::Host),
    ("storage_domain", NameKind::StorageDomain),
    ("template", NameKind::Template),
    ("cluster", NameKind::Cluster),
    ("data_center", NameKind::DataCenter),
];

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&EVENT)?;
    let severity = sent.text("severity").unwrap_or_default();
    let known = EventSeverity::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(severity));
    let (severity, _) = known.ok_or_else(|| request.bad(&Fault::invalid_value(severity, &SEVERITY)))?;
    let mut about = Vec::new();
    for (member, kind) in ABOUT {
        about.extend(request.reference(&sent, member, *kind, member)?.and_then(|id| object_of(*kind, id)));
    }
    let report = Report {
        severity,
        description: given(&sent, "description").unwrap_or_default(),
        origin: given(&sent, "origin").unwrap_or_default(),
        custom_id: sent.int("custom_id").unwrap_or_default(),
        flood_rate: sent.int("flood_rate"),
        custom_data: given(&sent, "custom_data").unwrap_or_default(),
        about,
        user: request.reference(&sent, "user", NameKind::User, "user")?,
    };
    let (done, entry) = request.refusing(event::report(&request.app, &request.cx, report).await)?;
    let entry = request.found(entry, 0)?;
    created(&request, &EVENT, &view(&done.world, request.base, &entry))
}
