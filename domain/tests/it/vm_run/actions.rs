//! What is done to machines that run, and every action in every state.

use super::*;

const ACTIONS: [&str; 12] =
    ["start", "once", "stop", "shutdown", "reboot", "suspend", "migrate", "cancel", "ticket", "remove", "add nic", "change cd"];

/// For each state, what each action says; None where it is accepted.
#[rustfmt::skip]
fn table() -> Vec<(VmState, [Option<Key>; 12])> {
    const OK: Option<Key> = None;
    let (s, r, n, l) = (Some(VmStatusIllegal), Some(VmIsRunning), Some(VmIsNotRunning), Some(VmIsLocked));
    let (v, u, m, p, z) = (Some(VmIsSavingRestoring), Some(VmIsNotUp), Some(NotMigrating), Some(MigrationInProgress), Some(MigratePaused));
    vec![
        //                  start once  stop  shutd reboo suspe migra cancl tickt remov nic   cd
        (Down,             [OK,   OK,   n,    n,    s,    u,    n,    m,    s,    OK,   OK,   n]),
        (WaitForLaunch,    [s,    s,    OK,   OK,   s,    u,    s,    m,    s,    r,    s,    s]),
        (PoweringUp,       [s,    s,    OK,   OK,   OK,   u,    OK,   m,    OK,   r,    s,    s]),
        (Up,               [s,    s,    OK,   OK,   OK,   OK,   OK,   m,    OK,   r,    OK,   OK]),
        (PoweringDown,     [s,    s,    OK,   OK,   s,    u,    s,    m,    OK,   r,    s,    s]),
        (Paused,           [OK,   s,    OK,   OK,   s,    u,    z,    m,    OK,   r,    s,    OK]),
        (SavingState,      [s,    s,    v,    v,    s,    u,    s,    m,    s,    r,    s,    s]),
        (Suspended,        [OK,   s,    OK,   OK,   s,    u,    n,    m,    s,    s,    s,    n]),
        (RestoringState,   [s,    s,    v,    v,    s,    u,    s,    m,    s,    r,    s,    s]),
        (Migrating,        [s,    s,    OK,   OK,   s,    u,    p,    OK,   s,    r,    s,    s]),
        (RebootInProgress, [s,    s,    OK,   OK,   s,    u,    OK,   m,    OK,   r,    s,    s]),
        (ImageLocked,      [l,    l,    n,    n,    s,    u,    n,    m,    s,    l,    s,    n]),
        (NotResponding,    [s,    s,    OK,   OK,   s,    u,    s,    m,    s,    r,    s,    s]),
        (Unknown,          [s,    s,    n,    n,    s,    u,    s,    m,    s,    r,    s,    s]),
    ]
}

#[test]
fn every_action_in_every_state() {
    let table = table();
    assert_eq!(table.iter().map(|(state, _)| *state).collect::<Vec<_>>(), VmState::ALL);
    for (state, expected) in table {
        let mut estate = estate();
        let vm = estate.vm;
        estate.bring(vm, state);
        let start = StartVm { vm, ..StartVm::default() };
        let actual = [
            estate.when(start.clone()),
            estate.when(StartVm { once: true, ..start }),
            estate.when(StopVm { vm }),
            estate.when(ShutdownVm { vm }),
            estate.when(RebootVm { vm }),
            estate.when(SuspendVm { vm }),
            estate.when(MigrateVm { vm, host: None, force: false }),
            estate.when(CancelMigration { vm }),
            estate.when(SetTicket { vm, sealed: "sealed".into(), expires_s: DEFAULT_TICKET_S }),
            estate.when(RemoveVm { vm, keep_disks: false }),
            estate.when(AddNic { vm, config: nic("nic2", None) }),
            estate.when(ChangeCdRom { vm, file: String::new(), current: true }),
        ];
        for ((action, expected), actual) in ACTIONS.iter().zip(expected).zip(actual) {
            assert_eq!(actual.key(), expected, "{action} while {}", state.name());
        }
    }
}

#[test]
fn what_an_accepted_action_is_made_of() {
    let vm_in = |state| {
        let mut estate = estate();
        let vm = estate.vm;
        estate.bring(vm, state);
        (estate, vm)
    };
    let (down, vm) = vm_in(Down);
    down.when(StartVm { vm, ..StartVm::default() }).then(&["VmStartRequested", "JobOpened"]);
    let (up, vm) = vm_in(Up);
    up.when(StopVm { vm }).then(&["VmStopRequested", "JobOpened"]);
    up.when(ShutdownVm { vm }).then(&["VmShutdownRequested", "JobOpened"]);
    up.when(RebootVm { vm }).then(&["VmRebootRequested", "JobOpened"]);
    up.when(SuspendVm { vm }).then(&["VmSuspendRequested", "JobOpened"]);
    up.when(MigrateVm { vm, host: None, force: false }).then(&["VmMigrationRequested", "JobOpened"]);
    up.when(SetTicket { vm, sealed: "sealed".into(), expires_s: 60 }).then(&["JobOpened"]);
    up.when(SetTicket { vm, sealed: "sealed".into(), expires_s: 0 }).refused(OutOfRange);
    let (suspended, vm) = vm_in(Suspended);
    suspended.when(StopVm { vm }).then(&["VmDown"]);
    suspended.when(StartVm { vm, ..StartVm::default() }).then(&["VmStartRequested", "JobOpened"]);
    let (paused, vm) = vm_in(Paused);
    paused.when(StartVm { vm, ..StartVm::default() }).then(&["VmStartRequested", "JobOpened"]);
    let (migrating, vm) = vm_in(Migrating);
    migrating.when(CancelMigration { vm }).then(&["VmMigrationCancelRequested"]);
    migrating.when(StopVm { vm }).then(&["JobEnded", "VmStopRequested", "JobOpened"]);
    let (launching, vm) = vm_in(WaitForLaunch);
    launching.when(ShutdownVm { vm }).then(&["JobEnded", "VmStopRequested", "JobOpened"]);
}

#[test]
fn an_action_on_no_vm_finds_none() {
    let story = Story::installed();
    let vm = nowhere();
    story.when(StartVm { vm, ..StartVm::default() }).refused(EntityNotFound);
    story.when(StopVm { vm }).refused(EntityNotFound);
    story.when(MigrateVm { vm, host: None, force: false }).refused(EntityNotFound);
    story.when(RemoveVm { vm, keep_disks: false }).refused(EntityNotFound);
}

#[test]
fn a_vm_is_saved_where_storage_is() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let vm = story.vm_with(VmPatch { name: Some("pxe".into()), boot: Some(vec![BootDevice::Network]), ..VmPatch::default() });
    story.nic(vm, "nic1");
    story.up(vm);
    story.when(SuspendVm { vm }).refused(NoDataDomain);
    story.active_domain(host, "data", DomainClass::Data);
    story.when(SuspendVm { vm }).accepted();
}

#[test]
fn a_stateless_vm_is_not_suspended() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.does(UpdateVm { vm, changes: VmPatch { stateless: Some(true), ..VmPatch::default() } });
    estate.up(vm);
    estate.when(SuspendVm { vm }).refused(VmSuspendStateless);
}

#[test]
fn a_shutdown_that_nobody_follows_is_recorded_once_it_falls_back() {
    let mut estate = estate();
    let vm = estate.vm;
    estate.up(vm);
    estate.when(FallBackToStop { vm }).then(&[]);
    estate.does(ShutdownVm { vm });
    estate.when(FallBackToStop { vm }).then(&["VmShutdownFellBack"]);
}
