//! Machines that do not call us: drivers behind the ports of `usecase::machine_ports`, and the runner that carries their commands out.
//! Not here: what an outcome means for a loan or a compartment. A device that calls us comes by `http::v1::machines`.

mod actor;
pub mod bus;
mod doors;
pub mod driver_list;
pub mod drivers;
pub mod line;
mod orders;
pub mod reach;
pub mod runner;
pub mod settings;
mod worker;
