//! What the simulated world remembers: the part of it that outlives the engine.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::crowd::Crowd;
use super::kept::{Changes, Kept, Latest, Whole};
use crate::hypervisor::estate::{Estate, Fault};
use crate::hypervisor::*;

/// How many finished steps are remembered, so that they are not done again.
pub const MAX_REMEMBERED_STEPS: usize = 2048;

/// How many virtual machines that went down by themselves are remembered until they are destroyed.
pub const MAX_DOWN_REPORTS: usize = 1024;

/// A step of an operation: what is done once.
pub type StepKey = (OperationId, Step);

#[derive(Serialize, Deserialize, Default)]
pub struct World {
    pub now_ms: u64,
    /// How often chance was asked.
    pub draws: u64,
    /// By name on the estate.
    pub hosts: Kept<String, Host>,
    pub domains: Kept<Uuid, Domain>,
    #[serde(with = "pairs")]
    pub volumes: Kept<VolumeRef, VolumeFacts>,
    /// Running ones only.
    pub vms: Kept<Uuid, Vm>,
    pub saved: Kept<Uuid, Saved>,
    /// Those that went down by themselves, the oldest first.
    #[serde(with = "numbered")]
    pub down: Kept<u64, VmReport>,
    /// The pool manager's host, by data center.
    pub spms: Whole<BTreeMap<Uuid, Uuid>>,
    /// Servers, exports and logical units that do not answer.
    pub lost_storage: Whole<BTreeSet<String>>,
    /// Hosts, by their names, with what only they do not get through to.
    #[serde(default)]
    pub lost_ways: Whole<BTreeSet<(String, String)>>,
    /// Servers, exports and logical units that answer late, with how late, in milliseconds.
    #[serde(default)]
    pub slow_storage: Whole<BTreeMap<String, u64>>,
    /// What services of images took in, by their addresses.
    #[serde(default)]
    pub images: Whole<BTreeMap<String, Vec<ImageFacts>>>,
    /// By time and number.
    #[serde(with = "pairs")]
    pub timers: Kept<(u64, u64), Timer>,
    pub next_timer: u64,
    /// The estate's faults that were planned; none where nobody has remembered.
    #[serde(default)]
    pub planned: Option<Vec<Fault>>,
    pub done: Latest<(StepKey, Reply), MAX_REMEMBERED_STEPS>,

    // Indexes, computed when the world is read.
    #[serde(skip)]
    pub done_index: BTreeMap<StepKey, Reply>,
    #[serde(skip)]
    pub in_flight: BTreeMap<StepKey, u64>,
    #[serde(skip)]
    pub host_names: BTreeMap<Uuid, String>,
    /// What takes each host's memory and ports.
    #[serde(skip)]
    pub crowds: BTreeMap<Uuid, Crowd>,
    /// Running virtual machines that use a volume.
    #[serde(skip)]
    pub users: BTreeMap<VolumeRef, BTreeSet<Uuid>>,
}

/// What has become otherwise in the world since it was last written down.
#[derive(Serialize, Deserialize)]
pub struct Changed {
    now_ms: u64,
    draws: u64,
    next_timer: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hosts: Changes<String, Host>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    domains: Changes<Uuid, Domain>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    volumes: Changes<VolumeRef, VolumeFacts>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    vms: Changes<Uuid, Vm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    saved: Changes<Uuid, Saved>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    down: Changes<u64, VmReport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spms: Option<BTreeMap<Uuid, Uuid>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost_storage: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost_ways: Option<BTreeSet<(String, String)>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slow_storage: Option<BTreeMap<String, u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    images: Option<BTreeMap<String, Vec<ImageFacts>>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    timers: Changes<(u64, u64), Timer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    done: Vec<(StepKey, Reply)>,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Host {
    /// The engine's id, once bound.
    pub id: Option<Uuid>,
    pub installed: bool,
    pub life: Life,
    pub booted_ms: u64,
    /// Counts changes of life, so that timers of an earlier life are known as such.
    pub epoch: u64,
    pub deaths: u64,
    /// What lies upon its interfaces now.
    #[serde(default)]
    pub laid: Laid,
    /// What will after a reboot.
    #[serde(default)]
    pub saved: Laid,
    /// Interfaces whose link is not as on the estate.
    #[serde(default)]
    pub turned_links: BTreeSet<String>,
    /// How often each interface's link went down; what was on its way then is an error.
    #[serde(default)]
    pub link_losses: BTreeMap<String, u64>,
    /// Whether it looks for equal pages of memory, uses huge ones, and takes memory back from guests.
    #[serde(default)]
    pub ksm: bool,
    #[serde(default)]
    pub huge_pages: bool,
    #[serde(default)]
    pub ballooning: bool,
    /// The agents whose power supplies are off.
    #[serde(default)]
    pub unsupplied: BTreeSet<String>,
    /// Whether the next set-up of networks cuts it off.
    #[serde(default)]
    pub cut_next: bool,
    pub targets: Vec<TargetFacts>,
    /// Active storage domains.
    pub domains: BTreeSet<Uuid>,
}

/// Bonds and networks of a host.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Laid {
    pub bonds: Vec<BondSpec>,
    pub networks: Vec<NetworkAttachment>,
}

#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Running,
    /// It runs what it ran, and nothing reaches it.
    Cut,
    /// Powered, but it does not answer.
    Dead,
    Off,
    Booting,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Domain {
    pub facts: DomainFacts,
    pub places: Vec<Place>,
    /// What volumes and saved memory take.
    pub allocated_bytes: u64,
}

/// A piece of storage on the estate.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `server:path` or the id of a logical unit.
    pub key: String,
    /// Who serves it; empty for what is local or Fibre Channel.
    pub server: String,
    /// The other servers that it is behind as well.
    #[serde(default)]
    pub others: Vec<String>,
    /// The host, where only that one has it.
    pub host: Option<Uuid>,
    pub size_bytes: u64,
    pub used_bytes: u64,
    /// Whether it is a block device.
    pub block: bool,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Vm {
    pub spec: VmSpec,
    pub host: Uuid,
    pub state: VmState,
    /// Counts changes of state, so that timers of an earlier one are known as such.
    pub epoch: u64,
    pub launched_ms: u64,
    pub migrating_to: Option<Uuid>,
    pub guest: Option<GuestFacts>,
    pub port: u16,
    pub frozen: bool,
    /// The hash of the console's password, and the time until which it is good.
    #[serde(default)]
    pub ticket_hash: Option<(String, u64)>,
}

#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
pub struct Saved {
    pub domain: Uuid,
    pub bytes: u64,
}

/// What happens when a time has come.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub enum Timer {
    /// A call is finished: now it is done, or fails.
    DriverCall {
        id: OperationId,
        call: DriverCall,
    },
    HostBooted {
        name: String,
        epoch: u64,
    },
    HeartbeatLost {
        name: String,
        deaths: u64,
    },
    Vm {
        vm: Uuid,
        epoch: u64,
        turn: Turn,
    },
    Fault(Fault),
}

/// What a virtual machine comes to by itself.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Up,
    ShutDown,
    Saved { domain: Uuid },
    Migrated { percent: u8 },
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(estate: &Estate) -> World {
        let mut world = World { planned: Some(Vec::new()), ..World::default() };
        world.fit(estate);
        world
    }

    /// Computes the indexes, and takes in what the estate has and the world has not.
    pub fn fit(&mut self, estate: &Estate) {
        for entry in &estate.hosts {
            let new = || Host {
                id: None,
                installed: false,
                life: Life::Running,
                booted_ms: 0,
                epoch: 0,
                deaths: 0,
                laid: Laid::default(),
                saved: Laid::default(),
                turned_links: BTreeSet::new(),
                link_losses: BTreeMap::new(),
                ksm: false,
                ballooning: false,
                huge_pages: false,
                unsupplied: BTreeSet::new(),
                cut_next: false,
                targets: Vec::new(),
                domains: BTreeSet::new(),
            };
            if !self.hosts.contains_key(&entry.name) {
                self.hosts.insert(entry.name.clone(), new());
            }
        }
        let planned = self.planned.replace(estate.faults.clone());
        let new = |fault: &&Fault| planned.as_ref().is_some_and(|planned| !planned.contains(fault));
        for fault in estate.faults.iter().filter(new) {
            // What was to happen already happens at once.
            self.schedule_at(fault.at_ms, Timer::Fault(fault.clone()));
        }
        self.hosts.retain(|name, _| estate.hosts.iter().any(|entry| entry.name == *name));
        self.host_names = self.hosts.iter().filter_map(|(name, host)| Some((host.id?, name.clone()))).collect();
        // Nobody waits any more for what only reads.
        self.timers.retain(|_, timer| !matches!(timer, Timer::DriverCall { call, .. } if call.only_reads()));
        for ((_, number), timer) in self.timers.iter() {
            if let Timer::DriverCall { id, call } = timer {
                self.in_flight.insert((*id, call.step()), *number);
            }
        }
        self.done_index = self.done.iter().cloned().collect();
        let host_names = &self.host_names;
        self.vms.retain(|_, vm| host_names.contains_key(&vm.host));
        for vm in self.vms.values().cloned().collect::<Vec<_>>() {
            self.index(&vm);
        }
    }

    /// Lets something happen at a time of the estate; returns its number.
    pub fn schedule_at(&mut self, due_ms: u64, timer: Timer) -> u64 {
        self.next_timer += 1;
        self.timers.insert((due_ms, self.next_timer), timer);
        self.next_timer
    }

    /// Lets something happen some milliseconds from now; returns its number.
    pub fn schedule(&mut self, after_ms: u64, timer: Timer) -> u64 {
        self.schedule_at(self.now_ms.saturating_add(after_ms), timer)
    }

    /// Remembers that a step was done.
    pub fn remember(&mut self, key: StepKey, reply: Reply) {
        self.done_index.insert(key, reply.clone());
        if let Some((oldest, _)) = self.done.push((key, reply)) {
            self.done_index.remove(&oldest);
        }
    }

    /// Remembers a virtual machine that went down by itself.
    pub fn remember_down(&mut self, report: VmReport) {
        let number = self.down.last_key_value().map_or(0, |(last, _)| last + 1);
        self.down.insert(number, report);
        while self.down.len() > MAX_DOWN_REPORTS {
            self.down.pop_first_if(|_| true);
        }
    }

    /// What has become otherwise since this was last asked.
    pub fn take_changes(&mut self) -> Changed {
        Changed {
            now_ms: self.now_ms,
            draws: self.draws,
            next_timer: self.next_timer,
            hosts: self.hosts.take_changes(),
            domains: self.domains.take_changes(),
            volumes: self.volumes.take_changes(),
            vms: self.vms.take_changes(),
            saved: self.saved.take_changes(),
            down: self.down.take_changes(),
            spms: self.spms.take_change(),
            lost_storage: self.lost_storage.take_change(),
            lost_ways: self.lost_ways.take_change(),
            slow_storage: self.slow_storage.take_change(),
            images: self.images.take_change(),
            timers: self.timers.take_changes(),
            done: self.done.take_changes(),
        }
    }

    /// Takes in what became otherwise. The indexes are computed behind the last of it.
    pub fn apply(&mut self, changed: Changed) {
        (self.now_ms, self.draws, self.next_timer) = (changed.now_ms, changed.draws, changed.next_timer);
        self.hosts.apply(changed.hosts);
        self.domains.apply(changed.domains);
        self.volumes.apply(changed.volumes);
        self.vms.apply(changed.vms);
        self.saved.apply(changed.saved);
        self.down.apply(changed.down);
        self.spms.apply(changed.spms);
        self.lost_storage.apply(changed.lost_storage);
        self.lost_ways.apply(changed.lost_ways);
        self.slow_storage.apply(changed.slow_storage);
        self.images.apply(changed.images);
        self.timers.apply(changed.timers);
        self.done.apply(changed.done);
    }

    pub fn insert_vm(&mut self, vm: Vm) {
        self.index(&vm);
        self.vms.insert(vm.spec.id, vm);
    }

    pub fn remove_vm(&mut self, id: Uuid) -> Option<Vm> {
        let vm = self.vms.remove(&id)?;
        for host in [Some(vm.host), vm.migrating_to].into_iter().flatten() {
            if let Some(crowd) = self.crowds.get_mut(&host) {
                crowd.remove(&vm.spec);
            }
        }
        if let Some(crowd) = self.crowds.get_mut(&vm.host) {
            crowd.ports.release(vm.port);
        }
        for volume in volumes_of(&vm.spec) {
            if let Some(users) = self.users.get_mut(&volume) {
                users.remove(&id);
                if users.is_empty() {
                    self.users.remove(&volume);
                }
            }
        }
        Some(vm)
    }

    /// Changes a virtual machine in a way that the indexes must know of.
    pub fn change_vm(&mut self, id: Uuid, change: impl FnOnce(&mut Vm)) {
        if let Some(mut vm) = self.remove_vm(id) {
            change(&mut vm);
            self.insert_vm(vm);
        }
    }

    fn index(&mut self, vm: &Vm) {
        for host in [Some(vm.host), vm.migrating_to].into_iter().flatten() {
            self.crowds.entry(host).or_default().add(&vm.spec);
        }
        self.crowds.entry(vm.host).or_default().ports.take(vm.port);
        for volume in volumes_of(&vm.spec) {
            self.users.entry(volume).or_default().insert(vm.spec.id);
        }
    }

    /// The volumes of one disk.
    pub fn disk(&self, domain: Uuid, disk: Uuid) -> impl Iterator<Item = &VolumeFacts> {
        let first = VolumeRef { domain, disk, volume: Uuid::nil() };
        let last = VolumeRef { domain, disk, volume: Uuid::max() };
        self.volumes.range(first..=last).map(|(_, facts)| facts)
    }
}

/// The uppermost volumes of a virtual machine's disks.
pub fn volumes_of(spec: &VmSpec) -> impl Iterator<Item = VolumeRef> {
    spec.disks.iter().filter_map(|disk| match disk.source {
        DiskSource::Volume(volume) => Some(volume),
        DiskSource::Lun(_) => None,
    })
}

/// Maps whose keys are no text, as lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Kept;

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(map: &Kept<K, V>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter())
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<Kept<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect::<BTreeMap<K, V>>().into())
    }
}

/// What is numbered in its order, as pairs; it once was written without the numbers.
mod numbered {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer};

    use super::Kept;

    pub use super::pairs::serialize;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written<V> {
        Numbered(Vec<(u64, V)>),
        Bare(Vec<V>),
    }

    pub fn deserialize<'de, V: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Kept<u64, V>, D::Error> {
        let entries: BTreeMap<u64, V> = match Written::deserialize(deserializer)? {
            Written::Numbered(pairs) => pairs.into_iter().collect(),
            Written::Bare(values) => (0..).zip(values).collect(),
        };
        Ok(entries.into())
    }
}
