//! Power management: agents, actions, and hosts that are not heard of.

use evirt_domain::Event;
use evirt_domain::Key::*;
use evirt_domain::host::HostStatus::*;
use evirt_domain::host::*;
use evirt_domain::vm_run::VmState;

use crate::harness::*;
use crate::spm::spm;

#[test]
fn what_was_never_up_is_confirmed_as_rebooted_and_what_is_in_error_is_not() {
    let mut estate = estate();
    let host = estate.other;
    for status in [InstallFailed, Maintenance] {
        estate.host_is(host, status);
        estate.when(FenceHost { host, fence: FenceType::Manual }).then(&["HostFenced"]);
    }
    estate.host_is(host, Error);
    estate.when(FenceHost { host, fence: FenceType::Manual }).refused(FenceManualStatus);
}

#[test]
fn fencing() {
    let mut estate = estate();
    let (host, other) = (estate.host, estate.other);
    let fence = |fence| FenceHost { host, fence };
    estate.when(fence(FenceType::Restart)).refused(FenceDisabled);
    estate.when(fence(FenceType::Manual)).refused(FenceManualStatus);
    let with = |power: PowerManagement| UpdateHost {
        host,
        changes: HostPatch { power_management: Some(power), ..HostPatch::default() },
    };
    let agent = |kind: &str| PowerManagement { agent: kind.into(), ..power() };
    estate.when(with(PowerManagement { password: String::new(), ..power() })).refused(FenceCredentialsMissing);
    estate.when(with(PowerManagement { address: String::new(), ..power() })).refused(FenceCredentialsMissing);
    estate.when(with(PowerManagement { address: "a b".into(), ..power() })).refused(HostAddressInvalid);
    estate.when(with(agent(""))).refused(FenceAgentMissing);
    estate.when(with(agent("lever"))).refused(FenceAgentUnsupported);
    let unnamed = vec![(String::new(), "1".to_owned())];
    estate.when(with(PowerManagement { options: unnamed, ..power() })).refused(OptionUnnamed);
    estate.does(with(power()));
    estate.when(fence(FenceType::Start)).refused(FenceStartStatus);
    estate.when(fence(FenceType::Stop)).refused(FenceStopStatus);
    estate.when(fence(FenceType::Restart)).then(&["HostFencingStarted", "JobOpened"]);
    estate.when(fence(FenceType::Status)).then(&["HostFencingStarted", "JobOpened"]);
    let vm = estate.vm;
    estate.does(evirt_domain::vm_run::StartVm { vm, host: Some(host), ..Default::default() });
    estate.observe(vm, evirt_domain::vm_run::Observed::Up(Default::default()));
    estate.does(ReportUnresponsive { host, detail: "no heartbeat".into() });
    assert_eq!((estate.status(host), estate.state(vm), spm(&estate)), (NonResponsive, VmState::Unknown, Some(other)));
    estate.when(ReportUnresponsive { host, detail: "again".into() }).then(&[]);
    let mut alone = estate.clone();
    alone.host_is(other, Maintenance);
    alone.when(fence(FenceType::Restart)).refused(FenceNoProxy);
    for (kind, failure, status, state) in [
        (FenceType::Stop, None, Down, VmState::Down),
        (FenceType::Restart, None, Reboot, VmState::Down),
        (FenceType::Start, None, NonResponsive, VmState::Unknown),
        (FenceType::Restart, Some("agent timed out"), NonResponsive, VmState::Unknown),
    ] {
        let mut story = estate.clone();
        story.does(fence(kind));
        let job = story.job();
        story.does(FinishFence { host, job, fence: kind, failure: failure.map(Into::into) });
        assert_eq!((story.status(host), story.state(vm)), (status, state), "{kind:?} {failure:?}");
        assert!(!story.world.open_jobs.contains(&job));
    }
}

#[test]
fn agents_are_tried_in_their_order() {
    let further =
        |address: &str, order| PowerAgent { kind: "rsa".into(), address: address.into(), order, ..PowerAgent::default() };
    let power = PowerManagement { agents: vec![further("c", 2), further("b", 1)], ..power() };
    let order = |power: &PowerManagement| power.all().iter().map(|a| a.address.clone()).collect::<Vec<_>>();
    assert_eq!(order(&power), ["192.0.2.200", "b", "c"]);
    let listed = PowerManagement { agent: "rsa".into(), address: "c".into(), ..power };
    assert_eq!(order(&listed), ["b", "c"], "the first is among the further ones");
}

#[test]
fn a_restart_takes_the_power_away_before_it_gives_it_back() {
    let mut estate = estate();
    let (host, vm) = (estate.host, estate.vm);
    estate.does(UpdateHost { host, changes: HostPatch { power_management: Some(power()), ..HostPatch::default() } });
    estate.does(evirt_domain::vm_run::StartVm { vm, host: Some(host), ..Default::default() });
    estate.observe(vm, evirt_domain::vm_run::Observed::Up(Default::default()));
    estate.does(ReportUnresponsive { host, detail: "no heartbeat".into() });
    estate.does(FenceHost { host, fence: FenceType::Restart });
    let job = estate.job();
    estate.when(FenceHost { host, fence: FenceType::Status }).refused(FenceInProgress);
    estate.does(evirt_domain::fence::ReportPoweredOff { host, job });
    assert_eq!((estate.status(host), estate.state(vm)), (Down, VmState::Down));
    let finish = |failure: Option<&str>| FinishFence { host, job, fence: FenceType::Restart, failure: failure.map(Into::into) };
    estate.when(finish(Some("no power"))).then(&["HostFenced", "JobEnded"]);
    estate.does(finish(None));
    assert_eq!(estate.status(host), Reboot);
    estate.when(ReportUnresponsive { host, detail: "it boots".into() }).then(&[]);
    estate.when(ReportNotBack { host }).then(&["HostStatusChanged"]);
    estate.host_is(host, Down);
    estate.does(FenceHost { host, fence: FenceType::Start });
    let job = estate.job();
    estate.does(FinishFence { host, job, fence: FenceType::Start, failure: None });
    assert_eq!(estate.status(host), Reboot);
}

#[test]
fn a_host_that_does_not_answer_is_waited_for() {
    let mut estate = estate();
    let (host, vm) = (estate.host, estate.vm);
    estate.does(evirt_domain::vm_run::StartVm { vm, host: Some(host), ..Default::default() });
    estate.observe(vm, evirt_domain::vm_run::Observed::Up(Default::default()));
    let manager = spm(&estate);
    let silent = ReportSilent { host, detail: "no heartbeat".into(), patience: Patience::default() };
    estate.does(silent.clone());
    let lost = estate.log.iter().rev().find_map(|recorded| match &recorded.event {
        Event::HostContactLost(e) => Some(e.grace_ms),
        _ => None,
    });
    assert_eq!(lost, Some(30_000 + 500 + if manager == Some(host) { 20_000 } else { 0 }));
    assert_eq!((estate.status(host), estate.state(vm), spm(&estate)), (Connecting, VmState::Up, manager));
    estate.when(silent).then(&[]);
    estate.when(DeactivateHost { host }).refused(HostStatusNotOperational);
    estate.when(ReportConnected { host, job: None, outcome: Err("still not".into()) }).then(&[]);
    let mut back = estate.clone();
    back.does(ReportConnected { host, job: None, outcome: Ok(facts(16, 8)) });
    assert_eq!((back.status(host), back.state(vm)), (Up, VmState::Up));
    estate.does(ReportUnresponsive { host, detail: "no heartbeat".into() });
    assert_eq!((estate.status(host), estate.state(vm)), (NonResponsive, VmState::Unknown));
}

#[test]
fn vms_leave_a_failed_host_as_their_cluster_says() {
    use evirt_domain::cluster::{ClusterPatch, ClusterUpdated, OnError};
    use evirt_domain::schedule::to_evacuate;
    use evirt_domain::vm::{Affinity, VmPatch, VmUpdated};
    let mut estate = estate();
    let (host, vm) = (estate.host, estate.vm);
    estate.does(evirt_domain::vm_run::StartVm { vm, host: Some(host), ..Default::default() });
    estate.observe(vm, evirt_domain::vm_run::Observed::Up(Default::default()));
    assert!(to_evacuate(&estate.world).is_empty(), "the host serves");
    estate.host_is(host, NonOperational);
    let is = |changes| Event::from(VmUpdated { vm, changes });
    let on_error = |on_error| {
        let changes = ClusterPatch { on_error: Some(on_error), ..ClusterPatch::default() };
        Event::from(ClusterUpdated { cluster: evirt_domain::install::DEFAULT_CLUSTER, changes })
    };
    for (policy, highly_available, leaves) in [
        (OnError::Migrate, false, true),
        (OnError::MigrateHighlyAvailable, false, false),
        (OnError::MigrateHighlyAvailable, true, true),
        (OnError::DoNotMigrate, true, false),
    ] {
        let available = VmPatch { highly_available: Some(highly_available), ..VmPatch::default() };
        estate.given(vec![on_error(policy), is(available)]);
        assert_eq!(!to_evacuate(&estate.world).is_empty(), leaves, "{policy:?}, highly available: {highly_available}");
    }
    estate.given(vec![on_error(OnError::Migrate), is(VmPatch { affinity: Some(Affinity::Pinned), ..VmPatch::default() })]);
    assert!(to_evacuate(&estate.world).is_empty(), "it may not move");
}

#[test]
fn power_management_rests_after_the_start_and_after_the_same_action() {
    let mut estate = estate();
    let host = estate.host;
    estate.does(UpdateHost { host, changes: HostPatch { power_management: Some(power()), ..HostPatch::default() } });
    let fence = |fence| FenceHost { host, fence };
    estate.quiet.until = estate.now + 300_000_000;
    estate.when(fence(FenceType::Restart)).refused(FenceAtStartup);
    estate.when(fence(FenceType::Status)).then(&["HostFencingStarted", "JobOpened"]);
    estate.quiet = evirt_domain::context::QuietTimes { until: estate.now, between: 180_000_000 };
    estate.does(fence(FenceType::Restart));
    let job = estate.job();
    estate.does(FinishFence { host, job, fence: FenceType::Restart, failure: None });
    estate.when(fence(FenceType::Restart)).refused(FenceQuietTime);
    estate.when(fence(FenceType::Stop)).then(&["HostFencingStarted", "JobOpened"]);
    estate.now += 181_000_000;
    estate.when(fence(FenceType::Restart)).then(&["HostFencingStarted", "JobOpened"]);
}
