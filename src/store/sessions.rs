//! Refresh tokens: they rotate, only their hash is kept, and one seen twice ends its family.

pub mod reset_codes;
pub mod totp;

use diesel::prelude::*;

use super::error::StoreError;
use super::hot::on_engine;
use super::schema::refresh_tokens;
use super::tx::{ReadTx, WriteTx};
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

/// A session that can still be refreshed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    pub family: i64,
    pub unit: Option<UnitId>,
    pub began_at: i64,
    pub refreshed_at: i64,
    pub expires_at: i64,
}

impl ReadTx<'_> {
    /// The sessions of somebody that can still be refreshed, the latest log-in first.
    pub fn live_sessions(
        &mut self,
        audience: &str,
        subject: i64,
        before: i64,
        limit: i64,
    ) -> Result<Vec<LiveSession>, StoreError> {
        let now = self.now().timestamp_millis();
        let live = refresh_tokens::table
            .filter(
                refresh_tokens::subject_id
                    .eq(subject)
                    .and(refresh_tokens::audience.eq(audience)),
            )
            .filter(
                refresh_tokens::used_at
                    .is_null()
                    .and(refresh_tokens::revoked_at.is_null()),
            )
            .filter(
                refresh_tokens::expires_at
                    .gt(now)
                    .and(refresh_tokens::family.lt(before)),
            )
            .order(refresh_tokens::family.desc())
            .limit(limit);
        let rows: Vec<RefreshRow> = on_engine!(self.conn, conn => live.load(conn))?;
        let families: Vec<i64> = rows.iter().map(|row| row.family).collect();
        let first = refresh_tokens::table
            .filter(refresh_tokens::family.eq_any(&families))
            .select((refresh_tokens::family, refresh_tokens::issued_at));
        let issued: Vec<(i64, i64)> = on_engine!(self.conn, conn => first.load(conn))?;
        let began = |row: &RefreshRow| {
            let own = issued.iter().filter(|(family, _)| *family == row.family);
            own.map(|(_, at)| *at).min().unwrap_or(row.issued_at)
        };
        let each = rows.iter().map(|row| LiveSession {
            family: row.family,
            unit: row.unit(),
            began_at: began(row),
            refreshed_at: row.issued_at,
            expires_at: row.expires_at,
        });
        Ok(each.collect())
    }
}

impl WriteTx<'_> {
    /// Whether a session is somebody's, ended or not.
    pub fn is_session_of(&mut self, family: i64, audience: &str, subject: i64) -> Result<bool, StoreError> {
        let own = refresh_tokens::table
            .filter(refresh_tokens::family.eq(family))
            .filter(
                refresh_tokens::subject_id
                    .eq(subject)
                    .and(refresh_tokens::audience.eq(audience)),
            )
            .count();
        let n: i64 = on_engine!(self.conn, conn => own.get_result(conn))?;
        Ok(n > 0)
    }

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
