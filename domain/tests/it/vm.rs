//! What virtual machines are configured to be, their devices, and their removal.

mod cdrom;
mod nic;
mod payload;
mod pinning;

use evirt_domain::Key::{self, *};
use evirt_domain::disk::{DiskStatus, FinishDiskCreation};
use evirt_domain::host::HostStatus;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER};
use evirt_domain::storage::{DomainClass, DomainFile, ReportDomainFiles};
use evirt_domain::template::BLANK;
use evirt_domain::vm::*;
use evirt_domain::vm_run::VmState::*;
use evirt_domain::{Class, Event};

use crate::harness::*;

fn named(name: impl Into<String>) -> VmPatch {
    VmPatch { name: Some(name.into()), ..VmPatch::default() }
}

fn create(changes: VmPatch) -> CreateVm {
    CreateVm { cluster: DEFAULT_CLUSTER, template: BLANK, changes }
}

#[test]
fn names() {
    let mut story = Story::installed();
    story.vm("taken");
    let windows = |name: &str| VmPatch { os: Some("windows_7x64".into()), ..named(name) };
    for (changes, expected) in [
        (named("web-1.example_com"), None),
        (named("größe"), None),
        (named("Taken"), None),
        (named("x".repeat(64)), None),
        (named("é".repeat(64)), None),
        (named("x".repeat(65)), Some(NameTooLong)),
        (windows("fifteen-letters"), None),
        (windows("sixteen--letters"), Some(NameTooLong)),
        (named(""), Some(NameEmpty)),
        (named("two words"), Some(NameSpecialCharacters)),
        (named("semi;colon"), Some(NameSpecialCharacters)),
        (named("new\nline"), Some(NameSpecialCharacters)),
        (named("taken"), Some(NameAlreadyUsed)),
    ] {
        let outcome = story.when(create(changes.clone()));
        assert_eq!(outcome.key(), expected, "{:?}", changes.name);
    }
    assert_eq!(NameAlreadyUsed.class(), Class::AlreadyExists);
    let other = story.vm("other");
    story.when(UpdateVm { vm: other, changes: named("taken") }).refused(NameAlreadyUsed);
    story.does(UpdateVm { vm: other, changes: named("renamed") });
    story.when(create(named("other"))).then(&["VmCreated"]);
    story.when(create(named("renamed"))).refused(NameAlreadyUsed);
}

#[test]
fn limits() {
    let story = Story::installed();
    let n = || named("vm");
    let cpus = |sockets, cores| VmPatch { sockets: Some(sockets), cores: Some(cores), ..n() };
    let memory = |memory, guaranteed| VmPatch { memory: Some(memory), memory_guaranteed: guaranteed, ..n() };
    let table: Vec<(VmPatch, Option<Key>)> = vec![
        (memory(MIN_MEMORY, None), None),
        (memory(MIN_MEMORY - 1, None), Some(OutOfRange)),
        (memory(MAX_MEMORY, None), None),
        (memory(MAX_MEMORY + 1, None), Some(OutOfRange)),
        (memory(i64::MIN, None), Some(OutOfRange)),
        (memory(GIB, Some(GIB)), None),
        (memory(GIB, Some(GIB + 1)), Some(MemoryGuaranteeTooHigh)),
        (memory(GIB, Some(-1)), Some(OutOfRange)),
        (cpus(16, 10), None),
        (cpus(16, 11), Some(TooManyCpus)),
        (cpus(16, 16), Some(TooManyCpus)),
        (cpus(17, 1), Some(TooManySockets)),
        (cpus(1, 17), Some(TooManyCoresPerSocket)),
        (cpus(0, 1), Some(OutOfRange)),
        (cpus(1, 0), Some(OutOfRange)),
        (cpus(u32::MAX, u32::MAX), Some(OutOfRange)),
        (cpus(65_535, 65_535), Some(TooManyCpus)),
        (VmPatch { monitors: Some(4), ..n() }, None),
        (VmPatch { monitors: Some(5), ..n() }, Some(OutOfRange)),
        (VmPatch { monitors: Some(0), ..n() }, Some(OutOfRange)),
        (VmPatch { priority: Some(100), ..n() }, None),
        (VmPatch { priority: Some(101), ..n() }, Some(OutOfRange)),
        (VmPatch { cpu_shares: Some(-1), ..n() }, Some(OutOfRange)),
        (VmPatch { description: Some("x".repeat(255)), ..n() }, None),
        (VmPatch { description: Some("x".repeat(256)), ..n() }, Some(TextTooLong)),
        (VmPatch { comment: Some("bell\u{7}".into()), ..n() }, Some(TextInvalid)),
        (VmPatch { stateless: Some(true), highly_available: Some(true), ..n() }, Some(VmStatelessHa)),
        (VmPatch { pinned_host: Some(Some(nowhere())), ..n() }, Some(EntityNotFound)),
    ];
    for (changes, expected) in table {
        assert_eq!(story.when(create(changes.clone())).key(), expected, "{changes:?}");
    }
    story.when(CreateVm { cluster: nowhere(), template: BLANK, changes: n() }).refused(EntityNotFound);
    story.when(CreateVm { cluster: DEFAULT_CLUSTER, template: nowhere(), changes: n() }).refused(EntityNotFound);
}

#[test]
fn what_is_not_said_comes_from_the_template() {
    let mut story = Story::installed();
    let vm = story.vm("plain");
    let vm = story.world.vms.get(&vm).expect("the VM");
    let expected = VmConfig { name: "plain".into(), ..VmConfig::default() };
    assert_eq!((vm.config.clone(), vm.state, vm.created_at), (expected, Down, story.now - 1_000_000));
}

#[test]
fn what_changes_while_a_vm_runs() {
    let d = VmPatch::default;
    let mut estate = estate();
    let other = estate.other;
    let vm = estate.vm;
    let hot: Vec<VmPatch> = vec![
        named("renamed"),
        VmPatch { description: Some("d".into()), ..d() },
        VmPatch { comment: Some("c".into()), ..d() },
        VmPatch { delete_protected: Some(true), ..d() },
        VmPatch { highly_available: Some(true), ..d() },
        VmPatch { priority: Some(50), ..d() },
        VmPatch { os: Some("rhel_6x64".into()), ..d() },
        VmPatch { boot: Some(vec![BootDevice::CdRom]), ..d() },
    ];
    let cluster = evirt_domain::cluster::ClusterConfig {
        name: "second".into(),
        data_center: Some(DEFAULT_DATA_CENTER),
        ..crate::harness::cluster_config()
    };
    let created = estate.does(evirt_domain::cluster::CreateCluster { config: cluster });
    let cluster = ClusterId(created[0].as_fold().stream().id);
    let cold: Vec<VmPatch> = vec![
        VmPatch { cluster: Some(cluster), ..d() },
        VmPatch { memory: Some(2 * GIB), ..d() },
        VmPatch { memory_guaranteed: Some(GIB), ..d() },
        VmPatch { sockets: Some(2), ..d() },
        VmPatch { cores: Some(2), ..d() },
        VmPatch { monitors: Some(2), ..d() },
        VmPatch { single_qxl_pci: Some(true), ..d() },
        VmPatch { timezone: Some("Europe/Berlin".into()), ..d() },
        VmPatch { usb: Some(true), ..d() },
        VmPatch { cpu_shares: Some(1024), ..d() },
        VmPatch { stateless: Some(true), ..d() },
        VmPatch { affinity: Some(Affinity::Pinned), ..d() },
        VmPatch { pinned_host: Some(Some(other)), ..d() },
        VmPatch { custom_properties: Some(vec![("sap_agent".into(), "true".into())]), ..d() },
        VmPatch { description: Some("both".into()), memory: Some(2 * GIB), ..d() },
    ];
    for changes in hot.iter().chain(&cold) {
        estate.when(UpdateVm { vm, changes: changes.clone() }).then(&["VmUpdated"]);
    }
    estate.up(vm);
    for changes in hot {
        estate.when(UpdateVm { vm, changes }).then(&["VmUpdated"]);
    }
    for changes in cold {
        estate.when(UpdateVm { vm, changes }).refused(VmUpdateIllegalField);
    }
    let same = VmPatch { memory: Some(GIB), sockets: Some(1), ..named("guest") };
    estate.when(UpdateVm { vm, changes: same }).then(&[]);
}

#[test]
fn a_guarantee_follows_the_memory_down() {
    let mut story = Story::installed();
    let changes = VmPatch { memory: Some(4 * GIB), memory_guaranteed: Some(3 * GIB), ..named("vm") };
    let vm = story.vm_with(changes);
    story.does(UpdateVm { vm, changes: VmPatch { memory: Some(2 * GIB), ..VmPatch::default() } });
    assert_eq!(story.world.vms.get(&vm).expect("the VM").config.memory_guaranteed, 2 * GIB);
}

#[test]
fn a_vm_stays_in_its_data_center() {
    let mut story = Story::installed();
    let vm = story.vm("vm");
    let config = evirt_domain::cluster::ClusterConfig { name: "afar".into(), ..crate::harness::cluster_config() };
    let created = story.does(evirt_domain::cluster::CreateCluster { config });
    let cluster = ClusterId(created[0].as_fold().stream().id);
    let changes = VmPatch { cluster: Some(cluster), ..VmPatch::default() };
    story.when(UpdateVm { vm, changes }).refused(EntityNotFound);
}

#[test]
fn a_removal_takes_the_disks_or_leaves_them() {
    let estate = estate();
    let (vm, disk) = (estate.vm, estate.disk);
    let kinds = ["VmRemovalStarted", "DiskRemovalStarted", "JobOpened"];
    estate.when(RemoveVm { vm, keep_disks: false }).then(&kinds);
    estate.when(RemoveVm { vm, keep_disks: true }).then(&["DiskDetached", "VmRemoved"]);

    let mut kept = estate.clone();
    kept.does(RemoveVm { vm, keep_disks: true });
    assert!(kept.world.disks.get(&disk).expect("the disk").vms.is_empty());
    assert!(kept.world.vms.is_empty());

    let mut gone = estate.clone();
    gone.does(RemoveVm { vm, keep_disks: false });
    gone.when(DetachDisk { vm, disk }).refused(VmIsLocked);
    gone.when(UpdateVm { vm, changes: named("new") }).refused(VmIsLocked);
    let job = gone.job();
    gone.when(FinishVmRemoval { job, vm, outcome: Ok(()) }).then(&["DiskDetached", "DiskRemoved", "VmRemoved", "JobEnded"]);
    gone.does(FinishVmRemoval { job, vm, outcome: Ok(()) });
    assert!(gone.world.disks.is_empty() && gone.world.vms.is_empty() && gone.world.cluster_vms.is_empty());
    gone.when(FinishVmRemoval { job, vm, outcome: Ok(()) }).then(&[]);
    gone.when(create(named("guest"))).then(&["VmCreated"]);
}

#[test]
fn a_removal_that_fails_can_be_repeated() {
    let mut estate = estate();
    let (vm, disk) = (estate.vm, estate.disk);
    estate.does(RemoveVm { vm, keep_disks: false });
    let job = estate.job();
    estate.does(FinishVmRemoval { job, vm, outcome: Err("storage is gone".into()) });
    assert_eq!(estate.state(vm), Down);
    assert_eq!(estate.world.disks.get(&disk).expect("the disk").status, DiskStatus::Illegal);
    estate.when(RemoveVm { vm, keep_disks: false }).accepted();
}

#[test]
fn what_stands_against_a_removal() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.does(UpdateVm { vm, changes: VmPatch { delete_protected: Some(true), ..VmPatch::default() } });
    estate.when(RemoveVm { vm, keep_disks: true }).refused(DeleteProtected);
    estate.does(UpdateVm { vm, changes: VmPatch { delete_protected: Some(false), ..VmPatch::default() } });
    let attach =
        evirt_domain::disk::AttachTo { vm, interface: evirt_domain::disk::DiskInterface::Virtio, bootable: false, active: true };
    estate.does(add_disk("slow", Some(attach)));
    estate.when(RemoveVm { vm, keep_disks: false }).refused(VmIsLocked);
    let (job, disk) = (estate.job(), estate.world.vms.get(&vm).expect("the VM").disks[1].disk);
    estate.does(FinishDiskCreation { job, disk, outcome: Ok(0) });
    estate.when(RemoveVm { vm, keep_disks: false }).accepted();
}

#[test]
fn a_shared_disk_survives_the_removal() {
    let mut estate = estate();
    let (vm, twin) = (estate.vm, estate.story.vm("twin"));
    let config = evirt_domain::disk::DiskConfig { shareable: true, ..disk_config("shared") };
    let format = evirt_domain::disk::DiskFormat::Raw;
    estate.does(evirt_domain::disk::AddDisk { config, format, ..add_disk("shared", None) });
    let disk = estate.finish_disk();
    let attachment = DiskAttachment { disk, interface: evirt_domain::disk::DiskInterface::Virtio, bootable: false, active: true };
    estate.does(AttachDisk { vm, attachment });
    estate.does(AttachDisk { vm: twin, attachment });
    let kinds = ["DiskDetached", "VmRemovalStarted", "DiskRemovalStarted", "JobOpened"];
    estate.does(RemoveVm { vm, keep_disks: false });
    let tail: Vec<_> = estate.log.iter().rev().take(4).map(|r| r.event.kind()).collect();
    assert_eq!(tail.into_iter().rev().collect::<Vec<_>>(), kinds);
    assert_eq!(estate.world.disks.get(&disk).expect("the disk").vms, [twin]);
}

#[test]
fn a_vm_has_sixty_four_devices_of_a_kind_at_most() {
    let mut estate = estate();
    let (vm, disk) = (estate.vm, estate.disk);
    for n in 2..=MAX_DEVICES {
        estate.nic(vm, &format!("nic{n}"));
        estate.disk(vm);
    }
    estate.when(AddNic { vm, config: nic("more", None) }).refused(OutOfRange);
    let attach =
        evirt_domain::disk::AttachTo { vm, interface: evirt_domain::disk::DiskInterface::Virtio, bootable: false, active: true };
    estate.when(add_disk("more", Some(attach))).refused(OutOfRange);
    let update = UpdateDiskAttachment { vm, disk, interface: None, bootable: None, active: Some(false) };
    estate.when(update).then(&["DiskAttachmentUpdated"]);
}

#[test]
fn a_vm_belongs_to_a_host_by_preference_unless_it_is_pinned() {
    for (affinity, elsewhere) in [(Affinity::Migratable, true), (Affinity::UserMigratable, true), (Affinity::Pinned, false)] {
        let mut estate = estate();
        let (vm, other) = (estate.vm, estate.other);
        let changes = VmPatch { affinity: Some(affinity), pinned_host: Some(Some(other)), ..VmPatch::default() };
        estate.does(UpdateVm { vm, changes });
        let start = evirt_domain::vm_run::StartVm { vm, ..Default::default() };
        let events = estate.when(start.clone()).accepted();
        assert!(matches!(&events[0], Event::VmStartRequested(e) if e.host == other), "{affinity:?}");
        estate.host_is(other, HostStatus::NonOperational);
        assert_eq!(estate.when(start).key().is_none(), elsewhere, "{affinity:?}");
    }
}
