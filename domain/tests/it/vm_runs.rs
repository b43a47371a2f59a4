//! How a run begins, goes on and ends: launches, relocations, resumes, crashes, migrations, and what drivers tell of them.

use evirt_domain::Key::{self, *};
use evirt_domain::host::HostStatus;
use evirt_domain::ids::*;
use evirt_domain::storage::{AttachmentStatus, DomainClass, DomainFile, ReportDomainFiles};
use evirt_domain::vm::*;
use evirt_domain::vm_run::VmState::*;
use evirt_domain::vm_run::*;
use evirt_domain::{Event, Rejection};

use crate::harness::*;

fn start(vm: VmId) -> StartVm {
    StartVm { vm, ..StartVm::default() }
}

fn once(vm: VmId, overrides: RunOverrides) -> StartVm {
    StartVm { vm, overrides, once: true, host: None }
}

#[test]
fn a_boot_sequence_of_one_device_needs_the_device() {
    let mut estate = estate();
    let bare = estate.vm("bare");
    estate.when(start(bare)).refused(VmNoDisk);
    let boot = |boot: BootDevice| RunOverrides { boot: Some(vec![boot]), ..RunOverrides::default() };
    estate.when(once(bare, boot(BootDevice::Network))).refused(VmNoNic);
    estate.when(once(bare, boot(BootDevice::CdRom))).refused(VmNoIsoDomain);
    estate.nic(bare, "nic1");
    estate.when(once(bare, boot(BootDevice::Network))).accepted();
    let host = estate.host;
    let iso = estate.active_domain(host, "iso", DomainClass::Iso);
    estate.when(once(bare, boot(BootDevice::CdRom))).accepted();
    let cd = |file: &str| RunOverrides { cdrom: Some(file.into()), ..boot(BootDevice::CdRom) };
    estate.when(once(bare, cd("rhel.iso"))).refused(IsoNotFound);
    estate.does(ReportDomainFiles { domain: iso, files: vec![DomainFile { name: "rhel.iso".into(), size: GIB }] });
    estate.when(once(bare, cd("rhel.iso"))).accepted();
}

#[test]
fn disks_have_to_be_there() {
    let estate = estate();
    let vm = estate.vm;
    let mut inactive = estate.clone();
    let domain = estate.domain;
    inactive.domain_is(domain, AttachmentStatus::Inactive);
    inactive.when(start(vm)).refused(DomainNotActive);
    let mut locked = estate.clone();
    let attach =
        evirt_domain::disk::AttachTo { vm, interface: evirt_domain::disk::DiskInterface::Virtio, bootable: false, active: true };
    locked.does(add_disk("second", Some(attach)));
    locked.when(start(vm)).refused(DiskLocked);
    let job = locked.job();
    let disk = locked.world.vms.get(&vm).expect("the VM").disks[1].disk;
    locked.does(evirt_domain::disk::FinishDiskCreation { job, disk, outcome: Err("no space".into()) });
    locked.when(start(vm)).refused(DiskIllegal);
    locked.does(UpdateDiskAttachment { vm, disk, interface: None, bootable: None, active: Some(false) });
    locked.when(start(vm)).accepted();
}

#[test]
fn a_highly_available_vm_does_not_run_stateless() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.does(UpdateVm { vm, changes: VmPatch { highly_available: Some(true), ..VmPatch::default() } });
    let stateless = RunOverrides { stateless: Some(true), ..RunOverrides::default() };
    estate.when(once(vm, stateless)).refused(VmStatelessHa);
    estate.when(UpdateVm { vm, changes: VmPatch { stateless: Some(true), ..VmPatch::default() } }).refused(VmStatelessHa);
}

#[test]
fn a_launch_is_tried_on_three_hosts_at_most() {
    let mut estate = estate();
    estate.host("gamma");
    estate.host("delta");
    let vm = estate.vm;
    estate.does(start(vm));
    let job = estate.job();
    let mut tried = vec![];
    let fail = || FailLaunch { vm, job, reason: "no KVM".into() };
    for _ in 0..2 {
        tried.push(estate.world.vms.get(&vm).and_then(|v| v.host()).expect("a place"));
        let events = estate.does(fail());
        assert!(matches!(events.as_slice(), [Event::VmRelocated(e)] if !tried.contains(&e.to)), "{events:?}");
    }
    let last = estate.world.vms.get(&vm).and_then(|v| v.host()).expect("a place");
    assert!(!tried.contains(&last));
    estate.when(fail()).then(&["VmStartFailed", "JobEnded"]);
    estate.does(fail());
    assert_eq!(estate.state(vm), Down);
    assert!(estate.world.placed.iter().len() == 0);
    estate.when(fail()).then(&[]);
}

#[test]
fn a_vm_that_has_left_a_host_is_not_missed_there() {
    let mut estate = estate();
    let (vm, host, other) = (estate.vm, estate.host, estate.other);
    estate.does(StartVm { vm, host: Some(host), ..StartVm::default() });
    estate.observe(vm, Observed::Up(Guest::default()));
    let gone = |host| ReportVm { vm, generation: None, observed: Observed::Gone { host } };
    estate.when(gone(host)).then(&["VmDown"]);
    estate.when(gone(other)).then(&[]);
    estate.does(MigrateVm { vm, host: None, force: false });
    estate.when(gone(host)).then(&[]);
    estate.observe(vm, Observed::Migrated { from: host, to: other });
    estate.when(gone(host)).then(&[]);
    estate.when(gone(other)).then(&["VmDown"]);
}

#[test]
fn a_failed_launch_of_an_earlier_run_is_of_no_interest() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.does(start(vm));
    let first = estate.job();
    estate.does(StopVm { vm });
    estate.when(FailLaunch { vm, job: first, reason: "late".into() }).then(&[]);
}

#[test]
fn a_restore_that_fails_leaves_the_vm_suspended() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.bring(vm, RestoringState);
    let job = estate.job();
    estate.does(FailLaunch { vm, job, reason: "no memory image".into() });
    assert_eq!(estate.state(vm), Suspended);
    estate.does(start(vm));
    estate.observe(vm, Observed::Down { error: true, message: "qemu died".into() });
    assert_eq!(estate.state(vm), Suspended);
}

#[test]
fn a_resume_that_fails_leaves_the_vm_paused_where_it_is() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.bring(vm, Paused);
    let place = estate.world.vms.get(&vm).and_then(|v| v.host());
    estate.does(start(vm));
    let job = estate.job();
    estate.when(FailLaunch { vm, job, reason: "no answer".into() }).then(&["VmPaused", "JobEnded"]);
    estate.does(FailLaunch { vm, job, reason: "no answer".into() });
    assert_eq!((estate.state(vm), estate.world.vms.get(&vm).and_then(|v| v.host())), (Paused, place));
}

#[test]
fn a_vm_that_dies_while_it_resumes_has_crashed() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.bring(vm, Paused);
    estate.does(start(vm));
    let events = estate.observe(vm, Observed::Down { error: true, message: "qemu died".into() });
    assert!(matches!(&events[0], Event::VmDown(e) if e.error), "{events:?}");
}

#[test]
fn only_a_vm_that_goes_by_itself_goes_with_an_error() {
    let gone = |state, observed: Observed| {
        let mut estate = estate();
        let vm = estate.vm;
        estate.bring(vm, state);
        let events = estate.observe(vm, observed);
        assert_eq!(estate.state(vm), Down);
        assert!(estate.world.placed.iter().len() == 0);
        events.into_iter().find_map(|e| if let Event::VmDown(e) = e { Some(e.error) } else { None })
    };
    let crash = || Observed::Down { error: true, message: "signal 9".into() };
    let order = || Observed::Down { error: false, message: "shutdown".into() };
    for (state, observed, error) in [
        (Up, crash(), Some(true)),
        (Up, order(), Some(false)),
        (Up, Observed::Absent, Some(true)),
        (Paused, crash(), Some(true)),
        (Unknown, Observed::Absent, Some(true)),
        (PoweringDown, crash(), Some(false)),
        (PoweringDown, Observed::Absent, Some(false)),
        (Migrating, crash(), Some(true)),
        (RebootInProgress, crash(), Some(true)),
        (WaitForLaunch, crash(), None),
    ] {
        assert_eq!(gone(state, observed.clone()), error, "{observed:?} while {}", state.name());
    }
}

#[test]
fn a_host_that_is_fenced_takes_its_vms_down_with_an_error() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.up(vm);
    let host = estate.world.vms.get(&vm).and_then(|v| v.host()).expect("a place");
    estate.does(evirt_domain::host::ReportUnresponsive { host, detail: "no heartbeat".into() });
    assert_eq!(estate.state(vm), Unknown);
    let events = estate.does(evirt_domain::host::FenceHost { host, fence: evirt_domain::host::FenceType::Manual });
    assert!(matches!(&events[0], Event::VmDown(e) if e.error), "{events:?}");
    assert_eq!(estate.state(vm), Down);
    let other = estate.does(start(vm));
    assert!(matches!(&other[0], Event::VmStartRequested(e) if e.host != host));
}

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
fn an_observation_of_an_earlier_run_changes_nothing() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.up(vm);
    let generation = estate.world.vms.get(&vm).and_then(|v| v.run.as_ref()).map(|r| r.generation);
    estate.observe(vm, Observed::Down { error: false, message: String::new() });
    estate.up(vm);
    estate.when(ReportVm { vm, generation, observed: Observed::Absent }).then(&[]);
    let now = estate.world.vms.get(&vm).and_then(|v| v.run.as_ref()).map(|r| r.generation);
    assert!(now > generation);
    estate.when(ReportVm { vm, generation: now, observed: Observed::Absent }).then(&["VmDown"]);
}

#[test]
fn observations_that_say_nothing_new_record_nothing() {
    let mut estate = estate();
    let vm = estate.vm;
    let idle = |estate: &Estate, observed: Observed| {
        estate.when(ReportVm { vm, generation: None, observed }).then(&[]);
    };
    idle(&estate, Observed::Up(Guest::default()));
    idle(&estate, Observed::Absent);
    estate.up(vm);
    idle(&estate, Observed::Up(Guest::default()));
    idle(&estate, Observed::PoweringUp(Guest::default()));
    idle(&estate, Observed::Saved);
    idle(&estate, Observed::MigrationFailed { cancelled: false, message: String::new() });
    estate.observe(vm, Observed::Lost);
    idle(&estate, Observed::Lost);
}

#[test]
fn a_vm_is_saved_where_storage_is() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let vm = story.vm_with(VmPatch { name: Some("pxe".into()), boot: Some(vec![BootDevice::Network]), ..VmPatch::default() });
    story.nic(vm, "nic1");
    story.up(vm);
    story.when(SuspendVm { vm }).refused(NoDataDomain);
    story.active_domain(host, "data", DomainClass::Data);
    story.when(SuspendVm { vm }).accepted();
}

#[test]
fn a_stateless_vm_is_not_suspended() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.does(UpdateVm { vm, changes: VmPatch { stateless: Some(true), ..VmPatch::default() } });
    estate.up(vm);
    estate.when(SuspendVm { vm }).refused(VmSuspendStateless);
}

#[test]
fn a_shutdown_that_nobody_follows_is_recorded_once_it_falls_back() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.up(vm);
    estate.when(FallBackToStop { vm }).then(&[]);
    estate.does(ShutdownVm { vm });
    estate.when(FallBackToStop { vm }).then(&["VmShutdownFellBack"]);
}

#[test]
fn refusals_name_their_filter() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.does(UpdateVm { vm, changes: VmPatch { sockets: Some(16), ..VmPatch::default() } });
    let refusal: Rejection = estate.when(start(vm)).refused(AllHostsFilteredOut);
    assert_eq!(refusal.because.iter().map(|r| r.key).collect::<Vec<Key>>(), [HostFilteredOut, HostFilteredOut]);
    let mut messages = refusal.messages().split_off(1);
    messages.sort();
    assert_eq!(
        messages,
        ["alpha", "beta"].map(|h| format!("The host {h} did not satisfy the filter CPU: it has 8 CPUs, 16 are needed."))
    );
}

#[test]
fn a_start_on_one_host_is_tried_on_no_other() {
    let mut estate = estate();
    let vm = estate.vm;
    let host = estate.host;
    estate.host("another");
    estate.does(StartVm { host: Some(host), ..start(vm) });
    let failed = FailLaunch { vm, job: estate.job(), reason: "no KVM".into() };
    estate.when(failed).then(&["VmStartFailed", "JobEnded"]);
}

#[test]
fn a_vm_that_may_have_been_launched_is_not_launched_elsewhere() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.host("another");
    estate.does(start(vm));
    let failed = FailLaunch { vm, job: estate.job(), reason: "no answer".into() };
    estate.when(failed.clone()).then(&["VmRelocated"]);
    estate.observe(vm, Observed::Lost);
    estate.when(failed).then(&[]);
}

#[test]
fn a_suspend_that_the_host_refuses_leaves_the_machine_up() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.up(vm);
    estate.does(SuspendVm { vm });
    let job = estate.job();
    assert_eq!(estate.observe(vm, Observed::Up(Guest::default())).len(), 0, "it is being saved");
    estate.does(evirt_domain::job::EndJob { job, failure: Some("no space".into()) });
    estate.observe(vm, Observed::Up(Guest::default()));
    assert_eq!(estate.state(vm), Up);
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
