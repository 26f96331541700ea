//! The commands, as people and scripts run them: the built program, its exit code, and what it prints.

#[path = "../support/database.rs"]
mod database;
mod process;

mod admin;
mod backup;
mod batches;
mod card;
mod check;
mod demo;
mod import;
mod import_csv;
mod keys;
mod machines;
mod rules;
mod service;
mod start;
mod together;
mod transport;
