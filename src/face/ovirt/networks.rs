//! Logical networks: the guide's chapter 11.

use evirt_domain::network::{Network, NetworkConfig, NetworkPatch};

use super::parts::{given, number, text};
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
        .reference("data_center", network.data_center.to_string(), format!("{base}/datacenters/{}", network.data_center))
        .opt_path("vlan.id", config.vlan)
        .set("stp", config.stp)
        .set("mtu", config.mtu)
        .set_path("status.state", "operational")
        .set("usages", usages)
        .link("permissions", format!("{href}/permissions"))
        .link("vnicprofiles", format!("{href}/vnicprofiles"))
        .set("href", href)
}

/// What a request says of a network that is to be changed.
fn patch(sent: &Doc) -> NetworkPatch {
    // An empty `usages` says that virtual machines may not use it.
    let vm_network = sent
        .has("usages")
        .then(|| sent.list("usages.usage").iter().any(|usage| usage.as_text().is_some_and(|u| u.eq_ignore_ascii_case("vm"))));
    NetworkPatch {
        name: given(sent, "name"),
        description: given(sent, "description"),
        comment: given(sent, "comment"),
        vlan: sent.has("vlan").then(|| number(sent, "vlan.id")),
        mtu: number(sent, "mtu"),
        stp: sent.bool("stp"),
        vm_network,
    }
}

/// What a request says of a new network.
fn config(sent: &Doc) -> NetworkConfig {
    let mut config = NetworkConfig {
        name: String::new(),
        description: String::new(),
        comment: String::new(),
        vlan: None,
        mtu: 0,
        stp: false,
        vm_network: true,
    };
    config.apply(&patch(sent));
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_usages_take_the_network_from_virtual_machines() {
        assert_eq!(patch(&Doc::new()).vm_network, None);
        assert!(config(&Doc::new()).vm_network);
        assert!(!config(&Doc::new().set("usages", Doc::new())).vm_network);
        let upper = Doc::new().set("usages", Doc::new().set("usage", vec!["VM", "DISPLAY"]));
        assert!(config(&upper).vm_network);
    }
}
