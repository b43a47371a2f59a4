//! Hosts with their storage, statistics and tags: the guide's chapter 14.

use std::sync::Arc;

use evirt_domain::cluster::Cluster;
use evirt_domain::command::Both;
use evirt_domain::host::*;
use evirt_domain::host_net::device_id;
use evirt_domain::host_net_setup::CommitHostNetworks;
use evirt_domain::ids::{ClusterId, HostId};
use evirt_domain::index::Tally;
use evirt_domain::install::DEFAULT_CLUSTER;
use evirt_domain::schedule::free_memory;
use evirt_domain::spm::ForceSelectSpm;
use evirt_domain::world::NameKind;
use evirt_domain::{Decide, World};
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::collection::{act, check_immutable, complete, created, remove};
pub use super::host_nics::measures as nic_measures;
use super::parts::{Statistic, first_id, given, listed, number, shown, text, version};
use super::representation::body::{Body, NotYet, When, need, not_yet};
use super::representation::types::{HOOK, HOST, STORAGE};
use super::representation::{Doc, Fault, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::work::act_and_wait;
use crate::app::Refused;
use crate::app::host::{self as app, ChapCredentials, LunFacts, Portal, PowerState};
use crate::app::statistics::{self, HostStatistics};
use crate::app::storage::ISCSI_PORT;

routes! { ROUTES:
    "hosts" => GET list, POST add [NEW]: AddHost::least;
    "hosts/{}" => GET get, PUT update [CHANGED], DELETE delete [Body::action("force")];
    "hosts/{}/approve" => POST approve [Body::action("cluster.id|name async grace_period.expiry")];
    "hosts/{}/install" => POST install [INSTALL];
    "hosts/{}/fence" => POST fence [Body::action("").needs(&[need("fence_type").of("fence")])];
    "hosts/{}/activate" => POST activate;
    "hosts/{}/deactivate" => POST deactivate;
    "hosts/{}/forceselectspm" => POST force_select_spm;
    "hosts/{}/commitnetconfig" => POST commit_network;
    "hosts/{}/iscsidiscover" => POST iscsi_discover [Body::action(ISCSI).needs(&[need("iscsi.address").of("iscsiDiscover")])];
    "hosts/{}/iscsilogin" => POST iscsi_login [Body::action(ISCSI).needs(&[need("iscsi.address iscsi.target").of("iscsiLogin")])];
    "hosts/{}/storage" => GET list_storage;
    "hosts/{}/storage/{}" => GET get_storage;
    "hosts/{}/hooks" => GET list_hooks;
    "hosts/{}/hooks/{}" => GET get_hook;
    "hosts/{}/statistics" => GET list_statistics;
    "hosts/{}/statistics/{}" => GET get_statistic;
}

/// A host by a key of the engine's is not installed yet; one by a password is.
const BY_KEY: NotYet = not_yet("ssh.authentication_method").but("password");

/// A new host.
const NEW: Body = Body::add(&HOST).needs(&[need("name address")]).not_yet(&[BY_KEY]);

/// A change; the password of root is given where a host is added or installed, and is not kept beyond that.
const CHANGED: Body = Body::update(&HOST).not_yet(&[not_yet("root_password"), not_yet("ssh.user.password")]);

/// An installation; a host that runs a system of its own is installed by its root.
const INSTALL: Body =
    Body::action("image ssh.port ssh.fingerprint ssh.authentication_method ssh.user.user_name ssh.user.password")
        .needs(&[need("root_password").of("install").unless(When::Has("ssh.user.password"))])
        .not_yet(&[BY_KEY])
        .depends();

/// What may be said of an iSCSI portal.
const ISCSI: &str = "iscsi.port iscsi.username iscsi.password";

/// The actions that a host offers.
const ACTIONS: &[&str] = &[
    "approve",
    "install",
    "fence",
    "activate",
    "deactivate",
    "commitnetconfig",
    "iscsidiscover",
    "iscsilogin",
    "forceselectspm",
];
/// The sub-collections of a host.
const LINKS: &[&str] = &["storage", "nics", "tags", "permissions", "statistics", "hooks"];

/// The host as the API shows it.
pub fn view(world: &World, base: &str, host: &Host) -> Doc {
    let (config, facts) = (&host.config, &host.facts);
    let cluster = world.clusters.get(&config.cluster);
    let spm = world.data_center_of(config.cluster).is_some_and(|dc| dc.spm == Some(host.id));
    Doc::with_capacity(36)
        .at(&Place::of(base, host.id))
        .set("name", &config.name)
        .opt("comment", text(&config.comment))
        .set("address", &config.address)
        .set("status", status(host))
        .reference("cluster", base, config.cluster)
        .set("port", config.port)
        .set("type", host.kind.name())
        .set("storage_manager", Doc::new().set("priority", config.spm_priority).set("value", spm))
        .set("version", version(facts.newest()))
        .set("power_management", power_management(&config.power_management))
        .set_path("ksm.enabled", config.ksm)
        .set_path("transparent_hugepages.enabled", config.transparent_hugepages)
        .set("cpu", cpu(host))
        .set("memory", facts.memory)
        .opt("max_scheduling_memory", cluster.map(|c| schedulable(world, c, host)))
        .set("summary", summary(world, host))
        .opt_path("certificate.organization", text(&facts.certificate.organization))
        .opt_path("certificate.subject", text(&facts.certificate.subject))
        .opt_path("hardware_information.manufacturer", text(&facts.hardware.manufacturer))
        .opt_path("hardware_information.version", text(&facts.hardware.version))
        .opt_path("hardware_information.serial_number", text(&facts.hardware.serial))
        .opt_path("hardware_information.product_name", text(&facts.hardware.product))
        .opt_path("hardware_information.uuid", text(&facts.hardware_uuid))
        .opt_path("hardware_information.family", text(&facts.hardware.family))
        .opt("libvirt_version", text(&facts.libvirt).map(package_version))
        .opt_path("iscsi.initiator", text(&facts.iscsi_initiator))
        .opt_path("os.type", text(&facts.os))
        .opt_path("os.version.full_version", text(&facts.kernel))
        .set("ssh", ssh(&config.setup))
        .opt_path("display.address", text(&config.setup.display_address))
        .opt("override_iptables", config.setup.override_iptables)
        .opt("reboot_after_installation", config.setup.reboot)
        .actions(ACTIONS)
        .links(LINKS)
}

fn ssh(setup: &HostSetup) -> Doc {
    let ssh = Doc::new().set("port", setup.ssh_port).opt("fingerprint", text(&setup.ssh_fingerprint));
    ssh.set_path("user.user_name", setup.ssh_user.as_str())
}

/// How a host is set up, with what a request changes of it.
fn sent_setup(sent: &Doc, current: &HostSetup) -> HostSetup {
    HostSetup {
        ssh_port: number(sent, "ssh.port").unwrap_or(current.ssh_port),
        ssh_fingerprint: given(sent, "ssh.fingerprint").unwrap_or_else(|| current.ssh_fingerprint.clone()),
        ssh_user: given(sent, "ssh.user.user_name").unwrap_or_else(|| current.ssh_user.clone()),
        display_address: given(sent, "display.address").unwrap_or_else(|| current.display_address.clone()),
        override_iptables: sent.bool("override_iptables").or(current.override_iptables),
        reboot: sent.bool("reboot_after_installation").or(current.reboot),
    }
}

fn status(host: &Host) -> Doc {
    Doc::new().set("state", host.status.name()).opt("detail", text(&host.detail))
}

/// The version of a package such as `libvirt-0.10.2-18.el6_4.9`.
fn package_version(package: &str) -> Doc {
    let number = package.split('-').find(|part| part.starts_with(|c: char| c.is_ascii_digit())).unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<i64>().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    let (major, minor, build, revision) = (next(), next(), next(), next());
    let doc = Doc::new().set("major", major).set("minor", minor).set("build", build).set("revision", revision);
    doc.set("full_version", package)
}

/// A hook of a host as the API shows it.
fn hook_view(base: &str, host: &Host, hook: &Hook) -> Doc {
    let place = Place::of(base, host.id);
    Doc::new()
        .at(&place.below("hooks", hook_id(host, hook)))
        .set("name", &hook.name)
        .set("event_name", &hook.event)
        .set("md5", &hook.md5)
        .reference_to("host", &place)
}

/// The identifier of a hook: the same for the same event and name on the same host.
fn hook_id(host: &Host, hook: &Hook) -> Uuid {
    device_id(host.id, &format!("hook {} {}", hook.event, hook.name)).0
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

fn options(options: &[(String, String)]) -> Doc {
    let options: Vec<Doc> = options.iter().map(|(name, value)| Doc::new().set("name", name).set("value", value)).collect();
    Doc::new().set("option", options)
}

/// Power management without its passwords.
fn power_management(power: &PowerManagement) -> Doc {
    let agent = |agent: &PowerAgent| {
        Doc::new()
            .opt("type", text(&agent.kind))
            .opt("address", text(&agent.address))
            .opt("username", text(&agent.username))
            .set("options", options(&agent.options))
            .set("concurrent", agent.concurrent)
            .set("order", i64::from(agent.order))
    };
    let agents: Vec<Doc> = power.agents.iter().map(agent).collect();
    let proxies: Vec<Doc> = power.proxies.iter().map(|proxy| Doc::new().set("type", proxy.name())).collect();
    Doc::new()
        .opt("type", text(&power.agent))
        .set("enabled", power.enabled)
        .opt("address", text(&power.address))
        .opt("username", text(&power.username))
        .set("options", options(&power.options))
        .opt("pm_proxies", (!proxies.is_empty()).then(|| Doc::new().set("pm_proxy", proxies)))
        .opt("agents", (!agents.is_empty()).then(|| Doc::new().set("agent", agents)))
}

/// The largest virtual machine that the host could still take, in bytes.
fn schedulable(world: &World, cluster: &Cluster, host: &Host) -> i64 {
    free_memory(world, cluster, host, None).max(0)
}

fn summary(world: &World, host: &Host) -> Doc {
    let count = |tally| i64::try_from(world.vms.count(tally)).unwrap_or(i64::MAX);
    Doc::new()
        .set("active", count(Tally::Up(host.id)))
        .set("migrating", count(Tally::Migrating(host.id)))
        .set("total", i64::from(world.placed.share(host.id, None).vms))
}

/// What is measured of a host.
pub fn measures(load: &HostStatistics) -> Vec<Statistic> {
    let free = load.memory_total_bytes.saturating_sub(load.memory_used_bytes);
    let swap_free = load.swap_total_bytes.saturating_sub(load.swap_used_bytes);
    vec![
        Statistic::bytes("memory.total", "Total memory", load.memory_total_bytes),
        Statistic::bytes("memory.used", "Used memory", load.memory_used_bytes),
        Statistic::bytes("memory.free", "Free memory", free),
        Statistic::bytes("memory.buffers", "IO buffers", load.memory_buffers_bytes),
        Statistic::bytes("memory.cached", "OS caches", load.memory_cached_bytes),
        Statistic::bytes("swap.total", "Total swap", load.swap_total_bytes),
        Statistic::bytes("swap.free", "Free swap", swap_free),
        Statistic::bytes("swap.used", "Used swap", load.swap_used_bytes),
        Statistic::bytes("swap.cached", "Swap also on memory", load.swap_cached_bytes),
        Statistic::percent("ksm.cpu.current", "KSM CPU usage", load.ksm_cpu_percent),
        Statistic::percent("cpu.current.user", "User CPU usage", load.cpu_user_percent),
        Statistic::percent("cpu.current.system", "System CPU usage", load.cpu_system_percent),
        Statistic::percent("cpu.current.idle", "Idle CPU usage", load.cpu_idle_percent),
        Statistic::percent("cpu.load.avg.5m", "CPU 5 minute load average", load.load_average),
    ]
}

/// A logical unit that a host sees, as the API shows it.
pub fn lun_view(base: &str, host: &Host, lun: &LunFacts) -> Doc {
    let place = Place::of(base, host.id);
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
        .at(&place.below("storage", &lun.id))
        .set("name", &lun.id)
        .set("type", if lun.target.is_some() { "iscsi" } else { "fcp" })
        .set("logical_unit", vec![unit])
        .reference_to("host", &place)
}

/// What a request, whose passwords are sealed, says of a host that is to be changed.
fn patch(sent: &Doc, cluster: Option<ClusterId>, current: &PowerManagement, setup: &HostSetup) -> HostPatch {
    HostPatch {
        name: given(sent, "name"),
        comment: given(sent, "comment"),
        address: given(sent, "address"),
        port: number(sent, "port"),
        cluster,
        spm_priority: number(sent, "storage_manager.priority"),
        power_management: sent.doc("power_management").map(|sent| sent_power_management(sent, current)),
        ksm: sent.bool("ksm.enabled"),
        transparent_hugepages: sent.bool("transparent_hugepages.enabled"),
        setup: Some(sent_setup(sent, setup)),
    }
}

/// Power management with what a request changes of it; a password that is not sent stays.
fn sent_power_management(sent: &Doc, current: &PowerManagement) -> PowerManagement {
    let mut power = current.clone();
    let texts = [
        ("type", &mut power.agent),
        ("address", &mut power.address),
        ("username", &mut power.username),
        ("password", &mut power.password),
    ];
    for (field, held) in texts {
        if let Some(text) = sent.text(field) {
            text.clone_into(held);
        }
    }
    if let Some(enabled) = sent.bool("enabled") {
        power.enabled = enabled;
    }
    if sent.has("options") {
        power.options = sent_options(sent);
    }
    if sent.has("agents") {
        power.agents = sent.docs("agents.agent").enumerate().map(|(n, agent)| sent_agent(agent, n, &current.agents)).collect();
    }
    if sent.has("pm_proxies") {
        let proxies = sent.docs("pm_proxies.pm_proxy").filter_map(|proxy| PmProxy::from_name(proxy.text("type")?));
        power.proxies = proxies.collect();
    }
    power
}

fn sent_options(sent: &Doc) -> Vec<(String, String)> {
    let field = |option: &Doc, name: &str| given(option, name).unwrap_or_default();
    sent.docs("options.option").map(|option| (field(option, "name"), field(option, "value"))).collect()
}

/// A further agent, the `n`th in the request; the password that is not sent is that of the agent of its kind and address.
fn sent_agent(sent: &Doc, n: usize, current: &[PowerAgent]) -> PowerAgent {
    let field = |name| given(sent, name).unwrap_or_default();
    let (kind, address) = (field("type"), field("address"));
    let known = || current.iter().find(|a| (&a.kind, &a.address) == (&kind, &address)).map(|a| a.password.clone());
    PowerAgent {
        password: given(sent, "password").or_else(known).unwrap_or_default(),
        username: field("username"),
        options: sent_options(sent),
        concurrent: sent.bool("concurrent") == Some(true),
        order: number(sent, "order").unwrap_or(n as u32 + 1),
        kind,
        address,
    }
}

/// What a request says of a new host.
fn config(sent: &Doc, cluster: ClusterId) -> HostConfig {
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
        setup: Default::default(),
    };
    config.apply(&patch(sent, None, &PowerManagement::default(), &HostSetup::default()));
    config
}

/// The host that the path names.
pub fn host<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<Host>, Answer> {
    request.found(world.hosts.get(&request.id(1)?), 1)
}

/// The body with the passwords of its power management hidden.
fn sealed_body(request: &ApiRequest) -> Result<Doc, Answer> {
    const PASSWORD: &str = "password";
    let hide = |doc: &mut Doc| -> Result<(), Answer> {
        if let Some(password) = given(doc, PASSWORD) {
            doc.put(PASSWORD, request.refusing(request.app.seal(&password))?);
        }
        Ok(())
    };
    let mut sent = request.body(&HOST)?;
    if let Some(mut power) = sent.doc("power_management").cloned() {
        hide(&mut power)?;
        let mut agents: Vec<Doc> = power.docs("agents.agent").cloned().collect();
        agents.iter_mut().try_for_each(hide)?;
        if power.has("agents") {
            power.put("agents", Doc::new().set("agent", agents));
        }
        sent.put("power_management", power);
    }
    Ok(sent)
}

/// The password of root that a request gives, in either of its places.
fn root_password(sent: &Doc) -> Option<&str> {
    sent.text("root_password").or_else(|| sent.text("ssh.user.password")).filter(|password| !password.is_empty())
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let found = request.list::<Host>()?;
    listed(&request, &HOST, found.iter().map(|host| view(&request.world, request.base, host)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    if request.flag("force")? {
        return refresh(&request).await;
    }
    shown(&request, &HOST, &view(&request.world, request.base, host(&request, &request.world)?))
}

/// Shows the host as it says that it is now: it is asked before, and that is recorded.
async fn refresh(request: &ApiRequest) -> Handled {
    let host = host(request, &request.world)?;
    let done = request.refusing(app::refresh(&request.app, &request.cx, host).await)?;
    shown(request, &HOST, &view(&done.world, request.base, self::host(request, &done.world)?))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = sealed_body(&request)?;
    let cluster = request.reference(&sent, "cluster", NameKind::Cluster, "Cluster")?.unwrap_or(DEFAULT_CLUSTER);
    let added = app::add(&request.app, &request.cx, config(&sent, cluster), root_password(&sent)).await;
    let done = request.refusing(added)?;
    let made = first_id(&done.outcome).and_then(|id| done.world.hosts.get(&id));
    created(&request, &HOST, &view(&done.world, request.base, request.found(made, 0)?))
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let current = host(&request, &request.world)?;
    let sent = sealed_body(&request)?;
    check_immutable(&request, &HOST, &view(&request.world, request.base, current), &sent)?;
    let cluster = request.reference(&sent, "cluster", NameKind::Cluster, "Cluster")?;
    let changes = patch(&sent, cluster, &current.config.power_management, &current.config.setup);
    let outcome = request.submit(UpdateHost { host: current.id, changes }).await?;
    shown(&request, &HOST, &view(&outcome.world, request.base, host(&request, &outcome.world)?))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?.id;
    remove(&request, RemoveHost { host }).await
}

async fn approve(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?.id;
    let sent = request.action()?;
    let cluster = request.reference(&sent, "cluster", NameKind::Cluster, "Cluster")?;
    act(&request, sent, ApproveHost { host, cluster }).await
}

async fn install(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?;
    let sent = request.action()?;
    let password = root_password(&sent).map(str::to_owned);
    if host.kind == HostType::Rhel && password.is_none() {
        // An empty password is none.
        request.complete(&Doc::new())?;
    }
    let sealed_password = password.map(|password| request.refusing(request.app.seal(&password))).transpose()?.unwrap_or_default();
    let install = InstallHost { host: host.id, sealed_password, image: given(&sent, "image") };
    let setup = sent_setup(&sent, &host.config.setup);
    if setup == host.config.setup {
        return act(&request, sent, install).await;
    }
    let kept = UpdateHost { host: host.id, changes: HostPatch { setup: Some(setup), ..HostPatch::default() } };
    act(&request, sent, Both(kept, install)).await
}

async fn activate(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?.id;
    act(&request, request.action()?, ActivateHost { host }).await
}

async fn deactivate(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?.id;
    act(&request, request.action()?, DeactivateHost { host }).await
}

async fn force_select_spm(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?.id;
    act(&request, request.action()?, ForceSelectSpm { host }).await
}

async fn commit_network(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?.id;
    act_and_wait(&request, CommitHostNetworks { host }).await
}

async fn fence(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?.clone();
    let sent = request.action()?;
    let within = |refused: Answer| refused.in_action(sent.clone(), request.output);
    let fence = sent.text("fence_type").and_then(FenceType::from_name).unwrap_or(FenceType::Status);
    if fence != FenceType::Status {
        return act_and_wait(&request, FenceHost { host: host.id, fence }).await;
    }
    let state = match app::power(&request.app, &request.cx, &host).await {
        Ok(PowerState::On) => "on",
        Ok(PowerState::Off) => "off",
        Ok(PowerState::Unknown) => "unknown",
        // A status that cannot be found out is an answer, too.
        Err(Refused::Failed(_)) => {
            let fault = Doc::new().set("reason", "The power management agent does not answer");
            let failed = sent.set_path("status.state", "failed").set("fault", fault);
            return shown(&request, &super::representation::types::ACTION, &failed);
        }
        Err(refused) => return Err(within(Answer::refused(&refused, request.output))),
    };
    complete(&request, sent.set_path("power_management.status.state", state))
}

fn portal(sent: &Doc) -> Portal {
    Portal { address: given(sent, "iscsi.address").unwrap_or_default(), port: number(sent, "iscsi.port").unwrap_or(ISCSI_PORT) }
}

fn chap(sent: &Doc) -> ChapCredentials {
    ChapCredentials { user: given(sent, "iscsi.username"), password: given(sent, "iscsi.password") }
}

async fn iscsi_discover(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?;
    let sent = request.action()?;
    let found = app::discover_targets(&request.app, &request.cx, host, portal(&sent), chap(&sent)).await;
    // Upstream asks for targets as it asks for anything, so that why there are none stands alone.
    let targets = found.map_err(|refused| match refused {
        Refused::Unreached(why) => {
            let fault = Fault::failed(format!("Failed discovery of iSCSI targets: {why}"));
            Answer::bytes(400, fault.render(request.output), request.output)
        }
        refused => Answer::refused(&refused, request.output),
    })?;
    complete(&request, sent.set("iscsi_target", targets))
}

async fn iscsi_login(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?;
    let sent = request.action()?;
    let target = given(&sent, "iscsi.target").unwrap_or_default();
    request.refusing(app::log_in_to_target(&request.app, &request.cx, host, portal(&sent), target, chap(&sent)).await)?;
    complete(&request, sent)
}

/// What is measured of the host that the path names; zeros while nothing is known.
fn measured(request: &ApiRequest) -> Result<(HostId, Place, Vec<Statistic>), Answer> {
    let id = host(request, &request.world)?.id;
    let load = statistics::of_host(&request.app, id);
    Ok((id, Place::of(request.base, id), measures(&load.unwrap_or_default())))
}

async fn list_statistics(request: Arc<ApiRequest>) -> Handled {
    let (id, place, measured) = measured(&request)?;
    Statistic::list(&request, id.0, "host", &place, &measured)
}

async fn get_statistic(request: Arc<ApiRequest>) -> Handled {
    let (id, place, measured) = measured(&request)?;
    Statistic::one(&request, 3, id.0, "host", &place, &measured)
}

async fn list_hooks(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?;
    listed(&request, &HOOK, host.facts.hooks.iter().map(|hook| hook_view(request.base, host, hook)))
}

async fn get_hook(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?;
    let id: Uuid = request.id(3)?;
    let hook = host.facts.hooks.iter().find(|hook| hook_id(host, hook) == id);
    shown(&request, &HOOK, &hook_view(request.base, host, request.found(hook, 3)?))
}

async fn list_storage(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?;
    let found = app::logical_units(&request.app, host).await;
    listed(&request, &STORAGE, found.iter().map(|lun| lun_view(request.base, host, lun)))
}

async fn get_storage(request: Arc<ApiRequest>) -> Handled {
    let host = host(&request, &request.world)?;
    let found = app::logical_units(&request.app, host).await;
    let lun = found.iter().find(|lun| lun.id == request.segment(3));
    shown(&request, &STORAGE, &lun_view(request.base, host, request.found(lun, 3)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_not_sent_stays() {
        let current = PowerManagement { password: "sealed".into(), agent: "ipmilan".into(), ..PowerManagement::default() };
        let sent = Doc::new().set("enabled", true);
        let power = sent_power_management(&sent, &current);
        assert!(power.enabled);
        assert_eq!((power.password.as_str(), power.agent.as_str()), ("sealed", "ipmilan"));
        let sent = Doc::new().set("password", "new");
        assert_eq!(sent_power_management(&sent, &current).password, "new");
    }
}
