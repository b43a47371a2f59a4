//! Capabilities: what each compatibility version can do; the guide's chapter 7.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use evirt_domain::cluster::CPU_FAMILIES;
use evirt_domain::custom_property::CUSTOM_PROPERTIES;
use evirt_domain::data_center::{CURRENT_VERSION, SUPPORTED_VERSIONS, Version};
use evirt_domain::levels::Feature;
use evirt_domain::permit::Permit;
use evirt_domain::vm::OS_TYPES;
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::representation::types::{CAPABILITIES, VERSION_CAPS};
use super::representation::{Doc, Format, Place, render};
use super::request::{ApiRequest, BASES};
use super::route::routes;

routes! { ROUTES:
    "capabilities" => GET list;
    "capabilities/{}" => GET get;
}

/// Lists of names: the element that holds the list, that of one entry, and the names.
const LISTS: &[(&str, &str, &[&str])] = &[
    ("fence_types", "fence_type", &["manual", "restart", "start", "stop", "status"]),
    ("storage_types", "storage_type", &["iscsi", "fcp", "nfs", "localfs", "posixfs", "glusterfs"]),
    ("configuration_types", "configuration_type", &["ovf"]),
    ("storage_domain_types", "storage_domain_type", &["data", "iso", "export", "image"]),
    ("vm_types", "vm_type", &["desktop", "server"]),
    ("boot_devices", "boot_device", &["cdrom", "hd", "network"]),
    ("display_types", "display_type", &["vnc", "spice"]),
    ("nic_interfaces", "nic_interface", &["e1000", "virtio", "rtl8139", "rtl8139_virtio"]),
    ("os_types", "os_type", OS_TYPES),
    ("disk_formats", "disk_format", &["cow", "raw"]),
    ("disk_interfaces", "disk_interface", &["ide", "virtio_scsi", "virtio"]),
    ("vm_affinities", "affinity", &["migratable", "user_migratable", "pinned"]),
    ("boot_protocols", "boot_protocol", &["dhcp", "static", "none"]),
    ("error_handling", "on_error", &["migrate", "do_not_migrate", "migrate_highly_available"]),
    ("storage_formats", "format", &["v1", "v2", "v3"]),
    ("creation_states", "creation_state", &["pending", "in_progress", "complete", "failed"]),
    ("power_management_states", "power_management_state", &["on", "off", "unknown"]),
    (
        "host_states",
        "host_state",
        &[
            "down",
            "error",
            "initializing",
            "installing",
            "install_failed",
            "maintenance",
            "non_operational",
            "non_responsive",
            "pending_approval",
            "preparing_for_maintenance",
            "connecting",
            "reboot",
            "unassigned",
            "up",
        ],
    ),
    (
        "host_non_operational_details",
        "host_non_operational_detail",
        &[
            "none",
            "general",
            "cpu_type_incompatible_with_cluster",
            "storage_domain_unreachable",
            "network_unreachable",
            "version_incompatible_with_cluster",
            "kvm_not_running",
            "timeout_recovering_from_crash",
            "vm_network_is_bridgeless",
            "gluster_command_failed",
            "gluster_host_uuid_not_found",
            "emulated_machines_incompatible_with_cluster",
            "untrusted",
            "uninitialized",
            "cluster_version_incompatible_with_cluster",
        ],
    ),
    ("network_states", "network_state", &["operational", "non_operational"]),
    (
        "storage_domain_states",
        "storage_domain_state",
        &["active", "inactive", "locked", "mixed", "unattached", "maintenance", "unknown"],
    ),
    ("template_states", "template_state", &["illegal", "locked", "ok"]),
    (
        "vm_states",
        "vm_state",
        &[
            "unassigned",
            "down",
            "up",
            "powering_up",
            "paused",
            "migrating",
            "unknown",
            "not_responding",
            "wait_for_launch",
            "reboot_in_progress",
            "saving_state",
            "restoring_state",
            "suspended",
            "image_locked",
            "powering_down",
        ],
    ),
    ("vm_pause_details", "vm_pause_detail", &["none", "eother", "eio", "enospc", "eperm", "noerr"]),
    ("disk_states", "disk_state", &["illegal", "locked", "ok"]),
    ("host_nic_states", "host_nic_state", &["down", "up"]),
    (
        "data_center_states",
        "data_center_state",
        &["uninitialized", "up", "maintenance", "not_operational", "problematic", "contend"],
    ),
    ("vm_device_types", "vm_device_types", &["floppy", "cdrom"]),
    ("scheduling_policies", "policy", &["evenly_distributed", "power_saving"]),
    ("usages", "usage", &["display", "vm", "migration"]),
    ("nfs_versions", "nfs_version", &["auto", "v3", "v4"]),
    ("pm_proxy_types", "type", &["cluster", "dc", "engine"]),
    ("cpu_modes", "cpu_mode", &["custom", "host_model", "host_passthrough"]),
    ("sgio_options", "sgio_options", &["filtered", "unfiltered"]),
    ("watchdog_models", "model", &["i6300esb"]),
    ("watchdog_actions", "action", &["none", "reset", "poweroff", "pause", "dump"]),
    ("authentication_methods", "authentication_method", &["password", "publickey"]),
    ("step_types", "step_type", &["validating", "executing", "finalizing", "unknown"]),
    ("payload_encodings", "payload_encodings", &["base64", "plaintext"]),
    ("reported_device_types", "reported_device_type", &["network"]),
    ("ip_versions", "ip_version", &["v4", "v6"]),
    ("snapshot_statuses", "snapshot_status", &["ok", "locked", "in_preview"]),
    ("content_types", "content_type", &["text", "binary"]),
    ("hook_states", "hook_state", &["enabled", "disabled", "missing"]),
    ("stages", "stage", &["pre", "post"]),
    (
        "gluster_volume_types",
        "gluster_volume_type",
        &[
            "distribute",
            "replicate",
            "distributed_replicate",
            "stripe",
            "distributed_stripe",
            "striped_replicate",
            "distributed_striped_replicate",
        ],
    ),
    ("transport_types", "transport_type", &["tcp", "rdma"]),
    ("gluster_volume_states", "state", &["up", "down"]),
    ("brick_states", "state", &["up", "down"]),
];

/// The minor number of the version that brought a list, or with a name one entry of it; what is not here was always there.
const SINCE: &[(&str, &str, u32)] = &[
    ("storage_types", "posixfs", Feature::PosixStorage.since()),
    ("storage_types", "glusterfs", Feature::GlusterStorage.since()),
    ("storage_domain_types", "image", 3),
    ("storage_formats", "v3", Feature::StorageFormatV3.since()),
    ("disk_interfaces", "virtio_scsi", 3),
    ("payload_encodings", "", 1),
    ("gluster_volume_types", "", Feature::GlusterService.since()),
    ("transport_types", "", Feature::GlusterService.since()),
    ("gluster_volume_states", "", Feature::GlusterService.since()),
    ("brick_states", "", Feature::GlusterService.since()),
    ("nfs_versions", "", 1),
    ("pm_proxy_types", "", 2),
    ("cpu_modes", "", 2),
    ("sgio_options", "", 2),
    ("watchdog_models", "", 3),
    ("watchdog_actions", "", 3),
    ("authentication_methods", "", 3),
];

/// What a feature shows of the API.
enum Shows {
    Nothing,
    /// An empty part of a document.
    Part(&'static str),
    /// A name that a list may hold.
    Entry(&'static str, &'static str),
    /// A parameter of addresses: its type, its name, its value.
    Parameter(&'static str, &'static str, &'static str),
    /// A header and its value.
    Header(&'static str, &'static str),
}

/// What clients may rely on, since which minor number, and what it shows.
const FEATURES: &[(&str, u32, Shows)] = &[
    ("Transparent-Huge-Pages Memory Policy", 0, Shows::Part("transparent_hugepages")),
    ("POSIX-FS storage type", Feature::PosixStorage.since(), Shows::Entry("storage_types.storage_type", "posixfs")),
    ("Port mirroring", 1, Shows::Part("nic.port_mirroring")),
    ("Display server time", 0, Shows::Nothing),
    ("Display host memory", 0, Shows::Nothing),
    ("Display host sockets", 0, Shows::Nothing),
    ("Search case sensitivity", 0, Shows::Parameter("boolean", "case_sensitive", "true|false")),
    ("Maximum results for GET requests", 0, Shows::Parameter("int", "max", "max results")),
    ("JSON content type", 0, Shows::Header("Content-Type", "application/json")),
    ("Correlation-Id", 0, Shows::Header("Correlation-Id", "any string")),
    ("Activate and deactivate disks", 1, Shows::Nothing),
    ("Activate and deactivate network interface cards", 1, Shows::Nothing),
    ("Floating disks", 1, Shows::Nothing),
    ("Asynchronous deletion", 0, Shows::Parameter("boolean", "async", "true|false")),
    ("Session-based authentication", 0, Shows::Nothing),
    ("Custom resource comments", 3, Shows::Nothing),
    ("Force select SPM", 3, Shows::Nothing),
    ("Storage server connections for storage domains", 3, Shows::Nothing),
    ("Attach and detach storage server connections", 3, Shows::Nothing),
    ("Single PCI for Qxl", 3, Shows::Nothing),
    ("Virtual network interface card profiles", 3, Shows::Nothing),
    ("Virtual machine fully qualified domain names", 3, Shows::Nothing),
];

/// Fencing devices, and the options that each takes with their types.
const POWER_MANAGERS: &[(&str, &[(&str, &str)])] = &[
    ("apc", &[("secure", "bool"), ("port", "int"), ("slot", "int")]),
    ("apc_snmp", &[("port", "int")]),
    ("bladecenter", &[("secure", "bool"), ("port", "int"), ("slot", "int")]),
    ("cisco_ucs", &[("secure", "bool"), ("slot", "int")]),
    ("drac5", &[("secure", "bool"), ("slot", "int")]),
    ("drac7", &[]),
    ("eps", &[("slot", "int")]),
    ("ilo", &[("secure", "bool"), ("port", "int")]),
    ("ilo4", &[]),
    ("ipmilan", &[]),
    ("rsa", &[("secure", "bool"), ("port", "int")]),
    ("rsb", &[]),
    ("wti", &[("secure", "bool"), ("port", "int"), ("slot", "int")]),
];

/// The identifier of a version: the same always.
fn id(version: Version) -> Uuid {
    Uuid::from_u128(0x6576_6972_7400_4000_8000_0000_0000_0000 | u128::from(version.major) << 16 | u128::from(version.minor))
}

/// Whether a version has a list, or an entry of one.
fn has(version: Version, list: &str, name: &str) -> bool {
    SINCE.iter().all(|(of, entry, minor)| *of != list || !(entry.is_empty() || *entry == name) || version.minor >= *minor)
}

fn features(version: Version) -> Doc {
    let feature = |(name, _, shows): &(&'static str, u32, Shows)| {
        let doc = Doc::new().set("name", *name);
        match *shows {
            Shows::Nothing => doc,
            Shows::Part(path) => doc.set_path(path, Doc::new()),
            Shows::Entry(path, entry) => doc.set_path(path, vec![entry]),
            Shows::Parameter(kind, name, value) => {
                let parameter = Doc::new().set("type", kind).set("context", "matrix").set("name", name).set("value", value);
                doc.set_path("url.parameters_set", vec![Doc::new().set("parameter", vec![parameter])])
            }
            Shows::Header(name, value) => doc.set_path("headers.header", vec![Doc::new().set("name", name).set("value", value)]),
        }
    };
    let features: Vec<Doc> = FEATURES.iter().filter(|(_, minor, _)| version.minor >= *minor).map(feature).collect();
    Doc::new().set("feature", features)
}

fn power_managers() -> Doc {
    let manager = |(name, options): &(&'static str, &[(&'static str, &'static str)])| {
        let options: Vec<Doc> = options.iter().map(|(name, kind)| Doc::new().set("name", *name).set("type", *kind)).collect();
        Doc::new().set("type", *name).set("options", Doc::new().set("option", options))
    };
    Doc::new().set("power_management", POWER_MANAGERS.iter().map(manager).collect::<Vec<_>>())
}

fn custom_properties() -> Doc {
    let properties = CUSTOM_PROPERTIES.iter().map(|p| Doc::new().set("name", p.name).set("regexp", p.regexp));
    Doc::new().set("custom_property", properties.collect::<Vec<_>>())
}

fn permits() -> Doc {
    let permit =
        |p: &Permit| Doc::new().set("id", p.id().to_string()).set("name", p.name()).set("administrative", p.administrative());
    Doc::new().set("permit", Permit::ALL.iter().map(permit).collect::<Vec<_>>())
}

/// One of the lists, in full.
fn named(list: &str) -> Doc {
    let found = LISTS.iter().find(|(name, ..)| *name == list);
    found.map_or_else(Doc::new, |(_, entry, names)| Doc::new().set(entry, names.to_vec()))
}

fn view(base: &str, version: Version) -> Doc {
    let id = id(version);
    let cpus: Vec<Doc> = CPU_FAMILIES.iter().map(|(name, level)| Doc::new().set("id", *name).set("level", *level)).collect();
    let mut doc = Doc::new()
        .at(&Place::entry(base).below("capabilities", id))
        .set("major", version.major)
        .set("minor", version.minor)
        .set("current", version == CURRENT_VERSION)
        .set("features", features(version))
        .set("cpus", Doc::new().set("cpu", cpus))
        .set("power_managers", power_managers())
        .set("custom_properties", custom_properties())
        .set("permits", permits());
    for (list, entry, names) in LISTS.iter().filter(|(list, ..)| has(version, list, "")) {
        let names: Vec<&str> = names.iter().copied().filter(|name| has(version, list, name)).collect();
        doc.put(list, Doc::new().set(entry, names));
    }
    doc
}

/// All versions, rendered once for each base and format; there is but one document, which no maximum cuts.
async fn list(request: Arc<ApiRequest>) -> Handled {
    request.max()?;
    static RENDERED: [OnceLock<Bytes>; 4] = [const { OnceLock::new() }; 4];
    let base = BASES.iter().position(|base| *base == request.base).unwrap_or_default();
    let body = RENDERED[base * 2 + usize::from(request.output == Format::Json)].get_or_init(|| {
        let versions: Vec<Doc> = SUPPORTED_VERSIONS.iter().map(|v| view(request.base, *v)).collect();
        let doc = Doc::new().set("version", versions).set("permits", permits());
        render(&CAPABILITIES, &doc.set("scheduling_policies", named("scheduling_policies")), request.output).into()
    });
    Ok(Answer::bytes(200, body.clone(), request.output))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    let wanted: Uuid = request.id(1)?;
    let version = SUPPORTED_VERSIONS.into_iter().find(|v| id(*v) == wanted);
    Ok(Answer::doc(200, &VERSION_CAPS, &view(request.base, request.found(version, 1)?), request.output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::ovirt::representation::types::enums::*;

    #[test]
    fn lists_grow_with_the_versions() {
        let texts = |version, path: &str| -> Vec<String> {
            let doc = view("/api", version);
            doc.list(path).iter().filter_map(|name| name.as_text().map(str::to_owned)).collect()
        };
        let [oldest, .., newest] = SUPPORTED_VERSIONS;
        assert_eq!(texts(oldest, "storage_formats.format"), ["v1", "v2"]);
        assert_eq!(texts(newest, "storage_formats.format"), ["v1", "v2", "v3"]);
        assert!(!view("/api", oldest).has("watchdog_models") && view("/api", newest).has("watchdog_models"));
    }

    /// Two places that say the same would part one day.
    #[test]
    fn what_is_listed_is_what_requests_may_say() {
        for (name, allowed) in [
            ("fence_types", &FENCE_TYPE),
            ("storage_types", &STORAGE_TYPE),
            ("storage_domain_types", &STORAGE_DOMAIN_TYPE),
            ("vm_types", &VM_TYPE),
            ("boot_devices", &BOOT_DEVICE),
            ("display_types", &DISPLAY_TYPE),
            ("nic_interfaces", &NIC_INTERFACE),
            ("disk_formats", &DISK_FORMAT),
            ("disk_interfaces", &DISK_INTERFACE),
            ("vm_affinities", &VM_AFFINITY),
            ("boot_protocols", &BOOT_PROTOCOL),
            ("error_handling", &MIGRATE_ON_ERROR),
            ("storage_formats", &STORAGE_FORMAT),
            ("cpu_modes", &CPU_MODE),
            ("sgio_options", &SGIO),
            ("watchdog_models", &WATCHDOG_MODEL),
            ("watchdog_actions", &WATCHDOG_ACTION),
            ("scheduling_policies", &SCHEDULING_POLICY_TYPE),
            ("usages", &NETWORK_USAGE),
        ] {
            let (_, _, listed) = LISTS.iter().find(|(list, ..)| *list == name).unwrap();
            let mut listed = listed.to_vec();
            // What a cluster has without a policy is no policy to choose from.
            listed.extend((name == "scheduling_policies").then_some("none"));
            listed.sort_unstable();
            let mut allowed = allowed.members.to_vec();
            allowed.sort_unstable();
            assert_eq!(listed, allowed, "{name}");
        }
    }

    #[test]
    fn every_list_is_one_of_the_schema() {
        // Writing a member that the schema lacks is a panic in a test.
        for version in SUPPORTED_VERSIONS {
            for format in [Format::Xml, Format::Json] {
                assert!(!render(&VERSION_CAPS, &view("/api", version), format).is_empty());
            }
        }
    }
}
