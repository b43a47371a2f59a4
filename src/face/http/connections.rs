//! How many connections are served at a time. Each takes a file descriptor, of which the log needs some as well: were they used up, nobody
//! could connect until a silent client's time is over, and no snapshot could be written.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use metrics::Counter;
use tokio::sync::Semaphore;
use tower::Service;

use super::Front;

/// How many connections a listener has open at the most; whoever comes on top is hung up on.
pub const MAX_OPEN_CONNECTIONS: usize = 1024;

/// How many listeners share what file descriptors there are: http and https.
const LISTENERS: u64 = 2;

/// How many file descriptors are kept for everything else: the stores, drivers, directories, the runtime.
const RESERVED_DESCRIPTORS: u64 = 256;

/// How many connections a listener has to be able to serve: with fewer, a browser or two would keep everybody else out.
pub const MIN_OPEN_CONNECTIONS: usize = 32;

/// The system lets this process open too few files to serve anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process may open {allowed} files at once, and needs {needed} to serve: raise the hard limit (ulimit -Hn, LimitNOFILE=)"
)]
pub struct TooFewDescriptors {
    allowed: u64,
    needed: u64,
}

/// How many connections each listener may have, by what the system lets this process open, which is raised as far as that is allowed.
pub fn connection_limit() -> Result<usize, TooFewDescriptors> {
    let wanted = LISTENERS * MAX_OPEN_CONNECTIONS as u64 + RESERVED_DESCRIPTORS;
    let descriptors = rlimit::increase_nofile_limit(wanted).unwrap_or(RESERVED_DESCRIPTORS * 2);
    let each = connections_by(descriptors)?;
    if each < MAX_OPEN_CONNECTIONS {
        tracing::warn!(
            files = descriptors,
            connections = each,
            "few files may be open at once, so each listener serves fewer connections"
        );
    }
    Ok(each)
}

/// How many connections each listener may have where so many file descriptors are allowed.
fn connections_by(descriptors: u64) -> Result<usize, TooFewDescriptors> {
    let needed = LISTENERS * MIN_OPEN_CONNECTIONS as u64 + RESERVED_DESCRIPTORS;
    if descriptors < needed {
        return Err(TooFewDescriptors { allowed: descriptors, needed });
    }
    let each = (descriptors - RESERVED_DESCRIPTORS) / LISTENERS;
    Ok(usize::try_from(each).unwrap_or(MAX_OPEN_CONNECTIONS).min(MAX_OPEN_CONNECTIONS))
}

/// One `Front` for every connection, as long as there are not too many.
#[derive(Clone, Debug)]
pub struct FrontForEach {
    front: Front,
    free: Arc<Semaphore>,
    refused: Counter,
}

impl FrontForEach {
    /// For a listener that may have so many connections.
    pub fn new(front: Front, connections: usize) -> Self {
        Self { front, free: Arc::new(Semaphore::new(connections)), refused: metrics::counter!("evirt_connections_refused_total") }
    }
}

/// There are as many connections as there may be.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many connections")]
pub struct TooMany;

impl<Target> Service<Target> for FrontForEach {
    type Response = Front;
    type Error = TooMany;
    type Future = Ready<Result<Front, TooMany>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TooMany>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Target) -> Self::Future {
        ready(match self.free.clone().try_acquire_owned() {
            Ok(place) => Ok(self.front.clone().on(place)),
            Err(_) => {
                self.refused.increment(1);
                Err(TooMany)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;

    use super::super::Transport;
    use super::*;

    #[test]
    fn connections_are_as_many_as_files_allow_and_too_few_are_an_error() {
        let needed = 256 + 2 * 32;
        for (descriptors, connections) in [
            (needed, Some(MIN_OPEN_CONNECTIONS)),
            (needed + 1, Some(MIN_OPEN_CONNECTIONS)),
            (1_024, Some(384)),
            (256 + 2 * 1_024, Some(MAX_OPEN_CONNECTIONS)),
            (1 << 20, Some(MAX_OPEN_CONNECTIONS)),
            (u64::MAX, Some(MAX_OPEN_CONNECTIONS)),
            (needed - 1, None),
            (256, None),
            (0, None),
        ] {
            let expected = connections.ok_or(TooFewDescriptors { allowed: descriptors, needed });
            assert_eq!(connections_by(descriptors), expected, "{descriptors}");
        }
        let said = connections_by(256).unwrap_err().to_string();
        assert!(said.contains("256 files") && said.contains(&needed.to_string()), "{said}");
    }

    #[tokio::test]
    async fn who_comes_when_there_are_too_many_is_hung_up_on_until_one_leaves() {
        let front = Front::new(Arc::new([]), Router::new(), Transport { secure: false });
        let mut each = FrontForEach::new(front, 2);
        let (one, two) = (each.call(()).await, each.call(()).await);
        assert!(one.is_ok() && two.is_ok());
        assert!(each.call(()).await.is_err());
        drop(two);
        assert!(each.call(()).await.is_ok());
    }
}
