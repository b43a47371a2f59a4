//! Faults: what a client is told when its request is refused.

use super::description::EnumDef;
use super::doc::Doc;
use super::{Format, render, types};

/// Why a request was refused, as the wire says it. The HTTP status is the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind of failure, such as `Operation Failed`.
    pub reason: String,
    /// What failed, if there is more to say.
    pub detail: Option<String>,
}

impl Fault {
    /// A fault in these words.
    pub fn new(reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { reason: reason.into(), detail: Some(detail.into()) }
    }

    /// A fault that has nothing to say but its reason.
    pub fn bare(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), detail: None }
    }

    /// A command was refused; its messages stand in one pair of brackets.
    pub fn operation_failed<M: AsRef<str>>(messages: impl IntoIterator<Item = M>) -> Self {
        Self::new("Operation Failed", bracketed(messages))
    }

    /// A request failed for a single reason, which stands without brackets.
    pub fn failed(detail: impl Into<String>) -> Self {
        Self::new("Operation Failed", detail)
    }

    /// Something that `method` needs is not in the request.
    pub fn incomplete_parameters<M: AsRef<str>>(class: &str, missing: impl IntoIterator<Item = M>, method: &str) -> Self {
        Self::new("Incomplete parameters", format!("{class} {} required for {method}", bracketed(missing)))
    }

    /// A value is none of those that its field may take.
    pub fn invalid_value(value: &str, of: &EnumDef) -> Self {
        let (class, members) = (of.class, of.members.join(", "));
        Self::new("Invalid value", format!("{value} is not a member of {class}. Possible values for {class} are: {members}"))
    }

    /// An update would change what must stay.
    pub fn immutable(field: &str) -> Self {
        Self::new("Broken immutability constraint", format!("Attempt to set immutable field: {field}"))
    }

    /// The request refers to something that is not there, such as `Cluster: name=west`.
    pub fn not_found(what: &str) -> Self {
        Self::failed(format!("Entity not found: {what}"))
    }

    /// The fault as a document of its own.
    pub fn to_doc(&self) -> Doc {
        Doc::new().set("reason", &self.reason).opt("detail", self.detail.as_ref())
    }

    /// The fault as a response body.
    pub fn render(&self, format: Format) -> Vec<u8> {
        render(&types::FAULT, &self.to_doc(), format)
    }

    /// The action that a client sent, as the answer to its failure.
    pub fn in_action(&self, action: Doc) -> Doc {
        action.set("status", Doc::new().set("state", "failed")).set("fault", self.to_doc())
    }
}

/// `[one, two]`
fn bracketed<M: AsRef<str>>(messages: impl IntoIterator<Item = M>) -> String {
    let mut list = String::from("[");
    for message in messages {
        if list.len() > 1 {
            list.push_str(", ");
        }
        list.push_str(message.as_ref());
    }
    list.push(']');
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(fault: Fault) -> String {
        fault.detail.unwrap_or_default()
    }

    #[test]
    fn speaks_as_clients_expect() {
        assert_eq!(detail(Fault::operation_failed(["One.", "Two."])), "[One., Two.]");
        assert_eq!(
            detail(Fault::incomplete_parameters("Host", ["name", "address"], "add")),
            "Host [name, address] required for add"
        );
        static COLOUR: EnumDef = EnumDef { class: "Colour", members: &["red", "blue"] };
        assert_eq!(
            detail(Fault::invalid_value("GREEN", &COLOUR)),
            "GREEN is not a member of Colour. Possible values for Colour are: red, blue"
        );
        assert_eq!(detail(Fault::immutable("id")), "Attempt to set immutable field: id");
        assert_eq!(detail(Fault::not_found("Cluster: name=west")), "Entity not found: Cluster: name=west");
    }

    #[test]
    fn renders_alone_and_within_an_action() {
        let fault = Fault::operation_failed(["No <room>."]);
        assert_eq!(
            String::from_utf8_lossy(&fault.render(Format::Xml)),
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<fault>\n    <reason>Operation Failed</reason>\n    \
             <detail>[No &lt;room&gt;.]</detail>\n</fault>\n"
        );
        let action = fault.in_action(Doc::new().set("force", true));
        assert_eq!(
            String::from_utf8_lossy(&render(&types::ACTION, &action, Format::Json)),
            "{\"force\":true,\"status\":{\"state\":\"failed\"},\
             \"fault\":{\"reason\":\"Operation Failed\",\"detail\":\"[No <room>.]\"}}"
        );
    }
}
