//! What lies upon the interfaces of hosts: the rules of bonds and networks, reports, and the networks that a cluster requires.

use evirt_domain::Key::{self, *};
use evirt_domain::cluster::{AssignNetwork, ClusterNetwork};
use evirt_domain::host::HostStatus::*;
use evirt_domain::host::*;
use evirt_domain::host_net::{Lack, NETWORK_UNREACHABLE, device_id, lack};
use evirt_domain::host_net_setup::*;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER, MANAGEMENT_NETWORK};
use evirt_domain::job::Task;
use evirt_domain::network::{CreateNetwork, NetworkConfig, NetworkPatch, RemoveNetwork, UpdateNetwork, profiles_of};
use evirt_domain::vm::{AddNic, BootDevice, NicConfig, NicPatch, UpdateNic, VmPatch};

use crate::harness::*;

/// A host with four interfaces, of which the first is managed through, and three networks of its cluster that it does not need.
struct Lab {
    story: Story,
    host: HostId,
    red: NetworkId,
    /// VLAN 7.
    blue: NetworkId,
    /// Not for VMs.
    storage: NetworkId,
}

impl std::ops::Deref for Lab {
    type Target = Story;

    fn deref(&self) -> &Story {
        &self.story
    }
}

impl Lab {
    fn new() -> Self {
        let mut story = Story::installed();
        let host = story.host_in(DEFAULT_CLUSTER, "alpha", wired());
        let mut network = |name: &str, vlan: Option<u32>, vm_network: bool| {
            let config = NetworkConfig { name: name.into(), vlan, vm_network, ..NetworkConfig::default() };
            story.does(CreateNetwork { data_center: DEFAULT_DATA_CENTER, config, with_profile: true });
            let network = *story.world.networks.values().find(|n| n.config.name == name).map(|n| &n.id).expect("created");
            story.does(AssignNetwork {
                cluster: DEFAULT_CLUSTER,
                network: ClusterNetwork { network, required: false, display: false, migration: false },
            });
            network
        };
        let (red, blue) = (network("red", None, true), network("blue", Some(7), true));
        let storage = network("storage", None, false);
        Self { story, host, red, blue, storage }
    }

    fn host(&self) -> &Host {
        self.world.hosts.get(&self.host).expect("the host")
    }

    fn nic(&self, name: &str) -> HostNicId {
        device_id(self.host, name)
    }

    fn shown(&self, name: &str) -> &HostNic {
        self.host().nics.iter().find(|n| n.name == name).unwrap_or_else(|| panic!("{name} is not shown"))
    }

    fn attach(&self, nic: &str, network: NetworkId) -> AttachHostNetwork {
        AttachHostNetwork { host: self.host, nic: self.nic(nic), network }
    }

    fn detach(&self, nic: &str, network: Option<NetworkId>) -> DetachHostNetwork {
        DetachHostNetwork { host: self.host, nic: self.nic(nic), network }
    }

    fn update(&self, nic: &str) -> UpdateHostNic {
        UpdateHostNic {
            host: self.host,
            nic: self.nic(nic),
            network: None,
            address: AddressWish::default(),
            bond: None,
            sync: false,
            connectivity: Connectivity::default(),
        }
    }

    fn bond(&self, name: &str, slaves: &[&str], network: NetworkId) -> AddHostBond {
        AddHostBond {
            host: self.host,
            name: name.into(),
            options: vec![("mode".into(), "4".into())],
            slaves: slaves.iter().map(|s| NicRef::Name((*s).into())).collect(),
            network,
            address: AddressWish::default(),
        }
    }

    fn set_up(&self, nics: Vec<NicWish>) -> SetUpHostNetworks {
        SetUpHostNetworks { host: self.host, nics, connectivity: Connectivity::default() }
    }

    /// A change is decided and carried out by the host.
    #[track_caller]
    fn does(&mut self, command: impl Into<evirt_domain::Intent>) -> Vec<&'static str> {
        self.story.does(command);
        let (job, layout) = match &self.world.jobs.get(&self.job()).expect("opened").task {
            Task::SetUpHostNetworks { setup, .. } => (self.job(), setup.layout.clone()),
            other => panic!("{other:?}"),
        };
        let outcome = Ok(laid(&self.world, wired(), &layout));
        let host = self.host;
        self.story.does(FinishNetworkSetup { host, job, outcome }).iter().map(evirt_domain::Event::kind).collect()
    }
}

fn fixed(ip: &str, netmask: &str, gateway: &str) -> AddressWish {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    AddressWish { protocol: Some(BootProtocol::Static), ip: given(ip), netmask: given(netmask), gateway: given(gateway) }
}

fn on(nic: &str, network: NetworkId) -> NicWish {
    NicWish { name: Some(nic.into()), network: Some(network), ..NicWish::default() }
}

#[test]
fn networks_come_and_go_on_interfaces() {
    let mut lab = Lab::new();
    assert_eq!(lab.shown("eth0").network, Some(MANAGEMENT_NETWORK));
    assert_eq!(lab.does(lab.attach("eth1", lab.red)), ["HostNetworkAttached", "JobEnded"]);
    assert_eq!((lab.shown("eth1").network, lab.shown("eth1").bridged), (Some(lab.red), true));
    assert_eq!(lab.does(lab.attach("eth2", lab.blue)), ["HostNetworkAttached", "JobEnded"]);
    assert_eq!((lab.shown("eth2").network, lab.shown("eth2.7").network), (None, Some(lab.blue)));
    assert_eq!((lab.shown("eth2.7").vlan, &lab.shown("eth2.7").mac), (Some(7), &lab.shown("eth2").mac));
    assert_eq!(lab.host().networks.len(), 3);
    let blue = lab.blue;
    assert_eq!(lab.does(lab.detach("eth2", Some(blue))), ["HostNetworkDetached", "JobEnded"]);
    assert_eq!(lab.does(lab.detach("eth1", None)), ["HostNetworkDetached", "JobEnded"]);
    assert_eq!(lab.host().networks, [MANAGEMENT_NETWORK]);
}

#[test]
fn what_stands_against_a_network_on_an_interface() {
    let mut lab = Lab::new();
    lab.does(lab.attach("eth1", lab.red));
    lab.does(lab.attach("eth2", lab.blue));
    let config = NetworkConfig { name: "elsewhere".into(), ..NetworkConfig::default() };
    lab.story.does(CreateNetwork { data_center: DEFAULT_DATA_CENTER, config, with_profile: true });
    let elsewhere = lab.world.networks.values().find(|n| n.config.name == "elsewhere").expect("created").id;
    for (nic, network, expected) in [
        ("eth1", lab.storage, InterfaceHasNetwork),
        ("eth3", lab.red, NetworkAttachedAlready),
        ("eth3", elsewhere, HostNetworkNotInCluster),
        ("eth1", lab.blue, NetworkAttachedAlready),
        ("eth9", lab.storage, InterfaceNotExists),
        ("eth2.7", lab.storage, InterfaceHasNetwork),
    ] {
        lab.when(lab.attach(nic, network)).refused(expected);
    }
    lab.when(lab.detach("eth3", None)).refused(InterfaceNotAttached);
    lab.when(lab.detach("eth1", Some(lab.blue))).refused(InterfaceNotAttached);
    lab.when(lab.detach("eth0", None)).refused(HostNeedsManagement);
    let mut tagged = Lab::new();
    tagged.does(tagged.attach("eth2", tagged.blue));
    tagged.when(tagged.attach("eth2", tagged.red)).refused(InterfaceOnVlan);
    assert_eq!(tagged.does(tagged.attach("eth2", tagged.storage)), ["HostNetworkAttached", "JobEnded"]);
    tagged.when(tagged.attach("eth0", tagged.storage)).refused(InterfaceHasNetwork);
    tagged.does(tagged.detach("eth2", Some(tagged.blue)));
    tagged.when(tagged.attach("eth0", tagged.blue)).refused(InterfacesNotExclusive);
    tagged.story.does(tagged.attach("eth3", tagged.red));
    tagged.when(tagged.attach("eth1", tagged.blue)).refused(HostNetworkBusy);
    for status in HostStatus::ALL {
        let mut lab = Lab::new();
        let host = lab.host;
        lab.story.host_is(host, *status);
        let expected = (!matches!(status, Up | Maintenance | NonOperational)).then_some(HostStatusIllegal);
        assert_eq!(lab.when(lab.attach("eth1", lab.red)).key(), expected, "{}", status.name());
        assert_eq!(lab.when(CommitHostNetworks { host }).key(), expected, "{}", status.name());
    }
}

#[test]
fn bonds() {
    let mut lab = Lab::new();
    assert_eq!(lab.does(lab.bond("bond0", &["eth1", "eth2"], lab.red)), ["HostBondSet", "HostNetworkAttached", "JobEnded"]);
    let bond = lab.shown("bond0");
    assert_eq!((bond.network, bond.up, &bond.mac), (Some(lab.red), true, &lab.shown("eth1").mac));
    assert_eq!(lab.shown("eth1").master, Some(lab.nic("bond0")));
    for (name, slaves, network, expected) in [
        ("bond0", ["eth3", "eth0"], lab.storage, BondNameExists),
        ("bond1", ["eth3", "eth1"], lab.storage, InterfaceInBond),
        ("bond1", ["eth3", "eth0"], lab.storage, InterfaceHasNetwork),
        ("bond1", ["eth3", "eth3"], lab.storage, InterfacesSpecifiedTwice),
        ("bond1", ["eth3", "bond0"], lab.storage, BondParametersInvalid),
        ("bond1", ["eth3", "eth9"], lab.storage, InterfaceNotExists),
        ("bond9", ["eth3", "eth9"], lab.storage, InterfaceNotExists),
    ] {
        lab.when(lab.bond(name, &slaves, network)).refused(expected);
    }
    lab.when(lab.bond("bond1", &["eth3"], lab.storage)).refused(BondSlaveCount);
    lab.when(lab.bond("bond5", &["eth3"], lab.storage)).refused(BondParametersInvalid);
    lab.when(AddHostBond { options: vec![("mode".into(), "4 5".into())], ..lab.bond("bond1", &["eth3"], lab.storage) })
        .refused(BondParametersInvalid);
    lab.when(lab.attach("eth1", lab.storage)).refused(InterfaceInBond);
    let slaves = ["eth1", "eth2", "eth3"].map(|s| NicRef::Name(s.into())).to_vec();
    let wish = BondWish { options: Some(vec![("mode".into(), "1".into())]), slaves: Some(slaves) };
    assert_eq!(lab.does(UpdateHostNic { bond: Some(wish.clone()), ..lab.update("bond0") }), ["HostBondSet", "JobEnded"]);
    assert_eq!(lab.host().layout.bonds[0].slaves.len(), 3);
    lab.when(UpdateHostNic { bond: Some(wish), ..lab.update("eth0") }).refused(BondNotExists);
    let remove = |lab: &Lab, nic: &str| RemoveHostBond { host: lab.host, nic: lab.nic(nic) };
    lab.when(remove(&lab, "eth0")).refused(BondNotExists);
    assert_eq!(lab.does(remove(&lab, "bond0")), ["HostNetworkDetached", "HostBondRemoved", "JobEnded"]);
    assert_eq!(lab.host().nics.len(), 4);
    lab.does(lab.bond("bond0", &["eth1", "eth2"], lab.blue));
    lab.when(remove(&lab, "bond0")).refused(BondHasVlans);
}

#[test]
fn addresses() {
    let mut lab = Lab::new();
    lab.does(lab.attach("eth1", lab.red));
    let address = |lab: &Lab, address: AddressWish| UpdateHostNic { address, ..lab.update("eth1") };
    for (wish, expected) in [
        (fixed("", "255.255.255.0", ""), AddressMandatory),
        (fixed("192.0.2.9", "", ""), AddressMandatory),
        (fixed("192.0.2.900", "255.255.255.0", ""), AddressBadFormat),
        (fixed("224.0.0.1", "255.255.255.0", ""), AddressBadFormat),
        (fixed("192.0.2.9", "255.0.255.0", ""), NetmaskBadFormat),
        (fixed("192.0.2.9", "255.255.255.0", "gate"), GatewayBadFormat),
    ] {
        lab.when(address(&lab, wish)).refused(expected);
    }
    lab.when(UpdateHostNic { address: fixed("192.0.2.9", "255.0.0.0", ""), ..lab.update("eth3") }).refused(InterfaceNotAttached);
    let only_ip = AddressWish { protocol: None, ..fixed("192.0.2.9", "255.255.255.0", "192.0.2.1") };
    assert_eq!(lab.does(address(&lab, only_ip)), ["HostNetworkAttached", "JobEnded"]);
    assert_eq!(lab.shown("eth1").address.protocol, BootProtocol::Static, "an address that is given is static");
    let dhcp = AddressWish { protocol: Some(BootProtocol::Dhcp), ..AddressWish::default() };
    lab.does(address(&lab, dhcp));
    assert_eq!(lab.shown("eth1").address, Address { protocol: BootProtocol::Dhcp, ..Address::default() });
    let mut timeout = address(&lab, fixed("192.0.2.9", "255.255.255.0", ""));
    timeout.connectivity = Connectivity { check: true, timeout_s: Some(0) };
    lab.when(timeout).refused(OutOfRange);
}

#[test]
fn the_address_that_a_host_was_added_with_stays() {
    let mut lab = Lab::new();
    let (host, to) = (lab.host, HostPatch { address: Some("192.0.2.10".into()), ..HostPatch::default() });
    lab.story.host_is(host, Maintenance);
    lab.story.does(UpdateHost { host, changes: to });
    let wish = |ip: &str| fixed(ip, "255.255.255.0", "");
    lab.when(UpdateHostNic { address: wish("192.0.2.77"), ..lab.update("eth0") }).refused(HostAddressFixed);
    lab.when(UpdateHostNic { address: wish("192.0.2.10"), ..lab.update("eth0") }).then(&["JobOpened"]);
}

#[test]
fn all_at_once() {
    let mut lab = Lab::new();
    let bonded = |name: &str, slaves: &[&str]| NicWish {
        name: Some(name.into()),
        bond: Some(BondWish { options: None, slaves: Some(slaves.iter().map(|s| NicRef::Name((*s).into())).collect()) }),
        ..NicWish::default()
    };
    let management = || on("eth0", MANAGEMENT_NETWORK);
    let unit: [(Vec<NicWish>, Key); 10] = [
        (vec![on("eth1", lab.red)], HostNeedsManagement),
        (vec![management(), on("eth9", lab.red)], InterfacesDontExist),
        (vec![management(), on("eth1", lab.red), on("eth1", lab.blue)], InterfacesSpecifiedTwice),
        (vec![management(), on("eth1", lab.red), on("eth2", lab.red)], NetworksAttachedTwice),
        (vec![management(), bonded("bond0", &["eth1"])], BondSlaveCount),
        (vec![management(), bonded("bond0", &["eth1", "eth2"]), bonded("bond1", &["eth2", "eth3"])], InterfacesSpecifiedTwice),
        (vec![management(), bonded("bond0", &["eth1", "eth2"]), on("eth1", lab.red)], InterfacesSpecifiedTwice),
        (vec![management(), on("eth1", lab.red), on("eth1.7", lab.blue)], InterfacesNotExclusive),
        (vec![management(), NicWish { network: Some(lab.red), ..NicWish::default() }], InterfacesDontExist),
        (vec![management(), on("bond0", lab.red)], InterfacesDontExist),
    ];
    for (nics, expected) in unit {
        lab.when(lab.set_up(nics)).refused(expected);
    }
    lab.when(lab.set_up(vec![management()])).then(&[]);
    let bond = NicWish { network: Some(lab.storage), ..bonded("bond0", &["eth1", "eth2"]) };
    let wanted = vec![management(), bond, on("bond0.7", lab.blue), on("eth3", lab.red)];
    let kinds = lab.does(lab.set_up(wanted));
    assert_eq!(kinds, ["HostBondSet", "HostNetworkAttached", "HostNetworkAttached", "HostNetworkAttached", "JobEnded"]);
    assert_eq!(lab.shown("bond0.7").network, Some(lab.blue));
    let moved = vec![on("eth0", MANAGEMENT_NETWORK), on("eth1", lab.red)];
    let kinds = lab.does(lab.set_up(moved));
    assert_eq!(kinds, ["HostNetworkDetached", "HostNetworkDetached", "HostBondRemoved", "HostNetworkAttached", "JobEnded"]);
}

#[test]
fn a_network_that_a_host_has_is_removed_and_managed_no_more() {
    let mut lab = Lab::new();
    lab.does(lab.attach("eth1", lab.red));
    lab.story.does(RemoveNetwork { network: lab.red });
    assert_eq!(lab.shown("eth1").network, None);
}

#[test]
fn an_interface_is_plugged_only_where_the_host_has_its_network() {
    let mut lab = Lab::new();
    let boot = Some(vec![BootDevice::Network, BootDevice::Hd]);
    let vm = lab.story.vm_with(VmPatch { name: Some("guest".into()), boot, ..VmPatch::default() });
    lab.story.up(vm);
    let profile = profiles_of(&lab.world, lab.red).next().expect("a profile").id;
    lab.when(AddNic { vm, config: nic("nic1", Some(profile)) }).refused(NetworkNotOnHost);
    lab.when(AddNic { vm, config: nic("nic1", None) }).accepted();
    lab.story.does(AddNic { vm, config: NicConfig { plugged: false, ..nic("nic1", Some(profile)) } });
    let managed = nic("nic2", Some(lab.profile()));
    lab.story.does(AddNic { vm, config: managed });
    let [first, own] = [0, 1].map(|n| lab.world.vms.get(&vm).expect("the VM").nics[n].id);
    let change = |nic, changes| UpdateNic { vm, nic, changes };
    let plug = change(first, NicPatch { plugged: Some(true), ..NicPatch::default() });
    let rewire = change(own, NicPatch { profile: Some(Some(profile)), ..NicPatch::default() });
    lab.when(plug.clone()).refused(NetworkNotOnHost);
    lab.when(rewire.clone()).refused(NetworkNotOnHost);
    lab.does(lab.attach("eth1", lab.red));
    lab.when(plug).then(&["NicUpdated", "JobOpened"]);
    lab.when(rewire).then(&["NicUpdated", "JobOpened"]);
}

#[test]
fn a_network_that_was_defined_anew_is_laid_so_on_demand_only() {
    let mut lab = Lab::new();
    lab.does(lab.attach("eth1", lab.red));
    let changes = NetworkPatch { name: Some("crimson".into()), ..NetworkPatch::default() };
    lab.when(UpdateNetwork { network: lab.red, changes }).refused(NetworkInUse);
    let changes = NetworkPatch { mtu: Some(9000), ..NetworkPatch::default() };
    lab.story.does(UpdateNetwork { network: lab.red, changes });
    let network = lab.host().layout.attachment(lab.red).expect("laid");
    assert!(!network.in_sync(&lab.world));
    let wish = fixed("192.0.2.9", "255.255.255.0", "");
    lab.when(UpdateHostNic { address: wish.clone(), ..lab.update("eth1") }).refused(NetworksOutOfSync);
    lab.does(UpdateHostNic { address: wish, sync: true, ..lab.update("eth1") });
    assert_eq!(lab.shown("eth1").mtu, 9000);
    assert!(lab.host().layout.attachment(lab.red).expect("laid").in_sync(&lab.world));
}

#[test]
fn what_a_host_reports_is_true() {
    let mut lab = Lab::new();
    lab.does(lab.bond("bond0", &["eth1", "eth2"], lab.red));
    let before = lab.host().nics.clone();
    let (host, layout) = (lab.host, lab.host().layout.clone());
    let same = laid(&lab.world, wired(), &layout);
    lab.when(ReportConnected { host, job: None, outcome: Ok(same) }).then(&[]);
    let outcome = Ok(HostFacts { memory: GIB, ..laid(&lab.world, wired(), &layout) });
    lab.story.does(ReportConnected { host, job: None, outcome });
    assert_eq!(lab.host().nics, before, "interfaces and what lies upon them outlive a report");
    let kinds = ["HostFactsReported", "HostNetworkDetached", "HostBondRemoved"];
    lab.when(ReportConnected { host, job: None, outcome: Ok(wired()) }).then(&kinds);
}

#[test]
fn a_change_that_fails_leaves_the_host_as_it_was() {
    let mut lab = Lab::new();
    lab.story.does(lab.attach("eth1", lab.red));
    let (host, job) = (lab.host, lab.job());
    lab.when(FinishNetworkSetup { host, job, outcome: Err("taken back".into()) }).then(&["JobEnded"]);
}

#[test]
fn a_host_without_a_required_network_is_not_operational() {
    let mut lab = Lab::new();
    let host = lab.host;
    let require = |network| AssignNetwork {
        cluster: DEFAULT_CLUSTER,
        network: ClusterNetwork { network, required: true, display: false, migration: false },
    };
    lab.when(CheckHostNetworks { host }).then(&[]);
    lab.story.does(require(lab.red));
    assert_eq!(lack(&lab.world, lab.host()), Some(Lack::Missing(vec!["red".into()])));
    lab.story.does(CheckHostNetworks { host });
    assert_eq!((lab.status(host), lab.host().detail.as_str()), (NonOperational, NETWORK_UNREACHABLE));
    lab.when(ReportConnected { host, job: None, outcome: Ok(wired()) }).then(&[]);
    lab.does(lab.attach("eth1", lab.red));
    let outcome = Ok(laid(&lab.world, wired(), &lab.host().layout));
    lab.story.does(ReportConnected { host, job: None, outcome });
    assert_eq!(lab.status(host), Up);
    lab.story.does(ReportLink { host, nic: "eth1".into(), up: false });
    assert_eq!(lack(&lab.world, lab.host()), Some(Lack::Down(vec!["red".into()], vec!["eth1".into()])));
    lab.story.does(CheckHostNetworks { host });
    assert_eq!(lab.status(host), NonOperational);
    lab.story.does(ReportLink { host, nic: "eth1".into(), up: true });
    lab.when(ReportLink { host, nic: "eth1".into(), up: true }).then(&[]);
    let red = lab.red;
    lab.does(lab.detach("eth1", Some(red)));
    lab.story.host_is(host, Up);
    lab.does(lab.attach("eth1", red));
    assert_eq!(lab.does(lab.detach("eth1", None)), ["HostNetworkDetached", "HostStatusChanged", "JobEnded"]);
}

#[test]
fn a_network_that_running_vms_use_stays() {
    let mut lab = Lab::new();
    let host = lab.host;
    lab.does(lab.attach("eth1", lab.red));
    lab.story.active_domain(host, "data", evirt_domain::storage::DomainClass::Data);
    let vm = lab.story.vm("guest");
    lab.story.disk(vm);
    let profile = evirt_domain::network::profiles_of(&lab.world, lab.red).next().expect("a profile").id;
    lab.story.does(evirt_domain::vm::AddNic { vm, config: nic("nic1", Some(profile)) });
    lab.story.up(vm);
    let refusal = lab.when(lab.detach("eth1", None)).refused(NetworkUsedByVms);
    assert!(refusal.to_string().contains("guest"), "{refusal}");
}

#[test]
fn what_carries_a_large_packet_lets_it_through() {
    let mut lab = Lab::new();
    lab.story.does(UpdateNetwork { network: lab.blue, changes: NetworkPatch { mtu: Some(9000), ..NetworkPatch::default() } });
    lab.does(lab.bond("bond0", &["eth1", "eth2"], lab.blue));
    assert_eq!(["bond0.7", "bond0", "eth1", "eth2", "eth0"].map(|nic| lab.shown(nic).mtu), [9000, 9000, 9000, 9000, 1500]);
}

#[test]
fn what_stands_against_bonds_and_networks_of_others() {
    let mut lab = Lab::new();
    let (red, blue) = (lab.red, lab.blue);
    lab.does(lab.attach("eth3", blue));
    lab.when(lab.bond("bond0", &["eth2", "eth3"], red)).refused(InterfaceHasVlans);
    lab.does(lab.detach("eth3", Some(blue)));
    lab.does(lab.bond("bond0", &["eth1", "eth2"], blue));
    lab.when(lab.detach("bond0", Some(red))).refused(BondNotAttached);
    let config = NetworkConfig { name: "elsewhere".into(), vm_network: true, ..NetworkConfig::default() };
    lab.story.does(CreateNetwork { data_center: DEFAULT_DATA_CENTER, config, with_profile: false });
    let elsewhere = lab.world.networks.values().find(|n| n.config.name == "elsewhere").expect("created").id;
    let kept = || [on("eth0", MANAGEMENT_NETWORK), on("eth3", elsewhere)].to_vec();
    lab.when(lab.set_up(kept())).refused(NetworksNotInCluster);
    // Another bond carries a network that a machine uses.
    let mut lab = Lab::new();
    lab.does(lab.bond("bond0", &["eth1", "eth2"], lab.red));
    lab.story.active_domain(lab.host, "data", evirt_domain::storage::DomainClass::Data);
    let vm = lab.story.vm("guest");
    lab.story.disk(vm);
    let profile = profiles_of(&lab.world, lab.red).next().expect("a profile").id;
    lab.story.does(AddNic { vm, config: nic("nic1", Some(profile)) });
    lab.story.up(vm);
    lab.when(RemoveHostBond { host: lab.host, nic: lab.nic("bond0") }).refused(InterfaceInUseByVm);
}

#[test]
fn a_vlan_has_no_larger_packets_than_what_carries_it() {
    let mut lab = Lab::new();
    lab.story.does(UpdateNetwork { network: lab.blue, changes: NetworkPatch { mtu: Some(9000), ..NetworkPatch::default() } });
    lab.does(lab.attach("eth1", lab.storage));
    lab.when(lab.attach("eth1", lab.blue)).refused(NetworkMtuDiffers);
}

#[test]
fn before_gateways_of_their_own_only_the_management_network_has_one() {
    let mut story = Story::installed();
    let version = evirt_domain::data_center::Version { major: 3, minor: 2 };
    let config = evirt_domain::data_center::DataCenterConfig {
        name: "old".into(),
        description: String::new(),
        comment: String::new(),
        storage_type: evirt_domain::storage::StorageKind::Nfs,
        version,
        quota_mode: evirt_domain::data_center::QuotaMode::Disabled,
    };
    story.does(evirt_domain::data_center::CreateDataCenter { config, format: None });
    let data_center = story.world.data_centers.values().find(|dc| dc.config.name == "old").expect("created").id;
    let config =
        evirt_domain::cluster::ClusterConfig { name: "old".into(), data_center: Some(data_center), version, ..cluster_config() };
    story.does(evirt_domain::cluster::CreateCluster { config });
    let cluster = story.world.clusters.values().find(|c| c.config.name == "old").expect("created").id;
    let host = story.host_in(cluster, "alpha", wired());
    let config = NetworkConfig { name: "red".into(), vm_network: true, ..NetworkConfig::default() };
    story.does(CreateNetwork { data_center, config, with_profile: false });
    let network = story.world.networks.values().find(|n| n.config.name == "red").expect("created").id;
    let network_of = ClusterNetwork { network, required: false, display: false, migration: false };
    story.does(AssignNetwork { cluster, network: network_of });
    let bond = |gateway: &str| AddHostBond {
        host,
        name: "bond0".into(),
        options: vec![("mode".into(), "4".into())],
        slaves: ["eth1", "eth2"].map(|slave| NicRef::Name(slave.into())).to_vec(),
        network,
        address: fixed("10.0.0.2", "255.0.0.0", gateway),
    };
    story.when(bond("10.0.0.1")).refused(GatewayIllegal);
    story.when(bond("")).accepted();
}
