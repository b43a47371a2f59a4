//! Refused logins, as they are told of: each at first, and summed up where there are many.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use evirt_domain::access::{MAX_SUMMED_UP, SumUpRefusals};

/// How many refusals are told of one by one before they are summed up.
pub const MAX_TOLD_REFUSALS: u32 = 20;

/// After how long one more is told of by itself.
pub const TOLD_AGAIN: Duration = Duration::from_secs(6);

/// How long refusals are summed up before they are told of.
pub const SUM_INTERVAL: Duration = Duration::from_secs(60);

/// What was refused and not told of yet.
#[derive(Debug, Default)]
struct Sum {
    since: Option<Instant>,
    count: u64,
    names: BTreeSet<String>,
    from: BTreeSet<IpAddr>,
}

/// How much may be told of, and what waits for that.
#[derive(Debug)]
struct State {
    left: u32,
    refilled: Option<Instant>,
    sum: Sum,
}

/// The refused logins.
#[derive(Debug)]
pub struct Refusals(Mutex<State>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Mutex::new(State { left: MAX_TOLD_REFUSALS, refilled: None, sum: Sum::default() }))
    }
}

impl Refusals {
    /// Whether a refusal is to be told of by itself; else it is summed up.
    pub fn told(&self, name: &str, from: IpAddr, now: Instant) -> bool {
        let state = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *state.refilled.get_or_insert(now);
        let more = u32::try_from(now.duration_since(since).as_secs() / TOLD_AGAIN.as_secs()).unwrap_or(u32::MAX);
        if more > 0 {
            state.left = state.left.saturating_add(more).min(MAX_TOLD_REFUSALS);
            state.refilled = Some(now);
        }
        if state.left > 0 {
            state.left -= 1;
            return true;
        }
        let sum = &mut state.sum;
        sum.since.get_or_insert(now);
        sum.count += 1;
        // One more than is told, by which is known that there were more.
        if sum.names.len() <= MAX_SUMMED_UP && !sum.names.contains(name) {
            sum.names.insert(name.to_owned());
        }
        if sum.from.len() <= MAX_SUMMED_UP {
            sum.from.insert(from);
        }
        false
    }

    /// What is to be told of now, where it is time.
    pub fn due(&self, now: Instant) -> Option<SumUpRefusals> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.sum.since.filter(|since| now.duration_since(*since) >= SUM_INTERVAL)?;
        let Sum { count, names, from, .. } = std::mem::take(&mut state.sum);
        Some(SumUpRefusals { count, names: names.into_iter().collect(), from: from.iter().map(IpAddr::to_string).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn a_flood_is_told_of_once_a_minute_and_counted_whole() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let (mut told, mut summed, mut count) = (0, 0, 0);
        for second in 0..600_u64 {
            let now = start + Duration::from_secs(second);
            for n in 0..250 {
                let by_itself = refusals.told(&format!("name{second}-{n}"), HERE, now);
                told += u64::from(by_itself);
            }
            if let Some(sum) = refusals.due(now) {
                (summed, count) = (summed + 1, count + sum.count);
                assert_eq!((sum.names.len(), sum.from.len()), (MAX_SUMMED_UP + 1, 1));
            }
        }
        assert!(told <= u64::from(MAX_TOLD_REFUSALS) + 600 / TOLD_AGAIN.as_secs(), "{told} events of their own");
        assert!(summed <= 10, "{summed} sums in ten minutes");
        let rest = refusals.due(start + Duration::from_secs(700)).map_or(0, |sum| sum.count);
        assert_eq!(told + count + rest, 600 * 250, "none is lost");
    }
}
