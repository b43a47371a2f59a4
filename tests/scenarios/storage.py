#!/usr/bin/env python3
"""Storage through oVirt's own Python SDK: connections, domains of every kind, images, a local data center, quotas, and what is refused.

usage: SDK/bin/python tests/scenarios/storage.py --url URL [--ca-file FILE]        EVIRT_PASSWORD is the password of admin@internal

It needs a fresh engine on the built-in estate: `scripts/engine` starts one. Each check is a line; the exit status tells whether all hold.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
from scenario import GIB, NFS, NODE, check, connect, equal, params, reaches, refused, results, state

SAN = "192.168.0.20"
TARGET = "iqn.2013-04.com.example:target1"
REPOSITORY = "ovirt-image-repository"
LOCAL_HOST = ("host4.example.com", "192.168.0.14", "redhat")


def domain(name, kind, host, **where):
    return params.StorageDomain(name=name, type_=kind, host=host, storage=params.Storage(**where))


def ready(api):
    reaches("a node registers itself", state(api.hosts, NODE), "pending_approval")
    api.hosts.get(name=NODE).approve(params.Action(cluster=api.clusters.get(name="Default")))
    reaches("the approved node comes up", state(api.hosts, NODE), "up")


def connections(api):
    host = api.hosts.get(name=NODE)
    made = api.storageconnections.add(params.StorageConnection(address=NFS, path="/data1", type_="nfs", host=host))
    with refused("a place has one connection", 409, "exists already"):
        api.storageconnections.add(params.StorageConnection(address=NFS, path="/data1/", type_="nfs"))
    with refused("a host finds out that nothing is there", 409, "no storage"):
        api.storageconnections.add(params.StorageConnection(address=NFS, path="/nowhere", type_="nfs", host=host))
    made.set_path("/data2")
    equal("a connection is changed", made.update().get_path(), "/data2")
    domains = api.storagedomains
    domains.add(params.StorageDomain(name="data2", type_="data", host=host, storage=params.Storage(id=made.get_id())))
    data = domains.get(name="data2")
    equal("the domain is behind it", [c.get_id() for c in data.storageconnections.list()], [made.get_id()])
    with refused("a connection that is used stays", 409, "data2"):
        api.storageconnections.get(id=made.get_id()).delete()


def domains(api):
    host, default = api.hosts.get(name=NODE), api.datacenters.get(name="Default")
    for name, kind, where in (
        ("iso1", "iso", dict(type_="nfs", address=NFS, path="/iso1")),
        ("export1", "export", dict(type_="nfs", address=NFS, path="/export1")),
        ("posix", "data", dict(type_="posixfs", address=NFS, path="/posix1", vfs_type="nfs")),
        ("gluster", "data", dict(type_="glusterfs", address=NFS, path="volume1", vfs_type="glusterfs")),
        ("san", "data", dict(type_="iscsi", logical_unit=[params.LogicalUnit(id="3600144f09dbd050000004e1900000001", address=SAN, port=3260, target=TARGET)])),
    ):
        made = api.storagedomains.add(domain(name, kind, host, **where))
        equal(f"a domain on {where['type_']} is made", (made.get_type(), made.get_status().get_state()), (kind, "unattached"))
    with refused("ISO files come after data", 409, "data domain"):
        default.storagedomains.add(api.storagedomains.get(name="iso1"))
    for name in ("data2", "iso1", "export1"):
        default.storagedomains.add(api.storagedomains.get(name=name))
        reaches(f"{name} becomes active", state(default.storagedomains, name), "active")
    with refused("a data center has one storage type", 409, "storage type"):
        default.storagedomains.add(api.storagedomains.get(name="posix"))
    check("ISO files are listed", len(api.storagedomains.get(name="iso1").files.list()) == 7)
    default.storagedomains.get(name="export1").deactivate()
    reaches("a domain rests", state(default.storagedomains, "export1"), "maintenance")
    default.storagedomains.get(name="export1").delete()
    export = api.storagedomains.get(name="export1")
    export.delete(params.StorageDomain(host=host, destroy=True))
    found = api.storagedomains.add(params.StorageDomain(type_="export", host=host, storage=params.Storage(type_="nfs", address=NFS, path="/export1")))
    equal("what lies there is imported", (found.get_id(), found.get_name()), (export.get_id(), "export1"))
    for name in ("posix", "gluster", "san", "export1"):
        api.storagedomains.get(name=name).delete(params.StorageDomain(host=host, format=True))
    equal("wiped domains are gone", sorted(d.get_name() for d in api.storagedomains.list()), ["data2", "iso1", REPOSITORY])


def images(api):
    repository = api.storagedomains.get(name=REPOSITORY)
    equal("images come from a service", (repository.get_type(), repository.get_status().get_state()), ("image", "unattached"))
    image = repository.images.get(name="CirrOS 0.3.1")
    image.import_image(params.Action(storage_domain=params.StorageDomain(name="data2")))
    disk = next(d for d in api.disks.list() if d.get_name().startswith("GlanceDisk-"))
    equal("an image becomes a disk", (disk.get_format(), disk.get_status().get_state()), ("cow", "ok"))
    disk.export(params.Action(storage_domain=params.StorageDomain(name=REPOSITORY)))
    equal("a disk becomes an image", len([i for i in repository.images.list() if i.get_name() == disk.get_name()]), 1)
    with refused("a service has no data center", 400, "image"):
        api.datacenters.get(name="Default").storagedomains.add(repository)
    disk.delete()


def second_way(api):
    host = api.hosts.get(name=NODE)
    unit = params.LogicalUnit(id="3600144f09dbd050000004e1900000002", address=SAN, port=3260, target=TARGET)
    san = api.storagedomains.add(domain("san2", "data", host, type_="iscsi", logical_unit=[unit]))
    other = api.storageconnections.add(params.StorageConnection(type_="iscsi", address=SAN, port=3260, target=TARGET[:-1] + "2"))
    san = api.storagedomains.get(name="san2")
    san.storageconnections.add(params.StorageConnection(id=other.get_id()))
    equal("an iSCSI domain has two ways", len(san.storageconnections.list()), 2)
    san.storageconnections.get(id=other.get_id()).delete()
    equal("and one again", len(san.storageconnections.list()), 1)


def local(api):
    made = api.datacenters.add(params.DataCenter(name="desk", storage_type="localfs", version=params.Version(major=3, minor=3)))
    cluster = made.clusters.add(params.Cluster(name="desk", cpu=params.CPU(id="Intel Nehalem Family"), version=params.Version(major=3, minor=3)))
    with refused("a local data center has one cluster", 400, "one cluster"):
        made.clusters.add(params.Cluster(name="desk2", cpu=params.CPU(id="Intel Nehalem Family")))
    name, address, password = LOCAL_HOST
    host = api.hosts.add(params.Host(name=name, address=address, root_password=password, cluster=cluster))
    reaches("the local host comes up", state(api.hosts, name), "up")
    api.storagedomains.add(domain("disk", "data", host, type_="localfs", path="/data/local"))
    reaches("local storage is attached by itself", state(made.storagedomains, "disk"), "active")
    reaches("and its data center comes up", state(api.datacenters, "desk"), "up")
    made.storagedomains.get(name="disk").deactivate()
    reaches("local storage rests", state(made.storagedomains, "disk"), "maintenance")
    api.datacenters.get(name="desk").storagedomains.get(name="disk").delete()
    equal("and is removed with its data", api.storagedomains.get(name="disk"), None)


def quotas(api):
    default = api.datacenters.get(name="Default")
    host = api.hosts.get(name=NODE)
    data = api.storagedomains.get(name="data2")
    equal("a data center has quotas", default.quotas.list(), [])
    disk = params.Disk(alias="floating", size=GIB, interface="virtio", format="raw", sparse=False)
    made = data.disks.add(disk)
    reaches("a disk is made below its domain", lambda: data.disks.get(id=made.get_id()).get_status().get_state(), "ok")
    data.disks.get(id=made.get_id()).delete()
    reaches("and removed there", lambda: data.disks.get(id=made.get_id()), None)
    with refused("a data center in use stays", 409, "up"):
        default.delete()
    with refused("even by force", 409, "up"):
        default.delete(params.Action(force=True))
    check("the host is still there", host)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--ca-file")
    options = arguments.parse_args()
    api = connect(options.url, os.environ["EVIRT_PASSWORD"], options.ca_file)
    for part in (ready, connections, domains, images, second_way, local, quotas):
        try:
            part(api)
        except Exception as error:  # the parts build on each other, but each tells what it can
            check(f"{part.__name__} comes to its end", False, error)
    api.disconnect()
    print(f"storage: {results.count(True)} passed, {results.count(False)} failed")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
