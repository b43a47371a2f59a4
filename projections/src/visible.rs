//! What a user may see: administrators everything, others what the user, a group of the user's or Everyone holds a permission on,
//! and what is below that, as far as the role shows it.

use std::collections::BTreeMap;

use evirt_domain::World;
use evirt_domain::access::{EntityRef, holders, is_administrator, object_path};
use evirt_domain::ids::{DiskId, UserId, VmId};
use evirt_domain::index::StorageDomainTerm;

/// Whether a user may see an object by the user-level API; for a whole list there is [`Visible`].
pub fn may_see(world: &World, user: UserId, object: EntityRef) -> bool {
    Visible::to(world, user, false).contains(world, object)
}

/// What is cut out of something for somebody: a bit for each of the objects that it refers to, and [`ANY_CUT`].
pub type Cut = u64;

/// What is cut for whom everything is shown: nothing.
pub const NO_CUT: Cut = 0;

/// The bit of all for whom something may be cut.
const ANY_CUT: Cut = 1 << (Cut::BITS - 1);

/// What one user may see, made ready for many questions.
#[derive(Clone, Debug)]
pub struct Visible {
    user: UserId,
    /// Whether the user asks as an administrator, who sees what no permission stands on, too.
    administers: bool,
    /// The objects that the user holds a permission on, and whether they show what is below them.
    held: BTreeMap<EntityRef, bool>,
}

impl Visible {
    /// What a user may see. `filter` takes away an administrator's right to see everything. Costs a look at each permission that
    /// the user, the user's groups and Everyone hold.
    pub fn to(world: &World, user: UserId, filter: bool) -> Self {
        let administers = !filter && is_administrator(world, user);
        let mut held = BTreeMap::new();
        if !administers {
            for permission in holders(world, user).flat_map(|holder| world.held_by(holder)) {
                let shows = world.roles.get(&permission.role).is_some_and(|role| role.shows_children);
                *held.entry(permission.object).or_default() |= shows;
            }
        }
        // An administrator of the whole system who asks for no more than may be seen is shown all of it.
        let whole = held.get(&EntityRef::System) == Some(&true) && is_administrator(world, user);
        Self { user, administers: administers || whole, held }
    }

    /// Whether it is everything, what no permission stands on included.
    pub fn is_everything(&self) -> bool {
        self.administers
    }

    /// Whether these are all objects.
    fn is_all(&self) -> bool {
        self.administers || self.held.get(&EntityRef::System) == Some(&true)
    }

    /// The objects that belong to it, where there is nothing below them that does; none where there may be.
    pub fn alone(&self) -> Option<Vec<EntityRef>> {
        let alone = |(object, shows): (&EntityRef, &bool)| {
            let leaf =
                matches!(object, EntityRef::Vm(_) | EntityRef::Template(_) | EntityRef::Disk(_) | EntityRef::VnicProfile(_));
            (leaf || !shows).then_some(*object)
        };
        self.held.iter().map(alone).collect::<Option<Vec<_>>>().filter(|_| !self.is_all())
    }

    /// Whose view it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Whether an object belongs to it. Costs a look-up for each object above; a disk is seen with any VM that has it, too.
    pub fn contains(&self, world: &World, object: EntityRef) -> bool {
        if self.is_all() || self.held.contains_key(&object) {
            return true;
        }
        let below = |above: EntityRef| self.held.get(&above) == Some(&true);
        if object_path(world, object).skip(1).any(below) {
            return true;
        }
        let EntityRef::Disk(id) = object else { return false };
        world.disks.get(&id).is_some_and(|disk| disk.vms.iter().any(|vm| self.contains(world, EntityRef::Vm(*vm))))
    }

    /// Whether an object is there and does not belong to it: what refers to that is not shown. What is gone is no secret.
    pub fn hides(&self, world: &World, object: EntityRef) -> bool {
        object.exists(world) && !self.contains(world, object)
    }

    /// What is cut out of something that refers to these objects; none where they are too many to say.
    pub fn cut(&self, world: &World, refers: &[EntityRef]) -> Option<Cut> {
        if refers.len() >= Cut::BITS as usize - 1 {
            return None;
        }
        let hidden = refers.iter().map(|object| self.hides(world, *object));
        Some(hidden.enumerate().fold(ANY_CUT, |cut, (n, hidden)| cut | Cut::from(hidden) << n))
    }

    /// The VMs that belong to it, in no order, some perhaps twice; none where all do.
    pub fn vms(&self, world: &World) -> Option<Vec<VmId>> {
        if self.is_all() {
            return None;
        }
        let mut found = Vec::new();
        for (object, shows) in &self.held {
            match *object {
                EntityRef::Vm(id) => found.push(id),
                EntityRef::Cluster(id) if *shows => found.extend(world.vms_in(id).map(|vm| vm.id)),
                EntityRef::DataCenter(id) if *shows => {
                    found.extend(world.clusters_of(id).flat_map(|cluster| world.vms_in(cluster.id)).map(|vm| vm.id));
                }
                _ => {}
            }
        }
        Some(found)
    }

    /// The disks that belong to it, in no order, some perhaps twice; none where all do.
    pub fn disks(&self, world: &World) -> Option<Vec<DiskId>> {
        let vms = self.vms(world)?;
        let attached = vms.iter().filter_map(|id| world.vms.get(id)).flat_map(|vm| vm.disks.iter().map(|attached| attached.disk));
        let mut found: Vec<DiskId> = attached.collect();
        for (object, shows) in &self.held {
            match *object {
                EntityRef::Disk(id) => found.push(id),
                EntityRef::StorageDomain(id) if *shows => found.extend(world.disks_on(id).map(|disk| disk.id)),
                EntityRef::DataCenter(id) if *shows => {
                    let domains = world.storage_domains.by(StorageDomainTerm::DataCenter(id));
                    found.extend(domains.flat_map(|domain| world.disks_on(domain.id)).map(|disk| disk.id));
                }
                _ => {}
            }
        }
        Some(found)
    }
}
