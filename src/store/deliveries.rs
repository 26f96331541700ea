//! Requests for delivery: who asked for what to be brought where, and the address, which stands apart so that it can be erased.
//! The lines of a request are holds.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::error::StoreError;
use super::schema::{bibs, delivery_addresses, delivery_requests, holds, items, packing_units, parcel_lines, parcels};
use super::tx::{ReadTx, WriteTx};
use crate::domain::delivery::{Address, Phone};
use crate::domain::ids::{BibId, HoldId, ItemId, UnitId};

/// A request's row.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = delivery_requests)]
pub struct RequestRow {
    pub id: i64,
    pub reader_id: Option<i64>,
    pub unit_id: i64,
    pub delivery: String,
    pub rest: String,
    pub asked_at: i64,
}

/// A line: a hold of the request.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct RequestLine {
    pub hold_id: i64,
    pub bib_id: i64,
    pub title: String,
    /// The copy set aside.
    pub captured_item_id: Option<i64>,
    pub barcode: Option<String>,
    /// Its place on the hold shelf: it is at the unit.
    pub shelf_number: Option<i32>,
    pub closed_how: Option<String>,
}

impl RequestLine {
    /// Still waiting for or keeping a copy.
    pub const fn is_open(&self) -> bool {
        self.closed_how.is_none()
    }

    pub const fn hold(&self) -> HoldId {
        HoldId::new(self.hold_id)
    }

    pub const fn bib(&self) -> BibId {
        BibId::new(self.bib_id)
    }

    /// The copy that lies at the unit, ready to be packed.
    pub fn ready(&self) -> Option<(ItemId, &str)> {
        let barcode = self
            .barcode
            .as_deref()
            .filter(|_| self.is_open() && self.shelf_number.is_some())?;
        self.captured_item_id.map(|item| (ItemId::new(item), barcode))
    }
}

impl ReadTx<'_> {
    /// Whether a unit packs parcels.
    pub fn packs(&mut self, unit: UnitId) -> Result<bool, StoreError> {
        let said: Option<bool> = packing_units::table
            .find(unit.get())
            .select(packing_units::packs)
            .first(self.conn)
            .optional()?;
        Ok(said.unwrap_or(false))
    }

    /// A request.
    pub fn delivery_request(&mut self, id: i64) -> Result<Option<RequestRow>, StoreError> {
        Ok(delivery_requests::table.find(id).first(self.conn).optional()?)
    }

    /// The lines of a request, in the order they were asked for.
    pub fn request_lines(&mut self, request: i64) -> Result<Vec<RequestLine>, StoreError> {
        Ok(holds::table
            .inner_join(bibs::table.on(bibs::id.eq(holds::bib_id)))
            .left_join(items::table.on(holds::captured_item_id.eq(items::id.nullable())))
            .filter(holds::delivery_request_id.eq(request))
            .order(holds::id)
            .select((
                holds::id,
                holds::bib_id,
                bibs::title,
                holds::captured_item_id,
                items::barcode.nullable(),
                holds::shelf_number,
                holds::closed_how,
            ))
            .load(self.conn)?)
    }

    /// Requests after `after` with a line that is ready to be packed at a unit, by id.
    pub fn packing_list(&mut self, unit: UnitId, after: i64, limit: i64) -> Result<Vec<RequestRow>, StoreError> {
        let packed = parcel_lines::table
            .filter(parcel_lines::hold_id.eq(holds::id.nullable()))
            .filter(parcel_lines::closed_at.is_null());
        // From what stands on the hold shelf: the requests of a unit become ever more.
        let ready = holds::table
            .filter(holds::pickup_unit_id.eq(unit.get()))
            .filter(holds::closed_at.is_null().and(holds::shelf_number.is_not_null()))
            .filter(holds::delivery_request_id.is_not_null())
            .filter(diesel::dsl::not(diesel::dsl::exists(packed)))
            .select(holds::delivery_request_id);
        Ok(delivery_requests::table
            .filter(delivery_requests::unit_id.eq(unit.get()))
            .filter(
                delivery_requests::delivery
                    .eq("parcel")
                    .and(delivery_requests::id.gt(after)),
            )
            .filter(delivery_requests::id.nullable().eq_any(ready))
            .order(delivery_requests::id)
            .limit(limit)
            .load(self.conn)?)
    }

    /// The address of a request, unless it was erased.
    pub fn delivery_address(&mut self, request: i64) -> Result<Option<Address>, StoreError> {
        let row: Option<(String, String, String, String)> = delivery_addresses::table
            .find(request)
            .select((
                delivery_addresses::name,
                delivery_addresses::phone,
                delivery_addresses::region,
                delivery_addresses::street,
            ))
            .first(self.conn)
            .optional()?;
        row.map(|(name, phone, region, street)| {
            let phone = Phone::stored(phone).ok_or_else(|| {
                StoreError::Corrupt(format!("the address of request {request} has no telephone number"))
            })?;
            Ok(Address {
                name,
                phone,
                region,
                street,
            })
        })
        .transpose()
    }

    /// Requests after `after` that have an address, and of those the ones whose last parcel ended before `before` and that wait
    /// for nothing more.
    pub fn addresses_to_erase(
        &mut self,
        after: i64,
        before: DateTime<Utc>,
        limit: i64,
    ) -> Result<(Vec<i64>, Vec<i64>), StoreError> {
        let some: Vec<i64> = delivery_addresses::table
            .filter(delivery_addresses::request_id.gt(after))
            .order(delivery_addresses::request_id)
            .limit(limit)
            .select(delivery_addresses::request_id)
            .load(self.conn)?;
        let before = before.timestamp_millis();
        let young = parcels::table
            .filter(parcels::request_id.eq(delivery_requests::id))
            .filter(parcels::closed_at.is_null().or(parcels::closed_at.gt(before)));
        let open = holds::table
            .filter(holds::delivery_request_id.eq(delivery_requests::id.nullable()))
            .filter(holds::closed_at.is_null().or(holds::closed_at.gt(before)));
        let ended = delivery_requests::table
            .filter(
                delivery_requests::id
                    .eq_any(&some)
                    .and(delivery_requests::asked_at.le(before)),
            )
            .filter(diesel::dsl::not(diesel::dsl::exists(young)))
            .filter(diesel::dsl::not(diesel::dsl::exists(open)))
            .order(delivery_requests::id)
            .select(delivery_requests::id)
            .load(self.conn)?;
        Ok((some, ended))
    }
}

impl WriteTx<'_> {
    /// Says whether a unit packs parcels.
    pub fn set_packing(&mut self, unit: UnitId, packs: bool) -> Result<(), StoreError> {
        let known = diesel::update(packing_units::table.find(unit.get()))
            .set(packing_units::packs.eq(packs))
            .execute(self.conn)?;
        if known == 0 {
            diesel::insert_into(packing_units::table)
                .values((packing_units::unit_id.eq(unit.get()), packing_units::packs.eq(packs)))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Adds a request, and where it goes.
    pub fn insert_request(&mut self, request: &RequestRow, address: Option<&Address>) -> Result<(), StoreError> {
        diesel::insert_into(delivery_requests::table)
            .values(request.clone())
            .execute(self.conn)?;
        if let Some(address) = address {
            diesel::insert_into(delivery_addresses::table)
                .values((
                    delivery_addresses::request_id.eq(request.id),
                    delivery_addresses::name.eq(&address.name),
                    delivery_addresses::phone.eq(address.phone.as_str()),
                    delivery_addresses::region.eq(&address.region),
                    delivery_addresses::street.eq(&address.street),
                ))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Makes a hold a line of a request.
    pub fn join_request(&mut self, hold: HoldId, request: i64) -> Result<(), StoreError> {
        diesel::update(holds::table.find(hold.get()))
            .set(holds::delivery_request_id.eq(request))
            .execute(self.conn)?;
        Ok(())
    }

    /// Erases addresses; answers how many there were.
    pub fn erase_addresses(&mut self, requests: &[i64]) -> Result<usize, StoreError> {
        Ok(
            diesel::delete(delivery_addresses::table.filter(delivery_addresses::request_id.eq_any(requests)))
                .execute(self.conn)?,
        )
    }

    /// Until when a captured copy waits on the hold shelf, set anew.
    pub fn keep_on_shelf(&mut self, hold: HoldId, until: chrono::NaiveDate) -> Result<(), StoreError> {
        diesel::update(holds::table.find(hold.get()))
            .set(holds::shelf_until.eq(super::readers::day_text(until)))
            .execute(self.conn)?;
        Ok(())
    }
}
