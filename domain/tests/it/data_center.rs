//! Data centers: names, versions, and what goes with one.

use evirt_domain::Key::*;
use evirt_domain::cluster::*;
use evirt_domain::data_center::*;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER};
use evirt_domain::storage::StorageKind;

use crate::harness::*;

pub fn data_center(name: &str) -> DataCenterConfig {
    DataCenterConfig {
        name: name.into(),
        description: String::new(),
        comment: String::new(),
        storage_type: StorageKind::Nfs,
        version: CURRENT_VERSION,
        quota_mode: QuotaMode::Disabled,
    }
}

fn cluster(name: &str) -> ClusterConfig {
    ClusterConfig { name: name.into(), ..cluster_config() }
}

const OLD: Version = Version { major: 3, minor: 1 };

#[test]
fn data_centers() {
    let mut story = Story::installed();
    let create = |config| CreateDataCenter { config, format: None };
    story.when(create(data_center("Default"))).refused(DataCenterNameInUse);
    story.when(create(data_center(&"x".repeat(41)))).refused(NameTooLong);
    story
        .when(create(DataCenterConfig { version: Version { major: 4, minor: 0 }, ..data_center("new") }))
        .refused(VersionUnsupported);
    let kinds = ["DataCenterCreated", "NetworkCreated", "VnicProfileCreated"];
    story.when(create(data_center("new"))).then(&kinds);
    let update = |changes| UpdateDataCenter { data_center: DEFAULT_DATA_CENTER, changes, format: None };
    let version = |version| DataCenterPatch { version: Some(version), ..DataCenterPatch::default() };
    story.when(update(version(OLD))).refused(VersionDecrease);
    let kind = DataCenterPatch { storage_type: Some(StorageKind::Iscsi), ..DataCenterPatch::default() };
    story.when(update(kind.clone())).then(&["DataCenterUpdated"]);
    estate().when(update(kind)).refused(DataCenterTypeFixed);
    story.does(create(DataCenterConfig { version: OLD, ..data_center("old") }));
    let old = DataCenterId(story.log[story.log.len() - 3].stream.id);
    story.does(CreateCluster { config: ClusterConfig { data_center: Some(old), version: OLD, ..cluster("old") } });
    story
        .when(UpdateDataCenter { data_center: old, changes: version(CURRENT_VERSION), format: None })
        .refused(DataCenterAheadOfClusters);
}

#[test]
fn an_empty_data_center_goes_and_its_clusters_stay() {
    let mut story = Story::installed();
    story.does(RemoveDataCenter { data_center: DEFAULT_DATA_CENTER, force: false });
    let cluster = story.world.clusters.get(&DEFAULT_CLUSTER).expect("Default");
    assert_eq!((cluster.config.data_center, cluster.networks.len()), (None, 0));
    assert!(story.world.networks.is_empty());
    story.when(CreateDataCenter { config: data_center("Default"), format: None }).accepted();
}

#[test]
fn a_data_center_with_an_active_domain_stays() {
    let mut estate = estate();
    let (host, other) = (estate.host, estate.other);
    let remove = RemoveDataCenter { data_center: DEFAULT_DATA_CENTER, force: false };
    estate.when(remove.clone()).refused(DataCenterActive);
    for host in [host, other] {
        estate.does(evirt_domain::host::ReportUnresponsive { host, detail: "no answer".into() });
    }
    estate.when(remove).refused(DataCenterHasActiveDomains);
}

#[test]
fn the_default_cluster_has_no_local_storage() {
    let mut story = Story::installed();
    let config = DataCenterConfig { storage_type: StorageKind::Localfs, ..data_center("local") };
    story.does(CreateDataCenter { config, format: None });
    let local = story.world.data_centers.values().find(|dc| dc.config.name == "local").expect("created").id;
    story.does(RemoveDataCenter { data_center: DEFAULT_DATA_CENTER, force: false });
    let changes = ClusterPatch { data_center: Some(Some(local)), ..ClusterPatch::default() };
    story.when(UpdateCluster { cluster: DEFAULT_CLUSTER, changes }).refused(ClusterDefaultNotLocal);
}
