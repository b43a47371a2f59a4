//! Hosts with their interfaces, storage, statistics and tags: the guide's chapter 14.

use evirt_domain::World;
use evirt_domain::cluster::Cluster;
use evirt_domain::host::{DEFAULT_PORT, DEFAULT_SPM_PRIORITY, Host, HostConfig, HostNic, HostPatch, PowerManagement};
use evirt_domain::ids::{ClusterId, VmId};
use evirt_domain::schedule::free_memory;
use evirt_domain::vm_run::VmState;

use super::parts::{Statistic, given, number, text, version};
use super::representation::Doc;
use crate::hypervisor::{HostStatistics, LunFacts, NicStatistics};

/// The actions that a host offers.
const ACTIONS: [&str; 8] =
    ["approve", "install", "fence", "activate", "deactivate", "commitnetconfig", "iscsidiscover", "iscsilogin"];
/// The sub-collections of a host.
const LINKS: [&str; 5] = ["storage", "nics", "tags", "permissions", "statistics"];

/// The host as the API shows it.
pub fn view(world: &World, base: &str, host: &Host) -> Doc {
    let href = format!("{base}/hosts/{}", host.id);
    let (config, facts) = (&host.config, &host.facts);
    let cluster = world.clusters.get(&config.cluster);
    let spm = world.data_center_of(config.cluster).is_some_and(|dc| dc.spm == Some(host.id));
    let mut doc = Doc::with_capacity(32)
        .set("id", host.id.to_string())
        .set("name", &config.name)
        .opt("comment", text(&config.comment))
        .set("address", &config.address)
        .set("status", status(host))
        .reference("cluster", config.cluster.to_string(), format!("{base}/clusters/{}", config.cluster))
        .set("port", config.port)
        .set("type", host.kind.name())
        .set("storage_manager", Doc::new().set("priority", config.spm_priority).set("value", spm))
        .opt("version", cluster.map(|c| version(c.config.version)))
        .set("power_management", power_management(&config.power_management))
        .set_path("ksm.enabled", config.ksm)
        .set_path("transparent_hugepages.enabled", config.transparent_hugepages)
        .set("cpu", cpu(host))
        .set("memory", facts.memory)
        .opt("max_scheduling_memory", cluster.map(|c| schedulable(world, c, host)))
        .set("summary", summary(world, host))
        .opt_path("hardware_information.uuid", text(&facts.hardware_uuid))
        .opt_path("iscsi.initiator", text(&facts.iscsi_initiator))
        .opt_path("os.type", text(&facts.os))
        .opt_path("os.version.full_version", text(&facts.kernel));
    for action in ACTIONS {
        doc = doc.action(action, format!("{href}/{action}"));
    }
    for link in LINKS {
        doc = doc.link(link, format!("{href}/{link}"));
    }
    doc.set("href", href)
}

fn status(host: &Host) -> Doc {
    Doc::new().set("state", host.status.name()).opt("detail", text(&host.detail))
}

fn cpu(host: &Host) -> Doc {
    let facts = &host.facts;
    Doc::new()
        .set_path("topology.sockets", facts.sockets)
        .set_path("topology.cores", facts.cores)
        .set_path("topology.threads", facts.threads)
        .opt("name", text(&facts.cpu_name))
        .set("speed", f64::from(facts.cpu_mhz))
}

/// Power management without its password.
fn power_management(power: &PowerManagement) -> Doc {
    let options: Vec<Doc> = power.options.iter().map(|(name, value)| Doc::new().set("name", name).set("value", value)).collect();
    Doc::new()
        .opt("type", text(&power.agent))
        .set("enabled", power.enabled)
        .opt("address", text(&power.address))
        .opt("username", text(&power.username))
        .set("options", Doc::new().set("option", options))
}

/// The largest virtual machine that the host could still take, in bytes.
fn schedulable(world: &World, cluster: &Cluster, host: &Host) -> i64 {
    free_memory(world, cluster, host, VmId::default()).max(0)
}

fn summary(world: &World, host: &Host) -> Doc {
    let (mut active, mut migrating, mut total) = (0, 0, 0);
    for vm in world.vms_on(host.id) {
        total += 1;
        match vm.state {
            VmState::Migrating => migrating += 1,
            VmState::Up => active += 1,
            _ => {}
        }
    }
    Doc::new().set("active", active).set("migrating", migrating).set("total", total)
}

/// An interface of a host as the API shows it.
pub fn nic_view(base: &str, host: &Host, nic: &HostNic) -> Doc {
    let host_href = format!("{base}/hosts/{}", host.id);
    let href = format!("{host_href}/nics/{}", nic.id);
    let ip = Doc::new().set("address", &nic.ip).opt("netmask", text(&nic.netmask)).opt("gateway", text(&nic.gateway));
    let state = match host.status {
        evirt_domain::host::HostStatus::Down => "down",
        _ => "up",
    };
    let mut doc = Doc::new()
        .set("id", nic.id.to_string())
        .set("name", &nic.name)
        .reference("host", host.id.to_string(), host_href)
        .set_path("mac.address", &nic.mac)
        .opt("ip", (!nic.ip.is_empty()).then_some(ip))
        .set("boot_protocol", if nic.ip.is_empty() { "none" } else { "dhcp" })
        .set("speed", nic.speed)
        .set_path("status.state", state)
        .set("mtu", nic.mtu)
        .set("bridged", nic.network.is_some())
        .link("statistics", format!("{href}/statistics"));
    if let Some(network) = nic.network {
        doc = doc.reference("network", network.to_string(), format!("{base}/networks/{network}"));
    }
    doc.set("href", href)
}

/// What is measured of a host.
pub fn statistics(load: &HostStatistics) -> Vec<Statistic> {
    let free = load.memory_total_bytes.saturating_sub(load.memory_used_bytes);
    let swap_free = load.swap_total_bytes.saturating_sub(load.swap_used_bytes);
    vec![
        Statistic::bytes("memory.total", "Total memory", load.memory_total_bytes),
        Statistic::bytes("memory.used", "Used memory", load.memory_used_bytes),
        Statistic::bytes("memory.free", "Free memory", free),
        Statistic::bytes("memory.buffers", "IO buffers", 0),
        Statistic::bytes("memory.cached", "OS caches", 0),
        Statistic::bytes("swap.total", "Total swap", load.swap_total_bytes),
        Statistic::bytes("swap.free", "Free swap", swap_free),
        Statistic::bytes("swap.used", "Used swap", load.swap_used_bytes),
        Statistic::bytes("swap.cached", "Swap also on memory", 0),
        Statistic::percent("ksm.cpu.current", "KSM CPU usage", 0.0),
        Statistic::percent("cpu.current.user", "User CPU usage", load.cpu_user_percent),
        Statistic::percent("cpu.current.system", "System CPU usage", load.cpu_system_percent),
        Statistic::percent("cpu.current.idle", "Idle CPU usage", load.cpu_idle_percent),
        Statistic::percent("cpu.load.avg.5m", "CPU 5 minute load average", load.load_average),
    ]
}

/// What is measured of an interface.
pub fn nic_statistics(load: &NicStatistics) -> Vec<Statistic> {
    vec![
        Statistic::rate("data.current.rx", "Receive data rate", load.rx_bytes_per_s),
        Statistic::rate("data.current.tx", "Transmit data rate", load.tx_bytes_per_s),
        Statistic::bytes("errors.total.rx", "Total receive errors", 0),
        Statistic::bytes("errors.total.tx", "Total transmit errors", 0),
    ]
}

/// A logical unit that a host sees, as the API shows it.
pub fn lun_view(base: &str, host: &Host, lun: &LunFacts) -> Doc {
    let host_href = format!("{base}/hosts/{}", host.id);
    let unit = Doc::new()
        .set("id", &lun.id)
        .opt("port", lun.target.as_ref().map(|t| t.portal.port))
        .opt("target", lun.target.as_ref().map(|t| t.iqn.as_str()))
        .opt("address", lun.target.as_ref().map(|t| t.portal.address.as_str()))
        .set("serial", &lun.serial)
        .set("vendor_id", &lun.vendor)
        .set("product_id", &lun.product)
        .set("lun_mapping", lun.number)
        .set("size", lun.size_bytes)
        .set("status", if lun.domain.is_some() { "used" } else { "free" })
        .opt("storage_domain_id", lun.domain.map(|id| id.to_string()));
    Doc::new()
        .set("id", &lun.id)
        .set("href", format!("{host_href}/storage/{}", lun.id))
        .set("name", &lun.id)
        .set("type", if lun.target.is_some() { "iscsi" } else { "fcp" })
        .set("logical_unit", vec![unit])
        .reference("host", host.id.to_string(), host_href)
}

/// What a request says of a host that is to be changed. `seal` hides passwords.
fn patch(sent: &Doc, cluster: Option<ClusterId>, current: &PowerManagement, seal: impl Fn(&str) -> String) -> HostPatch {
    HostPatch {
        name: given(sent, "name"),
        comment: given(sent, "comment"),
        address: given(sent, "address"),
        port: number(sent, "port"),
        cluster,
        spm_priority: number(sent, "storage_manager.priority"),
        power_management: sent.doc("power_management").map(|sent| sent_power_management(sent, current, seal)),
        ksm: sent.bool("ksm.enabled"),
        transparent_hugepages: sent.bool("transparent_hugepages.enabled"),
    }
}

/// Power management with what a request changes of it; a password that is not sent stays.
fn sent_power_management(sent: &Doc, current: &PowerManagement, seal: impl Fn(&str) -> String) -> PowerManagement {
    let mut power = current.clone();
    let texts = [("type", &mut power.agent), ("address", &mut power.address), ("username", &mut power.username)];
    for (field, held) in texts {
        if let Some(text) = sent.text(field) {
            text.clone_into(held);
        }
    }
    if let Some(enabled) = sent.bool("enabled") {
        power.enabled = enabled;
    }
    if let Some(password) = sent.text("password") {
        power.password = seal(password);
    }
    if sent.has("options") {
        power.options =
            sent.docs("options.option").filter_map(|option| Some((given(option, "name")?, given(option, "value")?))).collect();
    }
    power
}

/// What a request says of a new host.
fn config(sent: &Doc, cluster: ClusterId, seal: impl Fn(&str) -> String) -> HostConfig {
    let mut config = HostConfig {
        name: String::new(),
        comment: String::new(),
        address: String::new(),
        port: DEFAULT_PORT,
        cluster,
        spm_priority: DEFAULT_SPM_PRIORITY,
        power_management: PowerManagement::default(),
        ksm: true,
        transparent_hugepages: true,
    };
    config.apply(&patch(sent, None, &PowerManagement::default(), seal));
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_not_sent_stays() {
        let current = PowerManagement { password: "sealed".into(), agent: "ipmilan".into(), ..PowerManagement::default() };
        let seal = |text: &str| format!("<{text}>");
        let sent = Doc::new().set("enabled", true);
        let power = sent_power_management(&sent, &current, seal);
        assert!(power.enabled);
        assert_eq!((power.password.as_str(), power.agent.as_str()), ("sealed", "ipmilan"));
        let sent = Doc::new().set("password", "new");
        assert_eq!(sent_power_management(&sent, &current, seal).password, "<new>");
    }
}
