//! Disks of virtual machines: the guide's section 15.4.

use std::sync::Arc;

use evirt_domain::disk::*;
use evirt_domain::ids::*;
use evirt_domain::vm::{AttachDisk, DetachDisk, DiskAttachment, UpdateDiskAttachment, Vm};
use evirt_domain::{Event, World};

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, creating, remove};
use super::disks;
use super::parts::{Statistic, given, listed};
use super::representation::Doc;
use super::representation::types::{ACTION, DISK};
use super::request::Call;
use super::route::routes;
use super::status::creation_status;
use super::vms::vm;
use super::work::{act_and_wait, removed_after};

routes! { ROUTES:
    "vms/{}/disks" => GET list, POST add;
    "vms/{}/disks/{}" => GET get, PUT update, DELETE delete;
    "vms/{}/disks/{}/statistics" => GET list_statistics;
    "vms/{}/disks/{}/statistics/{}" => GET get_statistic;
    "vms/{}/disks/{}/activate" => POST activate;
    "vms/{}/disks/{}/deactivate" => POST deactivate;
    "vms/{}/disks/{}/creation_status/{}" => GET creation_status;
}

/// The disk as the VM has it.
fn view(call: &Call, world: &World, vm: &Vm, attached: &DiskAttachment) -> Option<Doc> {
    let disk = world.disks.get(&attached.disk)?;
    let vm_href = format!("{}/vms/{}", call.base, vm.id);
    let href = format!("{vm_href}/disks/{}", disk.id);
    let doc = disks::common(call.base, disk)
        .set("interface", attached.interface.name())
        .set("bootable", attached.bootable)
        .set("active", attached.active)
        .reference("vm", vm.id.to_string(), vm_href)
        .link("statistics", format!("{href}/statistics"))
        .action("activate", format!("{href}/activate"))
        .action("deactivate", format!("{href}/deactivate"));
    Some(doc.set("href", href))
}

fn attached<'a>(call: &Call, vm: &'a Vm) -> Result<&'a DiskAttachment, Answer> {
    let id: DiskId = call.id(3)?;
    call.found(vm.disks.iter().find(|d| d.disk == id), 3)
}

fn interface(sent: &Doc) -> Option<DiskInterface> {
    sent.text("interface").and_then(DiskInterface::from_name)
}

/// The disks of a VM.
pub fn views(call: &Call, vm: &Vm) -> Vec<Doc> {
    vm.disks.iter().filter_map(|attached| view(call, &call.world, vm, attached)).collect()
}

async fn list(call: Arc<Call>) -> Handled {
    listed(&call, &DISK, views(&call, vm(&call, &call.world)?))
}

async fn get(call: Arc<Call>) -> Handled {
    let vm = vm(&call, &call.world)?;
    let doc = view(&call, &call.world, vm, attached(&call, vm)?);
    Ok(Answer::doc(200, &DISK, &call.found(doc, 3)?, call.output))
}

/// Adds a new disk, or with an id attaches one that exists.
async fn add(call: Arc<Call>) -> Handled {
    let owner = vm(&call, &call.world)?.id;
    let sent = call.body(&DISK)?;
    let (bootable, active) = (sent.bool("bootable").unwrap_or(false), sent.bool("active").unwrap_or(true));
    if let Some(id) = sent.text("id") {
        let id = uuid::Uuid::parse_str(id).map_err(|_| call.missing(format!("Disk: id={id}")))?;
        let interface = interface(&sent).unwrap_or(DiskInterface::Virtio);
        let attachment = DiskAttachment { disk: DiskId(id), interface, bootable, active };
        let outcome = call.submit(AttachDisk { vm: owner, attachment }).await?;
        let world = call.settle(&outcome).await?;
        let doc = view(&call, &world, vm(&call, &world)?, &attachment);
        return Ok(Answer::doc(200, &DISK, &call.found(doc, 1)?, call.output));
    }
    disks::complete(&sent).map_err(|fault| call.bad(&fault))?;
    let command = AddDisk {
        config: disks::config(&call, &sent)?,
        format: disks::format(&sent),
        sparse: sent.bool("sparse"),
        storage_domain: disks::storage_domain(&call, &sent)?,
        attach: Some(AttachTo { vm: owner, interface: interface(&sent).unwrap_or(DiskInterface::Virtio), bootable, active }),
    };
    let outcome = call.submit(command).await?;
    let attachment = outcome.events.iter().find_map(|r| match &r.event {
        Event::DiskAttached(e) => Some(e.attachment),
        _ => None,
    });
    let attachment = call.found(attachment, 1)?;
    creating(&call, &DISK, &outcome, |world| view(&call, world, world.vms.get(&owner)?, &attachment)).await
}

async fn update(call: Arc<Call>) -> Handled {
    let owner = vm(&call, &call.world)?;
    let current = attached(&call, owner)?;
    let sent = call.body(&DISK)?;
    let doc = call.found(view(&call, &call.world, owner, current), 3)?;
    check_immutable(&call, &DISK, &doc, &sent)?;
    let changes = DiskPatch {
        alias: given(&sent, "alias").or_else(|| given(&sent, "name")),
        description: given(&sent, "description"),
        size: sent.int("provisioned_size").or_else(|| sent.int("size")),
        shareable: sent.bool("shareable"),
        wipe_after_delete: sent.bool("wipe_after_delete"),
        propagate_errors: sent.bool("propagate_errors"),
        quota: super::quotas::named(&call, &sent)?,
    };
    call.submit(UpdateDisk { disk: current.disk, changes }).await?;
    let command = UpdateDiskAttachment {
        vm: owner.id,
        disk: current.disk,
        interface: interface(&sent),
        bootable: sent.bool("bootable"),
        active: sent.bool("active"),
    };
    let outcome = call.submit(command).await?;
    let world = call.settle(&outcome).await?;
    let owner = vm(&call, &world)?;
    let doc = view(&call, &world, owner, attached(&call, owner)?);
    Ok(Answer::doc(200, &DISK, &call.found(doc, 3)?, call.output))
}

async fn delete(call: Arc<Call>) -> Handled {
    let owner = vm(&call, &call.world)?;
    let disk = attached(&call, owner)?.disk;
    let sent = call.optional_body(&[&ACTION])?.map(|(_, doc)| doc).unwrap_or_default();
    if sent.bool("detach").unwrap_or_default() {
        return remove(&call, DetachDisk { vm: owner.id, disk }).await;
    }
    let outcome = call.submit(RemoveDisk { disk }).await?;
    removed_after(&call, &outcome).await
}

async fn plug(call: Arc<Call>, active: bool) -> Handled {
    let owner = vm(&call, &call.world)?;
    let disk = attached(&call, owner)?.disk;
    let command = UpdateDiskAttachment { vm: owner.id, disk, interface: None, bootable: None, active: Some(active) };
    act_and_wait(&call, command).await
}

async fn activate(call: Arc<Call>) -> Handled {
    plug(call, true).await
}

async fn deactivate(call: Arc<Call>) -> Handled {
    plug(call, false).await
}

/// What is measured of the disk that the path names; zeros while the VM does not run.
fn measured(call: &Call) -> Result<(DiskId, String, Vec<Statistic>), Answer> {
    let owner = vm(call, &call.world)?;
    let disk = attached(call, owner)?.disk;
    let live = call.engine().driver().vm_statistics(owner.id.0).unwrap_or_default();
    let load = live.disks.into_iter().find(|load| load.disk == disk.0).unwrap_or_default();
    Ok((disk, format!("{}/vms/{}/disks/{disk}", call.base, owner.id), disks::statistics(&load)))
}

async fn list_statistics(call: Arc<Call>) -> Handled {
    let (id, href, measured) = measured(&call)?;
    Statistic::list(&call, id.0, "disk", &href, &measured)
}

async fn get_statistic(call: Arc<Call>) -> Handled {
    let (id, href, measured) = measured(&call)?;
    Statistic::one(&call, 5, id.0, "disk", &href, &measured)
}
