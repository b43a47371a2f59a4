//! Profiles through which virtual interfaces use networks: the guide's chapter 11.4.

use evirt_domain::network::VnicProfile;

use super::parts::text;
use super::representation::Doc;

/// The profile as the API shows it.
pub fn view(base: &str, profile: &VnicProfile) -> Doc {
    let href = format!("{base}/vnicprofiles/{}", profile.id);
    let config = &profile.config;
    let properties: Vec<Doc> = config
        .custom_properties
        .iter()
        .map(|(name, value)| Doc::new().set("name", name).set("value", value))
        .collect();
    Doc::new()
        .set("id", profile.id.to_string())
        .set("name", &config.name)
        .opt("description", text(&config.description))
        .reference(
            "network",
            profile.network.to_string(),
            format!("{base}/networks/{}", profile.network),
        )
        .set("port_mirroring", config.port_mirroring)
        .set(
            "custom_properties",
            Doc::new().set("custom_property", properties),
        )
        .link("permissions", format!("{href}/permissions"))
        .set("href", href)
}
