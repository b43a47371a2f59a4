//! The one list of aggregates: what each is called in streams and messages, and where the World keeps it.
//!
//! From it follow the kinds of streams (`event`), the World's tables and how an aggregate is expected of them (`world`), and what
//! permissions may stand on (`access`). A new aggregate is one row here, and its module.

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
