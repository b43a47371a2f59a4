//! Networks, profiles and interfaces.

use super::cluster::{CLUSTER, DATA_CENTER};
use super::common::{CUSTOM_PROPERTIES, OPTIONS, STATUS, USAGES};
use super::enums::{BOOT_PROTOCOL, NIC_INTERFACE};
use super::host::HOST;
use super::monitoring::STATISTICS;
use super::vm::REPORTED_DEVICES;
use super::{COMMENT, DESCRIPTION, NAME, collection, device, fields, resource};
use crate::face::ovirt::representation::description::{
    TypeDef, attribute, boolean, group, groups, int, long, member, text, unsigned_int, unsigned_short,
};

/// A logical network: `<network>`.
pub static NETWORK: TypeDef = TypeDef {
    element: "network",
    plural: "networks",
    class: "Network",
    fields: resource![
        common(NAME.taken(), DESCRIPTION.taken(), COMMENT.taken()),
        group("data_center", &DATA_CENTER).takes("+id|name"),
        group("cluster", &CLUSTER),
        group("ip", &IP).takes("address gateway netmask"),
        group("vlan", &VLAN).takes("id"),
        boolean("stp").taken(),
        group("status", &STATUS),
        boolean("display").taken(),
        unsigned_int("mtu").taken(),
        group("usages", &USAGES).takes("usage"),
        boolean("required"),
        boolean("profile_required").takes("+."),
    ],
};

/// A profile that virtual interfaces take from their network: `<vnic_profile>`.
pub static VNIC_PROFILE: TypeDef = TypeDef {
    element: "vnic_profile",
    plural: "vnic_profiles",
    class: "VnicProfile",
    fields: resource![
        common(NAME.taken(), DESCRIPTION.taken(), COMMENT),
        group("network", &NETWORK),
        boolean("port_mirroring").taken(),
        group("custom_properties", &CUSTOM_PROPERTIES).takes("custom_property.name custom_property.value"),
    ],
};

/// A virtual network interface: `<nic>`.
pub static NIC: TypeDef = TypeDef {
    element: "nic",
    plural: "nics",
    class: "NIC",
    fields: device![
        common(NAME.taken(), DESCRIPTION, COMMENT),
        group("network", &NETWORK).takes("id|name"),
        boolean("linked").taken(),
        member("interface", &NIC_INTERFACE).taken(),
        group("mac", &MAC).takes("address"),
        group("statistics", &STATISTICS),
        boolean("active"),
        boolean("plugged").taken(),
        group("port_mirroring", &PORT_MIRRORING).takes("networks.network.id"),
        group("reported_devices", &REPORTED_DEVICES),
        group("vnic_profile", &VNIC_PROFILE).takes("id"),
        member("boot_protocol", &BOOT_PROTOCOL),
        boolean("on_boot"),
    ],
};

/// A physical network interface: `<host_nic>`.
pub static HOST_NIC: TypeDef = TypeDef {
    element: "host_nic",
    plural: "host_nics",
    class: "HostNIC",
    fields: resource![
        common(NAME.taken(), DESCRIPTION, COMMENT),
        group("host", &HOST),
        group("network", &NETWORK).takes("id|name"),
        group("mac", &MAC).takes("~address"),
        group("ip", &IP).takes("gateway address netmask"),
        group("vlan", &VLAN),
        group("bonding", &BONDING).takes("slaves.host_nic.id|name options.option.name options.option.value options.option.type"),
        member("boot_protocol", &BOOT_PROTOCOL).taken(),
        group("statistics", &STATISTICS),
        boolean("check_connectivity"),
        long("speed"),
        group("status", &STATUS),
        unsigned_int("mtu").takes("~."),
        boolean("bridged"),
        boolean("custom_configuration"),
        boolean("override_configuration"),
    ],
};

/// Host interfaces that are set up together: `<host_nics>`.
pub static HOST_NICS: TypeDef = TypeDef {
    element: "host_nics",
    plural: "",
    class: "HostNics",
    fields: collection![
        groups("host_nic", &HOST_NIC),
        // The guide's example of setupnetworks has them here.
        boolean("checkConnectivity"),
        int("connectivityTimeout"),
        boolean("force"),
    ],
};

pub(super) static IP: TypeDef = TypeDef {
    element: "ip",
    plural: "",
    class: "IP",
    fields: fields![
        attribute(text("address")),
        attribute(text("netmask")),
        attribute(text("gateway")),
        attribute(text("version")),
    ],
};

pub(super) static IPS: TypeDef = TypeDef { element: "ips", plural: "", class: "IPs", fields: collection![groups("ip", &IP)] };

pub(super) static MAC: TypeDef =
    TypeDef { element: "mac", plural: "", class: "MAC", fields: fields![attribute(text("address"))] };

pub(super) static VLAN: TypeDef =
    TypeDef { element: "vlan", plural: "", class: "VLAN", fields: fields![attribute(unsigned_short("id"))] };

pub(super) static NETWORKS: TypeDef =
    TypeDef { element: "networks", plural: "", class: "Networks", fields: collection![groups("network", &NETWORK)] };

pub(super) static PORT_MIRRORING: TypeDef =
    TypeDef { element: "port_mirroring", plural: "", class: "PortMirroring", fields: fields![group("networks", &NETWORKS)] };

pub(super) static NICS: TypeDef =
    TypeDef { element: "nics", plural: "", class: "Nics", fields: collection![groups("nic", &NIC)] };

pub(super) static SLAVES: TypeDef =
    TypeDef { element: "slaves", plural: "", class: "Slaves", fields: fields![groups("host_nic", &HOST_NIC)] };

pub(super) static BONDING: TypeDef = TypeDef {
    element: "bonding",
    plural: "",
    class: "Bonding",
    fields: fields![group("options", &OPTIONS), group("slaves", &SLAVES)],
};
