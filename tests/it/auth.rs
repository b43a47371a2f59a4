//! Who is let in, as clients see it; the rules one by one are tested beside `authenticate_request`.

use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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
    assert!(opened.header("set-cookie").ends_with("; Path=/ovirt-engine/api; HttpOnly; SameSite=Strict; Secure"), "{opened:?}");
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

/// How many of so many clients, which send the same Basic credentials at once, are answered with a status.
async fn answered(engine: &Engine, clients: usize, credentials: &str, status: &str) -> usize {
    let request =
        format!("GET /api/clusters HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {credentials}\r\nConnection: close\r\n\r\n");
    let mut connected = Vec::new();
    for _ in 0..clients {
        connected.push(TcpStream::connect(engine.server().http).await.unwrap());
    }
    for stream in &mut connected {
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    let mut answered = 0;
    for mut stream in connected {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answered += usize::from(answer.starts_with(&format!("HTTP/1.1 {status} ")));
    }
    answered
}

#[tokio::test]
async fn many_clients_with_the_same_credentials_cost_one_check() {
    for clients in [300, 1_000] {
        let engine = Engine::start().await;
        // Wrong ones first: one failure, not as many as lock the user.
        assert_eq!(answered(&engine, clients, "YWRtaW5AaW50ZXJuYWw6d3Jvbmc=", "401").await, clients);
        assert_eq!(answered(&engine, clients, "YWRtaW5AaW50ZXJuYWw6c2VjcmV0", "200").await, clients);
        let listed = engine.evirt(&["events", "export"]);
        let events = String::from_utf8(listed.stdout).unwrap();
        // A login is recorded when the password was really checked. Whoever is late sends wrong ones when they have been found wrong already.
        for (kind, most) in [("LoginFailed", 3), ("SessionOpened", 1), ("SessionClosed", 1)] {
            let recorded = events.matches(&format!("\"kind\":\"{kind}\"")).count();
            assert!((1..=most).contains(&recorded), "{recorded} {kind} of {clients} clients");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_type_that_no_api_has_is_415_and_changes_nothing() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let tag = b"<tag><name>sneaky</name></tag>".to_vec();
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "application/yaml"] {
        let answer = admin.send(Method::POST, "/api/tags", kind, tag.clone()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        assert!(answer.body.contains("<fault>") && answer.body.contains(kind.split(';').next().unwrap()), "{}", answer.body);
    }
    assert!(!admin.get("/api/tags").await.body.contains("sneaky"));
}
