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
use super::representation::check::require;
use super::representation::types::{CLUSTER, NETWORK};
use super::representation::{Doc, Fault};
use super::request::Call;
use super::route::routes;

routes! { ROUTES:
    "clusters" => GET list, POST add;
    "clusters/{}" => GET get, PUT update, DELETE delete;
    "clusters/{}/networks" => GET list_networks, POST add_network;
    "clusters/{}/networks/{}" => GET get_network, PUT update_network, DELETE delete_network;
}

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
    let href = format!("{base}/clusters/{}", cluster.id);
    let config = &cluster.config;
    let mut policy = Doc::new();
    if config.policy != SchedulingPolicy::None {
        policy.put("policy", name_of(POLICIES, config.policy));
        let thresholds =
            Doc::new().set("low", config.policy_low).set("high", config.policy_high).set("duration", config.policy_duration_s);
        policy.put("thresholds", thresholds);
    }
    let mut doc = Doc::new()
        .set("id", cluster.id.to_string())
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
        .link("networks", format!("{href}/networks"))
        .link("permissions", format!("{href}/permissions"));
    if !config.cpu.is_empty() {
        doc = doc.set_path("cpu.id", config.cpu.as_str());
    }
    if let Some(id) = config.data_center {
        doc = doc.reference("data_center", id.to_string(), format!("{base}/datacenters/{id}"));
    }
    doc.set("href", href)
}

/// The versions that a cluster of a version may have next.
fn supported(current: Version) -> Vec<Doc> {
    SUPPORTED_VERSIONS.into_iter().filter(|v| *v >= current).map(version).collect()
}

/// What a request says of a cluster that is to be changed.
fn patch(call: &Call, sent: &Doc) -> Result<ClusterPatch, Answer> {
    if sent.bool("trusted_service") == Some(true) {
        return Err(call.bad(&Fault::operation_failed(["There is no attestation server that could vouch for trusted hosts."])));
    }
    let data_center = call.reference(sent, "data_center", NameKind::DataCenter, "DataCenter")?;
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

fn cluster<'a>(call: &Call, world: &'a World) -> Result<&'a Arc<Cluster>, Answer> {
    call.found(world.clusters.get(&call.id(1)?), 1)
}

async fn list(call: Arc<Call>) -> Handled {
    let found = call.list::<Cluster>()?;
    listed(&call, &CLUSTER, found.iter().map(|c| view(call.base, c)))
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &CLUSTER, &view(call.base, cluster(&call, &call.world)?))
}

async fn add(call: Arc<Call>) -> Handled {
    let sent = call.body(&CLUSTER)?;
    require(&sent, "Cluster", "add", &["name", "dataCenter.name|id"]).map_err(|fault| call.bad(&fault))?;
    create(&call, &sent).await
}

/// Creates a cluster of which all that is needed is said.
pub async fn create(call: &Arc<Call>, sent: &Doc) -> Handled {
    let mut config = ClusterConfig::default();
    config.apply(&patch(call, sent)?);
    if config.version > CURRENT_VERSION {
        return Err(call.bad(&Fault::operation_failed(["Cannot add Cluster. The compatibility version is not supported."])));
    }
    let outcome = call.submit(CreateCluster { config }).await?;
    let id = outcome.events.iter().find_map(|r| match &r.event {
        Event::ClusterCreated(e) => Some(e.cluster),
        _ => None,
    });
    created(call, &CLUSTER, &view(call.base, call.found(id.and_then(|id| outcome.world.clusters.get(&id)), 0)?))
}

async fn update(call: Arc<Call>) -> Handled {
    let current = cluster(&call, &call.world)?;
    let sent = call.body(&CLUSTER)?;
    check_immutable(&call, &CLUSTER, &view(call.base, current), &sent)?;
    let outcome = call.submit(UpdateCluster { cluster: current.id, changes: patch(&call, &sent)? }).await?;
    shown(&call, &CLUSTER, &view(call.base, cluster(&call, &outcome.world)?))
}

async fn delete(call: Arc<Call>) -> Handled {
    let current = cluster(&call, &call.world)?;
    remove(&call, RemoveCluster { cluster: current.id }).await
}

/// A network as a cluster has it.
fn network_view(call: &Call, world: &World, cluster: &Cluster, network: NetworkId) -> Option<Doc> {
    let used = cluster.networks.iter().find(|n| n.network == network)?;
    let href = format!("{}/clusters/{}", call.base, cluster.id);
    let found = world.networks.get(&network)?;
    let doc = networks::view(world, call.base, found)
        .set_path("status.state", networks::state(operational_in(world, cluster.id, found)))
        .set("href", format!("{href}/networks/{network}"))
        .set("required", used.required)
        .set("display", used.display)
        .set("usages", Doc::new().set("usage", usages(used, &found.config)))
        .reference("cluster", cluster.id.to_string(), href);
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

async fn list_networks(call: Arc<Call>) -> Handled {
    let cluster = cluster(&call, &call.world)?;
    listed(&call, &NETWORK, cluster.networks.iter().filter_map(|n| network_view(&call, &call.world, cluster, n.network)))
}

async fn get_network(call: Arc<Call>) -> Handled {
    let doc = network_view(&call, &call.world, cluster(&call, &call.world)?, call.id(3)?);
    shown(&call, &NETWORK, &call.found(doc, 3)?)
}

async fn assign(call: Arc<Call>, network: NetworkId, sent: &Doc) -> Result<Doc, Answer> {
    networks::check_usages(&call, sent)?;
    let current = cluster(&call, &call.world)?;
    let old = current.networks.iter().find(|n| n.network == network);
    let network = ClusterNetwork {
        network,
        required: sent.bool("required").or(old.map(|o| o.required)).unwrap_or(true),
        display: use_of(sent, "display").or(sent.bool("display")).or(old.map(|o| o.display)).unwrap_or(false),
        migration: use_of(sent, "migration").or(old.map(|o| o.migration)).unwrap_or(false),
    };
    let outcome = call.submit(AssignNetwork { cluster: current.id, network }).await?;
    call.found(network_view(&call, &outcome.world, cluster(&call, &outcome.world)?, network.network), 1)
}

async fn add_network(call: Arc<Call>) -> Handled {
    let sent = call.body(&NETWORK)?;
    require(&sent, "Network", "add", &["id|name"]).map_err(|fault| call.bad(&fault))?;
    let id = match sent.text("id") {
        Some(_) => call.reference(&Doc::new().set("network", sent.clone()), "network", NameKind::Network, "Network")?,
        None => {
            let center = cluster(&call, &call.world)?.config.data_center;
            center.zip(sent.text("name")).and_then(|(center, name)| call.world.network_named(center, name)).map(|n| n.id)
        }
    };
    let id = id.ok_or_else(|| call.missing(format!("Network: name={}", sent.text("name").unwrap_or_default())))?;
    let doc = assign(call.clone(), id, &sent).await?;
    created(&call, &NETWORK, &doc)
}

async fn update_network(call: Arc<Call>) -> Handled {
    let id: NetworkId = call.id(3)?;
    let current = call.found(network_view(&call, &call.world, cluster(&call, &call.world)?, id), 3)?;
    let sent = call.body(&NETWORK)?;
    check_immutable(&call, &NETWORK, &current, &sent)?;
    let doc = assign(call.clone(), id, &sent).await?;
    shown(&call, &NETWORK, &doc)
}

async fn delete_network(call: Arc<Call>) -> Handled {
    let cluster = cluster(&call, &call.world)?.id;
    remove(&call, UnassignNetwork { cluster, network: call.id(3)? }).await
}
