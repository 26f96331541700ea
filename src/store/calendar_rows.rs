//! Exceptional openings, amnesties and emergency closings: loaded with the network, added and removed.
//! Every change ends in `bump_config_version`.

use std::collections::HashMap;

use chrono::NaiveDate;
use diesel::prelude::*;

use super::config_rows::minute_of;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::items::parse_day;
use super::network::time_of;
use super::readers::day_text;
use super::schema::{calendar_changes, unit_amnesties, unit_opening_spans, unit_openings};
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::calendar::{OpenSpan, local_day};
use crate::domain::dated::{Amnesty, Dated, EmergencyClosing, Opening};
use crate::domain::ids::UnitId;

/// An amnesty's row: id, unit, first day, last day, reason.
pub type AmnestyRow = (i64, i64, String, String, String);

/// What the units say of single days, by unit.
pub(super) fn load_dated(conn: &mut AnyConnection, zone: chrono_tz::Tz) -> Result<HashMap<i64, Dated>, StoreError> {
    let mut dated: HashMap<i64, Dated> = HashMap::new();
    load_openings(conn, &mut dated)?;
    let amnesties: Vec<AmnestyRow> = unit_amnesties::table.order(unit_amnesties::first_day).load(conn)?;
    for (_, unit, first, last, reason) in amnesties {
        let (first, last) = (parse_day(&first)?, parse_day(&last)?);
        let amnesties = &mut dated.entry(unit).or_default().amnesties;
        amnesties.push(Amnesty { first, last, reason });
    }
    load_closings(conn, zone, &mut dated)?;
    Ok(dated)
}

fn load_openings(conn: &mut AnyConnection, dated: &mut HashMap<i64, Dated>) -> Result<(), StoreError> {
    let mut spans: HashMap<i64, Vec<OpenSpan>> = HashMap::new();
    let rows: Vec<(i64, i32, i32)> = unit_opening_spans::table
        .order((unit_opening_spans::opening_id, unit_opening_spans::opens_minute))
        .load(conn)?;
    for (opening, opens, closes) in rows {
        let (opens, closes) = (time_of(opens), time_of(closes));
        spans.entry(opening).or_default().push(OpenSpan { opens, closes });
    }
    let rows: Vec<(i64, i64, String, String, String)> =
        unit_openings::table.order(unit_openings::first_day).load(conn)?;
    for (id, unit, first, last, reason) in rows {
        let opening = Opening {
            first: parse_day(&first)?,
            last: parse_day(&last)?,
            spans: spans.remove(&id).unwrap_or_default(),
            reason,
        };
        dated.entry(unit).or_default().openings.push(opening);
    }
    Ok(())
}

type ClosingRow = (i64, i64, Option<String>, Option<String>, Option<String>, Option<i64>);

/// One that was undone has closed the days before that.
fn load_closings(
    conn: &mut AnyConnection,
    zone: chrono_tz::Tz,
    dated: &mut HashMap<i64, Dated>,
) -> Result<(), StoreError> {
    let rows: Vec<ClosingRow> = calendar_changes::table
        .filter(calendar_changes::kind.eq("closing"))
        .order(calendar_changes::id)
        .select((
            calendar_changes::id,
            calendar_changes::unit_id,
            calendar_changes::first_day,
            calendar_changes::last_day,
            calendar_changes::reason,
            calendar_changes::undone_at,
        ))
        .load(conn)?;
    for (id, unit, first, last, reason, undone_at) in rows {
        let day = |text: Option<String>| parse_day(&text.unwrap_or_default());
        let (first, mut last) = (day(first)?, day(last)?);
        let undone = undone_at.and_then(|at| local_day(zone, from_millis(at)).pred_opt());
        last = undone.map_or(last, |before| before.min(last));
        if first <= last {
            let reason = reason.unwrap_or_default();
            let closings = &mut dated.entry(unit).or_default().closings;
            closings.push(EmergencyClosing {
                id,
                first,
                last,
                reason,
            });
        }
    }
    Ok(())
}

impl ReadTx<'_> {
    /// The amnesties of these units after an id, in the order of their ids.
    pub fn amnesties(&mut self, units: &[UnitId], after: i64, limit: i64) -> Result<Vec<AmnestyRow>, StoreError> {
        let units: Vec<i64> = units.iter().map(|unit| unit.get()).collect();
        Ok(unit_amnesties::table
            .filter(unit_amnesties::unit_id.eq_any(units))
            .filter(unit_amnesties::id.gt(after))
            .order(unit_amnesties::id)
            .limit(limit)
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Adds exceptional openings of a unit.
    pub fn insert_openings(&mut self, unit: UnitId, openings: &[(i64, Opening)]) -> Result<(), StoreError> {
        for (id, opening) in openings {
            diesel::insert_into(unit_openings::table)
                .values((
                    unit_openings::id.eq(id),
                    unit_openings::unit_id.eq(unit.get()),
                    unit_openings::first_day.eq(day_text(opening.first)),
                    unit_openings::last_day.eq(day_text(opening.last)),
                    unit_openings::reason.eq(&opening.reason),
                ))
                .execute(self.conn)?;
            for span in &opening.spans {
                diesel::insert_into(unit_opening_spans::table)
                    .values((
                        unit_opening_spans::opening_id.eq(id),
                        unit_opening_spans::opens_minute.eq(minute_of(span.opens)),
                        unit_opening_spans::closes_minute.eq(minute_of(span.closes)),
                    ))
                    .execute(self.conn)?;
            }
        }
        self.bump_config_version()
    }

    /// Removes the exceptional openings of a unit with exactly these ends; answers how many.
    pub fn delete_openings(&mut self, unit: UnitId, first: NaiveDate, last: NaiveDate) -> Result<usize, StoreError> {
        let ids: Vec<i64> = unit_openings::table
            .filter(unit_openings::unit_id.eq(unit.get()))
            .filter(unit_openings::first_day.eq(day_text(first)))
            .filter(unit_openings::last_day.eq(day_text(last)))
            .select(unit_openings::id)
            .load(self.conn)?;
        let spans = unit_opening_spans::table.filter(unit_opening_spans::opening_id.eq_any(ids.clone()));
        diesel::delete(spans).execute(self.conn)?;
        let deleted = diesel::delete(unit_openings::table.filter(unit_openings::id.eq_any(ids))).execute(self.conn)?;
        self.bump_config_version()?;
        Ok(deleted)
    }

    /// Adds an amnesty of a unit.
    pub fn insert_amnesty(&mut self, id: i64, unit: UnitId, amnesty: &Amnesty) -> Result<(), StoreError> {
        diesel::insert_into(unit_amnesties::table)
            .values((
                unit_amnesties::id.eq(id),
                unit_amnesties::unit_id.eq(unit.get()),
                unit_amnesties::first_day.eq(day_text(amnesty.first)),
                unit_amnesties::last_day.eq(day_text(amnesty.last)),
                unit_amnesties::reason.eq(&amnesty.reason),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }

    /// Removes the amnesty of a unit with exactly these ends; answers how many rows.
    pub fn delete_amnesty(&mut self, unit: UnitId, first: NaiveDate, last: NaiveDate) -> Result<usize, StoreError> {
        let rows = unit_amnesties::table
            .filter(unit_amnesties::unit_id.eq(unit.get()))
            .filter(unit_amnesties::first_day.eq(day_text(first)))
            .filter(unit_amnesties::last_day.eq(day_text(last)));
        let deleted = diesel::delete(rows).execute(self.conn)?;
        self.bump_config_version()?;
        Ok(deleted)
    }
}
