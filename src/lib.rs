//! The evirt server as a library: the binary, the tests and the benchmarks all start it from here.

pub mod app;
pub mod audit;
pub mod backup;
pub mod cli;
pub mod config;
pub mod control;
pub mod directory;
pub mod engine;
pub mod face;
pub mod hypervisor;
pub mod log;
pub mod reactors;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod tls;
