//! Operations and what comes of them.

use super::cluster::CLUSTER;
use super::common::{FAULT, GRACE_PERIOD, OPTION, STATUS};
use super::enums::FENCE_TYPE;
use super::gluster::GLUSTER_BRICK;
use super::host::{HOST, POWER_MANAGEMENT, SSH};
use super::network::{HOST_NICS, NETWORK};
use super::storage::{ISCSI_DETAILS, STORAGE_DOMAIN};
use super::vm::{TEMPLATE, VM};
use super::{fields, resource};
use crate::face::ovirt::representation::description::{TypeDef, boolean, group, int, member, secret, text, texts, unsigned_int};

/// An operation: what a client asks of it and what came of it: `<action>`.
pub static ACTION: TypeDef = TypeDef {
    element: "action",
    plural: "",
    class: "Action",
    fields: resource![
        boolean("async"),
        group("grace_period", &GRACE_PERIOD),
        group("host", &HOST),
        group("network", &NETWORK),
        secret("root_password"),
        group("ssh", &SSH),
        text("image"),
        member("fence_type", &FENCE_TYPE),
        group("ticket", &TICKET),
        group("iscsi", &ISCSI_DETAILS),
        group("storage_domain", &STORAGE_DOMAIN),
        group("cluster", &CLUSTER),
        boolean("discard_snapshots"),
        boolean("exclusive"),
        group("vm", &VM),
        group("template", &TEMPLATE),
        group("host_nics", &HOST_NICS),
        boolean("check_connectivity"),
        int("connectivity_timeout"),
        // As the guide spells them.
        boolean("checkConnectivity"),
        int("connectivityTimeout"),
        boolean("pause"),
        boolean("force"),
        group("option", &OPTION),
        boolean("fix_layout"),
        group("brick", &GLUSTER_BRICK),
        boolean("detach"),
        boolean("clone"),
        boolean("restore_memory"),
        boolean("succeeded"),
        text("resolution_type"),
        group("status", &STATUS),
        group("fault", &FAULT),
        texts("iscsi_target"),
        group("power_management", &POWER_MANAGEMENT),
    ],
};

/// How far an asynchronous creation has got: `<creation>`.
pub static CREATION: TypeDef = TypeDef {
    element: "creation",
    plural: "",
    class: "Creation",
    fields: resource![group("status", &STATUS), group("fault", &FAULT)],
};

/// A password for a console, for a while: `<ticket>`.
pub static TICKET: TypeDef =
    TypeDef { element: "ticket", plural: "", class: "Ticket", fields: fields![text("value"), unsigned_int("expiry")] };
