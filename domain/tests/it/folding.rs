//! The fingerprint of folding: it changes with whatever a World could come out otherwise by, and with nothing else.

use std::fs;
use std::path::Path;

use evirt_domain::FOLDING;

#[allow(dead_code)] // its `main`
#[path = "../../build.rs"]
mod build;

const LOCK: &str = r#"version = 4

[[package]]
name = "axum"
version = "0.8.9"

[[package]]
name = "evirt-domain"
version = "0.1.0"
dependencies = [
 "imbl",
]

[[package]]
name = "imbl"
version = "7.0.0"
"#;

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("it is made");
    fs::write(path, text).expect("it is written");
}

/// The fingerprint of a small workspace in which one file is another.
fn with(file: &str, text: &str) -> String {
    let workspace = tempfile::tempdir().expect("a directory");
    for (name, text) in [
        ("Cargo.lock", LOCK),
        ("Cargo.toml", "version = \"0.1.0\""),
        ("domain/Cargo.toml", "version.workspace = true"),
        ("domain/src/lib.rs", "mod vm;"),
        ("domain/src/vm/nic.rs", "struct Nic;"),
        ("domain/tests/it.rs", "fn test() {}"),
        (file, text),
    ] {
        write(&workspace.path().join(name), text);
    }
    build::fingerprint(&workspace.path().join("domain")).expect("it can be read")
}

#[test]
fn it_is_that_of_these_sources() {
    assert_eq!(FOLDING, build::fingerprint(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("they can be read"));
}

#[test]
fn it_changes_with_the_sources_and_with_what_keeps_a_world() {
    let now = with("domain/src/lib.rs", "mod vm;");
    for (file, text) in [
        ("domain/src/lib.rs", "mod vm; "),
        ("domain/src/vm/nic.rs", "struct Nic(u8);"),
        ("domain/src/vm/disk.rs", ""),
        ("Cargo.lock", &LOCK.replace("7.0.0", "7.0.1")),
    ] {
        assert_ne!(with(file, text), now, "{file}: {text}");
    }
}

#[test]
fn it_changes_with_nothing_else() {
    let now = with("domain/src/lib.rs", "mod vm;");
    for (file, text) in [
        ("Cargo.toml", "version = \"0.2.0\""),
        ("domain/Cargo.toml", "version = \"0.2.0\""),
        ("domain/tests/it.rs", "fn test() { panic!() }"),
        ("projections/src/lib.rs", "mod audit;"),
        ("Cargo.lock", &LOCK.replace("0.8.9", "0.9.0")),
        ("Cargo.lock", &LOCK.replace("0.1.0", "0.2.0")),
    ] {
        assert_eq!(with(file, text), now, "{file}: {text}");
    }
}
