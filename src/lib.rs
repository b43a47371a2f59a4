//! The evirt server as a library: the binary, the tests and the benchmarks all start it from here.

pub mod engine;
pub mod face;
pub mod hypervisor;
pub mod log;
pub mod reactors;
