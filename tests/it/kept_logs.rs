//! Logs of released versions, which every later version replays: `tests/data/logs/VERSION/` has one each, and what it led to.
//!
//! `cargo test --test it keep_a_log_of_this_version -- --ignored` makes the one of this version anew, by a scenario over HTTP. That of a version
//! that was released never changes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use evirt::engine::rebuild::{self, Rebuild};
use evirt::hypervisor::{CallKind, DriverError};
use evirt::log::{self, EventLog};
use evirt_domain::World;
use evirt_domain::disk::DiskStatus;
use evirt_domain::host::HostStatus;
use evirt_domain::vm_run::VmState;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, evirt, fast};
use crate::guide::chapter;

/// The log, compressed.
const LOG: &str = "events.db.gz";
/// What seals the passwords of the estate's hosts, which are worth nothing.
const KEY: &str = "secret.key";
/// What the log led to.
const LED_TO: &str = "led-to.json";

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a log led to when it was made.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LedTo {
    /// How many events there are of each kind.
    events: BTreeMap<String, usize>,
    /// The last one's hash.
    hash: String,
    /// How many aggregates there are of each kind.
    aggregates: BTreeMap<String, usize>,
    /// The machines by name, with their states.
    machines: BTreeMap<String, String>,
}

impl LedTo {
    async fn of(log: &dyn EventLog, world: &World) -> Self {
        let mut events = BTreeMap::new();
        let head = log.head().await.unwrap();
        for record in log.read(0, usize::try_from(head.position).unwrap()).await.unwrap() {
            *events.entry(record.kind).or_default() += 1;
        }
        let aggregates = [
            ("data centers", world.data_centers.len()),
            ("clusters", world.clusters.len()),
            ("networks", world.networks.len()),
            ("vNIC profiles", world.vnic_profiles.len()),
            ("hosts", world.hosts.len()),
            ("storage domains", world.storage_domains.len()),
            ("storage connections", world.storage_connections.len()),
            ("quotas", world.quotas.len()),
            ("disks", world.disks.len()),
            ("virtual machines", world.vms.len()),
            ("templates", world.templates.len()),
            ("tags", world.tags.len()),
            ("users", world.users.len()),
            ("groups", world.groups.len()),
            ("roles", world.roles.len()),
            ("permissions", world.permissions.len()),
            ("sessions", world.sessions.len()),
            ("jobs", world.jobs.len()),
            ("external jobs", world.external_jobs.len()),
        ];
        let machines = world.vms.values().map(|vm| (vm.config.name.clone(), format!("{:?}", vm.state)));
        Self {
            events,
            hash: hex::encode(head.hash),
            aggregates: aggregates.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect(),
            machines: machines.collect(),
        }
    }
}

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs")
}

/// The versions of which there is a log.
fn versions() -> Vec<PathBuf> {
    let entries = fs::read_dir(kept()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

/// Puts a version's log into a data directory.
fn unpack(version: &Path, data: &Path) {
    fs::create_dir_all(data).unwrap();
    let mut packed = GzDecoder::new(File::open(version.join(LOG)).unwrap());
    std::io::copy(&mut packed, &mut File::create(data.join("events.db")).unwrap()).unwrap();
    fs::copy(version.join(KEY), data.join(KEY)).unwrap();
    // Which git does not keep.
    fs::set_permissions(data.join(KEY), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn there_is_a_log_of_this_version() {
    let version = kept().join(env!("CARGO_PKG_VERSION"));
    assert!(versions().contains(&version), "{} is missing: the first lines of this file say how it is made", version.display());
}

#[tokio::test]
async fn each_kept_log_is_replayed_to_what_it_led_to() {
    for version in versions() {
        let name = version.file_name().unwrap().to_str().unwrap();
        let led_to: LedTo = serde_json::from_slice(&fs::read(version.join(LED_TO)).unwrap()).unwrap();
        let mut engine = Engine::on(|data| unpack(&version, data)).await;
        assert_eq!(engine.admin().get("/api").await.status, 200, "{name}");
        engine.stop().await;
        let data = engine.data();
        for command in [["events", "verify"], ["projections", "check"]] {
            let output = evirt(&data, &command);
            assert!(output.status.success(), "{name}: {output:?}");
        }
        // The engine has appended to it, so that what it led to is folded from another copy.
        let copy = tempfile::tempdir().unwrap();
        unpack(&version, copy.path());
        let log = log::open(copy.path()).await.unwrap();
        let mut world = rebuild::world(copy.path(), &log).await.unwrap();
        assert!(world.is_indexed(), "{name}");
        assert_eq!(LedTo::of(&*log, &world).await, led_to, "{name}");
        let mut step_by_step = Rebuild::default();
        while step_by_step.advance(&*log, world.position).await.unwrap().is_some() {}
        assert_eq!(*step_by_step.world(), world, "{name}");
    }
}

/// What goes wrong after the scenario: which call of the driver fails, and the requests that lead to it.
const FAULTS: &[(CallKind, &str)] = &[
    (
        CallKind::CreateVolume,
        "POST /api/disks
<disk><name>never</name><size>1073741824</size><format>raw</format><interface>virtio</interface><storage_domains><storage_domain><name>data1</name></storage_domain></storage_domains></disk>
=> 201 202 400 409",
    ),
    (
        CallKind::CreateDomain,
        "POST /api/storagedomains
<storage_domain><name>never</name><type>data</type><host><name>hypervisor</name></host><storage><type>nfs</type><address>192.168.0.10</address><path>/data2</path></storage></storage_domain>
=> 201 202 400 409",
    ),
];

#[tokio::test]
#[ignore = "writes the log of this version that later ones have to replay"]
async fn keep_a_log_of_this_version() {
    let mut engine = fast().await;
    chapter(&engine, &fs::read_to_string(kept().join("scenario.txt")).unwrap()).await;
    let until = async |engine: &Engine, what: &str, holds: &dyn Fn(&World) -> bool| {
        let so = engine.server().app.engine.until(|world| holds(world).then_some(()));
        if tokio::time::timeout(PATIENCE, so).await.is_err() {
            let world = engine.server().app.engine.world();
            let jobs: Vec<_> = world.open_jobs.iter().filter_map(|job| world.jobs.get(job)).map(|job| &job.task).collect();
            let hosts: Vec<_> = world.hosts.values().map(|host| (&host.config.name, host.status)).collect();
            let vms: Vec<_> = world.vms.values().map(|vm| (&vm.config.name, vm.state)).collect();
            panic!("{what} does not come: {jobs:?} {hosts:?} {vms:?}");
        }
    };
    for (call, requests) in FAULTS {
        engine.server().simulator.fail_next(*call, DriverError::Failed { message: "a planned fault".into() });
        chapter(&engine, &format!("## {call:?} fails\n{requests}")).await;
    }
    until(&engine, "the jobs end", &|world| world.open_jobs.is_empty()).await;
    // The host dies on which the last machine runs, which has to run.
    let world = engine.server().app.engine.world();
    let running = world.vms.values().find(|vm| vm.config.name == "web3").and_then(|vm| vm.run.as_ref()).unwrap().host;
    let address = world.hosts.get(&running).unwrap().config.address.clone();
    assert!(engine.server().simulator.kill_host(&address));
    until(&engine, "the host is missed", &|world| world.hosts.get(&running).is_some_and(|host| host.status != HostStatus::Up))
        .await;
    assert!(engine.server().simulator.revive_host(&address));
    until(&engine, "all is well again", &|world| {
        world.open_jobs.is_empty()
            && world.hosts.values().all(|host| host.status == HostStatus::Up)
            && world.vms.values().all(|vm| matches!(vm.state, VmState::Up | VmState::Down))
            && world.disks.values().all(|disk| disk.status != DiskStatus::Locked)
    })
    .await;
    engine.restart().await;
    until(&engine, "the hosts are back", &|world| world.hosts.values().all(|host| host.status == HostStatus::Up)).await;
    engine.stop().await;
    let (data, version) = (engine.data(), kept().join(env!("CARGO_PKG_VERSION")));
    fs::create_dir_all(&version).unwrap();
    let mut packed = GzEncoder::new(File::create(version.join(LOG)).unwrap(), Compression::best());
    std::io::copy(&mut File::open(data.join("events.db")).unwrap(), &mut packed).unwrap();
    packed.finish().unwrap();
    fs::copy(data.join(KEY), version.join(KEY)).unwrap();
    let log = log::open_read_only(&data).await.unwrap();
    let world = rebuild::world(&data, &log).await.unwrap();
    let led_to = serde_json::to_string_pretty(&LedTo::of(&*log, &world).await).unwrap();
    fs::write(version.join(LED_TO), format!("{led_to}\n")).unwrap();
}
