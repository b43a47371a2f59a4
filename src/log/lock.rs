//! One engine for a data directory: a lock on a file that the system gives back when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The file's name below the data directory.
pub const FILE_NAME: &str = "engine.lock";

/// The right to be the engine of a data directory, for as long as this lives.
#[derive(Debug)]
pub struct EngineLock {
    /// Closing it gives the lock back. The file stays: to remove it would let two engines hold locks on two files of one name.
    _file: File,
}

/// Why there is no right to be the engine.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another engine runs there.
    #[error("another engine uses the data directory {data}: {holder}")]
    Held {
        /// The directory.
        data: PathBuf,
        /// What that engine says of itself.
        holder: String,
    },
    /// The file cannot be written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
}

impl EngineLock {
    /// Takes the lock and writes down who holds it: this process, when it started (RFC 3339) and where it listens.
    ///
    /// # Errors
    ///
    /// `Held` where another engine has it, with what that says of itself; `Io` where the file cannot be made or written.
    pub fn acquire(data: &Path, started: &str, listen: &str) -> Result<Self, LockError> {
        let path = data.join(FILE_NAME);
        let taken =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(TryLockError::Error);
        let locked = taken.and_then(|file| match file.try_lock() {
            Ok(()) => {
                let holder = format!("process {}, started {started}, listening on {listen}\n", std::process::id());
                Self::sign(&file, &holder).map_err(TryLockError::Error)?;
                Ok(file)
            }
            Err(error) => Err(error),
        });
        match locked {
            Ok(file) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { data: data.to_owned(), holder: holder(&path) }),
            Err(TryLockError::Error(error)) => Err(LockError::Io { path, error }),
        }
    }

    fn sign(mut file: &File, holder: &str) -> io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(holder.as_bytes())?;
        file.flush()
    }
}

/// What the holder wrote; it may be about to.
fn holder(path: &Path) -> String {
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(1024).read_to_string(&mut text)) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "it has not said which".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_engine_is_refused_and_told_who_is_there() {
        let data = tempfile::tempdir().unwrap();
        let first = EngineLock::acquire(data.path(), "2026-01-02T03:04:05Z", "127.0.0.1:8443").unwrap();
        let refused = EngineLock::acquire(data.path(), "later", "elsewhere").unwrap_err().to_string();
        for part in ["another engine", &format!("process {}", std::process::id()), "2026-01-02T03:04:05Z", "127.0.0.1:8443"] {
            assert!(refused.contains(part), "{refused:?} lacks {part:?}");
        }
        drop(first);
        EngineLock::acquire(data.path(), "later", "elsewhere").unwrap();
        assert_eq!(
            holder(&data.path().join(FILE_NAME)),
            format!("process {}, started later, listening on elsewhere", std::process::id())
        );
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let data = tempfile::tempdir().unwrap();
        let error = EngineLock::acquire(&data.path().join("none"), "now", "here").unwrap_err();
        assert!(matches!(error, LockError::Io { .. }), "{error}");
    }
}
