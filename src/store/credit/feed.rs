//! What moves credit by itself: sealed events in commit order and how far the ledger has followed them; overdue loans, accounts and
//! old deductions that the nightly jobs look at.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::super::error::StoreError;
use super::super::hot::on_engine;
use super::super::items::parse_day;
use super::super::overdue::given_back_in_time;
use super::super::readers::day_text;
use super::super::schema::{
    credit_entries, credit_feed, credit_freezes, credit_overdue, event_personal, event_seals, loans, parcel_lines,
    parcels, readers,
};
use super::super::seals::Seal;
use super::super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::credit::{EntryKind, RegimeKind};
use crate::domain::event::EventKind;
use crate::domain::ids::{ReaderId, UnitId};
use crate::domain::overdue_credit::SoFar;

/// What is written so long after it happened is history that was brought in, and moves nothing: 35 days.
const HISTORY_MILLIS: i64 = 35 * 24 * 3_600 * 1_000;

/// The next seal to follow, and how many of its events are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feed {
    pub position: i64,
    pub taken: i64,
}

/// A sealed event about a reader.
#[derive(Debug, Clone)]
pub struct FedEvent {
    /// Its place under the seal, from 0.
    pub place: i64,
    pub seq: i64,
    pub at: DateTime<Utc>,
    pub kind: EventKind,
    pub owner: Option<UnitId>,
    pub detail: serde_json::Value,
    pub reader: ReaderId,
}

/// The events under a seal that somebody asked for.
#[derive(Debug, Clone)]
pub struct FedSeal {
    pub feed: Feed,
    pub events: Vec<FedEvent>,
}

/// An overdue loan, and what its days cost so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverdueLoan {
    pub loan: i64,
    pub reader: ReaderId,
    pub unit: UnitId,
    pub owner: UnitId,
    pub due_at: DateTime<Utc>,
    pub is_back: bool,
    pub so_far: SoFar,
    /// Where it is back: days until this one are still to be charged.
    pub rest_until: Option<NaiveDate>,
    /// Staff ended the freeze for it.
    pub excused: bool,
}

/// What the nightly pass reads of an account.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct AccountGlance {
    pub reader: i64,
    pub balance: i64,
    pub entries: i64,
    pub band: String,
}

pub(super) type OverdueRow = (i64, Option<i64>, i64, i64, i64, Option<i64>, Option<KnownRow>);
type KnownRow = (i32, i64, Option<String>, i32, Option<String>, bool);

macro_rules! overdue_columns {
    () => {
        (
            loans::id,
            loans::reader_id,
            loans::unit_id,
            loans::owner_unit_id,
            loans::due_at,
            loans::closed_at,
            (
                credit_overdue::days,
                credit_overdue::points,
                credit_overdue::until,
                credit_overdue::money_days,
                credit_overdue::rest_until,
                credit_overdue::excused,
            )
                .nullable(),
        )
    };
}
pub(super) use overdue_columns;

pub(super) fn overdue_loan(row: OverdueRow) -> Result<Option<OverdueLoan>, StoreError> {
    let (loan, reader, unit, owner, due_at, closed_at, known) = row;
    let Some(reader) = reader else { return Ok(None) };
    let mut overdue = OverdueLoan {
        loan,
        reader: ReaderId::new(reader),
        unit: UnitId::new(unit),
        owner: UnitId::new(owner),
        due_at: from_millis(due_at),
        is_back: closed_at.is_some(),
        so_far: SoFar::default(),
        rest_until: None,
        excused: false,
    };
    if let Some((days, points, until, money_days, rest_until, excused)) = known {
        let count = |days: i32| u32::try_from(days).unwrap_or(0);
        overdue.so_far = SoFar {
            days: count(days),
            until: until.as_deref().map(parse_day).transpose()?,
            points,
            money_days: count(money_days),
        };
        overdue.rest_until = rest_until.as_deref().map(parse_day).transpose()?;
        overdue.excused = excused;
    }
    Ok(Some(overdue))
}

impl ReadTx<'_> {
    /// How far the ledger has followed the events.
    pub fn credit_feed(&mut self) -> Result<Feed, StoreError> {
        let (position, taken) = credit_feed::table
            .find(1)
            .select((credit_feed::position, credit_feed::taken))
            .first(self.conn)?;
        Ok(Feed { position, taken })
    }

    /// The events of these kinds about readers under the seal that comes next; `None` when there is none yet.
    pub fn events_to_credit(&mut self, kinds: &[EventKind]) -> Result<Option<FedSeal>, StoreError> {
        let feed = self.credit_feed()?;
        let seal: Option<(i64, i64)> = event_seals::table
            .find(feed.position)
            .select((event_seals::event_count, event_seals::sealed_at))
            .first(self.conn)
            .optional()?;
        let Some((count, sealed_at)) = seal else {
            return Ok(None);
        };
        let oldest = sealed_at - HISTORY_MILLIS;
        let before: Option<(i64, i64)> = event_seals::table
            .find(feed.position - 1)
            .select((event_seals::last_txid, event_seals::last_seq))
            .first(self.conn)
            .optional()?;
        let origin = Seal::origin();
        let after = before.unwrap_or((origin.last_txid, origin.last_seq));
        let sealed = self.settled_events(after, count)?;
        let wanted: Vec<_> = (0_i64..)
            .zip(sealed)
            .filter_map(|(place, (_, row))| {
                let kind = EventKind::from_code(&row.kind).filter(|kind| kinds.contains(kind))?;
                (place >= feed.taken && row.at >= oldest).then_some((place, kind, row))
            })
            .collect();
        let seqs: Vec<i64> = wanted.iter().map(|(_, _, row)| row.seq).collect();
        let query = event_personal::table
            .filter(
                event_personal::seq
                    .eq_any(&seqs)
                    .and(event_personal::reader_id.is_not_null()),
            )
            .select((event_personal::seq, event_personal::reader_id.assume_not_null()));
        let readers: Vec<(i64, i64)> = on_engine!(self.conn, conn => query.load(conn))?;
        let reader_of: std::collections::HashMap<i64, i64> = readers.into_iter().collect();
        let events = wanted.into_iter().filter_map(|(place, kind, row)| {
            let reader = reader_of.get(&row.seq)?;
            Some(FedEvent {
                place,
                seq: row.seq,
                at: from_millis(row.at),
                kind,
                owner: row.owner_unit_id.map(UnitId::new),
                detail: serde_json::from_str(&row.detail).unwrap_or_default(),
                reader: ReaderId::new(*reader),
            })
        });
        Ok(Some(FedSeal {
            feed,
            events: events.collect(),
        }))
    }

    /// How many readers there are.
    pub fn count_accounts(&mut self) -> Result<i64, StoreError> {
        Ok(readers::table.count().get_result(self.conn)?)
    }

    /// The next accounts of a walk, by reader.
    pub fn walk_accounts(&mut self, after: i64, limit: i64) -> Result<Vec<AccountGlance>, StoreError> {
        let query = readers::table
            .filter(readers::id.gt(after).and(readers::merged_into.is_null()))
            .order(readers::id)
            .limit(limit)
            .select((
                readers::id,
                readers::credit_balance,
                readers::credit_entries,
                readers::credit_band,
            ));
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// Open loans of readers in a span of ids whose due date has passed, in the order of readers. What was given back in time is
    /// none of them.
    pub fn overdue_loans_between(
        &mut self,
        (after, last): (i64, i64),
        now: DateTime<Utc>,
    ) -> Result<Vec<OverdueLoan>, StoreError> {
        let query = loans::table
            .left_join(credit_overdue::table.on(credit_overdue::loan_id.eq(loans::id)))
            .filter(loans::reader_id.gt(after).and(loans::reader_id.le(last)))
            .filter(loans::closed_at.is_null().and(loans::due_at.lt(now.timestamp_millis())))
            .filter(diesel::dsl::not(given_back_in_time!()))
            .order((loans::reader_id, loans::id))
            .select(overdue_columns!());
        let rows: Vec<OverdueRow> = on_engine!(self.conn, conn => query.load(conn))?;
        rows.into_iter()
            .filter_map(|row| overdue_loan(row).transpose())
            .collect()
    }

    /// Loans of readers in a span of ids that are back, and of which days are still to be charged, in the order of readers.
    pub fn unfinished_overdue_between(&mut self, (after, last): (i64, i64)) -> Result<Vec<OverdueLoan>, StoreError> {
        let query = credit_overdue::table
            .inner_join(loans::table.on(loans::id.eq(credit_overdue::loan_id)))
            .filter(credit_overdue::rest_until.is_not_null())
            .filter(loans::reader_id.gt(after).and(loans::reader_id.le(last)))
            .order((loans::reader_id, loans::id))
            .select(overdue_columns!());
        let rows: Vec<OverdueRow> = on_engine!(self.conn, conn => query.load(conn))?;
        rows.into_iter()
            .filter_map(|row| overdue_loan(row).transpose())
            .collect()
    }

    /// A loan with what its overdue days cost, open or not; `None` once it is unlinked.
    pub fn loan_to_charge(&mut self, loan: i64) -> Result<Option<OverdueLoan>, StoreError> {
        let query = loans::table
            .left_join(credit_overdue::table.on(credit_overdue::loan_id.eq(loans::id)))
            .filter(loans::id.eq(loan))
            .select(overdue_columns!());
        let row: Option<OverdueRow> = on_engine!(self.conn, conn => query.first(conn).optional())?;
        row.map_or(Ok(None), overdue_loan)
    }

    /// Those of some loans that a ledger knows of: days were charged, or somebody is frozen for them.
    pub fn loans_in_ledgers(&mut self, loans: &[i64]) -> Result<HashSet<i64>, StoreError> {
        let charged = credit_overdue::table
            .filter(credit_overdue::loan_id.eq_any(loans))
            .select(credit_overdue::loan_id);
        let frozen = credit_freezes::table
            .filter(credit_freezes::loan_id.assume_not_null().eq_any(loans))
            .filter(credit_freezes::ended_at.is_null())
            .select(credit_freezes::loan_id.assume_not_null());
        let mut found: Vec<i64> = charged.load(self.conn)?;
        found.extend(frozen.load::<i64>(self.conn)?);
        Ok(found.into_iter().collect())
    }

    /// The day on which a reader's ledger was opened: what was before it moves nothing.
    pub fn credit_opened_on(&mut self, reader: ReaderId) -> Result<Option<NaiveDate>, StoreError> {
        let day: Option<String> = credit_entries::table
            .filter(
                credit_entries::reader_id
                    .eq(reader.get())
                    .and(credit_entries::number.eq(1)),
            )
            .select(credit_entries::day)
            .first(self.conn)
            .optional()?;
        day.as_deref().map(parse_day).transpose()
    }

    /// Whether a loan is open, and when it ended if not.
    pub fn loan_ended_at(&mut self, loan: i64) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<Option<i64>> = loans::table
            .find(loan)
            .select(loans::closed_at)
            .first(self.conn)
            .optional()?;
        Ok(at.flatten().map(from_millis))
    }

    /// Deductions of rules and staff posted before a moment that stand, by id.
    pub fn deductions_to_lapse(
        &mut self,
        before: DateTime<Utc>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<i64>, StoreError> {
        Ok(credit_entries::table
            .filter(credit_entries::posted_at.lt(before.timestamp_millis()))
            .filter(credit_entries::points.lt(0).and(credit_entries::undone_by.is_null()))
            .filter(credit_entries::kind.eq_any([EntryKind::Rule.code(), EntryKind::Staff.code()]))
            .filter(credit_entries::id.gt(after))
            .order(credit_entries::id)
            .limit(limit)
            .select(credit_entries::id)
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Goes on in the events. False: another node was faster, and this write must do nothing.
    pub fn advance_feed(&mut self, from: Feed, to: Feed) -> Result<bool, StoreError> {
        let changed = diesel::update(credit_feed::table.find(1))
            .filter(
                credit_feed::position
                    .eq(from.position)
                    .and(credit_feed::taken.eq(from.taken)),
            )
            .set((credit_feed::position.eq(to.position), credit_feed::taken.eq(to.taken)))
            .execute(self.conn)?;
        Ok(changed == 1)
    }

    /// Keeps which overdue days of a loan were looked at, and what they cost; and until which day they are still to be charged when it is
    /// back. Under the reader's lock.
    pub fn set_overdue_credit(
        &mut self,
        loan: i64,
        so_far: SoFar,
        regime: RegimeKind,
        rest_until: Option<NaiveDate>,
    ) -> Result<(), StoreError> {
        let count = |days: u32| i32::try_from(days).unwrap_or(i32::MAX);
        let values = (
            credit_overdue::days.eq(count(so_far.days)),
            credit_overdue::until.eq(so_far.until.map(day_text)),
            credit_overdue::points.eq(so_far.points),
            credit_overdue::money_days.eq(count(so_far.money_days)),
            credit_overdue::regime.eq(regime.code()),
            credit_overdue::rest_until.eq(rest_until.map(day_text)),
        );
        let known = diesel::update(credit_overdue::table.find(loan))
            .set(values.clone())
            .execute(self.conn)?;
        if known == 0 {
            diesel::insert_into(credit_overdue::table)
                .values((credit_overdue::loan_id.eq(loan), values))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Staff have lifted what a reader's overdue loans led to: as long as these are late, they freeze nobody again.
    pub fn excuse_overdue(&mut self, reader: ReaderId) -> Result<(), StoreError> {
        let theirs = loans::table
            .filter(loans::reader_id.eq(reader.get()).and(loans::closed_at.is_null()))
            .select(loans::id);
        let known = diesel::update(credit_overdue::table.filter(credit_overdue::loan_id.eq_any(theirs)))
            .set(credit_overdue::excused.eq(true));
        on_engine!(self.conn, conn => known.execute(conn))?;
        Ok(())
    }

    /// A loan has another due date: being late again is another matter.
    pub fn end_excuse(&mut self, loan: i64) -> Result<(), StoreError> {
        diesel::update(credit_overdue::table.find(loan))
            .set(credit_overdue::excused.eq(false))
            .execute(self.conn)?;
        Ok(())
    }
}
