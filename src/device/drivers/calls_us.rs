//! A device that speaks to us: it pulls its commands and says itself what came of them. Nothing runs here.

use crate::device::driver_list::{Driver, Start};
use crate::domain::device::Capability;
use crate::usecase::configure_device::CALLS_US;
use crate::usecase::machine_ports::Machine;

pub const DRIVER: Driver = Driver {
    name: CALLS_US,
    capabilities: Capability::ALL,
    make: |settings| settings.finish(Start::nowhere(Machine::default)),
};
