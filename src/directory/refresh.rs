//! Whether directories still have the users that they told of: asked from time to time, and when somebody is not let in.

use std::sync::Arc;

use evirt_domain::Decide;
use evirt_domain::access::{DeactivateUser, RefreshUser, User};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use super::ldap::LdapDirectory;
use crate::engine::{Engine, Request};

/// Asks every directory again and again for the users that are known of it, each as often as its settings say.
pub(super) async fn follow(engine: Engine, others: Arc<[LdapDirectory]>) {
    let mut asking = JoinSet::new();
    for n in 0..others.len() {
        let (engine, others) = (engine.clone(), others.clone());
        asking.spawn(async move {
            let other = &others[n];
            let Some(every) = other.refresh() else { return };
            let mut due = tokio::time::interval_at(Instant::now() + every, every);
            // One that takes long to answer is not asked in a hurry then.
            due.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                due.tick().await;
                refresh(&engine, other).await;
            }
        });
    }
    while asking.join_next().await.is_some() {}
}

/// Asks a directory for the users that are known of it, one after the other, for as long as it answers.
async fn refresh(engine: &Engine, other: &LdapDirectory) {
    let request = Request::system(format!("directory-{}", Uuid::new_v4().simple()));
    let world = engine.world();
    for user in world.users.values().filter(|user| user.domain.eq_ignore_ascii_case(&other.domain)) {
        if !check(engine, &request, other, user).await {
            return;
        }
    }
}

/// Asks a directory whether it still has a user, and records what is news. Gives whether it answered; where it does not, nothing changes.
pub(super) async fn check(engine: &Engine, request: &Request, other: &LdapDirectory, user: &User) -> bool {
    match other.still_knows(user).await {
        Ok(Some(account)) => record(engine, request, user, RefreshUser { account }).await,
        Ok(None) => record(engine, request, user, DeactivateUser { user: user.id }).await,
        Err(why) => {
            tracing::info!(user = %user.id, ?why, "a directory does not say whether it has a user");
            return false;
        }
    }
    true
}

async fn record(engine: &Engine, request: &Request, user: &User, news: impl Decide + 'static) {
    if let Err(rejection) = engine.submit(request, news).await {
        tracing::info!(user = %user.id, %rejection, "what a directory tells of a user cannot be recorded");
    }
}
