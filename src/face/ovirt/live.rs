//! What searches may ask beside the World: the load of hosts and VMs as last sampled, and the newest entries of the audit log.

use std::collections::BTreeMap;

use axum::http::Method;
use evirt_domain::ids::{HostId, VmId};
use evirt_projections::inventory::{About, AuditRecord, Events, HostLive, Live, VmLive};

use super::answer::Answer;
use super::representation::Fault;
use super::request::Call;
use crate::audit::AuditQuery;
use crate::engine::Engine;
use crate::hypervisor::NicStatistics;

/// How many entries of the audit log, the newest, a search for something else may refer to.
pub const MAX_EVENTS_SEARCHED: u64 = 20_000;
/// What an interface is reckoned to carry, in bytes per second.
const NIC_BYTES_PER_S: f64 = 125_000_000.0;

impl Live for Engine {
    fn vm(&self, id: VmId) -> Option<VmLive> {
        let seen = self.driver().vm_statistics(id.0)?;
        Some(VmLive {
            cpu_percent: Some((seen.cpu_guest_percent + seen.cpu_hypervisor_percent) as i64),
            memory_percent: percent(seen.memory_used_bytes, seen.memory_installed_bytes),
            network_percent: Some(network(&seen.nics)),
            ..VmLive::default()
        })
    }

    fn host(&self, id: HostId) -> Option<HostLive> {
        let seen = self.driver().host_statistics(id.0)?;
        Some(HostLive {
            cpu_percent: Some((100.0 - seen.cpu_idle_percent) as i64),
            memory_percent: percent(seen.memory_used_bytes, seen.memory_total_bytes),
            network_percent: Some(network(&seen.nics)),
            load: Some(seen.load_average),
        })
    }
}

fn percent(part: u64, whole: u64) -> Option<i64> {
    (whole > 0).then(|| i64::try_from(part.saturating_mul(100) / whole).unwrap_or(100))
}

/// The use of the busiest interface.
fn network(nics: &[NicStatistics]) -> i64 {
    let busiest = nics.iter().map(|nic| nic.rx_bytes_per_s.max(nic.tx_bytes_per_s)).fold(0.0, f64::max);
    (busiest * 100.0 / NIC_BYTES_PER_S) as i64
}

/// Entries of the audit log by what they are about, the newest first.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<About, Vec<AuditRecord>>);

impl Events for Told {
    fn about(&self, about: About, visit: &mut dyn FnMut(&AuditRecord) -> bool) {
        let _ = self.0.get(&about).into_iter().flatten().any(visit);
    }
}

/// The entries that a request's search may refer to; none where it refers to no events.
pub async fn told(call: &Call) -> Result<Option<Told>, Answer> {
    let search = call.parameter("search").unwrap_or_default().to_lowercase();
    if call.method != Method::GET || call.segment(0) == "events" || !search.contains("event") || !call.visible().is_everything() {
        return Ok(None);
    }
    let entries = call.engine().audit().find(AuditQuery::newest(MAX_EVENTS_SEARCHED)).await;
    let entries = entries.map_err(|error| Answer::fault(503, &Fault::failed(error.to_string()), call.output))?;
    let mut told: BTreeMap<About, Vec<AuditRecord>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| super::events::is_shown(&call.world, entry)) {
        let record = super::events::record(entry);
        let about = [
            record.vm.map(About::Vm),
            record.host.map(About::Host),
            record.template.map(About::Template),
            record.user.map(About::User),
        ];
        for about in about.into_iter().flatten() {
            told.entry(about).or_default().push(record.clone());
        }
    }
    Ok(Some(Told(told)))
}
