//! Permits: the single things that a role may allow, with upstream's numbers and names.

use serde::{Deserialize, Serialize};

macro_rules! permits {
    ($($name:ident $id:literal $rest:literal $admin:literal,)*) => {
        /// A thing that a role may allow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)]
        pub enum Permit { $($name,)* }

        impl Permit {
            /// Every permit of version 3.3.
            pub const ALL: &'static [Permit] = &[$(Self::$name,)*];

            /// The number that the API uses as its id.
            pub fn id(self) -> u32 {
                match self { $(Self::$name => $id,)* }
            }

            /// The name in the API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $rest,)* }
            }

            /// The permit of an API id or name.
            pub fn find(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|permit| permit.name() == text || permit.id().to_string() == text)
            }

            /// Whether only administrative roles may hold it.
            pub fn administrative(self) -> bool {
                match self { $(Self::$name => $admin,)* }
            }
        }
    };
}

impl Permit {
    /// Whether its holders see what is below the object that it is on, too. Permits that only add something do not show it.
    pub fn shows_children(self) -> bool {
        use Permit::*;
        let adds = [CreateVm, CreateTemplate, CreateVmPool, CreateDisk, AccessImageStorage];
        !adds.contains(&self) && !matches!(self, Login | InjectExternalEvents | InjectExternalTasks)
    }
}

permits! {
    CreateVm 1 "create_vm" false,
    DeleteVm 2 "delete_vm" false,
    EditVmProperties 3 "edit_vm_properties" false,
    VmBasicOperations 4 "vm_basic_operations" false,
    ChangeVmCd 5 "change_vm_cd" false,
    MigrateVm 6 "migrate_vm" false,
    ConnectToVm 7 "connect_to_vm" false,
    ImportExportVm 8 "import_export_vm" true,
    ConfigureVmNetwork 9 "configure_vm_network" false,
    ConfigureVmStorage 10 "configure_vm_storage" false,
    MoveVm 11 "move_vm" false,
    ManipulateVmSnapshots 12 "manipulate_vm_snapshots" false,
    ReconnectToVm 13 "reconnect_to_vm" false,
    ChangeVmCustomProperties 14 "change_vm_custom_properties" true,
    EditAdminVmProperties 15 "edit_admin_vm_properties" true,
    CreateHost 100 "create_host" true,
    EditHostConfiguration 101 "edit_host_configuration" true,
    DeleteHost 102 "delete_host" true,
    ManiputlateHost 103 "maniputlate_host" true,
    ConfigureHostNetwork 104 "configure_host_network" true,
    CreateTemplate 200 "create_template" false,
    EditTemplateProperties 201 "edit_template_properties" false,
    DeleteTemplate 202 "delete_template" false,
    CopyTemplate 203 "copy_template" false,
    ConfigureTemplateNetwork 204 "configure_template_network" false,
    EditAdminTemplateProperties 205 "edit_admin_template_properties" true,
    CreateVmPool 300 "create_vm_pool" false,
    EditVmPoolConfiguration 301 "edit_vm_pool_configuration" false,
    DeleteVmPool 302 "delete_vm_pool" false,
    VmPoolBasicOperations 303 "vm_pool_basic_operations" false,
    CreateCluster 400 "create_cluster" true,
    EditClusterConfiguration 401 "edit_cluster_configuration" true,
    DeleteCluster 402 "delete_cluster" true,
    ConfigureClusterNetwork 403 "configure_cluster_network" true,
    AssignClusterNetwork 404 "assign_cluster_network" true,
    ManipulateUsers 500 "manipulate_users" true,
    ManipulateRoles 501 "manipulate_roles" true,
    ManipulatePermissions 502 "manipulate_permissions" false,
    CreateStorageDomain 600 "create_storage_domain" true,
    EditStorageDomainConfiguration 601 "edit_storage_domain_configuration" true,
    DeleteStorageDomain 602 "delete_storage_domain" true,
    ManipulateStorageDomain 603 "manipulate_storage_domain" true,
    CreateStoragePool 700 "create_storage_pool" true,
    DeleteStoragePool 701 "delete_storage_pool" true,
    EditStoragePoolConfiguration 702 "edit_storage_pool_configuration" true,
    ConfigureStoragePoolNetwork 703 "configure_storage_pool_network" true,
    CreateStoragePoolNetwork 704 "create_storage_pool_network" true,
    DeleteStoragePoolNetwork 705 "delete_storage_pool_network" true,
    ConfigureEngine 800 "configure_engine" true,
    ConfigureQuota 900 "configure_quota" true,
    ConsumeQuota 901 "consume_quota" false,
    CreateGlusterVolume 1000 "create_gluster_volume" true,
    ManipulateGlusterVolume 1001 "manipulate_gluster_volume" true,
    DeleteGlusterVolume 1002 "delete_gluster_volume" true,
    ManipulateGlusterHook 1003 "manipulate_gluster_hook" true,
    ManipulateGlusterService 1004 "manipulate_gluster_service" true,
    CreateDisk 1100 "create_disk" false,
    AttachDisk 1101 "attach_disk" false,
    EditDiskProperties 1102 "edit_disk_properties" false,
    ConfigureDiskStorage 1103 "configure_disk_storage" false,
    DeleteDisk 1104 "delete_disk" false,
    ConfigureScsiGenericIo 1105 "configure_scsi_generic_io" true,
    AccessImageStorage 1106 "access_image_storage" false,
    ConfigureNetworkVnicProfile 1203 "configure_network_vnic_profile" true,
    CreateNetworkVnicProfile 1204 "create_network_vnic_profile" true,
    DeleteNetworkVnicProfile 1205 "delete_network_vnic_profile" true,
    Login 1300 "login" false,
    InjectExternalEvents 1400 "inject_external_events" true,
    InjectExternalTasks 1500 "inject_external_tasks" true,
}
