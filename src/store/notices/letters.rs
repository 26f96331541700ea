//! What is read when a notice is put together: the loans, holds, parcels and cards its lines name, as they are now; and units'
//! own templates; and one-time codes.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::Line;
use crate::domain::ids::{ReaderId, UnitId};
use crate::domain::notice::{Language, NoticeKind};
use crate::letter::Template;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::items::parse_day;
use crate::store::schema::{
    bibs, cards, compartments, devices, holds, items, loans, notice_templates, one_time_codes, parcel_lines, parcels,
};
use crate::store::tx::{ReadTx, WriteTx};

/// An open loan, as a letter tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct LoanLine {
    pub loan_id: i64,
    pub due_at: i64,
    pub title: String,
    pub barcode: String,
    pub unit_id: i64,
}

/// A hold whose copy stands on the hold shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldLine {
    pub hold_id: i64,
    pub title: String,
    pub shelf_number: i32,
    pub until: Option<NaiveDate>,
    /// The name of the machine in whose compartment it lies.
    pub device: Option<String>,
}

/// Hold, title, number, last day and machine.
type HoldRow = (i64, String, i32, Option<String>, Option<String>);

/// A parcel that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParcelLine {
    pub parcel_id: i64,
    pub items: i64,
    pub tracking_number: Option<String>,
}

/// A card that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardLine {
    pub card_id: i64,
    pub number: String,
    pub expires_on: NaiveDate,
}

/// A one-time code, without the code.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct CodeRow {
    pub id: i64,
    pub reader_id: i64,
    pub purpose: String,
    pub channel: String,
    pub made_at: i64,
    pub expires_at: i64,
    pub attempts: i32,
    pub ended_at: Option<i64>,
}

impl ReadTx<'_> {
    /// Those of the loans that are open.
    pub fn loans_told_of(&mut self, lines: &[Line]) -> Result<Vec<LoanLine>, StoreError> {
        let query = loans::table
            .inner_join(items::table.on(items::id.eq(loans::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .filter(loans::id.eq_any(subjects(lines)).and(loans::closed_at.is_null()))
            .order((loans::due_at, loans::id))
            .select((loans::id, loans::due_at, bibs::title, items::barcode, loans::unit_id));
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// Those of the holds whose copy stands on the hold shelf.
    pub fn holds_told_of(&mut self, lines: &[Line]) -> Result<Vec<HoldLine>, StoreError> {
        let query = holds::table
            .inner_join(bibs::table.on(bibs::id.eq(holds::bib_id)))
            .filter(holds::id.eq_any(subjects(lines)).and(holds::closed_at.is_null()))
            .filter(holds::shelf_number.is_not_null())
            .order(holds::shelf_number)
            .select((
                holds::id,
                bibs::title,
                holds::shelf_number.assume_not_null(),
                holds::shelf_until,
                compartments::table
                    .inner_join(devices::table.on(devices::id.eq(compartments::device_id)))
                    .filter(compartments::item_id.eq(holds::captured_item_id))
                    .select(devices::name)
                    .single_value(),
            ));
        let rows: Vec<HoldRow> = on_engine!(self.conn, conn => query.load(conn))?;
        let line = |(hold_id, title, shelf_number, until, device): HoldRow| {
            Ok(HoldLine {
                hold_id,
                title,
                shelf_number,
                until: until.as_deref().map(parse_day).transpose()?,
                device: device.filter(|name| !name.is_empty()),
            })
        };
        rows.into_iter().map(line).collect()
    }

    /// Parcels that left, with how much is in them.
    pub fn parcels_told_of(&mut self, lines: &[Line]) -> Result<Vec<ParcelLine>, StoreError> {
        let query = parcels::table
            .inner_join(parcel_lines::table.on(parcel_lines::parcel_id.eq(parcels::id)))
            .filter(
                parcels::id
                    .eq_any(subjects(lines))
                    .and(parcels::posted_at.is_not_null()),
            )
            .filter(parcel_lines::set_aside.is_null())
            .group_by((parcels::id, parcels::tracking_number))
            .order(parcels::id)
            .select((
                parcels::id,
                parcels::tracking_number,
                diesel::dsl::count(parcel_lines::id),
            ));
        let rows: Vec<(i64, Option<String>, i64)> = on_engine!(self.conn, conn => query.load(conn))?;
        let line = |(parcel_id, tracking_number, items)| ParcelLine {
            parcel_id,
            items,
            tracking_number,
        };
        Ok(rows.into_iter().map(line).collect())
    }

    /// Those of the cards that can be used and end some day.
    pub fn cards_told_of(&mut self, lines: &[Line]) -> Result<Vec<CardLine>, StoreError> {
        let query = cards::table
            .filter(cards::id.eq_any(subjects(lines)).and(cards::status.eq("active")))
            .filter(cards::expires_on.is_not_null())
            .order(cards::id)
            .select((
                cards::id,
                cards::number,
                cards::shown,
                cards::expires_on.assume_not_null(),
            ));
        let rows: Vec<(i64, String, Option<String>, String)> = on_engine!(self.conn, conn => query.load(conn))?;
        // Where the number is a person's, a hash stands in its place.
        let line = |(card_id, number, shown, expires_on): (i64, String, Option<String>, String)| {
            Ok(CardLine {
                card_id,
                number: shown.unwrap_or(number),
                expires_on: parse_day(&expires_on)?,
            })
        };
        rows.into_iter().map(line).collect()
    }

    /// A one-time code.
    pub fn one_time_code(&mut self, id: i64) -> Result<Option<CodeRow>, StoreError> {
        Ok(one_time_codes::table.find(id).first(self.conn).optional()?)
    }

    /// Some codes that were made before a moment and count no longer.
    pub fn old_codes(&mut self, before: DateTime<Utc>, at_most: i64) -> Result<Vec<i64>, StoreError> {
        let before = before.timestamp_millis();
        Ok(one_time_codes::table
            .filter(
                one_time_codes::made_at
                    .lt(before)
                    .and(one_time_codes::expires_at.lt(before)),
            )
            .order(one_time_codes::made_at)
            .limit(at_most)
            .select(one_time_codes::id)
            .load(self.conn)?)
    }

    /// A unit's own template.
    pub fn notice_template(
        &mut self,
        unit: UnitId,
        kind: NoticeKind,
        language: Language,
    ) -> Result<Option<Template>, StoreError> {
        let row: Option<(String, String, String)> = notice_templates::table
            .find((unit.get(), kind.code(), language.code()))
            .select((
                notice_templates::subject,
                notice_templates::body,
                notice_templates::html,
            ))
            .first(self.conn)
            .optional()?;
        Ok(row.map(|(subject, text, html)| Template { subject, text, html }))
    }

    /// The template of the first of these units that has one of its own: the nearest comes first.
    pub fn nearest_template(
        &mut self,
        units: &[UnitId],
        kind: NoticeKind,
        language: Language,
    ) -> Result<Option<(UnitId, Template)>, StoreError> {
        for unit in units {
            if let Some(found) = self.notice_template(*unit, kind, language)? {
                return Ok(Some((*unit, found)));
            }
        }
        Ok(None)
    }
}

impl WriteTx<'_> {
    /// A unit's own template; `None` takes it back.
    pub fn set_notice_template(
        &mut self,
        unit: UnitId,
        kind: NoticeKind,
        language: Language,
        template: Option<&Template>,
    ) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        diesel::delete(notice_templates::table.find((unit.get(), kind.code(), language.code()))).execute(self.conn)?;
        if let Some(template) = template {
            diesel::insert_into(notice_templates::table)
                .values((
                    notice_templates::unit_id.eq(unit.get()),
                    notice_templates::kind.eq(kind.code()),
                    notice_templates::language.eq(language.code()),
                    notice_templates::subject.eq(&template.subject),
                    notice_templates::body.eq(&template.text),
                    notice_templates::html.eq(&template.html),
                    notice_templates::saved_at.eq(now),
                ))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// A new code in the place of the one that is open.
    pub fn insert_code(&mut self, row: &CodeRow) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        let open = one_time_codes::table
            .filter(one_time_codes::reader_id.eq(row.reader_id))
            .filter(one_time_codes::purpose.eq(&row.purpose))
            .filter(
                one_time_codes::channel
                    .eq(&row.channel)
                    .and(one_time_codes::ended_at.is_null()),
            );
        diesel::update(open)
            .set(one_time_codes::ended_at.eq(now))
            .execute(self.conn)?;
        diesel::insert_into(one_time_codes::table)
            .values((
                one_time_codes::id.eq(row.id),
                one_time_codes::reader_id.eq(row.reader_id),
                one_time_codes::purpose.eq(&row.purpose),
                one_time_codes::channel.eq(&row.channel),
                one_time_codes::made_at.eq(row.made_at),
                one_time_codes::expires_at.eq(row.expires_at),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// The code that is open for a purpose; counted as tried once more, which takes its lock.
    pub fn try_code(&mut self, reader: ReaderId, purpose: &str, channel: &str) -> Result<Option<CodeRow>, StoreError> {
        let open = one_time_codes::table
            .filter(one_time_codes::reader_id.eq(reader.get()))
            .filter(one_time_codes::purpose.eq(purpose))
            .filter(
                one_time_codes::channel
                    .eq(channel)
                    .and(one_time_codes::ended_at.is_null()),
            );
        let tried = diesel::update(open)
            .set(one_time_codes::attempts.eq(one_time_codes::attempts + 1))
            .returning(one_time_codes::all_columns);
        let rows: Vec<CodeRow> = on_engine!(self.conn, conn => tried.get_results(conn))?;
        Ok(rows.into_iter().next())
    }

    /// Erases codes; answers how many.
    pub fn erase_codes(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        let gone = one_time_codes::table.filter(one_time_codes::id.eq_any(ids));
        Ok(on_engine!(self.conn, conn => diesel::delete(gone).execute(conn))?)
    }

    /// A code counts no more.
    pub fn end_code(&mut self, id: i64) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        diesel::update(one_time_codes::table.find(id))
            .set(one_time_codes::ended_at.eq(now))
            .execute(self.conn)?;
        Ok(())
    }

    /// How many codes were made for a reader since a moment.
    pub fn codes_since(&mut self, reader: ReaderId, since: i64) -> Result<i64, StoreError> {
        Ok(one_time_codes::table
            .filter(
                one_time_codes::reader_id
                    .eq(reader.get())
                    .and(one_time_codes::made_at.ge(since)),
            )
            .count()
            .get_result(self.conn)?)
    }
}

fn subjects(lines: &[Line]) -> Vec<i64> {
    lines.iter().map(|line| line.subject).collect()
}
