//! What the engine promises: what is answered is durable, failures take back and recover, a restart goes on, a job is done once.

use std::path::Path;
use std::time::Duration;

use evirt_domain::cluster::{ClusterConfig, ClusterPatch, CreateCluster, SchedulingPolicy, UpdateCluster};
use evirt_domain::context::Context;
use evirt_domain::event::Event;
use evirt_domain::fence::Patience;
use evirt_domain::host::{ActivateHost, AddHost, DeactivateHost, HostConfig, HostStatus, PowerManagement, ProbeFailure};
use evirt_domain::ids::VmId;
use evirt_domain::install::{DEFAULT_CLUSTER, Install};
use evirt_domain::job::Task;
use evirt_domain::vm::{AddNic, BootDevice, CreateVm, NicConfig, NicInterface, VmPatch};
use evirt_domain::vm_run::{StartVm, StopVm, VmState};
use evirt_domain::world::NameKind;
use sqlx::{ConnectOptions, Executor};

use super::*;
use crate::audit::AuditQuery;
use crate::hypervisor::estate::Estate;
use crate::hypervisor::simulator::Simulator;
use crate::hypervisor::{DriverCall, DriverError, OperationId, Reply};
use crate::log::{Sealer, sqlite};
use crate::reactors::{Reactors, Timeouts, host_facts};

/// How much faster than in truth the simulated estate lives.
const SPEED: f64 = 2_000.0;
const PASSWORD: &str = "redhat";

/// An engine in a directory of its own.
struct Lab {
    data: tempfile::TempDir,
    driver: Arc<Simulator>,
    engine: Engine,
    reactors: Option<Reactors>,
}

impl Lab {
    /// An engine on an installed log, without reactors.
    async fn new() -> Lab {
        let data = tempfile::tempdir().unwrap();
        let driver = Arc::new(Simulator::new(Estate { speed: SPEED, ..Estate::builtin() }, None).unwrap());
        let engine = start(data.path(), driver.clone(), Options::default()).await;
        engine.submit(&request(), Install { admin_password: "hash".into() }).await.unwrap();
        Lab { data, driver, engine, reactors: None }
    }

    /// The same with reactors, and a host that is up.
    async fn with_host() -> Lab {
        let mut lab = Lab::new().await;
        lab.react();
        lab.add_host("host1", "192.168.0.11").await;
        lab
    }

    /// Adds a host of the estate, and waits until it is up.
    async fn add_host(&self, name: &str, address: &str) -> HostId {
        let lab = self;
        let config = HostConfig {
            name: name.into(),
            comment: String::new(),
            address: address.into(),
            port: evirt_domain::host::DEFAULT_PORT,
            cluster: DEFAULT_CLUSTER,
            spm_priority: evirt_domain::host::DEFAULT_SPM_PRIORITY,
            power_management: PowerManagement::default(),
            ksm: false,
            transparent_hugepages: true,
            setup: Default::default(),
        };
        let sealed_password = lab.sealer().seal(PASSWORD).unwrap();
        let call = DriverCall::Probe { address: config.address.clone(), root_password: Some(PASSWORD.into()) };
        let probe = match lab.driver.call(OperationId(0), call).await {
            Ok(Reply::Host(facts)) => Ok(host_facts(&facts)),
            other => Err(ProbeFailure::Unreachable(format!("{other:?}"))),
        };
        lab.engine.submit(&request(), AddHost { config, sealed_password, probe }).await.unwrap();
        let up = |world: &World| world.hosts.values().find(|h| h.config.name == name && h.status == HostStatus::Up).map(|h| h.id);
        soon(lab.engine.until(up)).await
    }

    fn sealer(&self) -> Arc<Sealer> {
        Arc::new(Sealer::open(self.data.path()).unwrap())
    }

    fn react(&mut self) {
        let short = Duration::from_millis(20);
        let timeouts = Timeouts {
            shutdown_grace: short,
            patience: Patience { base_ms: 20, vm_ms: 0, manager_ms: 0 },
            fence_again: short,
            tick: short,
            retry: short,
            ..Timeouts::default()
        };
        self.reactors = Some(Reactors::start(self.engine.clone(), self.sealer(), timeouts));
    }

    /// What a crash does: nothing is finished, nothing is written any more, and a new engine starts on the same log.
    async fn crash(&mut self) {
        self.reactors = None;
        self.engine.abort();
        // A process that has ended holds no lock of the file.
        self.engine.stores().close().await;
        self.engine = start(self.data.path(), self.driver.clone(), Options::default()).await;
    }

    /// Creates a VM that boots from the network.
    async fn create_vm(&self, name: &str) -> VmId {
        let changes =
            VmPatch { name: Some(name.into()), boot: Some(vec![BootDevice::Network, BootDevice::Hd]), ..VmPatch::default() };
        let template = evirt_domain::template::BLANK;
        let created = self.engine.submit(&request(), CreateVm { cluster: DEFAULT_CLUSTER, template, changes }).await.unwrap();
        VmId(created.world.exactly_named(NameKind::Vm, name).unwrap())
    }

    async fn start_vm(&self, vm: VmId) -> JobId {
        let started = self.engine.submit(&request(), StartVm { vm, ..StartVm::default() }).await.unwrap();
        opened(&started)
    }

    async fn is_in(&self, vm: VmId, state: VmState) {
        soon(self.engine.until(|world| (world.vms.get(&vm)?.state == state).then_some(()))).await;
    }

    /// Lets every append fail, as a full disk does, until `repair`.
    async fn break_log(&self) {
        self.execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'the disk is full'); END").await;
    }

    async fn repair_log(&self) {
        self.execute("DROP TRIGGER full").await;
    }

    async fn execute(&self, statement: &'static str) {
        let path = self.data.path().join(sqlite::FILE_NAME);
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        connection.execute(statement).await.unwrap();
    }

    /// How many events of a kind the log holds.
    async fn count(&self, kind: &str) -> usize {
        let records = self.engine.log().read(0, 100_000).await.unwrap();
        records.iter().filter(|record| record.kind == kind).count()
    }
}

async fn start(data: &Path, driver: Arc<Simulator>, options: Options) -> Engine {
    let stores = Stores::open(data).await.unwrap();
    Engine::start(stores, driver, options).await.unwrap()
}

fn request() -> Request {
    Request::system("test")
}

fn opened(outcome: &Outcome) -> JobId {
    let job = |event: &RecordedEvent| match &event.event {
        Event::JobOpened(opened) => Some(opened.job),
        _ => None,
    };
    outcome.events.iter().find_map(job).expect("no job was opened")
}

fn cluster(name: impl Into<String>) -> CreateCluster {
    CreateCluster { config: ClusterConfig { name: name.into(), cpu: "Intel Haswell".into(), ..ClusterConfig::default() } }
}

/// Gives up on what does not happen.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("nothing happens")
}

#[derive(Debug)]
struct Panics;

impl evirt_domain::Decide for Panics {
    fn decide(&self, _: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        panic!("on purpose")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commands_at_once_are_all_durable_in_their_order() {
    let lab = Lab::new().await;
    let before = lab.engine.world().position;
    let answers: Vec<_> = (0..2_500).map(|n| lab.engine.submit(&request(), cluster(format!("c{n}")))).collect();
    for (n, answer) in answers.into_iter().enumerate() {
        let outcome = soon(answer).await.unwrap();
        assert_eq!(outcome.position, before + n as u64 + 1);
        assert!(outcome.world.position >= outcome.position);
        assert!(outcome.world.exactly_named(NameKind::Cluster, &format!("c{n}")).is_some());
    }
    let world = lab.engine.world();
    assert_eq!(lab.engine.log().head().await.unwrap().position, world.position);
    lab.engine.shutdown().await;
    assert_eq!(*start(lab.data.path(), lab.driver.clone(), Options::default()).await.world(), *world);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_append_changes_nothing_and_the_next_command_tries_again() {
    let lab = Lab::new().await;
    let before = lab.engine.world();
    lab.break_log().await;
    // The second is refused because of the first, which never became durable: so it is not told that the name is in use.
    let answers = [lab.engine.submit(&request(), cluster("one")), lab.engine.submit(&request(), cluster("one"))];
    for answer in answers {
        assert_eq!(soon(answer).await.unwrap_err().key, Key::LogUnavailable);
    }
    assert_eq!(*lab.engine.world(), *before);
    lab.repair_log().await;
    let done = soon(lab.engine.submit(&request(), cluster("one"))).await.unwrap();
    assert_eq!(done.position, before.position + 1);
    let refused = soon(lab.engine.submit(&request(), cluster("one"))).await.unwrap_err();
    assert_eq!(refused.key, Key::ClusterNameInUse);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_appended_is_caught_up_with_and_decided_on() {
    let lab = Lab::new().await;
    let other = start(lab.data.path(), lab.driver.clone(), Options::default()).await;
    other.submit(&request(), cluster("theirs")).await.unwrap();
    let answers = [lab.engine.submit(&request(), cluster("ours")), lab.engine.submit(&request(), cluster("theirs"))];
    let [ours, theirs] = answers.map(soon);
    assert!(ours.await.unwrap().world.exactly_named(NameKind::Cluster, "theirs").is_some());
    assert_eq!(theirs.await.unwrap_err().key, Key::ClusterNameInUse);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_panics_refuses_its_own_command_only() {
    let lab = Lab::new().await;
    let answers = (
        lab.engine.submit(&request(), cluster("a")),
        lab.engine.submit(&request(), Panics),
        lab.engine.submit(&request(), cluster("b")),
    );
    assert!(soon(answers.0).await.is_ok());
    assert_eq!(soon(answers.1).await.unwrap_err().key, Key::Internal);
    assert!(soon(answers.2).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_the_log_refuses_for_good_are_not_decided_for_ever() {
    let lab = Lab::new().await;
    // A record of a stream that the World does not know takes the version that the next command's event would have.
    lab.execute(
        "CREATE TRIGGER twice BEFORE INSERT ON events WHEN NEW.kind = 'ClusterCreated' BEGIN
           INSERT INTO events SELECT -1, NEW.stream, NEW.version, kind, schema, recorded_at, actor, correlation_id, causation, payload, hash
           FROM events WHERE position = 1; END",
    )
    .await;
    assert_eq!(soon(lab.engine.submit(&request(), cluster("a"))).await.unwrap_err().key, Key::Internal);
    lab.execute("DROP TRIGGER twice").await;
    assert!(soon(lab.engine.submit(&request(), cluster("a"))).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_leads_to_the_same_world() {
    let lab = Lab::new().await;
    let data = lab.data.path();
    let options = Options { snapshots: Some(data.to_owned()), snapshot_every: 20, ..Options::default() };
    lab.engine.shutdown().await;
    let engine = start(data, lab.driver.clone(), options.clone()).await;
    for n in 0..50 {
        engine.submit(&request(), cluster(format!("c{n}"))).await.unwrap();
    }
    engine.shutdown().await;
    let world = engine.world();
    assert_eq!(snapshot::newest(data, &**engine.log(), u64::MAX).await.as_ref(), Some(&*world));
    assert_eq!(*start(data, lab.driver.clone(), options).await.world(), *world);
    // Of another log nothing is taken.
    let other = Lab::new().await;
    assert!(snapshot::newest(data, &**other.engine.log(), u64::MAX).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_audit_log_lacks_is_computed_at_the_next_start() {
    let lab = Lab::new().await;
    let data = lab.data.path();
    let options = Options { snapshots: Some(data.to_owned()), snapshot_every: 1, ..Options::default() };
    let all = AuditQuery { limit: 1_000, ..AuditQuery::default() };
    let mut told = lab.engine.audit().find(all).await.unwrap();
    lab.engine.shutdown().await;
    for n in 0..10 {
        let engine = start(data, lab.driver.clone(), options.clone()).await;
        assert_eq!(engine.audit().find(all).await.unwrap(), told);
        let named = |m| cluster(format!("c{n}-{m}"));
        let answers: Vec<_> = (0..20).map(|m| engine.submit(&request(), named(m))).collect();
        for answer in answers {
            answer.await.unwrap();
        }
        told = engine.audit().find(all).await.unwrap();
        engine.submit(&request(), named(20)).await.unwrap();
        match n % 3 {
            0 => engine.shutdown().await,
            _ => engine.abort(),
        }
        engine.stores().close().await;
        if n % 3 == 2 {
            std::fs::remove_file(data.join(crate::audit::FILE_NAME)).unwrap();
        }
        let last = AuditQuery { offset: 1, ..all };
        let engine = start(data, lab.driver.clone(), Options { snapshots: None, ..options.clone() }).await;
        assert_eq!(engine.audit().find(last).await.unwrap(), told);
        told = engine.audit().find(all).await.unwrap();
        engine.abort();
        engine.stores().close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_is_started_and_stopped() {
    let lab = Lab::with_host().await;
    let vm = lab.create_vm("vm1").await;
    let job = lab.start_vm(vm).await;
    assert_eq!(soon(lab.engine.settle(job)).await, Some(JobStatus::Finished));
    lab.is_in(vm, VmState::Up).await;
    let told = lab.engine.audit().find(AuditQuery::newest(100)).await.unwrap();
    assert_eq!(told[0].about.vm, Some(vm));
    let stopped = lab.engine.submit(&request(), StopVm { vm }).await.unwrap();
    assert_eq!(soon(lab.engine.settle(opened(&stopped))).await, Some(JobStatus::Finished));
    lab.is_in(vm, VmState::Down).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_overtakes_a_launch_leaves_no_machine_behind() {
    let lab = Lab::with_host().await;
    let vm = lab.create_vm("vm1").await;
    for _ in 0..20 {
        lab.start_vm(vm).await;
        lab.engine.submit(&request(), StopVm { vm }).await.unwrap();
        lab.is_in(vm, VmState::Down).await;
    }
    soon(lab.engine.until(|world| world.open_jobs.is_empty().then_some(()))).await;
    for host in lab.engine.world().hosts.values().filter(|host| host.status == HostStatus::Up) {
        let Ok(Reply::Vms(running)) = lab.driver.call(OperationId(0), DriverCall::ListVms { host: host.id.0 }).await else {
            panic!()
        };
        assert!(running.iter().all(|report| matches!(report.state, crate::hypervisor::VmState::Down { .. })), "{running:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nic_is_plugged_into_the_running_machine_or_not_at_all() {
    let lab = Lab::with_host().await;
    let vm = lab.create_vm("vm1").await;
    lab.start_vm(vm).await;
    lab.is_in(vm, VmState::Up).await;
    let config = |name: &str| NicConfig {
        name: name.into(),
        interface: NicInterface::Virtio,
        profile: None,
        mac: String::new(),
        linked: true,
        plugged: true,
        port_mirroring: Vec::new(),
    };
    let added = lab.engine.submit(&request(), AddNic { vm, config: config("nic1") }).await.unwrap();
    assert_eq!(soon(lab.engine.settle(opened(&added))).await, Some(JobStatus::Finished));
    lab.driver.fail_next(crate::hypervisor::CallKind::HotplugNic, DriverError::Failed { message: "no slot".into() });
    let added = lab.engine.submit(&request(), AddNic { vm, config: config("nic2") }).await.unwrap();
    assert!(matches!(soon(lab.engine.settle(opened(&added))).await, Some(JobStatus::Failed(why)) if why.contains("no slot")));
    let plugged: Vec<bool> = lab.engine.world().vms.get(&vm).unwrap().nics.iter().map(|nic| nic.plugged).collect();
    assert_eq!(plugged, [true, false]);
    assert_eq!(lab.driver.vm_statistics(vm.0).unwrap().nics.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_finished_once_wherever_the_engine_crashed() {
    let mut lab = Lab::with_host().await;
    for crash_after in 0..6 {
        let vm = lab.create_vm(&format!("vm{crash_after}")).await;
        let ups = lab.count("VmUp").await;
        let job = lab.start_vm(vm).await;
        let from = lab.engine.world().position;
        // Ends at the latest with the job, since there are no more events then.
        let crash = |world: &World| {
            let ended = !world.open_jobs.contains(&job);
            (ended || world.position >= from + crash_after).then_some(())
        };
        soon(lab.engine.until(crash)).await;
        lab.crash().await;
        lab.react();
        assert_eq!(soon(lab.engine.settle(job)).await, Some(JobStatus::Finished), "crashed {crash_after} events after the start");
        lab.is_in(vm, VmState::Up).await;
        assert_eq!(lab.count("VmUp").await, ups + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_activation_failed_for_the_moment_comes_up_by_itself() {
    let lab = Lab::with_host().await;
    let host = lab.engine.world().hosts.values().find(|host| host.status == HostStatus::Up).unwrap().id;
    let is = |status| move |world: &World| (world.hosts.get(&host)?.status == status).then_some(());
    lab.engine.submit(&request(), DeactivateHost { host }).await.unwrap();
    soon(lab.engine.until(is(HostStatus::Maintenance))).await;
    lab.driver.fail_next(crate::hypervisor::CallKind::Connect, DriverError::Failed { message: "not now".into() });
    let activated = lab.engine.submit(&request(), ActivateHost { host }).await.unwrap();
    let ended = soon(lab.engine.settle(opened(&activated))).await;
    assert!(matches!(ended, Some(JobStatus::Failed(why)) if why.contains("not now")));
    soon(lab.engine.until(is(HostStatus::Up))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_that_fails_everywhere_ends_the_job_and_gives_the_place_back() {
    let lab = Lab::with_host().await;
    let vm = lab.create_vm("vm1").await;
    lab.driver.fail_next(crate::hypervisor::CallKind::Launch, DriverError::Failed { message: "no luck".into() });
    let job = lab.start_vm(vm).await;
    let Some(JobStatus::Failed(why)) = soon(lab.engine.settle(job)).await else { panic!("the job did not fail") };
    assert!(why.contains("no luck"));
    let world = lab.engine.world();
    assert!(world.vms.get(&vm).unwrap().is_down() && world.placed.iter().len() == 0);
    assert!(world.jobs.values().all(|job| matches!(job.task, Task::InstallHost { .. } | Task::StartVm { .. })));
}

/// A cluster's policy with its bounds, which host starts with the VMs, the load of both, and which then has how many.
#[tokio::test(flavor = "multi_thread")]
async fn vms_move_as_the_policy_wants_it_and_not_to_and_fro() {
    let lab = Lab::with_host().await;
    let one = lab.engine.world().hosts.values().find(|host| host.status == HostStatus::Up).unwrap().id;
    let other = lab.add_host("host2", "192.168.0.12").await;
    let mut vms = Vec::new();
    for name in ["vm1", "vm2"] {
        let vm = lab.create_vm(name).await;
        lab.engine.submit(&request(), StartVm { vm, host: Some(one), ..StartVm::default() }).await.unwrap();
        lab.is_in(vm, VmState::Up).await;
        vms.push(vm);
    }
    let policy = async |policy| {
        let changes = ClusterPatch { policy: Some(policy), policy_duration_s: Some(60), ..ClusterPatch::default() };
        lab.engine.submit(&request(), UpdateCluster { cluster: DEFAULT_CLUSTER, changes }).await.unwrap();
    };
    let settled = || async {
        let up = |world: &World| vms.iter().all(|vm| world.vms.get(vm).is_some_and(|vm| vm.state == VmState::Up)).then_some(());
        soon(lab.engine.until(up)).await;
        let world = lab.engine.world();
        (world.vms_on(one).count(), world.vms_on(other).count())
    };
    let load = |first, second| BTreeMap::from([(one, first), (other, second)]);
    let mut balance = crate::reactors::Balance::default();
    let mut now = std::time::Instant::now();
    policy(SchedulingPolicy::EvenlyDistributed).await;
    balance.round(&lab.engine, &load(90, 5), now).await;
    assert_eq!(settled().await, (2, 0), "not long enough");
    now += Duration::from_secs(60);
    balance.round(&lab.engine, &load(90, 70), now).await;
    assert_eq!(settled().await, (2, 0), "the other would be overloaded");
    balance.round(&lab.engine, &load(90, 5), now).await;
    assert_eq!(settled().await, (1, 1));
    balance.round(&lab.engine, &load(90, 5), now).await;
    assert_eq!(settled().await, (1, 1), "the time begins anew");
    policy(SchedulingPolicy::PowerSaving).await;
    balance.round(&lab.engine, &load(10, 15), now).await;
    now += Duration::from_secs(60);
    balance.round(&lab.engine, &load(10, 15), now).await;
    assert_eq!(settled().await, (0, 2));
    now += Duration::from_secs(60);
    balance.round(&lab.engine, &load(1, 15), now).await;
    now += Duration::from_secs(60);
    balance.round(&lab.engine, &load(1, 15), now).await;
    assert_eq!(settled().await, (0, 2), "nobody goes to an empty host");
}
