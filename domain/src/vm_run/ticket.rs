//! Console tickets: passwords that a running machine's console takes for a while. Its host is given them by a job.

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::fold;
use crate::ids::*;
use crate::job::{JobEnded, Task};
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::vm::{Vm, touch};
use crate::world::World;

use super::{VmState, open};

/// How long a console ticket holds where nothing is said, in seconds.
pub const DEFAULT_TICKET_S: u32 = 7200;

const SET: Act = Act("set ticket of", "VM");

/// A console ticket was given out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmTicketSet {
    /// Whose console takes it.
    pub vm: VmId,
    /// For how many seconds.
    pub expires_s: u32,
}

fold!(VmTicketSet, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |_| {});
});

/// Has a machine's console take a ticket, by a job.
#[derive(Clone, Debug)]
pub struct SetTicket {
    /// Whose console takes it.
    pub vm: VmId,
    /// The ticket, sealed by the caller: a log holds no secret in clear.
    pub sealed: String,
    /// For how many seconds.
    pub expires_s: u32,
}

/// Refuses a ticket for a machine that has no console, as it does not run or is on its way.
pub fn check_console(vm: &Vm) -> Result<(), Rejection> {
    match vm.state {
        VmState::Up | VmState::Paused | VmState::PoweringUp | VmState::PoweringDown | VmState::RebootInProgress => Ok(()),
        state => Err(SET.no(Key::VmStatusIllegal).with("vmStatus", state.name())),
    }
}

impl Decide for SetTicket {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let vm = world.vm(self.vm)?;
        check::range(SET, "ticket.expiry", self.expires_s.into(), 1, i64::from(u32::MAX))?;
        check_console(vm)?;
        let task = Task::SetTicket { vm: self.vm, sealed: self.sealed.clone(), expires_s: self.expires_s };
        let (_, opened) = open(cx, 0, format!("Setting a console ticket of VM {}", vm.config.name), task);
        Ok(vec![opened])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ConnectToVm, EntityRef::Vm(self.vm)))
    }
}

/// Ends the job of a ticket; it was given out where the host took it.
#[derive(Clone, Debug)]
pub struct FinishTicket {
    /// The job that ends.
    pub job: JobId,
    /// Whose console it is.
    pub vm: VmId,
    /// For how many seconds the console takes it.
    pub expires_s: u32,
    /// What the host said.
    pub outcome: Result<(), String>,
}

impl Decide for FinishTicket {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let told = self.outcome.is_ok() && world.vms.contains(&self.vm);
        let set: Option<Event> = told.then(|| VmTicketSet { vm: self.vm, expires_s: self.expires_s }.into());
        let ended = JobEnded { job: self.job, failure: self.outcome.clone().err() };
        Ok(set.into_iter().chain([ended.into()]).collect())
    }
}
