//! The types of version 3.3 of the API, in the order of its schema.
//!
//! What derives from a common type says so by the macro that lists its fields: every `resource!` has an id, links and a
//! name, a `collection!` has its counters, and a `device!` knows the virtual machine or template that it belongs to.

mod action;
mod api;
mod capabilities;
mod cluster;
mod common;
pub(in crate::face::ovirt) mod enums;
mod gluster;
mod host;
mod identity;
mod monitoring;
mod network;
mod storage;
mod vm;

use super::description::{self, FieldDef, TypeDef, attribute, flags};
pub use action::{ACTION, CREATION, TICKET};
pub use api::{API, RSDL};
pub use capabilities::{CAPABILITIES, VERSION_CAPS};
pub use cluster::{CLUSTER, CLUSTER_QUOTA_LIMIT, DATA_CENTER, QUOTA, STORAGE_QUOTA_LIMIT};
pub use common::{FAULT, LINK};
pub use gluster::{GLUSTER_BRICK, GLUSTER_BRICKS, GLUSTER_HOOK, GLUSTER_VOLUME};
pub use host::{HOOK, HOST};
pub use identity::{DOMAIN, GROUP, PERMISSION, PERMIT, ROLE, TAG, USER};
pub use monitoring::{EVENT, JOB, STATISTIC, STEP};
pub use network::{HOST_NIC, HOST_NICS, NETWORK, NIC, VNIC_PROFILE};
pub use storage::{DISK, FILE, IMAGE, STORAGE, STORAGE_CONNECTION, STORAGE_DOMAIN};
pub use vm::{APPLICATION, CDROM, FLOPPY, REPORTED_DEVICE, SNAPSHOT, TEMPLATE, VM, VM_POOL, WATCHDOG};

const HREF: FieldDef = attribute(description::link("href"));
const ID: FieldDef = attribute(description::text("id")).with(flags::IMMUTABLE);
const ACTIONS: FieldDef = description::group("actions", &common::ACTIONS);
const NAME: FieldDef = description::text("name");
const DESCRIPTION: FieldDef = description::text("description");
const COMMENT: FieldDef = description::text("comment");
const CREATION_STATUS: FieldDef = description::group("creation_status", &common::STATUS);
const LINKS: FieldDef = description::groups("link", &LINK);
const TOTAL: FieldDef = description::unsigned_int("total");
const ACTIVE: FieldDef = description::unsigned_int("active");

macro_rules! fields {
    ($($own:expr),* $(,)?) => { &[$($own),*] };
}

/// The fields of a resource: those that all have, and its own. Name, description and comment may say who takes them.
macro_rules! resource {
    (common($name:expr, $description:expr, $comment:expr), $($own:expr),* $(,)?) => {
        &[
            $crate::face::ovirt::representation::types::HREF,
            $crate::face::ovirt::representation::types::ID,
            $crate::face::ovirt::representation::types::ACTIONS,
            $name,
            $description,
            $comment,
            $crate::face::ovirt::representation::types::CREATION_STATUS,
            $crate::face::ovirt::representation::types::LINKS,
            $($own),*
        ]
    };
    ($($own:expr),* $(,)?) => {
        resource![
            common(
                $crate::face::ovirt::representation::types::NAME,
                $crate::face::ovirt::representation::types::DESCRIPTION,
                $crate::face::ovirt::representation::types::COMMENT
            ),
            $($own),*
        ]
    };
}

macro_rules! device {
    (common($name:expr, $description:expr, $comment:expr), $($own:expr),* $(,)?) => {
        resource![
            common($name, $description, $comment),
            $crate::face::ovirt::representation::description::group("vm", &$crate::face::ovirt::representation::types::VM),
            $crate::face::ovirt::representation::description::group(
                "template",
                &$crate::face::ovirt::representation::types::TEMPLATE
            ),
            $($own),*
        ]
    };
    ($($own:expr),* $(,)?) => {
        device![
            common(
                $crate::face::ovirt::representation::types::NAME,
                $crate::face::ovirt::representation::types::DESCRIPTION,
                $crate::face::ovirt::representation::types::COMMENT
            ),
            $($own),*
        ]
    };
}

macro_rules! collection {
    ($($own:expr),* $(,)?) => {
        &[
            $crate::face::ovirt::representation::types::ACTIONS,
            $crate::face::ovirt::representation::types::TOTAL,
            $crate::face::ovirt::representation::types::ACTIVE,
            $($own),*
        ]
    };
}

/// Parts that hold nothing but a list of names.
macro_rules! names {
    ($($name:ident = $element:literal of $class:literal, $item:literal;)*) => { $(
        pub(super) static $name: TypeDef = TypeDef {
            element: $element,
            plural: "",
            class: $class,
            fields: &[texts($item)],
        };
    )* };
}

use {collection, device, fields, names, resource};

/// What a collection says besides its items: the actions on it and its counters.
pub(super) static COLLECTION: TypeDef =
    TypeDef { element: "collection", plural: "", class: "BaseResources", fields: collection![] };

static ALL: &[&TypeDef] = &[
    &API,
    &FAULT,
    &LINK,
    &ACTION,
    &CREATION,
    &TICKET,
    &CAPABILITIES,
    &VERSION_CAPS,
    &DATA_CENTER,
    &CLUSTER,
    &QUOTA,
    &STORAGE_QUOTA_LIMIT,
    &CLUSTER_QUOTA_LIMIT,
    &NETWORK,
    &VNIC_PROFILE,
    &NIC,
    &HOST_NIC,
    &HOST,
    &HOOK,
    &STORAGE,
    &STORAGE_DOMAIN,
    &STORAGE_CONNECTION,
    &DISK,
    &FILE,
    &IMAGE,
    &VM,
    &SNAPSHOT,
    &TEMPLATE,
    &VM_POOL,
    &CDROM,
    &FLOPPY,
    &WATCHDOG,
    &APPLICATION,
    &REPORTED_DEVICE,
    &TAG,
    &USER,
    &GROUP,
    &DOMAIN,
    &ROLE,
    &PERMIT,
    &PERMISSION,
    &EVENT,
    &JOB,
    &STEP,
    &STATISTIC,
    &RSDL,
    &GLUSTER_VOLUME,
    &GLUSTER_BRICK,
    &GLUSTER_HOOK,
    &GLUSTER_BRICKS,
    &HOST_NICS,
];

/// All types that can be a document.
pub fn all() -> &'static [&'static TypeDef] {
    ALL
}

/// The type whose documents have this root element.
pub fn by_element(element: &str) -> Option<&'static TypeDef> {
    ALL.iter().find(|def| def.element == element).copied()
}
