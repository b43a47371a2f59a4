//! Where VMs have their places, and what is promised to them there: summed up for each host, so that placing one VM does not walk all.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::*;
use crate::schedule::promised_memory;
use crate::world::World;

/// What is promised to VMs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// In bytes.
    pub memory: i64,
    /// Virtual CPUs.
    pub vcpus: i64,
}

impl Promise {
    fn and(self, other: Self, sign: i64) -> Self {
        Self { memory: self.memory + sign * other.memory, vcpus: self.vcpus + sign * other.vcpus }
    }
}

/// VMs that have a place on a host; one that migrates has one on each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Place>", into = "Vec<Place>")]
pub struct Placed {
    places: imbl::OrdMap<(HostId, VmId), Promise>,
    hosts: imbl::OrdMap<HostId, Promise>,
}

/// A place as a snapshot keeps it.
type Place = (HostId, VmId, Promise);

impl From<Vec<Place>> for Placed {
    fn from(places: Vec<Place>) -> Self {
        places.into_iter().fold(Self::default(), |mut placed, (host, vm, promise)| {
            placed.insert(host, vm, promise);
            placed
        })
    }
}

impl From<Placed> for Vec<Place> {
    fn from(placed: Placed) -> Self {
        placed.places.iter().map(|((host, vm), promise)| (*host, *vm, *promise)).collect()
    }
}

impl Placed {
    fn insert(&mut self, host: HostId, vm: VmId, promise: Promise) {
        self.remove(&(host, vm));
        self.places.insert((host, vm), promise);
        let all = self.hosts.get(&host).copied().unwrap_or_default().and(promise, 1);
        self.hosts.insert(host, all);
    }

    /// Takes a place away.
    pub(crate) fn remove(&mut self, place: &(HostId, VmId)) {
        let Some(promise) = self.places.remove(place) else { return };
        match self.hosts.get(&place.0).map(|all| all.and(promise, -1)) {
            Some(left) if self.on(place.0).next().is_some() => _ = self.hosts.insert(place.0, left),
            _ => _ = self.hosts.remove(&place.0),
        }
    }

    /// Whether a VM has a place on a host.
    pub fn contains(&self, place: &(HostId, VmId)) -> bool {
        self.places.contains_key(place)
    }

    /// How many places are taken.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Every place.
    pub fn iter(&self) -> impl Iterator<Item = &(HostId, VmId)> {
        self.places.keys()
    }

    /// The VMs of a host.
    pub fn on(&self, host: HostId) -> impl Iterator<Item = VmId> {
        self.places.range((host, VmId(Uuid::nil()))..=(host, VmId(Uuid::max()))).map(|((_, vm), _)| *vm)
    }

    /// What is promised on a host to all VMs but one.
    pub fn promised(&self, host: HostId, except: VmId) -> Promise {
        let all = self.hosts.get(&host).copied().unwrap_or_default();
        all.and(self.places.get(&(host, except)).copied().unwrap_or_default(), -1)
    }
}

impl World {
    /// Gives a VM a place on a host.
    pub(crate) fn place(&mut self, host: HostId, vm: VmId) {
        let promise = self.vms.get(&vm).map(|vm| Promise { memory: promised_memory(vm), vcpus: vm.vcpus().into() });
        self.placed.insert(host, vm, promise.unwrap_or_default());
    }
}
