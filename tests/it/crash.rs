//! What a crash leaves: an engine is killed again and again while it works, and everything that it answered is there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evirt::hypervisor::estate::BUILTIN;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Client, Method, StatusCode};

use crate::engine::{PASSWORD, evirt};

/// How often the engine is killed.
const KILLS: u32 = 100;
/// How many clients work at the same time.
const CLIENTS: u32 = 6;
/// The longest that the engine lives under load, in milliseconds.
const LONGEST_MS: u64 = 60;

/// An engine in a process of its own. Dropping it kills it.
pub struct Process {
    child: Child,
    pub base: String,
}

impl Process {
    fn start(data: &Path) -> Self {
        Self::at_speed(data, "1000.0")
    }

    /// Starts it on an estate where time goes so much faster than in truth.
    pub fn at_speed(data: &Path, speed: &str) -> Self {
        Self::over(data, &BUILTIN.replace("speed = 1.0", &format!("speed = {speed}")))
    }

    /// Starts it over an estate.
    pub fn over(data: &Path, text: &str) -> Self {
        let estate = data.with_extension("toml");
        std::fs::write(&estate, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_evirt"))
            .args(["serve", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--log", "warn", "--data"])
            .arg(data)
            .arg("--estate")
            .arg(estate)
            .env("EVIRT_ADMIN_PASSWORD", PASSWORD)
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|line| Some(line.strip_prefix("http:")?.trim().trim_end_matches('/').to_owned()));
        let Some(address) = address else { panic!("the engine said {:?} and not where it listens", child.wait()) };
        Self { child, base: address.trim_end_matches("/ovirt-engine/api").trim_end_matches("/api").to_owned() }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client may find of a VM: what was answered last, or what was asked for behind that and not answered.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Its description; none where it is not there.
    answered: Option<String>,
    asked: Option<Option<String>>,
}

type Books = Arc<Mutex<BTreeMap<String, Known>>>;

/// Somebody who creates VMs, changes them and removes some, until the engine answers no more.
struct Worker {
    client: Client,
    base: String,
    books: Books,
    name: String,
}

impl Worker {
    async fn ask(&self, method: Method, path: &str, body: String) -> Option<(StatusCode, String)> {
        let request =
            self.client.request(method, format!("{}/api{path}", self.base)).basic_auth("admin@internal", Some(PASSWORD));
        let response = request.header("content-type", "application/xml").body(body).send().await.ok()?;
        let status = response.status();
        Some((status, response.text().await.ok()?))
    }

    /// Asks for a change and keeps book of it; gives the answer's body.
    async fn change(&self, vm: &str, to: Option<&str>, method: Method, path: &str, body: String) -> Option<String> {
        self.books.lock().unwrap().entry(vm.to_owned()).or_default().asked = Some(to.map(str::to_owned));
        let (status, body) = self.ask(method, path, body).await?;
        assert!(status.is_success(), "{vm}: {status} {body}");
        *self.books.lock().unwrap().entry(vm.to_owned()).or_default() = Known { answered: to.map(str::to_owned), asked: None };
        Some(body)
    }

    /// Starts and stops a machine as often as the engine lets it.
    async fn operate(self) -> Option<()> {
        loop {
            for action in ["start", "stop"] {
                let (status, _) = self.ask(Method::POST, &format!("/vms/{}/{action}", self.name), "<action/>".into()).await?;
                assert!(status.is_success() || status == StatusCode::CONFLICT, "{action}: {status}");
            }
        }
    }

    /// Asks until an answer says what it should.
    async fn until(&self, path: &str, says: impl Fn(&str) -> bool) -> String {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        for _ in 0..3_000 {
            tick.tick().await;
            let (_, body) = self.ask(Method::GET, path, String::new()).await.unwrap();
            if says(&body) {
                return body;
            }
        }
        panic!("{path} never says what it should");
    }

    /// Adds a host, waits until it is up, and creates a machine that can run there; gives its id.
    async fn prepare(&self) -> String {
        let host = "<host><name>host1</name><address>192.168.0.11</address><root_password>redhat</root_password></host>";
        let (status, body) = self.ask(Method::POST, "/hosts", host.into()).await.unwrap();
        assert!(status.is_success(), "{body}");
        self.until("/hosts?search=name%3Dhost1", |body| body.contains("<state>up</state>")).await;
        let vm = "<vm><name>machine</name><cluster><name>Default</name></cluster><template><name>Blank</name></template>\
                  <os><boot dev=\"network\"/></os></vm>";
        let (_, body) = self.ask(Method::POST, "/vms", vm.into()).await.unwrap();
        let id = id_of(&body).unwrap();
        let (status, body) =
            self.ask(Method::POST, &format!("/vms/{id}/nics"), "<nic><name>nic1</name></nic>".into()).await.unwrap();
        assert!(status.is_success(), "{body}");
        id
    }

    async fn work(self) -> Option<()> {
        for n in 0.. {
            let name = format!("{}-{n}", self.name);
            let vm = |inner: &str| format!("<vm>{inner}</vm>");
            let created = vm(&format!(
                "<name>{name}</name><description>new</description><cluster><name>Default</name></cluster>\
                 <template><name>Blank</name></template>"
            ));
            let answer = self.change(&name, Some("new"), Method::POST, "/vms", created).await?;
            let path = format!("/vms/{}", id_of(&answer)?);
            self.change(&name, Some("old"), Method::PUT, &path, vm("<description>old</description>")).await?;
            if n % 2 == 0 {
                self.change(&name, None, Method::DELETE, &path, String::new()).await?;
            }
        }
        None
    }
}

/// The first id in a document.
pub fn id_of(body: &str) -> Option<String> {
    Some(body.split("id=\"").nth(1)?.split('"').next()?.to_owned())
}

/// All VMs by name, with their descriptions.
async fn found(base: &str, client: &Client, round: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for page in 1.. {
        let path = format!("{base}/api/vms?search=name%3D{round}-*+page+{page}");
        let request = client.get(path).basic_auth("admin@internal", Some(PASSWORD)).header("accept", "application/json");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let text = answer.text().await.unwrap();
        let listed: serde_json::Value = serde_json::from_str(&text).unwrap();
        let vms = listed["vm"].as_array().cloned().unwrap_or_default();
        if vms.is_empty() {
            break;
        }
        let text = |vm: &serde_json::Value, key: &str| vm[key].as_str().unwrap_or_default().to_owned();
        found.extend(vms.iter().map(|vm| (text(vm, "name"), text(vm, "description"))));
    }
    found
}

/// Everything that was answered is there, and nothing that was not asked for.
async fn check(base: &str, client: &Client, round: &str, books: &Books) {
    let found = found(base, client, round).await;
    let books = books.lock().unwrap();
    for (name, known) in books.iter() {
        let seen = found.get(name).cloned();
        assert!(seen == known.answered || Some(&seen) == known.asked.as_ref(), "{name} is {seen:?}, but {known:?}");
    }
    let unknown: Vec<&String> = found.keys().filter(|name| !books.contains_key(*name)).collect();
    assert!(unknown.is_empty(), "nobody asked for {unknown:?}");
}

/// Events of one command that are worth nothing one without the other: right behind the first comes the second.
const TOGETHER: [(&str, &str); 2] = [("VmStartRequested", "JobOpened"), ("HostFenceUnconfigured", "JobOpened")];

/// No command was carried out by half.
fn nothing_by_half(data: &Path) {
    let exported = evirt(data, &["events", "export"]);
    let exported = String::from_utf8(exported.stdout).unwrap();
    let kinds: Vec<String> = exported
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    for (first, second) in TOGETHER {
        let whole = kinds.windows(2).filter(|pair| pair[0] == first && pair[1] == second).count();
        assert_eq!(whole, kinds.iter().filter(|kind| *kind == first).count(), "{first} without {second}");
        assert!(whole > 0, "there was no {first}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_a_hundred_times_under_load_it_has_all_that_it_answered() {
    let directory = tempfile::tempdir().unwrap();
    let data: PathBuf = directory.path().join("data");
    // reqwest is built without a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seed = rand::random();
    println!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let worker = |engine: &Process, books: &Books, name: String| Worker {
        client: client.clone(),
        base: engine.base.clone(),
        books: books.clone(),
        name,
    };
    let mut last: Option<(String, Books)> = None;
    let mut machine = String::new();
    for kill in 0..KILLS {
        let mut engine = Process::start(&data);
        match last.take() {
            Some((round, books)) => check(&engine.base, &client, &round, &books).await,
            None => machine = worker(&engine, &Books::default(), String::new()).prepare().await,
        }
        let (round, books) = (format!("r{kill}"), Books::default());
        let mut working: Vec<_> =
            (0..CLIENTS).map(|n| tokio::spawn(worker(&engine, &books, format!("{round}-{n}")).work())).collect();
        working.push(tokio::spawn(worker(&engine, &books, machine.clone()).operate()));
        // A moment is what is wanted here, and no condition.
        tokio::time::sleep(Duration::from_millis(chance.random_range(0..LONGEST_MS))).await;
        engine.kill();
        for worker in working {
            worker.await.unwrap();
        }
        last = Some((round, books));
    }
    let engine = Process::start(&data);
    let (round, books) = last.unwrap();
    check(&engine.base, &client, &round, &books).await;
    let observer = worker(&engine, &books, String::new());
    let settled = |body: &str| ["up", "down"].iter().any(|state| body.contains(&format!("<state>{state}</state>")));
    observer.until(&format!("/vms/{machine}"), settled).await;
    observer.until("/jobs", |body| !body.contains("<state>STARTED</state>")).await;
    for command in [["events", "verify"], ["projections", "check"]] {
        let output = evirt(&data, &command);
        assert!(output.status.success(), "{command:?}: {output:?}");
    }
    nothing_by_half(&data);
}
