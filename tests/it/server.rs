//! What every client meets: health, figures, the certificate, limits, and what is forgiven of how requests are written.

use std::net::SocketAddr;

use evirt::config::Options;
use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::engine::Engine;

/// The header that admin@internal sends.
const CREDENTIALS: &str = "Authorization: Basic YWRtaW5AaW50ZXJuYWw6c2VjcmV0";

/// What is answered to a request's bytes until the server closes the connection.
async fn told(address: SocketAddr, sent: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

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
    // Who asks is found out first: that login is not what is looked for.
    engine.admin().get("/api").await;
    let answer = engine.refused().post("/api/vms", "x".repeat(10_000_000)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.body.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<fault>"), "{}", answer.body);
    let answer = engine.refused().with("accept", "application/json").post("/api/vms", "x".repeat(10_000_000)).await;
    let detail = "\"detail\":\"The request's body is longer than 1048576 bytes\"";
    assert!(answer.status == StatusCode::PAYLOAD_TOO_LARGE && answer.body.contains(detail), "{}", answer.body);
    assert_eq!(engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn credentials_are_checked_before_a_body_is_read() {
    let engine = Engine::start().await;
    // The body never comes: it is answered all the same.
    let head = |credentials: &str| format!("POST /api/vms HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n{credentials}\r\n");
    for credentials in ["", "Authorization: Basic YWRtaW5AaW50ZXJuYWw6d3Jvbmc=\r\n"] {
        let answer = told(engine.server().http, &head(credentials)).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 401 ") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_get_that_announces_a_body_is_answered_without_it() {
    let engine = Engine::start().await;
    let sent = format!("GET /api/vms HTTP/1.1\r\nHost: h\r\n{CREDENTIALS}\r\nContent-Length: 17\r\n\r\n");
    let answer = told(engine.server().http, &sent).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<vms/>\n"), "{answer}");
}

#[tokio::test]
async fn a_request_line_with_raw_bytes_is_understood() {
    let engine = Engine::start().await;
    for name in ["a", "b"] {
        engine.admin().post("/api/tags", format!("<tag><name>{name}</name></tag>")).await;
    }
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\n{CREDENTIALS}\r\nConnection: close\r\n\r\n");
    for (path, status) in [
        ("/api/events?search=severity>normal", "200"),
        ("/api/events;from=0?search=time>\"2000-01-01\"", "200"),
        ("/api/vms?search=name<", "400"),
        ("/api/<vms>", "404"),
    ] {
        let answer = told(engine.server().http, &get(path)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains("<?xml "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn doubled_slashes_are_forgiven() {
    let engine = Engine::start().await;
    for path in ["//api/clusters", "/api//clusters/", "/ovirt-engine//api//clusters", "//ovirt-engine/api/clusters?max=1"] {
        let answer = engine.admin().get(path).await;
        let base = if path.contains("ovirt") { "/ovirt-engine/api" } else { "/api" };
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(answer.body.contains(&format!("<cluster href=\"{base}/clusters/")), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_resource_is_its_own_lines_alone_and_in_a_list() {
    let engine = Engine::start().await;
    let vm = "<vm><name>a</name><cluster><name>Default</name></cluster><template><name>Blank</name></template></vm>";
    let made = engine.admin().post("/api/vms", vm).await;
    let line = format!("<vm href=\"/api/vms/{0}\" id=\"{0}\">", made.id());
    for _ in 0..2 {
        // The second time from what is remembered of the first, either way.
        let alone = engine.admin().get(&format!("/api/vms/{}", made.id())).await.body;
        let listed = engine.admin().get("/api/vms").await.body;
        assert!(alone.contains(&format!("?>\n{line}\n    <actions>\n        <link ")), "{alone}");
        assert!(alone.contains("\n    <name>a</name>\n") && alone.ends_with("\n</vm>\n"), "{alone}");
        let deeper: Vec<String> = alone.lines().skip(1).map(|line| format!("    {line}\n")).collect();
        let head = alone.lines().next().unwrap();
        assert_eq!(listed, format!("{head}\n<vms>\n{}</vms>\n", deeper.concat()));
    }
}

#[tokio::test]
async fn version_4_is_refused_by_a_page_that_fence_agents_know() {
    let engine = Engine::start().await;
    let ask = async |version: &str| engine.admin().with("version", version).get("/ovirt-engine/api/").await;
    for version in ["4", "4.0"] {
        let answer = ask(version).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::BAD_REQUEST, "text/html; charset=utf-8"));
        assert!(answer.body.contains("<title>Error</title>"), "{}", answer.body);
    }
    assert!(ask("5").await.body.contains("<fault>"));
    assert_eq!(ask("3").await.status, StatusCode::OK);
}

#[tokio::test]
async fn connections_are_kept_from_an_address_that_has_all_the_others() {
    // As many as can be: half of all there are.
    let engine = Engine::start_with(Options { reserved_connections: Some(usize::MAX), ..Options::default() }).await;
    let request = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    let from = async |address: [u8; 4]| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        let mut stream = socket.connect(engine.server().http).await.unwrap();
        // What is hung up on may be so before it has been written to.
        let served = stream.write_all(request).await.is_ok() && stream.read_u8().await.is_ok();
        served.then_some(stream)
    };
    let mut greedy = Vec::new();
    while let Some(stream) = from([127, 0, 0, 1]).await {
        greedy.push(stream);
        assert!(greedy.len() < evirt::face::http::MAX_OPEN_CONNECTIONS);
    }
    assert!(!greedy.is_empty() && from([127, 0, 0, 1]).await.is_none());
    assert!(from([127, 0, 0, 2]).await.is_some());
    greedy.pop();
    while from([127, 0, 0, 1]).await.is_none() {
        tokio::task::yield_now().await;
    }
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
