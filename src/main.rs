//! The evirt command.

fn main() {}
