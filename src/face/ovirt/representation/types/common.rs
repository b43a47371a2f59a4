//! Parts that many types share.

use super::enums::{BOOT_DEVICE, CPU_MODE, DISPLAY_TYPE};
use super::{fields, resource};
use crate::face::ovirt::representation::description::{
    TypeDef, attribute, boolean, decimal, flags, group, groups, int, link, long, member, text, texts, unsigned_int,
    unsigned_short,
};

/// The members of every version number.
macro_rules! version {
    ($($own:expr),* $(,)?) => {
        resource![
            attribute(unsigned_short("major")),
            attribute(unsigned_short("minor")),
            attribute(unsigned_short("build")),
            attribute(unsigned_short("revision")),
            attribute(text("full_version")),
            $($own),*
        ]
    };
}
pub(super) use version;

/// Why a request was refused: `<fault>`.
pub static FAULT: TypeDef =
    TypeDef { element: "fault", plural: "", class: "Fault", fields: fields![text("reason"), text("detail")] };

/// A link to another resource: `<link>`.
pub static LINK: TypeDef =
    TypeDef { element: "link", plural: "", class: "Link", fields: fields![attribute(link("href")), attribute(text("rel"))] };

pub(super) static GRACE_PERIOD: TypeDef =
    TypeDef { element: "grace_period", plural: "", class: "GracePeriod", fields: fields![long("expiry")] };

pub(super) static ACTIONS: TypeDef =
    TypeDef { element: "actions", plural: "", class: "Actions", fields: fields![groups("link", &LINK)] };

pub(super) static STATUS: TypeDef =
    TypeDef { element: "status", plural: "", class: "Status", fields: fields![text("state"), text("detail")] };

pub(super) static USAGES: TypeDef = TypeDef { element: "usages", plural: "", class: "Usages", fields: fields![texts("usage")] };

pub(super) static CPU_TOPOLOGY: TypeDef = TypeDef {
    element: "cpu_topology",
    plural: "",
    class: "CpuTopology",
    fields: fields![attribute(int("sockets")), attribute(int("cores")), attribute(int("threads")),],
};

pub(super) static VCPU_PIN: TypeDef = TypeDef {
    element: "vcpu_pin",
    plural: "",
    class: "VCpuPin",
    fields: fields![attribute(unsigned_int("vcpu")), attribute(text("cpu_set"))],
};

pub(super) static CPU_TUNE: TypeDef =
    TypeDef { element: "cpu_tune", plural: "", class: "CpuTune", fields: fields![groups("vcpu_pin", &VCPU_PIN)] };

pub(super) static CPU: TypeDef = TypeDef {
    element: "cpu",
    plural: "",
    class: "CPU",
    fields: fields![
        attribute(text("id")),
        group("topology", &CPU_TOPOLOGY),
        int("level"),
        text("name"),
        decimal("speed"),
        group("cpu_tune", &CPU_TUNE),
        member("mode", &CPU_MODE),
    ],
};

pub(super) static CPUS: TypeDef = TypeDef { element: "cpus", plural: "", class: "CPUs", fields: fields![groups("cpu", &CPU)] };

pub(super) static VERSION: TypeDef = TypeDef { element: "system_version", plural: "", class: "Version", fields: version![] };

pub(super) static SUPPORTED_VERSIONS: TypeDef = TypeDef {
    element: "supported_versions",
    plural: "",
    class: "SupportedVersions",
    fields: fields![groups("version", &VERSION)],
};

pub(super) static OPTION: TypeDef = TypeDef {
    element: "option",
    plural: "",
    class: "Option",
    fields: fields![attribute(text("name")), attribute(text("value")), attribute(text("type")),],
};

pub(super) static OPTIONS: TypeDef =
    TypeDef { element: "options", plural: "", class: "Options", fields: fields![groups("option", &OPTION)] };

pub(super) static KSM: TypeDef =
    TypeDef { element: "ksm", plural: "", class: "KSM", fields: fields![boolean("enabled").with(flags::ALONE)] };

pub(super) static TRANSPARENT_HUGE_PAGES: TypeDef = TypeDef {
    element: "transparent_hugepages",
    plural: "",
    class: "TransparentHugePages",
    fields: fields![boolean("enabled").with(flags::ALONE)],
};

pub(super) static CERTIFICATE: TypeDef =
    TypeDef { element: "certificate", plural: "", class: "Certificate", fields: fields![text("organization"), text("subject")] };

pub(super) static BOOT: TypeDef =
    TypeDef { element: "boot", plural: "", class: "Boot", fields: fields![attribute(member("dev", &BOOT_DEVICE))] };

pub(super) static OPERATING_SYSTEM: TypeDef = TypeDef {
    element: "operating_system",
    plural: "",
    class: "OperatingSystem",
    fields: fields![
        attribute(text("type")),
        groups("boot", &BOOT),
        text("kernel"),
        text("initrd"),
        text("cmdline"),
        group("version", &VERSION),
    ],
};

pub(super) static DISPLAY: TypeDef = TypeDef {
    element: "display",
    plural: "",
    class: "Display",
    fields: fields![
        member("type", &DISPLAY_TYPE),
        text("address"),
        unsigned_short("port"),
        unsigned_short("secure_port"),
        int("monitors"),
        boolean("single_qxl_pci"),
        boolean("allow_override"),
        group("certificate", &CERTIFICATE),
        boolean("smartcard_enabled"),
        text("keyboard_layout"),
    ],
};

pub(super) static CUSTOM_PROPERTY: TypeDef = TypeDef {
    element: "custom_property",
    plural: "",
    class: "CustomProperty",
    fields: fields![attribute(text("name")), attribute(text("value")), attribute(text("regexp")),],
};

pub(super) static CUSTOM_PROPERTIES: TypeDef = TypeDef {
    element: "custom_properties",
    plural: "",
    class: "CustomProperties",
    fields: fields![groups("custom_property", &CUSTOM_PROPERTY)],
};
