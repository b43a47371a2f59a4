//! Logical networks: the guide's chapter 11.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::host_net::operational;
use evirt_domain::network::*;
use evirt_domain::world::NameKind;

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, check_owner, created, remove};
use super::parts::{first_id, given, listed, number, shown, text};
use super::representation::body::{Body, NotYet, need, not_yet};
use super::representation::types::NETWORK;
use super::representation::types::enums::NETWORK_USAGE;
use super::representation::{Doc, Fault, Place};
use super::request::ApiRequest;
use super::route::routes;

routes! { ROUTES:
    "networks" => GET list, POST add [Body::add(&NETWORK).needs(&[need("name data_center.name|id")]).not_yet(IN_CLUSTERS)];
    "networks/{}" => GET get, PUT update [Body::update(&NETWORK).not_yet(IN_CLUSTERS)], DELETE delete;
}

/// What a network is in a cluster and never by itself.
const IN_CLUSTERS: &[NotYet] = &[not_yet("display").but("false")];

/// The state of a network that is operational, or not.
pub fn state(operational: bool) -> &'static str {
    if operational { "operational" } else { "non_operational" }
}

/// The network as the API shows it.
pub fn view(world: &World, base: &str, network: &Network) -> Doc {
    let config = &network.config;
    let usages = match config.vm_network {
        true => Doc::new().set("usage", vec!["VM"]),
        false => Doc::new(),
    };
    Doc::new()
        .at(&Place::of(base, network.id))
        .set("name", &config.name)
        .opt("description", text(&config.description))
        .opt("comment", text(&config.comment))
        .reference("data_center", base, network.data_center)
        .opt_path("ip.address", text(&config.ip))
        .opt_path("ip.netmask", text(&config.netmask))
        .opt_path("ip.gateway", text(&config.gateway))
        .opt_path("vlan.id", config.vlan)
        .set("stp", config.stp)
        .set("mtu", config.mtu)
        .set_path("status.state", state(operational(world, network)))
        // A network is for displays in a cluster, never by itself.
        .set("display", false)
        .set("usages", usages)
        .links(&["permissions", "vnicprofiles"])
}

/// Refuses uses of networks that there are none of.
pub fn check_usages(request: &ApiRequest, sent: &Doc) -> Result<(), Answer> {
    let unknown = |usage: &&str| !NETWORK_USAGE.members.iter().any(|known| known.eq_ignore_ascii_case(usage));
    match sent.list("usages.usage").iter().filter_map(|usage| usage.as_text()).find(unknown) {
        Some(usage) => Err(request.bad(&Fault::invalid_value(usage, &NETWORK_USAGE))),
        None => Ok(()),
    }
}

/// Refuses uses that a network has in clusters and never by itself.
fn check_own_usages(request: &ApiRequest, sent: &Doc) -> Result<(), Answer> {
    check_usages(request, sent)?;
    let usages = sent.list("usages.usage").iter().filter_map(|usage| usage.as_text());
    match usages.map(str::to_uppercase).find(|usage| usage != "VM") {
        Some(usage) => {
            Err(request.bad(&Fault::failed(format!("A network has the usage {usage} in a cluster, and is given it there"))))
        }
        None => Ok(()),
    }
}

/// What a request says of a network that is to be changed.
fn patch(sent: &Doc) -> NetworkPatch {
    // An empty `usages` says that virtual machines may not use it.
    let vm_network = sent
        .has("usages")
        .then(|| sent.list("usages.usage").iter().any(|usage| usage.as_text().is_some_and(|u| u.eq_ignore_ascii_case("vm"))));
    NetworkPatch {
        name: given(sent, "name"),
        description: given(sent, "description"),
        comment: given(sent, "comment"),
        vlan: sent.has("vlan").then(|| number(sent, "vlan.id")),
        mtu: number(sent, "mtu"),
        stp: sent.bool("stp"),
        vm_network,
        ip: given(sent, "ip.address"),
        netmask: given(sent, "ip.netmask"),
        gateway: given(sent, "ip.gateway"),
    }
}

/// What a request says of a new network.
fn config(sent: &Doc) -> NetworkConfig {
    let mut config = NetworkConfig { vm_network: true, ..NetworkConfig::default() };
    config.apply(&patch(sent));
    config
}

/// The network that the path names.
pub fn network<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<Network>, Answer> {
    request.found(world.networks.get(&request.id(1)?), 1)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let found = request.list::<Network>()?;
    listed(&request, &NETWORK, found.iter().map(|network| view(&request.world, request.base, network)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &NETWORK, &view(&request.world, request.base, network(&request, &request.world)?))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&NETWORK)?;
    check_own_usages(&request, &sent)?;
    let data_center = request.needed(&sent, "data_center", NameKind::DataCenter, "DataCenter")?;
    let with_profile = sent.bool("profile_required").unwrap_or(true);
    let outcome = request.submit(CreateNetwork { data_center, config: config(&sent), with_profile }).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.networks.get(&id));
    created(&request, &NETWORK, &view(&outcome.world, request.base, request.found(made, 0)?))
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let current = network(&request, &request.world)?;
    let sent = request.body(&NETWORK)?;
    check_immutable(&request, &NETWORK, &view(&request.world, request.base, current), &sent)?;
    check_owner(&request, &sent, "data_center", NameKind::DataCenter, "DataCenter", current.data_center.0)?;
    check_own_usages(&request, &sent)?;
    let outcome = request.submit(UpdateNetwork { network: current.id, changes: patch(&sent) }).await?;
    shown(&request, &NETWORK, &view(&outcome.world, request.base, network(&request, &outcome.world)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let network = network(&request, &request.world)?.id;
    remove(&request, RemoveNetwork { network }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_usages_take_the_network_from_virtual_machines() {
        assert_eq!(patch(&Doc::new()).vm_network, None);
        assert!(config(&Doc::new()).vm_network);
        assert!(!config(&Doc::new().set("usages", Doc::new())).vm_network);
        let upper = Doc::new().set("usages", Doc::new().set("usage", vec!["VM", "DISPLAY"]));
        assert!(config(&upper).vm_network);
    }
}
