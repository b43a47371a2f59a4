//! Network interfaces of VMs: the guide's section 15.4.2.

use serde::{Deserialize, Serialize};

use super::{MAX_DEVICES, Vm, VmPatch, VmUpdated, named, touch};
use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::fold;
use crate::hotplug::{Device, DeviceChange, follow, rewire};
use crate::ids::*;
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection, not_found};
use crate::vm_run::VmState;
use crate::world::{NameKind, World};

named! {
    /// The model of a NIC.
    NicInterface { Virtio "virtio", E1000 "e1000", Rtl8139 "rtl8139", Rtl8139Virtio "rtl8139_virtio" }
}

patchable! {
    /// What a user says of a VM's network interface.
    pub struct NicConfig, NicPatch {
        /// What it is called.
        pub name: String,
        /// The model.
        pub interface: NicInterface,
        /// Which profile.
        pub profile: Option<VnicProfileId>,
        /// The hardware address; empty for one from the pool.
        pub mac: String,
        /// Whether its cable is in.
        pub linked: bool,
        /// Whether the machine has it.
        pub plugged: bool,
        /// The networks whose traffic it receives as well, beside those that its profile mirrors.
        pub port_mirroring: Vec<NetworkId>,
    }
}

/// A network interface of a VM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nic {
    /// Identifier.
    pub id: NicId,
    /// What a user says of it.
    #[serde(flatten)]
    pub config: NicConfig,
}

impl std::ops::Deref for Nic {
    type Target = NicConfig;

    fn deref(&self) -> &NicConfig {
        &self.config
    }
}

impl NicConfig {
    /// The networks whose traffic it receives as well: its own where its profile says so, and those that it names.
    pub fn mirrored(&self, world: &World) -> Vec<NetworkId> {
        let profile = self.profile.and_then(|id| world.vnic_profiles.get(&id)).filter(|profile| profile.config.port_mirroring);
        let own = profile.map(|profile| profile.network);
        own.into_iter().chain(self.port_mirroring.iter().copied().filter(|network| Some(*network) != own)).collect()
    }
}

/// A VM got a network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NicAdded {
    /// Which VM.
    pub vm: VmId,
    /// The interface.
    pub nic: Nic,
}

fold!(NicAdded, Vm vm, |e, world, at| {
    world.take_name(NameKind::Mac, &e.nic.mac, e.nic.id.0);
    if let Some(mac) = mac_number(&e.nic.mac).filter(|mac| MAC_POOL.contains(mac)) {
        world.last_mac = mac;
    }
    touch(world, e.vm, at, |v| v.nics.push(e.nic.clone()));
});

/// A VM's network interface was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NicUpdated {
    /// Which VM.
    pub vm: VmId,
    /// Which interface.
    pub nic: NicId,
    /// What changes of it.
    pub changes: NicPatch,
}

fold!(NicUpdated, Vm vm, |e, world, at| {
    let old = world.vms.get(&e.vm).and_then(|v| v.nics.iter().find(|n| n.id == e.nic)).map(|n| n.mac.clone());
    if let (Some(old), Some(new)) = (old, &e.changes.mac) {
        world.rename(NameKind::Mac, &old, new, e.nic.0);
    }
    touch(world, e.vm, at, |v| {
        if let Some(nic) = v.nics.iter_mut().find(|n| n.id == e.nic) {
            nic.config.apply(&e.changes);
        }
    });
});

/// A VM lost a network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NicRemoved {
    /// Which VM.
    pub vm: VmId,
    /// Which interface.
    pub nic: NicId,
    /// What it was called.
    pub name: String,
}

fold!(NicRemoved, Vm vm, |e, world, at| {
    let old = world.vms.get(&e.vm).and_then(|v| v.nics.iter().find(|n| n.id == e.nic)).map(|n| n.mac.clone());
    if let Some(mac) = old {
        world.drop_name(NameKind::Mac, &mac, e.nic.0);
    }
    touch(world, e.vm, at, |v| v.nics.retain(|n| n.id != e.nic));
});

/// The MAC addresses that the pool gives out.
pub const MAC_POOL: std::ops::RangeInclusive<u64> = 0x001a_4a16_0151..=0x001a_4aff_ffff;

fn mac_number(mac: &str) -> Option<u64> {
    let parts: Vec<&str> = mac.split(':').collect();
    if parts.len() != 6 || parts.iter().any(|p| p.len() != 2) {
        return None;
    }
    parts.iter().try_fold(0, |n, part| Some(n << 8 | u64::from(u8::from_str_radix(part, 16).ok()?)))
}

fn mac_text(mac: u64) -> String {
    mac.to_be_bytes()[2..].iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}

/// A given MAC address in lower case where it is unicast and free.
fn given_mac(act: Act, world: &World, mac: &str, nic: Option<NicId>) -> Result<String, Rejection> {
    let mac = mac.to_lowercase();
    if !mac_number(&mac).is_some_and(|n| n != 0 && n >> 40 & 1 == 0) {
        return Err(act.no(Key::MacInvalid).with("mac", mac));
    }
    if world.exactly_named(NameKind::Mac, &mac).is_some_and(|other| Some(NicId(other)) != nic) {
        return Err(act.no(Key::MacInUse).with("mac", mac));
    }
    Ok(mac)
}

/// The next free address of a pool behind the one given out last. Refused where the pool has none.
pub fn free_mac(act: Act, world: &World, pool: std::ops::RangeInclusive<u64>) -> Result<String, Rejection> {
    let start = if pool.contains(&world.last_mac) { world.last_mac + 1 } else { *pool.start() };
    (start..=*pool.end())
        .chain(*pool.start()..start)
        .map(mac_text)
        .find(|mac| world.exactly_named(NameKind::Mac, mac).is_none())
        .ok_or_else(|| act.no(Key::MacPoolEmpty))
}

fn check_nic(act: Act, world: &World, vm: &Vm, nic: Option<NicId>, config: &NicConfig) -> Result<(), Rejection> {
    check::name(act, &config.name, check::NIC_NAME)?;
    if vm.nics.iter().any(|n| Some(n.id) != nic && n.name == config.name) {
        return Err(act.no(Key::NicNameInUse).with("name", &config.name));
    }
    check::range(act, "port_mirroring.networks", config.port_mirroring.len() as i64, 0, MAX_DEVICES as i64)?;
    if config.profile.is_none() && !config.port_mirroring.is_empty() {
        return Err(act.no(Key::MirroringWithoutNetwork).with("field", "port_mirroring"));
    }
    let own = config.profile.map(|profile| world.vnic_profile(profile).map(|p| p.network)).transpose()?;
    for network in own.iter().chain(&config.port_mirroring) {
        let name = &world.network(*network)?.config.name;
        if !world.cluster(vm.config.cluster)?.networks.iter().any(|n| n.network == *network) {
            return Err(act.no(Key::NetworkNotInCluster).with("network", name));
        }
    }
    Ok(())
}

/// The events by which a VM lets go of what belonged to the data center that it was in: its quota, and the networks of its NICs.
pub(crate) fn without_data_center(vm: &Vm) -> Vec<Event> {
    let quota = vm.config.quota.map(|_| {
        let changes = VmPatch { quota: Some(None), ..VmPatch::default() };
        VmUpdated { vm: vm.id, changes }.into()
    });
    let nics = vm.nics.iter().filter_map(|nic| {
        let bare = NicPatch { profile: Some(None), port_mirroring: Some(Vec::new()), ..NicPatch::default() };
        let changes = bare.reduce(&nic.config);
        (!changes.is_empty()).then(|| NicUpdated { vm: vm.id, nic: nic.id, changes }.into())
    });
    quota.into_iter().chain(nics).collect()
}

/// In which states a VM's NICs may be added, changed and removed.
fn nic_state(act: Act, vm: &Vm) -> Result<(), Rejection> {
    match vm.state {
        VmState::Down | VmState::Up => Ok(()),
        state => Err(act.no(Key::VmStatusIllegal).with("vmStatus", state.name())),
    }
}

/// Whether the host of a machine that runs has the network that an interface is to be plugged into.
fn check_host(act: Act, world: &World, vm: &Vm, config: &NicConfig) -> Result<(), Rejection> {
    let (Some(host), Some(profile)) = (vm.host().and_then(|id| world.hosts.get(&id)), config.profile) else { return Ok(()) };
    let network = world.network(world.vnic_profile(profile)?.network)?;
    match config.plugged && !crate::host_net::has(host, network) {
        true => Err(act.no(Key::NetworkNotOnHost).with("network", &network.config.name)),
        false => Ok(()),
    }
}

/// Gives a VM a network interface.
#[derive(Clone, Debug)]
pub struct AddNic {
    /// Which VM.
    pub vm: VmId,
    /// An empty MAC address is replaced by one of the pool.
    pub config: NicConfig,
}

impl Decide for AddNic {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "Network Interface");
        let vm = world.vm(self.vm)?;
        nic_state(act, vm)?;
        check_nic(act, world, vm, None, &self.config)?;
        check_host(act, world, vm, &self.config)?;
        check::range(act, "nics", vm.nics.len() as i64, 0, MAX_DEVICES as i64 - 1)?;
        let mut config = self.config.clone();
        config.mac =
            if config.mac.is_empty() { free_mac(act, world, MAC_POOL)? } else { given_mac(act, world, &config.mac, None)? };
        let nic = Nic { id: cx.fresh(0), config };
        let plugs = nic.plugged.then(|| follow(cx, 1, vm, Device::Nic(nic.id), DeviceChange::Plug)).flatten();
        Ok(std::iter::once(NicAdded { vm: self.vm, nic }.into()).chain(plugs).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConfigureVmNetwork, EntityRef::Vm(self.vm)))
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, EntityRef)> {
        self.config.profile.iter().map(|profile| (Permit::ConfigureVmNetwork, EntityRef::VnicProfile(*profile))).collect()
    }
}

fn nic_of(vm: &Vm, nic: NicId) -> Result<&Nic, Rejection> {
    vm.nics.iter().find(|n| n.id == nic).ok_or_else(|| not_found(format_args!("NIC: id={nic}")))
}

/// Changes a VM's network interface.
#[derive(Clone, Debug)]
pub struct UpdateNic {
    /// Which VM.
    pub vm: VmId,
    /// Which interface.
    pub nic: NicId,
    /// What changes of it.
    pub changes: NicPatch,
}

impl Decide for UpdateNic {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("update", "Network Interface");
        let vm = world.vm(self.vm)?;
        let nic = nic_of(vm, self.nic)?;
        let mut changes = self.changes.clone();
        if let Some(mac) = &mut changes.mac {
            *mac = given_mac(act, world, mac, Some(self.nic))?;
        }
        let changes = changes.reduce(&nic.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        nic_state(act, vm)?;
        let mut wanted = nic.config.clone();
        wanted.apply(&changes);
        check_nic(act, world, vm, Some(self.nic), &wanted)?;
        if changes.plugged.is_some() || changes.profile.is_some() {
            check_host(act, world, vm, &wanted)?;
        }
        let stays = nic.plugged && wanted.plugged;
        if !vm.is_down() && stays && (changes.mac.is_some() || changes.interface.is_some()) {
            return Err(act.no(Key::HotUpdate));
        }
        let rewires = stays && (changes.profile.is_some() || changes.linked.is_some() || changes.port_mirroring.is_some());
        let mirrors = |config: &NicConfig| !config.mirrored(world).is_empty();
        if !vm.is_down() && rewires && (mirrors(&nic.config) || mirrors(&wanted)) {
            return Err(act.no(Key::HotUpdateMirroring));
        }
        let job = match changes.plugged {
            Some(plugged) => follow(cx, 0, vm, Device::Nic(self.nic), DeviceChange::to(plugged)),
            None if rewires => {
                let before = NicPatch {
                    profile: changes.profile.map(|_| nic.profile),
                    linked: changes.linked.map(|_| nic.linked),
                    port_mirroring: changes.port_mirroring.as_ref().map(|_| nic.port_mirroring.clone()),
                    ..NicPatch::default()
                };
                rewire(cx, vm, self.nic, before)
            }
            None => None,
        };
        Ok(std::iter::once(NicUpdated { vm: self.vm, nic: self.nic, changes }.into()).chain(job).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConfigureVmNetwork, EntityRef::Vm(self.vm)))
    }

    fn further_permits(&self, world: &World) -> Vec<(Permit, EntityRef)> {
        let nics = world.vms.get(&self.vm).into_iter().flat_map(|vm| vm.nics.iter());
        let old = nics.filter(|nic| nic.id == self.nic).find_map(|nic| nic.profile);
        let new = self.changes.profile.flatten().filter(|new| Some(*new) != old);
        new.into_iter().map(|profile| (Permit::ConfigureVmNetwork, EntityRef::VnicProfile(profile))).collect()
    }
}

/// Takes a network interface from a VM.
#[derive(Clone, Debug)]
pub struct RemoveNic {
    /// Which VM.
    pub vm: VmId,
    /// Which interface.
    pub nic: NicId,
}

impl Decide for RemoveNic {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Network Interface");
        let vm = world.vm(self.vm)?;
        let nic = nic_of(vm, self.nic)?;
        nic_state(act, vm)?;
        if !vm.is_down() && nic.plugged {
            return Err(act.no(Key::VmIsRunning));
        }
        Ok(vec![NicRemoved { vm: self.vm, nic: self.nic, name: nic.name.clone() }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConfigureVmNetwork, EntityRef::Vm(self.vm)))
    }
}
