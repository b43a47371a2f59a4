//! Black-box tests: they start a server of their own on free ports, or the binary itself, and speak HTTP or the command line.

mod auth;
mod cli;
mod engine;
mod hosts;
mod server;
