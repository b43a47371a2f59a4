//! Permissions: who holds what on which object.

use super::*;

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
