//! The engine: the one way by which state changes, and the one place where it is read.
//!
//! `submit` hands a command to the committer (`committer`), which decides it, makes its events durable and publishes the World that they
//! lead to. `world` gives the published World without a lock. `replay` and `snapshot` bring the World back at the start; `codec` stands
//! between the domain's events and the log's records; `auditor` asks the projections what the audit log says of an event.

#![warn(clippy::missing_errors_doc)]

mod auditor;
mod clock;
mod codec;
mod committer;
mod files;
mod integrity;
mod link;
pub mod rebuild;
mod replay;
mod snapshot;
mod stores;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use arc_swap::{ArcSwap, ArcSwapOption};
use evirt_domain::command::decide;
use evirt_domain::context::{Actor, Context, QuietTimes};
use evirt_domain::creation::{Made, MadeKind};
use evirt_domain::event::{Event, RecordedEvent};
use evirt_domain::ids::{HostId, JobId, Micros, Position};
use evirt_domain::intent::Intent;
use evirt_domain::job::JobStatus;
use evirt_domain::rejection::{Key, Rejection};
use evirt_domain::world::World;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::audit::AuditLog;
use crate::hypervisor::Hypervisor;
use crate::log::{Cause, EventLog, Unavailable};

use self::auditor::Auditor;
pub use self::clock::{Clock, SystemClock};
use self::committer::{Committer, Submission};
pub use self::files::watch_files;
pub use self::integrity::{Integrity, verify_again_and_again};
pub use self::link::Alone;
pub use self::stores::{Stores, StoresError, set_aside, set_aside_lost};

/// How many commands may wait for the committer; what comes on top is refused, so that a stuck disk cannot eat the memory.
pub const MAX_QUEUED_COMMANDS: usize = 10_000;
/// How many commands go into one transaction at the most.
pub const MAX_BATCH: usize = 1_000;
/// How many events may lie behind a snapshot before the next is written, where nothing else is said.
pub const SNAPSHOT_EVERY: u64 = 100_000;

/// What is said where the log cannot be folded.
const UNREPLAYABLE: &str =
    "replaying the event log (`evirt events verify` says what is wrong with it, `evirt events repair` what can be saved)";

/// Where 128 random bits for each command come from.
pub type Seeds = Arc<dyn Fn() -> u128 + Send + Sync>;

/// What an engine may be given.
#[derive(Clone)]
pub struct Options {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub seeds: Seeds,
    /// The data directory, below which snapshots are kept; without one there are none, and every start folds the whole log.
    pub snapshots: Option<PathBuf>,
    /// A snapshot is written after so many events.
    pub snapshot_every: u64,
    /// When power management rests.
    pub quiet: QuietTimes,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            seeds: Arc::new(rand::random),
            snapshots: None,
            snapshot_every: SNAPSHOT_EVERY,
            quiet: QuietTimes::default(),
        }
    }
}

impl Options {
    /// What a command is decided with.
    fn context(&self, request: &Request, now: Micros, host_load: Arc<BTreeMap<HostId, u8>>) -> Context {
        let (seed, quiet) = ((self.seeds)(), self.quiet);
        Context { actor: request.actor, now, correlation_id: request.correlation_id.clone(), seed, host_load, quiet }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("snapshots", &self.snapshots)
            .field("snapshot_every", &self.snapshot_every)
            .finish_non_exhaustive()
    }
}

/// What a command comes with.
#[derive(Clone, Debug)]
pub struct Request {
    /// The user, or the engine, that asks.
    pub actor: Actor,
    /// Names the request in events, jobs and logs.
    pub correlation_id: Arc<str>,
    /// The position of the event that it reacts to.
    pub causation: Option<Position>,
}

impl Request {
    /// A request of the engine itself.
    pub fn system(correlation_id: impl Into<Arc<str>>) -> Self {
        Self { actor: Actor::System, correlation_id: correlation_id.into(), causation: None }
    }
}

/// What became of a command that was not refused. It is durable.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The position of its last event; where there was nothing to do, the one that this was found at.
    pub position: Position,
    /// Its events.
    pub events: Vec<RecordedEvent>,
    /// A published World that has them.
    pub world: Arc<World>,
}

impl Outcome {
    /// The jobs that it opened, in their order.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.events.iter().filter_map(|recorded| match &recorded.event {
            Event::JobOpened(opened) => Some(opened.job),
            _ => None,
        })
    }

    /// The identifier of what it made first of a kind.
    pub fn made<T: From<Uuid>>(&self, kind: MadeKind) -> Option<T> {
        let made = self.events.iter().filter_map(|recorded| Made::by(&recorded.event));
        made.into_iter().find(|made| made.kind == kind).map(|made| made.id.into())
    }
}

/// An answer of the committer's on its way.
pub type Deciding = Pin<Box<dyn Future<Output = Result<Outcome, Rejection>> + Send>>;

/// The engine. A copy is another handle to the same.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    stores: Stores,
    driver: Arc<dyn Hypervisor>,
    links: Alone<HostId>,
    queue: mpsc::Sender<Submission>,
    published: Arc<Published>,
    options: Options,
    stop: watch::Sender<bool>,
    committer: Mutex<Option<JoinHandle<()>>>,
    /// Writes the audit log.
    writer: JoinHandle<()>,
}

/// What the committer publishes and everybody reads.
struct Published {
    world: ArcSwap<World>,
    head: watch::Sender<Position>,
    /// The position of the last commit that left work.
    work: watch::Sender<Position>,
    host_load: ArcSwap<BTreeMap<HostId, u8>>,
    /// Why the last batch could not be appended.
    trouble: ArcSwapOption<Unavailable>,
    /// What is known of the files.
    integrity: ArcSwap<Integrity>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("position", &self.world().position).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(task) = self.committer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        self.writer.abort();
    }
}

impl Engine {
    /// Brings the World back from the newest snapshot that fits the log and the events behind it, and begins to take commands.
    ///
    /// # Errors
    ///
    /// The log or the audit log is unavailable, a record is missing or is no event that this program knows, or the log ends
    /// before its snapshot.
    pub async fn start(stores: Stores, driver: Arc<dyn Hypervisor>, options: Options) -> anyhow::Result<Engine> {
        let Stores { log, audit } = &stores;
        // What the start reads of the audit log tells whether it can be read at all; all else is looked at while the engine serves.
        if let Err(error) = Auditor::remember(audit).await {
            anyhow::ensure!(error.cause == Cause::Corrupt, error);
            tracing::error!(%error, "the audit log is damaged and is computed anew");
            audit.begin_anew().await?;
        }
        let world = match &options.snapshots {
            // The audit log is told of events on the Worlds that they happened in, so a later one will not do.
            Some(data) => snapshot::newest(data, &**log, audit.position()).await.unwrap_or_default(),
            None => World::default(),
        };
        let snapshot_at = world.position;
        let writing = audit.clone();
        let writer = tokio::spawn(async move { writing.write().await });
        let replayed = replay::replay(log, world, Some(audit)).await.context(UNREPLAYABLE)?;
        let world = Arc::new(replayed.world);
        let published = Arc::new(Published {
            head: watch::Sender::new(world.position),
            work: watch::Sender::new(world.position),
            world: ArcSwap::new(world),
            host_load: ArcSwap::default(),
            trouble: ArcSwapOption::empty(),
            integrity: ArcSwap::default(),
        });
        let (queue, submissions) = mpsc::channel(MAX_QUEUED_COMMANDS);
        let stop = watch::Sender::new(false);
        let (last, auditor) = (replayed.last_recorded_at, replayed.auditor);
        options.clock.begin_after(last);
        let committer = Committer::new(stores.clone(), published.clone(), options.clone(), last, auditor, snapshot_at);
        let committer = Mutex::new(Some(tokio::spawn(committer.run(submissions, stop.subscribe()))));
        let links = Alone::default();
        Ok(Engine(Arc::new(Shared { stores, driver, links, queue, published, options, stop, committer, writer })))
    }

    /// The World as it is durable now.
    pub fn world(&self) -> Arc<World> {
        self.0.published.world.load_full()
    }

    /// Decides what is wanted and makes its events durable, or tells why it is refused.
    ///
    /// The intent takes its place in the queue at once, before the answer is awaited for the first time: commands of one caller are
    /// decided in the order of its calls. It is carried out even if nobody awaits the answer any more.
    ///
    /// # Errors
    ///
    /// What the command's rules refuse, as a rejection of its own; where the store takes nothing just now, or the engine stops,
    /// one of the class `Unavailable`.
    pub fn submit(&self, request: &Request, intent: impl Into<Intent>) -> Deciding {
        self.enqueue(request, intent.into())
    }

    /// What a command would be refused with now. Nothing is changed, and it may be decided otherwise when it is submitted.
    ///
    /// # Errors
    ///
    /// Those of the command.
    pub fn foresee(&self, request: &Request, intent: &Intent) -> Result<(), Rejection> {
        let (options, load) = (&self.0.options, self.0.published.host_load.load_full());
        decide(&self.world(), &options.context(request, options.clock.now(), load), intent).map(drop)
    }

    fn enqueue(&self, request: &Request, intent: Intent) -> Deciding {
        let (reply, answer) = oneshot::channel();
        let submission = Submission { request: request.clone(), intent, reply };
        let queued = self.0.queue.try_send(submission).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => unavailable("too many commands are waiting"),
            mpsc::error::TrySendError::Closed(_) => unavailable("the engine is stopping"),
        });
        Box::pin(async move {
            queued?;
            answer.await.unwrap_or_else(|_| Err(unavailable("the engine has stopped")))
        })
    }

    /// How many commands wait for the committer.
    pub fn waiting(&self) -> usize {
        self.0.queue.max_capacity() - self.0.queue.capacity()
    }

    /// Waits until a job has ended, and tells how; none if there is no such job, or not any more.
    pub async fn settle(&self, job: JobId) -> Option<JobStatus> {
        self.until(|world| match world.jobs.get(&job) {
            Some(job) if job.status == JobStatus::Started => None,
            ended => Some(ended.map(|job| job.status.clone())),
        })
        .await
    }

    /// Waits until a published World fulfils a condition. It is asked of the present one at once, and then of those that follow;
    /// after the engine's end there are none, and it waits for ever.
    pub async fn until<T>(&self, condition: impl Fn(&World) -> Option<T>) -> T {
        let mut head = self.subscribe();
        loop {
            head.mark_unchanged();
            if let Some(result) = condition(&self.world()) {
                return result;
            }
            if head.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What it keeps.
    pub fn stores(&self) -> &Stores {
        &self.0.stores
    }

    /// The log.
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.0.stores.log
    }

    /// Takes what kept the last batch from being appended for over; the next one will show.
    fn try_again(&self) {
        self.0.published.trouble.store(None);
    }

    /// Why changes are refused just now: the log is gone, or the last of them could not be appended.
    pub async fn trouble(&self) -> Option<Unavailable> {
        match self.log().check().await {
            Err(gone) => Some(gone),
            Ok(()) => self.0.published.trouble.load_full().map(|trouble| Unavailable::clone(&trouble)),
        }
    }

    /// What is known of the files that it keeps.
    pub fn integrity(&self) -> Arc<Integrity> {
        self.0.published.integrity.load_full()
    }

    fn note(&self, change: impl Fn(&mut Integrity)) {
        self.0.published.integrity.rcu(|integrity| {
            let mut noted = Integrity::clone(integrity);
            change(&mut noted);
            noted
        });
    }

    /// The audit log.
    pub fn audit(&self) -> &Arc<AuditLog> {
        &self.0.stores.audit
    }

    /// The hypervisor driver.
    pub fn driver(&self) -> &Arc<dyn Hypervisor> {
        &self.0.driver
    }

    /// The published position, as it moves on.
    pub fn subscribe(&self) -> watch::Receiver<Position> {
        self.0.published.head.subscribe()
    }

    /// The position of the last commit that left work, as it moves on: that opened or ended a job, or changed which VMs are to be restarted.
    pub fn subscribe_work(&self) -> watch::Receiver<Position> {
        self.0.published.work.subscribe()
    }

    /// CPU load of hosts in percent, as last sampled.
    pub fn host_load(&self) -> Arc<BTreeMap<HostId, u8>> {
        self.0.published.host_load.load_full()
    }

    /// Takes a new sample of the hosts' load, by which VMs are placed.
    pub fn set_host_load(&self, load: BTreeMap<HostId, u8>) {
        self.0.published.host_load.store(Arc::new(load));
    }

    /// Carries out what was submitted, writes a snapshot, and takes no more commands.
    pub async fn shutdown(&self) {
        self.0.stop.send_replace(true);
        let committer = self.0.committer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = committer
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the committer has broken off");
        }
        if let Err(error) = self.audit().make_durable().await {
            tracing::error!(%error, "the audit log lacks entries, which the next start computes again");
        }
        self.0.writer.abort();
    }

    /// Stops at once, as a crash would: commands that are not durable yet are lost.
    pub fn abort(&self) {
        if let Some(task) = self.0.committer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        self.0.writer.abort();
    }
}

/// The refusal that a command found the engine itself wrong.
fn broken(detail: impl std::fmt::Display) -> Rejection {
    Rejection::new(Key::Internal).with("detail", detail)
}

/// The refusal that a command could not be made durable.
fn unavailable(detail: impl std::fmt::Display) -> Rejection {
    Rejection::new(Key::LogUnavailable).with("detail", detail)
}
