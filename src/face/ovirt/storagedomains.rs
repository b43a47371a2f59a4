//! Storage domains and the files of ISO domains: the guide's chapter 12.

use evirt_domain::World;
use evirt_domain::storage::{
    AttachmentStatus, DomainClass, DomainFile, DomainState, Storage, StorageDomain, StorageDomainConfig, StorageDomainPatch,
    StorageKind,
};

use super::parts::{given, number, text};
use super::probe::ISCSI_PORT;
use super::representation::check::require;
use super::representation::{Doc, Fault};

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

/// Whether the domain can be worked with.
pub fn is_active(domain: &StorageDomain) -> bool {
    domain.attachment.is_some_and(|a| a.status == AttachmentStatus::Active)
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
        port: number(unit, "port").or_else(|| number(storage, "port")).unwrap_or_default(),
        target: of_unit("target").unwrap_or_default(),
        luns: units(storage).filter_map(|unit| given(unit, "id")).collect(),
        vfs_type: given(storage, "vfs_type").unwrap_or_default(),
        mount_options: given(storage, "mount_options").unwrap_or_default(),
    }
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
