//! Storage domains and the files of ISO domains: the guide's chapter 12.

use std::sync::Arc;

use evirt_domain::ids::{DataCenterId, HostId, StorageConnectionId};
use evirt_domain::permit::Permit;
use evirt_domain::storage::*;
use evirt_domain::storage_connection::{ConnectionConfig, ConnectionPatch};
use evirt_domain::world::NameKind;
use evirt_domain::{Decide, World};

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, check_settled, created};
use super::parts::{first_id, given, listed, shown, text};
use super::representation::body::{Body, Need, Way, When, need};
use super::representation::types::{ACTION, FILE, STORAGE_DOMAIN};
use super::representation::{Doc, Fault, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::storageconnections as connections;
use super::work::removed_after;
use crate::app::storage::{self as app, NewDomain};
use crate::app::{Done, Refused};

routes! { ROUTES:
    "storagedomains" => GET list, POST add [NEW]: CreateStorageDomain::least;
    "storagedomains/{}" => GET get, PUT update [EXTENDED], DELETE delete [REMOVED];
    "storagedomains/{}/files" => GET list_files;
    "storagedomains/{}/files/{}" => GET get_file;
}

/// What every domain needs that a host has a part in.
const ON_HOST: Need = need("host.id|name type storage");
/// An ISO or export domain without a name is one that is there already.
const NAMED: Need = need("name").unless(When::Is("type", &["iso", "export"]));
const TYPED: Need = need("storage.type");

/// A new domain: what it needs, in the order in which upstream looks.
const NEW: Body = Body::add(&STORAGE_DOMAIN).ways(&[
    Way { when: When::Is("type", &["image"]), needs: &[need("name storage"), need("storage.type storage.address")] },
    Way { when: When::Has("storage.id"), needs: &[ON_HOST, need("storage.id"), NAMED] },
    Way {
        when: When::Is("storage.type", &["nfs"]),
        needs: &[ON_HOST, TYPED, need("path").within("storage", "Storage"), need("address").within("storage", "Storage"), NAMED],
    },
    Way {
        when: When::Is("storage.type", &["posixfs", "glusterfs"]),
        needs: &[ON_HOST, TYPED, need("path").within("storage", "Storage"), need("vfs_type").within("storage", "Storage"), NAMED],
    },
    Way {
        when: When::Is("storage.type", &["localfs"]),
        needs: &[ON_HOST, TYPED, need("path").within("storage", "Storage"), NAMED],
    },
    Way {
        when: When::Always,
        needs: &[
            ON_HOST,
            TYPED,
            need("id").within("storage.logical_unit|storage.volume_group.logical_unit", "LogicalUnit"),
            NAMED,
        ],
    },
]);

/// A change; one that brings logical units along needs a host that sees them.
const EXTENDED: Body = Body::update(&STORAGE_DOMAIN).needs(&[need("host.id|name").of("update")]).depends();

/// A removal, by a host unless none has a part in the domain.
const REMOVED: Body = Body::only(&STORAGE_DOMAIN, "format destroy").needs(&[need("host.id|name").of("remove")]).depends();

/// The storage domain as the API shows it below `/storagedomains`: its status is its data center's matter once it has one.
pub fn view(world: &World, base: &str, domain: &StorageDomain) -> Doc {
    let state = match (domain.state, domain.attachment()) {
        (DomainState::Ready, None) => Some("unattached"),
        (DomainState::Ready, Some(_)) => None,
        (DomainState::Creating | DomainState::Removing, _) => Some("locked"),
    };
    let links: &[&str] = match domain.class {
        DomainClass::Iso => &["permissions", "storageconnections", "files"],
        DomainClass::Data => &["permissions", "storageconnections", "disks"],
        DomainClass::Image => &["permissions", "images"],
        DomainClass::Export => &["permissions", "storageconnections"],
    };
    common(world, &Place::of(base, domain.id), domain).opt_path("status.state", state).links(links)
}

/// The storage domain as the API shows it below a data center, with its status there.
pub fn attached_view(world: &World, base: &str, domain: &StorageDomain, data_center: DataCenterId) -> Doc {
    let Some(attachment) = domain.attachment_in(data_center) else {
        return view(world, base, domain);
    };
    let center = Place::of(base, attachment.data_center);
    common(world, &center.object_below(domain.id), domain)
        .set_path("status.state", attachment.status.name())
        .reference_to("data_center", &center)
        .links(&["disks"])
        .actions(&["activate", "deactivate"])
}

fn common(world: &World, place: &Place, domain: &StorageDomain) -> Doc {
    // How full a service of images is is its own matter.
    let known = domain.state == DomainState::Ready && domain.class != DomainClass::Image;
    Doc::new()
        .at(place)
        .set("name", &domain.config.name)
        .opt("description", text(&domain.config.description))
        .opt("comment", text(&domain.config.comment))
        .set("type", domain.class.name())
        .set("master", domain.is_master(world))
        .set("storage", storage(world, &domain.storage))
        .opt("available", known.then_some(domain.available))
        .opt("used", known.then_some(domain.used))
        .set("committed", domain.committed(world))
        .set("storage_format", domain.format.name())
}

fn storage(world: &World, storage: &DomainStorage) -> Doc {
    let located = storage.located(world);
    if !storage.kind.is_block() {
        let id = storage.connections.first().map(ToString::to_string);
        return connections::fields(&located.server).opt("id", id);
    }
    let units: Vec<Doc> = located
        .luns
        .iter()
        .map(|lun| {
            let unit = match &lun.portal {
                None => Doc::new().set("id", &lun.id),
                Some(portal) => Doc::new()
                    .set("id", &lun.id)
                    .set("address", &portal.address)
                    .set("port", portal.port)
                    .set("target", &portal.target)
                    .opt("username", text(&portal.username)),
            };
            match &lun.device {
                None => unit,
                Some(device) => unit
                    .set("serial", &device.serial)
                    .set("vendor_id", &device.vendor)
                    .set("product_id", &device.product)
                    .set("lun_mapping", device.number),
            }
        })
        .collect();
    Doc::new().set("type", storage.kind.name()).set_path("volume_group.logical_unit", units)
}

/// A file of an ISO domain as the API shows it.
pub fn file_view(base: &str, domain: &StorageDomain, file: &DomainFile) -> Doc {
    let place = Place::of(base, domain.id);
    let kind = match file.name.rsplit_once('.') {
        Some((_, ending)) if ending.eq_ignore_ascii_case("vfd") => "vfd",
        _ => "iso",
    };
    Doc::new()
        .at(&place.below("files", &file.name))
        .set("name", &file.name)
        .set("type", kind)
        .reference_to("storage_domain", &place)
}

/// What a request says of a storage domain that is to be changed.
fn patch(sent: &Doc) -> StorageDomainPatch {
    StorageDomainPatch { name: given(sent, "name"), description: given(sent, "description"), comment: given(sent, "comment") }
}

/// What a request says of a new storage domain.
fn config(sent: &Doc) -> StorageDomainConfig {
    let mut config = StorageDomainConfig { name: String::new(), description: String::new(), comment: String::new() };
    config.apply(&patch(sent));
    config
}

/// Whether a request takes in what is on the storage already: an ISO or export domain, said by leaving out the name.
fn existing(sent: &Doc) -> bool {
    matches!(sent.text("type"), Some("iso" | "export")) && !sent.has("name")
}

/// The logical units of a storage, given right there or within a volume group.
fn units(storage: &Doc) -> impl Iterator<Item = &Doc> {
    storage.docs("logical_unit").chain(storage.docs("volume_group.logical_unit"))
}

/// Where a request says that the storage is.
fn sent_storage(request: &ApiRequest, sent: &Doc) -> Result<Storage, Answer> {
    let empty = Doc::new();
    let storage = sent.doc("storage").unwrap_or(&empty);
    if let Some(id) = storage.text("id") {
        let known = uuid::Uuid::parse_str(id).ok().map(StorageConnectionId);
        let known = known.and_then(|id| request.world.storage_connections.get(&id));
        let known = known.ok_or_else(|| request.missing(format!("StorageConnection: id={id}")))?;
        return Ok(Storage { connection: Some(known.id), ..Storage::files(known.config.clone()) });
    }
    let kind = storage.text("type").and_then(StorageKind::from_name).unwrap_or(StorageKind::Nfs);
    check_units(request, kind, storage)?;
    if !kind.is_block() {
        return Ok(Storage::files(connections::config(request, kind, storage)?));
    }
    let luns = units(storage).map(|unit| lun(request, kind, storage, unit)).collect::<Result<_, _>>()?;
    Ok(Storage { server: ConnectionConfig::of(kind), connection: None, luns })
}

/// Refuses logical units, and what is to become of them, where storage has none.
fn check_units(request: &ApiRequest, kind: StorageKind, storage: &Doc) -> Result<(), Answer> {
    let named = ["logical_unit", "volume_group", "override_luns"].into_iter().find(|field| match *field {
        "override_luns" => storage.bool(field) == Some(true),
        field => storage.has(field),
    });
    match named.filter(|_| !kind.is_block()) {
        Some(field) => {
            let detail = format!("Storage of the type {} has no logical units, and cannot have storage.{field}.", kind.name());
            Err(request.bad(&Fault::operation_failed([detail])))
        }
        None => Ok(()),
    }
}

/// A logical unit that a request names; what it does not say of its portal the storage around it may.
fn lun(request: &ApiRequest, kind: StorageKind, storage: &Doc, unit: &Doc) -> Result<Lun, Answer> {
    let id = given(unit, "id").unwrap_or_default();
    let said = |field: &str| unit.has(field) || storage.has(field);
    if kind != StorageKind::Iscsi || !(said("address") || said("target")) {
        return Ok(Lun { id, portal: None, device: None });
    }
    let mut portal = connections::config(request, kind, storage)?;
    portal.apply(&ConnectionPatch { kind: None, path: None, ..connections::patch(request, unit)? });
    portal.path.clear();
    Ok(Lun { id, portal: Some(portal), device: None })
}

/// The storage domain that the path names.
pub fn domain<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<StorageDomain>, Answer> {
    request.found(world.storage_domains.get(&request.id(1)?), 1)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let found = request.list::<StorageDomain>()?;
    listed(&request, &STORAGE_DOMAIN, found.iter().map(|d| view(&request.world, request.base, d)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &STORAGE_DOMAIN, &view(&request.world, request.base, domain(&request, &request.world)?))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&STORAGE_DOMAIN)?;
    if let Some(made) = add_image_domain(&request, &sent).await? {
        return Ok(made);
    }
    let host: HostId = request.needed(&sent, "host", NameKind::Host, "Host")?;
    let storage = sent_storage(&request, &sent)?;
    let class = sent.text("type").and_then(DomainClass::from_name).unwrap_or(DomainClass::Data);
    // What is there stays as it is, and what is made is always formatted.
    if sent.bool("format").is_some_and(|format| format == existing(&sent)) {
        let detail = "Cannot add Storage. A storage domain is formatted when it is made, and not when it is imported: format.";
        return Err(request.bad(&Fault::operation_failed([detail])));
    }
    let made = if existing(&sent) {
        app::import(&request.app, &request.cx, config(&sent), class, host, storage).await
    } else {
        let format = sent.text("storage_format").and_then(StorageFormat::from_name);
        let overwrite = storage.kind().is_block() && sent.bool("storage.override_luns") == Some(true);
        let new = NewDomain { config: config(&sent), class, format, host, storage, overwrite };
        app::create(&request.app, &request.cx, new).await
    };
    created_domain(&request, made).await
}

/// The answer to what made a storage domain.
async fn created_domain(request: &ApiRequest, made: Result<Done, Refused>) -> Handled {
    let done = request.refusing(made)?;
    let made = first_id(&done.outcome).and_then(|id| done.world.storage_domains.get(&id));
    created(request, &STORAGE_DOMAIN, &view(&done.world, request.base, request.found(made, 0)?))
}

/// Adds an image domain, where the request is for one: no host has a part in it.
async fn add_image_domain(request: &ApiRequest, sent: &Doc) -> Result<Option<Answer>, Answer> {
    let is = |path, name| sent.text(path) == Some(name);
    let (class, kind) = (DomainClass::Image.name(), StorageKind::Glance.name());
    if !is("type", class) && !is("storage.type", kind) {
        return Ok(None);
    }
    if !(is("type", class) && is("storage.type", kind)) {
        let detail = format!("Cannot add Storage. The fields type {class} and storage.type {kind} go together.");
        return Err(request.bad(&Fault::operation_failed([detail])));
    }
    let address = sent.text("storage.address").unwrap_or_default();
    let made = app::add_image_service(&request.app, &request.cx, config(sent), address).await;
    created_domain(request, made).await.map(Some)
}

/// What stays as the domain was made.
const SETTLED: &[&str] =
    &["type", "storage_format", "storage.id", "storage.type", "storage.address", "storage.path", "storage.vfs_type"];

async fn update(request: Arc<ApiRequest>) -> Handled {
    let current = domain(&request, &request.world)?;
    let sent = request.body(&STORAGE_DOMAIN)?;
    let shown_now = view(&request.world, request.base, current);
    check_immutable(&request, &STORAGE_DOMAIN, &shown_now, &sent)?;
    check_settled(&request, &shown_now, &sent, SETTLED)?;
    let storage = sent.doc("storage").cloned().unwrap_or_default();
    let kind = current.storage.kind;
    check_units(&request, kind, &storage)?;
    let new = |unit: &&Doc| unit.text("id").is_some_and(|id| current.storage.luns.iter().all(|lun| lun.id != id));
    let luns = units(&storage).filter(new).map(|unit| lun(&request, kind, &storage, unit)).collect::<Result<Vec<_>, _>>()?;
    if !luns.is_empty() {
        request.complete(&sent)?;
    }
    let host: Option<HostId> = request.reference(&sent, "host", NameKind::Host, "Host")?;
    if let Some(unknown) = host.filter(|id| !request.world.hosts.contains(id)) {
        return Err(request.missing(format!("Host: {unknown}")));
    }
    let domain_id = current.id;
    let extension = match host.filter(|_| !luns.is_empty()) {
        Some(host) => {
            request.refusing(request.cx.may(Some(Permit::EditStorageDomainConfiguration)))?;
            let luns = request.refusing(app::described(&request.app, host, kind, luns).await)?;
            Some(ExtendStorageDomain { domain: domain_id, host, luns })
        }
        None => None,
    };
    let outcome = request.submit(UpdateStorageDomain { domain: domain_id, changes: patch(&sent), extension }).await?;
    let world = request.settle(&outcome).await?;
    shown(&request, &STORAGE_DOMAIN, &view(&world, request.base, domain(&request, &world)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let domain = domain(&request, &request.world)?;
    let sent = match request.optional_body(&[&STORAGE_DOMAIN, &ACTION])? {
        None if domain.class == DomainClass::Image => Doc::new(),
        None => return Err(request.bad(&Fault::bare("storage-domain parameter is missing"))),
        Some((of, sent)) if std::ptr::eq(of, &ACTION) => sent.doc("storage_domain").cloned().unwrap_or_default(),
        Some((_, sent)) => sent,
    };
    if domain.class != DomainClass::Image {
        request.complete(&sent)?;
    }
    let host = request.reference(&sent, "host", NameKind::Host, "Host")?;
    let yes = |field: &str| sent.bool(field).unwrap_or_default();
    let command = RemoveStorageDomain { domain: domain.id, host, format: yes("format"), destroy: yes("destroy") };
    removed_after(&request, &request.submit(command).await?).await
}

/// The files of a storage domain that has any: an ISO domain.
fn files<'a>(request: &ApiRequest, world: &'a World) -> Result<(&'a StorageDomain, &'a [DomainFile]), Answer> {
    let domain = domain(request, world)?;
    request.found((domain.class == DomainClass::Iso).then_some((&**domain, domain.files.as_slice())), 1)
}

/// Lists the files that are there now: those of an active domain are looked up anew.
async fn list_files(request: Arc<ApiRequest>) -> Handled {
    let (known, _) = files(&request, &request.world)?;
    let world = request.refusing(app::files(&request.app, &request.cx, known).await)?;
    let (domain, files) = files(&request, &world)?;
    listed(&request, &FILE, files.iter().map(|file| file_view(request.base, domain, file)))
}

async fn get_file(request: Arc<ApiRequest>) -> Handled {
    let (domain, files) = files(&request, &request.world)?;
    let found = files.iter().find(|file| file.name == request.segment(3));
    shown(&request, &FILE, &file_view(request.base, domain, request.found(found, 3)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nfs() -> Doc {
        Doc::new()
            .set("name", "data1")
            .set("type", "data")
            .set_path("host.name", "hypervisor")
            .set_path("storage.type", "nfs")
            .set_path("storage.address", "192.168.0.10")
            .set_path("storage.path", "/data1")
    }

    fn missing(sent: &Doc) -> String {
        match NEW.check(sent) {
            Ok(()) => String::new(),
            Err(fault) => fault.detail.unwrap_or_default(),
        }
    }

    #[test]
    fn what_a_new_domain_lacks_is_told_check_by_check() {
        assert_eq!(missing(&nfs()), "");
        assert_eq!(missing(&Doc::new()), "StorageDomain [host.id|name, type, storage] required for add");
        let mut sent = nfs();
        sent.put("storage", Doc::new().set("type", "nfs"));
        assert_eq!(missing(&sent), "Storage [path] required for add");
        let mut sent = nfs();
        sent.remove("name");
        assert_eq!(missing(&sent), "StorageDomain [name] required for add");
        assert_eq!(missing(&sent.set("type", "export")), "", "it is one that exists");
        let by_connection =
            Doc::new().set_path("storage.id", "1").set("type", "data").set_path("host.name", "a").set("name", "b");
        assert_eq!(missing(&by_connection), "");
    }
}
