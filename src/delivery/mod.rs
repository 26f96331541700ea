//! The carrier outside: an adapter over HTTP for the port in `usecase::book_carrier`, and a carrier that is simulated, for
//! development and tests. The messages are described in docs/PARCELS.md.

pub mod breaker;
pub mod http_carrier;
pub mod simulator;
