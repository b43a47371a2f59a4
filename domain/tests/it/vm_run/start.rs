//! Starts: what they need, where they are tried, and what a launch that failed leaves.

use super::*;

#[test]
fn a_boot_sequence_of_one_device_needs_the_device() {
    let mut estate = estate();
    let bare = estate.vm("bare");
    estate.when(start(bare)).refused(VmNoDisk);
    let boot = |boot: BootDevice| RunOverrides { boot: Some(vec![boot]), ..RunOverrides::default() };
    estate.when(once(bare, boot(BootDevice::Network))).refused(VmNoNic);
    estate.when(once(bare, boot(BootDevice::CdRom))).refused(VmNoIsoDomain);
    estate.nic(bare, "nic1");
    estate.when(once(bare, boot(BootDevice::Network))).accepted();
    let host = estate.host;
    let iso = estate.active_domain(host, "iso", DomainClass::Iso);
    estate.when(once(bare, boot(BootDevice::CdRom))).accepted();
    let cd = |file: &str| RunOverrides { cdrom: Some(file.into()), ..boot(BootDevice::CdRom) };
    estate.when(once(bare, cd("rhel.iso"))).refused(IsoNotFound);
    estate.does(ReportDomainFiles { domain: iso, files: vec![DomainFile { name: "rhel.iso".into(), size: GIB }] });
    estate.when(once(bare, cd("rhel.iso"))).accepted();
}

#[test]
fn disks_have_to_be_there() {
    let estate = estate();
    let vm = estate.vm;
    let mut inactive = estate.clone();
    let domain = estate.domain;
    inactive.domain_is(domain, AttachmentStatus::Inactive);
    inactive.when(start(vm)).refused(DomainNotActive);
    let mut locked = estate.clone();
    let attach =
        evirt_domain::disk::AttachTo { vm, interface: evirt_domain::disk::DiskInterface::Virtio, bootable: false, active: true };
    locked.does(add_disk("second", Some(attach)));
    locked.when(start(vm)).refused(DiskLocked);
    let job = locked.job();
    let disk = locked.world.vms.get(&vm).expect("the VM").disks[1].disk;
    locked.does(evirt_domain::disk::FinishDiskCreation { job, disk, outcome: Err("no space".into()) });
    locked.when(start(vm)).refused(DiskIllegal);
    locked.does(UpdateDiskAttachment { vm, disk, interface: None, bootable: None, active: Some(false) });
    locked.when(start(vm)).accepted();
}

#[test]
fn a_highly_available_vm_does_not_run_stateless() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.does(UpdateVm { vm, changes: VmPatch { highly_available: Some(true), ..VmPatch::default() } });
    let stateless = RunOverrides { stateless: Some(true), ..RunOverrides::default() };
    estate.when(once(vm, stateless)).refused(VmStatelessHa);
    estate.when(UpdateVm { vm, changes: VmPatch { stateless: Some(true), ..VmPatch::default() } }).refused(VmStatelessHa);
}

#[test]
fn a_launch_is_tried_on_three_hosts_at_most() {
    let mut estate = estate();
    estate.host("gamma");
    estate.host("delta");
    let vm = estate.vm;
    estate.does(start(vm));
    let job = estate.job();
    let mut tried = vec![];
    let fail = || FailLaunch { vm, job, reason: "no KVM".into() };
    for _ in 0..2 {
        tried.push(estate.world.vms.get(&vm).and_then(|v| v.host()).expect("a place"));
        let events = estate.does(fail());
        assert!(matches!(events.as_slice(), [Event::VmRelocated(e)] if !tried.contains(&e.to)), "{events:?}");
    }
    let last = estate.world.vms.get(&vm).and_then(|v| v.host()).expect("a place");
    assert!(!tried.contains(&last));
    estate.when(fail()).then(&["VmStartFailed", "JobEnded"]);
    estate.does(fail());
    assert_eq!(estate.state(vm), Down);
    assert!(estate.world.placed.iter().len() == 0);
    estate.when(fail()).then(&[]);
}

#[test]
fn a_failed_launch_of_an_earlier_run_is_of_no_interest() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.does(start(vm));
    let first = estate.job();
    estate.does(StopVm { vm });
    estate.when(FailLaunch { vm, job: first, reason: "late".into() }).then(&[]);
}

#[test]
fn a_restore_that_fails_leaves_the_vm_suspended() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.bring(vm, RestoringState);
    let job = estate.job();
    estate.does(FailLaunch { vm, job, reason: "no memory image".into() });
    assert_eq!(estate.state(vm), Suspended);
    estate.does(start(vm));
    estate.observe(vm, Observed::Down { error: true, message: "qemu died".into() });
    assert_eq!(estate.state(vm), Suspended);
}

#[test]
fn a_resume_that_fails_leaves_the_vm_paused_where_it_is() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.bring(vm, Paused);
    let place = estate.world.vms.get(&vm).and_then(|v| v.host());
    estate.does(start(vm));
    let job = estate.job();
    estate.when(FailLaunch { vm, job, reason: "no answer".into() }).then(&["VmPaused", "JobEnded"]);
    estate.does(FailLaunch { vm, job, reason: "no answer".into() });
    assert_eq!((estate.state(vm), estate.world.vms.get(&vm).and_then(|v| v.host())), (Paused, place));
}

#[test]
fn refusals_name_their_filter() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.does(UpdateVm { vm, changes: VmPatch { sockets: Some(16), ..VmPatch::default() } });
    let refusal: Rejection = estate.when(start(vm)).refused(AllHostsFilteredOut);
    assert_eq!(refusal.because.iter().map(|r| r.key).collect::<Vec<Key>>(), [HostFilteredOut, HostFilteredOut]);
    let mut messages = refusal.messages().split_off(1);
    messages.sort();
    assert_eq!(
        messages,
        ["alpha", "beta"].map(|h| format!("The host {h} did not satisfy the filter CPU: it has 8 CPUs, 16 are needed."))
    );
}

#[test]
fn a_start_on_one_host_is_tried_on_no_other() {
    let mut estate = estate();
    let vm = estate.vm;
    let host = estate.host;
    estate.host("another");
    estate.does(StartVm { host: Some(host), ..start(vm) });
    let failed = FailLaunch { vm, job: estate.job(), reason: "no KVM".into() };
    estate.when(failed).then(&["VmStartFailed", "JobEnded"]);
}

#[test]
fn a_vm_that_may_have_been_launched_is_not_launched_elsewhere() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.host("another");
    estate.does(start(vm));
    let failed = FailLaunch { vm, job: estate.job(), reason: "no answer".into() };
    estate.when(failed.clone()).then(&["VmRelocated"]);
    estate.observe(vm, Observed::Lost);
    estate.when(failed).then(&[]);
}
