//! Roles with their permits: the guide's chapter 21.

use evirt_domain::access::Role;
use evirt_domain::permit::Permit;

use super::representation::Doc;

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
