//! Login sessions: opened, used, and closed.
//!
//! Opening and closing a session are events; when it was last used is live state, and here. What a client shows for its session is the
//! session's id and a secret, of which the log keeps the hash only. After the engine's start a session counts as last used then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dashmap::DashMap;
use evirt_domain::access::{CloseSession, MAX_SESSIONS_PER_USER, OpenSession, Session, SessionEnd, may_log_in};
use evirt_domain::ids::{SessionId, UserId};
use evirt_domain::index::SessionTerm;
use evirt_domain::{Event, Rejection, World};
use ring::digest;
use uuid::Uuid;

use super::App;
use crate::directory::Verified;
use crate::engine::Request;

/// How long a session may be idle where the client does not say (upstream's UserSessionTimeOutInterval).
pub const DEFAULT_SESSION_TTL_MINUTES: u32 = 30;

/// How often sessions that were idle for too long are looked for. One that is used is found out at once.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// Bytes of the secret that a token holds beside the session's id.
const SECRET_BYTES: usize = 32;
const ID_BYTES: usize = 16;

/// When sessions were last used, in milliseconds since the start.
#[derive(Debug)]
pub struct Sessions {
    started: Instant,
    pub(crate) last_use: DashMap<SessionId, AtomicU64>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { started: Instant::now(), last_use: DashMap::new() }
    }
}

impl Sessions {
    /// Milliseconds since the start.
    pub fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn touch(&self, id: SessionId, now: u64) {
        match self.last_use.get(&id) {
            Some(last) => last.store(now, Ordering::Relaxed),
            None => drop(self.last_use.insert(id, AtomicU64::new(now))),
        }
    }

    /// Takes note that a session is used, where it was used within its time.
    pub(crate) fn keep(&self, session: &Session) -> bool {
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
    pub(crate) fn is_alive(&self, session: &Session, now: u64) -> bool {
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
    pub(crate) fn expired(&self, world: &World, now: u64) -> Vec<SessionId> {
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
            let world = app.engine.world();
            for session in app.sessions.expired(&world, app.sessions.now()) {
                expire(&app, session, &Request::system("session-expiry")).await;
            }
            for session in of_nobody(&world) {
                revoke(&app, session, &Request::system("session-expiry")).await;
            }
        }
    }
}

/// The session that a token opens. It may have been idle for too long.
pub fn of_token(app: &App, token: &str) -> Option<Arc<Session>> {
    let mut bytes = [0; ID_BYTES + SECRET_BYTES];
    let length = BASE64_URL_SAFE_NO_PAD.decode_slice(token, &mut bytes).ok()?;
    let (id, secret) = bytes[..length].split_at_checked(ID_BYTES)?;
    let id = SessionId(Uuid::from_slice(id).ok()?);
    let session = app.engine.world().sessions.get(&id)?.clone();
    // How long this takes tells of the hash only, from which nobody gets to the secret.
    (hash(secret) == session.token_hash.as_bytes()).then_some(session)
}

/// Opens a session; gives its id and its token.
///
/// Refused as the command is.
pub async fn open(
    app: &App,
    verified: &Verified,
    ttl_minutes: u32,
    request: &Request,
) -> Result<(SessionId, Arc<str>), Rejection> {
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

/// Closes a session.
///
/// Refused as the command is.
pub async fn close(app: &App, session: SessionId, end: SessionEnd, request: &Request) -> Result<(), Rejection> {
    app.engine.submit(request, CloseSession { session, end }).await?;
    app.sessions.last_use.remove(&session);
    Ok(())
}

/// Closes a session that was idle for too long. One that cannot be closed now is found out again when it is used.
pub async fn expire(app: &App, session: SessionId, request: &Request) {
    if let Err(rejection) = close(app, session, SessionEnd::Expired, request).await {
        tracing::error!(%rejection, %session, "a session could not be closed");
    }
}

/// The sessions whose users have lost their last permission.
fn of_nobody(world: &World) -> Vec<SessionId> {
    world.sessions.values().filter(|session| !may_log_in(world, session.user)).map(|session| session.id).collect()
}

/// Closes the session of a user who may do nothing any more. One that cannot be closed now is found out again.
pub async fn revoke(app: &App, session: SessionId, request: &Request) {
    if let Err(rejection) = close(app, session, SessionEnd::Revoked, request).await {
        tracing::error!(%rejection, %session, "a session could not be closed");
    }
}

/// SHA-256 in hexadecimal. The secret is random and long: a slow hash would add nothing.
fn hash(secret: &[u8]) -> [u8; 2 * digest::SHA256_OUTPUT_LEN] {
    let mut text = [0; 2 * digest::SHA256_OUTPUT_LEN];
    // The room is twice what there is to write.
    let _ = hex::encode_to_slice(digest::digest(&digest::SHA256, secret), &mut text);
    text
}
