//! What hosts and storage say when they are asked before a command: a decision is given it and asks nobody.

use evirt_domain::host::{HostFacts, ProbeFailure};
use evirt_domain::ids::HostId;
use evirt_domain::storage::Storage;

use crate::hypervisor::{Call, DriverError, Hypervisor, OperationId, Reply, StorageFacts};
use crate::reactors::{host_facts, storage_spec};

/// The operation that all questions belong to: calls that only read are answered afresh each time.
const QUESTION: OperationId = OperationId(0);
/// The port of an iSCSI portal where nothing else is said.
pub const ISCSI_PORT: u16 = 3260;

/// Asks a driver something that changes nothing.
pub async fn ask(driver: &dyn Hypervisor, call: Call) -> Result<Reply, DriverError> {
    driver.call(QUESTION, call).await
}

/// The answer that a driver gave to another question.
fn strange(reply: &Reply) -> String {
    format!("the driver answered {reply:?}")
}

/// Asks what is at an address, with the password of root.
pub async fn host(driver: &dyn Hypervisor, address: &str, root_password: &str) -> Result<HostFacts, ProbeFailure> {
    let call = Call::Probe { address: address.to_owned(), root_password: Some(root_password.to_owned()) };
    match ask(driver, call).await {
        Ok(Reply::Host(facts)) => Ok(host_facts(&facts)),
        Ok(reply) => Err(ProbeFailure::Unreachable(strange(&reply))),
        Err(DriverError::WrongPassword { .. }) => Err(ProbeFailure::WrongPassword),
        Err(error) => Err(ProbeFailure::Unreachable(error.to_string())),
    }
}

/// Asks whether a host can reach a storage that is free for a new storage domain, and if not why.
pub async fn storage(driver: &dyn Hypervisor, host: HostId, storage: &Storage) -> Result<(), String> {
    let spec = storage_spec(storage).ok_or("hosts have no part in such storage")?;
    let call = Call::CheckStorage { host: host.0, storage: spec };
    match ask(driver, call).await {
        Ok(Reply::Storage(StorageFacts { existing: None, .. })) => Ok(()),
        Ok(Reply::Storage(StorageFacts { existing: Some(found), .. })) => {
            Err(format!("the storage domain {} lies there", found.name))
        }
        Ok(reply) => Err(strange(&reply)),
        Err(error) => Err(error.to_string()),
    }
}
