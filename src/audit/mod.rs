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

mod checksum;
mod entry;
mod store;
#[cfg(test)]
mod tests;

use std::mem::take;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, RwLock, watch};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use self::store::Store;
use crate::log::{Cause, EventLog, Unavailable};

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

/// The directory below the data directory in which another file is computed for one that is damaged.
const REPLACEMENT: &str = "audit.new";

/// How long the writer waits after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// The audit log of a data directory.
#[derive(Debug)]
pub struct AuditLog {
    /// Where it is, and whose.
    data: PathBuf,
    installation: Uuid,
    /// Exchanged where it is damaged.
    store: RwLock<Arc<Store>>,
    /// Held while something is being written.
    writing: Mutex<()>,
    /// Somebody came upon damage.
    damaged: watch::Sender<bool>,
    waiting: std::sync::Mutex<Waiting>,
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

/// A file that is computed beside a damaged one. Dropped before it took that one's place, it is left lying and made anew the next time.
#[derive(Debug)]
pub struct Replacement<'a> {
    audit: &'a AuditLog,
    directory: PathBuf,
    store: Store,
    position: u64,
}

impl Replacement<'_> {
    /// Up to which position it is computed.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Writes what comes next, up to a position.
    ///
    /// # Errors
    ///
    /// The file takes nothing just now.
    pub async fn append(&mut self, told: AuditBatch, position: u64) -> Result<(), Unavailable> {
        self.store.append(&told.entries, &told.former, position).await?;
        self.position = position;
        Ok(())
    }

    /// Takes the damaged file's place; what was offered meanwhile is written to it next. It is given back where it is not yet as far as
    /// that one is, and has to be computed further first.
    ///
    /// # Errors
    ///
    /// A file cannot be moved or opened.
    pub async fn take_place(self) -> Result<Option<Self>, Unavailable> {
        let Self { audit, directory, store, position } = self;
        let _writing = audit.writing.lock().await;
        if position < audit.position() {
            return Ok(Some(Self { audit, directory, store, position }));
        }
        let mut old = audit.store.write().await;
        old.close().await;
        store.close().await;
        Store::take_place(&directory, &audit.data)?;
        *old = Arc::new(Store::open(&audit.data, audit.installation).await?.0);
        audit.damaged.send_replace(false);
        let left = {
            let mut waiting = audit.waiting();
            let before = waiting.told.len();
            waiting.told.entries.retain(|entry| entry.id > position);
            waiting.told.former.retain(|former| former.position > position);
            waiting.position = waiting.position.max(position);
            before - waiting.told.len()
        };
        audit.backlog.fetch_sub(left, Ordering::Relaxed);
        audit.written.send_replace(Written { position, trouble: None });
        audit.offered.notify_one();
        // What cannot be removed is empty and in nobody's way.
        let _ = std::fs::remove_dir(directory);
        Ok(None)
    }
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
        let audit = Self::with(data, log.installation_id(), store, position);
        if position > log.head().await?.position {
            tracing::warn!(position, "the audit log is ahead of the event log and is computed again");
            audit.begin_anew().await?;
        }
        Ok(audit)
    }

    /// Opens it for reading beside the engine that writes it. None where there is none.
    ///
    /// # Errors
    ///
    /// The file is there, and is unavailable or of another format.
    pub async fn open_read_only(data: &Path) -> Result<Option<Self>, Unavailable> {
        Ok(Store::open_read_only(data).await?.map(|(store, position)| Self::with(data, Uuid::nil(), store, position)))
    }

    fn with(data: &Path, installation: Uuid, store: Store, position: u64) -> Self {
        Self {
            data: data.to_owned(),
            installation,
            store: RwLock::new(Arc::new(store)),
            writing: Mutex::default(),
            damaged: watch::Sender::new(false),
            waiting: std::sync::Mutex::new(Waiting { told: AuditBatch::default(), position, last: position }),
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
                self.noticed(&error);
                self.written.send_modify(|written| written.trouble = Some(error));
                sleep(RETRY).await;
            }
        }
    }

    async fn write_waiting(&self) -> Result<(), Unavailable> {
        let _writing = self.writing.lock().await;
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
            if let Err(error) = self.store.read().await.append(portion, names, last).await {
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
        self.store.read().await.sync().await
    }

    /// Makes a new file, whatever is wrong with the one that there is: all entries are to be offered again, from position 1.
    ///
    /// # Errors
    ///
    /// The file cannot be removed or made.
    pub async fn begin_anew(&self) -> Result<(), Unavailable> {
        let _writing = self.writing.lock().await;
        let mut store = self.store.write().await;
        store.close().await;
        Store::remove(&self.data)?;
        *store = Arc::new(Store::open(&self.data, self.installation).await?.0);
        self.damaged.send_replace(false);
        *self.waiting() = Waiting::default();
        self.backlog.store(0, Ordering::Relaxed);
        self.written.send_replace(Written { position: 0, trouble: None });
        Ok(())
    }

    /// Waits until somebody who reads or writes it comes upon damage, unless somebody has since it was made.
    pub async fn until_damaged(&self) {
        // The sender is this log's own.
        let _ = self.damaged.subscribe().wait_for(|damaged| *damaged).await;
    }

    /// Looks whether it holds what was written, with a rest after each page. What is wrong, where something is.
    ///
    /// # Errors
    ///
    /// The file is unavailable.
    pub async fn verify(&self, rest: Duration) -> Result<Option<String>, Unavailable> {
        // It takes long: whoever exchanges the file must not wait for it.
        let store = self.store.read().await.clone();
        store.verify(rest).await
    }

    /// Begins another file beside this one, which is to be computed from position 1 and then takes its place.
    ///
    /// # Errors
    ///
    /// The file cannot be made.
    pub async fn replacement(&self) -> Result<Replacement<'_>, Unavailable> {
        let directory = self.data.join(REPLACEMENT);
        let made = std::fs::create_dir_all(&directory);
        made.map_err(|error| Unavailable { cause: Cause::Io, detail: format!("{}: {error}", directory.display()) })?;
        Store::remove(&directory)?;
        let (store, position) = Store::open(&directory, self.installation).await?;
        Ok(Replacement { audit: self, directory, store, position })
    }

    fn noticed(&self, error: &Unavailable) {
        if error.cause == Cause::Corrupt {
            self.damaged.send_if_modified(|damaged| !std::mem::replace(damaged, true));
        }
    }

    /// What a question came to; whoever repairs damage hears of it.
    fn told<T>(&self, answer: Result<T, Unavailable>) -> Result<T, Unavailable> {
        answer.inspect_err(|error| self.noticed(error))
    }

    /// The entry with an id.
    ///
    /// # Errors
    ///
    /// The file is unavailable, or what was offered cannot be written.
    pub async fn entry(&self, id: u64) -> Result<Option<AuditRecord>, Unavailable> {
        self.catch_up().await?;
        self.told(self.store.read().await.entry(id).await)
    }

    /// A page of it.
    ///
    /// # Errors
    ///
    /// Those of `entry`.
    pub async fn find(&self, query: AuditQuery) -> Result<Vec<AuditRecord>, Unavailable> {
        self.catch_up().await?;
        self.told(self.store.read().await.find(&query).await)
    }

    /// How many entries a query has, whatever its limit and offset.
    ///
    /// # Errors
    ///
    /// Those of `entry`.
    pub async fn count(&self, query: AuditQuery) -> Result<u64, Unavailable> {
        self.catch_up().await?;
        self.told(self.store.read().await.count(&query).await)
    }

    /// What had a name, in any case, and has it no more; no more of them than asked for, and in no order.
    ///
    /// # Errors
    ///
    /// Those of `entry`.
    pub async fn formerly_called(&self, reference: Reference, name: &str, most: u64) -> Result<Vec<Uuid>, Unavailable> {
        self.catch_up().await?;
        self.told(self.store.read().await.formerly_called(reference, &name.to_lowercase(), most).await)
    }

    /// The names that events behind a position and up to another took away, in the order of the events.
    ///
    /// # Errors
    ///
    /// Those of `entry`.
    pub async fn former_names(&self, after: u64, until: u64) -> Result<Vec<FormerName>, Unavailable> {
        self.catch_up().await?;
        self.told(self.store.read().await.former_names(after, until).await)
    }

    /// Closes all connections and moves what is in the write-ahead log into the file.
    pub async fn close(&self) {
        self.store.read().await.close().await;
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
