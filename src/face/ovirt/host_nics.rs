//! Network interfaces of hosts, what lies upon them, and their statistics: the guide's section 14.6.1.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::host::*;
use evirt_domain::host_net::device_id;
use evirt_domain::host_net_setup::*;
use evirt_domain::ids::{HostNicId, NetworkId};
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::collection::created;
use super::hosts::host;
use super::parts::{Statistic, given, number, shown, text};
use super::representation::body::{Body, NotYet, need, not_yet};
use super::representation::types::HOST_NIC;
use super::representation::{Doc, Fault, Place, render_collection, render_fragment};
use super::request::ApiRequest;
use super::route::routes;
use super::work::{carry_out, removed_after};
use crate::app::statistics::{self, NicStatistics};

routes! { ROUTES:
    "hosts/{}/nics" =>
        GET list,
        POST add [Body::add(&HOST_NIC).needs(&[need("name network.id|name bonding.slaves.host_nic.id|name")]).not_yet(TYPED)];
    "hosts/{}/nics/setupnetworks" => POST set_up [SETUP.needs(&[need("host_nics").of("setupNetworks")])];
    "hosts/{}/nics/{}" => GET get, PUT update [Body::update(&HOST_NIC).not_yet(TYPED)], DELETE delete;
    "hosts/{}/nics/{}/attach" =>
        POST attach [Body::action("async grace_period.expiry").needs(&[need("network.id|name").of("attach")])];
    "hosts/{}/nics/{}/detach" => POST detach [Body::action("async network.id|name")];
    "hosts/{}/nics/{}/statistics" => GET list_statistics;
    "hosts/{}/nics/{}/statistics/{}" => GET get_statistic;
}

/// What may be said of networks that are set up together.
const SETUP: Body = Body::action(
    "host_nics.host_nic.network.id|name host_nics.host_nic.name host_nics.host_nic.ip.gateway host_nics.host_nic.boot_protocol \
     host_nics.host_nic.mac.address host_nics.host_nic.ip.address host_nics.host_nic.ip.netmask \
     host_nics.host_nic.bonding.options.option.name host_nics.host_nic.bonding.options.option.value \
     host_nics.host_nic.bonding.options.option.type host_nics.host_nic.bonding.slaves.host_nic.id|name \
     host_nics.host_nic.override_configuration check_connectivity connectivity_timeout checkConnectivity connectivityTimeout force",
)
.not_yet(&[not_yet("host_nics.host_nic.bonding.options.option.type")]);

/// Options of bonds have no types here.
const TYPED: &[NotYet] = &[not_yet("bonding.options.option.type")];

/// An interface of a host as the API shows it.
pub fn view(world: &World, base: &str, host: &Host, nic: &HostNic) -> Doc {
    let host_place = Place::of(base, host.id);
    let place_of = |id: HostNicId| host_place.below("nics", id);
    let address = &nic.address;
    let ip = Doc::new().set("address", &address.ip).opt("netmask", text(&address.netmask)).opt("gateway", text(&address.gateway));
    let up = nic.up && host.status != HostStatus::Down;
    let attachment = nic.network.and_then(|network| host.layout.attachment(network));
    let mut doc = Doc::with_capacity(20)
        .at(&place_of(nic.id))
        .set("name", &nic.name)
        .reference_to("host", &host_place)
        .opt("network", nic.network.map(|id| Doc::new().at(&Place::of(base, id))))
        .set_path("mac.address", &nic.mac)
        .opt("ip", (!address.ip.is_empty()).then_some(ip))
        .opt_path("vlan.id", nic.vlan)
        .set("boot_protocol", address.protocol.name())
        .set("speed", i64::try_from(nic.speed).unwrap_or(i64::MAX))
        .set_path("status.state", if up { "up" } else { "down" })
        .set("mtu", nic.mtu)
        .set("bridged", nic.bridged)
        .opt("custom_configuration", attachment.map(|a| !a.in_sync(world)))
        .links(&["statistics"])
        .actions(&["attach", "detach"]);
    if let Some(bond) = &nic.bond {
        let option = |(name, value): &(String, String)| Doc::new().set("name", name).set("value", value);
        let options: Vec<Doc> = bond.options.iter().map(option).collect();
        let slave = |name: &String| Doc::new().at(&place_of(device_id(host.id, name)));
        let slaves: Vec<Doc> = bond.slaves.iter().map(slave).collect();
        let bonding = Doc::new().set("options", Doc::new().set("option", options));
        doc = doc.set("bonding", bonding.set("slaves", Doc::new().set("host_nic", slaves)));
    }
    if let Some(master) = nic.master {
        doc = doc.link("master", place_of(master).link());
    }
    doc
}

/// What is measured of an interface.
pub fn measures(load: &NicStatistics) -> Vec<Statistic> {
    vec![
        Statistic::rate("data.current.rx", "Receive data rate", load.rx_bytes_per_s),
        Statistic::rate("data.current.tx", "Transmit data rate", load.tx_bytes_per_s),
        Statistic::count("errors.total.rx", "Total receive errors", load.rx_errors),
        Statistic::count("errors.total.tx", "Total transmit errors", load.tx_errors),
    ]
}

/// The host and its interface that the path names.
fn nic<'a>(request: &ApiRequest, world: &'a World) -> Result<(&'a Arc<Host>, &'a HostNic), Answer> {
    let host = host(request, world)?;
    Ok((host, request.found(host.nic(request.id(3)?), 3)?))
}

/// The network that a request refers to by id, or by name in the data center of the host; one that says neither is none.
fn network(request: &ApiRequest, sent: &Doc, host: &Host) -> Result<Option<NetworkId>, Answer> {
    let Some(wanted) = sent.doc("network") else { return Ok(None) };
    let said = |field| wanted.text(field).filter(|text| !text.is_empty());
    let data_center = request.world.data_center_of(host.config.cluster).map(|dc| dc.id);
    let found = match (said("id"), said("name")) {
        (Some(id), _) => {
            let id = Uuid::parse_str(id).map_err(|_| request.bad(&Fault::failed(format!("network.id {id} is no identifier"))))?;
            request.world.networks.get(&NetworkId(id))
        }
        (None, Some(name)) => data_center.and_then(|center| request.world.network_named(center, name)),
        (None, None) => return Ok(None),
    };
    let what = || request.missing(format!("Network: {}", said("id").or(said("name")).unwrap_or_default()));
    Ok(Some(found.ok_or_else(what)?.id))
}

fn address(sent: &Doc) -> AddressWish {
    AddressWish {
        protocol: sent.text("boot_protocol").and_then(BootProtocol::from_name),
        ip: given(sent, "ip.address"),
        netmask: given(sent, "ip.netmask"),
        gateway: given(sent, "ip.gateway"),
    }
}

fn nic_id(request: &ApiRequest, sent: &Doc) -> Result<Option<HostNicId>, Answer> {
    let id = sent.text("id").filter(|id| !id.is_empty());
    let parsed =
        id.map(|id| Uuid::parse_str(id).map_err(|_| request.bad(&Fault::failed(format!("host_nic.id {id} is no identifier")))));
    Ok(parsed.transpose()?.map(HostNicId))
}

fn options(sent: &Doc) -> Option<Vec<(String, String)>> {
    let option = |o: &Doc| (given(o, "name").unwrap_or_default(), given(o, "value").unwrap_or_default());
    sent.has("bonding.options").then(|| sent.docs("bonding.options.option").map(option).collect())
}

fn slaves(request: &ApiRequest, sent: &Doc) -> Result<Option<Vec<NicRef>>, Answer> {
    if !sent.has("bonding.slaves") {
        return Ok(None);
    }
    let slave = |doc: &Doc| {
        Ok(match nic_id(request, doc)? {
            Some(id) => NicRef::Id(id),
            None => NicRef::Name(given(doc, "name").unwrap_or_default()),
        })
    };
    sent.docs("bonding.slaves.host_nic").map(slave).collect::<Result<_, _>>().map(Some)
}

fn bond(request: &ApiRequest, sent: &Doc) -> Result<Option<BondWish>, Answer> {
    if !sent.has("bonding") {
        return Ok(None);
    }
    Ok(Some(BondWish { options: options(sent), slaves: slaves(request, sent)? }))
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?;
    let max = request.max()?.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
    let nics = host.nics.iter().take(max).map(|nic| view(&request.world, request.base, host, nic));
    let about = Doc::new().action("setupnetworks", Place::of(request.base, host.id).link().below("nics/setupnetworks"));
    let items = nics.map(|nic| render_fragment(&HOST_NIC, &nic, request.output));
    Ok(Answer::bytes(200, render_collection(&HOST_NIC, &about, items, request.output), request.output))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    let (host, nic) = nic(&request, &request.world)?;
    shown(&request, &HOST_NIC, &view(&request.world, request.base, host, nic))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let owner = host(&request, &request.world)?;
    let sent = request.body(&HOST_NIC)?;
    let name = given(&sent, "name").unwrap_or_default();
    let command = AddHostBond {
        host: owner.id,
        name: name.clone(),
        options: options(&sent).unwrap_or_default(),
        slaves: slaves(&request, &sent)?.unwrap_or_default(),
        network: request.found(network(&request, &sent, owner)?, 1)?,
        address: address(&sent),
    };
    let outcome = request.submit(command).await?;
    let world = request.settle(&outcome).await?;
    let owner = host(&request, &world)?;
    let made = request.found(owner.nics.iter().find(|nic| nic.name == name), 1)?;
    created(&request, &HOST_NIC, &view(&world, request.base, owner, made))
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let (owner, current) = nic(&request, &request.world)?;
    let sent = request.body(&HOST_NIC)?;
    let now = view(&request.world, request.base, owner, current);
    // The MTU is its network's.
    for field in ["id", "name", "mac.address", "vlan.id", "mtu"] {
        if sent.path(field).is_some_and(|wanted| Some(wanted) != now.path(field)) {
            return Err(Answer::fault(409, &Fault::immutable(field), request.output));
        }
    }
    let command = UpdateHostNic {
        host: owner.id,
        nic: current.id,
        network: network(&request, &sent, owner)?,
        address: address(&sent),
        bond: bond(&request, &sent)?,
        sync: sent.bool("override_configuration") == Some(true),
        connectivity: Connectivity { check: sent.bool("check_connectivity") == Some(true), timeout_s: None },
    };
    let outcome = request.submit(command).await?;
    let world = request.settle(&outcome).await?;
    let owner = host(&request, &world)?;
    // A VLAN device is another once it bears another network.
    let device = owner.nic(current.id).or_else(|| owner.nics.iter().find(|n| n.name == current.name));
    let shown_device = device.or_else(|| owner.nics.iter().find(|n| current.name.starts_with(&n.name)));
    shown(&request, &HOST_NIC, &view(&world, request.base, owner, request.found(shown_device, 3)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let (host, nic) = nic(&request, &request.world)?;
    let outcome = request.submit(RemoveHostBond { host: host.id, nic: nic.id }).await?;
    removed_after(&request, &outcome).await
}

async fn attach(request: Arc<ApiRequest>) -> Handled {
    let (host, nic) = nic(&request, &request.world)?;
    let sent = request.action()?;
    let within = |refused: Answer| refused.in_action(sent.clone(), request.output);
    let wanted = network(&request, &sent, host).and_then(|n| request.found(n, 4)).map_err(within)?;
    let command = AttachHostNetwork { host: host.id, nic: nic.id, network: wanted };
    carry_out(&request, sent, command).await
}

async fn detach(request: Arc<ApiRequest>) -> Handled {
    let (host, nic) = nic(&request, &request.world)?;
    let sent = request.action()?;
    let wanted = network(&request, &sent, host).map_err(|refused| refused.in_action(sent.clone(), request.output))?;
    carry_out(&request, sent, DetachHostNetwork { host: host.id, nic: nic.id, network: wanted }).await
}

async fn set_up(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?;
    let mut sent = request.action()?;
    let within = |refused: Answer| refused.in_action(sent.clone(), request.output);
    let wish = |nic: &Doc| {
        let (id, name) = (nic_id(&request, nic)?, given(nic, "name").filter(|name| !name.is_empty()));
        // The address of its hardware tells which interface is meant, and is nothing that can be given.
        let known = host.nics.iter().find(|own| Some(own.id) == id || Some(&own.name) == name.as_ref());
        if known.zip(nic.text("mac.address")).is_some_and(|(own, mac)| !own.mac.eq_ignore_ascii_case(mac)) {
            return Err(Answer::fault(409, &Fault::immutable("mac.address"), request.output));
        }
        Ok(NicWish {
            id,
            name,
            network: network(&request, nic, host)?,
            address: address(nic),
            bond: bond(&request, nic)?,
            sync: nic.bool("override_configuration") == Some(true),
        })
    };
    let nics = sent.docs("host_nics.host_nic").map(wish).collect::<Result<_, _>>().map_err(within)?;
    let connectivity = connectivity(&sent);
    // The answer has the schema's spelling alone.
    for alias in ["checkConnectivity", "connectivityTimeout"] {
        sent.remove(alias);
    }
    if let Some(mut nics) = sent.doc("host_nics").cloned() {
        for alias in ["checkConnectivity", "connectivityTimeout", "force"] {
            nics.remove(alias);
        }
        sent.put("host_nics", nics);
    }
    carry_out(&request, sent, SetUpHostNetworks { host: host.id, nics, connectivity }).await
}

/// Whether lost connectivity is to be checked, in any of the spellings and places of the guide and the schema.
fn connectivity(sent: &Doc) -> Connectivity {
    let flag = |paths: &[&str]| paths.iter().find_map(|path| sent.bool(path)) == Some(true);
    let check = flag(&["check_connectivity", "checkConnectivity", "host_nics.checkConnectivity"]);
    let force = flag(&["force", "host_nics.force"]);
    let timeouts = ["connectivity_timeout", "connectivityTimeout", "host_nics.connectivityTimeout"];
    Connectivity { check: check && !force, timeout_s: timeouts.iter().find_map(|path| number(sent, path)) }
}

/// What is measured of the interface that the path names; zeros while nothing is known.
fn measured(request: &ApiRequest) -> Result<(HostNicId, Place, Vec<Statistic>), Answer> {
    let (host, nic) = nic(request, &request.world)?;
    let load = statistics::of_host(&request.app, host.id);
    let load = load.and_then(|load| load.nics.into_iter().find(|n| n.name == nic.name));
    let place = Place::of(request.base, host.id).below("nics", nic.id);
    Ok((nic.id, place, measures(&load.unwrap_or_default())))
}

async fn list_statistics(request: Arc<ApiRequest>) -> Handled {
    let (id, place, measured) = measured(&request)?;
    Statistic::list(&request, id.0, "host_nic", &place, &measured)
}

async fn get_statistic(request: Arc<ApiRequest>) -> Handled {
    let (id, place, measured) = measured(&request)?;
    Statistic::one(&request, 5, id.0, "host_nic", &place, &measured)
}
