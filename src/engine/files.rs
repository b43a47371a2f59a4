//! Looks now and then whether what the engine keeps is still where it was, so that an operator hears of it within seconds.

use std::path::Path;
use std::time::Duration;

use super::Engine;
use crate::audit;
use crate::log::{lock, seal};
use crate::store::file::KnownFile;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Files beside the log without which the engine goes on, and what an operator should know of one that is gone.
const BESIDE: [(&str, &str); 3] = [
    (audit::FILE_NAME, "the next start computes it again"),
    (seal::FILE_NAME, "without it no sealed secret can be read once the engine has stopped: put it back"),
    (lock::FILE_NAME, "nothing keeps a second engine away any more: do not start one"),
];

/// Tells of what is missed, and of what is back, for as long as it is awaited.
pub async fn watch_files(engine: Engine, data: impl AsRef<Path>) {
    let known = |name: &str| KnownFile::at(&data.as_ref().join(name)).ok();
    let mut beside = BESIDE.map(|(name, advice)| (known(name), advice, false));
    let mut missed = false;
    let mut tick = tokio::time::interval(LOOK_EVERY);
    loop {
        tick.tick().await;
        let found = engine.log().check().await;
        match &found {
            Err(error) if !missed => {
                tracing::error!(%error, "the event log is lost: nothing is changed any more until it is back")
            }
            Ok(()) if missed => {
                tracing::info!("the event log is where it was");
                engine.try_again();
            }
            _ => {}
        }
        missed = found.is_err();
        for (file, advice, missed) in &mut beside {
            let Some(file) = file else { continue };
            let found = file.check();
            if let (Err(error), false) = (&found, *missed) {
                tracing::error!(%error, "a file is lost: {advice}");
            }
            *missed = found.is_err();
        }
    }
}
