//! What drivers observe of machines, and what follows from it.

use super::*;

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
fn a_machine_whose_stop_was_refused_is_started_again_when_it_crashes_later() {
    let mut estate = estate();
    let vm = estate.vm;
    let changes = VmPatch { highly_available: Some(true), ..VmPatch::default() };
    estate.does(evirt_domain::vm::UpdateVm { vm, changes });
    estate.up(vm);
    estate.does(StopVm { vm });
    let job = estate.job();
    estate.does(evirt_domain::job::EndJob { job, failure: Some("refused".into()) });
    estate.observe(vm, Observed::Up(Guest::default()));
    estate.observe(vm, Observed::Down { error: true, message: "a crash".into() });
    assert!(estate.world.to_restart.contains(&vm));
}
