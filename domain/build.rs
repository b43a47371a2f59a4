//! Computes the fingerprint of folding, by which a snapshot is known to be void once folding could have changed.
//!
//! What a World comes out as depends on the sources of this crate, and on the packages that hold it in memory and write it down. Comments and
//! rules for commands count as well, since nobody could tell them apart in the long run: a snapshot that is void without need costs one
//! replay, and one that is wrong is never found out. The version of the program does not count.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// The packages that hold a World or write it down. The last two are those of snapshots.
const PACKAGES: [&str; 10] =
    ["imbl", "imbl-sized-chunks", "serde", "serde_core", "serde_derive", "serde_json", "smallvec", "uuid", "rmp", "rmp-serde"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    for path in [root.join("src"), root.join("build.rs"), lock_file(&root)] {
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    println!("cargo::rustc-env=EVIRT_FOLDING={}", fingerprint(&root)?);
    Ok(())
}

/// Where the workspace notes the versions of packages.
fn lock_file(root: &Path) -> PathBuf {
    root.join("../Cargo.lock")
}

/// The fingerprint of the crate below a directory, in hexadecimal digits. Another compiler's may differ.
pub fn fingerprint(root: &Path) -> io::Result<String> {
    let mut hasher = DefaultHasher::new();
    let source = root.join("src");
    for path in files(&source)? {
        path.strip_prefix(&source).unwrap_or(&path).hash(&mut hasher);
        fs::read(&path)?.hash(&mut hasher);
    }
    // A crate that was taken out of its workspace has none.
    let lock = fs::read_to_string(lock_file(root)).unwrap_or_default();
    packages(&lock).hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

/// All files below a directory, in order.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(files(&path)?),
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}

/// What a lock file says of the packages that count.
fn packages(lock: &str) -> Vec<&str> {
    let named = |section: &str| PACKAGES.iter().any(|name| section.contains(&format!("name = \"{name}\"\n")));
    lock.split("[[package]]").filter(|section| named(section)).collect()
}
