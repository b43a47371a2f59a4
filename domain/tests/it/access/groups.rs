//! Groups and their members.

use super::*;

#[test]
fn everyone_counts_and_so_do_groups() {
    let mut story = Story::installed();
    let eve = user(&mut story, "eve");
    assert!(allowed(&story.world, eve, Permit::CreateVm, EntityRef::Template(BLANK)));
    assert!(!allowed(&story.world, eve, Permit::CreateVm, EntityRef::Cluster(DEFAULT_CLUSTER)));
    assert!(!allowed(&story.world, nowhere(), Permit::CreateVm, EntityRef::Template(BLANK)));
    let create = || CreateVm {
        cluster: DEFAULT_CLUSTER,
        template: BLANK,
        changes: VmPatch { name: Some("vm".into()), ..VmPatch::default() },
    };
    story.when_by(Actor::User(eve), create()).refused(NotAuthorized);
    let role = role(&story, "VmCreator");
    story.does(GrantPermission { holder: Holder::Group(EVERYONE), role, object: EntityRef::System });
    story.when_by(Actor::User(eve), create()).accepted();

    let group = GroupId(uuid::Uuid::from_u128(7));
    let mut story = Story::installed();
    let staff = Group::new(group, "staff", INTERNAL);
    let member = User { groups: vec![group], ..(**story.world.users.get(&ADMIN).expect("admin")).clone() };
    let bob = UserId(uuid::Uuid::from_u128(8));
    story.given(vec![
        GroupAdded { group: staff }.into(),
        UserAdded { user: User { id: bob, name: "bob".into(), ..member } }.into(),
    ]);
    story.when_by(Actor::User(bob), create()).refused(NotAuthorized);
    story.does(GrantPermission { holder: Holder::Group(group), role, object: EntityRef::Cluster(DEFAULT_CLUSTER) });
    story.when_by(Actor::User(bob), create()).accepted();
}

#[test]
fn groups_and_their_members() {
    let mut story = Story::installed();
    let eve = user(&mut story, "eve");
    let add = |name: &str| AddGroup { name: name.into(), of: None, roles: Vec::new() };
    story.when(add("")).refused(NameEmpty);
    story.when(add("everyone")).refused(GroupExists);
    let keepers = CreateRole {
        name: "Keeper".into(),
        description: String::new(),
        administrative: true,
        permits: vec![Permit::ManipulateUsers, Permit::Login],
    };
    let keeper = RoleId(story.does(keepers)[0].as_fold().stream().id);
    story.does(grant(eve, keeper, EntityRef::System));
    let with = |roles: &[RoleId]| AddGroup { roles: roles.to_vec(), ..add("keepers") };
    story.when_by(Actor::User(eve), with(&[SUPER_USER])).refused(PermissionAdminOnly);
    story.when_by(Actor::User(eve), with(&[role(&story, "UserRole")])).accepted();
    let permission = story.world.held_on(Holder::User(eve), EntityRef::System).next().unwrap().id;
    story.does(RevokePermission { permission });
    let staff = GroupId(story.does(add("staff"))[0].as_fold().stream().id);
    let change = |group, belongs| ChangeMember { group, user: eve, belongs };
    story.when(change(EVERYONE, true)).refused(GroupIsEveryone);
    story.when(change(nowhere(), true)).refused(EntityNotFound);
    story.when(change(staff, false)).then(&[]);
    story.does(change(staff, true));
    story.when(change(staff, true)).then(&[]);
    let role = role(&story, "UserRole");
    assert!(!may_log_in(&story.world, eve), "what Everyone holds lets nobody in");
    story.does(GrantPermission { holder: Holder::Group(staff), role, object: EntityRef::System });
    assert!(may_log_in(&story.world, eve));
    story.does(change(staff, false));
    assert!(!may_log_in(&story.world, eve));
    story.does(change(staff, true));
    story.when(RemoveGroup { group: EVERYONE }).refused(GroupIsEveryone);
    story.when(RemoveGroup { group: staff }).then(&["PermissionRevoked", "GroupRemoved"]);
    story.does(RemoveGroup { group: staff });
    assert!(story.world.users.get(&eve).is_some_and(|eve| eve.groups.is_empty()) && !may_log_in(&story.world, eve));
}
