//! The estate's own time: tokio's clock, made faster, going on where it stopped.

use std::time::Duration;

use tokio::time::Instant;

/// No sleep is longer; whoever wakes too early sleeps again.
const MAX_SLEEP: Duration = Duration::from_secs(3600);

pub struct Clock {
    start: Instant,
    base_ms: u64,
    speed: f64,
}

impl Clock {
    /// A clock that shows `base_ms` now.
    pub fn new(base_ms: u64, speed: f64) -> Clock {
        Clock { start: Instant::now(), base_ms, speed }
    }

    pub fn now_ms(&self) -> u64 {
        self.base_ms + (self.start.elapsed().as_secs_f64() * 1_000.0 * self.speed) as u64
    }

    /// When to wake for something that is due at `due_ms`.
    pub fn wake_at(&self, due_ms: u64) -> Instant {
        let wait_s = (due_ms.saturating_sub(self.now_ms()) as f64 / 1_000.0 / self.speed).min(MAX_SLEEP.as_secs_f64());
        // The timer of tokio counts in milliseconds; one more makes sure that the time has come.
        Instant::now() + Duration::from_secs_f64(wait_s) + Duration::from_millis(1)
    }
}
