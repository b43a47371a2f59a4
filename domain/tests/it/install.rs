//! The installation.

use evirt_domain::Key::*;

use crate::harness::*;

#[test]
fn installing_twice_is_refused() {
    let story = Story::installed();
    story.when(evirt_domain::install::Install { admin_password: "hash".into() }).refused(StateMoved);
}
