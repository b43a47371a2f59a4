//! The images of image domains: listing them, making disks of them, and making images of disks. What a service keeps is asked of it.

use std::sync::Arc;

use evirt_domain::ids::{DiskId, StorageDomainId};
use evirt_domain::image::{ExportDisk, ImageFacts, ImportImage};
use evirt_domain::storage::{DomainClass, StorageDomain};
use evirt_domain::world::NameKind;

use super::answer::{Answer, Handled};
use super::parts::{listed, shown};
use super::probe;
use super::representation::check::require;
use super::representation::types::IMAGE;
use super::representation::{Doc, Fault};
use super::request::Call;
use super::route::routes;
use super::work::carry_out;

routes! { ROUTES:
    "storagedomains/{}/images" => GET list;
    "storagedomains/{}/images/{}" => GET get;
    "storagedomains/{}/images/{}/import" => POST import;
    "disks/{}/export" => POST export;
    "storagedomains/{}/disks/{}/export" => POST export_on_domain;
    "datacenters/{}/storagedomains/{}/disks/{}/export" => POST export_on_domain;
}

/// An image as the API shows it.
fn view(base: &str, domain: &StorageDomain, image: &ImageFacts) -> Doc {
    let domain_href = format!("{base}/storagedomains/{}", domain.id);
    let href = format!("{domain_href}/images/{}", image.id);
    Doc::new()
        .set("id", image.id.to_string())
        .set("name", &image.name)
        .reference("storage_domain", domain.id.to_string(), domain_href)
        .action("import", format!("{href}/import"))
        .set("href", href)
}

/// The image domain that the path names; others have no images.
fn image_domain(call: &Call) -> Result<&Arc<StorageDomain>, Answer> {
    let domain = super::storagedomains::domain(call, &call.world)?;
    call.found((domain.class == DomainClass::Image).then_some(domain), 1)
}

/// The images of a domain, or the answer that its service does not say.
async fn images(call: &Call, domain: &StorageDomain) -> Result<Vec<ImageFacts>, Answer> {
    let found = probe::images(&**call.engine().driver(), &domain.storage.service).await;
    found.map_err(|why| call.bad(&Fault::operation_failed([why])))
}

async fn list(call: Arc<Call>) -> Handled {
    let domain = image_domain(&call)?;
    let found = images(&call, domain).await?;
    listed(&call, &IMAGE, found.iter().map(|image| view(call.base, domain, image)))
}

async fn get(call: Arc<Call>) -> Handled {
    let domain = image_domain(&call)?;
    let (id, found) = (call.id::<uuid::Uuid>(3)?, images(&call, domain).await?);
    shown(&call, &IMAGE, &view(call.base, domain, call.found(found.iter().find(|image| image.id == id), 3)?))
}

/// The storage domain that an action names.
fn target(call: &Call, sent: &Doc, method: &'static str) -> Result<StorageDomainId, Answer> {
    require(sent, "Action", method, &["storageDomain.id|name"]).map_err(|fault| call.bad(&fault))?;
    call.needed(sent, "storage_domain", NameKind::StorageDomain, "StorageDomain")
}

async fn import(call: Arc<Call>) -> Handled {
    let domain = image_domain(&call)?;
    let (from, image) = (domain.id, call.id(3)?);
    let sent = call.action()?;
    let to = target(&call, &sent, "doImport")?;
    let found = probe::images(&**call.engine().driver(), &domain.storage.service).await;
    carry_out(&call, sent, ImportImage { from, image, to, found }).await
}

async fn export_disk(call: &Arc<Call>, disk: DiskId) -> Handled {
    let sent = call.action()?;
    let to = target(call, &sent, "doExport")?;
    carry_out(call, sent, ExportDisk { disk, to }).await
}

async fn export(call: Arc<Call>) -> Handled {
    let disk = super::disks::disk(&call, &call.world)?.id;
    export_disk(&call, disk).await
}

async fn export_on_domain(call: Arc<Call>) -> Handled {
    let disk = super::disks::disk_on_domain(&call)?.0.id;
    export_disk(&call, disk).await
}
