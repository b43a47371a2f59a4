//! Hosts as clients see them: the requests of the guide's chapter 14, and what is refused.

use evirt::hypervisor::estate::{Estate, PowerManagementEntry};
use evirt::hypervisor::simulator::Simulator;
use evirt::hypervisor::{CallKind, DriverError};
use evirt_domain::World;
use evirt_domain::host::{Host, HostStatus};
use evirt_domain::ids::HostId;
use evirt_domain::job::Task;
use evirt_domain::vm_run::VmState;
use reqwest::{Method, StatusCode};

use crate::engine::{Answer, Caller, Engine, fast_but};

/// How long anything may take before a test fails.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// An engine with hosts.
struct Lab {
    engine: Engine,
    admin: Caller,
}

impl Lab {
    /// An engine with two hosts that are up, `host1` and `host2`.
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The same on an estate with changes.
    async fn with(change: impl FnOnce(&mut Estate)) -> Self {
        let engine = fast_but(|estate, _| change(estate)).await;
        let admin = engine.admin();
        let lab = Self { engine, admin };
        for n in 1..=2 {
            let body = format!(
                "<host><name>host{n}</name><address>192.168.0.1{n}</address><root_password>redhat</root_password></host>"
            );
            assert_eq!(lab.admin.post("/api/hosts", body).await.status, StatusCode::CREATED);
        }
        lab.until("host1", |host| host.status == HostStatus::Up).await;
        lab.until("host2", |host| host.status == HostStatus::Up).await;
        lab
    }

    fn simulator(&self) -> &Simulator {
        &self.engine.server().simulator
    }

    /// Waits until a host is so.
    async fn until(&self, name: &str, is_so: impl Fn(&Host) -> bool) {
        let so = self
            .engine
            .server()
            .app
            .engine
            .until(|world| world.hosts.values().find(|h| h.config.name == name).filter(|h| is_so(h)).map(drop));
        if tokio::time::timeout(PATIENCE, so).await.is_err() {
            panic!("{name} never came to it: {:?}", self.host(name));
        }
    }

    fn host(&self, name: &str) -> Host {
        let world = self.engine.server().app.engine.world();
        (**world.hosts.values().find(|h| h.config.name == name).expect(name)).clone()
    }

    fn id(&self, name: &str) -> HostId {
        self.host(name).id
    }

    /// The path of a host's interface, or of what is below it.
    fn nic(&self, host: &str, nic: &str) -> String {
        let host = self.host(host);
        let nic = host.nics.iter().find(|n| n.name == nic).expect(nic);
        format!("/api/hosts/{}/nics/{}", host.id, nic.id)
    }

    /// A network of the data center and cluster Default; its identifier.
    async fn network(&self, name: &str, more: &str, required: bool) -> String {
        let body = format!("<network><name>{name}</name><data_center><name>Default</name></data_center>{more}</network>");
        let made = self.admin.post("/api/networks", body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let id = attribute(&made.body, "network", "id");
        let body = format!("<network id=\"{id}\"><required>{required}</required></network>");
        let cluster = "/api/clusters/99408929-82cf-4dc7-a532-9d998063fa95/networks";
        let assigned = self.admin.post(cluster, body).await;
        assert_eq!(assigned.status, StatusCode::CREATED, "{}", assigned.body);
        id
    }

    async fn position(&self) -> u64 {
        self.engine.server().app.engine.world().position
    }

    /// The codes of the events behind a position, the oldest first.
    async fn told(&self, from: u64) -> Vec<u32> {
        let events = self.admin.get(&format!("/api/events;from={from}")).await.body;
        let mut codes: Vec<u32> =
            events.split("<code>").skip(1).filter_map(|rest| rest.split('<').next()?.parse().ok()).collect();
        codes.reverse();
        codes
    }

    /// A data domain that is active in the data center Default; its identifier.
    async fn storage(&self, host: HostId) -> String {
        let storage = "<storage><type>nfs</type><address>192.168.0.10</address><path>/data1</path></storage>";
        let domain =
            format!("<storage_domain><name>data1</name><type>data</type><host id=\"{host}\"/>{storage}</storage_domain>");
        let made = self.admin.post("/api/storagedomains", domain).await;
        let domain = attribute(&made.body, "storage_domain", "id");
        let within = "/api/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3/storagedomains";
        let attached = self.admin.post(within, format!("<storage_domain id=\"{domain}\"/>")).await;
        assert_eq!(attached.status, StatusCode::CREATED, "{}", attached.body);
        domain
    }

    /// A new VM that boots from the network; its identifier.
    async fn vm(&self, name: &str, more: &str) -> String {
        let vm = format!(
            "<vm><name>{name}</name><cluster><name>Default</name></cluster><template><name>Blank</name></template>\
             <memory>536870912</memory>{more}<os><boot dev=\"network\"/></os></vm>"
        );
        let made = self.admin.post("/api/vms", vm).await;
        let vm = attribute(&made.body, "vm", "id");
        let nic = "<nic><name>nic1</name><network><name>rhevm</name></network></nic>";
        assert_eq!(self.admin.post(&format!("/api/vms/{vm}/nics"), nic).await.status, StatusCode::CREATED);
        vm
    }

    /// Starts a new VM on a host and waits until it is up there.
    async fn runs(&self, name: &str, more: &str, host: HostId) {
        let vm = self.vm(name, more).await;
        let there = format!("<action><vm><placement_policy><host id=\"{host}\"/></placement_policy></vm></action>");
        done(&self.admin.post(&format!("/api/vms/{vm}/start"), there).await);
        self.up_on(host).await;
    }

    /// Waits until a VM is up on a host.
    async fn up_on(&self, host: HostId) {
        let engine = &self.engine.server().app.engine;
        let up = engine.until(|w| w.vms_on(host).find(|vm| vm.state == VmState::Up && vm.host() == Some(host)).map(drop));
        let vms = || engine.world().vms.values().map(|vm| (vm.state, vm.host())).collect::<Vec<_>>();
        tokio::time::timeout(PATIENCE, up).await.unwrap_or_else(|_| panic!("it is not up: {:?}", vms()));
    }

    /// As `told`, without the word that a host is silent: how soon that is missed is chance.
    async fn told_of_power(&self, from: u64) -> Vec<u32> {
        self.told(from).await.into_iter().filter(|code| ![12, 9008].contains(code)).collect()
    }

    /// An action or change is refused with this status, by a fault that says this, and by no event.
    #[track_caller]
    fn refused(answer: &Answer, status: u16, said: &str) {
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        assert!(answer.body.contains("<fault>") && answer.body.contains(said), "{said} is not in {}", answer.body);
    }
}

/// An attribute of the first element of a name.
fn attribute(xml: &str, element: &str, name: &str) -> String {
    let rest = xml.split_once(&format!("<{element} ")).expect(element).1;
    let tag = rest.split_once('>').expect("a tag").0;
    tag.split_once(&format!("{name}=\"")).expect(name).1.split('"').next().expect("a value").to_owned()
}

#[track_caller]
fn done(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(answer.body.contains("<state>complete</state>"), "{}", answer.body);
}

#[tokio::test]
async fn the_guides_requests_for_interfaces() {
    let lab = Lab::new().await;
    let (red, blue) = (lab.network("red", "", false).await, lab.network("blue", "<vlan id=\"7\"/>", false).await);
    let nics = format!("/api/hosts/{}/nics", lab.id("host1"));
    let (eth0, eth1) = (lab.nic("host1", "eth0"), lab.nic("host1", "eth1"));

    let from = lab.position().await;
    done(&lab.admin.post(&format!("{eth1}/attach"), format!("<action><network id=\"{red}\"/></action>")).await);
    let shown = lab.admin.get(&eth1).await.on_one_line();
    for part in [
        &format!("<network href=\"/api/networks/{red}\" id=\"{red}\"/>"),
        "<boot_protocol>none</boot_protocol>",
        "<bridged>true</bridged>",
        "<speed>1000000000</speed>",
        "<mtu>1500</mtu>",
        "<status><state>up</state></status>",
        "<custom_configuration>false</custom_configuration>",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert!(attribute(&shown, "link", "href").contains("/nics/"), "{shown}");

    let body = "<host_nic><ip address=\"192.168.7.129\" netmask=\"255.255.255.0\" gateway=\"192.168.7.1\"/></host_nic>";
    let updated = lab.admin.ask(Method::PUT, &eth1, Some(body.into())).await;
    assert_eq!(updated.status, StatusCode::OK, "{}", updated.body);
    assert!(updated.body.contains("<boot_protocol>static</boot_protocol>"), "{}", updated.body);
    assert!(updated.body.contains("address=\"192.168.7.129\""), "{}", updated.body);
    done(&lab.admin.post(&format!("{eth1}/detach"), format!("<action><network id=\"{red}\"/></action>")).await);
    assert_eq!(lab.told(from).await, [920, 1102, 922]);

    let from = lab.position().await;
    let management =
        "<host_nic><name>eth0</name><network><name>rhevm</name></network><boot_protocol>dhcp</boot_protocol></host_nic>";
    let body = format!(
        "<action><host_nics>{management}<host_nic id=\"{}\"><name>eth1</name><network id=\"{red}\"/>\
         <ip address=\"10.35.1.247\" netmask=\"255.255.254.0\" gateway=\"10.35.1.254\"/><boot_protocol>static</boot_protocol>\
         </host_nic><checkConnectivity>true</checkConnectivity><connectivityTimeout>60</connectivityTimeout>\
         <force>false</force></host_nics></action>",
        eth1.rsplit('/').next().unwrap(),
    );
    done(&lab.admin.post(&format!("{nics}/setupnetworks"), body).await);
    let bonded = format!(
        "<action><host_nics><host_nic><name>bond0</name><network><name>rhevm</name></network>\
         <boot_protocol>dhcp</boot_protocol><bonding><options><option name=\"mode\" value=\"1\"/></options><slaves>\
         <host_nic><name>eth0</name></host_nic><host_nic id=\"{}\"/></slaves></bonding></host_nic></host_nics>\
         <check_connectivity>true</check_connectivity></action>",
        eth1.rsplit('/').next().unwrap(),
    );
    done(&lab.admin.post(&format!("{nics}/setupnetworks"), bonded).await);
    assert_eq!(lab.told(from).await, [920, 922, 924, 920]);
    let bond = lab.admin.get(&lab.nic("host1", "bond0")).await.body;
    assert!(bond.contains("<option name=\"mode\" value=\"1\"/>") && bond.contains("address=\"192.168.0.11\""), "{bond}");
    assert!(lab.admin.get(&eth0).await.body.contains("rel=\"master\""));
    let json = lab.engine.admin().with("accept", "application/json").get(&nics).await.body;
    assert!(json.contains("\"setupnetworks\"") && json.contains("\"bonding\":"), "{json}");
    let blue_on_bond = format!("<action><network id=\"{blue}\"/></action>");
    let refused = lab.admin.post(&format!("{}/attach", lab.nic("host1", "bond0")), blue_on_bond).await;
    Lab::refused(&refused, 409, "bond0");
}

#[tokio::test]
async fn a_bond_is_made_and_taken_apart() {
    let lab = Lab::new().await;
    let storage = lab.network("storage", "<usages/>", false).await;
    let nics = format!("/api/hosts/{}/nics", lab.id("host1"));
    let slaves = "<slaves><host_nic><name>eth1</name></host_nic><host_nic><name>eth2</name></host_nic></slaves>";
    let bond = |name: &str, slaves: &str| {
        format!("<host_nic><name>{name}</name><network id=\"{storage}\"/><bonding>{slaves}</bonding></host_nic>")
    };
    let before = lab.position().await;
    let one = "<slaves><host_nic><name>eth1</name></host_nic></slaves>";
    for (body, status, said) in [
        (bond("bond4", one), 400, "two slaves"),
        (bond("bond7", slaves), 400, "bond7"),
        (bond("bond4", &format!("<options><option name=\"mode\" value=\"7\"/></options>{slaves}")), 400, "7 is no mode"),
        (bond("bond4", &slaves.replace("eth2", "eth9")), 400, "eth9"),
        (bond("bond4", &slaves.replace("eth2", "eth0")), 409, "eth0"),
        (bond("bond4", slaves).replace(&storage, "6efc0cfa-0000-0000-0000-000000000000"), 404, "6efc0cfa"),
        (bond("bond4", slaves).replace(&storage, "red"), 400, "network.id red"),
        (
            "<host_nic><name>eth5</name></host_nic>".into(),
            400,
            "HostNIC [network.id|name, bonding.slaves.id|name] required for add",
        ),
        ("<host_nic><boot_protocol>bootp</boot_protocol></host_nic>".into(), 400, "bootp is not a member of BootProtocol"),
    ] {
        Lab::refused(&lab.engine.refused().post(&nics, body).await, status, said);
    }
    assert_eq!(lab.engine.left_by_refused().await, [""; 0]);
    let made = lab.admin.post(&nics, bond("bond4", slaves)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let path = lab.nic("host1", "bond4");
    assert_eq!(made.header("location"), path);
    let gone = lab.admin.ask(Method::DELETE, &path, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.body);
    assert_eq!(lab.admin.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(lab.told(before).await, [924, 920, 922, 926]);
    let physical = lab.admin.ask(Method::DELETE, &lab.nic("host1", "eth1"), None).await;
    Lab::refused(&physical, 400, "eth1 is no bond");
}

#[tokio::test]
async fn what_is_refused_of_an_interface_names_it_and_leaves_no_event() {
    let lab = Lab::new().await;
    let red = lab.network("red", "", false).await;
    let (eth0, eth1) = (lab.nic("host1", "eth0"), lab.nic("host1", "eth1"));
    done(&lab.admin.post(&format!("{eth1}/attach"), format!("<action><network id=\"{red}\"/></action>")).await);
    let setup = format!("/api/hosts/{}/nics/setupnetworks", lab.id("host1"));
    for (body, status, said) in [
        ("<host_nic><ip address=\"1.2.3\" netmask=\"255.0.0.0\"/></host_nic>", 400, "ip.address 1.2.3"),
        ("<host_nic><ip address=\"10.2.3.4\" netmask=\"255.0.255.0\"/></host_nic>", 400, "ip.netmask 255.0.255.0"),
        ("<host_nic><ip address=\"10.2.3.4\"/></host_nic>", 400, "ip.netmask is missing"),
        ("<host_nic><boot_protocol>static</boot_protocol></host_nic>", 400, "ip.address is missing"),
        ("<host_nic><ip address=\"10.2.3.4\" netmask=\"255.0.0.0\" gateway=\"x\"/></host_nic>", 400, "ip.gateway x"),
        ("<host_nic><name>eth7</name></host_nic>", 409, "name"),
        ("<host_nic><mac address=\"00:00:00:00:00:01\"/></host_nic>", 409, "mac.address"),
        ("<host_nic><network><name>green</name></network></host_nic>", 404, "green"),
        ("<host_nic><network><name>rhevm</name></network></host_nic>", 409, "rhevm"),
        ("<host_nic><bonding><slaves/></bonding></host_nic>", 400, "eth1 is no bond"),
        ("<host_nic><mtu>x</mtu></host_nic>", 400, "mtu"),
    ] {
        Lab::refused(&lab.engine.refused().ask(Method::PUT, &eth1, Some(body.into())).await, status, said);
    }
    for (path, body, status, said) in [
        (&format!("{eth1}/attach"), "<action/>".to_owned(), 400, "Action [network.id|name] required for attach"),
        (&format!("{eth1}/attach"), "<action><network><name>rhevm</name></network></action>".into(), 409, "eth1"),
        (&format!("{eth0}/detach"), "<action/>".into(), 400, "rhevm"),
        (&format!("{eth0}/detach"), format!("<action><network id=\"{red}\"/></action>"), 409, "eth0"),
        (&setup, "<action/>".into(), 400, "Action [hostNics] required for setupNetworks"),
        (&setup, "<action><host_nics/></action>".into(), 400, "rhevm"),
        (
            &setup,
            "<action><host_nics/><connectivity_timeout>-1</connectivity_timeout></action>".into(),
            400,
            "connectivity_timeout",
        ),
        (&setup, "<action><host_nics><host_nic id=\"x\"/></host_nics></action>".into(), 400, "host_nic.id x"),
    ] {
        Lab::refused(&lab.engine.refused().post(path, body).await, status, said);
    }
    assert_eq!(lab.engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn a_change_that_cuts_the_host_off_is_taken_back() {
    let lab = Lab::new().await;
    let red = lab.network("red", "", false).await;
    let from = lab.position().await;
    lab.simulator().cut_next("192.168.0.11");
    let body = format!(
        "<action><host_nics><host_nic><name>eth0</name><network><name>rhevm</name></network></host_nic>\
         <host_nic><name>eth1</name><network id=\"{red}\"/></host_nic></host_nics>\
         <check_connectivity>true</check_connectivity><connectivity_timeout>5</connectivity_timeout></action>"
    );
    let setup = format!("/api/hosts/{}/nics/setupnetworks", lab.id("host1"));
    Lab::refused(&lab.admin.post(&setup, body.clone()).await, 400, "taken back");
    assert_eq!(lab.host("host1").networks.len(), 1);
    assert_eq!(lab.told(from).await, [1103]);
    done(&lab.admin.post(&setup, body.clone()).await);
    assert_eq!(lab.host("host1").networks.len(), 2);
    lab.simulator().cut_next("192.168.0.11");
    let forced = body.replace(&format!("<host_nic><name>eth1</name><network id=\"{red}\"/></host_nic>"), "<force>true</force>");
    Lab::refused(&lab.admin.post(&setup, forced).await, 400, "does not answer");
    lab.until("host1", |host| host.status == HostStatus::NonResponsive).await;
}

#[tokio::test]
async fn networks_that_are_not_saved_are_lost_at_a_reboot() {
    let lab = Lab::new().await;
    let (red, blue) = (lab.network("red", "", false).await, lab.network("blue", "<vlan id=\"7\"/>", false).await);
    let attach = async |nic: &str, network: &str| {
        let path = format!("{}/attach", lab.nic("host1", nic));
        done(&lab.admin.post(&path, format!("<action><network id=\"{network}\"/></action>")).await);
    };
    let from = lab.position().await;
    attach("eth1", &red).await;
    done(&lab.admin.post(&format!("/api/hosts/{}/commitnetconfig", lab.id("host1")), "<action/>").await);
    attach("eth2", &blue).await;
    assert_eq!(lab.told(from).await, [920, 1104, 920]);
    lab.simulator().kill_host("192.168.0.11");
    lab.until("host1", |host| host.status == HostStatus::NonResponsive).await;
    assert_eq!(lab.host("host1").networks.len(), 3);
    lab.simulator().revive_host("192.168.0.11");
    lab.until("host1", |host| host.status == HostStatus::Up).await;
    assert_eq!(lab.host("host1").networks.len(), 2, "blue was not saved");
    let codes = lab.told(from).await;
    assert_eq!(codes[3..], [9008, 12, 9003, 922, 14]);
}

/// A host that goes into maintenance, or is asked something there, is let go of afterwards: not where it was activated meanwhile.
#[tokio::test]
async fn a_host_that_is_activated_stays_connected() {
    let lab = Lab::with(|estate| {
        estate.durations.call_ms = 50_000;
        estate.durations.migrate_ms_per_gib = 500_000;
    })
    .await;
    let id = lab.id("host1");
    let host = format!("/api/hosts/{id}");
    let connected = async || {
        for _ in 0..5 {
            let discovered = "<action><iscsi><address>192.168.0.20</address></iscsi></action>";
            done(&lab.admin.post(&format!("{host}/iscsidiscover"), discovered).await);
        }
    };
    lab.runs("guest", "", id).await;
    let from = lab.position().await;
    let leaving = lab.admin.post(&format!("{host}/deactivate"), "<action><async>true</async></action>").await;
    assert_eq!(leaving.status, StatusCode::ACCEPTED, "{leaving:?}");
    done(&lab.admin.post(&format!("{host}/activate"), "<action/>").await);
    lab.up_on(lab.id("host2")).await;
    lab.until("host1", |host| host.status == HostStatus::Up).await;
    connected().await;

    lab.admin.post(&format!("{host}/deactivate"), "<action/>").await;
    lab.until("host1", |host| host.status == HostStatus::Maintenance).await;
    connected().await;
    let red = lab.network("red", "", false).await;
    let (attach, network) = (format!("{}/attach", lab.nic("host1", "eth1")), format!("<action><network id=\"{red}\"/></action>"));
    let changed = async { done(&lab.admin.post(&attach, network).await) };
    let activated = async {
        let engine = &lab.engine.server().app.engine;
        let begun = |world: &World| world.jobs.values().any(|job| matches!(job.task, Task::SetUpHostNetworks { .. }));
        engine.until(|world| begun(world).then_some(())).await;
        done(&lab.admin.post(&format!("{host}/activate"), "<action/>").await);
    };
    tokio::join!(changed, activated);
    lab.until("host1", |host| host.status == HostStatus::Up).await;
    connected().await;
    assert!(!lab.told(from).await.iter().any(|code| [12, 18, 121].contains(code)), "{:?}", lab.told(from).await);
}

#[tokio::test]
async fn a_host_without_a_required_network_is_not_operational_until_it_has_it() {
    let lab = Lab::new().await;
    let from = lab.position().await;
    let red = lab.network("red", "", true).await;
    lab.until("host1", |host| host.status == HostStatus::NonOperational).await;
    let shown = lab.admin.get(&format!("/api/hosts/{}", lab.id("host1"))).await.on_one_line();
    assert!(shown.contains("<status><state>non_operational</state><detail>network_unreachable</detail></status>"), "{shown}");
    lab.until("host2", |host| host.status == HostStatus::NonOperational).await;
    let state = async || {
        let shown = lab.admin.get(&format!("/api/networks/{red}")).await.body;
        shown.split_once("<state>").expect("a state").1.split('<').next().unwrap().to_owned()
    };
    assert_eq!(state().await, "non_operational");
    let attach = format!("{}/attach", lab.nic("host1", "eth1"));
    done(&lab.admin.post(&attach, format!("<action><network id=\"{red}\"/></action>")).await);
    lab.until("host1", |host| host.status == HostStatus::Up).await;
    lab.simulator().set_link("host1.example.com:eth1", false);
    lab.until("host1", |host| host.status == HostStatus::NonOperational).await;
    assert!(lab.admin.get(&lab.nic("host1", "eth1")).await.on_one_line().contains("<status><state>down</state></status>"));
    lab.simulator().set_link("host1.example.com:eth1", true);
    lab.until("host1", |host| host.status == HostStatus::Up).await;
    let codes = lab.told(from).await;
    for code in [519, 920, 13, 610, 603, 609] {
        assert!(codes.contains(&code), "{code} is not in {codes:?}");
    }
    let cluster = format!("/api/clusters/99408929-82cf-4dc7-a532-9d998063fa95/networks/{red}");
    let optional = "<network><required>false</required></network>".to_owned();
    assert_eq!(lab.admin.ask(Method::PUT, &cluster, Some(optional)).await.status, StatusCode::OK);
    lab.until("host2", |host| host.status == HostStatus::Up).await;
    assert_eq!(state().await, "non_operational", "host2 lacks it still");
    let attach = format!("{}/attach", lab.nic("host2", "eth1"));
    done(&lab.admin.post(&attach, format!("<action><network id=\"{red}\"/></action>")).await);
    assert_eq!(state().await, "operational");
}

#[tokio::test]
async fn hosts_are_known_by_the_names_of_their_networks_in_another_data_center() {
    let lab = Lab::new().await;
    let red = lab.network("red", "", false).await;
    let attach = format!("{}/attach", lab.nic("host1", "eth1"));
    done(&lab.admin.post(&attach, format!("<action><network id=\"{red}\"/></action>")).await);
    let refused = lab.engine.refused();
    let display = "<network><usages><usage>vm</usage><usage>beauty</usage></usages></network>";
    Lab::refused(&refused.put(&format!("/api/networks/{red}"), display).await, 400, "beauty is not a member of NetworkUsage");
    let named = display.replace("<network>", "<network><name>blue</name><data_center><name>Default</name></data_center>");
    Lab::refused(&refused.post("/api/networks", named).await, 400, "beauty is not a member of NetworkUsage");
    assert_eq!(lab.engine.left_by_refused().await, [""; 0]);

    let from = lab.position().await;
    let gone = lab.admin.ask(Method::DELETE, "/api/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3", None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.body);
    let new = "<data_center><name>new</name><storage_type>nfs</storage_type><version major=\"3\" minor=\"3\"/></data_center>";
    let made = lab.admin.post("/api/datacenters", new);
    let center = attribute(&made.await.body, "data_center", "id");
    let network = format!("<network><name>red</name><data_center id=\"{center}\"/></network>");
    let red = attribute(&lab.admin.post("/api/networks", network).await.body, "network", "id");
    let cluster = "/api/clusters/99408929-82cf-4dc7-a532-9d998063fa95";
    let joined = lab.admin.put(cluster, format!("<cluster><data_center id=\"{center}\"/></cluster>")).await;
    assert_eq!(joined.status, StatusCode::OK, "{}", joined.body);
    lab.until("host1", |host| host.networks.len() == 2).await;
    lab.until("host2", |host| host.networks.len() == 1).await;
    let required = format!("<network id=\"{red}\"><required>true</required></network>");
    assert_eq!(lab.admin.post(&format!("{cluster}/networks"), required).await.status, StatusCode::CREATED);
    lab.until("host2", |host| host.status == HostStatus::NonOperational).await;
    assert_eq!(lab.host("host1").status, HostStatus::Up, "{:?}", lab.told(from).await);
}

/// Power management as the estate has it.
const POWER: &str = "<power_management type=\"ipmilan\"><enabled>true</enabled><address>192.168.0.111</address>\
                     <username>admin</username><password>redhat</password></power_management>";

#[tokio::test]
async fn fencing_by_hand() {
    let lab = Lab::new().await;
    let host = format!("/api/hosts/{}", lab.id("host1"));
    let fence_by = async |caller: &Caller, kind: &str| {
        caller.post(&format!("{host}/fence"), format!("<action><fence_type>{kind}</fence_type></action>")).await
    };
    let put_by = async |caller: &Caller, power: &str| caller.put(&host, format!("<host>{power}</host>")).await;
    let refused = lab.engine.refused();
    Lab::refused(&fence_by(&refused, "restart").await, 409, "Power management is not enabled");
    for (power, status, said) in [
        (POWER.replace("ipmilan", "lever"), 409, "lever"),
        (POWER.replace("<address>192.168.0.111</address>", ""), 400, "power_management.address is missing"),
        (POWER.replace(" type=\"ipmilan\"", ""), 400, "power_management.type is missing"),
        (POWER.replace("<username>admin</username>", ""), 400, "power_management.username is missing"),
        (POWER.replace("admin", &"x".repeat(300)), 400, "username"),
        (POWER.replace("192.168.0.111", "a b"), 400, "power_management.address"),
        (POWER.replace("<enabled>true", "<enabled>perhaps"), 400, "power_management.enabled"),
        (POWER.replace("<username>", "<pm_proxies><pm_proxy><type>moon</type></pm_proxy></pm_proxies><username>"), 400, "moon"),
    ] {
        Lab::refused(&put_by(&refused, &power).await, status, said);
    }
    Lab::refused(&fence_by(&refused, "blow").await, 400, "blow is not a member of FenceType");
    Lab::refused(&refused.post(&format!("{host}/fence"), "<action/>").await, 400, "Action [fenceType] required for fence");
    assert_eq!(lab.engine.left_by_refused().await, [""; 0]);

    let fence = async |kind: &str| fence_by(&lab.admin, kind).await;
    let put = async |power: &str| put_by(&lab.admin, power).await;
    let shown = put(POWER).await.body;
    assert!(shown.contains("<power_management type=\"ipmilan\">") && !shown.contains("redhat"), "{shown}");
    let status = async || {
        let answer = fence("status").await;
        done(&answer);
        let rest = answer.body.split_once("<power_management>").expect("power").1;
        rest.split_once("<state>").expect("a state").1.split('<').next().unwrap().to_owned()
    };
    assert_eq!(status().await, "on");
    Lab::refused(&fence("start").await, 409, "up status");
    Lab::refused(&fence("stop").await, 409, "up status");
    Lab::refused(&fence("manual").await, 409, "up status");
    let from = lab.position().await;
    done(&fence("restart").await);
    lab.until("host1", |host| host.status == HostStatus::Up).await;
    done(&lab.admin.post(&format!("{host}/deactivate"), "<action/>").await);
    lab.until("host1", |host| host.status == HostStatus::Maintenance).await;
    done(&fence("stop").await);
    assert_eq!(status().await, "off");
    done(&fence("start").await);
    assert_eq!(status().await, "on");
    let codes = lab.told_of_power(from).await;
    assert_eq!(codes, [605, 41, 13, 600, 15, 605, 21, 605, 605, 20, 605]);
}

#[tokio::test]
async fn a_host_where_starts_fail_again_and_again_is_left_out_for_a_while() {
    let lab = Lab::new().await;
    let (host, vm) = (lab.id("host1"), lab.vm("guest", "").await);
    let from = lab.position().await;
    let there = format!("<action><vm><placement_policy><host id=\"{host}\"/></placement_policy></vm></action>");
    for n in 1..=3 {
        lab.simulator().fail_next(CallKind::Launch, DriverError::Failed { message: "no KVM".into() });
        done(&lab.admin.post(&format!("/api/vms/{vm}/start"), there.as_str()).await);
        lab.until("host1", |host| host.failed_starts == n % 3 && host.status == HostStatus::Up).await;
    }
    assert_eq!(lab.told(from).await, [150, 54, 150, 54, 150, 54, 500, 13]);
    let told = lab.admin.get("/api/events?search=type%3D500").await.body;
    assert!(told.contains("<severity>error</severity>") && told.contains(&host.to_string()), "{told}");
    done(&lab.admin.post(&format!("/api/vms/{vm}/start"), there).await);
    lab.up_on(host).await;
}

#[tokio::test]
async fn further_agents_are_used_where_the_first_fails() {
    let lab = Lab::new().await;
    let host = format!("/api/hosts/{}", lab.id("host1"));
    let agents = "<agents><agent type=\"ipmilan\"><address>192.168.0.111</address><username>admin</username><password>redhat</password>\
                  <options><option name=\"secure\" value=\"false\"/></options><concurrent>false</concurrent><order>2</order></agent></agents>";
    let power =
        POWER.replace("192.168.0.111", "192.168.0.99").replace("</power_management>", &format!("{agents}</power_management>"));
    let put = lab.admin.ask(Method::PUT, &host, Some(format!("<host>{power}</host>"))).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.body);
    for part in [
        "<agent type=\"ipmilan\">",
        "<concurrent>false</concurrent>",
        "<order>2</order>",
        "<option name=\"secure\" value=\"false\"/>",
    ] {
        assert!(put.body.contains(part), "{part} is not in {}", put.body);
    }
    let from = lab.position().await;
    done(&lab.admin.post(&format!("{host}/fence"), "<action><fence_type>restart</fence_type></action>").await);
    lab.until("host1", |host| host.status == HostStatus::Up).await;
    assert_eq!(lab.told_of_power(from).await, [605, 9007, 9007, 41, 13]);
    let alone = power.split_once("<agents>").unwrap().0.to_owned() + "<agents/></power_management>";
    lab.admin.ask(Method::PUT, &host, Some(format!("<host>{alone}</host>"))).await;
    let from = lab.position().await;
    let failed = lab.admin.post(&format!("{host}/fence"), "<action><fence_type>restart</fence_type></action>").await;
    Lab::refused(&failed, 400, "192.168.0.99");
    let status = lab.admin.post(&format!("{host}/fence"), "<action><fence_type>status</fence_type></action>").await;
    assert!(status.status == StatusCode::OK && status.body.contains("<state>failed</state>"), "{}", status.body);
    assert_eq!(lab.told(from).await, [605, 107, 9002, 605, 9001]);
}

#[tokio::test]
async fn agents_that_feed_a_host_together_are_switched_together() {
    let lab = Lab::with(|estate| {
        let host = estate.hosts.iter_mut().find(|host| host.name == "host1.example.com").unwrap();
        let supply = |address: &str, of: &PowerManagementEntry| PowerManagementEntry {
            address: address.into(),
            supply: true,
            ..of.clone()
        };
        let first = host.power_management.take().unwrap();
        host.further_agents.push(supply("192.168.0.211", &first));
        host.power_management = Some(supply("192.168.0.111", &first));
    })
    .await;
    let host = format!("/api/hosts/{}", lab.id("host1"));
    let power = |second: &str, concurrent: bool| {
        let agent = |address: &str, order: u8| {
            format!(
                "<agent type=\"ipmilan\"><address>{address}</address><username>admin</username><password>redhat</password>\
                 <concurrent>{concurrent}</concurrent><order>{order}</order></agent>"
            )
        };
        let agents = format!("<agents>{}{}</agents></power_management>", agent("192.168.0.111", 1), agent(second, 2));
        format!("<host>{}</host>", POWER.replace("</power_management>", &agents))
    };
    let fence = async |kind: &str| {
        lab.admin.post(&format!("{host}/fence"), format!("<action><fence_type>{kind}</fence_type></action>")).await
    };
    let from = lab.position().await;
    assert_eq!(lab.admin.put(&host, power("192.168.0.219", true)).await.status, StatusCode::OK);
    Lab::refused(&fence("restart").await, 400, "192.168.0.219 does not answer");
    assert_eq!(lab.host("host1").status, HostStatus::Up, "it is fed by the other supply");
    lab.admin.post(&format!("{host}/deactivate"), "<action/>").await;
    lab.until("host1", |host| host.status == HostStatus::Maintenance).await;
    Lab::refused(&fence("stop").await, 400, "192.168.0.219 does not answer");
    let told = fence("status").await;
    assert!(
        told.status == StatusCode::OK && told.body.contains("<state>failed</state>"),
        "who knows whether it is off: {told:?}"
    );
    assert!(!told.body.contains("<state>off</state>"), "{told:?}");
    assert_eq!(lab.admin.put(&host, power("192.168.0.211", true)).await.status, StatusCode::OK);
    assert!(fence("status").await.body.contains("<state>on</state>"), "one supply is");
    done(&lab.admin.post(&format!("{host}/activate"), "<action/>").await);
    lab.until("host1", |host| host.status == HostStatus::Up).await;
    done(&fence("restart").await);
    lab.until("host1", |host| host.status == HostStatus::Up).await;
    let codes = [43, 605, 107, 9002, 600, 15, 605, 137, 9002, 605, 9001, 43, 605, 16, 13, 605, 41, 13];
    assert_eq!(lab.told_of_power(from).await, codes);
}

#[tokio::test]
async fn a_silent_host_is_fenced_and_what_is_highly_available_runs_elsewhere() {
    let lab = Lab::new().await;
    let id = lab.id("host1");
    lab.admin.ask(Method::PUT, &format!("/api/hosts/{id}"), Some(format!("<host>{POWER}</host>"))).await;
    lab.runs("important", "<high_availability><enabled>true</enabled></high_availability>", id).await;
    let from = lab.position().await;
    lab.simulator().kill_host("192.168.0.11");
    lab.up_on(lab.id("host2")).await;
    lab.until("host1", |host| host.status == HostStatus::Up).await;
    let codes = lab.told(from).await;
    for code in [12, 142, 605, 143, 506, 121, 13] {
        assert!(codes.contains(&code), "{code} is not in {codes:?}");
    }
}

#[tokio::test]
async fn vms_leave_a_host_that_became_non_operational() {
    let lab = Lab::new().await;
    let red = lab.network("red", "", false).await;
    let attach = format!("{}/attach", lab.nic("host2", "eth1"));
    done(&lab.admin.post(&attach, format!("<action><network id=\"{red}\"/></action>")).await);
    lab.runs("guest", "", lab.id("host1")).await;
    let cluster = format!("/api/clusters/99408929-82cf-4dc7-a532-9d998063fa95/networks/{red}");
    let required = "<network><required>true</required></network>".to_owned();
    assert_eq!(lab.admin.ask(Method::PUT, &cluster, Some(required)).await.status, StatusCode::OK);
    lab.up_on(lab.id("host2")).await;
    assert_eq!(lab.host("host1").status, HostStatus::NonOperational);
}

#[tokio::test]
async fn what_is_refused_of_a_host_names_the_field_and_leaves_no_event() {
    let lab = Lab::new().await;
    let host = |name: &str, more: &str| {
        format!("<host><name>{name}</name><address>192.168.0.13</address><root_password>redhat</root_password>{more}</host>")
    };
    let at = |address: &str| host("host3", "").replace("192.168.0.13", address);
    for (body, status, said) in [
        ("<host/>".to_owned(), 400, "Host [name, address] required for add"),
        (host("host3", "").replace("<root_password>redhat</root_password>", ""), 400, "root password"),
        (host("host3", "").replace("redhat", "wrong"), 409, "root password"),
        (host("host1", ""), 400, "name is already in use"),
        (host("host 3", ""), 400, "name has characters"),
        (host(&"x".repeat(256), ""), 400, "name is too long"),
        (at("no host"), 400, "address"),
        (at(&"x".repeat(256)), 400, "address"),
        (at("192.168.0.11"), 409, "192.168.0.11"),
        (at("192.168.0.77"), 409, "192.168.0.77"),
        (host("host3", "<cluster><name>nowhere</name></cluster>"), 404, "Cluster: name=nowhere"),
        (host("host3", "<storage_manager priority=\"11\">false</storage_manager>"), 400, "storage_manager.priority"),
        (host("host3", "<storage_manager priority=\"high\">false</storage_manager>"), 400, "storage_manager.priority"),
        (host("host3", "<port>0</port>"), 400, "port"),
        (host("host3", "<port>65536</port>"), 400, "port"),
        (host("host3", &format!("<comment>{}</comment>", "x".repeat(4001))), 400, "comment"),
        (host("host3", "<ksm><enabled>maybe</enabled></ksm>"), 400, "ksm.enabled"),
    ] {
        Lab::refused(&lab.engine.refused().post("/api/hosts", body).await, status, said);
    }
    let path = format!("/api/hosts/{}", lab.id("host1"));
    for (body, status, said) in [
        ("<host id=\"6efc0cfa-0000-0000-0000-000000000000\"/>", 409, "id"),
        ("<host><address>192.168.0.13</address></host>", 400, "address can be changed in maintenance"),
        ("<host><port>54322</port></host>", 400, "port can be changed in maintenance"),
        ("<host><name>host2</name></host>", 400, "name is already in use"),
    ] {
        Lab::refused(&lab.engine.refused().ask(Method::PUT, &path, Some(body.into())).await, status, said);
    }
    for (action, body, status, said) in [
        ("activate", "<action/>", 409, "up already"),
        ("approve", "<action/>", 400, "registered itself"),
        ("install", "<action/>", 400, "Action [rootPassword] required for install"),
        ("install", "<action><root_password>redhat</root_password></action>", 409, "up status"),
        ("forceselectspm", "<action/>", 409, "no data center that has storage"),
        ("iscsidiscover", "<action/>", 400, "Action [iscsi.address] required for iscsiDiscover"),
        (
            "iscsilogin",
            "<action><iscsi><address>x</address></iscsi></action>",
            400,
            "Action [iscsi.target] required for iscsiLogin",
        ),
        ("iscsidiscover", "<action><iscsi><address>192.168.0.77</address></iscsi></action>", 400, "192.168.0.77"),
    ] {
        Lab::refused(&lab.engine.refused().post(&format!("{path}/{action}"), body).await, status, said);
    }
    assert_eq!(lab.engine.refused().ask(Method::DELETE, &path, None).await.status, StatusCode::CONFLICT);
    assert_eq!(lab.engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn a_host_shows_what_it_is() {
    let lab = Lab::new().await;
    let path = format!("/api/hosts/{}", lab.id("host1"));
    let shown = lab.admin.get(&path).await.on_one_line();
    for part in [
        "<certificate><organization>Simulated</organization><subject>O=Simulated,CN=192.168.0.11</subject></certificate>",
        "<libvirt_version major=\"0\" minor=\"10\" build=\"2\" revision=\"0\" full_version=\"libvirt-0.10.2-18.el6_4.9\"/>",
        "<manufacturer>Simulated</manufacturer>",
        "rel=\"hooks\"",
        "rel=\"forceselectspm\"",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let hooks = lab.admin.get(&format!("{path}/hooks")).await.body;
    assert!(hooks.contains("<event_name>before_vm_start</event_name>"), "{hooks}");
    let hook = lab.admin.get(&format!("{path}/hooks/{}", attribute(&hooks, "hook", "id"))).await.body;
    assert!(hook.contains("<name>50_hostusb</name>"), "{hook}");
    let json = lab.engine.admin().with("accept", "application/json").get(&path).await.body;
    assert!(json.contains("\"libvirt_version\"") && json.contains("\"certificate\""), "{json}");
}

#[tokio::test]
async fn memory_policy_reaches_the_host() {
    let lab = Lab::new().await;
    let host = format!("/api/hosts/{}", lab.id("host1"));
    for (ksm, pages) in [("false", "false"), ("true", "true")] {
        let body = format!(
            "<host><ksm><enabled>{ksm}</enabled></ksm><transparent_hugepages><enabled>{pages}</enabled></transparent_hugepages></host>"
        );
        let put = lab.admin.ask(Method::PUT, &host, Some(body)).await;
        assert!(put.on_one_line().contains(&format!("<ksm><enabled>{ksm}</enabled></ksm>")), "{}", put.body);
    }
    let statistics = lab.admin.get(&format!("{host}/statistics")).await.body;
    let names = [
        "memory.total",
        "memory.used",
        "memory.free",
        "memory.buffers",
        "memory.cached",
        "swap.total",
        "swap.free",
        "swap.used",
        "swap.cached",
        "ksm.cpu.current",
        "cpu.current.user",
        "cpu.current.system",
        "cpu.current.idle",
        "cpu.load.avg.5m",
    ];
    for name in names {
        assert!(statistics.contains(&format!("<name>{name}</name>")), "{name} is not in {statistics}");
    }
    let nic = lab.admin.get(&format!("{}/statistics", lab.nic("host1", "eth1"))).await.body;
    for name in ["data.current.rx", "data.current.tx", "errors.total.rx", "errors.total.tx"] {
        assert!(nic.contains(&format!("<name>{name}</name>")), "{name} is not in {nic}");
    }
}

#[tokio::test]
async fn an_interface_receives_what_the_networks_that_it_mirrors_carry() {
    let lab = Lab::new().await;
    let more = "<ip address=\"10.0.0.1\" netmask=\"255.0.0.0\"/><profile_required>true</profile_required>";
    let blue = lab.network("blue", more, false).await;
    let shown = lab.admin.get(&format!("/api/networks/{blue}")).await.body;
    assert!(shown.contains("<ip address=\"10.0.0.1\" netmask=\"255.0.0.0\"/>"), "{shown}");
    let vm = "<vm><name>sniffer</name><cluster><name>Default</name></cluster><template><name>Blank</name></template></vm>";
    let vm = attribute(&lab.admin.post("/api/vms", vm).await.body, "vm", "id");
    let mirroring = format!("<port_mirroring><networks><network id=\"{blue}\"/></networks></port_mirroring>");
    let nics = format!("/api/vms/{vm}/nics");
    let alone = lab.admin.post(&nics, format!("<nic><name>nic1</name>{mirroring}</nic>")).await;
    assert!(alone.status == StatusCode::BAD_REQUEST && alone.body.contains("port_mirroring"), "{}", alone.body);
    let body = format!("<nic><name>nic1</name><network><name>rhevm</name></network>{mirroring}</nic>");
    let made = lab.admin.post(&nics, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let path = format!("{nics}/{}", attribute(&made.body, "nic", "id"));
    let shows = format!("<port_mirroring><networks><network href=\"/api/networks/{blue}\" id=\"{blue}\"/>");
    assert!(made.on_one_line().contains(&shows), "{}", made.body);
    // The document as it was shown changes nothing; an empty list ends the mirroring.
    assert_eq!(lab.admin.put(&path, made.body.clone()).await.status, StatusCode::OK);
    let in_use = lab.admin.delete(&format!("/api/networks/{blue}")).await;
    assert_eq!(in_use.status, StatusCode::CONFLICT, "{}", in_use.body);
    let ended = lab.admin.put(&path, "<nic><port_mirroring><networks/></port_mirroring></nic>").await;
    assert!(ended.status == StatusCode::OK && !ended.body.contains("port_mirroring"), "{}", ended.body);
    assert_eq!(lab.admin.delete(&format!("/api/networks/{blue}")).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_host_that_alone_does_not_reach_storage_leaves_service_until_it_does() {
    let lab = Lab::new().await;
    let host = lab.id("host1");
    let within = "/api/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3/storagedomains";
    let domain = lab.storage(host).await;
    lab.simulator().set_way("192.168.0.11", "192.168.0.10:/data1", false);
    lab.until("host1", |host| host.status == HostStatus::NonOperational && host.detail == "storage_domain_unreachable").await;
    let shown = lab.admin.get(&format!("/api/hosts/{host}")).await.body;
    assert!(shown.contains("<detail>storage_domain_unreachable</detail>"), "{shown}");
    assert!(lab.admin.get(&format!("{within}/{domain}")).await.body.contains("<state>active</state>"), "host2 reaches it");
    assert_eq!(lab.host("host2").status, HostStatus::Up);
    let told = lab.admin.get("/api/events?search=type%3D522").await.body;
    assert!(told.contains("data1") && told.contains(&host.to_string()), "{told}");
    let activated = lab.admin.post(&format!("/api/hosts/{host}/activate"), "<action/>").await;
    assert_eq!(activated.status, StatusCode::OK, "{}", activated.body);
    lab.until("host1", |host| host.status == HostStatus::NonOperational).await;
    lab.simulator().set_way("192.168.0.11", "192.168.0.10:/data1", true);
    lab.until("host1", |host| host.status == HostStatus::Up).await;
}

#[tokio::test]
async fn where_a_host_does_not_become_the_pool_manager_another_does_and_that_is_told() {
    let lab = Lab::new().await;
    let from = lab.position().await;
    lab.simulator().fail_next(CallKind::StartSpm, DriverError::Failed { message: "no lease".into() });
    lab.storage(lab.id("host1")).await;
    while lab.told(from).await.iter().filter(|code| **code == 204).count() < 2 {
        tokio::task::yield_now().await;
    }
    let told = lab.told(from).await;
    assert_eq!(told.iter().filter(|code| [22, 204].contains(code)).collect::<Vec<_>>(), [&204, &22, &204], "{told:?}");
    let managers = lab.admin.get("/api/events?search=type%3D204").await.body;
    assert!(["host1", "host2"].iter().all(|host| managers.contains(&format!("Host {host} is"))), "{managers}");
    let told = lab.admin.get("/api/events?search=type%3D22").await.body;
    assert!(told.contains("no lease") && told.contains("<severity>error</severity>"), "{told}");
}

#[tokio::test]
async fn hosts_that_lack_what_their_cluster_needs_say_so() {
    let lacking = |estate: &mut evirt::hypervisor::estate::Estate| {
        for host in &mut estate.hosts {
            match host.name.as_str() {
                "host1.example.com" => host.levels = vec!["3.0".into(), "3.1".into()],
                "host2.example.com" => host.kvm = false,
                "host3.example.com" => host.memory_bytes = 3 << 29,
                "host4.example.com" => host.cpu_level.clear(),
                _ => {}
            }
        }
    };
    let engine = crate::engine::fast_but(|estate, _| lacking(estate)).await;
    let lab = Lab { admin: engine.admin(), engine };
    for (n, why, code) in [(1, "version_incompatible_with_cluster", 141), (2, "kvm_not_running", 127)] {
        let body =
            format!("<host><name>host{n}</name><address>192.168.0.1{n}</address><root_password>redhat</root_password></host>");
        assert_eq!(lab.admin.post("/api/hosts", body).await.status, StatusCode::CREATED);
        let name = format!("host{n}");
        lab.until(&name, |host| host.status == HostStatus::NonOperational && host.detail == why).await;
        let told = lab.admin.get(&format!("/api/events?search=type%3D{code}")).await.body;
        assert!(told.contains(&lab.id(&name).to_string()), "{told}");
    }
    let small = "<host><name>host3</name><address>192.168.0.13</address><root_password>redhat</root_password></host>";
    assert_eq!(lab.admin.post("/api/hosts", small).await.status, StatusCode::CREATED);
    while !lab.admin.get("/api/events?search=type%3D531").await.body.contains("less than 1024 MB") {
        tokio::task::yield_now().await;
    }
    let shown = lab.admin.get(&format!("/api/hosts/{}", lab.id("host1"))).await.body;
    assert!(shown.contains("<version major=\"3\" minor=\"1\"/>"), "{shown}");
    lab.until("host3", |host| host.status == HostStatus::Up).await;
    let silent = "<host><name>host4</name><address>192.168.0.14</address><root_password>redhat</root_password></host>";
    assert_eq!(lab.admin.post("/api/hosts", silent).await.status, StatusCode::CREATED);
    let why = "cpu_type_incompatible_with_cluster";
    lab.until("host4", |host| host.status == HostStatus::NonOperational && host.detail == why).await;
    let told = lab.admin.get("/api/events?search=type%3D516").await.body;
    assert!(told.contains(&lab.id("host4").to_string()) && told.contains("<severity>warning</severity>"), "{told}");
    let unfenced = lab.admin.get("/api/events?search=type%3D9000").await.body;
    assert_eq!(unfenced.matches("<event ").count(), 4, "{unfenced}");
}

#[tokio::test]
async fn a_host_whose_cpu_lacks_nx_serves_no_cluster() {
    let lab = Lab::with(|estate| {
        let host = estate.hosts.iter_mut().find(|host| host.name == "host3.example.com").expect("host3");
        host.nx = false;
    })
    .await;
    let body = "<host><name>host3</name><address>192.168.0.13</address><root_password>redhat</root_password></host>";
    assert_eq!(lab.admin.post("/api/hosts", body).await.status, StatusCode::CREATED);
    lab.until("host3", |host| host.status == HostStatus::NonOperational).await;
    let id = lab.id("host3").to_string();
    let shown = lab.admin.get(&format!("/api/hosts/{id}")).await.on_one_line();
    let why = "<state>non_operational</state><detail>cpu_type_incompatible_with_cluster</detail>";
    assert!(shown.contains(why), "{shown}");
    for code in [601, 515] {
        let told = lab.admin.get(&format!("/api/events?search=type%3D{code}")).await.body;
        assert!(told.matches("<event ").count() == 1 && told.contains(&id), "{told}");
        assert!(told.contains("<severity>warning</severity>"), "{told}");
    }
}

#[tokio::test]
async fn a_host_is_asked_anew_where_a_client_forces_it() {
    let lab = Lab::new().await;
    let path = format!("/api/hosts/{}", lab.id("host1"));
    let before = lab.position().await;
    assert_eq!(lab.engine.refused().get(&format!("{path};force=false")).await.status, StatusCode::OK);
    assert_eq!(lab.engine.left_by_refused().await, [""; 0], "it was not asked for");
    let shown = lab.admin.get(&format!("{path};force")).await;
    assert!(shown.status == StatusCode::OK && shown.body.contains("<state>up</state>"), "{shown:?}");
    assert_eq!(lab.told(before).await, [606]);
    // A change that looks at it first does not ask it.
    let before = lab.position().await;
    let changed =
        lab.engine.admin().with("if-match", "*").put(&format!("{path};force"), "<host><comment>c</comment></host>").await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    assert_eq!(lab.told(before).await, [43]);

    let before = lab.position().await;
    lab.simulator().fail_next(CallKind::Connect, DriverError::Failed { message: "no answer".into() });
    let failed = lab.admin.get(&format!("{path};force")).await;
    assert!(failed.status == StatusCode::BAD_REQUEST && failed.body.contains("no answer"), "{failed:?}");
    assert_eq!(lab.told(before).await, [607]);
    assert_eq!(lab.host("host1").status, HostStatus::Up);
    lab.admin.post(&format!("{path}/deactivate"), "<action/>").await;
    lab.until("host1", |host| host.status == HostStatus::Maintenance).await;
    assert_eq!(lab.admin.get(&format!("{path};force")).await.status, StatusCode::OK);
    // It is let go again: what is asked of hosts that are connected is refused.
    let removed = lab.admin.delete(&path).await;
    assert!(removed.status.is_success(), "{removed:?}");

    let silent = format!("/api/hosts/{}", lab.id("host2"));
    lab.simulator().kill_host("192.168.0.12");
    lab.until("host2", |host| host.status == HostStatus::NonResponsive).await;
    let before = lab.position().await;
    let refused = lab.admin.get(&format!("{silent};force")).await;
    assert!(refused.status == StatusCode::CONFLICT && refused.body.contains("up or maintenance"), "{refused:?}");
    assert!(!lab.told(before).await.iter().any(|code| [606, 607].contains(code)));
    assert_eq!(lab.admin.get(&format!("{silent};force=maybe")).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn hosts_say_how_many_vms_they_have() {
    let lab = Lab::with(|estate| estate.durations.migrate_ms_per_gib = 1_000_000_000).await;
    let (one, two) = (lab.id("host1"), lab.id("host2"));
    let summaries = async || {
        let mut found = Vec::new();
        for host in [one, two] {
            let shown = lab.admin.get(&format!("/api/hosts/{host}")).await.on_one_line();
            let (_, summary) = shown.split_once("<summary>").unwrap_or_else(|| panic!("{shown}"));
            found.push(summary.split_once("</summary>").unwrap().0.to_owned());
        }
        found
    };
    let counts = |active: u32, migrating: u32, total: u32| {
        format!("<active>{active}</active><migrating>{migrating}</migrating><total>{total}</total>")
    };
    assert_eq!(summaries().await, [counts(0, 0, 0), counts(0, 0, 0)]);
    lab.runs("guest", "", one).await;
    assert_eq!(summaries().await, [counts(1, 0, 1), counts(0, 0, 0)]);
    let vm = attribute(&lab.admin.get("/api/vms?search=name%3Dguest").await.body, "vm", "id");
    let migrate = format!("<action><async>true</async><host id=\"{two}\"/></action>");
    assert!(lab.admin.post(&format!("/api/vms/{vm}/migrate"), migrate).await.status.is_success());
    assert_eq!(summaries().await, [counts(0, 1, 1), counts(0, 1, 1)], "it has a place on both");
    assert!(lab.admin.post(&format!("/api/vms/{vm}/stop"), "<action/>").await.status.is_success());
    let gone = lab.engine.server().app.engine.until(|world| world.vms_on(one).next().is_none().then_some(()));
    tokio::time::timeout(PATIENCE, gone).await.expect("it never stops");
    assert_eq!(summaries().await, [counts(0, 0, 0), counts(0, 0, 0)]);
}
