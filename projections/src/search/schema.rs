//! What each entity may be asked: its fields, their kinds and operators, what it may refer to, and its default order.
//!
//! The fields are those of engine 3.3, with what 3.6 added.

use super::parse::{Direction, Operator};

/// What a search looks for, or what it may refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entity {
    /// A virtual machine.
    Vm,
    /// A host.
    Host,
    /// A cluster.
    Cluster,
    /// A data center.
    DataCenter,
    /// A storage domain.
    StorageDomain,
    /// A disk.
    Disk,
    /// A network of a data center.
    Network,
    /// A template.
    Template,
    /// A user that the engine knows.
    User,
    /// A group that the engine knows.
    Group,
    /// A user of a directory.
    DirectoryUser,
    /// A group of a directory.
    DirectoryGroup,
    /// A pool of virtual machines.
    Pool,
    /// An event.
    Event,
    /// A network interface of a virtual machine or a template.
    Nic,
    /// A network interface of a host.
    HostNic,
    /// A network as a cluster uses it.
    ClusterNetwork,
    /// A network as a host uses it.
    HostNetwork,
    /// A Gluster volume.
    Volume,
    /// A quota.
    Quota,
    /// An external provider.
    Provider,
}

/// One member of an enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The spelling of the query language, as `poweringup`.
    pub internal: &'static str,
    /// The spelling of the API, as `powering_up`. Members may share one, as both directions of a migration do.
    pub rest: &'static str,
}

impl Member {
    /// Whether `text` spells the member, whatever its case, with or without underscores.
    pub fn is_spelled(&self, text: &str) -> bool {
        same_spelling(self.internal, text) || same_spelling(self.rest, text)
    }
}

/// Whether two spellings differ only in case, underscores and hyphens.
pub(crate) fn same_spelling(one: &str, other: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = char> {
        text.chars().filter(|letter| !matches!(letter, '_' | '-')).map(|letter| letter.to_ascii_lowercase())
    }
    letters(one).eq(letters(other))
}

/// What values a field has, hence how it compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Text, compared as a pattern with `*`.
    Text,
    /// Text in which the pattern may stand anywhere.
    Substring,
    /// One of a closed set, listed in its order.
    Enum(&'static [Member]),
    /// A whole number.
    Int,
    /// A number.
    Decimal,
    /// `true` or `false`.
    Bool,
    /// A moment.
    Date,
    /// A duration.
    TimeSpan,
    /// The names of tags; a tag stands for all below it as well.
    Tag,
    /// A UUID.
    Uuid,
}

/// One thing an entity may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchField {
    /// The name in lower case, which a row is asked by.
    pub name: &'static str,
    /// What values it has.
    pub kind: FieldKind,
    /// Whether free text looks into it.
    pub free_text: bool,
    /// The operators it knows.
    pub operators: &'static [Operator],
}

const EQUALITY: &[Operator] = &[Operator::Equal, Operator::NotEqual];
const ORDER: &[Operator] = &Operator::ALL;
const BOUNDS: &[Operator] = &[Operator::Less, Operator::Greater];
const DAY: &[Operator] = &[Operator::Equal, Operator::Less, Operator::Greater];
const EQUALITY_AND_BOUNDS: &[Operator] = &[Operator::Equal, Operator::NotEqual, Operator::Less, Operator::Greater];

impl SearchField {
    const fn new(name: &'static str, kind: FieldKind, operators: &'static [Operator]) -> Self {
        Self { name, kind, free_text: false, operators }
    }
}

/// Text that free text looks into.
const fn text(name: &'static str) -> SearchField {
    SearchField { free_text: true, ..hidden_text(name) }
}

/// Text that free text passes over.
const fn hidden_text(name: &'static str) -> SearchField {
    SearchField::new(name, FieldKind::Text, EQUALITY)
}

const fn tag() -> SearchField {
    SearchField { free_text: true, ..SearchField::new("tag", FieldKind::Tag, &[Operator::Equal]) }
}

const fn number(name: &'static str) -> SearchField {
    SearchField::new(name, FieldKind::Int, ORDER)
}

/// A number that is only ever equal or not.
const fn code(name: &'static str) -> SearchField {
    SearchField::new(name, FieldKind::Int, EQUALITY)
}

/// A number that is only ever above or below.
const fn size(name: &'static str) -> SearchField {
    SearchField::new(name, FieldKind::Int, BOUNDS)
}

const fn decimal(name: &'static str) -> SearchField {
    SearchField::new(name, FieldKind::Decimal, ORDER)
}

const fn flag(name: &'static str) -> SearchField {
    SearchField::new(name, FieldKind::Bool, EQUALITY)
}

const fn uuid(name: &'static str) -> SearchField {
    SearchField::new(name, FieldKind::Uuid, EQUALITY)
}

const fn date(name: &'static str, operators: &'static [Operator]) -> SearchField {
    SearchField::new(name, FieldKind::Date, operators)
}

const fn choice(name: &'static str, members: &'static [Member]) -> SearchField {
    SearchField::new(name, FieldKind::Enum(members), EQUALITY)
}

const fn member(internal: &'static str, rest: &'static str) -> Member {
    Member { internal, rest }
}

const VM_STATUS: &[Member] = &[
    member("unassigned", "unassigned"),
    member("down", "down"),
    member("up", "up"),
    member("poweringup", "powering_up"),
    member("paused", "paused"),
    member("migratingfrom", "migrating"),
    member("migratingto", "migrating"),
    member("unknown", "unknown"),
    member("notresponding", "not_responding"),
    member("waitforlaunch", "wait_for_launch"),
    member("rebootinprogress", "reboot_in_progress"),
    member("savingstate", "saving_state"),
    member("preparingforhibernate", "saving_state"),
    member("restoringstate", "restoring_state"),
    member("suspended", "suspended"),
    member("imageillegal", "image_illegal"),
    member("imagelocked", "image_locked"),
    member("poweringdown", "powering_down"),
];

const HOST_STATUS: &[Member] = &[
    member("unassigned", "unassigned"),
    member("down", "down"),
    member("maintenance", "maintenance"),
    member("up", "up"),
    member("nonresponsive", "non_responsive"),
    member("error", "error"),
    member("installing", "installing"),
    member("installfailed", "install_failed"),
    member("reboot", "reboot"),
    member("preparingformaintenance", "preparing_for_maintenance"),
    member("nonoperational", "non_operational"),
    member("pendingapproval", "pending_approval"),
    member("initializing", "initializing"),
    member("connecting", "connecting"),
    member("installingos", "installing_os"),
    member("kdumping", "kdumping"),
];

/// The last is how some lists of the API spell `not_operational`.
const DATA_CENTER_STATUS: &[Member] = &[
    member("uninitialized", "uninitialized"),
    member("up", "up"),
    member("maintenance", "maintenance"),
    member("notoperational", "not_operational"),
    member("nonresponsive", "problematic"),
    member("contend", "contend"),
    member("nonoperational", "not_operational"),
];

const STORAGE_DOMAIN_STATUS: &[Member] = &[
    member("unknown", "unknown"),
    member("uninitialized", "uninitialized"),
    member("unattached", "unattached"),
    member("active", "active"),
    member("inactive", "inactive"),
    member("mixed", "mixed"),
    member("locked", "locked"),
    member("maintenance", "maintenance"),
    member("preparingformaintenance", "preparing_for_maintenance"),
    member("detaching", "detaching"),
    member("activating", "activating"),
];

const STORAGE_TYPE: &[Member] = &[
    member("unknown", "unknown"),
    member("nfs", "nfs"),
    member("fcp", "fcp"),
    member("iscsi", "iscsi"),
    member("localfs", "localfs"),
    member("posixfs", "posixfs"),
    member("glusterfs", "glusterfs"),
    member("glance", "glance"),
    member("cinder", "cinder"),
];

const IMAGE_STATUS: &[Member] =
    &[member("unassigned", "unassigned"), member("ok", "ok"), member("locked", "locked"), member("illegal", "illegal")];

const TEMPLATE_STATUS: &[Member] = &[member("ok", "ok"), member("locked", "locked"), member("illegal", "illegal")];

const VM_TYPE: &[Member] = &[member("desktop", "desktop"), member("server", "server")];

const HOST_TYPE: &[Member] = &[member("rhel", "rhel"), member("rhevh", "rhev-h"), member("ovirtnode", "ovirt_node")];

const POOL_TYPE: &[Member] = &[member("automatic", "automatic"), member("manual", "manual")];

const DISK_TYPE: &[Member] = &[member("image", "image"), member("lun", "lun"), member("cinder", "cinder")];

const SEVERITY: &[Member] =
    &[member("normal", "normal"), member("warning", "warning"), member("error", "error"), member("alert", "alert")];

const DIRECTORY_STATUS: &[Member] = &[member("inactive", "inactive"), member("active", "active")];

const USER_OR_GROUP: &[Member] = &[member("user", "user"), member("group", "group")];

const PROVIDER_TYPE: &[Member] = &[
    member("openstacknetwork", "openstack_network"),
    member("foreman", "foreman"),
    member("openstackimage", "openstack_image"),
    member("openstackvolume", "openstack_volume"),
    member("vmware", "vmware"),
    member("externalnetwork", "external_network"),
];

const QUOTA_ENFORCEMENT: &[Member] =
    &[member("disabled", "disabled"), member("softenforcement", "audit"), member("hardenforcement", "enabled")];

const ARCHITECTURE: &[Member] = &[
    member("undefined", "undefined"),
    member("x86_64", "x86_64"),
    member("ppc64", "ppc64"),
    member("ppc64le", "ppc64le"),
    member("s390x", "s390x"),
];

const EXTERNAL_STATUS: &[Member] = &[
    member("ok", "ok"),
    member("info", "info"),
    member("warning", "warning"),
    member("error", "error"),
    member("failure", "failure"),
];

const VOLUME_TYPE: &[Member] = &[
    member("distribute", "distribute"),
    member("replicate", "replicate"),
    member("distributedreplicate", "distributed_replicate"),
    member("stripe", "stripe"),
    member("distributedstripe", "distributed_stripe"),
    member("stripedreplicate", "striped_replicate"),
    member("distributedstripedreplicate", "distributed_striped_replicate"),
];

const VOLUME_STATUS: &[Member] = &[member("up", "up"), member("down", "down"), member("unknown", "unknown")];

const TRANSPORT_TYPE: &[Member] = &[member("tcp", "tcp"), member("rdma", "rdma")];

const VM_FIELDS: &[SearchField] = &[
    text("address"),
    SearchField::new("apps", FieldKind::Substring, EQUALITY),
    choice("architecture", ARCHITECTURE),
    text("cluster"),
    text("comment"),
    text("compatibility_level"),
    number("cpu_usage"),
    date("creationdate", BOUNDS),
    text("custom_cpu_type"),
    text("custom_emulated_machine"),
    text("datacenter"),
    text("description"),
    text("domain"),
    text("fqdn"),
    uuid("id"),
    text("ip"),
    text("loggedinuser"),
    number("memory"),
    number("mem_usage"),
    number("migration_progress_percent"),
    text("name"),
    number("network_usage"),
    hidden_text("os"),
    text("pool"),
    text("quota"),
    choice("status", VM_STATUS),
    tag(),
    choice("type", VM_TYPE),
    SearchField::new("uptime", FieldKind::TimeSpan, BOUNDS),
];

const HOST_FIELDS: &[SearchField] = &[
    number("active_vms"),
    text("address"),
    choice("architecture", ARCHITECTURE),
    text("cluster"),
    text("comment"),
    number("committed_mem"),
    number("cpus"),
    text("cpu_model"),
    decimal("cpu_speed"),
    number("cpu_usage"),
    text("datacenter"),
    choice("external_status", EXTERNAL_STATUS),
    uuid("id"),
    decimal("load"),
    number("memory"),
    number("mem_usage"),
    code("migrating_vms"),
    text("name"),
    number("network_usage"),
    choice("status", HOST_STATUS),
    tag(),
    choice("type", HOST_TYPE),
    flag("update_available"),
    text("version"),
];

const CLUSTER_FIELDS: &[SearchField] =
    &[choice("architecture", ARCHITECTURE), text("comment"), text("description"), flag("initialized"), text("name")];

const DATA_CENTER_FIELDS: &[SearchField] = &[
    text("comment"),
    text("compatibility_version"),
    text("description"),
    flag("local"),
    text("name"),
    choice("status", DATA_CENTER_STATUS),
    choice("type", STORAGE_TYPE),
];

const STORAGE_DOMAIN_FIELDS: &[SearchField] = &[
    text("comment"),
    number("committed"),
    text("datacenter"),
    text("description"),
    choice("external_status", EXTERNAL_STATUS),
    text("name"),
    number("size"),
    choice("status", STORAGE_DOMAIN_STATUS),
    choice("type", STORAGE_TYPE),
    number("used"),
    flag("wipe_after_delete"),
];

const DISK_FIELDS: &[SearchField] = &[
    size("actual_size"),
    text("alias"),
    flag("bootable"),
    date("creation_date", EQUALITY_AND_BOUNDS),
    text("description"),
    choice("disk_type", DISK_TYPE),
    uuid("id"),
    text("name"),
    number("number_of_vms"),
    size("provisioned_size"),
    text("quota"),
    flag("shareable"),
    size("size"),
    choice("status", IMAGE_STATUS),
    text("vm_names"),
    flag("wipe_after_delete"),
];

const NETWORK_FIELDS: &[SearchField] = &[
    text("comment"),
    text("datacenter"),
    text("description"),
    text("label"),
    code("mtu"),
    text("name"),
    text("provider_name"),
    text("qos_name"),
    flag("stp"),
    code("vlanid"),
    flag("vmnetwork"),
];

const TEMPLATE_FIELDS: &[SearchField] = &[
    choice("architecture", ARCHITECTURE),
    number("childcount"),
    text("cluster"),
    text("comment"),
    date("creationdate", DAY),
    text("datacenter"),
    text("description"),
    text("domain"),
    number("mem"),
    text("name"),
    hidden_text("os"),
    text("quota"),
    choice("status", TEMPLATE_STATUS),
    text("version_name"),
    uuid("_vmt_id"),
];

const USER_FIELDS: &[SearchField] = &[
    text("department"),
    text("directory"),
    text("group"),
    text("lastname"),
    text("login"),
    text("name"),
    text("pool"),
    text("role"),
    choice("status", DIRECTORY_STATUS),
    tag(),
    text("title"),
    choice("type", USER_OR_GROUP),
    text("usrname"),
];

const GROUP_FIELDS: &[SearchField] = &[
    text("directory"),
    text("grpname"),
    text("name"),
    text("role"),
    choice("status", DIRECTORY_STATUS),
    tag(),
    choice("type", USER_OR_GROUP),
    text("usrname"),
];

const DIRECTORY_USER_FIELDS: &[SearchField] =
    &[hidden_text("allnames"), text("department"), text("lastname"), text("name"), text("title"), text("username")];

const DIRECTORY_GROUP_FIELDS: &[SearchField] = &[text("groupname"), text("name")];

const POOL_FIELDS: &[SearchField] = &[
    choice("architecture", ARCHITECTURE),
    code("assigned_vm_count"),
    text("cluster"),
    text("datacenter"),
    text("description"),
    text("name"),
    code("running_vm_count"),
    choice("type", POOL_TYPE),
];

const EVENT_FIELDS: &[SearchField] = &[
    text("correlation_id"),
    code("custom_event_id"),
    flag("deleted"),
    text("event_datacenter"),
    text("event_host"),
    text("event_storage"),
    text("event_template"),
    text("event_vm"),
    text("event_volume"),
    text("message"),
    text("origin"),
    SearchField::new("severity", FieldKind::Enum(SEVERITY), ORDER),
    date("time", DAY),
    code("type"),
    text("usrid"),
    text("usrname"),
    text("_event_datacenter_id"),
    text("_event_host_id"),
    text("_event_quota_id"),
    text("_event_storage_id"),
    text("_event_template_id"),
    text("_event_vm_id"),
    text("_event_volume_id"),
];

const NIC_FIELDS: &[SearchField] = &[text("mac"), text("network_name")];

const CLUSTER_NETWORK_FIELDS: &[SearchField] = &[text("cluster_name"), text("network_name")];

const HOST_NETWORK_FIELDS: &[SearchField] = &[text("host_name")];

const VOLUME_FIELDS: &[SearchField] = &[
    text("name"),
    number("replica_count"),
    choice("status", VOLUME_STATUS),
    number("stripe_count"),
    choice("transport_type", TRANSPORT_TYPE),
    choice("type", VOLUME_TYPE),
];

const QUOTA_FIELDS: &[SearchField] = &[
    text("description"),
    choice("enforcementtype", QUOTA_ENFORCEMENT),
    code("gracestoragepercentage"),
    code("gracevdsgrouppercentage"),
    text("name"),
    text("storagepoolname"),
    code("thresholdstoragepercentage"),
    code("thresholdvdsgrouppercentage"),
];

const PROVIDER_FIELDS: &[SearchField] = &[text("description"), text("name"), choice("type", PROVIDER_TYPE), text("url")];

/// Ascending by name, as most entities are listed.
const BY_NAME: &[(&str, Direction)] = &[("name", Direction::Asc)];

impl Entity {
    /// Every entity.
    pub const ALL: [Entity; 21] = [
        Entity::Vm,
        Entity::Host,
        Entity::Cluster,
        Entity::DataCenter,
        Entity::StorageDomain,
        Entity::Disk,
        Entity::Network,
        Entity::Template,
        Entity::User,
        Entity::Group,
        Entity::DirectoryUser,
        Entity::DirectoryGroup,
        Entity::Pool,
        Entity::Event,
        Entity::Nic,
        Entity::HostNic,
        Entity::ClusterNetwork,
        Entity::HostNetwork,
        Entity::Volume,
        Entity::Quota,
        Entity::Provider,
    ];

    /// The name that a search calls it by: before the colon, and before the dot of a related object's field.
    pub fn object_name(self) -> &'static str {
        match self {
            Entity::Vm => "vm",
            Entity::Host => "host",
            Entity::Cluster => "cluster",
            Entity::DataCenter => "datacenter",
            Entity::StorageDomain => "storage",
            Entity::Disk => "disk",
            Entity::Network => "network",
            Entity::Template => "template",
            Entity::User => "user",
            Entity::Group => "group",
            Entity::DirectoryUser => "aduser",
            Entity::DirectoryGroup => "adgroup",
            Entity::Pool => "pool",
            Entity::Event => "event",
            Entity::Nic => "vnic",
            Entity::HostNic => "nic",
            Entity::ClusterNetwork => "cluster_network",
            Entity::HostNetwork => "host_network",
            Entity::Volume => "volume",
            Entity::Quota => "quota",
            Entity::Provider => "provider",
        }
    }

    /// Whether `name` calls the entity by its name, in the singular or the plural, whatever the case.
    pub fn is_called(self, name: &str) -> bool {
        let singular = self.object_name();
        name.eq_ignore_ascii_case(singular)
            || name.strip_suffix(['s', 'S']).is_some_and(|name| name.eq_ignore_ascii_case(singular))
    }

    /// The entity that `name` calls. Storage domains are called as their collection is, too.
    pub fn called(name: &str) -> Option<Entity> {
        if ["storagedomain", "storagedomains"].iter().any(|collection| name.eq_ignore_ascii_case(collection)) {
            return Some(Entity::StorageDomain);
        }
        Entity::ALL.into_iter().find(|entity| entity.is_called(name))
    }

    /// All it may be asked.
    pub fn fields(self) -> &'static [SearchField] {
        match self {
            Entity::Vm => VM_FIELDS,
            Entity::Host => HOST_FIELDS,
            Entity::Cluster => CLUSTER_FIELDS,
            Entity::DataCenter => DATA_CENTER_FIELDS,
            Entity::StorageDomain => STORAGE_DOMAIN_FIELDS,
            Entity::Disk => DISK_FIELDS,
            Entity::Network => NETWORK_FIELDS,
            Entity::Template => TEMPLATE_FIELDS,
            Entity::User => USER_FIELDS,
            Entity::Group => GROUP_FIELDS,
            Entity::DirectoryUser => DIRECTORY_USER_FIELDS,
            Entity::DirectoryGroup => DIRECTORY_GROUP_FIELDS,
            Entity::Pool => POOL_FIELDS,
            Entity::Event => EVENT_FIELDS,
            Entity::Nic | Entity::HostNic => NIC_FIELDS,
            Entity::ClusterNetwork => CLUSTER_NETWORK_FIELDS,
            Entity::HostNetwork => HOST_NETWORK_FIELDS,
            Entity::Volume => VOLUME_FIELDS,
            Entity::Quota => QUOTA_FIELDS,
            Entity::Provider => PROVIDER_FIELDS,
        }
    }

    /// The field of that name, whatever its case.
    pub fn field(self, name: &str) -> Option<&'static SearchField> {
        self.fields().iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The entities whose fields a search for this one may ask as well.
    pub fn references(self) -> &'static [Entity] {
        use Entity::*;
        match self {
            Vm => &[Host, Template, Event, User, StorageDomain, Nic],
            Host => &[Vm, Template, Event, User, StorageDomain, HostNic],
            Template => &[Vm, Host, Event, User, StorageDomain, Nic],
            User | Group => &[Vm, Host, Template, Event],
            Event => &[Vm, Template, Host, User, Cluster, Volume, Quota],
            Cluster => &[DataCenter, StorageDomain, ClusterNetwork],
            DataCenter => &[Cluster, StorageDomain, Network],
            StorageDomain => &[Host, Cluster],
            Disk => &[DataCenter, StorageDomain],
            Network => &[ClusterNetwork, HostNetwork, Provider],
            Volume => &[Cluster],
            DirectoryUser | DirectoryGroup | Pool | Nic | HostNic | ClusterNetwork | HostNetwork | Quota | Provider => &[],
        }
    }

    /// The order of a list, and among rows that the order asked for leaves equal.
    ///
    /// A row answers these names like fields, even `audit_log_id`, the number of an event, which no search can ask.
    pub fn default_sort(self) -> &'static [(&'static str, Direction)] {
        match self {
            Entity::Event => &[("audit_log_id", Direction::Desc)],
            Entity::Disk => &[("alias", Direction::Asc), ("id", Direction::Asc)],
            Entity::Network => &[("datacenter", Direction::Asc), ("name", Direction::Asc)],
            Entity::Nic | Entity::HostNic => &[("network_name", Direction::Asc)],
            Entity::ClusterNetwork => &[("cluster_name", Direction::Asc), ("network_name", Direction::Asc)],
            Entity::HostNetwork => &[("host_name", Direction::Asc)],
            _ => BY_NAME,
        }
    }
}
