//! Images that a service keeps: image domains, disks made from images, and images made from disks.
//!
//! No host has a part in such a service, so that an image domain belongs to no data center. What it keeps is its own matter and is asked
//! of it each time; only what is done with it is recorded.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::disk::{Disk, DiskAdded, DiskConfig, DiskFormat, DiskStatus, check_room};
use crate::event::{Event, Stream, StreamKind};
use crate::fold;
use crate::ids::*;
use crate::job::{JobEnded, JobOpened, Task, open_job};
use crate::permit::Permit;
use crate::quota;
use crate::rejection::{Key, Rejection, not_found};
use crate::storage::*;
use crate::world::World;

/// The characters of an image's identifier that tell the disks made from it apart.
const SHORT_ID: usize = 7;

/// Which image of which domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredImage {
    /// The image domain.
    pub domain: StorageDomainId,
    /// Its identifier there.
    pub image: Uuid,
    /// As the service calls it.
    pub name: String,
}

/// A service of images, as a driver found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageService {
    /// What the domain that stands for it is called by.
    pub id: StorageDomainId,
    /// What it is called.
    pub name: String,
    /// Where it answers.
    pub address: String,
}

/// What a service says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// Identifier.
    pub id: Uuid,
    /// What the service calls it.
    pub name: String,
    /// As the service names it; disks are made of those that [`ImageFacts::disk_format`] knows.
    pub format: String,
    /// What a machine sees of it, in bytes.
    pub size: i64,
}

impl ImageFacts {
    /// The format of a disk that is made from it.
    pub fn disk_format(&self) -> Option<DiskFormat> {
        match self.format.as_str() {
            "raw" => Some(DiskFormat::Raw),
            "qcow2" => Some(DiskFormat::Cow),
            _ => None,
        }
    }
}

fn imported(service: &ImageService, config: StorageDomainConfig) -> Event {
    let storage = DomainStorage { service: service.address.clone(), ..DomainStorage::of(StorageKind::Glance) };
    let (domain, class, format) = (service.id, DomainClass::Image, StorageFormat::V1);
    StorageDomainImported { domain, config, class, storage, format, available: 0, used: 0 }.into()
}

/// The image domain that a service is known by.
fn known<'a>(world: &'a World, service: &ImageService) -> Option<&'a StorageDomain> {
    let same = |d: &&std::sync::Arc<StorageDomain>| d.id == service.id || d.storage.service == service.address;
    world.storage_domains.values().find(same).map(|d| &**d)
}

/// Adds an image domain for a service, which was asked before what it is.
#[derive(Clone, Debug)]
pub struct AddImageDomain {
    /// What a user says of it.
    pub config: StorageDomainConfig,
    /// The service, or why it does not answer.
    pub service: Result<ImageService, String>,
}

impl Decide for AddImageDomain {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "Storage");
        check_config(act, world, None, &self.config)?;
        let service = self.service.as_ref().map_err(|detail| act.no(Key::StorageMountFailed).with("detail", detail))?;
        match known(world, service) {
            Some(domain) => Err(act.no(Key::StorageConnectionExists).with("name", &domain.config.name)),
            None => Ok(vec![imported(service, self.config.clone())]),
        }
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateStorageDomain, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::CreateStorageDomain)
    }
}

/// A service that a driver offers: it gets an image domain, unless it has one, or had one that somebody removed.
#[derive(Clone, Debug)]
pub struct ReportImageService {
    /// The service.
    pub service: ImageService,
}

impl Decide for ReportImageService {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let before = world.version(&Stream::new(StreamKind::StorageDomain, self.service.id.0));
        if before > 0 || known(world, &self.service).is_some() {
            return Ok(Vec::new());
        }
        let name = self.service.name.clone();
        let config = StorageDomainConfig { name, description: String::new(), comment: String::new() };
        check_config(Act("add", "Storage"), world, None, &config)?;
        Ok(vec![imported(&self.service, config)])
    }
}

/// A domain of a class; another class does not fit.
fn of_class(act: Act, world: &World, id: StorageDomainId, class: DomainClass) -> Result<&StorageDomain, Rejection> {
    let domain = world.storage_domain(id)?;
    match domain.class == class {
        true => Ok(domain),
        false => Err(act.no(Key::DomainTypeIllegal).with("class", domain.class.name())),
    }
}

fn active(act: Act, domain: &StorageDomain) -> Result<(), Rejection> {
    match domain.is_in(AttachmentStatus::Active) {
        true => Ok(()),
        false => Err(act.no(Key::DomainNotActive).with("name", &domain.config.name)),
    }
}

/// Makes a floating disk from an image, which its service was asked for before.
#[derive(Clone, Debug)]
pub struct ImportImage {
    /// The image domain.
    pub from: StorageDomainId,
    /// Which image.
    pub image: Uuid,
    /// The data domain that takes the disk.
    pub to: StorageDomainId,
    /// The images that there are, or why the service does not answer.
    pub found: Result<Vec<ImageFacts>, String>,
}

impl Decide for ImportImage {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("import", "VM Disk");
        of_class(act, world, self.from, DomainClass::Image)?;
        let target = of_class(act, world, self.to, DomainClass::Data)?;
        let found = self.found.as_ref().map_err(|detail| act.no(Key::ImageDownloadError).with("detail", detail))?;
        let image = found.iter().find(|image| image.id == self.image);
        let image = image.ok_or_else(|| not_found(format_args!("Image: id={}", self.image)))?;
        let unusable = || act.no(Key::ImageNotSupported).with("name", &image.name).with("format", &image.format);
        let format = image.disk_format().ok_or_else(unusable)?;
        active(act, target)?;
        let short: String = image.id.simple().to_string().chars().take(SHORT_ID).collect();
        let config = DiskConfig {
            alias: format!("GlanceDisk-{short}"),
            description: image.name.chars().take(check::MAX_DESCRIPTION).collect(),
            size: image.size,
            shareable: false,
            wipe_after_delete: false,
            propagate_errors: false,
            quota: None,
            interface: None,
            bootable: false,
        };
        crate::disk::check_config(act, &config, format)?;
        let sparse = format == DiskFormat::Cow || !target.storage.kind.is_block();
        check_room(act, target, image.size)?;
        let strained = quota::consume_storage(act, world, cx, None, target, image.size)?;
        let disk: DiskId = cx.fresh(0);
        let from = StoredImage { domain: self.from, image: image.id, name: image.name.clone() };
        let description = format!("Importing Image {} to {}", image.name, target.config.name);
        let task = Task::ImportImage { disk, from: from.clone() };
        let added = DiskAdded { disk, config, format, sparse, storage_domain: self.to, image: cx.fresh(1), from: Some(from) };
        let opened = JobOpened { job: cx.fresh(2), description, task };
        Ok([added.into(), opened.into()].into_iter().chain(strained).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateDisk, EntityRef::StorageDomain(self.to)))
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, EntityRef)> {
        vec![(Permit::AccessImageStorage, EntityRef::StorageDomain(self.from))]
    }
}

/// A disk is being copied to a service of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskExportStarted {
    /// Which disk.
    pub disk: DiskId,
    /// The image that is made.
    pub to: StoredImage,
}

fold!(DiskExportStarted, Disk disk, |e, world, at| { set_status(world, e.disk, at, DiskStatus::Locked); });

/// A disk was copied to a service of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskExported {
    /// Which disk.
    pub disk: DiskId,
    /// The image that was made.
    pub to: StoredImage,
}

fold!(DiskExported, Disk disk, |e, world, at| { set_status(world, e.disk, at, DiskStatus::Ok); });

/// A disk could not be copied to a service of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskExportFailed {
    /// Which disk.
    pub disk: DiskId,
    /// The image that was to be made.
    pub to: StoredImage,
    /// Why.
    pub reason: String,
}

fold!(DiskExportFailed, Disk disk, |e, world, at| { set_status(world, e.disk, at, DiskStatus::Ok); });

fn set_status(world: &mut World, disk: DiskId, at: &crate::event::EventMetadata, status: DiskStatus) {
    world.disks.update(&disk, |d| {
        d.status = status;
        d.version = at.version;
    });
}

/// Copies a disk that no running VM has to an image domain.
#[derive(Clone, Debug)]
pub struct ExportDisk {
    /// Which disk.
    pub disk: DiskId,
    /// The image domain.
    pub to: StorageDomainId,
}

impl Decide for ExportDisk {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("export", "VM Disk");
        let disk: &Disk = world.disk(self.disk)?;
        let target = of_class(act, world, self.to, DomainClass::Image)?;
        let no = |key| act.no(key).with("disk", &disk.config.alias);
        match disk.status {
            DiskStatus::Ok => {}
            DiskStatus::Illegal => return Err(no(Key::DiskIllegal)),
            DiskStatus::Locked => {
                let exports = |task: &Task| matches!(task, Task::ExportDisk { .. });
                let exported = open_job(world, EntityRef::Disk(self.disk), exports).is_some();
                return Err(no(if exported { Key::DiskBeingExported } else { Key::DiskLocked }));
            }
        }
        if disk.vms.iter().filter_map(|vm| world.vms.get(vm)).any(|vm| !vm.is_down()) {
            return Err(act.no(Key::VmIsRunning));
        }
        active(act, world.storage_domain(disk.storage_domain)?)?;
        let to = StoredImage { domain: self.to, image: cx.fresh(0), name: disk.config.alias.clone() };
        let description = format!("Exporting Disk {} to {}", disk.config.alias, target.config.name);
        let task = Task::ExportDisk { disk: self.disk, to: to.clone() };
        let opened = JobOpened { job: cx.fresh(1), description, task };
        Ok(vec![DiskExportStarted { disk: self.disk, to }.into(), opened.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::AccessImageStorage, EntityRef::StorageDomain(self.to)))
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, EntityRef)> {
        vec![(Permit::AttachDisk, EntityRef::Disk(self.disk))]
    }
}

/// A disk was copied to a service of images, or could not be.
#[derive(Clone, Debug)]
pub struct FinishDiskExport {
    /// The job that ends.
    pub job: JobId,
    /// Which disk.
    pub disk: DiskId,
    /// Whether it came about, and if not why.
    pub outcome: Result<(), String>,
}

impl Decide for FinishDiskExport {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        if let Task::ExportDisk { to, .. } = &world.job(self.job)?.task
            && world.disks.contains(&self.disk)
        {
            let (disk, to) = (self.disk, to.clone());
            events.push(match &self.outcome {
                Ok(()) => DiskExported { disk, to }.into(),
                Err(reason) => DiskExportFailed { disk, to, reason: reason.clone() }.into(),
            });
        }
        events.push(JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}
