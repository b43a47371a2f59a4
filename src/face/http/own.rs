//! The paths that belong to no face: the server's health, its figures, and the certificates and keys that its clients know it by.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use headers::authorization::Bearer;
use headers::{Authorization, HeaderMapExt};
use serde::Deserialize;

use super::App;
use super::front::Transport;
use super::refusal::plain;
use crate::engine::Engine;
use crate::telemetry;

/// What clients know the server by.
#[derive(Clone, Debug, Default)]
pub struct Pki {
    /// The authority's certificate, in PEM.
    pub ca_pem: Vec<u8>,
    /// The server's own.
    pub server_pem: Vec<u8>,
    /// The authority's key as a line of OpenSSH; empty where it knows no such keys.
    pub ca_ssh: String,
    /// The server's own.
    pub server_ssh: String,
}

/// The kind of a certificate that is to be trusted.
const CA_CERTIFICATE: &str = "application/x-x509-ca-cert";
/// The kind of any other.
const CERTIFICATE: &str = "application/x-x509-user-cert";
/// The kind of a key.
const KEY: &str = "text/plain";

impl Pki {
    /// A resource in a format, and its kind; none where there is none of that name.
    fn resource(&self, resource: &str, format: &str) -> Option<(&'static str, Vec<u8>)> {
        let (pem, key) = match resource {
            "ca-certificate" => (&self.ca_pem, &self.ca_ssh),
            "engine-certificate" => (&self.server_pem, &self.server_ssh),
            _ => return None,
        };
        match format {
            "X509-PEM" | "" => Some((CERTIFICATE, pem.clone())),
            "X509-PEM-CA" => Some((CA_CERTIFICATE, pem.clone())),
            "OPENSSH-PUBKEY" if !key.is_empty() => Some((KEY, key.clone().into_bytes())),
            _ => None,
        }
    }
}

/// What is asked of [`Pki::resource`].
#[derive(Debug, Deserialize)]
struct PkiQuery {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    format: String,
}

/// The server's own paths. `token` is what others than this machine read the figures by.
pub fn routes(app: App, pki: Pki, token: Option<String>) -> Router {
    let token: Option<Arc<str>> = token.map(Into::into);
    let pki = Arc::new(pki);
    let fixed = |resource: &'static str, format: &'static str| {
        let pki = pki.clone();
        get(move || async move { sent(pki.resource(resource, format)) })
    };
    let asked = {
        let pki = pki.clone();
        get(move |Query(PkiQuery { resource, format }): Query<PkiQuery>| async move { sent(pki.resource(&resource, &format)) })
    };
    Router::new()
        .route("/health", get(health))
        .route("/metrics", get(move |State(app), Extension(transport), headers| figures(app, transport, headers, token.clone())))
        .route("/ca.crt", fixed("ca-certificate", "X509-PEM-CA"))
        .route("/ovirt-engine/ca.crt", fixed("ca-certificate", "X509-PEM-CA"))
        .route("/ovirt-engine/services/pki-resource", asked)
        .route("/engine.ssh.key.txt", fixed("engine-certificate", "OPENSSH-PUBKEY"))
        .fallback(nothing)
        .with_state(app)
}

/// A resource as it is sent.
fn sent(resource: Option<(&'static str, Vec<u8>)>) -> Response {
    match resource {
        Some((kind, body)) => ([(header::CONTENT_TYPE, kind)], body).into_response(),
        None => plain(StatusCode::NOT_FOUND, "There is no such resource in this format").into_response(),
    }
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
    let integrity = engine.integrity();
    metrics::gauge!("evirt_log_verified_position").set(integrity.verified as f64);
    metrics::gauge!("evirt_log_verifications").set(integrity.passes as f64);
    for (store, problem) in [("event_log", &integrity.log), ("audit_log", &integrity.audit)] {
        metrics::gauge!("evirt_store_damaged", "store" => store).set(f64::from(u8::from(problem.is_some())));
    }
    metrics::gauge!("evirt_sessions").set(world.sessions.len() as f64);
    metrics::gauge!("evirt_commands_waiting").set(engine.waiting() as f64);
}
