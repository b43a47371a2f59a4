//! Being connected to hosts. Whether a host is to be connected follows from its state, and that may change while it is connected to or let
//! go of: both are done for one host one after the other, and it is let go of only while its state says so.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use evirt_domain::host::{Host, HostStatus};
use evirt_domain::ids::HostId;
use tokio::sync::OwnedMutexGuard;

use super::Engine;
use crate::hypervisor::{DriverCall, DriverError, OperationId, Outcome};

/// Something of which each is had by one alone, for as long as the guard lives.
#[derive(Debug)]
pub struct Alone<K>(Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>);

impl<K> Default for Alone<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Alone<K> {
    /// Waits until nobody else has it.
    pub async fn with(&self, which: K) -> OwnedMutexGuard<()> {
        let one = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|_, one| Arc::strong_count(one) > 1);
            all.entry(which).or_default().clone()
        };
        one.lock_owned().await
    }
}

impl Engine {
    /// Connects to a host, which says what it has.
    ///
    /// # Errors
    ///
    /// Those of the driver.
    pub async fn connect(&self, operation: OperationId, host: &Host) -> Outcome {
        let _alone = self.0.links.with(host.id).await;
        self.driver().call(operation, connection(host)).await
    }

    /// Lets go of a host that is in maintenance or gone. One that has been activated meanwhile stays connected.
    pub async fn disconnect(&self, host: HostId) {
        let _alone = self.0.links.with(host).await;
        self.part(host).await;
    }

    /// Asks something of a host; one in maintenance is connected to for that alone.
    ///
    /// # Errors
    ///
    /// Those of what is asked; those of connecting to a host in maintenance.
    pub async fn ask_host<T>(&self, host: &Host, ask: impl Future<Output = Result<T, DriverError>>) -> Result<T, DriverError> {
        if host.status != HostStatus::Maintenance {
            return ask.await;
        }
        let _alone = self.0.links.with(host.id).await;
        self.driver().call(OperationId::afresh(), connection(host)).await?;
        let answer = ask.await;
        self.part(host.id).await;
        answer
    }

    async fn part(&self, host: HostId) {
        if self.world().hosts.get(&host).is_none_or(|host| host.status == HostStatus::Maintenance) {
            // One that was not connected is let go of already.
            if let Err(error) = self.driver().call(OperationId::afresh(), DriverCall::Disconnect { host: host.0 }).await {
                tracing::debug!(%host, %error, "the host could not be let go of");
            }
        }
    }
}

fn connection(host: &Host) -> DriverCall {
    DriverCall::Connect { host: host.id.0, address: host.config.address.clone() }
}
