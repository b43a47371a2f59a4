//! The time. Within a run it goes on steadily, whatever is done to the machine's clock: locks and timeouts must neither end nor last because
//! somebody set it.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use evirt_domain::ids::Micros;

/// A source of time.
pub trait Clock: Send + Sync {
    /// Now, in microseconds since 1970.
    fn now(&self) -> Micros;

    /// Tells of the time of the last event that there is: what comes is later.
    fn begin_after(&self, _last: Micros) {}
}

/// By how much the machine's clock may move against the steady time between two looks, in microseconds. What corrects clocks by the network
/// moves them by less.
const MAX_SLEW: Micros = 1_000_000;

/// From what distance on the time of the next event is warned of where it lies ahead of the last one's, in microseconds: a year.
const FAR_AHEAD: Micros = 365 * 24 * 60 * 60 * 1_000_000;

/// The machine's own clock, made steady. There is one for a process.
///
/// It follows the machine's clock while that moves little by little. Where that jumps, this one goes on as if nothing had happened until the
/// process ends, and the jump is warned of.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        let mut steady = STEADY.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = chrono::Utc::now().timestamp_micros();
        let (now, jump) = steady.look(machine, Instant::now());
        if let Some(jump) = jump {
            let seconds = jump / 1_000_000;
            tracing::warn!(
                seconds,
                "the machine's clock was set: events, locks and timeouts go on by the former time until the engine ends"
            );
        }
        now
    }

    fn begin_after(&self, last: Micros) {
        let now = self.now();
        if last > 0 && now - last > FAR_AHEAD {
            tracing::warn!(
                seconds = (now - last) / 1_000_000,
                "the machine's clock is far ahead of the last event: is it right?"
            );
        }
        if now < last {
            let seconds = (last - now) / 1_000_000;
            tracing::warn!(
                seconds,
                "the machine's clock is behind the last event: time goes on from that event until the engine ends"
            );
            STEADY.lock().unwrap_or_else(PoisonError::into_inner).ahead += last - now;
        }
    }
}

static STEADY: Mutex<Steady> = Mutex::new(Steady { looked: None, ahead: 0 });

/// A steady time.
struct Steady {
    /// When the clock was looked at last, and what the machine's showed then.
    looked: Option<(Instant, Micros)>,
    /// By how much it is ahead of the machine's clock.
    ahead: Micros,
}

impl Steady {
    /// The time, and by how much the machine's clock has jumped since it was looked at last.
    fn look(&mut self, machine: Micros, at: Instant) -> (Micros, Option<Micros>) {
        let jump = self.looked.and_then(|(then, shown)| {
            let passed = Micros::try_from(at.saturating_duration_since(then).as_micros()).unwrap_or(Micros::MAX);
            Some(machine.saturating_sub(shown.saturating_add(passed))).filter(|moved| moved.abs() > MAX_SLEW)
        });
        self.ahead -= jump.unwrap_or(0);
        self.looked = Some((at, machine));
        (machine + self.ahead, jump)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Micros = 1_000_000;

    #[test]
    fn a_clock_that_is_set_changes_nothing_within_a_run() {
        let (mut steady, start) = (Steady { looked: None, ahead: 0 }, Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(steady.look(1_000 * SECOND, at(0)), (1_000 * SECOND, None));
        // A correction by the network is followed.
        assert_eq!(steady.look(1_010 * SECOND + 5_000, at(10)), (1_010 * SECOND + 5_000, None));
        // An hour ahead, and then two hours back.
        let ahead = 4_611 * SECOND;
        assert_eq!(steady.look(ahead + 5_000, at(11)), (1_011 * SECOND + 5_000, Some(3_600 * SECOND)));
        assert_eq!(steady.look(ahead + SECOND, at(12)).0, 1_012 * SECOND);
        let (now, jump) = steady.look(ahead - 7_200 * SECOND + 2 * SECOND, at(13));
        assert_eq!((now, jump), (1_013 * SECOND, Some(-7_200 * SECOND)));
    }
}
