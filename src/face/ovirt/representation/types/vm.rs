//! Virtual machines, templates, snapshots, pools and their devices.

use super::cluster::{CLUSTER, MEMORY_POLICY, QUOTA};
use super::common::{CPU, CUSTOM_PROPERTIES, DISPLAY, OPERATING_SYSTEM, STATUS};
use super::enums::{ORIGIN, PAYLOAD_TYPE, USB_TYPE, VM_AFFINITY, VM_TYPE, WATCHDOG_ACTION, WATCHDOG_MODEL};
use super::host::{HOST, HOSTS};
use super::identity::{DOMAIN, PERMISSIONS, TAGS, USER, USERS};
use super::monitoring::STATISTICS;
use super::network::{IPS, MAC, NICS};
use super::storage::{DISKS, FILE, FILES, STORAGE_DOMAIN};
use super::{COMMENT, DESCRIPTION, NAME, collection, device, fields, resource};
use crate::face::ovirt::representation::description::{
    TypeDef, attribute, boolean, date, group, groups, int, long, long_text, member, text,
};

/// The members of a virtual machine, and of what is one and more.
macro_rules! machine {
    ($($own:expr),* $(,)?) => {
        resource![common(NAME.taken(), DESCRIPTION.taken(), COMMENT.taken()),
            member("type", &VM_TYPE).taken(),
            group("status", &STATUS),
            long("memory").taken(),
            group("cpu", &CPU).takes("topology.cores topology.sockets mode cpu_tune.vcpu_pin.vcpu cpu_tune.vcpu_pin.cpu_set"),
            int("cpu_shares").taken(),
            group("os", &OPERATING_SYSTEM).takes("type boot.dev kernel initrd cmdline"),
            group("high_availability", &HIGH_AVAILABILITY).takes("enabled priority"),
            group("display", &DISPLAY).takes("type monitors single_qxl_pci allow_override smartcard_enabled keyboard_layout"),
            group("host", &HOST),
            group("cluster", &CLUSTER).takes("id|name"),
            group("template", &TEMPLATE).takes("+id|name"),
            group("storage_domain", &STORAGE_DOMAIN),
            date("start_time"),
            date("creation_time"),
            member("origin", &ORIGIN).taken(),
            boolean("stateless").taken(),
            boolean("delete_protected").taken(),
            group("console", &CONSOLE).takes("enabled"),
            text("timezone").taken(),
            group("domain", &DOMAIN).takes("name"),
            group("custom_properties", &CUSTOM_PROPERTIES).takes("custom_property.name custom_property.value"),
            group("payloads", &PAYLOADS).takes("payload.type payload.volume_id payload.files.file.name payload.files.file.content"),
            group("statistics", &STATISTICS),
            group("disks", &DISKS).takes("+clone"),
            group("initialization", &INITIALIZATION).takes("+configuration.type +configuration.data"),
            group("nics", &NICS),
            group("tags", &TAGS),
            group("snapshots", &SNAPSHOTS).takes("+snapshot.id"),
            group("placement_policy", &VM_PLACEMENT_POLICY).takes("affinity host.id|name"),
            group("memory_policy", &MEMORY_POLICY).takes("guaranteed ballooning"),
            group("guest_info", &GUEST_INFO),
            group("quota", &QUOTA).takes("id"),
            group("usb", &USB).takes("enabled type"),
            boolean("tunnel_migration").taken(),
            group("virtio_scsi", &VIRTIO_SCSI).takes("enabled"),
            group("permissions", &PERMISSIONS).takes("+clone"),
            group("vmpool", &VM_POOL),
            group("cdroms", &CDROMS),
            group("floppies", &FLOPPIES),
            group("reported_devices", &REPORTED_DEVICES),
            group("watchdogs", &WATCHDOGS),
            $($own),*
        ]
    };
}

/// A virtual machine: `<vm>`.
pub static VM: TypeDef = TypeDef { element: "vm", plural: "vms", class: "VM", fields: machine![] };

/// A virtual machine as it was at some time: `<snapshot>`.
pub static SNAPSHOT: TypeDef = TypeDef {
    element: "snapshot",
    plural: "snapshots",
    class: "Snapshot",
    fields: machine![group("vm", &VM), date("date"), text("snapshot_status"), boolean("persist_memorystate"),],
};

/// A template: `<template>`.
pub static TEMPLATE: TypeDef = TypeDef {
    element: "template",
    plural: "templates",
    class: "Template",
    fields: resource![
        group("vm", &VM),
        member("type", &VM_TYPE),
        group("status", &STATUS),
        long("memory"),
        group("cpu", &CPU),
        int("cpu_shares"),
        group("os", &OPERATING_SYSTEM),
        group("cluster", &CLUSTER),
        group("storage_domain", &STORAGE_DOMAIN),
        date("creation_time"),
        member("origin", &ORIGIN),
        group("high_availability", &HIGH_AVAILABILITY),
        group("display", &DISPLAY),
        boolean("stateless"),
        boolean("delete_protected"),
        group("console", &CONSOLE),
        text("timezone"),
        group("domain", &DOMAIN),
        group("usb", &USB),
        boolean("tunnel_migration"),
        group("virtio_scsi", &VIRTIO_SCSI),
        group("permissions", &PERMISSIONS),
    ],
};

/// A pool of virtual machines: `<vmpool>`.
pub static VM_POOL: TypeDef = TypeDef {
    element: "vmpool",
    plural: "vmpools",
    class: "VmPool",
    fields: resource![
        int("size"),
        group("cluster", &CLUSTER),
        group("template", &TEMPLATE),
        int("prestarted_vms"),
        int("max_user_vms"),
    ],
};

/// A CD drive: `<cdrom>`.
pub static CDROM: TypeDef =
    TypeDef { element: "cdrom", plural: "cdroms", class: "CdRom", fields: device![group("file", &FILE).takes("id")] };

/// A floppy drive: `<floppy>`.
pub static FLOPPY: TypeDef =
    TypeDef { element: "floppy", plural: "floppies", class: "Floppy", fields: device![group("file", &FILE)] };

/// A watchdog card: `<watchdog>`.
pub static WATCHDOG: TypeDef = TypeDef {
    element: "watchdog",
    plural: "watchdogs",
    class: "WatchDog",
    fields: device![member("model", &WATCHDOG_MODEL), member("action", &WATCHDOG_ACTION),],
};

/// An application that the guest agent reports: `<application>`.
pub static APPLICATION: TypeDef =
    TypeDef { element: "application", plural: "applications", class: "Application", fields: resource![group("vm", &VM)] };

/// A device that the guest agent reports: `<reported_device>`.
pub static REPORTED_DEVICE: TypeDef = TypeDef {
    element: "reported_device",
    plural: "reported_devices",
    class: "ReportedDevice",
    fields: resource![text("type"), group("mac", &MAC), group("ips", &IPS), group("vm", &VM),],
};

pub(super) static WATCHDOGS: TypeDef =
    TypeDef { element: "watchdogs", plural: "", class: "WatchDogs", fields: collection![groups("watchdog", &WATCHDOG)] };

pub(super) static CONSOLE: TypeDef =
    TypeDef { element: "console", plural: "", class: "Console", fields: fields![attribute(boolean("enabled"))] };

pub(super) static VIRTIO_SCSI: TypeDef =
    TypeDef { element: "virtio_scsi", plural: "", class: "VirtIO_SCSI", fields: fields![attribute(boolean("enabled"))] };

pub(super) static HIGH_AVAILABILITY: TypeDef = TypeDef {
    element: "high_availability",
    plural: "",
    class: "HighAvailability",
    fields: fields![boolean("enabled"), int("priority")],
};

pub(super) static PAYLOADS: TypeDef =
    TypeDef { element: "payloads", plural: "", class: "Payloads", fields: fields![groups("payload", &PAYLOAD)] };

pub(super) static PAYLOAD: TypeDef = TypeDef {
    element: "payload",
    plural: "",
    class: "Payload",
    // The guide's version 3.0 has files without what holds them here: those are taken, and shown as 3.3 has them.
    fields: fields![attribute(member("type", &PAYLOAD_TYPE)), group("files", &FILES), text("volume_id"), groups("file", &FILE)],
};

pub(super) static CONFIGURATION: TypeDef =
    TypeDef { element: "configuration", plural: "", class: "Configuration", fields: fields![text("type"), long_text("data")] };

pub(super) static INITIALIZATION: TypeDef = TypeDef {
    element: "initialization",
    plural: "",
    class: "Initialization",
    fields: fields![group("configuration", &CONFIGURATION), group("cloud_init", &CLOUD_INIT),],
};

pub(super) static DNS: TypeDef = TypeDef {
    element: "dns",
    plural: "",
    class: "DNS",
    fields: fields![group("servers", &HOSTS), group("search_domains", &HOSTS)],
};

pub(super) static AUTHORIZED_KEY: TypeDef = TypeDef {
    element: "authorized_key",
    plural: "",
    class: "AuthorizedKey",
    fields: resource![group("user", &USER), text("key")],
};

pub(super) static AUTHORIZED_KEYS: TypeDef = TypeDef {
    element: "authorized_keys",
    plural: "",
    class: "AuthorizedKeys",
    fields: collection![groups("authorized_key", &AUTHORIZED_KEY)],
};

pub(super) static CLOUD_INIT: TypeDef = TypeDef {
    element: "cloud_init",
    plural: "",
    class: "CloudInit",
    fields: fields![
        group("host", &HOST),
        group("authorized_keys", &AUTHORIZED_KEYS),
        group("network_configuration", &NETWORK_CONFIGURATION),
        boolean("regenerate_ssh_keys"),
        text("timezone"),
        group("users", &USERS),
        group("files", &FILES),
    ],
};

pub(super) static NETWORK_CONFIGURATION: TypeDef = TypeDef {
    element: "network_configuration",
    plural: "",
    class: "NetworkConfiguration",
    fields: fields![group("nics", &NICS), group("dns", &DNS)],
};

pub(super) static VM_PLACEMENT_POLICY: TypeDef = TypeDef {
    element: "vm_placement_policy",
    plural: "",
    class: "VmPlacementPolicy",
    fields: fields![group("host", &HOST), member("affinity", &VM_AFFINITY)],
};

pub(super) static GUEST_INFO: TypeDef =
    TypeDef { element: "guest_info", plural: "", class: "GuestInfo", fields: fields![group("ips", &IPS), text("fqdn")] };

pub(super) static VMS: TypeDef = TypeDef { element: "vms", plural: "", class: "VMs", fields: collection![groups("vm", &VM)] };

pub(super) static REPORTED_DEVICES: TypeDef = TypeDef {
    element: "reported_devices",
    plural: "",
    class: "ReportedDevices",
    fields: collection![groups("reported_device", &REPORTED_DEVICE)],
};

pub(super) static CDROMS: TypeDef =
    TypeDef { element: "cdroms", plural: "", class: "CdRoms", fields: collection![groups("cdrom", &CDROM)] };

pub(super) static FLOPPIES: TypeDef =
    TypeDef { element: "floppies", plural: "", class: "Floppies", fields: collection![groups("floppy", &FLOPPY)] };

pub(super) static SNAPSHOTS: TypeDef = TypeDef {
    element: "snapshots",
    plural: "",
    class: "Snapshots",
    fields: collection![groups("snapshot", &SNAPSHOT), boolean("collapse_snapshots")],
};

pub(super) static USB: TypeDef =
    TypeDef { element: "usb", plural: "", class: "Usb", fields: fields![boolean("enabled"), member("type", &USB_TYPE)] };
