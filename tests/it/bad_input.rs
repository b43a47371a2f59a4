//! What clients must not send: for every field of every body that the engine describes, and for every way to spoil a body.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::engine::{Answer, Caller, Engine, fast};

/// An identifier that nothing has.
pub const NOBODY: &str = "00000000-0000-4000-8000-00000000dead";
const DEFAULT: &str = "<name>Default</name>";
pub const DEFAULT_CENTER: &str = "/api/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3";

/// An argument of a body: its path below the root, its type, and what it may say.
#[derive(Clone, Debug)]
pub struct Argument {
    pub path: String,
    pub kind: String,
    pub value: String,
    pub required: bool,
}

/// An operation; one without a body has neither root nor arguments.
#[derive(Debug)]
pub struct Operation {
    pub method: Method,
    pub path: String,
    pub root: String,
    pub arguments: Vec<Argument>,
    pub required: bool,
    /// What its address may have behind a semicolon or a question mark: the context, the name and the type.
    pub parameters: Vec<(String, String, String)>,
}

impl Operation {
    /// Whether it is an action, and makes or changes no resource by its body.
    pub fn is_action(&self) -> bool {
        self.root == "action"
    }
}

/// An engine with one of each thing, and their paths by what the description calls them.
pub struct Estate {
    pub engine: Engine,
    pub things: BTreeMap<&'static str, String>,
}

impl Estate {
    pub async fn new() -> Self {
        let engine = fast().await;
        let admin = engine.admin();
        let mut things = BTreeMap::new();
        let within = "<data_center><name>d</name></data_center>";
        let host = "<host><name>h</name><address>192.168.0.11</address><root_password>redhat</root_password></host>";
        let bodies = [
            (
                "datacenter",
                "/api/datacenters",
                "<data_center><name>d</name><storage_type>nfs</storage_type><version major=\"3\" minor=\"3\"/></data_center>"
                    .into(),
            ),
            ("cluster", "/api/clusters", format!("<cluster><name>c</name><cpu id=\"Intel Nehalem Family\"/>{within}</cluster>")),
            ("network", "/api/networks", format!("<network><name>n</name>{within}</network>")),
            ("host", "/api/hosts", host.to_owned()),
            ("tag", "/api/tags", "<tag><name>t</name></tag>".into()),
            ("job", "/api/jobs", "<job><description>j</description></job>".into()),
            (
                "vm",
                "/api/vms",
                format!("<vm><name>v</name><cluster>{DEFAULT}</cluster><template><name>Blank</name></template></vm>"),
            ),
        ];
        for (name, path, body) in bodies {
            let made = admin.post(path, body).await;
            assert_eq!(made.status, StatusCode::CREATED, "{name}: {}", made.body);
            things.insert(name, id_of(made.header("location")));
        }
        let network = format!("<network id=\"{}\"/>", things["network"]);
        admin.post(&format!("/api/clusters/{}/networks", things["cluster"]), network).await;
        let host = format!("/api/hosts/{}", things["host"]);
        while !admin.get(&host).await.body.contains("<state>up</state>") {
            tokio::task::yield_now().await;
        }
        let storage = "<storage><type>nfs</type><address>192.168.0.10</address><path>/data1</path></storage>";
        let storage =
            format!("<storage_domain><name>s</name><type>data</type><host><name>h</name></host>{storage}</storage_domain>");
        let domain = id_of(admin.post("/api/storagedomains", storage).await.header("location"));
        let attached = format!("{DEFAULT_CENTER}/storagedomains");
        admin.post(&attached, format!("<storage_domain id=\"{domain}\"/>")).await;
        while !admin.get(&attached).await.body.contains("<state>active</state>") {
            tokio::task::yield_now().await;
        }
        let connections = admin.get(&format!("/api/storagedomains/{domain}/storageconnections")).await.body;
        things.insert("storageconnection", first_id(&connections, "<storage_connection "));
        things.insert("storagedomain", domain);
        let disk = "<disk><size>1073741824</size><format>cow</format><interface>virtio</interface>\
                    <storage_domains><storage_domain><name>s</name></storage_domain></storage_domains></disk>";
        let disks = format!("/api/vms/{}/disks", things["vm"]);
        let disk = first_id(&admin.post(&disks, disk).await.body, "<disk ");
        while !admin.get(&format!("{disks}/{disk}")).await.body.contains("<state>ok</state>") {
            tokio::task::yield_now().await;
        }
        things.insert("disk", disk);
        things.insert("cdrom", "00000000-0000-0000-0000-000000000000".into());
        things.insert("group", id_of(admin.post("/api/groups", "<group><name>g</name></group>").await.header("location")));
        let role = "<role><name>r</name><administrative>true</administrative><permits><permit id=\"1\"/></permits></role>";
        things.insert("role", id_of(admin.post("/api/roles", role).await.header("location")));
        let role = format!("<role id=\"{}\"/>", things["role"]);
        admin.post(&format!("/api/groups/{}/roles", things["group"]), role).await;
        let nic = admin.post(&format!("/api/vms/{}/nics", things["vm"]), "<nic><name>nic1</name></nic>").await;
        things.insert("nic", id_of(nic.header("location")));
        things.insert("host_nic", first_id(&admin.get(&format!("{host}/nics")).await.body, "<host_nic "));
        let quotas = format!("/api/datacenters/{}/quotas", things["datacenter"]);
        things.insert("quota", id_of(admin.post(&quotas, "<quota><name>q</name></quota>").await.header("location")));
        let step = "<step><type>executing</type><description>s</description></step>";
        let step = admin.post(&format!("/api/jobs/{}/steps", things["job"]), step).await;
        things.insert("step", id_of(step.header("location")));
        let profiles = admin.get(&format!("/api/networks/{}/vnicprofiles", things["network"])).await.body;
        things.insert("vnicprofile", first_id(&profiles, "<vnic_profile "));
        things.insert("template", first_id(&admin.get("/api/templates").await.body, "<template "));
        things.insert("user", first_id(&admin.get("/api/users").await.body, "<user "));
        let role = format!("<role id=\"{}\"/>", things["role"]);
        admin.post(&format!("/api/users/{}/roles", things["user"]), role).await;
        Self { engine, things }
    }

    /// The same with a second one of what can be referred to, so that a change has something else to say.
    pub async fn furnished() -> Self {
        let mut estate = Self::new().await;
        let admin = estate.engine.admin();
        let cpu = "<cpu id=\"Intel Nehalem Family\"/>";
        let cluster = format!("<cluster><name>other</name>{cpu}<data_center>{DEFAULT}</data_center></cluster>");
        let disk = format!(
            "<disk><alias>floating</alias><size>1073741824</size><format>cow</format><interface>virtio</interface><storage_domains><storage_domain id=\"{}\"/></storage_domains></disk>",
            estate.things["storagedomain"]
        );
        for (name, path, body) in [
            ("other_cluster", "/api/clusters".to_owned(), cluster),
            (
                "other_role",
                "/api/roles".to_owned(),
                "<role><name>other</name><administrative>true</administrative><permits><permit id=\"1\"/></permits></role>"
                    .to_owned(),
            ),
            ("other_tag", "/api/tags".to_owned(), "<tag><name>other</name></tag>".to_owned()),
            (
                "spare_network",
                "/api/networks".to_owned(),
                "<network><name>spare</name><data_center><name>d</name></data_center></network>".to_owned(),
            ),
            (
                "host_network",
                "/api/networks".to_owned(),
                format!("<network><name>onhost</name><data_center>{DEFAULT}</data_center></network>"),
            ),
            ("default_quota", format!("{DEFAULT_CENTER}/quotas"), "<quota><name>other</name></quota>".to_owned()),
        ] {
            let made = admin.post(&path, body).await;
            assert_eq!(made.status, StatusCode::CREATED, "{name}: {}", made.body);
            estate.things.insert(name, id_of(made.header("location")));
        }
        let disk = first_id(&admin.post("/api/disks", disk).await.body, "<disk ");
        while !admin.get(&format!("/api/disks/{disk}")).await.body.contains("<state>ok</state>") {
            tokio::task::yield_now().await;
        }
        estate.things.insert("floating", disk);
        let default = first_id(&admin.get("/api/clusters?search=name%3DDefault").await.body, "<cluster ");
        let used = format!("<network id=\"{}\"><required>false</required></network>", estate.things["host_network"]);
        admin.post(&format!("/api/clusters/{default}/networks"), used).await;
        let nics = admin.get(&format!("/api/hosts/{}/nics", estate.things["host"])).await.body;
        let nics: Vec<&str> = nics.split("<host_nic ").collect();
        let second = nics.iter().find(|nic| nic.contains("<name>eth1</name>")).unwrap();
        estate.things.insert("host_nic", first_id(&format!("<host_nic {second}"), "<host_nic "));
        let storage = "<storage><type>nfs</type><address>192.168.0.10</address><path>/iso1</path></storage>";
        let iso =
            format!("<storage_domain><name>iso</name><type>iso</type><host><name>h</name></host>{storage}</storage_domain>");
        let iso = id_of(admin.post("/api/storagedomains", iso).await.header("location"));
        let attached = format!("{DEFAULT_CENTER}/storagedomains");
        admin.post(&attached, format!("<storage_domain id=\"{iso}\"/>")).await;
        while !admin.get(&format!("{attached}/{iso}")).await.body.contains("<state>active</state>") {
            tokio::task::yield_now().await;
        }
        let free = "<storage_connection><type>nfs</type><address>192.168.0.10</address><path>/free</path></storage_connection>";
        estate.things.insert("storageconnection", id_of(admin.post("/api/storageconnections", free).await.header("location")));
        estate.things.insert("default_center", DEFAULT_CENTER.rsplit('/').next().unwrap().to_owned());
        let management = "00000000-0000-0000-0000-000000000009";
        let profiles = admin.get(&format!("/api/networks/{management}/vnicprofiles")).await.body;
        estate.things.insert("default_profile", first_id(&profiles, "<vnic_profile "));
        estate.things.insert("management", management.to_owned());
        estate.things.insert("domain", first_id(&admin.get("/api/domains").await.body, "<domain "));
        estate
    }

    /// A path with its variables filled in; none where there is no such thing.
    pub fn fill(&self, path: &str) -> Option<String> {
        let of_host = path.contains("/hosts/");
        // The storage domain is attached to the other data center.
        let path = path.replace("/api/datacenters/{datacenter:id}/storagedomains/", &format!("{DEFAULT_CENTER}/storagedomains/"));
        path.split('/')
            .map(|part| match part.strip_prefix('{') {
                Some("nic:id}") if of_host => self.things.get("host_nic").cloned(),
                Some(name) => self.things.get(name.strip_suffix(":id}")?).cloned(),
                None => Some(part.to_owned()),
            })
            .collect::<Option<Vec<_>>>()
            .map(|parts| parts.join("/"))
    }
}

pub fn id_of(location: &str) -> String {
    location.rsplit('/').next().unwrap().to_owned()
}

pub fn first_id(body: &str, element: &str) -> String {
    let rest = body.split(element).nth(1).unwrap_or_else(|| panic!("{element}: {body}"));
    rest.split("id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

/// Every operation that the engine describes.
pub async fn operations(admin: Caller) -> Vec<Operation> {
    let document = admin.with("accept", "application/json").get("/api?rsdl").await.body;
    let document: Value = serde_json::from_str(&document).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for link in items(&document["links"], "link") {
        let body = &link["request"]["body"];
        let mut arguments: BTreeMap<String, Argument> = BTreeMap::new();
        let sets = items(body, "parameters_set").count();
        let mut demanded: BTreeMap<String, usize> = BTreeMap::new();
        for argument in items(body, "parameters_set").flat_map(|set| items(set, "parameter")) {
            let name = text(&argument["name"]);
            let list = text(&argument["type"]) == "collection";
            let within: Vec<&Value> =
                if list { items(&argument["parameters_set"], "parameter").collect() } else { vec![argument] };
            for one in within {
                let path = if list { format!("{name}.{}", text(&one["name"])) } else { name.clone() };
                let path = path.split_once('.').map_or("", |(_, rest)| rest).to_owned();
                let times = demanded.entry(path.clone()).or_default();
                *times += usize::from(one["required"] == true);
                // What only one of several sets demands may be missing.
                let required = *times == sets;
                arguments.insert(path.clone(), Argument { path, kind: text(&one["type"]), value: text(&one["value"]), required });
            }
        }
        let parameters = items(&link["request"]["url"], "parameters_set").flat_map(|set| items(set, "parameter"));
        let root = items(body, "parameters_set").flat_map(|set| items(set, "parameter")).next();
        found.push(Operation {
            method: text(&link["request"]["http_method"]).parse().unwrap(),
            path: text(&link["href"]),
            root: root.map(|root| text(&root["name"]).split('.').next().unwrap().to_owned()).unwrap_or_default(),
            arguments: arguments.into_values().collect(),
            required: root.is_some() && body["required"].as_bool().unwrap_or_default(),
            parameters: parameters.map(|p| (text(&p["context"]), text(&p["name"]), text(&p["type"]))).collect(),
        });
    }
    found
}

/// A document in which one argument has a value.
fn document(root: &str, path: &str, value: &str) -> String {
    let mut names: Vec<&str> = path.split('.').map(|name| name.split('|').next().unwrap()).collect();
    names.insert(0, root);
    let mut document = value.to_owned();
    let mut below: Option<&str> = None;
    // Attributes are told by their names: identifiers, and what the guide writes so.
    for name in names.iter().rev() {
        document = match (below, *name) {
            (
                None,
                "id" | "percent" | "low" | "high" | "duration" | "sockets" | "cores" | "threads" | "major" | "minor" | "start"
                | "dev" | "onboot",
            ) if names.len() > 1 => format!("\0{name}=\"{value}\""),
            (None, "address" | "netmask" | "gateway") if path.contains("ip.") => format!("\0{name}=\"{value}\""),
            (None, "address") if path.starts_with("mac") => format!("\0{name}=\"{value}\""),
            (None, "id") => format!("\0{name}=\"{value}\""),
            _ => match document.strip_prefix('\0') {
                Some(attribute) => format!("<{name} {attribute}/>"),
                None => format!("<{name}>{document}</{name}>"),
            },
        };
        below = Some(name);
    }
    document
}

/// What is wrong in an answer to something bad: it has to be a refusal that names the field.
fn complaint(answer: &Answer, field: &str) -> Option<String> {
    let refused = [400, 404, 409].contains(&answer.status.as_u16()) && answer.body.contains("<fault>");
    let named = field.split('.').map(|part| part.split('|').next().unwrap()).any(|part| answer.body.contains(part));
    let named = named || ["is not a member of", "required for"].iter().any(|said| answer.body.contains(said));
    (!refused || !named).then(|| format!("{} {}", answer.status, answer.body))
}

#[tokio::test]
async fn no_field_takes_what_it_cannot_hold() {
    let estate = Estate::new().await;
    let refused = estate.engine.refused();
    let (mut asked, mut wrong) = (0, Vec::new());
    for operation in operations(estate.engine.admin()).await {
        let Some(path) = estate.fill(&operation.path) else { continue };
        for argument in &operation.arguments {
            let values: &[&str] = match argument.kind.as_str() {
                "xs:boolean" => &["perhaps", "2"],
                "xs:string" if argument.value.contains('|') => &["nonsense"],
                "xs:string" | "collection" => continue,
                "xs:dateTime" => continue,
                kind if kind.starts_with("xs:") => &["abc", "1.5.5", "99999999999999999999999"],
                _ => continue,
            };
            for value in values {
                let sent = document(&operation.root, &argument.path, value);
                let answer = refused.ask(operation.method.clone(), &path, Some(sent.clone())).await;
                asked += 1;
                wrong.extend(complaint(&answer, &argument.path).map(|why| format!("{} {path} {sent}: {why}", operation.method)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked}: {:#?}", wrong.len(), &wrong[..wrong.len().min(40)]);
    assert!(asked > 200, "{asked}");
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn what_is_required_is_asked_for() {
    let estate = Estate::new().await;
    let refused = estate.engine.refused();
    let mut asked = 0;
    for operation in operations(estate.engine.admin()).await.iter().filter(|o| o.required && o.method == Method::POST) {
        let Some(path) = estate.fill(&operation.path) else { continue };
        let answer = refused.post(&path, format!("<{}/>", operation.root)).await;
        assert_eq!(complaint(&answer, ""), None, "POST {path} <{}/>", operation.root);
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn texts_have_their_limits() {
    let estate = Estate::new().await;
    let refused = estate.engine.refused();
    let long = "x".repeat(5_000);
    let mut wrong = Vec::new();
    for operation in operations(estate.engine.admin()).await {
        let Some(path) = estate.fill(&operation.path) else { continue };
        let texts = operation.arguments.iter().filter(|a| a.kind == "xs:string" && !a.value.contains('|'));
        // What a file holds is as long as it is.
        for field in texts.map(|argument| argument.path.as_str()).filter(|path| !path.ends_with("file.content")) {
            for bad in [long.as_str(), "a\u{7}b", "&#1;", if field == "name" { "a/b\\c*" } else { "&nothing;" }] {
                let sent = document(&operation.root, field, bad);
                let answer = refused.ask(operation.method.clone(), &path, Some(sent)).await;
                let named = if bad == long { field } else { "" };
                wrong
                    .extend(complaint(&answer, named).map(|why| format!("{} {path} {field} {bad:.20}: {why}", operation.method)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
}

/// A cluster without a CPU type has that of its first host.
const TAKEN_FROM_HOSTS: &str = "cpu.id";

/// What creates something: a body that is accepted, by the description's path.
pub fn creations(estate: &Estate) -> Vec<(&'static str, Value)> {
    let level = json!({"major": 3, "minor": 3});
    let of = |name: &str| estate.things[name].as_str();
    let default = json!({"name": "Default"});
    vec![
        ("/api/datacenters", json!({"name": "new", "storage_type": "nfs", "version": level})),
        (
            "/api/clusters",
            json!({"name": "new", "cpu": {"id": "Intel Nehalem Family"}, "data_center": default, "version": level}),
        ),
        ("/api/networks", json!({"name": "new", "data_center": default})),
        ("/api/vnicprofiles", json!({"name": "new", "network": {"id": estate.things["network"]}})),
        ("/api/networks/{network:id}/vnicprofiles", json!({"name": "another"})),
        ("/api/hosts", json!({"name": "new", "address": "192.168.0.12", "root_password": "redhat", "cluster": default})),
        ("/api/datacenters/{datacenter:id}/quotas", json!({"name": "new"})),
        ("/api/storageconnections", json!({"type": "nfs", "address": "192.168.0.10", "path": "/export1"})),
        (
            "/api/storagedomains",
            json!({"name": "new", "type": "data", "host": {"name": "h"},
                   "storage": {"type": "nfs", "address": "192.168.0.10", "path": "/data2"}}),
        ),
        ("/api/roles", json!({"name": "new", "administrative": true, "permits": {"permit": [{"id": "1"}]}})),
        ("/api/users", json!({"user_name": "new@internal", "domain": {"name": "internal"}})),
        ("/api/groups", json!({"name": "new"})),
        ("/api/tags", json!({"name": "new"})),
        ("/api/jobs", json!({"description": "new"})),
        ("/api/jobs/{job:id}/steps", json!({"type": "EXECUTING", "description": "new"})),
        ("/api/events", json!({"description": "new", "severity": "normal", "origin": "outside", "custom_id": 1})),
        ("/api/vms", json!({"name": "new", "cluster": default, "template": {"name": "Blank"}})),
        ("/api/vms/{vm:id}/nics", json!({"name": "new"})),
        ("/api/datacenters/{datacenter:id}/clusters", json!({"name": "beside", "cpu": {"id": "Intel Nehalem Family"}})),
        (
            "/api/disks",
            json!({"name": "new", "size": 1 << 30, "interface": "virtio", "format": "cow",
                   "storage_domains": {"storage_domain": [{"id": of("storagedomain")}]}}),
        ),
        ("/api/roles/{role:id}/permits", json!({"id": "2"})),
        ("/api/clusters/{cluster:id}/permissions", json!({"role": {"id": of("role")}, "user": {"id": of("user")}})),
        ("/api/permissions", json!({"role": {"id": of("role")}, "group": {"id": of("group")}})),
        ("/api/groups/{group:id}/permissions", json!({"role": {"id": of("role")}, "cluster": {"id": of("cluster")}})),
        ("/api/users/{user:id}/roles", json!({"name": "r"})),
        ("/api/hosts/{host:id}/tags", json!({"name": "t"})),
        ("/api/users/{user:id}/tags", json!({"name": "t"})),
        ("/api/groups/{group:id}/tags", json!({"name": "t"})),
        ("/api/datacenters/{datacenter:id}/quotas/{quota:id}/quotastoragelimits", json!({"limit": 10})),
        ("/api/datacenters/{datacenter:id}/quotas/{quota:id}/quotaclusterlimits", json!({"vcpu_limit": 10, "memory_limit": 10})),
    ]
}

/// A document in which one argument, by its path, has another value, or none.
fn with(document: &Value, path: &str, value: Option<Value>) -> Value {
    let mut document = document.clone();
    let (above, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut at = &mut document;
    for name in above.split('.').filter(|name| !name.is_empty()) {
        if at[name].is_array() {
            at = &mut at[name][0];
        } else {
            at = &mut at[name];
        }
    }
    match value {
        Some(value) => at[name.split('|').next().unwrap()] = value,
        None => at.as_object_mut().map(|members| name.split('|').map(|name| members.remove(name)).count()).map_or((), drop),
    }
    document
}

/// What an argument must not be.
fn spoilt(argument: &Argument) -> Vec<Value> {
    let last = argument.path.rsplit('.').next().unwrap();
    match argument.kind.as_str() {
        // What is referred to is another test's, and what a file holds is as long as it is.
        _ if last.starts_with("id") || last == "content" => Vec::new(),
        "xs:boolean" => vec![json!("perhaps"), json!({"a": 1})],
        "xs:string" if argument.value.contains('|') => vec![json!("nonsense"), json!({"a": 1})],
        "xs:string" if argument.path == "name" => vec![json!("x".repeat(300)), json!("a/b\\c*"), json!({"a": 1}), json!("")],
        "xs:string" => vec![json!("x".repeat(5_000)), json!("a\u{7}b"), json!({"a": 1})],
        kind if ["xs:int", "xs:long", "xs:unsignedShort", "xs:unsignedInt"].contains(&kind) => {
            vec![json!("abc"), json!(-5), json!(1.5), json!(9e30)]
        }
        _ => Vec::new(),
    }
}

/// What is wrong in an answer in JSON to something bad: it has to be a refusal that names the field.
fn unnamed(answer: &Answer, field: &str) -> Option<String> {
    let refused = [400, 404, 409].contains(&answer.status.as_u16()) && answer.body.starts_with("{\"reason\":");
    let plain = |text: &str| text.replace(['_', ' '], "").to_lowercase();
    let named = field.split('.').any(|part| plain(&answer.body).contains(&plain(part.split('|').next().unwrap())));
    (!refused || !(named || answer.body.contains("is not a member of"))).then(|| format!("{} {}", answer.status, answer.body))
}

#[tokio::test]
async fn what_is_wrong_with_something_new_is_named() {
    let estate = Estate::new().await;
    let refused = estate.engine.refused().with("accept", "application/json");
    let operations = operations(estate.engine.admin()).await;
    let creations = creations(&estate);
    let (mut asked, mut wrong) = (0, Vec::new());
    for (path, whole) in &creations {
        let operation = operations.iter().find(|o| o.method == Method::POST && o.path == *path).expect(path);
        let path = estate.fill(path).unwrap();
        for argument in &operation.arguments {
            let there = argument.path.split('.').try_fold(whole, |at, name| at.get(name.split('|').next().unwrap())).is_some();
            let missing =
                (argument.required && there && argument.path != TAKEN_FROM_HOSTS).then(|| with(whole, &argument.path, None));
            let bad = spoilt(argument).into_iter().map(|value| with(whole, &argument.path, Some(value)));
            for sent in bad.chain(missing) {
                let answer = refused.post(&path, sent.to_string()).await;
                asked += 1;
                wrong.extend(
                    unnamed(&answer, &argument.path)
                        .map(|why| format!("{path} {} {:.160}: {why}", argument.path, sent.to_string())),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked}: {:#?}", wrong.len(), &wrong[..wrong.len().min(60)]);
    assert!(asked > 300, "{asked}");
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
    for (path, whole) in &creations {
        let made = estate.engine.admin().post(&estate.fill(path).unwrap(), whole.to_string()).await;
        assert!(matches!(made.status.as_u16(), 201 | 202), "{path} {whole}: {made:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_change_is_named() {
    let estate = Estate::new().await;
    let refused = estate.engine.refused().with("accept", "application/json");
    let (mut asked, mut wrong) = (0, Vec::new());
    for operation in operations(estate.engine.admin()).await.iter().filter(|o| o.method == Method::PUT) {
        let Some(path) = estate.fill(&operation.path) else { continue };
        for argument in &operation.arguments {
            for value in spoilt(argument) {
                let names: Vec<&str> = argument.path.split('.').map(|name| name.split('|').next().unwrap()).collect();
                let sent = names.iter().rev().fold(value, |value, name| json!({ *name: value }));
                let answer = refused.put(&path, sent.to_string()).await;
                asked += 1;
                wrong.extend(unnamed(&answer, &argument.path).map(|why| format!("PUT {path} {:.160}: {why}", sent.to_string())));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked}: {:#?}", wrong.len(), &wrong[..wrong.len().min(60)]);
    assert!(asked > 300, "{asked}");
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn parameters_of_addresses_are_checked() {
    let estate = Estate::new().await;
    let refused = estate.engine.refused();
    let creations = creations(&estate);
    let (mut asked, mut wrong) = (0, Vec::new());
    for operation in operations(estate.engine.admin()).await {
        let Some(path) = estate.fill(&operation.path) else { continue };
        let body = match operation.method {
            Method::GET | Method::DELETE => None,
            Method::PUT => Some(format!("<{}/>", operation.root)),
            _ => match creations.iter().find(|(path, _)| *path == operation.path) {
                Some((_, whole)) => Some(whole.to_string()),
                None => continue,
            },
        };
        for (context, name, kind) in &operation.parameters {
            let bad = if name == "search" { "and%20and" } else { "perhaps" };
            let address = format!("{path}{}{name}={bad}", if context == "matrix" { ";" } else { "?" });
            // Some collections are there for one type of storage only.
            if refused.get(&path).await.status == StatusCode::NOT_FOUND && operation.method == Method::GET {
                continue;
            }
            let answer = refused.ask(operation.method.clone(), &address, body.clone()).await;
            asked += 1;
            let named = answer.body.to_lowercase().contains(name.as_str());
            if answer.status != StatusCode::BAD_REQUEST || !named {
                wrong.push(format!("{} {address} ({kind}): {} {}", operation.method, answer.status, answer.body));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked}: {:#?}", wrong.len(), &wrong[..wrong.len().min(80)]);
    assert!(asked > 100, "{asked}");
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn an_identifier_stays() {
    let estate = Estate::new().await;
    let mut asked = 0;
    for operation in operations(estate.engine.admin()).await.iter().filter(|o| o.method == Method::PUT) {
        let Some(path) = estate.fill(&operation.path) else { continue };
        for body in [format!("<{} id=\"{NOBODY}\"/>", operation.root), format!("{{\"id\":\"{NOBODY}\"}}")] {
            let answer = estate.engine.refused().put(&path, body.clone()).await;
            let said = answer.body.contains("Attempt to set immutable field: id");
            assert!(answer.status == StatusCode::CONFLICT && said, "{path} {body}: {answer:?}");
            asked += 1;
        }
    }
    assert!(asked > 15, "{asked}");
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
}

/// What stays as it was made: a resource, and a change of a field.
fn settled() -> Vec<(&'static str, Value, &'static str)> {
    let domain = "/api/storagedomains/{storagedomain:id}";
    let management = "00000000-0000-0000-0000-000000000009";
    vec![
        ("/api/clusters/{cluster:id}", json!({"data_center": {"name": "Default"}}), "data_center.id|name"),
        ("/api/networks/{network:id}", json!({"data_center": {"name": "Default"}}), "data_center.id|name"),
        ("/api/networks/{network:id}", json!({"data_center": {"id": DEFAULT_CENTER.rsplit('/').next()}}), "data_center.id|name"),
        ("/api/vnicprofiles/{vnicprofile:id}", json!({"network": {"id": management}}), "network.id|name"),
        ("/api/datacenters/{datacenter:id}/quotas/{quota:id}", json!({"data_center": {"name": "Default"}}), "data_center"),
        ("/api/storageconnections/{storageconnection:id}", json!({"type": "iscsi"}), "type"),
        (domain, json!({"type": "iso"}), "type"),
        (domain, json!({"storage_format": "v1"}), "storage_format"),
        (domain, json!({"storage": {"id": NOBODY}}), "storage.id"),
        (domain, json!({"storage": {"type": "iscsi"}}), "storage.type"),
        (domain, json!({"storage": {"address": "192.168.0.99"}}), "storage.address"),
        (domain, json!({"storage": {"path": "/elsewhere"}}), "storage.path"),
    ]
}

/// What a creation may say and no change can, though it is no part of the resource or the resource has none: how something is made.
const MAKING: &[&str] = &[
    "format",
    "override_iptables",
    "profile_required",
    "reboot_after_installation",
    "root_password",
    "ssh.authentication_method",
    "ssh.user.password",
    "storage.mount_options",
    "storage.vfs_type",
    "trusted_service",
];

#[tokio::test]
async fn what_was_settled_when_something_was_made_stays() {
    let estate = Estate::new().await;
    let refused = estate.engine.refused().with("accept", "application/json");
    let settled = settled();
    for (path, change, field) in &settled {
        let answer = refused.put(&estate.fill(path).unwrap(), change.to_string()).await;
        assert_eq!(unnamed(&answer, field), None, "{path} {change}");
        if path.starts_with("/api/storageconnections") {
            // It is in use, and cannot be changed at all then.
            continue;
        }
        let same = refused.get(&estate.fill(path).unwrap()).await.body;
        let same = refused.put(&estate.fill(path).unwrap(), same).await;
        assert_eq!(same.status, StatusCode::OK, "what was read can be sent back: {path}: {same:?}");
    }
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
    // What can be said of something new and of no change is in one of the lists.
    let operations = operations(estate.engine.admin()).await;
    let of = |method: Method, path: &str| operations.iter().find(|o| o.method == method && o.path == path);
    for change in operations.iter().filter(|o| o.method == Method::PUT && !o.path.contains("/vms/")) {
        let Some(creation) = change.path.rsplit_once("/{").and_then(|(above, _)| of(Method::POST, above)) else { continue };
        let changes = |path: &str| change.arguments.iter().any(|argument| argument.path == path);
        let fixed = creation.arguments.iter().map(|argument| argument.path.as_str()).filter(|path| !changes(path));
        for field in fixed.filter(|field| !MAKING.contains(field) && !field.starts_with("id")) {
            let listed = settled.iter().any(|(path, _, of)| *path == change.path && *of == field);
            assert!(listed, "PUT {}: {field} is neither changed nor refused", change.path);
        }
    }
}

/// What is said where a request comes to nothing whatever it refers to.
const IMPOSSIBLE_ANYWAY: &[&str] =
    &["It is attached", "Only iSCSI domains", "is in active status", "is no bond", "no active ISO domain"];

#[tokio::test]
async fn what_is_referred_to_has_to_be_there() {
    let estate = Estate::new().await;
    let refused = estate.engine.refused();
    let (mut asked, mut wrong) = (0, Vec::new());
    for operation in operations(estate.engine.admin()).await {
        let Some(path) = estate.fill(&operation.path) else { continue };
        let named =
            operation.arguments.iter().filter(|argument| argument.path.ends_with(".id|name") || argument.path.ends_with(".id"));
        // The names of CPUs are no identifiers.
        for argument in named.filter(|argument| !argument.path.starts_with("cpu.")) {
            for value in [NOBODY, "not-an-id"] {
                let sent = document(&operation.root, &argument.path, value);
                let answer = refused.ask(operation.method.clone(), &path, Some(sent.clone())).await;
                asked += 1;
                // What is missing is called by its identifier, or by what should have had it.
                let anyway = IMPOSSIBLE_ANYWAY.iter().any(|said| answer.body.contains(said));
                let called = anyway || answer.body.contains(value) || complaint(&answer, &argument.path).is_none();
                let why = complaint(&answer, "").or_else(|| (!called).then(|| answer.body.clone()));
                wrong.extend(why.map(|why| format!("{} {path} {sent}: {why}", operation.method)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked}: {:#?}", wrong.len(), &wrong[..wrong.len().min(40)]);
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn spoilt_bodies_are_refused_wherever_they_are_sent() {
    let estate = Estate::new().await;
    let deep = format!("{}{}", "<tag>".repeat(5_000), "</tag>".repeat(5_000));
    let deep_json = format!("{}{}", "{\"parent\":".repeat(5_000), "}".repeat(5_000));
    let bomb =
        "<!DOCTYPE t [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]><tag><name>&b;</name></tag>";
    let large = format!("<tag><name>{}</name></tag>", "x".repeat(10 << 20));
    let (xml, json) = ("application/xml", "application/json");
    let cases = [
        (xml, "", 400),
        (xml, "<tag><name>x", 400),
        (xml, "<tag><name>x</tag></name>", 400),
        (xml, "<vm><name>x</name></vm>", 400),
        (xml, "<tag><name>x</name></tag><tag/>", 400),
        (xml, "<tag><name>a\u{1}b</name></tag>", 400),
        (xml, "<tag><name>x</name><name>y</name></tag>", 400),
        (xml, bomb, 400),
        (xml, deep.as_str(), 400),
        (xml, large.as_str(), 413),
        (json, "{\"name\":\"x\"", 400),
        (json, "[1,2]", 400),
        (json, "{\"name\":{\"a\":1}}", 400),
        (json, "{\"name\":\"a\\u0001b\"}", 400),
        (json, "nonsense", 400),
        (json, deep_json.as_str(), 400),
        ("text/plain", "<tag><name>x</name></tag>", 415),
        ("application/x-yaml", "name: x", 415),
    ];
    let tag = format!("/api/tags/{}", estate.things["tag"]);
    for (method, path) in [(Method::POST, "/api/tags"), (Method::PUT, tag.as_str())] {
        for (kind, body, status) in cases {
            let sender = estate.engine.refused();
            let answer = sender.send(method.clone(), path, kind, body.as_bytes().to_vec()).await;
            let beginning: String = body.chars().take(60).collect();
            // An update that says nothing changes nothing.
            let empty = method == Method::PUT && body.is_empty();
            assert!(answer.status.as_u16() == status || empty, "{method} {kind} {beginning}: {} {}", answer.status, answer.body);
        }
        let answer = estate.engine.refused().send(method, path, xml, b"<tag><name>\xff\xfe</name></tag>".to_vec()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    let refused = estate.engine.refused();
    let changed = format!("<tag id=\"{NOBODY}\"/>");
    let answer = refused.ask(Method::PUT, &tag, Some(changed)).await;
    assert!(
        answer.status == StatusCode::CONFLICT && answer.body.contains("Attempt to set immutable field: id"),
        "{}",
        answer.body
    );
    for id in ["nothing", NOBODY, "%00", "..%2f..", &"9".repeat(300)] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let body = (method == Method::PUT).then(|| "<tag/>".to_owned());
            let answer = refused.ask(method, &format!("/api/tags/{id}"), body).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}: {}", answer.body);
        }
    }
    assert_eq!(refused.ask(Method::PATCH, &tag, None).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_read_is_never_taken_for_something_else() {
    let estate = Estate::new().await;
    let refused = estate.engine.refused();
    let tag = format!("/api/tags/{}", estate.things["tag"]);
    let cases = [
        (Method::GET, "/api/vms?search=name%3Dvm%".to_owned(), "search"),
        (Method::GET, "/api/vms;max=%zz".to_owned(), "max"),
        (Method::DELETE, format!("{tag};async=%zz"), "async"),
    ];
    for (method, path, name) in cases {
        let answer = refused.ask(method, &path, None).await;
        assert!(answer.status == StatusCode::BAD_REQUEST && answer.body.contains(name), "{path}: {answer:?}");
    }
    // A number for a text is kept as it was written, or refused.
    for (number, kept) in [("12345678901234567890123", false), ("1.10", false), ("12345678901234567890", true)] {
        let body = format!("{{\"name\":\"x{}\",\"description\":{number}}}", number.len());
        let answer = if kept { estate.engine.admin() } else { estate.engine.refused() }.post("/api/tags", body).await;
        let expected = if kept { StatusCode::CREATED } else { StatusCode::BAD_REQUEST };
        assert_eq!((answer.status, answer.body.contains(number)), (expected, kept), "{number}: {}", answer.body);
    }
    for name in ["two words", &"x".repeat(51), "a/b"] {
        let caller = estate.engine.admin().with("correlation-id", name);
        let answer = caller.post("/api/tags", "<tag><name>unheard</name></tag>").await;
        assert!(answer.status == StatusCode::BAD_REQUEST && answer.body.contains("Correlation-Id"), "{name}: {answer:?}");
        assert_eq!(caller.get("/api/tags").await.status, StatusCode::OK, "reading has no name in the log");
    }
    assert!(!estate.engine.admin().get("/api/tags").await.body.contains("unheard"));
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn a_fault_speaks_the_dialect_that_was_asked_for() {
    let estate = Estate::new().await;
    let host = format!("/api/hosts/{}", estate.things["host"]);
    let tag = format!("/api/tags/{}", estate.things["tag"]);
    let nobody = format!("/api/tags/{NOBODY}");
    let (xml, json) = ("application/xml", "application/json");
    let cases = [
        (Method::GET, "/api/nothing", None, "", "", 404),
        (Method::GET, &nobody, None, "", "", 404),
        (Method::GET, "/api/vms?search=name%3Da%20and%20and", None, "", "", 400),
        (Method::GET, "/api/vms;max=many", None, "", "", 400),
        (Method::PATCH, &tag, None, "", "", 405),
        (Method::POST, "/api/tags", Some(xml), "<tag", "", 400),
        (Method::POST, "/api/tags", Some(json), "{\"name\":", "", 400),
        (Method::POST, "/api/tags", Some(json), "{\"name\":\"t\"}", "", 409),
        (Method::POST, "/api/tags", Some(json), "{\"name\":\"x\",\"parent\":{\"tag\":{\"name\":\"none\"}}}", "", 404),
        (Method::POST, "/api/tags", Some("text/plain"), "x", "", 415),
        (Method::PUT, &tag, Some(json), "{\"name\":\"u\"}", "\"0-0\"", 412),
        (Method::PUT, &tag, Some(json), "{\"id\":\"x\"}", "", 409),
    ];
    for (method, path, kind, body, condition, status) in cases {
        for (accept, begins) in [
            (json, "{\"reason\":\""),
            (xml, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<fault>\n    <reason>"),
        ] {
            let caller = estate.engine.admin().with("accept", accept);
            let caller = if condition.is_empty() { caller } else { caller.with("if-match", condition) };
            let answer = match kind {
                Some(kind) => caller.send(method.clone(), path, kind, body.as_bytes().to_vec()).await,
                None => caller.ask(method.clone(), path, None).await,
            };
            let said = (answer.status.as_u16(), answer.header("content-type"), answer.body.starts_with(begins));
            assert_eq!(said, (status, accept, true), "{method} {path} {body}: {}", answer.body);
        }
    }
    let refused = estate.engine.admin().with("accept", json).post(&format!("{host}/activate"), "{}").await;
    assert_eq!((refused.status, refused.header("content-type")), (StatusCode::CONFLICT, json));
    let action: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(action["status"]["state"], "failed");
    assert!(action["fault"]["detail"].as_str().is_some_and(|detail| detail.contains("up")), "{action}");
}
