//! What searches may ask beside the World: the load of hosts and VMs as last sampled, and what the audit log tells of what is searched for.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use evirt_domain::World;
use evirt_domain::ids::{HostId, VmId};
use evirt_projections::inventory::{
    self, About, AuditRecord, AuditRowView, Events, HostLive, Live, NAMES_IN_EVENTS, View, VmLive,
};
use evirt_projections::search::{Condition, Entity};
use uuid::Uuid;

use super::answer::Answer;
use super::representation::Fault;
use super::request::ApiRequest;
use crate::audit::{AuditFilter, AuditQuery, Reference, References};
use crate::engine::Engine;
use crate::hypervisor::NicStatistics;

/// How many entries of the audit log a search for something else may look at; one that would need more is refused.
pub const MAX_EVENTS_SEARCHED: u64 = 1_000_000;
/// How many entries are read at a time.
const BATCH: u64 = 10_000;
/// Of how many candidates all that is told is looked through, rather than all that is told of one matter.
const MAX_ASKED_FOR: usize = 64;
/// What an interface is reckoned to carry, in bytes per second.
const NIC_BYTES_PER_S: f64 = 125_000_000.0;

impl Live for Engine {
    fn vm(&self, id: VmId) -> Option<VmLive> {
        let seen = self.driver().vm_statistics(id.0)?;
        Some(VmLive {
            cpu_percent: Some((seen.cpu_guest_percent + seen.cpu_hypervisor_percent) as i64),
            memory_percent: percent(seen.memory_used_bytes, seen.memory_installed_bytes),
            network_percent: Some(network(&seen.nics)),
            ..VmLive::default()
        })
    }

    fn host(&self, id: HostId) -> Option<HostLive> {
        let seen = self.driver().host_statistics(id.0)?;
        Some(HostLive {
            cpu_percent: Some((100.0 - seen.cpu_idle_percent) as i64),
            memory_percent: percent(seen.memory_used_bytes, seen.memory_total_bytes),
            network_percent: Some(network(&seen.nics)),
            load: Some(seen.load_average),
        })
    }
}

fn percent(part: u64, whole: u64) -> Option<i64> {
    (whole > 0).then(|| i64::try_from(part.saturating_mul(100) / whole).unwrap_or(100))
}

/// The use of the busiest interface.
fn network(nics: &[NicStatistics]) -> i64 {
    let busiest = nics.iter().map(|nic| nic.rx_bytes_per_s.max(nic.tx_bytes_per_s)).fold(0.0, f64::max);
    (busiest * 100.0 / NIC_BYTES_PER_S) as i64
}

/// Entries of the audit log by what they are about: of each condition of a search one that satisfies it, where there is any.
#[derive(Debug, Default)]
pub struct EventMatches(BTreeMap<About, Vec<AuditRecord>>);

impl Events for EventMatches {
    fn about(&self, about: About, visit: &mut dyn FnMut(&AuditRecord) -> bool) {
        let _ = self.0.get(&about).into_iter().flatten().any(visit);
    }
}

/// What events may be about that a search finds: its collection, the kind, the reference in an entry, and how many there are.
struct Kind {
    collection: &'static str,
    entity: Entity,
    reference: Reference,
    about: fn(Uuid) -> About,
    of: fn(&References) -> Option<Uuid>,
    known: fn(&World, Uuid) -> bool,
    count: fn(&World) -> usize,
}

const KINDS: [Kind; 4] = [
    Kind {
        collection: "vms",
        entity: Entity::Vm,
        reference: Reference::Vm,
        about: |id| About::Vm(id.into()),
        of: |of| of.vm.map(|id| id.0),
        known: |world, id| world.vms.contains(&id.into()),
        count: |world| world.vms.len(),
    },
    Kind {
        collection: "hosts",
        entity: Entity::Host,
        reference: Reference::Host,
        about: |id| About::Host(id.into()),
        of: |of| of.host.map(|id| id.0),
        known: |world, id| world.hosts.contains(&id.into()),
        count: |world| world.hosts.len(),
    },
    Kind {
        collection: "templates",
        entity: Entity::Template,
        reference: Reference::Template,
        about: |id| About::Template(id.into()),
        of: |of| of.template.map(|id| id.0),
        known: |world, id| world.templates.contains(&id.into()),
        count: |world| world.templates.len(),
    },
    Kind {
        collection: "users",
        entity: Entity::User,
        reference: Reference::User,
        about: |id| About::User(id.into()),
        of: |of| of.user.map(|id| id.0),
        known: |world, id| world.users.contains(&id.into()),
        count: |world| world.users.len(),
    },
];

/// Whether a request's search may refer to what the audit log tells.
pub fn may_refer(request: &ApiRequest) -> bool {
    let refers = request.parameter("search").is_some_and(|search| search.to_lowercase().contains("event"));
    refers && request.method == Method::GET && request.target.segments.len() == 1 && request.visible().is_everything()
}

/// The entries that a request's search refers to; none where it refers to no events.
///
/// Each condition is looked for in the part of the audit log that an index has for it, or where the search leaves only a few candidates,
/// in what is told of these, until all are found that there could be.
pub async fn told(request: &ApiRequest) -> Result<Option<EventMatches>, Answer> {
    let Some(kind) = KINDS.iter().find(|kind| kind.collection == request.segment(0)) else { return Ok(None) };
    // What is wrong with it is told by who lists.
    let Ok(plan) = request.plan_for(kind.entity) else { return Ok(None) };
    let few = inventory::candidates(View::new(&request.world, 0), &plan, MAX_ASKED_FOR);
    let mut left = MAX_EVENTS_SEARCHED;
    let mut told = EventMatches::default();
    for condition in plan.conditions_on(Entity::Event) {
        let filters: Vec<AuditFilter> = match &few {
            Some(few) => few.iter().map(|id| AuditFilter::Concerning(kind.reference, *id)).collect(),
            None => {
                let filters = super::events::filters(request.engine().audit(), &request.world, condition.hint().as_slice()).await;
                filters.map_err(|error| super::events::unavailable(request, &error))?
            }
        };
        let mut found = BTreeSet::new();
        for filter in filters {
            let wanted = if few.is_some() { found.len() + 1 } else { (kind.count)(&request.world) };
            look_for(request, kind, &condition, filter, wanted, &mut left, &mut found, &mut told).await?;
        }
    }
    Ok(Some(told))
}

/// Looks for entries that satisfy a condition until so many things are found that they are about.
#[allow(clippy::too_many_arguments)]
async fn look_for(
    request: &ApiRequest,
    kind: &Kind,
    condition: &Condition<'_>,
    filter: AuditFilter,
    wanted: usize,
    left: &mut u64,
    found: &mut BTreeSet<Uuid>,
    told: &mut EventMatches,
) -> Result<(), Answer> {
    let mut query = AuditQuery { filter, limit: BATCH, former: condition.asks(NAMES_IN_EVENTS), ..AuditQuery::default() };
    while found.len() < wanted {
        let entries = request.engine().audit().find(query).await;
        let entries = entries.map_err(|error| super::events::unavailable(request, &error))?;
        let view = View::new(&request.world, 0);
        for entry in &entries {
            let Some(id) = (kind.of)(&entry.about).filter(|id| !found.contains(id)) else { continue };
            if super::events::is_shown(&request.world, entry)
                && (kind.known)(&request.world, id)
                && condition.is_satisfied_by(&AuditRowView { record: entry, view })
            {
                found.insert(id);
                told.0.entry((kind.about)(id)).or_default().push(entry.clone());
            }
        }
        let Some(last) = entries.last().filter(|_| entries.len() as u64 == BATCH) else { break };
        query.before = Some(last.id);
        *left = left.checked_sub(BATCH).ok_or_else(|| {
            request.bad(&Fault::failed(format!(
                "The search refers to more than {MAX_EVENTS_SEARCHED} events: narrow it by their type, severity or time, or by a name"
            )))
        })?;
    }
    Ok(())
}
