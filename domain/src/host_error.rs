//! Hosts on which starts of VMs fail again and again: they rest in error, get no VM meanwhile, and are up again by themselves.

use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::host::{Host, HostStatus, spm_with, spm_without, status};
use crate::ids::*;
use crate::rejection::Rejection;
use crate::storage::regained;
use crate::world::World;

/// After how many failed starts of VMs, with none that came about between them, a host rests.
pub const MAX_FAILED_STARTS: u32 = 3;
/// For how long a host rests after that, in minutes.
pub const ERROR_REST_MINUTES: u64 = 30;

/// A start failed on a host, or came about.
pub(crate) fn count_start(world: &mut World, host: HostId, failed: bool) {
    if failed || world.hosts.get(&host).is_some_and(|h| h.failed_starts > 0) {
        world.hosts.update(&host, |h| h.failed_starts = if failed { h.failed_starts.saturating_add(1) } else { 0 });
    }
}

/// What follows for a host that is up when one more start fails there.
pub(crate) fn start_failed_on(world: &World, host: HostId, reason: &str) -> Vec<Event> {
    let up = world.hosts.get(&host).filter(|h| h.status == HostStatus::Up);
    let Some(host) = up.filter(|h| h.failed_starts + 1 >= MAX_FAILED_STARTS) else { return Vec::new() };
    std::iter::once(status(host, HostStatus::Error, reason)).chain(spm_without(world, host)).collect()
}

/// Whether a host has rested for as long as it is to, in microseconds.
pub fn has_rested(host: &Host, now: Micros, rest: Micros) -> bool {
    host.status == HostStatus::Error && now.saturating_sub(host.status_since) >= rest
}

/// Brings a host back that has rested in error.
#[derive(Clone, Debug)]
pub struct EndHostError {
    /// Which host.
    pub host: HostId,
    /// How long it is to rest, in microseconds.
    pub rest: Micros,
}

impl Decide for EndHostError {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(host) = world.hosts.get(&self.host).filter(|h| has_rested(h, cx.now, self.rest)) else { return Ok(Vec::new()) };
        let up = status(host, HostStatus::Up, "");
        Ok(std::iter::once(up).chain(regained(world, host)).chain(spm_with(world, host)).collect())
    }
}
