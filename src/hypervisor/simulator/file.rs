//! The state file: lines of JSON, first all of the world as it was once, then what has changed since, a line for each time.
//!
//! A line that changes something is added and brought to the disk before anybody is told of it, so that it costs what has changed and not
//! what there is; when as much was added as the world took, the file is replaced by one that has only a first line. What breaks off leaves
//! half a line at the end, of which nobody was told.

use std::fs::{File, OpenOptions, rename};
use std::io::{ErrorKind, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::SimulatorError;
use super::machine::Record;
use super::world::World;

/// The world as a file has it; none where there is no file or an empty one.
pub fn read(path: &Path) -> std::result::Result<Option<World>, SimulatorError> {
    let name = || path.display().to_string();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SimulatorError::Read { path: name(), source }),
    };
    if bytes.trim_ascii().is_empty() {
        // A file system that was full, or a crash before the first write was on the disk, leaves such a file.
        tracing::warn!(path = name(), "the state of the simulated world is empty: it begins anew");
        return Ok(None);
    }
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).peekable();
    let unsound = |source| SimulatorError::Parse { path: name(), source };
    let mut world: World = serde_json::from_slice(lines.next().unwrap_or_default()).map_err(unsound)?;
    while let Some(line) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(changed) => world.apply(changed),
            Err(error) if lines.peek().is_none() => {
                tracing::warn!(%error, path = name(), "the last change of the simulated world was not written to its end");
            }
            Err(error) => return Err(unsound(error)),
        }
    }
    Ok(Some(world))
}

/// Writes a record and brings it to the disk.
pub fn write(path: &Path, record: &Record) -> Result<()> {
    match record {
        Record::World(line) => replace(path, line),
        Record::Changes(line) => {
            let mut file = OpenOptions::new().append(true).open(path)?;
            file.write_all(line)?;
            file.sync_data()
        }
    }
}

fn replace(path: &Path, line: &[u8]) -> Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(line)?;
    file.sync_all()?;
    drop(file);
    rename(&draft, path)?;
    // The name is the directory's.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
