//! Between the domain's words and the drivers': what is launched, where storage lies, what a host and a guest tell.

use evirt_domain::disk::DiskFormat;
use evirt_domain::host::{HostFacts, NicFacts};
use evirt_domain::ids::{ClusterId, StorageDomainId};
use evirt_domain::storage::{self, AttachmentStatus, Storage, StorageKind};
use evirt_domain::vm::{self, Vm};
use evirt_domain::vm_run::{Guest, Observed};
use evirt_domain::world::World;
use uuid::Uuid;

use crate::hypervisor as driver;

/// A size of the domain, which is never negative, as drivers count.
fn bytes(size: i64) -> u64 {
    size.try_into().unwrap_or(0)
}

/// A size that a driver told.
pub fn size(bytes: u64) -> i64 {
    bytes.try_into().unwrap_or(i64::MAX)
}

/// What a host told of itself.
pub fn host_facts(facts: &driver::HostFacts) -> HostFacts {
    let text = |address: Option<std::net::IpAddr>| address.map_or_else(String::new, |a| a.to_string());
    HostFacts {
        hardware_uuid: facts.hardware.uuid.to_string(),
        sockets: facts.cpu.sockets,
        cores: facts.cpu.cores_per_socket,
        threads: facts.cpu.threads_per_core,
        cpu_name: facts.cpu.model.clone(),
        cpu_family: facts.cpu.level.clone(),
        cpu_mhz: facts.cpu.speed_mhz.clamp(0.0, f64::from(u32::MAX)) as u32,
        memory: size(facts.memory_bytes),
        os: format!("{} - {}", facts.os, facts.os_version),
        kernel: facts.kernel_version.clone(),
        iscsi_initiator: facts.iscsi_initiator.clone().unwrap_or_default(),
        nics: facts
            .nics
            .iter()
            .map(|nic| NicFacts {
                name: nic.name.clone(),
                mac: nic.mac.clone(),
                ip: text(nic.ip),
                netmask: text(nic.netmask),
                gateway: text(nic.gateway),
                speed: nic.speed_bps,
                mtu: nic.mtu,
            })
            .collect(),
    }
}

/// Where a storage domain lies.
pub fn storage_spec(storage: &Storage) -> driver::StorageSpec {
    let address = || (!storage.address.is_empty()).then(|| storage.address.clone());
    match storage.kind {
        StorageKind::Nfs | StorageKind::Glance => {
            driver::StorageSpec::Nfs { address: storage.address.clone(), path: storage.path.clone() }
        }
        StorageKind::Posixfs => driver::StorageSpec::PosixFs {
            address: address(),
            path: storage.path.clone(),
            vfs_type: storage.vfs_type.clone(),
        },
        StorageKind::Glusterfs => driver::StorageSpec::GlusterFs { address: address(), path: storage.path.clone() },
        StorageKind::Localfs => driver::StorageSpec::LocalFs { path: storage.path.clone() },
        StorageKind::Fcp => driver::StorageSpec::Fcp { luns: storage.luns.clone() },
        StorageKind::Iscsi => {
            let port = if storage.port == 0 { ISCSI_PORT } else { storage.port };
            let portal = address().map(|address| driver::Portal { address, port });
            let target = (!storage.target.is_empty()).then(|| storage.target.clone());
            let lun = |id: &String| driver::LunSpec { id: id.clone(), portal: portal.clone(), target: target.clone() };
            driver::StorageSpec::Iscsi { luns: storage.luns.iter().map(lun).collect() }
        }
    }
}

/// The TCP port of iSCSI where none is named.
const ISCSI_PORT: u16 = 3260;

/// What a storage domain holds.
pub fn domain_class(class: storage::DomainClass) -> driver::DomainClass {
    match class {
        storage::DomainClass::Data => driver::DomainClass::Data,
        storage::DomainClass::Iso | storage::DomainClass::Image => driver::DomainClass::Iso,
        storage::DomainClass::Export => driver::DomainClass::Export,
    }
}

/// The version of a storage domain's layout.
pub fn storage_format(format: storage::StorageFormat) -> driver::StorageFormat {
    match format {
        storage::StorageFormat::V1 => driver::StorageFormat::V1,
        storage::StorageFormat::V2 => driver::StorageFormat::V2,
        storage::StorageFormat::V3 => driver::StorageFormat::V3,
    }
}

/// The format of a disk's volume.
pub fn volume_format(format: DiskFormat) -> driver::VolumeFormat {
    match format {
        DiskFormat::Cow => driver::VolumeFormat::Cow,
        DiskFormat::Raw => driver::VolumeFormat::Raw,
    }
}

/// The volume of a disk.
pub fn volume(disk: &evirt_domain::disk::Disk) -> driver::VolumeRef {
    driver::VolumeRef { domain: disk.storage_domain.0, disk: disk.id.0, volume: disk.image }
}

/// A disk as a VM has it; none where the disk is gone.
pub fn disk_spec(world: &World, attached: &vm::DiskAttachment) -> Option<driver::DiskSpec> {
    use evirt_domain::disk::DiskInterface as Interface;
    let disk = world.disks.get(&attached.disk)?;
    Some(driver::DiskSpec {
        id: disk.id.0,
        source: driver::DiskSource::Volume(volume(disk)),
        interface: match attached.interface {
            Interface::Ide => driver::DiskInterface::Ide,
            Interface::Virtio => driver::DiskInterface::Virtio,
            Interface::VirtioScsi => driver::DiskInterface::VirtioScsi,
        },
        bootable: attached.bootable,
        read_only: false,
        shareable: disk.config.shareable,
    })
}

/// A network interface as a VM has it.
pub fn nic_spec(world: &World, nic: &vm::Nic) -> driver::NicSpec {
    use vm::NicInterface as Interface;
    let profile = nic.profile.and_then(|id| world.vnic_profiles.get(&id));
    let network = profile.and_then(|p| world.networks.get(&p.network));
    driver::NicSpec {
        id: nic.id.0,
        name: nic.name.clone(),
        mac: nic.mac.to_lowercase(),
        network: network.map(|n| n.config.name.clone()),
        model: match nic.interface {
            Interface::Virtio | Interface::Rtl8139Virtio => driver::NicModel::Virtio,
            Interface::E1000 => driver::NicModel::E1000,
            Interface::Rtl8139 => driver::NicModel::Rtl8139,
        },
        linked: nic.linked,
    }
}

/// A file of the ISO domain that is active in a cluster's data center.
pub fn iso_file(world: &World, cluster: ClusterId, name: &str) -> Option<driver::FileRef> {
    let data_center = world.clusters.get(&cluster)?.config.data_center;
    let active = |a: storage::Attachment| Some(a.data_center) == data_center && a.status == AttachmentStatus::Active;
    let iso = world.storage_domains.values().find(|d| d.class == storage::DomainClass::Iso && d.attachment.is_some_and(active))?;
    (!name.is_empty()).then(|| driver::FileRef { domain: iso.id.0, name: name.to_owned() })
}

/// All that is needed to launch a VM; none where it has no place on a host.
pub fn vm_spec(world: &World, vm: &Vm) -> Option<driver::VmSpec> {
    let run = vm.run.as_ref()?;
    let (config, overrides) = (&vm.config, &run.overrides);
    let text = |one: &Option<String>, other: &str| one.clone().or_else(|| Some(other.to_owned())).filter(|t| !t.is_empty());
    let cpu = world.clusters.get(&config.cluster).map(|c| c.config.cpu.clone()).filter(|cpu| !cpu.is_empty());
    Some(driver::VmSpec {
        id: vm.id.0,
        name: config.name.clone(),
        generation: run.generation,
        memory_bytes: bytes(config.memory),
        guaranteed_memory_bytes: bytes(config.memory_guaranteed.min(config.memory)),
        sockets: config.sockets,
        cores_per_socket: config.cores,
        cpu_level: cpu,
        disks: vm.disks.iter().filter(|d| d.active).filter_map(|d| disk_spec(world, d)).collect(),
        nics: vm.nics.iter().filter(|n| n.plugged).map(|n| nic_spec(world, n)).collect(),
        cdrom: iso_file(world, config.cluster, &run.cdrom),
        floppy: None,
        boot: overrides
            .boot
            .as_ref()
            .unwrap_or(&config.boot)
            .iter()
            .map(|device| match device {
                vm::BootDevice::Hd => driver::BootDevice::Hd,
                vm::BootDevice::CdRom => driver::BootDevice::Cdrom,
                vm::BootDevice::Network => driver::BootDevice::Network,
            })
            .collect(),
        display: driver::DisplaySpec {
            kind: match overrides.display.unwrap_or(config.display) {
                vm::DisplayType::Spice => driver::DisplayKind::Spice,
                vm::DisplayType::Vnc => driver::DisplayKind::Vnc,
            },
            monitors: config.monitors,
        },
        kernel: text(&overrides.kernel, &config.kernel).map(|kernel| driver::KernelSpec {
            kernel,
            initrd: text(&overrides.initrd, &config.initrd),
            cmdline: text(&overrides.cmdline, &config.cmdline),
        }),
        paused: overrides.paused,
        custom_properties: config.custom_properties.clone(),
    })
}

/// What a driver's report of a VM means; none for what the engine knows already because it asked for it.
pub fn observed(report: &driver::VmReport) -> Option<Observed> {
    let facts = report.guest.as_ref();
    let guest = Guest {
        ips: facts.map_or_else(Vec::new, |g| g.ips.iter().map(ToString::to_string).collect()),
        fqdn: facts.map_or_else(String::new, |g| g.fqdn.clone()),
        display: report.display.as_ref().map(|d| (d.address.clone(), d.port, d.secure_port)),
    };
    Some(match &report.state {
        driver::VmState::PoweringUp => Observed::PoweringUp(guest),
        driver::VmState::Up => Observed::Up(guest),
        driver::VmState::Paused { reason } => Observed::Paused {
            detail: match reason {
                driver::PauseReason::Requested => "none",
                driver::PauseReason::Eio => "eio",
                driver::PauseReason::Enospc => "enospc",
                driver::PauseReason::Eperm => "eperm",
                driver::PauseReason::Eother => "eother",
            }
            .to_owned(),
        },
        driver::VmState::RebootInProgress => Observed::RebootInProgress,
        driver::VmState::PoweringDown => Observed::PoweringDown,
        driver::VmState::SavingState | driver::VmState::RestoringState => return None,
        driver::VmState::Saved => Observed::Saved,
        driver::VmState::Down { exit, message } => {
            Observed::Down { error: *exit == driver::ExitStatus::Error, message: message.clone() }
        }
    })
}

/// Storage domains that a host of a cluster has to be connected to.
pub fn active_domains(world: &World, cluster: ClusterId) -> Vec<(StorageDomainId, Uuid, driver::StorageSpec)> {
    let data_center = world.clusters.get(&cluster).and_then(|c| c.config.data_center);
    let active = |a: storage::Attachment| Some(a.data_center) == data_center && a.status == AttachmentStatus::Active;
    let domains = world.storage_domains.values().filter(|d| d.attachment.is_some_and(active));
    domains.map(|d| (d.id, d.id.0, storage_spec(&d.storage))).collect()
}
