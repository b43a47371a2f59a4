//! Console tickets.

use evirt_domain::Key::{self, *};
use evirt_domain::disk::{DiskStatus, FinishDiskCreation};
use evirt_domain::host::HostStatus;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER};
use evirt_domain::storage::{DomainClass, DomainFile, ReportDomainFiles};
use evirt_domain::template::BLANK;
use evirt_domain::vm::*;
use evirt_domain::vm_run::VmState::*;
use evirt_domain::vm_run::{FinishTicket, SetTicket};
use evirt_domain::{Class, Event};

use crate::harness::*;

#[test]
fn a_ticket_is_told_of_once_the_host_took_it() {
    let mut estate = estate();
    let vm = estate.vm;
    let set = |expires_s| SetTicket { vm, sealed: "sealed".into(), expires_s };
    estate.when(set(60)).refused(VmStatusIllegal);
    estate.up(vm);
    estate.when(set(0)).refused(OutOfRange);
    estate.does(set(60));
    let job = estate.job();
    let finish = |outcome| FinishTicket { job, vm, expires_s: 60, outcome };
    estate.when(finish(Err("no console".into()))).then(&["JobEnded"]);
    estate.when(finish(Ok(()))).then(&["VmTicketSet", "JobEnded"]);
}
