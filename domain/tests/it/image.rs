//! Images: services of them as storage domains, disks made of them, and images made of disks.

use evirt_domain::Actor;
use evirt_domain::Key::*;
use evirt_domain::disk::*;
use evirt_domain::ids::*;
use evirt_domain::image::*;
use evirt_domain::install::DEFAULT_DATA_CENTER;
use evirt_domain::storage::*;
use evirt_domain::vm_run::StartVm;
use uuid::Uuid;

use crate::harness::*;

fn service() -> ImageService {
    ImageService { id: StorageDomainId(Uuid::from_u128(7)), name: "repository".into(), address: "glance.example.com".into() }
}

fn add(name: &str) -> AddImageDomain {
    let config = StorageDomainConfig { name: name.into(), description: String::new(), comment: String::new() };
    AddImageDomain { config, service: Ok(service()) }
}

fn image(format: &str, size: i64) -> ImageFacts {
    ImageFacts { id: Uuid::from_u128(0xabcdef << 104), name: "CirrOS".into(), format: format.into(), size }
}

#[test]
fn a_service_that_is_offered_is_taken_once() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    story.active_domain(host, "data", DomainClass::Data);
    let domain = service().id;
    story.actor = Actor::System;
    story.when(ReportImageService { service: service() }).then(&["StorageDomainImported"]);
    story.does(ReportImageService { service: service() });
    story.when(ReportImageService { service: service() }).then(&[]);
    story.when(add("again")).refused(StorageConnectionExists);
    story.when(AttachStorageDomain { domain, data_center: DEFAULT_DATA_CENTER }).refused(DomainTypeIllegal);
    let remove = RemoveStorageDomain { domain, host: Some(host), format: true, destroy: false };
    story.when(remove.clone()).then(&["StorageDomainRemoved"]);
    story.does(remove);
    // Who removed it does not want it; who asks for it gets it again.
    story.when(ReportImageService { service: service() }).then(&[]);
    story.when(AddImageDomain { service: Err("no answer".into()), ..add("again") }).refused(StorageMountFailed);
    story.when(add("data")).refused(StorageDomainNameInUse);
    story.does(add("again"));
    assert_eq!(story.world.storage_domains.get(&domain).expect("added").storage.service, "glance.example.com");
}

#[test]
fn a_disk_is_made_of_an_image() {
    let mut estate = estate();
    let (from, to) = (service().id, estate.domain);
    estate.does(add("repository"));
    let of = |facts: ImageFacts| ImportImage { from, image: facts.id, to, found: Ok(vec![facts]) };
    let cow = image("qcow2", GIB);
    for (command, key) in [
        (of(image("iso", GIB)), ImageNotSupported),
        (of(image("raw", MIN_DISK - 1)), OutOfRange),
        (of(image("raw", 496 * GIB)), DiskSpaceLow),
        (ImportImage { found: Ok(Vec::new()), ..of(cow.clone()) }, EntityNotFound),
        (ImportImage { found: Err("no answer".into()), ..of(cow.clone()) }, ImageDownloadError),
        (ImportImage { from: to, ..of(cow.clone()) }, DomainTypeIllegal),
        (ImportImage { to: from, ..of(cow.clone()) }, DomainTypeIllegal),
        (ImportImage { to: nowhere(), ..of(cow.clone()) }, EntityNotFound),
    ] {
        estate.when(command).refused(key);
    }
    estate.when(of(cow.clone())).then(&["DiskAdded", "JobOpened"]);
    estate.does(of(cow.clone()));
    let disk = estate.world.disks.values().find(|d| d.config.description == "CirrOS").expect("added").clone();
    assert_eq!((disk.config.alias.as_str(), disk.format, disk.config.size), ("GlanceDisk-abcdef0", DiskFormat::Cow, GIB));
    let job = estate.job();
    let mut failed = estate.clone();
    failed.does(FinishDiskCreation { job, disk: disk.id, outcome: Err("cut off".into()) });
    assert_eq!(failed.world.disks.get(&disk.id).map(|d| d.status), Some(DiskStatus::Illegal));
    estate.does(FinishDiskCreation { job, disk: disk.id, outcome: Ok(GIB) });
    estate.domain_is(to, AttachmentStatus::Maintenance);
    estate.when(of(cow)).refused(DomainNotActive);
}

#[test]
fn an_image_is_made_of_a_disk() {
    let mut estate = estate();
    let (vm, domain, to) = (estate.vm, estate.domain, service().id);
    estate.does(add("repository"));
    let disk = estate.world.vms.get(&vm).expect("the VM").disks[0].disk;
    let export = || ExportDisk { disk, to };
    estate.when(ExportDisk { to: domain, ..export() }).refused(DomainTypeIllegal);
    estate.when(ExportDisk { disk: nowhere(), ..export() }).refused(EntityNotFound);
    let mut running = estate.clone();
    running.does(StartVm { vm, ..StartVm::default() });
    running.when(export()).refused(VmIsRunning);
    estate.when(export()).then(&["DiskExportStarted", "JobOpened"]);
    estate.does(export());
    let job = estate.job();
    estate.when(export()).refused(DiskBeingExported);
    estate.when(DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER }).refused(MasterWithTasks);
    estate.when(RemoveStorageDomain { domain: to, host: None, format: false, destroy: false }).refused(StateMoved);
    estate.when(RemoveDisk { disk }).refused(DiskLocked);
    estate.when(StartVm { vm, ..StartVm::default() }).refused(DiskLocked);
    estate.when(FinishDiskExport { job, disk, outcome: Err("full".into()) }).then(&["DiskExportFailed", "JobEnded"]);
    estate.does(FinishDiskExport { job, disk, outcome: Ok(()) });
    assert_eq!(estate.world.disks.get(&disk).map(|d| d.status), Some(DiskStatus::Ok));
    estate.domain_is(domain, AttachmentStatus::Maintenance);
    estate.when(export()).refused(DomainNotActive);
}
