//! Quotas of data centers, and their limits as later versions of the API have them: the guide's chapter 9.4.2.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::ids::*;
use evirt_domain::index::QuotaTerm;
use evirt_domain::quota::*;
use evirt_domain::world::NameKind;
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, check_owner, created, remove};
use super::datacenters::center;
use super::parts::{first_id, given, listed, number, shown, text};
use super::representation::body::{Body, need};
use super::representation::types::{CLUSTER_QUOTA_LIMIT, QUOTA, STORAGE_QUOTA_LIMIT};
use super::representation::{Doc, Fault, Place};
use super::request::ApiRequest;
use super::route::routes;

routes! { ROUTES:
    "datacenters/{}/quotas" => GET list, POST add [Body::add(&QUOTA).needs(&[need("name")])];
    "datacenters/{}/quotas/{}" => GET get, PUT update [Body::update(&QUOTA)], DELETE delete;
    "datacenters/{}/quotas/{}/quotastoragelimits" =>
        GET list_storage,
        POST add_storage [Body::add(&STORAGE_QUOTA_LIMIT).needs(&[need("limit")])];
    "datacenters/{}/quotas/{}/quotastoragelimits/{}" => GET get_storage, DELETE delete_storage;
    "datacenters/{}/quotas/{}/quotaclusterlimits" =>
        GET list_clusters,
        POST add_cluster [Body::add(&CLUSTER_QUOTA_LIMIT).needs(&[need("vcpu_limit|memory_limit")])];
    "datacenters/{}/quotas/{}/quotaclusterlimits/{}" => GET get_cluster, DELETE delete_cluster;
}

/// A GiB in MiB.
const GIB: f64 = 1024.0;

/// The quota that a disk or VM is said to consume; an empty reference says none.
pub fn named(request: &ApiRequest, sent: &Doc) -> Result<Option<Option<QuotaId>>, Answer> {
    let Some(quota) = sent.doc("quota") else { return Ok(None) };
    let said = |field: &str| quota.text(field).filter(|text| !text.is_empty());
    let Some(id) = said("id") else {
        // A name says nothing without the data center, and is not to be taken for none.
        return match said("name") {
            Some(_) => Err(request.bad(&Fault::incomplete_parameters("Quota", ["id"], request.verb()))),
            None => Ok(Some(None)),
        };
    };
    let id = Uuid::parse_str(id).map_err(|_| request.missing(format!("Quota: id={id}")))?;
    Ok(Some(Some(QuotaId(id))))
}

fn place(request: &ApiRequest, quota: &Quota) -> Place {
    Place::of(request.base, quota.data_center).below("quotas", quota.id)
}

fn view(request: &ApiRequest, quota: &Quota) -> Doc {
    let config = &quota.config;
    let unusual = |percent: i32, usual: i32| (percent != usual).then_some(percent);
    Doc::new()
        .at(&place(request, quota))
        .set("name", &config.name)
        .opt("description", text(&config.description))
        .reference("data_center", request.base, quota.data_center)
        .opt("cluster_soft_limit_pct", unusual(config.cluster_soft_percent, DEFAULT_SOFT_PERCENT))
        .opt("cluster_hard_limit_pct", unusual(config.cluster_hard_percent, DEFAULT_HARD_PERCENT))
        .opt("storage_soft_limit_pct", unusual(config.storage_soft_percent, DEFAULT_SOFT_PERCENT))
        .opt("storage_hard_limit_pct", unusual(config.storage_hard_percent, DEFAULT_HARD_PERCENT))
        .links(&["quotastoragelimits", "quotaclusterlimits"])
}

fn patch(sent: &Doc) -> QuotaPatch {
    QuotaPatch {
        name: given(sent, "name"),
        description: given(sent, "description"),
        cluster_soft_percent: number(sent, "cluster_soft_limit_pct"),
        cluster_hard_percent: number(sent, "cluster_hard_limit_pct"),
        storage_soft_percent: number(sent, "storage_soft_limit_pct"),
        storage_hard_percent: number(sent, "storage_hard_limit_pct"),
    }
}

/// The quota that the path names, where it is one of the data center that the path names.
fn quota<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<Quota>, Answer> {
    let data_center = center(request, world)?.id;
    request.found(world.quotas.get(&request.id(3)?).filter(|q| q.data_center == data_center), 3)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let data_center = center(&request, &request.world)?.id;
    let found = request.world.quotas.by(QuotaTerm::DataCenter(data_center));
    listed(&request, &QUOTA, found.map(|q| view(&request, q)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &QUOTA, &view(&request, quota(&request, &request.world)?))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let data_center = center(&request, &request.world)?.id;
    let sent = request.body(&QUOTA)?;
    let mut config = QuotaConfig::named(String::new());
    config.apply(&patch(&sent));
    let outcome = request.submit(CreateQuota { data_center, config }).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.quotas.get(&id));
    created(&request, &QUOTA, &view(&request, request.found(made, 0)?))
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let current = quota(&request, &request.world)?;
    let sent = request.body(&QUOTA)?;
    check_immutable(&request, &QUOTA, &view(&request, current), &sent)?;
    check_owner(&request, &sent, "data_center", NameKind::DataCenter, "DataCenter", current.data_center.0)?;
    let outcome = request.submit(UpdateQuota { quota: current.id, changes: patch(&sent) }).await?;
    shown(&request, &QUOTA, &view(&request, quota(&request, &outcome.world)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let quota = quota(&request, &request.world)?.id;
    remove(&request, RemoveQuota { quota }).await
}

/// A limit's identifier: that of what it is on; the quota's, where it is on everything.
fn limit_id(quota: &Quota, on: Option<Uuid>) -> Uuid {
    on.unwrap_or(quota.id.0)
}

/// What the path's limit is on; none where it is on everything.
fn limited(request: &ApiRequest, quota: &Quota) -> Result<Option<Uuid>, Answer> {
    let id: Uuid = request.id(5)?;
    Ok((id != quota.id.0).then_some(id))
}

fn storage_view(request: &ApiRequest, world: &World, quota: &Quota, limit: &StorageLimit) -> Doc {
    let id = limit_id(quota, limit.domain.map(|d| d.0));
    let place = place(request, quota);
    let doc = Doc::new()
        .at(&place.below("quotastoragelimits", id))
        .reference_to("quota", &place)
        .set("limit", limit.gib)
        .set("usage", quota.storage_used(world, limit.domain) as f64 / (1_i64 << 30) as f64);
    match limit.domain {
        Some(domain) => doc.reference("storage_domain", request.base, domain),
        None => doc,
    }
}

fn cluster_view(request: &ApiRequest, world: &World, quota: &Quota, limit: &ClusterLimit) -> Doc {
    let id = limit_id(quota, limit.cluster.map(|c| c.0));
    let place = place(request, quota);
    let (memory, cpus) = quota.cluster_used(world, limit.cluster);
    let gib = |mib: i64| if mib == UNLIMITED { UNLIMITED as f64 } else { mib as f64 / GIB };
    let doc = Doc::new()
        .at(&place.below("quotaclusterlimits", id))
        .reference_to("quota", &place)
        .set("vcpu_limit", limit.vcpus)
        .set("vcpu_usage", cpus)
        .set("memory_limit", gib(limit.memory_mib))
        .set("memory_usage", gib(memory));
    match limit.cluster {
        Some(cluster) => doc.reference("cluster", request.base, cluster),
        None => doc,
    }
}

async fn list_storage(request: Arc<ApiRequest>) -> Handled {
    let quota = quota(&request, &request.world)?;
    listed(&request, &STORAGE_QUOTA_LIMIT, quota.storage.iter().map(|l| storage_view(&request, &request.world, quota, l)))
}

async fn get_storage(request: Arc<ApiRequest>) -> Handled {
    let quota = quota(&request, &request.world)?;
    let on = limited(&request, quota)?;
    let limit = request.found(quota.storage.iter().find(|l| l.domain.map(|d| d.0) == on), 5)?;
    shown(&request, &STORAGE_QUOTA_LIMIT, &storage_view(&request, &request.world, quota, limit))
}

async fn add_storage(request: Arc<ApiRequest>) -> Handled {
    let id = quota(&request, &request.world)?.id;
    let sent = request.body(&STORAGE_QUOTA_LIMIT)?;
    let domain = request.reference(&sent, "storage_domain", NameKind::StorageDomain, "StorageDomain")?;
    let limit = StorageLimit { domain, gib: sent.int("limit").unwrap_or(UNLIMITED) };
    let outcome = request.submit(ChangeQuotaLimit { quota: id, change: LimitChange::Storage(limit.clone()) }).await?;
    let doc = storage_view(&request, &outcome.world, quota(&request, &outcome.world)?, &limit);
    created(&request, &STORAGE_QUOTA_LIMIT, &doc)
}

async fn delete_storage(request: Arc<ApiRequest>) -> Handled {
    let quota = quota(&request, &request.world)?;
    let on = limited(&request, quota)?.map(StorageDomainId);
    remove(&request, ChangeQuotaLimit { quota: quota.id, change: LimitChange::NoStorage(on) }).await
}

async fn list_clusters(request: Arc<ApiRequest>) -> Handled {
    let quota = quota(&request, &request.world)?;
    listed(&request, &CLUSTER_QUOTA_LIMIT, quota.clusters.iter().map(|l| cluster_view(&request, &request.world, quota, l)))
}

async fn get_cluster(request: Arc<ApiRequest>) -> Handled {
    let quota = quota(&request, &request.world)?;
    let on = limited(&request, quota)?;
    let limit = request.found(quota.clusters.iter().find(|l| l.cluster.map(|c| c.0) == on), 5)?;
    shown(&request, &CLUSTER_QUOTA_LIMIT, &cluster_view(&request, &request.world, quota, limit))
}

/// Sets a limit on a cluster, or on all; what is not said of is not limited.
async fn add_cluster(request: Arc<ApiRequest>) -> Handled {
    let id = quota(&request, &request.world)?.id;
    let sent = request.body(&CLUSTER_QUOTA_LIMIT)?;
    let cluster = request.reference(&sent, "cluster", NameKind::Cluster, "Cluster")?;
    let memory = sent.decimal("memory_limit").filter(|gib| *gib != UNLIMITED as f64);
    let limit = ClusterLimit {
        cluster,
        memory_mib: memory.map_or(UNLIMITED, |gib| (gib * GIB).ceil() as i64),
        vcpus: sent.int("vcpu_limit").unwrap_or(UNLIMITED),
    };
    let outcome = request.submit(ChangeQuotaLimit { quota: id, change: LimitChange::Cluster(limit.clone()) }).await?;
    let doc = cluster_view(&request, &outcome.world, quota(&request, &outcome.world)?, &limit);
    created(&request, &CLUSTER_QUOTA_LIMIT, &doc)
}

async fn delete_cluster(request: Arc<ApiRequest>) -> Handled {
    let quota = quota(&request, &request.world)?;
    let on = limited(&request, quota)?.map(ClusterId);
    remove(&request, ChangeQuotaLimit { quota: quota.id, change: LimitChange::NoCluster(on) }).await
}
