//! Logical networks and vNIC profiles: the guide's chapter 11.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::host_net_setup::check_ip;
use crate::ids::*;
use crate::index::{ClusterTerm, HostTerm, NetworkTerm, VmTerm, VnicProfileTerm};
use crate::levels::Feature;
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::{NameKind, World};

/// The name of the network that hosts are managed through.
pub const MANAGEMENT_NAME: &str = "rhevm";
/// The highest VLAN tag; the lowest is 1.
pub const MAX_VLAN: u32 = 4094;
/// The least MTU that may be asked for; 0 leaves it to the host.
pub const MIN_MTU: u32 = 68;
/// The highest MTU.
pub const MAX_MTU: u32 = 9_000;
/// How many of those who use a network a refusal names.
const MAX_USERS_NAMED: usize = 32;

patchable! {
    /// What a user says of a network.
    #[derive(Default)]
    pub struct NetworkConfig, NetworkPatch {
        /// What it is called.
        pub name: String,
        /// What it is, for a human.
        pub description: String,
        /// A further word on it.
        pub comment: String,
        /// The number of its VLAN; none where it is untagged.
        pub vlan: Option<u32>,
        /// 0 for the host's default.
        pub mtu: u32,
        /// Whether its bridges use the spanning tree protocol.
        pub stp: bool,
        /// Whether VMs may use it.
        pub vm_network: bool,
        /// Its address for whoever reads of it; hosts have theirs for themselves. Texts are empty where there is none.
        pub ip: String,
        /// Its netmask.
        pub netmask: String,
        /// Its gateway.
        pub gateway: String,
    }
}

/// A logical network of a data center.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Identifier.
    pub id: NetworkId,
    /// Version of the resource.
    pub version: u64,
    /// Where it is.
    pub data_center: DataCenterId,
    /// What a user says of it.
    pub config: NetworkConfig,
    /// Whether hosts are managed through it: it cannot be removed or renamed.
    pub management: bool,
}

patchable! {
    /// What a user says of a vNIC profile.
    #[derive(Default)]
    pub struct VnicProfileConfig, VnicProfilePatch {
        /// What it is called.
        pub name: String,
        /// What it is, for a human.
        pub description: String,
        /// Whether it shows the traffic of the whole network.
        pub port_mirroring: bool,
        /// Further properties by name.
        pub custom_properties: Vec<(String, String)>,
    }
}

/// How network interfaces of VMs use a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VnicProfile {
    /// Identifier.
    pub id: VnicProfileId,
    /// Version of the resource.
    pub version: u64,
    /// The network that it leads to.
    pub network: NetworkId,
    /// What a user says of it.
    pub config: VnicProfileConfig,
}

/// A network was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkCreated {
    /// Which network.
    pub network: NetworkId,
    /// Which data center.
    pub data_center: DataCenterId,
    /// What a user says of it.
    pub config: NetworkConfig,
    /// Whether hosts are managed through it.
    pub management: bool,
}

fold!(NetworkCreated, new Network network, |e, world, at| {
    world.take_name(NameKind::Network, &e.config.name, e.network.0);
    let value = Network {
        id: e.network, version: at.version, data_center: e.data_center, config: e.config.clone(), management: e.management,
    };
    world.networks.insert(e.network, value);
});

/// A network was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkUpdated {
    /// Which network.
    pub network: NetworkId,
    /// What changes of it.
    pub changes: NetworkPatch,
}

fold!(NetworkUpdated, Network network, |e, world, at| {
    if let (Some(new), Some(old)) = (&e.changes.name, world.networks.get(&e.network).map(|n| n.config.name.clone())) {
        world.rename(NameKind::Network, &old, new, e.network.0);
    }
    world.networks.update(&e.network, |n| { n.config.apply(&e.changes); n.version = at.version; });
});

/// A network was removed, and taken from the clusters that had it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkRemoved {
    /// Which network.
    pub network: NetworkId,
    /// What it was called.
    pub name: String,
}

fold!(NetworkRemoved, Network network, |e, world, at| {
    if let Some(old) = world.networks.remove(&e.network) {
        world.drop_name(NameKind::Network, &old.config.name, old.id.0);
    }
    let having: Vec<_> = world.clusters.ids_by(ClusterTerm::Network(e.network)).collect();
    for cluster in having {
        world.clusters.update(&cluster, |c| c.networks.retain(|n| n.network != e.network));
    }
    crate::host_net::forget(world, e.network);
    world.close_stream(StreamKind::Network, e.network.0);
});

/// A vNIC profile was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VnicProfileCreated {
    /// Which profile.
    pub profile: VnicProfileId,
    /// The network that it leads to.
    pub network: NetworkId,
    /// What a user says of it.
    pub config: VnicProfileConfig,
}

fold!(VnicProfileCreated, new VnicProfile profile, |e, world, at| {
    let value = VnicProfile { id: e.profile, version: at.version, network: e.network, config: e.config.clone() };
    world.vnic_profiles.insert(e.profile, value);
});

/// A vNIC profile was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VnicProfileUpdated {
    /// Which profile.
    pub profile: VnicProfileId,
    /// What changes of it.
    pub changes: VnicProfilePatch,
}

fold!(VnicProfileUpdated, VnicProfile profile, |e, world, at| {
    world.vnic_profiles.update(&e.profile, |p| { p.config.apply(&e.changes); p.version = at.version; });
});

/// A vNIC profile was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VnicProfileRemoved {
    /// Which profile.
    pub profile: VnicProfileId,
    /// What it was called.
    pub name: String,
}

fold!(VnicProfileRemoved, VnicProfile profile, |e, world, at| {
    world.vnic_profiles.remove(&e.profile);
    world.close_stream(StreamKind::VnicProfile, e.profile.0);
});

/// The management network of a new data center, with its profile.
pub fn management_network(network: NetworkId, profile: VnicProfileId, data_center: DataCenterId) -> Vec<Event> {
    let name = MANAGEMENT_NAME.to_owned();
    let description = "Management Network".to_owned();
    let config = NetworkConfig { name: name.clone(), description, vm_network: true, ..Default::default() };
    let profile_config = VnicProfileConfig { name, ..Default::default() };
    vec![
        NetworkCreated { network, data_center, config, management: true }.into(),
        VnicProfileCreated { profile, network, config: profile_config }.into(),
    ]
}

/// The vNIC profiles of a network.
pub fn profiles_of(world: &World, network: NetworkId) -> impl Iterator<Item = &std::sync::Arc<VnicProfile>> {
    world.vnic_profiles.by(VnicProfileTerm::Network(network))
}

/// What removes the vNIC profiles of a network.
fn profile_removals(world: &World, network: NetworkId) -> Vec<Event> {
    let removal = |p: &std::sync::Arc<VnicProfile>| {
        let mut events = crate::access::revocations(world, EntityRef::VnicProfile(p.id));
        events.push(VnicProfileRemoved { profile: p.id, name: p.config.name.clone() }.into());
        events
    };
    profiles_of(world, network).flat_map(removal).collect()
}

/// What removes a network: its profiles, and it.
pub fn removal(world: &World, network: &Network) -> Vec<Event> {
    let mut events = profile_removals(world, network.id);
    events.extend(crate::access::revocations(world, EntityRef::Network(network.id)));
    events.push(NetworkRemoved { network: network.id, name: network.config.name.clone() }.into());
    events
}

/// The VMs whose network interfaces use a network, one perhaps several times.
fn users(world: &World, network: NetworkId) -> impl Iterator<Item = &str> {
    let through = profiles_of(world, network).map(|profile| VmTerm::Profile(profile.id));
    through.chain([VmTerm::Mirrored(network)]).flat_map(|term| world.vms.by(term)).map(|vm| &*vm.config.name)
}

/// Refuses what must not be done to a network that is used, naming some of its users.
fn unused<'a>(act: Act, users: impl Iterator<Item = &'a str>) -> Result<(), Rejection> {
    let some: BTreeSet<&str> = users.take(MAX_USERS_NAMED).collect();
    match some.is_empty() {
        true => Ok(()),
        false => Err(act.no(Key::NetworkInUse).with("users", some.into_iter().collect::<Vec<_>>().join(", "))),
    }
}

/// Whether a host would take a device of that name for a bond.
fn is_bond_name(name: &str) -> bool {
    let number = name.strip_prefix("bond");
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

fn check(
    act: Act,
    world: &World,
    id: Option<NetworkId>,
    data_center: DataCenterId,
    config: &NetworkConfig,
) -> Result<(), Rejection> {
    check::name(act, &config.name, check::NETWORK_NAME)?;
    if is_bond_name(&config.name) {
        return Err(act.no(Key::NetworkNamedLikeBond));
    }
    check::text(act, "description", &config.description, check::MAX_TEXT)?;
    check::text(act, "comment", &config.comment, check::MAX_TEXT)?;
    if let Some(vlan) = config.vlan {
        check::range(act, "vlan.id", vlan.into(), 1, MAX_VLAN.into())?;
    }
    if config.mtu != 0 {
        check::range(act, "mtu", config.mtu.into(), MIN_MTU.into(), MAX_MTU.into())?;
    }
    if config.stp && !config.vm_network {
        return Err(act.no(Key::NetworkStpNotForVms));
    }
    let version = world.data_center(data_center)?.config.version;
    if !config.vm_network && !Feature::NonVmNetwork.is_in(version) {
        return Err(act.no(Key::NonVmNetworkUnsupported));
    }
    if config.mtu != 0 && !Feature::NetworkMtu.is_in(version) {
        return Err(act.no(Key::NetworkMtuUnsupported));
    }
    check_ip(act, &config.ip, &config.netmask, &config.gateway)?;
    for other in world.networks.by(NetworkTerm::DataCenter(data_center)).filter(|n| Some(n.id) != id) {
        if other.config.name == config.name {
            return Err(act.no(Key::NetworkNameInUse));
        }
        if config.vlan.is_some() && other.config.vlan == config.vlan {
            return Err(act.no(Key::VlanInUse).with("vlan", config.vlan.unwrap_or_default()));
        }
    }
    Ok(())
}

/// Creates a network; one for VMs gets a vNIC profile of the same name, unless none is wanted.
#[derive(Clone, Debug)]
pub struct CreateNetwork {
    /// Which data center.
    pub data_center: DataCenterId,
    /// What a user says of it.
    pub config: NetworkConfig,
    /// Whether it gets a vNIC profile of its name.
    pub with_profile: bool,
}

impl Decide for CreateNetwork {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        world.data_center(self.data_center)?;
        check(Act("add", "Network"), world, None, self.data_center, &self.config)?;
        let network: NetworkId = cx.fresh(0);
        let created = NetworkCreated { network, data_center: self.data_center, config: self.config.clone(), management: false };
        let mut events: Vec<Event> = vec![created.into()];
        if self.config.vm_network && self.with_profile {
            let config = VnicProfileConfig { name: self.config.name.clone(), ..Default::default() };
            events.push(VnicProfileCreated { profile: cx.fresh(1), network, config }.into());
        }
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateStoragePoolNetwork, EntityRef::DataCenter(self.data_center)))
    }
}

/// Changes a network.
#[derive(Clone, Debug)]
pub struct UpdateNetwork {
    /// Which network.
    pub network: NetworkId,
    /// What changes of it.
    pub changes: NetworkPatch,
}

impl Decide for UpdateNetwork {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("edit", "Network");
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
        // Hosts know a network by its name.
        if changes.name.is_some() {
            unused(act, world.hosts.by(HostTerm::Network(self.network)).map(|h| &*h.config.name))?;
        }
        if changes.vm_network == Some(false) {
            unused(act, users(world, self.network))?;
        }
        // What hosts alone use has no profiles for VMs.
        let gone = (changes.vm_network == Some(false)).then(|| profile_removals(world, self.network));
        Ok(gone.into_iter().flatten().chain([NetworkUpdated { network: self.network, changes }.into()]).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConfigureStoragePoolNetwork, EntityRef::Network(self.network)))
    }
}

/// Removes a network that no VM uses, with its profiles. A host that has it keeps what it has laid, which nobody manages any more.
#[derive(Clone, Debug)]
pub struct RemoveNetwork {
    /// Which network.
    pub network: NetworkId,
}

impl Decide for RemoveNetwork {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Network");
        let current = world.network(self.network)?;
        if current.management {
            return Err(act.no(Key::NetworkIsManagement));
        }
        unused(act, users(world, self.network))?;
        let mut events: Vec<Event> = world
            .clusters
            .ids_by(ClusterTerm::Network(self.network))
            .map(|cluster| crate::cluster::NetworkUnassigned { cluster, network: self.network }.into())
            .collect();
        events.extend(removal(world, current));
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::DeleteStoragePoolNetwork, EntityRef::Network(self.network)))
    }
}

const PROFILE: &str = "vNIC profile";

fn check_profile(
    act: Act,
    world: &World,
    id: Option<VnicProfileId>,
    network: &Network,
    config: &VnicProfileConfig,
) -> Result<(), Rejection> {
    check::name(act, &config.name, check::MEDIUM_NAME)?;
    check::text(act, "description", &config.description, check::MAX_TEXT)?;
    for (key, value) in &config.custom_properties {
        if key.is_empty() {
            return Err(act.no(Key::OptionUnnamed).with("field", "custom_properties.custom_property.name"));
        }
        check::text(act, "custom_properties", key, check::MAX_DESCRIPTION)?;
        check::text(act, "custom_properties", value, check::MAX_TEXT)?;
    }
    if profiles_of(world, network.id).any(|p| Some(p.id) != id && p.config.name == config.name) {
        return Err(act.no(Key::VnicProfileNameInUse));
    }
    Ok(())
}

/// Creates a vNIC profile of a network.
#[derive(Clone, Debug)]
pub struct CreateVnicProfile {
    /// The network that it is to lead to.
    pub network: NetworkId,
    /// What a user says of it.
    pub config: VnicProfileConfig,
}

impl Decide for CreateVnicProfile {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", PROFILE);
        let network = world.network(self.network)?;
        if !network.config.vm_network {
            return Err(act.no(Key::ProfileOfNonVmNetwork).with("network", &network.config.name));
        }
        check_profile(act, world, None, network, &self.config)?;
        Ok(vec![VnicProfileCreated { profile: cx.fresh(0), network: self.network, config: self.config.clone() }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateNetworkVnicProfile, EntityRef::Network(self.network)))
    }
}

/// Changes a vNIC profile.
#[derive(Clone, Debug)]
pub struct UpdateVnicProfile {
    /// Which profile.
    pub profile: VnicProfileId,
    /// The network that it is said to be of, where that is said: it stays that of which it was made.
    pub network: Option<NetworkId>,
    /// What changes of it.
    pub changes: VnicProfilePatch,
}

impl Decide for UpdateVnicProfile {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let current = world.vnic_profile(self.profile)?;
        if self.network.is_some_and(|network| network != current.network) {
            return Err(Act("edit", PROFILE).no(Key::VnicProfileNetworkFixed));
        }
        let changes = self.changes.clone().reduce(&current.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = current.config.clone();
        wanted.apply(&changes);
        check_profile(Act("edit", PROFILE), world, Some(self.profile), world.network(current.network)?, &wanted)?;
        Ok(vec![VnicProfileUpdated { profile: self.profile, changes }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConfigureNetworkVnicProfile, EntityRef::VnicProfile(self.profile)))
    }
}

/// Removes a vNIC profile that no network interface uses.
#[derive(Clone, Debug)]
pub struct RemoveVnicProfile {
    /// Which profile.
    pub profile: VnicProfileId,
}

impl Decide for RemoveVnicProfile {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let current = world.vnic_profile(self.profile)?;
        if world.vms.by(VmTerm::Profile(self.profile)).next().is_some() {
            return Err(Act("remove", PROFILE).no(Key::VnicProfileInUse));
        }
        let mut events = crate::access::revocations(world, EntityRef::VnicProfile(self.profile));
        events.push(VnicProfileRemoved { profile: self.profile, name: current.config.name.clone() }.into());
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::DeleteNetworkVnicProfile, EntityRef::VnicProfile(self.profile)))
    }
}
