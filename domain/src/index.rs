//! What aggregates are found by beside their identifiers and names. Each kind declares its terms, and its table keeps them in an index.

use std::fmt::Debug;

use smallvec::{SmallVec, smallvec};

use crate::access::{EntityRef, Group, Permission, Session, User};
use crate::cluster::Cluster;
use crate::data_center::DataCenter;
use crate::disk::{Disk, DiskStatus};
use crate::host::{Host, HostStatus};
use crate::ids::*;
use crate::job::{Job, JobStatus};
use crate::network::{Network, VnicProfile};
use crate::quota::Quota;
use crate::storage::{StorageDomain, StorageStatus};
use crate::template::{Template, TemplateStatus};
use crate::vm::Vm;
use crate::vm_run::VmState;

/// What an aggregate is found by. Few enough, and each of them small enough, that asking allocates nothing.
pub type Terms<T> = SmallVec<[T; 6]>;

/// An aggregate that its table finds by more than its identifier.
pub trait Indexed {
    /// What it may be found by, such as its state.
    type Term: Ord + Copy + Debug;

    /// What it is found by now. Its table asks before and after every change, so it has to cost next to nothing; a term may come twice.
    fn terms(&self) -> Terms<Self::Term>;

    /// What it counts for now, each once. Asked like the terms.
    fn tallies(&self) -> Tallies {
        Tallies::new()
    }
}

/// What aggregates are counted by, so that it is known without a walk how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tally {
    /// VMs that are up, with a place on a host.
    Up(HostId),
    /// VMs that migrate from a host or to it.
    Migrating(HostId),
}

/// What an aggregate counts for.
pub type Tallies = SmallVec<[Tally; 2]>;

macro_rules! found_by {
    ($(
        $(#[$doc:meta])*
        $aggregate:ident $term:ident { $($variant:ident($of:ty)),* $(,)? } $(counts $tallies:expr;)? |$self:ident| $terms:expr;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum $term { $($variant($of),)* }

        impl Indexed for $aggregate {
            type Term = $term;

            fn terms(&self) -> Terms<$term> {
                use $term::*;
                let $self = self;
                $terms
            }

            $(fn tallies(&self) -> Tallies {
                let counted: fn(&Self) -> Tallies = $tallies;
                counted(self)
            })?
        }
    )*};
}

/// On which hosts a VM counts, and for what.
fn places(vm: &Vm) -> Tallies {
    let hosts = || vm.run.iter().flat_map(|run| [Some(run.host), run.destination.filter(|to| *to != run.host)]).flatten();
    match vm.state {
        VmState::Up => hosts().map(Tally::Up).collect(),
        VmState::Migrating => hosts().map(Tally::Migrating).collect(),
        _ => Tallies::new(),
    }
}

found_by! {
    /// What VMs are found by; pinned means that it may run on that host alone, and inserted that a CD is in use, in that cluster.
    Vm VmTerm {
        State(VmState),
        Tag(TagId),
        Template(TemplateId),
        Profile(VnicProfileId),
        Mirrored(NetworkId),
        Quota(QuotaId),
        Pinned(HostId),
        Inserted(ClusterId),
    } counts places; |vm| {
        let mut terms = smallvec![State(vm.state), Template(vm.config.template)];
        terms.extend(vm.tags.iter().copied().map(Tag));
        terms.extend(vm.nics.iter().filter_map(|nic| nic.profile).map(Profile));
        terms.extend(vm.nics.iter().flat_map(|nic| &nic.port_mirroring).copied().map(Mirrored));
        terms.extend(vm.config.quota.map(Quota));
        terms.extend(vm.config.pinned_host.map(Pinned));
        terms.extend(vm.cd_in_use().map(|_| Inserted(vm.config.cluster)));
        terms
    };
    /// What hosts are found by.
    Host HostTerm { Status(HostStatus), Cluster(ClusterId), Tag(TagId), Network(NetworkId) } |host| {
        let mut terms = smallvec![Status(host.status), Cluster(host.config.cluster)];
        terms.extend(host.tags.iter().copied().map(Tag));
        terms.extend(host.networks.iter().copied().map(Network));
        terms
    };
    /// What clusters are found by.
    Cluster ClusterTerm { DataCenter(DataCenterId), Network(NetworkId) } |cluster| {
        let mut terms: Terms<_> = cluster.config.data_center.map(DataCenter).into_iter().collect();
        terms.extend(cluster.networks.iter().map(|network| Network(network.network)));
        terms
    };
    /// What storage domains are found by.
    StorageDomain StorageDomainTerm { Status(StorageStatus), DataCenter(DataCenterId), MissedBy(HostId) } |domain| {
        let mut terms: Terms<_> = domain.statuses().map(Status).collect();
        terms.extend(domain.attachments.iter().map(|attachment| DataCenter(attachment.data_center)));
        terms.extend(domain.unreachable_from.iter().copied().map(MissedBy));
        terms
    };
    /// What disks are found by.
    Disk DiskTerm { Status(DiskStatus), Quota(QuotaId) } |disk| {
        let mut terms = smallvec![Status(disk.status)];
        terms.extend(disk.config.quota.map(Quota));
        terms
    };
    /// What data centers are found by: whether they have a master domain, and a manager.
    DataCenter DataCenterTerm { Mastered(bool), Managed(bool) } |data_center| {
        smallvec![Mastered(data_center.master.is_some()), Managed(data_center.spm.is_some())]
    };
    /// What networks are found by.
    Network NetworkTerm { DataCenter(DataCenterId) } |network| smallvec![DataCenter(network.data_center)];
    /// What vNIC profiles are found by.
    VnicProfile VnicProfileTerm { Network(NetworkId) } |profile| smallvec![Network(profile.network)];
    /// What quotas are found by.
    Quota QuotaTerm { DataCenter(DataCenterId) } |quota| smallvec![DataCenter(quota.data_center)];
    /// What templates are found by.
    Template TemplateTerm { Status(TemplateStatus), Cluster(ClusterId) } |template| {
        smallvec![Status(template.status), Cluster(template.config.cluster)]
    };
    /// What users are found by.
    User UserTerm { Tag(TagId), Group(GroupId) } |user| {
        user.tags.iter().copied().map(Tag).chain(user.groups.iter().copied().map(Group)).collect()
    };
    /// What groups are found by.
    Group GroupTerm { Tag(TagId) } |group| group.tags.iter().copied().map(Tag).collect();
    /// What permissions are found by.
    Permission PermissionTerm { Role(RoleId) } |permission| smallvec![Role(permission.role)];
    /// What sessions are found by.
    Session SessionTerm { User(UserId) } |session| smallvec![User(session.user)];
    /// What jobs are found by: what they work on, until they end.
    Job JobTerm { Open(EntityRef) } |job| match job.status {
        JobStatus::Started => smallvec![Open(job.task.object())],
        JobStatus::Finished | JobStatus::Failed(_) => Terms::new(),
    };
}

/// Declares an aggregate that is found by its identifier alone.
macro_rules! not_indexed {
    ($aggregate:ident) => {
        impl crate::index::Indexed for $aggregate {
            type Term = std::convert::Infallible;

            fn terms(&self) -> crate::index::Terms<Self::Term> {
                crate::index::Terms::new()
            }
        }
    };
}
pub(crate) use not_indexed;
