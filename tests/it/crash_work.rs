//! What a crash in the middle of long work leaves: the work is ended by the next engine, and nothing of it is done or told twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use evirt::hypervisor::estate::BUILTIN;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Client, Method};

use crate::crash::{Process, id_of};
use crate::engine::{PASSWORD, evirt};

/// How fast an estate's time goes while something is to be caught under way, and otherwise.
const SLOW: &str = "0.02";
const FAST: &str = "1000.0";
const CENTER: &str = "/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3/storagedomains";
const STORAGE: &str = "<type>nfs</type><address>192.168.0.10</address>";

/// Work that an engine is killed in, or that it does undisturbed where there is nothing to see of it under way. `{NAME}` in a path or a
/// body is the identifier of the host, storage domain, network or VM of that name.
struct Work {
    what: &'static str,
    method: Method,
    path: &'static str,
    body: String,
    /// Where what can be read while it is under way.
    under_way: Option<(&'static str, &'static str)>,
    /// Where what can be read when it is done.
    done: (&'static str, &'static str),
    /// The events that tell of it, each as often as it has to be told.
    told: &'static [(u32, usize)],
}

/// Somebody who asks an engine.
#[derive(Clone)]
struct Asker {
    client: Client,
    base: String,
}

impl Asker {
    async fn try_ask(&self, method: Method, path: &str, body: String) -> Option<String> {
        let request =
            self.client.request(method, format!("{}/api{path}", self.base)).basic_auth("admin@internal", Some(PASSWORD));
        request.header("content-type", "application/xml").body(body).send().await.ok()?.text().await.ok()
    }

    async fn get(&self, path: &str) -> String {
        self.try_ask(Method::GET, path, String::new()).await.unwrap()
    }

    /// Asks until an answer has a text.
    async fn until(&self, what: &str, path: &str, text: &str) {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        let mut body = String::new();
        for _ in 0..3_000 {
            tick.tick().await;
            body = self.get(path).await;
            if body.contains(text) {
                return;
            }
        }
        panic!("{what}: {path} never says {text}, but {body}");
    }

    /// Asks until no job is under way.
    async fn all_ended(&self) {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        for _ in 0..3_000 {
            tick.tick().await;
            if !self.get("/jobs").await.contains("STARTED") {
                return;
            }
        }
        panic!("a job never ends: {}", self.get("/jobs").await);
    }

    /// A text with names in braces, with identifiers instead.
    async fn filled(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        while let Some((before, (name, after))) = filled.split_once('{').and_then(|(b, rest)| Some((b, rest.split_once('}')?))) {
            let mut id = None;
            for collection in ["hosts", "storagedomains", "networks", "vms"] {
                let found = self.get(&format!("/{collection}?search=name%3D{name}")).await;
                id = id.or(id_of(&found));
            }
            filled = format!("{before}{}{after}", id.unwrap_or_else(|| panic!("there is no {name}")));
        }
        filled
    }

    /// The identifier of the newest event.
    async fn newest(&self) -> u64 {
        id_of(&self.get("/events?max=1").await).map_or(0, |id| id.parse().unwrap())
    }

    /// How often each of these codes was told behind an event.
    async fn told(&self, from: u64, codes: &[(u32, usize)]) -> Vec<(u32, usize)> {
        let events = self.get(&format!("/events;from={from}")).await;
        codes.iter().map(|(code, _)| (*code, events.matches(&format!("<code>{code}</code>")).count())).collect()
    }
}

fn host(n: u8) -> String {
    format!("<host><name>host{n}</name><address>192.168.0.1{n}</address><root_password>redhat</root_password></host>")
}

fn domain(n: u8) -> String {
    let storage = format!("<storage>{STORAGE}<path>/data{n}</path></storage>");
    format!("<storage_domain><name>data{n}</name><type>data</type><host><name>host1</name></host>{storage}</storage_domain>")
}

fn works() -> Vec<Work> {
    use Method as M;
    let work = |what, method, path, body: &str, under_way, done, told| Work {
        what,
        method,
        path,
        body: body.to_owned(),
        under_way,
        done,
        told,
    };
    let state = |path, state| Some((path, state));
    let power = "<host><power_management type=\"ipmilan\"><enabled>true</enabled><address>192.168.0.111</address>\
                 <username>admin</username><password>redhat</password></power_management></host>";
    let networks = "<action><host_nics><host_nic><name>eth0</name><network><name>rhevm</name></network></host_nic><host_nic>\
                    <name>eth1</name><network id=\"{red}\"/></host_nic></host_nics><check_connectivity>true</check_connectivity></action>";
    let vm = "<vm><name>guest</name><cluster><name>Default</name></cluster><template><name>Blank</name></template>\
              <os><boot dev=\"network\"/></os></vm>";
    let start = "<action><vm><placement_policy><host id=\"{host1}\"/></placement_policy></vm></action>";
    let (one, two) = ("/hosts?search=name%3Dhost1", "/hosts?search=name%3Dhost2");
    let (up, active, locked) = ("<state>up</state>", "<state>active</state>", "<state>locked</state>");
    let (first, guest) = ("/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3/storagedomains/{data1}", "/vms?search=name%3Dguest");
    let told: &'static [(u32, usize)] = &[];
    vec![
        work(
            "installing a host",
            M::POST,
            "/hosts",
            &host(1),
            state(one, "<state>installing</state>"),
            (one, up),
            &[(42, 1), (504, 1), (13, 1)],
        ),
        work("a second host", M::POST, "/hosts", &host(2), None, (two, up), told),
        work(
            "making a storage domain",
            M::POST,
            "/storagedomains",
            &domain(1),
            state("/storagedomains?search=name%3Ddata1", "<name>data1</name>"),
            ("/storagedomains?search=name%3Ddata1", "<state>unattached</state>"),
            &[(956, 1)],
        ),
        work(
            "attaching it",
            M::POST,
            CENTER,
            "<storage_domain id=\"{data1}\"/>",
            state(first, locked),
            (first, active),
            &[(1002, 1), (966, 1), (204, 1)],
        ),
        work(
            "a second domain",
            M::POST,
            "/storagedomains",
            &domain(2),
            None,
            ("/storagedomains?search=name%3Ddata2", "<state>unattached</state>"),
            told,
        ),
        work(
            "attaching that",
            M::POST,
            CENTER,
            "<storage_domain id=\"{data2}\"/>",
            None,
            (CENTER, "<name>data2</name>"),
            &[(966, 1)],
        ),
        work(
            "taking the master out of service",
            M::POST,
            "/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3/storagedomains/{data1}/deactivate",
            "<action/>",
            state(first, locked),
            (first, "<state>maintenance</state>"),
            &[(968, 1), (984, 1)],
        ),
        work(
            "activating it",
            M::POST,
            "/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3/storagedomains/{data1}/activate",
            "<action/>",
            state(first, locked),
            (first, active),
            &[(984, 0), (966, 1)],
        ),
        work(
            "a network",
            M::POST,
            "/networks",
            "<network><name>red</name><data_center><name>Default</name></data_center></network>",
            None,
            ("/networks", "<name>red</name>"),
            told,
        ),
        work(
            "a network of the cluster",
            M::POST,
            "/clusters/99408929-82cf-4dc7-a532-9d998063fa95/networks",
            "<network id=\"{red}\"><required>false</required></network>",
            None,
            ("/clusters/99408929-82cf-4dc7-a532-9d998063fa95/networks", "<name>red</name>"),
            told,
        ),
        work(
            "setting up networks",
            M::POST,
            "/hosts/{host1}/nics/setupnetworks",
            networks,
            state("/jobs", "<description>Setting up the networks of Host host1</description>"),
            ("/hosts/{host1}/nics", "id=\"{red}\""),
            &[(920, 1)],
        ),
        work("a VM", M::POST, "/vms", vm, None, ("/vms", "<name>guest</name>"), told),
        work(
            "its interface",
            M::POST,
            "/vms/{guest}/nics",
            "<nic><name>nic1</name><network><name>rhevm</name></network></nic>",
            None,
            ("/vms/{guest}/nics", "nic1"),
            told,
        ),
        work("its start", M::POST, "/vms/{guest}/start", start, None, (guest, up), &[(153, 1)]),
        work(
            "emptying a host",
            M::POST,
            "/hosts/{host1}/deactivate",
            "<action/>",
            state(guest, "<state>migrating</state>"),
            (one, "<state>maintenance</state>"),
            &[(22, 0), (600, 1), (63, 1), (15, 1)],
        ),
        work("the VM lives on", M::GET, "/vms", "", None, (guest, up), told),
        work(
            "back to service",
            M::POST,
            "/hosts/{host1}/activate",
            "<action/>",
            state(one, "<state>initializing</state>"),
            (one, up),
            &[(16, 1), (13, 1)],
        ),
        work("power management", M::PUT, "/hosts/{host1}", power, None, (one, "<address>192.168.0.111</address>"), told),
        work(
            "restarting a host",
            M::POST,
            "/hosts/{host1}/fence",
            "<action><fence_type>restart</fence_type></action>",
            state("/jobs", "<description>Fencing Host host1 (restart)</description>"),
            (one, up),
            &[(605, 1), (41, 1), (13, 1)],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_work_it_ends_the_work_once() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    // reqwest is built without a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let asker = |engine: &Process| Asker { client: client.clone(), base: engine.base.clone() };
    let mut engine = Process::at_speed(&data, FAST);
    for work in works() {
        let mut by = asker(&engine);
        let (path, body) = (by.filled(work.path).await, by.filled(&work.body).await);
        let (done, what) = ((by.filled(work.done.0).await, by.filled(work.done.1).await), work.what);
        let from = by.newest().await;
        if let Some((seen, text)) = work.under_way {
            let seen = by.filled(seen).await;
            engine.kill();
            engine = Process::at_speed(&data, SLOW);
            by = asker(&engine);
            let asking = tokio::spawn({
                let (by, method) = (by.clone(), work.method.clone());
                async move { by.try_ask(method, &path, body).await }
            });
            by.until(what, &seen, text).await;
            let last: Vec<(u32, usize)> = work.told.last().into_iter().copied().collect();
            assert_eq!(by.told(from, &last).await, [(last[0].0, 0)], "{what} was not under way");
            engine.kill();
            let _ = asking.await;
            engine = Process::at_speed(&data, FAST);
            by = asker(&engine);
        } else {
            let answer = by.try_ask(work.method, &path, body).await.unwrap();
            assert!(!answer.contains("<fault>"), "{what}: {answer}");
        }
        for (code, _) in work.told.iter().filter(|(_, times)| *times > 0) {
            by.until(what, &format!("/events;from={from}"), &format!("<code>{code}</code>")).await;
        }
        by.until(what, &done.0, &done.1).await;
        assert_eq!(by.told(from, work.told).await, work.told, "{what}");
    }
    asker(&engine).all_ended().await;
    engine.kill();
    for command in [["events", "verify"], ["projections", "check"]] {
        let output = evirt(&data, &command);
        assert!(output.status.success(), "{command:?}: {output:?}");
    }
}

/// How often storage is lost and comes back, and how often the engine is killed in each of these rounds.
const ROUNDS: u32 = 8;
const KILLS: u32 = 3;
/// The longest that the engine lives in a round, in milliseconds, and how much faster than in truth the estate's time goes meanwhile: slow
/// enough for a kill to come between any two of its calls.
const LONGEST_MS: u64 = 250;
const WATCHED: f64 = 20.0;
/// Within which time of the estate storage is lost and comes back.
const WITHIN_MS: u64 = 15_000;
/// The exports that data domains are on: data1 is on the first.
const EXPORTS: [&str; 3] = ["/data1", "/data2", "/data3"];

/// The estate of a test, with a third export for data, whose storage and hosts fail as planned.
struct Failing {
    faults: String,
    /// Which exports answer when all that is planned has happened.
    answering: [bool; 3],
}

impl Failing {
    fn estate(&self, speed: f64) -> String {
        let third = "[[nfs.export]]\npath = \"/data3\"\nsize_bytes = 536870912000\n\n[[nfs.export]]\npath = \"/export1\"";
        let estate = BUILTIN.replace("[[nfs.export]]\npath = \"/export1\"", third);
        format!("{}\n{}", estate.replace("speed = 1.0", &format!("speed = {speed:?}")), self.faults)
    }

    fn plan(&mut self, at_ms: u64, kind: &str, target: &str) {
        self.faults += &format!("[[fault]]\nat_ms = {at_ms}\nkind = \"{kind}\"\ntarget = \"{target}\"\n");
    }

    /// Plans that some exports change behind a moment, some of them more than once, and that now and then a host dies and comes back.
    fn plan_round(&mut self, now_ms: u64, chance: &mut StdRng) {
        for (path, answers) in EXPORTS.into_iter().zip(&mut self.answering.clone()) {
            let mut moments: Vec<u64> =
                (0..chance.random_range(0..4)).map(|_| now_ms + chance.random_range(0..WITHIN_MS)).collect();
            moments.sort_unstable();
            for at_ms in moments {
                *answers = !*answers;
                let kind = if *answers { "storage_returns" } else { "storage_unreachable" };
                self.plan(at_ms, kind, &format!("192.168.0.10:{path}"));
            }
            let place = EXPORTS.iter().position(|export| *export == path).unwrap();
            self.answering[place] = *answers;
        }
        if chance.random_bool(0.3) {
            let host = format!("192.168.0.1{}", chance.random_range(1..=2));
            let dies = now_ms + chance.random_range(0..WITHIN_MS);
            self.plan(dies, "host_dies", &host);
            self.plan(dies + chance.random_range(0..WITHIN_MS), "host_returns", &host);
        }
    }
}

/// The estate's time, as far as its state tells.
fn estate_ms(data: &Path) -> u64 {
    let state = std::fs::read_to_string(data.join("simulator.json")).unwrap();
    // The last line may have been broken off.
    let mut lines = state.lines().rev().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.next().unwrap()["now_ms"].as_u64().unwrap()
}

impl Asker {
    /// What the data center's storage domains and the data center come to, until it is what the storage that answers makes of them; tells
    /// the statuses and who is the master otherwise.
    async fn comes_to(&self, answering: [bool; 3], what: &str) {
        let any = answering.contains(&true);
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        let mut seen = String::new();
        for _ in 0..6_000 {
            tick.tick().await;
            let (domains, center) = (self.get(CENTER).await, self.get("/datacenters?search=name%3DDefault").await);
            let hosts = self.get("/hosts").await;
            let domain =
                |n: usize| domains.split("<storage_domain ").find(|d| d.contains(&format!("<name>data{}</name>", n + 1)));
            let is = |n: usize, text: &str| domain(n).is_some_and(|domain| domain.contains(text));
            let masters: Vec<usize> = (0..3).filter(|n| is(*n, "<master>true</master>")).collect();
            assert_eq!(masters.len(), 1, "{what}: {domains}");
            let states = (0..3).all(|n| is(n, if answering[n] { "<state>active</state>" } else { "<state>inactive</state>" }));
            let led = !any || answering[masters[0]];
            let up = center.contains(if any { "<state>up</state>" } else { "<state>problematic</state>" });
            let serving = hosts.matches("<state>up</state>").count() == 2;
            if states && led && up && serving && !self.get("/jobs").await.contains("STARTED") {
                return;
            }
            let said =
                |body: &str| body.split("<state>").skip(1).map(|s| s.split('<').next().unwrap().to_owned()).collect::<Vec<_>>();
            seen = format!("{:?}, led by {masters:?}, {:?}, {:?}", said(&domains), said(&center), said(&hosts));
        }
        panic!("{what}: with {answering:?} it stays at {seen}");
    }
}

/// The master is lost through its storage, at any moment of it the engine is killed, and it comes to what the storage is.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_masters_are_lost_it_comes_to_what_the_storage_is() {
    let seed = std::env::var("EVIRT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    // reqwest is built without a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let mut failing = Failing { faults: String::new(), answering: [true; 3] };
    let start = |failing: &Failing, speed| {
        let engine = Process::over(&data, &failing.estate(speed));
        let by = Asker { client: client.clone(), base: engine.base.clone() };
        (engine, by)
    };
    let (mut engine, by) = start(&failing, 1_000.0);
    for n in [1, 2] {
        by.try_ask(Method::POST, "/hosts", host(n)).await.unwrap();
        by.until("a host", &format!("/hosts?search=name%3Dhost{n}"), "<state>up</state>").await;
    }
    for n in [1, 2, 3] {
        let path = format!("/storagedomains?search=name%3Ddata{n}");
        by.try_ask(Method::POST, "/storagedomains", domain(n)).await.unwrap();
        by.until("a domain", &path, "<state>unattached</state>").await;
        let body = by.filled(&format!("<storage_domain id=\"{{data{n}}}\"/>")).await;
        by.try_ask(Method::POST, CENTER, body).await.unwrap();
        by.all_ended().await;
    }
    by.comes_to(failing.answering, "at first").await;
    for round in 0..ROUNDS {
        let what = format!("seed {seed}, round {round}");
        engine.kill();
        failing.plan_round(estate_ms(&data), &mut chance);
        for _ in 0..KILLS {
            (engine, _) = start(&failing, WATCHED);
            // A moment is what is wanted here, and no condition.
            tokio::time::sleep(Duration::from_millis(chance.random_range(0..LONGEST_MS))).await;
            engine.kill();
        }
        let by;
        (engine, by) = start(&failing, 1_000.0);
        by.comes_to(failing.answering, &what).await;
        by.all_ended().await;
    }
    engine.kill();
    for command in [["events", "verify"], ["projections", "check"]] {
        let output = evirt(&data, &command);
        assert!(output.status.success(), "seed {seed}: {command:?}: {output:?}");
    }
    nothing_twice(&data, seed);
}

/// No change was written down twice: each begins where the last one of the same ended.
fn nothing_twice(data: &Path, seed: u64) {
    let exported = String::from_utf8(evirt(data, &["events", "export"]).stdout).unwrap();
    let (mut statuses, mut reached, mut masters) = (BTreeMap::new(), BTreeMap::new(), 0);
    for line in exported.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let (kind, payload) = (event["kind"].as_str().unwrap(), &event["payload"]);
        let text = |name: &str| payload[name].to_string();
        match kind {
            "StorageDomainStatusChanged" => {
                let before = statuses.insert(text("domain"), text("to"));
                assert!(before.is_none_or(|before| before == text("from")) && text("from") != text("to"), "seed {seed}: {line}");
            }
            "StorageDomainReachChanged" => {
                let before = reached.insert((text("domain"), text("host")), text("reachable"));
                assert_ne!(before.unwrap_or("true".into()), text("reachable"), "seed {seed}: {line}");
            }
            "MasterSought" => masters += 1,
            _ => {}
        }
    }
    assert!(masters > 0, "seed {seed}: no master was lost");
}
