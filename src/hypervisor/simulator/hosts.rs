//! What hosts do: answer, be installed, die, boot, be fenced.

use uuid::Uuid;

use super::host_net;
use super::machine::{Machine, exists};
use super::world::{Host, Life, Timer};
use crate::hypervisor::estate::{HostEntry, PowerManagementEntry};
use crate::hypervisor::*;

/// What a host keeps for itself.
const HOST_OVERHEAD_BYTES: u64 = 321 << 20;

impl Machine {
    /// The host that answers at an address.
    pub(super) fn reach(&self, address: &str) -> Result<HostEntry, DriverError> {
        let unreachable = || DriverError::Unreachable { address: address.to_owned() };
        let entry = self.estate.host_at(address).ok_or_else(unreachable)?;
        match self.world.hosts.get(&entry.name) {
            Some(host) if host.life == Life::Running => Ok(entry.clone()),
            _ => Err(unreachable()),
        }
    }

    /// A bound host that answers.
    pub(super) fn running(&self, host: Uuid) -> Result<&Host, DriverError> {
        let entry = self.entry(host)?;
        match self.world.hosts.get(&entry.name) {
            Some(host) if host.life == Life::Running => Ok(host),
            _ => Err(DriverError::Unreachable { address: entry.address.to_string() }),
        }
    }

    pub(super) fn running_mut(&mut self, host: Uuid) -> Result<&mut Host, DriverError> {
        let entry = self.entry(host)?;
        let (name, address) = (entry.name.clone(), entry.address);
        match self.world.hosts.get_mut(&name) {
            Some(host) if host.life == Life::Running => Ok(host),
            _ => Err(DriverError::Unreachable { address: address.to_string() }),
        }
    }

    pub(super) fn probe(&self, address: &str, root_password: Option<&str>) -> Outcome {
        let entry = self.reach(address)?;
        self.trust(&entry, root_password)?;
        Ok(Reply::Host(Box::new(self.facts(&entry))))
    }

    pub(super) fn install(&mut self, host: Uuid, address: &str, root_password: Option<&str>) -> Outcome {
        let entry = self.reach(address)?;
        self.trust(&entry, root_password)?;
        self.bind(host, &entry)
    }

    pub(super) fn connect(&mut self, host: Uuid, address: &str) -> Outcome {
        let entry = self.reach(address)?;
        if !self.world.hosts[&entry.name].installed {
            return Err(DriverError::Refused(Refusal::HostNotInstalled));
        }
        self.bind(host, &entry)
    }

    /// A password is needed once; a node that registers itself needs none.
    fn trust(&self, entry: &HostEntry, root_password: Option<&str>) -> Result<(), DriverError> {
        let trusted = match root_password {
            Some(password) => password == entry.root_password,
            None => entry.registers || self.world.hosts[&entry.name].installed,
        };
        if trusted { Ok(()) } else { Err(DriverError::WrongPassword { address: entry.address.to_string() }) }
    }

    fn bind(&mut self, id: Uuid, entry: &HostEntry) -> Outcome {
        if self.world.host_names.get(&id).is_some_and(|name| *name != entry.name) {
            return Err(exists("host", id));
        }
        if let Some(host) = self.world.hosts.get_mut(&entry.name) {
            let before = host.id.replace(id);
            host.installed = true;
            if let Some(before) = before.filter(|before| *before != id) {
                if self.world.crowds.get(&before).is_some_and(|crowd| !crowd.vms.is_empty()) {
                    host.id = Some(before);
                    return Err(DriverError::Refused(Refusal::HostInUse));
                }
                self.world.host_names.remove(&before);
            }
            self.world.host_names.insert(id, entry.name.clone());
        }
        Ok(Reply::Host(Box::new(self.facts(entry))))
    }

    pub(super) fn disconnect(&mut self, id: Uuid) -> Outcome {
        let entry = self.entry(id)?.clone();
        if self.world.crowds.get(&id).is_some_and(|crowd| !crowd.vms.is_empty()) {
            return Err(DriverError::Refused(Refusal::HostInUse));
        }
        self.world.host_names.remove(&id);
        self.world.crowds.remove(&id);
        self.world.spms.retain(|_, spm| *spm != id);
        self.world.down.retain(|_, report| report.host != id);
        if let Some(host) = self.world.hosts.get_mut(&entry.name) {
            host.id = None;
            host.domains.clear();
            host.targets.clear();
        }
        self.register(&entry);
        Ok(Reply::Done)
    }

    pub(super) fn set_memory_policy(&mut self, id: Uuid, ksm: bool, huge_pages: bool, ballooning: bool) -> Outcome {
        let host = self.running_mut(id)?;
        (host.ksm, host.huge_pages, host.ballooning) = (ksm, huge_pages, ballooning);
        Ok(Reply::Done)
    }

    pub(super) fn fence(&mut self, id: Uuid, proxy: Option<Uuid>, agent: &FenceAgent, action: FenceAction) -> Outcome {
        if let Some(proxy) = proxy {
            self.running(proxy)?;
        }
        let has = |entry: &HostEntry| entry.agents().find(|known| known.address == agent.address).cloned();
        // A device belongs to its host, also while that is bound to no id.
        let owner = self.estate.hosts.iter().find(|entry| has(entry).is_some());
        let owner = owner.ok_or_else(|| DriverError::Unreachable { address: agent.address.clone() })?;
        let entry = self.entry(id).unwrap_or(owner).clone();
        let known = has(&entry).ok_or(DriverError::Refused(Refusal::NoPowerManagement))?;
        if (&known.user, &known.password) != (&agent.user, &agent.password) {
            return Err(DriverError::WrongPassword { address: agent.address.clone() });
        }
        let (stops, starts) = match action {
            FenceAction::Stop => (true, false),
            FenceAction::Start => (false, true),
            FenceAction::Restart => (true, true),
            FenceAction::Status => (false, false),
        };
        if stops && self.supply(&entry, &known, false) {
            self.end_life(&entry.name, Life::Off);
        }
        if starts && self.supply(&entry, &known, true) {
            self.boot(&entry.name);
        }
        let host = &self.world.hosts[&entry.name];
        Ok(Reply::Power(match host.life {
            _ if host.unsupplied.contains(&known.address) => PowerState::Off,
            Life::Off if !known.supply => PowerState::Off,
            Life::Off | Life::Running | Life::Cut | Life::Dead | Life::Booting => PowerState::On,
        }))
    }

    /// Switches what an agent switches; whether the host has to follow.
    fn supply(&mut self, entry: &HostEntry, agent: &PowerManagementEntry, on: bool) -> bool {
        let Some(host) = self.world.hosts.get_mut(&entry.name).filter(|_| agent.supply) else { return true };
        match on {
            true => host.unsupplied.remove(&agent.address),
            false => host.unsupplied.insert(agent.address.clone()),
        };
        on || entry.agents().filter(|agent| agent.supply).all(|agent| host.unsupplied.contains(&agent.address))
    }

    pub(super) fn start_spm(&mut self, host: Uuid, pool: Uuid) -> Outcome {
        self.running(host)?;
        if self.world.spms.get(&pool).is_some_and(|spm| *spm != host && self.running(*spm).is_ok()) {
            return Err(DriverError::Refused(Refusal::SpmElsewhere));
        }
        self.world.spms.insert(pool, host);
        Ok(Reply::Done)
    }

    pub(super) fn stop_spm(&mut self, host: Uuid, pool: Uuid) -> Outcome {
        self.running(host)?;
        if self.world.spms.get(&pool) == Some(&host) {
            self.world.spms.remove(&pool);
        }
        Ok(Reply::Done)
    }

    pub fn kill_host(&mut self, address: &str) -> bool {
        let Some(entry) = self.estate.host_at(address).cloned() else {
            return false;
        };
        self.end_life(&entry.name, Life::Dead);
        true
    }

    pub fn revive_host(&mut self, address: &str) -> bool {
        let Some(entry) = self.estate.host_at(address).cloned() else {
            return false;
        };
        if self.world.hosts.get(&entry.name).is_some_and(|host| host.life == Life::Cut) {
            self.end_life(&entry.name, Life::Off);
        }
        self.boot(&entry.name);
        true
    }

    /// All that ran there is gone, and nobody says so: that is for whoever misses the host.
    fn end_life(&mut self, name: &str, life: Life) {
        let heartbeat_ms = self.estate.durations.heartbeat_ms;
        let Some(host) = self.world.hosts.get_mut(name) else {
            return;
        };
        let (answered, ran) = (host.life == Life::Running, matches!(host.life, Life::Running | Life::Cut));
        host.life = life;
        host.epoch += 1;
        host.domains.clear();
        host.targets.clear();
        if answered {
            host.deaths += 1;
        }
        let (id, deaths) = (host.id, host.deaths);
        if answered {
            self.world.schedule(heartbeat_ms, Timer::HeartbeatLost { name: name.to_owned(), deaths });
        }
        if let Some(id) = id.filter(|_| ran) {
            self.world.spms.retain(|_, spm| *spm != id);
            self.lose_vms(id);
        }
    }

    fn boot(&mut self, name: &str) {
        let now_ms = self.world.now_ms;
        let boot_ms = self.about(self.estate.durations.boot_host_ms);
        let Some(host) = self.world.hosts.get_mut(name) else {
            return;
        };
        if matches!(host.life, Life::Running | Life::Booting) {
            return;
        }
        host.life = Life::Booting;
        host.epoch += 1;
        host.laid = host.saved.clone();
        host.booted_ms = now_ms;
        let epoch = host.epoch;
        self.world.schedule(boot_ms, Timer::HostBooted { name: name.to_owned(), epoch });
    }

    pub(super) fn host_booted(&mut self, name: &str, epoch: u64) {
        let Some(entry) = self.estate.host_at(name).cloned() else { return };
        let Some(host) = self.world.hosts.get_mut(name).filter(|host| host.epoch == epoch) else {
            return;
        };
        let reached = host_net::reached(&entry, host, &host.laid);
        host.life = if reached { Life::Running } else { Life::Cut };
        let id = host.id;
        self.touch();
        if !reached {
            return;
        }
        match id {
            Some(host) => self.tell(Observation::HostUp { host }),
            None => self.register(&entry),
        }
    }

    pub(super) fn heartbeat_lost(&mut self, name: &str, deaths: u64) {
        let missed = |host: &&Host| host.deaths == deaths && host.life != Life::Running;
        if let Some(host) = self.world.hosts.get(name).filter(missed).and_then(|host| host.id) {
            self.touch();
            self.tell(Observation::HostUnresponsive { host });
        }
    }

    /// A node that nobody has taken on says that it is there.
    pub(super) fn register(&mut self, entry: &HostEntry) {
        let host = &self.world.hosts[&entry.name];
        if entry.registers && host.id.is_none() && host.life == Life::Running {
            let facts = Box::new(self.facts(entry));
            let address = entry.address.to_string();
            self.tell(Observation::HostRegistered { name: entry.name.clone(), address, facts });
        }
    }

    /// The memory that virtual machines may have on a host when none runs.
    pub(super) fn schedulable_bytes(entry: &HostEntry) -> u64 {
        entry.memory_bytes.saturating_sub(HOST_OVERHEAD_BYTES)
    }

    pub(super) fn facts(&self, entry: &HostEntry) -> HostFacts {
        let uuid = entry.uuid.unwrap_or_else(|| named_uuid(&entry.name));
        let host = &self.world.hosts[&entry.name];
        let committed_bytes = host.id.map_or(0, |id| self.committed_bytes(id));
        HostFacts {
            hostname: entry.name.clone(),
            kind: entry.kind,
            hardware: HardwareFacts {
                uuid,
                manufacturer: "Simulated".to_owned(),
                product_name: "evirt host".to_owned(),
                version: "1".to_owned(),
                serial_number: uuid.simple().to_string(),
                family: "Simulated".to_owned(),
            },
            cpu: CpuFacts {
                sockets: entry.sockets,
                cores_per_socket: entry.cores_per_socket,
                threads_per_core: entry.threads_per_core,
                model: entry.cpu_model.clone(),
                speed_mhz: entry.cpu_mhz,
                level: entry.cpu_level.clone(),
                nx: entry.nx,
            },
            memory_bytes: entry.memory_bytes,
            max_scheduling_memory_bytes: Machine::schedulable_bytes(entry).saturating_sub(committed_bytes),
            nics: host_net::nics(entry, host),
            bonds: host.laid.bonds.clone(),
            networks: host_net::networks(entry, host),
            os: match entry.kind {
                HostKind::Rhel => "RHEL",
                HostKind::RhevH => "RHEV Hypervisor",
            }
            .to_owned(),
            os_version: match entry.kind {
                HostKind::Rhel => "6Server - 6.4.0.4.el6",
                HostKind::RhevH => "6.4 - 20130709.0.el6_4",
            }
            .to_owned(),
            kernel_version: "2.6.32 - 358.11.1.el6.x86_64".to_owned(),
            kvm_version: "0.12.1.2 - 2.355.el6_4.5".to_owned(),
            libvirt_version: "libvirt-0.10.2-18.el6_4.9".to_owned(),
            kvm: entry.kvm,
            levels: entry.levels.clone(),
            iscsi_initiator: Some(format!("iqn.1994-05.com.example:{:012x}", uuid.as_u128() & 0xffff_ffff_ffff)),
            certificate: CertificateFacts {
                organization: "Simulated".to_owned(),
                subject: format!("O=Simulated,CN={}", entry.address),
            },
            hooks: entry.hooks.clone(),
            power_management: entry
                .power_management
                .as_ref()
                .map(|agent| PowerManagementFacts { address: agent.address.clone(), kind: agent.kind.clone() }),
        }
    }
}

/// An identifier that is the same whenever the name is.
pub(super) fn named_uuid(name: &str) -> Uuid {
    let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
