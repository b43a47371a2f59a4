//! Network interfaces of virtual machines: the guide's section 15.4.

use std::sync::Arc;

use evirt_domain::Event;
use evirt_domain::access::Object;
use evirt_domain::ids::*;
use evirt_domain::network::{Network, VnicProfile, profiles_of};
use evirt_domain::vm::*;

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, created, remove};
use super::hosts::nic_statistics;
use super::parts::{Statistic, given, listed};
use super::representation::Doc;
use super::representation::check::require;
use super::representation::types::NIC;
use super::request::Call;
use super::route::routes;
use super::vms::vm;
use super::work::act_and_wait;

routes! { ROUTES:
    "vms/{}/nics" => GET list, POST add;
    "vms/{}/nics/{}" => GET get, PUT update, DELETE delete;
    "vms/{}/nics/{}/statistics" => GET list_statistics;
    "vms/{}/nics/{}/statistics/{}" => GET get_statistic;
    "vms/{}/nics/{}/activate" => POST activate;
    "vms/{}/nics/{}/deactivate" => POST deactivate;
}

/// The interface as the API shows it.
fn view(call: &Call, vm: &Vm, nic: &Nic) -> Doc {
    let vm_href = format!("{}/vms/{}", call.base, vm.id);
    let href = format!("{vm_href}/nics/{}", nic.id);
    let mut doc = Doc::new()
        .set("id", nic.id.to_string())
        .set("name", &nic.name)
        .set("interface", nic.interface.name())
        .set_path("mac.address", nic.mac.as_str())
        .set("linked", nic.linked)
        .set("plugged", nic.plugged)
        .set("active", nic.plugged)
        .reference("vm", vm.id.to_string(), vm_href)
        .link("statistics", format!("{href}/statistics"))
        .action("activate", format!("{href}/activate"))
        .action("deactivate", format!("{href}/deactivate"));
    if let Some(id) = nic.profile {
        doc = doc.reference("vnic_profile", id.to_string(), format!("{}/vnicprofiles/{id}", call.base));
        if let Some(profile) = call.world.vnic_profiles.get(&id) {
            let network = profile.network;
            doc = doc.reference("network", network.to_string(), format!("{}/networks/{network}", call.base));
        }
    }
    let mirrored = nic
        .mirrored(&call.world)
        .into_iter()
        .map(|id| Doc::with_capacity(2).set("href", format!("{}/networks/{id}", call.base)).set("id", id.to_string()));
    let mirrored: Vec<Doc> = mirrored.collect();
    if !mirrored.is_empty() {
        doc = doc.set("port_mirroring", Doc::new().set("networks", Doc::new().set("network", mirrored)));
    }
    doc.set("href", href)
}

/// The network of the VM's data center that a reference means.
fn network<'a>(call: &'a Call, wanted: &Doc, vm: &Vm) -> Result<&'a Arc<Network>, Answer> {
    let (id, name) = (wanted.text("id").filter(|t| !t.is_empty()), wanted.text("name").filter(|t| !t.is_empty()));
    let data_center = call.world.data_center_of(vm.config.cluster).map(|dc| dc.id);
    let network = match id {
        Some(id) => id.parse().ok().and_then(|id| call.world.networks.get(&NetworkId(id))),
        None => data_center.zip(name).and_then(|(center, name)| call.world.network_named(center, name)),
    };
    // A network is as good as absent where none of its profiles is seen.
    let network = network.filter(|n| call.visible().is_everything() || profiles_of(&call.world, n.id).any(|p| is_seen(call, p)));
    network.ok_or_else(|| call.missing(format!("Network: {}", id.or(name).unwrap_or_default())))
}

fn is_seen(call: &Call, profile: &VnicProfile) -> bool {
    call.visible().contains(&call.world, Object::VnicProfile(profile.id))
}

/// The networks that a request wants mirrored, if it speaks of any; what the profile mirrors anyway is not said twice.
fn mirrored(call: &Call, sent: &Doc, vm: &Vm, current: Option<&Nic>) -> Result<Option<Vec<NetworkId>>, Answer> {
    if !sent.has("port_mirroring") {
        return Ok(None);
    }
    let mut networks = Vec::new();
    for wanted in sent.docs("port_mirroring.networks.network") {
        let network = network(call, wanted, vm)?.id;
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    if current.is_some_and(|nic| nic.mirrored(&call.world) == networks) {
        return Ok(None);
    }
    Ok(Some(networks))
}

/// The profile that a request means: named, or the first of the network that it names; an empty reference is none. An update may send
/// both as they were before and change one: what is still as it was says nothing.
fn profile(call: &Call, sent: &Doc, vm: &Vm, current: Option<&Nic>) -> Result<Option<Option<VnicProfileId>>, Answer> {
    let current = current.and_then(|nic| nic.profile);
    if let Some(id) = sent.text("vnic_profile.id") {
        let id = uuid::Uuid::parse_str(id).map_err(|_| call.missing(format!("VnicProfile: id={id}")))?;
        if current != Some(VnicProfileId(id)) {
            return Ok(Some(Some(VnicProfileId(id))));
        }
    }
    let Some(wanted) = sent.doc("network") else { return Ok(None) };
    if ["id", "name"].into_iter().all(|by| wanted.text(by).is_none_or(str::is_empty)) {
        return Ok(Some(None));
    }
    let network = network(call, wanted, vm)?;
    if current.and_then(|id| call.world.vnic_profiles.get(&id)).is_some_and(|profile| profile.network == network.id) {
        return Ok(None);
    }
    let profile = profiles_of(&call.world, network.id).find(|profile| is_seen(call, profile));
    Ok(Some(Some(profile.ok_or_else(|| call.missing(format!("VnicProfile: network={}", network.config.name)))?.id)))
}

fn patch(call: &Call, sent: &Doc, vm: &Vm, current: Option<&Nic>) -> Result<NicPatch, Answer> {
    Ok(NicPatch {
        name: given(sent, "name"),
        interface: sent.text("interface").and_then(NicInterface::from_name),
        profile: profile(call, sent, vm, current)?,
        mac: given(sent, "mac.address"),
        linked: sent.bool("linked"),
        plugged: sent.bool("plugged").or_else(|| sent.bool("active")),
        port_mirroring: mirrored(call, sent, vm, current)?,
    })
}

fn nic<'a>(call: &Call, vm: &'a Vm) -> Result<&'a Nic, Answer> {
    let id: NicId = call.id(3)?;
    call.found(vm.nics.iter().find(|nic| nic.id == id), 3)
}

/// The interfaces of a VM.
pub fn views(call: &Call, vm: &Vm) -> Vec<Doc> {
    vm.nics.iter().map(|nic| view(call, vm, nic)).collect()
}

async fn list(call: Arc<Call>) -> Handled {
    listed(&call, &NIC, views(&call, vm(&call, &call.world)?))
}

async fn get(call: Arc<Call>) -> Handled {
    let vm = vm(&call, &call.world)?;
    Ok(Answer::doc(200, &NIC, &view(&call, vm, nic(&call, vm)?), call.output))
}

async fn add(call: Arc<Call>) -> Handled {
    let owner = vm(&call, &call.world)?;
    let sent = call.body(&NIC)?;
    require(&sent, "NIC", "add", &["name"]).map_err(|fault| call.bad(&fault))?;
    let mut config = NicConfig {
        name: String::new(),
        interface: NicInterface::Virtio,
        profile: None,
        mac: String::new(),
        linked: true,
        plugged: true,
        port_mirroring: Vec::new(),
    };
    config.apply(&patch(&call, &sent, owner, None)?);
    let outcome = call.submit(AddNic { vm: owner.id, config }).await?;
    let world = call.settle(&outcome).await?;
    let nic = outcome.events.iter().find_map(|r| match &r.event {
        Event::NicAdded(e) => Some(&e.nic),
        _ => None,
    });
    created(&call, &NIC, &view(&call, vm(&call, &world)?, call.found(nic, 1)?))
}

async fn update(call: Arc<Call>) -> Handled {
    let owner = vm(&call, &call.world)?;
    let current = nic(&call, owner)?;
    let sent = call.body(&NIC)?;
    check_immutable(&call, &NIC, &view(&call, owner, current), &sent)?;
    let changes = patch(&call, &sent, owner, Some(current))?;
    let outcome = call.submit(UpdateNic { vm: owner.id, nic: current.id, changes }).await?;
    let world = call.settle(&outcome).await?;
    let owner = vm(&call, &world)?;
    Ok(Answer::doc(200, &NIC, &view(&call, owner, nic(&call, owner)?), call.output))
}

async fn delete(call: Arc<Call>) -> Handled {
    let owner = vm(&call, &call.world)?;
    remove(&call, RemoveNic { vm: owner.id, nic: nic(&call, owner)?.id }).await
}

async fn plug(call: Arc<Call>, plugged: bool) -> Handled {
    let owner = vm(&call, &call.world)?;
    let nic = nic(&call, owner)?.id;
    let changes = NicPatch { plugged: Some(plugged), ..Default::default() };
    act_and_wait(&call, UpdateNic { vm: owner.id, nic, changes }).await
}

async fn activate(call: Arc<Call>) -> Handled {
    plug(call, true).await
}

async fn deactivate(call: Arc<Call>) -> Handled {
    plug(call, false).await
}

/// What is measured of the interface that the path names; zeros while the VM does not run.
fn measured(call: &Call) -> Result<(NicId, String, Vec<Statistic>), Answer> {
    let owner = vm(call, &call.world)?;
    let nic = nic(call, owner)?;
    let live = call.engine().driver().vm_statistics(owner.id.0).unwrap_or_default();
    let load = live.nics.into_iter().find(|load| load.name == nic.name).unwrap_or_default();
    Ok((nic.id, format!("{}/vms/{}/nics/{}", call.base, owner.id, nic.id), nic_statistics(&load)))
}

async fn list_statistics(call: Arc<Call>) -> Handled {
    let (id, href, measured) = measured(&call)?;
    Statistic::list(&call, id.0, "nic", &href, &measured)
}

async fn get_statistic(call: Arc<Call>) -> Handled {
    let (id, href, measured) = measured(&call)?;
    Statistic::one(&call, 5, id.0, "nic", &href, &measured)
}
