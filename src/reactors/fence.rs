//! Switching a host's power through its agents: one after the other, or all together.

use evirt_domain::World;
use evirt_domain::fence::{PowerAgent, Proxy, proxy};
use evirt_domain::host::Host;

use crate::hypervisor::{DriverCall, DriverError, FenceAction, FenceAgent, Hypervisor, OperationId, PowerState, Reply};
use crate::log::Sealer;

/// What came of switching.
pub struct Switched {
    /// The power now.
    pub state: PowerState,
    /// Whether the first agent failed and another did it.
    pub fell_back: bool,
}

/// Does something with a host's power, by way of another host, and sees to it that it came about.
///
/// Agents that are concurrent feed the host together: it is off when all have switched it off, and on when one has switched it on. Of
/// others each is tried where those before it failed.
pub async fn switch(
    driver: &dyn Hypervisor,
    sealer: &Sealer,
    world: &World,
    operation: OperationId,
    host: &Host,
    action: FenceAction,
) -> Result<Switched, String> {
    let power = &host.config.power_management;
    let proxy = match proxy(world, host).ok_or("no other host is up to reach its power management")? {
        Proxy::Engine => None,
        Proxy::Host(other) => Some(other.0),
    };
    let calls = power.all().into_iter().map(|agent| {
        let agent = told(sealer, &agent)?;
        Ok(DriverCall::Fence { host: host.id.0, proxy, agent, action })
    });
    let calls = calls.collect::<Result<Vec<DriverCall>, String>>()?;
    if !power.concurrent() {
        let mut failure = "it has no power management agent".to_owned();
        for (n, call) in calls.into_iter().enumerate() {
            match verified(action, driver.call(operation, call).await) {
                Ok(state) => return Ok(Switched { state, fell_back: n > 0 }),
                Err(why) => failure = why,
            }
        }
        return Err(failure);
    }
    let under_way: Vec<_> = calls.into_iter().map(|call| driver.call(operation, call)).collect();
    let mut outcomes = Vec::new();
    for answer in under_way {
        outcomes.push(verified(action, answer.await));
    }
    let states: Vec<PowerState> = outcomes.iter().filter_map(|o| o.as_ref().ok().copied()).collect();
    let failure = outcomes.into_iter().find_map(Result::err);
    let on = states.contains(&PowerState::On);
    // One that does not answer may feed it still.
    if let Some(why) = failure.filter(|_| !on || action == FenceAction::Stop) {
        return Err(why);
    }
    match states.first() {
        Some(first) => Ok(Switched { state: if on { PowerState::On } else { *first }, fell_back: false }),
        None => Err("it has no power management agent".to_owned()),
    }
}

/// The power that an agent tells of, where it is as it was to become.
fn verified(action: FenceAction, answer: Result<Reply, DriverError>) -> Result<PowerState, String> {
    let state = match answer {
        Ok(Reply::Power(state)) => state,
        Ok(other) => return Err(format!("the driver answered {other:?}")),
        Err(error) => return Err(error.to_string()),
    };
    let wanted = match action {
        FenceAction::Stop => Some(PowerState::Off),
        FenceAction::Start | FenceAction::Restart => Some(PowerState::On),
        FenceAction::Status => None,
    };
    match wanted.is_none_or(|wanted| wanted == state) {
        true => Ok(state),
        false => Err(format!("the power is {state:?} after it was switched")),
    }
}

/// An agent as the driver is told of it.
fn told(sealer: &Sealer, agent: &PowerAgent) -> Result<FenceAgent, String> {
    let password = match agent.password.as_str() {
        "" => String::new(),
        sealed => sealer.unseal(sealed).map_err(|error| error.to_string())?,
    };
    Ok(FenceAgent {
        address: agent.address.clone(),
        kind: agent.kind.clone(),
        user: agent.username.clone(),
        password,
        options: agent.options.clone(),
    })
}
