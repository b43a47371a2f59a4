//! Hypervisor drivers: the trait that they implement, and the simulator.
