//! The one list of aggregates: what each is called in streams and messages, and where the World keeps it; and the list of what happens to them.
//!
//! From it follow the identifiers (`ids`), the kinds of streams (`event`), what may be said to be new (`creation`), the World's tables and how
//! an aggregate is expected of them (`world`), and what permissions may stand on (`access`). A new aggregate is a row here with its events, and
//! its module.

/// Hands the rows to a macro. A row is `Kind "stream" one many: Id => Type, "name in refusals"`; on those that are `entities` permissions
/// may stand, the `records` are others with streams of their own, and the `parts` have none.
macro_rules! tables {
    ($then:ident) => {
        $then! {
            entities {
                /// Data centers.
                DataCenter "data_center" data_center data_centers: DataCenterId => crate::data_center::DataCenter, "DataCenter";
                /// Clusters.
                Cluster "cluster" cluster clusters: ClusterId => crate::cluster::Cluster, "Cluster";
                /// Networks.
                Network "network" network networks: NetworkId => crate::network::Network, "Network";
                /// vNIC profiles.
                VnicProfile "vnic_profile" vnic_profile vnic_profiles: VnicProfileId => crate::network::VnicProfile, "VnicProfile";
                /// Hosts.
                Host "host" host hosts: HostId => crate::host::Host, "Host";
                /// Storage domains.
                StorageDomain "storage_domain" storage_domain storage_domains: StorageDomainId => crate::storage::StorageDomain, "StorageDomain";
                /// Disks.
                Disk "disk" disk disks: DiskId => crate::disk::Disk, "Disk";
                /// Virtual machines.
                Vm "vm" vm vms: VmId => crate::vm::Vm, "VM";
                /// Templates.
                Template "template" template templates: TemplateId => crate::template::Template, "Template";
            }
            records {
                /// Storage connections.
                #[serde(default)]
                StorageConnection "storage_connection" storage_connection storage_connections: StorageConnectionId
                    => crate::storage_connection::StorageConnection, "StorageConnection";
                /// Quotas.
                #[serde(default)]
                Quota "quota" quota quotas: QuotaId => crate::quota::Quota, "Quota";
                /// Tags.
                Tag "tag" tag tags: TagId => crate::tag::Tag, "Tag";
                /// Users.
                User "user" user users: UserId => crate::access::User, "User";
                /// Groups.
                Group "group" group groups: GroupId => crate::access::Group, "Group";
                /// Roles.
                Role "role" role roles: RoleId => crate::access::Role, "Role";
                /// Permissions.
                Permission "permission" permission permissions: PermissionId => crate::access::Permission, "Permission";
                /// Login sessions.
                Session "session" session sessions: SessionId => crate::access::Session, "Session";
                /// Jobs.
                Job "job" job jobs: JobId => crate::job::Job, "Job";
            }
            parts {
                /// Jobs of systems outside; their events are in the streams of jobs.
                external_job external_jobs: JobId => crate::external::ExternalJob, "Job";
            }
        }
    };
}
pub(crate) use tables;

/// Hands the kinds of events to a macro, each with its module and the present version of its shape.
macro_rules! events {
    ($then:ident) => {
        $then! {
            install::SystemInstalled 1,
            service::EngineStarted 1,
            service::EngineStopped 1,
            service::DamageFound 1,
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
            access::LoginsRefused 1,
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
    };
}
pub(crate) use events;
