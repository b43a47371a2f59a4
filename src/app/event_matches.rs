//! What the audit log tells of what is searched for: searches for other things may refer to their events.

use std::collections::{BTreeMap, BTreeSet};

use evirt_domain::World;
use evirt_projections::inventory::{self, About, AuditRecord, AuditRowView, Events, NAMES_IN_EVENTS, View};
use evirt_projections::search::{Condition, Entity, Plan};
use uuid::Uuid;

use super::event::{filters, is_shown};
use super::{App, OpContext, Refused};
use crate::audit::{AuditFilter, AuditQuery, Reference, References};

/// How many entries of the audit log a search may look at, for entries or for something else; one that would need more is refused.
pub const MAX_EVENTS_SEARCHED: u64 = 1_000_000;
/// How many entries are read at a time.
const BATCH: u64 = 10_000;
/// Of how many candidates all that is told is looked through, rather than all that is told of one matter.
const MAX_ASKED_FOR: usize = 64;

/// Entries of the audit log by what they are about: of each condition of a search one that satisfies it, where there is any.
#[derive(Debug, Default)]
pub struct EventMatches(BTreeMap<About, Vec<AuditRecord>>);

impl Events for EventMatches {
    fn about(&self, about: About, visit: &mut dyn FnMut(&AuditRecord) -> bool) {
        let _ = self.0.get(&about).into_iter().flatten().any(visit);
    }
}

/// What events may be about that a search finds: the kind, the reference in an entry, and how many there are.
struct Kind {
    entity: Entity,
    reference: Reference,
    about: fn(Uuid) -> About,
    of: fn(&References) -> Option<Uuid>,
    known: fn(&World, Uuid) -> bool,
    count: fn(&World) -> usize,
}

const KINDS: [Kind; 4] = [
    Kind {
        entity: Entity::Vm,
        reference: Reference::Vm,
        about: |id| About::Vm(id.into()),
        of: |of| of.vm.map(|id| id.0),
        known: |world, id| world.vms.contains(&id.into()),
        count: |world| world.vms.len(),
    },
    Kind {
        entity: Entity::Host,
        reference: Reference::Host,
        about: |id| About::Host(id.into()),
        of: |of| of.host.map(|id| id.0),
        known: |world, id| world.hosts.contains(&id.into()),
        count: |world| world.hosts.len(),
    },
    Kind {
        entity: Entity::Template,
        reference: Reference::Template,
        about: |id| About::Template(id.into()),
        of: |of| of.template.map(|id| id.0),
        known: |world, id| world.templates.contains(&id.into()),
        count: |world| world.templates.len(),
    },
    Kind {
        entity: Entity::User,
        reference: Reference::User,
        about: |id| About::User(id.into()),
        of: |of| of.user.map(|id| id.0),
        known: |world, id| world.users.contains(&id.into()),
        count: |world| world.users.len(),
    },
];

/// The entries that a search for something else refers to.
///
/// Each condition is looked for in the part of the audit log that an index has for it, or where the search leaves only a few candidates,
/// in what is told of these, until all are found that there could be.
///
/// Refused where more than [`MAX_EVENTS_SEARCHED`] entries would have to be looked at, and where the audit log cannot be read.
pub async fn of(app: &App, cx: &OpContext, entity: Entity, plan: &Plan) -> Result<Option<EventMatches>, Refused> {
    let Some(kind) = KINDS.iter().find(|kind| kind.entity == entity) else { return Ok(None) };
    let few = inventory::candidates(View::new(&cx.world, 0), &plan.filter, MAX_ASKED_FOR);
    let mut search = Search { app, world: &cx.world, kind, left: MAX_EVENTS_SEARCHED, matches: EventMatches::default() };
    for condition in plan.conditions_on(Entity::Event) {
        let filters: Vec<AuditFilter> = match &few {
            Some(few) => few.iter().map(|id| AuditFilter::Concerning(kind.reference, *id)).collect(),
            None => filters(app.engine.audit(), &cx.world, condition.hint().as_slice()).await?,
        };
        let mut found = BTreeSet::new();
        for filter in filters {
            let wanted = if few.is_some() { found.len() + 1 } else { (kind.count)(&cx.world) };
            search.look_for(&condition, filter, wanted, &mut found).await?;
        }
    }
    Ok(Some(search.matches))
}

/// A search for entries that others refer to.
struct Search<'a> {
    app: &'a App,
    world: &'a World,
    kind: &'static Kind,
    /// How many more entries may be looked at.
    left: u64,
    matches: EventMatches,
}

impl Search<'_> {
    /// Looks for entries that satisfy a condition until so many things are found that they are about.
    async fn look_for(
        &mut self,
        condition: &Condition<'_>,
        filter: AuditFilter,
        wanted: usize,
        found: &mut BTreeSet<Uuid>,
    ) -> Result<(), Refused> {
        let mut query = AuditQuery { filter, limit: BATCH, former: condition.asks(NAMES_IN_EVENTS), ..AuditQuery::default() };
        while found.len() < wanted {
            let entries = self.app.engine.audit().find(query).await?;
            let view = View::new(self.world, 0);
            for entry in &entries {
                let Some(id) = (self.kind.of)(&entry.about).filter(|id| !found.contains(id)) else { continue };
                if is_shown(self.world, entry)
                    && (self.kind.known)(self.world, id)
                    && condition.is_satisfied_by(&AuditRowView { record: entry, view })
                {
                    found.insert(id);
                    self.matches.0.entry((self.kind.about)(id)).or_default().push(entry.clone());
                }
            }
            let Some(last) = entries.last().filter(|_| entries.len() as u64 == BATCH) else { break };
            query.before = Some(last.id);
            self.left = self.left.checked_sub(BATCH).ok_or(Refused::TooBroad { limit: MAX_EVENTS_SEARCHED })?;
        }
        Ok(())
    }
}
