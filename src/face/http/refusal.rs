//! What the front and its helpers refuse, whatever the dialect: each face says it in its own form.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, Uri, header};

/// Why a request is not served, before anybody asks what it is about. Its text is for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body is longer than so many bytes.
    #[error("The request's body is longer than {limit} bytes")]
    TooLarge {
        /// How many it may have.
        limit: usize,
    },
    /// The body took longer than it may.
    #[error("The request's body did not arrive within {} s", within.as_secs_f32())]
    TooSlow {
        /// How long it may take.
        within: Duration,
    },
    /// The body ended before its end, or is not encoded as HTTP asks for.
    #[error("The request's body could not be read: {0}")]
    BrokenOff(String),
    /// It cannot be served just now: what to say.
    #[error("{0}")]
    Unavailable(String),
    /// Something went wrong that must not; what it was stays inside.
    #[error("Internal error")]
    Internal,
}

impl Refusal {
    /// Its status, in every dialect.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenOff(_) => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What a face goes by when it renders a refusal of a request that it has given away already.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What was asked for.
    pub uri: Uri,
    /// The formats that the client takes.
    pub accept: Option<HeaderValue>,
}

impl Asked {
    /// What a request asks for.
    pub fn of<B>(request: &Request<B>) -> Self {
        Self { uri: request.uri().clone(), accept: request.headers().get(header::ACCEPT).cloned() }
    }
}

/// A sentence as the server's own paths say it.
pub(super) fn plain(status: StatusCode, text: impl std::fmt::Display) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
