//! The tests of a source lie where it lies: what a file here tests is found by its path.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is of the tests themselves, or of the crate as a whole.
const OWN: &[&str] =
    &["main.rs", "harness.rs", "mirror.rs", "crate_graph.rs", "determinism.rs", "folding.rs", "golden.rs", "golden_history.rs"];

/// The paths of the Rust files below a directory.
pub fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.extend(path.extension().is_some_and(|kind| kind == "rs").then_some(path)),
        }
    }
    found
}

#[test]
fn each_file_of_tests_has_its_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (tests, sources) = (root.join("tests/it"), root.join("src"));
    let has_source = |path: &Path| sources.join(path).is_file() || sources.join(path.with_extension("")).join("mod.rs").is_file();
    let within = files(&tests).into_iter().map(|path| path.strip_prefix(&tests).expect("below it").to_owned());
    let astray: BTreeSet<PathBuf> =
        within.filter(|path| !OWN.contains(&path.to_str().expect("UTF-8")) && !has_source(path)).collect();
    assert!(astray.is_empty(), "{astray:?}");
}
