//! Who calls: Basic credentials, and sessions that a client keeps by a cookie (`Prefer: persistent-auth`), as the oVirt API has them.
//!
//! The cookie's value is the token of a session (`app::session`).
//!
//! A request by Basic credentials alone is a login and a logout upstream. An event for each such request would make every read a write, so
//! both are recorded when the password was really checked, and not while it is remembered (`directory::VERIFIED_TTL`).

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use evirt_domain::access::{Session, SessionEnd, may_log_in};
use evirt_domain::ids::{SessionId, UserId};
use evirt_domain::{Actor, Class, Rejection};
use headers::authorization::Basic;
use headers::{Authorization, HeaderMapExt};

use super::connections::network;
use super::{App, Caller, FILTER, PREFER, asks_for, cookie, correlation_id, text_of};
use crate::app::session::{self, DEFAULT_SESSION_TTL_MINUTES};
use crate::directory::{Attempt, Refused};
use crate::engine::Request;

/// The cookie's name, and that of the header which repeats its value.
const COOKIE: &str = "JSESSIONID";
const SESSION_HEADER: HeaderName = HeaderName::from_static("jsessionid");
const SESSION_TTL: HeaderName = HeaderName::from_static("session-ttl");

/// Why a request is not served, whatever it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unauthorized {
    /// There are no credentials, or they are wrong: 401.
    Credentials,
    /// The user holds no permission at all: 401, as upstream refuses the login.
    NoPermission,
    /// It is known by its cookie alone, and another site's page has sent it: 403.
    ForeignOrigin,
    /// It cannot be found out just now: 503, with what to say.
    Unavailable(String),
}

/// A request's head, as far as it tells who calls.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// What is done.
    pub method: &'a Method,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The client's address.
    pub peer: IpAddr,
}

impl Incoming<'_> {
    /// Whether it may change anything, or opens a socket through which that may be done.
    fn changes(&self) -> bool {
        !matches!(*self.method, Method::GET | Method::HEAD | Method::OPTIONS) || self.headers.contains_key(header::UPGRADE)
    }

    /// Whether a browser says that a page of another server has sent it. Ports and names count, as browsers compare them.
    fn is_foreign(&self) -> bool {
        let Some(origin) = self.headers.get(header::ORIGIN) else { return false };
        let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        let own = text_of(self.headers, &header::HOST);
        !host.zip(own).is_some_and(|(host, own)| host.eq_ignore_ascii_case(own))
    }
}

/// What a request did to its session, for the answer's headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SessionEffect {
    /// Nothing that the client has to know.
    #[default]
    None,
    /// It goes on.
    Kept(Arc<str>),
    /// It was opened: the client gets its cookie.
    Opened(Arc<str>),
    /// It was closed: the client may forget its cookie.
    Closed,
}

impl SessionEffect {
    /// Writes the answer's headers. `path` is the base that the client used (`/api`, `/ovirt-engine/api`), which the cookie is for.
    /// `secure` is whether the request came by https.
    ///
    /// SDK 3.3 always asks below `/api`, but looks for its cookies below the URL that it was given, `/ovirt-engine/api/api` say. There it
    /// finds none for `/api`, and yet sends no credentials any more because it has one. It keeps the last cookie of an answer
    /// only: so under `/api` the last one is for all paths.
    pub fn write(&self, path: &str, secure: bool, headers: &mut HeaderMap) {
        let secure = if secure { "; Secure" } else { "" };
        let paths = std::iter::once(path).chain((path == "/api").then_some("/"));
        let mut put = |name: HeaderName, value: &str| {
            // Base64 and a path are always fit for a header.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name, value);
            }
        };
        match self {
            Self::None => {}
            Self::Kept(token) => put(SESSION_HEADER, token),
            Self::Opened(token) => {
                for path in paths {
                    put(header::SET_COOKIE, &format!("{COOKIE}={token}; Path={path}; HttpOnly; SameSite=Strict{secure}"));
                }
                put(SESSION_HEADER, token);
            }
            Self::Closed => {
                for path in paths {
                    put(header::SET_COOKIE, &format!("{COOKIE}=; Path={path}; Max-Age=0; HttpOnly; SameSite=Strict{secure}"));
                }
            }
        }
    }
}

/// Finds out who calls. The order is upstream's: a session that is to be kept and is alive is taken, and Basic credentials beside it are
/// not looked at, even wrong ones; a session that is not to be kept any more ends; without a session, Basic credentials count.
pub async fn authenticate_request(app: &App, incoming: Incoming<'_>) -> Result<(Caller, SessionEffect), Unauthorized> {
    let headers = incoming.headers;
    let filter = text_of(headers, &FILTER).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let wants = Wants {
        session: asks_for(headers, &PREFER, "persistent-auth"),
        new: asks_for(headers, &PREFER, "new-auth"),
        filter,
        correlation_id: correlation_id(headers),
    };
    let token = cookie(headers, COOKIE);
    let current = token.as_deref().and_then(|token| session::of_token(app, token));
    // A browser sends the cookie along with whatever any page asks for.
    let by_cookie = current.is_some() && !headers.contains_key(header::AUTHORIZATION);
    if by_cookie && incoming.changes() && incoming.is_foreign() {
        return Err(Unauthorized::ForeignOrigin);
    }
    if let (Some(session), Some(token)) = (&current, token)
        && wants.session
        && !wants.new
        && app.sessions.keep(session)
    {
        return Ok((wants.caller(session.user, Some(session.id)), SessionEffect::Kept(token.into())));
    }
    // What most requests do not come to is kept apart: its room would be moved about with theirs.
    Box::pin(log_in(app, incoming, wants, current)).await
}

/// What a request's headers say of its session.
struct Wants {
    session: bool,
    new: bool,
    filter: bool,
    correlation_id: Arc<str>,
}

impl Wants {
    fn caller(&self, user: UserId, session: Option<SessionId>) -> Caller {
        Caller { user, session, filter: self.filter, correlation_id: self.correlation_id.clone() }
    }
}

/// Finds out who calls where no session just goes on.
async fn log_in(
    app: &App,
    Incoming { headers, peer, .. }: Incoming<'_>,
    wants: Wants,
    current: Option<Arc<Session>>,
) -> Result<(Caller, SessionEffect), Unauthorized> {
    let correlation_id = &wants.correlation_id;
    let current = match current {
        Some(session) if !app.sessions.is_alive(&session, app.sessions.now()) => {
            session::expire(app, session.id, &Request::system(correlation_id.clone())).await;
            None
        }
        current => current,
    };
    if let Some(session) = &current {
        let request = Request { actor: Actor::User(session.user), correlation_id: correlation_id.clone(), causation: None };
        // A client that is told to have left has left.
        session::close(app, session.id, SessionEnd::LoggedOut, &request).await.map_err(unavailable)?;
        // The last request of a session: it is served, and ends it.
        if !wants.new && !headers.contains_key(header::AUTHORIZATION) {
            return Ok((wants.caller(session.user, None), SessionEffect::Closed));
        }
    }
    let credentials = headers.typed_get::<Authorization<Basic>>().ok_or(Unauthorized::Credentials)?;
    let attempt = Attempt { name: credentials.username(), from: network(peer), correlation_id };
    let verified = match app.directory.authenticate(&app.engine, attempt, credentials.password()).await {
        Ok(verified) => verified,
        Err(Refused::Credentials) => return Err(Unauthorized::Credentials),
        Err(Refused::Unavailable(why)) => return Err(Unauthorized::Unavailable(why)),
        Err(Refused::NoPermission) => return Err(no_permission(app, attempt).await),
    };
    let request = Request { actor: Actor::User(verified.user), correlation_id: correlation_id.clone(), causation: None };
    if wants.session {
        let ttl = text_of(headers, &SESSION_TTL).and_then(|ttl| ttl.parse().ok()).filter(|ttl| *ttl >= 1);
        let (session, token) = match session::open(app, &verified, ttl.unwrap_or(DEFAULT_SESSION_TTL_MINUTES), &request).await {
            Ok(opened) => opened,
            Err(rejection) if rejection.class() == Class::Unavailable => return Err(unavailable(rejection)),
            Err(_) => return Err(no_permission(app, attempt).await),
        };
        return Ok((wants.caller(verified.user, Some(session)), SessionEffect::Opened(token)));
    }
    if verified.fresh {
        let recorded = match session::open(app, &verified, 1, &request).await {
            Ok((session, _)) => session::close(app, session, SessionEnd::LoggedOut, &request).await,
            Err(rejection) => Err(rejection),
        };
        match recorded {
            Ok(()) => {}
            // What only reads works even where nothing can be recorded.
            Err(rejection) if rejection.class() == Class::Unavailable => {
                tracing::error!(%rejection, %correlation_id, "a login could not be recorded");
            }
            Err(_) => return Err(no_permission(app, attempt).await),
        }
    } else if !may_log_in(&app.engine.world(), verified.user) {
        app.directory.forget(&verified);
        return Err(no_permission(app, attempt).await);
    }
    let effect = if current.is_some() { SessionEffect::Closed } else { SessionEffect::None };
    Ok((wants.caller(verified.user, None), effect))
}

/// The refusal of somebody whose password is right and who may do nothing.
async fn no_permission(app: &App, attempt: Attempt<'_>) -> Unauthorized {
    app.directory.record_refusal(&app.engine, attempt).await;
    Unauthorized::NoPermission
}

/// That it cannot be recorded who comes or goes.
fn unavailable(rejection: Rejection) -> Unauthorized {
    Unauthorized::Unavailable(rejection.to_string())
}

#[cfg(test)]
mod tests;
