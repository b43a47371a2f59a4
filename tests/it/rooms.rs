//! Which room of the server may name which: the directions of `src/`, held on its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the rooms that it may name.
const ROOMS: &[(&str, &[&str])] = &[
    ("app", &["audit", "directory", "engine", "hypervisor", "log", "reactors"]),
    ("audit", &["log", "store"]),
    ("backup", &["engine", "log"]),
    ("cli", &["app", "audit", "backup", "config", "control", "directory", "engine", "hypervisor", "log", "server", "telemetry"]),
    ("config", &["directory", "face", "reactors"]),
    ("control", &["engine"]),
    ("directory", &["engine"]),
    ("engine", &["audit", "hypervisor", "log", "store"]),
    ("face", &["app", "audit", "directory", "engine", "telemetry"]),
    ("hypervisor", &[]),
    ("log", &["store"]),
    ("reactors", &["engine", "hypervisor", "log"]),
    ("server", &["app", "config", "control", "directory", "engine", "face", "hypervisor", "log", "reactors", "telemetry", "tls"]),
    ("store", &[]),
    ("telemetry", &[]),
    ("tls", &[]),
];

/// Words that only some rooms say, wherever they may have them from.
const WORDS: &[(&str, &[&str])] = &[("DriverCall", &["app", "engine", "hypervisor", "reactors"]), ("SqliteLog", &["log"])];

/// What does not hold yet: a file, and the room or the word that it should not name. An entry that is not needed any more has to go.
const OFFENDERS: &[(&str, &str)] = &[];

/// What a file names, and where it stands, as in `face/ovirt/vms.rs`.
struct Source {
    path: String,
    room: String,
    names: BTreeSet<String>,
}

/// All files of the server but its roots (`lib.rs`, `main.rs`) and its unit tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let (inner, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.partition(|path| path.is_dir());
        directories.extend(inner);
        sources.extend(
            files.iter().filter_map(|file| source(file.strip_prefix(&root).unwrap(), &fs::read_to_string(file).unwrap())),
        );
    }
    assert!(sources.len() > ROOMS.len());
    sources
}

fn source(path: &Path, text: &str) -> Option<Source> {
    let path = path.to_str().unwrap().to_owned();
    if ["lib.rs", "main.rs"].contains(&path.as_str()) || path.ends_with("/tests.rs") {
        return None;
    }
    let room = path.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
    let code = code(text);
    let is_root = [format!("{room}.rs"), format!("{room}/mod.rs")].contains(&path);
    let mut names = rooms_after("crate::", &code);
    if is_root {
        names.extend(rooms_after("super::", &code));
    }
    names.remove(&room);
    let words: BTreeSet<&str> = code.split(|c: char| !is_word(c)).collect();
    let forbidden = WORDS.iter().filter(|(word, rooms)| words.contains(word) && !rooms.contains(&room.as_str()));
    names.extend(forbidden.map(|(word, _)| (*word).to_owned()));
    Some(Source { path, room, names })
}

/// A file's text without comments and unit tests.
fn code(text: &str) -> String {
    let tests = text.match_indices("\n#[cfg(test)]\n").find(|(at, found)| {
        let module = text[at + found.len()..].lines().next().unwrap_or_default();
        module.contains("mod ") && module.ends_with('{')
    });
    let text = tests.map_or(text, |(at, _)| &text[..at]);
    text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The first names of paths that begin so, one by one or in braces.
fn rooms_after(prefix: &str, code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| is_word(c) || c == ':' || c == '$') {
            continue;
        }
        let after = &code[at + prefix.len()..];
        match after.strip_prefix('{') {
            None => {
                found.insert(after.chars().take_while(|c| is_word(*c)).collect());
            }
            Some(group) => found.extend(firsts(group)),
        }
    }
    found.retain(|name: &String| name.starts_with(|c: char| c.is_ascii_lowercase()));
    found
}

/// The first name of each path in a group of imports, which goes on up to its closing brace.
fn firsts(group: &str) -> Vec<String> {
    let (mut depth, mut paths) = (0_usize, vec![String::new()]);
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => paths.push(String::new()),
            c => paths.last_mut().unwrap().push(c),
        }
    }
    paths
        .iter()
        .map(|path| path.trim().chars().take_while(|c| is_word(*c)).collect())
        .filter(|name: &String| !name.is_empty())
        .collect()
}

/// What some files name that they may not: each with the file.
fn wrong(sources: &[Source]) -> BTreeSet<(String, String)> {
    let rooms: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let of = |source: &Source| {
        let may = rooms.get(source.room.as_str()).unwrap_or_else(|| panic!("{} is in no room of the table", source.path));
        let bad = source.names.iter().filter(|name| !may.contains(&name.as_str()));
        bad.map(|name| (source.path.clone(), name.clone())).collect::<Vec<_>>()
    };
    sources.iter().flat_map(of).collect()
}

#[test]
fn each_room_names_only_what_it_may() {
    let wrong = wrong(&sources());
    let known: BTreeSet<_> = OFFENDERS.iter().map(|(path, name)| ((*path).to_owned(), (*name).to_owned())).collect();
    let new: Vec<_> = wrong.difference(&known).collect();
    assert!(new.is_empty(), "these files name what their room may not: {new:#?}");
    let stale: Vec<_> = known.difference(&wrong).collect();
    assert!(stale.is_empty(), "these hold by now, so that they leave OFFENDERS: {stale:#?}");
}

#[test]
fn the_rooms_form_no_circle() {
    let mut left: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    while let Some(lowest) = left.iter().find(|(_, may)| may.iter().all(|name| !left.contains_key(name))).map(|(room, _)| *room) {
        left.remove(lowest);
    }
    assert!(left.is_empty(), "there is a circle among {:?}", left.keys());
}

/// What every request of the oVirt face goes through.
const CARRIERS: &[&str] = &["answer", "cache", "condition", "etag", "repeat", "request", "route", "visible"];

#[test]
fn what_carries_a_request_forms_no_circle() {
    let names = |file: &&'static str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/face/ovirt").join(format!("{file}.rs"));
        let named = rooms_after("super::", &code(&fs::read_to_string(path).unwrap()));
        (*file, named.into_iter().filter(|name| CARRIERS.contains(&name.as_str())).collect::<BTreeSet<String>>())
    };
    let mut left: BTreeMap<&str, BTreeSet<String>> = CARRIERS.iter().map(names).collect();
    assert!(left["condition"].contains("request") && left["answer"].contains("visible"), "what files name is found: {left:?}");
    while let Some(lowest) = left.iter().find(|(_, named)| named.is_empty()).map(|(file, _)| *file) {
        left.remove(lowest);
        left.values_mut().for_each(|named| named.retain(|name| name != lowest));
    }
    assert!(left.is_empty(), "there is a circle among {left:?}");
}

#[test]
fn what_a_file_names_is_found() {
    let text = "//! Not `crate::reactors`.\nuse crate::{engine::{Engine, log as x}, log,\n    tls};\nuse super::audit; // crate::cli\n\
                fn f() -> crate::server::Server { DriverCall::Connect }\n#[cfg(test)]\nmod tests {\n    use crate::config;\n}\n";
    let names = |path| source(Path::new(path), text).unwrap().names.into_iter().collect::<Vec<_>>();
    assert_eq!(names("face/x.rs"), ["DriverCall", "engine", "log", "server", "tls"]);
    assert_eq!(names("face/mod.rs"), ["DriverCall", "audit", "engine", "log", "server", "tls"]);
    assert_eq!(names("engine/x.rs"), ["log", "server", "tls"]);
    let wrong = wrong(&[source(Path::new("engine/x.rs"), text).unwrap()]);
    assert_eq!(wrong.into_iter().map(|(_, name)| name).collect::<Vec<_>>(), ["server", "tls"]);
}
