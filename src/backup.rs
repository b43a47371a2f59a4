//! Backups: a copy of the event log that is continued by each next backup, with the keys that lie beside it. All else is computed from these.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::engine::{StoresError, set_aside, set_aside_lost};
use crate::log::lock::EngineLock;
use crate::log::verify::{Finding, verify};
use crate::log::{self, AppendError, OpenError, Unavailable, lock, seal};

/// What is kept of a data directory beside the log: the key that secrets are sealed with, and the certificates that clients trust.
const BESIDE: [&str; 5] = [seal::FILE_NAME, "tls/ca.crt", "tls/ca.key", "tls/server.crt", "tls/server.key"];

/// Hears how many records are done, and of how many.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// What a backup or a restoration has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How many events were copied this time.
    pub events: u64,
    /// The position of the last event that is there now.
    pub position: u64,
    /// Its hash.
    pub hash: log::Hash,
    /// Which files beside the log were copied, by names below the data directory.
    pub files: Vec<&'static str>,
    /// Where what was in the way was moved to.
    pub aside: Option<PathBuf>,
}

/// Why there is no backup, or none can be restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A log cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A log cannot be read.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The copy holds events that the log has not, as after a restoration: another directory is needed.
    #[error("{directory} holds another history up to position {head} than the event log: back up into another directory")]
    OtherHistory {
        /// Where the backup is.
        directory: PathBuf,
        /// Up to where.
        head: u64,
    },
    /// The events cannot be copied.
    #[error("copying the events: {0}")]
    Copy(#[source] AppendError),
    /// A log is damaged.
    #[error("the event log in {directory} is damaged at position {}: {}", .finding.position, .finding.problem)]
    Damaged {
        /// Where.
        directory: PathBuf,
        /// What.
        finding: Finding,
    },
    /// Somebody else uses the directory.
    #[error(transparent)]
    Lock(#[from] lock::LockError),
    /// There is a log already, or it cannot be moved aside.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// A file cannot be copied.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
}

/// Backs a data directory up, beside the engine that may be running there: what is recorded when it begins is in the backup, which is consistent
/// whatever happens meanwhile. A directory that holds a backup already gets what is new. The whole copy is verified.
///
/// # Errors
///
/// A log cannot be read or written or is damaged, or the directory holds another history.
pub async fn back_up(data: &Path, directory: &Path, with_keys: bool, progress: Progress<'_>) -> Result<Copied, BackupError> {
    let from = log::open_read_only(data).await?;
    make_directory(directory)?;
    let _lock = EngineLock::acquire(directory, &chrono::Utc::now().to_rfc3339(), "nothing: a backup")?;
    let to = log::open_copy(directory, from.installation_id()).await?;
    let head = from.head().await?.position;
    let copied = log::copy(&*from, &*to, head, progress).await;
    let verified = verify(&*to, progress).await;
    to.close().await;
    let events = copied.map_err(|error| match error {
        AppendError::Conflict { head, .. } => BackupError::OtherHistory { directory: directory.to_owned(), head },
        error => BackupError::Copy(error),
    })?;
    let verified = verified?;
    if let Some(finding) = verified.finding {
        return Err(BackupError::Damaged { directory: directory.to_owned(), finding });
    }
    let files = if with_keys { copy_files(data, directory)? } else { Vec::new() };
    Ok(Copied { events, position: verified.sound, hash: verified.hash, files, aside: None })
}

/// Restores a backup into a data directory that has no events. What is left there of a lost log is moved aside; keys that the backup has not
/// stay.
///
/// # Errors
///
/// The backup is damaged, there is an event log already, or something cannot be read or written.
pub async fn restore(directory: &Path, data: &Path, progress: Progress<'_>) -> Result<Copied, BackupError> {
    let from = log::open_read_only(directory).await?;
    let verified = verify(&*from, progress).await?;
    if let Some(finding) = verified.finding {
        return Err(BackupError::Damaged { directory: directory.to_owned(), finding });
    }
    make_directory(data)?;
    let _lock = EngineLock::acquire(data, &chrono::Utc::now().to_rfc3339(), "nothing: a restoration")?;
    let aside = set_aside_lost(data).await?;
    let to = log::open_copy(data, from.installation_id()).await?;
    let events = log::copy(&*from, &*to, verified.sound, progress).await;
    to.close().await;
    let events = events.map_err(BackupError::Copy)?;
    // A key that was made after the backup may have sealed what somebody still wants to know.
    let of = |place: &Path| fs::read(place.join(seal::FILE_NAME)).ok();
    if of(directory).is_some_and(|key| of(data).is_some_and(|present| present != key)) {
        set_aside(data, "replaced", &[seal::FILE_NAME])?;
    }
    let files = copy_files(directory, data)?;
    Ok(Copied { events, position: verified.sound, hash: verified.hash, files, aside })
}

fn make_directory(path: &Path) -> Result<(), BackupError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| BackupError::Io { path: path.to_owned(), error })
}

/// Copies the files beside the log that there are, each under another name first, so that none is ever half written.
fn copy_files(from: &Path, to: &Path) -> Result<Vec<&'static str>, BackupError> {
    let mut copied = Vec::new();
    for name in BESIDE {
        let failed = |error| BackupError::Io { path: from.join(name), error };
        let bytes = match fs::read(from.join(name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        let (place, draft) = (to.join(name), to.join(format!("{name}.new")));
        if let Some(directory) = place.parent() {
            make_directory(directory)?;
        }
        let written = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
        let written = written.and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()));
        written.and_then(|()| fs::rename(&draft, &place)).map_err(failed)?;
        copied.push(name);
    }
    Ok(copied)
}
