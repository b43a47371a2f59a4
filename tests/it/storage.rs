//! Storage over HTTP: connections, domains, what lies on them, data centers and quotas, in XML and JSON.

use std::path::Path;

use evirt::hypervisor::estate::Estate;
use evirt::hypervisor::{CallKind, DriverError};
use evirt_domain::World;
use evirt_domain::host::HostStatus;
use evirt_domain::storage::AttachmentStatus;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::engine::{Answer, Caller, Engine, fast_but};

/// An engine on an estate where the node is up in the cluster Default.
struct Lab {
    engine: Engine,
    admin: Caller,
}

/// The data center and the cluster Default.
const DEFAULT: &str = "5849b030-626e-47cb-ad90-3ce782d831b3";
const NODE: &str = "<host><name>hypervisor</name></host>";

impl Lab {
    async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// The same, with changes to the estate.
    async fn with(change: impl FnOnce(&mut Estate)) -> Self {
        let engine = fast_but(|estate, _| change(estate)).await;
        let running = &engine.server().app.engine;
        let node = running.until(|world| world.hosts.values().find(|h| h.config.name == "hypervisor").map(|h| h.id)).await;
        let admin = engine.admin();
        let approved =
            admin.post(&format!("/api/hosts/{node}/approve"), "<action><cluster><name>Default</name></cluster></action>").await;
        assert_eq!(approved.status, StatusCode::OK, "{approved:?}");
        running.until(|world| world.hosts.get(&node).filter(|h| h.status == HostStatus::Up).map(drop)).await;
        Self { engine, admin }
    }

    fn head(&self) -> u64 {
        self.engine.server().app.engine.world().position
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.engine.admin().with("accept", "application/json").get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    /// POSTs something that is created, and gives its id.
    async fn create(&self, path: &str, body: &str) -> String {
        let answer = self.admin.post(path, body).await;
        assert!(matches!(answer.status, StatusCode::CREATED | StatusCode::ACCEPTED), "{path} {body}: {answer:?}");
        answer.id()
    }

    async fn ok(&self, method: Method, path: &str, body: &str) -> Answer {
        let answer = self.admin.ask(method, path, Some(body.to_owned())).await;
        assert!(answer.status.is_success(), "{path} {body}: {answer:?}");
        answer
    }

    /// What is refused: with this status, a fault that has the word, and no event.
    async fn refused(&self, method: Method, path: &str, body: &str, status: u16, word: &str) {
        let answer = self.engine.refused().ask(method, path, Some(body.to_owned())).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {body}: {answer:?}");
        assert!(answer.body.contains("<fault>") && answer.body.contains(word), "{path} {body}: {word} is not in {}", answer.body);
        assert_eq!(self.engine.left_by_refused().await, [""; 0], "{path} {body}");
    }

    async fn domain(&self, name: &str, class: &str, storage: &str) -> String {
        let body = format!("<storage_domain><name>{name}</name><type>{class}</type>{NODE}{storage}</storage_domain>");
        self.create("/api/storagedomains", &body).await
    }

    async fn active(&self, name: &str, class: &str, path: &str) -> String {
        let id = self.domain(name, class, &nfs(path)).await;
        self.create(&format!("/api/datacenters/{DEFAULT}/storagedomains"), &format!("<storage_domain id=\"{id}\"/>")).await;
        id
    }

    async fn codes(&self) -> Vec<i64> {
        let events = self.json("/api/events").await;
        events["event"].as_array().unwrap().iter().map(|event| event["code"].as_i64().unwrap()).collect()
    }
}

fn nfs(path: &str) -> String {
    format!("<storage><type>nfs</type><address>192.168.0.10</address><path>{path}</path></storage>")
}

fn connection(fields: &str) -> String {
    format!("<storage_connection>{fields}</storage_connection>")
}

#[tokio::test]
async fn connections_and_their_rules() {
    let lab = Lab::start().await;
    let all = "/api/storageconnections";
    for (fields, status, word) in [
        ("", 400, "[type] required for add"),
        ("<type>nfs</type>", 400, "[address, path] required for add"),
        ("<type>posixfs</type><path>/a</path>", 400, "[vfsType] required for add"),
        ("<type>iscsi</type><address>a</address>", 400, "[target] required for add"),
        ("<type>tape</type>", 400, "tape"),
        ("<type>fcp</type>", 400, "no connections"),
        ("<type>nfs</type><address>a</address><path>b</path>", 400, "path"),
        ("<type>nfs</type><address>a</address><path>/b</path><nfs_version>9</nfs_version>", 400, "nfs_version"),
        ("<type>nfs</type><address>a</address><path>/b</path><nfs_timeo>x</nfs_timeo>", 400, "nfs_timeo"),
        ("<type>nfs</type><address>a</address><path>/b</path><nfs_timeo>60000</nfs_timeo>", 400, "nfs_timeo"),
        ("<type>nfs</type><address>a</address><path>/b</path><host><name>ghost</name></host>", 404, "ghost"),
        ("<type>nfs</type><address>192.168.0.10</address><path>/b</path><host><name>hypervisor</name></host>", 409, "accessible"),
    ] {
        lab.refused(Method::POST, all, &connection(fields), status, word).await;
    }
    let data = "<type>nfs</type><address>192.168.0.10</address><path>/data1</path>";
    let id = lab.create(all, &connection(&format!("{data}{NODE}"))).await;
    let one = format!("{all}/{id}");
    lab.refused(Method::POST, all, &connection(data), 409, "exists already").await;
    assert_eq!(lab.json(all).await["storage_connection"][0]["path"], "/data1");
    let changed = "<path>/data2</path><nfs_version>v3</nfs_version><nfs_retrans>5</nfs_retrans>";
    assert!(lab.ok(Method::PUT, &one, &connection(changed)).await.body.contains("<path>/data2</path>"));
    lab.refused(Method::PUT, &one, &connection("<type>iscsi</type>"), 400, "type").await;
    lab.refused(Method::PUT, &one, &connection("<path></path>"), 400, "path").await;

    let by_connection = format!("<storage id=\"{id}\"/>");
    let domain = lab.domain("data2", "data", &by_connection).await;
    let storage = lab.json(&format!("/api/storagedomains/{domain}")).await["storage"].clone();
    assert_eq!((&storage["path"], &storage["nfs_retrans"]), (&"/data2".into(), &5.into()), "{storage}");
    lab.refused(Method::DELETE, &one, "<host><name>hypervisor</name></host>", 409, "data2").await;
    let of_domain = lab.json(&format!("/api/storagedomains/{domain}/storageconnections/{id}")).await;
    assert_eq!(of_domain["id"], id.as_str());
    let body = format!("<storage_connection id=\"{id}\"/>");
    lab.refused(Method::POST, &format!("/api/storagedomains/{domain}/storageconnections"), &body, 400, "iSCSI").await;

    lab.create(&format!("/api/datacenters/{DEFAULT}/storagedomains"), &format!("<storage_domain id=\"{domain}\"/>")).await;
    lab.refused(Method::PUT, &one, &connection("<path>/data1</path>"), 400, "data2").await;
    let loose = lab.create(all, &connection(data)).await;
    assert_eq!(lab.admin.ask(Method::DELETE, &format!("{all}/{loose}"), None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(lab.admin.get(&format!("{all}/{loose}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_iscsi_domain_is_reached_by_several_targets() {
    let lab = Lab::start().await;
    let target = "iqn.2013-04.com.example:target";
    let unit = format!(
        "<storage><type>iscsi</type><logical_unit id=\"3600144f09dbd050000004e1900000001\"><address>192.168.0.20</address>\
         <port>3260</port><target>{target}1</target></logical_unit></storage>"
    );
    let domain = lab.domain("san", "data", &unit).await;
    let shown = lab.json(&format!("/api/storagedomains/{domain}")).await;
    assert_eq!(shown["storage"]["volume_group"]["logical_unit"][0]["target"], format!("{target}1"), "{shown}");
    let portal = format!("<type>iscsi</type><address>192.168.0.20</address><port>3260</port><target>{target}2</target>");
    lab.refused(
        Method::POST,
        "/api/storageconnections",
        &connection(&portal.replace("target2", "target9").replace("</target>", &format!("</target>{NODE}"))),
        409,
        "target9",
    )
    .await;
    let second = lab
        .create("/api/storageconnections", &connection(&format!("{portal}<username>u</username><password>geheim</password>")))
        .await;
    assert!(!lab.admin.get("/api/storageconnections").await.body.contains("geheim"));
    let of_domain = format!("/api/storagedomains/{domain}/storageconnections");
    let body = format!("<storage_connection id=\"{second}\"/>");
    lab.create(&of_domain, &body).await;
    assert_eq!(lab.json(&of_domain).await["storage_connection"].as_array().unwrap().len(), 2);
    lab.refused(Method::POST, &of_domain, &body, 409, "already").await;
    lab.ok(Method::DELETE, &format!("{of_domain}/{second}"), "").await;
    lab.refused(Method::DELETE, &format!("{of_domain}/{second}"), "", 400, "does not have it").await;
    let center = lab
        .create(
            "/api/datacenters",
            "<data_center><name>san</name><storage_type>iscsi</storage_type><version major=\"3\" minor=\"3\"/></data_center>",
        )
        .await;
    lab.refused(
        Method::POST,
        &format!("/api/datacenters/{center}/storagedomains"),
        &format!("<storage_domain id=\"{domain}\"/>"),
        409,
        "No host",
    )
    .await;
}

/// A data center and a cluster for iSCSI with the host `san-host`; its identifier.
async fn san(lab: &Lab) -> String {
    let center =
        "<data_center><name>san</name><storage_type>iscsi</storage_type><version major=\"3\" minor=\"3\"/></data_center>";
    let center = lab.create("/api/datacenters", center).await;
    let cluster = format!("<name>san</name><cpu id=\"Intel Nehalem Family\"/><data_center id=\"{center}\"/>");
    lab.create("/api/clusters", &format!("<cluster>{cluster}</cluster>")).await;
    let host = "<name>san-host</name><address>192.168.0.11</address><root_password>redhat</root_password>";
    lab.create("/api/hosts", &format!("<host>{host}<cluster><name>san</name></cluster></host>")).await;
    let up = |world: &World| {
        world.hosts.values().find(|h| h.config.name == "san-host" && h.status == HostStatus::Up).map(|h| h.id.to_string())
    };
    let host = lab.engine.server().app.engine.until(up).await;
    format!("{center} {host}")
}

#[tokio::test]
async fn targets_that_want_chap_are_used_with_the_right_password_only_and_it_is_never_told() {
    const UNIT: &str = "3600144f09dbd050000004e1900000001";
    let lab = Lab::with(|estate| estate.iscsi[0].chap = Some(("joe".into(), "geheim".into()))).await;
    let ids = san(&lab).await;
    let (center, host) = ids.split_once(' ').unwrap();
    let login = |user: &str, password: &str| format!("<username>{user}</username><password>{password}</password>");
    let target = "<target>iqn.2013-04.com.example:target1</target>";
    for (action, target, chap, accepted) in [
        ("iscsidiscover", "", String::new(), true),
        ("iscsidiscover", "", login("joe", "falsch"), false),
        ("iscsidiscover", "", login("joe", "geheim"), true),
        ("iscsilogin", target, String::new(), false),
        ("iscsilogin", target, login("joe", "falsch"), false),
        ("iscsilogin", target, login("jim", "geheim"), false),
        ("iscsilogin", target, login("joe", "geheim"), true),
    ] {
        let body = format!("<action><iscsi><address>192.168.0.20</address>{target}{chap}</iscsi></action>");
        let answer = lab.admin.post(&format!("/api/hosts/{host}/{action}"), body.as_str()).await;
        let status = match (accepted, action) {
            (true, _) => StatusCode::OK,
            (false, "iscsidiscover") => StatusCode::BAD_REQUEST,
            (false, _) => StatusCode::CONFLICT,
        };
        assert_eq!(answer.status, status, "{action} {body}: {answer:?}");
        assert!(!["geheim", "falsch"].iter().any(|word| answer.body.contains(word)), "{action} {body}: {answer:?}");
    }
    let domain = |chap: &str| {
        format!(
            "<storage_domain><name>san</name><type>data</type><host id=\"{host}\"/><storage><type>iscsi</type>\
             <logical_unit id=\"{UNIT}\"><address>192.168.0.20</address><port>3260</port>{target}{chap}</logical_unit></storage>\
             </storage_domain>"
        )
    };
    for chap in [String::new(), login("joe", "falsch")] {
        let refused = lab.admin.post("/api/storagedomains", domain(&chap)).await;
        assert!(refused.status == StatusCode::BAD_REQUEST && refused.body.contains("password"), "{refused:?}");
    }
    let made = lab.create("/api/storagedomains", &domain(&login("joe", "geheim"))).await;
    let within = format!("/api/datacenters/{center}/storagedomains");
    lab.create(&within, &format!("<storage_domain id=\"{made}\"/>")).await;
    lab.ok(Method::POST, &format!("{within}/{made}/deactivate"), "<action/>").await;
    let connections = lab.json(&format!("/api/storagedomains/{made}/storageconnections")).await;
    let connection = format!("/api/storageconnections/{}", connections["storage_connection"][0]["id"].as_str().unwrap());
    let password = |word: &str| format!("<storage_connection><password>{word}</password></storage_connection>");
    lab.ok(Method::PUT, &connection, &password("falsch")).await;
    let activate = format!("{within}/{made}/activate");
    let refused = lab.admin.post(&activate, "<action/>").await;
    assert!(refused.status == StatusCode::BAD_REQUEST && refused.body.contains("password"), "{refused:?}");
    assert_eq!(lab.json(&format!("{within}/{made}")).await["status"]["state"], "maintenance");
    lab.ok(Method::PUT, &connection, &password("geheim")).await;
    lab.ok(Method::POST, &activate, "<action/>").await;
    assert_eq!(lab.json(&format!("{within}/{made}")).await["status"]["state"], "active");
    let told = lab.admin.get("/api/events").await.body;
    assert!(!["geheim", "falsch"].iter().any(|word| told.contains(word)), "{told}");
}

#[tokio::test]
async fn a_unit_behind_two_portals_is_used_while_one_answers() {
    let lab = Lab::with(|estate| {
        let mut other = estate.iscsi[0].clone();
        other.address = "192.168.0.21".into();
        estate.iscsi.push(other);
    })
    .await;
    let ids = san(&lab).await;
    let (center, host) = ids.split_once(' ').unwrap();
    let target = "<port>3260</port><target>iqn.2013-04.com.example:target1</target>";
    let unit = format!(
        "<storage_domain><name>san</name><type>data</type><host id=\"{host}\"/><storage><type>iscsi</type>\
         <logical_unit id=\"3600144f09dbd050000004e1900000001\"><address>192.168.0.20</address>{target}</logical_unit></storage>\
         </storage_domain>"
    );
    let domain = lab.create("/api/storagedomains", &unit).await;
    let second = format!("<storage_connection><type>iscsi</type><address>192.168.0.21</address>{target}</storage_connection>");
    let second = lab.create("/api/storageconnections", &second).await;
    let ways = format!("/api/storagedomains/{domain}/storageconnections");
    lab.create(&ways, &format!("<storage_connection id=\"{second}\"/>")).await;
    let within = format!("/api/datacenters/{center}/storagedomains");
    lab.create(&within, &format!("<storage_domain id=\"{domain}\"/>")).await;
    let engine = &lab.engine.server().app.engine;
    let simulator = &lab.engine.server().simulator;
    let is = async |status: AttachmentStatus| {
        engine.until(|w| w.storage_domains.values().find(|d| d.id.to_string() == domain && d.is_in(status)).map(drop)).await;
    };
    is(AttachmentStatus::Active).await;
    let before = lab.head();
    simulator.unreachable_export("192.168.0.20");
    simulator.unreachable_export("192.168.0.21");
    is(AttachmentStatus::Inactive).await;
    simulator.reachable_export("192.168.0.20");
    is(AttachmentStatus::Active).await;
    simulator.reachable_export("192.168.0.21");
    simulator.unreachable_export("192.168.0.20");
    lab.ok(Method::POST, &format!("{within}/{domain}/deactivate"), "<action/>").await;
    lab.ok(Method::POST, &format!("{within}/{domain}/activate"), "<action/>").await;
    is(AttachmentStatus::Active).await;
    let told = lab.engine.server().app.engine.log().read(before, 1_000).await.unwrap();
    let lost = told.iter().filter(|r| r.payload.contains("\"to\":\"inactive\"") || r.payload.contains("\"to\":\"Inactive\""));
    assert_eq!(lost.count(), 1, "one way is enough");
}

#[tokio::test]
async fn units_with_what_nobody_knows_upon_them_are_overwritten_where_that_is_asked_for() {
    let lab = Lab::start().await;
    let unit = "<type>fcp</type><logical_unit id=\"3600508b400105e210000900000490001\"/>";
    let first = lab.domain("first", "data", &format!("<storage>{unit}</storage>")).await;
    let new = |more: &str| {
        format!("<storage_domain><name>new</name><type>data</type>{NODE}<storage>{unit}{more}</storage></storage_domain>")
    };
    let overriding = new("<override_luns>true</override_luns>");
    lab.refused(Method::POST, "/api/storagedomains", &overriding, 409, "in use by the domain first").await;
    let forget = format!("<storage_domain>{NODE}<destroy>true</destroy></storage_domain>");
    lab.ok(Method::DELETE, &format!("/api/storagedomains/{first}"), &forget).await;
    lab.refused(Method::POST, "/api/storagedomains", &new(""), 409, "first lies there").await;
    let made = lab.create("/api/storagedomains", &overriding).await;
    let shown = lab.json(&format!("/api/storagedomains/{made}")).await;
    assert_eq!((&shown["name"], &shown["status"]["state"]), (&"new".into(), &"unattached".into()), "{shown}");
}

#[tokio::test]
async fn what_became_of_storage_while_the_engine_did_not_run_is_asked_when_it_starts() {
    let mut lab = Lab::start().await;
    let domain = lab.active("data1", "data", "/data1").await;
    for (from, to, status) in
        [("/data1", "/elsewhere", AttachmentStatus::Inactive), ("/elsewhere", "/data1", AttachmentStatus::Active)]
    {
        let moved = |data: &Path| {
            let file = data.with_file_name("estate.toml");
            let estate = std::fs::read_to_string(&file).unwrap();
            std::fs::write(&file, estate.replace(&format!("path = \"{from}\""), &format!("path = \"{to}\""))).unwrap();
        };
        lab.engine.while_stopped(moved).await;
        let is = |w: &World| w.storage_domains.values().find(|d| d.id.to_string() == domain && d.is_in(status)).map(drop);
        lab.engine.server().app.engine.until(is).await;
    }
}

#[tokio::test]
async fn a_host_that_boots_without_its_storage_finds_it_when_it_is_back() {
    let lab = Lab::start().await;
    let domain = lab.active("data1", "data", "/data1").await;
    let (engine, simulator) = (&lab.engine.server().app.engine, &lab.engine.server().simulator);
    let host = engine.world().hosts.values().next().unwrap().clone();
    let is_active =
        |w: &World| w.storage_domains.values().any(|d| d.id.to_string() == domain && d.is_in(AttachmentStatus::Active));
    engine.until(|w| is_active(w).then_some(())).await;
    simulator.unreachable_export("192.168.0.10");
    engine.until(|w| (!is_active(w)).then_some(())).await;
    simulator.kill_host(&host.config.address);
    engine.until(|w| (w.hosts.get(&host.id)?.status != HostStatus::Up).then_some(())).await;
    simulator.revive_host(&host.config.address);
    engine.until(|w| (w.hosts.get(&host.id)?.status == HostStatus::Up).then_some(())).await;
    assert!(!is_active(&engine.world()));
    // It is asked for in vain first, and nothing else happens meanwhile.
    let asked = async || {
        let figures = lab.engine.anonymous().get("/metrics").await.body;
        let lines = figures.lines().filter(|line| line.starts_with("evirt_driver_calls_total{call=\"activate_domain\""));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    let before = asked().await;
    while asked().await < before + 2 {
        tokio::task::yield_now().await;
    }
    simulator.reachable_export("192.168.0.10");
    engine.until(|w| is_active(w).then_some(())).await;
}

#[tokio::test]
async fn what_lies_on_storage_is_imported() {
    let lab = Lab::start().await;
    let export = lab.domain("export1", "export", &nfs("/export1")).await;
    let body = format!("<storage_domain>{NODE}<destroy>true</destroy></storage_domain>");
    lab.ok(Method::DELETE, &format!("/api/storagedomains/{export}"), &body).await;
    let import = |class: &str, path: &str| format!("<storage_domain><type>{class}</type>{}{NODE}</storage_domain>", nfs(path));
    lab.refused(Method::POST, "/api/storagedomains", &import("export", "/iso1"), 400, "name").await;
    lab.refused(Method::POST, "/api/storagedomains", &import("iso", "/export1"), 400, "type").await;
    lab.refused(Method::POST, "/api/storagedomains", &import("data", "/export1"), 400, "[name] required for add").await;
    let named = import("export", "/export1").replace("<type>", "<name>fresh</name><type>");
    lab.refused(Method::POST, "/api/storagedomains", &named, 409, "export1 lies there").await;
    assert_eq!(lab.create("/api/storagedomains", &import("export", "/export1")).await, export);
    assert_eq!(lab.json(&format!("/api/storagedomains/{export}")).await["name"], "export1");
    assert!(lab.codes().await.contains(&981));
    lab.active("data1", "data", "/data1").await;
    lab.create(&format!("/api/datacenters/{DEFAULT}/storagedomains"), "<storage_domain><name>export1</name></storage_domain>")
        .await;
}

#[tokio::test]
async fn a_disk_grows_on_its_storage() {
    let lab = Lab::start().await;
    let domain = lab.active("data1", "data", "/data1").await;
    let vm = "<vm><name>guest</name><cluster><name>Default</name></cluster><template><name>Blank</name></template></vm>";
    let vm = lab.create("/api/vms", vm).await;
    let disk = "<disk><size>10737418240</size><interface>virtio</interface><format>raw</format><sparse>false</sparse>\
                <storage_domains><storage_domain><name>data1</name></storage_domain></storage_domains></disk>";
    let waiting = lab.engine.admin().with("expect", "201-created");
    let made = waiting.post(&format!("/api/vms/{vm}/disks"), disk).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let disk = format!("/api/vms/{vm}/disks/{}", made.id());
    let sized = |gib: i64| format!("<disk><provisioned_size>{}</provisioned_size></disk>", gib << 30);
    lab.refused(Method::PUT, &disk, &sized(5), 400, "smaller").await;
    lab.refused(Method::PUT, &disk, &sized(1 << 20), 400, "provisioned_size").await;
    lab.refused(Method::PUT, &disk, &sized(500), 409, "free space").await;
    let before = lab.json(&format!("/api/storagedomains/{domain}")).await["available"].as_i64().unwrap();
    lab.ok(Method::PUT, &disk, &sized(20)).await;
    let running = &lab.engine.server().app.engine;
    running.until(|world| world.disks.values().all(|d| d.config.size == 20 << 30).then_some(())).await;
    running.until(|world| world.storage_domains.values().find(|d| d.available == before - (10 << 30)).map(drop)).await;
    assert_eq!(lab.json(&disk).await["provisioned_size"], 20_i64 << 30);
    assert!(lab.codes().await.contains(&371));
}

#[tokio::test]
async fn clusters_are_reached_through_their_data_center() {
    let lab = Lab::start().await;
    let all = format!("/api/datacenters/{DEFAULT}/clusters");
    lab.refused(Method::POST, &all, "<cluster/>", 400, "[name] required for add").await;
    let id = lab.create(&all, "<cluster><name>edge</name><cpu id=\"Intel Nehalem Family\"/></cluster>").await;
    assert_eq!(lab.json(&format!("/api/clusters/{id}")).await["data_center"]["id"], DEFAULT);
    let one = format!("{all}/{id}");
    assert!(lab.ok(Method::PUT, &one, "<cluster><description>far</description></cluster>").await.body.contains("far"));
    assert_eq!(lab.json(&format!("{one}/networks")).await["network"][0]["name"], "rhevm");
    lab.json(&format!("{one}/permissions")).await;
    let other = "<data_center><name>other</name><storage_type>nfs</storage_type><version major=\"3\" minor=\"2\"/></data_center>";
    let other = lab.create("/api/datacenters", other).await;
    for path in ["", "/networks", "/permissions"] {
        let answer = lab.admin.get(&format!("/api/datacenters/{other}/clusters/{id}{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "it is no cluster of that data center");
    }
    assert_eq!(lab.admin.ask(Method::DELETE, &one, None).await.status, StatusCode::NO_CONTENT);
    let patch = |fields: &str| format!("<data_center>{fields}</data_center>");
    let other = format!("/api/datacenters/{other}");
    lab.refused(Method::PUT, &other, &patch("<version major=\"3\" minor=\"1\"/>"), 400, "version").await;
    lab.refused(Method::PUT, &other, &patch("<version major=\"9\" minor=\"1\"/>"), 400, "version").await;
    lab.refused(Method::PUT, &other, &patch("<storage_type>tape</storage_type>"), 400, "tape").await;
    lab.refused(Method::PUT, &other, &patch("<storage_type>glusterfs</storage_type>"), 400, "storage_type").await;
    lab.refused(Method::PUT, &other, &patch("<name>Default</name>"), 409, "name").await;
    lab.refused(
        Method::POST,
        "/api/datacenters",
        &patch("<name>x</name>"),
        400,
        "[storageType, version.major, version.minor] required",
    )
    .await;
    lab.ok(Method::PUT, &other, &patch("<version major=\"3\" minor=\"3\"/>")).await;
    lab.refused(Method::DELETE, &other, "<action><force>maybe</force></action>", 400, "force").await;
    lab.ok(Method::DELETE, &other, "<action><force>true</force></action>").await;
    assert!(lab.codes().await.contains(&918));
}

#[tokio::test]
async fn disks_are_reached_through_their_storage() {
    let lab = Lab::start().await;
    let domain = lab.active("data1", "data", "/data1").await;
    let other = lab.active("data2", "data", "/data2").await;
    let below = format!("/api/storagedomains/{domain}/disks");
    let within = format!("/api/datacenters/{DEFAULT}/storagedomains/{domain}/disks");
    lab.refused(Method::POST, &below, "<disk/>", 400, "[format, interface] required").await;
    let disk = "<disk><alias>floating</alias><size>1073741824</size><interface>virtio</interface><format>cow</format></disk>";
    let id = lab.create(&below, disk).await;
    let running = &lab.engine.server().app.engine;
    running.until(|world| world.open_jobs.is_empty().then_some(())).await;
    for place in [&below, &within] {
        let shown = lab.json(&format!("{place}/{id}")).await;
        assert_eq!(shown["href"], format!("{place}/{id}"));
        assert_eq!(lab.json(&format!("{place}?search=alias%3Dfloating")).await["disk"].as_array().map(Vec::len), Some(1));
        assert!(lab.json(&format!("{place}?search=alias%3Dnothing")).await["disk"].as_array().is_none_or(Vec::is_empty));
    }
    assert_eq!(lab.admin.get(&format!("/api/storagedomains/{other}/disks/{id}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(lab.admin.ask(Method::DELETE, &format!("{within}/{id}"), None).await.status, StatusCode::NO_CONTENT);
    running.until(|world| world.disks.is_empty().then_some(())).await;
}

#[tokio::test]
async fn quotas_warn_and_then_refuse() {
    let lab = Lab::start().await;
    let domain = lab.active("data1", "data", "/data1").await;
    let center = format!("/api/datacenters/{DEFAULT}");
    let all = format!("{center}/quotas");
    let quota = |fields: &str| format!("<quota>{fields}</quota>");
    lab.refused(
        Method::POST,
        &all,
        &quota("<description>My new quota for virtual machines</description>"),
        400,
        "[name] required for add",
    )
    .await;
    lab.refused(Method::POST, &all, &quota("<name>a!</name>"), 400, "name").await;
    lab.refused(
        Method::POST,
        &all,
        &quota("<name>a</name><storage_soft_limit_pct>101</storage_soft_limit_pct>"),
        400,
        "storage_soft_limit_pct",
    )
    .await;
    let guide = "<name>VMQuota</name><description>My new quota for virtual machines</description>";
    let id = lab.create(&all, &quota(guide)).await;
    lab.refused(Method::POST, &all, &quota(guide), 409, "name").await;
    let one = format!("{all}/{id}");
    assert_eq!(lab.json(&one).await["data_center"]["id"], DEFAULT);
    assert!(lab.ok(Method::PUT, &one, &quota("<description>changed</description>")).await.body.contains("changed"));

    let limits = format!("{one}/quotastoragelimits");
    let limit = |fields: &str| format!("<storage_quota_limit>{fields}</storage_quota_limit>");
    lab.refused(Method::POST, &limits, &limit(""), 400, "[limit] required for add").await;
    lab.refused(Method::POST, &limits, &limit("<limit>-5</limit>"), 400, "limit").await;
    lab.refused(
        Method::POST,
        &limits,
        &limit("<limit>5</limit><storage_domain><name>ghost</name></storage_domain>"),
        404,
        "ghost",
    )
    .await;
    lab.create(&limits, &limit(&format!("<limit>10</limit><storage_domain id=\"{domain}\"/>"))).await;
    lab.refused(Method::POST, &limits, &limit("<limit>5</limit>"), 409, "everything").await;
    let cluster = "<cluster_quota_limit><memory_limit>0.5</memory_limit><vcpu_limit>4</vcpu_limit></cluster_quota_limit>";
    lab.create(&format!("{one}/quotaclusterlimits"), cluster).await;

    lab.refused(Method::PUT, &center, "<data_center><quota_mode>strict</quota_mode></data_center>", 400, "strict").await;
    assert!(!lab.admin.get(&center).await.body.contains("quota_mode"));
    lab.ok(Method::PUT, &center, "<data_center><quota_mode>audit</quota_mode></data_center>").await;
    let disk = |gib: i64, quota: &str| {
        format!("<disk><alias>d</alias><size>{}</size><interface>virtio</interface><format>cow</format>{quota}</disk>", gib << 30)
    };
    let own = format!("<quota id=\"{id}\"/>");
    let disks = format!("/api/storagedomains/{domain}/disks");
    lab.create(&disks, &disk(1, "")).await;
    lab.create(&disks, &disk(13, &own)).await;
    lab.engine.server().app.engine.until(|world| world.open_jobs.is_empty().then_some(())).await;
    let codes = lab.codes().await;
    assert!(codes.contains(&3013) && codes.contains(&3016), "{codes:?}");
    assert_eq!(lab.json(&format!("{limits}/{domain}")).await["usage"].as_f64(), Some(13.0));
    lab.ok(Method::PUT, &center, "<data_center><quota_mode>enabled</quota_mode></data_center>").await;
    lab.refused(Method::POST, &disks, &disk(1, ""), 400, "quota").await;
    let refused = lab.admin.post(&disks, &disk(1, &own)).await;
    assert!(refused.status == StatusCode::CONFLICT && refused.body.contains("VMQuota"), "{refused:?}");
    let told = lab.json("/api/events").await["event"][0].clone();
    assert_eq!((&told["code"], &told["severity"]), (&3009.into(), &"error".into()), "{told}");
    lab.refused(Method::POST, &disks, &disk(1, &own), 409, "VMQuota").await;
    let ghost = "<quota id=\"00000000-0000-0000-0000-00000000dead\"/>";
    lab.refused(Method::POST, &disks, &disk(1, ghost), 400, "quota").await;
    let vm =
        format!("<vm><name>guest</name><cluster><name>Default</name></cluster><template><name>Blank</name></template>{own}</vm>");
    let vm = lab.create("/api/vms", &vm).await;
    lab.create(&format!("/api/vms/{vm}/nics"), "<nic><name>nic1</name></nic>").await;
    let start =
        lab.admin.post(&format!("/api/vms/{vm}/start"), "<action><vm><os><boot dev=\"network\"/></os></vm></action>").await;
    assert!(start.status == StatusCode::CONFLICT && start.body.contains("VMQuota"), "{start:?}");
    assert!(lab.codes().await.contains(&3006));
    lab.refused(Method::DELETE, &one, "", 409, "consume").await;
    assert_eq!(lab.admin.ask(Method::DELETE, &format!("{limits}/{domain}"), None).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_a_storage_domain_has_to_say() {
    let lab = Lab::start().await;
    let all = "/api/storagedomains";
    let post = |fields: &str| format!("<storage_domain>{fields}</storage_domain>");
    let data = format!("<name>data</name><type>data</type>{NODE}");
    let long = "x".repeat(51);
    for (fields, status, word) in [
        (String::new(), 400, "[host.id|name, type, storage] required for add"),
        (format!("{data}<storage/>"), 400, "[storage.type] required for add"),
        (format!("{data}<storage><type>tape</type></storage>"), 400, "tape"),
        (format!("{data}<storage><type>nfs</type></storage>"), 400, "[path] required for add"),
        (format!("{data}<storage><type>nfs</type><path>/data1</path></storage>"), 400, "[address] required for add"),
        (format!("{data}<storage><type>posixfs</type><path>/posix1</path></storage>"), 400, "[vfsType] required for add"),
        (format!("{data}<storage><type>iscsi</type><logical_unit/></storage>"), 400, "LogicalUnit [id] required for add"),
        (format!("{data}<storage><type>iscsi</type></storage>"), 400, "logical_unit"),
        (format!("{data}<storage><type>fcp</type><logical_unit id=\"nowhere\"/></storage>"), 409, "nowhere"),
        (format!("{data}<storage><type>localfs</type><path>/data/local</path></storage>"), 400, "no local storage"),
        (format!("{data}<storage id=\"00000000-0000-0000-0000-00000000dead\"/>"), 404, "dead"),
        (format!("{data}{}", nfs("/nowhere")), 409, "/nowhere"),
        (format!("{data}{}", nfs("data1")), 400, "path"),
        (format!("{data}<storage_format>v2</storage_format>{}", nfs("/data1")), 409, "format v2"),
        (format!("{data}<storage_format>v9</storage_format>{}", nfs("/data1")), 400, "v9"),
        (format!("{}{}", data.replace(">data<", ">a b<"), nfs("/data1")).replace("<type>a b", "<type>data"), 400, "name"),
        (format!("{}{}", data.replace("<name>data", &format!("<name>{long}")), nfs("/data1")), 400, "name"),
        (format!("{}{}", data.replace("<type>data", "<type>tape"), nfs("/data1")), 400, "tape"),
        (format!("{}{}", data.replace("<type>data", "<type>image"), nfs("/data1")), 400, "type"),
        (format!("{}{}", data.replace("hypervisor", "ghost"), nfs("/data1")), 404, "ghost"),
    ] {
        lab.refused(Method::POST, all, &post(&fields), status, word).await;
    }
    lab.domain("data1", "data", &nfs("/data1")).await;
    lab.refused(
        Method::POST,
        all,
        &post(&format!("{}{}", data.replace("<name>data", "<name>data1"), nfs("/data2"))),
        409,
        "name",
    )
    .await;
    lab.refused(Method::POST, all, &post(&format!("{data}{}", nfs("/data1/"))), 409, "data1").await;
}

/// What the guide's examples do not say of the same requests.
#[tokio::test]
async fn what_cannot_be_activated_is_attached_all_the_same() {
    let lab = Lab::start().await;
    let attached = format!("/api/datacenters/{DEFAULT}/storagedomains");
    let data = lab.domain("data1", "data", &nfs("/data1")).await;
    let fails = |kind| lab.engine.server().simulator.fail_next(kind, DriverError::Failed { message: "stale handle".into() });
    let body = format!("<storage_domain id=\"{data}\"/>");
    fails(CallKind::AttachDomain);
    let failed = lab.admin.post(&attached, &*body).await;
    assert_eq!(failed.status, StatusCode::BAD_REQUEST, "{failed:?}");
    assert_eq!(lab.json(&format!("/api/storagedomains/{data}")).await["status"]["state"], "unattached");
    // Which host manages the storage is told beside it, when its time has come.
    let told = async || lab.codes().await.into_iter().filter(|code| *code != 204).collect::<Vec<_>>();
    assert_eq!(told().await[0], 1003);
    fails(CallKind::ActivateDomain);
    let made = lab.admin.post(&attached, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert!(made.body.contains("<state>maintenance</state>"), "{made:?}");
    assert_eq!(told().await[..2], [967, 1002]);
    lab.ok(Method::POST, &format!("{attached}/{data}/activate"), "<action/>").await;
    assert_eq!(lab.json(&format!("/api/datacenters/{DEFAULT}")).await["status"]["state"], "up");
}

#[tokio::test]
async fn a_domain_leaves_with_what_it_lies_on() {
    let lab = Lab::start().await;
    let data = lab.domain("data1", "data", &nfs("/data1")).await;
    let attached = format!("/api/datacenters/{DEFAULT}/storagedomains");
    let made = lab.ok(Method::POST, &attached, &format!("<storage_domain id=\"{data}\"/>")).await;
    assert_eq!((made.status, made.header("location")), (StatusCode::CREATED, format!("{attached}/{data}").as_str()));
    let iso = lab.active("iso1", "iso", "/iso1").await;
    lab.ok(Method::POST, &format!("{attached}/{iso}/deactivate"), "<action/>").await;
    lab.ok(Method::DELETE, &format!("{attached}/{iso}"), "<action><async>true</async></action>").await;
    let running = &lab.engine.server().app.engine;
    let detached = |world: &evirt_domain::World| {
        world.storage_domains.values().find(|d| d.config.name == "iso1" && d.attachments.is_empty()).map(drop)
    };
    running.until(detached).await;
    let one = format!("/api/storagedomains/{iso}");
    lab.refused(Method::DELETE, &one, "", 400, "storage-domain parameter is missing").await;
    lab.refused(Method::DELETE, &one, "<storage_domain/>", 400, "[host.id|name] required for remove").await;
    lab.ok(Method::DELETE, &one, &format!("<storage_domain>{NODE}<format>true</format></storage_domain>")).await;
    // A connection goes with the last domain on it.
    let new = format!("<type>nfs</type><address>192.168.0.10</address><path>/data2</path>{NODE}");
    let connection = lab.create("/api/storageconnections", &connection(&new)).await;
    let on_it =
        format!("<storage_domain><name>New_Domain</name><type>data</type><storage id=\"{connection}\"/>{NODE}</storage_domain>");
    let domain = lab.create("/api/storagedomains", &on_it).await;
    lab.ok(Method::DELETE, &format!("/api/storagedomains/{domain}"), &format!("<storage_domain>{NODE}</storage_domain>")).await;
    assert_eq!(lab.admin.get(&format!("/api/storageconnections/{connection}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_iscsi_domain_grows_by_logical_units() {
    let lab = Lab::start().await;
    let center = format!("/api/datacenters/{DEFAULT}");
    lab.ok(Method::PUT, &center, "<data_center><storage_type>iscsi</storage_type></data_center>").await;
    let unit = |n: u32| {
        format!(
            "<logical_unit id=\"3600144f09dbd05000000{}\"><address>192.168.0.20</address><port>3260</port>\
             <target>iqn.2013-04.com.example:target{}</target></logical_unit>",
            "4e190000000".to_owned() + &n.to_string(),
            if n < 3 { 1 } else { 2 }
        )
    };
    let storage = |units: &str| format!("<storage><type>iscsi</type>{units}</storage>");
    let domain = lab.domain("san", "data", &storage(&unit(1))).await;
    let one = format!("/api/storagedomains/{domain}");
    let put = |units: &str, host: &str| format!("<storage_domain>{}{host}</storage_domain>", storage(units));
    lab.refused(Method::PUT, &one, &put(&unit(2), ""), 400, "[host.id|name] required for update").await;
    lab.refused(Method::PUT, &one, &put(&unit(2), NODE), 409, "unattached").await;
    lab.create(&format!("{center}/storagedomains"), &format!("<storage_domain id=\"{domain}\"/>")).await;
    let before = lab.json(&one).await["available"].as_i64().unwrap();
    lab.ok(Method::PUT, &one, &put(&(unit(1) + &unit(3)), NODE)).await;
    let after = lab.json(&one).await;
    assert_eq!(after["available"].as_i64().unwrap() - before, 322_122_547_200);
    assert_eq!(after["storage"]["volume_group"]["logical_unit"].as_array().unwrap().len(), 2);
    assert_eq!(lab.json(&format!("{one}/storageconnections")).await["storage_connection"].as_array().unwrap().len(), 2);
    assert!(lab.codes().await.contains(&972));
}

#[tokio::test]
async fn disks_are_made_of_images_and_images_of_disks() {
    let lab = Lab::start().await;
    let data = lab.active("data1", "data", "/data1").await;
    let found = lab.json("/api/storagedomains?search=name%3Dovirt-image-repository").await["storage_domain"][0].clone();
    assert_eq!((&found["type"], &found["status"]["state"]), (&"image".into(), &"unattached".into()), "{found}");
    let rels: Vec<_> = found["link"].as_array().unwrap().iter().map(|link| link["rel"].as_str().unwrap()).collect();
    assert_eq!(rels, ["permissions", "images"]);
    let repository = format!("/api/storagedomains/{}", found["id"].as_str().unwrap());
    let images = lab.json(&format!("{repository}/images")).await["image"].clone();
    let image = |name: &str| {
        let named = images.as_array().unwrap().iter().find(|image| image["name"] == name);
        named.unwrap()["href"].as_str().unwrap().to_owned()
    };
    assert_eq!(lab.json(&image("CirrOS 0.3.1")).await["storage_domain"]["id"], found["id"]);
    let to = |name: &str| format!("<action><storage_domain><name>{name}</name></storage_domain></action>");
    let import = format!("{}/import", image("CirrOS 0.3.1"));
    lab.refused(Method::POST, &import, "<action/>", 400, "[storageDomain.id|name] required for doImport").await;
    lab.refused(Method::POST, &import, &to("ghost"), 404, "ghost").await;
    lab.refused(Method::POST, &import, &to("ovirt-image-repository"), 400, "of type image").await;
    lab.refused(Method::POST, &format!("{}/import", image("rescue CD")), &to("data1"), 400, "rescue CD").await;
    let nothing = format!("{repository}/images/00000000-0000-0000-0000-00000000dead");
    lab.refused(Method::POST, &format!("{nothing}/import"), &to("data1"), 404, "dead").await;
    assert_eq!(lab.admin.get(&nothing).await.status, StatusCode::NOT_FOUND);
    assert_eq!(lab.admin.get(&format!("/api/storagedomains/{data}/images")).await.status, StatusCode::NOT_FOUND);
    let attached = format!("/api/datacenters/{DEFAULT}/storagedomains");
    lab.refused(Method::POST, &attached, "<storage_domain><name>ovirt-image-repository</name></storage_domain>", 400, "image")
        .await;
    lab.ok(Method::POST, &import, &to("data1")).await;
    let disk = lab.json("/api/disks").await["disk"][0].clone();
    assert_eq!((&disk["size"], &disk["format"], &disk["status"]["state"]), (&41_126_400.into(), &"cow".into(), &"ok".into()));

    let address = "<storage><type>glance</type><address>images.example.com</address></storage>";
    let add = |rest: &str| format!("<storage_domain><type>image</type>{rest}</storage_domain>");
    let all = "/api/storagedomains";
    lab.refused(Method::POST, all, &add(address), 400, "[name] required for add").await;
    lab.refused(Method::POST, all, &add("<name>images</name><storage><type>glance</type></storage>"), 400, "storage.address")
        .await;
    lab.refused(Method::POST, all, &add(&format!("<name>i</name>{}", address.replace("images", "no"))), 409, "no.example").await;
    lab.create(all, &add(&format!("<name>images</name>{address}"))).await;
    lab.refused(Method::POST, all, &add(&format!("<name>again</name>{address}")), 409, "images").await;
    let id = disk["id"].as_str().unwrap();
    for place in ["/api".to_owned(), format!("/api/storagedomains/{data}"), format!("{attached}/{data}")] {
        let export = format!("{place}/disks/{id}/export");
        lab.refused(Method::POST, &export, "<action/>", 400, "[storageDomain.id|name] required for doExport").await;
        lab.refused(Method::POST, &export, &to("data1"), 400, "of type data").await;
        lab.ok(Method::POST, &export, &to("images")).await;
    }
    let images = lab.json("/api/storagedomains?search=name%3Dimages").await["storage_domain"][0]["href"].clone();
    let exported = lab.json(&format!("{}/images", images.as_str().unwrap())).await["image"].clone();
    assert_eq!(exported.as_array().map(Vec::len), Some(3), "{exported}");
    assert_eq!(exported[0]["name"], disk["name"]);
    lab.ok(Method::POST, &format!("{}/import", exported[0]["href"].as_str().unwrap()), &to("data1")).await;
    lab.engine.server().simulator.unreachable_export("images.example.com");
    assert_eq!(lab.admin.get(&format!("{}/images", images.as_str().unwrap())).await.status, StatusCode::BAD_REQUEST);
    lab.ok(Method::DELETE, images.as_str().unwrap(), "").await;
    let codes = lab.codes().await;
    for code in [2027, 2028, 2030, 2031] {
        assert!(codes.contains(&code), "{code} is not among {codes:?}");
    }
}

#[tokio::test]
async fn an_iso_domain_serves_several_data_centers() {
    let lab = Lab::start().await;
    lab.active("data1", "data", "/data1").await;
    let iso = lab.active("iso1", "iso", "/iso1").await;
    let version = "<version major=\"3\" minor=\"3\"/>";
    let far = format!("<data_center><name>far</name><storage_type>nfs</storage_type>{version}</data_center>");
    let far = lab.create("/api/datacenters", &far).await;
    let cluster = format!("<cluster><name>far</name><cpu id=\"Intel Nehalem Family\"/>{version}</cluster>");
    lab.create(&format!("/api/datacenters/{far}/clusters"), &cluster).await;
    let host = "<host><name>away</name><address>192.168.0.11</address><root_password>redhat</root_password><cluster><name>far</name></cluster></host>";
    let host = lab.create("/api/hosts", host).await;
    let running = &lab.engine.server().app.engine;
    running.until(|world| world.hosts.values().find(|h| h.id.to_string() == host && h.status == HostStatus::Up).map(drop)).await;
    let data = lab.domain("data2", "data", &nfs("/data2")).await;
    let there = format!("/api/datacenters/{far}/storagedomains");
    let here = format!("/api/datacenters/{DEFAULT}/storagedomains");
    for id in [&data, &iso] {
        lab.create(&there, &format!("<storage_domain id=\"{id}\"/>")).await;
    }
    lab.refused(Method::POST, &there, &format!("<storage_domain id=\"{iso}\"/>"), 409, "already").await;
    lab.ok(Method::POST, &format!("{here}/{iso}/deactivate"), "<action/>").await;
    let state = async |place: &str| lab.json(&format!("{place}/{iso}")).await["status"]["state"].clone();
    assert_eq!((state(&here).await, state(&there).await), ("maintenance".into(), "active".into()));
    assert_eq!(lab.json(&format!("{there}/{iso}")).await["data_center"]["id"], far);
    let found = |search: &str| format!("/api/storagedomains?search={search}");
    for search in ["name%3Diso1+and+datacenter%3Dfar", "name%3Diso1+and+datacenter%3DDefault", "name%3Diso1+and+status%3Dactive"]
    {
        assert_eq!(lab.json(&found(search)).await["storage_domain"][0]["id"], iso, "{search}");
    }
    let files = lab.json(&format!("/api/storagedomains/{iso}/files")).await;
    assert_eq!(files["file"].as_array().map(Vec::len), Some(7));
    lab.ok(Method::DELETE, &format!("{here}/{iso}"), "").await;
    assert_eq!(lab.admin.get(&format!("{here}/{iso}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(state(&there).await, "active");
    lab.ok(Method::POST, &format!("{there}/{iso}/deactivate"), "<action/>").await;
    lab.ok(Method::DELETE, &format!("{there}/{iso}"), "").await;
    assert_eq!(lab.json(&format!("/api/storagedomains/{iso}")).await["status"]["state"], "unattached");
}

#[tokio::test]
async fn a_newer_version_brings_a_newer_format() {
    let lab = Lab::start().await;
    let old = "<version major=\"3\" minor=\"0\"/>";
    let post = |fields: &str| format!("<data_center><name>old</name><storage_type>nfs</storage_type>{old}{fields}</data_center>");
    lab.refused(Method::POST, "/api/datacenters", &post("<storage_format>v3</storage_format>"), 409, "format v3").await;
    let center = lab.create("/api/datacenters", &post("<storage_format>v1</storage_format>")).await;
    let cluster = format!("<cluster><name>old</name><cpu id=\"Intel Nehalem Family\"/>{old}</cluster>");
    let cluster = lab.create(&format!("/api/datacenters/{center}/clusters"), &cluster).await;
    let host = "<host><name>away</name><address>192.168.0.11</address><root_password>redhat</root_password><cluster><name>old</name></cluster></host>";
    let host = lab.create("/api/hosts", host).await;
    let running = &lab.engine.server().app.engine;
    running.until(|world| world.hosts.values().find(|h| h.id.to_string() == host && h.status == HostStatus::Up).map(drop)).await;
    let data =
        format!("<name>data1</name><type>data</type><storage_format>v1</storage_format><host id=\"{host}\"/>{}", nfs("/data1"));
    let data = lab.create("/api/storagedomains", &format!("<storage_domain>{data}</storage_domain>")).await;
    lab.create(&format!("/api/datacenters/{center}/storagedomains"), &format!("<storage_domain id=\"{data}\"/>")).await;
    let new = "<version major=\"3\" minor=\"3\"/>";
    let one = format!("/api/datacenters/{center}");
    lab.refused(Method::PUT, &one, &format!("<data_center>{new}</data_center>"), 400, "old").await;
    lab.ok(Method::PUT, &format!("/api/clusters/{cluster}"), &format!("<cluster>{new}</cluster>")).await;
    lab.engine.server().simulator.fail_next(CallKind::UpgradeDomain, DriverError::Failed { message: "lease held".into() });
    let kept = lab.ok(Method::PUT, &one, &format!("<data_center>{new}</data_center>")).await.body;
    assert!(kept.contains("<storage_format>v1</storage_format>") && kept.contains("minor=\"3\""), "{kept}");
    assert!(lab.codes().await.contains(&1006));
    let upgrade = "<data_center><storage_format>v3</storage_format></data_center>";
    assert!(lab.ok(Method::PUT, &one, upgrade).await.body.contains("<storage_format>v3</storage_format>"));
    assert_eq!(lab.json(&format!("/api/storagedomains/{data}")).await["storage_format"], "v3");
    lab.refused(Method::PUT, &one, &upgrade.replace("v3", "v1"), 409, "format v1").await;
}

#[tokio::test]
async fn a_host_finds_targets_and_logs_in() {
    let lab = Lab::start().await;
    let node = lab.json("/api/hosts?search=name%3Dhypervisor").await["host"][0]["href"].as_str().unwrap().to_owned();
    let kinds = async || {
        let seen = lab.json(&format!("{node}/storage")).await["storage"].clone();
        let kinds = seen.as_array().unwrap().iter().map(|unit| unit["type"].as_str().unwrap().to_owned());
        let mut kinds: Vec<_> = kinds.collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds().await, ["fcp", "fcp"], "what is behind no login");
    let iscsi = |rest: &str| format!("<action><iscsi><address>192.168.0.20</address>{rest}</iscsi></action>");
    let found = lab.ok(Method::POST, &format!("{node}/iscsidiscover"), &iscsi("<port>3260</port>")).await.body;
    let target = "iqn.2013-04.com.example:target1";
    assert!(found.contains(&format!("<iscsi_target>{target}</iscsi_target>")), "{found}");
    let login = format!("{node}/iscsilogin");
    let ghost = lab.admin.post(&login, &iscsi("<target>iqn.ghost</target>")).await;
    assert!(ghost.status == StatusCode::CONFLICT && ghost.body.contains("iqn.ghost"), "{ghost:?}");
    let done = lab.ok(Method::POST, &login, &iscsi(&format!("<target>{target}</target><password>secret</password>"))).await.body;
    assert!(done.contains("complete") && !done.contains("secret"), "{done}");
    assert_eq!(kinds().await, ["fcp", "fcp", "iscsi", "iscsi"]);
    // What went well once is not taken for granted.
    lab.engine.server().simulator.unreachable_export("192.168.0.20");
    let again = lab.admin.post(&login, &iscsi(&format!("<target>{target}</target>"))).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{again:?}");
}

#[tokio::test]
async fn a_domain_lies_on_fibre_channel() {
    let lab = Lab::start().await;
    let center = format!("/api/datacenters/{DEFAULT}");
    lab.ok(Method::PUT, &center, "<data_center><storage_type>fcp</storage_type></data_center>").await;
    let node = lab.json("/api/hosts?search=name%3Dhypervisor").await["host"][0]["href"].as_str().unwrap().to_owned();
    let unit = |n: u32| format!("<logical_unit id=\"3600508b400105e21000090000049000{n}\"/>");
    let storage = |units: &str| format!("<storage><type>fcp</type>{units}</storage>");
    let domain = lab.domain("fabric", "data", &storage(&unit(1))).await;
    lab.create(&format!("{center}/storagedomains"), &format!("<storage_domain id=\"{domain}\"/>")).await;
    assert_eq!(lab.json(&center).await["status"]["state"], "up");
    let used = lab.json(&format!("{node}/storage")).await["storage"].clone();
    let mine = used.as_array().unwrap().iter().filter(|unit| unit["logical_unit"][0]["storage_domain_id"] == domain.as_str());
    assert_eq!(mine.count(), 1, "{used}");
    let grown = format!("<storage_domain>{}{NODE}</storage_domain>", storage(&unit(2)));
    lab.ok(Method::PUT, &format!("/api/storagedomains/{domain}"), &grown).await;
    let shown = lab.json(&format!("/api/storagedomains/{domain}")).await;
    assert_eq!(shown["available"], 107_374_182_400_i64 + 214_748_364_800);
    let disk = "<disk><alias>d</alias><size>1073741824</size><interface>virtio</interface><format>raw</format></disk>";
    let disk = lab.create(&format!("/api/storagedomains/{domain}/disks"), disk).await;
    lab.engine.server().app.engine.until(|world| world.open_jobs.is_empty().then_some(())).await;
    let disk = lab.json(&format!("/api/disks/{disk}")).await;
    assert_eq!((&disk["sparse"], &disk["actual_size"]), (&false.into(), &1_073_741_824.into()));
    assert!(lab.json(&format!("/api/storagedomains/{domain}/storageconnections")).await["storage_connection"].is_null());
}

/// Disks that lie on a domain and that nobody knows are listed apart, and taken on by their identifiers. Virtual machines and templates of
/// that kind would be in collections of their own, which do not exist yet.
#[tokio::test]
async fn what_lies_on_a_domain_unregistered_is_listed_and_taken_on() {
    use evirt::hypervisor::{DriverCall, Hypervisor, OperationId, VolumeFormat, VolumeRef};
    let lab = Lab::start().await;
    let (data, iso) = (lab.active("data", "data", "/data1").await, lab.active("iso", "iso", "/iso1").await);
    let known = "<disk><alias>known</alias><provisioned_size>1073741824</provisioned_size><interface>virtio</interface>\
                 <format>cow</format></disk>";
    let known = lab.create(&format!("/api/storagedomains/{data}/disks"), known).await;
    let uuid = |text: &str| text.parse::<uuid::Uuid>().unwrap();
    let stray = "11111111-2222-3333-4444-555555555555";
    let volume = VolumeRef { domain: uuid(&data), disk: uuid(stray), volume: uuid::Uuid::from_u128(7) };
    let layer = VolumeRef { disk: uuid::Uuid::from_u128(8), ..volume };
    let upper = VolumeRef { volume: uuid::Uuid::from_u128(9), ..layer };
    let sparse = (2 << 30, VolumeFormat::Cow, true);
    for (n, (volume, parent)) in [(volume, None), (layer, None), (upper, Some(layer.volume))].into_iter().enumerate() {
        let (size_bytes, format, sparse) = sparse;
        let made = DriverCall::CreateVolume { volume, parent, size_bytes, format, sparse };
        lab.engine.server().simulator.call(OperationId(1 << 60 | n as u64), made).await.unwrap();
    }

    let below = format!("/api/storagedomains/{data}/disks");
    let attached = format!("/api/datacenters/{DEFAULT}/storagedomains/{data}/disks");
    for path in [&below, &attached] {
        let registered = lab.admin.get(path).await.body;
        assert!(registered.contains(&known) && !registered.contains(stray), "{registered}");
        let found = lab.admin.get(&format!("{path};unregistered")).await.body;
        assert_eq!(found.matches("<disk ").count(), 1, "one with snapshots is not for us to take on: {found}");
        assert!(found.contains(&format!("href=\"{path}/{stray}\"")) && found.contains("<size>2147483648</size>"), "{found}");
        let one = lab.admin.get(&format!("{path}/{stray};unregistered=true")).await;
        assert!(one.status == StatusCode::OK && one.body.contains("<format>cow</format>"), "{one:?}");
        assert_eq!(lab.admin.get(&format!("{path}/{known};unregistered")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(lab.admin.get(&format!("{path}/{stray}")).await.status, StatusCode::NOT_FOUND);
    }
    let wanted = format!("{below};unregistered");
    lab.refused(Method::POST, &wanted, "<disk><alias>a</alias></disk>", 400, "id").await;
    lab.refused(Method::POST, &wanted, &format!("<disk id=\"{known}\"/>"), 404, &known).await;
    lab.refused(Method::POST, &wanted, &format!("<disk id=\"{stray}\"><alias>a/b</alias></disk>"), 400, "characters").await;
    lab.refused(Method::GET, &format!("{below};unregistered=perhaps"), "", 400, "unregistered").await;
    assert_eq!(lab.admin.get(&format!("/api/storagedomains/{iso}/disks;unregistered")).await.status, StatusCode::OK);

    let taken = lab.admin.post(&wanted, format!("<disk id=\"{stray}\"><alias>stray</alias></disk>")).await;
    assert!(taken.status == StatusCode::CREATED && taken.body.contains("<alias>stray</alias>"), "{taken:?}");
    assert_eq!(taken.header("location"), format!("{below}/{stray}"));
    let shown = lab.admin.get(&format!("/api/disks/{stray}")).await.body;
    assert!(shown.contains("<state>ok</state>") && shown.contains("<provisioned_size>2147483648<"), "{shown}");
    assert!(!lab.admin.get(&wanted).await.body.contains(stray), "it is known now");
    // It is a disk like any other.
    lab.ok(Method::DELETE, &format!("/api/disks/{stray}"), "").await;
}
