//! The paths that belong to no face: the server's health, its figures, and the certificate that its clients verify it by.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::App;
use super::refusal::plain;
use crate::engine::Engine;
use crate::telemetry;

/// The server's own paths. `ca_pem` is the authority's certificate.
pub fn routes(app: App, ca_pem: Vec<u8>) -> Router {
    let ca_pem = Bytes::from(ca_pem);
    let ca = move || {
        let body = ca_pem.clone();
        async move { ([(header::CONTENT_TYPE, "application/x-x509-ca-cert")], body) }
    };
    Router::new()
        .route("/health", get(health))
        .route("/metrics", get(figures))
        .route("/ca.crt", get(ca.clone()))
        .route("/ovirt-engine/ca.crt", get(ca))
        .fallback(nothing)
        .with_state(app)
}

async fn nothing() -> impl IntoResponse {
    plain(StatusCode::NOT_FOUND, "There is nothing at this path")
}

/// Where the server stands. It answers as long as the process serves requests at all. Where changes are refused it says why, with a status
/// that a balancer understands; where files are damaged it says so and serves on.
async fn health(State(app): State<App>) -> impl IntoResponse {
    let (refused, integrity) = (app.engine.trouble().await, app.engine.integrity());
    let mut said = serde_json::json!({
        "status": "up",
        "position": app.engine.world().position,
        "verified": integrity.verified,
        "writes": "accepted",
    });
    let mut note = |name: &str, problem: String| {
        said["status"] = "degraded".into();
        said[name] = problem.into();
    };
    for (name, problem) in [("event_log", &integrity.log), ("audit_log", &integrity.audit)] {
        if let Some(problem) = problem {
            note(name, problem.clone());
        }
    }
    let mut status = StatusCode::OK;
    if let Some(why) = refused {
        note("why", why.to_string());
        said["writes"] = "refused".into();
        status = StatusCode::SERVICE_UNAVAILABLE;
    }
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{said}\n"))
}

async fn figures(State(app): State<App>) -> impl IntoResponse {
    let handle = telemetry::figures();
    gauge(&app.engine);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render())
}

/// What is measured when it is asked for.
#[allow(clippy::cast_precision_loss)]
fn gauge(engine: &Engine) {
    let world = engine.world();
    metrics::gauge!("evirt_log_head_position").set(world.position as f64);
    let integrity = engine.integrity();
    metrics::gauge!("evirt_log_verified_position").set(integrity.verified as f64);
    metrics::gauge!("evirt_log_verifications").set(integrity.passes as f64);
    for (store, problem) in [("event_log", &integrity.log), ("audit_log", &integrity.audit)] {
        metrics::gauge!("evirt_store_damaged", "store" => store).set(f64::from(u8::from(problem.is_some())));
    }
    metrics::gauge!("evirt_sessions").set(world.sessions.len() as f64);
    metrics::gauge!("evirt_commands_waiting").set(engine.waiting() as f64);
}
