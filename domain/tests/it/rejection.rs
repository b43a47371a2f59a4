//! Refusals: each key is raised somewhere, and some test says when.

use std::collections::BTreeSet;
use std::path::Path;

use evirt_domain::Key;

use crate::mirror::files;

/// The text of the files below a directory.
fn text(below: &Path, wanted: impl Fn(&Path) -> bool) -> String {
    let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).expect("a text");
    files(below).iter().filter(|path| wanted(path)).map(read).collect()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric()).collect()
}

#[test]
fn every_key_is_raised_and_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let whole = root.parent().expect("the workspace");
    let domain = text(&root.join("src"), |_| true);
    let (before, table) = domain.split_once("\nkeys! {\n").expect("the table of keys");
    let (_, after) = table.split_once("\n}\n").expect("its end");
    // The engine itself raises those of its own failures. What tests a module of it lies beside it.
    let is_test = |path: &Path| path.ends_with("tests.rs");
    let engine = text(&whole.join("src/engine"), |path| !is_test(path));
    let sources = [before, after, &engine].join("\n");
    let raised: BTreeSet<&str> =
        sources.split("Key::").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next()).collect();
    let tests = [text(&root.join("tests"), |_| true), text(&whole.join("tests"), |_| true), text(&whole.join("src"), is_test)];
    let tests = tests.join("\n");
    let tested = words(&tests);
    let names: Vec<String> = Key::ALL.iter().map(|key| format!("{key:?}")).collect();
    let dead: Vec<&String> = names.iter().filter(|name| !raised.contains(name.as_str())).collect();
    let untested: Vec<&String> = names.iter().filter(|name| !tested.contains(name.as_str())).collect();
    assert!(dead.is_empty() && untested.is_empty(), "never raised: {dead:?}, in no test: {untested:?}");
}
