//! Use cases: one file per verb. Each loads facts inside one transaction, lets the domain decide, applies the plan and
//! appends the events. Adapters (HTTP, SIP2, devices, commands) call these and nothing below them.

mod act_for;
pub mod calendar_walk;
pub mod caller;
mod card_numbers;
pub mod card_session;
pub mod card_view;
mod charge_overdue;
pub mod confirm_application;
pub mod consent;
pub mod crate_view;
mod credit_ledger;
pub mod credit_view;
pub mod delivery_view;
pub mod deposit_copies;
pub mod deposit_view;
pub mod due_moves;
mod end_hold;
pub mod error;
pub mod explain_view;
pub mod figures;
mod lend_to;
mod log_in_attempt;
mod named;
pub mod notice_facts;
pub mod notice_preferences;
mod old_secret;
mod once;
pub mod page;
pub mod progress;
pub mod record;
pub mod rule_place;
mod rule_set_view;
pub mod rule_view;
pub mod session;
mod sorter_bin;
pub mod stop_view;
pub mod unit_view;
pub mod view;

mod acting_device;
pub mod add_amnesty;
pub mod add_closed_days;
pub mod add_guardian;
pub mod add_item;
pub mod add_openings;
pub mod administer;
pub mod admission_view;
pub mod admit_reader;
pub mod alarm_parcels;
pub mod announce_events;
pub mod announce_return;
pub mod apply_for_card;
pub mod ask_admission;
pub mod ask_provider;
pub mod auto_renew;
pub mod back_up;
pub mod bib_version;
pub mod book_carrier;
pub mod bootstrap;
pub mod cancel_hold;
pub mod change_card;
pub mod change_categories;
pub mod change_pickup;
pub mod check;
pub mod check_gate_exit;
pub mod check_in;
pub mod check_out;
pub mod claim_returned;
pub mod close_crate;
pub mod close_units;
pub mod content_version;
pub mod create_bib;
pub mod create_deposit;
pub mod create_rule_draft;
pub mod create_staff;
pub mod create_unit;
pub mod decide_application;
pub mod declare_lost;
pub mod deliver_outbox;
pub mod dispatch_parcel;
pub mod drive_route;
pub mod erase_addresses;
pub mod erase_me;
pub mod erase_notices;
pub mod expire_cards;
pub mod expire_holds;
pub mod expire_keys;
pub mod explain_calendar;
pub mod explain_rule;
pub mod export_my_data;
pub mod follow_credit;
pub mod freeze_reader;
pub mod get_bib;
pub mod get_credit;
pub mod get_hold;
pub mod get_item;
pub mod get_my_card;
pub mod get_my_day;
pub mod get_parcel;
pub mod get_reader;
pub mod get_unit;
pub mod give_up_parcel;
pub mod give_up_transits;
pub mod import_calendar;
pub mod import_credit_events;
pub mod import_csv;
pub mod import_marc;
pub mod issue_card;
pub mod item_batch;
pub mod item_shown;
pub mod list_amnesties;
pub mod list_bib_items;
pub mod list_bib_versions;
pub mod list_card_revocations;
pub mod list_closings;
pub mod list_crates;
pub mod list_deposits;
pub mod list_gate_alarms;
pub mod list_hold_shelf;
pub mod list_imports;
pub mod list_incoming;
pub mod list_jobs;
pub mod list_my_guardian_acts;
pub mod list_my_notices;
pub mod list_my_wards;
pub mod list_packing;
pub mod list_parcels;
pub mod list_reader_holds;
pub mod list_reader_loans;
pub mod list_rule_drafts;
pub mod list_rule_sets;
pub mod list_shelf_clearings;
pub mod list_stops;
pub mod list_transits;
pub mod list_units;
pub mod log_in;
pub mod log_out;
pub mod log_out_everywhere;
pub mod look_at_reader;
pub mod make_notice;
pub mod mark_overdue;
pub mod merge_bibs;
mod merge_credit;
pub mod merge_readers;
pub mod move_item;
pub mod move_unit;
pub mod nightly_credit;
pub mod open_card_session;
pub mod open_crate;
pub mod pack_item;
pub mod pack_parcel;
pub mod place_hold;
pub mod post_credit_entry;
pub mod preview_matrix;
pub mod preview_rules;
pub mod propose_transfer;
pub mod publish_rule_set;
pub mod pulls;
pub mod reader_consents;
pub mod reader_contacts;
pub mod readiness;
pub mod ready_item;
pub mod recall_deposit;
pub mod recall_for_holds;
pub mod recall_item;
pub mod receive_crate;
pub mod receive_parcel;
pub mod receive_transit;
pub mod record_id_number;
pub mod refresh_token;
pub mod register_device;
pub mod register_reader;
pub mod remind_readers;
pub mod remove_amnesty;
pub mod remove_closed_days;
pub mod remove_openings;
pub mod renew_loan;
pub mod reorder_hold;
pub mod replace_card;
pub mod report_admission;
pub mod report_bounce;
pub mod report_flows;
pub mod report_gate_passages;
pub mod report_item;
pub mod report_parcel;
pub mod request_delivery;
pub mod reseal_identities;
pub mod reset_secret;
pub mod restore;
pub mod reverse_credit_entry;
pub mod revoke_card_tokens;
pub mod roll_back_rules;
pub mod run_job;
pub mod seal_events;
pub mod search_bibs;
pub mod seed_demo;
mod send_code;
pub mod send_crate;
pub mod send_notice;
pub mod sessions_of_mine;
pub mod set_bins;
pub mod set_collection;
pub mod set_item_type;
pub mod set_notice_template;
pub mod set_packing;
pub mod set_pin;
pub mod set_reader_category;
pub mod set_return_policy;
pub mod set_route;
pub mod set_self_registration;
pub mod set_sending;
pub mod set_staff_contact;
pub mod set_staff_password;
pub mod set_stops;
pub mod set_unit_hours;
pub mod settle_gate_alarm;
pub mod settle_transfer;
pub mod suspend_hold;
pub mod target_holds;
pub mod tell_credit;
pub mod tell_webhook;
pub mod totp;
pub mod undo_closing;
pub mod undo_import;
pub mod unlink_readers;
pub mod unpack_item;
pub mod update_bib;
pub mod update_item;
pub mod update_rule_draft;
pub mod update_staff;
pub mod update_unit;
pub mod validate_rule_draft;
pub mod void_loan;
pub mod webhook_deliveries;
pub mod webhooks;
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
            reader_id: caller.reader().map(crate::domain::ids::ReaderId::get),
        }
    }
}
