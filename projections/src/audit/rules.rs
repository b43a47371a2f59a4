//! Which event raises which code, and what is said with it.

use evirt_domain::access::{ADMIN, EVERYONE, EntityRef, Holder, Permission};
use evirt_domain::data_center::Version;
use evirt_domain::disk::DiskStatus;
use evirt_domain::fence::Proxy;
use evirt_domain::host::{
    CPU_INCOMPATIBLE, FenceType, HostStatus, HostStatusChanged, KVM_MISSING, LOW_MEMORY_MIB, STORAGE_UNREACHABLE,
    VERSION_INCOMPATIBLE,
};
use evirt_domain::host_error::ERROR_REST_MINUTES;
use evirt_domain::host_net::{Lack, NETWORK_UNREACHABLE, lack};
use evirt_domain::host_net_setup::NetworkChange;
use evirt_domain::hotplug::Device;
use evirt_domain::ids::*;
use evirt_domain::image::StoredImage;
use evirt_domain::job::{Job, SUPERSEDED, Task, Told};
use evirt_domain::quota::{QuotaStrained, Resource, Strain};
use evirt_domain::service::Kept;
use evirt_domain::storage::{AttachmentStatus, DomainState, SpaceLevel, StorageDomainStatusChanged, missed_by};
use evirt_domain::tag::Tagged;
use evirt_domain::vm_run::VmState;
use evirt_domain::{Actor, Event};

use super::draft::{Draft, Scene, sentence};

/// The code that an event raises, and what it is about.
pub(super) fn draft<'a>(scene: &Scene<'a>) -> Option<Draft<'a>> {
    let at = *scene;
    Some(match &at.recorded.event {
        // The installation is told by what it leaves behind, and facts, sizes and file lists are no news to anybody.
        Event::SystemInstalled(_) => return None,
        Event::EngineStarted(_) => at.draft(1),
        Event::EngineStopped(_) => at.draft(2),
        Event::DamageFound(e) => {
            let kept = match e.kept {
                Kept::EventLog => "event log",
                Kept::AuditLog => "audit log",
            };
            at.draft(20_006).by(Actor::System).with("Kept", kept).reason(&e.problem)
        }
        Event::HostFactsReported(_) => return None,
        Event::StorageDomainFilesListed(_) => return None,
        // What one host alone does not reach is told by what becomes of the domain.
        Event::StorageDomainReachChanged(_) => return None,
        Event::StorageDomainDelayed(e) => {
            let seconds = format!("{}.{}", e.delay_ms / 1_000, e.delay_ms % 1_000 / 100);
            at.draft(524).by(Actor::System).storage_domain(e.domain).host(e.host).with("Delay", seconds)
        }
        // What was removed is not shown; of external jobs their beginning is told.
        Event::ExternalEventRemoved(_) | Event::ExternalJobsCleared(_) => return None,
        Event::ExternalStepAdded(_) | Event::ExternalStepEnded(_) | Event::ExternalJobEnded(_) => return None,
        // A key is for the next request of its client.
        Event::CreationKeyed(_) => return None,
        // Jobs are listed on their own; the VM's states on the way up say nothing that the start's end does not.
        Event::JobOpened(_) | Event::JobStepFinished(_) | Event::JobsCleared(_) => return None,
        Event::VmPoweringUp(_) | Event::VmRemovalStarted(_) => return None,
        // The end of its job says what could not be removed.
        Event::DiskRemovalFailed(_) => return None,
        Event::DiskRemovalStarted(_) | Event::StorageDomainRemovalStarted(_) => return None,

        Event::DataCenterCreated(e) => at.draft(950).data_center(e.data_center),
        Event::DataCenterUpdated(e) => at.draft(952).data_center(e.data_center),
        Event::DataCenterRemoved(e) => at.draft(if e.forced { 918 } else { 954 }).data_center(e.data_center),
        Event::SpmFailed(e) => at.draft(22).host(e.host).data_center(e.data_center).reason(&e.reason),
        Event::SpmSelected(e) => match e.host {
            Some(host) => {
                let address = at.host(host).map(|h| h.config.address.clone()).unwrap_or_default();
                at.draft(204).host(host).data_center(e.data_center).with_some("ServerIp", &address)
            }
            None => at.draft(979).data_center(e.data_center),
        },

        Event::SpmForced(e) => at.draft(159).host(e.host).data_center(e.data_center),

        Event::ClusterCreated(e) => at.draft(809).cluster(e.cluster),
        // Of what a host reports, its cluster learns the CPU.
        Event::ClusterUpdated(e) if at.recorded.causation.is_some() || at.recorded.actor == Actor::System => {
            at.draft(835).by(Actor::System).cluster(e.cluster)
        }
        Event::ClusterUpdated(e) => at.draft(811).cluster(e.cluster),
        Event::ClusterRemoved(e) => at.draft(813).cluster(e.cluster),
        Event::NetworkAssigned(e) => {
            let old = at
                .before
                .clusters
                .get(&e.cluster)
                .and_then(|cluster| cluster.networks.iter().find(|network| network.network == e.network.network));
            let code = match old {
                None => 946,
                Some(old) if e.network.display && !old.display => 1100,
                Some(_) => 1112,
            };
            at.draft(code).network(e.network.network).cluster(e.cluster)
        }
        Event::NetworkUnassigned(e) => at.draft(948).network(e.network).cluster(e.cluster),

        Event::NetworkCreated(e) => at.draft(942).network(e.network),
        Event::NetworkUpdated(e) => at.draft(1114).network(e.network),
        Event::NetworkRemoved(e) => at.draft(944).network(e.network),
        Event::VnicProfileCreated(e) => at.draft(1122).vnic_profile(e.profile),
        Event::VnicProfileUpdated(e) => at.draft(1124).vnic_profile(e.profile),
        Event::VnicProfileRemoved(e) => at.draft(1126).vnic_profile(e.profile),

        Event::HostAdded(e) => at.draft(42).host(e.host),
        Event::HostRegistered(e) => at.draft(828).host(e.host),
        Event::HostApproved(e) => at.draft(498).host(e.host),
        Event::HostUpdated(e) => at.draft(43).host(e.host),
        Event::HostMemoryLow(e) => {
            let draft = at.draft(531).by(Actor::System).host(e.host).with("AvailableMemory", e.free_mib.to_string());
            draft.with("Threshold", LOW_MEMORY_MIB.to_string())
        }
        Event::HostRefreshed(e) => match &e.failure {
            None => at.draft(606).host(e.host),
            Some(why) => at.draft(607).host(e.host).reason(why),
        },
        Event::HostNxMissed(e) => at.draft(601).by(Actor::System).host(e.host),
        Event::HostFenceUnconfigured(e) => at.draft(9000).by(Actor::System).host(e.host),
        Event::HostInstallationStarted(e) => at.draft(509).host(e.host),
        Event::HostInstalled(e) => at.draft(504).host(e.host),
        Event::HostStatusChanged(e) => return host_status(at, e),
        Event::HostFenced(e) => return fenced(at, e),
        Event::HostContactLost(e) => {
            at.draft(9008).by(Actor::System).host(e.host).with("Seconds", e.grace_ms.div_ceil(1000).to_string())
        }
        Event::HostFencingStarted(e) => {
            let draft = at.draft(605).host(e.host).with("Command", e.fence.name());
            match e.proxy {
                Proxy::Engine => return None,
                Proxy::Host(proxy) => draft.with("Proxy", at.host(proxy).map_or("", |host| &host.config.name)),
            }
        }
        Event::HostFenceFellBack(e) => at.draft(9007).host(e.host).with("Operation", e.fence.name()),
        Event::HostFenceSkipped(e) => at.draft(if e.no_proxy { 9004 } else { 9003 }).host(e.host),
        Event::HostRemoved(e) => at.draft(44).host(e.host),
        Event::HostBondSet(e) => {
            let known = at.before.hosts.get(&e.host).is_some_and(|host| host.layout.bond(&e.bond.name).is_some());
            let draft = at.draft(if known { 1102 } else { 924 }).host(e.host);
            draft.with("BondName", e.bond.name.clone()).with("Interfaces", e.bond.slaves.join(", "))
        }
        Event::HostBondRemoved(e) => at.draft(926).host(e.host).with("BondName", e.name.clone()),
        Event::HostNetworkAttached(e) => {
            let old = at.before.hosts.get(&e.host).and_then(|host| host.layout.attachment(e.attachment.network));
            let code = if old.is_some_and(|old| old.nic == e.attachment.nic) { 1102 } else { 920 };
            at.draft(code).network(e.attachment.network).host(e.host).with("InterfaceName", e.attachment.device())
        }
        Event::HostNetworkDetached(e) => at.draft(922).network(e.network).host(e.host),
        Event::HostLinkChanged(e) => at.draft(if e.up { 609 } else { 610 }).host(e.host).with("InterfaceName", e.nic.clone()),
        Event::HostNetworksCommitted(e) => at.draft(1104).host(e.host),

        // The change of the data center tells, or the end of the work that failed.
        Event::StorageFormatSet(_) | Event::StorageDomainUpgraded(_) => return None,
        Event::StorageDomainAdded(_) => return None,
        Event::StorageDomainExtended(e) => at.report(972, on_domain(e.domain)).storage_domain(e.domain),
        Event::StorageDomainImported(e) => at.draft(956).storage_domain(e.domain),
        // Connections have no codes: what they lead to has.
        Event::StorageConnectionAdded(_) | Event::StorageConnectionUpdated(_) | Event::StorageConnectionRemoved(_) => {
            return None;
        }
        Event::StorageConnectionAttached(_) | Event::StorageConnectionDetached(_) => return None,
        Event::StorageDomainSpaceReported(e) => {
            let code = match at.storage_domain(e.domain)?.space_level() {
                SpaceLevel::Enough => return None,
                SpaceLevel::Low => 26,
                SpaceLevel::Critical => 201,
            };
            at.draft(code).storage_domain(e.domain).with("DiskSpace", (e.available >> 30).to_string())
        }
        // A removal that failed is undone, which the end of its job tells.
        Event::StorageDomainCreated(e)
            if at.before.storage_domains.get(&e.domain).is_some_and(|domain| domain.state == DomainState::Removing) =>
        {
            return None;
        }
        Event::StorageDomainCreated(e) => at.report(956, on_domain(e.domain)).storage_domain(e.domain),
        Event::StorageDomainCreationFailed(e) => at.report(957, on_domain(e.domain)).storage_domain(e.domain).reason(&e.reason),
        Event::MasterSought(e) => match e.found {
            Some(master) => at.draft(984).storage_domain(master).data_center(e.data_center),
            None => at.draft(983).data_center(e.data_center),
        },
        Event::StorageDomainUpdated(e) => at.draft(958).storage_domain(e.domain),
        // What becomes of it is told: that it is attached, or the end of the job that could not attach it.
        Event::StorageDomainAttached(_) => return None,
        Event::StorageDomainStatusChanged(e) => return storage_status(at, e),
        // An attachment that failed is undone, which the end of its job tells.
        Event::StorageDomainDetached(e) if attaches(at, e.domain, e.data_center) => return None,
        Event::StorageDomainDetached(e) => {
            at.report(964, on_domain(e.domain)).storage_domain(e.domain).data_center(e.data_center)
        }
        Event::StorageDomainRemoved(e) if e.destroyed => at.draft(981).storage_domain(e.domain),
        Event::StorageDomainRemoved(e) => at.report(960, on_domain(e.domain)).storage_domain(e.domain),

        Event::DiskAdded(e) => match &e.from {
            Some(image) => at.draft(2027).disk(e.disk).with("RepoImageName", image.name.clone()),
            None => at.draft(2020).disk(e.disk),
        },
        Event::DiskCreated(e) if import(at, e.disk).is_some() => imported(at, 2028, e.disk),
        Event::DiskCreationFailed(e) if import(at, e.disk).is_some() => imported(at, 2029, e.disk).reason(&e.reason),
        Event::DiskExportStarted(e) => exported(at.draft(2030), e.disk, &e.to),
        Event::DiskExported(e) => exported(at.report(2031, exports(e.disk)), e.disk, &e.to),
        Event::DiskExportFailed(e) => exported(at.report(2032, exports(e.disk)), e.disk, &e.to).reason(&e.reason),
        Event::DiskCreated(e) => at.report(disk_code(at, e.disk, 97, 2021), creates(e.disk)).disk(e.disk),
        Event::DiskCreationFailed(e) => {
            at.report(disk_code(at, e.disk, 98, 2022), creates(e.disk)).disk(e.disk).reason(&e.reason)
        }
        Event::DiskUpdated(e) => at.draft(88).disk(e.disk),
        Event::QuotaCreated(e) => at.draft(3000).quota(e.quota).data_center(e.data_center),
        Event::QuotaUpdated(e) => at.draft(3002).quota(e.quota),
        Event::QuotaLimitsSet(e) => {
            // A limit below what is consumed already takes nothing away, and is warned of.
            let code = if at.after.quotas.get(&e.quota).is_some_and(|q| q.is_below_consumption(at.after)) { 3012 } else { 3002 };
            at.draft(code).quota(e.quota)
        }
        Event::QuotaRemoved(e) => at.draft(3004).quota(e.quota),
        Event::QuotaStrained(e) => return Some(quota_strained(at, e)),
        // That it is asked for shows in the jobs; what comes of it is told.
        Event::DiskExtensionStarted(_) => return None,
        Event::DiskExtended(e) => {
            let gib = (e.size >> 30).to_string();
            at.report(371, extends(e.disk)).disk(e.disk).with("NewSize", gib)
        }
        Event::DiskExtensionFailed(e) => at.report(370, extends(e.disk)).disk(e.disk).reason(&e.reason),
        Event::DiskRemoved(e) => {
            at.report(2014, |task| matches!(task, Task::RemoveDisk { disk } if *disk == e.disk)).disk(e.disk)
        }

        Event::VmCreated(e) => at.draft(34).vm(e.vm),
        Event::VmUpdated(e) => at.draft(35).vm(e.vm),
        Event::VmRemoved(e) => at.report(113, |task| matches!(task, Task::RemoveVm { vm } if *vm == e.vm)).vm(e.vm),
        Event::NicAdded(e) => nic(at.draft(932).vm(e.vm), &e.nic.config),
        Event::NicUpdated(e) => {
            let vm = at.vm(e.vm)?;
            let config = &vm.nics.iter().find(|nic| nic.id == e.nic)?.config;
            let code = match e.changes.plugged.filter(|_| !vm.is_down()) {
                Some(true) => 1012,
                Some(false) => 1014,
                None => 934,
            };
            let draft = nic(at.draft(code).vm(e.vm), config);
            match e.changes.linked {
                Some(linked) => draft.with("LinkState", if linked { "up" } else { "down" }),
                None => draft,
            }
        }
        Event::NicRemoved(e) => at.draft(930).vm(e.vm).with("InterfaceName", e.name.clone()),
        Event::DiskAttached(e) => {
            // A disk that is made for the VM is attached while its volume is being created.
            let made = at.before.disks.get(&e.attachment.disk).is_some_and(|disk| disk.status == DiskStatus::Locked);
            at.draft(if made { 78 } else { 2016 }).vm(e.vm).disk(e.attachment.disk)
        }
        Event::DiskAttachmentUpdated(e) => {
            let vm = at.before.vms.get(&e.vm)?;
            let was = vm.disks.iter().any(|old| old.disk == e.attachment.disk && old.active);
            let code = match (vm.is_down(), was, e.attachment.active) {
                (false, false, true) => 2000,
                (false, true, false) => 2002,
                _ => 88,
            };
            at.draft(code).vm(e.vm).disk(e.attachment.disk)
        }
        Event::DiskDetached(e) => at.draft(2018).vm(e.vm).disk(e.disk),
        Event::CdRomChanged(e) if e.file.is_empty() => at.draft(528).vm(e.vm),
        Event::CdRomChanged(e) => at.draft(38).vm(e.vm).with("DiskName", e.file.clone()),

        Event::VmStartRequested(e) => {
            let resumes = at.before.vms.get(&e.vm).is_some_and(|vm| vm.state == VmState::Paused);
            let code = match (resumes, at.recorded.actor) {
                (true, _) => 40,
                (false, Actor::System) => 506,
                (false, Actor::User(_)) => 150,
            };
            at.draft(code).vm(e.vm)
        }
        Event::VmRelocated(e) => {
            let started_by = at.vm(e.vm)?.run.as_ref().map_or(Actor::System, |run| run.started_by);
            let code = if started_by == Actor::System { 507 } else { 151 };
            at.draft(code).by(started_by).vm(e.vm).host(e.from).reason(&e.reason)
        }
        Event::VmUp(e) => match (e.started, e.started_by, at.before.vms.get(&e.vm)?.state) {
            (true, Actor::User(_), _) => at.draft(153).by(e.started_by).vm(e.vm).host(e.host),
            (true, Actor::System, _) => at.draft(32).vm(e.vm).host(e.host),
            (false, _, VmState::NotResponding | VmState::Unknown) => at.draft(163).vm(e.vm).with("VmStatus", VmState::Up.name()),
            _ => return None,
        },
        Event::VmPaused(e) => {
            let code = match e.detail.as_str() {
                "" | "none" => 39,
                "enospc" => 138,
                "eio" => 145,
                "eperm" => 146,
                _ => 139,
            };
            let asker = at.vm(e.vm)?.run.as_ref().filter(|_| code == 39).map(|run| run.started_by);
            at.draft(code).by(asker.unwrap_or(at.recorded.actor)).vm(e.vm)
        }
        Event::VmStartFailed(e) => at.draft(54).by(e.started_by).vm(e.vm).host(e.host).reason(&e.reason),
        Event::VmStopRequested(e) => at.draft(33).vm(e.vm),
        Event::VmShutdownRequested(e) => at.draft(73).vm(e.vm),
        Event::VmShutdownFellBack(e) => at.draft(76).vm(e.vm),
        Event::VmRebootRequested(e) => at.draft(157).vm(e.vm),
        Event::VmSuspendRequested(e) => at.draft(501).vm(e.vm),
        Event::VmSuspended(e) => at.draft(503).vm(e.vm),
        Event::VmDown(e) => {
            let code = match at.before.vms.get(&e.vm)?.state {
                VmState::Suspended => 111,
                VmState::Unknown => 143,
                _ if e.error => 119,
                _ => 61,
            };
            at.draft(code).vm(e.vm).with_some("ExitMessage", &sentence(&e.message))
        }
        Event::VmNotResponding(e) => at.draft(126).vm(e.vm),
        Event::VmLost(e) => at.draft(142).vm(e.vm),
        Event::VmMigrationRequested(e) => {
            let code = if at.recorded.actor.user().is_some() { 62 } else { 67 };
            migration(at.draft(code), e.vm, e.from, e.to)
        }
        Event::VmMigrationCancelRequested(e) => at.draft(161).vm(e.vm),
        Event::VmMigrated(e) => migration(at.draft(63), e.vm, e.from, e.to),
        Event::VmMigrationFailed(e) => {
            let emptied = at.host(e.from).is_some_and(|host| host.status == HostStatus::PreparingForMaintenance);
            let code = match (e.cancelled, emptied) {
                (true, _) => 64,
                (false, true) => 140,
                (false, false) => 65,
            };
            migration(at.draft(code), e.vm, e.from, e.to).reason(&e.reason)
        }
        Event::VmTicketSet(e) => at.draft(164).vm(e.vm),

        // Blank comes with the installation.
        Event::TemplateCreated(e) if e.template == evirt_domain::template::BLANK => return None,
        Event::TemplateCreated(e) => at.draft(48).template(e.template).cluster(e.config.cluster),

        Event::TagCreated(e) if e.tag == evirt_domain::tag::ROOT => return None,
        Event::TagCreated(e) => at.draft(432).tag(e.tag),
        Event::TagUpdated(e) => match e.changes.parent {
            Some(Some(parent)) => {
                let above = at.tag(parent).map(|tag| tag.config.name.clone()).unwrap_or_default();
                at.draft(555).tag(e.tag).with_some("NewParentTagName", &above)
            }
            _ => at.draft(430).tag(e.tag),
        },
        Event::TagRemoved(e) => at.draft(434).tag(e.tag),
        Event::TagAttached(e) => {
            let code = match e.to {
                Tagged::Vm(_) => 440,
                Tagged::Host(_) => 442,
                Tagged::User(_) => 436,
                Tagged::Group(_) => 438,
            };
            at.draft(code).tag(e.tag).tagged(e.to, "AttachUsersNames", "AttachGroupsNames")
        }
        Event::TagDetached(e) => {
            let code = match e.to {
                Tagged::Vm(_) => 446,
                Tagged::Host(_) => 444,
                Tagged::User(_) => 448,
                Tagged::Group(_) => 450,
            };
            at.draft(code).tag(e.tag).tagged(e.to, "DetachUsersNames", "DetachGroupsNames")
        }

        Event::UserAdded(e) => at.draft(149).with("NewUserName", e.user.name.clone()),
        Event::UserPasswordChanged(e) => {
            let name = at.user(e.user).map(|user| user.name.clone()).unwrap_or_default();
            at.draft(346).with_some("ChangedUserName", &name)
        }
        Event::UserRemoved(e) => at.draft(325).with("AdUserName", e.name.clone()),
        // Built-in roles and their first holder come with the installation.
        Event::RoleCreated(e) if !e.role.mutable => return None,
        Event::GroupAdded(e) if e.group.id == EVERYONE => return None,
        Event::PermissionGranted(e) if at.recorded.actor == Actor::System && installed(&e.permission) => return None,
        Event::RoleCreated(e) => at.draft(864).with("RoleName", e.role.name.clone()),
        Event::RoleUpdated(e) => at.draft(856).role(e.role),
        Event::RoleRemoved(e) => at.draft(858).role(e.role),
        Event::RolePermitAdded(e) => at.draft(860).role(e.role).with("ActionGroup", e.permit.name()),
        Event::RolePermitRemoved(e) => at.draft(862).role(e.role).with("ActionGroup", e.permit.name()),
        Event::GroupAdded(e) => at.draft(149).with("NewUserName", e.group.name.clone()),
        Event::GroupRemoved(e) => at.draft(408).with("AdGroupName", e.name.clone()),
        Event::GroupMemberAdded(e) => at.draft(20_001).membership(e.group, e.user),
        Event::GroupMemberRemoved(e) => at.draft(20_002).membership(e.group, e.user),
        // What a directory tells of a user is that directory's news.
        Event::UserRefreshed(_) => return None,
        Event::UserLocked(e) => at.draft(160).by(Actor::User(e.user)),
        Event::UserUnlocked(e) => at.draft(20_003).with("UnlockedUserName", principal(at, e.user)),
        Event::UserDeactivated(e) => at.draft(20_004).by(Actor::System).with("DirectoryUserName", principal(at, e.user)),
        Event::UserReactivated(e) => at.draft(20_005).by(Actor::System).with("DirectoryUserName", principal(at, e.user)),
        Event::PermissionGranted(e) => {
            let code = if e.permission.object == EntityRef::System { 866 } else { 850 };
            at.draft(code).permission(&e.permission)
        }
        Event::PermissionRevoked(e) => {
            let permission = at.before.permissions.get(&e.permission)?;
            let code = if permission.object == EntityRef::System { 868 } else { 852 };
            at.draft(code).permission(permission)
        }
        Event::SessionOpened(e) => at.draft(30).by(Actor::User(e.session.user)),
        Event::SessionClosed(e) => at.draft(31).by(Actor::User(e.user)),
        Event::LoginsRefused(e) => {
            let listed = |all: &[String], more: bool| all.join(", ") + if more { " and others" } else { "" };
            let draft = at.draft(20_010).with("Count", e.count.to_string());
            draft.with("Names", listed(&e.names, e.more_names)).with("Addresses", listed(&e.from, e.more_from))
        }
        Event::LoginFailed(e) => {
            let user = at.after.resolve(evirt_domain::world::NameKind::User, &e.name).map(UserId);
            let draft = at.draft(114);
            match user {
                Some(user) => draft.by(Actor::User(user)),
                None if e.name.trim().is_empty() => draft,
                None => draft.with("UserName", e.name.clone()),
            }
        }

        Event::ExternalEventReported(e) => external(at, &e.0),
        Event::ExternalJobAdded(e) => at.draft(11_000).with("description", e.description.clone()),
        Event::JobEnded(e) => return failed(at, at.before.jobs.get(&e.job)?, e.failure.as_deref()?),
    })
}

/// Whether a permission is one that the installation grants.
fn installed(permission: &Permission) -> bool {
    matches!(permission.holder, Holder::User(ADMIN) | Holder::Group(EVERYONE))
}

/// What a system outside reports, in its own words.
fn external<'a>(at: Scene<'a>, what: &evirt_domain::external::Report) -> Draft<'a> {
    use evirt_domain::external::EventSeverity;
    let code = match what.severity {
        EventSeverity::Normal => 9801,
        EventSeverity::Warning => 9802,
        EventSeverity::Error => 9803,
        EventSeverity::Alert => 9804,
    };
    let mut draft = at.draft(code).with("description", what.description.clone());
    draft.entry.origin = what.origin.clone();
    draft.entry.custom_id = Some(what.custom_id);
    draft.entry.flood_rate = what.flood_rate;
    draft.entry.about.user = what.user;
    what.about.iter().fold(draft, |draft, object| draft.object(*object))
}

/// What a host's change of state says.
fn host_status<'a>(at: Scene<'a>, e: &HostStatusChanged) -> Option<Draft<'a>> {
    use HostStatus::*;
    if e.to == NonOperational
        && e.from != PreparingForMaintenance
        && e.detail == NETWORK_UNREACHABLE
        && let Some(lack) = at.host(e.host).and_then(|host| lack(at.after, host))
    {
        let (code, networks, nics) = match lack {
            Lack::Missing(networks) => (519, networks, Vec::new()),
            Lack::Down(networks, nics) => (603, networks, nics),
        };
        let draft = at.draft(code).by(Actor::System).host(e.host);
        return Some(draft.with("Networks", networks.join(", ")).with("Interfaces", nics.join(", ")));
    }
    if e.to == NonOperational
        && e.from != PreparingForMaintenance
        && e.detail == STORAGE_UNREACHABLE
        && let Some(domain) = at.host(e.host).and_then(|host| missed_by(at.after, host))
    {
        let names = domain.config.name.clone();
        let draft = at.draft(522).by(Actor::System).host(e.host).storage_domain(domain.id);
        return Some(draft.with("StorageDomainNames", names));
    }
    let left = || at.before.vms_on(e.host).map(|vm| vm.config.name.as_str()).collect::<Vec<_>>().join(", ");
    let code = match (e.from, e.to) {
        (PreparingForMaintenance, Up | NonOperational) if at.before.vms_on(e.host).next().is_some() => 602,
        (_, NonOperational) if e.detail == CPU_INCOMPATIBLE => {
            if at.host(e.host).is_some_and(|host| host.facts.cpu_family.is_empty()) { 516 } else { 515 }
        }
        (_, NonOperational) if e.detail == KVM_MISSING => 127,
        (_, NonOperational) if e.detail == VERSION_INCOMPATIBLE => 141,
        (PreparingForMaintenance, Up | NonOperational | NonResponsive | Error | Down) => 17,
        (NonResponsive, Up) => 14,
        (_, Up) => 13,
        (_, Maintenance) => 15,
        (_, PreparingForMaintenance) => 600,
        (_, Unassigned) => 16,
        (_, Error) => 500,
        (_, NonResponsive) => 12,
        (_, NonOperational) => 517,
        (_, InstallFailed) => 505,
        _ => return None,
    };
    let draft = match code {
        13 | 14 | 12 | 515 | 517 => at.draft(code),
        505 => at.report(code, |task| matches!(task, Task::InstallHost { host } if *host == e.host)),
        602 => at.report(code, |task| matches!(task, Task::EvacuateHost { host } if *host == e.host)).with("failedVms", left()),
        15 | 17 => at.report(code, |task| matches!(task, Task::EvacuateHost { host } if *host == e.host)),
        141 => {
            let host = at.host(e.host);
            let text = |v: &Version| format!("{}.{}", v.major, v.minor);
            let cluster = host.and_then(|host| at.after.clusters.get(&host.config.cluster));
            let known = host.map(|host| host.facts.levels.iter().map(text).collect::<Vec<_>>().join(", "));
            let wanted = cluster.map(|cluster| text(&cluster.config.version));
            let draft = at.draft(code).with("VdsSupportedVersions", known.unwrap_or_default());
            draft.with("CompatibilityVersion", wanted.unwrap_or_default())
        }
        500 => at.draft(code).with("Time", ERROR_REST_MINUTES.to_string()),
        _ => at.draft(code),
    };
    Some(draft.host(e.host).reason(&e.detail).with("HostStatus", e.to.name()))
}

/// What a storage domain's change of state says; of work that failed its job's end tells.
fn storage_status<'a>(at: Scene<'a>, e: &StorageDomainStatusChanged) -> Option<Draft<'a>> {
    use AttachmentStatus::*;
    let code = match (e.from, e.to) {
        (Locked, _) if !e.reason.is_empty() => return None,
        (_, Active) => 966,
        (Locked, Maintenance) if attaches(at, e.domain, e.data_center) => {
            let first = at.data_center(e.data_center).is_some_and(|dc| dc.master == Some(e.domain));
            if first { 1002 } else { 962 }
        }
        (_, Maintenance) => 968,
        (Active, Inactive | Unknown) => 970,
        _ => return None,
    };
    let (domain, data_center) = (e.domain, e.data_center);
    let asked = move |task: &Task| {
        let tasks = [
            Task::AttachStorageDomain { domain, data_center },
            Task::ActivateStorageDomain { domain, data_center },
            Task::DeactivateStorageDomain { domain, data_center },
        ];
        tasks.contains(task)
    };
    Some(at.report(code, asked).storage_domain(domain).data_center(data_center).reason(&e.reason))
}

/// Whether a task works on a storage domain.
fn on_domain(id: StorageDomainId) -> impl Fn(&Task) -> bool {
    move |task| match task {
        Task::CreateStorageDomain { domain, .. }
        | Task::AttachStorageDomain { domain, .. }
        | Task::ActivateStorageDomain { domain, .. }
        | Task::DeactivateStorageDomain { domain, .. }
        | Task::DetachStorageDomain { domain, .. }
        | Task::ExtendStorageDomain { domain, .. }
        | Task::RemoveStorageDomain { domain, .. } => *domain == id,
        _ => false,
    }
}

/// Whether a storage domain is being attached to a data center.
fn attaches(at: Scene<'_>, domain: StorageDomainId, data_center: DataCenterId) -> bool {
    let attach = Task::AttachStorageDomain { domain, data_center };
    evirt_domain::job::open_job(at.before, EntityRef::StorageDomain(domain), |task| *task == attach).is_some()
}

/// What a fencing says; to ask for the power status changes nothing and is not told.
fn fenced<'a>(at: Scene<'a>, e: &evirt_domain::host::HostFenced) -> Option<Draft<'a>> {
    let asker = at.asker(|task| matches!(task, Task::FenceHost { host, .. } if *host == e.host));
    let code = match (e.fence, &e.failure, asker) {
        (FenceType::Manual, ..) => 494,
        (FenceType::Status, None, _) => return None,
        (FenceType::Status, Some(_), _) => 9001,
        (FenceType::Start, None, _) => 20,
        (FenceType::Start, Some(_), _) => 118,
        (FenceType::Stop, None, _) => 21,
        (FenceType::Stop, Some(_), _) => 137,
        (FenceType::Restart, None, Actor::User(_)) => 41,
        (FenceType::Restart, Some(_), Actor::User(_)) => 107,
        (FenceType::Restart, None, Actor::System) => 121,
        (FenceType::Restart, Some(_), Actor::System) => 122,
    };
    Some(at.draft(code).by(asker).host(e.host).reason(e.failure.as_deref().unwrap_or_default()))
}

/// What consuming a quota says.
fn quota_strained<'a>(at: Scene<'a>, e: &QuotaStrained) -> Draft<'a> {
    let code = match (e.resource, e.strain) {
        (Resource::Cluster, Strain::Missing) => 3014,
        (Resource::Cluster, Strain::Threshold) => 3008,
        (Resource::Cluster, Strain::Exceeded) => 3007,
        (Resource::Cluster, Strain::GraceExceeded) => 3015,
        (Resource::Cluster, Strain::Refused) => 3006,
        (Resource::Storage, Strain::Refused) => 3009,
        (Resource::Storage, Strain::Missing) => 3013,
        (Resource::Storage, Strain::Threshold) => 3011,
        (Resource::Storage, Strain::Exceeded) => 3010,
        (Resource::Storage, Strain::GraceExceeded) => 3016,
    };
    let draft = at.draft(code).data_center(e.data_center);
    let draft = match e.quota {
        Some(quota) => draft.quota(quota),
        None => draft,
    };
    let draft = match e.vm {
        Some(vm) => draft.vm(vm),
        None => draft,
    };
    let used = match e.resource {
        Resource::Storage => "CurrentStorage",
        Resource::Cluster => "Utilization",
    };
    // Of a limit that allows nothing there are no shares.
    let shares = [(used, e.used_percent.saturating_add(e.requested_percent)), ("Requested", e.requested_percent)];
    shares
        .into_iter()
        .filter(|(_, percent)| *percent != 0)
        .fold(draft, |draft, (name, percent)| draft.with(name, percent.to_string()))
}

/// What a job that came to nothing says, where no other event says it: by the code that its task's description has for the step.
fn failed<'a>(at: Scene<'a>, job: &Job, why: &str) -> Option<Draft<'a>> {
    if why == SUPERSEDED {
        return None;
    }
    let Told::ByEnd(codes) = job.task.steps().get(job.steps_done)?.told else { return None };
    let code = match job.task {
        // The first of a data center has a code of its own.
        Task::AttachStorageDomain { data_center, .. } if job.steps_done == 0 => {
            let has_master = at.after.data_centers.get(&data_center).is_some_and(|dc| dc.master.is_some());
            *if has_master { codes.first() } else { codes.last() }?
        }
        _ => *codes.first()?,
    };
    let draft = at.draft(code).by(job.owner).reason(why);
    let draft = match job.task.object() {
        EntityRef::Host(host) => draft.host(host),
        EntityRef::Vm(vm) => draft.vm(vm),
        EntityRef::StorageDomain(domain) => draft.storage_domain(domain),
        EntityRef::DataCenter(data_center) => draft.data_center(data_center),
        EntityRef::Disk(disk) => draft.disk(disk),
        _ => draft,
    };
    // What some name beside it.
    Some(match job.task {
        Task::ChangeDevice { vm, device: Device::Nic(id), .. } => {
            nic(draft, &at.vm(vm)?.nics.iter().find(|nic| nic.id == id)?.config)
        }
        Task::ChangeDevice { device: Device::Disk(disk), .. } => draft.disk(disk),
        Task::SetUpHostNetworks { ref setup, .. } => match &setup.change {
            NetworkChange::Setup | NetworkChange::Update { network: None } => draft,
            NetworkChange::AddBond { name } | NetworkChange::RemoveBond { name } => draft.with("BondName", name.clone()),
            NetworkChange::Attach { network } | NetworkChange::Detach { network } => draft.network(*network),
            NetworkChange::Update { network: Some(network) } => draft.network(*network),
        },
        Task::AttachStorageDomain { data_center, .. }
        | Task::ActivateStorageDomain { data_center, .. }
        | Task::DeactivateStorageDomain { data_center, .. }
        | Task::DetachStorageDomain { data_center, .. } => draft.data_center(data_center),
        _ => draft,
    })
}

fn creates(disk: DiskId) -> impl Fn(&Task) -> bool {
    move |task| matches!(task, Task::CreateDisk { disk: own } if *own == disk)
}

fn exports(disk: DiskId) -> impl Fn(&Task) -> bool {
    move |task| matches!(task, Task::ExportDisk { disk: own, .. } if *own == disk)
}

/// What an export says: its entry is about the image domain.
fn exported<'a>(draft: Draft<'a>, disk: DiskId, to: &StoredImage) -> Draft<'a> {
    let name = draft.scene.storage_domain(to.domain).map(|domain| domain.config.name.clone()).unwrap_or_default();
    draft.disk(disk).with("DestinationStorageDomainName", name).with("RepoImageName", to.name.clone())
}

/// The work by which a disk is made from an image.
fn import<'a>(at: Scene<'a>, disk: DiskId) -> Option<&'a StoredImage> {
    let job = evirt_domain::job::open_job(at.before, EntityRef::Disk(disk), imports(disk))?;
    match &job.task {
        Task::ImportImage { from, .. } => Some(from),
        _ => None,
    }
}

fn imports(disk: DiskId) -> impl Fn(&Task) -> bool {
    move |task| matches!(task, Task::ImportImage { disk: own, .. } if *own == disk)
}

fn imported(at: Scene<'_>, code: u32, disk: DiskId) -> Draft<'_> {
    let name = import(at, disk).map(|image| image.name.clone()).unwrap_or_default();
    at.report(code, imports(disk)).disk(disk).with("RepoImageName", name)
}

fn extends(disk: DiskId) -> impl Fn(&Task) -> bool {
    move |task| matches!(task, Task::ExtendDisk { disk: own, .. } if *own == disk)
}

/// The code for a disk of a VM, or that for a floating one.
fn disk_code(at: Scene<'_>, disk: DiskId, of_vm: u32, floating: u32) -> u32 {
    if at.disk(disk).is_some_and(|disk| !disk.vms.is_empty()) { of_vm } else { floating }
}

/// The login name of a user, with the domain.
fn principal(at: Scene<'_>, user: UserId) -> String {
    at.user(user).map(|user| user.principal()).unwrap_or_default()
}

fn nic<'a>(draft: Draft<'a>, config: &evirt_domain::vm::NicConfig) -> Draft<'a> {
    draft.with("InterfaceName", config.name.clone()).with("InterfaceType", config.interface.name())
}

/// The host of a migration's entry is the one that the VM left.
fn migration(draft: Draft<'_>, vm: VmId, from: HostId, to: HostId) -> Draft<'_> {
    let name = draft.scene.host(to).map(|host| host.config.name.clone()).unwrap_or_default();
    draft.vm(vm).host(from).with_some("DestinationVdsName", &name)
}
