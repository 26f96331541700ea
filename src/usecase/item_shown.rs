//! Which item is meant: what people and scanners read off it, or what its tag says.

use super::Result;
use super::record::{find_item, find_item_by_tag};
use crate::domain::barcode::Barcode;
use crate::domain::network::Network;
use crate::store::item_lock::Candidate;
use crate::store::tx::WriteTx;

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

impl ItemShown {
    /// The one item it means; with an owner where several have it.
    ///
    /// # Errors
    /// `Invalid` naming the field when nobody has it; `Ambiguous` listing the owners when several have.
    pub(super) fn find(
        &self,
        tx: &mut WriteTx<'_>,
        network: &Network,
        owner_unit_code: Option<&str>,
    ) -> Result<Candidate> {
        match self {
            Self::Barcode(barcode) => find_item(tx, network, barcode, owner_unit_code),
            Self::Tag(tag) => find_item_by_tag(tx, network, tag, owner_unit_code),
        }
    }
}
