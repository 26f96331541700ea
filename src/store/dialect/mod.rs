//! Everything in which the two engines differ. Nothing else in the store may look at the engine.

use diesel::prelude::*;

use super::card_tokens::NewCardSession;
use super::connection::AnyConnection;
use super::log_in_tallies::{Scope, TallyRow};
use super::schema::{
    card_sessions, compartments, device_commands, devices, items, jobs, journal_conflicts, journal_quarantine,
    locker_sessions, log_in_tallies, network_state, readers, staff, visit_keys,
};

diesel::define_sql_function! {
    /// Waits until no other transaction holds the number, and holds it until this one ends. (It answers nothing.)
    fn pg_advisory_xact_lock(number: diesel::sql_types::BigInt) -> diesel::sql_types::Bool;
}

// Any numbers will do that nothing else uses.
const MATCHING: i64 = 8_390_880_625_402_109_441;
const DAILY_CAPS: i64 = 8_390_880_625_402_109_442;

/// Locks one row by its id; SQLite has one writer at a time.
macro_rules! row_locks {
    ($($(#[$doc:meta])+ $name:ident: $table:ident;)+) => {$(
        $(#[$doc])+
        pub fn $name(conn: &mut AnyConnection, id: i64) -> QueryResult<()> {
            if let AnyConnection::Postgres(conn) = conn {
                $table::table
                    .filter($table::id.eq(id))
                    .select($table::id)
                    .for_no_key_update()
                    .load::<i64>(conn)?;
            }
            Ok(())
        }
    )+};
}

row_locks! {
    /// Locks a member of staff.
    lock_staff: staff;
    /// Locks a device.
    lock_device: devices;
    /// Locks a command of a device.
    lock_command: device_commands;
    /// Locks a compartment.
    lock_compartment: compartments;
    /// Locks a line of the quarantine of journals.
    lock_quarantine: journal_quarantine;
    /// Locks a reader's session at a machine.
    lock_locker_session: locker_sessions;
    /// Locks a contradiction.
    lock_conflict: journal_conflicts;
}

/// Locks readers in one statement, ascending. Only after bibs and items.
pub fn lock_readers(conn: &mut AnyConnection, ids: &[i64]) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        readers::table
            .filter(readers::id.eq_any(ids))
            .order(readers::id)
            .select(readers::id)
            .for_no_key_update()
            .load::<i64>(conn)?;
    }
    Ok(())
}

/// Inserts the visit key of a day unless another transaction was first.
pub fn insert_visit_key(conn: &mut AnyConnection, day: &str, key: &[u8]) -> QueryResult<bool> {
    let row = (visit_keys::day.eq(day), visit_keys::key.eq(key));
    let inserted = match conn {
        AnyConnection::Sqlite(conn) => diesel::insert_into(visit_keys::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(conn)?,
        AnyConnection::Postgres(conn) => diesel::insert_into(visit_keys::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(conn)?,
    };
    Ok(inserted == 1)
}

/// Inserts a job's row unless it is there.
pub fn insert_job(conn: &mut AnyConnection, name: &str) -> QueryResult<()> {
    let row = (
        jobs::name.eq(name),
        jobs::run.eq(0_i64),
        jobs::after_id.eq(0_i64),
        jobs::looked_at.eq(0_i64),
        jobs::changed.eq(0_i64),
    );
    let insert = diesel::insert_into(jobs::table).values(row).on_conflict_do_nothing();
    match conn {
        AnyConnection::Sqlite(conn) => insert.execute(conn)?,
        AnyConnection::Postgres(conn) => insert.execute(conn)?,
    };
    Ok(())
}

/// Inserts the session of a nonce unless the nonce was shown before.
pub fn insert_card_session(conn: &mut AnyConnection, row: &NewCardSession<'_>) -> QueryResult<bool> {
    let insert = diesel::insert_into(card_sessions::table)
        .values(row)
        .on_conflict_do_nothing();
    let inserted = match conn {
        AnyConnection::Sqlite(conn) => insert.execute(conn)?,
        AnyConnection::Postgres(conn) => insert.execute(conn)?,
    };
    Ok(inserted == 1)
}

/// PostgreSQL: transactions below this number have all ended.
pub fn commit_horizon(conn: &mut diesel::PgConnection) -> QueryResult<i64> {
    diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>(
        "pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
    ))
    .first(conn)
}

/// Microseconds by the database's own clock. SQLite needs none: its writers follow one another.
pub fn moment(conn: &mut AnyConnection) -> QueryResult<i64> {
    match conn {
        AnyConnection::Sqlite(_) => Ok(0),
        AnyConnection::Postgres(conn) => diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>(
            "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
        ))
        .first(conn),
    }
}

/// Whether a transaction that began before a moment of `moment` may still write. One that has written nothing for five minutes
/// only reads: a backup, say. A row is gone from the list only after what it committed can be seen.
pub fn has_older_writers(conn: &mut AnyConnection, than: i64) -> QueryResult<bool> {
    match conn {
        AnyConnection::Sqlite(_) => Ok(false),
        AnyConnection::Postgres(conn) => diesel::select(
            diesel::dsl::sql::<diesel::sql_types::Bool>(
                "EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                 AND backend_type = 'client backend' \
                 AND (backend_xid IS NOT NULL OR xact_start > clock_timestamp() - interval '5 minutes') \
                 AND (extract(epoch FROM xact_start) * 1000000)::bigint <= ",
            )
            .bind::<diesel::sql_types::BigInt, _>(than)
            .sql(")"),
        )
        .first(conn),
    }
}

/// Lets one transaction at a time match records with the catalogue, until its end.
pub fn lock_matching(conn: &mut AnyConnection) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        diesel::select(pg_advisory_xact_lock(MATCHING)).execute(conn)?;
    }
    Ok(())
}

/// Lets one transaction at a time register or merge by what identifies readers, until its end. Before bibs, items and readers.
pub fn lock_identities(conn: &mut AnyConnection) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(8390880625402109442)").execute(conn)?;
    }
    Ok(())
}

/// Lets one transaction at a time say which line a device is spoken to on, until its end.
pub fn lock_lines(conn: &mut AnyConnection) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(8390880625402109443)").execute(conn)?;
    }
    Ok(())
}

/// Lets one transaction at a time change the configuration, until its end: by the row that every such change writes.
pub fn lock_configuration(conn: &mut AnyConnection) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        network_state::table
            .select(network_state::config_version)
            .for_no_key_update()
            .load::<i64>(conn)?;
    }
    Ok(())
}

/// Puts `to` in the place of `from` at the beginning of the paths of units; answers how many there were. `from` is ASCII and ends in
/// a slash, so it is no one else's beginning.
pub fn replace_unit_paths(conn: &mut AnyConnection, from: &str, to: &str) -> QueryResult<usize> {
    use diesel::sql_types::{Integer, Text};
    let length = i32::try_from(from.len()).unwrap_or(i32::MAX);
    match conn {
        AnyConnection::Sqlite(conn) => {
            diesel::sql_query("UPDATE units SET path = ? || substr(path, ?) WHERE substr(path, 1, ?) = ?")
                .bind::<Text, _>(to)
                .bind::<Integer, _>(length.saturating_add(1))
                .bind::<Integer, _>(length)
                .bind::<Text, _>(from)
                .execute(conn)
        }
        AnyConnection::Postgres(conn) => {
            diesel::sql_query("UPDATE units SET path = $1 || substr(path, $2) WHERE substr(path, 1, $3) = $4")
                .bind::<Text, _>(to)
                .bind::<Integer, _>(length.saturating_add(1))
                .bind::<Integer, _>(length)
                .bind::<Text, _>(from)
                .execute(conn)
        }
    }
}

/// Lifts the time limit of statements until the end of the transaction: an audit reads everything there is.
pub fn lift_time_limit(conn: &mut AnyConnection) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        diesel::sql_query("SET LOCAL statement_timeout = 0").execute(conn)?;
    }
    Ok(())
}

/// Refreshes the planner's picture of all tables. SQLite plans well without one.
pub fn analyze(conn: &mut AnyConnection) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        diesel::sql_query("ANALYZE").execute(conn)?;
    }
    Ok(())
}

/// How many pulls the planner believes there are: as many as when it last looked. `None` on SQLite, which plans by its indexes
/// alone.
pub fn planned_pulls(conn: &mut AnyConnection) -> QueryResult<Option<i64>> {
    #[derive(QueryableByName)]
    struct Rows {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        rows: i64,
    }
    let AnyConnection::Postgres(conn) = conn else {
        return Ok(None);
    };
    let sql = "SELECT reltuples::bigint AS rows FROM pg_class WHERE oid = 'pulls'::regclass";
    let known: Rows = diesel::sql_query(sql).get_result(conn)?;
    Ok(Some(known.rows.max(0)))
}

/// Has the planner look at the pulls: statements that it planned while there were few are planned anew.
pub fn analyze_pulls(conn: &mut AnyConnection) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        diesel::sql_query("ANALYZE pulls").execute(conn)?;
    }
    Ok(())
}

/// Lets one transaction at a time give out places on a unit's hold shelf, until its end. Taken after all row locks, so it
/// cannot close a circle. SQLite has one writer and needs none.
pub fn lock_hold_shelf(conn: &mut AnyConnection, unit: i64) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        let number = HOLD_SHELF_LOCKS | unit;
        diesel::select(pg_advisory_xact_lock(number)).execute(conn)?;
    }
    Ok(())
}

/// Lets one transaction at a time ask units with a daily cap for copies, until its end. Taken after all row locks.
pub fn lock_daily_caps(conn: &mut AnyConnection) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        diesel::select(pg_advisory_xact_lock(DAILY_CAPS)).execute(conn)?;
    }
    Ok(())
}

/// One at a time counts what floats of a stock (a collection, or a home's copies without one) at a unit; held until the end of
/// the transaction. SQLite has one writer.
pub fn lock_floating(conn: &mut AnyConnection, unit: i64, stock: i64) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        // Two stocks that share a number only wait for each other.
        let mixed = unit.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()) ^ stock;
        let number = FLOATING | (mixed & 0x0000_ffff_ffff_ffff);
        diesel::select(pg_advisory_xact_lock(number)).execute(conn)?;
    }
    Ok(())
}

/// The upper bits of those locks: a range nothing else uses.
const FLOATING: i64 = 0x7a11 << 48;

/// The upper bits of the hold shelves' advisory locks: a range nothing else uses. Unit ids stay below 2^53.
const HOLD_SHELF_LOCKS: i64 = 0x2a40_0000_0000_0000;

/// Lets one transaction at a time count log-ins of these scopes, until its end. A scope may have no row yet, so numbers are
/// locked instead, ascending; the two-number locks are used by nothing else.
pub fn lock_log_in_scopes(conn: &mut AnyConnection, scopes: &[Scope]) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        let number = |scope: &Scope| i32::from_be_bytes([scope[0], scope[1], scope[2], scope[3]]);
        let mut numbers: Vec<i32> = scopes.iter().map(number).collect();
        numbers.sort_unstable();
        for number in numbers {
            diesel::sql_query("SELECT pg_advisory_xact_lock($1, $2)")
                .bind::<diesel::sql_types::Integer, _>(LOG_IN_LOCKS)
                .bind::<diesel::sql_types::Integer, _>(number)
                .execute(conn)?;
        }
    }
    Ok(())
}

/// Locks items in one statement, ascending. After bibs, before readers.
pub fn lock_items_with_barcodes(conn: &mut AnyConnection, barcodes: &[String]) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        items::table
            .filter(items::barcode.eq_any(barcodes))
            .order(items::id)
            .select(items::id)
            .for_no_key_update()
            .load::<i64>(conn)?;
    }
    Ok(())
}

/// Any number will do that no other two-number lock uses.
const LOG_IN_LOCKS: i32 = 0x746c_6f67;

/// Inserts or replaces a tally.
pub fn put_log_in_tally(conn: &mut AnyConnection, row: &TallyRow) -> QueryResult<()> {
    match conn {
        AnyConnection::Sqlite(conn) => diesel::insert_into(log_in_tallies::table)
            .values(row)
            .on_conflict(log_in_tallies::scope)
            .do_update()
            .set(row)
            .execute(conn)?,
        AnyConnection::Postgres(conn) => diesel::insert_into(log_in_tallies::table)
            .values(row)
            .on_conflict(log_in_tallies::scope)
            .do_update()
            .set(row)
            .execute(conn)?,
    };
    Ok(())
}

/// Locks the items of bibs, ascending, and answers at most `limit` of them. After bibs, before readers.
pub fn lock_items_of_bibs(conn: &mut AnyConnection, bibs: &[i64], limit: i64) -> QueryResult<Vec<i64>> {
    let query = items::table
        .filter(items::bib_id.eq_any(bibs))
        .order(items::id)
        .limit(limit)
        .select(items::id);
    match conn {
        AnyConnection::Sqlite(conn) => query.load(conn),
        AnyConnection::Postgres(conn) => query.for_no_key_update().load(conn),
    }
}

/// Locks items by their ids in one statement, ascending. After bibs, before readers.
pub fn lock_items(conn: &mut AnyConnection, ids: &[i64]) -> QueryResult<()> {
    if let AnyConnection::Postgres(conn) = conn {
        items::table
            .filter(items::id.eq_any(ids))
            .order(items::id)
            .select(items::id)
            .for_no_key_update()
            .load::<i64>(conn)?;
    }
    Ok(())
}
