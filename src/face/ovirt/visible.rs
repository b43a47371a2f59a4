//! What a caller may read: administrators everything, others by `Filter: true` what they hold a permission on.
//!
//! Whoever does not see everything passes three gates: [`check`] refuses paths through hidden objects, searches run in a view that
//! has only what is visible, and [`redacted`] takes references to hidden objects out of every document on its way out.

use std::borrow::Cow;
use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::access::Object;
use evirt_domain::world::NameKind;
use evirt_projections::visible::Visible;
use uuid::Uuid;

use super::answer::Answer;
use super::representation::{Doc, Fault, Value};
use super::request::{BASES, Call};

/// Collections that no permission stands on and that everybody may read.
const OPEN: &[&str] = &["", "capabilities", "roles", "tags"];

type Maker = fn(Uuid) -> Object;

/// Collections of objects that permissions stand on.
pub const OBJECTS: &[(&str, Maker)] = &[
    ("clusters", |id| Object::Cluster(id.into())),
    ("datacenters", |id| Object::DataCenter(id.into())),
    ("disks", |id| Object::Disk(id.into())),
    ("hosts", |id| Object::Host(id.into())),
    ("networks", |id| Object::Network(id.into())),
    ("storagedomains", |id| Object::StorageDomain(id.into())),
    ("templates", |id| Object::Template(id.into())),
    ("vms", |id| Object::Vm(id.into())),
    ("vnicprofiles", |id| Object::VnicProfile(id.into())),
];

/// The object that a name of a kind is of, where permissions stand on such.
pub fn object_of(kind: NameKind, id: Uuid) -> Option<Object> {
    Some(match kind {
        NameKind::DataCenter => Object::DataCenter(id.into()),
        NameKind::Cluster => Object::Cluster(id.into()),
        NameKind::Network => Object::Network(id.into()),
        NameKind::Host | NameKind::HostAddress => Object::Host(id.into()),
        NameKind::StorageDomain => Object::StorageDomain(id.into()),
        NameKind::Disk => Object::Disk(id.into()),
        NameKind::Vm => Object::Vm(id.into()),
        NameKind::Template => Object::Template(id.into()),
        _ => return None,
    })
}

/// The objects that a path below the base goes through.
fn objects<'p>(segments: impl Iterator<Item = &'p str> + Clone) -> impl Iterator<Item = Object> {
    let pairs = segments.clone().zip(segments.skip(1));
    pairs.filter_map(|(collection, id)| {
        let (_, make) = OBJECTS.iter().find(|(name, _)| *name == collection)?;
        Uuid::parse_str(id).ok().map(make)
    })
}

/// Refuses a request that touches what its caller may not see: what is hidden does not exist. `reads` is whether it only reads.
pub fn check(call: &Call, reads: bool) -> Result<(), Answer> {
    let visible = call.visible();
    if visible.is_everything() {
        return Ok(());
    }
    let top = call.segment(0);
    if reads && !OPEN.contains(&top) && !(call.caller.filter && OBJECTS.iter().any(|(name, _)| *name == top)) {
        // Upstream's words, in lower case, which it has by an accident that clients have learned.
        return Err(call.bad(&Fault::failed("query execution failed due to insufficient permissions.")));
    }
    let hidden = |object: &Object| object.exists(&call.world) && !visible.contains(&call.world, *object);
    match objects(call.target.segments.iter().map(String::as_str)).find(hidden) {
        Some(_) => Err(call.missing(call.target.segments.last().map_or("", String::as_str))),
        None => Ok(()),
    }
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
pub async fn for_caller<F: Future>(call: &Call, answer: F) -> F::Output {
    if call.visible().is_everything() {
        return answer.await;
    }
    RESTRICTED.scope(Restricted { world: call.world.clone(), visible: call.visible().clone() }, answer).await
}

impl Restricted {
    fn hidden(&self, object: Object) -> bool {
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
pub fn cut(refers: &[Object]) -> Option<Cut> {
    let bits = |caller: &Restricted| {
        let hidden = refers.iter().map(|object| caller.hidden(*object));
        hidden.enumerate().fold(1 << 63, |cut: Cut, (n, hidden)| cut | Cut::from(hidden) << n)
    };
    (refers.len() < 63).then(|| RESTRICTED.try_with(bits).unwrap_or(0))
}

/// The objects that the references in a document lead to or through, each once.
pub fn referred(doc: &Doc) -> Vec<Object> {
    let mut found = Vec::new();
    collect(doc, &mut found);
    found.sort();
    found.dedup();
    found
}

fn collect(doc: &Doc, found: &mut Vec<Object>) {
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
fn led_to(href: &str) -> impl Iterator<Item = Object> {
    let path = BASES.iter().find_map(|base| href.strip_prefix(base));
    path.into_iter().flat_map(|path| objects(path.split(['/', ';', '?']).skip(1)))
}

/// A document without references to what its reader may not see.
pub fn redacted(doc: &Doc) -> Cow<'_, Doc> {
    RESTRICTED.try_with(|caller| Cow::Owned(caller.cut(doc))).unwrap_or(Cow::Borrowed(doc))
}
