//! The command line, beside a running engine and without one.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use reqwest::StatusCode;

use crate::engine::{Engine, evirt, terminate};

/// Exit codes, as `evirt --help` lists them.
const FOUND: i32 = 1;
const USAGE: i32 = 2;
const ENGINE_RUNS: i32 = 3;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

#[tokio::test]
async fn events_are_read_and_verified_beside_a_running_engine() {
    let engine = Engine::start().await;
    let listed = succeeds(&engine.evirt(&["events", "list"]));
    assert!(listed.lines().next().unwrap().contains("SystemInstalled"), "{listed}");
    assert_eq!(succeeds(&engine.evirt(&["events", "list", "--limit", "2", "--after", "3"])).lines().count(), 2);
    let exported = succeeds(&engine.evirt(&["events", "export"]));
    assert_eq!(exported.lines().count(), listed.lines().count());
    for line in exported.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["payload"].is_object() && event["hash"].as_str().unwrap().len() == 64, "{event}");
    }
    assert!(succeeds(&engine.evirt(&["events", "verify"])).contains(&format!("{} events are in order", listed.lines().count())));
    assert!(succeeds(&engine.evirt(&["user", "list"])).starts_with("admin@internal"));
}

#[tokio::test]
async fn a_second_engine_is_told_who_the_first_one_is() {
    let engine = Engine::start().await;
    let (mine, listens) = (format!("process {}", std::process::id()), engine.server().http.to_string());
    let second = engine.evirt(&["serve", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0"]);
    let rebuilt = engine.evirt(&["projections", "rebuild"]);
    for refused in [second, rebuilt] {
        let told = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(ENGINE_RUNS), "{told}");
        assert!(told.contains(&mine) && told.contains(&listens), "{told}");
        assert_eq!(text(&refused.stdout), "");
    }
}

#[tokio::test]
async fn users_are_added_and_changed_while_no_engine_runs() {
    let mut engine = Engine::start().await;
    let password = engine.data().join("password");
    fs::write(&password, "bob's first\n").unwrap();
    let file = password.to_str().unwrap().to_owned();
    engine
        .while_stopped(|data| {
            succeeds(&evirt(data, &["user", "add", "bob", "--role", "SuperUser", "--password-file", &file]));
            let again = evirt(data, &["user", "add", "bob@internal", "--password-file", &file]);
            assert!(text(&again.stderr).contains("exists already"), "{again:?}");
        })
        .await;
    assert_eq!(engine.caller("bob@internal", "bob's first").get("/api/clusters").await.status, StatusCode::OK);
    fs::write(&password, "bob's second").unwrap();
    engine
        .while_stopped(|data| {
            succeeds(&evirt(data, &["user", "passwd", "bob", "--password-file", &file]));
        })
        .await;
    assert_eq!(engine.caller("bob@internal", "bob's first").get("/api/clusters").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(engine.caller("bob@internal", "bob's second").get("/api/clusters").await.status, StatusCode::OK);
}

#[tokio::test]
async fn projections_are_checked_and_rebuilt() {
    let mut engine = Engine::start().await;
    engine.admin().get("/api/clusters").await;
    succeeds(&engine.evirt(&["projections", "check"]));
    assert_eq!(engine.evirt(&["projections", "rebuild"]).status.code(), Some(ENGINE_RUNS));
    let mut audit = None;
    engine
        .while_stopped(|data| {
            let listed = succeeds(&evirt(data, &["projections", "list"]));
            assert!(listed.contains("snapshot at position"), "{listed}");
            audit = Some(data.join("audit.db"));
        })
        .await;
    let renamed =
        engine.admin().put("/api/clusters/99408929-82cf-4dc7-a532-9d998063fa95", "<cluster><name>first</name></cluster>").await;
    assert_eq!(renamed.status, StatusCode::OK, "{renamed:?}");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(audit.unwrap());
    for (falsified, expected) in [
        ("UPDATE audit_log SET message = 'User eve logged in.' WHERE code = 30", "audit: the entry at position"),
        ("UPDATE former_name SET name = 'eve'", "audit: the name that ends at position"),
        ("DELETE FROM former_name", "audit: the name that ends at position"),
    ] {
        // What was offered is written before it is read.
        assert_eq!(engine.admin().get("/api/events").await.status, StatusCode::OK);
        let mut store = sqlx::ConnectOptions::connect(&options).await.unwrap();
        assert!(sqlx::query(falsified).execute(&mut store).await.unwrap().rows_affected() > 0, "{falsified}");
        drop(store);
        engine
            .while_stopped(|data| {
                let found = evirt(data, &["projections", "check"]);
                assert_eq!(found.status.code(), Some(FOUND), "{found:?}");
                assert!(text(&found.stdout).starts_with(expected), "{found:?}");
                succeeds(&evirt(data, &["projections", "rebuild"]));
                succeeds(&evirt(data, &["projections", "check"]));
            })
            .await;
    }
    assert_eq!(engine.admin().get("/api/clusters").await.status, StatusCode::OK);
}

#[test]
fn what_is_wrong_has_an_exit_code() {
    let nowhere = tempfile::tempdir().unwrap();
    let usage = evirt(nowhere.path(), &["events", "frobnicate"]);
    assert_eq!(usage.status.code(), Some(USAGE));
    let missing = evirt(nowhere.path(), &["events", "list"]);
    assert_eq!((missing.status.code(), text(&missing.stdout)), (Some(FOUND), String::new()));
    assert!(text(&missing.stderr).contains("there is no event log"), "{missing:?}");
    assert_eq!(fs::read_dir(nowhere.path()).unwrap().count(), 0, "reading makes nothing");
    let open = evirt(nowhere.path(), &["serve", "--http", "0.0.0.0:0"]);
    assert!(text(&open.stderr).contains("--http-anywhere"), "{open:?}");
}

#[test]
fn a_first_start_tells_where_it_is_and_ends_well_when_told_to() {
    let data = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_evirt"))
        .args(["serve", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .env_remove("EVIRT_ADMIN_PASSWORD")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().take(6).map(Result::unwrap).collect();
    assert!(said[0].ends_with("is ready"), "{said:?}");
    for (line, part) in
        [(1, "https://127.0.0.1:"), (2, "http://127.0.0.1:"), (3, "ca.crt"), (4, "admin@internal"), (5, "password:")]
    {
        assert!(said[line].contains(part), "{part} is not in {said:?}");
    }
    terminate(&child);
    assert!(child.wait().unwrap().success());
    succeeds(&evirt(data.path(), &["events", "verify"]));
}
