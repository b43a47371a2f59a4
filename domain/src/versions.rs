//! The versions of streams: one number for each, which every event changes.

use std::collections::HashMap;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::event::Stream;

/// The version of every live stream, structurally shared between copies.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Versions {
    settled: OrdMap<Stream, u64>,
    /// What has changed since settling was put off; 0 where a stream has ended.
    #[serde(skip)]
    loose: Option<HashMap<Stream, u64>>,
}

impl PartialEq for Versions {
    fn eq(&self, other: &Self) -> bool {
        self.loose.is_none() && other.loose.is_none() && self.settled == other.settled
    }
}

impl Versions {
    /// The version of a stream; 0 where it has no event.
    pub fn get(&self, stream: &Stream) -> u64 {
        let loose = self.loose.as_ref().and_then(|loose| loose.get(stream));
        loose.or_else(|| self.settled.get(stream)).copied().unwrap_or(0)
    }

    /// The streams that are settled, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Stream> {
        self.settled.keys()
    }

    pub(crate) fn set(&mut self, stream: Stream, version: u64) {
        match &mut self.loose {
            Some(loose) => drop(loose.insert(stream, version)),
            None => drop(self.settled.insert(stream, version)),
        }
    }

    pub(crate) fn forget(&mut self, stream: &Stream) {
        match &mut self.loose {
            Some(loose) => drop(loose.insert(*stream, 0)),
            None => drop(self.settled.remove(stream)),
        }
    }

    /// Keeps changes aside from now on, unordered: where many events are folded at once, that costs much less.
    pub(crate) fn put_off(&mut self) {
        self.loose.get_or_insert_default();
    }

    /// Puts what was kept aside in its place.
    pub(crate) fn settle(&mut self) {
        let mut loose: Vec<_> = self.loose.take().into_iter().flatten().collect();
        // In their order they go into a few nodes at a time.
        loose.sort_unstable();
        for (stream, version) in loose {
            match version {
                0 => drop(self.settled.remove(&stream)),
                _ => drop(self.settled.insert(stream, version)),
            }
        }
    }
}
