//! That a golden file never changes once it was committed: a list of their checksums stands beside them, and git has its past.
//!
//! A new shape of an event has a file of its own, named after its schema version, so no line of the list ever has to change. The list can be
//! checked by other means, too: `cd domain/tests/golden && sha256sum -c SHA256SUMS`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::golden::directory;

/// The list's name beside the golden files.
const LIST: &str = "SHA256SUMS";

/// Checksums by the names of files.
type Sums = BTreeMap<String, String>;

/// Reads what `sha256sum` writes.
fn parse(list: &str) -> Sums {
    let line = |line: &str| {
        let (sum, name) = line.split_once("  ").unwrap_or_else(|| panic!("{line:?} is no line of {LIST}"));
        (name.to_owned(), sum.to_owned())
    };
    list.lines().map(line).collect()
}

/// The checksums of the golden files of a directory.
fn computed(directory: &Path) -> Sums {
    let files = std::fs::read_dir(directory).expect("the directory").map(|entry| entry.expect("an entry"));
    let names = files.map(|entry| entry.file_name().into_string().expect("UTF-8")).filter(|name| name != LIST);
    let sum = |name: &String| {
        let digest = Sha256::digest(std::fs::read(directory.join(name)).expect("the golden file"));
        digest.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    };
    names.map(|name| (name.clone(), sum(&name))).collect()
}

/// What was changed or taken away of a list whose versions are given, oldest first.
fn rewritten(versions: &[Sums]) -> Vec<String> {
    let mut first = Sums::new();
    let mut changed = Vec::new();
    for (name, sum) in versions.iter().flatten() {
        let known = first.entry(name.clone()).or_insert_with(|| sum.clone());
        if known != sum {
            changed.push(format!("{name} was changed"));
        }
    }
    let now = versions.last();
    let gone = first.keys().filter(|name| now.is_some_and(|now| !now.contains_key(*name)));
    changed.extend(gone.map(|name| format!("{name} was removed")));
    changed.dedup();
    changed
}

fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(directory).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).expect("UTF-8"))
}

/// The versions of the list that the main line has had, oldest first; none where there is no git or it does not know the list. What a merged
/// branch tried in between was never released.
fn committed(directory: &Path) -> Vec<Sums> {
    let commits = git(directory, &["log", "--first-parent", "--reverse", "--format=%H", "--", LIST]).unwrap_or_default();
    // A commit that took the list away has none to show, and those before it still count.
    commits
        .lines()
        .filter_map(|commit| git(directory, &["show", &format!("{commit}:./{LIST}")]))
        .map(|list| parse(&list))
        .collect()
}

/// The list as it is now.
fn listed() -> Sums {
    parse(&std::fs::read_to_string(directory().join(LIST)).expect("the list"))
}

/// Adds the lines of new files to the list. A file that was changed stays one that the list contradicts.
pub fn list_new_files() {
    let mut listed = listed();
    for (name, sum) in computed(&directory()) {
        listed.entry(name).or_insert(sum);
    }
    let lines: String = listed.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
    std::fs::write(directory().join(LIST), lines).expect("the list");
}

#[test]
fn the_list_of_checksums_is_that_of_the_files() {
    let (files, listed) = (computed(&directory()), listed());
    let wrong: Vec<_> = files.keys().chain(listed.keys()).filter(|name| files.get(*name) != listed.get(*name)).collect();
    assert!(
        wrong.is_empty(),
        "{LIST} does not say what is in {wrong:?}. A file that was committed never changes; a new one gets its line by EVIRT_BLESS=1"
    );
}

#[test]
fn no_line_of_the_list_was_ever_changed() {
    let mut versions = committed(&directory());
    if versions.is_empty() {
        eprintln!("git does not know {LIST} here: it is only compared with the files");
    }
    versions.push(listed());
    let rewritten = rewritten(&versions);
    assert!(rewritten.is_empty(), "{rewritten:?}: restore them. A new shape of an event has a file of its own: see golden.rs");
}

#[test]
fn a_changed_line_is_found_in_the_history() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    let run = |arguments: &[&str]| {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
        git(root, &[&identity, arguments].concat()).unwrap_or_else(|| panic!("git {arguments:?}"))
    };
    let commit = |list: &str| {
        std::fs::write(root.join(LIST), list).expect("the list");
        run(&["add", LIST]);
        run(&["commit", "-q", "-m", "a version"]);
    };
    assert_eq!(committed(root), [], "no repository");
    run(&["init", "-q"]);
    commit("aa  VmUp.v1.json\n");
    commit("aa  VmUp.v1.json\nbb  VmLost.v1.json\n");
    assert_eq!((committed(root).len(), rewritten(&committed(root))), (2, vec![]));
    commit("aa  VmUp.v1.json\ncc  VmLost.v1.json\ndd  VmUp.v2.json\n");
    commit("cc  VmLost.v1.json\ndd  VmUp.v2.json\n");
    assert_eq!(rewritten(&committed(root)), ["VmLost.v1.json was changed", "VmUp.v1.json was removed"]);
}
