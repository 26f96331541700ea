//! Guardian links: who answers for whom, and the consent that is on record.
//! Not for: who may answer for whom (see `domain::guardian`).

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use crate::domain::guardian::Standing;
use crate::domain::ids::{CardId, ReaderId};
use crate::domain::reader::{CardFacts, ReaderStatus};
use crate::store::card_tokens::card_facts;
use crate::store::error::StoreError;
use crate::store::items::parse_day;
use crate::store::readers::day_text;
use crate::store::schema::{cards, guardianships, readers};
use crate::store::tx::{ReadTx, WriteTx};

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = guardianships)]
pub struct GuardianRow {
    pub id: i64,
    pub guardian_reader_id: i64,
    pub ward_reader_id: i64,
    pub relation: String,
    pub may_act: bool,
    pub consent_form: Option<String>,
    pub consented_on: Option<String>,
    pub started_at: i64,
    pub ended_at: Option<i64>,
}

/// Who shows a card for somebody else: the card, and the open link between its holder and the other, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    pub card: CardFacts,
    pub link: Option<(i64, Standing)>,
}

/// A ward of a guardian, and the link.
pub type WardRow = (GuardianRow, (String, i64, i64));

macro_rules! link_columns {
    () => {
        (
            guardianships::id,
            guardianships::guardian_reader_id,
            guardianships::ward_reader_id,
            guardianships::relation,
            guardianships::may_act,
            guardianships::consent_form,
            guardianships::consented_on,
            guardianships::started_at,
            guardianships::ended_at,
        )
    };
}

impl ReadTx<'_> {
    /// One link.
    pub fn guardianship(&mut self, id: i64) -> Result<Option<GuardianRow>, StoreError> {
        Ok(guardianships::table
            .find(id)
            .select(link_columns!())
            .first(self.conn)
            .optional()?)
    }

    /// The open links of a ward.
    pub fn guardians_of(&mut self, ward: ReaderId) -> Result<Vec<GuardianRow>, StoreError> {
        Ok(guardianships::table
            .filter(guardianships::ward_reader_id.eq(ward.get()))
            .filter(guardianships::ended_at.is_null())
            .order(guardianships::id)
            .select(link_columns!())
            .load(self.conn)?)
    }

    /// The open link between two readers, and what says whether it lets the guardian act.
    pub fn link_between(&mut self, guardian: ReaderId, ward: ReaderId) -> Result<Option<(i64, Standing)>, StoreError> {
        let found: Option<(i64, bool, Option<String>)> = guardianships::table
            .inner_join(readers::table.on(readers::id.eq(guardianships::ward_reader_id)))
            .filter(guardianships::ward_reader_id.eq(ward.get()))
            .filter(guardianships::guardian_reader_id.eq(guardian.get()))
            .filter(guardianships::ended_at.is_null())
            .select((guardianships::id, guardianships::may_act, readers::birth_date))
            .first(self.conn)
            .optional()?;
        let Some((id, may_act, born)) = found else {
            return Ok(None);
        };
        let status: String = readers::table
            .find(guardian.get())
            .select(readers::status)
            .first(self.conn)?;
        let standing = Standing {
            may_act,
            ward_born: born.as_deref().map(parse_day).transpose()?,
            guardian_active: status == ReaderStatus::Active.code(),
        };
        Ok(Some((id, standing)))
    }

    /// Who shows a card for a ward; `None` for a card that nobody holds. One statement where the card is the ward's own.
    pub fn stand_in(&mut self, number: &str, ward: ReaderId) -> Result<Option<StandIn>, StoreError> {
        let number = self.kept_number(number)?;
        let card: Option<(i64, i64, String, Option<String>)> = cards::table
            .filter(cards::number.eq(number))
            .select((cards::id, cards::reader_id, cards::status, cards::expires_on))
            .first(self.conn)
            .optional()?;
        let Some((id, holder, status, expires_on)) = card else {
            return Ok(None);
        };
        let link = if holder == ward.get() {
            None
        } else {
            self.link_between(ReaderId::new(holder), ward)?
        };
        let card = card_facts(CardId::new(id), &status, expires_on.as_deref())?;
        Ok(Some(StandIn { card, link }))
    }

    /// Wards with open links, among readers after an id up to another, who were born on a day or before.
    pub fn wards_born_by(&mut self, day: NaiveDate, after: i64, last: i64) -> Result<Vec<ReaderId>, StoreError> {
        let ids: Vec<i64> = guardianships::table
            .inner_join(readers::table.on(readers::id.eq(guardianships::ward_reader_id)))
            .filter(guardianships::ended_at.is_null())
            .filter(
                guardianships::ward_reader_id
                    .gt(after)
                    .and(guardianships::ward_reader_id.le(last)),
            )
            .filter(readers::birth_date.le(day_text(day)))
            .select(guardianships::ward_reader_id)
            .distinct()
            .load(self.conn)?;
        Ok(ids.into_iter().map(ReaderId::new).collect())
    }

    /// The wards of a guardian after a link who were born after a day: each with name, category and home.
    pub fn wards_of(
        &mut self,
        guardian: ReaderId,
        born_after: NaiveDate,
        after: i64,
        limit: i64,
    ) -> Result<Vec<WardRow>, StoreError> {
        Ok(guardianships::table
            .inner_join(readers::table.on(readers::id.eq(guardianships::ward_reader_id)))
            .filter(guardianships::guardian_reader_id.eq(guardian.get()))
            .filter(guardianships::ended_at.is_null().and(guardianships::id.gt(after)))
            .filter(
                readers::birth_date
                    .is_null()
                    .or(readers::birth_date.gt(day_text(born_after))),
            )
            .order(guardianships::id)
            .limit(limit)
            .select((
                link_columns!(),
                (readers::name, readers::category_id, readers::home_unit_id),
            ))
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Adds a link.
    ///
    /// # Errors
    /// `Conflict` when the two are linked already.
    pub fn insert_guardianship(&mut self, row: &GuardianRow) -> Result<(), StoreError> {
        diesel::insert_into(guardianships::table)
            .values(row.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends a link; answers whether it was open.
    pub fn end_guardianship(&mut self, id: i64, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let open = guardianships::table.filter(guardianships::id.eq(id).and(guardianships::ended_at.is_null()));
        let ended = diesel::update(open)
            .set(guardianships::ended_at.eq(now.timestamp_millis()))
            .execute(self.conn)?;
        Ok(ended == 1)
    }
}
