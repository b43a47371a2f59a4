//! The two checks that need nothing but documents: that a request is complete, and that it changes nothing fixed.

use super::description::{TypeDef, flags};
use super::doc::{Doc, Value};
use super::fault::Fault;

/// Demands that `sent` has all that `method` needs.
///
/// Names are as faults print them: in camel case, with dots into nested objects and lists, and with bars between
/// alternatives, as in `dataCenter.name|id`. Of a list, every item must have what is demanded, and there must be one.
pub fn require(sent: &Doc, class: &str, method: &str, names: &[&str]) -> Result<(), Fault> {
    let mut missing = Vec::new();
    for name in names {
        missing.extend(std::iter::repeat_n(*name, lacking(sent, name)));
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Fault::incomplete_parameters(class, missing, method)),
    }
}

/// How many times the document lacks what the path demands.
fn lacking(doc: &Doc, path: &str) -> usize {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    // Of alternatives, the nearest to complete speaks for all.
    first.split('|').map(|name| lacking_one(doc.get(&wire_name(name)), rest)).min().unwrap_or(0)
}

fn lacking_one(value: Option<&Value>, rest: Option<&str>) -> usize {
    match (value, rest) {
        (None, _) => 1,
        (Some(Value::List(items)), _) if items.is_empty() => 1,
        (Some(_), None) => 0,
        (Some(Value::Doc(doc)), Some(rest)) => match wrapped(doc) {
            Some(items) => lacking_one(Some(items), Some(rest)),
            None => lacking(doc, rest),
        },
        (Some(Value::List(items)), Some(rest)) => items.iter().map(|item| lacking_one(Some(item), Some(rest))).sum(),
        (Some(_), Some(_)) => 1,
    }
}

/// The list that an object such as `permits` does nothing but wrap.
fn wrapped(doc: &Doc) -> Option<&Value> {
    match doc.members() {
        [(_, list @ Value::List(_))] => Some(list),
        _ => None,
    }
}

/// `storageDomain` is `storage_domain` on the wire.
fn wire_name(name: &str) -> String {
    let mut wire = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !wire.is_empty() {
            wire.push('_');
        }
        wire.push(letter.to_ascii_lowercase());
    }
    wire
}

/// Demands that an update sets no immutable field to something else than it is; the first that it does is named.
pub fn unchanged(def: &TypeDef, current: &Doc, sent: &Doc) -> Result<(), Fault> {
    let broken = def.fields.iter().filter(|field| field.is(flags::IMMUTABLE)).find(|field| {
        let wanted = sent.get(field.name);
        wanted.is_some() && wanted != current.get(field.name)
    });
    match broken {
        Some(field) => Err(Fault::immutable(field.name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::ovirt::representation::types;

    fn missing(doc: Doc, names: &[&str]) -> String {
        match require(&doc, "VM", "add", names) {
            Ok(()) => String::new(),
            Err(fault) => fault.detail.unwrap_or_default(),
        }
    }

    #[test]
    fn what_is_there_is_not_missed() {
        let doc = Doc::new().set("name", "a").set_path("data_center.id", "1");
        assert_eq!(missing(doc, &["name", "dataCenter.name|id"]), "");
    }

    #[test]
    fn what_is_not_there_is_listed_in_the_order_of_the_check() {
        assert_eq!(missing(Doc::new(), &["name", "dataCenter.name|id"]), "VM [name, dataCenter.name|id] required for add");
        let hollow = Doc::new().set("cluster", Doc::new());
        assert_eq!(missing(hollow, &["cluster.id|name"]), "VM [cluster.id|name] required for add");
    }

    #[test]
    fn alternatives_may_stand_at_every_step() {
        let names = &["dataCenter|cluster|vm.id", "user|group.id"];
        assert_eq!(missing(Doc::new().set_path("cluster.id", "1").set_path("group.id", "2"), names), "");
        assert_eq!(
            missing(Doc::new().set_path("cluster.name", "c").set_path("group.id", "2"), names),
            "VM [dataCenter|cluster|vm.id] required for add"
        );
    }

    #[test]
    fn lists_are_looked_through() {
        let permits = |items: Vec<Doc>| Doc::new().set("permits", Doc::new().set("permit", items));
        let with = || Doc::new().set("id", "1");
        assert_eq!(missing(permits(vec![with(), with()]), &["permits.id"]), "");
        assert_eq!(missing(permits(vec![]), &["permits.id"]), "VM [permits.id] required for add");
        assert_eq!(
            missing(permits(vec![Doc::new(), with(), Doc::new()]), &["permits.id"]),
            "VM [permits.id, permits.id] required for add"
        );
    }

    #[test]
    fn the_id_stays() {
        let current = Doc::new().set("id", "1").set("name", "a");
        assert_eq!(unchanged(&types::VM, &current, &Doc::new().set("name", "b")), Ok(()));
        assert_eq!(unchanged(&types::VM, &current, &Doc::new().set("id", "1")), Ok(()));
        assert_eq!(unchanged(&types::VM, &current, &Doc::new().set("id", "2")), Err(Fault::immutable("id")));
    }
}
