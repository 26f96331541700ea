//! Tests of the pure core: scenarios as tables, which reach every refusal code, and properties over generated facts; and
//! the whole of it at once, a simulated network on a real store.

mod calendars;
mod credit_presets;
#[path = "../support/database.rs"]
mod database;
mod decide;
mod generate;
mod holds;
mod merge_bibs;
mod outcomes;
mod policies;
mod refusals;
mod rules;
mod scene;
mod simulation;
