//! Entries in the making: whose names and references they come to have.

use std::sync::Arc;

use evirt_domain::access::{EntityRef, Group, Holder, Permission, Role, User};
use evirt_domain::cluster::Cluster;
use evirt_domain::data_center::DataCenter;
use evirt_domain::disk::Disk;
use evirt_domain::host::Host;
use evirt_domain::ids::*;
use evirt_domain::job::Task;
use evirt_domain::network::{Network, VnicProfile};
use evirt_domain::quota::Quota;
use evirt_domain::storage::StorageDomain;
use evirt_domain::tag::{Tag, Tagged};
use evirt_domain::template::Template;
use evirt_domain::vm::Vm;
use evirt_domain::{Actor, RecordedEvent, World};

use super::{AuditEntry, FloodKey, fact};

/// An event with the World on both its sides.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub before: &'a World,
    pub after: &'a World,
    pub recorded: &'a RecordedEvent,
}

macro_rules! find {
    ($($name:ident $table:ident $id:ty => $value:ty;)*) => {$(
        /// The aggregate as it is now or, where the event removed it, as it was.
        pub fn $name(&self, id: $id) -> Option<&'a Arc<$value>> {
            self.after.$table.get(&id).or_else(|| self.before.$table.get(&id))
        }
    )*};
}

impl<'a> Scene<'a> {
    find! {
        vm vms VmId => Vm;
        host hosts HostId => Host;
        template templates TemplateId => Template;
        cluster clusters ClusterId => Cluster;
        data_center data_centers DataCenterId => DataCenter;
        storage_domain storage_domains StorageDomainId => StorageDomain;
        disk disks DiskId => Disk;
        network networks NetworkId => Network;
        vnic_profile vnic_profiles VnicProfileId => VnicProfile;
        quota quotas QuotaId => Quota;
        tag tags TagId => Tag;
        user users UserId => User;
        group groups GroupId => Group;
        role roles RoleId => Role;
    }

    /// A draft that names whoever caused the event.
    pub fn draft(self, code: u32) -> Draft<'a> {
        Draft { scene: self, entry: AuditEntry { code, ..AuditEntry::default() }, values: Vec::new() }.by(self.recorded.actor)
    }

    /// A draft that names whoever asked for the work that the event reports on.
    pub fn report(self, code: u32, task: impl Fn(&Task) -> bool) -> Draft<'a> {
        self.draft(code).by(self.asker(task))
    }

    /// Who caused the event or, where a reactor did, who opened the job that it worked on.
    pub fn asker(&self, task: impl Fn(&Task) -> bool) -> Actor {
        match self.recorded.actor {
            Actor::System => {
                let on = EntityRef::of(&self.recorded.stream);
                let job = on.and_then(|on| evirt_domain::job::open_job(self.before, on, task));
                job.map_or(Actor::System, |job| job.owner)
            }
            user => user,
        }
    }
}

/// An entry in the making.
pub(super) struct Draft<'a> {
    pub scene: Scene<'a>,
    pub entry: AuditEntry,
    values: Vec<(&'static str, String)>,
}

impl Draft<'_> {
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.retain(|(own, _)| *own != name);
        self.values.push((name, value.into()));
        self
    }

    /// With the value, where there is one that is not empty.
    pub fn with_some(self, name: &'static str, value: &str) -> Self {
        if value.is_empty() { self } else { self.with(name, value) }
    }

    /// Why something failed, as the end of a clause.
    pub fn reason(self, why: &str) -> Self {
        self.with_some("Reason", why.trim().trim_end_matches('.'))
    }

    pub fn by(mut self, actor: Actor) -> Self {
        self.entry.about.user = actor.user();
        self.values.retain(|(name, _)| *name != "UserName");
        match actor.user().and_then(|id| self.scene.user(id)) {
            Some(user) => self.with("UserName", user.name.clone()),
            None => self,
        }
    }

    /// About a VM, and with it its template, its cluster and the host that it runs on.
    pub fn vm(mut self, id: VmId) -> Self {
        self.entry.about.vm = Some(id);
        let Some(vm) = self.scene.vm(id) else { return self };
        self.entry.about.template = Some(vm.config.template);
        let host = vm.host().or_else(|| self.scene.before.vms.get(&id).and_then(|vm| vm.host()));
        let draft = self.with("VmName", vm.config.name.clone()).cluster(vm.config.cluster);
        match host {
            Some(host) => draft.host(host),
            None => draft,
        }
    }

    /// About a host, and with it its cluster.
    pub fn host(mut self, id: HostId) -> Self {
        self.entry.about.host = Some(id);
        let Some(host) = self.scene.host(id) else { return self };
        self.with("VdsName", host.config.name.clone()).cluster(host.config.cluster)
    }

    pub fn template(mut self, id: TemplateId) -> Self {
        self.entry.about.template = Some(id);
        match self.scene.template(id) {
            Some(template) => self.with("VmTemplateName", template.config.name.clone()),
            None => self,
        }
    }

    /// About a cluster, and with it its data center.
    pub fn cluster(mut self, id: ClusterId) -> Self {
        self.entry.about.cluster = Some(id);
        let Some(cluster) = self.scene.cluster(id) else { return self };
        let draft = self.with("VdsGroupName", cluster.config.name.clone());
        match cluster.config.data_center {
            Some(data_center) => draft.data_center(data_center),
            None => draft,
        }
    }

    pub fn data_center(mut self, id: DataCenterId) -> Self {
        self.entry.about.data_center = Some(id);
        match self.scene.data_center(id) {
            Some(data_center) => self.with("StoragePoolName", data_center.config.name.clone()),
            None => self,
        }
    }

    /// About a storage domain, and with it the data center that it is or was attached to.
    pub fn storage_domain(mut self, id: StorageDomainId) -> Self {
        self.entry.about.storage_domain = Some(id);
        let Some(domain) = self.scene.storage_domain(id) else { return self };
        let attached = |world: &World| Some(world.storage_domains.get(&id)?.attachment()?.data_center);
        let data_center = attached(self.scene.after).or_else(|| attached(self.scene.before));
        let draft = self.with("StorageDomainName", domain.config.name.clone());
        match data_center {
            Some(data_center) => draft.data_center(data_center),
            None => draft,
        }
    }

    /// About a disk, and with it its storage domain and the first VM that has it.
    pub fn disk(self, id: DiskId) -> Self {
        let Some(disk) = self.scene.disk(id) else { return self };
        let draft = self.with("DiskAlias", disk.config.alias.clone()).storage_domain(disk.storage_domain);
        match disk.vms.first() {
            Some(vm) if draft.entry.about.vm.is_none() => draft.vm(*vm),
            _ => draft,
        }
    }

    /// About a quota, and with it its data center.
    pub fn quota(mut self, id: QuotaId) -> Self {
        self.entry.about.quota = Some(id);
        let Some(quota) = self.scene.quota(id) else { return self };
        let data_center = quota.data_center;
        self.with("QuotaName", quota.config.name.clone()).data_center(data_center)
    }

    /// About a network, and with it its data center.
    pub fn network(self, id: NetworkId) -> Self {
        let Some(network) = self.scene.network(id) else { return self };
        let data_center = network.data_center;
        self.with("NetworkName", network.config.name.clone()).data_center(data_center)
    }

    pub fn vnic_profile(self, id: VnicProfileId) -> Self {
        let Some(profile) = self.scene.vnic_profile(id) else { return self };
        let network = profile.network;
        self.with("VnicProfileName", profile.config.name.clone()).network(network)
    }

    pub fn tag(self, id: TagId) -> Self {
        match self.scene.tag(id) {
            Some(tag) => self.with("TagName", tag.config.name.clone()),
            None => self,
        }
    }

    /// About what a tag is put on or taken off.
    pub fn tagged(self, to: Tagged, user: &'static str, group: &'static str) -> Self {
        match to {
            Tagged::Vm(id) => self.vm(id),
            Tagged::Host(id) => self.host(id),
            Tagged::User(id) => {
                let name = self.scene.user(id).map(|user| user.name.clone());
                self.with_some(user, &name.unwrap_or_default())
            }
            Tagged::Group(id) => {
                let name = self.scene.group(id).map(|group| group.name.clone());
                self.with_some(group, &name.unwrap_or_default())
            }
        }
    }

    /// With the names of a group and of one who belongs to it.
    pub fn membership(self, group: GroupId, user: UserId) -> Self {
        let (group, user) = (self.scene.group(group).cloned(), self.scene.user(user).cloned());
        self.with("GroupName", group.map(|group| group.name.clone()).unwrap_or_default())
            .with("MemberName", user.map(|user| user.principal()).unwrap_or_default())
    }

    /// About the object of a permission: its kind and name, and the entry's reference to it.
    pub fn object(self, object: EntityRef) -> Self {
        let scene = self.scene;
        let (draft, kind, name) = match object {
            EntityRef::System => (self, "system", None),
            EntityRef::DataCenter(id) => {
                (self.data_center(id), "data center", scene.data_center(id).map(|o| o.config.name.clone()))
            }
            EntityRef::Cluster(id) => (self.cluster(id), "cluster", scene.cluster(id).map(|o| o.config.name.clone())),
            EntityRef::Network(id) => (self.network(id), "network", scene.network(id).map(|o| o.config.name.clone())),
            EntityRef::VnicProfile(id) => {
                (self.vnic_profile(id), "vNIC profile", scene.vnic_profile(id).map(|o| o.config.name.clone()))
            }
            EntityRef::Host(id) => (self.host(id), "host", scene.host(id).map(|o| o.config.name.clone())),
            EntityRef::StorageDomain(id) => {
                (self.storage_domain(id), "storage domain", scene.storage_domain(id).map(|o| o.config.name.clone()))
            }
            EntityRef::Disk(id) => (self.disk(id), "disk", scene.disk(id).map(|o| o.config.alias.clone())),
            EntityRef::Vm(id) => (self.vm(id), "VM", scene.vm(id).map(|o| o.config.name.clone())),
            EntityRef::Template(id) => (self.template(id), "template", scene.template(id).map(|o| o.config.name.clone())),
        };
        draft.with("VdcObjectType", kind).with_some("VdcObjectName", &name.unwrap_or_default())
    }

    /// About a permission: who holds which role on what.
    pub fn permission(self, permission: &Permission) -> Self {
        let scene = self.scene;
        let role = scene.role(permission.role).map(|role| role.name.clone());
        let holder = match permission.holder {
            Holder::User(id) => scene.user(id).map(|user| user.name.clone()),
            Holder::Group(id) => scene.group(id).map(|group| group.name.clone()),
        };
        self.with_some("RoleName", &role.unwrap_or_default())
            .with_some("SubjectName", &holder.unwrap_or_default())
            .object(permission.object)
    }

    pub fn role(self, id: RoleId) -> Self {
        let name = self.scene.role(id).map(|role| role.name.clone());
        self.with_some("RoleName", &name.unwrap_or_default())
    }

    /// The entry in its code's words.
    pub fn finish(self) -> Option<AuditEntry> {
        let fact = fact(self.entry.code)?;
        let value = |name: &str| self.values.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
        let mut entry = self.entry;
        entry.severity = fact.severity;
        entry.message = fact.render(value);
        entry.flood_key = FloodKey::of(fact.code, entry.about);
        Some(entry)
    }
}

/// The text as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}
