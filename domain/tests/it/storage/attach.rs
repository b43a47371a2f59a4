//! Storage domains in data centers: attached, active, in maintenance, and which of them is the master.

use super::*;

#[test]
fn attachment() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let iso = story.domain(host, "iso", DomainClass::Iso);
    let data = story.domain(host, "data", DomainClass::Data);
    story.when(attach(iso)).refused(DomainNeedsData);
    story.when(AttachStorageDomain { domain: data, data_center: nowhere() }).refused(EntityNotFound);
    story.when(attach(nowhere())).refused(EntityNotFound);
    assert_eq!(data_center(&story).status(&story.world), DataCenterStatus::Uninitialized);
    story.when(attach(data)).then(&["StorageDomainAttached", "JobOpened"]);
    story.does(attach(data));
    story.when(attach(data)).refused(DomainAlreadyAttached);
    story.when(attach(iso)).refused(MasterNotActive);

    let mut failed = story.clone();
    let (job, domain) = (failed.job(), data);
    failed.does(FinishStorageTask { job, domain, outcome: Err("no lease".into()) });
    assert_eq!((is(&failed, data), data_center(&failed).master), (None, None));
    assert_eq!(data_center(&failed).storage_format, None);

    // What is attached stays so where only the activation fails.
    let mut half = story.clone();
    half.does(FinishStep { job, done: 1 });
    half.does(FinishStorageTask { job, domain, outcome: Err("mount failed".into()) });
    assert_eq!((is(&half, data), data_center(&half).master), (Some(Maintenance), Some(data)));
    assert_eq!(data_center(&half).status(&half.world), DataCenterStatus::Maintenance);
    half.does(ActivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
    half.finish_storage(data);
    assert_eq!(data_center(&half).status(&half.world), DataCenterStatus::Up);

    story.finish_storage(data);
    let dc = data_center(&story);
    assert_eq!((dc.master, dc.spm, dc.storage_format), (Some(data), Some(host), Some(StorageFormat::V3)));
    assert_eq!((is(&story, data), dc.status(&story.world)), (Some(Active), DataCenterStatus::Up));
    for (class, key) in [(DomainClass::Iso, DomainOneIso), (DomainClass::Export, DomainOneExport)] {
        let first = story.domain(host, &format!("first-{}", class.name()), class);
        let second = story.domain(host, &format!("second-{}", class.name()), class);
        story.does(attach(first));
        story.finish_storage(first);
        story.when(attach(second)).refused(key);
    }
    let lun = lun("3600", "iqn.a");
    story.does(CreateStorageDomain { storage: lun, ..create_domain(host, "lun", DomainClass::Data) });
    let (job, domain) = (story.job(), added(&story));
    story.does(FinishStorageDomainCreation { job, domain, outcome: Ok((GIB, 0)) });
    story.when(attach(domain)).refused(DomainTypeMismatch);
    let more = story.domain(host, "more", DomainClass::Data);
    story.host_is(host, HostStatus::NonOperational);
    story.when(attach(more)).refused(NoHostInDataCenter);
}

#[test]
fn the_master_hands_over() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let master = story.active_domain(host, "master", DomainClass::Data);
    let iso = story.active_domain(host, "iso", DomainClass::Iso);
    let deactivate = |domain| DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER };
    story.when(deactivate(master)).refused(MasterWithOthers);
    let second = story.active_domain(host, "second", DomainClass::Data);

    let mut busy = story.clone();
    busy.does(deactivate(second));
    busy.when(deactivate(master)).refused(MasterWithLocked);

    story.when(deactivate(master)).then(&["StorageDomainStatusChanged", "JobOpened"]);
    story.does(deactivate(master));
    let mut failed = story.clone();
    let (job, domain) = (failed.job(), master);
    failed.does(FinishStorageTask { job, domain, outcome: Err("lease held".into()) });
    assert_eq!((is(&failed, master), data_center(&failed).master), (Some(Active), Some(master)));
    story.finish_storage(master);
    assert_eq!((is(&story, master), data_center(&story).master), (Some(Maintenance), Some(second)));
    assert_eq!(data_center(&story).status(&story.world), DataCenterStatus::Up);

    story.does(DetachStorageDomain { domain: master, data_center: DEFAULT_DATA_CENTER });
    story.finish_storage(master);
    assert_eq!(is(&story, master), None);

    story.does(deactivate(iso));
    story.finish_storage(iso);
    story.does(deactivate(second));
    story.finish_storage(second);
    assert_eq!(data_center(&story).master, Some(second), "the last one stays the master");
    assert_eq!(data_center(&story).status(&story.world), DataCenterStatus::Maintenance);
    story.when(DetachStorageDomain { domain: second, data_center: DEFAULT_DATA_CENTER }).refused(DomainLast);
    story.when(ActivateStorageDomain { domain: iso, data_center: DEFAULT_DATA_CENTER }).refused(MasterNotActive);
    story.does(ActivateStorageDomain { domain: second, data_center: DEFAULT_DATA_CENTER });
    story.finish_storage(second);
    story.when(ActivateStorageDomain { domain: iso, data_center: DEFAULT_DATA_CENTER }).accepted();
}

#[test]
fn who_is_to_follow_a_leaving_master_stays_while_others_need_it() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let master = story.active_domain(host, "master", DomainClass::Data);
    let iso = story.active_domain(host, "iso", DomainClass::Iso);
    let second = story.active_domain(host, "second", DomainClass::Data);
    let deactivate = |domain| DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER };
    let mut with_third = story.clone();
    with_third.active_domain(host, "third", DomainClass::Data);
    with_third.does(deactivate(master));
    with_third.when(deactivate(second)).accepted();
    story.does(deactivate(master));
    let leaving = story.job();
    story.when(deactivate(second)).refused(MasterWithOthers);
    story.does(deactivate(iso));
    story.finish_storage(iso);
    // With nothing left that needs one, both may go.
    story.does(deactivate(second));
    story.finish_storage(second);
    story.does(FinishStorageTask { job: leaving, domain: master, outcome: Ok(()) });
    assert_eq!(data_center(&story).status(&story.world), DataCenterStatus::Maintenance);
}

#[test]
fn an_activation_that_fails_leaves_the_domain_as_it_was() {
    let mut estate = estate();
    let domain = estate.domain;
    estate.does(DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
    estate.finish_storage(domain);
    let host = estate.host;
    let other = estate.other;
    let mut dark = estate.clone();
    dark.host_is(host, HostStatus::NonOperational);
    dark.host_is(other, HostStatus::NonOperational);
    dark.when(ActivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER }).refused(NoHostInDataCenter);
    estate.does(ActivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
    let job = estate.job();
    estate.does(FinishStorageTask { job, domain, outcome: Err("mount failed".into()) });
    assert_eq!(is(&estate, domain), Some(Maintenance), "its connections can be mended");
    assert_eq!(data_center(&estate).status(&estate.world), DataCenterStatus::Maintenance);
    estate.domain_is(domain, Inactive);
    estate.does(ActivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
    let job = estate.job();
    estate.does(FinishStorageTask { job, domain, outcome: Err("mount failed".into()) });
    assert_eq!(is(&estate, domain), Some(Inactive));
    assert_eq!(data_center(&estate).status(&estate.world), DataCenterStatus::Problematic);
}

#[test]
fn what_is_in_use_stays_active() {
    let mut estate = estate();
    let (domain, vm, host) = (estate.domain, estate.vm, estate.host);
    let iso = estate.active_domain(host, "iso", DomainClass::Iso);
    estate.does(ReportDomainFiles { domain: iso, files: vec![DomainFile { name: "rhel.iso".into(), size: GIB }] });
    let second = estate.active_domain(host, "second", DomainClass::Data);
    let overrides = RunOverrides { cdrom: Some("rhel.iso".into()), ..RunOverrides::default() };
    estate.does(StartVm { vm, overrides, once: true, host: None });
    estate.when(DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER }).refused(DomainHasActiveVms);
    estate.when(DeactivateStorageDomain { domain: iso, data_center: DEFAULT_DATA_CENTER }).refused(DomainHasActiveVms);
    estate.when(DeactivateStorageDomain { domain: second, data_center: DEFAULT_DATA_CENTER }).accepted();
    estate.observe(vm, evirt_domain::vm_run::Observed::Up(Default::default()));
    estate.does(ChangeCdRom { vm, file: String::new(), current: true });
    estate.when(DeactivateStorageDomain { domain: iso, data_center: DEFAULT_DATA_CENTER }).refused(DomainHasActiveVms);
    let job = estate.job();
    estate.does(FinishCdChange { job, vm, file: String::new(), outcome: Ok(()) });
    estate.when(DeactivateStorageDomain { domain: iso, data_center: DEFAULT_DATA_CENTER }).accepted();
    estate.does(DeactivateStorageDomain { domain: iso, data_center: DEFAULT_DATA_CENTER });
    estate.finish_storage(iso);
    estate.when(DetachStorageDomain { domain: iso, data_center: DEFAULT_DATA_CENTER }).accepted();
    estate.observe(vm, evirt_domain::vm_run::Observed::Down { error: false, message: String::new() });
    estate.does(DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
    estate.finish_storage(domain);
    estate.when(DetachStorageDomain { domain, data_center: DEFAULT_DATA_CENTER }).refused(DomainHasImages);
}

#[test]
fn an_iso_domain_stands_in_each_data_center_on_its_own() {
    let mut estate = estate();
    let (host, near) = (estate.host, DEFAULT_DATA_CENTER);
    let iso = estate.active_domain(host, "iso", DomainClass::Iso);
    let (far, away) = second_data_center(&mut estate, CURRENT_VERSION, StorageFormat::V3);
    let attach = |domain, data_center| AttachStorageDomain { domain, data_center };
    estate.when(attach(estate.domain, far)).refused(DomainAlreadyAttached);
    estate.when(attach(iso, near)).refused(DomainAlreadyAttached);
    estate.does(attach(iso, far));
    estate.finish_storage(iso);
    let second = estate.domain(host, "iso2", DomainClass::Iso);
    estate.when(attach(second, far)).refused(DomainOneIso);
    let statuses =
        |story: &Story| [near, far].map(|dc| story.world.storage_domains.get(&iso).unwrap().attachment_in(dc).map(|a| a.status));
    assert_eq!(statuses(&estate), [Some(Active); 2]);
    // What one data center does with it is nothing to the other.
    let mut dark = estate.story.clone();
    dark.does(ReportDomainReach { domain: iso, host: away, reachable: false });
    assert_eq!(statuses(&dark), [Some(Active), Some(Inactive)]);
    let (vm, cdrom) = (estate.vm, "rhel.iso".to_owned());
    estate.does(ReportDomainFiles { domain: iso, files: vec![DomainFile { name: cdrom.clone(), size: GIB }] });
    estate.does(ChangeCdRom { vm, file: cdrom, current: false });
    estate.does(StartVm { vm, ..StartVm::default() });
    estate.when(DeactivateStorageDomain { domain: iso, data_center: near }).refused(DomainHasActiveVms);
    estate.does(DeactivateStorageDomain { domain: iso, data_center: far });
    estate.finish_storage(iso);
    assert_eq!(statuses(&estate), [Some(Active), Some(Maintenance)]);
    let destroy = RemoveStorageDomain { domain: iso, host: None, format: false, destroy: true };
    estate.when(destroy).refused(DomainStatusIllegal);
    estate.does(DetachStorageDomain { domain: iso, data_center: far });
    estate.finish_storage(iso);
    assert_eq!(statuses(&estate), [Some(Active), None]);
    estate.when(ActivateStorageDomain { domain: iso, data_center: far }).refused(EntityNotFound);
}

#[test]
fn a_domain_on_which_work_is_under_way_stays_active() {
    let mut estate = estate();
    let host = estate.host;
    let second = estate.active_domain(host, "second", DomainClass::Data);
    estate.does(evirt_domain::disk::AddDisk { storage_domain: Some(second), ..add_disk("slow", None) });
    let deactivate = DeactivateStorageDomain { domain: second, data_center: DEFAULT_DATA_CENTER };
    estate.when(deactivate.clone()).refused(DomainWithTasks);
    estate.finish_disk();
    estate.when(deactivate).accepted();
}
