//! Disks, floating or of virtual machines: the guide's chapter 16.

use evirt_domain::World;
use evirt_domain::disk::{Disk, DiskConfig, DiskFormat};

use super::parts::{Statistic, given, text};
use super::representation::check::require;
use super::representation::{Doc, Fault};
use crate::hypervisor::DiskStatistics;

/// The disk as the API shows it below `/disks`.
pub fn view(world: &World, base: &str, disk: &Disk) -> Doc {
    let href = format!("{base}/disks/{}", disk.id);
    let attached = disk.vms.iter().find_map(|vm| {
        let attachments = &world.vms.get(vm)?.disks;
        attachments.iter().find(|a| a.disk == disk.id).copied()
    });
    common(base, disk)
        .opt("interface", attached.map(|a| a.interface.name()))
        .set("bootable", attached.is_some_and(|a| a.bootable))
        .link("permissions", format!("{href}/permissions"))
        .link("statistics", format!("{href}/statistics"))
        .set("href", href)
}

/// What a disk says wherever it is shown: all but its place, its links and how a virtual machine has it.
pub fn common(base: &str, disk: &Disk) -> Doc {
    let config = &disk.config;
    let domain = Doc::new()
        .set("id", disk.storage_domain.to_string())
        .set("href", format!("{base}/storagedomains/{}", disk.storage_domain));
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
}

/// What is measured of a disk.
pub fn statistics(load: &DiskStatistics) -> Vec<Statistic> {
    vec![
        Statistic::rate("data.current.read", "Read data rate", load.read_bytes_per_s),
        Statistic::rate("data.current.write", "Write data rate", load.written_bytes_per_s),
    ]
}

/// Demands what every new disk needs.
pub fn complete(sent: &Doc) -> Result<(), Fault> {
    require(sent, "Disk", "validateDiskForCreation", &["format", "interface"])?;
    require(sent, "Disk", "validateDiskForCreation", &["provisionedSize|size"])
}

/// What a request says of a new disk; an empty alias is the domain's to fill.
pub fn config(sent: &Doc) -> DiskConfig {
    let yes = |field: &str| sent.bool(field).unwrap_or_default();
    DiskConfig {
        alias: given(sent, "alias").or_else(|| given(sent, "name")).unwrap_or_default(),
        description: given(sent, "description").unwrap_or_default(),
        size: sent.int("provisioned_size").or_else(|| sent.int("size")).unwrap_or_default(),
        shareable: yes("shareable"),
        wipe_after_delete: yes("wipe_after_delete"),
        propagate_errors: yes("propagate_errors"),
    }
}

/// The format that a request gives.
pub fn format(sent: &Doc) -> DiskFormat {
    sent.text("format").and_then(DiskFormat::from_name).unwrap_or(DiskFormat::Cow)
}
