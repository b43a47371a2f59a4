//! Power management of hosts: its configuration (the guide's section 14.3), and fencing through it or by hand.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::Context;
use crate::event::Event;
use crate::fold;
use crate::host::{Host, HostStatus, ReportUnresponsive, spm_without, status, touch};
use crate::ids::*;
use crate::index::HostTerm;
use crate::job::{FinishStep, JobEnded, JobOpened, Task, open_job};
use crate::patch::patchable;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::vm::named;
use crate::vm_run::down_with_host;
use crate::world::World;

named! {
    /// What fencing does (7.6).
    FenceType { Manual "manual", Restart "restart", Start "start", Stop "stop", Status "status" }
}

named! {
    /// What reaches a host's power management: another host of its cluster or data center, or the engine itself.
    PmProxy { Cluster "cluster", DataCenter "dc", Engine "engine" }
}

/// The kinds of power management that hosts may have.
pub const FENCE_AGENTS: [&str; 16] = [
    "alom",
    "apc",
    "apc_snmp",
    "bladecenter",
    "cisco_ucs",
    "drac5",
    "drac7",
    "eps",
    "ilo",
    "ilo2",
    "ilo3",
    "ilo4",
    "ipmilan",
    "rsa",
    "rsb",
    "wti",
];
/// The most agents of a host beside its first.
pub const MAX_FENCE_AGENTS: usize = 8;
/// The most options of an agent.
pub const MAX_FENCE_OPTIONS: usize = 32;
/// The highest place of an agent in the order in which they are tried.
pub const MAX_FENCE_ORDER: u32 = 1_000;
/// The longest text of an agent, in characters.
const MAX_AGENT_TEXT: usize = 255;
/// The longest password of an agent once it is sealed, in characters.
const MAX_SEALED: usize = 4000;

/// One power management device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PowerAgent {
    /// Its kind, one of [`FENCE_AGENTS`].
    pub kind: String,
    /// Where it answers.
    pub address: String,
    /// The user that the engine is to it.
    pub username: String,
    /// Sealed by the engine's key; empty for none.
    pub password: String,
    /// Further options by name.
    pub options: Vec<(String, String)>,
    /// Whether it is switched together with the others, as with a power supply for each.
    pub concurrent: bool,
    /// The lower, the sooner it is tried.
    pub order: u32,
}

patchable! {
    /// Power management of a host; the password is sealed.
    #[derive(Default)]
    pub struct PowerManagement, PowerManagementPatch {
        /// Whether the host's power is switched at all.
        pub enabled: bool,
        /// What kind of agent, such as `ipmilan`.
        pub agent: String,
        /// The address.
        pub address: String,
        /// The user that the engine is to the agent.
        pub username: String,
        /// Sealed by the engine's key; empty for none.
        pub password: String,
        /// Further options by name.
        pub options: Vec<(String, String)>,
        /// Further agents.
        pub agents: Vec<PowerAgent>,
        /// Where a proxy is looked for, first choice first; empty for the usual.
        pub proxies: Vec<PmProxy>,
    }
}

impl PowerManagement {
    /// All agents in the order in which they are tried: the first is the host's own, unless it is among the further ones.
    pub fn all(&self) -> Vec<PowerAgent> {
        let mut agents = self.agents.clone();
        agents.sort_by_key(|a| a.order);
        if !self.address.is_empty() && !agents.iter().any(|a| (&a.kind, &a.address) == (&self.agent, &self.address)) {
            let own = PowerAgent {
                kind: self.agent.clone(),
                address: self.address.clone(),
                username: self.username.clone(),
                password: self.password.clone(),
                options: self.options.clone(),
                concurrent: false,
                order: 0,
            };
            agents.insert(0, own);
        }
        agents
    }

    /// Whether the agents are switched together.
    pub fn concurrent(&self) -> bool {
        self.agents.iter().any(|a| a.concurrent)
    }
}

/// Checks a power management.
pub(crate) fn check_power(act: Act, power: &PowerManagement) -> Result<(), Rejection> {
    if power.agents.len() > MAX_FENCE_AGENTS {
        return Err(act
            .no(Key::OutOfRange)
            .with("field", "power_management.agents")
            .with("min", 0)
            .with("max", MAX_FENCE_AGENTS));
    }
    let own = [("power_management.type", &power.agent), ("power_management.address", &power.address)];
    let all = power.all();
    let further =
        all.iter().flat_map(|a| [("agent.type", &a.kind), ("agent.address", &a.address), ("agent.username", &a.username)]);
    for (field, text) in own.into_iter().chain([("power_management.username", &power.username)]).chain(further) {
        check::text(act, field, text, MAX_AGENT_TEXT)?;
    }
    for agent in &power.agents {
        check::range(act, "power_management.agents.agent.order", agent.order.into(), 1, MAX_FENCE_ORDER.into())?;
    }
    if power.agents.iter().flat_map(|agent| &agent.options).chain(&power.options).any(|(name, _)| name.is_empty()) {
        return Err(act.no(Key::OptionUnnamed).with("field", "power_management.options.option.name"));
    }
    for agent in &all {
        check::text(act, "power_management.password", &agent.password, MAX_SEALED)?;
        if agent.options.len() > MAX_FENCE_OPTIONS {
            let refused = act.no(Key::OutOfRange).with("field", "power_management.options");
            return Err(refused.with("min", 0).with("max", MAX_FENCE_OPTIONS));
        }
        for text in agent.options.iter().flat_map(|(name, value)| [name, value]) {
            check::text(act, "power_management.options", text, MAX_AGENT_TEXT)?;
        }
        if !agent.address.is_empty() && !check::is_address(&agent.address) {
            return Err(act.no(Key::HostAddressInvalid).with("field", "power_management.address"));
        }
    }
    let kinds = all.iter().map(|a| &a.kind).chain([&power.agent]);
    if let Some(kind) = kinds.filter(|k| !k.is_empty()).find(|k| !FENCE_AGENTS.contains(&k.as_str())) {
        return Err(act.no(Key::FenceAgentUnsupported).with("agent", kind));
    }
    if !power.enabled {
        return Ok(());
    }
    if all.is_empty() && !power.agent.is_empty() {
        return Err(act.no(Key::FenceCredentialsMissing).with("field", "power_management.address"));
    }
    if all.is_empty() || all.iter().any(|a| a.kind.is_empty()) {
        return Err(act.no(Key::FenceAgentMissing));
    }
    let lacking = |a: &PowerAgent| {
        [("address", &a.address), ("username", &a.username), ("password", &a.password)].map(|(n, v)| v.is_empty().then_some(n))
    };
    match all.iter().flat_map(lacking).flatten().next() {
        Some(field) => Err(act.no(Key::FenceCredentialsMissing).with("field", format!("power_management.{field}"))),
        None => Ok(()),
    }
}

/// What reaches a host's power management.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proxy {
    /// The engine itself.
    Engine,
    /// Another host, which is up.
    Host(HostId),
}

/// What is to reach a host's power management: where nothing else is wished, a host that is up, of its cluster if it can be.
pub fn proxy(world: &World, host: &Host) -> Option<Proxy> {
    let wanted: &[PmProxy] = match host.config.power_management.proxies.as_slice() {
        [] => &[PmProxy::Cluster, PmProxy::DataCenter],
        wanted => wanted,
    };
    let data_center = world.clusters.get(&host.config.cluster)?.config.data_center;
    let fits = |h: &&Arc<Host>| h.id != host.id && h.status == HostStatus::Up;
    let up = |place: &PmProxy| match place {
        PmProxy::Engine => Some(Proxy::Engine),
        PmProxy::Cluster => world.hosts.by(HostTerm::Cluster(host.config.cluster)).find(fits).map(|h| Proxy::Host(h.id)),
        PmProxy::DataCenter => world.hosts_in(data_center?).find(fits).map(|h| Proxy::Host(h.id)),
    };
    wanted.iter().find_map(up)
}

/// A host is being fenced through another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFencingStarted {
    /// Which host.
    pub host: HostId,
    /// What is done to its power.
    pub fence: FenceType,
    /// What reaches its power management.
    pub proxy: Proxy,
}

fold!(HostFencingStarted, Host host, |e, world, at| {
    touch(world, e.host, at, |_| {});
});

/// A host's first power management agent failed, and another did it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFenceFellBack {
    /// Which host.
    pub host: HostId,
    /// What was done to its power.
    pub fence: FenceType,
}

fold!(HostFenceFellBack, Host host, |e, world, at| {
    touch(world, e.host, at, |_| {});
});

/// A host that is not heard of is not fenced: it has no power management, or there is no other host to reach it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFenceSkipped {
    /// Which host.
    pub host: HostId,
    /// Whether a proxy is what is missing.
    pub no_proxy: bool,
}

fold!(HostFenceSkipped, Host host, |e, world, at| {
    touch(world, e.host, at, |_| {});
});

/// A host was fenced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFenced {
    /// Which host.
    pub host: HostId,
    /// What was to be done to its power.
    pub fence: FenceType,
    /// Why it came to nothing, where it did.
    pub failure: Option<String>,
}

fold!(HostFenced, Host host, |e, world, at| {
    touch(world, e.host, at, |h| {
        if e.failure.is_none() && is_switching(e.fence) {
            h.switched.retain(|(fence, _)| *fence != e.fence);
            h.switched.push((e.fence, at.at));
        }
    });
});

/// Whether a fencing changes the power.
fn is_switching(fence: FenceType) -> bool {
    matches!(fence, FenceType::Restart | FenceType::Start | FenceType::Stop)
}

/// How long a host that does not answer is waited for before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// In milliseconds.
    pub base_ms: u64,
    /// For each VM that has a place on it, in milliseconds.
    pub vm_ms: u64,
    /// Where it is a storage pool manager, in milliseconds.
    pub manager_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { base_ms: 30_000, vm_ms: 500, manager_ms: 20_000 }
    }
}

impl Patience {
    /// For how many milliseconds a host is waited for.
    pub fn with(&self, world: &World, host: &Host) -> u64 {
        let vms = u64::from(world.placed.share(host.id, None).vms);
        let manages = world.data_center_of(host.config.cluster).is_some_and(|dc| dc.spm == Some(host.id));
        self.base_ms + self.vm_ms * vms + if manages { self.manager_ms } else { 0 }
    }
}

/// A host does not answer. It is waited for, and given up then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostContactLost {
    /// Which host.
    pub host: HostId,
    /// How it was.
    pub from: HostStatus,
    /// For how long it is waited for, in milliseconds.
    pub grace_ms: u64,
    /// What was tried.
    pub detail: String,
}

fold!(HostContactLost, Host host, |e, world, at| {
    touch(world, e.host, at, |h| {
        h.status = HostStatus::Connecting;
        h.detail = e.detail.clone();
    });
});

/// A host does not answer.
#[derive(Clone, Debug)]
pub struct ReportSilent {
    /// Which host.
    pub host: HostId,
    /// What was tried.
    pub detail: String,
    /// How long the host is waited for.
    pub patience: Patience,
}

impl Decide for ReportSilent {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        use HostStatus::*;
        let Some(host) = world.hosts.get(&self.host) else { return Ok(Vec::new()) };
        match host.status {
            Connecting => Ok(Vec::new()),
            Up | NonOperational | Error => {
                let grace_ms = self.patience.with(world, host);
                let detail = self.detail.clone();
                Ok(vec![HostContactLost { host: self.host, from: host.status, grace_ms, detail }.into()])
            }
            // What was only about to serve, or to leave, is not waited for.
            _ => ReportUnresponsive { host: self.host, detail: self.detail.clone() }.decide(world, cx),
        }
    }
}

/// Refuses what would switch a host's power at a time when power management rests.
fn check_quiet(act: Act, cx: &Context, host: &Host, fence: FenceType) -> Result<(), Rejection> {
    let left = |until: Micros| (until - cx.now).div_euclid(1_000_000) + 1;
    if !is_switching(fence) {
        return Ok(());
    }
    if cx.now < cx.quiet.until {
        return Err(act.no(Key::FenceAtStartup).with("seconds", left(cx.quiet.until)));
    }
    match host.switched.iter().find(|(done, _)| *done == fence).map(|(_, at)| at + cx.quiet.between) {
        Some(until) if cx.now < until => Err(act.no(Key::FenceQuietTime).with("seconds", left(until))),
        _ => Ok(()),
    }
}

fn at_work(world: &World, host: HostId) -> bool {
    open_job(world, EntityRef::Host(host), |task| matches!(task, Task::FenceHost { .. })).is_some()
}

/// Fences a host through its power management, or confirms by hand that it was rebooted.
#[derive(Clone, Debug)]
pub struct FenceHost {
    /// Which host.
    pub host: HostId,
    /// What is done to its power.
    pub fence: FenceType,
}

impl Decide for FenceHost {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        use HostStatus::*;
        let act = Act(self.fence.name(), "Host");
        let host = world.host(self.host)?;
        if self.fence == FenceType::Manual {
            if !matches!(host.status, NonResponsive | Connecting | NonOperational | Maintenance | InstallFailed | Down) {
                return Err(act.no(Key::FenceManualStatus).with("hostStatus", host.status.name()));
            }
            let mut events = down_with_host(world, self.host, "The host was confirmed as rebooted");
            events.extend(spm_without(world, host));
            events.push(HostFenced { host: self.host, fence: self.fence, failure: None }.into());
            return Ok(events);
        }
        if !host.config.power_management.enabled {
            return Err(act.no(Key::FenceDisabled));
        }
        match (self.fence, host.status) {
            (FenceType::Start, Up | Installing | PendingApproval) => {
                return Err(act.no(Key::FenceStartStatus).with("hostStatus", host.status.name()));
            }
            (FenceType::Stop, Up | Installing | PendingApproval) => {
                return Err(act.no(Key::FenceStopStatus).with("hostStatus", host.status.name()));
            }
            (FenceType::Restart, Installing | PendingApproval) => {
                return Err(act.no(Key::HostStatusIllegal).with("hostStatus", "up, maintenance, non_responsive or down"));
            }
            _ => {}
        }
        if at_work(world, self.host) {
            return Err(act.no(Key::FenceInProgress));
        }
        check_quiet(act, cx, host, self.fence)?;
        let proxy = proxy(world, host).ok_or_else(|| act.no(Key::FenceNoProxy))?;
        let description = format!("Fencing Host {} ({})", host.config.name, self.fence.name());
        let task = Task::FenceHost { host: self.host, fence: self.fence };
        Ok(vec![
            HostFencingStarted { host: self.host, fence: self.fence, proxy }.into(),
            JobOpened { job: cx.fresh(0), description, task }.into(),
        ])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ManiputlateHost, EntityRef::Host(self.host)))
    }
}

/// The power of a host is off for certain, and will be on again: what ran there is down.
#[derive(Clone, Debug)]
pub struct ReportPoweredOff {
    /// Which host.
    pub host: HostId,
    /// The job whose first step that was.
    pub job: JobId,
}

impl Decide for ReportPoweredOff {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = match world.hosts.get(&self.host) {
            Some(host) => powered_off(world, host, HostStatus::Down),
            None => Vec::new(),
        };
        events.extend(FinishStep { job: self.job, done: 1 }.decide(world, cx)?);
        Ok(events)
    }
}

/// What follows from a host's power having been off; one in maintenance stays there.
fn powered_off(world: &World, host: &Host, to: HostStatus) -> Vec<Event> {
    let mut events = down_with_host(world, host.id, "The host was fenced");
    events.extend(spm_without(world, host));
    if host.status != HostStatus::Maintenance && host.status != to {
        events.push(status(host, to, ""));
    }
    events
}

/// Another than the first agent of a host has switched it.
#[derive(Clone, Debug)]
pub struct ReportFenceFellBack {
    /// Which host.
    pub host: HostId,
    /// What was done to its power.
    pub fence: FenceType,
}

impl Decide for ReportFenceFellBack {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        world.host(self.host)?;
        Ok(vec![HostFenceFellBack { host: self.host, fence: self.fence }.into()])
    }
}

/// A host that is not heard of cannot be fenced, as no other can reach its power management.
#[derive(Clone, Debug)]
pub struct SkipFence {
    /// Which host.
    pub host: HostId,
}

impl Decide for SkipFence {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let host = world.host(self.host)?;
        let due = host.status == HostStatus::NonResponsive && proxy(world, host).is_none();
        Ok(due.then(|| HostFenceSkipped { host: self.host, no_proxy: true }.into()).into_iter().collect())
    }
}

/// Ends a fencing: after a stop or a restart its VMs are down for certain; what was started comes up.
#[derive(Clone, Debug)]
pub struct FinishFence {
    /// Which host.
    pub host: HostId,
    /// The job that ends.
    pub job: JobId,
    /// What was to be done to its power.
    pub fence: FenceType,
    /// Why it came to nothing, where it did.
    pub failure: Option<String>,
}

impl Decide for FinishFence {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut events: Vec<Event> = Vec::new();
        if let Some(host) = world.hosts.get(&self.host) {
            match self.fence {
                _ if self.failure.is_some() => {}
                FenceType::Stop => events.extend(powered_off(world, host, HostStatus::Down)),
                FenceType::Restart => events.extend(powered_off(world, host, HostStatus::Reboot)),
                FenceType::Start if host.status == HostStatus::Down => events.push(status(host, HostStatus::Reboot, "")),
                FenceType::Start | FenceType::Status | FenceType::Manual => {}
            }
            events.push(HostFenced { host: self.host, fence: self.fence, failure: self.failure.clone() }.into());
        }
        events.push(JobEnded { job: self.job, failure: self.failure.clone() }.into());
        Ok(events)
    }
}
