//! What hangs below a virtual machine and is only read: what its guest reports, and collections that stay empty so far.

use std::sync::Arc;

use evirt_domain::vm::{Nic, Vm};
use uuid::Uuid;

use super::answer::Handled;
use super::parts::{listed, shown};
use super::representation::types::{APPLICATION, REPORTED_DEVICE, SNAPSHOT, WATCHDOG};
use super::representation::{Doc, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::vms::vm;

routes! { ROUTES:
    "vms/{}/reporteddevices" => GET list_devices;
    "vms/{}/reporteddevices/{}" => GET get_device;
    "vms/{}/applications" => GET list_applications;
    "vms/{}/snapshots" => GET list_snapshots;
    "vms/{}/watchdogs" => GET list_watchdogs;
}

/// What tells a reported device's identifier from that of the interface behind it.
const REPORTED: u128 = 0x7265_706f_7274_6564;

/// The device that the guest reports for an interface: it tells its addresses without saying whose they are, so the first has them.
fn device(request: &ApiRequest, vm: &Vm, nic: &Nic, ips: &[String]) -> Doc {
    let place = Place::of(request.base, vm.id);
    let id = Uuid::from_u128(nic.id.0.as_u128() ^ REPORTED);
    let ips: Vec<Doc> = ips.iter().map(|ip| Doc::new().set("address", ip)).collect();
    Doc::new()
        .at(&place.below("reporteddevices", id))
        .set("name", &nic.name)
        .set("type", "network")
        .set_path("mac.address", &nic.mac)
        .set("ips", Doc::new().set("ip", ips))
        .reference_to("vm", &place)
}

fn devices(request: &ApiRequest) -> Result<Vec<Doc>, super::answer::Answer> {
    let vm = vm(request, &request.world)?;
    let Some(run) = vm.run.as_ref().filter(|run| !run.ips.is_empty()) else { return Ok(Vec::new()) };
    let plugged = vm.nics.iter().filter(|nic| nic.plugged).enumerate();
    Ok(plugged.map(|(n, nic)| device(request, vm, nic, if n == 0 { &run.ips } else { &[] })).collect())
}

async fn list_devices(request: Arc<ApiRequest>) -> Handled {
    listed(&request, &REPORTED_DEVICE, devices(&request)?)
}

async fn get_device(request: Arc<ApiRequest>) -> Handled {
    let found = devices(&request)?.into_iter().find(|doc| doc.text("id") == Some(request.segment(3)));
    shown(&request, &REPORTED_DEVICE, &request.found(found, 3)?)
}

macro_rules! empty {
    ($($handler:ident $of:ident;)*) => {$(
        async fn $handler(request: Arc<ApiRequest>) -> Handled {
            vm(&request, &request.world)?;
            listed(&request, &$of, [])
        }
    )*};
}

empty! {
    list_applications APPLICATION;
    list_snapshots SNAPSHOT;
    list_watchdogs WATCHDOG;
}
