//! Machines that do not call us: drivers behind the ports of `usecase::machine_ports`, and the runner that carries their commands out.
//! Not here: what an outcome means for a loan or a compartment. A device that calls us comes by `http::v1::machines`.

pub mod bus;
pub mod driver_list;
pub mod drivers;
pub mod runner;
pub mod settings;
