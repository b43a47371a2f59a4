//! What the simulated world does, behaviour by behaviour, in paused time.

use super::*;
use crate::hypervisor::*;

const GIB: u64 = 1 << 30;
const ADDRESS: &str = "192.168.0.11";
const HOST1: Uuid = Uuid::from_u128(1);
const HOST2: Uuid = Uuid::from_u128(2);
const POOL: Uuid = Uuid::from_u128(10);
const DATA: Uuid = Uuid::from_u128(11);
const ISO: Uuid = Uuid::from_u128(12);
const VM: Uuid = Uuid::from_u128(100);

/// A simulator with a counter of operations and its stream of observations.
struct Lab {
    simulator: Simulator,
    seen: mpsc::Receiver<Observation>,
    next: u64,
}

impl Lab {
    fn over(estate: Estate, state_file: Option<PathBuf>) -> Lab {
        let simulator = Simulator::new(estate, state_file).unwrap();
        let seen = simulator.observe();
        Lab { simulator, seen, next: 1_000 }
    }

    fn empty() -> Lab {
        Lab::over(Estate::builtin(), None)
    }

    /// Two hosts, a data and an ISO domain, all connected.
    async fn ready() -> Lab {
        Lab::empty().furnish().await
    }

    async fn furnish(mut self) -> Lab {
        for (host, address) in [(HOST1, ADDRESS), (HOST2, "host2.example.com")] {
            self.does(install(host, address, "redhat")).await;
        }
        for (domain, path, class) in [(DATA, "/data1", DomainClass::Data), (ISO, "/iso1", DomainClass::Iso)] {
            self.does(create_domain(domain, nfs(path), class)).await;
            self.does(DriverCall::AttachDomain { host: HOST1, pool: POOL, domain }).await;
            let hosts = vec![HOST1, HOST2];
            self.does(DriverCall::ActivateDomain { hosts, domain, storage: nfs(path) }).await;
        }
        self
    }

    async fn tries(&mut self, call: DriverCall) -> Outcome {
        self.next += 1;
        self.simulator.call(OperationId(self.next), call).await
    }

    async fn does(&mut self, call: DriverCall) -> Reply {
        let told = format!("{call:?}");
        self.tries(call).await.unwrap_or_else(|error| panic!("{told}: {error}"))
    }

    async fn refuses(&mut self, call: DriverCall) -> DriverError {
        self.tries(call).await.unwrap_err()
    }

    /// Waits until the virtual machine is in a state.
    async fn sees(&mut self, state: VmState) -> VmReport {
        loop {
            match self.next_observation().await {
                Observation::VmState(report) if report.state == state => return report,
                _ => {}
            }
        }
    }

    async fn next_observation(&mut self) -> Observation {
        let patience = Duration::from_secs(3600);
        tokio::time::timeout(patience, self.seen.recv()).await.expect("nothing happens").expect("the stream ended")
    }

    async fn starts(&mut self) {
        self.does(launch(HOST1, spec(VM))).await;
        self.sees(VmState::Up).await;
    }

    async fn vms_of(&mut self, host: Uuid) -> Vec<VmReport> {
        match self.does(DriverCall::ListVms { host }).await {
            Reply::Vms(vms) => vms,
            other => panic!("{other:?}"),
        }
    }

    async fn space(&mut self) -> Space {
        match self.does(DriverCall::DomainSpace { domain: DATA }).await {
            Reply::Space(space) => space,
            other => panic!("{other:?}"),
        }
    }
}

fn install(host: Uuid, address: &str, password: &str) -> DriverCall {
    DriverCall::Install {
        host,
        address: address.to_owned(),
        root_password: Some(password.to_owned()),
        how: Installation::default(),
    }
}

fn nfs(path: &str) -> StorageSpec {
    StorageSpec::Nfs { address: "192.168.0.10".to_owned(), path: path.to_owned() }
}

fn create_domain(domain: Uuid, storage: StorageSpec, class: DomainClass) -> DriverCall {
    DriverCall::CreateDomain {
        host: HOST1,
        domain,
        name: "a domain".to_owned(),
        storage,
        class,
        format: StorageFormat::V3,
        overwrite: false,
    }
}

fn volume(number: u128) -> VolumeRef {
    VolumeRef { domain: DATA, disk: Uuid::from_u128(200), volume: Uuid::from_u128(number) }
}

fn create_volume(volume: VolumeRef, size_bytes: u64, sparse: bool) -> DriverCall {
    DriverCall::CreateVolume { volume, parent: None, size_bytes, format: VolumeFormat::Raw, sparse }
}

fn disk(volume: VolumeRef) -> DiskSpec {
    DiskSpec {
        id: volume.disk,
        source: DiskSource::Volume(volume),
        interface: DiskInterface::Virtio,
        bootable: true,
        read_only: false,
        shareable: false,
    }
}

fn spec(id: Uuid) -> VmSpec {
    VmSpec {
        id,
        name: "vm1".to_owned(),
        generation: 1,
        memory_bytes: GIB,
        guaranteed_memory_bytes: GIB,
        balloon: false,
        sockets: 1,
        cores_per_socket: 1,
        cpu_level: None,
        disks: Vec::new(),
        nics: vec![NicSpec {
            id: Uuid::from_u128(300),
            name: "nic1".to_owned(),
            mac: "00:1a:4a:16:01:51".to_owned(),
            network: Some("ovirtmgmt".to_owned()),
            model: NicModel::Virtio,
            linked: true,
            mirrored: Vec::new(),
        }],
        cdrom: None,
        floppy: None,
        boot: vec![BootDevice::Hd],
        display: DisplaySpec { kind: DisplayKind::Spice, monitors: 1 },
        kernel: None,
        paused: false,
        custom_properties: Vec::new(),
        cpu_mode: None,
        vcpu_pins: Vec::new(),
        payloads: Vec::new(),
        domain: None,
        console: false,
        no_virtio_scsi: false,
    }
}

fn launch(host: Uuid, vm: VmSpec) -> DriverCall {
    DriverCall::Launch { host, vm: Box::new(vm) }
}

fn agent() -> FenceAgent {
    FenceAgent {
        address: "192.168.0.111".to_owned(),
        kind: "ipmilan".to_owned(),
        user: "admin".to_owned(),
        password: "redhat".to_owned(),
        options: Vec::new(),
    }
}

fn fence(action: FenceAction) -> DriverCall {
    DriverCall::Fence { host: HOST1, proxy: Some(HOST2), agent: agent(), action }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_on_the_estate_cannot_be_reached() {
    let mut lab = Lab::ready().await;
    let nowhere = "10.9.9.9".to_owned();
    let error = lab.refuses(DriverCall::Probe { address: nowhere.clone(), root_password: None }).await;
    assert_eq!(error, DriverError::Unreachable { address: nowhere });
    let error = lab.refuses(install(Uuid::from_u128(3), "192.168.0.13", "wrong")).await;
    assert_eq!(error, DriverError::WrongPassword { address: "192.168.0.13".to_owned() });
    let error = lab.refuses(DriverCall::CheckStorage { host: HOST1, storage: nfs("/nothing") }).await;
    assert_eq!(error, DriverError::NoSuchExport { storage: "192.168.0.10:/nothing".to_owned() });
    let error = lab.refuses(DriverCall::Connect { host: Uuid::from_u128(3), address: "192.168.0.13".to_owned() }).await;
    assert_eq!(error, DriverError::Refused(Refusal::HostNotInstalled));
}

#[tokio::test(start_paused = true)]
async fn a_host_answers_to_its_address_and_to_its_name() {
    let mut lab = Lab::empty();
    let password = Some("redhat".to_owned());
    let by_name = DriverCall::Probe { address: "HOST1.example.com".to_owned(), root_password: password.clone() };
    let by_address = DriverCall::Probe { address: ADDRESS.to_owned(), root_password: password };
    let reply = lab.does(by_name).await;
    assert_eq!(reply, lab.does(by_address).await);
    let Reply::Host(facts) = reply else { panic!("{reply:?}") };
    assert_eq!((facts.cpu.sockets, facts.cpu.cores_per_socket, facts.memory_bytes), (2, 4, 32 * GIB));
    assert_eq!(facts.cpu.level, "Intel Nehalem Family");
}

#[tokio::test(start_paused = true)]
async fn a_node_registers_itself_until_it_is_approved() {
    let mut lab = Lab::empty();
    let Observation::HostRegistered { address, name, .. } = lab.next_observation().await else { panic!() };
    assert_eq!((name.as_str(), address.as_str()), ("hypervisor", "192.168.0.5"));
    lab.does(DriverCall::Install { host: HOST1, address, root_password: None, how: Installation::default() }).await;
    lab.seen = lab.simulator.observe();
    tokio::time::sleep(Duration::from_secs(60)).await;
    // Services of images are offered again.
    assert!(matches!(lab.seen.try_recv(), Ok(Observation::ImageServiceOffered(_))));
    assert!(lab.seen.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_let_go_is_connected_again_without_an_installation() {
    let mut lab = Lab::empty();
    let address = "192.168.0.5".to_owned();
    lab.does(DriverCall::Install { host: HOST1, address: address.clone(), root_password: None, how: Installation::default() })
        .await;
    lab.does(DriverCall::Disconnect { host: HOST1 }).await;
    lab.does(DriverCall::Connect { host: HOST1, address }).await;
    assert_eq!(lab.vms_of(HOST1).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_vm_powers_up_and_shuts_down_by_itself() {
    let mut lab = Lab::ready().await;
    lab.does(launch(HOST1, spec(VM))).await;
    let report = lab.sees(VmState::PoweringUp).await;
    assert_eq!((report.vm, report.host, report.generation, report.guest), (VM, HOST1, 1, None));
    assert_eq!(report.display.unwrap().address, ADDRESS);
    let report = lab.sees(VmState::Up).await;
    assert_eq!(report.guest.unwrap().fqdn, "vm1.example.com");

    lab.does(DriverCall::Shutdown { vm: VM }).await;
    lab.sees(VmState::PoweringDown).await;
    let message = "The guest has shut down".to_owned();
    lab.sees(VmState::Down { exit: ExitStatus::Normal, message }).await;
    assert!(matches!(lab.vms_of(HOST1).await[0].state, VmState::Down { .. }));
    lab.does(DriverCall::Destroy { vm: VM }).await;
    assert_eq!(lab.vms_of(HOST1).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_breaks_says_so() {
    let mut lab = Lab::ready().await;
    lab.starts().await;
    assert!(lab.simulator.crash_vm(VM));
    loop {
        if let Observation::VmState(VmReport { state: VmState::Down { exit, .. }, .. }) = lab.next_observation().await {
            assert_eq!(exit, ExitStatus::Error);
            break;
        }
    }
    assert!(!lab.simulator.crash_vm(VM));
}

#[tokio::test(start_paused = true)]
async fn the_same_step_is_done_once() {
    let mut lab = Lab::ready().await;
    let id = OperationId(1);
    let call = create_volume(volume(1), GIB, false);
    let before = lab.space().await;
    let (one, other) = tokio::join!(lab.simulator.call(id, call.clone()), lab.simulator.call(id, call.clone()));
    assert_eq!(one, other);
    lab.does(DriverCall::DeleteVolume { volume: volume(1) }).await;
    assert_eq!(lab.simulator.call(id, call).await, one);
    assert_eq!(lab.space().await, before);
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_when_nobody_waits_and_a_failed_one_may_be_tried_again() {
    let mut lab = Lab::ready().await;
    drop(lab.simulator.call(OperationId(1), launch(HOST1, spec(VM))));
    lab.sees(VmState::Up).await;

    let error = DriverError::Failed { message: "planned".to_owned() };
    lab.simulator.fail_next(CallKind::Pause, error.clone());
    assert_eq!(lab.simulator.call(OperationId(2), DriverCall::Pause { vm: VM }).await, Err(error));
    assert_eq!(lab.simulator.call(OperationId(2), DriverCall::Pause { vm: VM }).await, Ok(Reply::Done));
    lab.sees(VmState::Paused { reason: PauseReason::Requested }).await;
    lab.does(DriverCall::Resume { vm: VM }).await;
    lab.sees(VmState::Up).await;
}

#[tokio::test(start_paused = true)]
async fn a_host_has_only_so_much_memory() {
    let mut lab = Lab::ready().await;
    // These two use four fifths of their memory.
    let large =
        |n: u128| VmSpec { memory_bytes: 24 * GIB, guaranteed_memory_bytes: 8 * GIB, ..spec(Uuid::from_u128((0xff << 120) | n)) };
    let policy = |ksm, ballooning| DriverCall::SetMemoryPolicy { host: HOST1, ksm, huge_pages: false, ballooning };
    lab.does(policy(false, false)).await;
    lab.does(launch(HOST1, large(1))).await;
    let error = lab.refuses(launch(HOST1, large(2))).await;
    assert!(matches!(error, DriverError::NoMemory { needed_bytes, .. } if needed_bytes > 19 * GIB), "{error:?}");
    lab.does(policy(true, false)).await;
    lab.does(launch(HOST1, VmSpec { balloon: true, ..large(2) })).await;
    let swap = |lab: &Lab| lab.simulator.host_statistics(HOST1).unwrap().swap_used_bytes;
    let used = |lab: &Lab, n| lab.simulator.vm_statistics(large(n).id).unwrap().memory_used_bytes;
    assert_eq!((swap(&lab), used(&lab, 1), used(&lab, 2)), (0, 24 * GIB / 5 * 4, 24 * GIB / 5 * 4), "equal pages are kept once");
    lab.does(policy(false, true)).await;
    assert!((8 * GIB..13 * GIB).contains(&used(&lab, 2)) && swap(&lab) == 0, "its balloon gives memory back");
    assert_eq!(used(&lab, 1), 24 * GIB / 5 * 4, "it has no balloon");
    lab.does(policy(false, false)).await;
    assert!(swap(&lab) > 0, "what does not fit is swapped out");
    lab.does(launch(HOST2, large(3))).await;
}

#[tokio::test(start_paused = true)]
async fn an_interface_that_mirrors_a_network_receives_what_others_of_its_host_carry_there() {
    let mut lab = Lab::ready().await;
    let nic = |mirrored: &[&str]| NicSpec {
        mirrored: mirrored.iter().map(|network| (*network).to_owned()).collect(),
        ..spec(VM).nics.remove(0)
    };
    for (vm, host) in [(VM, HOST1), (Uuid::from_u128(101), HOST1), (Uuid::from_u128(102), HOST2)] {
        lab.does(launch(host, spec(vm))).await;
        lab.sees(VmState::Up).await;
    }
    let received = |lab: &Lab| lab.simulator.vm_statistics(VM).unwrap().nics[0].rx_bytes_per_s;
    let mut heard = Vec::new();
    for networks in [&[][..], &["elsewhere"], &["ovirtmgmt"]] {
        lab.does(DriverCall::UpdateNic { vm: VM, nic: nic(networks) }).await;
        heard.push(received(&lab));
    }
    assert!(heard[0] == heard[1] && heard[2] > heard[0], "{heard:?}");
    lab.does(DriverCall::Destroy { vm: Uuid::from_u128(101) }).await;
    assert_eq!(received(&lab), heard[0], "nobody else is there");
}

#[tokio::test(start_paused = true)]
async fn a_vm_needs_its_disks_and_its_cd() {
    let mut lab = Lab::ready().await;
    let with_disk = VmSpec { disks: vec![disk(volume(1))], ..spec(VM) };
    assert!(matches!(lab.refuses(launch(HOST1, with_disk.clone())).await, DriverError::NotFound { .. }));
    lab.does(create_volume(volume(1), GIB, true)).await;
    lab.does(launch(HOST1, with_disk.clone())).await;
    let other = VmSpec { id: Uuid::from_u128(101), ..with_disk.clone() };
    assert_eq!(lab.refuses(launch(HOST2, other)).await, DriverError::Refused(Refusal::VolumeInUse));
    assert_eq!(
        lab.refuses(DriverCall::DeactivateDomain { hosts: vec![HOST1, HOST2], domain: DATA }).await,
        DriverError::Refused(Refusal::DomainInUse)
    );
    lab.does(DriverCall::Destroy { vm: VM }).await;
    lab.does(DriverCall::DeactivateDomain { hosts: vec![HOST1, HOST2], domain: DATA }).await;
    let error = lab.refuses(launch(HOST1, VmSpec { generation: 2, ..with_disk })).await;
    assert_eq!(error, DriverError::Refused(Refusal::DomainNotActive));

    let cd = |name: &str| Some(FileRef { domain: ISO, name: name.to_owned() });
    lab.does(launch(HOST1, VmSpec { cdrom: cd("rhel-server-6.4-x86_64-dvd.iso"), ..spec(VM) })).await;
    let missing = DriverCall::ChangeCd { vm: VM, cd: cd("nothing.iso") };
    assert!(matches!(lab.refuses(missing).await, DriverError::NotFound { what, .. } if what == "file"));
    lab.does(DriverCall::ChangeCd { vm: VM, cd: None }).await;
}

#[tokio::test(start_paused = true)]
async fn a_vm_migrates() {
    let mut lab = Lab::ready().await;
    lab.starts().await;
    lab.does(DriverCall::Migrate { vm: VM, from: HOST1, to: HOST2 }).await;
    let mut percents = Vec::new();
    let mut host = HOST1;
    loop {
        match lab.next_observation().await {
            Observation::MigrationProgress { percent, .. } => percents.push(percent),
            Observation::VmState(report) => host = report.host,
            Observation::MigrationFinished { from, to, .. } => {
                assert_eq!((from, to, host), (HOST1, HOST2, HOST2));
                break;
            }
            _ => {}
        }
    }
    assert_eq!(percents, [0, 25, 50, 75, 100]);
    assert_eq!(lab.vms_of(HOST1).await, []);
    assert_eq!(lab.vms_of(HOST2).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_migration_is_cancelled_and_one_to_a_dying_host_fails() {
    let mut lab = Lab::ready().await;
    lab.starts().await;
    let cancel = DriverCall::CancelMigration { vm: VM };
    assert_eq!(lab.refuses(cancel.clone()).await, DriverError::Refused(Refusal::NotMigrating));
    for (by_request, expected) in [(true, true), (false, false)] {
        lab.does(DriverCall::Migrate { vm: VM, from: HOST1, to: HOST2 }).await;
        match by_request {
            true => _ = lab.does(cancel.clone()).await,
            false => _ = lab.simulator.kill_host("192.168.0.12"),
        }
        loop {
            if let Observation::MigrationFailed { cancelled, .. } = lab.next_observation().await {
                assert_eq!(cancelled, expected);
                break;
            }
        }
        assert_eq!(lab.vms_of(HOST1).await[0].state, VmState::Up);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_host_takes_its_vms_with_it_and_fencing_brings_it_back() {
    let mut lab = Lab::ready().await;
    lab.starts().await;
    lab.simulator.kill_host("host1.example.com");
    assert_eq!(lab.next_observation().await, Observation::HostUnresponsive { host: HOST1 });
    let error = lab.refuses(DriverCall::ListVms { host: HOST1 }).await;
    assert_eq!(error, DriverError::Unreachable { address: ADDRESS.to_owned() });

    let wrong = FenceAgent { password: "wrong".to_owned(), ..agent() };
    let call = DriverCall::Fence { host: HOST1, proxy: Some(HOST2), agent: wrong, action: FenceAction::Status };
    assert!(matches!(lab.refuses(call).await, DriverError::WrongPassword { .. }));
    assert_eq!(lab.does(fence(FenceAction::Status)).await, Reply::Power(PowerState::On));
    assert_eq!(lab.does(fence(FenceAction::Stop)).await, Reply::Power(PowerState::Off));
    assert_eq!(lab.does(fence(FenceAction::Start)).await, Reply::Power(PowerState::On));
    assert_eq!(lab.next_observation().await, Observation::HostUp { host: HOST1 });
    assert_eq!(lab.vms_of(HOST1).await, []);
    lab.does(launch(HOST1, spec(VM))).await;
}

#[tokio::test(start_paused = true)]
async fn a_vm_is_suspended_to_storage_and_restored_elsewhere() {
    let mut lab = Lab::ready().await;
    let before = lab.space().await;
    lab.starts().await;
    lab.does(DriverCall::Suspend { vm: VM, domain: DATA }).await;
    lab.sees(VmState::SavingState).await;
    lab.sees(VmState::Saved).await;
    assert_eq!(lab.vms_of(HOST1).await, []);
    assert_eq!(lab.space().await.used_bytes, before.used_bytes + GIB);

    let restore = DriverCall::Restore { host: HOST2, vm: Box::new(VmSpec { generation: 2, ..spec(VM) }) };
    lab.does(restore).await;
    lab.sees(VmState::RestoringState).await;
    assert_eq!(lab.sees(VmState::Up).await.host, HOST2);
    assert_eq!(lab.space().await, before);
}

#[tokio::test(start_paused = true)]
async fn storage_that_is_lost_stops_guests_until_it_returns() {
    let mut lab = Lab::ready().await;
    lab.does(create_volume(volume(1), GIB, true)).await;
    lab.does(launch(HOST1, VmSpec { disks: vec![disk(volume(1))], ..spec(VM) })).await;
    lab.sees(VmState::Up).await;
    lab.simulator.unreachable_export("storage.example.com:/data1");
    let lost = |host| Observation::DomainUnreachable { host, domain: DATA };
    assert_eq!([lab.next_observation().await, lab.next_observation().await], [lost(HOST1), lost(HOST2)]);
    lab.sees(VmState::Paused { reason: PauseReason::Eio }).await;
    assert!(matches!(lab.refuses(DriverCall::DomainSpace { domain: DATA }).await, DriverError::Unreachable { .. }));
    lab.simulator.reachable_export("192.168.0.10:/data1");
    assert_eq!(lab.next_observation().await, Observation::DomainReachable { host: HOST1, domain: DATA });
    lab.sees(VmState::Up).await;
}

#[tokio::test(start_paused = true)]
async fn a_storage_domain_lies_upon_free_storage_only() {
    let mut lab = Lab::ready().await;
    let call = create_domain(Uuid::from_u128(13), nfs("/data1"), DomainClass::Data);
    assert_eq!(lab.refuses(call).await, DriverError::Refused(Refusal::StorageInUse));
    assert_eq!(
        lab.refuses(DriverCall::FormatDomain { host: HOST1, domain: DATA }).await,
        DriverError::Refused(Refusal::DomainAttached)
    );
    let space = lab.space().await;
    assert_eq!((space.available_bytes, space.used_bytes), (175019917312, 27917287424));
    let error = lab.refuses(create_volume(volume(1), space.available_bytes + 1, false)).await;
    assert!(matches!(error, DriverError::NoSpace { .. }));
    lab.does(DriverCall::DeactivateDomain { hosts: vec![HOST1, HOST2], domain: DATA }).await;
    lab.does(DriverCall::DetachDomain { host: HOST1, pool: POOL, domain: DATA }).await;
    lab.does(DriverCall::FormatDomain { host: HOST1, domain: DATA }).await;
    let reply = lab.does(DriverCall::CheckStorage { host: HOST1, storage: nfs("/data1") }).await;
    assert_eq!(reply, Reply::Storage(StorageFacts { space, existing: None, luns: Vec::new() }));
}

#[tokio::test(start_paused = true)]
async fn iscsi_units_are_discovered_and_used() {
    let mut lab = Lab::ready().await;
    let portal = Portal { address: "192.168.0.20".to_owned(), port: 3260 };
    let reply = lab.does(DriverCall::DiscoverTargets { host: HOST1, portal: portal.clone(), user: None, password: None }).await;
    let Reply::Targets(targets) = reply else { panic!("{reply:?}") };
    assert_eq!(targets.len(), 2);
    // Fibre Channel needs no login.
    let Reply::Luns(before) = lab.does(DriverCall::ListLuns { host: HOST1 }).await else { panic!() };
    assert!(before.iter().all(|lun| lun.target.is_none()), "{before:?}");
    let target = targets[0].iqn.clone();
    lab.does(DriverCall::LoginTarget { host: HOST1, portal, target, user: None, password: None }).await;
    let Reply::Luns(luns) = lab.does(DriverCall::ListLuns { host: HOST1 }).await else { panic!() };
    let luns: Vec<LunFacts> = luns.into_iter().filter(|lun| lun.target.is_some()).collect();
    assert_eq!(luns.len(), 2);
    let luns = luns.into_iter().map(|lun| LunSpec { id: lun.id, portal: None, target: None }).collect();
    let call = create_domain(Uuid::from_u128(13), StorageSpec::Iscsi { luns }, DomainClass::Data);
    assert_eq!(lab.does(call).await, Reply::Space(Space { available_bytes: 300 * GIB, used_bytes: 0 }));
}

#[tokio::test(start_paused = true)]
async fn iso_files_are_listed() {
    let mut lab = Lab::ready().await;
    let Reply::Files(files) = lab.does(DriverCall::ListFiles { domain: ISO }).await else { panic!() };
    assert!(files.iter().any(|file| file.name == "rhel-server-6.0-x86_64-dvd.iso" && file.size_bytes > GIB));
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_laid_upon_disks_and_merged_live() {
    let mut lab = Lab::ready().await;
    lab.does(create_volume(volume(1), GIB, true)).await;
    lab.does(launch(HOST1, VmSpec { disks: vec![disk(volume(1))], ..spec(VM) })).await;
    let disks = vec![SnapshotDisk { volume: volume(2), parent: Uuid::from_u128(1) }];
    lab.does(DriverCall::Snapshot { vm: VM, disks, memory: None, quiesce: false }).await;
    let delete = |number| DriverCall::DeleteVolume { volume: volume(number) };
    for number in [1, 2] {
        assert_eq!(lab.refuses(delete(number)).await, DriverError::Refused(Refusal::VolumeInUse));
    }
    lab.does(DriverCall::MergeVolume { volume: volume(2) }).await;
    assert!(matches!(lab.refuses(delete(2)).await, DriverError::NotFound { .. }));
    assert_eq!(lab.refuses(delete(1)).await, DriverError::Refused(Refusal::VolumeInUse));
    lab.does(DriverCall::Destroy { vm: VM }).await;
    let disks = vec![SnapshotDisk { volume: volume(3), parent: Uuid::from_u128(1) }];
    lab.does(DriverCall::Snapshot { vm: VM, disks, memory: None, quiesce: false }).await;
    lab.does(DriverCall::Revert { vm: VM, volumes: vec![volume(1)] }).await;
    let Reply::Volumes(volumes) = lab.does(DriverCall::ListVolumes { domain: DATA }).await else { panic!() };
    assert_eq!(volumes.iter().map(|facts| facts.volume).collect::<Vec<_>>(), [volume(1)]);
}

#[tokio::test(start_paused = true)]
async fn only_one_host_manages_a_pool() {
    let mut lab = Lab::ready().await;
    lab.does(DriverCall::StartSpm { host: HOST1, pool: POOL }).await;
    let other = DriverCall::StartSpm { host: HOST2, pool: POOL };
    assert_eq!(lab.refuses(other.clone()).await, DriverError::Refused(Refusal::SpmElsewhere));
    lab.simulator.kill_host(ADDRESS);
    lab.does(other).await;
}

#[tokio::test(start_paused = true)]
async fn planned_faults_happen() {
    let text = format!("{}\n[[fault]]\nat_ms = 60000\nkind = \"host_dies\"\ntarget = \"{ADDRESS}\"", estate::BUILTIN);
    let mut lab = Lab::over(Estate::parse(&text).unwrap(), None).furnish().await;
    lab.starts().await;
    assert_eq!(lab.next_observation().await, Observation::HostUnresponsive { host: HOST1 });
    assert!(lab.simulator.now_ms() >= 63_000);
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_is_added_to_an_estate_happens_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    drop(Lab::over(Estate::builtin(), Some(file.clone())).furnish().await);
    let text =
        |at_ms: u64| format!("{}\n[[fault]]\nat_ms = {at_ms}\nkind = \"host_dies\"\ntarget = \"{ADDRESS}\"", estate::BUILTIN);
    // The time of the first is over: it happens at once.
    for at_ms in [1, 600_000] {
        let estate = Estate::parse(&text(at_ms)).unwrap();
        let mut lab = Lab::over(estate.clone(), Some(file.clone()));
        while lab.next_observation().await != (Observation::HostUnresponsive { host: HOST1 }) {}
        assert_eq!(lab.simulator.now_ms() >= 600_000, at_ms > 1);
        assert!(lab.simulator.revive_host(ADDRESS));
        while lab.next_observation().await != (Observation::HostUp { host: HOST1 }) {}
        drop(lab);
        let mut lab = Lab::over(estate, Some(file.clone()));
        lab.does(DriverCall::Connect { host: HOST1, address: ADDRESS.to_owned() }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn time_can_run_fast() {
    let started = Instant::now();
    let estate = Estate { speed: 1_000.0, ..Estate::builtin() };
    Lab::over(estate, None).furnish().await.starts().await;
    assert!(started.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn load_is_sampled() {
    let mut lab = Lab::ready().await;
    assert_eq!(lab.simulator.vm_statistics(VM), None);
    let idle = lab.simulator.host_statistics(HOST1).unwrap();
    lab.starts().await;
    let vm = lab.simulator.vm_statistics(VM).unwrap();
    assert!(vm.cpu_guest_percent > 0.0 && vm.memory_used_bytes <= GIB && vm.nics.len() == 1);
    let busy = lab.simulator.host_statistics(HOST1).unwrap();
    assert!((idle.vms, busy.vms) == (0, 1) && busy.memory_used_bytes > idle.memory_used_bytes);
    assert_eq!(lab.simulator.host_statistics(Uuid::nil()), None);
}

/// A small day: everything that is observed in it, as text with the time.
async fn day(seed: u64) -> Vec<String> {
    let mut lab = Lab::over(Estate { seed, ..Estate::builtin() }, None).furnish().await;
    for number in 0..5 {
        lab.does(launch(HOST1, spec(Uuid::from_u128(500 + number)))).await;
    }
    lab.does(DriverCall::Migrate { vm: Uuid::from_u128(500), from: HOST1, to: HOST2 }).await;
    lab.does(DriverCall::Reboot { vm: Uuid::from_u128(501) }).await;
    lab.simulator.kill_host(ADDRESS);
    lab.does(fence(FenceAction::Restart)).await;
    let mut trace = Vec::new();
    loop {
        let seen = lab.next_observation().await;
        trace.push(format!("{} {seen:?}", lab.simulator.now_ms()));
        if seen == (Observation::HostUp { host: HOST1 }) {
            trace.push(format!("{:?}", lab.simulator.host_statistics(HOST2)));
            return trace;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_tells_whether_its_cpu_has_nx() {
    let text = |nx: &str| format!("[[host]]\nname = \"a\"\naddress = \"10.0.0.1\"\nmemory_bytes = 1\n{nx}");
    for (nx, has) in [("", true), ("nx = true", true), ("nx = false", false)] {
        let mut lab = Lab::over(Estate::parse(&text(nx)).unwrap(), None);
        let probe = DriverCall::Probe { address: "10.0.0.1".to_owned(), root_password: Some("redhat".to_owned()) };
        let reply = lab.does(probe).await;
        assert!(matches!(&reply, Reply::Host(facts) if facts.cpu.nx == has), "{nx}: {reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_day() {
    let first = day(7).await;
    assert!(first.len() > 10);
    assert_eq!(first, day(7).await);
    assert_ne!(first, day(8).await);
}

#[tokio::test(start_paused = true)]
async fn the_world_survives_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let mut lab = Lab::over(Estate::builtin(), Some(file.clone())).furnish().await;
    let id = OperationId(1);
    lab.simulator.call(id, launch(HOST1, spec(VM))).await.unwrap();
    lab.sees(VmState::Up).await;
    // Taken on, and not answered when the engine dies.
    let copy = create_volume(volume(1), GIB, false);
    drop(lab.simulator.call(OperationId(2), copy.clone()));
    lab.does(DriverCall::ListVms { host: HOST2 }).await;
    drop(lab);

    let mut lab = Lab::over(Estate::builtin(), Some(file));
    assert_eq!(lab.vms_of(HOST1).await[0].state, VmState::Up);
    let other = VmSpec { generation: 9, ..spec(VM) };
    assert_eq!(lab.simulator.call(id, launch(HOST1, other)).await, Ok(Reply::Done));
    assert_eq!(lab.vms_of(HOST1).await[0].generation, 1);
    let before = lab.space().await;
    assert!(matches!(lab.simulator.call(OperationId(2), copy).await, Ok(Reply::Volume(_))));
    assert_eq!(lab.space().await.used_bytes, before.used_bytes + GIB);
    lab.does(DriverCall::Shutdown { vm: VM }).await;
    lab.sees(VmState::PoweringDown).await;
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_was_powering_up_comes_up_under_the_next_engine() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let mut lab = Lab::over(Estate::builtin(), Some(file.clone())).furnish().await;
    lab.does(launch(HOST1, spec(VM))).await;
    drop(lab);
    let mut lab = Lab::over(Estate::builtin(), Some(file));
    lab.sees(VmState::Up).await;
}

#[tokio::test(start_paused = true)]
async fn a_spoilt_state_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    std::fs::write(&file, "{").unwrap();
    assert!(matches!(Simulator::new(Estate::builtin(), Some(file)), Err(SimulatorError::Parse { .. })));
}

impl Lab {
    /// The world as it is, without the time, which goes on by itself.
    fn world(&self) -> serde_json::Value {
        timeless(&self.simulator.shared.machine().world)
    }

    /// What takes the memory of each host where something does, in sums, and the next port.
    fn crowds(&self) -> Vec<(Uuid, [u64; 3], u16)> {
        let machine = self.simulator.shared.machine();
        let crowds = machine.world.crowds.iter().filter(|(_, crowd)| !crowd.vms.is_empty());
        let sums = |crowd: &crowd::Crowd| [crowd.committed_bytes, crowd.wanted_bytes, crowd.spare_bytes];
        crowds.map(|(host, crowd)| (*host, sums(crowd), crowd.ports.first_free())).collect()
    }
}

fn timeless(world: &World) -> serde_json::Value {
    let mut written = serde_json::to_value(world).unwrap();
    written["now_ms"].take();
    written
}

fn kept(file: &std::path::Path) -> serde_json::Value {
    timeless(&file::read(file).unwrap().unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_file_has_every_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let mut lab = Lab::over(Estate::builtin(), Some(file.clone())).furnish().await;
    assert_eq!(kept(&file), lab.world());
    let vm = |n: u128| Uuid::from_u128(700 + n);
    let calls = (0..6).map(|n| launch(HOST1, spec(vm(n)))).chain([
        create_volume(volume(1), GIB, true),
        create_volume(volume(2), GIB, false),
        DriverCall::StartSpm { host: HOST1, pool: POOL },
        DriverCall::Migrate { vm: vm(0), from: HOST1, to: HOST2 },
        DriverCall::Suspend { vm: vm(1), domain: DATA },
        DriverCall::SetTicket { vm: vm(2), value: "secret".to_owned(), expiry_s: 60 },
        DriverCall::ExtendVolume { volume: volume(1), size_bytes: 2 * GIB },
        DriverCall::DeleteVolume { volume: volume(2) },
        DriverCall::Shutdown { vm: vm(3) },
        DriverCall::SetMemoryPolicy { host: HOST2, ksm: true, huge_pages: true, ballooning: true },
    ]);
    for call in calls {
        lab.does(call).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(kept(&file), lab.world());
    }
    lab.simulator.crash_vm(vm(4));
    lab.simulator.set_way("host2.example.com", "192.168.0.10", false);
    lab.simulator.slow_export("192.168.0.10:/data1", 7);
    lab.simulator.unreachable_export("192.168.0.10:/iso1");
    lab.simulator.kill_host(ADDRESS);
    lab.simulator.revive_host(ADDRESS);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(kept(&file), lab.world());
    // The next one has the same, and its sums are those of what is there.
    let (before, crowds) = (lab.world(), lab.crowds());
    assert!(!crowds.is_empty());
    drop(lab);
    let lab = Lab::over(Estate::builtin(), Some(file));
    assert_eq!((&lab.world()["vms"], lab.crowds()), (&before["vms"], crowds));
}

#[tokio::test(start_paused = true)]
async fn what_broke_off_in_the_middle_of_a_change_is_as_it_was_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let mut lab = Lab::over(Estate::builtin(), Some(file.clone())).furnish().await;
    lab.starts().await;
    drop(lab);
    let whole = std::fs::read(&file).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    assert!(whole.iter().filter(|byte| **byte == b'\n').count() > 3, "changes are lines of their own");
    std::fs::write(&file, &whole[..last]).unwrap();
    let before = kept(&file);
    for cut in last..whole.len() - 1 {
        std::fs::write(&file, &whole[..cut]).unwrap();
        assert_eq!(kept(&file), before, "cut at {cut} of {}", whole.len());
    }
    // As a file system may leave what was not confirmed.
    let mut torn = whole[..last + 4].to_vec();
    torn.resize(whole.len(), 0);
    std::fs::write(&file, &torn).unwrap();
    assert_eq!(kept(&file), before);
    drop(Lab::over(Estate::builtin(), Some(file.clone())).tries(DriverCall::ListVms { host: HOST1 }).await);
    torn.extend(b"\n{}\n");
    std::fs::write(&file, &torn).unwrap();
    assert!(matches!(Simulator::new(Estate::builtin(), Some(file)), Err(SimulatorError::Parse { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_change_costs_what_has_changed_and_the_file_does_not_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let mut lab = Lab::over(Estate::builtin(), Some(file.clone())).furnish().await;
    let bytes = || std::fs::metadata(&file).unwrap().len();
    let small = VmSpec { memory_bytes: 1 << 20, guaranteed_memory_bytes: 1 << 20, ..spec(VM) };
    let mut costs = Vec::new();
    for n in 0..200 {
        let before = bytes();
        lab.does(launch(HOST1, VmSpec { id: Uuid::from_u128(1_000 + n), ..small.clone() })).await;
        costs.push(bytes() - before);
    }
    let (few, many): (u64, u64) = (costs[20..40].iter().sum(), costs[180..].iter().sum());
    assert!(many < few + few / 10, "20 launches have cost {few} bytes, and later {many}");
    let most = 4 << 20;
    let mut shrunk = 0;
    for n in 0..1_000 {
        let before = bytes();
        lab.does(launch(HOST1, small.clone())).await;
        lab.does(DriverCall::Destroy { vm: VM }).await;
        // The simulator waits for the one who listens to it.
        while lab.seen.try_recv().is_ok() {}
        shrunk += u32::from(bytes() < before);
        assert!(bytes() < most, "{n}");
    }
    assert!(shrunk > 0);
    assert_eq!(kept(&file), lab.world());
}

#[test]
fn a_state_file_of_before_is_read() {
    let mut written = serde_json::to_value(World::new(&Estate::builtin())).unwrap();
    let report = |n: u128| {
        let exit = ExitStatus::Normal;
        let state = VmState::Down { exit, message: String::new() };
        VmReport { vm: Uuid::from_u128(n), generation: 1, host: HOST1, state, migrating_to: None, guest: None, display: None }
    };
    written["down"] = serde_json::to_value([report(1), report(2)]).unwrap();
    written.as_object_mut().unwrap().remove("planned");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    std::fs::write(&file, written.to_string()).unwrap();
    let mut world = file::read(&file).unwrap().unwrap();
    world.remember_down(report(3));
    assert_eq!(world.down.values().map(|report| report.vm.as_u128()).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_not_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let mut lab = Lab::over(Estate::builtin(), Some(file.clone()));
    lab.does(install(HOST1, ADDRESS, "redhat")).await;
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let again = install(HOST2, "192.168.0.12", "redhat");
    let id = OperationId(1);
    assert_eq!(lab.simulator.call(id, again.clone()).await, Err(DriverError::Disconnected));
    std::fs::remove_dir(&file).unwrap();
    assert!(lab.simulator.call(id, again).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_misses_nothing() {
    let mut lab = Lab::ready().await;
    lab.does(launch(HOST1, spec(VM))).await;
    for _ in 0..OBSERVATION_BUFFER {
        lab.simulator.crash_vm(VM);
        lab.next += 1;
        drop(lab.simulator.call(OperationId(lab.next), launch(HOST1, spec(VM))));
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let mut downs = 0;
    while downs < OBSERVATION_BUFFER {
        if let Observation::VmState(VmReport { state: VmState::Down { .. }, .. }) = lab.next_observation().await {
            downs += 1;
        }
    }
}

#[test]
fn messages_survive_the_wire() {
    let calls = [
        launch(HOST1, spec(VM)),
        fence(FenceAction::Restart),
        create_domain(DATA, nfs("/data1"), DomainClass::Data),
        create_volume(volume(1), GIB, true),
    ];
    for call in calls {
        let text = serde_json::to_string(&call).unwrap();
        assert_eq!(serde_json::from_str::<DriverCall>(&text).unwrap(), call);
    }
}

#[tokio::test(start_paused = true)]
async fn storage_is_lost_to_one_host_alone() {
    let mut lab = Lab::ready().await;
    lab.does(create_volume(volume(1), GIB, true)).await;
    lab.does(launch(HOST1, VmSpec { disks: vec![disk(volume(1))], ..spec(VM) })).await;
    lab.sees(VmState::Up).await;
    let (other, address) = ("storage.example.com:/data1", "storage.example.com:/data1");
    lab.simulator.slow_export(other, 7_000);
    let late = |host| Observation::DomainDelay { host, domain: DATA, delay_ms: 7_000 };
    assert_eq!([lab.next_observation().await, lab.next_observation().await], [late(HOST1), late(HOST2)]);
    lab.simulator.slow_export(other, 0);
    let timely = |host| Observation::DomainDelay { host, domain: DATA, delay_ms: 0 };
    assert_eq!([lab.next_observation().await, lab.next_observation().await], [timely(HOST1), timely(HOST2)]);
    lab.simulator.set_way("host2.example.com", other, false);
    assert_eq!(lab.next_observation().await, Observation::DomainUnreachable { host: HOST2, domain: DATA });
    lab.does(DriverCall::DomainSpace { domain: DATA }).await;
    lab.simulator.set_way(ADDRESS, address, false);
    assert_eq!(lab.next_observation().await, Observation::DomainUnreachable { host: HOST1, domain: DATA });
    lab.sees(VmState::Paused { reason: PauseReason::Eio }).await;
    lab.simulator.set_way(ADDRESS, address, true);
    assert_eq!(lab.next_observation().await, Observation::DomainReachable { host: HOST1, domain: DATA });
    lab.sees(VmState::Up).await;
}
