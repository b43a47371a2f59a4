//! What hosts and storage say when they are asked before a command: a decision is given it and asks nobody.

use std::net::IpAddr;

use evirt_domain::host::{HostFacts, NicFacts, ProbeFailure};
use evirt_domain::ids::HostId;
use evirt_domain::storage::{Storage, StorageKind};

use crate::hypervisor::{self, Call, DriverError, Hypervisor, LunSpec, OperationId, Portal, Reply, StorageFacts, StorageSpec};

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
    let call = Call::CheckStorage { host: host.0, storage: storage_spec(storage) };
    match ask(driver, call).await {
        Ok(Reply::Storage(StorageFacts { existing: None, .. })) => Ok(()),
        Ok(Reply::Storage(StorageFacts { existing: Some(found), .. })) => {
            Err(format!("the storage domain {} lies there", found.name))
        }
        Ok(reply) => Err(strange(&reply)),
        Err(error) => Err(error.to_string()),
    }
}

/// A host's facts as the domain keeps them.
pub fn host_facts(facts: &hypervisor::HostFacts) -> HostFacts {
    let address = |ip: &Option<IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    HostFacts {
        hardware_uuid: facts.hardware.uuid.to_string(),
        sockets: facts.cpu.sockets,
        cores: facts.cpu.cores_per_socket,
        threads: facts.cpu.threads_per_core,
        cpu_name: facts.cpu.model.clone(),
        cpu_family: facts.cpu.level.clone(),
        cpu_mhz: facts.cpu.speed_mhz as u32,
        memory: i64::try_from(facts.memory_bytes).unwrap_or(i64::MAX),
        os: facts.os.clone(),
        kernel: facts.kernel_version.clone(),
        iscsi_initiator: facts.iscsi_initiator.clone().unwrap_or_default(),
        nics: facts
            .nics
            .iter()
            .map(|nic| NicFacts {
                name: nic.name.clone(),
                mac: nic.mac.clone(),
                ip: address(&nic.ip),
                netmask: address(&nic.netmask),
                gateway: address(&nic.gateway),
                speed: nic.speed_bps,
                mtu: nic.mtu,
            })
            .collect(),
    }
}

/// A storage as drivers are told of it.
pub fn storage_spec(storage: &Storage) -> StorageSpec {
    let server = || (!storage.address.is_empty()).then(|| storage.address.clone());
    let path = storage.path.clone();
    match storage.kind {
        StorageKind::Nfs | StorageKind::Glance => StorageSpec::Nfs { address: storage.address.clone(), path },
        StorageKind::Posixfs => StorageSpec::PosixFs { address: server(), path, vfs_type: storage.vfs_type.clone() },
        StorageKind::Glusterfs => StorageSpec::GlusterFs { address: server(), path },
        StorageKind::Localfs => StorageSpec::LocalFs { path },
        StorageKind::Iscsi => StorageSpec::Iscsi { luns: storage.luns.iter().map(|id| lun(storage, id)).collect() },
        StorageKind::Fcp => StorageSpec::Fcp { luns: storage.luns.clone() },
    }
}

fn lun(storage: &Storage, id: &str) -> LunSpec {
    let portal = (!storage.address.is_empty()).then(|| Portal {
        address: storage.address.clone(),
        port: match storage.port {
            0 => ISCSI_PORT,
            port => port,
        },
    });
    LunSpec { id: id.to_owned(), portal, target: (!storage.target.is_empty()).then(|| storage.target.clone()) }
}
