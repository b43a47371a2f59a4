//! What the domain promises: each use case against its rules, the shapes of events on disk, and that folding is one function.

mod access;
mod clusters;
mod crate_graph;
mod creations;
mod determinism;
mod disks;
mod external;
mod folding;
mod golden;
mod golden_history;
mod harness;
mod host_nets;
mod hosts;
mod hotplug;
mod images;
mod jobs;
mod networks;
mod quotas;
mod schedule;
mod storage;
mod storage_connections;
mod tags;
mod vm_config;
mod vm_runs;
mod vm_states;
