//! Roles with their permits: the guide's chapter 21.

use std::sync::Arc;

use evirt_domain::access::Role;
use evirt_domain::permit::Permit;

use super::answer::{Answer, Handled};
use super::parts::{listed, shown};
use super::representation::Doc;
use super::representation::types::{PERMIT, ROLE};
use super::request::Call;
use super::route::routes;

routes! { ROUTES:
    "roles" => GET list;
    "roles/{}" => GET get;
    "roles/{}/permits" => GET list_permits;
    "roles/{}/permits/{}" => GET get_permit;
}

/// The role as the API shows it.
pub fn view(base: &str, role: &Role) -> Doc {
    let href = format!("{base}/roles/{}", role.id);
    Doc::new()
        .set("id", role.id.to_string())
        .set("name", &role.name)
        .set("description", &role.description)
        .set("mutable", role.mutable)
        .set("administrative", role.administrative)
        .link("permits", format!("{href}/permits"))
        .set("href", href)
}

/// A permit of a role.
pub fn permit_view(base: &str, role: &Role, permit: Permit) -> Doc {
    let role_href = format!("{base}/roles/{}", role.id);
    Doc::new()
        .set("id", permit.id().to_string())
        .set("href", format!("{role_href}/permits/{}", permit.id()))
        .set("name", permit.name())
        .set("administrative", permit.administrative())
        .reference("role", role.id.to_string(), role_href)
}

fn role(call: &Call) -> Result<&Arc<Role>, Answer> {
    call.found(call.world.roles.get(&call.id(1)?), 1)
}

async fn list(call: Arc<Call>) -> Handled {
    listed(&call, &ROLE, call.world.roles.values().map(|role| view(call.base, role)))
}

async fn get(call: Arc<Call>) -> Handled {
    shown(&call, &ROLE, &view(call.base, role(&call)?))
}

async fn list_permits(call: Arc<Call>) -> Handled {
    let role = role(&call)?;
    listed(&call, &PERMIT, role.permits.iter().map(|permit| permit_view(call.base, role, *permit)))
}

async fn get_permit(call: Arc<Call>) -> Handled {
    let role = role(&call)?;
    let found = role.permits.iter().find(|permit| permit.id().to_string() == call.segment(3));
    shown(&call, &PERMIT, &permit_view(call.base, role, *call.found(found, 3)?))
}
