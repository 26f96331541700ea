//! Use cases: one file per verb. Each loads facts inside one transaction, lets the domain decide, applies the plan and
//! appends the events. Adapters (HTTP, SIP2, devices, commands) call these and nothing below them.

pub mod caller;
pub mod error;
pub mod progress;
pub mod record;
pub mod view;

pub mod bootstrap;
pub mod seal_events;
pub mod expire_keys;
pub mod check;
pub mod import_marc;
pub mod cancel_hold;
pub mod check_in;
pub mod check_out;
pub mod place_hold;
pub mod receive_transit;
pub mod renew_loan;
pub mod void_loan;

pub use caller::{Caller, Who};
pub use error::{FieldError, UseCaseError};

use crate::store::idempotency::Claim;

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
        Claim { client: caller.client(), key: self.key, request_hash: self.request_hash }
    }
}
