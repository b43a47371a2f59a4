//! The RHEV-M/oVirt REST API, version 3.

pub mod representation;
mod datacenters;
mod disks;
mod hosts;
mod jobs;
mod networks;
mod parts;
mod permissions;
mod probe;
mod roles;
mod storagedomains;
mod tags;
mod templates;
mod users;
mod vnicprofiles;
