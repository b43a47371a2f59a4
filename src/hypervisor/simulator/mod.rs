//! The simulator: a driver whose hosts, storage and virtual machines are simulated over an [`Estate`].
//!
//! `world` is what outlives the engine, of which `kept` knows what has changed, and `file` keeps it; `machine` runs calls and timers over it,
//! `hosts`, `host_net`, `storage`, `images` and `vms` say what each call does, `memory` and `crowd` say what guests take of a host, `load` makes up
//! statistics, and this file gives it time and the driver's interface.

mod clock;
mod crowd;
mod file;
mod host_net;
mod hosts;
mod images;
mod kept;
mod load;
mod machine;
mod memory;
mod storage;
#[cfg(test)]
mod tests;
mod vms;
mod world;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use self::clock::Clock;
use self::machine::{Batch, Machine};
use self::world::World;
use super::estate::Estate;
use super::{
    Answer, CallKind, DriverCall, DriverError, HostStatistics, Hypervisor, OBSERVATION_BUFFER, Observation, OperationId,
    VmStatistics,
};

/// After a write of the state file it rests for this many times as long as the write took.
const REST_PER_WRITE: u32 = 1;

/// After a write that failed it waits before it tries again.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Why the simulator cannot start.
#[derive(Debug, Error)]
pub enum SimulatorError {
    /// The state file cannot be read.
    #[error("cannot read the simulated world's state {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The state file is not one.
    #[error("{path} is no state of a simulated world: {source}")]
    Parse {
        /// The file.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
}

/// A simulated world and the driver of it. It stands still when it is dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    machine: Mutex<Machine>,
    clock: Clock,
    wake: Notify,
    state_file: Option<PathBuf>,
    consumer: Mutex<Option<mpsc::Sender<Observation>>>,
}

impl Simulator {
    /// Starts the world, with a state file from where it stopped. Without one, nothing outlives the simulator.
    ///
    /// Every change is in the file, and on the disk, before a call is answered or anything is told of it. Only its owner may read
    /// it, and of passwords it holds hashes.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// There is a state file and it cannot be read.
    pub fn new(estate: Estate, state_file: Option<PathBuf>) -> Result<Simulator, SimulatorError> {
        let mut world = match &state_file {
            Some(path) => file::read(path)?,
            None => None,
        };
        match &mut world {
            Some(world) => world.fit(&estate),
            None => world = Some(World::new(&estate)),
        }
        let world = world.unwrap_or_default();
        let clock = Clock::new(world.now_ms, estate.speed);
        let shared = Arc::new(Shared {
            machine: Mutex::new(Machine::new(estate, world, state_file.is_some())),
            clock,
            wake: Notify::new(),
            state_file,
            consumer: Mutex::new(None),
        });
        let task = tokio::spawn(run(shared.clone()));
        Ok(Simulator { shared, task })
    }

    /// A host loses what runs there and answers no more; its power stays on. False where the estate has no such host.
    pub fn kill_host(&self, address: &str) -> bool {
        self.intervene(|machine| machine.kill_host(address))
    }

    /// A host that does not run boots. False where the estate has no such host.
    pub fn revive_host(&self, address: &str) -> bool {
        self.intervene(|machine| machine.revive_host(address))
    }

    /// The link of an interface such as `host1.example.com:eth1` goes down or comes up. False where the estate has no such interface.
    pub fn set_link(&self, interface: &str, up: bool) -> bool {
        self.intervene(|machine| machine.set_link(interface, up))
    }

    /// The next set-up of a host's networks cuts it off. False where the estate has no such host.
    pub fn cut_next(&self, address: &str) -> bool {
        self.intervene(|machine| machine.cut_next(address))
    }

    /// A virtual machine breaks. False where it does not run.
    pub fn crash_vm(&self, vm: Uuid) -> bool {
        self.intervene(|machine| machine.crash_vm(vm))
    }

    /// A guest shuts itself down. False where it does not run.
    pub fn guest_shutdown(&self, vm: Uuid) -> bool {
        self.intervene(|machine| machine.guest_shutdown(vm))
    }

    /// The next call of a kind fails. Several are used up in order.
    pub fn fail_next(&self, kind: CallKind, error: DriverError) {
        self.intervene(|machine| machine.fail_next(kind, error));
    }

    /// An export (`192.168.0.10:/data1`), a server, a portal's address or a logical unit does not answer any more.
    pub fn unreachable_export(&self, target: &str) {
        self.intervene(|machine| machine.lose_storage(target, None));
    }

    /// It answers again.
    pub fn reachable_export(&self, target: &str) {
        self.intervene(|machine| machine.regain_storage(target, None));
    }

    /// One host does not get through to an export, a server, a portal's address or a logical unit any more, or does so again.
    pub fn set_way(&self, host: &str, target: &str, open: bool) {
        self.intervene(|machine| match open {
            true => machine.regain_storage(target, Some(host)),
            false => machine.lose_storage(target, Some(host)),
        });
    }

    /// An export, a server, a portal's address or a logical unit answers late, by some milliseconds of the estate's own time, or by none.
    pub fn slow_export(&self, target: &str, delay_ms: u64) {
        self.intervene(|machine| machine.slow_storage(target, delay_ms));
    }

    /// The estate's own time in milliseconds since it began.
    pub fn now_ms(&self) -> u64 {
        self.shared.clock.now_ms()
    }

    fn intervene<T>(&self, act: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.shared.machine();
        machine.advance(self.shared.clock.now_ms());
        let result = act(&mut machine);
        machine.touch();
        drop(machine);
        self.shared.wake.notify_one();
        result
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hypervisor for Simulator {
    fn call(&self, id: OperationId, call: DriverCall) -> Answer<'_> {
        let answer = {
            let mut machine = self.shared.machine();
            machine.advance(self.shared.clock.now_ms());
            machine.submit(id, call)
        };
        self.shared.wake.notify_one();
        Box::pin(async move { answer.await.unwrap_or(Err(DriverError::Disconnected)) })
    }

    fn observe(&self) -> mpsc::Receiver<Observation> {
        let (sender, receiver) = mpsc::channel(OBSERVATION_BUFFER);
        *self.shared.consumer.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        self.intervene(Machine::begin_observation);
        receiver
    }

    fn host_statistics(&self, host: Uuid) -> Option<HostStatistics> {
        self.shared.machine().host_statistics(host, self.shared.clock.now_ms())
    }

    fn vm_statistics(&self, vm: Uuid) -> Option<VmStatistics> {
        self.shared.machine().vm_statistics(vm, self.shared.clock.now_ms())
    }
}

impl Shared {
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets time pass: does what is due, keeps it, and only then tells of it.
async fn run(shared: Arc<Shared>) {
    loop {
        let (batch, due_ms) = {
            let mut machine = shared.machine();
            machine.advance(shared.clock.now_ms());
            (machine.take_batch(), machine.next_due_ms())
        };
        if batch.is_empty() {
            match due_ms {
                Some(due_ms) => {
                    tokio::select! {
                        () = shared.wake.notified() => {}
                        () = tokio::time::sleep_until(shared.clock.wake_at(due_ms)) => {}
                    }
                }
                None => shared.wake.notified().await,
            }
            continue;
        }
        deliver(&shared, batch).await;
    }
}

async fn deliver(shared: &Shared, batch: Batch) {
    let mut kept = true;
    let mut rest = Duration::ZERO;
    if let (Some(path), Some(record)) = (&shared.state_file, batch.state) {
        let started = Instant::now();
        let path = path.clone();
        let written = tokio::task::spawn_blocking(move || file::write(&path, &record)).await;
        rest = started.elapsed() * REST_PER_WRITE;
        if !matches!(written, Ok(Ok(()))) {
            tracing::error!(?written, "the simulated world cannot keep its state");
            shared.machine().write_anew();
            kept = false;
            rest = REST_AFTER_FAILURE;
        }
    }
    for (waiter, outcome) in batch.answers {
        // What may be lost was not done, as far as anyone can rely on it. Whoever does not wait any more is not told.
        let _ = waiter.send(if kept { outcome } else { Err(DriverError::Disconnected) });
    }
    for observation in batch.observations {
        let consumer = shared.consumer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(consumer) = consumer {
            // A consumer that is gone gets nothing; the next one asks for the truth.
            let _ = consumer.send(observation).await;
        }
    }
    if !rest.is_zero() {
        tokio::time::sleep(rest).await;
    }
}
