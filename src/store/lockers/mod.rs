//! Lockers and browsing machines: compartments, sessions, returns, loans in two phases, loading rounds.
//! Not for: what a step means (`domain::compartment_life`, `domain::two_phase`).

pub mod compartments;
pub mod confirmations;
pub mod returns;
pub mod rounds;
pub mod sessions;
