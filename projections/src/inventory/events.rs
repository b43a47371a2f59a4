//! Entries of the audit log as rows of a search.

use std::sync::Arc;

use evirt_domain::data_center::QuotaMode;
use evirt_domain::ids::*;
use evirt_domain::quota::Quota;
use evirt_domain::{Recorded, World};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Resource, Row, View};
use crate::audit::{AuditEntry, References, Severity};
use crate::search::{Entity, Searchable, Value};

/// The origin of the entries that the engine itself wrote.
pub const OWN_ORIGIN: &str = "oVirt";
/// What is said in place of the number of an entry that no system outside numbered.
pub const NO_CUSTOM_ID: i64 = -1;

/// An entry of the audit log as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its number: the position of the event that raised it.
    pub id: Position,
    /// When the event was recorded.
    pub recorded_at: Micros,
    /// The request that it belongs to.
    pub correlation_id: Arc<str>,
    /// The number of the message's kind, as in 153 for a VM that has started.
    pub code: u32,
    /// How grave it is.
    pub severity: Severity,
    /// The message in full.
    pub message: String,
    /// What it is about.
    pub about: References,
    /// Who wrote it: [`OWN_ORIGIN`], or a system outside.
    pub origin: String,
    /// The number that a system outside gave it.
    pub custom_id: Option<i64>,
    /// After how many seconds that system may report it again.
    pub flood_rate: Option<i64>,
}

impl AuditRecord {
    /// The record of an entry that an event raised.
    pub fn new(entry: AuditEntry, recorded: &Recorded) -> Self {
        let origin = if entry.origin.is_empty() { OWN_ORIGIN.to_owned() } else { entry.origin };
        Self {
            id: recorded.position,
            recorded_at: recorded.recorded_at,
            correlation_id: recorded.correlation_id.clone(),
            code: entry.code,
            severity: entry.severity,
            message: entry.message,
            about: entry.about,
            origin,
            custom_id: entry.custom_id,
            flood_rate: entry.flood_rate,
        }
    }
}

/// An entry as a search sees it. The names of what it is about are those of now; of what is gone there is none.
pub struct AuditRowView<'a> {
    /// The entry.
    pub record: &'a AuditRecord,
    /// What it is looked at in.
    pub view: View<'a>,
}

fn name<'a, T>(found: Option<&'a Arc<T>>, of: impl Fn(&'a T) -> &'a str) -> Value<'a> {
    found.map_or(Value::Null, |found| Value::text(of(found)))
}

fn id<'a>(id: Option<Uuid>) -> Value<'a> {
    id.map_or(Value::Null, |id| Value::Text(id.to_string().into()))
}

impl Searchable for AuditRowView<'_> {
    fn field(&self, field: &'static str) -> Value<'_> {
        let (record, about, world) = (self.record, self.record.about, self.view.world);
        match field {
            "audit_log_id" => Value::Int(record.id as i64),
            "correlation_id" => Value::text(&record.correlation_id),
            "custom_event_id" => Value::Int(record.custom_id.unwrap_or(NO_CUSTOM_ID)),
            "deleted" => Value::Bool(false),
            "event_datacenter" => name(about.data_center.and_then(|id| world.data_centers.get(&id)), |found| &found.config.name),
            "event_host" => name(about.host.and_then(|id| world.hosts.get(&id)), |found| &found.config.name),
            "event_storage" => {
                name(about.storage_domain.and_then(|id| world.storage_domains.get(&id)), |found| &found.config.name)
            }
            "event_template" => name(about.template.and_then(|id| world.templates.get(&id)), |found| &found.config.name),
            "event_vm" => name(about.vm.and_then(|id| world.vms.get(&id)), |found| &found.config.name),
            "message" => Value::text(&record.message),
            "origin" => Value::text(&record.origin),
            "severity" => Value::text(record.severity.name()),
            "time" => Value::Micros(record.recorded_at),
            "type" => Value::Int(record.code.into()),
            "usrid" => id(about.user.map(|id| id.0)),
            "usrname" => about.user.and_then(|id| world.users.get(&id)).map_or(Value::Null, |user| {
                // With or without the domain.
                Value::Texts(vec![user.name.as_str().into(), user.principal().into()])
            }),
            "_event_datacenter_id" => id(about.data_center.map(|id| id.0)),
            "_event_host_id" => id(about.host.map(|id| id.0)),
            "_event_quota_id" => id(about.quota.map(|id| id.0)),
            "_event_storage_id" => id(about.storage_domain.map(|id| id.0)),
            "_event_template_id" => id(about.template.map(|id| id.0)),
            "_event_vm_id" => id(about.vm.map(|id| id.0)),
            _ => Value::Null,
        }
    }

    fn related(&self, reference: Entity, visit: &mut dyn FnMut(&dyn Searchable) -> bool) {
        let (about, world) = (self.record.about, self.view.world);
        match reference {
            Entity::Vm => self.show(about.vm.and_then(|id| world.vms.get(&id)), visit),
            Entity::Template => self.show(about.template.and_then(|id| world.templates.get(&id)), visit),
            Entity::Host => self.show(about.host.and_then(|id| world.hosts.get(&id)), visit),
            Entity::User => self.show(about.user.and_then(|id| world.users.get(&id)), visit),
            Entity::Quota => {
                if let Some(quota) = about.quota.and_then(|id| world.quotas.get(&id)) {
                    visit(&QuotaRow { quota, world });
                }
            }
            Entity::Cluster => self.show(about.cluster.and_then(|id| world.clusters.get(&id)), visit),
            _ => {}
        }
    }
}

impl AuditRowView<'_> {
    fn show<T: Resource>(&self, found: Option<&Arc<T>>, visit: &mut dyn FnMut(&dyn Searchable) -> bool) {
        if let Some(found) = found {
            visit(&Row::new(self.view, &**found));
        }
    }
}

/// A quota as a search for events sees it.
struct QuotaRow<'a> {
    quota: &'a Quota,
    world: &'a World,
}

impl Searchable for QuotaRow<'_> {
    fn field(&self, field: &'static str) -> Value<'_> {
        let config = &self.quota.config;
        let data_center = self.world.data_centers.get(&self.quota.data_center);
        match field {
            "description" => Value::text(&config.description),
            "enforcementtype" => data_center.map_or(Value::Null, |found| {
                Value::text(match found.config.quota_mode {
                    QuotaMode::Disabled => "disabled",
                    QuotaMode::Audit => "audit",
                    QuotaMode::Enabled => "enabled",
                })
            }),
            // What may be used beyond the limit, in percent.
            "gracestoragepercentage" => Value::Int(config.storage_hard_percent.into()),
            "gracevdsgrouppercentage" => Value::Int(config.cluster_hard_percent.into()),
            "name" => Value::text(&config.name),
            "storagepoolname" => name(data_center, |found| &found.config.name),
            "thresholdstoragepercentage" => Value::Int(config.storage_soft_percent.into()),
            "thresholdvdsgrouppercentage" => Value::Int(config.cluster_soft_percent.into()),
            _ => Value::Null,
        }
    }

    fn related(&self, _: Entity, _: &mut dyn FnMut(&dyn Searchable) -> bool) {}
}
