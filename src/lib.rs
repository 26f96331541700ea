//! Tongjie (通借): circulation for a city's library network.
//!
//! Data flows one way:
//!
//! ```text
//! HTTP · SIP2 · device event · timer
//!    └─> usecase::<verb>          loads Facts inside one transaction
//!          └─> domain::<verb>::decide(&Facts, now) -> Result<Plan, Refusals>      pure
//!          └─> the store applies the Plan, appends the event, commits
//! ```
//!
//! Adapters parse and render, use cases orchestrate, the domain decides, the store keeps. See docs/ARCHITECTURE.md.

pub mod app;
pub mod auth;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod device;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod letter;
pub mod store;
pub mod telemetry;
pub mod usecase;
