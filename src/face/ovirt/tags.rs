//! Tags, and what carries them: the guide's chapter 23.

use evirt_domain::ids::TagId;
use evirt_domain::tag::{ROOT, Tag, TagPatch};

use super::parts::given;
use super::representation::Doc;

/// The tag as the API shows it.
pub fn view(base: &str, tag: &Tag) -> Doc {
    let parent = tag.config.parent.unwrap_or(ROOT);
    let parent = Doc::new().reference("tag", parent.to_string(), format!("{base}/tags/{parent}"));
    Doc::new()
        .set("id", tag.id.to_string())
        .set("href", format!("{base}/tags/{}", tag.id))
        .set("name", &tag.config.name)
        .set("description", &tag.config.description)
        .set("parent", parent)
}

/// What a request says of a tag that is to be changed.
fn patch(sent: &Doc, parent: Option<TagId>) -> TagPatch {
    TagPatch { name: given(sent, "name"), description: given(sent, "description"), parent: parent.map(Some) }
}
