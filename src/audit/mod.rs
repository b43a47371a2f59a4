//! The audit log, which the API calls events: what each event says to people, indexed for their questions.
//!
//! It is a read model that is persisted beside the log, and may be deleted at any time. The engine offers the entries of each commit when
//! its events are durable, before its commands are answered; a writer gathers them for a moment and writes them together, so that nobody's
//! command waits for eleven indexes. Who reads has the rest written first and so sees every entry that was offered before. What a crash
//! leaves unwritten is computed from the log at the next start.
//!
//! What is removed or renamed leaves its name behind, with the position up to which it had it. So an entry needs no names of its own: what
//! it is about has the name that it left first behind the entry, or the one that it has now. Nothing is written where a name is given.

#![warn(clippy::missing_errors_doc)]

mod entry;
mod store;
#[cfg(test)]
mod tests;

use std::mem::take;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use self::store::Store;
use crate::log::{EventLog, Unavailable};

pub use entry::{AuditFilter, AuditQuery};
pub use evirt_projections::audit::{FormerName, Reference, References, Severity};
pub use evirt_projections::inventory::AuditRecord;
pub use store::FILE_NAME;

/// How long the writer gathers entries, unless somebody wants to read them.
const GATHER: Duration = Duration::from_millis(50);

/// How many entries are gathered at the most before they are written.
const MAX_GATHERED: usize = 4_096;

/// How many entries may wait for the writer before commits wait for it, too.
pub const MAX_WAITING: usize = 65_536;

/// How long the writer waits after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// The audit log of a data directory.
#[derive(Debug)]
pub struct AuditLog {
    store: Store,
    waiting: Mutex<Waiting>,
    /// How many entries wait or are being written.
    backlog: AtomicUsize,
    /// Something waits.
    offered: Notify,
    /// Somebody waits for it.
    hurry: Notify,
    written: watch::Sender<Written>,
}

/// What events come to in the audit log, in their order.
#[derive(Debug, Default)]
pub struct AuditBatch {
    /// What it says of them.
    pub entries: Vec<AuditRecord>,
    /// The names that they took away.
    pub former: Vec<FormerName>,
}

impl AuditBatch {
    fn len(&self) -> usize {
        self.entries.len() + self.former.len()
    }

    /// The position of the last of it.
    fn last(&self) -> Option<u64> {
        let (entry, former) = (self.entries.last().map(|entry| entry.id), self.former.last().map(|former| former.position));
        entry.max(former)
    }

    /// Adds what comes behind it.
    pub fn extend(&mut self, more: AuditBatch) {
        self.entries.extend(more.entries);
        self.former.extend(more.former);
    }
}

/// What was offered and is not being written yet.
#[derive(Debug, Default)]
struct Waiting {
    told: AuditBatch,
    /// Up to where it was offered.
    position: u64,
    /// The last of what was offered that is told of.
    last: u64,
}

/// How far the store is.
#[derive(Clone, Debug)]
struct Written {
    position: u64,
    /// Why it does not get on.
    trouble: Option<Unavailable>,
}

impl AuditLog {
    /// Opens the audit log of an event log. Where there is none that fits, it begins at position 0.
    ///
    /// # Errors
    ///
    /// A file is unavailable.
    pub async fn open(data: &Path, log: &dyn EventLog) -> Result<Self, Unavailable> {
        let (store, position) = Store::open(data, log.installation_id()).await?;
        let audit = Self::with(store, position);
        if position > log.head().await?.position {
            tracing::warn!(position, "the audit log is ahead of the event log and is computed again");
            audit.clear().await?;
        }
        Ok(audit)
    }

    /// Opens it for reading beside the engine that writes it. None where there is none.
    ///
    /// # Errors
    ///
    /// The file is there, and is unavailable or of another format.
    pub async fn open_read_only(data: &Path) -> Result<Option<Self>, Unavailable> {
        Ok(Store::open_read_only(data).await?.map(|(store, position)| Self::with(store, position)))
    }

    fn with(store: Store, position: u64) -> Self {
        Self {
            store,
            waiting: Mutex::new(Waiting { told: AuditBatch::default(), position, last: position }),
            backlog: AtomicUsize::new(0),
            offered: Notify::new(),
            hurry: Notify::new(),
            written: watch::Sender::new(Written { position, trouble: None }),
        }
    }

    /// Up to which position it is written.
    pub fn position(&self) -> u64 {
        self.written.borrow().position
    }

    /// Takes what is told of the events up to a position, to be written soon. It does not wait; see [`AuditLog::room`].
    pub fn offer(&self, told: AuditBatch, position: u64) {
        let backlog = self.backlog.fetch_add(told.len(), Ordering::Relaxed) + told.len();
        {
            let mut waiting = self.waiting();
            waiting.position = position;
            waiting.last = told.last().unwrap_or(waiting.last);
            waiting.told.extend(told);
        }
        self.offered.notify_one();
        if backlog >= MAX_GATHERED {
            self.hurry.notify_one();
        }
    }

    /// Waits until there is room for more entries; the error is why there will be none soon.
    ///
    /// # Errors
    ///
    /// The file takes nothing just now.
    pub async fn room(&self) -> Result<(), Unavailable> {
        while self.backlog.load(Ordering::Relaxed) >= MAX_WAITING {
            // What waits was offered after what is being written: there is a next step to wait for.
            let next = self.position() + 1;
            self.reach(next).await?;
        }
        Ok(())
    }

    /// Writes what is offered, for ever.
    pub async fn write(&self) {
        loop {
            self.offered.notified().await;
            // Whether it was hurried or has waited long enough is the same.
            let _ = timeout(GATHER, self.hurry.notified()).await;
            while let Err(error) = self.write_waiting().await {
                if self.written.borrow().trouble.is_none() {
                    tracing::error!(%error, "the audit log cannot be written");
                }
                self.written.send_modify(|written| written.trouble = Some(error));
                sleep(RETRY).await;
            }
        }
    }

    async fn write_waiting(&self) -> Result<(), Unavailable> {
        let (AuditBatch { entries, former }, position) = {
            let mut waiting = self.waiting();
            (take(&mut waiting.told), waiting.position)
        };
        let (mut told, mut left) = (0, 0);
        while told < entries.len() || left < former.len() || self.position() < position {
            let portion = &entries[told..entries.len().min(told + MAX_GATHERED)];
            // Each portion has the names that were taken away up to its last entry, and the last one all that are left.
            let is_last = told + portion.len() == entries.len();
            let last = portion.last().filter(|_| !is_last).map_or(position, |entry| entry.id);
            let names = &former[left..];
            let names = &names[..names.partition_point(|former| is_last || former.position <= last)];
            if let Err(error) = self.store.append(portion, names, last).await {
                // They go before those that were offered meanwhile.
                let mut waiting = self.waiting();
                waiting.told.entries.splice(0..0, entries.into_iter().skip(told));
                waiting.told.former.splice(0..0, former.into_iter().skip(left));
                return Err(error);
            }
            (told, left) = (told + portion.len(), left + names.len());
            self.backlog.fetch_sub(portion.len() + names.len(), Ordering::Relaxed);
            self.written.send_replace(Written { position: last, trouble: None });
        }
        Ok(())
    }

    /// Waits until all that was offered is on the disk, so that a power loss does not take it.
    ///
    /// # Errors
    ///
    /// The file takes nothing just now.
    pub async fn make_durable(&self) -> Result<(), Unavailable> {
        let position = self.waiting().position;
        self.reach(position).await?;
        self.store.sync().await
    }

    /// Deletes all entries: they are to be offered again, from position 1.
    ///
    /// # Errors
    ///
    /// The file is unavailable.
    pub async fn clear(&self) -> Result<(), Unavailable> {
        self.store.clear().await?;
        *self.waiting() = Waiting::default();
        self.written.send_replace(Written { position: 0, trouble: None });
        Ok(())
    }

    /// The entry with an id.
    ///
    /// # Errors
    ///
    /// The file is unavailable, or what was offered cannot be written.
    pub async fn entry(&self, id: u64) -> Result<Option<AuditRecord>, Unavailable> {
        self.catch_up().await?;
        self.store.entry(id).await
    }

    /// A page of it.
    ///
    /// # Errors
    ///
    /// Those of `entry`.
    pub async fn find(&self, query: AuditQuery) -> Result<Vec<AuditRecord>, Unavailable> {
        self.catch_up().await?;
        self.store.find(&query).await
    }

    /// How many entries a query has, whatever its limit and offset.
    ///
    /// # Errors
    ///
    /// Those of `entry`.
    pub async fn count(&self, query: AuditQuery) -> Result<u64, Unavailable> {
        self.catch_up().await?;
        self.store.count(&query).await
    }

    /// What had a name, in any case, and has it no more; no more of them than asked for, and in no order.
    ///
    /// # Errors
    ///
    /// Those of `entry`.
    pub async fn formerly_called(&self, reference: Reference, name: &str, most: u64) -> Result<Vec<Uuid>, Unavailable> {
        self.catch_up().await?;
        self.store.formerly_called(reference, &name.to_lowercase(), most).await
    }

    /// The names that events behind a position and up to another took away, in the order of the events.
    ///
    /// # Errors
    ///
    /// Those of `entry`.
    pub async fn former_names(&self, after: u64, until: u64) -> Result<Vec<FormerName>, Unavailable> {
        self.catch_up().await?;
        self.store.former_names(after, until).await
    }

    /// Closes all connections and moves what is in the write-ahead log into the file.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Waits until everything that was offered can be read.
    async fn catch_up(&self) -> Result<(), Unavailable> {
        let last = self.waiting().last;
        if self.position() >= last { Ok(()) } else { self.reach(last).await }
    }

    /// Waits until it is written up to a position.
    async fn reach(&self, position: u64) -> Result<(), Unavailable> {
        self.hurry.notify_one();
        let mut written = self.written.subscribe();
        let reached = written.wait_for(|written| written.position >= position || written.trouble.is_some()).await;
        match reached {
            Ok(written) if written.position < position => written.trouble.clone().map_or(Ok(()), Err),
            // The sender is this log's own.
            _ => Ok(()),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
