//! Showing what is held: each row a JSON object that the database puts together.

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::{Held, HeldRows, Member, Shown};
use crate::domain::ids::ReaderId;
use crate::store::error::StoreError;
use crate::store::tx::ReadTx;

/// Rows of one table that are shown.
const ROWS: usize = 50_000;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

impl ReadTx<'_> {
    /// The rows of a table that are held on a reader; none where they are not shown.
    pub fn held_rows(&mut self, held: &Held, reader: ReaderId) -> Result<HeldRows, StoreError> {
        let Shown::Rows { joins, members } = held.shown else {
            return Ok(HeldRows {
                rows: Vec::new(),
                cut: false,
            });
        };
        let object = self.object_of(members);
        let (table, whose) = (held.table, of_reader(held, reader));
        let first = members.first().map_or("1", |one| one.sql);
        let sql = format!(
            "SELECT {object} AS line FROM {table} {joins} WHERE {whose} ORDER BY {first} LIMIT {}",
            ROWS + 1
        );
        let lines: Vec<Line> = diesel::sql_query(sql).load(self.conn)?;
        let mut rows: Vec<String> = lines.into_iter().map(|line| line.line).collect();
        let cut = rows.len() > ROWS;
        rows.truncate(ROWS);
        Ok(HeldRows { rows, cut })
    }

    /// How many rows of a table are held on a reader.
    pub fn count_held(&mut self, held: &Held, reader: ReaderId) -> Result<i64, StoreError> {
        let (table, whose) = (held.table, of_reader(held, reader));
        self.number(&format!("SELECT count(*) AS n FROM {table} WHERE {whose}"))
    }

    fn object_of(&self, members: &[Member]) -> String {
        let pairs: Vec<String> = members
            .iter()
            .map(|one| format!("'{}', {}", one.name, one.sql))
            .collect();
        let pairs = pairs.join(", ");
        if self.is_postgres() {
            format!("CAST(json_build_object({pairs}) AS TEXT)")
        } else {
            format!("json_object({pairs})")
        }
    }
}

/// The condition on a reader's rows, and on those of readers who were merged into this one.
pub(super) fn of_reader(held: &Held, reader: ReaderId) -> String {
    let id = reader.get().to_string();
    if held.table == "readers" {
        return held.whose.replace("{reader}", &id);
    }
    let person = format!("IN (SELECT p.id FROM readers p WHERE p.id = {id} OR p.merged_into = {id})");
    held.whose.replace("= {reader}", &person)
}
