//! What storage does: exports, logical units, storage domains and volumes.

use uuid::Uuid;

use super::machine::{Machine, exists, not_found};
use super::world::{Domain, Host, Place, volumes_of};
use crate::hypervisor::estate::{Export, FileEntry, FileServer, LunEntry, PortalEntry, TargetEntry};
use crate::hypervisor::*;

/// What an empty sparse volume takes of a file system.
const SPARSE_FILE_BYTES: u64 = 196_616;
/// What an empty sparse volume takes of block storage.
const SPARSE_BLOCK_BYTES: u64 = 1 << 30;

impl Machine {
    fn domain(&self, domain: Uuid) -> Result<&Domain, DriverError> {
        self.world.domains.get(&domain).ok_or_else(|| not_found("storage domain", domain))
    }

    /// A storage domain that can be written to.
    fn live_domain(&self, domain: Uuid) -> Result<&Domain, DriverError> {
        let found = self.domain(domain)?;
        self.answers(&found.places)?;
        Ok(found)
    }

    pub(super) fn domain_space(&self, id: Uuid) -> Outcome {
        self.live_domain(id).map(|domain| Reply::Space(space(domain)))
    }

    pub(super) fn check_storage(&self, host: Uuid, storage: &StorageSpec) -> Outcome {
        let places = self.locate(host, storage)?;
        let existing = self.domain_upon(&places);
        let empty = || Space {
            available_bytes: places.iter().map(|place| place.size_bytes - place.used_bytes).sum(),
            used_bytes: places.iter().map(|place| place.used_bytes).sum(),
        };
        Ok(Reply::Storage(StorageFacts {
            space: existing.map_or_else(empty, space),
            existing: existing.map(|domain| domain.facts.clone()),
            luns: places.iter().filter_map(|place| self.lun_at(&place.key)).collect(),
        }))
    }

    pub(super) fn create_domain(&mut self, host: Uuid, storage: &StorageSpec, facts: DomainFacts, overwrite: bool) -> Outcome {
        let places = self.locate(host, storage)?;
        let id = facts.domain;
        if let Some(known) = self.world.domains.get(&id) {
            let same = known.places == places && known.facts.name == facts.name;
            return if same { Ok(Reply::Space(space(known))) } else { Err(exists("storage domain", id)) };
        }
        while let Some(there) = self.domain_upon(&places).map(|domain| domain.facts.domain) {
            if !overwrite {
                return Err(DriverError::Refused(Refusal::StorageInUse));
            }
            self.check_unused(there, |_| true)?;
            self.wipe(there);
        }
        let domain = Domain { facts, places, allocated_bytes: 0 };
        let reply = Reply::Space(space(&domain));
        self.world.domains.insert(id, domain);
        Ok(reply)
    }

    pub(super) fn attach_domain(&mut self, host: Uuid, pool: Uuid, id: Uuid) -> Outcome {
        self.running(host)?;
        let class = self.live_domain(id)?.facts.class;
        let Some(domain) = self.world.domains.get_mut(&id) else {
            return Err(not_found("storage domain", id));
        };
        // Only an ISO domain may serve several data centers; it is not told of them.
        if class == DomainClass::Iso {
            return Ok(Reply::Done);
        }
        match domain.facts.pool {
            Some(other) if other != pool => Err(DriverError::Refused(Refusal::DomainAttached)),
            _ => {
                domain.facts.pool = Some(pool);
                Ok(Reply::Done)
            }
        }
    }

    pub(super) fn detach_domain(&mut self, host: Uuid, pool: Uuid, id: Uuid) -> Outcome {
        self.running(host)?;
        // An ISO domain is not told of its data centers.
        if self.live_domain(id)?.facts.class == DomainClass::Iso {
            return Ok(Reply::Done);
        }
        self.check_unused(id, |_| true)?;
        let Some(domain) = self.world.domains.get_mut(&id) else {
            return Err(not_found("storage domain", id));
        };
        if domain.facts.pool != Some(pool) {
            return Err(DriverError::Refused(Refusal::DomainNotAttached));
        }
        domain.facts.pool = None;
        Ok(Reply::Done)
    }

    pub(super) fn activate_domain(&mut self, hosts: &[Uuid], id: Uuid, storage: &StorageSpec) -> Outcome {
        let mut failed = Vec::new();
        for host in hosts {
            match self.connect_domain(*host, id, storage) {
                Ok(()) => {}
                Err(error) if hosts.len() == 1 => return Err(error),
                Err(error) => failed.push((*host, error)),
            }
        }
        match failed.first() {
            Some((_, error)) if failed.len() == hosts.len() => Err(error.clone()),
            _ => Ok(Reply::Activated { space: space(self.domain(id)?), failed }),
        }
    }

    fn connect_domain(&mut self, host: Uuid, id: Uuid, storage: &StorageSpec) -> Result<(), DriverError> {
        let places = self.locate(host, storage)?;
        if self.domain(id)?.places != places {
            return Err(not_found("storage domain", id));
        }
        self.running_mut(host)?.domains.insert(id);
        Ok(())
    }

    pub(super) fn deactivate_domain(&mut self, hosts: &[Uuid], id: Uuid) -> Outcome {
        self.domain(id)?;
        let there = |host: &Uuid| hosts.contains(host);
        self.check_unused(id, there)?;
        let connected = |host: &Host| host.domains.contains(&id) && host.id.as_ref().is_some_and(there);
        self.world.hosts.change_where(connected, |host| _ = host.domains.remove(&id));
        Ok(Reply::Done)
    }

    pub(super) fn upgrade_domain(&mut self, host: Uuid, id: Uuid, format: StorageFormat) -> Outcome {
        self.check_active(host, id)?;
        if let Some(domain) = self.world.domains.get_mut(&id) {
            domain.facts.format = domain.facts.format.max(format);
        }
        Ok(Reply::Done)
    }

    pub(super) fn extend_domain(&mut self, host: Uuid, id: Uuid, storage: &StorageSpec) -> Outcome {
        let places = self.locate(host, storage)?;
        let known = self.live_domain(id)?.places.clone();
        if !places.starts_with(&known) {
            return Err(not_found("storage domain", id));
        }
        if self.domain_upon(&places[known.len()..]).is_some() {
            return Err(DriverError::Refused(Refusal::StorageInUse));
        }
        let Some(domain) = self.world.domains.get_mut(&id) else {
            return Err(not_found("storage domain", id));
        };
        domain.places = places;
        let space = space(domain);
        if domain.places.len() > known.len() {
            self.tell(Observation::DomainSpace { domain: id, space });
        }
        Ok(Reply::Space(space))
    }

    pub(super) fn format_domain(&mut self, host: Uuid, id: Uuid) -> Outcome {
        self.running(host)?;
        if self.live_domain(id)?.facts.pool.is_some() {
            return Err(DriverError::Refused(Refusal::DomainAttached));
        }
        self.check_unused(id, |_| true)?;
        self.wipe(id);
        Ok(Reply::Done)
    }

    /// Takes a storage domain with all that it holds away.
    fn wipe(&mut self, id: Uuid) {
        self.world.domains.remove(&id);
        self.world.volumes.retain(|volume, _| volume.domain != id);
        self.world.saved.retain(|_, saved| saved.domain != id);
        self.world.hosts.change_where(|host| host.domains.contains(&id), |host| _ = host.domains.remove(&id));
    }

    /// Whether a storage domain can be read.
    pub(super) fn check_readable(&self, domain: Uuid) -> Result<(), DriverError> {
        self.live_domain(domain).map(drop)
    }

    /// No virtual machine that runs on such hosts has a disk or a CD there.
    fn check_unused(&self, id: Uuid, there: impl Fn(&Uuid) -> bool) -> Result<(), DriverError> {
        let by_disk = |vm: &super::world::Vm| volumes_of(&vm.spec).any(|volume| volume.domain == id);
        let by_file =
            |vm: &super::world::Vm| [&vm.spec.cdrom, &vm.spec.floppy].into_iter().flatten().any(|file| file.domain == id);
        match self.world.vms.values().any(|vm| there(&vm.host) && (by_disk(vm) || by_file(vm))) {
            true => Err(DriverError::Refused(Refusal::DomainInUse)),
            false => Ok(()),
        }
    }

    pub(super) fn files(&self, id: Uuid) -> Result<Vec<FileFacts>, DriverError> {
        let domain = self.live_domain(id)?;
        if domain.facts.class != DomainClass::Iso {
            return Ok(Vec::new());
        }
        let mut files: Vec<FileFacts> = (domain.places.iter().flat_map(|place| self.files_at(place)))
            .map(|file| FileFacts { name: file.name.clone(), size_bytes: file.size_bytes })
            .collect();
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(files)
    }

    fn files_at(&self, place: &Place) -> &[FileEntry] {
        let estate = &self.estate;
        let servers = estate.nfs.iter().chain(&estate.posixfs).chain(&estate.glusterfs);
        let mut exports = servers.flat_map(|server| server.exports.iter().map(move |export| (server, export)));
        let found = exports.find(|(server, export)| key_of(&server.address, &export.path) == place.key);
        found.map_or(&[], |(_, export)| &export.files)
    }

    /// A file that a virtual machine wants to have on a host.
    pub(super) fn check_file(&self, host: Uuid, file: &FileRef) -> Result<(), DriverError> {
        self.check_active(host, file.domain)?;
        match self.files(file.domain)?.iter().any(|known| known.name == file.name) {
            true => Ok(()),
            false => Err(not_found("file", &file.name)),
        }
    }

    /// A storage domain that a virtual machine wants to use on a host.
    pub(super) fn check_active(&self, host: Uuid, domain: Uuid) -> Result<(), DriverError> {
        if !self.running(host)?.domains.contains(&domain) {
            return Err(DriverError::Refused(Refusal::DomainNotActive));
        }
        self.check_reach(host, domain)
    }

    /// Whether a host gets through to a storage domain.
    pub(super) fn check_reach(&self, host: Uuid, domain: Uuid) -> Result<(), DriverError> {
        self.answers_to(host, &self.domain(domain)?.places)
    }

    pub(super) fn discover_targets(&self, host: Uuid, portal: &Portal, chap: Option<(String, String)>) -> Outcome {
        self.running(host)?;
        let found = self.estate.iscsi.iter().find(|entry| entry.portal() == *portal);
        let unreachable = || DriverError::Unreachable { address: portal.address.clone() };
        let entry = found.filter(|entry| !self.is_cut(Some(host), &entry.address)).ok_or_else(unreachable)?;
        if chap.is_some() && entry.chap.is_some() && entry.chap != chap {
            return Err(DriverError::WrongPassword { address: portal.address.clone() });
        }
        let facts = |iqn: &String| TargetFacts { iqn: iqn.clone(), portal: portal.clone() };
        Ok(Reply::Targets(entry.targets.iter().map(|target| facts(&target.iqn)).collect()))
    }

    pub(super) fn login_target(&mut self, host: Uuid, portal: Portal, iqn: String, chap: Option<(String, String)>) -> Outcome {
        let Reply::Targets(targets) = self.discover_targets(host, &portal, None)? else {
            return Ok(Reply::Done);
        };
        let target = TargetFacts { iqn, portal };
        if !targets.contains(&target) {
            return Err(DriverError::NoSuchExport { storage: target.iqn });
        }
        let wanted = self.estate.iscsi.iter().find(|entry| entry.portal() == target.portal);
        if wanted.is_some_and(|entry| entry.chap.is_some() && entry.chap != chap) {
            return Err(DriverError::WrongPassword { address: target.portal.address });
        }
        let host = self.running_mut(host)?;
        if !host.targets.contains(&target) {
            host.targets.push(target);
        }
        Ok(Reply::Done)
    }

    /// A logical unit as hosts see it, by its number in its target.
    fn lun_facts(&self, (number, lun): (usize, &LunEntry), target: Option<TargetFacts>) -> LunFacts {
        LunFacts {
            id: lun.id.clone(),
            number: number as u32,
            size_bytes: lun.size_bytes,
            vendor: lun.vendor.clone(),
            product: lun.product.clone(),
            serial: lun.serial.clone(),
            target,
            domain: self.domain_at(&lun.id),
        }
    }

    /// The logical unit of an id, by the first way to it.
    fn lun_at(&self, id: &str) -> Option<LunFacts> {
        let behind = self.estate.iscsi.iter().flat_map(|portal| portal.targets.iter().map(move |entry| (portal, entry)));
        let ways = behind.map(|(portal, entry)| {
            let target = TargetFacts { iqn: entry.iqn.clone(), portal: portal.portal() };
            (&entry.luns, Some(target))
        });
        ways.chain([(&self.estate.fcp_luns, None)]).find_map(|(luns, target)| {
            let numbered = luns.iter().enumerate().find(|(_, lun)| lun.id == id)?;
            Some(self.lun_facts(numbered, target))
        })
    }

    pub(super) fn list_luns(&self, id: Uuid) -> Outcome {
        let host = self.running(id)?;
        let facts = |numbered: (usize, &LunEntry), target: Option<TargetFacts>| self.lun_facts(numbered, target);
        let mut luns: Vec<LunFacts> = self.estate.fcp_luns.iter().enumerate().map(|numbered| facts(numbered, None)).collect();
        for portal in &self.estate.iscsi {
            for entry in &portal.targets {
                let target = TargetFacts { iqn: entry.iqn.clone(), portal: portal.portal() };
                if host.targets.contains(&target) && !self.is_cut(Some(id), &portal.address) {
                    let further = entry.luns.iter().enumerate().map(|numbered| facts(numbered, Some(target.clone())));
                    let further: Vec<_> = further.filter(|lun| !luns.iter().any(|known| known.id == lun.id)).collect();
                    luns.extend(further);
                }
            }
        }
        Ok(Reply::Luns(luns))
    }

    fn domain_at(&self, key: &str) -> Option<Uuid> {
        let lies_there = |domain: &&Domain| domain.places.iter().any(|place| place.key == key);
        self.world.domains.values().find(lies_there).map(|domain| domain.facts.domain)
    }

    fn domain_upon(&self, places: &[Place]) -> Option<&Domain> {
        let lies_there = |place: &Place| places.iter().any(|other| other.key == place.key && other.host == place.host);
        self.world.domains.values().find(|domain| domain.places.iter().any(lies_there))
    }

    /// Finds storage as one host sees it.
    fn locate(&self, host: Uuid, storage: &StorageSpec) -> Result<Vec<Place>, DriverError> {
        self.running(host)?;
        let places = match storage {
            StorageSpec::Nfs { address, path } => vec![at_server(&self.estate.nfs, address, path)?],
            StorageSpec::PosixFs { address, path, .. } => {
                let (address, path) = split_mount(address.as_deref(), path);
                vec![at_server(&self.estate.posixfs, address, path)?]
            }
            StorageSpec::GlusterFs { address, path } => {
                let (address, path) = split_mount(address.as_deref(), path);
                vec![at_server(&self.estate.glusterfs, address, path)?]
            }
            StorageSpec::LocalFs { path } => {
                let export = self.entry(host)?.local.iter().find(|export| export.path == *path);
                let export = export.ok_or_else(|| DriverError::NoSuchExport { storage: path.clone() })?;
                vec![Place { host: Some(host), ..file_place("", export) }]
            }
            StorageSpec::Iscsi { luns } => luns.iter().map(|lun| self.iscsi_place(lun)).collect::<Result<_, _>>()?,
            StorageSpec::Fcp { luns } => {
                let find = |id: &String| {
                    let lun = self.estate.fcp_luns.iter().find(|lun| lun.id == *id);
                    let lun = lun.ok_or_else(|| DriverError::NoSuchExport { storage: id.clone() })?;
                    Ok(block_place("", lun))
                };
                luns.iter().map(find).collect::<Result<_, _>>()?
            }
        };
        if places.is_empty() {
            return Err(DriverError::NoSuchExport { storage: "without logical units".to_owned() });
        }
        self.answers_to(host, &places)?;
        Ok(places)
    }

    /// Finds a logical unit by its id, and by the way to it where one is given. Portals that have the same unit are several ways to it.
    pub(super) fn iscsi_place(&self, lun: &LunSpec) -> Result<Place, DriverError> {
        if let Some(portal) = &lun.portal
            && !self.estate.iscsi.iter().any(|entry| entry.portal() == *portal)
        {
            return Err(DriverError::Unreachable { address: portal.address.clone() });
        }
        let has = |target: &&TargetEntry| target.luns.iter().any(|found| found.id == lun.id);
        let meant = |portal: &PortalEntry, target: &TargetEntry| {
            lun.portal.as_ref().is_none_or(|wanted| *wanted == portal.portal())
                && lun.target.as_ref().is_none_or(|wanted| *wanted == target.iqn)
        };
        let iscsi = &self.estate.iscsi;
        let ways = || iscsi.iter().flat_map(|portal| portal.targets.iter().filter(has).map(move |target| (portal, target)));
        if ways().any(|(portal, target)| meant(portal, target)) {
            let found = ways().flat_map(|(_, target)| &target.luns).find(|found| found.id == lun.id);
            let found = found.ok_or_else(|| DriverError::NoSuchExport { storage: lun.id.clone() })?;
            let mut portals = ways().map(|(portal, _)| portal.address.clone());
            let server = portals.next().unwrap_or_default();
            return Ok(Place { others: portals.collect(), ..block_place(&server, found) });
        }
        let fcp = self.estate.fcp_luns.iter().find(|found| found.id == lun.id && lun.portal.is_none());
        fcp.map(|found| block_place("", found)).ok_or_else(|| DriverError::NoSuchExport { storage: lun.id.clone() })
    }

    fn answers(&self, places: &[Place]) -> Result<(), DriverError> {
        self.answer(None, places)
    }

    fn answers_to(&self, host: Uuid, places: &[Place]) -> Result<(), DriverError> {
        self.answer(Some(host), places)
    }

    fn answer(&self, host: Option<Uuid>, places: &[Place]) -> Result<(), DriverError> {
        let is_cut = |storage: &String| self.is_cut(host, storage);
        match places.iter().find(|place| is_cut(&place.key) || (is_cut(&place.server) && place.others.iter().all(is_cut))) {
            Some(place) => Err(DriverError::Unreachable { address: place.key.clone() }),
            None => Ok(()),
        }
    }

    /// Whether a piece of storage answers nobody, or not this host.
    fn is_cut(&self, host: Option<Uuid>, storage: &str) -> bool {
        let lost = |host: &str| self.world.lost_ways.contains(&(host.to_owned(), storage.to_owned()));
        self.world.lost_storage.contains(storage)
            || (!self.world.lost_ways.is_empty()
                && host.and_then(|host| self.world.host_names.get(&host)).is_some_and(|name| lost(name)))
    }

    /// The active domains that hosts do not get through to, with the hosts.
    fn missed(&self) -> Vec<(Uuid, Uuid)> {
        let domains = self.world.domains.keys();
        let pairs = domains.flat_map(|domain| self.hosts_of(*domain).into_iter().map(|host| (*domain, host)));
        pairs.filter(|(domain, host)| self.check_reach(*host, *domain).is_err()).collect()
    }

    /// Storage answers late from now on; by nothing where it answers in time again.
    pub fn slow_storage(&mut self, target: &str, delay_ms: u64) {
        let target = self.canonical(target);
        let before: Vec<(Uuid, u64)> = self.world.domains.keys().map(|domain| (*domain, self.delay_ms(*domain))).collect();
        match delay_ms {
            0 => _ = self.world.slow_storage.remove(&target),
            late => _ = self.world.slow_storage.insert(target, late),
        }
        for (domain, before_ms) in before {
            let delay_ms = self.delay_ms(domain);
            for host in self.hosts_of(domain).into_iter().filter(|_| delay_ms != before_ms) {
                self.tell(Observation::DomainDelay { host, domain, delay_ms });
            }
        }
    }

    /// How late a storage domain answers: as late as the latest of what it lies upon.
    pub(super) fn delay_ms(&self, domain: Uuid) -> u64 {
        let slow = &self.world.slow_storage;
        let places = self.world.domains.get(&domain).into_iter().flat_map(|domain| &domain.places);
        places.flat_map(|place| [slow.get(&place.key), slow.get(&place.server)]).flatten().copied().max().unwrap_or_default()
    }

    /// How much longer a call takes as storage is slow.
    pub(super) fn delay_of(&self, call: &DriverCall) -> u64 {
        if self.world.slow_storage.is_empty() {
            return 0;
        }
        match call {
            DriverCall::ActivateDomain { domain, .. }
            | DriverCall::DomainSpace { domain }
            | DriverCall::DeleteDisk { domain, .. } => self.delay_ms(*domain),
            DriverCall::CreateVolume { volume, .. }
            | DriverCall::DeleteVolume { volume }
            | DriverCall::ExtendVolume { volume, .. } => self.delay_ms(volume.domain),
            DriverCall::Launch { vm, .. } => volumes_of(vm).map(|volume| self.delay_ms(volume.domain)).max().unwrap_or_default(),
            _ => 0,
        }
    }

    /// Storage answers nobody any more, or not one host.
    pub fn lose_storage(&mut self, target: &str, host: Option<&str>) {
        let (before, target) = (self.missed(), self.canonical(target));
        match host.and_then(|host| self.estate.host_at(host)).map(|entry| entry.name.clone()) {
            Some(host) => _ = self.world.lost_ways.insert((host, target)),
            None if host.is_some() => return,
            None => _ = self.world.lost_storage.insert(target),
        }
        let lost: Vec<_> = self.missed().into_iter().filter(|pair| !before.contains(pair)).collect();
        for (domain, host) in &lost {
            self.tell(Observation::DomainUnreachable { host: *host, domain: *domain });
        }
        lost.into_iter().for_each(|(domain, host)| self.pause_users(domain, host));
    }

    /// It answers again.
    pub fn regain_storage(&mut self, target: &str, host: Option<&str>) {
        let (before, target) = (self.missed(), self.canonical(target));
        match host.and_then(|host| self.estate.host_at(host)).map(|entry| entry.name.clone()) {
            Some(host) => _ = self.world.lost_ways.remove(&(host, target)),
            None if host.is_some() => return,
            None => _ = self.world.lost_storage.remove(&target),
        }
        let still = self.missed();
        let back: Vec<_> = before.into_iter().filter(|pair| !still.contains(pair)).collect();
        for (domain, host) in &back {
            self.tell(Observation::DomainReachable { host: *host, domain: *domain });
        }
        back.into_iter().for_each(|(domain, host)| self.resume_users(domain, host));
    }

    /// A server by its address, where it was named by its name.
    fn canonical(&self, target: &str) -> String {
        let (server, path) = target.split_once(':').map_or((target, None), |(server, path)| (server, Some(path)));
        let servers = self.estate.nfs.iter().chain(&self.estate.posixfs).chain(&self.estate.glusterfs);
        let named = servers.into_iter().find(|entry| entry.name.as_deref() == Some(server));
        match (named, path) {
            (None, _) => target.to_owned(),
            (Some(entry), None) => entry.address.clone(),
            (Some(entry), Some(path)) => key_of(&entry.address, path),
        }
    }

    fn hosts_of(&self, domain: Uuid) -> Vec<Uuid> {
        let hosts = self.world.hosts.values().filter(|host| host.domains.contains(&domain));
        hosts.filter_map(|host| host.id).collect()
    }

    /// Takes room of a storage domain.
    pub(super) fn allocate(&mut self, id: Uuid, bytes: u64) -> Result<(), DriverError> {
        let available_bytes = space(self.live_domain(id)?).available_bytes;
        if bytes > available_bytes {
            return Err(DriverError::NoSpace { needed_bytes: bytes, available_bytes });
        }
        self.account(id, |allocated| allocated + bytes);
        Ok(())
    }

    pub(super) fn release(&mut self, id: Uuid, bytes: u64) {
        self.account(id, |allocated| allocated.saturating_sub(bytes));
    }

    fn account(&mut self, id: Uuid, change: impl FnOnce(u64) -> u64) {
        if let Some(domain) = self.world.domains.get_mut(&id) {
            let before = domain.allocated_bytes;
            domain.allocated_bytes = change(before);
            if domain.allocated_bytes != before {
                let space = space(domain);
                self.tell(Observation::DomainSpace { domain: id, space });
            }
        }
    }

    pub(super) fn volume(&self, volume: VolumeRef) -> Result<&VolumeFacts, DriverError> {
        self.world.volumes.get(&volume).ok_or_else(|| not_found("volume", volume.volume))
    }

    fn empty_bytes(&self, domain: Uuid, size_bytes: u64, sparse: bool) -> Result<u64, DriverError> {
        let block = self.live_domain(domain)?.places.iter().any(|place| place.block);
        Ok(match (sparse, block) {
            (false, _) => size_bytes,
            (true, true) => size_bytes.min(SPARSE_BLOCK_BYTES),
            (true, false) => size_bytes.min(SPARSE_FILE_BYTES),
        })
    }

    /// Makes a volume; its actual size is what an empty one takes, or what is given where that is more.
    pub(super) fn create_volume(&mut self, mut facts: VolumeFacts) -> Outcome {
        let id = facts.volume;
        let empty_bytes = self.empty_bytes(id.domain, facts.size_bytes, facts.sparse)?;
        facts.actual_bytes = facts.actual_bytes.max(empty_bytes);
        if let Some(known) = self.world.volumes.get(&id) {
            let same = (known.parent, known.size_bytes) == (facts.parent, facts.size_bytes);
            return if same { Ok(Reply::Volume(known.clone())) } else { Err(exists("volume", id.volume)) };
        }
        if let Some(parent) = facts.parent {
            self.volume(VolumeRef { volume: parent, ..id })?;
        }
        self.allocate(id.domain, facts.actual_bytes)?;
        self.world.volumes.insert(id, facts.clone());
        Ok(Reply::Volume(facts))
    }

    pub(super) fn delete_volume(&mut self, volume: VolumeRef) -> Outcome {
        self.live_domain(volume.domain)?;
        let bytes = self.volume(volume)?.actual_bytes;
        let has_child = self.world.disk(volume.domain, volume.disk).any(|other| other.parent == Some(volume.volume));
        if has_child || self.world.users.contains_key(&volume) {
            return Err(DriverError::Refused(Refusal::VolumeInUse));
        }
        self.world.volumes.remove(&volume);
        self.release(volume.domain, bytes);
        Ok(Reply::Done)
    }

    pub(super) fn delete_disk(&mut self, domain: Uuid, disk: Uuid) -> Outcome {
        self.live_domain(domain)?;
        let volumes: Vec<VolumeFacts> = self.world.disk(domain, disk).cloned().collect();
        if volumes.is_empty() {
            return Err(not_found("disk", disk));
        }
        if volumes.iter().any(|facts| self.world.users.contains_key(&facts.volume)) {
            return Err(DriverError::Refused(Refusal::VolumeInUse));
        }
        for facts in &volumes {
            self.world.volumes.remove(&facts.volume);
        }
        self.release(domain, volumes.iter().map(|facts| facts.actual_bytes).sum());
        Ok(Reply::Done)
    }

    pub(super) fn extend_volume(&mut self, volume: VolumeRef, size_bytes: u64) -> Outcome {
        let facts = self.volume(volume)?.clone();
        let grown_bytes = size_bytes.saturating_sub(facts.size_bytes);
        self.live_domain(volume.domain)?;
        if !facts.sparse {
            self.allocate(volume.domain, grown_bytes)?;
        }
        let taken_bytes = if facts.sparse { 0 } else { grown_bytes };
        let facts =
            VolumeFacts { size_bytes: facts.size_bytes + grown_bytes, actual_bytes: facts.actual_bytes + taken_bytes, ..facts };
        self.world.volumes.insert(volume, facts.clone());
        Ok(Reply::Volume(facts))
    }

    pub(super) fn copy_volume(&mut self, from: VolumeRef, to: VolumeRef, format: VolumeFormat, sparse: bool) -> Outcome {
        self.live_domain(from.domain)?;
        let size_bytes = self.volume(from)?.size_bytes;
        let mut written_bytes = 0u64;
        let mut layer = Some(from.volume);
        while let Some(facts) = layer.and_then(|volume| self.world.volumes.get(&VolumeRef { volume, ..from })) {
            written_bytes = written_bytes.saturating_add(facts.actual_bytes);
            layer = facts.parent;
        }
        let actual_bytes = if sparse { written_bytes.min(size_bytes) } else { size_bytes };
        self.create_volume(VolumeFacts { volume: to, parent: None, size_bytes, actual_bytes, format, sparse })
    }

    pub(super) fn merge_volume(&mut self, upper: VolumeRef) -> Outcome {
        self.live_domain(upper.domain)?;
        let facts = self.volume(upper)?.clone();
        let parent = facts.parent.ok_or_else(|| not_found("parent of volume", upper.volume))?;
        let lower = VolumeRef { volume: parent, ..upper };
        let mut below = self.volume(lower)?.clone();
        let forks = self.world.disk(upper.domain, upper.disk).filter(|other| other.parent == Some(parent)).count();
        if forks > 1 || self.world.users.contains_key(&lower) {
            return Err(DriverError::Refused(Refusal::VolumeInUse));
        }
        let before_bytes = below.actual_bytes + facts.actual_bytes;
        below.size_bytes = below.size_bytes.max(facts.size_bytes);
        below.actual_bytes = before_bytes.min(below.size_bytes.max(below.actual_bytes));
        let children: Vec<VolumeRef> = (self.world.disk(upper.domain, upper.disk))
            .filter(|other| other.parent == Some(upper.volume))
            .map(|other| other.volume)
            .collect();
        for child in children {
            if let Some(child) = self.world.volumes.get_mut(&child) {
                child.parent = Some(parent);
            }
        }
        self.world.volumes.remove(&upper);
        self.world.volumes.insert(lower, below.clone());
        for vm in self.world.users.get(&upper).cloned().unwrap_or_default() {
            self.world.change_vm(vm, |vm| exchange(&mut vm.spec, upper, lower));
        }
        self.release(upper.domain, before_bytes - below.actual_bytes);
        Ok(Reply::Volume(below))
    }

    pub(super) fn list_volumes(&self, domain: Uuid) -> Outcome {
        self.live_domain(domain)?;
        let first = VolumeRef { domain, disk: Uuid::nil(), volume: Uuid::nil() };
        let volumes = self.world.volumes.range(first..).take_while(|(volume, _)| volume.domain == domain);
        Ok(Reply::Volumes(volumes.map(|(_, facts)| facts.clone()).collect()))
    }

    pub(super) fn snapshot(&mut self, vm: Uuid, disks: &[SnapshotDisk], memory: Option<VolumeRef>) -> Outcome {
        let mut new = Vec::new();
        for disk in disks {
            let below = self.volume(VolumeRef { volume: disk.parent, ..disk.volume })?;
            new.push(VolumeFacts {
                volume: disk.volume,
                parent: Some(disk.parent),
                size_bytes: below.size_bytes,
                actual_bytes: 0,
                format: VolumeFormat::Cow,
                sparse: true,
            });
        }
        if let (Some(volume), Some(running)) = (memory, self.world.vms.get(&vm)) {
            let size_bytes = running.spec.memory_bytes;
            let format = VolumeFormat::Raw;
            new.push(VolumeFacts { volume, parent: None, size_bytes, actual_bytes: 0, format, sparse: false });
        }
        let mut made = Vec::new();
        for facts in new {
            match self.create_volume(facts) {
                Ok(Reply::Volume(facts)) => made.push(facts),
                Ok(_) => {}
                Err(error) => {
                    for facts in made.into_iter().rev() {
                        self.delete_volume(facts.volume)?;
                    }
                    return Err(error);
                }
            }
        }
        self.world.change_vm(vm, |vm| {
            for disk in disks {
                exchange(&mut vm.spec, VolumeRef { volume: disk.parent, ..disk.volume }, disk.volume);
            }
        });
        Ok(Reply::Volumes(made))
    }

    pub(super) fn revert(&mut self, vm: Uuid, volumes: &[VolumeRef]) -> Outcome {
        if self.world.vms.contains_key(&vm) {
            return Err(DriverError::Refused(Refusal::VmRuns));
        }
        for volume in volumes {
            self.volume(*volume)?;
            self.live_domain(volume.domain)?;
        }
        for volume in volumes {
            while let Some(leaf) = self.leaf_above(*volume) {
                self.delete_volume(leaf)?;
            }
        }
        Ok(Reply::Done)
    }

    /// The uppermost volume above a volume, if there is any.
    fn leaf_above(&self, volume: VolumeRef) -> Option<VolumeRef> {
        let above = |below: VolumeRef| self.world.disk(below.domain, below.disk).find(|other| other.parent == Some(below.volume));
        let mut leaf = above(volume)?.volume;
        while let Some(next) = above(leaf) {
            leaf = next.volume;
        }
        Some(leaf)
    }

    /// Running virtual machines that use a storage domain's volumes.
    pub(super) fn users_of(&self, domain: Uuid, host: Uuid) -> Vec<Uuid> {
        let uses = |vm: &&super::world::Vm| vm.host == host && volumes_of(&vm.spec).any(|volume| volume.domain == domain);
        self.world.vms.values().filter(uses).map(|vm| vm.spec.id).collect()
    }
}

/// The space of a storage domain.
fn space(domain: &Domain) -> Space {
    let size_bytes: u64 = domain.places.iter().map(|place| place.size_bytes).sum();
    let foreign_bytes: u64 = domain.places.iter().map(|place| place.used_bytes).sum();
    let used_bytes = foreign_bytes + domain.allocated_bytes;
    Space { available_bytes: size_bytes.saturating_sub(used_bytes), used_bytes }
}

/// Puts one volume in another's place.
fn exchange(spec: &mut VmSpec, from: VolumeRef, to: VolumeRef) {
    for disk in &mut spec.disks {
        if disk.source == DiskSource::Volume(from) {
            disk.source = DiskSource::Volume(to);
        }
    }
}

fn at_server(servers: &[FileServer], address: &str, path: &str) -> Result<Place, DriverError> {
    let answers = |server: &&FileServer| server.address == address || server.name.as_deref() == Some(address);
    let Some(server) = servers.iter().find(answers) else {
        return Err(DriverError::Unreachable { address: address.to_owned() });
    };
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    let export = server.exports.iter().find(|export| export.path == path);
    export
        .map(|export| file_place(&server.address, export))
        .ok_or_else(|| DriverError::NoSuchExport { storage: key_of(address, path) })
}

/// `server:/path` taken apart; a device has no server.
fn split_mount<'a>(address: Option<&'a str>, path: &'a str) -> (&'a str, &'a str) {
    match (address, path.split_once(':')) {
        (Some(address), _) if !address.is_empty() => (address, path),
        (_, Some((address, path))) => (address, path),
        (_, None) => ("", path),
    }
}

fn key_of(server: &str, path: &str) -> String {
    if server.is_empty() { path.to_owned() } else { format!("{server}:{path}") }
}

fn file_place(server: &str, export: &Export) -> Place {
    Place {
        key: key_of(server, &export.path),
        server: server.to_owned(),
        others: Vec::new(),
        host: None,
        size_bytes: export.size_bytes,
        used_bytes: export.used_bytes,
        block: false,
    }
}

fn block_place(server: &str, lun: &LunEntry) -> Place {
    Place {
        key: lun.id.clone(),
        server: server.to_owned(),
        others: Vec::new(),
        host: None,
        size_bytes: lun.size_bytes,
        used_bytes: 0,
        block: true,
    }
}
