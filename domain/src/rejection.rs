//! Why a command is refused: the upstream message key, its class and its arguments. How a dialect says it is the faces' matter.

use std::fmt;

use crate::quota::QuotaStrained;

/// The class of a refusal, finely enough that any dialect maps classes to its statuses by one table, with keys where it has words of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The caller may not do it: a permit is missing, or what is asked for is reserved to others.
    NotAllowed,
    /// What the request is about does not exist.
    NotFound,
    /// A value of the request names something that does not exist, such as a file or an interface.
    BadReference,
    /// A value of the request is wrong whatever the state of things is: missing, out of range, malformed, or at odds with another one.
    BadValue,
    /// This version, this kind of thing or this way of doing it does not offer what is asked for.
    Unsupported,
    /// It cannot be changed or removed: it is built in, protected, fixed for good, or kept by somebody else.
    Immutable,
    /// Something that may be there only once is there already, such as a name, an address or an assignment.
    AlreadyExists,
    /// Others depend on it.
    InUse,
    /// It is in a state in which that cannot be done; another action leads out of it.
    WrongState,
    /// Other work on it is under way, or it rests for a while: the same request may succeed a little later.
    Busy,
    /// A quota would be exceeded.
    QuotaExceeded,
    /// No host, storage or pool has room for it.
    NoCapacity,
    /// A host or a storage outside did not answer, or did not let the engine in.
    Unreachable,
    /// How other things are configured stands against it, and no class above says it better.
    Conflict,
    /// What it was decided on is not as the caller last saw it.
    PreconditionFailed,
    /// Something that the engine depends on failed; nothing was done.
    Unavailable,
    /// The engine itself is wrong.
    Internal,
}

/// A refused command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The message key.
    pub key: Key,
    /// Variables of the message text, by name.
    pub arguments: Vec<(&'static str, String)>,
    /// Further reasons behind the first, such as why each host was filtered out.
    pub because: Vec<Rejection>,
    /// What the log is told of it: nothing of a request that is wrong, something of a sound one that a quota stands against.
    pub told: Option<Box<QuotaStrained>>,
}

impl Rejection {
    /// A refusal with a key and no arguments.
    pub fn new(key: Key) -> Self {
        Self { key, arguments: Vec::new(), because: Vec::new(), told: None }
    }

    /// With a variable of the message.
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.arguments.push((name, value.to_string()));
        self
    }

    /// With further reasons.
    pub fn because(mut self, reasons: Vec<Rejection>) -> Self {
        self.because = reasons;
        self
    }

    /// With what the log is told of it.
    pub fn telling(mut self, what: QuotaStrained) -> Self {
        self.told = Some(Box::new(what));
        self
    }

    /// Its class.
    pub fn class(&self) -> Class {
        self.key.class()
    }

    /// The message and those of the further reasons, one text each, variables filled in.
    pub fn messages(&self) -> Vec<String> {
        let mut messages = vec![self.to_string()];
        messages.extend(self.because.iter().flat_map(Rejection::messages));
        messages
    }
}

impl From<Key> for Rejection {
    fn from(key: Key) -> Self {
        Self::new(key)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.key.text();
        while let Some(start) = rest.find("${") {
            let Some(end) = rest[start..].find('}') else { break };
            f.write_str(&rest[..start])?;
            let name = &rest[start + 2..start + end];
            match self.arguments.iter().find(|(n, _)| *n == name) {
                Some((_, value)) => f.write_str(value)?,
                None => write!(f, "${{{name}}}")?,
            }
            rest = &rest[start + end + 1..];
        }
        f.write_str(rest)
    }
}

impl std::error::Error for Rejection {}

macro_rules! keys {
    ($($name:ident $upstream:literal $class:ident $text:literal,)*) => {
        /// The keys of refusals; the names are upstream's, in Rust's spelling.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Key { $(#[doc = $text] $name,)* }

        impl Key {
            /// Every key.
            pub const ALL: &'static [Key] = &[$(Key::$name,)*];

            /// The upstream spelling.
            pub fn upstream(self) -> &'static str {
                match self { $(Self::$name => $upstream,)* }
            }

            /// Its class.
            pub fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }

            /// The message, with variables as `${name}`.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

keys! {
    NotAuthorized "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION" NotAllowed "User is not authorized to perform this action.",
    EntityNotFound "ENTITY_NOT_FOUND" NotFound "Entity not found: ${what}",
    NameAlreadyUsed "ACTION_TYPE_FAILED_NAME_ALREADY_USED" AlreadyExists "Cannot ${action} ${type}. The ${type} name is already in use, please choose a unique name and try again.",
    ClusterNameInUse "VDS_GROUP_CANNOT_DO_ACTION_NAME_IN_USE" AlreadyExists "Cannot ${action} Cluster. A cluster of that name exists already.",
    DataCenterNameInUse "ACTION_TYPE_FAILED_STORAGE_POOL_NAME_ALREADY_EXIST" AlreadyExists "Cannot ${action} Data Center. A data center of that name exists already.",
    NetworkNameInUse "ACTION_TYPE_FAILED_NETWORK_NAME_IN_USE" AlreadyExists "Cannot ${action} Network. A network of that name exists already in the data center.",
    VnicProfileNameInUse "ACTION_TYPE_FAILED_VNIC_PROFILE_NAME_IN_USE" AlreadyExists "Cannot ${action} vNIC profile. A profile of that name exists already for the network.",
    StorageDomainNameInUse "ACTION_TYPE_FAILED_STORAGE_DOMAIN_NAME_ALREADY_EXIST" AlreadyExists "Cannot ${action} Storage. A storage domain of that name exists already.",
    TagNameInUse "TAGS_SPECIFY_TAG_IS_IN_USE" AlreadyExists "Cannot ${action} Tag. The tag name is in use already.",
    HostAddressInvalid "ACTION_TYPE_FAILED_INVALID_VDS_HOSTNAME" BadValue "Cannot ${action} Host. ${field} is no host name and no IP address.",
    HostAddressInUse "ACTION_TYPE_FAILED_VDS_WITH_SAME_HOST_EXIST" AlreadyExists "Cannot ${action} Host. A host with the address ${address} exists already.",
    NicNameInUse "NETWORK_INTERFACE_NAME_ALREADY_IN_USE" AlreadyExists "Cannot ${action} ${type}. The network interface name ${name} is in use already.",
    MacInUse "NETWORK_MAC_ADDRESS_IN_USE" AlreadyExists "Cannot ${action} ${type}. The MAC address ${mac} is in use already.",
    MacInvalid "ACTION_TYPE_FAILED_INVALID_MAC" BadValue "Cannot ${action} ${type}. ${mac} is no unicast MAC address.",
    MacPoolEmpty "MAC_POOL_NOT_ENOUGH_MAC_ADDRESSES" NoCapacity "Cannot ${action} ${type}. No MAC address is left in the pool.",
    NameEmpty "ACTION_TYPE_FAILED_NAME_EMPTY" BadValue "Cannot ${action} ${type}. A name is required.",
    NameTooLong "ACTION_TYPE_FAILED_NAME_LENGTH_IS_TOO_LONG" BadValue "Cannot ${action} ${type}. The given name is too long.",
    NameSpecialCharacters "ACTION_TYPE_FAILED_NAME_MAY_NOT_CONTAIN_SPECIAL_CHARS" BadValue "Cannot ${action} ${type}. The given name has characters that are not allowed.",
    TextTooLong "VALIDATION_TEXT_TOO_LONG" BadValue "Cannot ${action} ${type}. The field ${field} is longer than ${limit} characters.",
    TextInvalid "ACTION_TYPE_FAILED_TEXT_INVALID" BadValue "Cannot ${action} ${type}. The field ${field} holds control characters.",
    OutOfRange "VALIDATION_OUT_OF_RANGE" BadValue "Cannot ${action} ${type}. The field ${field} has to be from ${min} to ${max}.",
    InvalidTimezone "ACTION_TYPE_FAILED_INVALID_TIMEZONE" BadValue "Cannot ${action} ${type}. The timezone ${timezone} is not known.",
    UnknownCustomProperty "ACTION_TYPE_FAILED_INVALID_CUSTOM_PROPERTIES_INVALID_KEYS" BadValue "Cannot ${action} ${type}. There is no ${name} among the ${field} of VMs.",
    InvalidCustomProperty "ACTION_TYPE_FAILED_INVALID_CUSTOM_PROPERTIES_INVALID_VALUES" BadValue "Cannot ${action} ${type}. The value of ${name} in ${field} does not match its pattern.",
    DuplicateCustomProperty "ACTION_TYPE_FAILED_INVALID_CUSTOM_PROPERTIES_DUPLICATE_KEYS" BadValue "Cannot ${action} ${type}. The property ${name} is given twice in ${field}.",
    MemoryGuaranteeTooHigh "ACTION_TYPE_FAILED_MIN_MEMORY_CANNOT_EXCEED_MEMORY_SIZE" BadValue "Cannot ${action} VM. The guaranteed memory is more than the memory.",
    TooManyCpus "ACTION_TYPE_FAILED_MAX_NUM_CPU" BadValue "Cannot ${action} VM. It has more virtual CPUs than ${max}.",
    TooManySockets "ACTION_TYPE_FAILED_MAX_NUM_SOCKETS" BadValue "Cannot ${action} VM. It has more sockets than ${max}.",
    TooManyCoresPerSocket "ACTION_TYPE_FAILED_MAX_CPU_PER_SOCKET" BadValue "Cannot ${action} VM. It has more cores per socket than ${max}.",
    OptionUnnamed "VALIDATION_OPTION_NAME_EMPTY" BadValue "Cannot ${action} ${type}. ${field} is missing.",
    PayloadTwice "VMPAYLOAD_CDROM_OR_CLOUD_INIT_MAXIMUM_DEVICES" Conflict "Cannot ${action} ${type}. There is more than one payload of the type ${kind}.",
    PayloadFileName "VMPAYLOAD_INVALID_FILE_NAME" BadValue "Cannot ${action} ${type}. Each file of a payload needs a name of its own: '${name}'.",
    PayloadTooLarge "VMPAYLOAD_SIZE_EXCEEDED" BadValue "Cannot ${action} ${type}. The content of the payload's file ${name} is larger than ${size} bytes.",
    PayloadFloppyExceeded "VMPAYLOAD_FLOPPY_EXCEEDED" Conflict "Cannot ${action} ${type}. Its floppy drive has a payload already, and takes no floppy beside.",
    PinFormatInvalid "VM_PINNING_FORMAT_INVALID" BadValue "Cannot ${action} ${type}. The cpu_set '${set}' of the vcpu_pin of vcpu ${vcpu} is no set of CPUs.",
    PinnedVcpuUnknown "VM_PINNING_VCPU_DOES_NOT_EXIST" BadValue "Cannot ${action} ${type}. A vcpu_pin names vcpu ${vcpu}, which the VM does not have.",
    PinnedCpuUnknown "VM_PINNING_PCPU_DOES_NOT_EXIST" BadValue "Cannot ${action} ${type}. The cpu_set '${set}' of the vcpu_pin of vcpu ${vcpu} names a CPU that its host does not have.",
    PinnedTwice "VM_PINNING_DUPLICATE_DEFINITION" BadValue "Cannot ${action} ${type}. There is more than one vcpu_pin of vcpu ${vcpu}.",
    PinnedToNothing "VM_PINNING_PINNED_TO_NO_CPU" BadValue "Cannot ${action} ${type}. The cpu_set '${set}' of the vcpu_pin of vcpu ${vcpu} leaves it no CPU.",
    VirtioScsiDisabled "CANNOT_PERFORM_ACTION_VIRTIO_SCSI_IS_DISABLED" Conflict "Cannot ${action} ${type}. The interface is virtio_scsi, for which the VM has no controller: virtio_scsi is disabled.",
    VirtioScsiInUse "CANNOT_DISABLE_VIRTIO_SCSI_PLUGGED_DISKS" Conflict "Cannot ${action} ${type}. It has disks by virtio_scsi, which cannot be disabled.",
    VmIsRunning "ACTION_TYPE_FAILED_VM_IS_RUNNING" WrongState "Cannot ${action} ${type}. VM is running.",
    VmIsNotRunning "ACTION_TYPE_FAILED_VM_IS_NOT_RUNNING" WrongState "Cannot ${action} ${type}. VM is not running.",
    VmIsNotUp "ACTION_TYPE_FAILED_VM_IS_NOT_UP" WrongState "Cannot ${action} ${type}. VM is not up.",
    VmIsLocked "ACTION_TYPE_FAILED_VM_IS_LOCKED" Busy "Cannot ${action} ${type}. VM is locked.",
    VmIsSavingRestoring "ACTION_TYPE_FAILED_VM_IS_SAVING_RESTORING" Busy "Cannot ${action} ${type}. VM is saving or restoring its state.",
    VmStatusIllegal "ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL" WrongState "Cannot ${action} ${type} because the VM is in ${vmStatus} status.",
    VmUpdateIllegalField "VM_CANNOT_UPDATE_ILLEGAL_FIELD" WrongState "There was an attempt to change VM values while the VM is not down. Please shut down the VM in order to modify these properties.",
    VmStatelessHa "VM_CANNOT_RUN_STATELESS_HA" Conflict "Cannot ${action} ${type}. A stateless VM cannot be highly available.",
    VmSuspendStateless "VM_CANNOT_SUSPEND_STATELESS_VM" Conflict "Cannot ${action} ${type}. A stateless VM cannot be suspended.",
    VmNoDisk "VM_CANNOT_RUN_FROM_DISK_WITHOUT_DISK" Conflict "Cannot ${action} ${type} from disk: it has no bootable disk that is plugged.",
    VmNoIsoDomain "VM_CANNOT_RUN_FROM_CD_WITHOUT_ACTIVE_STORAGE_DOMAIN_ISO" Conflict "Cannot ${action} ${type} from CD: the data center has no active ISO domain.",
    VmNoNic "VM_CANNOT_RUN_FROM_NETWORK_WITHOUT_NETWORK" Conflict "Cannot ${action} ${type} from network: it has no network interface.",
    IsoNotFound "ERROR_CANNOT_FIND_ISO_IMAGE_PATH" BadReference "Cannot ${action} ${type}. The ISO image ${file} was not found.",
    DeleteProtected "ACTION_TYPE_FAILED_DELETE_PROTECTION_ENABLED" Immutable "Cannot ${action} ${type}. Delete protection is enabled.",
    VmPinned "ACTION_TYPE_FAILED_VM_IS_PINNED_TO_HOST" Conflict "Cannot ${action} ${type}. VM is pinned to a host.",
    VmNotMigratable "ACTION_TYPE_FAILED_VM_IS_NON_MIGRTABLE_AND_IS_NOT_FORCED_BY_USER_TO_MIGRATE" Conflict "Cannot ${action} ${type}. VM is not migratable and the migration is not forced.",
    MigrationInProgress "ACTION_TYPE_FAILED_MIGRATION_IN_PROGRESS" Busy "Cannot ${action} ${type}. VM migration is in progress.",
    MigratePaused "MIGRATE_PAUSED_VM_IS_UNSUPPORTED" Unsupported "Cannot ${action} ${type}. A paused VM cannot be migrated.",
    NotMigrating "VM_CANNOT_CANCEL_MIGRATION_WHEN_VM_IS_NOT_MIGRATING" WrongState "Cannot ${action} ${type}. VM is not migrating.",
    HostStatusIllegal "ACTION_TYPE_FAILED_VDS_STATUS_ILLEGAL" WrongState "Cannot ${action} ${type}. The host is not in ${hostStatus} status.",
    AllHostsFilteredOut "SCHEDULING_ALL_HOSTS_FILTERED_OUT" NoCapacity "Cannot ${action} ${type}. There is no host that satisfies current scheduling constraints. See below for details:",
    HostFilteredOut "SCHEDULING_HOST_FILTERED_REASON" NoCapacity "The host ${hostName} did not satisfy the filter ${filterName}: ${detail}.",
    NoHostInCluster "ACTION_TYPE_FAILED_NO_VDS_IN_CLUSTER" NoCapacity "Cannot ${action} ${type}. No host of the cluster is up.",
    NoHostInDataCenter "ACTION_TYPE_FAILED_NO_VDS_IN_POOL" NoCapacity "Cannot ${action} ${type}. No host of the data center is up.",
    DataCenterStatusIllegal "ACTION_TYPE_FAILED_STORAGE_POOL_STATUS_ILLEGAL" WrongState "Cannot ${action} ${type}. The data center is not up.",
    HostUuidInUse "ACTION_TYPE_FAILED_VDS_WITH_SAME_UUID_EXIST" AlreadyExists "Cannot ${action} Host. ${address} is the same machine as the host ${name}.",
    HostMissingImage "VDS_CANNOT_INSTALL_MISSING_IMAGE_FILE" BadValue "Cannot ${action} Host. A hypervisor node is installed from an image, and image is missing.",
    HostEmptyPassword "VDS_CANNOT_INSTALL_EMPTY_PASSWORD" BadValue "Cannot ${action} Host. A root password is required.",
    HostUnreachable "VDS_CANNOT_CONNECT_TO_SERVER" Unreachable "Cannot ${action} Host. Connecting to the host ${address} failed: ${detail}.",
    HostAuthentication "VDS_CANNOT_AUTHENTICATE_TO_SERVER" Unreachable "Cannot ${action} Host. The host did not accept the root password.",
    HostStatusNotOperational "VDS_CANNOT_MAINTENANCE_VDS_IS_NOT_OPERATIONAL" WrongState "Cannot ${action} Host. It cannot be moved to maintenance in ${hostStatus} status.",
    HostInMaintenance "VDS_CANNOT_MAINTENANCE_VDS_IS_IN_MAINTENANCE" WrongState "Cannot ${action} Host. It is in maintenance already.",
    HostRunsVmsNoOther "CANNOT_MAINTENANCE_VDS_RUN_VMS_NO_OTHER_RUNNING_VDS" NoCapacity "Cannot ${action} Host. It runs VMs and no other host of the cluster is up to take them.",
    HostNonMigratableVms "VDS_CANNOT_MAINTENANCE_IT_INCLUDES_NON_MIGRATABLE_VM" Conflict "Cannot ${action} Host. It runs VMs that cannot be migrated: ${vms}.",
    HostNonResponsiveWithVms "VDS_CANNOT_MAINTENANCE_VDS_IS_NOT_RESPONDING_WITH_VMS" WrongState "Cannot ${action} Host. It does not respond and VMs may run on it.",
    HostAlreadyUp "VDS_ALREADY_UP" WrongState "Cannot ${action} Host. Host is up already.",
    HostNonResponsive "VDS_NON_RESPONSIVE" WrongState "Cannot ${action} Host. Host is non-responsive.",
    HostCannotActivate "VDS_CANNOT_ACTIVATE_VDS_STATUS_ILLEGAL" WrongState "Cannot ${action} Host in ${hostStatus} status.",
    HostCannotRemove "VDS_CANNOT_REMOVE_VDS_STATUS_ILLEGAL" WrongState "Cannot ${action} Host. It has to be in maintenance first.",
    HostHasVms "VDS_CANNOT_REMOVE_VDS_DETECTED_RUNNING_VM" InUse "Cannot ${action} Host. It runs VMs.",
    HostHasPinnedVms "ACTION_TYPE_FAILED_DETECTED_PINNED_VMS" InUse "Cannot ${action} Host. VMs are pinned to it.",
    HostApproveType "VDS_APPROVE_WRONG_VDS_TYPE" WrongState "Cannot ${action} Host. It is no hypervisor that registered itself.",
    HostApproveStatus "VDS_APPROVE_VDS_IN_WRONG_STATUS" WrongState "Cannot ${action} Host. It does not wait for approval.",
    HostInstallStatus "VDS_CANNOT_INSTALL_STATUS_ILLEGAL" WrongState "Cannot ${action} Host in ${hostStatus} status. Move it to maintenance first.",
    HostUpdateStatus "VDS_STATUS_NOT_VALID_FOR_UPDATE" WrongState "Cannot ${action} Host in ${hostStatus} status.",
    HostnameFixed "ACTION_TYPE_FAILED_HOSTNAME_CANNOT_CHANGE" WrongState "Cannot ${action} Host. Its address can be changed in maintenance, or after its installation has failed, only.",
    HostPortFixed "VDS_PORT_CHANGE_REQUIRE_INSTALL" WrongState "Cannot ${action} Host. Its port can be changed in maintenance, or after its installation has failed, only, as it has to be installed anew.",
    HostUpdateCluster "VDS_CANNOT_UPDATE_CLUSTER" WrongState "Cannot ${action} Host. Its cluster can be changed in maintenance only.",
    InterfaceNotExists "NETWORK_INTERFACE_NOT_EXISTS" BadReference "Cannot ${action} ${type}. The network interface ${interface} does not exist.",
    InterfacesDontExist "NETWORK_INTERFACES_DONT_EXIST" BadReference "Cannot ${action} ${type}. These network interfaces do not exist on the host: ${interfaces}.",
    InterfacesSpecifiedTwice "NETWORK_INTERFACES_ALREADY_SPECIFIED" BadValue "Cannot ${action} ${type}. These network interfaces are given more than once: ${interfaces}.",
    InterfacesNotExclusive "NETWORK_INTERFACES_NOT_EXCLUSIVELY_USED_BY_NETWORK" InUse "Cannot ${action} ${type}. An untagged VM network shares its network interface with no other network: ${interfaces}.",
    InterfaceInBond "NETWORK_INTERFACE_ALREADY_IN_BOND" InUse "Cannot ${action} ${type}. The network interface ${interface} is part of a bond.",
    InterfaceHasNetwork "NETWORK_INTERFACE_ALREADY_HAVE_NETWORK" AlreadyExists "Cannot ${action} ${type}. The network interface ${interface} has a network already.",
    InterfaceHasVlans "NETWORK_INTERFACE_IN_USE_BY_VLAN" InUse "Cannot ${action} ${type}. The network interface ${interface} carries VLANs.",
    InterfaceOnVlan "NETWORK_INTERFACE_CONNECT_TO_VLAN" InUse "Cannot ${action} ${type}. The network interface ${interface} carries VLANs, with which an untagged VM network cannot share it.",
    InterfaceNotAttached "NETWORK_INTERFACE_NOT_ATTACH_TO_NETWORK" Conflict "Cannot ${action} ${type}. The network interface ${interface} does not have the network.",
    InterfaceInUseByVm "NETWORK_INTERFACE_IN_USE_BY_VM" InUse "Cannot ${action} ${type}. Its network is used by VMs: ${vms}.",
    NetworkAttachedAlready "NETWORK_ALREADY_ATTACHED_TO_INTERFACE" AlreadyExists "Cannot ${action} ${type}. The network ${network} is attached to a network interface of the host already.",
    NetworksAttachedTwice "NETWORKS_ALREADY_ATTACHED_TO_IFACES" BadValue "Cannot ${action} ${type}. These networks are given more than once: ${networks}.",
    NetworksNotInCluster "NETWORKS_DONT_EXIST_IN_CLUSTER" Conflict "Cannot ${action} ${type}. These networks are not in the host's cluster: ${networks}.",
    HostNetworkNotInCluster "NETWORK_NOT_EXISTS_IN_CLUSTER" Conflict "Cannot ${action} ${type}. The network ${network} is not in the host's cluster.",
    NetworksOutOfSync "NETWORKS_NOT_IN_SYNC" Conflict "Cannot ${action} ${type}. These networks differ from how they are defined now, and can be changed with override_configuration only: ${networks}.",
    NetworkUsedByVms "NETWORK_CANNOT_DETACH_NETWORK_USED_BY_VMS" InUse "Cannot ${action} ${type}. VMs of the host use the network ${networks}: ${vms}.",
    NetworkMtuDiffers "NETWORK_MTU_DIFFERENCES" Conflict "Cannot ${action} ${type}. Networks on one network interface need the same MTU: ${networks}.",
    HostNeedsManagement "NETWORK_CANNOT_REMOVE_MANAGEMENT_NETWORK" Immutable "Cannot ${action} ${type}. The management network ${networkName} cannot be taken off a host.",
    HostNetworkBusy "NETWORK_HOST_IS_BUSY" Busy "Cannot ${action} ${type}. The networks of the host are being changed.",
    HostAddressFixed "ACTION_TYPE_FAILED_NETWORK_ADDRESS_CANNOT_BE_CHANGED" Immutable "Cannot ${action} ${type}. The address of ${networks} is the one that the host was added with, and is changed by adding it anew only.",
    AddressMandatory "NETWORK_ADDR_MANDATORY_IN_STATIC_IP" BadValue "Cannot ${action} ${type}. A static address needs ip.address and ip.netmask; ${field} is missing.",
    AddressBadFormat "NETWORK_ADDR_IN_STATIC_IP_BAD_FORMAT" BadValue "Cannot ${action} ${type}. ip.address ${address} is no IPv4 address of an interface.",
    NetmaskBadFormat "NETWORK_ADDR_IN_SUBNET_BAD_FORMAT" BadValue "Cannot ${action} ${type}. ip.netmask ${netmask} is no netmask.",
    GatewayBadFormat "NETWORK_ADDR_IN_GATEWAY_BAD_FORMAT" BadValue "Cannot ${action} ${type}. ip.gateway ${gateway} is no IPv4 address.",
    GatewayIllegal "NETWORK_ATTACH_ILLEGAL_GATEWAY" Unsupported "Cannot ${action} ${type}. Before version 3.3 only the management network may have a gateway, and not ${network}.",
    BondNameExists "NETWORK_BOND_NAME_EXISTS" AlreadyExists "Cannot ${action} ${type}. The bond ${name} exists already.",
    BondParametersInvalid "NETWORK_BOND_PARAMETERS_INVALID" BadValue "Cannot ${action} ${type}. The bond's parameters are invalid: ${detail}.",
    BondSlaveCount "NETWORK_BONDS_INVALID_SLAVE_COUNT" BadValue "Cannot ${action} ${type}. A bond needs two slaves at the least: ${bonds}.",
    BondNotExists "NETWORK_BOND_NOT_EXISTS" BadReference "Cannot ${action} ${type}. ${interface} is no bond and has no bonding.",
    BondHasVlans "NETWORK_BOND_HAVE_ATTACHED_VLANS" InUse "Cannot ${action} ${type}. ${interface} carries VLANs.",
    BondNotAttached "NETWORK_BOND_NOT_ATTACH_TO_NETWORK" Conflict "Cannot ${action} ${type}. The bond ${interface} does not have the network.",
    FenceDisabled "VDS_FENCE_DISABLED" Conflict "Cannot ${action} Host. Power management is not enabled for it.",
    FenceAtStartup "VDS_FENCE_DISABLED_AT_SYSTEM_STARTUP_INTERVAL" Busy "Cannot ${action} Host. Power management rests for ${seconds} seconds more, as the engine has only just started.",
    FenceQuietTime "VDS_FENCE_DISABLED_AT_QUIET_TIME" Busy "Cannot ${action} Host. The same was done to it a short while ago; try again in ${seconds} seconds.",
    FenceNoProxy "VDS_NO_VDS_PROXY_FOUND" NoCapacity "Cannot ${action} Host. No other host of the data center is up to reach its power management.",
    FenceManualStatus "ACTION_TYPE_FAILED_VDS_NOT_MATCH_VALID_STATUS" WrongState "Cannot confirm that Host was rebooted in ${hostStatus} status.",
    FenceStartStatus "VDS_STATUS_NOT_VALID_FOR_START" WrongState "Cannot ${action} Host in ${hostStatus} status.",
    FenceStopStatus "VDS_STATUS_NOT_VALID_FOR_STOP" WrongState "Cannot ${action} Host in ${hostStatus} status. Move it to maintenance first.",
    FenceInProgress "POWER_MANAGEMENT_ACTION_ON_ENTITY_ALREADY_IN_PROGRESS" Busy "Cannot ${action} Host. Another power management action is in progress on it.",
    FenceAgentMissing "ACTION_TYPE_FAILED_PM_ENABLED_WITHOUT_AGENT" BadValue "Cannot ${action} Host. Power management is enabled, and power_management.type is missing.",
    FenceCredentialsMissing "ACTION_TYPE_FAILED_PM_ENABLED_WITHOUT_AGENT_CREDENTIALS" BadValue "Cannot ${action} Host. Power management is enabled, and ${field} is missing.",
    FenceAgentUnsupported "ACTION_TYPE_FAILED_AGENT_NOT_SUPPORTED" Unsupported "Cannot ${action} Host. Power management of the type ${agent} is not supported.",
    SpmHostNotUp "CANNOT_FORCE_SELECT_SPM_VDS_NOT_UP" WrongState "Cannot ${action} ${type}. Host ${VdsName} is not up.",
    SpmHostAlready "CANNOT_FORCE_SELECT_SPM_VDS_ALREADY_SPM" WrongState "Cannot ${action} ${type}. Host ${VdsName} is the SPM already.",
    SpmHostNever "CANNOT_FORCE_SELECT_SPM_VDS_MARKED_AS_NEVER_SPM" Conflict "Cannot ${action} ${type}. Host ${VdsName} is never to be SPM: its storage_manager.priority is -1.",
    SpmHostNotInPool "CANNOT_FORCE_SELECT_SPM_VDS_NOT_IN_POOL" WrongState "Cannot ${action} ${type}. Host ${VdsName} is in no data center that has storage.",
    SpmPoolBusy "CANNOT_FORCE_SELECT_SPM_STORAGE_POOL_HAS_RUNNING_TASKS" Busy "Cannot ${action} ${type}. Work on the storage of the data center is under way.",
    HostIsBusySpm "VDS_CANNOT_MAINTENANCE_SPM_WITH_RUNNING_TASKS" Busy "Cannot ${action} Host. It is the SPM, and work on storage is under way.",
    ClusterHasHosts "VDS_GROUP_CANNOT_REMOVE_HAS_VDS" InUse "Cannot ${action} Cluster. It has hosts.",
    ClusterHasVms "VDS_GROUP_CANNOT_REMOVE_HAS_VMS" InUse "Cannot ${action} Cluster. It has VMs.",
    ClusterIsDefault "VDS_CANNOT_REMOVE_DEFAULT_VDS_GROUP" Immutable "Cannot ${action} Cluster. It is the default cluster.",
    ClusterDataCenterFixed "VDS_GROUP_CANNOT_CHANGE_STORAGE_POOL" Immutable "Cannot ${action} Cluster. It belongs to a data center already.",
    DataCenterActive "ERROR_CANNOT_REMOVE_ACTIVE_STORAGE_POOL" WrongState "Cannot ${action} Data Center. It is up.",
    DataCenterHasDomains "ERROR_CANNOT_REMOVE_STORAGE_POOL_WITH_NONMASTER_DOMAINS" InUse "Cannot ${action} Data Center. It has storage domains.",
    DataCenterHasImages "ERROR_CANNOT_REMOVE_STORAGE_POOL_WITH_IMAGES" InUse "Cannot ${action} Data Center. It has disks.",
    DataCenterHasClusters "ERROR_CANNOT_REMOVE_STORAGE_POOL_WITH_VMS" InUse "Cannot ${action} Data Center. It has VMs.",
    DataCenterHasActiveDomains "ERROR_CANNOT_REMOVE_POOL_WITH_ACTIVE_DOMAINS" InUse "Cannot ${action} Data Center. It has storage domains that are active.",
    DataCenterHostsNotInMaintenance "ERROR_CANNOT_FORCE_REMOVE_STORAGE_POOL_WITH_VDS_NOT_IN_MAINTENANCE" WrongState "Cannot ${action} Data Center by force. It has hosts that are not in maintenance.",
    DataCenterAheadOfClusters "ERROR_CANNOT_UPDATE_STORAGE_POOL_COMPATIBILITY_VERSION_BIGGER_THAN_CLUSTERS" Conflict "Cannot ${action} Data Center. The version is above that of its clusters ${ClustersList}.",
    DataCenterPosixVersion "DATA_CENTER_POSIX_STORAGE_NOT_SUPPORTED_IN_CURRENT_VERSION" Unsupported "Cannot ${action} Data Center. The storage_type posixfs is not supported in this version.",
    DataCenterGlusterVersion "DATA_CENTER_GLUSTER_STORAGE_NOT_SUPPORTED_IN_CURRENT_VERSION" Unsupported "Cannot ${action} Data Center. The storage_type glusterfs is not supported in this version.",
    DataCenterKindUnsupported "ACTION_TYPE_FAILED_STORAGE_POOL_TYPE_UNSUPPORTED" Unsupported "Cannot ${action} Data Center. The storage_type is not supported.",
    DataCenterDefaultNotLocal "ACTION_TYPE_FAILED_STORAGE_POOL_WITH_DEFAULT_VDS_GROUP_CANNOT_BE_LOCALFS" Conflict "Cannot ${action} Data Center. With the default cluster it cannot have local storage.",
    ClusterDefaultNotLocal "DEFAULT_CLUSTER_CANNOT_BE_ON_LOCALFS" Conflict "Cannot ${action} Cluster. The default cluster cannot be in a data center of local storage.",
    LocalOneCluster "VDS_GROUP_CANNOT_ADD_MORE_THEN_ONE_HOST_TO_LOCAL_STORAGE" Conflict "Cannot ${action} ${type}. A data center of local storage has one cluster.",
    LocalOneHost "VDS_CANNOT_ADD_MORE_THEN_ONE_HOST_TO_LOCAL_STORAGE" Conflict "Cannot ${action} ${type}. The cluster of a data center of local storage has one host.",
    LocalNoDetach "VDS_GROUP_CANNOT_DETACH_DATA_DOMAIN_FROM_LOCAL_STORAGE" Immutable "Cannot ${action} Storage. Local storage stays with its data center until it is removed.",
    QuotaMissing "ACTION_TYPE_FAILED_QUOTA_NOT_EXIST" BadReference "Cannot ${action} ${type}. The data center has no such quota.",
    QuotaNotValid "ACTION_TYPE_FAILED_QUOTA_IS_NOT_VALID" BadValue "Cannot ${action} ${type}. The data center enforces quotas: the field quota has to name one.",
    QuotaNotForDomain "ACTION_TYPE_FAILED_NO_QUOTA_SET_FOR_DOMAIN" QuotaExceeded "Cannot ${action} ${type}. The quota ${quotaName} says nothing of this storage domain.",
    QuotaNameInUse "ACTION_TYPE_FAILED_QUOTA_NAME_ALREADY_EXISTS" AlreadyExists "Cannot ${action} Quota. The name is in use already.",
    QuotaInUse "ACTION_TYPE_FAILED_QUOTA_IN_USE_BY_VM_OR_DISK" InUse "Cannot ${action} Quota. VMs or disks consume it.",
    QuotaLimitMixed "ACTION_TYPE_FAILED_QUOTA_LIMIT_IS_SPECIFIC_AND_GENERAL" BadValue "Cannot ${action} Quota. A limit on everything excludes limits on single things.",
    QuotaLimitElsewhere "ACTION_TYPE_FAILED_QUOTA_IS_NOT_VALID" BadValue "Cannot ${action} Quota. The ${field} that the limit is on is outside the data center.",
    QuotaStorageExceeded "ACTION_TYPE_FAILED_QUOTA_STORAGE_LIMIT_EXCEEDED" QuotaExceeded "Cannot ${action} ${type}. The storage limit of quota ${quotaName} would be exceeded.",
    QuotaClusterExceeded "ACTION_TYPE_FAILED_QUOTA_VDS_GROUP_LIMIT_EXCEEDED" QuotaExceeded "Cannot ${action} ${type}. The cluster limit of quota ${quotaName} would be exceeded.",
    QuotaNotAllowed "USER_NOT_AUTHORIZED_TO_CONSUME_QUOTA" NotAllowed "Cannot ${action} ${type}. The user may not consume the quota.",
    DataCenterTypeFixed "ERROR_CANNOT_CHANGE_STORAGE_POOL_TYPE_WITH_DOMAINS" Immutable "Cannot ${action} Data Center. Its storage type is fixed once it has storage domains.",
    VersionUnsupported "ACTION_TYPE_FAILED_GIVEN_VERSION_NOT_SUPPORTED" Unsupported "Cannot ${action} ${type}. The compatibility version is not supported.",
    VersionDecrease "ACTION_TYPE_FAILED_CANNOT_DECREASE_COMPATIBILITY_VERSION" BadValue "Cannot ${action} ${type}. The compatibility version cannot be lowered.",
    CpuUnknown "ACTION_TYPE_FAILED_CPU_NOT_FOUND" BadValue "Cannot ${action} Cluster. A cluster for VMs needs a CPU type that the capabilities list, and cpu.id is '${cpu}'.",
    CpuIllegal "VDS_GROUP_CANNOT_UPDATE_CPU_ILLEGAL" Conflict "Cannot ${action} Cluster. It has hosts, and the CPU type ${cpu} is another maker's.",
    NetworkNamedLikeBond "NETWORK_CANNOT_CONTAIN_BOND_NAME" BadValue "Cannot ${action} Network. A network cannot be named as bonds are: bond and a number.",
    NetworkStpNotForVms "NON_VM_NETWORK_CANNOT_SUPPORT_STP" Unsupported "Cannot ${action} Network. Only a network for VMs can have STP.",
    NonVmNetworkUnsupported "NON_VM_NETWORK_NOT_SUPPORTED_FOR_POOL_LEVEL" Unsupported "Cannot ${action} Network. In this compatibility version every network is for VMs.",
    NetworkMtuUnsupported "NETWORK_MTU_OVERRIDE_NOT_SUPPORTED" Unsupported "Cannot ${action} Network. In this compatibility version a network has no MTU of its own.",
    MigrationNetworkUnsupported "ACTION_TYPE_FAILED_MIGRATION_NETWORK_IS_NOT_SUPPORTED" Unsupported "Cannot ${action} ${type}. In this compatibility version no other network can be chosen for migrations.",
    BallooningUnsupported "QOS_BALLOON_NOT_SUPPORTED" Unsupported "Cannot ${action} Cluster. In this compatibility version it cannot take memory back from guests: ballooning_enabled.",
    GlusterUnsupported "GLUSTER_NOT_SUPPORTED" Unsupported "Cannot ${action} Cluster. In this compatibility version there is no gluster_service.",
    NetworkNotOnHost "ACTIVATE_DEACTIVATE_NETWORK_NOT_IN_VDS" Conflict "Cannot ${action} ${type}. The host that the VM runs on does not have the network ${network}.",
    NetworkInUse "ACTION_TYPE_FAILED_NETWORK_IN_USE" InUse "Cannot ${action} Network. It is used by ${users}.",
    NetworkIsManagement "NETWORK_CANNOT_REMOVE_MANAGEMENT_NETWORK" Immutable "Cannot ${action} Network. It is the management network.",
    NetworkNotInCluster "NETWORK_NOT_EXISTS_IN_CLUSTER" Conflict "Cannot ${action} ${type}. The network ${network} is not in the cluster.",
    VlanInUse "NETWORK_VLAN_IN_USE" AlreadyExists "Cannot ${action} Network. The VLAN ${vlan} is in use in the data center.",
    VnicProfileNetworkFixed "ACTION_TYPE_FAILED_CANNOT_CHANGE_VNIC_PROFILE_NETWORK" Immutable "Cannot ${action} vNIC profile. Its network cannot be changed.",
    VnicProfileInUse "ACTION_TYPE_FAILED_VNIC_PROFILE_IN_USE" InUse "Cannot ${action} vNIC profile. Network interfaces use it.",
    HostNotUpForStorage "VDS_CANNOT_ACCESS_STORAGE_HOST_NOT_UP" WrongState "Cannot ${action} Storage. The host is not up.",
    StorageMountFailed "ERROR_CANNOT_MOUNT_STORAGE" Unreachable "Cannot ${action} Storage. The storage is not accessible: ${detail}.",
    StorageConnectionExists "ACTION_TYPE_FAILED_STORAGE_CONNECTION_ALREADY_EXISTS" AlreadyExists "Cannot ${action} Storage. The storage is in use by the domain ${name}.",
    ConnectionFieldEmpty "VALIDATION_STORAGE_CONNECTION_EMPTY_CONNECTION" BadValue "Cannot ${action} ${type}. The field ${fieldName} is empty.",
    ConnectionInvalid "VALIDATION_STORAGE_CONNECTION_INVALID" BadValue "Cannot ${action} ${type}. The field ${fieldName} is not valid.",
    ConnectionIqnEmpty "VALIDATION_STORAGE_CONNECTION_EMPTY_IQN" BadValue "Cannot ${action} ${type}. The field target is empty.",
    ConnectionVfsTypeEmpty "VALIDATION_STORAGE_CONNECTION_EMPTY_VFSTYPE" BadValue "Cannot ${action} ${type}. The field vfs_type is empty.",
    ConnectionExists "ACTION_TYPE_FAILED_STORAGE_CONNECTION_ALREADY_EXISTS" AlreadyExists "Cannot ${action} ${type}. A connection to the same storage exists already.",
    ConnectionMissing "ACTION_TYPE_FAILED_STORAGE_CONNECTION_NOT_EXIST" BadReference "Cannot ${action} ${type}. The storage connection does not exist.",
    ConnectionHostNotUp "VDS_ADD_STORAGE_SERVER_STATUS_MUST_BE_UP" WrongState "Cannot ${action} ${type}. The host is not up.",
    ConnectionKindFixed "ACTION_TYPE_FAILED_STORAGE_CONNECTION_UNSUPPORTED_CHANGE_STORAGE_TYPE" Immutable "Cannot ${action} ${type}. The field type cannot be changed.",
    ConnectionKindUnsupported "ACTION_TYPE_FAILED_STORAGE_CONNECTION_UNSUPPORTED_ACTION_FOR_STORAGE_TYPE" Unsupported "Cannot ${action} ${type}. Storage of this type has no connections.",
    ConnectionOtherKind "ACTION_TYPE_FAILED_STORAGE_CONNECTION_UNSUPPORTED_ACTION_NOT_SAME_STORAGE_TYPE" BadValue "Cannot ${action} ${type}. The storage domain is of another storage type.",
    ConnectionOnlyIscsi "ACTION_TYPE_FAILED_ACTION_IS_SUPPORTED_ONLY_FOR_ISCSI_DOMAINS" Unsupported "Cannot ${action} ${type}. Only iSCSI domains can have more connections or fewer.",
    ConnectionDomainsStatus "ACTION_TYPE_FAILED_STORAGE_CONNECTION_UNSUPPORTED_ACTION_FOR_DOMAINS_STATUS" WrongState "Cannot ${action} ${type}. These storage domains are not in maintenance: ${domainNames}.",
    ConnectionSharedByDomains "ACTION_TYPE_FAILED_STORAGE_CONNECTION_BELONGS_TO_SEVERAL_STORAGE_DOMAINS" InUse "Cannot ${action} ${type}. These storage domains use it: ${domainNames}.",
    ConnectionAttachedAlready "ACTION_TYPE_FAILED_STORAGE_CONNECTION_FOR_DOMAIN_ALREADY_EXISTS" AlreadyExists "Cannot ${action} ${type}. The storage domain has it already.",
    ConnectionNotAttached "ACTION_TYPE_FAILED_STORAGE_CONNECTION_FOR_DOMAIN_NOT_EXIST" Conflict "Cannot ${action} ${type}. The storage domain does not have it.",
    DomainWithoutLuns "ERROR_CANNOT_CREATE_STORAGE_DOMAIN_WITHOUT_VG_LV" BadValue "Cannot ${action} Storage. The field storage.logical_unit is empty.",
    DomainClassUnsupported "ACTION_TYPE_FAILED_STORAGE_DOMAIN_TYPE_UNSUPPORTED" Unsupported "Cannot ${action} Storage. The field type is not supported: image domains come from providers of images.",
    DomainTypeIllegal "ACTION_TYPE_FAILED_STORAGE_DOMAIN_TYPE_ILLEGAL" BadValue "Cannot ${action} ${type}. The field type does not fit: the storage domain is of type ${class}.",
    ImageNotSupported "ACTION_TYPE_FAILED_IMAGE_NOT_SUPPORTED" Unsupported "Cannot ${action} ${type}. The image ${name} is of the format ${format}, of which no disk can be made.",
    ImageDownloadError "ACTION_TYPE_FAILED_IMAGE_DOWNLOAD_ERROR" Unreachable "Cannot ${action} ${type}. The images cannot be read: ${detail}.",
    DiskBeingExported "ACTION_TYPE_FAILED_DISK_IS_BEING_EXPORTED" Busy "Cannot ${action} ${type}. Disk ${disk} is being exported.",
    DomainExists "ACTION_TYPE_FAILED_STORAGE_DOMAIN_ALREADY_EXIST" AlreadyExists "Cannot ${action} Storage. The storage domain is there already.",
    DomainNothingToImport "ERROR_CANNOT_ADD_EXISTING_STORAGE_DOMAIN_CONNECTION_DATA_ILLEGAL" BadReference "Cannot ${action} Storage. No storage domain was found there; to make a new one, give it a name.",
    DomainDestroyLast "ERROR_CANNOT_DESTROY_LAST_STORAGE_DOMAIN" InUse "Cannot ${action} Storage. It is the master domain of its data center.",
    DataCenterNotLocal "ACTION_TYPE_FAILED_STORAGE_POOL_IS_NOT_LOCAL" Conflict "Cannot ${action} Storage. The data center of the host has no local storage.",
    DomainStatusIllegal "ACTION_TYPE_FAILED_STORAGE_DOMAIN_STATUS_ILLEGAL2" WrongState "Cannot ${action} Storage. The storage domain is in ${status} status.",
    DomainAttached "ERROR_CANNOT_REMOVE_STORAGE_DOMAIN_ATTACHED" InUse "Cannot ${action} Storage. It is attached to a data center.",
    DomainAlreadyAttached "ACTION_TYPE_FAILED_STORAGE_DOMAIN_ALREADY_ATTACHED" AlreadyExists "Cannot ${action} Storage. It is attached to a data center already.",
    DomainNeedsData "ERROR_CANNOT_ADD_STORAGE_POOL_WITHOUT_DATA_DOMAIN" Conflict "Cannot ${action} Storage. The first domain of a data center has to be a data domain.",
    DomainTypeMismatch "ERROR_CANNOT_ATTACH_STORAGE_DOMAIN_STORAGE_TYPE_NOT_MATCH" Conflict "Cannot ${action} Storage. Its storage type is not that of the data center.",
    DomainOneIso "ERROR_CANNOT_ATTACH_MORE_THAN_ONE_ISO_DOMAIN" AlreadyExists "Cannot ${action} Storage. The data center has an ISO domain already.",
    DomainOneExport "ERROR_CANNOT_ATTACH_MORE_THAN_ONE_EXPORT_DOMAIN" AlreadyExists "Cannot ${action} Storage. The data center has an export domain already.",
    DomainFormatUnsupported "ACTION_TYPE_FAILED_STORAGE_DOMAIN_FORMAT_ILLEGAL" Unsupported "Cannot ${action} Storage. The storage_format ${format} does not fit.",
    MasterNotActive "ACTION_TYPE_FAILED_MASTER_STORAGE_DOMAIN_NOT_ACTIVE" WrongState "Cannot ${action} Storage. The master domain is not active.",
    MasterWithOthers "ERROR_CANNOT_DEACTIVATE_MASTER_WITH_NON_DATA_DOMAINS" InUse "Cannot ${action} Storage. It is the master and other domains are active.",
    MasterWithLocked "ERROR_CANNOT_DEACTIVATE_MASTER_WITH_LOCKED_DOMAINS" Busy "Cannot ${action} Storage. It is the master and another domain is locked.",
    MasterWithTasks "ERROR_CANNOT_DEACTIVATE_MASTER_DOMAIN_WITH_TASKS_ON_POOL" Busy "Cannot ${action} Storage. It is the master, and work on the storage of the data center is under way.",
    DomainWithTasks "ERROR_CANNOT_DEACTIVATE_DOMAIN_WITH_TASKS" Busy "Cannot ${action} Storage. Work on what lies on it is under way.",
    DomainHasActiveVms "ACTION_TYPE_FAILED_DETECTED_ACTIVE_VMS" InUse "Cannot ${action} Storage. Running VMs use it.",
    DomainLast "ERROR_CANNOT_DETACH_LAST_STORAGE_DOMAIN" InUse "Cannot ${action} Storage. It is the master domain of the data center.",
    DomainHasImages "ERROR_CANNOT_DETACH_STORAGE_DOMAIN_WITH_IMAGES" InUse "Cannot ${action} Storage. It holds disks.",
    DomainNotActive "ACTION_TYPE_FAILED_STORAGE_DOMAIN_NOT_ACTIVE" WrongState "Cannot ${action} ${type}. The storage domain ${name} is not active.",
    DiskSpaceLow "ACTION_TYPE_FAILED_DISK_SPACE_LOW_ON_TARGET_STORAGE_DOMAIN" NoCapacity "Cannot ${action} ${type}. The storage domain ${name} has too little free space.",
    NoDataDomain "ACTION_TYPE_FAILED_NO_ACTIVE_DATA_STORAGE_DOMAIN" NoCapacity "Cannot ${action} ${type}. The data center has no active data domain.",
    DiskFormatCombination "ACTION_TYPE_FAILED_DISK_CONFIGURATION_NOT_SUPPORTED" Unsupported "Cannot ${action} ${type}. The combination of the format ${format} and what sparse says is not supported on this storage.",
    DiskShareableCow "SHAREABLE_DISK_IS_NOT_SUPPORTED_BY_VOLUME_FORMAT" Unsupported "Cannot ${action} ${type}. Only raw disks can be shareable.",
    DiskBootInUse "ACTION_TYPE_FAILED_DISK_BOOT_IN_USE" AlreadyExists "Cannot ${action} ${type}. The VM has a bootable disk already.",
    DiskAttachedAlready "ACTION_TYPE_FAILED_DISK_ALREADY_ATTACHED" AlreadyExists "Cannot ${action} ${type}. The disk is attached already.",
    HotUpdate "CANNOT_PERFORM_HOT_UPDATE" Unsupported "Cannot ${action} ${type}. The model and the MAC address of an interface that is plugged into a running machine do not change; unplug it first.",
    HotUpdateMirroring "CANNOT_PERFORM_HOT_UPDATE_WITH_PORT_MIRRORING" Unsupported "Cannot ${action} ${type}. An interface that mirrors ports is not rewired while it is plugged into a running machine; unplug it first.",
    MirroringWithoutNetwork "PORT_MIRRORING_REQUIRES_NETWORK" BadValue "Cannot ${action} ${type}. ${field} needs a network that the interface is on.",
    ProfileOfNonVmNetwork "ACTION_TYPE_FAILED_CANNOT_ADD_VNIC_PROFILE_TO_NON_VM_NETWORK" Unsupported "Cannot ${action} vNIC profile. The network ${network} is not for VMs.",
    HotPlugNotVirtio "HOT_PLUG_DISK_IS_NOT_VIRTIO" Unsupported "Cannot ${action} ${type}. Only a VirtIO disk is plugged while the machine runs.",
    DiskNotShareable "ACTION_TYPE_FAILED_NOT_SHAREABLE_DISK_ALREADY_ATTACHED" InUse "Cannot ${action} ${type}. The disk is attached to another VM and is not shareable.",
    DiskElsewhere "ACTION_TYPE_FAILED_STORAGE_POOL_NOT_MATCH" Conflict "Cannot ${action} ${type}. The disk is in another data center.",
    DiskLocked "ACTION_TYPE_FAILED_DISKS_LOCKED" Busy "Cannot ${action} ${type}. Disk ${disk} is locked.",
    DiskIllegal "ACTION_TYPE_FAILED_DISKS_ILLEGAL" WrongState "Cannot ${action} ${type}. Disk ${disk} is illegal.",
    DiskShrink "ACTION_TYPE_FAILED_REQUESTED_DISK_SIZE_IS_TOO_SMALL" BadValue "Cannot ${action} ${type}. A disk cannot be made smaller.",
    DiskInUse "ACTION_TYPE_FAILED_DISK_IN_USE" InUse "Cannot ${action} ${type}. A running VM uses the disk.",
    TagRoot "TAGS_CANNOT_EDIT_ROOT" Immutable "Cannot ${action} Tag. The root tag is built in.",
    TagCycle "TAGS_CANNOT_MOVE_TAG_BELOW_ITSELF" BadValue "Cannot ${action} Tag. A tag cannot be below itself.",
    UserIsAdmin "USER_CANNOT_REMOVE_ADMIN_USER" Immutable "Cannot ${action} ${type}. admin@internal is built in.",
    UserIsSelf "USER_CANNOT_REMOVE_HIMSELF" InUse "Cannot ${action} User. It is the caller's own.",
    UserExists "USER_ALREADY_EXISTS" AlreadyExists "Cannot ${action} User. ${name} exists already.",
    UserLoginName "VALIDATION_USER_LOGIN_NAME" BadValue "Cannot ${action} User. The login name is empty, too long, or holds characters that it must not.",
    PermissionAdminOnly "PERMISSION_ADD_FAILED_ONLY_SYSTEM_SUPER_USER_CAN_GIVE_ADMIN_ROLES" NotAllowed "Cannot ${action} ${type}. Only a SuperUser on the system may grant administrative roles.",
    PermissionRemoveAdminOnly "PERMISSION_REMOVE_FAILED_ONLY_SYSTEM_SUPER_USER_CAN_REMOVE_ADMIN_ROLES" NotAllowed "Cannot ${action} Permission. Only a SuperUser on the system may take administrative roles away.",
    PermissionObject "PERMISSION_ADD_FAILED_INVALID_OBJECT_ID" BadReference "Cannot ${action} Permission. The object does not exist.",
    GroupIsEveryone "ACTION_TYPE_FAILED_CANNOT_REMOVE_BUILTIN_GROUP_EVERYONE" Immutable "Cannot ${action} Group. Everyone is built in.",
    GroupExists "GROUP_ALREADY_EXISTS" AlreadyExists "Cannot ${action} Group. ${name} exists already.",
    GroupElsewhere "GROUP_MEMBERS_ARE_KEPT_ELSEWHERE" Immutable "Cannot ${action} Group. Who belongs to it is kept by its directory.",
    UserElsewhere "USER_PASSWORD_IS_KEPT_ELSEWHERE" Immutable "Cannot ${action} User. The password is kept by the user's directory.",
    RoleInUse "ERROR_CANNOT_REMOVE_ROLE_ATTACHED_TO_PERMISSION" InUse "Cannot ${action} Role. Permissions give it to somebody.",
    RoleWithoutPermits "ACTION_LIST_CANNOT_BE_EMPTY" BadValue "Cannot ${action} Role. The list of permits is empty.",
    RolePermitType "CANNOT_ADD_ACTION_GROUPS_TO_ROLE_TYPE" Conflict "Cannot ${action} Role. A user role cannot hold the administrative permit ${permit}.",
    RolePermitAttached "ERROR_CANNOT_ATTACH_ACTION_GROUP_TO_ROLE_ATTACHED" AlreadyExists "Cannot ${action} Role. It holds the permit ${permit} already.",
    RolePermitMissing "ERROR_CANNOT_DETACH_ACTION_GROUP_TO_ROLE_NOT_ATTACHED" Conflict "Cannot ${action} Role. It does not hold the permit ${permit}.",
    RoleBuiltIn "ACTION_TYPE_FAILED_ROLE_IS_READ_ONLY" Immutable "Cannot ${action} Role. It is built in.",
    JobEnded "ACTION_TYPE_FAILED_JOB_ENDED" WrongState "Cannot ${action} Job. It has ended.",
    UtilizationOutOfRange "VDS_GROUP_CPU_UTILIZATION_MUST_BE_IN_VALID_RANGE" BadValue "Cannot ${action} Cluster. The CPU threshold ${field} has to be between 0 and 100.",
    UtilizationLowNotLower "VDS_GROUP_CPU_LOW_UTILIZATION_PERCENTAGE_MUST_BE_LOWER_THAN_HIGH_PERCENTAGE" BadValue "Cannot ${action} Cluster. The CPU threshold low has to be below high.",
    UtilizationHighMissing "VDS_GROUP_CPU_HIGH_UTILIZATION_PERCENTAGE_MUST_BE_DEFINED_WHEN_USING_EVENLY_DISTRIBUTED" BadValue "Cannot ${action} Cluster. The scheduling policy needs the CPU threshold high.",
    UtilizationLowMissing "VDS_GROUP_BOTH_LOW_AND_HIGH_CPU_UTILIZATION_PERCENTAGE_MUST_BE_DEFINED_WHEN_USING_POWER_SAVING" BadValue "Cannot ${action} Cluster. Power saving needs both CPU thresholds, low and high.",
    ClusterWithoutService "VDS_GROUP_AT_LEAST_ONE_SERVICE_MUST_BE_ENABLED" BadValue "Cannot ${action} Cluster. It has to offer virt_service or gluster_service.",
    ClusterVirtInUse "VDS_GROUP_CANNOT_DISABLE_VIRT_WHEN_CLUSTER_CONTAINS_VMS" InUse "Cannot ${action} Cluster. It has VMs.",
    ClusterHasTemplates "VMT_CANNOT_REMOVE_VDS_GROUP_VMTS_DETECTED" InUse "Cannot ${action} Cluster. It has templates.",
    CpuAboveHosts "VDS_GROUP_CANNOT_UPDATE_CPU_WITH_LOWER_HOSTS" Conflict "Cannot ${action} Cluster. Hosts that are up are below that CPU.",
    VersionAboveHosts "VDS_GROUP_CANNOT_UPDATE_COMPATIBILITY_VERSION_WITH_LOWER_HOSTS" Conflict "Cannot ${action} Cluster. The host ${host} does not know that compatibility version.",
    CpuWithSuspendedVms "VDS_GROUP_CANNOT_UPDATE_CPU_WITH_SUSPENDED_VMS" WrongState "Cannot ${action} Cluster. VMs are suspended, which can only go on with the CPU that they had.",
    ManagementRequired "ACTION_TYPE_FAILED_MANAGEMENT_NETWORK_REQUIRED" BadValue "Cannot ${action} ${type}. The management network ${NetworkName} has to be required.",
    DisplayNotForVms "ACTION_TYPE_FAILED_DISPLAY_NETWORK_NOT_FOR_VMS" Unsupported "Cannot ${action} ${type}. Consoles are reached through networks for VMs only.",
    DescriptionEmpty "ACTION_TYPE_EMPTY_DESCRIPTION" BadValue "Cannot ${action} ${type}. The description must not be empty.",
    ExternalOrigin "ACTION_TYPE_FAILED_EXTERNAL_EVENT_ILLEGAL_ORIGIN" BadValue "Cannot ${action} ${type}. The origin has to be that of a system outside.",
    ExternalEventExists "ACTION_TYPE_FAILED_EXTERNAL_EVENT_EXISTS" AlreadyExists "Cannot ${action} ${type}. ${origin} has reported the event with custom_id ${id} already.",
    NotExternal "ACTION_TYPE_NOT_EXTERNAL" Immutable "Cannot ${action} ${type}. The job is the engine's own.",
    StepUnknown "ACTION_TYPE_NO_STEP" NotFound "Cannot ${action} ${type}. The job has no such step.",
    StepWithoutParent "ACTION_TYPE_NO_PARENT" BadReference "Cannot ${action} ${type}. The step that it is to be part of is not there, or has ended.",
    TooMany "ACTION_TYPE_FAILED_TOO_MANY" NoCapacity "Cannot ${action} ${type}. There must not be more than ${limit}.",
    Internal "CAN_DO_ACTION_GENERAL_FAILURE" Internal "The engine could not carry the command out: ${detail}. Its own log says more.",
    LogUnavailable "EVENT_LOG_UNAVAILABLE" Unavailable "The event log cannot be written: ${detail}.",
    VersionStale "PRECONDITION_FAILED" PreconditionFailed "Cannot change what has changed since it was read: ${what} is at version ${found}, not ${expected}.",
    CreationRepeated "IDEMPOTENCY_KEY_USED" Conflict "The Idempotency-Key ${key} was used before.",
    CreationKeyReused "IDEMPOTENCY_KEY_REUSED" Conflict "The Idempotency-Key ${key} was used before with another request.",
    StateMoved "ACTION_TYPE_FAILED_OBJECT_LOCKED" Busy "Related operation is currently in progress. Please try again later.",
}

/// An entity that the command names does not exist.
pub fn not_found(what: impl fmt::Display) -> Rejection {
    Rejection::new(Key::EntityNotFound).with("what", what)
}
