//! Storage domains and their attachment to data centers: the guide's chapters 12 and 9.4.

mod attach;
mod provision;
mod reach;
mod upgrade;

use serde::{Deserialize, Serialize};

pub use attach::*;
pub use reach::*;
pub use upgrade::*;

pub(crate) use provision::check_config;
pub use provision::*;
pub(crate) use upgrade::{check_asked, raised};

use crate::data_center::DataCenter;
use crate::event::StreamKind;
use crate::fold;
use crate::ids::*;
use crate::patch::patchable;
use crate::storage_connection::ConnectionConfig;
use crate::vm::named;
use crate::world::{NameKind, World};

named! {
    /// The kind of storage.
    StorageKind {
        Nfs "nfs", Iscsi "iscsi", Fcp "fcp", Posixfs "posixfs", Localfs "localfs", Glusterfs "glusterfs", Glance "glance",
    }
}
named! {
    /// The format of what is on it.
    StorageFormat { V1 "v1", V2 "v2", V3 "v3" }
}
named! {
    /// What a domain holds.
    DomainClass { Data "data", Iso "iso", Export "export", Image "image" }
}
named! {
    /// How an attached domain stands in its data center.
    AttachmentStatus { Locked "locked", Active "active", Inactive "inactive", Maintenance "maintenance", Unknown "unknown" }
}

named! {
    /// How a domain stands, in its data center or without one.
    StorageStatus {
        Unattached "unattached",
        Locked "locked",
        Active "active",
        Inactive "inactive",
        Maintenance "maintenance",
        Unknown "unknown",
    }
}

impl StorageKind {
    /// Whether it is made of block devices rather than files.
    pub fn is_block(self) -> bool {
        matches!(self, Self::Iscsi | Self::Fcp)
    }
}

impl DomainClass {
    /// Whether disks or exports grow on it: nothing grows on an ISO domain, and of images their service takes care.
    pub fn has_space(self) -> bool {
        matches!(self, Self::Data | Self::Export)
    }
}

/// Where storage is, as a request says it, or as a domain's connections lead to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// The kind and, for files, the way to them.
    pub server: ConnectionConfig,
    /// A connection that is there already, for files; `server` is what it says.
    pub connection: Option<StorageConnectionId>,
    /// For block storage.
    pub luns: Vec<Lun>,
}

impl Storage {
    /// Files behind a connection.
    pub fn files(server: ConnectionConfig) -> Self {
        Self { server, connection: None, luns: Vec::new() }
    }

    /// The kind.
    pub fn kind(&self) -> StorageKind {
        self.server.kind
    }
}

/// A logical unit with the way to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Lun {
    /// What its storage calls it.
    pub id: String,
    /// The iSCSI target that it is behind.
    pub portal: Option<ConnectionConfig>,
    /// What the host that looked at it says of it.
    pub device: Option<LunDevice>,
}

/// A logical unit as a host sees it: what does not change while it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LunDevice {
    /// Serial number.
    pub serial: String,
    /// Who made it.
    pub vendor: String,
    /// What the maker calls it.
    pub product: String,
    /// Number of the unit within its target.
    pub number: u32,
}

/// Where a domain's storage is: behind which connections, and on which logical units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainStorage {
    /// What kind of storage it is.
    pub kind: StorageKind,
    /// The ways to it.
    pub connections: Vec<StorageConnectionId>,
    /// The logical units that it lies on.
    pub luns: Vec<DomainLun>,
    /// The address of the service that keeps images; empty for what hosts reach.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
}

/// A logical unit of a storage domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainLun {
    /// What its storage calls it.
    pub id: String,
    /// The connection that it was found behind.
    pub connection: Option<StorageConnectionId>,
    /// What a host said of it when the domain was laid upon it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<LunDevice>,
}

impl DomainStorage {
    /// Nowhere yet.
    pub fn of(kind: StorageKind) -> Self {
        Self { kind, connections: Vec::new(), luns: Vec::new(), service: String::new() }
    }

    /// What the connections say, put together.
    pub fn located(&self, world: &World) -> Storage {
        let config = |id: &StorageConnectionId| world.storage_connections.get(id).map(|c| c.config.clone());
        let server = self.connections.first().filter(|_| !self.kind.is_block()).and_then(config);
        let service = || ConnectionConfig { address: self.service.clone(), ..ConnectionConfig::of(self.kind) };
        let lun = |lun: &DomainLun| Lun {
            id: lun.id.clone(),
            portal: lun.connection.as_ref().and_then(config),
            device: lun.device.clone(),
        };
        Storage { server: server.unwrap_or_else(service), connection: None, luns: self.luns.iter().map(lun).collect() }
    }
}

/// A file of an ISO domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainFile {
    /// What it is called.
    pub name: String,
    /// In bytes.
    pub size: i64,
}

/// A domain in a data center.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Which data center.
    pub data_center: DataCenterId,
    /// How it stands there.
    pub status: AttachmentStatus,
    /// How it stood before it was locked for work: where that fails it stands so again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<AttachmentStatus>,
}

/// How far a domain's life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainState {
    /// Its storage is being prepared.
    Creating,
    /// It can be used.
    Ready,
    /// Its storage is being wiped.
    Removing,
}

patchable! {
    /// What a user says of a storage domain.
    pub struct StorageDomainConfig, StorageDomainPatch {
        /// What it is called.
        pub name: String,
        /// What it is, for a human.
        pub description: String,
        /// A further word on it.
        pub comment: String,
    }
}

/// A storage domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomain {
    /// Identifier.
    pub id: StorageDomainId,
    /// Version of the resource.
    pub version: u64,
    /// What a user says of it.
    pub config: StorageDomainConfig,
    /// What it is for.
    pub class: DomainClass,
    /// Where it lies.
    pub storage: DomainStorage,
    /// The format of its storage.
    pub format: StorageFormat,
    /// How far its life is.
    pub state: DomainState,
    /// By data center. An ISO domain may be in several, all others in one.
    pub attachments: Vec<Attachment>,
    /// In bytes.
    pub available: i64,
    /// In bytes.
    pub used: i64,
    /// The files on it.
    pub files: Vec<DomainFile>,
    /// The hosts that do not reach it.
    #[serde(default)]
    pub unreachable_from: Vec<HostId>,
    /// The data center that was removed with it, where its storage says still that it belongs there.
    #[serde(default)]
    pub left: Option<DataCenterId>,
}

impl StorageDomain {
    /// The sum of its disks' provisioned sizes, in bytes.
    pub fn committed(&self, world: &World) -> i64 {
        world.disks_on(self.id).map(|d| d.config.size).sum()
    }

    /// Whether it is the master of its data center.
    pub fn is_master(&self, world: &World) -> bool {
        self.data_center(world).is_some_and(|dc| dc.master == Some(self.id))
    }

    pub(crate) fn data_center<'a>(&self, world: &'a World) -> Option<&'a DataCenter> {
        self.attachment().and_then(|a| world.data_centers.get(&a.data_center)).map(|dc| &**dc)
    }

    /// Its only attachment, where it is no ISO domain; of those of an ISO domain the first.
    pub fn attachment(&self) -> Option<Attachment> {
        self.attachments.first().copied()
    }

    /// How it stands in a data center.
    pub fn attachment_in(&self, data_center: DataCenterId) -> Option<Attachment> {
        self.attachments.iter().find(|a| a.data_center == data_center).copied()
    }

    /// How it stands: an ISO domain once for each of its data centers.
    pub fn statuses(&self) -> impl Iterator<Item = StorageStatus> {
        let whole = match (self.state, self.attachments.is_empty()) {
            (DomainState::Creating | DomainState::Removing, _) => Some(StorageStatus::Locked),
            (DomainState::Ready, true) => Some(StorageStatus::Unattached),
            (DomainState::Ready, false) => None,
        };
        let attached = self.attachments.iter().filter(move |_| whole.is_none()).map(|attachment| match attachment.status {
            AttachmentStatus::Locked => StorageStatus::Locked,
            AttachmentStatus::Active => StorageStatus::Active,
            AttachmentStatus::Inactive => StorageStatus::Inactive,
            AttachmentStatus::Maintenance => StorageStatus::Maintenance,
            AttachmentStatus::Unknown => StorageStatus::Unknown,
        });
        whole.into_iter().chain(attached)
    }

    /// Whether it stands so in a data center of its.
    pub fn is_in(&self, status: AttachmentStatus) -> bool {
        self.attachments.iter().any(|a| a.status == status)
    }

    /// Whether its storage may say still that it belongs to a data center, and does so wrongly: to one that it was detached from, or that is
    /// gone. Another engine's data center is none of these, which an imported domain may belong to; data domains are not imported.
    pub fn has_left(&self, world: &World, data_center: DataCenterId) -> bool {
        let ours = world.data_centers.contains(&data_center) || self.left == Some(data_center) || self.class == DomainClass::Data;
        ours && self.attachment_in(data_center).is_none()
    }

    /// Whether the data center can use it.
    pub fn is_active_in(&self, data_center: DataCenterId) -> bool {
        self.attachment_in(data_center).is_some_and(|a| a.status == AttachmentStatus::Active)
    }
}

/// A storage domain was added; its storage is being prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainAdded {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// What a user says of it.
    pub config: StorageDomainConfig,
    /// What it is for.
    pub class: DomainClass,
    /// Where it lies.
    pub storage: DomainStorage,
    /// The format of its storage.
    pub format: StorageFormat,
    /// Which host.
    pub host: HostId,
}

fold!(StorageDomainAdded, new StorageDomain domain, |e, world, at| {
    world.take_name(NameKind::StorageDomain, &e.config.name, e.domain.0);
    let domain = StorageDomain {
        id: e.domain, version: at.version, config: e.config.clone(), class: e.class, storage: e.storage.clone(),
        format: e.format, state: DomainState::Creating, attachments: Vec::new(), available: 0, used: 0, files: Vec::new(), unreachable_from: Vec::new(), left: None,
    };
    world.storage_domains.insert(e.domain, domain);
});

/// A storage domain that lay on the storage already was taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainImported {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// What a user says of it.
    pub config: StorageDomainConfig,
    /// What it is for.
    pub class: DomainClass,
    /// Where it lies.
    pub storage: DomainStorage,
    /// The format of its storage.
    pub format: StorageFormat,
    /// In bytes.
    pub available: i64,
    /// In bytes.
    pub used: i64,
}

fold!(StorageDomainImported, new StorageDomain domain, |e, world, at| {
    world.take_name(NameKind::StorageDomain, &e.config.name, e.domain.0);
    let domain = StorageDomain {
        id: e.domain, version: at.version, config: e.config.clone(), class: e.class, storage: e.storage.clone(),
        format: e.format, state: DomainState::Ready, attachments: Vec::new(), available: e.available, used: e.used, files: Vec::new(), unreachable_from: Vec::new(), left: None,
    };
    world.storage_domains.insert(e.domain, domain);
});

fn touch(world: &mut World, domain: StorageDomainId, at: &crate::event::EventMetadata, change: impl FnOnce(&mut StorageDomain)) {
    world.storage_domains.update(&domain, |d| {
        change(d);
        d.version = at.version;
    });
}

fn forget(world: &mut World, domain: StorageDomainId) {
    if let Some(old) = world.storage_domains.remove(&domain) {
        world.drop_name(NameKind::StorageDomain, &old.config.name, domain.0);
    }
}

/// A storage domain's storage is ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainCreated {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Bytes that are free.
    pub available: i64,
    /// Bytes in use.
    pub used: i64,
}

fold!(StorageDomainCreated, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| {
        d.state = DomainState::Ready;
        d.available = e.available;
        d.used = e.used;
    });
});

/// A storage domain's storage could not be prepared: the domain is gone again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainCreationFailed {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// What it is called.
    pub name: String,
    /// Why.
    pub reason: String,
}

fold!(StorageDomainCreationFailed, StorageDomain domain, |e, world, at| {
    forget(world, e.domain);
    world.close_stream(StreamKind::StorageDomain, e.domain.0);
});

/// A storage domain was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainUpdated {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// What changes of it.
    pub changes: StorageDomainPatch,
}

fold!(StorageDomainUpdated, StorageDomain domain, |e, world, at| {
    if let (Some(new), Some(old)) = (&e.changes.name, world.storage_domains.get(&e.domain).map(|d| d.config.name.clone())) {
        world.rename(NameKind::StorageDomain, &old, new, e.domain.0);
    }
    touch(world, e.domain, at, |d| d.config.apply(&e.changes));
});

/// A storage domain was attached to a data center; the first one becomes its master and gives it its format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainAttached {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which data center.
    pub data_center: DataCenterId,
    /// Whether it is the master of the data center.
    pub master: bool,
    /// The format that the domain has from now on.
    pub format: StorageFormat,
}

fold!(StorageDomainAttached, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| {
        d.format = e.format;
        d.attachments.retain(|a| a.data_center != e.data_center);
        d.attachments.push(Attachment { data_center: e.data_center, status: AttachmentStatus::Locked, before: None });
        d.left = None;
    });
    if e.master {
        world.data_centers.update(&e.data_center, |dc| {
            dc.master = Some(e.domain);
            dc.storage_format = Some(e.format);
        });
    }
});

/// A storage domain stands otherwise in a data center.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainStatusChanged {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which data center.
    pub data_center: DataCenterId,
    /// How it stood there.
    pub from: AttachmentStatus,
    /// How it stands there.
    pub to: AttachmentStatus,
    /// Why.
    pub reason: String,
}

fold!(StorageDomainStatusChanged, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| {
        for attachment in d.attachments.iter_mut().filter(|a| a.data_center == e.data_center) {
            attachment.status = e.to;
            attachment.before = Some(e.from).filter(|_| e.to == AttachmentStatus::Locked);
        }
    });
});

/// The master of a data center cannot go on, and another domain was looked for to take its part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MasterSought {
    /// Which data center.
    pub data_center: DataCenterId,
    /// The new master; where there is none the old one keeps the part until it can go on.
    pub found: Option<StorageDomainId>,
}

fold!(MasterSought, DataCenter data_center, |e, world, at| {
    world.data_centers.update(&e.data_center, |dc| {
        dc.master = e.found.or(dc.master);
        dc.version = at.version;
    });
});

/// A host does not reach a storage domain any more, or reaches it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainReachChanged {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which host.
    pub host: HostId,
    /// Whether the host reaches it.
    pub reachable: bool,
}

fold!(StorageDomainReachChanged, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| {
        d.unreachable_from.retain(|host| *host != e.host);
        if !e.reachable {
            d.unreachable_from.push(e.host);
        }
    });
});

/// A storage domain answers a host later than it should.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainDelayed {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which host.
    pub host: HostId,
    /// In milliseconds.
    pub delay_ms: u64,
}

fold!(StorageDomainDelayed, StorageDomain domain, |_e, _world, _at| {});

/// A storage domain was detached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainDetached {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which data center.
    pub data_center: DataCenterId,
    /// Whether no host told its storage, since the data center went.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
}

fold!(StorageDomainDetached, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| {
        d.attachments.retain(|a| a.data_center != e.data_center);
        d.left = e.untold.then_some(e.data_center).or(d.left);
    });
    world.data_centers.update(&e.data_center, |dc| {
        if dc.master == Some(e.domain) {
            dc.master = None;
            dc.storage_format = None;
            dc.spm = None;
        }
    });
});

/// How full a storage domain is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainSpaceReported {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Bytes that are free.
    pub available: i64,
    /// Bytes in use.
    pub used: i64,
}

fold!(StorageDomainSpaceReported, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| { d.available = e.available; d.used = e.used; });
});

/// A storage domain lies upon further logical units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainExtended {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Those that it got in addition.
    pub luns: Vec<DomainLun>,
    /// In bytes.
    pub available: i64,
    /// In bytes.
    pub used: i64,
}

fold!(StorageDomainExtended, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| {
        for lun in &e.luns {
            let new = lun.connection.filter(|c| !d.storage.connections.contains(c));
            d.storage.connections.extend(new);
        }
        d.storage.luns.extend(e.luns.iter().cloned());
        d.available = e.available;
        d.used = e.used;
    });
});

/// The files of an ISO domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainFilesListed {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// The files on it.
    pub files: Vec<DomainFile>,
}

fold!(StorageDomainFilesListed, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| d.files = e.files.clone());
});

/// A storage domain's storage is being wiped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainRemovalStarted {
    /// Which storage domain.
    pub domain: StorageDomainId,
}

fold!(StorageDomainRemovalStarted, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| d.state = DomainState::Removing);
});

/// A storage domain was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainRemoved {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// What it was called.
    pub name: String,
    /// Whether it was only forgotten, with all that was on it.
    pub destroyed: bool,
}

// The stream stays open: what still lies on the storage may be imported again, with the identifier that it has there.
fold!(StorageDomainRemoved, StorageDomain domain, |e, world, at| { forget(world, e.domain); });
