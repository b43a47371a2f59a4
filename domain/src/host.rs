//! Hosts: the guide's chapter 14.

mod add;
mod report;
mod service;
mod setup;

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::context::Context;
use crate::data_center::{CURRENT_VERSION, Version};
use crate::event::Event;
use crate::fold;
use crate::ids::*;
use crate::job::{JobOpened, Task};
use crate::patch::patchable;
use crate::permit::Permit;
use crate::vm::named;
use crate::world::World;

pub use crate::fence::{
    FenceHost, FenceType, FinishFence, HostContactLost, HostFenceFellBack, HostFenceSkipped, HostFenced, HostFencingStarted,
    Patience, PmProxy, PowerAgent, PowerManagement, ReportSilent,
};
pub use crate::host_net::{Address, Bond, BootProtocol, HostNetwork, HostNic, Layout, NetworkFacts, NicFacts};
pub use add::*;
pub use report::*;
pub use service::*;
pub use setup::*;

named! {
    /// The state of a host, as the API names it.
    HostStatus {
        Unassigned "unassigned",
        Down "down",
        Maintenance "maintenance",
        Up "up",
        NonResponsive "non_responsive",
        Error "error",
        Installing "installing",
        InstallFailed "install_failed",
        Reboot "reboot",
        PreparingForMaintenance "preparing_for_maintenance",
        NonOperational "non_operational",
        PendingApproval "pending_approval",
        Initializing "initializing",
        Connecting "connecting",
    }
}

named! {
    /// What a host runs: RHEL, or the hypervisor that registers itself.
    HostType { Rhel "rhel", RhevH "rhev-h" }
}

patchable! {
    /// What a user says of a host.
    pub struct HostConfig, HostPatch {
        /// What it is called.
        pub name: String,
        /// A further word on it.
        pub comment: String,
        /// The address.
        pub address: String,
        /// Where its agent listens.
        pub port: u16,
        /// Which cluster.
        pub cluster: ClusterId,
        /// How gladly it becomes storage pool manager; -1 for never.
        pub spm_priority: i32,
        /// How its power is switched.
        pub power_management: PowerManagement,
        /// Whether equal pages of memory are kept once.
        pub ksm: bool,
        /// Whether it uses huge pages.
        pub transparent_hugepages: bool,
        /// How it is come in to and set up.
        #![serde(default, skip_serializing_if = "HostSetup::is_usual")]
        pub setup: HostSetup,
    }
}

/// What a host reports of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFacts {
    /// What its board says that it is.
    pub hardware_uuid: String,
    /// How many CPUs it has.
    pub sockets: u32,
    /// For each socket.
    pub cores: u32,
    /// For each core.
    pub threads: u32,
    /// What its CPU says that it is.
    pub cpu_name: String,
    /// The highest family that it can serve, such as `Intel Nehalem Family`.
    pub cpu_family: String,
    /// The speed of its CPU, in MHz.
    pub cpu_mhz: u32,
    /// In bytes.
    pub memory: i64,
    /// Its operating system with the version.
    pub os: String,
    /// The version of its kernel.
    pub kernel: String,
    /// As the package is named, such as `libvirt-0.10.2-18.el6_4.9`.
    pub libvirt: String,
    /// What its board says of itself.
    pub hardware: Hardware,
    /// The certificate by which it is known.
    pub certificate: Certificate,
    /// Scripts that it runs around what machines do.
    pub hooks: Vec<Hook>,
    /// What it calls itself to iSCSI targets; empty where it has no such name.
    pub iscsi_initiator: String,
    /// The compatibility versions that it knows; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Version>,
    /// Whether it has nothing that machines could run with.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_kvm: bool,
    /// Whether its CPU lacks the flag `nx`, which all CPUs of clusters have.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_nx: bool,
    /// Its network interfaces.
    pub nics: Vec<NicFacts>,
    /// Empty once it is taken in: what lies upon the interfaces is told by events of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bonds: Vec<Bond>,
    /// As `bonds`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<NetworkFacts>,
}

impl HostFacts {
    /// The newest compatibility version that it knows.
    pub fn newest(&self) -> Version {
        self.levels.iter().copied().max().unwrap_or(CURRENT_VERSION)
    }

    /// Whether it knows a compatibility version.
    pub fn knows(&self, version: Version) -> bool {
        self.levels.is_empty() || self.levels.contains(&version)
    }
}

/// What a host's board says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hardware {
    /// Its maker.
    pub manufacturer: String,
    /// What the maker calls it.
    pub product: String,
    /// Which version of that.
    pub version: String,
    /// The serial number.
    pub serial: String,
    /// The family of products.
    pub family: String,
}

/// The certificate that a host is known by; empty for none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Certificate {
    /// Whose host it is, as the certificate says.
    pub organization: String,
    /// The distinguished name.
    pub subject: String,
}

/// A script that a host runs when something happens to its VMs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// When it is run, such as `before_vm_start`.
    pub event: String,
    /// The file.
    pub name: String,
    /// The checksum of the file.
    pub md5: String,
}

/// Why a host could not be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeFailure {
    /// It does not answer, and how.
    Unreachable(String),
    /// It does not take the password.
    WrongPassword,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Identifier.
    pub id: HostId,
    /// Version of the resource.
    pub version: u64,
    /// What a user says of it.
    pub config: HostConfig,
    /// What it runs.
    pub kind: HostType,
    /// How it stands.
    pub status: HostStatus,
    /// Why it is non-operational.
    pub detail: String,
    /// How it was before it was to go into maintenance, with its detail then.
    pub before_maintenance: (HostStatus, String),
    /// What it reported last.
    pub facts: HostFacts,
    /// What lies upon its interfaces.
    pub layout: Layout,
    /// Its interfaces, worked out from the two above.
    pub nics: Vec<HostNic>,
    /// The logical networks that it has.
    pub networks: Vec<NetworkId>,
    /// The tags that it has.
    pub tags: Vec<TagId>,
    /// When its power was last switched, in each way.
    #[serde(default)]
    pub switched: Vec<(FenceType, Micros)>,
    /// How many starts of VMs have failed here since one last came about, or since it came up.
    #[serde(default)]
    pub failed_starts: u32,
    /// Since when it is in its state, for the states that it is brought into by [`HostStatusChanged`].
    #[serde(default)]
    pub status_since: Micros,
    /// The root password, sealed, until the installation has put a key in its place.
    pub sealed_password: String,
}

impl Host {
    /// CPUs that VMs can use: cores, or threads where the cluster counts them so.
    pub fn cpus(&self, threads_as_cores: bool) -> u32 {
        self.facts.sockets * self.facts.cores * if threads_as_cores { self.facts.threads.max(1) } else { 1 }
    }
}

pub(crate) fn touch(world: &mut World, host: HostId, at: &crate::event::EventMetadata, change: impl FnOnce(&mut Host)) {
    world.hosts.update(&host, |h| {
        change(h);
        h.version = at.version;
    });
}

/// A host is in another state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostStatusChanged {
    /// Which host.
    pub host: HostId,
    /// How it stood.
    pub from: HostStatus,
    /// How it stands.
    pub to: HostStatus,
    /// Why it is non-operational, or why its installation failed.
    pub detail: String,
}

fold!(HostStatusChanged, Host host, |e, world, at| {
    touch(world, e.host, at, |h| {
        if e.to == HostStatus::PreparingForMaintenance {
            h.before_maintenance = (e.from, h.detail.clone());
        }
        if e.to == HostStatus::Up {
            h.failed_starts = 0;
        }
        h.status = e.to;
        h.status_since = at.at;
        h.detail = e.detail.clone();
    });
});

pub(crate) fn status(host: &Host, to: HostStatus, detail: &str) -> Event {
    HostStatusChanged { host: host.id, from: host.status, to, detail: detail.to_owned() }.into()
}

fn opened(cx: &Context, n: u64, description: String, task: Task) -> Event {
    JobOpened { job: cx.fresh(n), description, task }.into()
}

/// The job that tells a host how it is to use its memory.
pub(crate) fn tuning(cx: &Context, n: u64, host: HostId, name: &str) -> Event {
    opened(cx, n, format!("Setting the memory policy of Host {name}"), Task::TuneHost { host })
}

fn on(host: HostId, permit: Permit) -> Option<(Permit, EntityRef)> {
    Some((permit, EntityRef::Host(host)))
}

/// The port that a host's agent listens on.
pub const DEFAULT_PORT: u16 = 54321;
/// The SPM priority of a host where nothing is said.
pub const DEFAULT_SPM_PRIORITY: i32 = 5;
