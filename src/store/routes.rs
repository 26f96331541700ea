//! Routes and their stops. A few hundred at most: they are read whole.

use diesel::prelude::*;

use super::error::StoreError;
use super::schema::{route_stops, routes};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{RouteId, StaffId, UnitId};
use crate::domain::timetable::{Route, Stop};

#[derive(Debug, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = routes, treat_none_as_null = true)]
struct RouteRow {
    id: i64,
    code: String,
    unit_id: i64,
    name: String,
    weekdays: String,
    courier_staff_id: Option<i64>,
    vehicle: Option<String>,
    active: bool,
    version: i64,
}

impl RouteRow {
    fn of(route: &Route) -> Self {
        let days = ('1'..='7').zip(route.weekdays).filter(|(_, runs)| *runs);
        Self {
            id: route.id.get(),
            code: route.code.clone(),
            unit_id: route.unit.get(),
            name: route.name.clone(),
            weekdays: days.map(|(digit, _)| digit).collect(),
            courier_staff_id: route.courier.map(StaffId::get),
            vehicle: route.vehicle.clone(),
            active: route.active,
            version: route.version,
        }
    }

    fn with(self, stops: Vec<Stop>) -> Route {
        let mut weekdays = [false; 7];
        for (runs, digit) in weekdays.iter_mut().zip('1'..='7') {
            *runs = self.weekdays.contains(digit);
        }
        Route {
            id: RouteId::new(self.id),
            code: self.code,
            name: self.name,
            unit: UnitId::new(self.unit_id),
            weekdays,
            courier: self.courier_staff_id.map(StaffId::new),
            vehicle: self.vehicle,
            active: self.active,
            version: self.version,
            stops,
        }
    }
}

impl ReadTx<'_> {
    /// Every route with its stops, by code.
    pub fn routes(&mut self) -> Result<Vec<Route>, StoreError> {
        let rows: Vec<RouteRow> = routes::table.order(routes::code).load(self.conn)?;
        let stops: Vec<(i64, i64, i32)> = route_stops::table
            .order((route_stops::route_id, route_stops::position))
            .select((route_stops::route_id, route_stops::unit_id, route_stops::minute))
            .load(self.conn)?;
        let of = |id: i64| {
            let own = stops.iter().filter(move |(route, ..)| *route == id);
            own.map(|(_, unit, minute)| Stop {
                unit: UnitId::new(*unit),
                minute: u16::try_from(*minute).unwrap_or(0),
            })
            .collect()
        };
        Ok(rows
            .into_iter()
            .map(|row| {
                let stops = of(row.id);
                row.with(stops)
            })
            .collect())
    }

    /// The code of a route.
    pub fn route_code(&mut self, id: i64) -> Result<Option<String>, StoreError> {
        Ok(routes::table
            .find(id)
            .select(routes::code)
            .first(self.conn)
            .optional()?)
    }
}

impl WriteTx<'_> {
    /// Adds a route, or writes everything of one that is there, as the next version of the one that was read.
    ///
    /// # Errors
    /// `Conflict` when another call adds a route with this code at the same time; `Retry` when it changes this one.
    pub fn put_route(&mut self, route: &Route, new: bool) -> Result<(), StoreError> {
        let row = RouteRow::of(route);
        if new {
            diesel::insert_into(routes::table).values(row).execute(self.conn)?;
        } else {
            let changed = diesel::update(routes::table.find(route.id.get()))
                .filter(routes::version.eq(route.version - 1))
                .set(row)
                .execute(self.conn)?;
            if changed == 0 {
                return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction));
            }
            diesel::delete(route_stops::table.filter(route_stops::route_id.eq(route.id.get()))).execute(self.conn)?;
        }
        for (position, stop) in (1_i32..).zip(&route.stops) {
            diesel::insert_into(route_stops::table)
                .values((
                    route_stops::route_id.eq(route.id.get()),
                    route_stops::position.eq(position),
                    route_stops::unit_id.eq(stop.unit.get()),
                    route_stops::minute.eq(i32::from(stop.minute)),
                ))
                .execute(self.conn)?;
        }
        Ok(())
    }
}
