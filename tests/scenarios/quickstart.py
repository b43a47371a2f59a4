#!/usr/bin/env python3
"""The guide's Python quick start, chapter 4, as it prints it, with its misprints mended.

usage: SDK/bin/python tests/scenarios/quickstart.py --url URL [--ca-file FILE]        EVIRT_PASSWORD is the password of admin@internal

It needs a fresh engine on the built-in estate: `scripts/engine` starts one. Each check is a line; the exit status tells whether all hold.

Mended: print is a function; networks are called logicalnetworks (4.5); the messages of 4.8 and 4.9 have two places for one value; dc.get_name lacks
its parentheses (4.10, 4.11); 8 GB is 8*1024*1024 (4.14); an ISO domain is of format v1, as in 3.8 (4.9); the hypervisor, the storage server and the image have the names of the estate; attached
domains are active already, as the real engine has them too, so that 4.11 deactivates them first.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
from scenario import NFS, NODE, check, equal, params, reaches, state, tell

ISO = "rhel-server-6.0-x86_64-dvd.iso"
DRIVE = "00000000-0000-0000-0000-000000000000"


def lists(api):
    check("4.2 the product has a name", api.get_product_info().name)
    dc, c, n = api.datacenters.list(), api.clusters.list(), api.networks.list()
    equal("4.3 data centers", [listed.get_name() for listed in dc], ["Default"])
    equal("4.4 clusters", [(listed.get_name(), listed.get_id()) for listed in c], [("Default", "99408929-82cf-4dc7-a532-9d998063fa95")])
    equal("4.5 networks", [(listed.get_name(), listed.get_id()) for listed in n], [("rhevm", "00000000-0000-0000-0000-000000000009")])


def host(api):
    reaches("4.6 the hypervisor is listed", lambda: [listed.get_name() for listed in api.hosts.list()], [NODE])
    check("4.7 it is approved", api.hosts.get(name=NODE).approve())
    reaches("4.7 and comes up", state(api.hosts, NODE), "up")


def storage(api):
    dc, h = api.datacenters.get(name="Default"), api.hosts.get(name=NODE)
    for section, name, kind, form in (("4.8", "data1", "data", "v3"), ("4.9", "iso1", "iso", "v1")):
        s = params.Storage(address=NFS, path="/" + name, type_="nfs")
        sd_params = params.StorageDomain(name=name, data_center=dc, host=h, type_=kind, storage_format=form, storage=s)
        sd = api.storagedomains.add(sd_params)
        equal(f"{section} {name} is made", sd.get_name(), name)
    for name in ("data1", "iso1"):
        dc_sd = dc.storagedomains.add(api.storagedomains.get(name=name))
        check(f"4.10 {name} is attached", dc_sd.get_status().get_state() in ("maintenance", "locked", "active"), dc_sd.get_status().get_state())
        reaches(f"4.10 {name} becomes active", state(dc.storagedomains, name), "active")
    for name in ("iso1", "data1"):
        dc.storagedomains.get(name=name).deactivate()
        reaches(f"4.11 {name} is in maintenance", state(dc.storagedomains, name), "maintenance")
    for name in ("data1", "iso1"):
        dc.storagedomains.get(name=name).activate()
        reaches(f"4.11 {name} is activated", state(dc.storagedomains, name), "active")


def machine(api):
    vm_os = params.OperatingSystem(boot=[params.Boot(dev="hd")])
    vm_params = params.VM(name="vm1", memory=512 * 1024 * 1024, cluster=api.clusters.get(name="Default"), template=api.templates.get(name="Blank"), os=vm_os)
    api.vms.add(vm=vm_params)
    vm = api.vms.get(name="vm1")
    equal("4.12 vm1 is made", vm.get_memory(), 512 * 1024 * 1024)
    nic = vm.nics.add(params.NIC(name="nic1", interface="virtio", network=api.networks.get(name="rhevm")))
    equal("4.13 a network interface is added", nic.get_name(), "nic1")
    sd = params.StorageDomains(storage_domain=[api.storagedomains.get(name="data1")])
    d = vm.disks.add(params.Disk(storage_domains=sd, size=8 * 1024 * 1024 * 1024, type_="system", interface="virtio", format="cow", bootable=True))
    equal("4.14 a disk is added", d.get_name(), "vm1_Disk1")
    reaches("4.14 and made", lambda: vm.disks.get(id=d.get_id()).get_status().get_state(), "ok")


def image(api):
    sd = api.storagedomains.get(name="iso1")
    check("4.15 images are identified", ISO in [i.get_name() for i in sd.files.list()])
    cd_iso, cd_vm = sd.files.get(name=ISO), api.vms.get(name="vm1")
    cd_vm.cdroms.add(params.CdRom(file=cd_iso))
    equal("4.15 an image is attached", cd_vm.cdroms.get(id=DRIVE).get_file().get_id(), ISO)
    api.vms.get(name="vm1").start()
    reaches("4.16 vm1 is started", state(api.vms, "vm1"), "up")
    cdrom = cd_vm.cdroms.get(id=DRIVE)
    cdrom.set_file(sd.files.get(name="en_winxp_pro_with_sp2.iso"))
    equal("4.15 another one while it runs", cdrom.update(current=True).get_file().get_id(), "en_winxp_pro_with_sp2.iso")
    api.vms.get(name="vm1").stop()
    reaches("vm1 is stopped", state(api.vms, "vm1"), "down")
    drive = api.vms.get(name="vm1").cdroms.get(id=DRIVE)
    if hasattr(drive, "delete"):
        drive.delete()
    else:  # later versions of the SDK put nothing in instead
        drive.set_file(params.File(id=""))
        drive.update()
    equal("4.15 and ejected", api.vms.get(name="vm1").cdroms.get(id=DRIVE).get_file() is None, True)


def events(api):
    event_list = []
    event_page_index = 1
    event_page_current = api.events.list(query="page %s" % event_page_index)
    while len(event_page_current) != 0:
        event_list = event_list + event_page_current
        event_page_index = event_page_index + 1
        event_page_current = api.events.list(query="page %s" % event_page_index)
    event_list.reverse()
    told = ["%s CODE %s - %s" % (event.get_severity().upper(), event.get_code(), event.get_description()) for event in event_list]
    check("4.17 the login is told", any(line.startswith("NORMAL CODE 30 - ") for line in told), told[:3])
    check("4.17 the start is told", f"NORMAL CODE 153 - vm1 was started by admin (Host: {NODE})." in told, told[-5:])


if __name__ == "__main__":
    sys.exit(tell("quickstart", lists, host, storage, machine, image, events))
