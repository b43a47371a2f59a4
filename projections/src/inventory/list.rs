//! Listing: by seeking where the filter says enough, by walking the names where the order is theirs, and by looking at all where there
//! is no other way.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use evirt_domain::world::{NameKey, NameKind};
use uuid::Uuid;

use super::query::{MAX_PAGE_SIZE, Query, Start, UnknownMarker};
use super::{Resource, Row, View, seek};
use crate::search::{Direction, Entity, Filter, Value};

/// How many candidates an index may yield before walking the names in order promises to be cheaper.
const MANY_CANDIDATES: usize = 4096;

/// A page of what a query finds, in its order; what that leaves equal is ordered by identifier.
///
/// A query for an exact name, an identifier or the like costs a few look-ups. In the order of names a page costs its own rows, those in
/// between that do not match and, where it begins at an offset, those of the pages before it; behind a marker it costs nothing for these.
/// Everything else is a scan; only what matches is sorted then, and no more is kept than the pages up to the one wanted, or behind a
/// marker than the page.
///
/// Refuses a marker that is of nothing to be seen.
pub fn list<T: Resource>(view: View<'_>, query: &Query) -> Result<Vec<Arc<T>>, UnknownMarker> {
    list_where(view, query, |_| true)
}

/// Like [`list`], of those only that `keep` lets pass, such as those of one cluster.
///
/// A caller who does not see everything pays for what it sees, not for what there is, as long as that is not much.
pub fn list_where<T: Resource>(view: View<'_>, query: &Query, keep: impl Fn(&T) -> bool) -> Result<Vec<Arc<T>>, UnknownMarker> {
    let keep = |item: &T| view.sees(T::ENTITY, item.id().into()) && keep(item);
    let lister = Lister::new(view, query, keep)?;
    let sought = query.filter.sought();
    let ordered = lister.in_order_of_names();
    let seen = view.visible.filter(|visible| !visible.is_everything()).and_then(|visible| T::seen(view.world, visible));
    let seen = seen.filter(|seen| !ordered || seen.len() <= MANY_CANDIDATES);
    let many = seen.as_ref().map_or(if ordered { MANY_CANDIDATES } else { usize::MAX }, Vec::len);
    let candidates = sought.as_ref().and_then(|sought| seek::candidates::<T>(view.world, sought, many));
    let prefix = |field| sought.as_ref().and_then(|sought| seek::prefix(sought, field));
    let table = T::table(view.world);
    if let Some(candidates) = candidates.or_else(|| seen.map(BTreeSet::from_iter)) {
        let rows = candidates.iter().filter_map(|id| table.get(id));
        return Ok(match T::NAMES {
            Some((_, field)) if ordered => lister.sorted_by_name(rows, field),
            _ => lister.sorted(rows),
        });
    }
    Ok(match T::NAMES {
        Some((kind, field)) if ordered => lister.walk(kind, field, prefix(field).unwrap_or_default()),
        Some((kind, field)) => match prefix(field) {
            Some(prefix) => lister.sorted(view.world.names_from(kind, prefix).filter_map(|key| table.get(&T::Id::from(key.id)))),
            None => lister.sorted(table.values()),
        },
        None => lister.sorted(table.values()),
    })
}

/// Like [`list`], by looking at every row: what the indices have to agree with.
#[cfg(test)]
pub(super) fn scan<T: Resource>(view: View<'_>, query: &Query) -> Result<Vec<Arc<T>>, UnknownMarker> {
    let lister = Lister::new(view, query, |item: &T| view.sees(T::ENTITY, item.id().into()))?;
    Ok(lister.sorted(T::table(view.world).values()))
}

/// Identifiers that include all that a filter finds, where indices know them and they are no more than `many`.
pub fn candidates(view: View<'_>, filter: &Filter, many: usize) -> Option<Vec<Uuid>> {
    seek::of_entity(view.world, filter.entity(), &filter.sought()?, many)
}

struct Lister<'a, 'q, T, K> {
    view: View<'a>,
    query: &'q Query,
    keep: K,
    /// The row that the page begins behind.
    after: Option<&'a Arc<T>>,
    /// How many rows the page begins behind, from there on.
    skipped: usize,
    max: usize,
}

/// Where a row stands in the order of names.
type NamePlace = (String, String, Uuid);

impl<'a, 'q, T: Resource, K: Fn(&T) -> bool> Lister<'a, 'q, T, K> {
    fn new(view: View<'a>, query: &'q Query, keep: K) -> Result<Self, UnknownMarker> {
        let (after, skipped) = match query.page.start {
            Start::Offset(skipped) => (None, skipped),
            Start::After(id) => {
                let marker = T::table(view.world).get(&T::Id::from(id)).filter(|_| view.sees(T::ENTITY, id));
                (Some(marker.ok_or(UnknownMarker(id))?), 0)
            }
        };
        Ok(Self { view, query, keep, after, skipped, max: query.page.max.min(MAX_PAGE_SIZE) })
    }

    fn matches(&self, item: &'a Arc<T>) -> bool {
        #[cfg(test)]
        super::tests::LOOKED_AT.with(|looked| looked.set(looked.get() + 1));
        self.query.filter.matches(&Row::new(self.view, &**item)) && (self.keep)(item)
    }

    /// Whether the order asked for is that of the index of names.
    fn in_order_of_names(&self) -> bool {
        let mut order = self.query.order.keys();
        let by_name = order.next() == Some((name_field(T::ENTITY), Direction::Asc));
        by_name && order.all(|key| key == ("id", Direction::Asc))
    }

    fn compare(&self, one: &'a Arc<T>, other: &'a Arc<T>) -> Ordering {
        let (left, right) = (Row::new(self.view, &**one), Row::new(self.view, &**other));
        self.query.order.compare(&left, &right).then_with(|| one.id().cmp(&other.id()))
    }

    /// The page of the rows that match. Keeps at most twice as many as end with the page.
    fn sorted(&self, rows: impl Iterator<Item = &'a Arc<T>>) -> Vec<Arc<T>> {
        let wanted = self.skipped.saturating_add(self.max);
        if self.max == 0 {
            return Vec::new();
        }
        let behind = |row: &&'a Arc<T>| self.after.is_none_or(|after| self.compare(row, after).is_gt());
        let mut best: Vec<&'a Arc<T>> = Vec::new();
        for row in rows.filter(behind).filter(|row| self.matches(row)) {
            best.push(row);
            if best.len() >= wanted.saturating_mul(2) {
                best.select_nth_unstable_by(wanted - 1, |one, other| self.compare(one, other));
                best.truncate(wanted);
            }
        }
        best.sort_unstable_by(|one, other| self.compare(one, other));
        best.into_iter().take(wanted).skip(self.skipped).cloned().collect()
    }

    /// Where a row stands in the order of names, by the field whose value its name is.
    fn name_place(&self, row: &'a Arc<T>, field: &'static str) -> NamePlace {
        let name = match row.field(self.view, field) {
            Value::Text(name) => name.into_owned(),
            _ => String::new(),
        };
        (name.to_lowercase(), name, row.id().into())
    }

    /// The page of a few rows that match, in the order of the index of names: each name is looked at once.
    fn sorted_by_name(&self, rows: impl Iterator<Item = &'a Arc<T>>, field: &'static str) -> Vec<Arc<T>> {
        let after = self.after.map(|after| self.name_place(after, field));
        let matching = rows.filter(|row| self.matches(row)).map(|row| (self.name_place(row, field), row));
        let mut found: Vec<_> = matching.filter(|(place, _)| after.as_ref().is_none_or(|after| place > after)).collect();
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        found.into_iter().skip(self.skipped).take(self.max).map(|(_, row)| row.clone()).collect()
    }

    /// The page of the rows that match, found by walking the names from a prefix or a marker on.
    fn walk(&self, kind: NameKind, field: &'static str, prefix: &str) -> Vec<Arc<T>> {
        let table = T::table(self.view.world);
        let prefix: Arc<str> = prefix.to_lowercase().into();
        let first = NameKey { kind, folded: prefix.clone(), name: "".into(), id: Uuid::nil() };
        let marked = self.after.map(|after| {
            let (folded, name, id) = self.name_place(after, field);
            NameKey { kind, folded: folded.into(), name: name.into(), id }
        });
        let start = match marked {
            Some(marked) if marked >= first => Bound::Excluded(marked),
            _ => Bound::Included(first),
        };
        let names = self.view.world.names.range((start, Bound::Unbounded));
        names
            .take_while(|key| key.kind == kind && key.folded.starts_with(&*prefix))
            .filter_map(|key| table.get(&T::Id::from(key.id)))
            .filter(|row| self.matches(row))
            .skip(self.skipped)
            .take(self.max)
            .cloned()
            .collect()
    }
}

/// The field by whose value an entity is listed.
fn name_field(entity: Entity) -> &'static str {
    entity.default_sort().first().map_or("name", |(name, _)| name)
}
