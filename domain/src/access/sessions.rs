//! Login sessions, and logins that were refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;
use crate::command::Decide;
use crate::context::Context;
use crate::event::{Event, EventMetadata, Fold, Stream, StreamKind};
use crate::index::SessionTerm;
use crate::rejection::{Key, Rejection};
use crate::world::World;

/// A login session (`Prefer: persistent-auth`). When it was last used is live state and not here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Identifier; the cookie's value is another secret, of which only a hash is kept.
    pub id: SessionId,
    /// Version of the resource.
    pub version: u64,
    /// Whose it is.
    pub user: UserId,
    /// Hash of the cookie's value, hexadecimal.
    pub token_hash: Arc<str>,
    /// How long it may be idle, in minutes.
    pub ttl_minutes: u32,
    /// When it was opened.
    pub opened_at: Micros,
}

/// A user logged in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionOpened {
    /// The session.
    pub session: Session,
}

impl Fold for SessionOpened {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::Session, self.session.id.0)
    }

    fn fold(&self, world: &mut World, at: &EventMetadata) {
        let mut session = self.session.clone();
        session.version = at.version;
        world.sessions.insert(session.id, session);
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// The client logged out.
    LoggedOut,
    /// It was idle for too long.
    Expired,
    /// The user was removed or has a new password, or opened too many.
    Revoked,
}

/// A session ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionClosed {
    /// Which.
    pub session: SessionId,
    /// Whose it was.
    pub user: UserId,
    /// Why.
    pub end: SessionEnd,
}

impl Fold for SessionClosed {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::Session, self.session.0)
    }

    fn fold(&self, world: &mut World, _: &EventMetadata) {
        world.sessions.remove(&self.session);
        world.close_stream(StreamKind::Session, self.session.0);
    }
}

/// How much is kept of a name that somebody tried to log in by, in characters.
pub const MAX_REFUSED_NAME: usize = 128;

/// A login was refused. The name is what was typed, cut to a sane length; the password is nowhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoginFailed {
    /// The login name.
    pub name: String,
    /// The client's address; events of before did not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
}

impl Fold for LoginFailed {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, _: &mut World, _: &EventMetadata) {}
}

/// The most names, and the most addresses, that a sum of refused logins tells.
pub const MAX_SUMMED_UP: usize = 10;

/// So many logins were refused that they are told of together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoginsRefused {
    /// How many.
    pub count: u64,
    /// Login names that were typed, each cut to a sane length.
    pub names: Vec<String>,
    /// Whether there were more names.
    pub more_names: bool,
    /// Addresses that they came from.
    pub from: Vec<String>,
    /// Whether there were more addresses.
    pub more_from: bool,
}

impl Fold for LoginsRefused {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, _: &mut World, _: &EventMetadata) {}
}

/// Opens a session for a user whose password was found right.
#[derive(Clone, Debug, Default)]
pub struct OpenSession {
    /// The user who logs in.
    pub user: UserId,
    /// Hash of the cookie's value.
    pub token_hash: Arc<str>,
    /// How long it may be idle.
    pub ttl_minutes: u32,
    /// The user's sessions in the order of their last use, the longest ago first, as observed: where there are too many, the first goes.
    pub by_last_use: Vec<SessionId>,
}

impl Decide for OpenSession {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        world.user(self.user)?;
        if !may_log_in(world, self.user) {
            return Err(Key::NotAuthorized.into());
        }
        let mut events = Vec::new();
        let mut own: Vec<_> = world.sessions.by(SessionTerm::User(self.user)).collect();
        if own.len() >= MAX_SESSIONS_PER_USER {
            // One that nothing is known of was opened a moment ago.
            let used = |id| self.by_last_use.iter().position(|known| *known == id).unwrap_or(usize::MAX);
            own.sort_by_key(|s| (used(s.id), s.opened_at, s.id));
            let least = own[0];
            events.push(SessionClosed { session: least.id, user: self.user, end: SessionEnd::Revoked }.into());
        }
        events.push(
            SessionOpened {
                session: Session {
                    id: cx.fresh(0),
                    version: 0,
                    user: self.user,
                    token_hash: self.token_hash.clone(),
                    ttl_minutes: self.ttl_minutes.clamp(1, MAX_SESSION_TTL_MINUTES),
                    opened_at: cx.now,
                },
            }
            .into(),
        );
        Ok(events)
    }
}

/// Ends a session.
#[derive(Clone, Debug)]
pub struct CloseSession {
    /// Which.
    pub session: SessionId,
    /// Why.
    pub end: SessionEnd,
}

impl Decide for CloseSession {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        Ok(world
            .sessions
            .get(&self.session)
            .map(|s| SessionClosed { session: s.id, user: s.user, end: self.end }.into())
            .into_iter()
            .collect())
    }
}

/// Records that a login was refused.
#[derive(Clone, Debug)]
pub struct RefuseLogin {
    /// The login name as typed.
    pub name: String,
    /// The client's address.
    pub from: String,
}

impl Decide for RefuseLogin {
    fn decide(&self, _: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        Ok(vec![LoginFailed { name: sane(&self.name), from: self.from.clone() }.into()])
    }
}

/// As much of a name as is kept.
fn sane(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MAX_REFUSED_NAME).collect()
}

/// Records that many logins were refused.
#[derive(Clone, Debug)]
pub struct SumUpRefusals {
    /// How many.
    pub count: u64,
    /// Login names as typed; beyond `MAX_SUMMED_UP` it is only told that there were more.
    pub names: Vec<String>,
    /// The clients' addresses; the same.
    pub from: Vec<String>,
}

impl Decide for SumUpRefusals {
    fn decide(&self, _: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let refused = LoginsRefused {
            count: self.count,
            names: self.names.iter().take(MAX_SUMMED_UP).map(|name| sane(name)).collect(),
            more_names: self.names.len() > MAX_SUMMED_UP,
            from: self.from.iter().take(MAX_SUMMED_UP).cloned().collect(),
            more_from: self.from.len() > MAX_SUMMED_UP,
        };
        Ok(vec![refused.into()])
    }
}
