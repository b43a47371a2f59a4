//! Hosts come and go, and the engine with them, while machines start, stop and migrate: whatever is under way ends by what is true.

use std::collections::{BTreeMap, BTreeSet};

use evirt_domain::host::ActivateHost;
use evirt_domain::vm_run::{MigrateVm, ShutdownVm, StopVm};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::*;
use crate::hypervisor::VmState as Reported;

/// How many lives are lived through, each with steps of its own.
const LIVES: u64 = 8;
/// How many steps each has.
const STEPS: usize = 80;
const HOSTS: u8 = 3;
const MACHINES: usize = 6;

/// One thing that may be asked for. What cannot be at the moment is refused, and that is well.
fn wanted(rng: &mut StdRng, hosts: &[HostId], vms: &[VmId]) -> Intent {
    let (host, vm) = (*hosts.choose(rng).unwrap(), *vms.choose(rng).unwrap());
    match rng.random_range(0..12) {
        0..4 => StartVm { vm, host: rng.random_bool(0.5).then_some(host), ..StartVm::default() }.into(),
        4 => StopVm { vm }.into(),
        5 => ShutdownVm { vm }.into(),
        6..8 => MigrateVm { vm, host: Some(host), force: true }.into(),
        8..10 => DeactivateHost { host }.into(),
        _ => ActivateHost { host }.into(),
    }
}

/// The machines that hosts run, and where. What is saved or down runs no more.
async fn true_places(lab: &Lab, hosts: &[HostId]) -> BTreeMap<Uuid, Uuid> {
    let mut places = BTreeMap::new();
    for host in hosts {
        let Ok(Reply::Vms(found)) = lab.driver.call(OperationId(0), DriverCall::ListVms { host: host.0 }).await else {
            panic!("{host} does not say what it runs");
        };
        let runs = found.into_iter().filter(|report| !matches!(report.state, Reported::Down { .. } | Reported::Saved));
        places.extend(runs.map(|report| (report.vm, host.0)));
    }
    places
}

async fn live(seed: u64) -> Result<(), String> {
    let data = tempfile::tempdir().unwrap();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut lab = Lab::open(data.path()).await;
    let sealed = Sealer::open(data.path()).unwrap().seal(PASSWORD).unwrap();
    let (mut hosts, mut vms) = (Vec::new(), Vec::new());
    for n in 1..=HOSTS {
        hosts.push(lab.host(&sealed, n, DEFAULT_CLUSTER, PowerManagement::default()).await);
    }
    for n in 0..MACHINES {
        vms.push(lab.vm(&format!("vm{n}")).await);
    }
    for _ in 0..STEPS {
        let _ = lab.engine.submit(&request(), wanted(&mut rng, &hosts, &vms)).await;
        // The next thing is asked for somewhere in what this one brings about.
        let goal = lab.engine.world().position + rng.random_range(0..4);
        let moved = lab.engine.until(|world| (world.position >= goal).then_some(()));
        let _ = tokio::time::timeout(Duration::from_millis(rng.random_range(1..20)), moved).await;
        if rng.random_bool(0.04) {
            lab.close().await;
            lab = Lab::open(data.path()).await;
        }
    }
    lab.quiet().await?;
    for host in &hosts {
        let _ = lab.engine.submit(&request(), ActivateHost { host: *host }).await;
    }
    lab.quiet().await?;
    let world = lab.engine.world();
    let runs: BTreeMap<Uuid, Uuid> = world.vms.values().filter_map(|vm| Some((vm.id.0, vm.host()?.0))).collect();
    let up: BTreeSet<&str> = hosts.iter().filter_map(|id| Some(world.hosts.get(id)?.status.name())).collect();
    check(up == BTreeSet::from(["up"]), || format!("hosts are {up:?}"))?;
    // A machine that was given up is ended when its host is asked next.
    let mut differ = Vec::new();
    for _ in 0..200 {
        let places = true_places(&lab, &hosts).await;
        differ = (world.vms.values())
            .filter(|vm| runs.get(&vm.id.0) != places.get(&vm.id.0))
            .map(|vm| {
                format!("{} runs on {:?}, and the engine says {:?} {:?}", vm.config.name, places.get(&vm.id.0), vm.state, vm.run)
            })
            .collect();
        if differ.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    check(differ.is_empty(), || format!("{differ:?}"))?;
    // No machine went down by itself, so that none may have been given up.
    let records = lab.engine.log().read(0, 100_000).await.unwrap();
    let given_up: Vec<_> =
        records.iter().filter(|record| record.kind == "VmDown" && record.payload.contains("\"error\":true")).collect();
    check(given_up.is_empty(), || format!("{given_up:?}"))?;
    lab.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_come_and_go_and_no_machine_is_lost() {
    let mut wrong = Vec::new();
    for seed in 0..LIVES {
        wrong.extend(live(seed).await.err().map(|why| format!("life {seed}: {why}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
