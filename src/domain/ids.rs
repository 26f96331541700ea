//! Identifiers: one newtype per thing, so that a unit's id can never be handed in as an item's.
//! Not for: barcodes and card numbers, which people type (see `barcode`).

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Wraps a number that came from the store or from an id block.
            pub const fn new(raw: i64) -> Self { Self(raw) }
            /// The number, for the store and for the API.
            pub const fn get(self) -> i64 { self.0 }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }
    )*};
}

ids! {
    /// A node of the network tree.
    UnitId,
    /// A bibliographic record: one per manifestation for the whole network.
    BibId,
    /// One physical copy.
    ItemId,
    /// A person or institution that borrows.
    ReaderId,
    /// A credential of a reader.
    CardId,
    /// An item out to a reader.
    LoanId,
    /// A reader's place in a queue.
    HoldId,
    /// One item's journey between two units.
    TransitId,
    /// A box on its way between two units.
    CrateId,
    /// A round that couriers drive.
    RouteId,
    /// A change of owners by a document.
    OwnershipTransferId,
    /// A batch of copies that stands elsewhere for a time.
    DepositId,
    /// A person who works for the network.
    StaffId,
    /// Registered hardware.
    DeviceId,
    /// One order to a device.
    CommandId,
    /// One door of a locker.
    CompartmentId,
    /// A reader at a machine.
    LockerSessionId,
    /// One act of an offline journal.
    JournalEntryId,
    /// A named part of a unit's stock.
    CollectionId,
    /// What kind of thing an item is for the rules.
    ItemTypeId,
    /// What kind of reader, for the rules.
    CategoryId,
    /// One row of a rule set (terms or limit); unique within its version.
    RuleId,
}
