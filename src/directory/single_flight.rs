//! Checks that are under way: who comes with the same credentials meanwhile waits for the same outcome.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::OnceCell;

use super::Tag;

/// Checks under way by what their credentials are remembered by.
#[derive(Debug)]
pub struct SingleFlight<T>(DashMap<Tag, Arc<OnceCell<T>>>);

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(DashMap::new())
    }
}

/// Somebody who waits for a check, or makes it.
struct Aboard<'a, T> {
    flights: &'a DashMap<Tag, Arc<OnceCell<T>>>,
    tag: Tag,
    cell: Arc<OnceCell<T>>,
}

impl<T> Drop for Aboard<'_, T> {
    fn drop(&mut self) {
        // A client that comes after the outcome is there begins anew; before that, only the last one to give up takes the check away.
        let is_over = |cell: &Arc<OnceCell<T>>| cell.initialized() || Arc::strong_count(cell) == 2;
        self.flights.remove_if(&self.tag, |_, cell| Arc::ptr_eq(cell, &self.cell) && is_over(cell));
    }
}

impl<T: Clone> SingleFlight<T> {
    /// What the check of these credentials gives that is under way, or else this one. Tells whether it is this one. When the client goes
    /// away whose check it is, that of another who waits is made.
    pub async fn join<F: Future<Output = T>>(&self, tag: Tag, check: impl FnOnce() -> F) -> (T, bool) {
        let cell = self.0.entry(tag).or_default().clone();
        let aboard = Aboard { flights: &self.0, tag, cell };
        let mut own = false;
        let outcome = aboard.cell.get_or_init(|| {
            own = true;
            check()
        });
        let outcome = outcome.await.clone();
        (outcome, own)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use futures_util::poll;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    const TAG: Tag = [1; 32];

    #[tokio::test]
    async fn all_who_come_meanwhile_share_one_check_and_those_after_do_not() {
        let (flights, checks) = (SingleFlight::default(), AtomicU32::new(0));
        let check = || async {
            tokio::task::yield_now().await;
            checks.fetch_add(1, Ordering::Relaxed)
        };
        let seen = join_all((0..1_000).map(|_| flights.join(TAG, check))).await;
        assert!(seen.iter().all(|(outcome, _)| *outcome == 0));
        assert_eq!(seen.iter().filter(|(_, own)| *own).count(), 1);
        assert_eq!(flights.join(TAG, check).await, (1, true));
        assert_eq!(flights.join([2; 32], check).await, (2, true));
        assert!(flights.0.is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn another_takes_over_from_who_goes_away() {
        let flights = SingleFlight::default();
        let mut first = Box::pin(flights.join(TAG, std::future::pending));
        assert_eq!(poll!(&mut first), Poll::Pending);
        let mut second = pin!(flights.join(TAG, || async { 7 }));
        assert_eq!(poll!(&mut second), Poll::Pending);
        drop(first);
        assert_eq!(second.await, (7, true));
        let mut alone = Box::pin(flights.join(TAG, std::future::pending));
        assert_eq!(poll!(&mut alone), Poll::Pending);
        drop(alone);
        assert!(flights.0.is_empty());
    }
}
