//! Profiles through which virtual interfaces use networks: the guide's chapter 11.4.

use evirt_domain::network::{VnicProfile, VnicProfileConfig, VnicProfilePatch};

use super::parts::{given, text};
use super::representation::Doc;

/// The profile as the API shows it.
pub fn view(base: &str, profile: &VnicProfile) -> Doc {
    let href = format!("{base}/vnicprofiles/{}", profile.id);
    let config = &profile.config;
    let properties: Vec<Doc> =
        config.custom_properties.iter().map(|(name, value)| Doc::new().set("name", name).set("value", value)).collect();
    Doc::new()
        .set("id", profile.id.to_string())
        .set("name", &config.name)
        .opt("description", text(&config.description))
        .reference("network", profile.network.to_string(), format!("{base}/networks/{}", profile.network))
        .set("port_mirroring", config.port_mirroring)
        .set("custom_properties", Doc::new().set("custom_property", properties))
        .link("permissions", format!("{href}/permissions"))
        .set("href", href)
}

/// What a request says of a profile that is to be changed.
fn patch(sent: &Doc) -> VnicProfilePatch {
    let properties = || {
        sent.docs("custom_properties.custom_property")
            .filter_map(|property| Some((given(property, "name")?, given(property, "value")?)))
            .collect()
    };
    VnicProfilePatch {
        name: given(sent, "name"),
        description: given(sent, "description"),
        port_mirroring: sent.bool("port_mirroring"),
        custom_properties: sent.has("custom_properties").then(properties),
    }
}

/// What a request says of a new profile.
fn config(sent: &Doc) -> VnicProfileConfig {
    let mut config = VnicProfileConfig {
        name: String::new(),
        description: String::new(),
        port_mirroring: false,
        custom_properties: Vec::new(),
    };
    config.apply(&patch(sent));
    config
}
