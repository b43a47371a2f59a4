//! Reactors: what follows from events. They carry open jobs out through the driver, take in what it observes, and do what is due.
//!
//! A job is taken up from the World and not from memory: after a crash every open job is carried out again from behind its last
//! finished step, under the same operation id, so that the driver does nothing twice. What a reactor learns it submits as a command.

mod balance;
mod driver_mapping;
mod fence;
mod look;
mod observe;
mod tasks;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use evirt_domain::fence::Patience;
use evirt_domain::host_error::ERROR_REST_MINUTES;
use evirt_domain::ids::{JobId, Position, VmId};
use evirt_domain::{Decide, Intent, Rejection};
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use self::look::Looks;
use crate::engine::{Alone, Engine, Outcome, Request};
use crate::hypervisor::{DriverCall, DriverError, OperationId, Reply};
use crate::log::Sealer;

#[cfg(test)]
pub use balance::Balance;
pub use driver_mapping::{domain_files, found_disks, found_domain, host_facts, image, image_service, lun_device, storage_spec};
pub use fence::{Switched, switch};

/// How many calls for jobs the driver has at once; further ones wait. Jobs that only wait for an observation are not counted, or a few
/// hundred guests that are slow to shut down would keep everything else from being done.
pub const MAX_CONCURRENT_CALLS: usize = 256;

/// How long reactors wait for things; tests shorten it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timeouts {
    /// How long a guest may take to shut down before it is stopped.
    pub shutdown_grace: Duration,
    /// How long a host that does not answer is waited for before it is given up.
    pub patience: Patience,
    /// How long a host may not reach a storage domain that others reach before it is taken out of service.
    pub storage_grace: Duration,
    /// How long to wait after a host did not become storage pool manager before the next is tried.
    pub spm_again: Duration,
    /// How long a host that is still not heard of has before it is fenced again.
    pub fence_again: Duration,
    /// How long a host that was restarted has to come back.
    pub reboot_grace: Duration,
    /// How long a host rests on which starts of VMs have failed again and again.
    pub error_rest: Duration,
    /// How long a machine may be on its way to another state before its host is asked.
    pub unheard: Duration,
    /// How often every host is asked what it runs.
    pub look_round: Duration,
    /// How often is looked after what is due.
    pub tick: Duration,
    /// How long to wait before a driver that did not answer is asked again.
    pub retry: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            shutdown_grace: Duration::from_secs(40),
            patience: Patience::default(),
            storage_grace: Duration::from_secs(60),
            spm_again: Duration::from_secs(10),
            fence_again: Duration::from_secs(60),
            reboot_grace: Duration::from_secs(300),
            error_rest: Duration::from_secs(ERROR_REST_MINUTES * 60),
            unheard: Duration::from_secs(10),
            look_round: Duration::from_secs(60),
            tick: Duration::from_secs(1),
            retry: Duration::from_secs(2),
        }
    }
}

/// What every reactor holds.
#[derive(Clone)]
struct Reactor {
    engine: Engine,
    sealer: Arc<Sealer>,
    timeouts: Timeouts,
    /// Where the log ended when this engine began: word of what was under way then may have been lost.
    began: Position,
    permits: Arc<Semaphore>,
    taken: Arc<Mutex<HashSet<JobId>>>,
    /// The work that launches or destroys a machine has it alone meanwhile.
    machines: Arc<Alone<VmId>>,
    /// The hosts that are asked what they run.
    looks: Arc<Looks>,
}

/// The running reactors; dropping them ends them, as a crash would.
#[derive(Debug)]
pub struct Reactors(Vec<JoinHandle<()>>);

impl Drop for Reactors {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Reactors {
    /// Reconciles with what the driver says is true, takes up the open jobs, and goes on from there.
    pub fn start(engine: Engine, sealer: Arc<Sealer>, timeouts: Timeouts) -> Self {
        let began = engine.world().position;
        let reactor = Reactor {
            engine,
            began,
            sealer,
            timeouts,
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT_CALLS)),
            taken: Arc::default(),
            machines: Arc::default(),
            looks: Arc::default(),
        };
        Self(vec![
            tokio::spawn(reactor.clone().follow_jobs()),
            tokio::spawn(reactor.clone().follow_driver()),
            tokio::spawn(reactor.clone().keep_balance()),
            tokio::spawn(reactor.keep_time()),
        ])
    }
}

impl Reactor {
    /// Takes up every job that is open and not taken up yet, as the World moves on.
    async fn follow_jobs(self) {
        let mut work = self.engine.subscribe_work();
        let mut running = tokio::task::JoinSet::new();
        loop {
            work.mark_unchanged();
            let world = self.engine.world();
            let fresh: Vec<JobId> = {
                let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
                taken.retain(|job| world.open_jobs.contains(job));
                world.open_jobs.iter().filter(|job| taken.insert(**job)).copied().collect()
            };
            for job in fresh {
                let reactor = self.clone();
                running.spawn(async move { reactor.perform(job).await });
            }
            while running.try_join_next().is_some() {}
            if work.changed().await.is_err() {
                return;
            }
        }
    }

    /// Has a machine alone for as long as the guard lives: a launch that is under way and a stop that overtakes it would otherwise leave a
    /// machine behind that nobody knows of.
    async fn alone(&self, vm: VmId) -> tokio::sync::OwnedMutexGuard<()> {
        self.machines.with(vm).await
    }

    /// Asks the driver; while it does not answer it is asked again, as long as the job is open.
    async fn call(&self, job: JobId, operation: OperationId, call: DriverCall) -> Result<Reply, DriverError> {
        loop {
            let permit = self.permits.acquire().await;
            let answer = self.engine.driver().call(operation, call.clone()).await;
            drop(permit);
            match answer {
                Err(DriverError::Disconnected) if self.engine.world().open_jobs.contains(&job) => {
                    tokio::time::sleep(self.timeouts.retry).await;
                }
                answer => return answer,
            }
        }
    }

    /// Submits a command of the engine's own; while the log cannot be written it is submitted again.
    fn submit<'a, C: Decide + Clone + 'static>(
        &'a self,
        about: &'a Request,
        command: C,
    ) -> BoxFuture<'a, Result<Outcome, Rejection>> {
        // The machinery is compiled once, and not for each command.
        Box::pin(self.submitted(about, Box::new(move || command.clone().into())))
    }

    async fn submitted(&self, about: &Request, command: Box<dyn Fn() -> Intent + Send + Sync>) -> Result<Outcome, Rejection> {
        loop {
            match self.engine.submit(about, command()).await {
                Err(refused) if refused.class() == evirt_domain::Class::Unavailable => {
                    let command = command().command;
                    tracing::warn!(%refused, ?command, "a reactor's command could not be made durable, trying again");
                    tokio::time::sleep(self.timeouts.retry).await;
                }
                Err(refused) => {
                    tracing::debug!(%refused, command = ?command().command, "a reactor's command was refused");
                    return Err(refused);
                }
                done => return done,
            }
        }
    }
}
