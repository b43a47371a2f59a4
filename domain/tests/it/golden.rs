//! The shape of every event on disk: a file for each that was ever written, compared byte for byte with what is written now, or read back.
//!
//! `EVIRT_BLESS=1 cargo test -p evirt-domain golden` writes the files of new shapes, and their lines in the list of checksums. A file that was
//! committed never changes (`golden_history.rs`). Where an event gains a field, that has a default, and the event gets a further file
//! (`VmUp.v1-2.json`), beside which the old one stays as something that has to be read. Any other change of shape is a new schema version
//! (`VmUp.v2.json`) with a step in `upcast::STEPS`, and the old files are what the step is tested on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use evirt_domain::access::*;
use evirt_domain::cluster::*;
use evirt_domain::creation::CreationKeyed;
use evirt_domain::data_center::*;
use evirt_domain::disk::*;
use evirt_domain::event::DecodeError;
use evirt_domain::external::*;
use evirt_domain::host::*;
use evirt_domain::host_net::*;
use evirt_domain::image::*;
use evirt_domain::install::SystemInstalled;
use evirt_domain::job::*;
use evirt_domain::network::*;
use evirt_domain::permit::Permit;
use evirt_domain::quota::*;
use evirt_domain::service::{DamageFound, Kept};
use evirt_domain::storage::*;
use evirt_domain::storage_connection::*;
use evirt_domain::tag::*;
use evirt_domain::template::TemplateCreated;
use evirt_domain::vm::*;
use evirt_domain::vm_run::*;
use evirt_domain::{Actor, Event};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::golden_history;
use crate::harness::{GIB, facts, host_config};

/// The same id for the same number, and another type each time.
fn id<T: From<Uuid>>(n: u128) -> T {
    T::from(Uuid::from_u128(0x6efc_0cfa_8495_4a96_93e5_0000_0000_0000 | n))
}

/// The patch that sets every field to a config's.
fn patch<C: Serialize, P: DeserializeOwned>(config: &C) -> P {
    serde_json::from_value(serde_json::to_value(config).expect("a config")).expect("a patch has its config's fields")
}

fn data_center() -> DataCenterConfig {
    DataCenterConfig {
        name: "Berlin".into(),
        description: "Two rooms".into(),
        comment: "c".into(),
        storage_type: StorageKind::Iscsi,
        version: CURRENT_VERSION,
        quota_mode: QuotaMode::Audit,
    }
}

fn cluster() -> ClusterConfig {
    ClusterConfig {
        name: "web".into(),
        description: "Web servers".into(),
        comment: "c".into(),
        data_center: Some(id(1)),
        cpu: "Intel Nehalem Family".into(),
        overcommit_percent: 150,
        policy: SchedulingPolicy::PowerSaving,
        policy_low: 20,
        policy_high: 80,
        policy_duration_s: 120,
        on_error: OnError::MigrateHighlyAvailable,
        threads_as_cores: true,
        ballooning: true,
        ..ClusterConfig::default()
    }
}

fn network() -> NetworkConfig {
    NetworkConfig {
        name: "blue".into(),
        description: "Storage".into(),
        comment: "c".into(),
        vlan: Some(7),
        mtu: 9000,
        stp: true,
        vm_network: true,
        ip: "10.0.0.1".into(),
        netmask: "255.0.0.0".into(),
        gateway: "10.0.0.254".into(),
    }
}

fn profile() -> VnicProfileConfig {
    VnicProfileConfig {
        name: "gold".into(),
        description: "d".into(),
        port_mirroring: true,
        custom_properties: vec![("queues".into(), "4".into())],
    }
}

fn host() -> HostConfig {
    let power_management = PowerManagement {
        enabled: true,
        agent: "ipmilan".into(),
        address: "192.0.2.200".into(),
        username: "root".into(),
        password: "sealed".into(),
        options: vec![("lanplus".into(), "1".into())],
        agents: vec![PowerAgent {
            kind: "rsa".into(),
            address: "192.0.2.201".into(),
            username: "root".into(),
            password: "sealed".into(),
            options: vec![("secure".into(), "true".into())],
            concurrent: true,
            order: 1,
        }],
        proxies: vec![PmProxy::DataCenter],
    };
    let setup = HostSetup {
        ssh_port: 2222,
        ssh_fingerprint: "ab:cd".into(),
        ssh_user: "admin".into(),
        display_address: "192.0.2.99".into(),
        override_iptables: Some(true),
        reboot: Some(false),
    };
    HostConfig { power_management, setup, ..host_config("alpha") }
}

fn domain() -> StorageDomainConfig {
    StorageDomainConfig { name: "data".into(), description: "d".into(), comment: "c".into() }
}

fn stored_image() -> StoredImage {
    StoredImage { domain: id(19), image: id(20), name: "guest_Disk1".into() }
}

fn lun_device() -> Option<LunDevice> {
    Some(LunDevice { serial: "1".into(), vendor: "v".into(), product: "p".into(), number: 1 })
}

fn domain_storage() -> DomainStorage {
    let luns = vec![DomainLun { id: "3600".into(), connection: Some(id(17)), device: lun_device() }];
    DomainStorage { kind: StorageKind::Iscsi, connections: vec![id(17), id(18)], luns, service: String::new() }
}

fn connection() -> ConnectionConfig {
    ConnectionConfig {
        kind: StorageKind::Nfs,
        address: "nfs.example.org".into(),
        path: "/exports/data".into(),
        mount_options: "sync".into(),
        vfs_type: "nfs".into(),
        nfs_version: "v3".into(),
        nfs_timeo: Some(600),
        nfs_retrans: Some(6),
        port: 3260,
        target: "iqn.a".into(),
        username: "chap".into(),
        password: "sealed".into(),
        host: Some(id(3)),
    }
}

fn disk() -> DiskConfig {
    DiskConfig {
        alias: "guest_Disk1".into(),
        description: "d".into(),
        size: 10 * GIB,
        shareable: true,
        wipe_after_delete: true,
        propagate_errors: true,
        quota: Some(id(19)),
        interface: Some(DiskInterface::Ide),
        bootable: true,
    }
}

fn vm() -> VmConfig {
    VmConfig {
        name: "größe".into(),
        description: "d".into(),
        comment: "\"quoted\"\n".into(),
        cluster: id(2),
        memory: 2 * GIB,
        memory_guaranteed: GIB,
        sockets: 2,
        cores: 4,
        cpu_shares: 1024,
        os: "rhel_6x64".into(),
        boot: vec![BootDevice::Network, BootDevice::CdRom, BootDevice::Hd],
        kernel: "vmlinuz".into(),
        initrd: "initrd.img".into(),
        cmdline: "quiet".into(),
        display: DisplayType::Vnc,
        keyboard_layout: "de".into(),
        highly_available: true,
        priority: 50,
        quota: Some(id(19)),
        affinity: Affinity::UserMigratable,
        pinned_host: Some(id(3)),
        timezone: "GMT".into(),
        domain: "example.org".into(),
        tunnel_migration: Some(true),
        custom_properties: vec![("sap_agent".into(), "true".into())],
        cpu_mode: Some(CpuMode::HostModel),
        vcpu_pins: vec![VcpuPin { vcpu: 1, cpu_set: "0-3,^2".into() }],
        payloads: payloads(),
        usb_type: Some(UsbType::Legacy),
        origin: Some(Origin::Xen),
        console: true,
        no_virtio_scsi: true,
        ..VmConfig::default()
    }
}

fn payloads() -> Vec<Payload> {
    let files = vec![PayloadFile { name: "/etc/hosts".into(), content: "127.0.0.1 localhost\n".into() }];
    vec![Payload { kind: PayloadType::CdRom, volume: "config".into(), files }]
}

fn nic() -> NicConfig {
    NicConfig {
        name: "nic1".into(),
        interface: NicInterface::Rtl8139Virtio,
        profile: Some(id(4)),
        mac: "00:1a:4a:16:01:51".into(),
        linked: true,
        plugged: false,
        port_mirroring: vec![id(6)],
    }
}

fn attachment() -> DiskAttachment {
    DiskAttachment { disk: id(5), interface: DiskInterface::VirtioScsi, bootable: true, active: true }
}

fn display() -> Option<(String, u16, Option<u16>)> {
    Some(("192.0.2.10".into(), 5900, Some(5901)))
}

/// One of each kind, in the order of `Event::KINDS`.
fn samples() -> Vec<Event> {
    let actor = Actor::User(id(6));
    let reason = || "it broke".to_owned();
    let name = || "gone".to_owned();
    let user = User {
        first_name: "Eve".into(),
        last_name: "Adams".into(),
        department: "IT".into(),
        title: "Engineer".into(),
        email: "eve@example.org".into(),
        password: Some("$argon2id$old".into()),
        groups: vec![id(7)],
        tags: vec![id(8)],
        locked_until: Some(1_388_534_400_000_000),
        locked_from: Some("192.0.2.7".into()),
        ..User::new(id(6), "eve", "internal")
    };
    let account = Account {
        id: id(6),
        name: "eve".into(),
        domain: "example.org".into(),
        first_name: "Eve".into(),
        last_name: "Adams".into(),
        department: "IT".into(),
        title: "Engineer".into(),
        email: "eve@example.org".into(),
        groups: vec![id(7)],
    };
    let role = Role {
        id: id(9),
        version: 0,
        name: "Operator".into(),
        description: "d".into(),
        administrative: true,
        mutable: true,
        shows_children: true,
        permits: vec![Permit::VmBasicOperations, Permit::ManiputlateHost],
    };
    let session = Session {
        id: id(10),
        version: 0,
        user: id(6),
        token_hash: "ab12".into(),
        ttl_minutes: 30,
        opened_at: 1_388_534_400_000_000,
    };
    let permission =
        Permission { id: id(11), version: 0, holder: Holder::Group(id(7)), role: id(9), object: EntityRef::Vm(id(12)) };
    let overrides = RunOverrides {
        boot: Some(vec![BootDevice::CdRom]),
        cdrom: Some("rhel.iso".into()),
        kernel: Some("vmlinuz".into()),
        initrd: Some("initrd.img".into()),
        cmdline: Some("single".into()),
        display: Some(DisplayType::Vnc),
        stateless: Some(true),
        paused: true,
        payloads: Some(payloads()),
        floppy: Some("drivers.vfd".into()),
        affinity: Some(Affinity::Pinned),
        domain: Some("example.org".into()),
    };
    let guest = Guest { ips: vec!["192.0.2.50".into()], fqdn: "guest.example.org".into(), display: display() };
    vec![
        SystemInstalled { version: "0.1.0".into() }.into(),
        evirt_domain::service::EngineStarted { version: "0.1.0".into() }.into(),
        evirt_domain::service::EngineStopped {}.into(),
        DamageFound { kept: Kept::EventLog, problem: "position 7: the record was changed after it was written".into() }.into(),
        CreationKeyed { user: id(6), key: "retry-1".into(), digest: "00ff".into(), events: 2, made: None, job: None }.into(),
        DataCenterCreated { data_center: id(1), config: data_center() }.into(),
        DataCenterUpdated { data_center: id(1), changes: patch(&data_center()) }.into(),
        DataCenterRemoved { data_center: id(1), name: name(), forced: true }.into(),
        SpmSelected { data_center: id(1), host: Some(id(3)) }.into(),
        evirt_domain::spm::SpmFailed { data_center: id(1), host: id(3), reason: "no lease".into() }.into(),
        evirt_domain::spm::SpmForced { data_center: id(1), host: id(3) }.into(),
        ClusterCreated { cluster: id(2), config: cluster() }.into(),
        ClusterUpdated { cluster: id(2), changes: ClusterPatch { data_center: Some(None), ..patch(&cluster()) } }.into(),
        ClusterRemoved { cluster: id(2), name: name() }.into(),
        NetworkAssigned {
            cluster: id(2),
            network: ClusterNetwork { network: id(13), required: true, display: false, migration: false },
        }
        .into(),
        NetworkUnassigned { cluster: id(2), network: id(13) }.into(),
        NetworkCreated { network: id(13), data_center: id(1), config: network(), management: false }.into(),
        NetworkUpdated { network: id(13), changes: NetworkPatch { vlan: Some(None), ..patch(&network()) } }.into(),
        NetworkRemoved { network: id(13), name: name() }.into(),
        VnicProfileCreated { profile: id(4), network: id(13), config: profile() }.into(),
        VnicProfileUpdated { profile: id(4), changes: patch(&profile()) }.into(),
        VnicProfileRemoved { profile: id(4), name: name() }.into(),
        HostAdded {
            host: id(3),
            config: host(),
            sealed_password: "sealed".into(),
            facts: HostFacts { hardware_uuid: "4c4c4544-0044".into(), ..facts(16, 8) },
        }
        .into(),
        HostRegistered {
            host: id(3),
            config: host(),
            facts: HostFacts { hardware_uuid: "4c4c4544-0044".into(), ..facts(16, 8) },
        }
        .into(),
        HostApproved { host: id(3), cluster: id(2) }.into(),
        HostUpdated { host: id(3), changes: patch(&host()) }.into(),
        HostInstallationStarted { host: id(3), sealed_password: "sealed".into() }.into(),
        HostInstalled { host: id(3) }.into(),
        HostFactsReported { host: id(3), facts: HostFacts { hardware_uuid: "4c4c4544-0044".into(), ..facts(32, 16) } }.into(),
        HostStatusChanged {
            host: id(3),
            from: HostStatus::PreparingForMaintenance,
            to: HostStatus::NonOperational,
            detail: "cpu_type_incompatible_with_cluster".into(),
        }
        .into(),
        HostFencingStarted { host: id(3), fence: FenceType::Restart, proxy: evirt_domain::fence::Proxy::Host(id(4)) }.into(),
        HostContactLost { host: id(3), from: HostStatus::Up, grace_ms: 50_500, detail: reason() }.into(),
        HostFenceFellBack { host: id(3), fence: FenceType::Stop }.into(),
        HostFenceSkipped { host: id(3), no_proxy: true }.into(),
        HostFenceUnconfigured { host: id(3) }.into(),
        HostMemoryLow { host: id(3), free_mib: 512 }.into(),
        HostNxMissed { host: id(3) }.into(),
        HostRefreshed { host: id(3), failure: Some(reason()) }.into(),
        HostFenced { host: id(3), fence: FenceType::Restart, failure: Some(reason()) }.into(),
        HostRemoved { host: id(3), name: name() }.into(),
        HostBondSet {
            host: id(3),
            bond: Bond {
                name: "bond0".into(),
                options: vec![("mode".into(), "4".into())],
                slaves: vec!["eth1".into(), "eth2".into()],
            },
        }
        .into(),
        HostBondRemoved { host: id(3), name: "bond0".into() }.into(),
        HostNetworkAttached {
            host: id(3),
            attachment: HostNetwork {
                network: id(6),
                nic: "bond0".into(),
                vlan: Some(7),
                mtu: 9000,
                bridged: true,
                address: Address {
                    protocol: BootProtocol::Static,
                    ip: "192.0.2.30".into(),
                    netmask: "255.255.255.0".into(),
                    gateway: "192.0.2.1".into(),
                },
            },
        }
        .into(),
        HostNetworkDetached { host: id(3), network: id(6), nic: "bond0".into() }.into(),
        HostLinkChanged { host: id(3), nic: "eth1".into(), up: false }.into(),
        HostNetworksCommitted { host: id(3) }.into(),
        StorageDomainAdded {
            domain: id(14),
            config: domain(),
            class: DomainClass::Export,
            storage: domain_storage(),
            format: StorageFormat::V2,
            host: id(3),
        }
        .into(),
        StorageDomainImported {
            domain: id(14),
            config: domain(),
            class: DomainClass::Export,
            storage: domain_storage(),
            format: StorageFormat::V1,
            available: 500 * GIB,
            used: 10 * GIB,
        }
        .into(),
        StorageDomainCreated { domain: id(14), available: 500 * GIB, used: 10 * GIB }.into(),
        StorageDomainCreationFailed { domain: id(14), name: name(), reason: reason() }.into(),
        StorageDomainUpdated { domain: id(14), changes: patch(&domain()) }.into(),
        StorageDomainAttached { domain: id(14), data_center: id(1), master: true, format: StorageFormat::V3 }.into(),
        StorageDomainStatusChanged {
            domain: id(14),
            data_center: id(1),
            from: AttachmentStatus::Locked,
            to: AttachmentStatus::Maintenance,
            reason: reason(),
        }
        .into(),
        MasterSought { data_center: id(1), found: Some(id(15)) }.into(),
        StorageDomainReachChanged { domain: id(14), host: id(3), reachable: false }.into(),
        StorageDomainDelayed { domain: id(8), host: id(3), delay_ms: 7_500 }.into(),
        StorageDomainDetached { domain: id(14), data_center: id(1), untold: true }.into(),
        StorageDomainSpaceReported { domain: id(14), available: 1, used: 2 }.into(),
        StorageDomainExtended { domain: id(14), luns: domain_storage().luns, available: 1, used: 2 }.into(),
        StorageDomainFilesListed { domain: id(14), files: vec![DomainFile { name: "rhel.iso".into(), size: GIB }] }.into(),
        StorageDomainRemovalStarted { domain: id(14) }.into(),
        StorageDomainRemoved { domain: id(14), name: name(), destroyed: true }.into(),
        StorageFormatSet { data_center: id(1), format: StorageFormat::V3 }.into(),
        StorageDomainUpgraded { domain: id(14), format: StorageFormat::V3 }.into(),
        StorageConnectionAdded { connection: id(17), config: connection(), made_for: Some(id(14)) }.into(),
        StorageConnectionUpdated { connection: id(17), changes: patch(&connection()) }.into(),
        StorageConnectionRemoved { connection: id(17) }.into(),
        StorageConnectionAttached { domain: id(14), connection: id(18) }.into(),
        StorageConnectionDetached { domain: id(14), connection: id(18) }.into(),
        QuotaCreated { quota: id(19), data_center: id(1), config: QuotaConfig::named("gold".into()) }.into(),
        QuotaUpdated { quota: id(19), changes: patch(&QuotaConfig::named("gold".into())) }.into(),
        QuotaLimitsSet {
            quota: id(19),
            storage: vec![StorageLimit { domain: Some(id(14)), gib: 100 }],
            clusters: vec![ClusterLimit { cluster: None, memory_mib: UNLIMITED, vcpus: 8 }],
        }
        .into(),
        QuotaRemoved { quota: id(19), name: name() }.into(),
        QuotaStrained {
            data_center: id(1),
            quota: Some(id(19)),
            resource: Resource::Cluster,
            strain: Strain::Threshold,
            used_percent: 70,
            requested_percent: 20,
            vm: Some(id(12)),
        }
        .into(),
        DiskAdded {
            disk: id(5),
            config: disk(),
            format: DiskFormat::Raw,
            sparse: true,
            storage_domain: id(14),
            image: id(16),
            from: None,
        }
        .into(),
        DiskCreated { disk: id(5), actual_size: GIB }.into(),
        DiskCreationFailed { disk: id(5), reason: reason() }.into(),
        DiskUpdated { disk: id(5), changes: patch(&disk()) }.into(),
        DiskExtensionStarted { disk: id(5), size: 20 * GIB }.into(),
        DiskExtended { disk: id(5), size: 20 * GIB, actual_size: GIB }.into(),
        DiskExtensionFailed { disk: id(5), reason: reason() }.into(),
        DiskRemovalStarted { disk: id(5) }.into(),
        DiskRemovalFailed { disk: id(5), reason: reason() }.into(),
        DiskRemoved { disk: id(5), alias: "guest_Disk1".into() }.into(),
        DiskExportStarted { disk: id(5), to: stored_image() }.into(),
        DiskExported { disk: id(5), to: stored_image() }.into(),
        DiskExportFailed { disk: id(5), to: stored_image(), reason: "no space".into() }.into(),
        VmCreated { vm: id(12), config: vm() }.into(),
        VmUpdated { vm: id(12), changes: VmPatch { pinned_host: Some(None), ..patch(&vm()) } }.into(),
        VmRemovalStarted { vm: id(12), job: id(17) }.into(),
        VmRemoved { vm: id(12), name: name() }.into(),
        NicAdded { vm: id(12), nic: Nic { id: id(18), config: nic() } }.into(),
        NicUpdated { vm: id(12), nic: id(18), changes: NicPatch { profile: Some(None), ..patch(&nic()) } }.into(),
        NicRemoved { vm: id(12), nic: id(18), name: name() }.into(),
        DiskAttached { vm: id(12), attachment: attachment() }.into(),
        DiskAttachmentUpdated { vm: id(12), attachment: attachment() }.into(),
        DiskDetached { vm: id(12), disk: id(5) }.into(),
        CdRomChanged { vm: id(12), file: "rhel.iso".into(), current: true }.into(),
        VmStartRequested { vm: id(12), host: id(3), job: id(17), overrides, restore: true, only_there: true }.into(),
        VmRelocated { vm: id(12), from: id(3), to: id(19), reason: reason() }.into(),
        VmPoweringUp { vm: id(12), display: display() }.into(),
        VmUp { vm: id(12), host: id(3), started: true, started_by: actor, guest }.into(),
        VmPaused { vm: id(12), detail: "enospc".into() }.into(),
        VmStartFailed { vm: id(12), host: id(3), reason: reason(), started_by: Actor::System }.into(),
        VmStopRequested { vm: id(12), job: id(17) }.into(),
        VmShutdownRequested { vm: id(12), job: id(17) }.into(),
        VmShutdownFellBack { vm: id(12) }.into(),
        VmRebootRequested { vm: id(12), job: id(17) }.into(),
        VmSuspendRequested { vm: id(12), job: id(17) }.into(),
        VmSuspended { vm: id(12) }.into(),
        VmDown { vm: id(12), host: Some(id(3)), error: true, message: reason() }.into(),
        VmNotResponding { vm: id(12) }.into(),
        VmLost { vm: id(12) }.into(),
        VmMigrationRequested { vm: id(12), from: id(3), to: id(19), job: id(17) }.into(),
        VmMigrationCancelRequested { vm: id(12) }.into(),
        VmMigrated { vm: id(12), from: id(3), to: id(19) }.into(),
        VmMigrationFailed { vm: id(12), from: id(3), to: id(19), reason: reason(), cancelled: true }.into(),
        VmTicketSet { vm: id(12), expires_s: 7200 }.into(),
        TemplateCreated { template: id(20), config: vm() }.into(),
        TagCreated { tag: id(8), config: TagConfig { name: "web".into(), description: "d".into(), parent: Some(ROOT) } }.into(),
        TagUpdated { tag: id(8), changes: TagPatch { name: Some("www".into()), description: None, parent: Some(Some(ROOT)) } }
            .into(),
        TagRemoved { tag: id(8), name: name() }.into(),
        TagAttached { tag: id(8), to: Tagged::Host(id(3)) }.into(),
        TagDetached { tag: id(8), to: Tagged::Vm(id(12)) }.into(),
        UserAdded { user }.into(),
        UserPasswordChanged { user: id(6), password: "$argon2id$new".into() }.into(),
        UserRemoved { user: id(6), name: "eve@internal".into() }.into(),
        UserRefreshed { account }.into(),
        UserLocked { user: id(6), until: 1_388_534_400_000_000, from: Some("192.0.2.7".into()) }.into(),
        UserUnlocked { user: id(6) }.into(),
        UserDeactivated { user: id(6) }.into(),
        UserReactivated { user: id(6) }.into(),
        GroupAdded { group: Group { tags: vec![id(8)], ..Group::new(id(7), "staff", INTERNAL) } }.into(),
        GroupRemoved { group: id(7), name: "staff".into() }.into(),
        GroupMemberAdded { group: id(7), user: id(6) }.into(),
        GroupMemberRemoved { group: id(7), user: id(6) }.into(),
        RoleCreated { role }.into(),
        RoleUpdated {
            role: id(9),
            changes: RolePatch { name: Some("r".into()), description: Some("d".into()), administrative: Some(true) },
        }
        .into(),
        RoleRemoved { role: id(9), name: "r".into() }.into(),
        RolePermitAdded { role: id(9), permit: Permit::Login }.into(),
        RolePermitRemoved { role: id(9), permit: Permit::Login }.into(),
        PermissionGranted { permission }.into(),
        PermissionRevoked { permission: id(11) }.into(),
        SessionOpened { session }.into(),
        SessionClosed { session: id(10), user: id(6), end: SessionEnd::Expired }.into(),
        LoginFailed { name: "mallory".into(), from: "192.0.2.7".into() }.into(),
        LoginsRefused {
            count: 1_200,
            names: vec!["mallory".into(), "root@internal".into()],
            more_names: true,
            from: vec!["192.0.2.7".into()],
            more_from: false,
        }
        .into(),
        JobOpened {
            job: id(17),
            description: "Removing Storage Domain data".into(),
            task: Task::RemoveStorageDomain { domain: id(14), host: id(3), format: true },
        }
        .into(),
        JobStepFinished { job: id(17), done: 1 }.into(),
        JobEnded { job: id(17), failure: Some(reason()) }.into(),
        JobsCleared { jobs: vec![id(17), id(21)] }.into(),
        ExternalEventReported(Report {
            severity: EventSeverity::Warning,
            description: "A backup took long".into(),
            origin: "backup".into(),
            custom_id: 7,
            flood_rate: Some(60),
            custom_data: "d".into(),
            about: vec![EntityRef::Vm(id(12))],
            user: Some(id(6)),
        })
        .into(),
        ExternalEventRemoved { event: 5 }.into(),
        ExternalJobAdded { job: id(22), description: "Backup".into(), auto_cleared: false }.into(),
        ExternalStepAdded {
            job: id(22),
            step: id(23),
            parent: Some(id(24)),
            kind: "executing".into(),
            description: "Copying".into(),
            carries: None,
        }
        .into(),
        ExternalStepEnded { job: id(22), step: id(23), status: WorkStatus::Finished }.into(),
        ExternalJobEnded { job: id(22), status: WorkStatus::Failed, auto_cleared: true }.into(),
        ExternalJobsCleared { jobs: vec![id(22)] }.into(),
    ]
}

/// Where the golden files are.
pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Whether files of new shapes are to be written.
fn bless() -> bool {
    std::env::var_os("EVIRT_BLESS").is_some_and(|v| v == "1")
}

/// A shape that an event is or was written in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    kind: String,
    schema: u32,
    /// From 1; one more with each field that the schema version has gained.
    revision: u32,
}

impl Shape {
    fn file_name(&self) -> String {
        match self.revision {
            1 => format!("{}.v{}.json", self.kind, self.schema),
            revision => format!("{}.v{}-{revision}.json", self.kind, self.schema),
        }
    }

    fn of_file(name: &str) -> Option<Self> {
        let (kind, version) = name.strip_suffix(".json")?.split_once(".v")?;
        let (schema, revision) = version.split_once('-').unwrap_or((version, "1"));
        let shape = Self { kind: kind.into(), schema: schema.parse().ok()?, revision: revision.parse().ok()? };
        (shape.file_name() == name).then_some(shape)
    }
}

/// All golden files.
fn golden() -> BTreeMap<Shape, String> {
    let files = std::fs::read_dir(directory()).expect("the directory").map(|entry| entry.expect("an entry").path());
    let read = |path: PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
        let shape = Shape::of_file(&name).unwrap_or_else(|| panic!("{name} is no golden file's name"));
        (shape, std::fs::read_to_string(&path).expect("the golden file"))
    };
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).map(read).collect()
}

#[test]
fn every_kind_is_written_as_its_newest_file_says() {
    let samples = samples();
    let kinds: Vec<_> = samples.iter().map(|e| (e.kind(), e.schema())).collect();
    let known: Vec<_> = Event::KINDS.iter().map(|kind| (kind.name, kind.schema)).collect();
    assert_eq!(kinds, known, "one sample of each kind, in order");
    let golden = golden();
    for event in samples {
        let (kind, schema) = (event.kind().to_owned(), event.schema());
        let written = format!("{}\n", event.payload());
        let newest = golden.iter().rfind(|(shape, _)| shape.kind == kind && shape.schema == schema);
        if newest.is_none_or(|(_, text)| *text != written) {
            let revision = newest.map_or(1, |(shape, _)| shape.revision + 1);
            let file = Shape { kind, schema, revision }.file_name();
            assert!(bless(), "{file} is missing: EVIRT_BLESS=1 writes it, if the event is to be written as {written}");
            std::fs::write(directory().join(file), &written).expect("the golden file");
        }
        assert_eq!(Event::decode(event.kind(), schema, &written).as_ref(), Ok(&event));
    }
    if bless() {
        golden_history::list_new_files();
    }
}

/// Whether a value says all that another one does: a field that was added has a default, and none is dropped or renamed.
fn says_all(now: &Value, then: &Value) -> bool {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            then.iter().all(|(name, then)| now.get(name).is_some_and(|now| says_all(now, then)))
        }
        (Value::Array(now), Value::Array(then)) => {
            now.len() == then.len() && now.iter().zip(then).all(|(now, then)| says_all(now, then))
        }
        (now, then) => now == then,
    }
}

#[test]
fn every_shape_that_was_ever_written_is_read() {
    let golden = golden();
    for (shape, text) in &golden {
        let event = Event::decode(&shape.kind, shape.schema, text);
        let event = event.unwrap_or_else(|why| panic!("{}: {why}", shape.file_name()));
        if shape.schema == event.schema() {
            let [now, then] = [&event.payload(), text].map(|json| serde_json::from_str::<Value>(json).expect("JSON"));
            assert!(says_all(&now, &then), "{} is read as {now}", shape.file_name());
        }
    }
    let files: BTreeSet<_> = golden.keys().map(|shape| (shape.kind.as_str(), shape.schema)).collect();
    let known: BTreeSet<_> =
        Event::KINDS.iter().flat_map(|kind| (1..=kind.schema).map(move |schema| (kind.name, schema))).collect();
    assert_eq!(files, known, "a golden file of each kind and schema version, and no other");
}

#[test]
fn a_lost_or_changed_field_is_noticed() {
    let then = serde_json::json!({"a": 1, "b": {"c": [{"d": true}]}});
    for (now, holds) in [
        (serde_json::json!({"a": 1, "b": {"c": [{"d": true, "e": 5}]}, "f": null}), true),
        (serde_json::json!({"b": {"c": [{"d": true}]}}), false),
        (serde_json::json!({"a": 1, "b": {"c": [{"e": true}]}}), false),
        (serde_json::json!({"a": 1, "b": {"c": []}}), false),
        (serde_json::json!({"a": 2, "b": {"c": [{"d": true}]}}), false),
    ] {
        assert_eq!(says_all(&now, &then), holds, "{now}");
    }
}

#[test]
fn what_is_no_event_is_an_error() {
    for (kind, payload) in [("VmExploded", "{}"), ("VmLost", "{}"), ("VmLost", "{\"vm\":1}"), ("VmLost", "")] {
        assert!(Event::decode(kind, 1, payload).is_err(), "{kind} {payload}");
    }
    let newer = Event::decode("VmLost", 1_000, r#"{"vm":"6efc0cfa-8495-4a96-93e5-000000000003"}"#);
    assert!(matches!(newer, Err(DecodeError::Newer { schema: 1_000, .. })), "{newer:?}");
}

/// Each task, since a log keeps those as well.
#[test]
fn tasks_are_written_as_they_always_were() {
    for (task, json) in [
        (Task::InstallHost { host: id(3) }, r#"{"install_host":{"host":"6efc0cfa-8495-4a96-93e5-000000000003"}}"#),
        (
            Task::FenceHost { host: id(3), fence: FenceType::Manual },
            r#"{"fence_host":{"host":"6efc0cfa-8495-4a96-93e5-000000000003","fence":"manual"}}"#,
        ),
        (Task::StartVm { vm: id(12) }, r#"{"start_vm":{"vm":"6efc0cfa-8495-4a96-93e5-00000000000c"}}"#),
    ] {
        assert_eq!(serde_json::to_string(&task).expect("JSON"), json);
    }
}
