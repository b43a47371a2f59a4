//! Users, groups, and the directory that knows them: the guide's chapters 19, 20 and 22.

use evirt_domain::World;
use evirt_domain::access::{Group, INTERNAL, User};
use uuid::Uuid;

use super::parts::text;
use super::representation::Doc;

/// The identifier of the internal directory: its name, as other directories' ids are made of theirs.
pub const INTERNAL_ID: Uuid = Uuid::from_bytes(*b"internal\0\0\0\0\0\0\0\0");
const LINKS: [&str; 3] = ["permissions", "roles", "tags"];

/// The user as the API shows it.
pub fn view(world: &World, base: &str, user: &User) -> Doc {
    let href = format!("{base}/users/{}", user.id);
    let doc = LINKS.into_iter().fold(plain(world, base, user), |doc, link| doc.link(link, format!("{href}/{link}")));
    doc.set("logged_in", world.sessions.values().any(|s| s.user == user.id)).set("href", href)
}

/// What a directory tells of a user.
fn plain(world: &World, base: &str, user: &User) -> Doc {
    let groups: Vec<Doc> =
        user.groups.iter().filter_map(|id| world.groups.get(id)).map(|group| Doc::new().set("name", &group.name)).collect();
    Doc::new()
        .set("id", user.id.to_string())
        .set("name", &user.name)
        .set("user_name", user.principal())
        .opt("last_name", text(&user.last_name))
        .opt("department", text(&user.department))
        .opt("email", text(&user.email))
        .opt("domain", (user.domain == INTERNAL).then(|| domain_reference(base)))
        .set("groups", Doc::new().set("group", groups))
}

fn domain_reference(base: &str) -> Doc {
    Doc::new().set("id", INTERNAL_ID.to_string()).set("href", format!("{base}/domains/{INTERNAL_ID}"))
}

/// The group as the API shows it.
pub fn group_view(base: &str, group: &Group) -> Doc {
    let href = format!("{base}/groups/{}", group.id);
    // Groups have no tags here, so that link is left out.
    let doc = Doc::new()
        .set("id", group.id.to_string())
        .set("name", &group.name)
        .opt("domain", (group.domain == INTERNAL).then(|| domain_reference(base)));
    ["permissions", "roles"].into_iter().fold(doc, |doc, link| doc.link(link, format!("{href}/{link}"))).set("href", href)
}

/// The internal directory as the API shows it.
pub fn domain_view(base: &str) -> Doc {
    let href = format!("{base}/domains/{INTERNAL_ID}");
    Doc::new()
        .set("id", INTERNAL_ID.to_string())
        .set("name", INTERNAL)
        .link("users", format!("{href}/users"))
        .link("groups", format!("{href}/groups"))
        .set("href", href)
}

/// A user below the directory.
pub fn domain_user_view(world: &World, base: &str, user: &User) -> Doc {
    plain(world, base, user).set("href", format!("{base}/domains/{INTERNAL_ID}/users/{}", user.id))
}
