//! What a change of calendars does to open loans: a loan due on a day that has become closed is due on the next open day.
//! Never earlier, and never for a due date that lies behind. A date that moved counts as set by hand.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Result;
use super::view::unit_code;
use crate::clock::from_millis;
use crate::domain::calendar::end_of_day;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::store::administration::DueLoan;
use crate::store::tx::{ReadTx, WriteTx};

/// Loans listed; all are counted.
const LISTED: usize = 100;

/// An open loan whose due date falls on a day that is closed now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AffectedLoan {
    pub loan_id: i64,
    /// Where it was lent.
    #[schema(example = "B01")]
    pub unit_code: String,
    /// The local day it was due before.
    pub due_day: NaiveDate,
}

/// The loans a change of calendars concerns, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    pub count: u64,
    pub loans: Vec<AffectedLoan>,
}

impl Affected {
    fn add(&mut self, loan: &DueLoan, day: NaiveDate, network: &Network) {
        self.count += 1;
        if self.loans.len() < LISTED {
            self.loans.push(AffectedLoan {
                loan_id: loan.id,
                unit_code: unit_code(network, loan.unit_id),
                due_day: day,
            });
        }
    }
}

/// The open loans of a unit and everything below it that are due on one of these days.
pub(super) fn due_on(
    tx: &mut ReadTx<'_>,
    unit: UnitId,
    network: &Network,
    closed: &dyn Fn(NaiveDate) -> bool,
) -> Result<Affected> {
    let mut affected = Affected::default();
    let now = tx.now();
    for loan in tx.open_loans_due(&below(unit, network), now)? {
        let day = network.local_day(from_millis(loan.due_at));
        if closed(day) {
            affected.add(&loan, day, network);
        }
    }
    Ok(affected)
}

/// Moves the due dates that rules set and that fall on a day closed by now, for a unit and everything below it; `network` is the
/// one after the change, which began with `hold_calendars`.
pub(super) fn move_due_dates(tx: &mut WriteTx<'_>, unit: UnitId, network: &Network) -> Result<Affected> {
    move_due_dates_of(tx, &below(unit, network), network)
}

/// The same for these units only.
pub(super) fn move_due_dates_of(tx: &mut WriteTx<'_>, units: &[UnitId], network: &Network) -> Result<Affected> {
    let mut affected = Affected::default();
    if units.is_empty() {
        return Ok(affected);
    }
    let now = tx.now();
    let mut moves: BTreeMap<DateTime<Utc>, Vec<i64>> = BTreeMap::new();
    for loan in tx
        .open_loans_due(units, now)?
        .into_iter()
        .filter(|loan| !loan.due_by_hand)
    {
        let day = network.local_day(from_millis(loan.due_at));
        let calendar = network.calendar(UnitId::new(loan.unit_id));
        if calendar.is_open(day) {
            continue;
        }
        let Some(next) = calendar.open_on_or_after(day) else {
            continue;
        };
        moves.entry(end_of_day(network.zone(), next)).or_default().push(loan.id);
        affected.add(&loan, day, network);
    }
    for (to, loans) in &moves {
        tx.move_due(loans, *to)?;
    }
    Ok(affected)
}

fn below(unit: UnitId, network: &Network) -> Vec<UnitId> {
    network.units().subtree(unit).map(|unit| unit.id).collect()
}
