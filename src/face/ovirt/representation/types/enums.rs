//! The sets of names that a request may choose from.

use crate::face::ovirt::representation::description::EnumDef;

macro_rules! enums {
    ($($name:ident = $class:literal: $($member:literal)*;)*) => {
        $(pub(in crate::face::ovirt) static $name: EnumDef = EnumDef { class: $class, members: &[$($member),*] };)*
    };
}

enums! {
    DISK_FORMAT = "DiskFormat": "cow" "raw";
    DISK_INTERFACE = "DiskInterface": "ide" "virtio_scsi" "virtio";
    NIC_INTERFACE = "NicInterface": "rtl8139_virtio" "rtl8139" "e1000" "virtio";
    BOOT_DEVICE = "BootDevice": "cdrom" "hd" "network";
    DISPLAY_TYPE = "DisplayType": "vnc" "spice";
    STORAGE_TYPE = "StorageType": "iscsi" "fcp" "nfs" "localfs" "posixfs" "glusterfs";
    DOMAIN_STORAGE_TYPE = "StorageType": "iscsi" "fcp" "nfs" "localfs" "posixfs" "glusterfs" "glance";
    STORAGE_DOMAIN_TYPE = "StorageDomainType": "data" "iso" "export" "image";
    VM_TYPE = "VmType": "desktop" "server";
    VM_AFFINITY = "VmAffinity": "migratable" "user_migratable" "pinned";
    BOOT_PROTOCOL = "BootProtocol": "dhcp" "static" "none";
    MIGRATE_ON_ERROR = "MigrateOnError": "migrate" "do_not_migrate" "migrate_highly_available";
    PM_PROXY_TYPE = "PmProxyType": "cluster" "dc" "engine";
    SCHEDULING_POLICY_TYPE = "SchedulingPolicyType": "none" "evenly_distributed" "power_saving";
    FENCE_TYPE = "FenceType": "manual" "restart" "start" "stop" "status";
    NETWORK_USAGE = "NetworkUsage": "display" "vm" "migration";
    CPU_MODE = "CpuMode": "custom" "host_model" "host_passthrough";
    PAYLOAD_TYPE = "VmDeviceType": "cdrom" "floppy";
    USB_TYPE = "UsbType": "native" "legacy";
    ORIGIN = "OriginType": "rhev" "ovirt" "vmware" "xen";
    SGIO = "ScsiGenericIO": "filtered" "unfiltered";
    STORAGE_FORMAT = "StorageFormat": "v1" "v2" "v3";
    QUOTA_MODE = "QuotaModeType": "disabled" "audit" "enabled";
    WATCHDOG_MODEL = "WatchdogModel": "i6300esb";
    WATCHDOG_ACTION = "WatchdogAction": "none" "reset" "poweroff" "dump" "pause";
}
