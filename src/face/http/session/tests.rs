//! Who is let in, and what becomes of sessions, against an engine on a log of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use evirt_domain::access::{
    ADMIN, AddUser, ChangePassword, Holder, LockUser, MAX_SESSIONS_PER_USER, RevokePermission, SUPER_USER,
};
use evirt_domain::install::Install;
use evirt_domain::{Intent, World};
use tempfile::TempDir;

use super::*;
use crate::app::Sessions;
use crate::directory::{Directory, MAX_TOLD_REFUSALS, passwords};
use crate::engine::{Engine, Options, Stores};
use crate::face::http::BodyRoom;
use crate::hypervisor::estate::Estate;
use crate::hypervisor::simulator::Simulator;
use crate::log::Sealer;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
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
        self.ask_from(PEER, headers).await
    }

    async fn ask_from(&self, peer: IpAddr, headers: &[(&str, &str)]) -> Seen {
        self.ask_by(Method::GET, peer, headers).await
    }

    async fn ask_by(&self, method: Method, peer: IpAddr, headers: &[(&str, &str)]) -> Seen {
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
        match authenticate_request(&self.app, Incoming { method: &method, headers: &headers, peer }).await {
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
async fn refused_logins_of_a_flood_are_not_each_recorded() {
    let site = Site::new().await;
    let before = site.position();
    for n in 0..MAX_TOLD_REFUSALS + 5 {
        let seen = site.ask(&[("authorization", &format!("nobody{n}:"))]).await;
        assert_eq!(seen.caller.unwrap_err(), Unauthorized::Credentials);
    }
    assert_eq!(site.position() - before, u64::from(MAX_TOLD_REFUSALS));
}

#[tokio::test(flavor = "multi_thread")]
async fn among_hundreds_of_passwords_at_once_the_right_one_is_no_use() {
    let site = Site::new().await;
    let guesses = (0..60).map(|n| format!("admin@internal:guess{n}")).chain([BASIC.to_owned()]);
    let asked = futures_util::future::join_all(guesses.map(|guess| async {
        let guess = guess;
        site.ask(&[("authorization", &guess)]).await
    }));
    let let_in = asked.await.into_iter().filter(|seen| seen.caller.is_ok()).count();
    assert_eq!(let_in, 0, "the name was locked before its turn");
    let locked: Vec<_> = site.app.engine.world().users.get(&ADMIN).map(|user| user.locked_from.clone()).into_iter().collect();
    assert_eq!(locked, [Some(PEER.to_string())]);
    assert!(site.ask(&[("authorization", BASIC)]).await.caller.is_err(), "it is locked where it was guessed");
    let elsewhere = "192.0.2.9".parse().unwrap();
    assert!(site.ask_from(elsewhere, &[("authorization", BASIC)]).await.caller.is_ok(), "and nowhere else");
    let unlock = LockUser { user: ADMIN, seconds: 0, from: None };
    site.app.engine.submit(&Request::system("test"), unlock).await.unwrap();
    assert!(site.ask(&[("authorization", BASIC)]).await.caller.is_ok(), "an operator has unlocked it");
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_with_a_cookie() {
    let site = Site::new().await;
    let cookie = site.log_in().await;
    let ask = async |method: Method, origin: &str, more: &[(&str, &str)]| {
        let own = [("cookie", cookie.as_str()), ("prefer", "persistent-auth"), ("host", "engine:8443"), ("origin", origin)];
        let headers: Vec<_> = own.into_iter().filter(|(_, value)| !value.is_empty()).chain(more.iter().copied()).collect();
        site.ask_by(method, PEER, &headers).await.caller.map(drop)
    };
    let foreign = Err(Unauthorized::ForeignOrigin);
    for origin in ["https://evil.example", "null", "https://engine", "https://engine:8443.evil.example"] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            assert_eq!(ask(method, origin, &[]).await, foreign, "{origin}");
        }
        assert_eq!(ask(Method::GET, origin, &[]).await, Ok(()), "{origin} may look, and its browser hides the answer from it");
        assert_eq!(ask(Method::GET, origin, &[("upgrade", "websocket")]).await, foreign, "{origin}");
        assert_eq!(ask(Method::POST, origin, &[("authorization", BASIC)]).await, Ok(()), "who has the password is no page");
    }
    assert_eq!(ask(Method::POST, "https://engine:8443", &[]).await, Ok(()));
    assert_eq!(ask(Method::POST, "", &[]).await, Ok(()), "no browser");
    // Nor does it end the session.
    let headers = [("cookie", cookie.as_str()), ("host", "engine:8443"), ("origin", "https://evil.example")];
    assert_eq!(site.ask_by(Method::POST, PEER, &headers).await.caller.map(drop), foreign);
    assert_eq!(site.sessions(), 1);
}

#[tokio::test]
async fn the_figures_take_a_token_from_elsewhere() {
    let site = Site::new().await;
    let token = "a token of enough bytes".to_owned();
    let ask = async |peer: &str, token: Option<String>, sent: Option<&str>| {
        let own = crate::face::http::routes(site.app.clone(), crate::face::http::Pki::default(), token);
        let front = crate::face::http::Front::new(Arc::new([]), own, true, BodyRoom::default()).to(peer.parse().unwrap());
        let request = axum::http::Request::get("/metrics");
        let request =
            sent.into_iter().fold(request, |request, sent| request.header(header::AUTHORIZATION, format!("Bearer {sent}")));
        front.answer(request.body(axum::body::Body::empty()).unwrap()).await.status().as_u16()
    };
    for here in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(ask(here, None, None).await, 200, "{here}");
    }
    for (configured, sent, status) in [
        (None, None, 401),
        (None, Some(token.as_str()), 401),
        (Some(token.clone()), None, 401),
        (Some(token.clone()), Some("another"), 401),
        (Some(token.clone()), Some(token.as_str()), 200),
    ] {
        assert_eq!(ask("192.0.2.9", configured.clone(), sent).await, status, "{configured:?} {sent:?}");
    }
}

#[tokio::test]
async fn a_session_ends_with_its_users_last_permission() {
    let site = Site::new().await;
    let submit = async |command: Intent| site.app.engine.submit(&Request::system("test"), command).await.unwrap();
    let password = passwords::hash("pw").await;
    submit(AddUser { name: "ann".into(), password, roles: vec![SUPER_USER] }.into()).await;
    site.log_in().await;
    let seen = site.ask(&[("authorization", "ann@internal:pw"), ("prefer", "persistent-auth")]).await;
    let ann = seen.caller.unwrap().user;
    let own: Vec<_> =
        site.app.engine.world().permissions.values().filter(|own| own.holder == Holder::User(ann)).map(|own| own.id).collect();
    for permission in own {
        submit(RevokePermission { permission }.into()).await;
    }
    tokio::spawn(Sessions::prune(site.app.clone()));
    let left =
        site.app.engine.until(|world| (world.sessions.len() < 2).then(|| world.sessions.values().next().map(|left| left.user)));
    assert_eq!(left.await, Some(ADMIN));
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
    assert_eq!(
        cookies,
        ["JSESSIONID=abc; Path=/api; HttpOnly; SameSite=Strict", "JSESSIONID=abc; Path=/; HttpOnly; SameSite=Strict"]
    );
    assert_eq!(headers["jsessionid"], "abc");
    let mut headers = HeaderMap::new();
    SessionEffect::Opened("abc".into()).write("/ovirt-engine/api", true, &mut headers);
    assert_eq!(headers[header::SET_COOKIE], "JSESSIONID=abc; Path=/ovirt-engine/api; HttpOnly; SameSite=Strict; Secure");
}
