//! Typed identifiers: one newtype over a UUID for each kind of aggregate, so that they cannot be mixed up.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::tables::tables;

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

macro_rules! ids_of_tables {
    (
        entities { $($(#[$entity_attr:meta])* $entity:ident $entity_name:literal $entity_one:ident $entity_many:ident: $EntityId:ident => $Entity:ty, $entity_called:literal;)* }
        records { $($(#[$record_attr:meta])* $record:ident $record_name:literal $record_one:ident $record_many:ident: $RecordId:ident => $Record:ty, $record_called:literal;)* }
        parts { $($(#[$part_attr:meta])* $part_one:ident $part_many:ident: $PartId:ident => $Part:ty, $part_called:literal;)* }
    ) => {
        ids! {
            $(#[doc = concat!("The identifier of a ", $entity_called, ".")] $EntityId,)*
            $(#[doc = concat!("The identifier of a ", $record_called, ".")] $RecordId,)*
        }
    };
}

tables!(ids_of_tables);

ids! {
    /// A network interface of a host.
    HostNicId,
    /// A network interface of a virtual machine.
    NicId,
}

/// Place of an event in the log: the first is 1, there are no gaps, and the order is that of the commits.
pub type Position = u64;

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;
