//! What all faces share of HTTP: who calls (`Caller`), limits, figures, and the paths that belong to no face.
//!
//! A request passes `Front`, which reads its body within the limits, catches panics and counts, and then goes to one of the server's own
//! paths (`/health`, `/metrics`, `/ca.crt`) or to a face. A face asks `authenticate_request` who calls, and has the
//! `SessionEffect` write its cookie into the answer.

mod connections;
mod front;
mod own;
mod session;

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, header};
use evirt_domain::ids::{SessionId, UserId};

pub use connections::{FrontForEach, MAX_OPEN_CONNECTIONS, connection_limit};
pub use front::{Answering, BODY_TIMEOUT, Face, Front, MAX_BODY, Transport};
pub use own::routes;
pub use session::{DEFAULT_SESSION_TTL_MINUTES, SessionEffect, Sessions, Unauthorized, authenticate_request};

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
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_request_keeps_its_name_where_it_is_one() {
        assert_eq!(&*correlation_id(&headers(&[(CORRELATION_ID, "my_request-1")])), "my_request-1");
        for bad in ["", "two words", "a/b", "0123456789012345678901234567890123456789012345678901"] {
            let made = correlation_id(&headers(&[(CORRELATION_ID, bad)]));
            assert_ne!(&*made, bad);
            assert_eq!(made.len(), 16);
        }
    }

    #[test]
    fn preferences_are_words_in_any_case() {
        assert!(asks_for(&headers(&[(PREFER, "csrf-protection, Persistent-Auth")]), &PREFER, "persistent-auth"));
        assert!(asks_for(&headers(&[(PREFER, "x"), (PREFER, "persistent-auth")]), &PREFER, "persistent-auth"));
        assert!(!asks_for(&headers(&[(PREFER, "persistent-authentication")]), &PREFER, "persistent-auth"));
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let sent = headers(&[(header::COOKIE, "a=b; JSESSIONID=\"xyz\"; c=d")]);
        assert_eq!(cookie(&sent, "JSESSIONID"), Some("xyz"));
        assert_eq!(cookie(&sent, "SESSION"), None);
    }
}
