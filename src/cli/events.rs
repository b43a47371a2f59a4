//! `evirt events`: the log as it is kept, for operators and auditors.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat};
use clap::{Args, Subcommand};
use serde_json::value::RawValue;

use super::output::{Output, progress};
use super::{Data, FAILURE};
use crate::engine::set_aside;
use crate::log::verify::verify;
use crate::log::{self, EventLog, Record, sqlite};

/// How many records are read in one go.
const PAGE: usize = 1000;

/// How often `tail` looks for new events.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// What to do with the event log.
#[derive(Debug, Subcommand)]
pub enum Events {
    /// List events, one a line
    List(List),
    /// List the last events, and each new one as it is recorded
    Tail(Tail),
    /// Write all events as JSON, one a line, with the hashes that chain them
    Export(Export),
    /// Compute the chain of hashes again; exit code 1 where a record is not what was written
    Verify(Verify),
    /// Take a damaged log to the last record that is in order, and say what is lost; the engine has to be stopped
    Repair(Repair),
}

#[derive(Args, Debug)]
pub struct List {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    choice: Choice,
    /// Only events after this position
    #[arg(long, default_value_t = 0, value_name = "POSITION")]
    after: u64,
    /// Only events recorded at this time or later, as in 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
}

#[derive(Args, Debug)]
pub struct Tail {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    choice: Choice,
    /// How many of the last events come first
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    lines: u64,
}

#[derive(Args, Debug)]
pub struct Export {
    #[command(flatten)]
    data: Data,
    /// Only events after this position
    #[arg(long, default_value_t = 0, value_name = "POSITION")]
    after: u64,
}

#[derive(Args, Debug)]
pub struct Verify {
    #[command(flatten)]
    data: Data,
}

#[derive(Args, Debug)]
pub struct Repair {
    #[command(flatten)]
    data: Data,
    /// Do it; without this, it is only said what would be lost
    #[arg(long)]
    yes: bool,
}

/// Which events, and how they are written.
#[derive(Args, Debug)]
struct Choice {
    /// Only events of this kind, as in VmCreated
    #[arg(long)]
    kind: Option<String>,
    /// Only events of this stream, as in vm-6efc0cfa-8495-4a96-93e5-ee490328cf48, or of all that begin so
    #[arg(long)]
    stream: Option<String>,
    /// As JSON, with everything that the log keeps
    #[arg(long)]
    json: bool,
}

impl Choice {
    fn takes(&self, record: &Record) -> bool {
        self.kind.as_ref().is_none_or(|kind| *kind == record.kind)
            && self.stream.as_ref().is_none_or(|stream| record.stream.starts_with(stream.as_str()))
    }

    /// Writes those of the records that are asked for, `limit` at the most; how many they were.
    fn write(&self, output: &mut Output, records: &[Record], limit: u64) -> Result<u64> {
        let mut written = 0;
        for record in records.iter().filter(|record| self.takes(record)) {
            if written == limit {
                break;
            }
            if self.json {
                output.line(json(record)?)?
            } else {
                output.line(line(record))?
            }
            written += 1;
        }
        Ok(written)
    }
}

impl Events {
    /// Does it.
    pub async fn run(self) -> Result<ExitCode> {
        match self {
            Self::List(list) => list.run().await,
            Self::Tail(tail) => tail.run().await,
            Self::Export(export) => export.run().await,
            Self::Verify(check) => check.run().await,
            Self::Repair(repair) => repair.run().await,
        }
    }
}

impl List {
    async fn run(self) -> Result<ExitCode> {
        let log = self.data.read_only().await?;
        let mut after = self.after;
        if let Some(since) = &self.since {
            let time = DateTime::parse_from_rfc3339(since).with_context(|| format!("--since {since}"))?;
            after = after.max(log.position_at(time.timestamp_micros() - 1).await?);
        }
        let (mut output, mut left) = (Output::new(), self.limit.unwrap_or(u64::MAX));
        while left > 0 {
            let records = log.read(after, PAGE).await?;
            let Some(last) = records.last() else { break };
            after = last.position;
            left -= self.choice.write(&mut output, &records, left)?;
        }
        output.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Tail {
    async fn run(self) -> Result<ExitCode> {
        let log = self.data.read_only().await?;
        let mut after = log.head().await?.position.saturating_sub(self.lines);
        let mut output = Output::new();
        loop {
            let records = log.read(after, PAGE).await?;
            match records.last() {
                Some(last) => {
                    after = last.position;
                    self.choice.write(&mut output, &records, u64::MAX)?;
                    output.flush()?;
                }
                None => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }
}

impl Export {
    async fn run(self) -> Result<ExitCode> {
        let log = self.data.read_only().await?;
        let head = log.head().await?.position;
        let bar = progress(head.saturating_sub(self.after), "exporting");
        let (mut output, mut after) = (Output::new(), self.after);
        // What is recorded meanwhile is left for the next export: so each has an end, and tells which.
        while after < head {
            let most = usize::try_from(head - after).unwrap_or(PAGE).min(PAGE);
            let records = log.read(after, most).await?;
            let Some(last) = records.last() else { break };
            after = last.position;
            for record in &records {
                output.line(json(record)?)?;
            }
            bar.inc(records.len() as u64);
        }
        output.flush()?;
        bar.finish_and_clear();
        eprintln!("exported up to position {after}");
        Ok(ExitCode::SUCCESS)
    }
}

impl Verify {
    async fn run(self) -> Result<ExitCode> {
        let log = self.data.read_only().await?;
        let bar = progress(0, "verifying");
        let verification = verify(&*log, &mut |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })
        .await?;
        bar.finish_and_clear();
        let mut output = Output::new();
        output.line(format_args!(
            "{} events are in order; the last one's hash is {}",
            verification.sound,
            hex::encode(verification.hash)
        ))?;
        let code = match &verification.finding {
            Some(finding) => {
                output.line(format_args!("position {}: {}", finding.position, finding.problem))?;
                FAILURE.into()
            }
            None => ExitCode::SUCCESS,
        };
        output.flush()?;
        Ok(code)
    }
}

impl Repair {
    async fn run(self) -> Result<ExitCode> {
        let log = self.data.read_only().await?;
        let _lock = self.data.lock()?;
        let data = &self.data.data;
        let verification = verify(&*log, &mut |_, _| {}).await?;
        let mut output = Output::new();
        let Some(finding) = &verification.finding else {
            output.line(format_args!("all {} events are in order: nothing to repair", verification.sound))?;
            output.flush()?;
            return Ok(ExitCode::SUCCESS);
        };
        output.line(format_args!("position {}: {}", finding.position, finding.problem))?;
        let (lost, last) = lost(&*log, verification.sound).await;
        match last {
            0 => output.line("no event is lost")?,
            last => output.line(format_args!(
                "lost: the events from position {} to {last}, of which {} can still be read",
                verification.sound + 1,
                lost.len()
            ))?,
        }
        for record in &lost {
            output.line(line(record))?;
        }
        if !self.yes {
            output.line(format_args!("with --yes, the first {} events are kept", verification.sound))?;
            output.flush()?;
            return Ok(FAILURE.into());
        }
        // The good records go into a new file before anything is moved: whatever breaks off leaves the damaged one where it is.
        let unfinished = data.join("events.new");
        match std::fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => std::fs::create_dir(&unfinished)?,
        }
        let repaired = log::open_copy(&unfinished, log.installation_id()).await?;
        log::copy(&*log, &*repaired, verification.sound, &mut |_, _| {}).await?;
        repaired.close().await;
        log.close().await;
        let aside = set_aside(data, "damaged", &[sqlite::FILE_NAME])?.context("the damaged file is gone")?;
        std::fs::rename(unfinished.join(sqlite::FILE_NAME), data.join(sqlite::FILE_NAME))?;
        std::fs::remove_dir(&unfinished)?;
        let mut kept = String::new();
        for record in &lost {
            kept += &json(record).unwrap_or_else(|_| format!("{record:?}"));
            kept.push('\n');
        }
        std::fs::write(aside.join("lost.jsonl"), kept)?;
        output.line(format_args!("{} events are kept; the damaged file is in {}", verification.sound, aside.display()))?;
        output.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The records behind a position that can be read, one by one, and the position of the last that there was.
async fn lost(log: &dyn EventLog, after: u64) -> (Vec<Record>, u64) {
    let mut lost = Vec::new();
    let head = log.head().await.map_or(after, |head| head.position);
    for position in after..head {
        // Damage beside a record may hide it from a query that begins with it.
        let read = log.read(position, 1).await.unwrap_or_default();
        lost.extend(read.into_iter().filter(|record| record.position == position + 1));
    }
    // Behind the noted head there may be more, by another hand.
    lost.extend(log.read(head, PAGE).await.unwrap_or_default());
    let last = lost.last().map_or(0, |record| record.position).max(if head > after { head } else { 0 });
    (lost, last)
}

fn line(record: &Record) -> String {
    format!(
        "{:>8}  {}  {:<24}  {}  {}  {}",
        record.position,
        time(record.recorded_at),
        record.kind,
        record.stream,
        record.actor,
        record.correlation_id
    )
}

/// A record as an auditor gets it: the payload is the text that the hash covers, unchanged.
fn json(record: &Record) -> Result<String> {
    #[derive(serde::Serialize)]
    struct Exported<'a> {
        position: u64,
        stream: &'a str,
        version: u64,
        kind: &'a str,
        schema: u32,
        recorded_at: String,
        recorded_at_micros: i64,
        actor: &'a str,
        correlation_id: &'a str,
        causation: Option<u64>,
        payload: &'a RawValue,
        hash: String,
    }
    let exported = Exported {
        position: record.position,
        stream: &record.stream,
        version: record.version,
        kind: &record.kind,
        schema: record.schema,
        recorded_at: time(record.recorded_at),
        recorded_at_micros: record.recorded_at,
        actor: &record.actor,
        correlation_id: &record.correlation_id,
        causation: record.causation,
        payload: serde_json::from_str(&record.payload).with_context(|| format!("the payload at position {}", record.position))?,
        hash: hex::encode(record.hash),
    };
    Ok(serde_json::to_string(&exported)?)
}

fn time(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map_or_else(|| micros.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Micros, true))
}
