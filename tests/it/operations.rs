//! What an operator meets: data that was lost or damaged, backups, keys, and commands beside a running engine.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use reqwest::StatusCode;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::engine::{Answer, Engine, PASSWORD, evirt, terminate};

const LOG: &str = "events.db";
const ANYWHERE: [&str; 5] = ["serve", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0"];

#[tokio::test]
async fn a_lost_log_is_begun_anew_only_on_demand() {
    let mut engine = Engine::start().await;
    engine.stop().await;
    fs::remove_file(engine.data().join(LOG)).unwrap();
    for _ in 0..2 {
        let refused = engine.evirt(&ANYWHERE);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0), "{said}");
        assert!(
            ["events.db is missing", "secret.key", "snapshots", "Restore", "--new"].iter().all(|part| said.contains(part)),
            "{said}"
        );
    }
    let mut anew = Command::new(env!("CARGO_BIN_EXE_evirt"))
        .args(ANYWHERE)
        .args(["--new", "--data"])
        .arg(engine.data())
        .env("EVIRT_ADMIN_PASSWORD", PASSWORD)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(anew.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("is ready"));
    terminate(&anew);
    assert!(anew.wait().unwrap().success());
    let refused = engine.evirt(&[&ANYWHERE[..], &["--new"]].concat());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("has events up to position"), "{said}");
}

#[tokio::test]
async fn a_log_that_vanishes_takes_no_changes_until_it_is_back() {
    let engine = Engine::start().await;
    let (path, away) = (engine.data().join(LOG), engine.data().join("away"));
    let tag = async |name: &str| engine.admin().post("/api/tags", format!("<tag><name>{name}</name></tag>")).await;
    assert_eq!(tag("a").await.status, StatusCode::CREATED);
    fs::rename(&path, &away).unwrap();
    for replaced in [false, true] {
        if replaced {
            fs::copy(&away, &path).unwrap();
        }
        let refused = tag("b").await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
        let health = engine.anonymous().get("/health").await;
        let said = if replaced { "was replaced" } else { "was removed" };
        assert!(health.body.contains("\"writes\":\"refused\"") && health.body.contains(said), "{health:?}");
        assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(engine.admin().get("/api/tags").await.status, StatusCode::OK, "what is known is still told");
    }
    fs::rename(&away, &path).unwrap();
    assert_eq!(tag("b").await.status, StatusCode::CREATED);
    assert_eq!(engine.anonymous().get("/health").await.status, StatusCode::OK);
    assert!(engine.evirt(&["events", "verify"]).status.success());
}

/// What a command said, which went well.
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Changes a database that an engine may have open.
async fn execute(file: &Path, sql: &'static str) {
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

/// Asks until the answer is as it should be.
async fn eventually(engine: &Engine, path: &str, fits: impl Fn(&Answer) -> bool) -> Answer {
    let asked = async {
        loop {
            let answer = engine.admin().get(path).await;
            if fits(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.unwrap_or_else(|_| panic!("{path} does not come to it"))
}

async fn tag(engine: &Engine, name: &str) {
    let added = engine.admin().post("/api/tags", format!("<tag><name>{name}</name></tag>")).await;
    assert_eq!(added.status, StatusCode::CREATED, "{added:?}");
}

const TAMPER: &str =
    "DROP TRIGGER events_never_change; UPDATE events SET payload = replace(payload, '\"', '\"') || ' ' WHERE position = 7";

#[tokio::test]
async fn a_damaged_log_is_told_of_while_the_engine_serves_and_repaired_on_demand() {
    let mut engine = Engine::start().await;
    for name in ["a", "b", "c"] {
        tag(&engine, name).await;
    }
    engine.stop().await;
    execute(&engine.data().join(LOG), TAMPER).await;
    // What is in the snapshot is not read at the start.
    engine.begin().await;
    let health = eventually(&engine, "/health", |health| health.body.contains("event_log")).await;
    assert_eq!(health.status, StatusCode::OK, "it serves on");
    assert!(health.body.contains("position 7") && health.body.contains("degraded"), "{health:?}");
    let metrics = engine.anonymous().get("/metrics").await;
    assert!(metrics.body.contains("evirt_store_damaged{store=\"event_log\"} 1"), "{metrics:?}");
    let event =
        eventually(&engine, "/api/events?search=severity%3Dalert", |events| events.body.contains("<code>20006</code>")).await;
    assert!(event.body.contains("The event log is damaged: position 7"), "{event:?}");
    engine.stop().await;
    let head = said(&engine.evirt(&["events", "list"])).lines().count();
    let asked = engine.evirt(&["events", "repair"]);
    let told = String::from_utf8(asked.stdout).unwrap();
    assert_eq!(asked.status.code(), Some(1));
    assert!(
        told.contains(&format!("lost: the events from position 7 to {head}, of which {} can still be read", head - 6)),
        "{told}"
    );
    assert!(told.contains("TagCreated"), "{told}");
    assert_eq!(engine.evirt(&["events", "verify"]).status.code(), Some(1), "nothing was done yet");
    let told = said(&engine.evirt(&["events", "repair", "--yes"]));
    assert!(told.contains("6 events are kept"), "{told}");
    assert!(said(&engine.evirt(&["events", "verify"])).starts_with("6 events are in order"));
    let aside = below(&engine.data(), "damaged-");
    assert!(aside.join(LOG).exists());
    assert_eq!(fs::read_to_string(aside.join("lost.jsonl")).unwrap().lines().count(), head - 6);
    assert!(said(&engine.evirt(&["events", "repair"])).contains("nothing to repair"));
    engine.begin().await;
    assert_eq!(engine.anonymous().get("/health").await.status, StatusCode::OK);
}

/// What lies below a directory under a name that begins so.
fn below(directory: &Path, prefix: &str) -> PathBuf {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    names.into_iter().find(|entry| entry.file_name().to_str().unwrap().starts_with(prefix)).unwrap().path()
}

#[tokio::test]
async fn a_damaged_audit_log_is_computed_anew_while_the_engine_serves() {
    let mut engine = Engine::start().await;
    tag(&engine, "a").await;
    let whole = engine.admin().get("/api/events").await.body;
    assert!(whole.contains("Tag a"), "{whole}");
    engine.stop().await;
    execute(&engine.data().join("audit.db"), "UPDATE audit_log SET message = 'nothing to see here' WHERE message LIKE '%Tag a%'")
        .await;
    engine.begin().await;
    let events = eventually(&engine, "/api/events", |events| events.body.contains("<code>20006</code>")).await;
    assert!(events.body.contains("The audit log is damaged") && events.body.contains("Tag a"), "{events:?}");
    assert!(!events.body.contains("nothing to see here"), "{events:?}");
    eventually(&engine, "/health", |health| health.body.contains("\"up\"")).await;
    said(&engine.evirt(&["projections", "check"]));
    // One that cannot be read at all is computed at the start, or by hand.
    for by_hand in [false, true] {
        engine.stop().await;
        let path = engine.data().join("audit.db");
        let mut bytes = fs::read(&path).unwrap();
        let from = if by_hand { 0 } else { 4096 };
        bytes[from..].fill(0x5a);
        fs::write(&path, bytes).unwrap();
        if by_hand {
            said(&engine.evirt(&["projections", "rebuild", "audit"]));
            said(&engine.evirt(&["projections", "check"]));
        }
        engine.begin().await;
        assert!(engine.admin().get("/api/events").await.body.contains("Tag a"));
    }
}

#[tokio::test]
async fn a_backup_goes_on_where_it_ended_and_is_restored_with_everything() {
    let mut engine = Engine::start().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("backup");
    let back_up = |engine: &Engine| said(&engine.evirt(&["backup", backup.to_str().unwrap()]));
    tag(&engine, "a").await;
    let first = back_up(&engine);
    assert!(first.starts_with("backed up: ") && first.contains("secret.key, tls/ca.crt"), "{first}");
    tag(&engine, "b").await;
    assert!(back_up(&engine).starts_with("backed up: 1 events"), "the second one has what is new");
    tag(&engine, "c").await;
    // A directory that nobody can write to is verified, listed and exported all the same.
    for (command, part) in [("verify", "are in order"), ("list", "TagCreated"), ("export", "TagCreated")] {
        assert!(said(&evirt(&backup, &["events", command])).contains(part));
    }
    let refused = engine.evirt(&["restore", backup.to_str().unwrap()]);
    assert!(!refused.status.success(), "an engine runs: {refused:?}");
    engine.stop().await;
    let refused = engine.evirt(&["restore", backup.to_str().unwrap()]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("has events up to position"));
    fs::remove_file(engine.data().join(LOG)).unwrap();
    let restored = said(&engine.evirt(&["restore", backup.to_str().unwrap()]));
    assert!(restored.contains("what was left of the lost log is in"), "{restored}");
    engine.begin().await;
    let tags = engine.admin().get("/api/tags").await.body;
    assert!(tags.contains("<name>b</name>") && !tags.contains("<name>c</name>"), "{tags}");
    tag(&engine, "d").await;
    back_up(&engine);
    // A history that parted from that of the backup is told from it.
    let other = elsewhere.path().join("other");
    said(&evirt(&other, &["restore", backup.to_str().unwrap()]));
    tag(&engine, "e").await;
    back_up(&engine);
    let refused = evirt(&other, &["backup", backup.to_str().unwrap()]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("holds another history"), "an older log is another history");
    execute(&backup.join(LOG), TAMPER).await;
    let refused = engine.evirt(&["backup", backup.to_str().unwrap()]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("is damaged at position 7"));
}

#[tokio::test]
async fn a_lost_key_is_not_replaced_while_something_needs_it() {
    let mut engine = Engine::start().await;
    let connection = "<storage_connection><type>iscsi</type><address>10.0.0.9</address><port>3260</port><target>iqn.t</target>\
                      <username>u</username><password>p</password></storage_connection>";
    let added = engine.admin().post("/api/storageconnections", connection).await;
    assert_eq!(added.status, StatusCode::CREATED, "{added:?}");
    assert!(said(&engine.evirt(&["secrets", "list"])).contains("storage connection 10.0.0.9 iqn.t  can be opened"));
    engine.stop().await;
    assert!(said(&engine.evirt(&["secrets", "rotate"])).contains("it holds 2"));
    said(&engine.evirt(&["secrets", "list"]));
    assert!(said(&engine.evirt(&["secrets", "prune"])).starts_with("0 "), "the old key is needed");
    let key = engine.data().join("secret.key");
    fs::remove_file(&key).unwrap();
    for _ in 0..2 {
        let refused = engine.evirt(&ANYWHERE);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("secret.key is missing") && said.contains("storage connection 10.0.0.9 iqn.t"), "{said}");
        assert!(!refused.status.success() && !key.exists());
    }
    start_and_stop(&engine.data(), &["--new-key"], "0022");
    let listed = engine.evirt(&["secrets", "list"]);
    assert!(listed.status.code() == Some(1) && String::from_utf8(listed.stdout).unwrap().contains("has to be given again"));
}

/// Starts the binary with a umask, and ends it when it is ready.
fn start_and_stop(data: &Path, with: &[&str], umask: &str) {
    let mut engine = Command::new("sh")
        .args(["-c", "umask $0; exec \"$@\"", umask, env!("CARGO_BIN_EXE_evirt")])
        .args(ANYWHERE)
        .args(with)
        .arg("--data")
        .arg(data)
        .env("EVIRT_ADMIN_PASSWORD", PASSWORD)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(engine.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("is ready"));
    terminate(&engine);
    assert!(engine.wait().unwrap().success());
}

/// Every file and directory below one that somebody else may do something with.
fn exposed(directory: &Path) -> Vec<PathBuf> {
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o077;
    let mut found: Vec<PathBuf> = Some(directory.to_owned()).filter(|path| mode(path) != 0).into_iter().collect();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(exposed(&path)),
            false => found.extend(Some(path).filter(|path| mode(path) != 0)),
        }
    }
    found
}

#[test]
fn what_is_kept_is_nobody_elses_whatever_the_umask() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    start_and_stop(&data, &[], "0000");
    assert_eq!(exposed(&data), Vec::<PathBuf>::new());
    // After a copy that left the modes behind.
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(data.join(LOG), fs::Permissions::from_mode(0o644)).unwrap();
    start_and_stop(&data, &[], "0000");
    assert_eq!(exposed(&data), Vec::<PathBuf>::new());
    let backup = place.path().join("backup");
    said(&evirt(&data, &["backup", backup.to_str().unwrap()]));
    assert_eq!(exposed(&backup), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_groups_are_changed_beside_a_running_engine_by_its_own_user() {
    let engine = Engine::start().await;
    let password = engine.data().join("password");
    let with = |command: &[&str], text: &str| {
        fs::write(&password, text).unwrap();
        engine.evirt(&[&["user"], command, &["--password-file", password.to_str().unwrap()]].concat())
    };
    said(&with(&["add", "bob", "--role", "SuperUser"], "first"));
    let again = with(&["add", "bob"], "first");
    assert!(String::from_utf8(again.stderr).unwrap().contains("exists already"));
    assert_eq!(engine.caller("bob@internal", "first").get("/api/clusters").await.status, StatusCode::OK);
    said(&with(&["passwd", "bob"], "second"));
    assert_eq!(engine.caller("bob@internal", "first").get("/api/clusters").await.status, StatusCode::UNAUTHORIZED);
    said(&engine.evirt(&["user", "unlock", "bob"]));
    for command in [&["group", "add", "staff"][..], &["group", "member", "add", "staff", "bob"]] {
        said(&engine.evirt(command));
    }
    assert!(said(&engine.evirt(&["group", "member", "list", "staff"])).contains("bob@internal"));
    said(&engine.evirt(&["group", "remove", "staff"]));
    let refused = engine.evirt(&["user", "unlock", "nobody"]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("there is no user nobody@internal"));
    assert_eq!(fs::metadata(engine.data().join("engine.sock")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn an_empty_state_of_the_simulator_is_none() {
    let mut engine = Engine::start().await;
    engine.while_stopped(|data| fs::write(data.join("simulator.json"), "\n").unwrap()).await;
    assert_eq!(engine.admin().get("/api/hosts").await.status, StatusCode::OK);
}
