//! Networks and vNIC profiles: names, VLANs, use, the management network.

use evirt_domain::Key::*;
use evirt_domain::cluster::{AssignNetwork, ClusterConfig, ClusterNetwork, CreateCluster, UnassignNetwork};
use evirt_domain::data_center::{CURRENT_VERSION, CreateDataCenter, DataCenterConfig, QuotaMode, SUPPORTED_VERSIONS};
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER, MANAGEMENT_NETWORK};
use evirt_domain::network::*;
use evirt_domain::storage::StorageKind;
use evirt_domain::vm::{AddNic, RemoveNic};

use crate::harness::*;

fn config(name: &str) -> NetworkConfig {
    NetworkConfig {
        name: name.into(),
        description: String::new(),
        comment: String::new(),
        vlan: None,
        mtu: 0,
        stp: false,
        vm_network: true,
        ..NetworkConfig::default()
    }
}

fn create(config: NetworkConfig) -> CreateNetwork {
    CreateNetwork { data_center: DEFAULT_DATA_CENTER, config, with_profile: true }
}

fn network(story: &mut Story, config: NetworkConfig) -> NetworkId {
    NetworkId(story.does(create(config))[0].as_fold().stream().id)
}

fn use_of(network: NetworkId) -> ClusterNetwork {
    ClusterNetwork { network, required: false, display: false, migration: false }
}

#[test]
fn creation() {
    let mut story = Story::installed();
    story.when(create(config("blue"))).then(&["NetworkCreated", "VnicProfileCreated"]);
    story.when(create(NetworkConfig { vm_network: false, ..config("blue") })).then(&["NetworkCreated"]);
    story.when(CreateNetwork { with_profile: false, ..create(config("blue")) }).then(&["NetworkCreated"]);
    let blue = network(&mut story, NetworkConfig { vlan: Some(7), ..config("blue") });
    for (config, expected) in [
        (config("blue"), NetworkNameInUse),
        (config(""), NameEmpty),
        (config("sixteen-letters-"), NameTooLong),
        (config("dotted.name"), NameSpecialCharacters),
        (NetworkConfig { vlan: Some(7), ..config("red") }, VlanInUse),
        (NetworkConfig { vlan: Some(0), ..config("red") }, OutOfRange),
        (NetworkConfig { ip: "10.0.0.256".into(), ..config("red") }, AddressBadFormat),
        (NetworkConfig { netmask: "255.0.255.0".into(), ..config("red") }, NetmaskBadFormat),
        (NetworkConfig { vlan: Some(4095), ..config("red") }, OutOfRange),
        (NetworkConfig { mtu: 9_001, ..config("red") }, OutOfRange),
        (config("bond7"), NetworkNamedLikeBond),
        (NetworkConfig { stp: true, vm_network: false, ..config("red") }, NetworkStpNotForVms),
    ] {
        story.when(create(config)).refused(expected);
    }
    for name in ["bond", "bonds", "bond0x", "rebond1"] {
        story.when(create(config(name))).accepted();
    }
    story.when(create(NetworkConfig { vlan: Some(4094), mtu: 9000, ..config("fifteen-letters") })).accepted();
    story.when(CreateNetwork { data_center: nowhere(), config: config("red"), with_profile: true }).refused(EntityNotFound);
    let second = DataCenterConfig {
        name: "second".into(),
        description: String::new(),
        comment: String::new(),
        storage_type: StorageKind::Nfs,
        version: CURRENT_VERSION,
        quota_mode: QuotaMode::Disabled,
    };
    let data_center = DataCenterId(story.does(CreateDataCenter { config: second, format: None })[0].as_fold().stream().id);
    let same = NetworkConfig { vlan: Some(7), ..config("blue") };
    story.when(CreateNetwork { data_center, config: same, with_profile: true }).accepted();
    let to_hosts = UpdateNetwork { network: blue, changes: NetworkPatch { vm_network: Some(false), ..NetworkPatch::default() } };
    story.when(to_hosts.clone()).then(&["VnicProfileRemoved", "NetworkUpdated"]);
    story.does(to_hosts);
    let profile = VnicProfileConfig { name: "gold".into(), ..VnicProfileConfig::default() };
    story.when(CreateVnicProfile { network: blue, config: profile }).refused(ProfileOfNonVmNetwork);
}

#[test]
fn old_versions_know_less_of_networks() {
    let mut story = Story::installed();
    let old = DataCenterConfig {
        name: "old".into(),
        description: String::new(),
        comment: String::new(),
        storage_type: StorageKind::Nfs,
        version: SUPPORTED_VERSIONS[0],
        quota_mode: QuotaMode::Disabled,
    };
    let data_center = DataCenterId(story.does(CreateDataCenter { config: old, format: None })[0].as_fold().stream().id);
    let create = |config| CreateNetwork { data_center, config, with_profile: true };
    story.when(create(NetworkConfig { vm_network: false, ..config("red") })).refused(NonVmNetworkUnsupported);
    story.when(create(NetworkConfig { mtu: 9_000, ..config("red") })).refused(NetworkMtuUnsupported);
    let red = NetworkId(story.does(create(config("red")))[0].as_fold().stream().id);
    let to_hosts = NetworkPatch { vm_network: Some(false), ..NetworkPatch::default() };
    story.when(UpdateNetwork { network: red, changes: to_hosts }).refused(NonVmNetworkUnsupported);
    let config =
        ClusterConfig { name: "old".into(), data_center: Some(data_center), version: SUPPORTED_VERSIONS[0], ..cluster_config() };
    let cluster = ClusterId(story.does(CreateCluster { config })[0].as_fold().stream().id);
    let migrates = ClusterNetwork { migration: true, ..use_of(red) };
    story.when(AssignNetwork { cluster, network: migrates }).refused(MigrationNetworkUnsupported);
    story.when(AssignNetwork { cluster, network: use_of(red) }).accepted();
    // The management network has that use by itself, and keeps it.
    let management = story.world.clusters.get(&cluster).expect("the cluster").networks[0];
    assert!(management.migration);
    story.when(AssignNetwork { cluster, network: ClusterNetwork { display: false, ..management } }).accepted();
}

#[test]
fn the_management_network_stays() {
    let story = Story::installed();
    let update = |changes| UpdateNetwork { network: MANAGEMENT_NETWORK, changes };
    story.when(RemoveNetwork { network: MANAGEMENT_NETWORK }).refused(NetworkIsManagement);
    story.when(UnassignNetwork { cluster: DEFAULT_CLUSTER, network: MANAGEMENT_NETWORK }).refused(NetworkIsManagement);
    let rename = NetworkPatch { name: Some("mgmt".into()), ..NetworkPatch::default() };
    story.when(update(rename)).refused(NetworkIsManagement);
    story.when(update(NetworkPatch { mtu: Some(1500), ..NetworkPatch::default() })).then(&["NetworkUpdated"]);
}

#[test]
fn a_network_in_use_stays() {
    let mut estate = estate();
    let vm = estate.vm;
    let blue = network(&mut estate, config("blue"));
    let profile = profiles_of(&estate.world, blue).next().expect("a profile").id;
    estate.when(AddNic { vm, config: nic("nic2", Some(profile)) }).refused(NetworkNotInCluster);
    estate.when(UnassignNetwork { cluster: DEFAULT_CLUSTER, network: blue }).refused(EntityNotFound);
    estate.does(AssignNetwork { cluster: DEFAULT_CLUSTER, network: use_of(blue) });
    estate.when(AssignNetwork { cluster: DEFAULT_CLUSTER, network: use_of(blue) }).then(&[]);
    estate.does(AddNic { vm, config: nic("nic2", Some(profile)) });
    estate.when(RemoveNetwork { network: blue }).refused(NetworkInUse);
    estate.when(UnassignNetwork { cluster: DEFAULT_CLUSTER, network: blue }).refused(NetworkInUse);
    estate.when(RemoveVnicProfile { profile }).refused(VnicProfileInUse);
    let nic = estate.world.vms.get(&vm).expect("the VM").nics[1].id;
    estate.does(RemoveNic { vm, nic });
    estate.when(RemoveVnicProfile { profile }).then(&["VnicProfileRemoved"]);
    estate.when(RemoveNetwork { network: blue }).then(&["NetworkUnassigned", "VnicProfileRemoved", "NetworkRemoved"]);
    estate.does(RemoveNetwork { network: blue });
    estate.when(create(config("blue"))).accepted();
}

#[test]
fn one_network_of_a_cluster_is_for_displays() {
    let mut story = Story::installed();
    let blue = network(&mut story, config("blue"));
    story.does(AssignNetwork { cluster: DEFAULT_CLUSTER, network: ClusterNetwork { display: true, ..use_of(blue) } });
    let cluster = story.world.clusters.get(&DEFAULT_CLUSTER).expect("Default");
    let displays: Vec<_> = cluster.networks.iter().filter(|n| n.display).map(|n| n.network).collect();
    assert_eq!(displays, [blue]);
    // The display and what else changes are told apart.
    let red = network(&mut story, config("red"));
    let assign = |display, required| AssignNetwork {
        cluster: DEFAULT_CLUSTER,
        network: ClusterNetwork { display, required, ..use_of(red) },
    };
    story.does(assign(false, false));
    story.when(assign(true, false)).then(&["NetworkAssigned"]);
    story.when(assign(true, true)).then(&["NetworkAssigned", "NetworkAssigned"]);
    story.does(assign(true, true));
    story.when(assign(false, true)).then(&["NetworkAssigned"]);
}

#[test]
fn profiles() {
    let mut story = Story::installed();
    let config = |name: &str| VnicProfileConfig {
        name: name.into(),
        description: String::new(),
        port_mirroring: false,
        custom_properties: Vec::new(),
    };
    let create = |name: &str| CreateVnicProfile { network: MANAGEMENT_NETWORK, config: config(name) };
    story.when(create("rhevm")).refused(VnicProfileNameInUse);
    story.when(create("")).refused(NameEmpty);
    story.when(create(&"x".repeat(51))).refused(NameTooLong);
    story.when(CreateVnicProfile { network: nowhere(), config: config("p") }).refused(EntityNotFound);
    story.does(create("gold"));
    let profile = VnicProfileId(story.log.last().expect("created").stream.id);
    let rename = |name: &str| VnicProfilePatch { name: Some(name.into()), ..VnicProfilePatch::default() };
    story.when(UpdateVnicProfile { profile, network: None, changes: rename("rhevm") }).refused(VnicProfileNameInUse);
    story.when(UpdateVnicProfile { profile, network: None, changes: rename("gold") }).then(&[]);
    story
        .when(UpdateVnicProfile { profile, network: Some(nowhere()), changes: rename("silver") })
        .refused(VnicProfileNetworkFixed);
    story.when(UpdateVnicProfile { profile, network: Some(MANAGEMENT_NETWORK), changes: rename("gold") }).then(&[]);
    story.when(UpdateVnicProfile { profile, network: None, changes: rename("silver") }).then(&["VnicProfileUpdated"]);
}
