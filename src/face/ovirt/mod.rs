//! The RHEV-M/oVirt REST API, version 3.

pub mod representation;
