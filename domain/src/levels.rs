//! What a compatibility version can do that older ones cannot: decisions and capabilities have it from here.

use crate::data_center::Version;

/// Something that not every compatibility version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Feature {
    PosixStorage,
    GlusterStorage,
    StorageFormatV3,
    GlusterService,
    /// Networks that VMs do not use.
    NonVmNetwork,
    /// Networks with an MTU of their own.
    NetworkMtu,
    MigrationNetwork,
    Ballooning,
    /// Gateways of networks beside the management network.
    Gateways,
}

impl Feature {
    /// The minor number of the first version that has it. The reference does not say it of the non-VM network, the MTU, the migration
    /// network and ballooning: for these it is the version that upstream brought them with.
    pub const fn since(self) -> u32 {
        match self {
            Self::PosixStorage | Self::StorageFormatV3 | Self::GlusterService | Self::NonVmNetwork | Self::NetworkMtu => 1,
            Self::GlusterStorage | Self::MigrationNetwork | Self::Ballooning | Self::Gateways => 3,
        }
    }

    /// Whether a version has it.
    pub fn is_in(self, version: Version) -> bool {
        version >= Version { major: 3, minor: self.since() }
    }
}
