//! Hosts: every action in every state.

mod add;
mod report;
mod service;

use evirt_domain::Event;
use evirt_domain::Key::{self, *};
use evirt_domain::host::HostStatus::{self, *};
use evirt_domain::host::*;
use evirt_domain::ids::*;
use evirt_domain::install::DEFAULT_CLUSTER;
use evirt_domain::vm::{Affinity, UpdateVm, VmPatch};

use crate::harness::*;
use crate::spm::spm;

fn add(config: HostConfig) -> AddHost {
    AddHost { config, sealed_password: "sealed".into(), probe: Ok(facts(16, 8)) }
}

#[test]
fn every_action_in_every_state() {
    const OK: Option<Key> = None;
    let (na, np, cr, aw) =
        (Some(HostCannotActivate), Some(HostStatusNotOperational), Some(HostCannotRemove), Some(HostApproveStatus));
    let (ni, uc) = (Some(HostInstallStatus), Some(HostnameFixed));
    #[rustfmt::skip]
    let table = [
        //                        activate                 deactivate               remove approve install address name
        (Unassigned,              [na,                      np,                      cr, aw, ni, uc, OK]),
        (Down,                    [na,                      OK,                      OK, aw, OK, uc, OK]),
        (Maintenance,             [OK,                      Some(HostInMaintenance), OK, aw, OK, OK, OK]),
        (Up,                      [Some(HostAlreadyUp),     OK,                      cr, aw, ni, uc, OK]),
        (NonResponsive,           [Some(HostNonResponsive), OK,                      cr, aw, OK, uc, OK]),
        (Error,                   [OK,                      OK,                      cr, aw, OK, uc, OK]),
        (Installing,              [na,                      np,                      cr, aw, ni, uc, OK]),
        (InstallFailed,           [OK,                      np,                      OK, OK, OK, OK, OK]),
        (Reboot,                  [na,                      np,                      cr, aw, ni, uc, OK]),
        (PreparingForMaintenance, [OK,                      np,                      cr, aw, ni, uc, OK]),
        (NonOperational,          [OK,                      OK,                      cr, aw, OK, uc, OK]),
        (PendingApproval,         [na,                      np,                      OK, OK, ni, Some(HostUpdateStatus), Some(HostUpdateStatus)]),
        (Initializing,            [na,                      np,                      cr, aw, ni, uc, OK]),
        (Connecting,              [na,                      np,                      cr, aw, ni, uc, OK]),
    ];
    assert_eq!(table.map(|(status, _)| status), HostStatus::ALL);
    let actions = ["activate", "deactivate", "remove", "approve", "install", "address", "name"];
    for (status, expected) in table {
        let mut story = Story::installed();
        let host = story.host("alpha");
        story.host_is(host, status);
        let update = |changes| UpdateHost { host, changes };
        let actual = [
            story.when(ActivateHost { host }),
            story.when(DeactivateHost { host }),
            story.when(RemoveHost { host }),
            story.when(ApproveHost { host, cluster: None }),
            story.when(InstallHost { host, sealed_password: "sealed".into(), image: Some("node.iso".into()) }),
            story.when(update(HostPatch { address: Some("192.0.2.77".into()), ..HostPatch::default() })),
            story.when(update(HostPatch { name: Some("omega".into()), ..HostPatch::default() })),
        ];
        let port = story.when(update(HostPatch { port: Some(54_322), ..HostPatch::default() }));
        let fixed = expected[5].map(|key| if key == HostnameFixed { HostPortFixed } else { key });
        assert_eq!(port.key(), fixed, "port while {}", status.name());
        for ((action, expected), actual) in actions.iter().zip(expected).zip(actual) {
            assert_eq!(actual.key(), expected, "{action} while {}", status.name());
        }
    }
}
