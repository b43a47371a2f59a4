//! Capabilities: what each compatibility version can do; the guide's chapter 7.

use std::sync::Arc;

use evirt_domain::cluster::CPU_FAMILIES;
use evirt_domain::data_center::{CURRENT_VERSION, SUPPORTED_VERSIONS, Version};
use evirt_domain::permit::Permit;
use evirt_domain::vm::OS_TYPES;
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::representation::Doc;
use super::representation::types::{CAPABILITIES, VERSION_CAPS};
use super::request::Call;
use super::route::routes;

routes! { ROUTES:
    "capabilities" => GET list;
    "capabilities/{}" => GET get;
}

/// Lists of names: the element that holds the list, that of one entry, the names.
const LISTS: &[(&str, &str, &[&str])] = &[
    ("fence_types", "fence_type", &["manual", "restart", "start", "stop", "status"]),
    ("storage_types", "storage_type", &["nfs", "iscsi", "fcp", "localfs", "posixfs", "glusterfs"]),
    ("configuration_types", "configuration_type", &["ovf"]),
    ("vm_types", "vm_type", &["desktop", "server"]),
    ("boot_devices", "boot_device", &["cdrom", "hd", "network"]),
    ("display_types", "display_type", &["vnc", "spice"]),
    ("nic_interfaces", "nic_interface", &["e1000", "virtio", "rtl8139", "rtl8139_virtio"]),
    ("disk_formats", "disk_format", &["cow", "raw"]),
    ("disk_interfaces", "disk_interface", &["ide", "virtio", "virtio_scsi"]),
    ("vm_affinities", "vm_affinity", &["migratable", "user_migratable", "pinned"]),
    ("boot_protocols", "boot_protocol", &["dhcp", "static", "none"]),
    ("error_handling", "on_error", &["migrate", "do_not_migrate", "migrate_highly_available"]),
    ("storage_formats", "storage_format", &["v1", "v2", "v3"]),
    ("ip_versions", "ip_version", &["v4", "v6"]),
    ("scheduling_policies", "policy", &["none", "evenly_distributed", "power_saving"]),
    ("usages", "usage", &["display", "management", "migration", "vm"]),
    ("stages", "stage", &["pre", "post"]),
];

/// Lists of states: as above, each entry a state.
const STATES: &[(&str, &str, &[&str])] = &[
    ("creation_states", "creation_state", &["pending", "in_progress", "complete", "failed"]),
    ("storage_domain_types", "storage_domain_type", &["data", "iso", "export", "image"]),
];

/// The identifier of a version: the same always.
fn id(version: Version) -> Uuid {
    Uuid::from_u128(0x6576_6972_7400_4000_8000_0000_0000_0000 | u128::from(version.major) << 16 | u128::from(version.minor))
}

fn view(base: &str, version: Version) -> Doc {
    let id = id(version);
    let cpus: Vec<Doc> = CPU_FAMILIES.iter().map(|(name, level)| Doc::new().set("id", *name).set("level", *level)).collect();
    let permits: Vec<Doc> = Permit::ALL
        .iter()
        .map(|p| Doc::new().set("id", p.id().to_string()).set("name", p.name()).set("administrative", p.administrative()))
        .collect();
    let mut doc = Doc::new()
        .set("id", id.to_string())
        .set("href", format!("{base}/capabilities/{id}"))
        .set("major", version.major)
        .set("minor", version.minor)
        .set("current", version == CURRENT_VERSION)
        .set("cpus", Doc::new().set("cpu", cpus))
        .set("os_types", Doc::new().set("os_type", OS_TYPES.to_vec()))
        .set("permits", Doc::new().set("permit", permits));
    for (list, entry, names) in LISTS.iter().chain(STATES) {
        if VERSION_CAPS.field(list).is_some() {
            doc.put(list, Doc::new().set(entry, names.to_vec()));
        }
    }
    doc
}

async fn list(call: Arc<Call>) -> Handled {
    let versions: Vec<Doc> = SUPPORTED_VERSIONS.iter().rev().map(|v| view(call.base, *v)).collect();
    Ok(Answer::doc(200, &CAPABILITIES, &Doc::new().set("version", versions), call.output))
}

async fn get(call: Arc<Call>) -> Handled {
    let wanted: Uuid = call.id(1)?;
    let version = SUPPORTED_VERSIONS.into_iter().find(|v| id(*v) == wanted);
    Ok(Answer::doc(200, &VERSION_CAPS, &view(call.base, call.found(version, 1)?), call.output))
}
