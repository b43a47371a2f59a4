//! The committer: decides commands one after the other and makes them durable many at a time.
//!
//! It owns the newest decided World, which may be ahead of the published one: while a batch is being synced to disk the next is decided on
//! top of it. When a batch is durable its World is published, its commands are answered, and then the reactors are told of work.
//!
//! **What is answered is durable, refusals included.** A refusal ("the name is in use") and an answer that there is nothing to do may rest
//! on an event that is not durable yet. Told at once, such an answer could speak of something that after a power loss never was. So it
//! waits for the batch that it was decided on; where nothing undurable is about, it goes out at once. A refusal that the log is told of
//! (`quota::told`) is answered with its event.
//!
//! **A failed append takes back everything that was decided on it:** the batch itself and what was gathered on top are refused as
//! unavailable, and the next command is decided on the published World again. Nothing has to be undone, since Worlds are values. Where the
//! log has moved on meanwhile (another engine, or a batch that was durable although its commit reported a failure), the committer
//! catches up and decides the same commands again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use evirt_domain::command::decide;
use evirt_domain::context::Context;
use evirt_domain::event::{Event, RecordedEvent, StreamKind};
use evirt_domain::ids::{Micros, Position};
use evirt_domain::intent::Intent;
use evirt_domain::quota::told;
use evirt_domain::rejection::Rejection;
use evirt_domain::world::World;
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::auditor::Auditor;
use super::replay::{self, evolve_and_tell};
use super::{MAX_BATCH, Options, Outcome, Published, Request, Stores, broken, codec, snapshot, unavailable};
use crate::audit::AuditBatch;
use crate::log::{AppendError, Appended, Batch, Cause, NewRecord, Unavailable};

/// A command that waits for its decision, and who waits for the answer.
pub(super) struct Submission {
    pub request: Request,
    pub intent: Intent,
    pub reply: oneshot::Sender<Result<Outcome, Rejection>>,
}

/// What was decided of a command.
enum Decision {
    /// So many of the batch's events are its own.
    Accepted(usize),
    /// So many of the batch's events tell of it.
    Refused(Rejection, usize),
}

struct Decided {
    submission: Submission,
    decision: Decision,
}

/// What is appended as one.
#[derive(Default)]
struct Gathered {
    commands: Vec<Decided>,
    events: Vec<RecordedEvent>,
    records: Vec<NewRecord>,
    /// What the audit log is told of them.
    told: AuditBatch,
}

/// A batch on its way to the disk.
struct Appending {
    gathered: Gathered,
    /// The World with its events.
    world: Arc<World>,
    append: Append,
}

/// An append under way. It is driven by whoever polls it, the store's thread works beside.
type Append = Pin<Box<dyn Future<Output = Result<Appended, AppendError>> + Send>>;

pub(super) struct Committer {
    stores: Stores,
    published: Arc<Published>,
    options: Options,
    /// The newest decided World.
    world: World,
    last_recorded_at: Micros,
    auditor: Auditor,
    gathered: Gathered,
    appending: Option<Appending>,
    snapshot_at: Position,
    snapshot: Option<JoinHandle<()>>,
}

impl Committer {
    pub fn new(
        stores: Stores,
        published: Arc<Published>,
        options: Options,
        last_recorded_at: Micros,
        auditor: Auditor,
        snapshot_at: Position,
    ) -> Self {
        let world = World::clone(&published.world.load());
        Self {
            stores,
            published,
            options,
            world,
            last_recorded_at,
            auditor,
            gathered: Gathered::default(),
            appending: None,
            snapshot_at,
            snapshot: None,
        }
    }

    /// Serves until it is told to stop; then it finishes what was submitted.
    pub async fn run(mut self, mut submissions: mpsc::Receiver<Submission>, mut stop: watch::Receiver<bool>) {
        loop {
            self.begin_append(&mut submissions).await;
            tokio::select! {
                biased;
                result = appended(&mut self.appending) => self.end_append(result).await,
                submission = submissions.recv(), if self.gathered.commands.len() < MAX_BATCH => match submission {
                    Some(submission) => self.decide(submission),
                    None if self.appending.is_none() => break,
                    // Nothing more will come; what is gathered goes with the next turn.
                    None => {
                        let result = appended(&mut self.appending).await;
                        self.end_append(result).await;
                    }
                },
                // An error means that every handle is gone, which closes the queue as well.
                _ = async { stop.wait_for(|stop| *stop).await.is_ok() }, if !submissions.is_closed() => submissions.close(),
            }
        }
        if let Some(task) = self.snapshot.take() {
            // A snapshot that failed has said so.
            let _ = task.await;
        }
        if self.published.world.load().position > self.snapshot_at {
            self.begin_snapshot();
            if let Some(task) = self.snapshot.take() {
                let _ = task.await;
            }
        }
    }

    /// Decides a command on the newest World and folds its events in.
    fn decide(&mut self, submission: Submission) {
        let now = self.options.clock.now().max(self.last_recorded_at);
        let cx = self.options.context(&submission.request, now, self.published.host_load.load_full());
        // A command that panics leaves no trace: what it changes is a copy.
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let (events, refusal) = match decide(&self.world, &cx, &submission.intent) {
                Ok(events) => (events, None),
                Err(refusal) => (told(&self.world, &cx, &refusal).into_iter().collect(), Some(refusal)),
            };
            (apply(&self.world, &mut self.auditor, events, &cx, submission.request.causation), refusal)
        }));
        let decision = match tried {
            Ok((applied, refusal)) => {
                let count = applied.events.len();
                if count > 0 {
                    self.last_recorded_at = now;
                    self.world = applied.world;
                    self.gathered.events.extend(applied.events);
                    self.gathered.records.extend(applied.records);
                    self.gathered.told.extend(applied.told);
                }
                match refusal {
                    None => Decision::Accepted(count),
                    Some(refusal) => Decision::Refused(refusal, count),
                }
            }
            Err(_) => {
                tracing::error!(intent = ?submission.intent, "a decision panicked");
                Decision::Refused(broken("its decision broke off"), 0)
            }
        };
        let decided = Decided { submission, decision };
        match (&mut self.appending, self.gathered.records.is_empty()) {
            (None, true) => self.answer(vec![decided], Vec::new(), &self.published.world.load_full()),
            (Some(appending), true) => appending.gathered.commands.push(decided),
            (_, false) => self.gathered.commands.push(decided),
        }
    }

    /// Sends what is gathered to the disk, with all that waits by now, unless a batch is on its way already.
    async fn begin_append(&mut self, submissions: &mut mpsc::Receiver<Submission>) {
        if self.appending.is_some() || self.gathered.records.is_empty() {
            return;
        }
        if let Err(error) = self.stores.audit.room().await {
            self.published.trouble.store(Some(Arc::new(error.clone())));
            let gathered = std::mem::take(&mut self.gathered);
            return self.refuse(gathered.commands, &unavailable(&error.detail));
        }
        while self.gathered.commands.len() < MAX_BATCH
            && let Ok(submission) = submissions.try_recv()
        {
            self.decide(submission);
        }
        let mut gathered = std::mem::take(&mut self.gathered);
        let batch = Batch {
            records: std::mem::take(&mut gathered.records),
            read: Vec::new(),
            expected_head: self.published.world.load().position,
        };
        let log = self.stores.log.clone();
        let append = AssertUnwindSafe(async move { log.append(batch).await }).catch_unwind();
        let append = Box::pin(append.map(|tried| tried.unwrap_or_else(|_| Err(broke_off()))));
        self.appending = Some(Appending { gathered, world: Arc::new(self.world.clone()), append });
    }

    /// A batch is durable, or it failed.
    async fn end_append(&mut self, result: Result<Appended, AppendError>) {
        let Some(Appending { gathered, world, .. }) = self.appending.take() else { return };
        match result {
            Ok(_) => {
                self.published.trouble.store(None);
                let Gathered { commands, events, told, .. } = gathered;
                self.stores.audit.offer(told, world.position);
                let before = self.publish(&world);
                let jobs = touch_jobs(&events);
                self.answer(commands, events, &world);
                self.follow_up(&before, &world, jobs);
            }
            Err(AppendError::Conflict { head, streams }) => {
                tracing::info!(head, ?streams, "the log has moved on: deciding again");
                let mut again = gathered.commands;
                again.extend(std::mem::take(&mut self.gathered).commands);
                match self.catch_up().await {
                    Ok(true) => again.into_iter().for_each(|decided| self.decide(decided.submission)),
                    // Decided again they would come to the same, for ever.
                    Ok(false) => {
                        tracing::error!(head, "the log refuses events although it has not moved on");
                        self.refuse(again, &broken("the event log refuses its events"));
                    }
                    Err(error) => self.refuse(again, &unavailable(&error.detail)),
                }
            }
            Err(AppendError::Unavailable(error)) => {
                tracing::error!(%error, "the event log cannot be written");
                self.published.trouble.store(Some(Arc::new(error.clone())));
                let mut all = gathered.commands;
                all.extend(std::mem::take(&mut self.gathered).commands);
                self.refuse(all, &unavailable(&error.detail));
            }
        }
    }

    /// Takes back what is not durable, and says so to all who wait for it.
    fn refuse(&mut self, commands: Vec<Decided>, refusal: &Rejection) {
        self.world = World::clone(&self.published.world.load());
        self.auditor.forget();
        for Decided { submission, .. } in commands {
            // A caller that no longer waits is not told.
            let _ = submission.reply.send(Err(refusal.clone()));
        }
    }

    /// Folds in what somebody else appended, and publishes it; false where there is nothing.
    async fn catch_up(&mut self) -> Result<bool, Unavailable> {
        self.world = World::clone(&self.published.world.load());
        self.auditor.forget();
        let events = replay::events_after(&self.stores.log, self.world.position).await?;
        let mut told = AuditBatch::default();
        for event in &events {
            evolve_and_tell(&mut self.world, &mut self.auditor, event, &mut told);
            self.last_recorded_at = self.last_recorded_at.max(event.recorded_at);
        }
        if !events.is_empty() {
            self.stores.audit.offer(told, self.world.position);
            let world = Arc::new(self.world.clone());
            let before = self.publish(&world);
            self.follow_up(&before, &world, touch_jobs(&events));
        }
        Ok(!events.is_empty())
    }

    /// Lets everybody see a World, and gives the one that they saw before.
    fn publish(&self, world: &Arc<World>) -> Arc<World> {
        let before = self.published.world.swap(world.clone());
        self.published.head.send_replace(world.position);
        before
    }

    /// What comes after a World was published and its commands were answered, who wait for it no longer.
    fn follow_up(&mut self, before: &World, world: &World, jobs: bool) {
        if jobs || !before.to_restart.ptr_eq(&world.to_restart) {
            self.published.work.send_replace(world.position);
        }
        if world.position - self.snapshot_at >= self.options.snapshot_every {
            self.begin_snapshot();
        }
    }

    /// Answers commands whose events, in their order, are in a published World.
    fn answer(&self, commands: Vec<Decided>, events: Vec<RecordedEvent>, world: &Arc<World>) {
        let mut events = events.into_iter();
        for Decided { submission, decision } in commands {
            let answer = match decision {
                Decision::Refused(rejection, count) => {
                    events.by_ref().take(count).for_each(drop);
                    Err(rejection)
                }
                Decision::Accepted(count) => {
                    let events: Vec<RecordedEvent> = events.by_ref().take(count).collect();
                    let position = events.last().map_or(world.position, |last| last.position);
                    Ok(Outcome { position, events, world: world.clone() })
                }
            };
            // A caller that no longer waits is not told.
            let _ = submission.reply.send(answer);
        }
    }

    /// Writes the published World down beside the work, unless one is being written still.
    fn begin_snapshot(&mut self) {
        let Some(data) = &self.options.snapshots else { return };
        if self.snapshot.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let world = self.published.world.load_full();
        self.snapshot_at = world.position;
        self.snapshot = Some(tokio::spawn(snapshot::write(data.clone(), self.stores.clone(), world)));
    }
}

/// What events make of a World.
struct Applied {
    world: World,
    events: Vec<RecordedEvent>,
    records: Vec<NewRecord>,
    told: AuditBatch,
}

/// Puts events in their envelopes and folds them in, one by one.
fn apply(world: &World, auditor: &mut Auditor, events: Vec<Event>, cx: &Context, causation: Option<Position>) -> Applied {
    let count = events.len();
    let told = AuditBatch { entries: Vec::with_capacity(count), ..AuditBatch::default() };
    let (events_of, records) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut applied = Applied { world: world.clone(), events: events_of, records, told };
    for event in events {
        let stream = event.as_fold().stream();
        let recorded = RecordedEvent {
            position: applied.world.position + 1,
            version: applied.world.version(&stream) + 1,
            stream,
            recorded_at: cx.now,
            actor: cx.actor,
            correlation_id: cx.correlation_id.clone(),
            causation,
            event,
        };
        evolve_and_tell(&mut applied.world, auditor, &recorded, &mut applied.told);
        applied.records.push(codec::record(&recorded));
        applied.events.push(recorded);
    }
    applied
}

/// Whether events open or end jobs.
fn touch_jobs(events: &[RecordedEvent]) -> bool {
    events.iter().any(|event| event.stream.kind == StreamKind::Job)
}

/// What is said of an append that panicked.
fn broke_off() -> AppendError {
    Unavailable { cause: Cause::Other, detail: "the append broke off".into() }.into()
}

/// The end of the append that is under way; without one it never comes.
async fn appended(appending: &mut Option<Appending>) -> Result<Appended, AppendError> {
    match appending {
        Some(appending) => (&mut appending.append).await,
        None => std::future::pending().await,
    }
}
