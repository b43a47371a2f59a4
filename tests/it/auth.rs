//! Who is let in, as clients see it; the rules one by one are tested beside `authenticate_request`.

use reqwest::StatusCode;

use crate::engine::Engine;

#[tokio::test]
async fn without_credentials_the_answer_asks_for_some() {
    let engine = Engine::start().await;
    for caller in [engine.anonymous(), engine.caller("admin@internal", "wrong"), engine.caller("admin", "secret")] {
        for base in ["/api", "/ovirt-engine/api"] {
            let answer = caller.get(base).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.header("www-authenticate"), "Basic realm=\"ENGINE\"");
            assert_eq!(answer.body, "");
        }
    }
    assert_eq!(engine.admin().get("/api/clusters").await.status, StatusCode::OK);
    assert_eq!(engine.caller("internal\\admin", "secret").get("/api/clusters").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_lasts_from_the_first_wish_to_the_last_request() {
    let mut engine = Engine::start().await;
    let opened = engine.admin().with("prefer", "persistent-auth").get("/api/clusters").await;
    assert_eq!(opened.status, StatusCode::OK);
    let cookie = opened.cookie();
    assert!(opened.header("set-cookie").contains("; Path=/api;"), "{opened:?}");
    assert!(!opened.header("set-cookie").contains("Secure"), "{opened:?}");
    assert_eq!(format!("JSESSIONID={}", opened.header("jsessionid")), cookie);

    let stay = |engine: &Engine| engine.anonymous().with("cookie", &cookie).with("prefer", "persistent-auth");
    assert_eq!(stay(&engine).get("/api/clusters").await.status, StatusCode::OK);
    engine.restart().await;
    assert_eq!(stay(&engine).get("/api/clusters").await.status, StatusCode::OK, "a session outlives the engine's process");

    assert_eq!(engine.anonymous().with("cookie", &cookie).get("/api/clusters").await.status, StatusCode::OK, "the last request");
    assert_eq!(stay(&engine).get("/api/clusters").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_cookie_is_for_the_base_and_the_transport_that_was_used() {
    let engine = Engine::start().await;
    let caller = engine.anonymous_by_https().with("prefer", "persistent-auth");
    let credentials = "Basic YWRtaW5AaW50ZXJuYWw6c2VjcmV0";
    let opened = caller.with("authorization", credentials).get("/ovirt-engine/api/clusters").await;
    assert_eq!(opened.status, StatusCode::OK);
    assert!(opened.header("set-cookie").ends_with("; Path=/ovirt-engine/api; HttpOnly; Secure"), "{opened:?}");
}

#[tokio::test]
async fn a_login_is_an_event_and_the_password_is_nowhere() {
    let engine = Engine::start().await;
    engine.admin().get("/api/clusters").await;
    engine.caller("admin@internal", "a wrong one").get("/api/clusters").await;
    let listed = engine.evirt(&["events", "export"]);
    let events = String::from_utf8(listed.stdout).unwrap();
    for kind in ["SessionOpened", "SessionClosed", "LoginFailed"] {
        assert_eq!(events.matches(&format!("\"kind\":\"{kind}\"")).count(), 1, "{kind}");
    }
    assert!(!events.contains("a wrong one") && !events.contains("\"secret\""));
}
