//! The language as a whole: grammar, meaning, errors and what must hold for any text.

use std::cmp::Ordering;

use chrono::DateTime;
use proptest::prelude::*;

use super::parse::{At, Expr, Literal, Name, Relation};
use super::*;

/// Wednesday 2013-10-23 15:00:00 UTC.
const NOW: i64 = 1_382_540_400_000_000;

#[derive(Clone, Default)]
struct Row {
    fields: Vec<(&'static str, Value<'static>)>,
    related: Vec<(Entity, Row)>,
}

impl Row {
    fn with(mut self, name: &'static str, value: Value<'static>) -> Self {
        self.fields.push((name, value));
        self
    }

    fn text(self, name: &'static str, value: &'static str) -> Self {
        self.with(name, Value::text(value))
    }

    fn int(self, name: &'static str, value: i64) -> Self {
        self.with(name, Value::Int(value))
    }

    fn relate(mut self, reference: Entity, row: &Row) -> Self {
        self.related.push((reference, row.clone()));
        self
    }
}

impl Searchable for Row {
    fn field(&self, name: &'static str) -> Value<'_> {
        self.fields.iter().find(|(own, _)| *own == name).map_or(Value::Null, |(_, value)| value.clone())
    }

    fn related(&self, reference: Entity, visit: &mut dyn FnMut(&dyn Searchable) -> bool) {
        for (entity, row) in &self.related {
            if *entity == reference && visit(row) {
                return;
            }
        }
    }
}

fn micros(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

fn named(name: &'static str) -> Row {
    Row::default().text("name", name)
}

fn vms() -> Vec<Row> {
    let tags = |names: &[&'static str]| Value::Texts(names.iter().map(|&name| name.into()).collect());
    let north = named("north").text("status", "up");
    let south = named("south").text("status", "non_responsive");
    vec![
        named("web1")
            .text("status", "up")
            .text("domain", "qa.company.com")
            .int("memory", 1024)
            .with("tag", tags(&["web"]))
            .with("uptime", Value::Seconds(3600))
            .with("creationdate", Value::Micros(micros("2013-10-20T08:00:00Z")))
            .with("id", Value::Uuid("11111111-2222-3333-4444-555555555555".parse().unwrap()))
            .text("apps", "kernel-3.10,agent-1.0")
            .relate(Entity::Host, &north),
        named("Web2")
            .text("status", "powering_up")
            .int("memory", 2048)
            .with("tag", tags(&["frontend", "old"]))
            .with("uptime", Value::Seconds(90_000))
            .text("quota", "gold")
            .relate(Entity::Host, &south)
            .relate(Entity::User, &named("mary")),
        named("db_1")
            .text("status", "migrating")
            .int("memory", 4096)
            .text("comment", "behind web1")
            .text("quota", "")
            .relate(Entity::User, &named("mary"))
            .relate(Entity::User, &named("john")),
        named("dbx1").text("status", "down"),
    ]
}

fn hosts() -> Vec<Row> {
    let vms = vms();
    let ratio = |load| Value::Decimal(load);
    vec![
        named("north").text("status", "up").with("load", ratio(0.5)).relate(Entity::Vm, &vms[0]),
        named("south")
            .text("status", "non_responsive")
            .with("load", ratio(1.5))
            .relate(Entity::Vm, &vms[1])
            .relate(Entity::Vm, &vms[3]),
        named("west").text("status", "maintenance"),
    ]
}

fn events() -> Vec<Row> {
    let event = |id, severity, time| {
        Row::default().int("audit_log_id", id).text("severity", severity).with("time", Value::Micros(micros(time)))
    };
    vec![
        event(1, "normal", "2013-10-21T10:00:00Z").text("usrname", "admin").with("deleted", Value::Bool(true)),
        event(2, "warning", "2013-10-22T10:00:00Z").with("deleted", Value::Bool(false)).int("type", 34),
        event(3, "error", "2013-10-23T09:00:00Z").int("type", 61),
        event(4, "alert", "2013-10-23T09:00:00Z").text("message", "Disk is full"),
    ]
}

fn rows(entity: Entity) -> Vec<Row> {
    match entity {
        Entity::Vm => vms(),
        Entity::Host => hosts(),
        _ => events(),
    }
}

/// Tags `web` above `frontend`, and `old` alone.
fn tag_tree(pattern: &Pattern) -> Vec<String> {
    let tree: [(&str, &[&str]); 3] = [("web", &["web", "frontend"]), ("frontend", &["frontend"]), ("old", &["old"])];
    let matching = tree.iter().filter(|(name, _)| pattern.matches(name));
    matching.flat_map(|(_, names)| names.iter().map(|&name| name.to_owned())).collect()
}

fn env(case_sensitive: bool) -> Env<'static> {
    Env { tags: &tag_tree, ..Env::new(NOW, case_sensitive) }
}

/// The names, or for events the numbers, of what a search finds, in its order.
fn find(entity: Entity, text: &str, case_sensitive: bool) -> String {
    let plan = compile(entity, text, &env(case_sensitive)).unwrap_or_else(|error| panic!("{text}: {error}"));
    let rows = rows(entity);
    let mut found: Vec<_> = rows.iter().filter(|row| plan.matches(*row)).collect();
    found.sort_by(|one, other| plan.compare(*one, *other));
    let label = |row: &&Row| match (row.field("name"), row.field("audit_log_id")) {
        (Value::Text(name), _) => name.to_string(),
        (_, Value::Int(id)) => id.to_string(),
        _ => unreachable!("every row of these tests has a name or a number"),
    };
    found.iter().map(label).collect::<Vec<_>>().join(" ")
}

#[test]
fn texts_parse_into_what_they_mean() {
    let table = [
        ("", ""),
        ("  ", ""),
        ("a=1", "a=1"),
        ("A = 1", "a=1"),
        ("a!=1 AND b>=2", "a!=1 and b>=2"),
        ("a<=1 b<2", "a<=1 and b<2"),
        ("a=1 or b=2 and c=3", "a=1 or (b=2 and c=3)"),
        ("a=1 and b=2 or c=3", "(a=1 and b=2) or c=3"),
        ("a=1 or b=2 c=3", "(a=1 or b=2) and c=3"),
        ("a=1 b=2 or c=3", "a=1 and (b=2 or c=3)"),
        ("(a=1 or b=2) and c=3", "(a=1 or b=2) and c=3"),
        ("((a=1))", "a=1"),
        ("a=f(x)", "a=\"f(x)\""),
        ("a=x)", "a=\"x)\""),
        ("(a=f(x))", "a=\"f(x)\""),
        ("vms.Status = Up", "vms.status=Up"),
        ("a=\"two words\"", "a=\"two words\""),
        ("a=\"\"", "a=\"\""),
        ("a=\"x\"b=2", "a=x and b=2"),
        ("a=x=y", "a=\"x=y\""),
        ("foo", "foo"),
        ("qa.company.com", "qa.company.com"),
        ("\"and\"", "\"and\""),
        ("foo!bar", "\"foo!bar\""),
        ("a = and", "a=\"and\""),
        ("page 2", "page 2"),
        ("sortby time", "sortby time asc"),
        ("SortBy Time DESC Page 3", "sortby time desc page 3"),
        ("sortby time page 3", "sortby time asc page 3"),
        ("a=1 sortby b asc", "a=1 sortby b asc"),
        ("severity>normal sortby time desc", "severity>normal sortby time desc"),
    ];
    for (text, expected) in table {
        let query = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(query.to_string(), expected, "{text}");
    }
}

#[test]
fn searches_find_what_they_say() {
    use Entity::{Event, Host, Vm};
    let table = [
        (Vm, "", "db_1 dbx1 web1 Web2"),
        // Text: exact without a star, any run with one, underscores are letters.
        (Vm, "name=web1", "web1"),
        (Vm, "name=web", ""),
        (Vm, "name=web*", "web1"),
        (Vm, "name=*1", "db_1 dbx1 web1"),
        (Vm, "name=d*1", "db_1 dbx1"),
        (Vm, "name=d**1*", "db_1 dbx1"),
        (Vm, "name=db_1", "db_1"),
        (Vm, "name!=web1", "db_1 dbx1 Web2"),
        (Vm, "domain=qa.company.com", "web1"),
        // Nothing compares with an absent value.
        (Vm, "domain!=x", "web1"),
        (Vm, "domain=*", "web1"),
        (Vm, "quota=null", "db_1 dbx1 web1"),
        (Vm, "quota=\"\"", "db_1 dbx1 web1"),
        (Vm, "quota!=null", "Web2"),
        (Vm, "apps=agent", "web1"),
        // Free text looks into every text.
        (Vm, "web1", "db_1 web1"),
        (Vm, "company", "web1"),
        (Vm, "frontend", "Web2"),
        (Vm, "b*1", "db_1 dbx1 web1"),
        (Vm, "agent", ""),
        // Enumerations, in both spellings.
        (Vm, "status=up", "web1"),
        (Vm, "status=poweringup", "Web2"),
        (Vm, "status=powering_up", "Web2"),
        (Vm, "STATUS = PoweringUp", "Web2"),
        (Vm, "status=migratingfrom", "db_1"),
        (Vm, "status=migratingto", "db_1"),
        (Vm, "status=migrating", "db_1"),
        (Vm, "status!=up", "db_1 dbx1 Web2"),
        (Host, "status=nonresponsive", "south"),
        (Vm, "type!=server", ""),
        // Numbers.
        (Vm, "memory>1024", "db_1 Web2"),
        (Vm, "memory >= 1024 memory < 4096", "web1 Web2"),
        (Vm, "memory!=1024", "db_1 Web2"),
        (Host, "load>0.75", "south"),
        (Host, "load<=1", "north"),
        (Vm, "id=11111111-2222-3333-4444-555555555555", "web1"),
        (Vm, "id=\"11111111222233334444555555555555\"", "web1"),
        (Vm, "id!=11111111-2222-3333-4444-555555555555", ""),
        // Durations and moments.
        (Vm, "uptime>01:00:00", "Web2"),
        (Vm, "uptime<1.00:00:00", "web1"),
        (Vm, "creationdate>2013-10-20", "web1"),
        (Vm, "creationdate<\"2013-10-20 08:00:00\"", ""),
        (Event, "time=today", "4 3"),
        (Event, "time=yesterday", "2"),
        (Event, "time=monday", "1"),
        (Event, "time=10/22/2013", "2"),
        (Event, "time=\"Oct 22, 2013\"", "2"),
        (Event, "time=\"2013-10-22 12:30:00\"", "2"),
        (Event, "time>2013-10-22", "4 3 2"),
        (Event, "time<2013-10-22T10:00:00Z", "1"),
        (Event, "deleted=false", "2"),
        (Event, "deleted!=false", "1"),
        (Event, "type=34", "2"),
        (Event, "severity>normal", "4 3 2"),
        (Event, "severity<=warning", "2 1"),
        (Event, "severity!=alert", "3 2 1"),
        (Event, "usrname=\"\"", "4 3 2"),
        (Event, "usrname!=\"\"", "1"),
        // Tags and what is below them.
        (Vm, "tag=web", "web1 Web2"),
        (Vm, "tag=frontend", "Web2"),
        (Vm, "tag=o*", "Web2"),
        (Vm, "tag=nowhere", ""),
        // Related objects: some one of them.
        (Host, "vms.status=up", "north"),
        (Host, "vm.status!=up", "south"),
        (Host, "Vms.name=web* or status=maintenance", "north west"),
        (Host, "vms=dbx", "south"),
        (Host, "vms!=company", "south"),
        (Vm, "host.status=nonresponsive", "Web2"),
        (Vm, "hosts=north", "web1"),
        (Vm, "users.name=mary users.name=john", "db_1"),
        (Vm, "users.name=mary and status=up", ""),
        // Connectors.
        (Vm, "name=web1 or name=db_1 and status=up", "web1"),
        (Vm, "name=web1 or name=db_1 status=up", "web1"),
        (Vm, "status=down or status=up memory>0", "web1"),
        (Vm, "status=down or status=up and memory>0", "dbx1 web1"),
        (Vm, "(status=down or status=up) and name=d*", "dbx1"),
        // Order.
        (Vm, "sortby memory", "web1 Web2 db_1 dbx1"),
        (Vm, "sortby memory desc", "db_1 Web2 web1 dbx1"),
        (Vm, "sortby status", "dbx1 web1 Web2 db_1"),
        (Vm, "sortby name desc", "Web2 web1 dbx1 db_1"),
        (Host, "sortby load", "north south west"),
        (Event, "severity>normal sortby time", "2 4 3"),
        (Event, "sortby severity desc", "4 3 2 1"),
    ];
    for (entity, text, expected) in table {
        assert_eq!(find(entity, text, true), expected, "{entity:?}: {text}");
    }
}

#[test]
fn case_counts_only_when_asked_for() {
    assert_eq!(find(Entity::Vm, "name=web*", false), "web1 Web2");
    assert_eq!(find(Entity::Vm, "name=WEB1", false), "web1");
    assert_eq!(find(Entity::Vm, "WEB1", false), "db_1 web1");
    assert_eq!(find(Entity::Vm, "name!=WEB*", false), "db_1 dbx1");
    assert_eq!(find(Entity::Event, "DISK", true), "");
    assert_eq!(find(Entity::Event, "DISK", false), "4");
}

#[test]
fn every_error_names_its_kind_and_place() {
    use SearchErrorKind::*;
    let long = "a".repeat(MAX_QUERY_LENGTH + 1);
    let many = "name=a ".repeat(MAX_TERMS + 1);
    let deep = "(".repeat(MAX_DEPTH + 1);
    let table = [
        (Entity::Vm, long.as_str(), QueryTooLong, MAX_QUERY_LENGTH),
        (Entity::Vm, many.as_str(), TooManyTerms, 7 * MAX_TERMS),
        (Entity::Vm, deep.as_str(), TooDeep, MAX_DEPTH),
        (Entity::Vm, "name=a;b", InvalidCharacter, 6),
        (Entity::Vm, "name=\"it's\"", InvalidCharacter, 8),
        (Entity::Vm, "name=a\"b\"", InvalidCharacter, 6),
        (Entity::Vm, "name=\"web", UnterminatedQuote, 5),
        (Entity::Vm, "name=a )", UnbalancedParenthesis, 7),
        (Entity::Vm, "(name=a", UnbalancedParenthesis, 7),
        (Entity::Vm, "()", ExpectedTerm, 1),
        (Entity::Vm, "and", ExpectedTerm, 0),
        (Entity::Vm, "name=a and", ExpectedTerm, 10),
        (Entity::Vm, "name=a or or name=b", ExpectedTerm, 10),
        (Entity::Vm, "= a", ExpectedTerm, 0),
        (Entity::Vm, "name=", ExpectedValue, 5),
        (Entity::Vm, "(name=)", ExpectedValue, 6),
        (Entity::Vm, "sortby", ExpectedSortField, 6),
        (Entity::Vm, "sortby host.name", ExpectedSortField, 7),
        (Entity::Vm, "sortby name up", ExpectedSortDirection, 12),
        (Entity::Vm, "page", InvalidPage, 4),
        (Entity::Vm, "page 0", InvalidPage, 5),
        (Entity::Vm, "page -1", InvalidPage, 5),
        (Entity::Vm, "page 99999999999", InvalidPage, 5),
        (Entity::Vm, "page 1 name=a", TrailingText, 7),
        (Entity::Vm, "page 1 sortby name", TrailingText, 7),
        (Entity::Vm, "foo=bar", UnknownField, 0),
        (Entity::Vm, "name=a and foo = bar", UnknownField, 11),
        (Entity::Vm, "hosts.foo=bar", UnknownField, 6),
        (Entity::Vm, "a.b.c=bar", UnknownField, 0),
        (Entity::Vm, "disks.name=bar", UnknownReference, 0),
        (Entity::Pool, "vms.name=bar", UnknownReference, 0),
        (Entity::Vm, "sortby foo", UnknownSortField, 7),
        (Entity::Vm, "name > a", OperatorNotAllowed, 5),
        (Entity::Vm, "tag != a", OperatorNotAllowed, 4),
        (Entity::Vm, "hosts < a", OperatorNotAllowed, 6),
        (Entity::Event, "time>=today", OperatorNotAllowed, 4),
        (Entity::Vm, "status = upp", InvalidValue, 9),
        (Entity::Vm, "memory=many", InvalidValue, 7),
        (Entity::Vm, "id=1", InvalidValue, 3),
        (Entity::Vm, "name=R&D", InvalidValue, 5),
        (Entity::Vm, "uptime>1", InvalidValue, 7),
        (Entity::Host, "load>inf", InvalidValue, 5),
        (Entity::Event, "time=never", InvalidValue, 5),
        (Entity::Event, "deleted=maybe", InvalidValue, 8),
        (Entity::Vm, "foo bar", RepeatedFreeText, 4),
        (Entity::Vm, "hosts=a host=b", RepeatedFreeText, 8),
    ];
    for (entity, text, kind, position) in table {
        let error = compile(entity, text, &env(true)).expect_err(text);
        assert_eq!((error.kind, error.position), (kind, position), "{text}: {error}");
        assert!(error.message.contains(&format!("position {position}: expected ")), "{error}");
    }
    let error = Plan::compile_with_object("Vms: foo=bar", &env(true)).unwrap_err();
    assert_eq!((error.kind, error.position), (UnknownField, 5));
    let error = Plan::compile_with_object("name", &env(true)).unwrap_err();
    assert_eq!((error.kind, error.position), (UnknownObject, 0));
}

#[test]
fn an_object_is_called_in_singular_and_plural() {
    for (text, entity) in [
        ("VMs : name=a", Entity::Vm),
        ("vm:", Entity::Vm),
        ("Storage :", Entity::StorageDomain),
        ("Datacenter : page 2", Entity::DataCenter),
        ("Events:severity>normal", Entity::Event),
    ] {
        assert_eq!(Plan::compile_with_object(text, &env(true)).unwrap().entity(), entity, "{text}");
    }
}

#[test]
fn a_search_may_begin_with_its_own_object() {
    use SearchErrorKind::*;
    for (entity, text) in [
        (Entity::Vm, "Vms: name=a"),
        (Entity::Vm, "VMs : name=a"),
        (Entity::Vm, " vm:name=a"),
        (Entity::StorageDomain, "Storage:name=a"),
        (Entity::StorageDomain, "StorageDomains: name=a"),
        (Entity::DataCenter, "Datacenter: name=a"),
        (Entity::Event, "Events: event_vm=a"),
    ] {
        assert_eq!(compile(entity, text, &env(true)).unwrap().entity(), entity, "{text}");
    }
    let error = compile(Entity::Vm, "Hosts: name=a", &env(true)).unwrap_err();
    assert_eq!((error.kind, error.position), (UnknownObject, 0));
    let error = compile(Entity::Vm, "Vms: foo=bar", &env(true)).unwrap_err();
    assert_eq!((error.kind, error.position), (UnknownField, 5));
    // What is no object is a text.
    assert!(!compile(Entity::Vm, "00:1a:4a", &env(true)).unwrap().matches_all());
}

#[test]
fn pages_begin_at_one() {
    let plan = |text| compile(Entity::Vm, text, &env(true)).unwrap();
    assert_eq!(plan("").range(100), 0..100);
    assert_eq!(plan("page 3").range(100), 200..300);
    assert_eq!(plan("page 4294967295").range(usize::MAX), usize::MAX..usize::MAX);
    assert!(plan("page 3").matches_all());
}

#[test]
fn hints_are_what_every_match_satisfies() {
    let hints = |text: &str, case_sensitive| {
        let plan = compile(Entity::Vm, text, &env(case_sensitive)).unwrap();
        let show = |hint: Hint| {
            let reference = hint.reference.map_or(String::new(), |entity| format!("{}.", entity.object_name()));
            let fold = if hint.fold_case { " in any case" } else { "" };
            format!("{reference}{}: {:?}{fold}", hint.field, hint.seek)
        };
        plan.index_hint().into_iter().map(show).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(hints("name=Web1", true), r#"name: Texts(["Web1"])"#);
    assert_eq!(hints("name=Web1", false), r#"name: Texts(["web1"]) in any case"#);
    assert_eq!(hints("name=Web*x", true), r#"name: Prefix("Web")"#);
    assert_eq!(hints("name=*x", true), "");
    assert_eq!(hints("name!=x", true), "");
    assert_eq!(hints("name=null", true), "");
    assert_eq!(hints("name=a or name=b", true), "");
    assert_eq!(
        hints("(name=a and memory=5) hosts.name=b status=powering_up", true),
        r#"name: Texts(["a"]); memory: Int(5); host.name: Texts(["b"]); status: Texts(["powering_up", "poweringup"])"#
    );
    assert_eq!(hints("status=migrating", true), r#"status: Texts(["migrating", "migratingfrom", "migratingto"])"#);
    assert_eq!(hints("status=migratingto", true), r#"status: Texts(["migrating", "migratingto"])"#);
    assert_eq!(hints("tag=web", true), r#"tag: Texts(["web", "frontend"])"#);
}

#[test]
fn the_schema_agrees_with_itself() {
    for entity in Entity::ALL {
        assert_eq!(Entity::called(entity.object_name()), Some(entity));
        assert_eq!(Entity::called(&format!("{}S", entity.object_name())), Some(entity));
        let mut names: Vec<_> = entity.fields().iter().map(|field| field.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{entity:?} has a field twice");
        for field in entity.fields() {
            assert_eq!(field.name, field.name.to_ascii_lowercase());
            assert!(!field.operators.is_empty());
        }
    }
}

#[test]
fn a_pattern_of_many_stars_stays_fast() {
    let text = "a".repeat(MAX_QUERY_LENGTH * 16);
    let pattern = Pattern::new(&format!("{}b", "a*".repeat(MAX_QUERY_LENGTH / 4)), true);
    assert!(!pattern.matches(&text));
}

#[test]
fn absent_values_come_last_in_both_directions() {
    let (here, nowhere) = (Row::default().int("memory", 1), Row::default());
    for text in ["sortby memory asc", "sortby memory desc"] {
        let plan = compile(Entity::Vm, text, &env(true)).unwrap();
        assert_eq!(plan.compare(&here, &nowhere), Ordering::Less, "{text}");
    }
}

fn name() -> impl Strategy<Value = Name> {
    "[a-z_][a-z0-9_]{0,8}"
        .prop_filter("keywords are no names", |text| !["and", "or", "sortby", "asc", "desc", "page"].contains(&text.as_str()))
        .prop_map(|text| Name { text, at: At(0) })
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof!["[^\"';]{0,12}", "[a-z0-9.*:/-]{1,12}", Just("and".to_owned()), Just("null".to_owned())]
        .prop_map(|text| Literal { text, at: At(0) })
}

fn term() -> impl Strategy<Value = Expr> {
    let operator = proptest::sample::select(Operator::ALL.to_vec());
    let relation = (proptest::option::of(name()), name(), operator, literal()).prop_map(|(reference, field, operator, value)| {
        Expr::Relation(Relation { reference, field, operator, operator_at: At(0), value })
    });
    prop_oneof![4 => relation, 1 => literal().prop_map(Expr::FreeText)]
}

fn expr() -> impl Strategy<Value = Expr> {
    term().prop_recursive(3, 20, 3, |inner| {
        let parts = proptest::collection::vec(inner, 2..=3);
        (parts, any::<bool>()).prop_map(|(parts, all)| if all { Expr::All(parts) } else { Expr::Any(parts) })
    })
}

fn query() -> impl Strategy<Value = Search> {
    let direction = prop_oneof![Just(Direction::Asc), Just(Direction::Desc)];
    let sort = proptest::option::of((name(), direction));
    (proptest::option::of(expr()), sort, proptest::option::of(1_u32..)).prop_map(|(filter, sort, page)| Search {
        filter,
        sort,
        page,
    })
}

/// Texts made of what the language is made of, which come further than random characters.
fn almost_search() -> impl Strategy<Value = String> {
    let pieces = [
        "name", "status", "vms", "hosts", ".", "=", "!=", "<", ">=", "(", ")", "\"", " ", " and ", " or ", "sortby ", "page ",
        "desc", "up", "*", "1", "é", "!", "null", "time", "today", "severity",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_gives_a_plan_or_a_place(text in prop_oneof![any::<String>(), almost_search()]) {
        for entity in Entity::ALL {
            match compile(entity, &text, &env(false)) {
                Ok(plan) => {
                    for row in vms() {
                        plan.matches(&row);
                    }
                }
                Err(error) => prop_assert!(error.position <= text.len(), "{}", error),
            }
        }
    }

    #[test]
    fn what_is_printed_parses_back(query in query()) {
        let text = query.to_string();
        prop_assert_eq!(parse(&text), Ok(query), "{}", text);
    }

    #[test]
    fn matching_agrees_with_the_obvious_matcher(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
        fn obvious(pattern: &[u8], text: &[u8]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some((b'*', rest)) => (0..=text.len()).any(|skipped| obvious(rest, &text[skipped..])),
                Some((letter, rest)) => text.first() == Some(letter) && obvious(rest, &text[1..]),
            }
        }
        prop_assert_eq!(
            Pattern::new(&pattern, true).matches(&text),
            obvious(pattern.as_bytes(), text.as_bytes())
        );
    }
}
