//! Crates and what lies in them. A journey remembers its crate after it has arrived; what counts as inside is decided by the
//! journey's status.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::schema::{bibs, crates, items, transits};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{BibId, CrateId, ItemId, ItemTypeId, StaffId, TransitId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::transit::{CrateStatus, TransitStatus};

/// A crate's row.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = crates)]
pub struct CrateRow {
    pub id: i64,
    pub label: String,
    pub from_unit_id: i64,
    pub to_unit_id: i64,
    pub at_unit_id: i64,
    pub status: String,
    pub leg_to_unit_id: Option<i64>,
    pub route_id: Option<i64>,
    pub courier_staff_id: Option<i64>,
    pub signed_by_staff_id: Option<i64>,
    pub items_sent: i32,
    pub opened_at: i64,
    pub sent_at: Option<i64>,
    pub delivered_at: Option<i64>,
    pub ended_at: Option<i64>,
}

impl CrateRow {
    /// Where it is in its life.
    pub fn state(&self) -> Result<CrateStatus, StoreError> {
        CrateStatus::from_code(&self.status)
            .ok_or_else(|| StoreError::Corrupt(format!("crate {} has the unknown status {}", self.id, self.status)))
    }
}

/// What changes of a crate; `None` leaves a column as it is.
#[derive(Debug, Clone, Default, AsChangeset)]
#[diesel(table_name = crates)]
pub struct CrateChange {
    pub status: Option<&'static str>,
    pub at_unit_id: Option<i64>,
    pub leg_to_unit_id: Option<Option<i64>>,
    pub route_id: Option<Option<i64>>,
    pub courier_staff_id: Option<Option<i64>>,
    pub signed_by_staff_id: Option<Option<i64>>,
    pub items_sent: Option<i32>,
    pub sent_at: Option<i64>,
    pub delivered_at: Option<i64>,
    pub ended_at: Option<i64>,
}

/// Which crates.
#[derive(Debug, Clone, Default)]
pub struct CrateFilter {
    pub label: Option<String>,
    pub from: Option<UnitId>,
    pub to: Option<UnitId>,
    pub at: Option<UnitId>,
    pub status: Option<CrateStatus>,
    /// Those that have ended, too.
    pub ended: bool,
}

/// One item in, or once in, a crate.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct CrateItem {
    pub transit_id: i64,
    pub item_id: i64,
    pub bib_id: i64,
    pub barcode: String,
    pub title: String,
    pub reason: String,
    /// Of the journey.
    pub status: String,
}

macro_rules! crate_item_columns {
    () => {
        (
            transits::id,
            items::id,
            bibs::id,
            items::barcode,
            bibs::title,
            transits::reason,
            transits::status,
        )
    };
}

/// A packed item under its lock, with what its event keeps.
#[derive(Debug, Clone, Queryable)]
pub struct PackedRow {
    pub transit_id: i64,
    pub to_unit_id: i64,
    pub reason: String,
    pub item_id: i64,
    pub bib_id: i64,
    pub owner: i64,
    pub home: i64,
    pub item_type: i64,
    pub last_event_at: i64,
    pub clc_class: Option<String>,
    pub status: String,
}

impl PackedRow {
    /// The item, bib, owner, home and type, as ids.
    pub fn ids(&self) -> (ItemId, BibId, UnitId, UnitId, ItemTypeId) {
        let (item, bib) = (ItemId::new(self.item_id), BibId::new(self.bib_id));
        let (owner, home) = (UnitId::new(self.owner), UnitId::new(self.home));
        (item, bib, owner, home, ItemTypeId::new(self.item_type))
    }
}

impl ReadTx<'_> {
    /// A crate.
    pub fn crate_row(&mut self, id: CrateId) -> Result<Option<CrateRow>, StoreError> {
        Ok(crates::table.find(id.get()).first(self.conn).optional()?)
    }

    /// The crate with a label.
    pub fn crate_by_label(&mut self, label: &str) -> Result<Option<CrateId>, StoreError> {
        let id: Option<i64> = crates::table
            .filter(crates::label.eq(label))
            .select(crates::id)
            .first(self.conn)
            .optional()?;
        Ok(id.map(CrateId::new))
    }

    /// Crates after `after`, by id.
    pub fn crates(&mut self, filter: &CrateFilter, after: i64, limit: i64) -> Result<Vec<CrateRow>, StoreError> {
        let mut query = crates::table
            .filter(crates::id.gt(after))
            .order(crates::id)
            .limit(limit)
            .into_boxed();
        if !filter.ended {
            query = query.filter(crates::ended_at.is_null());
        }
        if let Some(label) = &filter.label {
            query = query.filter(crates::label.eq(label.clone()));
        }
        if let Some(from) = filter.from {
            query = query.filter(crates::from_unit_id.eq(from.get()));
        }
        if let Some(to) = filter.to {
            query = query.filter(crates::to_unit_id.eq(to.get()));
        }
        if let Some(at) = filter.at {
            query = query.filter(crates::at_unit_id.eq(at.get()));
        }
        if let Some(status) = filter.status {
            query = query.filter(crates::status.eq(status.code()));
        }
        Ok(query.load(self.conn)?)
    }

    /// The crates a courier carries now.
    pub fn crates_carried(&mut self, courier: StaffId) -> Result<Vec<CrateRow>, StoreError> {
        Ok(crates::table
            .filter(crates::courier_staff_id.eq(courier.get()))
            .filter(crates::status.eq(CrateStatus::Sent.code()))
            .order(crates::id)
            .load(self.conn)?)
    }

    /// How many items lie in a crate now.
    pub fn crate_count(&mut self, id: CrateId) -> Result<u32, StoreError> {
        let inside = [TransitStatus::Packed, TransitStatus::Sent, TransitStatus::Missing].map(TransitStatus::code);
        let n: i64 = transits::table
            .filter(transits::crate_id.eq(id.get()).and(transits::status.eq_any(inside)))
            .count()
            .get_result(self.conn)?;
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }

    /// Everything that lies or lay in a crate, in the order it was packed.
    pub fn crate_items(&mut self, id: CrateId) -> Result<Vec<CrateItem>, StoreError> {
        Ok(transits::table
            .inner_join(items::table.on(items::id.eq(transits::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .filter(transits::crate_id.eq(id.get()))
            .order(transits::id)
            .select(crate_item_columns!())
            .load(self.conn)?)
    }

    /// Of that, what has this barcode: several owners may use one.
    pub fn crate_items_with(&mut self, id: CrateId, barcode: &str) -> Result<Vec<CrateItem>, StoreError> {
        Ok(transits::table
            .inner_join(items::table.on(items::id.eq(transits::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .filter(transits::crate_id.eq(id.get()).and(items::barcode.eq(barcode)))
            .order(transits::id)
            .select(crate_item_columns!())
            .load(self.conn)?)
    }

    /// The crate a journey lies in: number and label.
    pub fn crate_of_transit(&mut self, transit: TransitId) -> Result<Option<(CrateId, String)>, StoreError> {
        let row: Option<(i64, String)> = transits::table
            .inner_join(crates::table.on(transits::crate_id.eq(crates::id.nullable())))
            .filter(transits::id.eq(transit.get()))
            .select((crates::id, crates::label))
            .first(self.conn)
            .optional()?;
        Ok(row.map(|(id, label)| (CrateId::new(id), label)))
    }
}

impl WriteTx<'_> {
    /// Locks a crate: after every bib and item, before nothing.
    pub fn lock_crate(&mut self, id: CrateId) -> Result<Option<CrateRow>, StoreError> {
        let query = crates::table.find(id.get());
        Ok(match &mut *self.conn {
            AnyConnection::Sqlite(conn) => query.first(conn).optional()?,
            AnyConnection::Postgres(conn) => query.for_no_key_update().first(conn).optional()?,
        })
    }

    /// Adds a crate.
    pub fn insert_crate(&mut self, row: &CrateRow) -> Result<(), StoreError> {
        diesel::insert_into(crates::table)
            .values(row.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// Changes a crate under its lock.
    pub fn change_crate(&mut self, id: CrateId, change: &CrateChange) -> Result<(), StoreError> {
        diesel::update(crates::table.find(id.get()))
            .set(change.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// Puts a journey into a crate, or takes it out of its crate.
    pub fn pack_transit(&mut self, transit: TransitId, into: Option<CrateId>) -> Result<(), StoreError> {
        let status = if into.is_some() {
            TransitStatus::Packed
        } else {
            TransitStatus::AwaitingDispatch
        };
        diesel::update(transits::table.find(transit.get()))
            .set((
                transits::status.eq(status.code()),
                transits::crate_id.eq(into.map(CrateId::get)),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Locks everything packed in a crate, then the crate.
    ///
    /// # Errors
    /// `Retry` when something was put in or taken out while the locks were waited for.
    pub fn lock_packed_crate(&mut self, id: CrateId) -> Result<Option<(CrateRow, Vec<PackedRow>)>, StoreError> {
        let packed = self.lock_packed(id)?;
        let Some(row) = self.lock_crate(id)? else {
            return Ok(None);
        };
        let now: i64 = transits::table
            .filter(transits::crate_id.eq(id.get()))
            .filter(transits::status.eq(TransitStatus::Packed.code()))
            .count()
            .get_result(self.conn)?;
        if usize::try_from(now) != Ok(packed.len()) {
            return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction));
        }
        Ok(Some((row, packed)))
    }

    /// Everything packed in a crate, locked: bibs before items, ascending.
    fn lock_packed(&mut self, id: CrateId) -> Result<Vec<PackedRow>, StoreError> {
        let query = bibs::table
            .inner_join(items::table.on(items::bib_id.eq(bibs::id)))
            .inner_join(transits::table.on(transits::item_id.eq(items::id)))
            .filter(transits::crate_id.eq(id.get()))
            .filter(transits::status.eq(TransitStatus::Packed.code()))
            .order((bibs::id, items::id))
            .select((
                transits::id,
                transits::to_unit_id,
                transits::reason,
                items::id,
                bibs::id,
                items::owner_unit_id,
                items::home_unit_id,
                items::item_type_id,
                items::last_event_at,
                bibs::clc_class,
                items::status,
            ));
        Ok(match &mut *self.conn {
            AnyConnection::Sqlite(conn) => query.load(conn)?,
            AnyConnection::Postgres(conn) => query.for_no_key_update().load(conn)?,
        })
    }

    /// What is packed in a crate leaves: its journeys and its items, which the caller has locked.
    pub fn send_packed(&mut self, id: CrateId, packed: &[PackedRow], at: DateTime<Utc>) -> Result<(), StoreError> {
        let at = at.timestamp_millis();
        diesel::update(transits::table)
            .filter(transits::crate_id.eq(id.get()))
            .filter(transits::status.eq(TransitStatus::Packed.code()))
            .set((
                transits::status.eq(TransitStatus::Sent.code()),
                transits::sent_at.eq(at),
            ))
            .execute(self.conn)?;
        let ids: Vec<i64> = packed.iter().map(|row| row.item_id).collect();
        diesel::update(items::table)
            .filter(items::id.eq_any(ids))
            .set((
                items::status.eq(ItemStatus::InTransit.code()),
                items::last_event_at.eq(at),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
