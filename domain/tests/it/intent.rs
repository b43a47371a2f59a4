//! Intents: the conditions that a command comes with.

use evirt_domain::cluster::{ClusterPatch, UpdateCluster};
use evirt_domain::event::{Stream, StreamKind};
use evirt_domain::install::DEFAULT_CLUSTER;
use evirt_domain::{Intent, Key};

use crate::harness::Story;

#[test]
fn what_has_another_version_than_the_caller_saw_is_not_changed() {
    let mut story = Story::installed();
    let stream = Stream::new(StreamKind::Cluster, DEFAULT_CLUSTER.0);
    let seen = story.world.version(&stream);
    let change = |text: &str| UpdateCluster {
        cluster: DEFAULT_CLUSTER,
        changes: ClusterPatch { description: Some(text.into()), ..ClusterPatch::default() },
    };
    let on_what_was_seen = |text: &str| Intent::from(change(text)).if_versions(vec![(stream, seen)]);
    story.does(on_what_was_seen("mine"));
    let refused = story.when(on_what_was_seen("lost")).refused(Key::VersionStale);
    assert!(refused.to_string().contains(&format!("version {}, not {seen}", seen + 1)), "{refused}");
    story.when(change("without a condition")).then(&["ClusterUpdated"]);
}
