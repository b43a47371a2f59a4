//! What hosts report when they are connected to, and what it takes to be up.

use super::*;

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
