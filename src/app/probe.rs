//! What hosts and storage say when they are asked before a command: a decision is given it and asks nobody.

use evirt_domain::disk::FoundDisk;
use evirt_domain::host::{Host, HostFacts, HostStatus, ProbeFailure};
use evirt_domain::ids::{HostId, StorageDomainId};
use evirt_domain::image::{ImageFacts, ImageService};
use evirt_domain::storage::{Lun, Storage};
use evirt_domain::storage_connection::ConnectionConfig;

use super::App;
use crate::hypervisor::{DriverCall, DriverError, OperationId, Portal, Reply, StorageFacts};
use crate::reactors::{self, host_facts, storage_spec};

/// The operation that all questions belong to: calls that only read are answered afresh each time.
const QUESTION: OperationId = OperationId(0);
/// The port of an iSCSI portal where nothing else is said.
pub const ISCSI_PORT: u16 = 3260;

/// Asks something that changes nothing.
pub(super) async fn ask(app: &App, call: DriverCall) -> Result<Reply, DriverError> {
    app.engine.driver().call(QUESTION, call).await
}

/// Has something done that belongs to no job. What is done is remembered by the id of its operation: an id of its own each time
/// has it done afresh.
pub(super) async fn act(app: &App, call: DriverCall) -> Result<Reply, DriverError> {
    app.engine.driver().call(OperationId::afresh(), call).await
}

/// The answer that a driver gave to another question.
fn strange(reply: &Reply) -> String {
    tracing::error!(?reply, "a driver gave the answer to another question");
    "the host gave an unexpected answer".to_owned()
}

/// Asks what is at an address, with the password of root.
pub(super) async fn host(app: &App, address: &str, root_password: &str) -> Result<HostFacts, ProbeFailure> {
    let call = DriverCall::Probe { address: address.to_owned(), root_password: Some(root_password.to_owned()) };
    match ask(app, call).await {
        Ok(Reply::Host(facts)) => Ok(host_facts(&facts)),
        Ok(reply) => Err(ProbeFailure::Unreachable(strange(&reply))),
        Err(DriverError::WrongPassword { .. }) => Err(ProbeFailure::WrongPassword),
        Err(error) => Err(ProbeFailure::Unreachable(error.to_string())),
    }
}

/// Asks a host what it has now. One in maintenance is connected to for that alone; others that do not serve are not asked.
pub(super) async fn anew(app: &App, host: &Host) -> Result<HostFacts, String> {
    let answer = match host.status {
        HostStatus::Up => app.engine.connect(OperationId::afresh(), host).await,
        HostStatus::Maintenance => {
            let call = DriverCall::Connect { host: host.id.0, address: host.config.address.clone() };
            app.engine.ask_host(host, act(app, call)).await
        }
        _ => return Err("the host does not serve".to_owned()),
    };
    match answer {
        Ok(Reply::Host(facts)) => Ok(host_facts(&facts)),
        Ok(reply) => Err(strange(&reply)),
        Err(error) => Err(error.to_string()),
    }
}

/// Asks for the disks that lie on a storage domain, each of one volume.
pub(super) async fn disks(app: &App, domain: StorageDomainId) -> Result<Vec<FoundDisk>, String> {
    match ask(app, DriverCall::ListVolumes { domain: domain.0 }).await {
        Ok(Reply::Volumes(volumes)) => Ok(reactors::found_disks(&volumes)),
        Ok(reply) => Err(strange(&reply)),
        Err(error) => Err(error.to_string()),
    }
}

/// Asks what a host finds on a storage, or why it does not reach it.
pub(super) async fn reach(app: &App, host: HostId, storage: &Storage) -> Result<StorageFacts, String> {
    let spec = storage_spec(storage).ok_or("hosts have no part in such storage")?;
    let call = DriverCall::CheckStorage { host: host.0, storage: spec };
    match ask(app, call).await {
        Ok(Reply::Storage(facts)) => Ok(facts),
        Ok(reply) => Err(strange(&reply)),
        Err(error) => Err(error.to_string()),
    }
}

/// Asks what service of images is at an address, or why none answers.
pub(super) async fn image_service(app: &App, address: &str) -> Result<ImageService, String> {
    match ask(app, DriverCall::FindImageService { address: address.to_owned() }).await {
        Ok(Reply::ImageService(facts)) => Ok(reactors::image_service(&facts)),
        Ok(reply) => Err(strange(&reply)),
        Err(error) => Err(error.to_string()),
    }
}

/// Asks a service for its images.
pub(super) async fn images(app: &App, service: &str) -> Result<Vec<ImageFacts>, String> {
    match ask(app, DriverCall::ListImages { service: service.to_owned() }).await {
        Ok(Reply::Images(found)) => Ok(found.into_iter().map(reactors::image).collect()),
        Ok(reply) => Err(strange(&reply)),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether what a host finds on a storage leaves room for a new storage domain, or may be overwritten, and if not why.
pub(super) fn free(found: &Result<StorageFacts, String>, overwrite: bool) -> Result<(), String> {
    match found {
        Ok(StorageFacts { existing: Some(found), .. }) if !overwrite => {
            Err(format!("the storage domain {} lies there", found.name))
        }
        Ok(_) => Ok(()),
        Err(why) => Err(why.clone()),
    }
}

/// Takes over what a host says of the logical units that it found.
pub(super) fn describe(luns: &mut [Lun], found: &Result<StorageFacts, String>) {
    let known = found.as_ref().map_or(&[][..], |facts| &facts.luns);
    for lun in luns {
        lun.device = known.iter().find(|known| known.id == lun.id).map(reactors::lun_device);
    }
}

/// Asks whether a host finds an iSCSI target at its portal and is let in, and if not why.
pub(super) async fn target(app: &App, host: HostId, config: &ConnectionConfig, password: Option<String>) -> Result<(), String> {
    let call = DriverCall::LoginTarget {
        host: host.0,
        portal: Portal { address: config.address.clone(), port: config.port },
        target: config.target.clone(),
        user: Some(config.username.clone()).filter(|user| !user.is_empty()),
        password,
    };
    act(app, call).await.map(drop).map_err(|error| error.to_string())
}
