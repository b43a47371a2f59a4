//! Network interfaces of virtual machines: the guide's section 15.4.

use std::sync::Arc;

use evirt_domain::Event;
use evirt_domain::access::EntityRef;
use evirt_domain::ids::*;
use evirt_domain::network::{Network, VnicProfile, profiles_of};
use evirt_domain::vm::*;

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, created, remove};
use super::hosts::nic_measures;
use super::parts::{Statistic, given, listed};
use super::representation::body::{Body, need};
use super::representation::types::NIC;
use super::representation::{Doc, Fault, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::vms::vm;
use super::work::act_and_wait;
use crate::app::statistics;

routes! { ROUTES:
    "vms/{}/nics" => GET list, POST add [Body::add(&NIC).needs(&[need("name")])];
    "vms/{}/nics/{}" => GET get, PUT update [Body::update(&NIC)], DELETE delete;
    "vms/{}/nics/{}/statistics" => GET list_statistics;
    "vms/{}/nics/{}/statistics/{}" => GET get_statistic;
    "vms/{}/nics/{}/activate" => POST activate;
    "vms/{}/nics/{}/deactivate" => POST deactivate;
}

/// The interface as the API shows it.
fn view(request: &ApiRequest, vm: &Vm, nic: &Nic) -> Doc {
    let (base, place) = (request.base, Place::of(request.base, vm.id));
    let mut doc = Doc::new()
        .at(&place.below("nics", nic.id))
        .set("name", &nic.name)
        .set("interface", nic.interface.name())
        .set_path("mac.address", nic.mac.as_str())
        .set("linked", nic.linked)
        .set("plugged", nic.plugged)
        .set("active", nic.plugged)
        .reference_to("vm", &place)
        .links(&["statistics"])
        .actions(&["activate", "deactivate"]);
    if let Some(id) = nic.profile {
        doc = doc.reference("vnic_profile", base, id);
        if let Some(profile) = request.world.vnic_profiles.get(&id) {
            doc = doc.reference("network", base, profile.network);
        }
    }
    let mirrored = nic.mirrored(&request.world).into_iter().map(|id| Doc::new().at(&Place::of(base, id)));
    let mirrored: Vec<Doc> = mirrored.collect();
    if !mirrored.is_empty() {
        doc = doc.set("port_mirroring", Doc::new().set("networks", Doc::new().set("network", mirrored)));
    }
    doc
}

/// The network of the VM's data center that a reference means.
fn network<'a>(request: &'a ApiRequest, wanted: &Doc, vm: &Vm) -> Result<&'a Arc<Network>, Answer> {
    let (id, name) = (wanted.text("id").filter(|t| !t.is_empty()), wanted.text("name").filter(|t| !t.is_empty()));
    let data_center = request.world.data_center_of(vm.config.cluster).map(|dc| dc.id);
    let network = match id {
        Some(id) => id.parse().ok().and_then(|id| request.world.networks.get(&NetworkId(id))),
        None => data_center.zip(name).and_then(|(center, name)| request.world.network_named(center, name)),
    };
    // A network is as good as absent where none of its profiles is seen.
    let network =
        network.filter(|n| request.visible().is_everything() || profiles_of(&request.world, n.id).any(|p| is_seen(request, p)));
    network.ok_or_else(|| request.missing(format!("Network: {}", id.or(name).unwrap_or_default())))
}

fn is_seen(request: &ApiRequest, profile: &VnicProfile) -> bool {
    request.visible().contains(&request.world, EntityRef::VnicProfile(profile.id))
}

/// The networks that a request wants mirrored, if it speaks of any; what the profile mirrors anyway is not said twice.
fn mirrored(request: &ApiRequest, sent: &Doc, vm: &Vm, current: Option<&Nic>) -> Result<Option<Vec<NetworkId>>, Answer> {
    if !sent.has("port_mirroring") {
        return Ok(None);
    }
    let mut networks = Vec::new();
    for wanted in sent.docs("port_mirroring.networks.network") {
        let network = network(request, wanted, vm)?.id;
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    if current.is_some_and(|nic| nic.mirrored(&request.world) == networks) {
        return Ok(None);
    }
    Ok(Some(networks))
}

/// The profile that a request means: named, or the first of the network that it names; an empty reference is none. An update may send
/// both as they were before and change one: what is still as it was says nothing.
fn profile(request: &ApiRequest, sent: &Doc, vm: &Vm, current: Option<&Nic>) -> Result<Option<Option<VnicProfileId>>, Answer> {
    let current = current.and_then(|nic| nic.profile);
    if let Some(id) = sent.text("vnic_profile.id") {
        let id = uuid::Uuid::parse_str(id).map_err(|_| request.missing(format!("VnicProfile: id={id}")))?;
        if current != Some(VnicProfileId(id)) {
            return Ok(Some(Some(VnicProfileId(id))));
        }
    }
    let named = sent.text("vnic_profile.id").is_none() && sent.text("vnic_profile.name").is_some_and(|name| !name.is_empty());
    let Some(wanted) = sent.doc("network") else {
        // Networks may have profiles of one name: it says nothing alone, and is not to be taken for none.
        return match named {
            true => Err(request.bad(&Fault::incomplete_parameters("VnicProfile", ["id"], request.verb()))),
            false => Ok(None),
        };
    };
    if ["id", "name"].into_iter().all(|by| wanted.text(by).is_none_or(str::is_empty)) {
        return Ok(Some(None));
    }
    let network = network(request, wanted, vm)?;
    if current.and_then(|id| request.world.vnic_profiles.get(&id)).is_some_and(|profile| profile.network == network.id) {
        return Ok(None);
    }
    let profile = profiles_of(&request.world, network.id).find(|profile| is_seen(request, profile));
    Ok(Some(Some(profile.ok_or_else(|| request.missing(format!("VnicProfile: network={}", network.config.name)))?.id)))
}

fn patch(request: &ApiRequest, sent: &Doc, vm: &Vm, current: Option<&Nic>) -> Result<NicPatch, Answer> {
    Ok(NicPatch {
        name: given(sent, "name"),
        interface: sent.text("interface").and_then(NicInterface::from_name),
        profile: profile(request, sent, vm, current)?,
        mac: given(sent, "mac.address"),
        linked: sent.bool("linked"),
        plugged: sent.bool("plugged").or_else(|| sent.bool("active")),
        port_mirroring: mirrored(request, sent, vm, current)?,
    })
}

fn nic<'a>(request: &ApiRequest, vm: &'a Vm) -> Result<&'a Nic, Answer> {
    let id: NicId = request.id(3)?;
    request.found(vm.nics.iter().find(|nic| nic.id == id), 3)
}

/// The interfaces of a VM.
pub fn views(request: &ApiRequest, vm: &Vm) -> Vec<Doc> {
    vm.nics.iter().map(|nic| view(request, vm, nic)).collect()
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    listed(&request, &NIC, views(&request, vm(&request, &request.world)?))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    let vm = vm(&request, &request.world)?;
    Ok(Answer::doc(200, &NIC, &view(&request, vm, nic(&request, vm)?), request.output))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let owner = vm(&request, &request.world)?;
    let sent = request.body(&NIC)?;
    let mut config = NicConfig {
        name: String::new(),
        interface: NicInterface::Virtio,
        profile: None,
        mac: String::new(),
        linked: true,
        plugged: true,
        port_mirroring: Vec::new(),
    };
    config.apply(&patch(&request, &sent, owner, None)?);
    let outcome = request.submit(AddNic { vm: owner.id, config }).await?;
    let world = request.settle(&outcome).await?;
    let nic = outcome.events.iter().find_map(|r| match &r.event {
        Event::NicAdded(e) => Some(&e.nic),
        _ => None,
    });
    created(&request, &NIC, &view(&request, vm(&request, &world)?, request.found(nic, 1)?))
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let owner = vm(&request, &request.world)?;
    let current = nic(&request, owner)?;
    let sent = request.body(&NIC)?;
    check_immutable(&request, &NIC, &view(&request, owner, current), &sent)?;
    let changes = patch(&request, &sent, owner, Some(current))?;
    let outcome = request.submit(UpdateNic { vm: owner.id, nic: current.id, changes }).await?;
    let world = request.settle(&outcome).await?;
    let owner = vm(&request, &world)?;
    Ok(Answer::doc(200, &NIC, &view(&request, owner, nic(&request, owner)?), request.output))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let owner = vm(&request, &request.world)?;
    remove(&request, RemoveNic { vm: owner.id, nic: nic(&request, owner)?.id }).await
}

async fn plug(request: Arc<ApiRequest>, plugged: bool) -> Handled {
    let owner = vm(&request, &request.world)?;
    let nic = nic(&request, owner)?.id;
    let changes = NicPatch { plugged: Some(plugged), ..Default::default() };
    act_and_wait(&request, UpdateNic { vm: owner.id, nic, changes }).await
}

async fn activate(request: Arc<ApiRequest>) -> Handled {
    plug(request, true).await
}

async fn deactivate(request: Arc<ApiRequest>) -> Handled {
    plug(request, false).await
}

/// What is measured of the interface that the path names; zeros while the VM does not run.
fn measured(request: &ApiRequest) -> Result<(NicId, Place, Vec<Statistic>), Answer> {
    let owner = vm(request, &request.world)?;
    let nic = nic(request, owner)?;
    let live = statistics::of_vm(&request.app, owner.id).unwrap_or_default();
    let load = live.nics.into_iter().find(|load| load.name == nic.name).unwrap_or_default();
    Ok((nic.id, Place::of(request.base, owner.id).below("nics", nic.id), nic_measures(&load)))
}

async fn list_statistics(request: Arc<ApiRequest>) -> Handled {
    let (id, place, measured) = measured(&request)?;
    Statistic::list(&request, id.0, "nic", &place, &measured)
}

async fn get_statistic(request: Arc<ApiRequest>) -> Handled {
    let (id, place, measured) = measured(&request)?;
    Statistic::one(&request, 5, id.0, "nic", &place, &measured)
}
