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
use evirt_domain::{Actor, Decide, Event, Intent};

use crate::harness::*;

fn role(story: &Story, name: &str) -> RoleId {
    story.world.roles.values().find(|r| r.name == name).expect("a built-in role").id
}

fn add_user(name: &str, role: Option<RoleId>) -> AddUser {
    AddUser { name: name.into(), password: "hash".into(), roles: role.into_iter().collect() }
}

fn user(story: &mut Story, name: &str) -> UserId {
    UserId(story.does(add_user(name, None))[0].as_fold().stream().id)
}

fn grant(user: UserId, role: RoleId, object: EntityRef) -> GrantPermission {
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
    let objects = [EntityRef::Vm(vm), EntityRef::Host(host), EntityRef::StorageDomain(domain), EntityRef::Disk(base.disk)];
    for (on, expected) in [
        (EntityRef::System, [true, true, true, true]),
        (EntityRef::DataCenter(DEFAULT_DATA_CENTER), [true, true, true, true]),
        (EntityRef::Cluster(DEFAULT_CLUSTER), [true, true, false, false]),
        (EntityRef::StorageDomain(domain), [false, false, true, true]),
        (EntityRef::Disk(base.disk), [false, false, false, true]),
        (EntityRef::Vm(vm), [true, false, false, false]),
        (EntityRef::Host(base.other), [false, false, false, false]),
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
    estate.does(grant(eve, reader, EntityRef::Vm(vm)));
    estate.when_by(by, start(vm)).accepted();
    estate.when_by(by, RemoveVm { vm, keep_disks: true }).refused(NotAuthorized);
    estate.does(grant(eve, manager, EntityRef::Vm(vm)));
    estate.when_by(by, RemoveVm { vm, keep_disks: true }).accepted();
    estate.when_by(by, UpdateVm { vm, changes: VmPatch { comment: Some("mine".into()), ..VmPatch::default() } }).accepted();
    estate.when_by(by, MigrateVm { vm, host: None, force: false }).refused(NotAuthorized);
    estate.when_by(by, DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER }).refused(NotAuthorized);
    estate.when_by(by, SetTicket { vm, sealed: "sealed".into(), expires_s: 60 }).refused(VmStatusIllegal);
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
fn granting() {
    let mut estate = estate();
    let vm = estate.vm;
    let (eve, bob) = (user(&mut estate, "eve"), user(&mut estate, "bob"));
    let (manager, admin) = (role(&estate, "UserVmManager"), role(&estate, "ClusterAdmin"));
    estate.when(grant(eve, nowhere(), EntityRef::System)).refused(EntityNotFound);
    estate.when(grant(nowhere(), manager, EntityRef::System)).refused(EntityNotFound);
    let to_group = GrantPermission { holder: Holder::Group(nowhere()), role: manager, object: EntityRef::System };
    estate.when(to_group).refused(EntityNotFound);
    estate.does(grant(eve, manager, EntityRef::Vm(vm)));
    estate.when(grant(eve, manager, EntityRef::Vm(vm))).then(&[]);
    estate.when(grant(eve, manager, EntityRef::Vm(nowhere()))).refused(PermissionObject);
    estate.when(grant(eve, manager, EntityRef::System)).accepted();
    let by = Actor::User(eve);
    estate.when_by(by, grant(bob, manager, EntityRef::Vm(vm))).accepted();
    estate.when_by(by, grant(bob, manager, EntityRef::System)).refused(NotAuthorized);
    estate.when_by(by, grant(bob, admin, EntityRef::Vm(vm))).refused(PermissionAdminOnly);
    estate.when(grant(bob, admin, EntityRef::Vm(vm))).accepted();
    estate.does(grant(eve, SUPER_USER, EntityRef::Cluster(DEFAULT_CLUSTER)));
    estate.when_by(by, grant(bob, admin, EntityRef::Vm(vm))).refused(PermissionAdminOnly);
    let permission = estate.world.held_on(Holder::User(eve), EntityRef::Cluster(DEFAULT_CLUSTER)).next().expect("granted").id;
    estate.when_by(by, RevokePermission { permission }).refused(PermissionRemoveAdminOnly);
    assert!(
        is_administrator(&estate.world, eve) && is_administrator(&estate.world, ADMIN) && !is_administrator(&estate.world, bob)
    );
}

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
    let refused = story.when(RefuseLogin { name: format!("e\u{0}ve{}", "x".repeat(500)) }).accepted();
    assert!(matches!(&refused[0], Event::LoginFailed(e) if e.name.starts_with("evex") && e.name.len() == 128));
}

#[test]
fn own_roles() {
    let mut story = Story::installed();
    let create = |name: &str, administrative, permits: &[Permit]| CreateRole {
        name: name.into(),
        description: String::new(),
        administrative,
        permits: permits.to_vec(),
    };
    story.when(create("", true, &[Permit::CreateVm])).refused(NameEmpty);
    story.when(create("a/b", true, &[Permit::CreateVm])).refused(NameSpecialCharacters);
    story.when(create("superuser", true, &[Permit::CreateVm])).refused(NameAlreadyUsed);
    story.when(create("r", true, &[])).refused(RoleWithoutPermits);
    story.when(create("r", false, &[Permit::CreateVm, Permit::CreateHost])).refused(RolePermitType);
    let finance = RoleId(story.does(create("Finance Role", true, &[Permit::CreateVm]))[0].as_fold().stream().id);
    let rename = |role| UpdateRole {
        role,
        changes: RolePatch { name: Some("Engineering".into()), ..RolePatch::default() },
        permits: None,
    };
    story.when(rename(SUPER_USER)).refused(RoleBuiltIn);
    story.when(RemoveRole { role: SUPER_USER }).refused(RoleBuiltIn);
    story.when(AddPermit { role: SUPER_USER, permit: Permit::Login }).refused(RoleBuiltIn);
    story.when(RemovePermit { role: SUPER_USER, permit: Permit::Login }).refused(RoleBuiltIn);
    story.does(rename(finance));
    story.when(rename(finance)).then(&[]);
    story.when(AddPermit { role: finance, permit: Permit::CreateVm }).refused(RolePermitAttached);
    story.when(RemovePermit { role: finance, permit: Permit::Login }).refused(RolePermitMissing);
    story.does(AddPermit { role: finance, permit: Permit::CreateHost });
    let demote =
        UpdateRole { role: finance, changes: RolePatch { administrative: Some(false), ..RolePatch::default() }, permits: None };
    story.when(demote.clone()).refused(RolePermitType);
    story.does(RemovePermit { role: finance, permit: Permit::CreateHost });
    story.does(demote);
    let allow = |permits: &[Permit]| UpdateRole { role: finance, changes: RolePatch::default(), permits: Some(permits.to_vec()) };
    story.when(allow(&[])).refused(RoleWithoutPermits);
    story.when(allow(&[Permit::CreateHost])).refused(RolePermitType);
    story.when(allow(&[Permit::CreateVm])).then(&[]);
    story.does(allow(&[Permit::DeleteVm, Permit::Login]));
    story.when(RemovePermit { role: finance, permit: Permit::CreateVm }).refused(RolePermitMissing);
    story.does(allow(&[Permit::CreateVm]));
    story.when(AddPermit { role: finance, permit: Permit::CreateHost }).refused(RolePermitType);
    let eve = user(&mut story, "eve");
    story.does(grant(eve, finance, EntityRef::System));
    story.when_by(Actor::User(eve), rename(finance)).refused(NotAuthorized);
    story.when_by(Actor::User(eve), evirt_domain::service::TellOfService::Stop).refused(NotAuthorized);
    story.when(RemoveRole { role: finance }).refused(RoleInUse);
    // Who may change roles makes nobody an administrator by it.
    let keeper = RoleId(story.does(create("Keeper", true, &[Permit::ManipulateRoles, Permit::Login]))[0].as_fold().stream().id);
    story.does(grant(eve, keeper, EntityRef::System));
    let promote =
        UpdateRole { role: finance, changes: RolePatch { administrative: Some(true), ..RolePatch::default() }, permits: None };
    story.when_by(Actor::User(eve), promote.clone()).refused(PermissionAdminOnly);
    story.when(promote.clone()).accepted();
    story.does(RemoveUser { user: eve });
    let joe = user(&mut story, "joe");
    story.does(grant(joe, keeper, EntityRef::System));
    story.when_by(Actor::User(joe), promote).accepted();
    story.does(RemoveRole { role: finance });
    story.when(create("Engineering", true, &[Permit::CreateVm])).accepted();
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
fn what_is_removed_takes_its_permissions_along() {
    let mut estate = estate();
    let vm = estate.vm;
    let eve = user(&mut estate, "eve");
    let role = role(&estate, "UserVmManager");
    estate.does(grant(eve, role, EntityRef::Vm(vm)));
    estate.given(vec![evirt_domain::vm::VmRemoved { vm, name: "vm".into() }.into()]);
    assert_eq!(estate.world.held_by(Holder::User(eve)).count() + estate.world.granted_on(EntityRef::Vm(vm)).count(), 0);
}

#[test]
fn who_creates_something_by_the_user_level_api_owns_it() {
    let mut story = Story::installed();
    let eve = user(&mut story, "eve");
    let creator = role(&story, "VmCreator");
    story.does(grant(eve, creator, EntityRef::Cluster(DEFAULT_CLUSTER)));
    let create = CreateVm {
        cluster: DEFAULT_CLUSTER,
        template: BLANK,
        changes: VmPatch { name: Some("vm".into()), ..VmPatch::default() },
    };
    let events = story.when_by(Actor::User(eve), Intent::from(create).owned(true)).accepted();
    let Some(Event::PermissionGranted(granted)) = events.last() else { panic!("{events:?}") };
    assert_eq!((granted.permission.holder, granted.permission.role), (Holder::User(eve), role(&story, "UserVmManager")));
}

#[test]
fn a_locked_user_stays_so_for_a_while() {
    let mut story = Story::installed();
    let until = story.now + 60_000_000;
    story.does(LockUser { user: ADMIN, seconds: 60 });
    assert_eq!(story.world.users.get(&ADMIN).and_then(|user| user.locked_until), Some(until));
    story.does(LockUser { user: ADMIN, seconds: 0 });
    story.when(LockUser { user: ADMIN, seconds: 0 }).then(&[]);
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

#[test]
fn what_reaches_two_objects_needs_a_permit_on_each() {
    use evirt_domain::disk::{AddDisk, AttachTo, DiskConfig, DiskFormat, DiskInterface};
    use evirt_domain::vm::{AddNic, AttachDisk, DiskAttachment, NicConfig, NicInterface};
    let estate = estate();
    let (vm, disk, host) = (estate.vm, estate.disk, estate.host);
    let profile = estate.world.vnic_profiles.values().next().expect("the management network's").id;
    let needs = |command: &dyn Decide| {
        let world = &estate.world;
        command.permit(world).into_iter().chain(command.further_permits(world)).collect::<Vec<_>>()
    };
    let on_vm = |permit| (permit, EntityRef::Vm(vm));
    let create = |changes| CreateVm { cluster: DEFAULT_CLUSTER, template: BLANK, changes };
    let (cluster, blank) = (EntityRef::Cluster(DEFAULT_CLUSTER), EntityRef::Template(BLANK));
    assert_eq!(needs(&create(VmPatch::default())), [(Permit::CreateVm, cluster), (Permit::CreateVm, blank)]);
    let pinned =
        VmPatch { pinned_host: Some(Some(host)), custom_properties: Some(vec![("a".into(), "b".into())]), ..VmPatch::default() };
    assert_eq!(
        needs(&create(pinned.clone()))[2..],
        [(Permit::ChangeVmCustomProperties, cluster), (Permit::EditAdminVmProperties, cluster)]
    );
    assert_eq!(
        needs(&UpdateVm { vm, changes: pinned })[1..],
        [on_vm(Permit::ChangeVmCustomProperties), on_vm(Permit::EditAdminVmProperties)]
    );
    let moved = UpdateVm { vm, changes: VmPatch { cluster: Some(nowhere()), ..VmPatch::default() } };
    assert_eq!(needs(&moved)[1..], [(Permit::CreateVm, EntityRef::Cluster(nowhere()))]);
    let same = UpdateVm { vm, changes: VmPatch { cluster: Some(DEFAULT_CLUSTER), ..VmPatch::default() } };
    assert_eq!(needs(&same), [on_vm(Permit::EditVmProperties)]);
    assert_eq!(
        needs(&StartVm { vm, host: Some(host), ..StartVm::default() }),
        [on_vm(Permit::VmBasicOperations), on_vm(Permit::EditAdminVmProperties)]
    );
    let config = NicConfig {
        name: "nic1".into(),
        interface: NicInterface::Virtio,
        profile: Some(profile),
        mac: String::new(),
        linked: true,
        plugged: true,
        port_mirroring: Vec::new(),
    };
    assert_eq!(
        needs(&AddNic { vm, config }),
        [on_vm(Permit::ConfigureVmNetwork), (Permit::ConfigureVmNetwork, EntityRef::VnicProfile(profile))]
    );
    let attachment = DiskAttachment { disk, interface: DiskInterface::Virtio, bootable: false, active: true };
    assert_eq!(
        needs(&AttachDisk { vm, attachment }),
        [(Permit::AttachDisk, EntityRef::Disk(disk)), on_vm(Permit::ConfigureVmStorage)]
    );
    let config: DiskConfig = estate.world.disks.get(&disk).expect("a disk").config.clone();
    let attach = Some(AttachTo { vm, interface: DiskInterface::Virtio, bootable: false, active: true });
    let conditional = Intent::from(create(VmPatch::default())).owned(true).idempotent("k", "d");
    assert_eq!(conditional.permits(&estate.world).len(), 2, "conditions ask for nothing more");
    let add = AddDisk { config, format: DiskFormat::Cow, sparse: None, storage_domain: None, attach };
    assert_eq!(needs(&add), [(Permit::CreateDisk, EntityRef::StorageDomain(estate.domain)), on_vm(Permit::ConfigureVmStorage)]);
}
