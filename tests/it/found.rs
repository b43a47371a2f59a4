//! What every field and every cross-reference of the search language finds, and what it does not: of each collection two objects that
//! differ in a field are looked for by their values, with each operator that the field knows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evirt::config::Options;
use evirt_domain::host::HostStatus;
use evirt_domain::storage::AttachmentStatus;
use evirt_domain::vm_run::VmState;
use evirt_projections::search::{Entity, FieldKind, Operator, SearchField};
use reqwest::StatusCode;

use crate::engine::{Caller, Engine, fast_with};
use crate::ldap::Slapd;
use crate::tree::Node;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);
const DATA_CENTER: &str = "5849b030-626e-47cb-ad90-3ce782d831b3";
const CLUSTER: &str = "99408929-82cf-4dc7-a532-9d998063fa95";

/// The collections that are searched.
const COLLECTIONS: &[(Entity, &str)] = &[
    (Entity::DataCenter, "datacenters"),
    (Entity::Cluster, "clusters"),
    (Entity::Host, "hosts"),
    (Entity::StorageDomain, "storagedomains"),
    (Entity::Network, "networks"),
    (Entity::Disk, "disks"),
    (Entity::Vm, "vms"),
    (Entity::Template, "templates"),
    (Entity::User, "users"),
    (Entity::Group, "groups"),
    (Entity::Event, "events"),
];

/// What a field's value is in this test.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    /// This, as a search writes it; `{name}` stands for the identifier of what was made under that name.
    Just(&'static str),
    /// Nothing.
    Absent,
    /// A number from the first to the second: what is measured.
    Between(i64, i64),
    /// A moment of today.
    Today,
    /// Less than an hour so far.
    Lasting,
    /// Whatever begins so.
    Begins(&'static str),
}
use Is::*;

/// A field of a collection, and two objects with its value in each.
type Case = (&'static str, &'static str, Is, &'static str, Is);

const DATA_CENTERS: &[Case] = &[
    ("comment", "Default", Just("in town"), "north", Just("far off")),
    ("compatibility_version", "Default", Just("3.3"), "north", Just("3.2")),
    ("description", "Default", Just("The default Data Center"), "north", Just("Up north")),
    ("local", "Default", Just("false"), "local", Just("true")),
    ("name", "Default", Just("Default"), "north", Just("north")),
    ("status", "Default", Just("up"), "north", Just("uninitialized")),
    ("type", "Default", Just("nfs"), "north", Just("iscsi")),
];
const CLUSTERS: &[Case] = &[
    ("architecture", "Default", Just("x86_64"), "bare", Just("undefined")),
    ("comment", "cold", Just("snow"), "Default", Absent),
    ("description", "Default", Just("The default server cluster"), "cold", Just("Hosts in the north")),
    ("initialized", "Default", Just("true"), "bare", Just("false")),
    ("name", "Default", Just("Default"), "cold", Just("cold")),
];
const HOSTS: &[Case] = &[
    ("active_vms", "alpha", Just("1"), "beta", Just("0")),
    ("address", "alpha", Just("192.168.0.11"), "beta", Just("192.168.0.12")),
    ("architecture", "alpha", Just("x86_64"), "beta", Just("x86_64")),
    ("cluster", "alpha", Just("Default"), "beta", Just("cold")),
    ("comment", "alpha", Just("rack 1"), "beta", Just("rack 2")),
    ("committed_mem", "alpha", Just("256"), "beta", Just("0")),
    ("cpus", "alpha", Just("8"), "beta", Just("4")),
    ("cpu_model", "alpha", Just("Intel(R) Xeon(R) CPU E5540 @ 2.53GHz"), "beta", Just("AMD Opteron")),
    ("cpu_speed", "alpha", Just("2527"), "beta", Just("1800")),
    ("cpu_usage", "alpha", Between(0, 100), "beta", Between(0, 100)),
    ("datacenter", "alpha", Just("Default"), "beta", Just("north")),
    ("external_status", "alpha", Just("ok"), "beta", Just("ok")),
    ("id", "alpha", Just("{alpha}"), "beta", Just("{beta}")),
    ("load", "alpha", Between(0, 1000), "beta", Between(0, 1000)),
    ("memory", "alpha", Just("32768"), "beta", Just("16384")),
    ("mem_usage", "alpha", Between(0, 100), "beta", Between(0, 100)),
    ("migrating_vms", "alpha", Just("0"), "beta", Just("0")),
    ("name", "alpha", Just("alpha"), "beta", Just("beta")),
    ("network_usage", "alpha", Between(0, 100), "beta", Between(0, 100)),
    ("status", "alpha", Just("up"), "gamma", Just("maintenance")),
    ("tag", "alpha", Just("green"), "beta", Absent),
    ("type", "alpha", Just("rhel"), "hypervisor", Just("rhev-h")),
    ("update_available", "alpha", Just("false"), "beta", Just("false")),
    ("version", "alpha", Just("3.3"), "beta", Just("3.3")),
];
const STORAGE_DOMAINS: &[Case] = &[
    ("comment", "data", Just("fast"), "export", Just("slow")),
    ("committed", "data", Just("3"), "export", Just("0")),
    ("datacenter", "data", Just("Default"), "export", Absent),
    ("description", "data", Just("For disks"), "export", Just("For the road")),
    ("external_status", "data", Just("ok"), "export", Just("ok")),
    ("name", "data", Just("data"), "export", Just("export")),
    ("size", "data", Between(100, 188), "export", Between(189, 200)),
    ("status", "data", Just("active"), "export", Just("unattached")),
    ("type", "data", Just("nfs"), "posix", Just("posixfs")),
    ("used", "data", Between(26, 32), "export", Between(0, 25)),
    ("wipe_after_delete", "data", Just("false"), "export", Just("false")),
];
const NETWORKS: &[Case] = &[
    ("comment", "blue", Just("for guests"), "rhevm", Absent),
    ("datacenter", "rhevm", Just("Default"), "red", Just("north")),
    ("description", "rhevm", Just("Management Network"), "blue", Just("A second one")),
    ("mtu", "rhevm", Just("0"), "blue", Just("9000")),
    ("name", "rhevm", Just("rhevm"), "blue", Just("blue")),
    ("stp", "rhevm", Just("false"), "blue", Just("true")),
    ("vlanid", "blue", Just("7"), "rhevm", Absent),
    ("vmnetwork", "blue", Just("true"), "red", Just("false")),
];
const DISKS: &[Case] = &[
    ("actual_size", "system", Between(1, 1 << 34), "shared", Just("1073741824")),
    ("alias", "system", Just("system"), "shared", Just("shared")),
    ("bootable", "system", Just("true"), "shared", Just("false")),
    ("creation_date", "system", Today, "shared", Today),
    ("description", "system", Just("Of web"), "shared", Just("Of nobody")),
    ("disk_type", "system", Just("image"), "shared", Just("image")),
    ("id", "system", Just("{system}"), "shared", Just("{shared}")),
    ("name", "system", Just("system"), "shared", Just("shared")),
    ("number_of_vms", "system", Just("1"), "shared", Just("0")),
    ("provisioned_size", "system", Just("2147483648"), "shared", Just("1073741824")),
    ("quota", "system", Just("enough"), "shared", Absent),
    ("shareable", "system", Just("false"), "shared", Just("true")),
    ("size", "system", Just("2147483648"), "shared", Just("1073741824")),
    ("status", "system", Just("ok"), "shared", Just("ok")),
    ("vm_names", "system", Just("web"), "shared", Absent),
    ("wipe_after_delete", "system", Just("true"), "shared", Just("false")),
];
const VMS: &[Case] = &[
    ("address", "web", Begins("10."), "db", Absent),
    ("architecture", "web", Just("x86_64"), "db", Just("x86_64")),
    ("cluster", "web", Just("Default"), "db", Just("cold")),
    ("comment", "web", Just("of the shop"), "db", Just("of all")),
    ("compatibility_level", "web", Just("3.3"), "db", Just("3.2")),
    ("cpu_usage", "web", Between(0, 100), "db", Absent),
    ("creationdate", "web", Today, "db", Today),
    ("datacenter", "web", Just("Default"), "db", Just("north")),
    ("description", "web", Just("Front"), "db", Just("Back")),
    ("domain", "web", Just("example.com"), "db", Just("example.org")),
    ("fqdn", "web", Begins("web"), "db", Absent),
    ("id", "web", Just("{web}"), "db", Just("{db}")),
    ("ip", "web", Begins("10."), "db", Absent),
    ("memory", "web", Just("256"), "db", Just("512")),
    ("mem_usage", "web", Between(0, 100), "db", Absent),
    ("name", "web", Just("web"), "db", Just("db")),
    ("network_usage", "web", Between(0, 100), "db", Absent),
    ("os", "web", Just("rhel_6x64"), "db", Just("other")),
    ("quota", "web", Just("enough"), "db", Absent),
    ("status", "web", Just("up"), "db", Just("down")),
    ("tag", "web", Just("green"), "db", Absent),
    ("type", "web", Just("server"), "db", Just("desktop")),
    ("uptime", "web", Lasting, "db", Absent),
];
const USERS: &[Case] = &[
    ("department", "joe", Just("IT"), "admin", Absent),
    ("directory", "joe", Just("example.org"), "admin", Just("internal")),
    ("group", "joe", Just("example.org/groups/staff"), "admin", Absent),
    ("lastname", "joe", Just("Doe"), "admin", Absent),
    ("login", "joe", Just("joe"), "admin", Just("admin")),
    ("name", "joe", Just("Joe"), "admin", Just("admin")),
    ("role", "tom", Just("UserRole"), "admin", Just("SuperUser")),
    ("status", "joe", Just("active"), "admin", Just("active")),
    ("tag", "joe", Just("green"), "admin", Absent),
    ("title", "joe", Just("Engineer"), "admin", Absent),
    ("type", "joe", Just("user"), "admin", Just("user")),
    ("usrname", "joe", Just("joe@example.org"), "admin", Just("admin@internal")),
];
const GROUPS: &[Case] = &[
    ("directory", "staff", Just("internal"), "Everyone", Absent),
    ("grpname", "staff", Just("staff"), "Everyone", Just("Everyone")),
    ("name", "staff", Just("staff"), "Everyone", Just("Everyone")),
    ("role", "staff", Just("UserRole"), "guests", Absent),
    ("status", "staff", Just("active"), "Everyone", Just("active")),
    ("tag", "staff", Just("green"), "Everyone", Absent),
    ("type", "staff", Just("group"), "Everyone", Just("group")),
];
const TEMPLATES: &[Case] = &[
    ("architecture", "Blank", Just("x86_64"), "-", Absent),
    ("childcount", "Blank", Just("2"), "-", Absent),
    ("cluster", "Blank", Just("Default"), "-", Absent),
    ("creationdate", "Blank", Today, "-", Absent),
    ("datacenter", "Blank", Just("Default"), "-", Absent),
    ("description", "Blank", Just("Blank template"), "-", Absent),
    ("mem", "Blank", Just("1024"), "-", Absent),
    ("name", "Blank", Just("Blank"), "-", Absent),
    ("os", "Blank", Just("unassigned"), "-", Absent),
    ("status", "Blank", Just("ok"), "-", Absent),
    ("_vmt_id", "Blank", Just("00000000-0000-0000-0000-000000000000"), "-", Absent),
];
const EVENTS: &[Case] = &[
    ("correlation_id", "warm", Just("sensor-1"), "hot", Just("sensor-2")),
    ("custom_event_id", "warm", Just("7"), "hot", Just("8")),
    ("deleted", "warm", Just("false"), "hot", Just("false")),
    ("event_datacenter", "warm", Just("Default"), "hot", Just("north")),
    ("event_host", "warm", Just("alpha"), "hot", Just("beta")),
    ("event_storage", "warm", Just("data"), "hot", Just("export")),
    ("event_template", "warm", Just("Blank"), "quota told", Absent),
    ("event_vm", "warm", Just("web"), "hot", Just("db")),
    ("message", "warm", Just("It is warm"), "hot", Just("It is hot")),
    ("origin", "warm", Just("nagios"), "hot", Just("zabbix")),
    ("severity", "warm", Just("warning"), "hot", Just("alert")),
    ("time", "warm", Today, "hot", Today),
    ("type", "warm", Just("9802"), "hot", Just("9804")),
    ("usrid", "warm", Just("{admin}"), "hot", Just("{joe}")),
    ("usrname", "warm", Just("admin@internal"), "hot", Just("joe@example.org")),
    ("_event_datacenter_id", "warm", Just(DATA_CENTER), "hot", Just("{north}")),
    ("_event_host_id", "warm", Just("{alpha}"), "hot", Just("{beta}")),
    ("_event_quota_id", "quota told", Just("{enough}"), "hot", Absent),
    ("_event_storage_id", "warm", Just("{data}"), "hot", Just("{export}")),
    ("_event_template_id", "warm", Just("00000000-0000-0000-0000-000000000000"), "quota told", Absent),
    ("_event_vm_id", "warm", Just("{web}"), "hot", Just("{db}")),
];

/// Fields that nothing has, with the reason: their searches are accepted and find nothing.
const NOTHING_HAS: &[(Entity, &[&str], &str)] = &[
    (Entity::Vm, &["apps", "loggedinuser"], "no guest agent tells of them yet"),
    (Entity::Vm, &["custom_cpu_type", "custom_emulated_machine", "migration_progress_percent"], "of later versions"),
    (Entity::Vm, &["pool"], "there are no pools yet"),
    (Entity::User, &["pool"], "there are no pools yet"),
    (Entity::Group, &["usrname"], "groups have no login name: this tells them from users"),
    (Entity::Network, &["label", "provider_name", "qos_name"], "of later versions"),
    (Entity::Template, &["comment", "domain", "quota"], "of templates there is only Blank yet, which has none"),
    (Entity::Template, &["version_name"], "of later versions"),
    (Entity::Event, &["event_volume", "_event_volume_id"], "there is no Gluster yet"),
];

/// What is searched, by a field of something related; what that finds, and what it does not.
const REFERENCES: &[(&str, &str, &str, &str, &str)] = &[
    ("datacenters", "cluster.name", "cold", "north", "Default"),
    ("datacenters", "storage.type", "nfs", "Default", "north"),
    ("datacenters", "network.vlanid", "7", "Default", "north"),
    ("clusters", "datacenter.status", "up", "Default", "cold"),
    ("clusters", "storage.name", "data", "Default", "cold"),
    ("clusters", "cluster_network.network_name", "blue", "Default", "cold"),
    ("clusters", "cluster_network.cluster_name", "cold", "cold", "Default"),
    ("hosts", "vm.name", "web", "alpha", "beta"),
    ("hosts", "template.name", "Blank", "alpha", "beta"),
    ("hosts", "event.origin", "zabbix", "beta", "alpha"),
    ("hosts", "user.usrname", "joe@example.org", "alpha", "beta"),
    ("hosts", "storage.name", "data", "alpha", "beta"),
    ("hosts", "nic.network_name", "rhevm", "alpha", "-"),
    ("hosts", "nic.mac", "00:1a:64:00:11:01", "alpha", "beta"),
    ("storagedomains", "host.name", "alpha", "data", "export"),
    ("storagedomains", "cluster.name", "Default", "data", "export"),
    ("networks", "cluster_network.cluster_name", "Default", "blue", "red"),
    ("networks", "cluster_network.network_name", "blue", "blue", "rhevm"),
    ("networks", "host_network.host_name", "alpha", "blue", "red"),
    ("disks", "datacenter.name", "Default", "system", "-"),
    ("disks", "storage.name", "data", "system", "-"),
    ("vms", "host.name", "alpha", "web", "db"),
    ("vms", "template.name", "Blank", "web", "-"),
    ("vms", "event.origin", "nagios", "web", "db"),
    ("vms", "user.department", "IT", "web", "db"),
    ("vms", "storage.name", "data", "web", "db"),
    ("vms", "vnic.network_name", "blue", "web", "db"),
    ("vms", "vnic.mac", "00:1a:4a:00:00:77", "web", "db"),
    ("templates", "vm.name", "web", "Blank", "-"),
    ("templates", "host.name", "alpha", "Blank", "-"),
    ("templates", "event.origin", "nagios", "Blank", "-"),
    ("templates", "user.name", "Joe", "Blank", "-"),
    ("users", "vm.name", "web", "joe", "admin"),
    ("users", "host.name", "alpha", "joe", "admin"),
    ("users", "template.name", "Blank", "joe", "admin"),
    ("users", "event.origin", "zabbix", "joe", "admin"),
    ("groups", "vm.name", "web", "staff", "Everyone"),
    ("groups", "host.name", "alpha", "staff", "Everyone"),
    ("groups", "template.name", "Blank", "staff", "Everyone"),
    ("events", "vm.name", "web", "warm", "hot"),
    ("events", "template.name", "Blank", "warm", "quota told"),
    ("events", "host.name", "beta", "hot", "warm"),
    ("events", "user.lastname", "Doe", "hot", "warm"),
    ("events", "cluster.name", "Default", "warm", "hot"),
    ("events", "quota.name", "enough", "quota told", "warm"),
    ("events", "quota.description", "For all", "quota told", "warm"),
    ("events", "quota.enforcementtype", "disabled", "quota told", "warm"),
    ("events", "quota.gracestoragepercentage", "25", "quota told", "warm"),
    ("events", "quota.gracevdsgrouppercentage", "20", "quota told", "warm"),
    ("events", "quota.storagepoolname", "Default", "quota told", "warm"),
    ("events", "quota.thresholdstoragepercentage", "75", "quota told", "warm"),
    ("events", "quota.thresholdvdsgrouppercentage", "80", "quota told", "warm"),
];

/// References that lead nowhere, with the reason: their searches are accepted and find nothing.
const LEADS_NOWHERE: &[(Entity, Entity, &str)] = &[
    (Entity::Template, Entity::StorageDomain, "Blank has no disk"),
    (Entity::Template, Entity::Nic, "Blank has no interface"),
    (Entity::Group, Entity::Event, "no event is about a group"),
    (Entity::Event, Entity::Volume, "there is no Gluster yet"),
    (Entity::Network, Entity::Provider, "there are no providers"),
];

fn cases(entity: Entity) -> &'static [Case] {
    match entity {
        Entity::DataCenter => DATA_CENTERS,
        Entity::Cluster => CLUSTERS,
        Entity::Host => HOSTS,
        Entity::StorageDomain => STORAGE_DOMAINS,
        Entity::Network => NETWORKS,
        Entity::Disk => DISKS,
        Entity::Vm => VMS,
        Entity::User => USERS,
        Entity::Group => GROUPS,
        Entity::Template => TEMPLATES,
        Entity::Event => EVENTS,
        other => panic!("{other:?} is not searched"),
    }
}

/// Every field and every reference that the code knows is in the tables above, and nothing else is.
#[test]
fn the_tables_forget_no_field() {
    let mut of_parts: BTreeSet<(Entity, &str)> = BTreeSet::new();
    for (entity, collection) in COLLECTIONS {
        let known: BTreeSet<&str> = entity.fields().iter().map(|field| field.name).collect();
        let absent = NOTHING_HAS.iter().filter(|(of, ..)| of == entity).flat_map(|(_, fields, _)| fields.iter().copied());
        let listed: Vec<&str> = cases(*entity).iter().map(|case| case.0).chain(absent).collect();
        assert_eq!(listed.len(), known.len(), "a field of {collection} stands twice or is missing: {listed:?}");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), known, "{collection}");
        let named = REFERENCES.iter().filter(|(of, ..)| of == collection);
        let named = named.map(|(_, reference, ..)| reference.split_once('.').expect("a field of a reference"));
        let named: Vec<(Entity, &str)> = named.map(|(name, field)| (Entity::called(name).expect("an entity"), field)).collect();
        let nowhere = LEADS_NOWHERE.iter().filter(|(of, ..)| of == entity).map(|(_, to, _)| *to);
        let listed: BTreeSet<Entity> = named.iter().map(|(to, _)| *to).chain(nowhere).collect();
        assert_eq!(listed, entity.references().iter().copied().collect(), "{collection}");
        of_parts.extend(named);
    }
    for part in [Entity::Nic, Entity::HostNic, Entity::ClusterNetwork, Entity::HostNetwork, Entity::Quota] {
        for field in part.fields() {
            assert!(of_parts.contains(&(part, field.name)), "{part:?}: {}", field.name);
        }
    }
}

/// An engine with objects that differ in each field, and their identifiers by name.
struct Lab {
    engine: Engine,
    admin: Caller,
    ids: BTreeMap<String, String>,
    _directory: Slapd,
}

fn encoded(search: &str) -> String {
    search
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02x}") })
        .collect()
}

impl Lab {
    async fn start() -> Self {
        let directory = Slapd::start().await;
        let options = Options { directory: directory.options(|_| ()).directory, ..Options::default() };
        let engine = fast_with(options, |estate, _| {
            let beta = estate.hosts.iter_mut().find(|host| host.address.to_string() == "192.168.0.12").unwrap();
            (beta.sockets, beta.cores_per_socket, beta.memory_bytes, beta.cpu_mhz) = (1, 4, 16 << 30, 1800.0);
            beta.cpu_model = "AMD Opteron".into();
        })
        .await;
        let admin = engine.admin();
        let mut lab = Self { engine, admin, ids: BTreeMap::new(), _directory: directory };
        lab.furnish().await;
        lab
    }

    fn filled(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
    }

    /// POSTs something that is made, and remembers its identifier.
    async fn make(&mut self, name: &str, path: &str, body: &str) {
        let id = self.made(&self.admin, path, body).await;
        self.ids.insert(name.to_owned(), id);
    }

    async fn made(&self, by: &Caller, path: &str, body: &str) -> String {
        let answer = by.post(&self.filled(path), self.filled(body)).await;
        assert!(matches!(answer.status, StatusCode::CREATED | StatusCode::ACCEPTED), "{path} {body}: {answer:?}");
        answer.id()
    }

    async fn done(&self, path: &str, body: &str) {
        let answer = self.admin.post(&self.filled(path), self.filled(body)).await;
        assert!(answer.status.is_success(), "{path} {body}: {answer:?}");
    }

    async fn until(&self, what: &str, is_so: impl Fn(&evirt_domain::World) -> bool) {
        let so = self.engine.server().app.engine.until(|world| is_so(world).then_some(()));
        assert!(tokio::time::timeout(PATIENCE, so).await.is_ok(), "it never comes to it: {what}");
    }

    /// The identifiers that a collection has under a search, in its order.
    async fn ids(&self, path: &str, search: &str) -> Vec<String> {
        let answer = self.admin.get(&format!("{path}?search={}", encoded(&self.filled(search)))).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {search}: {}", answer.body);
        let id = |node: &Node| node.children.iter().find(|child| child.name == "id").map(|id| id.text.clone());
        Node::xml(&answer.body).unwrap().children.iter().filter_map(id).collect()
    }

    async fn furnish(&mut self) {
        let data_center = "<data_center><name>Default</name></data_center>";
        let blank = "<template><name>Blank</name></template>";
        let host = |name: &str, last: u8, more: &str| {
            format!(
                "<host><name>{name}</name><address>192.168.0.{last}</address><root_password>redhat</root_password>{more}</host>"
            )
        };
        let network = |name: &str, more: &str| format!("<network><name>{name}</name>{more}</network>");
        let domain = |name: &str, class: &str, more: &str, kind: &str, path: &str| {
            let storage =
                format!("<storage><type>{kind}</type><address>192.168.0.10</address><path>{path}</path>{more}</storage>");
            format!("<storage_domain><name>{name}</name><type>{class}</type><host id=\"{{alpha}}\"/>{storage}</storage_domain>")
        };
        let north = "<comment>far off</comment><description>Up north</description><storage_type>iscsi</storage_type>";
        let cold = "<comment>snow</comment><description>Hosts in the north</description><cpu id=\"Intel Nehalem Family\"/>";
        let version = "<version major=\"3\" minor=\"2\"/>";
        let current = "<version major=\"3\" minor=\"3\"/>";
        let gluster = "<gluster_service>true</gluster_service><virt_service>false</virt_service>";
        let blue =
            "<comment>for guests</comment><description>A second one</description><mtu>9000</mtu><stp>true</stp><vlan id=\"7\"/>";
        let percents = "<storage_soft_limit_pct>75</storage_soft_limit_pct><storage_hard_limit_pct>25</storage_hard_limit_pct>";
        for (name, path, body) in [
            ("north", "datacenters", format!("<data_center><name>north</name>{north}{version}</data_center>")),
            (
                "local",
                "datacenters",
                format!("<data_center><name>local</name><storage_type>localfs</storage_type>{current}</data_center>"),
            ),
            ("cold", "clusters", format!("<cluster><name>cold</name>{cold}{version}<data_center id=\"{{north}}\"/></cluster>")),
            ("bare", "clusters", format!("<cluster><name>bare</name>{gluster}{data_center}</cluster>")),
            ("green", "tags", "<tag><name>green</name></tag>".into()),
            ("blue", "networks", network("blue", &format!("{blue}{data_center}"))),
            ("red", "networks", network("red", "<usages/><data_center id=\"{north}\"/>")),
            ("alpha", "hosts", host("alpha", 11, "<comment>rack 1</comment>")),
            ("beta", "hosts", host("beta", 12, "<comment>rack 2</comment><cluster><name>cold</name></cluster>")),
            ("gamma", "hosts", host("gamma", 13, "")),
            ("employees", "groups", "<group><name>example.org/groups/staff</name></group>".into()),
            ("joe", "users", "<user><user_name>joe@example.org</user_name></user>".into()),
            ("tom", "users", "<user><user_name>tom@internal</user_name></user>".into()),
            ("staff", "groups", "<group><name>staff</name></group>".into()),
            ("guests", "groups", "<group><name>guests</name></group>".into()),
        ] {
            self.make(name, &format!("/api/{path}"), &body).await;
        }
        for (name, id) in [("Default", DATA_CENTER), ("Everyone", "eee00000-0000-0000-0000-123456789eee")] {
            self.ids.insert(name.into(), id.into());
        }
        let quota = format!("<quota><name>enough</name><description>For all</description>{percents}</quota>");
        self.make("enough", "/api/datacenters/{Default}/quotas", &quota).await;
        self.done(&format!("/api/clusters/{CLUSTER}/networks"), "<network id=\"{blue}\"><required>false</required></network>")
            .await;
        let up = |w: &evirt_domain::World| w.hosts.values().filter(|host| host.status == HostStatus::Up).count() == 3;
        self.until("hosts are up", up).await;
        self.done("/api/hosts/{gamma}/deactivate", "<action/>").await;
        let (data, export, posix) = ("For disks", "For the road", "<vfs_type>nfs</vfs_type>");
        for (name, body) in [
            ("data", domain("data", "data", "", "nfs", "/data1")),
            ("export", domain("export", "export", "", "nfs", "/export1")),
            ("posix", domain("posix", "data", posix, "posixfs", "/posix1")),
        ] {
            let texts = match name {
                "data" => format!("<comment>fast</comment><description>{data}</description>"),
                "export" => format!("<comment>slow</comment><description>{export}</description>"),
                _ => String::new(),
            };
            self.make(name, "/api/storagedomains", &body.replace("<type>", &format!("{texts}<type>"))).await;
        }
        self.put("/api/datacenters/{Default}", "<data_center><comment>in town</comment></data_center>").await;
        self.done("/api/datacenters/{Default}/storagedomains", "<storage_domain id=\"{data}\"/>").await;
        let active = |w: &evirt_domain::World| {
            let mut attachments = w.storage_domains.values().flat_map(|domain| &domain.attachments);
            attachments.any(|attachment| attachment.status == AttachmentStatus::Active)
        };
        self.until("data is active", active).await;
        let web = "<comment>of the shop</comment><description>Front</description><memory>268435456</memory><type>server</type>\
                   <domain><name>example.com</name></domain><os type=\"rhel_6x64\"><boot dev=\"network\"/></os><quota id=\"{enough}\"/>\
                   <memory_policy><guaranteed>268435456</guaranteed></memory_policy>";
        let db = "<comment>of all</comment><description>Back</description><memory>536870912</memory><type>desktop</type>\
                  <domain><name>example.org</name></domain><os type=\"other\"/>";
        let vm = |name: &str, cluster: &str, more: &str| {
            format!("<vm><name>{name}</name><cluster><name>{cluster}</name></cluster>{blank}{more}</vm>")
        };
        self.make("web", "/api/vms", &vm("web", "Default", web)).await;
        self.make("db", "/api/vms", &vm("db", "cold", db)).await;
        let nic = "<nic><name>nic1</name><network><name>blue</name></network><mac address=\"00:1a:4a:00:00:77\"/></nic>";
        self.done("/api/vms/{web}/nics", nic).await;
        let disk = |name: &str, of: &str, gib: u64, more: &str| {
            let domain = "<storage_domains><storage_domain id=\"{data}\"/></storage_domains>";
            let size = gib << 30;
            format!("<disk><name>{name}</name><description>{of}</description><size>{size}</size>{domain}{more}</disk>")
        };
        let system = "<format>cow</format><interface>virtio</interface><bootable>true</bootable>\
                      <wipe_after_delete>true</wipe_after_delete><quota id=\"{enough}\"/>";
        let shared = "<format>raw</format><sparse>false</sparse><interface>virtio</interface><shareable>true</shareable>";
        self.make("system", "/api/vms/{web}/disks", &disk("system", "Of web", 2, system)).await;
        self.make("shared", "/api/disks", &disk("shared", "Of nobody", 1, shared)).await;
        self.until("disks are made", |w| w.open_jobs.is_empty()).await;
        let nics = self.admin.get(&self.filled("/api/hosts/{alpha}/nics")).await.body;
        let eth1 = nics.split("<host_nic ").find(|nic| nic.contains("<name>eth1</name>")).expect("a second interface");
        let eth1 = eth1.split(" id=\"").nth(1).and_then(|id| id.split('"').next()).expect("its identifier").to_owned();
        self.done(&format!("/api/hosts/{{alpha}}/nics/{eth1}/attach"), "<action><network id=\"{blue}\"/></action>").await;
        self.done("/api/vms/{web}/start", "<action/>").await;
        self.until("web is up", |w| w.vms.values().any(|vm| vm.state == VmState::Up)).await;
        for tagged in ["hosts/{alpha}", "vms/{web}", "users/{joe}", "groups/{staff}"] {
            self.done(&format!("/api/{tagged}/tags"), "<tag><name>green</name></tag>").await;
        }
        let role = "<permission><role><name>UserRole</name></role>";
        for holder in ["<user id=\"{joe}\"/>", "<group id=\"{staff}\"/>"] {
            self.done("/api/vms/{web}/permissions", &format!("{role}{holder}</permission>")).await;
        }
        self.done("/api/users/{tom}/roles", "<role><name>UserRole</name></role>").await;
        let said = |origin: &str, severity: &str, id: u8, text: &str, about: &str| {
            format!(
                "<event><origin>{origin}</origin><severity>{severity}</severity><custom_id>{id}</custom_id>\
                 <description>{text}</description>{about}</event>"
            )
        };
        let admin = self.ids("/api/users", "usrname=admin@internal").await.remove(0);
        self.ids.insert("admin".into(), admin);
        let warm = format!(
            "<vm id=\"{{web}}\"/><host id=\"{{alpha}}\"/><storage_domain id=\"{{data}}\"/><template><name>Blank</name></template>\
             <cluster id=\"{CLUSTER}\"/><data_center id=\"{DATA_CENTER}\"/><user id=\"{{admin}}\"/>"
        );
        let hot = "<vm id=\"{db}\"/><host id=\"{beta}\"/><storage_domain id=\"{export}\"/><cluster id=\"{cold}\"/>\
                   <data_center id=\"{north}\"/><user id=\"{joe}\"/>";
        for (name, correlation, body) in [
            ("warm", "sensor-1", said("nagios", "warning", 7, "It is warm", &warm)),
            ("hot", "sensor-2", said("zabbix", "alert", 8, "It is hot", hot)),
        ] {
            let caller = self.engine.admin().with("correlation-id", correlation);
            let id = self.made(&caller, "/api/events", &body).await;
            self.ids.insert(name.into(), id);
        }
        for (name, path, search) in [
            ("Default cluster", "/api/clusters", "name=Default"),
            ("rhevm", "/api/networks", "name=rhevm and datacenter=Default"),
            ("Blank", "/api/templates", ""),
            ("hypervisor", "/api/hosts", "name=hypervisor"),
            ("quota told", "/api/events", "type=3000"),
        ] {
            let id = self.ids(path, search).await.remove(0);
            self.ids.insert(name.into(), id);
        }
    }

    async fn put(&self, path: &str, body: &str) {
        let answer = self.admin.put(&self.filled(path), self.filled(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path} {body}: {answer:?}");
    }

    /// The identifier of what a table names in a collection.
    fn id(&self, collection: &str, name: &str) -> &str {
        let name = if (collection, name) == ("clusters", "Default") { "Default cluster" } else { name };
        self.ids.get(name).map_or("-", String::as_str)
    }
}

/// A search that does not hold, as a line.
type Wrong = Vec<String>;

/// What is asked of one field.
struct Question<'a> {
    lab: &'a Lab,
    collection: &'a str,
    field: &'static SearchField,
    /// The two objects with the values in them.
    objects: [(&'a str, Is); 2],
}

impl Question<'_> {
    /// Which of the two a search finds, below a path with parameters.
    async fn found(&self, parameters: &str, search: &str) -> [bool; 2] {
        let ids = self.lab.ids(&format!("/api/{}{parameters}", self.collection), search).await;
        self.objects.map(|(name, _)| ids.iter().any(|id| id == self.lab.id(self.collection, name)))
    }

    /// Looks whether a search finds those of the two that it should; what is not there cannot be found.
    async fn expect(&self, parameters: &str, search: &str, expected: [bool; 2], wrong: &mut Wrong) {
        let there = self.objects.map(|(name, _)| name != "-");
        let expected = [expected[0] && there[0], expected[1] && there[1]];
        let found = self.found(&format!(";max=-1{parameters}"), search).await;
        if found != expected {
            wrong
                .push(format!("{}{parameters}: {search}: {:?} is {found:?} and not {expected:?}", self.collection, self.objects));
        }
    }

    async fn ask(&self, wrong: &mut Wrong) {
        let name = self.field.name;
        let values = self.objects.map(|(_, value)| value);
        let absent = values.map(|value| value == Absent);
        for null in ["null", "\"\""] {
            if self.field.operators.contains(&Operator::NotEqual) && !matches!(values[0], Between(..)) && self.is_text() {
                self.expect("", &format!("{name}={null}"), absent, wrong).await;
                self.expect("", &format!("{name} != {null}"), absent.map(|absent| !absent), wrong).await;
            }
        }
        match self.field.kind {
            FieldKind::Text | FieldKind::Substring | FieldKind::Tag => self.ask_text(wrong).await,
            FieldKind::Enum(_) | FieldKind::Bool | FieldKind::Uuid => self.ask_word(wrong).await,
            FieldKind::Int | FieldKind::Decimal => self.ask_number(wrong).await,
            FieldKind::Date => self.ask_date(wrong).await,
            FieldKind::TimeSpan => self.ask_time_span(wrong).await,
        }
        self.ask_order(wrong).await;
    }

    fn is_text(&self) -> bool {
        matches!(self.field.kind, FieldKind::Text)
    }

    async fn ask_text(&self, wrong: &mut Wrong) {
        let name = self.field.name;
        let [one, other] = self.objects.map(|(_, value)| match value {
            Just(text) => Some((self.lab.filled(text), true)),
            Begins(text) => Some((text.to_owned(), false)),
            _ => None,
        });
        let (text, whole) = one.expect("a text of the first");
        let same = other.as_ref().is_some_and(|(other, _)| *other == text);
        let there = other.is_some();
        let first: String = text.chars().take(1).collect();
        let shares = |part: &str| other.as_ref().is_some_and(|(other, _)| other.starts_with(part));
        self.expect("", &format!("{name}=\"{text}*\""), [true, same || shares(&text)], wrong).await;
        self.expect("", &format!("{name} = {first}*"), [true, shares(&first)], wrong).await;
        self.expect("", &format!("{name}=nothing*like*this"), [false, false], wrong).await;
        if whole {
            self.expect("", &format!("{name}=\"{text}\""), [true, same], wrong).await;
            let last: String = text.chars().last().into_iter().collect();
            let ends = other.as_ref().is_some_and(|(other, _)| other.ends_with(&last));
            self.expect("", &format!("{}=*{last}", name.to_uppercase()), [true, ends], wrong).await;
            let turned: String =
                text.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
            if turned != text {
                if self.field.kind != FieldKind::Tag {
                    self.expect("", &format!("{name}=\"{turned}\""), [false, false], wrong).await;
                }
                for parameter in [";case_sensitive=false", ";case-sensitive=false"] {
                    self.expect(parameter, &format!("{name}=\"{turned}\""), [true, same], wrong).await;
                }
            }
        }
        if self.field.operators.contains(&Operator::NotEqual) {
            self.expect("", &format!("{name}!=\"{text}*\""), [false, there && !same && !shares(&text)], wrong).await;
        }
        if self.field.free_text && whole {
            let found = self.found(";max=-1", &format!("\"{text}\"")).await;
            if !found[0] {
                wrong.push(format!("{}: the free text {text:?} of {name} is not found", self.collection));
            }
        }
    }

    /// Something of a closed set, or an identifier: in any spelling.
    async fn ask_word(&self, wrong: &mut Wrong) {
        let name = self.field.name;
        let [one, other] = self.objects.map(|(_, value)| match value {
            Just(text) => Some(self.lab.filled(text)),
            _ => None,
        });
        let word = one.clone().expect("a word of the first");
        let same = other.as_ref() == Some(&word);
        for spelled in [word.clone(), word.to_uppercase(), format!("\"{word}\"")] {
            self.expect("", &format!("{name}={spelled}"), [true, same], wrong).await;
        }
        self.expect("", &format!("{name}!={word}"), [false, other.is_some() && !same], wrong).await;
        if let FieldKind::Enum(members) = self.field.kind {
            for (rank, member) in members.iter().enumerate() {
                let is = |value: &Option<String>| value.as_ref().is_some_and(|value| member.is_spelled(value));
                let found = [is(&one), is(&other)];
                self.expect("", &format!("{name}={}", member.internal), found, wrong).await;
                self.expect("", &format!("{name}={}", member.rest.to_uppercase()), found, wrong).await;
                if self.field.operators.contains(&Operator::Less) {
                    let own =
                        |value: &Option<String>| members.iter().position(|m| value.as_ref().is_some_and(|v| m.is_spelled(v)));
                    let ranks = [own(&one), own(&other)];
                    self.expect(
                        "",
                        &format!("{name}<{}", member.rest),
                        ranks.map(|own| own.is_some_and(|own| own < rank)),
                        wrong,
                    )
                    .await;
                    self.expect(
                        "",
                        &format!("{name}>={}", member.rest),
                        ranks.map(|own| own.is_some_and(|own| own >= rank)),
                        wrong,
                    )
                    .await;
                }
            }
            let bad = self.lab.admin.get(&format!("/api/{}?search={name}%3Dnonsense", self.collection)).await;
            if bad.status != StatusCode::BAD_REQUEST {
                wrong.push(format!("{}: {name}=nonsense is accepted", self.collection));
            }
        }
    }

    async fn ask_number(&self, wrong: &mut Wrong) {
        let name = self.field.name;
        let ranges = self.objects.map(|(_, value)| match value {
            Just(number) => number.parse().ok().map(|number: i64| (number, number)),
            Between(least, most) => Some((least, most)),
            _ => None,
        });
        let mut pivots: Vec<i64> =
            ranges.iter().flatten().flat_map(|(least, most)| [*least, *most, least - 1, most + 1]).collect();
        pivots.sort_unstable();
        pivots.dedup();
        for operator in self.field.operators {
            for pivot in pivots.iter().copied().filter(|pivot| *pivot >= 0) {
                // Where only a range is known, what lies within it may be either way.
                let holds = |(least, most): (i64, i64)| match operator {
                    Operator::Equal if least == most => Some(least == pivot),
                    Operator::Equal => (pivot < least || pivot > most).then_some(false),
                    Operator::NotEqual if least == most => Some(least != pivot),
                    Operator::NotEqual => (pivot < least || pivot > most).then_some(true),
                    Operator::Less => {
                        if most < pivot {
                            Some(true)
                        } else {
                            (least >= pivot).then_some(false)
                        }
                    }
                    Operator::LessOrEqual => {
                        if most <= pivot {
                            Some(true)
                        } else {
                            (least > pivot).then_some(false)
                        }
                    }
                    Operator::Greater => {
                        if least > pivot {
                            Some(true)
                        } else {
                            (most <= pivot).then_some(false)
                        }
                    }
                    Operator::GreaterOrEqual => {
                        if least >= pivot {
                            Some(true)
                        } else {
                            (most < pivot).then_some(false)
                        }
                    }
                };
                let [one, other] = ranges.map(|range| range.map_or(Some(false), holds));
                if let (Some(one), Some(other)) = (one, other) {
                    self.expect("", &format!("{name}{}{pivot}", operator.as_str()), [one, other], wrong).await;
                }
            }
        }
    }

    async fn ask_date(&self, wrong: &mut Wrong) {
        let name = self.field.name;
        let there = self.objects.map(|(_, value)| value == Today);
        let none = [false, false];
        for long_ago in ["2013-10-20", "10/20/2013", "10/20/13", "\"Oct 20, 2013\"", "yesterday", "\"2013-10-20 12:30:01\""] {
            if self.field.operators.contains(&Operator::Greater) {
                self.expect("", &format!("{name}>{long_ago}"), there, wrong).await;
                self.expect("", &format!("{name}<{long_ago}"), none, wrong).await;
            }
            if self.field.operators.contains(&Operator::Equal) {
                self.expect("", &format!("{name}={long_ago}"), none, wrong).await;
            }
        }
    }

    async fn ask_time_span(&self, wrong: &mut Wrong) {
        let (name, there) = (self.field.name, self.objects.map(|(_, value)| value == Lasting));
        for (search, found) in [("<1:00:00", there), ("<1.00:00:00", there), (">1:00:00", [false, false])] {
            self.expect("", &format!("{name}{search}"), found, wrong).await;
        }
    }

    /// Sorts by the field: the two stand as their values say, what has none at the end, and pages show the same order.
    async fn ask_order(&self, wrong: &mut Wrong) {
        let name = self.field.name;
        for (direction, descends) in [("", false), (" asc", false), (" desc", true)] {
            let path = format!("/api/{};max=-1", self.collection);
            let all = self.lab.ids(&path, &format!("sortby {name}{direction}")).await;
            let places = self.objects.map(|(object, _)| all.iter().position(|id| id == self.lab.id(self.collection, object)));
            let ([Some(one), Some(other)], Some(first)) = (places, self.comes_first(descends)) else { continue };
            if (one < other) != first {
                wrong.push(format!("{}: sortby {name}{direction}: {:?}", self.collection, self.objects));
            }
            let paged = format!("/api/{};max=1", self.collection);
            let page =
                self.lab.ids(&paged, &format!("sortby {name}{} page {}", if descends { " desc" } else { " asc" }, one + 1)).await;
            if !self.field.operators.contains(&Operator::LessOrEqual) && page != [all[one].clone()] {
                wrong.push(format!("{}: page {} by {name}{direction} is {page:?}", self.collection, one + 1));
            }
        }
    }

    /// Whether the first object stands before the other, where their values say so.
    fn comes_first(&self, descends: bool) -> Option<bool> {
        let values = self.objects.map(|(_, value)| value);
        if values[1] == Absent && values[0] != Absent {
            return Some(true);
        }
        if values[0] == Absent {
            return (values[1] != Absent).then_some(false);
        }
        let [Just(one), Just(other)] = values else { return None };
        let (one, other) = (self.lab.filled(one), self.lab.filled(other));
        let order = match self.field.kind {
            FieldKind::Int | FieldKind::Decimal => one.parse::<i64>().ok()?.cmp(&other.parse().ok()?),
            FieldKind::Enum(members) => {
                let rank = |value: &str| members.iter().position(|member| member.is_spelled(value));
                rank(&one).cmp(&rank(&other))
            }
            _ => one.to_lowercase().cmp(&other.to_lowercase()),
        };
        order.is_ne().then_some(order.is_lt() != descends)
    }
}

#[tokio::test]
async fn every_field_finds_what_has_its_value() {
    let lab = Lab::start().await;
    let mut wrong = Wrong::new();
    for (entity, collection) in COLLECTIONS {
        for (name, one, one_is, other, other_is) in cases(*entity) {
            let field = entity.field(name).expect("a field");
            let question = Question { lab: &lab, collection, field, objects: [(one, *one_is), (other, *other_is)] };
            question.ask(&mut wrong).await;
        }
    }
    for (entity, fields, _) in NOTHING_HAS {
        let (_, collection) = COLLECTIONS.iter().find(|(of, _)| of == entity).expect("a collection");
        for field in fields.iter().filter_map(|field| entity.field(field)).filter(|field| field.kind == FieldKind::Text) {
            let found = lab.ids(&format!("/api/{collection}"), &format!("{}=*", field.name)).await;
            if !found.is_empty() {
                wrong.push(format!("{collection}: {} is there after all", field.name));
            }
        }
    }
    for (collection, reference, value, one, other) in REFERENCES {
        let path = format!("/api/{collection};max=-1");
        let (name, field) = reference.split_once('.').expect("a field");
        let entity = Entity::called(name).expect("an entity");
        let field = entity.field(field).expect("a field");
        let mut searches =
            vec![(format!("{reference}=\"{value}\""), true), (format!("{name}s.{} = \"{value}\"", field.name), true)];
        if field.kind == FieldKind::Text {
            searches.push((format!("{reference}=nothing-like-this"), false));
        }
        if field.free_text {
            searches.push((format!("{name}=\"{value}\""), true));
            searches.push((format!("{name}=nothing-like-this"), false));
        }
        for (search, there) in searches {
            let ids = lab.ids(&path, &search).await;
            let found = |name: &str| ids.iter().any(|id| id == lab.id(collection, name));
            if found(one) != there || found(other) {
                wrong.push(format!("{collection}: {search}: {one} {} and {other} {}", found(one), found(other)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} searches are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
