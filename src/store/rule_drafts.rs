//! Rules in the making.

use diesel::prelude::*;

use super::error::StoreError;
use super::schema::rule_drafts;
use super::tx::{ReadTx, WriteTx};

/// A draft.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = rule_drafts)]
pub struct RuleDraftRow {
    pub id: i64,
    /// `None`: of the network's layer.
    pub unit_id: Option<i64>,
    /// The set it was made from.
    pub base_version: i64,
    pub source: String,
    pub note: String,
    pub revision: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

impl ReadTx<'_> {
    /// One draft.
    pub fn rule_draft(&mut self, id: i64) -> Result<Option<RuleDraftRow>, StoreError> {
        Ok(rule_drafts::table
            .find(id)
            .select(rule_drafts::all_columns)
            .first(self.conn)
            .optional()?)
    }

    /// Drafts after `after`, in the order of their ids.
    pub fn rule_drafts_after(&mut self, after: i64, limit: i64) -> Result<Vec<RuleDraftRow>, StoreError> {
        Ok(rule_drafts::table
            .filter(rule_drafts::id.gt(after))
            .order(rule_drafts::id)
            .limit(limit)
            .select(rule_drafts::all_columns)
            .load(self.conn)?)
    }

    /// How many drafts there are.
    pub fn count_rule_drafts(&mut self) -> Result<i64, StoreError> {
        Ok(rule_drafts::table.count().get_result(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Keeps a new draft.
    pub fn insert_rule_draft(&mut self, draft: &RuleDraftRow) -> Result<(), StoreError> {
        diesel::insert_into(rule_drafts::table)
            .values(draft.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// Puts a new text in the place of revision `seen`; false when the draft is not at that revision any more.
    pub fn replace_rule_draft(&mut self, draft: &RuleDraftRow, seen: i64) -> Result<bool, StoreError> {
        let changed =
            diesel::update(rule_drafts::table.filter(rule_drafts::id.eq(draft.id).and(rule_drafts::revision.eq(seen))))
                .set((
                    rule_drafts::base_version.eq(draft.base_version),
                    rule_drafts::source.eq(&draft.source),
                    rule_drafts::note.eq(&draft.note),
                    rule_drafts::revision.eq(seen + 1),
                    rule_drafts::updated_at.eq(draft.updated_at),
                ))
                .execute(self.conn)?;
        Ok(changed == 1)
    }

    /// Removes revision `seen` of a draft; false when it is not at that revision any more, or gone.
    pub fn delete_rule_draft(&mut self, id: i64, seen: i64) -> Result<bool, StoreError> {
        let gone =
            diesel::delete(rule_drafts::table.filter(rule_drafts::id.eq(id).and(rule_drafts::revision.eq(seen))))
                .execute(self.conn)?;
        Ok(gone == 1)
    }
}
