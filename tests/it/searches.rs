//! Searches: every condition that upstream knows is accepted, and those on what is not in the World find what they say.

use reqwest::{Method, StatusCode};

use crate::engine::{Caller, Engine, fast};

const UPSTREAM: &str = include_str!("../data/searches-3.3.tsv");

fn encoded(search: &str) -> String {
    search
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02x}") })
        .collect()
}

async fn found(caller: &Caller, collection: &str, search: &str) -> String {
    let answer = caller.get(&format!("/api/{collection}?search={}", encoded(search))).await;
    assert_eq!(answer.status, StatusCode::OK, "{collection}: {search}: {}", answer.body);
    answer.body
}

#[tokio::test]
async fn every_condition_of_upstream_is_accepted() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    for line in UPSTREAM.lines().filter(|line| !line.starts_with('#')) {
        let (collection, condition) = line.split_once('\t').unwrap();
        found(&admin, collection, condition).await;
    }
}

#[tokio::test]
async fn a_directory_is_searched_by_what_it_knows() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let domains = admin.get("/api/domains").await.body;
    let made = admin.post("/api/groups", "<group><name>mygroup</name></group>").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let domain = domains.split("href=\"/api/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for (below, search, there) in [
        ("users", "username=adm*", true),
        ("users", "allnames=* and title!=Clerk", true),
        ("users", "lastname=Doe or department=Storage", false),
        ("groups", "name=MY*", true),
        ("groups", "name=nobody", false),
    ] {
        let body = found(&admin, &format!("{domain}/{below}"), search).await;
        assert_eq!(body.contains(" id=\""), there, "{below}: {search}: {body}");
    }
    for search in ["name=a sortby name", "name=a page 2", "status=active"] {
        let answer = admin.get(&format!("/api/{domain}/users?search={}", encoded(search))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{search}: {}", answer.body);
    }
}

#[tokio::test]
async fn load_and_events_are_searched() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let host = "<host><name>alpha</name><address>192.168.0.11</address><root_password>redhat</root_password></host>";
    assert_eq!(admin.post("/api/hosts", host).await.status, StatusCode::CREATED);
    while !found(&admin, "hosts", "status=up").await.contains("alpha") {
        tokio::task::yield_now().await;
    }
    for (search, there) in [
        ("cpu_usage < 101", true),
        ("version = 3.3", true),
        ("version = RHEL*", false),
        ("cpu_usage > 100", false),
        ("load >= 0", true),
        ("mem_usage > 100", false),
        ("events.type = 13", true),
        ("event.severity = alert", true),
        ("events.severity < error", true),
        ("events.severity > alert", false),
        ("events.type = 13 and events.message = *alpha*", true),
        ("events.type = 13 and events.type = 14", false),
        ("events.type = 14 or events.message = *alpha*", true),
        ("events.usrname = admin and events.type = 42", true),
        ("events.usrname = admin@internal and events.type = 42", true),
        ("events.time > yesterday and events.type = 13", true),
        ("events.time < 2013-10-23", false),
        ("name = alpha and events.message = *alpha*", true),
        ("name = alpha and events.type = 14", false),
    ] {
        assert_eq!(found(&admin, "hosts", search).await.contains("alpha"), there, "{search}");
    }
    let insensitive = admin.get("/api/hosts;case-sensitive=false?search=name%3DALPHA").await.body;
    let sensitive = admin.get("/api/hosts;case_sensitive=true?search=name%3DALPHA").await.body;
    assert!(insensitive.contains("alpha") && !sensitive.contains("alpha"), "{insensitive} {sensitive}");
}

#[tokio::test]
async fn quotas_are_searched_for_by_what_consumes_them_and_what_is_told_of_them() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let quotas = "/api/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3/quotas";
    let quota = admin.post(quotas, "<quota><name>enough</name></quota>").await.id();
    for (name, quota) in [("with", format!("<quota id=\"{quota}\"/>")), ("without", String::new())] {
        let body = "<cluster><name>Default</name></cluster><template><name>Blank</name></template>";
        let made = admin.post("/api/vms", format!("<vm><name>{name}</name>{body}{quota}</vm>")).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }
    let vms = found(&admin, "vms", "quota = en*").await;
    assert!(vms.contains("<name>with</name>") && !vms.contains("<name>without</name>"), "{vms}");
    for (search, there) in [
        (format!("_event_quota_id = {quota}"), true),
        (format!("_event_quota_id = {}", quota.replace('-', "")), false),
        ("quota.name = enough".to_owned(), true),
        ("quota.name = little".to_owned(), false),
        ("quota.storagepoolname = Default and quota.enforcementtype = disabled".to_owned(), true),
        ("quota.gracestoragepercentage = 20 and quota.thresholdvdsgrouppercentage = 80".to_owned(), true),
    ] {
        assert_eq!(found(&admin, "events", &search).await.contains("<code>3000</code>"), there, "{search}");
    }
}

/// The codes of the events that a search finds, newest first.
async fn codes(caller: &Caller, search: &str) -> Vec<u32> {
    let body = found(caller, "events", search).await;
    body.split("<code>").skip(1).map(|rest| rest.split_once('<').unwrap().0.parse().unwrap()).collect()
}

async fn made(caller: &Caller, collection: &str, body: &str) -> String {
    let answer = caller.post(&format!("/api/{collection}"), body).await;
    assert!(answer.status.is_success(), "{collection}: {body}: {}", answer.body);
    answer.id()
}

async fn until(caller: &Caller, collection: &str, search: &str, text: &str) {
    while !found(caller, collection, search).await.contains(text) {
        tokio::task::yield_now().await;
    }
}

/// What is made, renamed, removed and made again: its collection and element, what else its document has, and what its removal says.
const THINGS: &[(&str, &str, &str, &str)] = &[
    ("vms", "vm", "<cluster><name>Default</name></cluster><template><name>Blank</name></template>", ""),
    ("hosts", "host", "<address>192.168.0.11</address><root_password>redhat</root_password>", ""),
    ("clusters", "cluster", "<cpu id=\"Intel Nehalem Family\"/><data_center><name>Default</name></data_center>", ""),
    ("datacenters", "data_center", "<storage_type>nfs</storage_type><version major=\"3\" minor=\"3\"/>", ""),
    (
        "storagedomains",
        "storage_domain",
        "<type>data</type><host><name>keeper</name></host>\
         <storage><type>nfs</type><address>192.168.0.10</address><path>/data1</path></storage>",
        "<storage_domain><host><name>keeper</name></host><format>true</format></storage_domain>",
    ),
];

/// What is searched for, and the codes of the events that are found: those of what is called one now and of what was called one, newest
/// first; those of what was called two, its removal included.
const NAMED_THEN: &[(&str, &[u32])] = &[
    ("event_vm = one", &[34, 34]),
    ("event_vm = two", &[113, 35]),
    ("event_vm = t*", &[113, 35]),
    ("event_vm = two and type = 113", &[113]),
    ("event_vm != one", &[113, 35]),
    ("vms.name = two", &[113, 35]),
    ("vms.name = one", &[34, 34]),
    ("vms = two sortby time asc", &[35, 113]),
    ("event_host = two and type = 44", &[44]),
    ("event_host = one and type = 42", &[42, 42]),
    ("event_host = one and type = 44", &[]),
    ("hosts.name = two and type = 43", &[43]),
    ("clusters.name = two", &[813, 811]),
    ("event_datacenter = two", &[954, 944, 1126, 952]),
    ("event_datacenter = one and type = 950", &[950, 950]),
    ("event_storage = two", &[960, 964, 968, 958]),
    ("event_storage = one and type = 956", &[956, 956]),
    ("usrname = joe and type = 432", &[432]),
    ("usrname = joe@internal and type = 432", &[432]),
    ("users.usrname = joe@internal and type = 432", &[432]),
    ("usrname = tom and type = 432", &[]),
];

#[tokio::test]
async fn events_are_found_by_the_names_that_were_had_then() {
    let mut engine = fast().await;
    let admin = engine.admin();
    let keeper = "<host><name>keeper</name><address>192.168.0.12</address><root_password>redhat</root_password></host>";
    made(&admin, "hosts", keeper).await;
    until(&admin, "hosts", "name=keeper", "<state>up</state>").await;
    // A storage domain is renamed where it is attached, beside another one that stays.
    let attached = "datacenters/5849b030-626e-47cb-ad90-3ce782d831b3/storagedomains";
    let beside = format!("<storage_domain><name>beside</name>{}</storage_domain>", THINGS[4].2.replace("/data1", "/data2"));
    made(&admin, "storagedomains", &beside).await;
    made(&admin, attached, "<storage_domain><name>beside</name></storage_domain>").await;
    for (collection, element, more, removal) in THINGS {
        let body = format!("<{element}><name>one</name>{more}</{element}>");
        for again in [false, true] {
            let path = format!("/api/{collection}/{}", made(&admin, collection, &body).await);
            match *collection {
                "hosts" => until(&admin, collection, "name=one", "<state>up</state>").await,
                "storagedomains" => until(&admin, collection, "name=one", "<state>unattached</state>").await,
                _ => {}
            }
            if again {
                break;
            }
            let held = format!("/api/{attached}/{}", path.rsplit('/').next().unwrap());
            if *collection == "storagedomains" {
                made(&admin, attached, "<storage_domain><name>one</name></storage_domain>").await;
            }
            let renamed = admin.put(&path, format!("<{element}><name>two</name></{element}>")).await;
            assert_eq!(renamed.status, StatusCode::OK, "{collection}: {}", renamed.body);
            if *collection == "hosts" {
                assert!(admin.post(&format!("{path}/deactivate"), "<action/>").await.status.is_success());
                until(&admin, collection, "name=two", "<state>maintenance</state>").await;
            }
            if *collection == "storagedomains" {
                assert!(admin.post(&format!("{held}/deactivate"), "<action/>").await.status.is_success());
                assert!(admin.delete(&held).await.status.is_success());
            }
            let removal = Some((*removal).to_owned()).filter(|body| !body.is_empty());
            let removed = admin.ask(Method::DELETE, &path, removal).await;
            assert!(removed.status.is_success(), "{collection}: {}", removed.body);
            engine.server().app.engine.until(|world| world.open_jobs.is_empty().then_some(())).await;
        }
    }
    for name in ["joe", "tom"] {
        let user = format!("<user><user_name>{name}@internal</user_name><password>secret</password></user>");
        let id = made(&admin, "users", &user).await;
        made(&admin, &format!("users/{id}/roles"), "<role><name>SuperUser</name></role>").await;
        if name == "joe" {
            made(&engine.caller("joe@internal", "secret"), "tags", "<tag><name>green</name></tag>").await;
            assert!(admin.delete(&format!("/api/users/{id}")).await.status.is_success());
        }
    }
    for _ in 0..2 {
        let admin = engine.admin();
        for (search, expected) in NAMED_THEN {
            assert_eq!(codes(&admin, search).await, *expected, "{search}");
        }
        assert!(found(&admin, "vms", "events.event_vm = one").await.contains("<name>one</name>"));
        assert!(!found(&admin, "vms", "events.event_vm = two").await.contains("<name>one</name>"));
        assert!(!found(&admin, "users", "events.event_host = two").await.contains("tom"));
        assert!(found(&admin, "users", "events.event_host = two").await.contains("admin"));
        // Case does not count where it is not to.
        let anyway = admin.get("/api/events;case_sensitive=false?search=event_vm%3DTWO").await.body;
        assert!(anyway.contains("<code>113</code>") && codes(&admin, "event_vm = TWO").await.is_empty(), "{anyway}");
        // What is computed again is the same.
        engine.while_stopped(|data| std::fs::remove_file(data.join("audit.db")).unwrap()).await;
    }
    let check = engine.evirt(&["projections", "check"]);
    assert!(check.status.success(), "{check:?}");
}

#[tokio::test]
async fn who_does_not_see_everything_finds_nothing_by_names_that_are_gone() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let vm = |name: &str| format!("<vm><name>{name}</name>{}</vm>", THINGS[0].2);
    let secret = format!("/api/vms/{}", made(&admin, "vms", &vm("secret")).await);
    assert_eq!(admin.put(&secret, "<vm><name>public</name></vm>").await.status, StatusCode::OK);
    let joe = made(&admin, "users", "<user><user_name>joe@internal</user_name><password>secret</password></user>").await;
    let granted = format!("<permission><role><name>UserRole</name></role><user id=\"{joe}\"/></permission>");
    made(&admin, &format!("{}/permissions", &secret["/api/".len()..]), &granted).await;
    let joe = engine.caller("joe@internal", "secret").with("Filter", "true");
    assert!(found(&joe, "vms", "").await.contains("<name>public</name>"));
    for search in ["events.event_vm = secret", "events.message = *secret*", "events.event_vm != public"] {
        assert!(!found(&joe, "vms", search).await.contains("<vm "), "{search}");
        assert!(found(&admin, "vms", search).await.contains("<name>public</name>"), "{search}");
    }
    // The entries of what joe sees tell what it was called then, as their messages do.
    let told = found(&joe, "events", "event_vm = secret").await;
    assert!(told.contains(&secret) && !told.contains("<user_name>"), "{told}");
}
