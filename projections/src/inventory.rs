//! The inventory as collections list it: search over the World, order, pages, and the counts of the summary.
//!
//! There is no read model beside the World: its tables and its index of names answer.

mod events;
mod indexes;
mod list;
mod query;
mod rows;
mod seek;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use evirt_domain::World;
use evirt_domain::host::HostStatus;
use evirt_domain::ids::*;
use evirt_domain::index::{HostTerm, Indexed, StorageDomainTerm};
use evirt_domain::job::Task;
use evirt_domain::storage::StorageStatus;
use evirt_domain::world::{NameKind, Table};
use uuid::Uuid;

use crate::search::{Entity, Env, Pattern, Searchable, Value};
use crate::visible::Visible;

pub use events::{AuditRecord, AuditRowView, NAMES_IN_EVENTS, NO_CUSTOM_ID, OWN_ORIGIN};
pub use list::{candidates, list, list_where};
pub use query::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page, Query, Start, UnknownMarker};
pub use seek::{Find, Follow, Found, Index};

/// What was last sampled of a running VM. It is no part of the World.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VmLive {
    /// In percent of its CPUs.
    pub cpu_percent: Option<i64>,
    /// In percent of its memory.
    pub memory_percent: Option<i64>,
    /// In percent of its interfaces' speed.
    pub network_percent: Option<i64>,
    /// How far its migration is.
    pub migration_percent: Option<i64>,
    /// Who is logged in to the guest; empty for nobody.
    pub logged_in_user: String,
    /// What is installed in the guest.
    pub apps: Vec<String>,
}

/// What was last sampled of a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostLive {
    /// In percent.
    pub cpu_percent: Option<i64>,
    /// In percent.
    pub memory_percent: Option<i64>,
    /// In percent.
    pub network_percent: Option<i64>,
    /// Mean number of tasks that want to run.
    pub load: Option<f64>,
}

/// Live statistics, as far as a search may ask for them.
pub trait Live {
    /// Those of a VM.
    fn vm(&self, id: VmId) -> Option<VmLive>;
    /// Those of a host.
    fn host(&self, id: HostId) -> Option<HostLive>;
}

/// What entries of the audit log may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum About {
    Vm(VmId),
    Host(HostId),
    Template(TemplateId),
    User(UserId),
}

/// The audit log, as far as a search for something else may refer to it.
pub trait Events {
    /// Shows each entry about something to `visit` until that returns true.
    fn about(&self, about: About, visit: &mut dyn FnMut(&AuditRecord) -> bool);
}

/// What the rows of a list are looked at in.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The state of everything.
    pub world: &'a World,
    /// The time now: what an uptime is reckoned to.
    pub now: Micros,
    /// Live statistics; without them their fields are absent.
    pub live: Option<&'a dyn Live>,
    /// The audit log; without it nothing refers to an event.
    pub events: Option<&'a dyn Events>,
    /// What is seen; without it everything.
    pub visible: Option<&'a Visible>,
}

impl<'a> View<'a> {
    /// A view of the World alone.
    pub fn new(world: &'a World, now: Micros) -> Self {
        Self { world, now, live: None, events: None, visible: None }
    }

    /// Whether something is seen.
    fn sees(&self, entity: Entity, id: Uuid) -> bool {
        let Some(visible) = self.visible.filter(|visible| !visible.is_everything()) else { return true };
        match rows::object(entity, id) {
            Some(object) => visible.contains(self.world, object),
            // Of users everybody sees but themselves, and of groups none.
            None => entity == Entity::User && visible.user().0 == id,
        }
    }

    /// What a search has to know when it is compiled: its `tags` are those of the World.
    ///
    /// `tags` is best made by [`tag_names`].
    pub fn env<'e>(&self, case_sensitive: bool, tags: &'e dyn Fn(&Pattern) -> Vec<String>) -> Env<'e> {
        Env { now_micros: self.now, case_sensitive, tags }
    }
}

/// The names of the tags that a pattern matches and of all tags below them. Costs a walk over the tags.
pub fn tag_names(world: &World, pattern: &Pattern) -> Vec<String> {
    let matching = world.tags.values().filter(|tag| pattern.matches(&tag.config.name));
    let found: BTreeSet<TagId> = matching.flat_map(|tag| evirt_domain::tag::descendants(world, tag.id)).collect();
    found.iter().filter_map(|id| world.tags.get(id)).map(|tag| tag.config.name.clone()).collect()
}

/// A kind of aggregate that is listed and searched for.
pub trait Resource: Indexed + Clone + Sized + 'static {
    /// Its identifier.
    type Id: Ord + Copy + From<Uuid> + Into<Uuid>;
    /// What the search language calls it.
    const ENTITY: Entity;
    /// The names whose order is the default order, and the field that they are the values of.
    const NAMES: Option<(NameKind, &'static str)>;

    /// All of them.
    fn table(world: &World) -> &Table<Self::Id, Self>;
    /// The identifier.
    fn id(&self) -> Self::Id;
    /// The value of a field of the search language.
    fn field<'a>(&'a self, view: View<'a>, name: &'static str) -> Value<'a>;
    /// Shows each related row to `visit` until that returns true.
    fn related(&self, view: View<'_>, reference: Entity, visit: &mut dyn FnMut(&dyn Searchable) -> bool);
    /// The few that include all that is visible, where an index knows them; none where all may be.
    fn seen(_: &World, _: &Visible) -> Option<Vec<Self::Id>> {
        None
    }
    /// By which fields they are found without looking at all.
    const INDEXES: &'static [Index<Self>];
    /// What an index of the World has them under.
    type By: Copy;
    /// Those that an index has under a term.
    fn found_by(world: &World, term: Self::By) -> Box<dyn Iterator<Item = Self::Id> + '_>;
    /// Whether an index has one under a term.
    fn is_found_by(world: &World, term: Self::By, id: Self::Id) -> bool;
}

/// One aggregate as a search sees it.
pub struct Row<'a, T> {
    /// What it is looked at in.
    pub view: View<'a>,
    /// The aggregate.
    pub item: &'a T,
}

impl<'a, T> Row<'a, T> {
    /// An aggregate's row.
    pub fn new(view: View<'a>, item: &'a T) -> Self {
        Self { view, item }
    }
}

impl<T: Resource> Searchable for Row<'_, T> {
    fn field(&self, name: &'static str) -> Value<'_> {
        self.item.field(self.view, name)
    }

    fn related(&self, reference: Entity, visit: &mut dyn FnMut(&dyn Searchable) -> bool) {
        self.item.related(self.view, reference, visit);
    }
}

/// How many there are, and how many of them are at work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All.
    pub total: usize,
    /// VMs that run, hosts that are up, users who are logged in, storage domains that are active.
    pub active: usize,
}

/// The counts that the API's entry point shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Virtual machines.
    pub vms: Count,
    /// Hosts.
    pub hosts: Count,
    /// Users.
    pub users: Count,
    /// Storage domains.
    pub storage_domains: Count,
}

/// The counts. Costs a walk over the hosts that are up, the storage domains that are active, the users who are logged in and the open
/// jobs, and none over VMs or sessions.
pub fn summary(world: &World) -> Summary {
    // A VM that migrates has a place on both hosts.
    let migrating = world
        .open_jobs
        .iter()
        .filter_map(|id| match world.jobs.get(id)?.task {
            Task::MigrateVm { vm } => world.vms.get(&vm)?.run.as_ref()?.destination,
            _ => None,
        })
        .count();
    Summary {
        vms: Count { total: world.vms.len(), active: world.placed.iter().len().saturating_sub(migrating) },
        hosts: Count { total: world.hosts.len(), active: world.hosts.ids_by(HostTerm::Status(HostStatus::Up)).count() },
        users: Count { total: world.users.len(), active: world.sessions.count_terms() },
        storage_domains: Count {
            total: world.storage_domains.len(),
            active: world.storage_domains.ids_by(StorageDomainTerm::Status(StorageStatus::Active)).count(),
        },
    }
}
