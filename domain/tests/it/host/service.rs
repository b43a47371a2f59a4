//! Hosts that come into service and go to maintenance.

use super::*;

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
