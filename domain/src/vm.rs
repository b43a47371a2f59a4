//! Virtual machines: what they are (the guide's chapter 15). How they run is in `vm_run`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::Object;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::disk::DiskInterface;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::hotplug::{Device, DeviceChange, follow};
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
        pub enum $name { $(#[serde(rename = $text)] $variant,)* }

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
    /// Whether a VM may change its host.
    Affinity { Migratable "migratable", UserMigratable "user_migratable", Pinned "pinned" }
}
named! {
    /// The model of a NIC.
    NicInterface { Virtio "virtio", E1000 "e1000", Rtl8139 "rtl8139", Rtl8139Virtio "rtl8139_virtio" }
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
        pub name: String,
        pub description: String,
        pub comment: String,
        pub cluster: ClusterId,
        pub template: TemplateId,
        pub kind: VmType,
        /// In bytes.
        pub memory: i64,
        /// What a host has to have free for it, in bytes.
        pub memory_guaranteed: i64,
        pub ballooning: bool,
        pub sockets: u32,
        /// For each socket.
        pub cores: u32,
        pub cpu_shares: i32,
        pub os: String,
        pub boot: Vec<BootDevice>,
        pub kernel: String,
        pub initrd: String,
        pub cmdline: String,
        pub display: DisplayType,
        pub monitors: u32,
        pub single_qxl_pci: bool,
        pub allow_override: bool,
        pub smartcard: bool,
        pub keyboard_layout: String,
        pub highly_available: bool,
        pub priority: i32,
        pub stateless: bool,
        pub delete_protected: bool,
        /// The quota that it consumes.
        pub quota: Option<QuotaId>,
        pub affinity: Affinity,
        pub pinned_host: Option<HostId>,
        pub timezone: String,
        pub domain: String,
        pub usb: bool,
        pub tunnel_migration: Option<bool>,
        pub custom_properties: Vec<(String, String)>,
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
        }
    }
}

patchable! {
    /// What a user says of a VM's network interface.
    pub struct NicConfig, NicPatch {
        pub name: String,
        pub interface: NicInterface,
        pub profile: Option<VnicProfileId>,
        pub mac: String,
        pub linked: bool,
        pub plugged: bool,
    }
}

/// A network interface of a VM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nic {
    pub id: NicId,
    #[serde(flatten)]
    pub config: NicConfig,
}

impl std::ops::Deref for Nic {
    type Target = NicConfig;

    fn deref(&self) -> &NicConfig {
        &self.config
    }
}

/// A disk as a VM has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskAttachment {
    pub disk: DiskId,
    pub interface: crate::disk::DiskInterface,
    pub bootable: bool,
    /// Plugged.
    pub active: bool,
}

/// A virtual machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vm {
    pub id: VmId,
    pub version: u64,
    pub config: VmConfig,
    pub nics: Vec<Nic>,
    pub disks: Vec<DiskAttachment>,
    /// The ISO file in the drive; empty where there is none.
    pub cdrom: String,
    pub tags: Vec<TagId>,
    pub created_at: Micros,
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

    /// Virtual CPUs.
    pub fn vcpus(&self) -> u32 {
        self.config.sockets * self.config.cores
    }
}

/// A VM was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmCreated {
    pub vm: VmId,
    pub config: VmConfig,
}

fold!(VmCreated, Vm vm, |e, world, at| {
    world.take_name(NameKind::Vm, &e.config.name, e.vm.0);
    world.cluster_vms.insert((e.config.cluster, e.vm));
    let vm = Vm {
        id: e.vm, version: at.version, config: e.config.clone(), nics: Vec::new(), disks: Vec::new(), cdrom: String::new(),
        tags: Vec::new(), created_at: at.at, state: VmState::Down, run: None, started_at: None, stopped_at: None,
    };
    world.vms.insert(e.vm, vm);
});

/// Changes a VM and its version, in a fold.
pub(crate) fn touch(world: &mut World, vm: VmId, at: &crate::event::Stamp, change: impl FnOnce(&mut Vm)) {
    world.vms.update(&vm, |v| {
        change(v);
        v.version = at.version;
    });
}

/// A VM was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmUpdated {
    pub vm: VmId,
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
});

/// A VM's removal began: its disks go first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmRemovalStarted {
    pub vm: VmId,
    pub job: JobId,
}

fold!(VmRemovalStarted, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |v| v.state = VmState::ImageLocked);
});

/// A VM was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmRemoved {
    pub vm: VmId,
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
            world.placed.remove(&(run.host, e.vm));
        }
    }
    world.close_stream(StreamKind::Vm, e.vm.0);
});

/// A VM got a network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NicAdded {
    pub vm: VmId,
    pub nic: Nic,
}

fold!(NicAdded, Vm vm, |e, world, at| {
    world.take_name(NameKind::Mac, &e.nic.mac, e.nic.id.0);
    if let Some(mac) = mac_number(&e.nic.mac).filter(|mac| MAC_POOL.contains(mac)) {
        world.last_mac = mac;
    }
    touch(world, e.vm, at, |v| v.nics.push(e.nic.clone()));
});

/// A VM's network interface was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NicUpdated {
    pub vm: VmId,
    pub nic: NicId,
    pub changes: NicPatch,
}

fold!(NicUpdated, Vm vm, |e, world, at| {
    let old = world.vms.get(&e.vm).and_then(|v| v.nics.iter().find(|n| n.id == e.nic)).map(|n| n.mac.clone());
    if let (Some(old), Some(new)) = (old, &e.changes.mac) {
        world.rename(NameKind::Mac, &old, new, e.nic.0);
    }
    touch(world, e.vm, at, |v| {
        if let Some(nic) = v.nics.iter_mut().find(|n| n.id == e.nic) {
            nic.config.apply(&e.changes);
        }
    });
});

/// A VM lost a network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NicRemoved {
    pub vm: VmId,
    pub nic: NicId,
    pub name: String,
}

fold!(NicRemoved, Vm vm, |e, world, at| {
    let old = world.vms.get(&e.vm).and_then(|v| v.nics.iter().find(|n| n.id == e.nic)).map(|n| n.mac.clone());
    if let Some(mac) = old {
        world.drop_name(NameKind::Mac, &mac, e.nic.0);
    }
    touch(world, e.vm, at, |v| v.nics.retain(|n| n.id != e.nic));
});

/// A VM got a disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskAttached {
    pub vm: VmId,
    pub attachment: DiskAttachment,
}

fold!(DiskAttached, Vm vm, |e, world, at| {
    world.disks.update(&e.attachment.disk, |d| d.vms.push(e.vm));
    touch(world, e.vm, at, |v| v.disks.push(e.attachment));
});

/// How a VM has a disk was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskAttachmentUpdated {
    pub vm: VmId,
    pub attachment: DiskAttachment,
}

fold!(DiskAttachmentUpdated, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |v| {
        if let Some(old) = v.disks.iter_mut().find(|d| d.disk == e.attachment.disk) {
            *old = e.attachment;
        }
    });
});

/// A disk was taken from a VM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskDetached {
    pub vm: VmId,
    pub disk: DiskId,
}

fold!(DiskDetached, Vm vm, |e, world, at| {
    world.disks.update(&e.disk, |d| d.vms.retain(|vm| *vm != e.vm));
    touch(world, e.vm, at, |v| v.disks.retain(|d| d.disk != e.disk));
});

/// Another CD is in the drive: the configured one, and where `current` is set that of the running VM only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CdRomChanged {
    pub vm: VmId,
    /// File name; empty for none.
    pub file: String,
    pub current: bool,
}

fold!(CdRomChanged, Vm vm, |e, world, at| {
    touch(world, e.vm, at, |v| match (&mut v.run, e.current) {
        (Some(run), true) => run.cdrom = e.file.clone(),
        _ => v.cdrom = e.file.clone(),
    });
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
    world.cluster(config.cluster)?;
    if let Some(host) = config.pinned_host {
        world.host(host)?;
    }
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
fn administrative(changes: &VmPatch, on: Object) -> impl Iterator<Item = (Permit, Object)> {
    let custom = changes.custom_properties.as_ref().map(|_| (Permit::ChangeVmCustomProperties, on));
    let place = changes.pinned_host.flatten().map(|_| (Permit::EditAdminVmProperties, on));
    custom.into_iter().chain(place)
}

/// Creates a VM from a template: what the request does not say comes from there.
#[derive(Clone, Debug)]
pub struct CreateVm {
    pub cluster: ClusterId,
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

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::CreateVm, Object::Cluster(self.cluster)))
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, Object)> {
        let template = (Permit::CreateVm, Object::Template(self.template));
        std::iter::once(template).chain(administrative(&self.changes, Object::Cluster(self.cluster))).collect()
    }
}

/// Changes a VM. While it is not down only what does not touch the machine can change.
#[derive(Clone, Debug)]
pub struct UpdateVm {
    pub vm: VmId,
    pub changes: VmPatch,
}

impl Decide for UpdateVm {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
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
        Ok(vec![VmUpdated { vm: self.vm, changes }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::EditVmProperties, Object::Vm(self.vm)))
    }

    fn further_permits(&self, world: &World) -> Vec<(Permit, Object)> {
        let Some(vm) = world.vms.get(&self.vm) else { return Vec::new() };
        let changes = self.changes.clone().reduce(&vm.config);
        let moved = changes.cluster.map(|cluster| (Permit::CreateVm, Object::Cluster(cluster)));
        moved.into_iter().chain(administrative(&changes, Object::Vm(self.vm))).collect()
    }
}

/// Removes a VM that is down, with its disks unless they are to be kept.
#[derive(Clone, Debug)]
pub struct RemoveVm {
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

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::DeleteVm, Object::Vm(self.vm)))
    }
}

/// Ends a VM's removal: the volumes of its disks are gone, or not; then the VM is there again, with disks that are illegal.
#[derive(Clone, Debug)]
pub struct FinishVmRemoval {
    pub job: JobId,
    pub vm: VmId,
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
                events.extend(disks.map(|d| crate::disk::DiskCreationFailed { disk: d.id, reason: reason.clone() }.into()));
                let message = reason.clone();
                events.push(crate::vm_run::VmDown { vm: self.vm, host: None, error: false, message }.into());
            }
            (None, _) => {}
        }
        events.push(crate::job::JobEnded { job: self.job, failure: self.outcome.clone().err() }.into());
        Ok(events)
    }
}

/// The MAC addresses that the pool gives out.
pub const MAC_POOL: std::ops::RangeInclusive<u64> = 0x001a_4a16_0151..=0x001a_4aff_ffff;

fn mac_number(mac: &str) -> Option<u64> {
    let parts: Vec<&str> = mac.split(':').collect();
    if parts.len() != 6 || parts.iter().any(|p| p.len() != 2) {
        return None;
    }
    parts.iter().try_fold(0, |n, part| Some(n << 8 | u64::from(u8::from_str_radix(part, 16).ok()?)))
}

fn mac_text(mac: u64) -> String {
    mac.to_be_bytes()[2..].iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}

/// A given MAC address in lower case where it is unicast and free.
fn given_mac(act: Act, world: &World, mac: &str, nic: Option<NicId>) -> Result<String, Rejection> {
    let mac = mac.to_lowercase();
    if !mac_number(&mac).is_some_and(|n| n != 0 && n >> 40 & 1 == 0) {
        return Err(act.no(Key::MacInvalid).with("mac", mac));
    }
    if world.exactly_named(NameKind::Mac, &mac).is_some_and(|other| Some(NicId(other)) != nic) {
        return Err(act.no(Key::MacInUse).with("mac", mac));
    }
    Ok(mac)
}

/// The next free address of the pool behind the one given out last.
fn free_mac(act: Act, world: &World) -> Result<String, Rejection> {
    let start = if MAC_POOL.contains(&world.last_mac) { world.last_mac + 1 } else { *MAC_POOL.start() };
    (start..=*MAC_POOL.end())
        .chain(*MAC_POOL.start()..start)
        .map(mac_text)
        .find(|mac| world.exactly_named(NameKind::Mac, mac).is_none())
        .ok_or_else(|| act.no(Key::MacPoolEmpty))
}

fn check_nic(act: Act, world: &World, vm: &Vm, nic: Option<NicId>, config: &NicConfig) -> Result<(), Rejection> {
    check::name(act, &config.name, check::NIC_NAME)?;
    if vm.nics.iter().any(|n| Some(n.id) != nic && n.name == config.name) {
        return Err(act.no(Key::NicNameInUse).with("name", &config.name));
    }
    if let Some(profile) = config.profile {
        let network = world.vnic_profile(profile)?.network;
        let cluster = world.cluster(vm.config.cluster)?;
        if !cluster.networks.iter().any(|n| n.network == network) {
            let name = world.network(network)?.config.name.clone();
            return Err(act.no(Key::NetworkNotInCluster).with("network", name));
        }
    }
    Ok(())
}

/// In which states a VM's NICs may be added, changed and removed.
fn nic_state(act: Act, vm: &Vm) -> Result<(), Rejection> {
    match vm.state {
        VmState::Down | VmState::Up => Ok(()),
        state => Err(act.no(Key::VmStatusIllegal).with("vmStatus", state.name())),
    }
}

/// Gives a VM a network interface.
#[derive(Clone, Debug)]
pub struct AddNic {
    pub vm: VmId,
    /// An empty MAC address is replaced by one of the pool.
    pub config: NicConfig,
}

impl Decide for AddNic {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "Network Interface");
        let vm = world.vm(self.vm)?;
        nic_state(act, vm)?;
        check_nic(act, world, vm, None, &self.config)?;
        check::range(act, "nics", vm.nics.len() as i64, 0, MAX_DEVICES as i64 - 1)?;
        let mut config = self.config.clone();
        config.mac = if config.mac.is_empty() { free_mac(act, world)? } else { given_mac(act, world, &config.mac, None)? };
        let nic = Nic { id: cx.fresh(0), config };
        let plugs = nic.plugged.then(|| follow(cx, 1, vm, Device::Nic(nic.id), DeviceChange::Plug)).flatten();
        Ok(std::iter::once(NicAdded { vm: self.vm, nic }.into()).chain(plugs).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ConfigureVmNetwork, Object::Vm(self.vm)))
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, Object)> {
        self.config.profile.iter().map(|profile| (Permit::ConfigureVmNetwork, Object::VnicProfile(*profile))).collect()
    }
}

fn nic_of(vm: &Vm, nic: NicId) -> Result<&Nic, Rejection> {
    vm.nics.iter().find(|n| n.id == nic).ok_or_else(|| not_found(format_args!("NIC: id={nic}")))
}

/// Changes a VM's network interface.
#[derive(Clone, Debug)]
pub struct UpdateNic {
    pub vm: VmId,
    pub nic: NicId,
    pub changes: NicPatch,
}

impl Decide for UpdateNic {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("update", "Network Interface");
        let vm = world.vm(self.vm)?;
        let nic = nic_of(vm, self.nic)?;
        let mut changes = self.changes.clone();
        if let Some(mac) = &mut changes.mac {
            *mac = given_mac(act, world, mac, Some(self.nic))?;
        }
        let changes = changes.reduce(&nic.config);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        nic_state(act, vm)?;
        let mut wanted = nic.config.clone();
        wanted.apply(&changes);
        check_nic(act, world, vm, Some(self.nic), &wanted)?;
        let stays = nic.plugged && wanted.plugged;
        if !vm.is_down() && stays && (changes.mac.is_some() || changes.interface.is_some()) {
            return Err(act.no(Key::HotUpdate));
        }
        let change = match changes.plugged {
            Some(plugged) => Some(DeviceChange::to(plugged)),
            None => (stays && (changes.profile.is_some() || changes.linked.is_some())).then_some(DeviceChange::Rewire),
        };
        let job = change.and_then(|change| follow(cx, 0, vm, Device::Nic(self.nic), change));
        Ok(std::iter::once(NicUpdated { vm: self.vm, nic: self.nic, changes }.into()).chain(job).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ConfigureVmNetwork, Object::Vm(self.vm)))
    }

    fn further_permits(&self, world: &World) -> Vec<(Permit, Object)> {
        let nics = world.vms.get(&self.vm).into_iter().flat_map(|vm| vm.nics.iter());
        let old = nics.filter(|nic| nic.id == self.nic).find_map(|nic| nic.profile);
        let new = self.changes.profile.flatten().filter(|new| Some(*new) != old);
        new.into_iter().map(|profile| (Permit::ConfigureVmNetwork, Object::VnicProfile(profile))).collect()
    }
}

/// Takes a network interface from a VM.
#[derive(Clone, Debug)]
pub struct RemoveNic {
    pub vm: VmId,
    pub nic: NicId,
}

impl Decide for RemoveNic {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Network Interface");
        let vm = world.vm(self.vm)?;
        let nic = nic_of(vm, self.nic)?;
        nic_state(act, vm)?;
        if !vm.is_down() && nic.plugged {
            return Err(act.no(Key::VmIsRunning));
        }
        Ok(vec![NicRemoved { vm: self.vm, nic: self.nic, name: nic.name.clone() }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ConfigureVmNetwork, Object::Vm(self.vm)))
    }
}

/// Attaches an existing disk to a VM.
#[derive(Clone, Debug)]
pub struct AttachDisk {
    pub vm: VmId,
    pub attachment: DiskAttachment,
}

impl Decide for AttachDisk {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("attach", "VM Disk");
        let vm = world.vm(self.vm)?;
        let disk = world.disk(self.attachment.disk)?;
        if disk.vms.contains(&self.vm) {
            return Err(act.no(Key::DiskAttachedAlready));
        }
        if !disk.vms.is_empty() && !disk.config.shareable {
            return Err(act.no(Key::DiskNotShareable));
        }
        let domain = world.storage_domain(disk.storage_domain)?;
        if domain.attachment().map(|a| a.data_center) != world.cluster(vm.config.cluster)?.config.data_center {
            return Err(act.no(Key::DiskElsewhere));
        }
        if disk.status != crate::disk::DiskStatus::Ok {
            return Err(act.no(Key::DiskLocked).with("disk", &disk.config.alias));
        }
        check_attachment(act, vm, &self.attachment)?;
        let plugs = self.attachment.active.then(|| follow(cx, 0, vm, Device::Disk(disk.id), DeviceChange::Plug)).flatten();
        Ok(std::iter::once(DiskAttached { vm: self.vm, attachment: self.attachment }.into()).chain(plugs).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::AttachDisk, Object::Disk(self.attachment.disk)))
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, Object)> {
        vec![(Permit::ConfigureVmStorage, Object::Vm(self.vm))]
    }
}

/// The rules of having a disk: one that boots, not too many, a VM that is not locked.
pub(crate) fn check_attachment(act: Act, vm: &Vm, attachment: &DiskAttachment) -> Result<(), Rejection> {
    if attachment.bootable && vm.disks.iter().any(|d| d.bootable && d.disk != attachment.disk) {
        return Err(act.no(Key::DiskBootInUse));
    }
    if !vm.is_down() && attachment.active && attachment.interface == DiskInterface::Ide {
        return Err(act.no(Key::HotPlugNotVirtio));
    }
    let others = vm.disks.iter().filter(|d| d.disk != attachment.disk).count();
    check::range(act, "disks", others as i64, 0, MAX_DEVICES as i64 - 1)?;
    match vm.state {
        VmState::Down | VmState::Up | VmState::Paused => Ok(()),
        VmState::ImageLocked => Err(act.no(Key::VmIsLocked)),
        state => Err(act.no(Key::VmStatusIllegal).with("vmStatus", state.name())),
    }
}

/// Changes how a VM has a disk: its interface, whether it boots, whether it is plugged.
#[derive(Clone, Debug)]
pub struct UpdateDiskAttachment {
    pub vm: VmId,
    pub disk: DiskId,
    pub interface: Option<crate::disk::DiskInterface>,
    pub bootable: Option<bool>,
    pub active: Option<bool>,
}

impl Decide for UpdateDiskAttachment {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("edit", "VM Disk");
        let vm = world.vm(self.vm)?;
        let old =
            vm.disks.iter().find(|d| d.disk == self.disk).ok_or_else(|| not_found(format_args!("Disk: id={}", self.disk)))?;
        let new = DiskAttachment {
            disk: self.disk,
            interface: self.interface.unwrap_or(old.interface),
            bootable: self.bootable.unwrap_or(old.bootable),
            active: self.active.unwrap_or(old.active),
        };
        if new == *old {
            return Ok(Vec::new());
        }
        if !vm.is_down() && (new.interface, new.bootable) != (old.interface, old.bootable) {
            return Err(act.no(Key::VmIsRunning));
        }
        check_attachment(act, vm, &new)?;
        let job = (new.active != old.active)
            .then(|| follow(cx, 0, vm, Device::Disk(self.disk), DeviceChange::to(new.active)))
            .flatten();
        Ok(std::iter::once(DiskAttachmentUpdated { vm: self.vm, attachment: new }.into()).chain(job).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ConfigureVmStorage, Object::Vm(self.vm)))
    }
}

/// Takes a disk from a VM; the disk stays, floating.
#[derive(Clone, Debug)]
pub struct DetachDisk {
    pub vm: VmId,
    pub disk: DiskId,
}

impl Decide for DetachDisk {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("detach", "VM Disk");
        let vm = world.vm(self.vm)?;
        let old =
            vm.disks.iter().find(|d| d.disk == self.disk).ok_or_else(|| not_found(format_args!("Disk: id={}", self.disk)))?;
        if vm.state == VmState::ImageLocked {
            return Err(act.no(Key::VmIsLocked));
        }
        if !vm.is_down() && old.active {
            return Err(act.no(Key::VmIsRunning));
        }
        Ok(vec![DiskDetached { vm: self.vm, disk: self.disk }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ConfigureVmStorage, Object::Vm(self.vm)))
    }
}

/// Puts a CD into the drive, or takes it out.
#[derive(Clone, Debug)]
pub struct ChangeCdRom {
    pub vm: VmId,
    /// File name; empty for none.
    pub file: String,
    /// Whether only the running VM's drive changes.
    pub current: bool,
}

impl Decide for ChangeCdRom {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("change CD of", "VM");
        let vm = world.vm(self.vm)?;
        match vm.state {
            _ if !self.current => {}
            VmState::Up | VmState::Paused => {}
            _ if vm.run.is_none() => return Err(act.no(Key::VmIsNotRunning)),
            state => return Err(act.no(Key::VmStatusIllegal).with("vmStatus", state.name())),
        }
        if !self.file.is_empty() {
            iso_file(act, world, vm.config.cluster, &self.file)?;
        }
        if !self.current && vm.cdrom == self.file {
            return Ok(Vec::new());
        }
        Ok(vec![CdRomChanged { vm: self.vm, file: self.file.clone(), current: self.current }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, Object)> {
        Some((Permit::ChangeVmCd, Object::Vm(self.vm)))
    }
}

/// The ISO domain that has a file, for the VMs of a cluster.
pub fn iso_file(act: Act, world: &World, cluster: ClusterId, file: &str) -> Result<StorageDomainId, Rejection> {
    let data_center = world.cluster(cluster)?.config.data_center;
    let iso = world
        .storage_domains
        .values()
        .find(|d| d.class == crate::storage::DomainClass::Iso && data_center.is_some_and(|id| d.is_active_in(id)))
        .ok_or_else(|| act.no(Key::VmNoIsoDomain))?;
    if iso.files.iter().any(|f| f.name == file) { Ok(iso.id) } else { Err(act.no(Key::IsoNotFound).with("file", file)) }
}
