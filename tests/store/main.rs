//! The store's promises, on both engines: what was learned by experiment stays true.

#[path = "../support/database.rs"]
mod database;
mod world;

mod circulation;
mod closing;
mod closing_walk;
mod crash;
mod credit_night;
mod groups;
mod holds;
mod imports;
mod journal_drain;
mod lost_commit;
mod once;
mod order;
mod overdue_walk;
mod trouble;
