//! TLS with rustls: the server's certificate as given, or one that is made at the first start by a certificate authority of its own.

mod ssh;

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use chrono::{Datelike, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    SerialNumber, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long the authority's own certificate holds. It is renewed by deleting DATA/tls, and clients have to be told then: so, rarely.
const CA_YEARS: i32 = 10;

/// How long a server certificate holds. At a start in the last of these years a new one is made, by the same authority.
const SERVER_YEARS: i32 = 2;

/// The files below DATA/tls.
#[derive(Clone, Debug)]
pub struct Files {
    /// The authority's certificate: what clients are given.
    pub ca_certificate: PathBuf,
    ca_key: PathBuf,
    server_certificate: PathBuf,
    server_key: PathBuf,
}

impl Files {
    /// The files of a data directory.
    pub fn of(data: &Path) -> Self {
        let at = |name: &str| data.join("tls").join(name);
        Self {
            ca_certificate: at("ca.crt"),
            ca_key: at("ca.key"),
            server_certificate: at("server.crt"),
            server_key: at("server.key"),
        }
    }
}

/// What the https server needs.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The server's side of every handshake.
    pub server: Arc<ServerConfig>,
    /// The certificate that verifies the server's, in PEM: what `/ca.crt` answers.
    pub ca_pem: Vec<u8>,
    /// Where that lies.
    pub ca_path: PathBuf,
    /// The server's own certificate, in PEM.
    pub server_pem: Vec<u8>,
    /// The key of each certificate as OpenSSH writes it, the authority's and the server's: empty where it knows no such keys.
    pub ssh_keys: SshKeys,
}

/// The public keys of certificates, each a line of OpenSSH.
#[derive(Clone, Debug, Default)]
pub struct SshKeys {
    /// The authority's.
    pub ca: String,
    /// The server's.
    pub server: String,
}

impl Tls {
    /// A server's side with the certificates of a file, the server's own first, and that of the authority.
    fn new(server: Arc<ServerConfig>, chain: &Path, ca_pem: Vec<u8>, ca_path: PathBuf) -> Result<Self> {
        let text = fs::read_to_string(chain).with_context(|| format!("reading {}", chain.display()))?;
        let server_pem = pem_blocks(&text).into_iter().next().unwrap_or_default().into_bytes();
        let key = |pem: &[u8]| CertificateDer::from_pem_slice(pem).ok().and_then(|der| ssh::public_key(&der)).unwrap_or_default();
        let ssh_keys = SshKeys { ca: key(&ca_pem), server: key(&server_pem) };
        Ok(Self { server, ca_pem, ca_path, server_pem, ssh_keys })
    }
}

/// A certificate and key that were given. Its chain's last certificate is taken for the authority's.
pub fn given(certificate: &Path, key: &Path) -> Result<Tls> {
    let pem = fs::read(certificate).with_context(|| format!("reading {}", certificate.display()))?;
    let last = pem_blocks(&String::from_utf8_lossy(&pem))
        .pop()
        .with_context(|| format!("{} holds no certificate", certificate.display()))?;
    Tls::new(server_config(certificate, key)?, certificate, last.into_bytes(), certificate.to_owned())
}

/// The data directory's own certificate, made where it is not there, or does not name all of `addresses`, or ends soon.
pub fn own(data: &Path, addresses: &[IpAddr]) -> Result<Tls> {
    let files = Files::of(data);
    let directory = data.join("tls");
    fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    if !files.ca_certificate.exists() || !files.ca_key.exists() {
        make_authority(&files)?;
    }
    let names = names(addresses);
    // What the certificate was made for stands beside it, so that no certificate has to be parsed to know.
    let made_for = format!("{}\n{}\n", Utc::now().year(), names.join("\n"));
    let note = directory.join("server.names");
    if !files.server_certificate.exists()
        || !files.server_key.exists()
        || fs::read_to_string(&note).ok().as_deref() != Some(&made_for)
    {
        make_server(&files, &names)?;
        fs::write(&note, made_for).with_context(|| format!("writing {}", note.display()))?;
    }
    let (server, ca_pem) = (server_config(&files.server_certificate, &files.server_key)?, fs::read(&files.ca_certificate)?);
    Tls::new(server, &files.server_certificate, ca_pem, files.ca_certificate)
}

/// The names that a server certificate carries.
fn names(addresses: &[IpAddr]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    names.extend(hostname());
    names.extend(addresses.iter().filter(|address| !address.is_unspecified()).map(ToString::to_string));
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// This machine's name, where the system tells one that can stand in a certificate.
fn hostname() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname")).ok()?;
    let name = name.trim().to_ascii_lowercase();
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    fits.then_some(name)
}

fn make_authority(files: &Files) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    // Two installations have authorities of two names: a client that trusts both must not try the wrong one.
    let serial: [u8; 8] = rand::random();
    let mark = hex::encode(&serial[..4]);
    params.distinguished_name.push(DnType::OrganizationName, "evirt");
    params.distinguished_name.push(DnType::CommonName, format!("evirt CA {mark}"));
    params.serial_number = Some(positive(serial));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let this_year = Utc::now().year();
    params.not_before = date_time_ymd(this_year - 1, 1, 1);
    params.not_after = date_time_ymd(this_year + CA_YEARS, 12, 31);
    let certificate = params.self_signed(&key)?;
    write_key(&files.ca_key, &key)?;
    fs::write(&files.ca_certificate, certificate.pem()).with_context(|| format!("writing {}", files.ca_certificate.display()))
}

fn make_server(files: &Files, names: &[String]) -> Result<()> {
    let ca_key =
        KeyPair::from_pem(&fs::read_to_string(&files.ca_key)?).with_context(|| format!("reading {}", files.ca_key.display()))?;
    let ca_pem = fs::read_to_string(&files.ca_certificate)?;
    let issuer =
        Issuer::from_ca_cert_pem(&ca_pem, ca_key).with_context(|| format!("reading {}", files.ca_certificate.display()))?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    for name in names {
        params.subject_alt_names.push(match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    params.distinguished_name.push(DnType::OrganizationName, "evirt");
    params.distinguished_name.push(DnType::CommonName, names.first().map_or("localhost", String::as_str));
    params.serial_number = Some(positive(rand::random()));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let this_year = Utc::now().year();
    params.not_before = date_time_ymd(this_year - 1, 1, 1);
    params.not_after = date_time_ymd(this_year + SERVER_YEARS, 12, 31);
    let certificate = params.signed_by(&key, &issuer)?;
    write_key(&files.server_key, &key)?;
    fs::write(&files.server_certificate, certificate.pem() + &ca_pem)
        .with_context(|| format!("writing {}", files.server_certificate.display()))
}

fn positive(mut serial: [u8; 8]) -> SerialNumber {
    serial[0] &= 0x7f;
    SerialNumber::from_slice(&serial)
}

/// Writes a private key so that nobody else can read it at any moment.
fn write_key(path: &Path, key: &KeyPair) -> Result<()> {
    let write = || -> io::Result<()> {
        if path.exists() {
            fs::remove_file(path)?;
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(key.serialize_pem().as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("writing {}", path.display()))
}

fn server_config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
        .with_context(|| format!("reading {}", certificate.display()))?;
    if chain.is_empty() {
        bail!("{} holds no certificate", certificate.display());
    }
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| format!("reading {}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The PEM blocks of a text.
fn pem_blocks(text: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    text.split_inclusive(END)
        .filter_map(|part| part.find("-----BEGIN CERTIFICATE-----").map(|at| format!("{}\n", &part[at..])))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_again_for_another_address() {
        let data = tempfile::tempdir().unwrap();
        let first = own(data.path(), &[]).unwrap();
        let files = Files::of(data.path());
        let certificate = fs::read(&files.server_certificate).unwrap();
        own(data.path(), &[]).unwrap();
        assert_eq!(fs::read(&files.server_certificate).unwrap(), certificate, "the same names, the same certificate");
        let second = own(data.path(), &["192.0.2.7".parse().unwrap()]).unwrap();
        assert_ne!(fs::read(&files.server_certificate).unwrap(), certificate);
        assert_eq!(first.ca_pem, second.ca_pem, "the authority stays");
        for key in [&files.ca_key, &files.server_key] {
            assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600, "{}", key.display());
        }
    }

    #[test]
    fn a_given_certificate_is_taken_with_its_authority() {
        let data = tempfile::tempdir().unwrap();
        let made = own(data.path(), &[]).unwrap();
        let files = Files::of(data.path());
        let taken = given(&files.server_certificate, &files.server_key).unwrap();
        assert_eq!(
            String::from_utf8(taken.ca_pem).unwrap().replace('\r', "").trim(),
            String::from_utf8(made.ca_pem).unwrap().replace('\r', "").trim()
        );
        assert!(given(&files.server_key, &files.server_key).is_err(), "a key is no certificate");
    }
}
