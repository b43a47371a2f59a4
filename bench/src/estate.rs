//! A data directory as years of use leave it: many VMs, each created, given a NIC, started, and stopped again.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use evirt::directory::passwords;
use evirt::engine::{Engine, Options, Outcome, Request, Stores};
use evirt::hypervisor::estate::Estate;
use evirt::hypervisor::simulator::Simulator;
use evirt_domain::access::{AddUser, EntityRef, GrantPermission, Holder};
use evirt_domain::command::Decide;
use evirt_domain::event::Event;
use evirt_domain::host::*;
use evirt_domain::ids::{HostId, JobId, VmId};
use evirt_domain::install::{DEFAULT_CLUSTER, Install};
use evirt_domain::job::ClearJobs;
use evirt_domain::template::BLANK;
use evirt_domain::vm::{AddNic, BootDevice, CreateVm, NicConfig, NicInterface, VmPatch};
use evirt_domain::vm_run::{Guest, Observed, ReportVm, StartVm, StopVm};
use evirt_domain::world::NameKind;
use tokio::task::JoinSet;

use crate::client::PASSWORD;

/// A user who may do something with a few of the VMs only.
pub const USER: &str = "user";
/// How many VMs that are.
pub const OWN: usize = 100;
/// What the user may do with them.
const OWNERS_ROLE: &str = "UserVmManager";
/// How many VMs are worked on at the same time.
const AT_ONCE: usize = 500;
/// How many VMs lie between two clearings of old jobs.
const CLEAR_EVERY: usize = 5_000;
/// The memory of the host, so that all VMs fit.
const HOST_MEMORY: i64 = 1 << 50;

/// Opens a log with an engine that has no reactors: what hosts would report is submitted as commands.
pub async fn open(data: &Path, snapshots: bool) -> Result<Engine> {
    let stores = Stores::open(data).await?;
    let driver = Arc::new(Simulator::new(Estate::builtin(), None)?);
    let options = Options { snapshots: snapshots.then(|| data.to_owned()), ..Options::default() };
    Engine::start(stores, driver, options).await
}

async fn submit<C: Decide + 'static>(engine: &Engine, command: C) -> Result<Outcome> {
    engine.submit(&Request::system("bench"), command).await.map_err(|refused| anyhow!("{refused}"))
}

/// Makes such a directory; gives the number of events.
pub async fn build(data: &Path, vms: usize) -> Result<u64> {
    std::fs::create_dir_all(data)?;
    let engine = open(data, true).await?;
    let password = passwords::hash(PASSWORD).await;
    submit(&engine, Install { admin_password: password.clone() }).await?;
    submit(&engine, AddUser { name: USER.into(), password, roles: Vec::new() }).await?;
    let host = add_host(&engine).await?;
    let mut working = JoinSet::new();
    for n in 0..vms {
        if working.len() >= AT_ONCE {
            working.join_next().await.context("nothing is under way")???;
        }
        if n % CLEAR_EVERY == 0 {
            submit(&engine, ClearJobs).await?;
        }
        let engine = engine.clone();
        working.spawn(async move { live(&engine, n).await });
    }
    while let Some(done) = working.join_next().await {
        done??;
    }
    let user = engine.world().users.values().find(|user| user.name == USER).map(|user| user.id).context("a user is missing")?;
    for n in 0..vms.min(OWN) {
        let world = engine.world();
        let vm = VmId(world.exactly_named(NameKind::Vm, &format!("vm{n}")).context("a VM is missing")?);
        let role = world.roles.values().find(|role| role.name == OWNERS_ROLE).context("a role is missing")?.id;
        submit(&engine, GrantPermission { holder: Holder::User(user), role, object: EntityRef::Vm(vm) }).await?;
    }
    let moved = submit(&engine, DeactivateHost { host }).await?;
    submit(&engine, FinishEvacuation { host, job: opened(&moved)?, failure: None }).await?;
    submit(&engine, ClearJobs).await?;
    let events = engine.world().position;
    engine.shutdown().await;
    engine.stores().close().await;
    Ok(events)
}

/// A host that is up without being there.
async fn add_host(engine: &Engine) -> Result<HostId> {
    let config = HostConfig {
        name: "host".into(),
        comment: String::new(),
        address: "host.invalid".into(),
        port: DEFAULT_PORT,
        cluster: DEFAULT_CLUSTER,
        spm_priority: DEFAULT_SPM_PRIORITY,
        power_management: PowerManagement::default(),
        ksm: false,
        transparent_hugepages: true,
        setup: Default::default(),
    };
    let nic = NicFacts { name: "eth0".into(), ip: "192.0.2.1".into(), ..NicFacts::default() };
    let cpu_family = "Intel Nehalem Family".into();
    let facts =
        HostFacts { sockets: 4, cores: 16, threads: 2, memory: HOST_MEMORY, cpu_family, nics: vec![nic], ..Default::default() };
    let added = submit(engine, AddHost { config, sealed_password: "x".into(), probe: Ok(facts.clone()) }).await?;
    let host = added.world.hosts.values().next().context("no host was added")?.id;
    let job = opened(&added)?;
    submit(engine, ReportInstalled { host, job, outcome: Ok(()) }).await?;
    submit(engine, ReportConnected { host, job: Some(job), outcome: Ok(facts) }).await?;
    Ok(host)
}

/// One VM's life.
async fn live(engine: &Engine, n: usize) -> Result<()> {
    let boot = Some(vec![BootDevice::Network]);
    let changes = VmPatch { name: Some(format!("vm{n}")), boot, ..VmPatch::default() };
    let created = submit(engine, CreateVm { cluster: DEFAULT_CLUSTER, template: BLANK, changes }).await?;
    let vm = created
        .events
        .iter()
        .find_map(|event| if let Event::VmCreated(created) = &event.event { Some(created.vm) } else { None })
        .context("no VM was created")?;
    let config = NicConfig {
        name: "nic1".into(),
        interface: NicInterface::Virtio,
        profile: None,
        mac: String::new(),
        linked: true,
        plugged: true,
        port_mirroring: Vec::new(),
    };
    submit(engine, AddNic { vm, config }).await?;
    submit(engine, StartVm { vm, ..StartVm::default() }).await?;
    report(engine, vm, Observed::PoweringUp(Guest::default())).await?;
    report(engine, vm, Observed::Up(Guest::default())).await?;
    submit(engine, StopVm { vm }).await?;
    report(engine, vm, Observed::Down { error: false, message: String::new() }).await
}

async fn report(engine: &Engine, vm: VmId, observed: Observed) -> Result<()> {
    submit(engine, ReportVm { vm, generation: None, observed }).await.map(drop)
}

fn opened(outcome: &Outcome) -> Result<JobId> {
    let opened = |event: &Event| if let Event::JobOpened(opened) = event { Some(opened.job) } else { None };
    outcome.events.iter().find_map(|event| opened(&event.event)).context("no job was opened")
}
