//! Invariant 6: a due date that was set by rule is an open day of the lending unit, not before the loan, not past the
//! card's end. A loan renewed or made with the card in its last days may be due on its last open day. Days that lie behind are not
//! asked whether they were open, for weekly hours keep no history; nor are loans that a walk is moving just now.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::super::Result;
use super::{Finding, sql_rules};
use crate::clock::from_millis;
use crate::domain::calendar::{Because, Calendar};
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::store::audit::DueFacts;
use crate::store::tx::ReadTx;

const PAGE: i64 = 5_000;

pub(super) fn check(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(6, "due dates are open days within the card's life");
    let network = tx.network()?;
    let mut closed_days: HashMap<(i64, NaiveDate), bool> = HashMap::new();
    let under_way = tx.units_under_way()?;
    let moving = under_way.iter().flat_map(|unit| network.units().subtree(*unit));
    let moving: HashSet<UnitId> = moving.map(|unit| unit.id).collect();
    let today = network.local_day(tx.now());
    let mut falls_on_closed = |unit: UnitId, due: NaiveDate| {
        let closed = || !network.calendar(unit).is_open(due);
        due >= today && !moving.contains(&unit) && *closed_days.entry((unit.get(), due)).or_insert_with(closed)
    };
    let mut after = 0;
    loop {
        let page = tx.due_facts(after, PAGE)?;
        let Some(last) = page.last() else {
            finding.judge(tx, sql_rules::MOVES)?;
            return Ok(finding);
        };
        after = last.id;
        for loan in page.iter().filter(|loan| !loan.by_hand) {
            finding.checked += 1;
            if let Some(fault) = fault(&network, loan, &mut falls_on_closed) {
                finding.add(1, [format!("loan {} {fault}", loan.id)]);
            }
        }
    }
}

fn fault(
    network: &Network,
    loan: &DueFacts,
    falls_on_closed: &mut dyn FnMut(UnitId, NaiveDate) -> bool,
) -> Option<String> {
    let unit = UnitId::new(loan.unit);
    if network.unit(unit).is_none() {
        return Some(format!("was made at the unknown unit {unit}"));
    }
    if loan.due_at < loan.loaned_at {
        return Some("is due before it was made".to_owned());
    }
    let lent = network.local_day(from_millis(loan.loaned_at));
    let due = network.local_day(from_millis(loan.due_at));
    if loan.again && loan.card_end.is_some_and(|end| due >= end) {
        // As late as the card allowed on the day it was set; which day that was nobody knows.
        return None;
    }
    if let Some(end) = loan.card_end.filter(|end| due > (*end).max(lent)) {
        return Some(format!("is due on {due}, past the card's end on {end}"));
    }
    let calendar = network.calendar(unit);
    if !falls_on_closed(unit, due) || no_better_day(&calendar, loan.card_end, lent, due) {
        return None;
    }
    Some(format!("is due on {due}, a closed day of unit {unit}"))
}

/// The card ends on that very day and the unit did not open between the loan and then, or the day was closed later than the loan was
/// made; or it never opens at all.
fn no_better_day(calendar: &Calendar<'_>, card_end: Option<NaiveDate>, lent: NaiveDate, due: NaiveDate) -> bool {
    let capped = card_end.is_some_and(|end| end.max(lent) == due);
    if capped {
        let dated = matches!(calendar.because(due), Because::Closed { .. } | Because::Closing { .. });
        dated || calendar.open_on_or_before(due, lent).is_none()
    } else {
        calendar.open_on_or_after(due).is_none()
    }
}
