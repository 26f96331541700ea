//! What `tongjie check` reads: the whole database by aggregates and by pages, in one read transaction per invariant.
//! Not for: saying what is right (see `usecase::check`), mending anything, or the event chain (see `audit_events`).

use chrono::NaiveDate;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::error::StoreError;
use super::items::parse_day;
use super::schema::{cards, loans, parcel_lines};
use super::tx::ReadTx;

/// Violations of one rule that are listed; all are counted.
const EXAMPLES: i64 = 20;

/// A rule that SQL can judge: `breaks` selects a column `id` of every row that breaks it.
#[derive(Debug, Clone, Copy)]
pub struct SqlRule {
    /// What is wrong, before the number of the row: `item lent twice: item`.
    pub fault: &'static str,
    pub breaks: &'static str,
}

/// How often a rule is broken, and by which rows first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub count: i64,
    pub ids: Vec<i64>,
}

/// How many items are in one combination of status, loan, journey and hold.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct ItemCombination {
    #[diesel(sql_type = Text)]
    pub status: String,
    /// `none` or `open`.
    #[diesel(sql_type = Text)]
    pub loan: String,
    /// `none` or the status of the open transit.
    #[diesel(sql_type = Text)]
    pub journey: String,
    /// `none`, `on_the_way` or `on_shelf`: the open hold the item is captured for.
    #[diesel(sql_type = Text)]
    pub captured: String,
    #[diesel(sql_type = BigInt)]
    pub items: i64,
    /// The item with the smallest id.
    #[diesel(sql_type = BigInt)]
    pub example: i64,
}

/// The items of one owner.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct OwnerStock {
    #[diesel(sql_type = BigInt)]
    pub owner_unit_id: i64,
    #[diesel(sql_type = Text)]
    pub status: String,
    #[diesel(sql_type = BigInt)]
    pub items: i64,
}

/// What decides whether a due date can have been set by rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueFacts {
    pub id: i64,
    pub unit: i64,
    pub loaned_at: i64,
    pub due_at: i64,
    pub by_hand: bool,
    /// The last day of the card used.
    pub card_end: Option<NaiveDate>,
    /// It was set anew since, on a day that is not kept: renewed, or when its parcel arrived.
    pub again: bool,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

const COMBINATIONS: &str = "\
    SELECT i.status AS status, CASE WHEN l.id IS NULL THEN 'none' ELSE 'open' END AS loan, \
           COALESCE(t.status, 'none') AS journey, \
           CASE WHEN h.id IS NULL THEN 'none' WHEN h.shelf_number IS NULL THEN 'on_the_way' ELSE 'on_shelf' END AS captured, \
           count(*) AS items, min(i.id) AS example \
    FROM items i \
    LEFT JOIN loans l ON l.item_id = i.id AND l.closed_at IS NULL \
    LEFT JOIN transits t ON t.item_id = i.id AND t.closed_at IS NULL \
    LEFT JOIN holds h ON h.captured_item_id = i.id AND h.closed_at IS NULL \
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4";

impl ReadTx<'_> {
    /// The numbers of the next cards after an id, as they stand there.
    pub fn card_numbers(&mut self, after: i64, limit: i64) -> Result<Vec<(i64, String)>, StoreError> {
        Ok(cards::table
            .filter(cards::id.gt(after))
            .order(cards::id)
            .limit(limit)
            .select((cards::id, cards::number))
            .load(self.conn)?)
    }

    /// Lets this transaction take its time. Only for audits.
    pub fn lift_time_limit(&mut self) -> Result<(), StoreError> {
        Ok(super::dialect::lift_time_limit(self.conn)?)
    }

    /// Counts and lists what breaks a rule.
    pub fn broken(&mut self, rule: &SqlRule) -> Result<Broken, StoreError> {
        self.breaking(rule.breaks)
    }

    /// How many rows a question selects by their ids, and the first of them.
    pub(super) fn breaking(&mut self, breaks: &str) -> Result<Broken, StoreError> {
        let count = self.number(&format!("SELECT count(*) AS n FROM ({breaks}) AS bad"))?;
        let ids = if count == 0 {
            Vec::new()
        } else {
            let sql = format!("SELECT id FROM ({breaks}) AS bad ORDER BY id LIMIT {EXAMPLES}");
            let rows: Vec<Id> = diesel::sql_query(sql).load(self.conn)?;
            rows.into_iter().map(|row| row.id).collect()
        };
        Ok(Broken { count, ids })
    }

    /// A count of everything in a table that an audit looks at.
    pub fn audit_size(&mut self, table: &'static str) -> Result<i64, StoreError> {
        self.number(&format!("SELECT count(*) AS n FROM {table}"))
    }

    pub(super) fn number(&mut self, sql: &str) -> Result<i64, StoreError> {
        let row: Number = diesel::sql_query(sql).get_result(self.conn)?;
        Ok(row.n)
    }

    /// All items, by what is said about each of them in four places.
    pub fn item_combinations(&mut self) -> Result<Vec<ItemCombination>, StoreError> {
        Ok(diesel::sql_query(COMBINATIONS).load(self.conn)?)
    }

    /// All items by owner and status.
    pub fn stock_by_owner(&mut self) -> Result<Vec<OwnerStock>, StoreError> {
        let sql = "SELECT owner_unit_id, status, count(*) AS items FROM items GROUP BY 1, 2 ORDER BY 1, 2";
        Ok(diesel::sql_query(sql).load(self.conn)?)
    }

    /// A page of open loans after `after`, by id.
    pub fn due_facts(&mut self, after: i64, limit: i64) -> Result<Vec<DueFacts>, StoreError> {
        type Row = (i64, i64, i64, i64, bool, Option<String>, bool);
        let rows: Vec<Row> = loans::table
            .left_join(cards::table.on(loans::card_id.eq(cards::id.nullable())))
            .filter(loans::closed_at.is_null().and(loans::id.gt(after)))
            .order(loans::id)
            .limit(limit)
            .select((
                loans::id,
                loans::unit_id,
                loans::loaned_at,
                loans::due_at,
                loans::due_by_hand,
                cards::expires_on.nullable(),
                loans::renewals.gt(0).or(exists(
                    parcel_lines::table.filter(parcel_lines::loan_id.eq(loans::id.nullable())),
                )),
            ))
            .load(self.conn)?;
        rows.into_iter()
            .map(|(id, unit, loaned_at, due_at, by_hand, end, again)| {
                let card_end = end.as_deref().map(parse_day).transpose()?;
                Ok(DueFacts {
                    id,
                    unit,
                    loaned_at,
                    due_at,
                    by_hand,
                    card_end,
                    again,
                })
            })
            .collect()
    }
}
