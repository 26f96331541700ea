//! The carrier and the provider of scores outside: adapters over HTTP for the ports in `usecase::book_carrier` and
//! `usecase::ask_provider`, and both simulated, for development and tests. The messages are described in docs/PARCELS.md and
//! docs/ADMISSION.md.

pub mod breaker;
pub mod http_carrier;
pub mod http_provider;
pub mod provider_simulator;
pub mod simulator;
