//! Users, groups, roles and permissions.

mod groups;
mod permissions;
mod roles;
mod sessions;
mod users;

use evirt_domain::Key::*;
use evirt_domain::access::*;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER};
use evirt_domain::permit::Permit;
use evirt_domain::storage::DeactivateStorageDomain;
use evirt_domain::template::BLANK;
use evirt_domain::vm::{CreateVm, RemoveVm, UpdateVm, VmPatch};
use evirt_domain::vm_run::{MigrateVm, SetTicket, StartVm};
use evirt_domain::{Actor, Decide, Event, Intent};

use crate::harness::*;

fn role(story: &Story, name: &str) -> RoleId {
    story.world.roles.values().find(|r| r.name == name).expect("a built-in role").id
}

fn add_user(name: &str, role: Option<RoleId>) -> AddUser {
    AddUser { name: name.into(), password: "hash".into(), roles: role.into_iter().collect() }
}

fn user(story: &mut Story, name: &str) -> UserId {
    UserId(story.does(add_user(name, None))[0].as_fold().stream().id)
}

fn grant(user: UserId, role: RoleId, object: EntityRef) -> GrantPermission {
    GrantPermission { holder: Holder::User(user), role, object }
}

fn start(vm: VmId) -> StartVm {
    StartVm { vm, ..StartVm::default() }
}
