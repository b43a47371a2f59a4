//! The storage pool manager of a data center, as users choose it; `data_center` chooses where they do not.

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::check::Act;
use crate::command::Decide;
use crate::context::Context;
use crate::data_center::{DataCenter, SpmSelected, select_spm};
use crate::event::Event;
use crate::fold;
use crate::host::HostStatus;
use crate::ids::*;
use crate::job::Task;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::World;

/// A user chose the storage pool manager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpmForced {
    /// Which data center.
    pub data_center: DataCenterId,
    /// Which host.
    pub host: HostId,
}

fold!(SpmForced, DataCenter data_center, |e, world, at| {
    world.data_centers.update(&e.data_center, |d| d.version = at.version);
});

/// Whether a task works on what lies on storage domains that are meant.
fn on_disks(world: &World, task: &Task, meant: impl Fn(StorageDomainId) -> bool) -> bool {
    let of_disk = |disk: &DiskId| world.disks.get(disk).is_some_and(|d| meant(d.storage_domain));
    match task {
        Task::CreateDisk { disk } | Task::ExtendDisk { disk, .. } | Task::RemoveDisk { disk } => of_disk(disk),
        Task::ImportImage { disk, from: image } | Task::ExportDisk { disk, to: image } => of_disk(disk) || meant(image.domain),
        Task::RemoveVm { vm } => world.vms.get(vm).is_some_and(|v| v.disks.iter().any(|d| of_disk(&d.disk))),
        Task::ExtendStorageDomain { domain, .. } => meant(*domain),
        _ => false,
    }
}

/// Whether a task of this kind is open.
fn any_open(world: &World, wanted: impl Fn(&Task) -> bool) -> bool {
    world.open_jobs.iter().filter_map(|id| world.jobs.get(id)).any(|job| wanted(&job.task))
}

/// Whether work on what lies on a storage domain is open.
pub(crate) fn domain_at_work(world: &World, domain: StorageDomainId) -> bool {
    any_open(world, |task| on_disks(world, task, |meant| meant == domain))
}

/// Whether work on the storage of a data center is open, which its manager carries out.
pub(crate) fn storage_at_work(world: &World, data_center: DataCenterId) -> bool {
    let attached = |domain| world.storage_domains.get(&domain).is_some_and(|d| d.attachment_in(data_center).is_some());
    let at_work = |task: &Task| match task {
        Task::AttachStorageDomain { data_center: of, .. }
        | Task::ActivateStorageDomain { data_center: of, .. }
        | Task::DeactivateStorageDomain { data_center: of, .. }
        | Task::DetachStorageDomain { data_center: of, .. }
        | Task::UpgradeStorage { data_center: of, .. } => *of == data_center,
        task => on_disks(world, task, attached),
    };
    any_open(world, at_work)
}

/// Makes a host the storage pool manager of its data center, whatever its priority but -1.
#[derive(Clone, Debug)]
pub struct ForceSelectSpm {
    /// Which host.
    pub host: HostId,
}

impl Decide for ForceSelectSpm {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("force select", "SPM");
        let host = world.host(self.host)?;
        let no = |key| act.no(key).with("VdsName", &host.config.name);
        if host.status != HostStatus::Up {
            return Err(no(Key::SpmHostNotUp));
        }
        let pool: Option<&DataCenter> = world.data_center_of(host.config.cluster).map(|dc| &**dc);
        let pool = pool.filter(|dc| dc.master.is_some()).ok_or_else(|| no(Key::SpmHostNotInPool))?;
        if pool.spm == Some(self.host) {
            return Err(no(Key::SpmHostAlready));
        }
        if host.config.spm_priority < 0 {
            return Err(no(Key::SpmHostNever));
        }
        if storage_at_work(world, pool.id) {
            return Err(no(Key::SpmPoolBusy));
        }
        Ok(vec![
            SpmForced { data_center: pool.id, host: self.host }.into(),
            SpmSelected { data_center: pool.id, host: Some(self.host) }.into(),
        ])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ManiputlateHost, EntityRef::Host(self.host)))
    }
}

/// A host did not become the storage pool manager that it was to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpmFailed {
    /// Which data center.
    pub data_center: DataCenterId,
    /// Which host.
    pub host: HostId,
    /// Why.
    pub reason: String,
}

fold!(SpmFailed, DataCenter data_center, |e, world, at| {
    world.data_centers.update(&e.data_center, |dc| {
        dc.spm_failed = Some(e.host);
        dc.version = at.version;
    });
});

/// A host did not become the storage pool manager: the next best is tried, if there is one.
#[derive(Clone, Debug)]
pub struct FailSpm {
    /// Which data center.
    pub data_center: DataCenterId,
    /// Which host.
    pub host: HostId,
    /// Why.
    pub reason: String,
}

impl Decide for FailSpm {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let pool = world.data_center(self.data_center)?;
        if pool.spm != Some(self.host) {
            return Ok(Vec::new());
        }
        let next = select_spm(world, pool, Some(self.host));
        let failed = SpmFailed { data_center: self.data_center, host: self.host, reason: self.reason.clone() };
        let next = next.filter(|e| matches!(e, Event::SpmSelected(e) if e.host.is_some()));
        // Trying the same one again and again is told once.
        let news = next.is_some() || pool.spm_failed != Some(self.host);
        Ok(news.then(|| failed.into()).into_iter().chain(next).collect())
    }
}
