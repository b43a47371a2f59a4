//! `evirt user`: the users of the internal directory.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use evirt_domain::access::{EntityRef, Holder, INTERNAL};

use super::output::{Output, table};
use super::{Data, change};
use crate::control::Change;
use crate::directory::passwords;

/// What to do with users.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Add a user
    Add(Add),
    /// Give a user another password and end the user's sessions
    Passwd(Passwd),
    /// Let a user in again who is locked after too many wrong passwords
    Unlock(Unlock),
    /// List users with their roles on the whole system
    List(List),
}

#[derive(Args, Debug)]
pub struct Add {
    #[command(flatten)]
    data: Data,
    /// Login name, with or without @internal
    name: String,
    /// Role that the user gets on the whole system, as in SuperUser; without one, the user cannot log in yet
    #[arg(long)]
    role: Option<String>,
    #[command(flatten)]
    password: Password,
}

#[derive(Args, Debug)]
pub struct Passwd {
    #[command(flatten)]
    data: Data,
    /// Login name, with or without @internal
    name: String,
    #[command(flatten)]
    password: Password,
}

#[derive(Args, Debug)]
pub struct Unlock {
    #[command(flatten)]
    data: Data,
    /// Login name; without @DOMAIN, that of the internal directory
    name: String,
}

#[derive(Args, Debug)]
pub struct List {
    #[command(flatten)]
    data: Data,
}

/// Where a password comes from.
#[derive(Args, Debug)]
struct Password {
    /// File whose first line is the password; without it, it is read from stdin
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Password {
    fn read(&self) -> Result<String> {
        let password = match &self.password_file {
            Some(path) => passwords::read(path)?,
            None => ask()?,
        };
        if password.is_empty() {
            bail!("the password is empty");
        }
        Ok(password)
    }
}

/// Reads a password from stdin; on a terminal it asks for it, and does not show it.
fn ask() -> Result<String> {
    let on_terminal = io::stdin().is_terminal();
    let echo = |on: bool| Command::new("stty").arg(if on { "echo" } else { "-echo" }).status();
    if on_terminal {
        eprint!("Password: ");
        // Where there is no stty the password shows; better than no way to set one.
        let _ = echo(false);
    }
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    if on_terminal {
        let _ = echo(true);
        eprintln!();
    }
    read.context("reading the password from stdin")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl User {
    /// Does it.
    pub async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Add(add) => add.run().await,
            Self::Passwd(passwd) => passwd.run().await,
            Self::Unlock(unlock) => unlock.run().await,
            Self::List(list) => list.run().await,
        }
    }
}

impl Add {
    async fn run(self) -> Result<ExitCode> {
        let Self { data, name, role, password } = self;
        let name = bare(&name)?.to_owned();
        with_password(&data, &password, |password| Change::AddUser { name, password, role }).await
    }
}

impl Passwd {
    async fn run(self) -> Result<ExitCode> {
        let Self { data, name, password } = self;
        let user = bare(&name)?.to_owned();
        with_password(&data, &password, |password| Change::ChangePassword { user, password }).await
    }
}

impl Unlock {
    async fn run(self) -> Result<ExitCode> {
        change(&self.data, Change::UnlockUser { user: self.name }).await
    }
}

impl List {
    async fn run(self) -> Result<ExitCode> {
        let world = self.data.world().await?;
        let mut rows: Vec<Vec<String>> = world
            .users
            .values()
            .map(|user| {
                let mine = world.held_on(Holder::User(user.id), EntityRef::System);
                let mut roles: Vec<String> =
                    mine.filter_map(|p| world.roles.get(&p.role)).map(|role| role.name.clone()).collect();
                roles.sort();
                roles.dedup();
                vec![user.principal(), user.id.to_string(), roles.join(",")]
            })
            .collect();
        rows.sort();
        let mut output = Output::new();
        for line in table(&rows) {
            output.line(line)?;
        }
        output.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes a change that takes a new password's hash.
async fn with_password(data: &Data, password: &Password, of: impl FnOnce(String) -> Change) -> Result<ExitCode> {
    // Whether there is anything to change comes before the question for a password.
    data.read_only().await?.close().await;
    let hash = passwords::hash(&password.read()?).await;
    change(data, of(hash.to_string())).await
}

/// The name without the domain, which can be the internal one only.
fn bare(name: &str) -> Result<&str> {
    match name.split_once('@') {
        None => Ok(name),
        Some((name, INTERNAL)) => Ok(name),
        Some((_, domain)) => bail!("users of {domain} are not kept here; the internal directory is called {INTERNAL}"),
    }
}
