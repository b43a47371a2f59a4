//! The audit log, which the API calls events: the guide's chapter 24.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::external::{EventSeverity, RemoveExternalEvent, Report, ReportExternalEvent};
use evirt_domain::world::NameKind;
use evirt_projections::inventory::{AuditRowView, NO_CUSTOM_ID, Page, View};
use evirt_projections::search::{Direction, Entity, Hint, Plan, Seek};
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::collection::{created, remove};
use super::parts::{date, given, listed, shown, text};
use super::representation::check::require;
use super::representation::description::EnumDef;
use super::representation::types::EVENT;
use super::representation::{Doc, Fault};
use super::request::Call;
use super::route::routes;
use super::visible::object_of;
use crate::audit::{AuditFilter, AuditLog, AuditQuery, AuditRecord, Reference, Severity};
use crate::log::Unavailable;

routes! { ROUTES:
    "events" => GET list, POST add;
    "events/{}" => GET get, DELETE delete;
}

/// How many entries are read from the log at a time where each has to be looked at.
const BATCH: u64 = 1_000;
/// After how many seconds an entry may be repeated, as the API shows it where nothing else is known.
const FLOOD_RATE: i64 = 30;

/// The entry as the API shows it.
pub fn view(world: &World, base: &str, entry: &AuditRecord) -> Doc {
    let doc = Doc::with_capacity(20)
        .set("id", entry.id.to_string())
        .set("href", format!("{base}/events/{}", entry.id))
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
    let references = [
        ("user", "users", of.user.map(|id| id.0)),
        ("vm", "vms", of.vm.map(|id| id.0)),
        ("storage_domain", "storagedomains", of.storage_domain.map(|id| id.0)),
        ("host", "hosts", of.host.map(|id| id.0)),
        ("template", "templates", of.template.map(|id| id.0)),
        ("cluster", "clusters", of.cluster.map(|id| id.0)),
        ("data_center", "datacenters", of.data_center.map(|id| id.0)),
    ];
    references
        .into_iter()
        .filter_map(|(member, collection, id)| Some((member, collection, id?)))
        .fold(doc, |doc, (member, collection, id)| doc.reference(member, id.to_string(), format!("{base}/{collection}/{id}")))
}

/// Whether an entry is still shown: one that a system outside reported may have been removed since.
pub fn is_shown(world: &World, entry: &AuditRecord) -> bool {
    entry.custom_id.is_none() || world.external_events.get(entry.id).is_some()
}

/// A page of what a search finds in the audit log, behind entry `from`.
///
/// In the order of the log, whole pages and searches for a code or for what entries concern are index seeks; others walk
/// the log in batches until the page is full. Any other order has to look at all that match.
pub async fn find(
    log: &AuditLog,
    world: &World,
    plan: &Plan,
    from: Option<u64>,
    max: usize,
) -> Result<Vec<AuditRecord>, Unavailable> {
    let page = plan.range(max);
    let oldest_first = match log_order(plan) {
        Some(Direction::Asc) => true,
        Some(Direction::Desc) => false,
        None => {
            let mut found = walk(log, world, plan, from, false, usize::MAX).await?;
            // Nothing in a search of entries depends on the time of the look.
            let view = View::new(world, 0);
            found.sort_by(|one, other| plan.compare(&AuditRowView { record: one, view }, &AuditRowView { record: other, view }));
            return Ok(found.into_iter().take(page.end).skip(page.start).collect());
        }
    };
    if plan.matches_all() && world.external_events.hidden() == 0 {
        let query = AuditQuery {
            after: from,
            oldest_first,
            limit: page.len() as u64,
            offset: page.start as u64,
            ..AuditQuery::default()
        };
        return log.find(query).await;
    }
    let mut found = walk(log, world, plan, from, oldest_first, page.end).await?;
    found.drain(..page.start.min(found.len()));
    Ok(found)
}

/// The direction of a search whose order is that of the log.
fn log_order(plan: &Plan) -> Option<Direction> {
    let (name, direction) = plan.order().next()?;
    matches!(name, "time" | "audit_log_id").then_some(direction)
}

/// The first entries that match, no more than are wanted.
async fn walk(
    log: &AuditLog,
    world: &World,
    plan: &Plan,
    from: Option<u64>,
    oldest_first: bool,
    wanted: usize,
) -> Result<Vec<AuditRecord>, Unavailable> {
    let mut query = AuditQuery {
        after: from,
        oldest_first,
        filter: filter(world, &plan.index_hint()),
        limit: BATCH,
        ..AuditQuery::default()
    };
    let mut found = Vec::new();
    loop {
        let batch = log.find(query).await?;
        let view = View::new(world, 0);
        let last = batch.last().map(|entry| entry.id);
        let more = batch.len() as u64 == BATCH;
        for entry in batch {
            let row = AuditRowView { record: &entry, view };
            if is_shown(world, &entry) && plan.matches(&row) {
                found.push(entry);
            }
            if found.len() == wanted {
                return Ok(found);
            }
        }
        if !more {
            return Ok(found);
        }
        match oldest_first {
            true => query.after = last,
            false => query.before = last,
        }
    }
}

/// The one of a search's hints that the log has an index for.
pub fn filter(world: &World, hints: &[Hint]) -> AuditFilter {
    hints
        .iter()
        .find_map(|hint| match (hint.reference, hint.field, &hint.seek) {
            (None, "type", Seek::Int(code)) => u32::try_from(*code).ok().map(AuditFilter::Code),
            (None, "time", Seek::Within(from, until)) => Some(AuditFilter::Between(*from, *until)),
            (None, "severity", Seek::Texts(names)) => at_least(names).map(AuditFilter::AtLeast),
            (None, field, Seek::Texts(texts)) => match texts.as_slice() {
                [text] => concerning(world, field, text),
                _ => None,
            },
            _ => None,
        })
        .unwrap_or_default()
}

/// The least of some severities, where it is beyond the usual.
fn at_least(names: &[String]) -> Option<Severity> {
    let of = |name: &String| match name.as_str() {
        "normal" => Severity::Normal,
        "warning" => Severity::Warning,
        "error" => Severity::Error,
        _ => Severity::Alert,
    };
    names.iter().map(of).min().filter(|least| *least > Severity::Normal)
}

/// The filter for entries that concern what a field's value stands for, where that is one thing.
fn concerning(world: &World, field: &str, text: &str) -> Option<AuditFilter> {
    let (reference, kind) = match field {
        "_event_vm_id" | "event_vm" => (Reference::Vm, NameKind::Vm),
        "_event_host_id" | "event_host" => (Reference::Host, NameKind::Host),
        "_event_template_id" | "event_template" => (Reference::Template, NameKind::Template),
        "_event_storage_id" | "event_storage" => (Reference::StorageDomain, NameKind::StorageDomain),
        "_event_quota_id" => return Some(AuditFilter::Concerning(Reference::Quota, Uuid::parse_str(text).ok()?)),
        "_event_datacenter_id" | "event_datacenter" => (Reference::DataCenter, NameKind::DataCenter),
        _ => return None,
    };
    if field.starts_with('_') {
        let id = Uuid::parse_str(text).ok()?;
        return Some(AuditFilter::Concerning(reference, id));
    }
    let mut named = world.named(kind, text);
    match (named.next(), named.next()) {
        (Some(one), None) => Some(AuditFilter::Concerning(reference, one.id)),
        _ => None,
    }
}

fn unavailable(call: &Call, error: &Unavailable) -> Answer {
    Answer::fault(503, &Fault::failed(error.to_string()), call.output)
}

async fn list(call: Arc<Call>) -> Handled {
    let plan = call.plan_for(Entity::Event)?;
    let from = call.parameter("from").filter(|from| !from.is_empty()).map(str::parse).transpose();
    let from = from.map_err(|_| call.bad(&Fault::failed("The parameter from has to be the number of an event")))?;
    let page = Page::of(call.max()?);
    let found = find(call.engine().audit(), &call.world, &plan, from, page.max).await;
    let found = found.map_err(|error| unavailable(&call, &error))?;
    listed(&call, &EVENT, found.iter().map(|entry| view(&call.world, call.base, entry)))
}

/// The entry of an id, unless it is hidden.
async fn entry(call: &Call, world: &World, id: Option<u64>) -> Result<AuditRecord, Answer> {
    let id = call.found(id.filter(|id| i64::try_from(*id).is_ok()), 1)?;
    let entry = call.engine().audit().entry(id).await.map_err(|error| unavailable(call, &error))?;
    call.found(entry.filter(|entry| is_shown(world, entry)), 1)
}

async fn get(call: Arc<Call>) -> Handled {
    let entry = entry(&call, &call.world, call.segment(1).parse().ok()).await?;
    shown(&call, &EVENT, &view(&call.world, call.base, &entry))
}

async fn delete(call: Arc<Call>) -> Handled {
    let entry = entry(&call, &call.world, call.segment(1).parse().ok()).await?;
    remove(&call, RemoveExternalEvent { event: entry.id }).await
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

async fn add(call: Arc<Call>) -> Handled {
    let sent = call.body(&EVENT)?;
    let needed = ["origin", "severity", "customId", "description"];
    require(&sent, "Event", "add", &needed).map_err(|fault| call.bad(&fault))?;
    let severity = sent.text("severity").unwrap_or_default();
    let known = EventSeverity::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(severity));
    let (severity, _) = known.ok_or_else(|| call.bad(&Fault::invalid_value(severity, &SEVERITY)))?;
    let mut about = Vec::new();
    for (member, kind) in ABOUT {
        about.extend(call.reference(&sent, member, *kind, member)?.and_then(|id| object_of(*kind, id)));
    }
    let report = Report {
        severity,
        description: given(&sent, "description").unwrap_or_default(),
        origin: given(&sent, "origin").unwrap_or_default(),
        custom_id: sent.int("custom_id").unwrap_or_default(),
        flood_rate: sent.int("flood_rate"),
        custom_data: given(&sent, "custom_data").unwrap_or_default(),
        about,
        user: call.reference(&sent, "user", NameKind::User, "user")?,
    };
    let outcome = call.submit(ReportExternalEvent(report)).await?;
    let id = outcome.events.first().map(|recorded| recorded.position);
    let entry = entry(&call, &outcome.world, id).await?;
    created(&call, &EVENT, &view(&outcome.world, call.base, &entry))
}
