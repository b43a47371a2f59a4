//! Snapshots: files that bound the time to start. They are disposable: what is damaged, newer than this program, or of another log is
//! passed over, and the log is read instead.
//!
//! A file is a header (magic, the format's version, the rules by which what is in it was made, position, the log's hash there), the bytes, and a
//! SHA-256 of all that. It is written under another name, synced and renamed, so that one with its right name is whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::chain::Hash;

/// The directory's name below the data directory.
pub const DIRECTORY_NAME: &str = "snapshots";

/// How many of a name are kept: should the last one be damaged, the one before it still serves.
const KEPT: usize = 2;

const MAGIC: [u8; 8] = *b"evirtsnp";
const FORMAT_VERSION: u32 = 2;
const HEADER_BYTES: usize = 8 + 4 + 32 + 8 + 32;
const TRAILER_BYTES: usize = 32;
const EXTENSION: &str = "bin";
const UNFINISHED: &str = "new";

/// The state of something at a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Names the rules by which `bytes` were made. What was made by others is void.
    pub rules: Hash,
    /// The position that it was taken at.
    pub position: u64,
    /// The log's hash at that position. Who uses the snapshot compares it: a log that was restored or replaced has another.
    pub hash: Hash,
    /// The state.
    pub bytes: Vec<u8>,
}

/// The snapshots of a data directory. The calls block.
#[derive(Clone, Debug)]
pub struct Snapshots {
    directory: PathBuf,
}

impl Snapshots {
    /// The snapshots below a data directory. What an interrupted write has left is cleared away.
    ///
    /// # Errors
    ///
    /// The directory cannot be made or read.
    pub fn open(data: &Path) -> io::Result<Self> {
        let directory = data.join(DIRECTORY_NAME);
        fs::create_dir_all(&directory)?;
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == UNFINISHED) {
                fs::remove_file(path)?;
            }
        }
        Ok(Self { directory })
    }

    /// Writes a snapshot; when it returns, it is durable. Older ones of the name are deleted but for the last.
    ///
    /// # Errors
    ///
    /// The name is none for a snapshot, or the file cannot be written: then the older ones stay.
    pub fn put(&self, name: &str, snapshot: &Snapshot) -> io::Result<()> {
        let path = self.path(name, snapshot.position)?;
        let unfinished = path.with_extension(UNFINISHED);
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
        header.extend_from_slice(&snapshot.rules);
        header.extend_from_slice(&snapshot.position.to_be_bytes());
        header.extend_from_slice(&snapshot.hash);
        let mut file = File::create(&unfinished)?;
        file.write_all(&header)?;
        file.write_all(&snapshot.bytes)?;
        file.write_all(&checksum(&[&header, &snapshot.bytes]))?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(&self.directory)?.sync_all()?;
        for (_, path) in self.list(name)?.into_iter().skip(KEPT) {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// The newest snapshot of a name that is whole, was made by these rules, and was taken at `until` or before. None: fold from the beginning.
    pub fn latest(&self, name: &str, rules: &Hash, until: u64) -> Option<Snapshot> {
        let files = self.list(name).ok()?;
        files.into_iter().filter(|(position, _)| *position <= until).find_map(|(position, path)| {
            let read = fs::read(&path).map_err(|error| error.to_string());
            match read.and_then(decode) {
                Ok(snapshot) if snapshot.position != position => None,
                Ok(snapshot) if snapshot.rules == *rules => Some(snapshot),
                Ok(_) => {
                    tracing::info!(path = %path.display(), "a snapshot is passed over, which another version made by other rules");
                    None
                }
                Err(reason) => {
                    tracing::warn!(path = %path.display(), reason, "a snapshot is passed over");
                    None
                }
            }
        })
    }

    /// Deletes all snapshots of a name.
    ///
    /// # Errors
    ///
    /// A file cannot be removed.
    pub fn delete(&self, name: &str) -> io::Result<()> {
        for (_, path) in self.list(name)? {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn path(&self, name: &str, position: u64) -> io::Result<PathBuf> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is no name for a snapshot")));
        }
        Ok(self.directory.join(format!("{name}-{position}.{EXTENSION}")))
    }

    /// The files of a name, newest first.
    fn list(&self, name: &str) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let stem =
                path.file_name().and_then(|file| file.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?.rsplit_once('-'));
            if let Some((of, position)) = stem
                && of == name
                && let Ok(position) = position.parse()
            {
                files.push((position, path));
            }
        }
        files.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
        Ok(files)
    }
}

fn checksum(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

fn decode(mut bytes: Vec<u8>) -> Result<Snapshot, String> {
    let end = bytes.len().checked_sub(TRAILER_BYTES).filter(|end| *end >= HEADER_BYTES).ok_or("it is cut off")?;
    let (content, trailer) = bytes.split_at(end);
    let (magic, rest) = content.split_first_chunk::<8>().ok_or("it is cut off")?;
    let (format, rest) = rest.split_first_chunk().ok_or("it is cut off")?;
    let (rules, rest) = rest.split_first_chunk::<32>().ok_or("it is cut off")?;
    let (position, rest) = rest.split_first_chunk().ok_or("it is cut off")?;
    let (hash, _) = rest.split_first_chunk::<32>().ok_or("it is cut off")?;
    if *magic != MAGIC {
        return Err("it is no snapshot".into());
    }
    // Before the checksum, which another format may compute in another way.
    match u32::from_be_bytes(*format) {
        FORMAT_VERSION => {}
        other => return Err(format!("it has the format version {other}")),
    }
    if checksum(&[content]) != *trailer {
        return Err("it is damaged".into());
    }
    let (rules, position, hash) = (*rules, u64::from_be_bytes(*position), *hash);
    bytes.truncate(end);
    bytes.drain(..HEADER_BYTES);
    Ok(Snapshot { rules, position, hash, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Hash = [1; 32];

    fn snapshot(position: u64) -> Snapshot {
        Snapshot { rules: RULES, position, hash: [7; 32], bytes: format!("state at {position}").into_bytes() }
    }

    fn with(positions: &[u64]) -> (tempfile::TempDir, Snapshots) {
        let data = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::open(data.path()).unwrap();
        for position in positions {
            snapshots.put("world", &snapshot(*position)).unwrap();
        }
        (data, snapshots)
    }

    #[test]
    fn the_last_two_are_kept() {
        let (_data, snapshots) = with(&[5, 90, 100]);
        assert_eq!(snapshots.latest("world", &RULES, u64::MAX), Some(snapshot(100)));
        assert_eq!(snapshots.latest("world", &RULES, 99), Some(snapshot(90)));
        assert_eq!(snapshots.latest("world", &RULES, 89), None);
        assert_eq!(snapshots.latest("other", &RULES, u64::MAX), None);
        assert_eq!(snapshots.latest("world", &[2; 32], u64::MAX), None);
        snapshots.delete("world").unwrap();
        assert_eq!(snapshots.latest("world", &RULES, u64::MAX), None);
    }

    #[test]
    fn a_damaged_one_is_passed_over() {
        let (_data, snapshots) = with(&[1, 2]);
        let path = snapshots.path("world", 2).unwrap();
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert_eq!(snapshots.latest("world", &RULES, u64::MAX), Some(snapshot(1)), "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(snapshots.latest("world", &RULES, u64::MAX), Some(snapshot(1)), "cut off at {at}");
        }
        fs::write(&path, whole).unwrap();
        assert_eq!(snapshots.latest("world", &RULES, u64::MAX), Some(snapshot(2)));
    }

    #[test]
    fn an_interrupted_write_leaves_nothing() {
        let (data, snapshots) = with(&[1]);
        let unfinished = snapshots.directory.join("world-2.new");
        fs::write(&unfinished, b"half").unwrap();
        let snapshots = Snapshots::open(data.path()).unwrap();
        assert!(!unfinished.exists());
        assert_eq!(snapshots.latest("world", &RULES, u64::MAX), Some(snapshot(1)));
    }

    #[test]
    fn a_name_cannot_lead_elsewhere() {
        let (_data, snapshots) = with(&[]);
        for name in ["", "..", "a/b", "a-1"] {
            assert!(snapshots.put(name, &snapshot(1)).is_err(), "{name}");
        }
    }
}
