#!/usr/bin/env python3
"""What all collections share, through oVirt's own Python SDK: the entry point, capabilities, searches, asynchronous requests, events and jobs.

usage: SDK/bin/python tests/scenarios/common.py --url URL [--ca-file FILE]        EVIRT_PASSWORD is the password of admin@internal

It needs a fresh engine on the built-in estate: `scripts/engine` starts one. Each check is a line; the exit status tells whether all hold.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
from scenario import GIB, check, connect, equal, params, reaches, refused, tell

HOST = ("host1.example.com", "192.168.0.11", "redhat")


def entry_point(api):
    version = api.get_product_info().get_version()
    equal("the API is of version 3.3", (int(version.get_major()), int(version.get_minor())), (3, 3))
    links = {link.get_rel() for link in api.get_special_objects().get_link()}
    equal("special objects are linked", links, {"templates/blank", "tags/root"})
    equal("Blank is where it is said", api.templates.get(id="00000000-0000-0000-0000-000000000000").get_name(), "Blank")
    equal("the summary counts users", int(api.get_summary().get_users().get_total()), 1)


def capabilities(api):
    versions = {(int(v.get_major()), int(v.get_minor())): v for v in api.capabilities.list()}
    equal("there are four versions", sorted(versions), [(3, 0), (3, 1), (3, 2), (3, 3)])
    now = versions[3, 3]
    equal("the last one is the current one", [v for v in versions if versions[v].get_current()], [(3, 3)])
    check("CPU types have levels", {"Intel Nehalem Family": 5}.items() <= {c.get_id(): c.get_level() for c in now.get_cpus().get_cpu()}.items())
    equal("formats come with versions", [len(v.get_storage_formats().get_format()) for _, v in sorted(versions.items())], [2, 3, 3, 3])
    check("power managers have options", any(o.get_name() == "slot" for p in now.get_power_managers().get_power_management() for o in p.get_options().get_option()))
    properties = {p.get_name(): p.get_regexp() for p in now.get_custom_properties().get_custom_property()}
    equal("custom properties have patterns", properties.get("sap_agent"), "^(true|false)$")
    check("permits are listed", {"create_vm", "delete_vm"} <= {p.get_name() for p in now.get_permits().get_permit()})


def vm(api, name, **more):
    return params.VM(name=name, memory=GIB, cluster=api.clusters.get(name="Default"), template=api.templates.get(name="Blank"), **more)


def collections(api):
    for n in range(1, 6):
        api.vms.add(vm(api, f"vm{n}"))
    api.vms.add(vm(api, "VMx"))
    names = lambda **query: [found.get_name() for found in api.vms.list(**query)]
    equal("max cuts a list", len(names(max=2)), 2)
    equal("max cuts pages", names(query="name=vm* and name!=VMx sortby name asc page 2", max=2), ["vm3", "vm4"])
    equal("no page lies behind the last", names(query="page 9"), [])
    equal("the case of letters counts where it is asked for", names(query="name=vmx", case_sensitive=True), [])
    equal("and does not where it is not", names(query="name=vmx", case_sensitive=False), ["VMx"])
    equal("properties filter on the client's side", [found.get_name() for found in api.vms.list(name="vm1")], ["vm1"])
    full = api.vms.list(query="name=vm1", all_content=True)[0]
    check("everything is shown where it is asked for", full.get_memory() == GIB and full.get_status().get_state() == "down")
    equal("what is not there is none", api.vms.get(name="vm9"), None)


def resources(api):
    first = api.vms.get(name="vm1")
    equal("it is the same by its id", api.vms.get(id=first.get_id()).get_name(), "vm1")
    first.set_description("the first")
    equal("an update gives it back", first.update(correlation_id="common-1").get_description(), "the first")
    check("the correlation id is told", api.events.list(max=1)[0].get_correlation_id() == "common-1")
    with refused("what refers to nothing is refused", 404, "Entity not found"):
        first.permissions.add(params.Permission(role=params.Role(name="UserRole"), user=params.User(id="00000000-0000-0000-0000-00000000dead")))
    api.vms.get(name="vm5").delete(async_=True)
    reaches("an asynchronous deletion comes to its end", lambda: api.vms.get(name="vm5"), None)


def actions(api):
    name, address, password = HOST
    api.hosts.add(params.Host(name=name, address=address, root_password=password, cluster=api.clusters.get(name="Default")))
    reaches("a host comes up", lambda: api.hosts.get(name=name).get_status().get_state(), "up")
    host = api.hosts.get(name=name)
    asked = host.deactivate(params.Action(async_=True))
    check("an asynchronous action is polled by its id", asked.get_id() and asked.get_status().get_state() in ("pending", "in_progress", "complete"), asked.get_status())
    reaches("and is done after a while", lambda: api.hosts.get(name=name).get_status().get_state(), "maintenance")
    with refused("a refused action says why", 409, "maintenance"):
        host.deactivate()
    host.activate()
    reaches("and back", lambda: api.hosts.get(name=name).get_status().get_state(), "up")


def permissions(api, options):
    user = api.users.add(params.User(user_name="eve@internal", domain=params.Domain(name="internal")))
    mine = api.vms.get(name="vm1")
    role = api.roles.get(name="UserRole")
    given = mine.permissions.add(params.Permission(user=user, role=role))
    equal("a permission says whose it is", (given.get_user().get_id(), given.get_role().get_id()), (user.get_id(), role.get_id()))
    equal("and on what", given.get_vm().get_id(), mine.get_id())
    filtered = connect(options.url, os.environ["EVIRT_PASSWORD"], options.ca_file, filter=True)
    check("who is everything's administrator sees everything, filtered or not", len(filtered.vms.list()) == 5, len(filtered.vms.list()))
    filtered.disconnect()
    mine.permissions.get(id=given.get_id()).delete()
    equal("and is taken back", [p for p in mine.permissions.list() if p.get_user() and p.get_user().get_id() == user.get_id()], [])


def jobs(api):
    job = api.jobs.add(params.Job(description="Backup", auto_cleared=True))
    step = job.steps.add(params.Step(type_="EXECUTING", description="Copy"))
    inner = job.steps.add(params.Step(type_="VALIDATING", description="Look", parent_step=params.Step(id=step.get_id())))
    equal("a step lies within another", inner.get_parent_step().get_id(), step.get_id())
    with refused("a step is of a known type", 400, "StepEnum"):
        job.steps.add(params.Step(type_="HOPPING", description="Jump"))
    status = lambda state: params.Action(status=params.Status(state=state))
    step.end(status("finished"))
    equal("a step ends", job.steps.get(id=step.get_id()).get_status().get_state(), "FINISHED")
    job.end(status("finished"))
    equal("a job ends", api.jobs.get(id=job.get_id()).get_status().get_state(), "FINISHED")
    api.jobs.get(id=job.get_id()).clear()
    equal("and is cleared", api.jobs.get(id=job.get_id()), None)
    check("the engine's own jobs are listed", any("host1" in (listed.get_description() or "") for listed in api.jobs.list()))


def events(api):
    cluster = api.clusters.get(name="Default")
    event = params.Event(description="It is hot", severity="warning", origin="nagios", custom_id=7, cluster=cluster)
    made = api.events.add(event)
    equal("an event from outside is kept", (made.get_code(), made.get_origin(), made.get_severity()), (9802, "nagios", "warning"))
    with refused("but not twice", 409):
        api.events.add(event)
    check("it is found by what it is about", made.get_id() in [e.get_id() for e in api.events.list(query="origin=nagios and cluster=Default")])
    newest = api.events.list(max=3)
    after = api.events.list(from_event_id=newest[-1].get_id())
    equal("a list starts after an event", sorted(e.get_id() for e in after), sorted(e.get_id() for e in newest[:-1]))
    pages = [api.events.list(query=f"sortby time asc page {n}", max=5) for n in (1, 2)]
    ids = [int(e.get_id()) for page in pages for e in page]
    equal("pages follow each other", (len(ids), ids), (10, sorted(ids)))
    api.events.get(id=made.get_id()).delete()
    equal("and it is removed", api.events.get(id=made.get_id()), None)


if __name__ == "__main__":
    sys.exit(tell("common", entry_point, capabilities, collections, resources, actions, permissions, jobs, events))
