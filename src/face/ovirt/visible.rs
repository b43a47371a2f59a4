//! What a caller may read: administrators everything, others by `Filter: true` what they hold a permission on.
//!
//! Whoever does not see everything passes four gates: paths through hidden objects are refused ([`hidden_in`]), and what refers to
//! them ([`unseen`]), searches run in a view that has only what is visible, and [`redacted`] takes references to hidden objects out of every document
//! on its way out. What is hidden is decided by [`Visible`], over the objects that the document's links lead to or through.

use std::borrow::Cow;
use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::access::EntityRef;
use evirt_domain::world::NameKind;
use evirt_projections::visible::{Cut, NO_CUT, Visible};
use uuid::Uuid;

use super::representation::place::{collection, collection_of_member, objects};
use super::representation::{Doc, Value};
use crate::app::OpContext;

/// Collections that no permission stands on and that everybody may read.
const OPEN: &[&str] = &["", "capabilities", "roles", "tags"];

/// The collection of the audit log's entries: of these everybody is shown those of what is seen.
const EVENTS: &str = "events";

/// The object that a name of a kind is of, where permissions stand on such.
pub fn object_of(kind: NameKind, id: Uuid) -> Option<EntityRef> {
    Some(match kind {
        NameKind::DataCenter => EntityRef::DataCenter(id.into()),
        NameKind::Cluster => EntityRef::Cluster(id.into()),
        NameKind::Network => EntityRef::Network(id.into()),
        NameKind::Host | NameKind::HostAddress => EntityRef::Host(id.into()),
        NameKind::StorageDomain => EntityRef::StorageDomain(id.into()),
        NameKind::Disk => EntityRef::Disk(id.into()),
        NameKind::Vm => EntityRef::Vm(id.into()),
        NameKind::Template => EntityRef::Template(id.into()),
        _ => return None,
    })
}

/// The object that a path below the base names at its end, where permissions stand on such.
pub fn object_at(segments: &[String]) -> Option<EntityRef> {
    let [.., collection, id] = segments else { return None };
    objects([collection.as_str(), id.as_str()].into_iter()).next().map(|(_, object)| object)
}

/// Whether somebody who does not see everything may read below a collection at all.
pub fn may_read(cx: &OpContext, top: &str) -> bool {
    cx.visible().is_everything() || OPEN.contains(&top) || (cx.user_level && (collection(top).is_some() || top == EVENTS))
}

/// The first segment of a path that names something hidden.
pub fn hidden_in<'p>(cx: &OpContext, segments: &'p [String]) -> Option<&'p str> {
    let visible = cx.visible();
    let hidden = |(_, object): &(&str, EntityRef)| visible.hides(&cx.world, *object);
    objects(segments.iter().map(String::as_str)).find(hidden).map(|(id, _)| id)
}

/// A virtual machine, or an action with one, without where it is to be placed: the user-level API does not choose hosts.
pub fn unplaced(mut doc: Doc) -> Doc {
    doc.remove("placement_policy");
    match doc.remove("vm") {
        Some(Value::Doc(vm)) => doc.set("vm", unplaced(vm)),
        Some(other) => doc.set("vm", other),
        None => doc,
    }
}

/// The first identifier in a document that is of nothing visible; `member` is what the document itself refers to, where it may be a
/// reference. What else a reference says beside its identifier counts for nothing.
pub fn unseen<'d>(cx: &OpContext, member: Option<&str>, doc: &'d Doc) -> Option<&'d str> {
    if cx.visible().is_everything() {
        return None;
    }
    if let (Some("quota"), Some(id)) = (member, doc.text("id")) {
        let quota = Uuid::parse_str(id).ok().and_then(|id| cx.world.quotas.get(&id.into()));
        let seen = quota.is_some_and(|quota| cx.visible().contains(&cx.world, EntityRef::DataCenter(quota.data_center)));
        return (!seen).then_some(id);
    }
    let collection = member.and_then(collection_of_member);
    let id = collection.zip(doc.text("id")).and_then(|(of, id)| Some((id, (of.object)(Uuid::parse_str(id).ok()?))));
    if let Some((id, object)) = id {
        return (!(object.exists(&cx.world) && cx.visible().contains(&cx.world, object))).then_some(id);
    }
    doc.members().iter().find_map(|(name, value)| match value {
        Value::Doc(child) => unseen(cx, Some(name), child),
        Value::List(items) => items.iter().filter_map(Value::as_doc).find_map(|item| unseen(cx, Some(name), item)),
        _ => None,
    })
}

/// Somebody who does not see everything, while the answer is made.
#[derive(Clone)]
pub struct Restricted {
    world: Arc<World>,
    visible: Visible,
}

tokio::task_local! {
    /// Whom the answer is for, where that is somebody who does not see everything. It is kept beside the calls so that no
    /// handler can forget it.
    static RESTRICTED: Restricted;
}

/// Makes an answer for its caller: what it renders is cut to what the caller may see.
pub async fn for_caller<F: Future>(cx: &OpContext, answer: F) -> F::Output {
    if cx.visible().is_everything() {
        return answer.await;
    }
    RESTRICTED.scope(Restricted { world: cx.world.clone(), visible: cx.visible().clone() }, answer).await
}

impl Restricted {
    /// Whether a document is of something hidden, or of what lies within that.
    fn hides(&self, doc: &Doc) -> bool {
        doc.href().is_some_and(|link| link.objects().any(|object| self.visible.hides(&self.world, object)))
    }

    fn cut(&self, doc: &Doc) -> Doc {
        let mut kept = Doc::with_capacity(doc.members().len());
        for (name, value) in doc.members() {
            match value {
                // How many things there are is nobody's business who does not see them.
                Value::Doc(_) if *name == "summary" => {}
                Value::Doc(child) if self.hides(child) => {}
                Value::Doc(child) => kept.put(name, self.cut(child)),
                Value::List(items) => {
                    let items = items.iter().filter(|item| !item.as_doc().is_some_and(|item| self.hides(item)));
                    let cut = |item: &Value| item.as_doc().map_or_else(|| item.clone(), |doc| Value::Doc(self.cut(doc)));
                    kept.put(name, Value::List(items.map(cut).collect()));
                }
                plain => kept.put(name, plain.clone()),
            }
        }
        kept
    }
}

/// Whether the caller may have a document in a list.
pub fn shows(doc: &Doc) -> bool {
    RESTRICTED.try_with(|caller| !caller.hides(doc)).unwrap_or(true)
}

/// What is cut out for the caller of a document that refers to these objects; none where they are too many to say.
pub fn cut(refers: &[EntityRef]) -> Option<Cut> {
    RESTRICTED.try_with(|caller| caller.visible.cut(&caller.world, refers)).unwrap_or(Some(NO_CUT))
}

/// The objects that the links in a document lead to or through, each once.
pub fn referred(doc: &Doc) -> Vec<EntityRef> {
    let mut found = Vec::new();
    collect(doc, &mut found);
    found.sort();
    found.dedup();
    found
}

fn collect(doc: &Doc, found: &mut Vec<EntityRef>) {
    found.extend(doc.href().into_iter().flat_map(|link| link.objects()));
    for (_, value) in doc.members() {
        match value {
            Value::Doc(child) => collect(child, found),
            Value::List(items) => items.iter().filter_map(Value::as_doc).for_each(|item| collect(item, found)),
            _ => {}
        }
    }
}

/// A document without references to what its reader may not see.
pub fn redacted(doc: &Doc) -> Cow<'_, Doc> {
    RESTRICTED.try_with(|caller| Cow::Owned(caller.cut(doc))).unwrap_or(Cow::Borrowed(doc))
}
