//! Users, of the internal directory and of others.

use super::*;

#[test]
fn the_built_in_administrator_stays() {
    let mut story = Story::installed();
    story.when(RemoveUser { user: ADMIN }).refused(UserIsAdmin);
    let own = story.world.permissions.values().find(|p| p.holder == Holder::User(ADMIN)).expect("its permission").id;
    story.when(RevokePermission { permission: own }).refused(UserIsAdmin);
    let eve = UserId(story.does(add_user("eve", Some(SUPER_USER)))[0].as_fold().stream().id);
    let by = Actor::User(eve);
    story.when_by(by, RevokePermission { permission: own }).refused(UserIsAdmin);
    story.when_by(by, RemoveUser { user: ADMIN }).refused(UserIsAdmin);
    story.when_by(by, RemoveUser { user: eve }).refused(UserIsSelf);
    story.when(RemoveUser { user: eve }).then(&["PermissionRevoked", "UserRemoved"]);
    let permission = story.world.permissions.values().find(|p| p.holder == Holder::User(eve)).expect("granted").id;
    story.when(RevokePermission { permission }).then(&["PermissionRevoked"]);
}

#[test]
fn users() {
    let mut story = Story::installed();
    story.when(add_user("admin", None)).refused(UserExists);
    story.when(add_user("", None)).refused(NameEmpty);
    story.when(add_user("a b", None)).refused(NameSpecialCharacters);
    story.when(add_user("eve", Some(nowhere()))).refused(EntityNotFound);
    let eve = user(&mut story, "eve");
    story.when(RemoveUser { user: nowhere() }).refused(EntityNotFound);
    story.does(RemoveUser { user: eve });
    story.when(add_user("eve", None)).accepted();
}

#[test]
fn users_of_another_directory() {
    let mut story = Story::installed();
    let (joe, far, near): (UserId, GroupId, GroupId) = (nowhere(), nowhere(), GroupId(uuid::Uuid::from_u128(5)));
    let account = |name: &str, groups: &[GroupId]| Account {
        id: joe,
        name: name.into(),
        domain: "example.org".into(),
        groups: groups.to_vec(),
        ..Account::default()
    };
    let refresh = |name: &str, groups: &[GroupId]| RefreshUser { account: account(name, groups) };
    story.when_by(Actor::System, refresh("joe", &[far])).refused(NotAuthorized);
    story.does(AddGroup { name: "example.org/staff".into(), of: Some((far, "example.org".into())), roles: Vec::new() });
    let role = role(&story, "UserRole");
    story.does(GrantPermission { holder: Holder::Group(far), role, object: EntityRef::System });
    story.when_by(Actor::System, refresh("joe", &[near])).refused(NotAuthorized);
    story.when(refresh("joe", &[far])).then(&["UserAdded"]);
    story.does(refresh("joe", &[far]));
    story.when(ImportUser { account: account("joe", &[]), roles: Vec::new() }).refused(UserExists);
    story.when(ChangePassword { user: joe, password: "hash".into() }).refused(UserElsewhere);
    story.when(ChangeMember { group: far, user: joe, belongs: false }).refused(GroupElsewhere);
    let own = GroupId(story.does(AddGroup { name: "own".into(), of: None, roles: Vec::new() })[0].as_fold().stream().id);
    story.does(ChangeMember { group: own, user: joe, belongs: true });
    story.when(refresh("joe", &[far])).then(&[]);
    story.does(refresh("joseph", &[]));
    let user = story.world.users.get(&joe).expect("refreshed");
    assert_eq!((user.principal().as_str(), &*user.groups), ("joseph@example.org", &[own][..]));
    let other = Account { id: UserId(uuid::Uuid::from_u128(4)), ..account("joseph", &[far]) };
    story.when(RefreshUser { account: other }).refused(NotAuthorized);
    story
        .when(ImportUser { account: Account { id: UserId(uuid::Uuid::from_u128(4)), ..account("", &[]) }, roles: Vec::new() })
        .refused(UserLoginName);
}

#[test]
fn a_locked_user_stays_so_for_a_while() {
    let mut story = Story::installed();
    let until = story.now + 60_000_000;
    story.does(LockUser { user: ADMIN, seconds: 60, from: None });
    assert_eq!(story.world.users.get(&ADMIN).and_then(|user| user.locked_until), Some(until));
    story.does(LockUser { user: ADMIN, seconds: 0, from: None });
    story.when(LockUser { user: ADMIN, seconds: 0, from: None }).then(&[]);
}

#[test]
fn a_user_whom_the_directory_has_no_more_is_inactive_until_it_has_the_user_again() {
    let mut story = Story::installed();
    let joe = UserId(uuid::Uuid::from_u128(3));
    let account = Account { id: joe, name: "joe".into(), domain: "example.org".into(), ..Account::default() };
    story.does(ImportUser { account: account.clone(), roles: vec![role(&story, "UserRole")] });
    story.does(OpenSession { user: joe, token_hash: "hash".into(), ttl_minutes: 30, ..OpenSession::default() });
    story.when(DeactivateUser { user: joe }).then(&["UserDeactivated", "SessionClosed"]);
    story.does(DeactivateUser { user: joe });
    let inactive = |story: &Story| story.world.users.get(&joe).is_some_and(|user| user.inactive);
    assert!(inactive(&story) && story.world.sessions.is_empty());
    assert_eq!(story.world.held_by(Holder::User(joe)).count(), 1, "what the user may is kept");
    story.when(DeactivateUser { user: joe }).then(&[]);
    story.when(DeactivateUser { user: nowhere() }).then(&[]);
    story.when(DeactivateUser { user: ADMIN }).then(&[]);
    let titled = RefreshUser { account: Account { title: "Engineer".into(), ..account.clone() } };
    story.when(titled).then(&["UserReactivated", "UserRefreshed"]);
    story.when(RefreshUser { account: account.clone() }).then(&["UserReactivated"]);
    story.does(RefreshUser { account: account.clone() });
    assert!(!inactive(&story));
    story.when(RefreshUser { account }).then(&[]);
}
