//! docs/limits.md says what the sources say. `EVIRT_BLESS=1` writes its table again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = "docs/limits.md";
const RULE: &str = "|---|---|---|\n";

/// Constants by name and file, with their values.
type Constants = BTreeMap<(String, String), String>;

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
}

/// Every constant with a name in capitals.
fn declared(root: &Path) -> Constants {
    let mut files = Vec::new();
    ["domain/src", "projections/src", "src"].iter().for_each(|part| sources(&root.join(part), &mut files));
    let mut constants = Constants::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        for declaration in text.split("const ").skip(1) {
            let Some((name, rest)) = declaration.split_once(": ") else { continue };
            let Some((_, value)) = rest.split_once(';').and_then(|(rest, _)| rest.split_once(" = ")) else { continue };
            if name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_') {
                constants.insert((name.to_owned(), file.clone()), value.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    constants
}

fn documented(table: &str) -> Constants {
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches(['|', ' ']).split(" | ").collect();
        let [name, value @ .., file] = cells.as_slice() else { panic!("{line} is no row") };
        ((name.trim_matches('`').to_owned(), (*file).to_owned()), value.join(" | ").trim_matches('`').to_owned())
    };
    table.lines().map(row).collect()
}

#[test]
fn the_limits_are_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join(DOCUMENT)).unwrap();
    let (head, table) = text.split_once(RULE).expect("a table");
    let (documented, declared) = (documented(table), declared(root));
    let is_limit = |name: &str| name.starts_with("MAX_") || name.starts_with("MIN_") || name.ends_with("_TIMEOUT");
    let wanted: Constants = declared.into_iter().filter(|(key, _)| is_limit(&key.0) || documented.contains_key(key)).collect();
    if std::env::var_os("EVIRT_BLESS").is_some() {
        let rows = wanted.iter().map(|((name, file), value)| format!("| `{name}` | `{value}` | {file} |\n"));
        fs::write(root.join(DOCUMENT), format!("{head}{RULE}{}", rows.collect::<String>())).unwrap();
        return;
    }
    assert_eq!(documented, wanted, "EVIRT_BLESS=1 writes {DOCUMENT} again");
}
