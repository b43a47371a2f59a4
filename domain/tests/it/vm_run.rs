//! How virtual machines run: starts, migrations, what is done to them, and what is observed of them.

mod actions;
mod migrate;
mod report;
mod start;

use evirt_domain::Key::{self, *};
use evirt_domain::host::HostStatus;
use evirt_domain::ids::*;
use evirt_domain::storage::{AttachmentStatus, DomainClass, DomainFile, ReportDomainFiles};
use evirt_domain::vm::*;
use evirt_domain::vm_run::VmState::*;
use evirt_domain::vm_run::*;
use evirt_domain::{Event, Rejection};

use crate::harness::*;

fn start(vm: VmId) -> StartVm {
    StartVm { vm, ..StartVm::default() }
}

fn once(vm: VmId, overrides: RunOverrides) -> StartVm {
    StartVm { vm, overrides, once: true, host: None }
}
