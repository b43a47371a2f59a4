//! Given, when, then: a Story is a log with its World, told by deciding commands and folding what they give.

use std::collections::BTreeMap;
use std::sync::Arc;

use evirt_domain::access::ADMIN;
use evirt_domain::cluster::ClusterConfig;
use evirt_domain::context::QuietTimes;
use evirt_domain::disk::{AddDisk, AttachTo, DiskConfig, DiskFormat, DiskInterface, FinishDiskCreation};
use evirt_domain::host::*;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER, Install};
use evirt_domain::network::profiles_of;
use evirt_domain::storage::*;
use evirt_domain::storage_connection::ConnectionConfig;
use evirt_domain::template::BLANK;
use evirt_domain::vm::*;
use evirt_domain::vm_run::*;
use evirt_domain::{Actor, Context, Event, Intent, Key, RecordedEvent, Rejection, World, decide};
use uuid::Uuid;

pub const GIB: i64 = 1 << 30;
/// When every story begins.
pub const BEGINNING: Micros = 1_388_534_400_000_000;

/// An id that exists nowhere.
pub fn nowhere<T: From<Uuid>>() -> T {
    T::from(Uuid::from_u128(0xdead))
}

/// What came of a command.
#[must_use]
#[derive(Debug)]
pub struct Outcome {
    command: String,
    pub result: Result<Vec<Event>, Rejection>,
}

impl Outcome {
    /// It is carried out by events of exactly these kinds.
    #[track_caller]
    pub fn then(self, kinds: &[&str]) -> Vec<Event> {
        match self.result {
            Ok(events) => {
                assert_eq!(events.iter().map(Event::kind).collect::<Vec<_>>(), kinds, "{}", self.command);
                events
            }
            Err(refusal) => panic!("{}\nis refused: {:?}", self.command, refusal.messages()),
        }
    }

    /// It is carried out, however.
    #[track_caller]
    pub fn accepted(self) -> Vec<Event> {
        match self.result {
            Ok(events) => events,
            Err(refusal) => panic!("{}\nis refused: {:?}", self.command, refusal.messages()),
        }
    }

    /// It is refused with this key.
    #[track_caller]
    pub fn refused(self, key: Key) -> Rejection {
        match self.result {
            Ok(events) => panic!("{}\nis accepted: {events:?}", self.command),
            Err(refusal) => {
                assert_eq!(refusal.key, key, "{}", self.command);
                refusal
            }
        }
    }

    /// The key of its refusal, if it is refused.
    pub fn key(&self) -> Option<Key> {
        self.result.as_ref().err().map(|refusal| refusal.key)
    }
}

/// A log and its World.
#[derive(Clone)]
pub struct Story {
    pub world: World,
    pub log: Vec<RecordedEvent>,
    pub now: Micros,
    pub actor: Actor,
    pub load: BTreeMap<HostId, u8>,
    pub quiet: QuietTimes,
    seed: u64,
}

impl Story {
    /// Nothing has happened.
    pub fn empty() -> Self {
        Self {
            world: World::default(),
            log: Vec::new(),
            now: BEGINNING,
            actor: Actor::User(ADMIN),
            load: BTreeMap::new(),
            quiet: QuietTimes::default(),
            seed: 0,
        }
    }

    /// A fresh installation.
    pub fn installed() -> Self {
        let mut story = Self::empty();
        story.does(Install { admin_password: "hash".into() });
        story
    }

    /// The context of the next command: all that it takes from outside is counted here.
    pub fn context(&self) -> Context {
        Context {
            actor: self.actor,
            now: self.now,
            correlation_id: Arc::from(format!("request-{}", self.seed)),
            seed: u128::from(self.seed) << 64 | u128::from(self.seed),
            host_load: Arc::new(self.load.clone()),
            quiet: self.quiet,
        }
    }

    /// Decides a command and leaves the World as it is.
    pub fn when(&self, intent: impl Into<Intent>) -> Outcome {
        let intent = intent.into();
        Outcome { result: decide(&self.world, &self.context(), &intent), command: format!("{:?}", intent.command) }
    }

    /// Decides as somebody else.
    pub fn when_by(&self, actor: Actor, command: impl Into<Intent>) -> Outcome {
        Self { actor, ..self.clone() }.when(command)
    }

    /// Decides a command that has to be accepted, and folds what it gives.
    #[track_caller]
    pub fn does(&mut self, command: impl Into<Intent>) -> Vec<Event> {
        let events = self.when(command).accepted();
        self.given(events.clone());
        events
    }

    /// Decides a command and folds what it gives, if anything.
    pub fn tries(&mut self, command: &Intent) -> Result<Vec<Event>, Rejection> {
        let events = decide(&self.world, &self.context(), command)?;
        self.given(events.clone());
        Ok(events)
    }

    /// Folds events, as one commit.
    pub fn given(&mut self, events: Vec<Event>) {
        for event in events {
            let stream = event.as_fold().stream();
            let recorded = RecordedEvent {
                position: self.world.position + 1,
                version: self.world.version(&stream) + 1,
                stream,
                recorded_at: self.now,
                actor: self.actor,
                correlation_id: self.context().correlation_id,
                causation: None,
                event,
            };
            self.world.evolve(&recorded);
            self.log.push(recorded);
        }
        self.now += 1_000_000;
        self.seed += 1;
    }

    /// The job that the last commit opened.
    #[track_caller]
    pub fn job(&self) -> JobId {
        let opened = self.log.iter().rev().find_map(|r| match &r.event {
            Event::JobOpened(e) => Some(e.job),
            _ => None,
        });
        opened.expect("no job was opened")
    }

    /// A host of a cluster that is up.
    pub fn host_in(&mut self, cluster: ClusterId, name: &str, facts: HostFacts) -> HostId {
        self.does(RegisterHost { name: name.into(), address: format!("{name}.example.org"), facts: facts.clone() });
        let host = HostId(self.log.last().expect("registered").stream.id);
        self.does(ApproveHost { host, cluster: Some(cluster) });
        let job = self.job();
        self.does(ReportInstalled { host, job, outcome: Ok(()) });
        self.does(ReportConnected { host, job: Some(job), outcome: Ok(facts) });
        assert_eq!(self.world.hosts.get(&host).map(|h| h.status), Some(HostStatus::Up));
        host
    }

    /// A host of the cluster Default that is up.
    pub fn host(&mut self, name: &str) -> HostId {
        self.host_in(DEFAULT_CLUSTER, name, facts(16, 8))
    }

    /// A storage domain that is attached nowhere.
    pub fn domain(&mut self, host: HostId, name: &str, class: DomainClass) -> StorageDomainId {
        self.does(create_domain(host, name, class));
        let domain = self.log.iter().rev().find_map(|r| match &r.event {
            Event::StorageDomainAdded(e) => Some(e.domain),
            _ => None,
        });
        let domain = domain.expect("added");
        let job = self.job();
        self.does(FinishStorageDomainCreation { job, domain, outcome: Ok((500 * GIB, 10 * GIB)) });
        domain
    }

    /// A storage domain that is active in the data center Default.
    pub fn active_domain(&mut self, host: HostId, name: &str, class: DomainClass) -> StorageDomainId {
        let domain = self.domain(host, name, class);
        self.does(AttachStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
        self.finish_storage(domain);
        domain
    }

    /// What was begun with a storage domain succeeds.
    pub fn finish_storage(&mut self, domain: StorageDomainId) {
        let job = self.job();
        self.does(FinishStorageTask { job, domain, outcome: Ok(()) });
    }

    /// A VM from Blank that is down.
    pub fn vm(&mut self, name: &str) -> VmId {
        self.vm_with(VmPatch { name: Some(name.into()), ..VmPatch::default() })
    }

    /// A VM from Blank that differs from it.
    #[track_caller]
    pub fn vm_with(&mut self, changes: VmPatch) -> VmId {
        self.does(CreateVm { cluster: changes.cluster.unwrap_or(DEFAULT_CLUSTER), template: BLANK, changes });
        VmId(self.log.last().expect("created").stream.id)
    }

    /// A disk of 10 GiB that a VM boots from.
    pub fn disk(&mut self, vm: VmId) -> DiskId {
        let bootable = self.world.vms.get(&vm).is_some_and(|v| v.disks.is_empty());
        self.does(add_disk("", Some(AttachTo { vm, interface: DiskInterface::Virtio, bootable, active: true })));
        self.finish_disk()
    }

    /// The volume of the last disk is there.
    pub fn finish_disk(&mut self) -> DiskId {
        let disk = self.log.iter().rev().find_map(|r| match &r.event {
            Event::DiskAdded(e) => Some(e.disk),
            _ => None,
        });
        let disk = disk.expect("added");
        let job = self.job();
        self.does(FinishDiskCreation { job, disk, outcome: Ok(GIB) });
        disk
    }

    /// The vNIC profile of the management network.
    pub fn profile(&self) -> VnicProfileId {
        profiles_of(&self.world, evirt_domain::install::MANAGEMENT_NETWORK).next().expect("a profile").id
    }

    /// A network interface on the management network.
    pub fn nic(&mut self, vm: VmId, name: &str) -> NicId {
        let config = nic(name, Some(self.profile()));
        match self.does(AddNic { vm, config }).as_slice() {
            [Event::NicAdded(e)] => e.nic.id,
            other => panic!("{other:?}"),
        }
    }

    /// A driver observed something of a VM.
    pub fn observe(&mut self, vm: VmId, observed: Observed) -> Vec<Event> {
        self.does(ReportVm { vm, generation: None, observed })
    }

    pub fn state(&self, vm: VmId) -> VmState {
        self.world.vms.get(&vm).expect("the VM").state
    }

    pub fn status(&self, host: HostId) -> HostStatus {
        self.world.hosts.get(&host).expect("the host").status
    }

    /// A VM that is up.
    pub fn up(&mut self, vm: VmId) {
        self.does(StartVm { vm, ..StartVm::default() });
        self.observe(vm, Observed::Up(Guest::default()));
    }

    /// Sets a host's status as if it had come about.
    pub fn host_is(&mut self, host: HostId, to: HostStatus) {
        let from = self.status(host);
        self.given(vec![HostStatusChanged { host, from, to, detail: String::new() }.into()]);
    }

    /// Sets an attached domain's status as if it had come about.
    pub fn domain_is(&mut self, domain: StorageDomainId, to: AttachmentStatus) {
        let attached = self.world.storage_domains.get(&domain).and_then(|d| d.attachment()).expect("attached");
        let (data_center, from, reason) = (attached.data_center, attached.status, String::new());
        self.given(vec![StorageDomainStatusChanged { domain, data_center, from, to, reason }.into()]);
    }

    /// Brings a VM that is down, with a disk, into a state, by what users and drivers do.
    pub fn bring(&mut self, vm: VmId, state: VmState) {
        use VmState::*;
        let start = StartVm { vm, ..StartVm::default() };
        if !matches!(state, Down | WaitForLaunch | PoweringUp | ImageLocked) {
            self.up(vm);
        }
        match state {
            Down | Up => {}
            WaitForLaunch => drop(self.does(start)),
            PoweringUp => {
                self.does(start);
                self.observe(vm, Observed::PoweringUp(Guest::default()));
            }
            PoweringDown => drop(self.does(ShutdownVm { vm })),
            Paused => drop(self.observe(vm, Observed::Paused { detail: "eio".into() })),
            SavingState => drop(self.does(SuspendVm { vm })),
            Suspended | RestoringState => {
                self.does(SuspendVm { vm });
                self.observe(vm, Observed::Saved);
                if state == RestoringState {
                    self.does(start);
                }
            }
            Migrating => drop(self.does(MigrateVm { vm, host: None, force: true })),
            RebootInProgress => drop(self.does(RebootVm { vm })),
            ImageLocked => drop(self.does(RemoveVm { vm, keep_disks: false })),
            NotResponding => drop(self.observe(vm, Observed::NotResponding)),
            Unknown => drop(self.observe(vm, Observed::Lost)),
        }
        assert_eq!(self.state(vm), state);
    }
}

/// A small estate that works: two hosts, a master domain, a VM that is down with a disk and a network interface.
#[derive(Clone)]
pub struct Estate {
    pub story: Story,
    pub host: HostId,
    pub other: HostId,
    pub domain: StorageDomainId,
    pub vm: VmId,
    pub disk: DiskId,
    pub nic: NicId,
}

impl std::ops::Deref for Estate {
    type Target = Story;

    fn deref(&self) -> &Story {
        &self.story
    }
}

impl std::ops::DerefMut for Estate {
    fn deref_mut(&mut self) -> &mut Story {
        &mut self.story
    }
}

/// The estate.
pub fn estate() -> Estate {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let other = story.host("beta");
    let domain = story.active_domain(host, "data", DomainClass::Data);
    let vm = story.vm("guest");
    let disk = story.disk(vm);
    let nic = story.nic(vm, "nic1");
    Estate { story, host, other, domain, vm, disk, nic }
}

/// What a host with that much memory and that many cores reports.
pub fn cluster_config() -> ClusterConfig {
    ClusterConfig { cpu: facts(1, 1).cpu_family, ..ClusterConfig::default() }
}

pub fn facts(gib: i64, cores: u32) -> HostFacts {
    HostFacts {
        hardware_uuid: String::new(),
        sockets: 1,
        cores,
        threads: 2,
        cpu_name: "Intel Xeon".into(),
        cpu_family: "Intel Nehalem Family".into(),
        cpu_mhz: 2400,
        memory: gib * GIB,
        os: "RHEL 6.5".into(),
        kernel: "2.6.32".into(),
        libvirt: "libvirt-0.10.2-18.el6_4.9".into(),
        iscsi_initiator: "iqn.1994-05.com.redhat:1".into(),
        nics: vec![NicFacts {
            name: "eth0".into(),
            mac: "52:54:00:00:00:01".into(),
            ip: "192.0.2.10".into(),
            netmask: "255.255.255.0".into(),
            gateway: "192.0.2.1".into(),
            speed: 1_000_000_000,
            mtu: 1500,
            ..NicFacts::default()
        }],
        ..HostFacts::default()
    }
}

/// What a host with four interfaces reports; only the first has an address.
pub fn wired() -> HostFacts {
    let eth0 = facts(16, 8).nics[0].clone();
    let spare =
        |n: usize| NicFacts { name: format!("eth{n}"), mac: format!("52:54:00:00:00:0{n}"), speed: 1000, ..NicFacts::default() };
    HostFacts { nics: [vec![eth0], (1..4).map(spare).collect()].concat(), ..facts(16, 8) }
}

/// Power management with all that it needs.
pub fn power() -> PowerManagement {
    PowerManagement {
        enabled: true,
        agent: "ipmilan".into(),
        address: "192.0.2.200".into(),
        username: "root".into(),
        password: "sealed".into(),
        ..PowerManagement::default()
    }
}

/// The facts of a host upon whose interfaces a layout lies.
pub fn laid(world: &World, facts: HostFacts, layout: &Layout) -> HostFacts {
    let network = |a: &HostNetwork| NetworkFacts {
        name: world.networks.get(&a.network).map(|n| n.config.name.clone()).unwrap_or_default(),
        nic: a.nic.clone(),
        vlan: a.vlan,
        mtu: a.mtu,
        bridged: a.bridged,
        address: a.address.clone(),
    };
    HostFacts { bonds: layout.bonds.clone(), networks: layout.attachments.iter().map(network).collect(), ..facts }
}

pub fn host_config(name: &str) -> HostConfig {
    HostConfig {
        name: name.into(),
        comment: String::new(),
        address: format!("{name}.example.org"),
        port: DEFAULT_PORT,
        cluster: DEFAULT_CLUSTER,
        spm_priority: DEFAULT_SPM_PRIORITY,
        power_management: PowerManagement::default(),
        ksm: true,
        transparent_hugepages: true,
        setup: Default::default(),
    }
}

pub fn create_domain(host: HostId, name: &str, class: DomainClass) -> CreateStorageDomain {
    CreateStorageDomain {
        config: StorageDomainConfig { name: name.into(), description: String::new(), comment: String::new() },
        class,
        storage: nfs(name),
        format: None,
        host,
        overwrite: false,
        mount: Ok(()),
    }
}

pub fn nfs(name: &str) -> Storage {
    Storage::files(nfs_server(&format!("/exports/{name}")))
}

pub fn nfs_server(path: &str) -> ConnectionConfig {
    ConnectionConfig { address: "nfs.example.org".into(), path: path.into(), ..ConnectionConfig::of(StorageKind::Nfs) }
}

/// A logical unit behind an iSCSI target.
pub fn lun(id: &str, target: &str) -> Storage {
    let portal = ConnectionConfig {
        address: "san.example.org".into(),
        port: 3260,
        target: target.into(),
        ..ConnectionConfig::of(StorageKind::Iscsi)
    };
    let luns = vec![Lun { id: id.into(), portal: Some(portal), device: None }];
    Storage { server: ConnectionConfig::of(StorageKind::Iscsi), connection: None, luns }
}

pub fn disk_config(alias: &str) -> DiskConfig {
    DiskConfig {
        alias: alias.into(),
        description: String::new(),
        size: 10 * GIB,
        shareable: false,
        wipe_after_delete: false,
        propagate_errors: false,
        quota: None,
        interface: None,
        bootable: false,
    }
}

pub fn add_disk(alias: &str, attach: Option<AttachTo>) -> AddDisk {
    AddDisk { config: disk_config(alias), format: DiskFormat::Cow, sparse: None, storage_domain: None, attach }
}

pub fn nic(name: &str, profile: Option<VnicProfileId>) -> NicConfig {
    NicConfig {
        name: name.into(),
        interface: NicInterface::Virtio,
        profile,
        mac: String::new(),
        linked: true,
        plugged: true,
        port_mirroring: Vec::new(),
    }
}
