//! `evirt projections`: what is computed from the event log, and can be computed again.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::Data;
use super::output::{Output, table};
use crate::log::EventLog;

/// What to do with projections.
#[derive(Debug, Subcommand)]
pub enum Projections {
    /// List what is computed from the log, and how far
    List(List),
}

#[derive(Args, Debug)]
pub struct List {
    #[command(flatten)]
    data: Data,
}

impl Projections {
    /// Does it.
    pub async fn run(self) -> Result<ExitCode> {
        match self {
            Self::List(list) => list.run().await,
        }
    }
}

impl List {
    async fn run(self) -> Result<ExitCode> {
        let log = self.data.read_only().await?;
        let head = log.head().await?.position;
        let mut output = Output::new();
        for line in table(&[vec!["world".into(), head.to_string()]]) {
            output.line(line)?;
        }
        output.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}
