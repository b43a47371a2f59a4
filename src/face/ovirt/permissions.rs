//! Permissions on every object, and those of users, groups and roles: the guide's chapter 8.4.8.

use evirt_domain::access::{Holder, Object, Permission};

use super::representation::Doc;

/// Where the API shows an object: the member of a permission, the collection and the id.
pub fn place(object: Object) -> Option<(&'static str, &'static str, String)> {
    let (member, collection, id) = match object {
        Object::System => return None,
        Object::DataCenter(id) => ("data_center", "datacenters", id.0),
        Object::Cluster(id) => ("cluster", "clusters", id.0),
        Object::Network(id) => ("network", "networks", id.0),
        Object::VnicProfile(id) => ("vnic_profile", "vnicprofiles", id.0),
        Object::Host(id) => ("host", "hosts", id.0),
        Object::StorageDomain(id) => ("storage_domain", "storagedomains", id.0),
        Object::Disk(id) => ("disk", "disks", id.0),
        Object::Vm(id) => ("vm", "vms", id.0),
        Object::Template(id) => ("template", "templates", id.0),
    };
    Some((member, collection, id.to_string()))
}

/// The permission as the API shows it below `parent`, such as `/api/vms/{id}`.
pub fn view(base: &str, parent: &str, permission: &Permission) -> Doc {
    let role = permission.role;
    let doc = Doc::new()
        .set("id", permission.id.to_string())
        .set("href", format!("{parent}/permissions/{}", permission.id))
        .reference("role", role.to_string(), format!("{base}/roles/{role}"));
    let doc = match permission.holder {
        Holder::User(id) => doc.reference("user", id.to_string(), format!("{base}/users/{id}")),
        Holder::Group(id) => doc.reference("group", id.to_string(), format!("{base}/groups/{id}")),
    };
    match place(permission.object) {
        // The schema has no member for networks and their profiles.
        Some((member, collection, id)) if !matches!(member, "network" | "vnic_profile") => {
            let href = format!("{base}/{collection}/{id}");
            doc.reference(member, id, href)
        }
        _ => doc,
    }
}
