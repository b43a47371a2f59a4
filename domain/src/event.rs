//! Events: the list of every kind, the envelope in which the log keeps them, and their JSON.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::context::Actor;
use crate::ids::{Micros, Position};
use crate::tables::tables;
use crate::upcast::{self, upcast};
use crate::world::World;

macro_rules! stream_kinds {
    (
        entities { $($(#[$entity_attr:meta])* $entity:ident $entity_name:literal $entity_one:ident $entity_many:ident: $EntityId:ty => $Entity:ty, $entity_called:literal;)* }
        records { $($(#[$record_attr:meta])* $record:ident $record_name:literal $record_one:ident $record_many:ident: $RecordId:ty => $Record:ty, $record_called:literal;)* }
        parts { $($(#[$part_attr:meta])* $part_one:ident $part_many:ident: $PartId:ty => $Part:ty, $part_called:literal;)* }
    ) => {
        /// The kinds of aggregates, each with streams of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)]
        pub enum StreamKind { System, $($entity,)* $($record,)* }

        impl StreamKind {
            /// Every kind.
            pub const ALL: &'static [StreamKind] = &[Self::System, $(Self::$entity,)* $(Self::$record,)*];

            /// The name, as it begins the stream's.
            pub fn name(self) -> &'static str {
                match self {
                    Self::System => "system",
                    $(Self::$entity => $entity_name,)*
                    $(Self::$record => $record_name,)*
                }
            }
        }
    };
}

tables!(stream_kinds);

/// One aggregate's stream of events: written `vm-6efc0cfa-8495-4a96-93e5-ee490328cf48`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")] // a text, so that it can be the key of a JSON object
pub struct Stream {
    /// The kind of aggregate.
    pub kind: StreamKind,
    /// The aggregate's identifier.
    pub id: Uuid,
}

impl Stream {
    /// The stream of an aggregate.
    pub fn new(kind: StreamKind, id: Uuid) -> Self {
        Self { kind, id }
    }
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.kind.name(), self.id)
    }
}

impl From<Stream> for String {
    fn from(stream: Stream) -> Self {
        stream.to_string()
    }
}

impl TryFrom<String> for Stream {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for Stream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no stream");
        let (kind, id) = text.split_once('-').ok_or_else(bad)?;
        let kind = StreamKind::ALL.iter().copied().find(|k| k.name() == kind).ok_or_else(bad)?;
        Ok(Self { kind, id: Uuid::parse_str(id).map_err(|_| bad())? })
    }
}

/// An event as the log keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its aggregate.
    pub stream: Stream,
    /// Its place in the stream, from 1.
    pub version: u64,
    /// When it was decided.
    pub recorded_at: Micros,
    /// Who caused it.
    pub actor: Actor,
    /// The request that it belongs to.
    pub correlation_id: Arc<str>,
    /// The position of the event that led to it, where a reactor reacted to one.
    pub causation: Option<Position>,
    /// What happened.
    pub event: Event,
}

/// What an event does to the World. Folding validates nothing and cannot fail: what it meets that cannot be is left alone.
pub trait Fold {
    /// The aggregate that it happened to.
    fn stream(&self) -> Stream;
    /// Changes the World. `at` is the envelope's time, position and actor.
    fn fold(&self, world: &mut World, at: &EventMetadata);
}

/// What folding may use of the envelope.
#[derive(Clone, Debug)]
pub struct EventMetadata {
    /// The event's position.
    pub position: Position,
    /// The stream's version with it.
    pub version: u64,
    /// When it was recorded.
    pub at: Micros,
    /// Who caused it.
    pub actor: Actor,
    /// The request that it belongs to.
    pub correlation_id: Arc<str>,
}

/// A kind of event.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What the log calls it.
    pub name: &'static str,
    /// The present version of its shape.
    pub schema: u32,
    /// Reads a payload of that version.
    read: fn(&str) -> serde_json::Result<Event>,
}

/// The kinds of events by their names.
static KINDS_BY_NAME: LazyLock<HashMap<&str, &Kind, FixedState>> =
    LazyLock::new(|| Event::KINDS.iter().map(|kind| (kind.name, kind)).collect());

/// Why a payload is no event that this program knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There is no such kind of event.
    #[error("{0} is no kind of event")]
    UnknownKind(String),
    /// A later version of this program has written it.
    #[error("{kind} has schema version {schema}, and this program knows them up to {present}")]
    Newer {
        /// The kind of event.
        kind: String,
        /// The record's schema version.
        schema: u32,
        /// The greatest that is known.
        present: u32,
    },
    /// A step of `upcast::STEPS` is missing.
    #[error("there is no step from schema version {from} of {kind}")]
    NoStep {
        /// The kind of event.
        kind: String,
        /// The version that cannot be left.
        from: u32,
    },
    /// The payload is no JSON, or not of the kind's shape.
    #[error("{kind}: {detail}")]
    Malformed {
        /// The kind of event.
        kind: String,
        /// What is wrong with it.
        detail: String,
    },
}

macro_rules! event_kinds {
    ($($module:ident :: $name:ident $schema:literal,)*) => {
        /// Everything that can happen. Once written an event never changes: a new shape is a new schema version, and old ones are upcast.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)]
        pub enum Event { $($name(Box<crate::$module::$name>),)* }

        $(impl From<crate::$module::$name> for Event {
            fn from(event: crate::$module::$name) -> Self { Self::$name(Box::new(event)) }
        })*

        impl Event {
            /// Every kind.
            pub const KINDS: &'static [Kind] = &[$(Kind {
                name: stringify!($name),
                schema: $schema,
                read: |payload| serde_json::from_str(payload).map(Self::$name),
            },)*];

            /// The kind, as the log names it.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            /// The schema version that it is written with.
            pub fn schema(&self) -> u32 {
                match self { $(Self::$name(_) => $schema,)* }
            }

            /// The payload as JSON.
            pub fn payload(&self) -> String {
                match self { $(Self::$name(event) => serde_json::to_string(event),)* }.unwrap_or_default()
            }

            /// What happened, as the thing that folds.
            pub fn as_fold(&self) -> &dyn Fold {
                match self { $(Self::$name(event) => &**event,)* }
            }
        }
    };
}

impl Event {
    /// Reads a payload of a kind and schema version as the log keeps them, and brings it to the present shape: the one way from a record to
    /// its event.
    ///
    /// # Errors
    ///
    /// The kind or its schema version is unknown, or the payload is malformed.
    pub fn decode(kind: &str, schema: u32, payload: &str) -> Result<Self, DecodeError> {
        let known = KINDS_BY_NAME.get(kind).ok_or_else(|| DecodeError::UnknownKind(kind.to_owned()))?;
        let upcast = upcast(upcast::STEPS, kind, schema, known.schema, payload)?;
        let event = (known.read)(upcast.as_deref().unwrap_or(payload));
        event.map_err(|error| DecodeError::Malformed { kind: kind.to_owned(), detail: error.to_string() })
    }
}

event_kinds! {
    install::SystemInstalled 1,
    service::EngineStarted 1,
    service::EngineStopped 1,
    creation::CreationKeyed 1,
    data_center::DataCenterCreated 1,
    data_center::DataCenterUpdated 1,
    data_center::DataCenterRemoved 1,
    data_center::SpmSelected 1,
    spm::SpmFailed 1,
    spm::SpmForced 1,
    cluster::ClusterCreated 1,
    cluster::ClusterUpdated 1,
    cluster::ClusterRemoved 1,
    cluster::NetworkAssigned 1,
    cluster::NetworkUnassigned 1,
    network::NetworkCreated 1,
    network::NetworkUpdated 1,
    network::NetworkRemoved 1,
    network::VnicProfileCreated 1,
    network::VnicProfileUpdated 1,
    network::VnicProfileRemoved 1,
    host::HostAdded 1,
    host::HostRegistered 1,
    host::HostApproved 1,
    host::HostUpdated 1,
    host::HostInstallationStarted 1,
    host::HostInstalled 1,
    host::HostFactsReported 1,
    host::HostStatusChanged 1,
    fence::HostFencingStarted 1,
    fence::HostContactLost 1,
    fence::HostFenceFellBack 1,
    fence::HostFenceSkipped 1,
    host::HostFenceUnconfigured 1,
    host::HostMemoryLow 1,
    host::HostNxMissed 1,
    host::HostRefreshed 1,
    fence::HostFenced 1,
    host::HostRemoved 1,
    host_net::HostBondSet 1,
    host_net::HostBondRemoved 1,
    host_net::HostNetworkAttached 1,
    host_net::HostNetworkDetached 1,
    host_net::HostLinkChanged 1,
    host_net::HostNetworksCommitted 1,
    storage::StorageDomainAdded 1,
    storage::StorageDomainImported 1,
    storage::StorageDomainCreated 1,
    storage::StorageDomainCreationFailed 1,
    storage::StorageDomainUpdated 1,
    storage::StorageDomainAttached 1,
    storage::StorageDomainStatusChanged 1,
    storage::MasterSought 1,
    storage::StorageDomainReachChanged 1,
    storage::StorageDomainDelayed 1,
    storage::StorageDomainDetached 1,
    storage::StorageDomainSpaceReported 1,
    storage::StorageDomainExtended 1,
    storage::StorageDomainFilesListed 1,
    storage::StorageDomainRemovalStarted 1,
    storage::StorageDomainRemoved 1,
    storage::StorageFormatSet 1,
    storage::StorageDomainUpgraded 1,
    storage_connection::StorageConnectionAdded 1,
    storage_connection::StorageConnectionUpdated 1,
    storage_connection::StorageConnectionRemoved 1,
    storage_connection::StorageConnectionAttached 1,
    storage_connection::StorageConnectionDetached 1,
    quota::QuotaCreated 1,
    quota::QuotaUpdated 1,
    quota::QuotaLimitsSet 1,
    quota::QuotaRemoved 1,
    quota::QuotaStrained 1,
    disk::DiskAdded 1,
    disk::DiskCreated 1,
    disk::DiskCreationFailed 1,
    disk::DiskUpdated 1,
    disk::DiskExtensionStarted 1,
    disk::DiskExtended 1,
    disk::DiskExtensionFailed 1,
    disk::DiskRemovalStarted 1,
    disk::DiskRemovalFailed 1,
    disk::DiskRemoved 1,
    image::DiskExportStarted 1,
    image::DiskExported 1,
    image::DiskExportFailed 1,
    vm::VmCreated 1,
    vm::VmUpdated 1,
    vm::VmRemovalStarted 1,
    vm::VmRemoved 1,
    vm::NicAdded 1,
    vm::NicUpdated 1,
    vm::NicRemoved 1,
    vm::DiskAttached 1,
    vm::DiskAttachmentUpdated 1,
    vm::DiskDetached 1,
    vm::CdRomChanged 1,
    vm_run::VmStartRequested 1,
    vm_run::VmRelocated 1,
    vm_run::VmPoweringUp 1,
    vm_run::VmUp 1,
    vm_run::VmPaused 1,
    vm_run::VmStartFailed 1,
    vm_run::VmStopRequested 1,
    vm_run::VmShutdownRequested 1,
    vm_run::VmShutdownFellBack 1,
    vm_run::VmRebootRequested 1,
    vm_run::VmSuspendRequested 1,
    vm_run::VmSuspended 1,
    vm_run::VmDown 1,
    vm_run::VmNotResponding 1,
    vm_run::VmLost 1,
    vm_run::VmMigrationRequested 1,
    vm_run::VmMigrationCancelRequested 1,
    vm_run::VmMigrated 1,
    vm_run::VmMigrationFailed 1,
    vm_run::VmTicketSet 1,
    template::TemplateCreated 1,
    tag::TagCreated 1,
    tag::TagUpdated 1,
    tag::TagRemoved 1,
    tag::TagAttached 1,
    tag::TagDetached 1,
    access::UserAdded 1,
    access::UserPasswordChanged 1,
    access::UserRemoved 1,
    access::UserRefreshed 1,
    access::UserLocked 1,
    access::UserUnlocked 1,
    access::UserDeactivated 1,
    access::UserReactivated 1,
    access::GroupAdded 1,
    access::GroupRemoved 1,
    access::GroupMemberAdded 1,
    access::GroupMemberRemoved 1,
    access::RoleCreated 1,
    access::RoleUpdated 1,
    access::RoleRemoved 1,
    access::RolePermitAdded 1,
    access::RolePermitRemoved 1,
    access::PermissionGranted 1,
    access::PermissionRevoked 1,
    access::SessionOpened 1,
    access::SessionClosed 1,
    access::LoginFailed 1,
    job::JobOpened 1,
    job::JobStepFinished 1,
    job::JobEnded 1,
    job::JobsCleared 1,
    external::ExternalEventReported 1,
    external::ExternalEventRemoved 1,
    external::ExternalJobAdded 1,
    external::ExternalStepAdded 1,
    external::ExternalStepEnded 1,
    external::ExternalJobEnded 1,
    external::ExternalJobsCleared 1,
}
