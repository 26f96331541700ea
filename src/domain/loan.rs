//! The facts about an open loan that decisions read.
//! Not for: past loans; nothing that decides may depend on a reader's history.

use chrono::{DateTime, Utc};

use super::ids::{CategoryId, ItemId, LoanId, ReaderId, UnitId};
use super::reader::{Channel, ReaderStatus};

/// One open loan, read under the lock of its item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLoan {
    pub id: LoanId,
    pub item: ItemId,
    pub reader: ReaderId,
    /// The reader's account now: a return by a suspended reader is told to staff.
    pub reader_status: ReaderStatus,
    /// The reader's category when the loan was made.
    pub category: CategoryId,
    /// Where it was lent: the place that decides the terms and whose calendar counts.
    pub unit: UnitId,
    pub channel: Channel,
    pub loaned_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    /// How many times it was renewed, whoever did it.
    pub renewals: u16,
    /// When the reader says that it was given back.
    pub claimed_returned_at: Option<DateTime<Utc>>,
    /// Since when somebody wants it back before its time.
    pub recalled_at: Option<DateTime<Utc>>,
    /// For use in the reading room: never renewed, whatever the item is by now.
    pub reading_room: bool,
    /// A machine has reserved it and nobody has said yet whether the book was taken.
    pub unconfirmed: bool,
}
