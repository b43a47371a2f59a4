//! Storage domains, connections, disks and files.

use super::cluster::{DATA_CENTER, QUOTA};
use super::common::STATUS;
use super::enums::{DISK_FORMAT, DISK_INTERFACE, DOMAIN_STORAGE_TYPE, SGIO, STORAGE_DOMAIN_TYPE, STORAGE_FORMAT, STORAGE_TYPE};
use super::host::HOST;
use super::monitoring::STATISTICS;
use super::vm::SNAPSHOT;
use super::{COMMENT, DESCRIPTION, NAME, collection, device, fields, resource};
use crate::face::ovirt::representation::description::{
    TypeDef, attribute, boolean, group, groups, long, long_text, member, secret, text, unsigned_int, unsigned_short,
};

/// Where a storage domain lives, or a device that a host sees: `<storage>`.
pub static STORAGE: TypeDef = TypeDef {
    element: "storage",
    plural: "host_storage",
    class: "Storage",
    fields: resource![
        text("address"),
        member("type", &DOMAIN_STORAGE_TYPE),
        text("path"),
        text("mount_options"),
        text("vfs_type"),
        text("nfs_version"),
        unsigned_short("nfs_timeo"),
        unsigned_short("nfs_retrans"),
        groups("logical_unit", &LOGICAL_UNIT),
        group("volume_group", &VOLUME_GROUP),
        boolean("override_luns"),
        unsigned_short("port"),
        text("target"),
        text("username"),
        secret("password"),
        text("portal"),
        group("host", &HOST),
    ],
};

/// A storage domain, on its own or attached to a data center: `<storage_domain>`.
pub static STORAGE_DOMAIN: TypeDef = TypeDef {
    element: "storage_domain",
    plural: "storage_domains",
    class: "StorageDomain",
    fields: resource![
        common(NAME.taken(), DESCRIPTION.taken(), COMMENT.taken()),
        group("data_center", &DATA_CENTER),
        member("type", &STORAGE_DOMAIN_TYPE).takes("+."),
        group("status", &STATUS),
        boolean("master"),
        group("storage", &STORAGE).takes(
            "override_luns +type +address +path +mount_options +vfs_type logical_unit.address \
             logical_unit.port logical_unit.target logical_unit.username logical_unit.password \
             logical_unit.serial logical_unit.vendor_id logical_unit.product_id logical_unit.lun_mapping \
             logical_unit.portal logical_unit.paths logical_unit.id",
        ),
        group("host", &HOST).takes("id|name"),
        boolean("format").takes("+."),
        boolean("destroy"),
        long("available"),
        long("used"),
        long("committed"),
        member("storage_format", &STORAGE_FORMAT).takes("+."),
    ],
};

/// A connection to a storage server: `<storage_connection>`.
pub static STORAGE_CONNECTION: TypeDef = TypeDef {
    element: "storage_connection",
    plural: "storage_connections",
    class: "StorageConnection",
    fields: resource![
        text("address").taken(),
        member("type", &STORAGE_TYPE).takes("+."),
        text("path").taken(),
        text("mount_options").taken(),
        text("vfs_type").taken(),
        text("nfs_version").taken(),
        unsigned_short("nfs_timeo").taken(),
        unsigned_short("nfs_retrans").taken(),
        unsigned_short("port").taken(),
        text("target").taken(),
        text("username").taken(),
        secret("password").taken(),
        text("portal"),
        group("host", &HOST),
    ],
};

/// A disk, floating or of a virtual machine or template: `<disk>`.
pub static DISK: TypeDef = TypeDef {
    element: "disk",
    plural: "disks",
    class: "Disk",
    fields: device![
        common(NAME.taken(), DESCRIPTION.taken(), COMMENT),
        text("alias").taken(),
        text("image_id"),
        group("storage_domain", &STORAGE_DOMAIN),
        group("storage_domains", &STORAGE_DOMAINS).takes("+storage_domain.id|name"),
        long("size").taken(),
        text("type"),
        long("provisioned_size").taken(),
        long("actual_size"),
        group("status", &STATUS),
        member("interface", &DISK_INTERFACE).taken(),
        member("format", &DISK_FORMAT).taken(),
        boolean("sparse").taken(),
        boolean("bootable").taken(),
        boolean("shareable").taken(),
        boolean("wipe_after_delete").taken(),
        boolean("propagate_errors").taken(),
        group("statistics", &STATISTICS),
        boolean("active"),
        group("quota", &QUOTA),
        group("lun_storage", &STORAGE)
            .takes("+type +logical_unit.id +logical_unit.address +logical_unit.port +logical_unit.target"),
        member("sgio", &SGIO).taken(),
        group("snapshot", &SNAPSHOT),
    ],
};

/// A file of an ISO domain: `<file>`.
pub static FILE: TypeDef = TypeDef {
    element: "file",
    plural: "files",
    class: "File",
    fields: resource![long_text("content"), text("type"), group("storage_domain", &STORAGE_DOMAIN),],
};

/// An image of an image domain: `<image>`.
pub static IMAGE: TypeDef =
    TypeDef { element: "image", plural: "images", class: "Image", fields: resource![group("storage_domain", &STORAGE_DOMAIN)] };

pub(super) static ISCSI_DETAILS: TypeDef = TypeDef {
    element: "iscsi_details",
    plural: "",
    class: "IscsiDetails",
    fields: fields![
        text("initiator"),
        unsigned_short("port"),
        text("target"),
        text("username"),
        secret("password"),
        text("portal"),
        text("address"),
        text("serial"),
        text("vendor_id"),
        text("product_id"),
        unsigned_int("lun_mapping"),
        long("size"),
        unsigned_int("paths"),
        text("status"),
        text("volume_group_id"),
        text("storage_domain_id"),
        text("disk_id"),
    ],
};

pub(super) static FILES: TypeDef =
    TypeDef { element: "files", plural: "", class: "Files", fields: collection![groups("file", &FILE)] };

pub(super) static LOGICAL_UNIT: TypeDef = TypeDef {
    element: "logical_unit",
    plural: "",
    class: "LogicalUnit",
    fields: fields![
        attribute(text("id")),
        unsigned_short("port"),
        text("target"),
        text("username"),
        secret("password"),
        text("portal"),
        text("address"),
        text("serial"),
        text("vendor_id"),
        text("product_id"),
        unsigned_int("lun_mapping"),
        long("size"),
        unsigned_int("paths"),
        text("status"),
        text("volume_group_id"),
        text("storage_domain_id"),
        text("disk_id"),
    ],
};

pub(super) static VOLUME_GROUP: TypeDef = TypeDef {
    element: "volume_group",
    plural: "",
    class: "VolumeGroup",
    fields: fields![attribute(text("id")), text("name"), groups("logical_unit", &LOGICAL_UNIT),],
};

pub(super) static STORAGE_DOMAINS: TypeDef = TypeDef {
    element: "storage_domains",
    plural: "",
    class: "StorageDomains",
    fields: collection![groups("storage_domain", &STORAGE_DOMAIN)],
};

pub(super) static DISKS: TypeDef = TypeDef {
    element: "disks",
    plural: "",
    class: "Disks",
    fields: collection![groups("disk", &DISK), boolean("clone"), boolean("detach_only"),],
};
