//! The audit log, which the API calls events: the guide's chapter 24.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::external::{EventSeverity, RemoveExternalEvent, Report, ReportExternalEvent};
use evirt_domain::world::NameKind;
use evirt_projections::inventory::{AuditRowView, NAMES_IN_EVENTS, NO_CUSTOM_ID, Page, View};
use evirt_projections::search::{Direction, Entity, Hint, Plan, Seek};
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::collection::{created, remove};
use super::parts::{date, given, listed, shown, text};
use super::representation::check::require;
use super::representation::description::EnumDef;
use super::representation::types::EVENT;
use super::representation::{Doc, Fault};
use super::request::ApiRequest;
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
/// How many things that have or had one name are looked for one by one; of more all of the log is looked through.
const MAX_NAMED: usize = 64;
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
            let mut found = look_through(log, world, plan, from, false, usize::MAX).await?;
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
    let mut found = look_through(log, world, plan, from, oldest_first, page.end).await?;
    found.drain(..page.start.min(found.len()));
    Ok(found)
}

/// The direction of a search whose order is that of the log.
fn log_order(plan: &Plan) -> Option<Direction> {
    let (name, direction) = plan.order().next()?;
    matches!(name, "time" | "audit_log_id").then_some(direction)
}

/// The first entries that match, no more than are wanted, in the order of the log.
async fn look_through(
    log: &AuditLog,
    world: &World,
    plan: &Plan,
    from: Option<u64>,
    oldest_first: bool,
    wanted: usize,
) -> Result<Vec<AuditRecord>, Unavailable> {
    let former = plan.asks(NAMES_IN_EVENTS);
    let mut found = Vec::new();
    for filter in filters(log, world, &plan.index_hint()).await? {
        let query = AuditQuery { after: from, oldest_first, filter, limit: BATCH, former, ..AuditQuery::default() };
        // What one filter lets through no other does.
        found.extend(walk(log, world, plan, query, wanted).await?);
        found.sort_by_key(|entry| if oldest_first { entry.id } else { u64::MAX - entry.id });
        found.truncate(wanted);
    }
    Ok(found)
}

/// The first entries of a query that match, no more than are wanted.
async fn walk(
    log: &AuditLog,
    world: &World,
    plan: &Plan,
    mut query: AuditQuery,
    wanted: usize,
) -> Result<Vec<AuditRecord>, Unavailable> {
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
        match query.oldest_first {
            true => query.after = last,
            false => query.before = last,
        }
    }
}

/// Filters of which each match passes one, and no entry passes two: the first of a search's hints that the log has an index for.
pub async fn filters(log: &AuditLog, world: &World, hints: &[Hint]) -> Result<Vec<AuditFilter>, Unavailable> {
    for hint in hints {
        let filter = match (hint.reference, hint.field, &hint.seek) {
            (None, "type", Seek::Int(code)) => u32::try_from(*code).ok().map(AuditFilter::Code),
            (None, "time", Seek::Within(from, until)) => Some(AuditFilter::Between(*from, *until)),
            (None, "severity", Seek::Texts(names)) => at_least(names).map(AuditFilter::AtLeast),
            (reference, field, Seek::Texts(texts)) => match (texts.as_slice(), identified(reference, field)) {
                ([id], Some(kind)) => Uuid::parse_str(id).ok().map(|id| AuditFilter::Concerning(kind, id)),
                ([name], None) => match named(log, world, reference, field, name).await? {
                    Some(filters) => return Ok(filters),
                    None => None,
                },
                _ => None,
            },
            _ => None,
        };
        if let Some(filter) = filter {
            return Ok(vec![filter]);
        }
    }
    Ok(vec![AuditFilter::All])
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

/// What a field of an entry identifies.
fn identified(reference: Option<Entity>, field: &str) -> Option<Reference> {
    Some(match (reference, field) {
        (None, "_event_vm_id") => Reference::Vm,
        (None, "_event_host_id") => Reference::Host,
        (None, "_event_template_id") => Reference::Template,
        (None, "_event_storage_id") => Reference::StorageDomain,
        (None, "_event_quota_id") => Reference::Quota,
        (None, "_event_datacenter_id") => Reference::DataCenter,
        _ => return None,
    })
}

/// Filters for the entries that concern what a field of theirs, or of what they refer to, names: all that is or was called so. None where
/// the field is no such name, or where there is too much of that name.
async fn named(
    log: &AuditLog,
    world: &World,
    reference: Option<Entity>,
    field: &str,
    name: &str,
) -> Result<Option<Vec<AuditFilter>>, Unavailable> {
    let (kind, names) = match (reference, field) {
        (None, "event_vm") | (Some(Entity::Vm), "name") => (Reference::Vm, NameKind::Vm),
        (None, "event_host") | (Some(Entity::Host), "name") => (Reference::Host, NameKind::Host),
        (None, "event_template") | (Some(Entity::Template), "name") => (Reference::Template, NameKind::Template),
        (Some(Entity::Cluster), "name") => (Reference::Cluster, NameKind::Cluster),
        (None, "event_storage") => (Reference::StorageDomain, NameKind::StorageDomain),
        (None, "event_datacenter") => (Reference::DataCenter, NameKind::DataCenter),
        _ => return Ok(None),
    };
    let mut ids: Vec<Uuid> = world.named(names, name).take(MAX_NAMED + 1).map(|named| named.id).collect();
    ids.extend(log.formerly_called(kind, name, MAX_NAMED as u64 + 1).await?);
    ids.sort_unstable();
    ids.dedup();
    Ok((ids.len() <= MAX_NAMED).then(|| ids.into_iter().map(|id| AuditFilter::Concerning(kind, id)).collect()))
}

/// The answer that the audit log cannot be read.
pub fn unavailable(request: &ApiRequest, error: &Unavailable) -> Answer {
    Answer::fault(503, &Fault::failed(error.to_string()), request.output)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let plan = request.plan_for(Entity::Event)?;
    let from = request.parameter("from").filter(|from| !from.is_empty()).map(str::parse).transpose();
    let from = from.map_err(|_| request.bad(&Fault::failed("The parameter from has to be the number of an event")))?;
    let page = Page::of(request.max()?);
    let found = find(request.engine().audit(), &request.world, &plan, from, page.max).await;
    let found = found.map_err(|error| unavailable(&request, &error))?;
    listed(&request, &EVENT, found.iter().map(|entry| view(&request.world, request.base, entry)))
}

/// The entry of an id, unless it is hidden.
async fn entry(request: &ApiRequest, world: &World, id: Option<u64>) -> Result<AuditRecord, Answer> {
    let id = request.found(id.filter(|id| i64::try_from(*id).is_ok()), 1)?;
    let entry = request.engine().audit().entry(id).await.map_err(|error| unavailable(request, &error))?;
    request.found(entry.filter(|entry| is_shown(world, entry)), 1)
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    let entry = entry(&request, &request.world, request.segment(1).parse().ok()).await?;
    shown(&request, &EVENT, &view(&request.world, request.base, &entry))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let entry = entry(&request, &request.world, request.segment(1).parse().ok()).await?;
    remove(&request, RemoveExternalEvent { event: entry.id }).await
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
    let needed = ["origin", "severity", "customId", "description"];
    require(&sent, "Event", "add", &needed).map_err(|fault| request.bad(&fault))?;
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
    let outcome = request.submit(ReportExternalEvent(report)).await?;
    let id = outcome.events.first().map(|recorded| recorded.position);
    let entry = entry(&request, &outcome.world, id).await?;
    created(&request, &EVENT, &view(&outcome.world, request.base, &entry))
}
