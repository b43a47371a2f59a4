//! What operators see: log lines on stderr, and figures for Prometheus.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// What is logged when nobody asks for more.
const DEFAULT_FILTER: &str = "info";

/// Bounds of the latency histogram's buckets in seconds.
const LATENCY_BUCKETS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often recorded latencies are gathered into the histogram; until then each takes room of its own.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Begins to log to stderr. The filter is the one given, else RUST_LOG, else `info`; colours only on a terminal.
pub fn log_to_stderr(filter: Option<&str>) -> Result<()> {
    let filter = match filter {
        Some(filter) => EnvFilter::try_new(filter).with_context(|| format!("--log {filter}"))?,
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER)),
    };
    // A second call, as tests make it, leaves the first one's subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
    Ok(())
}

/// The process's figures. There is one set for a process, whoever asks first.
pub fn figures() -> &'static PrometheusHandle {
    static FIGURES: OnceLock<PrometheusHandle> = OnceLock::new();
    FIGURES.get_or_init(|| {
        let recorder = PrometheusBuilder::new().set_buckets(LATENCY_BUCKETS).expect("there are buckets").build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another recorder of figures is installed; /metrics stays empty");
        }
        describe();
        handle
    })
}

fn describe() {
    metrics::describe_counter!("evirt_http_requests_total", "Requests answered, by method and status.");
    metrics::describe_histogram!("evirt_http_request_seconds", "Time from a request's arrival to its answer.");
    metrics::describe_counter!("evirt_connections_refused_total", "Connections hung up on because there were too many.");
    metrics::describe_counter!(
        "evirt_driver_calls_total",
        "Calls to hosts and storage that were answered, by what they asked and their outcome."
    );
    metrics::describe_gauge!("evirt_log_head_position", "Position of the last event.");
    metrics::describe_gauge!(
        "evirt_log_verified_position",
        "Position up to which the event log was in order when it was last looked at."
    );
    metrics::describe_gauge!("evirt_log_verifications", "How often the event log was looked through since the start.");
    metrics::describe_gauge!("evirt_store_damaged", "1 where a file is known to be damaged.");
    metrics::describe_gauge!("evirt_commands_waiting", "Commands that wait to be decided or made durable.");
    metrics::describe_gauge!("evirt_sessions", "Open login sessions.");
}

/// Keeps the figures small for as long as the runtime lives.
pub async fn upkeep() {
    let mut tick = tokio::time::interval(UPKEEP_INTERVAL);
    loop {
        tick.tick().await;
        figures().run_upkeep();
    }
}
