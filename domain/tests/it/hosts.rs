//! Hosts: how they come, which action is refused in which state, maintenance, fencing and removal.

use evirt_domain::Key::{self, *};
use evirt_domain::data_center::DataCenterStatus;
use evirt_domain::host::HostStatus::{self, *};
use evirt_domain::host::*;
use evirt_domain::host_error::EndHostError;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER};
use evirt_domain::vm::{Affinity, UpdateVm, VmPatch};
use evirt_domain::vm_run::{FailLaunch, Observed, StartVm, VmState};
use evirt_domain::{Event, RecordedEvent};

use crate::harness::*;

fn add(config: HostConfig) -> AddHost {
    AddHost { config, sealed_password: "sealed".into(), probe: Ok(facts(16, 8)) }
}

fn spm(story: &Story) -> Option<HostId> {
    story.world.data_centers.get(&DEFAULT_DATA_CENTER).and_then(|dc| dc.spm)
}

#[test]
fn every_action_in_every_state() {
    const OK: Option<Key> = None;
    let (na, np, cr, aw) =
        (Some(HostCannotActivate), Some(HostStatusNotOperational), Some(HostCannotRemove), Some(HostApproveStatus));
    let (ni, uc) = (Some(HostInstallStatus), Some(HostnameFixed));
    #[rustfmt::skip]
    let table = [
        //                        activate                 deactivate               remove approve install address name
        (Unassigned,              [na,                      np,                      cr, aw, ni, uc, OK]),
        (Down,                    [na,                      OK,                      OK, aw, OK, uc, OK]),
        (Maintenance,             [OK,                      Some(HostInMaintenance), OK, aw, OK, OK, OK]),
        (Up,                      [Some(HostAlreadyUp),     OK,                      cr, aw, ni, uc, OK]),
        (NonResponsive,           [Some(HostNonResponsive), OK,                      cr, aw, OK, uc, OK]),
        (Error,                   [OK,                      OK,                      cr, aw, OK, uc, OK]),
        (Installing,              [na,                      np,                      cr, aw, ni, uc, OK]),
        (InstallFailed,           [OK,                      np,                      OK, OK, OK, OK, OK]),
        (Reboot,                  [na,                      np,                      cr, aw, ni, uc, OK]),
        (PreparingForMaintenance, [OK,                      np,                      cr, aw, ni, uc, OK]),
        (NonOperational,          [OK,                      OK,                      cr, aw, OK, uc, OK]),
        (PendingApproval,         [na,                      np,                      OK, OK, ni, Some(HostUpdateStatus), Some(HostUpdateStatus)]),
        (Initializing,            [na,                      np,                      cr, aw, ni, uc, OK]),
        (Connecting,              [na,                      np,                      cr, aw, ni, uc, OK]),
    ];
    assert_eq!(table.map(|(status, _)| status), HostStatus::ALL);
    let actions = ["activate", "deactivate", "remove", "approve", "install", "address", "name"];
    for (status, expected) in table {
        let mut story = Story::installed();
        let host = story.host("alpha");
        story.host_is(host, status);
        let update = |changes| UpdateHost { host, changes };
        let actual = [
            story.when(ActivateHost { host }),
            story.when(DeactivateHost { host }),
            story.when(RemoveHost { host }),
            story.when(ApproveHost { host, cluster: None }),
            story.when(InstallHost { host, sealed_password: "sealed".into(), image: Some("node.iso".into()) }),
            story.when(update(HostPatch { address: Some("192.0.2.77".into()), ..HostPatch::default() })),
            story.when(update(HostPatch { name: Some("omega".into()), ..HostPatch::default() })),
        ];
        let port = story.when(update(HostPatch { port: Some(54_322), ..HostPatch::default() }));
        let fixed = expected[5].map(|key| if key == HostnameFixed { HostPortFixed } else { key });
        assert_eq!(port.key(), fixed, "port while {}", status.name());
        for ((action, expected), actual) in actions.iter().zip(expected).zip(actual) {
            assert_eq!(actual.key(), expected, "{action} while {}", status.name());
        }
    }
}

#[test]
fn adding_a_host() {
    let mut story = Story::installed();
    story.when(add(host_config("alpha"))).then(&["HostAdded", "HostFenceUnconfigured", "JobOpened"]);
    let fenced = HostConfig { power_management: power(), ..host_config("alpha") };
    story.when(add(fenced)).then(&["HostAdded", "JobOpened"]);
    story.does(add(host_config("alpha")));
    let (host, job) = (HostId(story.log[story.log.len() - 2].stream.id), story.job());
    assert_eq!(story.status(host), Installing);
    story.when(ApproveHost { host, cluster: None }).refused(HostApproveType);
    let named = |name: &str| HostConfig { address: "192.0.2.9".into(), ..host_config(name) };
    let at = |address: &str| HostConfig { address: address.into(), ..host_config("beta") };
    for (config, expected) in [
        (named("alpha"), NameAlreadyUsed),
        (named("with space"), NameSpecialCharacters),
        (named("größe"), NameSpecialCharacters),
        (named(&"x".repeat(256)), NameTooLong),
        (at("ALPHA.example.org"), HostAddressInUse),
        (at(""), HostAddressInvalid),
        (at("no host"), HostAddressInvalid),
        (HostConfig { cluster: nowhere(), ..host_config("beta") }, EntityNotFound),
        (HostConfig { spm_priority: 11, ..host_config("beta") }, OutOfRange),
        (HostConfig { spm_priority: -2, ..host_config("beta") }, OutOfRange),
    ] {
        story.when(add(config)).refused(expected);
    }
    let beta = || add(host_config("beta"));
    story.when(AddHost { sealed_password: String::new(), ..beta() }).refused(HostEmptyPassword);
    let unreachable = ProbeFailure::Unreachable("timed out".into());
    story.when(AddHost { probe: Err(unreachable), ..beta() }).refused(HostUnreachable);
    story.when(AddHost { probe: Err(ProbeFailure::WrongPassword), ..beta() }).refused(HostAuthentication);
    // One machine is one host, by whatever address.
    let machine = HostFacts { hardware_uuid: "4c4c4544-0044".into(), ..facts(16, 8) };
    let known = || AddHost { probe: Ok(machine.clone()), ..beta() };
    let mut twice = story.clone();
    twice.does(known());
    twice.when(AddHost { config: host_config("gamma"), ..known() }).refused(HostUuidInUse);
    let node = RegisterHost { name: "node".into(), address: "192.0.2.99".into(), facts: machine.clone() };
    twice.when(node.clone()).then(&[]);
    story.when(node.clone()).then(&["HostRegistered"]);
    let mut node_known = story.clone();
    node_known.does(node);
    node_known.when(known()).refused(HostUuidInUse);

    let mut failed = story.clone();
    failed.does(ReportInstalled { host, job, outcome: Err("no KVM".into()) });
    assert_eq!(failed.status(host), InstallFailed);
    assert!(failed.world.open_jobs.is_empty());
    story.does(ReportInstalled { host, job, outcome: Ok(()) });
    assert_eq!(story.status(host), Initializing);
    assert_eq!(story.world.hosts.get(&host).map(|h| h.sealed_password.as_str()), Some(""));
    story.when(ReportInstalled { host, job, outcome: Ok(()) }).then(&[]);
    story.does(ReportConnected { host, job: Some(job), outcome: Ok(facts(16, 8)) });
    assert_eq!(story.status(host), Up);
    let cpu = &story.world.clusters.get(&DEFAULT_CLUSTER).expect("Default").config.cpu;
    assert_eq!(cpu, "Intel Nehalem Family", "the first host decides");
}

#[test]
fn a_host_that_registers_itself_waits() {
    let mut story = Story::installed();
    let register = |name: &str, address: &str| RegisterHost { name: name.into(), address: address.into(), facts: facts(8, 4) };
    story.does(register("node", "192.0.2.1"));
    story.when(register("node", "192.0.2.1")).then(&[]);
    let events = story.when(register("node", "192.0.2.2")).then(&["HostRegistered"]);
    assert!(matches!(&events[0], Event::HostRegistered(e) if e.config.name == "node-2"));
    let host = HostId(story.log.last().expect("registered").stream.id);
    assert_eq!(story.status(host), PendingApproval);
    story.when(ApproveHost { host, cluster: Some(nowhere()) }).refused(EntityNotFound);
    story.when(ApproveHost { host, cluster: None }).then(&["HostApproved", "JobOpened"]);
}

#[test]
fn a_cpu_below_the_clusters_is_not_operational() {
    let mut story = Story::installed();
    story.host("alpha");
    for (family, status) in [
        ("Intel Westmere Family", Up),
        ("Intel Nehalem Family", Up),
        ("Intel Penryn Family", NonOperational),
        ("AMD Opteron G5", NonOperational),
        ("", NonOperational),
    ] {
        let mut story = story.clone();
        story.does(add(host_config("beta")));
        let (host, job) = (HostId(story.log[story.log.len() - 2].stream.id), story.job());
        story.does(ReportInstalled { host, job, outcome: Ok(()) });
        let facts = HostFacts { cpu_family: family.into(), ..facts(16, 8) };
        story.does(ReportConnected { host, job: Some(job), outcome: Ok(facts) });
        assert_eq!(story.status(host), status, "{family}");
    }
}

#[test]
fn a_host_that_is_reached_is_prepared_before_it_is_up() {
    for before in HostStatus::ALL.iter().copied() {
        let mut story = Story::installed();
        let host = story.host("alpha");
        story.host_is(host, before);
        let reached = story.when(ReportReached { host });
        if !matches!(before, Unassigned | Reboot) {
            reached.then(&[]);
            continue;
        }
        reached.then(&["HostStatusChanged"]);
        story.does(ReportReached { host });
        assert_eq!(story.status(host), Initializing, "{}", before.name());
        story.when(ReportReached { host }).then(&[]);
        let connected = |outcome| ReportConnected { host, job: None, outcome };
        let mut lost = story.clone();
        lost.does(connected(Err("it does not answer".into())));
        assert_eq!(lost.status(host), NonResponsive);
        let mut silent = story.clone();
        silent.does(ReportSilent { host, detail: "no heartbeat".into(), patience: Patience::default() });
        assert_eq!(silent.status(host), NonResponsive, "it does not serve yet, so it is not waited for");
        story.does(connected(Ok(facts(16, 8))));
        assert_eq!(story.status(host), Up);
    }
    Story::installed().when(ReportReached { host: nowhere() }).then(&[]);
}

#[test]
fn a_node_is_installed_from_an_image() {
    let mut story = Story::installed();
    story.does(RegisterHost { name: "node".into(), address: "192.0.2.99".into(), facts: facts(16, 8) });
    let host = HostId(story.log.last().expect("it registered").stream.id);
    story.host_is(host, Maintenance);
    let install = |image: Option<&str>| InstallHost { host, sealed_password: String::new(), image: image.map(Into::into) };
    story.when(install(None)).refused(HostMissingImage);
    story.when(install(Some(""))).refused(HostMissingImage);
    story.when(install(Some(&"x".repeat(256)))).refused(TextTooLong);
    story.when(install(Some("node-6.5.iso"))).then(&["HostInstallationStarted", "JobOpened"]);
    story.does(install(Some("node-6.5.iso")));
    let job = story.job();
    assert_eq!(story.world.job(job).expect("a job").description, "Installing Host node from node-6.5.iso");
}

#[test]
fn a_host_is_given_up_while_it_is_waited_for_only() {
    for before in HostStatus::ALL.iter().copied() {
        let mut story = Story::installed();
        let host = story.host("alpha");
        story.host_is(host, before);
        let kinds: &[&str] = if before == Connecting { &["HostStatusChanged", "HostFenceSkipped"] } else { &[] };
        story.when(GiveUpHost { host }).then(kinds);
    }
}

#[test]
fn a_cpu_without_nx_serves_no_cluster() {
    let mut story = Story::installed();
    story.does(add(host_config("alpha")));
    let (host, job) = (HostId(story.log[story.log.len() - 2].stream.id), story.job());
    story.does(ReportInstalled { host, job, outcome: Ok(()) });
    let lacking = HostFacts { no_nx: true, ..facts(16, 8) };
    let connected = |job, facts| ReportConnected { host, job, outcome: Ok(facts) };
    let told = story.when(connected(Some(job), lacking.clone())).then(&[
        "HostFactsReported",
        "HostNxMissed",
        "HostStatusChanged",
        "JobEnded",
    ]);
    assert!(matches!(&told[2], Event::HostStatusChanged(e) if e.to == NonOperational && e.detail == CPU_INCOMPATIBLE));
    story.does(connected(Some(job), lacking.clone()));
    assert_eq!(story.world.clusters.get(&DEFAULT_CLUSTER).map(|c| c.config.cpu.as_str()), Some(""), "it decides nothing");
    story.when(connected(None, lacking.clone())).then(&[]);
    // It is told again when it is activated, and no more once the flag is switched on.
    story.does(ActivateHost { host });
    let job = story.job();
    story.when(connected(Some(job), lacking)).then(&["HostNxMissed", "HostStatusChanged", "JobEnded"]);
    story.does(connected(Some(job), facts(16, 8)));
    assert_eq!(story.status(host), Up);
}

#[test]
fn maintenance_moves_the_manager_first_and_waits_for_the_vms() {
    let mut estate = estate();
    let (vm, other) = (estate.vm, estate.other);
    let host = spm(&estate).expect("a manager");
    let other = if host == other { estate.host } else { other };
    estate.does(evirt_domain::vm_run::StartVm { vm, host: Some(host), ..Default::default() });
    estate.observe(vm, evirt_domain::vm_run::Observed::Up(Default::default()));
    estate.when(DeactivateHost { host }).then(&["HostStatusChanged", "SpmSelected", "JobOpened"]);
    estate.does(DeactivateHost { host });
    assert_eq!(spm(&estate), Some(other));
    let job = estate.job();
    let finish = |failure: Option<&str>| FinishEvacuation { host, job, failure: failure.map(Into::into) };
    estate.when(finish(None)).refused(StateMoved);
    let mut stays = estate.clone();
    stays.does(finish(Some("a VM does not migrate")));
    assert_eq!(stays.status(host), Up);
    let mut back = estate.clone();
    let kinds = ["JobEnded", "HostStatusChanged", "JobOpened"];
    back.when(ActivateHost { host }).then(&kinds);
    back.does(ActivateHost { host });
    back.when(finish(None)).then(&[]);
    estate.does(evirt_domain::vm_run::MigrateVm { vm, host: None, force: false });
    estate.observe(vm, evirt_domain::vm_run::Observed::Migrated { from: host, to: other });
    estate.does(finish(None));
    assert_eq!(estate.status(host), Maintenance);
    estate.when(RemoveHost { host }).then(&["HostRemoved"]);
}

#[test]
fn what_stands_against_maintenance() {
    let mut estate = estate();
    let (vm, host, other) = (estate.vm, estate.host, estate.other);
    estate.does(evirt_domain::vm_run::StartVm { vm, host: Some(host), ..Default::default() });
    estate.observe(vm, evirt_domain::vm_run::Observed::Up(Default::default()));
    let mut alone = estate.clone();
    alone.host_is(other, Maintenance);
    alone.when(DeactivateHost { host }).refused(HostRunsVmsNoOther);
    let mut lost = estate.clone();
    lost.does(ReportUnresponsive { host, detail: "no heartbeat".into() });
    lost.when(DeactivateHost { host }).refused(HostNonResponsiveWithVms);
    let mut pinned = estate.clone();
    pinned.observe(vm, evirt_domain::vm_run::Observed::Down { error: false, message: String::new() });
    let changes = VmPatch { affinity: Some(Affinity::Pinned), pinned_host: Some(Some(host)), ..VmPatch::default() };
    pinned.does(UpdateVm { vm, changes });
    pinned.up(vm);
    let refusal = pinned.when(DeactivateHost { host }).refused(HostNonMigratableVms);
    assert!(refusal.to_string().contains("guest"), "{refusal}");
}

#[test]
fn a_host_with_vms_or_pins_is_not_removed() {
    let mut estate = estate();
    let (vm, host) = (estate.vm, estate.host);
    estate.does(UpdateVm { vm, changes: VmPatch { pinned_host: Some(Some(host)), ..VmPatch::default() } });
    estate.up(vm);
    estate.host_is(host, Down);
    estate.when(RemoveHost { host }).refused(HostHasVms);
    estate.observe(vm, evirt_domain::vm_run::Observed::Absent);
    estate.when(RemoveHost { host }).refused(HostHasPinnedVms);
    estate.does(UpdateVm { vm, changes: VmPatch { pinned_host: Some(None), ..VmPatch::default() } });
    estate.does(RemoveHost { host });
    estate.when(add(host_config("alpha"))).then(&["HostAdded", "HostFenceUnconfigured", "JobOpened"]);
}

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

#[test]
fn an_evacuation_that_fails_leaves_the_host_as_it_was() {
    for (before, detail) in [(Up, "stuck"), (NonOperational, "network_unreachable"), (NonResponsive, "")] {
        let mut story = Story::installed();
        let host = story.host("alpha");
        story.given(vec![HostStatusChanged { host, from: Up, to: before, detail: detail.into() }.into()]);
        story.does(DeactivateHost { host });
        let job = story.job();
        story.does(FinishEvacuation { host, job, failure: Some("stuck".into()) });
        let after = story.world.hosts.get(&host).expect("the host");
        assert_eq!((after.status, after.detail.as_str()), (before, detail));
    }
}

#[test]
fn the_manager_is_chosen_by_force() {
    let mut estate = estate();
    let manager = spm(&estate).expect("a manager");
    let other = if manager == estate.host { estate.other } else { estate.host };
    let force = |host| evirt_domain::spm::ForceSelectSpm { host };
    let fail = |host| evirt_domain::spm::FailSpm { data_center: DEFAULT_DATA_CENTER, host, reason: "no lease".into() };
    estate.when(force(manager)).refused(SpmHostAlready);
    estate.when(force(other)).then(&["SpmForced", "SpmSelected"]);
    estate.when(fail(manager)).then(&["SpmFailed", "SpmSelected"]);
    estate.when(fail(other)).then(&[]);
    let mut never = estate.clone();
    never.does(UpdateHost { host: other, changes: HostPatch { spm_priority: Some(-1), ..HostPatch::default() } });
    never.when(force(other)).refused(SpmHostNever);
    let mut down = estate.clone();
    down.host_is(other, Maintenance);
    down.when(force(other)).refused(SpmHostNotUp);
    down.when(fail(manager)).then(&["SpmFailed"]);
    down.does(fail(manager));
    down.when(fail(manager)).then(&[]);
    let mut bare = Story::installed();
    let host = bare.host("alpha");
    bare.when(force(host)).refused(SpmHostNotInPool);
    let vm = estate.vm;
    let attach =
        evirt_domain::disk::AttachTo { vm, interface: evirt_domain::disk::DiskInterface::Virtio, bootable: false, active: true };
    estate.does(add_disk("", Some(attach)));
    estate.when(force(other)).refused(SpmPoolBusy);
    estate.when(DeactivateHost { host: manager }).refused(HostIsBusySpm);
}

#[test]
fn the_manager_is_the_fittest_host_that_is_up() {
    let mut estate = estate();
    let (host, other) = (estate.host, estate.other);
    let priority = |estate: &mut Estate, host, priority| {
        estate.does(UpdateHost { host, changes: HostPatch { spm_priority: Some(priority), ..HostPatch::default() } });
    };
    let select = evirt_domain::data_center::SelectSpm { data_center: DEFAULT_DATA_CENTER };
    let first = spm(&estate).expect("a manager");
    estate.when(select.clone()).then(&[]);
    let third = estate.host("gamma");
    for host in [host, other, third] {
        priority(&mut estate, host, if host == third { 9 } else { 3 });
    }
    estate.when(select.clone()).then(&[]);
    estate.does(ReportUnresponsive { host: first, detail: "gone".into() });
    assert_eq!(spm(&estate), Some(third));
    let second = if first == host { other } else { host };
    priority(&mut estate, second, -1);
    estate.does(ReportUnresponsive { host: third, detail: "gone".into() });
    assert_eq!(spm(&estate), None, "a priority of -1 is never the manager");
    let data_center = estate.world.data_centers.get(&DEFAULT_DATA_CENTER).expect("Default");
    assert_eq!(data_center.status(&estate.world), DataCenterStatus::NotOperational);
    estate.does(ReportConnected { host: third, job: None, outcome: Ok(facts(16, 8)) });
    assert_eq!(spm(&estate), Some(third));
    let manages = |r: &RecordedEvent| matches!(&r.event, Event::SpmSelected(e) if e.host == Some(third));
    assert!(estate.log.iter().any(manages));
}

#[test]
fn a_host_is_asked_anew_while_it_is_up_or_in_maintenance() {
    for state in HostStatus::ALL.iter().copied() {
        let mut story = Story::installed();
        let host = story.host("alpha");
        story.host_is(host, state);
        let refresh = |outcome| RefreshHost { host, outcome };
        let grown = facts(32, 8);
        if !matches!(state, Up | Maintenance) {
            story.when(refresh(Ok(grown))).refused(HostStatusIllegal);
            continue;
        }
        story.when(refresh(Err("it does not say".into()))).then(&["HostRefreshed"]);
        story.when(refresh(Ok(facts(16, 8)))).then(&["HostRefreshed"]);
        story.when(refresh(Ok(grown.clone()))).then(&["HostFactsReported", "HostRefreshed"]);
        story.does(refresh(Ok(grown)));
        assert_eq!(story.status(host), state, "it stays as it is");
    }
}
