//! How a host is come in to and set up, and where the consoles of its VMs are reached.

use serde::{Deserialize, Serialize};

use crate::check::{self, Act};
use crate::rejection::Rejection;

/// The port of SSH where nothing is said.
pub const DEFAULT_SSH_PORT: u16 = 22;
/// Who installs a host where nothing is said.
pub const DEFAULT_SSH_USER: &str = "root";

/// How a host is set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostSetup {
    /// Where its SSH listens.
    pub ssh_port: u16,
    /// The fingerprint of its SSH key; empty for any.
    pub ssh_fingerprint: String,
    /// Who installs it.
    pub ssh_user: String,
    /// The address that clients of consoles are told instead of the host's; empty for none.
    pub display_address: String,
    /// Whether its firewall is set up by its installation; none where nothing was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub override_iptables: Option<bool>,
    /// Whether it is rebooted after its installation; none where nothing was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reboot: Option<bool>,
}

impl Default for HostSetup {
    fn default() -> Self {
        Self {
            ssh_port: DEFAULT_SSH_PORT,
            ssh_fingerprint: String::new(),
            ssh_user: DEFAULT_SSH_USER.into(),
            display_address: String::new(),
            override_iptables: None,
            reboot: None,
        }
    }
}

impl HostSetup {
    /// Whether nothing was said of it.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self, act: Act) -> Result<(), Rejection> {
        check::range(act, "ssh.port", self.ssh_port.into(), 1, u16::MAX.into())?;
        check::text(act, "ssh.fingerprint", &self.ssh_fingerprint, check::MAX_DESCRIPTION)?;
        check::text(act, "ssh.user.user_name", &self.ssh_user, check::MAX_DESCRIPTION)?;
        check::text(act, "display.address", &self.display_address, check::MAX_DESCRIPTION)
    }
}
