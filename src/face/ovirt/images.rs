//! The images of image domains: listing them, making disks of them, and making images of disks. What a service keeps is asked of it.

use std::sync::Arc;

use evirt_domain::ids::{DiskId, StorageDomainId};
use evirt_domain::image::{ExportDisk, ImageFacts};
use evirt_domain::storage::{DomainClass, StorageDomain};
use evirt_domain::world::NameKind;

use super::answer::{Answer, Handled};
use super::parts::{listed, shown};
use super::representation::body::{Body, need};
use super::representation::types::IMAGE;
use super::representation::{Doc, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::work::{acted, carry_out};
use crate::app::image as app;

routes! { ROUTES:
    "storagedomains/{}/images" => GET list;
    "storagedomains/{}/images/{}" => GET get;
    "storagedomains/{}/images/{}/import" => POST import [TO.needs(&[need("storage_domain.id|name").of("doImport")])];
    "disks/{}/export" => POST export [EXPORT];
    "storagedomains/{}/disks/{}/export" => POST export_on_domain [EXPORT];
    "datacenters/{}/storagedomains/{}/disks/{}/export" => POST export_on_domain [EXPORT];
}

/// What names where an image is to go.
const TO: Body = Body::action("");

/// The making of an image of a disk.
const EXPORT: Body = TO.needs(&[need("storage_domain.id|name").of("doExport")]);

/// An image as the API shows it.
fn view(base: &str, domain: &StorageDomain, image: &ImageFacts) -> Doc {
    let place = Place::of(base, domain.id);
    Doc::new()
        .at(&place.below("images", image.id))
        .set("name", &image.name)
        .reference_to("storage_domain", &place)
        .actions(&["import"])
}

/// The image domain that the path names; others have no images.
fn image_domain(request: &ApiRequest) -> Result<&Arc<StorageDomain>, Answer> {
    let domain = super::storagedomains::domain(request, &request.world)?;
    request.found((domain.class == DomainClass::Image).then_some(domain), 1)
}

/// The images of a domain, or the answer that its service does not say.
async fn images(request: &ApiRequest, domain: &StorageDomain) -> Result<Vec<ImageFacts>, Answer> {
    request.refusing(app::list(&request.app, domain).await)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let domain = image_domain(&request)?;
    let found = images(&request, domain).await?;
    listed(&request, &IMAGE, found.iter().map(|image| view(request.base, domain, image)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    let domain = image_domain(&request)?;
    let (id, found) = (request.id::<uuid::Uuid>(3)?, images(&request, domain).await?);
    shown(&request, &IMAGE, &view(request.base, domain, request.found(found.iter().find(|image| image.id == id), 3)?))
}

/// The storage domain that an action names.
fn target(request: &ApiRequest, sent: &Doc) -> Result<StorageDomainId, Answer> {
    request.needed(sent, "storage_domain", NameKind::StorageDomain, "StorageDomain")
}

async fn import(request: Arc<ApiRequest>) -> Handled {
    let domain = image_domain(&request)?;
    let image = request.id(3)?;
    let sent = request.action()?;
    let to = target(&request, &sent)?;
    let begun = app::import(&request.app, &request.cx, request.wait(&sent)?, domain, image, to).await;
    acted(&request, sent, begun)
}

async fn export_disk(request: &Arc<ApiRequest>, disk: DiskId) -> Handled {
    let sent = request.action()?;
    let to = target(request, &sent)?;
    carry_out(request, sent, ExportDisk { disk, to }).await
}

async fn export(request: Arc<ApiRequest>) -> Handled {
    let disk = super::disks::disk(&request, &request.world)?.id;
    export_disk(&request, disk).await
}

async fn export_on_domain(request: Arc<ApiRequest>) -> Handled {
    let disk = super::disks::disk_on_domain(&request)?.0.id;
    export_disk(&request, disk).await
}
