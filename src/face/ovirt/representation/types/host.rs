//! Hosts.

use super::cluster::CLUSTER;
use super::common::{CERTIFICATE, CPU, DISPLAY, KSM, OPERATING_SYSTEM, OPTIONS, STATUS, TRANSPARENT_HUGE_PAGES, VERSION};
use super::enums::PM_PROXY_TYPE;
use super::identity::USER;
use super::monitoring::STATISTICS;
use super::storage::ISCSI_DETAILS;
use super::{COMMENT, DESCRIPTION, NAME, collection, fields, resource};
use crate::face::ovirt::representation::description::{
    TypeDef, attribute, boolean, flags, group, groups, int, long, member, secret, text, unsigned_short,
};

/// A host: `<host>`.
pub static HOST: TypeDef = TypeDef {
    element: "host",
    plural: "hosts",
    class: "Host",
    fields: resource![
        common(NAME.taken(), DESCRIPTION, COMMENT.taken()),
        text("address").taken(),
        group("certificate", &CERTIFICATE),
        group("status", &STATUS),
        group("cluster", &CLUSTER).takes("id|name"),
        unsigned_short("port").taken(),
        text("type"),
        group("storage_manager", &STORAGE_MANAGER).takes("priority"),
        group("version", &VERSION),
        group("hardware_information", &HARDWARE_INFORMATION),
        group("power_management", &POWER_MANAGEMENT).takes(
            "type enabled address username password options.option.name options.option.value \
             pm_proxies.pm_proxy.type agents.agent.type agents.agent.address agents.agent.username agents.agent.password \
             agents.agent.options.option.name agents.agent.options.option.value agents.agent.concurrent agents.agent.order",
        ),
        group("ksm", &KSM),
        group("transparent_hugepages", &TRANSPARENT_HUGE_PAGES),
        group("iscsi", &ISCSI_DETAILS),
        secret("root_password").taken(),
        group("ssh", &SSH).takes("port fingerprint user.user_name +authentication_method +user.password"),
        group("statistics", &STATISTICS),
        group("cpu", &CPU),
        long("memory"),
        long("max_scheduling_memory"),
        group("summary", &VM_SUMMARY),
        boolean("override_iptables").takes("+."),
        boolean("reboot_after_installation").takes("+."),
        group("os", &OPERATING_SYSTEM),
        group("hooks", &HOOKS),
        group("libvirt_version", &VERSION),
        group("display", &DISPLAY).takes("address"),
    ],
};

/// A hook that a host has installed: `<hook>`.
pub static HOOK: TypeDef = TypeDef {
    element: "hook",
    plural: "hooks",
    class: "Hook",
    fields: resource![text("event_name"), text("md5"), group("host", &HOST)],
};

pub(super) static AGENT: TypeDef = TypeDef {
    element: "agent",
    plural: "",
    class: "Agent",
    fields: fields![
        attribute(text("type")),
        text("address"),
        text("username"),
        secret("password"),
        group("options", &OPTIONS),
        boolean("concurrent"),
        int("order"),
    ],
};

pub(super) static AGENTS: TypeDef =
    TypeDef { element: "agents", plural: "", class: "Agents", fields: fields![groups("agent", &AGENT)] };

pub(super) static POWER_MANAGEMENT: TypeDef = TypeDef {
    element: "power_management",
    plural: "",
    class: "PowerManagement",
    fields: fields![
        attribute(text("type")),
        boolean("enabled"),
        text("address"),
        text("username"),
        secret("password"),
        group("options", &OPTIONS),
        group("status", &STATUS),
        group("pm_proxies", &PM_PROXIES),
        group("agents", &AGENTS),
    ],
};

pub(super) static HARDWARE_INFORMATION: TypeDef = TypeDef {
    element: "hardware_information",
    plural: "",
    class: "HardwareInformation",
    fields: fields![
        text("manufacturer"),
        text("version"),
        text("serial_number"),
        text("product_name"),
        text("uuid"),
        text("family"),
    ],
};

pub(super) static STORAGE_MANAGER: TypeDef = TypeDef {
    element: "storage_manager",
    plural: "",
    class: "StorageManager",
    fields: fields![attribute(int("priority")), boolean("value").with(flags::CONTENT),],
};

pub(super) static VM_SUMMARY: TypeDef = TypeDef {
    element: "vm_summary",
    plural: "",
    class: "VmSummary",
    fields: fields![int("active"), int("migrating"), int("total")],
};

pub(super) static HOSTS: TypeDef =
    TypeDef { element: "hosts", plural: "", class: "Hosts", fields: collection![groups("host", &HOST)] };

pub(super) static SSH: TypeDef = TypeDef {
    element: "ssh",
    plural: "",
    class: "SSH",
    fields: resource![unsigned_short("port"), text("fingerprint"), text("authentication_method"), group("user", &USER),],
};

pub(super) static HOOKS: TypeDef =
    TypeDef { element: "hooks", plural: "", class: "Hooks", fields: collection![groups("hook", &HOOK)] };

pub(super) static PM_PROXIES: TypeDef =
    TypeDef { element: "pm_proxies", plural: "", class: "PmProxies", fields: fields![groups("pm_proxy", &PM_PROXY)] };

pub(super) static PM_PROXY: TypeDef =
    TypeDef { element: "pm_proxy", plural: "", class: "PmProxy", fields: fields![member("type", &PM_PROXY_TYPE)] };
