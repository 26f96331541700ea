//! The event table: what happened, appended in the transaction that did it, and the seals that chain it.
//! An event names no reader; the reader stands in an erasable side row that the event only commits to with a salted hash.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::closing::Closing;
use super::error::StoreError;
use super::hot::{InsertEvent, InsertSide};
use super::schema::{event_personal, events, visit_keys};
use super::tx::WriteTx;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{BibId, CategoryId, DeviceId, ItemId, ItemTypeId, ReaderId, StaffId, UnitId};
use crate::domain::item::ItemFacts;

/// The channel of what nobody asked for: jobs and imports.
pub const SYSTEM_CHANNEL: &str = "system";
/// The channel of what an operator did at the command line of the machine, where nobody is logged in (`tongjie admin`).
pub const COMMAND_CHANNEL: &str = "command";

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    pub kind: EventKind,
    pub at: DateTime<Utc>,
    pub unit: UnitId,
    pub channel: &'a str,
    pub device: Option<DeviceId>,
    pub item: Option<ItemId>,
    pub bib: Option<BibId>,
    pub owner: Option<UnitId>,
    pub home: Option<UnitId>,
    pub item_type: Option<ItemTypeId>,
    pub clc_class: Option<&'a str>,
    pub category: Option<CategoryId>,
    pub age_band: Option<AgeBand>,
    /// Nothing personal: it is never erased.
    pub detail: Value,
    pub reader: Option<ReaderId>,
    pub staff: Option<StaffId>,
    /// Goes into the erasable side row.
    pub personal: Value,
}

impl<'a> Event<'a> {
    /// An event without item or reader.
    pub fn new(kind: EventKind, at: DateTime<Utc>, unit: UnitId, channel: &'a str) -> Self {
        Self {
            kind,
            at,
            unit,
            channel,
            device: None,
            item: None,
            bib: None,
            owner: None,
            home: None,
            item_type: None,
            clc_class: None,
            category: None,
            age_band: None,
            detail: Value::Null,
            reader: None,
            staff: None,
            personal: Value::Null,
        }
    }

    /// With what statistics keep of the item.
    pub fn of_item(mut self, item: &'a ItemFacts) -> Self {
        self.item = Some(item.id);
        self.bib = Some(item.bib_id);
        self.owner = Some(item.owner);
        self.home = Some(item.home_of_record);
        self.item_type = Some(item.item_type);
        self.clc_class = item.clc_class.as_deref();
        self
    }

    /// With what statistics keep of the reader, and the reader in the side row.
    pub fn of_reader(mut self, reader: ReaderId, category: CategoryId, age_band: AgeBand) -> Self {
        self.reader = Some(reader);
        self.category = Some(category);
        self.age_band = Some(age_band);
        self
    }

    /// Done by this member of staff, with this device.
    pub fn by(mut self, staff: Option<StaffId>, device: Option<DeviceId>) -> Self {
        self.staff = staff;
        self.device = device;
        self
    }

    /// With facts that may stay for ever.
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// With facts that can be erased.
    pub fn personal(mut self, personal: Value) -> Self {
        self.personal = personal;
        self
    }
}

#[derive(Debug, Clone, Insertable, Queryable)]
#[diesel(table_name = events)]
pub(super) struct EventRow {
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) day: String,
    pub(super) kind: String,
    pub(super) unit_id: i64,
    pub(super) item_id: Option<i64>,
    pub(super) bib_id: Option<i64>,
    pub(super) owner_unit_id: Option<i64>,
    pub(super) home_unit_id: Option<i64>,
    pub(super) item_type_id: Option<i64>,
    pub(super) clc_class: Option<String>,
    pub(super) category_id: Option<i64>,
    pub(super) age_band: Option<String>,
    pub(super) channel: String,
    pub(super) device_id: Option<i64>,
    pub(super) visit_id: Option<i64>,
    pub(super) detail: String,
    pub(super) commitment: Option<Vec<u8>>,
}

/// The types of the columns of an `EventRow`.
type EventColumns = (
    events::seq,
    events::at,
    events::day,
    events::kind,
    events::unit_id,
    events::item_id,
    events::bib_id,
    events::owner_unit_id,
    events::home_unit_id,
    events::item_type_id,
    events::clc_class,
    events::category_id,
    events::age_band,
    events::channel,
    events::device_id,
    events::visit_id,
    events::detail,
    events::commitment,
);

/// The columns of an `EventRow`, in its order.
pub(super) const EVENT_COLUMNS: EventColumns = (
    events::seq,
    events::at,
    events::day,
    events::kind,
    events::unit_id,
    events::item_id,
    events::bib_id,
    events::owner_unit_id,
    events::home_unit_id,
    events::item_type_id,
    events::clc_class,
    events::category_id,
    events::age_band,
    events::channel,
    events::device_id,
    events::visit_id,
    events::detail,
    events::commitment,
);

impl EventRow {
    /// The row of an event: what a seal covers, however many are appended at a time.
    pub(super) fn of(seq: i64, event: &Event<'_>, day: String, visit_id: Option<i64>, side: Option<&SideRow>) -> Self {
        Self {
            seq,
            at: event.at.timestamp_millis(),
            day,
            kind: event.kind.code().to_owned(),
            unit_id: event.unit.get(),
            item_id: event.item.map(ItemId::get),
            bib_id: event.bib.map(BibId::get),
            owner_unit_id: event.owner.map(UnitId::get),
            home_unit_id: event.home.map(UnitId::get),
            item_type_id: event.item_type.map(ItemTypeId::get),
            clc_class: event.clc_class.map(str::to_owned),
            category_id: event.category.map(CategoryId::get),
            age_band: event.age_band.map(|band| band.code().to_owned()),
            channel: event.channel.to_owned(),
            device_id: event.device.map(DeviceId::get),
            visit_id,
            detail: json_text(&event.detail),
            commitment: side.map(|side| side.commitment().to_vec()),
        }
    }

    pub(super) fn statement(&self) -> InsertEvent<'_> {
        InsertEvent {
            seq: self.seq,
            at: self.at,
            day: &self.day,
            kind: &self.kind,
            unit_id: self.unit_id,
            item_id: self.item_id,
            bib_id: self.bib_id,
            owner_unit_id: self.owner_unit_id,
            home_unit_id: self.home_unit_id,
            item_type_id: self.item_type_id,
            clc_class: self.clc_class.as_deref(),
            category_id: self.category_id,
            age_band: self.age_band.as_deref(),
            channel: &self.channel,
            device_id: self.device_id,
            visit_id: self.visit_id,
            detail: &self.detail,
            commitment: self.commitment.as_deref(),
        }
    }

    /// The bytes a seal covers: every column, length first, in column order. Never change it without a new seal version.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut put = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        let number = |n: Option<i64>| n.map(|n| n.to_be_bytes().to_vec()).unwrap_or_default();
        let text = |t: &Option<String>| t.as_deref().unwrap_or_default().as_bytes().to_vec();
        put(&self.seq.to_be_bytes());
        put(&self.at.to_be_bytes());
        put(self.day.as_bytes());
        put(self.kind.as_bytes());
        put(&self.unit_id.to_be_bytes());
        for n in [
            self.item_id,
            self.bib_id,
            self.owner_unit_id,
            self.home_unit_id,
            self.item_type_id,
        ] {
            put(&number(n));
        }
        put(&text(&self.clc_class));
        put(&number(self.category_id));
        put(&text(&self.age_band));
        put(self.channel.as_bytes());
        put(&number(self.device_id));
        put(&number(self.visit_id));
        put(self.detail.as_bytes());
        put(self.commitment.as_deref().unwrap_or_default());
        hash.finalize().into()
    }
}

impl WriteTx<'_> {
    /// Appends an event: one statement, two when it has a personal side. `id` is used up on PostgreSQL only.
    pub fn append_event(&mut self, id: i64, event: &Event<'_>) -> Result<(), StoreError> {
        let seq = self.next_event_seq(id)?;
        let day = self.day_of(event.at);
        let visit_id = match event.reader {
            Some(reader) if event.kind.is_of_visit() => Some(self.visit_of(reader, event.unit, day)?),
            _ => None,
        };
        let side = SideRow::of(seq, event)?;
        let row = EventRow::of(seq, event, super::readers::day_text(day), visit_id, side.as_ref());
        self.close_with(Closing::Event(row))?;
        match side {
            Some(side) => self.close_with(Closing::Side(side)),
            None => Ok(()),
        }
    }

    /// A number shared by what one reader does at one unit on one day, and by nothing else. The key of the day is deleted
    /// the next day: from then on nobody can tell whose visit it was.
    fn visit_of(&mut self, reader: ReaderId, unit: UnitId, day: NaiveDate) -> Result<i64, StoreError> {
        let key = self.visit_key(day)?;
        visit_number(&key, &[&reader.get().to_be_bytes(), &unit.get().to_be_bytes()])
    }

    fn visit_key(&mut self, day: NaiveDate) -> Result<[u8; 32], StoreError> {
        if let Some(key) = self.shared.cached_visit_key(day) {
            return Ok(key);
        }
        let text = super::readers::day_text(day);
        let stored: Option<Vec<u8>> = visit_keys::table
            .find(&text)
            .select(visit_keys::key)
            .first(self.conn)
            .optional()?;
        if let Some(stored) = stored {
            let key = <[u8; 32]>::try_from(stored.as_slice())
                .map_err(|_| StoreError::Corrupt(format!("the visit key of {text} has the wrong length")))?;
            self.shared.cache_visit_key(day, key);
            return Ok(key);
        }
        // Not cached: this transaction may still be rolled back. The next one reads it.
        let key = random_bytes::<32>()?;
        if super::dialect::insert_visit_key(self.conn, &text, &key)? {
            return Ok(key);
        }
        let stored: Vec<u8> = visit_keys::table.find(&text).select(visit_keys::key).first(self.conn)?;
        <[u8; 32]>::try_from(stored.as_slice())
            .map_err(|_| StoreError::Corrupt(format!("the visit key of {text} has the wrong length")))
    }

    /// Deletes the visit keys of days before `day`; answers how many.
    pub fn forget_visit_keys(&mut self, day: NaiveDate) -> Result<usize, StoreError> {
        let text = super::readers::day_text(day);
        Ok(diesel::delete(visit_keys::table.filter(visit_keys::day.lt(text))).execute(self.conn)?)
    }
}

#[derive(Debug, Clone, Insertable, Queryable)]
#[diesel(table_name = event_personal)]
pub(super) struct SideRow {
    pub(super) seq: i64,
    pub(super) salt: Vec<u8>,
    pub(super) reader_id: Option<i64>,
    pub(super) staff_id: Option<i64>,
    pub(super) data: String,
}

impl SideRow {
    /// The erasable side of an event, if anybody took part in it or it is about somebody.
    pub(super) fn of(seq: i64, event: &Event<'_>) -> Result<Option<Self>, StoreError> {
        if event.reader.is_none() && event.staff.is_none() && event.personal.is_null() {
            return Ok(None);
        }
        Ok(Some(Self {
            seq,
            salt: random_bytes::<16>()?.to_vec(),
            reader_id: event.reader.map(ReaderId::get),
            staff_id: event.staff.map(StaffId::get),
            data: json_text(&event.personal),
        }))
    }

    pub(super) fn statement(&self) -> InsertSide<'_> {
        InsertSide {
            seq: self.seq,
            salt: &self.salt,
            reader_id: self.reader_id,
            staff_id: self.staff_id,
            data: &self.data,
        }
    }

    /// SHA-256 of salt and content: without the salt nobody can try readers one by one.
    pub(super) fn commitment(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(&self.salt);
        hash.update(self.reader_id.unwrap_or(0).to_be_bytes());
        hash.update(self.staff_id.unwrap_or(0).to_be_bytes());
        hash.update(self.data.as_bytes());
        hash.finalize().into()
    }
}

/// Nothing is written as nothing, not as `null`.
fn json_text(value: &Value) -> String {
    if value.is_null() {
        String::new()
    } else {
        value.to_string()
    }
}

/// A keyed hash of the parts in 53 bits: safe in JavaScript.
pub(super) fn visit_number(key: &[u8; 32], parts: &[&[u8]]) -> Result<i64, StoreError> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key).map_err(|_| StoreError::Corrupt("the visit key has no length".into()))?;
    parts.iter().for_each(|part| mac.update(part));
    let code = mac.finalize().into_bytes();
    let mut first = [0_u8; 8];
    first.copy_from_slice(&code[..8]);
    Ok((u64::from_be_bytes(first) >> 11).cast_signed())
}

pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|_| StoreError::Unavailable {
        reason: "no randomness",
        source: None,
    })?;
    Ok(bytes)
}
