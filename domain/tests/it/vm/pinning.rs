//! Virtual CPUs on chosen CPUs, and CPUs that are all of their host's.

use evirt_domain::vm_run::{MigrateVm, StartVm};

use super::*;

fn pins(pins: &[(u32, &str)]) -> VmPatch {
    let pin = |(vcpu, set): &(u32, &str)| VcpuPin { vcpu: *vcpu, cpu_set: (*set).into() };
    VmPatch { vcpu_pins: Some(pins.iter().map(pin).collect()), ..VmPatch::default() }
}

#[test]
fn pins_are_of_cpus_that_there_are() {
    let mut estate = estate();
    let (vm, host) = (estate.vm, estate.host);
    let cpus = estate.world.hosts.get(&host).expect("the host").cpus(false);
    estate.does(UpdateVm { vm, changes: VmPatch { sockets: Some(2), ..VmPatch::default() } });
    let last = (cpus - 1).to_string();
    let beyond = cpus.to_string();
    let long = "0,".repeat(MAX_CPU_SET) + "0";
    for (changes, expected) in [
        (pins(&[(0, "1-4,^2"), (1, "0,1")]), None),
        (pins(&[]), None),
        (pins(&[(0, "abc")]), Some(PinFormatInvalid)),
        (pins(&[(0, "")]), Some(PinFormatInvalid)),
        (pins(&[(0, long.as_str())]), Some(PinFormatInvalid)),
        (pins(&[(2, "0")]), Some(PinnedVcpuUnknown)),
        (pins(&[(0, "0"), (0, "1")]), Some(PinnedTwice)),
        (pins(&[(0, "1,^1")]), Some(PinnedToNothing)),
        (pins(&[(0, beyond.as_str())]), None),
        (VmPatch { pinned_host: Some(Some(host)), ..pins(&[(0, last.as_str())]) }, None),
        (VmPatch { pinned_host: Some(Some(host)), ..pins(&[(0, beyond.as_str())]) }, Some(PinnedCpuUnknown)),
    ] {
        assert_eq!(estate.when(UpdateVm { vm, changes: changes.clone() }).key(), expected, "{changes:.200?}");
    }
    estate.does(UpdateVm { vm, changes: pins(&[(1, last.as_str())]) });
    estate.when(UpdateVm { vm, changes: VmPatch { sockets: Some(1), ..VmPatch::default() } }).refused(PinnedVcpuUnknown);
    estate.when(StartVm { vm, ..StartVm::default() }).accepted();
    estate.does(UpdateVm { vm, changes: pins(&[(1, beyond.as_str())]) });
    let refused = estate.when(StartVm { vm, ..StartVm::default() }).result.expect_err("no host has that CPU");
    assert!(refused.messages().iter().any(|message| message.contains("cpu_tune")), "{refused:?}");
}

#[test]
fn a_cpu_that_is_all_of_its_hosts_stays_there() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.does(UpdateVm { vm, changes: VmPatch { cpu_mode: Some(Some(CpuMode::HostPassthrough)), ..VmPatch::default() } });
    estate.up(vm);
    estate.when(MigrateVm { vm, host: None, force: true }).refused(VmPinned);
}

#[test]
fn a_vm_without_the_controller_has_no_disks_by_it() {
    use evirt_domain::disk::{AttachTo, DiskInterface};
    let mut estate = estate();
    let (vm, disk) = (estate.vm, estate.disk);
    let without = |without| UpdateVm { vm, changes: VmPatch { no_virtio_scsi: Some(without), ..VmPatch::default() } };
    let by = |interface| UpdateDiskAttachment { vm, disk, interface: Some(interface), bootable: None, active: None };
    estate.does(by(DiskInterface::VirtioScsi));
    estate.when(without(true)).refused(VirtioScsiInUse);
    estate.does(by(DiskInterface::Virtio));
    estate.does(without(true));
    estate.when(by(DiskInterface::VirtioScsi)).refused(VirtioScsiDisabled);
    let attach = AttachTo { vm, interface: DiskInterface::VirtioScsi, bootable: false, active: true };
    estate.when(add_disk("second", Some(attach))).refused(VirtioScsiDisabled);
    estate.does(without(false));
    estate.when(by(DiskInterface::VirtioScsi)).accepted();
}
