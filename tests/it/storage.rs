//! Storage over HTTP: connections, domains, what lies on them, data centers and quotas, in XML and JSON.

use evirt_domain::host::HostStatus;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::engine::{Answer, Caller, Engine};

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
        let engine = Engine::start_fast().await;
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
        let before = self.head();
        let answer = self.admin.ask(method, path, Some(body.to_owned())).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {body}: {answer:?}");
        assert!(answer.body.contains("<fault>") && answer.body.contains(word), "{path} {body}: {word} is not in {}", answer.body);
        assert_eq!(self.head(), before, "{path} {body}");
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

#[tokio::test]
async fn what_lies_on_storage_is_imported() {
    let lab = Lab::start().await;
    let export = lab.domain("export1", "export", &nfs("/export1")).await;
    let body = format!("<storage_domain>{NODE}<destroy>true</destroy></storage_domain>");
    lab.ok(Method::DELETE, &format!("/api/storagedomains/{export}"), &body).await;
    let import = |class: &str, path: &str| format!("<storage_domain><type>{class}</type>{}{NODE}</storage_domain>", nfs(path));
    lab.refused(Method::POST, "/api/storagedomains", &import("export", "/iso1"), 400, "name").await;
    lab.refused(Method::POST, "/api/storagedomains", &import("iso", "/export1"), 400, "type").await;
    lab.refused(Method::POST, "/api/storagedomains", &import("data", "/export1"), 400, "[name] required for addDomain").await;
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
    let disk = "<disk><size>10737418240</size><interface>virtio</interface><format>raw</format><sparse>false</sparse></disk>";
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
    lab.refused(Method::POST, "/api/datacenters", &patch("<name>x</name>"), 400, "[storageType] required for add").await;
    lab.ok(Method::PUT, &other, &patch("<version major=\"3\" minor=\"3\"/>")).await;
    lab.refused(Method::DELETE, &other, "<action><force>maybe</force></action>", 400, "force").await;
    lab.ok(Method::DELETE, &other, "<action><force>true</force></action>").await;
    assert!(lab.codes().await.contains(&918));
}
