//! What a caller may read: administrators everything, others by `Filter: true` what they hold a permission on.
//!
//! Whoever does not see everything passes four gates: [`check`] refuses paths through hidden objects, [`admit`] what refers to
//! them, searches run in a view that has only what is visible, and [`redacted`] takes references to hidden objects out of every document
//! on its way out.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::Method;
use evirt_domain::World;
use evirt_domain::access::EntityRef;
use evirt_domain::world::NameKind;
use evirt_projections::visible::Visible;
use uuid::Uuid;

use super::answer::Answer;
use super::representation::description::TypeDef;
use super::representation::{Doc, Fault, Value};
use super::request::{ApiRequest, BASES};

/// Collections that no permission stands on and that everybody may read.
const OPEN: &[&str] = &["", "capabilities", "roles", "tags"];

type Maker = fn(Uuid) -> EntityRef;

/// Objects that permissions stand on: their collection, the member of documents that refers to one, and what an identifier there names.
pub const OBJECTS: &[(&str, &str, Maker)] = &[
    ("clusters", "cluster", |id| EntityRef::Cluster(id.into())),
    ("datacenters", "data_center", |id| EntityRef::DataCenter(id.into())),
    ("disks", "disk", |id| EntityRef::Disk(id.into())),
    ("hosts", "host", |id| EntityRef::Host(id.into())),
    ("networks", "network", |id| EntityRef::Network(id.into())),
    ("storagedomains", "storage_domain", |id| EntityRef::StorageDomain(id.into())),
    ("templates", "template", |id| EntityRef::Template(id.into())),
    ("vms", "vm", |id| EntityRef::Vm(id.into())),
    ("vnicprofiles", "vnic_profile", |id| EntityRef::VnicProfile(id.into())),
];

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
    let (_, _, make) = OBJECTS.iter().find(|(name, ..)| name == collection)?;
    Uuid::parse_str(id).ok().map(make)
}

/// The objects that a path below the base goes through, each with the segment that names it.
fn objects<'p>(segments: impl Iterator<Item = &'p str> + Clone) -> impl Iterator<Item = (&'p str, EntityRef)> {
    let pairs = segments.clone().zip(segments.skip(1));
    pairs.filter_map(|(collection, id)| {
        let (_, _, make) = OBJECTS.iter().find(|(name, ..)| *name == collection)?;
        Uuid::parse_str(id).ok().map(|parsed| (id, make(parsed)))
    })
}

/// Refuses a request that touches what its caller may not see: what is hidden does not exist. `reads` is whether it only reads.
pub fn check(request: &ApiRequest, reads: bool) -> Result<(), Answer> {
    let visible = request.visible();
    if visible.is_everything() {
        return Ok(());
    }
    let top = request.segment(0);
    if reads && !OPEN.contains(&top) && !(request.user_level && OBJECTS.iter().any(|(name, ..)| *name == top)) {
        // Upstream's words, in lower case, which it has by an accident that clients have learned.
        return Err(request.bad(&Fault::failed("query execution failed due to insufficient permissions.")));
    }
    let hidden = |(_, object): &(&str, EntityRef)| object.exists(&request.world) && !visible.contains(&request.world, *object);
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
    let make = OBJECTS.iter().find(|(_, name, _)| Some(*name) == member).map(|(.., make)| make);
    let id = make.zip(doc.text("id")).and_then(|(make, id)| Some((id, make(Uuid::parse_str(id).ok()?))));
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
    fn hidden(&self, object: EntityRef) -> bool {
        object.exists(&self.world) && !self.visible.contains(&self.world, object)
    }

    /// Whether a link leads to or through something hidden.
    fn hides(&self, href: &str) -> bool {
        led_to(href).any(|object| self.hidden(object))
    }

    fn hides_doc(&self, doc: &Doc) -> bool {
        doc.text("href").is_some_and(|href| self.hides(href))
    }

    fn cut(&self, doc: &Doc) -> Doc {
        let mut kept = Doc::with_capacity(doc.members().len());
        for (name, value) in doc.members() {
            match value {
                // How many things there are is nobody's business who does not see them.
                Value::Doc(_) if *name == "summary" => {}
                Value::Doc(child) if self.hides_doc(child) => {}
                Value::Doc(child) => kept.put(name, self.cut(child)),
                Value::List(items) => {
                    let items = items.iter().filter(|item| !item.as_doc().is_some_and(|item| self.hides_doc(item)));
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
    RESTRICTED.try_with(|caller| !caller.hides_doc(doc)).unwrap_or(true)
}

/// What is cut out of a document: a bit for each of the objects that it refers to, and the highest for whom anything may be.
pub type Cut = u64;

/// What is cut out of a document that refers to these objects; none where they are too many to say.
pub fn cut(refers: &[EntityRef]) -> Option<Cut> {
    let bits = |caller: &Restricted| {
        let hidden = refers.iter().map(|object| caller.hidden(*object));
        hidden.enumerate().fold(1 << 63, |cut: Cut, (n, hidden)| cut | Cut::from(hidden) << n)
    };
    (refers.len() < 63).then(|| RESTRICTED.try_with(bits).unwrap_or(0))
}

/// The objects that the references in a document lead to or through, each once.
pub fn referred(doc: &Doc) -> Vec<EntityRef> {
    let mut found = Vec::new();
    collect(doc, &mut found);
    found.sort();
    found.dedup();
    found
}

fn collect(doc: &Doc, found: &mut Vec<EntityRef>) {
    found.extend(doc.text("href").into_iter().flat_map(led_to));
    for (_, value) in doc.members() {
        match value {
            Value::Doc(child) => collect(child, found),
            Value::List(items) => items.iter().filter_map(Value::as_doc).for_each(|item| collect(item, found)),
            _ => {}
        }
    }
}

/// The objects that a link leads to or through.
fn led_to(href: &str) -> impl Iterator<Item = EntityRef> {
    let path = BASES.iter().find_map(|base| href.strip_prefix(base));
    path.into_iter().flat_map(|path| objects(path.split(['/', ';', '?']).skip(1))).map(|(_, object)| object)
}

/// A document without references to what its reader may not see.
pub fn redacted(doc: &Doc) -> Cow<'_, Doc> {
    RESTRICTED.try_with(|caller| Cow::Owned(caller.cut(doc))).unwrap_or(Cow::Borrowed(doc))
}
