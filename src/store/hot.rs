//! The writes of the hot path as prepared statements that stay prepared.
//!
//! Diesel never keeps an UPDATE built from its query DSL prepared (on PostgreSQL that is a second round trip), and on the
//! connection that serves both engines it builds the text of every statement anew to look it up. These few are fixed text
//! with typed binds, found by their type. Everything else uses the DSL.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::connection::AnyConnection;

/// Runs an expression on whichever engine's own connection it is: what is prepared there is found again by type, while
/// on `AnyConnection` the text is built anew each time.
macro_rules! on_engine {
    ($conn:expr, $inner:ident => $body:expr) => {
        match &mut *$conn {
            $crate::store::connection::AnyConnection::Sqlite($inner) => $body,
            $crate::store::connection::AnyConnection::Postgres($inner) => $body,
        }
    };
}
pub(super) use on_engine;

/// The SQL type a field is bound as.
trait Bound {
    type Sql;
}

macro_rules! bound {
    ($($rust:ty => $sql:ty),* $(,)?) => {$(impl Bound for $rust { type Sql = $sql; })*};
}

bound! {
    i64 => BigInt,
    i32 => Integer,
    bool => Bool,
    &str => Text,
    &[u8] => Binary,
    Option<i64> => Nullable<BigInt>,
    Option<i32> => Nullable<Integer>,
    Option<&str> => Nullable<Text>,
    Option<&[u8]> => Nullable<Binary>,
}

macro_rules! piece {
    ($self:ident, $out:ident, $text:literal) => {
        $out.push_sql($text);
    };
    ($self:ident, $out:ident, $name:ident: $field:ty) => {
        $out.push_bind_param::<<$field as Bound>::Sql, $field>(&$self.$name)?;
    };
}

/// `Name<'a> { field: type … } = ["text"] [field: type] ["text"] …;`
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident<$lt:lifetime> { $($field:ident: $ty:ty),* $(,)? } = $([$($piece:tt)*])*;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $name<$lt> { $(pub(super) $field: $ty,)* }

        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl<$lt> QueryFragment<Sqlite> for $name<$lt> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                $(piece!(self, out, $($piece)*);)*
                Ok(())
            }
        }

        impl<$lt> QueryFragment<Pg> for $name<$lt> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                $(piece!(self, out, $($piece)*);)*
                Ok(())
            }
        }

        impl<C> RunQueryDsl<C> for $name<'_> {}

        impl $name<'_> {
            /// Runs it; answers the number of rows.
            pub(super) fn run(self, conn: &mut AnyConnection) -> QueryResult<usize> {
                on_engine!(conn, inner => self.execute(inner))
            }
        }
    )*};
}
statements! {
    /// Stores the outcome of a keyed call; 0 rows when the key is taken.
    StoreOutcome<'a> {
        digest: &'a [u8], request_hash: &'a [u8], reader_id: Option<i64>, outcome: &'a str, created_at: i64,
    } =
        ["INSERT INTO idempotency_keys (digest, request_hash, reader_id, outcome, created_at) VALUES ("]
        [digest: &'a [u8]] [", "] [request_hash: &'a [u8]] [", "] [reader_id: Option<i64>] [", "] [outcome: &'a str]
        [", "] [created_at: i64] [") ON CONFLICT DO NOTHING"];

    /// Where an item is now, in what state, since when.
    SetItemState<'a> { status: &'a str, current_unit_id: i64, last_event_at: i64, id: i64 } =
        ["UPDATE items SET status = "] [status: &'a str] [", current_unit_id = "] [current_unit_id: i64]
        [", last_event_at = "] [last_event_at: i64] [", clear_number = NULL, clear_since = NULL WHERE id = "] [id: i64];

    /// Sets a copy aside for a hold: on its way, or at its numbered place.
    CaptureHold<'a> {
        captured_item_id: i64, captured_at: i64, shelf_number: Option<i32>, shelf_until: Option<&'a str>, id: i64,
    } =
        ["UPDATE holds SET captured_item_id = "] [captured_item_id: i64] [", captured_at = "] [captured_at: i64]
        [", shelf_number = "] [shelf_number: Option<i32>] [", shelf_until = "] [shelf_until: Option<&'a str>]
        [" WHERE id = "] [id: i64];

    /// Ends a loan.
    CloseLoan<'a> { closed_at: i64, closed_how: &'a str, return_unit_id: i64, id: i64 } =
        ["UPDATE loans SET closed_at = "] [closed_at: i64] [", closed_how = "] [closed_how: &'a str]
        [", return_unit_id = "] [return_unit_id: i64] [" WHERE id = "] [id: i64];

    /// Opens a loan.
    InsertLoan<'a> {
        id: i64, item_id: i64, bib_id: i64, reader_id: Option<i64>, card_id: Option<i64>, unit_id: i64,
        owner_unit_id: i64, item_type_id: i64, category_id: i64, age_band: &'a str, channel: &'a str,
        device_id: Option<i64>, rule_id: i64, rules_version: i64, filled_hold_id: Option<i64>, loaned_at: i64,
        due_at: i64, due_by_hand: bool, renewals: i32, reading_room: bool,
    } =
        ["INSERT INTO loans (id, item_id, bib_id, reader_id, card_id, unit_id, owner_unit_id, item_type_id, category_id, \
          age_band, channel, device_id, rule_id, rules_version, filled_hold_id, loaned_at, due_at, due_by_hand, renewals, \
          reading_room) \
          VALUES ("]
        [id: i64] [", "] [item_id: i64] [", "] [bib_id: i64] [", "] [reader_id: Option<i64>] [", "]
        [card_id: Option<i64>] [", "] [unit_id: i64] [", "] [owner_unit_id: i64] [", "] [item_type_id: i64] [", "]
        [category_id: i64] [", "] [age_band: &'a str] [", "] [channel: &'a str] [", "] [device_id: Option<i64>] [", "]
        [rule_id: i64] [", "] [rules_version: i64] [", "] [filled_hold_id: Option<i64>] [", "] [loaned_at: i64] [", "]
        [due_at: i64] [", "] [due_by_hand: bool] [", "] [renewals: i32] [", "] [reading_room: bool] [")"];

    /// Appends an event.
    InsertEvent<'a> {
        seq: i64, at: i64, day: &'a str, kind: &'a str, unit_id: i64, item_id: Option<i64>, bib_id: Option<i64>,
        owner_unit_id: Option<i64>, home_unit_id: Option<i64>, item_type_id: Option<i64>, clc_class: Option<&'a str>,
        category_id: Option<i64>, age_band: Option<&'a str>, channel: &'a str, device_id: Option<i64>,
        visit_id: Option<i64>, detail: &'a str, commitment: Option<&'a [u8]>,
    } =
        ["INSERT INTO events (seq, at, day, kind, unit_id, item_id, bib_id, owner_unit_id, home_unit_id, item_type_id, \
          clc_class, category_id, age_band, channel, device_id, visit_id, detail, commitment) VALUES ("]
        [seq: i64] [", "] [at: i64] [", "] [day: &'a str] [", "] [kind: &'a str] [", "] [unit_id: i64] [", "]
        [item_id: Option<i64>] [", "] [bib_id: Option<i64>] [", "] [owner_unit_id: Option<i64>] [", "]
        [home_unit_id: Option<i64>] [", "] [item_type_id: Option<i64>] [", "] [clc_class: Option<&'a str>] [", "]
        [category_id: Option<i64>] [", "] [age_band: Option<&'a str>] [", "] [channel: &'a str] [", "]
        [device_id: Option<i64>] [", "] [visit_id: Option<i64>] [", "] [detail: &'a str] [", "]
        [commitment: Option<&'a [u8]>] [")"];

    /// Adds to a line of the statistics.
    AddToCount<'a> {
        day: &'a str, unit_id: i64, kind: &'a str, owner_unit_id: i64, item_type_id: i64, category_id: i64,
        age_band: &'a str, channel: &'a str, n: i64,
    } =
        ["INSERT INTO daily_counts (day, unit_id, kind, owner_unit_id, item_type_id, category_id, age_band, channel, n) \
          VALUES ("]
        [day: &'a str] [", "] [unit_id: i64] [", "] [kind: &'a str] [", "] [owner_unit_id: i64] [", "] [item_type_id: i64]
        [", "] [category_id: i64] [", "] [age_band: &'a str] [", "] [channel: &'a str] [", "] [n: i64]
        [") ON CONFLICT (day, unit_id, kind, owner_unit_id, item_type_id, category_id, age_band, channel) \
          DO UPDATE SET n = daily_counts.n + excluded.n"];

    /// Appends the erasable side of an event.
    InsertSide<'a> { seq: i64, salt: &'a [u8], reader_id: Option<i64>, staff_id: Option<i64>, data: &'a str } =
        ["INSERT INTO event_personal (seq, salt, reader_id, staff_id, data) VALUES ("]
        [seq: i64] [", "] [salt: &'a [u8]] [", "] [reader_id: Option<i64>] [", "] [staff_id: Option<i64>] [", "]
        [data: &'a str] [")"];
}

macro_rules! commands {
    ($($(#[$doc:meta])* $function:ident $name:ident = $text:literal;)*) => {$(
        #[derive(Debug, Clone, Copy, QueryId)]
        struct $name;

        impl QueryFragment<Sqlite> for $name {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                out.push_sql($text);
                Ok(())
            }
        }

        impl<C> RunQueryDsl<C> for $name {}

        $(#[$doc])*
        pub(super) fn $function(conn: &mut AnyConnection) -> QueryResult<()> {
            match conn {
                AnyConnection::Sqlite(conn) => $name.execute(conn).map(drop),
                AnyConnection::Postgres(_) => Err(diesel::result::Error::NotInTransaction),
            }
        }
    )*};
}

// A job's savepoint on SQLite. Not through Diesel's transaction manager, which would parse the text anew for each job; its
// depth stays 1, and nothing inside a job may begin a transaction of its own (clippy.toml sees to that).
commands! {
    /// Begins a job.
    savepoint Savepoint = "SAVEPOINT job";
    /// Keeps a job.
    release Release = "RELEASE job";
    /// Undoes a job.
    rollback_to_savepoint RollbackTo = "ROLLBACK TO job";
}
