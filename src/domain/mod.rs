//! The pure core: every rule of circulation, and nothing else.
//!
//! Each verb is a module with `Facts`, `Plan` and `decide(&Facts, now) -> Result<Plan, Refusals>`. A decision has no
//! I/O, clock, randomness or async: the use case loads the facts, the store applies the plan. It is total (it never
//! panics), deterministic, and collects **all** refusals before it subtracts what the caller may override.
//! Not for: loading, storing, rendering, or checking who the caller is.

pub mod act;
pub mod auto_renew;
pub mod barcode;
pub mod calendar;
pub mod cancel_hold;
pub mod change_pickup;
pub mod check_in;
pub mod check_out;
pub mod conditions;
pub mod crate_label;
pub mod dated;
pub mod delivery;
pub mod deposit;
pub mod erase_reader;
pub mod event;
#[doc(hidden)]
pub mod example;
pub mod explain;
pub mod hand_over;
pub mod hold;
pub mod hold_terms;
pub mod ids;
pub mod item;
pub mod item_life;
pub mod item_type;
pub mod lending_terms;
pub mod limit;
pub mod loan;
pub mod loan_life;
pub mod log_in_guard;
pub mod membership;
pub mod merge_bibs;
pub mod money;
pub mod move_due;
pub mod move_item;
pub mod network;
mod network_index;
pub mod outlook;
pub mod own_rules;
pub mod pack_item;
pub mod parcel;
pub mod place_hold;
pub mod policy;
pub mod reader;
pub mod reader_consent;
pub mod recall;
pub mod recall_for_holds;
pub mod refusal;
pub mod renew;
pub mod reorder_hold;
pub mod resident_id;
pub mod route;
pub mod rules_check;
pub mod rules_fault;
pub mod rules_layer;
pub mod rules_layers;
pub mod rules_toml;
pub mod schedule;
pub mod sending;
pub mod stops;
pub mod suspend_hold;
pub mod target_hold;
pub mod timetable;
pub mod transit;
pub mod unit;
pub mod void_loan;
pub mod volume;
pub mod withdraw_item;

mod conditions_table;
mod judge_item;
mod judge_reader;
mod refusal_table;
mod rules_codes;
mod rules_own_check;
mod rules_row;
mod rules_warning;
mod rules_write;
