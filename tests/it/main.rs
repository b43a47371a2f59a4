//! Black-box tests: they start a server of their own on free ports, or the binary itself, and speak HTTP or the command line.

mod access;
mod asynchronous;
mod auth;
mod bad_input;
mod cli;
mod clients;
mod conditions;
mod crash;
mod crash_work;
mod engine;
mod external;
mod found;
mod guide;
mod hidden;
mod hosts;
mod kept_logs;
mod ldap;
mod limits;
mod rooms;
mod searches;
mod server;
mod settings;
mod states;
mod storage;
mod tree;
mod work;
