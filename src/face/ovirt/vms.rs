//! Virtual machines and their actions: the guide's chapter 15.

use std::sync::Arc;

use evirt_domain::ids::*;
use evirt_domain::tag::{AttachTag, DetachTag, Tagged};
use evirt_domain::vm::*;
use evirt_domain::vm_run::*;
use evirt_domain::world::NameKind;
use evirt_domain::{Event, World};

use super::answer::{Answer, Handled};
use super::cache::Rendered;
use super::collection::{act, act_later, check_immutable, check_owner, complete, created};
use super::parts::{Statistic, date, given, listed, number, text};
use super::representation::body::{Body, need, not_yet};
use super::representation::types::{ACTION, CDROM, TAG, VM};
use super::representation::{Doc, Fault, Place, Placement, render_as};
use super::request::ApiRequest;
use super::route::routes;
use super::status::action_status;
use super::tags;
use super::work::{carry_out, removed_after};
use super::{visible, vm_disks, vm_nics};
use crate::app::{self, statistics};

routes! { ROUTES:
    "vms" => GET list, POST add [NEW];
    "vms/{}" => GET get, PUT update [Body::update(&VM)], DELETE delete [Body::action("force vm.disks.detach_only")];
    "vms/{}/start" => POST start [START];
    "vms/{}/stop" => POST stop;
    "vms/{}/shutdown" => POST shutdown;
    "vms/{}/reboot" => POST reboot;
    "vms/{}/suspend" => POST suspend;
    "vms/{}/suspend/{}" => GET action_status;
    "vms/{}/migrate" => POST migrate [Body::action("host.id|name async force grace_period.expiry")];
    "vms/{}/cancelmigration" => POST cancel_migration;
    "vms/{}/ticket" => POST ticket [Body::action("ticket.value ticket.expiry")];
    "vms/{}/cdroms" => GET list_cdroms, POST add_cdrom [Body::add(&CDROM).needs(&[need("file.id")]).depends()];
    "vms/{}/cdroms/{}" =>
        GET get_cdrom,
        POST update_cdrom [Body::update(&CDROM)],
        PUT update_cdrom [Body::update(&CDROM)],
        DELETE delete_cdrom;
    "vms/{}/tags" => GET list_tags, POST add_tag [tags::ATTACHED];
    "vms/{}/tags/{}" => GET get_tag, DELETE delete_tag;
    "vms/{}/statistics" => GET list_statistics;
    "vms/{}/statistics/{}" => GET get_statistic;
}

/// A new VM. What the guide has beside that and a VM cannot have yet is refused, since a VM without it would not be what was asked for.
const NEW: Body = Body::add(&VM).needs(&[need("cluster.id|name"), need("name"), need("template.id|name")]).not_yet(&[
    not_yet("snapshots"),
    not_yet("initialization"),
    not_yet("disks.clone").but("false"),
    not_yet("permissions.clone").but("false"),
]);

/// A start, with what is asked for one run.
const START: Body = Body::action(
    "async pause grace_period.expiry vm.os.boot.dev vm.os.kernel vm.os.initrd vm.os.cmdline vm.domain.name \
     vm.domain.user.user_name vm.domain.user.password vm.placement_policy.host.id|name vm.placement_policy.affinity \
     vm.display.type vm.stateless vm.initialization.cloud_init.host.address \
     vm.initialization.cloud_init.network_configuration.nics.nic.name \
     vm.initialization.cloud_init.network_configuration.nics.nic.boot_protocol \
     vm.initialization.cloud_init.network_configuration.nics.nic.network.ip.address \
     vm.initialization.cloud_init.network_configuration.nics.nic.network.ip.netmask \
     vm.initialization.cloud_init.network_configuration.nics.nic.network.ip.gateway \
     vm.initialization.cloud_init.network_configuration.nics.nic.on_boot \
     vm.initialization.cloud_init.network_configuration.dns.servers.host.address \
     vm.initialization.cloud_init.network_configuration.dns.search_domains.host.address \
     vm.initialization.cloud_init.authorized_keys.authorized_key.key \
     vm.initialization.cloud_init.authorized_keys.authorized_key.user.name \
     vm.initialization.cloud_init.regenerate_ssh_keys vm.initialization.cloud_init.timezone \
     vm.initialization.cloud_init.users.user.password vm.initialization.cloud_init.users.user.name \
     vm.initialization.cloud_init.files.file.name vm.initialization.cloud_init.files.file.content \
     vm.initialization.cloud_init.files.file.type \
     vm.cdroms.cdrom.file.id vm.floppies.floppy.file.id \
     vm.payloads.payload.type vm.payloads.payload.volume_id vm.payloads.payload.files.file.name \
     vm.payloads.payload.files.file.content",
)
.not_yet(&[not_yet("vm.initialization"), not_yet("vm.domain.user")]);

/// The actions of a VM.
const ACTIONS: &[&str] = &["start", "stop", "shutdown", "reboot", "suspend", "migrate", "cancelmigration", "ticket"];
/// The collections below a VM.
const LINKS: &[&str] = &[
    "applications",
    "disks",
    "nics",
    "cdroms",
    "snapshots",
    "tags",
    "permissions",
    "statistics",
    "reporteddevices",
    "watchdogs",
];
/// The identifier of the one drive that every VM has.
const DRIVE: &str = "00000000-0000-0000-0000-000000000000";

/// The VM as the API shows it. `filtered` leaves out what only administrators see.
pub fn view(base: &str, vm: &Vm, filtered: bool) -> Doc {
    // What runs is shown as it runs.
    let config = &*vm.running_config();
    let boot: Vec<Doc> = config.boot.iter().map(|device| Doc::new().set("dev", device.name())).collect();
    let os = Doc::new()
        .set("type", config.os.as_str())
        .set("boot", boot)
        .opt("kernel", text(&config.kernel))
        .opt("initrd", text(&config.initrd))
        .opt("cmdline", text(&config.cmdline));
    let mut display = Doc::new()
        .set("type", config.display.name())
        .set("monitors", config.monitors)
        .set("single_qxl_pci", config.single_qxl_pci)
        .set("allow_override", config.allow_override)
        .set("smartcard_enabled", config.smartcard)
        .opt("keyboard_layout", text(&config.keyboard_layout));
    let mut doc = Doc::with_capacity(48)
        .at(&Place::of(base, vm.id))
        .set("name", &config.name)
        .opt("description", text(&config.description))
        .opt("comment", text(&config.comment))
        .set("type", config.kind.name())
        .set_path("status.state", vm.state.name())
        .set("memory", config.memory)
        .set("cpu", cpu(config))
        .set("cpu_shares", config.cpu_shares)
        .set("os", os)
        .set_path("high_availability.enabled", config.highly_available)
        .set_path("high_availability.priority", config.priority)
        .reference("cluster", base, config.cluster)
        .reference("template", base, config.template)
        .set("creation_time", date(vm.created_at))
        .set("origin", origin(config))
        .set("stateless", config.stateless)
        .set("delete_protected", config.delete_protected)
        .set_path("memory_policy.guaranteed", config.memory_guaranteed)
        .set_path("memory_policy.ballooning", config.ballooning)
        .set_path("usb.enabled", config.usb)
        .opt_path("usb.type", usb_type(config))
        .opt("timezone", text(&config.timezone))
        .opt("tunnel_migration", config.tunnel_migration)
        .opt_path("quota.id", config.quota.map(|id| id.to_string()))
        .opt("start_time", vm.started_at.map(date));
    doc = doc.opt_path("domain.name", text(&config.domain));
    if !config.payloads.is_empty() {
        doc.put("payloads", payloads(&config.payloads));
    }
    // What a usual machine has is shown with all content only, as upstream does.
    doc = doc.opt_path("console.enabled", config.console.then_some(true));
    doc = doc.opt_path("virtio_scsi.enabled", config.no_virtio_scsi.then_some(false));
    if !filtered {
        let mut policy = Doc::new().set("affinity", config.affinity.name());
        if let Some(host) = config.pinned_host {
            policy = policy.reference("host", base, host);
        }
        doc.put("placement_policy", policy);
    }
    if !config.custom_properties.is_empty() {
        let property = |(name, value): &(String, String)| Doc::new().set("name", name.as_str()).set("value", value.as_str());
        let properties: Vec<Doc> = config.custom_properties.iter().map(property).collect();
        doc.put("custom_properties", Doc::new().set("custom_property", properties));
    }
    if let Some(run) = &vm.run {
        if !filtered {
            doc = doc.reference("host", base, run.host);
        }
        if !run.paused_detail.is_empty() {
            doc.put_path("status.detail", run.paused_detail.as_str());
        }
        if let Some((address, port, secure)) = &run.display {
            display = display.set("address", address.as_str()).set("port", i64::from(*port));
            display = display.opt("secure_port", secure.map(i64::from));
        }
        if !run.ips.is_empty() {
            let ips: Vec<Doc> = run.ips.iter().map(|ip| Doc::new().set("address", ip.as_str())).collect();
            doc.put_path("guest_info.ips.ip", ips);
            doc = doc.opt_path("guest_info.fqdn", text(&run.fqdn));
        }
    }
    doc.put("display", display);
    doc.actions(ACTIONS).links(LINKS)
}

/// The CPU of a VM, or of a template, as the API shows it.
pub fn cpu(config: &VmConfig) -> Doc {
    let topology = Doc::new().set("sockets", config.sockets).set("cores", config.cores);
    let cpu = Doc::new().set("topology", topology).opt("mode", config.cpu_mode.map(CpuMode::name));
    let pin = |pin: &VcpuPin| Doc::new().set("vcpu", pin.vcpu).set("cpu_set", pin.cpu_set.as_str());
    let pins: Vec<Doc> = config.vcpu_pins.iter().map(pin).collect();
    if pins.is_empty() { cpu } else { cpu.set("cpu_tune", Doc::new().set("vcpu_pin", pins)) }
}

/// The system that a VM or a template came from.
pub fn origin(config: &VmConfig) -> &'static str {
    config.origin.unwrap_or(Origin::Ovirt).name()
}

/// How USB devices reach the guest: as is said, and otherwise where they do at all.
fn usb_type(config: &VmConfig) -> Option<&'static str> {
    config.usb_type.or(config.usb.then_some(UsbType::Native)).map(UsbType::name)
}

/// Payloads as the API shows them.
fn payloads(payloads: &[Payload]) -> Doc {
    let file = |file: &PayloadFile| Doc::new().set("name", file.name.as_str()).set("content", file.content.as_str());
    let payload = |payload: &Payload| {
        let files: Vec<Doc> = payload.files.iter().map(file).collect();
        Doc::new()
            .set("type", payload.kind.name())
            .set("files", Doc::new().set("file", files))
            .opt("volume_id", text(&payload.volume))
    };
    Doc::new().set("payload", payloads.iter().map(payload).collect::<Vec<_>>())
}

/// The payloads that a document says at a path, in the form of 3.3 or of 3.0; an empty list is none.
fn sent_payloads(request: &ApiRequest, sent: &Doc, path: &str) -> Result<Option<Vec<Payload>>, Answer> {
    let Some(list) = sent.doc(path) else { return Ok(None) };
    let file = |file: &Doc| PayloadFile {
        name: given(file, "name").unwrap_or_default(),
        content: given(file, "content").unwrap_or_default(),
    };
    let payload = |payload: &Doc| {
        let kind = payload.text("type").and_then(PayloadType::from_name);
        let missing = || request.bad(&Fault::incomplete_parameters("Payload", ["type"], "add"));
        Ok(Payload {
            kind: kind.ok_or_else(missing)?,
            volume: given(payload, "volume_id").unwrap_or_default(),
            files: payload.docs("files.file").chain(payload.docs("file")).map(file).collect(),
        })
    };
    list.docs("payload").map(payload).collect::<Result<_, _>>().map(Some)
}

/// The pins of virtual CPUs that a document says; an empty list is none.
fn sent_pins(request: &ApiRequest, sent: &Doc) -> Result<Option<Vec<VcpuPin>>, Answer> {
    let Some(tune) = sent.doc("cpu.cpu_tune") else { return Ok(None) };
    let pin = |pin: &Doc| {
        let missing = ["vcpu", "cpu_set"].into_iter().filter(|name| !pin.has(name)).collect::<Vec<_>>();
        if !missing.is_empty() {
            return Err(request.bad(&Fault::incomplete_parameters("VCpuPin", missing, "add")));
        }
        Ok(VcpuPin { vcpu: number(pin, "vcpu").unwrap_or_default(), cpu_set: given(pin, "cpu_set").unwrap_or_default() })
    };
    tune.docs("vcpu_pin").map(pin).collect::<Result<_, _>>().map(Some)
}

/// What a request says of a VM's configuration.
fn patch(request: &ApiRequest, sent: &Doc) -> Result<VmPatch, Answer> {
    let os = sent.text("os.type").map(|os| (os, os_type(os)));
    if let Some((os, None)) = os {
        let detail = format!(
            "{os} is not a member of OsType. Possible values for OsType and its extended configurable values are: {}",
            OS_TYPES.join(", ")
        );
        return Err(request.bad(&Fault::new("Invalid value", detail)));
    }
    let boot = sent.has("os.boot").then(|| boot(sent, "os.boot"));
    // An empty host is none.
    let placed = sent.doc("placement_policy").cloned().unwrap_or_default();
    let pinned = match placed.doc("host") {
        Some(_) => Some(request.reference(&placed, "host", NameKind::Host, "Host")?),
        None => None,
    };
    let properties = sent.has("custom_properties").then(|| {
        let pair = |doc: &Doc| (given(doc, "name").unwrap_or_default(), given(doc, "value").unwrap_or_default());
        sent.docs("custom_properties.custom_property").map(pair).collect()
    });
    Ok(VmPatch {
        name: given(sent, "name"),
        description: given(sent, "description"),
        comment: given(sent, "comment"),
        cluster: None,
        template: None,
        kind: sent.text("type").and_then(VmType::from_name),
        memory: sent.int("memory"),
        memory_guaranteed: sent.int("memory_policy.guaranteed"),
        ballooning: sent.bool("memory_policy.ballooning"),
        sockets: number(sent, "cpu.topology.sockets"),
        cores: number(sent, "cpu.topology.cores"),
        cpu_shares: number(sent, "cpu_shares"),
        os: os.and_then(|(_, known)| known).map(str::to_owned),
        boot,
        kernel: given(sent, "os.kernel"),
        initrd: given(sent, "os.initrd"),
        cmdline: given(sent, "os.cmdline"),
        display: sent.text("display.type").and_then(DisplayType::from_name),
        monitors: number(sent, "display.monitors"),
        single_qxl_pci: sent.bool("display.single_qxl_pci"),
        allow_override: sent.bool("display.allow_override"),
        smartcard: sent.bool("display.smartcard_enabled"),
        keyboard_layout: given(sent, "display.keyboard_layout"),
        highly_available: sent.bool("high_availability.enabled"),
        priority: number(sent, "high_availability.priority"),
        stateless: sent.bool("stateless"),
        delete_protected: sent.bool("delete_protected"),
        quota: super::quotas::named(request, sent)?,
        affinity: placed.text("affinity").and_then(Affinity::from_name),
        pinned_host: pinned,
        timezone: given(sent, "timezone"),
        domain: given(sent, "domain.name"),
        usb: sent.bool("usb.enabled"),
        tunnel_migration: sent.bool("tunnel_migration").map(Some),
        custom_properties: properties,
        cpu_mode: sent.text("cpu.mode").and_then(CpuMode::from_name).map(Some),
        vcpu_pins: sent_pins(request, sent)?,
        payloads: sent_payloads(request, sent, "payloads")?,
        usb_type: sent.text("usb.type").and_then(UsbType::from_name).map(Some),
        // This one is what is said of a VM of which nothing is.
        origin: sent
            .text("origin")
            .and_then(Origin::from_name)
            .map(|origin| Some(origin).filter(|origin| *origin != Origin::Ovirt)),
        console: sent.bool("console.enabled"),
        no_virtio_scsi: sent.bool("virtio_scsi.enabled").map(|enabled| !enabled),
    })
}

/// The operating system of a name. Older clients write `RHEL5` and `WindowsXP`.
fn os_type(name: &str) -> Option<&'static str> {
    let plain = |text: &str| text.replace('_', "").to_lowercase();
    let wanted = plain(name);
    OS_TYPES.iter().find(|known| plain(known) == wanted).copied()
}

fn boot(sent: &Doc, path: &str) -> Vec<BootDevice> {
    sent.docs(path).filter_map(|boot| boot.text("dev").and_then(BootDevice::from_name)).collect()
}

/// The VM of the path.
pub fn vm<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<Vm>, Answer> {
    request.found(world.vms.get(&request.id(1)?), 1)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let found = request.list::<Vm>()?;
    let as_bytes = as_bytes(&request, Placement::Listed);
    let items = found.iter().map(|vm| as_bytes(vm));
    let body = super::representation::render_collection(&VM, &Doc::new(), items, request.output);
    Ok(Answer::bytes(200, body, request.output))
}

/// VMs as bytes, from the cache where they are known unless the client wants more than their own state.
fn as_bytes(request: &ApiRequest, placement: Placement) -> impl Fn(&Vm) -> Rendered {
    let detailed_ones = request.all_content() || DETAILS.iter().any(|(part, _)| request.wants_detail(part));
    let filtered = request.user_level;
    move |vm| match detailed_ones {
        true => Rendered::new(detailed(request, vm, placement)),
        false => {
            let (known, how) = ((vm.id.0, vm.version), (request.output, placement));
            request.cache.rendered(&VM, known, request.base, how, filtered, || view(request.base, vm, filtered))
        }
    }
}

/// A part of a VM that is shown within it where a client asks for it: its name, and the list that holds it.
type Detail = (&'static str, fn(&ApiRequest, &Vm) -> Doc);

/// What a client may have shown within a VM.
const DETAILS: &[Detail] = &[
    ("disks", |request, vm| Doc::new().set("disk", vm_disks::views(request, vm))),
    ("nics", |request, vm| Doc::new().set("nic", vm_nics::views(request, vm))),
    ("tags", |request, vm| {
        Doc::new().set("tag", vm.tags.iter().filter_map(|tag| tag_view(request, vm, *tag)).collect::<Vec<_>>())
    }),
    ("statistics", |request, vm| {
        let place = Place::of(request.base, vm.id);
        let views: Vec<Doc> = measures(request, vm).iter().map(|statistic| statistic.view(vm.id.0, "vm", &place)).collect();
        Doc::new().set("statistic", views)
    }),
];

/// A VM with what the client wants shown within it.
fn detailed(request: &ApiRequest, vm: &Vm, placement: Placement) -> Vec<u8> {
    let mut doc = view(request.base, vm, request.user_level);
    for (part, make) in DETAILS.iter().filter(|(part, _)| request.wants_detail(part)) {
        doc.put(part, make(request, vm));
    }
    if request.all_content() {
        doc = with_devices(doc, &vm.config);
    }
    render_as(placement, &VM, &visible::redacted(&doc), request.output)
}

/// A machine with what is shown of every one only with all content: whether it has a serial console, and a controller for disks by VirtIO-SCSI.
pub fn with_devices(doc: Doc, config: &VmConfig) -> Doc {
    doc.set_path("console.enabled", config.console).set_path("virtio_scsi.enabled", !config.no_virtio_scsi)
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    let vm = vm(&request, &request.world)?;
    Ok(Answer::rendered(as_bytes(&request, Placement::Alone)(vm), request.output))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&VM)?;
    let cluster = request.reference(&sent, "cluster", NameKind::Cluster, "Cluster")?;
    let template = request.reference(&sent, "template", NameKind::Template, "Template")?;
    // An empty name is none of a template, Blank's included.
    let template = template.ok_or_else(|| request.missing("Template: name="))?;
    let command = CreateVm { cluster: cluster.unwrap_or_default(), template, changes: patch(&request, &sent)? };
    let outcome = request.submit(command).await?;
    let id = outcome.events.iter().find_map(|r| match &r.event {
        Event::VmCreated(e) => Some(e.vm),
        _ => None,
    });
    let vm = request.found(id.and_then(|id| outcome.world.vms.get(&id)), 0)?;
    created(&request, &VM, &view(request.base, vm, request.user_level))
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let current = vm(&request, &request.world)?;
    let sent = request.body(&VM)?;
    check_immutable(&request, &VM, &view(request.base, current, request.user_level), &sent)?;
    check_owner(&request, &sent, "template", NameKind::Template, "Template", current.config.template.0)?;
    let mut changes = current.said_of_the_run(patch(&request, &sent)?);
    // Nor is the usual type of USB said for ever by who sends it back.
    changes.usb_type = changes.usb_type.filter(|wanted| wanted.map(UsbType::name) != usb_type(&current.config));
    changes.cluster = request.reference(&sent, "cluster", NameKind::Cluster, "Cluster")?;
    let outcome = request.submit(UpdateVm { vm: current.id, changes }).await?;
    let vm = vm(&request, &outcome.world)?;
    Ok(Answer::doc(200, &VM, &view(request.base, vm, request.user_level), request.output))
}

async fn delete(request: Arc<ApiRequest>) -> Handled {
    let id = vm(&request, &request.world)?.id;
    let sent = request.optional_body(&[&ACTION, &VM])?.map(|(_, doc)| doc).unwrap_or_default();
    let keep_disks = sent.has("vm.disks.detach_only") || sent.has("disks.detach_only");
    let outcome = request.submit(RemoveVm { vm: id, keep_disks }).await?;
    removed_after(&request, &outcome).await
}

macro_rules! actions {
    ($($handler:ident by $how:ident => |$vm:ident, $sent:ident, $request:ident| $command:expr;)*) => {$(
        async fn $handler($request: Arc<ApiRequest>) -> Handled {
            let $vm = vm(&$request, &$request.world)?.id;
            let $sent = $request.action()?;
            let command = $command;
            $how(&$request, $sent, command).await
        }
    )*};
}

// Answered as upstream does: a stop when the machine is down, so that it can be removed or started next.
actions! {
    start by act => |vm, sent, request| start_command(&request, vm, &sent)?;
    stop by carry_out => |vm, sent, request| StopVm { vm };
    shutdown by act => |vm, sent, request| ShutdownVm { vm };
    reboot by act => |vm, sent, request| RebootVm { vm };
    suspend by act_later => |vm, sent, request| SuspendVm { vm };
    migrate by act => |vm, sent, request| MigrateVm {
        vm,
        host: request.reference(&sent, "host", NameKind::Host, "Host")?,
        force: sent.bool("force").unwrap_or_default(),
    };
}

/// Calls a migration off; it is answered when the migration has ended, so that what needs a VM that is up can come next.
async fn cancel_migration(request: Arc<ApiRequest>) -> Handled {
    let migrating = vm(&request, &request.world)?;
    let (vm, migration) = (migrating.id, migrating.run.as_ref().and_then(|run| run.job));
    let sent = request.action()?;
    let goes_on = request.goes_on(&sent)?;
    let answer = act(&request, sent, CancelMigration { vm }).await?;
    if let Some(migration) = migration.filter(|_| !goes_on) {
        // That it came to nothing is what was wanted.
        let _ = request.engine().settle(migration).await;
    }
    Ok(answer)
}

/// A start, with what is asked for this run only.
fn start_command(request: &ApiRequest, vm: VmId, sent: &Doc) -> Result<StartVm, Answer> {
    let cdrom = sent.docs("vm.cdroms.cdrom").next().map(|cd| cd.doc("file").map(disc).unwrap_or_default());
    let overrides = RunOverrides {
        boot: sent.has("vm.os.boot").then(|| boot(sent, "vm.os.boot")),
        cdrom,
        kernel: given(sent, "vm.os.kernel"),
        initrd: given(sent, "vm.os.initrd"),
        cmdline: given(sent, "vm.os.cmdline"),
        display: sent.text("vm.display.type").and_then(DisplayType::from_name),
        stateless: sent.bool("vm.stateless"),
        paused: sent.bool("pause").unwrap_or_default(),
        payloads: sent_payloads(request, sent, "vm.payloads")?,
        floppy: sent.docs("vm.floppies.floppy").find_map(|floppy| given(floppy, "file.id")).filter(|file| !file.is_empty()),
        affinity: sent.text("vm.placement_policy.affinity").and_then(Affinity::from_name),
        domain: given(sent, "vm.domain.name"),
    };
    let host = request.reference(sent, "vm.placement_policy.host", NameKind::Host, "Host")?;
    Ok(StartVm { vm, overrides, once: sent.has("vm"), host })
}

async fn ticket(request: Arc<ApiRequest>) -> Handled {
    let id = vm(&request, &request.world)?.id;
    let sent = request.action()?;
    let expires_s = number(&sent, "ticket.expiry").unwrap_or(DEFAULT_TICKET_S);
    let value = given(&sent, "ticket.value").filter(|value| !value.is_empty());
    let set = request.refusing(app::vm::set_ticket(&request.app, &request.cx, id, value, expires_s).await);
    let value = match set {
        Ok(value) => value,
        Err(refused) => return Err(refused.in_action(sent, request.output)),
    };
    let ticket = Doc::new().set("value", value).set("expiry", i64::from(expires_s));
    let mut answer = sent;
    answer.put("ticket", ticket);
    complete(&request, answer)
}

// The drive

/// The disc that a request means: a file's identifier is its name, so that either says which. Neither, or an empty one, is no disc.
fn disc(file: &Doc) -> String {
    let said = |field: &str| file.text(field).filter(|text| !text.is_empty());
    said("id").or(said("name")).unwrap_or_default().to_owned()
}

/// The drive as the API shows it: what is configured, or with `current` what the running VM has.
fn drive(request: &ApiRequest, vm: &Vm, current: bool) -> Doc {
    let place = Place::of(request.base, vm.id);
    let file = match (&vm.run, current) {
        (Some(run), true) => &run.cdrom,
        _ => &vm.cdrom,
    };
    let mut doc = Doc::new().at(&place.below("cdroms", DRIVE));
    if !file.is_empty() {
        doc.put("file", Doc::new().set("id", file.as_str()));
    }
    doc.reference_to("vm", &place)
}

async fn list_cdroms(request: Arc<ApiRequest>) -> Handled {
    let doc = drive(&request, vm(&request, &request.world)?, false);
    listed(&request, &CDROM, [doc])
}

async fn change_cd(request: &ApiRequest, file: String, current: bool) -> Result<Doc, Answer> {
    let id = vm(request, &request.world)?.id;
    let done = request.refusing(app::vm::change_cd(&request.app, &request.cx, ChangeCdRom { vm: id, file, current }).await)?;
    Ok(drive(request, vm(request, &done.world)?, current))
}

async fn add_cdrom(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&CDROM)?;
    let file = sent.doc("file").map(disc).unwrap_or_default();
    if file.is_empty() {
        request.complete(&sent)?;
    }
    let doc = change_cd(&request, file, false).await?;
    created(&request, &CDROM, &doc)
}

fn is_the_drive(request: &ApiRequest) -> Result<(), Answer> {
    if request.segment(3) == DRIVE { Ok(()) } else { Err(request.missing(request.segment(3))) }
}

async fn get_cdrom(request: Arc<ApiRequest>) -> Handled {
    is_the_drive(&request)?;
    let doc = drive(&request, vm(&request, &request.world)?, request.flag("current")?);
    Ok(Answer::doc(200, &CDROM, &doc, request.output))
}

async fn update_cdrom(request: Arc<ApiRequest>) -> Handled {
    is_the_drive(&request)?;
    let (sent, current) = (request.body(&CDROM)?, request.flag("current")?);
    let doc = drive(&request, vm(&request, &request.world)?, current);
    check_immutable(&request, &CDROM, &doc, &sent)?;
    let doc = match sent.doc("file") {
        Some(file) => change_cd(&request, disc(file), current).await?,
        None => doc,
    };
    Ok(Answer::doc(200, &CDROM, &doc, request.output))
}

async fn delete_cdrom(request: Arc<ApiRequest>) -> Handled {
    is_the_drive(&request)?;
    let current = request.flag("current")?;
    change_cd(&request, String::new(), current).await?;
    Ok(Answer::empty(204))
}

// Tags

/// A tag as it is attached to a VM.
fn tag_view(request: &ApiRequest, vm: &Vm, tag: TagId) -> Option<Doc> {
    let place = Place::of(request.base, vm.id);
    let doc = tags::view(request.base, request.engine().world().tags.get(&tag)?).at(&place.below("tags", tag));
    Some(doc.reference_to("vm", &place))
}

async fn list_tags(request: Arc<ApiRequest>) -> Handled {
    let vm = vm(&request, &request.world)?;
    listed(&request, &TAG, vm.tags.iter().filter_map(|tag| tag_view(&request, vm, *tag)))
}

async fn add_tag(request: Arc<ApiRequest>) -> Handled {
    let current = vm(&request, &request.world)?;
    let sent = request.body(&TAG)?;
    let tag: TagId = request.reference(&Doc::new().set("tag", sent), "tag", NameKind::Tag, "Tag")?.unwrap_or_default();
    let outcome = request.submit(AttachTag { tag, to: Tagged::Vm(current.id) }).await?;
    let doc = tag_view(&request, vm(&request, &outcome.world)?, tag);
    created(&request, &TAG, &request.found(doc, 1)?)
}

async fn get_tag(request: Arc<ApiRequest>) -> Handled {
    let vm = vm(&request, &request.world)?;
    let tag: TagId = request.id(3)?;
    let doc = vm.tags.contains(&tag).then(|| tag_view(&request, vm, tag)).flatten();
    Ok(Answer::doc(200, &TAG, &request.found(doc, 3)?, request.output))
}

async fn delete_tag(request: Arc<ApiRequest>) -> Handled {
    let id = vm(&request, &request.world)?.id;
    super::collection::remove(&request, DetachTag { tag: request.id(3)?, to: Tagged::Vm(id) }).await
}

// Statistics

/// What is measured of a VM; zeros while it does not run.
fn measures(request: &ApiRequest, vm: &Vm) -> Vec<Statistic> {
    let live = statistics::of_vm(&request.app, vm.id).unwrap_or_default();
    let (guest, hypervisor) = (live.cpu_guest_percent, live.cpu_hypervisor_percent);
    vec![
        Statistic::bytes("memory.installed", "Total memory configured", vm.config.memory.unsigned_abs()),
        Statistic::bytes("memory.used", "Memory used (agent)", live.memory_used_bytes),
        Statistic::percent("cpu.current.guest", "CPU used by guest", guest),
        Statistic::percent("cpu.current.hypervisor", "CPU overhead", hypervisor),
        Statistic::percent("cpu.current.total", "Total CPU used", guest + hypervisor),
    ]
}

async fn list_statistics(request: Arc<ApiRequest>) -> Handled {
    let vm = vm(&request, &request.world)?;
    Statistic::list(&request, vm.id.0, "vm", &Place::of(request.base, vm.id), &measures(&request, vm))
}

async fn get_statistic(request: Arc<ApiRequest>) -> Handled {
    let vm = vm(&request, &request.world)?;
    Statistic::one(&request, 3, vm.id.0, "vm", &Place::of(request.base, vm.id), &measures(&request, vm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operating_systems_are_known_by_old_names_too() {
        for (name, known) in
            [("Unassigned", "unassigned"), ("RHEL5", "rhel_5"), ("WindowsXP", "windows_xp"), ("rhel_6x64", "rhel_6x64")]
        {
            assert_eq!(os_type(name), Some(known));
        }
        assert_eq!(os_type("beos"), None);
    }
}
