#!/usr/bin/env python3
"""Data centers, quotas, clusters, networks and vNIC profiles through oVirt's own Python SDK, with what is refused.

usage: SDK/bin/python tests/scenarios/infrastructure.py --url URL [--ca-file FILE]        EVIRT_PASSWORD is the password of admin@internal

It needs a fresh engine on the built-in estate: `scripts/engine` starts one. Each check is a line; the exit status tells whether all hold.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
from scenario import NFS, NODE, check, equal, params, reaches, refused, state, tell

OLD, NEW = params.Version(major=3, minor=0), params.Version(major=3, minor=1)
NEHALEM = params.CPU(id="Intel Nehalem Family")


def level(version):
    return int(version.get_major()), int(version.get_minor())


def data_centers(api):
    made = api.datacenters.add(params.DataCenter(name="branch", storage_type="nfs", version=OLD))
    equal("a data center begins without storage", made.get_status().get_state(), "uninitialized")
    with refused("its name is its own", 409, "exists already"):
        api.datacenters.add(params.DataCenter(name="branch", storage_type="nfs", version=OLD))
    with refused("its storage is of a known type", 400, "StorageType"):
        api.datacenters.add(params.DataCenter(name="tape", storage_type="tape", version=OLD))
    with refused("it needs a name, a storage type and a version", 400, "required for add"):
        api.datacenters.add(params.DataCenter(name="nothing"))
    cluster = api.clusters.add(params.Cluster(name="branch", cpu=NEHALEM, data_center=made, version=OLD))
    made.set_version(NEW)
    with refused("a data center does not run ahead of its clusters", 400, "branch"):
        made.update()
    cluster.set_version(NEW)
    equal("a cluster goes up by a version", level(cluster.update().get_version()), (3, 1))
    made = api.datacenters.get(name="branch")
    check("then the data center may", (3, 1) in [level(v) for v in made.get_supported_versions().get_version()])
    made.set_version(NEW)
    equal("and does", level(made.update().get_version()), (3, 1))
    made.set_version(OLD)
    with refused("but not down again", 400, "version"):
        made.update()
    api.clusters.get(name="branch").delete()
    api.datacenters.get(name="branch").delete(params.Action(force=True))
    equal("it goes by force", api.datacenters.get(name="branch"), None)


def quotas(api):
    center = api.datacenters.get(name="Default")
    made = center.quotas.add(params.Quota(name="VMQuota", description="for virtual machines"))
    equal("a quota is of its data center", made.get_data_center().get_id(), center.get_id())
    with refused("its name is its own", 409, "name"):
        center.quotas.add(params.Quota(name="VMQuota"))
    with refused("it needs a name", 400, "[name] required for add"):
        center.quotas.add(params.Quota(description="nameless"))
    cluster, blank = api.clusters.get(name="Default"), api.templates.get(name="Blank")
    vm = api.vms.add(params.VM(name="counted", cluster=cluster, template=blank, quota=params.Quota(id=made.get_id())))
    equal("a VM counts on it", vm.get_quota().get_id(), made.get_id())
    with refused("a quota that is used stays", 409, "VMs"):
        center.quotas.get(name="VMQuota").delete()
    vm.delete()
    center.quotas.get(name="VMQuota").delete()
    equal("an unused one goes", center.quotas.get(name="VMQuota"), None)


def clusters(api):
    center = api.datacenters.get(name="Default")
    policy = params.SchedulingPolicy(policy="evenly_distributed", thresholds=params.SchedulingPolicyThresholds(high=75, duration=120))
    memory = params.MemoryPolicy(overcommit=params.MemoryOverCommit(percent=150))
    made = api.clusters.add(
        params.Cluster(name="web", cpu=NEHALEM, data_center=center, scheduling_policy=policy, memory_policy=memory,
                       error_handling=params.ErrorHandling(on_error="do_not_migrate"))
    )
    equal("a cluster keeps its policies", (made.get_scheduling_policy().get_policy(), made.get_memory_policy().get_overcommit().get_percent()), ("evenly_distributed", 150))
    equal("and what happens in trouble", made.get_error_handling().get_on_error(), "do_not_migrate")
    made.set_scheduling_policy(params.SchedulingPolicy(policy="power_saving", thresholds=params.SchedulingPolicyThresholds(low=10, high=80, duration=60)))
    thresholds = made.update().get_scheduling_policy().get_thresholds()
    equal("thresholds are changed", (thresholds.get_low(), thresholds.get_high(), thresholds.get_duration()), (10, 80, 60))
    with refused("a policy is a known one", 400, "SchedulingPolicyType"):
        made.set_scheduling_policy(params.SchedulingPolicy(policy="by_dice"))
        made.update()
    with refused("a CPU is a known one", 400, "CPU"):
        api.clusters.add(params.Cluster(name="odd", cpu=params.CPU(id="Zilog Z80"), data_center=center))
    made = api.clusters.get(name="web")
    made.set_data_center(params.DataCenter(id="00000000-0000-0000-0000-00000000dead"))
    with refused("a cluster is in a data center that there is", 404, "DataCenter"):
        made.update()
    narrow = api.clusters.add(params.Cluster(name="haswell", cpu=params.CPU(id="Intel Haswell"), data_center=center))
    reaches("a node registers itself", state(api.hosts, NODE), "pending_approval")
    api.hosts.get(name=NODE).approve(params.Action(cluster=narrow))
    reaches("a host with too old a CPU does not serve", state(api.hosts, NODE), "non_operational")
    equal("and says why", api.hosts.get(name=NODE).get_status().get_detail(), "cpu_type_incompatible_with_cluster")
    with refused("a cluster with hosts stays", 409, "host"):
        narrow.delete()
    api.hosts.get(name=NODE).deactivate()
    reaches("the host is taken out", state(api.hosts, NODE), "maintenance")
    host = api.hosts.get(name=NODE)
    host.set_cluster(params.Cluster(name="web"))
    host.update()
    api.hosts.get(name=NODE).activate()
    reaches("and serves elsewhere", state(api.hosts, NODE), "up")
    narrow.delete()


def networks(api):
    center, cluster = api.datacenters.get(name="Default"), api.clusters.get(name="web")
    made = api.networks.add(params.Network(name="display", data_center=center, vlan=params.VLAN(id=7), mtu=9000))
    with refused("its name is its own in the data center", 409, "exists already"):
        api.networks.add(params.Network(name="display", data_center=center))
    with refused("a VLAN has a number of twelve bits", 400, "vlan"):
        api.networks.add(params.Network(name="wide", data_center=center, vlan=params.VLAN(id=5000)))
    with refused("a network needs a data center", 400, "required for add"):
        api.networks.add(params.Network(name="nowhere"))
    part = cluster.networks.add(params.Network(id=made.get_id(), required=False))
    equal("a network is in a cluster, required or not", part.get_required(), False)
    part.set_usages(params.Usages(usage=["VM", "DISPLAY"]))
    equal("it carries displays there", sorted(part.update().get_usages().get_usage()), ["DISPLAY", "VM"])
    equal("and the management network does not any more", cluster.networks.get(name="rhevm").get_display(), False)
    part = cluster.networks.get(name="display")
    part.set_required(True)
    part.set_usages(None)
    part.update()
    reaches("a host that lacks a required network does not serve", state(api.hosts, NODE), "non_operational")
    part = cluster.networks.get(name="display")
    part.set_required(False)
    part.update()
    reaches("and does where it is not required", state(api.hosts, NODE), "up")
    with refused("the management network stays", 400):
        cluster.networks.get(name="rhevm").delete()


def profiles(api):
    network = api.networks.get(name="display")
    equal("a network comes with a profile", [p.get_name() for p in network.vnicprofiles.list()], ["display"])
    made = network.vnicprofiles.add(params.VnicProfile(name="Peanuts", description="shelled"))
    equal("mirroring is off", made.get_port_mirroring(), False)
    with refused("a profile's name is its own", 409, "exists already"):
        network.vnicprofiles.add(params.VnicProfile(name="Peanuts"))
    made = api.vnicprofiles.get(name="Peanuts")
    made.set_port_mirroring(True)
    equal("mirroring is switched on", made.update().get_port_mirroring(), True)
    cluster, blank = api.clusters.get(name="web"), api.templates.get(name="Blank")
    vm = api.vms.add(params.VM(name="tap", cluster=cluster, template=blank))
    vm.nics.add(params.NIC(name="nic1", vnic_profile=params.VnicProfile(id=made.get_id())))
    with refused("a profile that is used stays", 409, "interfaces"):
        api.vnicprofiles.get(name="Peanuts").delete()
    with refused("and so does its network", 409):
        network.delete()
    vm.delete()
    api.vnicprofiles.get(name="Peanuts").delete()
    api.clusters.get(name="web").networks.get(name="display").delete()
    network.delete()
    equal("then both go", (api.vnicprofiles.get(name="Peanuts"), api.networks.get(name="display")), (None, None))


def storage(api):
    host, center = api.hosts.get(name=NODE), api.datacenters.get(name="Default")
    where = params.Storage(type_="nfs", address=NFS, path="/data1")
    api.storagedomains.add(params.StorageDomain(name="data1", type_="data", host=host, storage=where, storage_format="v3"))
    center.storagedomains.add(api.storagedomains.get(name="data1"))
    reaches("a data center comes up with its storage", state(api.datacenters, "Default"), "up")
    equal("and takes its format", api.datacenters.get(name="Default").get_storage_format(), "v3")
    center = api.datacenters.get(name="Default")
    center.set_storage_type("iscsi")
    with refused("what kind of storage it has stays", 409, "storage"):
        center.update()


if __name__ == "__main__":
    sys.exit(tell("infrastructure", data_centers, quotas, clusters, networks, profiles, storage))
