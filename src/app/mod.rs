//! What any dialect does with the engine: the use cases.
//!
//! A use case is a function of its caller (`OpContext`) and typed arguments: it asks of the outside what has to be asked, submits a command,
//! waits for the work that follows where its caller wants that, and says what came of it. A command that needs no question is a use case by
//! itself, by [`App::carry_out`]. Nothing here knows HTTP, a format, a path or a dialect's words.

pub mod access;
pub mod context;
pub mod event;
pub mod event_matches;
pub mod host;
pub mod idempotent;
pub mod image;
pub mod probe;
pub mod secrets;
pub mod session;
pub mod statistics;
pub mod storage;
pub mod vm;
pub mod work;

use std::sync::Arc;

pub use context::{Conditions, OpContext};
pub use session::Sessions;
pub use work::{Done, Refused, Wait};

use evirt_domain::{Key, Rejection};

use crate::directory::Directory;
use crate::engine::Engine;
use crate::log::Sealer;

/// What every use case works with. A copy is another handle to the same.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// What an App holds.
#[derive(Debug)]
pub struct Parts {
    /// The engine.
    pub engine: Engine,
    /// Seals what must not be in the log in clear: the root passwords of hosts.
    pub sealer: Arc<Sealer>,
    /// Who checks credentials.
    pub directory: Directory,
    /// When sessions were last used.
    pub sessions: Sessions,
}

impl App {
    /// The shared parts around an engine.
    pub fn new(engine: Engine, sealer: Arc<Sealer>, directory: Directory) -> Self {
        Self(Arc::new(Parts { engine, sealer, directory, sessions: Sessions::default() }))
    }
}

impl App {
    /// Hides a secret from those who read the log.
    ///
    /// Refused as `Internal` where it cannot be sealed.
    pub fn seal(&self, secret: &str) -> Result<String, Refused> {
        let sealed = self.sealer.seal(secret);
        sealed.map_err(|error| Refused::Rejected(Rejection::new(Key::Internal).with("detail", error)))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
