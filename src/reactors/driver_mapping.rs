//! Between the domain's language and the driver's.

use evirt_domain::data_center::Version;
use evirt_domain::disk::{Disk, DiskFormat, DiskInterface, FoundDisk};
use evirt_domain::host::{
    Address, Bond, BootProtocol, Certificate, Hardware, Hook, HostFacts, HostNetwork, HostSetup, Layout, NetworkFacts, NicFacts,
};
use evirt_domain::ids::{DiskId, StorageDomainId, VmId};
use evirt_domain::image::{ImageFacts, ImageService};
use evirt_domain::storage::{DomainClass, DomainFile, FoundDomain, Lun, LunDevice, Storage, StorageFormat, StorageKind};
use evirt_domain::vm::{BootDevice, CpuMode, DisplayType, NicInterface, Payload, PayloadType, Vm, iso_file};
use evirt_domain::vm_run::{Guest, Observed};
use evirt_domain::{World, check::Act};

use crate::hypervisor as driver;

/// Where storage is, as the driver is told; image domains have no host-side storage.
pub fn storage_spec(storage: &Storage) -> Option<driver::StorageSpec> {
    let server = &storage.server;
    let (address, path) = (server.address.clone(), server.path.clone());
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Some(match server.kind {
        StorageKind::Nfs => driver::StorageSpec::Nfs { address, path },
        StorageKind::Posixfs => {
            driver::StorageSpec::PosixFs { address: given(&address), path, vfs_type: server.vfs_type.clone() }
        }
        StorageKind::Glusterfs => driver::StorageSpec::GlusterFs { address: given(&address), path },
        StorageKind::Localfs => driver::StorageSpec::LocalFs { path },
        StorageKind::Iscsi => {
            let lun = |lun: &Lun| driver::LunSpec {
                id: lun.id.clone(),
                portal: lun.portal.as_ref().map(|p| driver::Portal { address: p.address.clone(), port: p.port }),
                target: lun.portal.as_ref().and_then(|p| given(&p.target)),
            };
            driver::StorageSpec::Iscsi { luns: storage.luns.iter().map(lun).collect() }
        }
        StorageKind::Fcp => driver::StorageSpec::Fcp { luns: storage.luns.iter().map(|lun| lun.id.clone()).collect() },
        StorageKind::Glance => return None,
    })
}

/// What a storage domain is for, as the driver is told.
pub fn domain_class(class: DomainClass) -> driver::DomainClass {
    match class {
        DomainClass::Data => driver::DomainClass::Data,
        DomainClass::Iso => driver::DomainClass::Iso,
        DomainClass::Export | DomainClass::Image => driver::DomainClass::Export,
    }
}

/// The format of a storage domain, as the driver is told.
pub fn storage_format(format: StorageFormat) -> driver::StorageFormat {
    match format {
        StorageFormat::V1 => driver::StorageFormat::V1,
        StorageFormat::V2 => driver::StorageFormat::V2,
        StorageFormat::V3 => driver::StorageFormat::V3,
    }
}

/// The files of an ISO domain, as the domain keeps them.
pub fn domain_files(files: Vec<driver::FileFacts>) -> Vec<DomainFile> {
    files.into_iter().map(|f| DomainFile { name: f.name, size: f.size_bytes as i64 }).collect()
}

/// A service of images, as the domain knows it.
pub fn image_service(facts: &driver::ImageServiceFacts) -> ImageService {
    ImageService { id: StorageDomainId(facts.id), name: facts.name.clone(), address: facts.address.clone() }
}

/// An image, as the domain knows it.
pub fn image(facts: driver::ImageFacts) -> ImageFacts {
    ImageFacts { id: facts.id, name: facts.name, format: facts.format, size: i64::try_from(facts.size_bytes).unwrap_or(i64::MAX) }
}

/// A storage domain that lies on storage, as the domain keeps it.
pub fn found_domain(facts: &driver::StorageFacts) -> Option<FoundDomain> {
    let found = facts.existing.as_ref()?;
    Some(FoundDomain {
        id: StorageDomainId(found.domain),
        name: found.name.clone(),
        class: match found.class {
            driver::DomainClass::Data => DomainClass::Data,
            driver::DomainClass::Iso => DomainClass::Iso,
            driver::DomainClass::Export => DomainClass::Export,
        },
        format: match found.format {
            driver::StorageFormat::V1 => StorageFormat::V1,
            driver::StorageFormat::V2 => StorageFormat::V2,
            driver::StorageFormat::V3 => StorageFormat::V3,
        },
        available: facts.space.available_bytes as i64,
        used: facts.space.used_bytes as i64,
    })
}

/// What a host says of a logical unit, as the domain keeps it.
pub fn lun_device(facts: &driver::LunFacts) -> LunDevice {
    LunDevice { serial: facts.serial.clone(), vendor: facts.vendor.clone(), product: facts.product.clone(), number: facts.number }
}

/// The disks that volumes make up, as the domain knows them. One of several volumes has snapshots, and is none that could be taken on.
pub fn found_disks(volumes: &[driver::VolumeFacts]) -> Vec<FoundDisk> {
    let alone = |facts: &&driver::VolumeFacts| volumes.iter().filter(|v| v.volume.disk == facts.volume.disk).count() == 1;
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let found = |facts: &driver::VolumeFacts| FoundDisk {
        id: DiskId(facts.volume.disk),
        image: facts.volume.volume,
        size: bytes(facts.size_bytes),
        actual_size: bytes(facts.actual_bytes),
        format: match facts.format {
            driver::VolumeFormat::Cow => DiskFormat::Cow,
            driver::VolumeFormat::Raw => DiskFormat::Raw,
        },
        sparse: facts.sparse,
    };
    volumes.iter().filter(alone).map(found).collect()
}

/// What a host reported, as the domain keeps it.
pub fn host_facts(facts: &driver::HostFacts) -> HostFacts {
    let text = |ip: Option<std::net::IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    HostFacts {
        hardware_uuid: facts.hardware.uuid.to_string(),
        sockets: facts.cpu.sockets,
        cores: facts.cpu.cores_per_socket,
        threads: facts.cpu.threads_per_core,
        cpu_name: facts.cpu.model.clone(),
        cpu_family: facts.cpu.level.clone(),
        cpu_mhz: facts.cpu.speed_mhz as u32,
        memory: facts.memory_bytes as i64,
        os: format!("{} {}", facts.os, facts.os_version).trim().to_owned(),
        kernel: facts.kernel_version.clone(),
        libvirt: facts.libvirt_version.clone(),
        hardware: Hardware {
            manufacturer: facts.hardware.manufacturer.clone(),
            product: facts.hardware.product_name.clone(),
            version: facts.hardware.version.clone(),
            serial: facts.hardware.serial_number.clone(),
            family: facts.hardware.family.clone(),
        },
        certificate: Certificate {
            organization: facts.certificate.organization.clone(),
            subject: facts.certificate.subject.clone(),
        },
        hooks: facts
            .hooks
            .iter()
            .map(|hook| Hook { event: hook.event.clone(), name: hook.name.clone(), md5: hook.md5.clone() })
            .collect(),
        levels: facts.levels.iter().filter_map(|level| Version::parse(level)).collect(),
        no_kvm: !facts.kvm,
        no_nx: !facts.cpu.nx,
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
                down: !nic.up,
            })
            .collect(),
        bonds: facts
            .bonds
            .iter()
            .map(|bond| Bond { name: bond.name.clone(), options: bond.options.clone(), slaves: bond.slaves.clone() })
            .collect(),
        networks: facts
            .networks
            .iter()
            .map(|own| NetworkFacts {
                name: own.network.clone(),
                nic: own.nic.clone(),
                vlan: own.vlan.map(u32::from),
                mtu: own.mtu.unwrap_or_default(),
                bridged: own.bridged,
                address: Address {
                    protocol: match own.boot_protocol {
                        driver::BootProtocol::None => BootProtocol::None,
                        driver::BootProtocol::Dhcp => BootProtocol::Dhcp,
                        driver::BootProtocol::Static => BootProtocol::Static,
                    },
                    ip: text(own.ip),
                    netmask: text(own.netmask),
                    gateway: text(own.gateway),
                },
            })
            .collect(),
    }
}

/// What is to lie upon a host's interfaces, as the driver is told: bonds and networks.
pub fn layout(world: &World, layout: &Layout) -> (Vec<driver::BondSpec>, Vec<driver::NetworkAttachment>) {
    let bond = |b: &Bond| driver::BondSpec { name: b.name.clone(), options: b.options.clone(), slaves: b.slaves.clone() };
    let network = |a: &HostNetwork| {
        let address = |text: &String| text.parse().ok();
        // What is leased is not given.
        let fixed = |text: &String| address(text).filter(|_| a.address.protocol == BootProtocol::Static);
        Some(driver::NetworkAttachment {
            network: world.networks.get(&a.network)?.config.name.clone(),
            nic: a.nic.clone(),
            vlan: a.vlan.and_then(|vlan| u16::try_from(vlan).ok()),
            mtu: (a.mtu != 0).then_some(a.mtu),
            bridged: a.bridged,
            boot_protocol: match a.address.protocol {
                BootProtocol::None => driver::BootProtocol::None,
                BootProtocol::Dhcp => driver::BootProtocol::Dhcp,
                BootProtocol::Static => driver::BootProtocol::Static,
            },
            ip: fixed(&a.address.ip),
            netmask: fixed(&a.address.netmask),
            gateway: fixed(&a.address.gateway),
        })
    };
    (layout.bonds.iter().map(bond).collect(), layout.attachments.iter().filter_map(network).collect())
}

/// The volume that holds a disk.
pub fn volume(disk: &Disk) -> driver::VolumeRef {
    driver::VolumeRef { domain: disk.storage_domain.0, disk: disk.id.0, volume: disk.image }
}

/// The format of a volume.
pub fn volume_format(format: DiskFormat) -> driver::VolumeFormat {
    match format {
        DiskFormat::Cow => driver::VolumeFormat::Cow,
        DiskFormat::Raw => driver::VolumeFormat::Raw,
    }
}

/// The machine that a VM's run asks for; none where the VM has no place.
pub fn vm_spec(world: &World, id: VmId) -> Option<driver::VmSpec> {
    let vm: &Vm = world.vms.get(&id)?;
    let run = vm.run.as_ref()?;
    let (config, asked) = (&vm.config, &run.overrides);
    let cluster = world.clusters.get(&config.cluster)?;
    let text = |over: &Option<String>, own: &String| over.clone().or_else(|| (!own.is_empty()).then(|| own.clone()));
    let file = |name: &String| {
        let domain = (!name.is_empty()).then(|| iso_file(Act("run", "VM"), world, config.cluster, name).ok()).flatten();
        domain.map(|domain| driver::FileRef { domain: domain.0, name: name.clone() })
    };
    let disks = vm.disks.iter().filter(|d| d.active).filter_map(|attached| {
        let disk = world.disks.get(&attached.disk)?;
        Some(driver::DiskSpec {
            id: disk.id.0,
            source: driver::DiskSource::Volume(volume(disk)),
            interface: match attached.interface {
                DiskInterface::Ide => driver::DiskInterface::Ide,
                DiskInterface::Virtio => driver::DiskInterface::Virtio,
                DiskInterface::VirtioScsi => driver::DiskInterface::VirtioScsi,
            },
            bootable: attached.bootable,
            read_only: false,
            shareable: disk.config.shareable,
        })
    });
    let nics = vm.nics.iter().filter(|n| n.plugged).map(|nic| driver::NicSpec {
        id: nic.id.0,
        name: nic.name.clone(),
        mac: nic.mac.clone(),
        network: nic
            .profile
            .and_then(|p| world.vnic_profiles.get(&p))
            .and_then(|p| world.networks.get(&p.network))
            .map(|n| n.config.name.clone()),
        model: match nic.interface {
            NicInterface::Virtio | NicInterface::Rtl8139Virtio => driver::NicModel::Virtio,
            NicInterface::E1000 => driver::NicModel::E1000,
            NicInterface::Rtl8139 => driver::NicModel::Rtl8139,
        },
        linked: nic.linked,
        mirrored: nic.mirrored(world).iter().filter_map(|id| Some(world.networks.get(id)?.config.name.clone())).collect(),
    });
    Some(driver::VmSpec {
        id: id.0,
        name: config.name.clone(),
        generation: run.generation,
        memory_bytes: config.memory as u64,
        guaranteed_memory_bytes: config.memory_guaranteed as u64,
        balloon: config.ballooning,
        sockets: config.sockets,
        cores_per_socket: config.cores,
        cpu_level: (!cluster.config.cpu.is_empty()).then(|| cluster.config.cpu.clone()),
        disks: disks.collect(),
        nics: nics.collect(),
        cdrom: file(&run.cdrom),
        floppy: asked.floppy.as_ref().and_then(file),
        boot: asked.boot.as_ref().unwrap_or(&config.boot).iter().map(boot_device).collect(),
        display: driver::DisplaySpec {
            kind: match asked.display.unwrap_or(config.display) {
                DisplayType::Spice => driver::DisplayKind::Spice,
                DisplayType::Vnc => driver::DisplayKind::Vnc,
            },
            monitors: config.monitors,
        },
        kernel: text(&asked.kernel, &config.kernel).map(|kernel| driver::KernelSpec {
            kernel,
            initrd: text(&asked.initrd, &config.initrd),
            cmdline: text(&asked.cmdline, &config.cmdline),
        }),
        paused: asked.paused,
        custom_properties: config.custom_properties.clone(),
        cpu_mode: config.cpu_mode.map(|mode| match mode {
            CpuMode::Custom => driver::CpuMode::Custom,
            CpuMode::HostModel => driver::CpuMode::HostModel,
            CpuMode::HostPassthrough => driver::CpuMode::HostPassthrough,
        }),
        vcpu_pins: config.vcpu_pins.iter().map(|pin| (pin.vcpu, pin.cpu_set.clone())).collect(),
        payloads: asked.payloads.as_ref().unwrap_or(&config.payloads).iter().map(payload).collect(),
        domain: text(&asked.domain, &config.domain),
        console: config.console,
        no_virtio_scsi: config.no_virtio_scsi,
    })
}

/// How a host is installed that is set up so; the firewall is the installation's matter unless somebody said otherwise.
pub fn installation(setup: &HostSetup) -> driver::Installation {
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    driver::Installation {
        ssh_port: setup.ssh_port,
        ssh_fingerprint: text(&setup.ssh_fingerprint),
        ssh_user: text(&setup.ssh_user),
        firewall: setup.override_iptables.unwrap_or(true),
        reboot: setup.reboot.unwrap_or_default(),
    }
}

fn payload(payload: &Payload) -> driver::PayloadSpec {
    driver::PayloadSpec {
        device: match payload.kind {
            PayloadType::CdRom => driver::PayloadDevice::Cdrom,
            PayloadType::Floppy => driver::PayloadDevice::Floppy,
        },
        volume: (!payload.volume.is_empty()).then(|| payload.volume.clone()),
        files: payload.files.iter().map(|file| (file.name.clone(), file.content.clone())).collect(),
    }
}

fn boot_device(device: &BootDevice) -> driver::BootDevice {
    match device {
        BootDevice::Hd => driver::BootDevice::Hd,
        BootDevice::CdRom => driver::BootDevice::Cdrom,
        BootDevice::Network => driver::BootDevice::Network,
    }
}

/// What a driver's report of a VM means to the domain; states on the way to another say nothing.
pub fn observed(report: &driver::VmReport) -> Option<Observed> {
    let display = report.display.as_ref().map(|d| (d.address.clone(), d.port, d.secure_port));
    let told = report.guest.as_ref();
    let guest = Guest {
        ips: told.map(|g| g.ips.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        fqdn: told.map(|g| g.fqdn.clone()).unwrap_or_default(),
        display,
    };
    Some(match &report.state {
        driver::VmState::PoweringUp => Observed::PoweringUp(guest),
        driver::VmState::Up => Observed::Up(guest),
        driver::VmState::Paused { reason } => {
            let detail = match reason {
                driver::PauseReason::Requested => "none",
                driver::PauseReason::Eio => "eio",
                driver::PauseReason::Enospc => "enospc",
                driver::PauseReason::Eperm => "eperm",
                driver::PauseReason::Eother => "eother",
            };
            Observed::Paused { detail: detail.to_owned() }
        }
        driver::VmState::RebootInProgress => Observed::RebootInProgress,
        driver::VmState::PoweringDown => Observed::PoweringDown,
        driver::VmState::Saved => Observed::Saved,
        driver::VmState::SavingState | driver::VmState::RestoringState => return None,
        driver::VmState::Down { exit, message } => {
            Observed::Down { error: *exit == driver::ExitStatus::Error, message: message.clone() }
        }
    })
}
