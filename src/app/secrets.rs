//! Which secrets there are that the engine has to open: what has to be given again when the key is lost.

use evirt_domain::job::{JobStatus, Task};
use evirt_domain::world::World;

/// A sealed secret of a World.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret<'a> {
    /// What it is, as an operator knows it.
    pub what: String,
    /// It, sealed.
    pub text: &'a str,
}

/// All secrets, in the order of their names. A root password counts until its host is installed, a ticket while it is being set.
pub fn sealed(world: &World) -> Vec<Secret<'_>> {
    let mut secrets = Vec::new();
    let mut add = |what: String, text| secrets.push(Secret { what, text });
    for host in world.hosts.values() {
        let (name, power) = (&host.config.name, &host.config.power_management);
        add(format!("root password of host {name}"), host.sealed_password.as_str());
        add(format!("power management of host {name}: {} at {}", power.agent, power.address), power.password.as_str());
        for agent in &power.agents {
            add(format!("power management of host {name}: {} at {}", agent.kind, agent.address), agent.password.as_str());
        }
    }
    for connection in world.storage_connections.values() {
        let config = &connection.config;
        add(format!("storage connection {} {}", config.address, config.target), config.password.as_str());
    }
    for job in world.jobs.values().filter(|job| job.status == JobStatus::Started) {
        if let Task::SetTicket { vm, sealed, .. } = &job.task {
            add(format!("console ticket of VM {vm}"), sealed.as_str());
        }
    }
    secrets.retain(|secret| !secret.text.is_empty());
    secrets.sort_by(|a, b| a.what.cmp(&b.what));
    secrets
}
