//! A server for one test, and clients of it whose methods read as what somebody does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use evirt::config::{Options, Settings};
use evirt::hypervisor::estate::Estate;
use evirt::reactors::Timeouts;
use evirt::server::Server;
use evirt_domain::fence::Patience;
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Certificate, Client, Method, StatusCode};
use tempfile::TempDir;

/// The password of admin@internal on every test's server.
pub const PASSWORD: &str = "secret";

/// What requests that are to be refused are called in the log, to tell what they left from what goes on beside them.
pub const REFUSED: &str = "refused";

/// A server with a data directory of its own; both go with it.
pub struct Engine {
    server: Option<Server>,
    data: TempDir,
    options: Options,
}

/// Who asks, by credentials on every request.
pub struct Caller {
    client: Client,
    base: String,
    credentials: Option<(String, String)>,
    headers: HeaderMap,
}

/// What a server answers.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Engine {
    /// Starts a server on free ports.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts a server on free ports, otherwise as the options say.
    pub async fn start_with(options: Options) -> Self {
        let data = tempfile::tempdir().unwrap();
        let server = Some(serve(&data.path().join("data"), &options).await);
        Self { server, data, options }
    }

    /// Starts a server on a data directory that something was put into.
    pub async fn on(put: impl FnOnce(&Path)) -> Self {
        let (data, options) = (tempfile::tempdir().unwrap(), Options::default());
        put(&data.path().join("data"));
        let server = Some(serve(&data.path().join("data"), &options).await);
        Self { server, data, options }
    }

    /// Stops the server; its data stay.
    pub async fn stop(&mut self) {
        self.server.take().unwrap().stop().await;
    }

    /// Starts a server that was stopped.
    pub async fn begin(&mut self) {
        self.server = Some(serve(&self.data(), &self.options).await);
    }

    /// Stops the server, does something with its data directory, and starts one on the same data.
    pub async fn while_stopped(&mut self, act: impl FnOnce(&Path)) {
        self.stop().await;
        act(&self.data());
        self.server = Some(serve(&self.data(), &self.options).await);
    }

    /// Stops the server and starts one on the same data.
    pub async fn restart(&mut self) {
        self.while_stopped(|_| ()).await;
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// admin@internal, over plain http.
    pub fn admin(&self) -> Caller {
        self.caller("admin@internal", PASSWORD)
    }

    /// admin@internal with requests that are to be refused: see [`Self::left_by_refused`].
    pub fn refused(&self) -> Caller {
        self.admin().with("correlation-id", REFUSED)
    }

    /// The kinds of the events that requests of [`Self::refused`] have led to until now.
    pub async fn left_by_refused(&self) -> Vec<String> {
        let log = self.server().app.engine.log();
        let all = usize::try_from(log.head().await.unwrap().position).unwrap();
        let told = log.read(0, all).await.unwrap();
        told.into_iter().filter(|record| *record.correlation_id == *REFUSED).map(|record| record.kind.to_string()).collect()
    }

    /// Somebody, over plain http.
    pub fn caller(&self, user: &str, password: &str) -> Caller {
        Caller { credentials: Some((user.to_owned(), password.to_owned())), ..self.anonymous() }
    }

    /// Nobody, over plain http.
    pub fn anonymous(&self) -> Caller {
        Caller {
            client: Client::builder().build().unwrap(),
            base: format!("http://{}", self.server().http),
            credentials: None,
            headers: HeaderMap::new(),
        }
    }

    /// Nobody, over https, trusting the server's authority alone.
    pub fn anonymous_by_https(&self) -> Caller {
        let ca = Certificate::from_pem(&std::fs::read(&self.server().ca_path).unwrap()).unwrap();
        let client = Client::builder().add_root_certificate(ca).build().unwrap();
        Caller { client, base: format!("https://{}", self.server().https), credentials: None, headers: HeaderMap::new() }
    }

    /// Runs `evirt` with arguments on this server's data directory.
    pub fn evirt(&self, arguments: &[&str]) -> Output {
        evirt(&self.data(), arguments)
    }
}

/// A server whose estate lives much faster than in truth, and whose engine waits for nothing long.
pub async fn fast() -> Engine {
    fast_but(|_, _| ()).await
}

/// The same with changes to the estate and to the engine's patience.
pub async fn fast_but(change: impl FnOnce(&mut Estate, &mut Timeouts)) -> Engine {
    fast_with(Options::default(), change).await
}

/// The same, otherwise as the options say.
pub async fn fast_with(options: Options, change: impl FnOnce(&mut Estate, &mut Timeouts)) -> Engine {
    let data = tempfile::tempdir().unwrap();
    let mut estate = Estate { speed: 1_000.0, ..Estate::builtin() };
    let short = Duration::from_millis(20);
    let mut timeouts = Timeouts {
        shutdown_grace: short,
        patience: Patience { base_ms: 20, vm_ms: 0, manager_ms: 0 },
        storage_grace: short,
        spm_again: short,
        fence_again: short,
        error_rest: short,
        tick: short,
        retry: short,
        ..Timeouts::default()
    };
    change(&mut estate, &mut timeouts);
    let file = data.path().join("estate.toml");
    std::fs::write(&file, toml::to_string(&estate).unwrap()).unwrap();
    let mut settings = settings(&data.path().join("data"), &options);
    settings.timeouts = timeouts;
    let server = Some(Server::start(settings).await.unwrap());
    Engine { server, data, options }
}

async fn serve(data: &Path, options: &Options) -> Server {
    Server::start(settings(data, options)).await.unwrap()
}

fn settings(data: &Path, options: &Options) -> Settings {
    // reqwest is built without a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let free = Some("127.0.0.1:0".parse().unwrap());
    let estate = Some(data.with_file_name("estate.toml")).filter(|file| file.exists());
    let options = Options { data: Some(data.to_owned()), http: free, https: free, estate, ..options.clone() };
    let mut settings = options.settle().unwrap();
    settings.admin_password = Some(PASSWORD.to_owned());
    settings
}

/// Runs the binary on a data directory.
pub fn evirt(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evirt"));
    command.args(arguments).arg("--data").arg(data).stdin(Stdio::null()).output().unwrap()
}

impl Caller {
    /// With a header on every request.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        self
    }

    /// GETs a path.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    /// POSTs a document.
    pub async fn post(&self, path: &str, body: impl Into<String>) -> Answer {
        self.ask(Method::POST, path, Some(body.into())).await
    }

    /// Sends a body of some kind.
    pub async fn send(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).headers(self.headers.clone());
        if let Some((user, password)) = &self.credentials {
            request = request.basic_auth(user, Some(password));
        }
        let response = request.header("content-type", kind).body(body).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    /// PUTs a document.
    pub async fn put(&self, path: &str, body: impl Into<String>) -> Answer {
        self.ask(Method::PUT, path, Some(body.into())).await
    }

    /// DELETEs a path.
    pub async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }

    /// Sends a request.
    pub async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).headers(self.headers.clone());
        if let Some((user, password)) = &self.credentials {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(body) = body {
            let kind = if body.starts_with('{') { "application/json" } else { "application/xml" };
            request = request.header("content-type", kind).body(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }
}

impl Answer {
    /// A header's text; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The id of the resource that the body is.
    pub fn id(&self) -> String {
        let (_, rest) = self.body.split_once(" id=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// The body without its lines: elements stand within each other as tests look for them.
    pub fn on_one_line(&self) -> String {
        on_one_line(&self.body)
    }

    /// The session's cookie as a client sends it back.
    pub fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

/// A document without its lines.
pub fn on_one_line(document: &str) -> String {
    document.lines().map(str::trim_start).collect()
}

/// Asks a process to end, as an operator would. The shell does it: a small installation has no `kill` of its own.
pub fn terminate(process: &std::process::Child) {
    assert!(Command::new("sh").args(["-c", &format!("kill -TERM {}", process.id())]).status().unwrap().success());
}
