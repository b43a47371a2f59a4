//! Devices of a machine that runs: what is changed of them, and what happens where its host will not.

use evirt_domain::Event;
use evirt_domain::Key::*;
use evirt_domain::disk::DiskInterface;
use evirt_domain::hotplug::*;
use evirt_domain::ids::*;
use evirt_domain::job::Task;
use evirt_domain::vm::*;

use crate::harness::*;

fn plug(vm: VmId, nic: NicId, plugged: bool) -> UpdateNic {
    UpdateNic { vm, nic, changes: NicPatch { plugged: Some(plugged), ..NicPatch::default() } }
}

/// What the job that was opened is to do.
fn asked(events: &[Event]) -> Option<(Device, DeviceChange)> {
    events.iter().find_map(|event| match event {
        Event::JobOpened(opened) => match opened.task {
            Task::ChangeDevice { device, change, .. } => Some((device, change)),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn a_running_machine_is_asked_for_each_change_of_its_devices() {
    let mut estate = estate();
    let (vm, nic, disk) = (estate.vm, estate.nic, estate.disk);
    let is_active = |active| UpdateDiskAttachment { vm, disk, interface: None, bootable: None, active: Some(active) };
    let rewire = UpdateNic { vm, nic, changes: NicPatch { linked: Some(false), ..NicPatch::default() } };
    for events in [estate.when(plug(vm, nic, false)).accepted(), estate.when(is_active(false)).accepted()] {
        assert_eq!(asked(&events), None, "nothing runs");
    }
    estate.up(vm);
    assert_eq!(asked(&estate.when(plug(vm, nic, false)).accepted()), Some((Device::Nic(nic), DeviceChange::Unplug)));
    assert_eq!(asked(&estate.when(rewire.clone()).accepted()), Some((Device::Nic(nic), DeviceChange::Rewire)));
    assert_eq!(asked(&estate.does(is_active(false))), Some((Device::Disk(disk), DeviceChange::Unplug)));
    assert_eq!(asked(&estate.when(is_active(true)).accepted()), Some((Device::Disk(disk), DeviceChange::Plug)));
    estate.does(plug(vm, nic, false));
    assert_eq!(asked(&estate.when(rewire).accepted()), None, "it is not plugged");
    let added = estate.when(AddNic { vm, config: crate::harness::nic("nic2", None) }).accepted();
    assert!(matches!(asked(&added), Some((Device::Nic(_), DeviceChange::Plug))));
}

#[test]
fn what_a_running_machine_cannot_take_is_refused() {
    let mut estate = estate();
    let (vm, nic) = (estate.vm, estate.nic);
    estate.up(vm);
    let model = NicPatch { interface: Some(NicInterface::E1000), ..NicPatch::default() };
    estate.when(UpdateNic { vm, nic, changes: model.clone() }).refused(HotUpdate);
    estate.when(UpdateNic { vm, nic, changes: NicPatch { plugged: Some(false), ..model } }).accepted();
    let attach = evirt_domain::disk::AttachTo { vm, interface: DiskInterface::Ide, bootable: false, active: true };
    estate.when(add_disk("second", Some(attach))).refused(HotPlugNotVirtio);
    estate.when(add_disk("second", Some(evirt_domain::disk::AttachTo { active: false, ..attach }))).accepted();
}

#[test]
fn a_disk_made_for_a_running_machine_is_plugged_once_it_is_there() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.up(vm);
    let attach = evirt_domain::disk::AttachTo { vm, interface: DiskInterface::Virtio, bootable: false, active: true };
    assert_eq!(asked(&estate.does(add_disk("second", Some(attach)))), None);
    let (job, disk) = (estate.job(), estate.world.vms.get(&vm).expect("the VM").disks[1].disk);
    let finish = |outcome| evirt_domain::disk::FinishDiskCreation { job, disk, outcome };
    assert_eq!(asked(&estate.when(finish(Ok(GIB))).accepted()), Some((Device::Disk(disk), DeviceChange::Plug)));
    assert_eq!(asked(&estate.when(finish(Err("no space".into()))).accepted()), None);
}

#[test]
fn what_the_host_refuses_is_taken_back() {
    let mut estate = estate();
    let (vm, nic) = (estate.vm, estate.nic);
    estate.up(vm);
    estate.does(plug(vm, nic, false));
    let job = estate.job();
    let (device, change) = (Device::Nic(nic), DeviceChange::Unplug);
    let finish = |outcome| FinishDeviceChange { job, vm, device, change, outcome };
    estate.when(finish(Ok(()))).then(&["JobEnded"]);
    estate.when(finish(Err("it is in use".into()))).then(&["NicUpdated", "JobEnded"]);
    estate.does(finish(Err("it is in use".into())));
    assert!(estate.world.vms.get(&vm).expect("the VM").nics[0].plugged);
}

#[test]
fn an_interface_that_mirrors_ports_is_on_a_network_and_is_not_rewired_while_it_runs() {
    let mut estate = estate();
    let (vm, profile) = (estate.vm, estate.profile());
    let own = estate.world.vnic_profiles.get(&profile).unwrap().network;
    let mirrors = |profile, networks: &[NetworkId]| AddNic {
        vm,
        config: NicConfig { port_mirroring: networks.to_vec(), ..crate::harness::nic("mirror", profile) },
    };
    estate.when(mirrors(None, &[own])).refused(MirroringWithoutNetwork);
    estate.when(mirrors(Some(profile), &[nowhere()])).refused(EntityNotFound);
    let events = estate.does(mirrors(Some(profile), &[own]));
    let [Event::NicAdded(added), ..] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(added.nic.mirrored(&estate.world), [own]);
    estate.up(vm);
    let nic = added.nic.id;
    let change = |patch| UpdateNic { vm, nic, changes: patch };
    estate.when(change(NicPatch { linked: Some(false), ..NicPatch::default() })).refused(HotUpdateMirroring);
    estate.when(change(NicPatch { port_mirroring: Some(Vec::new()), ..NicPatch::default() })).refused(HotUpdateMirroring);
    estate.does(plug(vm, nic, false));
    estate.when(change(NicPatch { port_mirroring: Some(Vec::new()), ..NicPatch::default() })).then(&["NicUpdated"]);
}

#[test]
fn a_rewiring_that_the_host_refuses_is_taken_back_unless_more_was_asked_since() {
    let mut estate = estate();
    let (vm, nic) = (estate.vm, estate.nic);
    let unlink = || UpdateNic { vm, nic, changes: NicPatch { linked: Some(false), ..NicPatch::default() } };
    estate.up(vm);
    estate.does(unlink());
    let job = estate.job();
    let finish =
        FinishDeviceChange { job, vm, device: Device::Nic(nic), change: DeviceChange::Rewire, outcome: Err("no".into()) };
    estate.when(finish.clone()).then(&["NicUpdated", "JobEnded"]);
    estate.does(UpdateNic { vm, nic, changes: NicPatch { profile: Some(None), ..NicPatch::default() } });
    estate.when(finish).then(&["JobEnded"]);
}
