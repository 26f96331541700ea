//! Transfers of ownership: the document, the items it names, and what became of each.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::readers::day_text;
use super::schema::{bibs, items, ownership_transfer_items, ownership_transfers};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{BibId, ItemId, OwnershipTransferId, UnitId};

/// A transfer's row.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = ownership_transfers)]
pub struct TransferRow {
    pub id: i64,
    pub document_number: String,
    pub document_day: String,
    pub reason: String,
    pub from_unit_id: i64,
    pub to_unit_id: i64,
    pub status: String,
    pub answer: Option<String>,
    pub proposed_at: i64,
    pub settled_at: Option<i64>,
}

/// What decides whether an item may change owners.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct OwnedItem {
    pub id: i64,
    pub barcode: String,
    pub owner_unit_id: i64,
    pub status: String,
    /// The item it is bound into.
    pub bound_into_item_id: Option<i64>,
}

/// An item of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct TransferItem {
    pub item_id: i64,
    pub barcode: String,
    pub title: String,
    pub outcome: String,
}

impl ReadTx<'_> {
    /// A transfer.
    pub fn transfer(&mut self, id: OwnershipTransferId) -> Result<Option<TransferRow>, StoreError> {
        Ok(ownership_transfers::table.find(id.get()).first(self.conn).optional()?)
    }

    /// Transfers after `after`, by id: all, those from or to one of these units, in one state.
    pub fn transfers(
        &mut self,
        units: Option<&[UnitId]>,
        status: Option<&str>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<TransferRow>, StoreError> {
        let mut query = ownership_transfers::table
            .filter(ownership_transfers::id.gt(after))
            .order(ownership_transfers::id)
            .limit(limit)
            .into_boxed();
        if let Some(units) = units {
            let units: Vec<i64> = units.iter().map(|unit| unit.get()).collect();
            let from = ownership_transfers::from_unit_id.eq_any(units.clone());
            query = query.filter(from.or(ownership_transfers::to_unit_id.eq_any(units)));
        }
        if let Some(status) = status {
            query = query.filter(ownership_transfers::status.eq(status.to_owned()));
        }
        Ok(query.load(self.conn)?)
    }

    /// The transfers that were accepted and have items still to move.
    pub fn unfinished_transfers(&mut self) -> Result<Vec<OwnershipTransferId>, StoreError> {
        let ids: Vec<i64> = ownership_transfer_items::table
            .inner_join(
                ownership_transfers::table.on(ownership_transfers::id.eq(ownership_transfer_items::transfer_id)),
            )
            .filter(ownership_transfer_items::outcome.eq("pending"))
            .filter(ownership_transfers::status.eq("accepted"))
            .select(ownership_transfers::id)
            .distinct()
            .order(ownership_transfers::id)
            .load(self.conn)?;
        Ok(ids.into_iter().map(OwnershipTransferId::new).collect())
    }

    /// The items of a transfer, by id.
    pub fn transfer_items(&mut self, id: OwnershipTransferId) -> Result<Vec<TransferItem>, StoreError> {
        Ok(ownership_transfer_items::table
            .inner_join(items::table.on(items::id.eq(ownership_transfer_items::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .filter(ownership_transfer_items::transfer_id.eq(id.get()))
            .order(items::id)
            .select((
                items::id,
                items::barcode,
                bibs::title,
                ownership_transfer_items::outcome,
            ))
            .load(self.conn)?)
    }

    /// How many items of a transfer have which outcome.
    pub fn transfer_counts(&mut self, id: OwnershipTransferId) -> Result<Vec<(String, i64)>, StoreError> {
        Ok(ownership_transfer_items::table
            .filter(ownership_transfer_items::transfer_id.eq(id.get()))
            .group_by(ownership_transfer_items::outcome)
            .order(ownership_transfer_items::outcome)
            .select((ownership_transfer_items::outcome, diesel::dsl::count_star()))
            .load(self.conn)?)
    }

    /// These items, as far as there are such.
    pub fn owned_items(&mut self, ids: &[i64]) -> Result<Vec<OwnedItem>, StoreError> {
        Ok(items::table
            .filter(items::id.eq_any(ids))
            .order(items::id)
            .select((
                items::id,
                items::barcode,
                items::owner_unit_id,
                items::status,
                items::bound_into_item_id,
            ))
            .load(self.conn)?)
    }

    /// What is bound into these items, with what it is bound into.
    pub fn bound_into(&mut self, hosts: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        let rows: Vec<(i64, Option<i64>)> = items::table
            .filter(items::bound_into_item_id.eq_any(hosts))
            .order(items::id)
            .select((items::id, items::bound_into_item_id))
            .load(self.conn)?;
        let rows = rows.into_iter().filter_map(|(id, host)| host.map(|host| (id, host)));
        Ok(rows.collect())
    }

    /// The other items of the set this one is bound in.
    pub fn bound_with(&mut self, item: ItemId) -> Result<Vec<i64>, StoreError> {
        let host: Option<Option<i64>> = items::table
            .find(item.get())
            .select(items::bound_into_item_id)
            .first(self.conn)
            .optional()?;
        let host = host.flatten().unwrap_or(item.get());
        let mut set: Vec<i64> = self.bound_into(&[host])?.into_iter().map(|(id, _)| id).collect();
        set.push(host);
        set.retain(|id| *id != item.get());
        Ok(set)
    }

    /// How many of these items are to change owners by a transfer, or have.
    pub fn named_by_transfer(&mut self, id: OwnershipTransferId, items: &[i64]) -> Result<usize, StoreError> {
        let named = ownership_transfer_items::table
            .filter(ownership_transfer_items::transfer_id.eq(id.get()))
            .filter(ownership_transfer_items::item_id.eq_any(items))
            .filter(ownership_transfer_items::outcome.eq_any(["pending", "moved"]))
            .select(ownership_transfer_items::item_id);
        let named: Vec<i64> = named.load(self.conn)?;
        Ok(named.len())
    }

    /// Those of these barcodes that an owner has already.
    pub fn barcodes_of_owner(&mut self, owner: UnitId, barcodes: &[String]) -> Result<Vec<String>, StoreError> {
        Ok(items::table
            .filter(items::owner_unit_id.eq(owner.get()))
            .filter(items::barcode.eq_any(barcodes))
            .select(items::barcode)
            .load(self.conn)?)
    }

    /// Those of these items that an open proposal speaks of.
    pub fn proposed_items(&mut self, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
        Ok(ownership_transfer_items::table
            .filter(ownership_transfer_items::item_id.eq_any(ids))
            .filter(ownership_transfer_items::outcome.eq("pending"))
            .select(ownership_transfer_items::item_id)
            .load(self.conn)?)
    }

    /// Whether a unit has proposed a transfer under this number.
    pub fn document_exists(&mut self, from: UnitId, number: &str) -> Result<bool, StoreError> {
        let n: i64 = ownership_transfers::table
            .filter(ownership_transfers::from_unit_id.eq(from.get()))
            .filter(ownership_transfers::document_number.eq(number))
            .count()
            .get_result(self.conn)?;
        Ok(n > 0)
    }
}

impl WriteTx<'_> {
    /// Adds a proposal with its items.
    ///
    /// # Errors
    /// `Conflict` when another proposal of the same moment names one of them, or has the same number.
    pub fn insert_transfer(&mut self, row: &TransferRow, items: &[i64]) -> Result<(), StoreError> {
        diesel::insert_into(ownership_transfers::table)
            .values(row.clone())
            .execute(self.conn)?;
        for item in items {
            diesel::insert_into(ownership_transfer_items::table)
                .values((
                    ownership_transfer_items::transfer_id.eq(row.id),
                    ownership_transfer_items::item_id.eq(item),
                    ownership_transfer_items::outcome.eq("pending"),
                ))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Locks a transfer: before its items, and nobody who holds an item asks for a transfer.
    pub fn lock_transfer(&mut self, id: OwnershipTransferId) -> Result<Option<TransferRow>, StoreError> {
        let query = ownership_transfers::table.find(id.get());
        Ok(match &mut *self.conn {
            AnyConnection::Sqlite(conn) => query.first(conn).optional()?,
            AnyConnection::Postgres(conn) => query.for_no_key_update().first(conn).optional()?,
        })
    }

    /// Settles a proposal. Unless it is accepted its items are free again.
    pub fn settle_transfer(
        &mut self,
        id: OwnershipTransferId,
        status: &str,
        answer: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(ownership_transfers::table.find(id.get()))
            .set((
                ownership_transfers::status.eq(status),
                ownership_transfers::answer.eq(answer),
                ownership_transfers::settled_at.eq(at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        if status != "accepted" {
            diesel::update(ownership_transfer_items::table)
                .filter(ownership_transfer_items::transfer_id.eq(id.get()))
                .set(ownership_transfer_items::outcome.eq("kept"))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Some items still to move, in the order of their locks.
    pub fn pending_items(&mut self, id: OwnershipTransferId, limit: i64) -> Result<Vec<(ItemId, BibId)>, StoreError> {
        let rows: Vec<(i64, i64)> = ownership_transfer_items::table
            .inner_join(items::table.on(items::id.eq(ownership_transfer_items::item_id)))
            .filter(ownership_transfer_items::transfer_id.eq(id.get()))
            .filter(ownership_transfer_items::outcome.eq("pending"))
            .order((items::bib_id, items::id))
            .limit(limit)
            .select((items::id, items::bib_id))
            .load(self.conn)?;
        let ids = |(item, bib)| (ItemId::new(item), BibId::new(bib));
        Ok(rows.into_iter().map(ids).collect())
    }

    /// What became of an item of a transfer.
    pub fn settle_transfer_item(
        &mut self,
        id: OwnershipTransferId,
        item: ItemId,
        outcome: &str,
    ) -> Result<(), StoreError> {
        diesel::update(ownership_transfer_items::table.find((id.get(), item.get())))
            .set(ownership_transfer_items::outcome.eq(outcome))
            .execute(self.conn)?;
        Ok(())
    }

    /// Gives a locked item another owner.
    pub fn set_owner(&mut self, item: ItemId, owner: UnitId, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(items::table.find(item.get()))
            .set((
                items::owner_unit_id.eq(owner.get()),
                items::last_event_at.eq(at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}

impl TransferRow {
    /// The day of the document, as it is stored.
    pub fn day(day: NaiveDate) -> String {
        day_text(day)
    }
}
