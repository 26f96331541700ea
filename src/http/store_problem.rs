//! How a failure of the store becomes a problem: what the client may do about it, and what is for the log only.

use super::problem::{Code, Problem};
use crate::usecase::StoreError;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::KeyReused => Self::of(Code::IdempotencyKeyReused),
            StoreError::Conflict(_) => {
                Self::of(Code::Conflict).detail("the same was done at the same time; look again")
            }
            StoreError::Busy => Self::of(Code::Busy),
            StoreError::Unavailable { .. } | StoreError::Retry(_) => Self::of(Code::Unavailable)
                .detail("the database cannot be used just now")
                .cause(chain(&error)),
            _ => Self::of(Code::Internal).cause(chain(&error)),
        }
    }
}

/// An error and what was behind it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(behind) = source {
        text.push_str(": ");
        text.push_str(&behind.to_string());
        source = behind.source();
    }
    text
}
