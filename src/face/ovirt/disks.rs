//! Disks, floating or of virtual machines: the guide's chapter 16.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::disk::*;
use evirt_domain::ids::{DiskId, StorageDomainId};
use evirt_domain::storage::StorageDomain;
use evirt_domain::world::NameKind;
use evirt_projections::inventory::list_where;

use super::answer::{Answer, Handled};
use super::collection::{created, creating, remove};
use super::parts::{Statistic, first_id, given, listed, shown, text};
use super::representation::body::{Body, Need, NotYet, Way, When, need, not_yet};
use super::representation::types::DISK;
use super::representation::{Doc, Fault, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::status::creation_status;
use crate::app::statistics::{self, DiskStatistics};
use crate::app::storage;

routes! { ROUTES:
    "disks" => GET list, POST add [NEW];
    "disks/{}" => GET get, DELETE delete;
    "disks/{}/creation_status/{}" => GET creation_status;
    "storagedomains/{}/disks" => GET list_on_domain, POST add_on_domain [NEW_THERE];
    "storagedomains/{}/disks/{}" => GET get_on_domain, DELETE delete_on_domain;
    "storagedomains/{}/disks/{}/creation_status/{}" => GET creation_status;
    "datacenters/{}/storagedomains/{}/disks" => GET list_on_domain, POST add_on_domain [NEW_THERE];
    "datacenters/{}/storagedomains/{}/disks/{}" => GET get_on_domain, DELETE delete_on_domain;
    "datacenters/{}/storagedomains/{}/disks/{}/creation_status/{}" => GET creation_status;
    "disks/{}/statistics" => GET list_statistics;
    "disks/{}/statistics/{}" => GET get_statistic;
}

/// What a disk needs that is to be made.
pub const NEEDED: &[Need] = &[need("format interface"), need("provisioned_size|size")];

/// What a disk needs that is a whole logical unit.
pub const UNIT: Way = Way {
    when: When::Has("lun_storage"),
    needs: &[
        need("format interface"),
        need("type").within("lun_storage", "Storage"),
        need("address target port id").within("lun_storage.logical_unit", "LogicalUnit"),
    ],
};

/// A new disk.
const NEW: Body = Body::add(&DISK).ways(&[UNIT, Way { when: When::Always, needs: NEEDED }]).not_yet(DIRECT);

/// Disks that are whole logical units, and what there is for those alone.
pub const DIRECT: &[NotYet] = &[not_yet("lun_storage"), not_yet("sgio"), not_yet("snapshot")];

/// A new disk on the storage domain that the path names, unless one is taken on that lies there.
const NEW_THERE: Body = NEW.without("storage_domains").depends();

/// A disk that is taken on as it lies there.
const REGISTERED: Body = Body::only(&DISK, "").needs(&[need("id")]);

/// A disk that nothing but its body says the place of.
const PLACED: Body = Body::only(&DISK, "").needs(&[need("storage_domains.storage_domain.id|name")]);

/// The disk as the API shows it below `/disks`.
pub fn view(world: &World, base: &str, disk: &Disk) -> Doc {
    at(placeless(world, base, disk), &Place::of(base, disk.id))
}

fn placeless(world: &World, base: &str, disk: &Disk) -> Doc {
    let place = Place::of(base, disk.id);
    let attached = disk.vms.iter().find_map(|vm| {
        let attachments = &world.vms.get(vm)?.disks;
        attachments.iter().find(|a| a.disk == disk.id).copied()
    });
    common(base, disk)
        .opt("interface", attached.map(|a| a.interface).or(disk.config.interface).map(DiskInterface::name))
        .set("bootable", attached.map_or(disk.config.bootable, |a| a.bootable))
        .link("permissions", place.link().below("permissions"))
        .link("statistics", place.link().below("statistics"))
}

/// The disk with where it is shown and what can be done with it there.
fn at(disk: Doc, place: &Place) -> Doc {
    disk.at(place).actions(&["export"])
}

/// What a disk says wherever it is shown: all but its place, its links and how a virtual machine has it.
pub fn common(base: &str, disk: &Disk) -> Doc {
    let config = &disk.config;
    let domain = Doc::new().at(&Place::of(base, disk.storage_domain));
    Doc::new()
        .set("id", disk.id.to_string())
        .set("name", &config.alias)
        .set("alias", &config.alias)
        .opt("description", text(&config.description))
        .set("image_id", disk.image.to_string())
        .set("storage_domains", Doc::new().set("storage_domain", vec![domain]))
        .set("size", config.size)
        .set("provisioned_size", config.size)
        .set("actual_size", disk.actual_size)
        .set_path("status.state", disk.status.name())
        .set("format", disk.format.name())
        .set("sparse", disk.sparse)
        .set("shareable", config.shareable)
        .set("wipe_after_delete", config.wipe_after_delete)
        .set("propagate_errors", config.propagate_errors)
        .opt_path("quota.id", config.quota.map(|id| id.to_string()))
}

/// What is measured of a disk.
pub fn measures(load: &DiskStatistics) -> Vec<Statistic> {
    vec![
        Statistic::rate("data.current.read", "Read data rate", load.read_bytes_per_s),
        Statistic::rate("data.current.write", "Write data rate", load.written_bytes_per_s),
    ]
}

/// What a request says of a new disk; an empty alias is the domain's to fill.
pub fn config(request: &ApiRequest, sent: &Doc) -> Result<DiskConfig, Answer> {
    let yes = |field: &str| sent.bool(field).unwrap_or_default();
    Ok(DiskConfig {
        alias: given(sent, "alias").or_else(|| given(sent, "name")).unwrap_or_default(),
        description: given(sent, "description").unwrap_or_default(),
        size: sent.int("provisioned_size").or_else(|| sent.int("size")).unwrap_or_default(),
        shareable: yes("shareable"),
        wipe_after_delete: yes("wipe_after_delete"),
        propagate_errors: yes("propagate_errors"),
        quota: super::quotas::named(request, sent)?.flatten(),
        interface: interface(sent),
        bootable: yes("bootable"),
    })
}

/// How a VM is to see a disk.
pub fn interface(sent: &Doc) -> Option<DiskInterface> {
    sent.text("interface").and_then(DiskInterface::from_name)
}

/// The format that a request gives.
pub fn format(sent: &Doc) -> DiskFormat {
    sent.text("format").and_then(DiskFormat::from_name).unwrap_or(DiskFormat::Cow)
}

/// The storage domain that a request names for a disk: the first of `storage_domains`, or `storage_domain`.
pub fn storage_domain(request: &ApiRequest, sent: &Doc) -> Result<Option<StorageDomainId>, Answer> {
    let listed = sent.docs("storage_domains.storage_domain").next();
    let Some(domain) = listed.or_else(|| sent.doc("storage_domain")) else { return Ok(None) };
    request.reference(&Doc::new().set("it", domain.clone()), "it", NameKind::StorageDomain, "StorageDomain")
}

/// The storage domain of a new disk that has no other disk beside it: its body has to name one.
pub fn placed(request: &ApiRequest, sent: &Doc) -> Result<Option<StorageDomainId>, Answer> {
    let named = storage_domain(request, sent)?;
    // A whole logical unit lies on none.
    if named.is_none() && !sent.has("lun_storage") {
        request.check(&PLACED, sent)?;
        return Err(request.bad(&Fault::incomplete_parameters("Disk", ["storageDomains.id|name"], "add")));
    }
    Ok(named)
}

/// The disk that the path names.
pub fn disk<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<Disk>, Answer> {
    request.found(world.disks.get(&request.id(1)?), 1)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let found = request.list::<Disk>()?;
    listed(&request, &DISK, found.iter().map(|disk| view(&request.world, request.base, disk)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &DISK, &view(&request.world, request.base, disk(&request, &request.world)?))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&DISK)?;
    let storage_domain = placed(&request, &sent)?;
    make(&request, &sent, storage_domain, view).await
}

/// Makes a floating disk.
async fn make(
    request: &ApiRequest,
    sent: &Doc,
    storage_domain: Option<StorageDomainId>,
    view: impl Fn(&World, &str, &Disk) -> Doc,
) -> Handled {
    let (format, sparse) = (format(sent), sent.bool("sparse"));
    let outcome =
        request.submit(AddDisk { config: config(request, sent)?, format, sparse, storage_domain, attach: None }).await?;
    let id = first_id(&outcome).unwrap_or_default();
    creating(request, &DISK, &outcome, |world| world.disks.get(&id).map(|disk| view(world, request.base, disk))).await
}

/// The storage domain that the path goes through, and the segment that names the disk.
fn on_domain(request: &ApiRequest) -> Result<(Arc<StorageDomain>, usize), Answer> {
    let found = match request.segment(0) {
        "storagedomains" => (super::storagedomains::domain(request, &request.world)?.clone(), 3),
        _ => (super::datacenters::attached(request, &request.world)?.clone(), 5),
    };
    Ok(found)
}

/// The disk as the API shows it below what the path's first `n` segments name.
fn view_below(request: &ApiRequest, n: usize, world: &World, disk: &Disk) -> Doc {
    at(placeless(world, request.base, disk), &place_below(request, n, disk.id))
}

/// The place of a disk below what the path's first `n` segments name, the last of which is `disks`.
fn place_below(request: &ApiRequest, n: usize, disk: DiskId) -> Place {
    Place::at(request.base, &request.target.segments[..n - 1]).object_below(disk)
}

/// The disks that lie on a storage domain and are not known.
async fn unregistered(request: &ApiRequest, domain: StorageDomainId) -> Result<Vec<FoundDisk>, Answer> {
    request.refusing(storage::unregistered_disks(&request.app, &request.cx, domain).await)
}

/// A disk that is not known, as the API shows it below what the path's first `n` segments name.
fn view_found(request: &ApiRequest, n: usize, domain: StorageDomainId, disk: &FoundDisk) -> Doc {
    let place = Doc::new().at(&Place::of(request.base, domain));
    Doc::new()
        .at(&place_below(request, n, disk.id))
        .set("image_id", disk.image.to_string())
        .set("storage_domains", Doc::new().set("storage_domain", vec![place]))
        .set("size", disk.size)
        .set("provisioned_size", disk.size)
        .set("actual_size", disk.actual_size)
        .set_path("status.state", DiskStatus::Ok.name())
        .set("format", disk.format.name())
        .set("sparse", disk.sparse)
}

/// Takes a disk on that lies on the storage domain: the body names it by its identifier.
async fn register(request: &ApiRequest, sent: &Doc, domain: StorageDomainId, n: usize) -> Handled {
    request.check(&REGISTERED, sent)?;
    let id = sent.text("id").unwrap_or_default();
    let found = unregistered(request, domain).await?.into_iter().find(|disk| disk.id.to_string() == id);
    let found = found.ok_or_else(|| request.missing(format!("Disk: id={id}")))?;
    let id = found.id;
    let outcome = request.submit(RegisterDisk { storage_domain: domain, found, config: config(request, sent)? }).await?;
    let made = request.found(outcome.world.disks.get(&id), 0)?;
    created(request, &DISK, &view_below(request, n, &outcome.world, made))
}

async fn list_on_domain(request: Arc<ApiRequest>) -> Handled {
    let (domain, n) = on_domain(&request)?;
    if request.flag("unregistered")? {
        let found = unregistered(&request, domain.id).await?;
        return listed(&request, &DISK, found.iter().map(|disk| view_found(&request, n, domain.id, disk)));
    }
    let on_domain = |disk: &Disk| disk.storage_domain == domain.id;
    let found = list_where(request.view(), &request.query::<Disk>()?, on_domain);
    let found = found.map_err(|unknown| request.missing(unknown.0))?;
    listed(&request, &DISK, found.iter().map(|disk| view_below(&request, n, &request.world, disk)))
}

/// The disk that the path names, where it is on the storage domain that the path names.
pub fn disk_on_domain(request: &ApiRequest) -> Result<(Arc<Disk>, usize), Answer> {
    let (domain, n) = on_domain(request)?;
    let disk = request.world.disks.get(&request.id(n)?).filter(|disk| disk.storage_domain == domain.id);
    Ok((request.found(disk, n)?.clone(), n))
}

async fn get_on_domain(request: Arc<ApiRequest>) -> Handled {
    if request.flag("unregistered")? {
        let ((domain, n), id) = (on_domain(&request)?, request.segment(request.target.segments.len() - 1));
        let found = unregistered(&request, domain.id).await?.into_iter().find(|disk| disk.id.to_string() == id);
        return shown(&request, &DISK, &view_found(&request, n, domain.id, &request.found(found, n)?));
    }
    let (disk, n) = disk_on_domain(&request)?;
    shown(&request, &DISK, &view_below(&request, n, &request.world, &disk))
}

async fn add_on_domain(request: Arc<ApiRequest>) -> Handled {
    let (domain, n) = on_domain(&request)?;
    let sent = request.body(&DISK)?;
    if request.flag("unregistered")? {
        return register(&request, &sent, domain.id, n).await;
    }
    request.complete(&sent)?;
    make(&request, &sent, Some(domain.id), |world, _, disk| view_below(&request, n, world, disk)).await
}

async fn delete_on_domain(request: Arc<ApiRequest>) -> Handled {
    let (disk, _) = disk_on_domain(&request)?;
    remove(&request, RemoveDisk { disk: disk.id }).await
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let disk = disk(&request, &request.world)?.id;
    remove(&request, RemoveDisk { disk }).await
}

/// What is measured of the disk that the path names: the sum over the virtual machines that run with it.
fn measured(request: &ApiRequest) -> Result<(uuid::Uuid, Place, Vec<Statistic>), Answer> {
    let disk = disk(request, &request.world)?;
    let sum = statistics::of_disk(&request.app, disk);
    Ok((disk.id.0, Place::of(request.base, disk.id), measures(&sum)))
}

async fn list_statistics(request: Arc<ApiRequest>) -> Handled {
    let (id, place, measured) = measured(&request)?;
    Statistic::list(&request, id, "disk", &place, &measured)
}

async fn get_statistic(request: Arc<ApiRequest>) -> Handled {
    let (id, place, measured) = measured(&request)?;
    Statistic::one(&request, 3, id, "disk", &place, &measured)
}
