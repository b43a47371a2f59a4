//! The domain and the projections do no I/O: nothing that could do any is among what they depend on.

use std::path::Path;
use std::process::Command;

/// What has no business below the engine.
const FORBIDDEN: [&str; 12] =
    ["tokio", "sqlx", "axum", "quick-xml", "hyper", "reqwest", "mio", "socket2", "rustls", "rand", "chrono", "tracing"];

fn dependencies(package: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args(["tree", "-p", package, "-e", "normal", "--prefix", "none", "--offline", "--locked"])
        .output()
        .expect("cargo tree");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn without_io(package: &str, forbidden: &[&str]) {
    let found = dependencies(package);
    assert!(found.iter().any(|name| name == package), "{found:?}");
    let wrong: Vec<_> = found.iter().filter(|name| forbidden.contains(&name.as_str())).collect();
    assert!(wrong.is_empty(), "{package} depends on {wrong:?}");
}

#[test]
fn the_domain_depends_on_no_io() {
    without_io("evirt-domain", &FORBIDDEN);
}

#[test]
fn the_projections_depend_on_no_io() {
    without_io("evirt-projections", &["tokio", "sqlx", "axum", "quick-xml"]);
}
