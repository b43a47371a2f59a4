//! Storage domains: every action in every status.

mod attach;
mod provision;
mod reach;
mod upgrade;

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
