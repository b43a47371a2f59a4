#!/usr/bin/env python3
"""The guide's chapter 14 through oVirt's Python SDK: hosts, their interfaces and networks, power management, the storage pool manager.

usage: SDK/bin/python tests/scenarios/hosts.py --url URL [--ca-file FILE]        EVIRT_PASSWORD is the password of admin@internal

It needs a fresh engine on the built-in estate: `scripts/engine` starts one. The exit status tells whether all checks hold.
"""
import argparse
import os
import pathlib
import sys
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from ovirtsdk.xml import params
from scenario import check, connect, equal, reaches, refused, results, state

HOSTS = {"north": "192.168.0.11", "south": "192.168.0.12"}


def add_hosts(api):
    cluster = api.clusters.get(name="Default")
    for name, address in HOSTS.items():
        api.hosts.add(params.Host(name=name, address=address, cluster=cluster, root_password="redhat"))
    for name in HOSTS:
        reaches(f"{name} comes up", state(api.hosts, name), "up")
    with refused("a host's address is its own", 409, "192.168.0.11"):
        api.hosts.add(params.Host(name="east", address="192.168.0.11", cluster=cluster, root_password="redhat"))
    host = api.hosts.get(name="north")
    host.set_ksm(params.KSM(enabled=False))
    equal("KSM is switched off", host.update().get_ksm().get_enabled(), False)
    names = {statistic.get_name() for statistic in host.statistics.list()}
    check("the host is measured", {"memory.total", "swap.cached", "ksm.cpu.current", "cpu.load.avg.5m"} <= names, names)


def add_network(api, name, required=False, **more):
    network = api.networks.add(params.Network(name=name, data_center=api.datacenters.get(name="Default"), **more))
    api.clusters.get(name="Default").networks.add(params.Network(id=network.get_id(), required=required))
    return network


def interfaces(api):
    host = api.hosts.get(name="north")
    red, blue = add_network(api, "red"), add_network(api, "blue", vlan=params.VLAN(id=7))
    nic = lambda name: host.nics.get(name=name)
    nic("eth1").attach(params.Action(network=params.Network(id=red.get_id())))
    equal("a network lies on eth1", nic("eth1").get_network().get_id(), red.get_id())
    with refused("it lies on one interface only", 409, "red"):
        nic("eth2").attach(params.Action(network=params.Network(name="red")))
    changed = nic("eth1")
    changed.set_boot_protocol("static")
    changed.set_ip(params.IP(address="10.0.0.9", netmask="255.255.255.0"))
    equal("eth1 gets an address", changed.update().get_ip().get_address(), "10.0.0.9")
    with refused("a netmask is one", 400, "ip.netmask"):
        changed.set_ip(params.IP(address="10.0.0.9", netmask="255.0.255.0"))
        changed.update()
    nic("eth2").attach(params.Action(network=params.Network(name="blue")))
    equal("a VLAN has a device of its own", nic("eth2.7").get_vlan().get_id(), 7)
    nic("eth2").detach(params.Action(network=params.Network(id=blue.get_id())))
    nic("eth1").detach(params.Action(network=params.Network(id=red.get_id())))
    with refused("the management network stays", 400, "rhevm"):
        nic("eth0").detach(params.Action(network=params.Network(name="rhevm")))

    slaves = params.Slaves(host_nic=[params.HostNIC(name="eth1"), params.HostNIC(name="eth2")])
    mode = params.Options(option=[params.Option(name="mode", value="4")])
    bond = params.HostNIC(name="bond0", network=red, bonding=params.Bonding(options=mode, slaves=slaves))
    made = host.nics.add(bond)
    equal("a bond has its slaves", len(made.get_bonding().get_slaves().get_host_nic()), 2)
    made.delete()
    equal("a bond is taken apart", nic("bond0"), None)
    management = params.HostNIC(name="eth0", network=params.Network(name="rhevm"), boot_protocol="dhcp")
    wanted = params.HostNics(host_nic=[management, bond, params.HostNIC(name="bond0.7", network=blue)])
    with refused("an untagged VM network shares no bond with a VLAN", 409, "bond0"):
        host.nics.setupnetworks(params.Action(host_nics=wanted))
    wanted = params.HostNics(host_nic=[management, bond])
    host.nics.setupnetworks(params.Action(host_nics=wanted, check_connectivity=True, connectivity_timeout=60))
    equal("all is set up at once", nic("bond0").get_network().get_id(), red.get_id())
    host.commitnetconfig(params.Action())
    names = {statistic.get_name() for statistic in nic("bond0").statistics.list()}
    check("a bond is measured", names == {"data.current.rx", "data.current.tx", "errors.total.rx", "errors.total.tx"}, names)


def required_network(api):
    network = add_network(api, "backup", required=True)
    for name in HOSTS:
        reaches(f"{name} lacks a required network", state(api.hosts, name), "non_operational")
    equal("and says so", api.hosts.get(name="south").get_status().get_detail(), "network_unreachable")
    api.hosts.get(name="south").nics.get(name="eth1").attach(params.Action(network=params.Network(id=network.get_id())))
    reaches("south comes back once it has it", state(api.hosts, "south"), "up")
    network.delete()
    reaches("north comes back once it is not required", state(api.hosts, "north"), "up")


def power(api):
    host = api.hosts.get(name="north")
    fence = lambda kind: host.fence(params.Action(fence_type=kind))
    with refused("fencing needs power management", 409, "Power management"):
        fence("status")
    agent = params.Agent(type_="ipmilan", address="192.168.0.111", username="admin", password="redhat", order=1, concurrent=False)
    host.set_power_management(
        params.PowerManagement(type_="ipmilan", enabled=True, address="192.168.0.99", username="admin", password="x",
                               agents=params.Agents(agent=[agent]))
    )
    equal("an agent is kept", host.update().get_power_management().get_agents().get_agent()[0].get_address(), "192.168.0.111")
    equal("the power is on", fence("status").get_power_management().get_status().get_state(), "on")
    with refused("a host that is up is not stopped", 409, "up"):
        fence("stop")
    host.deactivate()
    reaches("it goes into maintenance", state(api.hosts, "north"), "maintenance")
    fence("stop")
    equal("the power is off", fence("status").get_power_management().get_status().get_state(), "off")
    fence("start")


def manager(api):
    with refused("without storage there is no pool to manage", 409, "storage"):
        api.hosts.get(name="south").forceselectspm(params.Action())


def told(api, *codes):
    seen = {event.get_code() for event in api.events.list()}
    check("the events tell it", set(codes) <= seen, set(codes) - seen)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--ca-file")
    options = parser.parse_args()
    api = connect(options.url, os.environ["EVIRT_PASSWORD"], options.ca_file)
    for part in (add_hosts, interfaces, required_network, manager, power):
        part(api)
    told(api, 920, 922, 924, 926, 1102, 1104, 519, 605, 9007, 20, 21)
    api.disconnect()
    print(f"{sum(results)} of {len(results)} checks hold")
    sys.exit(0 if all(results) else 1)


main()
