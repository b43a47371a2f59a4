//! Virtual machines: what they are (the guide's chapter 15). How they run is in `vm_run`.

mod cdrom;
mod disk;
mod nic;
mod payload;
mod pinning;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use cdrom::*;
pub(crate) use disk::check_attachment;
pub use disk::*;
pub use nic::*;
pub(crate) use payload::check_payloads;
pub use payload::*;
pub use pinning::*;
pub(crate) use pinning::{check_pins, highest_cpu};

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::disk::DiskInterface;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::ids::*;
use crate::job::{JobOpened, Task};
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection, not_found};
use crate::vm_run::{Run, VmState};
use crate::world::{NameKind, World};
use crate::{custom_property, time_zone};

/// The most virtual CPUs of a VM.
pub const MAX_VCPUS: u32 = 160;
/// The most sockets of a VM.
pub const MAX_SOCKETS: u32 = 16;
/// The most cores of a socket.
pub const MAX_CORES: u32 = 16;
/// The least memory of a VM, in bytes.
pub const MIN_MEMORY: i64 = 1 << 20;
/// The most memory of a VM, in bytes.
pub const MAX_MEMORY: i64 = 2 << 40;
/// The most NICs, and the most disks, of a VM.
pub const MAX_DEVICES: usize = 64;

/// Declares an enum with its names in the API.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $(#[doc = $text] #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$(Self::$variant,)*];

            /// The name in the API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value of a name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}
pub(crate) use named;

named! {
    /// What a VM boots from.
    BootDevice { Hd "hd", CdRom "cdrom", Network "network" }
}
named! {
    /// What a VM is optimized for.
    VmType { Desktop "desktop", Server "server" }
}
named! {
    /// The console protocol.
    DisplayType { Spice "spice", Vnc "vnc" }
}
named! {
    /// How closely the virtual CPU relates to the host's.
    CpuMode { Custom "custom", HostModel "host_model", HostPassthrough "host_passthrough" }
}
named! {
    /// How USB devices of the user reach the guest.
    UsbType { Native "native", Legacy "legacy" }
}
named! {
    /// The system that a VM came from.
    Origin { Rhev "rhev", Ovirt "ovirt", Vmware "vmware", Xen "xen" }
}
named! {
    /// Whether a VM may change its host.
    Affinity { Migratable "migratable", UserMigratable "user_migratable", Pinned "pinned" }
}

/// Operating systems that a VM may be said to have.
pub const OS_TYPES: &[&str] = &[
    "other",
    "windows_xp",
    "windows_2003",
    "windows_2008",
    "other_linux",
    "rhel_5",
    "rhel_4",
    "rhel_3",
    "windows_2003x64",
    "windows_7",
    "windows_7x64",
    "rhel_5x64",
    "rhel_4x64",
    "rhel_3x64",
    "windows_2008x64",
    "windows_2008r2",
    "windows_2008r2x64",
    "rhel_6",
    "rhel_6x64",
    "windows_8",
    "windows_8x64",
    "windows_2012x64",
    "sles_11",
    "ubuntu_12_04",
    "ubuntu_12_10",
    "ubuntu_13_04",
    "ubuntu_13_10",
    "unassigned",
];

patchable! {
    /// What a user says of a VM, or of a template.
    pub struct VmConfig, VmPatch {
        /// What it is called.
        pub name: String,
        /// What it is, for a human.
        pub description: String,
        /// A further word on it.
        pub comment: String,
        /// Which cluster.
        pub cluster: ClusterId,
        /// Which template.
        pub template: TemplateId,
        /// The kind.
        pub kind: VmType,
        /// In bytes.
        pub memory: i64,
        /// What a host has to have free for it, in bytes.
        pub memory_guaranteed: i64,
        /// Whether its guest may be asked for memory.
        pub ballooning: bool,
        /// How many CPUs it has.
        pub sockets: u32,
        /// For each socket.
        pub cores: u32,
        /// Its weight where CPUs are scarce; 0 for the usual.
        pub cpu_shares: i32,
        /// Its operating system.
        pub os: String,
        /// What it boots from, first choice first.
        pub boot: Vec<BootDevice>,
        /// The kernel that it boots; empty for the one on its disk.
        pub kernel: String,
        /// The initial RAM disk of the kernel.
        pub initrd: String,
        /// What its kernel is told.
        pub cmdline: String,
        /// The protocol of its console.
        pub display: DisplayType,
        /// How many monitors it has.
        pub monitors: u32,
        /// Whether its monitors share one device.
        pub single_qxl_pci: bool,
        /// Whether another user may take its console over.
        pub allow_override: bool,
        /// Whether its guest sees the user's smart card.
        pub smartcard: bool,
        /// The layout of its console's keyboard; empty for the usual.
        pub keyboard_layout: String,
        /// Whether it is started again where it went down by itself.
        pub highly_available: bool,
        /// Which is started again first: the higher.
        pub priority: i32,
        /// Whether what it writes is forgotten when it stops.
        pub stateless: bool,
        /// Whether it cannot be removed.
        pub delete_protected: bool,
        /// The quota that it consumes.
        pub quota: Option<QuotaId>,
        /// Who may migrate it.
        pub affinity: Affinity,
        /// The host that it belongs on.
        pub pinned_host: Option<HostId>,
        /// The time zone of its clock; empty for the usual.
        pub timezone: String,
        /// Which storage domain.
        pub domain: String,
        /// Whether its guest gets USB devices of the user.
        pub usb: bool,
        /// Whether its migrations go through a tunnel; none for what its cluster says.
        pub tunnel_migration: Option<bool>,
        /// Further properties by name.
        pub custom_properties: Vec<(String, String)>,
        /// How closely its CPU relates to its host's; none for the usual.
        #![serde(default, skip_serializing_if = "Option::is_none")]
        pub cpu_mode: Option<CpuMode>,
        /// Its virtual CPUs that run on chosen CPUs of their host.
        #![serde(default, skip_serializing_if = "Vec::is_empty")]
        pub vcpu_pins: Vec<VcpuPin>,
        /// Files that it finds when it boots.
        #![serde(default, skip_serializing_if = "Vec::is_empty")]
        pub payloads: Vec<Payload>,
        /// How USB devices reach its guest; none for the usual.
        #![serde(default, skip_serializing_if = "Option::is_none")]
        pub usb_type: Option<UsbType>,
        /// The system that it came from; none for this one.
        #![serde(default, skip_serializing_if = "Option::is_none")]
        pub origin: Option<Origin>,
        /// Whether it has a serial console.
        #![serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub console: bool,
        /// Whether it lacks the controller for disks by VirtIO-SCSI, which the usual VM has.
        #![serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub no_virtio_scsi: bool,
    }
}

impl Default for VmConfig {
    /// What Blank has (chapter 15, behaviour of a fresh installation).
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            comment: String::new(),
            cluster: crate::install::DEFAULT_CLUSTER,
            template: TemplateId(Uuid::nil()),
            kind: VmType::Desktop,
            memory: 1 << 30,
            memory_guaranteed: 0,
            ballooning: true,
            sockets: 1,
            cores: 1,
            cpu_shares: 0,
            os: "unassigned".into(),
            boot: vec![BootDevice::Hd],
            kernel: String::new(),
            initrd: String::new(),
            cmdline: String::new(),
            display: DisplayType::Spice,
            monitors: 1,
            single_qxl_pci: false,
            allow_override: false,
            smartcard: false,
            keyboard_layout: String::new(),
            highly_available: false,
            priority: 0,
            stateless: false,
            delete_protected: false,
            quota: None,
            affinity: Affinity::Migratable,
            pinned_host: None,
            timezone: String::new(),
            domain: String::new(),
            usb: false,
            tunnel_migration: None,
            custom_properties: Vec::new(),
            cpu_mode: None,
            vcpu_pins: Vec::new(),
            payloads: Vec::new(),
            usb_type: None,
            origin: None,
            console: false,
            no_virtio_scsi: false,
        }
    }
}

/// A virtual machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vm {
    /// Identifier.
    pub id: VmId,
    /// Version of the resource.
    pub version: u64,
    /// What a user says of it.
    pub config: VmConfig,
    /// Its network interfaces.
    pub nics: Vec<Nic>,
    /// Its disks, with how each is attached.
    pub disks: Vec<DiskAttachment>,
    /// The ISO file in the drive; empty where there is none.
    pub cdrom: String,
    /// The tags that it has.
    pub tags: Vec<TagId>,
    /// When it was made.
    pub created_at: Micros,
    /// How it stands.
    pub state: VmState,
    /// How it runs, while it has a place on a host; a suspended VM keeps none.
    pub run: Option<Box<Run>>,
    /// When it was last started.
    pub started_at: Option<Micros>,
    /// When it last went down.
    pub stopped_at: Option<Micros>,
}

impl Vm {
    /// Whether it is down.
    pub fn is_down(&self) -> bool {
        self.state == VmState::Down
    }

    /// Whether it has a place on a host.
    pub fn runs(&self) -> bool {
        self.run.is_some()
    }

    /// The host that it has a place on.
    pub fn host(&self) -> Option<HostId> {
        self.run.as_ref().map(|r| r.host)
    }

    /// The file that lies in the drive of what runs, or of what is to go on where it stopped; none while it is down.
    pub fn cd_in_use(&self) -> Option<&str> {
        let file = self.run.as_ref().map_or(&self.cdrom, |run| &run.cdrom);
        (!self.is_down() && !file.is_empty()).then_some(file)
    }

    /// Who may migrate it: as it is configured, or as this run was asked for; nobody, where its CPU is all of its host's.
    pub fn affinity(&self) -> Affinity {
        match self.config.cpu_mode {
            Some(CpuMode::HostPassthrough) => Affinity::Pinned,
            _ => self.run.as_ref().and_then(|run| run.overrides.affinity).unwrap_or(self.config.affinity),
        }
    }

    /// Virtual CPUs.
    pub fn vcpus(&self) -> u32 {
        self.config.sockets * self.config.cores
    }
}

/// A VM was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmCreated {
    /// Which VM.
    pub vm: VmId,
    /// What a user says of it.
    pub config: VmConfig,
}

fold!(VmCreated, new Vm vm, |e, world, at| {
    world.take_name(NameKind::Vm, &e.config.name, e.vm.0);
    world.cluster_vms.insert((e.config.cluster, e.vm));
    let vm = Vm {
        id: e.vm, version: at.version, config: e.config.clone(), nics: Vec::new(), disks: Vec::new(), cdrom: String::new(),
        tags: Vec::new(), created_at: at.at, state: VmState::Down, run: None, started_at: None, stopped_at: None,
    };
    world.vms.insert(e.vm, vm);
});

/// Changes a VM and its version, in a fold.
pub(crate) fn touch(world: &mut World, vm: VmId, at: &crate::event::EventMetadata, change: impl FnOnce(&mut Vm)) {
    world.vms.update(&vm, |v| {
        change(v);
        v.version = at.version;
    });
}

/// A VM was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmUpdated {
    /// Which VM.
    pub vm: VmId,
    /// What changes of it.
    pub changes: VmPatch,
}

fold!(VmUpdated, Vm vm, |e, world, at| {
    if let Some(old) = world.vms.get(&e.vm).map(|v| v.config.clone()) {
        if let Some(new) = &e.changes.name {
            world.rename(NameKind::Vm, &old.name, new, e.vm.0);
        }
        if let Some(new) = e.changes.cluster {
            world.cluster_vms.remove(&(old.cluster, e.vm));
            world.cluster_vms.insert((new, e.vm));
        }
    }
    touch(world, e.vm, at, |v| v.config.apply(&e.changes));
    let run = world.vms.get(&e.vm).and_then(|v| v.run.as_ref());
    for host in run.map(|run| run.hosts()).unwrap_or_default() {
        world.place(host, e.vm);
    }
});

/// A VM's removal began: its disks go first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmRemovalStarted {
    /// Which VM.
    pub vm: VmId,
    /// The job that does it.
    pub job: JobId,
}

fold!(VmRemovalStarted, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |v| v.state = VmState::ImageLocked);
});

/// A VM was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmRemoved {
    /// Which VM.
    pub vm: VmId,
    /// What it was called.
    pub name: String,
}

fold!(VmRemoved, Vm vm, |e, world, at| {
    if let Some(old) = world.vms.remove(&e.vm) {
        world.drop_name(NameKind::Vm, &old.config.name, e.vm.0);
        world.cluster_vms.remove(&(old.config.cluster, e.vm));
        world.to_restart.remove(&e.vm);
        for nic in &old.nics {
            world.drop_name(NameKind::Mac, &nic.mac, nic.id.0);
        }
        for attached in &old.disks {
            world.disks.update(&attached.disk, |d| d.vms.retain(|vm| *vm != e.vm));
        }
        if let Some(run) = &old.run {
            world.placed.leave(run.host, e.vm);
        }
    }
    world.close_stream(StreamKind::Vm, e.vm.0);
});

fn check_config(act: Act, world: &World, id: Option<VmId>, config: &VmConfig) -> Result<(), Rejection> {
    let windows = config.os.starts_with("windows");
    check::name(act, &config.name, if windows { check::WINDOWS_VM_NAME } else { check::VM_NAME })?;
    if world.exactly_named(NameKind::Vm, &config.name).is_some_and(|other| Some(VmId(other)) != id) {
        return Err(act.no(Key::NameAlreadyUsed));
    }
    for (field, text, limit) in [
        ("description", &config.description, check::MAX_DESCRIPTION),
        ("comment", &config.comment, check::MAX_TEXT),
        ("os.kernel", &config.kernel, check::MAX_TEXT),
        ("os.initrd", &config.initrd, check::MAX_TEXT),
        ("os.cmdline", &config.cmdline, check::MAX_TEXT),
        ("domain.name", &config.domain, check::MAX_DESCRIPTION),
        ("timezone", &config.timezone, check::MAX_DESCRIPTION),
        ("display.keyboard_layout", &config.keyboard_layout, 16),
    ] {
        check::text(act, field, text, limit)?;
    }
    if !time_zone::is_known(&config.timezone) {
        return Err(act.no(Key::InvalidTimezone).with("timezone", &config.timezone));
    }
    custom_property::check(act, &config.custom_properties)?;
    check_payloads(act, &config.payloads)?;
    let threads = world.cluster(config.cluster)?.config.threads_as_cores;
    let pinned = config.pinned_host.map(|host| world.host(host)).transpose()?;
    check::range(act, "memory", config.memory, MIN_MEMORY, MAX_MEMORY)?;
    check::range(act, "memory_policy.guaranteed", config.memory_guaranteed, 0, MAX_MEMORY)?;
    if config.memory_guaranteed > config.memory {
        return Err(act.no(Key::MemoryGuaranteeTooHigh));
    }
    check::range(act, "cpu.topology.sockets", config.sockets.into(), 1, i64::from(u16::MAX))?;
    check::range(act, "cpu.topology.cores", config.cores.into(), 1, i64::from(u16::MAX))?;
    for (value, max, key) in [
        (config.sockets * config.cores, MAX_VCPUS, Key::TooManyCpus),
        (config.sockets, MAX_SOCKETS, Key::TooManySockets),
        (config.cores, MAX_CORES, Key::TooManyCoresPerSocket),
    ] {
        if value > max {
            return Err(act.no(key).with("max", max));
        }
    }
    // What a host has is known once it was heard of.
    let host_cpus = pinned.map(|host| host.cpus(threads)).filter(|cpus| *cpus > 0);
    check_pins(act, &config.vcpu_pins, config.sockets * config.cores, host_cpus)?;
    check::range(act, "display.monitors", config.monitors.into(), 1, 4)?;
    check::range(act, "high_availability.priority", config.priority.into(), 0, 100)?;
    let data_center = world.data_center_of(config.cluster).map(|dc| dc.id);
    crate::quota::check_named(act, world, config.quota, data_center)?;
    check::range(act, "cpu_shares", config.cpu_shares.into(), 0, 1_000_000)?;
    if config.stateless && config.highly_available {
        return Err(act.no(Key::VmStatelessHa));
    }
    Ok(())
}

/// What it takes to say something of a VM that is not for its users to say: where it runs, and its custom properties.
fn administrative(changes: &VmPatch, on: EntityRef) -> impl Iterator<Item = (Permit, EntityRef)> {
    let custom = changes.custom_properties.as_ref().map(|_| (Permit::ChangeVmCustomProperties, on));
    let place = changes.pinned_host.flatten().map(|_| (Permit::EditAdminVmProperties, on));
    custom.into_iter().chain(place)
}

/// Creates a VM from a template: what the request does not say comes from there.
#[derive(Clone, Debug)]
pub struct CreateVm {
    /// Which cluster.
    pub cluster: ClusterId,
    /// What it is made of.
    pub template: TemplateId,
    /// The name, and whatever differs from the template.
    pub changes: VmPatch,
}

impl Decide for CreateVm {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "VM");
        let template = world.template(self.template)?;
        let mut config = template.config.clone();
        config.description.clear();
        config.comment.clear();
        config.usb = false;
        config.apply(&self.changes);
        config.cluster = self.cluster;
        config.template = self.template;
        config.memory_guaranteed = self.changes.memory_guaranteed.unwrap_or(config.memory_guaranteed.min(config.memory));
        check_config(act, world, None, &config)?;
        let vm: VmId = cx.fresh(0);
        Ok(vec![VmCreated { vm, config }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateVm, EntityRef::Cluster(self.cluster)))
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, EntityRef)> {
        let template = (Permit::CreateVm, EntityRef::Template(self.template));
        std::iter::once(template).chain(administrative(&self.changes, EntityRef::Cluster(self.cluster))).collect()
    }
}

/// Changes a VM. While it is not down only what does not touch the machine can change.
#[derive(Clone, Debug)]
pub struct UpdateVm {
    /// Which VM.
    pub vm: VmId,
    /// What changes of it.
    pub changes: VmPatch,
}

impl Decide for UpdateVm {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("update", "VM");
        let vm = world.vm(self.vm)?;
        let mut changes = self.changes.clone().reduce(&vm.config);
        changes.template = None;
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        if matches!(vm.state, VmState::ImageLocked) {
            return Err(act.no(Key::VmIsLocked));
        }
        let mut wanted = vm.config.clone();
        wanted.apply(&changes);
        if changes.memory.is_some() && changes.memory_guaranteed.is_none() {
            wanted.memory_guaranteed = wanted.memory_guaranteed.min(wanted.memory);
            if wanted.memory_guaranteed != vm.config.memory_guaranteed {
                changes.memory_guaranteed = Some(wanted.memory_guaranteed);
            }
        }
        check_config(act, world, Some(self.vm), &wanted)?;
        if wanted.no_virtio_scsi && vm.disks.iter().any(|disk| disk.interface == DiskInterface::VirtioScsi) {
            return Err(act.no(Key::VirtioScsiInUse));
        }
        if !vm.is_down() {
            let free = VmPatch {
                name: changes.name.clone(),
                description: changes.description.clone(),
                comment: changes.comment.clone(),
                delete_protected: changes.delete_protected,
                quota: changes.quota,
                priority: changes.priority,
                highly_available: changes.highly_available,
                os: changes.os.clone(),
                kind: changes.kind,
                boot: changes.boot.clone(),
                kernel: changes.kernel.clone(),
                initrd: changes.initrd.clone(),
                cmdline: changes.cmdline.clone(),
                keyboard_layout: changes.keyboard_layout.clone(),
                origin: changes.origin,
                ..Default::default()
            };
            if free != changes {
                return Err(act.no(Key::VmUpdateIllegalField));
            }
        }
        if let Some(cluster) = changes.cluster
            && world.cluster(cluster)?.config.data_center != world.cluster(vm.config.cluster)?.config.data_center
        {
            return Err(not_found(format_args!("Cluster: id={cluster}")));
        }
        // What runs is consumed from another quota from now on.
        let consumes = changes.quota.is_some() && vm.runs();
        let as_wanted = consumes.then(|| Vm { config: wanted, ..Vm::clone(vm) });
        let strained = as_wanted.map(|vm| crate::quota::consume_cluster(act, world, cx, &vm)).transpose()?.flatten();
        Ok(std::iter::once(VmUpdated { vm: self.vm, changes }.into()).chain(strained).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::EditVmProperties, EntityRef::Vm(self.vm)))
    }

    fn further_permits(&self, world: &World) -> Vec<(Permit, EntityRef)> {
        let Some(vm) = world.vms.get(&self.vm) else { return Vec::new() };
        let changes = self.changes.clone().reduce(&vm.config);
        let moved = changes.cluster.map(|cluster| (Permit::CreateVm, EntityRef::Cluster(cluster)));
        moved.into_iter().chain(administrative(&changes, EntityRef::Vm(self.vm))).collect()
    }
}

/// Removes a VM that is down, with its disks unless they are to be kept.
#[derive(Clone, Debug)]
pub struct RemoveVm {
    /// Which VM.
    pub vm: VmId,
    /// Whether the disks stay, floating.
    pub keep_disks: bool,
}

impl Decide for RemoveVm {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "VM");
        let vm = world.vm(self.vm)?;
        if vm.config.delete_protected {
            return Err(act.no(Key::DeleteProtected));
        }
        match vm.state {
            VmState::Down => {}
            VmState::ImageLocked => return Err(act.no(Key::VmIsLocked)),
            VmState::Suspended => return Err(act.no(Key::VmStatusIllegal).with("vmStatus", "suspended")),
            _ => return Err(act.no(Key::VmIsRunning)),
        }
        let removed = VmRemoved { vm: self.vm, name: vm.config.name.clone() };
        let (own, shared): (Vec<_>, Vec<_>) = vm
            .disks
            .iter()
            .filter_map(|d| world.disks.get(&d.disk))
            .partition(|d| !self.keep_disks && d.vms.iter().all(|other| *other == self.vm));
        if own.iter().chain(&shared).any(|d| d.status == crate::disk::DiskStatus::Locked) {
            return Err(act.no(Key::VmIsLocked));
        }
        let mut events: Vec<Event> = Vec::new();
        events.extend(shared.iter().map(|d| Event::from(DiskDetached { vm: self.vm, disk: d.id })));
        if own.is_empty() {
            events.push(removed.into());
            return Ok(events);
        }
        let job: JobId = cx.fresh(0);
        let description = format!("Removing VM {}", vm.config.name);
        events.push(VmRemovalStarted { vm: self.vm, job }.into());
        events.extend(own.iter().map(|d| Event::from(crate::disk::DiskRemovalStarted { disk: d.id })));
        events.push(JobOpened { job, description, task: Task::RemoveVm { vm: self.vm } }.into());
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::DeleteVm, EntityRef::Vm(self.vm)))
    }
}

/// Ends a VM's removal: the volumes of its disks are gone, or not; then the VM is there again, with disks that are illegal.
#[derive(Clone, Debug)]
pub struct FinishVmRemoval {
    /// The job that ends.
    pub job: JobId,
    /// Which VM.
    pub vm: VmId,
    /// Whether it came about, and if not why.
    pub outcome: Result<(), String>,
}

impl Decide for FinishVmRemoval {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        let vm = world.vms.get(&self.vm).filter(|vm| vm.state == VmState::ImageLocked);
        let disks = vm.iter().flat_map(|vm| &vm.disks).filter_map(|d| world.disks.get(&d.disk));
        match (vm, &self.outcome) {
            (Some(vm), Ok(())) => {
                for disk in disks {
                    events.push(DiskDetached { vm: self.vm, disk: disk.id }.into());
                    events.push(crate::disk::DiskRemoved { disk: disk.id, alias: disk.config.alias.clone() }.into());
                }
                events.push(VmRemoved { vm: self.vm, name: vm.config.name.clone() }.into());
            }
            (Some(_), Err(reason)) => {
                events.extend(disks.map(|d| crate::disk::DiskRemovalFailed { disk: d.id, reason: reason.clone() }.into()));
                let message = reason.clone();
                events.push(crate::vm_run::VmDown { vm: self.vm, host: None, error: false, message }.into());
            }
            (None, _) => {}
        }
        events.push(crate::job::JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}
