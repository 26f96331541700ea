//! The closing writes of an act. On PostgreSQL they wait until the act is done and then go out as one statement, because each
//! would cost a round trip; on SQLite they run at once. They append rows or change one row by its id. Any other statement of
//! the transaction carries them out first (`WriteTx::deref_mut`), so nobody sees the difference.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::BigInt;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::events::{EventRow, SideRow};
use super::hot::{CaptureHold, CloseLoan, InsertEvent, InsertLoan, InsertSide, SetItemState, StoreOutcome};
use super::loans::NewLoan;
use super::tx::WriteTx;

/// Most statements that fit one round trip: what each one did comes back as a bit of one number.
const AT_MOST: usize = 32;

/// A write that may wait until the act is done.
#[derive(Debug, Clone)]
pub(super) enum Closing {
    InsertLoan(NewLoan),
    CloseLoan {
        id: i64,
        closed_at: i64,
        closed_how: &'static str,
        return_unit_id: i64,
    },
    SetItemState {
        id: i64,
        status: &'static str,
        current_unit_id: i64,
        last_event_at: i64,
    },
    CaptureHold {
        id: i64,
        item_id: i64,
        captured_at: i64,
        shelf_number: Option<i32>,
        shelf_until: Option<String>,
    },
    Event(EventRow),
    Side(SideRow),
    Outcome(OutcomeRow),
}

/// The outcome of a keyed call.
#[derive(Debug, Clone)]
pub(super) struct OutcomeRow {
    pub(super) digest: [u8; 16],
    pub(super) request_hash: [u8; 32],
    pub(super) reader_id: Option<i64>,
    pub(super) outcome: String,
    pub(super) created_at: i64,
}

/// A closing write as SQL.
enum Statement<'a> {
    InsertLoan(InsertLoan<'a>),
    CloseLoan(CloseLoan<'a>),
    SetItemState(SetItemState<'a>),
    CaptureHold(CaptureHold<'a>),
    Event(InsertEvent<'a>),
    Side(InsertSide<'a>),
    Outcome(StoreOutcome<'a>),
}

impl Closing {
    fn statement(&self) -> Statement<'_> {
        match self {
            Self::InsertLoan(loan) => Statement::InsertLoan(loan.statement()),
            Self::CloseLoan {
                id,
                closed_at,
                closed_how,
                return_unit_id,
            } => Statement::CloseLoan(CloseLoan {
                closed_at: *closed_at,
                closed_how,
                return_unit_id: *return_unit_id,
                id: *id,
            }),
            Self::SetItemState {
                id,
                status,
                current_unit_id,
                last_event_at,
            } => Statement::SetItemState(SetItemState {
                status,
                current_unit_id: *current_unit_id,
                last_event_at: *last_event_at,
                id: *id,
            }),
            Self::CaptureHold {
                id,
                item_id,
                captured_at,
                shelf_number,
                shelf_until,
            } => Statement::CaptureHold(CaptureHold {
                captured_item_id: *item_id,
                captured_at: *captured_at,
                shelf_number: *shelf_number,
                shelf_until: shelf_until.as_deref(),
                id: *id,
            }),
            Self::Event(event) => Statement::Event(event.statement()),
            Self::Side(side) => Statement::Side(side.statement()),
            Self::Outcome(row) => Statement::Outcome(StoreOutcome {
                digest: &row.digest,
                request_hash: &row.request_hash,
                reader_id: row.reader_id,
                outcome: &row.outcome,
                created_at: row.created_at,
            }),
        }
    }

    /// The table in which it changes what may be there already. Two such writes never stand in one statement, whose parts
    /// see neither each other nor an order; what is only appended never meets.
    fn changes(&self) -> Option<&'static str> {
        match self {
            Self::InsertLoan(_) | Self::CloseLoan { .. } => Some("loans"),
            Self::SetItemState { .. } => Some("items"),
            Self::CaptureHold { .. } => Some("holds"),
            Self::Event(_) | Self::Side(_) | Self::Outcome(_) => None,
        }
    }
}

impl Statement<'_> {
    fn run(self, conn: &mut AnyConnection) -> QueryResult<usize> {
        match self {
            Self::InsertLoan(statement) => statement.run(conn),
            Self::CloseLoan(statement) => statement.run(conn),
            Self::SetItemState(statement) => statement.run(conn),
            Self::CaptureHold(statement) => statement.run(conn),
            Self::Event(statement) => statement.run(conn),
            Self::Side(statement) => statement.run(conn),
            Self::Outcome(statement) => statement.run(conn),
        }
    }
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Self::InsertLoan(statement) => statement.walk_ast(out),
            Self::CloseLoan(statement) => statement.walk_ast(out),
            Self::SetItemState(statement) => statement.walk_ast(out),
            Self::CaptureHold(statement) => statement.walk_ast(out),
            Self::Event(statement) => statement.walk_ast(out),
            Self::Side(statement) => statement.walk_ast(out),
            Self::Outcome(statement) => statement.walk_ast(out),
        }
    }
}

/// All of them in one statement. Answers a number whose bit `n` is set when the `n`-th changed one row.
struct Together<'a>(Vec<Statement<'a>>);

impl QueryId for Together<'_> {
    type QueryId = ();
    // The text depends on which writes there are; Diesel then finds the prepared statement by its text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Together<'_> {
    type SqlType = BigInt;
}

impl RunQueryDsl<PgConnection> for Together<'_> {}

impl QueryFragment<Pg> for Together<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for (n, statement) in self.0.iter().enumerate() {
            out.push_sql(if n == 0 { "WITH w" } else { "), w" });
            out.push_sql(&n.to_string());
            out.push_sql(" AS (");
            statement.walk_ast(out.reborrow())?;
            out.push_sql(" RETURNING 1");
        }
        out.push_sql(") SELECT 0");
        for n in 0..self.0.len() {
            out.push_sql(" + (SELECT count(*) FROM w");
            out.push_sql(&n.to_string());
            out.push_sql(") * ");
            out.push_sql(&(1_u64 << n).to_string());
        }
        Ok(())
    }
}

/// PostgreSQL: what waits for the end of the act, or for the next statement that might look at it.
#[derive(Debug, Default)]
pub struct Waiting {
    writes: Vec<Closing>,
    /// How carrying them out failed, until the job ends: it then fails with this.
    failure: Option<StoreError>,
}

impl WriteTx<'_> {
    /// Carries out a closing write: at once on SQLite, with the others of this act on PostgreSQL.
    ///
    /// # Errors
    /// `Retry` when a concurrent call with the same key was committed first; `Corrupt` when the row to change is gone.
    /// On PostgreSQL these show when the job ends.
    pub(super) fn close_with(&mut self, write: Closing) -> Result<(), StoreError> {
        let (conn, waiting) = self.closing();
        if let AnyConnection::Sqlite(_) = conn {
            let changed = write.statement().run(conn)?;
            return judge(&write, changed == 1);
        }
        let meets = |other: &Closing| write.changes().is_some() && other.changes() == write.changes();
        if waiting.writes.len() >= AT_MOST || waiting.writes.iter().any(meets) {
            self.settle();
        }
        self.closing().1.writes.push(write);
        Ok(())
    }

    /// Carries out what waits; a failure is kept for `finish`.
    pub(super) fn settle(&mut self) {
        let (conn, waiting) = self.closing();
        if waiting.writes.is_empty() {
            return;
        }
        let writes = std::mem::take(&mut waiting.writes);
        if let AnyConnection::Postgres(conn) = conn
            && let Err(error) = carry_out(conn, &writes)
        {
            waiting.failure.get_or_insert(error);
        }
    }

    /// Ends the job's part: what still waits is carried out if the job is to be `kept`, and dropped if not.
    ///
    /// # Errors
    /// The first failure of a closing write.
    pub(super) fn finish(&mut self, kept: bool) -> Result<(), StoreError> {
        if kept {
            self.settle();
        }
        let (_, waiting) = self.closing();
        waiting.writes.clear();
        waiting.failure.take().map_or(Ok(()), Err)
    }
}

fn carry_out(conn: &mut PgConnection, writes: &[Closing]) -> Result<(), StoreError> {
    let together = Together(writes.iter().map(Closing::statement).collect());
    let changed: i64 = together.get_result(conn)?;
    writes
        .iter()
        .enumerate()
        .try_for_each(|(n, write)| judge(write, changed >> n & 1 == 1))
}

fn judge(write: &Closing, changed: bool) -> Result<(), StoreError> {
    match write {
        _ if changed => Ok(()),
        Closing::Outcome(_) => Err(StoreError::Retry(diesel::result::Error::RollbackTransaction)),
        lost => Err(StoreError::Corrupt(format!("a row to change is gone: {lost:?}"))),
    }
}
