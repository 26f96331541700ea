//! Every limit a client can meet, as one table: docs/LIMITS.md is printed from it, and a test fails when the two differ.

use std::fmt::{Display, Write};
use std::ops::RangeInclusive;

use super::problem::Code;
use super::{extract, input, query, request_id};
use crate::config::limits as range;
use crate::config::{AuthConfig, Config, DatabaseConfig, HttpConfig, LimitsConfig, RatesConfig};
use crate::usecase::item_batch;

/// What comes back when a limit is met.
enum Met {
    Problem(Code),
    /// By the server itself, without a body.
    Status(&'static str),
    /// The connection is closed, or nothing is answered at all.
    Silence(&'static str),
}

struct Row {
    what: &'static str,
    /// The configuration's key; empty: fixed.
    key: &'static str,
    value: String,
    range: String,
    met: Met,
}

fn row<T: Display>(what: &'static str, key: &'static str, value: T, range: &RangeInclusive<T>, met: Met) -> Row {
    Row {
        what,
        key,
        value: value.to_string(),
        range: format!("{} to {}", range.start(), range.end()),
        met,
    }
}

fn fixed(what: &'static str, value: impl Display, met: Met) -> Row {
    Row {
        what,
        key: "",
        value: value.to_string(),
        range: "fixed".to_owned(),
        met,
    }
}

fn rows(config: &Config) -> Vec<Row> {
    let mut rows = of_requests(&config.http, &config.limits);
    rows.extend(of_batches(&config.limits));
    rows.extend(of_rates(&config.rates));
    rows.extend(of_connections(&config.limits));
    rows.extend(of_queues(&config.database, &config.auth));
    rows.extend(of_the_database(&config.database, &config.limits));
    rows.extend(of_the_contract());
    rows
}

fn of_requests(http: &HttpConfig, limits: &LimitsConfig) -> Vec<Row> {
    let too_large = Met::Problem(Code::BodyTooLarge);
    let long_head = Met::Problem(Code::HeadersTooLarge);
    let late = Met::Problem(Code::TimedOut);
    let (body, head, time) = (http.max_body_bytes, limits.header_bytes, http.request_timeout_ms);
    vec![
        row(
            "Body, in bytes",
            "http.max_body_bytes",
            body,
            &range::MAX_BODY_BYTES,
            too_large,
        ),
        row(
            "Request line and headers, in bytes",
            "limits.header_bytes",
            head,
            &range::HEADER_BYTES,
            long_head,
        ),
        fixed(
            "Headers; or 131072 bytes without an end of the head",
            96,
            Met::Status("431"),
        ),
        row(
            "A request, in milliseconds",
            "http.request_timeout_ms",
            time,
            &range::REQUEST_TIMEOUT_MS,
            late,
        ),
    ]
}

fn of_batches(limits: &LimitsConfig) -> Vec<Row> {
    vec![
        row(
            "Body of a batch, in bytes",
            "limits.batch_body_bytes",
            limits.batch_body_bytes,
            &range::BATCH_BODY_BYTES,
            Met::Problem(Code::BodyTooLarge),
        ),
        fixed(
            "Rows of a batch",
            item_batch::MAX_ROWS,
            Met::Problem(Code::InvalidFields),
        ),
        row(
            "Batches under way",
            "limits.batches",
            limits.batches,
            &range::BATCHES,
            Met::Problem(Code::Busy),
        ),
    ]
}

/// A bucket that is empty holds a whole request again after a second at the latest.
fn of_rates(rates: &RatesConfig) -> Vec<Row> {
    let per_second = |what, key, rate: u32| row(what, key, rate, &(0..=u32::MAX), Met::Problem(Code::TooManyRequests));
    let burst = |what, key, rate: u32| row(what, key, rate, &range::BURST, Met::Problem(Code::TooManyRequests));
    let (staff, device) = (rates.staff_per_second, rates.device_per_second);
    let (reader, anonymous) = (rates.reader_per_second, rates.anonymous_per_second);
    vec![
        per_second(
            "Requests of one member of staff per second; 0: no limit",
            "rates.staff_per_second",
            staff,
        ),
        burst("At once, after a rest", "rates.staff_burst", rates.staff_burst),
        per_second(
            "Requests of one device per second; 0: no limit",
            "rates.device_per_second",
            device,
        ),
        burst("At once, after a rest", "rates.device_burst", rates.device_burst),
        per_second(
            "Requests of one reader per second; 0: no limit",
            "rates.reader_per_second",
            reader,
        ),
        burst("At once, after a rest", "rates.reader_burst", rates.reader_burst),
        per_second(
            "Requests without a genuine token from one address per second; 0: no limit",
            "rates.anonymous_per_second",
            anonymous,
        ),
        burst("At once, after a rest", "rates.anonymous_burst", rates.anonymous_burst),
    ]
}

fn of_connections(limits: &LimitsConfig) -> Vec<Row> {
    vec![
        row(
            "The first head of a connection, in milliseconds",
            "limits.head_timeout_ms",
            limits.head_timeout_ms,
            &range::HEAD_TIMEOUT_MS,
            Met::Status("408"),
        ),
        row(
            "An idle connection, in milliseconds",
            "limits.keep_alive_ms",
            limits.keep_alive_ms,
            &range::KEEP_ALIVE_MS,
            Met::Silence("closed"),
        ),
        row(
            "Closing a connection, in milliseconds",
            "limits.disconnect_timeout_ms",
            limits.disconnect_timeout_ms,
            &range::DISCONNECT_TIMEOUT_MS,
            Met::Silence("closed"),
        ),
        row(
            "Connections",
            "limits.connections",
            limits.connections,
            &range::CONNECTIONS,
            Met::Problem(Code::Busy),
        ),
        fixed(
            "Connections beyond that which are told so",
            "an eighth more",
            Met::Silence("wait unaccepted"),
        ),
    ]
}

fn of_queues(database: &DatabaseConfig, auth: &AuthConfig) -> Vec<Row> {
    vec![
        row(
            "Changes waiting for the database; reads under way, too",
            "database.queue_limit",
            database.queue_limit,
            &range::QUEUE_LIMIT,
            Met::Problem(Code::Busy),
        ),
        row(
            "Log-ins waiting for a hash",
            "auth.hash_queue",
            auth.hash_queue,
            &range::HASH_QUEUE,
            Met::Problem(Code::Busy),
        ),
    ]
}

fn of_the_database(database: &DatabaseConfig, limits: &LimitsConfig) -> Vec<Row> {
    let millis = |what, key, value: u64, range| row(what, key, value, range, Met::Problem(Code::Unavailable));
    let (busy, connect) = (database.busy_timeout_ms, database.connect_timeout_ms);
    let (lock, read) = (database.lock_timeout_ms, database.read_timeout_ms);
    vec![
        millis(
            "Waiting for a connection, in milliseconds",
            "database.connect_timeout_ms",
            connect,
            &range::CONNECT_TIMEOUT_MS,
        ),
        millis(
            "SQLite: waiting for another process, in milliseconds",
            "database.busy_timeout_ms",
            busy,
            &range::BUSY_TIMEOUT_MS,
        ),
        millis(
            "PostgreSQL: waiting for a locked row, in milliseconds",
            "database.lock_timeout_ms",
            lock,
            &range::LOCK_TIMEOUT_MS,
        ),
        millis(
            "A read, in milliseconds",
            "database.read_timeout_ms",
            read,
            &range::READ_TIMEOUT_MS,
        ),
        fixed(
            "PostgreSQL: one statement of a change, in milliseconds",
            120_000,
            Met::Problem(Code::Unavailable),
        ),
        row(
            "SQLite: the file, in MiB; 0: as the disk allows",
            "database.max_size_mib",
            database.max_size_mib,
            &range::MAX_SIZE_MIB,
            Met::Problem(Code::Unavailable),
        ),
        row(
            "Free disk for `/health/ready`, in MiB",
            "limits.free_disk_mib",
            limits.free_disk_mib,
            &range::FREE_DISK_MIB,
            Met::Problem(Code::Unavailable),
        ),
    ]
}

/// What every client may count on with every library.
fn of_the_contract() -> Vec<Row> {
    let malformed = || Met::Problem(Code::MalformedRequest);
    vec![
        fixed("Rows of a page", input::LIMITS.end(), malformed()),
        fixed("Query parameters", query::MAX_PARAMETERS, malformed()),
        fixed("Characters of an `Idempotency-Key`", extract::KEY_MAX, malformed()),
        fixed(
            "Characters of an `X-Request-Id`",
            request_id::MAX_CHARS,
            Met::Silence("replaced by one made up"),
        ),
    ]
}

/// The table in Markdown, with the values of `config`.
pub fn table(config: &Config) -> String {
    let mut text = "| limit | key | default | range | answer |\n|---|---|---|---|---|\n".to_owned();
    for row in rows(config) {
        let key = if row.key.is_empty() {
            String::new()
        } else {
            format!("`{}`", row.key)
        };
        let answer = match row.met {
            Met::Problem(code) => {
                let retry = code.retry_after().map(|seconds| format!(", `Retry-After: {seconds}`"));
                format!("{} `{}`{}", code.status(), code.code(), retry.unwrap_or_default())
            }
            Met::Status(status) => format!("{status}, closed"),
            Met::Silence(how) => how.to_owned(),
        };
        let Row { what, value, range, .. } = row;
        // Writing into a string does not fail.
        let _ = writeln!(text, "| {what} | {key} | {value} | {range} | {answer} |");
    }
    text
}
