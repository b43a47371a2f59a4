//! Keys of creations: what is sent again, and how long it is known.

use evirt_domain::access::ADMIN;
use evirt_domain::cluster::{ClusterConfig, CreateCluster};
use evirt_domain::creation::{CreationKeyed, KEEP_CREATION_KEYS, MAX_CREATION_KEYS, Made, MadeKind};
use evirt_domain::job::{ClearJobs, EndJob, KEEP_FAILED};
use evirt_domain::world::NameKind;
use evirt_domain::{Intent, Key};

use crate::harness::{Story, add_disk, estate};

fn create(name: &str, key: &str) -> Intent {
    let config = ClusterConfig { name: name.into(), ..crate::harness::cluster_config() };
    Intent::from(CreateCluster { config }).idempotent(key, name)
}

#[test]
fn a_key_is_used_once_and_only_for_what_was_accepted() {
    let mut story = Story::installed();
    story.when(create("no good", "k")).refused(Key::NameSpecialCharacters);
    story.does(create("web", "k"));
    story.when(create("web", "k")).refused(Key::CreationRepeated);
    story.when(create("other", "k")).refused(Key::CreationKeyReused);
    let creation = story.world.creations.find(ADMIN, "k", story.now).unwrap();
    assert_eq!((creation.first + 1, creation.keyed), (story.world.position, story.world.position));
    let cluster = story.world.exactly_named(NameKind::Cluster, "web").unwrap();
    assert_eq!(creation.made, Some(Made { kind: MadeKind::Cluster, id: cluster }));
    story.now += KEEP_CREATION_KEYS;
    story.when(create("other", "k")).then(&["ClusterCreated", "CreationKeyed"]);
}

#[test]
fn a_creation_whose_work_failed_is_known_as_such_when_the_job_is_forgotten() {
    let mut estate = estate();
    let keyed = |key: &str| Intent::from(add_disk(key, None)).idempotent(key, key);
    estate.does(keyed("one"));
    let failing = estate.job();
    estate.does(keyed("two"));
    estate.finish_disk();
    estate.does(EndJob { job: failing, failure: Some("no space".into()) });
    estate.does(keyed("three"));
    estate.now += KEEP_FAILED + 1;
    estate.does(ClearJobs);
    assert!(!estate.world.jobs.contains(&failing));
    let failure = |key| estate.world.creations.find(ADMIN, key, estate.now).unwrap().failure.as_deref();
    assert_eq!([failure("one"), failure("two"), failure("three")], [Some("no space"), None, None]);
}

#[test]
fn the_oldest_keys_are_forgotten() {
    let mut story = Story::installed();
    for n in 0..=MAX_CREATION_KEYS {
        story.given(vec![
            CreationKeyed { user: ADMIN, key: format!("k{n}").into(), digest: "00ff".into(), events: 1, made: None, job: None }
                .into(),
        ]);
    }
    let known = |key: &str| story.world.creations.find(ADMIN, key, story.now).is_some();
    assert!(!known("k0") && known("k1") && known(&format!("k{MAX_CREATION_KEYS}")));
}
