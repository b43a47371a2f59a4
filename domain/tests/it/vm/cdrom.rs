//! The CD in the drive of a VM, and of the machine that runs.

use super::*;

#[test]
fn cds() {
    let mut estate = estate();
    let (vm, host) = (estate.vm, estate.host);
    let change = |file: &str, current| ChangeCdRom { vm, file: file.into(), current };
    estate.when(change("rhel.iso", false)).refused(VmNoIsoDomain);
    let iso = estate.active_domain(host, "iso", DomainClass::Iso);
    estate.when(change("rhel.iso", false)).refused(IsoNotFound);
    estate.does(ReportDomainFiles { domain: iso, files: vec![DomainFile { name: "rhel.iso".into(), size: GIB }] });
    estate.does(change("rhel.iso", false));
    estate.when(change("rhel.iso", false)).then(&[]);
    estate.when(change("", true)).refused(VmIsNotRunning);
    estate.up(vm);
    estate.when(change("other.iso", true)).refused(IsoNotFound);
    estate.does(change("", true)).into_iter().for_each(|event| assert_eq!(event.kind(), "JobOpened"));
    let job = estate.job();
    let finish = |outcome| FinishCdChange { job, vm, file: String::new(), outcome };
    let drive = |estate: &Estate| {
        let vm = estate.world.vms.get(&vm).expect("the VM");
        (vm.cdrom.clone(), vm.run.as_ref().map(|run| run.cdrom.clone()))
    };
    estate.when(finish(Err("the tray is stuck".into()))).then(&["JobEnded"]);
    assert_eq!(drive(&estate), ("rhel.iso".into(), Some("rhel.iso".into())), "nothing is recorded that its host has not done");
    estate.does(finish(Ok(())));
    assert_eq!(drive(&estate), ("rhel.iso".into(), Some(String::new())));
    estate.does(change("rhel.iso", true));
    let job = estate.job();
    estate.observe(vm, evirt_domain::vm_run::Observed::Down { error: false, message: String::new() });
    let late = estate.does(FinishCdChange { job, vm, file: "rhel.iso".into(), outcome: Ok(()) });
    assert!(matches!(&late[..], [Event::JobEnded(ended)] if ended.failure.is_some()), "{late:?}");
}
