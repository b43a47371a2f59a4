//! What a decision may know of the outside: who asks, what time it is, and chance; all given, so that deciding stays pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{HostId, Micros, UserId};

/// Who caused a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// The engine itself: reactors, monitoring.
    System,
    /// A user.
    User(UserId),
}

impl Actor {
    /// The user, where it is one.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::System => None,
            Self::User(id) => Some(*id),
        }
    }
}

/// Everything that a decision takes from outside the World.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who asks.
    pub actor: Actor,
    /// The time of the request.
    pub now: Micros,
    /// Names the request in events, jobs and logs.
    pub correlation_id: Arc<str>,
    /// 128 random bits, from which fresh identifiers are derived.
    pub seed: u128,
    /// CPU load of hosts in percent, as last sampled; a host without an entry counts as idle.
    pub host_load: Arc<BTreeMap<HostId, u8>>,
    /// When power management rests.
    pub quiet: QuietTimes,
}

/// When power management rests: what is asked for by then is refused. The default is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuietTimes {
    /// Until this moment hosts may still be coming up together with the engine.
    pub until: Micros,
    /// For how many microseconds an action is not repeated on the same host once it has come about.
    pub between: Micros,
}

impl Context {
    /// The `n`th fresh identifier of this request, in the form of a version 4 UUID.
    pub fn fresh<T: From<Uuid>>(&self, n: u64) -> T {
        let low = mix((self.seed as u64) ^ mix(n));
        let high = mix(((self.seed >> 64) as u64).wrapping_add(low));
        T::from(uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes()).into_uuid())
    }
}

/// The finalizer of SplitMix64: spreads a counter over 64 bits, one to one.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
