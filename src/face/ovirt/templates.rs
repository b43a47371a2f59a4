//! Templates: the guide's chapter 17.

use std::sync::Arc;

use evirt_domain::template::Template;

use super::answer::Handled;
use super::parts::{date, listed, shown, text};
use super::representation::types::TEMPLATE;
use super::representation::{Doc, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::vms::{cpu, origin, with_devices};

routes! { ROUTES:
    "templates" => GET list;
    "templates/{}" => GET get;
}

/// The template as the API shows it.
pub fn view(base: &str, template: &Template) -> Doc {
    let config = &template.config;
    let boot: Vec<Doc> = config.boot.iter().map(|device| Doc::new().set("dev", device.name())).collect();
    Doc::with_capacity(32)
        .at(&Place::of(base, template.id))
        .set("name", &config.name)
        .opt("description", text(&config.description))
        .opt("comment", text(&config.comment))
        .set("type", config.kind.name())
        .set_path("status.state", template.status.name())
        .set("memory", config.memory)
        .set("cpu", cpu(config))
        .set("cpu_shares", config.cpu_shares)
        .set_path("os.type", &config.os)
        .set_path("os.boot", boot)
        .opt_path("os.kernel", text(&config.kernel))
        .opt_path("os.initrd", text(&config.initrd))
        .opt_path("os.cmdline", text(&config.cmdline))
        .reference("cluster", base, config.cluster)
        .set("creation_time", date(template.created_at))
        .set("origin", origin(config))
        .set_path("high_availability.enabled", config.highly_available)
        .set_path("high_availability.priority", config.priority)
        .set_path("display.type", config.display.name())
        .set_path("display.monitors", config.monitors)
        .set_path("display.single_qxl_pci", config.single_qxl_pci)
        .set_path("display.allow_override", config.allow_override)
        .set_path("display.smartcard_enabled", config.smartcard)
        .opt_path("display.keyboard_layout", text(&config.keyboard_layout))
        .set("stateless", config.stateless)
        .set("delete_protected", config.delete_protected)
        .opt("timezone", text(&config.timezone))
        .set_path("usb.enabled", config.usb)
        .opt("tunnel_migration", config.tunnel_migration)
        .links(&["permissions"])
}

/// The template, with its devices where the client wants all content.
fn whole(request: &ApiRequest, template: &Template) -> Doc {
    let doc = view(request.base, template);
    if request.all_content() { with_devices(doc, &template.config) } else { doc }
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let found = request.list::<Template>()?;
    listed(&request, &TEMPLATE, found.iter().map(|template| whole(&request, template)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    let found = request.found(request.world.templates.get(&request.id(1)?), 1)?;
    shown(&request, &TEMPLATE, &whole(&request, found))
}
