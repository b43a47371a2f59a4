//! Where VMs have places: which host each runs or is about to run on, and what a host's VMs take of it in all. Sums are kept beside the
//! places, so that choosing a host for a VM costs the hosts and not the VMs on them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::*;
use crate::schedule::{GUEST_OVERHEAD, MIN_FREE_MEMORY};
use crate::vm::Vm;

/// What VMs take of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// How many VMs they are.
    pub vms: u32,
    /// Their virtual CPUs.
    pub vcpus: u32,
    /// The memory that they are promised, in bytes, with what each costs beside its own.
    pub memory: i64,
}

impl Share {
    /// What one VM takes.
    pub fn of(vm: &Vm) -> Self {
        Self { vms: 1, vcpus: vm.vcpus(), memory: vm.config.memory_guaranteed.max(MIN_FREE_MEMORY) + GUEST_OVERHEAD }
    }

    fn add(&mut self, other: Self) {
        self.vms = self.vms.saturating_add(other.vms);
        self.vcpus = self.vcpus.saturating_add(other.vcpus);
        self.memory = self.memory.saturating_add(other.memory);
    }

    fn take(&mut self, other: Self) {
        self.vms = self.vms.saturating_sub(other.vms);
        self.vcpus = self.vcpus.saturating_sub(other.vcpus);
        self.memory = self.memory.saturating_sub(other.memory);
    }
}

/// The places of VMs on hosts. A VM that migrates has two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(HostId, VmId, Share)>", into = "Vec<(HostId, VmId, Share)>")]
pub struct Placements {
    /// What each VM counts for on each host.
    places: imbl::OrdMap<(HostId, VmId), Share>,
    /// The sum of each host's.
    sums: imbl::OrdMap<HostId, Share>,
}

impl From<Placements> for Vec<(HostId, VmId, Share)> {
    fn from(placements: Placements) -> Self {
        placements.places.iter().map(|((host, vm), share)| (*host, *vm, *share)).collect()
    }
}

impl From<Vec<(HostId, VmId, Share)>> for Placements {
    fn from(places: Vec<(HostId, VmId, Share)>) -> Self {
        let mut placements = Self::default();
        for (host, vm, share) in places {
            placements.put(host, vm, share);
        }
        placements
    }
}

impl Placements {
    /// Gives a VM a place, or has the one that it has count for what it takes now.
    pub(crate) fn take(&mut self, host: HostId, vm: &Vm) {
        self.leave(host, vm.id);
        self.put(host, vm.id, Share::of(vm));
    }

    fn put(&mut self, host: HostId, vm: VmId, share: Share) {
        self.places.insert((host, vm), share);
        self.sums.entry(host).or_default().add(share);
    }

    /// Takes a VM's place away, if it has one there.
    pub(crate) fn leave(&mut self, host: HostId, vm: VmId) {
        let Some(share) = self.places.remove(&(host, vm)) else { return };
        let left = self.sums.get_mut(&host).map(|sum| {
            sum.take(share);
            sum.vms
        });
        if left == Some(0) {
            self.sums.remove(&host);
        }
    }

    /// Whether a VM has a place on a host.
    pub fn has(&self, host: HostId, vm: VmId) -> bool {
        self.places.contains_key(&(host, vm))
    }

    /// All places.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (HostId, VmId)> {
        self.places.keys().copied()
    }

    /// The VMs on a host.
    pub fn on(&self, host: HostId) -> impl Iterator<Item = VmId> {
        self.places.range((host, VmId(Uuid::nil()))..=(host, VmId(Uuid::max()))).map(|((_, vm), _)| *vm)
    }

    /// What all VMs on a host take of it, leaving one out of account.
    pub fn share(&self, host: HostId, except: Option<VmId>) -> Share {
        let mut sum = self.sums.get(&host).copied().unwrap_or_default();
        if let Some(own) = except.and_then(|vm| self.places.get(&(host, vm))) {
            sum.take(*own);
        }
        sum
    }
}
