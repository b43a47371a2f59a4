//! The data of calls and observations: hosts, storage and virtual machines as a driver knows them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a host is.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct HostFacts {
    /// The name that the host gives itself.
    pub hostname: String,
    /// An ordinary Linux host or a hypervisor node.
    pub kind: HostKind,
    /// Board and chassis.
    pub hardware: HardwareFacts,
    /// Processors.
    pub cpu: CpuFacts,
    /// Physical memory.
    pub memory_bytes: u64,
    /// The part of it that virtual machines may have when none runs.
    pub max_scheduling_memory_bytes: u64,
    /// Network interfaces, by name.
    pub nics: Vec<HostNicFacts>,
    /// Interfaces that work as one.
    pub bonds: Vec<BondSpec>,
    /// Logical networks that lie upon the interfaces and bonds.
    pub networks: Vec<NetworkAttachment>,
    /// Operating system, for example `RHEL`.
    pub os: String,
    /// Its version, for example `6Server - 6.4.0.4.el6`.
    pub os_version: String,
    /// Kernel release.
    pub kernel_version: String,
    /// Version of the emulator.
    pub kvm_version: String,
    /// Version of libvirt.
    pub libvirt_version: String,
    /// Whether hardware virtualization works.
    pub kvm: bool,
    /// The compatibility versions that it knows, such as `3.3`; empty for all.
    #[serde(default)]
    pub levels: Vec<String>,
    /// The host's iSCSI name.
    pub iscsi_initiator: Option<String>,
    /// The certificate that it is known by.
    pub certificate: CertificateFacts,
    /// Scripts that it runs when something happens to virtual machines.
    pub hooks: Vec<HookFacts>,
    /// The power management agent that the host's own hardware has, where it tells.
    pub power_management: Option<PowerManagementFacts>,
}

/// A host's certificate.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Who vouches for it.
    pub organization: String,
    /// Whom it names.
    pub subject: String,
}

/// A script that a host runs.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct HookFacts {
    /// When, for example `before_vm_start`.
    pub event: String,
    /// The name of its file.
    pub name: String,
    /// Checksum of its file.
    pub md5: String,
}

/// The two kinds of hosts.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
pub enum HostKind {
    /// A Linux host that is made a hypervisor by installing it.
    #[default]
    Rhel,
    /// A hypervisor node, which is one already and may register itself.
    RhevH,
}

/// Board and chassis, as DMI tells.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct HardwareFacts {
    /// The board's id: a host is the same when this is.
    pub uuid: Uuid,
    /// Manufacturer.
    pub manufacturer: String,
    /// Product name.
    pub product_name: String,
    /// Version.
    pub version: String,
    /// Serial number.
    pub serial_number: String,
    /// Family.
    pub family: String,
}

/// Processors of a host.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct CpuFacts {
    /// Sockets of the host.
    pub sockets: u32,
    /// Cores of a socket.
    pub cores_per_socket: u32,
    /// Threads of a core.
    pub threads_per_core: u32,
    /// As the processor names itself.
    pub model: String,
    /// Clock.
    pub speed_mhz: f64,
    /// The highest cluster CPU that the host can serve, for example `Intel Nehalem Family`.
    pub level: String,
    /// Whether its flags have `nx`, without which it serves no cluster CPU.
    #[serde(default = "has_nx")]
    pub nx: bool,
}

fn has_nx() -> bool {
    true
}

/// A network interface of a host.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct HostNicFacts {
    /// For example `eth0`.
    pub name: String,
    /// In lower case with colons.
    pub mac: String,
    /// Address, where it has one.
    pub ip: Option<IpAddr>,
    /// Netmask.
    pub netmask: Option<IpAddr>,
    /// Gateway.
    pub gateway: Option<IpAddr>,
    /// Bits per second.
    pub speed_bps: u64,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Whether its link is up.
    pub up: bool,
}

/// Interfaces of a host that work as one.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct BondSpec {
    /// For example `bond0`.
    pub name: String,
    /// Names and values, such as `mode` and `4`.
    pub options: Vec<(String, String)>,
    /// The interfaces.
    pub slaves: Vec<String>,
}

/// A logical network upon a host's interface.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct NetworkAttachment {
    /// The network's name.
    pub network: String,
    /// The interface or bond.
    pub nic: String,
    /// VLAN tag.
    pub vlan: Option<u16>,
    /// Largest packet in bytes.
    pub mtu: Option<u32>,
    /// Whether virtual machines can be plugged in.
    pub bridged: bool,
    /// How it gets its address.
    pub boot_protocol: BootProtocol,
    /// Static address.
    pub ip: Option<IpAddr>,
    /// Netmask.
    pub netmask: Option<IpAddr>,
    /// Gateway.
    pub gateway: Option<IpAddr>,
}

/// How an interface gets its address.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
pub enum BootProtocol {
    /// Not at all.
    #[default]
    None,
    /// By DHCP.
    Dhcp,
    /// As given.
    Static,
}

/// A power management agent.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct PowerManagementFacts {
    /// Where it answers.
    pub address: String,
    /// Its kind, for example `ipmilan`.
    pub kind: String,
}

/// A power management agent and the way into it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct FenceAgent {
    /// Where it answers.
    pub address: String,
    /// Its kind, for example `ipmilan`.
    pub kind: String,
    /// Its user.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// What else its kind needs, such as a port or a slot.
    pub options: Vec<(String, String)>,
}

/// What a power management agent is to do.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum FenceAction {
    /// Power on.
    Start = 1,
    /// Power off: what ran there is surely gone.
    Stop = 2,
    /// Off and on.
    Restart = 3,
    /// Only tell.
    Status = 4,
}

/// The state of a host's power.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    /// On.
    On,
    /// Off.
    Off,
    /// The agent does not know.
    Unknown,
}

/// Where a storage domain lies.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StorageSpec {
    /// An NFS export.
    Nfs {
        /// The server.
        address: String,
        /// The export.
        path: String,
    },
    /// Anything that can be mounted and behaves as a POSIX file system.
    #[serde(rename = "posixfs")]
    PosixFs {
        /// The server, where the path does not name it.
        address: Option<String>,
        /// What is mounted: a path of the server, `server:/path` or a device.
        path: String,
        /// The type of the file system.
        vfs_type: String,
    },
    /// A Gluster volume.
    #[serde(rename = "glusterfs")]
    GlusterFs {
        /// The server, where the path does not name it.
        address: Option<String>,
        /// The volume: `volume` or `server:/volume`.
        path: String,
    },
    /// A directory of the one host that uses it.
    #[serde(rename = "localfs")]
    LocalFs {
        /// The directory.
        path: String,
    },
    /// Logical units of iSCSI targets, joined in a volume group.
    Iscsi {
        /// The units.
        luns: Vec<LunSpec>,
    },
    /// Logical units of Fibre Channel, joined in a volume group.
    Fcp {
        /// The units' ids.
        luns: Vec<String>,
    },
}

/// A logical unit and the way to it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct LunSpec {
    /// The unit's id.
    pub id: String,
    /// The portal; not needed where the host has logged in.
    pub portal: Option<Portal>,
    /// The target's qualified name; not needed where the host has logged in.
    pub target: Option<String>,
}

/// Where an iSCSI server answers.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Portal {
    /// Address or name.
    pub address: String,
    /// TCP port; 3260 is usual.
    pub port: u16,
}

/// What a storage domain is for.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum DomainClass {
    /// Disks.
    Data,
    /// CD and floppy images.
    Iso,
    /// Exported virtual machines and templates.
    Export,
}

/// The version of a storage domain's layout.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named by number")]
pub enum StorageFormat {
    V1,
    V2,
    V3,
}

/// Space of a storage domain.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Space {
    /// Free.
    pub available_bytes: u64,
    /// Taken, by whatever.
    pub used_bytes: u64,
}

/// What lies on a storage.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct StorageFacts {
    /// Its space.
    pub space: Space,
    /// The storage domain that lies there already.
    pub existing: Option<DomainFacts>,
    /// The logical units that it consists of; none of files.
    #[serde(default)]
    pub luns: Vec<LunFacts>,
}

/// A storage domain as it describes itself.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct DomainFacts {
    /// Its id.
    pub domain: Uuid,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub class: DomainClass,
    /// The version of its layout.
    pub format: StorageFormat,
    /// The data center that it belongs to.
    pub pool: Option<Uuid>,
}

/// A file of an ISO domain.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
}

/// A service that keeps images.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ImageServiceFacts {
    /// The same as long as its address is.
    pub id: Uuid,
    /// What it calls itself.
    pub name: String,
    /// Where it answers: host name or IP address, with the port where it is not the usual one.
    pub address: String,
}

/// An image that a service keeps.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// Its id.
    pub id: Uuid,
    /// Its name; several may have the same.
    pub name: String,
    /// Its format: `raw`, `qcow2`, or another of which no volume can be made.
    pub format: String,
    /// The size that a guest sees.
    pub size_bytes: u64,
    /// What it takes of the service.
    pub stored_bytes: u64,
}

/// A file of a storage domain.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// The storage domain.
    pub domain: Uuid,
    /// The file's name.
    pub name: String,
}

/// An iSCSI target.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct TargetFacts {
    /// Its qualified name.
    pub iqn: String,
    /// Where it answers.
    pub portal: Portal,
}

/// A logical unit as a host sees it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct LunFacts {
    /// Its id.
    pub id: String,
    /// Number of the unit within its target.
    pub number: u32,
    /// Its size.
    pub size_bytes: u64,
    /// Vendor.
    pub vendor: String,
    /// Product.
    pub product: String,
    /// Serial number.
    pub serial: String,
    /// The iSCSI target; none for Fibre Channel.
    pub target: Option<TargetFacts>,
    /// The storage domain that lies upon it.
    pub domain: Option<Uuid>,
}

/// A volume: one layer of a disk.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeRef {
    /// The storage domain.
    pub domain: Uuid,
    /// The disk, which may have several volumes.
    pub disk: Uuid,
    /// The volume.
    pub volume: Uuid,
}

/// The format of a volume.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum VolumeFormat {
    /// Copy on write (qcow2).
    Cow,
    /// Raw.
    Raw,
}

/// A volume as it is.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct VolumeFacts {
    /// Which.
    pub volume: VolumeRef,
    /// The volume of the same disk that it lies upon.
    pub parent: Option<Uuid>,
    /// Size that the guest sees.
    pub size_bytes: u64,
    /// Room that it takes.
    pub actual_bytes: u64,
    /// Its format.
    pub format: VolumeFormat,
    /// Whether it takes room only as it is written.
    pub sparse: bool,
}

/// A disk of a snapshot.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotDisk {
    /// The new volume, which takes the writes from now on.
    pub volume: VolumeRef,
    /// The volume of the same disk that is kept.
    pub parent: Uuid,
}

/// How a host is installed.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
pub struct Installation {
    /// Where its SSH listens; 0 for the usual.
    pub ssh_port: u16,
    /// The fingerprint of its SSH key; none for any.
    pub ssh_fingerprint: Option<String>,
    /// Who logs in by SSH; none for root.
    pub ssh_user: Option<String>,
    /// Whether its firewall is set up.
    pub firewall: bool,
    /// Whether it is rebooted afterwards.
    pub reboot: bool,
}

/// All that is needed to launch a virtual machine.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct VmSpec {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Counts its launches. Reports carry it, so that word of an earlier run is known as such.
    pub generation: u64,
    /// Memory.
    pub memory_bytes: u64,
    /// Memory that the host must leave it; at most all of it.
    pub guaranteed_memory_bytes: u64,
    /// Whether the rest may be taken back from it.
    #[serde(default)]
    pub balloon: bool,
    /// Sockets.
    pub sockets: u32,
    /// Cores of a socket.
    pub cores_per_socket: u32,
    /// The cluster's CPU, for example `Intel Nehalem Family`.
    pub cpu_level: Option<String>,
    /// Disks, in order.
    pub disks: Vec<DiskSpec>,
    /// Network interfaces, in order.
    pub nics: Vec<NicSpec>,
    /// CD.
    pub cdrom: Option<FileRef>,
    /// Floppy.
    pub floppy: Option<FileRef>,
    /// What to boot from, first choice first.
    pub boot: Vec<BootDevice>,
    /// Console.
    pub display: DisplaySpec,
    /// Direct boot.
    pub kernel: Option<KernelSpec>,
    /// Starts paused.
    pub paused: bool,
    /// Custom properties, name and value.
    pub custom_properties: Vec<(String, String)>,
    /// How its CPU relates to the host's; none for the cluster's level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_mode: Option<CpuMode>,
    /// Virtual CPUs, and the host's CPUs that they may run on as libvirt writes sets: `0-3,^2`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vcpu_pins: Vec<(u32, String)>,
    /// Devices with files that it finds when it boots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payloads: Vec<PayloadSpec>,
    /// The domain that a Windows guest joins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Whether it has a serial console.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub console: bool,
    /// Whether it lacks the controller for disks by VirtIO-SCSI.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_virtio_scsi: bool,
}

/// How a virtual machine's CPU relates to the host's.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "libvirt's own names")]
pub enum CpuMode {
    Custom,
    HostModel,
    HostPassthrough,
}

/// A device with files that a virtual machine finds when it boots.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct PayloadSpec {
    /// The device.
    pub device: PayloadDevice,
    /// The name of its volume; none for the usual.
    pub volume: Option<String>,
    /// Its files, name and content.
    pub files: Vec<(String, String)>,
}

/// The device that a payload is on.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they say it")]
pub enum PayloadDevice {
    Cdrom,
    Floppy,
}

/// Direct boot of a kernel.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct KernelSpec {
    /// Path of the kernel on the host, or `iso://file`.
    pub kernel: String,
    /// Path of the initial RAM disk.
    pub initrd: Option<String>,
    /// Command line.
    pub cmdline: Option<String>,
}

/// A disk of a virtual machine.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct DiskSpec {
    /// The disk's id.
    pub id: Uuid,
    /// What it is made of.
    pub source: DiskSource,
    /// How the guest sees it.
    pub interface: DiskInterface,
    /// Whether it may be booted from.
    pub bootable: bool,
    /// Whether the guest may only read.
    pub read_only: bool,
    /// Whether several virtual machines may have it at once.
    pub shareable: bool,
}

/// What a disk is made of.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum DiskSource {
    /// The uppermost volume of an image.
    Volume(VolumeRef),
    /// A whole logical unit.
    Lun(LunSpec),
}

/// How a guest sees a disk.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the buses' own names")]
pub enum DiskInterface {
    #[default]
    Virtio,
    VirtioScsi,
    Ide,
    Scsi,
}

/// A network interface of a virtual machine.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct NicSpec {
    /// The interface's id.
    pub id: Uuid,
    /// For example `nic1`.
    pub name: String,
    /// In lower case with colons.
    pub mac: String,
    /// The logical network; none leaves it unplugged.
    pub network: Option<String>,
    /// How the guest sees it.
    pub model: NicModel,
    /// Whether the link is up.
    pub linked: bool,
    /// The logical networks whose traffic on the host it receives as well.
    #[serde(default)]
    pub mirrored: Vec<String>,
}

/// How a guest sees a network interface.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the models' own names")]
pub enum NicModel {
    #[default]
    Virtio,
    E1000,
    Rtl8139,
    /// A physical function handed to the guest.
    PciPassthrough,
}

/// What a virtual machine boots from.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they say it")]
pub enum BootDevice {
    Hd,
    Cdrom,
    Network,
}

/// The console that a virtual machine is to have.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisplaySpec {
    /// Its protocol.
    pub kind: DisplayKind,
    /// Screens.
    pub monitors: u32,
}

/// The protocol of a console.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the protocols' own names")]
pub enum DisplayKind {
    Vnc,
    Spice,
}

/// A virtual machine as a driver sees it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct VmReport {
    /// Its id.
    pub vm: Uuid,
    /// The generation that it was launched with.
    pub generation: u64,
    /// The host that runs it, or ran it last.
    pub host: Uuid,
    /// Its state.
    pub state: VmState,
    /// Where it migrates to at this moment.
    pub migrating_to: Option<Uuid>,
    /// What the guest tells; none until it has told anything.
    pub guest: Option<GuestFacts>,
    /// Where its console is; none where it does not run.
    pub display: Option<DisplayFacts>,
}

/// The states that a hypervisor tells apart.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum VmState {
    /// It runs, and its guest has not said that it is up.
    PoweringUp,
    /// It runs.
    Up,
    /// Its processors stand.
    Paused {
        /// Why.
        reason: PauseReason,
    },
    /// Its guest reboots.
    RebootInProgress,
    /// Its guest shuts down.
    PoweringDown,
    /// Its memory is being saved.
    SavingState,
    /// Its memory is saved, and it runs nowhere.
    Saved,
    /// Its memory is being read back.
    RestoringState,
    /// It does not run.
    Down {
        /// How it ended.
        exit: ExitStatus,
        /// For a human.
        message: String,
    },
}

/// Why a virtual machine is paused.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// It was asked for.
    Requested,
    /// Its storage does not answer.
    Eio,
    /// Its storage is full.
    Enospc,
    /// Its storage denies access.
    Eperm,
    /// Something else.
    Eother,
}

/// How a virtual machine ended.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// Its guest shut down, or it was destroyed on request.
    Normal,
    /// It broke.
    Error,
}

/// What a guest tells of itself.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct GuestFacts {
    /// Its addresses.
    pub ips: Vec<IpAddr>,
    /// Its full name.
    pub fqdn: String,
}

/// Where a console is.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct DisplayFacts {
    /// Its protocol.
    pub kind: DisplayKind,
    /// The host's address.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// TCP port for TLS.
    pub secure_port: Option<u16>,
}

/// The load of a host at one instant.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
pub struct HostStatistics {
    /// User time, in percent of all processors.
    pub cpu_user_percent: f64,
    /// System time, in percent of all processors.
    pub cpu_system_percent: f64,
    /// Idle time, in percent of all processors.
    pub cpu_idle_percent: f64,
    /// Load average of five minutes.
    pub load_average: f64,
    /// Physical memory.
    pub memory_total_bytes: u64,
    /// Memory in use.
    pub memory_used_bytes: u64,
    /// Swap space.
    pub swap_total_bytes: u64,
    /// Swap space in use.
    pub swap_used_bytes: u64,
    /// Swapped memory that is in memory as well.
    pub swap_cached_bytes: u64,
    /// Memory that buffers input and output.
    pub memory_buffers_bytes: u64,
    /// Memory that caches files.
    pub memory_cached_bytes: u64,
    /// What the search for equal pages takes, in percent of all processors.
    pub ksm_cpu_percent: f64,
    /// Seconds since boot.
    pub uptime_s: u64,
    /// Running virtual machines.
    pub vms: u32,
    /// Network interfaces by name.
    pub nics: Vec<NicStatistics>,
}

/// The load of a virtual machine at one instant.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
pub struct VmStatistics {
    /// The guest's own time, in percent of its processors.
    pub cpu_guest_percent: f64,
    /// The emulator's time, in percent of its processors.
    pub cpu_hypervisor_percent: f64,
    /// Memory that it was launched with.
    pub memory_installed_bytes: u64,
    /// Memory that the guest uses.
    pub memory_used_bytes: u64,
    /// Seconds since it was launched.
    pub uptime_s: u64,
    /// Network interfaces by name.
    pub nics: Vec<NicStatistics>,
    /// Disks by id.
    pub disks: Vec<DiskStatistics>,
}

/// The load of a network interface.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
pub struct NicStatistics {
    /// The interface's name.
    pub name: String,
    /// Received bytes per second.
    pub rx_bytes_per_s: f64,
    /// Sent bytes per second.
    pub tx_bytes_per_s: f64,
    /// Receptions that went wrong since the machine began.
    pub rx_errors: u64,
    /// Sendings that went wrong since the machine began.
    pub tx_errors: u64,
}

/// The load of a disk.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
pub struct DiskStatistics {
    /// The disk.
    pub disk: Uuid,
    /// Read bytes per second.
    pub read_bytes_per_s: f64,
    /// Written bytes per second.
    pub written_bytes_per_s: f64,
}
