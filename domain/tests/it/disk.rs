//! Disks: creation, attachment, growth, removal.

use evirt_domain::Key::{self, *};
use evirt_domain::cluster::{ClusterConfig, CreateCluster};
use evirt_domain::disk::*;
use evirt_domain::ids::*;
use evirt_domain::install::DEFAULT_DATA_CENTER;
use evirt_domain::storage::*;
use evirt_domain::vm::*;

use crate::harness::*;

fn to(vm: VmId, bootable: bool) -> Option<AttachTo> {
    Some(AttachTo { vm, interface: DiskInterface::Virtio, bootable, active: true })
}

fn attachment(disk: DiskId, bootable: bool) -> DiskAttachment {
    DiskAttachment { disk, interface: DiskInterface::Virtio, bootable, active: true }
}

#[test]
fn creation() {
    let mut estate = estate();
    let (vm, domain, host) = (estate.vm, estate.domain, estate.host);
    let sized = |size| AddDisk { config: DiskConfig { size, ..disk_config("d") }, ..add_disk("d", None) };
    let raw = |sparse, size| AddDisk { format: DiskFormat::Raw, sparse, ..sized(size) };
    let shared = |format| AddDisk { config: DiskConfig { shareable: true, ..disk_config("d") }, format, ..add_disk("d", None) };
    let table: Vec<(AddDisk, Option<Key>)> = vec![
        (sized(MIN_DISK), None),
        (sized(MIN_DISK - 1), Some(OutOfRange)),
        (sized(MAX_DISK), None),
        (sized(MAX_DISK + 1), Some(OutOfRange)),
        (sized(-1), Some(OutOfRange)),
        (AddDisk { sparse: Some(false), ..sized(GIB) }, Some(DiskFormatCombination)),
        (raw(Some(true), GIB), None),
        (raw(Some(false), 495 * GIB), None),
        (raw(Some(false), 496 * GIB), Some(DiskSpaceLow)),
        (raw(Some(true), 496 * GIB), None),
        (shared(DiskFormat::Raw), None),
        (shared(DiskFormat::Cow), Some(DiskShareableCow)),
        (add_disk("", None), Some(NameEmpty)),
        (add_disk("", to(vm, false)), None),
        (add_disk("d", to(vm, true)), Some(DiskBootInUse)),
        (add_disk("d", to(nowhere(), false)), Some(EntityNotFound)),
        (AddDisk { storage_domain: Some(nowhere()), ..add_disk("d", None) }, Some(EntityNotFound)),
    ];
    for (command, expected) in table {
        assert_eq!(estate.when(command.clone()).key(), expected, "{command:?}");
    }
    let iso = estate.active_domain(host, "iso", DomainClass::Iso);
    estate.when(AddDisk { storage_domain: Some(iso), ..add_disk("d", None) }).refused(DomainNotActive);
    estate.does(ReportDomainSpace { domain, available: CRITICAL_SPACE - 1, used: 0 });
    estate.when(add_disk("d", None)).refused(DiskSpaceLow);
    estate.domain_is(domain, AttachmentStatus::Inactive);
    estate.when(add_disk("d", None)).refused(NoDataDomain);
    estate.when(add_disk("d", to(vm, false))).refused(DomainNotActive);
    Story::installed().when(add_disk("d", None)).refused(NoDataDomain);
}

#[test]
fn a_disk_is_named_after_its_vm_and_locked_until_it_is_there() {
    let mut estate = estate();
    let (vm, domain) = (estate.vm, estate.domain);
    estate.when(add_disk("", to(vm, false))).then(&["DiskAdded", "DiskAttached", "JobOpened"]);
    estate.does(add_disk("", to(vm, false)));
    let disk = estate.world.vms.get(&vm).expect("the VM").disks[1].disk;
    let at = |estate: &Estate| {
        let disk = estate.world.disks.get(&disk).expect("the disk");
        (disk.config.alias.clone(), disk.status, disk.storage_domain)
    };
    assert_eq!(at(&estate), ("guest_Disk2".into(), DiskStatus::Locked, domain));
    estate.when(RemoveDisk { disk }).refused(DiskLocked);
    estate.when(UpdateDisk { disk, changes: DiskPatch { size: Some(20 * GIB), ..DiskPatch::default() } }).refused(DiskLocked);
    let job = estate.job();
    let mut failed = estate.clone();
    failed.does(FinishDiskCreation { job, disk, outcome: Err("no space".into()) });
    assert_eq!(at(&failed).1, DiskStatus::Illegal);
    failed.when(RemoveDisk { disk }).then(&["DiskDetached", "DiskRemovalStarted", "JobOpened"]);
    estate.does(FinishDiskCreation { job, disk, outcome: Ok(GIB) });
    assert_eq!(at(&estate).1, DiskStatus::Ok);
}

#[test]
fn attaching() {
    let mut estate = estate();
    let (vm, disk, domain) = (estate.vm, estate.disk, estate.domain);
    let other = estate.vm("other");
    estate.does(add_disk("floating", None));
    let floating = DiskId(estate.log[estate.log.len() - 2].stream.id);
    estate.when(AttachDisk { vm, attachment: attachment(floating, false) }).refused(DiskLocked);
    estate.finish_disk();
    estate.when(AttachDisk { vm, attachment: attachment(nowhere(), false) }).refused(EntityNotFound);
    estate.when(AttachDisk { vm, attachment: attachment(floating, true) }).refused(DiskBootInUse);
    estate.when(AttachDisk { vm, attachment: attachment(disk, false) }).refused(DiskAttachedAlready);
    estate.when(AttachDisk { vm: other, attachment: attachment(disk, false) }).refused(DiskNotShareable);
    estate.when(AttachDisk { vm, attachment: attachment(floating, false) }).then(&["DiskAttached"]);
    assert_eq!(estate.world.storage_domains.get(&domain).map(|d| d.committed(&estate.world)), Some(20 * GIB));

    let created =
        estate.does(CreateCluster { config: ClusterConfig { name: "afar".into(), ..crate::harness::cluster_config() } });
    let afar = ClusterId(created[0].as_fold().stream().id);
    let stranger = estate.vm_with(VmPatch { name: Some("stranger".into()), cluster: Some(afar), ..VmPatch::default() });
    estate.when(AttachDisk { vm: stranger, attachment: attachment(floating, false) }).refused(DiskElsewhere);
}

#[test]
fn hot_plug() {
    let mut estate = estate();
    let (vm, disk) = (estate.vm, estate.disk);
    let update = UpdateDiskAttachment { vm, disk, interface: None, bootable: None, active: None };
    let active = |active| UpdateDiskAttachment { active: Some(active), ..update.clone() };
    let ide = UpdateDiskAttachment { interface: Some(DiskInterface::Ide), ..update.clone() };
    estate.when(update.clone()).then(&[]);
    estate.when(ide.clone()).then(&["DiskAttachmentUpdated"]);
    estate.when(UpdateDiskAttachment { disk: nowhere(), ..update.clone() }).refused(EntityNotFound);
    estate.up(vm);
    estate.when(ide).refused(VmIsRunning);
    estate.when(DetachDisk { vm, disk }).refused(VmIsRunning);
    estate.when(RemoveDisk { disk }).refused(DiskInUse);
    let changes = DiskPatch { shareable: Some(true), ..DiskPatch::default() };
    estate.when(UpdateDisk { disk, changes }).refused(DiskShareableCow);
    let changes = DiskPatch { wipe_after_delete: Some(true), ..DiskPatch::default() };
    estate.when(UpdateDisk { disk, changes }).refused(DiskInUse);
    estate.does(active(false));
    // What is not plugged in is none of the machine that runs.
    let apart = UpdateDiskAttachment { interface: Some(DiskInterface::Ide), bootable: Some(false), ..update.clone() };
    estate.when(apart.clone()).then(&["DiskAttachmentUpdated"]);
    estate.when(UpdateDiskAttachment { active: Some(true), ..apart }).refused(HotPlugNotVirtio);
    estate.when(RemoveDisk { disk }).accepted();
    estate.when(DetachDisk { vm, disk }).then(&["DiskDetached"]);
    estate.when(active(true)).then(&["DiskAttachmentUpdated", "JobOpened"]);
}

#[test]
fn a_disk_grows_and_never_shrinks() {
    let mut estate = estate();
    let (disk, domain) = (estate.disk, estate.domain);
    let sized = |size| UpdateDisk { disk, changes: DiskPatch { size: Some(size), ..DiskPatch::default() } };
    estate.when(sized(10 * GIB)).then(&[]);
    estate.when(sized(11 * GIB)).then(&["DiskExtensionStarted", "JobOpened"]);
    let both = DiskPatch { size: Some(11 * GIB), description: Some("grown".into()), ..DiskPatch::default() };
    estate.when(UpdateDisk { disk, changes: both }).then(&["DiskUpdated", "DiskExtensionStarted", "JobOpened"]);
    estate.when(sized(9 * GIB)).refused(DiskShrink);
    estate.when(sized(MAX_DISK + 1)).refused(OutOfRange);
    let size = |estate: &Estate| estate.world.disks.get(&disk).map(|d| (d.config.size, d.status));
    for (outcome, expected) in [(Err("no space".into()), 10 * GIB), (Ok((12 * GIB, GIB)), 12 * GIB)] {
        estate.does(sized(12 * GIB));
        assert_eq!(size(&estate), Some((10 * GIB, DiskStatus::Locked)), "until the storage has done it");
        estate.when(sized(13 * GIB)).refused(DiskLocked);
        let job = estate.job();
        estate.does(FinishDiskExtension { job, disk, outcome });
        assert_eq!(size(&estate), Some((expected, DiskStatus::Ok)));
    }
    estate.does(ReportDomainSpace { domain, available: CRITICAL_SPACE - 1, used: GIB });
    estate.when(sized(13 * GIB)).refused(DiskSpaceLow);
    estate.domain_is(domain, AttachmentStatus::Inactive);
    estate.when(sized(13 * GIB)).refused(DomainNotActive);
}

#[test]
fn removal() {
    let mut estate = estate();
    let (disk, domain) = (estate.disk, estate.domain);
    estate.does(RemoveDisk { disk });
    estate.when(RemoveDisk { disk }).refused(DiskLocked);
    let job = estate.job();
    let mut failed = estate.clone();
    failed.when(FinishDiskRemoval { job, disk, outcome: Err("busy".into()) }).then(&["DiskRemovalFailed", "JobEnded"]);
    failed.does(FinishDiskRemoval { job, disk, outcome: Err("busy".into()) });
    failed.when(RemoveDisk { disk }).accepted();
    estate.does(FinishDiskRemoval { job, disk, outcome: Ok(()) });
    assert!(estate.world.disks.is_empty() && estate.world.domain_disks.is_empty() && estate.world.open_jobs.is_empty());
    estate.when(FinishDiskRemoval { job, disk, outcome: Ok(()) }).then(&[]);
    estate.does(DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
    assert_eq!(estate.world.data_centers.get(&DEFAULT_DATA_CENTER).and_then(|dc| dc.master), Some(domain));
}

#[test]
fn a_disk_that_lies_on_a_domain_is_taken_on() {
    let estate = estate();
    let found = FoundDisk {
        id: DiskId(uuid::Uuid::from_u128(77)),
        image: uuid::Uuid::from_u128(78),
        size: 2 * GIB,
        actual_size: GIB,
        format: DiskFormat::Cow,
        sparse: true,
    };
    let config = |alias: &str| DiskConfig { alias: alias.into(), size: 0, ..disk_config("other") };
    let register = |found: &FoundDisk, alias: &str| RegisterDisk {
        storage_domain: estate.domain,
        found: found.clone(),
        config: config(alias),
    };
    let mut story = estate.clone();
    story.when(register(&found, "a/b")).refused(NameSpecialCharacters);
    story.when(register(&FoundDisk { size: 0, ..found.clone() }, "small")).refused(OutOfRange);
    let shared = RegisterDisk { config: DiskConfig { shareable: true, ..config("shared") }, ..register(&found, "") };
    story.when(shared).refused(DiskShareableCow);
    story.when(register(&found, "")).then(&["DiskAdded", "DiskCreated"]);
    story.does(register(&found, ""));
    let disk = story.world.disks.get(&found.id).expect("taken on").clone();
    assert_eq!(disk.config.alias, format!("RegisteredDisk_{}", found.id));
    assert_eq!((disk.config.size, disk.actual_size, disk.status), (2 * GIB, GIB, DiskStatus::Ok));
    story.when(register(&found, "again")).refused(StateMoved);
    let mut resting = estate.clone();
    resting.domain_is(estate.domain, AttachmentStatus::Maintenance);
    resting.when(register(&found, "resting")).refused(DomainNotActive);
}
