//! What a caller may read: administrators everything, others by `Filter: true` what they hold a permission on.

use std::any::Any;

use evirt_domain::access::{Object, User};
use evirt_domain::cluster::Cluster;
use evirt_domain::data_center::DataCenter;
use evirt_domain::disk::Disk;
use evirt_domain::host::Host;
use evirt_domain::network::{Network, VnicProfile};
use evirt_domain::storage::StorageDomain;
use evirt_domain::template::Template;
use evirt_domain::vm::Vm;
use evirt_projections::visible::Visible;
use uuid::Uuid;

use super::answer::Answer;
use super::representation::Fault;
use super::request::Call;

/// Collections that no permission stands on and that everybody may read.
const OPEN: &[&str] = &["", "capabilities", "domains", "roles", "tags"];

type Maker = fn(Uuid) -> Object;

/// Collections of objects that permissions stand on.
const OBJECTS: &[(&str, Maker)] = &[
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

/// Refuses a request that reads what its caller may not see: what is hidden does not exist.
pub fn check(call: &Call, visible: &Visible) -> Result<(), Answer> {
    let top = call.segment(0);
    if visible.is_everything() || OPEN.contains(&top) {
        return Ok(());
    }
    let object = OBJECTS.iter().find(|(name, _)| *name == top).filter(|_| call.caller.filter);
    let Some((_, object)) = object else {
        // Upstream's words, in lower case, which it has by an accident that clients have learned.
        return Err(call.bad(&Fault::failed("query execution failed due to insufficient permissions.")));
    };
    match Uuid::parse_str(call.segment(1)) {
        Ok(id) if !visible.contains(&call.world, object(id)) => Err(call.missing(id)),
        _ => Ok(()),
    }
}

/// Whether an item of a list is visible. Of users everybody sees but themselves.
pub fn shows<T: 'static>(call: &Call, visible: &Visible, item: &T) -> bool {
    if visible.is_everything() {
        return true;
    }
    let item: &dyn Any = item;
    macro_rules! object {
        ($($kind:ident)*) => {
            $(if let Some(item) = item.downcast_ref::<$kind>() {
                return visible.contains(&call.world, Object::$kind(item.id));
            })*
        };
    }
    object!(Vm Host Cluster DataCenter StorageDomain Disk Network VnicProfile Template);
    item.downcast_ref::<User>().is_some_and(|user| user.id == call.caller.user)
}
