//! Who is let in, and what becomes of sessions, against an engine on a log of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use evirt_domain::World;
use evirt_domain::access::{ADMIN, AddUser, ChangePassword, MAX_SESSIONS_PER_USER, SUPER_USER};
use evirt_domain::install::Install;
use tempfile::TempDir;

use super::*;
use crate::directory::{Directory, passwords};
use crate::engine::{Engine, Options, Stores};
use crate::hypervisor::estate::Estate;
use crate::hypervisor::simulator::Simulator;
use crate::log::Sealer;

const BASIC: &str = "admin@internal:secret";

struct Site {
    app: App,
    _data: TempDir,
}

/// What came of a request.
#[derive(Debug)]
struct Seen {
    caller: Result<Caller, Unauthorized>,
    effect: SessionEffect,
}

impl Site {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let stores = Stores::open(data.path()).await.unwrap();
        let driver = Arc::new(Simulator::new(Estate::builtin(), None).unwrap());
        let engine = Engine::start(stores, driver, Options::default()).await.unwrap();
        let admin_password = passwords::hash("secret").await;
        engine.submit(&Request::system("test"), Install { admin_password }).await.unwrap();
        Self { app: App::new(engine, Arc::new(Sealer::open(data.path()).unwrap()), Directory::default()), _data: data }
    }

    async fn ask(&self, headers: &[(&str, &str)]) -> Seen {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                let value = if *name == "authorization" {
                    format!("Basic {}", BASE64_STANDARD.encode(value))
                } else {
                    (*value).to_owned()
                };
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(&value).unwrap())
            })
            .collect();
        match authenticate_request(&self.app, &headers).await {
            Ok((caller, effect)) => Seen { caller: Ok(caller), effect },
            Err(refused) => Seen { caller: Err(refused), effect: SessionEffect::None },
        }
    }

    /// Logs in to stay; the cookie.
    async fn log_in(&self) -> String {
        let seen = self.ask(&[("authorization", BASIC), ("prefer", "persistent-auth")]).await;
        let SessionEffect::Opened(token) = seen.effect else { panic!("no session: {seen:?}") };
        format!("JSESSIONID={token}")
    }

    fn sessions(&self) -> usize {
        self.app.engine.world().sessions.len()
    }

    fn position(&self) -> u64 {
        self.app.engine.world().position
    }
}

#[tokio::test]
async fn basic_credentials_name_a_user_with_a_domain() {
    let site = Site::new().await;
    for (credentials, lets_in) in [
        ("admin@internal:secret", true),
        ("internal\\admin:secret", true),
        ("admin@internal:wrong", false),
        ("admin@internal:secret:more", false),
        ("admin@internal:", false),
        ("admin:secret", false),
        ("admin@elsewhere:secret", false),
        ("Admin@internal:secret", false),
        (":secret", false),
        ("admin@internal", false),
        ("", false),
    ] {
        let seen = site.ask(&[("authorization", credentials)]).await;
        assert_eq!(seen.caller.is_ok(), lets_in, "{credentials:?}");
        if let Err(refused) = seen.caller {
            assert_eq!(refused, Unauthorized::Credentials, "{credentials:?}");
        }
    }
    assert_eq!(site.ask(&[]).await.caller.unwrap_err(), Unauthorized::Credentials);
    assert_eq!(site.sessions(), 0, "none of them stays");
}

#[tokio::test]
async fn a_login_is_recorded_when_the_password_is_checked_and_not_while_it_is_remembered() {
    let site = Site::new().await;
    let before = site.position();
    site.ask(&[("authorization", BASIC)]).await.caller.unwrap();
    assert_eq!(site.position(), before + 2, "opened and closed");
    site.ask(&[("authorization", BASIC)]).await.caller.unwrap();
    assert_eq!(site.position(), before + 2);
}

#[tokio::test]
async fn a_burst_of_logins_costs_one_check() {
    let site = Site::new().await;
    let before = site.position();
    let sent = [("authorization", BASIC)];
    let (one, two, three) = tokio::join!(site.ask(&sent), site.ask(&sent), site.ask(&sent));
    assert!([one, two, three].iter().all(|seen| seen.caller.is_ok()));
    let recorded = site.position() - before;
    assert!((2..=2 * passwords::MAX_CONCURRENT_HASHES as u64).contains(&recorded), "{recorded} events");
}

#[tokio::test]
async fn a_session_serves_in_place_of_credentials_even_beside_wrong_ones() {
    let site = Site::new().await;
    let cookie = site.log_in().await;
    let (id, events) = (site.app.engine.world().sessions.values().next().unwrap().id, site.position());
    for more in [None, Some(("authorization", "admin@internal:wrong"))] {
        let headers: Vec<_> = [("cookie", cookie.as_str()), ("prefer", "Persistent-Auth")].into_iter().chain(more).collect();
        let seen = site.ask(&headers).await;
        assert_eq!((seen.caller.as_ref().unwrap().user, seen.caller.unwrap().session), (ADMIN, Some(id)));
        assert!(matches!(seen.effect, SessionEffect::Kept(token) if cookie.ends_with(&*token)));
    }
    assert_eq!(site.position(), events, "a request in a session writes nothing");
}

#[tokio::test]
async fn of_too_many_sessions_the_one_goes_that_was_not_used_for_the_longest_time() {
    let site = Site::new().await;
    let (first, second) = (site.log_in().await, site.log_in().await);
    for _ in 2..MAX_SESSIONS_PER_USER {
        site.log_in().await;
    }
    let keep = |cookie: &str| [("cookie", cookie.to_owned()), ("prefer", "persistent-auth".to_owned())];
    let is_kept = async |cookie: &str| {
        let headers = keep(cookie);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        site.ask(&headers).await.caller.is_ok()
    };
    assert!(is_kept(&first).await);
    site.log_in().await;
    assert!(is_kept(&first).await, "it is in use");
    assert!(!is_kept(&second).await);
    assert_eq!(site.sessions(), MAX_SESSIONS_PER_USER);
}

#[tokio::test]
async fn a_request_that_does_not_want_the_session_ends_it() {
    let site = Site::new().await;
    let cookie = site.log_in().await;
    let seen = site.ask(&[("cookie", &cookie)]).await;
    assert!(seen.caller.is_ok(), "the last request is served");
    assert_eq!((seen.effect, site.sessions()), (SessionEffect::Closed, 0));
    assert_eq!(
        site.ask(&[("cookie", &cookie), ("prefer", "persistent-auth")]).await.caller.unwrap_err(),
        Unauthorized::Credentials
    );

    let cookie = site.log_in().await;
    let seen = site.ask(&[("cookie", &cookie), ("authorization", "admin@internal:wrong")]).await;
    assert_eq!(seen.caller.unwrap_err(), Unauthorized::Credentials);
    assert_eq!(site.sessions(), 0, "wrong credentials without a wish to stay end the session too");
}

#[tokio::test]
async fn who_cannot_be_recorded_to_have_left_is_told_so() {
    let site = Site::new().await;
    let cookie = site.log_in().await;
    site.app.engine.shutdown().await;
    let seen = site.ask(&[("cookie", &cookie)]).await;
    assert!(matches!(seen.caller, Err(Unauthorized::Unavailable(_))), "{seen:?}");
    let kept = site.ask(&[("cookie", &cookie), ("prefer", "persistent-auth")]).await;
    assert!(kept.caller.is_ok(), "the session goes on: {kept:?}");
}

#[tokio::test]
async fn a_new_login_can_be_asked_for() {
    let site = Site::new().await;
    let cookie = site.log_in().await;
    let seen = site.ask(&[("cookie", &cookie), ("prefer", "new-auth, persistent-auth"), ("authorization", BASIC)]).await;
    assert!(matches!(seen.effect, SessionEffect::Opened(token) if !cookie.ends_with(&*token)));
    assert_eq!(site.sessions(), 1);
}

#[tokio::test]
async fn a_cookie_that_opens_no_session_is_as_none() {
    let site = Site::new().await;
    let cookie = site.log_in().await;
    let mut forged = cookie.clone().into_bytes();
    let last = forged.len() - 2;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for bad in [forged.as_str(), "JSESSIONID=", "JSESSIONID=nonsense", "JSESSIONID=AAAA", &cookie[..20], &format!("{cookie}AAAA")]
    {
        let seen = site.ask(&[("cookie", bad), ("prefer", "persistent-auth")]).await;
        assert_eq!(seen.caller.unwrap_err(), Unauthorized::Credentials, "{bad:?}");
        let seen = site.ask(&[("cookie", bad)]).await;
        assert_eq!(seen.caller.unwrap_err(), Unauthorized::Credentials, "{bad:?}");
    }
    assert_eq!(site.sessions(), 1, "a forged cookie ends nobody's session");
}

#[tokio::test]
async fn a_session_has_the_time_that_the_client_gives_it() {
    for (ttl, minutes) in
        [("5", 5), ("0", DEFAULT_SESSION_TTL_MINUTES), ("-3", DEFAULT_SESSION_TTL_MINUTES), ("x", DEFAULT_SESSION_TTL_MINUTES)]
    {
        let site = Site::new().await;
        site.ask(&[("authorization", BASIC), ("prefer", "persistent-auth"), ("session-ttl", ttl)]).await.caller.unwrap();
        assert_eq!(site.app.engine.world().sessions.values().next().unwrap().ttl_minutes, minutes, "{ttl}");
    }
}

#[tokio::test]
async fn an_idle_session_expires() {
    let site = Site::new().await;
    site.log_in().await;
    let (sessions, world) = (&site.app.sessions, site.app.engine.world());
    let session = world.sessions.values().next().unwrap().clone();
    let time = u64::from(session.ttl_minutes) * 60_000;
    let opened = sessions.last_use.get(&session.id).unwrap().load(Ordering::Relaxed);
    assert!(sessions.is_alive(&session, opened + time - 1));
    assert!(!sessions.is_alive(&session, opened + time));
    assert_eq!(sessions.expired(&world, opened + time - 1), []);
    assert_eq!(sessions.expired(&world, opened + time), [session.id]);
    sessions.touch(session.id, opened + 1);
    assert!(sessions.is_alive(&session, opened + time), "use prolongs it");
    sessions.expired(&World::default(), opened + time);
    assert!(sessions.last_use.is_empty(), "what is no session any more is forgotten");
}

#[tokio::test]
async fn a_new_password_holds_at_once_and_ends_sessions() {
    let site = Site::new().await;
    let cookie = site.log_in().await;
    site.ask(&[("authorization", BASIC)]).await.caller.unwrap();
    let password = passwords::hash("changed").await;
    site.app.engine.submit(&Request::system("test"), ChangePassword { user: ADMIN, password }).await.unwrap();
    assert!(site.ask(&[("authorization", BASIC)]).await.caller.is_err(), "remembered credentials are void");
    assert!(site.ask(&[("cookie", &cookie), ("prefer", "persistent-auth")]).await.caller.is_err());
    assert!(site.ask(&[("authorization", "admin@internal:changed")]).await.caller.is_ok());
}

#[tokio::test]
async fn a_user_without_any_permission_is_not_let_in() {
    let site = Site::new().await;
    for (name, role) in [("guest", None), ("boss", Some(SUPER_USER))] {
        let password = passwords::hash("pw").await;
        site.app
            .engine
            .submit(&Request::system("test"), AddUser { name: name.into(), password, roles: role.into_iter().collect() })
            .await
            .unwrap();
    }
    for _ in 0..2 {
        assert_eq!(site.ask(&[("authorization", "guest@internal:pw")]).await.caller.unwrap_err(), Unauthorized::NoPermission);
    }
    assert!(site.ask(&[("authorization", "boss@internal:pw")]).await.caller.is_ok());
}

#[tokio::test]
async fn refused_logins_are_recorded_once_a_second() {
    let site = Site::new().await;
    let before = site.position();
    for _ in 0..3 {
        site.ask(&[("authorization", "admin@internal:wrong")]).await;
    }
    let recorded = site.position() - before;
    assert!((1..3).contains(&recorded), "{recorded} events");
}

#[tokio::test]
async fn the_filter_header_is_a_boolean_of_any_case() {
    let site = Site::new().await;
    for (value, filter) in [("True", true), ("true", true), ("False", false), ("1", false)] {
        let seen = site.ask(&[("authorization", BASIC), ("filter", value)]).await;
        assert_eq!(seen.caller.unwrap().filter, filter, "{value}");
    }
}

#[test]
fn the_cookie_is_for_the_base_that_the_client_used() {
    let mut headers = HeaderMap::new();
    SessionEffect::Opened("abc".into()).write("/api", false, &mut headers);
    let cookies: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(cookies, ["JSESSIONID=abc; Path=/api; HttpOnly", "JSESSIONID=abc; Path=/; HttpOnly"]);
    assert_eq!(headers["jsessionid"], "abc");
    let mut headers = HeaderMap::new();
    SessionEffect::Opened("abc".into()).write("/ovirt-engine/api", true, &mut headers);
    assert_eq!(headers[header::SET_COOKIE], "JSESSIONID=abc; Path=/ovirt-engine/api; HttpOnly; Secure");
}
