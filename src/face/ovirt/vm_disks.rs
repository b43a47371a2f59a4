//! Disks of virtual machines: the guide's section 15.4.

use std::sync::Arc;

use evirt_domain::command::Both;
use evirt_domain::disk::*;
use evirt_domain::ids::*;
use evirt_domain::vm::{AttachDisk, DetachDisk, DiskAttachment, UpdateDiskAttachment, Vm};
use evirt_domain::{Event, World};

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, check_settled, creating, remove};
use super::disks::{self, interface};
use super::parts::{Statistic, given, listed};
use super::representation::body::{Body, Way, When, need};
use super::representation::types::{ACTION, DISK};
use super::representation::{Doc, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::status::creation_status;
use super::vms::vm;
use super::work::{act_and_wait, removed_after};
use crate::app::statistics;

routes! { ROUTES:
    "vms/{}/disks" => GET list, POST add [NEW];
    "vms/{}/disks/{}" => GET get, PUT update [Body::update(&DISK).and("active quota.id").not_yet(disks::DIRECT)], DELETE delete [Body::action("detach")];
    "vms/{}/disks/{}/statistics" => GET list_statistics;
    "vms/{}/disks/{}/statistics/{}" => GET get_statistic;
    "vms/{}/disks/{}/activate" => POST activate;
    "vms/{}/disks/{}/deactivate" => POST deactivate;
    "vms/{}/disks/{}/creation_status/{}" => GET creation_status;
}

/// A disk for a virtual machine: one that is there, or a new one.
const NEW: Body = Body::add(&DISK)
    .and("active snapshot.id")
    .ways(&[Way { when: When::Has("id"), needs: &[need("id")] }, disks::UNIT, Way { when: When::Always, needs: disks::NEEDED }])
    .not_yet(disks::DIRECT);

/// The disk as the VM has it.
fn view(request: &ApiRequest, world: &World, vm: &Vm, attached: &DiskAttachment) -> Option<Doc> {
    let disk = world.disks.get(&attached.disk)?;
    let place = Place::of(request.base, vm.id);
    let doc = disks::common(request.base, disk)
        .at(&place.object_below(disk.id))
        .set("interface", attached.interface.name())
        .set("bootable", attached.bootable)
        .set("active", attached.active)
        .reference_to("vm", &place)
        .links(&["statistics"])
        .actions(&["activate", "deactivate"]);
    Some(doc)
}

fn attached<'a>(request: &ApiRequest, vm: &'a Vm) -> Result<&'a DiskAttachment, Answer> {
    let id: DiskId = request.id(3)?;
    request.found(vm.disks.iter().find(|d| d.disk == id), 3)
}

/// The disks of a VM.
pub fn views(request: &ApiRequest, vm: &Vm) -> Vec<Doc> {
    vm.disks.iter().filter_map(|attached| view(request, &request.world, vm, attached)).collect()
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    listed(&request, &DISK, views(&request, vm(&request, &request.world)?))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    let vm = vm(&request, &request.world)?;
    let doc = view(&request, &request.world, vm, attached(&request, vm)?);
    Ok(Answer::doc(200, &DISK, &request.found(doc, 3)?, request.output))
}

/// Adds a new disk, or with an id attaches one that exists.
async fn add(request: Arc<ApiRequest>) -> Handled {
    let vm_now = vm(&request, &request.world)?;
    let (owner, alone) = (vm_now.id, vm_now.disks.is_empty());
    let sent = request.body(&DISK)?;
    let (bootable, active) = (sent.bool("bootable"), sent.bool("active").unwrap_or(true));
    if let Some(id) = sent.text("id") {
        let id = uuid::Uuid::parse_str(id).map_err(|_| request.missing(format!("Disk: id={id}")))?;
        // What is not said is as the disk was made to be.
        let made = request.world.disks.get(&DiskId(id)).map(|disk| &disk.config);
        let interface = interface(&sent).or_else(|| made?.interface).unwrap_or(DiskInterface::Virtio);
        let bootable = bootable.or_else(|| Some(made?.bootable)).unwrap_or_default();
        let attachment = DiskAttachment { disk: DiskId(id), interface, bootable, active };
        let outcome = request.submit(AttachDisk { vm: owner, attachment }).await?;
        let world = request.settle(&outcome).await?;
        let doc = view(&request, &world, vm(&request, &world)?, &attachment);
        return Ok(Answer::doc(200, &DISK, &request.found(doc, 1)?, request.output));
    }
    // One that is not the first goes where the first is.
    let storage_domain = if alone { disks::placed(&request, &sent)? } else { disks::storage_domain(&request, &sent)? };
    let command = AddDisk {
        config: disks::config(&request, &sent)?,
        format: disks::format(&sent),
        sparse: sent.bool("sparse"),
        storage_domain,
        attach: Some(AttachTo {
            vm: owner,
            interface: interface(&sent).unwrap_or(DiskInterface::Virtio),
            bootable: bootable.unwrap_or_default(),
            active,
        }),
    };
    let outcome = request.submit(command).await?;
    let attachment = outcome.events.iter().find_map(|r| match &r.event {
        Event::DiskAttached(e) => Some(e.attachment),
        _ => None,
    });
    let attachment = request.found(attachment, 1)?;
    creating(&request, &DISK, &outcome, |world| view(&request, world, world.vms.get(&owner)?, &attachment)).await
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let owner = vm(&request, &request.world)?;
    let current = attached(&request, owner)?;
    let sent = request.body(&DISK)?;
    let doc = request.found(view(&request, &request.world, owner, current), 3)?;
    check_immutable(&request, &DISK, &doc, &sent)?;
    check_settled(&request, &doc, &sent, &["format", "sparse"])?;
    let changes = DiskPatch {
        alias: given(&sent, "alias").or_else(|| given(&sent, "name")),
        description: given(&sent, "description"),
        size: sent.int("provisioned_size").or_else(|| sent.int("size")),
        shareable: sent.bool("shareable"),
        wipe_after_delete: sent.bool("wipe_after_delete"),
        propagate_errors: sent.bool("propagate_errors"),
        quota: super::quotas::named(&request, &sent)?,
        interface: interface(&sent).filter(|wanted| *wanted != current.interface).map(Some),
        bootable: sent.bool("bootable").filter(|wanted| *wanted != current.bootable),
    };
    let attachment = UpdateDiskAttachment {
        vm: owner.id,
        disk: current.disk,
        interface: interface(&sent),
        bootable: sent.bool("bootable"),
        active: sent.bool("active"),
    };
    let outcome = request.submit(Both(UpdateDisk { disk: current.disk, changes }, attachment)).await?;
    let world = request.settle(&outcome).await?;
    let owner = vm(&request, &world)?;
    let doc = view(&request, &world, owner, attached(&request, owner)?);
    Ok(Answer::doc(200, &DISK, &request.found(doc, 3)?, request.output))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let owner = vm(&request, &request.world)?;
    let disk = attached(&request, owner)?.disk;
    let sent = request.optional_body(&[&ACTION])?.map(|(_, doc)| doc).unwrap_or_default();
    if sent.bool("detach").unwrap_or_default() {
        return remove(&request, DetachDisk { vm: owner.id, disk }).await;
    }
    let outcome = request.submit(RemoveDisk { disk }).await?;
    removed_after(&request, &outcome).await
}

async fn plug(request: Arc<ApiRequest>, active: bool) -> Handled {
    let owner = vm(&request, &request.world)?;
    let disk = attached(&request, owner)?.disk;
    let command = UpdateDiskAttachment { vm: owner.id, disk, interface: None, bootable: None, active: Some(active) };
    act_and_wait(&request, command).await
}

async fn activate(request: Arc<ApiRequest>) -> Handled {
    plug(request, true).await
}

async fn deactivate(request: Arc<ApiRequest>) -> Handled {
    plug(request, false).await
}

/// What is measured of the disk that the path names; zeros while the VM does not run.
fn measured(request: &ApiRequest) -> Result<(DiskId, Place, Vec<Statistic>), Answer> {
    let owner = vm(request, &request.world)?;
    let disk = attached(request, owner)?.disk;
    let live = statistics::of_vm(&request.app, owner.id).unwrap_or_default();
    let load = live.disks.into_iter().find(|load| load.disk == disk.0).unwrap_or_default();
    Ok((disk, Place::of(request.base, owner.id).object_below(disk), disks::measures(&load)))
}

async fn list_statistics(request: Arc<ApiRequest>) -> Handled {
    let (id, place, measured) = measured(&request)?;
    Statistic::list(&request, id.0, "disk", &place, &measured)
}

async fn get_statistic(request: Arc<ApiRequest>) -> Handled {
    let (id, place, measured) = measured(&request)?;
    Statistic::one(&request, 5, id.0, "disk", &place, &measured)
}
