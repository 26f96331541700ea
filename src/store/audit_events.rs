//! What `tongjie check` reads of the events: the chain of seals from its start, the commitments of the erasable side
//! rows, and the statistics against a recount. Page by page; nothing here grows with the number of events.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::connection::AnyConnection;
use super::error::StoreError;
use super::events::{EVENT_COLUMNS, EventRow, SideRow};
use super::schema::{event_personal, event_seals, events};
use super::seals::{CountKey, Counts, SEAL_EVENTS, Seal, count_event};
use super::tx::ReadTx;
use crate::domain::event::EventKind;

const SEALS_PER_PAGE: i64 = 100;
/// Differences between statistics and recount that are looked at; more than that and the count alone is told.
const DIFFERENCES: i64 = 100_000;

/// What the walk along the chain found.
#[derive(Debug, Default)]
pub struct ChainAudit {
    pub seals: i64,
    pub events: i64,
    /// Where the chain does not verify, in words.
    pub faults: Vec<String>,
    /// The end of the chain.
    pub end: Option<Seal>,
    /// What the voids among the sealed events take back from the statistics.
    voids: Counts,
}

/// A line of the statistics that differs from the recount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountDifference {
    pub key: CountKey,
    /// Recount minus statistics.
    pub by: i64,
}

#[derive(QueryableByName)]
struct DifferenceRow {
    #[diesel(sql_type = Text)]
    day: String,
    #[diesel(sql_type = BigInt)]
    unit_id: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    owner_unit_id: i64,
    #[diesel(sql_type = BigInt)]
    item_type_id: i64,
    #[diesel(sql_type = BigInt)]
    category_id: i64,
    #[diesel(sql_type = Text)]
    age_band: String,
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = BigInt)]
    difference: i64,
}

impl ReadTx<'_> {
    /// Recomputes every seal from the first, and every commitment whose side row is still there.
    pub fn audit_chain(&mut self) -> Result<ChainAudit, StoreError> {
        let mut audit = ChainAudit::default();
        let mut last = Seal::origin();
        loop {
            let page: Vec<Seal> = event_seals::table
                .filter(event_seals::position.gt(last.position))
                .order(event_seals::position)
                .limit(SEALS_PER_PAGE)
                .select((
                    event_seals::position,
                    event_seals::last_txid,
                    event_seals::last_seq,
                    event_seals::event_count,
                    event_seals::hash,
                ))
                .load(self.conn)?;
            if page.is_empty() {
                break;
            }
            for seal in page {
                self.audit_seal(&last, &seal, &mut audit)?;
                last = seal;
            }
        }
        audit.end = (last.position > 0).then_some(last);
        Ok(audit)
    }

    fn audit_seal(&mut self, last: &Seal, seal: &Seal, audit: &mut ChainAudit) -> Result<(), StoreError> {
        let rows = self.sealed_events(last, seal)?;
        audit.seals += 1;
        audit.events += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let position = seal.position;
        if position != last.position + 1 {
            audit
                .faults
                .push(format!("seal {} is missing before seal {position}", last.position + 1));
        }
        let mut digests = Vec::with_capacity(rows.len());
        for (_, event, side) in &rows {
            digests.push(event.digest());
            if event.kind == EventKind::LoanVoided.code() {
                count_event(event, &mut audit.voids);
            }
            if let Some(side) = side
                && event.commitment.as_deref() != Some(&side.commitment()[..])
            {
                audit
                    .faults
                    .push(format!("event {} does not match its personal row", event.seq));
            }
        }
        if i64::try_from(rows.len()).ok() != Some(seal.event_count) {
            let found = rows.len();
            audit.faults.push(format!(
                "seal {position} covers {} events, {found} are there",
                seal.event_count
            ));
        } else if last.chain(&digests) != seal.hash {
            audit
                .faults
                .push(format!("seal {position} does not fit its {} events", seal.event_count));
        }
        Ok(())
    }

    fn sealed_events(
        &mut self,
        after: &Seal,
        upto: &Seal,
    ) -> Result<Vec<(i64, EventRow, Option<SideRow>)>, StoreError> {
        let query = events::table
            .left_join(event_personal::table.on(event_personal::seq.eq(events::seq)))
            // A seal never covers more; a damaged one must not make us read everything at once.
            .limit(SEAL_EVENTS + 1)
            .select((
                events::txid,
                EVENT_COLUMNS,
                (
                    event_personal::seq,
                    event_personal::salt,
                    event_personal::reader_id,
                    event_personal::staff_id,
                    event_personal::data,
                )
                    .nullable(),
            ));
        let page = match &mut *self.conn {
            // Commit order is the order of the numbers, and the primary key: see `settled_events`.
            AnyConnection::Sqlite(conn) => query
                .filter(events::seq.gt(after.last_seq).and(events::seq.le(upto.last_seq)))
                .order(events::seq)
                .load(conn)?,
            AnyConnection::Postgres(conn) => query
                .filter(events::txid.between(after.last_txid, upto.last_txid))
                .filter(events::txid.gt(after.last_txid).or(events::seq.gt(after.last_seq)))
                .filter(events::txid.lt(upto.last_txid).or(events::seq.le(upto.last_seq)))
                .order((events::txid, events::seq))
                .load(conn)?,
        };
        Ok(page)
    }

    /// Where the statistics differ from a recount of the events up to the end of the chain.
    pub fn audit_counts(&mut self, chain: &ChainAudit) -> Result<Vec<CountDifference>, StoreError> {
        let end = chain.end.clone().unwrap_or_else(Seal::origin);
        let (txid, seq) = (end.last_txid, end.last_seq);
        let voided = EventKind::LoanVoided.code();
        // The database sorts: the events of years do not fit into memory here. Voids count on another day and are
        // added below.
        let sql = format!(
            "SELECT day, unit_id, kind, owner_unit_id, item_type_id, category_id, age_band, channel, \
                    CAST(sum(n) AS BIGINT) AS difference FROM ( \
                SELECT day, unit_id, kind, COALESCE(owner_unit_id, 0) AS owner_unit_id, \
                       COALESCE(item_type_id, 0) AS item_type_id, COALESCE(category_id, 0) AS category_id, \
                       COALESCE(age_band, '') AS age_band, channel, count(*) AS n \
                FROM events WHERE kind <> '{voided}' AND (txid < {txid} OR (txid = {txid} AND seq <= {seq})) \
                GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 \
                UNION ALL \
                SELECT day, unit_id, kind, owner_unit_id, item_type_id, category_id, age_band, channel, -n FROM daily_counts \
             ) AS both_sides GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(n) <> 0 LIMIT {DIFFERENCES}"
        );
        let rows: Vec<DifferenceRow> = diesel::sql_query(sql).load(self.conn)?;
        let mut differences: BTreeMap<CountKey, i64> = chain.voids.clone();
        for row in rows {
            let by = row.difference;
            *differences.entry(row.key()).or_default() += by;
        }
        Ok(differences
            .into_iter()
            .filter(|(_, by)| *by != 0)
            .map(|(key, by)| CountDifference { key, by })
            .collect())
    }
}

impl DifferenceRow {
    fn key(self) -> CountKey {
        CountKey {
            day: self.day,
            unit_id: self.unit_id,
            kind: self.kind,
            owner_unit_id: self.owner_unit_id,
            item_type_id: self.item_type_id,
            category_id: self.category_id,
            age_band: self.age_band,
            channel: self.channel,
        }
    }
}
