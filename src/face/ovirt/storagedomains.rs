//! Storage domains and the files of ISO domains: the guide's chapter 12.

use evirt_domain::World;
use evirt_domain::storage::{
    AttachmentStatus, DomainClass, DomainFile, DomainState, Storage, StorageDomain,
};

use super::parts::text;
use super::representation::Doc;

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
    links
        .into_iter()
        .fold(doc, |doc, link| doc.link(link, format!("{href}/{link}")))
        .set("href", href)
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
    domain
        .attachment
        .is_some_and(|a| a.status == AttachmentStatus::Active)
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
