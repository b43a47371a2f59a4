//! Who may do what, as clients see it: roles, users, groups, permissions, and what those who do not see everything are shown.

use evirt::config::Options;
use reqwest::{Method, StatusCode};

use crate::engine::{Answer, Caller, Engine, REFUSED, evirt};

const CLUSTER: &str = "99408929-82cf-4dc7-a532-9d998063fa95";
const DATA_CENTER: &str = "5849b030-626e-47cb-ad90-3ce782d831b3";
const EVERYONE: &str = "eee00000-0000-0000-0000-123456789eee";
const SUPER_USER: &str = "00000000-0000-0000-0000-000000000001";
const USER_ROLE: &str = "00000000-0000-0000-0001-000000000001";
const USER_VM_MANAGER: &str = "def00006-0000-0000-0000-def000000006";
const VM_CREATOR: &str = "def0000a-0000-0000-0000-def00000000d";
const CLUSTER_ADMIN: &str = "def00001-0000-0000-0000-def000000001";

/// The first id in a document: the document's own.
fn id(answer: &Answer) -> String {
    let after = answer.body.split_once("id=\"").unwrap_or_else(|| panic!("{answer:?}")).1;
    after.split('"').next().unwrap().to_owned()
}

#[track_caller]
fn is(answer: &Answer, status: u16, parts: &[&str]) {
    assert_eq!(answer.status, status, "{answer:?}");
    for part in parts {
        assert!(answer.body.contains(part), "{part} is not in {}", answer.body);
    }
}

#[track_caller]
fn lacks(answer: &Answer, parts: &[&str]) {
    for part in parts {
        assert!(!answer.body.contains(part), "{part} is in {}", answer.body);
    }
}

/// Adds a user of the internal directory; gives the id.
async fn add_user(admin: &Caller, name: &str) -> String {
    let answer =
        admin.post("/api/users", format!("<user><user_name>{name}@internal</user_name><password>pw</password></user>")).await;
    is(&answer, 201, &[&format!("<user_name>{name}@internal</user_name>")]);
    id(&answer)
}

async fn grant(admin: &Caller, path: &str, role: &str, user: &str) -> String {
    let answer = admin
        .post(&format!("{path}/permissions"), format!("<permission><role id=\"{role}\"/><user id=\"{user}\"/></permission>"))
        .await;
    is(&answer, 201, &[role, user]);
    id(&answer)
}

async fn add_vm(caller: &Caller, name: &str) -> Answer {
    let body = format!("<vm><name>{name}</name><cluster id=\"{CLUSTER}\"/><template><name>Blank</name></template></vm>");
    caller.post("/api/vms", body).await
}

#[tokio::test]
async fn roles_are_made_as_the_guide_makes_them() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let made = "<role><name>Finance Role</name><administrative>true</administrative><permits><permit id=\"1\"/></permits></role>";
    let created = admin.post("/api/roles", made).await;
    is(&created, 201, &["<name>Finance Role</name>", "<mutable>true</mutable>", "<administrative>true</administrative>"]);
    let role = format!("/api/roles/{}", id(&created));
    assert_eq!(created.header("location"), role);
    let changed = "<role><name>Engineering Role</name><description>Standard users in the Engineering Role</description>\
                   <administrative>false</administrative></role>";
    is(&admin.put(&role, changed).await, 200, &["Engineering Role", "Standard users", "<administrative>false</administrative>"]);
    is(&admin.post(&format!("{role}/permits"), "<permit id=\"2\"/>").await, 201, &["<name>delete_vm</name>", &role]);
    is(&admin.post(&format!("{role}/permits"), "{\"name\":\"login\"}").await, 201, &["id=\"1300\""]);
    is(&admin.get(&format!("{role}/permits")).await, 200, &["create_vm", "delete_vm", "login"]);
    is(&admin.get(&format!("{role}/permits/2")).await, 200, &["delete_vm"]);
    assert_eq!(admin.delete(&format!("{role}/permits/2")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get(&format!("{role}/permits/2")).await.status, StatusCode::NOT_FOUND);
    is(
        &admin.put(&role, "<role><permits><permit id=\"1\"/><permit><name>connect_to_vm</name></permit></permits></role>").await,
        200,
        &[],
    );
    let permits = admin.get(&format!("{role}/permits")).await;
    is(&permits, 200, &["create_vm", "connect_to_vm"]);
    lacks(&permits, &["login"]);
    let json = admin.with("accept", "application/json").get(&role).await;
    is(&json, 200, &["\"name\":", "Engineering Role"]);
    is(
        &engine.admin().get("/api/events").await,
        200,
        &["<code>864</code>", "<code>856</code>", "<code>860</code>", "<code>862</code>"],
    );
    assert_eq!(engine.admin().delete(&role).await.status, StatusCode::NO_CONTENT);
    assert_eq!(engine.admin().get(&role).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn users_groups_their_roles_and_tags() {
    let mut engine = Engine::start().await;
    let admin = engine.admin();
    let roles = format!("<roles><role><name>PowerUserRole</name></role><role id=\"{USER_ROLE}\"/></roles>");
    let joe = admin.post("/api/users", format!("<user><user_name>joe@internal</user_name>{roles}</user>")).await;
    is(&joe, 201, &["<name>joe</name>"]);
    let joe = format!("/api/users/{}", id(&joe));
    is(&admin.get(&format!("{joe}/roles")).await, 200, &["PowerUserRole", "UserRole"]);
    is(
        &admin.post(&format!("{joe}/roles"), "<role><name>VmCreator</name></role>").await,
        201,
        &[&format!("{joe}/roles/{VM_CREATOR}")],
    );
    is(
        &admin.get(&format!("{joe}/roles/{VM_CREATOR}/permits")).await,
        200,
        &["create_vm", &format!("{joe}/roles/{VM_CREATOR}/permits/1")],
    );
    is(&admin.get(&format!("{joe}/roles/{VM_CREATOR}/permits/1")).await, 200, &["create_vm"]);
    is(&admin.post(&format!("{joe}/roles/{VM_CREATOR}/permits"), "<permit id=\"2\"/>").await, 409, &["built in"]);
    assert_eq!(admin.delete(&format!("{joe}/roles/{VM_CREATOR}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get(&format!("{joe}/roles/{VM_CREATOR}")).await.status, StatusCode::NOT_FOUND);

    let given = admin.post("/api/groups", format!("<group><name>given</name>{roles}</group>")).await;
    is(&admin.get(&format!("/api/groups/{}/roles", id(&given))).await, 200, &["PowerUserRole", "UserRole"]);
    let group = admin.post("/api/groups", "<group><name>mygroup</name></group>").await;
    is(&group, 201, &["<name>mygroup</name>", "rel=\"tags\"", "rel=\"permissions\"", "rel=\"roles\""]);
    let (group, group_id) = (format!("/api/groups/{}", id(&group)), id(&group));
    is(&admin.post(&format!("{group}/roles"), format!("{{\"id\":\"{USER_ROLE}\"}}")).await, 201, &[USER_ROLE]);
    is(&admin.get(&format!("{group}/permissions")).await, 200, &[&group_id, USER_ROLE]);
    is(&admin.post("/api/tags", "<tag><name>red</name></tag>").await, 201, &[]);
    let tag = id(&admin.post(&format!("{group}/tags"), "<tag><name>red</name></tag>").await);
    is(&admin.get(&format!("{group}/tags")).await, 200, &["<name>red</name>", &format!("<group href=\"{group}\"")]);
    is(&admin.get(&format!("{group}/tags/{tag}")).await, 200, &["red"]);
    assert_eq!(admin.delete(&format!("{group}/tags/{tag}")).await.status, StatusCode::NO_CONTENT);
    let domain = id(&admin.get("/api/domains").await);
    is(&admin.get(&format!("/api/domains/{domain}")).await, 200, &["rel=\"users/search\"", "rel=\"groups/search\""]);
    is(&admin.get(&format!("/api/domains/{domain}/groups")).await, 200, &["mygroup"]);
    is(&admin.get(&format!("/api/domains/{domain}/groups/{group_id}")).await, 200, &["mygroup"]);
    is(&admin.get("/api/groups?search=name%3Dmyg*").await, 200, &["mygroup"]);
    assert_eq!(admin.delete(&format!("/api/groups/{EVERYONE}")).await.status, StatusCode::CONFLICT);

    engine
        .while_stopped(|data| {
            for arguments in [&["group", "add", "staff"][..], &["group", "member", "add", "staff", "joe"]] {
                assert!(evirt(data, arguments).status.success(), "{arguments:?}");
            }
            let listed = evirt(data, &["group", "member", "list", "staff"]);
            assert!(String::from_utf8(listed.stdout).unwrap().starts_with("joe@internal"));
            assert!(!evirt(data, &["group", "member", "add", "staff", "nobody"]).status.success());
            assert!(!evirt(data, &["group", "remove", "Everyone"]).status.success());
        })
        .await;
    let admin = engine.admin();
    is(&admin.get(&joe).await, 200, &["<name>staff</name>"]);
    is(&admin.get("/api/events").await, 200, &["<code>20001</code>", "<code>438</code>", "<code>450</code>"]);
    assert_eq!(admin.delete(&group).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.delete(&joe).await.status, StatusCode::NO_CONTENT);
    is(&admin.get("/api/events").await, 200, &["<code>408</code>", "<code>325</code>"]);
}

#[tokio::test]
async fn permissions_stand_on_every_kind_of_object() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let eve = add_user(&admin, "eve").await;
    let vm = id(&add_vm(&admin, "vm").await);
    let profile = id(&admin.get("/api/vnicprofiles").await);
    for (path, member) in [
        ("/api".to_owned(), ""),
        (format!("/api/datacenters/{DATA_CENTER}"), "<data_center "),
        (format!("/api/clusters/{CLUSTER}"), "<cluster "),
        (format!("/api/datacenters/{DATA_CENTER}/clusters/{CLUSTER}"), "<cluster "),
        (format!("/api/vms/{vm}"), "<vm "),
        ("/api/templates/00000000-0000-0000-0000-000000000000".to_owned(), "<template "),
        (format!("/api/hosts/{}", id(&admin.get("/api/hosts").await)), "<host "),
        (format!("/api/storagedomains/{}", id(&admin.get("/api/storagedomains").await)), "<storage_domain "),
        ("/api/networks/00000000-0000-0000-0000-000000000009".to_owned(), ""),
        (format!("/api/vnicprofiles/{profile}"), ""),
    ] {
        let permission = grant(&admin, &path, USER_ROLE, &eve).await;
        assert_eq!(grant(&admin, &path, USER_ROLE, &eve).await, permission, "granted once: {path}");
        is(&admin.get(&format!("{path}/permissions")).await, 200, &[&permission]);
        is(&admin.get(&format!("{path}/permissions/{permission}")).await, 200, &[member, &format!("permissions/{permission}")]);
        assert_eq!(admin.delete(&format!("{path}/permissions/{permission}")).await.status, StatusCode::NO_CONTENT);
        assert_eq!(admin.get(&format!("{path}/permissions/{permission}")).await.status, StatusCode::NOT_FOUND);
    }
    let elsewhere = format!("/api/datacenters/{vm}/clusters/{CLUSTER}/permissions");
    assert_eq!(admin.get(&elsewhere).await.status, StatusCode::NOT_FOUND);
    let body = format!("<permission><role id=\"{USER_ROLE}\"/><vm id=\"{vm}\"/></permission>");
    is(&admin.post(&format!("/api/users/{eve}/permissions"), body).await, 201, &[&vm, "/users/"]);
    assert_eq!(admin.delete(&format!("/api/vms/{vm}")).await.status, StatusCode::NO_CONTENT);
    lacks(&admin.get(&format!("/api/users/{eve}/permissions")).await, &[&vm]);
}

#[tokio::test]
async fn who_does_not_see_everything_is_shown_no_more_than_that() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let eve_id = add_user(&admin, "eve").await;
    let (mine, other) = (id(&add_vm(&admin, "mine").await), id(&add_vm(&admin, "other").await));
    let eve = engine.caller("eve@internal", "pw");
    assert_eq!(eve.get("/api/vms").await.status, StatusCode::UNAUTHORIZED, "who may do nothing does not log in");
    grant(&admin, &format!("/api/vms/{mine}"), USER_ROLE, &eve_id).await;
    is(&eve.get("/api/vms").await, 400, &["query execution failed due to insufficient permissions."]);

    let eve = engine.caller("eve@internal", "pw").with("filter", "true");
    let listed = eve.get("/api/vms").await;
    is(&listed, 200, &[&mine]);
    // Neither the other VM, nor the cluster that both are in.
    lacks(&listed, &[&other, CLUSTER]);
    for search in ["name%3Dother", "cluster%3DDefault", "datacenter%3DDefault", "template.name%3DBlank%20and%20name%3Dother"] {
        lacks(&eve.get(&format!("/api/vms?search={search}")).await, &[&mine, &other]);
    }
    is(&eve.get("/api/vms?search=template.name%3DBlank").await, 200, &[&mine]);
    for (path, status) in [
        (format!("/api/vms/{mine}"), 200),
        (format!("/api/vms/{mine}/disks"), 200),
        (format!("/api/vms/{mine}/permissions"), 200),
        (format!("/api/vms/{other}"), 404),
        (format!("/api/vms/{other}/disks"), 404),
        (format!("/api/vms/{other}/permissions"), 404),
        (format!("/api/clusters/{CLUSTER}"), 404),
        (format!("/api/datacenters/{DATA_CENTER}/clusters"), 404),
        ("/api/users".into(), 400),
        ("/api/events".into(), 200),
        ("/api/domains".into(), 400),
    ] {
        assert_eq!(eve.get(&path).await.status, status, "{path}");
    }
    let gone = "6efc0cfa-8495-4a96-93e5-ee490328cf48";
    for below in ["", "/nics", "/permissions"] {
        let hidden = eve.get(&format!("/api/vms/{other}{below}")).await.body;
        assert_eq!(
            hidden.replace(&other, gone),
            eve.get(&format!("/api/vms/{gone}{below}")).await.body,
            "as if it did not exist"
        );
    }
    is(
        &eve.post(&format!("/api/vms/{mine}/permissions"), "<permission><role><name>SuperUser</name></role></permission>").await,
        400,
        &[],
    );
    lacks(&eve.get("/api").await, &["<summary>"]);
    let json =
        engine.caller("eve@internal", "pw").with("filter", "true").with("accept", "application/json").get("/api/vms").await;
    is(&json, 200, &[&mine]);
    lacks(&json, &[&other, CLUSTER]);

    assert_eq!(eve.post(&format!("/api/vms/{other}/start"), "<action/>").await.status, StatusCode::NOT_FOUND);
    assert_eq!(eve.delete(&format!("/api/vms/{other}")).await.status, StatusCode::NOT_FOUND);
    is(&eve.put(&format!("/api/vms/{mine}"), "<vm><comment>c</comment></vm>").await, 400, &["not authorized"]);
    is(&add_vm(&eve, "third").await, 404, &[CLUSTER]);

    let host = "<host><name>h</name><address>192.168.0.11</address><root_password>x</root_password></host>";
    is(&eve.post("/api/hosts", host).await, 400, &["not authorized"]);
    is(&admin.post("/api/hosts", host).await, 409, &["password"]);

    // What only lets create shows the cluster and nothing in it; what is created is owned.
    grant(&admin, &format!("/api/clusters/{CLUSTER}"), VM_CREATOR, &eve_id).await;
    is(&eve.get("/api/clusters").await, 200, &[CLUSTER]);
    lacks(&eve.get("/api/vms").await, &[&other]);
    let third = add_vm(&eve, "third").await;
    is(&third, 201, &["rel=\"disks\"", "rel=\"start\""]);
    let third = id(&third);
    is(&eve.get("/api/vms").await, 200, &[&third, CLUSTER]);
    // Clients send what they refer to in full.
    let full = format!(
        "<vm><name>fourth</name><cluster id=\"{CLUSTER}\"><data_center id=\"{DATA_CENTER}\"/></cluster>\
         <template><name>Blank</name></template></vm>"
    );
    is(&eve.post("/api/vms", full).await, 201, &[CLUSTER]);
    is(&eve.put(&format!("/api/vms/{third}"), "<vm><comment>c</comment></vm>").await, 200, &["<comment>c</comment>"]);

    // An administrator sees everything, and by Filter what the permissions stand on.
    grant(&admin, &format!("/api/vms/{mine}"), CLUSTER_ADMIN, &eve_id).await;
    is(&engine.caller("eve@internal", "pw").get("/api/vms").await, 200, &[&mine, &other, &third]);
    lacks(&eve.get("/api/vms").await, &[&other]);
    is(&admin.with("filter", "true").get("/api/vms").await, 200, &[&mine, &other, &third]);
}

#[tokio::test]
async fn references_to_what_is_hidden_are_answered_like_those_to_nothing() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let eve_id = add_user(&admin, "eve").await;
    let (mine, other) = (id(&add_vm(&admin, "mine").await), id(&add_vm(&admin, "other").await));
    let network = "<network><name>apart</name><data_center><name>Default</name></data_center></network>";
    let network = id(&admin.post("/api/networks", network).await);
    is(&admin.post(&format!("/api/clusters/{CLUSTER}/networks"), format!("<network id=\"{network}\"/>")).await, 201, &[]);
    let profiles = admin.get(&format!("/api/networks/{network}/vnicprofiles")).await;
    let profile = id(&profiles);
    let host = "<host><name>h</name><address>192.168.0.11</address><root_password>redhat</root_password></host>";
    let host = id(&admin.post("/api/hosts", host).await);
    let nic = format!("<nic><name>nic1</name><vnic_profile id=\"{profile}\"/></nic>");
    is(&admin.post(&format!("/api/vms/{mine}/nics"), nic).await, 201, &[]);
    grant(&admin, &format!("/api/vms/{mine}"), USER_VM_MANAGER, &eve_id).await;
    let eve = engine.caller("eve@internal", "pw").with("filter", "true");

    let gone = "6efc0cfa-8495-4a96-93e5-ee490328cf48";
    let permission = format!("<permission><role id=\"{USER_ROLE}\"/><vm id=\"@\"/></permission>");
    let vm = format!("/api/vms/{mine}");
    for (method, path, body, hidden) in [
        (
            Method::POST,
            "/api/vms".into(),
            "<vm><name>x</name><cluster id=\"@\"/><template><name>Blank</name></template></vm>",
            CLUSTER,
        ),
        (Method::PUT, vm.clone(), "<vm><cluster id=\"@\"/></vm>", CLUSTER),
        (Method::PUT, vm.clone(), "{\"cluster\":{\"id\":\"@\"}}", CLUSTER),
        (Method::POST, format!("{vm}/migrate"), "<action><host id=\"@\"/></action>", &host),
        (Method::POST, format!("{vm}/nics"), "<nic><name>n</name><network id=\"@\"/></nic>", &network),
        (Method::POST, format!("{vm}/nics"), "<nic><name>n</name><vnic_profile id=\"@\"/></nic>", &profile),
        (Method::POST, format!("/api/users/{eve_id}/permissions"), &permission, &other),
        (Method::POST, "/api/vms/@/start".into(), "<action/>", &other),
        (Method::DELETE, "/api/vms/@".into(), "<action/>", &other),
    ] {
        let ask = async |id: &str| {
            let answer = eve.ask(method.clone(), &path.replace('@', id), Some(body.replace('@', id))).await;
            (answer.status, answer.body.replace(id, "@"))
        };
        let (hidden, absent) = (ask(hidden).await, ask(gone).await);
        assert_eq!(hidden, absent, "{method} {path} {body}");
        assert_eq!(hidden.0, StatusCode::NOT_FOUND, "{method} {path} {body}: {}", hidden.1);
    }
    // The user-level API drops a wish for a host unseen.
    let start = async |vm_part: &str| eve.post(&format!("{vm}/start"), format!("<action><vm>{vm_part}</vm></action>")).await;
    let placed = start(&format!("<placement_policy><host id=\"{host}\"/></placement_policy>")).await;
    assert_eq!((placed.status, start("").await.status), (StatusCode::CONFLICT, StatusCode::CONFLICT), "{placed:?}");
    assert!(placed.body.contains("no bootable disk"), "{placed:?}");
    let named = |name: &str| format!("<nic><name>n</name><network><name>{name}</name></network></nic>");
    let (hidden, absent) =
        (eve.post(&format!("{vm}/nics"), named("apart")).await, eve.post(&format!("{vm}/nics"), named("absent")).await);
    assert_eq!((hidden.status, hidden.body.replace("apart", "absent")), (absent.status, absent.body));

    let finds = async |search: &str| eve.get(search).await.body;
    assert!(finds("/api/vms?search=vnic.mac%3D00*").await.contains(&mine));
    for search in ["vnic.network_name%3Dapart", "compatibility_level%3D3.3", "host.name%3Dh", "users.name%3Dadmin"] {
        assert!(!finds(&format!("/api/vms?search={search}")).await.contains(&mine), "{search}");
    }
    grant(&admin, &format!("/api/networks/{network}"), USER_ROLE, &eve_id).await;
    assert!(finds("/api/vms?search=vnic.network_name%3Dapart").await.contains(&mine));
    assert!(finds("/api/networks?search=name%3Dapart").await.contains(&network));
    for search in ["cluster_network.cluster_name%3DDefault", "datacenter%3DDefault"] {
        assert!(admin.get(&format!("/api/networks?search={search}")).await.body.contains(&network), "{search}");
        assert!(!finds(&format!("/api/networks?search={search}")).await.contains(&network), "{search}");
    }
}

#[tokio::test]
async fn who_may_not_change_something_is_not_told_whether_it_exists() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let eve_id = add_user(&admin, "eve").await;
    let joe = add_user(&admin, "joe").await;
    let mine = id(&add_vm(&admin, "mine").await);
    let connection =
        "<storage_connection><type>nfs</type><address>192.168.0.10</address><path>/data1</path></storage_connection>";
    let connection = id(&admin.post("/api/storageconnections", connection).await);
    let event =
        "<event><origin>x</origin><severity>normal</severity><custom_id>1</custom_id><description>d</description></event>";
    let event = admin.post("/api/events", event).await.header("location").rsplit('/').next().unwrap().to_owned();
    let job = id(&admin.post("/api/jobs", "<job><description>d</description></job>").await);
    let role = id(&admin.post("/api/roles", "<role><name>r</name><permits><permit id=\"1\"/></permits></role>").await);
    let tag = id(&admin.post("/api/tags", "<tag><name>t</name></tag>").await);
    let permission = grant(&admin, "/api", USER_ROLE, &joe).await;
    grant(&admin, &format!("/api/vms/{mine}"), USER_ROLE, &eve_id).await;
    let eve = engine.caller("eve@internal", "pw").with("filter", "true");
    is(&eve.get("/api").await, 200, &[]);
    let eve = eve.with("correlation-id", REFUSED);
    let of_user = format!("<permission><role id=\"{USER_ROLE}\"/><user id=\"@\"/></permission>");
    let step = "<step><type>EXECUTING</type><description>d</description></step>";
    let ended = "<action><status><state>finished</state></status></action>";
    for (method, path, body, known) in [
        (Method::DELETE, "/api/users/@", "", &joe),
        (Method::POST, "/api/users/@/roles", "<role><name>UserRole</name></role>", &joe),
        (Method::DELETE, "/api/users/@/roles/00000000-0000-0000-0001-000000000001", "", &joe),
        (Method::POST, "/api/users/@/tags", "<tag><name>t</name></tag>", &joe),
        (Method::POST, "/api/users/@/permissions", "<permission><role><name>UserRole</name></role></permission>", &joe),
        (Method::DELETE, "/api/groups/@", "", &EVERYONE.to_owned()),
        (Method::POST, "/api/groups/@/roles", "<role><name>UserRole</name></role>", &EVERYONE.to_owned()),
        (Method::PUT, "/api/roles/@", "<role><name>x</name></role>", &role),
        (Method::DELETE, "/api/roles/@", "", &role),
        (Method::POST, "/api/roles/@/permits", "<permit id=\"2\"/>", &role),
        (Method::DELETE, "/api/roles/@/permits/1", "", &role),
        (Method::PUT, "/api/tags/@", "<tag><name>x</name></tag>", &tag),
        (Method::DELETE, "/api/tags/@", "", &tag),
        (Method::DELETE, "/api/permissions/@", "", &permission),
        (Method::POST, &format!("/api/vms/{mine}/permissions"), &of_user, &joe),
        (Method::PUT, "/api/storageconnections/@", "<storage_connection><path>/x</path></storage_connection>", &connection),
        (Method::DELETE, "/api/storageconnections/@", "", &connection),
        (Method::DELETE, "/api/events/@", "", &event),
        (Method::POST, "/api/jobs/@/end", ended, &job),
        (Method::POST, "/api/jobs/@/steps", step, &job),
    ] {
        let ask = async |id: &str| {
            let body = Some(body.replace('@', id)).filter(|body| !body.is_empty());
            let answer = eve.ask(method.clone(), &path.replace('@', id), body).await;
            (answer.status, answer.body.replace(id, "@"))
        };
        let (there, absent) = (ask(known).await, ask("6efc0cfa-8495-4a96-93e5-ee490328cf48").await);
        assert_eq!(there, absent, "{method} {path}");
        assert!(there.0 == StatusCode::BAD_REQUEST && there.1.contains("not authorized"), "{method} {path}: {there:?}");
    }
    assert_eq!(engine.left_by_refused().await, [""; 0]);
}

#[tokio::test]
async fn a_group_and_everyone_count() {
    let mut engine = Engine::start().await;
    let eve = add_user(&engine.admin(), "eve").await;
    let vm = id(&add_vm(&engine.admin(), "vm").await);
    engine
        .while_stopped(|data| {
            assert!(evirt(data, &["group", "add", "staff"]).status.success());
            assert!(evirt(data, &["group", "member", "add", "staff", "eve"]).status.success());
        })
        .await;
    let admin = engine.admin();
    let groups = admin.get("/api/groups?search=name%3Dstaff").await;
    let to_group = |group: &str| format!("<permission><role id=\"{USER_ROLE}\"/><group id=\"{group}\"/></permission>");
    let seen = async || engine.caller("eve@internal", "pw").with("filter", "true").get("/api/vms").await;
    assert_eq!(seen().await.status, StatusCode::UNAUTHORIZED);
    is(&admin.post("/api/permissions", to_group(EVERYONE)).await, 201, &[]);
    assert_eq!(seen().await.status, StatusCode::UNAUTHORIZED, "what everybody may lets nobody in");
    let given = admin.post(&format!("/api/vms/{vm}/permissions"), to_group(&id(&groups))).await;
    is(&given, 201, &[]);
    is(&seen().await, 200, &[&vm]);
    is(&admin.delete(given.header("location")).await, 204, &[]);
    assert_eq!(seen().await.status, StatusCode::UNAUTHORIZED, "also by credentials that were found right a moment ago");
    is(&admin.post(&format!("/api/vms/{vm}/permissions"), to_group(&id(&groups))).await, 201, &[]);
    is(&seen().await, 200, &[&vm]);
    is(&admin.delete(&format!("/api/users/{eve}")).await, 204, &[]);
    assert_eq!(seen().await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn bad_input_is_refused_by_field_and_changes_nothing() {
    let engine = Engine::start().await;
    let admin = engine.admin();
    let eve = add_user(&admin, "eve").await;
    let long = "x".repeat(127);
    let role = |name: &str, permits: &str| format!("<role><name>{name}</name><permits>{permits}</permits></role>");
    let permission = |inner: &str| format!("<permission>{inner}</permission>");
    let cases: Vec<(Method, String, String, u16, &str)> = vec![
        (Method::POST, "/api/roles".into(), "<role/>".into(), 400, "Role [name, permits.id] required for add"),
        (Method::POST, "/api/roles".into(), role("r", ""), 400, "permits.id"),
        (Method::POST, "/api/roles".into(), role(&long, "<permit id=\"1\"/>"), 400, "too long"),
        (Method::POST, "/api/roles".into(), role("a/b", "<permit id=\"1\"/>"), 400, "characters"),
        (Method::POST, "/api/roles".into(), role("superuser", "<permit id=\"1\"/>"), 400, "already in use"),
        (Method::POST, "/api/roles".into(), role("r", "<permit id=\"4711\"/>"), 404, "Permit: 4711"),
        (Method::POST, "/api/roles".into(), role("r", "<permit id=\"100\"/>"), 409, "create_host"),
        (Method::POST, "/api/roles".into(), "<role><name>r".into(), 400, "fault"),
        (Method::PUT, format!("/api/roles/{SUPER_USER}"), "<role><name>r</name></role>".into(), 409, "built in"),
        (Method::PUT, format!("/api/roles/{SUPER_USER}"), format!("<role id=\"{eve}\"/>"), 409, "immutable field: id"),
        (Method::DELETE, format!("/api/roles/{SUPER_USER}"), String::new(), 409, "built in"),
        (Method::DELETE, format!("/api/roles/{eve}"), String::new(), 404, &eve),
        (Method::POST, format!("/api/roles/{SUPER_USER}/permits"), "<permit/>".into(), 400, "Permit [id|name] required for add"),
        (Method::POST, "/api/users".into(), "<user/>".into(), 400, "User [userName] required for add"),
        (Method::POST, "/api/users".into(), "<user><user_name>x</user_name></user>".into(), 400, "User [domain.id|name]"),
        (
            Method::POST,
            "/api/users".into(),
            "<user><user_name>x@nowhere</user_name></user>".into(),
            400,
            "No such user: x in domain nowhere",
        ),
        (Method::POST, "/api/users".into(), "<user><user_name>a b@internal</user_name></user>".into(), 400, "characters"),
        (Method::POST, "/api/users".into(), "<user><user_name>eve@internal</user_name></user>".into(), 409, "exists already"),
        (Method::DELETE, "/api/users/fdfc627c-d875-11e0-90f0-83df133b58cc".into(), String::new(), 400, "built in"),
        (Method::POST, format!("/api/users/{eve}/roles"), "<role/>".into(), 400, "Role [id|name] required for add"),
        (Method::POST, format!("/api/users/{eve}/roles"), "<role><name>no</name></role>".into(), 404, "Role: name=no"),
        (Method::POST, "/api/groups".into(), "<group/>".into(), 400, "Group [name] required for add"),
        (Method::POST, "/api/groups".into(), "<group><name>a/b</name></group>".into(), 400, "characters"),
        (
            Method::POST,
            "/api/groups".into(),
            "<group><name>x</name><domain><name>d</name></domain></group>".into(),
            400,
            "No such group: x in domain d",
        ),
        (Method::POST, "/api/permissions".into(), permission(""), 400, "Permission [role.id] required for add"),
        (
            Method::POST,
            "/api/permissions".into(),
            permission(&format!("<role id=\"{USER_ROLE}\"/>")),
            400,
            "Permission [user|group.id] required for add",
        ),
        (Method::POST, "/api/permissions".into(), permission(&format!("<role id=\"{eve}\"/><user id=\"{eve}\"/>")), 404, "Role"),
        (
            Method::POST,
            "/api/permissions".into(),
            permission(&format!("<role id=\"{USER_ROLE}\"/><user id=\"{USER_ROLE}\"/>")),
            404,
            "User",
        ),
        (
            Method::POST,
            "/api/permissions".into(),
            permission(&format!("<role id=\"x\"/><user id=\"{eve}\"/>")),
            400,
            "x is no identifier",
        ),
        (
            Method::POST,
            format!("/api/users/{eve}/permissions"),
            permission(&format!("<role id=\"{USER_ROLE}\"/><vm id=\"{eve}\"/>")),
            400,
            "object does not exist",
        ),
        (Method::GET, "/api/users/x".into(), String::new(), 404, "x"),
        (Method::GET, "/api/domains/x/groups/y".into(), String::new(), 404, "x"),
    ];
    for (method, path, body, status, part) in cases {
        let body = (!body.is_empty()).then_some(body);
        let answer = engine.refused().ask(method.clone(), &path, body.clone()).await;
        assert_eq!(answer.status, status, "{method} {path} {body:?}: {answer:?}");
        assert!(answer.body.contains("<fault>") && answer.body.contains(part), "{method} {path} {body:?}: {answer:?}");
    }
    assert_eq!(engine.left_by_refused().await, [""; 0], "nothing was recorded");
}

#[tokio::test]
async fn wrong_passwords_lock_for_a_while_and_passwords_are_nowhere() {
    let mut engine =
        Engine::start_with(Options { login_failures: Some(2), login_lock_seconds: Some(3600), ..Options::default() }).await;
    let eve_id = add_user(&engine.admin(), "eve").await;
    grant(&engine.admin(), &format!("/api/clusters/{CLUSTER}"), USER_ROLE, &eve_id).await;
    let wrong = "Tr0ub4dor";
    for _ in 0..2 {
        let refused = engine.caller("eve@internal", wrong).get("/api").await;
        assert_eq!((refused.status, refused.body.as_str()), (StatusCode::UNAUTHORIZED, ""));
    }
    let status = async |engine: &Engine, user: &str| engine.caller(user, "pw").get("/api").await.status;
    assert_eq!(status(&engine, "eve@internal").await, StatusCode::UNAUTHORIZED, "locked");
    assert_eq!(status(&engine, "internal\\eve").await, StatusCode::UNAUTHORIZED);
    engine.restart().await;
    assert_eq!(status(&engine, "eve@internal").await, StatusCode::UNAUTHORIZED, "a restart unlocks nobody");
    is(&engine.admin().get("/api/events").await, 200, &["<code>160</code>", "<code>114</code>"]);
    engine.while_stopped(|data| assert!(evirt(data, &["user", "unlock", "eve"]).status.success())).await;
    assert_eq!(status(&engine, "eve@internal").await, StatusCode::OK);
    assert_eq!(status(&engine, "internal\\eve").await, StatusCode::OK);
    let events = String::from_utf8(engine.evirt(&["events", "export"]).stdout).unwrap();
    for secret in [wrong, "\"pw\"", "\"secret\""] {
        assert!(!events.contains(secret), "{secret}");
    }
}
