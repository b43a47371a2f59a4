//! What takes a host's memory and ports, in sums, so that what a call costs does not grow with what runs there.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::memory::{spare_bytes, wanted_bytes};
use crate::hypervisor::VmSpec;

const FIRST_DISPLAY_PORT: u16 = 5900;
/// A display has its port and the next one.
const PORTS_PER_DISPLAY: u16 = 2;

/// The virtual machines that take a host's memory, those that migrate to it included.
#[derive(Debug, Default)]
pub struct Crowd {
    pub vms: BTreeSet<Uuid>,
    /// What is kept for them.
    pub committed_bytes: u64,
    /// What they use, were there enough.
    pub wanted_bytes: u64,
    /// What balloons can take of that.
    pub spare_bytes: u64,
    /// The ports of those that run there.
    pub ports: Ports,
}

impl Crowd {
    pub fn add(&mut self, spec: &VmSpec) {
        if self.vms.insert(spec.id) {
            self.committed_bytes += spec.guaranteed_memory_bytes;
            self.wanted_bytes += wanted_bytes(spec);
            self.spare_bytes += spare_bytes(spec);
        }
    }

    pub fn remove(&mut self, spec: &VmSpec) {
        if self.vms.remove(&spec.id) {
            self.committed_bytes -= spec.guaranteed_memory_bytes;
            self.wanted_bytes -= wanted_bytes(spec);
            self.spare_bytes -= spare_bytes(spec);
        }
    }
}

/// The ports of displays on a host.
#[derive(Debug)]
pub struct Ports {
    /// Those that are taken, by how many.
    taken: BTreeMap<u16, u32>,
    /// The free ones below `next`.
    free: BTreeSet<u16>,
    /// The first that was never taken; none where all were.
    next: Option<u16>,
}

impl Default for Ports {
    fn default() -> Self {
        Self { taken: BTreeMap::new(), free: BTreeSet::new(), next: Some(FIRST_DISPLAY_PORT) }
    }
}

impl Ports {
    /// The first that is free; where none is, two displays share one.
    pub fn first_free(&self) -> u16 {
        self.free.first().copied().or(self.next).unwrap_or(FIRST_DISPLAY_PORT)
    }

    pub fn take(&mut self, port: u16) {
        while let Some(next) = self.next.filter(|next| *next <= port) {
            self.free.insert(next);
            // The last has no next one.
            self.next = next.checked_add(PORTS_PER_DISPLAY).filter(|next| *next < u16::MAX);
        }
        self.free.remove(&port);
        *self.taken.entry(port).or_default() += 1;
    }

    pub fn release(&mut self, port: u16) {
        match self.taken.get_mut(&port) {
            Some(1) => {
                self.taken.remove(&port);
                self.free.insert(port);
            }
            Some(taken) => *taken -= 1,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_port_is_given() {
        let mut ports = Ports::default();
        let mut next = || {
            let port = ports.first_free();
            ports.take(port);
            port
        };
        assert_eq!([next(), next(), next()], [5900, 5902, 5904]);
        ports.release(5902);
        ports.release(5900);
        assert_eq!(ports.first_free(), 5900);
        ports.take(5902);
        assert_eq!(ports.first_free(), 5900);
        // What was taken in any order, as when the world is read.
        let mut read = Ports::default();
        [5904, 5902].into_iter().for_each(|port| read.take(port));
        assert_eq!(read.first_free(), 5900);
        read.take(5900);
        assert_eq!(read.first_free(), 5906);
    }

    #[test]
    fn where_no_port_is_free_one_is_shared() {
        let mut ports = Ports::default();
        let all = (FIRST_DISPLAY_PORT..u16::MAX).step_by(2).count();
        let given: BTreeSet<u16> = (0..all).map(|_| (ports.first_free(), ports.take(ports.first_free())).0).collect();
        assert_eq!((given.len(), given.last().copied()), (all, Some(65_534)));
        assert_eq!(ports.first_free(), FIRST_DISPLAY_PORT);
        ports.take(FIRST_DISPLAY_PORT);
        ports.release(FIRST_DISPLAY_PORT);
        ports.release(6000);
        assert_eq!(ports.first_free(), 6000, "the first is still taken by one");
    }
}
