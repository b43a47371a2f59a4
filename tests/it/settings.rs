//! Settings are never dropped: whatever the description names for an operation is kept and shown, or refused by its name. Every argument of
//! every POST, PUT and action is sent as JSON and as XML, and read back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::bad_input::{Argument, Estate, Operation, creations, operations};
use crate::engine::{Answer, Caller};

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// What arguments say where their kind alone does not tell what they may say.
fn particular(estate: &Estate, operation: &Operation, path: &str) -> Option<Vec<Value>> {
    let of = |name: &str| estate.things[name].as_str();
    let at = |part: &str| operation.path.contains(part);
    let ends = |end: &str| path == end || path.ends_with(&format!(".{end}"));
    // What is referred to: by the element that refers to it.
    let referred = [
        ("cluster", if at("/quotaclusterlimits") { "cluster" } else { "other_cluster" }),
        ("data_center", "default_center"),
        ("host", "host"),
        ("template", "template"),
        ("storage_domain", "storagedomain"),
        ("quota", "default_quota"),
        ("role", "other_role"),
        ("user", "user"),
        ("group", "group"),
        ("vm", "vm"),
        ("disk", "disk"),
        ("tag", "other_tag"),
        ("job", "job"),
        ("parent_step", "step"),
        ("vnic_profile", "default_profile"),
        ("domain", "domain"),
        ("slaves.host_nic", "host_nic"),
    ];
    let leads = |element: &str| ends(&format!("{element}.id|name")) || ends(&format!("{element}.id"));
    if let Some((_, thing)) = referred.iter().find(|(element, _)| leads(element)) {
        return Some(vec![json!(of(thing))]);
    }
    let found = match path {
        // Of whatever the host of a disk or of an interface says, the network of its data center.
        _ if leads("network") && at("/vnicprofiles") => json!([of("network")]),
        _ if leads("network") && at("/hosts/") => json!([of("host_network")]),
        _ if leads("network") => json!([of("management")]),
        "id|name" | "id" if at("/tags") => json!([of("tag")]),
        "id|name" if at("/permits") => json!(["2"]),
        "id|name" if at("/roles") => json!([of("other_role")]),
        "id|name" if at("/networks") => json!([of("spare_network")]),
        "id|name" if at("/storagedomains") => json!([of("storagedomain")]),
        "id" if at("/storageconnections") => json!([of("storageconnection")]),
        "id" if at("/disks") => json!([of("floating")]),
        "file.id" => json!(["windows-xp.iso"]),
        "permits.permit.id" => json!(["1"]),
        "role.name" => json!(["other"]),
        "user_name" => json!(["said@internal"]),
        "name" if at("/hosts/{host:id}/nics") => json!(["bond1", "bond2"]),
        "timezone" => json!(["Etc/GMT"]),
        "os.type" => json!(["rhel_6x64", "other"]),
        "cpu.id" => json!(["Intel Nehalem Family"]),
        "cpu.topology.cores" | "cpu.topology.sockets" => json!([2, 3]),
        "version.major" | "version.minor" => json!([3]),
        "memory" => json!([1 << 30, 1 << 29]),
        "memory_policy.guaranteed" => json!([1 << 28]),
        "memory_policy.overcommit.percent" => json!([150, 200]),
        "display.monitors" => json!([2, 1]),
        "cpu.cpu_tune.vcpu_pin.vcpu" => json!([0]),
        _ if ends("vcpu_pin.cpu_set") => json!(["0-3,^2", "1"]),
        _ if ends("custom_property.name") => json!(["sap_agent"]),
        _ if ends("custom_property.value") => json!(["true", "false"]),
        "mac.address" => json!(["00:1a:4a:16:01:99"]),
        "vlan.id" => json!([42]),
        "mtu" => json!([9000]),
        "usages.usage" => json!(["VM", "DISPLAY", "MIGRATION"]),
        _ if ends("ip.address") => json!(["10.9.8.7"]),
        _ if ends("ip.netmask") => json!(["255.255.255.0"]),
        _ if ends("ip.gateway") => json!(["10.9.8.1"]),
        _ if ends("bonding.options.option.name") => json!(["mode"]),
        _ if ends("bonding.options.option.value") => json!(["1", "4"]),
        "boot_protocol" => json!(["dhcp", "none"]),
        "size" | "provisioned_size" => json!([2_i64 << 30]),
        "address" if at("/hosts") => json!(["192.168.0.13"]),
        "address" if at("/storageconnections") => json!(["192.168.0.20"]),
        "display.address" => json!(["192.168.0.99"]),
        "ssh.authentication_method" => json!(["password", "publickey"]),
        "power_management.type" | "power_management.agents.agent.type" => json!(["ipmilan", "apc"]),
        "storage_manager.priority" => json!([3, 4]),
        "path" => json!(["/said", "/otherwise"]),
        "nfs_version" => json!(["V3", "V4"]),
        "storage.path" => json!(["/data2"]),
        "storage.address" => json!(["192.168.0.10"]),
        "severity" => json!(["error", "warning"]),
        "type" if at("/storageconnections") => json!(["nfs"]),
        "root_password" if at("/hosts") => json!(["redhat"]),
        "type" if at("/steps") => json!(["EXECUTING", "VALIDATING"]),
        _ => return None,
    };
    Some(found.as_array().unwrap().clone())
}

/// What an argument may say: two things at the least where its kind has them, so that no default passes for what was said.
fn sayings(estate: &Estate, operation: &Operation, argument: &Argument) -> Vec<Value> {
    if let Some(particular) = particular(estate, operation, &argument.path) {
        return particular;
    }
    match argument.kind.as_str() {
        "xs:boolean" => vec![json!(true), json!(false)],
        "xs:string" if argument.value.contains('|') => argument.value.split('|').map(|member| json!(member)).collect(),
        "xs:string" => vec![json!("said"), json!("otherwise")],
        "xs:decimal" => vec![json!(3), json!(4)],
        _ => vec![json!(30), json!(40)],
    }
}

/// What has to stand beside an argument for it to mean anything: a document that it is put into.
const BESIDE: &[(&str, &str)] = &[
    (
        "vm.payloads.",
        r#"{"vm": {"payloads": {"payload": [{"type": "cdrom", "files": {"file": [{"name": "n", "content": "c"}]}}]}}}"#,
    ),
    ("payloads.", r#"{"payloads": {"payload": [{"type": "cdrom", "files": {"file": [{"name": "n", "content": "c"}]}}]}}"#),
    ("cpu.cpu_tune.", r#"{"cpu": {"cpu_tune": {"vcpu_pin": [{"vcpu": 0, "cpu_set": "0"}]}}}"#),
    ("custom_properties.", r#"{"custom_properties": {"custom_property": [{"name": "sap_agent", "value": "true"}]}}"#),
    (
        "power_management.agents.agent.options.",
        r#"{"power_management": {"agents": {"agent": [{"type": "ipmilan", "address": "192.168.0.111", "options": {"option": [{"name": "slot", "value": "1"}]}}]}}}"#,
    ),
    ("power_management.options.", r#"{"power_management": {"options": {"option": [{"name": "slot", "value": "1"}]}}}"#),
    (
        "power_management.agents.",
        r#"{"power_management": {"agents": {"agent": [{"type": "ipmilan", "address": "192.168.0.111", "username": "admin"}]}}}"#,
    ),
    (
        "power_management.",
        r#"{"power_management": {"type": "ipmilan", "address": "192.168.0.111", "username": "admin", "password": "redhat"}}"#,
    ),
    ("version.", r#"{"version": {"major": 3, "minor": 3}}"#),
    ("boot_protocol", r#"{"network": {"name": "onhost"}}"#),
    (
        "ip.",
        r#"{"network": {"name": "onhost"}, "boot_protocol": "static", "ip": {"address": "10.9.8.7", "netmask": "255.255.255.0"}}"#,
    ),
    ("bonding.options.", r#"{"bonding": {"options": {"option": [{"name": "mode", "value": "1"}]}}}"#),
    ("port_mirroring.", r#"{"network": {"name": "rhevm"}}"#),
    ("shareable", r#"{"format": "raw"}"#),
];

/// One document over another: members within members, and lists item by item.
fn over(below: Value, above: &Value) -> Value {
    match (below, above) {
        (Value::Object(mut below), Value::Object(above)) => {
            for (name, value) in above {
                let under = below.remove(name).unwrap_or(Value::Null);
                below.insert(name.clone(), over(under, value));
            }
            Value::Object(below)
        }
        (Value::Array(mut below), above @ Value::Object(_)) => {
            let first = if below.is_empty() { Value::Null } else { below.remove(0) };
            below.insert(0, over(first, above));
            Value::Array(below)
        }
        (_, above) => above.clone(),
    }
}

/// A document that says something at a path.
fn saying(path: &str, value: &Value) -> Value {
    let names: Vec<&str> = path.split('.').map(|name| name.split('|').next().unwrap()).collect();
    names.iter().rev().fold(value.clone(), |value, name| json!({ *name: value }))
}

/// The same document as XML: every member an element, which is as good as an attribute.
fn xml(root: &str, value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Array(items) => items.iter().for_each(|item| text += &xml(root, item)),
        Value::Object(members) => {
            let within: String = members.iter().map(|(name, value)| xml(name, value)).collect();
            write!(text, "<{root}>{within}</{root}>").unwrap();
        }
        Value::String(said) => write!(text, "<{root}>{said}</{root}>").unwrap(),
        other => write!(text, "<{root}>{other}</{root}>").unwrap(),
    }
    text
}

/// Whether a document shows a value at a path, in any item of the lists on the way.
fn shows(document: &Value, path: &str, value: &Value) -> bool {
    if let Value::Array(items) = document {
        return items.iter().any(|item| shows(item, path, value));
    }
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let held = |name: &str| match (document.get(name), rest) {
        (Some(held), Some(rest)) => shows(held, rest, value),
        (Some(Value::Array(items)), None) => items.iter().any(|item| text(item) == text(value)),
        (Some(held), None) => text(held) == text(value) || held.is_f64() && held.as_f64() == value.as_f64(),
        (None, _) => false,
    };
    first.split('|').any(held)
}

/// Words that stand in a fault for other reasons than that it names an argument.
const WEAK: &[&str] = &["id", "name", "type", "vm", "host"];

/// Whether a fault names an argument: by its own name or by that of what it stands in, however they are written; a mere identifier by the
/// kind of what has it.
fn names(operation: &Operation, answer: &Answer, path: &str) -> bool {
    let plain = |text: &str| text.replace(['_', ' ', '.'], "").to_lowercase();
    let told = plain(&answer.body);
    let parts = || path.split('.').flat_map(|part| part.split('|'));
    let strong: Vec<&str> = parts().filter(|part| !WEAK.contains(part)).collect();
    let candidates = match strong.as_slice() {
        [] if path.starts_with("id") => operation.root.split('_').take(1).collect(),
        [] => parts().filter(|part| *part != "id").collect(),
        _ => strong,
    };
    candidates.iter().any(|part| told.contains(&plain(part)))
}

/// What came of an argument.
#[derive(Debug)]
enum Came {
    /// It shows.
    Kept,
    /// A fault names it, and says this.
    Refused(String),
    /// Other tests see to it.
    Aside,
    /// Neither, but this.
    Wrong(String),
}

/// What is taken and not shown: operations whose paths end so, an argument, and why.
const UNTOLD: &[(&str, &str, &str)] = &[
    ("", "password", "a secret"),
    ("", "root_password", "a secret"),
    ("/storagedomains", "host.id|name", "who makes it"),
    ("/storagedomains/{storagedomain:id}", "host.id|name", "who extends it"),
    ("/storagedomains", "format", "how it is made"),
    ("/storagedomains", "override_luns", "how it is made of logical units"),
    ("/storagedomains/{storagedomain:id}", "override_luns", "how it is extended by logical units"),
    ("/networks", "profile_required", "whether it gets a profile: profiles are listed"),
    ("/permissions", "role.name", "the role is shown by its identifier"),
    ("/hosts", "authentication_method", "how its installation logs in"),
];

fn is_untold(operation: &Operation, path: &str) -> bool {
    let ends = |end: &str| path == end || path.ends_with(&format!(".{end}"));
    UNTOLD.iter().any(|(of, argument, _)| operation.path.ends_with(of) && ends(argument))
}

/// What becomes of what actions say: the action, the argument's beginning, and where that shows. Whatever an action comes to take needs a row.
const ACTIONS: &[(&str, &str, Told)] = &[
    ("start", "async", Told::Aside("how the answer comes")),
    ("start", "grace_period.expiry", Told::Aside("how long is waited before")),
    ("start", "pause", Told::Aside("the state that it comes to: work.rs")),
    ("start", "vm.cdroms.", Told::Aside("the drive of what runs: work.rs")),
    ("start", "vm.floppies.", Told::Aside("the machine that the host is told to run")),
    ("start", "vm.placement_policy.host.", Told::Aside("the host that it comes to run on: work.rs")),
    ("start", "vm.", Told::Runs),
    ("migrate", "", Told::Aside("where it comes to run, and when: work.rs")),
    ("ticket", "", Told::Aside("the answer tells the ticket, and the machine takes it: work.rs")),
    ("approve", "", Told::Aside("the cluster that the host comes to: hosts.rs")),
    ("install", "", Told::Aside("kept with the host as a change of it is, secrets aside: hosts.rs")),
    ("fence", "", Told::Aside("the state that the host comes to: hosts.rs")),
    ("iscsidiscover", "", Told::Aside("what is found there: storage.rs")),
    ("iscsilogin", "", Told::Aside("what is logged in to: storage.rs")),
    ("attach", "", Told::Aside("the networks of the host: hosts.rs")),
    ("detach", "", Told::Aside("the networks of the host: hosts.rs")),
    ("setupnetworks", "", Told::Aside("the networks of the host: hosts.rs")),
    ("import", "", Told::Aside("the disk that is made: storage.rs")),
    ("export", "", Told::Aside("the image that is made: storage.rs")),
    ("end", "", Told::Aside("the state that the job or the step ends in: external.rs")),
];

/// Where it shows what an action was told.
#[derive(Clone, Copy)]
enum Told {
    /// In the machine, while it runs, without the `vm` of the action.
    Runs,
    /// Elsewhere, which other tests see to.
    Aside(#[expect(dead_code, reason = "a note to whoever reads the table")] &'static str),
}

/// An argument of an operation, and what it is to say.
struct Asked<'a> {
    admin: &'a Caller,
    operation: &'a Operation,
    path: &'a str,
    argument: &'a str,
    value: &'a Value,
}

impl Asked<'_> {
    fn judged(&self, answer: &Answer) -> Came {
        match answer.status.as_u16() {
            400 | 404 | 409 | 501 if names(self.operation, answer, self.argument) => Came::Refused(answer.body.clone()),
            status => Came::Wrong(format!("{status} {}", answer.body)),
        }
    }

    /// Makes or changes something by a document, and looks at what it has become; what was made is taken away again.
    async fn set(&self, body: String) -> Came {
        let answer = self.admin.ask(self.operation.method.clone(), self.path, Some(body)).await;
        if !answer.status.is_success() {
            return self.judged(&answer);
        }
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        let href = told["href"].as_str().unwrap_or(self.path);
        let document = shown(self.admin, href).await;
        if self.operation.method == Method::POST {
            take_away(self.admin, self.operation, href).await;
        }
        let said = self.value.to_string();
        let usual = USUAL.iter().any(|(path, usual)| self.argument == *path && said.trim_matches('"') == *usual);
        match usual || is_untold(self.operation, self.argument) || shows(&document, self.argument, self.value) {
            true => Came::Kept,
            false => Came::Wrong(format!("{} without it", answer.status)),
        }
    }

    /// Has an action carried out, where it shows what it was told: a machine is started, looked at, and stopped.
    async fn act(&self, body: String) -> Came {
        let action = self.operation.path.rsplit('/').next().unwrap();
        match ACTIONS.iter().find(|(of, begins, _)| *of == action && self.argument.starts_with(begins)) {
            None => return Came::Wrong("no row says where that shows".to_owned()),
            Some((_, _, Told::Aside(_))) => return Came::Aside,
            Some((_, _, Told::Runs)) => {}
        }
        let vm = self.path.strip_suffix("/start").unwrap();
        let answer = self.admin.post(self.path, body).await;
        if !answer.status.is_success() {
            return self.judged(&answer);
        }
        let document = shown(self.admin, vm).await;
        self.admin.post(&format!("{vm}/stop"), "<action/>").await;
        while shown(self.admin, vm).await["status"]["state"] != "down" {
            tokio::task::yield_now().await;
        }
        match shows(&document, self.argument.strip_prefix("vm.").unwrap(), self.value) {
            true => Came::Kept,
            false => Came::Wrong(format!("{} without it", answer.status)),
        }
    }
}

/// What says what it is where nothing is shown of it.
const USUAL: &[(&str, &str)] = &[("scheduling_policy.policy", "none"), ("disks.clone", "false"), ("permissions.clone", "false")];

/// What is described and refused whatever it says: the method, an operation's end and an argument's beginning. It is not there yet, or it is
/// described because upstream describes it, and settled otherwise.
const NEVER: &[(&str, &str, &str)] = &[
    ("POST", "disks", "lun_storage."),
    ("POST", "disks", "sgio"),
    ("POST", "disks", "snapshot.id"),
    ("PUT", "disks/{disk:id}", "sgio"),
    ("POST", "permissions", "vmpool."),
    ("POST", "storagedomains", "storage.logical_unit."),
    ("POST", "storagedomains", "storage.id"),
    ("PUT", "storagedomains/{storagedomain:id}", "storage.logical_unit."),
    ("POST", "vms", "snapshots."),
    ("POST", "vms", "initialization."),
    ("POST", "start", "vm.initialization."),
    ("POST", "start", "vm.domain.user."),
    ("PUT", "clusters/{cluster:id}", "data_center."),
    ("PUT", "hosts/{host:id}", "root_password"),
    ("POST", "hosts/{host:id}/nics", "bonding.options.option.type"),
    ("PUT", "hosts/{host:id}/nics/{nic:id}", "bonding."),
    ("PUT", "hosts/{host:id}/nics/{nic:id}", "mac."),
    ("PUT", "hosts/{host:id}/nics/{nic:id}", "mtu"),
    ("PUT", "hosts/{host:id}/nics/{nic:id}", "name"),
    ("POST", "quotas/{quota:id}/quotastoragelimits", "storage_domain."),
    ("POST", "storagedomains/{storagedomain:id}/storageconnections", "id"),
    ("POST", "datacenters/{datacenter:id}/storagedomains", "id|name"),
];

async fn shown(caller: &Caller, path: &str) -> Value {
    let answer = caller.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// A document in both formats.
fn both(operation: &Operation, sent: &Value) -> [String; 2] {
    [sent.to_string(), xml(&operation.root, sent)]
}

/// Takes away what a creation made, so that the next may make it again.
async fn take_away(admin: &Caller, operation: &Operation, path: &str) {
    let body = match operation.path.as_str() {
        "/api/storagedomains" => {
            Some("<storage_domain><host><name>h</name></host><format>true</format></storage_domain>".to_owned())
        }
        _ => None,
    };
    let removed = async {
        loop {
            let gone = admin.ask(Method::DELETE, path, body.clone()).await;
            match (operation.path.as_str(), gone.status) {
                // What work is under way on is removed when that has ended.
                ("/api/hosts", StatusCode::CONFLICT) => drop(admin.post(&format!("{path}/deactivate"), "<action/>").await),
                ("/api/vms", StatusCode::CONFLICT) => {
                    drop(admin.put(path, "<vm><delete_protected>false</delete_protected></vm>").await)
                }
                (_, StatusCode::CONFLICT) => tokio::task::yield_now().await,
                // Some things stay: events, what is built in.
                _ => return,
            }
        }
    };
    tokio::time::timeout(PATIENCE, removed).await.unwrap_or_else(|_| panic!("{path} stays"));
}

/// A creation for an argument: a permission is somebody's, and on one object.
fn whole(estate: &Estate, operation: &Operation, argument: &str, mut base: Value) -> Value {
    let members = base.as_object_mut().unwrap();
    if operation.path.ends_with("{user:id}/permissions") || operation.path.ends_with("{group:id}/permissions") {
        members.remove("cluster");
    } else if operation.path.ends_with("/permissions") {
        let (member, other) = if argument.starts_with("group.") { ("group", "user") } else { ("user", "group") };
        members.remove(other);
        members.insert(member.to_owned(), json!({"id": estate.things[member]}));
    }
    base
}

/// Has a host do something, and waits until it stands as it then does.
async fn rest(admin: &Caller, host: &str, action: &str, state: &str) {
    let come = async {
        loop {
            admin.post(&format!("{host}/{action}"), "<action/>").await;
            if admin.get(host).await.body.contains(&format!("<state>{state}</state>")) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, come).await.unwrap_or_else(|_| panic!("{host} is not {state}"));
}

/// What creations say that the list of creations does not have, by how their paths end.
fn base(estate: &Estate, operation: &Operation) -> Value {
    let of = |name: &str| estate.things[name].as_str();
    // Another role than those that are held already: what is granted is taken away again.
    if operation.path.ends_with("/permissions") {
        return json!({"role": {"id": of("other_role")}});
    }
    let listed = creations(estate).into_iter().find(|(path, _)| *path == operation.path).map(|(_, whole)| whole);
    let ends = |end: &str| operation.path.ends_with(end);
    listed.unwrap_or_else(|| match () {
        () if ends("clusters/{cluster:id}/networks") => json!({"id": of("spare_network")}),
        () if ends("hosts/{host:id}/nics") => json!({
            "name": "bond0", "network": {"id": of("host_network")},
            "bonding": {"slaves": {"host_nic": [{"name": "eth1"}, {"name": "eth2"}]}},
        }),
        () if ends("/disks") => json!({"name": "new", "size": 1 << 30, "interface": "virtio", "format": "cow"}),
        () => json!({}),
    })
}

#[tokio::test]
async fn what_is_described_of_something_new_is_kept_or_refused_by_name() {
    whatever(|operation| operation.method == Method::POST && !operation.is_action(), &[], 300).await;
}

#[tokio::test]
async fn what_is_described_of_a_change_is_kept_or_refused_by_name() {
    whatever(|operation| operation.method == Method::PUT, &[], 150).await;
}

#[tokio::test]
async fn what_is_described_of_an_action_is_carried_out_or_refused_by_name() {
    // An image has to lie on an image domain; what comes of its import is another test's.
    let unreached = "POST /api/storagedomains/{storagedomain:id}/images/{image:id}/import";
    whatever(|operation| operation.method == Method::POST && operation.is_action(), &[unreached], 10).await;
}

/// Sends every argument of some operations, and reads it back. At least so many of them are kept; there is nothing at the unreached paths.
async fn whatever(wanted: impl Fn(&Operation) -> bool, unreached: &[&str], least: usize) {
    let estate = Estate::furnished().await;
    let admin = estate.engine.admin().with("accept", "application/json").with("all-content", "true");
    let (mut kept, mut refused, mut wrong, mut passed) = (BTreeSet::new(), BTreeMap::new(), Vec::new(), Vec::new());
    let operations = operations(estate.engine.admin()).await;
    for operation in operations.iter().filter(|operation| wanted(operation)) {
        let name = format!("{} {}", operation.method, operation.path);
        let Some(path) = estate.fill(&operation.path) else {
            passed.push(name);
            continue;
        };
        let base = match operation.method {
            Method::POST if !operation.is_action() => self::base(&estate, operation),
            _ => json!({}),
        };
        // A host is changed at rest, and comes back.
        let host = (operation.method == Method::PUT && operation.path == "/api/hosts/{host:id}").then(|| path.clone());
        if let Some(host) = &host {
            rest(&estate.engine.admin(), host, "deactivate", "maintenance").await;
        }
        let before = match operation.method {
            Method::PUT => Some(shown(&admin, &path).await),
            _ => None,
        };
        for argument in operation.arguments.iter().filter(|argument| argument.kind.starts_with("xs:")) {
            let at = (name.clone(), argument.path.clone());
            for value in sayings(&estate, operation, argument) {
                let base = whole(&estate, operation, &argument.path, base.clone());
                let beside = BESIDE.iter().find(|(begin, _)| argument.path.starts_with(begin));
                let beside = beside.filter(|(begin, _)| *begin != "shareable" || operation.method == Method::POST);
                let base = beside.map_or(base.clone(), |(_, beside)| over(base.clone(), &serde_json::from_str(beside).unwrap()));
                let sent = over(base, &saying(&argument.path, &value));
                for body in both(operation, &sent) {
                    let asked = Asked { admin: &admin, operation, path: &path, argument: &argument.path, value: &value };
                    let came = match operation.is_action() {
                        true => asked.act(body.clone()).await,
                        false => asked.set(body.clone()).await,
                    };
                    if let Some(before) = &before {
                        admin.put(&path, before.to_string()).await;
                    }
                    match came {
                        Came::Kept => drop(kept.insert(at.clone())),
                        Came::Refused(why) => drop(refused.insert(at.clone(), format!("{body:.200} {why}"))),
                        Came::Aside => {}
                        Came::Wrong(why) => wrong.push(format!("{name} {body:.200}: {why}")),
                    }
                }
            }
        }
        if let Some(host) = &host {
            rest(&estate.engine.admin(), host, "activate", "up").await;
        }
    }
    let is_never = |(operation, argument): &(String, String)| {
        NEVER.iter().any(|(method, of, begins)| {
            operation.starts_with(method) && operation.ends_with(&format!("/{of}")) && argument.starts_with(begins)
        })
    };
    let never: Vec<_> = refused.iter().filter(|(at, _)| !kept.contains(*at) && !is_never(at)).collect();
    let come: Vec<_> = kept.iter().filter(|at| is_never(at)).collect();
    assert!(wrong.is_empty(), "{} are neither kept nor refused by name: {wrong:#?}", wrong.len());
    assert!(never.is_empty(), "{} are refused whatever they say, and no row says so: {never:#?}", never.len());
    assert!(come.is_empty(), "what rows say is never taken is: {come:#?}");
    assert_eq!(passed, unreached, "there is nothing at these paths");
    assert!(kept.len() >= least, "{}", kept.len());
}

#[tokio::test]
async fn payloads_are_taken_in_the_forms_of_both_versions() {
    let estate = Estate::new().await;
    let admin = estate.engine.admin();
    let vm = format!("/api/vms/{}", estate.things["vm"]);
    let forms = [
        "<vm><payloads><payload type='cdrom'><file name='/etc/hosts'><content>one</content></file></payload></payloads></vm>",
        "<vm><payloads><payload type='cdrom'><files><file><name>/etc/hosts</name><content>one</content></file></files></payload></payloads></vm>",
        r#"{"payloads": {"payload": [{"type": "cdrom", "files": {"file": [{"name": "/etc/hosts", "content": "one"}]}}]}}"#,
        r#"{"vm": {"payloads": {"payload": {"type": "cdrom", "file": {"name": "/etc/hosts", "content": "one"}}}}}"#,
    ];
    let kept = "<payloads><payload type=\"cdrom\"><files><file><name>/etc/hosts</name><content>one</content></file></files></payload></payloads>";
    for form in forms {
        let answer = admin.put(&vm, form).await;
        assert!(answer.status == StatusCode::OK && answer.on_one_line().contains(kept), "{form}: {answer:?}");
        assert!(admin.get(&vm).await.on_one_line().contains(kept));
        let none = admin.put(&vm, "<vm><payloads/></vm>").await;
        assert!(none.status == StatusCode::OK && !none.body.contains("payload"), "{none:?}");
    }
    for (bad, named) in [
        (r#"{"payload": [{"type": "tape", "files": {"file": [{"name": "a", "content": "b"}]}}]}"#, "VmDeviceType"),
        (r#"{"payload": [{"files": {"file": [{"name": "a", "content": "b"}]}}]}"#, "Payload [type]"),
        (r#"{"payload": [{"type": "floppy"}]}"#, "payload.files"),
    ] {
        let answer = estate.engine.refused().put(&vm, format!("{{\"payloads\": {bad}}}")).await;
        assert!(answer.status == StatusCode::BAD_REQUEST && answer.body.contains(named), "{bad}: {answer:?}");
    }
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn a_floating_disk_is_attached_as_it_was_made_to_be() {
    let estate = Estate::furnished().await;
    let admin = estate.engine.admin();
    let domain = &estate.things["storagedomain"];
    let disk = format!(
        "<disk><alias>made</alias><size>1073741824</size><format>cow</format><interface>ide</interface><bootable>true</bootable>\
         <storage_domains><storage_domain id=\"{domain}\"/></storage_domains></disk>"
    );
    let made = admin.with("expect", "201-created").post("/api/disks", disk).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let says = |body: &str| body.contains("<interface>ide</interface>") && body.contains("<bootable>true</bootable>");
    assert!(says(&made.body), "{}", made.body);
    let id = made.id();
    let admin = estate.engine.admin();
    let attached = admin.post(&format!("/api/vms/{}/disks", estate.things["vm"]), format!("<disk id=\"{id}\"/>")).await;
    assert!(attached.status == StatusCode::OK && says(&attached.body), "{attached:?}");
    assert!(says(&admin.get(&format!("/api/disks/{id}")).await.body));
}

#[tokio::test]
async fn a_vm_stays_with_its_template() {
    let estate = Estate::new().await;
    let vm = format!("/api/vms/{}", estate.things["vm"]);
    for template in ["<template id=\"00000000-0000-4000-8000-00000000dead\"/>"] {
        let answer = estate.engine.refused().put(&vm, format!("<vm>{template}</vm>")).await;
        let said = answer.body.contains("Attempt to set immutable field: template");
        assert!(answer.status == StatusCode::CONFLICT && said, "{template}: {answer:?}");
    }
    for same in
        [format!("<template id=\"{}\"/>", estate.things["template"]), "<template><name>Blank</name></template>".to_owned()]
    {
        assert_eq!(estate.engine.admin().put(&vm, format!("<vm>{same}</vm>")).await.status, StatusCode::OK, "{same}");
    }
    assert_eq!(estate.engine.left_by_refused().await, [""; 0]);
}
