//! Data centers and the storage domains that are attached to them: the guide's chapter 9.

use evirt_domain::World;
use evirt_domain::data_center::{
    CURRENT_VERSION, DataCenter, DataCenterConfig, DataCenterPatch, DataCenterStatus, QuotaMode, SUPPORTED_VERSIONS,
};
use evirt_domain::storage::StorageKind;

use super::parts::{given, sent_version, text, version};
use super::representation::Doc;

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
    let href = format!("{base}/datacenters/{}", dc.id);
    // A data center can be raised to what all its clusters have.
    let highest = world
        .clusters
        .values()
        .filter(|cluster| cluster.config.data_center == Some(dc.id))
        .map(|cluster| cluster.config.version)
        .min()
        .unwrap_or(dc.config.version);
    let versions: Vec<Doc> = SUPPORTED_VERSIONS
        .into_iter()
        .filter(|v| *v == dc.config.version || (*v > dc.config.version && *v <= highest))
        .map(version)
        .collect();
    Doc::new()
        .set("id", dc.id.to_string())
        .set("name", &dc.config.name)
        .set("description", &dc.config.description)
        .opt("comment", text(&dc.config.comment))
        .set("storage_type", dc.config.storage_type.name())
        .opt("storage_format", dc.storage_format.map(|f| f.name()))
        .set("version", version(dc.config.version))
        .set("supported_versions", Doc::new().set("version", versions))
        .set_path("status.state", status_name(dc.status(world)))
        .link("storagedomains", format!("{href}/storagedomains"))
        .link("clusters", format!("{href}/clusters"))
        .link("permissions", format!("{href}/permissions"))
        .set("href", href)
}

/// What a request says of a data center that is to be changed.
fn patch(sent: &Doc) -> DataCenterPatch {
    DataCenterPatch {
        name: given(sent, "name"),
        description: given(sent, "description"),
        comment: given(sent, "comment"),
        storage_type: sent.text("storage_type").and_then(StorageKind::from_name),
        version: sent_version(sent),
        quota_mode: None,
    }
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
