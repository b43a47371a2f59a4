//! The server's settings: from the command line, else from a TOML file of the same names, else the defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::directory::{DEFAULT_LOGIN_FAILURES, DEFAULT_LOGIN_LOCK_SECONDS, LdapOptions, Limits};
use crate::face::http::{DEFAULT_RESERVED_CONNECTIONS, WRITE_TIMEOUT};
use crate::face::ovirt::OvirtOptions;
use crate::reactors::Timeouts;

/// Where plain http listens unless told otherwise.
pub const DEFAULT_HTTP: &str = "127.0.0.1:8080";

/// Where https listens unless told otherwise.
pub const DEFAULT_HTTPS: &str = "127.0.0.1:8443";

/// Where the data is unless told otherwise.
pub const DEFAULT_DATA: &str = "data";

/// For how many seconds after the engine's start power management rests unless told otherwise. Upstream's 300 are for real hosts, which
/// may be booting when it starts; those of a simulated estate are up, and scripts would wait for nothing.
pub const DEFAULT_FENCE_STARTUP_SECONDS: u32 = 0;

/// For how many seconds power management rests after the same action unless told otherwise; upstream's are 180.
pub const DEFAULT_FENCE_QUIET_SECONDS: u32 = 0;

/// What can be set, each where it is.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Options {
    /// Directory of the event log, the TLS keys and the snapshots [default: data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where plain http listens [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http: Option<SocketAddr>,
    /// Where https listens [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub https: Option<SocketAddr>,
    /// Allow plain http on an address that is not this machine's own: passwords go over the wire in clear
    #[arg(long)]
    pub http_anywhere: bool,
    /// Simulated estate, instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub estate: Option<PathBuf>,
    /// File that holds the password that admin@internal gets at the first start
    #[arg(long, value_name = "FILE")]
    pub admin_password_file: Option<PathBuf>,
    /// Certificate chain in PEM, instead of the one that is made at the first start
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of that certificate in PEM
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// What is logged, as in RUST_LOG [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// Wrong passwords in a row that lock a user for a while; 0: never [default: 10]
    #[arg(long, value_name = "NUMBER")]
    pub login_failures: Option<u32>,
    /// For how many seconds a user is locked then [default: 60]
    #[arg(long, value_name = "SECONDS")]
    pub login_lock_seconds: Option<u32>,
    /// For how many seconds after the engine's start hosts are not switched off or on; upstream: 300 [default: 0]
    #[arg(long, value_name = "SECONDS")]
    pub fence_startup_seconds: Option<u32>,
    /// For how many seconds a host that was switched is not switched again in the same way; upstream: 180 [default: 0]
    #[arg(long, value_name = "SECONDS")]
    pub fence_quiet_seconds: Option<u32>,
    /// Connections, of http and of https, that are kept from an address that has all the others; 0: none [default: 128]
    #[arg(long, value_name = "NUMBER")]
    pub reserved_connections: Option<usize>,
    /// File that holds the token by which others than this machine may read /metrics
    #[arg(long, value_name = "FILE")]
    pub metrics_token_file: Option<PathBuf>,
    /// Directories of users and groups beside the internal one; in the file of settings only
    #[arg(skip)]
    pub directory: Vec<LdapOptions>,
    /// How the oVirt API answers where its clients differ; in the file of settings only
    #[arg(skip)]
    pub ovirt: OvirtOptions,
}

/// The settings that a server runs with.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Directory of everything that is kept.
    pub data: PathBuf,
    /// Whether to begin anew where the event log was lost.
    pub new: bool,
    /// Whether to begin with a new key where the one was lost that secrets are sealed with.
    pub new_key: bool,
    /// Where plain http listens.
    pub http: SocketAddr,
    /// Where https listens.
    pub https: SocketAddr,
    /// The simulated estate; none: the built-in one.
    pub estate: Option<PathBuf>,
    /// The password that admin@internal gets at the first start.
    pub admin_password: Option<String>,
    /// Holds that password, where it is not given.
    pub admin_password_file: Option<PathBuf>,
    /// Certificate chain and key, where given.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// What is logged.
    pub log: Option<String>,
    /// How long is waited for things.
    pub timeouts: Timeouts,
    /// When users are locked for wrong passwords.
    pub limits: Limits,
    /// For how many seconds power management rests: after the engine's start, and after the same was done to a host.
    pub fence_rests_seconds: (u32, u32),
    /// How many connections of a listener are kept from an address that has all the others.
    pub reserved_connections: usize,
    /// For how long a client may take nothing of what it is sent.
    pub write_timeout: Duration,
    /// Holds the token by which others than this machine may read the figures; none: nobody else may.
    pub metrics_token_file: Option<PathBuf>,
    /// Directories of users beside the internal one.
    pub directories: Vec<LdapOptions>,
    /// How the oVirt API answers.
    pub ovirt: OvirtOptions,
}

impl Options {
    /// Reads a file of settings. Paths in it are relative to the directory it is in.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut options: Self = toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
        let base = path.parent().unwrap_or(Path::new(""));
        for file in [
            &mut options.data,
            &mut options.estate,
            &mut options.admin_password_file,
            &mut options.tls_cert,
            &mut options.tls_key,
            &mut options.metrics_token_file,
        ] {
            *file = file.take().map(|path| base.join(path));
        }
        for directory in &mut options.directory {
            for file in [&mut directory.ca_file, &mut directory.bind_password_file] {
                *file = file.take().map(|path| base.join(path));
            }
        }
        Ok(options)
    }

    /// These settings, and where one is missing, the other's.
    pub fn or(self, other: Self) -> Self {
        // A certificate and its key belong together: those of two places are never mixed.
        let (tls_cert, tls_key) = if self.tls_cert.is_some() || self.tls_key.is_some() {
            (self.tls_cert, self.tls_key)
        } else {
            (other.tls_cert, other.tls_key)
        };
        Self {
            data: self.data.or(other.data),
            http: self.http.or(other.http),
            https: self.https.or(other.https),
            http_anywhere: self.http_anywhere || other.http_anywhere,
            estate: self.estate.or(other.estate),
            admin_password_file: self.admin_password_file.or(other.admin_password_file),
            tls_cert,
            tls_key,
            log: self.log.or(other.log),
            login_failures: self.login_failures.or(other.login_failures),
            login_lock_seconds: self.login_lock_seconds.or(other.login_lock_seconds),
            fence_startup_seconds: self.fence_startup_seconds.or(other.fence_startup_seconds),
            fence_quiet_seconds: self.fence_quiet_seconds.or(other.fence_quiet_seconds),
            reserved_connections: self.reserved_connections.or(other.reserved_connections),
            ovirt: if self.ovirt == OvirtOptions::default() { other.ovirt } else { self.ovirt },
            metrics_token_file: self.metrics_token_file.or(other.metrics_token_file),
            directory: if self.directory.is_empty() { other.directory } else { self.directory },
        }
    }

    /// With the defaults, and checked.
    pub fn settle(self) -> Result<Settings> {
        let default = |address: &str| address.parse().expect("the default address is one");
        let http = self.http.unwrap_or_else(|| default(DEFAULT_HTTP));
        if !http.ip().is_loopback() && !self.http_anywhere {
            bail!("plain http on {http} would send passwords in clear: use https, or say --http-anywhere");
        }
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => bail!("--tls-cert and --tls-key belong together"),
        };
        Ok(Settings {
            data: self.data.unwrap_or_else(|| DEFAULT_DATA.into()),
            new: false,
            new_key: false,
            http,
            https: self.https.unwrap_or_else(|| default(DEFAULT_HTTPS)),
            estate: self.estate,
            admin_password: None,
            admin_password_file: self.admin_password_file,
            tls,
            log: self.log,
            timeouts: Timeouts::default(),
            limits: Limits {
                failures: self.login_failures.unwrap_or(DEFAULT_LOGIN_FAILURES),
                lock_seconds: self.login_lock_seconds.unwrap_or(DEFAULT_LOGIN_LOCK_SECONDS),
            },
            fence_rests_seconds: (
                self.fence_startup_seconds.unwrap_or(DEFAULT_FENCE_STARTUP_SECONDS),
                self.fence_quiet_seconds.unwrap_or(DEFAULT_FENCE_QUIET_SECONDS),
            ),
            reserved_connections: self.reserved_connections.unwrap_or(DEFAULT_RESERVED_CONNECTIONS),
            write_timeout: WRITE_TIMEOUT,
            metrics_token_file: self.metrics_token_file,
            directories: self.directory,
            ovirt: self.ovirt,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Options> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("evirt.toml");
        std::fs::write(&path, text)?;
        let mut options = Options::read(&path)?;
        options.data = options.data.map(|data| data.strip_prefix(directory.path()).unwrap().to_owned());
        Ok(options)
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_the_file_over_the_defaults() {
        let options = file("data = \"d\"\nhttp = \"127.0.0.1:1\"\nhttps = \"0.0.0.0:2\"").unwrap();
        let said = Options { http: Some("127.0.0.1:3".parse().unwrap()), ..Options::default() };
        let settings = said.or(options).settle().unwrap();
        assert_eq!((settings.data, settings.http.port(), settings.https.port()), ("d".into(), 3, 2));
        let settings = Options::default().settle().unwrap();
        assert_eq!((settings.data, settings.http.port(), settings.https.port()), ("data".into(), 8080, 8443));
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let error = format!("{:#}", file("https-prot = 1").unwrap_err());
        assert!(error.contains("https-prot"), "{error}");
    }

    #[test]
    fn answers_to_deletions_are_a_setting_of_the_ovirt_api() {
        use crate::face::ovirt::DeleteAnswers;
        let told = |text| file(text).map(|options| Options::default().or(options).settle().unwrap().ovirt.delete_answers);
        assert_eq!(told("").unwrap(), DeleteAnswers::NoContent);
        assert_eq!(told("[ovirt]").unwrap(), DeleteAnswers::NoContent);
        assert_eq!(told("[ovirt]\ndelete-answers = \"action\"").unwrap(), DeleteAnswers::Action);
        assert_eq!(told("[ovirt]\ndelete-answers = \"no-content\"").unwrap(), DeleteAnswers::NoContent);
        for wrong in ["[ovirt]\ndelete-answers = \"204\"", "[ovirt]\ndelete = \"action\""] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn http_for_all_has_to_be_asked_for() {
        let open = Options { http: Some("0.0.0.0:80".parse().unwrap()), ..Options::default() };
        assert!(open.clone().settle().is_err());
        assert!(Options { http_anywhere: true, ..open }.settle().is_ok());
    }

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        assert!(Options { tls_cert: Some("c".into()), ..Options::default() }.settle().is_err());
    }
}
