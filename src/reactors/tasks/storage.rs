//! How the jobs of storage domains and disks are carried out.

use evirt_domain::ids::*;
use evirt_domain::image::{FinishDiskExport, StoredImage};
use evirt_domain::storage::*;
use evirt_domain::{World, disk};
use uuid::Uuid;

use super::{Carried, Work, done, strange};
use crate::hypervisor::{self as driver, DriverCall, DriverError, OperationId, Portal, Reply};
use crate::reactors::{Reactor, driver_mapping};

/// The space of an activated domain, and the hosts that could not be connected to it.
type Activated = (driver::Space, Vec<(Uuid, DriverError)>);

impl Reactor {
    /// Logs hosts in to the iSCSI targets that a domain is behind. A target that cannot be reached is an error only where no other
    /// can be: several connections are several ways.
    async fn login(&self, operation: OperationId, world: &World, domain: &StorageDomain, hosts: &[Uuid]) -> Result<(), String> {
        if domain.storage.kind != StorageKind::Iscsi {
            return Ok(());
        }
        let ways = domain.storage.connections.iter().filter_map(|id| world.storage_connections.get(id));
        let (mut open, mut failure) = (domain.storage.connections.is_empty(), String::new());
        for config in ways.map(|c| &c.config) {
            let password = match config.password.as_str() {
                "" => None,
                sealed => Some(self.sealer.unseal(sealed).map_err(|error| error.to_string())?),
            };
            for host in hosts {
                let call = DriverCall::LoginTarget {
                    host: *host,
                    portal: Portal { address: config.address.clone(), port: config.port },
                    target: config.target.clone(),
                    user: Some(config.username.clone()).filter(|user| !user.is_empty()),
                    password: password.clone(),
                };
                match self.engine.driver().call(operation, call).await {
                    Ok(_) => open = true,
                    Err(error) => failure = error.to_string(),
                }
            }
        }
        if open { Ok(()) } else { Err(failure) }
    }

    /// Makes a domain usable on hosts.
    pub(super) async fn activate_domain(
        &self,
        operation: OperationId,
        world: &World,
        domain: &StorageDomain,
        hosts: Vec<Uuid>,
    ) -> Result<Activated, String> {
        self.login(operation, world, domain, &hosts).await?;
        let storage = domain.storage.located(world);
        let storage = driver_mapping::storage_spec(&storage).ok_or("this kind of storage cannot be activated")?;
        match self.engine.driver().call(operation, DriverCall::ActivateDomain { hosts, domain: domain.id.0, storage }).await {
            Ok(Reply::Activated { space, failed }) => Ok((space, failed)),
            Ok(other) => Err(strange(&other)),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Work<'_> {
    pub(super) async fn create_domain(&self, world: &World, id: StorageDomainId, host: HostId, overwrite: bool) -> Carried {
        let domain = world.storage_domains.get(&id).ok_or("the domain is gone")?;
        self.reactor.login(self.operation, world, domain, &[host.0]).await?;
        let storage = domain.storage.located(world);
        let storage = driver_mapping::storage_spec(&storage).ok_or("this kind of storage cannot be prepared")?;
        let call = DriverCall::CreateDomain {
            host: host.0,
            domain: id.0,
            name: domain.config.name.clone(),
            storage,
            class: driver_mapping::domain_class(domain.class),
            format: driver_mapping::storage_format(domain.format),
            overwrite,
        };
        let space = match self.ask(call).await? {
            Reply::Space(space) => space,
            Reply::Storage(facts) => facts.space,
            _ => match self.ask(DriverCall::DomainSpace { domain: id.0 }).await? {
                Reply::Space(space) => space,
                _ => driver::Space::default(),
            },
        };
        done(FinishStorageDomainCreation { job: self.job, domain: id, outcome: Ok(counted(&space)) })
    }

    pub(super) async fn attach_domain(&self, id: StorageDomainId, data_center: DataCenterId) -> Carried {
        self.step("attach", async {
            let host = *self.hosts_in(data_center).first().ok_or("no host is up")?;
            self.release(id, host).await?;
            self.ask(DriverCall::AttachDomain { host, pool: data_center.0, domain: id.0 }).await.map(drop)
        })
        .await?;
        self.activate_in(id, data_center).await
    }

    /// Has a host tell a domain's storage that the domain has left a data center, where that says still that it belongs there: nobody told
    /// it when the data center was removed.
    async fn release(&self, id: StorageDomainId, host: Uuid) -> Result<(), String> {
        let world = self.reactor.engine.world();
        let domain = world.storage_domains.get(&id).ok_or("the domain is gone")?;
        let Some(storage) = driver_mapping::storage_spec(&domain.storage.located(&world)) else { return Ok(()) };
        let Reply::Storage(facts) = self.ask(DriverCall::CheckStorage { host, storage }).await? else { return Ok(()) };
        let found = facts.existing.filter(|found| found.domain == id.0).and_then(|found| found.pool);
        match found.filter(|pool| domain.has_left(&world, DataCenterId(*pool))) {
            Some(pool) => self.ask(DriverCall::DetachDomain { host, pool, domain: id.0 }).await.map(drop),
            None => Ok(()),
        }
    }

    /// The hosts of a data center that are up.
    fn hosts_in(&self, data_center: DataCenterId) -> Vec<Uuid> {
        let world = self.reactor.engine.world();
        let up = world.hosts_in(data_center).filter(|h| h.status == evirt_domain::host::HostStatus::Up);
        up.map(|h| h.id.0).collect()
    }

    /// Makes a domain usable on every host of a data center that is up, and learns how full it is and which files it has.
    pub(super) async fn activate_in(&self, id: StorageDomainId, data_center: DataCenterId) -> Carried {
        let hosts = self.hosts_in(data_center);
        let world = self.reactor.engine.world();
        let domain = world.storage_domains.get(&id).ok_or("the domain is gone")?;
        let (space, failed) = self.reactor.activate_domain(self.operation, &world, domain, hosts.clone()).await?;
        if failed.len() >= hosts.len() {
            return Err(failed.first().map_or("no host is up".into(), |(_, error)| error.to_string()));
        }
        for host in &hosts {
            self.reactor.tell_reach(domain, HostId(*host), !failed.iter().any(|(other, _)| other == host)).await;
        }
        let wanted = world.data_centers.get(&data_center).and_then(|dc| dc.storage_format);
        if let Some(format) = wanted.filter(|format| domain.class == DomainClass::Data && domain.format < *format) {
            self.upgrade(id, data_center, format).await?;
        }
        let (available, used) = counted(&space);
        self.submit(ReportDomainSpace { domain: id, available, used }).await;
        if domain.class == DomainClass::Iso
            && let Reply::Files(files) = self.ask(DriverCall::ListFiles { domain: id.0 }).await?
        {
            self.submit(ReportDomainFiles { domain: id, files: driver_mapping::domain_files(files) }).await;
        }
        self.finish_storage(id)
    }

    pub(super) async fn deactivate_domain(&self, world: &World, id: StorageDomainId, data_center: DataCenterId) -> Carried {
        let hosts = world.hosts_in(data_center).map(|h| h.id.0).collect();
        self.ask(DriverCall::DeactivateDomain { hosts, domain: id.0 }).await?;
        self.finish_storage(id)
    }

    /// Lets a host rewrite the domains of a data center that are behind a format. Those that were rewritten stay so where another fails.
    pub(super) async fn upgrade_storage(&self, world: &World, data_center: DataCenterId, format: StorageFormat) -> Carried {
        let (mut upgraded, mut failure) = (Vec::new(), None);
        for domain in behind(world, data_center, format) {
            match self.upgrade(domain.id, data_center, format).await {
                Ok(()) => upgraded.push(domain.id),
                Err(why) => failure = Some(format!("{}: {why}", domain.config.name)),
            }
        }
        done(FinishStorageUpgrade { job: self.job, data_center, format, upgraded, failure })
    }

    async fn upgrade(&self, id: StorageDomainId, data_center: DataCenterId, format: StorageFormat) -> Result<(), String> {
        let world = self.reactor.engine.world();
        let up = self.hosts_in(data_center);
        let manager = world.data_centers.get(&data_center).and_then(|dc| dc.spm).map(|host| host.0);
        let host = manager.filter(|host| up.contains(host)).or_else(|| up.first().copied()).ok_or("no host is up")?;
        self.ask(DriverCall::UpgradeDomain { host, domain: id.0, format: driver_mapping::storage_format(format) }).await.map(drop)
    }

    pub(super) async fn detach_domain(&self, world: &World, id: StorageDomainId, data_center: DataCenterId) -> Carried {
        let host = self.hosts_in(data_center).first().copied().or_else(|| world.hosts.values().next().map(|h| h.id.0));
        let host = host.ok_or("there is no host")?;
        self.ask(DriverCall::DetachDomain { host, pool: data_center.0, domain: id.0 }).await?;
        self.finish_storage(id)
    }

    fn finish_storage(&self, domain: StorageDomainId) -> Carried {
        done(FinishStorageTask { job: self.job, domain, outcome: Ok(()) })
    }

    /// Logs the hosts in to where the new logical units are, and lays the domain upon them.
    pub(super) async fn extend_domain(&self, world: &World, id: StorageDomainId, host: HostId, luns: &[DomainLun]) -> Carried {
        let mut domain = StorageDomain::clone(world.storage_domains.get(&id).ok_or("the domain is gone")?);
        domain.storage.luns.extend(luns.iter().cloned());
        domain.storage.connections = luns.iter().filter_map(|lun| lun.connection).collect();
        let attachment = domain.attachment().ok_or("the domain is not attached")?;
        let hosts = self.hosts_in(attachment.data_center);
        self.reactor.login(self.operation, world, &domain, &hosts).await?;
        let storage = domain.storage.located(world);
        let storage = driver_mapping::storage_spec(&storage).ok_or("this kind of storage cannot be extended")?;
        let outcome = match self.ask(DriverCall::ExtendDomain { host: host.0, domain: id.0, storage }).await? {
            Reply::Space(space) => Ok(counted(&space)),
            other => return Err(strange(&other)),
        };
        done(FinishStorageDomainExtension { job: self.job, domain: id, luns: luns.to_vec(), outcome })
    }

    /// Lets a host wipe a domain, or only let go of it. What is still attached is detached first.
    pub(super) async fn remove_domain(&self, id: StorageDomainId, host: HostId, format: bool) -> Carried {
        let world = self.reactor.engine.world();
        for attachment in world.storage_domains.get(&id).iter().flat_map(|d| &d.attachments) {
            let call = DriverCall::DetachDomain { host: host.0, pool: attachment.data_center.0, domain: id.0 };
            self.ask(call).await?;
        }
        let released = self.release(id, host.0).await;
        if format {
            released?;
            self.ask(DriverCall::FormatDomain { host: host.0, domain: id.0 }).await?;
        }
        done(FinishStorageDomainRemoval { job: self.job, domain: id, outcome: Ok(()) })
    }

    pub(super) async fn create_disk(&self, world: &World, id: DiskId) -> Carried {
        let disk = world.disks.get(&id).ok_or("the disk is gone")?;
        let call = DriverCall::CreateVolume {
            volume: driver_mapping::volume(disk),
            parent: None,
            size_bytes: disk.config.size as u64,
            format: driver_mapping::volume_format(disk.format),
            sparse: disk.sparse,
        };
        let actual_size = match self.ask(call).await? {
            Reply::Volume(facts) => facts.actual_bytes as i64,
            _ => 0,
        };
        done(disk::FinishDiskCreation { job: self.job, disk: id, outcome: Ok(actual_size) })
    }

    /// The address of the service behind an image domain.
    fn service(&self, world: &World, image: &StoredImage) -> Result<String, String> {
        Ok(world.storage_domains.get(&image.domain).ok_or("the image domain is gone")?.storage.service.clone())
    }

    pub(super) async fn import_image(&self, world: &World, id: DiskId, from: &StoredImage) -> Carried {
        let disk = world.disks.get(&id).ok_or("the disk is gone")?;
        let (service, volume) = (self.service(world, from)?, driver_mapping::volume(disk));
        let outcome = match self.ask(DriverCall::ImportImage { service, image: from.image, volume, sparse: disk.sparse }).await? {
            Reply::Volume(facts) => Ok(facts.actual_bytes as i64),
            other => return Err(strange(&other)),
        };
        done(disk::FinishDiskCreation { job: self.job, disk: id, outcome })
    }

    pub(super) async fn export_disk(&self, world: &World, id: DiskId, to: &StoredImage) -> Carried {
        let disk = world.disks.get(&id).ok_or("the disk is gone")?;
        let (service, volume) = (self.service(world, to)?, driver_mapping::volume(disk));
        self.ask(DriverCall::ExportImage { volume, service, image: to.image, name: to.name.clone() }).await?;
        done(FinishDiskExport { job: self.job, disk: id, outcome: Ok(()) })
    }

    pub(super) async fn extend_disk(&self, world: &World, id: DiskId, size: i64) -> Carried {
        let disk = world.disks.get(&id).ok_or("the disk is gone")?;
        let call = DriverCall::ExtendVolume { volume: driver_mapping::volume(disk), size_bytes: size as u64 };
        let outcome = match self.ask(call).await? {
            Reply::Volume(facts) => Ok((facts.size_bytes as i64, facts.actual_bytes as i64)),
            other => return Err(strange(&other)),
        };
        done(disk::FinishDiskExtension { job: self.job, disk: id, outcome })
    }

    /// Deletes the volumes of disks; one that is gone already is as good as deleted.
    pub(super) async fn delete_disks(&self, world: &World, disks: &[DiskId]) -> Result<(), String> {
        for disk in disks.iter().filter_map(|id| world.disks.get(id)) {
            match self.call(DriverCall::DeleteDisk { domain: disk.storage_domain.0, disk: disk.id.0 }).await {
                Ok(_) | Err(DriverError::NotFound { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}

/// The bytes of a domain that are free, and those in use, as the domain counts them.
fn counted(space: &driver::Space) -> (i64, i64) {
    (space.available_bytes as i64, space.used_bytes as i64)
}
