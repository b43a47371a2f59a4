//! Every step of every task fails once, and leaves nothing locked, nobody waiting and no room taken. Which tasks there are, how somebody
//! asks for them and what a failure has to leave is their description: a new task is walked through without a new line here.

mod coming_and_going;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use evirt_domain::access::{ADMIN, EntityRef};
use evirt_domain::cluster::{AssignNetwork, ClusterConfig, ClusterNetwork, CreateCluster};
use evirt_domain::command::Decide;
use evirt_domain::data_center::{CreateDataCenter, DataCenterConfig, QuotaMode};
use evirt_domain::disk::{AddDisk, AttachTo, DiskConfig, DiskFormat, DiskInterface, DiskStatus};
use evirt_domain::event::RecordedEvent;
use evirt_domain::host::{AddHost, DeactivateHost, HostConfig, HostStatus, PowerManagement, ProbeFailure};
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER, Install};
use evirt_domain::job::{AnyCommand, Ends, JobStatus, Scene, Task};
use evirt_domain::network::{CreateNetwork, NetworkConfig};
use evirt_domain::storage::*;
use evirt_domain::storage_connection::ConnectionConfig;
use evirt_domain::vm::{AddNic, BootDevice, CreateVm, NicConfig, NicInterface, VmPatch};
use evirt_domain::vm_run::{Observed, ReportVm, StartVm, VmState};
use evirt_domain::world::NameKind;
use evirt_domain::{Actor, Event, Intent, World};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::audit::AuditQuery;
use crate::engine::{Options, Stores};
use crate::hypervisor::estate::{Estate, Export};
use crate::hypervisor::simulator::Simulator;
use crate::hypervisor::{Answer, HostStatistics, Hypervisor, OBSERVATION_BUFFER, Observation, VmStatistics, VolumeFacts};

/// How much faster than in truth the simulated estate lives.
const SPEED: f64 = 2_000.0;
const PASSWORD: &str = "redhat";
const FAULT: &str = "a planned fault";
const GIB: i64 = 1 << 30;
const FILE_SERVER: &str = "192.168.0.10";
const PORTAL: &str = "192.168.0.20";
const ISO: &str = "rhel-server-6.4-x86_64-dvd.iso";
/// Where the estate's own state is kept, below the data directory.
const ESTATE: &str = "estate.state";

/// What goes wrong.
#[derive(Clone, Copy, Default)]
struct Plan {
    /// Operations behind this position are counted, and fail from a call on; those of no job never do.
    behind: Option<Position>,
    /// How many of their calls succeed.
    sound: usize,
    /// How many there were.
    calls: usize,
    /// Whether nothing is heard of machines.
    silent: bool,
}

/// A driver whose calls for jobs fail from one on.
struct Faulty {
    inner: Arc<Simulator>,
    plan: Arc<Mutex<Plan>>,
}

impl Faulty {
    fn plan<T>(&self, change: impl FnOnce(&mut Plan) -> T) -> T {
        change(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Hypervisor for Faulty {
    fn call(&self, id: OperationId, call: DriverCall) -> Answer<'_> {
        let fails = self.plan(|plan| {
            let counts = plan.behind.is_some_and(|behind| id.0 > behind) && id.0 < 1 << 63;
            plan.calls += usize::from(counts);
            counts && plan.calls > plan.sound
        });
        if fails {
            return Box::pin(async { Err(DriverError::Failed { message: FAULT.into() }) });
        }
        self.inner.call(id, call)
    }

    fn observe(&self) -> mpsc::Receiver<Observation> {
        let (mut seen, plan) = (self.inner.observe(), self.plan.clone());
        let (tell, told) = mpsc::channel(OBSERVATION_BUFFER);
        tokio::spawn(async move {
            while let Some(observation) = seen.recv().await {
                let of_host = matches!(observation, Observation::HostUp { .. } | Observation::HostRegistered { .. });
                let silent = plan.lock().unwrap_or_else(PoisonError::into_inner).silent && !of_host;
                if !silent && tell.send(observation).await.is_err() {
                    return;
                }
            }
        });
        told
    }

    fn host_statistics(&self, host: Uuid) -> Option<HostStatistics> {
        self.inner.host_statistics(host)
    }

    fn vm_statistics(&self, vm: Uuid) -> Option<VmStatistics> {
        self.inner.vm_statistics(vm)
    }
}

/// An engine with reactors on a driver that can fail.
struct Lab {
    engine: Engine,
    driver: Arc<Faulty>,
    reactors: Reactors,
}

fn estate() -> Estate {
    let mut estate = Estate { speed: SPEED, ..Estate::builtin() };
    let export = |n: usize| Export { path: format!("/more{n}"), size_bytes: 200 << 30, used_bytes: 0, files: Vec::new() };
    estate.nfs[0].exports.extend((0..4).map(export));
    estate
}

fn request() -> Request {
    Request { actor: Actor::User(ADMIN), correlation_id: "walk".into(), causation: None }
}

/// Gives up on what does not happen.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("nothing happens")
}

impl Lab {
    /// On what a directory holds.
    async fn open(data: &Path) -> Lab {
        let inner = Arc::new(Simulator::new(estate(), Some(data.join(ESTATE))).unwrap());
        let driver = Arc::new(Faulty { inner, plan: Arc::default() });
        let engine = Engine::start(Stores::open(data).await.unwrap(), driver.clone(), Options::default()).await.unwrap();
        let short = Duration::from_millis(20);
        let timeouts = Timeouts {
            shutdown_grace: short,
            patience: Patience { base_ms: 20, vm_ms: 0, manager_ms: 0 },
            fence_again: short,
            tick: short,
            retry: short,
            unheard: Duration::from_millis(100),
            look_round: Duration::from_secs(1),
            ..Timeouts::default()
        };
        // A host of the estate announces itself: what is new is installed before anybody listens.
        if engine.world().position == 0 {
            engine.submit(&request(), Install { admin_password: "hash".into() }).await.unwrap();
        }
        let reactors = Reactors::start(engine.clone(), Arc::new(Sealer::open(data).unwrap()), timeouts);
        Lab { engine, driver, reactors }
    }

    async fn close(self) {
        drop(self.reactors);
        self.engine.shutdown().await;
        self.engine.stores().close().await;
    }

    async fn does(&self, command: impl Decide + 'static) -> Outcome {
        let outcome = self.engine.submit(&request(), command).await.expect("it is accepted");
        for job in opened(&outcome.events) {
            assert_eq!(soon(self.engine.settle(job)).await, Some(JobStatus::Finished));
        }
        outcome
    }

    async fn until(&self, is_so: impl Fn(&World) -> bool) {
        soon(self.engine.until(|world| is_so(world).then_some(()))).await;
    }

    /// Waits until nothing is under way any more.
    async fn quiet(&self) -> Result<(), String> {
        let calm = self.engine.until(|world| unrest(world).is_empty().then_some(()));
        let calm = tokio::time::timeout(Duration::from_secs(20), calm).await;
        calm.map_err(|_| format!("it does not come to rest: {:?}", unrest(&self.engine.world())))
    }

    /// What the log holds behind a position.
    async fn behind(&self, position: Position) -> Vec<&'static str> {
        let records = self.engine.log().read(position, 100_000).await.unwrap();
        let kind = |name: &str| Event::KINDS.iter().find(|kind| kind.name == name).map(|kind| kind.name);
        records.iter().filter_map(|record| kind(&record.kind)).collect()
    }

    /// The codes that the audit log tells behind a position.
    async fn told(&self, position: Position) -> BTreeSet<u32> {
        let entries = self.engine.audit().find(AuditQuery::newest(1_000)).await.unwrap();
        entries.iter().filter(|entry| entry.id > position).map(|entry| entry.code).collect()
    }

    async fn volumes(&self, domain: StorageDomainId) -> Vec<VolumeFacts> {
        match self.driver.call(OperationId(0), DriverCall::ListVolumes { domain: domain.0 }).await {
            Ok(Reply::Volumes(volumes)) => volumes,
            other => panic!("{other:?}"),
        }
    }

    async fn host(&self, sealed: &str, n: u8, cluster: ClusterId, power_management: PowerManagement) -> HostId {
        let (name, address) = (format!("host{n}"), format!("192.168.0.1{n}"));
        let config = HostConfig {
            name: name.clone(),
            comment: String::new(),
            address: address.clone(),
            port: evirt_domain::host::DEFAULT_PORT,
            cluster,
            spm_priority: evirt_domain::host::DEFAULT_SPM_PRIORITY,
            power_management,
            ksm: false,
            transparent_hugepages: true,
            setup: Default::default(),
        };
        let call = DriverCall::Probe { address, root_password: Some(PASSWORD.into()) };
        let probe = match self.driver.call(OperationId(0), call).await {
            Ok(Reply::Host(facts)) => Ok(host_facts(&facts)),
            other => Err(ProbeFailure::Unreachable(format!("{other:?}"))),
        };
        let outcome = self.does(AddHost { config, sealed_password: sealed.into(), probe }).await;
        let id = HostId(outcome.world.exactly_named(NameKind::Host, &name).unwrap());
        self.until(|world| world.hosts.get(&id).is_some_and(|host| host.status == HostStatus::Up)).await;
        id
    }

    async fn domain(&self, name: &str, class: DomainClass, storage: Storage, host: HostId) -> StorageDomainId {
        let config = StorageDomainConfig { name: name.into(), description: String::new(), comment: String::new() };
        let format = (class == DomainClass::Data && storage.kind() == StorageKind::Nfs).then_some(StorageFormat::V1);
        let create = CreateStorageDomain { config, class, storage, format, host, overwrite: false, mount: Ok(()) };
        let outcome = self.does(create).await;
        StorageDomainId(outcome.world.exactly_named(NameKind::StorageDomain, name).unwrap())
    }

    async fn attached(
        &self,
        name: &str,
        class: DomainClass,
        storage: Storage,
        host: HostId,
        to: DataCenterId,
    ) -> StorageDomainId {
        let domain = self.domain(name, class, storage, host).await;
        self.does(AttachStorageDomain { domain, data_center: to }).await;
        domain
    }

    async fn vm(&self, name: &str) -> VmId {
        let boot = Some(vec![BootDevice::Network, BootDevice::Hd]);
        let changes = VmPatch { name: Some(name.into()), boot, ..VmPatch::default() };
        let template = evirt_domain::template::BLANK;
        let outcome = self.does(CreateVm { cluster: DEFAULT_CLUSTER, template, changes }).await;
        VmId(outcome.world.exactly_named(NameKind::Vm, name).unwrap())
    }

    async fn disk(&self, alias: &str, domain: StorageDomainId, vm: Option<VmId>) -> DiskId {
        let config = DiskConfig {
            alias: alias.into(),
            description: String::new(),
            size: GIB,
            shareable: false,
            wipe_after_delete: false,
            propagate_errors: false,
            quota: None,
            interface: None,
            bootable: false,
        };
        let attach = vm.map(|vm| AttachTo { vm, interface: DiskInterface::Virtio, bootable: true, active: true });
        let add = AddDisk { config, format: DiskFormat::Cow, sparse: None, storage_domain: Some(domain), attach };
        let outcome = self.does(add).await;
        DiskId(outcome.world.exactly_named(NameKind::Disk, alias).unwrap())
    }

    /// Makes everything that tasks are asked for on.
    async fn scene(&self, sealer: &Sealer) -> Scene {
        let (data_center, sealed_password) = (DEFAULT_DATA_CENTER, sealer.seal(PASSWORD).unwrap());
        let host = self.host(&sealed_password, 1, DEFAULT_CLUSTER, PowerManagement::default()).await;
        self.host(&sealed_password, 2, DEFAULT_CLUSTER, PowerManagement::default()).await;
        let agent = PowerManagement {
            enabled: true,
            agent: "ipmilan".into(),
            address: "192.168.0.113".into(),
            username: "admin".into(),
            password: sealer.seal(PASSWORD).unwrap(),
            ..PowerManagement::default()
        };
        let resting_host = self.host(&sealed_password, 3, DEFAULT_CLUSTER, agent).await;
        self.does(DeactivateHost { host: resting_host }).await;

        let network = NetworkConfig { name: "blue".into(), vm_network: false, ..plain_network() };
        let outcome = self.does(CreateNetwork { data_center, config: network, with_profile: false }).await;
        let network = NetworkId(outcome.world.exactly_named(NameKind::Network, "blue").unwrap());
        let assigned = ClusterNetwork { network, required: false, display: false, migration: false };
        self.does(AssignNetwork { cluster: DEFAULT_CLUSTER, network: assigned }).await;

        let domain = self.attached("data", DomainClass::Data, nfs("/data1"), host, data_center).await;
        let spare_domain = self.attached("spare", DomainClass::Data, nfs("/data2"), host, data_center).await;
        let resting_domain = self.attached("resting", DomainClass::Data, nfs("/more0"), host, data_center).await;
        self.does(DeactivateStorageDomain { domain: resting_domain, data_center }).await;
        let free_domain = self.domain("free", DomainClass::Data, nfs("/more1"), host).await;
        self.attached("iso", DomainClass::Iso, nfs("/iso1"), host, data_center).await;

        let config = DataCenterConfig {
            name: "blocks".into(),
            description: String::new(),
            comment: String::new(),
            storage_type: StorageKind::Iscsi,
            version: evirt_domain::data_center::CURRENT_VERSION,
            quota_mode: QuotaMode::Disabled,
        };
        let outcome = self.does(CreateDataCenter { config, format: None }).await;
        let blocks = DataCenterId(outcome.world.exactly_named(NameKind::DataCenter, "blocks").unwrap());
        let cpu = outcome.world.clusters.get(&DEFAULT_CLUSTER).unwrap().config.cpu.clone();
        let config = ClusterConfig { name: "blocks".into(), data_center: Some(blocks), cpu, ..ClusterConfig::default() };
        let outcome = self.does(CreateCluster { config }).await;
        let cluster = ClusterId(outcome.world.exactly_named(NameKind::Cluster, "blocks").unwrap());
        let block_host = self.host(&sealed_password, 4, cluster, PowerManagement::default()).await;
        let unit = lun("3600144f09dbd050000004e1900000001", "target1");
        let storage = Storage { server: ConnectionConfig::of(StorageKind::Iscsi), connection: None, luns: vec![unit] };
        let block_domain = self.attached("units", DomainClass::Data, storage, block_host, blocks).await;

        self.until(|world| world.storage_domains.values().any(|domain| domain.class == DomainClass::Image)).await;
        let world = self.engine.world();
        let images = world.storage_domains.values().find(|domain| domain.class == DomainClass::Image).unwrap();
        let list = DriverCall::ListImages { service: images.storage.service.clone() };
        let image = match self.driver.call(OperationId(0), list).await {
            Ok(Reply::Images(found)) => found.into_iter().map(image).find(|image| image.format == "qcow2").unwrap(),
            other => panic!("{other:?}"),
        };

        let (vm, running) = (self.vm("resting").await, self.vm("running").await);
        self.disk("own", domain, Some(vm)).await;
        let plugged = self.disk("plugged", domain, Some(running)).await;
        let nic = NicConfig {
            name: "nic1".into(),
            interface: NicInterface::Virtio,
            profile: None,
            mac: String::new(),
            linked: true,
            plugged: true,
            port_mirroring: Vec::new(),
        };
        let outcome = self.does(AddNic { vm: running, config: nic }).await;
        let nic = outcome.world.vms.get(&running).unwrap().nics[0].id;
        self.does(StartVm { vm: running, host: Some(host), ..StartVm::default() }).await;
        let disk = self.disk("floating", domain, None).await;
        self.quiet().await.unwrap();
        let world = self.engine.world();
        let free_nic = |nic: &&evirt_domain::host::HostNic| nic.name == "eth1";
        Scene {
            data_center,
            host,
            host_nic: world.hosts.get(&host).unwrap().nics.iter().find(free_nic).unwrap().id,
            network,
            resting_host,
            domain,
            spare_domain,
            resting_domain,
            free_domain,
            storage: nfs("/more2"),
            block_domain,
            block_host,
            lun: lun("3600144f09dbd050000004e1900000003", "target2"),
            images: images.id,
            image,
            vm,
            running,
            nic,
            plugged,
            disk,
            iso: ISO.into(),
            sealed: sealer.seal("a ticket").unwrap(),
            sealed_password,
        }
    }
}

fn plain_network() -> NetworkConfig {
    NetworkConfig {
        name: String::new(),
        description: String::new(),
        comment: String::new(),
        vlan: None,
        mtu: 0,
        stp: false,
        vm_network: true,
        ip: String::new(),
        netmask: String::new(),
        gateway: String::new(),
    }
}

fn nfs(path: &str) -> Storage {
    let of = ConnectionConfig::of(StorageKind::Nfs);
    Storage::files(ConnectionConfig { address: FILE_SERVER.into(), path: path.into(), ..of })
}

fn lun(id: &str, target: &str) -> Lun {
    let portal = ConnectionConfig {
        address: PORTAL.into(),
        port: 3260,
        target: format!("iqn.2013-04.com.example:{target}"),
        ..ConnectionConfig::of(StorageKind::Iscsi)
    };
    Lun { id: id.into(), portal: Some(portal), device: None }
}

fn opened(events: &[RecordedEvent]) -> Vec<JobId> {
    let job = |event: &RecordedEvent| match &event.event {
        Event::JobOpened(opened) => Some(opened.job),
        _ => None,
    };
    events.iter().filter_map(job).collect()
}

/// What is under way, locked, or on its way to another state.
fn unrest(world: &World) -> Vec<String> {
    use HostStatus::{Connecting, Initializing, Installing, NonResponsive, PreparingForMaintenance, Reboot, Unassigned};
    let mut found: Vec<String> = world.open_jobs.iter().map(|job| format!("{:?}", world.jobs.get(job))).collect();
    for host in world.hosts.values() {
        let moving = [Connecting, Initializing, Installing, NonResponsive, PreparingForMaintenance, Reboot, Unassigned];
        found.extend(moving.contains(&host.status).then(|| format!("host {} is {}", host.config.name, host.status.name())));
    }
    for vm in world.vms.values() {
        use VmState::{Down, Paused, Suspended, Up};
        let rests = [Down, Paused, Suspended, Up].contains(&vm.state);
        let job = vm.run.as_ref().and_then(|run| run.job);
        let asked = vm.run.as_ref().is_some_and(|run| run.stopping || run.destination.is_some());
        found
            .extend((!rests || job.is_some() || asked).then(|| format!("VM {} is {:?}: {:?}", vm.config.name, vm.state, vm.run)));
    }
    let locked = world.disks.values().filter(|disk| disk.status == DiskStatus::Locked);
    found.extend(locked.map(|disk| format!("disk {} is locked", disk.config.alias)));
    for domain in world.storage_domains.values() {
        let locked = domain.attachments.iter().any(|attachment| attachment.status == AttachmentStatus::Locked);
        found.extend((locked || domain.state != DomainState::Ready).then(|| format!("domain {} is locked", domain.config.name)));
    }
    found
}

/// Whether each machine has its place and no other, and storage the volumes of the disks that there are and of no others.
async fn check_room(lab: &Lab, scene: &Scene) -> Result<(), String> {
    let world = lab.engine.world();
    for vm in world.vms.values() {
        let is_on = |host: &HostId| world.vms_on(*host).any(|on| on.id == vm.id);
        let places: Vec<HostId> = world.hosts.values().map(|host| host.id).filter(is_on).collect();
        let run = vm.run.as_ref().map(|run| run.hosts()).unwrap_or_default();
        check(places == run, || format!("VM {} has its places on {places:?} and not {run:?}", vm.config.name))?;
    }
    let volumes: BTreeSet<Uuid> = lab.volumes(scene.domain).await.iter().map(|volume| volume.volume.disk).collect();
    // What could not be deleted is illegal, and its volume may be there or not.
    for disk in world.disks_on(scene.domain).filter(|disk| disk.status == DiskStatus::Ok) {
        check(volumes.contains(&disk.id.0), || format!("disk {} has no volume", disk.config.alias))?;
    }
    let nobodys = volumes.iter().find(|volume| !world.disks.contains(&DiskId(**volume)));
    check(nobodys.is_none(), || format!("the volume {nobodys:?} is no disk's"))
}

fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// A copy of a directory, to begin from.
fn copy(of: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(of).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
        }
    }
    to
}

/// How a step is made to fail.
#[derive(Clone, Copy, Debug)]
enum Failing {
    /// Every call behind so many.
    Calls(usize),
    /// The machine is gone while it is waited for, at this step.
    Machine(usize),
}

/// Asks for a task that fails. Which step did, unless all came about; or what does not hold afterwards.
async fn fail_once(
    prepared: &Path,
    scene: &Scene,
    command: &AnyCommand,
    kind: &str,
    failing: Failing,
) -> Result<Option<(Task, usize)>, String> {
    let data = copy(prepared);
    let lab = Lab::open(data.path()).await;
    lab.quiet().await?;
    let before = lab.engine.world().position;
    lab.driver.plan(|plan| {
        *plan = match failing {
            Failing::Calls(sound) => Plan { behind: Some(before), sound, ..Plan::default() },
            Failing::Machine(_) => Plan { silent: true, ..Plan::default() },
        }
    });
    let outcome = lab.engine.submit(&request(), command.clone()).await.map_err(|refused| refused.to_string())?;
    let of_kind = |job: &JobId| outcome.world.jobs.get(job).is_some_and(|job| job.task.kind() == kind);
    let job = opened(&outcome.events).into_iter().find(of_kind).ok_or("no such job is opened")?;
    if let Failing::Machine(step) = failing {
        lab.until(|world| world.jobs.get(&job).is_some_and(|job| job.steps_done >= step)).await;
        let object = outcome.world.jobs.get(&job).map(|job| job.task.object());
        let Some(EntityRef::Vm(vm)) = object else { return Err(format!("{object:?} is no machine")) };
        let observed = Observed::Down { error: true, message: FAULT.into() };
        lab.engine.submit(&Request::system("observed"), ReportVm { vm, generation: None, observed }).await.unwrap();
        lab.driver.inner.crash_vm(vm.0);
    }
    let ended = soon(lab.engine.settle(job)).await;
    lab.driver.plan(|plan| *plan = Plan::default());
    lab.quiet().await?;
    check_room(&lab, scene).await?;
    let world = lab.engine.world();
    let done = world.jobs.get(&job).unwrap();
    let failed = match &ended {
        Some(JobStatus::Failed(why)) => {
            check(!why.is_empty(), || "it says no reason".into())?;
            let step = done.task.steps()[done.steps_done];
            let kinds = lab.behind(before).await;
            let undone = step.undo.is_empty() || step.undo.iter().any(|undo| kinds.contains(undo));
            check(undone, || format!("nothing of {:?} for step {} in {kinds:?}", step.undo, step.name))?;
            let told = lab.told(before).await;
            let said = step.told.codes().iter().any(|code| told.contains(code));
            check(said, || format!("nothing of {:?} for step {} in {told:?}", step.told, step.name))?;
            Some((done.task.clone(), done.steps_done))
        }
        Some(JobStatus::Finished) => None,
        ended => return Err(format!("{ended:?}")),
    };
    // Where no step was done what it is about is as it was, so that it can be asked for again; hosts recover by themselves.
    let undone = matches!(failing, Failing::Calls(_)) && failed.as_ref().is_some_and(|(_, step)| *step == 0);
    let again = undone && !matches!(done.task.object(), EntityRef::Host(_));
    if again && let Err(refused) = lab.engine.submit(&request(), command.clone()).await {
        return Err(format!("it cannot be asked for again: {refused}"));
    }
    lab.close().await;
    Ok(failed)
}

/// Fails a task at each of its driver's calls, and at each step that waits for a machine. What does not hold, or never failed.
async fn walk(prepared: &Path, scene: &Scene, command: &AnyCommand, kind: &'static str) -> Vec<String> {
    let (mut wrong, mut failed, mut task) = (Vec::new(), BTreeSet::new(), None);
    let mut fail = async |failing| match fail_once(prepared, scene, command, kind, failing).await {
        Ok(ended) => ended,
        Err(why) => {
            wrong.push(format!("{kind}, {failing:?}: {why}"));
            None
        }
    };
    let mut sound = 0;
    while let Some((of, step)) = fail(Failing::Calls(sound)).await {
        failed.insert(step);
        task = Some(of);
        sound += 1;
    }
    let steps = task.iter().flat_map(|task: &Task| task.steps().iter().enumerate());
    for (n, _) in steps.clone().filter(|(_, step)| step.ends == Ends::Observed) {
        failed.extend(fail(Failing::Machine(n)).await.map(|(_, step)| step));
    }
    let able = |ends| matches!(ends, Ends::Answer | Ends::Observed);
    let never = steps.filter(|(n, step)| able(step.ends) && !failed.contains(n));
    wrong.extend(never.map(|(_, step)| format!("{kind}: {} never failed", step.name)));
    wrong.extend(task.is_none().then(|| format!("{kind} never failed")));
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_every_task_can_fail() {
    let prepared = tempfile::tempdir().unwrap();
    let lab = Lab::open(prepared.path()).await;
    let scene = lab.scene(&Sealer::open(prepared.path()).unwrap()).await;
    lab.close().await;
    let mut wrong = Vec::new();
    for (kind, asked) in Task::ASKED {
        for command in asked(&scene) {
            wrong.extend(walk(prepared.path(), &scene, &command, kind).await);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
