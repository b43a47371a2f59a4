//! Hypervisor drivers: the trait that they implement, and the simulator.
//!
//! A driver is told what to do by [`DriverCall`]s and tells what it sees by [`Observation`]s. Both are plain data, so that a
//! driver can be another process. Hosts, virtual machines, disks and storage domains are known to it by the engine's
//! uuids; a host's uuid is bound to an address by [`DriverCall::Install`] or [`DriverCall::Connect`].

mod call;
mod counted;
pub mod estate;
mod facts;
pub mod simulator;

use std::pin::Pin;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use uuid::Uuid;

pub use call::{CallKind, DriverCall, DriverError, Outcome, Refusal, Reply, Step};
pub use counted::Counted;
pub use facts::*;

/// How many observations may wait for the consumer before the driver holds back; see [`Hypervisor::observe`].
pub const OBSERVATION_BUFFER: usize = 1024;

/// The log position of the request that a call serves.
///
/// One operation may make several calls, each with its own [`Step`]. A step is done once: the same id with the same
/// step again, also after a restart of the engine, awaits the outcome of the first or returns it. A call that failed
/// did nothing and is not remembered: the same id tries it again. Calls that only read ([`CallKind::only_reads`]) are
/// answered afresh every time.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

impl OperationId {
    /// One that no event has, for what is tried again although nothing has happened since: the outcome of the last time says nothing.
    pub fn afresh() -> Self {
        Self(rand::random::<u64>() | 1 << 63)
    }
}

/// The answer to a call, to be awaited.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// What a driver saw, in the order in which it happened.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum Observation {
    /// A hypervisor node registered itself and waits for approval. The engine approves by [`DriverCall::Install`] with no
    /// password and an id of its own choosing.
    HostRegistered {
        /// The name it gives itself.
        name: String,
        /// Where it answers.
        address: String,
        /// What it is.
        facts: Box<HostFacts>,
    },
    /// A service of images is there to be used.
    ImageServiceOffered(ImageServiceFacts),
    /// A host that was bound answers again: it has booted, or it returned. It runs only what [`DriverCall::ListVms`] says,
    /// and no storage is connected to it.
    HostUp {
        /// The host.
        host: Uuid,
    },
    /// A bound host does not answer any more. What its virtual machines do is unknown until it is fenced or returns.
    HostUnresponsive {
        /// The host.
        host: Uuid,
    },
    /// The link of a bound host's interface went down, or came up.
    HostLink {
        /// The host.
        host: Uuid,
        /// The interface.
        nic: String,
        /// Whether it is up.
        up: bool,
    },
    /// A virtual machine changed its state, or its guest told something new. Of a virtual machine that migrates only
    /// the source reports.
    VmState(VmReport),
    /// Memory moves.
    MigrationProgress {
        /// The virtual machine.
        vm: Uuid,
        /// The part that has been moved, 0 to 100.
        percent: u8,
    },
    /// The virtual machine runs on the destination. A [`Observation::VmState`] that says so comes right before.
    MigrationFinished {
        /// The virtual machine.
        vm: Uuid,
        /// Where it ran.
        from: Uuid,
        /// Where it runs.
        to: Uuid,
    },
    /// The virtual machine stays where it was.
    MigrationFailed {
        /// The virtual machine.
        vm: Uuid,
        /// Where it runs.
        from: Uuid,
        /// Where it should have gone.
        to: Uuid,
        /// True when it was cancelled by [`DriverCall::CancelMigration`].
        cancelled: bool,
        /// Why, for a human.
        message: String,
    },
    /// A storage domain's space changed.
    DomainSpace {
        /// The storage domain.
        domain: Uuid,
        /// Its space now.
        space: Space,
    },
    /// A host lost a storage domain that it had activated.
    DomainUnreachable {
        /// The host.
        host: Uuid,
        /// The storage domain.
        domain: Uuid,
    },
    /// A storage domain answers a host that has activated it late, or in time again.
    DomainDelay {
        /// The host.
        host: Uuid,
        /// The storage domain.
        domain: Uuid,
        /// How long it takes to answer, in milliseconds.
        delay_ms: u64,
    },
    /// A host sees a storage domain again that it had lost.
    DomainReachable {
        /// The host.
        host: Uuid,
        /// The storage domain.
        domain: Uuid,
    },
}

/// A driver: the only way by which the engine touches hosts, storage and virtual machines.
pub trait Hypervisor: Send + Sync + 'static {
    /// Starts a call at once, whether or not the answer is awaited; dropping the answer does not undo it.
    ///
    /// Calls upon virtual machines are answered when the hypervisor has taken them on, and what comes of them is
    /// observed; all other calls are answered when they are finished, which can take minutes.
    fn call(&self, id: OperationId, call: DriverCall) -> Answer<'_>;

    /// The stream of observations, for one consumer: a second call ends the first one's stream.
    ///
    /// What happened before is not replayed, except that nodes which wait for approval register again and services of images offer
    /// themselves: ask with
    /// [`DriverCall::ListVms`] for the truth. When [`OBSERVATION_BUFFER`] observations wait, the driver stands still, calls
    /// included, until the consumer has taken some. So a consumer must not await a call before it takes the next.
    /// Must be called within a tokio runtime.
    fn observe(&self) -> mpsc::Receiver<Observation>;

    /// The last sample of a host's load; none for a host that is not bound or does not answer. Never waits.
    fn host_statistics(&self, host: Uuid) -> Option<HostStatistics>;

    /// The last sample of a virtual machine's load; none where it does not run. Never waits.
    fn vm_statistics(&self, vm: Uuid) -> Option<VmStatistics>;
}
