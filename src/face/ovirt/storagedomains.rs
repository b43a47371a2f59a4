//! Storage domains and the files of ISO domains: the guide's chapter 12.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::storage::*;
use evirt_domain::world::NameKind;

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, created};
use super::parts::{first_id, given, listed, number, shown, text};
use super::probe::{self, ISCSI_PORT};
use super::representation::check::require;
use super::representation::types::{ACTION, FILE, STORAGE_DOMAIN};
use super::representation::{Doc, Fault};
use super::request::Call;
use super::route::routes;
use super::work::removed_after;

routes! { ROUTES:
    "storagedomains" => GET list, POST add;
    "storagedomains/{}" => GET get, PUT update, DELETE delete;
    "storagedomains/{}/files" => GET list_files;
    "storagedomains/{}/files/{}" => GET get_file;
}

/// The storage domain as the API shows it below `/storagedomains`: its status is its data center's matter once it has one.
pub fn view(world: &World, base: &str, domain: &StorageDomain) -> Doc {
    let href = format!("{base}/storagedomains/{}", domain.id);
    let state = match (domain.state, domain.attachment) {
        (DomainState::Ready, None) => Some("unattached"),
        (DomainState::Ready, Some(_)) => None,
        (DomainState::Creating | DomainState::Removing, _) => Some("locked"),
    };
    let mut links = vec!["permissions"];
    if domain.class == DomainClass::Iso {
        links.push("files");
    }
    let doc = common(world, domain).opt_path("status.state", state);
    links.into_iter().fold(doc, |doc, link| doc.link(link, format!("{href}/{link}"))).set("href", href)
}

/// The storage domain as the API shows it below its data center, with its status there.
pub fn attached_view(world: &World, base: &str, domain: &StorageDomain) -> Doc {
    let Some(attachment) = domain.attachment else {
        return view(world, base, domain);
    };
    let center = format!("{base}/datacenters/{}", attachment.data_center);
    let href = format!("{center}/storagedomains/{}", domain.id);
    common(world, domain)
        .set_path("status.state", attachment.status.name())
        .reference("data_center", attachment.data_center.to_string(), center)
        .action("activate", format!("{href}/activate"))
        .action("deactivate", format!("{href}/deactivate"))
        .set("href", href)
}

fn common(world: &World, domain: &StorageDomain) -> Doc {
    let known = domain.state == DomainState::Ready;
    Doc::new()
        .set("id", domain.id.to_string())
        .set("name", &domain.config.name)
        .opt("description", text(&domain.config.description))
        .opt("comment", text(&domain.config.comment))
        .set("type", domain.class.name())
        .set("master", domain.is_master(world))
        .set("storage", storage(&domain.storage))
        .opt("available", known.then_some(domain.available))
        .opt("used", known.then_some(domain.used))
        .set("committed", domain.committed(world))
        .set("storage_format", domain.format.name())
}

fn storage(storage: &Storage) -> Doc {
    let doc = Doc::new()
        .set("type", storage.kind.name())
        .opt("address", text(&storage.address).filter(|_| !storage.kind.is_block()))
        .opt("path", text(&storage.path))
        .opt("mount_options", text(&storage.mount_options))
        .opt("vfs_type", text(&storage.vfs_type));
    if !storage.kind.is_block() {
        return doc;
    }
    let units: Vec<Doc> = storage
        .luns
        .iter()
        .map(|lun| {
            Doc::new()
                .set("id", lun)
                .opt("address", text(&storage.address))
                .opt("port", (storage.port != 0).then_some(storage.port))
                .opt("target", text(&storage.target))
        })
        .collect();
    doc.set_path("volume_group.logical_unit", units)
}

/// A file of an ISO domain as the API shows it.
pub fn file_view(base: &str, domain: &StorageDomain, file: &DomainFile) -> Doc {
    let domain_href = format!("{base}/storagedomains/{}", domain.id);
    let kind = match file.name.rsplit_once('.') {
        Some((_, ending)) if ending.eq_ignore_ascii_case("vfd") => "vfd",
        _ => "iso",
    };
    Doc::new()
        .set("id", &file.name)
        .set("href", format!("{domain_href}/files/{}", file.name))
        .set("name", &file.name)
        .set("type", kind)
        .reference("storage_domain", domain.id.to_string(), domain_href)
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

/// Demands what a new storage domain needs, in the order in which upstream looks.
fn complete(sent: &Doc) -> Result<(), Fault> {
    const CLASS: &str = "StorageDomain";
    require(sent, CLASS, "add", &["host.id|name", "type", "storage"])?;
    require(sent, CLASS, "add", &["storage.type"])?;
    let empty = Doc::new();
    let storage = sent.doc("storage").unwrap_or(&empty);
    let needed: &[&[&str]] = match sent.text("storage.type") {
        Some("nfs") => &[&["path"], &["address"]],
        Some("posixfs" | "glusterfs") => &[&["path"], &["vfsType"]],
        Some("localfs") => &[&["path"]],
        _ => &[],
    };
    for names in needed {
        require(storage, "Storage", "add", names)?;
    }
    if needed.is_empty() {
        for unit in units(storage) {
            require(unit, "LogicalUnit", "getLunIds", &["id"])?;
        }
    }
    require(sent, CLASS, "addDomain", &["name"])
}

/// The logical units of a storage, given right there or within a volume group.
fn units(storage: &Doc) -> impl Iterator<Item = &Doc> {
    storage.docs("logical_unit").chain(storage.docs("volume_group.logical_unit"))
}

/// Where a request says that the storage is.
fn sent_storage(sent: &Doc) -> Storage {
    let empty = Doc::new();
    let storage = sent.doc("storage").unwrap_or(&empty);
    let kind = storage.text("type").and_then(StorageKind::from_name).unwrap_or(StorageKind::Nfs);
    let unit = units(storage).next().unwrap_or(&empty);
    let of_unit = |field: &str| given(unit, field).or_else(|| given(storage, field));
    Storage {
        kind,
        address: of_unit("address").unwrap_or_default(),
        path: given(storage, "path").unwrap_or_default(),
        port: number(unit, "port").or_else(|| number(storage, "port")).unwrap_or(if kind == StorageKind::Iscsi {
            ISCSI_PORT
        } else {
            0
        }),
        target: of_unit("target").unwrap_or_default(),
        luns: units(storage).filter_map(|unit| given(unit, "id")).collect(),
        vfs_type: given(storage, "vfs_type").unwrap_or_default(),
        mount_options: given(storage, "mount_options").unwrap_or_default(),
    }
}

fn domain<'a>(call: &Call, world: &'a World) -> Result<&'a Arc<StorageDomain>, Answer> {
    call.found(world.storage_domains.get(&call.id(1)?), 1)
}

async fn list(call: Arc<Call>) -> Handled {
    let found = call.list::<StorageDomain>()?;
    listed(&call, &STORAGE_DOMAIN, found.iter().map(|d| view(&call.world, call.base, d)))
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &STORAGE_DOMAIN, &view(&call.world, call.base, domain(&call, &call.world)?))
}

async fn add(call: Arc<Call>) -> Handled {
    let sent = call.body(&STORAGE_DOMAIN)?;
    complete(&sent).map_err(|fault| call.bad(&fault))?;
    let host = call.found(call.reference(&sent, "host", NameKind::Host, "Host")?, 0)?;
    let storage = sent_storage(&sent);
    let command = CreateStorageDomain {
        config: config(&sent),
        class: sent.text("type").and_then(DomainClass::from_name).unwrap_or(DomainClass::Data),
        format: sent.text("storage_format").and_then(StorageFormat::from_name),
        host,
        mount: probe::storage(&**call.engine().driver(), host, &storage).await,
        storage,
    };
    let outcome = call.submit(command).await?;
    let world = call.settle(&outcome).await?;
    let made = first_id(&outcome).and_then(|id| world.storage_domains.get(&id));
    created(&call, &STORAGE_DOMAIN, &view(&world, call.base, call.found(made, 0)?))
}

async fn update(call: Arc<Call>) -> Handled {
    let current = domain(&call, &call.world)?;
    let sent = call.body(&STORAGE_DOMAIN)?;
    check_immutable(&call, &STORAGE_DOMAIN, &view(&call.world, call.base, current), &sent)?;
    let outcome = call.submit(UpdateStorageDomain { domain: current.id, changes: patch(&sent) }).await?;
    shown(&call, &STORAGE_DOMAIN, &view(&outcome.world, call.base, domain(&call, &outcome.world)?))
}

async fn delete(call: Arc<Call>) -> Handled {
    let domain = domain(&call, &call.world)?.id;
    let sent = match call.optional_body(&[&STORAGE_DOMAIN, &ACTION])? {
        None => return Err(call.bad(&Fault::bare("storage-domain parameter is missing"))),
        Some((of, sent)) if std::ptr::eq(of, &ACTION) => sent.doc("storage_domain").cloned().unwrap_or_default(),
        Some((_, sent)) => sent,
    };
    require(&sent, "StorageDomain", "remove", &["host.id|name"]).map_err(|fault| call.bad(&fault))?;
    let host = call.reference(&sent, "host", NameKind::Host, "Host")?;
    let yes = |field: &str| sent.bool(field).unwrap_or_default();
    let command = RemoveStorageDomain { domain, host, format: yes("format"), destroy: yes("destroy") };
    removed_after(&call, &call.submit(command).await?).await
}

/// The files of a storage domain that has any: an ISO domain.
fn files<'a>(call: &Call, world: &'a World) -> Result<(&'a StorageDomain, &'a [DomainFile]), Answer> {
    let domain = domain(call, world)?;
    call.found((domain.class == DomainClass::Iso).then_some((&**domain, domain.files.as_slice())), 1)
}

async fn list_files(call: Arc<Call>) -> Handled {
    let (domain, files) = files(&call, &call.world)?;
    listed(&call, &FILE, files.iter().map(|file| file_view(call.base, domain, file)))
}

async fn get_file(call: Arc<Call>) -> Handled {
    let (domain, files) = files(&call, &call.world)?;
    let found = files.iter().find(|file| file.name == call.segment(3));
    shown(&call, &FILE, &file_view(call.base, domain, call.found(found, 3)?))
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
        match complete(sent) {
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
        assert_eq!(missing(&sent), "StorageDomain [name] required for addDomain");
    }

    #[test]
    fn a_logical_unit_may_stand_in_a_volume_group() {
        let unit = || Doc::new().set("id", "lun1").set("address", "san").set("target", "iqn.a");
        let grouped = Doc::new().set_path("storage.type", "iscsi").set_path("storage.volume_group.logical_unit", vec![unit()]);
        let plain = Doc::new().set_path("storage.type", "iscsi").set_path("storage.logical_unit", vec![unit()]);
        let read = sent_storage(&grouped);
        assert_eq!(read, sent_storage(&plain));
        assert_eq!((read.luns.as_slice(), read.address.as_str(), read.port), (&["lun1".to_owned()][..], "san", ISCSI_PORT));
    }
}
