//! Names that are no more: what removed and renamed objects were called, so that entries about them are still found by it.

use evirt_domain::event::StreamKind;
use evirt_domain::ids::*;
use evirt_domain::{RecordedEvent, World};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::References;

/// A kind of thing that entries refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Reference {
    User = 0,
    Vm = 1,
    Host = 2,
    Template = 3,
    Cluster = 4,
    DataCenter = 5,
    StorageDomain = 6,
    Quota = 7,
}

impl Reference {
    /// Every kind.
    pub const ALL: [Reference; 8] =
        [Self::User, Self::Vm, Self::Host, Self::Template, Self::Cluster, Self::DataCenter, Self::StorageDomain, Self::Quota];

    /// The kind whose aggregates have a kind of stream.
    fn of(kind: StreamKind) -> Option<Self> {
        Some(match kind {
            StreamKind::User => Self::User,
            StreamKind::Vm => Self::Vm,
            StreamKind::Host => Self::Host,
            StreamKind::Template => Self::Template,
            StreamKind::Cluster => Self::Cluster,
            StreamKind::DataCenter => Self::DataCenter,
            StreamKind::StorageDomain => Self::StorageDomain,
            StreamKind::Quota => Self::Quota,
            _ => return None,
        })
    }
}

impl References {
    /// What it refers to of a kind.
    pub fn get(&self, reference: Reference) -> Option<Uuid> {
        match reference {
            Reference::User => self.user.map(|id| id.0),
            Reference::Vm => self.vm.map(|id| id.0),
            Reference::Host => self.host.map(|id| id.0),
            Reference::Template => self.template.map(|id| id.0),
            Reference::Cluster => self.cluster.map(|id| id.0),
            Reference::DataCenter => self.data_center.map(|id| id.0),
            Reference::StorageDomain => self.storage_domain.map(|id| id.0),
            Reference::Quota => self.quota.map(|id| id.0),
        }
    }
}

/// A name that something had and has no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerName {
    /// The event that took it away.
    pub position: Position,
    /// What kind of thing had it.
    pub reference: Reference,
    /// Which.
    pub id: Uuid,
    /// The name; of a user the principal.
    pub name: String,
    /// The first entry that it is not told under this name any more. The one of its removal still is.
    pub until: Position,
}

/// The name that an event takes away. `before` and `after` are the World without and with it.
///
/// An event changes or removes the name of its own stream's aggregate and no other. Costs two look-ups.
pub fn former_name(before: &World, after: &World, recorded: &RecordedEvent) -> Option<FormerName> {
    let (reference, id) = (Reference::of(recorded.stream.kind)?, recorded.stream.id);
    let (position, had, has) = (recorded.position, Called::by(before, reference, id)?, Called::by(after, reference, id));
    if has == Some(had) {
        return None;
    }
    let until = if has.is_some() { position } else { position + 1 };
    Some(FormerName { position, reference, id, name: had.text(), until })
}

/// What something is called.
#[derive(Clone, Copy, PartialEq)]
enum Called<'a> {
    Name(&'a str),
    /// A user's name, and the directory's.
    Principal(&'a str, &'a str),
}

impl<'a> Called<'a> {
    fn by(world: &'a World, reference: Reference, id: Uuid) -> Option<Self> {
        let name = match reference {
            Reference::User => {
                let user = world.users.get(&UserId(id))?;
                return Some(Self::Principal(&user.name, &user.domain));
            }
            Reference::Vm => &world.vms.get(&VmId(id))?.config.name,
            Reference::Host => &world.hosts.get(&HostId(id))?.config.name,
            Reference::Template => &world.templates.get(&TemplateId(id))?.config.name,
            Reference::Cluster => &world.clusters.get(&ClusterId(id))?.config.name,
            Reference::DataCenter => &world.data_centers.get(&DataCenterId(id))?.config.name,
            Reference::StorageDomain => &world.storage_domains.get(&StorageDomainId(id))?.config.name,
            Reference::Quota => &world.quotas.get(&QuotaId(id))?.config.name,
        };
        Some(Self::Name(name))
    }

    fn text(self) -> String {
        match self {
            Self::Name(name) => name.to_owned(),
            Self::Principal(name, domain) => format!("{name}@{domain}"),
        }
    }
}
