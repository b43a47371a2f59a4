//! Machines that run: what is changed of them while they do, which their hosts carry out.

use evirt_domain::Rejection;
use evirt_domain::ids::VmId;
use evirt_domain::vm::{ChangeCdRom, Vm, check_drive};
use evirt_domain::vm_run::{SetTicket, check_console};
use rand::Rng;

use super::{App, Done, OpContext, Refused, Wait};

/// How long a generated ticket is, in characters.
const TICKET_LENGTH: usize = 12;

/// Changes the CD in a drive; a running machine's host has done so when this answers.
///
/// Refused as the command is, and so as well where the machine turns out to be gone on its host; `Failed` where the host will not.
pub async fn change_cd(app: &App, cx: &OpContext, change: ChangeCdRom) -> Result<Done, Refused> {
    let vm = change.vm;
    let done = app.carry_out(cx, Wait::End, change).await;
    done.map_err(|refused| rather(app, vm, check_drive, refused))
}

/// Has a machine's console take a ticket, a generated one where none is given, and gives its value.
///
/// Refused as the command is, and so as well where the machine turns out to be gone on its host; `Failed` where the host will not.
pub async fn set_ticket(app: &App, cx: &OpContext, vm: VmId, value: Option<String>, expires_s: u32) -> Result<String, Refused> {
    let generated = || rand::rng().sample_iter(rand::distr::Alphanumeric).take(TICKET_LENGTH).map(char::from).collect();
    let value = value.unwrap_or_else(generated);
    let command = SetTicket { vm, sealed: app.seal(&value)?, expires_s };
    let set = app.carry_out(cx, Wait::End, command).await;
    set.map(|_| value).map_err(|refused| rather(app, vm, check_console, refused))
}

/// Why work on a machine failed: that it is in no state for that any more says it better than its host does.
fn rather(app: &App, vm: VmId, check: fn(&Vm) -> Result<(), Rejection>, refused: Refused) -> Refused {
    let world = app.engine.world();
    let stands = world.vms.get(&vm).map(|vm| check(vm));
    match (&refused, stands) {
        (Refused::Failed(_), Some(Err(rejection))) => Refused::Rejected(rejection),
        _ => refused,
    }
}
