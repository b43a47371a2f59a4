//! Searches: every condition that upstream knows is accepted, and those on what is not in the World find what they say.

use reqwest::StatusCode;

use crate::engine::{Caller, Engine};

const UPSTREAM: &str = include_str!("../data/searches-3.3.tsv");

fn encoded(search: &str) -> String {
    search
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02x}") })
        .collect()
}

async fn found(caller: &Caller, collection: &str, search: &str) -> String {
    let answer = caller.get(&format!("/api/{collection}?search={}", encoded(search))).await;
    assert_eq!(answer.status, StatusCode::OK, "{collection}: {search}: {}", answer.body);
    answer.body
}

#[tokio::test]
async fn every_condition_of_upstream_is_accepted() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    for line in UPSTREAM.lines().filter(|line| !line.starts_with('#')) {
        let (collection, condition) = line.split_once('\t').unwrap();
        found(&admin, collection, condition).await;
    }
}

#[tokio::test]
async fn load_and_events_are_searched() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let host = "<host><name>alpha</name><address>192.168.0.11</address><root_password>redhat</root_password></host>";
    assert_eq!(admin.post("/api/hosts", host).await.status, StatusCode::CREATED);
    while !found(&admin, "hosts", "status=up").await.contains("alpha") {
        tokio::task::yield_now().await;
    }
    for (search, there) in [
        ("cpu_usage < 101", true),
        ("cpu_usage > 100", false),
        ("load >= 0", true),
        ("mem_usage > 100", false),
        ("events.type = 13", true),
        ("event.severity = alert", true),
        ("events.severity < error", true),
        ("events.severity > alert", false),
        ("events.type = 13 and events.message = *alpha*", true),
        ("events.type = 13 and events.type = 14", false),
        ("events.type = 14 or events.message = *alpha*", true),
        ("events.usrname = admin and events.type = 42", true),
        ("events.usrname = admin@internal and events.type = 42", true),
        ("events.time > yesterday and events.type = 13", true),
        ("events.time < 2013-10-23", false),
        ("name = alpha and events.message = *alpha*", true),
        ("name = alpha and events.type = 14", false),
    ] {
        assert_eq!(found(&admin, "hosts", search).await.contains("alpha"), there, "{search}");
    }
    let insensitive = admin.get("/api/hosts;case-sensitive=false?search=name%3DALPHA").await.body;
    let sensitive = admin.get("/api/hosts;case_sensitive=true?search=name%3DALPHA").await.body;
    assert!(insensitive.contains("alpha") && !sensitive.contains("alpha"), "{insensitive} {sensitive}");
}

#[tokio::test]
async fn quotas_are_searched_for_by_what_consumes_them_and_what_is_told_of_them() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let quotas = "/api/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3/quotas";
    let quota = admin.post(quotas, "<quota><name>enough</name></quota>").await.id();
    for (name, quota) in [("with", format!("<quota id=\"{quota}\"/>")), ("without", String::new())] {
        let body = "<cluster><name>Default</name></cluster><template><name>Blank</name></template>";
        let made = admin.post("/api/vms", format!("<vm><name>{name}</name>{body}{quota}</vm>")).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }
    let vms = found(&admin, "vms", "quota = en*").await;
    assert!(vms.contains("<name>with</name>") && !vms.contains("<name>without</name>"), "{vms}");
    for (search, there) in [
        (format!("_event_quota_id = {quota}"), true),
        (format!("_event_quota_id = {}", quota.replace('-', "")), false),
        ("quota.name = enough".to_owned(), true),
        ("quota.name = little".to_owned(), false),
        ("quota.storagepoolname = Default and quota.enforcementtype = disabled".to_owned(), true),
        ("quota.gracestoragepercentage = 20 and quota.thresholdvdsgrouppercentage = 80".to_owned(), true),
    ] {
        assert_eq!(found(&admin, "events", &search).await.contains("<code>3000</code>"), there, "{search}");
    }
}
