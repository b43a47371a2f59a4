//! Tags: a tree below the root, on VMs, hosts and users.

use evirt_domain::Key::*;
use evirt_domain::access::ADMIN;
use evirt_domain::ids::*;
use evirt_domain::tag::*;

use crate::harness::*;

fn config(name: &str, parent: Option<TagId>) -> TagConfig {
    TagConfig { name: name.into(), description: String::new(), parent }
}

fn tag(story: &mut Story, name: &str, parent: Option<TagId>) -> TagId {
    TagId(story.does(CreateTag { config: config(name, parent) })[0].as_fold().stream().id)
}

fn moved(tag: TagId, parent: Option<TagId>) -> UpdateTag {
    UpdateTag { tag, changes: TagPatch { parent: Some(parent), ..TagPatch::default() } }
}

#[test]
fn the_tree() {
    let mut story = Story::installed();
    let parent_of = |story: &Story, tag| story.world.tags.get(&tag).expect("the tag").config.parent;
    let a = tag(&mut story, "a", None);
    let b = tag(&mut story, "b", Some(a));
    let c = tag(&mut story, "c", Some(b));
    assert_eq!((parent_of(&story, a), parent_of(&story, c)), (Some(ROOT), Some(b)));
    story.when(CreateTag { config: config("d", Some(nowhere())) }).refused(EntityNotFound);
    for below in [a, b, c] {
        story.when(moved(a, Some(below))).refused(TagCycle);
    }
    story.when(moved(c, Some(a))).then(&["TagUpdated"]);
    story.does(moved(b, None));
    assert_eq!(parent_of(&story, b), Some(ROOT));
    story.when(moved(b, None)).then(&[]);
    story.when(RemoveTag { tag: ROOT }).refused(TagRoot);
    story.when(moved(ROOT, Some(a))).refused(TagRoot);
}

#[test]
fn names_are_unique_regardless_of_case() {
    let mut story = Story::installed();
    let a = tag(&mut story, "web", None);
    for (name, expected) in [("web", TagNameInUse), ("WEB", TagNameInUse), ("root", TagNameInUse), ("", NameEmpty)] {
        story.when(CreateTag { config: config(name, None) }).refused(expected);
    }
    story.when(CreateTag { config: config(&"x".repeat(51), None) }).refused(NameTooLong);
    let rename = TagPatch { name: Some("Web".into()), ..TagPatch::default() };
    story.when(UpdateTag { tag: a, changes: rename }).then(&["TagUpdated"]);
}

#[test]
fn tags_come_off_with_their_removal() {
    let mut estate = estate();
    let (vm, host) = (estate.vm, estate.host);
    let a = tag(&mut estate, "a", None);
    let b = tag(&mut estate, "b", Some(a));
    for (tag, to) in [(a, Tagged::Vm(vm)), (b, Tagged::Host(host)), (b, Tagged::User(ADMIN))] {
        estate.when(DetachTag { tag, to }).refused(EntityNotFound);
        estate.when(AttachTag { tag, to }).then(&["TagAttached"]);
        estate.does(AttachTag { tag, to });
        estate.when(AttachTag { tag, to }).then(&[]);
        estate.when(DetachTag { tag, to }).then(&["TagDetached"]);
    }
    estate.when(AttachTag { tag: a, to: Tagged::Vm(nowhere()) }).refused(EntityNotFound);
    estate.when(AttachTag { tag: nowhere(), to: Tagged::Vm(vm) }).refused(EntityNotFound);
    let kinds = ["TagDetached", "TagDetached", "TagRemoved", "TagDetached", "TagRemoved"];
    estate.when(RemoveTag { tag: a }).then(&kinds);
    estate.does(RemoveTag { tag: a });
    assert_eq!(estate.world.tags.len(), 1);
    assert!(estate.world.users.get(&ADMIN).expect("admin").tags.is_empty());
}
