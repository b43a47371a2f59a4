//! Logical networks: the guide's chapter 11.

use evirt_domain::network::Network;

use super::parts::text;
use super::representation::Doc;

/// The network as the API shows it.
pub fn view(base: &str, network: &Network) -> Doc {
    let href = format!("{base}/networks/{}", network.id);
    let config = &network.config;
    let usages = match config.vm_network {
        true => Doc::new().set("usage", vec!["VM"]),
        false => Doc::new(),
    };
    Doc::new()
        .set("id", network.id.to_string())
        .set("name", &config.name)
        .set("description", &config.description)
        .opt("comment", text(&config.comment))
        .reference(
            "data_center",
            network.data_center.to_string(),
            format!("{base}/datacenters/{}", network.data_center),
        )
        .opt_path("vlan.id", config.vlan)
        .set("stp", config.stp)
        .set("mtu", config.mtu)
        .set_path("status.state", "operational")
        .set("usages", usages)
        .link("permissions", format!("{href}/permissions"))
        .link("vnicprofiles", format!("{href}/vnicprofiles"))
        .set("href", href)
}
