//! One file per driver, one line here. How to write one: docs/DEVICES.md.

mod calls_us;
mod modbus;
mod modbus_rtu;
mod modbus_tcp;
mod mqtt;
mod simulator;

use super::driver_list::Driver;

/// Every driver.
pub const DRIVERS: &[Driver] = &[
    calls_us::DRIVER,
    modbus_rtu::DRIVER,
    modbus_tcp::DRIVER,
    mqtt::DRIVER,
    simulator::DRIVER,
];
