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
mod calendars;
mod cataloguing;
mod circulation;
mod contract;
mod courier;
mod database_trouble;
mod distribution;
mod documents;
mod health;
mod hold_shelf;
mod hold_targeting;
mod holds;
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
mod moves;
mod own_secrets;
mod ownership;
mod protection;
mod readers;
mod real_records;
mod return_policies;
mod rights_matrix;
mod rights_requests;
mod rights_scene;
mod rule_previews;
mod rule_sets;
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
mod withdrawals;
