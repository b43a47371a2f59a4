//! Migrations: which machines may move, and the places that they hold.

use super::*;

#[test]
fn who_migrates_where() {
    let mut estate = estate();
    let (vm, host, other) = (estate.vm, estate.host, estate.other);
    let migrate = |to, force| MigrateVm { vm, host: to, force };
    estate.does(StartVm { host: Some(host), ..start(vm) });
    estate.observe(vm, Observed::Up(Guest::default()));
    estate.when(migrate(Some(host), false)).refused(AllHostsFilteredOut);
    estate.when(migrate(Some(nowhere()), false)).refused(EntityNotFound);
    let to = estate.when(migrate(None, false)).then(&["VmMigrationRequested", "JobOpened"]);
    assert!(matches!(&to[0], Event::VmMigrationRequested(e) if (e.from, e.to) == (host, other)));
    let mut away = estate.clone();
    away.host_is(other, HostStatus::Maintenance);
    away.when(migrate(Some(other), false)).refused(HostStatusIllegal);
    away.when(migrate(None, false)).refused(AllHostsFilteredOut);
}

#[test]
fn affinity_says_who_may_migrate() {
    for (affinity, force, expected) in [
        (Affinity::Migratable, false, None),
        (Affinity::UserMigratable, false, Some(VmNotMigratable)),
        (Affinity::UserMigratable, true, None),
        (Affinity::Pinned, false, Some(VmPinned)),
        (Affinity::Pinned, true, Some(VmPinned)),
    ] {
        let mut estate = estate();
        let (vm, host) = (estate.vm, estate.host);
        let changes = VmPatch { affinity: Some(affinity), pinned_host: Some(Some(host)), ..VmPatch::default() };
        estate.does(UpdateVm { vm, changes });
        estate.up(vm);
        let outcome = estate.when(MigrateVm { vm, host: None, force });
        assert_eq!(outcome.key(), expected, "{affinity:?} force {force}");
    }
}

#[test]
fn a_migration_holds_both_places_until_it_ends() {
    let placed = |end: Option<Observed>| {
        let mut estate = estate();
        let (vm, host, other) = (estate.vm, estate.host, estate.other);
        estate.does(StartVm { host: Some(host), ..start(vm) });
        estate.observe(vm, Observed::Up(Guest::default()));
        estate.does(MigrateVm { vm, host: Some(other), force: false });
        if let Some(end) = end {
            estate.observe(vm, end);
            assert!(estate.world.open_jobs.is_empty());
        }
        let on = |host| estate.world.placed.has(host, vm);
        (on(host), on(other), estate.state(vm), estate.world.vms.get(&vm).and_then(|v| v.host()) == Some(other))
    };
    let failed = |cancelled| Observed::MigrationFailed { cancelled, message: "no route".into() };
    let mut ids = estate();
    let (from, to) = (ids.host, ids.other);
    ids.story = Story::empty();
    assert_eq!(placed(None), (true, true, Migrating, false));
    assert_eq!(placed(Some(Observed::Migrated { from, to })), (false, true, Up, true));
    assert_eq!(placed(Some(failed(false))), (true, false, Up, false));
    assert_eq!(placed(Some(failed(true))), (true, false, Up, false));
}

#[test]
fn a_vm_found_again_after_it_was_lost_in_a_migration_has_one_place() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.bring(vm, Migrating);
    estate.observe(vm, Observed::Lost);
    estate.observe(vm, Observed::Up(Guest::default()));
    assert_eq!(estate.world.placed.iter().len(), 1);
    assert_eq!(estate.world.vms.get(&vm).and_then(|v| v.run.as_ref()).and_then(|r| r.destination), None);
}

#[test]
fn a_migration_that_ends_while_the_vm_is_stopped_does_not_bring_it_up() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.up(vm);
    estate.does(MigrateVm { vm, host: None, force: false });
    let run = estate.world.vms.get(&vm).and_then(|vm| vm.run.clone()).expect("it runs");
    let (from, to) = (run.host, run.destination.expect("it migrates"));
    estate.does(StopVm { vm });
    let stopping = estate.state(vm);
    estate.observe(vm, Observed::Migrated { from, to });
    assert_eq!((estate.state(vm), estate.world.vms.get(&vm).and_then(|vm| vm.host())), (stopping, Some(to)));
    estate.observe(vm, Observed::Down { error: false, message: String::new() });
    assert_eq!((estate.state(vm), estate.world.placed.iter().len()), (Down, 0));
}
