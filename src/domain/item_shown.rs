//! What people, scanners and gates read off an item.
//! Not for: which item it means. A barcode is unique per owner only, and a tag may have been written twice.

use super::barcode::Barcode;

/// What was read of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemShown {
    Barcode(Barcode),
    /// The identifier of its RFID tag.
    Tag(String),
}

impl From<Barcode> for ItemShown {
    fn from(barcode: Barcode) -> Self {
        Self::Barcode(barcode)
    }
}
