//! The rules of a host's layout: which bonds there may be, what may lie upon what, and which addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::check::Act;
use crate::data_center::Version;
use crate::host::Host;
use crate::host_net::*;
use crate::ids::*;
use crate::levels::Feature;
use crate::network::Network;
use crate::rejection::{Key, Rejection};
use crate::world::World;

/// The names that a bond may have.
pub const BOND_NAMES: [&str; 5] = ["bond0", "bond1", "bond2", "bond3", "bond4"];
/// The modes that a bond may have, at their numbers.
pub const BOND_MODES: [&str; 7] =
    ["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"];
/// The most options of a bond.
pub const MAX_BOND_OPTIONS: usize = 32;

/// Whether a name, a value or the like can be put on an interface's command line.
fn plain(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic())
}

fn is_mode(mode: &str) -> bool {
    BOND_MODES.contains(&mode) || mode.parse::<usize>().is_ok_and(|n| n < BOND_MODES.len() && n.to_string() == mode)
}

/// Refuses a layout that cannot lie on a host, or that takes from it what is in use.
pub(super) fn check_layout(act: Act, world: &World, host: &Host, layout: &Layout) -> Result<(), Rejection> {
    let mut slaves = BTreeSet::new();
    for bond in &layout.bonds {
        if !BOND_NAMES.contains(&&*bond.name) {
            let detail = format!("{} is not one of {}", bond.name, BOND_NAMES.join(", "));
            return Err(act.no(Key::BondParametersInvalid).with("detail", detail));
        }
        let sound = |(name, value): &(String, String)| plain(name) && plain(value);
        if bond.options.len() > MAX_BOND_OPTIONS || !bond.options.iter().all(sound) {
            let detail = format!("the options of {} are not understood", bond.name);
            return Err(act.no(Key::BondParametersInvalid).with("detail", detail));
        }
        if let Some((_, mode)) = bond.options.iter().find(|(name, mode)| name == "mode" && !is_mode(mode)) {
            let detail = format!("{mode} is no mode; modes are 0 to {}, or {}", BOND_MODES.len() - 1, BOND_MODES.join(", "));
            return Err(act.no(Key::BondParametersInvalid).with("detail", detail));
        }
        if let Some(lost) = bond.slaves.iter().find(|s| !host.is_physical(s)) {
            return Err(act.no(Key::InterfacesDontExist).with("interfaces", lost));
        }
        if let Some(twice) = bond.slaves.iter().find(|s| !slaves.insert(*s)) {
            return Err(act.no(Key::InterfacesSpecifiedTwice).with("interfaces", twice));
        }
        if bond.slaves.len() < 2 {
            return Err(act.no(Key::BondSlaveCount).with("bonds", &bond.name));
        }
    }
    let cluster = world.cluster(host.config.cluster)?;
    let mut networks = BTreeSet::new();
    for attachment in &layout.attachments {
        let network = world.network(attachment.network)?;
        let name = &network.config.name;
        if !host.is_physical(&attachment.nic) && layout.bond(&attachment.nic).is_none() {
            return Err(act.no(Key::InterfacesDontExist).with("interfaces", &attachment.nic));
        }
        if slaves.contains(&attachment.nic) {
            return Err(act.no(Key::InterfacesSpecifiedTwice).with("interfaces", &attachment.nic));
        }
        if !networks.insert(attachment.network) {
            return Err(act.no(Key::NetworksAttachedTwice).with("networks", name));
        }
        let old = host.layout.attachment(attachment.network);
        if old == Some(attachment) {
            continue;
        }
        if !cluster.networks.iter().any(|n| n.network == attachment.network) {
            return Err(act.no(Key::NetworksNotInCluster).with("networks", name));
        }
        check_address(act, cluster.config.version, host, network, &attachment.address)?;
    }
    for nic in layout.attachments.iter().map(|a| &a.nic).collect::<BTreeSet<_>>() {
        check_sharing(act, world, layout, nic)?;
    }
    let lost: Vec<&HostNetwork> = host.layout.attachments.iter().filter(|a| !networks.contains(&a.network)).collect();
    for attachment in lost {
        let Some(network) = world.networks.get(&attachment.network) else { continue };
        if network.management {
            return Err(act.no(Key::HostNeedsManagement).with("networkName", &network.config.name));
        }
        let users = users(world, host.id, network.id);
        if !users.is_empty() {
            return Err(act.no(Key::NetworkUsedByVms).with("networks", &network.config.name).with("vms", users.join(", ")));
        }
    }
    Ok(())
}

/// Refuses where networks upon one interface exclude each other.
fn check_sharing(act: Act, world: &World, layout: &Layout, nic: &str) -> Result<(), Rejection> {
    let (tagged, untagged): (Vec<&HostNetwork>, Vec<&HostNetwork>) = layout.upon(nic).partition(|a| a.vlan.is_some());
    let bridged = untagged.iter().any(|a| a.bridged);
    if untagged.len() > 1 || (bridged && !tagged.is_empty()) {
        return Err(act.no(Key::InterfacesNotExclusive).with("interfaces", nic));
    }
    let mtu = |a: &HostNetwork| if a.mtu == 0 { DEFAULT_MTU } else { a.mtu };
    // VLAN devices cannot have larger packets than what carries them.
    if let Some(untagged) = untagged.first()
        && let Some(other) = tagged.iter().find(|a| mtu(a) != mtu(untagged))
    {
        let said = [*untagged, *other].map(|a| {
            let name = world.networks.get(&a.network).map_or("", |n| &n.config.name);
            format!("{name} ({})", mtu(a))
        });
        return Err(act.no(Key::NetworkMtuDiffers).with("networks", said.join(", ")));
    }
    Ok(())
}

/// Refuses an address that a network of a host cannot have.
fn check_address(act: Act, version: Version, host: &Host, network: &Network, address: &Address) -> Result<(), Rejection> {
    let old = host.layout.attachment(network.id).map(|a| &a.address);
    let reached = host.config.address.parse::<IpAddr>().ok();
    let is_reached_by = |a: &Address| reached.is_some() && a.ip.parse::<IpAddr>().ok() == reached;
    // The host is known by this address, and its certificate names it.
    if old.is_some_and(is_reached_by) && address.protocol == BootProtocol::Static && !is_reached_by(address) {
        return Err(act.no(Key::HostAddressFixed).with("networks", &network.config.name));
    }
    if address.protocol != BootProtocol::Static {
        return Ok(());
    }
    if address.ip.is_empty() || address.netmask.is_empty() {
        let field = if address.ip.is_empty() { "ip.address" } else { "ip.netmask" };
        return Err(act.no(Key::AddressMandatory).with("field", field));
    }
    check_ip(act, &address.ip, &address.netmask, &address.gateway)?;
    if !address.gateway.is_empty() && !network.management && !Feature::Gateways.is_in(version) {
        return Err(act.no(Key::GatewayIllegal).with("network", &network.config.name));
    }
    Ok(())
}

/// Checks whichever parts of an address are given.
pub(crate) fn check_ip(act: Act, ip: &str, netmask: &str, gateway: &str) -> Result<(), Rejection> {
    let unicast =
        |text: &str| text.parse::<Ipv4Addr>().is_ok_and(|ip| !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast());
    if !ip.is_empty() && !unicast(ip) {
        return Err(act.no(Key::AddressBadFormat).with("address", ip));
    }
    let contiguous = |ip: Ipv4Addr| u32::from(ip).leading_ones() == u32::from(ip).count_ones() && !ip.is_unspecified();
    if !netmask.is_empty() && !netmask.parse::<Ipv4Addr>().is_ok_and(contiguous) {
        return Err(act.no(Key::NetmaskBadFormat).with("netmask", netmask));
    }
    if !gateway.is_empty() && !unicast(gateway) {
        return Err(act.no(Key::GatewayBadFormat).with("gateway", gateway));
    }
    Ok(())
}

/// The VMs on a host that use a network.
pub(super) fn users(world: &World, host: HostId, network: NetworkId) -> Vec<String> {
    let of_it = |p: VnicProfileId| world.vnic_profiles.get(&p).is_some_and(|p| p.network == network);
    let uses = |vm: &crate::vm::Vm| vm.nics.iter().any(|nic| nic.config.plugged && nic.config.profile.is_some_and(of_it));
    world.vms_on(host).filter(|vm| uses(vm)).map(|vm| vm.config.name.clone()).collect()
}
