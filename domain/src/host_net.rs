//! The networks of a host: its interfaces and bonds, and the logical networks that lie upon them (the guide's section 14.6.1).
//!
//! What a host reports is its truth. A report names networks; [`interpret`] finds out which they are, and [`report`] says by events what
//! is new. The interfaces that the API shows are worked out from there.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::Cluster;
use crate::event::Event;
use crate::fold;
use crate::host::{Host, HostFacts, HostFactsReported, HostStatus};
use crate::ids::*;
use crate::index::{HostTerm, NetworkTerm};
use crate::network::Network;
use crate::vm::named;
use crate::world::World;

named! {
    /// How a network on a host gets its address.
    BootProtocol { None "none", Dhcp "dhcp", Static "static" }
}

/// The address of a network on a host; texts are empty where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// How the address is got.
    pub protocol: BootProtocol,
    /// An IPv4 address; empty for none.
    pub ip: String,
    /// Its netmask.
    pub netmask: String,
    /// The way to everything else.
    pub gateway: String,
}

impl Default for Address {
    fn default() -> Self {
        Self { protocol: BootProtocol::None, ip: String::new(), netmask: String::new(), gateway: String::new() }
    }
}

/// Interfaces that work as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bond {
    /// Such as `bond0`.
    pub name: String,
    /// Its options by name, such as `mode`.
    pub options: Vec<(String, String)>,
    /// The names of the interfaces, at least two.
    pub slaves: Vec<String>,
}

/// A logical network upon an interface, with what its definition said when it was laid there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostNetwork {
    /// Which network.
    pub network: NetworkId,
    /// The name of the interface or bond.
    pub nic: String,
    /// The number of its VLAN.
    pub vlan: Option<u32>,
    /// In bytes; 0 for the host's default.
    pub mtu: u32,
    /// Whether VMs can be plugged in.
    pub bridged: bool,
    /// The address of the host there.
    pub address: Address,
}

impl HostNetwork {
    /// The network upon an interface, as it is defined now.
    pub fn of(network: &Network, nic: &str, address: Address) -> Self {
        let config = &network.config;
        let nic = nic.to_owned();
        Self { network: network.id, nic, vlan: config.vlan, mtu: config.mtu, bridged: config.vm_network, address }
    }

    /// The name of the device that bears it: the interface itself, or its VLAN device such as `eth0.7`.
    pub fn device(&self) -> String {
        match self.vlan {
            None => self.nic.clone(),
            Some(vlan) => format!("{}.{vlan}", self.nic),
        }
    }

    /// Whether it is laid as its network is defined now.
    pub fn in_sync(&self, world: &World) -> bool {
        world.networks.get(&self.network).is_none_or(|network| {
            let config = &network.config;
            (self.vlan, self.mtu, self.bridged) == (config.vlan, config.mtu, config.vm_network)
        })
    }
}

/// What lies upon a host's interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Bonds.
    pub bonds: Vec<Bond>,
    /// Which networks lie upon which interfaces.
    pub attachments: Vec<HostNetwork>,
}

impl Layout {
    /// The bond of a name.
    pub fn bond(&self, name: &str) -> Option<&Bond> {
        self.bonds.iter().find(|b| b.name == name)
    }

    /// The bond that an interface is part of.
    pub fn master(&self, nic: &str) -> Option<&Bond> {
        self.bonds.iter().find(|b| b.slaves.iter().any(|s| s == nic))
    }

    /// Where a network lies.
    pub fn attachment(&self, network: NetworkId) -> Option<&HostNetwork> {
        self.attachments.iter().find(|a| a.network == network)
    }

    /// What lies upon an interface or bond, VLANs included.
    pub fn upon<'a>(&'a self, nic: &'a str) -> impl Iterator<Item = &'a HostNetwork> {
        self.attachments.iter().filter(move |a| a.nic == nic)
    }

    /// What one device bears.
    pub fn borne(&self, device: &str) -> Option<&HostNetwork> {
        self.attachments.iter().find(|a| a.device() == device)
    }
}

/// A physical network interface in a host's report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NicFacts {
    /// Such as `eth0`.
    pub name: String,
    /// The hardware address.
    pub mac: String,
    /// An IPv4 address; empty for none.
    pub ip: String,
    /// Its netmask.
    pub netmask: String,
    /// The way to everything else.
    pub gateway: String,
    /// Bits a second.
    pub speed: u64,
    /// In bytes.
    pub mtu: u32,
    /// Whether its link is down.
    pub down: bool,
}

/// A logical network in a host's report, which knows it by its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkFacts {
    /// The name of the network.
    pub name: String,
    /// The name of the interface that carries it.
    pub nic: String,
    /// The number of its VLAN.
    pub vlan: Option<u32>,
    /// The size of its packets, in bytes.
    pub mtu: u32,
    /// Whether machines reach the network through it.
    pub bridged: bool,
    /// The address of the host there.
    pub address: Address,
}

/// A network interface of a host as the API shows it: physical, a bond, or a VLAN device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostNic {
    /// Identifier.
    pub id: HostNicId,
    /// Such as `eth0`, or `eth0.7` for a VLAN upon it.
    pub name: String,
    /// The hardware address.
    pub mac: String,
    /// The address of the host there.
    pub address: Address,
    /// Bits a second.
    pub speed: u64,
    /// In bytes.
    pub mtu: u32,
    /// Whether its link is up.
    pub up: bool,
    /// The logical network on it.
    pub network: Option<NetworkId>,
    /// Whether machines reach the network through it.
    pub bridged: bool,
    /// The tag, of a VLAN device.
    pub vlan: Option<u32>,
    /// What it is made of, of a bond.
    pub bond: Option<Bond>,
    /// The bond that it is part of.
    pub master: Option<HostNicId>,
}

/// The identifier of a host's interface: derived from the host's and the name, so that it stays, and is the same everywhere.
pub fn device_id(host: HostId, name: &str) -> HostNicId {
    // FNV-1a with 128 bits.
    let hash = name.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    HostNicId(uuid::Builder::from_custom_bytes((host.0.as_u128() ^ hash).to_be_bytes()).into_uuid())
}

/// The MTU of an interface where none is said, in bytes.
pub const DEFAULT_MTU: u32 = 1500;

impl Host {
    /// The interface with an identifier.
    pub fn nic(&self, id: HostNicId) -> Option<&HostNic> {
        self.nics.iter().find(|n| n.id == id)
    }

    /// Whether an interface is one of the host's hardware.
    pub fn is_physical(&self, nic: &str) -> bool {
        self.facts.nics.iter().any(|n| n.name == nic)
    }

    /// Whether the link of an interface, bond or VLAN device is up.
    fn link_up(&self, nic: &str) -> bool {
        let up = |name: &str| self.facts.nics.iter().any(|n| n.name == name && !n.down);
        self.layout.bond(nic).map_or_else(|| up(nic), |bond| bond.slaves.iter().any(|s| up(s)))
    }

    /// Works out the interfaces that the API shows from the hardware and what lies upon it.
    pub(crate) fn lay(&mut self) {
        let id = |name: &str| device_id(self.id, name);
        let bare = |name: &str, mac: &str, mtu: u32, speed: u64| HostNic {
            id: id(name),
            name: name.to_owned(),
            mac: mac.to_owned(),
            address: Address::default(),
            speed,
            mtu: if mtu == 0 { DEFAULT_MTU } else { mtu },
            up: self.link_up(name),
            network: None,
            bridged: false,
            vlan: None,
            bond: None,
            master: None,
        };
        let mut nics: Vec<HostNic> = Vec::new();
        for own in &self.facts.nics {
            let mut nic = bare(&own.name, &own.mac, own.mtu, own.speed);
            nic.master = self.layout.master(&own.name).map(|bond| id(&bond.name));
            if nic.master.is_none() && !own.ip.is_empty() {
                let (ip, netmask, gateway) = (own.ip.clone(), own.netmask.clone(), own.gateway.clone());
                nic.address = Address { protocol: BootProtocol::Dhcp, ip, netmask, gateway };
            }
            nics.push(nic);
        }
        for bond in &self.layout.bonds {
            let slaves: Vec<&NicFacts> = self.facts.nics.iter().filter(|n| bond.slaves.contains(&n.name)).collect();
            let (mac, mtu) = slaves.first().map_or(("", 0), |n| (n.mac.as_str(), n.mtu));
            let speed = slaves.iter().map(|n| n.speed).max().unwrap_or_default();
            let mut nic = bare(&bond.name, mac, mtu, speed);
            nic.bond = Some(bond.clone());
            nics.push(nic);
        }
        for attachment in &self.layout.attachments {
            let device = attachment.device();
            if attachment.vlan.is_some()
                && let Some(base) = nics.iter().find(|n| n.name == attachment.nic)
            {
                let mut nic = bare(&device, &base.mac, base.mtu, base.speed);
                (nic.vlan, nic.up) = (attachment.vlan, base.up);
                nics.push(nic);
            }
            if let Some(nic) = nics.iter_mut().find(|n| n.name == device) {
                (nic.network, nic.bridged) = (Some(attachment.network), attachment.bridged);
                nic.address = attachment.address.clone();
                if attachment.mtu != 0 {
                    nic.mtu = attachment.mtu;
                }
            }
        }
        // What carries a device lets through what that does.
        for attachment in &self.layout.attachments {
            let slaves = self.layout.bond(&attachment.nic).map(|bond| bond.slaves.as_slice()).unwrap_or_default();
            for nic in nics.iter_mut().filter(|n| n.name == attachment.nic || slaves.contains(&n.name)) {
                nic.mtu = nic.mtu.max(attachment.mtu);
            }
        }
        self.networks = self.layout.attachments.iter().map(|a| a.network).collect();
        self.nics = nics;
    }
}

/// What a report says of hardware, and apart from it what lies upon the interfaces, with networks by their identity in the data center.
///
/// The engine reaches the host by its management network: where the report has none, it lies upon the first interface with an address.
pub(crate) fn interpret(world: &World, cluster: ClusterId, report: &HostFacts) -> (HostFacts, Layout) {
    let mut facts = report.clone();
    let mut layout = Layout { bonds: std::mem::take(&mut facts.bonds), attachments: Vec::new() };
    let reported = std::mem::take(&mut facts.networks);
    let Some(data_center) = world.clusters.get(&cluster).and_then(|c| c.config.data_center) else { return (facts, layout) };
    for network in world.networks.by(NetworkTerm::DataCenter(data_center)) {
        if let Some(own) = reported.iter().find(|r| r.name == network.config.name) {
            layout.attachments.push(HostNetwork {
                network: network.id,
                nic: own.nic.clone(),
                vlan: own.vlan,
                mtu: own.mtu,
                bridged: own.bridged,
                address: own.address.clone(),
            });
        } else if network.management
            && let Some(carrier) = facts.nics.iter().find(|n| !n.ip.is_empty()).or(facts.nics.first())
        {
            let protocol = if carrier.ip.is_empty() { BootProtocol::None } else { BootProtocol::Dhcp };
            let (ip, netmask, gateway) = (carrier.ip.clone(), carrier.netmask.clone(), carrier.gateway.clone());
            let nic = layout.master(&carrier.name).map_or(&carrier.name, |bond| &bond.name);
            layout.attachments.push(HostNetwork::of(network, nic, Address { protocol, ip, netmask, gateway }));
        }
    }
    (facts, layout)
}

/// What a report brings that is new: the host as it will be, and the events that make it so.
pub(crate) fn report(world: &World, host: &Host, report: &HostFacts) -> (Host, Vec<Event>) {
    let (facts, layout) = interpret(world, host.config.cluster, report);
    let mut events: Vec<Event> = Vec::new();
    let (id, old) = (host.id, &host.layout);
    if facts != host.facts {
        events.push(HostFactsReported { host: id, facts: facts.clone() }.into());
    }
    let gone = old.attachments.iter().filter(|a| layout.attachment(a.network).is_none());
    events.extend(gone.map(|a| HostNetworkDetached { host: id, network: a.network, nic: a.nic.clone() }.into()));
    let gone = old.bonds.iter().filter(|b| layout.bond(&b.name).is_none());
    events.extend(gone.map(|b| HostBondRemoved { host: id, name: b.name.clone() }.into()));
    let new = layout.bonds.iter().filter(|b| old.bond(&b.name) != Some(b));
    events.extend(new.map(|b| HostBondSet { host: id, bond: b.clone() }.into()));
    let new = layout.attachments.iter().filter(|a| old.attachment(a.network) != Some(a));
    events.extend(new.map(|a| HostNetworkAttached { host: id, attachment: a.clone() }.into()));
    let mut after = host.clone();
    (after.facts, after.layout) = (facts, layout);
    after.lay();
    (after, events)
}

/// What a host's networks lack to serve in its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Required networks that it does not have.
    Missing(Vec<String>),
    /// Required networks whose interfaces are down: the networks, and the interfaces.
    Down(Vec<String>, Vec<String>),
}

/// Why a host is non-operational that lacks a required network, as the API names it.
pub const NETWORK_UNREACHABLE: &str = "network_unreachable";

/// What a host lacks of the networks that its cluster requires.
pub fn lack(world: &World, host: &Host) -> Option<Lack> {
    let cluster: &Cluster = world.clusters.get(&host.config.cluster)?;
    let required = cluster.networks.iter().filter(|n| n.required).filter_map(|n| world.networks.get(&n.network));
    let (mut missing, mut down, mut nics) = (Vec::new(), Vec::new(), Vec::new());
    for network in required {
        match host.layout.attachment(network.id) {
            None => missing.push(network.config.name.clone()),
            // The engine hears of the host by this one, or it hears nothing.
            Some(_) if network.management => {}
            Some(a) if !host.link_up(&a.nic) => {
                down.push(network.config.name.clone());
                nics.push(a.nic.clone());
            }
            Some(_) => {}
        }
    }
    if !missing.is_empty() {
        return Some(Lack::Missing(missing));
    }
    (!down.is_empty()).then_some(Lack::Down(down, nics))
}

/// Whether a host has a network, so that machines on it can use it. The management network is there, or nothing would be heard of the host.
pub(crate) fn has(host: &Host, network: &Network) -> bool {
    network.management || host.networks.contains(&network.id)
}

/// Whether every host of a cluster that serves, or would if it did not lack networks, has a network.
pub fn operational_in(world: &World, cluster: ClusterId, network: &Network) -> bool {
    let counts = |h: &Host| match h.status {
        HostStatus::Up => true,
        HostStatus::NonOperational => h.detail == NETWORK_UNREACHABLE,
        _ => false,
    };
    let lacks = |h: &Arc<Host>| counts(h) && !h.networks.contains(&network.id);
    network.management || !world.hosts.by(HostTerm::Cluster(cluster)).any(lacks)
}

/// Whether a network is operational in every cluster that has it.
pub fn operational(world: &World, network: &Network) -> bool {
    let has = |c: &&Arc<Cluster>| c.networks.iter().any(|n| n.network == network.id);
    world.clusters_of(network.data_center).filter(has).all(|cluster| operational_in(world, cluster.id, network))
}

/// Takes a network that is no more off the hosts that had it.
pub(crate) fn forget(world: &mut World, network: NetworkId) {
    let hosts: Vec<HostId> = world.hosts.ids_by(HostTerm::Network(network)).collect();
    for host in hosts {
        world.hosts.update(&host, |h| {
            h.layout.attachments.retain(|a| a.network != network);
            h.lay();
        });
    }
}

fn relay(world: &mut World, host: HostId, at: &crate::event::EventMetadata, change: impl FnOnce(&mut Host)) {
    crate::host::touch(world, host, at, |h| {
        change(h);
        h.lay();
    });
}

/// Interfaces of a host work as one bond, or as another than before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostBondSet {
    /// Which host.
    pub host: HostId,
    /// The bond as it is now.
    pub bond: Bond,
}

fold!(HostBondSet, Host host, |e, world, at| {
    relay(world, e.host, at, |h| {
        h.layout.bonds.retain(|b| b.name != e.bond.name);
        h.layout.bonds.push(e.bond.clone());
        h.layout.bonds.sort_by(|a, b| a.name.cmp(&b.name));
    });
});

/// A bond of a host was taken apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostBondRemoved {
    /// Which host.
    pub host: HostId,
    /// What it was called.
    pub name: String,
}

fold!(HostBondRemoved, Host host, |e, world, at| {
    relay(world, e.host, at, |h| h.layout.bonds.retain(|b| b.name != e.name));
});

/// A logical network lies upon an interface of a host, or lies there in another way than before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostNetworkAttached {
    /// Which host.
    pub host: HostId,
    /// The network with the interface that carries it.
    pub attachment: HostNetwork,
}

fold!(HostNetworkAttached, Host host, |e, world, at| {
    relay(world, e.host, at, |h| {
        h.layout.attachments.retain(|a| a.network != e.attachment.network);
        h.layout.attachments.push(e.attachment.clone());
        h.layout.attachments.sort_by_key(|a| a.network);
    });
});

/// A logical network was taken off a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostNetworkDetached {
    /// Which host.
    pub host: HostId,
    /// Which network.
    pub network: NetworkId,
    /// The name of the interface.
    pub nic: String,
}

fold!(HostNetworkDetached, Host host, |e, world, at| {
    relay(world, e.host, at, |h| h.layout.attachments.retain(|a| a.network != e.network));
});

/// The link of a host's interface went down, or came up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostLinkChanged {
    /// Which host.
    pub host: HostId,
    /// The name of the interface.
    pub nic: String,
    /// Whether it is up.
    pub up: bool,
}

fold!(HostLinkChanged, Host host, |e, world, at| {
    relay(world, e.host, at, |h| h.facts.nics.iter_mut().filter(|n| n.name == e.nic).for_each(|n| n.down = !e.up));
});

/// A host keeps its networks over a reboot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostNetworksCommitted {
    /// Which host.
    pub host: HostId,
}

fold!(HostNetworksCommitted, Host host, |e, world, at| {
    crate::host::touch(world, e.host, at, |_| {});
});
