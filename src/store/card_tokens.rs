//! What electronic cards leave behind: sessions of nonces that were shown, and revocations. No row names a reader.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::dialect;
use super::error::StoreError;
use super::items::parse_day;
use super::schema::{card_revocation_numbers, card_revocations, card_sessions, cards, refresh_tokens};
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::card_token::{CardSession, CardToken};
use crate::domain::ids::{CardId, ReaderId};
use crate::domain::reader::{CardFacts, CardStatus};

/// A new session's row.
#[derive(Debug, Insertable)]
#[diesel(table_name = card_sessions)]
pub struct NewCardSession<'a> {
    nonce: &'a str,
    card_id: i64,
    client: &'a str,
    opened_at: i64,
    used_at: i64,
}

/// A card that was shown, and what is known of the nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCard {
    pub number: String,
    pub reader: ReaderId,
    pub facts: CardFacts,
    pub void_until: Option<DateTime<Utc>>,
    pub session: Option<CardSession>,
}

/// A card of a reader that could be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardToShow {
    pub facts: CardFacts,
    /// It is an electronic one.
    pub electronic: bool,
    /// Tokens dated until then do not count.
    pub void_until: Option<DateTime<Utc>>,
}

/// One line of the list for devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub struct RevocationRow {
    pub seq: i64,
    pub card_id: i64,
    pub void_until: i64,
}

type ShownRow = (
    String,
    i64,
    String,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

/// A card as decisions look at it; who uses it decides nothing.
pub(super) fn card_facts(id: CardId, status: &str, expires_on: Option<&str>) -> Result<CardFacts, StoreError> {
    let unknown = || StoreError::Corrupt(format!("card {id} has the unknown status {status}"));
    Ok(CardFacts {
        id,
        status: CardStatus::from_code(status).ok_or_else(unknown)?,
        expires_on: expires_on.map(parse_day).transpose()?,
        holder_name: None,
    })
}

impl ReadTx<'_> {
    /// The card of a token, and the session it opened. One statement.
    pub fn shown_card(&mut self, token: &CardToken) -> Result<Option<ShownCard>, StoreError> {
        let found: Option<ShownRow> = cards::table
            .left_join(card_sessions::table.on(card_sessions::nonce.eq(&token.nonce)))
            .filter(cards::id.eq(token.card.get()))
            .select((
                cards::number,
                cards::reader_id,
                cards::status,
                cards::expires_on,
                cards::tokens_void_until,
                card_sessions::client.nullable(),
                card_sessions::opened_at.nullable(),
                card_sessions::used_at.nullable(),
            ))
            .first(self.conn)
            .optional()?;
        let Some((number, reader, status, expires_on, void_until, client, opened_at, used_at)) = found else {
            return Ok(None);
        };
        let session = match (client, opened_at, used_at) {
            (Some(client), Some(opened_at), Some(used_at)) => Some(CardSession {
                client,
                opened_at: from_millis(opened_at),
                used_at: from_millis(used_at),
            }),
            _ => None,
        };
        Ok(Some(ShownCard {
            number,
            reader: ReaderId::new(reader),
            facts: card_facts(token.card, &status, expires_on.as_deref())?,
            void_until: void_until.map(from_millis),
            session,
        }))
    }

    /// The cards of a reader, the latest first.
    pub fn cards_to_show(&mut self, reader: ReaderId) -> Result<Vec<CardToShow>, StoreError> {
        type Row = (i64, String, String, Option<String>, Option<i64>);
        let rows = cards::table
            .filter(cards::reader_id.eq(reader.get()))
            .order(cards::id.desc())
            .select((
                cards::id,
                cards::kind,
                cards::status,
                cards::expires_on,
                cards::tokens_void_until,
            ))
            .load::<Row>(self.conn)?;
        rows.into_iter()
            .map(|(id, kind, status, expires_on, void_until)| {
                Ok(CardToShow {
                    facts: card_facts(CardId::new(id), &status, expires_on.as_deref())?,
                    electronic: kind == "e_card",
                    void_until: void_until.map(from_millis),
                })
            })
            .collect()
    }

    /// Whether a session could still be refreshed: it has not been ended, whatever its access token says.
    pub fn session_stands(&mut self, family: i64, now_millis: i64) -> Result<bool, StoreError> {
        let live = refresh_tokens::family
            .eq(family)
            .and(refresh_tokens::revoked_at.is_null())
            .and(refresh_tokens::used_at.is_null())
            .and(refresh_tokens::expires_at.gt(now_millis));
        let n: i64 = refresh_tokens::table.filter(live).count().get_result(self.conn)?;
        Ok(n > 0)
    }

    /// Revocations after a number, in the order of their commits.
    pub fn card_revocations_after(&mut self, seq: i64, limit: i64) -> Result<Vec<RevocationRow>, StoreError> {
        Ok(card_revocations::table
            .filter(card_revocations::seq.gt(seq))
            .order(card_revocations::seq)
            .limit(limit)
            .select((
                card_revocations::seq,
                card_revocations::card_id,
                card_revocations::void_until,
            ))
            .load(self.conn)?)
    }

    /// The number of the last revocation there was, even if it is forgotten.
    pub fn last_card_revocation(&mut self) -> Result<i64, StoreError> {
        Ok(card_revocation_numbers::table
            .select(card_revocation_numbers::last_seq)
            .first(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Opens the session of a nonce; false if somebody was first.
    pub fn open_card_session(
        &mut self,
        token: &CardToken,
        client: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let row = NewCardSession {
            nonce: &token.nonce,
            card_id: token.card.get(),
            client,
            opened_at: now.timestamp_millis(),
            used_at: now.timestamp_millis(),
        };
        Ok(dialect::insert_card_session(self.conn, &row)?)
    }

    /// Notes another use.
    pub fn use_card_session(&mut self, token: &CardToken, now: DateTime<Utc>) -> Result<(), StoreError> {
        let at = now.timestamp_millis();
        // Of two uses at once the later one counts.
        let earlier = card_sessions::table
            .find(&token.nonce)
            .filter(card_sessions::used_at.lt(at));
        diesel::update(earlier)
            .set(card_sessions::used_at.eq(at))
            .execute(self.conn)?;
        Ok(())
    }

    /// Voids every token dated until a moment of all cards of a reader, who must be locked; answers how many cards those are.
    ///
    /// The numbers of the list are taken under a lock that is held until the commit: a device that was told one has been
    /// told all before it.
    pub fn revoke_card_tokens(
        &mut self,
        reader: ReaderId,
        void_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let (until, at) = (void_until.timestamp_millis(), now.timestamp_millis());
        let ids: Vec<i64> = cards::table
            .filter(cards::reader_id.eq(reader.get()))
            .order(cards::id)
            .select(cards::id)
            .load(self.conn)?;
        diesel::update(cards::table.filter(cards::reader_id.eq(reader.get())))
            .set(cards::tokens_void_until.eq(until))
            .execute(self.conn)?;
        let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        diesel::update(card_revocation_numbers::table)
            .set(card_revocation_numbers::last_seq.eq(card_revocation_numbers::last_seq + count))
            .execute(self.conn)?;
        let last = self.last_card_revocation()?;
        for (seq, card) in (last - count + 1..).zip(&ids) {
            diesel::insert_into(card_revocations::table)
                .values((
                    card_revocations::seq.eq(seq),
                    card_revocations::card_id.eq(card),
                    card_revocations::void_until.eq(until),
                    card_revocations::made_at.eq(at),
                ))
                .execute(self.conn)?;
        }
        Ok(ids.len())
    }

    /// Deletes some sessions not used since one moment and some revocations made before another, so many of each; answers how many rows.
    pub fn forget_card_tokens(
        &mut self,
        unused_since: DateTime<Utc>,
        revoked_before: DateTime<Utc>,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let unused: Vec<String> = card_sessions::table
            .filter(card_sessions::used_at.lt(unused_since.timestamp_millis()))
            .limit(limit)
            .select(card_sessions::nonce)
            .load(self.conn)?;
        let old: Vec<i64> = card_revocations::table
            .filter(card_revocations::made_at.lt(revoked_before.timestamp_millis()))
            .limit(limit)
            .select(card_revocations::seq)
            .load(self.conn)?;
        let unused = card_sessions::table.filter(card_sessions::nonce.eq_any(unused));
        let sessions = diesel::delete(unused).execute(self.conn)?;
        let old = card_revocations::table.filter(card_revocations::seq.eq_any(old));
        Ok(sessions + diesel::delete(old).execute(self.conn)?)
    }
}
