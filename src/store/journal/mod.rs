//! Journals of devices: where each stands, what they say, what is not believed, and what contradicts the records.

pub mod conflicts;
pub mod cursors;
pub mod entries;
pub mod quarantine;

/// The journal in which stands what staff released from the quarantine: its sequence is the line of the quarantine.
pub const RELEASED: i64 = 0;
