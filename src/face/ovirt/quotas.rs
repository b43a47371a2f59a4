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
use super::representation::Doc;
use super::representation::check::require;
use super::representation::types::{CLUSTER_QUOTA_LIMIT, QUOTA, STORAGE_QUOTA_LIMIT};
use super::request::Call;
use super::route::routes;

routes! { ROUTES:
    "datacenters/{}/quotas" => GET list, POST add;
    "datacenters/{}/quotas/{}" => GET get, PUT update, DELETE delete;
    "datacenters/{}/quotas/{}/quotastoragelimits" => GET list_storage, POST add_storage;
    "datacenters/{}/quotas/{}/quotastoragelimits/{}" => GET get_storage, DELETE delete_storage;
    "datacenters/{}/quotas/{}/quotaclusterlimits" => GET list_clusters, POST add_cluster;
    "datacenters/{}/quotas/{}/quotaclusterlimits/{}" => GET get_cluster, DELETE delete_cluster;
}

/// A GiB in MiB.
const GIB: f64 = 1024.0;

/// The quota that a disk or VM is said to consume; an empty reference says none.
pub fn named(call: &Call, sent: &Doc) -> Result<Option<Option<QuotaId>>, Answer> {
    let Some(quota) = sent.doc("quota") else { return Ok(None) };
    let Some(id) = quota.text("id").filter(|id| !id.is_empty()) else { return Ok(Some(None)) };
    let id = Uuid::parse_str(id).map_err(|_| call.missing(format!("Quota: id={id}")))?;
    Ok(Some(Some(QuotaId(id))))
}

fn place(call: &Call, quota: &Quota) -> String {
    format!("{}/datacenters/{}/quotas/{}", call.base, quota.data_center, quota.id)
}

fn view(call: &Call, quota: &Quota) -> Doc {
    let href = place(call, quota);
    let config = &quota.config;
    let unusual = |percent: i32, usual: i32| (percent != usual).then_some(percent);
    let center = quota.data_center;
    Doc::new()
        .set("id", quota.id.to_string())
        .set("name", &config.name)
        .opt("description", text(&config.description))
        .reference("data_center", center.to_string(), format!("{}/datacenters/{center}", call.base))
        .opt("cluster_soft_limit_pct", unusual(config.cluster_soft_percent, DEFAULT_SOFT_PERCENT))
        .opt("cluster_hard_limit_pct", unusual(config.cluster_hard_percent, DEFAULT_HARD_PERCENT))
        .opt("storage_soft_limit_pct", unusual(config.storage_soft_percent, DEFAULT_SOFT_PERCENT))
        .opt("storage_hard_limit_pct", unusual(config.storage_hard_percent, DEFAULT_HARD_PERCENT))
        .link("quotastoragelimits", format!("{href}/quotastoragelimits"))
        .link("quotaclusterlimits", format!("{href}/quotaclusterlimits"))
        .set("href", href)
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
fn quota<'a>(call: &Call, world: &'a World) -> Result<&'a Arc<Quota>, Answer> {
    let data_center = center(call, world)?.id;
    call.found(world.quotas.get(&call.id(3)?).filter(|q| q.data_center == data_center), 3)
}

async fn list(call: Arc<Call>) -> Handled {
    let data_center = center(&call, &call.world)?.id;
    let found = call.world.quotas.by(QuotaTerm::DataCenter(data_center));
    listed(&call, &QUOTA, found.map(|q| view(&call, q)))
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &QUOTA, &view(&call, quota(&call, &call.world)?))
}

async fn add(call: Arc<Call>) -> Handled {
    let data_center = center(&call, &call.world)?.id;
    let sent = call.body(&QUOTA)?;
    require(&sent, "Quota", "add", &["name"]).map_err(|fault| call.bad(&fault))?;
    let mut config = QuotaConfig::named(String::new());
    config.apply(&patch(&sent));
    let outcome = call.submit(CreateQuota { data_center, config }).await?;
    let made = first_id(&outcome).and_then(|id| outcome.world.quotas.get(&id));
    created(&call, &QUOTA, &view(&call, call.found(made, 0)?))
}

async fn update(call: Arc<Call>) -> Handled {
    let current = quota(&call, &call.world)?;
    let sent = call.body(&QUOTA)?;
    check_immutable(&call, &QUOTA, &view(&call, current), &sent)?;
    check_owner(&call, &sent, "data_center", NameKind::DataCenter, "DataCenter", current.data_center.0)?;
    let outcome = call.submit(UpdateQuota { quota: current.id, changes: patch(&sent) }).await?;
    shown(&call, &QUOTA, &view(&call, quota(&call, &outcome.world)?))
}

async fn delete(call: Arc<Call>) -> Handled {
    let quota = quota(&call, &call.world)?.id;
    remove(&call, RemoveQuota { quota }).await
}

/// A limit's identifier: that of what it is on; the quota's, where it is on everything.
fn limit_id(quota: &Quota, on: Option<Uuid>) -> Uuid {
    on.unwrap_or(quota.id.0)
}

/// What the path's limit is on; none where it is on everything.
fn limited(call: &Call, quota: &Quota) -> Result<Option<Uuid>, Answer> {
    let id: Uuid = call.id(5)?;
    Ok((id != quota.id.0).then_some(id))
}

fn storage_view(call: &Call, world: &World, quota: &Quota, limit: &StorageLimit) -> Doc {
    let id = limit_id(quota, limit.domain.map(|d| d.0));
    let href = place(call, quota);
    let doc = Doc::new()
        .set("id", id.to_string())
        .set("href", format!("{href}/quotastoragelimits/{id}"))
        .reference("quota", quota.id.to_string(), href)
        .set("limit", limit.gib)
        .set("usage", quota.storage_used(world, limit.domain) as f64 / (1_i64 << 30) as f64);
    match limit.domain {
        Some(domain) => doc.reference("storage_domain", domain.to_string(), format!("{}/storagedomains/{domain}", call.base)),
        None => doc,
    }
}

fn cluster_view(call: &Call, world: &World, quota: &Quota, limit: &ClusterLimit) -> Doc {
    let id = limit_id(quota, limit.cluster.map(|c| c.0));
    let href = place(call, quota);
    let (memory, cpus) = quota.cluster_used(world, limit.cluster);
    let gib = |mib: i64| if mib == UNLIMITED { UNLIMITED as f64 } else { mib as f64 / GIB };
    let doc = Doc::new()
        .set("id", id.to_string())
        .set("href", format!("{href}/quotaclusterlimits/{id}"))
        .reference("quota", quota.id.to_string(), href)
        .set("vcpu_limit", limit.vcpus)
        .set("vcpu_usage", cpus)
        .set("memory_limit", gib(limit.memory_mib))
        .set("memory_usage", gib(memory));
    match limit.cluster {
        Some(cluster) => doc.reference("cluster", cluster.to_string(), format!("{}/clusters/{cluster}", call.base)),
        None => doc,
    }
}

async fn list_storage(call: Arc<Call>) -> Handled {
    let quota = quota(&call, &call.world)?;
    listed(&call, &STORAGE_QUOTA_LIMIT, quota.storage.iter().map(|l| storage_view(&call, &call.world, quota, l)))
}

async fn get_storage(call: Arc<Call>) -> Handled {
    let quota = quota(&call, &call.world)?;
    let on = limited(&call, quota)?;
    let limit = call.found(quota.storage.iter().find(|l| l.domain.map(|d| d.0) == on), 5)?;
    shown(&call, &STORAGE_QUOTA_LIMIT, &storage_view(&call, &call.world, quota, limit))
}

async fn add_storage(call: Arc<Call>) -> Handled {
    let id = quota(&call, &call.world)?.id;
    let sent = call.body(&STORAGE_QUOTA_LIMIT)?;
    require(&sent, "QuotaStorageLimit", "add", &["limit"]).map_err(|fault| call.bad(&fault))?;
    let domain = call.reference(&sent, "storage_domain", NameKind::StorageDomain, "StorageDomain")?;
    let limit = StorageLimit { domain, gib: sent.int("limit").unwrap_or(UNLIMITED) };
    let outcome = call.submit(ChangeQuotaLimit { quota: id, change: LimitChange::Storage(limit.clone()) }).await?;
    let doc = storage_view(&call, &outcome.world, quota(&call, &outcome.world)?, &limit);
    created(&call, &STORAGE_QUOTA_LIMIT, &doc)
}

async fn delete_storage(call: Arc<Call>) -> Handled {
    let quota = quota(&call, &call.world)?;
    let on = limited(&call, quota)?.map(StorageDomainId);
    remove(&call, ChangeQuotaLimit { quota: quota.id, change: LimitChange::NoStorage(on) }).await
}

async fn list_clusters(call: Arc<Call>) -> Handled {
    let quota = quota(&call, &call.world)?;
    listed(&call, &CLUSTER_QUOTA_LIMIT, quota.clusters.iter().map(|l| cluster_view(&call, &call.world, quota, l)))
}

async fn get_cluster(call: Arc<Call>) -> Handled {
    let quota = quota(&call, &call.world)?;
    let on = limited(&call, quota)?;
    let limit = call.found(quota.clusters.iter().find(|l| l.cluster.map(|c| c.0) == on), 5)?;
    shown(&call, &CLUSTER_QUOTA_LIMIT, &cluster_view(&call, &call.world, quota, limit))
}

/// Sets a limit on a cluster, or on all; what is not said of is not limited.
async fn add_cluster(call: Arc<Call>) -> Handled {
    let id = quota(&call, &call.world)?.id;
    let sent = call.body(&CLUSTER_QUOTA_LIMIT)?;
    require(&sent, "QuotaClusterLimit", "add", &["vcpuLimit|memoryLimit"]).map_err(|fault| call.bad(&fault))?;
    let cluster = call.reference(&sent, "cluster", NameKind::Cluster, "Cluster")?;
    let memory = sent.decimal("memory_limit").filter(|gib| *gib != UNLIMITED as f64);
    let limit = ClusterLimit {
        cluster,
        memory_mib: memory.map_or(UNLIMITED, |gib| (gib * GIB).ceil() as i64),
        vcpus: sent.int("vcpu_limit").unwrap_or(UNLIMITED),
    };
    let outcome = call.submit(ChangeQuotaLimit { quota: id, change: LimitChange::Cluster(limit.clone()) }).await?;
    let doc = cluster_view(&call, &outcome.world, quota(&call, &outcome.world)?, &limit);
    created(&call, &CLUSTER_QUOTA_LIMIT, &doc)
}

async fn delete_cluster(call: Arc<Call>) -> Handled {
    let quota = quota(&call, &call.world)?;
    let on = limited(&call, quota)?.map(ClusterId);
    remove(&call, ChangeQuotaLimit { quota: quota.id, change: LimitChange::NoCluster(on) }).await
}
