//! Gluster volumes, bricks and hooks.

use super::capabilities::TRANSPORT_TYPES;
use super::cluster::CLUSTER;
use super::common::{OPTIONS, STATUS};
use super::host::HOST;
use super::{collection, fields, resource};
use crate::face::ovirt::representation::description::{TypeDef, group, groups, int, long_text, text, unsigned_short};

/// A Gluster volume: `<gluster_volume>`.
pub static GLUSTER_VOLUME: TypeDef = TypeDef {
    element: "gluster_volume",
    plural: "gluster_volumes",
    class: "GlusterVolume",
    fields: resource![
        group("cluster", &CLUSTER),
        text("volume_type"),
        group("transport_types", &TRANSPORT_TYPES),
        unsigned_short("replica_count"),
        unsigned_short("stripe_count"),
        group("bricks", &GLUSTER_BRICKS),
        group("options", &OPTIONS),
        group("status", &STATUS),
    ],
};

/// A brick of a Gluster volume: `<brick>`.
pub static GLUSTER_BRICK: TypeDef = TypeDef {
    element: "brick",
    plural: "bricks",
    class: "GlusterBrick",
    fields: resource![
        int("port"),
        int("pid"),
        text("device"),
        text("mnt_options"),
        text("fs_name"),
        group("gluster_clients", &GLUSTER_CLIENTS),
        group("memory_pools", &GLUSTER_MEMORY_POOLS),
        group("gluster_volume", &GLUSTER_VOLUME),
        text("server_id"),
        text("brick_dir"),
        group("status", &STATUS),
    ],
};

/// A hook of a Gluster cluster: `<gluster_hook>`.
pub static GLUSTER_HOOK: TypeDef = TypeDef {
    element: "gluster_hook",
    plural: "glusterhooks",
    class: "GlusterHook",
    fields: resource![
        group("cluster", &CLUSTER),
        text("gluster_command"),
        text("stage"),
        text("content_type"),
        text("checksum"),
        long_text("content"),
        unsigned_short("conflict_status"),
        text("conflicts"),
        group("status", &STATUS),
        group("server_hooks", &GLUSTER_SERVER_HOOKS),
    ],
};

/// Bricks that are added or removed together: `<bricks>`.
pub static GLUSTER_BRICKS: TypeDef = TypeDef {
    element: "bricks",
    plural: "",
    class: "GlusterBricks",
    fields: collection![unsigned_short("replica_count"), unsigned_short("stripe_count"), groups("brick", &GLUSTER_BRICK),],
};

pub(super) static GLUSTER_VOLUMES: TypeDef = TypeDef {
    element: "gluster_volumes",
    plural: "",
    class: "GlusterVolumes",
    fields: collection![groups("gluster_volume", &GLUSTER_VOLUME)],
};

pub(super) static GLUSTER_CLIENT: TypeDef = TypeDef {
    element: "gluster_client",
    plural: "",
    class: "GlusterClient",
    fields: fields![text("host_name"), int("client_port"), int("bytes_read"), int("bytes_written"),],
};

pub(super) static GLUSTER_CLIENTS: TypeDef = TypeDef {
    element: "gluster_clients",
    plural: "",
    class: "GlusterClients",
    fields: collection![groups("gluster_client", &GLUSTER_CLIENT)],
};

pub(super) static GLUSTER_MEMORY_POOL: TypeDef = TypeDef {
    element: "memory_pool",
    plural: "",
    class: "GlusterMemoryPool",
    fields: fields![
        text("name"),
        int("hot_count"),
        int("cold_count"),
        int("padded_size"),
        int("alloc_count"),
        int("max_alloc"),
        int("pool_misses"),
        int("max_stdalloc"),
    ],
};

pub(super) static GLUSTER_MEMORY_POOLS: TypeDef = TypeDef {
    element: "memory_pools",
    plural: "",
    class: "GlusterMemoryPools",
    fields: collection![groups("memory_pool", &GLUSTER_MEMORY_POOL)],
};

pub(super) static GLUSTER_SERVER_HOOKS: TypeDef = TypeDef {
    element: "server_hooks",
    plural: "",
    class: "GlusterServerHooks",
    fields: collection![groups("server_hook", &GLUSTER_SERVER_HOOK)],
};

pub(super) static GLUSTER_SERVER_HOOK: TypeDef = TypeDef {
    element: "server_hook",
    plural: "",
    class: "GlusterServerHook",
    fields: resource![group("host", &HOST), text("content_type"), group("status", &STATUS), text("checksum"),],
};
