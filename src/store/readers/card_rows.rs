//! Cards: a reader's credentials, from their issue to their end. A number that is a person's is kept as `§` and a keyed hash; nobody
//! can type that as the number of a card.
//! Not for: judging a card at a check-out (see `readers`), or what may be done to it (`domain::card_life`).

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use crate::auth::identity::LookUp;
use crate::domain::ids::{CardId, ReaderId};
use crate::domain::reader::{CardKind, CardStatus};
use crate::domain::resident_id;
use crate::store::error::StoreError;
use crate::store::items::parse_day;
use crate::store::readers::day_text;
use crate::store::schema::cards;
use crate::store::tx::{ReadTx, WriteTx};

/// Begins what stands in the place of a number.
const HASHED: &str = "§";

/// A card that is issued.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = cards)]
pub struct IssuedCard {
    pub id: i64,
    pub number: String,
    pub reader_id: i64,
    pub kind: String,
    pub status: String,
    pub expires_on: Option<String>,
    pub shown: Option<String>,
    pub key_id: Option<String>,
    pub issuer: Option<String>,
    pub holder_name: Option<String>,
    pub issued_at: Option<i64>,
}

/// A card as people see it.
#[derive(Debug, Clone, Queryable)]
pub struct CardView {
    pub id: i64,
    pub reader_id: i64,
    number: String,
    pub kind: String,
    pub status: String,
    pub expires_on: Option<String>,
    shown: Option<String>,
    pub issuer: Option<String>,
    pub holder_name: Option<String>,
    pub replaced_by: Option<i64>,
    pub issued_at: Option<i64>,
    pub ended_at: Option<i64>,
}

impl CardView {
    /// The number, or what is shown of a person's.
    pub fn number(&self) -> &str {
        self.shown.as_deref().unwrap_or(&self.number)
    }

    pub const fn reader(&self) -> ReaderId {
        ReaderId::new(self.reader_id)
    }

    /// # Errors
    /// `Corrupt`.
    pub fn state(&self) -> Result<CardStatus, StoreError> {
        let unknown = || StoreError::Corrupt(format!("card {} has the unknown status {}", self.id, self.status));
        CardStatus::from_code(&self.status).ok_or_else(unknown)
    }

    /// # Errors
    /// `Corrupt`.
    pub fn card_kind(&self) -> Result<CardKind, StoreError> {
        let unknown = || StoreError::Corrupt(format!("card {} is of the unknown kind {}", self.id, self.kind));
        CardKind::from_code(&self.kind).ok_or_else(unknown)
    }

    /// # Errors
    /// `Corrupt`.
    pub fn last_day(&self) -> Result<Option<NaiveDate>, StoreError> {
        self.expires_on.as_deref().map(parse_day).transpose()
    }

    /// Good to be shown on a day.
    pub fn is_usable(&self, today: NaiveDate) -> bool {
        let over = self
            .expires_on
            .as_deref()
            .is_some_and(|end| end < day_text(today).as_str());
        self.status == CardStatus::Active.code() && !over
    }
}

macro_rules! view_columns {
    () => {
        (
            cards::id,
            cards::reader_id,
            cards::number,
            cards::kind,
            cards::status,
            cards::expires_on,
            cards::shown,
            cards::issuer,
            cards::holder_name,
            cards::replaced_by,
            cards::issued_at,
            cards::ended_at,
        )
    };
}

impl ReadTx<'_> {
    /// A card.
    pub fn card(&mut self, id: CardId) -> Result<Option<CardView>, StoreError> {
        Ok(cards::table
            .find(id.get())
            .select(view_columns!())
            .first(self.conn)
            .optional()?)
    }

    /// A reader's cards in the order in which they came.
    pub fn cards_of(&mut self, reader: ReaderId) -> Result<Vec<CardView>, StoreError> {
        Ok(cards::table
            .filter(cards::reader_id.eq(reader.get()))
            .order(cards::id)
            .select(view_columns!())
            .load(self.conn)?)
    }

    /// The next few active cards after an id whose last day is over.
    pub fn cards_past_end(&mut self, today: NaiveDate, after: i64, limit: i64) -> Result<Vec<CardId>, StoreError> {
        let ids: Vec<i64> = cards::table
            .filter(cards::status.eq(CardStatus::Active.code()))
            .filter(cards::expires_on.lt(day_text(today)).and(cards::id.gt(after)))
            .order(cards::id)
            .limit(limit)
            .select(cards::id)
            .load(self.conn)?;
        Ok(ids.into_iter().map(CardId::new).collect())
    }

    /// The number under which the card stands that was shown: the number itself, unless it is a person's.
    pub(super) fn kept_number<'n>(&mut self, shown: &'n str) -> Result<Cow<'n, str>, StoreError> {
        let Some(person) = resident_id::as_one(shown) else {
            return Ok(Cow::Borrowed(shown));
        };
        let kinds = CardKind::ALL.into_iter().filter(|kind| kind.is_of_person());
        let mut candidates: Vec<String> = kinds.flat_map(|kind| self.numbers_of_person(kind, &person)).collect();
        // Of 15 digits a card of the library may have been issued before such numbers were refused.
        if shown.len() < person.len() {
            candidates.push(shown.to_owned());
        }
        // One of them is lost: whoever shows the number may be whoever found it, whatever else it is a credential for.
        let found: Option<String> = cards::table
            .filter(cards::number.eq_any(candidates))
            .order((
                cards::status.ne(CardStatus::Lost.code()),
                cards::status.ne(CardStatus::Active.code()),
                cards::id.desc(),
            ))
            .select(cards::number)
            .first(self.conn)
            .optional()?;
        // What nobody holds is not looked for in clear either.
        Ok(Cow::Owned(found.unwrap_or_else(|| HASHED.to_owned())))
    }

    /// What stands in the place of a person's number, under every key that is known.
    pub fn numbers_of_person(&mut self, kind: CardKind, person: &str) -> Vec<String> {
        let found = self.shared.identities.look_ups(kind.code(), person);
        found.iter().map(number_of).collect()
    }

    /// The same under the key of now, with the key's id.
    ///
    /// # Errors
    /// `Unavailable` without keys.
    pub fn number_of_person_now(
        &mut self,
        kind: CardKind,
        person: &str,
        now: DateTime<Utc>,
    ) -> Result<(String, String), StoreError> {
        let found = self.shared.identities.look_up_now(kind.code(), person, now);
        let found = found.map_err(|error| StoreError::unavailable("no keys", error))?;
        Ok((number_of(&found), found.key_id))
    }

    /// Whether any of these numbers is taken by a card that has not ended.
    pub fn numbers_in_use(&mut self, numbers: &[String]) -> Result<bool, StoreError> {
        let ended = [CardStatus::Replaced.code(), CardStatus::Cancelled.code()];
        let n: i64 = cards::table
            .filter(cards::number.eq_any(numbers).and(cards::status.ne_all(ended)))
            .count()
            .get_result(self.conn)?;
        Ok(n > 0)
    }
}

/// What stands in the place of the number of a card that ended: nobody shows that.
pub(super) fn retired(card: i64) -> String {
    format!("{HASHED}{card}")
}

/// Whether a kept number is the hash of a card that was there a moment ago.
pub(super) fn was_found(kept: &str) -> bool {
    kept.len() > HASHED.len() && kept.starts_with(HASHED)
}

fn number_of(found: &LookUp) -> String {
    format!("{HASHED}{}", found.digest)
}

impl WriteTx<'_> {
    /// Adds a card.
    ///
    /// # Errors
    /// `Conflict` when the number is taken.
    pub fn insert_card(&mut self, card: &IssuedCard) -> Result<(), StoreError> {
        diesel::insert_into(cards::table)
            .values(card.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// Frees the number of cards of a person that ended, so that the same number can be issued again.
    pub fn retire_numbers(&mut self, numbers: &[String]) -> Result<(), StoreError> {
        let ended = [CardStatus::Replaced.code(), CardStatus::Cancelled.code()];
        let rows: Vec<i64> = cards::table
            .filter(cards::number.eq_any(numbers).and(cards::status.eq_any(ended)))
            .select(cards::id)
            .load(self.conn)?;
        for id in rows {
            diesel::update(cards::table.find(id))
                .set(cards::number.eq(retired(id)))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Gives a card its next state; `ended_at` where it does not come back from it.
    pub fn set_card_status(&mut self, id: CardId, to: CardStatus, now: DateTime<Utc>) -> Result<(), StoreError> {
        let ended = matches!(to, CardStatus::Replaced | CardStatus::Cancelled).then(|| now.timestamp_millis());
        diesel::update(cards::table.find(id.get()))
            .set((cards::status.eq(to.code()), cards::ended_at.eq(ended)))
            .execute(self.conn)?;
        Ok(())
    }

    /// Says which card took its place.
    pub fn set_card_successor(&mut self, id: CardId, successor: CardId) -> Result<(), StoreError> {
        diesel::update(cards::table.find(id.get()))
            .set(cards::replaced_by.eq(successor.get()))
            .execute(self.conn)?;
        Ok(())
    }

    /// Sets the last day of a card anew.
    pub fn set_card_end(&mut self, id: CardId, last_day: Option<NaiveDate>) -> Result<(), StoreError> {
        diesel::update(cards::table.find(id.get()))
            .set(cards::expires_on.eq(last_day.map(day_text)))
            .execute(self.conn)?;
        Ok(())
    }
}
