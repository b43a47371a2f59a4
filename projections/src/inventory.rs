//! The inventory as collections list it: search over the World, order, pages, and the counts of the summary.
//!
//! There is no read model beside the World: its tables and its index of names answer. [`list`] seeks where the search
//! says enough, walks the names in order where the order is theirs, and scans where there is no other way.

mod events;
mod indexes;
mod rows;
mod seek;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::host::HostStatus;
use evirt_domain::ids::*;
use evirt_domain::index::{HostTerm, Indexed, StorageDomainTerm};
use evirt_domain::job::Task;
use evirt_domain::storage::StorageStatus;
use evirt_domain::world::{NameKind, Table};
use uuid::Uuid;

use crate::search::{Direction, Entity, Env, Pattern, Plan, Searchable, Value};
use crate::visible::Visible;

pub use events::{AuditRecord, AuditRowView, NAMES_IN_EVENTS, NO_CUSTOM_ID, OWN_ORIGIN};
pub use seek::{Find, Follow, Found, Index};

/// How many rows a page has where nothing is said.
pub const DEFAULT_PAGE_SIZE: usize = 100;
/// The most rows of a page, whatever is asked for; the rest is on the pages behind it.
pub const MAX_PAGE_SIZE: usize = 10_000;
/// How many candidates an index may yield before walking the names in order promises to be cheaper.
const MANY_CANDIDATES: usize = 4096;

/// How much of a list is wanted; which page it is stands in the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The most rows.
    pub max: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { max: DEFAULT_PAGE_SIZE }
    }
}

impl Page {
    /// A page of the size that a client asked for: none is the default, and a negative one as much as there may be.
    pub fn of(max: Option<i64>) -> Self {
        let max = match max {
            None => DEFAULT_PAGE_SIZE,
            Some(max) => usize::try_from(max).unwrap_or(MAX_PAGE_SIZE).min(MAX_PAGE_SIZE),
        };
        Self { max }
    }
}

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

/// A page of what a search finds, in its order; what it leaves equal is ordered by identifier.
///
/// A search for an exact name, an identifier or the like costs a few look-ups. In the order of names a page costs its own
/// rows, those of the pages before it, and those in between that do not match. Everything else is a scan; only what
/// matches is sorted then, and no more is kept than the pages up to the one wanted.
pub fn list<T: Resource>(view: View<'_>, plan: &Plan, page: Page) -> Vec<Arc<T>> {
    list_where(view, plan, page, |_| true)
}

/// Like [`list`], of those only that `keep` lets pass, such as those of one cluster.
///
/// Who does not see everything pays for what is seen, not for what there is, as long as that is not much.
pub fn list_where<T: Resource>(view: View<'_>, plan: &Plan, page: Page, keep: impl Fn(&T) -> bool) -> Vec<Arc<T>> {
    let keep = |item: &T| view.sees(T::ENTITY, item.id().into()) && keep(item);
    let lister = Lister { view, plan, keep, page: plan.range(page.max.min(MAX_PAGE_SIZE)) };
    let sought = plan.sought();
    let ordered = lister.in_order_of_names();
    let seen = view.visible.filter(|visible| !visible.is_everything()).and_then(|visible| T::seen(view.world, visible));
    let seen = seen.filter(|seen| !ordered || seen.len() <= MANY_CANDIDATES);
    let many = seen.as_ref().map_or(if ordered { MANY_CANDIDATES } else { usize::MAX }, Vec::len);
    let candidates = sought.as_ref().and_then(|sought| seek::candidates::<T>(view.world, sought, many));
    let prefix = |field| sought.as_ref().and_then(|sought| seek::prefix(sought, field));
    if let Some(candidates) = candidates.or_else(|| seen.map(BTreeSet::from_iter)) {
        let table = T::table(view.world);
        let rows = candidates.iter().filter_map(|id| table.get(id));
        return match T::NAMES {
            Some((_, field)) if ordered => lister.sorted_by_name(rows, field),
            _ => lister.sorted(rows),
        };
    }
    match T::NAMES {
        Some((kind, field)) if ordered => lister.walk(kind, prefix(field).unwrap_or_default()),
        Some((kind, field)) => match prefix(field) {
            Some(prefix) => {
                let table = T::table(view.world);
                lister.sorted(view.world.names_from(kind, prefix).filter_map(|key| table.get(&T::Id::from(key.id))))
            }
            None => lister.sorted(T::table(view.world).values()),
        },
        None => lister.sorted(T::table(view.world).values()),
    }
}

/// Like [`list`], by looking at every row: what the indices have to agree with.
#[cfg(test)]
fn scan<T: Resource>(view: View<'_>, plan: &Plan, page: Page) -> Vec<Arc<T>> {
    let lister = Lister { view, plan, keep: |_: &T| true, page: plan.range(page.max) };
    lister.sorted(T::table(view.world).values())
}

/// Identifiers that include all that a search finds, where indices know them and they are no more than `many`.
pub fn candidates(view: View<'_>, plan: &Plan, many: usize) -> Option<Vec<Uuid>> {
    seek::of_entity(view.world, plan.entity(), &plan.sought()?, many)
}

struct Lister<'a, 'p, K> {
    view: View<'a>,
    plan: &'p Plan,
    keep: K,
    page: std::ops::Range<usize>,
}

impl<'a, K> Lister<'a, '_, K> {
    fn matches<T: Resource>(&self, item: &'a Arc<T>) -> bool
    where
        K: Fn(&T) -> bool,
    {
        #[cfg(test)]
        tests::LOOKED_AT.with(|looked| looked.set(looked.get() + 1));
        self.plan.matches(&Row::new(self.view, &**item)) && (self.keep)(item)
    }

    /// Whether the order asked for is that of the index of names.
    fn in_order_of_names(&self) -> bool {
        let mut order = self.plan.order();
        let entity = self.plan.entity();
        let by_name = order.next() == Some((name_field(entity), Direction::Asc));
        by_name && order.all(|key| key == ("id", Direction::Asc))
    }

    fn compare<T: Resource>(&self, one: &'a Arc<T>, other: &'a Arc<T>) -> Ordering {
        let (left, right) = (Row::new(self.view, &**one), Row::new(self.view, &**other));
        self.plan.compare(&left, &right).then_with(|| one.id().cmp(&other.id()))
    }

    /// The page of the rows that match. Keeps at most twice as many as end with the page.
    fn sorted<T: Resource>(&self, rows: impl Iterator<Item = &'a Arc<T>>) -> Vec<Arc<T>>
    where
        K: Fn(&T) -> bool,
    {
        let wanted = self.page.end;
        if self.page.is_empty() {
            return Vec::new();
        }
        let mut best: Vec<&'a Arc<T>> = Vec::new();
        for row in rows.filter(|row| self.matches(row)) {
            best.push(row);
            if best.len() >= wanted.saturating_mul(2) {
                best.select_nth_unstable_by(wanted - 1, |one, other| self.compare(one, other));
                best.truncate(wanted);
            }
        }
        best.sort_unstable_by(|one, other| self.compare(one, other));
        best.into_iter().take(wanted).skip(self.page.start).cloned().collect()
    }

    /// The page of a few rows that match, in the order of the index of names: each name is looked at once.
    fn sorted_by_name<T: Resource>(&self, rows: impl Iterator<Item = &'a Arc<T>>, field: &'static str) -> Vec<Arc<T>>
    where
        K: Fn(&T) -> bool,
    {
        let mut found: Vec<&'a Arc<T>> = rows.filter(|row| self.matches(row)).collect();
        found.sort_by_cached_key(|row| {
            let name = match row.field(self.view, field) {
                Value::Text(name) => name.into_owned(),
                _ => String::new(),
            };
            (name.to_lowercase(), name, row.id())
        });
        found.into_iter().take(self.page.end).skip(self.page.start).cloned().collect()
    }

    /// The page of the rows that match, found by walking the names from a prefix on.
    fn walk<T: Resource>(&self, kind: NameKind, prefix: &str) -> Vec<Arc<T>>
    where
        K: Fn(&T) -> bool,
    {
        let table = T::table(self.view.world);
        self.view
            .world
            .names_from(kind, prefix)
            .filter_map(|key| table.get(&T::Id::from(key.id)))
            .filter(|row| self.matches(row))
            .skip(self.page.start)
            .take(self.page.len())
            .cloned()
            .collect()
    }
}

/// The field by whose value an entity is listed.
fn name_field(entity: Entity) -> &'static str {
    entity.default_sort().first().map_or("name", |(name, _)| name)
}

macro_rules! lists {
    ($($name:ident $resource:ty;)*) => {$(
        /// A page of what a search finds; see [`list`].
        pub fn $name(view: View<'_>, plan: &Plan, page: Page) -> Vec<Arc<$resource>> {
            list(view, plan, page)
        }
    )*};
}

lists! {
    list_vms evirt_domain::vm::Vm;
    list_hosts evirt_domain::host::Host;
    list_clusters evirt_domain::cluster::Cluster;
    list_data_centers evirt_domain::data_center::DataCenter;
    list_storage_domains evirt_domain::storage::StorageDomain;
    list_disks evirt_domain::disk::Disk;
    list_networks evirt_domain::network::Network;
    list_templates evirt_domain::template::Template;
    list_users evirt_domain::access::User;
    list_groups evirt_domain::access::Group;
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
