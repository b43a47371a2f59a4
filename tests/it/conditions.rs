//! Entity tags, changes on the condition of one, and creations that are sent twice.

use reqwest::{Method, StatusCode};

use crate::engine::{Answer, Caller, Engine};

/// The path of what was created.
fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.header("location").to_owned()
}

async fn tag(caller: &Caller, path: &str) -> String {
    caller.get(path).await.header("etag").to_owned()
}

fn cluster(name: &str) -> String {
    format!(
        "<cluster><name>{name}</name><cpu id=\"Intel Nehalem Family\"/><data_center><name>Default</name></data_center></cluster>"
    )
}

#[tokio::test]
async fn a_resource_is_sent_again_only_when_it_has_changed() {
    let engine = Engine::start().await;
    let path = location(&engine.admin().post("/api/clusters", cluster("web")).await);
    let first = tag(&engine.admin(), &path).await;
    assert!(first.starts_with('"'), "{first}");
    let unchanged = engine.admin().with("if-none-match", &first).get(&path).await;
    assert_eq!((unchanged.status, unchanged.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(unchanged.header("etag"), first);
    let put = Some("<cluster><description>a</description></cluster>".to_owned());
    let changed = engine.admin().ask(Method::PUT, &path, put).await;
    assert_eq!((changed.status, changed.header("etag")), (StatusCode::OK, tag(&engine.admin(), &path).await.as_str()));
    assert_eq!(engine.admin().with("if-none-match", &first).get(&path).await.status, StatusCode::OK);
    assert_ne!(tag(&engine.admin(), &path).await, first);
    let detailed = engine.admin().with("accept", "application/xml; detail=statistics");
    assert!(tag(&detailed, &path).await.starts_with("W/"));
}

#[tokio::test]
async fn what_has_changed_since_is_not_overwritten() {
    let engine = Engine::start().await;
    let path = location(&engine.admin().post("/api/clusters", cluster("web")).await);
    let read = tag(&engine.admin().with("accept", "application/json"), &path).await;
    let change = |text: &str| Some(format!("<cluster><description>{text}</description></cluster>"));
    assert_eq!(engine.admin().with("if-match", &read).ask(Method::PUT, &path, change("mine")).await.status, StatusCode::OK);
    let lost = engine.refused().with("if-match", &read);
    for method in [Method::PUT, Method::DELETE] {
        let answer = lost.ask(method, &path, change("lost")).await;
        assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED, "{}", answer.body);
        assert!(answer.body.contains("<fault>"), "{}", answer.body);
    }
    assert_eq!(engine.left_by_refused().await, [""; 0]);
    let any = engine.refused().with("if-match", "\"0-0\", *");
    assert_eq!(any.ask(Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_ne!(engine.left_by_refused().await, [""; 0], "one that is carried out leaves what it did");
    assert_eq!(any.ask(Method::DELETE, &path, None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn of_many_that_read_the_same_one_may_write() {
    let engine = Engine::start().await;
    let path = location(&engine.admin().post("/api/clusters", cluster("web")).await);
    let read = tag(&engine.admin(), &path).await;
    let callers: Vec<Caller> = (0..8).map(|_| engine.admin().with("if-match", &read)).collect();
    let bodies = (0..8).map(|n| Some(format!("<cluster><description>{n}</description></cluster>")));
    let mut asked = tokio::task::JoinSet::new();
    for (caller, body) in callers.into_iter().zip(bodies) {
        let path = path.clone();
        asked.spawn(async move { caller.ask(Method::PUT, &path, body).await.status });
    }
    let answers = asked.join_all().await;
    assert_eq!(answers.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|s| *s == StatusCode::OK || *s == StatusCode::PRECONDITION_FAILED), "{answers:?}");
}

#[tokio::test]
async fn a_creation_that_is_sent_again_is_not_carried_out_again() {
    let mut engine = Engine::start().await;
    let keyed = |engine: &Engine| engine.admin().with("idempotency-key", "retry-1");
    let first = keyed(&engine).post("/api/clusters", cluster("web")).await;
    let path = location(&first);
    for _ in 0..2 {
        engine.admin().get("/api").await;
        let repeated = engine.refused().with("idempotency-key", "retry-1");
        let again = repeated.post("/api/clusters", cluster("web")).await;
        assert_eq!((location(&again), &again.body), (path.clone(), &first.body));
        assert_eq!(repeated.post("/api/clusters", cluster("other")).await.status, StatusCode::CONFLICT);
        assert_eq!(repeated.post("/api/networks", cluster("web")).await.status, StatusCode::CONFLICT);
        assert_eq!(engine.left_by_refused().await, [""; 0]);
        engine.restart().await;
    }
    let within = "<network><name>n</name><data_center><name>Default</name></data_center></network>";
    let other = engine.admin().with("idempotency-key", "retry-2");
    assert_eq!(location(&other.post("/api/networks", within).await), location(&other.post("/api/networks", within).await));
    assert_eq!(engine.admin().ask(Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(keyed(&engine).post("/api/clusters", cluster("web")).await.status, StatusCode::NOT_FOUND);
    let long = engine.admin().with("idempotency-key", &"x".repeat(256));
    assert_eq!(long.post("/api/clusters", cluster("web")).await.status, StatusCode::BAD_REQUEST);
}
