//! Tables: aggregates of one type, and the index by what they are found by.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::index::{Indexed, Tallies, Tally, Terms};

/// Aggregates of one type by id, and by what they are found by, structurally shared between copies.
///
/// Only the aggregates are written down; the index follows from them.
pub struct Table<K: Ord, V: Indexed> {
    rows: OrdMap<K, Arc<V>>,
    /// None while it is put off.
    index: Option<Index<K, V>>,
}

/// Whom a term finds, and how many count for what.
struct Index<K, V: Indexed> {
    found: OrdSet<(V::Term, K)>,
    /// Never zero.
    counted: OrdMap<Tally, usize>,
}

impl<K: Clone, V: Indexed> Clone for Index<K, V> {
    fn clone(&self) -> Self {
        Self { found: self.found.clone(), counted: self.counted.clone() }
    }
}

impl<K, V: Indexed> Default for Index<K, V> {
    fn default() -> Self {
        Self { found: OrdSet::new(), counted: OrdMap::new() }
    }
}

impl<K: Ord, V: Indexed> PartialEq for Index<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.found == other.found && self.counted == other.counted
    }
}

impl<K: Ord + Clone, V: Indexed> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), index: self.index.clone() }
    }
}

impl<K: Ord + Clone, V: Indexed> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: OrdMap::new(), index: Some(Index::default()) }
    }
}

impl<K: Ord + Clone, V: Indexed + PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl<K: Ord + Clone + Debug, V: Indexed + Debug> Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.fmt(f)
    }
}

impl<K: Ord + Clone + Serialize, V: Indexed + Serialize> Serialize for Table<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rows.serialize(serializer)
    }
}

impl<'de, K: Ord + Clone + Deserialize<'de>, V: Indexed + Deserialize<'de>> Deserialize<'de> for Table<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = OrdMap::<K, Arc<V>>::deserialize(deserializer)?;
        Ok(Self { index: Some(index(&rows)), rows })
    }
}

/// What aggregates are found by.
fn index<K: Ord + Clone, V: Indexed>(rows: &OrdMap<K, Arc<V>>) -> Index<K, V> {
    let mut found: Vec<_> =
        rows.iter().flat_map(|(id, value)| value.terms().into_iter().map(|term| (term, id.clone()))).collect();
    // In their order they go into a few nodes at a time.
    found.sort_unstable();
    let mut index = Index { found: found.into_iter().collect(), ..Index::default() };
    rows.values().for_each(|value| index.recount(&[], &value.tallies()));
    index
}

impl<K: Ord + Clone, V: Indexed> Index<K, V> {
    /// An aggregate is found by other terms, and counts for something else, than before.
    fn change(&mut self, id: &K, before: &Place<V>, after: &Place<V>) {
        self.refind(id, &before.0, &after.0);
        self.recount(&before.1, &after.1);
    }

    fn refind(&mut self, id: &K, before: &[V::Term], after: &[V::Term]) {
        if before == after {
            return;
        }
        for term in before.iter().filter(|term| !after.contains(term)) {
            self.found.remove(&(*term, id.clone()));
        }
        for term in after.iter().filter(|term| !before.contains(term)) {
            self.found.insert((*term, id.clone()));
        }
    }

    fn recount(&mut self, before: &[Tally], after: &[Tally]) {
        if before == after {
            return;
        }
        for tally in before.iter().filter(|tally| !after.contains(tally)) {
            let left = self.counted.get(tally).map_or(0, |count| count.saturating_sub(1));
            if left == 0 {
                self.counted.remove(tally)
            } else {
                self.counted.insert(*tally, left)
            };
        }
        for tally in after.iter().filter(|tally| !before.contains(tally)) {
            *self.counted.entry(*tally).or_default() += 1;
        }
    }
}

/// By what an aggregate is found, and for what it counts.
type Place<V> = (Terms<<V as Indexed>::Term>, Tallies);

fn place<V: Indexed>(value: &V) -> Place<V> {
    (value.terms(), value.tallies())
}

impl<K: Ord + Clone, V: Indexed + Clone> Table<K, V> {
    /// The aggregate.
    pub fn get(&self, id: &K) -> Option<&Arc<V>> {
        self.rows.get(id)
    }

    /// Whether it is there.
    pub fn contains(&self, id: &K) -> bool {
        self.rows.contains_key(id)
    }

    /// All of them, by id.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Arc<V>> {
        self.rows.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether one is found by a term.
    pub fn has(&self, term: V::Term, id: &K) -> bool {
        match &self.index {
            Some(index) => index.found.contains(&(term, id.clone())),
            None => self.rows.get(id).is_some_and(|value| value.terms().contains(&term)),
        }
    }

    pub(crate) fn insert(&mut self, id: K, value: V) {
        let Some(index) = &mut self.index else {
            self.rows.insert(id, Arc::new(value));
            return;
        };
        let after = place(&value);
        let before = self.rows.insert(id.clone(), Arc::new(value)).map(|old| place(&*old)).unwrap_or_default();
        index.change(&id, &before, &after);
    }

    pub(crate) fn remove(&mut self, id: &K) -> Option<Arc<V>> {
        let old = self.rows.remove(id)?;
        if let Some(index) = &mut self.index {
            index.change(id, &place(&*old), &Place::<V>::default());
        }
        Some(old)
    }

    /// How many count for something.
    pub fn count(&self, tally: Tally) -> usize {
        match &self.index {
            Some(index) => index.counted.get(&tally).copied().unwrap_or_default(),
            None => self.rows.values().filter(|value| value.tallies().contains(&tally)).count(),
        }
    }

    /// Changes an aggregate where it exists.
    pub(crate) fn update(&mut self, id: &K, change: impl FnOnce(&mut V)) {
        let Some(value) = self.rows.get_mut(id) else { return };
        let value = Arc::make_mut(value);
        let Some(index) = &mut self.index else { return change(value) };
        let before = place(value);
        change(value);
        index.change(id, &before, &place(value));
    }
}

impl<K: Ord + Copy + From<Uuid>, V: Indexed + Clone> Table<K, V> {
    /// The aggregates that are found by a term, by id.
    pub fn ids_by(&self, term: V::Term) -> impl Iterator<Item = K> + use<'_, K, V> {
        let of_term = (term, K::from(Uuid::nil()))..=(term, K::from(Uuid::max()));
        let indexed = self.index.iter().flat_map(move |index| index.found.range(of_term.clone())).map(|(_, id)| *id);
        let all = self.index.is_none().then_some(&self.rows).into_iter().flatten();
        indexed.chain(all.filter(move |(_, value)| value.terms().contains(&term)).map(|(id, _)| *id))
    }

    /// How many terms there are that something is found by. Costs a look-up for each.
    pub fn count_terms(&self) -> usize {
        let Some(index) = &self.index else {
            return self.rows.values().flat_map(|value| value.terms()).collect::<BTreeSet<_>>().len();
        };
        let first = index.found.get_min().map(|(term, _)| *term);
        let next = |term: &V::Term| index.found.get_next(&(*term, K::from(Uuid::max()))).map(|(next, _)| *next);
        std::iter::successors(first, next).count()
    }

    /// What is found by a term, by id.
    pub fn by(&self, term: V::Term) -> impl Iterator<Item = &Arc<V>> + use<'_, K, V> {
        self.ids_by(term).filter_map(|id| self.rows.get(&id))
    }
}

/// A table of whatever type.
pub(crate) trait Reindex {
    /// Keeps no index from now on; what is found by a term is looked for among all. Where many events are folded at once that costs
    /// much less than to change the index with each.
    fn put_index_off(&mut self);

    /// Makes the index that was put off.
    fn make_index(&mut self);

    /// Whether the index is what the aggregates say. Costs a walk over all of them.
    fn is_indexed(&self) -> bool;
}

impl<K: Ord + Clone, V: Indexed> Reindex for Table<K, V> {
    fn put_index_off(&mut self) {
        self.index = None;
    }

    fn make_index(&mut self) {
        if self.index.is_none() {
            self.index = Some(index(&self.rows));
        }
    }

    fn is_indexed(&self) -> bool {
        self.index.as_ref() == Some(&index(&self.rows))
    }
}
