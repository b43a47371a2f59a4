//! Changing the networks of a host: bonds, networks upon interfaces, all at once, and keeping them over a reboot.
//!
//! Every command works out the whole layout that is wanted, checks it by the same rules, and opens a job that lays it on the host.

mod layout;
mod report;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::host::{Host, HostStatus};
use crate::host_net::*;
use crate::ids::*;
use crate::job::{JobOpened, Task, open_job};
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::World;

pub use layout::*;
pub use report::*;

use layout::{check_layout, users};

/// How long a change may cut the host off before it is taken back, in seconds, where nothing is said.
pub const DEFAULT_CONNECTIVITY_TIMEOUT_S: u32 = 120;
/// The longest such time that may be asked for, in seconds.
pub const MAX_CONNECTIVITY_TIMEOUT_S: u32 = 3600;

/// What kind of change a job makes, by which its failure is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum NetworkChange {
    Setup,
    AddBond { name: String },
    RemoveBond { name: String },
    Attach { network: NetworkId },
    Detach { network: NetworkId },
    Update { network: Option<NetworkId> },
}

/// What a job lays upon a host's interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSetup {
    /// What was asked for.
    pub change: NetworkChange,
    /// All that is to lie there.
    pub layout: Layout,
    /// Takes the change back where it cuts the host off for so many seconds.
    pub rollback_s: Option<u32>,
}

/// An interface as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NicRef {
    /// By its identifier.
    Id(HostNicId),
    /// By its name.
    Name(String),
}

/// What a request says of an address; what it does not say stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressWish {
    /// How the address is got.
    pub protocol: Option<BootProtocol>,
    /// An IPv4 address.
    pub ip: Option<String>,
    /// Its netmask.
    pub netmask: Option<String>,
    /// The way to everything else.
    pub gateway: Option<String>,
}

impl AddressWish {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The address with what is wished; one that is given without a protocol is static.
    fn upon(&self, old: &Address) -> Address {
        let given = self.ip.is_some() || self.netmask.is_some() || self.gateway.is_some();
        let protocol = self.protocol.unwrap_or(if given { BootProtocol::Static } else { old.protocol });
        let kept = if old.protocol == protocol { old.clone() } else { Address { protocol, ..Address::default() } };
        if protocol != BootProtocol::Static {
            return kept;
        }
        let text = |wish: &Option<String>, old: String| wish.clone().unwrap_or(old);
        Address {
            protocol,
            ip: text(&self.ip, kept.ip),
            netmask: text(&self.netmask, kept.netmask),
            gateway: text(&self.gateway, kept.gateway),
        }
    }
}

/// What a request says of a bond; what it does not say stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BondWish {
    /// Its options by name, such as `mode`.
    pub options: Option<Vec<(String, String)>>,
    /// The interfaces that make it up.
    pub slaves: Option<Vec<NicRef>>,
}

/// Whether a change that cuts the host off is taken back, and after how many seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connectivity {
    /// Whether it is.
    pub check: bool,
    /// After how long.
    pub timeout_s: Option<u32>,
}

fn permit(host: HostId) -> Option<(Permit, EntityRef)> {
    Some((Permit::ConfigureHostNetwork, EntityRef::Host(host)))
}

/// The interface that a reference means; a name may be that of a bond to come, which is found in `layout`.
fn named(act: Act, host: &Host, layout: &Layout, nic: &NicRef) -> Result<String, Rejection> {
    let found = match nic {
        NicRef::Id(id) => host.nic(*id).map(|n| n.name.clone()),
        NicRef::Name(name) => (host.nics.iter().any(|n| n.name == *name) || layout.bond(name).is_some()).then(|| name.clone()),
    };
    let nic = match nic {
        NicRef::Id(id) => id.to_string(),
        NicRef::Name(name) => name.clone(),
    };
    found.ok_or_else(|| act.no(Key::InterfaceNotExists).with("interface", nic))
}

/// The interface itself, of a VLAN device's name.
fn base<'a>(host: &'a Host, name: &'a str) -> &'a str {
    host.layout.borne(name).map_or(name, |a| &a.nic)
}

/// Refuses where the host's state or another change stands against one.
fn ready(act: Act, world: &World, host: &Host) -> Result<(), Rejection> {
    if !matches!(host.status, HostStatus::Up | HostStatus::Maintenance | HostStatus::NonOperational) {
        return Err(act.no(Key::HostStatusIllegal).with("hostStatus", "up, maintenance or non_operational"));
    }
    let at_work = |task: &Task| matches!(task, Task::SetUpHostNetworks { .. } | Task::SaveHostNetworks { .. });
    if open_job(world, EntityRef::Host(host.id), at_work).is_some() {
        return Err(act.no(Key::HostNetworkBusy));
    }
    Ok(())
}

/// Opens the job that lays a layout on a host, where it may be laid and differs from what lies there.
fn lay(
    act: Act,
    world: &World,
    cx: &Context,
    host: &Host,
    layout: Layout,
    change: NetworkChange,
    connectivity: Connectivity,
) -> Result<Vec<Event>, Rejection> {
    let timeout_s = connectivity.timeout_s.unwrap_or(DEFAULT_CONNECTIVITY_TIMEOUT_S);
    check::range(act, "connectivity_timeout", timeout_s.into(), 1, MAX_CONNECTIVITY_TIMEOUT_S.into())?;
    check_layout(act, world, host, &layout)?;
    if layout == host.layout {
        return Ok(Vec::new());
    }
    let rollback_s = connectivity.check.then_some(timeout_s);
    let task = Task::SetUpHostNetworks { host: host.id, setup: NetworkSetup { change, layout, rollback_s } };
    let description = format!("Setting up the networks of Host {}", host.config.name);
    Ok(vec![JobOpened { job: cx.fresh(0), description, task }.into()])
}

/// Demands that a network is one of the host's cluster.
fn in_cluster(act: Act, world: &World, host: &Host, network: NetworkId) -> Result<(), Rejection> {
    let cluster = world.cluster(host.config.cluster)?;
    let network = world.network(network)?;
    if cluster.networks.iter().any(|n| n.network == network.id) {
        return Ok(());
    }
    Err(act.no(Key::HostNetworkNotInCluster).with("network", &network.config.name))
}

/// Demands that an interface may become part of the bond `of`.
fn check_slave(act: Act, host: &Host, slave: &str, of: &str) -> Result<(), Rejection> {
    if !host.is_physical(slave) {
        return Err(act.no(Key::BondParametersInvalid).with("detail", format!("{slave} is no physical interface")));
    }
    if host.layout.master(slave).is_some_and(|bond| bond.name != of) {
        return Err(act.no(Key::InterfaceInBond).with("interface", slave));
    }
    match host.layout.upon(slave).next() {
        None => Ok(()),
        Some(a) if a.vlan.is_some() => Err(act.no(Key::InterfaceHasVlans).with("interface", slave)),
        Some(_) => Err(act.no(Key::InterfaceHasNetwork).with("interface", slave)),
    }
}

/// Makes a bond of interfaces, with a network upon it.
#[derive(Clone, Debug)]
pub struct AddHostBond {
    /// Which host.
    pub host: HostId,
    /// Such as `bond0`.
    pub name: String,
    /// Its options by name, such as `mode`.
    pub options: Vec<(String, String)>,
    /// The interfaces that make it up.
    pub slaves: Vec<NicRef>,
    /// What lies upon it.
    pub network: NetworkId,
    /// The address of the host there.
    pub address: AddressWish,
}

impl Decide for AddHostBond {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "Bond");
        let host = world.host(self.host)?;
        ready(act, world, host)?;
        let mut layout = host.layout.clone();
        if layout.bond(&self.name).is_some() {
            return Err(act.no(Key::BondNameExists).with("name", &self.name));
        }
        let mut slaves = Vec::new();
        for slave in &self.slaves {
            let slave = named(act, host, &host.layout, slave)?;
            check_slave(act, host, &slave, &self.name)?;
            slaves.push(slave);
        }
        in_cluster(act, world, host, self.network)?;
        let network = world.network(self.network)?;
        if layout.attachment(self.network).is_some() {
            return Err(act.no(Key::NetworkAttachedAlready).with("network", &network.config.name));
        }
        layout.bonds.push(Bond { name: self.name.clone(), options: self.options.clone(), slaves });
        layout.attachments.push(HostNetwork::of(network, &self.name, self.address.upon(&Address::default())));
        let change = NetworkChange::AddBond { name: self.name.clone() };
        lay(act, world, cx, host, layout, change, Connectivity::default())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        permit(self.host)
    }
}

/// Takes a bond apart, and what lies upon it off the host.
#[derive(Clone, Debug)]
pub struct RemoveHostBond {
    /// Which host.
    pub host: HostId,
    /// The bond.
    pub nic: HostNicId,
}

impl Decide for RemoveHostBond {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Bond");
        let host = world.host(self.host)?;
        let nic = named(act, host, &host.layout, &NicRef::Id(self.nic))?;
        if host.layout.bond(&nic).is_none() {
            return Err(act.no(Key::BondNotExists).with("interface", nic));
        }
        ready(act, world, host)?;
        if host.layout.upon(&nic).any(|a| a.vlan.is_some()) {
            return Err(act.no(Key::BondHasVlans).with("interface", nic));
        }
        let used = |a: &HostNetwork| users(world, host.id, a.network);
        if let Some(users) = host.layout.borne(&nic).map(used).filter(|users| !users.is_empty()) {
            return Err(act.no(Key::InterfaceInUseByVm).with("vms", users.join(", ")));
        }
        let mut layout = host.layout.clone();
        layout.attachments.retain(|a| a.nic != nic);
        layout.bonds.retain(|b| b.name != nic);
        lay(act, world, cx, host, layout, NetworkChange::RemoveBond { name: nic }, Connectivity::default())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        permit(self.host)
    }
}

/// Lays a network upon an interface.
#[derive(Clone, Debug)]
pub struct AttachHostNetwork {
    /// Which host.
    pub host: HostId,
    /// The interface that carries it.
    pub nic: HostNicId,
    /// Which network.
    pub network: NetworkId,
}

impl Decide for AttachHostNetwork {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("attach", "Network");
        let host = world.host(self.host)?;
        let nic = named(act, host, &host.layout, &NicRef::Id(self.nic))?;
        ready(act, world, host)?;
        if host.layout.master(&nic).is_some() {
            return Err(act.no(Key::InterfaceInBond).with("interface", nic));
        }
        in_cluster(act, world, host, self.network)?;
        let network = world.network(self.network)?;
        if host.layout.borne(&nic).is_some_and(|a| a.vlan.is_some() || network.config.vlan.is_none()) {
            return Err(act.no(Key::InterfaceHasNetwork).with("interface", nic));
        }
        if host.layout.attachment(self.network).is_some() {
            return Err(act.no(Key::NetworkAttachedAlready).with("network", &network.config.name));
        }
        if network.config.vlan.is_none() && network.config.vm_network && host.layout.upon(&nic).next().is_some() {
            return Err(act.no(Key::InterfaceOnVlan).with("interface", nic));
        }
        let mut layout = host.layout.clone();
        layout.attachments.push(HostNetwork::of(network, &nic, Address::default()));
        lay(act, world, cx, host, layout, NetworkChange::Attach { network: self.network }, Connectivity::default())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        permit(self.host)
    }
}

/// Takes a network off an interface: the one that is named, or the one that lies there.
#[derive(Clone, Debug)]
pub struct DetachHostNetwork {
    /// Which host.
    pub host: HostId,
    /// The interface that carries it.
    pub nic: HostNicId,
    /// Which network; none for the one that the interface itself has.
    pub network: Option<NetworkId>,
}

impl Decide for DetachHostNetwork {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("detach", "Network");
        let host = world.host(self.host)?;
        let nic = named(act, host, &host.layout, &NicRef::Id(self.nic))?;
        ready(act, world, host)?;
        let there = match self.network {
            Some(network) => host.layout.attachment(network).filter(|a| a.device() == nic || a.nic == nic),
            None => host.layout.borne(&nic),
        };
        let Some(network) = there.map(|a| a.network) else {
            let key = if host.layout.bond(&nic).is_some() { Key::BondNotAttached } else { Key::InterfaceNotAttached };
            return Err(act.no(key).with("interface", nic));
        };
        let mut layout = host.layout.clone();
        layout.attachments.retain(|a| a.network != network);
        lay(act, world, cx, host, layout, NetworkChange::Detach { network }, Connectivity::default())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        permit(self.host)
    }
}

/// Changes what lies upon an interface, its address, or what a bond is made of.
#[derive(Clone, Debug)]
pub struct UpdateHostNic {
    /// Which host.
    pub host: HostId,
    /// The interface, or the bond.
    pub nic: HostNicId,
    /// The network that is to lie there.
    pub network: Option<NetworkId>,
    /// The address of the host there.
    pub address: AddressWish,
    /// What is to change of the bond that it is.
    pub bond: Option<BondWish>,
    /// Whether a network that was defined anew since is laid as it is defined now.
    pub sync: bool,
    /// Whether the change is taken back where the engine loses the host.
    pub connectivity: Connectivity,
}

impl Decide for UpdateHostNic {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("edit", "Network Interface");
        let host = world.host(self.host)?;
        let nic = named(act, host, &host.layout, &NicRef::Id(self.nic))?;
        ready(act, world, host)?;
        let mut layout = host.layout.clone();
        if let Some(wish) = &self.bond {
            let Some(at) = layout.bonds.iter().position(|b| b.name == nic) else {
                return Err(act.no(Key::BondNotExists).with("interface", nic));
            };
            layout.bonds[at] = bond(act, host, &host.layout.bonds[at], wish)?;
        }
        let old = host.layout.borne(&nic);
        let network = self.network.or(old.map(|a| a.network));
        match (old, network) {
            (None, None) if self.address.is_empty() && !self.sync => {}
            (None, None) => return Err(act.no(Key::InterfaceNotAttached).with("interface", nic)),
            (_, Some(network)) if old.is_none_or(|a| a.network != network) => {
                in_cluster(act, world, host, network)?;
                let network = world.network(network)?;
                if layout.attachment(network.id).is_some() {
                    return Err(act.no(Key::NetworkAttachedAlready).with("network", &network.config.name));
                }
                if let Some(master) = layout.master(&nic) {
                    return Err(act.no(Key::InterfaceInBond).with("interface", &nic).with("bond", &master.name));
                }
                let address = self.address.upon(&old.map(|a| a.address.clone()).unwrap_or_default());
                layout.attachments.retain(|a| Some(a) != old);
                layout.attachments.push(HostNetwork::of(network, base(host, &nic), address));
            }
            (Some(old), _) => {
                let address = self.address.upon(&old.address);
                let new = relaid(act, world, old, &old.nic, address, self.sync)?;
                layout.attachments.retain(|a| a != old);
                layout.attachments.push(new);
            }
            (None, Some(_)) => {}
        }
        layout.attachments.sort_by_key(|a| a.network);
        lay(act, world, cx, host, layout, NetworkChange::Update { network }, self.connectivity)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        permit(self.host)
    }
}

/// A bond with what is wished of it.
fn bond(act: Act, host: &Host, old: &Bond, wish: &BondWish) -> Result<Bond, Rejection> {
    let mut new = old.clone();
    if let Some(options) = &wish.options {
        new.options.clone_from(options);
    }
    if let Some(slaves) = &wish.slaves {
        new.slaves.clear();
        for slave in slaves {
            let slave = named(act, host, &host.layout, slave)?;
            check_slave(act, host, &slave, &old.name)?;
            new.slaves.push(slave);
        }
    }
    Ok(new)
}

/// A network that lies on the host, elsewhere or with another address: one that was defined anew since changes only with that.
fn relaid(act: Act, world: &World, old: &HostNetwork, nic: &str, address: Address, sync: bool) -> Result<HostNetwork, Rejection> {
    let network = world.network(old.network)?;
    if sync {
        return Ok(HostNetwork::of(network, nic, address));
    }
    let new = HostNetwork { nic: nic.to_owned(), address, ..old.clone() };
    if new != *old && !old.in_sync(world) {
        return Err(act.no(Key::NetworksOutOfSync).with("networks", &network.config.name));
    }
    Ok(new)
}

/// One interface in a request that sets up all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NicWish {
    /// The interface by its identifier.
    pub id: Option<HostNicId>,
    /// Or by its name.
    pub name: Option<String>,
    /// What is to lie upon it.
    pub network: Option<NetworkId>,
    /// The address of the host there.
    pub address: AddressWish,
    /// What is to make it up, where it is a bond.
    pub bond: Option<BondWish>,
    /// Whether the network is brought to how it is defined now.
    pub sync: bool,
}

/// Sets up all networks of a host at once: what the request does not name is taken off.
#[derive(Clone, Debug)]
pub struct SetUpHostNetworks {
    /// Which host.
    pub host: HostId,
    /// Every interface with what is to lie upon it.
    pub nics: Vec<NicWish>,
    /// Whether the change is taken back where the engine loses the host.
    pub connectivity: Connectivity,
}

impl Decide for SetUpHostNetworks {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("setup", "Networks");
        let host = world.host(self.host)?;
        ready(act, world, host)?;
        let mut layout = Layout::default();
        let unknown = |name: &str| act.no(Key::InterfacesDontExist).with("interfaces", name);
        for wish in &self.nics {
            let Some(wanted) = &wish.bond else { continue };
            let name = wish.id.and_then(|id| host.nic(id)).map(|n| n.name.clone()).or(wish.name.clone());
            let name = name.ok_or_else(|| act.no(Key::BondParametersInvalid).with("detail", "a bond needs a name"))?;
            if layout.bond(&name).is_some() {
                return Err(act.no(Key::InterfacesSpecifiedTwice).with("interfaces", name));
            }
            let mut bond = host.layout.bond(&name).cloned().unwrap_or(Bond { name, options: Vec::new(), slaves: Vec::new() });
            if let Some(options) = &wanted.options {
                bond.options.clone_from(options);
            }
            if let Some(slaves) = &wanted.slaves {
                bond.slaves = slaves.iter().map(|slave| named(act, host, &layout, slave)).collect::<Result<_, _>>()?;
            }
            layout.bonds.push(bond);
        }
        let mut seen = BTreeSet::new();
        for wish in &self.nics {
            let said = wish.id.map(|id| id.to_string()).or(wish.name.clone()).unwrap_or_default();
            let name = match (wish.id, &wish.name) {
                (Some(id), _) => host.nic(id).map(|n| n.name.clone()).ok_or_else(|| unknown(&said))?,
                (None, Some(name)) => name.clone(),
                (None, None) => return Err(unknown("without id and name")),
            };
            if !seen.insert(name.clone()) {
                return Err(act.no(Key::InterfacesSpecifiedTwice).with("interfaces", name));
            }
            let Some(network) = wish.network.map(|id| world.network(id)).transpose()? else {
                if !host.nics.iter().any(|n| n.name == name) && layout.bond(&name).is_none() {
                    return Err(unknown(&name));
                }
                continue;
            };
            // A VLAN device is named after what carries it, and is made with the network.
            let carrier = network.config.vlan.and_then(|vlan| name.strip_suffix(&format!(".{vlan}")));
            let nic = carrier.unwrap_or_else(|| base(host, &name));
            let attachment = match host.layout.attachment(network.id) {
                Some(old) => relaid(act, world, old, nic, wish.address.upon(&old.address), wish.sync)?,
                None => HostNetwork::of(network, nic, wish.address.upon(&Address::default())),
            };
            layout.attachments.push(attachment);
        }
        layout.bonds.sort_by(|a, b| a.name.cmp(&b.name));
        layout.attachments.sort_by_key(|a| a.network);
        lay(act, world, cx, host, layout, NetworkChange::Setup, self.connectivity)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        permit(self.host)
    }
}

/// Makes a host keep its networks over a reboot.
#[derive(Clone, Debug)]
pub struct CommitHostNetworks {
    /// Which host.
    pub host: HostId,
}

impl Decide for CommitHostNetworks {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let host = world.host(self.host)?;
        ready(Act("save", "Network Changes"), world, host)?;
        let description = format!("Saving the networks of Host {}", host.config.name);
        let task = Task::SaveHostNetworks { host: self.host };
        Ok(vec![JobOpened { job: cx.fresh(0), description, task }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        permit(self.host)
    }
}
