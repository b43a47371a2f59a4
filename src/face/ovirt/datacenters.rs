//! Data centers and the storage domains that are attached to them: the guide's chapter 9.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::cluster::Cluster;
use evirt_domain::data_center::*;
use evirt_domain::ids::StorageDomainId;
use evirt_domain::index::{NetworkTerm, StorageDomainTerm};
use evirt_domain::network::Network;
use evirt_domain::storage::*;
use evirt_domain::world::NameKind;

use super::answer::{Answer, Handled};
use super::clusters::{self, name_of, value_of};
use super::collection::{check_immutable, created, remove};
use super::networks;
use super::parts::{first_id, given, listed, sent_version, shown, text, version};
use super::representation::body::{Body, need};
use super::representation::types::{ACTION, CLUSTER, DATA_CENTER, NETWORK, STORAGE_DOMAIN};
use super::representation::{Doc, Place};
use super::request::{ApiRequest, Target};
use super::route::routes;
use super::storagedomains::attached_view;
use super::work::{act_and_wait, removed_after};

routes! { ROUTES:
    "datacenters" => GET list, POST add [Body::add(&DATA_CENTER).needs(&[need("name storage_type version.major version.minor")])];
    "datacenters/{}" => GET get, PUT update [Body::update(&DATA_CENTER)], DELETE delete [Body::action("force")];
    "datacenters/{}/clusters" =>
        GET list_clusters,
        POST add_cluster [Body::add(&CLUSTER).without("data_center").needs(&[need("name")])];
    "datacenters/{}/clusters/{}" => GET in_cluster, PUT in_cluster, DELETE in_cluster;
    "datacenters/{}/clusters/{}/networks" => GET in_cluster, POST in_cluster;
    "datacenters/{}/clusters/{}/networks/{}" => GET in_cluster, PUT in_cluster, DELETE in_cluster;
    "datacenters/{}/clusters/{}/permissions" => GET in_cluster, POST in_cluster;
    "datacenters/{}/clusters/{}/permissions/{}" => GET in_cluster, DELETE in_cluster;
    "datacenters/{}/networks" => GET list_networks;
    "datacenters/{}/networks/{}" => GET get_network;
    "datacenters/{}/storagedomains" => GET list_domains, POST attach [Body::only(&STORAGE_DOMAIN, "").needs(&[need("id|name")])];
    "datacenters/{}/storagedomains/{}" => GET get_domain, DELETE detach [Body::action("async")];
    "datacenters/{}/storagedomains/{}/activate" => POST activate;
    "datacenters/{}/storagedomains/{}/deactivate" => POST deactivate;
}

/// The name of a data center's status in the API.
fn status_name(status: DataCenterStatus) -> &'static str {
    match status {
        DataCenterStatus::Uninitialized => "uninitialized",
        DataCenterStatus::Up => "up",
        DataCenterStatus::Maintenance => "maintenance",
        DataCenterStatus::NotOperational => "not_operational",
        DataCenterStatus::Problematic => "problematic",
    }
}

/// The data center as the API shows it.
pub fn view(world: &World, base: &str, dc: &DataCenter) -> Doc {
    // A data center can be raised to what all its clusters have.
    let highest = world.clusters_of(dc.id).map(|cluster| cluster.config.version).min().unwrap_or(dc.config.version);
    let versions: Vec<Doc> = SUPPORTED_VERSIONS
        .into_iter()
        .filter(|v| *v == dc.config.version || (*v > dc.config.version && *v <= highest))
        .map(version)
        .collect();
    Doc::new()
        .at(&Place::of(base, dc.id))
        .set("name", &dc.config.name)
        .opt("description", text(&dc.config.description))
        .opt("comment", text(&dc.config.comment))
        .set("storage_type", dc.config.storage_type.name())
        .opt("storage_format", dc.storage_format.map(|f| f.name()))
        .set("version", version(dc.config.version))
        .set("supported_versions", Doc::new().set("version", versions))
        .set_path("status.state", status_name(dc.status(world)))
        .opt("quota_mode", Some(dc.config.quota_mode).filter(|m| *m != QuotaMode::Disabled).map(|m| name_of(QUOTA_MODES, m)))
        .links(&["storagedomains", "clusters", "quotas", "permissions"])
}

/// The names of quota modes in later versions of the API; the guide has none.
const QUOTA_MODES: &[(QuotaMode, &str)] =
    &[(QuotaMode::Disabled, "disabled"), (QuotaMode::Audit, "audit"), (QuotaMode::Enabled, "enabled")];

/// What a request says of a data center that is to be changed.
fn patch(sent: &Doc) -> DataCenterPatch {
    DataCenterPatch {
        name: given(sent, "name"),
        description: given(sent, "description"),
        comment: given(sent, "comment"),
        storage_type: sent.text("storage_type").and_then(StorageKind::from_name),
        version: sent_version(sent),
        quota_mode: value_of(QUOTA_MODES, sent.text("quota_mode")),
    }
}

/// The storage format that a request asks for.
fn format(sent: &Doc) -> Option<StorageFormat> {
    sent.text("storage_format").and_then(StorageFormat::from_name)
}

/// What a request says of a new data center.
fn config(sent: &Doc) -> DataCenterConfig {
    let mut config = DataCenterConfig {
        name: String::new(),
        description: String::new(),
        comment: String::new(),
        storage_type: StorageKind::Nfs,
        version: CURRENT_VERSION,
        quota_mode: QuotaMode::Disabled,
    };
    config.apply(&patch(sent));
    config
}

/// The data center that the path names.
pub fn center<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<DataCenter>, Answer> {
    request.found(world.data_centers.get(&request.id(1)?), 1)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let found = request.list::<DataCenter>()?;
    listed(&request, &DATA_CENTER, found.iter().map(|dc| view(&request.world, request.base, dc)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &DATA_CENTER, &view(&request.world, request.base, center(&request, &request.world)?))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&DATA_CENTER)?;
    let outcome = request.submit(CreateDataCenter { config: config(&sent), format: format(&sent) }).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.data_centers.get(&id));
    created(&request, &DATA_CENTER, &view(&outcome.world, request.base, request.found(made, 0)?))
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let current = center(&request, &request.world)?;
    let sent = request.body(&DATA_CENTER)?;
    check_immutable(&request, &DATA_CENTER, &view(&request.world, request.base, current), &sent)?;
    let command = UpdateDataCenter { data_center: current.id, changes: patch(&sent), format: format(&sent) };
    let outcome = request.submit(command).await?;
    // Storage that could not be upgraded is told by an event; the change stands.
    let _ = request.app.settle(&outcome).await;
    let world = request.engine().world();
    shown(&request, &DATA_CENTER, &view(&world, request.base, center(&request, &world)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let data_center = center(&request, &request.world)?.id;
    let sent = request.optional_body(&[&ACTION])?.map(|(_, sent)| sent).unwrap_or_default();
    remove(&request, RemoveDataCenter { data_center, force: sent.bool("force").unwrap_or_default() }).await
}

/// The clusters of the data center, by name.
fn clusters_of(request: &ApiRequest) -> Result<Vec<&Arc<Cluster>>, Answer> {
    let id = center(request, &request.world)?.id;
    let mut found: Vec<_> = request.world.clusters_of(id).collect();
    found.sort_by(|one, other| one.config.name.cmp(&other.config.name));
    Ok(found)
}

async fn list_clusters(request: Arc<ApiRequest>) -> Handled {
    listed(&request, &CLUSTER, clusters_of(&request)?.into_iter().map(|c| clusters::view(request.base, c)))
}

/// The networks of the data center, by name.
fn networks_of(request: &ApiRequest) -> Result<Vec<&Arc<Network>>, Answer> {
    let id = center(request, &request.world)?.id;
    let mut found: Vec<_> = request.world.networks.by(NetworkTerm::DataCenter(id)).collect();
    found.sort_by(|one, other| one.config.name.cmp(&other.config.name));
    Ok(found)
}

async fn list_networks(request: Arc<ApiRequest>) -> Handled {
    let found = networks_of(&request)?;
    listed(&request, &NETWORK, found.into_iter().map(|network| networks::view(&request.world, request.base, network)))
}

async fn get_network(request: Arc<ApiRequest>) -> Handled {
    let id = request.id(3)?;
    let found = networks_of(&request)?.into_iter().find(|network| network.id == id);
    shown(&request, &NETWORK, &networks::view(&request.world, request.base, request.found(found, 3)?))
}

async fn add_cluster(request: Arc<ApiRequest>) -> Handled {
    let data_center = center(&request, &request.world)?.id;
    let mut sent = request.body(&CLUSTER)?;
    sent.put("data_center", Doc::new().set("id", data_center.to_string()));
    clusters::create(&request, &sent).await
}

/// Whatever is asked of a cluster of the data center is what is asked of the cluster.
async fn in_cluster(request: Arc<ApiRequest>) -> Handled {
    let id = request.id(3)?;
    request.found(clusters_of(&request)?.into_iter().find(|c| c.id == id), 3)?;
    let target = Target {
        segments: request.target.segments.iter().skip(2).cloned().collect(),
        matrix: request.target.matrix.clone(),
        query: request.target.query.clone(),
    };
    let handler = request.routes.find(&target.segments).and_then(|route| route.handler(&request.method));
    let handler = request.found(handler, 2)?;
    handler(Arc::new(request.at(target))).await
}

/// The storage domain that the path names, where it is attached to the data center that the path names.
pub fn attached<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<StorageDomain>, Answer> {
    let data_center = center(request, world)?.id;
    let domain = world.storage_domains.get(&request.id(3)?);
    request.found(domain.filter(|d| d.attachment_in(data_center).is_some()), 3)
}

async fn list_domains(request: Arc<ApiRequest>) -> Handled {
    let id = center(&request, &request.world)?.id;
    let mut found: Vec<_> = request.world.storage_domains.by(StorageDomainTerm::DataCenter(id)).collect();
    found.sort_by(|one, other| one.config.name.cmp(&other.config.name));
    listed(&request, &STORAGE_DOMAIN, found.into_iter().map(|d| attached_view(&request.world, request.base, d, id)))
}

async fn get_domain(request: Arc<ApiRequest>) -> Handled {
    let data_center = center(&request, &request.world)?.id;
    shown(
        &request,
        &STORAGE_DOMAIN,
        &attached_view(&request.world, request.base, attached(&request, &request.world)?, data_center),
    )
}

async fn attach(request: Arc<ApiRequest>) -> Handled {
    let data_center = center(&request, &request.world)?.id;
    let sent = request.body(&STORAGE_DOMAIN)?;
    let sent = Doc::new().set("it", sent);
    let domain: StorageDomainId = request.needed(&sent, "it", NameKind::StorageDomain, "StorageDomain")?;
    let outcome = request.submit(AttachStorageDomain { domain, data_center }).await?;
    let is_attached = |world: &World| world.storage_domains.get(&domain).is_some_and(|d| d.attachment_in(data_center).is_some());
    let world = match request.settle(&outcome).await {
        // What could only not be activated is attached all the same.
        Err(_) if is_attached(&request.engine().world()) => request.engine().world(),
        settled => settled?,
    };
    let made = request.found(world.storage_domains.get(&domain), 0)?;
    created(&request, &STORAGE_DOMAIN, &attached_view(&world, request.base, made, data_center))
}

/// Takes a storage domain from the data center; local storage can be in no other, and is removed.
async fn detach(request: Arc<ApiRequest>) -> Handled {
    let (attached, data_center) = (attached(&request, &request.world)?, center(&request, &request.world)?.id);
    let domain = attached.id;
    let outcome = if attached.storage.kind == StorageKind::Localfs {
        let host = attached.storage.located(&request.world).server.host;
        request.submit(RemoveStorageDomain { domain, host, format: true, destroy: false }).await?
    } else {
        request.submit(DetachStorageDomain { domain, data_center }).await?
    };
    removed_after(&request, &outcome).await
}

async fn activate(request: Arc<ApiRequest>) -> Handled {
    let (domain, data_center) = (attached(&request, &request.world)?.id, center(&request, &request.world)?.id);
    act_and_wait(&request, ActivateStorageDomain { domain, data_center }).await
}

async fn deactivate(request: Arc<ApiRequest>) -> Handled {
    let (domain, data_center) = (attached(&request, &request.world)?.id, center(&request, &request.world)?.id);
    act_and_wait(&request, DeactivateStorageDomain { domain, data_center }).await
}
