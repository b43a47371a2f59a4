//! Which hosts reach which storage domain.

use super::*;

#[test]
fn a_domain_that_no_host_reaches_is_inactive_until_one_does() {
    let mut estate = estate();
    let (host, other, master) = (estate.host, estate.other, estate.domain);
    let second = estate.active_domain(host, "second", DomainClass::Data);
    let report = |domain, host, reachable| ReportDomainReach { domain, host, reachable };
    estate.when(report(master, host, true)).then(&[]);
    estate.when(report(nowhere(), host, false)).then(&[]);
    estate.when(report(master, nowhere(), false)).then(&[]);
    estate.when(report(master, host, false)).then(&["StorageDomainReachChanged"]);
    estate.does(report(master, host, false));
    estate.when(report(master, host, false)).then(&[]);
    let kinds = ["StorageDomainReachChanged", "StorageDomainStatusChanged", "MasterSought"];
    estate.when(report(master, other, false)).then(&kinds);
    estate.does(report(master, other, false));
    assert_eq!((is(&estate, master), data_center(&estate).master), (Some(Inactive), Some(second)));
    estate.does(report(second, host, false));
    estate.does(report(second, other, false));
    assert_eq!(data_center(&estate).status(&estate.world), DataCenterStatus::Problematic);
    // Nothing could follow the last master: what comes back first does.
    let mut first = estate.story.clone();
    first.when(report(master, host, true)).then(&kinds);
    first.does(report(master, host, true));
    assert_eq!((data_center(&first).master, data_center(&first).status(&first.world)), (Some(master), DataCenterStatus::Up));
    first.when(report(second, host, true)).then(&kinds[..2]);
    let mut away = estate.story.clone();
    away.host_is(host, HostStatus::NonResponsive);
    away.when(report(master, host, true)).then(&kinds[..1]);
    away.does(report(master, host, true));
    let back = evirt_domain::host::ReportConnected { host, job: None, outcome: Ok(facts(8, 4)) };
    away.when(back.clone()).then(&["HostFactsReported", "HostStatusChanged", kinds[1], kinds[2]]);
    let mut all_away = away.clone();
    all_away.host_is(other, HostStatus::NonResponsive);
    all_away.does(report(master, other, true));
    assert_eq!(is(&all_away, master), Some(Inactive), "all reach it, and none of them is up");
    all_away.when(back.clone()).then(&["HostFactsReported", "HostStatusChanged", kinds[1], kinds[2]]);
    away.does(report(second, host, true));
    away.when(back).then(&["HostFactsReported", "HostStatusChanged", kinds[1], kinds[1]]);
    estate.does(report(second, other, true));
    assert_eq!((is(&estate, second), data_center(&estate).status(&estate.world)), (Some(Active), DataCenterStatus::Up));
    estate.does(report(master, host, true));
    assert_eq!(is(&estate, master), Some(Active));
    // Each host is left without one of the two: neither is of use, and what both are gone from waits for who comes back.
    estate.when(CheckHostStorage { host: other }).then(&["HostStatusChanged"]);
    estate.does(CheckHostStorage { host });
    assert_eq!(estate.status(host), HostStatus::NonOperational);
    estate.does(report(second, other, false));
    assert_eq!(is(&estate, second), Some(Inactive));
    let back = evirt_domain::host::ReportConnected { host, job: None, outcome: Ok(facts(8, 4)) };
    estate.when(back.clone()).then(&["HostFactsReported", "HostStatusChanged"]);
    estate.does(report(second, host, true));
    let events = estate.does(back);
    assert!(
        events.iter().any(|e| matches!(e, evirt_domain::Event::StorageDomainStatusChanged(e) if e.to == Active)),
        "{events:?}"
    );
}
