//! `evirt backup` and `evirt restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::Data;
use super::output::{Output, progress};
use crate::backup::{Copied, back_up, restore};

#[derive(Args, Debug)]
pub struct Backup {
    #[command(flatten)]
    data: Data,
    /// Leave out the key that secrets are sealed with and the keys of the certificates; keep them elsewhere
    #[arg(long)]
    without_keys: bool,
    /// Directory of the backup; what is there already is continued
    directory: PathBuf,
}

#[derive(Args, Debug)]
pub struct Restore {
    #[command(flatten)]
    data: Data,
    /// Directory of the backup
    directory: PathBuf,
}

impl Backup {
    /// Does it.
    pub async fn run(self) -> Result<ExitCode> {
        let bar = progress(0, "backing up");
        let mut on = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let copied = back_up(&self.data.data, &self.directory, !self.without_keys, &mut on).await?;
        bar.finish_and_clear();
        say("backed up", &copied)
    }
}

impl Restore {
    /// Does it.
    pub async fn run(self) -> Result<ExitCode> {
        let bar = progress(0, "restoring");
        let mut on = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let copied = restore(&self.directory, &self.data.data, &mut on).await?;
        bar.finish_and_clear();
        say("restored", &copied)
    }
}

fn say(what: &str, copied: &Copied) -> Result<ExitCode> {
    let mut output = Output::new();
    let Copied { events, position, hash, files, aside } = copied;
    output
        .line(format_args!("{what}: {events} events, verified up to position {position}, whose hash is {}", hex::encode(hash)))?;
    if !files.is_empty() {
        output.line(format_args!("with {}", files.join(", ")))?;
    }
    if let Some(aside) = aside {
        output.line(format_args!("what was left of the lost log is in {}", aside.display()))?;
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
