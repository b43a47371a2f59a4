//! Storage domains that are made, found, grow, and go.

use super::*;

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
    with_iso.given(vec![StorageDomainDetached { domain, data_center, untold: false }.into()]);
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

#[test]
fn image_domains_come_from_services() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    story.when(create_domain(host, "images", DomainClass::Image)).refused(DomainClassUnsupported);
}

#[test]
fn what_is_attached_nowhere_is_not_changed() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let domain = story.domain(host, "data", DomainClass::Data);
    let rename = |name: &str| UpdateStorageDomain {
        domain,
        changes: StorageDomainPatch { name: Some(name.into()), ..StorageDomainPatch::default() },
        extension: None,
    };
    story.when(rename("other")).refused(DomainStatusIllegal);
    story.when(rename("data")).then(&[]);
    story.does(attach(domain));
    story.finish_storage(domain);
    story.when(rename("other")).then(&["StorageDomainUpdated"]);
}

#[test]
fn a_domain_knows_which_data_center_it_was_left_by() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let data = story.active_domain(host, "data", DomainClass::Data);
    let export = story.active_domain(host, "export", DomainClass::Export);
    let stranger: DataCenterId = nowhere();
    let of = |story: &Story| story.world.storage_domains.get(&export).expect("the domain").clone();
    assert!(!of(&story).has_left(&story.world, DEFAULT_DATA_CENTER), "it is there");
    story.domain_is(data, AttachmentStatus::Maintenance);
    story.host_is(host, HostStatus::Maintenance);
    story.does(evirt_domain::data_center::RemoveDataCenter { data_center: DEFAULT_DATA_CENTER, force: true });
    let left = of(&story);
    assert_eq!((left.attachments.len(), left.left), (0, Some(DEFAULT_DATA_CENTER)));
    assert!(left.has_left(&story.world, DEFAULT_DATA_CENTER), "its storage was not told");
    assert!(!left.has_left(&story.world, stranger), "another engine's");
}
