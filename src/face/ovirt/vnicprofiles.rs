//! Profiles through which virtual interfaces use networks: the guide's chapter 11.4.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::ids::NetworkId;
use evirt_domain::network::*;
use evirt_domain::world::NameKind;

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, created, remove};
use super::networks::network;
use super::parts::{first_id, given, listed, shown, text};
use super::representation::body::{Body, need};
use super::representation::types::VNIC_PROFILE;
use super::representation::{Doc, Place};
use super::request::ApiRequest;
use super::route::routes;

routes! { ROUTES:
    "vnicprofiles" => GET list, POST add [Body::add(&VNIC_PROFILE).needs(&[need("name network.id|name")])];
    "vnicprofiles/{}" => GET get, PUT update [Body::update(&VNIC_PROFILE)], DELETE delete;
    "networks/{}/vnicprofiles" => GET list_of_network, POST add_to_network [Body::add(&VNIC_PROFILE).needs(&[need("name")])];
    "networks/{}/vnicprofiles/{}" => GET get_of_network, DELETE delete_of_network;
}

/// The profile as the API shows it.
pub fn view(base: &str, profile: &VnicProfile) -> Doc {
    let config = &profile.config;
    let properties: Vec<Doc> =
        config.custom_properties.iter().map(|(name, value)| Doc::new().set("name", name).set("value", value)).collect();
    Doc::new()
        .at(&Place::of(base, profile.id))
        .set("name", &config.name)
        .opt("description", text(&config.description))
        .reference("network", base, profile.network)
        .set("port_mirroring", config.port_mirroring)
        .set("custom_properties", Doc::new().set("custom_property", properties))
        .links(&["permissions"])
}

/// What a request says of a profile that is to be changed.
fn patch(sent: &Doc) -> VnicProfilePatch {
    let properties = || {
        sent.docs("custom_properties.custom_property")
            .map(|property| (given(property, "name").unwrap_or_default(), given(property, "value").unwrap_or_default()))
            .collect()
    };
    VnicProfilePatch {
        name: given(sent, "name"),
        description: given(sent, "description"),
        port_mirroring: sent.bool("port_mirroring"),
        custom_properties: sent.has("custom_properties").then(properties),
    }
}

/// What a request says of a new profile.
fn config(sent: &Doc) -> VnicProfileConfig {
    let mut config = VnicProfileConfig {
        name: String::new(),
        description: String::new(),
        port_mirroring: false,
        custom_properties: Vec::new(),
    };
    config.apply(&patch(sent));
    config
}

fn profile<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<VnicProfile>, Answer> {
    request.found(world.vnic_profiles.get(&request.id(1)?), 1)
}

/// The profile that the path names below its network.
fn of_network<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<VnicProfile>, Answer> {
    let network = network(request, world)?.id;
    let profile = world.vnic_profiles.get(&request.id(3)?);
    request.found(profile.filter(|profile| profile.network == network), 3)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    listed(&request, &VNIC_PROFILE, request.world.vnic_profiles.values().map(|profile| view(request.base, profile)))
}

async fn list_of_network(request: Arc<ApiRequest>) -> Handled {
    let network = network(&request, &request.world)?.id;
    listed(&request, &VNIC_PROFILE, profiles_of(&request.world, network).map(|profile| view(request.base, profile)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &VNIC_PROFILE, &view(request.base, profile(&request, &request.world)?))
}

async fn get_of_network(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &VNIC_PROFILE, &view(request.base, of_network(&request, &request.world)?))
}

async fn create(request: &ApiRequest, network: NetworkId, sent: &Doc) -> Handled {
    let outcome = request.submit(CreateVnicProfile { network, config: config(sent) }).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.vnic_profiles.get(&id));
    created(request, &VNIC_PROFILE, &view(request.base, request.found(made, 0)?))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&VNIC_PROFILE)?;
    create(&request, request.needed(&sent, "network", NameKind::Network, "Network")?, &sent).await
}

async fn add_to_network(request: Arc<ApiRequest>) -> Handled {
    let network = network(&request, &request.world)?.id;
    let sent = request.body(&VNIC_PROFILE)?;
    create(&request, network, &sent).await
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let current = profile(&request, &request.world)?;
    let sent = request.body(&VNIC_PROFILE)?;
    check_immutable(&request, &VNIC_PROFILE, &view(request.base, current), &sent)?;
    let network = match sent.doc("network") {
        // A network that is neither named nor identified is none, and so another one.
        Some(_) => Some(network_said(&request, &sent, current.network)?),
        None => None,
    };
    let outcome = request.submit(UpdateVnicProfile { profile: current.id, network, changes: patch(&sent) }).await?;
    shown(&request, &VNIC_PROFILE, &view(request.base, profile(&request, &outcome.world)?))
}

/// The network that a changed profile is said to be of. Several data centers may have one of a name: it may be the profile's own.
fn network_said(request: &ApiRequest, sent: &Doc, own: NetworkId) -> Result<NetworkId, Answer> {
    let named = |network: &Network| sent.text("network.name") == Some(network.config.name.as_str());
    let own_name =
        sent.text("network.id").is_none_or(str::is_empty) && request.world.networks.get(&own).is_some_and(|n| named(n));
    match own_name {
        true => Ok(own),
        false => Ok(request.reference(sent, "network", NameKind::Network, "Network")?.unwrap_or_default()),
    }
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let profile = profile(&request, &request.world)?.id;
    remove(&request, RemoveVnicProfile { profile }).await
}

async fn delete_of_network(request: Arc<ApiRequest>) -> Handled {
    let profile = of_network(&request, &request.world)?.id;
    remove(&request, RemoveVnicProfile { profile }).await
}
