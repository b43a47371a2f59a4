//! Login sessions.

use super::*;

#[test]
fn sessions() {
    let mut story = Story::installed();
    let eve = user(&mut story, "eve");
    let open = |user| OpenSession { user, token_hash: "hash".into(), ttl_minutes: 30, ..OpenSession::default() };
    story.when(open(eve)).refused(NotAuthorized);
    let role = role(&story, "UserRole");
    story.does(grant(eve, role, EntityRef::Cluster(DEFAULT_CLUSTER)));
    story.does(open(eve));
    let long = story.when(OpenSession { ttl_minutes: u32::MAX, ..open(ADMIN) }).accepted();
    assert!(matches!(&long[0], Event::SessionOpened(e) if e.session.ttl_minutes == MAX_SESSION_TTL_MINUTES));
    let session = story.world.sessions.values().next().expect("a session").id;
    story.when(ChangePassword { user: eve, password: "new".into() }).then(&["UserPasswordChanged", "SessionClosed"]);
    story.when(RemoveUser { user: eve }).then(&["PermissionRevoked", "SessionClosed", "UserRemoved"]);
    story.does(CloseSession { session, end: SessionEnd::LoggedOut });
    story.when(CloseSession { session, end: SessionEnd::LoggedOut }).then(&[]);
    for _ in 0..MAX_SESSIONS_PER_USER {
        story.does(open(ADMIN));
    }
    story.when(open(ADMIN)).then(&["SessionClosed", "SessionOpened"]);
    let ids: Vec<SessionId> = story.world.sessions.values().map(|session| session.id).collect();
    let by_last_use = [&[nowhere()], &ids[7..], &ids[..7]].concat();
    let events = story.when(OpenSession { by_last_use, ..open(ADMIN) }).then(&["SessionClosed", "SessionOpened"]);
    assert!(matches!(&events[0], Event::SessionClosed(e) if e.session == ids[7]), "whose last use is the longest ago");
    let refused = story.when(RefuseLogin { name: format!("e\u{0}ve{}", "x".repeat(500)), from: "192.0.2.7".into() }).accepted();
    assert!(matches!(&refused[0], Event::LoginFailed(e) if e.name.starts_with("evex") && e.name.len() == 128));
    let many: Vec<String> = (0..MAX_SUMMED_UP + 3).map(|n| format!("{n}{}", "x".repeat(500))).collect();
    let summed = story.when(SumUpRefusals { count: 99, names: many, from: vec!["192.0.2.7".into()] }).accepted();
    let Event::LoginsRefused(summed) = &summed[0] else { panic!("{summed:?}") };
    assert_eq!((summed.names.len(), summed.more_names, summed.more_from), (MAX_SUMMED_UP, true, false));
    assert!(summed.names.iter().all(|name| name.len() == MAX_REFUSED_NAME));
}
