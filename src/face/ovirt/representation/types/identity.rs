//! Users, groups, directories, roles, permissions and tags.

use super::cluster::{CLUSTER, DATA_CENTER};
use super::host::HOST;
use super::storage::{DISK, STORAGE_DOMAIN};
use super::vm::{TEMPLATE, VM, VM_POOL};
use super::{COMMENT, DESCRIPTION, NAME, collection, fields, resource};
use crate::face::ovirt::representation::description::{TypeDef, boolean, group, groups, secret, text};

/// A tag: `<tag>`.
pub static TAG: TypeDef = TypeDef {
    element: "tag",
    plural: "tags",
    class: "Tag",
    fields: resource![
        common(NAME.taken(), DESCRIPTION.taken(), COMMENT),
        group("host", &HOST),
        group("vm", &VM),
        group("user", &USER),
        group("group", &GROUP),
        group("parent", &TAG_PARENT).takes("tag.id|name"),
    ],
};

/// A user: `<user>`.
pub static USER: TypeDef = TypeDef {
    element: "user",
    plural: "users",
    class: "User",
    fields: resource![
        group("domain", &DOMAIN),
        text("department"),
        boolean("logged_in"),
        text("last_name"),
        text("user_name"),
        secret("password"),
        text("email"),
        group("roles", &ROLES),
        group("groups", &GROUPS),
    ],
};

/// A group of a directory: `<group>`.
pub static GROUP: TypeDef = TypeDef {
    element: "group",
    plural: "groups",
    class: "Group",
    fields: resource![group("domain", &DOMAIN), group("roles", &ROLES)],
};

/// A directory domain: `<domain>`.
pub static DOMAIN: TypeDef =
    TypeDef { element: "domain", plural: "domains", class: "Domain", fields: resource![group("user", &USER)] };

/// A role: a set of permits: `<role>`.
pub static ROLE: TypeDef = TypeDef {
    element: "role",
    plural: "roles",
    class: "Role",
    fields: resource![
        common(NAME.taken(), DESCRIPTION.taken(), COMMENT),
        boolean("mutable"),
        boolean("administrative").taken(),
        group("user", &USER),
        group("permits", &PERMITS).takes("permit.id"),
    ],
};

/// A permit: the right to do one thing: `<permit>`.
pub static PERMIT: TypeDef = TypeDef {
    element: "permit",
    plural: "permits",
    class: "Permit",
    fields: resource![boolean("administrative"), group("role", &ROLE)],
};

/// A role given to somebody on something: `<permission>`.
pub static PERMISSION: TypeDef = TypeDef {
    element: "permission",
    plural: "permissions",
    class: "Permission",
    fields: resource![
        group("role", &ROLE),
        group("user", &USER),
        group("group", &GROUP),
        group("data_center", &DATA_CENTER),
        group("cluster", &CLUSTER),
        group("host", &HOST),
        group("storage_domain", &STORAGE_DOMAIN),
        group("vm", &VM),
        group("vmpool", &VM_POOL),
        group("template", &TEMPLATE),
        group("disk", &DISK),
    ],
};

pub(super) static PERMITS: TypeDef =
    TypeDef { element: "permits", plural: "", class: "Permits", fields: collection![groups("permit", &PERMIT)] };

pub(super) static ROLES: TypeDef =
    TypeDef { element: "roles", plural: "", class: "Roles", fields: collection![groups("role", &ROLE)] };

pub(super) static USERS: TypeDef =
    TypeDef { element: "users", plural: "", class: "Users", fields: collection![groups("user", &USER)] };

pub(super) static GROUPS: TypeDef =
    TypeDef { element: "groups", plural: "", class: "Groups", fields: collection![groups("group", &GROUP)] };

pub(super) static PERMISSIONS: TypeDef = TypeDef {
    element: "permissions",
    plural: "",
    class: "Permissions",
    fields: collection![groups("permission", &PERMISSION), boolean("clone")],
};

pub(super) static TAG_PARENT: TypeDef =
    TypeDef { element: "tag_parent", plural: "", class: "TagParent", fields: fields![group("tag", &TAG)] };

pub(super) static TAGS: TypeDef =
    TypeDef { element: "tags", plural: "", class: "Tags", fields: collection![groups("tag", &TAG)] };
