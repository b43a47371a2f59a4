//! What guests take of a host's memory: what they use, less what is equal where the host looks for that, less what balloons take back
//! where there is too little; what is left over lies in swap.

use uuid::Uuid;

use super::machine::Machine;
use crate::hypervisor::*;

/// What a host uses for itself.
pub(super) const HOST_IDLE_BYTES: u64 = 1 << 30;
/// What a host can swap out.
pub(super) const HOST_SWAP_BYTES: u64 = 4 << 30;
/// The part of what guests use that is the same in several of them.
const EQUAL_PART: f64 = 0.2;

/// What the guests of a host take.
pub(super) struct Taken {
    /// Of memory and swap together.
    pub bytes: u64,
    /// What is left of both, less than nothing where they do not fit.
    pub left_bytes: i64,
    /// What lies in swap.
    pub swap_bytes: u64,
    /// The part of what balloons could take that they take.
    squeezed: f64,
}

/// What a guest uses, were there enough: always the same part of its memory.
pub(super) fn wanted_bytes(spec: &VmSpec) -> u64 {
    (spec.memory_bytes as f64 * (0.2 + f64::from(spec.id.as_bytes()[0]) / 255.0 * 0.6)) as u64
}

/// What a balloon can take of what a guest uses.
pub(super) fn spare_bytes(spec: &VmSpec) -> u64 {
    if spec.balloon { wanted_bytes(spec).saturating_sub(spec.guaranteed_memory_bytes) } else { 0 }
}

impl Machine {
    /// What the guests of a host take, those that migrate to it included, and perhaps one more.
    pub(super) fn taken(&self, id: Uuid, more: Option<&VmSpec>) -> Result<Taken, DriverError> {
        let (entry, host) = (self.entry(id)?, self.running(id)?);
        let crowd = self.world.crowds.get(&id);
        let guests = crowd.map_or(0, |crowd| crowd.vms.len()) + usize::from(more.is_some());
        let kept = if host.ksm && guests > 1 { 1.0 - EQUAL_PART } else { 1.0 };
        let wanted_bytes = crowd.map_or(0, |crowd| crowd.wanted_bytes) + more.map_or(0, wanted_bytes);
        let spare_bytes = crowd.map_or(0, |crowd| crowd.spare_bytes) + more.map_or(0, spare_bytes);
        let wanted = wanted_bytes as f64 * kept;
        let spare = if host.ballooning { spare_bytes as f64 * kept } else { 0.0 };
        let room = entry.memory_bytes.saturating_sub(HOST_IDLE_BYTES) as f64;
        let squeezed = if spare > 0.0 { ((wanted - room) / spare).clamp(0.0, 1.0) } else { 0.0 };
        let bytes = wanted - spare * squeezed;
        let swapped = (bytes - room).max(0.0);
        let left = room + HOST_SWAP_BYTES as f64 - bytes;
        Ok(Taken { bytes: bytes as u64, left_bytes: left as i64, swap_bytes: swapped as u64, squeezed })
    }

    /// What a guest uses now.
    pub(super) fn used_bytes(&self, host: Uuid, spec: &VmSpec) -> u64 {
        let ballooned = spec.balloon && self.running(host).is_ok_and(|host| host.ballooning);
        let squeezed = if ballooned { self.taken(host, None).map_or(0.0, |taken| taken.squeezed) } else { 0.0 };
        (wanted_bytes(spec) as f64 - spare_bytes(spec) as f64 * squeezed) as u64
    }

    /// Whether a host has memory for one more guest.
    pub(super) fn check_room(&self, host: Uuid, spec: &VmSpec) -> Result<(), DriverError> {
        let left_bytes = self.taken(host, Some(spec))?.left_bytes;
        if left_bytes >= 0 {
            return Ok(());
        }
        let needed_bytes = wanted_bytes(spec);
        Err(DriverError::NoMemory { needed_bytes, available_bytes: needed_bytes.saturating_sub(left_bytes.unsigned_abs()) })
    }
}
