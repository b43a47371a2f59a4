//! Events and jobs of systems outside, over HTTP.

use reqwest::{Method, StatusCode};

use crate::asynchronous::until;
use crate::engine::{Engine, fast};

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
    for about in ["<host><name>nowhere</name></host>", "<vm id=\"00000000-0000-0000-0000-00000000dead\"/>"] {
        let refused = engine.refused().post("/api/events", event(2, about)).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{about}: {}", refused.body);
    }
    assert_eq!(engine.left_by_refused().await, [""; 0]);
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
    for (how, state) in
        [("<succeeded>false</succeeded>", "FAILED"), ("<succeeded>true</succeeded>", "FINISHED"), ("", "FINISHED")]
    {
        let other = engine.admin().post(&steps, step("executing", "")).await.header("location").to_owned();
        let answer = engine.admin().post(&format!("{other}/end"), format!("<action>{how}</action>")).await;
        assert_eq!(answer.status, StatusCode::OK, "{how}: {}", answer.body);
        assert_eq!(text(&engine.admin().get(&other).await.body, "state"), state, "{how}");
    }
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
async fn commands_are_steps_of_an_external_job() {
    let engine = fast().await;
    let admin = engine.admin();
    let job = admin.post("/api/jobs", "<job><description>Upgrade</description></job>").await;
    let (job, id) = (job.header("location").to_owned(), job.id());
    let outer =
        admin.post(&format!("{job}/steps"), "<step><type>executing</type><description>Prepare</description></step>").await;

    // What takes time is a step with steps of its own, in the place of a job of its own.
    let host = "<host><name>alpha</name><address>192.168.0.11</address><root_password>redhat</root_password></host>";
    let added = admin.post(&format!("/api/hosts;StepId={}", outer.id()), host).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    let host = added.header("location").to_owned();
    until(&admin, &host, "<state>up</state>").await;
    let steps = until(&admin, &format!("{job}/steps"), "<description>connect</description>").await;
    assert_eq!(steps.matches("<step ").count(), 4, "{steps}");
    assert_eq!(steps.matches(&format!("<job href=\"{job}\"")).count(), 4, "{steps}");
    assert_eq!(steps.matches(&format!("<parent_step href=\"{job}/steps/{}\"", outer.id())).count(), 1, "{steps}");
    let inner = steps.split("<description>connect").next().unwrap().rsplit("href=\"").next().unwrap().split('"').next().unwrap();
    assert!(admin.get(inner).await.body.contains("<parent_step"), "{inner}");
    assert_eq!(admin.get("/api/jobs").await.body.matches("<job ").count(), 1, "its job is a part of the other");

    // What is done at once is a step that is done; a document changes as much as an action does.
    let cluster = "/api/clusters/99408929-82cf-4dc7-a532-9d998063fa95";
    let path = format!("{cluster};JobId={id}");
    assert_eq!(admin.put(&path, "<cluster><description>new</description></cluster>").await.status, StatusCode::OK);
    let steps = admin.get(&format!("{job}/steps")).await.body;
    let update = format!("<description>update {}</description>", cluster.trim_start_matches("/api/"));
    assert!(steps.contains(&update), "{steps}");

    // What cannot be a step is not done.
    let nowhere = "00000000-0000-0000-0000-00000000dead";
    for (parameters, status, why) in [
        ("JobId=one".to_owned(), StatusCode::BAD_REQUEST, "JobId: one is no identifier"),
        ("StepId=".to_owned(), StatusCode::BAD_REQUEST, "StepId:  is no identifier"),
        (format!("JobId={nowhere}"), StatusCode::NOT_FOUND, "Job"),
        (format!("StepId={nowhere}"), StatusCode::NOT_FOUND, "no such step"),
        (format!("JobId={nowhere};StepId={}", outer.id()), StatusCode::NOT_FOUND, "no such step"),
    ] {
        let refused =
            engine.refused().put(&format!("{cluster};{parameters}"), "<cluster><description>x</description></cluster>").await;
        assert!(refused.status == status && refused.body.contains(why), "{parameters}: {} {}", refused.status, refused.body);
    }
    assert_eq!(engine.left_by_refused().await, [""; 0]);
    let end = "<action><status><state>finished</state></status></action>";
    assert_eq!(admin.post(&format!("{job}/end"), end).await.status, StatusCode::OK);
    let refused = admin.post(&format!("{host}/deactivate;JobId={id}"), "<action/>").await;
    assert!(refused.status == StatusCode::CONFLICT && refused.body.contains("<action>"), "{}", refused.body);
}

#[tokio::test]
async fn what_must_not_be_repeated_too_soon_is_not_after_a_restart_either() {
    let mut engine = Engine::start().await;
    engine.admin().get("/api").await;
    engine.restart().await;
    let events = engine.admin().get("/api/events").await.body;
    assert_eq!(events.matches("<code>30</code>").count(), 1, "{events}");
}
