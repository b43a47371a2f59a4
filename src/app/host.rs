//! Hosts: what is asked of one before a command, and what is asked of one alone.

use evirt_domain::access::{EntityRef, allowed};
use evirt_domain::check::Act;
use evirt_domain::host::{AddHost, FenceHost, FenceType, Host, HostConfig, ProbeFailure, RefreshHost, check_address};
use evirt_domain::ids::HostId;
use evirt_domain::permit::Permit;
use evirt_domain::{Decide, Key, storage_connection};

use super::{App, Done, OpContext, Refused, Wait, probe};
use crate::hypervisor::{DriverCall, FenceAction, OperationId, Reply};
use crate::reactors::switch;

pub use crate::hypervisor::{LunFacts, Portal, PowerState};

/// Adds a host, which is asked for what it has with the password of root, where one is given.
///
/// Refused as the command is, and without asking where the caller may add none anywhere.
pub async fn add(app: &App, cx: &OpContext, config: HostConfig, root_password: Option<&str>) -> Result<Done, Refused> {
    cx.may(AddHost::least())?;
    check_address(Act("add", "Host"), &config.address)?;
    let (sealed_password, probe) = match root_password {
        Some(password) => (app.seal(password)?, probe::host(app, &config.address, password).await),
        None => (String::new(), Err(ProbeFailure::WrongPassword)),
    };
    app.carry_out(cx, Wait::Decision, AddHost { config, sealed_password, probe }).await
}

/// Asks a host what it has now, and records it.
///
/// Refused as the command is; `Failed` where the host did not answer, which is recorded all the same.
pub async fn refresh(app: &App, cx: &OpContext, host: &Host) -> Result<Done, Refused> {
    let outcome = probe::anew(app, host).await;
    let failure = outcome.clone().err();
    let done = app.carry_out(cx, Wait::Decision, RefreshHost { host: host.id, outcome }).await?;
    failure.map_or(Ok(done), |why| Err(Refused::Failed(why)))
}

/// Finds out the state of a host's power.
///
/// Refused as the command is; `Failed` where its agents do not answer.
pub async fn power(app: &App, cx: &OpContext, host: &Host) -> Result<PowerState, Refused> {
    app.carry_out(cx, Wait::End, FenceHost { host: host.id, fence: FenceType::Status }).await?;
    let (driver, world) = (&**app.engine.driver(), app.engine.world());
    let told = switch(driver, &app.sealer, &world, OperationId(0), host, FenceAction::Status).await;
    Ok(told.map_or(PowerState::Unknown, |switched| switched.state))
}

/// How one is let in at an iSCSI portal.
#[derive(Clone, Debug, Default)]
pub struct ChapCredentials {
    /// The user, where the portal wants one.
    pub user: Option<String>,
    /// The user's password, in clear.
    pub password: Option<String>,
}

/// Has a host find the iSCSI targets of a portal: their names.
///
/// Refused with `NotAuthorized`; `Unreached` where the host or the portal does not answer.
pub async fn discover_targets(
    app: &App,
    cx: &OpContext,
    host: &Host,
    portal: Portal,
    chap: ChapCredentials,
) -> Result<Vec<String>, Refused> {
    check_portal(Act("discover", "iSCSI Targets"), &portal)?;
    let ChapCredentials { user, password } = chap;
    match ask(app, cx, host, DriverCall::DiscoverTargets { host: host.id.0, portal, user, password }).await? {
        Reply::Targets(found) => Ok(found.into_iter().map(|target| target.iqn).collect()),
        _ => Ok(Vec::new()),
    }
}

/// Has a host log in to an iSCSI target.
///
/// Refused with `NotAuthorized`; `Unreached` where the host is not let in.
pub async fn log_in_to_target(
    app: &App,
    cx: &OpContext,
    host: &Host,
    portal: Portal,
    target: String,
    chap: ChapCredentials,
) -> Result<(), Refused> {
    check_portal(Act("login", "iSCSI Target"), &portal)?;
    let ChapCredentials { user, password } = chap;
    ask(app, cx, host, DriverCall::LoginTarget { host: host.id.0, portal, target, user, password }).await.map(drop)
}

/// Refuses a portal whose address can be none.
fn check_portal(act: Act, portal: &Portal) -> Result<(), Refused> {
    storage_connection::check_address(act, "iscsi.address", &portal.address).map_err(Refused::from)
}

/// The logical units that a host sees; none where it does not answer.
pub async fn logical_units(app: &App, host: &Host) -> Vec<LunFacts> {
    let question = DriverCall::ListLuns { host: host.id.0 };
    match app.engine.ask_host(host, probe::ask(app, question)).await {
        Ok(Reply::Luns(found)) => found,
        _ => Vec::new(),
    }
}

/// Asks something of a host that no command decides: so whether the caller may is looked up here.
async fn ask(app: &App, cx: &OpContext, host: &Host, question: DriverCall) -> Result<Reply, Refused> {
    if !allowed(&cx.world, cx.user, Permit::ManiputlateHost, EntityRef::Host(HostId(host.id.0))) {
        return Err(Refused::Rejected(Key::NotAuthorized.into()));
    }
    let answer = app.engine.ask_host(host, probe::act(app, question)).await;
    answer.map_err(|error| Refused::Unreached(error.to_string()))
}
