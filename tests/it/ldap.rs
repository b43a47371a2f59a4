//! Users and groups of another directory, against a real OpenLDAP server, which each test starts on a port and in a directory of its own.

use std::collections::HashSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use evirt::config::Options;
use evirt::directory::LdapOptions;
use ldap3::{Ldap, LdapConnAsync, Mod};
use reqwest::StatusCode;
use tempfile::TempDir;

use crate::engine::{Engine, terminate};

/// Debian's package slapd has it; scripts/test installs that.
const SLAPD: &str = "/usr/sbin/slapd";
const BASE: &str = "dc=example,dc=org";
const STAFF: &str = "cn=staff,ou=groups,dc=example,dc=org";
/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

const ENTRIES: &str = "\
dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n\
dn: cn=reader,dc=example,dc=org\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: r34ds\n\n\
dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n\n\
dn: ou=groups,dc=example,dc=org\nobjectClass: organizationalUnit\nou: groups\n\n\
dn: uid=joe,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: joe\ncn: Joe Doe\ngivenName: Joe\nsn: Doe\n\
mail: joe@example.org\ndepartmentNumber: IT\ntitle: Engineer\nuserPassword: j0es\n\n\
dn: uid=ann,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: ann\ncn: Ann\nsn: Smith\nuserPassword: 4nns\n\n\
dn: cn=staff,ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: staff\nmember: uid=joe,ou=people,dc=example,dc=org\n\
member: cn=reader,dc=example,dc=org\n\n\
dn: cn=everybody,ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: everybody\n\
member: cn=staff,ou=groups,dc=example,dc=org\nmember: cn=company,ou=groups,dc=example,dc=org\n\n\
dn: cn=company,ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: company\n\
member: cn=everybody,ou=groups,dc=example,dc=org\n";

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of the directory.
pub struct Slapd {
    _process: Process,
    directory: TempDir,
    port: u16,
}

impl Slapd {
    pub async fn start() -> Self {
        assert!(Path::new(SLAPD).exists(), "{SLAPD} is missing: the tests need the package slapd");
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path("cert.pem"), authority.cert.pem()).unwrap();
        fs::write(path("key.pem"), authority.signing_key.serialize_pem()).unwrap();
        fs::create_dir(path("db")).unwrap();
        let schemas: String =
            ["core", "cosine", "inetorgperson"].iter().map(|name| format!("include /etc/ldap/schema/{name}.schema\n")).collect();
        let configuration = format!(
            "{schemas}modulepath /usr/lib/ldap\nmoduleload back_mdb\nTLSCACertificateFile {cert}\nTLSCertificateFile {cert}\n\
             TLSCertificateKeyFile {key}\ndatabase mdb\nmaxsize 16777216\nsuffix \"{BASE}\"\nrootdn \"cn=root,{BASE}\"\nrootpw root\n\
             directory {db}\naccess to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn.exact=\"cn=reader,{BASE}\" read by * none\n",
            cert = path("cert.pem"),
            key = path("key.pem"),
            db = path("db"),
        );
        fs::write(path("slapd.conf"), configuration).unwrap();
        fs::write(path("entries.ldif"), ENTRIES).unwrap();
        fs::write(path("password"), "r34ds\n").unwrap();
        let loaded =
            Command::new(SLAPD).args(["-T", "add", "-f", &path("slapd.conf"), "-l", &path("entries.ldif")]).output().unwrap();
        assert!(loaded.status.success(), "{loaded:?}");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(SLAPD)
            .args(["-d", "0", "-f", &path("slapd.conf"), "-h", &format!("ldap://127.0.0.1:{port}")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let slapd = Self { _process: Process(process), directory, port };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "slapd does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        slapd
    }

    pub fn options(&self, change: impl FnOnce(&mut LdapOptions)) -> Options {
        let mut directory = LdapOptions {
            domain: "example.org".into(),
            url: format!("ldap://localhost:{}", self.port),
            bind_dn: format!("cn=reader,{BASE}"),
            bind_password_file: Some(self.directory.path().join("password")),
            base: BASE.into(),
            timeout_seconds: 5,
            ..LdapOptions::default()
        };
        change(&mut directory);
        Options { directory: vec![directory], ..Options::default() }
    }

    /// The directory as its own administrator.
    async fn administrator(&self) -> Ldap {
        let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://localhost:{}", self.port)).await.unwrap();
        ldap3::drive!(connection);
        ldap.simple_bind(&format!("cn=root,{BASE}"), "root").await.unwrap().success().unwrap();
        ldap
    }

    /// Changes an entry.
    async fn modify(&self, dn: &str, change: Mod<&str>) {
        self.administrator().await.modify(dn, vec![change]).await.unwrap().success().unwrap();
    }

    /// Removes an entry.
    async fn remove(&self, dn: &str) {
        self.administrator().await.delete(dn).await.unwrap().success().unwrap();
    }
}

async fn log_in(engine: &Engine, user: &str, password: &str) -> StatusCode {
    engine.caller(user, password).with("filter", "true").get("/api/vms").await.status
}

#[tokio::test]
async fn a_user_of_the_directory_logs_in_by_what_a_group_may() {
    let slapd = Slapd::start().await;
    let mut engine = Engine::start_with(slapd.options(|_| ())).await;
    let admin = engine.admin();
    let domains = admin.get("/api/domains").await.body;
    let domain = domains.rsplit_once("/users\"").unwrap().0.rsplit_once('/').unwrap().1.to_owned();
    assert!(domains.contains("<name>example.org</name>"), "{domains}");
    for (path, part) in [
        ("users", "<user_name>joe@example.org</user_name>"),
        ("users?search=usrname%3Djo*%20and%20lastname%3Ddoe", "<last_name>Doe</last_name>"),
        ("users?search=ann", "ann@example.org"),
        ("groups", "<name>example.org/groups/staff</name>"),
        ("groups?search=name%3Dst*", "example.org/groups/staff"),
    ] {
        let found = admin.get(&format!("/api/domains/{domain}/{path}")).await;
        assert!(found.status.is_success() && found.body.contains(part), "{path}: {found:?}");
        let one = found.body.split(&format!("/api/domains/{domain}/")).nth(1).unwrap().split('"').next().unwrap();
        let one = admin.get(&format!("/api/domains/{domain}/{one}")).await;
        assert!(one.status.is_success() && one.body.contains("example.org"), "{one:?}");
    }
    assert!(!admin.get(&format!("/api/domains/{domain}/users?search=usrname%3D%29%28uid%3D*")).await.body.contains("joe"));
    assert_eq!(admin.get(&format!("/api/domains/{domain}/users?search=password%3Dx")).await.status, StatusCode::BAD_REQUEST);

    for (search, joe, ann) in [
        ("title=Eng*", true, false),
        ("title != Engineer", false, true),
        ("department=IT or lastname=Smith", true, true),
        ("name=Joe and (lastname=Doe or lastname=Smith)", true, false),
        ("username=joe lastname=Smith", false, false),
        ("allnames=joe*", true, false),
    ] {
        let search = search.replace(' ', "%20").replace('=', "%3D");
        let found = admin.get(&format!("/api/domains/{domain}/users?search={search}")).await.body;
        assert_eq!((found.contains("joe@"), found.contains("ann@")), (joe, ann), "{search}: {found}");
    }

    assert_eq!(log_in(&engine, "joe@example.org", "j0es").await, StatusCode::UNAUTHORIZED, "nobody granted anything");
    let group = admin.post("/api/groups", "<group><name>example.org/groups/staff</name></group>").await;
    assert_eq!(group.status, StatusCode::CREATED, "{group:?}");
    let roles = format!("{}/roles", group.header("location"));
    assert_eq!(admin.post(&roles, "<role><name>UserRole</name></role>").await.status, StatusCode::CREATED);
    for user in ["joe@example.org", "example.org\\joe", "JOE@Example.org"] {
        assert_eq!(log_in(&engine, user, "j0es").await, StatusCode::OK, "{user}");
    }
    let users = admin.get("/api/users?search=usrname%3Djoe*").await.body;
    for part in ["<name>Joe</name>", "<last_name>Doe</last_name>", "<email>joe@example.org</email>", "example.org/groups/staff"] {
        assert!(users.contains(part), "{part} is not in {users}");
    }
    for (user, password) in [
        ("joe@example.org", "4nns"),
        ("joe@example.org", ""),
        ("*@example.org", "j0es"),
        ("joe)(uid=*@example.org", "j0es"),
        ("ann@example.org", "4nns"),
        ("nobody@example.org", "x"),
    ] {
        assert_eq!(log_in(&engine, user, password).await, StatusCode::UNAUTHORIZED, "{user} {password}");
    }

    let ann = admin.post(
        "/api/users",
        "<user><user_name>ann@example.org</user_name><roles><role><name>UserRole</name></role></roles></user>",
    );
    let ann = ann.await;
    assert_eq!(ann.status, StatusCode::CREATED, "{ann:?}");
    assert_eq!(log_in(&engine, "ann@example.org", "4nns").await, StatusCode::OK);
    let nobody = admin.post("/api/users", "<user><user_name>nobody@example.org</user_name></user>").await;
    assert_eq!(nobody.status, StatusCode::BAD_REQUEST);
    assert!(nobody.body.contains("No such user: nobody in domain example.org"), "{nobody:?}");

    // What the directory says counts at the next login.
    slapd.modify(STAFF, Mod::Delete("member", ["uid=joe,ou=people,dc=example,dc=org"].into())).await;
    engine.restart().await;
    assert_eq!(log_in(&engine, "joe@example.org", "j0es").await, StatusCode::UNAUTHORIZED, "joe is no staff any more");
    let events = String::from_utf8(engine.evirt(&["events", "export"]).stdout).unwrap();
    for secret in ["j0es", "4nns", "r34ds"] {
        assert!(!events.contains(secret), "{secret}");
    }

    drop(slapd);
    let down = engine.caller("joe@example.org", "j0es").get("/api").await;
    assert_eq!(down.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(down.body.contains("The directory example.org cannot be asked just now"), "{down:?}");
    assert_eq!(engine.admin().get("/api").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_group_within_a_group_counts_until_the_user_is_gone() {
    let slapd = Slapd::start().await;
    let mut engine = Engine::start_with(slapd.options(|_| ())).await;
    let admin = engine.admin();
    let group = admin.post("/api/groups", "<group><name>example.org/groups/company</name></group>").await;
    assert_eq!(group.status, StatusCode::CREATED, "{group:?}");
    let roles = format!("{}/roles", group.header("location"));
    assert_eq!(admin.post(&roles, "<role><name>UserRole</name></role>").await.status, StatusCode::CREATED);
    assert_eq!(
        log_in(&engine, "joe@example.org", "j0es").await,
        StatusCode::OK,
        "staff is within everybody, and that within company"
    );
    assert_eq!(log_in(&engine, "ann@example.org", "4nns").await, StatusCode::UNAUTHORIZED, "she is in no group");
    let joe = admin.get("/api/users?search=login%3Djoe").await;
    assert!(joe.body.contains("<name>example.org/groups/company</name>"), "{joe:?}");
    slapd.remove("uid=joe,ou=people,dc=example,dc=org").await;
    engine.restart().await;
    assert_eq!(log_in(&engine, "joe@example.org", "j0es").await, StatusCode::UNAUTHORIZED, "the directory knows him no more");
    let admin = engine.admin();
    let there = async |path: String| admin.get(&path).await.status;
    let (domain, id) = (joe.body.split("/api/domains/").nth(1).unwrap().split('"').next().unwrap(), joe.id());
    assert_eq!(there(format!("/api/domains/{domain}/users/{id}")).await, StatusCode::NOT_FOUND);
    assert_eq!(there(format!("/api/users/{id}")).await, StatusCode::OK, "what he was is remembered until he is removed");
}

const JOE: &str = "uid=joe,ou=people,dc=example,dc=org";
const IMPORT_JOE: &str = "<user><user_name>joe@example.org</user_name><roles><role><name>UserRole</name></role></roles></user>";

/// What a search for users finds of joe: in neither state, active, or inactive.
async fn states(engine: &Engine) -> (bool, bool) {
    let found = async |status: &str| {
        let path = format!("/api/users?search=usrname%3Djoe*%20and%20status%3D{status}");
        engine.admin().get(&path).await.body.contains("joe@example.org")
    };
    (found("active").await, found("inactive").await)
}

/// How often it was told that joe is gone, and that he is back.
async fn told(engine: &Engine) -> (usize, usize) {
    let count = async |code: u32| {
        let told = engine.admin().get(&format!("/api/events?search=type%3D{code}")).await.body;
        told.matches("User joe@example.org is ").count()
    };
    (count(20_004).await, count(20_005).await)
}

#[tokio::test]
async fn who_is_gone_from_the_directory_is_found_out_at_the_login() {
    let slapd = Slapd::start().await;
    // He is to be somebody's again later, so what he is known by has to be the entry's name.
    let mut engine = Engine::start_with(slapd.options(|options| options.id_attribute = "description".into())).await;
    assert_eq!(engine.admin().post("/api/users", IMPORT_JOE).await.status, StatusCode::CREATED);
    let kept = engine.caller("joe@example.org", "j0es").with("prefer", "persistent-auth").with("filter", "true");
    let session = kept.get("/api/vms").await;
    assert_eq!(session.status, StatusCode::OK);
    for password in ["wr0ng", "j0es"] {
        log_in(&engine, "joe@example.org", password).await;
    }
    assert_eq!((states(&engine).await, told(&engine).await), ((true, false), (0, 0)), "a wrong password is no removal");

    slapd.remove(JOE).await;
    assert_eq!(log_in(&engine, "joe@example.org", "wr0ng").await, StatusCode::UNAUTHORIZED);
    assert_eq!((states(&engine).await, told(&engine).await), ((false, true), (1, 0)));
    // Neither his session nor credentials that were right a moment ago let him in.
    assert_eq!(log_in(&engine, "joe@example.org", "j0es").await, StatusCode::UNAUTHORIZED);
    let by_session = engine.anonymous().with("cookie", &session.cookie()).with("prefer", "persistent-auth");
    assert_eq!(by_session.with("filter", "true").get("/api/vms").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(told(&engine).await, (1, 0), "it is told once");

    engine.restart().await;
    assert_eq!(states(&engine).await, (false, true));
    let entry: Vec<(&str, HashSet<&str>)> = vec![
        ("objectClass", ["inetOrgPerson"].into()),
        ("cn", ["Joe Doe"].into()),
        ("sn", ["Doe"].into()),
        ("userPassword", ["j0es"].into()),
    ];
    slapd.administrator().await.add(JOE, entry).await.unwrap().success().unwrap();
    assert_eq!(log_in(&engine, "joe@example.org", "j0es").await, StatusCode::OK);
    assert_eq!((states(&engine).await, told(&engine).await), ((true, false), (1, 1)));
    drop(slapd);
    assert_eq!(log_in(&engine, "joe@example.org", "wr0ng").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((states(&engine).await, told(&engine).await), ((true, false), (1, 1)), "a directory that is silent says nothing");
}

#[tokio::test]
async fn who_was_made_anew_in_the_directory_is_somebody_else() {
    let slapd = Slapd::start().await;
    let mut engine = Engine::start_with(slapd.options(|_| ())).await;
    assert_eq!(engine.admin().post("/api/users", IMPORT_JOE).await.status, StatusCode::CREATED);
    slapd.remove(JOE).await;
    let entry: Vec<(&str, HashSet<&str>)> = vec![
        ("objectClass", ["inetOrgPerson"].into()),
        ("cn", ["Joe Other"].into()),
        ("sn", ["Other"].into()),
        ("userPassword", ["0thers"].into()),
    ];
    slapd.administrator().await.add(JOE, entry).await.unwrap().success().unwrap();
    assert_eq!(log_in(&engine, "joe@example.org", "0thers").await, StatusCode::UNAUTHORIZED, "he inherits nothing");
    assert_eq!((states(&engine).await, told(&engine).await), ((false, true), (1, 0)));
    engine.restart().await;
    assert_eq!(states(&engine).await, (false, true));
}

#[tokio::test]
async fn who_is_gone_from_the_directory_is_found_out_in_time() {
    let slapd = Slapd::start().await;
    let often = |options: &mut LdapOptions| options.refresh_seconds = 1;
    let engine = Engine::start_with(slapd.options(often)).await;
    assert_eq!(engine.admin().post("/api/users", IMPORT_JOE).await.status, StatusCode::CREATED);
    let of = |is_so: fn(&evirt_domain::access::User) -> bool| {
        let engine = &engine;
        async move {
            let so = engine
                .server()
                .app
                .engine
                .until(|world| world.users.values().any(|user| user.name == "joe" && is_so(user)).then_some(()));
            tokio::time::timeout(PATIENCE, so).await.expect("joe never comes to it");
        }
    };
    // What else it tells is taken over, too.
    slapd.modify(JOE, Mod::Replace("title", ["Doctor"].into())).await;
    of(|joe| joe.title == "Doctor" && !joe.inactive).await;
    slapd.remove(JOE).await;
    of(|joe| joe.inactive).await;
    assert_eq!(told(&engine).await, (1, 0));
}

#[tokio::test]
async fn a_directory_that_refuses_the_engine_itself_is_no_wrong_password() {
    let slapd = Slapd::start().await;
    let password = slapd.directory.path().join("password");
    fs::write(&password, "out-of-date\n").unwrap();
    let engine = Engine::start_with(slapd.options(|_| ())).await;
    for password in ["j0es", "wr0ng"] {
        let refused = engine.caller("joe@example.org", password).get("/api").await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
        assert!(!refused.body.contains("out-of-date") && !refused.body.contains("cn=reader"), "{refused:?}");
    }
    assert_eq!(engine.admin().get("/api/domains").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_server_proves_itself_by_the_authority_of_the_settings() {
    let slapd = Slapd::start().await;
    let certificate = slapd.directory.path().join("cert.pem");
    let engine =
        Engine::start_with(slapd.options(|options| (options.start_tls, options.ca_file) = (true, Some(certificate)))).await;
    let import = "<user><user_name>joe@example.org</user_name><roles><role><name>UserRole</name></role></roles></user>";
    assert_eq!(engine.admin().post("/api/users", import).await.status, StatusCode::CREATED);
    assert_eq!(log_in(&engine, "joe@example.org", "j0es").await, StatusCode::OK);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let wrong = slapd.directory.path().join("other.pem");
    fs::write(&wrong, other).unwrap();
    let engine = Engine::start_with(slapd.options(|options| (options.start_tls, options.ca_file) = (true, Some(wrong)))).await;
    assert_eq!(engine.admin().post("/api/users", import).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_directory_stands_in_the_file_of_settings_and_no_password_reaches_the_log() {
    let slapd = Slapd::start().await;
    let path = |name: &str| slapd.directory.path().join(name);
    let settings = format!(
        "login-failures = 3\n\n[[directory]]\ndomain = \"example.org\"\nurl = \"ldap://localhost:{}\"\n\
         bind-dn = \"cn=reader,{BASE}\"\nbind-password-file = \"password\"\nbase = \"{BASE}\"\n",
        slapd.port
    );
    fs::write(path("evirt.toml"), settings).unwrap();
    let (said, logged) = (path("stdout"), path("stderr"));
    let server = Command::new(env!("CARGO_BIN_EXE_evirt"))
        .args(["serve", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--log", "trace", "--data"])
        .args([path("data"), "--config".into(), path("evirt.toml")])
        .env("EVIRT_ADMIN_PASSWORD", "adm1n-s3cret")
        .stdout(fs::File::create(&said).unwrap())
        .stderr(fs::File::create(&logged).unwrap())
        .spawn()
        .unwrap();
    let mut server = Process(server);
    let begun = Instant::now();
    let http = loop {
        let text = fs::read_to_string(&said).unwrap();
        if text.contains("CA certificate:") {
            break text.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "{}", fs::read_to_string(&logged).unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let ask = async |user: &str, password: &str| {
        let request = client.get(format!("http://{http}/api/vms")).basic_auth(user, Some(password));
        request.header("prefer", "persistent-auth").send().await.unwrap().status()
    };
    assert_eq!(ask("admin@internal", "adm1n-s3cret").await, StatusCode::OK);
    let import = "<user><user_name>joe@example.org</user_name><roles><role><name>UserRole</name></role></roles></user>";
    let import = client.post(format!("http://{http}/api/users")).header("content-type", "application/xml").body(import);
    assert_eq!(import.basic_auth("admin@internal", Some("adm1n-s3cret")).send().await.unwrap().status(), StatusCode::CREATED);
    let eve = "<user><user_name>eve@internal</user_name><password>ev3s-own</password></user>";
    let eve = client.post(format!("http://{http}/api/users")).header("content-type", "application/xml").body(eve);
    assert_eq!(eve.basic_auth("admin@internal", Some("adm1n-s3cret")).send().await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(ask("joe@example.org", "j0es").await, StatusCode::BAD_REQUEST, "let in, but no administrator");
    for (user, password) in [("joe@example.org", "wr0ng-one"), ("admin@internal", "wr0ng-one"), ("joe", "wr0ng-one")] {
        assert_eq!(ask(user, password).await, StatusCode::UNAUTHORIZED);
    }
    terminate(&server.0);
    assert!(server.0.wait().unwrap().success());
    let log = fs::read_to_string(&logged).unwrap();
    assert!(log.contains("a login was refused"), "{log}");
    for secret in ["j0es", "wr0ng-one", "adm1n-s3cret", "r34ds", "ev3s-own"] {
        for text in [secret.to_owned(), base64(secret)] {
            assert!(!log.contains(&text), "{secret} is in the log");
        }
    }
}

/// How a password may stand in a header.
fn base64(text: &str) -> String {
    use ::base64::Engine as _;
    ::base64::prelude::BASE64_STANDARD_NO_PAD.encode(text)
}
