//! That a change changes nothing fixed.

use super::description::{TypeDef, flags};
use super::doc::Doc;
use super::fault::Fault;

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

    #[test]
    fn the_id_stays() {
        let current = Doc::new().set("id", "1").set("name", "a");
        assert_eq!(unchanged(&types::VM, &current, &Doc::new().set("name", "b")), Ok(()));
        assert_eq!(unchanged(&types::VM, &current, &Doc::new().set("id", "1")), Ok(()));
        assert_eq!(unchanged(&types::VM, &current, &Doc::new().set("id", "2")), Err(Fault::immutable("id")));
    }
}
