//! Parcels and their lines. A copy lies in at most one open line; a state changes only from the one that was read.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::error::StoreError;
use super::readers::day_text;
use super::schema::{bibs, delivery_requests, holds, items, loans, parcel_lines, parcels};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{BibId, ItemId, LoanId, UnitId};
use crate::domain::parcel::{Direction, ParcelState, Step};

/// A parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    pub id: i64,
    pub request: i64,
    pub reader: Option<i64>,
    pub unit: UnitId,
    pub direction: Direction,
    pub state: ParcelState,
    pub opened_at: i64,
    pub dispatch_by: Option<String>,
    pub posted_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub closed_at: Option<i64>,
    pub tracking_number: Option<String>,
    /// Nobody has heard of it for days.
    pub alarmed_at: Option<i64>,
    /// Staff closed it as not arrived.
    pub given_up_at: Option<i64>,
}

/// A new parcel.
#[derive(Debug, Clone)]
pub struct NewParcel {
    pub id: i64,
    pub request: i64,
    pub unit: UnitId,
    pub direction: Direction,
    pub state: ParcelState,
    pub opened_at: DateTime<Utc>,
    pub dispatch_by: Option<NaiveDate>,
}

/// A copy in a parcel.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct ParcelLine {
    pub id: i64,
    pub item_id: i64,
    pub barcode: String,
    pub bib_id: i64,
    pub title: String,
    pub hold_id: Option<i64>,
    pub loan_id: Option<i64>,
    pub loan_closed_at: Option<i64>,
    /// Its days begin when the carrier has delivered it.
    pub from_delivery: bool,
    /// The copy that the hold keeps, and when the hold ended.
    pub hold_item_id: Option<i64>,
    pub hold_closed_at: Option<i64>,
    /// Codes, separated by commas.
    pub set_aside: Option<String>,
    pub closed_at: Option<i64>,
}

impl ParcelLine {
    /// It is in the parcel.
    pub const fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    /// It is lent, and the loan goes on.
    pub const fn is_lent(&self) -> bool {
        self.loan_id.is_some() && self.loan_closed_at.is_none()
    }

    /// Its loan has ended.
    pub const fn is_back(&self) -> bool {
        self.loan_id.is_some() && self.loan_closed_at.is_some()
    }

    /// Its hold still keeps it.
    pub fn is_kept(&self) -> bool {
        self.hold_closed_at.is_none() && self.hold_item_id == Some(self.item_id)
    }

    pub const fn bib(&self) -> BibId {
        BibId::new(self.bib_id)
    }

    pub const fn item(&self) -> ItemId {
        ItemId::new(self.item_id)
    }
}

/// Which parcels a list has.
#[derive(Debug, Clone, Copy)]
pub struct ParcelFilter {
    pub unit: UnitId,
    pub direction: Option<Direction>,
    pub state: Option<ParcelState>,
    /// Only those that were opened or posted before.
    pub silent_since: Option<DateTime<Utc>>,
    pub alarmed: bool,
}

type ParcelRow = (
    i64,
    i64,
    Option<i64>,
    i64,
    String,
    String,
    i64,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    (Option<String>, Option<i64>, Option<i64>),
);

fn parcel(row: ParcelRow) -> Result<Parcel, StoreError> {
    let (id, request, reader, unit, direction, state, opened_at, dispatch_by, posted_at, ended_at, closed_at, rest) =
        row;
    let (tracking, alarmed_at, given_up_at) = rest;
    let broken = || {
        StoreError::Corrupt(format!(
            "parcel {id} has the unknown direction or state {direction} {state}"
        ))
    };
    Ok(Parcel {
        id,
        request,
        reader,
        unit: UnitId::new(unit),
        direction: Direction::from_code(&direction).ok_or_else(broken)?,
        state: ParcelState::from_code(&state).ok_or_else(broken)?,
        opened_at,
        dispatch_by,
        posted_at,
        ended_at,
        closed_at,
        tracking_number: tracking,
        alarmed_at,
        given_up_at,
    })
}

macro_rules! columns {
    () => {
        (
            parcels::id,
            parcels::request_id,
            delivery_requests::reader_id,
            parcels::unit_id,
            parcels::direction,
            parcels::state,
            parcels::opened_at,
            parcels::dispatch_by,
            parcels::posted_at,
            parcels::ended_at,
            parcels::closed_at,
            (parcels::tracking_number, parcels::alarmed_at, parcels::given_up_at),
        )
    };
}

impl ReadTx<'_> {
    /// A parcel.
    pub fn parcel(&mut self, id: i64) -> Result<Option<Parcel>, StoreError> {
        let row: Option<ParcelRow> = parcels::table
            .inner_join(delivery_requests::table.on(delivery_requests::id.eq(parcels::request_id)))
            .filter(parcels::id.eq(id))
            .select(columns!())
            .first(self.conn)
            .optional()?;
        row.map(parcel).transpose()
    }

    /// What lies or lay in a parcel, in the order of the bibs.
    pub fn parcel_lines(&mut self, id: i64) -> Result<Vec<ParcelLine>, StoreError> {
        Ok(parcel_lines::table
            .inner_join(items::table.on(items::id.eq(parcel_lines::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .left_join(loans::table.on(parcel_lines::loan_id.eq(loans::id.nullable())))
            .left_join(holds::table.on(parcel_lines::hold_id.eq(holds::id.nullable())))
            .filter(parcel_lines::parcel_id.eq(id))
            .order((bibs::id, items::id, parcel_lines::id))
            .select((
                parcel_lines::id,
                parcel_lines::item_id,
                items::barcode,
                items::bib_id,
                bibs::title,
                parcel_lines::hold_id,
                parcel_lines::loan_id,
                loans::closed_at.nullable(),
                parcel_lines::from_delivery,
                holds::captured_item_id.nullable(),
                holds::closed_at.nullable(),
                parcel_lines::set_aside,
                parcel_lines::closed_at,
            ))
            .load(self.conn)?)
    }

    /// Open parcels of a unit after `after`, by id.
    pub fn open_parcels(&mut self, which: &ParcelFilter, after: i64, limit: i64) -> Result<Vec<Parcel>, StoreError> {
        let mut query = parcels::table
            .inner_join(delivery_requests::table.on(delivery_requests::id.eq(parcels::request_id)))
            .filter(parcels::unit_id.eq(which.unit.get()))
            .filter(parcels::closed_at.is_null().and(parcels::id.gt(after)))
            .select(columns!())
            .order(parcels::id)
            .limit(limit)
            .into_boxed();
        if let Some(direction) = which.direction {
            query = query.filter(parcels::direction.eq(direction.code()));
        }
        if let Some(state) = which.state {
            query = query.filter(parcels::state.eq(state.code()));
        }
        if which.alarmed {
            query = query.filter(parcels::alarmed_at.is_not_null());
        }
        if let Some(since) = which.silent_since.map(|at| at.timestamp_millis()) {
            let posted_long_ago = parcels::posted_at.lt(since).assume_not_null();
            query = query.filter(
                parcels::opened_at
                    .lt(since)
                    .and(parcels::posted_at.is_null().or(posted_long_ago)),
            );
        }
        let rows: Vec<ParcelRow> = query.load(self.conn)?;
        rows.into_iter().map(parcel).collect()
    }

    /// The parcel in which a hold's copy lies now.
    pub fn parcel_of_hold(&mut self, hold: i64) -> Result<Option<i64>, StoreError> {
        Ok(parcel_lines::table
            .filter(parcel_lines::hold_id.eq(hold).and(parcel_lines::closed_at.is_null()))
            .select(parcel_lines::parcel_id)
            .first(self.conn)
            .optional()?)
    }

    /// The open parcel in which a loan's copy lies.
    pub fn parcel_with(&mut self, item: ItemId, loan: LoanId) -> Result<Option<i64>, StoreError> {
        Ok(parcel_lines::table
            .filter(
                parcel_lines::item_id
                    .eq(item.get())
                    .and(parcel_lines::closed_at.is_null()),
            )
            .filter(parcel_lines::loan_id.eq(loan.get()))
            .select(parcel_lines::parcel_id)
            .first(self.conn)
            .optional()?)
    }
}

impl WriteTx<'_> {
    /// Locks the bibs of a parcel's lines and reads both; `None` for an unknown parcel.
    pub fn lock_parcel(&mut self, id: i64) -> Result<Option<(Parcel, Vec<ParcelLine>)>, StoreError> {
        let before: Vec<BibId> = self.parcel_lines(id)?.iter().map(ParcelLine::bib).collect();
        self.lock_bibs(&before)?;
        let lines = self.parcel_lines(id)?;
        // A merge may have moved an item meanwhile: then other bibs are to be locked.
        if lines.iter().any(|line| !before.contains(&line.bib())) {
            return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction));
        }
        Ok(self.parcel(id)?.map(|parcel| (parcel, lines)))
    }

    /// Adds a parcel.
    pub fn insert_parcel(&mut self, parcel: &NewParcel) -> Result<(), StoreError> {
        diesel::insert_into(parcels::table)
            .values((
                parcels::id.eq(parcel.id),
                parcels::request_id.eq(parcel.request),
                parcels::unit_id.eq(parcel.unit.get()),
                parcels::direction.eq(parcel.direction.code()),
                parcels::state.eq(parcel.state.code()),
                parcels::opened_at.eq(parcel.opened_at.timestamp_millis()),
                parcels::dispatch_by.eq(parcel.dispatch_by.map(day_text)),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Puts a copy into a parcel. An older line of that copy was left behind by a hold or a loan that ended: it is closed.
    pub fn insert_parcel_line(
        &mut self,
        (id, parcel): (i64, i64),
        item: ItemId,
        hold: Option<i64>,
        loan: Option<LoanId>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(
            parcel_lines::table.filter(
                parcel_lines::item_id
                    .eq(item.get())
                    .and(parcel_lines::closed_at.is_null()),
            ),
        )
        .set(parcel_lines::closed_at.eq(at.timestamp_millis()))
        .execute(self.conn)?;
        diesel::insert_into(parcel_lines::table)
            .values((
                parcel_lines::id.eq(id),
                parcel_lines::parcel_id.eq(parcel),
                parcel_lines::item_id.eq(item.get()),
                parcel_lines::hold_id.eq(hold),
                parcel_lines::loan_id.eq(loan.map(LoanId::get)),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// The copy in the parcel is lent.
    pub fn set_line_loan(&mut self, line: i64, loan: i64, from_delivery: bool) -> Result<(), StoreError> {
        diesel::update(parcel_lines::table.find(line))
            .set((
                parcel_lines::loan_id.eq(loan),
                parcel_lines::from_delivery.eq(from_delivery),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// The copy is in the parcel no more; `set_aside` says why it never went with it.
    pub fn close_parcel_line(
        &mut self,
        line: i64,
        set_aside: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(parcel_lines::table.find(line))
            .set((
                parcel_lines::set_aside.eq(set_aside),
                parcel_lines::closed_at.eq(at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Changes the state of a parcel from the one that was read. That is news: an alarm is over.
    ///
    /// # Errors
    /// `Retry` when somebody else changed it meanwhile.
    pub fn move_parcel(&mut self, parcel: &Parcel, to: ParcelState, at: DateTime<Utc>) -> Result<(), StoreError> {
        let closed = to.is_closed(parcel.direction).then(|| at.timestamp_millis());
        let changed = diesel::update(parcels::table.find(parcel.id))
            .filter(parcels::state.eq(parcel.state.code()))
            .set((
                parcels::state.eq(to.code()),
                parcels::closed_at.eq(closed),
                parcels::alarmed_at.eq(None::<i64>),
            ))
            .execute(self.conn)?;
        if changed == 0 {
            return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction));
        }
        // What a reader refused ended then, not when it arrived.
        let came_back = to == ParcelState::Returned && parcel.state != ParcelState::Refused;
        if came_back || matches!(to, ParcelState::Delivered | ParcelState::Refused | ParcelState::Lost) {
            self.set_parcel_moment(parcel.id, Step::Deliver, at)?;
        }
        Ok(())
    }

    /// Notes when a parcel was posted, or when its way ended.
    pub fn set_parcel_moment(&mut self, parcel: i64, step: Step, at: DateTime<Utc>) -> Result<(), StoreError> {
        let at = at.timestamp_millis();
        let row = parcels::table.find(parcel);
        match step {
            Step::PickedUp | Step::Dispatch => diesel::update(row).set(parcels::posted_at.eq(at)).execute(self.conn)?,
            _ => diesel::update(row).set(parcels::ended_at.eq(at)).execute(self.conn)?,
        };
        Ok(())
    }

    /// The carrier's number of a parcel.
    pub fn set_tracking_number(&mut self, parcel: i64, number: &str) -> Result<(), StoreError> {
        diesel::update(parcels::table.find(parcel))
            .set(parcels::tracking_number.eq(number))
            .execute(self.conn)?;
        Ok(())
    }
}
