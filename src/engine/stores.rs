//! What an engine keeps in a data directory, and that a log which was lost is not silently begun anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::{self, AuditLog};
use crate::log::{self, EventLog, OpenError, Unavailable, seal, snapshot, sqlite};

/// The event log, and the audit log that is computed from it.
#[derive(Clone, Debug)]
pub struct Stores {
    /// What happened.
    pub log: Arc<dyn EventLog>,
    /// What is told of it.
    pub audit: Arc<AuditLog>,
}

/// Why the stores of a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The audit log is unavailable.
    #[error(transparent)]
    Audit(#[from] Unavailable),
    /// What lies beside the log shows that there were events, and it has none.
    #[error(
        "the event log {log} {how}, but it had events once: {traces} are there. Restore it from a backup and start again; \
         or begin anew with `evirt serve --new`, which moves what is left of the old log into a directory of its own"
    )]
    Lost {
        /// The log's file.
        log: PathBuf,
        /// What became of it.
        how: &'static str,
        /// What tells of it, by names below the data directory.
        traces: String,
    },
    /// There are events, and they were to be begun anew.
    #[error("the event log {log} has events up to position {head}: --new is for a log that was lost")]
    NotLost {
        /// The log's file.
        log: PathBuf,
        /// The last event's position.
        head: u64,
    },
    /// What is left of a lost log cannot be moved away.
    #[error("moving {path}: {error}")]
    Move {
        /// What.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
}

impl Stores {
    /// Opens them, and makes them where there never were any. Who calls it holds the directory's `EngineLock`.
    ///
    /// # Errors
    ///
    /// `Lost` where there were events that are gone; a later version of this program has written the stores, or they are unavailable.
    pub async fn open(data: &Path) -> Result<Self, StoresError> {
        let path = data.join(sqlite::FILE_NAME);
        let traces = traces(data).await.join(", ");
        let lost = |how| StoresError::Lost { log: path.clone(), how, traces: traces.clone() };
        if !traces.is_empty() {
            // Before it is opened, which would make what is missing.
            match fs::metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(lost("is missing")),
                Ok(found) if found.len() == 0 => return Err(lost("is an empty file")),
                _ => {}
            }
        }
        let log = log::open(data).await?;
        if !traces.is_empty() && log.head().await.map_err(OpenError::from)?.position == 0 {
            log.close().await;
            return Err(lost("has no events"));
        }
        let audit = Arc::new(AuditLog::open(data, &*log).await?);
        Ok(Self { log, audit })
    }

    /// Moves what is left of a lost log into a directory of its own below the data directory, whose name begins with `lost-`, and makes new
    /// stores. The key that secrets are sealed with stays.
    ///
    /// # Errors
    ///
    /// `NotLost` where the log has events, `Move` where something cannot be moved; else those of `open`.
    pub async fn begin_anew(data: &Path) -> Result<Self, StoresError> {
        set_aside_lost(data).await?;
        let log = log::open(data).await?;
        let audit = Arc::new(AuditLog::open(data, &*log).await?);
        Ok(Self { log, audit })
    }

    /// Closes them, when their engine has stopped.
    pub async fn close(&self) {
        self.audit.close().await;
        self.log.close().await;
    }
}

/// Moves what is left of a lost log into a directory of its own below the data directory; none where nothing was left.
///
/// # Errors
///
/// `NotLost` where the log has events, `Move` where something cannot be moved; the log cannot be opened.
pub async fn set_aside_lost(data: &Path) -> Result<Option<PathBuf>, StoresError> {
    let log = data.join(sqlite::FILE_NAME);
    if fs::metadata(&log).is_ok_and(|found| found.len() > 0) {
        let opened = log::open(data).await?;
        let head = opened.head().await.map_err(OpenError::from)?.position;
        opened.close().await;
        if head > 0 {
            return Err(StoresError::NotLost { log, head });
        }
    }
    set_aside(data, "lost", &[sqlite::FILE_NAME, audit::FILE_NAME, snapshot::DIRECTORY_NAME])
}

/// Moves files, with what SQLite keeps beside them, and directories into a directory of their own below the data directory, whose name tells why
/// and when; none where there are none of them.
///
/// # Errors
///
/// `Move` where something cannot be moved.
pub fn set_aside(data: &Path, why: &str, names: &[&str]) -> Result<Option<PathBuf>, StoresError> {
    let aside = data.join(format!("{why}-{}", chrono::Utc::now().format("%Y%m%dT%H%M%S%.6fZ")));
    let mut moved = false;
    for name in names.iter().flat_map(|name| ["", "-wal", "-shm"].map(|end| format!("{name}{end}"))) {
        moved |= move_aside(data, &aside, &name)?;
    }
    Ok(moved.then_some(aside))
}

/// What in a data directory tells that there were events, by names. A first start that broke off leaves none of it.
async fn traces(data: &Path) -> Vec<&'static str> {
    let mut traces = Vec::new();
    if data.join(seal::FILE_NAME).exists() {
        traces.push(seal::FILE_NAME);
    }
    if fs::read_dir(data.join(snapshot::DIRECTORY_NAME)).is_ok_and(|mut files| files.next().is_some()) {
        traces.push(snapshot::DIRECTORY_NAME);
    }
    // One that cannot be read tells nothing.
    if let Ok(Some(audit)) = AuditLog::open_read_only(data).await {
        if audit.position() > 0 {
            traces.push(audit::FILE_NAME);
        }
        audit.close().await;
    }
    traces
}

fn move_aside(data: &Path, aside: &Path, name: &str) -> Result<bool, StoresError> {
    let path = data.join(name);
    if !path.exists() {
        return Ok(false);
    }
    let moved = fs::create_dir_all(aside).and_then(|()| fs::rename(&path, aside.join(name)));
    moved.map(|()| true).map_err(|error| StoresError::Move { path, error })
}

#[cfg(test)]
mod tests {
    use evirt_domain::install::Install;
    use tempfile::TempDir;

    use super::*;
    use crate::engine::{Engine, Options, Request};
    use crate::hypervisor::estate::Estate;
    use crate::hypervisor::simulator::Simulator;
    use crate::log::Sealer;

    async fn start(data: &Path, stores: Stores) -> Engine {
        let driver = Arc::new(Simulator::new(Estate::builtin(), None).unwrap());
        let options = Options { snapshots: Some(data.to_owned()), ..Options::default() };
        Engine::start(stores, driver, options).await.unwrap()
    }

    /// A data directory whose engine was installed and stopped in good order.
    async fn installed() -> TempDir {
        let data = tempfile::tempdir().unwrap();
        let engine = start(data.path(), Stores::open(data.path()).await.unwrap()).await;
        engine.submit(&Request::system("test"), Install { admin_password: "hash".into() }).await.unwrap();
        Sealer::open(data.path()).unwrap();
        engine.shutdown().await;
        engine.stores().close().await;
        data
    }

    /// Leaves a log without events: its file is gone, empty, or new.
    async fn lose(data: &Path, how: &str) {
        let path = data.join(sqlite::FILE_NAME);
        match how {
            "is missing" => fs::remove_file(&path).unwrap(),
            "is an empty file" => fs::write(&path, "").unwrap(),
            _ => {
                fs::remove_file(&path).unwrap();
                log::open(data).await.unwrap().close().await;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lost_log_is_missed_whatever_tells_of_it() {
        let all = [seal::FILE_NAME, snapshot::DIRECTORY_NAME, audit::FILE_NAME];
        for how in ["is missing", "is an empty file", "has no events"] {
            for trace in all {
                let data = installed().await;
                for other in all.into_iter().filter(|other| *other != trace) {
                    let path = data.path().join(other);
                    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
                }
                lose(data.path(), how).await;
                for _ in 0..2 {
                    let error = Stores::open(data.path()).await.unwrap_err();
                    let said = error.to_string();
                    assert!(matches!(error, StoresError::Lost { .. }) && said.contains(how) && said.contains(trace), "{said}");
                }
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_first_start_that_broke_off_goes_on() {
        let data = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            Stores::open(data.path()).await.unwrap().close().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lost_log_is_begun_anew_on_demand_and_nothing_is_thrown_away() {
        let data = installed().await;
        lose(data.path(), "is missing").await;
        let engine = start(data.path(), Stores::begin_anew(data.path()).await.unwrap()).await;
        assert_eq!(engine.world().position, 0);
        engine.submit(&Request::system("test"), Install { admin_password: "hash".into() }).await.unwrap();
        engine.shutdown().await;
        engine.stores().close().await;
        let aside = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().path());
        let aside = aside.into_iter().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("lost-")).unwrap();
        assert!(aside.join(audit::FILE_NAME).exists() && aside.join(snapshot::DIRECTORY_NAME).exists());
        Stores::open(data.path()).await.unwrap().close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_that_is_there_is_not_begun_anew() {
        let data = installed().await;
        let error = Stores::begin_anew(data.path()).await.unwrap_err();
        assert!(matches!(error, StoresError::NotLost { head, .. } if head > 0), "{error}");
        Stores::open(data.path()).await.unwrap().close().await;
    }
}
