//! A driver whose calls are counted, for `GET /metrics`.

use std::sync::Arc;

use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Answer, CallKind, DriverCall, HostStatistics, Hypervisor, Observation, OperationId, VmStatistics};

/// Counts the calls of another driver, by their kinds and whether they succeeded, in `evirt_driver_calls_total`. A call whose answer
/// nobody awaits is not counted.
pub struct Counted<H>(pub Arc<H>);

/// A kind as it is written in text.
fn name(kind: CallKind) -> String {
    serde_json::to_value(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl<H: Hypervisor> Hypervisor for Counted<H> {
    fn call(&self, id: OperationId, call: DriverCall) -> Answer<'_> {
        let kind = call.kind();
        let answer = self.0.call(id, call);
        Box::pin(async move {
            let outcome = answer.await;
            let became = if outcome.is_ok() { "done" } else { "failed" };
            metrics::counter!("evirt_driver_calls_total", "call" => name(kind), "outcome" => became).increment(1);
            outcome
        })
    }

    fn observe(&self) -> mpsc::Receiver<Observation> {
        self.0.observe()
    }

    fn host_statistics(&self, host: Uuid) -> Option<HostStatistics> {
        self.0.host_statistics(host)
    }

    fn vm_statistics(&self, vm: Uuid) -> Option<VmStatistics> {
        self.0.vm_statistics(vm)
    }
}
