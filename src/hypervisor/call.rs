//! What the engine asks of a driver, and what it can answer.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::facts::*;

/// One thing to do or to tell.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum DriverCall {
    /// What is at this address? Answers [`Reply::Host`].
    Probe {
        /// IP address or host name.
        address: String,
        /// The password of root; none for a host that is already trusted.
        root_password: Option<String>,
    },
    /// Makes a host a hypervisor and binds it to an id. Answers [`Reply::Host`].
    Install {
        /// The id to bind.
        host: Uuid,
        /// IP address or host name.
        address: String,
        /// The password of root; none for a node that registered itself.
        root_password: Option<String>,
        /// How.
        how: Installation,
    },
    /// Binds a host that is installed, or binds it again. Answers [`Reply::Host`].
    Connect {
        /// The id to bind.
        host: Uuid,
        /// IP address or host name.
        address: String,
    },
    /// Forgets a host that runs nothing. Answers [`Reply::Done`], also when it does not answer.
    Disconnect {
        /// The host.
        host: Uuid,
    },
    /// Lays bonds and logical networks upon a host's interfaces, in place of those it had. They hold until the next reboot,
    /// and longer once they are saved. Answers [`Reply::Host`].
    SetupNetworks {
        /// The host.
        host: Uuid,
        /// All bonds that the host is to have.
        bonds: Vec<BondSpec>,
        /// All networks that the host is to have.
        networks: Vec<NetworkAttachment>,
        /// Takes the change back, and fails, where it cuts the host off for so many seconds. Without it such a host is cut off.
        rollback_s: Option<u32>,
    },
    /// Makes a host keep its networks over a reboot. Answers [`Reply::Done`].
    SaveNetworks {
        /// The host.
        host: Uuid,
    },
    /// Whether a host looks for equal pages of memory, uses huge ones, and takes memory back from guests. Answers [`Reply::Done`].
    SetMemoryPolicy {
        /// The host.
        host: Uuid,
        /// Whether equal pages are kept once.
        ksm: bool,
        /// Whether huge pages are used.
        huge_pages: bool,
        /// Whether guests with a balloon give memory back where there is too little.
        ballooning: bool,
    },
    /// Switches a host's power through one of its agents. Answers [`Reply::Power`] with the state after the action.
    Fence {
        /// The host that is switched.
        host: Uuid,
        /// The host that reaches the agent; none for the engine's own machine.
        proxy: Option<Uuid>,
        /// Its power management agent.
        agent: FenceAgent,
        /// What to do.
        action: FenceAction,
    },

    /// Can the host reach this storage, and what lies there? Answers [`Reply::Storage`].
    CheckStorage {
        /// The host that looks.
        host: Uuid,
        /// The storage.
        storage: StorageSpec,
    },
    /// Lays a storage domain upon empty storage. Answers [`Reply::Space`].
    CreateDomain {
        /// The host that writes.
        host: Uuid,
        /// The new domain's id.
        domain: Uuid,
        /// The name that is written into it.
        name: String,
        /// The storage.
        storage: StorageSpec,
        /// What it is for.
        class: DomainClass,
        /// The version of its layout.
        format: StorageFormat,
        /// Whether what lies there is overwritten.
        overwrite: bool,
    },
    /// Makes a storage domain a member of a data center's pool. Answers [`Reply::Done`].
    AttachDomain {
        /// The host that writes.
        host: Uuid,
        /// The data center.
        pool: Uuid,
        /// The domain.
        domain: Uuid,
    },
    /// Ends the membership. Answers [`Reply::Done`].
    DetachDomain {
        /// The host that writes.
        host: Uuid,
        /// The data center.
        pool: Uuid,
        /// The domain.
        domain: Uuid,
    },
    /// Connects hosts to a storage domain, in addition to those that are. Answers [`Reply::Activated`].
    ActivateDomain {
        /// The hosts to connect; a host that came up later is connected by a further call.
        hosts: Vec<Uuid>,
        /// The domain.
        domain: Uuid,
        /// Its storage.
        storage: StorageSpec,
    },
    /// Disconnects hosts from a storage domain of which they use nothing. Answers [`Reply::Done`].
    DeactivateDomain {
        /// The hosts: all those of a data center.
        hosts: Vec<Uuid>,
        /// The domain.
        domain: Uuid,
    },
    /// Rewrites what an active storage domain keeps of itself in a newer format; one that has it already stays as it is. Answers
    /// [`Reply::Done`].
    UpgradeDomain {
        /// The host that writes.
        host: Uuid,
        /// The domain.
        domain: Uuid,
        /// The format.
        format: StorageFormat,
    },
    /// Lays a storage domain upon further logical units that are empty. Answers [`Reply::Space`].
    ExtendDomain {
        /// The host that writes.
        host: Uuid,
        /// The domain.
        domain: Uuid,
        /// All its storage, the new units behind the old ones.
        storage: StorageSpec,
    },
    /// Wipes a detached storage domain: its storage is empty again. Answers [`Reply::Done`].
    FormatDomain {
        /// The host that writes.
        host: Uuid,
        /// The domain.
        domain: Uuid,
    },
    /// Answers [`Reply::Space`].
    DomainSpace {
        /// The domain.
        domain: Uuid,
    },
    /// Answers [`Reply::Files`]: CD and floppy images.
    ListFiles {
        /// An ISO domain.
        domain: Uuid,
    },
    /// Asks an iSCSI portal for its targets. Answers [`Reply::Targets`].
    DiscoverTargets {
        /// The host that asks.
        host: Uuid,
        /// The portal.
        portal: Portal,
        /// CHAP user, where one is given: a portal that wants CHAP of those who log in tells its targets to anyone else.
        user: Option<String>,
        /// CHAP password.
        password: Option<String>,
    },
    /// Logs a host into an iSCSI target. Answers [`Reply::Done`].
    LoginTarget {
        /// The host that logs in.
        host: Uuid,
        /// The portal.
        portal: Portal,
        /// The target's qualified name.
        target: String,
        /// CHAP user, where the target wants one.
        user: Option<String>,
        /// CHAP password.
        password: Option<String>,
    },
    /// Answers [`Reply::Luns`]: what the host sees by Fibre Channel and by the iSCSI targets that it logged into.
    ListLuns {
        /// The host that looks.
        host: Uuid,
    },
    /// Makes a host the pool manager of a data center. Answers [`Reply::Done`].
    StartSpm {
        /// The host.
        host: Uuid,
        /// The data center.
        pool: Uuid,
    },
    /// Ends that. Answers [`Reply::Done`].
    StopSpm {
        /// The host.
        host: Uuid,
        /// The data center.
        pool: Uuid,
    },

    /// Makes a volume. Answers [`Reply::Volume`].
    CreateVolume {
        /// The new volume.
        volume: VolumeRef,
        /// The volume of the same disk that it lies upon, for a snapshot.
        parent: Option<Uuid>,
        /// Size that the guest sees.
        size_bytes: u64,
        /// Its format.
        format: VolumeFormat,
        /// Takes room only as it is written.
        sparse: bool,
    },
    /// Deletes one volume that none lies upon. Answers [`Reply::Done`].
    DeleteVolume {
        /// The volume.
        volume: VolumeRef,
    },
    /// Deletes a disk with all its volumes. Answers [`Reply::Done`].
    DeleteDisk {
        /// The storage domain.
        domain: Uuid,
        /// The disk.
        disk: Uuid,
    },
    /// Makes a volume larger, live where it is in use. Answers [`Reply::Volume`].
    ExtendVolume {
        /// The volume.
        volume: VolumeRef,
        /// The new size.
        size_bytes: u64,
    },
    /// Copies what the guest sees of a volume into a new one without a parent. Answers [`Reply::Volume`].
    CopyVolume {
        /// The volume to copy.
        from: VolumeRef,
        /// The new volume.
        to: VolumeRef,
        /// The new volume's format.
        format: VolumeFormat,
        /// Whether the new one takes room only as it is written.
        sparse: bool,
    },
    /// Merges a volume into the one that it lies upon, live where it is in use; the upper one is gone. Answers
    /// [`Reply::Volume`] of the lower one.
    MergeVolume {
        /// The upper volume.
        volume: VolumeRef,
    },
    /// Answers [`Reply::Volumes`].
    ListVolumes {
        /// The storage domain.
        domain: Uuid,
    },

    /// What service of images is at this address? Answers [`Reply::ImageService`].
    FindImageService {
        /// The address.
        address: String,
    },
    /// Answers [`Reply::Images`].
    ListImages {
        /// The service's address.
        service: String,
    },
    /// Makes a volume of an image, in the image's format. Answers [`Reply::Volume`].
    ImportImage {
        /// The service's address.
        service: String,
        /// The image.
        image: Uuid,
        /// The new volume.
        volume: VolumeRef,
        /// Whether the new one takes room only as it is written.
        sparse: bool,
    },
    /// Makes an image of a volume that no machine uses. Answers [`Reply::Done`].
    ExportImage {
        /// The volume.
        volume: VolumeRef,
        /// The service's address.
        service: String,
        /// The new image's id.
        image: Uuid,
        /// Its name.
        name: String,
    },

    /// Starts a virtual machine; it powers up, or is paused where the spec says so. Answers [`Reply::Done`].
    /// Launching what already runs there with the same generation changes nothing.
    Launch {
        /// Where.
        host: Uuid,
        /// What.
        vm: Box<VmSpec>,
    },
    /// Goes on with a paused one. Answers [`Reply::Done`].
    Resume {
        /// The virtual machine.
        vm: Uuid,
    },
    /// Answers [`Reply::Done`].
    Pause {
        /// The virtual machine.
        vm: Uuid,
    },
    /// Asks the guest to shut down. Answers [`Reply::Done`]; the end is observed.
    Shutdown {
        /// The virtual machine.
        vm: Uuid,
    },
    /// Pulls the plug, and forgets what [`DriverCall::ListVms`] remembers of one that went down. Answers [`Reply::Done`].
    Destroy {
        /// The virtual machine.
        vm: Uuid,
    },
    /// Asks the guest to reboot. Answers [`Reply::Done`].
    Reboot {
        /// The virtual machine.
        vm: Uuid,
    },
    /// Saves the memory to storage and frees the host. Answers [`Reply::Done`]; the end is observed.
    Suspend {
        /// The virtual machine.
        vm: Uuid,
        /// The storage domain that takes the memory.
        domain: Uuid,
    },
    /// Launches from saved memory, which is used up by it. Answers [`Reply::Done`]; the end is observed.
    Restore {
        /// Where.
        host: Uuid,
        /// What.
        vm: Box<VmSpec>,
    },
    /// Throws saved memory away. Answers [`Reply::Done`].
    DiscardSavedState {
        /// The virtual machine.
        vm: Uuid,
    },
    /// Moves a running one. Answers [`Reply::Done`]; progress and end are observed.
    Migrate {
        /// The virtual machine.
        vm: Uuid,
        /// Where it runs.
        from: Uuid,
        /// Where it shall run.
        to: Uuid,
    },
    /// Answers [`Reply::Done`]; the end is observed as a failed migration.
    CancelMigration {
        /// The virtual machine.
        vm: Uuid,
    },
    /// Sets the password of the console. Answers [`Reply::Done`].
    SetTicket {
        /// The virtual machine.
        vm: Uuid,
        /// The password.
        value: String,
        /// How long it is good for.
        expiry_s: u64,
    },
    /// Answers [`Reply::Done`].
    HotplugDisk {
        /// The virtual machine.
        vm: Uuid,
        /// The disk.
        disk: DiskSpec,
    },
    /// Answers [`Reply::Done`].
    HotunplugDisk {
        /// The virtual machine.
        vm: Uuid,
        /// The disk.
        disk: Uuid,
    },
    /// Plugs an interface in. Answers [`Reply::Done`].
    HotplugNic {
        /// The virtual machine.
        vm: Uuid,
        /// The interface.
        nic: NicSpec,
    },
    /// Changes network or link of a plugged interface. Answers [`Reply::Done`].
    UpdateNic {
        /// The virtual machine.
        vm: Uuid,
        /// The interface as it is to be.
        nic: NicSpec,
    },
    /// Answers [`Reply::Done`].
    HotunplugNic {
        /// The virtual machine.
        vm: Uuid,
        /// The interface.
        nic: Uuid,
    },
    /// Changes the CD; none ejects. Answers [`Reply::Done`].
    ChangeCd {
        /// The virtual machine.
        vm: Uuid,
        /// The CD.
        cd: Option<FileRef>,
    },
    /// Lays new volumes upon those of a virtual machine at one instant. Answers [`Reply::Volumes`], the new ones.
    Snapshot {
        /// The virtual machine, running or not.
        vm: Uuid,
        /// The disks.
        disks: Vec<SnapshotDisk>,
        /// The new volume that takes the memory, where memory is wanted and the virtual machine runs.
        memory: Option<VolumeRef>,
        /// Freezes the guest's file systems meanwhile.
        quiesce: bool,
    },
    /// Goes back: all volumes above the given ones are gone. The virtual machine must not run. Answers
    /// [`Reply::Done`].
    Revert {
        /// The virtual machine.
        vm: Uuid,
        /// Per disk, the volume that shall be the uppermost.
        volumes: Vec<VolumeRef>,
    },
    /// Freezes the guest's file systems. Answers [`Reply::Done`].
    Freeze {
        /// The virtual machine.
        vm: Uuid,
    },
    /// Thaws them. Answers [`Reply::Done`].
    Thaw {
        /// The virtual machine.
        vm: Uuid,
    },

    /// Answers [`Reply::Vms`]: what the host runs, and what went down by itself and was not destroyed since.
    ListVms {
        /// The host.
        host: Uuid,
    },
}

/// The kinds of [`DriverCall`]; in text they are written in snake case: `create_domain`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is named after its call")]
pub enum CallKind {
    Probe,
    Install,
    Connect,
    Disconnect,
    SetupNetworks,
    SaveNetworks,
    SetMemoryPolicy,
    Fence,
    CheckStorage,
    CreateDomain,
    AttachDomain,
    DetachDomain,
    ActivateDomain,
    DeactivateDomain,
    UpgradeDomain,
    ExtendDomain,
    FormatDomain,
    DomainSpace,
    ListFiles,
    DiscoverTargets,
    LoginTarget,
    ListLuns,
    StartSpm,
    StopSpm,
    CreateVolume,
    DeleteVolume,
    DeleteDisk,
    ExtendVolume,
    CopyVolume,
    MergeVolume,
    ListVolumes,
    FindImageService,
    ListImages,
    ImportImage,
    ExportImage,
    Launch,
    Resume,
    Pause,
    Shutdown,
    Destroy,
    Reboot,
    Suspend,
    Restore,
    DiscardSavedState,
    Migrate,
    CancelMigration,
    SetTicket,
    HotplugDisk,
    HotunplugDisk,
    HotplugNic,
    UpdateNic,
    HotunplugNic,
    ChangeCd,
    Snapshot,
    Revert,
    Freeze,
    Thaw,
    ListVms,
}

impl CallKind {
    /// Calls that change nothing: they are not remembered, and the same id asks afresh.
    pub fn only_reads(self) -> bool {
        use CallKind::*;
        matches!(
            self,
            Probe
                | CheckStorage
                | DomainSpace
                | ListFiles
                | DiscoverTargets
                | ListLuns
                | ListVolumes
                | FindImageService
                | ListImages
                | ListVms
        )
    }
}

/// What tells the calls of one operation apart: a call that differs from another in nothing but details is that call
/// made again.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// What is done.
    pub kind: CallKind,
    /// To what it is done: virtual machine, disk, interface, volume, storage domain or host.
    pub subject: Uuid,
    /// On which host, or for a migration to which host; nil where the call names none.
    pub host: Uuid,
}

impl DriverCall {
    /// Whether it changes nothing: then it is not remembered, and the same id asks afresh.
    pub fn only_reads(&self) -> bool {
        self.kind().only_reads() || matches!(self, DriverCall::Fence { action: FenceAction::Status, .. })
    }

    /// What kind of call this is.
    pub fn kind(&self) -> CallKind {
        self.step().kind
    }

    /// What tells this call apart from the other calls of its operation.
    pub fn step(&self) -> Step {
        use CallKind as Kind;
        const NO_HOST: Uuid = Uuid::nil();
        let (kind, subject, host) = match self {
            DriverCall::Probe { .. } => (Kind::Probe, NO_HOST, NO_HOST),
            DriverCall::Install { host, .. } => (Kind::Install, *host, *host),
            DriverCall::Connect { host, .. } => (Kind::Connect, *host, *host),
            DriverCall::Disconnect { host } => (Kind::Disconnect, *host, *host),
            DriverCall::SetupNetworks { host, .. } => (Kind::SetupNetworks, *host, *host),
            DriverCall::SetMemoryPolicy { host, .. } => (Kind::SetMemoryPolicy, *host, *host),
            DriverCall::SaveNetworks { host } => (Kind::SaveNetworks, *host, *host),
            // The action is part of what is done: a restart may be a stop and a start of one operation; so is the agent.
            DriverCall::Fence { host, action, agent, .. } => (Kind::Fence, agent_step(&agent.address, *action), *host),
            DriverCall::CheckStorage { host, .. } => (Kind::CheckStorage, NO_HOST, *host),
            DriverCall::CreateDomain { host, domain, .. } => (Kind::CreateDomain, *domain, *host),
            DriverCall::AttachDomain { host, domain, .. } => (Kind::AttachDomain, *domain, *host),
            DriverCall::DetachDomain { host, domain, .. } => (Kind::DetachDomain, *domain, *host),
            DriverCall::ActivateDomain { hosts, domain, .. } => {
                (Kind::ActivateDomain, *domain, hosts.first().copied().unwrap_or(NO_HOST))
            }
            DriverCall::DeactivateDomain { hosts, domain } => {
                (Kind::DeactivateDomain, *domain, hosts.first().copied().unwrap_or(NO_HOST))
            }
            DriverCall::UpgradeDomain { host, domain, .. } => (Kind::UpgradeDomain, *domain, *host),
            DriverCall::ExtendDomain { host, domain, .. } => (Kind::ExtendDomain, *domain, *host),
            DriverCall::FormatDomain { host, domain } => (Kind::FormatDomain, *domain, *host),
            DriverCall::DomainSpace { domain } => (Kind::DomainSpace, *domain, NO_HOST),
            DriverCall::ListFiles { domain } => (Kind::ListFiles, *domain, NO_HOST),
            DriverCall::DiscoverTargets { host, .. } => (Kind::DiscoverTargets, *host, *host),
            DriverCall::LoginTarget { host, portal, target, .. } => {
                (Kind::LoginTarget, named(&format!("{}:{}/{target}", portal.address, portal.port)), *host)
            }
            DriverCall::ListLuns { host } => (Kind::ListLuns, *host, *host),
            DriverCall::StartSpm { host, pool } => (Kind::StartSpm, *pool, *host),
            DriverCall::StopSpm { host, pool } => (Kind::StopSpm, *pool, *host),
            DriverCall::CreateVolume { volume, .. } => (Kind::CreateVolume, volume.volume, volume.domain),
            DriverCall::DeleteVolume { volume } => (Kind::DeleteVolume, volume.volume, volume.domain),
            DriverCall::DeleteDisk { domain, disk } => (Kind::DeleteDisk, *disk, *domain),
            DriverCall::ExtendVolume { volume, .. } => (Kind::ExtendVolume, volume.volume, volume.domain),
            DriverCall::CopyVolume { to, .. } => (Kind::CopyVolume, to.volume, to.domain),
            DriverCall::MergeVolume { volume } => (Kind::MergeVolume, volume.volume, volume.domain),
            DriverCall::ListVolumes { domain } => (Kind::ListVolumes, *domain, NO_HOST),
            DriverCall::FindImageService { address } => (Kind::FindImageService, named(address), NO_HOST),
            DriverCall::ListImages { service } => (Kind::ListImages, named(service), NO_HOST),
            DriverCall::ImportImage { volume, .. } => (Kind::ImportImage, volume.volume, volume.domain),
            DriverCall::ExportImage { image, .. } => (Kind::ExportImage, *image, NO_HOST),
            DriverCall::Launch { host, vm } => (Kind::Launch, vm.id, *host),
            DriverCall::Resume { vm } => (Kind::Resume, *vm, NO_HOST),
            DriverCall::Pause { vm } => (Kind::Pause, *vm, NO_HOST),
            DriverCall::Shutdown { vm } => (Kind::Shutdown, *vm, NO_HOST),
            DriverCall::Destroy { vm } => (Kind::Destroy, *vm, NO_HOST),
            DriverCall::Reboot { vm } => (Kind::Reboot, *vm, NO_HOST),
            DriverCall::Suspend { vm, .. } => (Kind::Suspend, *vm, NO_HOST),
            DriverCall::Restore { host, vm } => (Kind::Restore, vm.id, *host),
            DriverCall::DiscardSavedState { vm } => (Kind::DiscardSavedState, *vm, NO_HOST),
            DriverCall::Migrate { vm, to, .. } => (Kind::Migrate, *vm, *to),
            DriverCall::CancelMigration { vm } => (Kind::CancelMigration, *vm, NO_HOST),
            DriverCall::SetTicket { vm, .. } => (Kind::SetTicket, *vm, NO_HOST),
            DriverCall::HotplugDisk { disk, .. } => (Kind::HotplugDisk, disk.id, NO_HOST),
            DriverCall::HotunplugDisk { disk, .. } => (Kind::HotunplugDisk, *disk, NO_HOST),
            DriverCall::HotplugNic { nic, .. } => (Kind::HotplugNic, nic.id, NO_HOST),
            DriverCall::UpdateNic { nic, .. } => (Kind::UpdateNic, nic.id, NO_HOST),
            DriverCall::HotunplugNic { nic, .. } => (Kind::HotunplugNic, *nic, NO_HOST),
            DriverCall::ChangeCd { vm, .. } => (Kind::ChangeCd, *vm, NO_HOST),
            DriverCall::Snapshot { vm, .. } => (Kind::Snapshot, *vm, NO_HOST),
            DriverCall::Revert { vm, .. } => (Kind::Revert, *vm, NO_HOST),
            DriverCall::Freeze { vm } => (Kind::Freeze, *vm, NO_HOST),
            DriverCall::Thaw { vm } => (Kind::Thaw, *vm, NO_HOST),
            DriverCall::ListVms { host } => (Kind::ListVms, *host, *host),
        };
        Step { kind, subject, host }
    }
}

/// What tells an action by one agent from that by another.
fn agent_step(address: &str, action: FenceAction) -> Uuid {
    Uuid::from_u128(named(address).as_u128() ^ action as u128)
}

/// An identifier made from a name, for what has none: FNV-1a, 128 bits wide, the same on every machine.
fn named(name: &str) -> Uuid {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    Uuid::from_u128(name.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME)))
}

/// The answer to a call that went well; each call says which it gets.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum Reply {
    /// There is nothing to tell.
    Done,
    /// A host.
    Host(Box<HostFacts>),
    /// The state of a host's power.
    Power(PowerState),
    /// What lies on a storage.
    Storage(StorageFacts),
    /// The space of a storage domain.
    Space(Space),
    /// A storage domain was connected to hosts.
    Activated {
        /// Its space.
        space: Space,
        /// The hosts that could not be connected, and why. Where no host could, the call fails instead.
        failed: Vec<(Uuid, DriverError)>,
    },
    /// Files of an ISO domain, by name.
    Files(Vec<FileFacts>),
    /// A service of images.
    ImageService(ImageServiceFacts),
    /// Images.
    Images(Vec<ImageFacts>),
    /// iSCSI targets.
    Targets(Vec<TargetFacts>),
    /// Logical units.
    Luns(Vec<LunFacts>),
    /// One volume.
    Volume(VolumeFacts),
    /// Volumes.
    Volumes(Vec<VolumeFacts>),
    /// Virtual machines.
    Vms(Vec<VmReport>),
}

/// How a call ended.
pub type Outcome = Result<Reply, DriverError>;

/// Why a call failed.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Error)]
pub enum DriverError {
    /// Nothing answers there.
    #[error("{address} does not answer")]
    Unreachable {
        /// The address that was tried.
        address: String,
    },
    /// The host, the power management agent or the target does not accept the credentials.
    #[error("{address} does not accept the password")]
    WrongPassword {
        /// Who refused.
        address: String,
    },
    /// The server answers, but there is no such export, target or logical unit.
    #[error("there is no storage {storage}")]
    NoSuchExport {
        /// For example `192.168.0.10:/data1`, or the id of a logical unit.
        storage: String,
    },
    /// The driver does not know it.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What it is: host, virtual machine, volume, storage domain, file.
        what: String,
        /// Its id or name.
        id: String,
    },
    /// It is there already, and is not the same.
    #[error("{what} {id} exists")]
    AlreadyExists {
        /// What it is.
        what: String,
        /// Its id or name.
        id: String,
    },
    /// The storage has no room for it.
    #[error("no space: {needed_bytes} bytes needed, {available_bytes} available")]
    NoSpace {
        /// What is needed.
        needed_bytes: u64,
        /// What there is.
        available_bytes: u64,
    },
    /// The host has no memory for it.
    #[error("no memory: {needed_bytes} bytes needed, {available_bytes} available")]
    NoMemory {
        /// What is needed.
        needed_bytes: u64,
        /// What there is.
        available_bytes: u64,
    },
    /// It cannot be done in the state that things are in.
    #[error("{0}")]
    Refused(Refusal),
    /// It was tried and went wrong.
    #[error("{message}")]
    Failed {
        /// For a human.
        message: String,
    },
    /// The driver went away before it answered. Whether it was done is found by calling again with the same id.
    #[error("the host did not answer in time")]
    Disconnected,
}

/// Why a driver will not do a call now.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The host was never installed.
    #[error("The host is not installed")]
    HostNotInstalled,
    /// The host runs virtual machines.
    #[error("The host runs virtual machines")]
    HostInUse,
    /// The host has no power management agent at that address.
    #[error("The host has no such power management agent")]
    NoPowerManagement,
    /// The storage is used by another storage domain.
    #[error("The storage is in use")]
    StorageInUse,
    /// The host is not connected to the storage domain.
    #[error("The storage domain is not active on the host")]
    DomainNotActive,
    /// The storage domain belongs to a data center.
    #[error("The storage domain is attached to a data center")]
    DomainAttached,
    /// The storage domain does not belong to the data center.
    #[error("The storage domain is not attached to the data center")]
    DomainNotAttached,
    /// The storage domain is used by running virtual machines.
    #[error("The storage domain is in use")]
    DomainInUse,
    /// Another host is the pool manager.
    #[error("Another host is the pool manager")]
    SpmElsewhere,
    /// The volume is used, or another lies upon it.
    #[error("The volume is in use")]
    VolumeInUse,
    /// The virtual machine runs.
    #[error("The virtual machine runs")]
    VmRuns,
    /// The virtual machine is not in a state in which this can be done.
    #[error("The virtual machine's state does not allow it")]
    VmState,
    /// The virtual machine does not migrate.
    #[error("The virtual machine does not migrate")]
    NotMigrating,
}
