//! Entries of the audit log as rows of a search.

use std::sync::Arc;

use evirt_domain::data_center::QuotaMode;
use evirt_domain::ids::*;
use evirt_domain::quota::Quota;
use evirt_domain::{RecordedEvent, World};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Resource, Row, View};
use crate::audit::{AuditEntry, Reference, References, Severity};
use crate::search::{Entity, Searchable, Value};

/// The origin of the entries that the engine itself wrote.
pub const OWN_ORIGIN: &str = "oVirt";
/// The fields of entries that are names of what they are about.
pub const NAMES_IN_EVENTS: &[&str] =
    &["event_datacenter", "event_host", "event_storage", "event_template", "event_vm", "usrname"];
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
    /// What that it is about was called then and is not any more, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<(Reference, String)>,
}

impl AuditRecord {
    /// The record of an entry that an event raised.
    pub fn new(entry: AuditEntry, recorded: &RecordedEvent) -> Self {
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
            former: Vec::new(),
        }
    }

    /// What something that it is about was called then, where it is not called so any more.
    fn former(&self, reference: Reference) -> Option<&str> {
        self.former.iter().find(|(of, _)| *of == reference).map(|(_, name)| name.as_str())
    }
}

/// An entry as a search sees it. The names of what it is about are those that it had then.
pub struct AuditRowView<'a> {
    /// The entry.
    pub record: &'a AuditRecord,
    /// What it is looked at in.
    pub view: View<'a>,
}

fn id<'a>(id: Option<Uuid>) -> Value<'a> {
    id.map_or(Value::Null, |id| Value::Text(id.to_string().into()))
}

impl Searchable for AuditRowView<'_> {
    fn field(&self, field: &'static str) -> Value<'_> {
        let (record, about) = (self.record, self.record.about);
        match field {
            "audit_log_id" => Value::Int(record.id as i64),
            "correlation_id" => Value::text(&record.correlation_id),
            "custom_event_id" => Value::Int(record.custom_id.unwrap_or(NO_CUSTOM_ID)),
            "deleted" => Value::Bool(false),
            "event_datacenter" => self.name(Reference::DataCenter),
            "event_host" => self.name(Reference::Host),
            "event_storage" => self.name(Reference::StorageDomain),
            "event_template" => self.name(Reference::Template),
            "event_vm" => self.name(Reference::Vm),
            "message" => Value::text(&record.message),
            "origin" => Value::text(&record.origin),
            "severity" => Value::text(record.severity.name()),
            "time" => Value::Micros(record.recorded_at),
            "type" => Value::Int(record.code.into()),
            "usrid" => id(about.user.map(|id| id.0)),
            "usrname" => self.name(Reference::User),
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
            Entity::Vm => self.show(Reference::Vm, about.vm.and_then(|id| world.vms.get(&id)), visit),
            Entity::Template => self.show(Reference::Template, about.template.and_then(|id| world.templates.get(&id)), visit),
            Entity::Host => self.show(Reference::Host, about.host.and_then(|id| world.hosts.get(&id)), visit),
            Entity::User => self.show(Reference::User, about.user.and_then(|id| world.users.get(&id)), visit),
            Entity::Quota => {
                let row = about.quota.and_then(|id| world.quotas.get(&id)).map(|quota| QuotaRow { quota, world });
                self.show_row(Reference::Quota, row.as_ref().map(|row| row as &dyn Searchable), visit);
            }
            Entity::Cluster => self.show(Reference::Cluster, about.cluster.and_then(|id| world.clusters.get(&id)), visit),
            _ => {}
        }
    }
}

impl<'a> AuditRowView<'a> {
    fn show<T: Resource>(&self, kind: Reference, found: Option<&Arc<T>>, visit: &mut dyn FnMut(&dyn Searchable) -> bool) {
        let found = found.filter(|found| self.view.sees(T::ENTITY, found.id().into()));
        let row = found.map(|found| Row::new(self.view, &**found));
        self.show_row(kind, row.as_ref().map(|row| row as &dyn Searchable), visit);
    }

    /// Shows something as it is now, and under the name that it had then.
    fn show_row(&self, kind: Reference, now: Option<&dyn Searchable>, visit: &mut dyn FnMut(&dyn Searchable) -> bool) {
        if now.is_some_and(&mut *visit) {
            return;
        }
        if let Some(name) = self.record.former(kind) {
            visit(&FormerRow { kind, name, now });
        }
    }

    /// What something that the entry is about was called then; of a user both names.
    fn name(&self, reference: Reference) -> Value<'a> {
        let (about, world) = (self.record.about, self.view.world);
        if let Some(former) = self.record.former(reference) {
            return match reference {
                Reference::User => Value::Texts(vec![login(former).into(), former.into()]),
                _ => Value::text(former),
            };
        }
        let name = match reference {
            Reference::User => {
                return about.user.and_then(|id| world.users.get(&id)).map_or(Value::Null, |user| {
                    // With or without the domain.
                    Value::Texts(vec![user.name.as_str().into(), user.principal().into()])
                });
            }
            Reference::Vm => about.vm.and_then(|id| world.vms.get(&id)).map(|found| &found.config.name),
            Reference::Host => about.host.and_then(|id| world.hosts.get(&id)).map(|found| &found.config.name),
            Reference::Template => about.template.and_then(|id| world.templates.get(&id)).map(|found| &found.config.name),
            Reference::Cluster => about.cluster.and_then(|id| world.clusters.get(&id)).map(|found| &found.config.name),
            Reference::DataCenter => about.data_center.and_then(|id| world.data_centers.get(&id)).map(|found| &found.config.name),
            Reference::StorageDomain => {
                about.storage_domain.and_then(|id| world.storage_domains.get(&id)).map(|found| &found.config.name)
            }
            Reference::Quota => about.quota.and_then(|id| world.quotas.get(&id)).map(|found| &found.config.name),
        };
        name.map_or(Value::Null, |name| Value::text(name))
    }
}

/// A principal without its directory.
fn login(principal: &str) -> &str {
    principal.rsplit_once('@').map_or(principal, |(login, _)| login)
}

/// What is gone or called otherwise now, under the name that it had, as a search for events sees it.
struct FormerRow<'a> {
    kind: Reference,
    name: &'a str,
    /// What it is now; of what is gone nothing but its name is known.
    now: Option<&'a dyn Searchable>,
}

impl Searchable for FormerRow<'_> {
    fn field(&self, field: &'static str) -> Value<'_> {
        match (self.kind, field) {
            (Reference::User, "usrname") => Value::text(self.name),
            (Reference::User, "login") => Value::text(login(self.name)),
            (Reference::Vm | Reference::Host | Reference::Template | Reference::Cluster | Reference::Quota, "name") => {
                Value::text(self.name)
            }
            _ => self.now.map_or(Value::Unknown, |now| now.field(field)),
        }
    }

    fn related(&self, _: Entity, _: &mut dyn FnMut(&dyn Searchable) -> bool) {}
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
            "storagepoolname" => data_center.map_or(Value::Null, |found| Value::text(&found.config.name)),
            "thresholdstoragepercentage" => Value::Int(config.storage_soft_percent.into()),
            "thresholdvdsgrouppercentage" => Value::Int(config.cluster_soft_percent.into()),
            _ => Value::Null,
        }
    }

    fn related(&self, _: Entity, _: &mut dyn FnMut(&dyn Searchable) -> bool) {}
}
