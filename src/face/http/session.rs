//! Who calls: Basic credentials, and sessions that a client keeps by a cookie (`Prefer: persistent-auth`), as the oVirt API has them.
//!
//! Opening and closing a session are events; when it was last used is live state, and here. The cookie's value is the session's id and
//! a secret, of which the log keeps the hash only. After the engine's start a session counts as last used then.
//!
//! A request by Basic credentials alone is a login and a logout upstream. An event for each such request would make every read a write, so
//! both are recorded when the password was really checked, and not while it is remembered (`directory::VERIFIED_TTL`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dashmap::DashMap;
use evirt_domain::access::{CloseSession, MAX_SESSIONS_PER_USER, OpenSession, Session, SessionEnd, may_log_in};
use evirt_domain::ids::{SessionId, UserId};
use evirt_domain::index::SessionTerm;
use evirt_domain::{Actor, Class, Event, Rejection, World};
use headers::authorization::Basic;
use headers::{Authorization, HeaderMapExt};
use ring::digest;
use uuid::Uuid;

use super::{App, Caller, FILTER, PREFER, asks_for, cookie, correlation_id, text_of};
use crate::directory::{Refused, Verified};
use crate::engine::Request;

/// How long a session may be idle where the client does not say (upstream's UserSessionTimeOutInterval).
pub const DEFAULT_SESSION_TTL_MINUTES: u32 = 30;

/// How often sessions that were idle for too long are looked for. One that is used is found out at once.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// The cookie's name, and that of the header which repeats its value.
const COOKIE: &str = "JSESSIONID";
const SESSION_HEADER: HeaderName = HeaderName::from_static("jsessionid");
const SESSION_TTL: HeaderName = HeaderName::from_static("session-ttl");

/// Bytes of the secret that a cookie holds beside the session's id.
const SECRET_BYTES: usize = 32;
const ID_BYTES: usize = 16;

/// Why a request is not served, whatever it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unauthorized {
    /// There are no credentials, or they are wrong: 401.
    Credentials,
    /// The user holds no permission at all: 401, as upstream refuses the login.
    NoPermission,
    /// It cannot be found out just now: 503, with what to say.
    Unavailable(String),
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
                    put(header::SET_COOKIE, &format!("{COOKIE}={token}; Path={path}; HttpOnly{secure}"));
                }
                put(SESSION_HEADER, token);
            }
            Self::Closed => {
                for path in paths {
                    put(header::SET_COOKIE, &format!("{COOKIE}=; Path={path}; Max-Age=0; HttpOnly{secure}"));
                }
            }
        }
    }
}

/// When sessions were last used, in milliseconds since the start.
#[derive(Debug)]
pub struct Sessions {
    started: Instant,
    last_use: DashMap<SessionId, AtomicU64>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { started: Instant::now(), last_use: DashMap::new() }
    }
}

impl Sessions {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn touch(&self, id: SessionId, now: u64) {
        match self.last_use.get(&id) {
            Some(last) => last.store(now, Ordering::Relaxed),
            None => drop(self.last_use.insert(id, AtomicU64::new(now))),
        }
    }

    /// Takes note that a session is used, where it was used within its time.
    fn keep(&self, session: &Session) -> bool {
        let (now, ttl) = (self.now(), u64::from(session.ttl_minutes) * 60_000);
        match self.last_use.get(&session.id) {
            Some(last) if now.saturating_sub(last.load(Ordering::Relaxed)) >= ttl => false,
            Some(last) => {
                last.store(now, Ordering::Relaxed);
                true
            }
            // It is as old as this process.
            None if now >= ttl => false,
            None => {
                self.touch(session.id, now);
                true
            }
        }
    }

    /// Whether the session was used within its time.
    fn is_alive(&self, session: &Session, now: u64) -> bool {
        let last = self.last_use.get(&session.id).map_or(0, |last| last.load(Ordering::Relaxed));
        now.saturating_sub(last) < u64::from(session.ttl_minutes) * 60_000
    }

    /// A user's sessions in the order of their last use, where they are so many that one has to go; else that is of no matter.
    fn by_last_use(&self, world: &World, user: UserId) -> Vec<SessionId> {
        let mut own: Vec<_> = world.sessions.by(SessionTerm::User(user)).collect();
        if own.len() < MAX_SESSIONS_PER_USER {
            return Vec::new();
        }
        let last = |id| self.last_use.get(&id).map_or(0, |last| last.load(Ordering::Relaxed));
        own.sort_by_cached_key(|session| (last(session.id), session.opened_at, session.id));
        own.into_iter().map(|session| session.id).collect()
    }

    /// The sessions that were idle for too long. Forgets what is known of sessions that are no more.
    fn expired(&self, world: &World, now: u64) -> Vec<SessionId> {
        // A session that was opened after this World was taken is not in it: what was used a moment ago is left alone.
        let recent = now.saturating_sub(PRUNE_INTERVAL.as_millis() as u64);
        self.last_use.retain(|id, last| world.sessions.contains(id) || last.load(Ordering::Relaxed) >= recent);
        world.sessions.values().filter(|session| !self.is_alive(session, now)).map(|session| session.id).collect()
    }

    /// Closes sessions that are idle for too long, for as long as the runtime lives.
    pub async fn prune(app: App) {
        let mut tick = tokio::time::interval(PRUNE_INTERVAL);
        loop {
            tick.tick().await;
            let expired = app.sessions.expired(&app.engine.world(), app.sessions.now());
            for session in expired {
                expire(&app, session, &Request::system("session-expiry")).await;
            }
        }
    }
}

/// Finds out who calls. The order is upstream's: a session that is to be kept and is alive is taken, and Basic credentials beside it are
/// not looked at, even wrong ones; a session that is not to be kept any more ends; without a session, Basic credentials count.
pub async fn authenticate_request(app: &App, headers: &HeaderMap) -> Result<(Caller, SessionEffect), Unauthorized> {
    let filter = text_of(headers, &FILTER).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let wants = Wants {
        session: asks_for(headers, &PREFER, "persistent-auth"),
        new: asks_for(headers, &PREFER, "new-auth"),
        filter,
        correlation_id: correlation_id(headers),
    };
    let token = cookie(headers, COOKIE);
    let current = token.as_deref().and_then(|token| session_of(app, token));
    if let (Some(session), Some(token)) = (&current, token)
        && wants.session
        && !wants.new
        && app.sessions.keep(session)
    {
        return Ok((wants.caller(session.user, Some(session.id)), SessionEffect::Kept(token.into())));
    }
    // What most requests do not come to is kept apart: its room would be moved about with theirs.
    Box::pin(log_in(app, headers, wants, current)).await
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
    headers: &HeaderMap,
    wants: Wants,
    current: Option<Arc<Session>>,
) -> Result<(Caller, SessionEffect), Unauthorized> {
    let correlation_id = &wants.correlation_id;
    let current = match current {
        Some(session) if !app.sessions.is_alive(&session, app.sessions.now()) => {
            expire(app, session.id, &Request::system(correlation_id.clone())).await;
            None
        }
        current => current,
    };
    if let Some(session) = &current {
        let request = Request { actor: Actor::User(session.user), correlation_id: correlation_id.clone(), causation: None };
        // Who is told to have left has left.
        close(app, session.id, SessionEnd::LoggedOut, &request).await.map_err(unavailable)?;
        // The last request of a session: it is served, and ends it.
        if !wants.new && !headers.contains_key(header::AUTHORIZATION) {
            return Ok((wants.caller(session.user, None), SessionEffect::Closed));
        }
    }
    let credentials = headers.typed_get::<Authorization<Basic>>().ok_or(Unauthorized::Credentials)?;
    let name = credentials.username();
    let verified = match app.directory.authenticate(&app.engine, name, credentials.password(), correlation_id).await {
        Ok(verified) => verified,
        Err(Refused::Credentials) => return Err(Unauthorized::Credentials),
        Err(Refused::Unavailable(why)) => return Err(Unauthorized::Unavailable(why)),
        Err(Refused::NoPermission) => return Err(no_permission(app, name, correlation_id).await),
    };
    let request = Request { actor: Actor::User(verified.user), correlation_id: correlation_id.clone(), causation: None };
    if wants.session {
        let ttl = text_of(headers, &SESSION_TTL).and_then(|ttl| ttl.parse().ok()).filter(|ttl| *ttl >= 1);
        let (session, token) = match open(app, &verified, ttl.unwrap_or(DEFAULT_SESSION_TTL_MINUTES), &request).await {
            Ok(opened) => opened,
            Err(rejection) if rejection.class() == Class::Unavailable => return Err(unavailable(rejection)),
            Err(_) => return Err(no_permission(app, name, correlation_id).await),
        };
        return Ok((wants.caller(verified.user, Some(session)), SessionEffect::Opened(token)));
    }
    if verified.fresh {
        let recorded = match open(app, &verified, 1, &request).await {
            Ok((session, _)) => close(app, session, SessionEnd::LoggedOut, &request).await,
            Err(rejection) => Err(rejection),
        };
        match recorded {
            Ok(()) => {}
            // What only reads works even where nothing can be recorded.
            Err(rejection) if rejection.class() == Class::Unavailable => {
                tracing::error!(%rejection, %correlation_id, "a login could not be recorded");
            }
            Err(_) => return Err(no_permission(app, name, correlation_id).await),
        }
    } else if !may_log_in(&app.engine.world(), verified.user) {
        app.directory.forget(&verified);
        return Err(no_permission(app, name, correlation_id).await);
    }
    let effect = if current.is_some() { SessionEffect::Closed } else { SessionEffect::None };
    Ok((wants.caller(verified.user, None), effect))
}

/// The refusal of somebody whose password is right and who may do nothing.
async fn no_permission(app: &App, name: &str, correlation_id: &Arc<str>) -> Unauthorized {
    app.directory.record_refusal(&app.engine, name, correlation_id).await;
    Unauthorized::NoPermission
}

/// The session that a cookie's value opens. It may have been idle for too long.
fn session_of(app: &App, token: &str) -> Option<Arc<Session>> {
    let mut bytes = [0; ID_BYTES + SECRET_BYTES];
    let length = BASE64_URL_SAFE_NO_PAD.decode_slice(token, &mut bytes).ok()?;
    let (id, secret) = bytes[..length].split_at_checked(ID_BYTES)?;
    let id = SessionId(Uuid::from_slice(id).ok()?);
    let session = app.engine.world().sessions.get(&id)?.clone();
    // How long this takes tells of the hash only, from which nobody gets to the secret.
    (hash(secret) == session.token_hash.as_bytes()).then_some(session)
}

/// Opens a session; gives its id and the cookie's value.
async fn open(app: &App, verified: &Verified, ttl_minutes: u32, request: &Request) -> Result<(SessionId, Arc<str>), Rejection> {
    let secret: [u8; SECRET_BYTES] = rand::random();
    let user: UserId = verified.user;
    let token_hash = String::from_utf8_lossy(&hash(&secret)).into();
    let by_last_use = app.sessions.by_last_use(&app.engine.world(), user);
    let outcome = app.engine.submit(request, OpenSession { user, token_hash, ttl_minutes, by_last_use }).await;
    let outcome = outcome.inspect_err(|_| app.directory.forget(verified))?;
    let opened = outcome.events.iter().find_map(|recorded| match &recorded.event {
        Event::SessionOpened(opened) => Some(opened.session.id),
        _ => None,
    });
    let id = opened.unwrap_or_default();
    app.sessions.touch(id, app.sessions.now());
    let mut token = [0; ID_BYTES + SECRET_BYTES];
    token[..ID_BYTES].copy_from_slice(id.0.as_bytes());
    token[ID_BYTES..].copy_from_slice(&secret);
    Ok((id, BASE64_URL_SAFE_NO_PAD.encode(token).into()))
}

async fn close(app: &App, session: SessionId, end: SessionEnd, request: &Request) -> Result<(), Rejection> {
    app.engine.submit(request, CloseSession { session, end }).await?;
    app.sessions.last_use.remove(&session);
    Ok(())
}

/// Closes a session that was idle for too long. One that cannot be closed now is found out again when it is used.
async fn expire(app: &App, session: SessionId, request: &Request) {
    if let Err(rejection) = close(app, session, SessionEnd::Expired, request).await {
        tracing::error!(%rejection, %session, "a session could not be closed");
    }
}

/// That it cannot be recorded who comes or goes.
fn unavailable(rejection: Rejection) -> Unauthorized {
    Unauthorized::Unavailable(rejection.to_string())
}

/// SHA-256 in hexadecimal. The secret is random and long: a slow hash would add nothing.
fn hash(secret: &[u8]) -> [u8; 2 * digest::SHA256_OUTPUT_LEN] {
    let mut text = [0; 2 * digest::SHA256_OUTPUT_LEN];
    // The room is twice what there is to write.
    let _ = hex::encode_to_slice(digest::digest(&digest::SHA256, secret), &mut text);
    text
}

#[cfg(test)]
mod tests;
