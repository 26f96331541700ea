//! What identifies readers: rows with a keyed hash and a sealed text, and sealing them anew after a rotation of keys.
//! Not for: keys and ciphers (see `auth::identity`).

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use crate::auth::identity::IdentityError;
use crate::domain::ids::{CardId, ReaderId};
use crate::domain::reader::{CardKind, CardStatus};
use crate::domain::resident_id::ResidentId;
use crate::store::error::StoreError;
use crate::store::readers::card_rows::retired;
use crate::store::readers::day_text;
use crate::store::schema::{cards, reader_contacts, reader_identities, readers};
use crate::store::tx::{ReadTx, WriteTx};

const RESIDENT_ID: &str = "resident_id";

/// Keys are missing, or do not fit what is there: an operator has to see to it.
pub(in crate::store) fn keys(error: IdentityError) -> StoreError {
    match error {
        IdentityError::Changed => StoreError::Corrupt(error.to_string()),
        IdentityError::UnknownKey => StoreError::unavailable(StoreError::KEY_MISSING, error),
        _ => StoreError::unavailable("keys missing", error),
    }
}

impl ReadTx<'_> {
    /// Who is registered with this number.
    pub fn reader_of_identity(&mut self, id: &ResidentId) -> Result<Option<ReaderId>, StoreError> {
        let under = self.shared.identities.look_ups(RESIDENT_ID, id.expose());
        let under: Vec<String> = under.into_iter().map(|one| one.digest).collect();
        let found: Option<i64> = reader_identities::table
            .filter(reader_identities::look_up.eq_any(under))
            .order(reader_identities::id)
            .select(reader_identities::reader_id)
            .first(self.conn)
            .optional()?;
        Ok(found.map(ReaderId::new))
    }

    /// What is shown of a reader's number.
    pub fn identity_tail(&mut self, reader: ReaderId) -> Result<Option<String>, StoreError> {
        Ok(reader_identities::table
            .filter(reader_identities::reader_id.eq(reader.get()))
            .select(reader_identities::tail)
            .first(self.conn)
            .optional()?)
    }

    /// A reader's number in clear, to be hashed for a credential and for nothing else.
    ///
    /// # Errors
    /// `Unavailable` when its key is not there; `Corrupt` when it was changed.
    pub fn identity_in_clear(&mut self, reader: ReaderId) -> Result<Option<String>, StoreError> {
        let row: Option<(i64, String, Vec<u8>)> = reader_identities::table
            .filter(reader_identities::reader_id.eq(reader.get()))
            .select((
                reader_identities::id,
                reader_identities::key_id,
                reader_identities::sealed,
            ))
            .first(self.conn)
            .optional()?;
        let Some((id, key, sealed)) = row else { return Ok(None) };
        let opened = self.shared.identities.open(RESIDENT_ID, id, &key, &sealed);
        Ok(Some(opened.map_err(keys)?))
    }

    /// The next few readers, applications, members of staff and devices after an id of whom something stands under another key than the
    /// one in force: an ID number, an address, or a password.
    pub fn stale_identities(&mut self, after: i64, limit: i64, now: DateTime<Utc>) -> Result<Vec<i64>, StoreError> {
        let current = self.shared.identities.current(now).map_err(keys)?.id();
        let mut found: Vec<i64> = reader_identities::table
            .filter(reader_identities::reader_id.gt(after))
            .filter(reader_identities::key_id.ne(&current))
            .order(reader_identities::reader_id)
            .limit(limit)
            .select(reader_identities::reader_id)
            .load(self.conn)?;
        let of_contacts: Vec<i64> = reader_contacts::table
            .filter(reader_contacts::reader_id.gt(after))
            .filter(reader_contacts::key_id.ne(&current))
            .order(reader_contacts::reader_id)
            .limit(limit)
            .select(reader_contacts::reader_id)
            .load(self.conn)?;
        found.extend(of_contacts);
        found.extend(self.stale_applications(after, limit, &current)?);
        found.extend(self.stale_staff(after, limit, &current)?);
        found.extend(self.stale_device_passwords(after, limit, &current)?);
        found.sort_unstable();
        found.dedup();
        // Of those beyond, one list may have left some out.
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    /// The keys under which anything stands.
    pub fn identity_keys_in_use(&mut self) -> Result<BTreeSet<String>, StoreError> {
        let mut found: BTreeSet<String> = reader_identities::table
            .select(reader_identities::key_id)
            .distinct()
            .load(self.conn)?
            .into_iter()
            .collect();
        let of_cards: Vec<Option<String>> = cards::table
            .filter(cards::key_id.is_not_null())
            .select(cards::key_id)
            .distinct()
            .load(self.conn)?;
        found.extend(of_cards.into_iter().flatten());
        let of_contacts: Vec<String> = reader_contacts::table
            .select(reader_contacts::key_id)
            .distinct()
            .load(self.conn)?;
        found.extend(of_contacts);
        found.extend(self.application_keys()?);
        found.extend(self.staff_contact_keys()?);
        found.extend(self.device_password_keys()?);
        Ok(found)
    }
}

impl WriteTx<'_> {
    /// Lets one registration with a number follow another, until the end of the transaction.
    pub fn lock_identities(&mut self) -> Result<(), StoreError> {
        Ok(crate::store::dialect::lock_identities(self.conn)?)
    }

    /// Keeps a reader's number.
    ///
    /// # Errors
    /// `Conflict` when it is somebody's already; `Unavailable` without keys.
    pub fn insert_identity(
        &mut self,
        id: i64,
        reader: ReaderId,
        number: &ResidentId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let sealed = self.shared.identities.seal(RESIDENT_ID, id, number.expose(), now);
        let sealed = sealed.map_err(keys)?;
        diesel::insert_into(reader_identities::table)
            .values((
                reader_identities::id.eq(id),
                reader_identities::reader_id.eq(reader.get()),
                reader_identities::kind.eq(RESIDENT_ID),
                reader_identities::key_id.eq(sealed.key_id),
                reader_identities::look_up.eq(sealed.look_up),
                reader_identities::sealed.eq(sealed.sealed),
                reader_identities::tail.eq(number.tail()),
                reader_identities::created_at.eq(now.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Gives a reader's number to another who has none; takes it away where that one has the same.
    pub fn move_identity(&mut self, from: ReaderId, to: ReaderId) -> Result<(), StoreError> {
        let of = |reader: ReaderId| reader_identities::table.filter(reader_identities::reader_id.eq(reader.get()));
        if self.identity_tail(to)?.is_some() {
            diesel::delete(of(from)).execute(self.conn)?;
        } else {
            diesel::update(of(from))
                .set(reader_identities::reader_id.eq(to.get()))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Takes a reader's number away with the credentials that are made of it, which are cancelled; answers how many those were. The
    /// number itself is not read: its key may be gone.
    pub fn forget_identity(&mut self, reader: ReaderId, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let of = reader_identities::table.filter(reader_identities::reader_id.eq(reader.get()));
        diesel::delete(of).execute(self.conn)?;
        let current = self.shared.identities.current(now).map_err(keys)?.id();
        let kinds = CardKind::ALL.into_iter().filter(|kind| kind.is_of_person());
        let kinds: Vec<&str> = kinds.map(CardKind::code).collect();
        let rows: Vec<(i64, String)> = cards::table
            .filter(cards::reader_id.eq(reader.get()).and(cards::kind.eq_any(kinds)))
            .filter(cards::key_id.is_not_null())
            .select((cards::id, cards::status))
            .load(self.conn)?;
        let ended = [CardStatus::Replaced.code(), CardStatus::Cancelled.code()];
        let mut cancelled = 0;
        for (id, status) in rows {
            // Whose number it was may hold such a card, too.
            diesel::update(cards::table.find(id))
                .set((cards::number.eq(retired(id)), cards::key_id.eq(&current)))
                .execute(self.conn)?;
            if !ended.contains(&status.as_str()) {
                self.set_card_status(CardId::new(id), CardStatus::Cancelled, now)?;
                cancelled += 1;
            }
        }
        Ok(cancelled)
    }

    /// The day of birth as the ID number says.
    pub fn set_birth_date(&mut self, reader: ReaderId, born: NaiveDate) -> Result<(), StoreError> {
        diesel::update(readers::table.find(reader.get()))
            .set(readers::birth_date.eq(day_text(born)))
            .execute(self.conn)?;
        Ok(())
    }

    /// Seals a reader's ID number anew if it stands under another key than the one in force, with the credentials that are made of it;
    /// answers whether it did.
    ///
    /// # Errors
    /// `Unavailable` when a key is not there; `Corrupt` for a row that was changed; `Conflict` where another row has the same number.
    pub fn reseal_identity(&mut self, reader: ReaderId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let current = self.shared.identities.current(now).map_err(keys)?.id();
        let row: Option<(i64, String, Vec<u8>)> = reader_identities::table
            .filter(reader_identities::reader_id.eq(reader.get()))
            .filter(reader_identities::key_id.ne(&current))
            .select((
                reader_identities::id,
                reader_identities::key_id,
                reader_identities::sealed,
            ))
            .first(self.conn)
            .optional()?;
        let Some((id, key, sealed)) = row else {
            return Ok(false);
        };
        let identities = self.shared.identities.clone();
        let text = identities.open(RESIDENT_ID, id, &key, &sealed).map_err(keys)?;
        let sealed = identities.seal(RESIDENT_ID, id, &text, now).map_err(keys)?;
        diesel::update(reader_identities::table.find(id))
            .set((
                reader_identities::key_id.eq(sealed.key_id),
                reader_identities::look_up.eq(sealed.look_up),
                reader_identities::sealed.eq(sealed.sealed),
            ))
            .execute(self.conn)?;
        self.rehash_cards(reader, &text, now)?;
        Ok(true)
    }

    fn rehash_cards(&mut self, reader: ReaderId, person: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        for kind in CardKind::ALL.into_iter().filter(|kind| kind.is_of_person()) {
            let old = self.numbers_of_person(kind, person);
            let (number, key) = self.number_of_person_now(kind, person, now)?;
            let of_reader = cards::table.filter(cards::reader_id.eq(reader.get()).and(cards::kind.eq(kind.code())));
            diesel::update(of_reader.filter(cards::number.eq_any(old)))
                .set(cards::number.eq(number))
                .execute(self.conn)?;
            diesel::update(of_reader.filter(cards::key_id.is_not_null()))
                .set(cards::key_id.eq(key))
                .execute(self.conn)?;
        }
        Ok(())
    }
}
