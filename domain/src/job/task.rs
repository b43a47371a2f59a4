//! What jobs do. One row describes a task: what it works on, its steps with what takes each back and which code tells that it failed, the
//! words of the use cases that leave it to do, how somebody asks for it, and what ends it where it came to nothing.
//!
//! The domain opens jobs by it, the reactors carry them out, the faces show them, and a test lets every step of every task fail once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EndJob;
use crate::access::EntityRef;
use crate::command::Decide;
use crate::context::Context;
use crate::data_center::{DataCenterPatch, UpdateDataCenter};
use crate::disk::*;
use crate::event::Event;
use crate::fence::*;
use crate::host::*;
use crate::host_net_setup::*;
use crate::hotplug::{Device, DeviceChange, FinishDeviceChange};
use crate::ids::*;
use crate::image::{FinishDiskExport, ImageFacts, StoredImage};
use crate::permit::Permit;
use crate::rejection::Rejection;
use crate::storage::*;
use crate::vm::*;
use crate::vm_run::*;
use crate::world::World;

/// One step of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What the API shows as its type.
    pub name: &'static str,
    /// What ends it.
    pub ends: Ends,
    /// The kinds of events of which one takes back what the request has changed, where the step fails. None where nothing was changed.
    pub undo: &'static [&'static str],
    /// What tells that it failed.
    pub told: Told,
}

/// What ends a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The answer of the driver.
    Answer,
    /// What is observed of the machine afterwards.
    Observed,
    /// What is observed of the machine afterwards: that it is gone, which is what was asked for.
    Gone,
    /// The decision that follows on the step before, so that this step cannot fail.
    Decision,
}

/// What the audit log says of a step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The end of the job is told, by one of these codes.
    ByEnd(&'static [u32]),
    /// What takes the step back is told, by one of these codes.
    ByUndo(&'static [u32]),
    /// Nothing is said, as the step cannot fail.
    Never,
}

impl Told {
    /// The codes of which one tells it.
    pub fn codes(self) -> &'static [u32] {
        match self {
            Self::ByEnd(codes) | Self::ByUndo(codes) => codes,
            Self::Never => &[],
        }
    }
}

/// A step that the driver's answer ends.
const fn step(name: &'static str, undo: &'static [&'static str], told: Told) -> Step {
    Step { name, ends: Ends::Answer, undo, told }
}

/// The step that waits for what is observed of a machine.
const fn wait(undo: &'static [&'static str], told: Told) -> Step {
    Step { name: "wait", ends: Ends::Observed, undo, told }
}

/// The step that waits until a machine is gone.
const fn gone(told: Told) -> Step {
    Step { name: "wait", ends: Ends::Gone, undo: &["VmUp"], told }
}

/// A command of any kind: one that asks for a task, or one that ends its job.
#[derive(Clone, Debug)]
pub struct AnyCommand(Arc<dyn Decide>);

impl AnyCommand {
    /// Such a command.
    pub fn new(command: impl Decide + 'static) -> Self {
        Self(Arc::new(command))
    }
}

impl Decide for AnyCommand {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        self.0.decide(world, cx)
    }

    fn permit(&self, world: &World) -> Option<(Permit, EntityRef)> {
        self.0.permit(world)
    }

    fn further_permits(&self, world: &World) -> Vec<(Permit, EntityRef)> {
        self.0.further_permits(world)
    }
}

/// Things on which every task can be asked for: what a test prepares to see each of them carried out.
#[derive(Clone, Debug)]
pub struct Scene {
    /// A data center whose storage has an old format, with everything below but what is said to be elsewhere.
    pub data_center: DataCenterId,
    /// A host that is up and runs a machine; another is up beside it.
    pub host: HostId,
    /// One of its interfaces, on which there is room for the network.
    pub host_nic: HostNicId,
    /// A network that no host of the cluster has.
    pub network: NetworkId,
    /// A host in maintenance, with power management.
    pub resting_host: HostId,
    /// A data domain that is active.
    pub domain: StorageDomainId,
    /// A data domain that is active and holds nothing.
    pub spare_domain: StorageDomainId,
    /// A data domain that is attached and in maintenance.
    pub resting_domain: StorageDomainId,
    /// A data domain that is attached nowhere.
    pub free_domain: StorageDomainId,
    /// Storage on which nothing lies.
    pub storage: Storage,
    /// An active data domain on logical units, in a data center of its own.
    pub block_domain: StorageDomainId,
    /// A host there.
    pub block_host: HostId,
    /// A logical unit on which nothing lies.
    pub lun: Lun,
    /// An image domain.
    pub images: StorageDomainId,
    /// An image that it keeps.
    pub image: ImageFacts,
    /// A VM that is down, with a disk of its own.
    pub vm: VmId,
    /// A VM that runs on the host.
    pub running: VmId,
    /// An interface that is plugged into it.
    pub nic: NicId,
    /// A disk that is plugged into it.
    pub plugged: DiskId,
    /// A disk that no VM has.
    pub disk: DiskId,
    /// A file of an ISO domain that is active.
    pub iso: String,
    /// A sealed secret.
    pub sealed: String,
    /// The sealed password of the resting host's root.
    pub sealed_password: String,
}

/// The commands that ask for a task.
macro_rules! asked {
    ($($command:expr),* $(,)?) => { vec![$(AnyCommand::new($command)),*] };
}

/// Steps in their order.
macro_rules! in_order {
    ($($step:expr),* $(,)?) => { const { &[$($step),*] } };
}

macro_rules! tasks {
    ($(
        $(#[$doc:meta])*
        $name:ident { $first:ident: $id:ty $(, $(#[$attr:meta])* $field:ident: $type:ty)* $(,)? } on $entity:ident;
        verbs $verbs:expr $(, of $named:expr)?;
        steps $steps:expr;
        asked |$scene:ident| $asked:expr;
        failed |$job:ident, $done:ident, $why:ident| $failed:expr;
    )*) => {
        /// What a job does.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)] // what a field is, its type says
        pub enum Task { $($(#[$doc])* $name { $first: $id $(, $(#[$attr])* $field: $type)* },)* }

        impl Task {
            /// How each kind of task is asked for on a scene, by the name of the kind.
            pub const ASKED: &'static [(&'static str, fn(&Scene) -> Vec<AnyCommand>)] = &[$((stringify!($name), |$scene| $asked),)*];

            /// The name of the kind.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name { .. } => stringify!($name),)* }
            }

            /// What it works on.
            pub fn object(&self) -> EntityRef {
                match self { $(Self::$name { $first, .. } => EntityRef::$entity(*$first),)* }
            }

            /// The steps in their order.
            #[allow(unused_variables)]
            pub fn steps(&self) -> &'static [Step] {
                match self { $(Self::$name { $first $(, $field)* } => $steps,)* }
            }

            /// The words of the use cases that leave it to do.
            #[allow(unused_variables)]
            pub fn verbs(&self) -> &'static [&'static str] {
                match self { $(Self::$name { $first $(, $field)* } => $verbs,)* }
            }

            /// What such a use case names: what it works on, and what belongs to it.
            #[allow(unused_variables, unused_mut)]
            pub fn named(&self) -> Vec<Uuid> {
                match self { $(Self::$name { $first $(, $field)* } => {
                    let mut named = vec![$first.0];
                    $(named = $named;)?
                    named
                })* }
            }

            /// What ends a job of it that came to nothing, after so many of its steps, and takes back what its request has changed.
            #[allow(unused_variables)]
            pub fn failed(&self, of: JobId, behind: usize, because: String) -> AnyCommand {
                match self { $(Self::$name { $first $(, $field)* } => {
                    let ($job, $done, $why) = (of, behind, because);
                    $failed
                })* }
            }
        }
    };
}

/// What tells that a host's status was set back.
const HOST_STATUS: &[&str] = &["HostStatusChanged"];
/// What tells that a storage domain is in a data center as it was before.
const ATTACHMENT: &[&str] = &["StorageDomainStatusChanged"];

tasks! {
    /// Installs what a host needs, and brings it into service.
    InstallHost { host: HostId } on Host;
    verbs &["install", "approve"];
    steps in_order![step("install", HOST_STATUS, Told::ByUndo(&[505])), step("connect", HOST_STATUS, Told::ByUndo(&[12, 522]))];
    asked |at| asked![InstallHost { host: at.resting_host, sealed_password: at.sealed_password.clone(), image: None }];
    failed |job, done, why| match done {
        0 => AnyCommand::new(ReportInstalled { host: *host, job, outcome: Err(why) }),
        _ => AnyCommand::new(ReportConnected { host: *host, job: Some(job), outcome: Err(why) }),
    };

    /// Brings a host into service.
    ActivateHost { host: HostId } on Host;
    verbs &["activate"];
    steps in_order![step("connect", HOST_STATUS, Told::ByEnd(&[18]))];
    asked |at| asked![ActivateHost { host: at.resting_host }];
    failed |job, done, why| AnyCommand::new(ReportConnected { host: *host, job: Some(job), outcome: Err(why) });

    /// Migrates every VM away from a host and takes it out of service.
    EvacuateHost { host: HostId } on Host;
    verbs &["deactivate"];
    steps in_order![
        step("migrate_vms", HOST_STATUS, Told::ByUndo(&[17, 602])),
        Step { name: "release", ends: Ends::Decision, undo: &[], told: Told::Never },
    ];
    asked |at| asked![DeactivateHost { host: at.host }];
    failed |job, done, why| AnyCommand::new(FinishEvacuation { host: *host, job, failure: Some(why) });

    /// Switches a host's power.
    FenceHost { host: HostId, fence: FenceType } on Host;
    verbs &["fence"];
    steps match fence {
        FenceType::Restart => in_order![
            step("stop", &["HostFenced"], Told::ByEnd(&[9002])),
            step("start", &["HostFenced"], Told::ByEnd(&[9002])),
        ],
        FenceType::Status => in_order![step("fence", &["HostFenced"], Told::ByUndo(&[9001]))],
        FenceType::Start | FenceType::Stop | FenceType::Manual => in_order![step("fence", &["HostFenced"], Told::ByEnd(&[9002]))],
    };
    asked |at| asked![
        FenceHost { host: at.resting_host, fence: FenceType::Restart },
        FenceHost { host: at.resting_host, fence: FenceType::Stop },
    ];
    failed |job, done, why| AnyCommand::new(FinishFence { host: *host, job, fence: *fence, failure: Some(why) });

    /// Lays networks and bonds upon a host's interfaces.
    SetUpHostNetworks { host: HostId, setup: NetworkSetup } on Host;
    verbs &["attach", "detach", "setupnetworks"];
    steps match &setup.change {
        NetworkChange::Setup | NetworkChange::Update { .. } => in_order![step("setup_networks", &[], Told::ByEnd(&[1103]))],
        NetworkChange::AddBond { .. } => in_order![step("setup_networks", &[], Told::ByEnd(&[925]))],
        NetworkChange::RemoveBond { .. } => in_order![step("setup_networks", &[], Told::ByEnd(&[927]))],
        NetworkChange::Attach { .. } => in_order![step("setup_networks", &[], Told::ByEnd(&[921]))],
        NetworkChange::Detach { .. } => in_order![step("setup_networks", &[], Told::ByEnd(&[923]))],
    };
    asked |at| asked![AttachHostNetwork { host: at.host, nic: at.host_nic, network: at.network }];
    failed |job, done, why| AnyCommand::new(FinishNetworkSetup { host: *host, job, outcome: Err(why) });

    /// Makes a host keep its networks over a reboot.
    SaveHostNetworks { host: HostId } on Host;
    verbs &["commitnetconfig"];
    steps in_order![step("save", &[], Told::ByEnd(&[1105]))];
    asked |at| asked![CommitHostNetworks { host: at.host }];
    failed |job, done, why| AnyCommand::new(FinishNetworkSave { host: *host, job, outcome: Err(why) });

    /// Tells a host what its configuration says of memory.
    TuneHost { host: HostId } on Host;
    verbs &[];
    steps in_order![step("set_memory_policy", &[], Told::ByEnd(&[105]))];
    asked |at| asked![UpdateHost { host: at.host, changes: HostPatch { ksm: Some(true), ..HostPatch::default() } }];
    failed |job, done, why| AnyCommand::new(EndJob { job, failure: Some(why) });

    /// Lays a new storage domain upon storage.
    CreateStorageDomain { domain: StorageDomainId, host: HostId, overwrite: bool } on StorageDomain;
    verbs &[];
    steps in_order![step("format", &["StorageDomainCreationFailed"], Told::ByUndo(&[957]))];
    asked |at| asked![CreateStorageDomain {
        config: StorageDomainConfig { name: "made".into(), description: String::new(), comment: String::new() },
        class: DomainClass::Data,
        storage: at.storage.clone(),
        format: Some(StorageFormat::V1),
        host: at.host,
        overwrite: false,
        mount: Ok(()),
    }];
    failed |job, done, why| AnyCommand::new(FinishStorageDomainCreation { job, domain: *domain, outcome: Err(why) });

    /// Makes a storage domain part of a data center, and usable there.
    AttachStorageDomain { domain: StorageDomainId, data_center: DataCenterId } on StorageDomain;
    verbs &[];
    steps in_order![
        step("attach", &["StorageDomainDetached"], Told::ByEnd(&[963, 1003])),
        step("activate", ATTACHMENT, Told::ByEnd(&[967])),
    ];
    asked |at| asked![AttachStorageDomain { domain: at.free_domain, data_center: at.data_center }];
    failed |job, done, why| AnyCommand::new(FinishStorageTask { job, domain: *domain, outcome: Err(why) });

    /// Makes a storage domain usable on the hosts of a data center.
    ActivateStorageDomain { domain: StorageDomainId, data_center: DataCenterId } on StorageDomain;
    verbs &["activate"], of vec![data_center.0, domain.0];
    steps in_order![step("activate", ATTACHMENT, Told::ByEnd(&[967]))];
    asked |at| asked![ActivateStorageDomain { domain: at.resting_domain, data_center: at.data_center }];
    failed |job, done, why| AnyCommand::new(FinishStorageTask { job, domain: *domain, outcome: Err(why) });

    /// Takes a storage domain out of use in a data center.
    DeactivateStorageDomain { domain: StorageDomainId, data_center: DataCenterId } on StorageDomain;
    verbs &["deactivate"], of vec![data_center.0, domain.0];
    steps in_order![step("deactivate", ATTACHMENT, Told::ByEnd(&[969]))];
    asked |at| asked![DeactivateStorageDomain { domain: at.spare_domain, data_center: at.data_center }];
    failed |job, done, why| AnyCommand::new(FinishStorageTask { job, domain: *domain, outcome: Err(why) });

    /// Takes a storage domain from a data center.
    DetachStorageDomain { domain: StorageDomainId, data_center: DataCenterId } on StorageDomain;
    verbs &[];
    steps in_order![step("detach", ATTACHMENT, Told::ByEnd(&[965]))];
    asked |at| asked![DetachStorageDomain { domain: at.resting_domain, data_center: at.data_center }];
    failed |job, done, why| AnyCommand::new(FinishStorageTask { job, domain: *domain, outcome: Err(why) });

    /// Lays a storage domain upon further logical units.
    ExtendStorageDomain { domain: StorageDomainId, host: HostId, luns: Vec<DomainLun> } on StorageDomain;
    verbs &[];
    steps in_order![step("extend", &["StorageConnectionRemoved"], Told::ByEnd(&[973]))];
    asked |at| asked![ExtendStorageDomain { domain: at.block_domain, host: at.block_host, luns: vec![at.lun.clone()] }];
    failed |job, done, why| {
        AnyCommand::new(FinishStorageDomainExtension { job, domain: *domain, luns: luns.clone(), outcome: Err(why) })
    };

    /// Wipes a storage domain, or lets go of it.
    RemoveStorageDomain { domain: StorageDomainId, host: HostId, format: bool } on StorageDomain;
    verbs &[];
    steps in_order![step("format", &["StorageDomainCreated"], Told::ByEnd(&[961]))];
    asked |at| asked![RemoveStorageDomain { domain: at.free_domain, host: Some(at.host), format: true, destroy: false }];
    failed |job, done, why| AnyCommand::new(FinishStorageDomainRemoval { job, domain: *domain, outcome: Err(why) });

    /// Rewrites the storage domains of a data center in a newer format.
    UpgradeStorage { data_center: DataCenterId, format: StorageFormat } on DataCenter;
    verbs &[];
    steps in_order![step("upgrade", &[], Told::ByEnd(&[1006]))];
    asked |at| asked![UpdateDataCenter {
        data_center: at.data_center,
        changes: DataCenterPatch::default(),
        format: Some(StorageFormat::V3),
    }];
    failed |job, done, why| AnyCommand::new(FinishStorageUpgrade {
        job,
        data_center: *data_center,
        format: *format,
        upgraded: Vec::new(),
        failure: Some(why),
    });

    /// Makes a disk's volume.
    CreateDisk { disk: DiskId } on Disk;
    verbs &[];
    steps in_order![step("create_volume", &["DiskCreationFailed"], Told::ByUndo(&[98, 2022]))];
    asked |at| asked![AddDisk {
        config: DiskConfig {
            alias: "made".into(),
            description: String::new(),
            size: 1 << 30,
            shareable: false,
            wipe_after_delete: false,
            propagate_errors: false,
            quota: None,
            interface: None,
            bootable: false,
        },
        format: DiskFormat::Cow,
        sparse: None,
        storage_domain: Some(at.domain),
        attach: None,
    }];
    failed |job, done, why| AnyCommand::new(FinishDiskCreation { job, disk: *disk, outcome: Err(why) });

    /// Makes a disk's volume larger.
    ExtendDisk { disk: DiskId, size: i64 } on Disk;
    verbs &[];
    steps in_order![step("extend_volume", &["DiskExtensionFailed"], Told::ByUndo(&[370]))];
    asked |at| asked![UpdateDisk { disk: at.disk, changes: DiskPatch { size: Some(2 << 30), ..DiskPatch::default() } }];
    failed |job, done, why| AnyCommand::new(FinishDiskExtension { job, disk: *disk, outcome: Err(why) });

    /// Deletes a disk's volume.
    RemoveDisk { disk: DiskId } on Disk;
    verbs &[];
    steps in_order![step("delete_volume", &["DiskRemovalFailed"], Told::ByEnd(&[2015]))];
    asked |at| asked![RemoveDisk { disk: at.disk }];
    failed |job, done, why| AnyCommand::new(FinishDiskRemoval { job, disk: *disk, outcome: Err(why) });

    /// Makes a disk of an image.
    ImportImage { disk: DiskId, from: StoredImage } on Disk;
    verbs &["import"], of vec![from.domain.0, from.image];
    steps in_order![step("download", &["DiskCreationFailed"], Told::ByUndo(&[2029]))];
    asked |at| asked![crate::image::ImportImage {
        from: at.images,
        image: at.image.id,
        to: at.domain,
        found: Ok(vec![at.image.clone()]),
    }];
    failed |job, done, why| AnyCommand::new(FinishDiskCreation { job, disk: *disk, outcome: Err(why) });

    /// Makes an image of a disk.
    ExportDisk { disk: DiskId, to: StoredImage } on Disk;
    verbs &["export"];
    steps in_order![step("upload", &["DiskExportFailed"], Told::ByUndo(&[2032]))];
    asked |at| asked![crate::image::ExportDisk { disk: at.disk, to: at.images }];
    failed |job, done, why| AnyCommand::new(FinishDiskExport { job, disk: *disk, outcome: Err(why) });

    /// Starts a VM, restores it, or lets it go on.
    StartVm { vm: VmId } on Vm;
    verbs &["start"];
    steps in_order![
        step("launch", &["VmStartFailed", "VmPaused"], Told::ByUndo(&[54])),
        wait(&["VmStartFailed", "VmDown"], Told::ByUndo(&[54, 119])),
    ];
    asked |at| asked![StartVm { vm: at.vm, ..StartVm::default() }];
    failed |job, done, why| AnyCommand::new(FailLaunch { vm: *vm, job, reason: why });

    /// Stops a VM at once.
    StopVm { vm: VmId } on Vm;
    verbs &["stop", "shutdown"]; // one that cannot be asked to shut down is stopped
    steps in_order![step("destroy", &["VmUp"], Told::ByEnd(&[56])), gone(Told::ByEnd(&[56]))];
    asked |at| asked![StopVm { vm: at.running }];
    failed |job, done, why| AnyCommand::new(EndJob { job, failure: Some(why) });

    /// Asks a VM's guest to shut down, and stops the VM where that takes too long.
    ShutdownVm { vm: VmId } on Vm;
    verbs &["shutdown"];
    steps in_order![step("shutdown", &["VmUp"], Told::ByEnd(&[74])), gone(Told::ByEnd(&[74]))];
    asked |at| asked![ShutdownVm { vm: at.running }];
    failed |job, done, why| AnyCommand::new(EndJob { job, failure: Some(why) });

    /// Reboots a VM.
    RebootVm { vm: VmId } on Vm;
    verbs &["reboot"];
    steps in_order![step("reboot", &["VmUp"], Told::ByEnd(&[158])), wait(&["VmDown"], Told::ByEnd(&[158]))];
    asked |at| asked![RebootVm { vm: at.running }];
    failed |job, done, why| AnyCommand::new(EndJob { job, failure: Some(why) });

    /// Saves a VM's state to storage and stops it.
    SuspendVm { vm: VmId } on Vm;
    verbs &["suspend"];
    steps in_order![step("save", &["VmUp"], Told::ByEnd(&[502])), wait(&["VmDown"], Told::ByEnd(&[502]))];
    asked |at| asked![SuspendVm { vm: at.running }];
    failed |job, done, why| AnyCommand::new(EndJob { job, failure: Some(why) });

    /// Moves a running VM to another host.
    MigrateVm { vm: VmId } on Vm;
    verbs &["migrate"];
    steps in_order![
        step("migrate", &["VmMigrationFailed"], Told::ByUndo(&[65, 140])),
        wait(&["VmDown", "VmMigrationFailed"], Told::ByUndo(&[65, 119, 140])),
    ];
    asked |at| asked![MigrateVm { vm: at.running, host: None, force: true }];
    failed |job, done, why| {
        let observed = Observed::MigrationFailed { cancelled: false, message: why };
        AnyCommand::new(ReportVm { vm: *vm, generation: None, observed })
    };

    /// Deletes the volumes of a VM's disks, and with them the VM.
    RemoveVm { vm: VmId } on Vm;
    verbs &[];
    steps in_order![step("delete_volumes", &["DiskRemovalFailed"], Told::ByEnd(&[59]))];
    asked |at| asked![RemoveVm { vm: at.vm, keep_disks: false }];
    failed |job, done, why| AnyCommand::new(FinishVmRemoval { job, vm: *vm, outcome: Err(why) });

    /// Makes a running machine have a device as the VM is configured. Of an interface that is rewired it says how that was before.
    ChangeDevice {
        vm: VmId,
        device: Device,
        change: DeviceChange,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Box<NicPatch>>,
    } on Vm;
    verbs match change {
        DeviceChange::Plug => &["activate"],
        DeviceChange::Unplug => &["deactivate"],
        DeviceChange::Rewire => &[],
    }, of vec![vm.0, match device {
        Device::Nic(nic) => nic.0,
        Device::Disk(disk) => disk.0,
    }];
    steps match (device, change) {
        (Device::Nic(_), DeviceChange::Plug) => in_order![step("change", &["NicUpdated"], Told::ByEnd(&[1013]))],
        (Device::Nic(_), DeviceChange::Unplug) => in_order![step("change", &["NicUpdated"], Told::ByEnd(&[1015]))],
        (Device::Nic(_), DeviceChange::Rewire) => in_order![step("change", &["NicUpdated"], Told::ByEnd(&[935]))],
        (Device::Disk(_), DeviceChange::Unplug) => in_order![step("change", &["DiskAttachmentUpdated"], Told::ByEnd(&[2003]))],
        (Device::Disk(_), _) => in_order![step("change", &["DiskAttachmentUpdated"], Told::ByEnd(&[2001]))],
    };
    asked |at| asked![
        UpdateNic { vm: at.running, nic: at.nic, changes: NicPatch { plugged: Some(false), ..NicPatch::default() } },
        UpdateNic { vm: at.running, nic: at.nic, changes: NicPatch { linked: Some(false), ..NicPatch::default() } },
        UpdateDiskAttachment { vm: at.running, disk: at.plugged, interface: None, bootable: None, active: Some(false) },
    ];
    failed |job, done, why| {
        AnyCommand::new(FinishDeviceChange { job, vm: *vm, device: *device, change: *change, outcome: Err(why) })
    };

    /// Changes the CD in a running machine's drive; no file is none.
    ChangeCd { vm: VmId, file: String } on Vm;
    verbs &[];
    steps in_order![step("change_cd", &[], Told::ByEnd(&[102]))];
    asked |at| asked![ChangeCdRom { vm: at.running, file: at.iso.clone(), current: true }];
    failed |job, done, why| AnyCommand::new(FinishCdChange { job, vm: *vm, file: file.clone(), outcome: Err(why) });

    /// Has a machine's console take a ticket, which is sealed.
    SetTicket { vm: VmId, sealed: String, expires_s: u32 } on Vm;
    verbs &["ticket"];
    steps in_order![step("set_ticket", &[], Told::ByEnd(&[165]))];
    asked |at| asked![SetTicket { vm: at.running, sealed: at.sealed.clone(), expires_s: 60 }];
    failed |job, done, why| AnyCommand::new(FinishTicket { job, vm: *vm, expires_s: *expires_s, outcome: Err(why) });
}
