//! The audit log, which dialects call events: its entries, and what is found among them.

use evirt_domain::World;
use evirt_domain::access::EntityRef;
use evirt_domain::external::{RemoveExternalEvent, Report, ReportExternalEvent};
use evirt_domain::world::NameKind;
use evirt_domain::{Key, Rejection};
use evirt_projections::inventory::{AuditRowView, NAMES_IN_EVENTS, View};
use evirt_projections::search::{Direction, Entity, Hint, Plan, Seek};
use uuid::Uuid;

use super::event_matches::MAX_EVENTS_SEARCHED;
use super::{App, Done, OpContext, Refused, Wait};
use crate::audit::{AuditFilter, AuditLog, AuditQuery, Reference, Severity};
use crate::log::Unavailable;

pub use super::event_matches::EventMatches;
pub use crate::audit::AuditRecord;

/// How many entries are read from the log at a time where each has to be looked at.
const BATCH: u64 = 1_000;
/// How many things that have or had one name are looked for one by one; of more all of the log is looked through.
const MAX_NAMED: usize = 64;

impl From<Unavailable> for Refused {
    fn from(error: Unavailable) -> Self {
        Self::Rejected(Rejection::new(Key::LogUnavailable).with("detail", error))
    }
}

/// A page of what a search finds, behind entry `from`; at most `max` entries.
///
/// Refused where the audit log cannot be read.
///
/// `TooBroad` where more than [`MAX_EVENTS_SEARCHED`] entries would have to be looked at: no search may hold a core for long.
///
/// A caller who does not see everything is shown the entries of what it sees.
pub async fn list(app: &App, cx: &OpContext, plan: &Plan, from: Option<u64>, max: usize) -> Result<Vec<AuditRecord>, Refused> {
    find(app.engine.audit(), cx, plan, from, max).await
}

/// The entry of an id, unless there is none, it is hidden in this World, or it is of what the caller does not see.
///
/// Refused where the audit log cannot be read.
pub async fn entry(app: &App, cx: &OpContext, id: u64) -> Result<Option<AuditRecord>, Refused> {
    Ok(shown(app, &cx.world, id).await?.filter(|entry| sees(cx, entry)))
}

/// The entry of an id, unless there is none or it is hidden in this World.
async fn shown(app: &App, world: &World, id: u64) -> Result<Option<AuditRecord>, Refused> {
    if i64::try_from(id).is_err() {
        return Ok(None);
    }
    Ok(app.engine.audit().entry(id).await?.filter(|entry| is_shown(world, entry)))
}

/// Whether an entry is of something that the caller sees: the innermost of what it is about. One that is about nothing but a user is that
/// user's own.
fn sees(cx: &OpContext, entry: &AuditRecord) -> bool {
    let (visible, of) = (cx.visible(), entry.about);
    if visible.is_everything() {
        return true;
    }
    let object = of.vm.map(EntityRef::Vm).or(of.template.map(EntityRef::Template)).or(of.host.map(EntityRef::Host));
    let object = object.or(of.storage_domain.map(EntityRef::StorageDomain)).or(of.cluster.map(EntityRef::Cluster));
    match object.or(of.data_center.map(EntityRef::DataCenter)) {
        Some(object) => visible.contains(&cx.world, object),
        None => of.user == Some(cx.user),
    }
}

/// Filters that all that the caller sees passes, where that is a few objects; else one that passes all.
fn seen(cx: &OpContext) -> Vec<AuditFilter> {
    let Some(objects) = cx.visible().alone().filter(|objects| objects.len() <= MAX_NAMED) else { return vec![AuditFilter::All] };
    let concerning = |object: EntityRef| {
        Some(match object {
            EntityRef::Vm(id) => AuditFilter::Concerning(Reference::Vm, id.0),
            EntityRef::Template(id) => AuditFilter::Concerning(Reference::Template, id.0),
            EntityRef::Host(id) => AuditFilter::Concerning(Reference::Host, id.0),
            EntityRef::StorageDomain(id) => AuditFilter::Concerning(Reference::StorageDomain, id.0),
            EntityRef::Cluster(id) => AuditFilter::Concerning(Reference::Cluster, id.0),
            EntityRef::DataCenter(id) => AuditFilter::Concerning(Reference::DataCenter, id.0),
            _ => return None,
        })
    };
    let own = AuditFilter::Concerning(Reference::User, cx.user.0);
    objects.into_iter().filter_map(concerning).chain([own]).collect()
}

/// Takes in what a system outside reports, and gives its entry.
///
/// Refused as the command is, and where the audit log cannot be read.
pub async fn report(app: &App, cx: &OpContext, report: Report) -> Result<(Done, Option<AuditRecord>), Refused> {
    let done = app.carry_out(cx, Wait::Decision, ReportExternalEvent(report)).await?;
    let id = done.outcome.events.first().map(|recorded| recorded.position);
    let entry = shown(app, &done.world, id.unwrap_or(done.outcome.position)).await?;
    Ok((done, entry))
}

/// Hides what a system outside reported.
///
/// Refused as the command is.
pub async fn remove(app: &App, cx: &OpContext, event: u64) -> Result<Done, Refused> {
    app.carry_out(cx, Wait::Decision, RemoveExternalEvent { event }).await
}

/// Whether an entry is still shown: one that a system outside reported may have been removed since.
pub(super) fn is_shown(world: &World, entry: &AuditRecord) -> bool {
    entry.custom_id.is_none() || world.external_events.get(entry.id).is_some()
}

/// A page of what a search finds in the audit log, behind entry `from`.
///
/// In the order of the log, whole pages and searches for a code or for what entries concern are index seeks; others walk
/// the log in batches until the page is full. Any other order has to look at all that match.
async fn find(log: &AuditLog, cx: &OpContext, plan: &Plan, from: Option<u64>, max: usize) -> Result<Vec<AuditRecord>, Refused> {
    let (world, page) = (&*cx.world, plan.range(max));
    let oldest_first = match log_order(plan) {
        Some(Direction::Asc) => true,
        Some(Direction::Desc) => false,
        None => {
            let mut found = look_through(log, cx, plan, from, false, usize::MAX).await?;
            // Nothing in a search of entries depends on the time of the look.
            let view = looked_at(cx);
            found.sort_by(|one, other| plan.compare(&AuditRowView { record: one, view }, &AuditRowView { record: other, view }));
            return Ok(found.into_iter().take(page.end).skip(page.start).collect());
        }
    };
    if plan.matches_all() && world.external_events.hidden() == 0 && cx.visible().is_everything() {
        let query = AuditQuery {
            after: from,
            oldest_first,
            limit: page.len() as u64,
            offset: page.start as u64,
            ..AuditQuery::default()
        };
        return Ok(log.find(query).await?);
    }
    let mut found = look_through(log, cx, plan, from, oldest_first, page.end).await?;
    found.drain(..page.start.min(found.len()));
    Ok(found)
}

/// What entries are looked at in.
fn looked_at(cx: &OpContext) -> View<'_> {
    View { visible: Some(cx.visible()), ..View::new(&cx.world, 0) }
}

/// The direction of a search whose order is that of the log.
fn log_order(plan: &Plan) -> Option<Direction> {
    let (name, direction) = plan.order().next()?;
    matches!(name, "time" | "audit_log_id").then_some(direction)
}

/// The first entries that match, no more than are wanted, in the order of the log.
async fn look_through(
    log: &AuditLog,
    cx: &OpContext,
    plan: &Plan,
    from: Option<u64>,
    oldest_first: bool,
    wanted: usize,
) -> Result<Vec<AuditRecord>, Refused> {
    let former = plan.asks(NAMES_IN_EVENTS);
    let mut filters = filters(log, &cx.world, &plan.index_hint()).await?;
    if filters == [AuditFilter::All] && !cx.visible().is_everything() {
        filters = seen(cx);
    }
    let mut found = Vec::new();
    for filter in filters {
        let query = AuditQuery { after: from, oldest_first, filter, limit: BATCH, former, ..AuditQuery::default() };
        found.extend(walk(log, cx, plan, query, wanted).await?);
        found.sort_by_key(|entry| if oldest_first { entry.id } else { u64::MAX - entry.id });
        // Of what is seen several objects may be in one entry.
        found.dedup_by_key(|entry| entry.id);
        found.truncate(wanted);
    }
    Ok(found)
}

/// The first entries of a query that match and that the caller sees, no more than are wanted.
async fn walk(
    log: &AuditLog,
    cx: &OpContext,
    plan: &Plan,
    mut query: AuditQuery,
    wanted: usize,
) -> Result<Vec<AuditRecord>, Refused> {
    let (mut found, mut looked) = (Vec::new(), 0);
    loop {
        let batch = log.find(query).await?;
        let view = looked_at(cx);
        let last = batch.last().map(|entry| entry.id);
        let more = batch.len() as u64 == BATCH;
        for entry in batch {
            let row = AuditRowView { record: &entry, view };
            if sees(cx, &entry) && is_shown(&cx.world, &entry) && plan.matches(&row) {
                found.push(entry);
            }
            if found.len() == wanted {
                return Ok(found);
            }
        }
        if !more {
            return Ok(found);
        }
        looked += BATCH;
        if looked >= MAX_EVENTS_SEARCHED {
            return Err(Refused::TooBroad { limit: MAX_EVENTS_SEARCHED });
        }
        match query.oldest_first {
            true => query.after = last,
            false => query.before = last,
        }
    }
}

/// Filters of which each match passes one: the first of a search's hints that the log has an index for.
pub(super) async fn filters(log: &AuditLog, world: &World, hints: &[Hint]) -> Result<Vec<AuditFilter>, Unavailable> {
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
