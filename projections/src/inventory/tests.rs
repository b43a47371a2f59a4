//! What searches find in a small data center, and that seeking finds what looking at every row does.

use std::cmp::Ordering;
use std::sync::Arc;

use evirt_domain::access::*;
use evirt_domain::disk::Disk;
use evirt_domain::host::Host;
use evirt_domain::install::DEFAULT_CLUSTER;
use evirt_domain::tag::{AttachTag, CreateTag, ROOT, TagConfig, Tagged};
use evirt_domain::template::Template;
use evirt_domain::vm::Vm;
use evirt_domain::vm_run::{MigrateVm, Observed, SuspendVm};
use proptest::prelude::*;

use super::list::scan;
use super::*;
use crate::audit::{Reference, References};
use crate::fixture::{BY_ADMIN, Lab, START};
use crate::search::{Direction, Filter, Operand, Operator, Order, Plan, compile};
use crate::visible::Visible;

thread_local! {
    /// How many rows this test's searches have looked at.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Two hosts that are up, storage, and VMs: web1 and Web2 run on north, db1 on south, alpha and Zeta are down.
fn lab() -> Lab {
    let mut lab = Lab::installed();
    let (north, south) = (lab.host("north"), lab.host("south"));
    lab.storage("data", north);
    for (name, host) in [("web1", Some(north)), ("Zeta", None), ("Web2", Some(north)), ("alpha", None), ("db1", Some(south))] {
        let vm = lab.vm(name);
        if let Some(host) = host {
            lab.start(BY_ADMIN, vm, host);
        }
    }
    let config = |name: &str, parent| TagConfig { name: name.into(), description: String::new(), parent: Some(parent) };
    lab.admin(CreateTag { config: config("prod", ROOT) });
    let prod = TagId(lab.world.exactly_named(NameKind::Tag, "prod").expect("it was created"));
    lab.admin(CreateTag { config: config("prod-web", prod) });
    let web = TagId(lab.world.exactly_named(NameKind::Tag, "prod-web").expect("it was created"));
    let (db1, web1) = (vm(&lab, "db1"), vm(&lab, "web1"));
    lab.admin(AttachTag { tag: prod, to: Tagged::Vm(db1) });
    lab.admin(AttachTag { tag: web, to: Tagged::Vm(web1) });
    lab.disk(db1, "db1_Disk1");
    lab.admin(AddUser { name: "ann".into(), password: "hash".into(), roles: Vec::new() });
    let ann = user(&lab, "ann");
    let role = RoleId(lab.world.exactly_named(NameKind::Role, "UserRole").expect("it is built in"));
    lab.admin(GrantPermission { holder: Holder::User(ann), role, object: EntityRef::Vm(web1) });
    lab
}

fn vm(lab: &Lab, name: &str) -> VmId {
    VmId(lab.world.exactly_named(NameKind::Vm, name).expect("there is such a VM"))
}

fn user(lab: &Lab, name: &str) -> UserId {
    UserId(lab.world.resolve(NameKind::User, &format!("{name}@internal")).expect("there is such a user"))
}

fn view(lab: &Lab) -> View<'_> {
    View::new(&lab.world, START + 3_600_000_000)
}

/// The first page of what a search asks for.
fn query(view: View<'_>, entity: Entity, text: &str) -> Query {
    Query::searched(plan(view, entity, text), Page::default())
}

fn plan(view: View<'_>, entity: Entity, text: &str) -> Plan {
    let tags = |pattern: &Pattern| tag_names(view.world, pattern);
    compile(entity, text, &view.env(true, &tags)).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn names_of(found: Result<Vec<Arc<Vm>>, UnknownMarker>) -> Vec<String> {
    found.expect("the marker is known").iter().map(|vm| vm.config.name.clone()).collect()
}

/// The names of the VMs that a query finds.
fn names(view: View<'_>, query: &Query) -> Vec<String> {
    names_of(list(view, query))
}

/// How many a search finds.
fn count<T: Resource>(view: View<'_>, text: &str) -> usize {
    list::<T>(view, &query(view, T::ENTITY, text)).expect("there is no marker").len()
}

/// The names of what a search finds; the index has to agree with a scan.
fn find<T: Resource>(view: View<'_>, text: &str, page: Page) -> Vec<String> {
    let query = Query::searched(plan(view, T::ENTITY, text), page);
    let found = list::<T>(view, &query).expect("there is no marker");
    let ids = |items: &[Arc<T>]| items.iter().map(|item| item.id()).collect::<Vec<_>>();
    assert!(Ok(ids(&found)) == scan::<T>(view, &query).map(|found| ids(&found)), "{text}: the index disagrees with a scan");
    let name = |item: &Arc<T>| match item.field(view, "name") {
        Value::Text(name) => name.into_owned(),
        other => panic!("{other:?} is no name"),
    };
    found.iter().map(name).collect()
}

#[test]
fn vms_are_found() {
    let lab = lab();
    let view = view(&lab);
    let id = format!("id = {}", vm(&lab, "db1"));
    for (text, expected) in [
        ("", &["alpha", "db1", "web1", "Web2", "Zeta"][..]),
        ("name = web1", &["web1"]),
        ("name = WEB1", &[]),
        ("name = web*", &["web1"]),
        ("name = *eb*", &["web1", "Web2"]),
        ("name = Z*", &["Zeta"]),
        (&id, &["db1"]),
        ("status = up", &["db1", "web1", "Web2"]),
        ("status = down", &["alpha", "Zeta"]),
        ("status != up sortby name desc", &["Zeta", "alpha"]),
        ("cluster = Default", &["alpha", "db1", "web1", "Web2", "Zeta"]),
        ("cluster = Nowhere", &[]),
        ("cluster = Def* and status = down", &["alpha", "Zeta"]),
        ("datacenter = Default and name = db1", &["db1"]),
        ("host.name = north", &["web1", "Web2"]),
        ("hosts.status = up", &["db1", "web1", "Web2"]),
        ("host.name = north or name = alpha", &["alpha", "web1", "Web2"]),
        ("template.name = Blank", &["alpha", "db1", "web1", "Web2", "Zeta"]),
        ("storage.name = data", &["db1"]),
        ("users.usrname = ann@internal", &["web1"]),
        ("users.name = ann", &["web1"]),
        ("tag = prod", &["db1", "web1"]),
        ("tag = prod-web", &["web1"]),
        ("memory > 500", &["alpha", "db1", "web1", "Web2", "Zeta"]),
        ("memory > 512", &[]),
        ("uptime > 0:10:00", &["db1", "web1", "Web2"]),
        ("cpu_usage > 0", &[]),
        ("events.severity = normal", &[]),
        ("web", &["web1"]),
        ("sortby status", &["alpha", "Zeta", "db1", "web1", "Web2"]),
        ("page 2", &[]),
    ] {
        assert_eq!(find::<Vm>(view, text, Page::default()), expected, "{text}");
    }
}

#[test]
fn case_can_be_ignored() {
    let lab = lab();
    let view = view(&lab);
    let plan = compile(Entity::Vm, "name = WEB*", &view.env(false, &|_| Vec::new())).expect("it is well formed");
    assert_eq!(names(view, &Query::searched(plan, Page::default())), ["web1", "Web2"]);
}

#[test]
fn everything_else_is_found() {
    use evirt_domain::cluster::Cluster;
    use evirt_domain::data_center::DataCenter;
    use evirt_domain::network::Network;
    use evirt_domain::storage::StorageDomain;

    type Find = fn(View<'_>, &str, Page) -> Vec<String>;
    let cases: &[(Find, &str, &[&str])] = &[
        (find::<Host>, "", &["north", "south"]),
        (find::<Host>, "vms.name = db1", &["south"]),
        (find::<Host>, "vms.status = up", &["north", "south"]),
        (find::<Host>, "vms = web", &["north"]),
        (find::<Host>, "active_vms >= 2", &["north"]),
        (find::<Host>, "address = south.example.com", &["south"]),
        (find::<Host>, "nic.network_name = rhevm", &["north", "south"]),
        (find::<Host>, "storage.name = data and name = s*", &["south"]),
        (find::<Host>, "users.name = ann", &["north"]),
        (find::<Host>, "status = maintenance", &[]),
        (find::<Cluster>, "name = Default", &["Default"]),
        (find::<Cluster>, "datacenter.name = Default", &["Default"]),
        (find::<Cluster>, "cluster_network.network_name = rhevm", &["Default"]),
        (find::<DataCenter>, "status = up", &["Default"]),
        (find::<DataCenter>, "clusters.name = Default and network.name = rhevm", &["Default"]),
        (find::<DataCenter>, "storage.type = iscsi", &[]),
        (find::<StorageDomain>, "status = active", &["data"]),
        (find::<StorageDomain>, "datacenter = Default and size > 400", &["data"]),
        (find::<StorageDomain>, "hosts.name = north", &["data"]),
        (find::<Disk>, "", &["db1_Disk1"]),
        (find::<Disk>, "vm_names = db1", &["db1_Disk1"]),
        (find::<Disk>, "storage.name = data", &["db1_Disk1"]),
        (find::<Disk>, "datacenter.name = Default and number_of_vms = 1", &["db1_Disk1"]),
        (find::<Disk>, "storage.name = other", &[]),
        (find::<Network>, "vmnetwork = true", &["rhevm"]),
        (find::<Network>, "host_network.host_name = north", &["rhevm"]),
        (find::<Template>, "childcount = 5", &["Blank"]),
        (find::<Template>, "vms.name = db1", &["Blank"]),
        (find::<User>, "", &["admin", "ann"]),
        (find::<User>, "usrname = admin@internal", &["admin"]),
        (find::<User>, "vms.name = web1", &["ann"]),
        (find::<User>, "role = SuperUser", &["admin"]),
        (find::<Group>, "", &["Everyone"]),
    ];
    let lab = lab();
    for (find, text, expected) in cases {
        assert_eq!(find(view(&lab), text, Page::default()), *expected, "{text}");
    }
}

#[test]
fn pages_follow_one_another() {
    let lab = lab();
    let view = view(&lab);
    for (text, expected) in [
        ("", &["alpha", "db1"][..]),
        ("page 2", &["web1", "Web2"]),
        ("page 3", &["Zeta"]),
        ("page 4", &[]),
        ("sortby memory desc page 2", &["web1", "Web2"]),
        ("status = up page 2", &["Web2"]),
    ] {
        assert_eq!(find::<Vm>(view, text, Page::first(2)), expected, "{text}");
    }
    assert!(find::<Vm>(view, "", Page::first(0)).is_empty());
    assert_eq!(Page::of(None).max, DEFAULT_PAGE_SIZE);
    assert_eq!(Page::of(Some(-1)).max, MAX_PAGE_SIZE);
    assert_eq!(Page::of(Some(i64::MAX)).max, MAX_PAGE_SIZE);
}

#[test]
fn a_page_can_begin_behind_a_marker() {
    let lab = lab();
    let view = view(&lab);
    let all = Query::everything(Entity::Vm);
    let after = |query: &Query, marker: &str| names(view, &Query { page: Page::after(vm(&lab, marker), 2), ..query.clone() });
    assert_eq!(after(&all, "db1"), ["web1", "Web2"]);
    assert_eq!(after(&all, "Web2"), ["Zeta"]);
    assert!(after(&all, "Zeta").is_empty());
    let up = Filter::field(Entity::Vm, "status", Operator::Equal, &Operand::Text("up")).expect("there is such a field");
    let newest = Order::by(Entity::Vm, &[("status", Direction::Asc), ("creationdate", Direction::Desc)]).expect("there are");
    let query = Query { filter: up, order: newest, ..all };
    assert_eq!(names(view, &query), ["db1", "Web2", "web1"]);
    assert_eq!(after(&query, "db1"), ["Web2", "web1"]);
    assert_eq!(after(&query, "alpha"), ["db1", "Web2"], "it is down, and would come before them");
    let nobody = Uuid::from_u128(7);
    let unknown = list::<Vm>(view, &Query { page: Page::after(nobody, 2), ..query.clone() });
    assert_eq!(unknown.err(), Some(UnknownMarker(nobody)));
    let visible = Visible::to(&lab.world, user(&lab, "ann"), true);
    let seen = View { visible: Some(&visible), ..view };
    let hidden = vm(&lab, "db1");
    let marked = |marker| list::<Vm>(seen, &Query { page: Page::after(marker, 2), ..query.clone() });
    assert_eq!(marked(hidden).err(), Some(UnknownMarker(hidden.0)), "what is hidden is not there");
    assert_eq!(names_of(marked(vm(&lab, "web1"))), [""; 0]);
}

#[test]
fn what_is_asked_for_can_be_said_without_text() {
    let lab = lab();
    let view = view(&lab);
    let is = |name, operator, with: &Operand<'_>| Filter::field(Entity::Vm, name, operator, with).expect(name);
    let of =
        |reference, name, with: &Operand<'_>| Filter::related(Entity::Vm, reference, name, Operator::Equal, with).expect(name);
    let (equal, unequal) = (Operator::Equal, Operator::NotEqual);
    let web1 = vm(&lab, "web1").0;
    for (filter, found) in [
        (Filter::everything(Entity::Vm), &["alpha", "db1", "web1", "Web2", "Zeta"][..]),
        (is("name", equal, &Operand::Text("web1")), &["web1"]),
        (is("name", equal, &Operand::Text("web*")), &[]),
        (is("name", equal, &Operand::Matching(Pattern::new("WEB*", false))), &["web1", "Web2"]),
        (is("name", equal, &Operand::OneOf(&["db1", "alpha"])), &["alpha", "db1"]),
        (is("status", unequal, &Operand::Text("up")), &["alpha", "Zeta"]),
        (is("status", equal, &Operand::OneOf(&["down", "powering_up"])), &["alpha", "Zeta"]),
        (is("tag", equal, &Operand::Text("prod")), &["db1"]),
        (is("memory", Operator::GreaterOrEqual, &Operand::Int(512)), &["alpha", "db1", "web1", "Web2", "Zeta"]),
        (is("creationdate", Operator::Less, &Operand::Micros(START)), &[]),
        (is("uptime", Operator::Greater, &Operand::Seconds(60)), &["db1", "web1", "Web2"]),
        (is("id", equal, &Operand::Uuid(web1)), &["web1"]),
        (is("comment", unequal, &Operand::Absent), &[]),
        (of(Entity::Host, "name", &Operand::Text("north")), &["web1", "Web2"]),
        (of(Entity::Host, "name", &Operand::Text("north")).and(is("name", equal, &Operand::Text("Web2"))), &["Web2"]),
        (of(Entity::Host, "name", &Operand::Text("south")).or(is("name", equal, &Operand::Text("Zeta"))), &["db1", "Zeta"]),
    ] {
        let query = Query { filter, ..Query::everything(Entity::Vm) };
        assert_eq!(names(view, &query), found, "{:?}", query.filter);
        assert_eq!(names(view, &query), names_of(scan(view, &query)), "{:?}", query.filter);
    }
    let refused = |name, operator, with: &Operand<'_>| Filter::field(Entity::Vm, name, operator, with).unwrap_err().to_string();
    assert_eq!(refused("colour", equal, &Operand::Absent), "a vm has no field colour");
    assert_eq!(refused("memory", equal, &Operand::Text("1")), "the field memory does not compare by = with such a value");
    assert_eq!(refused("name", Operator::Less, &Operand::Text("a")), "the field name does not compare by < with such a value");
    assert_eq!(refused("status", equal, &Operand::Text("lost")), "the field status is never lost");
    let unrelated = Filter::related(Entity::Vm, Entity::Disk, "name", equal, &Operand::Absent).unwrap_err();
    assert_eq!(unrelated.to_string(), "a vm refers to no disk");
    assert!(Order::by(Entity::Vm, &[("colour", Direction::Asc)]).is_err());
}

/// Live statistics and events of one VM.
struct Outside {
    vm: VmId,
    records: Vec<AuditRecord>,
}

impl Live for Outside {
    fn vm(&self, id: VmId) -> Option<VmLive> {
        (id == self.vm).then(|| VmLive { cpu_percent: Some(80), ..VmLive::default() })
    }

    fn host(&self, _: HostId) -> Option<HostLive> {
        None
    }
}

impl Events for Outside {
    fn about(&self, about: About, visit: &mut dyn FnMut(&AuditRecord) -> bool) {
        let _ = self.records.iter().any(|record| record.about.vm.map(About::Vm) == Some(about) && visit(record));
    }
}

fn records(lab: &Lab) -> Vec<AuditRecord> {
    let entries = lab.entries.iter();
    entries.map(|(position, entry)| AuditRecord::new(entry.clone(), &lab.log[*position as usize - 1])).collect()
}

#[test]
fn live_statistics_and_events_are_asked_where_they_are_given() {
    let mut lab = lab();
    let web1 = vm(&lab, "web1");
    lab.observe(web1, Observed::NotResponding);
    let outside = Outside { vm: web1, records: records(&lab) };
    let view = View { live: Some(&outside), events: Some(&outside), ..view(&lab) };
    assert_eq!(find::<Vm>(view, "cpu_usage > 50", Page::default()), ["web1"]);
    assert_eq!(find::<Vm>(view, "events.severity > normal", Page::default()), ["web1"]);
    assert_eq!(find::<Vm>(view, "events.type = 153", Page::default()), ["db1", "web1", "Web2"]);
}

#[test]
fn events_are_found() {
    let lab = lab();
    let view = view(&lab);
    let records = records(&lab);
    for (text, expected) in [
        ("type = 153 and event_vm = web1", &["web1 was started by admin (Host: north)."][..]),
        ("type = 153 and host.name = south", &["db1 was started by admin (Host: south)."]),
        ("vms.name = alpha", &["VM alpha was created by admin."]),
        ("usrname = admin and message = *Tag*web1*", &["Tag prod-web was put on VM web1 by admin."]),
        ("severity > normal", &[]),
        ("time < 2013-10-23", &[]),
        ("correlation_id = test and type = 149 and usrname = admin", &["User ann was added by admin."]),
    ] {
        let plan = plan(view, Entity::Event, text);
        let rows = records.iter().filter(|record| plan.matches(&AuditRowView { record, view }));
        assert_eq!(rows.map(|record| record.message.as_str()).collect::<Vec<_>>(), expected, "{text}");
    }
    // What was renamed is found under both names, and what is gone under the one that it had; nothing else is known of that.
    let created = records.iter().find(|record| record.message == "VM alpha was created by admin.").expect("alpha was created");
    let renamed = AuditRecord { former: vec![(Reference::Vm, "omega".into())], ..created.clone() };
    let about = References { vm: Some(VmId(Uuid::from_u128(7))), user: Some(UserId(Uuid::from_u128(7))), ..created.about };
    let former = vec![(Reference::Vm, "omega".into()), (Reference::User, "joe@example.org".into())];
    let gone = AuditRecord { about, former, ..created.clone() };
    for (text, expected) in [
        ("event_vm = omega", [false, true, true]),
        ("event_vm = alpha", [true, false, false]),
        ("event_vm != alpha", [false, true, true]),
        ("omega", [false, true, true]),
        ("vms.name = omega", [false, true, true]),
        ("vms.name = alpha", [true, true, false]),
        ("vms = omega", [false, true, true]),
        ("vms.comment = null", [true, true, false]),
        ("vms.comment != null", [false, false, false]),
        ("vms.status = down", [true, true, false]),
        ("vms.status != up", [true, true, false]),
        ("usrname = admin", [true, true, false]),
        ("usrname = joe", [false, false, true]),
        ("usrname = joe@example.org", [false, false, true]),
        ("users.usrname = joe@example.org", [false, false, true]),
        ("users.usrname = joe", [false, false, false]),
        ("users.lastname = null", [true, true, false]),
    ] {
        let plan = plan(view, Entity::Event, text);
        let found = [created, &renamed, &gone].map(|record| plan.matches(&AuditRowView { record, view }));
        assert_eq!(found, expected, "{text}");
    }
    let json = serde_json::to_string(&gone).expect("it can be written");
    assert_eq!(serde_json::from_str::<AuditRecord>(&json).expect("it can be read"), gone);
    let newest = plan(view, Entity::Event, "");
    let (first, last) = (&records[0], &records[records.len() - 1]);
    let order = newest.compare(&AuditRowView { record: last, view }, &AuditRowView { record: first, view });
    assert_eq!(order, Ordering::Less);
    let json = serde_json::to_string(first).expect("it can be written");
    assert_eq!(serde_json::from_str::<AuditRecord>(&json).expect("it can be read"), *first);
}

#[test]
fn the_summary_counts() {
    let mut lab = lab();
    lab.run(BY_ADMIN, OpenSession { user: ADMIN, token_hash: "hash".into(), ttl_minutes: 5, ..OpenSession::default() });
    let expected = Summary {
        vms: Count { total: 5, active: 3 },
        hosts: Count { total: 2, active: 2 },
        users: Count { total: 2, active: 1 },
        storage_domains: Count { total: 1, active: 1 },
    };
    assert_eq!(summary(&lab.world), expected);
    let web1 = vm(&lab, "web1");
    lab.admin(MigrateVm { vm: web1, host: None, force: false });
    assert_eq!(summary(&lab.world), expected, "a VM that migrates counts once");
    let db1 = vm(&lab, "db1");
    lab.admin(SuspendVm { vm: db1 });
    lab.observe(db1, Observed::Saved);
    assert_eq!(summary(&lab.world).vms, Count { total: 5, active: 2 });
}

#[test]
fn a_list_can_be_cut_to_what_a_user_may_see() {
    use crate::visible::may_see;
    let lab = lab();
    let view = view(&lab);
    let ann = user(&lab, "ann");
    let all = Query::everything(Entity::Vm);
    let seen = |user| {
        let visible = Visible::to(&lab.world, user, false);
        let found = list_where::<Vm>(view, &all, |vm| visible.contains(&lab.world, EntityRef::Vm(vm.id)));
        let found = found.expect("there is no marker");
        found.iter().map(|vm| vm.config.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(seen(ann), ["web1"]);
    assert_eq!(seen(ADMIN).len(), 5);
    assert!(Visible::to(&lab.world, ADMIN, false).is_everything());
    assert!(!may_see(&lab.world, ann, EntityRef::Cluster(DEFAULT_CLUSTER)));
    assert!(may_see(&lab.world, ann, EntityRef::Template(evirt_domain::template::BLANK)), "Everyone counts");
    assert!(!may_see(&lab.world, UserId(Uuid::max()), EntityRef::Template(evirt_domain::template::BLANK)));
}

#[test]
fn what_is_hidden_is_in_no_search_and_no_count() {
    let lab = lab();
    let visible = Visible::to(&lab.world, user(&lab, "ann"), true);
    let view = View { visible: Some(&visible), ..view(&lab) };
    let none: [&str; 0] = [];
    for (text, found) in [
        ("", &["web1"][..]),
        ("name = web*", &["web1"]),
        ("name = Web2", &none),
        ("cluster = Default", &none),
        ("datacenter = Default", &none),
        ("host.name = north", &none),
        ("template.name = Blank", &["web1"]),
        ("users.usrname = ann@internal", &["web1"]),
        ("tag = prod", &["web1"]),
        ("page 2", &none),
    ] {
        assert_eq!(names(view, &query(view, Entity::Vm, text)), found, "{text}");
    }
    let counts = [count::<Host>(view, ""), count::<Disk>(view, ""), count::<Group>(view, "")];
    assert_eq!(counts, [0; 3]);
    assert_eq!(count::<User>(view, ""), 1, "oneself");
    assert_eq!(count::<Template>(view, "childcount = 1"), 1, "one VM of five is seen");
}

#[test]
fn what_is_below_is_seen_where_the_role_shows_it() {
    let mut lab = lab();
    let ann = user(&lab, "ann");
    let seen = |lab: &Lab| {
        let visible = Visible::to(&lab.world, ann, true);
        let view = View { visible: Some(&visible), ..view(lab) };
        (count::<Vm>(view, ""), count::<Disk>(view, ""), count::<Host>(view, ""))
    };
    let grant = |lab: &mut Lab, role: &str, object| {
        let role = RoleId(lab.world.exactly_named(NameKind::Role, role).expect("it is built in"));
        lab.admin(GrantPermission { holder: Holder::User(ann), role, object });
    };
    grant(&mut lab, "VmCreator", EntityRef::Cluster(DEFAULT_CLUSTER));
    assert_eq!(seen(&lab), (1, 0, 0), "a role that only creates shows nothing");
    let db1 = EntityRef::Vm(vm(&lab, "db1"));
    grant(&mut lab, "UserRole", db1);
    assert_eq!(seen(&lab), (2, 1, 0), "a VM shows its disks");
    grant(&mut lab, "UserRole", EntityRef::Cluster(DEFAULT_CLUSTER));
    assert_eq!(seen(&lab), (5, 1, 2));
}

/// A user who may see 100 VMs, in a World of so many more.
fn one_of_many(vms: usize) -> (World, UserId) {
    let mut lab = Lab::installed();
    lab.admin(AddUser { name: "ann".into(), password: "hash".into(), roles: Vec::new() });
    let ann = user(&lab, "ann");
    let role = RoleId(lab.world.exactly_named(NameKind::Role, "UserRole").expect("it is built in"));
    let (blank, mut world) = (evirt_domain::template::BLANK, lab.world);
    let blank = world.templates.get(&blank).expect("it is built in").config.clone();
    let mut record = |event: evirt_domain::Event| {
        let stream = event.as_fold().stream();
        world.evolve(&evirt_domain::RecordedEvent {
            position: world.position + 1,
            version: world.version(&stream) + 1,
            stream,
            recorded_at: START,
            actor: BY_ADMIN,
            correlation_id: "test".into(),
            causation: None,
            event,
        });
    };
    for n in 0..vms {
        let vm = VmId(Uuid::from_u128((n as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)));
        let config = evirt_domain::vm::VmConfig { name: format!("vm{n:06}"), cluster: DEFAULT_CLUSTER, ..blank.clone() };
        record(evirt_domain::vm::VmCreated { vm, config }.into());
        if n % (vms / 100) == 0 {
            let permission = Permission {
                id: PermissionId(Uuid::from_u128(n as u128)),
                version: 0,
                holder: Holder::User(ann),
                role,
                object: EntityRef::Vm(vm),
            };
            record(PermissionGranted { permission }.into());
        }
    }
    (world, ann)
}

#[test]
#[ignore = "a measurement: run it alone, with --release"]
fn a_list_costs_what_is_seen_and_not_what_there_is() {
    use std::time::Instant;
    let time = |world: &World, user, text| {
        let mut times: Vec<_> = (0..200)
            .map(|_| {
                let begun = Instant::now();
                let visible = crate::visible::Visible::to(world, user, user != ADMIN);
                let view = View { visible: Some(&visible), ..View::new(world, START) };
                assert_eq!(count::<Vm>(view, text), 100);
                begun.elapsed()
            })
            .collect();
        times.sort();
        times[times.len() / 2]
    };
    let ((small, ann), (large, same)) = (one_of_many(100), one_of_many(100_000));
    for text in ["", "sortby memory desc", "template.name = Blank"] {
        let (few, many, all) = (time(&small, ann, text), time(&large, same, text), time(&small, ADMIN, text));
        println!("{text:>24}: 100 of 100 {few:?}, 100 of 100000 {many:?}; an administrator, 100 of 100 {all:?}");
        assert!(many < few * 2, "{text}: {many:?} and {few:?}");
    }
}

#[test]
fn a_page_in_the_order_of_names_looks_at_no_more_than_its_rows() {
    let mut lab = Lab::installed();
    for n in 0..200 {
        lab.vm(&format!("vm{n:03}"));
    }
    let view = view(&lab);
    for (text, first, looked_at) in
        [("", "vm000", 10), ("page 3", "vm020", 30), ("name = vm15*", "vm150", 10), ("name = vm150", "vm150", 1)]
    {
        let looks = std::cell::Cell::new(0);
        let query = Query::searched(plan(view, Entity::Vm, text), Page::first(10));
        let keep = |_: &Vm| {
            looks.set(looks.get() + 1);
            true
        };
        let found = list_where(view, &query, keep).expect("there is no marker");
        assert_eq!((found[0].config.name.as_str(), looks.get()), (first, looked_at), "{text}");
    }
}

/// A data center of three clusters with hosts, VMs, disks, users and groups; of each 90.
fn crowd() -> Lab {
    use evirt_domain::cluster::*;
    use evirt_domain::host::{Host, HostAdded, HostStatus, HostStatusChanged};
    use evirt_domain::tag::TagAttached;
    let mut lab = lab();
    let north = HostId(lab.world.exactly_named(NameKind::Host, "north").expect("there is such a host"));
    let prod = TagId(lab.world.exactly_named(NameKind::Tag, "prod").expect("there is such a tag"));
    let like: Host = (**lab.world.hosts.get(&north).expect("it is there")).clone();
    let default: Cluster = (**lab.world.clusters.get(&DEFAULT_CLUSTER).expect("it is there")).clone();
    let staff = Group::new(GroupId(Uuid::from_u128(7)), "staff", INTERNAL);
    lab.record(BY_ADMIN, GroupAdded { group: staff.clone() }.into());
    let mut clusters = Vec::new();
    for n in 1..=3 {
        let cluster = ClusterId(Uuid::from_u128(n));
        let config = ClusterConfig { name: format!("c{n}"), ..default.config.clone() };
        lab.record(BY_ADMIN, ClusterCreated { cluster, config }.into());
        clusters.push(cluster);
    }
    for n in 0..90 {
        let host = HostId(Uuid::from_u128(1000 + n as u128));
        let cluster = clusters[n % 3];
        let config = evirt_domain::host::HostConfig {
            name: format!("host{n:02}"),
            address: format!("h{n}.example.com"),
            cluster,
            ..like.config.clone()
        };
        lab.record(BY_ADMIN, HostAdded { host, config, sealed_password: String::new(), facts: Default::default() }.into());
        let to = if n % 9 == 0 { HostStatus::NonOperational } else { HostStatus::Up };
        lab.record(BY_ADMIN, HostStatusChanged { host, from: HostStatus::Installing, to, detail: String::new() }.into());
        let created = lab.vm(&format!("crowd{n:02}"));
        lab.disk(created, &format!("disk{n:02}"));
        let changes = evirt_domain::vm::VmPatch { cluster: Some(cluster), ..Default::default() };
        lab.record(BY_ADMIN, evirt_domain::vm::VmUpdated { vm: created, changes }.into());
        lab.admin(AddUser { name: format!("user{n:02}"), password: "hash".into(), roles: Vec::new() });
        let user = user(&lab, &format!("user{n:02}"));
        if n % 10 == 0 {
            lab.record(BY_ADMIN, TagAttached { tag: prod, to: Tagged::Host(host) }.into());
            lab.record(BY_ADMIN, TagAttached { tag: prod, to: Tagged::Vm(created) }.into());
            lab.record(BY_ADMIN, TagAttached { tag: prod, to: Tagged::User(user) }.into());
            lab.record(BY_ADMIN, GroupMemberAdded { group: staff.id, user }.into());
        }
    }
    lab
}

#[test]
fn what_an_index_answers_is_not_scanned_for() {
    use evirt_domain::cluster::Cluster;
    use evirt_domain::network::Network;
    use evirt_domain::storage::StorageDomain;
    type Look = fn(View<'_>, &str) -> (usize, usize);
    /// How many rows a search finds, and how many it looks at.
    fn look<T: Resource>(view: View<'_>, text: &str) -> (usize, usize) {
        let query = Query::searched(plan(view, T::ENTITY, text), Page::first(1000));
        LOOKED_AT.set(0);
        let found = list::<T>(view, &query).expect("there is no marker");
        let looked = LOOKED_AT.get();
        let scanned = scan::<T>(view, &query).expect("there is no marker");
        assert!(
            found.iter().map(|row| row.id()).eq(scanned.iter().map(|row| row.id())),
            "{text}: the index disagrees with a scan"
        );
        (found.len(), looked)
    }
    let lab = crowd();
    let view = view(&lab);
    let host_id = format!("id = {}", Uuid::from_u128(1001));
    let (hosts, vms, users, disks) = (look::<Host> as Look, look::<Vm> as Look, look::<User> as Look, look::<Disk> as Look);
    for (look, text, found, looked) in [
        (hosts, "name = host17", 1, 1),
        (hosts, "name = host1*", 10, 10),
        (hosts, &host_id, 1, 1),
        (hosts, "address = h3.example.com", 1, 1),
        (hosts, "status = non_operational", 10, 10),
        (hosts, "status = nonoperational sortby memory desc", 10, 10),
        (hosts, "cluster = c1", 30, 30),
        (hosts, "cluster = c1 or cluster = c2", 60, 60),
        (hosts, "tag = prod", 9, 9),
        (hosts, "datacenter = Default and tag = prod and cluster = c1", 3, 3),
        (hosts, "status = non_operational and cluster = c2", 0, 0),
        (hosts, "cluster = c1 and memory > 1000000", 0, 30),
        (hosts, "(cluster = c1 or tag = prod) and status = non_operational", 10, 10),
        (hosts, "vms.name = web1 or name = host05", 2, 2),
        (hosts, "vms.status = up and name != south", 1, 2),
        (hosts, "cluster = c1 sortby name desc page 2", 0, 30),
        (vms, "host.status = up", 3, 3),
        (vms, "host.tag = prod", 0, 0),
        (vms, "tag = prod and cluster = c1 and status = down", 3, 3),
        (vms, "host.cluster = Default and name = w*", 1, 2),
        (vms, "users.name = ann or id = null", 1, 95),
        (users, "name = user31", 1, 1),
        (users, "login = user31 and name = user*", 1, 1),
        (users, "usrname = user3*", 10, 10),
        (users, "tag = prod", 9, 9),
        (users, "group = staff and tag = prod", 9, 9),
        (users, "role = SuperUser", 1, 1),
        (users, "vms.name = web1", 1, 1),
        (disks, "alias = disk07", 1, 1),
        (disks, "status = locked", 0, 0),
        (disks, "status = ok and name = disk0*", 10, 10),
        (look::<Cluster>, "datacenter.name = Default", 4, 4),
        (look::<Cluster>, "name = c1", 1, 1),
        (look::<StorageDomain>, "status = active", 1, 1),
        (look::<evirt_domain::data_center::DataCenter>, "status = up", 1, 1),
        (look::<evirt_domain::data_center::DataCenter>, "status = problematic or status = maintenance", 0, 0),
        (look::<StorageDomain>, "status = unattached", 0, 0),
        (look::<Network>, "cluster_network.cluster_name = c1", 0, 0),
        (look::<Network>, "host_network.host_name = north", 1, 1),
        (look::<Group>, "name = staff", 1, 1),
    ] {
        assert_eq!(look(view, text), (found, looked), "{text}");
    }
}

/// A World of VMs of these names, each on its host or on none.
fn world_of(vms: &[(String, bool)]) -> Lab {
    let mut lab = Lab::installed();
    let north = lab.host("north");
    for (name, runs) in vms {
        if lab.world.exactly_named(NameKind::Vm, name).is_none() {
            let vm = lab.vm(name);
            if *runs {
                lab.start(BY_ADMIN, vm, north);
            }
        }
    }
    lab
}

/// The same World, with a user ann who sees every other VM of it.
fn half_seen(mut lab: Lab) -> Lab {
    lab.admin(AddUser { name: "ann".into(), password: "hash".into(), roles: Vec::new() });
    let holder = Holder::User(user(&lab, "ann"));
    let role = RoleId(lab.world.exactly_named(NameKind::Role, "UserRole").expect("it is built in"));
    let seen: Vec<VmId> = lab.world.vms.values().step_by(2).map(|vm| vm.id).collect();
    seen.into_iter().for_each(|vm| drop(lab.admin(GrantPermission { holder, role, object: EntityRef::Vm(vm) })));
    lab
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn seeking_finds_what_scanning_does(
        vms in prop::collection::vec(("[aAbBßΣσς1-]{1,4}", any::<bool>()), 0..24),
        field in prop::sample::select(vec!["name", "cluster", "host.name", "status", "id"]),
        value in "[aAbBΣς]{0,3}[*]?",
        further in prop::sample::select(vec!["", " and status = up", " or name = a*", " and (host.name = north or name = b*)"]),
        case_sensitive in any::<bool>(),
        sort in prop::sample::select(vec!["", "sortby name asc ", "sortby name desc ", "sortby status asc "]),
        page in 1..4u32,
        max in 1..8usize,
    ) {
        let lab = world_of(&vms);
        let view = view(&lab);
        let value = match field {
            "cluster" => "def*".into(),
            "host.name" => "north".into(),
            "status" => "up".into(),
            "id" => lab.world.vms.values().next().map_or(Uuid::nil(), |vm| vm.id.0).to_string(),
            _ => value,
        };
        let text = format!("{field} = \"{value}\"{further} {sort}page {page}");
        let plan = compile(Entity::Vm, &text, &view.env(case_sensitive, &|_| Vec::new())).expect("it is well formed");
        let query = Query::searched(plan, Page::first(max));
        prop_assert_eq!(names_of(list(view, &query)), names_of(scan(view, &query)), "{}", text);
    }

    /// Paging by marker through everything gives exactly the listing, whatever the order, also where every page's last row does not match
    /// any more when the next is asked for.
    #[test]
    fn markers_lead_through_everything(
        vms in prop::collection::vec(("[aAbBßΣσς1-]{1,4}", any::<bool>()), 0..24),
        order in prop::collection::vec((prop::sample::select(Entity::Vm.fields()), prop::sample::select(vec![Direction::Asc, Direction::Desc])), 0..4),
        filter in prop::sample::select(vec!["", "status = up", "name = a*", "name = b*", "host.name = north", "cluster = Default"]),
        everything in any::<bool>(),
        max in 1..6usize,
    ) {
        let lab = half_seen(world_of(&vms));
        let visible = Visible::to(&lab.world, user(&lab, "ann"), true);
        let view = View { visible: (!everything).then_some(&visible), ..view(&lab) };
        let fields: Vec<(&str, Direction)> = order.iter().map(|(field, direction)| (field.name, *direction)).collect();
        let order = Order::by(Entity::Vm, &fields).expect("these are fields");
        let whole = Query { filter: plan(view, Entity::Vm, filter).filter, order, page: Page::first(MAX_PAGE_SIZE) };
        let listed = list::<Vm>(view, &whole).expect("there is no marker");
        let ids = |found: &[Arc<Vm>]| found.iter().map(|vm| vm.id).collect::<Vec<_>>();
        let (mut paged, mut page) = (Vec::new(), Page::first(max));
        loop {
            let query = Query { page, ..whole.clone() };
            let found = list::<Vm>(view, &query).expect("it was listed");
            prop_assert_eq!(ids(&found), ids(&scan::<Vm>(view, &query).expect("it was listed")));
            let Some(last) = found.last() else { break };
            prop_assert!(found.len() <= max);
            page = Page::after(last.id, max);
            paged.extend(found);
        }
        prop_assert_eq!(ids(&paged), ids(&listed));
        // A row that does not match is as good a place to go on from.
        for marker in lab.world.vms.values().filter(|_| everything) {
            let all = Query { filter: Filter::everything(Entity::Vm), ..whole.clone() };
            let behind = list::<Vm>(view, &Query { page: Page::after(marker.id, MAX_PAGE_SIZE), ..all }).expect("it is there");
            let found = list::<Vm>(view, &Query { page: Page::after(marker.id, MAX_PAGE_SIZE), ..whole.clone() }).expect("it is there");
            let rest: Vec<VmId> = ids(&behind).into_iter().filter(|id| ids(&listed).contains(id)).collect();
            prop_assert_eq!(ids(&found), rest);
        }
    }
}
