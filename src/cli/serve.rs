//! `evirt serve`: runs the server until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::output::Output;
use crate::config::{Options, Settings};
use crate::server::Server;
use crate::telemetry;

/// The password that admin@internal gets at the first start.
const PASSWORD_VARIABLE: &str = "EVIRT_ADMIN_PASSWORD";

/// Runs the server.
#[derive(Args, Debug, Default)]
pub struct Serve {
    /// Settings in TOML, named as these options are; the command line wins
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Begin anew where the event log was lost: what is left of it goes into a directory of its own below the data directory
    #[arg(long)]
    new: bool,
    /// Make a new key where secret.key was lost; the secrets that the lost one had sealed have to be given again
    #[arg(long)]
    new_key: bool,
    #[command(flatten)]
    options: Options,
}

impl Serve {
    fn settings(self) -> Result<Settings> {
        let options = match &self.config {
            Some(path) => self.options.or(Options::read(path)?),
            None => self.options,
        };
        let mut settings = options.settle()?;
        settings.new = self.new;
        settings.new_key = self.new_key;
        settings.admin_password = std::env::var(PASSWORD_VARIABLE).ok();
        Ok(settings)
    }

    /// Runs the server until SIGTERM or SIGINT; a second one ends it at once.
    pub async fn run(self) -> Result<ExitCode> {
        let settings = self.settings()?;
        telemetry::log_to_stderr(settings.log.as_deref())?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let server = Server::start(settings).await?;
        announce(&server)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        tokio::select! {
            () = server.stop() => Ok(ExitCode::SUCCESS),
            _ = terminate.recv() => Ok(ExitCode::FAILURE),
            _ = interrupt.recv() => Ok(ExitCode::FAILURE),
        }
    }
}

/// Says what somebody needs to know who has just started it.
fn announce(server: &Server) -> Result<()> {
    let mut output = Output::new();
    output.line(format_args!("evirt {} is ready", env!("CARGO_PKG_VERSION")))?;
    output.line(format_args!("https:           https://{}/ovirt-engine/api", server.https))?;
    output.line(format_args!("http:            http://{}/ovirt-engine/api", server.http))?;
    output.line(format_args!("CA certificate:  {}", server.ca_path.display()))?;
    if let Some(password) = &server.generated_password {
        output.line("user:            admin@internal")?;
        output.line(format_args!("password:        {password}    (shown this once; `evirt user passwd admin` sets another)"))?;
    }
    output.flush()?;
    Ok(())
}
