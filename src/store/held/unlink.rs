//! Unlinking: what ended long ago forgets whose it was. Statistics keep category, age band, unit and class; the chain of
//! events keeps verifying, because it covers a commitment to the row that goes, not the row.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::export::of_reader;
use super::{HELD, Unlink, Unlinked};
use crate::clock::from_millis;
use crate::domain::ids::ReaderId;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::{
    delivery_requests, event_personal, events, holds, loans, reader_events, readers, unlinking,
};
use crate::store::tx::{ReadTx, WriteTx};

/// Events of one reader looked at in one write.
const EVENTS: i64 = 500;

/// No run is over what ended so lately.
const FRESH: TimeDelta = TimeDelta::days(1);

/// Some readers of a walk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnlinkWalk {
    pub readers: i64,
    /// The last one; `None` at the end.
    pub last: Option<i64>,
    /// Who have something that is to be unlinked.
    pub found: Vec<i64>,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

fn before_text(condition: &str, before: DateTime<Utc>) -> String {
    condition.replace("{before}", &before.timestamp_millis().to_string())
}

impl ReadTx<'_> {
    /// The next readers, and which of them have something that ended before a moment.
    pub fn walk_unlinking(&mut self, after: i64, before: DateTime<Utc>, limit: i64) -> Result<UnlinkWalk, StoreError> {
        let query = readers::table
            .filter(readers::id.gt(after))
            .order(readers::id)
            .limit(limit)
            .select(readers::id);
        let ids: Vec<i64> = on_engine!(self.conn, conn => query.load(conn))?;
        let Some(last) = ids.last().copied() else {
            return Ok(UnlinkWalk::default());
        };
        let mut found = BTreeSet::new();
        for held in HELD {
            let condition = match held.unlink {
                Unlink::Forget { when, .. } => before_text(when, before),
                Unlink::Events if held.table == "reader_events" => before_text("at < {before}", before),
                Unlink::Events | Unlink::WithLoansAndHolds | Unlink::Not => continue,
            };
            let table = held.table;
            let sql = format!(
                "SELECT DISTINCT reader_id AS id FROM {table} \
                 WHERE reader_id > {after} AND reader_id <= {last} AND {condition}"
            );
            let rows: Vec<Id> = diesel::sql_query(sql).load(self.conn)?;
            found.extend(rows.into_iter().map(|row| row.id));
        }
        Ok(UnlinkWalk {
            readers: i64::try_from(ids.len()).unwrap_or(i64::MAX),
            last: Some(last),
            found: found.into_iter().collect(),
        })
    }

    /// What ended before this moment is unlinked, says the last run that came to its end.
    pub fn unlinked_before(&mut self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = unlinking::table.select(unlinking::unlinked_before);
        let before: Option<i64> = on_engine!(self.conn, conn => query.first(conn))?;
        Ok(before.map(from_millis))
    }
}

impl WriteTx<'_> {
    /// Unlinks what of a reader ended before a moment, and some of the events; answers what it did, and the event to go on
    /// after while there are more.
    pub fn unlink_reader(
        &mut self,
        reader: ReaderId,
        before: DateTime<Utc>,
        after_event: i64,
    ) -> Result<(Unlinked, Option<i64>), StoreError> {
        self.lock_readers(&[reader])?;
        let mut done = Unlinked::default();
        for held in HELD {
            if let Unlink::Forget { set, when } = held.unlink {
                let (table, whose, when) = (held.table, of_reader(held, reader), before_text(when, before));
                self.unlink_credit(table, &format!("{whose} AND {when}"))?;
                let sql = format!("UPDATE {table} SET {set} WHERE {whose} AND {when}");
                done.rows += diesel::sql_query(sql).execute(self.conn)?;
            }
        }
        let query = reader_events::table
            .inner_join(events::table.on(events::seq.eq(reader_events::seq)))
            .filter(reader_events::reader_id.eq(reader.get()))
            .filter(reader_events::at.lt(before.timestamp_millis()))
            .filter(reader_events::seq.gt(after_event))
            .order(reader_events::seq)
            .limit(EVENTS)
            .select((reader_events::seq, events::detail));
        let old: Vec<(i64, String)> = on_engine!(self.conn, conn => query.load(conn))?;
        let full = i64::try_from(old.len()).is_ok_and(|n| n == EVENTS);
        let next = old.last().filter(|_| full).map(|(seq, _)| *seq);
        done.events = self.drop_sides(reader, &old)?;
        Ok((done, next))
    }

    /// Lines of credit do not say any more what of these rows they were about.
    fn unlink_credit(&mut self, table: &str, going: &str) -> Result<(), StoreError> {
        if table != "loans" && table != "holds" {
            return Ok(());
        }
        let ids: Vec<Id> = diesel::sql_query(format!("SELECT id FROM {table} WHERE {going}")).load(self.conn)?;
        for row in ids {
            if table == "loans" {
                self.unlink_credit_of_loan(row.id)?;
            } else {
                self.unlink_credit_of_hold(row.id)?;
            }
        }
        Ok(())
    }

    fn drop_sides(&mut self, reader: ReaderId, old: &[(i64, String)]) -> Result<usize, StoreError> {
        let subjects: Vec<(i64, Subjects)> = old.iter().map(|(seq, detail)| (*seq, Subjects::of(detail))).collect();
        let linked = self.still_linked(reader, &subjects)?;
        let gone = subjects
            .iter()
            .filter(|(_, of)| !of.meets(&linked))
            .map(|(seq, _)| *seq);
        let gone: Vec<i64> = gone.collect();
        let sides = event_personal::table.filter(event_personal::seq.eq_any(&gone));
        on_engine!(self.conn, conn => diesel::delete(sides).execute(conn))?;
        let noted = reader_events::table
            .filter(reader_events::reader_id.eq(reader.get()))
            .filter(reader_events::seq.eq_any(&gone));
        Ok(on_engine!(self.conn, conn => diesel::delete(noted).execute(conn))?)
    }

    /// Of these loans, holds and requests those that name the reader.
    fn still_linked(&mut self, reader: ReaderId, of: &[(i64, Subjects)]) -> Result<Subjects, StoreError> {
        let all = |pick: fn(&Subjects) -> &Vec<i64>| -> Vec<i64> {
            of.iter()
                .flat_map(|(_, subjects)| pick(subjects).iter().copied())
                .collect()
        };
        let (of_loans, of_holds, of_requests) = (all(|of| &of.loans), all(|of| &of.holds), all(|of| &of.requests));
        // Whoever was merged has left everything to the other.
        let id = self.stands_for(reader)?.get();
        let open_loans = loans::table
            .filter(loans::id.eq_any(&of_loans).and(loans::reader_id.eq(id)))
            .select(loans::id);
        let open_holds = holds::table
            .filter(holds::id.eq_any(&of_holds).and(holds::reader_id.eq(id)))
            .select(holds::id);
        let open_requests = delivery_requests::table
            .filter(delivery_requests::id.eq_any(&of_requests))
            .filter(delivery_requests::reader_id.eq(id))
            .select(delivery_requests::id);
        Ok(Subjects {
            loans: on_engine!(self.conn, conn => open_loans.load(conn))?,
            holds: on_engine!(self.conn, conn => open_holds.load(conn))?,
            requests: on_engine!(self.conn, conn => open_requests.load(conn))?,
        })
    }

    /// A run begins that unlinks what ended before this moment.
    pub fn begin_unlinking(&mut self, before: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(unlinking::table)
            .set(unlinking::began_before.eq(Some(before.timestamp_millis())))
            .execute(self.conn)?;
        Ok(())
    }

    /// Something is recorded that ended a while ago: a run that was over it before knew nothing of it. No statement for what ended
    /// within the last day.
    pub(in crate::store) fn unlinked_without(&mut self, ended_at: DateTime<Utc>) -> Result<(), StoreError> {
        if self.now() - ended_at < FRESH {
            return Ok(());
        }
        let at = ended_at.timestamp_millis();
        diesel::update(unlinking::table.filter(unlinking::unlinked_before.gt(at)))
            .set(unlinking::unlinked_before.eq(at))
            .execute(self.conn)?;
        diesel::update(unlinking::table.filter(unlinking::began_before.gt(at)))
            .set(unlinking::began_before.eq(at))
            .execute(self.conn)?;
        Ok(())
    }

    /// The run came to its end.
    pub fn end_unlinking(&mut self) -> Result<(), StoreError> {
        diesel::update(unlinking::table)
            .set(unlinking::unlinked_before.eq(unlinking::began_before))
            .execute(self.conn)?;
        Ok(())
    }
}

/// What an event is about, by number, as its detail says.
#[derive(Debug, Clone, Default)]
struct Subjects {
    loans: Vec<i64>,
    holds: Vec<i64>,
    requests: Vec<i64>,
}

impl Subjects {
    fn of(detail: &str) -> Self {
        let detail: serde_json::Value = serde_json::from_str(detail).unwrap_or_default();
        let number = |name: &str| {
            detail
                .get(name)
                .and_then(serde_json::Value::as_i64)
                .into_iter()
                .collect()
        };
        Self {
            loans: number("loan_id"),
            holds: number("hold_id"),
            requests: number("request_id"),
        }
    }

    fn meets(&self, other: &Self) -> bool {
        let some = |own: &[i64], others: &[i64]| own.iter().any(|one| others.contains(one));
        some(&self.loans, &other.loans) || some(&self.holds, &other.holds) || some(&self.requests, &other.requests)
    }
}
