//! Profiles through which virtual interfaces use networks: the guide's chapter 11.4.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::ids::NetworkId;
use evirt_domain::network::*;
use evirt_domain::world::NameKind;

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, check_owner, created, remove};
use super::networks::network;
use super::parts::{first_id, given, listed, shown, text};
use super::representation::Doc;
use super::representation::check::require;
use super::representation::types::VNIC_PROFILE;
use super::request::Call;
use super::route::routes;

routes! { ROUTES:
    "vnicprofiles" => GET list, POST add;
    "vnicprofiles/{}" => GET get, PUT update, DELETE delete;
    "networks/{}/vnicprofiles" => GET list_of_network, POST add_to_network;
    "networks/{}/vnicprofiles/{}" => GET get_of_network, DELETE delete_of_network;
}

/// The profile as the API shows it.
pub fn view(base: &str, profile: &VnicProfile) -> Doc {
    let href = format!("{base}/vnicprofiles/{}", profile.id);
    let config = &profile.config;
    let properties: Vec<Doc> =
        config.custom_properties.iter().map(|(name, value)| Doc::new().set("name", name).set("value", value)).collect();
    Doc::new()
        .set("id", profile.id.to_string())
        .set("name", &config.name)
        .opt("description", text(&config.description))
        .reference("network", profile.network.to_string(), format!("{base}/networks/{}", profile.network))
        .set("port_mirroring", config.port_mirroring)
        .set("custom_properties", Doc::new().set("custom_property", properties))
        .link("permissions", format!("{href}/permissions"))
        .set("href", href)
}

/// What a request says of a profile that is to be changed.
fn patch(sent: &Doc) -> VnicProfilePatch {
    let properties = || {
        sent.docs("custom_properties.custom_property")
            .filter_map(|property| Some((given(property, "name")?, given(property, "value")?)))
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

fn profile<'a>(call: &Call, world: &'a World) -> Result<&'a Arc<VnicProfile>, Answer> {
    call.found(world.vnic_profiles.get(&call.id(1)?), 1)
}

/// The profile that the path names below its network.
fn of_network<'a>(call: &Call, world: &'a World) -> Result<&'a Arc<VnicProfile>, Answer> {
    let network = network(call, world)?.id;
    let profile = world.vnic_profiles.get(&call.id(3)?);
    call.found(profile.filter(|profile| profile.network == network), 3)
}

async fn list(call: Arc<Call>) -> Handled {
    listed(&call, &VNIC_PROFILE, call.world.vnic_profiles.values().map(|profile| view(call.base, profile)))
}

async fn list_of_network(call: Arc<Call>) -> Handled {
    let network = network(&call, &call.world)?.id;
    listed(&call, &VNIC_PROFILE, profiles_of(&call.world, network).map(|profile| view(call.base, profile)))
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &VNIC_PROFILE, &view(call.base, profile(&call, &call.world)?))
}

async fn get_of_network(call: Arc<Call>) -> Handled {
    shown(&call, &VNIC_PROFILE, &view(call.base, of_network(&call, &call.world)?))
}

async fn create(call: &Call, network: NetworkId, sent: &Doc) -> Handled {
    let outcome = call.submit(CreateVnicProfile { network, config: config(sent) }).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.vnic_profiles.get(&id));
    created(call, &VNIC_PROFILE, &view(call.base, call.found(made, 0)?))
}

async fn add(call: Arc<Call>) -> Handled {
    let sent = call.body(&VNIC_PROFILE)?;
    require(&sent, "VnicProfile", "add", &["name", "network.id|name"]).map_err(|fault| call.bad(&fault))?;
    create(&call, call.needed(&sent, "network", NameKind::Network, "Network")?, &sent).await
}

async fn add_to_network(call: Arc<Call>) -> Handled {
    let network = network(&call, &call.world)?.id;
    let sent = call.body(&VNIC_PROFILE)?;
    require(&sent, "VnicProfile", "add", &["name"]).map_err(|fault| call.bad(&fault))?;
    create(&call, network, &sent).await
}

async fn update(call: Arc<Call>) -> Handled {
    let current = profile(&call, &call.world)?;
    let sent = call.body(&VNIC_PROFILE)?;
    check_immutable(&call, &VNIC_PROFILE, &view(call.base, current), &sent)?;
    check_owner(&call, &sent, "network", NameKind::Network, "Network", current.network.0)?;
    let outcome = call.submit(UpdateVnicProfile { profile: current.id, changes: patch(&sent) }).await?;
    shown(&call, &VNIC_PROFILE, &view(call.base, profile(&call, &outcome.world)?))
}

async fn delete(call: Arc<Call>) -> Handled {
    let profile = profile(&call, &call.world)?.id;
    remove(&call, RemoveVnicProfile { profile }).await
}

async fn delete_of_network(call: Arc<Call>) -> Handled {
    let profile = of_network(&call, &call.world)?.id;
    remove(&call, RemoveVnicProfile { profile }).await
}
