//! Logical networks and vNIC profiles: the guide's chapter 11.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::access::Object;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::ids::*;
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::{NameKind, World};

/// The name of the management network.
pub const MANAGEMENT_NAME: &str = "rhevm";
/// The VLAN tags that a network may have.
pub const VLAN_RANGE: std::ops::RangeInclusive<i64> = 1..=4094;
/// The largest MTU.
pub const MAX_MTU: i64 = 9000;

patchable! {
    /// What a user says of a network.
    pub struct NetworkConfig, NetworkPatch {
        pub name: String,
        pub description: String,
        pub comment: String,
        pub vlan: Option<u32>,
        /// 0 for the default.
        pub mtu: u32,
        pub stp: bool,
        /// Whether VMs may use it.
        pub vm_network: bool,
    }
}

/// A logical network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    pub id: NetworkId,
    pub version: u64,
    pub data_center: DataCenterId,
    pub config: NetworkConfig,
    /// Whether hosts are reached through it.
    pub management: bool,
}

patchable! {
    /// What a user says of a vNIC profile.
    pub struct VnicProfileConfig, VnicProfilePatch {
        pub name: String,
        pub description: String,
        pub port_mirroring: bool,
        pub custom_properties: Vec<(String, String)>,
    }
}

/// How VMs' interfaces use a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VnicProfile {
    pub id: VnicProfileId,
    pub version: u64,
    pub network: NetworkId,
    pub config: VnicProfileConfig,
}

/// A network was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkCreated {
    pub network: NetworkId,
    pub data_center: DataCenterId,
    pub config: NetworkConfig,
    pub management: bool,
}

fold!(NetworkCreated, Network network, |e, world, at| {
    world.take_name(NameKind::Network, &e.config.name, e.network.0);
    let network = Network {
        id: e.network, version: at.version, data_center: e.data_center, config: e.config.clone(), management: e.management,
    };
    world.networks.insert(e.network, network);
});

/// A network was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkUpdated {
    pub network: NetworkId,
    pub changes: NetworkPatch,
}

fold!(NetworkUpdated, Network network, |e, world, at| {
    if let (Some(new), Some(old)) = (&e.changes.name, world.networks.get(&e.network).map(|n| n.config.name.clone())) {
        world.rename(NameKind::Network, &old, new, e.network.0);
    }
    world.networks.update(&e.network, |n| { n.config.apply(&e.changes); n.version = at.version; });
});

/// A network was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkRemoved {
    pub network: NetworkId,
    pub name: String,
}

fold!(NetworkRemoved, Network network, |e, world, at| {
    if let Some(old) = world.networks.remove(&e.network) {
        world.drop_name(NameKind::Network, &old.config.name, e.network.0);
    }
    let hosts: Vec<HostId> = world.hosts.values().filter(|h| h.networks.contains(&e.network)).map(|h| h.id).collect();
    for host in hosts {
        world.hosts.update(&host, |h| {
            h.networks.retain(|n| *n != e.network);
            h.nics.iter_mut().filter(|n| n.network == Some(e.network)).for_each(|n| n.network = None);
        });
    }
    world.close_stream(StreamKind::Network, e.network.0);
});

/// A vNIC profile was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VnicProfileCreated {
    pub profile: VnicProfileId,
    pub network: NetworkId,
    pub config: VnicProfileConfig,
}

fold!(VnicProfileCreated, VnicProfile profile, |e, world, at| {
    let profile = VnicProfile { id: e.profile, version: at.version, network: e.network, config: e.config.clone() };
    world.vnic_profiles.insert(e.profile, profile);
});

/// A vNIC profile was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VnicProfileUpdated {
    pub profile: VnicProfileId,
    pub changes: VnicProfilePatch,
}

fold!(VnicProfileUpdated, VnicProfile profile, |e, world, at| {
    world.vnic_profiles.update(&e.profile, |p| { p.config.apply(&e.changes); p.version = at.version; });
});

/// A vNIC profile was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VnicProfileRemoved {
    pub profile: VnicProfileId,
    pub name: String,
}

fold!(VnicProfileRemoved, VnicProfile profile, |e, world, at| {
    world.vnic_profiles.remove(&e.profile);
    world.close_stream(StreamKind::VnicProfile, e.profile.0);
});

/// The profile that a network of VMs is created with.
fn default_profile(profile: VnicProfileId, network: NetworkId, name: &str) -> Event {
    let config =
        VnicProfileConfig { name: name.into(), description: String::new(), port_mirroring: false, custom_properties: Vec::new() };
    VnicProfileCreated { profile, network, config }.into()
}

/// The management network that every data center is created with.
pub fn management_network(network: NetworkId, profile: VnicProfileId, data_center: DataCenterId) -> Vec<Event> {
    let config = NetworkConfig {
        name: MANAGEMENT_NAME.into(),
        description: "Management Network".into(),
        comment: String::new(),
        vlan: None,
        mtu: 0,
        stp: false,
        vm_network: true,
    };
    vec![
        NetworkCreated { network, data_center, config, management: true }.into(),
        default_profile(profile, network, MANAGEMENT_NAME),
    ]
}

/// The events that take a network away with its profiles.
pub fn removal(world: &World, network: &Network) -> Vec<Event> {
    let mut events: Vec<Event> = profiles_of(world, network.id)
        .map(|p| VnicProfileRemoved { profile: p.id, name: p.config.name.clone() }.into())
        .collect();
    events.push(NetworkRemoved { network: network.id, name: network.config.name.clone() }.into());
    events
}

/// The vNIC profiles of a network.
pub fn profiles_of(world: &World, network: NetworkId) -> impl Iterator<Item = &Arc<VnicProfile>> {
    world.vnic_profiles.values().filter(move |p| p.network == network)
}

fn check(
    act: Act,
    world: &World,
    id: Option<NetworkId>,
    data_center: DataCenterId,
    config: &NetworkConfig,
) -> Result<(), Rejection> {
    check::name(act, &config.name, check::NETWORK_NAME)?;
    check::text(act, "description", &config.description, check::MAX_TEXT)?;
    check::text(act, "comment", &config.comment, check::MAX_TEXT)?;
    check::range(act, "mtu", config.mtu.into(), 0, MAX_MTU)?;
    if let Some(vlan) = config.vlan {
        check::range(act, "vlan.id", vlan.into(), *VLAN_RANGE.start(), *VLAN_RANGE.end())?;
    }
    for other in world.networks.values().filter(|n| n.data_center == data_center && Some(n.id) != id) {
        if other.config.name == config.name {
            return Err(act.no(Key::NetworkNameInUse));
        }
        if config.vlan.is_some() && other.config.vlan == config.vlan {
            return Err(act.no(Key::VlanInUse).with("vlan", config.vlan.unwrap_or_default()));
        }
    }
    Ok(())
}

/// Creates a network, with a vNIC profile of the same name where VMs may use it.
#[derive(Clone, Debug)]
pub struct CreateNetwork {
    pub data_center: DataCenterId,
    pub config: NetworkConfig,
}

impl Decide for CreateNetwork {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        world.data_center(self.data_center)?;
        check(Act("add", "Network"), world, None, self.data_center, &self.config)?;
        let network: NetworkId = cx.fresh(0);
        let config = self.config.clone();
        let profile = config.vm_network.then(|| default_profile(cx.fresh(1), network, &config.name));
        let created = NetworkCreated { network, data_center: self.data_center, config, management: false };
        Ok(std::iter::once(created.into()).chain(profile).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::CreateStoragePoolNetwork, Object::DataCenter(self.data_center)))
    }
}

/// Changes a network.
#[derive(Clone, Debug)]
pub struct UpdateNetwork {
    pub network: NetworkId,
    pub changes: NetworkPatch,
}

impl Decide for UpdateNetwork {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("update", "Network");
        let current = world.network(self.network)?;
        let changes = self.changes.clone().reduce(&current.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = current.config.clone();
        wanted.apply(&changes);
        check(act, world, Some(self.network), current.data_center, &wanted)?;
        if current.management && changes.name.is_some() {
            return Err(act.no(Key::NetworkIsManagement));
        }
        Ok(vec![NetworkUpdated { network: self.network, changes }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ConfigureStoragePoolNetwork, Object::Network(self.network)))
    }
}

/// The VM whose interface uses a profile.
fn user_of(world: &World, profile: VnicProfileId) -> Option<String> {
    world.vms.values().find(|v| v.nics.iter().any(|n| n.profile == Some(profile))).map(|v| v.config.name.clone())
}

/// Removes a network that nothing uses.
#[derive(Clone, Debug)]
pub struct RemoveNetwork {
    pub network: NetworkId,
}

impl Decide for RemoveNetwork {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Network");
        let network = world.network(self.network)?;
        if network.management {
            return Err(act.no(Key::NetworkIsManagement));
        }
        if let Some(users) = profiles_of(world, self.network).find_map(|p| user_of(world, p.id)) {
            return Err(act.no(Key::NetworkInUse).with("users", users));
        }
        if let Some(host) = world.hosts.values().find(|h| h.networks.contains(&self.network)) {
            return Err(act.no(Key::NetworkInUse).with("users", &host.config.name));
        }
        let mut events: Vec<Event> = world
            .clusters
            .values()
            .filter(|c| c.networks.iter().any(|n| n.network == self.network))
            .map(|c| crate::cluster::NetworkUnassigned { cluster: c.id, network: self.network }.into())
            .collect();
        events.extend(removal(world, network));
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::DeleteStoragePoolNetwork, Object::Network(self.network)))
    }
}

fn check_profile(
    act: Act,
    world: &World,
    id: Option<VnicProfileId>,
    network: NetworkId,
    config: &VnicProfileConfig,
) -> Result<(), Rejection> {
    check::name(act, &config.name, check::MEDIUM_NAME)?;
    check::text(act, "description", &config.description, check::MAX_TEXT)?;
    if profiles_of(world, network).any(|p| p.config.name == config.name && Some(p.id) != id) {
        return Err(act.no(Key::VnicProfileNameInUse));
    }
    Ok(())
}

/// Creates a vNIC profile.
#[derive(Clone, Debug)]
pub struct CreateVnicProfile {
    pub network: NetworkId,
    pub config: VnicProfileConfig,
}

impl Decide for CreateVnicProfile {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        world.network(self.network)?;
        check_profile(Act("add", "vNIC profile"), world, None, self.network, &self.config)?;
        Ok(vec![VnicProfileCreated { profile: cx.fresh(0), network: self.network, config: self.config.clone() }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::CreateNetworkVnicProfile, Object::Network(self.network)))
    }
}

/// Changes a vNIC profile.
#[derive(Clone, Debug)]
pub struct UpdateVnicProfile {
    pub profile: VnicProfileId,
    pub changes: VnicProfilePatch,
}

impl Decide for UpdateVnicProfile {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let current = world.vnic_profile(self.profile)?;
        let changes = self.changes.clone().reduce(&current.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = current.config.clone();
        wanted.apply(&changes);
        check_profile(Act("update", "vNIC profile"), world, Some(self.profile), current.network, &wanted)?;
        Ok(vec![VnicProfileUpdated { profile: self.profile, changes }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ConfigureNetworkVnicProfile, Object::VnicProfile(self.profile)))
    }
}

/// Removes a vNIC profile that nothing uses.
#[derive(Clone, Debug)]
pub struct RemoveVnicProfile {
    pub profile: VnicProfileId,
}

impl Decide for RemoveVnicProfile {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let current = world.vnic_profile(self.profile)?;
        if user_of(world, self.profile).is_some() {
            return Err(Act("remove", "vNIC profile").no(Key::VnicProfileInUse));
        }
        Ok(vec![VnicProfileRemoved { profile: self.profile, name: current.config.name.clone() }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::DeleteNetworkVnicProfile, Object::VnicProfile(self.profile)))
    }
}
