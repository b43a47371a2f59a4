//! Work that goes on after a request: how it ends, where its state is seen, what removals wait for, and creations that are sent again.

use evirt::hypervisor::estate::Estate;
use evirt::hypervisor::{CallKind, DriverError};
use evirt_domain::World;
use evirt_domain::host::HostStatus;
use evirt_domain::job::{JobStatus, Task};
use evirt_domain::vm_run::VmState;
use reqwest::{Method, StatusCode};

use crate::engine::{Answer, Caller, Engine, fast_but};

const DATA_CENTER: &str = "/api/datacenters/5849b030-626e-47cb-ad90-3ce782d831b3";
const DISK: &str = "<disk><name>d</name><format>cow</format><interface>virtio</interface><size>1073741824</size>\
                    <storage_domains><storage_domain><name>data1</name></storage_domain></storage_domains></disk>";
/// What takes so long, in the estate's own milliseconds, does not end during a test.
const FOREVER_MS: u64 = 1_000_000_000;
const NOBODY: &str = "00000000-0000-0000-0000-00000000dead";

/// An engine with a host that is up, a data domain, and a machine.
struct Lab {
    engine: Engine,
    admin: Caller,
    host: String,
    domain: String,
    vm: String,
}

/// The path of what was made.
fn path(collection: &str, answer: &Answer) -> String {
    assert!(answer.status.is_success(), "{collection}: {answer:?}");
    format!("{collection}/{}", answer.id())
}

impl Lab {
    async fn start() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Estate)) -> Self {
        let engine = fast_but(|estate, _| change(estate)).await;
        let admin = engine.admin();
        let node = engine.server().app.engine.until(|world| world.hosts.values().next().map(|host| host.id)).await;
        let host = format!("/api/hosts/{node}");
        let cluster = "<action><cluster><name>Default</name></cluster></action>";
        assert_eq!(admin.post(&format!("{host}/approve"), cluster).await.status, StatusCode::OK);
        let mut lab = Self { admin, host, domain: String::new(), vm: String::new(), engine };
        lab.until(|world| world.hosts.get(&node).is_some_and(|host| host.status == HostStatus::Up)).await;
        let domain = format!(
            "<storage_domain><name>data1</name><type>data</type><host id=\"{node}\"/><storage><type>nfs</type>\
             <address>192.168.0.10</address><path>/data1</path></storage></storage_domain>"
        );
        lab.domain = path("/api/storagedomains", &lab.admin.post("/api/storagedomains", domain).await);
        let attached = format!("<storage_domain id=\"{}\"/>", lab.domain.rsplit('/').next().unwrap());
        assert!(lab.admin.post(&format!("{DATA_CENTER}/storagedomains"), attached).await.status.is_success());
        lab.vm = lab.machine("machine").await;
        lab
    }

    async fn until(&self, is_so: impl Fn(&World) -> bool) {
        let so = self.engine.server().app.engine.until(|world| is_so(world).then_some(()));
        tokio::time::timeout(std::time::Duration::from_secs(20), so).await.expect("it comes to that");
    }

    async fn machine(&self, name: &str) -> String {
        let vm = format!(
            "<vm><name>{name}</name><memory>134217728</memory><cluster><name>Default</name></cluster>\
             <template><name>Blank</name></template><os><boot dev=\"network\"/></os></vm>"
        );
        path("/api/vms", &self.admin.post("/api/vms", vm).await)
    }

    /// Starts the machine and waits until it is up.
    async fn up(&self) {
        let nic = "<nic><name>nic1</name><network><name>rhevm</name></network></nic>";
        path("nics", &self.admin.post(&format!("{}/nics", self.vm), nic).await);
        let started = self.admin.post(&format!("{}/start", self.vm), "<action/>").await;
        assert_eq!(started.status, StatusCode::OK, "{started:?}");
        self.until(|world| world.vms.values().any(|vm| vm.state == VmState::Up)).await;
    }

    fn fails(&self, kind: CallKind) {
        self.engine.server().simulator.fail_next(kind, DriverError::Failed { message: "a planned fault".into() });
    }

    async fn disk(&self) -> String {
        let made = self.admin.post(&format!("{}/disks", self.domain), DISK).await;
        self.until(|world| world.open_jobs.is_empty()).await;
        format!("/api/disks/{}", made.id())
    }

    fn keyed(&self, key: &str) -> Caller {
        self.engine.admin().with("idempotency-key", key)
    }
}

/// The value of the first attribute `href` of the root.
fn href(answer: &Answer) -> String {
    answer.body.split("href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_suspension_that_fails_stays_failed() {
    let lab = Lab::start().await;
    lab.up().await;
    lab.fails(CallKind::Suspend);
    let answer = lab.admin.post(&format!("{}/suspend", lab.vm), "<action/>").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let is_suspension = |task: &Task| matches!(task, Task::SuspendVm { .. });
    lab.until(|world| world.jobs.values().any(|job| is_suspension(&job.task) && job.status != JobStatus::Started)).await;
    // Its host says that it goes on.
    lab.until(|world| world.vms.values().any(|vm| vm.state == VmState::Up && vm.run.as_ref().is_some_and(|r| r.job.is_none())))
        .await;
    let standing = lab.admin.get(&href(&answer)).await.body;
    assert!(standing.contains("<state>failed</state>") && standing.contains("a planned fault"), "{standing}");
}

#[tokio::test]
async fn a_disk_is_gone_when_its_deletion_is_answered() {
    let lab = Lab::start().await;
    for below in ["/api".to_owned(), lab.domain.clone(), format!("{DATA_CENTER}{}", lab.domain.strip_prefix("/api").unwrap())] {
        let id = lab.disk().await.rsplit('/').next().unwrap().to_owned();
        let disk = format!("{below}/disks/{id}");
        lab.fails(CallKind::DeleteDisk);
        let failed = lab.admin.delete(&disk).await;
        assert!(failed.status == StatusCode::BAD_REQUEST && failed.body.contains("a planned fault"), "{failed:?}");
        let removed = lab.admin.ask(Method::DELETE, &disk, Some("<action/>".into())).await;
        assert!(removed.status == StatusCode::OK && removed.body.contains("<state>complete</state>"), "{removed:?}");
        assert_eq!(lab.admin.get(&disk).await.status, StatusCode::NOT_FOUND);
    }
    let codes = lab.admin.get("/api/events?search=type%3D2022%20or%20type%3D2015").await.body;
    assert_eq!((codes.matches("<code>2022<").count(), codes.matches("<code>2015<").count()), (0, 3), "{codes}");
}

#[tokio::test]
async fn a_deletion_that_is_not_waited_for_goes_on() {
    let lab = Lab::start().await;
    let disk = lab.disk().await;
    assert_eq!(lab.admin.delete(&format!("{disk};async")).await.status, StatusCode::ACCEPTED);
    lab.until(|world| world.disks.is_empty()).await;
}

#[tokio::test]
async fn an_action_answers_with_what_it_was_carried_out_on() {
    let lab = Lab::start().await;
    lab.up().await;
    let on = |member: &str, path: &str| format!("<{member} href=\"{path}\" id=\"{}\"/>", path.rsplit('/').next().unwrap());
    let attached = format!("{DATA_CENTER}{}", lab.domain.strip_prefix("/api").unwrap());
    let suspended = lab.admin.post(&format!("{}/suspend", lab.vm), "<action><async>false</async></action>").await;
    assert!(suspended.body.contains(&on("vm", &lab.vm)), "{}", suspended.body);
    for (path, action, member) in [
        (&lab.host, "commitnetconfig", "host"),
        (&lab.vm, "stop", "vm"),
        (&attached, "deactivate", "storage_domain"),
        (&attached, "activate", "storage_domain"),
        (&lab.host, "deactivate", "host"),
    ] {
        let sent = format!("<action><{member}><name>another</name></{member}></action>");
        let answer = lab.admin.post(&format!("{path}/{action}"), sent).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}/{action}: {}", answer.body);
        assert!(answer.body.contains(&on(member, path)) && !answer.body.contains("another"), "{}", answer.body);
    }
}

#[tokio::test]
async fn the_state_of_work_is_seen_where_it_was_begun_and_nowhere_else() {
    let lab = Lab::start().await;
    let (made, other) = (lab.admin.post("/api/disks", DISK).await, lab.disk().await);
    let disk = format!("/api/disks/{}", made.id());
    let job = made.body.split("/creation_status/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for below in [disk.clone(), format!("{}{}", lab.domain, disk.strip_prefix("/api").unwrap())] {
        let status = lab.admin.get(&format!("{below}/creation_status/{job}")).await;
        assert!(status.status == StatusCode::OK && status.body.contains("<creation "), "{below}: {status:?}");
    }
    for elsewhere in [&other, "/api/tags/zzz", &lab.vm, &lab.host, &format!("/api/disks/{NOBODY}")] {
        let status = lab.admin.get(&format!("{elsewhere}/creation_status/{job}")).await;
        assert_eq!(status.status, StatusCode::NOT_FOUND, "{elsewhere}: {}", status.body);
    }
    lab.up().await;
    let suspension = href(&lab.admin.post(&format!("{}/suspend", lab.vm), "<action/>").await);
    let job = suspension.rsplit('/').next().unwrap();
    assert!(lab.admin.get(&suspension).await.body.contains("<action "));
    let stranger = lab.machine("stranger").await;
    for (of, action) in [(&stranger, "suspend"), (&lab.vm, "stop"), (&stranger, "stop")] {
        // The redirection to what it was about is followed.
        let elsewhere = lab.admin.get(&format!("{of}/{action}/{job}")).await;
        assert!(elsewhere.status == StatusCode::OK && elsewhere.body.contains("<vm "), "{of}/{action}: {elsewhere:?}");
    }
    assert_eq!(lab.admin.get(&format!("/api/vms/{NOBODY}/suspend/{job}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_creation_that_is_sent_again_is_answered_as_before() {
    let lab = Lab::start().await;
    let permit = "<permit><name>create_host</name></permit>";
    let role = "<role><name>r</name><administrative>true</administrative><permits><permit id=\"1\"/></permits></role>";
    let role = path("/api/roles", &lab.admin.post("/api/roles", role).await);
    let floating = format!("<disk id=\"{}\"/>", lab.disk().await.rsplit('/').next().unwrap());
    for (n, (to, body, status)) in [
        (format!("{role}/permits"), permit, 201),
        (format!("{}/disks", lab.vm), floating.as_str(), 200),
        ("/api/tags".to_owned(), "<tag><name>t</name></tag>", 201),
    ]
    .into_iter()
    .enumerate()
    {
        let caller = lab.keyed(&format!("key-{n}"));
        let (first, again) = (caller.post(&to, body).await, caller.post(&to, body).await);
        assert_eq!((first.status.as_u16(), again.status.as_u16()), (status, status), "{to}: {first:?} {again:?}");
        assert_eq!((first.header("location"), &first.body), (again.header("location"), &again.body), "{to}");
    }
}

#[tokio::test]
async fn a_creation_that_is_sent_again_while_it_goes_on_tells_where_to_look() {
    let lab = Lab::with(|estate| estate.durations.volume_ms = FOREVER_MS).await;
    let caller = lab.keyed("disk");
    let (first, again) = (caller.post("/api/disks", DISK).await, caller.post("/api/disks", DISK).await);
    assert_eq!((first.status, again.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!((&first.body, again.header("location")), (&again.body, ""));
    assert!(again.on_one_line().contains("<creation_status><state>pending</state></creation_status>"), "{}", again.body);

    let engine = fast_but(|estate, _| estate.durations.install_ms = FOREVER_MS).await;
    let host = "<host><name>alpha</name><address>192.168.0.11</address><root_password>redhat</root_password></host>";
    let caller = engine.admin().with("idempotency-key", "host");
    let (first, again) = (caller.post("/api/hosts", host).await, caller.post("/api/hosts", host).await);
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!((first.header("location"), &first.body), (again.header("location"), &again.body));
}

#[tokio::test]
async fn a_creation_whose_work_failed_has_failed_when_it_is_sent_again() {
    let lab = Lab::start().await;
    for (n, wait) in [true, false].into_iter().enumerate() {
        let caller = lab.keyed(&format!("key-{n}"));
        let caller = if wait { caller.with("x-ovirt-expect", "201-created") } else { caller };
        lab.fails(CallKind::CreateVolume);
        let first = caller.post("/api/disks", DISK).await;
        assert_eq!(first.status, if wait { StatusCode::BAD_REQUEST } else { StatusCode::ACCEPTED }, "{first:?}");
        lab.until(|world| world.open_jobs.is_empty()).await;
        for _ in 0..2 {
            let again = caller.post("/api/disks", DISK).await;
            assert!(again.status == StatusCode::BAD_REQUEST && again.body.contains("a planned fault"), "{again:?}");
        }
    }
    assert_eq!(lab.admin.get("/api/disks").await.body.matches("<disk ").count(), 2, "none was made again");
    // What goes on may be waited for as well by who sends it again.
    let waits = lab.keyed("key-3").with("x-ovirt-expect", "201-created");
    assert_eq!(lab.keyed("key-3").post("/api/disks", DISK).await.status, StatusCode::ACCEPTED);
    let again = waits.post("/api/disks", DISK).await;
    assert!(again.status == StatusCode::CREATED && again.body.contains("<state>ok</state>"), "{again:?}");
}

const ISO: &str = "rhel-server-6.4-x86_64-dvd.iso";

impl Lab {
    /// An ISO domain that is active.
    async fn iso(&self) {
        let node = self.host.rsplit('/').next().unwrap();
        let domain = format!(
            "<storage_domain><name>iso1</name><type>iso</type><host id=\"{node}\"/><storage><type>nfs</type>\
             <address>192.168.0.10</address><path>/iso1</path></storage></storage_domain>"
        );
        let made = self.admin.post("/api/storagedomains", domain).await;
        let attached = format!("<storage_domain id=\"{}\"/>", made.id());
        assert!(self.admin.post(&format!("{DATA_CENTER}/storagedomains"), attached).await.status.is_success());
        self.until(|world| world.open_jobs.is_empty()).await;
    }
}

#[tokio::test]
async fn a_drive_shows_what_is_in_it_and_a_change_that_failed_is_answered_so() {
    let lab = Lab::start().await;
    lab.up().await;
    lab.iso().await;
    let drive = format!("{}/cdroms/00000000-0000-0000-0000-000000000000;current", lab.vm);
    let insert = |file: &str| format!("<cdrom><file id=\"{file}\"/></cdrom>");
    lab.fails(CallKind::ChangeCd);
    let failed = lab.admin.put(&drive, insert(ISO)).await;
    assert!(failed.status == StatusCode::BAD_REQUEST && failed.body.contains("a planned fault"), "{failed:?}");
    assert!(!lab.admin.get(&drive).await.body.contains(ISO), "it is not in the drive");
    let changed = lab.admin.put(&drive, insert(ISO)).await;
    assert!(changed.status == StatusCode::OK && changed.body.contains(ISO), "{changed:?}");
    lab.fails(CallKind::ChangeCd);
    assert_eq!(lab.admin.delete(&drive).await.status, StatusCode::BAD_REQUEST);
    assert!(lab.admin.get(&drive).await.body.contains(ISO), "it is still in the drive");
    assert_eq!(lab.admin.delete(&drive).await.status, StatusCode::NO_CONTENT);
    let codes = lab.admin.get("/api/events?search=type%3D102%20or%20type%3D38%20or%20type%3D528").await.body;
    let counts = ["102", "38", "528"].map(|code| codes.matches(&format!("<code>{code}<")).count());
    assert_eq!(counts, [2, 1, 1], "{codes}");
}

#[tokio::test]
async fn a_change_that_nobody_waits_for_is_carried_out() {
    let lab = Lab::start().await;
    lab.up().await;
    lab.iso().await;
    let drive = format!("{}/cdroms/00000000-0000-0000-0000-000000000000;current", lab.vm);
    let gone = lab.admin.put(&drive, format!("<cdrom><file id=\"{ISO}\"/></cdrom>"));
    // The client hangs up as soon as the change is asked for.
    tokio::select! {
        biased;
        () = lab.until(|world| world.jobs.values().any(|job| matches!(job.task, Task::ChangeCd { .. }))) => {}
        _ = gone => {}
    }
    lab.until(|world| world.vms.values().any(|vm| vm.run.as_ref().is_some_and(|run| run.cdrom == ISO))).await;
}

#[tokio::test]
async fn a_ticket_is_in_no_event_and_one_for_a_machine_that_is_gone_is_refused() {
    let lab = Lab::start().await;
    lab.up().await;
    let (ticket, secret) = (format!("{}/ticket", lab.vm), "Zuf4lliger-Wert");
    let set = format!("<action><ticket><value>{secret}</value><expiry>60</expiry></ticket></action>");
    let given = lab.admin.post(&ticket, set.as_str()).await;
    assert!(given.status == StatusCode::OK && given.body.contains(secret), "{given:?}");
    lab.fails(CallKind::SetTicket);
    let failed = lab.admin.post(&ticket, set.as_str()).await;
    assert!(failed.status == StatusCode::BAD_REQUEST && failed.body.contains("a planned fault"), "{failed:?}");
    let id = lab.vm.rsplit('/').next().unwrap().to_owned();
    let unknown = DriverError::NotFound { what: "virtual machine".into(), id };
    lab.engine.server().simulator.fail_next(CallKind::SetTicket, unknown);
    let gone = lab.admin.post(&ticket, set.as_str()).await;
    assert_eq!(gone.status, StatusCode::CONFLICT, "{gone:?}");
    lab.until(|world| world.vms.values().all(|vm| vm.state == VmState::Down)).await;
    let codes = lab.admin.get("/api/events?search=type%3D164%20or%20type%3D165").await.body;
    assert_eq!((codes.matches("<code>164<").count(), codes.matches("<code>165<").count()), (1, 2), "{codes}");
    let log = lab.engine.server().app.engine.log().read(0, 10_000).await.unwrap();
    assert!(log.iter().any(|record| record.payload.contains("set_ticket")));
    assert!(log.iter().all(|record| !record.payload.contains(secret)), "the log holds a ticket in clear");
}
