//! Storage domains: creation, attachment, activation, maintenance, master hand-over, detachment and removal.

use evirt_domain::Key::{self, *};
use evirt_domain::access::{EVERYONE, EntityRef, GrantPermission, Holder, SUPER_USER};
use evirt_domain::cluster::{ClusterConfig, ClusterPatch, CreateCluster, UpdateCluster};
use evirt_domain::data_center::*;
use evirt_domain::host::HostStatus;
use evirt_domain::ids::*;
use evirt_domain::install::DEFAULT_DATA_CENTER;
use evirt_domain::job::FinishStep;
use evirt_domain::quota::{CreateQuota, QuotaConfig};
use evirt_domain::storage::AttachmentStatus::{self, *};
use evirt_domain::storage::*;
use evirt_domain::vm::{ChangeCdRom, FinishCdChange, NicPatch, UpdateNic, UpdateVm, VmPatch};
use evirt_domain::vm_run::{RunOverrides, StartVm};
use evirt_domain::world::NameKind;

use crate::harness::*;

fn data_center(story: &Story) -> &DataCenter {
    story.world.data_centers.get(&DEFAULT_DATA_CENTER).expect("Default")
}

/// The storage domain that was added last.
fn added(story: &Story) -> StorageDomainId {
    let added = story.log.iter().rev().find_map(|r| match &r.event {
        evirt_domain::Event::StorageDomainAdded(e) => Some(e.domain),
        _ => None,
    });
    added.expect("added")
}

fn attach(domain: StorageDomainId) -> AttachStorageDomain {
    AttachStorageDomain { domain, data_center: DEFAULT_DATA_CENTER }
}

fn is(story: &Story, domain: StorageDomainId) -> Option<AttachmentStatus> {
    story.world.storage_domains.get(&domain).expect("the domain").attachment().map(|a| a.status)
}

#[test]
fn every_action_in_every_status() {
    const OK: Option<Key> = None;
    let s = Some(DomainStatusIllegal);
    #[rustfmt::skip]
    let table = [
        //            activate deactivate detach
        (Locked,      [s,      s,         s]),
        (Active,      [s,      OK,        s]),
        (Inactive,    [OK,     s,         OK]),
        (Maintenance, [OK,     s,         OK]),
        (Unknown,     [OK,     s,         s]),
    ];
    assert_eq!(table.map(|(status, _)| status), AttachmentStatus::ALL);
    let mut story = Story::installed();
    let host = story.host("alpha");
    story.active_domain(host, "master", DomainClass::Data);
    let domain = story.active_domain(host, "second", DomainClass::Data);
    for (status, expected) in table {
        story.domain_is(domain, status);
        let actual = [
            story.when(ActivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER }),
            story.when(DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER }),
            story.when(DetachStorageDomain { domain, data_center: DEFAULT_DATA_CENTER }),
        ];
        assert_eq!(actual.map(|outcome| outcome.key()), expected, "{}", status.name());
    }
    let loose = story.domain(host, "loose", DomainClass::Data);
    story.when(ActivateStorageDomain { domain: loose, data_center: DEFAULT_DATA_CENTER }).refused(EntityNotFound);
    story.when(DeactivateStorageDomain { domain: loose, data_center: DEFAULT_DATA_CENTER }).refused(EntityNotFound);
    story.when(DetachStorageDomain { domain: loose, data_center: DEFAULT_DATA_CENTER }).refused(EntityNotFound);
}

#[test]
fn creation() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let create = |name: &str| create_domain(host, name, DomainClass::Data);
    story.does(create("data"));
    let (job, domain) = (story.job(), added(&story));
    story.when(attach(domain)).refused(DomainStatusIllegal);
    story.when(RemoveStorageDomain { domain, host: None, format: false, destroy: true }).refused(DomainStatusIllegal);
    story.when(create("data")).refused(StorageDomainNameInUse);
    story.when(create(&"x".repeat(51))).refused(NameTooLong);
    story.when(create("dotted.name")).refused(NameSpecialCharacters);
    let same = CreateStorageDomain { storage: Storage::files(nfs_server("/exports/data/")), ..create("other") };
    story.when(same).refused(StorageConnectionExists);
    story.when(CreateStorageDomain { mount: Err("access denied".into()), ..create("other") }).refused(StorageMountFailed);
    story.when(CreateStorageDomain { host: nowhere(), ..create("other") }).refused(EntityNotFound);
    let mut failed = story.clone();
    failed.does(FinishStorageDomainCreation { job, domain, outcome: Err("read only".into()) });
    assert!(failed.world.storage_domains.is_empty());
    failed.when(create("data")).then(&["StorageDomainAdded", "StorageConnectionAdded", "JobOpened"]);
    story.host_is(host, HostStatus::Maintenance);
    story.when(create("other")).refused(HostNotUpForStorage);
}

#[test]
fn formats() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let iscsi = lun("3600", "iqn.a");
    for (class, storage, format, fits) in [
        (DomainClass::Data, nfs("a"), StorageFormat::V1, true),
        (DomainClass::Data, nfs("a"), StorageFormat::V2, false),
        (DomainClass::Data, iscsi.clone(), StorageFormat::V2, true),
        (DomainClass::Data, nfs("a"), StorageFormat::V3, true),
        (DomainClass::Iso, nfs("a"), StorageFormat::V1, true),
        (DomainClass::Iso, nfs("a"), StorageFormat::V3, false),
        (DomainClass::Export, iscsi, StorageFormat::V2, false),
    ] {
        let create = CreateStorageDomain { storage, format: Some(format), ..create_domain(host, "a", class) };
        let expected = (!fits).then_some(DomainFormatUnsupported);
        assert_eq!(story.when(create).key(), expected, "{class:?} {format:?}");
    }
    let old = Version { major: 3, minor: 0 };
    for (version, storage, class, format) in [
        (CURRENT_VERSION, nfs("a"), DomainClass::Data, StorageFormat::V3),
        (old, nfs("a"), DomainClass::Data, StorageFormat::V1),
        (old, lun("3600", "iqn.a"), DomainClass::Data, StorageFormat::V2),
        (CURRENT_VERSION, nfs("a"), DomainClass::Iso, StorageFormat::V1),
    ] {
        let mut story = story.clone();
        let changes = DataCenterPatch { version: Some(version), ..DataCenterPatch::default() };
        story.given(vec![DataCenterUpdated { data_center: DEFAULT_DATA_CENTER, changes }.into()]);
        story.does(CreateStorageDomain { storage, format: None, ..create_domain(host, "a", class) });
        let made = story.world.storage_domains.values().next().expect("a domain");
        assert_eq!(made.format, format, "the usual format of {class:?} in {version:?}");
    }
}

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
fn the_format_of_a_domain_rises_to_the_data_centers() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    story.active_domain(host, "master", DomainClass::Data);
    story.does(CreateStorageDomain { format: Some(StorageFormat::V1), ..create_domain(host, "old", DomainClass::Data) });
    let (job, domain) = (story.job(), added(&story));
    story.does(FinishStorageDomainCreation { job, domain, outcome: Ok((GIB, 0)) });
    story.does(attach(domain));
    assert_eq!(story.world.storage_domains.get(&domain).map(|d| d.format), Some(StorageFormat::V3));
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
fn removal() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let attached = story.active_domain(host, "attached", DomainClass::Data);
    let domain = story.domain(host, "loose", DomainClass::Data);
    let remove = |domain, host, destroy| RemoveStorageDomain { domain, host, format: true, destroy };
    story.when(remove(attached, Some(host), false)).refused(DomainAttached);
    story.when(remove(attached, None, true)).refused(DomainStatusIllegal);
    story.when(remove(domain, None, true)).then(&["StorageDomainRemoved", "StorageConnectionRemoved"]);
    story.when(remove(domain, Some(host), false)).then(&["StorageDomainRemovalStarted", "JobOpened"]);
    story.does(remove(domain, Some(host), false));
    story.when(attach(domain)).refused(DomainStatusIllegal);
    let job = story.job();
    let mut failed = story.clone();
    failed.does(FinishStorageDomainRemoval { job, domain, outcome: Err("busy".into()) });
    let back = failed.world.storage_domains.get(&domain).expect("the domain");
    assert_eq!((back.state, back.available), (DomainState::Ready, 500 * GIB));
    story.does(FinishStorageDomainRemoval { job, domain, outcome: Ok(()) });
    assert!(!story.world.storage_domains.contains(&domain));
    story.when(create_domain(host, "loose", DomainClass::Data)).accepted();
}

#[test]
fn a_data_center_goes_with_its_master() {
    let estate = estate();
    let (domain, vm, disk) = (estate.domain, estate.vm, estate.disk);
    let remove = || RemoveDataCenter { data_center: DEFAULT_DATA_CENTER, force: false };
    estate.when(remove()).refused(DataCenterActive);
    let mut going = estate.clone();
    going.does(DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
    going.when(remove()).refused(DomainStatusIllegal);
    going.finish_storage(domain);
    going.when(remove()).refused(DataCenterHasImages);
    let mut empty = estate.clone();
    empty.does(evirt_domain::disk::RemoveDisk { disk });
    let job = empty.job();
    empty.does(evirt_domain::disk::FinishDiskRemoval { job, disk, outcome: Ok(()) });
    let host = empty.host;
    let second = empty.active_domain(host, "second", DomainClass::Data);
    empty.does(DeactivateStorageDomain { domain: second, data_center: DEFAULT_DATA_CENTER });
    empty.finish_storage(second);
    empty.does(DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
    empty.finish_storage(domain);
    empty.when(remove()).refused(DataCenterHasDomains);
    empty.does(DetachStorageDomain { domain: second, data_center: DEFAULT_DATA_CENTER });
    empty.finish_storage(second);
    empty.when(remove()).refused(DataCenterHasClusters);
    empty.does(evirt_domain::vm::RemoveVm { vm, keep_disks: false });
    empty.does(remove());
    assert_eq!(is(&empty, domain), None);
    assert!(empty.world.data_centers.is_empty() && empty.world.networks.is_empty() && empty.world.vnic_profiles.is_empty());
    assert!(empty.world.clusters.values().all(|c| c.config.data_center.is_none() && c.networks.is_empty()));
    assert!(empty.world.hosts.values().all(|h| h.networks.is_empty()));
}

#[test]
fn a_data_center_goes_by_force_with_all_that_it_has() {
    let mut estate = estate();
    let (host, other, domain, vm) = (estate.host, estate.other, estate.domain, estate.vm);
    let iso = estate.active_domain(host, "iso", DomainClass::Iso);
    let diskless = estate.vm("diskless");
    let force = || RemoveDataCenter { data_center: DEFAULT_DATA_CENTER, force: true };
    estate.when(force()).refused(DataCenterActive);
    estate.given(vec![SpmSelected { data_center: DEFAULT_DATA_CENTER, host: None }.into()]);
    estate.when(RemoveDataCenter { force: false, ..force() }).refused(DataCenterHasDomains);
    estate.when(force()).refused(DataCenterHostsNotInMaintenance);
    estate.host_is(host, HostStatus::Maintenance);
    estate.host_is(other, HostStatus::Maintenance);
    estate.does(force());
    let world = &estate.world;
    assert!(world.data_centers.is_empty() && world.disks.is_empty() && !world.storage_domains.contains(&domain));
    assert!(!world.vms.contains(&vm) && world.vms.contains(&diskless), "what has no disks there stays");
    assert_eq!((is(&estate, iso), world.storage_connections.len()), (None, 1));
    assert!(world.clusters.values().all(|c| c.config.data_center.is_none() && c.networks.is_empty()));
}

#[test]
fn vms_without_disks_let_go_of_a_data_center_that_goes_by_force() {
    let mut estate = estate();
    let (kept, quota) = (estate.vm("diskless"), QuotaConfig::named("gold".into()));
    let nic = estate.nic(kept, "nic1");
    estate.nic(kept, "nic2");
    let made = estate.does(CreateQuota { data_center: DEFAULT_DATA_CENTER, config: quota });
    let quota = Some(Some(QuotaId(made[0].as_fold().stream().id)));
    estate.does(UpdateVm { vm: kept, changes: VmPatch { quota, ..VmPatch::default() } });
    for host in [estate.host, estate.other] {
        estate.host_is(host, HostStatus::Maintenance);
    }
    let domain = estate.domain;
    estate.domain_is(domain, Maintenance);
    estate.does(RemoveDataCenter { data_center: DEFAULT_DATA_CENTER, force: true });
    let vm = estate.world.vms.get(&kept).expect("it has no disk that could have gone");
    assert_eq!((vm.config.quota, vm.nics.iter().filter_map(|nic| nic.profile).count(), vm.nics.len()), (None, 0, 2));
    let renamed = VmPatch { description: Some("changed".into()), ..VmPatch::default() };
    estate.when(UpdateVm { vm: kept, changes: renamed }).accepted();
    let changes = NicPatch { name: Some("nic9".into()), ..NicPatch::default() };
    estate.when(UpdateNic { vm: kept, nic, changes }).accepted();
}

#[test]
fn a_domain_that_comes_back_brings_no_permission_with_it() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let iso = story.domain(host, "iso", DomainClass::Iso);
    let object = EntityRef::StorageDomain(iso);
    for destroy in [true, false] {
        let mut story = story.clone();
        story.does(GrantPermission { holder: Holder::Group(EVERYONE), role: SUPER_USER, object });
        story.does(RemoveStorageDomain { domain: iso, host: Some(host), format: false, destroy });
        if !destroy {
            let job = story.job();
            story.does(FinishStorageDomainRemoval { job, domain: iso, outcome: Ok(()) });
        }
        assert_eq!(story.world.granted_on(object).count(), 0, "destroyed: {destroy}");
    }
}

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

#[test]
fn block_storage_grows_by_logical_units() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let changes = DataCenterPatch { storage_type: Some(StorageKind::Iscsi), ..DataCenterPatch::default() };
    story.does(UpdateDataCenter { data_center: DEFAULT_DATA_CENTER, changes, format: None });
    story.does(CreateStorageDomain { storage: lun("1", "iqn.a"), ..create_domain(host, "san", DomainClass::Data) });
    let (job, domain) = (story.job(), added(&story));
    story.does(FinishStorageDomainCreation { job, domain, outcome: Ok((GIB, 0)) });
    let extend = |id: &str, target: &str| ExtendStorageDomain { domain, host, luns: lun(id, target).luns };
    story.when(extend("2", "iqn.a")).refused(DomainStatusIllegal);
    story.does(attach(domain));
    story.finish_storage(domain);
    story.when(extend("1", "iqn.a")).refused(StorageConnectionExists);
    story.when(extend("2", "iqn.a")).then(&["JobOpened"]);
    story.when(extend("2", "iqn.b")).then(&["StorageConnectionAdded", "JobOpened"]);
    let renamed = |extension| UpdateStorageDomain {
        domain,
        changes: StorageDomainPatch { name: Some("wide".into()), ..Default::default() },
        extension: Some(extension),
    };
    story.when(renamed(extend("1", "iqn.a"))).refused(StorageConnectionExists);
    story.when(renamed(extend("2", "iqn.a"))).then(&["StorageDomainUpdated", "JobOpened"]);
    let files = story.domain(host, "files", DomainClass::Iso);
    story.when(ExtendStorageDomain { domain: files, ..extend("2", "iqn.a") }).refused(DomainTypeIllegal);
    for (outcome, units, ways) in [(Err("no such unit".to_owned()), 1, 1), (Ok((3 * GIB, GIB)), 2, 2)] {
        story.does(extend("2", "iqn.b"));
        story.when(extend("3", "iqn.a")).refused(StateMoved);
        let job = story.job();
        let evirt_domain::job::Task::ExtendStorageDomain { luns, .. } = story.world.job(job).expect("a job").task.clone() else {
            panic!("another job");
        };
        story.does(FinishStorageDomainExtension { job, domain, luns, outcome });
        let storage = &story.world.storage_domains.get(&domain).expect("san").storage;
        assert_eq!((storage.luns.len(), storage.connections.len()), (units, ways));
    }
}

#[test]
fn a_domain_is_destroyed_with_what_it_held() {
    let mut estate = estate();
    let (host, vm) = (estate.host, estate.vm);
    let second = estate.active_domain(host, "second", DomainClass::Data);
    estate.does(evirt_domain::disk::AddDisk {
        storage_domain: Some(second),
        ..add_disk(
            "",
            Some(evirt_domain::disk::AttachTo {
                vm,
                interface: evirt_domain::disk::DiskInterface::Virtio,
                bootable: false,
                active: true,
            }),
        )
    });
    let disk = estate.finish_disk();
    let destroy = |domain| RemoveStorageDomain { domain, host: None, format: false, destroy: true };
    estate.when(destroy(second)).refused(DomainStatusIllegal);
    estate.domain_is(second, Inactive);
    estate.when(destroy(second)).then(&[
        "DiskDetached",
        "DiskRemoved",
        "StorageDomainDetached",
        "StorageDomainRemoved",
        "StorageConnectionRemoved",
    ]);
    estate.does(destroy(second));
    assert!(estate.world.vms.contains(&vm) && !estate.world.disks.contains(&disk));
    let master = estate.domain;
    estate.domain_is(master, Inactive);
    estate.when(destroy(master)).refused(DomainDestroyLast);
}

#[test]
fn local_storage_is_one_hosts() {
    let mut story = Story::installed();
    let config = |kind| DataCenterConfig {
        name: "local".into(),
        description: String::new(),
        comment: String::new(),
        storage_type: kind,
        version: CURRENT_VERSION,
        quota_mode: QuotaMode::Disabled,
    };
    let local = DataCenterPatch { storage_type: Some(StorageKind::Localfs), ..DataCenterPatch::default() };
    story
        .when(UpdateDataCenter { data_center: DEFAULT_DATA_CENTER, changes: local, format: None })
        .refused(DataCenterDefaultNotLocal);
    let remote = story.host("remote");
    let made = story.does(CreateDataCenter { config: config(StorageKind::Localfs), format: None });
    let data_center = DataCenterId(made[0].as_fold().stream().id);
    let cluster = |name: &str| evirt_domain::cluster::CreateCluster {
        config: evirt_domain::cluster::ClusterConfig {
            name: name.into(),
            data_center: Some(data_center),
            ..crate::harness::cluster_config()
        },
    };
    let made = story.does(cluster("one"));
    let own = ClusterId(made[0].as_fold().stream().id);
    story.when(cluster("two")).refused(LocalOneCluster);
    let host = story.host_in(own, "alpha", facts(16, 8));
    story.does(evirt_domain::host::RegisterHost { name: "b".into(), address: "b.example.org".into(), facts: facts(8, 4) });
    let second = HostId(story.log.last().expect("registered").stream.id);
    story.when(evirt_domain::host::ApproveHost { host: second, cluster: Some(own) }).refused(LocalOneHost);

    let server = evirt_domain::storage_connection::ConnectionConfig {
        path: "/data/local".into(),
        ..evirt_domain::storage_connection::ConnectionConfig::of(StorageKind::Localfs)
    };
    let create =
        |host| CreateStorageDomain { storage: Storage::files(server.clone()), ..create_domain(host, "disk", DomainClass::Data) };
    story.when(create(remote)).refused(DataCenterNotLocal);
    story.does(create(host));
    let (job, domain) = (story.job(), added(&story));
    story.when(FinishStorageDomainCreation { job, domain, outcome: Ok((GIB, 0)) }).then(&[
        "StorageDomainCreated",
        "StorageDomainAttached",
        "JobOpened",
        "JobEnded",
    ]);
    story.does(FinishStorageDomainCreation { job, domain, outcome: Ok((GIB, 0)) });
    story.finish_storage(domain);
    assert_eq!(is(&story, domain), Some(Active));
    story.does(DeactivateStorageDomain { domain, data_center });
    story.finish_storage(domain);
    story.when(DetachStorageDomain { domain, data_center }).refused(LocalNoDetach);
    let remove = RemoveStorageDomain { domain, host: Some(host), format: true, destroy: false };
    let mut with_iso = story.clone();
    with_iso.does(ActivateStorageDomain { domain, data_center });
    with_iso.finish_storage(domain);
    let iso = with_iso.domain(host, "iso", DomainClass::Iso);
    with_iso.does(AttachStorageDomain { domain: iso, data_center });
    with_iso.finish_storage(iso);
    for domain in [iso, domain] {
        with_iso.does(DeactivateStorageDomain { domain, data_center });
        with_iso.finish_storage(domain);
    }
    with_iso.when(remove.clone()).refused(DomainLast);
    // Some were left so by an engine of before.
    with_iso.given(vec![StorageDomainDetached { domain, data_center }.into()]);
    with_iso.when(ActivateStorageDomain { domain: iso, data_center }).refused(DataCenterStatusIllegal);
    story.does(remove.clone());
    story.when(remove).refused(DomainStatusIllegal);
    story.when(ActivateStorageDomain { domain, data_center }).refused(DomainStatusIllegal);
    let job = story.job();
    story.when(FinishStorageDomainRemoval { job, domain, outcome: Ok(()) }).then(&[
        "StorageDomainDetached",
        "StorageDomainRemoved",
        "StorageConnectionRemoved",
        "JobEnded",
    ]);
}

#[test]
fn what_a_data_center_of_a_version_can_have() {
    let story = Story::installed();
    let create = |storage_type, minor| CreateDataCenter {
        config: DataCenterConfig {
            name: "new".into(),
            description: String::new(),
            comment: String::new(),
            storage_type,
            version: Version { major: 3, minor },
            quota_mode: QuotaMode::Disabled,
        },
        format: None,
    };
    story.when(create(StorageKind::Posixfs, 0)).refused(DataCenterPosixVersion);
    story.when(create(StorageKind::Posixfs, 1)).accepted();
    story.when(create(StorageKind::Glusterfs, 2)).refused(DataCenterGlusterVersion);
    story.when(create(StorageKind::Glance, 3)).refused(DataCenterKindUnsupported);
    story.when(create(StorageKind::Nfs, 9)).refused(VersionUnsupported);
}

#[test]
fn reports_that_say_nothing_new_record_nothing() {
    let mut estate = estate();
    let domain = estate.domain;
    let space = |available| ReportDomainSpace { domain, available, used: 10 * GIB };
    estate.when(space(500 * GIB)).then(&[]);
    estate.when(space(499 * GIB)).then(&["StorageDomainSpaceReported"]);
    let files = |n: usize| ReportDomainFiles { domain, files: vec![DomainFile { name: "a.iso".into(), size: 1 }; n] };
    estate.when(files(0)).then(&[]);
    estate.does(files(1));
    estate.when(files(1)).then(&[]);
    estate.when(ReportDomainSpace { domain: nowhere(), available: 0, used: 0 }).then(&[]);
}

/// A data domain of a format that is active in a data center.
fn far_data(story: &mut Story, far: DataCenterId, host: HostId, name: &str, format: StorageFormat) -> StorageDomainId {
    story.does(CreateStorageDomain { format: Some(format), ..create_domain(host, name, DomainClass::Data) });
    let (job, domain) = (story.job(), added(story));
    story.does(FinishStorageDomainCreation { job, domain, outcome: Ok((500 * GIB, GIB)) });
    story.does(AttachStorageDomain { domain, data_center: far });
    story.finish_storage(domain);
    domain
}

/// Another data center of a version with a host and a data domain that is active.
fn second_data_center(story: &mut Story, version: Version, format: StorageFormat) -> (DataCenterId, HostId) {
    let config = DataCenterConfig { name: "far".into(), version, ..data_center(story).config.clone() };
    story.does(CreateDataCenter { config, format: None });
    let far = story.world.exactly_named(NameKind::DataCenter, "far").map(DataCenterId).expect("created");
    let config = ClusterConfig { name: "far".into(), data_center: Some(far), version, ..crate::harness::cluster_config() };
    story.does(CreateCluster { config });
    let cluster = story.world.exactly_named(NameKind::Cluster, "far").map(ClusterId).expect("created");
    let host = story.host_in(cluster, "away", facts(16, 8));
    far_data(story, far, host, "far-data", format);
    (far, host)
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
fn a_newer_version_brings_a_newer_format() {
    const OLD: Version = Version { major: 3, minor: 0 };
    let mut story = Story::installed();
    let (far, host) = second_data_center(&mut story, OLD, StorageFormat::V1);
    let first = story.world.data_centers.get(&far).unwrap().master.unwrap();
    let resting = far_data(&mut story, far, host, "resting", StorageFormat::V1);
    story.does(DeactivateStorageDomain { domain: resting, data_center: far });
    story.finish_storage(resting);
    let update = |version: Option<Version>, format| UpdateDataCenter {
        data_center: far,
        changes: DataCenterPatch { version, ..DataCenterPatch::default() },
        format,
    };
    story.when(update(None, Some(StorageFormat::V3))).refused(DomainFormatUnsupported);
    story.when(update(None, Some(StorageFormat::V2))).refused(DomainFormatUnsupported);
    story.when(update(None, Some(StorageFormat::V1))).then(&[]);
    let cluster = story.world.exactly_named(NameKind::Cluster, "far").map(ClusterId).unwrap();
    let changes = ClusterPatch { version: Some(CURRENT_VERSION), ..ClusterPatch::default() };
    story.does(UpdateCluster { cluster, changes });
    // As a client says it that sends back what it was shown.
    let upgrade = || update(Some(CURRENT_VERSION), Some(StorageFormat::V1));
    story.when(upgrade()).then(&["DataCenterUpdated", "JobOpened"]);
    story.does(upgrade());
    let job = story.job();
    story.when(update(None, Some(StorageFormat::V3))).refused(StateMoved);
    let formats = |story: &Story| {
        let domains = [first, resting].map(|id| story.world.storage_domains.get(&id).unwrap().format);
        (story.world.data_centers.get(&far).unwrap().storage_format.unwrap(), domains)
    };
    let done = |upgraded, failure| FinishStorageUpgrade { job, data_center: far, format: StorageFormat::V3, upgraded, failure };
    let mut failed = story.clone();
    failed.does(done(Vec::new(), Some("lease held".into())));
    assert_eq!(formats(&failed), (StorageFormat::V1, [StorageFormat::V1; 2]));
    failed.when(update(None, Some(StorageFormat::V3))).then(&["JobOpened"]);
    story.does(done(vec![first], None));
    assert_eq!(formats(&story), (StorageFormat::V3, [StorageFormat::V3, StorageFormat::V1]));
    story.when(update(None, Some(StorageFormat::V1))).refused(DomainFormatUnsupported);
    story.does(ActivateStorageDomain { domain: resting, data_center: far });
    story.finish_storage(resting);
    assert_eq!(formats(&story), (StorageFormat::V3, [StorageFormat::V3; 2]));
}
