//! States and answers that clients live by: what scripts, portals and other systems' modules expect of an engine, over HTTP.

use std::sync::atomic::{AtomicU32, Ordering};

use evirt::config::Options;
use evirt::face::ovirt::{DeleteAnswers, OvirtOptions};
use evirt::hypervisor::estate::Estate;
use evirt_domain::World;
use evirt_domain::host::HostStatus;
use evirt_domain::vm_run::VmState;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::engine::{Answer, Caller, Engine, fast_with, on_one_line};

const DATA_CENTER: &str = "5849b030-626e-47cb-ad90-3ce782d831b3";
const CLUSTER: &str = "99408929-82cf-4dc7-a532-9d998063fa95";
const VERSION: &str = "<version major=\"3\" minor=\"3\"/>";
/// What has the place of a VM in its body.
const PLACE: &str = "<cluster><name>Default</name></cluster><template><name>Blank</name></template>";

/// An engine on an estate where the node is up in the cluster Default.
struct Lab {
    engine: Engine,
    admin: Caller,
    node: String,
}

impl Lab {
    async fn start() -> Self {
        Self::with(Options::default(), |_| ()).await
    }

    async fn with(options: Options, change: impl FnOnce(&mut Estate)) -> Self {
        let engine = fast_with(options, |estate, _| change(estate)).await;
        let admin = engine.admin();
        let node = engine.server().app.engine.until(|world| world.hosts.values().next().map(|host| host.id)).await;
        let lab = Self { admin, node: format!("/api/hosts/{node}"), engine };
        let approve = "<action><cluster><name>Default</name></cluster></action>";
        lab.ok(Method::POST, &format!("{}/approve", lab.node), approve).await;
        lab.until(|world| world.hosts.get(&node).is_some_and(|host| host.status == HostStatus::Up)).await;
        lab
    }

    /// The same with an active data domain and an active ISO domain.
    async fn with_storage() -> Self {
        let lab = Self::start().await;
        lab.attached("data1", "data", "/data1").await;
        lab.attached("iso1", "iso", "/iso1").await;
        lab
    }

    async fn until(&self, is_so: impl Fn(&World) -> bool) {
        let so = self.engine.server().app.engine.until(|world| is_so(world).then_some(()));
        tokio::time::timeout(std::time::Duration::from_secs(20), so).await.expect("it comes to that");
    }

    async fn ok(&self, method: Method, path: &str, body: &str) -> Answer {
        let answer = self.admin.ask(method, path, Some(body.to_owned()).filter(|body| !body.is_empty())).await;
        assert!(answer.status.is_success(), "{path} {body}: {answer:?}");
        answer
    }

    /// POSTs something that is created, and gives its path.
    async fn made(&self, path: &str, body: &str) -> String {
        format!("{path}/{}", self.ok(Method::POST, path, body).await.id())
    }

    /// What is refused: with this status, a fault that has the word, and no event.
    async fn refused(&self, method: Method, path: &str, body: &str, status: u16, word: &str) {
        let answer = self.engine.refused().ask(method.clone(), path, Some(body.to_owned())).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}: {answer:?}");
        let json = body.starts_with('{');
        assert!(json || answer.body.contains("<fault>"), "{answer:?}");
        assert!(answer.body.contains(word), "{method} {path} {body}: {word} is not in {}", answer.body);
        assert_eq!(self.engine.left_by_refused().await, [""; 0], "{method} {path} {body}");
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.engine.admin().with("accept", "application/json").get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    fn new_domain(&self, name: &str, class: &str, path: &str) -> String {
        format!(
            "<storage_domain><name>{name}</name><type>{class}</type><host id=\"{}\"/><storage><type>nfs</type>\
             <address>192.168.0.10</address><path>{path}</path></storage></storage_domain>",
            id(&self.node)
        )
    }

    async fn domain(&self, name: &str, class: &str, path: &str) -> String {
        self.made("/api/storagedomains", &self.new_domain(name, class, path)).await
    }

    async fn attached(&self, name: &str, class: &str, path: &str) -> String {
        let domain = self.domain(name, class, path).await;
        let body = format!("<storage_domain id=\"{}\"/>", id(&domain));
        self.ok(Method::POST, &format!("/api/datacenters/{DATA_CENTER}/storagedomains"), &body).await;
        domain
    }

    async fn vm(&self, name: &str, more: &str) -> String {
        self.made("/api/vms", &format!("<vm><name>{name}</name><memory>134217728</memory>{PLACE}{more}</vm>")).await
    }

    /// A disk of a VM, ready.
    async fn disk(&self, vm: &str, more: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let alias = format!("disk{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let body = format!(
            "<disk><alias>{alias}</alias><size>1073741824</size><interface>virtio</interface><format>cow</format>{more}</disk>"
        );
        let disk = self.made(&format!("{vm}/disks"), &body).await;
        self.until(|world| world.open_jobs.is_empty()).await;
        disk
    }

    /// Starts a VM and waits until it is up.
    async fn up(&self, vm: &str, start: &str) {
        self.ok(Method::POST, &format!("{vm}/start"), start).await;
        let id = id(vm).to_owned();
        self.until(|world| world.vms.values().any(|vm| vm.id.to_string() == id && vm.state == VmState::Up)).await;
    }
}

/// The identifier at the end of a path.
fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

const DATA1: &str = "<storage_domains><storage_domain><name>data1</name></storage_domain></storage_domains>";
const ON_NETWORK: &str = "<os><boot dev=\"network\"/></os>";

#[tokio::test]
async fn what_runs_is_shown_as_it_runs() {
    let lab = Lab::with_storage().await;
    let vm = lab.vm("guest", &format!("<display><type>spice</type></display>{ON_NETWORK}")).await;
    lab.ok(Method::POST, &format!("{vm}/nics"), "<nic><name>nic1</name><network><name>rhevm</name></network></nic>").await;
    let once = "<action><vm><os><boot dev=\"cdrom\"/><boot dev=\"network\"/><kernel>/vmlinuz</kernel><initrd>/initrd</initrd>\
                <cmdline>quiet</cmdline></os><display><type>vnc</type></display><stateless>true</stateless></vm></action>";
    lab.up(&vm, once).await;
    let shown = lab.json(&vm).await;
    assert_eq!((&shown["display"]["type"], &shown["display"]["port"].is_null()), (&"vnc".into(), &false), "{shown}");
    assert_eq!(shown["os"]["boot"][0]["dev"], "cdrom", "{shown}");
    assert_eq!((&shown["os"]["kernel"], &shown["os"]["cmdline"]), (&"/vmlinuz".into(), &"quiet".into()), "{shown}");
    assert_eq!(shown["stateless"].to_string().trim_matches('"'), "true", "{shown}");
    // Who sends it back as it is shown, as SDKs do, changes nothing but what it changes.
    let back = lab.admin.get(&vm).await.body.replace("<name>guest</name>", "<name>guest</name><description>mine</description>");
    lab.ok(Method::PUT, &vm, &back).await;
    lab.ok(Method::POST, &format!("{vm}/stop"), "<action/>").await;
    let shown = lab.json(&vm).await;
    assert_eq!((&shown["display"]["type"], &shown["description"]), (&"spice".into(), &"mine".into()), "{shown}");
    assert_eq!((&shown["os"]["boot"][0]["dev"], &shown["os"]["kernel"]), (&"network".into(), &Value::Null), "{shown}");
}

#[tokio::test]
async fn what_a_script_does_next_works() {
    let lab = Lab::with_storage().await;
    let vm = lab.vm("guest", "").await;
    let disk = lab.disk(&vm, DATA1).await;
    lab.up(&vm, "<action/>").await;
    lab.ok(Method::POST, &format!("{vm}/stop"), "<action/>").await;
    lab.ok(Method::PUT, &vm, "<vm><memory>268435456</memory></vm>").await;
    lab.up(&vm, "<action/>").await;
    lab.ok(Method::POST, &format!("{disk}/deactivate"), "<action/>").await;
    lab.ok(Method::DELETE, &disk, "").await;
    lab.ok(Method::POST, &format!("{vm}/stop"), "<action/>").await;
    assert_eq!(lab.json(&vm).await["status"]["state"], "down");
    lab.ok(Method::DELETE, &vm, "").await;
    assert_eq!(lab.admin.get(&vm).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_shown_as_unattached_can_be_attached_formatted_and_imported() {
    let lab = Lab::start().await;
    let center = format!("/api/datacenters/{DATA_CENTER}");
    let domain = lab.attached("data1", "data", "/data1").await;
    let within = format!("{center}/storagedomains");
    lab.ok(Method::POST, &format!("{within}/{}/deactivate", id(&domain)), "<action/>").await;
    lab.ok(Method::DELETE, &center, "").await;
    assert_eq!(lab.json(&domain).await["status"]["state"], "unattached");
    let anew = format!("<data_center><name>anew</name><storage_type>nfs</storage_type>{VERSION}</data_center>");
    let anew = lab.made("/api/datacenters", &anew).await;
    let cluster = format!("/api/clusters/{CLUSTER}");
    lab.ok(Method::PUT, &cluster, &format!("<cluster><data_center id=\"{}\"/></cluster>", id(&anew))).await;
    let there = format!("{anew}/storagedomains");
    lab.ok(Method::POST, &there, &format!("<storage_domain id=\"{}\"/>", id(&domain))).await;
    assert_eq!(lab.json(&format!("{there}/{}", id(&domain))).await["status"]["state"], "active");

    // A second time, and then it is wiped and made anew on its path.
    lab.ok(Method::POST, &format!("{there}/{}/deactivate", id(&domain)), "<action/>").await;
    lab.ok(Method::DELETE, &anew, "").await;
    let wipe = format!("<storage_domain><host id=\"{}\"/><format>true</format></storage_domain>", id(&lab.node));
    lab.ok(Method::DELETE, &domain, &wipe).await;
    lab.domain("data1", "data", "/data1").await;
}

#[tokio::test]
async fn an_export_domain_that_a_data_center_left_is_imported_and_attached() {
    let lab = Lab::start().await;
    let center = format!("/api/datacenters/{DATA_CENTER}");
    lab.attached("data1", "data", "/data1").await;
    let export = lab.attached("export1", "export", "/export1").await;
    lab.ok(Method::POST, &format!("{}/deactivate", lab.node), "<action/>").await;
    lab.until(|world| world.hosts.values().all(|host| host.status == HostStatus::Maintenance)).await;
    lab.ok(Method::DELETE, &center, "<action><force>true</force></action>").await;
    assert_eq!(lab.json(&export).await["status"]["state"], "unattached");
    let anew = format!("<data_center><name>anew</name><storage_type>nfs</storage_type>{VERSION}</data_center>");
    let anew = lab.made("/api/datacenters", &anew).await;
    lab.ok(Method::PUT, &format!("/api/clusters/{CLUSTER}"), &format!("<cluster><data_center id=\"{}\"/></cluster>", id(&anew)))
        .await;
    lab.ok(Method::POST, &format!("{}/activate", lab.node), "<action/>").await;
    lab.until(|world| world.hosts.values().all(|host| host.status == HostStatus::Up)).await;
    let there = format!("{anew}/storagedomains");
    let data = lab.domain("data2", "data", "/data2").await;
    lab.ok(Method::POST, &there, &format!("<storage_domain id=\"{}\"/>", id(&data))).await;
    // What is only let go of keeps what lies on it, and is found again.
    let let_go = format!("<storage_domain><host id=\"{}\"/></storage_domain>", id(&lab.node));
    lab.ok(Method::DELETE, &export, &let_go).await;
    let found = lab.new_domain("export1", "export", "/export1").replace("<name>export1</name>", "");
    let again = lab.made("/api/storagedomains", &found).await;
    assert_eq!(id(&again), id(&export));
    lab.ok(Method::POST, &there, &format!("<storage_domain id=\"{}\"/>", id(&export))).await;
    assert_eq!(lab.json(&format!("{there}/{}", id(&export))).await["status"]["state"], "active");
}

#[tokio::test]
async fn only_what_is_plugged_in_stands_against_a_change() {
    let lab = Lab::with_storage().await;
    let vm = lab.vm("guest", "").await;
    lab.disk(&vm, &format!("{DATA1}<bootable>true</bootable>")).await;
    let second = lab.disk(&vm, "").await;
    let nic = lab.made(&format!("{vm}/nics"), "<nic><name>nic1</name></nic>").await;
    lab.up(&vm, "<action/>").await;
    let change = "<disk><interface>virtio_scsi</interface></disk>";
    lab.refused(Method::PUT, &second, change, 409, "VM is running").await;
    lab.ok(Method::POST, &format!("{second}/deactivate"), "<action/>").await;
    let changed = "<disk><name>renamed</name><interface>ide</interface><wipe_after_delete>true</wipe_after_delete></disk>";
    lab.ok(Method::PUT, &second, changed).await;
    let shown = lab.json(&second).await;
    assert_eq!((&shown["name"], &shown["interface"]), (&"renamed".into(), &"ide".into()), "{shown}");
    lab.refused(Method::POST, &format!("{second}/activate"), "<action/>", 409, "").await;
    lab.ok(Method::PUT, &second, change).await;
    lab.ok(Method::POST, &format!("{second}/activate"), "<action/>").await;
    let mac = "<nic><mac address=\"00:1a:4a:00:00:55\"/></nic>";
    lab.refused(Method::PUT, &nic, mac, 409, "").await;
    lab.ok(Method::POST, &format!("{nic}/deactivate"), "<action/>").await;
    lab.ok(Method::PUT, &nic, mac).await;
}

#[tokio::test]
async fn states_that_stand_against_a_change_are_conflicts() {
    let lab = Lab::start().await;
    let domain = lab.domain("data1", "data", "/data1").await;
    for change in ["<name>other</name>", "<description>other</description>"] {
        let body = format!("<storage_domain>{change}</storage_domain>");
        lab.refused(Method::PUT, &domain, &body, 409, "unattached").await;
    }
    // What says nothing new changes nothing.
    lab.ok(Method::PUT, &domain, "<storage_domain><name>data1</name></storage_domain>").await;
    let center = format!("<data_center id=\"{DATA_CENTER}\"/>");
    let other = format!("<cluster><name>other</name><cpu id=\"Intel Nehalem Family\"/>{center}{VERSION}</cluster>");
    lab.made("/api/clusters", &other).await;
    let moved = "<host><cluster><name>other</name></cluster></host>";
    lab.refused(Method::PUT, &lab.node, moved, 409, "maintenance").await;
}

#[tokio::test]
async fn a_discovery_that_fails_is_a_plain_fault() {
    let lab = Lab::start().await;
    let discover = format!("{}/iscsidiscover", lab.node);
    for body in
        ["<action><iscsi><address>192.168.0.77</address></iscsi></action>", "{\"iscsi\": {\"address\": \"192.168.0.77\"}}"]
    {
        let answer = lab.admin.post(&discover, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
        assert!(!answer.body.contains("action") && answer.body.contains("Failed discovery of iSCSI targets"), "{answer:?}");
    }
}

#[tokio::test]
async fn the_network_of_a_vnic_profile_stays() {
    let lab = Lab::start().await;
    let made = async |name: &str| {
        lab.made("/api/networks", &format!("<network><name>{name}</name><data_center id=\"{DATA_CENTER}\"/></network>")).await
    };
    let (one, other) = (made("n1").await, made("n2").await);
    let new = format!("<vnic_profile><name>p</name><network id=\"{}\"/></vnic_profile>", id(&one));
    let profile = lab.made("/api/vnicprofiles", &new).await;
    for network in [
        format!("<network id=\"{}\"/>", id(&other)),
        "<network><name>n2</name></network>".into(),
        "<network name=\"n2\"/>".into(),
        "<network/>".into(),
        "<network id=\"\"/>".into(),
    ] {
        let body = format!("<vnic_profile><name>q</name>{network}</vnic_profile>");
        lab.refused(Method::PUT, &profile, &body, 400, "network cannot be changed").await;
    }
    let json = format!("{{\"network\": {{\"id\": \"{}\"}}}}", id(&other));
    lab.refused(Method::PUT, &profile, &json, 400, "network cannot be changed").await;
    for network in [format!("<network id=\"{}\"/>", id(&one)), "<network><name>n1</name></network>".into(), String::new()] {
        lab.ok(Method::PUT, &profile, &format!("<vnic_profile><name>q</name>{network}</vnic_profile>")).await;
    }
}

#[tokio::test]
async fn what_the_guide_requires_is_required() {
    let lab = Lab::with_storage().await;
    let disk = |more: &str| {
        format!("<disk><alias>d</alias><size>1073741824</size><interface>virtio</interface><format>cow</format>{more}</disk>")
    };
    let missing = "Disk [storageDomains.id|name] required for add";
    let vm = lab.vm("guest", "").await;
    let disks = format!("{vm}/disks");
    for path in ["/api/disks", disks.as_str()] {
        for nowhere in ["", "<storage_domains/>", "<storage_domains><storage_domain/></storage_domains>"] {
            lab.refused(Method::POST, path, &disk(nowhere), 400, missing).await;
        }
        let json = "{\"alias\": \"d\", \"size\": 1073741824, \"interface\": \"virtio\", \"format\": \"cow\"}";
        lab.refused(Method::POST, path, json, 400, missing).await;
        lab.refused(Method::POST, path, "<disk><storage_domains/></disk>", 400, "Disk [format, interface] required for add")
            .await;
        let unit = "<lun_storage><type>iscsi</type><logical_unit id=\"1\"><address>a</address><target>t</target><port>1</port>\
                    </logical_unit></lun_storage>";
        let answer = lab.admin.post(path, disk(unit)).await;
        assert!(!answer.body.contains(missing), "a logical unit lies on no domain: {answer:?}");
    }
    let floating = lab.made("/api/disks", &disk(DATA1)).await;
    lab.until(|world| world.open_jobs.is_empty()).await;
    // One that is there needs none, and where there is one a second goes to it.
    lab.ok(Method::POST, &disks, &format!("<disk id=\"{}\"/>", id(&floating))).await;
    let second = lab.disk(&vm, "").await;
    let domain = |disk: Value| disk["storage_domains"]["storage_domain"][0]["id"].clone();
    assert_eq!(domain(lab.json(&second).await), domain(lab.json(&floating).await));
    let within = format!("/api/storagedomains/{}/disks", domain(lab.json(&floating).await).as_str().unwrap());
    lab.ok(Method::POST, &within, &disk("")).await;

    let center = |version: &str| format!("<data_center><name>c</name><storage_type>nfs</storage_type>{version}</data_center>");
    for version in ["", "<version/>", "<version major=\"3\"/>", "<version minor=\"3\"/>"] {
        lab.refused(Method::POST, "/api/datacenters", &center(version), 400, "required for add").await;
    }
    lab.refused(Method::POST, "/api/datacenters", "{\"name\": \"c\", \"storage_type\": \"nfs\"}", 400, "version.major").await;
    lab.made("/api/datacenters", &center(VERSION)).await;
}

#[tokio::test]
async fn addresses_that_can_be_none_are_refused_before_anything_is_connected_to() {
    let lab = Lab::start().await;
    use evirt::hypervisor::{CallKind, DriverError};
    let host = id(&lab.node).to_owned();
    let portal = |address: &str| format!("<action><iscsi><address>{address}</address><target>iqn.t</target></iscsi></action>");
    let storage = |kind: &str, address: &str| {
        let more = match kind {
            "iscsi" => {
                format!("<logical_unit id=\"1\"><address>{address}</address><port>1</port><target>t</target></logical_unit>")
            }
            "glance" => format!("<address>{address}</address>"),
            _ => format!("<address>{address}</address><path>/data1</path><vfs_type>nfs</vfs_type>"),
        };
        let class = if kind == "glance" { "image" } else { "data" };
        format!(
            "<storage_domain><name>s</name><type>{class}</type><host id=\"{host}\"/><storage><type>{kind}</type>{more}</storage>\
             </storage_domain>"
        )
    };
    // The first call of each kind fails: as long as it is not made.
    for kind in [CallKind::Probe, CallKind::CheckStorage, CallKind::DiscoverTargets, CallKind::LoginTarget] {
        lab.engine.server().simulator.fail_next(kind, DriverError::Failed { message: "it was asked".into() });
    }
    for address in ["256.1.1.1", "10.1.167", "a b", "1.2.3.4.5", "-a.example.org", "a..b"] {
        let new = format!("<host><name>h</name><address>{address}</address><root_password>redhat</root_password></host>");
        lab.refused(Method::POST, "/api/hosts", &new, 400, "address").await;
        let power = format!(
            "<host><power_management type=\"ipmilan\"><enabled>true</enabled><address>{address}</address><username>u</username>\
             <password>p</password></power_management></host>"
        );
        lab.refused(Method::PUT, &lab.node, &power, 400, "power_management.address").await;
        for kind in ["nfs", "posixfs", "glusterfs", "iscsi", "glance"] {
            lab.refused(Method::POST, "/api/storagedomains", &storage(kind, address), 400, "address is not valid").await;
        }
        let import = storage("nfs", address).replace("<name>s</name><type>data", "<type>export");
        lab.refused(Method::POST, "/api/storagedomains", &import, 400, "address is not valid").await;
        let connection = format!(
            "<storage_connection><type>nfs</type><address>{address}</address><path>/data1</path><host id=\"{host}\"/>\
             </storage_connection>"
        );
        lab.refused(Method::POST, "/api/storageconnections", &connection, 400, "address is not valid").await;
        for action in ["iscsidiscover", "iscsilogin"] {
            lab.refused(Method::POST, &format!("{}/{action}", lab.node), &portal(address), 400, "iscsi.address is not valid")
                .await;
        }
    }
    let new = "<host><name>h</name><address>192.168.0.11</address><root_password>redhat</root_password></host>";
    for (path, body) in [
        ("/api/hosts".to_owned(), new.to_owned()),
        ("/api/storagedomains".to_owned(), storage("nfs", "192.168.0.10")),
        (format!("{}/iscsidiscover", lab.node), portal("192.168.0.20")),
        (format!("{}/iscsilogin", lab.node), portal("192.168.0.20")),
    ] {
        let answer = lab.admin.post(&path, body).await;
        assert!(answer.body.contains("it was asked"), "{path}: only now: {answer:?}");
    }
    for address in ["192.168.0.77", "nfs.example.org", "nfs", "fe80::1", "[fe80::1]"] {
        let answer = lab.admin.post("/api/storagedomains", storage("nfs", address)).await;
        assert!(!answer.body.contains("not valid"), "{address}: {answer:?}");
    }
}

#[tokio::test]
async fn the_logical_units_of_a_domain_say_what_the_host_says_of_them() {
    let lab = Lab::start().await;
    let center = format!("/api/datacenters/{DATA_CENTER}");
    lab.ok(Method::PUT, &center, "<data_center><storage_type>iscsi</storage_type></data_center>").await;
    let unit = |n: u32| {
        format!(
            "<logical_unit id=\"3600144f09dbd050000004e190000000{n}\"><address>192.168.0.20</address><port>3260</port>\
             <target>iqn.2013-04.com.example:target1</target></logical_unit>"
        )
    };
    let storage = |units: &str| format!("<host id=\"{}\"/><storage><type>iscsi</type>{units}</storage>", id(&lab.node));
    let new = format!("<storage_domain><name>san</name><type>data</type>{}</storage_domain>", storage(&unit(1)));
    let domain = lab.made("/api/storagedomains", &new).await;
    lab.ok(Method::POST, &format!("{center}/storagedomains"), &format!("<storage_domain id=\"{}\"/>", id(&domain))).await;
    lab.ok(Method::PUT, &domain, &format!("<storage_domain>{}</storage_domain>", storage(&unit(2)))).await;
    let seen = lab.json(&format!("{}/storage", lab.node)).await;
    let shown = lab.json(&domain).await["storage"]["volume_group"]["logical_unit"].clone();
    assert_eq!(shown.as_array().map(Vec::len), Some(2), "{shown}");
    for unit in shown.as_array().unwrap() {
        let units = seen["storage"].as_array().unwrap().iter().flat_map(|storage| storage["logical_unit"].as_array().unwrap());
        let same = units.into_iter().find(|known| known["id"] == unit["id"]).expect("the host sees it");
        for field in ["serial", "vendor_id", "product_id", "lun_mapping"] {
            assert!(!unit[field].is_null() && unit[field] == same[field], "{field}: {unit} {same}");
        }
    }
    // It is kept.
    let mut lab = lab;
    lab.engine.restart().await;
    lab.admin = lab.engine.admin();
    assert_eq!(lab.json(&domain).await["storage"]["volume_group"]["logical_unit"], shown);
}

#[tokio::test]
async fn a_name_is_not_taken_for_nothing() {
    let lab = Lab::with_storage().await;
    let vm = lab.vm("guest", ON_NETWORK).await;
    let drive = format!("{vm}/cdroms/00000000-0000-0000-0000-000000000000");
    let inserted = async || lab.json(&drive).await["file"]["id"].clone();
    for (disc, body) in [
        ("windows-xp.iso", "<cdrom><file><name>windows-xp.iso</name></file></cdrom>"),
        ("fedora-15-x86_64-dvd.iso", "<cdrom><file id=\"fedora-15-x86_64-dvd.iso\"/></cdrom>"),
        ("windows-xp.iso", "{\"file\": {\"name\": \"windows-xp.iso\"}}"),
    ] {
        lab.ok(Method::PUT, &drive, body).await;
        assert_eq!(inserted().await, disc, "{body}");
    }
    lab.refused(Method::PUT, &drive, "<cdrom><file><name>none.iso</name></file></cdrom>", 400, "none.iso").await;
    lab.ok(Method::PUT, &drive, "<cdrom><file id=\"\"/></cdrom>").await;
    assert_eq!(inserted().await, Value::Null);
    lab.ok(Method::POST, &format!("{vm}/cdroms"), "<cdrom><file><name>windows-xp.iso</name></file></cdrom>").await;
    assert_eq!(inserted().await, "windows-xp.iso");
    lab.refused(Method::POST, &format!("{vm}/cdroms"), "<cdrom/>", 400, "file.id").await;

    lab.ok(Method::POST, &format!("{vm}/nics"), "<nic><name>nic1</name><network><name>rhevm</name></network></nic>").await;
    let start = "<action><vm><cdroms><cdrom><file><name>fedora-15-x86_64-dvd.iso</name></file></cdrom></cdroms></vm></action>";
    lab.up(&vm, start).await;
    assert_eq!(lab.json(&format!("{drive}?current=true")).await["file"]["id"], "fedora-15-x86_64-dvd.iso");
    let quota = "<quota><name>q</name></quota>";
    lab.refused(Method::PUT, &vm, &format!("<vm>{quota}</vm>"), 400, "Quota [id] required for update").await;
    lab.refused(Method::POST, "/api/vms", &format!("<vm><name>x</name>{PLACE}{quota}</vm>"), 400, "Quota [id] required for add")
        .await;
    let profile = "<nic><name>nic2</name><vnic_profile><name>rhevm</name></vnic_profile></nic>";
    lab.refused(Method::POST, &format!("{vm}/nics"), profile, 400, "VnicProfile [id] required for add").await;
    let template = format!("<vm><name>x</name>{}</vm>", PLACE.replace("Blank", ""));
    lab.refused(Method::POST, "/api/vms", &template, 404, "Entity not found").await;
}

#[tokio::test]
async fn a_plain_user_is_shown_the_events_of_what_the_user_may_see() {
    let lab = Lab::start().await;
    let (mine, other) = (lab.vm("mine", "").await, lab.vm("other", "").await);
    let joe = "<user><user_name>joe@internal</user_name><password>pw</password></user>";
    let joe_id = id(&lab.made("/api/users", joe).await).to_owned();
    let role = format!("<permission><role><name>UserRole</name></role><user id=\"{joe_id}\"/></permission>");
    lab.ok(Method::POST, &format!("{mine}/permissions"), &role).await;
    for n in 0..3 {
        for vm in [&mine, &other] {
            lab.ok(Method::PUT, vm, &format!("<vm><description>{n}</description></vm>")).await;
        }
    }
    let joe = lab.engine.caller("joe@internal", "pw").with("filter", "true");
    let ids = |answer: &Answer| {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert!(!answer.body.contains("other") && !answer.body.contains(id(&other)), "{answer:?}");
        let ids = answer.body.split("<event href=\"").skip(1).map(|event| event.split(" id=\"").nth(1).unwrap());
        ids.map(|rest| rest.split('"').next().unwrap().parse::<u64>().unwrap()).collect::<Vec<_>>()
    };
    let all = ids(&joe.get("/api/events").await);
    assert!(all.len() >= 4 && all.is_sorted_by(|one, next| one > next), "{all:?}");
    assert_eq!(ids(&joe.get("/api/events;max=2").await), all[..2]);
    assert_eq!(ids(&joe.get(&format!("/api/events;from={}", all[2])).await), all[..2]);
    assert_eq!(ids(&joe.get("/api/events?search=type%3D35").await).len(), 3);
    assert_eq!(
        ids(&joe.get("/api/events?search=Events%3A%20event_vm%3Dmine%20and%20type%3D35%20sortby%20time%20asc").await).len(),
        3
    );
    assert_eq!(ids(&joe.get("/api/events?search=event_vm%3Dother").await).len(), 0);
    assert_eq!(ids(&joe.get(&format!("/api/events/{}", all[0])).await), all[..1], "a single one");
    let theirs = lab.admin.get("/api/events?search=event_vm%3Dother").await;
    let hidden = theirs.body.split("<event href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(lab.admin.get(hidden).await.status, StatusCode::OK);
    assert_eq!(joe.get(hidden).await.status, StatusCode::NOT_FOUND);
    // Below a cluster whatever is in it belongs to it.
    lab.ok(Method::POST, &format!("/api/clusters/{CLUSTER}/permissions"), &role).await;
    let shown = joe.get("/api/events?search=event_vm%3Dother").await;
    assert!(shown.body.contains("other"), "{shown:?}");
    let plain = lab.engine.caller("joe@internal", "pw").get("/api/events").await;
    assert_eq!(plain.status, StatusCode::BAD_REQUEST, "{plain:?}");
}

#[tokio::test]
async fn a_search_may_begin_with_what_is_searched_for() {
    let lab = Lab::with_storage().await;
    let vm = lab.vm("web", "").await;
    lab.disk(&vm, DATA1).await;
    lab.made("/api/groups", "<group><name>staff</name></group>").await;
    for (collection, objects, criterion) in [
        ("vms", ["Vms", "VM"], "name%3Dweb"),
        ("hosts", ["Hosts", "host"], "name%3Dhypervisor"),
        ("clusters", ["Clusters", "Cluster"], "name%3DDefault"),
        ("datacenters", ["Datacenter", "DataCenters"], "name%3DDefault"),
        ("storagedomains", ["Storage", "StorageDomains"], "name%3Ddata1"),
        ("networks", ["Networks", "Network"], "name%3Drhevm"),
        ("disks", ["Disks", "Disk"], "vm_names%3Dweb"),
        ("templates", ["Templates", "Template"], "name%3DBlank"),
        ("users", ["Users", "User"], "name%3Dadmin"),
        ("groups", ["Groups", "Group"], "name%3Dstaff"),
        ("events", ["Events", "Event"], "event_vm%3Dweb"),
    ] {
        let plain = lab.admin.get(&format!("/api/{collection}?search={criterion}")).await;
        assert!(plain.status == StatusCode::OK && plain.body.contains(" id=\""), "{plain:?}");
        for object in objects {
            for colon in ["%3A%20", "%3A", "%20%3A%20"] {
                let answer = lab.admin.get(&format!("/api/{collection}?search={object}{colon}{criterion}")).await;
                assert_eq!((answer.status, &answer.body), (plain.status, &plain.body), "{object}{colon}");
            }
        }
        let other = if collection == "vms" { "Hosts" } else { "Vms" };
        let answer = lab.admin.get(&format!("/api/{collection}?search={other}%3A%20name%3Dx")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    }
    let domain = lab.json("/api/domains").await["domain"][0]["id"].as_str().unwrap().to_owned();
    for prefix in ["", "Users%3A%20", "ADUSER%40internal%3A"] {
        let found = lab.admin.get(&format!("/api/domains/{domain}/users?search={prefix}name%3Dadmin")).await;
        assert!(found.status == StatusCode::OK && found.body.contains("admin"), "{prefix}: {found:?}");
    }
}

#[tokio::test]
async fn messages_are_neither_ours_nor_the_drivers() {
    use evirt::hypervisor::{CallKind, DriverError, Refusal};
    let lab = Lab::with_storage().await;
    let vm = lab.vm("guest", "").await;
    lab.disk(&vm, DATA1).await;
    lab.up(&vm, "<action/>").await;
    let fails = |kind, error| lab.engine.server().simulator.fail_next(kind, error);
    fails(CallKind::SetTicket, DriverError::Refused(Refusal::VmState));
    let ticket = lab.admin.post(&format!("{vm}/ticket"), "<action/>").await;
    let said = on_one_line(&ticket.body);
    assert!(said.contains("<detail>[The virtual machine"), "{said}");
    assert!(!said.contains("refused:"), "{said}");
    let methods = ["validateDiskForCreation", "addDomain", "getLunIds", "extendStorageDomain"];
    for (path, body) in [
        ("/api/disks", "<disk/>".to_owned()),
        (&format!("{vm}/disks"), "<disk/>".to_owned()),
        ("/api/storagedomains", lab.new_domain("x", "data", "/data2").replace("<name>x</name>", "")),
    ] {
        let answer = lab.admin.post(path, body).await;
        assert!(answer.body.contains("required for add"), "{answer:?}");
        assert!(!methods.iter().any(|method| answer.body.contains(method)), "{answer:?}");
    }
}

#[tokio::test]
async fn certificates_and_keys_are_where_clients_ask_for_them() {
    let lab = Lab::start().await;
    let anybody = lab.engine.anonymous();
    let ca = anybody.get("/ca.crt").await;
    let resource = |query: &str| format!("/ovirt-engine/services/pki-resource?{query}");
    let asked = anybody.get(&resource("resource=ca-certificate&format=X509-PEM-CA")).await;
    assert_eq!((asked.status, &asked.body), (StatusCode::OK, &ca.body));
    assert_eq!(asked.header("content-type"), "application/x-x509-ca-cert");
    let engine = anybody.get(&resource("resource=engine-certificate&format=X509-PEM")).await;
    assert!(engine.body.starts_with("-----BEGIN CERTIFICATE-----") && engine.body != ca.body, "{engine:?}");
    let key = anybody.get(&resource("resource=engine-certificate&format=OPENSSH-PUBKEY")).await;
    assert!(key.body.starts_with("ecdsa-sha2-nistp256 AAAA") && key.header("content-type").starts_with("text/plain"), "{key:?}");
    assert_eq!(anybody.get("/engine.ssh.key.txt").await.body, key.body);
    for none in ["", "resource=ca-certificate&format=PKCS12", "resource=key&format=X509-PEM"] {
        assert_eq!(anybody.get(&resource(none)).await.status, StatusCode::NOT_FOUND, "{none}");
    }
    // ssh-keygen reads it, where there is one.
    let file = lab.engine.data().join("engine.pub");
    std::fs::write(&file, &key.body).unwrap();
    if let Ok(read) = std::process::Command::new("ssh-keygen").arg("-lf").arg(&file).output() {
        assert!(read.status.success(), "{read:?}");
    }
}

#[tokio::test]
async fn the_networks_of_a_data_center_are_listed() {
    let lab = Lab::start().await;
    let other = format!("<data_center><name>other</name><storage_type>nfs</storage_type>{VERSION}</data_center>");
    let other = lab.made("/api/datacenters", &other).await;
    let blue =
        lab.made("/api/networks", "<network><name>blue</name><data_center><name>Default</name></data_center></network>").await;
    let listed = lab.json(&format!("/api/datacenters/{DATA_CENTER}/networks")).await;
    let names: Vec<&str> = listed["network"].as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["blue", "rhevm"]);
    let one = lab.json(&format!("/api/datacenters/{DATA_CENTER}/networks/{}", id(&blue))).await;
    assert_eq!((&one["name"], &one["href"]), (&"blue".into(), &blue.as_str().into()));
    assert_eq!(lab.admin.get(&format!("{other}/networks/{}", id(&blue))).await.status, StatusCode::NOT_FOUND);
    assert_eq!(lab.json(&format!("{other}/networks")).await["network"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_full_version_is_one_that_gems_read() {
    let lab = Lab::start().await;
    let version = lab.json("/api").await["product_info"]["full_version"].as_str().unwrap().to_owned();
    // ManageIQ's gem takes the first hyphen for a dot, and the first four parts for major, minor, revision and build.
    let read: Vec<u32> = version.replacen('-', ".", 1).split('.').take(4).map(|part| part.parse().unwrap()).collect();
    assert_eq!(read[..3], [3, 3, 0], "{version}");
    assert_eq!(read.len(), 4, "{version}");
    // RubyGems takes the whole for a version: parts of letters and digits, and of hyphens behind the first one.
    let mut parts = version.split(['.', '-']);
    assert!(parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric())), "{version}");
}

#[tokio::test]
async fn a_description_that_was_never_given_is_left_out() {
    let lab = Lab::with_storage().await;
    let center = format!("<data_center><name>c</name><storage_type>nfs</storage_type>{VERSION}</data_center>");
    let vm = lab.vm("guest", "").await;
    let new = [
        lab.made("/api/datacenters", &center).await,
        lab.made("/api/networks", "<network><name>n</name><data_center><name>Default</name></data_center></network>").await,
        lab.made("/api/tags", "<tag><name>t</name></tag>").await,
        lab.made("/api/roles", "<role><name>r</name><permits><permit id=\"1\"/></permits></role>").await,
        lab.made("/api/groups", "<group><name>g</name></group>").await,
        lab.made(
            "/api/clusters",
            &format!("<cluster><name>x</name><cpu id=\"Intel Nehalem Family\"/><data_center id=\"{DATA_CENTER}\"/></cluster>"),
        )
        .await,
        lab.disk(&vm, DATA1).await,
        vm,
        lab.domain("data2", "data", "/data2").await,
    ];
    for path in new {
        for answer in [lab.admin.get(&path).await.body, lab.json(&path).await.to_string()] {
            assert!(!answer.contains("description"), "{path}: {answer}");
        }
    }
    // One that was given is shown, also by default.
    assert!(lab.admin.get(&format!("/api/datacenters/{DATA_CENTER}")).await.body.contains("<description>"));
}

#[tokio::test]
async fn deletions_are_answered_as_they_are_set_to_be() {
    for (answers, status) in [(DeleteAnswers::NoContent, StatusCode::NO_CONTENT), (DeleteAnswers::Action, StatusCode::OK)] {
        let options = Options { ovirt: OvirtOptions { delete_answers: answers }, ..Options::default() };
        let lab = Lab::with(options, |_| ()).await;
        lab.attached("data1", "data", "/data1").await;
        lab.attached("iso1", "iso", "/iso1").await;
        let vm = lab.vm("guest", "").await;
        lab.ok(
            Method::POST,
            &format!("{vm}/tags"),
            &format!("<tag id=\"{}\"/>", id(&lab.made("/api/tags", "<tag><name>t</name></tag>").await)),
        )
        .await;
        let tags = lab.json(&format!("{vm}/tags")).await;
        let tagged = tags["tag"][0]["href"].as_str().unwrap().to_owned();
        let paths = [
            lab.disk(&vm, DATA1).await,
            lab.made(&format!("{vm}/nics"), "<nic><name>nic1</name></nic>").await,
            format!("{vm}/cdroms/00000000-0000-0000-0000-000000000000"),
            tagged,
            vm,
        ];
        for path in paths {
            for format in ["application/xml", "application/json"] {
                let caller = lab.engine.admin().with("accept", format);
                let answer = caller.delete(&path).await;
                // What is gone is not there a second time, but a drive always is.
                if answer.status == StatusCode::NOT_FOUND {
                    continue;
                }
                assert_eq!(answer.status, status, "{path}: {answer:?}");
                assert_eq!(answer.body.contains("complete"), answers == DeleteAnswers::Action, "{path}: {answer:?}");
                if answers == DeleteAnswers::Action {
                    assert_eq!(answer.header("content-type"), format);
                }
            }
        }
        assert_eq!(lab.admin.delete("/api/tags/nothing").await.status, StatusCode::NOT_FOUND);
    }
}

/// What other systems' modules call, in their order: Ansible's rhevm (by the Python SDK), Foreman's (by rbovirt) and ManageIQ's (by its own
/// gem). `{vm}` and the like stand for what was made before; `?name` keeps what a call makes.
const CALLS: &[(&str, &str, &str, u16)] = &[
    // Ansible: finds its data center, cluster, networks and storage, and makes a machine.
    ("GET", "/api", "", 200),
    ("GET", "/api/datacenters?search=name%3DDefault", "", 200),
    ("GET", "/api/datacenters/{center}/networks", "", 200),
    ("GET", "/api/clusters?search=name%3DDefault", "", 200),
    ("GET", "/api/storagedomains?search=name%3Ddata1", "", 200),
    (
        "POST ?vm",
        "/api/vms",
        "<vm><name>a</name><memory>268435456</memory><cpu><topology sockets=\"1\" cores=\"1\"/></cpu><os type=\"other\">\
         <boot dev=\"network\"/><boot dev=\"hd\"/></os><type>server</type><cluster><name>Default</name></cluster>\
         <template><name>Blank</name></template></vm>",
        201,
    ),
    (
        "POST ?disk",
        "/api/vms/{vm}/disks",
        "<disk><name>a_Disk1</name><size>1073741824</size><type>system</type><interface>virtio</interface><format>cow</format>\
         <bootable>true</bootable><storage_domains><storage_domain><name>data1</name></storage_domain></storage_domains></disk>",
        202,
    ),
    (
        "POST ?disk",
        "/api/vms/{vm}/disks",
        "<disk><name>a_Disk2</name><size>1073741824</size><interface>virtio</interface><format>raw</format></disk>",
        202,
    ),
    ("POST ?nic", "/api/vms/{vm}/nics", "<nic><name>eth0</name><network><name>rhevm</name></network></nic>", 201),
    (
        "PUT",
        "/api/vms/{vm}/cdroms/00000000-0000-0000-0000-000000000000",
        "<cdrom><file><name>windows-xp.iso</name></file></cdrom>",
        200,
    ),
    ("WAIT", "", "", 0),
    ("POST", "/api/vms/{vm}/start", "<action><vm><os><boot dev=\"network\"/></os></vm></action>", 200),
    ("UP", "", "", 0),
    ("POST", "/api/vms/{vm}/ticket", "<action><ticket><expiry>120</expiry></ticket></action>", 200),
    ("POST", "/api/vms/{vm}/stop", "<action><async>false</async></action>", 200),
    ("PUT", "/api/vms/{vm}", "<vm><memory>134217728</memory></vm>", 200),
    // Foreman: lists what there is to choose from, and shows and removes machines.
    ("GET", "/api/datacenters/{center}/quotas", "", 200),
    ("GET", "/api/clusters/{cluster}/networks", "", 200),
    ("GET", "/api/networks/00000000-0000-0000-0000-000000000009/vnicprofiles", "", 200),
    ("GET", "/api/templates?search=", "", 200),
    ("GET", "/api/vms?search=name%3Da", "", 200),
    ("GET", "/api/vms/{vm}/disks", "", 200),
    ("GET", "/api/vms/{vm}/nics", "", 200),
    ("PUT", "/api/vms/{vm}/nics/{nic}", "<nic><name>eth1</name></nic>", 200),
    ("DELETE", "/api/vms/{vm}/nics/{nic}", "", 204),
    ("DELETE", "/api/vms/{vm}/disks/{disk}", "", 204),
    // ManageIQ: asks for all there is and for the events behind the last one.
    ("GET", "/ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA", "", 200),
    ("GET", "/api/events;from=1?max=10", "", 200),
    ("GET", "/api/hosts", "", 200),
    ("GET", "/api/hosts/{host}/nics", "", 200),
    ("GET", "/api/hosts/{host}/statistics", "", 200),
    ("GET", "/api/vms/{vm}/snapshots", "", 200),
    ("GET", "/api/vms/{vm}/statistics", "", 200),
    ("GET", "/api/storagedomains", "", 200),
    ("GET", "/api/capabilities", "", 200),
    ("DELETE", "/api/vms/{vm}", "<action/>", 200),
];

#[tokio::test]
async fn what_other_systems_modules_call_is_answered() {
    let lab = Lab::with_storage().await;
    let mut ids: Vec<(String, String)> = [("center", DATA_CENTER), ("cluster", CLUSTER), ("host", id(&lab.node))]
        .map(|(name, id)| (name.to_owned(), id.to_owned()))
        .to_vec();
    for (call, path, body, status) in CALLS {
        let filled = ids.iter().fold((*path).to_owned(), |path, (name, id)| path.replace(&format!("{{{name}}}"), id));
        let (method, kept) = call.split_once(" ?").unwrap_or((call, ""));
        match method {
            "WAIT" => lab.until(|world| world.open_jobs.is_empty()).await,
            "UP" => lab.until(|world| world.vms.values().all(|vm| vm.state == VmState::Up)).await,
            _ => {
                let body = Some((*body).to_owned()).filter(|body| !body.is_empty());
                let answer = lab.admin.ask(method.parse().unwrap(), &filled, body).await;
                assert_eq!(answer.status.as_u16(), *status, "{method} {filled}: {answer:?}");
                if !kept.is_empty() {
                    lab.until(|world| world.open_jobs.is_empty()).await;
                    ids.retain(|(name, _)| name != kept);
                    ids.push((kept.to_owned(), answer.id()));
                }
            }
        }
    }
}
