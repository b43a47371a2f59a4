//! Tags, and what carries them: the guide's chapter 23.

use evirt_domain::tag::{ROOT, Tag};

use super::representation::Doc;

/// The tag as the API shows it.
pub fn view(base: &str, tag: &Tag) -> Doc {
    let parent = tag.config.parent.unwrap_or(ROOT);
    let parent =
        Doc::new().reference("tag", parent.to_string(), format!("{base}/tags/{parent}"));
    Doc::new()
        .set("id", tag.id.to_string())
        .set("href", format!("{base}/tags/{}", tag.id))
        .set("name", &tag.config.name)
        .set("description", &tag.config.description)
        .set("parent", parent)
}
