//! Slows down and locks out who guesses passwords: each wrong one is answered later than the one before, and too many lock the name
//! for a while, whether there is such a user or not.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong passwords in a row that lock a user, unless the settings say otherwise.
pub const DEFAULT_LOGIN_FAILURES: u32 = 10;

/// For how long a user is locked, in seconds, unless the settings say otherwise.
pub const DEFAULT_LOGIN_LOCK_SECONDS: u32 = 60;

/// How late the second wrong password in a row is answered; each further one takes twice as long.
pub const FIRST_DELAY: Duration = Duration::from_millis(100);

/// How late a wrong password is answered at the latest.
pub const MAX_DELAY: Duration = Duration::from_secs(2);

/// After how long wrong passwords do not count any more.
pub const FAILURES_FORGOTTEN: Duration = Duration::from_secs(15 * 60);

/// Names whose wrong passwords are counted.
pub const MAX_FAILING_NAMES: usize = 4096;

/// When names are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wrong passwords in a row that lock a name; 0: none ever does.
    pub failures: u32,
    /// For how long, in seconds.
    pub lock_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { failures: DEFAULT_LOGIN_FAILURES, lock_seconds: DEFAULT_LOGIN_LOCK_SECONDS }
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
    locked_until: Option<Instant>,
}

/// What follows a wrong password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Penalty {
    /// How late it is to be answered.
    pub delay: Duration,
    /// Whether the name is locked from now on.
    pub locks: bool,
}

/// Counts wrong passwords by name.
#[derive(Debug, Default)]
pub struct Guard {
    limits: Limits,
    names: Mutex<HashMap<String, Failures>>,
}

impl Guard {
    /// A guard that has seen nothing.
    pub fn new(limits: Limits) -> Self {
        Self { limits, names: Mutex::default() }
    }

    /// For how long it locks, in seconds.
    pub fn lock_seconds(&self) -> u32 {
        self.limits.lock_seconds
    }

    /// Whether a name is locked.
    pub fn is_locked(&self, name: &str, now: Instant) -> bool {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&name.to_lowercase()).and_then(|failures| failures.locked_until).is_some_and(|until| until > now)
    }

    /// Counts a wrong password.
    pub fn failed(&self, name: &str, now: Instant) -> Penalty {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = |failures: &Failures| now.duration_since(failures.last) < FAILURES_FORGOTTEN;
        if names.len() >= MAX_FAILING_NAMES {
            names.retain(|_, failures| counts(failures));
            if names.len() >= MAX_FAILING_NAMES {
                // Thousands of names at once: those that are locked stay so, the others begin anew.
                names.retain(|_, failures| failures.locked_until.is_some_and(|until| until > now));
            }
            if names.len() >= MAX_FAILING_NAMES {
                return Penalty { delay: MAX_DELAY, locks: false };
            }
        }
        let entry = names.entry(name.to_lowercase()).or_insert(Failures { count: 0, last: now, locked_until: None });
        if !counts(entry) || entry.locked_until.is_some_and(|until| until <= now) {
            *entry = Failures { count: 0, last: now, locked_until: None };
        }
        (entry.count, entry.last) = (entry.count.saturating_add(1), now);
        let locks = self.limits.failures > 0 && entry.count == self.limits.failures;
        if locks {
            entry.locked_until = Some(now + Duration::from_secs(self.limits.lock_seconds.into()));
        }
        let delay = match entry.count {
            1 => Duration::ZERO,
            count => MAX_DELAY.min(FIRST_DELAY * 2_u32.saturating_pow(count - 2)),
        };
        Penalty { delay, locks }
    }

    /// Forgets the wrong passwords of a name.
    pub fn forget(&self, name: &str) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(&name.to_lowercase());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_passwords_are_answered_later_and_later_and_lock_in_the_end() {
        let (guard, now) = (Guard::new(Limits { failures: 4, lock_seconds: 60 }), Instant::now());
        let delays: Vec<u128> = (0..4).map(|_| guard.failed("Eve@internal", now).delay.as_millis()).collect();
        assert_eq!(delays, [0, 100, 200, 400]);
        assert!(guard.is_locked("eve@INTERNAL", now + Duration::from_secs(59)), "by any spelling");
        assert!(!guard.is_locked("bob@internal", now));
        let later = now + Duration::from_secs(61);
        assert!(!guard.is_locked("eve@internal", later));
        assert_eq!(guard.failed("eve@internal", later), Penalty { delay: Duration::ZERO, locks: false });
        guard.forget("eve@internal");
        let (open, many) = (Guard::new(Limits { failures: 0, lock_seconds: 60 }), 40);
        assert!((0..many).all(|_| !open.failed("eve@internal", now).locks));
        assert_eq!(open.failed("eve@internal", now).delay, MAX_DELAY);
    }

    #[test]
    fn it_does_not_grow_without_bound() {
        let (guard, now) = (Guard::new(Limits { failures: 1, lock_seconds: 60 }), Instant::now());
        for n in 0..MAX_FAILING_NAMES + 9 {
            guard.failed(&n.to_string(), now);
        }
        assert_eq!(guard.names.lock().unwrap().len(), MAX_FAILING_NAMES);
        assert!(guard.is_locked("0", now), "a flood of names unlocks nobody");
    }
}
