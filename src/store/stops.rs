//! The stops of vehicles, as part of the configuration; and the return policy that a unit says for its copies.
//! Every change ends in `bump_config_version`.

use std::collections::HashMap;

use chrono::Weekday;
use diesel::prelude::*;

use super::config_rows::minute_of;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::ids::IdRun;
use super::items::parse_day;
use super::network::{policy_columns, time_of};
use super::readers::day_text;
use super::schema::{mobile_stop_cancellations, mobile_stops, units};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::UnitId;
use crate::domain::item::ReturnPolicy;
use crate::domain::stops::Stop;

#[derive(Debug, Queryable)]
struct StopRow {
    id: i64,
    unit_id: i64,
    place: String,
    latitude: Option<f64>,
    longitude: Option<f64>,
    weekday: Option<i32>,
    first_day: String,
    last_day: Option<String>,
    opens_minute: i32,
    closes_minute: i32,
}

/// The stops of every vehicle, in the order in which they were given.
pub(super) fn load(conn: &mut AnyConnection) -> Result<HashMap<i64, Vec<Stop>>, StoreError> {
    let mut cancelled: HashMap<i64, Vec<chrono::NaiveDate>> = HashMap::new();
    let rows: Vec<(i64, String)> = mobile_stop_cancellations::table
        .order((mobile_stop_cancellations::stop_id, mobile_stop_cancellations::day))
        .load(conn)?;
    for (stop, day) in rows {
        cancelled.entry(stop).or_default().push(parse_day(&day)?);
    }
    let rows: Vec<StopRow> = mobile_stops::table.order(mobile_stops::id).load(conn)?;
    let mut stops: HashMap<i64, Vec<Stop>> = HashMap::new();
    for row in rows {
        let cancelled = cancelled.remove(&row.id).unwrap_or_default();
        stops.entry(row.unit_id).or_default().push(stop_of(row, cancelled)?);
    }
    Ok(stops)
}

fn stop_of(row: StopRow, cancelled: Vec<chrono::NaiveDate>) -> Result<Stop, StoreError> {
    let weekday = row.weekday.map(|day| {
        let day = u8::try_from(day - 1).ok().and_then(|day| Weekday::try_from(day).ok());
        day.ok_or_else(|| StoreError::Corrupt(format!("stop {} is on no weekday", row.id)))
    });
    Ok(Stop {
        place: row.place,
        latitude: row.latitude,
        longitude: row.longitude,
        weekday: weekday.transpose()?,
        first: parse_day(&row.first_day)?,
        last: match (&row.last_day, row.weekday) {
            (Some(last), Some(_)) => Some(parse_day(last)?),
            _ => None,
        },
        opens: time_of(row.opens_minute),
        closes: time_of(row.closes_minute),
        cancelled,
    })
}

impl ReadTx<'_> {
    /// How often the stops of a unit were set.
    pub fn stops_version(&mut self, unit: UnitId) -> Result<i64, StoreError> {
        Ok(units::table
            .find(unit.get())
            .select(units::stops_version)
            .first(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Gives a vehicle other stops; answers the version they are.
    pub fn replace_stops(&mut self, unit: UnitId, stops: &[Stop], ids: &mut IdRun) -> Result<i64, StoreError> {
        let old = mobile_stops::table
            .filter(mobile_stops::unit_id.eq(unit.get()))
            .select(mobile_stops::id);
        let old: Vec<i64> = old.load(self.conn)?;
        diesel::delete(mobile_stop_cancellations::table.filter(mobile_stop_cancellations::stop_id.eq_any(&old)))
            .execute(self.conn)?;
        diesel::delete(mobile_stops::table.filter(mobile_stops::id.eq_any(&old))).execute(self.conn)?;
        for stop in stops {
            self.insert_stop(ids.next(), unit, stop)?;
        }
        diesel::update(units::table.find(unit.get()))
            .set(units::stops_version.eq(units::stops_version + 1))
            .execute(self.conn)?;
        self.bump_config_version()?;
        self.stops_version(unit)
    }

    fn insert_stop(&mut self, id: i64, unit: UnitId, stop: &Stop) -> Result<(), StoreError> {
        let last = if stop.weekday.is_some() {
            stop.last
        } else {
            Some(stop.first)
        };
        let weekday = stop
            .weekday
            .map(|day| i32::try_from(day.number_from_monday()).unwrap_or(1));
        diesel::insert_into(mobile_stops::table)
            .values((
                mobile_stops::id.eq(id),
                mobile_stops::unit_id.eq(unit.get()),
                mobile_stops::place.eq(&stop.place),
                mobile_stops::latitude.eq(stop.latitude),
                mobile_stops::longitude.eq(stop.longitude),
                mobile_stops::weekday.eq(weekday),
                mobile_stops::first_day.eq(day_text(stop.first)),
                mobile_stops::last_day.eq(last.map(day_text)),
                mobile_stops::opens_minute.eq(minute_of(stop.opens)),
                mobile_stops::closes_minute.eq(minute_of(stop.closes)),
            ))
            .execute(self.conn)?;
        for day in &stop.cancelled {
            diesel::insert_into(mobile_stop_cancellations::table)
                .values((
                    mobile_stop_cancellations::stop_id.eq(id),
                    mobile_stop_cancellations::day.eq(day_text(*day)),
                ))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Sets what a unit says of its copies that come back elsewhere; `None`: nothing of its own.
    pub fn set_unit_policy(&mut self, unit: UnitId, policy: Option<ReturnPolicy>) -> Result<(), StoreError> {
        let columns = policy.map(policy_columns);
        diesel::update(units::table.find(unit.get()))
            .set((
                units::return_policy.eq(columns.map(|(code, _)| code)),
                units::float_cap.eq(columns.and_then(|(_, cap)| cap)),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }
}
