//! What goes on after its answer: how clients ask for that, and where they see how it stands.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};

use crate::engine::{Caller, fast};

/// Adds the host of the built-in estate and waits until it is up.
async fn host(admin: &Caller) -> String {
    let host = "<host><name>alpha</name><address>192.168.0.11</address><root_password>redhat</root_password></host>";
    let made = admin.post("/api/hosts", host).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let path = made.header("location").to_owned();
    until(admin, &path, "<state>up</state>").await;
    path
}

/// Asks again until the answer holds a text.
pub async fn until(caller: &Caller, path: &str, text: &str) -> String {
    for _ in 0..2_000 {
        let body = caller.get(path).await.body;
        if body.contains(text) {
            return body;
        }
        tokio::task::yield_now().await;
    }
    panic!("{path} never holds {text}: {}", caller.get(path).await.body);
}

/// The value of an attribute, where it first stands behind a text.
fn attribute<'a>(body: &'a str, behind: &str, name: &str) -> &'a str {
    let rest = body.split(behind).nth(1).unwrap_or_default();
    rest.split(&format!("{name}=\"")).nth(1).and_then(|value| value.split('"').next()).unwrap_or_default()
}

#[tokio::test]
async fn an_action_that_goes_on_is_asked_how_it_stands() {
    let engine = fast().await;
    let admin = engine.admin();
    let host = host(&admin).await;
    let action = format!("{host}/deactivate");
    let answer = admin.post(&action, "<action><async>true</async></action>").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let href = attribute(&answer.body, "<action", "href");
    assert!(href.starts_with(&format!("{action}/")), "{}", answer.body);
    let body = until(&admin, href, "<state>complete</state>").await;
    for link in [format!("href=\"{host}\" rel=\"parent\""), format!("href=\"{action}\" rel=\"replay\"")] {
        assert!(body.contains(&link), "{body}");
    }
    let unknown = admin.get(&format!("{action}/00000000-0000-0000-0000-000000000001")).await;
    assert_eq!((unknown.status, unknown.header("location")), (StatusCode::OK, ""), "the redirection is followed");
    assert!(unknown.body.contains("<host "), "{}", unknown.body);
    // What is refused is refused before the time of grace.
    let refused = admin.post(&action, "<action><grace_period><expiry>60000</expiry></grace_period></action>");
    let refused = tokio::time::timeout(Duration::from_secs(30), refused).await.expect("it is refused at once");
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);
    for part in ["<action>", "<expiry>60000</expiry>", "<state>failed</state>", "<fault><reason>Operation Failed</reason>"] {
        assert!(refused.on_one_line().contains(part), "{part}: {}", refused.body);
    }
    let (asked, grace) = (Instant::now(), Duration::from_millis(300));
    let json = format!("{{\"grace_period\": {{\"expiry\": {}}}}}", grace.as_millis());
    let answer = admin.send(Method::POST, &format!("{host}/activate"), "application/json", json.into_bytes()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(asked.elapsed() >= grace, "it was carried out after {:?}", asked.elapsed());
    let broken = admin.post(&action, "<action><async>perhaps</async></action>").await;
    assert!(broken.status == StatusCode::BAD_REQUEST && broken.on_one_line().contains("<action><status>"), "{}", broken.body);
}

#[tokio::test]
async fn a_deletion_is_waited_for_unless_the_client_says_otherwise() {
    let engine = fast().await;
    let cases = [
        ("", None, None, StatusCode::NO_CONTENT),
        ("", None, Some("<action/>"), StatusCode::OK),
        (";async", None, None, StatusCode::ACCEPTED),
        (";async=true", None, None, StatusCode::ACCEPTED),
        ("", Some(("x-ovirt-expect", "202-Accepted")), None, StatusCode::ACCEPTED),
        ("", None, Some("<action><async>true</async></action>"), StatusCode::ACCEPTED),
    ];
    for (n, (matrix, header, body, status)) in cases.into_iter().enumerate() {
        let admin = engine.admin();
        let tag = admin.post("/api/tags", format!("<tag><name>t{n}</name></tag>")).await.header("location").to_owned();
        let refused = admin.ask(Method::DELETE, &format!("{tag};async=perhaps"), None).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        let admin = header.into_iter().fold(admin, |admin, (name, value)| admin.with(name, value));
        let answer = admin.ask(Method::DELETE, &format!("{tag}{matrix}"), body.map(str::to_owned)).await;
        assert_eq!(answer.status, status, "{n}: {}", answer.body);
        assert_eq!(answer.body.contains("complete"), status == StatusCode::OK);
        assert_eq!(admin.get(&tag).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn sub_collections_come_within_a_resource_where_they_are_wanted() {
    let engine = fast().await;
    let host = host(&engine.admin()).await;
    for path in [&host, "/api/hosts"] {
        let plain = engine.admin().get(path).await.body;
        assert!(!plain.contains("<statistics>"), "{plain}");
        for accept in [
            "application/xml; detail=tags+statistics",
            "application/xml; detail=nics; detail=statistics",
            "application/xml; Detail = \"Statistics\"",
        ] {
            let body = engine.admin().with("accept", accept).get(path).await.on_one_line();
            assert!(body.contains("<statistics><statistic "), "{body}");
        }
        let all = engine.admin().with("all-content", "true").with("accept", "application/json").get(path).await.body;
        assert!(all.contains("\"statistics\":{\"statistic\":["), "{all}");
    }
}

#[tokio::test]
async fn a_machine_shows_its_devices_with_all_its_content() {
    let engine = fast().await;
    let vm = "<vm><name>m</name><cluster><name>Default</name></cluster><template><name>Blank</name></template></vm>";
    let vm = engine.admin().post("/api/vms", vm).await.header("location").to_owned();
    let devices = ["<console enabled=\"false\"/>", "<virtio_scsi enabled=\"true\"/>"];
    for path in [&vm, "/api/vms", "/api/templates", "/api/templates/00000000-0000-0000-0000-000000000000"] {
        let (plain, all) = (engine.admin().get(path).await.body, engine.admin().with("all-content", "true").get(path).await.body);
        for device in devices {
            assert!(all.contains(device) && !plain.contains(device), "{path}: {all}");
        }
    }
}

#[tokio::test]
async fn every_path_says_what_it_allows() {
    let engine = fast().await;
    let cases = [
        ("/api", "GET, HEAD, OPTIONS"),
        ("/api/clusters", "GET, POST, HEAD, OPTIONS"),
        ("/api/clusters/x", "GET, PUT, DELETE, HEAD, OPTIONS"),
        ("/api/vms/x/start", "POST, OPTIONS"),
        ("/api/vms/x/start/y", "GET, HEAD, OPTIONS"),
    ];
    for (path, allow) in cases {
        let answer = engine.admin().ask(Method::OPTIONS, path, None).await;
        assert_eq!((answer.status, answer.header("allow")), (StatusCode::OK, allow), "{path}");
        let refused = engine.admin().ask(Method::PATCH, path, None).await;
        assert_eq!((refused.status, refused.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, allow), "{path}");
    }
    let head = engine.admin().ask(Method::HEAD, "/api/clusters", None).await;
    assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));
    assert_ne!(head.header("content-length"), "0");
    for (version, status) in [("3", 200), ("3.3", 200), ("4", 400), ("x", 400)] {
        let answer = engine.admin().with("version", version).get("/api/clusters").await;
        assert!(answer.status.as_u16() == status && (status == 200 || answer.body.contains("Version")), "{version}: {answer:?}");
    }
}
