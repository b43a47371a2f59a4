//! A whole server: the engine on its log, its driver, and the two listeners. The binary, the tests and the benchmarks start it by this.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use evirt_domain::access::INTERNAL;
use evirt_domain::context::QuietTimes;
use evirt_domain::install::Install;
use evirt_domain::service::TellOfService;
use evirt_domain::world::World;
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::app::{App, Sessions, secrets};
use crate::config::Settings;
use crate::control;
use crate::directory::ldap::LdapDirectory;
use crate::directory::{Directory, domain_id, passwords};
use crate::engine::{self, Engine, Options, Request, Stores};
use crate::face::http::{self, BodyRoom, Face, Front, Listener, Pki, Places};
use crate::face::ovirt;
use crate::hypervisor::Counted;
use crate::hypervisor::estate::Estate;
use crate::hypervisor::simulator::Simulator;
use crate::log::lock::EngineLock;
use crate::log::{Sealer, seal};
use crate::reactors::Reactors;
use crate::{telemetry, tls};

/// The file below the data directory in which the simulator remembers what runs on its hosts.
const SIMULATOR_FILE: &str = "simulator.json";

/// A running server.
pub struct Server {
    /// Where it listens for plain http.
    pub http: SocketAddr,
    /// Where it listens for https.
    pub https: SocketAddr,
    /// The certificate that its clients verify it by.
    pub ca_path: PathBuf,
    /// The password of admin@internal, where this start made one up.
    pub generated_password: Option<String>,
    /// The faces' way to the engine.
    pub app: App,
    /// The hosts and storage behind it; tests let things happen there.
    pub simulator: Arc<Simulator>,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    tasks: JoinSet<()>,
    reactors: Reactors,
    stores: Stores,
    _lock: EngineLock,
}

/// The shortest token for the figures, in bytes.
const MIN_METRICS_TOKEN: usize = 16;

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("http", &self.http).field("https", &self.https).finish_non_exhaustive()
    }
}

/// The token by which others may read the figures.
fn metrics_token(settings: &Settings) -> Result<Option<String>> {
    let Some(path) = &settings.metrics_token_file else { return Ok(None) };
    let token = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let token = token.trim().to_owned();
    anyhow::ensure!(token.len() >= MIN_METRICS_TOKEN, "{} holds no token of {MIN_METRICS_TOKEN} bytes or more", path.display());
    Ok(Some(token))
}

impl Server {
    /// Starts a server, and installs it where the data directory is fresh.
    pub async fn start(settings: Settings) -> Result<Self> {
        let connections = http::connection_limit()?;
        // The log holds password hashes, and keys lie beside it: a directory that is made here is nobody else's to read.
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&settings.data);
        made.and_then(|()| keep_private(&settings.data)).with_context(|| format!("making {}", settings.data.display()))?;
        let (http, https) = (bind(settings.http), bind(settings.https));
        // An engine that runs there is the likeliest reason for a port in use, and says more: so the lock is asked first.
        let address =
            |bound: &Result<TcpListener>, wanted| bound.as_ref().ok().and_then(|l| l.local_addr().ok()).unwrap_or(wanted);
        let listen = format!("http://{} and https://{}", address(&http, settings.http), address(&https, settings.https));
        let lock = EngineLock::acquire(&settings.data, &chrono::Utc::now().to_rfc3339(), &listen)?;
        let (http, https) = (http?, https?);
        let tls = match &settings.tls {
            Some((certificate, key)) => tls::given(certificate, key)?,
            None => tls::own(&settings.data, &[settings.http.ip(), settings.https.ip()])?,
        };

        let directories = directories(&settings)?;
        let estate = match &settings.estate {
            Some(path) => Estate::load(path)?,
            None => Estate::builtin(),
        };
        let simulator = Arc::new(Simulator::new(estate, Some(settings.data.join(SIMULATOR_FILE)))?);
        let stores = match settings.new {
            true => Stores::begin_anew(&settings.data).await?,
            false => Stores::open(&settings.data).await?,
        };
        let mut options = Options { snapshots: Some(settings.data.clone()), ..Options::default() };
        let (startup, between) = settings.fence_rests_seconds;
        let micros = |seconds: u32| i64::from(seconds) * 1_000_000;
        options.quiet = QuietTimes { until: options.clock.now() + micros(startup), between: micros(between) };
        let engine = Engine::start(stores.clone(), Arc::new(Counted(simulator.clone())), options).await?;
        let generated_password = match engine.world().position {
            0 => install(&engine, &settings).await?,
            _ => None,
        };

        tell(&engine, TellOfService::Start).await;
        let sealer = Arc::new(sealer(&engine.world(), &settings)?);
        let reactors = Reactors::start(engine.clone(), sealer.clone(), settings.timeouts);
        let app = App::new(engine, sealer, Directory::new(settings.limits, directories));
        let mut tasks = JoinSet::new();
        tasks.spawn(telemetry::upkeep());
        tasks.spawn(engine::watch_files(app.engine.clone(), settings.data.clone()));
        match control::listen(&settings.data) {
            Ok(listener) => drop(tasks.spawn(control::serve(listener, app.engine.clone()))),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "commands beside the engine need it to be stopped"),
        }
        tasks.spawn(engine::verify_again_and_again(app.engine.clone()));
        tasks.spawn(Sessions::prune(app.clone()));
        tasks.spawn(app.directory.follow(app.engine.clone()));
        tasks.spawn(app.directory.sum_up(app.engine.clone()));
        let keys = tls.ssh_keys;
        let pki = Pki { ca_pem: tls.ca_pem, server_pem: tls.server_pem, ca_ssh: keys.ca, server_ssh: keys.server };
        let own = http::routes(app.clone(), pki, metrics_token(&settings)?);
        let faces: Arc<[Arc<dyn Face>]> = Arc::new([Arc::new(ovirt::Api::new(app.clone(), settings.ovirt))]);
        let (http_address, https_address) = (http.local_addr()?, https.local_addr()?);
        let (stop, stopped) = watch::channel(false);
        let room = BodyRoom::default();
        let listen = |tcp, tls: Option<Arc<ServerConfig>>| -> Result<_> {
            let secure = tls.is_some();
            let listener = Listener {
                tcp: tokio::net::TcpListener::from_std(tcp)?,
                tls,
                front: Front::new(faces.clone(), own.clone(), secure, room.clone()),
                places: Places::new(connections, settings.reserved_connections),
                write_timeout: settings.write_timeout,
            };
            Ok(tokio::spawn(listener.serve(stopped.clone())))
        };
        let listeners = vec![listen(http, None)?, listen(https, Some(tls.server))?];
        Ok(Self {
            http: http_address,
            https: https_address,
            ca_path: tls.ca_path,
            generated_password,
            app,
            simulator,
            stop,
            listeners,
            tasks,
            reactors,
            stores,
            _lock: lock,
        })
    }

    /// Takes no more connections, lets requests finish within a time, and gives the data directory back.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for listener in self.listeners.drain(..) {
            if let Err(error) = listener.await {
                tracing::error!(%error, "a listener has broken off");
            }
        }
        self.tasks.shutdown().await;
        drop(self.reactors);
        tell(&self.app.engine, TellOfService::Stop).await;
        self.app.engine.shutdown().await;
        self.stores.close().await;
    }
}

/// Takes from others what they may do with a data directory and what is in it, as after a copy that left the modes behind.
fn keep_private(data: &Path) -> io::Result<()> {
    let tighten = |path: &Path, mode: u32| {
        let found = fs::symlink_metadata(path)?;
        if !found.is_symlink()
            && found.permissions().mode() & 0o077 != 0
            && let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(mode))
        {
            tracing::warn!(%error, path = %path.display(), "others may read what is kept, and it cannot be kept from them");
        }
        io::Result::Ok(())
    };
    tighten(data, 0o700)?;
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        // A key that others could read is to be noticed, and not to be made as if they had not.
        if path.file_name().is_none_or(|name| name != seal::FILE_NAME) {
            tighten(&path, if path.is_dir() { 0o700 } else { 0o600 })?;
        }
    }
    Ok(())
}

/// What opens secrets. A lost key is not silently replaced while there is something that only it opens.
fn sealer(world: &World, settings: &Settings) -> Result<Sealer> {
    let secrets = secrets::sealed(world);
    let list = |secrets: &[secrets::Secret]| secrets.iter().map(|secret| secret.what.as_str()).collect::<Vec<_>>().join("; ");
    if !seal::exists(&settings.data) && !secrets.is_empty() && !settings.new_key {
        bail!(
            "{} is missing, and without it nobody can open: {}. Restore it from a backup, or start with --new-key and give these again",
            settings.data.join(seal::FILE_NAME).display(),
            list(&secrets)
        );
    }
    let sealer = Sealer::open(&settings.data)?;
    let closed: Vec<_> = secrets.into_iter().filter(|secret| sealer.unseal(secret.text).is_err()).collect();
    if !closed.is_empty() {
        tracing::error!(secrets = list(&closed), "these secrets were sealed with another key and have to be given again");
    }
    Ok(sealer)
}

/// Records the engine's start or stop; a log that takes nothing more can still be read.
async fn tell(engine: &Engine, of: TellOfService) {
    if let Err(error) = engine.submit(&Request::system("service"), of.clone()).await {
        tracing::warn!(?error, ?of, "this could not be recorded");
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The directories of the settings, checked.
fn directories(settings: &Settings) -> Result<Vec<LdapDirectory>> {
    let made = settings.directories.iter().cloned().map(LdapDirectory::new).collect::<Result<Vec<_>>>()?;
    for (n, directory) in made.iter().enumerate() {
        // The API's identifiers are made of the first 16 letters.
        if made[..n].iter().any(|other| other.id == directory.id) || directory.id == domain_id(INTERNAL) {
            bail!("two directories have domains that begin like {:?}", directory.domain);
        }
    }
    Ok(made)
}

/// Writes the first events. The password of admin@internal is the one that was given, or one that is made up and returned.
async fn install(engine: &Engine, settings: &Settings) -> Result<Option<String>> {
    let given = match (&settings.admin_password, &settings.admin_password_file) {
        (Some(password), _) => Some(password.clone()),
        (None, Some(path)) => Some(passwords::read(path)?),
        (None, None) => None,
    };
    let password = given.clone().unwrap_or_else(passwords::generate);
    if password.is_empty() {
        bail!("the password of admin@internal is empty");
    }
    let install = Install { admin_password: passwords::hash(&password).await };
    engine.submit(&Request::system("installation"), install).await.context("installing")?;
    Ok(given.is_none().then_some(password))
}
