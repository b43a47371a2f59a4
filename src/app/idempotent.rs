//! Creations that a client sends again: they are not carried out again, and answered with what the first one made.

use evirt_domain::creation::{Creation, Idempotent, Made, MadeKind};
use evirt_domain::ids::JobId;
use evirt_domain::job::{JobStatus, Task};
use evirt_domain::{Key, Rejection};

use crate::engine::{Clock, SystemClock};

use super::{App, OpContext, Refused, Wait};

/// A creation that was carried out before.
#[derive(Clone, Debug)]
pub struct Repeated(Creation);

/// What a repeated creation comes to.
#[derive(Clone, Copy, Debug)]
pub struct Again {
    /// What the first one made.
    pub made: Made,
    /// The work that goes on still, where it is not waited for.
    pub goes_on: Option<JobId>,
}

/// Makes a key a condition of the operation's first command.
///
/// Refused where the key was used: with what was created by the same request, and as `CreationKeyReused` for another request.
pub fn check(cx: &OpContext, key: Idempotent) -> Result<(), Refused> {
    match cx.world.creations.find(cx.user, &key.key, SystemClock.now()) {
        Some(earlier) if earlier.digest != key.digest => Err(Rejection::new(Key::CreationKeyReused).with("key", &key.key).into()),
        Some(earlier) => Err(Refused::Repeated(Repeated(earlier.clone()))),
        None => {
            cx.conditions.key(key);
            Ok(())
        }
    }
}

/// What is told of a creation under a key that was carried out while this one waited for its decision.
pub(super) fn refusal(app: &App, cx: &OpContext, key: &Idempotent) -> Refused {
    let now = SystemClock.now();
    match app.engine.world().creations.find(cx.user, &key.key, now) {
        Some(earlier) => Refused::Repeated(Repeated(earlier.clone())),
        None => Rejection::new(Key::CreationRepeated).with("key", &key.key).into(),
    }
}

impl Repeated {
    /// Waits for what the first one left to do as that was to be waited for: the making of a disk only where this is wanted.
    ///
    /// Refused where it came to nothing; but a host is there while it is being installed, and also where that fails.
    pub async fn again(&self, app: &App, wait: Wait) -> Result<Again, Refused> {
        let Creation { made, job, keyed, .. } = &self.0;
        let made = made.ok_or_else(|| Refused::from(Rejection::from(Key::CreationRepeated)))?;
        let Some(job) = job.filter(|_| made.kind != MadeKind::Host) else { return Ok(Again { made, goes_on: None }) };
        let world = app.engine.world();
        let open = world.jobs.get(&job).filter(|job| job.status == JobStatus::Started);
        if wait == Wait::Decision && open.is_some_and(|job| matches!(job.task, Task::CreateDisk { .. })) {
            return Ok(Again { made, goes_on: Some(job) });
        }
        let why = match app.engine.settle(job).await {
            Some(JobStatus::Failed(why)) => Some(why),
            Some(_) => None,
            // The job is forgotten, but not that it failed.
            None => app.engine.world().creations.at(*keyed).and_then(|creation| creation.failure.as_deref()).map(str::to_owned),
        };
        match why {
            Some(why) => Err(Refused::Failed(why)),
            None => Ok(Again { made, goes_on: None }),
        }
    }
}
