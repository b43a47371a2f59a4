//! What the audit log can say: each code with its name, its severity, how often it may be repeated, and its words.

use serde::{Deserialize, Serialize};

/// How grave an entry is. The numbers are those that the API's clients know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Severity {
    /// All is well.
    #[default]
    Normal = 0,
    /// Something to look at.
    Warning = 1,
    /// Something went wrong.
    Error = 2,
    /// Somebody has to do something.
    Alert = 10,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Severity; 4] = [Self::Normal, Self::Warning, Self::Error, Self::Alert];

    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Alert => "alert",
        }
    }

    /// The severity of a name in the API.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }

    /// The severity of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| *severity as u8 == number)
    }
}

/// What one code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The code.
    pub code: u32,
    /// Its name, as upstream's tables and notification settings have it.
    pub name: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// For how many seconds an entry of the code on the same resources is not to be repeated; 0 where each counts.
    pub flood_seconds: u32,
    /// The message: `${Name}` stands for a value, and `[...]` for a part that is left out where one of its values is absent.
    pub message: &'static str,
}

/// The meaning of a code.
pub fn fact(code: u32) -> Option<&'static Fact> {
    FACTS.binary_search_by_key(&code, |fact| fact.code).ok().map(|place| &FACTS[place])
}

/// The value of an absent name where the message cannot do without.
const UNKNOWN: &str = "<unknown>";

impl Fact {
    /// The message with its values put in.
    pub fn render<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> String {
        let mut out = String::with_capacity(self.message.len() + 32);
        let mut rest = self.message;
        while let Some(open) = rest.find('[') {
            let (plain, part) = rest.split_at(open);
            let Some(close) = part.find(']') else { break };
            substitute(plain, &value, &mut out);
            let mut optional = String::new();
            if substitute(&part[1..close], &value, &mut optional) {
                out.push_str(&optional);
            }
            rest = &part[close + 1..];
        }
        substitute(rest, &value, &mut out);
        out
    }
}

/// Writes a template's text with its values; tells whether all of them were there.
fn substitute<'v>(template: &str, value: &impl Fn(&str) -> Option<&'v str>, out: &mut String) -> bool {
    let mut complete = true;
    let mut pieces = template.split("${");
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (name, text) = piece.split_once('}').unwrap_or((piece, ""));
        match value(name) {
            Some(value) => out.push_str(value),
            None => {
                complete = false;
                out.push_str(UNKNOWN);
            }
        }
        out.push_str(text);
    }
    complete
}

const fn normal(code: u32, name: &'static str, message: &'static str) -> Fact {
    Fact { code, name, severity: Severity::Normal, flood_seconds: 0, message }
}

const fn warning(code: u32, name: &'static str, message: &'static str) -> Fact {
    Fact { severity: Severity::Warning, ..normal(code, name, message) }
}

const fn error(code: u32, name: &'static str, message: &'static str) -> Fact {
    Fact { severity: Severity::Error, ..normal(code, name, message) }
}

const fn alert(code: u32, name: &'static str, message: &'static str) -> Fact {
    Fact { severity: Severity::Alert, ..normal(code, name, message) }
}

impl Fact {
    const fn once_in(self, flood_seconds: u32) -> Fact {
        Fact { flood_seconds, ..self }
    }
}

/// Every code that an event can raise, by code. Severities are those of 3.3; codes
/// from 20000 on are our own, of what upstream has no command for.
pub const FACTS: &[Fact] = &[
    normal(1, "VDC_START", "The engine has started."),
    normal(2, "VDC_STOP", "The engine has stopped."),
    error(12, "VDS_FAILURE", "Host ${VdsName} does not respond."),
    normal(13, "VDS_DETECTED", "Host ${VdsName} was detected. Its state is ${HostStatus}."),
    normal(14, "VDS_RECOVER", "Host ${VdsName} responds again."),
    warning(15, "VDS_MAINTENANCE", "Host ${VdsName} is in maintenance."),
    normal(16, "VDS_ACTIVATE", "Activation of host ${VdsName} was initiated[ by ${UserName}]."),
    error(17, "VDS_MAINTENANCE_FAILED", "Host ${VdsName} could not be put into maintenance[: ${Reason}].").once_in(60),
    error(18, "VDS_ACTIVATE_FAILED", "Host ${VdsName} could not be activated[ by ${UserName}][: ${Reason}].").once_in(60),
    normal(20, "USER_VDS_START", "Host ${VdsName} was powered on[ by ${UserName}]."),
    normal(21, "USER_VDS_STOP", "Host ${VdsName} was powered off[ by ${UserName}]."),
    error(22, "IRS_FAILURE", "Host ${VdsName} could not become the storage pool manager of data center ${StoragePoolName}[: ${Reason}].").once_in(43_200),
    warning(26, "IRS_DISK_SPACE_LOW", "Storage domain ${StorageDomainName} runs low on space: ${DiskSpace} GB are free.").once_in(43_200),
    normal(30, "USER_VDC_LOGIN", "User ${UserName} logged in.").once_in(5),
    normal(31, "USER_VDC_LOGOUT", "User ${UserName} logged out."),
    normal(32, "USER_RUN_VM", "VM ${VmName} runs on host ${VdsName}."),
    normal(33, "USER_STOP_VM", "VM ${VmName} was powered off[ by ${UserName}][ (Host: ${VdsName})]."),
    normal(34, "USER_ADD_VM", "VM ${VmName} was created[ by ${UserName}]."),
    normal(35, "USER_UPDATE_VM", "The configuration of VM ${VmName} was changed[ by ${UserName}]."),
    normal(38, "USER_CHANGE_DISK_VM", "The CD in VM ${VmName} was changed to ${DiskName}[ by ${UserName}]."),
    normal(39, "USER_PAUSE_VM", "VM ${VmName} was paused[ by ${UserName}][ (Host: ${VdsName})]."),
    normal(40, "USER_RESUME_VM", "VM ${VmName} was resumed[ by ${UserName}][ (Host: ${VdsName})]."),
    normal(41, "USER_VDS_RESTART", "Host ${VdsName} was restarted[ by ${UserName}]."),
    normal(42, "USER_ADD_VDS", "Host ${VdsName} was added[ by ${UserName}]."),
    normal(43, "USER_UPDATE_VDS", "The configuration of host ${VdsName} was changed[ by ${UserName}]."),
    normal(44, "USER_REMOVE_VDS", "Host ${VdsName} was removed[ by ${UserName}]."),
    normal(48, "USER_ADD_VM_TEMPLATE", "Template ${VmTemplateName} was created[ by ${UserName}]."),
    error(54, "USER_FAILED_RUN_VM", "VM ${VmName} could not be started[ for ${UserName}][: ${Reason}]."),
    error(56, "USER_FAILED_STOP_VM", "VM ${VmName} could not be powered off[ for ${UserName}][: ${Reason}]."),
    normal(59, "USER_FAILED_REMOVE_VM", "VM ${VmName} could not be removed[ for ${UserName}][: ${Reason}]."),
    normal(61, "VM_DOWN", "VM ${VmName} is down.[ ${ExitMessage}]"),
    normal(
        62,
        "VM_MIGRATION_START",
        "Migration of VM ${VmName} from host ${VdsName} to host ${DestinationVdsName} was started[ by ${UserName}].",
    ),
    normal(63, "VM_MIGRATION_DONE", "VM ${VmName} has migrated from host ${VdsName} to host ${DestinationVdsName}."),
    warning(
        64,
        "VM_MIGRATION_ABORT",
        "Migration of VM ${VmName} from host ${VdsName} to host ${DestinationVdsName} was aborted[: ${Reason}].",
    ),
    error(
        65,
        "VM_MIGRATION_FAILED",
        "Migration of VM ${VmName} from host ${VdsName} to host ${DestinationVdsName} failed[: ${Reason}].",
    ),
    normal(
        67,
        "VM_MIGRATION_START_SYSTEM_INITIATED",
        "Migration of VM ${VmName} from host ${VdsName} to host ${DestinationVdsName} was started by the system.",
    ),
    normal(73, "USER_INITIATED_SHUTDOWN_VM", "Shutdown of VM ${VmName} was initiated[ by ${UserName}][ (Host: ${VdsName})]."),
    error(74, "USER_FAILED_SHUTDOWN_VM", "VM ${VmName} could not be shut down[ for ${UserName}][: ${Reason}]."),
    normal(
        76,
        "USER_STOPPED_VM_INSTEAD_OF_SHUTDOWN",
        "VM ${VmName} did not shut down in time and is powered off instead[ (Host: ${VdsName})].",
    ),
    normal(78, "USER_ADD_DISK_TO_VM", "Disk ${DiskAlias} is being added to VM ${VmName}[ by ${UserName}]."),
    normal(88, "USER_UPDATE_VM_DISK", "Disk ${DiskAlias}[ of VM ${VmName}] was changed[ by ${UserName}]."),
    normal(97, "USER_ADD_DISK_TO_VM_FINISHED_SUCCESS", "Disk ${DiskAlias} was added to VM ${VmName}."),
    error(98, "USER_ADD_DISK_TO_VM_FINISHED_FAILURE", "Disk ${DiskAlias} could not be added to VM ${VmName}[: ${Reason}]."),
    error(102, "USER_FAILED_CHANGE_DISK_VM", "The CD in VM ${VmName} could not be changed[ by ${UserName}][ (Host: ${VdsName})][: ${Reason}]."),
    error(
        105,
        "USER_FAILED_UPDATE_VDS",
        "The configuration of host ${VdsName} could not be changed[ for ${UserName}][: ${Reason}].",
    ),
    error(107, "USER_FAILED_VDS_RESTART", "Host ${VdsName} could not be restarted[ for ${UserName}][: ${Reason}]."),
    normal(111, "USER_STOP_SUSPENDED_VM", "The saved state of VM ${VmName} was discarded[ by ${UserName}]."),
    normal(113, "USER_REMOVE_VM_FINISHED", "VM ${VmName} was removed[ by ${UserName}]."),
    error(114, "USER_VDC_LOGIN_FAILED", "User[ ${UserName}] failed to log in."),
    error(118, "USER_FAILED_VDS_START", "Host ${VdsName} could not be powered on[ for ${UserName}][: ${Reason}]."),
    error(119, "VM_DOWN_ERROR", "VM ${VmName} went down with an error.[ ${ExitMessage}]"),
    normal(121, "SYSTEM_VDS_RESTART", "Host ${VdsName} was restarted by the system.").once_in(60),
    error(122, "SYSTEM_FAILED_VDS_RESTART", "The system could not restart host ${VdsName}[: ${Reason}].").once_in(60),
    warning(126, "VM_NOT_RESPONDING", "VM ${VmName} does not respond."),
    error(127, "VDS_RUN_IN_NO_KVM_MODE", "Host ${VdsName} is non-operational: it has nothing that VMs could run with."),
    error(137, "USER_FAILED_VDS_STOP", "Host ${VdsName} could not be powered off[ for ${UserName}][: ${Reason}]."),
    error(138, "VM_PAUSED_ENOSPC", "VM ${VmName} was paused: its storage is full."),
    error(139, "VM_PAUSED_ERROR", "VM ${VmName} was paused by an error of its storage."),
    error(
        140,
        "VM_MIGRATION_FAILED_DURING_MOVE_TO_MAINTENANCE",
        "Migration of VM ${VmName} to host ${DestinationVdsName} failed while host ${VdsName} is being emptied for maintenance[: ${Reason}].",
    ),
    error(
        141,
        "VDS_VERSION_NOT_SUPPORTED_FOR_CLUSTER",
        "Host ${VdsName} is non-operational: it knows the compatibility versions ${VdsSupportedVersions}, and cluster ${VdsGroupName} has ${CompatibilityVersion}.",
    ),
    warning(142, "VM_SET_TO_UNKNOWN_STATUS", "Nobody knows whether VM ${VmName} runs."),
    normal(
        143,
        "VM_WAS_SET_DOWN_DUE_TO_HOST_REBOOT_OR_MANUAL_FENCE",
        "VM ${VmName} is down, because host ${VdsName} was restarted or confirmed to be.",
    ),
    error(145, "VM_PAUSED_EIO", "VM ${VmName} was paused: its storage failed to read or write."),
    error(146, "VM_PAUSED_EPERM", "VM ${VmName} was paused: it may not use its storage."),
    normal(149, "USER_ADD", "User ${NewUserName} was added[ by ${UserName}]."),
    normal(150, "USER_INITIATED_RUN_VM", "Starting VM ${VmName} was initiated[ by ${UserName}]."),
    warning(
        151,
        "USER_INITIATED_RUN_VM_FAILED",
        "VM ${VmName} could not be started on host ${VdsName}; another is tried[: ${Reason}].",
    ),
    normal(153, "USER_STARTED_VM", "${VmName} was started[ by ${UserName}] (Host: ${VdsName})."),
    normal(157, "USER_REBOOT_VM", "Reboot of VM ${VmName} was initiated[ by ${UserName}]."),
    error(158, "USER_FAILED_REBOOT_VM", "VM ${VmName} could not be rebooted[ for ${UserName}][: ${Reason}]."),
    normal(159, "USER_FORCE_SELECTED_SPM", "Host ${VdsName} was chosen as SPM[ by ${UserName}]."),
    error(160, "USER_ACCOUNT_DISABLED_OR_LOCKED", "User ${UserName} is locked for a while after too many wrong passwords.").once_in(3_600),
    normal(161, "VM_CANCEL_MIGRATION", "Migration of VM ${VmName} was called off[ by ${UserName}]."),
    normal(163, "VM_STATUS_RESTORED", "VM ${VmName} is heard of again. Its state is ${VmStatus}."),
    normal(164, "VM_SET_TICKET", "A console ticket for VM ${VmName} was given out[ to ${UserName}]."),
    error(165, "VM_SET_TICKET_FAILED", "A console ticket for VM ${VmName} could not be given out[ to ${UserName}][: ${Reason}]."),
    normal(183, "USER_ATTACH_TAG_TO_TEMPLATE", "Tag ${TagName} was put on template ${VmTemplateName}[ by ${UserName}]."),
    normal(185, "USER_DETACH_TEMPLATE_FROM_TAG", "Tag ${TagName} was taken off template ${VmTemplateName}[ by ${UserName}]."),
    error(
        201,
        "IRS_DISK_SPACE_LOW_ERROR",
        "Storage domain ${StorageDomainName} has critically little space: ${DiskSpace} GB are free. No disk is created there any more.",
    )
    .once_in(900),
    normal(
        204,
        "IRS_HOSTED_ON_VDS",
        "Host ${VdsName} is the storage pool manager of data center ${StoragePoolName}[ (Address: ${ServerIp})].",
    ),
    normal(325, "USER_REMOVE_ADUSER", "User ${AdUserName} was removed[ by ${UserName}]."),
    normal(346, "USER_PASSWORD_CHANGED", "The password of user ${ChangedUserName} was changed[ by ${UserName}]."),
    error(370, "USER_EXTEND_DISK_SIZE_FAILURE", "Disk ${DiskAlias} could not be extended[ for ${UserName}][: ${Reason}]."),
    normal(371, "USER_EXTEND_DISK_SIZE_SUCCESS", "Disk ${DiskAlias} was extended to ${NewSize} GB[ by ${UserName}]."),
    normal(408, "USER_REMOVE_AD_GROUP", "Group ${AdGroupName} was removed[ by ${UserName}]."),
    normal(430, "USER_UPDATE_TAG", "Tag ${TagName} was changed[ by ${UserName}]."),
    normal(432, "USER_ADD_TAG", "Tag ${TagName} was created[ by ${UserName}]."),
    normal(434, "USER_REMOVE_TAG", "Tag ${TagName} was removed[ by ${UserName}]."),
    normal(436, "USER_ATTACH_TAG_TO_USER", "Tag ${TagName} was put on user ${AttachUsersNames}[ by ${UserName}]."),
    normal(438, "USER_ATTACH_TAG_TO_USER_GROUP", "Tag ${TagName} was put on group ${AttachGroupsNames}[ by ${UserName}]."),
    normal(440, "USER_ATTACH_TAG_TO_VM", "Tag ${TagName} was put on VM ${VmName}[ by ${UserName}]."),
    normal(442, "USER_ATTACH_TAG_TO_VDS", "Tag ${TagName} was put on host ${VdsName}[ by ${UserName}]."),
    normal(444, "USER_DETACH_VDS_FROM_TAG", "Tag ${TagName} was taken off host ${VdsName}[ by ${UserName}]."),
    normal(446, "USER_DETACH_VM_FROM_TAG", "Tag ${TagName} was taken off VM ${VmName}[ by ${UserName}]."),
    normal(448, "USER_DETACH_USER_FROM_TAG", "Tag ${TagName} was taken off user ${DetachUsersNames}[ by ${UserName}]."),
    normal(450, "USER_DETACH_USER_GROUP_FROM_TAG", "Tag ${TagName} was taken off group ${DetachGroupsNames}[ by ${UserName}]."),
    normal(494, "VDS_MANUAL_FENCE_STATUS", "Host ${VdsName} was confirmed to have been restarted[ by ${UserName}]."),
    normal(498, "VDS_APPROVE", "Host ${VdsName} was approved[ by ${UserName}]."),
    error(
        500,
        "VDS_FAILED_TO_RUN_VMS",
        "Host ${VdsName} is left out for ${Time} minutes: starts of VMs have failed there again and again[: ${Reason}].",
    )
    .once_in(60),
    normal(501, "USER_SUSPEND_VM", "Suspending VM ${VmName} was initiated[ by ${UserName}][ (Host: ${VdsName})]."),
    error(502, "USER_FAILED_SUSPEND_VM", "VM ${VmName} could not be suspended[ for ${UserName}][: ${Reason}]."),
    normal(503, "USER_SUSPEND_VM_OK", "VM ${VmName} is suspended[ (Host: ${VdsName})]."),
    normal(504, "VDS_INSTALL", "Host ${VdsName} was installed."),
    error(505, "VDS_INSTALL_FAILED", "Installation of host ${VdsName} failed[: ${Reason}]."),
    normal(506, "VDS_INITIATED_RUN_VM", "The system restarts VM ${VmName} on host ${VdsName}."),
    error(507, "VDS_INITIATED_RUN_VM_FAILED", "VM ${VmName} could not be restarted on host ${VdsName}; another is tried[: ${Reason}].").once_in(5),
    normal(509, "VDS_INSTALL_IN_PROGRESS", "Installation of host ${VdsName} has begun."),
    warning(515, "VDS_CPU_LOWER_THAN_CLUSTER", "Host ${VdsName} is non-operational: its CPU is below that of cluster ${VdsGroupName}."),
    warning(516, "VDS_CPU_RETRIEVE_FAILED", "Host ${VdsName} is non-operational: it does not tell what CPU it has."),
    normal(517, "VDS_SET_NONOPERATIONAL", "Host ${VdsName} is non-operational[: ${Reason}].").once_in(60),
    warning(
        519,
        "VDS_SET_NONOPERATIONAL_NETWORK",
        "Host ${VdsName} is non-operational: it lacks the networks ${Networks}, which cluster ${VdsGroupName} requires.",
    )
    .once_in(60),
    warning(
        522,
        "VDS_SET_NONOPERATIONAL_DOMAIN",
        "Host ${VdsName} is non-operational: it does not reach storage domain ${StorageDomainNames} of data center ${StoragePoolName}.",
    )
    .once_in(60),
    warning(
        524,
        "VDS_DOMAIN_DELAY_INTERVAL",
        "Storage domain ${StorageDomainName} takes ${Delay} seconds to answer host ${VdsName}.",
    )
    .once_in(3_600),
    normal(528, "USER_EJECT_VM_DISK", "The CD of VM ${VmName} was ejected[ by ${UserName}]."),
    warning(531, "VDS_LOW_MEM", "Host ${VdsName} has ${AvailableMemory} MB of memory left, less than ${Threshold} MB.").once_in(1_800),
    normal(555, "USER_MOVE_TAG", "Tag ${TagName} was moved below ${NewParentTagName}[ by ${UserName}]."),
    normal(600, "USER_VDS_MAINTENANCE", "Host ${VdsName} is being put into maintenance[ by ${UserName}]."),
    warning(
        601,
        "CPU_FLAGS_NX_IS_MISSING",
        "The CPU of host ${VdsName} lacks the flag nx. The firmware of the host can switch it on: execute disable (XD) for Intel, no \
         execute (NX) for AMD. It takes effect when the host is powered off and on again.",
    ),
    warning(
        602,
        "USER_VDS_MAINTENANCE_MIGRATION_FAILED",
        "Host ${VdsName} could not be put into maintenance[ for ${UserName}]: these VMs did not leave it: ${failedVms}.",
    ),
    warning(
        603,
        "VDS_SET_NONOPERATIONAL_IFACE_DOWN",
        "Host ${VdsName} is non-operational: the interfaces ${Interfaces} of the required networks ${Networks} are down.",
    )
    .once_in(60),
    normal(605, "PROXY_HOST_SELECTION", "Host ${Proxy} was chosen as proxy to ${Command} host ${VdsName}."),
    normal(606, "HOST_REFRESHED_CAPABILITIES", "The capabilities of host ${VdsName} were asked anew[ by ${UserName}]."),
    error(607, "HOST_REFRESH_CAPABILITIES_FAILED", "The capabilities of host ${VdsName} could not be asked anew[: ${Reason}]."),
    normal(609, "HOST_INTERFACE_STATE_UP", "The link of interface ${InterfaceName} of host ${VdsName} came up."),
    warning(610, "HOST_INTERFACE_STATE_DOWN", "The link of interface ${InterfaceName} of host ${VdsName} went down."),
    normal(809, "USER_ADD_VDS_GROUP", "Cluster ${VdsGroupName} was created[ by ${UserName}]."),
    normal(811, "USER_UPDATE_VDS_GROUP", "Cluster ${VdsGroupName} was changed[ by ${UserName}]."),
    normal(813, "USER_REMOVE_VDS_GROUP", "Cluster ${VdsGroupName} was removed[ by ${UserName}]."),
    normal(828, "VDS_REGISTER_SUCCEEDED", "Host ${VdsName} registered itself."),
    normal(835, "SYSTEM_UPDATE_VDS_GROUP", "Cluster ${VdsGroupName} was changed by the system: it has the CPU of its first host now.").once_in(60),
    normal(
        850,
        "USER_ADD_PERMISSION",
        "${SubjectName} was granted the role ${RoleName} on ${VdcObjectType} ${VdcObjectName}[ by ${UserName}].",
    ),
    normal(
        852,
        "USER_REMOVE_PERMISSION",
        "The role ${RoleName} on ${VdcObjectType} ${VdcObjectName} was taken from ${SubjectName}[ by ${UserName}].",
    ),
    normal(856, "USER_UPDATE_ROLE", "Role ${RoleName} was changed[ by ${UserName}]."),
    normal(858, "USER_REMOVE_ROLE", "Role ${RoleName} was removed[ by ${UserName}]."),
    normal(860, "USER_ATTACHED_ACTION_GROUP_TO_ROLE", "Role ${RoleName} was given the permit ${ActionGroup}[ by ${UserName}]."),
    normal(
        862,
        "USER_DETACHED_ACTION_GROUP_FROM_ROLE",
        "The permit ${ActionGroup} was taken from role ${RoleName}[ by ${UserName}].",
    ),
    normal(864, "USER_ADD_ROLE_WITH_ACTION_GROUP", "Role ${RoleName} was created[ by ${UserName}]."),
    normal(866, "USER_ADD_SYSTEM_PERMISSION", "${SubjectName} was granted the role ${RoleName} on the system[ by ${UserName}]."),
    normal(
        868,
        "USER_REMOVE_SYSTEM_PERMISSION",
        "The role ${RoleName} on the system was taken from ${SubjectName}[ by ${UserName}].",
    ),
    normal(
        918,
        "USER_FORCE_REMOVE_STORAGE_POOL",
        "Data center ${StoragePoolName} was removed by force, with all that its data domains held[, by ${UserName}].",
    ),
    normal(
        920,
        "NETWORK_ATTACH_NETWORK_TO_VDS",
        "Network ${NetworkName} was attached to host ${VdsName}[ on ${InterfaceName}][ by ${UserName}].",
    ),
    error(
        921,
        "NETWORK_ATTACH_NETWORK_TO_VDS_FAILED",
        "Network ${NetworkName} could not be attached to host ${VdsName}[ for ${UserName}][: ${Reason}].",
    ),
    normal(922, "NETWORK_DETACH_NETWORK_FROM_VDS", "Network ${NetworkName} was detached from host ${VdsName}[ by ${UserName}]."),
    error(
        923,
        "NETWORK_DETACH_NETWORK_FROM_VDS_FAILED",
        "Network ${NetworkName} could not be detached from host ${VdsName}[ for ${UserName}][: ${Reason}].",
    ),
    normal(924, "NETWORK_ADD_BOND", "Bond ${BondName} of ${Interfaces} was added to host ${VdsName}[ by ${UserName}]."),
    error(
        925,
        "NETWORK_ADD_BOND_FAILED",
        "Bond ${BondName} could not be added to host ${VdsName}[ for ${UserName}][: ${Reason}].",
    ),
    normal(926, "NETWORK_REMOVE_BOND", "Bond ${BondName} was removed from host ${VdsName}[ by ${UserName}]."),
    error(
        927,
        "NETWORK_REMOVE_BOND_FAILED",
        "Bond ${BondName} could not be removed from host ${VdsName}[ for ${UserName}][: ${Reason}].",
    ),
    normal(
        930,
        "NETWORK_REMOVE_VM_INTERFACE",
        "Network interface ${InterfaceName} of VM ${VmName} was removed[ by ${UserName}].",
    ),
    normal(
        932,
        "NETWORK_ADD_VM_INTERFACE",
        "Network interface ${InterfaceName} (${InterfaceType}) was added to VM ${VmName}[ by ${UserName}].",
    ),
    normal(
        934,
        "NETWORK_UPDATE_VM_INTERFACE",
        "Network interface ${InterfaceName} (${InterfaceType}) of VM ${VmName} was changed[ by ${UserName}][; its link is ${LinkState}].",
    ),
    error(
        935,
        "NETWORK_UPDATE_VM_INTERFACE_FAILED",
        "Network interface ${InterfaceName} (${InterfaceType}) of VM ${VmName} could not be changed[ for ${UserName}][: ${Reason}].",
    ),
    normal(942, "NETWORK_ADD_NETWORK", "Network ${NetworkName} was created in data center ${StoragePoolName}[ by ${UserName}]."),
    normal(
        944,
        "NETWORK_REMOVE_NETWORK",
        "Network ${NetworkName} was removed from data center ${StoragePoolName}[ by ${UserName}].",
    ),
    normal(
        946,
        "NETWORK_ATTACH_NETWORK_TO_VDS_GROUP",
        "Network ${NetworkName} was attached to cluster ${VdsGroupName}[ by ${UserName}].",
    ),
    normal(
        948,
        "NETWORK_DETACH_NETWORK_TO_VDS_GROUP",
        "Network ${NetworkName} was detached from cluster ${VdsGroupName}[ by ${UserName}].",
    ),
    normal(950, "USER_ADD_STORAGE_POOL", "Data center ${StoragePoolName} was created[ by ${UserName}]."),
    normal(952, "USER_UPDATE_STORAGE_POOL", "Data center ${StoragePoolName} was changed[ by ${UserName}]."),
    normal(954, "USER_REMOVE_STORAGE_POOL", "Data center ${StoragePoolName} was removed[ by ${UserName}]."),
    normal(956, "USER_ADD_STORAGE_DOMAIN", "Storage domain ${StorageDomainName} was added[ by ${UserName}]."),
    error(
        957,
        "USER_ADD_STORAGE_DOMAIN_FAILED",
        "Storage domain ${StorageDomainName} could not be added[ for ${UserName}][: ${Reason}].",
    ),
    normal(958, "USER_UPDATE_STORAGE_DOMAIN", "Storage domain ${StorageDomainName} was changed[ by ${UserName}]."),
    normal(960, "USER_REMOVE_STORAGE_DOMAIN", "Storage domain ${StorageDomainName} was removed[ by ${UserName}]."),
    error(
        961,
        "USER_REMOVE_STORAGE_DOMAIN_FAILED",
        "Storage domain ${StorageDomainName} could not be removed[ for ${UserName}][: ${Reason}].",
    ),
    normal(
        962,
        "USER_ATTACH_STORAGE_DOMAIN_TO_POOL",
        "Storage domain ${StorageDomainName} was attached to data center ${StoragePoolName}[ by ${UserName}].",
    ),
    error(
        963,
        "USER_ATTACH_STORAGE_DOMAIN_TO_POOL_FAILED",
        "Storage domain ${StorageDomainName} could not be attached[ to data center ${StoragePoolName}][ for ${UserName}][: ${Reason}].",
    ),
    normal(
        964,
        "USER_DETACH_STORAGE_DOMAIN_FROM_POOL",
        "Storage domain ${StorageDomainName} was detached from data center ${StoragePoolName}[ by ${UserName}].",
    ),
    error(
        965,
        "USER_DETACH_STORAGE_DOMAIN_FROM_POOL_FAILED",
        "Storage domain ${StorageDomainName} could not be detached[ from data center ${StoragePoolName}][ for ${UserName}][: ${Reason}].",
    ),
    normal(
        966,
        "USER_ACTIVATED_STORAGE_DOMAIN",
        "Storage domain ${StorageDomainName} was activated[ in data center ${StoragePoolName}][ by ${UserName}].",
    ),
    error(
        967,
        "USER_ACTIVATE_STORAGE_DOMAIN_FAILED",
        "Storage domain ${StorageDomainName} could not be activated[ in data center ${StoragePoolName}][ for ${UserName}][: ${Reason}].",
    ),
    normal(
        968,
        "USER_DEACTIVATED_STORAGE_DOMAIN",
        "Storage domain ${StorageDomainName} was deactivated[ in data center ${StoragePoolName}][ by ${UserName}].",
    ),
    error(
        969,
        "USER_DEACTIVATE_STORAGE_DOMAIN_FAILED",
        "Storage domain ${StorageDomainName} could not be deactivated[ in data center ${StoragePoolName}][ for ${UserName}][: ${Reason}].",
    ),
    warning(
        970,
        "SYSTEM_DEACTIVATED_STORAGE_DOMAIN",
        "The system deactivated storage domain ${StorageDomainName}[ in data center ${StoragePoolName}][: ${Reason}].",
    )
    .once_in(60),
    normal(972, "USER_EXTENDED_STORAGE_DOMAIN", "Storage domain ${StorageDomainName} was extended[ by ${UserName}]."),
    error(
        973,
        "USER_EXTENDED_STORAGE_DOMAIN_FAILED",
        "Storage domain ${StorageDomainName} could not be extended[ for ${UserName}][: ${Reason}].",
    ),
    error(
        979,
        "SYSTEM_CHANGE_STORAGE_POOL_STATUS_NO_HOST_FOR_SPM",
        "Data center ${StoragePoolName} has no storage pool manager: no host can be it.",
    )
    .once_in(60),
    normal(
        981,
        "USER_FORCE_REMOVE_STORAGE_DOMAIN",
        "Storage domain ${StorageDomainName} was destroyed: it is forgotten with all that it held[, as ${UserName} wanted].",
    ),
    warning(
        983,
        "RECONSTRUCT_MASTER_FAILED_NO_MASTER",
        "The master domain of data center ${StoragePoolName} cannot go on, and no other data domain can take its part.",
    )
    .once_in(3600),
    normal(984, "RECONSTRUCT_MASTER_DONE", "Storage domain ${StorageDomainName} is the master of data center ${StoragePoolName} now."),
    normal(
        1002,
        "USER_ATTACH_STORAGE_DOMAINS_TO_POOL",
        "Storage domain ${StorageDomainName} was attached to data center ${StoragePoolName} as its first[ by ${UserName}].",
    ),
    error(
        1003,
        "USER_ATTACH_STORAGE_DOMAINS_TO_POOL_FAILED",
        "Storage domain ${StorageDomainName} could not be attached to data center ${StoragePoolName} as its first[ for ${UserName}][: ${Reason}].",
    ),
    warning(1006, "UPGRADE_STORAGE_POOL_ENCOUNTERED_PROBLEMS", "The storage of data center ${StoragePoolName} could not be upgraded[: ${Reason}]."),
    normal(
        1012,
        "NETWORK_ACTIVATE_VM_INTERFACE_SUCCESS",
        "Network interface ${InterfaceName} (${InterfaceType}) was plugged into VM ${VmName}[ by ${UserName}].",
    ),
    error(
        1013,
        "NETWORK_ACTIVATE_VM_INTERFACE_FAILURE",
        "Network interface ${InterfaceName} (${InterfaceType}) could not be plugged into VM ${VmName}[ for ${UserName}][: ${Reason}].",
    ),
    normal(
        1014,
        "NETWORK_DEACTIVATE_VM_INTERFACE_SUCCESS",
        "Network interface ${InterfaceName} (${InterfaceType}) was unplugged from VM ${VmName}[ by ${UserName}].",
    ),
    error(
        1015,
        "NETWORK_DEACTIVATE_VM_INTERFACE_FAILURE",
        "Network interface ${InterfaceName} (${InterfaceType}) could not be unplugged from VM ${VmName}[ for ${UserName}][: ${Reason}].",
    ),
    normal(
        1100,
        "NETWORK_UPDATE_DISPLAY_TO_VDS_GROUP",
        "Network ${NetworkName} is the display network of cluster ${VdsGroupName} now[, set by ${UserName}].",
    ),
    normal(
        1102,
        "NETWORK_UPDATE_NETWORK_TO_VDS_INTERFACE",
        "The interfaces of host ${VdsName} were changed[: bond ${BondName} is now of ${Interfaces}][ for network ${NetworkName}][ by ${UserName}].",
    ),
    error(
        1103,
        "NETWORK_UPDATE_NETWORK_TO_VDS_INTERFACE_FAILED",
        "The interfaces of host ${VdsName} could not be changed[ for network ${NetworkName}][ for ${UserName}][: ${Reason}].",
    ),
    normal(1104, "NETWORK_COMMINT_NETWORK_CHANGES", "The network configuration of host ${VdsName} was saved[ by ${UserName}]."),
    normal(
        1105,
        "NETWORK_COMMINT_NETWORK_CHANGES_FAILED",
        "The network configuration of host ${VdsName} could not be saved[ for ${UserName}][: ${Reason}].",
    ),
    normal(
        1112,
        "NETWORK_UPDTAE_NETWORK_ON_CLUSTER",
        "Network ${NetworkName} was changed in cluster ${VdsGroupName}[ by ${UserName}].",
    ),
    normal(
        1114,
        "NETWORK_UPDATE_NETWORK",
        "Network ${NetworkName} of data center ${StoragePoolName} was changed[ by ${UserName}].",
    ),
    normal(1122, "ADD_VNIC_PROFILE", "vNIC profile ${VnicProfileName} of network ${NetworkName} was created[ by ${UserName}]."),
    normal(
        1124,
        "UPDATE_VNIC_PROFILE",
        "vNIC profile ${VnicProfileName} of network ${NetworkName} was changed[ by ${UserName}].",
    ),
    normal(
        1126,
        "REMOVE_VNIC_PROFILE",
        "vNIC profile ${VnicProfileName} of network ${NetworkName} was removed[ by ${UserName}].",
    ),
    normal(2000, "USER_HOTPLUG_DISK", "Disk ${DiskAlias} was plugged into VM ${VmName}[ by ${UserName}]."),
    error(
        2001,
        "USER_FAILED_HOTPLUG_DISK",
        "Disk ${DiskAlias} could not be plugged into VM ${VmName}[ for ${UserName}][: ${Reason}].",
    ),
    normal(2002, "USER_HOTUNPLUG_DISK", "Disk ${DiskAlias} was unplugged from VM ${VmName}[ by ${UserName}]."),
    error(
        2003,
        "USER_FAILED_HOTUNPLUG_DISK",
        "Disk ${DiskAlias} could not be unplugged from VM ${VmName}[ for ${UserName}][: ${Reason}].",
    ),
    normal(
        2014,
        "USER_FINISHED_REMOVE_DISK",
        "Disk ${DiskAlias} was removed[ from storage domain ${StorageDomainName}][ by ${UserName}].",
    ),
    warning(
        2015,
        "USER_FINISHED_FAILED_REMOVE_DISK",
        "Disk ${DiskAlias} could not be removed[ from storage domain ${StorageDomainName}][ for ${UserName}][: ${Reason}].",
    ),
    normal(2016, "USER_ATTACH_DISK_TO_VM", "Disk ${DiskAlias} was attached to VM ${VmName}[ by ${UserName}]."),
    normal(2018, "USER_DETACH_DISK_FROM_VM", "Disk ${DiskAlias} was detached from VM ${VmName}[ by ${UserName}]."),
    normal(2020, "USER_ADD_DISK", "Disk ${DiskAlias} is being added[ by ${UserName}]."),
    normal(2021, "USER_ADD_DISK_FINISHED_SUCCESS", "Disk ${DiskAlias} was added."),
    error(2022, "USER_ADD_DISK_FINISHED_FAILURE", "Disk ${DiskAlias} could not be added[: ${Reason}]."),
    normal(
        2027,
        "USER_IMPORT_IMAGE",
        "Image ${RepoImageName} is being imported to storage domain ${StorageDomainName}[ by ${UserName}].",
    ),
    normal(
        2028,
        "USER_IMPORT_IMAGE_FINISHED_SUCCESS",
        "Image ${RepoImageName} was imported to storage domain ${StorageDomainName} as disk ${DiskAlias}[ by ${UserName}].",
    ),
    error(
        2029,
        "USER_IMPORT_IMAGE_FINISHED_FAILURE",
        "Image ${RepoImageName} could not be imported to storage domain ${StorageDomainName}[ for ${UserName}][: ${Reason}].",
    ),
    normal(
        2030,
        "USER_EXPORT_IMAGE",
        "Disk ${DiskAlias} is being exported to image domain ${DestinationStorageDomainName}[ by ${UserName}].",
    ),
    normal(
        2031,
        "USER_EXPORT_IMAGE_FINISHED_SUCCESS",
        "Disk ${DiskAlias} was exported to image domain ${DestinationStorageDomainName}[ by ${UserName}].",
    ),
    error(
        2032,
        "USER_EXPORT_IMAGE_FINISHED_FAILURE",
        "Disk ${DiskAlias} could not be exported to image domain ${DestinationStorageDomainName}[ for ${UserName}][: ${Reason}].",
    ),
    normal(3000, "USER_ADD_QUOTA", "Quota ${QuotaName} was created[ by ${UserName}]."),
    normal(3002, "USER_UPDATE_QUOTA", "Quota ${QuotaName} was changed[ by ${UserName}]."),
    normal(3004, "USER_DELETE_QUOTA", "Quota ${QuotaName} was removed[ by ${UserName}]."),
    error(
        3006,
        "USER_EXCEEDED_QUOTA_VDS_GROUP_GRACE_LIMIT",
        "VM ${VmName} was refused: with it the cluster limit of quota ${QuotaName} would be exceeded[: ${Utilization}% of it would be consumed][, ${Requested}% for it alone][, wanted by ${UserName}].",
    ),
    warning(
        3007,
        "USER_EXCEEDED_QUOTA_VDS_GROUP_LIMIT",
        "The cluster limit of quota ${QuotaName} is exceeded: ${Utilization}% are consumed[ by ${UserName}].",
    ),
    warning(
        3008,
        "USER_EXCEEDED_QUOTA_VDS_GROUP_THRESHOLD",
        "The cluster limit of quota ${QuotaName} is near: ${Utilization}% are consumed[ by ${UserName}].",
    ),
    error(
        3009,
        "USER_EXCEEDED_QUOTA_STORAGE_GRACE_LIMIT",
        "Storage was refused: the storage limit of quota ${QuotaName} would be exceeded[: ${CurrentStorage}% of it would be consumed][, ${Requested}% for this alone][, wanted by ${UserName}].",
    ),
    warning(
        3010,
        "USER_EXCEEDED_QUOTA_STORAGE_LIMIT",
        "The storage limit of quota ${QuotaName} is exceeded: ${CurrentStorage}% are consumed[ by ${UserName}].",
    ),
    warning(
        3011,
        "USER_EXCEEDED_QUOTA_STORAGE_THRESHOLD",
        "The storage limit of quota ${QuotaName} is near: ${CurrentStorage}% are consumed[ by ${UserName}].",
    ),
    warning(
        3012,
        "QUOTA_STORAGE_RESIZE_LOWER_THEN_CONSUMPTION",
        "A storage limit of quota ${QuotaName} is lower than what is consumed already.",
    ),
    warning(3013, "MISSING_QUOTA_STORAGE_PARAMETERS_PERMISSIVE_MODE", "Storage is consumed without a quota[ by ${UserName}]."),
    warning(3014, "MISSING_QUOTA_CLUSTER_PARAMETERS_PERMISSIVE_MODE", "VM ${VmName} runs without a quota[, started by ${UserName}]."),
    warning(
        3015,
        "USER_EXCEEDED_QUOTA_VDS_GROUP_GRACE_LIMIT_PERMISSIVE_MODE",
        "The cluster limit of quota ${QuotaName} is exceeded beyond what is allowed[: ${Utilization}% are consumed][, ${Requested}% of them asked for just now][ by ${UserName}].",
    ),
    warning(
        3016,
        "USER_EXCEEDED_QUOTA_STORAGE_GRACE_LIMIT_PERMISSIVE_MODE",
        "The storage limit of quota ${QuotaName} is exceeded beyond what is allowed[: ${CurrentStorage}% are consumed][, ${Requested}% of them asked for just now][ by ${UserName}].",
    ),
    alert(9000, "VDS_ALERT_FENCE_IS_NOT_CONFIGURED", "Host ${VdsName} has no power management: it cannot be fenced when it does not respond."),
    alert(9001, "VDS_ALERT_FENCE_TEST_FAILED", "The power status of host ${VdsName} could not be found out[: ${Reason}]."),
    alert(9002, "VDS_ALERT_FENCE_OPERATION_FAILED", "Power management of host ${VdsName} failed[: ${Reason}]."),
    alert(
        9003,
        "VDS_ALERT_FENCE_OPERATION_SKIPPED",
        "Host ${VdsName} does not respond and has no power management: check it, restart it by hand, and confirm that.",
    ),
    normal(
        9004,
        "VDS_ALERT_FENCE_NO_PROXY_HOST",
        "Host ${VdsName} does not respond, and no other host is up to reach its power management.",
    ),
    alert(
        9007,
        "VDS_ALERT_SECONDARY_AGENT_USED_FOR_FENCE_OPERATION",
        "A further power management agent was used to ${Operation} host ${VdsName}.",
    ),
    warning(
        9008,
        "VDS_HOST_NOT_RESPONDING_CONNECTING",
        "Host ${VdsName} does not answer. It is waited for up to ${Seconds} seconds, and fenced then if it can be.",
    ),
    normal(9801, "EXTERNAL_EVENT_NORMAL", "${description}"),
    warning(9802, "EXTERNAL_EVENT_WARNING", "${description}"),
    error(9803, "EXTERNAL_EVENT_ERROR", "${description}"),
    alert(9804, "EXTERNAL_ALERT", "${description}"),
    normal(11_000, "USER_ADD_EXTERNAL_JOB", "External job ${description} was added[ by ${UserName}]."),
    normal(20_001, "GROUP_MEMBER_ADDED", "User ${MemberName} was put into group ${GroupName}[ by ${UserName}]."),
    normal(20_002, "GROUP_MEMBER_REMOVED", "User ${MemberName} was taken out of group ${GroupName}[ by ${UserName}]."),
    normal(20_003, "USER_UNLOCKED", "User ${UnlockedUserName} may log in again[ by ${UserName}]."),
    warning(20_004, "USER_INACTIVE", "User ${DirectoryUserName} is inactive: the directory has no such user any more."),
    normal(20_005, "USER_ACTIVE", "User ${DirectoryUserName} is active again: the directory has such a user again."),
    alert(20_006, "STORE_DAMAGED", "The ${Kept} is damaged[: ${Reason}]."),
    error(20_010, "LOGINS_REFUSED", "${Count} logins were refused, of ${Names}, from ${Addresses}."),
];
