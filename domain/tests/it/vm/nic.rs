//! Network interfaces: their rules and their addresses.

use super::*;

#[test]
fn network_interfaces() {
    let mut estate = estate();
    let (vm, first) = (estate.vm, estate.nic);
    let profile = estate.profile();
    let add = |config: NicConfig| AddNic { vm, config };
    let with_mac = |mac: &str| add(NicConfig { mac: mac.into(), ..nic("nic2", None) });
    estate.when(add(nic("nic1", None))).refused(NicNameInUse);
    estate.when(add(nic("name-of-16-chars", None))).refused(NameTooLong);
    estate.when(add(nic("nic2", Some(nowhere())))).refused(EntityNotFound);
    estate.when(add(nic("nic2", Some(profile)))).then(&["NicAdded"]);
    for (mac, expected) in [
        ("00:1A:4A:00:00:01", None),
        ("01:1A:4A:00:00:01", Some(MacInvalid)),
        ("00:00:00:00:00:00", Some(MacInvalid)),
        ("00:1A:4A:00:00", Some(MacInvalid)),
        ("00:1A:4A:00:00:0g", Some(MacInvalid)),
        ("00-1A-4A-00-00-01", Some(MacInvalid)),
        ("00:1A:4A:16:01:51", Some(MacInUse)),
    ] {
        assert_eq!(estate.when(with_mac(mac)).key(), expected, "{mac}");
    }
    estate.does(with_mac("00:1A:4A:16:01:52"));
    let events = estate.does(add(nic("nic3", None)));
    assert!(matches!(&events[0], Event::NicAdded(e) if e.nic.mac == "00:1a:4a:16:01:53"), "{events:?}");
    let rename = |name: &str| NicPatch { name: Some(name.into()), ..NicPatch::default() };
    estate.when(UpdateNic { vm, nic: first, changes: rename("nic2") }).refused(NicNameInUse);
    estate.when(UpdateNic { vm, nic: first, changes: rename("lan") }).then(&["NicUpdated"]);
    estate.when(UpdateNic { vm, nic: nowhere(), changes: rename("lan") }).refused(EntityNotFound);
    estate.up(vm);
    estate.when(RemoveNic { vm, nic: first }).refused(VmIsRunning);
    estate.does(UpdateNic { vm, nic: first, changes: NicPatch { plugged: Some(false), ..NicPatch::default() } });
    estate.does(RemoveNic { vm, nic: first });
    estate.when(with_mac("00:1a:4a:16:01:51")).refused(NicNameInUse);
    estate.when(add(NicConfig { mac: "00:1a:4a:16:01:51".into(), ..nic("nic1", None) })).then(&["NicAdded", "JobOpened"]);
}

#[test]
fn macs_of_a_removed_vm_are_free_again() {
    let mut estate = estate();
    let vm = estate.vm;
    let mac = estate.world.vms.get(&vm).expect("the VM").nics[0].mac.clone();
    estate.does(RemoveVm { vm, keep_disks: true });
    let next = estate.vm("next");
    estate.when(AddNic { vm: next, config: NicConfig { mac, ..nic("nic1", None) } }).then(&["NicAdded"]);
}

#[test]
fn a_pool_gives_its_addresses_out_once() {
    let mut estate = estate();
    let (vm, act) = (estate.vm, evirt_domain::check::Act("add", "Network Interface"));
    let pool = || 0x0200_0000_0001..=0x0200_0000_0002;
    let first = free_mac(act, &estate.world, pool()).expect("both are free");
    assert_eq!(first, "02:00:00:00:00:01");
    for (name, mac) in [("one", first.as_str()), ("two", "02:00:00:00:00:02")] {
        estate.does(AddNic { vm, config: NicConfig { mac: mac.into(), ..nic(name, None) } });
    }
    assert_eq!(free_mac(act, &estate.world, pool()).map_err(|refused| refused.key), Err(MacPoolEmpty));
}
