//! Where a search says enough to find its rows without looking at all: through names, identifiers and the World's indices.

use std::collections::BTreeSet;

use evirt_domain::World;
use evirt_domain::access::{Object, holders};
use evirt_domain::ids::*;
use evirt_domain::world::NameKind;
use uuid::Uuid;

use super::Resource;
use crate::search::{Entity, Hint, Seek};

/// Identifiers that include all matches of a search with these hints; none where no index helps, or where the best one
/// that does yields more than `many`.
pub(super) fn candidates<T: Resource>(world: &World, hints: &[Hint], many: usize) -> Option<BTreeSet<T::Id>> {
    let own = |hint: &&Hint| hint.reference.is_none();
    if let Some(id) = hints.iter().filter(own).find_map(identifier) {
        return Some(BTreeSet::from([T::Id::from(id)]));
    }
    if let Some((kind, field)) = T::NAMES
        && let Some(names) = hints.iter().filter(own).filter(|hint| hint.field == field).find_map(texts)
    {
        return Some(names.iter().flat_map(|name| world.named(kind, name)).map(|key| T::Id::from(key.id)).collect());
    }
    // An index that yields few beats one that yields many, whatever their order in the search.
    hints.iter().filter_map(|hint| T::seek(world, hint)).find_map(|ids| {
        let mut found = BTreeSet::new();
        for id in ids {
            found.insert(id);
            if found.len() > many {
                return None;
            }
        }
        Some(found)
    })
}

/// What the names of all matches begin with.
///
/// Only where it is plain ASCII: of other letters the lower case may depend on what follows.
pub(super) fn prefix<'h>(hints: &'h [Hint], field: &str) -> Option<&'h str> {
    hints.iter().filter(|hint| hint.reference.is_none() && hint.field == field).find_map(|hint| match &hint.seek {
        Seek::Prefix(prefix) if prefix.is_ascii() => Some(prefix.as_str()),
        _ => None,
    })
}

fn identifier(hint: &Hint) -> Option<Uuid> {
    match hint.seek {
        Seek::Uuid(id) if hint.field == "id" || hint.field == "_vmt_id" => Some(id),
        _ => None,
    }
}

fn texts(hint: &Hint) -> Option<&[String]> {
    match &hint.seek {
        Seek::Texts(texts) => Some(texts),
        _ => None,
    }
}

/// The aggregates that a hint on their name or identifier means.
pub(super) fn meant(world: &World, kind: NameKind, hint: &Hint) -> Option<Vec<Uuid>> {
    match (&hint.seek, hint.field) {
        (Seek::Uuid(id), "id" | "_vmt_id") => Some(vec![*id]),
        (Seek::Texts(names), _) => Some(names.iter().flat_map(|name| world.named(kind, name)).map(|key| key.id).collect()),
        (Seek::Prefix(prefix), _) if prefix.is_ascii() => Some(world.names_from(kind, prefix).map(|key| key.id).collect()),
        _ => None,
    }
}

/// The VMs of the hosts that a hint means.
pub(super) fn vms_of_hosts<'w>(world: &'w World, hint: &Hint) -> Option<Box<dyn Iterator<Item = VmId> + 'w>> {
    let kind = match hint.field {
        "name" | "id" => NameKind::Host,
        "address" => NameKind::HostAddress,
        _ => return None,
    };
    let hosts = meant(world, kind, hint)?;
    Some(Box::new(hosts.into_iter().flat_map(|host| world.vms_on(HostId(host))).map(|vm| vm.id)))
}

/// The VMs of the clusters that a hint means.
pub(super) fn vms_of_clusters<'w>(world: &'w World, hint: &Hint) -> Option<Box<dyn Iterator<Item = VmId> + 'w>> {
    let clusters = meant(world, NameKind::Cluster, hint)?;
    Some(Box::new(clusters.into_iter().flat_map(|cluster| world.vms_in(ClusterId(cluster))).map(|vm| vm.id)))
}

/// The VMs on which the users that a hint means hold a permission. Costs a walk over users.
pub(super) fn vms_of_users<'w>(world: &'w World, hint: &Hint) -> Option<Box<dyn Iterator<Item = VmId> + 'w>> {
    let Seek::Texts(names) = &hint.seek else { return None };
    let fits = |text: &str| names.iter().any(|name| name.to_lowercase() == text.to_lowercase());
    let users: BTreeSet<UserId> = match hint.field {
        "usrname" => world.users.values().filter(|user| fits(&user.principal())).map(|user| user.id).collect(),
        "name" | "login" => {
            world.users.values().filter(|user| fits(&user.name) || fits(&user.first_name)).map(|user| user.id).collect()
        }
        _ => return None,
    };
    let held = users.into_iter().flat_map(|user| holders(world, user)).flat_map(|holder| world.held_by(holder));
    Some(Box::new(held.filter_map(|permission| match permission.object {
        Object::Vm(id) => Some(id),
        _ => None,
    })))
}

/// The disks on the storage domains that a hint means.
pub(super) fn disks_of_domains<'w>(world: &'w World, hint: &Hint) -> Option<Box<dyn Iterator<Item = DiskId> + 'w>> {
    if hint.field != "name" {
        return None;
    }
    let domains = meant(world, NameKind::StorageDomain, hint)?;
    Some(Box::new(domains.into_iter().flat_map(|domain| world.disks_on(StorageDomainId(domain))).map(|disk| disk.id)))
}

/// The disks of the VMs that a hint means.
pub(super) fn disks_of_vms<'w>(world: &'w World, hint: &Hint) -> Option<Box<dyn Iterator<Item = DiskId> + 'w>> {
    let vms = meant(world, NameKind::Vm, hint)?;
    let disks = vms.into_iter().filter_map(|vm| world.vms.get(&VmId(vm))).flat_map(|vm| vm.disks.iter().map(|d| d.disk));
    Some(Box::new(disks))
}

/// The hosts of the VMs that a hint means.
pub(super) fn hosts_of_vms<'w>(world: &'w World, hint: &Hint) -> Option<Box<dyn Iterator<Item = HostId> + 'w>> {
    if !matches!(hint.field, "name" | "id") {
        return None;
    }
    let vms = meant(world, NameKind::Vm, hint)?;
    Some(Box::new(vms.into_iter().filter_map(|vm| world.vms.get(&VmId(vm))?.host())))
}

/// Whether a hint is on a field of the searched entity itself.
pub(super) fn own(hint: &Hint, field: &str) -> bool {
    hint.reference.is_none() && hint.field == field
}

/// Whether a hint is on a related entity.
pub(super) fn of(hint: &Hint, reference: Entity) -> bool {
    hint.reference == Some(reference)
}
