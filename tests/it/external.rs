//! Events and jobs of systems outside, over HTTP.

use reqwest::{Method, StatusCode};

use crate::engine::Engine;

/// What stands in the first element of a name.
fn text<'a>(body: &'a str, element: &str) -> &'a str {
    body.split(&format!("<{element}>")).nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default()
}

#[tokio::test]
async fn an_external_event_is_listed_found_and_removed() {
    let mut engine = Engine::start().await;
    let event = "<event><origin>nagios</origin><severity>warning</severity><custom_id>7</custom_id>\
                 <description>It is hot</description><custom_data>rack 3</custom_data>\
                 <cluster id=\"99408929-82cf-4dc7-a532-9d998063fa95\"/></event>";
    let made = engine.admin().post("/api/events", event).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!((text(&made.body, "code"), text(&made.body, "custom_data")), ("9802", "rack 3"));
    assert_eq!(engine.admin().post("/api/events", event).await.status, StatusCode::CONFLICT);
    engine.restart().await;
    let path = made.header("location").to_owned();
    assert_eq!(engine.admin().get(&path).await.body, made.body);
    let search = "/api/events?search=origin%3Dnagios%20or%20custom_event_id%3D7";
    assert_eq!(text(&engine.admin().get(search).await.body, "origin"), "nagios");
    assert_eq!(engine.admin().ask(Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(engine.admin().get(&path).await.status, StatusCode::NOT_FOUND);
    assert!(!engine.admin().get("/api/events").await.body.contains("nagios"));
    let own = engine.admin().get("/api/events;max=1").await.body;
    let own = own.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
    let kept = engine.admin().ask(Method::DELETE, own, None).await;
    assert_eq!(kept.status, StatusCode::BAD_REQUEST, "{}", kept.body);
}

#[tokio::test]
async fn an_external_event_names_what_it_is_about() {
    let engine = Engine::start().await;
    let event = |n: u8, about: &str| {
        format!(
            "<event><origin>nagios</origin><severity>alert</severity><custom_id>{n}</custom_id><description>It is hot</description>{about}</event>"
        )
    };
    let made = engine.admin().post("/api/events", event(1, "<cluster><name>default</name></cluster>")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    for reference in ["clusters/99408929-82cf-4dc7-a532-9d998063fa95", "datacenters/5849b030-626e-47cb-ad90-3ce782d831b3"] {
        assert!(made.body.contains(&format!("href=\"/api/{reference}\"")), "{}", made.body);
    }
    let head = engine.server().app.engine.world().position;
    for about in ["<host><name>nowhere</name></host>", "<vm id=\"00000000-0000-0000-0000-00000000dead\"/>"] {
        let refused = engine.admin().post("/api/events", event(2, about)).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{about}: {}", refused.body);
    }
    assert_eq!(engine.server().app.engine.world().position, head);
}

#[tokio::test]
async fn an_external_job_is_led_through_its_steps() {
    let engine = Engine::start().await;
    let job = engine.admin().post("/api/jobs", "<job><description>Backup</description></job>").await;
    assert_eq!(job.status, StatusCode::CREATED, "{}", job.body);
    let job = job.header("location").to_owned();
    let steps = format!("{job}/steps");
    let step = |kind: &str, more: &str| format!("<step><type>{kind}</type><description>Copy</description>{more}</step>");
    let bad = engine.admin().post(&steps, step("hopping", "")).await;
    assert!(bad.status == StatusCode::BAD_REQUEST && bad.body.contains("StepEnum"), "{}", bad.body);
    let outer = engine.admin().post(&steps, step("EXECUTING", "")).await.header("location").to_owned();
    let parent = format!("<parent_step id=\"{}\"/>", outer.rsplit('/').next().unwrap());
    let inner = engine.admin().post(&steps, step("validating", &parent)).await;
    assert!(inner.body.contains("<parent_step") && inner.body.contains("<type>VALIDATING</type>"), "{}", inner.body);
    let ended = "<action><status><state>failed</state></status></action>";
    let answer = engine.admin().post(&format!("{outer}/end"), ended).await;
    assert!(answer.status == StatusCode::OK && answer.body.contains("<state>complete</state>"), "{}", answer.body);
    assert_eq!(text(&engine.admin().get(inner.header("location")).await.body, "state"), "FAILED");
    let nothing = engine.admin().post(&format!("{job}/end"), "<action/>").await;
    assert!(nothing.status == StatusCode::BAD_REQUEST && nothing.body.starts_with("<?xml"), "{}", nothing.body);
    assert!(nothing.body.contains("<action>") && nothing.body.contains("status.state"), "{}", nothing.body);
    engine.admin().post(&format!("{job}/end"), ended.replace("failed", "finished")).await;
    assert_eq!(text(&engine.admin().get(&job).await.body, "state"), "FINISHED");
    assert_eq!(engine.admin().post(&format!("{job}/clear"), "<action/>").await.status, StatusCode::OK);
    assert_eq!(engine.admin().get(&job).await.status, StatusCode::NOT_FOUND);
    assert!(engine.admin().get("/api/events").await.body.contains("<code>11000</code>"));
}

#[tokio::test]
async fn what_must_not_be_repeated_too_soon_is_not_after_a_restart_either() {
    let mut engine = Engine::start().await;
    engine.admin().get("/api").await;
    engine.restart().await;
    let events = engine.admin().get("/api/events").await.body;
    assert_eq!(events.matches("<code>30</code>").count(), 1, "{events}");
}
