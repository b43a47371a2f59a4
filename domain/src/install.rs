//! A fresh installation: the objects that every log begins with (ids as upstream fixes them).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::*;
use crate::cluster::{ClusterConfig, ClusterCreated, ClusterNetwork, NetworkAssigned};
use crate::command::Decide;
use crate::context::Context;
use crate::data_center::{CURRENT_VERSION, DataCenterConfig, DataCenterCreated, QuotaMode};
use crate::event::{Event, EventMetadata, Fold, Stream, StreamKind};
use crate::ids::*;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::storage::StorageKind;
use crate::tag::{ROOT, TagConfig, TagCreated};
use crate::template::{BLANK, TemplateCreated};
use crate::vm::VmConfig;
use crate::world::World;

/// The data center Default.
pub const DEFAULT_DATA_CENTER: DataCenterId = DataCenterId(Uuid::from_u128(0x5849b030_626e_47cb_ad90_3ce782d831b3));
/// The cluster Default.
pub const DEFAULT_CLUSTER: ClusterId = ClusterId(Uuid::from_u128(0x99408929_82cf_4dc7_a532_9d998063fa95));
/// The management network of the data center Default.
pub const MANAGEMENT_NETWORK: NetworkId = NetworkId(Uuid::from_u128(9));
/// What Everyone may do with Blank.
pub const USER_TEMPLATE_BASED_VM: RoleId = RoleId(Uuid::from_u128(0xdef00009_0000_0000_0000_def000000009));
/// What Everyone may do with the management network's vNIC profile.
pub const VNIC_PROFILE_USER: RoleId = RoleId(Uuid::from_u128(0xdef0000a_0000_0000_0000_def000000010));

/// The log began. Its payload names the version that installed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemInstalled {
    /// Version of evirt.
    pub version: String,
}

impl Fold for SystemInstalled {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, _: &mut World, _: &EventMetadata) {}
}

/// Makes a fresh installation; refused on a log that has begun.
#[derive(Clone, Debug)]
pub struct Install {
    /// argon2 hash of the password of admin@internal.
    pub admin_password: Arc<str>,
}

impl Decide for Install {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        if world.position != 0 {
            return Err(Key::StateMoved.into());
        }
        let profile: VnicProfileId = cx.fresh(0);
        let mut events: Vec<Event> = vec![
            SystemInstalled { version: env!("CARGO_PKG_VERSION").into() }.into(),
            GroupAdded { group: Group::new(EVERYONE, "Everyone", "") }.into(),
        ];
        events.extend(ROLES.iter().map(|(id, name, description, administrative, permits)| {
            Event::from(RoleCreated {
                role: Role {
                    id: RoleId(Uuid::from_u128(*id)),
                    version: 0,
                    name: (*name).into(),
                    description: (*description).into(),
                    administrative: *administrative,
                    mutable: false,
                    shows_children: shows_children(permits) && !HIDES_CHILDREN.contains(id),
                    permits: permits.to_vec(),
                },
            })
        }));
        events.push(UserAdded { user: admin(self.admin_password.clone()) }.into());
        let data_center = DataCenterConfig {
            name: "Default".into(),
            description: "The default Data Center".into(),
            comment: String::new(),
            storage_type: StorageKind::Nfs,
            version: CURRENT_VERSION,
            quota_mode: QuotaMode::Disabled,
        };
        events.push(DataCenterCreated { data_center: DEFAULT_DATA_CENTER, config: data_center }.into());
        events.extend(crate::network::management_network(MANAGEMENT_NETWORK, profile, DEFAULT_DATA_CENTER));
        let cluster = ClusterConfig {
            name: "Default".into(),
            description: "The default server cluster".into(),
            data_center: Some(DEFAULT_DATA_CENTER),
            ..ClusterConfig::default()
        };
        events.push(ClusterCreated { cluster: DEFAULT_CLUSTER, config: cluster }.into());
        let network = ClusterNetwork { network: MANAGEMENT_NETWORK, required: true, display: true, migration: true };
        events.push(NetworkAssigned { cluster: DEFAULT_CLUSTER, network }.into());
        let blank = VmConfig { name: "Blank".into(), description: "Blank template".into(), ..VmConfig::default() };
        events.push(TemplateCreated { template: BLANK, config: blank }.into());
        let root = TagConfig { name: "root".into(), description: "The root tag".into(), parent: None };
        events.push(TagCreated { tag: ROOT, config: root }.into());
        let grants = [
            (Holder::User(ADMIN), SUPER_USER, EntityRef::System),
            (Holder::Group(EVERYONE), USER_TEMPLATE_BASED_VM, EntityRef::Template(BLANK)),
            (Holder::Group(EVERYONE), VNIC_PROFILE_USER, EntityRef::VnicProfile(profile)),
        ];
        events.extend((1..).zip(grants).map(|(n, (holder, role, object))| {
            PermissionGranted { permission: Permission { id: cx.fresh(n), version: 0, holder, role, object } }.into()
        }));
        Ok(events)
    }
}

fn admin(password: Arc<str>) -> User {
    User { password: Some(password), ..User::new(ADMIN, "admin", INTERNAL) }
}

use Permit::*;

/// A built-in role: id, name, description, whether it is administrative, permits.
type BuiltIn = (u128, &'static str, &'static str, bool, &'static [Permit]);

/// Built-in roles that upstream lets see nothing below an object, in spite of their permits: QuotaConsumer and VnicProfileUser.
const HIDES_CHILDREN: [u128; 2] = [0xdef0000a000000000000def00000000a, 0xdef0000a000000000000def000000010];

/// The built-in roles.
#[rustfmt::skip]
const ROLES: &[BuiltIn] = &[
    (0x00000000000000000000000000000001, "SuperUser", "Everything, everywhere", true, Permit::ALL),
    (0x00000000000000000001000000000001, "UserRole", "Use virtual machines and pools", false, &[VmBasicOperations, ChangeVmCd, ConnectToVm, VmPoolBasicOperations, AccessImageStorage, Login]),
    (0x00000000000000000001000000000002, "PowerUserRole", "Create virtual machines, templates and disks", false, &[CreateVm, CreateTemplate, CreateDisk, AccessImageStorage, Login]),
    (0xdef00001000000000000def000000001, "ClusterAdmin", "Administer a cluster and what is in it", true, &[CreateVm, DeleteVm, EditVmProperties, VmBasicOperations, ChangeVmCd, MigrateVm, ConnectToVm, ImportExportVm, ConfigureVmNetwork, ConfigureVmStorage, MoveVm, ManipulateVmSnapshots, ChangeVmCustomProperties, EditAdminVmProperties, CreateHost, EditHostConfiguration, DeleteHost, ManiputlateHost, ConfigureHostNetwork, CreateVmPool, EditVmPoolConfiguration, DeleteVmPool, VmPoolBasicOperations, CreateCluster, EditClusterConfiguration, DeleteCluster, ConfigureClusterNetwork, ManipulatePermissions, CreateDisk, AttachDisk, EditDiskProperties, ConfigureDiskStorage, DeleteDisk, Login]),
    (0xdef00002000000000000def000000002, "DataCenterAdmin", "Administer a data center and what is in it, storage aside", true, &[CreateVm, DeleteVm, EditVmProperties, VmBasicOperations, ChangeVmCd, MigrateVm, ConnectToVm, ImportExportVm, ConfigureVmNetwork, ConfigureVmStorage, MoveVm, ManipulateVmSnapshots, ChangeVmCustomProperties, EditAdminVmProperties, CreateHost, EditHostConfiguration, DeleteHost, ManiputlateHost, ConfigureHostNetwork, CreateTemplate, EditTemplateProperties, DeleteTemplate, CopyTemplate, ConfigureTemplateNetwork, EditAdminTemplateProperties, CreateVmPool, EditVmPoolConfiguration, DeleteVmPool, VmPoolBasicOperations, CreateCluster, EditClusterConfiguration, DeleteCluster, ConfigureClusterNetwork, AssignClusterNetwork, ManipulatePermissions, CreateStoragePool, DeleteStoragePool, EditStoragePoolConfiguration, ConfigureStoragePoolNetwork, CreateStoragePoolNetwork, DeleteStoragePoolNetwork, ConfigureQuota, ConsumeQuota, CreateDisk, AttachDisk, EditDiskProperties, ConfigureDiskStorage, DeleteDisk, ConfigureScsiGenericIo, ConfigureNetworkVnicProfile, CreateNetworkVnicProfile, DeleteNetworkVnicProfile, Login]),
    (0xdef00003000000000000def000000003, "StorageAdmin", "Administer storage", true, &[CreateStorageDomain, EditStorageDomainConfiguration, DeleteStorageDomain, ManipulateStorageDomain, CreateDisk, AttachDisk, EditDiskProperties, ConfigureDiskStorage, DeleteDisk, AccessImageStorage, Login]),
    (0xdef00004000000000000def000000004, "HostAdmin", "Administer hosts", true, &[CreateHost, EditHostConfiguration, DeleteHost, ManiputlateHost, ConfigureHostNetwork, CreateStorageDomain, EditStorageDomainConfiguration, DeleteStorageDomain, ManipulateStorageDomain, Login]),
    (0xdef00005000000000000def000000005, "NetworkAdmin", "Administer networks", true, &[ConfigureVmNetwork, ConfigureHostNetwork, ConfigureTemplateNetwork, ConfigureClusterNetwork, AssignClusterNetwork, ConfigureStoragePoolNetwork, CreateStoragePoolNetwork, DeleteStoragePoolNetwork, ConfigureNetworkVnicProfile, CreateNetworkVnicProfile, DeleteNetworkVnicProfile, Login]),
    (0xdef00006000000000000def000000006, "UserVmManager", "Administer one virtual machine", false, &[CreateVm, DeleteVm, EditVmProperties, VmBasicOperations, ChangeVmCd, ConnectToVm, ConfigureVmNetwork, ConfigureVmStorage, ManipulateVmSnapshots, ManipulatePermissions, CreateDisk, AttachDisk, EditDiskProperties, DeleteDisk, Login]),
    (0xdef00007000000000000def000000007, "VmPoolAdmin", "Administer pools", true, &[CreateVm, CreateVmPool, EditVmPoolConfiguration, DeleteVmPool, VmPoolBasicOperations, Login]),
    (0xdef00008000000000000def000000008, "TemplateAdmin", "Administer templates", true, &[CreateTemplate, EditTemplateProperties, DeleteTemplate, CopyTemplate, ConfigureTemplateNetwork, EditAdminTemplateProperties, AccessImageStorage, Login]),
    (0xdef0000a000000000000def00000000a, "QuotaConsumer", "Consume a quota", false, &[ConsumeQuota]),
    (0xdef0000a000000000000def00000000b, "DiskOperator", "Administer one disk", false, &[ManipulatePermissions, CreateDisk, AttachDisk, EditDiskProperties, DeleteDisk, Login]),
    (0xdef0000a000000000000def00000000c, "DiskCreator", "Create disks", false, &[CreateDisk, Login]),
    (0xdef0000b000000000000def00000000b, "GlusterAdmin", "Administer Gluster volumes", true, &[CreateGlusterVolume, ManipulateGlusterVolume, DeleteGlusterVolume, ManipulateGlusterHook, ManipulateGlusterService, Login]),
    (0xdef0000a000000000000def00000000d, "VmCreator", "Create virtual machines", false, &[CreateVm, CreateDisk, Login]),
    (0xdef0000a000000000000def00000000e, "TemplateCreator", "Create templates", false, &[CreateTemplate, Login]),
    (0xdef0000a000000000000def00000000f, "TemplateOwner", "Administer one template", false, &[EditTemplateProperties, DeleteTemplate, CopyTemplate, ConfigureTemplateNetwork, ManipulatePermissions, Login]),
    (0xdef0000c000000000000def000000000, "ExternalEventsCreator", "Add events from outside", false, &[InjectExternalEvents]),
    (0xdef0000d000000000000def000000000, "ExternalTasksCreator", "Add jobs from outside", false, &[InjectExternalTasks]),
    (0xdef0000a000000000000def000000010, "VnicProfileUser", "Use a vNIC profile", false, &[ConfigureVmNetwork, ConfigureTemplateNetwork, Login]),
    (0xdef00009000000000000def000000009, "UserTemplateBasedVm", "Make virtual machines from a template", false, &[CreateVm]),
];
