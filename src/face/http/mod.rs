//! What all faces share of HTTP: who calls (`Caller`), limits, figures, and the paths that belong to no face.
//!
//! A `Listener` takes connections; each has its place (`connections`) and its `stream`, which mends request lines and gives up on clients that
//! do not read. A request passes `Front`, which catches panics, sees to bodies that nobody read and counts, and then goes to one of
//! the server's own paths (`/health`, `/metrics`, `/ca.crt`) or to a face. A face asks `authenticate_request` who calls, reads the `body` within
//! its limits, says refusals in its own form, and has the `SessionEffect` write its cookie into the answer.

mod body;
mod connections;
mod front;
mod listener;
mod own;
mod refusal;
mod request_line;
mod session;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use evirt_domain::ids::{SessionId, UserId};
use headers::{Cookie, HeaderMapExt};

pub use body::{BodyRoom, LOGIN_BODY_TIMEOUT, MAX_BUFFERED, MAX_LOGIN_BODY, RequestBody};
pub use connections::{DEFAULT_RESERVED_CONNECTIONS, MAX_OPEN_CONNECTIONS, Places, connection_limit};
pub use front::{Answering, Face, Front, Transport};
pub use listener::{HEADER_TIMEOUT, Listener, MAX_HEAD};
pub use own::{Pki, routes};
pub use refusal::{Asked, Refusal};
pub use session::{Incoming, SessionEffect, Unauthorized, authenticate_request};
pub use stream::WRITE_TIMEOUT;

use crate::app::App;

/// The header that names a request in events, jobs and logs.
pub const CORRELATION_ID: HeaderName = HeaderName::from_static("correlation-id");

/// The longest name of a request.
pub const MAX_CORRELATION_ID: usize = 50;

const FILTER: HeaderName = HeaderName::from_static("filter");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Who calls, and how.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The login session, where there is one.
    pub session: Option<SessionId>,
    /// Whether only what the user holds permissions on is to be seen (`Filter: true`).
    pub filter: bool,
    /// Names the request in events, jobs and logs.
    pub correlation_id: Arc<str>,
}

/// Whether the request's own name for itself, where it has one, may stand in a log.
pub fn correlation_id_fits(headers: &HeaderMap) -> bool {
    headers.get(CORRELATION_ID).is_none_or(|given| given.to_str().is_ok_and(|given| fits(given.trim())))
}

/// Whether a request may be called so.
fn fits(text: &str) -> bool {
    (1..=MAX_CORRELATION_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The request's name: the client's own, where it is one that may stand in a log, else a new one.
pub fn correlation_id(headers: &HeaderMap) -> Arc<str> {
    match text_of(headers, &CORRELATION_ID).filter(|text| fits(text)) {
        Some(given) => given.into(),
        None => format!("{:016x}", rand::random::<u64>()).into(),
    }
}

/// A header's text, where it is there and text.
fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Whether a header asks for something by one of its comma-separated words.
fn asks_for(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
}

/// The value of a cookie.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.typed_get::<Cookie>()?.get(name)?.trim_matches('"').to_owned())
}
