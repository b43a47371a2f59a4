//! The paths that belong to no face: the server's health, its figures, and the certificate that its clients verify it by.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use headers::authorization::Bearer;
use headers::{Authorization, HeaderMapExt};

use super::App;
use super::front::Transport;
use super::refusal::plain;
use crate::engine::Engine;
use crate::telemetry;

/// The server's own paths. `ca_pem` is the authority's certificate, and `token` is what others than this machine read the figures by.
pub fn routes(app: App, ca_pem: Vec<u8>, token: Option<String>) -> Router {
    let token: Option<Arc<str>> = token.map(Into::into);
    let ca_pem = Bytes::from(ca_pem);
    let ca = move || {
        let body = ca_pem.clone();
        async move { ([(header::CONTENT_TYPE, "application/x-x509-ca-cert")], body) }
    };
    Router::new()
        .route("/health", get(health))
        .route("/metrics", get(move |State(app), Extension(transport), headers| figures(app, transport, headers, token.clone())))
        .route("/ca.crt", get(ca.clone()))
        .route("/ovirt-engine/ca.crt", get(ca))
        .fallback(nothing)
        .with_state(app)
}

async fn nothing() -> impl IntoResponse {
    plain(StatusCode::NOT_FOUND, "There is nothing at this path")
}

/// Where the server stands. It answers as long as the process serves requests at all.
async fn health(State(app): State<App>) -> impl IntoResponse {
    let position = app.engine.world().position;
    ([(header::CONTENT_TYPE, "application/json")], format!("{{\"status\":\"up\",\"position\":{position}}}\n"))
}

/// What is counted and measured: of how much goes on here others than this machine are told by a token only.
async fn figures(app: App, transport: Transport, headers: HeaderMap, token: Option<Arc<str>>) -> Response {
    let bearer = headers.typed_get::<Authorization<Bearer>>();
    let digest = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    // Of digests nothing is learned by how long they take to compare.
    let knows = token.zip(bearer).is_some_and(|(token, sent)| digest(&token).as_ref() == digest(sent.token()).as_ref());
    if !knows && !transport.peer.to_canonical().is_loopback() {
        let refused = plain(StatusCode::UNAUTHORIZED, "The figures take a token (metrics-token-file)");
        return ([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response();
    }
    let handle = telemetry::figures();
    gauge(&app.engine);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response()
}

/// What is measured when it is asked for.
#[allow(clippy::cast_precision_loss)]
fn gauge(engine: &Engine) {
    let world = engine.world();
    metrics::gauge!("evirt_log_head_position").set(world.position as f64);
    metrics::gauge!("evirt_sessions").set(world.sessions.len() as f64);
    metrics::gauge!("evirt_commands_waiting").set(engine.waiting() as f64);
}
