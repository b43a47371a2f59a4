//! Who may do what: permissions on objects and above them, Everyone, the built-in administrator, sessions.

use evirt_domain::Key::*;
use evirt_domain::access::*;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER};
use evirt_domain::permit::Permit;
use evirt_domain::storage::DeactivateStorageDomain;
use evirt_domain::template::BLANK;
use evirt_domain::vm::{CreateVm, RemoveVm, UpdateVm, VmPatch};
use evirt_domain::vm_run::{MigrateVm, SetTicket, StartVm};
use evirt_domain::{Actor, Event};

use crate::harness::*;

fn role(story: &Story, name: &str) -> RoleId {
    story.world.roles.values().find(|r| r.name == name).expect("a built-in role").id
}

fn add_user(name: &str, role: Option<RoleId>) -> AddUser {
    AddUser { name: name.into(), password: "hash".into(), role }
}

fn user(story: &mut Story, name: &str) -> UserId {
    UserId(story.does(add_user(name, None))[0].as_fold().stream().id)
}

fn grant(user: UserId, role: RoleId, object: Object) -> GrantPermission {
    GrantPermission { holder: Holder::User(user), role, object }
}

fn start(vm: VmId) -> StartVm {
    StartVm { vm, ..StartVm::default() }
}

#[test]
fn a_permission_holds_for_all_that_is_below() {
    let base = estate();
    let (vm, host, domain) = (base.vm, base.host, base.domain);
    let all =
        [Permit::EditVmProperties, Permit::EditHostConfiguration, Permit::ManipulateStorageDomain, Permit::EditDiskProperties];
    let objects = [Object::Vm(vm), Object::Host(host), Object::StorageDomain(domain), Object::Disk(base.disk)];
    for (on, expected) in [
        (Object::System, [true, true, true, true]),
        (Object::DataCenter(DEFAULT_DATA_CENTER), [true, true, true, true]),
        (Object::Cluster(DEFAULT_CLUSTER), [true, true, false, false]),
        (Object::StorageDomain(domain), [false, false, true, true]),
        (Object::Disk(base.disk), [false, false, false, true]),
        (Object::Vm(vm), [true, false, false, false]),
        (Object::Vm(nowhere()), [false, false, false, false]),
        (Object::Host(base.other), [false, false, false, false]),
    ] {
        let mut story = base.clone();
        let eve = user(&mut story, "eve");
        story.does(grant(eve, SUPER_USER, on));
        let may = |n: usize| allowed(&story.world, eve, all[n], objects[n]);
        assert_eq!([may(0), may(1), may(2), may(3)], expected, "{on:?}");
    }
}

#[test]
fn a_role_allows_its_permits_only() {
    let mut estate = estate();
    let (vm, domain) = (estate.vm, estate.domain);
    let eve = user(&mut estate, "eve");
    let by = Actor::User(eve);
    estate.when_by(by, start(vm)).refused(NotAuthorized);
    let (manager, reader) = (role(&estate, "UserVmManager"), role(&estate, "UserRole"));
    estate.does(grant(eve, reader, Object::Vm(vm)));
    estate.when_by(by, start(vm)).accepted();
    estate.when_by(by, RemoveVm { vm, keep_disks: true }).refused(NotAuthorized);
    estate.does(grant(eve, manager, Object::Vm(vm)));
    estate.when_by(by, RemoveVm { vm, keep_disks: true }).accepted();
    estate.when_by(by, UpdateVm { vm, changes: VmPatch { comment: Some("mine".into()), ..VmPatch::default() } }).accepted();
    estate.when_by(by, MigrateVm { vm, host: None, force: false }).refused(NotAuthorized);
    estate.when_by(by, DeactivateStorageDomain { domain }).refused(NotAuthorized);
    estate.when_by(by, SetTicket { vm, expires_s: 60 }).refused(VmStatusIllegal);
    let permission = estate.world.permissions.values().find(|p| p.role == manager).expect("granted").id;
    estate.does(RevokePermission { permission });
    estate.when_by(by, RemoveVm { vm, keep_disks: true }).refused(NotAuthorized);
    estate.when_by(Actor::System, RemoveVm { vm, keep_disks: true }).accepted();
    estate.when_by(Actor::User(nowhere()), start(vm)).refused(NotAuthorized);
}

#[test]
fn everyone_counts_and_so_do_groups() {
    let mut story = Story::installed();
    let eve = user(&mut story, "eve");
    assert!(allowed(&story.world, eve, Permit::CreateVm, Object::Template(BLANK)));
    assert!(!allowed(&story.world, eve, Permit::CreateVm, Object::Cluster(DEFAULT_CLUSTER)));
    assert!(!allowed(&story.world, nowhere(), Permit::CreateVm, Object::Template(BLANK)));
    let create = || CreateVm {
        cluster: DEFAULT_CLUSTER,
        template: BLANK,
        changes: VmPatch { name: Some("vm".into()), ..VmPatch::default() },
    };
    story.when_by(Actor::User(eve), create()).refused(NotAuthorized);
    let role = role(&story, "VmCreator");
    story.does(GrantPermission { holder: Holder::Group(EVERYONE), role, object: Object::System });
    story.when_by(Actor::User(eve), create()).accepted();

    let group = GroupId(uuid::Uuid::from_u128(7));
    let mut story = Story::installed();
    let staff = Group { id: group, version: 0, name: "staff".into(), domain: INTERNAL.into() };
    let member = User { groups: vec![group], ..(**story.world.users.get(&ADMIN).expect("admin")).clone() };
    let bob = UserId(uuid::Uuid::from_u128(8));
    story.given(vec![
        GroupAdded { group: staff }.into(),
        UserAdded { user: User { id: bob, name: "bob".into(), ..member } }.into(),
    ]);
    story.when_by(Actor::User(bob), create()).refused(NotAuthorized);
    story.does(GrantPermission { holder: Holder::Group(group), role, object: Object::Cluster(DEFAULT_CLUSTER) });
    story.when_by(Actor::User(bob), create()).accepted();
}

#[test]
fn granting() {
    let mut estate = estate();
    let vm = estate.vm;
    let (eve, bob) = (user(&mut estate, "eve"), user(&mut estate, "bob"));
    let (manager, admin) = (role(&estate, "UserVmManager"), role(&estate, "ClusterAdmin"));
    estate.when(grant(eve, nowhere(), Object::System)).refused(EntityNotFound);
    estate.when(grant(nowhere(), manager, Object::System)).refused(EntityNotFound);
    let to_group = GrantPermission { holder: Holder::Group(nowhere()), role: manager, object: Object::System };
    estate.when(to_group).refused(EntityNotFound);
    estate.does(grant(eve, manager, Object::Vm(vm)));
    estate.when(grant(eve, manager, Object::Vm(vm))).refused(PermissionExists);
    estate.when(grant(eve, manager, Object::System)).accepted();
    let by = Actor::User(eve);
    estate.when_by(by, grant(bob, manager, Object::Vm(vm))).accepted();
    estate.when_by(by, grant(bob, manager, Object::System)).refused(NotAuthorized);
    estate.when_by(by, grant(bob, admin, Object::Vm(vm))).refused(PermissionAdminOnly);
    estate.when(grant(bob, admin, Object::Vm(vm))).accepted();
    estate.does(grant(eve, SUPER_USER, Object::Cluster(DEFAULT_CLUSTER)));
    estate.when_by(by, grant(bob, admin, Object::Vm(vm))).refused(PermissionAdminOnly);
    assert!(
        is_administrator(&estate.world, eve) && is_administrator(&estate.world, ADMIN) && !is_administrator(&estate.world, bob)
    );
}

#[test]
fn the_built_in_administrator_stays() {
    let mut story = Story::installed();
    story.when(RemoveUser { user: ADMIN }).refused(UserIsAdmin);
    let own = story.world.permissions.values().find(|p| p.holder == Holder::User(ADMIN)).expect("its permission").id;
    story.when(RevokePermission { permission: own }).refused(PermissionLastAdmin);
    let eve = UserId(story.does(add_user("eve", Some(SUPER_USER)))[0].as_fold().stream().id);
    let by = Actor::User(eve);
    story.when_by(by, RevokePermission { permission: own }).refused(PermissionLastAdmin);
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
fn sessions() {
    let mut story = Story::installed();
    let eve = user(&mut story, "eve");
    let open = |user| OpenSession { user, token_hash: "hash".into(), ttl_minutes: 30 };
    story.when(open(eve)).refused(NotAuthorized);
    let role = role(&story, "UserRole");
    story.does(grant(eve, role, Object::Vm(nowhere())));
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
    let refused = story.when(RefuseLogin { name: format!("e\u{0}ve{}", "x".repeat(500)) }).accepted();
    assert!(matches!(&refused[0], Event::LoginFailed(e) if e.name.starts_with("evex") && e.name.len() == 128));
}
