//! Whether a file is still where it was opened: one that was removed or replaced can be written to for as long as it is open, and is lost then.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Cause, Unavailable};

/// A file by what it is, beside what it is called.
#[derive(Clone, Debug)]
pub struct KnownFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl KnownFile {
    /// The file that a path leads to now.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be looked at.
    pub fn at(path: &Path) -> Result<Self, Unavailable> {
        let found = fs::metadata(path).map_err(|error| trouble(path, &error))?;
        Ok(Self { path: path.to_owned(), device: found.dev(), inode: found.ino() })
    }

    /// Whether its path still leads to it.
    ///
    /// # Errors
    ///
    /// `Gone` where it was removed or replaced by another; otherwise it cannot be looked at.
    pub fn check(&self) -> Result<(), Unavailable> {
        let now = Self::at(&self.path)?;
        if (now.device, now.inode) == (self.device, self.inode) {
            return Ok(());
        }
        let detail = format!("{} was replaced while it was in use", self.path.display());
        Err(Unavailable { cause: Cause::Gone, detail })
    }
}

fn trouble(path: &Path, error: &io::Error) -> Unavailable {
    match error.kind() {
        io::ErrorKind::NotFound => {
            Unavailable { cause: Cause::Gone, detail: format!("{} was removed while it was in use", path.display()) }
        }
        _ => Unavailable { cause: Cause::Io, detail: format!("{}: {error}", path.display()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_missed_until_it_is_back() {
        let data = tempfile::tempdir().unwrap();
        let [path, elsewhere] = ["file", "elsewhere"].map(|name| data.path().join(name));
        fs::write(&path, "a").unwrap();
        let known = KnownFile::at(&path).unwrap();
        fs::write(&path, "b").unwrap();
        assert_eq!(known.check(), Ok(()), "it has changed, as files do");
        fs::rename(&path, &elsewhere).unwrap();
        assert_eq!(known.check().unwrap_err().cause, Cause::Gone);
        fs::write(&path, "b").unwrap();
        assert_eq!(known.check().unwrap_err().cause, Cause::Gone);
        fs::rename(&elsewhere, &path).unwrap();
        assert_eq!(known.check(), Ok(()));
    }
}
