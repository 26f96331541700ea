//! Refresh tokens: they rotate, only their hash is kept, and one seen twice ends its family.

use diesel::prelude::*;

use super::error::StoreError;
use super::schema::refresh_tokens;
use super::tx::WriteTx;
use crate::domain::ids::UnitId;

/// A refresh token's row.
#[derive(Debug, Clone, Insertable, Queryable)]
#[diesel(table_name = refresh_tokens)]
pub struct RefreshRow {
    pub id: i64,
    pub family: i64,
    pub audience: String,
    pub subject_id: i64,
    pub unit_id: Option<i64>,
    pub token_hash: Vec<u8>,
    pub issued_at: i64,
    pub expires_at: i64,
    pub used_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

impl RefreshRow {
    /// The unit the session works at.
    pub fn unit(&self) -> Option<UnitId> {
        self.unit_id.map(UnitId::new)
    }
}

impl WriteTx<'_> {
    /// Keeps a new token.
    pub fn insert_refresh_token(&mut self, row: &RefreshRow) -> Result<(), StoreError> {
        diesel::insert_into(refresh_tokens::table)
            .values(row.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// The token with this hash, whatever its state.
    pub fn refresh_token(&mut self, hash: &[u8; 32]) -> Result<Option<RefreshRow>, StoreError> {
        Ok(refresh_tokens::table
            .filter(refresh_tokens::token_hash.eq(&hash[..]))
            .first(self.conn)
            .optional()?)
    }

    /// Marks a token as used if nobody was first, with using or with ending it; false otherwise.
    pub fn use_refresh_token(&mut self, id: i64, at_millis: i64) -> Result<bool, StoreError> {
        let unused = refresh_tokens::used_at
            .is_null()
            .and(refresh_tokens::revoked_at.is_null());
        let n = diesel::update(refresh_tokens::table.find(id).filter(unused))
            .set(refresh_tokens::used_at.eq(at_millis))
            .execute(self.conn)?;
        Ok(n == 1)
    }

    /// Ends a family: log-out, or a token seen twice.
    pub fn revoke_family(&mut self, family: i64, at_millis: i64) -> Result<(), StoreError> {
        let open = refresh_tokens::family
            .eq(family)
            .and(refresh_tokens::revoked_at.is_null());
        // A refresh that was under way may have added the next token while its row was waited for: look until none is left.
        while diesel::update(refresh_tokens::table.filter(open))
            .set(refresh_tokens::revoked_at.eq(at_millis))
            .execute(self.conn)?
            > 0
        {}
        Ok(())
    }

    /// Ends every family of one person or device: log-out everywhere. Answers how many sessions could still be refreshed.
    pub fn revoke_subject(&mut self, audience: &str, subject: i64, at_millis: i64) -> Result<i64, StoreError> {
        let open = refresh_tokens::subject_id
            .eq(subject)
            .and(refresh_tokens::audience.eq(audience))
            .and(refresh_tokens::revoked_at.is_null());
        let live = open
            .and(refresh_tokens::used_at.is_null())
            .and(refresh_tokens::expires_at.gt(at_millis));
        let sessions = refresh_tokens::table.filter(live).count().get_result(self.conn)?;
        while diesel::update(refresh_tokens::table.filter(open))
            .set(refresh_tokens::revoked_at.eq(at_millis))
            .execute(self.conn)?
            > 0
        {}
        Ok(sessions)
    }

    /// Deletes tokens that expired before; answers how many.
    pub fn expire_refresh_tokens(&mut self, before_millis: i64) -> Result<usize, StoreError> {
        Ok(
            diesel::delete(refresh_tokens::table.filter(refresh_tokens::expires_at.lt(before_millis)))
                .execute(self.conn)?,
        )
    }
}
