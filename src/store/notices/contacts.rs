//! Where readers are reached, sealed, and what they wish to be told. Personal: erasable at any time, nothing refers to it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::Notice;
use crate::domain::ids::ReaderId;
use crate::domain::notice::{Language, NoticeKind, SendChannel, Wishes};
use crate::domain::notice_time::Quiet;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::readers::identities::keys;
use crate::store::schema::{notice_preferences, reader_contacts, readers};
use crate::store::tx::{ReadTx, WriteTx};

/// An address of a reader.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = reader_contacts)]
pub struct ContactRow {
    pub reader_id: i64,
    pub channel: String,
    /// The key it is sealed under.
    pub key_id: String,
    pub sealed: Vec<u8>,
    /// Enough to recognise it by.
    pub shown: String,
    pub confirmed_at: Option<i64>,
    pub soft_bounces: i32,
    pub failing_since: Option<i64>,
    pub changed_at: i64,
    /// An address that takes this one's place once it is proved: its key, the sealed text, and what is shown of it.
    pub next_key_id: Option<String>,
    pub next_sealed: Option<Vec<u8>>,
    pub next_shown: Option<String>,
}

impl ContactRow {
    /// The row once the next address has taken its place; as it is where there is none.
    #[must_use]
    pub fn with_next(self) -> Self {
        match (self.next_key_id, self.next_sealed, self.next_shown) {
            (Some(key_id), Some(sealed), Some(shown)) => Self {
                key_id,
                sealed,
                shown,
                soft_bounces: 0,
                failing_since: None,
                next_key_id: None,
                next_sealed: None,
                next_shown: None,
                ..self
            },
            (next_key_id, next_sealed, next_shown) => Self {
                next_key_id,
                next_sealed,
                next_shown,
                ..self
            },
        }
    }

    /// The same with another address waiting to be proved, or none.
    #[must_use]
    pub fn waiting_for(self, next: Option<Self>) -> Self {
        let (key_id, sealed, shown) = next.map_or((None, None, None), |next| {
            (Some(next.key_id), Some(next.sealed), Some(next.shown))
        });
        Self {
            next_key_id: key_id,
            next_sealed: sealed,
            next_shown: shown,
            ..self
        }
    }

    /// Notices go there.
    pub const fn is_good(&self) -> bool {
        self.confirmed_at.is_some() && self.failing_since.is_none()
    }
}

/// The channels of one kind, as they are kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    kind: String,
    channels: Vec<String>,
}

/// How often mail to an address may come back for a while before it counts as failing.
const SOFT_BOUNCES: i32 = 3;

impl ReadTx<'_> {
    /// Every address of a reader.
    pub fn contacts_of(&mut self, reader: ReaderId) -> Result<Vec<ContactRow>, StoreError> {
        let query = reader_contacts::table
            .filter(reader_contacts::reader_id.eq(reader.get()))
            .order(reader_contacts::channel);
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// A reader's address for a channel.
    pub fn contact(&mut self, reader: ReaderId, channel: SendChannel) -> Result<Option<ContactRow>, StoreError> {
        let query = reader_contacts::table.find((reader.get(), channel.code()));
        Ok(on_engine!(self.conn, conn => query.first(conn).optional())?)
    }

    /// Seals an address for one reader and channel and nothing else; answers the key, and what is kept.
    ///
    /// # Errors
    /// `Unavailable` without keys.
    pub fn seal_contact(
        &self,
        reader: ReaderId,
        channel: &str,
        address: &str,
        now: DateTime<Utc>,
    ) -> Result<(String, Vec<u8>), StoreError> {
        let sealed = self.shared.identities.seal(channel, reader.get(), address, now);
        let sealed = sealed.map_err(keys)?;
        Ok((sealed.key_id, sealed.sealed))
    }

    /// Reads an address again.
    ///
    /// # Errors
    /// `Unavailable` when its key is not there; `Corrupt` when it was changed.
    pub fn open_contact(&self, row: &ContactRow) -> Result<String, StoreError> {
        let identities = &self.shared.identities;
        identities
            .open(&row.channel, row.reader_id, &row.key_id, &row.sealed)
            .map_err(keys)
    }

    /// A reader's name, for the greeting.
    pub fn reader_name(&mut self, reader: ReaderId) -> Result<Option<String>, StoreError> {
        Ok(readers::table
            .find(reader.get())
            .select(readers::name)
            .first(self.conn)
            .optional()?)
    }

    /// What a reader wishes, with its version: 0 where nothing was said.
    pub fn wishes_of(&mut self, reader: ReaderId) -> Result<(Wishes, i64), StoreError> {
        let row: Option<(String, i32, i32, bool, String, i64)> = notice_preferences::table
            .find(reader.get())
            .select((
                notice_preferences::language,
                notice_preferences::quiet_from,
                notice_preferences::quiet_until,
                notice_preferences::gathers,
                notice_preferences::channels,
                notice_preferences::version,
            ))
            .first(self.conn)
            .optional()?;
        let Some((language, from, until, gathers, channels, version)) = row else {
            return Ok((Wishes::default(), 0));
        };
        let corrupt = |what: &str| StoreError::Corrupt(format!("preferences of reader {reader}: {what}"));
        let kept: Vec<Kept> = serde_json::from_str(&channels).map_err(|_| corrupt("channels"))?;
        // A kind or channel that this version does not know is passed over: a newer one knows it.
        let channels = kept.iter().filter_map(|one| {
            let channels = one.channels.iter().filter_map(|code| SendChannel::from_code(code));
            Some((NoticeKind::from_code(&one.kind)?, channels.collect()))
        });
        let wishes = Wishes {
            language: Language::from_code(&language).ok_or_else(|| corrupt("language"))?,
            quiet: Quiet {
                from: u16::try_from(from).map_err(|_| corrupt("quiet_from"))?,
                until: u16::try_from(until).map_err(|_| corrupt("quiet_until"))?,
            },
            gathers,
            channels: channels.collect(),
        };
        Ok((wishes, version))
    }
}

impl WriteTx<'_> {
    /// Keeps what a reader wishes.
    pub fn set_wishes(&mut self, reader: ReaderId, wishes: &Wishes, version: i64) -> Result<(), StoreError> {
        let kept: Vec<Kept> = wishes
            .channels
            .iter()
            .map(|(kind, channels)| Kept {
                kind: kind.code().to_owned(),
                channels: channels.iter().map(|channel| channel.code().to_owned()).collect(),
            })
            .collect();
        let channels =
            serde_json::to_string(&kept).map_err(|error| StoreError::Corrupt(format!("preferences: {error}")))?;
        diesel::delete(notice_preferences::table.find(reader.get())).execute(self.conn)?;
        diesel::insert_into(notice_preferences::table)
            .values((
                notice_preferences::reader_id.eq(reader.get()),
                notice_preferences::language.eq(wishes.language.code()),
                notice_preferences::quiet_from.eq(i32::from(wishes.quiet.from)),
                notice_preferences::quiet_until.eq(i32::from(wishes.quiet.until)),
                notice_preferences::gathers.eq(wishes.gathers),
                notice_preferences::channels.eq(channels),
                notice_preferences::version.eq(version),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Another address for a channel, or none any more.
    pub fn set_contact(
        &mut self,
        reader: ReaderId,
        channel: SendChannel,
        row: Option<&ContactRow>,
    ) -> Result<(), StoreError> {
        diesel::delete(reader_contacts::table.find((reader.get(), channel.code()))).execute(self.conn)?;
        if let Some(row) = row {
            diesel::insert_into(reader_contacts::table)
                .values(row.clone())
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// The reader has proved that the address is theirs; one that waited for that takes the place of the one before.
    pub fn confirm_contact(&mut self, reader: ReaderId, channel: SendChannel) -> Result<(), StoreError> {
        let Some(row) = self.contact(reader, channel)? else {
            return Ok(());
        };
        let proved = ContactRow {
            confirmed_at: Some(self.now().timestamp_millis()),
            ..row.with_next()
        };
        self.set_contact(reader, channel, Some(&proved))
    }

    /// Seals a reader's addresses anew that stand under another key than the one in force; answers how many.
    ///
    /// # Errors
    /// As `open_contact`.
    pub fn reseal_contacts(&mut self, reader: ReaderId, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let current = self.shared.identities.current(now).map_err(keys)?.id();
        let stale: Vec<ContactRow> = self.contacts_of(reader)?;
        let stale = stale.into_iter().filter(|row| row.key_id != current);
        let mut changed = 0;
        for row in stale {
            let address = self.open_contact(&row)?;
            let (key_id, sealed) = self.seal_contact(reader, &row.channel, &address, now)?;
            // What waits to be proved waits for minutes: the reader says it again.
            changed += diesel::update(reader_contacts::table.find((row.reader_id, row.channel)))
                .set((
                    reader_contacts::key_id.eq(key_id),
                    reader_contacts::sealed.eq(sealed),
                    reader_contacts::next_key_id.eq(None::<String>),
                    reader_contacts::next_sealed.eq(None::<Vec<u8>>),
                    reader_contacts::next_shown.eq(None::<String>),
                ))
                .execute(self.conn)?;
        }
        Ok(changed)
    }

    /// A notice came back. Where it was the code for an address that waits to be proved, that address goes, and the one before stays as
    /// good as it was.
    pub fn note_notice_failed(
        &mut self,
        notice: &Notice,
        channel: SendChannel,
        for_good: bool,
    ) -> Result<(), StoreError> {
        let waits = match notice.kind {
            NoticeKind::VerificationCode => self.contact(notice.reader, channel)?,
            _ => None,
        };
        match waits.filter(|row| row.next_key_id.is_some()) {
            Some(row) if for_good => self.set_contact(notice.reader, channel, Some(&row.waiting_for(None))),
            Some(_) => Ok(()),
            None => self.note_contact_failed(notice.reader, channel, for_good),
        }
    }

    /// What was sent there came back: for good, or for a while.
    fn note_contact_failed(
        &mut self,
        reader: ReaderId,
        channel: SendChannel,
        for_good: bool,
    ) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        let Some(row) = self.contact(reader, channel)? else {
            return Ok(());
        };
        let soft = if for_good {
            row.soft_bounces
        } else {
            row.soft_bounces.saturating_add(1)
        };
        let failing = for_good || soft >= SOFT_BOUNCES;
        let since = row.failing_since.or_else(|| failing.then_some(now));
        diesel::update(reader_contacts::table.find((reader.get(), channel.code())))
            .set((
                reader_contacts::soft_bounces.eq(soft),
                reader_contacts::failing_since.eq(since),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
