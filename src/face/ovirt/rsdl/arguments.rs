//! What a request's body may hold, by operation: the names of the guide's API, whose types the tables of the documents know.

use axum::http::Method;

use crate::face::ovirt::representation::description::TypeDef;
use crate::face::ovirt::representation::types::*;

/// What the bodies of an operation hold.
pub struct Arguments {
    /// The operation's method.
    pub method: Method,
    /// The path, or what it ends in; the longest that fits counts.
    pub path: &'static str,
    /// The body's type.
    pub of: &'static TypeDef,
    /// Sets of what there must be: one of them.
    pub mandatory: &'static [&'static str],
    /// What there may be beside.
    pub optional: &'static str,
}

/// What the body of an operation holds.
pub fn arguments(method: &Method, path: &str) -> Option<&'static Arguments> {
    let fits = |of: &&Arguments| {
        of.method == method && path.strip_suffix(of.path).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    ARGUMENTS.iter().filter(fits).max_by_key(|of| of.path.len())
}

const fn has(
    method: Method,
    path: &'static str,
    of: &'static TypeDef,
    mandatory: &'static [&'static str],
    optional: &'static str,
) -> Arguments {
    Arguments { method, path, of, mandatory, optional }
}

const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const DELETE: Method = Method::DELETE;

#[rustfmt::skip]
pub(super) const ARGUMENTS: &[Arguments] = &[
    has(POST, "clusters", &CLUSTER, &["data_center.id|name name version.major version.minor cpu.id"],
        "description comment memory_policy.overcommit.percent memory_policy.transparent_hugepages.enabled \
         scheduling_policy.policy scheduling_policy.thresholds.low scheduling_policy.thresholds.high \
         scheduling_policy.thresholds.duration error_handling.on_error virt_service gluster_service threads_as_cores \
         tunnel_migration trusted_service ballooning_enabled"),
    has(PUT, "clusters/{}", &CLUSTER, &[],
        "name description comment data_center.id cpu.id version.major version.minor memory_policy.overcommit.percent \
         memory_policy.transparent_hugepages.enabled scheduling_policy.policy scheduling_policy.thresholds.low \
         scheduling_policy.thresholds.high scheduling_policy.thresholds.duration error_handling.on_error virt_service \
         gluster_service threads_as_cores tunnel_migration ballooning_enabled"),
    has(POST, "clusters/{}/glusterhooks/{}/resolve", &ACTION, &["resolution_type"],
        "host.id|name"),
    has(POST, "clusters/{}/glustervolumes", &GLUSTER_VOLUME, &["name volume_type bricks.brick.server_id bricks.brick.brick_dir"],
        "transport_types replica_count stripe_count options.option.name options.option.value"),
    has(POST, "clusters/{}/glustervolumes/{}/bricks", &GLUSTER_BRICKS, &["brick.server_id brick.brick_dir"],
        "replica_count stripe_count"),
    has(POST, "clusters/{}/glustervolumes/{}/bricks/{}/replace", &ACTION, &["brick.server_id brick.brick_dir"],
        "force"),
    has(POST, "clusters/{}/glustervolumes/{}/rebalance", &ACTION, &[],
        "fix_layout force"),
    has(POST, "clusters/{}/glustervolumes/{}/resetoption", &ACTION, &["option.name force"],
        ""),
    has(POST, "clusters/{}/glustervolumes/{}/setoption", &ACTION, &["option.name option.value"],
        ""),
    has(POST, "clusters/{}/glustervolumes/{}/start", &ACTION, &[],
        "force"),
    has(POST, "clusters/{}/glustervolumes/{}/stop", &ACTION, &[],
        "force"),
    has(POST, "clusters/{}/networks", &NETWORK, &["id|name"],
        "usages.usage"),
    has(PUT, "clusters/{}/networks/{}", &NETWORK, &[],
        "display usages.usage"),
    has(POST, "datacenters", &DATA_CENTER, &["name storage_type version.major version.minor"],
        "description comment storage_format"),
    has(DELETE, "datacenters/{}", &ACTION, &[],
        "force"),
    has(PUT, "datacenters/{}", &DATA_CENTER, &[],
        "name description comment storage_type version.major version.minor storage_format"),
    has(POST, "datacenters/{}/clusters", &CLUSTER, &["name version.major version.minor cpu.id"],
        "description memory_policy.overcommit.percent memory_policy.transparent_hugepages.enabled \
         scheduling_policy.policy scheduling_policy.thresholds.low scheduling_policy.thresholds.high \
         scheduling_policy.thresholds.duration error_handling.on_error virt_service gluster_service threads_as_cores \
         tunnel_migration ballooning_enabled"),
    has(PUT, "datacenters/{}/clusters/{}", &CLUSTER, &[],
        "name description cpu.id version.major version.minor memory_policy.overcommit.percent \
         memory_policy.transparent_hugepages.enabled scheduling_policy.policy scheduling_policy.thresholds.low \
         scheduling_policy.thresholds.high scheduling_policy.thresholds.duration error_handling.on_error virt_service \
         gluster_service threads_as_cores tunnel_migration trusted_service ballooning_enabled"),
    has(POST, "datacenters/{}/storagedomains", &STORAGE_DOMAIN, &["id|name"],
        ""),
    has(POST, "datacenters/{}/storagedomains/{}/disks/{}/export", &ACTION, &["storage_domain.id|name"],
        ""),
    has(POST, "disks", &DISK, &["provisioned_size interface format", "interface format lun_storage.type lun_storage.logical_unit.id lun_storage.logical_unit.address \
         lun_storage.logical_unit.port lun_storage.logical_unit.target"],
        "alias name size sparse bootable shareable propagate_errors wipe_after_delete \
         storage_domains.storage_domain.id|name sgio"),
    has(POST, "disks/{}/export", &ACTION, &["storage_domain.id|name"],
        ""),
    has(POST, "events", &EVENT, &["description severity origin custom_id"],
        "flood_rate host.id user.id vm.id storage_domain.id template.id cluster.id data_center.id"),
    has(POST, "groups", &GROUP, &["name"],
        ""),
    has(POST, "hosts", &HOST, &["name address root_password cluster.id|name", "name address cluster.id|name"],
        "comment port display.address storage_manager.priority power_management.type power_management.enabled \
         power_management.address power_management.username power_management.password \
         power_management.options.option.name power_management.options.option.value power_management.pm_proxies.pm_proxy.type \
         power_management.agents.agent power_management.agents.agent.options.option.name \
         power_management.agents.agent.options.option.value reboot_after_installation override_iptables ssh.port \
         ssh.fingerprint ssh.authentication_method ssh.user.user_name ssh.user.password"),
    has(DELETE, "hosts/{}", &ACTION, &[],
        "force"),
    has(PUT, "hosts/{}", &HOST, &[],
        "name comment address root_password display.address cluster.id|name port storage_manager.priority \
         power_management.type power_management.enabled power_management.address power_management.username \
         power_management.password power_management.options.option.name power_management.options.option.value \
         power_management.pm_proxies.pm_proxy.type power_management.agents.agent power_management.agents.agent.options.option.name \
         power_management.agents.agent.options.option.value ssh.port ssh.user.user_name ssh.fingerprint"),
    has(POST, "hosts/{}/approve", &ACTION, &[],
        "cluster.id|name async grace_period.expiry"),
    has(POST, "hosts/{}/fence", &ACTION, &["fence_type"],
        ""),
    has(POST, "hosts/{}/install", &ACTION, &[],
        "root_password image ssh.port ssh.fingerprint ssh.authentication_method ssh.user.user_name ssh.user.password"),
    has(POST, "hosts/{}/iscsidiscover", &ACTION, &["iscsi.address"],
        ""),
    has(POST, "hosts/{}/iscsilogin", &ACTION, &["iscsi.address iscsi.target"],
        ""),
    has(POST, "hosts/{}/nics", &HOST_NIC, &["network.id|name name bonding.slaves.host_nic.id|name"],
        "bonding.options.option.name bonding.options.option.value bonding.options.option"),
    has(POST, "hosts/{}/nics/setupnetworks", &ACTION, &[],
        "host_nics.host_nic.network.id|name host_nics.host_nic.name host_nics.host_nic.ip.gateway \
         host_nics.host_nic.boot_protocol host_nics.host_nic.mac host_nics.host_nic.ip.address \
         host_nics.host_nic.ip.netmask host_nics.host_nic.bonding.options.option.name \
         host_nics.host_nic.bonding.options.option.value host_nics.host_nic.bonding.options.option.type \
         host_nics.host_nic.bonding.slaves.host_nic.id|name host_nics.host_nic.override_configuration check_connectivity \
         connectivity_timeout force"),
    has(PUT, "hosts/{}/nics/{}", &HOST_NIC, &[],
        "bonding.slaves.host_nic.id|name network.id|name name bonding.options.option.name bonding.options.option.value \
         bonding.options.option ip.gateway boot_protocol mac ip.address ip.netmask"),
    has(POST, "hosts/{}/nics/{}/attach", &ACTION, &["network.id|name"],
        "async grace_period.expiry"),
    has(POST, "hosts/{}/nics/{}/detach", &ACTION, &[],
        "async"),
    has(POST, "jobs", &JOB, &["description"],
        "auto_cleared"),
    has(POST, "jobs/{}/end", &ACTION, &["status.state"],
        "force"),
    has(POST, "jobs/{}/steps", &STEP, &["type description"],
        "job.id parent_step.id"),
    has(POST, "jobs/{}/steps/{}/end", &ACTION, &[],
        "force status.state succeeded"),
    has(POST, "datacenters/{}/quotas", &QUOTA, &["name"],
        "description cluster_soft_limit_pct cluster_hard_limit_pct storage_soft_limit_pct storage_hard_limit_pct"),
    has(PUT, "datacenters/{}/quotas/{}", &QUOTA, &[],
        "name description cluster_soft_limit_pct cluster_hard_limit_pct storage_soft_limit_pct storage_hard_limit_pct"),
    has(POST, "datacenters/{}/quotas/{}/quotastoragelimits", &STORAGE_QUOTA_LIMIT, &["limit"], "storage_domain.id|name"),
    has(POST, "datacenters/{}/quotas/{}/quotaclusterlimits", &CLUSTER_QUOTA_LIMIT, &["memory_limit", "vcpu_limit"],
        "cluster.id|name"),
    has(POST, "networks", &NETWORK, &["data_center.id|name name"],
        "description comment vlan.id ip.address ip.gateway ip.netmask display stp mtu profile_required"),
    has(PUT, "networks/{}", &NETWORK, &[],
        "name description comment vlan.id ip.address ip.gateway ip.netmask display stp mtu"),
    has(POST, "networks/{}/vnicprofiles", &VNIC_PROFILE, &["name"],
        "description port_mirroring custom_properties.custom_property.name custom_properties.custom_property.value"),
    has(POST, "nics", &NIC, &["name"],
        "vnic_profile.id linked mac.address interface plugged network.id|name port_mirroring.networks.network.id"),
    has(PUT, "nics/{}", &NIC, &[],
        "vnic_profile.id linked name mac.address interface plugged network.id|name port_mirroring.networks.network.id"),
    has(POST, "permissions", &PERMISSION, &["user.id role.id", "role.id group.id"],
        ""),
    has(POST, "permissions", &PERMISSION, &["role.id data_center.id", "role.id cluster.id", "role.id host.id", "role.id storage_domain.id", "role.id vm.id", "role.id vmpool.id", "role.id template.id"],
        ""),
    has(POST, "permissions", &PERMISSION, &["user.id role.id", "group.id role.id"],
        ""),
    has(POST, "roles", &ROLE, &["id"],
        ""),
    has(POST, "roles", &ROLE, &["name permits.permit.id"],
        "description administrative"),
    has(PUT, "roles/{}", &ROLE, &[],
        "name description administrative permits.permit.id"),
    has(POST, "roles/{}/permits", &PERMIT, &["id|name"],
        ""),
    has(POST, "storageconnections", &STORAGE_CONNECTION, &["address type target port", "address type path", "type path vfs_type", "type path"],
        "username password nfs_timeo nfs_version nfs_retrans address mount_options"),
    has(DELETE, "storageconnections/{}", &HOST, &[],
        "id|name"),
    has(PUT, "storageconnections/{}", &STORAGE_CONNECTION, &[],
        "port username password target address nfs_timeo nfs_version nfs_retrans path mount_options vfs_type"),
    has(POST, "storagedomains", &STORAGE_DOMAIN, &["host.id|name type storage.type format storage.address storage.logical_unit.address storage.logical_unit.port \
         storage.logical_unit.target storage.logical_unit.username storage.logical_unit.password \
         storage.logical_unit.serial storage.logical_unit.vendor_id storage.logical_unit.product_id \
         storage.logical_unit.lun_mapping storage.logical_unit.portal storage.logical_unit.paths \
         storage.logical_unit.id", "host.id|name type storage.type format storage.address storage.path", "host.id|name type storage.type format storage.path", "host.id|name type storage.type format storage.path storage.vfs_type"],
        "name comment storage.override_luns storage_format storage.address storage.mount_options"),
    has(DELETE, "storagedomains/{}", &STORAGE_DOMAIN, &["host.id|name"],
        "format"),
    has(PUT, "storagedomains/{}", &STORAGE_DOMAIN, &["host.id|name storage.logical_unit.address storage.logical_unit.port storage.logical_unit.target \
         storage.logical_unit.username storage.logical_unit.password storage.logical_unit.serial \
         storage.logical_unit.vendor_id storage.logical_unit.product_id storage.logical_unit.lun_mapping \
         storage.logical_unit.portal storage.logical_unit.paths storage.logical_unit.id"],
        "name comment storage.override_luns"),
    has(POST, "storagedomains/{}/disks", &DISK, &["provisioned_size interface format", "interface format lun_storage.type lun_storage.logical_unit.id lun_storage.logical_unit.address \
         lun_storage.logical_unit.port lun_storage.logical_unit.target"],
        "alias name size sparse bootable shareable propagate_errors wipe_after_delete sgio"),
    has(POST, "storagedomains/{}/disks/{}/export", &ACTION, &["storage_domain.id|name"],
        ""),
    has(POST, "storagedomains/{}/images/{}/import", &ACTION, &["storage_domain.id|name"],
        ""),
    has(DELETE, "storagedomains/{}/storageconnections/{}", &ACTION, &[],
        "async"),
    has(POST, "storagedomains/{}/storageconnections", &STORAGE_CONNECTION, &["id"],
        ""),
    has(POST, "storagedomains/{}/templates/{}/import", &ACTION, &["cluster.id|name"],
        "storage_domain.id|name clone exclusive template.name vm.disks.disk.id"),
    has(POST, "storagedomains/{}/vms/{}/import", &ACTION, &["cluster.id|name"],
        "async storage_domain.id|name vm.snapshots.collapse_snapshots clone exclusive vm.name vm.disks.disk.id"),
    has(POST, "tags", &TAG, &["id|name"],
        ""),
    has(POST, "tags", &TAG, &["name"],
        "description parent.tag.id|name"),
    has(PUT, "tags/{}", &TAG, &[],
        "name description parent.tag.id|name"),
    has(POST, "templates", &TEMPLATE, &["vm.id|name name"],
        "memory cpu.topology.cores high_availability.enabled os.cmdline origin high_availability.priority timezone \
         domain.name type stateless delete_protected console.enabled description comment \
         os.type os.boot.dev \
         cpu.topology.sockets cpu_shares os.kernel display.type display.monitors vm.display.single_qxl_pci \
         display.allow_override display.smartcard_enabled display.keyboard_layout os.initrd usb.enabled usb.type \
         tunnel_migration virtio_scsi.enabled vm.disks.disk.id vm.disks.disk.storage_domain.id permissions.clone \
         cpu.cpu_tune.vcpu_pin.vcpu cpu.cpu_tune.vcpu_pin.cpu_set"),
    has(PUT, "templates/{}", &TEMPLATE, &[],
        "name memory cpu.topology.cores high_availability.enabled os.cmdline origin high_availability.priority timezone \
         domain.name type stateless delete_protected console.enabled description comment \
         os.type os.boot.dev \
         cpu.topology.sockets cpu_shares os.kernel display.type display.monitors vm.display.single_qxl_pci \
         display.allow_override display.smartcard_enabled display.keyboard_layout os.initrd usb.enabled usb.type \
         tunnel_migration virtio_scsi.enabled"),
    has(DELETE, "templates/{}/disks/{}", &ACTION, &[],
        "storage_domain.id force"),
    has(POST, "templates/{}/disks/{}/copy", &ACTION, &["storage_domain.id|name"],
        "async grace_period.expiry"),
    has(POST, "templates/{}/disks/{}/export", &ACTION, &["storage_domain.id|name"],
        ""),
    has(POST, "templates/{}/export", &ACTION, &["storage_domain.id|name"],
        "async exclusive grace_period.expiry"),
    has(POST, "users", &USER, &["user_name domain.id|name"],
        ""),
    has(POST, "vmpools", &VM_POOL, &["cluster.id|name template.id|name name"],
        "comment size max_user_vms"),
    has(PUT, "vmpools/{}", &VM_POOL, &[],
        "cluster.id|name template.id|name name comment size max_user_vms"),
    has(POST, "vmpools/{}/allocatevm", &ACTION, &[],
        "async"),
    has(POST, "vms", &VM, &["name template.id|name cluster.id|name", "name template.id|name cluster.id|name snapshots.snapshot.id", "initialization.configuration.type initialization.configuration.data"],
        "quota.id timezone os.boot.dev custom_properties.custom_property.name custom_properties.custom_property.value \
         os.type usb.enabled usb.type type os.initrd display.monitors display.single_qxl_pci display.type \
         display.allow_override display.smartcard_enabled display.keyboard_layout os.cmdline cpu.topology.cores memory \
         memory_policy.guaranteed high_availability.priority high_availability.enabled domain.name description comment \
         stateless permissions.clone delete_protected console.enabled cpu.mode cpu.topology.sockets cpu_shares \
         placement_policy.affinity placement_policy.host.id|name origin os.kernel disks.clone tunnel_migration \
         virtio_scsi.enabled payloads.payload.type payloads.payload.volume_id payloads.payload.files.file.name \
         payloads.payload.files.file.content initialization.configuration.type initialization.configuration.data \
         cpu.cpu_tune.vcpu_pin.vcpu cpu.cpu_tune.vcpu_pin.cpu_set name"),
    has(DELETE, "vms/{}", &ACTION, &[],
        "force vm.disks.detach_only"),
    has(PUT, "vms/{}", &VM, &[],
        "name cluster.id|name timezone os.boot.dev custom_properties.custom_property.name \
         custom_properties.custom_property.value os.type usb.enabled usb.type type os.initrd display.monitors \
         display.single_qxl_pci display.type display.allow_override display.smartcard_enabled display.keyboard_layout \
         os.cmdline cpu.mode cpu.topology.cores cpu_shares memory high_availability.priority high_availability.enabled \
         domain.name description comment stateless delete_protected console.enabled cpu.topology.sockets \
         placement_policy.affinity placement_policy.host.id|name origin os.kernel tunnel_migration virtio_scsi.enabled \
         payloads.payload.type payloads.payload.volume_id payloads.payload.files.file.name \
         payloads.payload.files.file.content cpu.cpu_tune.vcpu_pin.vcpu cpu.cpu_tune.vcpu_pin.cpu_set"),
    has(POST, "vms/{}/cdroms", &CDROM, &["file.id"],
        ""),
    has(PUT, "vms/{}/cdroms/{}", &CDROM, &[],
        "file.id"),
    has(POST, "vms/{}/disks", &DISK, &["provisioned_size interface format", "interface format lun_storage.type lun_storage.logical_unit.id lun_storage.logical_unit.address \
         lun_storage.logical_unit.port lun_storage.logical_unit.target", "id", "id snapshot.id"],
        "alias name size sparse bootable shareable propagate_errors wipe_after_delete \
         storage_domains.storage_domain.id|name sgio active"),
    has(DELETE, "vms/{}/disks/{}", &ACTION, &["detach"],
        ""),
    has(PUT, "vms/{}/disks/{}", &DISK, &[],
        "size provisioned_size interface format sparse bootable shareable propagate_errors wipe_after_delete sgio"),
    has(POST, "vms/{}/disks/{}/export", &ACTION, &["storage_domain.id|name"],
        ""),
    has(POST, "vms/{}/disks/{}/move", &ACTION, &["storage_domain.id|name"],
        "async grace_period.expiry"),
    has(POST, "vms/{}/export", &ACTION, &[],
        "async exclusive discard_snapshots storage_domain.id|name grace_period.expiry"),
    has(POST, "vms/{}/migrate", &ACTION, &[],
        "host.id|name async force grace_period.expiry"),
    has(POST, "vms/{}/move", &ACTION, &["storage_domain.id|name"],
        "async grace_period.expiry"),
    has(POST, "vms/{}/snapshots", &SNAPSHOT, &["description"],
        "persist_memorystate"),
    has(POST, "vms/{}/snapshots/{}/restore", &ACTION, &[],
        "restore_memory"),
    has(POST, "vms/{}/start", &ACTION, &[],
        "vm.os.initrd vm.domain.name vm.placement_policy.host.id|name vm.placement_policy.affinity async vm.os.kernel \
         grace_period.expiry vm.display.type vm.stateless vm.os.cmdline vm.domain.user.user_name pause vm.os.boot.dev \
         vm.domain.user.password vm.initialization.cloud_init.host.address \
         vm.initialization.cloud_init.network_configuration.nics.nic.name \
         vm.initialization.cloud_init.network_configuration.nics.nic.boot_protocol \
         vm.initialization.cloud_init.network_configuration.nics.nic.network.ip.address \
         vm.initialization.cloud_init.network_configuration.nics.nic.network.ip.netmask \
         vm.initialization.cloud_init.network_configuration.nics.nic.network.ip.gateway \
         vm.initialization.cloud_init.network_configuration.nics.nic.on_boot \
         vm.initialization.cloud_init.network_configuration.dns.servers.host.address \
         vm.initialization.cloud_init.network_configuration.dns.search_domains.host.address \
         vm.initialization.cloud_init.authorized_keys.authorized_key.key \
         vm.initialization.cloud_init.authorized_keys.authorized_key.user.name \
         vm.initialization.cloud_init.regenerate_ssh_keys vm.initialization.cloud_init.timezone \
         vm.initialization.cloud_init.users.user.password vm.initialization.cloud_init.users.user.name \
         vm.initialization.cloud_init.files.file.name \
         vm.initialization.cloud_init.files.file.content \
         vm.initialization.cloud_init.files.file.type"),
    has(POST, "vms/{}/ticket", &ACTION, &[],
        "ticket.value"),
    has(POST, "vms/{}/watchdogs", &WATCHDOG, &["action model"],
        ""),
    has(PUT, "vms/{}/watchdogs/{}", &WATCHDOG, &[],
        "action model"),
    has(POST, "vnicprofiles", &VNIC_PROFILE, &["network.id name"],
        "description port_mirroring custom_properties.custom_property.name custom_properties.custom_property.value"),
    has(PUT, "vnicprofiles/{}", &VNIC_PROFILE, &[],
        "name description port_mirroring custom_properties.custom_property.name custom_properties.custom_property.value"),
];
