//! Use cases: one file per verb. Each loads facts inside one transaction, lets the domain decide, applies the plan and
//! appends the events. Adapters (HTTP, SIP2, devices, commands) call these and nothing below them.

pub mod calendar_walk;
pub mod caller;
pub mod due_moves;
pub mod error;
pub mod explain_view;
pub mod figures;
mod log_in_attempt;
mod named;
mod once;
pub mod page;
pub mod progress;
pub mod record;
pub mod session;
pub mod unit_view;
pub mod view;

pub mod add_amnesty;
pub mod add_closed_days;
pub mod add_item;
pub mod add_openings;
pub mod administer;
pub mod back_up;
pub mod bib_version;
pub mod bootstrap;
pub mod cancel_hold;
pub mod check;
pub mod check_in;
pub mod check_out;
pub mod close_units;
pub mod create_bib;
pub mod create_staff;
pub mod create_unit;
pub mod expire_keys;
pub mod explain_calendar;
pub mod explain_rule;
pub mod get_bib;
pub mod get_item;
pub mod get_reader;
pub mod get_unit;
pub mod import_calendar;
pub mod import_csv;
pub mod import_marc;
pub mod item_batch;
pub mod list_amnesties;
pub mod list_bib_items;
pub mod list_bib_versions;
pub mod list_closings;
pub mod list_imports;
pub mod list_jobs;
pub mod list_reader_holds;
pub mod list_reader_loans;
pub mod list_transits;
pub mod list_units;
pub mod log_in;
pub mod log_out;
pub mod log_out_everywhere;
pub mod mark_overdue;
pub mod merge_bibs;
pub mod move_item;
pub mod move_unit;
pub mod place_hold;
pub mod readiness;
pub mod receive_transit;
pub mod refresh_token;
pub mod register_device;
pub mod register_reader;
pub mod remove_amnesty;
pub mod remove_closed_days;
pub mod remove_openings;
pub mod renew_loan;
pub mod restore;
pub mod run_job;
pub mod seal_events;
pub mod search_bibs;
pub mod seed_demo;
pub mod set_collection;
pub mod set_item_type;
pub mod set_pin;
pub mod set_reader_category;
pub mod set_unit_hours;
pub mod undo_closing;
pub mod undo_import;
pub mod update_bib;
pub mod update_item;
pub mod update_staff;
pub mod update_unit;
pub mod void_loan;
pub mod withdraw_item;

pub use caller::{Caller, Who};
pub use error::{FieldError, UseCaseError};

use crate::store::idempotency::Claim;
pub use crate::store::{Once, Store, StoreError};

/// A result of a use case.
pub type Result<T> = std::result::Result<T, UseCaseError>;

/// The key a client gave a changing call, with a digest of what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    /// SHA-256 of operation and request.
    pub request_hash: [u8; 32],
}

impl IdempotencyKey {
    /// The claim of this caller: keys of two callers never meet.
    pub fn claim(self, caller: &Caller) -> Claim {
        Claim {
            client: caller.client(),
            key: self.key,
            request_hash: self.request_hash,
        }
    }
}
