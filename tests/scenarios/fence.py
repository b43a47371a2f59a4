#!/usr/bin/env python3
"""Power fencing of virtual machines by fence_rhevm of Debian's package fence-agents: its whole command set, prepared through oVirt's Python SDK.

usage: SDK/bin/python tests/scenarios/fence.py --url URL [--ca-file FILE]        EVIRT_PASSWORD is the password of admin@internal

It needs a fresh engine on the built-in estate: `scripts/engine` starts one. The exit status tells whether all checks hold.
"""
import argparse
import itertools
import os
import pathlib
import subprocess
import sys
import urllib.parse
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from ovirtsdk.xml import params
from scenario import check, connect, equal, reaches, results, state

AGENT = "/usr/sbin/fence_rhevm"
NODES = ("node1", "node2")
OWNER = ("alice", "alice-secret")

# Whoever asks, in either version that the agent can be told, and with either header Filter.
VERSIONS = {"version 3": ["--api-version=3"], "the version found out": []}
FILTERS = {"filtered": [], "unfiltered": ["--disable-http-filter"]}


def prepare(api):
    cluster = api.clusters.get(name="Default")
    api.hosts.add(params.Host(name="host1", address="192.168.0.11", cluster=cluster, root_password="redhat"))
    reaches("a host comes up", state(api.hosts, "host1"), "up")
    boots = params.OperatingSystem(boot=[params.Boot(dev="network")])
    for name in NODES:
        vm = api.vms.add(params.VM(name=name, memory=512 * 1024**2, cluster=cluster, template=api.templates.get(name="Blank"), os=boots))
        vm.nics.add(params.NIC(name="nic1", interface="virtio", network=params.Network(name="rhevm")))
    name, password = OWNER
    user = api.users.add(params.User(user_name=name, domain=params.Domain(name="internal"), password=password))
    api.vms.get(name="node1").permissions.add(params.Permission(user=user, role=api.roles.get(name="UserVmManager")))


class Fence:
    """The agent as somebody calls it."""

    def __init__(self, url, user, password, *arguments):
        target = urllib.parse.urlsplit(url)
        ssl = ["--ssl-insecure"] if target.scheme == "https" else []
        base = ["--ip", target.hostname, "--ipport", str(target.port), "--api-path", target.path, "--username", user, "--password", password]
        self.command = [AGENT, *base, *ssl, *arguments]

    def __call__(self, action, vm=None):
        """What the agent says, and its exit status."""
        plug = ["--plug", vm] if vm else []
        ran = subprocess.run([*self.command, "--action", action, *plug], capture_output=True, text=True, timeout=120)
        return ran.returncode, ran.stdout.strip()


def commands(api, fence, seen):
    """Every command of the agent on node1, which is down before and after, and what each does to the VMs."""
    states = lambda: [state(api.vms, name)() for name in NODES]
    equal("  monitor", fence("monitor"), (0, ""))
    code, listed = fence("list")
    equal("  list", (code, sorted(line.split(",")[0] for line in listed.splitlines())), (0, sorted(seen)))
    equal("  status of one that is down", fence("status", "node1"), (2, "Status: OFF"))
    equal("  on", fence("on", "node1"), (0, "Success: Powered ON"))
    reaches("  it runs", state(api.vms, "node1"), "up")
    equal("  nothing else does", states(), ["up", "down"])
    equal("  status of one that runs", fence("status", "node1"), (0, "Status: ON"))
    equal("  on again", fence("on", "node1"), (0, "Success: Already ON"))
    started = api.vms.get(name="node1").get_start_time()
    equal("  reboot", fence("reboot", "node1"), (0, "Success: Rebooted"))
    reaches("  it runs again", state(api.vms, "node1"), "up")
    check("  since later", api.vms.get(name="node1").get_start_time() > started)
    equal("  off", fence("off", "node1"), (0, "Success: Powered OFF"))
    equal("  it is off", states(), ["down", "down"])
    equal("  off again", fence("off", "node1"), (0, "Success: Already OFF"))
    code, _ = fence("status", "nothing")
    equal("  one that is not there is an error", code, 1)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--ca-file")
    options = arguments.parse_args()
    password = os.environ["EVIRT_PASSWORD"]
    api = connect(options.url, password, options.ca_file)
    prepare(api)
    for (version, versioned), (filtering, filtered) in itertools.product(VERSIONS.items(), FILTERS.items()):
        print(f"as administrator, {version}, {filtering}", flush=True)
        commands(api, Fence(options.url, "admin@internal", password, *versioned, *filtered), NODES)
    owner = f"{OWNER[0]}@internal"
    for version, versioned in VERSIONS.items():
        print(f"as the owner of a VM, {version}", flush=True)
        commands(api, Fence(options.url, owner, OWNER[1], *versioned), ["node1"])
        own = Fence(options.url, owner, OWNER[1], *versioned)
        equal("  the other's VM is not there", own("off", "node2")[0], 1)
        unfiltered = Fence(options.url, owner, OWNER[1], *versioned, "--disable-http-filter")
        equal("  without the filter nothing is listed", unfiltered("list"), (0, ""))
        equal("  nor found", unfiltered("status", "node1")[0], 1)
    code, _ = Fence(options.url, owner, "wrong")("status", "node1")
    equal("a wrong password is an error", code, 1)
    api.disconnect()
    print(f"{sum(results)} of {len(results)} hold")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
