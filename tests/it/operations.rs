//! What an operator meets: data that was lost, and files that vanish.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use reqwest::StatusCode;

use crate::engine::{Engine, PASSWORD, terminate};

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
