//! Typed identifiers: one newtype over a UUID for each kind of aggregate, so that they cannot be mixed up.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )*};
}

ids! {
    /// A data center.
    DataCenterId,
    /// A cluster of hosts.
    ClusterId,
    /// A logical network.
    NetworkId,
    /// A vNIC profile.
    VnicProfileId,
    /// A host.
    HostId,
    /// A network interface of a host.
    HostNicId,
    /// A storage domain.
    StorageDomainId,
    /// A way to storage.
    StorageConnectionId,
    /// A disk.
    DiskId,
    /// A virtual machine.
    VmId,
    /// A network interface of a virtual machine.
    NicId,
    /// A template.
    TemplateId,
    /// A tag.
    TagId,
    /// A user.
    UserId,
    /// A group of users.
    GroupId,
    /// A role.
    RoleId,
    /// A permission: a role granted to somebody on an object.
    PermissionId,
    /// A login session.
    SessionId,
    /// A job: work that takes time.
    JobId,
}

/// Place of an event in the log: the first is 1, there are no gaps, and the order is that of the commits.
pub type Position = u64;

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;
