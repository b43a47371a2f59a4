//! `evirt secrets`: the sealed secrets in the event log, and the keys that they are sealed with.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::output::{Output, table};
use super::{Data, FAILURE};
use crate::app::secrets::sealed;
use crate::log::{Sealer, seal};

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// List what is sealed, and whether it can be opened; exit code 1 where something has to be given again
    List(Where),
    /// Make a new key, which seals from the next start on; the old ones go on opening what they have sealed
    Rotate(Where),
    /// Forget keys that no secret needs any more; the engine has to be stopped
    Prune(Where),
}

#[derive(Args, Debug)]
pub struct Where {
    #[command(flatten)]
    data: Data,
}

impl Secrets {
    /// Does it.
    pub async fn run(self) -> Result<ExitCode> {
        let mut output = Output::new();
        let mut code = ExitCode::SUCCESS;
        match self {
            Self::List(Where { data }) => {
                let world = data.world().await?;
                let sealer = if seal::exists(&data.data) { Some(Sealer::open(&data.data)?) } else { None };
                let mut rows = Vec::new();
                for secret in sealed(&world) {
                    let opens = sealer.as_ref().is_some_and(|sealer| sealer.unseal(secret.text).is_ok());
                    if !opens {
                        code = FAILURE.into();
                    }
                    rows.push(vec![secret.what, if opens { "can be opened" } else { "has to be given again" }.to_owned()]);
                }
                for line in table(&rows) {
                    output.line(line)?;
                }
            }
            Self::Rotate(Where { data }) => {
                let _lock = data.lock()?;
                let keys = Sealer::rotate(&data.data)?;
                output.line(format_args!("{} has a new key; it holds {keys} now", seal::FILE_NAME))?;
            }
            Self::Prune(Where { data }) => {
                let _lock = data.lock()?;
                let world = data.world().await?;
                let texts: Vec<_> = sealed(&world).into_iter().map(|secret| secret.text).collect();
                let forgotten = Sealer::prune(&data.data, &texts)?;
                output.line(format_args!("{forgotten} keys were forgotten"))?;
            }
        }
        output.flush()?;
        Ok(code)
    }
}
