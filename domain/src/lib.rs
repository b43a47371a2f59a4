//! evirt-domain: aggregates, commands, events and rejections. Pure: no I/O, no clock, no randomness.
