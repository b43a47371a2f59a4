//! Events, jobs and statistics.

use super::cluster::{CLUSTER, DATA_CENTER};
use super::common::STATUS;
use super::gluster::GLUSTER_BRICK;
use super::host::HOST;
use super::identity::USER;
use super::network::{HOST_NIC, NIC};
use super::storage::{DISK, STORAGE_DOMAIN};
use super::vm::{TEMPLATE, VM};
use super::{COMMENT, DESCRIPTION, NAME, collection, fields, resource};
use crate::face::ovirt::representation::description::{TypeDef, attribute, boolean, date, decimal, group, groups, int, text};

/// An event: `<event>`.
pub static EVENT: TypeDef = TypeDef {
    element: "event",
    plural: "events",
    class: "Event",
    fields: resource![
        common(NAME, DESCRIPTION.takes("+."), COMMENT),
        int("code"),
        text("severity").takes("+."),
        date("time"),
        text("correlation_id"),
        group("user", &USER).takes("+id"),
        group("vm", &VM).takes("+id"),
        group("storage_domain", &STORAGE_DOMAIN).takes("+id"),
        group("host", &HOST).takes("+id"),
        group("template", &TEMPLATE).takes("+id"),
        group("cluster", &CLUSTER).takes("+id"),
        group("data_center", &DATA_CENTER).takes("+id"),
        text("origin").takes("+."),
        int("custom_id").takes("+."),
        int("flood_rate").takes("+."),
        text("custom_data"),
    ],
};

/// A job: `<job>`.
pub static JOB: TypeDef = TypeDef {
    element: "job",
    plural: "jobs",
    class: "Job",
    fields: resource![
        common(NAME, DESCRIPTION.takes("+."), COMMENT),
        group("status", &STATUS),
        group("owner", &USER),
        date("start_time"),
        date("end_time"),
        date("last_updated"),
        boolean("external"),
        boolean("auto_cleared").takes("+."),
    ],
};

/// A step of a job: `<step>`.
pub static STEP: TypeDef = TypeDef {
    element: "step",
    plural: "steps",
    class: "Step",
    fields: resource![
        common(NAME, DESCRIPTION.takes("+."), COMMENT),
        group("parent_step", &STEP).takes("+id"),
        group("job", &JOB).takes("+id"),
        text("type").takes("+."),
        int("number"),
        group("status", &STATUS),
        date("start_time"),
        date("end_time"),
        boolean("external"),
    ],
};

/// A measured value: `<statistic>`.
pub static STATISTIC: TypeDef = TypeDef {
    element: "statistic",
    plural: "statistics",
    class: "Statistic",
    fields: resource![
        group("values", &VALUES),
        text("type"),
        text("unit"),
        group("disk", &DISK),
        group("host", &HOST),
        group("host_nic", &HOST_NIC),
        group("nic", &NIC),
        group("vm", &VM),
        group("brick", &GLUSTER_BRICK),
    ],
};

pub(super) static STATISTICS: TypeDef =
    TypeDef { element: "statistics", plural: "", class: "Statistics", fields: collection![groups("statistic", &STATISTIC)] };

pub(super) static VALUE: TypeDef = TypeDef { element: "value", plural: "", class: "Value", fields: fields![decimal("datum")] };

pub(super) static VALUES: TypeDef =
    TypeDef { element: "values", plural: "", class: "Values", fields: fields![attribute(text("type")), groups("value", &VALUE)] };
