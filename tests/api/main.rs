//! The API, tested as a client sees it: over TCP, on SQLite and on PostgreSQL.

#[macro_use]
mod app;
mod client;
#[path = "../support/database.rs"]
mod database;

mod administration;
mod bad_input;
mod bibs;
mod cataloguing;
mod circulation;
mod consent;
mod contract;
mod database_trouble;
mod documents;
mod health;
mod idempotency;
mod item_life;
mod item_races;
mod items;
mod jobs;
mod limits;
mod log_in_guard;
mod logs;
mod metrics;
mod protection;
mod readers;
mod rights_matrix;
mod rights_requests;
mod rights_scene;
mod rules;
mod sessions;
mod staff;
mod transits;
mod units;
mod voids;
