//! Newer formats of storage.

use super::*;

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
