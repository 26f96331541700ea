//! Which pulls are out of date, and the bibs that a pass has to look at for them or for holds that nothing is fetched for.
//! Not for: choosing (see `domain::target_hold`), or the pulls themselves (see the module above).

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::super::error::StoreError;
use super::super::items::parse_day;
use super::super::readers::day_text;
use super::super::schema::{holds, pulls};
use super::super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{BibId, UnitId};
use crate::domain::network::Network;
use crate::domain::target_hold::answer_by;

/// What a copy `i` must be to be lent at all.
const LENDABLE: &str = "i.not_for_loan = FALSE AND i.lending = 'normal' AND i.bound_into_item_id IS NULL";

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

impl ReadTx<'_> {
    /// Of the next `limit` bibs after `after` that have an open hold or an open pull, those for which a pass may have something
    /// to do: somebody waits while a copy stands free on a shelf, or an open pull is out of date. With the last one looked at;
    /// `None` when there were no more. Each look reads a stretch of the indexes by bib and nothing beyond it.
    pub fn bibs_to_target(
        &mut self,
        today: NaiveDate,
        after: i64,
        limit: i64,
    ) -> Result<(Vec<BibId>, Option<BibId>), StoreError> {
        let held = holds::table.filter(holds::closed_at.is_null().and(holds::bib_id.gt(after)));
        let mut seen: Vec<i64> = held
            .select(holds::bib_id)
            .distinct()
            .order(holds::bib_id)
            .limit(limit)
            .load(self.conn)?;
        let fetched = pulls::table.filter(pulls::closed_at.is_null().and(pulls::bib_id.gt(after)));
        let fetched: Vec<i64> = fetched
            .select(pulls::bib_id)
            .distinct()
            .order(pulls::bib_id)
            .limit(limit)
            .load(self.conn)?;
        seen.extend(fetched);
        seen.sort_unstable();
        seen.dedup();
        seen.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let Some(last) = seen.last().copied() else {
            return Ok((Vec::new(), None));
        };
        Ok((
            self.worth_a_look(&day_text(today), after, last)?,
            Some(BibId::new(last)),
        ))
    }

    /// How many pulls the planner believes there are; `None` where that decides nothing.
    pub fn planned_pulls(&mut self) -> Result<Option<i64>, StoreError> {
        Ok(super::super::dialect::planned_pulls(self.conn)?)
    }

    /// Those of the bibs after `after` up to `last`.
    fn worth_a_look(&mut self, today: &str, after: i64, last: i64) -> Result<Vec<BibId>, StoreError> {
        let unserved = format!(
            "SELECT DISTINCT h.bib_id AS id FROM holds h WHERE h.closed_at IS NULL AND h.captured_item_id IS NULL \
             AND h.suspended = FALSE AND h.bib_id > {after} AND h.bib_id <= {last} \
             AND NOT EXISTS (SELECT 1 FROM pulls p WHERE p.hold_id = h.id AND p.closed_at IS NULL) \
             AND EXISTS (SELECT 1 FROM items i WHERE i.bib_id = h.bib_id AND i.status = 'on_shelf' AND {LENDABLE} \
                 AND NOT EXISTS (SELECT 1 FROM pulls p WHERE p.item_id = i.id AND p.closed_at IS NULL))"
        );
        let stale = format!(
            "SELECT DISTINCT p.bib_id AS id FROM pulls p JOIN holds h ON h.id = p.hold_id JOIN items i ON i.id = p.item_id \
             WHERE p.closed_at IS NULL AND p.bib_id > {after} AND p.bib_id <= {last} AND {}",
            out_of_date(today)
        );
        let mut bibs = Vec::new();
        for sql in [unserved, stale] {
            let rows: Vec<Id> = diesel::sql_query(sql).load(self.conn)?;
            bibs.extend(rows.into_iter().map(|row| BibId::new(row.id)));
        }
        bibs.sort_unstable();
        bibs.dedup();
        Ok(bibs)
    }
}

impl WriteTx<'_> {
    /// Has the planner look at the pulls there are now.
    pub fn analyze_pulls(&mut self) -> Result<(), StoreError> {
        Ok(super::super::dialect::analyze_pulls(self.conn)?)
    }

    /// Gives units that were closed meanwhile the open days they had to answer: of the pulls of these bibs whose last day has
    /// passed, those whose calendar now says another day wait for that day.
    pub fn wait_for_closed_units(
        &mut self,
        network: &Network,
        bibs: &[i64],
        today: NaiveDate,
    ) -> Result<(), StoreError> {
        let late: Vec<(i64, i64, String)> = pulls::table
            .filter(pulls::bib_id.eq_any(bibs).and(pulls::closed_at.is_null()))
            .filter(pulls::answer_by.lt(day_text(today)))
            .select((pulls::id, pulls::unit_id, pulls::asked_on))
            .load(self.conn)?;
        for (id, unit, asked_on) in late {
            let last = answer_by(network, UnitId::new(unit), parse_day(&asked_on)?);
            if last >= today {
                diesel::update(pulls::table.find(id))
                    .set(pulls::answer_by.eq(day_text(last)))
                    .execute(self.conn)?;
            }
        }
        Ok(())
    }

    /// Closes the open pulls of these bibs that are out of date; answers how many.
    pub fn close_stale_pulls(
        &mut self,
        bibs: &[i64],
        today: NaiveDate,
        at: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let today = day_text(today);
        let list: Vec<String> = bibs.iter().map(i64::to_string).collect();
        let sql = format!(
            "UPDATE pulls SET closed_at = {at}, closed_how = CASE \
             WHEN EXISTS (SELECT 1 FROM holds h WHERE h.id = pulls.hold_id AND h.captured_item_id = pulls.item_id) THEN 'found' \
             WHEN answer_by < '{today}' AND EXISTS (SELECT 1 FROM holds h JOIN items i ON i.id = pulls.item_id \
                 WHERE h.id = pulls.hold_id AND h.closed_at IS NULL AND h.captured_item_id IS NULL \
                 AND i.status = 'on_shelf' AND i.current_unit_id = pulls.unit_id) THEN 'timed_out' \
             ELSE 'withdrawn' END \
             WHERE closed_at IS NULL AND bib_id IN ({list}) AND EXISTS (SELECT 1 FROM holds h JOIN items i \
             ON i.id = pulls.item_id WHERE h.id = pulls.hold_id AND {stale})",
            at = at.timestamp_millis(),
            list = list.join(","),
            stale = out_of_date(&today).replace("p.", "pulls."),
        );
        Ok(diesel::sql_query(sql).execute(self.conn)?)
    }
}

/// When an open pull `p` of hold `h` and item `i` is out of date.
fn out_of_date(today: &str) -> String {
    format!(
        "(p.answer_by < '{today}' OR h.closed_at IS NOT NULL OR h.captured_item_id IS NOT NULL OR h.suspended = TRUE \
         OR h.not_before > '{today}' OR i.status <> 'on_shelf' OR i.current_unit_id <> p.unit_id)"
    )
}
