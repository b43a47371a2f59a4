//! `evirt projections`: what is computed from the event log, and can be computed again. These are the World, of which snapshots are kept so
//! that the engine starts fast, and the audit log, which the API calls events.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};

use super::output::{Output, progress, table};
use super::{Data, FAILURE, idle_engine};
use crate::audit::{AuditBatch, AuditLog, AuditQuery, AuditRecord, FormerName};
use crate::engine::Stores;
use crate::engine::rebuild::{Computed, ComputedEntry, Rebuild, newest_snapshot};
use crate::log::snapshot;

/// How many entries of the audit log are read in one go.
const PAGE: u64 = 1000;

/// What to do with projections.
#[derive(Debug, Subcommand)]
pub enum Projections {
    /// List what is computed from the log, and how far
    List(List),
    /// Compute again from the first event on; the engine has to be stopped
    Rebuild(RebuildOne),
    /// Compute again and compare; exit code 1 where there is a difference. Works beside a running engine
    Check(Check),
}

#[derive(Args, Debug)]
pub struct List {
    #[command(flatten)]
    data: Data,
}

#[derive(Args, Debug)]
pub struct RebuildOne {
    #[command(flatten)]
    data: Data,
    /// Which; without one, all
    name: Option<Projection>,
}

#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    data: Data,
}

/// What is computed from the log and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Projection {
    /// The state of everything
    World,
    /// What the API calls events
    Audit,
}

impl Projections {
    /// Does it.
    pub async fn run(self) -> Result<ExitCode> {
        match self {
            Self::List(list) => list.run().await,
            Self::Rebuild(rebuild) => rebuild.run().await,
            Self::Check(check) => check.run().await,
        }
    }
}

impl List {
    async fn run(self) -> Result<ExitCode> {
        let log = self.data.read_only().await?;
        let head = log.head().await?.position;
        let kept = newest_snapshot(&self.data.data, &*log).await;
        let audit = match AuditLog::open_read_only(&self.data.data).await? {
            Some(audit) => {
                format!("{} entries up to position {}", audit.count(AuditQuery::default()).await?, audit.position())
            }
            None => "none".to_owned(),
        };
        let kept = kept.map_or_else(|| "no snapshot".to_owned(), |world| format!("snapshot at position {}", world.position));
        let rows =
            [vec!["world".to_owned(), kept], vec!["audit".to_owned(), audit], vec!["log".to_owned(), format!("{head} events")]];
        let mut output = Output::new();
        for line in table(&rows) {
            output.line(line)?;
        }
        output.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

impl RebuildOne {
    async fn run(self) -> Result<ExitCode> {
        self.data.read_only().await?.close().await;
        let _lock = self.data.lock()?;
        let stores = Stores::open(&self.data.data).await?;
        let wanted = |projection| self.name.is_none_or(|name| name == projection);
        if wanted(Projection::World) {
            rebuild_world(&self.data, &stores).await?;
        }
        if wanted(Projection::Audit) {
            rebuild_audit(&stores).await?;
        }
        stores.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Without its snapshots the engine folds the whole log, and writes a new one when it stops.
async fn rebuild_world(data: &Data, stores: &Stores) -> Result<()> {
    let directory = data.data.join(snapshot::DIRECTORY_NAME);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {}", directory.display()));
        }
        _ => {}
    }
    let engine = idle_engine(stores.clone(), &data.data).await?;
    let position = engine.world().position;
    engine.shutdown().await;
    eprintln!("the world was folded up to position {position}");
    Ok(())
}

async fn rebuild_audit(stores: &Stores) -> Result<()> {
    let Stores { log, audit } = stores;
    let head = log.head().await?.position;
    audit.begin_anew().await?;
    let writing = audit.clone();
    let writer = tokio::spawn(async move { writing.write().await });
    let bar = progress(head, "audit");
    let (mut rebuild, mut written) = (Rebuild::default(), 0);
    loop {
        let Some(Computed { entries, former }) = rebuild.advance(&**log, head).await? else { break };
        let entries: Vec<_> = entries.into_iter().filter(|computed| !computed.left_out).map(|computed| computed.entry).collect();
        written += entries.len();
        audit.room().await?;
        audit.offer(AuditBatch { entries, former }, rebuild.world().position);
        bar.set_position(rebuild.world().position);
    }
    audit.make_durable().await?;
    writer.abort();
    bar.finish_and_clear();
    eprintln!("the audit log was written again: {written} entries");
    Ok(())
}

impl Check {
    async fn run(self) -> Result<ExitCode> {
        let log = self.data.read_only().await?;
        let head = log.head().await?.position;
        let mut kept = newest_snapshot(&self.data.data, &*log).await;
        let bar = progress(head, "checking");
        let audit = AuditLog::open_read_only(&self.data.data).await?;
        let mut stored = audit.as_ref().map(|audit| Stored { audit, read: 0, page: VecDeque::new(), named: 0 });
        // An engine that runs may be about to write what is behind.
        let told = audit.as_ref().map_or(0, |audit| audit.position().min(head));
        let mut rebuild = Rebuild::default();
        let (mut differences, mut entries) = (Vec::new(), 0);
        // The snapshot is compared on the way, at its own position.
        for until in [kept.as_ref().map_or(0, |world| world.position.min(head)), head] {
            while let Some(mut computed) = rebuild.advance(&*log, until).await? {
                computed.entries.retain(|computed| computed.entry.id <= told);
                computed.former.retain(|former| former.position <= told);
                entries += computed.entries.iter().filter(|computed| !computed.left_out).count();
                if let Some(stored) = &mut stored {
                    let until = rebuild.world().position.min(told);
                    differences.extend(stored.compare_names(&computed.former, until).await?);
                    differences.extend(stored.compare(computed.entries, until).await?);
                }
                bar.set_position(rebuild.world().position);
            }
            if kept.take_if(|kept| kept.position == until).is_some_and(|kept| kept != *rebuild.world()) {
                differences.push(format!("world: the snapshot at position {until} is not what the events lead to"));
            }
        }
        bar.finish_and_clear();
        let mut output = Output::new();
        for difference in &differences {
            output.line(difference)?;
        }
        if differences.is_empty() {
            output.line(format_args!(
                "{head} events lead to what is kept: {entries} entries of the audit log, up to position {told}, and the world"
            ))?;
        }
        output.flush()?;
        Ok(if differences.is_empty() { ExitCode::SUCCESS } else { FAILURE.into() })
    }
}

/// The audit log as it is kept, oldest entry first.
struct Stored<'a> {
    audit: &'a AuditLog,
    /// The last id that was read.
    read: u64,
    page: VecDeque<AuditRecord>,
    /// Up to where names were compared.
    named: u64,
}

impl Stored<'_> {
    /// The first difference between what was computed for some positions, up to `until`, and what is kept.
    async fn compare(&mut self, computed: Vec<ComputedEntry>, until: u64) -> Result<Option<String>> {
        let mut difference = None;
        let mut differs = |id| {
            difference.get_or_insert_with(|| format!("audit: the entry at position {id} is not what the event leads to"));
        };
        let mut kept = self.next(until).await?;
        for computed in computed {
            while let Some(entry) = kept.take_if(|entry| entry.id < computed.entry.id) {
                differs(entry.id);
                kept = self.next(until).await?;
            }
            match kept.take_if(|entry| entry.id == computed.entry.id) {
                Some(entry) => {
                    if entry != computed.entry {
                        differs(entry.id);
                    }
                    kept = self.next(until).await?;
                }
                None if computed.repeatable => {}
                None => differs(computed.entry.id),
            }
        }
        while let Some(entry) = kept {
            differs(entry.id);
            kept = self.next(until).await?;
        }
        Ok(difference)
    }

    /// The first difference between the names that events up to a position took away and those that are kept.
    async fn compare_names(&mut self, computed: &[FormerName], until: u64) -> Result<Option<String>> {
        let kept = self.audit.former_names(self.named, until).await?;
        self.named = self.named.max(until);
        let same = kept.iter().zip(computed).take_while(|(kept, computed)| kept == computed).count();
        let different = [kept.get(same), computed.get(same)].into_iter().flatten().map(|former| former.position).min();
        Ok(different
            .map(|position| format!("audit: the name that ends at position {position} is not the one that the event takes away")))
    }

    async fn next(&mut self, until: u64) -> Result<Option<AuditRecord>> {
        if self.page.is_empty() {
            let query = AuditQuery { after: Some(self.read), oldest_first: true, limit: PAGE, ..AuditQuery::default() };
            self.page = self.audit.find(query).await?.into();
            self.read = self.page.back().map_or(self.read, |entry| entry.id);
        }
        Ok(self.page.pop_front_if(|entry| entry.id <= until))
    }
}
