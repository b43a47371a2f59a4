#!/usr/bin/env python3
"""Fetches everything that can be reached, as XML and as JSON: the XML is valid, and the JSON says the same.

usage: SDK/bin/python tests/scenarios/reachable.py --url URL [--ca-file FILE]     EVIRT_PASSWORD is the password of admin@internal;
EVIRT_SCHEMAS may name further schemas (separated by colons) that all XML has to be valid by, beside the engine's own

It needs a fresh engine on the built-in estate: `scripts/engine` starts one. Each check is a line; the exit status tells whether all hold.
"""
import base64
import collections
import json
import os
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

from lxml import etree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
from scenario import GIB, NFS, NODE, check, equal, params, reaches, state, tell

OWN = "the engine's own schema"
# Beyond so many there is a loop.
MOST_RESOURCES = 5_000
# Documents that upstream's schema cannot be asked about: docs/ovirt.md has each as a knowing difference.
OURS = {"files", "file", "cdroms", "cdrom"} | {f"{of}_quota_limit{s}" for of in ("storage", "cluster") for s in ("", "s")}
# What may have changed when the second dialect is asked for.
MOVING = {"datum", "time", "last_updated", "available", "used", "committed", "storage_manager.value"}


def populate(api):
    """Makes one of everything, so that every kind of document is reached."""
    center, cluster, blank = api.datacenters.get(name="Default"), api.clusters.get(name="Default"), api.templates.get(name="Blank")
    reaches("a node registers itself", state(api.hosts, NODE), "pending_approval")
    api.hosts.get(name=NODE).approve(params.Action(cluster=cluster))
    reaches("the node comes up", state(api.hosts, NODE), "up")
    host = api.hosts.get(name=NODE)
    for name, kind in (("data1", "data"), ("iso1", "iso"), ("export1", "export")):
        where = params.Storage(type_="nfs", address=NFS, path="/" + name)
        api.storagedomains.add(params.StorageDomain(name=name, type_=kind, host=host, storage=where))
        center.storagedomains.add(api.storagedomains.get(name=name))
        reaches(f"{name} becomes active", state(center.storagedomains, name), "active")
    host.iscsilogin(params.Action(iscsi=params.IscsiDetails(address="192.168.0.20", target="iqn.2013-04.com.example:target1")))
    network = api.networks.add(params.Network(name="storage", description="a & <b>", data_center=center, vlan=params.VLAN(id=20)))
    cluster.networks.add(params.Network(id=network.get_id(), required=False))
    quota = center.quotas.add(params.Quota(name="enough"))
    tag = api.tags.add(params.Tag(name="red"))
    user = api.users.add(params.User(user_name="eve@internal", domain=params.Domain(name="internal")))
    api.groups.add(params.Group(name="staff"))
    properties = params.CustomProperties(custom_property=[params.CustomProperty(name="sap_agent", value="true")])
    api.vms.add(params.VM(name="vm1", memory=GIB, cluster=cluster, template=blank, quota=quota, custom_properties=properties))
    vm = api.vms.get(name="vm1")
    vm.nics.add(params.NIC(name="nic1", network=params.Network(name="rhevm")))
    target = params.StorageDomains(storage_domain=[api.storagedomains.get(name="data1")])
    vm.disks.add(params.Disk(storage_domains=target, size=GIB, interface="virtio", format="cow", bootable=True))
    reaches("its disk is made", lambda: vm.disks.list()[0].get_status().get_state(), "ok")
    vm.cdroms.add(params.CdRom(file=api.storagedomains.get(name="iso1").files.list()[0]))
    for tagged in (vm, host, user):
        tagged.tags.add(params.Tag(name=tag.get_name()))
        if tagged is not user:
            tagged.permissions.add(params.Permission(user=user, role=api.roles.get(name="UserRole")))
    vm.start()
    reaches("the VM comes up", state(api.vms, "vm1"), "up")
    job = api.jobs.add(params.Job(description="Backup"))
    job.steps.add(params.Step(type_="EXECUTING", description="Copy"))


class Fetcher:
    """GETs addresses with the administrator's credentials."""

    def __init__(self, options):
        parts = urllib.parse.urlsplit(options.url)
        self.root, self.base = f"{parts.scheme}://{parts.netloc}", parts.path
        self.context = ssl.create_default_context(cafile=options.ca_file) if options.ca_file else None
        credentials = f"admin@internal:{os.environ['EVIRT_PASSWORD']}".encode()
        self.headers = {"Authorization": "Basic " + base64.b64encode(credentials).decode()}

    def get(self, path, accept, **headers):
        request = urllib.request.Request(self.root + path, headers={**self.headers, "Accept": accept, **headers})
        return urllib.request.urlopen(request, context=self.context).read()


def xml_leaves(element, path=""):
    """What stands in a document, by path."""
    for name, value in element.attrib.items():
        yield f"{path}.{name}", value
    children = list(element)
    if not children and (element.text or "").strip():
        yield path + (".value" if element.attrib else ""), element.text
    for child in children:
        yield from xml_leaves(child, f"{path}.{child.tag}")


def json_leaves(value, path=""):
    if isinstance(value, dict):
        for name, member in value.items():
            yield from json_leaves(member, f"{path}.{name}")
    elif isinstance(value, list):
        for entry in value:
            yield from json_leaves(entry, path)
    elif value != "":
        yield path, json.dumps(value) if not isinstance(value, str) else value


def leaves(pairs):
    """The leaves and how often each is there; without the values of what moves."""
    return collections.Counter((path, None if any(path.endswith("." + name) for name in MOVING) else value) for path, value in pairs)


def schema(document):
    return etree.XMLSchema(etree.fromstring(document))


def everything(api, options):
    fetcher = Fetcher(options)
    schemas = {OWN: schema(fetcher.get(fetcher.base + "?schema", "*/*"))}
    for file in filter(None, os.environ.get("EVIRT_SCHEMAS", "").split(":")):
        schemas[os.path.basename(file)] = etree.XMLSchema(etree.parse(file))
    waiting, seen, kinds = [fetcher.base, fetcher.base + "?rsdl"], set(), set()
    wrong = {name: [] for name in (*schemas, "fetched", "JSON")}
    while waiting and len(seen) < MOST_RESOURCES:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        try:
            body = fetcher.get(path, "application/xml")
            document = etree.fromstring(body)
            twin = json.loads(fetcher.get(path, "application/json"))
            full = etree.fromstring(fetcher.get(path, "application/xml", **{"All-Content": "true"}))
        except (urllib.error.HTTPError, ValueError) as error:
            wrong["fetched"].append((path, str(error)))
            continue
        kinds.add(document.tag)
        for name, of in schemas.items():
            # What stands within others by All-Content is ours alone.
            for asked in (document, full) if name == OWN else (document,) if document.tag not in OURS else ():
                if not of.validate(asked):
                    wrong[name].append((path, str(of.error_log.last_error)))
        one, other = leaves(xml_leaves(document)), leaves(json_leaves(twin))
        if one != other:
            wrong["JSON"].append((path, list((one - other).items())[:3], list((other - one).items())[:3]))
        if "?rsdl" not in path:
            links = document.xpath("//*[@href][not(parent::actions)]/@href")
            waiting.extend(href for href in links if "{" not in href)
    for name, found in wrong.items():
        check(f"{len(seen)} resources of {len(kinds)} kinds: {name}", not found, found[:5])
    equal("all were reached", (len(seen) < MOST_RESOURCES, len(kinds) > 40), (True, True))


if __name__ == "__main__":
    sys.exit(tell("reachable", populate, everything))
