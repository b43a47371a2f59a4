//! What a caller may read: administrators everything, others by `Filter: true` what they hold a permission on.
//!
//! Whoever does not see everything passes four gates: [`check`] refuses paths through hidden objects, [`admit`] what refers to
//! them, searches run in a view that has only what is visible, and [`redacted`] takes references to hidden objects out of every document
//! on its way out. What is hidden is decided by [`Visible`], over the objects that the document's links lead to or through.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::Method;
use evirt_domain::World;
use evirt_domain::access::EntityRef;
use evirt_domain::world::NameKind;
use evirt_projections::visible::{Cut, NO_CUT, Visible};
use uuid::Uuid;

use super::answer::Answer;
use super::representation::description::TypeDef;
use super::representation::place::{collection, collection_of_member, objects};
use super::representation::{Doc, Fault, Value};
use super::request::ApiRequest;

/// Collections that no permission stands on and that everybody may read.
const OPEN: &[&str] = &["", "capabilities", "roles", "tags"];

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

/// Refuses a request that touches what its caller may not see: what is hidden does not exist. `reads` is whether it only reads.
pub fn check(request: &ApiRequest, reads: bool) -> Result<(), Answer> {
    let visible = request.visible();
    if visible.is_everything() {
        return Ok(());
    }
    let top = request.segment(0);
    if reads && !OPEN.contains(&top) && !(request.user_level && collection(top).is_some()) {
        // Upstream's words, in lower case, which it has by an accident that clients have learned.
        return Err(request.bad(&Fault::failed("query execution failed due to insufficient permissions.")));
    }
    let hidden = |(_, object): &(&str, EntityRef)| visible.hides(&request.world, *object);
    match objects(request.target.segments.iter().map(String::as_str)).find(hidden) {
        // In the words of what does not exist.
        Some((id, _)) => Err(request.missing(id)),
        None => Ok(()),
    }
}

/// Takes a document in without what its sender has no say in, and refuses one that refers by its identifier to something that its sender
/// may not see, in the words of what does not exist.
pub fn admit(request: &ApiRequest, of: &TypeDef, doc: Doc) -> Result<Doc, Answer> {
    let doc = if request.user_level { unplaced(doc) } else { doc };
    if request.visible().is_everything() {
        return Ok(doc);
    }
    // What is posted to a collection within a resource may be a reference itself.
    let named = (request.method == Method::POST && request.target.segments.len() > 1).then_some(of.element);
    match unseen(request, named, &doc) {
        Some(id) => Err(request.missing(id)),
        None => Ok(doc),
    }
}

/// A virtual machine, or an action with one, without where it is to be placed: the user-level API does not choose hosts.
fn unplaced(mut doc: Doc) -> Doc {
    doc.remove("placement_policy");
    match doc.remove("vm") {
        Some(Value::Doc(vm)) => doc.set("vm", unplaced(vm)),
        Some(other) => doc.set("vm", other),
        None => doc,
    }
}

/// The first identifier in a document that is of nothing visible. What else a reference says beside its identifier counts for nothing.
fn unseen<'d>(request: &ApiRequest, member: Option<&str>, doc: &'d Doc) -> Option<&'d str> {
    if let (Some("quota"), Some(id)) = (member, doc.text("id")) {
        let quota = Uuid::parse_str(id).ok().and_then(|id| request.world.quotas.get(&id.into()));
        let seen =
            quota.is_some_and(|quota| request.visible().contains(&request.world, EntityRef::DataCenter(quota.data_center)));
        return (!seen).then_some(id);
    }
    let collection = member.and_then(collection_of_member);
    let id = collection.zip(doc.text("id")).and_then(|(of, id)| Some((id, (of.object)(Uuid::parse_str(id).ok()?))));
    let seen = |object: EntityRef| object.exists(&request.world) && request.visible().contains(&request.world, object);
    if let Some((id, object)) = id {
        return (!seen(object)).then_some(id);
    }
    doc.members().iter().find_map(|(name, value)| match value {
        Value::Doc(child) => unseen(request, Some(name), child),
        Value::List(items) => items.iter().filter_map(Value::as_doc).find_map(|item| unseen(request, Some(name), item)),
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
pub async fn for_caller<F: Future>(request: &ApiRequest, answer: F) -> F::Output {
    if request.visible().is_everything() {
        return answer.await;
    }
    RESTRICTED.scope(Restricted { world: request.world.clone(), visible: request.visible().clone() }, answer).await
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
