//! Folding is one function of the log: random lives of an estate, told twice, are the same; no log, however cut, makes it panic.

use std::collections::BTreeSet;
use std::sync::Arc;

use evirt_domain::access::*;
use evirt_domain::cluster::*;
use evirt_domain::data_center::*;
use evirt_domain::disk::*;
use evirt_domain::external::*;
use evirt_domain::fence::{ReportFenceFellBack, SkipFence};
use evirt_domain::host::*;
use evirt_domain::host_net_setup::*;
use evirt_domain::hotplug::FinishDeviceChange;
use evirt_domain::ids::*;
use evirt_domain::image::*;
use evirt_domain::index::{Indexed, Tally, VmTerm};
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER, MANAGEMENT_NETWORK};
use evirt_domain::job::*;
use evirt_domain::network::*;
use evirt_domain::permit::Permit;
use evirt_domain::placement::Share;
use evirt_domain::quota::*;
use evirt_domain::service::{DamageFound, EngineStarted, EngineStopped, Kept};
use evirt_domain::spm::{FailSpm, ForceSelectSpm};
use evirt_domain::storage::*;
use evirt_domain::storage_connection::*;
use evirt_domain::tag::*;
use evirt_domain::template::BLANK;
use evirt_domain::vm::*;
use evirt_domain::vm_run::*;
use evirt_domain::world::{NameKind, Table};
use evirt_domain::{Decide, Event, Intent, RecordedEvent, World};
use proptest::prelude::*;
use uuid::Uuid;

use crate::harness::*;

/// Among so many commands something new is looked for.
const CHOICES: usize = 24;
/// A life is this many accepted commands long.
const LIFE: usize = 400;
const SEEDS: std::ops::Range<u64> = 20..44;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % n as u64) as usize
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// One of a table, or an id that exists nowhere.
    fn of<K: Ord + Clone + From<Uuid>, V: Indexed + Clone>(&mut self, table: &Table<K, V>, id: impl Fn(&V) -> K) -> K {
        if table.is_empty() { nowhere() } else { table.values().nth(self.below(table.len())).map(|v| id(v)).expect("one") }
    }

    fn outcome<T>(&mut self, ok: T) -> Result<T, String> {
        if self.below(5) == 0 { Err("it broke".into()) } else { Ok(ok) }
    }
}

/// What a driver may tell of a VM.
fn observation(dice: &mut Dice, world: &World, vm: VmId) -> Observed {
    let run = world.vms.get(&vm).and_then(|v| v.run.as_ref());
    let from = run.map(|r| r.host).unwrap_or_default();
    match dice.below(17) {
        14.. => Observed::Up(Guest::default()),
        0 => Observed::PoweringUp(Guest::default()),
        1..=4 => Observed::Up(Guest { ips: vec!["192.0.2.50".into()], ..Guest::default() }),
        5 => Observed::Paused { detail: "eio".into() },
        6 => Observed::NotResponding,
        7 => Observed::Saved,
        8 => Observed::Down { error: dice.coin(), message: "gone".into() },
        9 | 10 => Observed::Migrated { from, to: run.and_then(|r| r.destination).unwrap_or(from) },
        11 => Observed::MigrationFailed { cancelled: dice.coin(), message: "no route".into() },
        12 => Observed::Lost,
        _ => Observed::Absent,
    }
}

/// How a reactor ends a job.
fn finish(dice: &mut Dice, world: &World) -> Box<dyn Decide> {
    let open: Vec<JobId> = world.open_jobs.iter().copied().collect();
    if open.is_empty() {
        return Box::new(ClearJobs);
    }
    let job = dice.pick(&open);
    let failure = |dice: &mut Dice| dice.outcome(()).err();
    match world.jobs.get(&job).expect("open").task.clone() {
        Task::InstallHost { host } if world.hosts.get(&host).is_some_and(|h| h.status == HostStatus::Installing) => {
            Box::new(ReportInstalled { host, job, outcome: dice.outcome(()) })
        }
        Task::InstallHost { host } | Task::ActivateHost { host } => {
            Box::new(ReportConnected { host, job: Some(job), outcome: dice.outcome(wired()) })
        }
        Task::EvacuateHost { host } => Box::new(FinishEvacuation { host, job, failure: failure(dice) }),
        Task::FenceHost { host, fence } => Box::new(FinishFence { host, job, fence, failure: failure(dice) }),
        Task::SetUpHostNetworks { host, setup } => {
            let facts = laid(world, wired(), &setup.layout);
            Box::new(FinishNetworkSetup { host, job, outcome: dice.outcome(facts) })
        }
        Task::SaveHostNetworks { host } => Box::new(FinishNetworkSave { host, job, outcome: dice.outcome(()) }),
        Task::TuneHost { .. } => Box::new(EndJob { job, failure: failure(dice) }),
        Task::CreateStorageDomain { domain, .. } => {
            Box::new(FinishStorageDomainCreation { job, domain, outcome: dice.outcome((500 * GIB, GIB)) })
        }
        Task::AttachStorageDomain { domain, .. }
        | Task::ActivateStorageDomain { domain, .. }
        | Task::DeactivateStorageDomain { domain, .. }
        | Task::DetachStorageDomain { domain, .. } => Box::new(FinishStorageTask { job, domain, outcome: dice.outcome(()) }),
        Task::RemoveStorageDomain { domain, .. } => {
            Box::new(FinishStorageDomainRemoval { job, domain, outcome: dice.outcome(()) })
        }
        Task::UpgradeStorage { data_center, format } => {
            let upgraded = behind(world, data_center, format).map(|d| d.id).collect();
            Box::new(FinishStorageUpgrade { job, data_center, format, upgraded, failure: failure(dice) })
        }
        Task::CreateDisk { disk } | Task::ImportImage { disk, .. } => {
            Box::new(FinishDiskCreation { job, disk, outcome: dice.outcome(GIB) })
        }
        Task::ExtendStorageDomain { domain, luns, .. } => {
            Box::new(FinishStorageDomainExtension { job, domain, luns, outcome: dice.outcome((500 * GIB, GIB)) })
        }
        Task::ExtendDisk { disk, size } => Box::new(FinishDiskExtension { job, disk, outcome: dice.outcome((size, GIB)) }),
        Task::ExportDisk { disk, .. } => Box::new(FinishDiskExport { job, disk, outcome: dice.outcome(()) }),
        Task::RemoveDisk { disk } => Box::new(FinishDiskRemoval { job, disk, outcome: dice.outcome(()) }),
        Task::RemoveVm { vm } => Box::new(FinishVmRemoval { job, vm, outcome: dice.outcome(()) }),
        Task::ChangeDevice { vm, device, change, .. } => {
            Box::new(FinishDeviceChange { job, vm, device, change, outcome: dice.outcome(()) })
        }
        Task::ChangeCd { vm, file } => Box::new(FinishCdChange { job, vm, file, outcome: dice.outcome(()) }),
        Task::SetTicket { vm, expires_s, .. } => Box::new(FinishTicket { job, vm, expires_s, outcome: dice.outcome(()) }),
        Task::StartVm { vm } if dice.below(4) == 0 => Box::new(FailLaunch { vm, job, reason: "no KVM".into() }),
        Task::ShutdownVm { vm } if dice.below(3) == 0 => Box::new(FallBackToStop { vm }),
        Task::MigrateVm { vm } if dice.coin() => {
            let observed = Observed::MigrationFailed { cancelled: dice.coin(), message: "no route".into() };
            Box::new(ReportVm { vm, generation: None, observed })
        }
        Task::SuspendVm { vm } if dice.coin() => Box::new(ReportVm { vm, generation: None, observed: Observed::Saved }),
        Task::StartVm { vm }
        | Task::StopVm { vm }
        | Task::ShutdownVm { vm }
        | Task::RebootVm { vm }
        | Task::SuspendVm { vm }
        | Task::MigrateVm { vm } => Box::new(ReportVm { vm, generation: None, observed: observation(dice, world, vm) }),
    }
}

/// Any command about users, groups and roles.
fn access_command(dice: &mut Dice, world: &World, name: String) -> Box<dyn Decide> {
    let own = |role: &&Arc<Role>| role.mutable;
    let role = world.roles.values().find(own).map_or(SUPER_USER, |role| role.id);
    let group = world.groups.values().find(|group| group.domain == INTERNAL).map_or(EVERYONE, |group| group.id);
    let user = dice.of(&world.users, |u| u.id);
    let (coin, permit) = (dice.coin(), dice.pick(&Permit::ALL[..4]));
    match dice.below(10) {
        0 => Box::new(AddGroup { name, of: None, roles: Vec::new() }),
        1 if coin => Box::new(RemoveGroup { group }),
        1..4 => Box::new(ChangeMember { group, user, belongs: coin }),
        4 => Box::new(CreateRole { name, description: String::new(), administrative: false, permits: vec![permit] }),
        5 if coin => Box::new(RemoveRole { role }),
        5 => Box::new(UpdateRole { role, changes: RolePatch { name: Some(name), ..RolePatch::default() }, permits: None }),
        6 if coin => Box::new(AddPermit { role, permit }),
        6 => Box::new(RemovePermit { role, permit }),
        7 if role != SUPER_USER => Box::new(DeactivateUser { user }),
        7 => Box::new(LockUser { user, seconds: u32::from(coin), from: None }),
        8 => Box::new(RefreshUser { account: Account { id: user, name, domain: "example.org".into(), ..Account::default() } }),
        _ => Box::new(ImportUser {
            account: Account {
                id: UserId(Uuid::from_u128(dice.below(4) as u128)),
                name,
                domain: "example.org".into(),
                ..Account::default()
            },
            roles: vec![role],
        }),
    }
}

/// Any command about quotas.
fn quota_command(dice: &mut Dice, world: &World, name: String) -> Box<dyn Decide> {
    let data_center = dice.of(&world.data_centers, |d| d.id);
    let quota = dice.of(&world.quotas, |q| q.id);
    let disk = dice.of(&world.disks, |d| d.id);
    match dice.below(6) {
        0 => Box::new(CreateQuota { data_center, config: QuotaConfig::named(name) }),
        1 => Box::new(UpdateQuota { quota, changes: QuotaPatch { name: Some(name), ..QuotaPatch::default() } }),
        2 => {
            let limit = StorageLimit { domain: None, gib: 1 + dice.below(50) as i64 };
            Box::new(ChangeQuotaLimit { quota, change: LimitChange::Storage(limit) })
        }
        3 => Box::new(RemoveQuota { quota }),
        4 => {
            let mode = dice.pick(&[QuotaMode::Audit, QuotaMode::Disabled]);
            let changes = DataCenterPatch { quota_mode: Some(mode), ..DataCenterPatch::default() };
            Box::new(UpdateDataCenter { data_center, changes, format: None })
        }
        _ => Box::new(UpdateDisk { disk, changes: DiskPatch { quota: Some(Some(quota)), ..DiskPatch::default() } }),
    }
}

/// Any command about images.
fn image_command(dice: &mut Dice, world: &World, name: String) -> Box<dyn Decide> {
    let id = StorageDomainId(Uuid::from_u128(0x1111));
    let domain = world.storage_domains.values().find(|d| d.class == DomainClass::Image).map(|d| d.id);
    let service = ImageService { id, name: name.clone(), address: "glance.example.com".into() };
    let active = |d: &&Arc<StorageDomain>| d.class == DomainClass::Data && d.is_in(AttachmentStatus::Active);
    match (domain, dice.below(3)) {
        (None, 0) => Box::new(ReportImageService { service }),
        (None, _) => {
            let config = StorageDomainConfig { name, description: String::new(), comment: String::new() };
            Box::new(AddImageDomain { config, service: dice.outcome(service) })
        }
        (Some(to), 0) => {
            let idle = world.disks.values().find(|d| d.status == DiskStatus::Ok && d.vms.is_empty());
            Box::new(ExportDisk { disk: idle.map_or_else(|| dice.of(&world.disks, |d| d.id), |d| d.id), to })
        }
        (Some(from), _) => {
            let image = Uuid::from_u128(dice.below(3) as u128);
            let facts = ImageFacts { id: image, name, format: "qcow2".into(), size: GIB };
            let to = world.storage_domains.values().find(active).map_or(from, |d| d.id);
            Box::new(ImportImage { from, image, to, found: dice.outcome(vec![facts]) })
        }
    }
}

/// Any command about storage beyond the plain ones.
fn storage_command(dice: &mut Dice, world: &World, host: HostId, name: String) -> Box<dyn Decide> {
    let connection = dice.of(&world.storage_connections, |c| c.id);
    let san = world.storage_domains.values().find(|d| d.storage.kind == StorageKind::Iscsi && d.attachments.is_empty());
    let domain = san.map_or_else(|| dice.of(&world.storage_domains, |d| d.id), |d| d.id);
    let way = lun(&name, &name);
    match dice.below(18) {
        16 => {
            // A report that comes late: all of these estates have the newest version.
            let old = world.storage_domains.values().find(|d| d.format < StorageFormat::V3).map(|d| d.id);
            let (data_center, format) = (dice.of(&world.data_centers, |d| d.id), StorageFormat::V3);
            Box::new(FinishStorageUpgrade {
                job: nowhere(),
                data_center,
                format,
                upgraded: old.into_iter().collect(),
                failure: None,
            })
        }
        17 => {
            let data_center = dice.of(&world.data_centers, |d| d.id);
            Box::new(UpdateDataCenter { data_center, changes: DataCenterPatch::default(), format: Some(StorageFormat::V3) })
        }
        14 | 15 => image_command(dice, world, name),
        13 => {
            // A report that comes late, on whatever domain there is: none of these estates has a data center of block storage.
            let luns = vec![DomainLun { id: name, connection: None, device: None }];
            Box::new(FinishStorageDomainExtension { job: nowhere(), domain, luns, outcome: Ok((500 * GIB, GIB)) })
        }
        12 => {
            let active = world
                .storage_domains
                .values()
                .find(|d| d.storage.kind == StorageKind::Iscsi && d.is_in(AttachmentStatus::Active));
            let up = world.hosts.values().find(|h| h.status == HostStatus::Up).map_or(host, |h| h.id);
            let luns = lun(&format!("more-{name}"), "iqn.more").luns;
            Box::new(ExtendStorageDomain { domain: active.map_or(domain, |d| d.id), host: up, luns })
        }
        11 => {
            let domain = world.storage_domains.values().find(|d| d.is_in(AttachmentStatus::Active)).map_or(domain, |d| d.id);
            Box::new(ReportDomainReach { domain, host, reachable: dice.coin() })
        }
        8..=10 => quota_command(dice, world, name),
        0 => Box::new(AddStorageConnection { config: nfs_server(&format!("/{name}")), host: None, reach: Ok(()) }),
        1 => {
            let config = way.luns[0].portal.clone().expect("a portal");
            Box::new(AddStorageConnection { config, host: Some(host), reach: dice.outcome(()) })
        }
        2 => {
            let changes = ConnectionPatch { address: Some(name), ..ConnectionPatch::default() };
            Box::new(UpdateStorageConnection { connection, changes, host: None, reach: Ok(()) })
        }
        3 => Box::new(RemoveStorageConnection { connection }),
        4 => {
            let other = world
                .storage_connections
                .values()
                .find(|c| c.config.kind == StorageKind::Iscsi && san.is_some_and(|d| !d.storage.connections.contains(&c.id)));
            Box::new(AttachStorageConnection { domain, connection: other.map_or(connection, |c| c.id) })
        }
        5 => {
            let own = san.and_then(|d| d.storage.connections.last().copied());
            Box::new(DetachStorageConnection { domain, connection: own.unwrap_or(connection) })
        }
        6 => Box::new(CreateStorageDomain { storage: way, ..create_domain(host, &name, DomainClass::Data) }),
        _ => {
            let config = StorageDomainConfig { name: name.clone(), description: String::new(), comment: String::new() };
            let found = FoundDomain {
                id: StorageDomainId(uuid::Uuid::from_u128(dice.below(1000) as u128)),
                name: name.clone(),
                class: DomainClass::Iso,
                format: StorageFormat::V1,
                available: GIB,
                used: GIB,
            };
            let found = Ok(Some(found));
            Box::new(ImportStorageDomain { config, class: DomainClass::Iso, storage: nfs(&name), host, found })
        }
    }
}

/// Any command, about things that exist, mostly.
#[allow(clippy::too_many_lines)]
fn command(dice: &mut Dice, world: &World) -> Box<dyn Decide> {
    let vm = dice.of(&world.vms, |v| v.id);
    let host = dice.of(&world.hosts, |h| h.id);
    let domain = dice.of(&world.storage_domains, |d| d.id);
    let disk = dice.of(&world.disks, |d| d.id);
    let seat = world.storage_domains.get(&domain).and_then(|d| d.attachment()).map_or(DEFAULT_DATA_CENTER, |a| a.data_center);
    let cluster = dice.of(&world.clusters, |c| c.id);
    let data_center = dice.of(&world.data_centers, |d| d.id);
    let network = dice.of(&world.networks, |n| n.id);
    let profile = dice.of(&world.vnic_profiles, |p| p.id);
    let tag = dice.of(&world.tags, |t| t.id);
    let user = dice.of(&world.users, |u| u.id);
    let role = dice.of(&world.roles, |r| r.id);
    let permission = dice.of(&world.permissions, |p| p.id);
    let nics: Vec<NicId> = world.vms.get(&vm).iter().flat_map(|v| &v.nics).map(|n| n.id).collect();
    let nic_id = if nics.is_empty() { nowhere() } else { dice.pick(&nics) };
    let attached: Vec<DiskId> = world.vms.get(&vm).iter().flat_map(|v| &v.disks).map(|d| d.disk).collect();
    let attached = if attached.is_empty() { disk } else { dice.pick(&attached) };
    let name = format!("n{}", dice.below(40));
    let coin = dice.coin();
    let on = if coin { Some(host) } else { None };
    let object = dice.pick(&[EntityRef::System, EntityRef::Vm(vm), EntityRef::Cluster(cluster), EntityRef::Disk(disk)]);
    let tagged = dice.pick(&[Tagged::Vm(vm), Tagged::Host(host), Tagged::User(user)]);
    let attach = AttachTo { vm, interface: DiskInterface::Virtio, bootable: coin, active: dice.below(4) > 0 };
    if dice.below(20) == 0 {
        return access_command(dice, world, name);
    }
    match dice.below(115) {
        105..=108 => outside(dice, world),
        97..=104 => storage_command(dice, world, host, name),
        0..=15 => finish(dice, world),
        16..=21 => {
            let migrating = world.vms.values().find(|v| v.state == VmState::Migrating).filter(|_| dice.coin());
            let vm = migrating.map_or(vm, |v| v.id);
            Box::new(ReportVm { vm, generation: None, observed: observation(dice, world, vm) })
        }
        22..=27 => Box::new(StartVm { vm, host: on.filter(|_| dice.below(4) == 0), ..StartVm::default() }),
        28 => Box::new(StopVm { vm }),
        29 => Box::new(ShutdownVm { vm }),
        30 => Box::new(RebootVm { vm }),
        31 => {
            let up = world.vms.values().find(|v| v.state == VmState::Up).map_or(vm, |v| v.id);
            Box::new(SuspendVm { vm: up })
        }
        32 | 33 => {
            let up = world.vms.values().find(|v| v.state == VmState::Up).map_or(vm, |v| v.id);
            Box::new(MigrateVm { vm: up, host: on.filter(|_| dice.coin()), force: true })
        }
        34 => Box::new(CancelMigration { vm }),
        35 => Box::new(SetTicket { vm, sealed: "sealed".into(), expires_s: 60 }),
        36..=38 => {
            let size = (1 + dice.below(4) as i64) * GIB;
            let boot = dice.pick(&[vec![BootDevice::Hd, BootDevice::Network], vec![BootDevice::Hd]]);
            let changes = VmPatch { name: Some(name), memory: Some(size), boot: Some(boot), ..VmPatch::default() };
            Box::new(CreateVm { cluster: if coin { DEFAULT_CLUSTER } else { cluster }, template: BLANK, changes })
        }
        39 => Box::new(UpdateVm { vm, changes: VmPatch { name: Some(name), ..VmPatch::default() } }),
        40 => {
            let affinity = dice.pick(Affinity::ALL);
            Box::new(UpdateVm { vm, changes: VmPatch { affinity: Some(affinity), pinned_host: Some(on), ..VmPatch::default() } })
        }
        41 => Box::new(UpdateVm { vm, changes: VmPatch { cluster: Some(cluster), ..VmPatch::default() } }),
        42 => Box::new(RemoveVm { vm, keep_disks: coin }),
        43 | 44 => Box::new(AddNic { vm, config: nic(&name, if coin { Some(profile) } else { None }) }),
        45 => Box::new(UpdateNic { vm, nic: nic_id, changes: NicPatch { plugged: Some(coin), ..NicPatch::default() } }),
        46 => Box::new(RemoveNic { vm, nic: nic_id }),
        47..=49 => Box::new(add_disk(if coin { "" } else { &name }, Some(attach))),
        50 => {
            let config = DiskConfig { shareable: true, ..disk_config(&name) };
            Box::new(AddDisk { config, format: DiskFormat::Raw, ..add_disk(&name, None) })
        }
        51 => {
            let attachment = DiskAttachment { disk, interface: DiskInterface::Ide, bootable: false, active: coin };
            Box::new(AttachDisk { vm, attachment })
        }
        52 => Box::new(UpdateDiskAttachment { vm, disk: attached, interface: None, bootable: None, active: Some(coin) }),
        53 => Box::new(DetachDisk { vm, disk: attached }),
        54 => Box::new(RemoveDisk { disk }),
        55 => Box::new(UpdateDisk {
            disk,
            changes: DiskPatch { size: Some(20 * GIB), description: on.map(|_| name), ..DiskPatch::default() },
        }),
        56 | 57 => Box::new(AddHost {
            config: HostConfig {
                cluster: if coin { DEFAULT_CLUSTER } else { cluster },
                power_management: if coin { power() } else { PowerManagement::default() },
                ..host_config(&name)
            },
            sealed_password: "sealed".into(),
            probe: dice.outcome(wired()).map_err(ProbeFailure::Unreachable),
        }),
        58 => Box::new(RegisterHost { name: name.clone(), address: name, facts: facts(8, 4) }),
        59 => Box::new(ApproveHost { host, cluster: Some(cluster) }),
        60 | 61 => Box::new(ActivateHost { host }),
        62 => Box::new(DeactivateHost { host }),
        63 => Box::new(RemoveHost { host }),
        64 => match coin {
            true => Box::new(ReportUnresponsive { host, detail: "no heartbeat".into() }),
            false => Box::new(ReportSilent { host, detail: "no heartbeat".into(), patience: Patience::default() }),
        },
        65 => {
            let facts = HostFacts { no_nx: coin, ..wired() };
            Box::new(ReportConnected { host, job: None, outcome: dice.outcome(facts) })
        }
        109..=112 => {
            let nics = world.hosts.get(&host).map(|h| h.nics.clone()).unwrap_or_default();
            let nic = if nics.is_empty() { nowhere() } else { dice.pick(&nics).id };
            match dice.below(11) {
                0..=2 => {
                    let slaves = ["eth1", "eth2"].map(|s| NicRef::Name(s.into())).to_vec();
                    let bond = BondWish { options: None, slaves: Some(slaves) };
                    let bond = NicWish { name: Some("bond0".into()), bond: Some(bond), ..NicWish::default() };
                    let network = Some(MANAGEMENT_NETWORK);
                    let mut nics = vec![NicWish { name: Some("eth0".into()), network, ..NicWish::default() }];
                    nics.extend(Some(bond).filter(|_| dice.coin()));
                    Box::new(SetUpHostNetworks { host, nics, connectivity: Connectivity::default() })
                }
                3 => Box::new(AttachHostNetwork { host, nic, network }),
                4 => Box::new(DetachHostNetwork { host, nic, network: None }),
                5 | 8..=10 => Box::new(CommitHostNetworks { host }),
                6 => Box::new(RemoveHostBond { host, nic }),
                _ => Box::new(ReportLink { host, nic: "eth0".into(), up: dice.coin() }),
            }
        }
        113.. => match dice.below(8) {
            0 => Box::new(FenceHost { host, fence: dice.pick(&[FenceType::Restart, FenceType::Stop, FenceType::Start]) }),
            1 => Box::new(ReportFenceFellBack { host, fence: FenceType::Stop }),
            2 => Box::new(SkipFence { host }),
            3 if coin => Box::new(ForceSelectSpm { host }),
            3 => Box::new(RefreshHost { host, outcome: Ok(wired()) }),
            6 => Box::new(ReportLowMemory { host, free_mib: 512 }),
            5 => Box::new(ReportDomainDelay { domain, host, delay_ms: 9_000 }),
            4 => Box::new(FailSpm { data_center, host, reason: "no lease".into() }),
            _ if coin => Box::new(ReportReached { host }),
            _ => Box::new(ReportNotBack { host }),
        },
        66 => Box::new(FenceHost { host, fence: FenceType::Manual }),
        67 => Box::new(InstallHost { host, sealed_password: "sealed".into(), image: coin.then(|| "node.iso".into()) }),
        68 => Box::new(create_domain(host, &name, dice.pick(&[DomainClass::Data, DomainClass::Iso, DomainClass::Export]))),
        69 | 70 => Box::new(AttachStorageDomain { domain, data_center: if coin { DEFAULT_DATA_CENTER } else { data_center } }),
        71 => Box::new(ActivateStorageDomain { domain, data_center: seat }),
        72 if coin => Box::new(DeactivateStorageDomain { domain, data_center: seat }),
        72 => Box::new(DetachStorageDomain { domain, data_center: seat }),
        73 => Box::new(RemoveStorageDomain { domain, host: on, format: true, destroy: !coin }),
        74 if coin => Box::new(CreateDataCenter {
            config: DataCenterConfig {
                name,
                description: String::new(),
                comment: String::new(),
                storage_type: StorageKind::Nfs,
                version: CURRENT_VERSION,
                quota_mode: QuotaMode::Disabled,
            },
            format: None,
        }),
        74 => Box::new(RemoveDataCenter { data_center, force: dice.below(6) == 0 }),
        75 if coin => {
            let config = ClusterConfig { name, data_center: Some(data_center), ..crate::harness::cluster_config() };
            Box::new(CreateCluster { config })
        }
        75 => Box::new(RemoveCluster { cluster }),
        76 => {
            let changes = ClusterPatch { data_center: Some(Some(data_center)), ..ClusterPatch::default() };
            Box::new(UpdateCluster { cluster, changes })
        }
        77 if coin => {
            let config = NetworkConfig {
                name,
                description: String::new(),
                comment: String::new(),
                vlan: None,
                mtu: 0,
                stp: false,
                vm_network: true,
                ..NetworkConfig::default()
            };
            Box::new(CreateNetwork { data_center, config, with_profile: true })
        }
        77 => Box::new(RemoveNetwork { network }),
        78 if coin => Box::new(AssignNetwork {
            cluster,
            network: ClusterNetwork { network, required: coin, display: coin, migration: !coin },
        }),
        78 => Box::new(UnassignNetwork { cluster, network }),
        79 if coin => Box::new(CreateTag { config: TagConfig { name, description: String::new(), parent: Some(tag) } }),
        79 => Box::new(UpdateTag {
            tag,
            changes: TagPatch { name: Some(name), parent: Some(on.map(|_| tag)), ..TagPatch::default() },
        }),
        80 if coin => Box::new(AttachTag { tag, to: tagged }),
        80 => Box::new(RemoveTag { tag }),
        81 if coin => Box::new(AddUser { name, password: "hash".into(), roles: vec![role] }),
        81 => Box::new(RemoveUser { user }),
        82 if coin => Box::new(GrantPermission { holder: Holder::User(user), role, object }),
        82 => Box::new(RevokePermission { permission }),
        83 => {
            let migrating = world.vms.values().find(|v| v.state == VmState::Migrating).map_or(vm, |v| v.id);
            Box::new(CancelMigration { vm: migrating })
        }
        84 => Box::new(FallBackToStop { vm }),
        85 => Box::new(ChangeCdRom { vm, file: if coin { String::new() } else { "rhel.iso".into() }, current: coin }),
        86 => Box::new(ReportDomainFiles { domain, files: vec![DomainFile { name: "rhel.iso".into(), size: GIB }] }),
        87 => Box::new(ReportDomainSpace { domain, available: 400 * GIB, used: GIB }),
        88 => {
            let changes = StorageDomainPatch { name: Some(name), ..StorageDomainPatch::default() };
            Box::new(UpdateStorageDomain { domain, changes, extension: None })
        }
        89 => Box::new(UpdateHost { host, changes: HostPatch { name: Some(name), ..HostPatch::default() } }),
        90 => Box::new(UpdateHost { host, changes: HostPatch { spm_priority: Some(3), ..HostPatch::default() } }),
        91 => Box::new(UpdateVnicProfile {
            profile,
            network: None,
            changes: VnicProfilePatch { name: Some(name), ..VnicProfilePatch::default() },
        }),
        92 => Box::new(UpdateNetwork { network, changes: NetworkPatch { mtu: Some(1500), ..NetworkPatch::default() } }),
        93 => {
            let changes = DataCenterPatch { name: Some(name), ..DataCenterPatch::default() };
            Box::new(UpdateDataCenter { data_center, changes, format: None })
        }
        94 if coin => Box::new(RefuseLogin { name, from: String::new() }),
        94 if world.position.is_multiple_of(2) => Box::new(SumUpRefusals { count: 9, names: vec![name], from: Vec::new() }),
        94 => Box::new(ClearJobs),
        95 => {
            let job = world.open_jobs.iter().next().copied().unwrap_or_default();
            Box::new(FinishStep { job, done: 1 })
        }
        _ if coin => Box::new(OpenSession { user, token_hash: "hash".into(), ttl_minutes: 30, ..OpenSession::default() }),
        _ => Box::new(ChangePassword { user, password: "new".into() }),
    }
}

/// What a system outside does.
fn outside(dice: &mut Dice, world: &World) -> Box<dyn Decide> {
    let job = dice.of(&world.external_jobs, |j| j.id);
    let step = world.external_jobs.get(&job).and_then(|j| j.steps.last()).map(|s| s.id);
    let (status, description) = (WorkStatus::Finished, "backup".to_owned());
    match dice.below(10) {
        0 => Box::new(AddExternalJob { description, auto_cleared: dice.coin() }),
        1 | 2 => Box::new(AddExternalStep { job, parent: step, kind: "executing".into(), description }),
        3 => Box::new(EndExternalStep { job, step: step.unwrap_or_default(), status }),
        4 => Box::new(EndExternalJob { job, status, force: dice.coin() }),
        5 if dice.coin() => Box::new(ClearExternalJob { job }),
        6 => Box::new(RemoveExternalEvent { event: world.external_events.newest().unwrap_or_default() }),
        _ => Box::new(ReportExternalEvent(Report {
            severity: EventSeverity::Warning,
            description,
            origin: "backup".into(),
            custom_id: dice.below(1000) as i64,
            flood_rate: None,
            custom_data: String::new(),
            about: Vec::new(),
            user: None,
        })),
    }
}

/// What holds in every World that commands have made.
fn check_invariants(world: &World) {
    let mut placed = BTreeSet::new();
    for vm in world.vms.values() {
        assert_eq!(vm.runs(), !matches!(vm.state, VmState::Down | VmState::Suspended | VmState::ImageLocked), "{vm:?}");
        assert!(world.clusters.contains(&vm.config.cluster), "{vm:?}");
        if let Some(run) = &vm.run {
            placed.extend([Some(run.host), run.destination].into_iter().flatten().map(|host| (host, vm.id)));
            assert!(run.job.is_none_or(|job| world.open_jobs.contains(&job)), "{vm:?}");
        }
        for attached in &vm.disks {
            assert!(world.disks.get(&attached.disk).is_some_and(|d| d.vms.contains(&vm.id)), "{vm:?}");
        }
    }
    assert_eq!(world.placed.iter().collect::<BTreeSet<_>>(), placed);
    for host in world.hosts.values() {
        let shares: Vec<Share> = world.vms_on(host.id).map(|vm| Share::of(vm)).collect();
        let sum = world.placed.share(host.id, None);
        let (vcpus, memory) = (shares.iter().map(|share| share.vcpus).sum(), shares.iter().map(|share| share.memory).sum());
        assert_eq!((sum.vms as usize, sum.vcpus, sum.memory), (shares.len(), vcpus, memory));
        for (tally, state) in [(Tally::Up(host.id), VmState::Up), (Tally::Migrating(host.id), VmState::Migrating)] {
            assert_eq!(world.vms.count(tally), world.vms_on(host.id).filter(|vm| vm.state == state).count(), "{tally:?}");
        }
    }
    for cluster in world.clusters.values() {
        let in_use: BTreeSet<_> = world.vms_in(cluster.id).filter(|vm| vm.cd_in_use().is_some()).map(|vm| vm.id).collect();
        assert_eq!(world.vms.ids_by(VmTerm::Inserted(cluster.id)).collect::<BTreeSet<_>>(), in_use);
    }
    assert!(world.clone().is_indexed());
    assert!(world.placed.iter().all(|(host, _)| world.hosts.contains(&host)));
    let in_clusters: BTreeSet<_> = world.vms.values().map(|v| (v.config.cluster, v.id)).collect();
    assert_eq!(world.cluster_vms.iter().copied().collect::<BTreeSet<_>>(), in_clusters);
    let on_domains: BTreeSet<_> = world.disks.values().map(|d| (d.storage_domain, d.id)).collect();
    assert_eq!(world.domain_disks.iter().copied().collect::<BTreeSet<_>>(), on_domains);
    for disk in world.disks.values() {
        assert!(world.storage_domains.contains(&disk.storage_domain), "{disk:?}");
        assert!(
            disk.vms.iter().all(|vm| world.vms.get(vm).is_some_and(|v| v.disks.iter().any(|d| d.disk == disk.id))),
            "{disk:?}"
        );
        assert!(disk.vms.len() < 2 || disk.config.shareable, "{disk:?}");
    }
    let held: BTreeSet<_> = world.permissions.values().map(|p| (p.holder, p.object, p.id)).collect();
    assert_eq!(world.permissions_held.iter().copied().collect::<BTreeSet<_>>(), held);
    let on: BTreeSet<_> = held.iter().map(|(_, object, id)| (*object, *id)).collect();
    assert_eq!(world.permissions_on.iter().copied().collect::<BTreeSet<_>>(), on);
    assert!(held.iter().all(|(_, object, _)| object.exists(world)), "{held:?}");
    let open: BTreeSet<_> = world.jobs.values().filter(|j| j.status == JobStatus::Started).map(|j| j.id).collect();
    assert_eq!(world.open_jobs.iter().copied().collect::<BTreeSet<_>>(), open);
    for data_center in world.data_centers.values() {
        let master = data_center.master.map(|id| world.storage_domains.get(&id).and_then(|d| d.attachment()));
        assert!(master.is_none_or(|a| a.is_some_and(|a| a.data_center == data_center.id)), "{data_center:?}");
        let spm = data_center.spm.map(|id| world.hosts.get(&id).map(|h| h.status));
        let serves = [Some(HostStatus::Up), Some(HostStatus::Connecting)];
        assert!(spm.is_none_or(|status| serves.contains(&status)), "{data_center:?} {spm:?}");
    }
    for cluster in world.clusters.values() {
        assert!(cluster.config.data_center.is_none_or(|dc| world.data_centers.contains(&dc)), "{cluster:?}");
        for used in &cluster.networks {
            let network = world.networks.get(&used.network);
            assert!(network.is_some_and(|n| Some(n.data_center) == cluster.config.data_center), "{cluster:?}");
        }
    }
    assert!(world.hosts.values().all(|h| h.networks.iter().all(|n| world.networks.contains(n))));
    assert!(world.vnic_profiles.values().all(|p| world.networks.contains(&p.network)));
    assert!(world.tags.values().all(|t| t.id == ROOT || t.config.parent.is_some_and(|p| world.tags.contains(&p))));
    assert!(world.sessions.values().all(|s| world.users.contains(&s.user)));
    let names = |kind| world.names.iter().filter(|n| n.kind == kind).map(|n| (n.name.to_string(), n.id)).collect::<BTreeSet<_>>();
    let vms = world.vms.values().map(|v| (v.config.name.clone(), v.id.0)).collect();
    assert_eq!(names(NameKind::Vm), vms);
    let hosts = world.hosts.values().map(|h| (h.config.name.clone(), h.id.0)).collect();
    assert_eq!(names(NameKind::Host), hosts);
    let disks = world.disks.values().map(|d| (d.config.alias.clone(), d.id.0)).collect();
    assert_eq!(names(NameKind::Disk), disks);
    let macs = world.vms.values().flat_map(|v| &v.nics).map(|n| (n.mac.clone(), n.id.0)).collect();
    assert_eq!(names(NameKind::Mac), macs);
}

/// A random life of an estate.
fn life(seed: u64) -> Story {
    curious_life(seed, &mut Event::KINDS.iter().map(|kind| kind.name).collect())
}

/// Something that somebody wants, now and then under a key.
fn intent(dice: &mut Dice, world: &World) -> Intent {
    let wanted = Intent::from(command(dice, world));
    if dice.below(10) == 0 { wanted.idempotent(format!("key-{}", dice.below(1_000_000)), "00ff") } else { wanted }
}

/// A random life with a liking for what was not seen before: of several commands it takes the one that brings something new, so that no
/// kind of event is left to the dice alone.
fn curious_life(seed: u64, seen: &mut BTreeSet<&'static str>) -> Story {
    let mut dice = Dice(seed);
    let mut story = estate().story;
    let damage = DamageFound { kept: Kept::AuditLog, problem: "position 7".into() };
    story.given(vec![EngineStarted { version: "0.1.0".into() }.into(), EngineStopped {}.into(), damage.into()]);
    seen.extend(story.log.iter().map(|recorded| recorded.event.kind()));
    let mut accepted = 0;
    for _ in 0..LIFE * 20 {
        let mut next = intent(&mut dice, &story.world);
        let choices = if seen.len() < Event::KINDS.len() { CHOICES } else { 0 };
        for _ in 0..choices {
            let other = intent(&mut dice, &story.world);
            let events = evirt_domain::decide(&story.world, &story.context(), &other).unwrap_or_default();
            if events.iter().any(|event| !seen.contains(event.kind())) {
                next = other;
                break;
            }
        }
        story.now += if dice.below(50) == 0 { KEEP_FINISHED } else { 0 };
        let happened = story.tries(&next).unwrap_or_default();
        seen.extend(happened.iter().map(Event::kind));
        if !happened.is_empty() {
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check_invariants(&story.world)));
            assert!(checked.is_ok(), "seed {seed}, after {accepted} commands: {next:?}");
            accepted += 1;
        }
        if accepted == LIFE {
            return story;
        }
    }
    panic!("seed {seed}: only {accepted} commands were accepted");
}

fn fold<'a>(log: impl IntoIterator<Item = &'a RecordedEvent>) -> World {
    let mut world = World::default();
    log.into_iter().for_each(|recorded| world.evolve(recorded));
    world
}

/// The same at once, behind a World.
fn fold_many<'a>(mut world: World, log: impl IntoIterator<Item = &'a RecordedEvent>) -> World {
    world.evolve_many(|world| log.into_iter().for_each(|recorded| world.evolve(recorded)));
    world
}

fn json(world: &World) -> String {
    serde_json::to_string(world).expect("a World is JSON")
}

#[test]
fn a_log_folded_twice_gives_one_world() {
    let mut kinds = BTreeSet::new();
    for seed in SEEDS {
        let story = curious_life(seed, &mut kinds);
        assert_eq!(story.log.len() as u64, story.world.position, "seed {seed}");
        let (first, second) = (fold(&story.log), fold_many(World::default(), &story.log));
        check_invariants(&second);
        assert!(first == second && first == story.world, "seed {seed}");
        let text = json(&first);
        assert_eq!(text, json(&second), "seed {seed}");
        assert_eq!(text, json(&story.world), "seed {seed}");
        let back: World = serde_json::from_str(&text).expect("a World");
        assert!(back == first, "seed {seed}");
        assert_eq!(json(&back), text, "seed {seed}");
    }
    let unseen: Vec<_> = Event::KINDS.iter().map(|kind| kind.name).filter(|kind| !kinds.contains(kind)).collect();
    assert!(unseen.is_empty(), "the lives are too dull: {unseen:?}");
}

#[test]
fn a_world_restored_in_the_middle_goes_on_alike() {
    let story = life(3);
    for cut in [0, 1, story.log.len() / 3, story.log.len() / 2, story.log.len() - 1] {
        let (before, after) = story.log.split_at(cut);
        let world: World = serde_json::from_str(&json(&fold(before))).expect("a World");
        let at_once = fold_many(world.clone(), after);
        check_invariants(&at_once);
        let mut world = world;
        after.iter().for_each(|recorded| world.evolve(recorded));
        assert!(world == story.world && world == at_once, "cut at {cut}");
    }
}

#[test]
fn every_event_is_read_as_it_was_written() {
    for seed in SEEDS {
        for recorded in &life(seed).log {
            let event = &recorded.event;
            assert_eq!(Event::decode(event.kind(), event.schema(), &event.payload()).as_ref(), Ok(event));
            assert_eq!(recorded.stream.to_string().parse(), Ok(recorded.stream));
            assert_eq!(event.as_fold().stream(), recorded.stream);
        }
    }
}

#[test]
fn versions_of_a_stream_count_from_one() {
    let story = life(5);
    let mut seen = std::collections::BTreeMap::new();
    for recorded in &story.log {
        let version = seen.entry(recorded.stream).or_insert(0);
        *version += 1;
        assert_eq!(recorded.version, *version, "{}", recorded.stream);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// What cannot be is left alone: folding never fails, whatever is missing or out of order, and stays one function.
    #[test]
    fn folding_survives_any_order_and_any_gaps(seed in 0u64..u64::MAX, keep in 1usize..5) {
        thread_local!(static LOG: Vec<RecordedEvent> = life(7).log);
        let mut log = LOG.with(Clone::clone);
        let mut dice = Dice(seed);
        log.retain(|_| dice.below(4) < keep);
        for n in (1..log.len()).rev() {
            log.swap(n, dice.below(n + 1));
        }
        let world = fold(&log);
        prop_assert!(world == fold(&log));
        let back: World = serde_json::from_str(&json(&world)).expect("a World");
        prop_assert!(back == world);
        let _ = std::hint::black_box(command(&mut dice, &world).decide(&world, &Story::empty().context()));
    }
}
