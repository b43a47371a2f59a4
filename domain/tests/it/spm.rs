//! The storage pool manager of a data center.

use evirt_domain::Key::*;
use evirt_domain::data_center::DataCenterStatus;
use evirt_domain::host::HostStatus::*;
use evirt_domain::host::*;
use evirt_domain::ids::*;
use evirt_domain::install::DEFAULT_DATA_CENTER;
use evirt_domain::{Event, RecordedEvent};

use crate::harness::*;

pub fn spm(story: &Story) -> Option<HostId> {
    story.world.data_centers.get(&DEFAULT_DATA_CENTER).and_then(|dc| dc.spm)
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
