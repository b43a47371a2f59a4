//! The evirt command.

use std::process::ExitCode;

/// Small allocations are most of what a request costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    evirt::cli::main()
}
