//! What a reader waits for, by type of item: limits on holds of some types count it.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::domain::ids::{ItemTypeId, ReaderId};
use crate::domain::item::ItemStatus;
use crate::domain::limit::LimitKind;
use crate::domain::network::Network;
use crate::store::error::StoreError;
use crate::store::schema::{holds, items};
use crate::store::tx::ReadTx;

impl ReadTx<'_> {
    /// What limits on holds of some types count of a reader: of each open hold the types of the copies it may wait for. No
    /// statement where the rules have no such limit.
    pub fn types_of_open_holds(
        &mut self,
        reader: ReaderId,
        network: &Network,
    ) -> Result<Vec<Vec<ItemTypeId>>, StoreError> {
        let mut limits = network.rules().limits.iter();
        if !limits.any(|row| row.kind == LimitKind::Holds && row.names_types()) {
            return Ok(Vec::new());
        }
        let rows: Vec<(i64, i64)> = holds::table
            .inner_join(items::table.on(items::bib_id.eq(holds::bib_id)))
            .filter(holds::reader_id.eq(reader.get()).and(holds::closed_at.is_null()))
            .filter(holds::item_id.is_null().or(holds::item_id.eq(items::id.nullable())))
            .filter(items::status.ne(ItemStatus::Withdrawn.code()))
            .select((holds::id, items::item_type_id))
            .distinct()
            .load(self.conn)?;
        let mut types: BTreeMap<i64, Vec<ItemTypeId>> = BTreeMap::new();
        for (hold, item_type) in rows {
            types.entry(hold).or_default().push(ItemTypeId::new(item_type));
        }
        Ok(types.into_values().collect())
    }
}
