//! What guardians did for their wards, as the events say whose erasable side names the link.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::domain::ids::ReaderId;
use crate::store::error::StoreError;
use crate::store::tx::ReadTx;

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct GuardianActRow {
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = BigInt)]
    pub at: i64,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = BigInt)]
    pub unit_id: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub bib_id: Option<i64>,
    #[diesel(sql_type = BigInt)]
    pub link: i64,
    #[diesel(sql_type = Text)]
    pub relation: String,
    #[diesel(sql_type = Text)]
    pub guardian_name: String,
}

impl ReadTx<'_> {
    /// Sealed events of a reader, and of those merged into it, whose erasable side has the member `name` with the number of a guardian
    /// link: of these kinds, before a number, the latest first.
    pub fn acts_by_link(
        &mut self,
        ward: ReaderId,
        name: &str,
        kinds: &[&str],
        before: i64,
        limit: i64,
    ) -> Result<Vec<GuardianActRow>, StoreError> {
        let kinds = kinds
            .iter()
            .map(|kind| format!("'{kind}'"))
            .collect::<Vec<_>>()
            .join(", ");
        let link = if self.is_postgres() {
            format!("CAST(CAST(p.data AS json) ->> '{name}' AS BIGINT)")
        } else {
            format!("CAST(json_extract(p.data, '$.{name}') AS BIGINT)")
        };
        // The first condition on the text spares most rows the reading as JSON.
        let sql = format!(
            "SELECT a.seq, a.at, a.kind, a.unit_id, a.bib_id, g.id AS link, g.relation, r.name AS guardian_name FROM ( \
               SELECT e.seq, e.at, e.kind, e.unit_id, e.bib_id, {link} AS link FROM reader_events x \
               JOIN event_personal p ON p.seq = x.seq JOIN events e ON e.seq = x.seq \
               WHERE x.reader_id IN (SELECT w.id FROM readers w WHERE w.id = {ward} OR w.merged_into = {ward}) \
                 AND p.data LIKE '%\"{name}\"%' AND e.kind IN ({kinds}) AND x.seq < {before}) a \
             JOIN guardianships g ON g.id = a.link JOIN readers r ON r.id = g.guardian_reader_id \
             ORDER BY a.seq DESC LIMIT {limit}"
        );
        Ok(diesel::sql_query(sql).load(self.conn)?)
    }
}
