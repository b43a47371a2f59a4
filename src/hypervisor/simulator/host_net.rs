//! What lies upon the interfaces of simulated hosts: bonds, networks, links, and what cuts a host off.

use std::net::IpAddr;

use uuid::Uuid;

use super::machine::{Machine, failed, not_found};
use super::world::{Host, Laid, Life, Timer};
use crate::hypervisor::estate::{HostEntry, HostNicEntry};
use crate::hypervisor::*;

/// Whether the link of an interface is up.
fn link(host: &Host, nic: &HostNicEntry) -> bool {
    nic.down == host.turned_links.contains(&nic.name)
}

/// The interfaces of a host.
pub fn nics(entry: &HostEntry, host: &Host) -> Vec<HostNicFacts> {
    let facts = |nic: &HostNicEntry| HostNicFacts {
        name: nic.name.clone(),
        mac: nic.mac.clone(),
        ip: nic.ip,
        netmask: nic.netmask,
        gateway: nic.gateway,
        speed_bps: nic.speed_bps,
        mtu: nic.mtu,
        up: link(host, nic),
    };
    entry.nics.iter().map(facts).collect()
}

/// The hardware of an interface or bond.
fn hardware<'a>(entry: &'a HostEntry, laid: &'a Laid, nic: &'a str) -> impl Iterator<Item = &'a HostNicEntry> {
    let slaves = laid.bonds.iter().find(|bond| bond.name == nic).map(|bond| &bond.slaves);
    entry.nics.iter().filter(move |own| match slaves {
        Some(slaves) => slaves.contains(&own.name),
        None => own.name == nic,
    })
}

/// The networks of a host; what gets its address by DHCP is leased the one that its hardware has on the estate.
pub fn networks(entry: &HostEntry, host: &Host) -> Vec<NetworkAttachment> {
    let mut networks = host.laid.networks.clone();
    for network in networks.iter_mut().filter(|n| n.boot_protocol == BootProtocol::Dhcp && n.vlan.is_none()) {
        if let Some(lease) = hardware(entry, &host.laid, &network.nic).find(|own| own.ip.is_some()) {
            (network.ip, network.netmask, network.gateway) = (lease.ip, lease.netmask, lease.gateway);
        }
    }
    networks
}

/// The load of a host's interfaces, by chance; a bond has that of its slaves, a VLAN device that of what carries it.
pub fn load(entry: &HostEntry, host: &Host, mut rate: impl FnMut(f64) -> f64) -> Vec<NicStatistics> {
    let mut nics: Vec<NicStatistics> = Vec::new();
    for nic in &entry.nics {
        let (rx, tx) = (rate(1e6), rate(1e6));
        let flows = if link(host, nic) { 1.0 } else { 0.0 };
        let errors = host.link_losses.get(&nic.name).copied().unwrap_or_default();
        nics.push(NicStatistics {
            name: nic.name.clone(),
            rx_bytes_per_s: rx * flows,
            tx_bytes_per_s: tx * flows,
            rx_errors: errors,
            tx_errors: errors,
        });
    }
    for bond in &host.laid.bonds {
        let mut sum = NicStatistics { name: bond.name.clone(), ..NicStatistics::default() };
        for slave in nics.iter().filter(|nic| bond.slaves.contains(&nic.name)) {
            sum.rx_bytes_per_s += slave.rx_bytes_per_s;
            sum.tx_bytes_per_s += slave.tx_bytes_per_s;
            sum.rx_errors += slave.rx_errors;
            sum.tx_errors += slave.tx_errors;
        }
        nics.push(sum);
    }
    for network in &host.laid.networks {
        if let (Some(vlan), Some(base)) = (network.vlan, nics.iter().find(|nic| nic.name == network.nic).cloned()) {
            nics.push(NicStatistics { name: format!("{}.{vlan}", network.nic), ..base });
        }
    }
    nics
}

/// Whether a host is reached at its address with these networks upon its interfaces: by the interface that has the address on the
/// estate or the bond that it is part of, or by another that is given it.
pub fn reached(entry: &HostEntry, host: &Host, laid: &Laid) -> bool {
    let Some(carrier) = entry.nics.iter().find(|nic| nic.ip == Some(entry.address)) else { return true };
    let bond = laid.bonds.iter().find(|bond| bond.slaves.contains(&carrier.name));
    let own = bond.map_or(&carrier.name, |bond| &bond.name);
    let up = |nic: &str| hardware(entry, laid, nic).any(|nic| link(host, nic));
    let given = |n: &&NetworkAttachment| n.ip == Some(entry.address) && n.boot_protocol == BootProtocol::Static;
    if let Some(network) = laid.networks.iter().find(given) {
        return up(&network.nic);
    }
    let another = |ip: Option<IpAddr>| ip.is_some_and(|ip| ip != entry.address);
    let moved = laid.networks.iter().find(|n| n.nic == *own && n.vlan.is_none());
    up(own) && !moved.is_some_and(|n| n.boot_protocol == BootProtocol::Static && another(n.ip))
}

impl Machine {
    /// Whether laying this upon a host's interfaces cuts it off.
    pub(super) fn cuts(&self, id: Uuid, laid: &Laid) -> bool {
        let Ok(entry) = self.entry(id) else { return false };
        let host = &self.world.hosts[&entry.name];
        host.cut_next || !reached(entry, host, laid)
    }

    pub(super) fn setup_networks(&mut self, id: Uuid, laid: Laid, rolls_back: bool) -> Outcome {
        let entry = self.entry(id)?.clone();
        self.running(id)?;
        let slaves = laid.bonds.iter().flat_map(|bond| &bond.slaves);
        if let Some(lost) = slaves.clone().find(|slave| !entry.nics.iter().any(|own| own.name == **slave)) {
            return Err(not_found("network interface", lost));
        }
        for network in &laid.networks {
            let bonded = slaves.clone().any(|slave| *slave == network.nic);
            if bonded || hardware(&entry, &laid, &network.nic).next().is_none() {
                return Err(not_found("network interface", &network.nic));
            }
        }
        let cuts = self.cuts(id, &laid);
        let heartbeat_ms = self.estate.durations.heartbeat_ms;
        let host = self.running_mut(id)?;
        host.cut_next = false;
        if cuts && rolls_back {
            return Err(failed("the host was not reached with its new networks, which were taken back"));
        }
        host.laid = laid;
        if cuts {
            host.life = Life::Cut;
            host.deaths += 1;
            let deaths = host.deaths;
            self.world.schedule(heartbeat_ms, Timer::HeartbeatLost { name: entry.name.clone(), deaths });
            return Err(DriverError::Unreachable { address: entry.address.to_string() });
        }
        Ok(Reply::Host(Box::new(self.facts(&entry))))
    }

    pub(super) fn save_networks(&mut self, id: Uuid) -> Outcome {
        let host = self.running_mut(id)?;
        host.saved = host.laid.clone();
        Ok(Reply::Done)
    }

    pub fn cut_next(&mut self, address: &str) -> bool {
        let Some(name) = self.estate.host_at(address).map(|entry| entry.name.clone()) else { return false };
        self.world.hosts.get_mut(&name).map(|host| host.cut_next = true).is_some()
    }

    pub fn set_link(&mut self, interface: &str, up: bool) -> bool {
        let Some((entry, nic)) = self.estate.interface(interface).map(|(host, nic)| (host.clone(), nic.clone())) else {
            return false;
        };
        let heartbeat_ms = self.estate.durations.heartbeat_ms;
        let Some(host) = self.world.hosts.get_mut(&entry.name) else { return false };
        if link(host, &nic) == up {
            return true;
        }
        if !host.turned_links.remove(&nic.name) {
            host.turned_links.insert(nic.name.clone());
        }
        if !up {
            *host.link_losses.entry(nic.name.clone()).or_default() += 1;
        }
        let (id, reached) = (host.id, reached(&entry, host, &host.laid));
        match (host.life, reached) {
            (Life::Running, false) => {
                host.life = Life::Cut;
                host.deaths += 1;
                let deaths = host.deaths;
                self.world.schedule(heartbeat_ms, Timer::HeartbeatLost { name: entry.name.clone(), deaths });
            }
            (Life::Cut, true) => {
                host.life = Life::Running;
                if let Some(host) = id {
                    self.tell(Observation::HostUp { host });
                }
            }
            (Life::Running, true) => {
                if let Some(host) = id {
                    self.tell(Observation::HostLink { host, nic: nic.name, up });
                }
            }
            _ => {}
        }
        true
    }
}
