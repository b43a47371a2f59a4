//! Changes that an operator makes by the command line, beside the engine that runs or on a data directory that none uses.
//!
//! A running engine takes them on a socket in the data directory, a line of JSON each, from its own user alone: the file is nobody else's to
//! open, and who opened it is asked of the system.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use evirt_domain::access::{AddGroup, AddUser, ChangeMember, ChangePassword, INTERNAL, LockUser, RemoveGroup};
use evirt_domain::ids::{GroupId, RoleId, UserId};
use evirt_domain::intent::Intent;
use evirt_domain::world::{NameKind, World};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::engine::{Engine, Request};

/// The socket's name below the data directory.
pub const FILE_NAME: &str = "engine.sock";

/// The longest line that is taken, in bytes.
const MAX_LINE: u64 = 64 * 1024;

/// How long a line may take to come.
const LINE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an engine may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A change. Who and what it is about goes by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Change {
    /// A user of the internal directory, with the hash of the password and the role on the whole system.
    AddUser { name: String, password: String, role: Option<String> },
    /// Another password, of which this is the hash.
    ChangePassword { user: String, password: String },
    /// A locked user is let in again.
    UnlockUser { user: String },
    /// A group of the internal directory.
    AddGroup { group: String },
    /// A group goes with what it holds.
    RemoveGroup { group: String },
    /// A user belongs to a group, or does not.
    ChangeMember { group: String, user: String, belongs: bool },
}

/// What is said to a change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done,
    Refused(String),
}

/// Carries a change out.
///
/// # Errors
///
/// What is named does not exist, or the change is refused.
pub async fn carry_out(engine: &Engine, change: Change) -> Result<()> {
    let intent = intent(&engine.world(), change)?;
    engine.submit(&Request::system("command-line"), intent).await?;
    Ok(())
}

fn intent(world: &World, change: Change) -> Result<Intent> {
    Ok(match change {
        Change::AddUser { name, password, role } => {
            let named = |role: &String| {
                let roles = || world.roles.values().map(|role| role.name.as_str()).collect::<Vec<_>>().join(", ");
                let found = world.resolve(NameKind::Role, role);
                found.map(RoleId).with_context(|| format!("there is no role {role}: {}", roles()))
            };
            AddUser { name, password: password.into(), roles: role.iter().map(named).collect::<Result<_>>()? }.into()
        }
        Change::ChangePassword { user, password } => {
            ChangePassword { user: user_named(world, &user)?, password: password.into() }.into()
        }
        Change::UnlockUser { user } => LockUser { user: user_named(world, &user)?, seconds: 0, from: None }.into(),
        Change::AddGroup { group } => AddGroup { name: group, of: None, roles: Vec::new() }.into(),
        Change::RemoveGroup { group } => RemoveGroup { group: group_named(world, &group)? }.into(),
        Change::ChangeMember { group, user, belongs } => {
            ChangeMember { group: group_named(world, &group)?, user: user_named(world, &user)?, belongs }.into()
        }
    })
}

/// The user of a login name; without a domain, of the internal directory.
fn user_named(world: &World, name: &str) -> Result<UserId> {
    let principal = if name.contains('@') { name.to_owned() } else { format!("{name}@{INTERNAL}") };
    let found = world.exactly_named(NameKind::User, &principal);
    found.map(UserId).with_context(|| format!("there is no user {principal}"))
}

/// The group of a name.
///
/// # Errors
///
/// There is none.
pub fn group_named(world: &World, name: &str) -> Result<GroupId> {
    world.resolve(NameKind::Group, name).map(GroupId).with_context(|| format!("there is no group {name}"))
}

fn path(data: &Path) -> PathBuf {
    data.join(FILE_NAME)
}

/// Opens the socket of a data directory whose lock the caller holds.
///
/// # Errors
///
/// It cannot be made, as where its path is longer than a socket's may be.
pub fn listen(data: &Path) -> Result<UnixListener> {
    let path = path(data);
    // One that an engine left that was killed.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Takes changes for as long as it is awaited.
pub async fn serve(listener: UnixListener, engine: Engine) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let engine = engine.clone();
                tokio::spawn(async move {
                    if let Err(error) = attend(stream, &engine).await {
                        tracing::warn!(error = format!("{error:#}"), "a command of the command line broke off");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket takes nobody");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn attend(stream: UnixStream, engine: &Engine) -> Result<()> {
    let (peer, own) = (stream.peer_cred()?.uid(), rustix::process::geteuid().as_raw());
    if peer != own && peer != 0 {
        bail!("user {peer} may not command the engine of user {own}");
    }
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    timeout(LINE_TIMEOUT, (&mut stream).take(MAX_LINE).read_line(&mut line)).await??;
    let answer = match serde_json::from_str(&line) {
        Ok(change) => match carry_out(engine, change).await {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Refused(format!("{error:#}")),
        },
        // It may hold a password's hash, so that it is not repeated.
        Err(_) => Answer::Refused("this engine does not know the command: is it of another version?".to_owned()),
    };
    let mut said = serde_json::to_vec(&answer)?;
    said.push(b'\n');
    stream.get_mut().write_all(&said).await?;
    Ok(())
}

/// Has the engine that runs on a data directory carry a change out. None where none listens there.
///
/// # Errors
///
/// The change is refused, or the engine does not answer.
pub async fn ask(data: &Path, change: &Change) -> Result<Option<()>> {
    let Ok(stream) = UnixStream::connect(path(data)).await else { return Ok(None) };
    let mut stream = BufReader::new(stream);
    let mut sent = serde_json::to_vec(change)?;
    sent.push(b'\n');
    stream.get_mut().write_all(&sent).await?;
    let mut line = String::new();
    timeout(ANSWER_TIMEOUT, stream.read_line(&mut line)).await.context("the engine that runs does not answer")??;
    match serde_json::from_str(&line).context("the engine that runs does not answer")? {
        Answer::Done => Ok(Some(())),
        Answer::Refused(why) => bail!(why),
    }
}
