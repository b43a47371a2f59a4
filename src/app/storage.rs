//! Storage domains, their connections, and what lies on them: hosts are asked for what they find.

use std::sync::Arc;

use evirt_domain::check::Act;
use evirt_domain::disk::FoundDisk;
use evirt_domain::ids::{HostId, StorageConnectionId, StorageDomainId};
use evirt_domain::image::AddImageDomain;
use evirt_domain::storage::{
    AttachmentStatus, CreateStorageDomain, DomainClass, ImportStorageDomain, Lun, ReportDomainFiles, Storage, StorageDomain,
    StorageDomainConfig, StorageFormat, StorageKind,
};
use evirt_domain::storage_connection::{
    AddStorageConnection, ConnectionConfig, ConnectionPatch, StorageConnection, UpdateStorageConnection, check_address,
};
use evirt_domain::{Decide, World};

use super::{App, Done, OpContext, Refused, Wait, probe};
use crate::hypervisor::{DriverCall, Reply};
use crate::reactors::{domain_files, found_domain};

pub use super::probe::ISCSI_PORT;

/// What a new storage domain is to be.
#[derive(Clone, Debug)]
pub struct NewDomain {
    /// Its name and texts.
    pub config: StorageDomainConfig,
    /// What it holds.
    pub class: DomainClass,
    /// The layout of its metadata, where one is wished for.
    pub format: Option<StorageFormat>,
    /// The host that prepares it.
    pub host: HostId,
    /// Where it is to lie.
    pub storage: Storage,
    /// Whether logical units that hold something may be overwritten.
    pub overwrite: bool,
}

/// Makes a storage domain where a host finds room for it, and waits until it is there.
///
/// Refused as the command is, and without asking the host where the caller may make none; `Failed` where the host could not.
pub async fn create(app: &App, cx: &OpContext, new: NewDomain) -> Result<Done, Refused> {
    cx.may(CreateStorageDomain::least())?;
    let NewDomain { config, class, format, host, mut storage, overwrite } = new;
    check_addresses("add", &storage)?;
    let found = probe::reach(app, host, &storage).await;
    let mount = probe::free(&found, overwrite);
    probe::describe(&mut storage.luns, &found);
    app.carry_out(cx, Wait::End, CreateStorageDomain { config, class, format, host, overwrite, mount, storage }).await
}

/// Takes in a storage domain that a host finds on a storage.
///
/// Refused as the command is, and without asking the host where the caller may take in none.
pub async fn import(
    app: &App,
    cx: &OpContext,
    config: StorageDomainConfig,
    class: DomainClass,
    host: HostId,
    storage: Storage,
) -> Result<Done, Refused> {
    cx.may(ImportStorageDomain::least())?;
    check_addresses("add", &storage)?;
    let found = probe::reach(app, host, &storage).await.map(|facts| found_domain(&facts));
    app.carry_out(cx, Wait::End, ImportStorageDomain { config, class, storage, host, found }).await
}

/// Adds a service of images as a storage domain: no host has a part in it.
///
/// Refused as the command is, and without asking the service where the caller may add none.
pub async fn add_image_service(app: &App, cx: &OpContext, config: StorageDomainConfig, address: &str) -> Result<Done, Refused> {
    cx.may(AddImageDomain::least())?;
    check_address(Act("add", "Storage"), "address", server_of(address))?;
    let service = probe::image_service(app, address).await;
    app.carry_out(cx, Wait::Decision, AddImageDomain { config, service }).await
}

/// Further logical units of a domain, with what the host says of them that is to lay it there. Where it finds them not that is told by the
/// work which follows.
///
/// Refused where an address can be none.
pub async fn described(app: &App, host: HostId, kind: StorageKind, luns: Vec<Lun>) -> Result<Vec<Lun>, Refused> {
    let mut storage = Storage { server: ConnectionConfig::of(kind), connection: None, luns };
    check_addresses("extend", &storage)?;
    let found = probe::reach(app, host, &storage).await;
    probe::describe(&mut storage.luns, &found);
    Ok(storage.luns)
}

/// The server of a service's address, which may be a URL.
fn server_of(address: &str) -> &str {
    let bare = address.split_once("://").map_or(address, |(_, rest)| rest);
    let server = bare.split('/').next().unwrap_or_default();
    server
        .rsplit_once(':')
        .filter(|(host, port)| !host.contains(':') && port.parse::<u16>().is_ok())
        .map_or(server, |(host, _)| host)
}

/// Refuses a storage with an address that can be none, before anything is connected to.
fn check_addresses(doing: &'static str, storage: &Storage) -> Result<(), Refused> {
    let act = Act(doing, "Storage");
    check_address(act, "address", &storage.server.address)?;
    let mut portals = storage.luns.iter().filter_map(|lun| lun.portal.as_ref());
    portals.try_for_each(|portal| check_address(act, "address", &portal.address)).map_err(Refused::from)
}

/// A World with the files of a domain as they are now: those of an active domain are looked up anew.
///
/// Refused as the report is; a domain that does not answer has the files that it had.
pub async fn files(app: &App, cx: &OpContext, domain: &StorageDomain) -> Result<Arc<World>, Refused> {
    if domain.is_in(AttachmentStatus::Active)
        && let Ok(Reply::Files(found)) = probe::ask(app, DriverCall::ListFiles { domain: domain.id.0 }).await
    {
        let report = ReportDomainFiles { domain: domain.id, files: domain_files(found) };
        return Ok(app.carry_out(cx, Wait::Decision, report).await?.world);
    }
    Ok(cx.world.clone())
}

/// The disks that lie on a domain and are not known. They are nobody's: a caller who is only shown some objects is shown none of them.
///
/// `Failed` where the domain does not answer.
pub async fn unregistered_disks(app: &App, cx: &OpContext, domain: StorageDomainId) -> Result<Vec<FoundDisk>, Refused> {
    let mut found = probe::disks(app, domain).await.map_err(Refused::Failed)?;
    found.retain(|disk| cx.visible().is_everything() && !cx.world.disks.contains(&disk.id));
    Ok(found)
}

/// Adds a connection to storage, which a host tries where one is named.
///
/// Refused as the command is, and without asking the host where the caller may add none.
pub async fn add_connection(app: &App, cx: &OpContext, config: ConnectionConfig, host: Option<HostId>) -> Result<Done, Refused> {
    cx.may(AddStorageConnection::least())?;
    check_address(Act("add", "Storage Connection"), "address", &config.address)?;
    let reach = reach(app, host, &config).await;
    app.carry_out(cx, Wait::Decision, AddStorageConnection { config, host, reach }).await
}

/// Changes a connection to storage, which a host tries where one is named.
///
/// Refused as the command is, and without asking the host where the caller may change none.
pub async fn update_connection(
    app: &App,
    cx: &OpContext,
    current: &StorageConnection,
    changes: ConnectionPatch,
    host: Option<HostId>,
) -> Result<Done, Refused> {
    cx.may(UpdateStorageConnection::least())?;
    let mut wanted = current.config.clone();
    wanted.apply(&changes);
    check_address(Act("edit", "Storage Connection"), "address", &wanted.address)?;
    let (connection, reach): (StorageConnectionId, _) = (current.id, reach(app, host, &wanted).await);
    app.carry_out(cx, Wait::Decision, UpdateStorageConnection { connection, changes, host, reach }).await
}

/// Asks a host whether it can reach a connection; without a host nobody tries.
async fn reach(app: &App, host: Option<HostId>, config: &ConnectionConfig) -> Result<(), String> {
    match host {
        Some(host) if config.kind == StorageKind::Iscsi => {
            let password = match config.password.as_str() {
                "" => None,
                sealed => Some(app.sealer.unseal(sealed).map_err(|error| error.to_string())?),
            };
            probe::target(app, host, config, password).await
        }
        Some(host) => probe::reach(app, host, &Storage::files(config.clone())).await.map(drop),
        None => Ok(()),
    }
}
