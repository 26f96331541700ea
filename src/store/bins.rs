//! Which bin of a sorter takes what, by unit; and what the choice of a bin reads beside.
//! Not for: choosing (`domain::sort_bin`).

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::error::StoreError;
use super::ids::IdRun;
use super::schema::{device_status, route_stops, routes, sorter_bins};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{CollectionId, DeviceId, RouteId, UnitId};
use crate::domain::sort_bin::{Line, Takes, Towards, full_bins};

#[derive(Debug, Queryable, Insertable)]
#[diesel(table_name = sorter_bins)]
struct BinRow {
    id: i64,
    unit_id: i64,
    bin: i32,
    takes: String,
    collection_id: Option<i64>,
    to_unit_id: Option<i64>,
    and_below: bool,
    route_id: Option<i64>,
}

impl BinRow {
    fn of(id: i64, unit: UnitId, line: &Line) -> Self {
        let (mut collection_id, mut to_unit_id, mut and_below, mut route_id) = (None, None, false, None);
        let takes = match line.takes {
            Takes::Shelf(collection) => {
                collection_id = collection.map(CollectionId::get);
                "shelf"
            }
            Takes::Hold => "hold",
            Takes::Transit(towards) => {
                match towards {
                    Towards::Unit(unit) => to_unit_id = Some(unit.get()),
                    Towards::Below(unit) => (to_unit_id, and_below) = (Some(unit.get()), true),
                    Towards::Route(route) => route_id = Some(route.get()),
                    Towards::Anywhere => {}
                }
                "transit"
            }
            Takes::Exception => "exception",
        };
        Self {
            id,
            unit_id: unit.get(),
            bin: i32::from(line.bin),
            takes: takes.to_owned(),
            collection_id,
            to_unit_id,
            and_below,
            route_id,
        }
    }

    fn line(&self) -> Result<Line, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("line {} of a table of bins has {what}", self.id));
        let takes = match self.takes.as_str() {
            "shelf" => Takes::Shelf(self.collection_id.map(CollectionId::new)),
            "hold" => Takes::Hold,
            "transit" => Takes::Transit(match (self.to_unit_id, self.and_below, self.route_id) {
                (Some(unit), false, _) => Towards::Unit(UnitId::new(unit)),
                (Some(unit), true, _) => Towards::Below(UnitId::new(unit)),
                (None, _, Some(route)) => Towards::Route(RouteId::new(route)),
                (None, _, None) => Towards::Anywhere,
            }),
            "exception" => Takes::Exception,
            other => return Err(corrupt(&format!("the unknown word {other}"))),
        };
        let bin = u16::try_from(self.bin).map_err(|_| corrupt("a bin out of range"))?;
        Ok(Line { bin, takes })
    }
}

impl ReadTx<'_> {
    /// The table of a unit, in the order in which it was given; empty: it has none.
    pub fn bins_of(&mut self, unit: UnitId) -> Result<Vec<Line>, StoreError> {
        let rows: Vec<BinRow> = sorter_bins::table
            .filter(sorter_bins::unit_id.eq(unit.get()))
            .order(sorter_bins::id)
            .load(self.conn)?;
        rows.iter().map(BinRow::line).collect()
    }

    /// The routes at work that stop at a unit.
    pub fn routes_stopping_at(&mut self, unit: UnitId) -> Result<Vec<RouteId>, StoreError> {
        let ids: Vec<i64> = route_stops::table
            .inner_join(routes::table.on(routes::id.eq(route_stops::route_id)))
            .filter(route_stops::unit_id.eq(unit.get()).and(routes::active.eq(true)))
            .order(routes::id)
            .select(routes::id)
            .distinct()
            .load(self.conn)?;
        Ok(ids.into_iter().map(RouteId::new).collect())
    }

    /// The bins that a sorter said are full, with its last heartbeat.
    pub fn full_bins_of(&mut self, device: DeviceId) -> Result<BTreeSet<u16>, StoreError> {
        let faults: Option<String> = device_status::table
            .find(device.get())
            .select(device_status::faults)
            .first(self.conn)
            .optional()?;
        Ok(full_bins(faults.as_deref().unwrap_or_default()))
    }
}

impl WriteTx<'_> {
    /// Gives a unit another table of bins. Takes an id for each line.
    ///
    /// # Errors
    /// `Conflict` when another call does so at the same time.
    pub fn replace_bins(&mut self, unit: UnitId, table: &[Line], ids: &mut IdRun) -> Result<(), StoreError> {
        diesel::delete(sorter_bins::table.filter(sorter_bins::unit_id.eq(unit.get()))).execute(self.conn)?;
        for line in table {
            diesel::insert_into(sorter_bins::table)
                .values(BinRow::of(ids.next(), unit, line))
                .execute(self.conn)?;
        }
        Ok(())
    }
}
