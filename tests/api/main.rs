//! The API, tested as a client sees it: over TCP, on SQLite and on PostgreSQL.

#[macro_use]
mod app;
mod client;
#[path = "../support/database.rs"]
mod database;

mod administration;
mod bad_input;
mod batches;
mod bibs;
mod calendar_days;
mod cataloguing;
mod circulation;
mod closings;
mod contract;
mod database_trouble;
mod documents;
mod health;
mod idempotency;
mod items;
mod jobs;
mod limits;
mod log_in_guard;
mod logs;
mod merge_at_once;
mod merge_bibs;
mod merge_holds;
mod merge_scene;
mod metrics;
mod protection;
mod readers;
mod real_records;
mod rights_matrix;
mod rights_requests;
mod rights_scene;
mod rules;
mod sessions;
mod staff;
mod traces;
mod transits;
mod unit_moves;
mod units;
mod voids;
mod withdrawals;
