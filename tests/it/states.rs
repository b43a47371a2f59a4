//! What the state of something stands against: an estate is brought into each state, and what upstream refuses there is refused, with
//! upstream's status and words, no event, and nothing changed.

use std::time::Duration;

use evirt::hypervisor::estate::{Estate, HostEntry};
use evirt::hypervisor::simulator::Simulator;
use evirt::hypervisor::{CallKind, DriverError};
use evirt::reactors::Timeouts;
use evirt_domain::host::HostStatus;
use evirt_domain::host_error::MAX_FAILED_STARTS;
use evirt_domain::storage::AttachmentStatus;
use evirt_domain::{Key, World};
use reqwest::{Method, StatusCode};

use crate::engine::{Caller, Engine, fast_but};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// What takes so long, in the estate's own milliseconds, does not end during a test.
const FOREVER_MS: u64 = 1_000_000_000;
const DATA_CENTER: &str = "/api/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3";
const CLUSTER: &str = "/api/clusters/99408929-82cf-4dc7-a532-9d998063fa95";
const POWER: &str = "<power_management type=\"ipmilan\"><enabled>true</enabled><address>192.168.0.112</address>\
                     <username>admin</username><password>redhat</password></power_management>";

/// The status of a refusal, as clients have always got it.
fn status_of(key: Key) -> u16 {
    let name = format!("{key:?}");
    let row = include_str!("../data/refusals.tsv").lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix('\t'));
    row.and_then(|status| status.parse().ok()).expect("each key has a row")
}

/// An engine whose estate is in many states.
struct Lab {
    engine: Engine,
    admin: Caller,
    refused: Caller,
}

/// A request below something, and the key of its refusal.
type Refusal<'a> = (Method, &'a str, &'a str, Key);

impl Lab {
    fn new(engine: Engine) -> Self {
        Self { admin: engine.admin(), refused: engine.refused(), engine }
    }

    fn simulator(&self) -> &Simulator {
        &self.engine.server().simulator
    }

    fn world(&self) -> std::sync::Arc<World> {
        self.engine.server().app.engine.world()
    }

    async fn until(&self, what: &str, is_so: impl Fn(&World) -> bool) {
        let so = self.engine.server().app.engine.until(|world| is_so(world).then_some(()));
        if tokio::time::timeout(PATIENCE, so).await.is_err() {
            panic!("it never comes to it: {what}");
        }
    }

    /// Does what is accepted; gives the path of what was made.
    async fn ok(&self, method: Method, path: &str, body: &str) -> String {
        let answer = self.admin.ask(method.clone(), path, Some(body.to_owned())).await;
        assert!(answer.status.is_success(), "{method} {path} {body}: {answer:?}");
        let made = answer.header("location");
        if made.is_empty() && method == Method::POST && answer.body.contains(" id=\"") {
            format!("{path}/{}", answer.id())
        } else {
            made.to_owned()
        }
    }

    async fn post(&self, path: &str, body: &str) -> String {
        self.ok(Method::POST, path, body).await
    }

    /// What is refused of something in a state.
    async fn refuses(&self, state: &str, of: &str, refusals: &[Refusal<'_>]) {
        for (method, below, body, key) in refusals {
            let path = if below.starts_with('/') {
                (*below).to_owned()
            } else {
                format!("{of}{}{below}", if below.is_empty() { "" } else { "/" })
            };
            let shown = self.admin.get(of).await;
            assert_eq!(shown.status, StatusCode::OK, "{of} {}", shown.body);
            let answer = self.refused.ask(method.clone(), &path, (!body.is_empty()).then(|| (*body).to_owned())).await;
            let about = format!("{state}: {method} {path} {body}");
            assert_eq!(answer.status.as_u16(), status_of(*key), "{about}: {}", answer.body);
            let said = answer.body.replace("&apos;", "'");
            let parts = key.text().split("${").map(|part| part.rsplit('}').next().unwrap());
            for part in parts {
                assert!(said.contains("<fault>") && said.contains(part), "{about}: {} is not in {said}", key.upstream());
            }
            assert_eq!(self.engine.left_by_refused().await, [""; 0], "{about}");
            assert_eq!(self.admin.get(of).await.body, shown.body, "{about}");
        }
    }
}

/// The identifier at the end of a path.
fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// Another host, like one of the estate.
fn host_entry(like: &HostEntry, n: u8) -> HostEntry {
    let mut entry = like.clone();
    entry.name = format!("machine{n}");
    entry.address = format!("192.168.0.{}", 30 + n).parse().unwrap();
    for (i, nic) in entry.nics.iter_mut().enumerate() {
        nic.mac = format!("00:1a:64:01:{n:02x}:{i:02x}");
        nic.ip = nic.ip.map(|_| entry.address);
    }
    entry
}

const MACHINES: [&str; 11] =
    ["up", "maintenance", "silent", "down", "reboot", "lacking", "connecting", "preparing", "installing", "unassigned", "error"];

#[tokio::test]
async fn the_states_of_hosts() {
    use Key::*;
    let lab = Lab::new(
        fast_but(|estate: &mut Estate, timeouts| {
            let like = estate.hosts.iter().find(|host| host.name == "host2.example.com").unwrap().clone();
            estate.hosts.extend((0..=11).map(|n| host_entry(&like, n)));
            estate.durations.unreachable_ms = FOREVER_MS;
            estate.durations.boot_host_ms = FOREVER_MS;
            estate.durations.migrate_ms_per_gib = FOREVER_MS;
            timeouts.patience.vm_ms = FOREVER_MS;
            timeouts.fence_again = Duration::from_secs(3_600);
            timeouts.reboot_grace = Duration::from_secs(3_600);
            timeouts.error_rest = Duration::from_secs(3_600);
        })
        .await,
    );
    let address = |n: usize| format!("192.168.0.{}", 30 + n);
    let apart =
        lab.post("/api/clusters", "<cluster><name>apart</name><cpu id=\"Intel Nehalem Family\"/><data_center><name>Default</name></data_center></cluster>").await;
    let mut at = Vec::new();
    for (n, name) in MACHINES.iter().enumerate() {
        let cluster = if ["lacking", "down"].contains(name) { "apart" } else { "Default" };
        let host = format!(
            "<host><name>{name}</name><address>{}</address><root_password>redhat</root_password><cluster><name>{cluster}</name></cluster></host>",
            address(n)
        );
        at.push(lab.post("/api/hosts", &host).await);
    }
    let host = |name: &str| at[MACHINES.iter().position(|known| *known == name).unwrap()].as_str();
    let machine = |name: &str| address(MACHINES.iter().position(|known| *known == name).unwrap());
    let is = async |name: &str, status: HostStatus| {
        let so = |world: &World| world.hosts.values().any(|host| host.config.name == name && host.status == status);
        lab.until(&format!("{name} {status:?}"), so).await;
    };
    for name in MACHINES {
        is(name, HostStatus::Up).await;
    }
    lab.simulator().fail_next(CallKind::Install, DriverError::Failed { message: "no".into() });
    let broken =
        format!("<host><name>broken</name><address>{}</address><root_password>redhat</root_password></host>", address(11));
    let broken = lab.post("/api/hosts", &broken).await;
    is("broken", HostStatus::InstallFailed).await;
    is("hypervisor", HostStatus::PendingApproval).await;
    let waiting = lab.world().hosts.values().find(|host| host.config.name == "hypervisor").unwrap().id;
    let waiting = format!("/api/hosts/{waiting}");

    for name in ["maintenance", "installing", "unassigned"] {
        lab.post(&format!("{}/deactivate", host(name)), "<action/>").await;
        is(name, HostStatus::Maintenance).await;
    }
    for name in ["silent", "installing", "unassigned"] {
        lab.simulator().kill_host(&machine(name));
    }
    is("silent", HostStatus::NonResponsive).await;
    lab.post(
        &format!("{}/install", host("installing")),
        "<action><async>true</async><root_password>redhat</root_password></action>",
    )
    .await;
    is("installing", HostStatus::Installing).await;
    lab.post(&format!("{}/activate", host("unassigned")), "<action><async>true</async></action>").await;
    is("unassigned", HostStatus::Unassigned).await;
    let network = "<network><name>needed</name><data_center><name>Default</name></data_center></network>";
    let network = lab.post("/api/networks", network).await;
    lab.post(&format!("{apart}/networks"), &format!("<network id=\"{}\"/>", id(&network))).await;
    for name in ["lacking", "down"] {
        is(name, HostStatus::NonOperational).await;
    }
    for (name, fence, status) in [("down", "stop", HostStatus::Down), ("reboot", "restart", HostStatus::Reboot)] {
        lab.ok(Method::PUT, host(name), &format!("<host>{POWER}</host>")).await;
        lab.post(
            &format!("{}/fence", host(name)),
            &format!("<action><async>true</async><fence_type>{fence}</fence_type></action>"),
        )
        .await;
        is(name, status).await;
    }
    for name in ["connecting", "preparing", "error"] {
        let there = id(host(name));
        let vm = format!(
            "<vm><name>on-{name}</name><cluster><name>Default</name></cluster><template><name>Blank</name></template><os><boot dev=\"network\"/></os></vm>"
        );
        let vm = lab.post("/api/vms", &vm).await;
        lab.post(&format!("{vm}/nics"), "<nic><name>nic1</name><network><name>rhevm</name></network></nic>").await;
        let start = format!("<action><vm><placement_policy><host id=\"{there}\"/></placement_policy></vm></action>");
        if name == "error" {
            for n in 1..=MAX_FAILED_STARTS {
                lab.simulator().fail_next(CallKind::Launch, DriverError::Failed { message: "no".into() });
                lab.post(&format!("{vm}/start"), &start).await;
                let failed = |world: &World| world.hosts.values().any(|h| h.config.name == name && h.failed_starts == n);
                lab.until("a start fails", failed).await;
            }
            is(name, HostStatus::Error).await;
            lab.refuses(name, &vm, &[(Method::POST, "start", &start, AllHostsFilteredOut)]).await;
            continue;
        }
        lab.post(&format!("{vm}/start"), &start).await;
        let up = |world: &World| world.vms.values().any(|vm| vm.config.name == format!("on-{name}") && vm.state.name() == "up");
        lab.until(&format!("a VM on {name}"), up).await;
    }
    lab.simulator().kill_host(&machine("connecting"));
    is("connecting", HostStatus::Connecting).await;
    lab.post(&format!("{}/deactivate", host("preparing")), "<action><async>true</async></action>").await;
    is("preparing", HostStatus::PreparingForMaintenance).await;
    tokio::task::yield_now().await;

    const ACTION: &str = "<action/>";
    let activate = |key| (Method::POST, "activate", ACTION, key);
    let deactivate = |key| (Method::POST, "deactivate", ACTION, key);
    let remove = |key| (Method::DELETE, "", "", key);
    let install = |key| (Method::POST, "install", "<action><root_password>redhat</root_password></action>", key);
    let fence = |how, key| (Method::POST, "fence", how, key);
    const MANUAL: &str = "<action><fence_type>manual</fence_type></action>";
    const START: &str = "<action><fence_type>start</fence_type></action>";
    const STOP: &str = "<action><fence_type>stop</fence_type></action>";
    let approve = (Method::POST, "approve", ACTION, HostApproveType);
    let manager = |key| (Method::POST, "forceselectspm", ACTION, key);
    let elsewhere = (Method::PUT, "", "<host><cluster><name>apart</name></cluster></host>", HostUpdateCluster);
    let busy = [
        activate(HostCannotActivate),
        deactivate(HostStatusNotOperational),
        remove(HostCannotRemove),
        install(HostInstallStatus),
        fence(MANUAL, FenceManualStatus),
        approve.clone(),
        elsewhere.clone(),
        manager(SpmHostNotUp),
    ];
    for (name, of) in [("installing", host("installing")), ("reboot", host("reboot")), ("unassigned", host("unassigned"))] {
        lab.refuses(name, of, &busy).await;
    }
    lab.ok(Method::PUT, host("up"), &format!("<host>{POWER}</host>")).await;
    let up = [
        activate(HostAlreadyUp),
        remove(HostCannotRemove),
        install(HostInstallStatus),
        fence(MANUAL, FenceManualStatus),
        fence(START, FenceStartStatus),
        fence(STOP, FenceStopStatus),
        approve.clone(),
        elsewhere.clone(),
    ];
    lab.refuses("up", host("up"), &up).await;
    lab.refuses(
        "maintenance",
        host("maintenance"),
        &[deactivate(HostInMaintenance), fence(STOP, FenceDisabled), approve.clone()],
    )
    .await;
    let silent =
        [activate(HostNonResponsive), remove(HostCannotRemove), fence(START, FenceDisabled), approve.clone(), elsewhere.clone()];
    lab.refuses("non_responsive", host("silent"), &silent).await;
    let back = (Method::PUT, "", "<host><cluster><name>Default</name></cluster></host>", HostUpdateCluster);
    lab.refuses("down", host("down"), &[activate(HostCannotActivate), approve.clone(), back]).await;
    lab.refuses("non_operational", host("lacking"), &[remove(HostCannotRemove), approve.clone()]).await;
    let connecting = [
        activate(HostCannotActivate),
        deactivate(HostStatusNotOperational),
        remove(HostCannotRemove),
        install(HostInstallStatus),
        approve.clone(),
    ];
    lab.refuses("connecting", host("connecting"), &connecting).await;
    let preparing = [
        deactivate(HostStatusNotOperational),
        remove(HostCannotRemove),
        install(HostInstallStatus),
        fence(MANUAL, FenceManualStatus),
        approve.clone(),
    ];
    lab.refuses("preparing_for_maintenance", host("preparing"), &preparing).await;
    let error =
        [remove(HostCannotRemove), fence(MANUAL, FenceManualStatus), approve.clone(), elsewhere.clone(), manager(SpmHostNotUp)];
    lab.refuses("error", host("error"), &error).await;
    lab.refuses("install_failed", &broken, &[deactivate(HostStatusNotOperational), approve]).await;
    let pending = [
        activate(HostCannotActivate),
        deactivate(HostStatusNotOperational),
        install(HostInstallStatus),
        fence(MANUAL, FenceManualStatus),
        (Method::PUT, "", "<host><name>other</name></host>", HostUpdateStatus),
    ];
    lab.refuses("pending_approval", &waiting, &pending).await;
    let taken = [(Method::DELETE, "", "", ClusterHasHosts)];
    lab.refuses("with hosts", &apart, &taken).await;
    lab.refuses("the default cluster", CLUSTER, &[(Method::DELETE, "", "", ClusterIsDefault)]).await;
}

/// From the time that a host is reached until its storage is there it is being prepared: after an activation, and after a restart.
#[tokio::test]
async fn a_host_that_is_being_prepared() {
    use Key::*;
    let mut lab = lab_with_host(|_, timeouts| timeouts.reboot_grace = Duration::from_secs(3_600)).await;
    let is = async |lab: &Lab, host: &str, status: HostStatus| {
        let so = |world: &World| world.hosts.values().any(|h| h.config.name == host && h.status == status);
        lab.until(&format!("{host} {status:?}"), so).await;
    };
    let mut others = Vec::new();
    for (name, n) in [("activated", 2), ("restarted", 3)] {
        let power = POWER.replace("192.168.0.112", &format!("192.168.0.11{n}"));
        let host = format!(
            "<host><name>{name}</name><address>192.168.0.1{n}</address><root_password>redhat</root_password>{power}</host>"
        );
        others.push(lab.post("/api/hosts", &host).await);
        is(&lab, name, HostStatus::Up).await;
    }
    let data = lab.post("/api/storagedomains", &domain("data", "data", "/data1")).await;
    lab.post(&format!("{DATA_CENTER}/storagedomains"), &format!("<storage_domain id=\"{}\"/>", id(&data))).await;
    lab.until("the domain is active", |world| {
        world.storage_domains.values().any(|domain| domain.is_in(AttachmentStatus::Active))
    })
    .await;
    let [activated, restarted] = &others[..] else { panic!("{others:?}") };
    lab.post(&format!("{activated}/deactivate"), "<action/>").await;
    is(&lab, "activated", HostStatus::Maintenance).await;
    lab.simulator().slow_export("storage.example.com:/data1", FOREVER_MS);
    lab.post(&format!("{activated}/activate"), "<action><async>true</async></action>").await;
    lab.post(&format!("{restarted}/fence"), "<action><async>true</async><fence_type>restart</fence_type></action>").await;

    const ACTION: &str = "<action/>";
    let busy = [
        (Method::POST, "activate", ACTION, HostCannotActivate),
        (Method::POST, "deactivate", ACTION, HostStatusNotOperational),
        (Method::DELETE, "", "", HostCannotRemove),
        (Method::POST, "install", "<action><root_password>redhat</root_password></action>", HostInstallStatus),
        (Method::POST, "fence", "<action><fence_type>manual</fence_type></action>", FenceManualStatus),
        (Method::POST, "approve", ACTION, HostApproveType),
        (Method::POST, "forceselectspm", ACTION, SpmHostNotUp),
    ];
    for (name, host) in [("activated", activated), ("restarted", restarted)] {
        is(&lab, name, HostStatus::Initializing).await;
        let shown = lab.admin.get(host).await.on_one_line();
        assert!(shown.contains("<status><state>initializing</state></status>"), "{shown}");
        lab.refuses(&format!("initializing, {name}"), host, &busy).await;
    }
    let found = lab.admin.get("/api/hosts?search=status%3Dinitializing").await.body;
    assert_eq!(found.matches("<host ").count(), 2, "{found}");
    let up = lab.admin.get("/api/hosts?search=status%3Dup").await.body;
    assert_eq!(up.matches("<host ").count(), 1, "{up}");

    // No job goes on with the one that was restarted: the next engine finds it so, and the storage in time.
    let begun = lab.world().position;
    lab.engine
        .while_stopped(|data| {
            let file = data.join("simulator.json");
            let kept = std::fs::read_to_string(&file).unwrap();
            let in_time = kept.lines().map(|line| {
                let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
                if let Some(slow) = line.get_mut("slow_storage") {
                    *slow = serde_json::json!({});
                }
                line.to_string()
            });
            std::fs::write(&file, in_time.collect::<Vec<_>>().join("\n")).unwrap();
        })
        .await;
    lab = Lab::new(lab.engine);
    is(&lab, "restarted", HostStatus::Up).await;
    let told = lab.engine.server().app.engine.log().read(begun, 1_000).await.unwrap();
    let kinds: Vec<&str> = told.iter().map(|record| &*record.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "HostStatusChanged").count(), 1, "{kinds:?}");
    is(&lab, "activated", HostStatus::Initializing).await;
}

fn domain(name: &str, kind: &str, path: &str) -> String {
    format!(
        "<storage_domain><name>{name}</name><type>{kind}</type><host><name>host</name></host>\
         <storage><type>nfs</type><address>192.168.0.10</address><path>{path}</path></storage></storage_domain>"
    )
}

/// An engine with the host `host` that is up.
async fn lab_with_host(change: impl FnOnce(&mut Estate, &mut Timeouts)) -> Lab {
    let lab = Lab::new(fast_but(change).await);
    let host = "<host><name>host</name><address>192.168.0.11</address><root_password>redhat</root_password></host>";
    lab.post("/api/hosts", host).await;
    lab.until("the host is up", |world| {
        world.hosts.values().any(|host| host.config.name == "host" && host.status == HostStatus::Up)
    })
    .await;
    lab
}

#[tokio::test]
async fn the_states_of_storage() {
    let lab = lab_with_host(|estate, _| {
        estate.durations.volume_ms = FOREVER_MS;
        estate.durations.unreachable_ms = FOREVER_MS;
        estate.durations.heartbeat_ms = FOREVER_MS;
    })
    .await;
    let is = async |name: &str, status: AttachmentStatus| {
        let so = |world: &World| world.storage_domains.values().any(|domain| domain.config.name == name && domain.is_in(status));
        lab.until(&format!("{name} {status:?}"), so).await;
    };
    let there = format!("{DATA_CENTER}/storagedomains");
    let mut made = Vec::new();
    for (name, kind, path) in [("master", "data", "/data1"), ("iso", "iso", "/iso1"), ("export", "export", "/export1")] {
        let path = lab.post("/api/storagedomains", &domain(name, kind, path)).await;
        lab.post(&there, &format!("<storage_domain id=\"{}\"/>", id(&path))).await;
        is(name, AttachmentStatus::Active).await;
        made.push(path);
    }
    let at = |path: &str| format!("{there}/{}", id(path));
    let apart = lab.post("/api/storagedomains", &domain("apart", "data", "/data2")).await;
    lab.post(&format!("{}/deactivate", at(&made[1])), "<action/>").await;
    is("iso", AttachmentStatus::Maintenance).await;
    let vm = "<vm><name>vm</name><cluster><name>Default</name></cluster><template><name>Blank</name></template></vm>";
    let vm = lab.post("/api/vms", vm).await;
    let disk = format!(
        "<disk><storage_domains><storage_domain id=\"{}\"/></storage_domains><size>1073741824</size><interface>virtio</interface>\
         <format>cow</format></disk>",
        id(&made[0])
    );
    let disk = lab.post(&format!("{vm}/disks"), &disk).await;

    use Key::*;
    const ACTION: &str = "<action/>";
    const HOST: &str = "<storage_domain><host><name>host</name></host></storage_domain>";
    let activate = |key| (Method::POST, "activate", ACTION, key);
    let deactivate = |key| (Method::POST, "deactivate", ACTION, key);
    let detach = |key| (Method::DELETE, "", "", key);
    let attach = |of: &str| format!("<storage_domain id=\"{}\"/>", id(of));
    lab.refuses("an active domain", &at(&made[0]), &[activate(DomainStatusIllegal), detach(DomainStatusIllegal)]).await;
    lab.refuses("a domain with work on it", &at(&made[0]), &[deactivate(MasterWithOthers)]).await;
    lab.refuses("a domain in maintenance", &at(&made[1]), &[deactivate(DomainStatusIllegal)]).await;
    for attached in &made {
        lab.refuses("an attached domain", attached, &[(Method::DELETE, "", HOST, DomainAttached)]).await;
        lab.refuses("an attached domain", attached, &[(Method::POST, &there, &attach(attached), DomainAlreadyAttached)]).await;
    }
    let again = [(Method::POST, "/api/storagedomains", domain("again", "data", "/data1"), StorageConnectionExists)];
    let again: Vec<Refusal<'_>> = again.iter().map(|(m, p, b, k)| (m.clone(), *p, b.as_str(), *k)).collect();
    lab.refuses("storage in use", &made[0], &again).await;
    let connections = lab.admin.get(&format!("{}/storageconnections", made[0])).await;
    let connection = format!("/api/storageconnections/{}", id_within(&connections.body, "storage_connection"));
    let used = [(Method::DELETE, "", "<host><name>host</name></host>", ConnectionSharedByDomains)];
    lab.refuses("a connection in use", &connection, &used).await;
    let moved = "<storage_connection><path>/other</path><host><name>host</name></host></storage_connection>";
    lab.refuses("a connection in use", &connection, &[(Method::PUT, "", moved, ConnectionDomainsStatus)]).await;
    let center = [
        (Method::DELETE, "", "", DataCenterActive),
        (Method::PUT, "", "<data_center><storage_type>iscsi</storage_type></data_center>", DataCenterTypeFixed),
        (Method::PUT, "", "<data_center><version major=\"3\" minor=\"0\"/></data_center>", VersionDecrease),
    ];
    lab.refuses("a data center that is up", DATA_CENTER, &center).await;
    let disk = format!("/api/disks/{}", id(&disk));
    lab.refuses("a locked disk", &disk, &[(Method::DELETE, "", "", DiskLocked)]).await;
    let within = format!("{vm}/disks/{}", id(&disk));
    let locked =
        [(Method::PUT, "", "<disk><size>2147483648</size></disk>", DiskLocked), (Method::POST, "deactivate", ACTION, DiskLocked)];
    lab.refuses("a locked disk", &within, &locked[..1]).await;
    lab.refuses("a VM with a locked disk", &vm, &[(Method::POST, "start", ACTION, DiskLocked)]).await;
    // The host is not known to be gone, and is waited for.
    lab.simulator().kill_host("192.168.0.11");
    let body = format!("<storage_domain id=\"{}\"/>", id(&apart));
    tokio::select! {
        answer = lab.admin.post(&there, body) => panic!("{answer:?}"),
        () = is("apart", AttachmentStatus::Locked) => {}
    }
    let locked = [activate(DomainStatusIllegal), deactivate(DomainStatusIllegal), detach(DomainStatusIllegal)];
    lab.refuses("a locked domain", &at(&apart), &locked).await;
    lab.refuses("a master beside a locked domain", &at(&made[0]), &[deactivate(MasterWithLocked)]).await;
}

/// The identifier of the first element of a name.
fn id_within<'a>(body: &'a str, element: &str) -> &'a str {
    let (_, rest) = body.split_once(&format!("<{element} ")).unwrap_or_else(|| panic!("{element}: {body}"));
    rest.split_once("id=\"").unwrap().1.split('"').next().unwrap()
}

#[tokio::test]
async fn the_states_of_machines() {
    let lab = lab_with_host(|estate, timeouts| {
        let times = &mut estate.durations;
        times.shutdown_ms = FOREVER_MS;
        times.reboot_ms = FOREVER_MS;
        times.save_ms_per_gib = FOREVER_MS;
        times.migrate_ms_per_gib = FOREVER_MS;
        timeouts.shutdown_grace = Duration::from_secs(3_600);
    })
    .await;
    let other = "<host><name>other</name><address>192.168.0.12</address><root_password>redhat</root_password></host>";
    lab.post("/api/hosts", other).await;
    let up = |world: &World| world.hosts.values().filter(|host| host.status == HostStatus::Up).count() == 2;
    lab.until("both hosts are up", up).await;
    let master = lab.post("/api/storagedomains", &domain("master", "data", "/data1")).await;
    lab.post(&format!("{DATA_CENTER}/storagedomains"), &format!("<storage_domain id=\"{}\"/>", id(&master))).await;
    let active = |world: &World| world.storage_domains.values().any(|domain| domain.is_in(AttachmentStatus::Active));
    lab.until("storage is active", active).await;

    use Key::*;
    const ACTION: &str = "<action/>";
    const ONCE: &str = "<action><vm><stateless>true</stateless></vm></action>";
    const FORCED: &str = "<action><async>true</async></action>";
    let act = |name, key| (Method::POST, name, ACTION, key);
    let remove = |key| (Method::DELETE, "", "", key);
    let nic = |key| (Method::POST, "nics", "<nic><name>nic2</name></nic>", key);
    let idle =
        [act("stop", VmIsNotRunning), act("shutdown", VmIsNotRunning), act("suspend", VmIsNotUp), act("migrate", VmIsNotRunning)];
    let down =
        [&idle[..], &[act("reboot", VmStatusIllegal), act("ticket", VmStatusIllegal), act("cancelmigration", NotMigrating)]]
            .concat();
    let runs = [act("start", VmStatusIllegal), (Method::POST, "start", ONCE, VmStatusIllegal), remove(VmIsRunning)];
    let up = [&runs[..], &[act("cancelmigration", NotMigrating)]].concat();
    let changing = [&up[..], &[act("suspend", VmIsNotUp), nic(VmStatusIllegal)]].concat();
    let saving = [
        &changing[..],
        &[act("stop", VmIsSavingRestoring), act("shutdown", VmIsSavingRestoring), act("migrate", VmStatusIllegal)],
    ]
    .concat();
    let leaving = [&runs[..], &[act("migrate", MigrationInProgress), act("suspend", VmIsNotUp), nic(VmStatusIllegal)]].concat();
    let paused = [
        (Method::POST, "start", ONCE, VmStatusIllegal),
        remove(VmIsRunning),
        act("suspend", VmIsNotUp),
        act("migrate", MigratePaused),
        act("cancelmigration", NotMigrating),
        nic(VmStatusIllegal),
    ];
    let cases: [(&str, &str, &str, &[Refusal<'_>]); 7] = [
        ("down", "", "", &down),
        ("up", "", "", &up),
        ("paused", "", "", &paused),
        ("powering_down", "shutdown", FORCED, &changing),
        ("reboot_in_progress", "reboot", FORCED, &changing),
        ("saving_state", "suspend", FORCED, &saving),
        ("migrating", "migrate", FORCED, &leaving),
    ];
    for (state, action, body, refusals) in cases {
        let vm = format!(
            "<vm><name>vm-{state}</name><cluster><name>Default</name></cluster><template><name>Blank</name></template>\
             <os><boot dev=\"network\"/></os></vm>"
        );
        let vm = lab.post("/api/vms", &vm).await;
        lab.post(&format!("{vm}/nics"), "<nic><name>nic1</name><network><name>rhevm</name></network></nic>").await;
        let is = |wanted: &'static str| {
            let name = format!("vm-{state}");
            move |world: &World| world.vms.values().any(|vm| vm.config.name == name && vm.state.name() == wanted)
        };
        let start = if state == "paused" { "<action><pause>true</pause></action>" } else { ACTION };
        if state != "down" {
            lab.post(&format!("{vm}/start"), start).await;
            lab.until(&format!("{state} runs"), is(if state == "paused" { "paused" } else { "up" })).await;
        }
        if !action.is_empty() {
            lab.post(&format!("{vm}/{action}"), body).await;
            lab.until(state, is(state)).await;
        }
        lab.refuses(state, &vm, refusals).await;
    }
}

#[tokio::test]
async fn the_states_of_what_has_no_machine() {
    let lab = lab_with_host(|_, _| ()).await;
    let tag = lab.post("/api/tags", "<tag><name>tag</name></tag>").await;
    let below = lab.post("/api/tags", "<tag><name>below</name><parent><tag><name>tag</name></tag></parent></tag>").await;
    let network = "<network><name>lan</name><data_center><name>Default</name></data_center><vlan id=\"7\"/></network>";
    let network = lab.post("/api/networks", network).await;
    lab.post(&format!("{CLUSTER}/networks"), &format!("<network id=\"{}\"><required>false</required></network>", id(&network)))
        .await;
    let profiles = lab.admin.get(&format!("{network}/vnicprofiles")).await;
    let profile = format!("/api/vnicprofiles/{}", id_within(&profiles.body, "vnic_profile"));
    let quotas = format!("{DATA_CENTER}/quotas");
    let quota = lab.post(&quotas, "<quota><name>quota</name></quota>").await;
    let vm = format!(
        "<vm><name>vm</name><cluster><name>Default</name></cluster><template><name>Blank</name></template>\
         <delete_protected>true</delete_protected><quota id=\"{}\"/></vm>",
        id(&quota)
    );
    let vm = lab.post("/api/vms", &vm).await;
    lab.post(&format!("{vm}/nics"), &format!("<nic><name>nic1</name><vnic_profile id=\"{}\"/></nic>", id(&profile))).await;
    let role = "<role><name>role</name><administrative>false</administrative><permits><permit id=\"1\"/></permits></role>";
    let role = lab.post("/api/roles", role).await;
    let user = lab.post("/api/users", "<user><user_name>eve@internal</user_name></user>").await;
    let given = format!("<permission><role id=\"{}\"/><user id=\"{}\"/></permission>", id(&role), id(&user));
    lab.post(&format!("{vm}/permissions"), &given).await;
    let job = lab.post("/api/jobs", "<job><description>job</description></job>").await;
    let step = lab.post(&format!("{job}/steps"), "<step><type>executing</type><description>s</description></step>").await;
    const END: &str = "<action><status><state>finished</state></status></action>";
    lab.post(&format!("{step}/end"), END).await;
    lab.post(&format!("{job}/end"), END).await;
    let event =
        "<event><origin>o</origin><severity>normal</severity><custom_id>1</custom_id><description>d</description></event>";
    let told = lab.post("/api/events", event).await;
    let rhevm = id_within(&lab.admin.get("/api/networks?search=name%3Drhevm").await.body, "network").to_owned();
    let rhevm = format!("/api/networks/{rhevm}");
    let managed = format!("{CLUSTER}/networks/{}", id(&rhevm));
    let in_cluster = format!("{CLUSTER}/networks/{}", id(&network));
    let (nothing, administrator) = ("00000000-0000-0000-0000-000000000000", "fdfc627c-d875-11e0-90f0-83df133b58cc");
    let root = format!("/api/tags/{nothing}");
    let super_user = "/api/roles/00000000-0000-0000-0000-000000000001";
    let everyone = "/api/groups/eee00000-0000-0000-0000-123456789eee";
    let me = format!("/api/users/{administrator}");

    use Key::*;
    let remove = |key| (Method::DELETE, "", "", key);
    let put = |body, key| (Method::PUT, "", body, key);
    let post = |path, body, key| (Method::POST, path, body, key);
    let in_tag = "<tag><parent><tag><name>below</name></tag></parent></tag>";
    let vlan = "<network><name>other</name><data_center><name>Default</name></data_center><vlan id=\"7\"/></network>";
    let cases: Vec<(&str, &str, Vec<Refusal<'_>>)> = vec![
        ("the root tag", &root, vec![remove(TagRoot), put("<tag><name>x</name></tag>", TagRoot)]),
        ("a tag above another", &tag, vec![put(in_tag, TagCycle)]),
        ("a tag's name", &tag, vec![post("/api/tags", "<tag><name>tag</name></tag>", TagNameInUse)]),
        ("a tag's name", &below, vec![put("<tag><name>tag</name></tag>", TagNameInUse)]),
        (
            "the management network",
            &rhevm,
            vec![remove(NetworkIsManagement), put("<network><name>x</name></network>", NetworkIsManagement)],
        ),
        ("the management network of a cluster", &managed, vec![remove(NetworkIsManagement)]),
        ("a network in use", &network, vec![remove(NetworkInUse), post("/api/networks", vlan, VlanInUse)]),
        ("a network of a cluster in use", &in_cluster, vec![remove(NetworkInUse)]),
        ("a profile in use", &profile, vec![remove(VnicProfileInUse)]),
        ("a quota in use", &quota, vec![remove(QuotaInUse)]),
        ("a quota's name", &quota, vec![post(&quotas, "<quota><name>quota</name></quota>", QuotaNameInUse)]),
        ("a protected VM", &vm, vec![remove(DeleteProtected), post("nics", "<nic><name>nic1</name></nic>", NicNameInUse)]),
        (
            "a role in use",
            &role,
            vec![
                remove(RoleInUse),
                post("permits", "<permit id=\"1\"/>", RolePermitAttached),
                post("permits", "<permit id=\"100\"/>", RolePermitType),
            ],
        ),
        (
            "a role that is built in",
            super_user,
            vec![
                remove(RoleBuiltIn),
                put("<role><name>x</name></role>", RoleBuiltIn),
                post("permits", "<permit id=\"1\"/>", RoleBuiltIn),
            ],
        ),
        ("Everyone", everyone, vec![remove(GroupIsEveryone)]),
        ("a user", &user, vec![post("/api/users", "<user><user_name>eve@internal</user_name></user>", UserExists)]),
        ("the caller", &me, vec![remove(UserIsAdmin)]),
        (
            "a job that ended",
            &job,
            vec![
                post("end", END, JobEnded),
                post("steps", "<step><type>executing</type><description>s</description></step>", JobEnded),
            ],
        ),
        ("a step that ended", &step, vec![post("end", END, JobEnded)]),
        ("an event that was told", &told, vec![post("/api/events", event, ExternalEventExists)]),
        (
            "the default cluster",
            CLUSTER,
            vec![remove(ClusterIsDefault), put("<cluster><version major=\"3\" minor=\"0\"/></cluster>", VersionUnsupported)],
        ),
        (
            "hosts' addresses",
            "/api/hosts",
            vec![post(
                "/api/hosts",
                "<host><name>again</name><address>192.168.0.11</address><root_password>redhat</root_password></host>",
                HostAddressInUse,
            )],
        ),
    ];
    for (state, of, refusals) in cases {
        lab.refuses(state, of, &refusals).await;
    }
}
