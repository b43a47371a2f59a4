//! What every client meets: health, figures, the certificate, limits.

use reqwest::{Method, StatusCode};

use crate::engine::Engine;

#[tokio::test]
async fn health_tells_the_position_without_credentials() {
    let engine = Engine::start().await;
    let answer = engine.anonymous().get("/health").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    assert!(answer.body.contains("\"position\":"), "{}", answer.body);
}

#[tokio::test]
async fn the_certificate_is_served_and_verifies_the_server() {
    let engine = Engine::start().await;
    let ca = std::fs::read_to_string(&engine.server().ca_path).unwrap();
    for caller in [engine.anonymous(), engine.anonymous_by_https()] {
        for path in ["/ca.crt", "/ovirt-engine/ca.crt"] {
            let answer = caller.get(path).await;
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ca.as_str()));
        }
    }
}

#[tokio::test]
async fn figures_count_requests_by_method_and_status() {
    let engine = Engine::start().await;
    engine.anonymous().get("/health").await;
    engine.anonymous().ask(Method::DELETE, "/health", None).await;
    let figures = engine.anonymous().get("/metrics").await.body;
    for part in [
        "evirt_http_requests_total{method=\"GET\",status=\"200\"}",
        "evirt_http_requests_total{method=\"DELETE\",status=\"405\"}",
        "evirt_http_request_seconds_bucket",
        "evirt_log_head_position",
        "evirt_commands_waiting",
    ] {
        assert!(figures.contains(part), "{part} is not in {figures}");
    }
}

#[tokio::test]
async fn a_body_too_large_is_refused_and_nothing_is_recorded() {
    let engine = Engine::start().await;
    let answer = engine.refused().post("/api/vms", "x".repeat(10_000_000)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.body.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<fault>"), "{}", answer.body);
    assert_eq!(engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn a_request_keeps_its_name_in_the_events() {
    let engine = Engine::start().await;
    engine.admin().with("correlation-id", "my-request").get("/api/clusters").await;
    let listed = engine.evirt(&["events", "list", "--kind", "SessionOpened"]);
    assert!(String::from_utf8(listed.stdout).unwrap().trim_end().ends_with("my-request"));
}

#[tokio::test]
async fn each_start_and_each_stop_in_good_order_is_told() {
    let mut engine = Engine::start().await;
    engine.restart().await;
    for (code, times) in [(1, 2), (2, 1)] {
        let told = engine.admin().get(&format!("/api/events?search=type%3D{code}")).await.body;
        assert_eq!(told.matches("<event ").count(), times, "{told}");
    }
}
