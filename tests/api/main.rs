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
mod cataloguing;
mod circulation;
mod contract;
mod courier;
mod database_trouble;
mod distribution;
mod documents;
mod health;
mod idempotency;
mod items;
mod jobs;
mod limits;
mod log_in_guard;
mod logs;
mod metrics;
mod ownership;
mod protection;
mod readers;
mod return_policies;
mod rights_matrix;
mod rights_requests;
mod rights_scene;
mod rules;
mod sessions;
mod staff;
mod stock;
mod stops;
mod traces;
mod transits;
mod unit_moves;
mod units;
mod voids;
