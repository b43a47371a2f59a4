//! Quotas: what may be said, and what is made of consumption in each mode.

use evirt_domain::Event;
use evirt_domain::Key::{self, *};
use evirt_domain::access::{AddUser, EVERYONE};
use evirt_domain::cluster::{ClusterConfig, CreateCluster, RemoveCluster};
use evirt_domain::data_center::*;
use evirt_domain::disk::*;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER};
use evirt_domain::quota::*;
use evirt_domain::storage::{DeactivateStorageDomain, DetachStorageDomain, DomainClass, RemoveStorageDomain};
use evirt_domain::vm::{UpdateVm, VmPatch};
use evirt_domain::vm_run::StartVm;

use crate::harness::*;

fn mode(story: &mut Story, mode: QuotaMode) {
    let changes = DataCenterPatch { quota_mode: Some(mode), ..DataCenterPatch::default() };
    story.does(UpdateDataCenter { data_center: DEFAULT_DATA_CENTER, changes, format: None });
}

fn made(story: &mut Story, name: &str) -> QuotaId {
    story.does(CreateQuota { data_center: DEFAULT_DATA_CENTER, config: QuotaConfig::named(name.into()) });
    QuotaId(story.log.last().expect("created").stream.id)
}

fn storage(quota: QuotaId, domain: Option<StorageDomainId>, gib: i64) -> ChangeQuotaLimit {
    ChangeQuotaLimit { quota, change: LimitChange::Storage(StorageLimit { domain, gib }) }
}

fn cluster(quota: QuotaId, memory_mib: i64, vcpus: i64) -> ChangeQuotaLimit {
    let limit = ClusterLimit { cluster: Some(DEFAULT_CLUSTER), memory_mib, vcpus };
    ChangeQuotaLimit { quota, change: LimitChange::Cluster(limit) }
}

fn disk(quota: Option<QuotaId>, gib: i64) -> AddDisk {
    AddDisk { config: DiskConfig { size: gib * GIB, quota, ..disk_config("more") }, ..add_disk("more", None) }
}

fn strain(result: Vec<Event>) -> Option<Strain> {
    result.iter().find_map(|event| match event {
        Event::QuotaStrained(e) => Some(e.strain),
        _ => None,
    })
}

#[test]
fn what_a_quota_says() {
    let mut estate = estate();
    let domain = estate.domain;
    let create = |config| CreateQuota { data_center: DEFAULT_DATA_CENTER, config };
    let gold = || QuotaConfig::named("gold".into());
    estate.when(create(QuotaConfig { storage_soft_percent: 101, ..gold() })).refused(OutOfRange);
    estate.when(create(QuotaConfig::named("x".repeat(66)))).refused(NameTooLong);
    estate.when(CreateQuota { data_center: nowhere(), config: gold() }).refused(EntityNotFound);
    let quota = made(&mut estate, "gold");
    estate.when(create(gold())).refused(QuotaNameInUse);
    estate.when(storage(quota, None, -2)).refused(OutOfRange);
    estate.when(storage(quota, Some(nowhere()), 5)).refused(EntityNotFound);
    estate.does(storage(quota, None, 100));
    estate.when(storage(quota, None, 100)).then(&[]);
    estate.when(storage(quota, Some(domain), 5)).refused(QuotaLimitMixed);
    let none = |on| ChangeQuotaLimit { quota, change: LimitChange::NoStorage(on) };
    estate.when(none(Some(domain))).refused(EntityNotFound);
    estate.when(none(None)).then(&["QuotaLimitsSet"]);
    let disk = estate.disk;
    let named = |quota| UpdateDisk { disk, changes: DiskPatch { quota: Some(Some(quota)), ..DiskPatch::default() } };
    estate.when(named(nowhere())).refused(QuotaMissing);
    estate.does(named(quota));
    estate.when(RemoveQuota { quota }).refused(QuotaInUse);
    estate.does(UpdateDisk { disk, changes: DiskPatch { quota: Some(None), ..DiskPatch::default() } });
    estate.does(RemoveQuota { quota });
    assert!(estate.world.quotas.is_empty());
}

#[test]
fn storage_is_consumed() {
    for (way, nothing, far) in [
        (QuotaMode::Disabled, Ok(None), Ok(None)),
        (QuotaMode::Audit, Ok(Some(Strain::Missing)), Ok(Some(Strain::GraceExceeded))),
        (QuotaMode::Enabled, Err(QuotaNotValid), Err(QuotaStorageExceeded)),
    ] {
        let mut estate = estate();
        let quota = made(&mut estate, "gold");
        estate.does(storage(quota, None, 100));
        mode(&mut estate, way);
        let outcome = |quota, gib: i64| -> Result<Option<Strain>, Key> {
            estate.when(disk(quota, gib)).result.map(strain).map_err(|refusal| refusal.key)
        };
        let warns = |strain| if way == QuotaMode::Disabled { Ok(None) } else { Ok(Some(strain)) };
        assert_eq!(outcome(None, 10), nothing, "{way:?}");
        assert_eq!(outcome(Some(nowhere()), 10), Err(QuotaMissing), "{way:?}");
        assert_eq!(outcome(Some(quota), 80), Ok(None), "{way:?}");
        assert_eq!(outcome(Some(quota), 81), warns(Strain::Threshold), "{way:?}");
        assert_eq!(outcome(Some(quota), 101), warns(Strain::Exceeded), "{way:?}");
        assert_eq!(outcome(Some(quota), 120), warns(Strain::Exceeded), "{way:?}");
        assert_eq!(outcome(Some(quota), 121), far, "{way:?}");
    }
}

#[test]
fn the_log_is_told_of_a_refusal_once_in_a_while() {
    let mut estate = estate();
    let quota = made(&mut estate, "gold");
    estate.does(storage(quota, None, 100));
    mode(&mut estate, QuotaMode::Enabled);
    let refused = |story: &Story| story.when(disk(Some(quota), 200)).refused(QuotaStorageExceeded);
    let heard = |story: &Story| told(&story.world, &story.context(), &refused(story));
    let Some(Event::QuotaStrained(event)) = heard(&estate) else { panic!("it is told") };
    assert_eq!((event.strain, event.used_percent, event.requested_percent), (Strain::Refused, 0, 200));
    estate.given(vec![Event::QuotaStrained(event)]);
    assert_eq!(heard(&estate), None);
    estate.now += REFUSAL_SILENCE;
    assert!(heard(&estate).is_some());
    // A request that is wrong is nobody's news.
    let wrong = estate.when(disk(None, 1)).refused(QuotaNotValid);
    assert_eq!(told(&estate.world, &estate.context(), &wrong), None);
}

#[test]
fn what_is_there_counts_and_growing_as_well() {
    let mut estate = estate();
    let (domain, quota) = (estate.domain, made(&mut estate, "gold"));
    estate.does(storage(quota, Some(domain), 50));
    mode(&mut estate, QuotaMode::Enabled);
    estate.does(disk(Some(quota), 50));
    let disk_id = estate.finish_disk();
    assert_eq!(estate.world.quotas.get(&quota).map(|q| q.storage_used(&estate.world, None)), Some(50 * GIB));
    let grow = |gib: i64| UpdateDisk { disk: disk_id, changes: DiskPatch { size: Some(gib * GIB), ..DiskPatch::default() } };
    estate.when(grow(61)).refused(QuotaStorageExceeded);
    estate.when(grow(60)).then(&["QuotaStrained", "DiskExtensionStarted", "JobOpened"]);
    let host = estate.host;
    let other = estate.active_domain(host, "second", DomainClass::Data);
    estate.when(AddDisk { storage_domain: Some(other), ..disk(Some(quota), 1) }).refused(QuotaNotForDomain);
}

#[test]
fn limits_go_with_what_they_limit() {
    let mut estate = estate();
    let (host, domain, quota) = (estate.host, estate.domain, made(&mut estate, "gold"));
    let second = estate.active_domain(host, "second", DomainClass::Data);
    estate.does(storage(quota, Some(domain), 5));
    estate.does(storage(quota, Some(second), 6));
    let config = ClusterConfig { name: "c".into(), data_center: Some(DEFAULT_DATA_CENTER), ..cluster_config() };
    let other = ClusterId(estate.does(CreateCluster { config })[0].as_fold().stream().id);
    let limit = |cluster| ClusterLimit { cluster: Some(cluster), memory_mib: 1024, vcpus: 4 };
    for cluster in [DEFAULT_CLUSTER, other] {
        estate.does(ChangeQuotaLimit { quota, change: LimitChange::Cluster(limit(cluster)) });
    }
    estate.when(RemoveCluster { cluster: other }).then(&["QuotaLimitsSet", "ClusterRemoved"]);
    estate.does(RemoveCluster { cluster: other });
    estate.does(DeactivateStorageDomain { domain: second, data_center: DEFAULT_DATA_CENTER });
    estate.finish_storage(second);
    let destroy = RemoveStorageDomain { domain: second, host: None, format: false, destroy: true };
    estate.when(destroy).then(&["StorageDomainDetached", "QuotaLimitsSet", "StorageDomainRemoved", "StorageConnectionRemoved"]);
    estate.does(DetachStorageDomain { domain: second, data_center: DEFAULT_DATA_CENTER });
    estate.finish_storage(second);
    let left = estate.world.quotas.get(&quota).expect("the quota");
    assert_eq!(left.storage, [StorageLimit { domain: Some(domain), gib: 5 }]);
    assert_eq!(left.clusters, [limit(DEFAULT_CLUSTER)]);
}

#[test]
fn running_vms_consume() {
    let mut estate = estate();
    let (vm, quota) = (estate.vm, made(&mut estate, "gold"));
    let start = || StartVm { vm, ..StartVm::default() };
    mode(&mut estate, QuotaMode::Audit);
    estate.when(start()).then(&["VmStartRequested", "JobOpened", "QuotaStrained"]);
    mode(&mut estate, QuotaMode::Enabled);
    estate.when(start()).refused(QuotaNotValid);
    estate.does(UpdateVm { vm, changes: VmPatch { quota: Some(Some(quota)), ..VmPatch::default() } });
    estate.when(start()).refused(QuotaClusterExceeded);
    estate.does(cluster(quota, UNLIMITED, 0));
    estate.when(start()).refused(QuotaClusterExceeded);
    estate.does(cluster(quota, 512, UNLIMITED));
    estate.when(start()).refused(QuotaClusterExceeded);
    estate.does(cluster(quota, 1024, 8));
    assert_eq!(strain(estate.does(start())), Some(Strain::Threshold));
    let used = estate.world.quotas.get(&quota).map(|q| q.cluster_used(&estate.world, Some(DEFAULT_CLUSTER)));
    assert_eq!(used, Some((1024, 1)));
    // It goes on as what another quota allows, or not at all.
    let other = made(&mut estate, "silver");
    let to = |quota| UpdateVm { vm, changes: VmPatch { quota: Some(quota), ..VmPatch::default() } };
    estate.does(cluster(other, 0, 0));
    let refusal = estate.when(to(Some(other))).refused(QuotaClusterExceeded);
    let told = refusal.told.expect("the log hears of it");
    assert_eq!((told.used_percent, told.requested_percent), (0, 0), "nothing has no shares");
    estate.when(to(None)).refused(QuotaNotValid);
    estate.does(cluster(other, 1024, 8));
    estate.when(to(Some(other))).then(&["VmUpdated", "QuotaStrained"]);
    estate.does(cluster(other, 4096, 8));
    estate.when(to(Some(other))).then(&["VmUpdated"]);
}

#[test]
fn who_may_not_consume_is_refused_where_quotas_are_enforced() {
    let mut estate = estate();
    let quota = made(&mut estate, "gold");
    estate.does(storage(quota, None, 100));
    mode(&mut estate, QuotaMode::Enabled);
    let creator = estate.world.roles.values().find(|r| r.name == "DiskCreator").expect("a built-in role").id;
    estate.does(AddUser { name: "eve".into(), password: "hash".into(), roles: vec![creator] });
    let eve = estate.world.users.values().find(|u| u.name == "eve").expect("eve").id;
    let everyones: Vec<_> = estate
        .world
        .permissions
        .values()
        .filter(|p| p.holder == evirt_domain::access::Holder::Group(EVERYONE))
        .map(|p| p.id)
        .collect();
    for permission in everyones {
        estate.given(vec![evirt_domain::access::PermissionRevoked { permission }.into()]);
    }
    let command = AddDisk { storage_domain: Some(estate.domain), ..disk(Some(quota), 1) };
    estate.when_by(evirt_domain::Actor::User(eve), command.clone()).refused(QuotaNotAllowed);
    estate.when(command).accepted();
}

#[test]
fn a_limit_is_on_something_of_the_data_center() {
    let mut estate = estate();
    let host = estate.host;
    let quota = made(&mut estate, "q");
    let elsewhere = estate.domain(host, "elsewhere", DomainClass::Data);
    estate.when(storage(quota, Some(elsewhere), 5)).refused(QuotaLimitElsewhere);
}
