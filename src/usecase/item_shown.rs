//! Which item is meant by what was read off it, at desks and machines that lend and take back.

use super::Result;
use super::record::{find_item, find_item_by_tag};
use crate::domain::network::Network;
use crate::store::item_lock::Candidate;
use crate::store::tx::WriteTx;

pub use crate::domain::item_shown::ItemShown;

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
