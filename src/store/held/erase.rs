//! Erasing what is held.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::export::of_reader;
use super::{Erase, HELD};
use crate::domain::ids::ReaderId;
use crate::store::error::StoreError;
use crate::store::tx::WriteTx;

impl WriteTx<'_> {
    /// Erases everything that is held on a reader, table by table. Whether that is allowed was decided before.
    pub fn erase_reader(&mut self, reader: ReaderId, now: DateTime<Utc>) -> Result<(), StoreError> {
        for held in HELD {
            let (table, whose) = (held.table, of_reader(held, reader));
            let sql = match held.erase {
                Erase::Delete => format!("DELETE FROM {table} WHERE {whose}"),
                Erase::Set(set) => {
                    let set = set.replace("{now}", &now.timestamp_millis().to_string());
                    format!("UPDATE {table} SET {set} WHERE {whose}")
                }
                Erase::Events => {
                    self.erase_events_of(reader)?;
                    continue;
                }
                Erase::Never => continue,
            };
            diesel::sql_query(sql).execute(self.conn)?;
        }
        Ok(())
    }
}
