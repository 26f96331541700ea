//! Applications of people who are no readers yet, and what units say of them. Personal: what identifies and where they are reached
//! is sealed, and goes when the application is decided.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::hot::on_engine;
use super::readers::day_text;
use super::readers::identities::keys;
use super::schema::{card_applications, readers, unit_self_registration};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{ReaderId, UnitId};
use crate::domain::self_registration::{SelfRegistration, SelfRegistrations, WaitReason};

/// The address is not proved yet.
pub const UNPROVED: &str = "unproved";
/// A desk looks at it.
pub const WAITING: &str = "waiting";
pub const REGISTERED: &str = "registered";
pub const REFUSED: &str = "refused";

/// What the sealed texts are bound to, besides the row.
const ID_NUMBER: &str = "application_id_number";
const ADDRESS: &str = "application_address";

/// One application.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = card_applications)]
pub struct ApplicationRow {
    pub id: i64,
    pub token_hash: Vec<u8>,
    pub state: String,
    pub unit_id: i64,
    pub channel: String,
    pub made_at: i64,
    pub code_expires_at: i64,
    pub attempts: i32,
    pub name: Option<String>,
    pub birth_date: Option<String>,
    pub id_tail: Option<String>,
    pub key_id: Option<String>,
    pub id_sealed: Option<Vec<u8>>,
    pub address_sealed: Option<Vec<u8>>,
    pub address_shown: Option<String>,
    pub pin_hash: Option<String>,
    pub reasons: String,
    pub reader_id: Option<i64>,
    pub refusal: Option<String>,
    pub decided_at: Option<i64>,
}

/// What is sealed of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedApplicant {
    pub key_id: String,
    pub id_number: Vec<u8>,
    pub address: Vec<u8>,
}

/// How an application ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    Registered(ReaderId),
    Refused(String),
}

/// What units said.
pub(super) fn load_self_registrations(conn: &mut AnyConnection) -> Result<SelfRegistrations, StoreError> {
    let rows: Vec<(i64, String)> = unit_self_registration::table.load(conn)?;
    let said = rows.into_iter().map(|(unit, how)| {
        let known = SelfRegistration::from_code(&how)
            .ok_or_else(|| StoreError::Corrupt(format!("unit {unit} takes readers in by {how}")))?;
        Ok((UnitId::new(unit), known))
    });
    said.collect::<Result<HashMap<_, _>, StoreError>>()
        .map(SelfRegistrations)
}

impl ReadTx<'_> {
    /// Seals what identifies an applicant, and where they are reached, for this row and nothing else.
    ///
    /// # Errors
    /// `Unavailable` without keys.
    pub fn seal_applicant(
        &self,
        id: i64,
        id_number: &str,
        address: &str,
        now: DateTime<Utc>,
    ) -> Result<SealedApplicant, StoreError> {
        let identities = &self.shared.identities;
        let number = identities.seal(ID_NUMBER, id, id_number, now).map_err(keys)?;
        let address = identities.seal(ADDRESS, id, address, now).map_err(keys)?;
        Ok(SealedApplicant {
            key_id: number.key_id,
            id_number: number.sealed,
            address: address.sealed,
        })
    }

    /// ID number and address of an application that is not decided.
    ///
    /// # Errors
    /// `Unavailable` when the key is not there; `Corrupt` for a row that was changed.
    pub fn open_applicant(&self, row: &ApplicationRow) -> Result<Option<(String, String)>, StoreError> {
        let (Some(key), Some(number), Some(address)) = (&row.key_id, &row.id_sealed, &row.address_sealed) else {
            return Ok(None);
        };
        let identities = &self.shared.identities;
        let number = identities.open(ID_NUMBER, row.id, key, number).map_err(keys)?;
        let address = identities.open(ADDRESS, row.id, key, address).map_err(keys)?;
        Ok(Some((number, address)))
    }

    /// An application.
    pub fn application(&mut self, id: i64) -> Result<Option<ApplicationRow>, StoreError> {
        Ok(card_applications::table.find(id).first(self.conn).optional()?)
    }

    /// The application of whoever knows this.
    pub fn application_of(&mut self, token_hash: &[u8]) -> Result<Option<ApplicationRow>, StoreError> {
        Ok(card_applications::table
            .filter(card_applications::token_hash.eq(token_hash))
            .first(self.conn)
            .optional()?)
    }

    /// Applications that wait for a desk, after an id.
    pub fn waiting_applications(&mut self, after: i64, limit: i64) -> Result<Vec<ApplicationRow>, StoreError> {
        Ok(card_applications::table
            .filter(
                card_applications::state
                    .eq(WAITING)
                    .and(card_applications::id.gt(after)),
            )
            .order(card_applications::id)
            .limit(limit)
            .load(self.conn)?)
    }

    /// Some readers of this name and day of birth.
    pub fn namesakes(&mut self, name: &str, born: NaiveDate) -> Result<Vec<i64>, StoreError> {
        Ok(readers::table
            .filter(readers::birth_date.eq(day_text(born)).and(readers::name.eq(name)))
            .filter(readers::merged_into.is_null().and(readers::erased_at.is_null()))
            .order(readers::id)
            .limit(10)
            .select(readers::id)
            .load(self.conn)?)
    }

    /// Some applications made before a moment, or before another one where the address was never proved.
    pub fn old_applications(
        &mut self,
        before: DateTime<Utc>,
        unproved_before: DateTime<Utc>,
        at_most: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let unproved = card_applications::state
            .eq(UNPROVED)
            .and(card_applications::made_at.lt(unproved_before.timestamp_millis()));
        Ok(card_applications::table
            .filter(card_applications::made_at.lt(before.timestamp_millis()).or(unproved))
            .order(card_applications::made_at)
            .limit(at_most)
            .select(card_applications::id)
            .load(self.conn)?)
    }

    /// The next few applications after an id that stand under another key than this.
    pub(in crate::store) fn stale_applications(
        &mut self,
        after: i64,
        limit: i64,
        current: &str,
    ) -> Result<Vec<i64>, StoreError> {
        Ok(card_applications::table
            .filter(card_applications::id.gt(after))
            .filter(card_applications::key_id.ne(current))
            .order(card_applications::id)
            .limit(limit)
            .select(card_applications::id)
            .load(self.conn)?)
    }

    /// The keys under which applications stand.
    pub(in crate::store) fn application_keys(&mut self) -> Result<Vec<String>, StoreError> {
        let found: Vec<Option<String>> = card_applications::table
            .filter(card_applications::key_id.is_not_null())
            .select(card_applications::key_id)
            .distinct()
            .load(self.conn)?;
        Ok(found.into_iter().flatten().collect())
    }
}

impl WriteTx<'_> {
    /// What a unit says for itself and everything below; `None`: what is said above it.
    pub fn set_self_registration(&mut self, unit: UnitId, how: Option<SelfRegistration>) -> Result<(), StoreError> {
        diesel::delete(unit_self_registration::table.find(unit.get())).execute(self.conn)?;
        if let Some(how) = how {
            diesel::insert_into(unit_self_registration::table)
                .values((
                    unit_self_registration::unit_id.eq(unit.get()),
                    unit_self_registration::how.eq(how.code()),
                ))
                .execute(self.conn)?;
        }
        self.bump_config_version()
    }

    /// A new application.
    pub fn insert_application(&mut self, row: &ApplicationRow) -> Result<(), StoreError> {
        diesel::insert_into(card_applications::table)
            .values(row.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// The application of whoever knows this, counting an attempt with its code; none when it was tried so often. Nobody else decides it
    /// until the transaction ends.
    pub fn try_application(&mut self, token_hash: &[u8], most: i32) -> Result<Option<ApplicationRow>, StoreError> {
        let open = card_applications::table
            .filter(card_applications::token_hash.eq(token_hash))
            .filter(card_applications::attempts.lt(most));
        let counted = diesel::update(open)
            .set(card_applications::attempts.eq(card_applications::attempts + 1))
            .returning(card_applications::all_columns);
        Ok(on_engine!(self.conn, conn => counted.get_result(conn).optional())?)
    }

    /// Takes an application that waits, to decide it: nobody else does until the transaction ends.
    pub fn take_application(&mut self, id: i64) -> Result<Option<ApplicationRow>, StoreError> {
        let now = self.now().timestamp_millis();
        let waiting = card_applications::table
            .find(id)
            .filter(card_applications::state.eq(WAITING));
        let taken = diesel::update(waiting)
            .set(card_applications::decided_at.eq(now))
            .returning(card_applications::all_columns);
        Ok(on_engine!(self.conn, conn => taken.get_result(conn).optional())?)
    }

    /// The address is proved, and a desk has to look at it.
    pub fn application_waits(&mut self, id: i64, reasons: &[WaitReason]) -> Result<(), StoreError> {
        let reasons: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
        diesel::update(card_applications::table.find(id))
            .set((
                card_applications::state.eq(WAITING),
                card_applications::reasons.eq(reasons.join(",")),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// It is decided: everything personal goes.
    pub fn end_application(&mut self, id: i64, decided: &Decided) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        let (state, reader, refusal) = match decided {
            Decided::Registered(reader) => (REGISTERED, Some(reader.get()), None),
            Decided::Refused(reason) => (REFUSED, None, Some(reason.as_str())),
        };
        diesel::update(card_applications::table.find(id))
            .set((
                card_applications::state.eq(state),
                card_applications::reader_id.eq(reader),
                card_applications::refusal.eq(refusal),
                card_applications::decided_at.eq(now),
                card_applications::name.eq(None::<String>),
                card_applications::birth_date.eq(None::<String>),
                card_applications::id_tail.eq(None::<String>),
                card_applications::key_id.eq(None::<String>),
                card_applications::id_sealed.eq(None::<Vec<u8>>),
                card_applications::address_sealed.eq(None::<Vec<u8>>),
                card_applications::address_shown.eq(None::<String>),
                card_applications::pin_hash.eq(None::<String>),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Deletes applications; answers how many.
    pub fn erase_applications(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        let mut gone = 0;
        for id in ids {
            gone += diesel::delete(card_applications::table.find(*id)).execute(self.conn)?;
        }
        Ok(gone)
    }

    /// Seals an application anew that stands under another key than the one in force; answers whether it did.
    ///
    /// # Errors
    /// As `open_applicant`.
    pub fn reseal_application(&mut self, id: i64, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let current = self.shared.identities.current(now).map_err(keys)?.id();
        let stale = card_applications::table
            .find(id)
            .filter(card_applications::key_id.ne(&current));
        let row: Option<ApplicationRow> = stale.first(self.conn).optional()?;
        let Some(row) = row else { return Ok(false) };
        let Some((number, address)) = self.open_applicant(&row)? else {
            return Ok(false);
        };
        let sealed = self.seal_applicant(id, &number, &address, now)?;
        // One that was decided meanwhile keeps nothing.
        let undecided = card_applications::table
            .find(id)
            .filter(card_applications::key_id.is_not_null());
        let changed = diesel::update(undecided)
            .set((
                card_applications::key_id.eq(sealed.key_id),
                card_applications::id_sealed.eq(sealed.id_number),
                card_applications::address_sealed.eq(sealed.address),
            ))
            .execute(self.conn)?;
        Ok(changed > 0)
    }
}
