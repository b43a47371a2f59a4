//! Data centers, clusters and quotas.

use super::common::{CPU, STATUS, SUPPORTED_VERSIONS, TRANSPARENT_HUGE_PAGES, VERSION};
use super::enums::{MIGRATE_ON_ERROR, QUOTA_MODE, SCHEDULING_POLICY_TYPE, STORAGE_FORMAT, STORAGE_TYPE};
use super::identity::USERS;
use super::storage::{DISKS, STORAGE_DOMAIN};
use super::vm::VMS;
use super::{COMMENT, DESCRIPTION, NAME, fields, resource};
use crate::face::ovirt::representation::description::{
    TypeDef, attribute, boolean, decimal, group, int, long, member, unsigned_int,
};

/// A data center: `<data_center>`.
pub static DATA_CENTER: TypeDef = TypeDef {
    element: "data_center",
    plural: "data_centers",
    class: "DataCenter",
    fields: resource![
        common(NAME.taken(), DESCRIPTION.taken(), COMMENT.taken()),
        member("storage_type", &STORAGE_TYPE).taken(),
        member("storage_format", &STORAGE_FORMAT).taken(),
        group("version", &VERSION).takes("major minor"),
        group("supported_versions", &SUPPORTED_VERSIONS),
        group("status", &STATUS),
        // Of later versions: shown only where it is not the usual.
        member("quota_mode", &QUOTA_MODE),
    ],
};

/// A cluster of hosts: `<cluster>`.
pub static CLUSTER: TypeDef = TypeDef {
    element: "cluster",
    plural: "clusters",
    class: "Cluster",
    fields: resource![
        common(NAME.taken(), DESCRIPTION.taken(), COMMENT.taken()),
        group("cpu", &CPU).takes("id"),
        group("data_center", &DATA_CENTER).takes("id|name"),
        group("memory_policy", &MEMORY_POLICY).takes("overcommit.percent transparent_hugepages.enabled"),
        group("scheduling_policy", &SCHEDULING_POLICY).takes("policy thresholds.low thresholds.high thresholds.duration"),
        group("version", &VERSION).takes("major minor"),
        group("supported_versions", &SUPPORTED_VERSIONS),
        group("error_handling", &ERROR_HANDLING).takes("on_error"),
        boolean("virt_service").taken(),
        boolean("gluster_service").taken(),
        boolean("threads_as_cores").taken(),
        boolean("tunnel_migration").taken(),
        boolean("trusted_service").taken(),
        boolean("ballooning_enabled").taken(),
    ],
};

/// A quota of a data center: `<quota>`.
pub static QUOTA: TypeDef = TypeDef {
    element: "quota",
    plural: "quotas",
    class: "Quota",
    fields: resource![
        common(NAME.taken(), DESCRIPTION.taken(), COMMENT),
        group("data_center", &DATA_CENTER),
        group("vms", &VMS),
        group("disks", &DISKS),
        group("users", &USERS),
        // Of later versions: shown only where they are not the usual.
        int("cluster_soft_limit_pct").taken(),
        int("cluster_hard_limit_pct").taken(),
        int("storage_soft_limit_pct").taken(),
        int("storage_hard_limit_pct").taken(),
    ],
};

/// A quota's limit on storage, of later versions: `<storage_quota_limit>`.
pub static STORAGE_QUOTA_LIMIT: TypeDef = TypeDef {
    element: "storage_quota_limit",
    plural: "storage_quota_limits",
    class: "QuotaStorageLimit",
    fields: resource![
        group("quota", &QUOTA),
        group("storage_domain", &STORAGE_DOMAIN).takes("id|name"),
        long("limit").taken(),
        decimal("usage"),
    ],
};

/// A quota's limit on clusters, of later versions: `<cluster_quota_limit>`.
pub static CLUSTER_QUOTA_LIMIT: TypeDef = TypeDef {
    element: "cluster_quota_limit",
    plural: "cluster_quota_limits",
    class: "QuotaClusterLimit",
    fields: resource![
        group("quota", &QUOTA),
        group("cluster", &CLUSTER).takes("id|name"),
        int("vcpu_limit").taken(),
        int("vcpu_usage"),
        decimal("memory_limit").taken(),
        decimal("memory_usage"),
    ],
};

pub(super) static ERROR_HANDLING: TypeDef = TypeDef {
    element: "error_handling",
    plural: "",
    class: "ErrorHandling",
    fields: fields![member("on_error", &MIGRATE_ON_ERROR)],
};

pub(super) static MEMORY_OVER_COMMIT: TypeDef =
    TypeDef { element: "memory_over_commit", plural: "", class: "MemoryOverCommit", fields: fields![attribute(int("percent"))] };

pub(super) static MEMORY_POLICY: TypeDef = TypeDef {
    element: "memory_policy",
    plural: "",
    class: "MemoryPolicy",
    fields: fields![
        long("guaranteed"),
        boolean("ballooning"),
        group("overcommit", &MEMORY_OVER_COMMIT),
        group("transparent_hugepages", &TRANSPARENT_HUGE_PAGES),
    ],
};

pub(super) static SCHEDULING_POLICY_THRESHOLDS: TypeDef = TypeDef {
    element: "scheduling_policy_thresholds",
    plural: "",
    class: "SchedulingPolicyThresholds",
    fields: fields![attribute(unsigned_int("low")), attribute(unsigned_int("high")), attribute(unsigned_int("duration")),],
};

pub(super) static SCHEDULING_POLICY: TypeDef = TypeDef {
    element: "scheduling_policy",
    plural: "",
    class: "SchedulingPolicy",
    fields: fields![member("policy", &SCHEDULING_POLICY_TYPE), group("thresholds", &SCHEDULING_POLICY_THRESHOLDS),],
};
