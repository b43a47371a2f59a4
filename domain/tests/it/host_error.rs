//! Hosts on which starts fail again and again.

use evirt_domain::Key::*;
use evirt_domain::host::HostStatus::*;
use evirt_domain::host::*;
use evirt_domain::host_error::EndHostError;
use evirt_domain::ids::*;
use evirt_domain::vm_run::{FailLaunch, Observed, StartVm};

use crate::harness::*;
use crate::spm::spm;

#[test]
fn a_host_where_starts_fail_again_and_again_rests_in_error() {
    const REST: Micros = 60_000_000;
    let mut estate = estate();
    let vm = estate.vm;
    let host = spm(&estate).expect("a manager");
    let start = || StartVm { vm, host: Some(host), ..StartVm::default() };
    let fails = |estate: &mut Estate| {
        estate.does(start());
        let job = estate.job();
        estate.does(FailLaunch { vm, job, reason: "no KVM".into() });
        estate.status(host)
    };
    assert_eq!([fails(&mut estate), fails(&mut estate)], [Up, Up]);
    estate.does(start());
    estate.observe(vm, Observed::Up(Default::default()));
    estate.observe(vm, Observed::Down { error: false, message: String::new() });
    assert_eq!(
        [fails(&mut estate), fails(&mut estate), fails(&mut estate)],
        [Up, Up, Error],
        "counted from the one that came up"
    );
    assert!(spm(&estate).is_some_and(|other| other != host), "the manager moves");
    estate.when(start()).refused(AllHostsFilteredOut);
    estate.does(StartVm { vm, ..StartVm::default() });
    assert_ne!(estate.world.vms.get(&vm).and_then(|v| v.host()), Some(host));
    let ends = EndHostError { host, rest: REST };
    estate.when(ends.clone()).then(&[]);
    estate.now += REST;
    estate.does(ends.clone());
    assert_eq!(estate.status(host), Up);
    estate.when(ends).then(&[]);
    estate.observe(vm, Observed::Down { error: false, message: String::new() });
    assert_eq!([fails(&mut estate), fails(&mut estate), fails(&mut estate)], [Up, Up, Error]);
    estate.when(ActivateHost { host }).then(&["HostStatusChanged", "JobOpened"]);
}
