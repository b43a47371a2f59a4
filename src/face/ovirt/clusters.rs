//! Clusters and their networks: the guide's chapter 10.

use std::sync::Arc;

use evirt_domain::cluster::*;
use evirt_domain::data_center::{CURRENT_VERSION, SUPPORTED_VERSIONS, Version};
use evirt_domain::host_net::operational_in;
use evirt_domain::ids::*;
use evirt_domain::network::NetworkConfig;
use evirt_domain::world::NameKind;
use evirt_domain::{Event, World};

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, created, remove};
use super::networks;
use super::parts::{given, listed, number, sent_version, shown, text, version};
use super::representation::body::{Body, need};
use super::representation::types::{CLUSTER, NETWORK};
use super::representation::{Doc, Fault, Place};
use super::request::ApiRequest;
use super::route::routes;

routes! { ROUTES:
    "clusters" => GET list, POST add [Body::add(&CLUSTER).needs(&[need("name data_center.name|id")])];
    "clusters/{}" => GET get, PUT update [Body::update(&CLUSTER)], DELETE delete;
    "clusters/{}/networks" => GET list_networks, POST add_network [USE.needs(&[need("id|name")])];
    "clusters/{}/networks/{}" => GET get_network, PUT update_network [USE], DELETE delete_network;
}

/// What is said of a network as a cluster uses it.
const USE: Body = Body::only(&NETWORK, "usages.usage display required");

const POLICIES: &[(SchedulingPolicy, &str)] = &[
    (SchedulingPolicy::None, "none"),
    (SchedulingPolicy::EvenlyDistributed, "evenly_distributed"),
    (SchedulingPolicy::PowerSaving, "power_saving"),
];

const ON_ERROR: &[(OnError, &str)] = &[
    (OnError::Migrate, "migrate"),
    (OnError::DoNotMigrate, "do_not_migrate"),
    (OnError::MigrateHighlyAvailable, "migrate_highly_available"),
];

/// The name of a value.
pub fn name_of<T: PartialEq + Copy>(table: &[(T, &'static str)], value: T) -> &'static str {
    table.iter().find(|(v, _)| *v == value).map_or("", |(_, name)| name)
}

/// The value of a name.
pub fn value_of<T: Copy>(table: &[(T, &str)], name: Option<&str>) -> Option<T> {
    table.iter().find(|(_, n)| Some(*n) == name).map(|(v, _)| *v)
}

/// The cluster as the API shows it.
pub fn view(base: &str, cluster: &Cluster) -> Doc {
    let config = &cluster.config;
    let mut policy = Doc::new();
    let usual = ClusterConfig::default();
    let thresholds = |config: &ClusterConfig| (config.policy_low, config.policy_high, config.policy_duration_s);
    if config.policy != SchedulingPolicy::None || thresholds(config) != thresholds(&usual) {
        policy.put("policy", name_of(POLICIES, config.policy));
        let thresholds =
            Doc::new().set("low", config.policy_low).set("high", config.policy_high).set("duration", config.policy_duration_s);
        policy.put("thresholds", thresholds);
    }
    let mut doc = Doc::new()
        .at(&Place::of(base, cluster.id))
        .set("name", &config.name)
        .opt("description", text(&config.description))
        .opt("comment", text(&config.comment))
        .set_path("memory_policy.overcommit.percent", config.overcommit_percent)
        .set_path("memory_policy.transparent_hugepages.enabled", config.transparent_hugepages)
        .set("scheduling_policy", policy)
        .set("version", version(config.version))
        .set("supported_versions", Doc::new().set("version", supported(config.version)))
        .set_path("error_handling.on_error", name_of(ON_ERROR, config.on_error))
        .set("virt_service", config.virt_service)
        .set("gluster_service", config.gluster_service)
        .set("threads_as_cores", config.threads_as_cores)
        .set("tunnel_migration", config.tunnel_migration)
        .set("trusted_service", false)
        .set("ballooning_enabled", config.ballooning)
        .links(&["networks", "permissions"]);
    if !config.cpu.is_empty() {
        doc = doc.set_path("cpu.id", config.cpu.as_str());
    }
    if let Some(id) = config.data_center {
        doc = doc.reference("data_center", base, id);
    }
    doc
}

/// The versions that a cluster of a version may have next.
fn supported(current: Version) -> Vec<Doc> {
    SUPPORTED_VERSIONS.into_iter().filter(|v| *v >= current).map(version).collect()
}

/// What a request says of a cluster that is to be changed.
fn patch(request: &ApiRequest, sent: &Doc) -> Result<ClusterPatch, Answer> {
    if sent.bool("trusted_service") == Some(true) {
        return Err(request.bad(&Fault::operation_failed([
            "There is no attestation server that could vouch for the hosts of a trusted_service.",
        ])));
    }
    let data_center = request.reference(sent, "data_center", NameKind::DataCenter, "DataCenter")?;
    Ok(ClusterPatch {
        name: given(sent, "name"),
        description: given(sent, "description"),
        comment: given(sent, "comment"),
        data_center: data_center.map(Some),
        cpu: given(sent, "cpu.id"),
        version: sent_version(sent),
        overcommit_percent: number(sent, "memory_policy.overcommit.percent"),
        transparent_hugepages: sent.bool("memory_policy.transparent_hugepages.enabled"),
        policy: value_of(POLICIES, sent.text("scheduling_policy.policy")),
        policy_low: number(sent, "scheduling_policy.thresholds.low"),
        policy_high: number(sent, "scheduling_policy.thresholds.high"),
        policy_duration_s: number(sent, "scheduling_policy.thresholds.duration"),
        on_error: value_of(ON_ERROR, sent.text("error_handling.on_error")),
        virt_service: sent.bool("virt_service"),
        gluster_service: sent.bool("gluster_service"),
        threads_as_cores: sent.bool("threads_as_cores"),
        ballooning: sent.bool("ballooning_enabled"),
        tunnel_migration: sent.bool("tunnel_migration"),
    })
}

fn cluster<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<Cluster>, Answer> {
    request.found(world.clusters.get(&request.id(1)?), 1)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let found = request.list::<Cluster>()?;
    listed(&request, &CLUSTER, found.iter().map(|c| view(request.base, c)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &CLUSTER, &view(request.base, cluster(&request, &request.world)?))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&CLUSTER)?;
    create(&request, &sent).await
}

/// Creates a cluster of which all that is needed is said.
pub async fn create(request: &Arc<ApiRequest>, sent: &Doc) -> Handled {
    let mut config = ClusterConfig::default();
    config.apply(&patch(request, sent)?);
    if config.version > CURRENT_VERSION {
        return Err(request.bad(&Fault::operation_failed(["Cannot add Cluster. The compatibility version is not supported."])));
    }
    let outcome = request.submit(CreateCluster { config }).await?;
    let id = outcome.events.iter().find_map(|r| match &r.event {
        Event::ClusterCreated(e) => Some(e.cluster),
        _ => None,
    });
    created(request, &CLUSTER, &view(request.base, request.found(id.and_then(|id| outcome.world.clusters.get(&id)), 0)?))
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let current = cluster(&request, &request.world)?;
    let sent = request.body(&CLUSTER)?;
    check_immutable(&request, &CLUSTER, &view(request.base, current), &sent)?;
    let outcome = request.submit(UpdateCluster { cluster: current.id, changes: patch(&request, &sent)? }).await?;
    shown(&request, &CLUSTER, &view(request.base, cluster(&request, &outcome.world)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let current = cluster(&request, &request.world)?;
    remove(&request, RemoveCluster { cluster: current.id }).await
}

/// A network as a cluster has it.
fn network_view(request: &ApiRequest, world: &World, cluster: &Cluster, network: NetworkId) -> Option<Doc> {
    let used = cluster.networks.iter().find(|n| n.network == network)?;
    let place = Place::of(request.base, cluster.id);
    let found = world.networks.get(&network)?;
    let doc = networks::view(world, request.base, found)
        .set_path("status.state", networks::state(operational_in(world, cluster.id, found)))
        .at(&place.object_below(network))
        .set("required", used.required)
        .set("display", used.display)
        .set("usages", Doc::new().set("usage", usages(used, &found.config)))
        .reference_to("cluster", &place);
    Some(doc)
}

/// What a network is used for in a cluster.
fn usages(used: &ClusterNetwork, config: &NetworkConfig) -> Vec<&'static str> {
    let uses = [(config.vm_network, "VM"), (used.display, "DISPLAY"), (used.migration, "MIGRATION")];
    uses.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect()
}

/// Whether a request gives a network a use, where it speaks of that at all.
fn use_of(sent: &Doc, usage: &str) -> Option<bool> {
    let listed = || sent.list("usages.usage").iter().any(|u| u.as_text().is_some_and(|u| u.eq_ignore_ascii_case(usage)));
    sent.has("usages").then(listed)
}

async fn list_networks(request: Arc<ApiRequest>) -> Handled {
    let cluster = cluster(&request, &request.world)?;
    listed(&request, &NETWORK, cluster.networks.iter().filter_map(|n| network_view(&request, &request.world, cluster, n.network)))
}

async fn get_network(request: Arc<ApiRequest>) -> Handled {
    let doc = network_view(&request, &request.world, cluster(&request, &request.world)?, request.id(3)?);
    shown(&request, &NETWORK, &request.found(doc, 3)?)
}

async fn assign(request: Arc<ApiRequest>, network: NetworkId, sent: &Doc) -> Result<Doc, Answer> {
    networks::check_usages(&request, sent)?;
    let current = cluster(&request, &request.world)?;
    let old = current.networks.iter().find(|n| n.network == network);
    let network = ClusterNetwork {
        network,
        required: sent.bool("required").or(old.map(|o| o.required)).unwrap_or(true),
        display: use_of(sent, "display").or(sent.bool("display")).or(old.map(|o| o.display)).unwrap_or(false),
        migration: use_of(sent, "migration").or(old.map(|o| o.migration)).unwrap_or(false),
    };
    let outcome = request.submit(AssignNetwork { cluster: current.id, network }).await?;
    request.found(network_view(&request, &outcome.world, cluster(&request, &outcome.world)?, network.network), 1)
}

async fn add_network(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&NETWORK)?;
    let id = match sent.text("id") {
        Some(_) => request.reference(&Doc::new().set("network", sent.clone()), "network", NameKind::Network, "Network")?,
        None => {
            let center = cluster(&request, &request.world)?.config.data_center;
            center.zip(sent.text("name")).and_then(|(center, name)| request.world.network_named(center, name)).map(|n| n.id)
        }
    };
    let id = id.ok_or_else(|| request.missing(format!("Network: name={}", sent.text("name").unwrap_or_default())))?;
    let doc = assign(request.clone(), id, &sent).await?;
    created(&request, &NETWORK, &doc)
}

async fn update_network(request: Arc<ApiRequest>) -> Handled {
    let id: NetworkId = request.id(3)?;
    let current = request.found(network_view(&request, &request.world, cluster(&request, &request.world)?, id), 3)?;
    let sent = request.body(&NETWORK)?;
    check_immutable(&request, &NETWORK, &current, &sent)?;
    let doc = assign(request.clone(), id, &sent).await?;
    shown(&request, &NETWORK, &doc)
}

async fn delete_network(request: Arc<ApiRequest>) -> Handled {
    let cluster = cluster(&request, &request.world)?.id;
    remove(&request, UnassignNetwork { cluster, network: request.id(3)? }).await
}
