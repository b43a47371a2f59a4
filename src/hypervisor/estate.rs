//! The simulated estate as data: hosts, storage, how long things take, and what is planned to go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use evirt_domain::data_center::Version;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::{CallKind, HookFacts, HostKind, Portal};

/// The estate that serves where none is given, as a file.
pub const BUILTIN: &str = include_str!("builtin.toml");

/// All that exists; what is not here cannot be reached. `builtin.toml` shows the format.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Estate {
    /// Where all chance comes from: the same seed and the same calls give the same observations.
    #[serde(default)]
    pub seed: u64,
    /// How much faster than the clock time runs here: 1.0 is real time.
    #[serde(default = "real_time")]
    pub speed: f64,
    /// How long things take.
    #[serde(default)]
    pub durations: Durations,
    /// Hosts.
    #[serde(default, rename = "host")]
    pub hosts: Vec<HostEntry>,
    /// NFS servers.
    #[serde(default)]
    pub nfs: Vec<FileServer>,
    /// What can be mounted as POSIX file systems; a device has no address.
    #[serde(default)]
    pub posixfs: Vec<FileServer>,
    /// Gluster servers; the path of an export is the volume's name.
    #[serde(default)]
    pub glusterfs: Vec<FileServer>,
    /// iSCSI portals.
    #[serde(default)]
    pub iscsi: Vec<PortalEntry>,
    /// Logical units that every host sees by Fibre Channel.
    #[serde(default, rename = "fcp_lun")]
    pub fcp_luns: Vec<LunEntry>,
    /// Services that keep images.
    #[serde(default, rename = "image_service")]
    pub image_services: Vec<ImageServiceEntry>,
    /// What is planned to go wrong.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
}

/// How long things take, in milliseconds of the estate's own time.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Durations {
    /// Any call that is not named below.
    pub call_ms: u64,
    /// Until an address that does not answer is given up.
    pub unreachable_ms: u64,
    /// To install a host.
    pub install_ms: u64,
    /// From power on until the host answers.
    pub boot_host_ms: u64,
    /// To switch a host's power.
    pub fence_ms: u64,
    /// From a host's death until it is noticed.
    pub heartbeat_ms: u64,
    /// From launch until the virtual machine powers up.
    pub launch_ms: u64,
    /// From powering up until the guest is up.
    pub power_up_ms: u64,
    /// From the request until the guest has shut down.
    pub shutdown_ms: u64,
    /// To pull the plug.
    pub destroy_ms: u64,
    /// From the request until the guest has rebooted.
    pub reboot_ms: u64,
    /// To save memory, for each GiB.
    pub save_ms_per_gib: u64,
    /// To read memory back, for each GiB.
    pub restore_ms_per_gib: u64,
    /// To move memory, for each GiB.
    pub migrate_ms_per_gib: u64,
    /// To lay a storage domain upon storage.
    pub create_domain_ms: u64,
    /// To connect hosts to a storage domain.
    pub activate_domain_ms: u64,
    /// To become the pool manager.
    pub start_spm_ms: u64,
    /// To make, extend, merge or delete volumes.
    pub volume_ms: u64,
    /// To copy, for each GiB that the guest sees.
    pub copy_ms_per_gib: u64,
}

impl Default for Durations {
    fn default() -> Self {
        Durations {
            call_ms: 20,
            unreachable_ms: 1_000,
            install_ms: 2_000,
            boot_host_ms: 5_000,
            fence_ms: 1_000,
            heartbeat_ms: 3_000,
            launch_ms: 200,
            power_up_ms: 800,
            shutdown_ms: 1_000,
            destroy_ms: 100,
            reboot_ms: 1_000,
            save_ms_per_gib: 500,
            restore_ms_per_gib: 300,
            migrate_ms_per_gib: 1_000,
            create_domain_ms: 500,
            activate_domain_ms: 300,
            start_spm_ms: 300,
            volume_ms: 500,
            copy_ms_per_gib: 100,
        }
    }
}

/// A host.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// Its name; it answers to it as to its address.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// The password of root.
    #[serde(default = "default_password")]
    pub root_password: String,
    /// What it is.
    #[serde(default)]
    pub kind: HostKind,
    /// A node that registers itself and waits for approval.
    #[serde(default)]
    pub registers: bool,
    /// The board's id; made from the name where none is given.
    pub uuid: Option<Uuid>,
    /// Sockets.
    #[serde(default = "two")]
    pub sockets: u32,
    /// Cores of a socket.
    #[serde(default = "four")]
    pub cores_per_socket: u32,
    /// Threads of a core.
    #[serde(default = "one")]
    pub threads_per_core: u32,
    /// As the processor names itself.
    #[serde(default = "default_cpu_model")]
    pub cpu_model: String,
    /// Clock.
    #[serde(default = "default_cpu_mhz")]
    pub cpu_mhz: f64,
    /// The highest cluster CPU that it can serve.
    #[serde(default = "default_cpu_level")]
    pub cpu_level: String,
    /// Whether its processor keeps data from being executed (`nx`), which its firmware can switch off.
    #[serde(default = "yes")]
    pub nx: bool,
    /// The compatibility versions that it knows, such as `3.3`; empty for all.
    #[serde(default)]
    pub levels: Vec<String>,
    /// Whether machines can run on it.
    #[serde(default = "yes")]
    pub kvm: bool,
    /// Physical memory.
    pub memory_bytes: u64,
    /// Network interfaces.
    #[serde(default, rename = "nic")]
    pub nics: Vec<HostNicEntry>,
    /// Directories for local storage.
    #[serde(default, rename = "local")]
    pub local: Vec<Export>,
    /// Its power management agent.
    pub power_management: Option<PowerManagementEntry>,
    /// Further ones.
    #[serde(default, rename = "agent")]
    pub further_agents: Vec<PowerManagementEntry>,
    /// Scripts that it runs when something happens to virtual machines.
    #[serde(default, rename = "hook")]
    pub hooks: Vec<HookFacts>,
}

impl HostEntry {
    /// All its power management agents.
    pub fn agents(&self) -> impl Iterator<Item = &PowerManagementEntry> {
        self.power_management.iter().chain(&self.further_agents)
    }
}

/// A network interface of a host.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct HostNicEntry {
    /// For example `eth0`.
    pub name: String,
    /// In lower case with colons.
    pub mac: String,
    /// Address.
    pub ip: Option<IpAddr>,
    /// Netmask.
    pub netmask: Option<IpAddr>,
    /// Gateway.
    pub gateway: Option<IpAddr>,
    /// Bits per second.
    #[serde(default = "gigabit")]
    pub speed_bps: u64,
    /// Largest packet in bytes.
    #[serde(default = "default_mtu")]
    pub mtu: u32,
    /// Whether its link is down at the beginning.
    #[serde(default)]
    pub down: bool,
}

/// A power management agent.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PowerManagementEntry {
    /// Where it answers.
    pub address: String,
    /// Its kind, for example `ipmilan`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its user.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// Whether it switches a power supply and not the host, which is off when all its supplies are.
    #[serde(default)]
    pub supply: bool,
}

/// A server of files.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct FileServer {
    /// Its address.
    #[serde(default)]
    pub address: String,
    /// Its name; it answers to it as to its address.
    pub name: Option<String>,
    /// What it exports.
    #[serde(default, rename = "export")]
    pub exports: Vec<Export>,
}

/// An exported directory.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Its path.
    pub path: String,
    /// Its whole size.
    pub size_bytes: u64,
    /// What is used by others.
    #[serde(default)]
    pub used_bytes: u64,
    /// CD and floppy images that an ISO domain will find there.
    #[serde(default, rename = "file")]
    pub files: Vec<FileEntry>,
}

/// A file of an export.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
}

/// An iSCSI portal.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PortalEntry {
    /// Its address.
    pub address: String,
    /// Its port.
    #[serde(default = "iscsi_port")]
    pub port: u16,
    /// CHAP user and password, where it wants them.
    pub chap: Option<(String, String)>,
    /// Its targets.
    #[serde(default, rename = "target")]
    pub targets: Vec<TargetEntry>,
}

impl PortalEntry {
    /// The portal as calls name it.
    pub fn portal(&self) -> Portal {
        Portal { address: self.address.clone(), port: self.port }
    }
}

/// An iSCSI target.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TargetEntry {
    /// Its qualified name.
    pub iqn: String,
    /// Its logical units.
    #[serde(default, rename = "lun")]
    pub luns: Vec<LunEntry>,
}

/// A logical unit. One that stands behind several portals, each time the same, has several ways to it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct LunEntry {
    /// Its id.
    pub id: String,
    /// Its size.
    pub size_bytes: u64,
    /// Vendor.
    #[serde(default = "default_vendor")]
    pub vendor: String,
    /// Product.
    #[serde(default = "default_product")]
    pub product: String,
    /// Serial number.
    #[serde(default)]
    pub serial: String,
}

/// A service that keeps images.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ImageServiceEntry {
    /// What it calls itself.
    pub name: String,
    /// Where it answers.
    pub address: String,
    /// Whether it is used without being asked for.
    #[serde(default)]
    pub offered: bool,
    /// Its whole room.
    #[serde(default = "tebibyte")]
    pub size_bytes: u64,
    /// What it keeps.
    #[serde(default, rename = "image")]
    pub images: Vec<ImageEntry>,
}

/// An image of a service.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ImageEntry {
    /// Its id; made from the names of service and image where none is given.
    pub id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// `raw`, `qcow2`, or another of which no disk can be made.
    #[serde(default = "qcow2")]
    pub format: String,
    /// The size that a guest sees.
    pub size_bytes: u64,
    /// What it takes of the service; all of its size where nothing is said.
    pub stored_bytes: Option<u64>,
}

/// Something that is planned to go wrong.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When, since the estate began, in its own time.
    pub at_ms: u64,
    /// What.
    pub kind: FaultKind,
    /// To what: a host's name or address, one of its interfaces such as `host1.example.com:eth1`, an export such as `192.168.0.10:/data1`, the id or name of a virtual
    /// machine, or the kind of call that fails.
    pub target: String,
    /// The only host that it happens to, for storage that does not answer and answers again.
    #[serde(default)]
    pub host: Option<String>,
    /// For storage that is slow, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
}

/// The kinds of faults.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A host loses its power and what runs there.
    HostDies,
    /// It boots.
    HostReturns,
    /// An export, a portal or a logical unit does not answer any more.
    StorageUnreachable,
    /// It answers again, and in time.
    StorageReturns,
    /// It answers late: by `delay_ms`.
    StorageSlow,
    /// A virtual machine breaks.
    VmCrashes,
    /// A guest shuts itself down.
    GuestShutsDown,
    /// The next call of this kind fails, for example `launch`.
    CallFails,
    /// The link of a host's interface goes down.
    LinkDown,
    /// It comes up.
    LinkUp,
    /// The next set-up of a host's networks cuts it off.
    NetworkCut,
}

/// Why an estate cannot be used.
#[derive(Debug, Error)]
pub enum EstateError {
    /// The file cannot be read.
    #[error("cannot read the estate {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The text is no estate; the message shows the line.
    #[error("the estate is not well formed: {0}")]
    Parse(#[from] toml::de::Error),
    /// It contradicts itself.
    #[error("the estate is not sound: {0}")]
    Unsound(String),
}

impl Estate {
    /// The estate that serves where none is given: a node `hypervisor` that waits for approval, `host1` to `host4`
    /// with power management, an NFS server and an iSCSI portal.
    ///
    /// # Panics
    /// Never, as a test reads it.
    pub fn builtin() -> Estate {
        Estate::parse(BUILTIN).expect("the built-in estate is sound")
    }

    /// Reads an estate.
    ///
    /// # Errors
    /// The text is not well formed, has unknown fields, or the estate contradicts itself.
    pub fn parse(text: &str) -> Result<Estate, EstateError> {
        let estate: Estate = toml::from_str(text)?;
        estate.check()?;
        Ok(estate)
    }

    /// Reads an estate from a file.
    ///
    /// # Errors
    /// As for [`Estate::parse`], or the file cannot be read.
    pub fn load(path: &Path) -> Result<Estate, EstateError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| EstateError::Read { path: path.display().to_string(), source })?;
        Estate::parse(&text)
    }

    /// The host that answers to this address or name.
    pub fn host_at(&self, address: &str) -> Option<&HostEntry> {
        let ip: Option<IpAddr> = address.parse().ok();
        self.hosts.iter().find(|host| Some(host.address) == ip || host.name.eq_ignore_ascii_case(address))
    }

    /// The host and the interface that a text such as `host1.example.com:eth1` names.
    pub fn interface(&self, target: &str) -> Option<(&HostEntry, &HostNicEntry)> {
        let (host, nic) = target.rsplit_once(':')?;
        let host = self.host_at(host)?;
        Some((host, host.nics.iter().find(|own| own.name == nic)?))
    }

    fn check(&self) -> Result<(), EstateError> {
        let unsound = |message: String| Err(EstateError::Unsound(message));
        if !(self.speed.is_finite() && self.speed > 0.0) {
            return unsound(format!("speed must be above 0, and is {}", self.speed));
        }
        let mut seen = BTreeSet::new();
        for host in &self.hosts {
            if [host.sockets, host.cores_per_socket, host.threads_per_core].contains(&0) {
                return unsound(format!("host {} has no processor", host.name));
            }
            if let Some(level) = host.levels.iter().find(|level| Version::parse(level).is_none()) {
                return unsound(format!("{level} is no compatibility version"));
            }
            for name in [host.name.to_lowercase(), host.address.to_string()] {
                if !seen.insert(name.clone()) {
                    return unsound(format!("two hosts answer to {name}"));
                }
            }
        }
        let mut seen = BTreeSet::new();
        for server in self.nfs.iter().chain(&self.posixfs).chain(&self.glusterfs) {
            for export in &server.exports {
                if !seen.insert((&server.address, &export.path)) {
                    return unsound(format!("{}:{} is exported twice", server.address, export.path));
                }
                if export.used_bytes > export.size_bytes {
                    return unsound(format!("{}:{} is more than full", server.address, export.path));
                }
            }
        }
        let mut seen: BTreeMap<&str, (&LunEntry, Option<&str>)> = BTreeMap::new();
        let targets = self.iscsi.iter().flat_map(|portal| portal.targets.iter().map(|target| (Some(&*portal.address), target)));
        let luns = targets.flat_map(|(portal, target)| target.luns.iter().map(move |lun| (lun, portal)));
        for (lun, portal) in luns.chain(self.fcp_luns.iter().map(|lun| (lun, None))) {
            // The same unit behind two portals is one that there are two ways to.
            let other = seen.insert(&lun.id, (lun, portal));
            if other.is_some_and(|(other, way)| other != lun || way == portal || way.is_none() || portal.is_none()) {
                return unsound(format!("logical unit {} is there twice", lun.id));
            }
        }
        let mut seen = BTreeSet::new();
        for service in &self.image_services {
            if !seen.insert(&service.address) {
                return unsound(format!("two services of images answer at {}", service.address));
            }
        }
        for fault in &self.faults {
            let known = match fault.kind {
                FaultKind::HostDies | FaultKind::HostReturns | FaultKind::NetworkCut => self.host_at(&fault.target).is_some(),
                FaultKind::LinkDown | FaultKind::LinkUp => self.interface(&fault.target).is_some(),
                FaultKind::CallFails => call_kind(&fault.target).is_some(),
                _ => true,
            };
            if !known {
                return unsound(format!("a fault names {}, which does not exist", fault.target));
            }
            if let Some(host) = fault.host.as_ref().filter(|host| self.host_at(host).is_none()) {
                return unsound(format!("a fault names {host}, which does not exist"));
            }
        }
        Ok(())
    }
}

/// The kind of call by its name, for example `create_domain`.
pub(super) fn call_kind(name: &str) -> Option<CallKind> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

fn real_time() -> f64 {
    1.0
}
fn default_password() -> String {
    "redhat".to_owned()
}
fn one() -> u32 {
    1
}
fn yes() -> bool {
    true
}

fn two() -> u32 {
    2
}
fn four() -> u32 {
    4
}
fn default_cpu_model() -> String {
    "Intel(R) Xeon(R) CPU E5540 @ 2.53GHz".to_owned()
}
fn default_cpu_mhz() -> f64 {
    2527.0
}
fn default_cpu_level() -> String {
    "Intel Nehalem Family".to_owned()
}
fn gigabit() -> u64 {
    1_000_000_000
}
fn default_mtu() -> u32 {
    1500
}
fn tebibyte() -> u64 {
    1 << 40
}
fn qcow2() -> String {
    "qcow2".to_owned()
}
fn iscsi_port() -> u16 {
    3260
}
fn default_vendor() -> String {
    "EXAMPLE".to_owned()
}
fn default_product() -> String {
    "VIRTUAL-DISK".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_estate_is_sound() {
        let estate = Estate::builtin();
        assert!(estate.host_at("192.168.0.5").is_some_and(|host| host.registers));
        let host = estate.host_at("host4.example.com").unwrap();
        assert_eq!(host.address.to_string(), "192.168.0.14");
        let data1 = &estate.nfs[0].exports[0];
        assert_eq!((data1.size_bytes - data1.used_bytes, data1.used_bytes), (175019917312, 27917287424));
    }

    #[test]
    fn it_survives_being_written_and_read() {
        let estate = Estate::builtin();
        assert_eq!(Estate::parse(&toml::to_string(&estate).unwrap()).unwrap(), estate);
    }

    #[test]
    fn an_unknown_field_is_named() {
        let error = Estate::parse("sped = 3.0").unwrap_err().to_string();
        assert!(error.contains("sped"), "{error}");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (text, word) in [
            ("speed = 0.0", "speed"),
            ("[[fault]]\nat_ms = 1\nkind = \"host_dies\"\ntarget = \"nobody\"", "nobody"),
            ("[[fault]]\nat_ms = 1\nkind = \"network_cut\"\ntarget = \"nobody\"", "nobody"),
            ("[[fault]]\nat_ms = 1\nkind = \"storage_unreachable\"\ntarget = \"x\"\nhost = \"nobody\"", "nobody"),
            ("[[fault]]\nat_ms = 1\nkind = \"link_down\"\ntarget = \"a:eth9\"", "a:eth9"),
            ("[[fault]]\nat_ms = 1\nkind = \"call_fails\"\ntarget = \"lunch\"", "lunch"),
            (
                "[[host]]\nname = \"a\"\naddress = \"10.0.0.1\"\nmemory_bytes = 1\n\
                 [[host]]\nname = \"b\"\naddress = \"10.0.0.1\"\nmemory_bytes = 1",
                "10.0.0.1",
            ),
        ] {
            let error = Estate::parse(text).unwrap_err();
            assert!(matches!(&error, EstateError::Unsound(why) if why.contains(word)), "{error}");
        }
    }
}
