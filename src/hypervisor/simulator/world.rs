//! What the simulated world remembers: the part of it that outlives the engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
    pub hosts: BTreeMap<String, Host>,
    pub domains: BTreeMap<Uuid, Domain>,
    #[serde(with = "pairs")]
    pub volumes: BTreeMap<VolumeRef, VolumeFacts>,
    /// Running ones only.
    pub vms: BTreeMap<Uuid, Vm>,
    pub saved: BTreeMap<Uuid, Saved>,
    pub down: VecDeque<VmReport>,
    /// The pool manager's host, by data center.
    pub spms: BTreeMap<Uuid, Uuid>,
    /// Servers, exports and logical units that do not answer.
    pub lost_storage: BTreeSet<String>,
    /// Hosts, by their names, with what only they do not get through to.
    #[serde(default)]
    pub lost_ways: BTreeSet<(String, String)>,
    /// Servers, exports and logical units that answer late, with how late, in milliseconds.
    #[serde(default)]
    pub slow_storage: BTreeMap<String, u64>,
    /// What services of images took in, by their addresses.
    #[serde(default)]
    pub images: BTreeMap<String, Vec<ImageFacts>>,
    /// By time and number.
    #[serde(with = "pairs")]
    pub timers: BTreeMap<(u64, u64), Timer>,
    pub next_timer: u64,
    /// The estate's faults that were planned; none where nobody has remembered.
    #[serde(default)]
    pub planned: Option<Vec<Fault>>,
    pub done: VecDeque<(StepKey, Reply)>,

    // Indexes, computed when the world is read.
    #[serde(skip)]
    pub done_index: BTreeMap<StepKey, Reply>,
    #[serde(skip)]
    pub in_flight: BTreeMap<StepKey, u64>,
    #[serde(skip)]
    pub host_names: BTreeMap<Uuid, String>,
    /// Virtual machines that take a host's memory, those that migrate to it included.
    #[serde(skip)]
    pub residents: BTreeMap<Uuid, BTreeSet<Uuid>>,
    /// Running virtual machines that use a volume.
    #[serde(skip)]
    pub users: BTreeMap<VolumeRef, BTreeSet<Uuid>>,
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
    /// The console's password and the time until which it is good.
    pub ticket: Option<(String, u64)>,
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
    Call {
        id: OperationId,
        call: Call,
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
            self.hosts.entry(entry.name.clone()).or_insert(Host {
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
            });
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
        self.timers.retain(|_, timer| !matches!(timer, Timer::Call { call, .. } if call.only_reads()));
        for ((_, number), timer) in &self.timers {
            if let Timer::Call { id, call } = timer {
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
        self.done.push_back((key, reply));
        if self.done.len() > MAX_REMEMBERED_STEPS
            && let Some((oldest, _)) = self.done.pop_front()
        {
            self.done_index.remove(&oldest);
        }
    }

    pub fn insert_vm(&mut self, vm: Vm) {
        self.index(&vm);
        self.vms.insert(vm.spec.id, vm);
    }

    pub fn remove_vm(&mut self, id: Uuid) -> Option<Vm> {
        let vm = self.vms.remove(&id)?;
        for host in [Some(vm.host), vm.migrating_to].into_iter().flatten() {
            if let Some(residents) = self.residents.get_mut(&host) {
                residents.remove(&id);
            }
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
            self.residents.entry(host).or_default().insert(vm.spec.id);
        }
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

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
