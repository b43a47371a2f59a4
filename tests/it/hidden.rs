//! What is hidden is answered as what is not there: at every path that the engine describes, by every method, in both formats.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::bad_input::{Estate, NOBODY, Operation, operations};
use crate::engine::Caller;

const SUPER_USER: &str = "00000000-0000-0000-0000-000000000001";

/// A document in JSON that says what an operation demands, so that it is not refused for what it lacks.
fn demanded(operation: &Operation) -> Value {
    let mut document = Value::Object(Map::new());
    for argument in operation.arguments.iter().filter(|argument| argument.required) {
        let value = match argument.kind.as_str() {
            "xs:boolean" => json!(true),
            "xs:string" if argument.path.ends_with("id") => json!(NOBODY),
            "xs:string" => json!("x"),
            _ => json!(1),
        };
        let mut at = &mut document;
        let path = argument.path.split('|').next().unwrap();
        for part in path.split('.') {
            at = at.as_object_mut().unwrap().entry(part).or_insert_with(|| Value::Object(Map::new()));
            if !at.is_object() {
                break;
            }
        }
        *at = value;
    }
    document
}

/// What comes of an operation, with the same word for each identifier.
async fn outcome(caller: &Caller, method: &Method, path: &str, body: Option<&str>, ids: &[&str]) -> (StatusCode, String) {
    let answer = caller.ask(method.clone(), path, body.map(str::to_owned)).await;
    let same = ids.iter().fold(answer.body.clone(), |body, id| body.replace(id, "ID"));
    (answer.status, same)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_answered_as_what_is_not_there() {
    let estate = Estate::new().await;
    let (engine, admin) = (&estate.engine, estate.engine.admin());
    let user = "<user><user_name>eve</user_name><password>pw</password><domain><name>internal</name></domain></user>";
    let eve = admin.post("/api/users", user).await;
    assert!(eve.status.is_success(), "{}", eve.body);
    let vm = "<vm><name>own</name><cluster><name>Default</name></cluster><template><name>Blank</name></template></vm>";
    let own = admin.post("/api/vms", vm).await.id().to_owned();
    // Who may do everything to one thing holds each permit somewhere, and is not refused before anything is looked up.
    let granted = format!("<permission><user id=\"{}\"/><role id=\"{SUPER_USER}\"/></permission>", eve.id());
    let granted = admin.post(&format!("/api/vms/{own}/permissions"), granted).await;
    assert!(granted.status.is_success(), "{}", granted.body);

    let caller = |accept: &str, more: Option<&str>| {
        let caller = engine.caller("eve@internal", "pw").with("filter", "true").with("accept", accept);
        more.into_iter().fold(caller.with("content-type", "application/json"), |caller, tag| caller.with("if-match", tag))
    };
    let callers = [
        ("XML", caller("application/xml", None)),
        ("JSON", caller("application/json", None)),
        ("XML on a condition", caller("application/xml", Some("\"1\""))),
        ("XML on any condition", caller("application/xml", Some("*"))),
    ];
    let ids: Vec<&str> =
        estate.things.values().map(String::as_str).filter(|id| !id.starts_with("00000000")).chain([NOBODY]).collect();
    let (mut asked, mut wrong) = (BTreeMap::new(), Vec::new());
    for operation in operations(admin).await {
        let Some(hidden) = estate.fill(&operation.path) else { continue };
        if !operation.path.contains('{') {
            continue;
        }
        // What its path goes through first is hidden, or what lies below something of one's own.
        let absent = ids.iter().fold(hidden.clone(), |path, id| path.replace(id, NOBODY));
        let mut pairs = vec![(hidden.clone(), absent.clone())];
        if operation.path.starts_with("/api/vms/{vm:id}/") {
            let below = |path: &str| path.replacen(&estate.things["vm"], &own, 1).replacen(NOBODY, &own, 1);
            pairs.push((below(&hidden), below(&absent)));
        }
        let object = hidden.split('/').take(4).collect::<Vec<_>>().join("/");
        let seen = callers[0].1.get(&object).await.status == StatusCode::OK;
        for (hidden, absent) in pairs.into_iter().filter(|(hidden, absent)| hidden != absent) {
            if seen && !hidden.contains(&own) {
                continue;
            }
            let body = demanded(&operation).to_string();
            let bodies = if operation.root.is_empty() { vec![None] } else { vec![Some("{}"), Some(body.as_str())] };
            for (how, caller) in &callers {
                for body in &bodies {
                    let there = outcome(caller, &operation.method, &hidden, *body, &ids).await;
                    let not = outcome(caller, &operation.method, &absent, *body, &ids).await;
                    *asked.entry(operation.method.to_string()).or_insert(0) += 1;
                    if there != not {
                        wrong.push(format!("{how}: {} {} {body:?}: {there:?}, and {not:?}", operation.method, operation.path));
                    }
                    let in_json = there.1.is_empty() || there.1.starts_with('{');
                    if in_json != (*how == "JSON" || there.1.is_empty()) {
                        wrong.push(format!("{how}: {} {} is answered {}", operation.method, operation.path, there.1));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked:?}: {:#?}", wrong.len(), &wrong[..wrong.len().min(30)]);
    assert!(["GET", "POST", "PUT", "DELETE"].iter().all(|method| asked[*method] > 40), "{asked:?}");
}
