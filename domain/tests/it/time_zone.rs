//! The time zones of VMs.

use evirt_domain::Key::*;
use evirt_domain::vm::*;

use crate::harness::*;

#[test]
fn time_zones_are_those_of_the_guide() {
    use evirt_domain::time_zone::TIME_ZONES;
    let estate = estate();
    let at = |zone: &str| VmPatch { timezone: Some(zone.into()), ..VmPatch::default() };
    for zone in TIME_ZONES.iter().flat_map(|(name, windows)| [*name, *windows]) {
        estate.when(UpdateVm { vm: estate.vm, changes: at(zone) }).then(&["VmUpdated"]);
    }
    estate.when(UpdateVm { vm: estate.vm, changes: at("Mars/Olympus") }).refused(InvalidTimezone);
}
