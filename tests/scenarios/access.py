#!/usr/bin/env python3
"""Who may do what, through oVirt's own Python SDK: roles, users, groups, permissions, and what a user is shown.

usage: SDK/bin/python tests/scenarios/access.py --url URL [--ca-file FILE]        EVIRT_PASSWORD is the password of admin@internal

It needs a fresh engine. Each check is a line; the exit status tells whether all hold.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
from scenario import check, connect as connected, equal, params, refused, results


def connect(options, user, password, **more):
    return connected(options.url, password, options.ca_file, user, **more)


def roles(api):
    permits = params.Permits(permit=[params.Permit(id="1")])
    role = api.roles.add(params.Role(name="Finance Role", administrative=True, permits=permits))
    role.set_name("Engineering Role")
    role.set_administrative(False)
    equal("a role is changed", role.update().get_name(), "Engineering Role")
    role.permits.add(params.Permit(name="delete_vm"))
    equal("a role holds permits", sorted(permit.get_name() for permit in role.permits.list()), ["create_vm", "delete_vm"])
    with refused("a user role takes no administrative permit", 409, "create_host"):
        role.permits.add(params.Permit(name="create_host"))
    with refused("a built-in role stays", 409, "built in"):
        api.roles.get(name="UserRole").delete()
    role.permits.get(name="delete_vm").delete()
    role.delete()
    equal("a removed role is gone", api.roles.get(name="Engineering Role"), None)


def people(api):
    internal = api.domains.get(name="internal")
    for name in ("alice", "bob"):
        api.users.add(params.User(user_name=name, domain=internal, password=f"{name}-secret"))
    group = api.groups.add(params.Group(name="operators"))
    check("a group has no roles", group.roles.list() == [])
    api.permissions.add(params.Permission(group=group, role=api.roles.get(name="UserRole")))
    equal("a group holds a role", [role.get_name() for role in group.roles.list()], ["UserRole"])
    api.tags.add(params.Tag(name="red"))
    group.tags.add(params.Tag(name="red"))
    equal("a group has a tag", [tag.get_name() for tag in group.tags.list()], ["red"])
    with refused("Everyone stays", 409):
        api.groups.get(name="Everyone").delete()
    group.delete()


def machines(api, options):
    cluster, blank = api.clusters.get(name="Default"), api.templates.get(name="Blank")
    for name in ("mine", "theirs"):
        api.vms.add(params.VM(name=name, cluster=cluster, template=blank))
    alice = api.users.get(name="alice")
    with refused("who may do nothing does not log in", 401):
        connect(options, "alice@internal", "alice-secret")
    mine = api.vms.get(name="mine")
    permission = mine.permissions.add(params.Permission(user=alice, role=api.roles.get(name="UserVmManager")))
    own = connect(options, "alice@internal", "alice-secret", filter=True)
    equal("a user sees the VM of a permission, and no other", [vm.get_name() for vm in own.vms.list()], ["mine"])
    equal("nor by its id", own.vms.get(id=api.vms.get(name="theirs").get_id()), None)
    equal("nor the cluster", own.clusters.list(), [])
    vm = own.vms.get(name="mine")
    vm.set_description("hers")
    equal("it is changed by who may", vm.update().get_description(), "hers")
    with refused("what is not permitted is refused", 400, "not authorized"):
        own.tags.add(params.Tag(name="hers"))
    with refused("what is hidden is not there to be used", 404, "Entity not found"):
        own.vms.add(params.VM(name="new", cluster=params.Cluster(id=cluster.get_id()), template=blank))
    cluster.permissions.add(params.Permission(user=alice, role=api.roles.get(name="VmCreator")))
    own.vms.add(params.VM(name="new", cluster=cluster, template=blank))
    equal("what a user creates is the user's", sorted(vm.get_name() for vm in own.vms.list()), ["mine", "new"])
    plain = connect(options, "alice@internal", "alice-secret")
    with refused("without Filter only administrators ask", 400, "insufficient permissions"):
        plain.vms.list()
    mine.permissions.get(id=permission.get_id()).delete()
    equal("a permission that was taken away hides", [vm.get_name() for vm in own.vms.list()], ["new"])
    with refused("guessing is answered by 401", 401):
        connect(options, "bob@internal", "alice-secret")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--ca-file")
    options = arguments.parse_args()
    api = connect(options, "admin@internal", os.environ["EVIRT_PASSWORD"])
    roles(api)
    people(api)
    machines(api, options)
    api.disconnect()
    print(f"{sum(results)} of {len(results)} hold")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
