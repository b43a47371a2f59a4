//! Maps that know which of their entries were changed since they were last asked, so that only these have to be written down.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A map of many entries, each of which is written down for itself. Reading is that of a map.
#[derive(Debug)]
pub struct Kept<K, V> {
    entries: BTreeMap<K, V>,
    changed: BTreeSet<K>,
}

/// Entries as they are now; none where there is no such entry any more.
pub type Changes<K, V> = Vec<(K, Option<V>)>;

impl<K: Ord + Clone, V: Clone> Kept<K, V> {
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.changed.insert(key.clone());
        self.entries.insert(key, value)
    }

    pub fn get_mut<Q: Ord + ?Sized + ToOwned<Owned = K>>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let found = self.entries.get_mut(key);
        if found.is_some() {
            self.changed.insert(key.to_owned());
        }
        found
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (key, value) = self.entries.remove_entry(key)?;
        self.changed.insert(key);
        Some(value)
    }

    /// Removes the first entry if it is one of these.
    pub fn pop_first_if(&mut self, fits: impl FnOnce(&K) -> bool) -> Option<(K, V)> {
        let first = self.entries.first_entry().filter(|first| fits(first.key()))?;
        let (key, value) = first.remove_entry();
        self.changed.insert(key.clone());
        Some((key, value))
    }

    /// Keeps these entries and no others.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        let gone: Vec<K> = self.entries.iter().filter(|(key, value)| !keep(key, value)).map(|(key, _)| key.clone()).collect();
        gone.iter().for_each(|key| _ = self.remove(key));
    }

    /// Changes some entries.
    pub fn change_where(&mut self, mut fits: impl FnMut(&V) -> bool, mut change: impl FnMut(&mut V)) {
        for (key, value) in self.entries.iter_mut().filter(|(_, value)| fits(value)) {
            self.changed.insert(key.clone());
            change(value);
        }
    }

    /// What was changed since this was last asked.
    pub fn take_changes(&mut self) -> Changes<K, V> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed
            .map(|key| {
                let value = self.entries.get(&key).cloned();
                (key, value)
            })
            .collect()
    }

    /// Takes in what was written down.
    pub fn apply(&mut self, changes: Changes<K, V>) {
        for (key, value) in changes {
            match value {
                Some(value) => _ = self.entries.insert(key, value),
                None => _ = self.entries.remove(&key),
            }
        }
    }
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), changed: BTreeSet::new() }
    }
}

impl<K, V> From<BTreeMap<K, V>> for Kept<K, V> {
    fn from(entries: BTreeMap<K, V>) -> Self {
        Self { entries, changed: BTreeSet::new() }
    }
}

impl<K, V> Deref for Kept<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &BTreeMap<K, V> {
        &self.entries
    }
}

impl<K: Serialize, V: Serialize> Serialize for Kept<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries.serialize(serializer)
    }
}

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for Kept<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from)
    }
}

/// Something small that is written down as a whole where it was touched.
#[derive(Debug, Default)]
pub struct Whole<T> {
    value: T,
    touched: bool,
}

impl<T: Clone> Whole<T> {
    /// The value, where it was touched since this was last asked.
    pub fn take_change(&mut self) -> Option<T> {
        std::mem::take(&mut self.touched).then(|| self.value.clone())
    }

    /// Takes in what was written down.
    pub fn apply(&mut self, change: Option<T>) {
        if let Some(value) = change {
            self.value = value;
        }
    }
}

impl<T> Deref for Whole<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Whole<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.touched = true;
        &mut self.value
    }
}

impl<T: Serialize> Serialize for Whole<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self { value, touched: false })
    }
}

/// What came last, up to so many. What comes is written down for itself.
#[derive(Debug)]
pub struct Latest<T, const MOST: usize> {
    items: VecDeque<T>,
    /// How many came since this was last asked.
    new: usize,
}

impl<T: Clone, const MOST: usize> Latest<T, MOST> {
    /// Adds one; gives the oldest where there are too many.
    pub fn push(&mut self, item: T) -> Option<T> {
        self.items.push_back(item);
        // Of more than there may be only the last count.
        self.new = (self.new + 1).min(MOST);
        if self.items.len() > MOST { self.items.pop_front() } else { None }
    }

    /// What came since this was last asked.
    pub fn take_changes(&mut self) -> Vec<T> {
        let new = std::mem::take(&mut self.new);
        self.items.iter().skip(self.items.len() - new).cloned().collect()
    }

    /// Takes in what was written down.
    pub fn apply(&mut self, new: Vec<T>) {
        self.items.extend(new);
        self.items.drain(..self.items.len().saturating_sub(MOST));
    }
}

impl<T, const MOST: usize> Default for Latest<T, MOST> {
    fn default() -> Self {
        Self { items: VecDeque::new(), new: 0 }
    }
}

impl<T, const MOST: usize> Deref for Latest<T, MOST> {
    type Target = VecDeque<T>;

    fn deref(&self) -> &VecDeque<T> {
        &self.items
    }
}

impl<T: Serialize, const MOST: usize> Serialize for Latest<T, MOST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.items.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Latest<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        VecDeque::deserialize(deserializer).map(|items| Self { items, new: 0 })
    }
}
