//! The capabilities: what each compatibility version offers.

use super::api::{API, HEADERS, URL};
use super::common::version;
use super::common::{CPUS, CUSTOM_PROPERTIES, TRANSPARENT_HUGE_PAGES, USAGES};
use super::gluster::GLUSTER_VOLUMES;
use super::host::{HOST, POWER_MANAGEMENT};
use super::identity::PERMITS;
use super::network::NIC;
use super::storage::STORAGE_DOMAIN;
use super::{collection, fields, names, resource};
use crate::face::ovirt::representation::description::{TypeDef, attribute, boolean, group, groups, text, texts, unsigned_short};

/// What the engine can do, by version: `<capabilities>`.
pub static CAPABILITIES: TypeDef = TypeDef {
    element: "capabilities",
    plural: "",
    class: "Capabilities",
    fields: collection![
        groups("version", &VERSION_CAPS),
        group("permits", &PERMITS),
        group("scheduling_policies", &SCHEDULING_POLICIES),
    ],
};

/// What a compatibility version offers: `<version>`.
pub static VERSION_CAPS: TypeDef = TypeDef {
    element: "version",
    plural: "",
    class: "VersionCaps",
    fields: version![
        boolean("current"),
        group("features", &FEATURES),
        group("cpus", &CPUS),
        group("power_managers", &POWER_MANAGERS),
        group("fence_types", &FENCE_TYPES),
        group("storage_types", &STORAGE_TYPES),
        group("configuration_types", &CONFIGURATION_TYPES),
        group("storage_domain_types", &STORAGE_DOMAIN_TYPES),
        group("vm_types", &VM_TYPES),
        group("boot_devices", &BOOT_DEVICES),
        group("display_types", &DISPLAY_TYPES),
        group("nic_interfaces", &NIC_INTERFACES),
        group("os_types", &OS_TYPES),
        group("disk_formats", &DISK_FORMATS),
        group("disk_interfaces", &DISK_INTERFACES),
        group("vm_affinities", &VM_AFFINITIES),
        group("custom_properties", &CUSTOM_PROPERTIES),
        group("boot_protocols", &BOOT_PROTOCOLS),
        group("error_handling", &ERROR_HANDLING_OPTIONS),
        group("storage_formats", &STORAGE_FORMATS),
        group("creation_states", &CREATION_STATES),
        group("power_management_states", &POWER_MANAGEMENT_STATES),
        group("host_states", &HOST_STATES),
        group("host_non_operational_details", &HOST_NON_OPERATIONAL_DETAILS),
        group("network_states", &NETWORK_STATES),
        group("storage_domain_states", &STORAGE_DOMAIN_STATES),
        group("template_states", &TEMPLATE_STATES),
        group("vm_states", &VM_STATES),
        group("vm_pause_details", &VM_PAUSE_DETAILS),
        group("disk_states", &DISK_STATES),
        group("host_nic_states", &HOST_NIC_STATES),
        group("data_center_states", &DATA_CENTER_STATES),
        group("vm_device_types", &VM_DEVICE_TYPES),
        group("permits", &PERMITS),
        group("scheduling_policies", &SCHEDULING_POLICIES),
        group("usages", &USAGES),
        group("nfs_versions", &NFS_VERSIONS),
        group("pm_proxy_types", &PM_PROXY_TYPES),
        group("cpu_modes", &CPU_MODES),
        group("sgio_options", &SCSI_GENERIC_IO_OPTIONS),
        group("watchdog_models", &WATCHDOG_MODELS),
        group("watchdog_actions", &WATCHDOG_ACTIONS),
        group("authentication_methods", &AUTHENTICATION_METHOD),
        group("step_types", &STEP_TYPES),
        group("payload_encodings", &PAYLOAD_ENCODINGS),
        group("gluster_volume_types", &GLUSTER_VOLUME_TYPES),
        group("transport_types", &TRANSPORT_TYPES),
        group("gluster_volume_states", &GLUSTER_STATES),
        group("brick_states", &GLUSTER_STATES),
        group("reported_device_types", &REPORTED_DEVICE_TYPES),
        group("ip_versions", &IP_VERSIONS),
        group("snapshot_statuses", &SNAPSHOT_STATUSES),
        group("content_types", &CONTENT_TYPES),
        group("hook_states", &HOOK_STATES),
        group("stages", &STAGES),
    ],
};

pub(super) static FEATURES: TypeDef =
    TypeDef { element: "features", plural: "", class: "Features", fields: fields![groups("feature", &FEATURE)] };

pub(super) static FEATURE: TypeDef = TypeDef {
    element: "feature",
    plural: "",
    class: "Feature",
    fields: resource![
        group("transparent_hugepages", &TRANSPARENT_HUGE_PAGES),
        group("gluster_volumes", &GLUSTER_VOLUMES),
        group("vm_device_types", &VM_DEVICE_TYPES),
        group("storage_types", &STORAGE_TYPES),
        group("storage_domain", &STORAGE_DOMAIN),
        group("nic", &NIC),
        group("api", &API),
        group("host", &HOST),
        group("url", &URL),
        group("headers", &HEADERS),
    ],
};

pub(super) static POWER_MANAGERS: TypeDef = TypeDef {
    element: "power_managers",
    plural: "",
    class: "PowerManagers",
    fields: fields![groups("power_management", &POWER_MANAGEMENT)],
};

names! {
    CREATION_STATES = "creation_states" of "CreationStates", "creation_state";
    SCHEDULING_POLICIES = "scheduling_policies" of "SchedulingPolicies", "policy";
    FENCE_TYPES = "fence_types" of "FenceTypes", "fence_type";
    STORAGE_TYPES = "storage_types" of "StorageTypes", "storage_type";
    CONFIGURATION_TYPES = "configuration_types" of "ConfigurationTypes", "configuration_type";
    STORAGE_DOMAIN_TYPES = "storage_domain_types" of "StorageDomainTypes", "storage_domain_type";
    VM_TYPES = "vm_types" of "VmTypes", "vm_type";
    BOOT_DEVICES = "boot_devices" of "BootDevices", "boot_device";
    DISPLAY_TYPES = "display_types" of "DisplayTypes", "display_type";
    NIC_INTERFACES = "nic_interfaces" of "NicInterfaces", "nic_interface";
    OS_TYPES = "os_types" of "OsTypes", "os_type";
    DISK_FORMATS = "disk_formats" of "DiskFormats", "disk_format";
    DISK_INTERFACES = "disk_interfaces" of "DiskInterfaces", "disk_interface";
    VM_AFFINITIES = "vm_affinities" of "VmAffinities", "affinity";
    BOOT_PROTOCOLS = "boot_protocols" of "BootProtocols", "boot_protocol";
    ERROR_HANDLING_OPTIONS = "error_handling" of "ErrorHandlingOptions", "on_error";
    STORAGE_FORMATS = "storage_formats" of "StorageFormats", "format";
    NFS_VERSIONS = "nfs_versions" of "NfsVersions", "nfs_version";
    REPORTED_DEVICE_TYPES = "reported_device_types" of "ReportedDeviceTypes", "reported_device_type";
    IP_VERSIONS = "ip_versions" of "IpVersions", "ip_version";
    CPU_MODES = "cpu_modes" of "CpuModes", "cpu_mode";
    SCSI_GENERIC_IO_OPTIONS = "sgio_options" of "ScsiGenericIoOptions", "sgio_options";
    PAYLOAD_ENCODINGS = "payload_encodings" of "PayloadEncodings", "payload_encodings";
    WATCHDOG_ACTIONS = "watchdog_actions" of "WatchdogActions", "action";
    WATCHDOG_MODELS = "watchdog_models" of "WatchdogModels", "model";
    SNAPSHOT_STATUSES = "snapshot_statuses" of "SnapshotStatuses", "snapshot_status";
    DATA_CENTER_STATES = "data_center_states" of "DataCenterStates", "data_center_state";
    POWER_MANAGEMENT_STATES = "power_management_states" of "PowerManagementStates", "power_management_state";
    HOST_STATES = "host_states" of "HostStates", "host_state";
    HOST_NON_OPERATIONAL_DETAILS = "host_non_operational_details" of "HostNonOperationalDetails", "host_non_operational_detail";
    AUTHENTICATION_METHOD = "authentication_methods" of "AuthenticationMethod", "authentication_method";
    NETWORK_STATES = "network_states" of "NetworkStates", "network_state";
    STORAGE_DOMAIN_STATES = "storage_domain_states" of "StorageDomainStates", "storage_domain_state";
    TEMPLATE_STATES = "template_states" of "TemplateStates", "template_state";
    VM_DEVICE_TYPES = "vm_device_types" of "VmDeviceTypes", "vm_device_types";
    VM_STATES = "vm_states" of "VmStates", "vm_state";
    VM_PAUSE_DETAILS = "vm_pause_details" of "VmPauseDetails", "vm_pause_detail";
    PM_PROXY_TYPES = "pm_proxy_types" of "PmProxyTypes", "type";
    DISK_STATES = "disk_states" of "DiskStates", "disk_state";
    HOST_NIC_STATES = "host_nic_states" of "HostNICStates", "host_nic_state";
    GLUSTER_VOLUME_TYPES = "gluster_volume_types" of "GlusterVolumeTypes", "gluster_volume_type";
    TRANSPORT_TYPES = "transport_types" of "TransportTypes", "transport_type";
    GLUSTER_STATES = "gluster_volume_states" of "GlusterStates", "state";
    STAGES = "stages" of "Stages", "stage";
    HOOK_STATES = "hook_states" of "HookStates", "hook_state";
    CONTENT_TYPES = "content_types" of "ContentTypes", "content_type";
    STEP_TYPES = "step_types" of "StepTypes", "step_type";
}
