//! Entries of the audit log as rows of a search.

use std::sync::Arc;

use evirt_domain::ids::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Resource, Row, View};
use crate::audit::Severity;
use crate::search::{Entity, Searchable, Value};

/// The origin of the entries that the engine itself wrote.
pub const OWN_ORIGIN: &str = "oVirt";

/// An entry of the audit log as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its number: the position of the event that raised it.
    pub id: Position,
    /// What it says.
    pub code: u32,
    /// How grave it is.
    pub severity: Severity,
    /// The message in full.
    pub message: String,
    /// When it was written.
    pub time: Micros,
    /// Who caused it.
    pub user: Option<UserId>,
    /// The virtual machine that it is about.
    pub vm: Option<VmId>,
    /// The host that it is about.
    pub host: Option<HostId>,
    /// The template that it is about.
    pub template: Option<TemplateId>,
    /// The cluster that it is about.
    pub cluster: Option<ClusterId>,
    /// The data center that it is about.
    pub data_center: Option<DataCenterId>,
    /// The storage domain that it is about.
    pub storage_domain: Option<StorageDomainId>,
    /// The request that it belongs to.
    pub correlation_id: Arc<str>,
    /// Who wrote it: [`OWN_ORIGIN`], or a system outside.
    pub origin: Arc<str>,
    /// The number that a system outside gave it; -1 where none did.
    pub custom_id: i64,
}

impl AuditRecord {
    /// The record of an entry that an event raised.
    pub fn new(entry: crate::audit::AuditEntry, recorded: &evirt_domain::Recorded) -> Self {
        Self {
            id: recorded.position,
            code: entry.code,
            severity: entry.severity,
            message: entry.message,
            time: recorded.recorded_at,
            user: entry.user,
            vm: entry.vm,
            host: entry.host,
            template: entry.template,
            cluster: entry.cluster,
            data_center: entry.data_center,
            storage_domain: entry.storage_domain,
            correlation_id: recorded.correlation_id.clone(),
            origin: OWN_ORIGIN.into(),
            custom_id: -1,
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
        let (record, world) = (self.record, self.view.world);
        match field {
            "audit_log_id" => Value::Int(record.id as i64),
            "correlation_id" => Value::text(&record.correlation_id),
            "custom_event_id" => Value::Int(record.custom_id),
            "deleted" => Value::Bool(false),
            "event_datacenter" => name(record.data_center.and_then(|id| world.data_centers.get(&id)), |found| &found.config.name),
            "event_host" => name(record.host.and_then(|id| world.hosts.get(&id)), |found| &found.config.name),
            "event_storage" => {
                name(record.storage_domain.and_then(|id| world.storage_domains.get(&id)), |found| &found.config.name)
            }
            "event_template" => name(record.template.and_then(|id| world.templates.get(&id)), |found| &found.config.name),
            "event_vm" => name(record.vm.and_then(|id| world.vms.get(&id)), |found| &found.config.name),
            "message" => Value::text(&record.message),
            "origin" => Value::text(&record.origin),
            "severity" => Value::text(record.severity.name()),
            "time" => Value::Micros(record.time),
            "type" => Value::Int(record.code.into()),
            "usrid" => id(record.user.map(|id| id.0)),
            "usrname" => name(record.user.and_then(|id| world.users.get(&id)), |found| &found.name),
            "_event_datacenter_id" => id(record.data_center.map(|id| id.0)),
            "_event_host_id" => id(record.host.map(|id| id.0)),
            "_event_storage_id" => id(record.storage_domain.map(|id| id.0)),
            "_event_template_id" => id(record.template.map(|id| id.0)),
            "_event_vm_id" => id(record.vm.map(|id| id.0)),
            _ => Value::Null,
        }
    }

    fn related(&self, reference: Entity, visit: &mut dyn FnMut(&dyn Searchable) -> bool) {
        let (record, world) = (self.record, self.view.world);
        match reference {
            Entity::Vm => self.show(record.vm.and_then(|id| world.vms.get(&id)), visit),
            Entity::Template => self.show(record.template.and_then(|id| world.templates.get(&id)), visit),
            Entity::Host => self.show(record.host.and_then(|id| world.hosts.get(&id)), visit),
            Entity::User => self.show(record.user.and_then(|id| world.users.get(&id)), visit),
            Entity::Cluster => self.show(record.cluster.and_then(|id| world.clusters.get(&id)), visit),
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
