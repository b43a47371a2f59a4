//! Scheduling: each filter with its reason, weights by policy, and that no start promises memory that is not there.

use evirt_domain::Key::*;
use evirt_domain::check::Act;
use evirt_domain::cluster::*;
use evirt_domain::host::*;
use evirt_domain::ids::*;
use evirt_domain::install::{DEFAULT_CLUSTER, DEFAULT_DATA_CENTER};
use evirt_domain::network::{CreateNetwork, NetworkConfig, profiles_of};
use evirt_domain::schedule::*;
use evirt_domain::vm::*;
use evirt_domain::vm_run::*;
use evirt_domain::{Key, Rejection};
use proptest::prelude::*;

use crate::harness::*;

fn place_on(story: &Story, vm: VmId, wish: Wish<'_>) -> Result<HostId, Rejection> {
    let vm = story.world.vm(vm)?;
    place(&story.world, &story.context(), Act("run", "VM"), vm, wish)
}

/// A VM that needs no disk.
fn diskless(story: &mut Story, name: &str, changes: VmPatch) -> VmId {
    let vm = story.vm_with(VmPatch { name: Some(name.into()), boot: Some(vec![BootDevice::Network]), ..changes });
    story.nic(vm, "nic1");
    vm
}

fn start(vm: VmId, host: Option<HostId>) -> StartVm {
    StartVm { vm, host, ..StartVm::default() }
}

#[test]
fn each_filter_says_why() {
    let mut story = Story::installed();
    let host = story.host_in(DEFAULT_CLUSTER, "small", facts(4, 2));
    let other = story.host_in(DEFAULT_CLUSTER, "big", facts(64, 16));
    let network = NetworkConfig {
        name: "blue".into(),
        description: String::new(),
        comment: String::new(),
        vlan: Some(7),
        mtu: 0,
        stp: false,
        vm_network: true,
        ..NetworkConfig::default()
    };
    let blue = NetworkId(
        story.does(CreateNetwork { data_center: DEFAULT_DATA_CENTER, config: network, with_profile: true })[0]
            .as_fold()
            .stream()
            .id,
    );
    let network = ClusterNetwork { network: blue, required: false, display: false, migration: false };
    story.does(AssignNetwork { cluster: DEFAULT_CLUSTER, network });
    let d = VmPatch::default;
    let pinned = VmPatch { affinity: Some(Affinity::Pinned), pinned_host: Some(Some(other)), ..d() };
    let roomy = VmPatch { memory: Some(8 * GIB), memory_guaranteed: Some(8 * GIB), ..d() };
    let mut cases = vec![
        (diskless(&mut story, "pinned", pinned), "PinToHost", "the VM is pinned to another host"),
        (diskless(&mut story, "wide", VmPatch { cores: Some(4), ..d() }), "CPU", "it has 2 CPUs, 4 are needed"),
        (diskless(&mut story, "roomy", roomy), "Memory", "it has 3839 MiB free, 8257 MiB are needed"),
    ];
    let wired = diskless(&mut story, "wired", d());
    let profile = profiles_of(&story.world, blue).next().expect("a profile").id;
    story.does(AddNic { vm: wired, config: nic("nic2", Some(profile)) });
    cases.push((wired, "Network", "it lacks the network blue"));
    for (vm, filter, detail) in cases {
        let refusal = place_on(&story, vm, Wish { host: Some(host), except: &[other] }).expect_err(filter);
        let message = format!("The host small did not satisfy the filter {filter}: {detail}.");
        assert_eq!((refusal.key, &refusal.messages()[1..]), (AllHostsFilteredOut, &[message][..]));
    }
    let mut old = story.clone();
    old.given(vec![
        HostFactsReported { host, facts: HostFacts { cpu_family: "Intel Conroe Family".into(), ..facts(4, 2) } }.into(),
    ]);
    let vm = diskless(&mut old, "any", d());
    let refusal = place_on(&old, vm, Wish { host: None, except: &[other] }).expect_err("CPU-Level");
    assert!(refusal.messages()[1].contains("CPU-Level"), "{refusal:?}");
}

#[test]
fn only_hosts_of_the_cluster_that_are_up() {
    let mut story = Story::installed();
    let vm = diskless(&mut story, "vm", VmPatch::default());
    let nobody = |story: &Story| {
        let refusal = place_on(story, vm, Wish::default()).expect_err("no host");
        assert_eq!(refusal.because.iter().map(|r| r.key).collect::<Vec<Key>>(), [NoHostInCluster]);
    };
    nobody(&story);
    let config =
        ClusterConfig { name: "second".into(), data_center: Some(DEFAULT_DATA_CENTER), ..crate::harness::cluster_config() };
    let cluster = ClusterId(story.does(CreateCluster { config })[0].as_fold().stream().id);
    let foreign = story.host_in(cluster, "foreign", facts(64, 16));
    nobody(&story);
    story.when(start(vm, Some(foreign))).refused(AllHostsFilteredOut);
    let host = story.host("alpha");
    for status in HostStatus::ALL.iter().copied().filter(|s| *s != HostStatus::Up) {
        story.host_is(host, status);
        nobody(&story);
    }
    story.host_is(host, HostStatus::Up);
    assert_eq!(place_on(&story, vm, Wish::default()), Ok(host));
    story.when(start(vm, Some(foreign))).refused(AllHostsFilteredOut);
}

#[test]
fn the_host_that_was_asked_for_or_none() {
    let mut story = Story::installed();
    let (a, b) = (story.host("alpha"), story.host("beta"));
    let vm = diskless(&mut story, "vm", VmPatch::default());
    for wanted in [a, b] {
        story.load = [(wanted, 100)].into();
        assert_eq!(place_on(&story, vm, Wish { host: Some(wanted), except: &[] }), Ok(wanted));
        assert_eq!(place_on(&story, vm, Wish { host: None, except: &[wanted] }), Ok(if wanted == a { b } else { a }));
    }
    let key = |wish: Wish<'_>| place_on(&story, vm, wish).map_err(|r| r.key);
    assert_eq!(key(Wish { host: Some(a), except: &[a] }), Err(AllHostsFilteredOut));
    assert_eq!(key(Wish { host: None, except: &[a, b] }), Err(AllHostsFilteredOut));
}

#[test]
fn weights_follow_the_policy() {
    let placed = |policy, busy_load: u8, idle_load: u8| {
        let mut story = Story::installed();
        let (busy, idle) = (story.host("busy"), story.host("idle"));
        let changes = ClusterPatch { policy: Some(policy), ..ClusterPatch::default() };
        story.does(UpdateCluster { cluster: DEFAULT_CLUSTER, changes });
        let first = diskless(&mut story, "first", VmPatch { cores: Some(4), ..VmPatch::default() });
        story.does(start(first, Some(busy)));
        let second = diskless(&mut story, "second", VmPatch::default());
        story.load = [(busy, busy_load), (idle, idle_load)].into();
        place_on(&story, second, Wish::default()).expect("a place") == busy
    };
    for (policy, busy_load, idle_load, to_busy) in [
        (SchedulingPolicy::None, 0, 0, false),
        (SchedulingPolicy::EvenlyDistributed, 0, 0, false),
        (SchedulingPolicy::EvenlyDistributed, 0, 100, true),
        (SchedulingPolicy::PowerSaving, 0, 0, true),
        (SchedulingPolicy::PowerSaving, 100, 0, true),
    ] {
        assert_eq!(placed(policy, busy_load, idle_load), to_busy, "{policy:?} {busy_load} {idle_load}");
    }
}

#[test]
fn threads_count_where_the_cluster_says_so() {
    let mut story = Story::installed();
    let host = story.host_in(DEFAULT_CLUSTER, "alpha", facts(16, 2));
    let vm = diskless(&mut story, "vm", VmPatch { cores: Some(4), ..VmPatch::default() });
    assert!(place_on(&story, vm, Wish::default()).is_err());
    let changes = ClusterPatch { threads_as_cores: Some(true), ..ClusterPatch::default() };
    story.does(UpdateCluster { cluster: DEFAULT_CLUSTER, changes });
    assert_eq!(place_on(&story, vm, Wish::default()), Ok(host));
}

/// What a host has promised to the VMs that have a place on it, and what it may promise, in bytes.
fn promised(story: &Story, host: HostId) -> (i64, i64) {
    let world = &story.world;
    let cluster = world.clusters.get(&DEFAULT_CLUSTER).expect("Default");
    let promised = world.vms_on(host).map(|v| v.config.memory_guaranteed + GUEST_OVERHEAD).sum();
    let sums = world.placed.share(host, None);
    assert_eq!((sums.memory, sums.vms as usize), (promised, world.vms_on(host).count()), "the sums are those of the VMs there");
    let memory = world.hosts.get(&host).expect("the host").facts.memory;
    (promised, memory / 100 * i64::from(cluster.config.overcommit_percent) - HOST_RESERVED)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is started, moved and stopped in whatever order, no host ever promises more memory than it may.
    #[test]
    fn memory_is_never_over_committed(
        steps in prop::collection::vec((0usize..12, 0u8..6, 0usize..3), 1..80),
        sizes in prop::collection::vec(64i64..6000, 12),
        percent in prop::sample::select(vec![100u32, 150, 200]),
    ) {
        let mut story = Story::installed();
        let hosts = [4, 8, 12].map(|gib| story.host_in(DEFAULT_CLUSTER, &format!("host{gib}"), facts(gib, 8)));
        let changes = ClusterPatch { overcommit_percent: Some(percent), ..ClusterPatch::default() };
        story.does(UpdateCluster { cluster: DEFAULT_CLUSTER, changes });
        let vms: Vec<VmId> = (0..12)
            .map(|n| {
                let bytes = Some(sizes[n] << 20);
                diskless(&mut story, &format!("vm{n}"), VmPatch { memory: bytes, memory_guaranteed: bytes, ..VmPatch::default() })
            })
            .collect();
        for (n, action, host) in steps {
            let (vm, host) = (vms[n], hosts[host]);
            let job = story.world.vms.get(&vm).and_then(|v| v.run.as_ref()).and_then(|r| r.job).unwrap_or_default();
            let from = story.world.vms.get(&vm).and_then(|v| v.host()).unwrap_or_default();
            let to = story.world.vms.get(&vm).and_then(|v| v.run.as_ref()).and_then(|r| r.destination);
            let report = |observed| ReportVm { vm, generation: None, observed };
            let _ = match action {
                0 => story.tries(&start(vm, None).into()),
                1 => story.tries(&start(vm, Some(host)).into()),
                2 => story.tries(&report(Observed::Up(Guest::default())).into()),
                3 => story.tries(&MigrateVm { vm, host: None, force: true }.into()),
                4 => story.tries(&report(Observed::Migrated { from, to: to.unwrap_or(from) }).into()),
                _ => story.tries(&FailLaunch { vm, job, reason: "no".into() }.into()),
            };
            for host in hosts {
                let (promised, allowed) = promised(&story, host);
                prop_assert!(promised <= allowed, "{promised} of {allowed}");
            }
        }
    }
}
