//! Roles and their permits.

use super::*;

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
