//! Slows down and locks out who guesses passwords: each wrong one is answered later than the one before, and too many from one address lock
//! the name there for a while, whether there is such a user or not. Many more from many addresses lock it everywhere but where its user has
//! logged in before: nobody can shut a user out from elsewhere.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Wrong passwords in a row that lock a name at an address, unless the settings say otherwise.
pub const DEFAULT_LOGIN_FAILURES: u32 = 10;

/// For how long a name is locked, in seconds, unless the settings say otherwise.
pub const DEFAULT_LOGIN_LOCK_SECONDS: u32 = 60;

/// How many times as many wrong passwords, from whatever addresses, lock a name where its user was never seen.
pub const EVERYWHERE_FACTOR: u32 = 10;

/// How late the second wrong password in a row is answered; each further one takes twice as long.
pub const FIRST_DELAY: Duration = Duration::from_millis(100);

/// How late a wrong password is answered at the latest.
pub const MAX_DELAY: Duration = Duration::from_secs(2);

/// After how long wrong passwords do not count any more.
pub const FAILURES_FORGOTTEN: Duration = Duration::from_secs(15 * 60);

/// Names at addresses whose wrong passwords are counted; and as many names alone.
pub const MAX_FAILING_NAMES: usize = 4096;

/// Addresses that are remembered with who has logged in there.
pub const MAX_KNOWN_ADDRESSES: usize = 4096;

/// When names are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wrong passwords in a row that lock a name at an address; 0: none ever does.
    pub failures: u32,
    /// For how long, in seconds.
    pub lock_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { failures: DEFAULT_LOGIN_FAILURES, lock_seconds: DEFAULT_LOGIN_LOCK_SECONDS }
    }
}

/// Where a lock holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// Nowhere: the name may be tried again.
    Nothing,
    /// At the address that it was tried from.
    Here,
    /// Wherever its user has not logged in before.
    Everywhere,
}

/// What follows a wrong password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Penalty {
    /// How late it is to be answered.
    pub delay: Duration,
    /// What is locked from now on.
    pub locks: Locks,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
    locked_until: Option<Instant>,
}

impl Failures {
    fn locked(&self, now: Instant) -> bool {
        self.locked_until.is_some_and(|until| until > now)
    }

    fn counts(&self, now: Instant) -> bool {
        self.locked(now) || now.duration_since(self.last) < FAILURES_FORGOTTEN
    }
}

/// Wrong passwords in a row, by what they are counted for.
#[derive(Debug)]
struct Counted<K>(HashMap<K, Failures>);

impl<K> Default for Counted<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Counted<K> {
    /// Counts one more, which locks where it is the last that may be. How many it are, none where there is no room to count, and whether this
    /// one locks.
    fn more(&mut self, key: K, locks_at: u32, lock: Duration, now: Instant) -> Option<(u32, bool)> {
        if self.0.len() >= MAX_FAILING_NAMES {
            self.0.retain(|_, failures| failures.counts(now));
            if self.0.len() >= MAX_FAILING_NAMES {
                // Thousands of names at once: those that are locked stay so, the others begin anew.
                self.0.retain(|_, failures| failures.locked(now));
            }
            if self.0.len() >= MAX_FAILING_NAMES {
                return None;
            }
        }
        let fresh = Failures { count: 0, last: now, locked_until: None };
        let entry = self.0.entry(key).or_insert(fresh);
        if !entry.counts(now) || entry.locked_until.is_some_and(|until| until <= now) {
            *entry = fresh;
        }
        (entry.count, entry.last) = (entry.count.saturating_add(1), now);
        let locks = locks_at > 0 && entry.count == locks_at;
        if locks {
            entry.locked_until = Some(now + lock);
        }
        Some((entry.count, locks))
    }

    fn locked(&self, key: &K, now: Instant) -> bool {
        self.0.get(key).is_some_and(|failures| failures.locked(now))
    }
}

#[derive(Debug, Default)]
struct Seen {
    here: Counted<(String, IpAddr)>,
    everywhere: Counted<String>,
    /// When somebody last logged in at an address.
    known: HashMap<(String, IpAddr), Instant>,
    /// Names of users whose lock stands in the log, where an operator may take it away.
    recorded: HashSet<String>,
}

/// Counts wrong passwords by name and address.
#[derive(Debug, Default)]
pub struct Guard {
    limits: Limits,
    seen: Mutex<Seen>,
}

impl Guard {
    /// A guard that has seen nothing.
    pub fn new(limits: Limits) -> Self {
        Self { limits, seen: Mutex::default() }
    }

    /// For how long it locks, in seconds.
    pub fn lock_seconds(&self) -> u32 {
        self.limits.lock_seconds
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a name is locked at an address.
    pub fn is_locked(&self, name: &str, from: IpAddr, now: Instant) -> bool {
        let seen = self.seen();
        let name = name.to_lowercase();
        let everywhere = seen.everywhere.locked(&name, now);
        let here = (name, from);
        seen.here.locked(&here, now) || (everywhere && !seen.known.contains_key(&here))
    }

    /// Locks a name that was locked before this process began: at an address, or everywhere, and no longer than it would be locked now.
    pub fn lock(&self, name: &str, from: Option<IpAddr>, rest: Duration, now: Instant) {
        let until = now + rest.min(Duration::from_secs(self.limits.lock_seconds.into()));
        let locked = Failures { count: self.limits.failures, last: now, locked_until: Some(until) };
        let (mut seen, name) = (self.seen(), name.to_lowercase());
        match from {
            Some(from) if seen.here.0.len() < MAX_FAILING_NAMES => drop(seen.here.0.insert((name, from), locked)),
            None if seen.everywhere.0.len() < MAX_FAILING_NAMES => drop(seen.everywhere.0.insert(name, locked)),
            _ => {}
        }
    }

    /// Takes note that the lock of a user stands in the log.
    pub fn recorded(&self, name: &str) {
        self.seen().recorded.insert(name.to_lowercase());
    }

    /// Whether the log has a lock of this name, or had it.
    pub fn is_recorded(&self, name: &str) -> bool {
        self.seen().recorded.contains(&name.to_lowercase())
    }

    /// Counts a wrong password.
    pub fn failed(&self, name: &str, from: IpAddr, now: Instant) -> Penalty {
        let Limits { failures, lock_seconds } = self.limits;
        let (lock, name) = (Duration::from_secs(lock_seconds.into()), name.to_lowercase());
        let mut seen = self.seen();
        let all = seen.everywhere.more(name.clone(), failures.saturating_mul(EVERYWHERE_FACTOR), lock, now);
        let Some((count, here)) = seen.here.more((name, from), failures, lock, now) else {
            return Penalty { delay: MAX_DELAY, locks: Locks::Nothing };
        };
        let locks = match (all, here) {
            (Some((_, true)), _) => Locks::Everywhere,
            (_, true) => Locks::Here,
            _ => Locks::Nothing,
        };
        let delay = match count {
            1 => Duration::ZERO,
            count => MAX_DELAY.min(FIRST_DELAY * 2_u32.saturating_pow(count - 2)),
        };
        Penalty { delay, locks }
    }

    /// Forgets the wrong passwords of a name at an address, where its user has logged in now.
    pub fn succeeded(&self, name: &str, from: IpAddr, now: Instant) {
        let mut seen = self.seen();
        let here = (name.to_lowercase(), from);
        seen.here.0.remove(&here);
        if seen.known.len() >= MAX_KNOWN_ADDRESSES
            && !seen.known.contains_key(&here)
            && let Some(oldest) = seen.known.iter().min_by_key(|(_, at)| **at).map(|(oldest, _)| oldest.clone())
        {
            seen.known.remove(&oldest);
        }
        seen.known.insert(here, now);
    }

    /// Forgets all wrong passwords of a name.
    pub fn unlock(&self, name: &str) {
        let (mut seen, name) = (self.seen(), name.to_lowercase());
        seen.everywhere.0.remove(&name);
        seen.recorded.remove(&name);
        seen.here.0.retain(|(other, _), _| *other != name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const MINUTE: Duration = Duration::from_secs(60);

    fn guard(failures: u32) -> Guard {
        Guard::new(Limits { failures, lock_seconds: 60 })
    }

    fn elsewhere(n: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n))
    }

    #[test]
    fn wrong_passwords_are_answered_later_and_later_and_lock_in_the_end() {
        let (guard, now) = (guard(4), Instant::now());
        let delays: Vec<u128> = (0..4).map(|_| guard.failed("Eve@internal", HERE, now).delay.as_millis()).collect();
        assert_eq!(delays, [0, 100, 200, 400]);
        assert!(guard.is_locked("eve@INTERNAL", HERE, now + MINUTE / 2), "by any spelling");
        assert!(!guard.is_locked("bob@internal", HERE, now));
        let later = now + MINUTE;
        assert!(!guard.is_locked("eve@internal", HERE, later));
        assert_eq!(guard.failed("eve@internal", HERE, later), Penalty { delay: Duration::ZERO, locks: Locks::Nothing });
        let (open, many) = (self::guard(0), 400);
        assert!((0..many).all(|_| open.failed("eve@internal", HERE, now).locks == Locks::Nothing));
        assert_eq!(open.failed("eve@internal", HERE, now).delay, MAX_DELAY);
    }

    #[test]
    fn nobody_is_shut_out_from_elsewhere() {
        let (guard, now) = (guard(3), Instant::now());
        guard.succeeded("admin@internal", HERE, now);
        let locks: Vec<Locks> = (0..30).map(|n| guard.failed("admin@internal", elsewhere(n / 3), now).locks).collect();
        assert_eq!(locks[..3], [Locks::Nothing, Locks::Nothing, Locks::Here]);
        assert_eq!(locks.iter().filter(|locks| **locks == Locks::Everywhere).count(), 1);
        assert!(guard.is_locked("admin@internal", elsewhere(0), now));
        assert!(guard.is_locked("admin@internal", elsewhere(99), now), "an address that was never seen");
        assert!(!guard.is_locked("admin@internal", HERE, now), "the administrator's own");
        guard.unlock("ADMIN@internal");
        assert!(!guard.is_locked("admin@internal", elsewhere(0), now));
        assert!(!guard.is_locked("admin@internal", elsewhere(99), now));
    }

    #[test]
    fn a_lock_of_an_earlier_process_holds_no_longer_than_one_of_this() {
        let (guard, now) = (guard(3), Instant::now());
        guard.lock("eve@internal", Some(HERE), 1_000 * MINUTE, now);
        assert!(guard.is_locked("eve@internal", HERE, now + MINUTE / 2));
        assert!(!guard.is_locked("eve@internal", elsewhere(1), now));
        assert!(!guard.is_locked("eve@internal", HERE, now + MINUTE));
        guard.lock("bob@internal", None, MINUTE, now);
        assert!(guard.is_locked("bob@internal", HERE, now));
    }

    #[test]
    fn it_does_not_grow_without_bound() {
        let (guard, now) = (guard(1), Instant::now());
        for n in 0..MAX_FAILING_NAMES as u32 + 9 {
            guard.failed(&n.to_string(), HERE, now);
            guard.succeeded("eve", elsewhere(n), now + Duration::from_millis(n.into()));
        }
        let seen = guard.seen();
        assert_eq!((seen.here.0.len(), seen.known.len()), (MAX_FAILING_NAMES, MAX_KNOWN_ADDRESSES));
        assert!(seen.everywhere.0.len() <= MAX_FAILING_NAMES);
        assert!(seen.known.contains_key(&("eve".into(), elsewhere(MAX_FAILING_NAMES as u32 + 8))), "the newest are known");
        drop(seen);
        assert!(guard.is_locked("0", HERE, now), "a flood of names unlocks nobody");
    }
}
