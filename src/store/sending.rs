//! What units send to each other and what transport costs: part of the configuration.

use std::collections::HashMap;

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::schema::{transport_costs, unit_sending};
use super::tx::WriteTx;
use crate::domain::ids::UnitId;
use crate::domain::sending::{Sending, UnitSending};

/// Everything that was said.
pub(super) fn load(conn: &mut AnyConnection) -> Result<Sending, StoreError> {
    let rows: Vec<(i64, bool, Option<i32>, i32)> = unit_sending::table.load(conn)?;
    let said = |(unit, sends, cap, days): (i64, bool, Option<i32>, i32)| {
        let sending = UnitSending {
            sends,
            daily_cap: cap.and_then(|cap| u32::try_from(cap).ok()),
            answer_days: u16::try_from(days).unwrap_or(1),
        };
        (UnitId::new(unit), sending)
    };
    let units = rows.into_iter().map(said).collect();
    let rows: Vec<(i64, i64, i32)> = transport_costs::table.load(conn)?;
    let pair = |(from, to, cost): (i64, i64, i32)| {
        let cost = u32::try_from(cost).unwrap_or(0);
        ((UnitId::new(from), UnitId::new(to)), cost)
    };
    let costs: HashMap<_, _> = rows.into_iter().map(pair).collect();
    Ok(Sending { units, costs })
}

impl WriteTx<'_> {
    /// What a unit says of itself and everything below; `None`: what is said above it.
    pub fn set_unit_sending(&mut self, unit: UnitId, sending: Option<UnitSending>) -> Result<(), StoreError> {
        diesel::delete(unit_sending::table.find(unit.get())).execute(self.conn)?;
        if let Some(sending) = sending {
            diesel::insert_into(unit_sending::table)
                .values((
                    unit_sending::unit_id.eq(unit.get()),
                    unit_sending::sends.eq(sending.sends),
                    unit_sending::daily_cap.eq(sending.daily_cap.and_then(|cap| i32::try_from(cap).ok())),
                    unit_sending::answer_days.eq(i32::from(sending.answer_days)),
                ))
                .execute(self.conn)?;
        }
        self.bump_config_version()
    }

    /// The cost from one unit to another; `None`: what is said above them.
    pub fn set_transport_cost(&mut self, from: UnitId, to: UnitId, cost: Option<i32>) -> Result<(), StoreError> {
        diesel::delete(transport_costs::table.find((from.get(), to.get()))).execute(self.conn)?;
        if let Some(cost) = cost {
            diesel::insert_into(transport_costs::table)
                .values((
                    transport_costs::from_unit_id.eq(from.get()),
                    transport_costs::to_unit_id.eq(to.get()),
                    transport_costs::cost.eq(cost),
                ))
                .execute(self.conn)?;
        }
        self.bump_config_version()
    }
}
