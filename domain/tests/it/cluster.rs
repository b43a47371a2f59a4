//! Clusters: names, versions, CPUs, policies, networks and removal.

use evirt_domain::Key::*;
use evirt_domain::cluster::*;
use evirt_domain::data_center::*;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER};

use crate::harness::*;

fn cluster(name: &str) -> ClusterConfig {
    ClusterConfig { name: name.into(), ..cluster_config() }
}

const OLD: Version = Version { major: 3, minor: 1 };

#[test]
fn clusters() {
    let mut story = Story::installed();
    let create = |config| CreateCluster { config };
    let inside = |name: &str| ClusterConfig { data_center: Some(DEFAULT_DATA_CENTER), ..cluster(name) };
    for (config, expected) in [
        (cluster("Default"), ClusterNameInUse),
        (cluster("with space"), NameSpecialCharacters),
        (ClusterConfig { cpu: "Zilog Z80".into(), ..cluster("c") }, CpuUnknown),
        (ClusterConfig { cpu: String::new(), ..cluster("c") }, CpuUnknown),
        (ClusterConfig { data_center: Some(nowhere()), ..cluster("c") }, EntityNotFound),
        (ClusterConfig { version: OLD, ..inside("c") }, VersionUnsupported),
        (ClusterConfig { overcommit_percent: 99, ..cluster("c") }, OutOfRange),
        (ClusterConfig { overcommit_percent: 1001, ..cluster("c") }, OutOfRange),
    ] {
        story.when(create(config)).refused(expected);
    }
    story.when(create(cluster("loose"))).then(&["ClusterCreated"]);
    for (version, ballooning, gluster_service, expected) in [
        (Version { major: 3, minor: 2 }, true, false, BallooningUnsupported),
        (Version { major: 3, minor: 0 }, false, true, GlusterUnsupported),
    ] {
        let config = ClusterConfig { ballooning, gluster_service, ..cluster("c") };
        story.when(create(ClusterConfig { version, ..config.clone() })).refused(expected);
        story.when(create(config)).accepted();
    }
    let loose = ClusterId(story.does(create(cluster("loose")))[0].as_fold().stream().id);
    let lower = ClusterPatch { version: Some(OLD), ..ClusterPatch::default() };
    story.when(UpdateCluster { cluster: loose, changes: lower }).refused(VersionDecrease);
    story.when(create(inside("second"))).then(&["ClusterCreated", "NetworkAssigned"]);
    let id = ClusterId(story.does(create(inside("second")))[0].as_fold().stream().id);
    story.when(RemoveCluster { cluster: DEFAULT_CLUSTER }).refused(ClusterIsDefault);
    story.when(RemoveCluster { cluster: id }).then(&["ClusterRemoved"]);
    let mut hosts = story.clone();
    hosts.host_in(id, "alpha", facts(4, 2));
    hosts.when(RemoveCluster { cluster: id }).refused(ClusterHasHosts);
    let lower = ClusterPatch { version: Some(Version { major: 3, minor: 0 }), ..ClusterPatch::default() };
    hosts.when(UpdateCluster { cluster: id, changes: lower }).refused(VersionUnsupported);
    let cpu =
        |name: &str| UpdateCluster { cluster: id, changes: ClusterPatch { cpu: Some(name.into()), ..ClusterPatch::default() } };
    hosts.when(cpu("AMD Opteron G2")).refused(CpuIllegal);
    hosts.when(cpu("Intel Haswell")).refused(CpuAboveHosts);
    hosts.when(cpu("")).refused(CpuUnknown);
    story.when(cpu("AMD Opteron G2")).then(&["ClusterUpdated"]);
    let mut vms = story.clone();
    vms.vm_with(evirt_domain::vm::VmPatch { name: Some("vm".into()), cluster: Some(id), ..Default::default() });
    vms.when(RemoveCluster { cluster: id }).refused(ClusterHasVms);
    let away = ClusterPatch { data_center: Some(None), ..ClusterPatch::default() };
    story.when(UpdateCluster { cluster: id, changes: away }).refused(ClusterDataCenterFixed);
}

#[test]
fn a_cluster_that_joins_a_data_center_gets_its_management_network() {
    let mut story = Story::installed();
    let cluster = ClusterId(story.does(CreateCluster { config: cluster("loose") })[0].as_fold().stream().id);
    let changes = ClusterPatch { data_center: Some(Some(DEFAULT_DATA_CENTER)), ..ClusterPatch::default() };
    story.when(UpdateCluster { cluster, changes }).then(&["ClusterUpdated", "NetworkAssigned"]);
}

#[test]
fn a_policy_has_its_bounds() {
    let story = Story::installed();
    let policy = |policy, low, high| ClusterConfig { policy, policy_low: low, policy_high: high, ..cluster("c") };
    for (config, expected) in [
        (policy(SchedulingPolicy::PowerSaving, 0, 80), UtilizationLowMissing),
        (policy(SchedulingPolicy::PowerSaving, 80, 80), UtilizationLowNotLower),
        (policy(SchedulingPolicy::EvenlyDistributed, 20, 0), UtilizationHighMissing),
        (policy(SchedulingPolicy::EvenlyDistributed, 0, 101), UtilizationOutOfRange),
        (ClusterConfig { policy_duration_s: MAX_DURATION_S + 1, ..cluster("c") }, OutOfRange),
        (ClusterConfig { virt_service: false, ..cluster("c") }, ClusterWithoutService),
    ] {
        story.when(CreateCluster { config }).refused(expected);
    }
    let update = |policy| {
        let changes = ClusterPatch { policy: Some(policy), ..ClusterPatch::default() };
        let events = story.when(UpdateCluster { cluster: DEFAULT_CLUSTER, changes }).then(&["ClusterUpdated"]);
        let evirt_domain::Event::ClusterUpdated(e) = &events[0] else { panic!() };
        (e.changes.policy_low, e.changes.policy_high, e.changes.policy_duration_s)
    };
    assert_eq!(update(SchedulingPolicy::EvenlyDistributed), (None, Some(DEFAULT_HIGH), Some(DEFAULT_DURATION_S)));
    assert_eq!(update(SchedulingPolicy::PowerSaving), (Some(DEFAULT_LOW), Some(DEFAULT_HIGH), Some(DEFAULT_DURATION_S)));
}

#[test]
fn the_cpu_of_a_cluster_stays_within_its_hosts() {
    let mut estate = estate();
    let cpu = |cpu: &str| UpdateCluster {
        cluster: DEFAULT_CLUSTER,
        changes: ClusterPatch { cpu: Some(cpu.into()), ..ClusterPatch::default() },
    };
    let family = estate.world.hosts.values().next().unwrap().facts.cpu_family.clone();
    estate.when(cpu("Intel Haswell")).refused(CpuAboveHosts);
    estate.when(cpu("Intel Conroe Family")).accepted();
    let vm = estate.vm;
    estate.bring(vm, evirt_domain::vm_run::VmState::Suspended);
    let lower = if family == "Intel Conroe Family" { "Intel Penryn Family" } else { "Intel Conroe Family" };
    estate.when(cpu(lower)).refused(CpuWithSuspendedVms);
    estate
        .when(UpdateCluster {
            cluster: DEFAULT_CLUSTER,
            changes: ClusterPatch { virt_service: Some(false), gluster_service: Some(true), ..ClusterPatch::default() },
        })
        .refused(ClusterVirtInUse);
}

#[test]
fn consoles_and_migrations_have_one_network() {
    let mut story = Story::installed();
    let config = evirt_domain::network::NetworkConfig { name: "blue".into(), vm_network: true, ..Default::default() };
    let created =
        story.does(evirt_domain::network::CreateNetwork { data_center: DEFAULT_DATA_CENTER, config, with_profile: true });
    let blue = NetworkId(created[0].as_fold().stream().id);
    let assign = |network, required, display| AssignNetwork {
        cluster: DEFAULT_CLUSTER,
        network: ClusterNetwork { network, required, display, migration: display },
    };
    let uses = |story: &Story| -> Vec<(bool, bool)> {
        let cluster = story.world.clusters.get(&DEFAULT_CLUSTER).unwrap();
        let of = |id| cluster.networks.iter().find(|n| n.network == id).map(|n| (n.display, n.migration));
        [of(evirt_domain::install::MANAGEMENT_NETWORK), of(blue)].into_iter().flatten().collect()
    };
    story.does(assign(blue, false, true));
    assert_eq!(uses(&story), [(false, false), (true, true)]);
    story.does(UnassignNetwork { cluster: DEFAULT_CLUSTER, network: blue });
    assert_eq!(uses(&story), [(true, true)]);
    let management = evirt_domain::install::MANAGEMENT_NETWORK;
    story.when(assign(management, false, true)).refused(ManagementRequired);
}

#[test]
fn a_cluster_goes_when_nothing_is_in_it() {
    let mut story = Story::installed();
    story.does(CreateCluster { config: cluster("web") });
    let web = ClusterId(story.log.last().expect("created").stream.id);
    let template = TemplateId(uuid::Uuid::from_u128(7));
    let blank = story.world.templates.get(&evirt_domain::template::BLANK).expect("Blank").config.clone();
    let config = evirt_domain::vm::VmConfig { cluster: web, name: "t".into(), ..blank };
    story.given(vec![evirt_domain::template::TemplateCreated { template, config }.into()]);
    story.when(RemoveCluster { cluster: web }).refused(ClusterHasTemplates);
}

#[test]
fn a_version_that_a_host_does_not_know_is_refused() {
    let mut story = Story::installed();
    let config = DataCenterConfig { version: OLD, ..crate::data_center::data_center("old") };
    story.does(CreateDataCenter { config, format: None });
    let old = story.world.data_centers.values().find(|dc| dc.config.name == "old").expect("created").id;
    story.does(CreateCluster { config: ClusterConfig { data_center: Some(old), version: OLD, ..cluster("old") } });
    let cluster = ClusterId(story.log.last().expect("created").stream.id);
    story.host_in(cluster, "alpha", evirt_domain::host::HostFacts { levels: vec![OLD], ..facts(16, 8) });
    let changes = ClusterPatch { version: Some(CURRENT_VERSION), ..ClusterPatch::default() };
    story.when(UpdateCluster { cluster, changes }).refused(VersionAboveHosts);
}

#[test]
fn consoles_are_reached_through_networks_for_vms() {
    let mut story = Story::installed();
    let config = evirt_domain::network::NetworkConfig { name: "storage".into(), ..Default::default() };
    let config = evirt_domain::network::NetworkConfig { vm_network: false, ..config };
    story.does(evirt_domain::network::CreateNetwork { data_center: DEFAULT_DATA_CENTER, config, with_profile: false });
    let network = story.world.networks.values().find(|n| n.config.name == "storage").expect("created").id;
    let network = ClusterNetwork { network, required: false, display: true, migration: false };
    story.when(AssignNetwork { cluster: DEFAULT_CLUSTER, network }).refused(DisplayNotForVms);
}
