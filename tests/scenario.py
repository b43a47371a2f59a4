#!/usr/bin/env python3
"""A working day of an administrator, through oVirt's own Python SDK: builds a data centre, runs machines in it, takes it down again.

usage: SDK/bin/python tests/scenario.py --url URL [--ca-file FILE]        EVIRT_PASSWORD is the password of admin@internal

It needs a fresh engine on the built-in estate: `scripts/engine` starts one. Each check is a line; the exit status tells whether all hold.
"""
import argparse
import contextlib
import os
import sys
import time
import urllib.parse
import warnings

warnings.simplefilter("ignore")
from ovirtsdk.api import API
from ovirtsdk.infrastructure.errors import RequestError
from ovirtsdk.xml import params

GIB = 1024**3
PATIENCE = 60  # seconds for any one change of state

# What the built-in estate has.
NODE = "hypervisor"
HOST = ("host1.example.com", "192.168.0.11", "redhat")
NFS = "192.168.0.10"

results = []


def check(title, holds, seen=None):
    """Notes whether something holds, and what was seen where it does not."""
    results.append(bool(holds))
    print(f"ok   {title}" if holds else f"FAIL {title}: {seen!r}", flush=True)


def equal(title, seen, expected):
    check(title, seen == expected, seen)


@contextlib.contextmanager
def refused(title, status, *words):
    """What is done inside has to end in a fault of that status whose reason or detail has all the words."""
    try:
        yield
    except RequestError as error:
        text = f"{error.reason} {error.detail}"
        check(title, error.status == status and all(word in text for word in words), (error.status, text))
    else:
        check(title, False, "it was not refused")


def reaches(title, read, *wanted):
    """Waits until `read` gives one of the wanted values."""
    end = time.monotonic() + PATIENCE
    seen = read()
    while seen not in wanted and time.monotonic() < end:
        time.sleep(0.1)
        seen = read()
    check(title, seen in wanted, seen)


def state(collection, name):
    """Reads the state of what has that name; None where there is none."""

    def read():
        found = collection.get(name=name)
        return found.get_status().get_state() if found else None

    return read


def connect(url, password, ca_file, user="admin@internal", **more):
    trust = {"ca_file": ca_file} if ca_file else {"insecure": True}
    return API(url=url, username=user, password=password, persistent_auth=True, **trust, **more)


def entry_point(api, options, password):
    equal("the product has a name", bool(api.get_product_info().get_name()), True)
    check("the entry point counts VMs", api.get_summary() is not None and int(api.get_summary().get_vms().get_total()) == 0, api.get_summary())
    with refused("a wrong password is refused", 401):
        connect(options.url, password + "x", options.ca_file)
    second = connect(options.url, password, options.ca_file, session_timeout=5)
    equal("a second session sees the same", second.clusters.get(name="Default").get_id(), api.clusters.get(name="Default").get_id())
    second.disconnect()


def inventory(api):
    default = api.datacenters.get(name="Default")
    cluster = api.clusters.get(name="Default")
    equal("the cluster Default is in the data center Default", cluster.get_data_center().get_id(), default.get_id())
    made = api.datacenters.add(params.DataCenter(name="branch", storage_type="nfs", version=params.Version(major=3, minor=3)))
    with refused("a data center's name is its own", 409, "exists already"):
        api.datacenters.add(params.DataCenter(name="branch", storage_type="nfs", version=params.Version(major=3, minor=3)))
    made.set_description("an office far away")
    equal("a description is changed", made.update().get_description(), "an office far away")
    cpu = params.CPU(id="Intel Nehalem Family")
    api.clusters.add(params.Cluster(name="edge", cpu=cpu, data_center=made, version=params.Version(major=3, minor=3)))
    with refused("a cluster needs a name and a data center", 400, "[name, dataCenter.name|id] required for add"):
        api.clusters.add(params.Cluster(cpu=cpu))
    network = api.networks.add(params.Network(name="storage", data_center=default, vlan=params.VLAN(id=20)))
    cluster.networks.add(network)
    check("the network is in the cluster", cluster.networks.get(name="storage") is not None)
    cluster.networks.get(name="storage").delete()
    network.delete()
    api.clusters.get(name="edge").delete()
    made.delete()
    equal("what was removed is gone", (api.datacenters.get(name="branch"), api.networks.get(name="storage")), (None, None))


def hosts(api):
    cluster = api.clusters.get(name="Default")
    reaches("a node registers itself", state(api.hosts, NODE), "pending_approval")
    api.hosts.get(name=NODE).approve(params.Action(cluster=cluster))
    reaches("the approved node comes up", state(api.hosts, NODE), "up")
    name, address, password = HOST
    with refused("a host with a wrong password is refused at once", 409, "password"):
        api.hosts.add(params.Host(name=name, address=address, root_password=password + "x", cluster=cluster))
    with refused("a host that is not there is refused at once", 409):
        api.hosts.add(params.Host(name="ghost", address="192.168.0.250", root_password=password, cluster=cluster))
    api.hosts.add(params.Host(name=name, address=address, root_password=password, cluster=cluster))
    reaches("an added host comes up", state(api.hosts, name), "up")
    check("a host has network interfaces", [nic.get_name() for nic in api.hosts.get(name=name).nics.list()])


def storage(api):
    default, host = api.datacenters.get(name="Default"), api.hosts.get(name=NODE)
    with refused("an export that is not there is refused", 409):
        api.storagedomains.add(domain("nowhere", "data", host))
    for name, kind in (("data1", "data"), ("iso1", "iso")):
        api.storagedomains.add(domain(name, kind, host))
        default.storagedomains.add(api.storagedomains.get(name=name))
        reaches(f"the {kind} domain becomes active", state(default.storagedomains, name), "active")
    reaches("the data center comes up", state(api.datacenters, "Default"), "up")
    equal("the data domain is the master", api.storagedomains.get(name="data1").get_master(), True)
    check("ISO files are listed", [file.get_name() for file in api.storagedomains.get(name="iso1").files.list()])


def domain(name, kind, host):
    where = params.Storage(type_="nfs", address=NFS, path="/" + name)
    return params.StorageDomain(name=name, type_=kind, host=host, storage=where, storage_format="v3" if kind == "data" else "v1")


def machines(api):
    cluster, blank = api.clusters.get(name="Default"), api.templates.get(name="Blank")
    for name in ("web1", "web2", "db"):
        api.vms.add(params.VM(name=name, memory=GIB, cluster=cluster, template=blank, description="part of the shop"))
    vm = api.vms.get(name="web1")
    equal("a new VM is down", vm.get_status().get_state(), "down")
    with refused("a VM's name is its own", 400, "already in use"):
        api.vms.add(params.VM(name="web1", memory=GIB, cluster=cluster, template=blank))
    with refused("a VM needs a cluster", 400, "VM [cluster.id|name] required for add"):
        api.vms.add(params.VM(name="nameless"))
    with refused("a VM needs a cluster that is there", 404, "Entity not found"):
        api.vms.add(params.VM(name="lost", cluster=params.Cluster(name="nowhere"), template=blank))

    nic = vm.nics.add(params.NIC(name="nic1", interface="virtio", network=api.networks.get(name="rhevm")))
    other = api.vms.get(name="db").nics.add(params.NIC(name="nic1", interface="virtio", network=api.networks.get(name="rhevm")))
    check("every NIC has a MAC address of its own", nic.get_mac().get_address() != other.get_mac().get_address(), nic.get_mac().get_address())
    target = params.StorageDomains(storage_domain=[api.storagedomains.get(name="data1")])
    disk = vm.disks.add(params.Disk(storage_domains=target, size=4 * GIB, type_="system", interface="virtio", format="cow", bootable=True))
    reaches("its disk is made", lambda: vm.disks.get(id=disk.get_id()).get_status().get_state(), "ok")
    with refused("a disk larger than the storage is refused", 409, "space"):
        vm.disks.add(params.Disk(storage_domains=target, size=500 * GIB, interface="virtio", format="raw", sparse=False))
    iso = api.storagedomains.get(name="iso1").files.list()[0]
    vm.cdroms.add(params.CdRom(file=iso))
    equal("an ISO is in the drive", vm.cdroms.list()[0].get_file().get_id(), iso.get_id())
    vm = api.vms.get(name="web1")
    vm.set_memory(2 * GIB)
    vm.update()
    equal("memory is changed while it is down", api.vms.get(name="web1").get_memory(), 2 * GIB)


def life(api):
    """Starts, moves, sleeps and stops a machine."""
    vm = api.vms.get(name="web1")
    vm.start(params.Action(vm=params.VM(os=params.OperatingSystem(boot=[params.Boot(dev="cdrom")]))))
    reaches("it starts", state(api.vms, "web1"), "up")
    with refused("it cannot be started twice", 409, "VM"):
        vm.start()
    with refused("it cannot be removed while it runs", 409, "running"):
        vm.delete()
    boots = lambda: [boot.get_dev() for boot in api.vms.get(name="web1").get_os().get_boot()][:1]
    equal("it shows what it was started with while it runs", boots(), ["cdrom"])
    before = api.vms.get(name="web1").get_host().get_id()
    api.vms.get(name="web1").migrate()
    reaches("it migrates", lambda: (state(api.vms, "web1")(), api.vms.get(name="web1").get_host().get_id() != before), ("up", True))
    api.vms.get(name="web1").suspend()
    reaches("it is suspended", state(api.vms, "web1"), "suspended")
    api.vms.get(name="web1").start()
    reaches("it wakes up", state(api.vms, "web1"), "up")
    ticket = api.vms.get(name="web1").ticket(params.Action(ticket=params.Ticket(expiry=90))).get_ticket()
    check("its console takes a ticket", bool(ticket.get_value()) and int(ticket.get_expiry()) == 90, ticket.get_expiry())

    resident = api.vms.get(name="web1").get_host().get_id()
    api.hosts.get(id=resident).deactivate()
    reaches("a host is moved to maintenance", lambda: api.hosts.get(id=resident).get_status().get_state(), "maintenance")
    equal("and its machine runs on elsewhere", (state(api.vms, "web1")(), api.vms.get(name="web1").get_host().get_id() != resident), ("up", True))
    api.hosts.get(id=resident).activate()
    reaches("the host is back", lambda: api.hosts.get(id=resident).get_status().get_state(), "up")
    api.vms.get(name="web1").shutdown()
    reaches("the machine shuts down", state(api.vms, "web1"), "down")
    equal("and shows what it is configured with then", boots(), ["hd"])


def search(api):
    names = lambda **query: sorted(vm.get_name() for vm in api.vms.list(**query))
    equal("search by a pattern", names(query="name=web*"), ["web1", "web2"])
    equal("search by two conditions", names(query="name=web* and memory>1500"), ["web1"])
    equal("search by either", names(query="name=db or name=web2"), ["db", "web2"])
    equal("search for what is not", names(query="name!=db"), ["web1", "web2"])
    equal("a sorted page", [vm.get_name() for vm in api.vms.list(query="sortby name desc", max=2)], ["web2", "web1"])
    equal("search by what belongs together", [c.get_name() for c in api.clusters.list(query="datacenter.name=Default")], ["Default"])
    with refused("a search that does not parse names the place", 400, "position"):
        api.vms.list(query="name=a and and")


def events(api):
    listed = api.events.list()
    codes = {event.get_code() for event in listed}
    for code, what in ((30, "the login"), (34, "the VM made"), (153, "the VM started"), (61, "the VM down")):
        check(f"there is an event of {what}", code in codes, sorted(codes))
    ids = [int(event.get_id()) for event in listed]
    equal("events come newest first", ids, sorted(ids, reverse=True))
    middle = ids[len(ids) // 2]
    newer = [int(event.get_id()) for event in api.events.list(from_event_id=str(middle))]
    check("and from one on when asked", newer and min(newer) > middle, newer[:5])
    equal("one is read by its id", int(api.events.get(id=str(middle)).get_id()), middle)
    marked = api.vms.get(name="db")
    marked.set_comment("watched")
    marked.update(correlation_id="scenario-1")
    check("a correlation id comes back in the event", "scenario-1" in {e.get_correlation_id() for e in api.events.list(max=5)})


def people(api):
    check("tags hang on machines", api.tags.add(params.Tag(name="shop")) and api.vms.get(name="db").tags.add(params.Tag(name="shop")))
    equal("and are searched by", [vm.get_name() for vm in api.vms.list(query="tag=shop")], ["db"])
    api.tags.get(name="shop").delete()
    check("the administrator is a user", api.users.get(name="admin") is not None, [user.get_name() for user in api.users.list()])
    check("roles are listed", {"SuperUser", "UserRole"} <= {role.get_name() for role in api.roles.list()})


def farewell(api):
    disk = api.vms.get(name="web1").disks.list()[0].get_id()
    for name in ("web1", "web2", "db"):
        api.vms.get(name=name).delete()
        reaches(f"{name} is removed", lambda: api.vms.get(name=name), None)
    equal("and the disk with its machine", api.disks.get(id=disk), None)
    api.disconnect()


def tell(name, *parts):
    """Connects as the command line says, runs the parts of a scenario, and gives its exit status."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--ca-file")
    options = arguments.parse_args()
    api = connect(options.url, os.environ["EVIRT_PASSWORD"], options.ca_file)
    for part in parts:
        try:
            part(api, options) if part.__code__.co_argcount == 2 else part(api)
        except Exception as error:  # the parts build on each other, but each tells what it can
            check(f"{part.__name__} comes to its end", False, error)
    api.disconnect()
    print(f"{name}: {results.count(True)} passed, {results.count(False)} failed")
    return not all(results)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--ca-file")
    options = arguments.parse_args()
    password = os.environ["EVIRT_PASSWORD"]
    api = connect(options.url, password, options.ca_file)
    entry_point(api, options, password)
    for part in (inventory, hosts, storage, machines, life, search, events, people, farewell):
        try:
            part(api)
        except Exception as error:  # the parts build on each other, but each tells what it can
            check(f"{part.__name__} comes to its end", False, error)
    scheme = urllib.parse.urlsplit(options.url).scheme
    print(f"scenario over {scheme}: {results.count(True)} passed, {results.count(False)} failed")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
