//! Bringing hosts into service and taking them out of it.

use super::*;
use crate::check::Act;
use crate::command::Decide;
use crate::data_center::select_spm;
use crate::index::HostTerm;
use crate::job::JobEnded;
use crate::rejection::{Key, Rejection};
use crate::vm::Affinity;

/// A host that is coming up becomes the storage pool manager where its data center has none.
pub(crate) fn spm_with(world: &World, host: &Host) -> Option<Event> {
    let data_center = world.data_center_of(host.config.cluster)?;
    let wanted = data_center.master.is_some() && data_center.spm.is_none() && host.config.spm_priority >= 0;
    wanted.then(|| crate::data_center::SpmSelected { data_center: data_center.id, host: Some(host.id) }.into())
}

/// The manager of a data center moves off a host that leaves.
pub(crate) fn spm_without(world: &World, host: &Host) -> Option<Event> {
    let data_center = world.data_center_of(host.config.cluster)?;
    (data_center.spm == Some(host.id)).then(|| select_spm(world, data_center, Some(host.id))).flatten()
}

/// Takes a host out of maintenance.
#[derive(Clone, Debug)]
pub struct ActivateHost {
    /// Which host.
    pub host: HostId,
}

impl Decide for ActivateHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("activate", "Host");
        let host = world.host(self.host)?;
        match host.status {
            HostStatus::Up => return Err(act.no(Key::HostAlreadyUp)),
            HostStatus::NonResponsive => return Err(act.no(Key::HostNonResponsive)),
            HostStatus::Maintenance
            | HostStatus::NonOperational
            | HostStatus::Error
            | HostStatus::InstallFailed
            | HostStatus::PreparingForMaintenance => {}
            other => return Err(act.no(Key::HostCannotActivate).with("hostStatus", other.name())),
        }
        let mut events: Vec<Event> = evacuation(world, self.host)
            .map(|job| JobEnded { job, failure: Some(crate::job::SUPERSEDED.into()) }.into())
            .into_iter()
            .collect();
        events.push(status(host, HostStatus::Unassigned, ""));
        events.push(opened(cx, 0, format!("Activating Host {}", host.config.name), Task::ActivateHost { host: self.host }));
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        on(self.host, Permit::ManiputlateHost)
    }
}

fn evacuation(world: &World, host: HostId) -> Option<JobId> {
    crate::job::open_job(world, EntityRef::Host(host), |task| matches!(task, Task::EvacuateHost { .. })).map(|job| job.id)
}

/// Moves a host to maintenance: its VMs migrate away first.
#[derive(Clone, Debug)]
pub struct DeactivateHost {
    /// Which host.
    pub host: HostId,
}

impl Decide for DeactivateHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("deactivate", "Host");
        let host = world.host(self.host)?;
        use HostStatus::*;
        match host.status {
            Maintenance => return Err(act.no(Key::HostInMaintenance)),
            NonResponsive | Up | Error | Down | NonOperational => {}
            other => return Err(act.no(Key::HostStatusNotOperational).with("hostStatus", other.name())),
        }
        let managed = world.data_center_of(host.config.cluster).filter(|dc| dc.spm == Some(self.host));
        if managed.is_some_and(|dc| crate::spm::storage_at_work(world, dc.id)) {
            return Err(act.no(Key::HostIsBusySpm));
        }
        let running: Vec<_> = world.vms_on(self.host).collect();
        if host.status == NonResponsive && !running.is_empty() {
            return Err(act.no(Key::HostNonResponsiveWithVms));
        }
        let stuck: Vec<_> = running.iter().filter(|v| v.affinity() == Affinity::Pinned).map(|v| v.config.name.clone()).collect();
        if !stuck.is_empty() {
            return Err(act.no(Key::HostNonMigratableVms).with("vms", stuck.join(", ")));
        }
        let another = world.hosts.by(HostTerm::Cluster(host.config.cluster)).any(|h| h.id != self.host && h.status == Up);
        if !running.is_empty() && !another {
            return Err(act.no(Key::HostRunsVmsNoOther));
        }
        let mut events = vec![status(host, PreparingForMaintenance, "")];
        events.extend(spm_without(world, host));
        let description = format!("Moving Host {} to maintenance", host.config.name);
        events.push(opened(cx, 0, description, Task::EvacuateHost { host: self.host }));
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        on(self.host, Permit::ManiputlateHost)
    }
}

/// Ends an evacuation: the host is in maintenance once no VM has a place on it, or it stays as it was before.
#[derive(Clone, Debug)]
pub struct FinishEvacuation {
    /// Which host.
    pub host: HostId,
    /// The job that ends.
    pub job: JobId,
    /// Why it came to nothing, where it did.
    pub failure: Option<String>,
}

impl Decide for FinishEvacuation {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let Some(host) = world.hosts.get(&self.host).filter(|h| h.status == HostStatus::PreparingForMaintenance) else {
            return Ok(vec![JobEnded { job: self.job, failure: self.failure.clone() }.into()]);
        };
        if self.failure.is_none() && world.vms_on(self.host).next().is_some() {
            return Err(Key::StateMoved.into());
        }
        let (to, detail) = match (&self.failure, &host.before_maintenance) {
            (None, _) => (HostStatus::Maintenance, ""),
            (Some(why), (HostStatus::Up, _)) => (HostStatus::Up, why.as_str()),
            (Some(_), (before, detail)) => (*before, detail.as_str()),
        };
        Ok(vec![status(host, to, detail), JobEnded { job: self.job, failure: self.failure.clone() }.into()])
    }
}
