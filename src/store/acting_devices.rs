//! The row of a device that acts.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::error::StoreError;
use super::schema::devices;
use super::tx::ReadTx;
use crate::clock::from_millis;
use crate::domain::ids::{DeviceId, UnitId};

/// What an act of a device needs of its row.
#[derive(Debug, Clone)]
pub struct ActingRow {
    pub code: String,
    pub unit: UnitId,
    pub kind: String,
    pub capabilities: String,
    pub active: bool,
    pub approved_at: Option<DateTime<Utc>>,
    pub retired: bool,
}

impl ReadTx<'_> {
    /// A device by its id.
    pub fn acting_device(&mut self, id: DeviceId) -> Result<Option<ActingRow>, StoreError> {
        type Row = (String, i64, String, String, bool, Option<i64>, Option<i64>);
        let row: Option<Row> = devices::table
            .find(id.get())
            .select((
                devices::code,
                devices::unit_id,
                devices::kind,
                devices::capabilities,
                devices::active,
                devices::approved_at,
                devices::retired_at,
            ))
            .first(self.conn)
            .optional()?;
        Ok(row.map(
            |(code, unit, kind, capabilities, active, approved_at, retired_at)| ActingRow {
                code,
                unit: UnitId::new(unit),
                kind,
                capabilities,
                active,
                approved_at: approved_at.map(from_millis),
                retired: retired_at.is_some(),
            },
        ))
    }
}
