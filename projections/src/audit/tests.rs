//! Which event is told and in which words.

use std::collections::BTreeSet;

use evirt_domain::access::*;
use evirt_domain::host::*;
use evirt_domain::ids::*;
use evirt_domain::install::DEFAULT_DATA_CENTER;
use evirt_domain::job::FinishStep;
use evirt_domain::quota::{CreateQuota, QuotaConfig, QuotaStrained, Resource, Strain};
use evirt_domain::storage::*;
use evirt_domain::vm_run::*;
use evirt_domain::{Actor, Event};

use super::facts::{FACTS, Fact, fact};
use crate::fixture::{BY_ADMIN, Lab};

/// The kinds of events that are told, with the codes that they may raise.
const TOLD: &[(&str, &[u32])] = &[
    ("EngineStarted", &[1]),
    ("EngineStopped", &[2]),
    ("DamageFound", &[20_006]),
    ("DataCenterCreated", &[950]),
    ("DataCenterUpdated", &[952]),
    ("DataCenterRemoved", &[918, 954]),
    ("SpmSelected", &[204, 979]),
    ("SpmFailed", &[22]),
    ("ClusterCreated", &[809]),
    ("ClusterUpdated", &[811, 835]),
    ("ClusterRemoved", &[813]),
    ("NetworkAssigned", &[946, 1100, 1112]),
    ("NetworkUnassigned", &[948]),
    ("NetworkCreated", &[942]),
    ("NetworkUpdated", &[1114]),
    ("NetworkRemoved", &[944]),
    ("VnicProfileCreated", &[1122]),
    ("VnicProfileUpdated", &[1124]),
    ("VnicProfileRemoved", &[1126]),
    ("HostAdded", &[42]),
    ("HostRegistered", &[828]),
    ("HostApproved", &[498]),
    ("HostUpdated", &[43]),
    ("HostFenceUnconfigured", &[9000]),
    ("HostMemoryLow", &[531]),
    ("HostNxMissed", &[601]),
    ("HostRefreshed", &[606, 607]),
    ("HostInstallationStarted", &[509]),
    ("HostInstalled", &[504]),
    ("HostStatusChanged", &[12, 13, 14, 15, 16, 17, 127, 141, 500, 505, 515, 516, 517, 519, 522, 600, 602, 603]),
    ("HostFenced", &[20, 21, 41, 107, 118, 121, 122, 137, 494, 9001]),
    ("HostFencingStarted", &[605]),
    ("HostFenceFellBack", &[9007]),
    ("HostFenceSkipped", &[9003, 9004]),
    ("HostContactLost", &[9008]),
    ("SpmForced", &[159]),
    ("HostRemoved", &[44]),
    ("HostBondSet", &[924, 1102]),
    ("HostBondRemoved", &[926]),
    ("HostNetworkAttached", &[920, 1102]),
    ("HostNetworkDetached", &[922]),
    ("HostLinkChanged", &[609, 610]),
    ("HostNetworksCommitted", &[1104]),
    ("StorageDomainImported", &[956]),
    ("StorageDomainCreated", &[956]),
    ("StorageDomainCreationFailed", &[957]),
    ("StorageDomainUpdated", &[958]),
    ("StorageDomainStatusChanged", &[962, 966, 968, 970, 1002]),
    ("MasterSought", &[983, 984]),
    ("StorageDomainDelayed", &[524]),
    ("StorageDomainDetached", &[964]),
    ("StorageDomainSpaceReported", &[26, 201]),
    ("StorageDomainExtended", &[972]),
    ("StorageDomainRemoved", &[960, 981]),
    ("QuotaCreated", &[3000]),
    ("QuotaUpdated", &[3002]),
    ("QuotaLimitsSet", &[3002, 3012]),
    ("QuotaRemoved", &[3004]),
    ("QuotaStrained", &[3006, 3007, 3008, 3009, 3010, 3011, 3013, 3014, 3015, 3016]),
    ("DiskAdded", &[2020, 2027]),
    ("DiskCreated", &[97, 2021, 2028]),
    ("DiskCreationFailed", &[98, 2022, 2029]),
    ("DiskExportStarted", &[2030]),
    ("DiskExported", &[2031]),
    ("DiskExportFailed", &[2032]),
    ("DiskUpdated", &[88]),
    ("DiskExtended", &[371]),
    ("DiskExtensionFailed", &[370]),
    ("DiskRemoved", &[2014]),
    ("VmCreated", &[34]),
    ("VmUpdated", &[35]),
    ("VmRemoved", &[113]),
    ("NicAdded", &[932]),
    ("NicUpdated", &[934, 1012, 1014]),
    ("NicRemoved", &[930]),
    ("DiskAttached", &[78, 2016]),
    ("DiskAttachmentUpdated", &[88, 2000, 2002]),
    ("DiskDetached", &[2018]),
    ("CdRomChanged", &[38, 528]),
    ("VmStartRequested", &[40, 150, 506]),
    ("VmRelocated", &[151, 507]),
    ("VmUp", &[32, 153, 163]),
    ("VmPaused", &[39, 138, 139, 145, 146]),
    ("VmStartFailed", &[54]),
    ("VmStopRequested", &[33]),
    ("VmShutdownRequested", &[73]),
    ("VmShutdownFellBack", &[76]),
    ("VmRebootRequested", &[157]),
    ("VmSuspendRequested", &[501]),
    ("VmSuspended", &[503]),
    ("VmDown", &[61, 111, 119, 143]),
    ("VmNotResponding", &[126]),
    ("VmLost", &[142]),
    ("VmMigrationRequested", &[62, 67]),
    ("VmMigrationCancelRequested", &[161]),
    ("VmMigrated", &[63]),
    ("VmMigrationFailed", &[64, 65, 140]),
    ("VmTicketSet", &[164]),
    ("TemplateCreated", &[48]),
    ("TagCreated", &[432]),
    ("TagUpdated", &[430, 555]),
    ("TagRemoved", &[434]),
    ("TagAttached", &[436, 438, 440, 442]),
    ("TagDetached", &[444, 446, 448, 450]),
    ("UserAdded", &[149]),
    ("UserPasswordChanged", &[346]),
    ("UserRemoved", &[325]),
    ("UserLocked", &[160]),
    ("UserUnlocked", &[20_003]),
    ("UserDeactivated", &[20_004]),
    ("UserReactivated", &[20_005]),
    ("GroupAdded", &[149]),
    ("GroupRemoved", &[408]),
    ("GroupMemberAdded", &[20_001]),
    ("GroupMemberRemoved", &[20_002]),
    ("RoleUpdated", &[856]),
    ("RoleRemoved", &[858]),
    ("RolePermitAdded", &[860]),
    ("RolePermitRemoved", &[862]),
    ("RoleCreated", &[864]),
    ("PermissionGranted", &[850, 866]),
    ("PermissionRevoked", &[852, 868]),
    ("SessionOpened", &[30]),
    ("SessionClosed", &[31]),
    ("LoginFailed", &[114]),
    ("LoginsRefused", &[20_010]),
    (
        "JobEnded",
        &[
            18, 56, 59, 74, 102, 105, 158, 165, 502, 921, 923, 925, 927, 935, 961, 963, 965, 967, 969, 973, 1003, 1006, 1013,
            1015, 1103, 1105, 2001, 2003, 2015, 9002,
        ],
    ),
    ("ExternalEventReported", &[9801, 9802, 9803, 9804]),
    ("ExternalJobAdded", &[11_000]),
];

#[test]
fn what_the_table_tells_of_are_kinds_of_events_and_codes() {
    let kinds: BTreeSet<_> = Event::KINDS.iter().map(|kind| kind.name).collect();
    let told: BTreeSet<_> = TOLD.iter().map(|(kind, _)| *kind).collect();
    assert!(told.is_subset(&kinds) && told.len() == TOLD.len());
    for (kind, codes) in TOLD {
        for code in *codes {
            assert!(fact(*code).is_some(), "{kind} raises {code}, which has no words");
        }
    }
}

/// Every code of the guide's appendix E is raised with upstream's severity, or there is a reason why it is not.
#[test]
fn the_codes_of_the_appendix_are_raised_or_have_a_reason() {
    let raised: BTreeSet<u32> = TOLD.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
    let listed = include_str!("../../../tests/data/appendix-e.tsv").lines().filter(|line| !line.starts_with('#'));
    let mut wrong: Vec<String> = Vec::new();
    for line in listed {
        let [code, name, severity, reason] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        let code: u32 = code.parse().expect("a number");
        match (raised.contains(&code).then(|| fact(code)).flatten(), reason) {
            (Some(fact), "") if fact.name == name && fact.severity.name() == severity => {}
            (None, reason) if !reason.is_empty() => {}
            (fact, reason) => wrong.push(format!("{code} {name} {severity}, {reason:?}: {fact:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_of_codes_is_sorted_and_its_messages_are_whole() {
    assert!(FACTS.is_sorted_by(|one, other| one.code < other.code));
    for fact in FACTS {
        let blind = fact.render(|_| None);
        assert!(!blind.contains(['$', '{', '[']), "{}: {blind}", fact.code);
        let full = fact.render(|_| Some("x"));
        assert!(!full.contains("unknown>") && full.ends_with('.') | full.ends_with('x'), "{}: {full}", fact.code);
    }
}

/// Upstream's codes, those of the guide's appendix E among them.
const UPSTREAM: &str = include_str!("../../../tests/data/event-codes.tsv");

/// Codes of ours, where upstream has none.
const OWN_CODES: std::ops::Range<u32> = 20_000..30_000;

#[test]
fn codes_mean_what_they_mean_upstream() {
    let rows: Vec<Vec<&str>> =
        UPSTREAM.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect();
    let means = |fact: &Fact, row: &[&str]| {
        let severe = row[3].split('|').any(|severity| severity == fact.severity.name());
        row[..2] == [&*fact.code.to_string(), fact.name] && severe && row[4] == fact.flood_seconds.to_string()
    };
    let known = FACTS.iter().filter(|fact| !OWN_CODES.contains(&fact.code));
    let wrong: Vec<&Fact> = known.filter(|fact| !rows.iter().any(|row| means(fact, row))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A life of many kinds of events, whose entries the table has to allow.
fn life() -> Lab {
    let mut lab = Lab::installed();
    let north = lab.host("north");
    let south = lab.host("south");
    let domain = lab.storage("data", north);
    let vm = lab.vm("vm1");
    lab.disk(vm, "vm1_Disk1");
    lab.start(BY_ADMIN, vm, north);
    lab.admin(MigrateVm { vm, host: Some(south), force: false });
    lab.observe(vm, Observed::Migrated { from: north, to: south });
    lab.admin(SetTicket { vm, sealed: "sealed".into(), expires_s: 120 });
    let job = lab.job();
    lab.system(FinishTicket { job, vm, expires_s: 120, outcome: Ok(()) });
    lab.admin(RebootVm { vm });
    lab.observe(vm, Observed::Up(Guest::default()));
    lab.admin(SuspendVm { vm });
    lab.observe(vm, Observed::Saved);
    lab.start(Actor::System, vm, north);
    lab.admin(ShutdownVm { vm });
    lab.system(FallBackToStop { vm });
    lab.observe(vm, Observed::Down { error: false, message: "User shut down".into() });
    lab.start(BY_ADMIN, vm, north);
    let (detail, patience) = ("no answer".to_owned(), Patience::default());
    lab.system(ReportSilent { host: north, detail: detail.clone(), patience });
    lab.system(ReportUnresponsive { host: north, detail });
    lab.admin(FenceHost { host: north, fence: FenceType::Restart });
    let job = lab.job();
    lab.system(FinishFence { host: north, job, fence: FenceType::Restart, failure: None });
    lab.admin(DeactivateHost { host: south });
    let job = lab.job();
    lab.system(FinishEvacuation { host: south, job, failure: None });
    lab.admin(ActivateHost { host: south });
    let (job, facts) = (lab.job(), lab.world.hosts.get(&south).map(|h| h.facts.clone()).unwrap_or_default());
    lab.system(ReportConnected { host: south, job: Some(job), outcome: Ok(facts) });
    lab.admin(DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
    let job = lab.job();
    lab.system(FinishStorageTask { job, domain, outcome: Ok(()) });
    lab.admin(ActivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
    let job = lab.job();
    lab.system(FinishStorageTask { job, domain, outcome: Err("mount failed".into()) });
    lab.admin(AddUser { name: "ann".into(), password: "hash".into(), roles: vec![SUPER_USER] });
    lab.admin(evirt_domain::vm::RemoveVm { vm, keep_disks: true });
    lab
}

#[test]
fn events_raise_only_codes_that_the_table_allows() {
    let lab = life();
    for (position, entry) in &lab.entries {
        let kind = lab.log[*position as usize - 1].event.kind();
        let codes = TOLD.iter().find(|(own, _)| *own == kind).map_or(&[][..], |(_, codes)| codes);
        assert!(codes.contains(&entry.code), "{kind} raised {}", entry.code);
        assert!(!entry.message.contains("<unknown>"), "{kind}: {}", entry.message);
    }
    let silent = |kind: &str| TOLD.iter().all(|(own, _)| *own != kind);
    for recorded in lab.log.iter().filter(|r| silent(r.event.kind())) {
        assert!(lab.entries.iter().all(|(position, _)| *position != recorded.position));
    }
}

#[test]
fn a_start_is_told_in_the_guides_words() {
    let mut lab = Lab::installed();
    let host = lab.host("hypervisor");
    let vm = lab.vm("vm1");
    let from = lab.world.position;
    lab.start(BY_ADMIN, vm, host);
    assert_eq!(
        lab.told(from),
        [(150, "Starting VM vm1 was initiated by admin."), (153, "vm1 was started by admin (Host: hypervisor)."),]
    );
    let (_, last) = lab.entries.last().expect("it was told");
    assert_eq!((last.about.user, last.about.vm, last.about.host), (Some(ADMIN), Some(vm), Some(host)));
    assert_eq!(last.about.data_center, Some(DEFAULT_DATA_CENTER));
}

#[test]
fn logins_are_told_in_the_guides_words() {
    let mut lab = Lab::installed();
    let from = lab.world.position;
    let opened =
        lab.run(BY_ADMIN, OpenSession { user: ADMIN, token_hash: "hash".into(), ttl_minutes: 5, ..OpenSession::default() });
    let Event::SessionOpened(opened) = &opened[0] else { panic!("{opened:?}") };
    lab.run(BY_ADMIN, CloseSession { session: opened.session.id, end: SessionEnd::LoggedOut });
    lab.system(RefuseLogin { name: "admin@internal".into(), from: "192.0.2.7".into() });
    lab.system(RefuseLogin { name: "mallory".into(), from: "192.0.2.7".into() });
    lab.system(RefuseLogin { name: String::new(), from: "192.0.2.7".into() });
    assert_eq!(
        lab.told(from),
        [
            (30, "User admin logged in."),
            (31, "User admin logged out."),
            (114, "User admin failed to log in."),
            (114, "User mallory failed to log in."),
            (114, "User failed to log in."),
        ]
    );
    let keys: Vec<_> = lab.entries.iter().filter(|(_, e)| e.code == 30).map(|(_, e)| e.flood_key.clone()).collect();
    assert!(keys.iter().flatten().all(|key| key.seconds == 5) && !keys.is_empty());
}

#[test]
fn what_the_system_does_names_no_user_and_what_it_finishes_names_who_asked() {
    let mut lab = Lab::installed();
    let host = lab.host("north");
    let vm = lab.vm("vm1");
    let from = lab.world.position;
    lab.start(Actor::System, vm, host);
    let domain = lab.storage("data", host);
    assert_eq!(
        lab.told(from),
        [
            (506, "The system restarts VM vm1 on host north."),
            (32, "VM vm1 runs on host north."),
            (956, "Storage domain data was added by admin."),
            (1002, "Storage domain data was attached to data center Default as its first by admin."),
            (966, "Storage domain data was activated in data center Default by admin."),
            (204, "Host north is the storage pool manager of data center Default (Address: north.example.com)."),
        ]
    );
    let attached =
        lab.entries.iter().find(|(_, e)| e.code == 966).map(|(_, e)| (e.about.storage_domain, e.about.data_center, e.about.user));
    assert_eq!(attached, Some((Some(domain), Some(DEFAULT_DATA_CENTER), Some(ADMIN))));
}

#[test]
fn an_attachment_is_told_when_it_has_come_about() {
    let mut lab = Lab::installed();
    let host = lab.host("north");
    lab.storage("first", host);
    let second = lab.storage("second", host);
    let data_center = DEFAULT_DATA_CENTER;
    lab.admin(DeactivateStorageDomain { domain: second, data_center });
    lab.system(FinishStorageTask { job: lab.job(), domain: second, outcome: Ok(()) });
    lab.admin(DetachStorageDomain { domain: second, data_center });
    lab.system(FinishStorageTask { job: lab.job(), domain: second, outcome: Ok(()) });
    for (steps, codes) in [(0, vec![963]), (1, vec![962, 967])] {
        let from = lab.world.position;
        lab.admin(AttachStorageDomain { domain: second, data_center });
        assert_eq!(lab.told(from), [], "it is only asked for yet");
        let (job, outcome) = (lab.job(), Err("no lease".into()));
        lab.system(FinishStep { job, done: steps });
        lab.system(FinishStorageTask { job, domain: second, outcome });
        assert_eq!(lab.told(from).into_iter().map(|(code, _)| code).collect::<Vec<_>>(), codes);
    }
}

#[test]
fn a_limit_of_nothing_has_no_shares() {
    let mut lab = Lab::installed();
    let created = lab.admin(CreateQuota { data_center: DEFAULT_DATA_CENTER, config: QuotaConfig::named("gold".into()) });
    let Event::QuotaCreated(created) = &created[0] else { panic!("{created:?}") };
    let from = lab.world.position;
    for (resource, used_percent, requested_percent) in
        [(Resource::Storage, 50, 80), (Resource::Storage, 0, 0), (Resource::Cluster, 0, 0)]
    {
        let (data_center, quota, strain, vm) = (DEFAULT_DATA_CENTER, Some(created.quota), Strain::Refused, None);
        let strained = QuotaStrained { data_center, quota, resource, strain, used_percent, requested_percent, vm };
        lab.record(BY_ADMIN, strained.into());
    }
    let told: Vec<&str> = lab.told(from).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        told[0],
        "Storage was refused: the storage limit of quota gold would be exceeded: 130% of it would be consumed, 80% for this alone, wanted by admin."
    );
    assert_eq!(told[1], "Storage was refused: the storage limit of quota gold would be exceeded, wanted by admin.");
    assert!(!told[2].contains('%'), "{}", told[2]);
}

#[test]
fn failures_say_why() {
    let mut lab = Lab::installed();
    let host = lab.host("north");
    let vm = lab.vm("vm1");
    lab.admin(StartVm { vm, ..StartVm::default() });
    let job = lab.job();
    lab.host("south");
    let from = lab.world.position;
    lab.system(FailLaunch { vm, job, reason: "no memory".into() });
    lab.system(FailLaunch { vm, job, reason: "no memory".into() });
    lab.start(BY_ADMIN, vm, host);
    lab.observe(vm, Observed::Down { error: true, message: "Lost connection with qemu process".into() });
    let told = lab.told(from);
    assert_eq!(told[0], (151, "VM vm1 could not be started on host north; another is tried: no memory."));
    assert_eq!(told[1], (54, "VM vm1 could not be started for admin: no memory."));
    assert_eq!(told[4], (119, "VM vm1 went down with an error. Lost connection with qemu process."));
    assert_eq!(told.len(), 5, "{told:?}");
}

#[test]
fn a_disk_that_cannot_be_removed_is_told_once() {
    let mut lab = Lab::installed();
    let host = lab.host("north");
    lab.storage("data", host);
    let vm = lab.vm("vm1");
    let disk = lab.disk(vm, "vm1_Disk1");
    lab.admin(evirt_domain::vm::DetachDisk { vm, disk });
    lab.admin(evirt_domain::disk::RemoveDisk { disk });
    let (job, from) = (lab.job(), lab.world.position);
    lab.system(evirt_domain::disk::FinishDiskRemoval { job, disk, outcome: Err("busy".into()) });
    let codes: Vec<u32> = lab.told(from).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [2015]);
}

#[test]
fn removed_things_keep_their_names() {
    let mut lab = Lab::installed();
    let vm = lab.vm("vm1");
    let from = lab.world.position;
    lab.admin(evirt_domain::vm::RemoveVm { vm, keep_disks: true });
    assert_eq!(lab.told(from), [(113, "VM vm1 was removed by admin.")]);
    let (_, entry) = lab.entries.last().expect("it was told");
    assert_eq!(entry.about.vm, Some(VmId(vm.0)));
}

#[test]
fn what_goes_wrong_by_itself_has_codes_of_its_own() {
    let mut lab = Lab::installed();
    let codes = |lab: &Lab, from| -> Vec<u32> { lab.told(from).into_iter().map(|(code, _)| code).collect() };
    let from = lab.world.position;
    let (north, south) = (lab.host("north"), lab.host("south"));
    assert_eq!(codes(&lab, from).iter().filter(|code| **code == 835).count(), 1, "the first host's CPU is the cluster's");
    let (first, second) = (lab.storage("first", north), lab.storage("second", north));
    let from = lab.world.position;
    for (domain, host) in [(first, north), (first, south), (second, north), (second, south)] {
        lab.system(ReportDomainReach { domain, host, reachable: false });
    }
    assert_eq!(codes(&lab, from), [970, 984, 970, 983]);
    let vm = lab.vm("vm1");
    lab.start(BY_ADMIN, vm, north);
    lab.admin(DeactivateHost { host: north });
    let job = lab.job();
    let from = lab.world.position;
    lab.system(FinishEvacuation { host: north, job, failure: Some("no route".into()) });
    assert_eq!(
        lab.told(from),
        [(602, "Host north could not be put into maintenance for admin: these VMs did not leave it: vm1.")]
    );
    lab.run(Actor::System, StopVm { vm });
    lab.observe(vm, Observed::Absent);
    lab.run(Actor::System, StartVm { vm, host: None, ..StartVm::default() });
    let (job, from) = (lab.job(), lab.world.position);
    lab.system(FailLaunch { vm, job, reason: "no memory".into() });
    assert_eq!(codes(&lab, from), [507]);
    let from = lab.world.position;
    for host in [north, south] {
        lab.system(ReportUnresponsive { host, detail: "no answer".into() });
    }
    assert!(codes(&lab, from).contains(&979), "{:?}", codes(&lab, from));
}
