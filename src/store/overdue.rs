//! Loans whose due date has passed, found by a walk over all open loans in the order of their items.
//! There is no index on due dates: every check-out would pay for it, and the walk reads a million loans in seconds.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::error::StoreError;
use super::events::{Event, SYSTEM_CHANNEL};
use super::hot::on_engine;
use super::schema::{bibs, items, loans, parcel_lines, parcels};
use super::tx::{ReadTx, WriteTx};
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{BibId, CategoryId, ItemId, ItemTypeId, ReaderId, UnitId};
use crate::store::ids::IdRun;

/// Whether the copy of a loan was given back before it was due and travels in a parcel: the reader has done their part, and the
/// check-in will say when.
macro_rules! given_back_in_time {
    () => {
        diesel::dsl::exists(
            parcel_lines::table
                .inner_join(parcels::table.on(parcels::id.eq(parcel_lines::parcel_id)))
                .filter(parcel_lines::item_id.eq(loans::item_id))
                .filter(parcel_lines::loan_id.eq(loans::id.nullable()))
                .filter(parcel_lines::closed_at.is_null())
                .filter(
                    parcels::direction
                        .eq("back")
                        .nullable()
                        .and(parcels::posted_at.le(loans::due_at.nullable()))
                        .or(parcels::state
                            .eq("refused")
                            .or(parcels::state.eq("returned"))
                            .nullable()
                            .and(parcels::ended_at.le(loans::due_at.nullable()))),
                ),
        )
    };
}
pub(super) use given_back_in_time;

/// Some open loans of a walk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walked {
    pub loans: i64,
    /// The item of the last one; `None` at the end.
    pub last_item: Option<i64>,
    /// The loans that the walk looks for.
    pub found: Vec<i64>,
}

#[derive(Queryable)]
struct MarkedRow {
    id: i64,
    unit_id: i64,
    due_at: i64,
    item_id: i64,
    bib_id: i64,
    owner_unit_id: i64,
    home_unit_id: i64,
    item_type_id: i64,
    clc_class: Option<String>,
    category_id: i64,
    age_band: String,
    reader_id: Option<i64>,
}

impl ReadTx<'_> {
    /// The next open loans, and which of them became overdue since anybody looked. What was given back in time is not.
    pub fn walk_overdue(&mut self, after_item: i64, now: DateTime<Utc>, limit: i64) -> Result<Walked, StoreError> {
        let query = loans::table
            .filter(loans::closed_at.is_null().and(loans::item_id.gt(after_item)))
            .order(loans::item_id)
            .limit(limit)
            .select((
                loans::id,
                loans::item_id,
                loans::due_at,
                loans::overdue_since,
                given_back_in_time!(),
            ));
        let rows: Vec<(i64, i64, i64, Option<i64>, bool)> = on_engine!(self.conn, conn => query.load(conn))?;
        let now = now.timestamp_millis();
        let overdue = rows
            .iter()
            .filter(|(_, _, due, marked, given_back)| *due < now && *marked != Some(*due) && !given_back);
        Ok(Walked {
            loans: i64::try_from(rows.len()).unwrap_or(i64::MAX),
            last_item: rows.last().map(|(_, item, ..)| *item),
            found: overdue.map(|(id, ..)| *id).collect(),
        })
    }
}

impl WriteTx<'_> {
    /// Marks those of the loans that are still open and overdue, with an event each; answers how many. Marking them again
    /// changes nothing.
    pub fn mark_overdue(&mut self, ids: &[i64], mut event_ids: IdRun) -> Result<usize, StoreError> {
        let now = self.now();
        let unmarked = loans::overdue_since
            .is_null()
            .or(loans::overdue_since.ne(loans::due_at.nullable()));
        let overdue = loans::table.filter(
            loans::id
                .eq_any(ids)
                .and(loans::closed_at.is_null())
                .and(loans::due_at.lt(now.timestamp_millis()))
                .and(unmarked)
                .and(diesel::dsl::not(given_back_in_time!())),
        );
        let mark = diesel::update(overdue)
            .set(loans::overdue_since.eq(loans::due_at.nullable()))
            .returning(loans::id);
        let marked: Vec<i64> = on_engine!(self.conn, conn => mark.get_results(conn))?;
        let rows = self.marked_loans(&marked)?;
        for row in &rows {
            self.append_event(event_ids.next(), &event(row, now))?;
        }
        Ok(rows.len())
    }

    fn marked_loans(&mut self, ids: &[i64]) -> Result<Vec<MarkedRow>, StoreError> {
        let query = loans::table
            .inner_join(items::table.on(items::id.eq(loans::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .filter(loans::id.eq_any(ids))
            .order(loans::id)
            .select((
                loans::id,
                loans::unit_id,
                loans::due_at,
                loans::item_id,
                items::bib_id,
                loans::owner_unit_id,
                items::home_unit_id,
                loans::item_type_id,
                bibs::clc_class,
                loans::category_id,
                loans::age_band,
                loans::reader_id,
            ));
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }
}

fn event(row: &MarkedRow, now: DateTime<Utc>) -> Event<'_> {
    let mut event = Event::new(EventKind::LoanOverdue, now, UnitId::new(row.unit_id), SYSTEM_CHANNEL)
        .detail(json!({"loan_id": row.id, "due_at": row.due_at}));
    event.item = Some(ItemId::new(row.item_id));
    event.bib = Some(BibId::new(row.bib_id));
    event.owner = Some(UnitId::new(row.owner_unit_id));
    event.home = Some(UnitId::new(row.home_unit_id));
    event.item_type = Some(ItemTypeId::new(row.item_type_id));
    event.clc_class = row.clc_class.as_deref();
    event.category = Some(CategoryId::new(row.category_id));
    event.age_band = AgeBand::from_code(&row.age_band);
    event.reader = row.reader_id.map(ReaderId::new);
    event
}
