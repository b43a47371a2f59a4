//! Hosts that are added, register themselves, are installed, or are removed.

use super::*;

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
