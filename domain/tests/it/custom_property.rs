//! The custom properties of VMs.

use evirt_domain::Key::*;
use evirt_domain::vm::*;

use crate::harness::*;

#[test]
fn custom_properties_are_those_that_there_are() {
    let estate = estate();
    let with = |pairs: &[(&str, &str)]| VmPatch {
        custom_properties: Some(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()),
        ..VmPatch::default()
    };
    for good in [
        &[("sap_agent", "true"), ("sndbuf", "12")][..],
        &[("vhost", "eth0:true,:false,b_1:true")],
        &[("viodiskcache", "writeback")],
    ] {
        estate.when(UpdateVm { vm: estate.vm, changes: with(good) }).then(&["VmUpdated"]);
    }
    for (bad, key) in [
        (&[("colour", "red")][..], UnknownCustomProperty),
        (&[("sap_agent", "perhaps")], InvalidCustomProperty),
        (&[("sndbuf", "")], InvalidCustomProperty),
        (&[("vhost", "eth0")], InvalidCustomProperty),
        (&[("vhost", "a:true,")], InvalidCustomProperty),
        (&[("sap_agent", "true"), ("sap_agent", "false")], DuplicateCustomProperty),
    ] {
        estate.when(UpdateVm { vm: estate.vm, changes: with(bad) }).refused(key);
    }
}
