//! The command line. What was asked for goes to stdout, talk goes to stderr, and the exit code tells how it went:
//! 0 well, 1 not (or something was found), 2 the command line is wrong, 3 an engine runs on the data directory.

mod backup;
mod events;
mod group;
mod output;
mod projections;
mod secrets;
mod serve;
mod user;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use evirt_domain::World;

use crate::config::DEFAULT_DATA;
use crate::control::{self, Change};
use crate::engine::{Engine, Options, Stores, rebuild};
use crate::hypervisor::estate::Estate;
use crate::hypervisor::simulator::Simulator;
use crate::log::lock::{EngineLock, LockError};
use crate::log::{self, EventLog};
use crate::telemetry;

/// Something failed, or was found to be wrong.
const FAILURE: u8 = 1;
/// Another engine has the data directory.
const ENGINE_RUNS: u8 = 3;

const EXIT_CODES: &str = "Exit codes: 0 it went well, 1 it failed or something was found, 2 the command line is wrong, \
                          3 an engine runs on the data directory.";

#[derive(Debug, Parser)]
#[command(name = "evirt", version, about = "An event-sourced virtualization manager", after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (what is done where no command is named)
    Serve(Box<serve::Serve>),
    /// Read and verify the event log; works beside a running engine
    #[command(subcommand)]
    Events(events::Events),
    /// What is computed from the event log
    #[command(subcommand)]
    Projections(projections::Projections),
    /// The users of the internal directory
    #[command(subcommand)]
    User(user::User),
    /// The groups of the internal directory
    #[command(subcommand)]
    Group(group::Group),
    /// Sealed secrets and the keys that they are sealed with
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    /// Copy the event log and the keys into a directory; works beside a running engine, and continues what is there
    Backup(backup::Backup),
    /// Make a data directory from a backup
    Restore(backup::Restore),
}

/// Where the data is.
#[derive(Args, Clone, Debug)]
struct Data {
    /// Directory of the event log
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    data: PathBuf,
}

impl Data {
    /// The log, for reading beside whoever writes it.
    async fn read_only(&self) -> Result<Arc<dyn EventLog>> {
        Ok(log::open_read_only(&self.data).await?)
    }

    /// The World as the log has it now.
    async fn world(&self) -> Result<Arc<World>> {
        Ok(Arc::new(rebuild::world(&self.data, &self.read_only().await?).await?))
    }

    /// The right to write the log: refused, by name of the holder, where an engine runs.
    fn lock(&self) -> Result<EngineLock> {
        let started = chrono::Utc::now().to_rfc3339();
        EngineLock::acquire(&self.data, &started, "nothing: a command of the command line")
            .with_context(|| format!("{} is in use", self.data.display()))
    }
}

/// An engine without reactors on a driver that nobody calls: it folds the log and takes commands.
async fn idle_engine(stores: Stores, data: &Path) -> Result<Engine> {
    let driver = Arc::new(Simulator::new(Estate::builtin(), None)?);
    let options = Options { snapshots: Some(data.to_path_buf()), ..Options::default() };
    Engine::start(stores, driver, options).await
}

/// Makes a change: by the engine that runs on the data directory, or without one.
async fn change(data: &Data, change: Change) -> Result<ExitCode> {
    // No log is made where there is none.
    data.read_only().await?.close().await;
    let _lock = match data.lock() {
        Ok(lock) => lock,
        Err(held) => return control::ask(&data.data, &change).await?.map(|()| ExitCode::SUCCESS).ok_or(held),
    };
    let stores = Stores::open(&data.data).await?;
    let engine = idle_engine(stores.clone(), &data.data).await?;
    let changed = control::carry_out(&engine, change).await;
    engine.shutdown().await;
    stores.close().await;
    changed.map(|()| ExitCode::SUCCESS)
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // What is kept holds password hashes and keys: it is nobody else's to read, whatever the caller's files are like.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let command = Cli::parse().command.unwrap_or_else(|| Command::Serve(Box::default()));
    if !matches!(command, Command::Serve(_))
        && let Err(error) = telemetry::log_to_stderr(Some(&std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".into())))
    {
        return failed(&error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let done = runtime.block_on(async {
        match command {
            Command::Serve(serve) => serve.run().await,
            Command::Events(events) => events.run().await,
            Command::Projections(projections) => projections.run().await,
            Command::User(user) => user.run().await,
            Command::Group(group) => group.run().await,
            Command::Secrets(secrets) => secrets.run().await,
            Command::Backup(backup) => backup.run().await,
            Command::Restore(restore) => restore.run().await,
        }
    });
    match done {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // Whoever reads our output has had enough of it: no failure.
    if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    eprintln!("evirt: {error:#}");
    match error.downcast_ref::<LockError>() {
        Some(LockError::Held { .. }) => ENGINE_RUNS.into(),
        _ => FAILURE.into(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
