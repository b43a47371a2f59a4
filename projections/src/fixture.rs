//! A small data center for tests, built by deciding commands and folding what they say happened.

use std::sync::Arc;

use evirt_domain::access::ADMIN;
use evirt_domain::disk::{AddDisk, AttachTo, DiskConfig, DiskFormat, DiskInterface, FinishDiskCreation};
use evirt_domain::host::*;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER, Install};
use evirt_domain::storage::*;
use evirt_domain::storage_connection::ConnectionConfig;
use evirt_domain::template::BLANK;
use evirt_domain::vm::{BootDevice, CreateVm, VmPatch};
use evirt_domain::vm_run::{Observed, ReportVm, StartVm};
use evirt_domain::{Actor, Context, Event, Intent, RecordedEvent, World, decide};

use uuid::Uuid;

use crate::audit::{AuditEntry, FormerName, entry, former_name};

/// The time of the first event, in microseconds: Wednesday 2013-10-23 15:00:00 UTC.
pub const START: Micros = 1_382_540_400_000_000;
/// The administrator.
pub const BY_ADMIN: Actor = Actor::User(ADMIN);

/// The name that an event takes away. Nothing else may have lost one.
fn lost_name(before: &World, after: &World, recorded: &RecordedEvent) -> Option<FormerName> {
    let lost = former_name(before, after, recorded);
    let (mut had, has) = (names(before), names(after));
    had.retain(|name| !has.contains(name));
    let told: Vec<_> = lost.iter().map(|lost| (lost.id, lost.name.clone())).collect();
    assert_eq!(had, told, "{recorded:?}");
    lost
}

/// What entries may be about, with its names.
fn names(world: &World) -> Vec<(Uuid, String)> {
    let mut names = Vec::new();
    names.extend(world.users.values().map(|user| (user.id.0, user.principal())));
    names.extend(world.vms.values().map(|vm| (vm.id.0, vm.config.name.clone())));
    names.extend(world.hosts.values().map(|host| (host.id.0, host.config.name.clone())));
    names.extend(world.templates.values().map(|template| (template.id.0, template.config.name.clone())));
    names.extend(world.clusters.values().map(|cluster| (cluster.id.0, cluster.config.name.clone())));
    names.extend(world.data_centers.values().map(|data_center| (data_center.id.0, data_center.config.name.clone())));
    names.extend(world.storage_domains.values().map(|domain| (domain.id.0, domain.config.name.clone())));
    names.extend(world.quotas.values().map(|quota| (quota.id.0, quota.config.name.clone())));
    names
}

/// A World with the log that led to it and what the audit log tells of that.
#[derive(Default)]
pub struct Lab {
    pub world: World,
    pub log: Vec<RecordedEvent>,
    pub entries: Vec<(Position, AuditEntry)>,
    /// The names that nothing has any more.
    pub former: Vec<FormerName>,
}

impl Lab {
    /// A fresh installation.
    pub fn installed() -> Self {
        let mut lab = Self::default();
        lab.run(Actor::System, Install { admin_password: "hash".into() });
        lab
    }

    /// Decides a command and folds its events in; the events.
    pub fn run(&mut self, actor: Actor, intent: impl Into<Intent>) -> Vec<Event> {
        let intent = intent.into();
        let cx = Context {
            actor,
            now: START + self.world.position as Micros * 1_000_000,
            correlation_id: "test".into(),
            seed: u128::from(self.world.position + 1) << 64,
            host_load: Arc::default(),
            quiet: Default::default(),
        };
        let events = decide(&self.world, &cx, &intent).unwrap_or_else(|why| panic!("{intent:?}: {why}"));
        for event in &events {
            self.record(actor, event.clone());
        }
        events
    }

    /// Runs a command as the administrator.
    pub fn admin(&mut self, command: impl Into<Intent>) -> Vec<Event> {
        self.run(BY_ADMIN, command)
    }

    /// Runs a command as the engine.
    pub fn system(&mut self, command: impl Into<Intent>) -> Vec<Event> {
        self.run(Actor::System, command)
    }

    /// Folds one event in.
    pub fn record(&mut self, actor: Actor, event: Event) {
        let stream = event.as_fold().stream();
        let recorded = RecordedEvent {
            position: self.world.position + 1,
            stream,
            version: self.world.version(&stream) + 1,
            recorded_at: START + self.world.position as Micros * 1_000_000,
            actor,
            correlation_id: "test".into(),
            causation: None,
            event,
        };
        let before = self.world.clone();
        self.world.evolve(&recorded);
        self.former.extend(lost_name(&before, &self.world, &recorded));
        self.entries.extend(entry(&before, &self.world, &recorded).map(|told| (recorded.position, told)));
        self.log.push(recorded);
    }

    /// The job that was opened last.
    pub fn job(&self) -> JobId {
        let opened = self.log.iter().rev().find_map(|r| match &r.event {
            Event::JobOpened(e) => Some(e.job),
            _ => None,
        });
        opened.expect("a job was opened")
    }

    /// Codes and messages that the audit log tells, from a position on.
    pub fn told(&self, from: Position) -> Vec<(u32, &str)> {
        self.entries.iter().filter(|(at, _)| *at > from).map(|(_, entry)| (entry.code, entry.message.as_str())).collect()
    }

    /// A host of the cluster Default that is up.
    pub fn host(&mut self, name: &str) -> HostId {
        let facts = HostFacts {
            sockets: 2,
            cores: 8,
            threads: 1,
            cpu_name: "Intel Xeon".into(),
            cpu_family: "Intel Nehalem Family".into(),
            cpu_mhz: 2400,
            memory: 64 << 30,
            nics: vec![NicFacts { name: "eth0".into(), ip: "192.0.2.7".into(), ..NicFacts::default() }],
            ..HostFacts::default()
        };
        let config = HostConfig {
            name: name.into(),
            comment: String::new(),
            address: format!("{name}.example.com"),
            port: DEFAULT_PORT,
            cluster: DEFAULT_CLUSTER,
            spm_priority: DEFAULT_SPM_PRIORITY,
            power_management: PowerManagement {
                enabled: true,
                agent: "ipmilan".into(),
                address: "192.0.2.200".into(),
                username: "root".into(),
                password: "sealed".into(),
                ..PowerManagement::default()
            },
            ksm: true,
            transparent_hugepages: true,
            setup: Default::default(),
        };
        self.admin(AddHost { config, sealed_password: "sealed".into(), probe: Ok(facts.clone()) });
        let job = self.job();
        let host = self.world.exactly_named(evirt_domain::world::NameKind::Host, name).map(HostId).expect("it was added");
        self.system(ReportInstalled { host, job, outcome: Ok(()) });
        self.system(ReportConnected { host, job: Some(job), outcome: Ok(facts) });
        host
    }

    /// A data domain that is active in the data center Default.
    pub fn storage(&mut self, name: &str, host: HostId) -> StorageDomainId {
        let config = StorageDomainConfig { name: name.into(), description: String::new(), comment: String::new() };
        let server = ConnectionConfig {
            address: "192.0.2.5".into(),
            path: format!("/exports/{name}"),
            ..ConnectionConfig::of(StorageKind::Nfs)
        };
        let storage = Storage::files(server);
        self.admin(CreateStorageDomain {
            config,
            class: DomainClass::Data,
            storage,
            format: None,
            host,
            overwrite: false,
            mount: Ok(()),
        });
        let job = self.job();
        let domain =
            self.world.exactly_named(evirt_domain::world::NameKind::StorageDomain, name).map(StorageDomainId).expect("added");
        self.system(FinishStorageDomainCreation { job, domain, outcome: Ok((500 << 30, 1 << 30)) });
        self.admin(AttachStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
        let job = self.job();
        self.system(FinishStorageTask { job, domain, outcome: Ok(()) });
        domain
    }

    /// A VM of the cluster Default that boots from the network or its CD, so that it needs no disk.
    pub fn vm(&mut self, name: &str) -> VmId {
        let changes = VmPatch {
            name: Some(name.into()),
            boot: Some(vec![BootDevice::Network, BootDevice::Hd]),
            memory: Some(512 << 20),
            ..VmPatch::default()
        };
        self.admin(CreateVm { cluster: DEFAULT_CLUSTER, template: BLANK, changes });
        self.world.exactly_named(evirt_domain::world::NameKind::Vm, name).map(VmId).expect("it was created")
    }

    /// Gives a VM a disk.
    pub fn disk(&mut self, vm: VmId, alias: &str) -> DiskId {
        let config = DiskConfig {
            alias: alias.into(),
            description: String::new(),
            size: 8 << 30,
            shareable: false,
            wipe_after_delete: false,
            propagate_errors: false,
            quota: None,
            interface: None,
            bootable: false,
        };
        let attach = Some(AttachTo { vm, interface: DiskInterface::Virtio, bootable: false, active: true });
        self.admin(AddDisk { config, format: DiskFormat::Cow, sparse: None, storage_domain: None, attach });
        let job = self.job();
        let disk = self.world.exactly_named(evirt_domain::world::NameKind::Disk, alias).map(DiskId).expect("it was added");
        self.system(FinishDiskCreation { job, disk, outcome: Ok(1 << 20) });
        disk
    }

    /// Starts a VM on a host and waits until it is up.
    pub fn start(&mut self, actor: Actor, vm: VmId, host: HostId) {
        self.run(actor, StartVm { vm, host: Some(host), ..StartVm::default() });
        self.observe(vm, Observed::PoweringUp(Default::default()));
        self.observe(vm, Observed::Up(Default::default()));
    }

    /// Reports what a driver observed.
    pub fn observe(&mut self, vm: VmId, observed: Observed) {
        self.system(ReportVm { vm, generation: None, observed });
    }
}
