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

/// Where the server stands. It answers as long as the process serves requests at all, and says why where changes are refused.
async fn health(State(app): State<App>) -> impl IntoResponse {
    let position = app.engine.world().position;
    let (status, said) = match app.engine.trouble().await {
        None => (StatusCode::OK, serde_json::json!({"status": "up", "position": position})),
        Some(why) => {
            let said =
                serde_json::json!({"status": "degraded", "position": position, "writes": "refused", "why": why.to_string()});
            (StatusCode::SERVICE_UNAVAILABLE, said)
        }
    };
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
    metrics::gauge!("evirt_sessions").set(world.sessions.len() as f64);
    metrics::gauge!("evirt_commands_waiting").set(engine.waiting() as f64);
}
