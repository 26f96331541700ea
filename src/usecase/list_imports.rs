//! The batches that imports made, the latest first: for whoever wants to take one back and has lost its number. A dry run, and a
//! run that found everything there already, made none.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Result;
use crate::clock::from_millis;
use crate::domain::ids::UnitId;
use crate::store::Store;

/// A batch as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportBatch {
    pub batch: i64,
    /// readers, cards, items, loans or deposits.
    pub kind: String,
    pub owner_unit_code: String,
    /// As it was named when it was imported.
    pub file_name: String,
    pub imported_at: DateTime<Utc>,
    /// Things it made.
    pub made: u64,
    /// Of these, those that no undo has taken back.
    pub left: u64,
    /// When it was last undone, wholly or but for what was in use.
    pub undone_at: Option<DateTime<Utc>>,
}

/// The latest batches, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportList {
    pub total: u64,
    pub batches: Vec<ImportBatch>,
}

/// The latest `limit` batches.
///
/// # Errors
/// A failure of the store.
pub async fn list_imports(store: &Arc<Store>, limit: u32) -> Result<ImportList> {
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
            let batches = tx.latest_import_batches(i64::from(limit))?;
            let batches = batches.into_iter().map(|(row, left)| {
                let owner = network.unit(UnitId::new(row.owner_unit_id));
                ImportBatch {
                    batch: row.id,
                    kind: row.kind,
                    owner_unit_code: owner.map_or_else(String::new, |unit| unit.code.clone()),
                    file_name: row.file_name,
                    imported_at: from_millis(row.created_at),
                    made: unsigned(row.made),
                    left: unsigned(left),
                    undone_at: row.undone_at.map(from_millis),
                }
            });
            let batches = batches.collect();
            let total = unsigned(tx.count_import_batches()?);
            Ok(ImportList { total, batches })
        })
        .await
}
