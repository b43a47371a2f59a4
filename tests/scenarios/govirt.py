#!/usr/bin/env python3
"""What virt-viewer and GNOME Boxes do, through libgovirt's bindings of Debian (gir1.2-govirt-1.0, python3-gi), as far as version 3 serves it.

usage: /usr/bin/python3 tests/scenarios/govirt.py --url HTTPS_URL --ca-file FILE        EVIRT_PASSWORD is the password of admin@internal

It needs a fresh engine on the built-in estate: `scripts/engine` starts one. The exit status tells whether all checks hold.
"""
import argparse
import base64
import os
import re
import ssl
import sys
import time
import urllib.parse
import urllib.request

import gi

gi.require_version("GoVirt", "1.0")
from gi.repository import GLib, GoVirt

PATIENCE = 60  # seconds for any one change of state
USER = ("alice", "alice-secret")

results = []


def check(title, holds, seen=None):
    results.append(bool(holds))
    print(f"ok   {title}" if holds else f"FAIL {title}: {seen!r}", flush=True)


def equal(title, seen, expected):
    check(title, seen == expected, seen)


def reaches(title, read, wanted):
    end = time.monotonic() + PATIENCE
    while (seen := read()) != wanted and time.monotonic() < end:
        time.sleep(0.1)
    equal(title, seen, wanted)


class Admin:
    """Plain requests, for what libgovirt cannot make."""

    def __init__(self, options, password):
        self.url = options.url
        self.context = ssl.create_default_context(cafile=options.ca_file)
        self.authorization = "Basic " + base64.b64encode(f"admin@internal:{password}".encode()).decode()

    def ask(self, path, body=None):
        headers = {"Authorization": self.authorization, "Content-Type": "application/xml"}
        request = urllib.request.Request(self.url + path, body and body.encode(), headers)
        return urllib.request.urlopen(request, context=self.context).read().decode()

    def make(self, path, body):
        """Makes something; its id."""
        return re.search(r' id="([^"]+)"', self.ask(path, body)).group(1)

    def state(self, path):
        return re.search(r"<state>(.*?)</state>", self.ask(path)).group(1)


def prepare(admin):
    host = admin.make("/hosts", "<host><name>host1</name><address>192.168.0.11</address><root_password>redhat</root_password></host>")
    reaches("a host comes up", lambda: admin.state(f"/hosts/{host}"), "up")
    center = re.search(r'<data_center href="[^"]+" id="([^"]+)"', admin.ask("/datacenters?search=name%3DDefault")).group(1)
    for name, kind in (("data1", "data"), ("iso1", "iso")):
        where = f"<storage><type>nfs</type><address>192.168.0.10</address><path>/{name}</path></storage>"
        domain = admin.make("/storagedomains", f'<storage_domain><name>{name}</name><type>{kind}</type><host id="{host}"/>{where}</storage_domain>')
        admin.ask(f"/datacenters/{center}/storagedomains", f'<storage_domain id="{domain}"/>')
        reaches(f"{name} comes up", lambda: admin.state(f"/datacenters/{center}/storagedomains/{domain}"), "active")
    for name in ("web", "mail"):
        vm = f"<vm><name>{name}</name><memory>536870912</memory><cluster><name>Default</name></cluster><template><name>Blank</name></template>"
        vm = admin.make("/vms", f'{vm}<os><boot dev="network"/></os></vm>')
        admin.make(f"/vms/{vm}/nics", "<nic><name>nic1</name><interface>virtio</interface><network><name>rhevm</name></network></nic>")
        if name == "web":
            own = vm
    name, password = USER
    user = admin.make("/users", f"<user><user_name>{name}</user_name><domain><name>internal</name></domain><password>{password}</password></user>")
    admin.make(f"/vms/{own}/permissions", f'<permission><role><name>UserVmManager</name></role><user id="{user}"/></permission>')


def connected(options, user, password, admin=True):
    proxy = GoVirt.Proxy.new(urllib.parse.urlsplit(options.url).netloc)
    proxy.props.username, proxy.props.password = user, password
    proxy.props.ssl_ca_file, proxy.props.admin = options.ca_file, admin
    return proxy


def fetched(proxy, collection):
    """The resources of a collection by name."""
    collection.fetch(proxy)
    return collection.get_resources()


def browse(proxy):
    began = time.monotonic()
    api = proxy.fetch_api()
    names = lambda collection: sorted(fetched(proxy, collection))
    equal("VMs", names(api.get_vms()), ["mail", "web"])
    equal("VMs that are searched for", names(api.search_vms("name=w*")), ["web"])
    equal("hosts", names(api.get_hosts()), ["host1", "hypervisor"])
    equal("clusters", names(api.get_clusters()), ["Default"])
    equal("storage domains", names(api.get_storage_domains()), ["data1", "iso1", "ovirt-image-repository"])
    # The client announces bodies after a 401 that it does not send: nobody waits for them.
    check("all of that without waiting", time.monotonic() - began < 5, time.monotonic() - began)
    vm = fetched(proxy, api.get_vms())["web"]
    equal("a VM's cluster", vm.get_cluster().props.guid, fetched(proxy, api.get_clusters())["Default"].props.guid)
    iso = fetched(proxy, api.get_storage_domains())["iso1"]
    check("files of an ISO domain", "windows-xp.iso" in names(iso.get_files()), names(iso.get_files()))
    return vm


def act(title, action, proxy):
    """Carries an action out. The library reads a status as version 4 writes it, and takes that of version 3 for a failure."""
    try:
        action(proxy)
    except GLib.Error as error:
        check(title, error.message == "Unknown action failure", error.message)
    else:
        check(title, True)


def use(proxy, vm, state):
    equal("it is down", state(), "down")
    act("it is started", vm.start, proxy)
    reaches("it comes up", state, "up")
    check("it is looked at again", vm.refresh(proxy))
    display = vm.props.display
    check("where its display is", display.props.address and (display.props.port or display.props.secure_port), display.props.address)
    act("it gets a ticket", vm.get_ticket, proxy)
    act("it is stopped", vm.stop, proxy)
    reaches("it is down again", state, "down")


def change(proxy, admin, vm):
    cdroms = vm.get_cdroms()
    (drive,) = fetched(proxy, cdroms).values()
    drive.props.file = "windows-xp.iso"
    check("a disc is put in", drive.update(False, proxy))
    check("and is there", '<file id="windows-xp.iso"' in admin.ask(f"/vms/{vm.props.guid}/cdroms"))
    api = proxy.get_api()
    # The library expects version 4's answer to a deletion: whether it is done shows by what is left.
    fetched(proxy, api.get_vms())["mail"].delete(proxy)
    equal("another is deleted", sorted(fetched(proxy, api.search_vms("name=*"))), ["web"])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--ca-file", required=True)
    options = arguments.parse_args()
    password = os.environ["EVIRT_PASSWORD"]
    admin = Admin(options, password)
    prepare(admin)
    own = connected(options, f"{USER[0]}@internal", USER[1], admin=False)
    equal("a user sees the own VM", sorted(fetched(own, own.fetch_api().get_vms())), ["web"])
    web = fetched(own, own.get_api().get_vms())["web"]
    state = lambda: admin.state(f"/vms/{web.props.guid}")
    use(own, web, state)
    proxy = connected(options, "admin@internal", password)
    vm = browse(proxy)
    use(proxy, vm, state)
    change(proxy, admin, vm)
    print(f"{sum(results)} of {len(results)} hold")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
