//! Storage connections: how storage is reached. The guide's chapter 13.

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::{Event, StreamKind};
use crate::fold;
use crate::host::HostStatus;
use crate::ids::*;
use crate::index::not_indexed;
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::storage::{AttachmentStatus, DomainState, StorageDomain, StorageKind};
use crate::world::World;

/// The longest time-out of an NFS client, in deciseconds, and the most retransmissions.
pub const MAX_NFS_NUMBER: u16 = 6_000;
/// The most connections that one storage domain may have.
pub const MAX_CONNECTIONS: usize = 64;

patchable! {
    /// What a user says of a storage connection.
    pub struct ConnectionConfig, ConnectionPatch {
        /// The kind.
        pub kind: StorageKind,
        /// Host name or IP address of the server; empty for local storage.
        pub address: String,
        /// The exported or mounted path; empty for iSCSI.
        pub path: String,
        /// What the mount is told; empty for nothing.
        pub mount_options: String,
        /// The file system, where it is mounted as one.
        pub vfs_type: String,
        /// The version of NFS; empty for whatever both know.
        pub nfs_version: String,
        /// In deciseconds.
        pub nfs_timeo: Option<u16>,
        /// How often NFS asks again.
        pub nfs_retrans: Option<u16>,
        /// Of an iSCSI portal; 0 for files.
        pub port: u16,
        /// The qualified name of an iSCSI target.
        pub target: String,
        /// Of CHAP.
        pub username: String,
        /// Sealed; empty where there is none.
        pub password: String,
        /// The host that local storage is on.
        pub host: Option<HostId>,
    }
}

impl ConnectionConfig {
    /// Nothing said but the kind.
    pub fn of(kind: StorageKind) -> Self {
        Self {
            kind,
            address: String::new(),
            path: String::new(),
            mount_options: String::new(),
            vfs_type: String::new(),
            nfs_version: String::new(),
            nfs_timeo: None,
            nfs_retrans: None,
            port: 0,
            target: String::new(),
            username: String::new(),
            password: String::new(),
            host: None,
        }
    }

    /// Whether both lead to the same place: a trailing slash and the case of a server's name make no difference.
    pub fn leads_where(&self, other: &Self) -> bool {
        fn place(c: &ConnectionConfig) -> (StorageKind, String, &str, u16, &str, Option<HostId>) {
            let path = if c.path.len() > 1 { c.path.trim_end_matches('/') } else { &c.path };
            (c.kind, c.address.to_lowercase(), path, c.port, &c.target, c.host)
        }
        place(self) == place(other)
    }
}

/// A storage connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageConnection {
    /// Identifier.
    pub id: StorageConnectionId,
    /// Version of the resource.
    pub version: u64,
    /// What a user says of it.
    pub config: ConnectionConfig,
    /// The storage domain that it was made with, where it was not made on its own.
    pub made_for: Option<StorageDomainId>,
}

not_indexed!(StorageConnection);

/// The storage domains that a connection leads to.
pub fn users(world: &World, connection: StorageConnectionId) -> impl Iterator<Item = &std::sync::Arc<StorageDomain>> {
    world.storage_domains.values().filter(move |d| d.storage.connections.contains(&connection))
}

/// The connection that leads to a place.
pub fn leading_to<'a>(world: &'a World, config: &ConnectionConfig) -> Option<&'a std::sync::Arc<StorageConnection>> {
    world.storage_connections.values().find(|c| c.config.leads_where(config))
}

/// A storage connection was added, on its own or with a storage domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageConnectionAdded {
    /// Which storage connection.
    pub connection: StorageConnectionId,
    /// What a user says of it.
    pub config: ConnectionConfig,
    /// The domain that it was made with, and goes with.
    pub made_for: Option<StorageDomainId>,
}

fold!(StorageConnectionAdded, new StorageConnection connection, |e, world, at| {
    let connection =
        StorageConnection { id: e.connection, version: at.version, config: e.config.clone(), made_for: e.made_for };
    world.storage_connections.insert(e.connection, connection);
});

/// A storage connection was changed: the domains behind it are reached another way from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageConnectionUpdated {
    /// Which storage connection.
    pub connection: StorageConnectionId,
    /// What changes of it.
    pub changes: ConnectionPatch,
}

fold!(StorageConnectionUpdated, StorageConnection connection, |e, world, at| {
    world.storage_connections.update(&e.connection, |c| {
        c.config.apply(&e.changes);
        c.version = at.version;
    });
});

/// A storage connection was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageConnectionRemoved {
    /// Which storage connection.
    pub connection: StorageConnectionId,
}

fold!(StorageConnectionRemoved, StorageConnection connection, |e, world, at| {
    world.storage_connections.remove(&e.connection);
    world.close_stream(StreamKind::StorageConnection, e.connection.0);
});

/// A storage domain is reached through one more connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageConnectionAttached {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which storage connection.
    pub connection: StorageConnectionId,
}

fold!(StorageConnectionAttached, StorageDomain domain, |e, world, at| {
    world.storage_domains.update(&e.domain, |d| {
        d.storage.connections.push(e.connection);
        d.version = at.version;
    });
});

/// A storage domain is not reached through a connection any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageConnectionDetached {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which storage connection.
    pub connection: StorageConnectionId,
}

fold!(StorageConnectionDetached, StorageDomain domain, |e, world, at| {
    world.storage_domains.update(&e.domain, |d| {
        d.storage.connections.retain(|c| *c != e.connection);
        for lun in d.storage.luns.iter_mut().filter(|lun| lun.connection == Some(e.connection)) {
            lun.connection = None;
        }
        d.version = at.version;
    });
});

/// The rule of a server's address, which holds before anybody connects to it. One of IPv6 may stand in brackets, as mounts have it.
///
/// Refused where it can be none; whether there has to be one is another rule.
pub fn check_address(act: Act, field: &'static str, address: &str) -> Result<(), Rejection> {
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|bare| bare.contains(':'));
    match address.is_empty() || check::is_address(bare.unwrap_or(address)) {
        true => Ok(()),
        false => Err(act.no(Key::ConnectionInvalid).with("fieldName", field)),
    }
}

/// The rules of what a connection says, whatever it is for.
pub(crate) fn check_config(act: Act, config: &ConnectionConfig) -> Result<(), Rejection> {
    for (field, text) in [
        ("address", &config.address),
        ("path", &config.path),
        ("mount_options", &config.mount_options),
        ("vfs_type", &config.vfs_type),
        ("nfs_version", &config.nfs_version),
        ("target", &config.target),
        ("username", &config.username),
        ("password", &config.password),
    ] {
        check::text(act, field, text, check::MAX_TEXT)?;
    }
    for (field, number) in [("nfs_timeo", config.nfs_timeo), ("nfs_retrans", config.nfs_retrans)] {
        check::range(act, field, number.unwrap_or_default().into(), 0, MAX_NFS_NUMBER.into())?;
    }
    let empty = |field: &'static str| act.no(Key::ConnectionFieldEmpty).with("fieldName", field);
    let invalid = |field: &'static str| act.no(Key::ConnectionInvalid).with("fieldName", field);
    match config.kind {
        StorageKind::Iscsi => {
            if config.address.is_empty() {
                return Err(empty("address"));
            }
            if config.target.is_empty() {
                return Err(act.no(Key::ConnectionIqnEmpty));
            }
            if config.port == 0 {
                return Err(invalid("port"));
            }
        }
        StorageKind::Fcp | StorageKind::Glance => return Err(act.no(Key::ConnectionKindUnsupported)),
        StorageKind::Nfs | StorageKind::Posixfs | StorageKind::Glusterfs | StorageKind::Localfs => {
            if config.path.is_empty() {
                return Err(empty("path"));
            }
            if config.kind == StorageKind::Nfs && config.address.is_empty() {
                return Err(empty("address"));
            }
            let rooted = matches!(config.kind, StorageKind::Nfs | StorageKind::Localfs);
            if rooted && !config.path.starts_with('/') {
                return Err(invalid("path"));
            }
            let mounted = matches!(config.kind, StorageKind::Posixfs | StorageKind::Glusterfs);
            if mounted && config.vfs_type.is_empty() {
                return Err(act.no(Key::ConnectionVfsTypeEmpty));
            }
        }
    }
    check_address(act, "address", &config.address)?;
    match config.nfs_version.to_lowercase().as_str() {
        "" | "v3" | "v4" | "v4.1" | "v4_1" | "auto" => Ok(()),
        _ => Err(invalid("nfs_version")),
    }
}

/// A host that is to connect has to be up, and it has to have reached the storage.
fn reached(act: Act, world: &World, host: Option<HostId>, reach: &Result<(), String>) -> Result<(), Rejection> {
    let Some(host) = host else { return Ok(()) };
    if world.host(host)?.status != HostStatus::Up {
        return Err(act.no(Key::ConnectionHostNotUp));
    }
    match reach {
        Ok(()) => Ok(()),
        Err(detail) => Err(act.no(Key::StorageMountFailed).with("detail", detail)),
    }
}

fn on(domain: StorageDomainId, permit: Permit) -> Option<(Permit, EntityRef)> {
    Some((permit, EntityRef::StorageDomain(domain)))
}

/// Adds a storage connection that no storage domain uses yet.
#[derive(Clone, Debug)]
pub struct AddStorageConnection {
    /// What a user says of it.
    pub config: ConnectionConfig,
    /// The host that tried it.
    pub host: Option<HostId>,
    /// Whether the host reached it, and if not why; without a host nobody tried.
    pub reach: Result<(), String>,
}

impl Decide for AddStorageConnection {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "Storage Connection");
        check_config(act, &self.config)?;
        if leading_to(world, &self.config).is_some() {
            return Err(act.no(Key::ConnectionExists));
        }
        reached(act, world, self.host, &self.reach)?;
        let connection: StorageConnectionId = cx.fresh(0);
        Ok(vec![StorageConnectionAdded { connection, config: self.config.clone(), made_for: None }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateStorageDomain, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::CreateStorageDomain)
    }
}

/// Changes a storage connection, all of whose storage domains are in maintenance or attached nowhere.
#[derive(Clone, Debug)]
pub struct UpdateStorageConnection {
    /// Which storage connection.
    pub connection: StorageConnectionId,
    /// What changes of it.
    pub changes: ConnectionPatch,
    /// The host that tried it.
    pub host: Option<HostId>,
    /// Whether the host reached it, and if not why; without a host nobody tried.
    pub reach: Result<(), String>,
}

impl Decide for UpdateStorageConnection {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("edit", "Storage Connection");
        let current = world.storage_connection(self.connection)?;
        let changes = self.changes.clone().reduce(&current.config);
        if changes.kind.is_some() {
            return Err(act.no(Key::ConnectionKindFixed));
        }
        let mut wanted = current.config.clone();
        wanted.apply(&changes);
        check_config(act, &wanted)?;
        if world.storage_connections.values().any(|c| c.id != self.connection && c.config.leads_where(&wanted)) {
            return Err(act.no(Key::ConnectionExists));
        }
        let used: Vec<_> = users(world, self.connection).collect();
        let names =
            |of: &[&std::sync::Arc<StorageDomain>]| of.iter().map(|d| d.config.name.as_str()).collect::<Vec<_>>().join(",");
        if current.config.kind != StorageKind::Iscsi && used.len() > 1 {
            return Err(act.no(Key::ConnectionSharedByDomains).with("domainNames", names(&used)));
        }
        let busy: Vec<_> = used.iter().filter(|d| !resting(d)).copied().collect();
        if !busy.is_empty() {
            return Err(act.no(Key::ConnectionDomainsStatus).with("domainNames", names(&busy)));
        }
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        reached(act, world, self.host, &self.reach)?;
        Ok(vec![StorageConnectionUpdated { connection: self.connection, changes }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateStorageDomain, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::CreateStorageDomain)
    }
}

/// Whether no host uses a domain: it is attached nowhere, or in maintenance.
fn resting(domain: &StorageDomain) -> bool {
    domain.state == DomainState::Ready && domain.attachments.iter().all(|a| a.status == AttachmentStatus::Maintenance)
}

/// Removes a storage connection that no storage domain uses.
#[derive(Clone, Debug)]
pub struct RemoveStorageConnection {
    /// Which storage connection.
    pub connection: StorageConnectionId,
}

impl Decide for RemoveStorageConnection {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("remove", "Storage Connection");
        world.storage_connection(self.connection)?;
        let names: Vec<&str> = users(world, self.connection).map(|d| d.config.name.as_str()).collect();
        if !names.is_empty() {
            return Err(act.no(Key::ConnectionSharedByDomains).with("domainNames", names.join(",")));
        }
        Ok(vec![StorageConnectionRemoved { connection: self.connection }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::CreateStorageDomain, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::CreateStorageDomain)
    }
}

/// The rules of changing the connections of a domain.
fn check_domain(act: Act, world: &World, domain: StorageDomainId) -> Result<&StorageDomain, Rejection> {
    let domain = world.storage_domain(domain)?;
    if domain.storage.kind != StorageKind::Iscsi {
        return Err(act.no(Key::ConnectionOnlyIscsi));
    }
    if !resting(domain) {
        return Err(act.no(Key::ConnectionDomainsStatus).with("domainNames", &domain.config.name));
    }
    Ok(domain)
}

/// Attaches one more connection to an iSCSI domain: another way to its logical units.
#[derive(Clone, Debug)]
pub struct AttachStorageConnection {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which storage connection.
    pub connection: StorageConnectionId,
}

impl Decide for AttachStorageConnection {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("attach", "Storage Connection");
        let domain = check_domain(act, world, self.domain)?;
        if world.storage_connection(self.connection)?.config.kind != domain.storage.kind {
            return Err(act.no(Key::ConnectionOtherKind));
        }
        if domain.storage.connections.contains(&self.connection) {
            return Err(act.no(Key::ConnectionAttachedAlready));
        }
        check::range(act, "storage_connections", domain.storage.connections.len() as i64, 0, MAX_CONNECTIONS as i64 - 1)?;
        Ok(vec![StorageConnectionAttached { domain: self.domain, connection: self.connection }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        on(self.domain, Permit::ManipulateStorageDomain)
    }
}

/// Detaches a connection from an iSCSI domain; the connection stays.
#[derive(Clone, Debug)]
pub struct DetachStorageConnection {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// Which storage connection.
    pub connection: StorageConnectionId,
}

impl Decide for DetachStorageConnection {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("detach", "Storage Connection");
        let domain = check_domain(act, world, self.domain)?;
        if !domain.storage.connections.contains(&self.connection) {
            return Err(act.no(Key::ConnectionNotAttached));
        }
        Ok(vec![StorageConnectionDetached { domain: self.domain, connection: self.connection }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        on(self.domain, Permit::ManipulateStorageDomain)
    }
}
