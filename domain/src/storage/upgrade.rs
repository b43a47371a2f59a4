//! The storage format of a data center, and how its data domains come to a newer one. The guide's chapter 6.

use serde::{Deserialize, Serialize};

use crate::check::Act;
use crate::command::Decide;
use crate::context::Context;
use crate::data_center::{DataCenter, Version};
use crate::event::Event;
use crate::fold;
use crate::ids::*;
use crate::job::{JobEnded, Task};
use crate::levels::Feature;
use crate::rejection::{Key, Rejection};
use crate::storage::provision::{fits, opened};
use crate::storage::*;
use crate::world::World;

/// The format that a compatibility version wants of its data domains.
pub fn preferred(version: Version, kind: StorageKind) -> StorageFormat {
    match (!Feature::StorageFormatV3.is_in(version), kind.is_block()) {
        (false, _) => StorageFormat::V3,
        (true, true) => StorageFormat::V2,
        (true, false) => StorageFormat::V1,
    }
}

/// Whether a compatibility version knows a format.
pub(super) fn known(format: StorageFormat, version: Version) -> bool {
    format != StorageFormat::V3 || Feature::StorageFormatV3.is_in(version)
}

/// A data center has this storage format from now on: what is attached to it is raised to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageFormatSet {
    /// Which data center.
    pub data_center: DataCenterId,
    /// The format of its storage.
    pub format: StorageFormat,
}

fold!(StorageFormatSet, DataCenter data_center, |e, world, at| {
    world.data_centers.update(&e.data_center, |dc| {
        dc.storage_format = Some(e.format);
        dc.version = at.version;
    });
});

/// What is on a storage domain has a newer format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageDomainUpgraded {
    /// Which storage domain.
    pub domain: StorageDomainId,
    /// The format of its storage.
    pub format: StorageFormat,
}

fold!(StorageDomainUpgraded, StorageDomain domain, |e, world, at| {
    touch(world, e.domain, at, |d| d.format = e.format);
});

/// The data domains of a data center that are active and behind a format.
pub fn behind(world: &World, data_center: DataCenterId, format: StorageFormat) -> impl Iterator<Item = &StorageDomain> {
    let late = move |d: &&StorageDomain| d.class == DomainClass::Data && d.format < format && d.is_active_in(data_center);
    world.storage_domains.values().map(|d| &**d).filter(late)
}

/// Whether a data center may be brought to a format that somebody asks for. A format never goes back.
pub(crate) fn check_asked(act: Act, data_center: &DataCenter, format: StorageFormat) -> Result<(), Rejection> {
    let config = &data_center.config;
    let lower = data_center.storage_format.is_some_and(|present| format < present);
    if lower || !known(format, config.version) || !fits(format, DomainClass::Data, config.storage_type) {
        return Err(act.no(Key::DomainFormatUnsupported).with("format", format.name()));
    }
    Ok(())
}

/// The events that bring a data center to a format, where it has an older one.
///
/// Its active domains are rewritten by a host; those that rest are when they are activated again.
pub(crate) fn raised(world: &World, cx: &Context, data_center: &DataCenter, format: StorageFormat) -> Vec<Event> {
    let id = data_center.id;
    if data_center.storage_format.is_some_and(|present| present >= format) {
        return Vec::new();
    }
    if behind(world, id, format).next().is_none() {
        return vec![StorageFormatSet { data_center: id, format }.into()];
    }
    let description = format!("Upgrading the Storage of Data Center {} to {}", data_center.config.name, format.name());
    vec![opened(cx, 0, description, Task::UpgradeStorage { data_center: id, format })]
}

/// Domains of a data center were rewritten in a newer format; where not all could be, the data center keeps its own.
#[derive(Clone, Debug)]
pub struct FinishStorageUpgrade {
    /// The job that ends.
    pub job: JobId,
    /// Which data center.
    pub data_center: DataCenterId,
    /// The format of its storage.
    pub format: StorageFormat,
    /// Those that were rewritten.
    pub upgraded: Vec<StorageDomainId>,
    /// Why it came to nothing, where it did.
    pub failure: Option<String>,
}

impl Decide for FinishStorageUpgrade {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let (data_center, format) = (self.data_center, self.format);
        let late = |id: &&StorageDomainId| world.storage_domains.get(id).is_some_and(|d| d.format < format);
        let domains = self.upgraded.iter().filter(late);
        let mut events: Vec<Event> = domains.map(|domain| StorageDomainUpgraded { domain: *domain, format }.into()).collect();
        if self.failure.is_none() && world.data_centers.get(&data_center).is_some_and(|dc| dc.storage_format < Some(format)) {
            events.push(StorageFormatSet { data_center, format }.into());
        }
        events.push(JobEnded { job: self.job, failure: self.failure.clone() }.into());
        Ok(events)
    }
}
